//! The scenarios of the uws-validator, in tables: 32 scenarios, 73 with their examples. Its list is public, the tool
//! itself (Python 2) is not to be had; what it measures by the clock is told here by the order of events.

use futures::future::{BoxFuture, FutureExt};
use serde_json::Value;

use super::waits::{at_once, lasts};
use super::xml::{Element, is_time};
use super::{ABORT, LIST, LONG, RUN, create, create_in, id, phase};
use crate::harness::{Backend, Site, on_both_back_ends};

on_both_back_ends!(account_and_job_basics, job_wait, job_list);

/// An example of a scenario.
type Example = (&'static str, for<'a> fn(&'a Site) -> BoxFuture<'a, ()>);

const BASICS: &[Example] = &[
    ("account: the job list is there", |site| {
        the_list_is_there(site).boxed()
    }),
    ("create a pending job", |site| create_pending(site).boxed()),
    ("a job says version 1.1", |site| version(site).boxed()),
    ("create and delete", |site| create_and_delete(site).boxed()),
    ("create and abort", |site| create_and_abort(site).boxed()),
    ("create and start", |site| create_and_start(site).boxed()),
    ("create and start in one POST", |site| {
        create_and_start_in_one(site).boxed()
    }),
    ("a job that fails", |site| a_job_that_fails(site).boxed()),
    ("abort a long job", |site| abort_a_long_job(site).boxed()),
];

const WAITS: &[Example] = &[
    ("no wait when ABORTED", |site| no_wait_when_aborted(site).boxed()),
    ("WAIT=10 on PENDING lasts", |site| {
        pending_lasts(site, "WAIT=10").boxed()
    }),
    ("WAIT=10&PHASE=COMPLETED", |site| {
        other_phase(site, "COMPLETED").boxed()
    }),
    ("WAIT=10&PHASE=ERROR", |site| other_phase(site, "ERROR").boxed()),
    ("WAIT=10&PHASE=ABORTED", |site| {
        other_phase(site, "ABORTED").boxed()
    }),
    ("WAIT=10&PHASE=UNKNOWN", |site| {
        other_phase(site, "UNKNOWN").boxed()
    }),
    ("WAIT=10&PHASE=HELD", |site| other_phase(site, "HELD").boxed()),
    ("WAIT=10&PHASE=SUSPENDED", |site| {
        other_phase(site, "SUSPENDED").boxed()
    }),
    ("WAIT=10&PHASE=ARCHIVED", |site| {
        other_phase(site, "ARCHIVED").boxed()
    }),
    ("WAIT=10&PHASE=PENDING lasts", |site| {
        pending_lasts(site, "WAIT=10&PHASE=PENDING").boxed()
    }),
    ("WAIT=10&PHASE=EXECUTING on PENDING", |site| {
        other_phase(site, "EXECUTING").boxed()
    }),
    ("WAIT=10&PHASE=QUEUED on PENDING", |site| {
        other_phase(site, "QUEUED").boxed()
    }),
    ("a short job, by QUEUED and EXECUTING", |site| {
        a_short_job(site).boxed()
    }),
    ("WAIT=-1", |site| pending_lasts(site, "WAIT=-1").boxed()),
];

/// What is asked of the list, and which jobs it then has.
struct Query {
    query: &'static str,
    lists: Lists,
}

enum Lists {
    /// In one of these phases (none: any), created after this time, so many of the newest.
    Jobs(&'static [&'static str], &'static str, usize),
    /// 400, naming this parameter.
    Refused(&'static str),
}

const ALL: usize = usize::MAX;

const fn jobs(
    query: &'static str,
    phases: &'static [&'static str],
    after: &'static str,
    last: usize,
) -> Query {
    Query {
        query,
        lists: Lists::Jobs(phases, after, last),
    }
}

const fn refused(query: &'static str, parameter: &'static str) -> Query {
    Query {
        query,
        lists: Lists::Refused(parameter),
    }
}

const QUERIES: &[Query] = &[
    // PHASE: 10.
    jobs("PHASE=PENDING", &["PENDING"], "", ALL),
    jobs("PHASE=QUEUED", &["QUEUED"], "", ALL),
    jobs("PHASE=EXECUTING", &["EXECUTING"], "", ALL),
    jobs("PHASE=COMPLETED", &["COMPLETED"], "", ALL),
    jobs("PHASE=ERROR", &["ERROR"], "", ALL),
    jobs("PHASE=ABORTED", &["ABORTED"], "", ALL),
    jobs("PHASE=ARCHIVED", &["ARCHIVED"], "", ALL),
    jobs("PHASE=HELD", &["HELD"], "", ALL),
    jobs("PHASE=SUSPENDED", &["SUSPENDED"], "", ALL),
    jobs("PHASE=UNKNOWN", &["UNKNOWN"], "", ALL),
    // PHASE that there is not: 4.
    refused("PHASE=RUNNING", "PHASE"),
    refused("PHASE=DONE", "PHASE"),
    refused("PHASE=1", "PHASE"),
    refused("PHASE=PENDING,QUEUED", "PHASE"),
    // Two phases: 3.
    jobs(
        "PHASE=PENDING&PHASE=COMPLETED",
        &["PENDING", "COMPLETED"],
        "",
        ALL,
    ),
    jobs("PHASE=ERROR&PHASE=ABORTED", &["ERROR", "ABORTED"], "", ALL),
    jobs("PHASE=QUEUED&PHASE=EXECUTING", &["QUEUED", "EXECUTING"], "", ALL),
    // Three phases: 3.
    jobs(
        "PHASE=PENDING&PHASE=ERROR&PHASE=QUEUED",
        &["PENDING", "ERROR", "QUEUED"],
        "",
        ALL,
    ),
    jobs(
        "PHASE=COMPLETED&PHASE=ABORTED&PHASE=HELD",
        &["COMPLETED", "ABORTED", "HELD"],
        "",
        ALL,
    ),
    jobs(
        "PHASE=ABORTED&PHASE=ERROR&PHASE=EXECUTING",
        &["ABORTED", "ERROR", "EXECUTING"],
        "",
        ALL,
    ),
    // LAST: 5.
    jobs("LAST=1", &[], "", 1),
    jobs("LAST=2", &[], "", 2),
    jobs("LAST=3", &[], "", 3),
    jobs("LAST=10", &[], "", 10),
    jobs("LAST=1000", &[], "", 1000),
    // LAST that is no number of jobs: 3.
    refused("LAST=-1", "LAST"),
    refused("LAST=-254", "LAST"),
    refused("LAST=sometext", "LAST"),
    // PHASE and LAST: 3.
    jobs("PHASE=PENDING&LAST=1", &["PENDING"], "", 1),
    jobs("PHASE=COMPLETED&LAST=2", &["COMPLETED"], "", 2),
    jobs(
        "PHASE=PENDING&PHASE=COMPLETED&LAST=3",
        &["PENDING", "COMPLETED"],
        "",
        3,
    ),
    // AFTER in its forms: 5.
    jobs("AFTER=2015-10-26T09:15:35", &[], "2015-10-26T09:15:35.000Z", ALL),
    jobs("AFTER=2015-10-26 09:00", &[], "2015-10-26T09:00:00.000Z", ALL),
    jobs("AFTER=2015-10-26", &[], "2015-10-26T00:00:00.000Z", ALL),
    jobs("AFTER=2015", &[], "2015-01-01T00:00:00.000Z", ALL),
    jobs("AFTER=20151026", &[], "2015-10-26T00:00:00.000Z", ALL),
    // AFTER that is no time: 3; the `+` of the last one arrives as a space.
    refused("AFTER=2015-26-10", "AFTER"),
    refused("AFTER=sometext", "AFTER"),
    refused("AFTER=2015-10-26T09:00+01:00", "AFTER"),
    // PHASE and AFTER: 3.
    jobs(
        "PHASE=PENDING&AFTER=2015-10-26",
        &["PENDING"],
        "2015-10-26T00:00:00.000Z",
        ALL,
    ),
    jobs(
        "PHASE=COMPLETED&AFTER=2999-01-01",
        &["COMPLETED"],
        "2999-01-01T00:00:00.000Z",
        ALL,
    ),
    jobs(
        "AFTER=2015&PHASE=ERROR&PHASE=ABORTED",
        &["ERROR", "ABORTED"],
        "2015-01-01T00:00:00.000Z",
        ALL,
    ),
    // LAST and AFTER: 3.
    jobs("LAST=2&AFTER=2015-10-26", &[], "2015-10-26T00:00:00.000Z", 2),
    jobs(
        "AFTER=2015-10-26T09:15:35&LAST=1",
        &[],
        "2015-10-26T09:15:35.000Z",
        1,
    ),
    jobs("LAST=3&AFTER=2999", &[], "2999-01-01T00:00:00.000Z", 3),
];

const LISTS: &[Example] = &[
    ("the list is XML, its root jobs", |site| {
        the_list_is_there(site).boxed()
    }),
    ("the list's structure", |site| structure(site).boxed()),
    ("four jobs are listed once made", |site| four_jobs(site).boxed()),
    ("the list says version 1.1", |site| list_version(site).boxed()),
    ("AFTER with a creationTime of the list", |site| {
        after_a_listed_time(site).boxed()
    }),
];

#[test]
fn there_are_73() {
    assert_eq!(BASICS.len() + WAITS.len() + LISTS.len() + QUERIES.len(), 73);
}

async fn account_and_job_basics(backend: Backend) {
    run(BASICS, &Site::start(backend).await).await;
}

async fn job_wait(backend: Backend) {
    run(WAITS, &Site::start(backend).await).await;
}

async fn job_list(backend: Backend) {
    // One worker, so that a job can be made to queue.
    let site = Site::start_with(backend, &[("SIDEREAL_WORKERS", "1")]).await;
    for phase in [
        "COMPLETED",
        "ERROR",
        "ABORTED",
        "COMPLETED",
        "PENDING",
        "EXECUTING",
    ] {
        create_in(&site, phase).await;
    }
    let queued = create(&site, &[RUN]).await;
    assert_eq!(phase(&site, &queued).await, "QUEUED");
    run(LISTS, &site).await;
    for query in QUERIES {
        ask(&site, query).await;
    }
}

async fn run(examples: &[Example], site: &Site) {
    for (name, example) in examples {
        eprintln!("{name}");
        example(site).await;
    }
}

async fn the_list_is_there(site: &Site) {
    let list = Element::of(&site.get(LIST).await.expect(200));
    assert_eq!(list.name, "uws:jobs");
}

async fn create_pending(site: &Site) {
    let job = create(site, &[]).await;
    let document = Element::of(&site.get(&job).await.expect(200));
    assert_eq!(document.child("uws:jobId").text, id(&job));
    assert_eq!(document.child("uws:ownerId").text, "local");
    assert_eq!(document.child("uws:executionDuration").text, "3600");
    assert_eq!(document.child("uws:phase").text, "PENDING");
}

async fn version(site: &Site) {
    let job = create(site, &[]).await;
    let document = Element::of(&site.get(&job).await.expect(200));
    assert_eq!(document.attribute("version"), "1.1");
}

async fn create_and_delete(site: &Site) {
    let job = create(site, &[]).await;
    let list = site.delete(&job).await.expect(303).location().to_owned();
    let list = Element::of(&site.get(&list).await.expect(200));
    assert_eq!(list.name, "uws:jobs");
    assert!(
        list.children
            .iter()
            .all(|jobref| jobref.attribute("id") != id(&job))
    );
    site.get(&job).await.expect(404);
}

async fn create_and_abort(site: &Site) {
    let job = create(site, &[]).await;
    let aborted = site.post(&format!("{job}/phase"), &[ABORT]).await.expect(303);
    assert_eq!(aborted.location(), job);
    let document = Element::of(&site.get(&job).await.expect(200));
    assert_eq!(document.child("uws:phase").text, "ABORTED");
    assert!(is_time(&document.child("uws:endTime").text));
}

async fn create_and_start(site: &Site) {
    let job = create(site, &[("SLEEP", "0.1")]).await;
    let started = site.post(&format!("{job}/phase"), &[RUN]).await.expect(303);
    assert_eq!(started.location(), job);
    let phase = phase(site, &job).await;
    assert!(
        ["QUEUED", "EXECUTING", "COMPLETED"].contains(&phase.as_str()),
        "{phase}"
    );
    site.wait(&job, "COMPLETED").await;
}

async fn create_and_start_in_one(site: &Site) {
    let job = create(site, &[("SLEEP", "0.1"), RUN]).await;
    let phase = phase(site, &job).await;
    assert!(
        ["QUEUED", "EXECUTING", "COMPLETED"].contains(&phase.as_str()),
        "{phase}"
    );
    site.wait(&job, "COMPLETED").await;
}

async fn a_job_that_fails(site: &Site) {
    let job = create_in(site, "ERROR").await;
    let document = Element::of(&site.get(&job).await.expect(200));
    assert_eq!(document.child("uws:phase").text, "ERROR");
    assert!(is_time(&document.child("uws:startTime").text));
    assert!(is_time(&document.child("uws:endTime").text));
}

async fn abort_a_long_job(site: &Site) {
    let job = create(site, &[LONG]).await;
    site.post(&format!("{job}/phase"), &[RUN]).await.expect(303);
    site.wait(&job, "EXECUTING").await;
    site.post(&format!("{job}/phase"), &[ABORT]).await.expect(303);
    site.wait(&job, "ABORTED").await;
}

async fn no_wait_when_aborted(site: &Site) {
    let job = create_in(site, "ABORTED").await;
    let document = at_once(site, &format!("{job}?WAIT=100")).await;
    assert_eq!(document.child("uws:phase").text, "ABORTED");
}

async fn pending_lasts(site: &Site, query: &str) {
    let job = create(site, &[LONG]).await;
    let url = format!("{job}?{query}");
    let waiting = lasts(site, &url).await;
    site.post(&format!("{job}/phase"), &[RUN]).await.expect(303);
    let document = Element::of(&waiting.await.expect(200));
    assert_ne!(document.child("uws:phase").text, "PENDING");
    site.delete(&job).await.expect(303);
}

async fn other_phase(site: &Site, phase: &str) {
    let job = create(site, &[]).await;
    let document = at_once(site, &format!("{job}?WAIT=10&PHASE={phase}")).await;
    assert_eq!(document.child("uws:phase").text, "PENDING");
}

async fn a_short_job(site: &Site) {
    let job = create(site, &[("SLEEP", "0.3"), RUN]).await;
    site.get(&format!("{job}?WAIT=120&PHASE=QUEUED"))
        .await
        .expect(200);
    let ended = site
        .get(&format!("{job}?WAIT=30&PHASE=EXECUTING"))
        .await
        .expect(200);
    assert_eq!(Element::of(&ended).child("uws:phase").text, "COMPLETED");
}

async fn structure(site: &Site) {
    let list = Element::of(&site.get(LIST).await.expect(200));
    assert!(list.children.len() >= 7);
    for jobref in &list.children {
        assert_eq!(jobref.name, "uws:jobref");
        let names: Vec<_> = jobref.children.iter().map(|child| child.name.as_str()).collect();
        assert_eq!(names, ["uws:phase", "uws:ownerId", "uws:creationTime"]);
        let href = jobref.attribute("xlink:href");
        assert_eq!(href, format!("{}{LIST}/{}", site.address, jobref.attribute("id")));
        assert!(is_time(&jobref.child("uws:creationTime").text));
    }
}

async fn four_jobs(site: &Site) {
    let mut made = Vec::new();
    for _ in 0..4 {
        made.push(create(site, &[]).await);
    }
    let listed = ids(site, "").await;
    for job in made {
        assert!(listed.iter().any(|listed| listed == id(&job)), "{job}");
    }
}

async fn list_version(site: &Site) {
    let list = Element::of(&site.get(LIST).await.expect(200));
    assert_eq!(list.attribute("version"), "1.1");
}

/// Strictly after: the job that the time is from is not listed.
async fn after_a_listed_time(site: &Site) {
    for job in everything(site).await {
        let after = job["creationTime"].as_str().unwrap();
        let expected = modelled(site, &[], after, ALL).await;
        assert_eq!(ids(site, &format!("AFTER={after}")).await, expected, "{after}");
        assert!(!expected.iter().any(|id| id == job["id"].as_str().unwrap()));
    }
}

async fn ask(site: &Site, Query { query, lists }: &Query) {
    match lists {
        Lists::Jobs(phases, after, last) => {
            assert_eq!(
                ids(site, query).await,
                modelled(site, phases, after, *last).await,
                "{query}"
            );
        }
        Lists::Refused(parameter) => {
            let refused = site.get(&format!("{LIST}?{query}")).await.expect(400);
            assert!(
                refused.text().starts_with(&format!("UsageError: {parameter}: ")),
                "{}",
                refused.text()
            );
        }
    }
}

/// What the list has for this query, in its order.
async fn ids(site: &Site, query: &str) -> Vec<String> {
    let list = Element::of(&site.get(&format!("{LIST}?{query}")).await.expect(200));
    list.children
        .iter()
        .map(|jobref| jobref.attribute("id").to_owned())
        .collect()
}

/// Every job, newest first.
async fn everything(site: &Site) -> Vec<Value> {
    let list: Value = site.get_json(LIST).await;
    let jobs = list["jobs"].as_array().unwrap().clone();
    assert!(jobs.is_sorted_by_key(|job| std::cmp::Reverse(job["creationTime"].as_str().unwrap().to_owned())));
    jobs
}

/// What a filter leaves of every job.
async fn modelled(site: &Site, phases: &[&str], after: &str, last: usize) -> Vec<String> {
    everything(site)
        .await
        .iter()
        .filter(|job| phases.is_empty() || phases.contains(&job["phase"].as_str().unwrap()))
        .filter(|job| job["creationTime"].as_str().unwrap() > after)
        .take(last)
        .map(|job| job["id"].as_str().unwrap().to_owned())
        .collect()
}
