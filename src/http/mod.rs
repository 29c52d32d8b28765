//! The server's face: UWS 1.1 for every service, `/api/v1`, the web app, errors, ranges, events, health. Only this and
//! the services' routes know poem.
//!
//! Calls `jobs`, `engine` (descriptions), `auth` (callers), `objects`, `store` (rows it shows), `net`, `uws`,
//! `settings`, `telemetry`.

mod account;
mod admin;
mod archive;
mod body;
mod caller;
mod content;
mod cross_origin;
mod crowd;
mod described;
mod docs;
mod edge;
mod events;
mod form;
mod guard;
mod health;
mod listen;
mod log;
mod metrics;
mod negotiate;
mod page;
mod parameter;
mod problem;
mod range;
mod reply;
mod schema;
mod script;
mod serve;
mod services;
mod share;
mod sync;
#[cfg(test)]
mod tests;
mod uws;
mod v1;
mod web_app;

use std::{io, sync::Arc};

use poem::{
    EndpointExt, Route,
    endpoint::{BoxEndpoint, make_sync},
    get,
};
use poem_openapi::{LicenseObject, OpenApi, OpenApiService};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use url::Url;

pub use caller::{Door, Identified};
pub use content::{Representation, Selected};
pub use crowd::Crowd;
pub use described::Described;
pub use edge::RequestId;
pub use form::{Asked, Form};
pub use negotiate::prefer;
pub use page::notice;
pub use parameter::{Many, Once};
pub use problem::{Fault as ParameterFault, Problem};
pub use range::is_known;
pub use reply::{Content, JsonOf, Nothing, Picture, Reply, Table, Xhtml, foreign};

use self::{
    body::{Bounds, UPLOADS},
    cross_origin::CrossOrigin,
    docs::Docs,
    edge::{Edge, Methods},
    guard::Guard,
    health::Health,
    listen::Gate,
    metrics::Metrics,
    web_app::WebApp,
};
use crate::{
    auth::Auth,
    jobs::Jobs,
    settings::{AuthMode, Settings},
    uws::JobId,
};

/// Longest body of those who are not known yet, in bytes: a token of the provider's.
const MAX_ANONYMOUS_BODY: u64 = 32 << 10;

/// The APIs of the OpenAPI document; the last is that of the services.
type Apis<S> = (
    uws::Uws,
    sync::Sync,
    v1::V1,
    admin::Admin,
    share::Shared,
    account::Account,
    S,
);

/// Routes of the services' that are in no OpenAPI document.
pub type Beside = Box<dyn FnOnce(Route) -> Route + Send>;

/// What handlers share.
struct Site {
    jobs: Jobs,
    door: Arc<Door>,
    /// The public URL without a slash at its end.
    base: String,
    /// Path at which the web app shows shared jobs by their secret, with a slash at its end; nothing without a web app.
    shared_page: Option<String>,
    max_body: u64,
    waits: Arc<Crowd>,
    syncs: Arc<Crowd>,
    listeners: Arc<Crowd>,
    archives: Arc<Crowd>,
    retries: Arc<Crowd>,
    health: Arc<Health>,
}

impl Site {
    fn new(
        jobs: &Jobs,
        auth: Auth,
        settings: &Settings,
        public: &Url,
        draining: &CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Site {
            jobs: jobs.clone(),
            base: settings.public_base().trim_end_matches('/').to_owned(),
            shared_page: web_app::is_there(settings)
                .then(|| format!("{}{}share/", public.path().trim_end_matches('/'), web_app::HOME)),
            max_body: settings.max_body,
            waits: Crowd::new("waits", if auth.is_local() { 10_000 } else { 1_000 }, 20_000),
            syncs: Crowd::new("synchronous requests", 20, 200),
            listeners: Crowd::new("event streams", 200, 5_000),
            archives: Crowd::new("archives", 10, 40),
            retries: Crowd::new("retries", 2, 4),
            health: Health::new(jobs, &auth, draining),
            door: Door::new(auth, public, settings.trusted_proxies),
        })
    }

    /// The absolute URL of a path of ours.
    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn list_url(&self, service: &str) -> String {
        format!("{}/api/{service}/async", self.base)
    }

    fn share_url(&self, secret: &str) -> String {
        format!("{}/share/{secret}", self.base)
    }

    fn job_url(&self, service: &str, id: JobId) -> String {
        format!("{}/api/{service}/async/{id}", self.base)
    }
}

