//! Cutouts end to end: real images in every compression, edges, faulty requests, faulty images.

use std::path::Path;

use bytes::Bytes;
use object_store::ObjectStoreExt;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    harness::{Backend, Site, on_both_back_ends, oracle},
    readme::m13,
    s3::S3Server,
};

on_both_back_ends!(
    cutouts_of_a_real_image_are_its_pixels_in_every_compression,
    a_position_on_no_image_is_a_row,
    edges_are_trimmed_padded_or_refused,
    bad_requests_are_named_before_anything_is_queued,
    bad_images_are_rows_with_a_reason,
    images_that_are_no_more_are_dropped,
    collections_are_removed,
    how_much_has_failed_is_told_of_a_completed_job,
    what_failed_is_done_again_alone,
    a_job_that_has_failed_itself_is_done_again_whole,
    the_document_of_an_ended_job_has_all_of_its_results,
    who_waits_is_told_what_has_come_of_it,
    an_image_that_is_compressed_as_a_whole_is_cut_as_it_was_before,
    what_was_cut_before_is_given_again,
);

const JOBS: &str = "/api/cutout/async";
/// What is asked for, and what the answer names.
type Fault<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);
/// The middle of the image of M13.
pub const M13: &str = "RA,DEC\n250.4226,36.4602\n";

/// A folder of images, made the collection `sky`: in the server's bucket if it has one, else where it is.
pub async fn ingest(
    site: &Site,
    backend: Backend,
    images: &[(String, Vec<u8>)],
    unreadable: bool,
) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut url = folder.path().display().to_string();
    for (name, bytes) in images {
        std::fs::write(folder.path().join(name), bytes).unwrap();
        if backend == Backend::Cluster {
            url = S3Server::url("results/sky");
            let key = format!("sky/{name}").into();
            site.objects().put(&key, bytes.clone().into()).await.unwrap();
        }
    }
    let output = site.run(&["ingest", "sky", &url]).await;
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert_eq!(!told.is_empty(), unreadable, "{told}");
    folder
}

async fn images_that_are_no_more_are_dropped(backend: Backend) {
    let site = Site::start(backend).await;
    let image = std::fs::read(m13()).unwrap();
    let images = ["a.fits", "b.fits"].map(|name| (name.to_owned(), image.clone()));
    let folder = ingest(&site, backend, &images, false).await;
    let mut url = folder.path().display().to_string();
    if backend == Backend::Cluster {
        url = S3Server::url("results/sky");
        site.objects().delete(&"sky/b.fits".into()).await.unwrap();
    } else {
        std::fs::remove_file(folder.path().join("b.fits")).unwrap();
    }
    let output = site.run(&["ingest", "sky", &url]).await;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.starts_with("1 images, ") && said.ends_with(" 0 unreadable\n"),
        "{said}"
    );
    assert_eq!(String::from_utf8_lossy(&output.stderr), "1 gone\n");
    let form = [("PHASE", "RUN"), ("ID", "sky/b.fits"), ("POSITIONS", M13)];
    let refused = site.post(JOBS, &form).await.expect(400);
    assert!(refused.text().contains("has no image"), "{}", refused.text());
}

async fn collections_are_removed(backend: Backend) {
    let site = Site::start(backend).await;
    let image = std::fs::read(m13()).unwrap();
    let images = ["a.fits", "b.fits"].map(|name| (name.to_owned(), image.clone()));
    let _folder = ingest(&site, backend, &images, false).await;
    let (job, manifest) = run(&site, &[("POSITIONS", M13)]).await;
    assert_eq!(manifest["counts"]["ok"], 2, "{manifest}");
    let said = async |arguments: &[&str]| {
        let output = site.run(&[&["collection"], arguments].concat()).await;
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    };
    let (code, list) = said(&["list"]).await;
    assert!(code == Some(0) && list.starts_with("sky\t2\t"), "{list}");
    // One that is not there spares the others.
    let (code, text) = said(&["remove", "sky", "a.fits", "c.fits"]).await;
    assert_eq!(
        (code, text.as_str()),
        (Some(4), "sidereal: sky has no image \"c.fits\"\n")
    );
    let (code, text) = said(&["remove", "sky", "a.fits"]).await;
    assert_eq!((code, text.as_str()), (Some(0), "1 images removed\n"));
    let (_, rest) = run(&site, &[("POSITIONS", M13)]).await;
    assert_eq!(rest["rows"][0]["image"], "b.fits", "{rest}");
    let (code, text) = said(&["remove", "sky"]).await;
    assert_eq!((code, text.as_str()), (Some(0), "1 images removed\n"));
    assert_eq!(said(&["list"]).await, (Some(0), String::new()));
    // Over the API likewise.
    let _again = ingest(&site, backend, &images, false).await;
    site.delete("/api/v1/cutout/collections/sky").await.expect(204);
    site.delete("/api/v1/cutout/collections/sky").await.expect(404);
    let audit = site
        .get("/api/v1/admin/audit?action=collection%20removed")
        .await
        .expect(200);
    assert!(audit.text().contains("2 images"), "{}", audit.text());
    assert_eq!(said(&["list"]).await, (Some(0), String::new()));
    assert_eq!(said(&["remove", "sky"]).await.0, Some(4));
    let form = [("PHASE", "RUN"), ("COLLECTION", "sky"), ("POSITIONS", M13)];
    site.post(JOBS, &form).await.expect(400);
    // What was made of them stays.
    let kept = tempfile::tempdir().unwrap();
    assert!(!save(&site, &job, kept.path()).await.is_empty());
}

