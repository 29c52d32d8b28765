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

/// The gauges that `set` sets, in Prometheus' text format. Nothing of them is kept: what is not set is not there the next
/// time.
pub fn gauges(set: impl FnOnce()) -> String {
    let recorder = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, set);
    recorder.handle().render()
}

/// Sets the gauges that every process has, by Prometheus' own names for them, as far as the system tells.
pub fn set_process() {
    let number = |file: &str, key: &str| {
        let text = std::fs::read_to_string(file).ok()?;
        let rest = text.lines().find_map(|line| line.strip_prefix(key))?;
        rest.split_whitespace().next()?.parse::<f64>().ok()
    };
    if let Some(kib) = number("/proc/self/status", "VmRSS:") {
        metrics::gauge!("process_resident_memory_bytes").set(kib * 1024.0);
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        metrics::gauge!("process_open_fds").set(open.count() as f64);
    }
    if let Some(most) = number("/proc/self/limits", "Max open files") {
        metrics::gauge!("process_max_fds").set(most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gauges_are_of_this_moment() {
        let text = gauges(|| {
            set_process();
            metrics::gauge!("depth", "service" => "echo").set(2.0);
        });
        assert!(text.contains("\ndepth{service=\"echo\"} 2\n"), "{text}");
        for name in ["resident_memory_bytes", "open_fds", "max_fds"] {
            assert!(text.contains(&format!("\nprocess_{name} ")), "{text}");
        }
        assert_eq!(gauges(|| {}), "");
    }

    #[test]
    fn a_level_that_is_none_is_named() {
        let message = install("sidereal=loud", false).unwrap_err().to_string();
        assert!(
            message.contains("log.level") && message.contains("loud"),
            "{message}"
        );
    }
}
