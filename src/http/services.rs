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
    let parameters_of = |standard: &str| -> Vec<InputParameter<'_>> {
        let parameters = description.parameters.iter();
        let told = parameters.map(|parameter| InputParameter {
            name: parameter.name,
            description: parameter.meaning,
            unit: parameter.unit,
            ucd: parameter.ucd,
            required: parameter.required,
            standard: vosi::has_parameter(standard, parameter.name),
        });
        told.collect()
    };
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
            let (methods, parameters): (&[&str], Vec<_>) = match interface {
                Interface::Document => (&[], Vec::new()),
                // By POST too, but some clients read only one.
                Interface::Query => (&["GET"], Vec::new()),
                Interface::Sync => (&["GET"], parameters_of(standard_id)),
                Interface::Async => (&["POST"], parameters_of(standard_id)),
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