async fn an_image_that_is_compressed_as_a_whole_is_cut_as_it_was_before(backend: Backend) {
    let image = std::fs::read(m13()).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut encoder, &image).unwrap();
    let images = [
        ("a.fits".to_owned(), image),
        ("b.fits.gz".to_owned(), encoder.finish().unwrap()),
    ];
    let site = Site::start(backend).await;
    let folder = ingest(&site, backend, &images, false).await;
    let mut url = folder.path().display().to_string();
    if backend == Backend::Cluster {
        url = S3Server::url("results/sky");
    }
    let again = site.run(&["ingest", "sky", &url]).await;
    let said = String::from_utf8_lossy(&again.stdout);
    assert_eq!(said, "2 images, 2 unchanged, 0 unreadable\n");
    let (job, manifest) = run(&site, &[("SIZE", "0.5"), ("POSITIONS", M13)]).await;
    assert_eq!(reasons(&manifest), ["ok", "ok"]);
    let mut pixels = Vec::new();
    for row in manifest["rows"].as_array().unwrap() {
        let name = row["file"].as_str().unwrap();
        let body = site.get(&format!("{job}/results/{name}")).await.expect(200).body;
        // The headers say where each is from.
        let cards = body
            .chunks(80)
            .position(|card| card.starts_with(b"END  "))
            .unwrap();
        pixels.push(body.slice(((cards + 1) * 80).next_multiple_of(2_880)..));
    }
    assert!(!pixels[0].is_empty() && pixels[0] == pixels[1]);
    // Where there is no room for it, it is told by name.
    let small = site.replica_with(&[("SIDEREAL_CUTOUT__SCRATCH", "1 KiB")]).await;
    drop(site);
    let (_, manifest) = run(&small, &[("SIZE", "0.5"), ("POSITIONS", M13)]).await;
    assert_eq!(reasons(&manifest), ["ok", "source_unreadable"]);
    let why = manifest["rows"][1]["message"].as_str().unwrap();
    assert!(why.contains("no room"), "{why}");
}

/// The files of a job by image, and the jobs that made them.
async fn cutouts(site: &Site, (job, manifest): &(String, Value)) -> Vec<(Bytes, String)> {
    let mut cutouts = Vec::new();
    for row in manifest["rows"].as_array().unwrap() {
        let name = row["file"].as_str().unwrap_or_else(|| panic!("{row}"));
        let file = site.get(&format!("{job}/results/{name}")).await.expect(200);
        assert_eq!(row["size"], file.body.len());
        let tag = format!("\"{}\"", row["sha256"].as_str().unwrap());
        assert_eq!(file.header("etag"), Some(tag.as_str()));
        let card = file.body.chunks(80).find(|card| card.starts_with(b"CUTJOB"));
        let card = String::from_utf8(card.unwrap().to_vec()).unwrap();
        cutouts.push((file.body, card.split('\'').nth(1).unwrap().to_owned()));
    }
    cutouts
}

