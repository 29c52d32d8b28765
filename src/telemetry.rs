//! What is seen of the server while it runs: the log, on standard error, and its metrics.
//!
//! Calls nothing of this crate.

use std::{
    io::{IsTerminal, stderr},
    sync::OnceLock,
};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Why nothing can be logged.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The level is not one.
    #[error(
        "settings: log.level {level:?} is neither error, warn, info, debug or trace nor a list such as \
         info,sidereal::engine=debug: {source}"
    )]
    Level {
        /// What was set.
        level: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Another subscriber is there already.
    #[error(transparent)]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Sends events of this process to standard error from now on, as text or one JSON object a line. Once a process.
///
/// `level` is one of error to trace, or a list such as `info,sidereal::engine=debug`.
pub fn install(level: &str, json: bool) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(level).map_err(|source| TelemetryError::Level {
        level: level.to_owned(),
        source,
    })?;
    let registry = tracing_subscriber::registry().with(filter);
    if json {
        let lines = fmt::layer().with_writer(stderr).json().flatten_event(true);
        registry.with(lines).try_init()?;
    } else {
        let lines = fmt::layer().with_writer(stderr).with_ansi(stderr().is_terminal());
        registry.with(lines).try_init()?;
    }
    Ok(())
}

/// Upper bounds of the histograms' buckets, in seconds.
const BUCKETS: [f64; 11] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0];

/// The metrics of this process, gathered from the first call on.
pub fn metrics() -> PrometheusHandle {
    static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();
    METRICS
        .get_or_init(|| {
            let builder = PrometheusBuilder::new();
            let builder = match builder.set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &BUCKETS) {
                Ok(builder) => builder,
                // Only an empty list of buckets is refused.
                Err(_) => PrometheusBuilder::new(),
            };
            let recorder = builder.build_recorder();
            let handle = recorder.handle();
            if metrics::set_global_recorder(recorder).is_err() {
                tracing::warn!("metrics are gathered elsewhere already");
            }
            handle
        })
        .clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_that_is_none_is_named() {
        let message = install("sidereal=loud", false).unwrap_err().to_string();
        assert!(
            message.contains("log.level") && message.contains("loud"),
            "{message}"
        );
    }
}