/// Why nothing can be served.
#[derive(Debug, thiserror::Error)]
pub enum RoutesError {
    /// The public URL is none.
    #[error("public_url: {0}")]
    PublicUrl(#[from] url::ParseError),
    /// The development server of the web app cannot be asked.
    #[error("web_app_dev_url: {0}")]
    WebApp(#[from] reqwest::Error),
}

/// Everything that the public listener answers to: all paths below the public URL's, and the probes at the root too.
/// `services` is what they bring beside UWS, `beside` what of that is in no document. From `draining` on the server is not
/// ready.
pub fn routes<S: OpenApi + 'static>(
    jobs: &Jobs,
    auth: Auth,
    settings: &Settings,
    services: S,
    beside: Beside,
    draining: &CancellationToken,
) -> Result<BoxEndpoint<'static>, RoutesError> {
    let public = Url::parse(&settings.public_base())?;
    let site = Site::new(jobs, auth, settings, &public, draining);
    let apis: Apis<S> = (
        uws::Uws(Arc::clone(&site)),
        sync::Sync(Arc::clone(&site)),
        v1::V1(Arc::clone(&site)),
        admin::Admin(Arc::clone(&site)),
        share::Shared(Arc::clone(&site)),
        account::Account(Arc::clone(&site)),
        services,
    );
    let docs = Arc::new(Docs::of::<S>());
    let also = Arc::clone(&docs);
    let tree = Route::new()
        .nest("/", service(apis))
        .at("/openapi.json", get(make_sync(move |_| docs.document())))
        .at("/docs", get(make_sync(move |_| also.page())));
    let tree = beside(tree);
    let base_path = public.path().trim_end_matches('/').to_owned();
    let tree = WebApp::new(settings, &base_path, draining)?.add_to(tree);
    let probes = Arc::clone(&site.health).probes();
    let whole = if base_path.is_empty() {
        probes.nest("/", tree)
    } else {
        let below = Arc::clone(&site.health).probes().nest("/", tree);
        probes.nest(&base_path, below)
    };
    let local = settings.auth.mode == AuthMode::Local;
    // The one user of mode `local` may have them all.
    let uploads = if local { UPLOADS } else { UPLOADS / 4 };
    let edge = Edge {
        base_path,
        door: Some(Arc::clone(&site.door)),
        guard: Some(Guard::new(&public, local)),
        cross_origin: settings
            .cross_origin()
            .then(|| CrossOrigin::new(site.door.session_cookie())),
        bounds: Bounds::new(settings.max_body, uploads),
        small_bounds: Bounds::new(MAX_ANONYMOUS_BODY, UPLOADS),
        methods: Methods::of(&<Apis<S> as OpenApi>::meta()),
    };
    Ok(edge.around(site.door.before(whole.data(Arc::clone(&site.door)))))
}

/// Where people find the web app, with a slash at its end, if there is one for these settings.
pub fn web_app_url(settings: &Settings) -> Option<String> {
    let is_there = settings.role.serves() && web_app::is_there(settings);
    is_there.then(|| format!("{}{}", settings.public_base(), web_app::HOME))
}

/// What the internal listener answers to, and the only listener of a worker: the probes, with `metrics` the metrics, and
/// what `beside` adds.
pub fn internal_routes(
    jobs: &Jobs,
    auth: &Auth,
    metrics: bool,
    beside: Beside,
    draining: &CancellationToken,
) -> BoxEndpoint<'static> {
    let probes = Health::new(jobs, auth, draining).probes();
    let whole = if metrics {
        probes.at("/metrics", get(Metrics::new(jobs).page()))
    } else {
        probes
    };
    let whole = beside(whole);
    Edge {
        base_path: String::new(),
        guard: None,
        cross_origin: None,
        door: None,
        bounds: Bounds::new(1 << 20, UPLOADS),
        small_bounds: Bounds::new(MAX_ANONYMOUS_BODY, UPLOADS),
        methods: Methods::default(),
    }
    .around(whole)
}

/// Serves the routes to the connections of a listener, at most so many `of_address`, until it stops: then no more are
/// accepted, requests that are open get some time to end, and the task ends. From `draining` on each connection is for one
/// more request.
pub fn serve(
    listener: TcpListener,
    routes: BoxEndpoint<'static>,
    of_address: Option<usize>,
    (draining, stop): (CancellationToken, CancellationToken),
) -> io::Result<JoinHandle<()>> {
    let gate = Gate::new(listener, of_address)?;
    Ok(tokio::spawn(serve::serve(gate, routes, draining, stop)))
}

/// The OpenAPI document with the API of the services: JSON, the same at every call, with a newline at its end. Its
/// servers are relative.
pub fn openapi<S: OpenApi + 'static>() -> String {
    docs::openapi::<S>()
}

fn service<T: OpenApi + 'static>(apis: T) -> OpenApiService<T, ()> {
    OpenApiService::new(apis, "Sidereal", env!("CARGO_PKG_VERSION"))
        .description(
            "Long jobs over the IVOA's Universal Worker Service 1.1 (UWS), and their results. Below `/api/{service}` \
             is UWS for one service, below `/api/v1` JSON over all of them.",
        )
        .license(LicenseObject::new("MIT OR Apache-2.0"))
}

/// A job that a URL names; what cannot be the name of one is not there.
fn job_id(text: &str) -> Result<JobId, Problem> {
    text.parse().map_err(|_| Problem::not_found("job not found"))
}
