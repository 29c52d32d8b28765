//! UWS 1.1, DALI and VOSI to the letter, over the running server. Numbers in comments are those of the requirements
//! that Sidereal is built from; every XML document is held against its schema by the harness besides.

mod controls;
mod documents;
mod errors;
mod inputs;
mod lists;
mod resources;
mod scenarios;
mod vosi;
pub mod waits;
pub mod xml;

use serde_json::Value;
use sidereal::uws::Timestamp;

use crate::harness::Site;

/// The job list of the service that takes anything.
pub const LIST: &str = "/api/echo/async";
/// A parameter by which a job runs until it is aborted.
pub const LONG: (&str, &str) = ("SLEEP", "3000");
/// What starts a job.
pub const RUN: (&str, &str) = ("PHASE", "RUN");
/// What stops it.
pub const ABORT: (&str, &str) = ("PHASE", "ABORT");

/// A day so far ahead, as `2015-10-26`: within what a job can be asked to be kept, which is a year.
pub fn days_ahead(days: i64) -> String {
    Timestamp::from_millis(Timestamp::of_this_host().millis() + days * 86_400_000)
        .unwrap()
        .to_string()[..10]
        .to_owned()
}

/// Makes a job and gives its URL.
pub async fn create(site: &Site, form: &[(&str, &str)]) -> String {
    site.post(LIST, form).await.expect(303).location().to_owned()
}

/// A job that has come to this phase: PENDING, EXECUTING, COMPLETED, ERROR or ABORTED.
pub async fn create_in(site: &Site, phase: &str) -> String {
    let form: &[(&str, &str)] = match phase {
        "PENDING" | "ABORTED" => &[],
        "EXECUTING" => &[LONG, RUN],
        "COMPLETED" => &[RUN],
        "ERROR" => &[("FAIL", "fatal"), RUN],
        other => panic!("no way to make a job that is {other}"),
    };
    let job = create(site, form).await;
    if phase == "ABORTED" {
        site.post(&format!("{job}/phase"), &[ABORT]).await.expect(303);
    }
    site.wait(&job, phase).await;
    job
}

/// The word at `{job}/phase`.
pub async fn phase(site: &Site, job: &str) -> String {
    site.get(&format!("{job}/phase")).await.expect(200).text()
}

/// The last segment of a job's URL.
pub fn id(job: &str) -> &str {
    job.rsplit('/').next().unwrap()
}

/// The JSON form of a job, for what is easier read so.
pub async fn json(site: &Site, job: &str) -> Value {
    site.get_json(job).await
}
