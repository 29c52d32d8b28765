//! What the service answers beside its jobs: LTD Dasher's API in `build`, the dashboards themselves in `pages`, and in
//! `products` how they stand, which is in the OpenAPI document.

mod build;
mod pages;
mod products;

use std::sync::Arc;

use poem::{EndpointExt, endpoint::make, get, post};
use secrecy::ExposeSecret;

use super::Dashboard;
use crate::{
    auth::{self, Credential, Rates, TooFast},
    http::{Beside, Problem},
    jobs::Jobs,
    settings::{AuthMode, Settings},
};

pub use products::Products;

/// Calls that a Keeper may send each second, and twice as many at once: it does not send again what was refused. How much
/// they come to is bounded by the queue.
const CALLS_PER_SECOND: u64 = 1_000;

/// What the routes share.
pub struct Site {
    dashboard: Arc<Dashboard>,
    jobs: Jobs,
    /// The public URL without a slash at its end.
    base: String,
    /// What a Keeper shows, hashed: the time of comparing hashes tells nothing of the secret.
    secret: Option<[u8; 32]>,
    public: bool,
    /// Those of callers who are no people; everybody else is held to theirs before.
    rates: Rates,
    per_second: Option<u64>,
}

impl Site {
    /// Of these settings.
    pub fn new(dashboard: Arc<Dashboard>, jobs: Jobs, settings: &Settings) -> Arc<Site> {
        let secret = settings.dashboard.build_secret.as_ref();
        Arc::new(Site {
            dashboard,
            jobs,
            base: settings.public_base(),
            secret: secret.map(|secret| auth::hash(secret.expose_secret())),
            public: settings.dashboard.public,
            rates: Rates::default(),
            per_second: Some(CALLS_PER_SECOND)
                .filter(|_| settings.quota.requests_per_second > 0 && settings.auth.mode != AuthMode::Local),
        })
    }

    /// One more call of this caller; 429 if these are too many.
    fn hold_to_rate(&self, caller: &str) -> Result<(), Problem> {
        let held = self.rates.known(Credential::None, caller, self.per_second);
        held.map_err(|TooFast(pause)| Problem::too_many("too many requests", pause))
    }

    /// Path of the public URL, without a slash at its end.
    fn base_path(&self) -> &str {
        let rest = self.base.split_once("://").map_or("", |(_, rest)| rest);
        rest.find('/').map_or("", |start| &rest[start..])
    }
}

/// The routes of the public listener.
pub fn public(site: Option<&Arc<Site>>) -> Beside {
    let site = site.cloned();
    Box::new(move |routes| {
        let routes = routes.at("/healthz", get(poem::endpoint::make_sync(|_| build::health())));
        let Some(site) = site else {
            return routes;
        };
        let (top, below) = (Arc::clone(&site), Arc::clone(&site));
        let built = build_route(site, false);
        let home = move |_| {
            let site = Arc::clone(&top);
            async move { pages::home(&site) }
        };
        let page = move |request| {
            let site = Arc::clone(&below);
            async move { pages::page(&site, request).await.map_err(poem::Error::from) }
        };
        routes
            .at("/build", post(built))
            .at("/dashboards", get(make(home)))
            .at("/dashboards/*path", get(make(page)))
    })
}

/// The routes of the internal listener: the API for everyone who reaches it, if that is wanted.
pub fn internal(site: Option<&Arc<Site>>, settings: &Settings) -> Beside {
    let site = site.filter(|_| settings.dashboard.anonymous_build).cloned();
    Box::new(move |routes| match site {
        None => routes,
        Some(site) => routes
            .at("/healthz", get(poem::endpoint::make_sync(|_| build::health())))
            .at("/build", post(build_route(site, true))),
    })
}

fn build_route(site: Arc<Site>, anonymous: bool) -> impl poem::Endpoint<Output = poem::Response> + 'static {
    make(move |request| {
        let site = Arc::clone(&site);
        async move {
            let built: Result<_, Problem> = build::build(&site, anonymous, request).await;
            built.map_err(poem::Error::from)
        }
    })
    .map_to_response()
}
