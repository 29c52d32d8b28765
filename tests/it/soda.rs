//! SODA's parameters, by jobs and at once (SODA 1.0): shapes, multiplicities, empty answers, labels of errors.

use object_store::ObjectStoreExt;
use serde_json::Value;

use crate::{
    cutout::{ingest, run},
    harness::{Backend, Reply, Site, on_both_back_ends},
    readme::m13,
};

on_both_back_ends!(
    a_cutout_is_answered_at_once,
    what_cannot_be_answered_is_said_with_its_label,
    what_an_image_is_to_blame_for_is_no_fault_of_the_server,
    a_box_without_weight_is_nothing_at_once_too,
    what_is_too_large_is_told_by_what_was_given_and_by_the_setting,
    responseformat_and_format_mean_the_same,
    services_without_an_answer_of_their_own_run_a_job,
    a_job_has_a_result_for_each_combination,
);

const SYNC: &str = "/api/cutout/sync";
const CIRCLE: &str = "250.4226 36.4602 0.005";

/// The image of M13 as `sky/a.fits` and as `sky/b.fits`.
async fn site(backend: Backend) -> (Site, tempfile::TempDir) {
    let site = Site::start(backend).await;
    let image = std::fs::read(m13()).unwrap();
    let images = ["a.fits", "b.fits"].map(|name| (name.to_owned(), image.clone()));
    let folder = ingest(&site, backend, &images, false).await;
    (site, folder)
}

fn query(parameters: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish();
    format!("{SYNC}?{query}")
}

/// The value of a card of the first header.
fn card(body: &[u8], name: &str) -> Option<String> {
    let cards = body.chunks(80).map(String::from_utf8_lossy);
    let mut header = cards.take_while(|card| card.trim_end() != "END");
    let card = header.find(|card| card.starts_with(&format!("{name:<8}=")))?;
    Some(
        card[10..]
            .split('/')
            .next()
            .unwrap_or_default()
            .trim()
            .trim_matches('\'')
            .trim()
            .to_owned(),
    )
}

fn starts(reply: &Reply, label: &str) {
    assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
    assert!(
        reply.text().starts_with(&format!("{label}: ")),
        "{}",
        reply.text()
    );
}

async fn a_cutout_is_answered_at_once(backend: Backend) {
    let (site, _folder) = site(backend).await;
    let asked = [("ID", "sky/a.fits"), ("CIRCLE", CIRCLE)];
    for reply in [site.get(&query(&asked)).await, site.post(SYNC, &asked).await] {
        let reply = reply.expect(200);
        assert_eq!(reply.header("content-type"), Some("application/fits"));
        let disposition = reply.header("content-disposition").unwrap();
        assert!(
            disposition.contains("J164141.42+362736.7") && disposition.contains(".fits"),
            "{disposition}"
        );
        assert!(reply.header("etag").is_some_and(|tag| tag.starts_with("W/\"")));
        assert!(reply.body.starts_with(b"SIMPLE  =                    T") && reply.body.len() % 2880 == 0);
        assert_eq!(
            card(&reply.body, "CUTPOS").as_deref(),
            Some("CIRCLE 250.4226 36.4602 0.005")
        );
        assert_eq!(card(&reply.body, "CUTEDGE").as_deref(), Some("trim"));
    }
    let jobs: Value = site.get_json("/api/cutout/async").await;
    assert_eq!(jobs["jobs"], Value::Array(Vec::new()), "no job was made");
    // Half the width of a box is the radius.
    let sides =
        |body: &[u8]| ["NAXIS1", "NAXIS2"].map(|name| card(body, name).unwrap().parse::<f64>().unwrap());
    let circle = sides(&site.get(&query(&asked)).await.expect(200).body);
    let boxed = [
        ("ID", "sky/a.fits"),
        ("POSITIONS", "RA,DEC,SIZE\n250.4226,36.4602,0.01deg\n"),
    ];
    let boxed = sides(&site.post(SYNC, &boxed).await.expect(200).body);
    assert!(
        (circle[0] - boxed[0]).abs() <= 1.0 && (circle[1] - boxed[1]).abs() <= 1.0,
        "{circle:?} {boxed:?}"
    );
    let whole = sides(&site.get(&query(&[("ID", "sky/a.fits")])).await.expect(200).body);
    assert!(whole[0] > circle[0] && whole[1] > circle[1]);
    let known = site.get(&query(&asked)).await.expect(200);
    let request = site.request(reqwest::Method::GET, &query(&asked));
    let again = site
        .send(request.header("if-none-match", known.header("etag").unwrap()))
        .await;
    assert_eq!(again.expect(304).body.len(), 0);
}

