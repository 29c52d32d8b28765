//! The log of a job: from its start, from a line on, and followed until the job ends.

use futures::StreamExt;
use reqwest::Method;

use crate::harness::{Backend, Site, on_both_back_ends};
use crate::uws::{ABORT, RUN, create, create_in, id, xml};

on_both_back_ends!(
    a_log_is_read_from_any_line,
    a_log_is_followed_until_the_job_ends,
    a_job_that_has_not_run_has_an_empty_log,
    faults_are_named,
);

fn log_of(job: &str) -> String {
    format!("/api/v1/jobs/{}/log", id(job))
}

async fn a_log_is_read_from_any_line(backend: Backend) {
    let site = Site::start(backend).await;
    let job = create(&site, &[("SLEEP", "0.1"), RUN]).await;
    site.wait(&job, "COMPLETED").await;
    let log = site.get(&log_of(&job)).await.expect(200);
    assert!(log.header("content-type").unwrap().starts_with("text/plain"));
    let whole = log.text();
    assert!(whole.lines().count() >= 2, "{whole}");
    for line in whole.lines() {
        let (time, text) = line.split_once(' ').expect("a time and a text");
        assert!(xml::is_time(time) && !text.is_empty(), "{line}");
    }
    let later = site
        .get(&format!("{}?after=1", log_of(&job)))
        .await
        .expect(200)
        .text();
    assert_eq!(later, whole.split_once('\n').unwrap().1);
    assert_eq!(
        site.get(&format!("{}?after=1000", log_of(&job)))
            .await
            .expect(200)
            .text(),
        ""
    );
    // Of a job that has ended there is nothing to wait for.
    let followed = site
        .get(&format!("{}?follow=true", log_of(&job)))
        .await
        .expect(200)
        .text();
    assert_eq!(followed, whole);
}

async fn a_log_is_followed_until_the_job_ends(backend: Backend) {
    let site = Site::start(backend).await;
    let job = create_in(&site, "EXECUTING").await;
    let request = site.request(Method::GET, &format!("{}?follow=true", log_of(&job)));
    let answer = request.send().await.expect("a stream");
    assert_eq!(answer.status(), 200);
    let mut pieces = answer.bytes_stream();
    let mut text = String::new();
    // The first line comes while the job runs.
    while !text.contains('\n') {
        let piece = pieces.next().await.expect("the job runs").expect("a piece");
        text.push_str(std::str::from_utf8(&piece).unwrap());
    }
    assert_eq!(site.get(&format!("{job}/phase")).await.text(), "EXECUTING");
    site.post(&format!("{job}/phase"), &[ABORT]).await.expect(303);
    while let Some(piece) = pieces.next().await {
        text.push_str(std::str::from_utf8(&piece.expect("a piece")).unwrap());
    }
    assert_eq!(text, site.get(&log_of(&job)).await.expect(200).text());
}

async fn a_job_that_has_not_run_has_an_empty_log(backend: Backend) {
    let site = Site::start(backend).await;
    let job = create(&site, &[]).await;
    assert_eq!(site.get(&log_of(&job)).await.expect(200).text(), "");
    let url = format!("{}?follow=true", log_of(&job));
    let (followed, ()) = tokio::join!(site.get(&url), async {
        site.post(&format!("{job}/phase"), &[RUN]).await.expect(303);
    });
    assert_eq!(
        followed.expect(200).text(),
        site.get(&log_of(&job)).await.expect(200).text()
    );
}

async fn faults_are_named(backend: Backend) {
    let site = Site::start(backend).await;
    let job = create(&site, &[]).await;
    for (query, named) in [
        ("after=-1", "after"),
        ("after=x", "after"),
        ("follow=perhaps", "follow"),
        ("after=1&after=2", "after"),
    ] {
        let refused = site.get(&format!("{}?{query}", log_of(&job))).await.expect(400);
        assert!(refused.text().contains(named), "{query}: {}", refused.text());
    }
    site.get("/api/v1/jobs/nonsense/log").await.expect(404);
}
