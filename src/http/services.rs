//! What the services of this server are: for the web form, and for the Virtual Observatory (VOSI).

use serde::Serialize;

use super::Site;
use crate::{
    engine::{Description, Service},
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
    vosi::capabilities(&[
        Capability {
            standard_id: vosi::CAPABILITIES,
            access_url: &format!("{base}/capabilities"),
            parameters: None,
        },
        Capability {
            standard_id: vosi::AVAILABILITY,
            access_url: &format!("{base}/availability"),
            parameters: None,
        },
        Capability {
            standard_id: vosi::UWS,
            access_url: &format!("{base}/async"),
            parameters: Some(&parameters),
        },
    ])
}
