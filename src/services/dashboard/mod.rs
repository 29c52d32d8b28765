//! The job type `dashboard`: pages of the editions and builds of documentation that LTD Keeper publishes.
//!
//! `wire` is what Keeper answers, `normalise` makes a `product` of it, whose words and URLs `text` has judged and whose
//! versions `version` orders; `files` are its `page`s and `documents`, and the `assets` of their `look`. `fetch` asks a `keeper` of the settings. A job's
//! `request` is what `execute` does: it `publish`es, and `purge`s caches, in one of some `places`. `watch` sees to what nobody calls for; `routes`
//! is what is served beside the jobs, `preview` what needs no server.

mod assets;
mod documents;
mod execute;
mod fetch;
mod files;
mod keeper;
mod look;
mod normalise;
mod page;
mod places;
pub mod preview;
mod product;
mod publish;
mod purge;
mod request;
pub mod routes;
mod text;
mod version;
mod watch;
mod wire;

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;

use self::{
    assets::LogoError, fetch::Fetcher, keeper::Keepers, look::Look, places::Places, purge::Cache,
    request::Request,
};
use crate::{
    auth::Caller,
    engine::{Accepted, CheckError, Context, Description, Draft, Failure, Service, Stage},
    jobs,
    objects::Results,
    settings::{DashboardSettings, ShrinkGuard},
    store::Store,
};

pub use watch::watch;

/// Why there is no service.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// There can be no client.
    #[error("HTTP client: {0}")]
    Client(#[from] reqwest::Error),
    /// The file of the logo cannot be that.
    #[error(transparent)]
    Logo(#[from] LogoError),
}

/// The service.
pub struct Dashboard {
    store: Store,
    results: Arc<Results>,
    keepers: Keepers,
    fetchers: Vec<Fetcher>,
    cache: Option<Cache>,
    look: Look,
    shrink_guard: ShrinkGuard,
    debounce: Duration,
    sweep: Duration,
    places: Places,
    /// Owner of the jobs that Keeper, and not a person, has called for.
    own: String,
    description: Description,
}

impl Dashboard {
    /// For the Keepers of these settings, making at most half as many dashboards at a time as the server has workers, so
    /// that one that hangs leaves some to others; fails if there cannot be a client of theirs, or if
    /// their logo is none.
    pub fn new(
        store: Store,
        results: Arc<Results>,
        settings: &DashboardSettings,
        workers: usize,
    ) -> Result<Dashboard, SetupError> {
        let keepers = Keepers::new(&settings.keepers);
        let fetchers = keepers
            .iter()
            .cloned()
            .map(|keeper| Fetcher::new(keeper, settings))
            .collect::<Result<_, _>>()?;
        Ok(Dashboard {
            store,
            results,
            fetchers,
            keepers,
            cache: Cache::new(settings)?,
            look: Look::of(settings)?,
            shrink_guard: settings.shrink_guard,
            debounce: settings.debounce,
            sweep: settings.sweep,
            places: Places::new((workers / 2).max(1)),
            own: jobs::service_owner("dashboard"),
            description: Description {
                name: "dashboard",
                title: "Documentation dashboards",
                summary: "Publishes pages of the editions and builds of documentation that LTD Keeper knows, and version menus \
                          for it.",
                parameters: request::describe(),
                any_parameter: false,
                formats: &[],
                retryable: true,
                execution_duration: Duration::from_hours(1),
                max_execution_duration: Duration::from_hours(24),
                retention: Duration::from_hours(30 * 24),
                max_retention: Duration::from_hours(10 * 365 * 24),
            },
        })
    }

    /// Who asks each Keeper.
    fn fetchers(&self) -> &[Fetcher] {
        &self.fetchers
    }

    /// Who asks the Keeper of this name.
    fn fetcher(&self, keeper: &str) -> Option<&Fetcher> {
        self.fetchers
            .iter()
            .find(|fetcher| fetcher.keeper().name == keeper)
    }
}

/// Whether pages can have the look of these settings.
pub fn check_look(settings: &DashboardSettings) -> Result<(), LogoError> {
    Look::of(settings).map(drop)
}

/// How many products each Keeper of these settings lists now, or why it does not.
pub async fn products_listed(settings: &DashboardSettings) -> Vec<(String, Result<usize, String>)> {
    let mut found = Vec::new();
    for keeper in Keepers::new(&settings.keepers).iter() {
        let listed = match Fetcher::new(keeper.clone(), settings) {
            Ok(fetcher) => fetcher.slugs().await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        found.push((keeper.name.clone(), listed.map(|slugs| slugs.len())));
    }
    found
}

impl Service for Dashboard {
    fn describe(&self) -> &Description {
        &self.description
    }

    fn check<'a>(
        &'a self,
        draft: &'a Draft<'a>,
        stage: Stage,
        _caller: &'a Caller,
    ) -> BoxFuture<'a, Result<Accepted, CheckError>> {
        Box::pin(async move {
            let request = Request::read(&self.keepers, draft.parameters).map_err(CheckError::Usage)?;
            if stage == Stage::Run {
                request.check_complete()?;
            }
            Ok(Accepted::default())
        })
    }

    fn execute<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(execute::run(self, context))
    }
}
