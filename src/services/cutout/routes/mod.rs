//! What the service answers beside its jobs. Each file is an API of the OpenAPI document, with its rows in
//! `auth::policy`.

mod catalogue;
mod preview;
mod schema;

use std::sync::Arc;

use super::Cutout;
use crate::{http::Problem, jobs::Jobs, store::StoreError};

pub use catalogue::Catalogue;
pub use preview::Previews;

/// All of them.
pub type Api = (Catalogue, Previews);

/// What they share.
pub struct Site {
    /// `None` if the service is not served.
    cutout: Option<Arc<Cutout>>,
    jobs: Jobs,
}

impl Site {
    fn cutout(&self) -> Result<&Arc<Cutout>, Problem> {
        self.cutout
            .as_ref()
            .ok_or_else(|| Problem::not_found("service not found"))
    }
}

/// The APIs of the service, all of whose paths are not there without it.
pub fn api(cutout: Option<Arc<Cutout>>, jobs: Jobs) -> Api {
    let site = Arc::new(Site { cutout, jobs });
    (Catalogue(Arc::clone(&site)), Previews(site))
}

/// The database did not do as asked.
fn stored(error: StoreError) -> Problem {
    match error {
        StoreError::Corrupt(_) => Problem::internal(error),
        error => Problem::unavailable(error),
    }
}
