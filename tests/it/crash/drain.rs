//! SIGTERM: running jobs end or go back to the queue, and whoever waits gets an answer.

use reqwest::Method;

use super::{at, ended_once, sleeper};
use crate::api::events::Events;
use crate::harness::{Backend, Site, free_address, on_both_back_ends};
use crate::uws::{LONG, RUN, create, id};

on_both_back_ends!(
    running_jobs_end_or_go_back_to_the_queue,
    whoever_waits_gets_an_answer,
    requests_are_answered_until_the_delay_is_over,
    a_delay_comes_to_its_end,
);

/// A delay that is longer than any test.
const DELAY: (&str, &str) = ("SIDEREAL_SHUTDOWN_DELAY", "3600");

async fn running_jobs_end_or_go_back_to_the_queue(backend: Backend) {
    let settings = [("SIDEREAL_ENGINE__GRACE", "4"), ("SIDEREAL_WORKERS", "2")];
    let mut site = Site::start_with(backend, &settings).await;
    let (short, long) = (sleeper(&site, "1.5").await, sleeper(&site, "7").await);
    let waiting = sleeper(&site, "0").await;
    for job in [&short, &long] {
        site.wait(job, "EXECUTING").await;
    }
    let status = site.stop().await;
    assert!(status.success(), "{status}: {}", site.log());

    // Not its successor's doing: it runs no jobs.
    let api = site.replica_with(&[("SIDEREAL_ROLE", "api")]).await;
    for (job, phase) in [(&short, "COMPLETED"), (&long, "QUEUED"), (&waiting, "QUEUED")] {
        assert_eq!(
            api.get(&format!("{}/phase", at(&api, job)))
                .await
                .expect(200)
                .text(),
            phase
        );
    }
    drop(api);
    let worker = site.replica().await;
    let runs = ended_once(&worker, &[short.clone(), long.clone(), waiting]).await;
    assert!(runs[id(&short)] == 1 && runs[id(&long)] > 1, "{runs:?}");
}

async fn whoever_waits_gets_an_answer(backend: Backend) {
    let mut site = Site::start(backend).await;
    let job = create(&site, &[LONG]).await;
    let mut events = Events::open(&site, None).await;
    let log = site.request(Method::GET, &format!("/api/v1/jobs/{}/log?follow=true", id(&job)));
    let log = log.send().await.expect("a stream");
    assert_eq!(log.status(), 200);
    let waiting = tokio::spawn(site.request(Method::GET, &format!("{job}?WAIT=50")).send());
    // It is sent while this one is answered.
    site.get(&job).await.expect(200);
    let status = site.stop().await;
    assert!(status.success(), "{status}: {}", site.log());
    let answer = waiting.await.unwrap().expect("an answer");
    assert_eq!(answer.status(), 200);
    assert!(answer.text().await.unwrap().contains(">PENDING<"));
    while events.next().await.is_some() {}
    assert_eq!(log.text().await.expect("the end of the log"), "");
}

/// While it drains it still answers, takes no more jobs, and asks to be left alone.
#[tokio::test]
async fn a_draining_server_leaves_new_jobs_to_the_other() {
    let mut site = Site::start_with(Backend::Cluster, &[("SIDEREAL_WORKERS", "1")]).await;
    let running = sleeper(&site, "3").await;
    site.wait(&running, "EXECUTING").await;
    site.get("/readyz").await.expect(200);
    site.terminate().await;
    site.until_log(|log| log.contains("draining")).await;
    site.get("/readyz").await.expect(503);
    site.get("/livez").await.expect(200);
    let job = create(&site, &[RUN]).await;
    let other = site.replica().await;
    other.wait(&at(&other, &job), "COMPLETED").await;
    assert!(site.ended().await.success());
    assert!(
        !site.log().contains(&format!("job={}", id(&job))),
        "{}",
        site.log()
    );
    let runs = ended_once(&other, &[running, job]).await;
    assert!(runs.values().all(|run| *run == 1), "{runs:?}");
}

/// Proxies learn of the end some time after SIGTERM: until then requests come, on connections old and new.
async fn requests_are_answered_until_the_delay_is_over(backend: Backend) {
    let internal = free_address();
    let settings = [
        DELAY,
        ("SIDEREAL_INTERNAL_LISTEN", internal.as_str()),
        ("SIDEREAL_WORKERS", "1"),
    ];
    let mut site = Site::start_with(backend, &settings).await;
    let running = sleeper(&site, "1").await;
    site.wait(&running, "EXECUTING").await;
    let kept = site.get(&running).await.expect(200);
    assert_eq!(kept.header("connection"), None);
    site.terminate().await;
    for base in [site.address.clone(), format!("http://{internal}")] {
        until_unready(&site, &base).await;
        let alive = site.get(&format!("{base}/livez")).await.expect(200);
        // The next request comes on another connection.
        assert_eq!(alive.header("connection"), Some("close"));
    }
    // What comes now is another's to run, also once this one has nothing left to do.
    let job = create(&site, &[RUN]).await;
    site.wait(&running, "COMPLETED").await;
    let listed = site.get("/api/echo/async").await.expect(200);
    assert_eq!(listed.header("connection"), Some("close"));

    // Whoever cannot wait asks again.
    site.terminate().await;
    assert_eq!(site.ended().await.code(), Some(1));
    assert!(
        site.log().contains("stopped before all was drained"),
        "{}",
        site.log()
    );
    let api = site.replica_with(&[("SIDEREAL_ROLE", "api")]).await;
    let phase = api.get(&format!("{}/phase", at(&api, &job))).await.expect(200);
    assert_eq!(phase.text(), "QUEUED");
}

async fn a_delay_comes_to_its_end(backend: Backend) {
    let mut site = Site::start_with(backend, &[("SIDEREAL_SHUTDOWN_DELAY", "0.5")]).await;
    let mut events = Events::open(&site, None).await;
    let status = site.stop().await;
    assert!(status.success(), "{status}: {}", site.log());
    while events.next().await.is_some() {}
}

/// Nobody sends requests to a worker, but its probes and metrics are there until it ends.
#[tokio::test]
async fn a_worker_answers_to_probes_until_the_delay_is_over() {
    let api = Site::start_with(Backend::Cluster, &[("SIDEREAL_ROLE", "api")]).await;
    let settings = [DELAY, ("SIDEREAL_ROLE", "worker"), ("SIDEREAL_WORKERS", "1")];
    let mut worker = api.replica_with(&settings).await;
    let running = sleeper(&api, "1").await;
    api.wait(&running, "EXECUTING").await;
    worker.terminate().await;
    until_unready(&worker, &worker.address).await;
    let job = create(&api, &[RUN]).await;
    api.wait(&running, "COMPLETED").await;
    worker.get("/livez").await.expect(200);
    worker.get("/readyz").await.expect(503);
    worker.terminate().await;
    assert_eq!(worker.ended().await.code(), Some(1));
    let phase = api.get(&format!("{job}/phase")).await.expect(200);
    assert_eq!(phase.text(), "QUEUED");
}

/// Asks until the server says that it ends.
async fn until_unready(site: &Site, base: &str) {
    loop {
        let ready = site.get(&format!("{base}/readyz")).await;
        if ready.status == 503 {
            assert!(ready.text().contains("the server is ending"), "{}", ready.text());
            return;
        }
        ready.expect(200);
    }
}
