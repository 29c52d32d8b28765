//! What a job would find, before it is made.

use std::sync::Arc;

use poem_openapi::{OpenApi, param::Query};

use super::{
    super::check::{MOST_ROWS, ROWS, Wanted, check},
    Site, schema,
};
use crate::http::{Crowd, Described, Identified, JsonOf, Once, Problem, Reply};

/// The API of checks.
pub struct Checks {
    site: Arc<Site>,
    /// Those that are being worked out.
    open: Arc<Crowd>,
}

impl Checks {
    pub(super) fn new(site: Arc<Site>) -> Self {
        Checks {
            site,
            open: Crowd::new("checks", 4, 16),
        }
    }
}

#[OpenApi(prefix_path = "/api/v1/cutout")]
impl Checks {
    /// Tells what a job would find, and makes none
    ///
    /// The body is that of a new job: a form, or the JSON of `/api/v1/jobs`. Totals are of all rows; rows come in pages,
    /// each with its first ten images.
    #[oai(path = "/check", method = "post", operation_id = "checkCutout")]
    async fn check(
        &self,
        Identified(caller): Identified,
        /// Rows of a page, at most 1000; 100 by default.
        limit: Query<Once<u64>>,
        /// `next` of the page before.
        cursor: Query<Once<String>>,
        /// Only rows of which not everything would be made.
        problems: Query<Once<bool>>,
        described: Described,
    ) -> Result<Reply<JsonOf<schema::Checked>>, Problem> {
        let cutout = self.site.cutout()?;
        let _ticket = self.open.enter(&caller.name)?;
        let limit = limit.0.0.unwrap_or(ROWS);
        if !(1..=MOST_ROWS).contains(&limit) {
            return Err(Problem::usage("limit", format!("expected 1 to {MOST_ROWS}")));
        }
        let after = cursor.0.0.map(|cursor| cursor.parse()).transpose();
        let wanted = Wanted {
            after: after
                .map_err(|_| Problem::usage("cursor", "expected next of a page before"))?
                .unwrap_or(0),
            most: limit as usize,
            problems: problems.0.0.unwrap_or(false),
        };
        if described.service.is_some_and(|service| service != "cutout") {
            return Err(Problem::usage("service", "expected cutout"));
        }
        let checked = check(cutout, &self.site.jobs, &caller, described.submission, wanted);
        Reply::<JsonOf<_>>::json(&checked.await?)
    }
}
