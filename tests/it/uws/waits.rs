//! WAIT (UWS 1.1 section 2.2.1.1): by the order of events, never by the clock.

use std::pin::Pin;

use futures::future::{BoxFuture, join_all};
use serde_json::Value;

use super::xml::Element;
use super::{ABORT, LONG, RUN, create, create_in};
use crate::harness::{Backend, Reply, Site, on_both_back_ends};

on_both_back_ends!(
    it_blocks_in_queued_and_executing_and_ends_with_the_phase,
    it_ends_when_its_time_is_up,
    it_is_for_the_job_alone,
    it_is_refused_if_it_is_no_time,
    a_destroyed_job_ends_it,
    many_wait_and_none_holds_the_database,
);

/// A list that is asked for meanwhile.
const NEWEST: &str = "/api/echo/async?LAST=1";

/// Asks, and fails if the answer comes while twenty other requests are answered. What is given back is still waiting.
pub async fn lasts<'a>(site: &'a Site, url: &'a str) -> Pin<Box<dyn Future<Output = Reply> + Send + 'a>> {
    let mut waiting: BoxFuture<'a, Reply> = Box::pin(site.get(url));
    for _ in 0..20 {
        tokio::select! {
            biased;
            reply = &mut waiting => panic!("did not last: {reply:?}"),
            other = site.get(NEWEST) => { other.expect(200); }
        }
    }
    waiting
}

/// Asks, and fails unless the answer comes before that to a WAIT of 40 s on a job that does not change.
pub async fn at_once(site: &Site, url: &str) -> Element {
    let untouched = format!("{}?WAIT=40", create(site, &[]).await);
    tokio::select! {
        reply = site.get(url) => Element::of(&reply.expect(200)),
        _ = site.get(&untouched) => panic!("{url} was not answered at once"),
    }
}

/// 59.
async fn it_blocks_in_queued_and_executing_and_ends_with_the_phase(backend: Backend) {
    let site = Site::start_with(backend, &[("SIDEREAL_WORKERS", "1")]).await;
    let executing = create_in(&site, "EXECUTING").await;
    let queued = create(&site, &[LONG, RUN]).await;

    let url = format!("{queued}?wait=50&phase=queued");
    let waiting = lasts(&site, &url).await;
    let url = format!("{executing}?WAIT=50");
    let other = lasts(&site, &url).await;
    site.post(&format!("{executing}/phase"), &[ABORT])
        .await
        .expect(303);
    assert_eq!(
        Element::of(&other.await.expect(200)).child("uws:phase").text,
        "ABORTED"
    );
    // The only slot is free again: the next job leaves the queue.
    assert_eq!(
        Element::of(&waiting.await.expect(200)).child("uws:phase").text,
        "EXECUTING"
    );

    let url = format!("{queued}?WAIT=-1&PHASE=EXECUTING");
    let waiting = lasts(&site, &url).await;
    site.post(&format!("{queued}/phase"), &[ABORT]).await.expect(303);
    assert_eq!(
        Element::of(&waiting.await.expect(200)).child("uws:phase").text,
        "ABORTED"
    );
}

/// 58.
async fn it_ends_when_its_time_is_up(backend: Backend) {
    let site = Site::start(backend).await;
    let job = create(&site, &[]).await;
    for query in ["WAIT=1", "WAIT=1&PHASE=PENDING"] {
        let document = Element::of(&site.get(&format!("{job}?{query}")).await.expect(200));
        assert_eq!(document.child("uws:phase").text, "PENDING");
    }
    for query in ["WAIT=0", "WAIT=0&PHASE=PENDING"] {
        let document = at_once(&site, &format!("{job}?{query}")).await;
        assert_eq!(document.child("uws:phase").text, "PENDING");
    }
    // 59: the phases in which nothing blocks.
    for phase in ["COMPLETED", "ERROR", "ABORTED"] {
        let job = create_in(&site, phase).await;
        for query in [
            "WAIT=-1".to_owned(),
            "WAIT=50".to_owned(),
            format!("WAIT=50&PHASE={phase}"),
        ] {
            let document = at_once(&site, &format!("{job}?{query}")).await;
            assert_eq!(document.child("uws:phase").text, phase);
        }
    }
}

