//! SIGTERM: running jobs end or go back to the queue, and whoever waits gets an answer.

use reqwest::Method;

use super::{at, ended_once, sleeper};
use crate::api::events::Events;
use crate::harness::{Backend, Site, on_both_back_ends};
use crate::uws::{LONG, RUN, create, id};

on_both_back_ends!(
    running_jobs_end_or_go_back_to_the_queue,
    whoever_waits_gets_an_answer
);

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