async fn what_was_cut_before_is_given_again(backend: Backend) {
    let site = Site::start(backend).await;
    let mut image = std::fs::read(m13()).unwrap();
    let images = ["a.fits", "b.fits"].map(|name| (name.to_owned(), image.clone()));
    let folder = ingest(&site, backend, &images, false).await;
    let list = "RA,DEC,OBJID\n250.4226,36.4602,NAME\n";
    let again = async |name: &str, edge: &str| {
        let list = list.replace("NAME", name);
        let form = [("SIZE", "0.5"), ("EDGE", edge), ("POSITIONS", list.as_str())];
        run(&site, &form).await
    };
    let first = again("one", "trim").await;
    let made = cutouts(&site, &first).await;
    let by = |job: &(String, Value)| crate::uws::id(&job.0).to_owned();
    assert!(made.iter().all(|(_, maker)| *maker == by(&first)));
    assert_ne!(made[0], made[1]);

    let second = again("two", "trim").await;
    assert_eq!(cutouts(&site, &second).await, made, "not cut once more");
    let row = |job: &(String, Value), at: usize| {
        let mut row = job.1["rows"][at].clone();
        for own in ["id", "file"] {
            assert!(row.as_object_mut().unwrap().remove(own).is_some());
        }
        row
    };
    assert_eq!(row(&first, 1), row(&second, 1));
    let log = site.get(&format!("/api/v1/jobs/{}/log", by(&second))).await;
    assert!(log.text().contains("2 cutouts are those of earlier jobs"));
    let other = again("two", "pad").await;
    assert!(
        cutouts(&site, &other)
            .await
            .iter()
            .all(|(_, maker)| *maker == by(&other))
    );

    // Each has its own, whatever becomes of the others.
    site.delete(&first.0).await.expect(303);
    let gone = by(&first);
    site.until_objects(|names| !names.iter().any(|name| name.starts_with(&gone)))
        .await;
    assert_eq!(cutouts(&site, &second).await, made);
    let third = again("three", "trim").await;
    assert_eq!(cutouts(&site, &third).await, made);

    // An image that is another is cut.
    *image.last_mut().unwrap() ^= 1;
    if backend == Backend::Cluster {
        site.objects()
            .put(&"sky/b.fits".into(), image.into())
            .await
            .unwrap();
    } else {
        std::fs::write(folder.path().join("b.fits"), image).unwrap();
    }
    let fourth = again("four", "trim").await;
    let new = cutouts(&site, &fourth).await;
    assert_eq!(new[0], made[0]);
    assert_eq!(new[1].1, by(&fourth));
}

async fn how_much_has_failed_is_told_of_a_completed_job(backend: Backend) {
    let site = Site::start(backend).await;
    let image = std::fs::read(m13()).unwrap();
    let images = ["a.fits", "b.fits"].map(|name| (name.to_owned(), image.clone()));
    let _folder = ingest(&site, backend, &images, false).await;
    // Two positions are on no image and are no pair; of the four pairs of the others two are refused.
    let list = "RA,DEC,OBJID\n10,10,a\n11,11,b\n250.4226,36.4602,c\n250.474,36.4602,d\n";
    let form = [
        ("POSITIONS", list),
        ("SIZE", "40px"),
        ("EDGE", "strict"),
        ("RUNID", "part"),
    ];
    let (job, manifest) = run(&site, &form).await;
    assert_eq!(manifest["counts"], json!({"ok": 2, "failed": 4}));
    let id = crate::uws::id(&job);
    let page: Value = site.get_json("/api/v1/jobs?label=part").await;
    let told =
        |info: &Value| ["progressDone", "progressTotal", "progressFailed"].map(|key| info[key].clone());
    assert_eq!(told(&page["items"][0]), [json!(4), json!(4), json!(4)]);
    let document: Value = site.get_json(&format!("/api/v1/jobs/{id}")).await;
    assert_eq!(told(&document["jobInfo"])[2], 4);
    let document = site.get(&job).await.expect(200).text();
    assert!(
        document.contains("<sidereal:progressFailed>4</sidereal:progressFailed>"),
        "{document}"
    );
    let said = async |words: &[&str]| String::from_utf8(site.run(words).await.stdout).unwrap();
    let shown = said(&["job", "show", id]).await;
    assert!(shown.contains("4/4, 4 failed"), "{shown}");
    let listed = said(&["job", "list", "--label", "part"]).await;
    let cells: Vec<Vec<&str>> = listed
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(cells[0][2..4], ["PHASE", "FAILED"]);
    assert_eq!(cells[1][2..4], ["COMPLETED", "4"]);
    // One of which nothing has failed, and one that has not told of it.
    let (whole, _) = run(&site, &[("POSITIONS", M13), ("RUNID", "whole")]).await;
    let document: Value = site.get_json(&whole).await;
    assert_eq!(document["jobInfo"]["progressFailed"], 0);
    let listed = said(&["job", "list", "--label", "whole", "--output", "json"]).await;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed[0]["progressFailed"], 0, "{listed}");
    let pending = site
        .post(JOBS, &[("SIZE", "1"), ("RUNID", "new")])
        .await
        .expect(303);
    let document: Value = site.get_json(pending.location()).await;
    assert_eq!(document["jobInfo"]["progressFailed"], Value::Null);
    let listed = said(&["job", "list", "--label", "new"]).await;
    assert!(listed.lines().last().unwrap().contains("PENDING  -"), "{listed}");
}

