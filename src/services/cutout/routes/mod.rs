//! What the service answers beside its jobs. Each file is an API of the OpenAPI document, with its rows in
//! `auth::policy`.

mod catalogue;
mod check;
mod examples;
mod preview;
mod schema;
mod vo;

use std::sync::Arc;

use super::{Cutout, datalink::Places};
use crate::{http::Problem, jobs::Jobs, objects::Sources, settings::Settings, store::StoreError};

pub use catalogue::Catalogue;
pub use check::Checks;
pub use preview::Previews;
pub use vo::Vo;

/// All of them.
pub type Api = (Catalogue, Checks, Previews, Vo);

/// What they share.
pub struct Site {
    /// `None` if the service is not served.
    cutout: Option<Arc<Cutout>>,
    jobs: Jobs,
    sources: Arc<Sources>,
    places: Places,
    /// IVOID that identifiers of images begin with.
    publisher: String,
}

impl Site {
    fn cutout(&self) -> Result<&Arc<Cutout>, Problem> {
        self.cutout
            .as_ref()
            .ok_or_else(|| Problem::not_found("service not found"))
    }
}

/// The APIs of the service, all of whose paths are not there without it.
pub fn api(cutout: Option<Arc<Cutout>>, jobs: Jobs, sources: Arc<Sources>, settings: &Settings) -> Api {
    let base = settings.public_base();
    let site = Arc::new(Site {
        cutout,
        jobs,
        sources,
        places: Places {
            service: format!("{base}/api/cutout"),
            preview: format!("{base}/api/v1/cutout/preview"),
        },
        publisher: settings.cutout.publisher.clone(),
    });
    (
        Catalogue(Arc::clone(&site)),
        Checks::new(Arc::clone(&site)),
        Previews(Arc::clone(&site)),
        Vo(site),
    )
}

/// The database did not do as asked.
fn stored(error: StoreError) -> Problem {
    match error {
        StoreError::Corrupt(_) => Problem::internal(error),
        error => Problem::unavailable(error),
    }
}
