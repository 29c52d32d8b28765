//! Servers that crash, stall, are asked to end, or lose their database: no job is lost, and none has its results twice.

mod drain;
mod loss;
mod outage;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::harness::Site;
use crate::uws::{RUN, create, id};

/// A job that runs for so many seconds.
async fn sleeper(site: &Site, seconds: &str) -> String {
    create(site, &[("SLEEP", seconds), ("X", seconds), RUN]).await
}

/// A job's URL at another server.
fn at(site: &Site, job: &str) -> String {
    format!("{}/api/echo/async/{}", site.address, id(job))
}

/// That these jobs have ended well, each with its one result, and that the store has nothing else: the runs (fences)
/// that the results are of.
async fn ended_once(site: &Site, jobs: &[String]) -> BTreeMap<String, u64> {
    for job in jobs {
        let job = at(site, job);
        site.wait(&job, "COMPLETED").await;
        let document: Value = site.get_json(&job).await;
        let results = document["results"].as_array().unwrap();
        assert_eq!(results.len(), 1, "{document}");
        assert_eq!(document["errorSummary"], Value::Null);
        let result: Value = site
            .get(results[0]["href"].as_str().unwrap())
            .await
            .expect(200)
            .json();
        assert_eq!(result["X"], result["SLEEP"], "{result}");
    }
    site.until_objects(|names| names.len() == jobs.len()).await;
    let names = site.object_names().await;
    let runs = names.iter().map(|name| {
        let mut parts = name.split('/');
        let job = parts.next().unwrap();
        assert!(jobs.iter().any(|url| id(url) == job), "{names:?}");
        (job.to_owned(), parts.next().unwrap().parse().unwrap())
    });
    runs.collect()
}
