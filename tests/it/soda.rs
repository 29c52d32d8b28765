//! SODA's parameters, by jobs and at once (SODA 1.0): shapes, multiplicities, empty answers, labels of errors.

use serde_json::Value;

use crate::{
    cutout::ingest,
    harness::{Backend, Reply, Site, on_both_back_ends},
    readme::m13,
};

on_both_back_ends!(
    a_cutout_is_answered_at_once,
    what_cannot_be_answered_is_said_with_its_label,
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