async fn what_failed_is_done_again_alone(backend: Backend) {
    let site = Site::start(backend).await;
    let image = std::fs::read(m13()).unwrap();
    let images = ["a.fits", "b.fits"].map(|name| (name.to_owned(), image.clone()));
    let folder = ingest(&site, backend, &images, false).await;
    let put_b = |bytes: Vec<u8>| {
        let (objects, path) = (site.objects(), folder.path().join("b.fits"));
        async move {
            if backend == Backend::Cluster {
                objects.put(&"sky/b.fits".into(), bytes.into()).await.unwrap();
            } else {
                std::fs::write(path, bytes).unwrap();
            }
        }
    };
    put_b(b"no image".to_vec()).await;
    let list = "RA,DEC,OBJID\n10,10,nowhere\n250.4226,36.4602,middle\n";
    let form = [("SIZE", "0.5"), ("RUNID", "mine"), ("POSITIONS", list)];
    let (job, manifest) = run(&site, &form).await;
    let told = reasons(&manifest);
    assert_eq!(told[..2], ["outside_footprint", "ok"]);
    assert!(
        ["source_unreadable", "source_changed"].contains(&told[2]),
        "{told:?}"
    );
    let retry = |job: &str| {
        let path = format!("/api/v1/jobs/{}/retry", crate::uws::id(job));
        site.send(site.request(Method::POST, &path))
    };
    put_b(image.clone()).await;
    let new = retry(&job).await.expect(201);
    let document: Value = new.json();
    assert_eq!(document["runId"], "mine");
    let new = new.location().to_owned();
    assert_ne!(new, job);
    site.wait(&new, "COMPLETED").await;
    let manifest: Value = site.get_json(&format!("{new}/results/manifest.json")).await;
    assert_eq!(reasons(&manifest), ["ok", "ok"]);
    assert_eq!(manifest["rows"][1]["id"], "middle");
    assert_eq!(manifest["parameters"]["SIZE"][0], "0.5");
    // Nothing that may fare better has failed; what is not over cannot be done again.
    retry(&new).await.expect(409);
    let pending = site.post(JOBS, &[("SIZE", "1")]).await.expect(303);
    retry(pending.location()).await.expect(409);
}

async fn a_job_that_has_failed_itself_is_done_again_whole(backend: Backend) {
    let site = Site::start(backend).await;
    let _folder = ingest(&site, backend, &m13s()[..1], false).await;
    let retry = |job: &str| {
        let path = format!("/api/v1/jobs/{}/retry", crate::uws::id(job));
        site.send(site.request(Method::POST, &path))
    };
    // Aborted before it has made anything, with a list that is a file.
    let list =
        reqwest::multipart::Part::text("RA,DEC,OBJID\n250.4226,36.4602,middle\n").file_name("list.csv");
    let form = reqwest::multipart::Form::new()
        .text("SIZE", "0.5")
        .text("RUNID", "mine")
        .part("POSITIONS", list);
    let made = site.send(site.request(Method::POST, JOBS).multipart(form)).await;
    let job = made.expect(303).location().to_owned();
    site.post(&format!("{job}/phase"), &[("PHASE", "ABORT")])
        .await
        .expect(303);
    let new = retry(&job).await.expect(201);
    assert_eq!(new.json::<Value>()["runId"], "mine");
    let new = new.location().to_owned();
    site.delete(&job).await.expect(303);
    site.wait(&new, "COMPLETED").await;
    let manifest: Value = site.get_json(&format!("{new}/results/manifest.json")).await;
    assert_eq!(
        (reasons(&manifest), &manifest["rows"][0]["id"]),
        (vec!["ok"], &json!("middle"))
    );
    assert_eq!(manifest["parameters"]["SIZE"][0], "0.5");
    // One that ended in ERROR, whatever the service.
    let failing = site
        .post("/api/echo/async", &[("FAIL", "fatal"), ("PHASE", "RUN")])
        .await;
    let failing = failing.expect(303).location().to_owned();
    site.wait(&failing, "ERROR").await;
    let again = retry(&failing).await.expect(201).location().to_owned();
    assert_ne!(again, failing);
    site.wait(&again, "ERROR").await;
}

