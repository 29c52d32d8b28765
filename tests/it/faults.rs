//! Images that vanish, change, break off, fail or are slow while they are cut, jobs that are aborted meanwhile, and an
//! ingest that is cut short. The stores are stand-ins: see `harness::Images`.

use std::time::Duration;

use serde_json::Value;

use crate::{
    cutout::run,
    harness::{Backend, Images, Site, Trouble, on_both_back_ends, said},
};

on_both_back_ends!(
    images_that_fail_half_way_are_rows_and_the_rest_is_delivered,
    an_image_replaced_since_it_was_opened_is_cut_as_it_is_now,
    a_slow_store_holds_up_its_own_image_only,
    an_aborted_job_asks_its_store_no_more_and_leaves_its_slot,
    a_job_aborted_within_one_tile_leaves_its_slot,
    an_interrupted_ingest_goes_on_where_it_was,
);

const JOBS: &str = "/api/cutout/async";
/// Only to end a test that would hang.
const PATIENCE: Duration = Duration::from_mins(1);
const SIDE: usize = 300;
/// The middle of the images.
const MIDDLE: &str = "RA,DEC\n10,20\n";
/// All of an image is beyond the bytes that come with its headers, but for the first rows.
const PART: [(&str, &str); 2] = [("POSITIONS", MIDDLE), ("SIZE", "40px")];

/// A plain image, TAN about (10, 20): pixel (x, y), from 1, is `value` + x + y.
fn plain(value: i16) -> Vec<u8> {
    let mut bytes = header(&[
        "SIMPLE  = T".into(),
        "BITPIX  = 16".into(),
        "NAXIS   = 2".into(),
        format!("NAXIS1  = {SIDE}"),
        format!("NAXIS2  = {SIDE}"),
        "CTYPE1  = 'RA---TAN'".into(),
        "CTYPE2  = 'DEC--TAN'".into(),
        "CRVAL1  = 10.0".into(),
        "CRVAL2  = 20.0".into(),
        "CRPIX1  = 150.5".into(),
        "CRPIX2  = 150.5".into(),
        "CDELT1  = -0.001".into(),
        "CDELT2  = 0.001".into(),
    ]);
    for y in 1..=SIDE as i16 {
        for x in 1..=SIDE as i16 {
            bytes.extend((value + x + y).to_be_bytes());
        }
    }
    bytes.resize(bytes.len().next_multiple_of(2_880), 0);
    bytes
}

fn header(cards: &[String]) -> Vec<u8> {
    let cards = cards.iter().map(String::as_str).chain(["END"]);
    let mut bytes: Vec<u8> = cards
        .flat_map(|card| format!("{card:<80}").into_bytes())
        .collect();
    bytes.resize(bytes.len().next_multiple_of(2_880), b' ');
    bytes
}

/// The first pixel of a cutout whose header is one block.
fn first_pixel(file: &[u8]) -> i16 {
    i16::from_be_bytes([file[2_880], file[2_881]])
}

/// A server, its images in the collection `sky`.
async fn site(backend: Backend, images: &Images, names: &[&str]) -> Site {
    // One slot: who does not leave it is noticed.
    let site = Site::start_with(backend, &[("SIDEREAL_WORKERS", "1")]).await;
    let output = ingest(&site, images, names).output().await.unwrap();
    let found = said(&output);
    assert!(
        found.starts_with(&format!("{} images, 0 unchanged", names.len())),
        "{found}"
    );
    site
}

fn ingest(site: &Site, images: &Images, names: &[&str]) -> tokio::process::Command {
    let urls: Vec<String> = names.iter().map(|name| images.url(name)).collect();
    let mut arguments = vec!["ingest", "sky"];
    arguments.extend(urls.iter().map(String::as_str));
    site.command(&arguments)
}

/// Image and reason of each row, `ok` where there is a cutout.
fn outcomes(manifest: &Value) -> Vec<(&str, &str)> {
    let rows = manifest["rows"].as_array().unwrap();
    rows.iter()
        .map(|row| {
            let reason = row["reason"].as_str().unwrap_or("ok");
            (row["image"].as_str().unwrap(), reason)
        })
        .collect()
}

/// Begins a job.
async fn begin(site: &Site, parameters: &[(&str, &str)]) -> String {
    let mut form = vec![("PHASE", "RUN")];
    form.extend(parameters);
    site.post(JOBS, &form).await.expect(303).location().to_owned()
}

