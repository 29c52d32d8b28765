//! What the services of this server are: for the web form, and for the Virtual Observatory (VOSI).

use serde::Serialize;

use super::Site;
use crate::{
    engine::{Description, Interface, Service},
    uws::vosi::{self, Capability, InputParameter},
};

/// Descriptions of all services, as JSON.
#[derive(Serialize)]
pub struct Services<'a> {
    services: Vec<&'a Description>,
}

/// Of this site, in the order of its settings.
pub fn all(site: &Site) -> Services<'_> {
    Services {
        services: site
            .jobs
            .services()
            .iter()
            .map(|service| service.describe())
            .collect(),
    }
}

/// The `vosi:capabilities` document of a service.
pub fn capabilities(site: &Site, service: &dyn Service) -> Vec<u8> {
    let description = service.describe();
    let base = format!("{}/api/{}", site.base, description.name);
    let parameters: Vec<InputParameter<'_>> = description
        .parameters
        .iter()
        .map(|parameter| InputParameter {
            name: parameter.name,
            description: parameter.meaning,
            unit: parameter.unit,
            ucd: parameter.ucd,
            required: parameter.required,
        })
        .collect();
    let url = |path: &str| format!("{base}/{path}");
    let own = [
        (vosi::CAPABILITIES, url("capabilities"), Interface::Document),
        (vosi::AVAILABILITY, url("availability"), Interface::Document),
        (vosi::UWS, url("async"), Interface::Async),
    ];
    let standards = service.standards().iter();
    let all: Vec<_> = own
        .into_iter()
        .chain(standards.map(|standard| (standard.id, url(standard.path), standard.interface)))
        .collect();
    let capabilities: Vec<Capability<'_>> = all
        .iter()
        .map(|(standard_id, access_url, interface)| {
            let (methods, parameters): (&[&str], &[InputParameter<'_>]) = match interface {
                Interface::Document => (&[], &[]),
                // By POST too, but some clients read only one.
                Interface::Query => (&["GET"], &[]),
                Interface::Sync => (&["GET"], &parameters),
                Interface::Async => (&["POST"], &parameters),
            };
            Capability {
                standard_id,
                access_url,
                methods,
                parameters,
            }
        })
        .collect();
    vosi::capabilities(&capabilities)
}
