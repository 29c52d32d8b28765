//! The composition root: settings → stores → engine → services → server.
//!
//! Calls everything to its right; the command line starts and drains it.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use secrecy::ExposeSecret;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    auth::{Auth, ProviderError},
    engine::{Engine, PerOwner, Service},
    http,
    jobs::Jobs,
    notify::Notifier,
    objects::{ObjectsError, Results, Sources},
    services::{
        self,
        cutout::{self, Cutout},
        dashboard::{self, Dashboard},
        echo::Echo,
    },
    settings::{AuthMode, Settings, SettingsError},
    store::{Dialect, Store, StoreError},
};

/// What requests get to be answered when all jobs have been drained.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The settings make no sense.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The home of the embedded defaults cannot be made.
    #[error("data directory {}: {source}", .path.display())]
    DataDir {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database does not answer or cannot be migrated.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Logins cannot work with these settings.
    #[error("login: {0}")]
    Auth(#[from] ProviderError),
    /// The job type `dashboard` cannot be served.
    #[error(transparent)]
    Dashboard(#[from] dashboard::SetupError),
    /// Nothing can be served with these settings.
    #[error(transparent)]
    Routes(#[from] http::RoutesError),
    /// The object store cannot be used.
    #[error("results: {0}")]
    Objects(#[from] ObjectsError),
    /// The connection for wake-ups between replicas.
    #[error("database, wake-ups: {0}")]
    Notify(Box<dyn std::error::Error + Send + Sync>),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// A running server.
pub struct App {
    address: SocketAddr,
    home: Option<String>,
    jobs: Jobs,
    auth: Auth,
    /// Ends the taking of jobs and the sweeps; from then on the server is not ready.
    stop_engine: CancellationToken,
    engine: Vec<JoinHandle<()>>,
    /// How long requests are answered from then on, at least.
    shutdown_delay: Duration,
    /// Ends the listeners and the wake-ups.
    stop_rest: CancellationToken,
    rest: Vec<JoinHandle<()>>,
}

impl App {
    /// Opens the stores, brings the schema up to date, and starts what the role has. With port 0 a free one is taken.
    pub async fn start(mut settings: Settings) -> Result<App, AppError> {
        settings.check()?;
        prepare_data_dir(&settings)?;
        // First of all, so that a second server on the same address changes nothing.
        let listener = listen(settings.listen).await?;
        let internal = match settings.internal_listen {
            Some(address) => Some(listen(address).await?),
            None => None,
        };
        let address = listener.local_addr().unwrap_or(settings.listen);
        settings.listen = address;

        let store = Store::open(settings.database_url().expose_secret()).await?;
        store.migrate().await?;
        let results = Arc::new(Results::open(&settings.results_url())?);
        let notifier = Notifier::new();
        let (stop_engine, stop_rest) = (CancellationToken::new(), CancellationToken::new());
        let mut rest = Vec::new();
        if store.dialect() == Dialect::Postgres {
            let connected = notifier.connect(store.url(), stop_rest.clone()).await;
            rest.push(connected.map_err(|error| AppError::Notify(error.into()))?);
        }
        let sources = Arc::new(Sources::default().with_scratch(settings.cutout.scratch));
        let cutout = cutout(&settings, &store, &sources);
        let dashboard = dashboard(&settings, &store, &results)?;
        let engine = Engine {
            services: services(&settings, cutout.as_ref(), dashboard.as_ref()).into(),
            store,
            results,
            notifier,
            settings: settings.engine.clone(),
        };
        if settings.auth.mode == AuthMode::Local && settings.trusted_proxies > 0 {
            tracing::warn!("behind a proxy in auth.mode local: whoever reaches the proxy may do everything");
        }
        let auth = Auth::new(&settings, engine.store.clone())?;
        let jobs = Jobs::new(engine.clone());
        let dashboards = dashboard
            .as_ref()
            .map(|dashboard| dashboard::routes::Site::new(Arc::clone(dashboard), jobs.clone(), &settings));
        let api: services::Api = (
            cutout::routes::api(cutout, jobs.clone(), sources, &settings),
            dashboard::routes::Products(dashboards.clone()),
        );
        let dashboards = dashboards.as_ref();

        let failed = |source| AppError::Listen { address, source };
        let routes = if settings.role.serves() {
            let beside = dashboard::routes::public(dashboards);
            http::routes(&jobs, auth.clone(), &settings, api, beside, &stop_engine)?
        } else {
            let beside = dashboard::routes::internal(None, &settings);
            http::internal_routes(&jobs, &auth, false, beside, &stop_engine)
        };
        rest.push(
            http::serve(
                listener,
                routes,
                settings.connections_per_address(),
                (stop_engine.clone(), stop_rest.clone()),
            )
            .map_err(failed)?,
        );
        if let Some(listener) = internal {
            let beside = dashboard::routes::internal(dashboards, &settings);
            let routes = http::internal_routes(&jobs, &auth, true, beside, &stop_engine);
            rest.push(
                http::serve(listener, routes, None, (stop_engine.clone(), stop_rest.clone()))
                    .map_err(failed)?,
            );
        }
        let mut running = vec![engine.keep_house(stop_engine.clone())];
        if let Some(dashboard) = dashboard {
            running.push(dashboard::watch(dashboard, jobs.clone(), stop_engine.clone()));
        }
        if settings.role.works() {
            let stop = stop_engine.clone();
            running.push(engine.run_jobs(settings.workers(), per_owner(&settings), &host(), stop));
        }
        Ok(App {
            address,
            home: http::web_app_url(&settings),
            jobs,
            auth,
            stop_engine,
            engine: running,
            shutdown_delay: settings.shutdown_delay,
            stop_rest,
            rest,
        })
    }

    /// The address of the public listener.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// URL of the web app, with a slash at its end, if there is one.
    pub fn web_app(&self) -> Option<&str> {
        self.home.as_deref()
    }

    /// Takes no more jobs, lets running ones end or puts them back, while requests are still answered, for the delay of
    /// the settings at least; then ends those too.
    pub async fn drain(self) {
        self.stop_engine.cancel();
        tracing::info!(delay = ?self.shutdown_delay, "draining");
        // A panic has been logged; there is nothing left to stop.
        let worked = futures::future::join_all(self.engine);
        tokio::join!(worked, tokio::time::sleep(self.shutdown_delay));
        self.jobs.close();
        self.stop_rest.cancel();
        let ended = futures::future::join_all(self.rest);
        if tokio::time::timeout(LAST_ANSWERS, ended).await.is_err() {
            tracing::warn!("some requests were not answered in time");
        }
        if tokio::time::timeout(LAST_ANSWERS, self.auth.settle())
            .await
            .is_err()
        {
            tracing::warn!("some changes were not brought to their end in time");
        }
    }
}

/// The job type `cutout`, if it is served; its routes need it too.
fn cutout(settings: &Settings, store: &Store, sources: &Arc<Sources>) -> Option<Arc<Cutout>> {
    let served = settings.services.iter().any(|name| name == "cutout");
    served.then(|| Arc::new(Cutout::new(store.clone(), Arc::clone(sources), &settings.cutout)))
}

/// The job type `dashboard`, if it is served; its routes need it too.
fn dashboard(
    settings: &Settings,
    store: &Store,
    results: &Arc<Results>,
) -> Result<Option<Arc<Dashboard>>, dashboard::SetupError> {
    if !settings.services.iter().any(|name| name == "dashboard") {
        return Ok(None);
    }
    let dashboard = Dashboard::new(
        store.clone(),
        Arc::clone(results),
        &settings.dashboard,
        settings.workers(),
    )?;
    Ok(Some(Arc::new(dashboard)))
}

/// The job types of the settings, in their order. A new one is a folder under `services/` and a line here.
fn services(
    settings: &Settings,
    cutout: Option<&Arc<Cutout>>,
    dashboard: Option<&Arc<Dashboard>>,
) -> Vec<Arc<dyn Service>> {
    let service = |name: &String| -> Option<Arc<dyn Service>> {
        match name.as_str() {
            "cutout" => Some(Arc::<Cutout>::clone(cutout?)),
            "dashboard" => Some(Arc::<Dashboard>::clone(dashboard?)),
            "echo" => Some(Arc::new(Echo::default())),
            // The settings have been checked.
            _ => None,
        }
    };
    settings.services.iter().filter_map(service).collect()
}

/// What an owner may have; the one user of mode `local` has no limit.
fn per_owner(settings: &Settings) -> PerOwner {
    match settings.auth.mode {
        AuthMode::Local => PerOwner::default(),
        AuthMode::Oidc => PerOwner {
            running: Some(settings.quota.running).filter(|running| *running > 0),
            stored_bytes: Some(settings.quota.stored_bytes),
        },
    }
}

/// Makes the home of the embedded defaults, readable by this user only, if any of them is used.
pub fn prepare_data_dir(settings: &Settings) -> Result<(), AppError> {
    if settings.database_url.is_some() && settings.results_url.is_some() {
        return Ok(());
    }
    let path: &Path = &settings.data_dir;
    let mut builder = std::fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(builder.recursive(true), 0o700);
    builder.create(path).map_err(|source| AppError::DataDir {
        path: path.into(),
        source,
    })
}

async fn listen(address: SocketAddr) -> Result<TcpListener, AppError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| AppError::Listen { address, source })
}

/// This machine and process, for the books of the workers.
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}/{}", name.trim(), std::process::id())
}
