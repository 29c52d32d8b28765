//! What Kubernetes knows about a release that does not run: the last events, and what unready pods say.

use serde_json::Value;

use super::{
    command::Command,
    failure::Failure,
    place::{Place, kubectl, selector},
    report::warn,
    runner::Runner,
};

/// How many of the last events are shown.
const EVENTS: usize = 20;

/// Tells on standard error what Kubernetes knows about what does not run.
pub async fn diagnose(runner: &mut Runner, place: &Place) -> Result<(), Failure> {
    let events = runner
        .ask(&kubectl(place, &["get", "events", "--sort-by=.lastTimestamp"]))
        .await?;
    if events.is_good() {
        let lines: Vec<&str> = events.out.lines().collect();
        warn(&format!(
            "-- the last events in namespace {}:",
            place.environment.namespace
        ));
        warn(&lines[lines.len().saturating_sub(EVENTS)..].join("\n"));
    }
    let pods = kubectl(
        place,
        &["get", "pods", "--selector", &selector(place), "--output", "json"],
    );
    let pods = runner.ask(&pods).await?;
    for pod in unready(&serde_json::from_str(&pods.out).unwrap_or_default()) {
        let logs: Command = kubectl(
            place,
            &["logs", &pod, "--all-containers", "--prefix", "--tail=50"],
        );
        let logs = runner.ask(&logs).await?;
        warn(&format!("-- pod {pod} is not ready; it says:"));
        warn(if logs.is_good() { &logs.out } else { &logs.err });
    }
    Ok(())
}

/// The names of the pods of a list that should be ready and are not.
fn unready(pods: &Value) -> Vec<String> {
    let is_ready = |pod: &Value| {
        let conditions = pod["status"]["conditions"].as_array();
        conditions
            .into_iter()
            .flatten()
            .any(|one| one["type"] == "Ready" && one["status"] == "True")
    };
    let pods = pods["items"].as_array();
    pods.into_iter()
        .flatten()
        .filter(|pod| pod["status"]["phase"] != "Succeeded" && !is_ready(pod))
        .filter_map(|pod| Some(pod["metadata"]["name"].as_str()?.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_pods_that_should_be_ready_are_asked() {
        let pod = |name: &str, phase: &str, ready: &str| json!({"metadata": {"name": name}, "status": {"phase": phase, "conditions": [{"type": "Ready", "status": ready}]}});
        let pods = json!({"items": [
            pod("good", "Running", "True"), pod("bad", "Running", "False"), pod("done", "Succeeded", "False"),
            {"metadata": {"name": "new"}, "status": {"phase": "Pending"}},
        ]});
        assert_eq!(unready(&pods), ["bad", "new"]);
        assert!(unready(&Value::Null).is_empty());
    }
}
