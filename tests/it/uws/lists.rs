//! The job list beyond the scenarios (requirements 50 to 57).

use futures::StreamExt;
use serde_json::Value;

use super::xml::Element;
use super::{LIST, create, create_in, id};
use crate::harness::{Backend, Site, on_both_back_ends};

on_both_back_ends!(
    names_are_taken_in_any_case_and_values_where_they_are_words,
    after_is_taken_in_every_form_and_is_strict,
    faults_are_named,
    only_visible_jobs_are_listed,
    a_long_list_is_whole,
);

async fn ids(site: &Site, query: &str) -> Vec<String> {
    let list = Element::of(&site.get(&format!("{LIST}?{query}")).await.expect(200));
    list.children
        .iter()
        .map(|jobref| jobref.attribute("id").to_owned())
        .collect()
}

/// 71.
async fn names_are_taken_in_any_case_and_values_where_they_are_words(backend: Backend) {
    let site = Site::start(backend).await;
    let pending = create(&site, &[]).await;
    let aborted = create_in(&site, "ABORTED").await;
    for (query, expected) in [
        ("phase=PENDING", vec![&pending]),
        ("Phase=aborted", vec![&aborted]),
        ("PHASE=PENDING&phase=ABORTED", vec![&aborted, &pending]),
        ("last=1", vec![&aborted]),
        ("LAST=1&phase=PENDING", vec![&pending]),
        ("After=2999", vec![]),
        ("LAST=99999999999999999999", vec![&aborted, &pending]),
        ("", vec![&aborted, &pending]),
    ] {
        let expected: Vec<_> = expected.into_iter().map(|job| id(job).to_owned()).collect();
        assert_eq!(ids(&site, query).await, expected, "{query}");
    }
}

/// 44, 52: to the millisecond, the finest that is shown.
async fn after_is_taken_in_every_form_and_is_strict(backend: Backend) {
    let site = Site::start(backend).await;
    create(&site, &[]).await;
    let list: Value = site.get_json(LIST).await;
    let time = list["jobs"][0]["creationTime"].as_str().unwrap().to_owned();
    let bare = time.strip_suffix('Z').unwrap();
    let (seconds, _) = bare.split_once('.').unwrap();
    let (minutes, _) = seconds.rsplit_once(':').unwrap();
    let day = &time[..10];
    for (after, listed) in [
        (time.clone(), 0),
        (bare.to_owned(), 0),
        (format!("{bare}000Z"), 0),
        (format!("{bare}000000"), 0),
        (bare.replace('T', " "), 0),
        (format!("{}-01-01", &time[..4]), 1),
        (time[..4].to_owned(), 1),
        (day.replace('-', ""), 1),
        (day.to_owned(), 1),
        (format!("{minutes}Z"), usize::from(!bare.ends_with(":00.000"))),
    ] {
        assert_eq!(
            ids(&site, &format!("AFTER={after}")).await.len(),
            listed,
            "{after}"
        );
    }
}

async fn faults_are_named(backend: Backend) {
    let site = Site::start(backend).await;
    for (query, parameter) in [
        ("PHASE=", "PHASE"),
        ("PHASE=PENDING&PHASE=NONE", "PHASE"),
        ("LAST=0", "LAST"),
        ("LAST=", "LAST"),
        ("LAST=1.5", "LAST"),
        ("LAST=%2B1", "LAST"),
        ("AFTER=", "AFTER"),
        ("AFTER=2015-10-26T09:00:00%2B01:00", "AFTER"),
        ("AFTER=2015-02-29", "AFTER"),
        ("AFTER=%FF", "AFTER"),
    ] {
        let refused = site.get(&format!("{LIST}?{query}")).await.expect(400);
        assert!(refused.text().contains(parameter), "{query}: {}", refused.text());
    }
}

/// 23: of this service, never the destroyed ones.
async fn only_visible_jobs_are_listed(backend: Backend) {
    let site = Site::start(backend).await;
    let job = create(&site, &[]).await;
    let cutout = site
        .post("/api/cutout/async", &[])
        .await
        .expect(303)
        .location()
        .to_owned();
    assert_eq!(ids(&site, "").await, [id(&job)]);
    let others = Element::of(&site.get("/api/cutout/async").await.expect(200));
    assert_eq!(others.children[0].attribute("xlink:href"), cutout);
    site.delete(&job).await.expect(303);
    assert!(ids(&site, "").await.is_empty());
    assert!(ids(&site, "PHASE=ARCHIVED").await.is_empty());
}

/// 56: more than a page of whatever the server reads at a time.
async fn a_long_list_is_whole(backend: Backend) {
    let site = Site::start(backend).await;
    let made: Vec<_> = futures::stream::iter(0..1_100)
        .map(|_| async { id(&create(&site, &[]).await).to_owned() })
        .buffer_unordered(16)
        .collect()
        .await;
    let mut listed = ids(&site, "").await;
    let mut made = made;
    listed.sort();
    made.sort();
    assert_eq!(listed, made);
    assert_eq!(ids(&site, "LAST=1050").await.len(), 1_050);
}