async fn images_that_fail_half_way_are_rows_and_the_rest_is_delivered(backend: Backend) {
    let names = [
        "a.fits",
        "gone.fits",
        "replaced.fits",
        "shrunk.fits",
        "breaks.fits",
        "fails.fits",
        "z.fits",
    ];
    let images = Images::serve(&names.map(|name| (name, plain(0)))).await;
    let site = site(backend, &images, &names).await;
    // Headers can still be read.
    images.trouble("gone.fits", 1, Trouble::Gone);
    images.trouble("replaced.fits", 1, Trouble::Replaced(plain(1_000)));
    images.trouble("shrunk.fits", 1, Trouble::Replaced(plain(0)[..100_000].to_vec()));
    images.trouble("breaks.fits", 1, Trouble::BreaksOff);
    images.trouble("fails.fits", 1, Trouble::Failing);
    let (job, manifest) = run(&site, &PART).await;
    let expected = [
        ("a.fits", "ok"),
        ("breaks.fits", "source_unreadable"),
        ("fails.fits", "source_unreadable"),
        ("gone.fits", "source_unreadable"),
        ("replaced.fits", "source_changed"),
        ("shrunk.fits", "source_changed"),
        ("z.fits", "ok"),
    ];
    assert_eq!(outcomes(&manifest), expected, "{manifest}");
    for row in manifest["rows"].as_array().unwrap() {
        assert_eq!(row["message"].is_null(), row["status"] == "ok", "{row}");
        assert!(
            row["source"].as_str().is_some() && row["etag"].as_str().is_some(),
            "{row}"
        );
        if let Some(name) = row["file"].as_str() {
            let file = site.get(&format!("{job}/results/{name}")).await.expect(200);
            assert_eq!(first_pixel(&file.body), 131 + 131);
        }
    }
    // Nothing of what went wrong stays: now they are as they are.
    for name in ["gone.fits", "breaks.fits", "fails.fits"] {
        images.replace(name, plain(7));
    }
    let (_, manifest) = run(&site, &PART).await;
    let reasons: Vec<&str> = outcomes(&manifest)
        .into_iter()
        .map(|(_, reason)| reason)
        .collect();
    assert_eq!(
        reasons,
        ["ok", "ok", "ok", "ok", "ok", "source_unreadable", "ok"],
        "{manifest}"
    );
}

async fn an_image_replaced_since_it_was_opened_is_cut_as_it_is_now(backend: Backend) {
    let images = Images::serve(&[("a.fits", plain(0)), ("b.fits", plain(0))]).await;
    let site = site(backend, &images, &["a.fits", "b.fits"]).await;
    let at_once = [("ID", "sky/a.fits"), PART[0], PART[1]];
    let sync = "/api/cutout/sync";
    let (_, before) = run(&site, &PART).await;
    assert_eq!(
        first_pixel(&site.post(sync, &at_once).await.expect(200).body),
        262
    );
    assert_eq!(before["rows"][0]["etag"], "version 1");

    // It is open still, and another by now; of another form, even.
    let mut moved = plain(1_000);
    let at = moved.windows(6).position(|card| card == b"CRPIX1").unwrap();
    moved[at..at + 15].copy_from_slice(b"CRPIX1  = 160.5");
    images.replace("a.fits", moved);
    let (job, after) = run(&site, &PART).await;
    assert_eq!(outcomes(&after), [("a.fits", "ok"), ("b.fits", "ok")]);
    let row = &after["rows"][0];
    assert_eq!(
        (&row["etag"], &row["x_min"]),
        (&"version 2".into(), &141.into()),
        "{row}"
    );
    let file = site
        .get(&format!("{job}/results/{}", row["file"].as_str().unwrap()))
        .await
        .expect(200);
    assert_eq!(first_pixel(&file.body), 1_000 + 141 + 131);

    // The same at once.
    images.replace("a.fits", plain(2_000));
    let now = site.post(sync, &at_once).await.expect(200);
    assert_eq!(first_pixel(&now.body), 2_262);
    // And where it is replaced once more as it is opened anew: the first answer is a refusal, the second its headers.
    images.replace("a.fits", plain(3_000));
    images.trouble("a.fits", 2, Trouble::Replaced(plain(4_000)));
    let (_, twice) = run(&site, &PART).await;
    assert_eq!(
        outcomes(&twice),
        [("a.fits", "source_changed"), ("b.fits", "ok")],
        "{twice}"
    );
    images.replace("a.fits", plain(5_000));
    images.trouble("a.fits", 1, Trouble::Gone);
    let gone = site.post(sync, &at_once).await;
    assert_eq!(gone.status, 502, "{}", gone.text());
    assert!(gone.text().starts_with("Error: "), "{}", gone.text());
}

async fn a_slow_store_holds_up_its_own_image_only(backend: Backend) {
    let names = ["a.fits", "b.fits", "c.fits", "d.fits", "e.fits", "f.fits"];
    let images = Images::serve(&names.map(|name| (name, plain(0)))).await;
    let site = site(backend, &images, &names).await;
    images.trouble("a.fits", 1, Trouble::Held);
    let job = begin(&site, &PART).await;
    images.until_asked("a.fits", 2).await;
    // All others are there for everybody to fetch.
    site.until_objects(|names| names.iter().filter(|name| name.contains(".fits")).count() == 5)
        .await;
    assert_eq!(site.get(&format!("{job}/phase")).await.text(), "EXECUTING");
    images.release();
    site.wait(&job, "COMPLETED").await;
    let manifest: Value = site
        .get(&format!("{job}/results/manifest.json"))
        .await
        .expect(200)
        .json();
    assert_eq!(manifest["counts"]["ok"], names.len());
}

