//! A server that is gone, or was thought to be.

use std::fmt::Write as _;
use std::path::Path;

use reqwest::multipart::{Form, Part};
use serde_json::Value;

use super::{at, ended_once, sleeper};
use crate::api::{events::Events, metrics};
use crate::harness::{Backend, Site, free_address, on_both_back_ends};
use crate::uws::{LONG, RUN, create, create_in, id, json};

on_both_back_ends!(a_crashed_server_goes_on_where_it_was);

/// SIGKILL, and a new start over the same data: what was done stays, what was running runs again.
async fn a_crashed_server_goes_on_where_it_was(backend: Backend) {
    let mut site = Site::start_with(backend, &[("SIDEREAL_WORKERS", "1")]).await;
    let pending = create(&site, &[LONG]).await;
    let done = create_in(&site, "COMPLETED").await;
    let running = sleeper(&site, "2").await;
    let queued = sleeper(&site, "0").await;
    site.wait(&running, "EXECUTING").await;
    let before = json(&site, &done).await;
    site.crash().await;

    let again = site.replica().await;
    assert_eq!(
        again
            .get(&format!("{}/phase", at(&again, &pending)))
            .await
            .expect(200)
            .text(),
        "PENDING"
    );
    let after = json(&again, &at(&again, &done)).await;
    assert_eq!(
        (&after["phase"], &after["endTime"]),
        (&before["phase"], &before["endTime"])
    );
    again
        .get(&format!("{}/results/result", at(&again, &done)))
        .await
        .expect(200);
    again.delete(&at(&again, &done)).await.expect(303);
    let runs = ended_once(&again, &[running.clone(), queued.clone()]).await;
    assert!(runs[id(&running)] > 1 && runs[id(&queued)] == 1, "{runs:?}");
    again.delete(&at(&again, &pending)).await.expect(303);
}

/// SIGKILL in the middle of jobs, beside another server over the same PostgreSQL and bucket.
#[tokio::test]
async fn jobs_of_a_killed_server_end_at_the_other() {
    let mut killed = Site::start_with(Backend::Cluster, &[("SIDEREAL_WORKERS", "2")]).await;
    let internal = free_address();
    let other = killed
        .replica_with(&[("SIDEREAL_INTERNAL_LISTEN", &internal)])
        .await;
    // As many as both can run: two of them are the other's.
    let mut jobs = Vec::new();
    for _ in 0..4 {
        jobs.push(sleeper(&other, "4").await);
    }
    for job in &jobs {
        other.wait(job, "EXECUTING").await;
    }
    killed.crash().await;
    let runs = ended_once(&other, &jobs).await;
    assert_eq!(runs.values().filter(|run| **run == 1).count(), 2, "{runs:?}");
    metrics::until(&other, &internal, |text| {
        metrics::value(text, "sidereal_jobs_reclaimed_total") == Some(2.0)
    })
    .await;
}

/// SIGSTOP past the lease, then SIGCONT: the server still believes that the jobs are its own.
#[tokio::test]
async fn a_server_that_was_frozen_writes_nothing_more() {
    let zombie = Site::start_with(Backend::Cluster, &[("SIDEREAL_WORKERS", "2")]).await;
    let api = zombie.replica_with(&[("SIDEREAL_ROLE", "api")]).await;
    let jobs = [sleeper(&api, "3").await, sleeper(&api, "3").await];
    for job in &jobs {
        api.wait(job, "EXECUTING").await;
    }
    zombie.freeze().await;
    let heir = zombie.replica().await;
    let runs = ended_once(&heir, &jobs).await;
    assert!(runs.values().all(|run| *run > 1), "{runs:?}");
    let mut before = Vec::new();
    for job in &jobs {
        before.push(json(&api, job).await);
    }

    zombie.thaw().await;
    for job in &jobs {
        // It says so once it has tried to write, or has learned that it need not.
        zombie
            .until_log(|log| {
                log.lines()
                    .any(|line| line.contains("ended") && line.contains(id(job)))
            })
            .await;
    }
    assert_eq!(ended_once(&api, &jobs).await, runs);
    for (job, before) in jobs.iter().zip(before) {
        assert_eq!(json(&api, job).await, before);
    }
    // It is of use again.
    drop(heir);
    let next = sleeper(&zombie, "0").await;
    zombie.wait(&next, "COMPLETED").await;
}