async fn what_cannot_be_answered_is_said_with_its_label(backend: Backend) {
    let (site, _folder) = site(backend).await;
    let nothing = [("ID", "sky/a.fits"), ("CIRCLE", "10 -20 0.1")];
    assert_eq!(site.get(&query(&nothing)).await.expect(204).body.len(), 0);
    for (asked, label, named) in [
        (&[("CIRCLE", CIRCLE)][..], "UsageError", "several images hold it"),
        (
            &[("ID", "sky/a.fits"), ("CIRCLE", "1 2")],
            "UsageError",
            "CIRCLE: a circle has 2 values",
        ),
        (
            &[("ID", "sky/a.fits"), ("POS", "BOX 1 2 3 4")],
            "UsageError",
            "RANGE",
        ),
        (&[("ID", "sky/no.fits")], "UsageError", "no.fits"),
        (
            &[("ID", "sky/a.fits"), ("CIRCLE", CIRCLE), ("HDUS", "NOPE")],
            "UsageError",
            "HDUS: the file has no image HDU NOPE",
        ),
        (&[("BAND", "1 2")], "UsageError", "CIRCLE"),
        (
            &[
                ("ID", "sky/a.fits"),
                ("EDGE", "strict"),
                ("CIRCLE", "250.4226 36.4602 20"),
            ],
            "UsageError",
            "EDGE",
        ),
        (
            &[("ID", "sky/a.fits"), ("RESPONSEFORMAT", "csv")],
            "UsageError",
            "RESPONSEFORMAT",
        ),
        (
            &[("ID", "sky/a.fits"), ("CIRCLE", CIRCLE), ("CIRCLE", CIRCLE)],
            "MultiValuedParamNotSupported",
            "async",
        ),
        (
            &[("ID", "sky/a.fits"), ("POSITIONS", "RA,DEC\n1,2\n1,2\n")],
            "UsageError",
            "async",
        ),
    ] {
        let reply = site.get(&query(asked)).await.expect(400);
        starts(&reply, label);
        assert!(reply.text().contains(named), "{}", reply.text());
    }
    let foreign = site
        .request(reqwest::Method::GET, &query(&nothing))
        .header("sec-fetch-site", "cross-site");
    site.send(foreign).await.expect(403);
    site.get("/api/nothing/sync").await.expect(404);
}

async fn what_an_image_is_to_blame_for_is_no_fault_of_the_server(backend: Backend) {
    let site = Site::start(backend).await;
    let mut image = std::fs::read(m13()).unwrap();
    let whole = image.clone();
    for at in (0..image.len() - 8).step_by(80) {
        if &image[at..at + 8] == b"CTYPE1  " {
            let name = image[at..at + 80].windows(8).position(|word| word == b"RA---TAN");
            let name = at + name.unwrap();
            image[name..name + 8].copy_from_slice(b"RA---XYZ");
            break;
        }
    }
    let images = [("xyz.fits".to_owned(), image), ("gone.fits".to_owned(), whole)];
    let folder = ingest(&site, backend, &images, true).await;
    let odd = site
        .get(&query(&[("ID", "sky/xyz.fits"), ("CIRCLE", CIRCLE)]))
        .await
        .expect(422);
    starts(&odd, "Error");
    assert!(odd.text().contains("coordinates of HDU 0"), "{}", odd.text());
    if backend == Backend::Cluster {
        site.objects().delete(&"sky/gone.fits".into()).await.unwrap();
    } else {
        std::fs::remove_file(folder.path().join("gone.fits")).unwrap();
    }
    let gone = site
        .get(&query(&[("ID", "sky/gone.fits"), ("CIRCLE", CIRCLE)]))
        .await
        .expect(502);
    starts(&gone, "Error");
}

