//! What the service answers beside its jobs. Each file is an API of the OpenAPI document, with its rows in
//! `auth::policy`.

mod catalogue;
mod schema;

use std::sync::Arc;

use super::Cutout;
use crate::{http::Problem, store::StoreError};

pub use catalogue::Catalogue;

/// All of them.
pub type Api = Catalogue;

/// What they share.
pub struct Site {
    /// `None` if the service is not served.
    cutout: Option<Arc<Cutout>>,
}

impl Site {
    fn cutout(&self) -> Result<&Arc<Cutout>, Problem> {
        self.cutout
            .as_ref()
            .ok_or_else(|| Problem::not_found("service not found"))
    }
}

/// The APIs of the service, all of whose paths are not there without it.
pub fn api(cutout: Option<Arc<Cutout>>) -> Api {
    let site = Arc::new(Site { cutout });
    Catalogue(site)
}

/// The database did not do as asked.
fn stored(error: StoreError) -> Problem {
    match error {
        StoreError::Corrupt(_) => Problem::internal(error),
        error => Problem::unavailable(error),
    }
}