async fn who_waits_is_told_what_has_come_of_it(backend: Backend) {
    let site = Site::start(backend).await;
    let _folder = ingest(&site, backend, &m13s()[..1], false).await;
    let list = "POSITIONS=RA,DEC\n10,10\n250.4226,36.4602\n11,11\n";
    let submitted = ["job", "submit", "cutout", "SIZE=0.5", list, "--wait"];
    let output = site.run(&submitted).await;
    assert!(output.status.success());
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(
        told.ends_with("COMPLETED\n1 cutouts made, 2 rows failed\n"),
        "{told}"
    );
    let job = told.lines().next().unwrap();
    let shown = site.run(&["job", "show", job]).await.stdout;
    let shown = String::from_utf8(shown).unwrap();
    assert!(
        shown.contains("\ndone         1 cutouts made, 2 rows failed\n"),
        "{shown}"
    );
}

/// Longer than what a running job's document lists.
const MANY: usize = 1_100;

async fn the_document_of_an_ended_job_has_all_of_its_results(backend: Backend) {
    let site = Site::start(backend).await;
    let _folder = ingest(&site, backend, &m13s()[..1], false).await;
    let rows: Vec<String> = (0..MANY)
        .map(|number| format!("250.4226,36.4602,star{number}"))
        .collect();
    let list = format!("RA,DEC,OBJID\n{}\n", rows.join("\n"));
    let (job, _) = run(&site, &[("SIZE", "2px"), ("POSITIONS", &list)]).await;
    let document: Value = site.get_json(&job).await;
    // The manifests, and what `result` stands for.
    assert_eq!(document["results"].as_array().unwrap().len(), MANY + 4);
    let xml = site.get(&job).await.expect(200).text();
    assert_eq!(xml.matches("<uws:result ").count(), MANY + 4);
    assert!(xml.contains("star1099"));
    assert_eq!(oracle("results.py", &[&job]).await, json!(MANY + 4));
}

/// The demo's image, plain and in four compressions.
pub fn m13s() -> Vec<(String, Vec<u8>)> {
    let plain = m13();
    let folder = plain.parent().unwrap();
    ["m13", "m13_rice", "m13_gzip", "m13_hcomp", "m13_plio"]
        .map(|name| {
            let name = format!("{name}.fits");
            let bytes = std::fs::read(folder.join(&name)).unwrap();
            (name, bytes)
        })
        .into()
}

/// Runs a job to COMPLETED and gives its path and manifest.
pub async fn run(site: &Site, parameters: &[(&str, &str)]) -> (String, Value) {
    let mut form = vec![("PHASE", "RUN")];
    form.extend(parameters);
    let created = site.post(JOBS, &form).await.expect(303);
    let job = created.location().to_owned();
    site.wait(&job, "COMPLETED").await;
    let manifest = site
        .get(&format!("{job}/results/manifest.json"))
        .await
        .expect(200)
        .json();
    (job, manifest)
}

/// Saves every result of a job into a folder.
pub async fn save(site: &Site, job: &str, folder: &Path) -> Vec<String> {
    let document: Value = site.get_json(job).await;
    let mut names = Vec::new();
    for result in document["results"].as_array().unwrap() {
        let body = site.get(result["href"].as_str().unwrap()).await.expect(200).body;
        assert_eq!(result["size"], body.len());
        let name = result["id"].as_str().unwrap().to_owned();
        std::fs::write(folder.join(&name), body).unwrap();
        names.push(name);
    }
    names
}

/// A path as text.
pub fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

