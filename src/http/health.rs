//! Probes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use poem::{
    Response, Route,
    endpoint::make,
    endpoint::make_sync,
    get,
    http::{StatusCode, header},
};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::problem::Problem;
use crate::{auth::Auth, jobs::Jobs, uws::Timestamp};

/// For how long an answer about database and object store holds.
const FRESH: Duration = Duration::from_secs(5);
/// When they must have answered.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether the server can do its work.
pub struct Health {
    jobs: Jobs,
    auth: Auth,
    /// Cancelled once the server has been told to end, however long that takes.
    draining: CancellationToken,
    since: Timestamp,
    /// When it was last looked at, and whether all was well. Held while looking, so that one look serves everyone.
    last: Mutex<Option<(Instant, bool)>>,
    /// The same of the provider of logins.
    provider: Mutex<Option<(Instant, bool)>>,
}

impl Health {
    /// Of what these jobs and logins stand on, until `draining`.
    pub fn new(jobs: &Jobs, auth: &Auth, draining: &CancellationToken) -> Arc<Self> {
        Arc::new(Health {
            jobs: jobs.clone(),
            auth: auth.clone(),
            draining: draining.clone(),
            since: Timestamp::of_this_host(),
            last: Mutex::new(None),
            provider: Mutex::new(None),
        })
    }

    /// When the server began to answer.
    pub fn since(&self) -> Timestamp {
        self.since
    }

    /// Whether database and object store answer, by a look that is at most a few seconds old.
    pub async fn is_ready(&self) -> bool {
        let mut last = self.last.lock().await;
        if let Some((at, ready)) = *last
            && at.elapsed() < FRESH
        {
            return ready;
        }
        let ready = match tokio::time::timeout(PATIENCE, self.jobs.ready()).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::warn!(%error, "not ready");
                false
            }
            Err(_) => {
                tracing::warn!("not ready: database or object store took longer than {PATIENCE:?}");
                false
            }
        };
        *last = Some((Instant::now(), ready));
        ready
    }

    /// Whether new logins are possible. Those who are in stay in without: it makes the server degraded, not unready.
    async fn can_log_in(&self) -> bool {
        let mut last = self.provider.lock().await;
        if let Some((at, there)) = *last
            && at.elapsed() < FRESH
        {
            return there;
        }
        let there = matches!(
            tokio::time::timeout(PATIENCE, self.auth.probe()).await,
            Ok(Ok(()))
        );
        *last = Some((Instant::now(), there));
        there
    }

    /// `/livez`: the process answers. `/readyz`: it can do its work, and will; no more once it drains, so that requests
    /// go elsewhere while those that still come are answered.
    pub fn probes(self: Arc<Self>) -> Route {
        Route::new().at("/livez", get(make_sync(|_| plain("ok")))).at(
            "/readyz",
            get(make(move |_| {
                let health = Arc::clone(&self);
                async move {
                    let why_not = if health.draining.is_cancelled() {
                        "the server is ending"
                    } else if health.is_ready().await {
                        return Ok(plain(if health.can_log_in().await {
                            "ok"
                        } else {
                            "degraded: the provider of logins does not answer"
                        }));
                    } else {
                        "the database or the object store does not answer"
                    };
                    let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, why_not);
                    Err(poem::Error::from(problem))
                }
            })),
        )
    }
}

fn plain(text: &'static str) -> Response {
    Response::builder()
        .content_type("text/plain; charset=utf-8")
        .header(header::CACHE_CONTROL, "no-store")
        .body(text)
}