/// 58: elsewhere it is no parameter, or does nothing.
async fn it_is_for_the_job_alone(backend: Backend) {
    let site = Site::start(backend).await;
    let job = create(&site, &[]).await;
    let untouched = format!("{job}?WAIT=40");
    for resource in ["phase", "owner", "results", "parameters", "executionduration"] {
        let url = format!("{job}/{resource}?WAIT=40");
        tokio::select! {
            reply = site.get(&url) => assert!([200, 400].contains(&reply.status), "{reply:?}"),
            _ = site.get(&untouched) => panic!("{url} waited"),
        }
    }
}

/// 63, 72.
async fn it_is_refused_if_it_is_no_time(backend: Backend) {
    let site = Site::start(backend).await;
    let job = create(&site, &[]).await;
    for (query, parameter) in [
        ("WAIT=soon", "WAIT"),
        ("WAIT=", "WAIT"),
        ("WAIT=-2", "WAIT"),
        ("WAIT=1.5", "WAIT"),
        ("WAIT=1&WAIT=1", "WAIT"),
        ("WAIT=1&wait=1", "WAIT"),
        ("WAIT=1&PHASE=DREAMING", "PHASE"),
        ("WAIT=1&PHASE=PENDING&PHASE=QUEUED", "PHASE"),
    ] {
        let refused = site.get(&format!("{job}?{query}")).await.expect(400);
        assert!(
            refused.text().contains(&format!(": {parameter}: ")),
            "{query}: {}",
            refused.text()
        );
    }
}

async fn a_destroyed_job_ends_it(backend: Backend) {
    let site = Site::start(backend).await;
    let job = create(&site, &[]).await;
    let url = format!("{job}?WAIT=50");
    let waiting = lasts(&site, &url).await;
    site.delete(&job).await.expect(303);
    waiting.await.expect(404);
}

/// 62: far more clients than there are connections to the database.
async fn many_wait_and_none_holds_the_database(backend: Backend) {
    let site = Site::start(backend).await;
    let job = create(&site, &[LONG]).await;
    let url = format!("{job}?WAIT=50&PHASE=PENDING");
    let waiting = join_all((0..100).map(|_| site.get(&url)));
    tokio::pin!(waiting);
    for _ in 0..20 {
        tokio::select! {
            biased;
            _ = &mut waiting => panic!("nothing has changed yet"),
            list = site.get(NEWEST) => { list.expect(200); }
        }
    }
    site.post(&format!("{job}/phase"), &[RUN]).await.expect(303);
    for reply in waiting.await {
        assert_ne!(Element::of(&reply.expect(200)).child("uws:phase").text, "PENDING");
    }
}

/// Over PostgreSQL alone: a folder and SQLite have one server.
#[tokio::test]
async fn one_replica_hears_of_the_others_changes() {
    let site = Site::start_with(Backend::Cluster, &[("SIDEREAL_ROLE", "api")]).await;
    let other = site.replica().await;
    let job = create(&site, &[]).await;
    let url = job.replace(&site.address, &other.address);
    let url = format!("{url}?WAIT=50");
    let waiting = lasts(&other, &url).await;
    site.post(&format!("{job}/phase"), &[RUN]).await.expect(303);
    assert_eq!(
        Element::of(&waiting.await.expect(200)).child("uws:phase").text,
        "QUEUED"
    );
    // Nobody works yet; one that does takes it, and both hear of it.
    let url = format!("{job}?WAIT=50&PHASE=QUEUED");
    let waiting = lasts(&site, &url).await;
    let worker = site.replica_with(&[("SIDEREAL_ROLE", "all")]).await;
    waiting.await.expect(200);
    worker
        .wait(&job.replace(&site.address, &worker.address), "COMPLETED")
        .await;
    let document: Value = other.get_json(&job.replace(&site.address, &other.address)).await;
    assert_eq!(document["results"][0]["id"], "result");
}