/// The image with weights beside it, all of them 0.
fn without_weight(mut image: Vec<u8>) -> Vec<u8> {
    let side = |name: &str| card(&image, name).unwrap().parse::<usize>().unwrap();
    let sides = [side("NAXIS1"), side("NAXIS2")];
    let mut header = String::new();
    for (name, value) in [
        ("XTENSION", "'IMAGE   '".to_owned()),
        ("BITPIX", "8".into()),
        ("NAXIS", "2".into()),
        ("NAXIS1", sides[0].to_string()),
        ("NAXIS2", sides[1].to_string()),
        ("PCOUNT", "0".into()),
        ("GCOUNT", "1".into()),
        ("EXTNAME", "'WGT     '".into()),
    ] {
        let value = format!("{name:<8}= {value:>20}");
        header = format!("{header}{value:<80}");
    }
    header.push_str("END");
    image.extend(format!("{header:<2880}").into_bytes());
    let pixels = (sides[0] * sides[1]).next_multiple_of(2_880);
    image.resize(image.len() + pixels, 0);
    image
}

async fn a_box_without_weight_is_nothing_at_once_too(backend: Backend) {
    let site = Site::start(backend).await;
    let image = without_weight(std::fs::read(m13()).unwrap());
    let _folder = ingest(&site, backend, &[("a.fits".to_owned(), image)], false).await;
    let asked = [("ID", "sky/a.fits"), ("CIRCLE", CIRCLE)];
    let (_, manifest) = run(&site, &asked).await;
    assert_eq!(manifest["rows"][0]["reason"], "zero_weight");
    site.get(&query(&asked)).await.expect(204);
    // Who asks for the weights alone gets them.
    let alone = [asked[0], asked[1], ("HDUS", "WGT")];
    site.get(&query(&alone)).await.expect(200);
}

async fn what_is_too_large_is_told_by_what_was_given_and_by_the_setting(backend: Backend) {
    let site = Site::start_with(backend, &[("SIDEREAL_CUTOUT__MEMORY", "1 MiB")]).await;
    // 400 kB of pixels fit twice, as they are cut and as a file, and no more.
    let side = |at: usize| format!("{at:>20}");
    let mut header = String::new();
    for (name, value) in [
        ("SIMPLE", format!("{:>20}", "T")),
        ("BITPIX", side(8)),
        ("NAXIS", side(2)),
        ("NAXIS1", side(1_000)),
        ("NAXIS2", side(1_000)),
        ("CTYPE1", "'RA---TAN'".into()),
        ("CTYPE2", "'DEC--TAN'".into()),
        ("CRVAL1", side(10)),
        ("CRVAL2", side(20)),
        ("CRPIX1", side(500)),
        ("CRPIX2", side(500)),
        ("CDELT1", format!("{:>20}", "-0.001")),
        ("CDELT2", format!("{:>20}", "0.001")),
    ] {
        let value = format!("{name:<8}= {value}");
        header = format!("{header}{value:<80}");
    }
    header.push_str("END");
    let mut image = format!("{header:<2880}").into_bytes();
    // Every value, so that none can mark what is padded.
    image.extend((0..1_000_000_usize).map(|at| (at % 256) as u8));
    image.resize(2_880 + 1_000_000_usize.next_multiple_of(2_880), 0);
    let _folder = ingest(&site, backend, &[("a.fits".to_owned(), image)], false).await;
    for (name, value) in [
        ("CIRCLE", "10 20 0.45"),
        ("POS", "RANGE 9.6 10.4 19.6 20.4"),
        ("EDGE", "trim"),
    ] {
        let reply = site
            .get(&query(&[("ID", "sky/a.fits"), (name, value)]))
            .await
            .expect(400);
        let name = if name == "EDGE" { "ID" } else { name };
        let text = reply.text();
        assert!(
            text.starts_with(&format!("UsageError: {name}: ")) && text.contains("cutout.memory"),
            "{text}"
        );
    }
    let pad = [("ID", "sky/a.fits"), ("CIRCLE", "10 20.49 0.05"), ("EDGE", "pad")];
    let text = site.get(&query(&pad)).await.expect(400).text();
    assert!(
        text.starts_with("UsageError: EDGE: ") && text.contains("cannot be padded"),
        "{text}"
    );
    // What fits a job fits at once, too.
    let fits = [("ID", "sky/a.fits"), ("CIRCLE", "10 20 0.3")];
    assert_eq!(run(&site, &fits).await.1["rows"][0]["status"], "ok");
    site.get(&query(&fits)).await.expect(200);
}