async fn an_aborted_job_asks_its_store_no_more_and_leaves_its_slot(backend: Backend) {
    let names = ["a.fits", "b.fits", "c.fits"];
    // Two images in each: their headers take two requests.
    let (first, mut second) = (plain(0), plain(0));
    second.splice(..80, format!("{:<80}", "XTENSION= 'IMAGE   '").into_bytes());
    let two = [first, second].concat();
    let images = Images::serve(&names.map(|name| (name, two.clone()))).await;
    let site = site(backend, &images, &names).await;
    for held in [0, 2] {
        let before = names.map(|name| images.asked(name));
        for name in names {
            images.trouble(name, held, Trouble::Held);
        }
        let job = begin(&site, &PART).await;
        // The headers, or the pixels, are on their way.
        for (name, before) in names.iter().zip(before) {
            images.until_asked(name, before + held + 1).await;
        }
        site.post(&format!("{job}/phase"), &[("PHASE", "ABORT")])
            .await
            .expect(303);
        site.wait(&job, "ABORTED").await;
        // The only slot is free while the store is still silent.
        let echo = site
            .post("/api/echo/async", &[("PHASE", "RUN")])
            .await
            .expect(303);
        site.wait(echo.location(), "COMPLETED").await;
        let asked = names.map(|name| images.asked(name));
        images.release();
        let echo = site
            .post("/api/echo/async", &[("PHASE", "RUN")])
            .await
            .expect(303);
        site.wait(echo.location(), "COMPLETED").await;
        assert_eq!(names.map(|name| images.asked(name)), asked);
        let document: Value = site.get_json(&job).await;
        assert_eq!(document["results"], serde_json::json!([]));
    }
    let (_, manifest) = run(&site, &PART).await;
    assert_eq!(manifest["counts"]["ok"], names.len());
}

async fn a_job_aborted_within_one_tile_leaves_its_slot(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    let script = "import sys, numpy\nfrom astropy.io import fits\n\
        noise = numpy.random.default_rng(1).integers(0, 1 << 30, (3000, 3000)).astype('i4')\n\
        cards = fits.Header(dict(CTYPE1='RA---TAN', CTYPE2='DEC--TAN', CRVAL1=10., CRVAL2=20., CRPIX1=1500.5,\n\
        CRPIX2=1500.5, CDELT1=-.001, CDELT2=.001))\n\
        fits.CompImageHDU(noise, cards, compression_type='GZIP_2', tile_shape=noise.shape).writeto(sys.argv[1])";
    let file = folder.path().join("tile.fits");
    let python = concat!(env!("CARGO_MANIFEST_DIR"), "/target/venv/bin/python");
    let made = tokio::process::Command::new(python)
        .args(["-c", script, file.to_str().unwrap()])
        .output()
        .await
        .unwrap();
    said(&made);
    let images = Images::serve(&[("tile.fits", std::fs::read(&file).unwrap())]).await;
    let site = site(backend, &images, &["tile.fits"]).await;
    let asked = images.asked("tile.fits");
    for _ in 0..3 {
        let job = begin(&site, &PART).await;
        // The tile was asked for: it arrives, or is being decoded.
        images.until_asked("tile.fits", asked + 2).await;
        site.post(&format!("{job}/phase"), &[("PHASE", "ABORT")])
            .await
            .expect(303);
        let phase = site
            .get(&format!("{job}?WAIT=50&PHASE=EXECUTING"))
            .await
            .expect(200);
        let text = phase.text();
        assert!(text.contains("ABORTED") || text.contains("COMPLETED"), "{text}");
        let echo = site
            .post("/api/echo/async", &[("PHASE", "RUN")])
            .await
            .expect(303);
        site.wait(echo.location(), "COMPLETED").await;
    }
    let (_, manifest) = run(&site, &PART).await;
    assert_eq!(manifest["counts"]["ok"], 1);
}

async fn an_interrupted_ingest_goes_on_where_it_was(backend: Backend) {
    let names = ["a.fits", "b.fits", "c.fits", "d.fits"];
    let images = Images::serve(&names.map(|name| (name, plain(0)))).await;
    let site = Site::start(backend).await;
    images.trouble("c.fits", 0, Trouble::Held);
    let mut first = ingest(&site, &images, &names).kill_on_drop(true).spawn().unwrap();
    until_catalogued(&site, 2).await;
    first.kill().await.unwrap();
    images.release();
    let again = ingest(&site, &images, &names).output().await.unwrap();
    assert_eq!(said(&again), "4 images, 2 unchanged, 0 unreadable\n");
    until_catalogued(&site, 4).await;
}

/// Looks into the catalogue until it has so many images.
async fn until_catalogued(site: &Site, count: u64) {
    // Nothing tells of what another program writes.
    let mut turns = tokio::time::interval(Duration::from_millis(50));
    let looking = async {
        loop {
            turns.tick().await;
            let found: Value = site.get_json("/api/v1/cutout/collections").await;
            let images = &found["items"][0]["images"];
            if images == count {
                return;
            }
        }
    };
    let done = tokio::time::timeout(PATIENCE, looking).await;
    assert!(done.is_ok(), "{count} images are not there");
}