fn reasons(manifest: &Value) -> Vec<&str> {
    manifest["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["reason"].as_str().unwrap_or("ok"))
        .collect()
}

async fn cutouts_of_a_real_image_are_its_pixels_in_every_compression(backend: Backend) {
    let site = Site::start(backend).await;
    let images = ingest(&site, backend, &m13s(), false).await;
    let list = "RA,DEC,OBJID,XSIZE,YSIZE\n250.4226,36.4602,centre,1,0.5\n16:41:41.4, +36:28:30,north,,\n";
    let (job, manifest) = run(
        &site,
        &[("COLLECTION", "sky"), ("SIZE", "30arcsec"), ("POSITIONS", list)],
    )
    .await;
    assert_eq!(manifest["counts"], serde_json::json!({"ok": 10, "failed": 0}));
    let folder = tempfile::tempdir().unwrap();
    let names = save(&site, &job, folder.path()).await;
    assert!(names.contains(&"result".into()) && names.contains(&"manifest.csv".into()));
    let (sky, rows, cut) = (
        text(images.path()),
        text(&folder.path().join("manifest.json")),
        text(folder.path()),
    );
    let compared = oracle("cutouts.py", &[&sky, &rows, &cut]).await;
    let compared = compared.as_array().unwrap();
    assert_eq!(compared.len(), 10);
    for one in compared {
        assert_eq!(one["equal"], true, "{one}");
        assert!(one["off"].as_f64().unwrap() < 1e-12, "{one}");
        assert!(
            one["sums"].as_array().unwrap().iter().all(|sums| *sums == 2),
            "{one}"
        );
        assert_eq!(one["missing"], serde_json::json!([]), "{one}");
    }
    let csv = std::fs::read_to_string(folder.path().join("manifest.csv")).unwrap();
    assert_eq!(
        csv.lines().next().unwrap(),
        "row,id,ra,dec,xsize,ysize,collection,image,band,obs,type,hdu,status,reason,message,x_min,x_max,y_min,y_max,\
         coverage,file,size,sha256,source,etag,weight_coverage,lightcurve"
    );
    assert_eq!(csv.lines().count(), 11);
}

async fn a_position_on_no_image_is_a_row(backend: Backend) {
    let site = Site::start(backend).await;
    let _images = ingest(&site, backend, &m13s()[..1], false).await;
    let (job, manifest) = run(
        &site,
        &[
            ("POSITIONS", "RA,DEC\n10,-45\n250.4226,36.4602\n"),
            ("SIZE", "20px"),
        ],
    )
    .await;
    assert_eq!(reasons(&manifest), ["outside_footprint", "ok"]);
    // Exactly one cutout was made: it is the result.
    let row = &manifest["rows"][1];
    let result = site.get(&format!("{job}/results/result")).await.expect(200);
    let named = site
        .get(&format!("{job}/results/{}", row["file"].as_str().unwrap()))
        .await
        .expect(200);
    assert_eq!(result.body, named.body);
    assert_eq!(
        result.header("etag").unwrap(),
        format!("\"{}\"", row["sha256"].as_str().unwrap())
    );
    let (_, nowhere) = run(&site, &[("POSITIONS", "RA,DEC\n10,-45\n")]).await;
    assert_eq!(nowhere["counts"], serde_json::json!({"ok": 0, "failed": 1}));
    let (_, none) = run(&site, &[("POSITIONS", M13), ("DATES", "1900/1901")]).await;
    assert_eq!(reasons(&none), ["no_matching_image"]);
    let of_band = "RA,DEC,BANDS\n250.4226,36.4602,90GHz\n";
    let (_, none) = run(&site, &[("POSITIONS", of_band)]).await;
    assert_eq!(reasons(&none), ["no_matching_image"]);
    let message = none["rows"][0]["message"].as_str().unwrap();
    assert!(message.ends_with("is of band 90GHz"), "{message}");
    for (asked, message) in [
        (
            [("BANDS", "90GHz")],
            "no image has the band &quot;90GHz&quot; (none has any)",
        ),
        ([("TYPES", "psth")], "no image has the type"),
        ([("TAGS", "1,2")], "no image has the observation or coadd tag"),
    ] {
        let form = [&[("PHASE", "RUN"), ("POSITIONS", M13)][..], &asked].concat();
        let refused = site.post(JOBS, &form).await.expect(400).text();
        assert!(
            refused
                .replace("&#34;", "&quot;")
                .replace('"', "&quot;")
                .contains(message),
            "{asked:?}: {refused}"
        );
    }
}

async fn edges_are_trimmed_padded_or_refused(backend: Backend) {
    let site = Site::start(backend).await;
    let _images = ingest(&site, backend, &m13s()[..2], false).await;
    // Near the image's eastern edge, 300 pixels of an arcsecond wide.
    let list = ("POSITIONS", "RA,DEC\n250.474,36.4602\n");
    let size = ("SIZE", "40px");
    let shape = |manifest: &Value, row: usize| {
        let row = &manifest["rows"][row];
        let [x0, x1, y0, y1] = ["x_min", "x_max", "y_min", "y_max"].map(|name| row[name].as_i64().unwrap());
        assert!(row["coverage"].as_f64().unwrap() < 1.0);
        [x0, x1 - x0 + 1, y1 - y0 + 1]
    };
    let (_, trimmed) = run(&site, &[list, size]).await;
    let (_, padded) = run(&site, &[list, size, ("EDGE", "pad")]).await;
    let (_, strict) = run(&site, &[list, size, ("EDGE", "strict")]).await;
    for row in 0..2 {
        let [first, width, height] = shape(&trimmed, row);
        assert!(first == 1 && width < 40 && height == 40, "{trimmed}");
        let [first, width, height] = shape(&padded, row);
        assert!(first < 1 && width == 40 && height == 40, "{padded}");
    }
    assert_eq!(reasons(&strict), ["outside_footprint"; 2]);
}

async fn bad_requests_are_named_before_anything_is_queued(backend: Backend) {
    let site = Site::start_with(backend, &[("SIDEREAL_CUTOUT__MAX_POSITIONS", "1000")]).await;
    let _images = ingest(&site, backend, &m13s()[..1], false).await;
    let long = format!("RA,DEC\n{}", "1,2\n".repeat(1_001));
    let faults: &[Fault<'_>] = &[
        (&[("POSITIONS", M13), ("NOPE", "1")], &["NOPE"]),
        (&[("POSITIONS", M13), ("SIZE", "1"), ("SIZE", "2")], &["SIZE"]),
        (&[("POSITIONS", M13), ("SIZE", "big")], &["SIZE", "big"]),
        (&[("POSITIONS", M13), ("SIZE", "0")], &["SIZE"]),
        (&[("POSITIONS", M13), ("SIZE", "-1")], &["SIZE"]),
        (&[("POSITIONS", M13), ("SIZE", "400deg")], &["SIZE", "10 deg"]),
        (
            &[("POSITIONS", M13), ("DATES", "yesterday/")],
            &["DATES", "yesterday"],
        ),
        (&[("POSITIONS", M13), ("EDGE", "round")], &["EDGE", "trim"]),
        (&[("POSITIONS", M13), ("FORMAT", "jpeg")], &["FORMAT"]),
        (
            &[("POSITIONS", M13), ("RESPONSEFORMAT", "image/jpeg")],
            &["RESPONSEFORMAT", "application/fits"],
        ),
        (
            &[("POSITIONS", M13), ("COLLECTION", "sea")],
            &["COLLECTION", "sea"],
        ),
        (
            &[("POSITIONS", M13), ("ID", "sky/none.fits")],
            &["ID", "none.fits"],
        ),
        (
            &[("POSITIONS", "RA,DEC\n360.1,0\n")],
            &["POSITIONS", "row 1", "360"],
        ),
        (
            &[("POSITIONS", "RA,DEC\n1,2\n3,91\n")],
            &["POSITIONS", "row 2", "90"],
        ),
        (
            &[("POSITIONS", "RA,DEC\n1,2\nx,3\n")],
            &["POSITIONS", "row 2", "x"],
        ),
        (&[("POSITIONS", "RA,DEC\n1,NaN\n")], &["POSITIONS", "row 1"]),
        (
            &[("POSITIONS", "RA,DEC,XSIZE\n1,2,-3\n")],
            &["POSITIONS", "row 1"],
        ),
        (&[("POSITIONS", "RA,DEC\n")], &["POSITIONS"]),
        (&[("POSITIONS", "")], &["POSITIONS"]),
        (&[("POSITIONS", "DEC,OBJID\n1,a\n")], &["POSITIONS", "RA"]),
        (&[("POSITIONS", &long)], &["POSITIONS", "1,000"]),
        (&[], &["POSITIONS"]),
    ];
    for (parameters, named) in faults {
        let mut form = vec![("PHASE", "RUN")];
        form.extend(*parameters);
        let answer = site.post(JOBS, &form).await.expect(400).text();
        assert!(
            answer.starts_with("UsageError") || answer.starts_with("MultiValued"),
            "{answer}"
        );
        let plain = answer.replace("1000", "1,000");
        for word in *named {
            assert!(
                plain.to_lowercase().contains(&word.to_lowercase()),
                "{parameters:?}: {word} in {answer}"
            );
        }
    }
    let workbook =
        reqwest::multipart::Part::bytes(b"PK\x03\x04 xl/workbook.xml".as_slice()).file_name("list.xlsx");
    let form = reqwest::multipart::Form::new()
        .text("PHASE", "RUN")
        .part("POSITIONS", workbook);
    let answer = site
        .send(site.request(Method::POST, JOBS).multipart(form))
        .await
        .expect(400)
        .text();
    assert!(
        answer.contains("POSITIONS") && answer.contains("spreadsheet"),
        "{answer}"
    );
    let jobs: Value = site.get_json(JOBS).await;
    assert_eq!(jobs["jobs"], serde_json::json!([]), "nothing was created");
}

async fn bad_images_are_rows_with_a_reason(backend: Backend) {
    let site = Site::start(backend).await;
    let [(_, plain), (_, rice), ..] = <[_; 5]>::try_from(m13s()).unwrap();
    let card = |bytes: &[u8], keyword: &str, value: &str| {
        let at = (0..)
            .step_by(80)
            .find(|at| bytes[*at..].starts_with(format!("{keyword:<8}=").as_bytes()))
            .unwrap();
        let mut bytes = bytes.to_vec();
        bytes[at..at + 80]
            .copy_from_slice(format!("{:<80}", format!("{keyword:<8}= {value:>20}")).as_bytes());
        bytes
    };
    // What is still readable when the catalogue is made fails later, when its pixels are wanted.
    let truncated = plain[..plain.len() / 2].to_vec();
    let mut no_tiles = rice.clone();
    no_tiles.truncate(rice.len() - 100 * 2_880 / 10);
    let images = [
        ("good.fits".to_owned(), plain.clone()),
        ("truncated.fits".to_owned(), truncated),
        ("tiles.fits".to_owned(), no_tiles),
        ("flat.fits".to_owned(), card(&plain, "CDELT2", "0.0")),
        ("endless.fits".to_owned(), plain[..2_880].to_vec()),
        (
            "huge.fits".to_owned(),
            card(&plain, "NAXIS1", "9223372036854775807"),
        ),
        ("text.fits".to_owned(), b"This is no FITS file.".to_vec()),
    ];
    let _folder = ingest(&site, backend, &images, true).await;
    let (_, manifest) = run(&site, &[("POSITIONS", M13), ("SIZE", "100px")]).await;
    let rows = manifest["rows"].as_array().unwrap();
    let reason = |image: &str| {
        let row = rows.iter().find(|row| row["image"] == image);
        row.map(|row| row["reason"].as_str().unwrap_or("ok").to_owned())
    };
    assert_eq!(reason("good.fits").as_deref(), Some("ok"), "{manifest}");
    assert_eq!(reason("flat.fits").as_deref(), Some("no_wcs"), "{manifest}");
    // These were not taken into the catalogue, or fail now: never a cutout, never the job's end.
    for image in [
        "truncated.fits",
        "tiles.fits",
        "endless.fits",
        "huge.fits",
        "text.fits",
    ] {
        let reason = reason(image);
        assert!(
            matches!(reason.as_deref(), None | Some("source_unreadable")),
            "{image}: {reason:?}"
        );
    }
}

#[tokio::test]
async fn past_a_thousand_files_all_are_listed_and_destroyed() {
    let site = Site::start(Backend::Embedded).await;
    let _images = ingest(&site, Backend::Embedded, &m13s()[..1], false).await;
    let list = (0..1_001).fold("RA,DEC,OBJID\n".to_owned(), |list, n| {
        list + &format!("250.4226,36.4602,o{n}\n")
    });
    let (job, manifest) = run(&site, &[("POSITIONS", &list), ("SIZE", "2px")]).await;
    assert_eq!(manifest["counts"]["ok"], 1_001);
    let document: Value = site.get_json(&job).await;
    // Each cutout, three manifests, and the other name of one.
    assert_eq!(document["results"].as_array().map(Vec::len), Some(1_005));
    // Sent in pieces, they are whole documents, and name the same in the same order.
    let listed: Value = site.get_json(&format!("{job}/results")).await;
    assert_eq!(listed["results"], document["results"]);
    for path in [job.clone(), format!("{job}/results")] {
        let text = site.get(&path).await.expect(200).text();
        let ids = text
            .split("<uws:result id=\"")
            .skip(1)
            .map(|rest| rest.split('"').next());
        let expected = document["results"].as_array().unwrap().iter();
        assert!(ids.eq(expected.map(|result| result["id"].as_str())), "{path}");
        assert!(
            text.ends_with("</uws:job>") || text.ends_with("</uws:results>"),
            "{path}"
        );
    }
    site.get(&format!("{job}/results/o1000_m13.fits"))
        .await
        .expect(200);
    // Each cutout, three manifests, the list; `result` is another name of a manifest.
    assert_eq!(site.object_names().await.len(), 1_005);
    site.delete(&job).await.expect(303);
    assert!(site.object_names().await.is_empty());
}