async fn responseformat_and_format_mean_the_same(backend: Backend) {
    let (site, _folder) = site(backend).await;
    for name in ["FORMAT", "RESPONSEFORMAT"] {
        for (value, media_type, begins) in [
            ("fits", "application/fits", &b"SIMPLE  ="[..]),
            ("application/fits", "application/fits", b"SIMPLE  ="),
            ("fits.fz", "application/fits", b"SIMPLE  ="),
            ("png", "image/png", b"\x89PNG"),
            ("image/png", "image/png", b"\x89PNG"),
        ] {
            let asked = [("ID", "sky/a.fits"), ("CIRCLE", CIRCLE), (name, value)];
            let reply = site.get(&query(&asked)).await.expect(200);
            let named = reply.header("content-disposition").unwrap_or_default();
            assert!(
                reply.header("content-type") == Some(media_type) && reply.body.starts_with(begins),
                "{name}={value}"
            );
            assert!(
                named.contains(if media_type == "image/png" {
                    ".png\""
                } else {
                    ".fits"
                }),
                "{name}={value}: {named}"
            );
        }
    }
    let twice = [
        ("ID", "sky/a.fits"),
        ("FORMAT", "fits"),
        ("RESPONSEFORMAT", "image/png"),
    ];
    let reply = site.get(&query(&twice)).await.expect(400);
    assert!(
        reply.text().contains("RESPONSEFORMAT: is png, FORMAT is fits"),
        "{}",
        reply.text()
    );
}

async fn services_without_an_answer_of_their_own_run_a_job(backend: Backend) {
    let site = Site::start(backend).await;
    let reply = site.get("/api/echo/sync?WORD=a&word=b").await.expect(200);
    assert_eq!(reply.json::<Value>(), serde_json::json!({"WORD": ["a", "b"]}));
    let failed = site
        .post("/api/echo/sync", &[("FAIL", "fatal")])
        .await
        .expect(500);
    starts(&failed, "Error");
    let jobs: Value = site.get_json("/api/echo/async").await;
    assert_eq!(jobs["jobs"].as_array().map(Vec::len), Some(2));
}

async fn a_job_has_a_result_for_each_combination(backend: Backend) {
    let (site, _folder) = site(backend).await;
    let missing = site
        .post("/api/cutout/async", &[("PHASE", "RUN"), ("BAND", "1 2")])
        .await;
    assert!(missing.expect(400).text().contains("CIRCLE"));
    let created = site
        .post(
            "/api/cutout/async",
            &[
                ("PHASE", "RUN"),
                ("ID", "sky/a.fits"),
                ("CIRCLE", CIRCLE),
                ("CIRCLE", "10 -20 0.1"),
                ("BAND", "-Inf +Inf"),
                ("BAND", "1e-9 +Inf"),
            ],
        )
        .await
        .expect(303);
    let job = created.location().to_owned();
    site.wait(&job, "COMPLETED").await;
    let manifest: Value = site.get_json(&format!("{job}/results/manifest.json")).await;
    let rows = manifest["rows"].as_array().unwrap();
    let told: Vec<_> = rows
        .iter()
        .map(|row| (row["row"].as_u64(), row["status"].as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (Some(1), Some("ok")),
            (Some(2), Some("ok")),
            (Some(3), Some("failed")),
            (Some(4), Some("failed")),
        ]
    );
    // Where there is no cutout a client of SODA reads why.
    for name in ["empty_1.txt", "empty_2.txt"] {
        let text = site.get(&format!("{job}/results/{name}")).await.expect(200);
        assert!(text.header("content-type").unwrap().starts_with("text/plain"));
        assert!(text.text().starts_with("UsageError: "), "{}", text.text());
    }
}