/// Files of a half-done run are gone once the next one has ended.
#[tokio::test]
async fn half_a_cutout_job_leaves_nothing_behind() {
    const POSITIONS: usize = 1_500;
    let mut killed = Site::start(Backend::Cluster).await;
    let folder = tempfile::tempdir().unwrap();
    write_image(&folder.path().join("sky.fits"));
    let ingested = killed
        .run(&["ingest", "sky", folder.path().to_str().unwrap()])
        .await;
    assert!(ingested.status.success(), "{ingested:?}");
    let mut list = "RA,DEC,OBJID\n".to_owned();
    for n in 0..POSITIONS {
        let _ = writeln!(
            list,
            "{},{},p{n:04}",
            150.0 + (n % 40) as f64 * 1e-3,
            2.0 + (n / 40) as f64 * 1e-3
        );
    }
    let form = Form::new()
        .part("POSITIONS", Part::text(list).file_name("list.csv"))
        .text("SIZE", "10px")
        .text("PHASE", "RUN");
    let api = killed.replica_with(&[("SIDEREAL_ROLE", "api")]).await;
    let mut events = Events::open(&api, None).await;
    let request = api
        .request(reqwest::Method::POST, "/api/cutout/async")
        .multipart(form);
    let job = api.send(request).await.expect(303).location().to_owned();
    // Some are stored, most are not.
    events
        .until(|event| event.data["results"].as_u64().is_some_and(|results| results > 0))
        .await;
    killed.crash().await;
    assert!(!api.object_names().await.is_empty());
    assert_eq!(api.get(&format!("{job}/phase")).await.text(), "EXECUTING");

    let heir = killed.replica().await;
    heir.wait(&job.replace(&api.address, &heir.address), "COMPLETED")
        .await;
    let manifest: Value = api
        .get(&format!("{job}/results/manifest.json"))
        .await
        .expect(200)
        .json();
    assert_eq!(manifest["counts"]["ok"], POSITIONS, "{}", manifest["counts"]);
    let mut files: Vec<_> = manifest["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["file"].as_str().unwrap())
        .collect();
    files.extend(["manifest.json", "manifest.csv", "manifest.vot"]);
    files.push("in");
    files.sort_unstable();
    // Each once, and the list of positions.
    let file_of = |name: &String| match name.split('/').collect::<Vec<_>>()[..] {
        [_, "in", _] => "in".to_owned(),
        [_, _, file] => file.to_owned(),
        _ => panic!("{name}"),
    };
    api.until_objects(|names| names.len() <= files.len()).await;
    let mut found: Vec<String> = api.object_names().await.iter().map(file_of).collect();
    found.sort_unstable();
    assert_eq!(found, files);
    api.delete(&job).await.expect(303);
    api.until_objects(<[_]>::is_empty).await;
}

/// 400 by 400 pixels of 1 arcsec around (150.02, 2.02), whose values are their numbers.
fn write_image(path: &Path) {
    const SIDE: i32 = 400;
    let cards = [
        "SIMPLE  =                    T".to_owned(),
        "BITPIX  =                   32".to_owned(),
        "NAXIS   =                    2".to_owned(),
        format!("NAXIS1  = {SIDE:20}"),
        format!("NAXIS2  = {SIDE:20}"),
        "CTYPE1  = 'RA---TAN'".to_owned(),
        "CTYPE2  = 'DEC--TAN'".to_owned(),
        format!("CRPIX1  = {:20}", 200.5),
        format!("CRPIX2  = {:20}", 200.5),
        format!("CRVAL1  = {:20}", 150.02),
        format!("CRVAL2  = {:20}", 2.02),
        format!("CDELT1  = {:20}", -1.0 / 3600.0),
        format!("CDELT2  = {:20}", 1.0 / 3600.0),
        "CUNIT1  = 'deg     '".to_owned(),
        "CUNIT2  = 'deg     '".to_owned(),
        "RADESYS = 'ICRS    '".to_owned(),
        "END".to_owned(),
    ];
    let mut bytes: Vec<u8> = cards
        .iter()
        .flat_map(|card| format!("{card:80}").into_bytes())
        .collect();
    bytes.resize(bytes.len().next_multiple_of(2_880), b' ');
    bytes.extend((0..SIDE * SIDE).flat_map(i32::to_be_bytes));
    bytes.resize(bytes.len().next_multiple_of(2_880), 0);
    std::fs::write(path, bytes).expect("an image");
}

#[tokio::test]
async fn a_job_without_a_server_waits_for_one() {
    let mut site = Site::start(Backend::Cluster).await;
    let api = site.replica_with(&[("SIDEREAL_ROLE", "api")]).await;
    site.stop().await;
    let job = create(&api, &[RUN]).await;
    assert_eq!(api.get(&format!("{job}/phase")).await.text(), "QUEUED");
    let worker = api.replica_with(&[("SIDEREAL_ROLE", "worker")]).await;
    api.wait(&job, "COMPLETED").await;
    drop(worker);
}
