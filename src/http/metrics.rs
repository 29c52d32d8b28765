//! Metrics: what this process has counted, and how things stand at the moment.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ::metrics::gauge;
use metrics_exporter_prometheus::PrometheusHandle;
use poem::{Endpoint, Response, endpoint::make};
use tokio::sync::Mutex;

use crate::{jobs::Jobs, store::Depth, telemetry};

/// For how long the database's answer holds, however often metrics are fetched.
const FRESH: Duration = Duration::from_secs(5);
/// When it must have answered.
const PATIENCE: Duration = Duration::from_secs(5);

/// The page of metrics.
pub struct Metrics {
    jobs: Jobs,
    counted: PrometheusHandle,
    /// When the queue was last looked at, and how it stood, if that could be learned. Held while looking.
    last: Mutex<Option<(Instant, Option<Vec<Depth>>)>>,
}

impl Metrics {
    /// Of these jobs, and of all that this process counts from now on.
    pub fn new(jobs: &Jobs) -> Arc<Self> {
        Arc::new(Metrics {
            jobs: jobs.clone(),
            counted: telemetry::metrics(),
            last: Mutex::new(None),
        })
    }

    /// All metrics, in Prometheus' text format.
    pub fn page(self: Arc<Self>) -> impl Endpoint<Output = Response> {
        make(move |_| {
            let metrics = Arc::clone(&self);
            async move { Ok::<_, poem::Error>(metrics.render().await) }
        })
    }

    async fn render(&self) -> Response {
        let depths = self.depths().await;
        let connections = self.jobs.connections();
        let now = telemetry::gauges(|| {
            // Without an answer there are none: old numbers would be taken for new ones.
            depths.iter().flatten().for_each(set_depth);
            for (state, count) in [("used", connections.used), ("idle", connections.idle)] {
                gauge!("sidereal_database_connections", "state" => state).set(count as f64);
            }
            gauge!("sidereal_database_connections_max").set(connections.most as f64);
            telemetry::set_process();
        });
        self.counted.run_upkeep();
        Response::builder()
            .content_type("text/plain; version=0.0.4")
            .body(self.counted.render() + &now)
    }

    /// How much work there is, by an answer that is at most a few seconds old.
    async fn depths(&self) -> Option<Vec<Depth>> {
        let mut last = self.last.lock().await;
        if let Some((at, depths)) = last.as_ref()
            && at.elapsed() < FRESH
        {
            return depths.clone();
        }
        let depths = match tokio::time::timeout(PATIENCE, self.jobs.depths()).await {
            Ok(Ok(depths)) => Some(depths),
            Ok(Err(error)) => {
                tracing::warn!(%error, "queue not counted");
                None
            }
            Err(_) => {
                tracing::warn!("queue not counted: the database took longer than {PATIENCE:?}");
                None
            }
        };
        *last = Some((Instant::now(), depths.clone()));
        depths
    }
}

fn set_depth(depth: &Depth) {
    for (phase, jobs) in [
        ("QUEUED", depth.queued),
        ("HELD", depth.held),
        ("EXECUTING", depth.running.saturating_sub(depth.suspended)),
        ("SUSPENDED", depth.suspended),
    ] {
        gauge!("sidereal_jobs", "service" => depth.service.clone(), "phase" => phase).set(jobs as f64);
    }
    gauge!("sidereal_queue_oldest_seconds", "service" => depth.service.clone())
        .set(depth.waited.as_secs_f64());
}
