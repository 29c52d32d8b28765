//! The face towards the Virtual Observatory, seen by its own clients: pyvo finds an image and what can be had of it by
//! one URL, STILTS has nothing to say against the documents.

use std::{io::Write, path::Path};

use flate2::{Compression, write::GzEncoder};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::{
    cutout::ingest,
    harness::{Backend, Reply, Site, on_both_back_ends, oracle},
    readme::m13,
    uws::xml::Element,
};

on_both_back_ends!(
    pyvo_finds_an_image_and_what_can_be_had_of_it_by_one_url,
    stilts_has_nothing_to_say_against_the_documents,
    queries_say_what_is_wrong_and_when_there_is_more,
    a_whole_image_is_served_in_parts_and_nothing_beside_it,
    an_image_that_is_kept_compressed_is_served_as_what_it_is,
    pages_of_other_origins_read_nothing_without_login_unless_it_is_asked_for,
    standard_parameters_are_told_from_our_own,
    the_catalogue_is_told_as_json,
    examples_are_of_an_image_that_is_there,
);

const QUERY: &str = "/api/cutout/query";
const ALLOWED: &str = "access-control-allow-origin";
const DID: &str = "ivo://sidereal/cutout?sky/m13.fits";

/// A server with the image of M13 in the collection `sky`.
async fn sky(backend: Backend) -> Site {
    let site = Site::start(backend).await;
    let output = site.run(&["ingest", "sky", m13().to_str().unwrap()]).await;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    site
}

/// A query's answer.
async fn query(site: &Site, parameters: &[(&str, &str)]) -> Reply {
    site.send(site.request(Method::GET, QUERY).query(parameters))
        .await
}

/// The rows of a VOTable, and its statuses.
fn table(reply: &Reply) -> (usize, Vec<String>) {
    let document = Element::of(reply);
    let resource = document.child("votable:RESOURCE");
    let statuses = resource
        .children
        .iter()
        .filter(|child| child.name == "votable:INFO");
    let statuses = statuses.map(|info| info.attribute("value").to_owned()).collect();
    let rows = resource.find("votable:TABLE").map_or(0, |table| {
        table
            .child("votable:DATA")
            .child("votable:TABLEDATA")
            .children
            .len()
    });
    (rows, statuses)
}

async fn pyvo_finds_an_image_and_what_can_be_had_of_it_by_one_url(backend: Backend) {
    let site = sky(backend).await;
    let service = format!("{}/api/cutout", site.address);
    let told = oracle("pyvo_images.py", &[&service, "250.4226", "36.4602"]).await;
    let size = std::fs::metadata(m13()).unwrap().len();
    let region = told["found"][0][4].as_str().unwrap_or_default().to_owned();
    assert!(region.starts_with("POLYGON ICRS 250."), "{told}");
    let kinds = json!(["#cutout", "#cutout", "#preview", "#this"]);
    assert_eq!(
        told,
        json!({
            "found": [["sky", DID, "image", "application/x-votable+xml;content=datalink", region]],
            "elsewhere": 0,
            "bounded": 1,
            "links": kinds,
            "same": kinds,
            "preview": "image/png",
            "this": ["application/fits", size, size],
            "services": ["soda-async-1", "soda-sync-1"],
            "inputs": told["inputs"],
            "processed": [
                [true, "CIRCLE", true],
                [true, "POLYGON", true],
                [true, "RANGE", true],
                [true, "CIRCLE", true],
            ],
            "first": ["soda-sync-1", [true, "CIRCLE", true]],
        })
    );
    let inputs: Vec<&str> = told["inputs"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(
        ["CIRCLE", "ID", "POLYGON", "POS"]
            .iter()
            .all(|name| inputs.contains(name)),
        "{told}"
    );
}

/// What STILTS says.
async fn stilts(arguments: &[&str]) -> String {
    let ran = Command::new("stilts")
        .args(arguments)
        .kill_on_drop(true)
        .output()
        .await;
    let output = ran.expect("stilts; `make test` installs it");
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    assert!(output.status.success(), "{arguments:?}: {}", said.concat());
    said.concat()
}

fn saved(folder: &Path, name: &str, reply: Reply) -> String {
    let path = folder.join(name);
    std::fs::write(&path, reply.expect(200).body).unwrap();
    path.to_str().unwrap().to_owned()
}

async fn stilts_has_nothing_to_say_against_the_documents(backend: Backend) {
    let site = sky(backend).await;
    let folder = tempfile::tempdir().unwrap();
    let links =
        |ids: &'static [(&str, &str)]| site.send(site.request(Method::GET, "/api/cutout/links").query(ids));
    let found = saved(
        folder.path(),
        "found.vot",
        query(&site, &[("POS", "CIRCLE 250.4226 36.4602 1")]).await,
    );
    let none = saved(folder.path(), "none.vot", query(&site, &[("MAXREC", "0")]).await);
    let two = saved(
        folder.path(),
        "two.vot",
        links(&[("ID", DID), ("ID", "sky/none.fits")]).await,
    );
    let empty = saved(folder.path(), "empty.vot", links(&[]).await);
    for document in [&found, &none, &two, &empty] {
        let said = stilts(&["votlint", "validate=true", document]).await;
        assert_eq!(said.trim(), "", "{document}");
    }
    for document in [&two, &empty] {
        let said = stilts(&["datalinklint", "report=EW", document]).await;
        let faults: Vec<&str> = said.lines().filter(|line| line.starts_with(['E', 'W'])).collect();
        assert!(faults.is_empty(), "{said}");
    }
    let url = format!("votable={}/api/cutout/links?ID=sky/m13.fits", site.address);
    let said = stilts(&["datalinklint", "report=EW", &url]).await;
    assert!(!said.lines().any(|line| line.starts_with(['E', 'W'])), "{said}");
    // As TOPCAT reads it.
    let input = format!("in={found}");
    let columns = "cmd=keepcols 'obs_id s_xel1 obs_publisher_did'";
    let lines = stilts(&["tpipe", &input, "ifmt=votable", columns, "ofmt=csv"]).await;
    assert!(
        lines.lines().nth(1).is_some_and(|row| row.ends_with(DID)),
        "{lines}"
    );
}

async fn queries_say_what_is_wrong_and_when_there_is_more(backend: Backend) {
    let site = sky(backend).await;
    let ok = || vec!["OK".to_owned()];
    let overflow = || vec!["OK".to_owned(), "OVERFLOW".to_owned()];
    for (parameters, expected) in [
        (&[("POS", "CIRCLE 250.4226 36.4602 0.001")][..], (1, ok())),
        (&[("pos", "RANGE 250 251 36 37"), ("MAXREC", "1")], (1, ok())),
        (
            &[
                ("POS", "CIRCLE 10 10 1"),
                ("POS", "POLYGON 250 36 251 36 251 37 250 37"),
            ],
            (1, ok()),
        ),
        (&[("POS", "CIRCLE 70 -36 10")], (0, ok())),
        (&[("COLLECTION", "sky"), ("NOTHING", "of ours")], (1, ok())),
        (&[("COLLECTION", "none")], (0, ok())),
        (&[("ID", DID)], (1, ok())),
        (&[("ID", "sky/m13.fits")], (1, ok())),
        (&[("ID", "ivo://other/image")], (0, ok())),
        (&[("MAXREC", "0")], (0, overflow())),
        (&[("DPTYPE", "cube")], (0, ok())),
    ] {
        assert_eq!(
            table(&query(&site, parameters).await.expect(200)),
            expected,
            "{parameters:?}"
        );
        let posted = site.post(QUERY, parameters).await.expect(200);
        assert_eq!(table(&posted), expected, "{parameters:?}");
    }
    for (name, value) in [
        ("POS", "CIRCLE 1 2"),
        ("BAND", "2 1"),
        ("MAXREC", "x"),
        ("RESPONSEFORMAT", "png"),
    ] {
        let reply = query(&site, &[(name, value)]).await.expect(400);
        assert_eq!(table(&reply), (0, vec!["ERROR".to_owned()]));
        assert!(
            reply.text().contains(&format!("UsageError: {name}: ")),
            "{}",
            reply.text()
        );
    }
    let xml = query(&site, &[("RESPONSEFORMAT", "text/xml")]).await.expect(200);
    assert_eq!(xml.header("content-type"), Some("text/xml"));
    // A second image: one row is not all.
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(m13(), folder.path().join("<b> & c.fits")).unwrap();
    site.run(&["ingest", "sky", folder.path().to_str().unwrap()])
        .await;
    let all = query(&site, &[]).await.expect(200);
    assert_eq!(table(&all), (2, ok()));
    assert_eq!(table(&query(&site, &[("MAXREC", "1")]).await), (1, overflow()));
    assert_eq!(
        table(&query(&site, &[("ID", "sky/<b> & c.fits")]).await),
        (1, ok())
    );
    // Each leads to its own links.
    let urls = Element::of(&all);
    let rows = urls
        .child("votable:RESOURCE")
        .child("votable:TABLE")
        .child("votable:DATA")
        .child("votable:TABLEDATA");
    for row in &rows.children {
        let links = site.get(&row.children[5].text).await.expect(200);
        assert!(!links.text().contains("NotFoundFault"), "{}", links.text());
        assert_eq!(
            links.header("content-type"),
            Some("application/x-votable+xml;content=datalink")
        );
    }
}

async fn a_whole_image_is_served_in_parts_and_nothing_beside_it(backend: Backend) {
    let site = sky(backend).await;
    let bytes = std::fs::read(m13()).unwrap();
    let whole = site.get("/api/cutout/image?ID=sky/m13.fits").await.expect(200);
    assert_eq!(
        (whole.header("content-type"), &whole.body[..]),
        (Some("application/fits"), &bytes[..])
    );
    let tag = whole.header("etag").unwrap().to_owned();
    let asked = |name: &'static str, value: &str| {
        site.request(Method::GET, "/api/cutout/image?ID=sky/m13.fits")
            .header(name, value)
    };
    let part = site.send(asked("Range", "bytes=80-159")).await.expect(206);
    assert_eq!(part.body, bytes[80..160]);
    site.send(asked("If-None-Match", &tag)).await.expect(304);
    site.send(asked("Range", "bytes=99999999-")).await.expect(416);
    let head = site
        .send(site.request(Method::HEAD, "/api/cutout/image?ID=sky/m13.fits"))
        .await
        .expect(200);
    assert!(head.body.is_empty());
    for id in [
        "sky/../m13.fits",
        "sky/%2e%2e/m13.fits",
        "../etc/passwd",
        "sky//etc/passwd",
        "m13.fits",
        "none/m13.fits",
    ] {
        site.send(
            site.request(Method::GET, "/api/cutout/image")
                .query(&[("ID", id)]),
        )
        .await
        .expect(404);
    }
    site.get("/api/cutout/image").await.expect(400);
}

async fn an_image_that_is_kept_compressed_is_served_as_what_it_is(backend: Backend) {
    let site = Site::start(backend).await;
    let image = std::fs::read(m13()).unwrap();
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&image).unwrap();
    let _folder = ingest(
        &site,
        backend,
        &[("a.FITS.gz".into(), packed.finish().unwrap())],
        false,
    )
    .await;
    let whole = site.get("/api/cutout/image?ID=sky/a.FITS.gz").await.expect(200);
    assert_eq!(whole.header("content-type"), Some("application/fits"));
    let named = whole.header("content-disposition").unwrap();
    assert!(named.contains("a.FITS\"") && !named.contains(".gz"), "{named}");
    assert!(whole.body == image, "it is inflated");
    let links = site.get("/api/cutout/links?ID=sky/a.FITS.gz").await.expect(200);
    let rows = Element::of(&links);
    let table = rows
        .child("votable:RESOURCE")
        .child("votable:TABLE")
        .child("votable:DATA");
    let this = &table.child("votable:TABLEDATA").children[0];
    let cells: Vec<&str> = this.children.iter().map(|cell| cell.text.as_str()).collect();
    assert_eq!(
        cells[5..8],
        ["#this", "application/fits", &image.len().to_string()]
    );
}

async fn pages_of_other_origins_read_nothing_without_login_unless_it_is_asked_for(backend: Backend) {
    let mut site = sky(backend).await;
    let from = |site: &Site, method: Method| {
        site.request(method, "/api/cutout/query?MAXREC=1")
            .header("Origin", "https://aladin.example.org")
            .header("Access-Control-Request-Method", "GET")
    };
    let closed = site.send(from(&site, Method::GET)).await.expect(200);
    assert_eq!(closed.header(ALLOWED), None);
    let asked = site.send(from(&site, Method::OPTIONS)).await.expect(405);
    assert_eq!(asked.header(ALLOWED), None);
    let open = site.replica_with(&[("SIDEREAL_CROSS_ORIGIN", "true")]).await;
    site.stop().await;
    let ask = async |path: &str| {
        let request = open
            .request(Method::GET, path)
            .header("Origin", "https://aladin.example.org")
            .header("Sec-Fetch-Site", "cross-site");
        open.send(request).await
    };
    let read = ask("/api/cutout/query?MAXREC=1").await.expect(200);
    assert_eq!(read.header(ALLOWED), Some("*"));
    // Who asks is not known by a token: no page of another site makes a job.
    ask("/api/cutout/sync?ID=sky/m13.fits").await.expect(403);
    assert_eq!(ask("/api/cutout/async").await.header(ALLOWED), None);
}

async fn standard_parameters_are_told_from_our_own(backend: Backend) {
    let site = Site::start(backend).await;
    let document = site.get("/api/cutout/capabilities").await.expect(200).text();
    let (_, soda) = document.split_once("SODA#sync-1.0").unwrap();
    let (soda, _) = soda.split_once("</capability>").unwrap();
    for (name, std) in [
        ("ID", true),
        ("POS", true),
        ("CIRCLE", true),
        ("POLYGON", true),
        ("BAND", true),
        ("TIME", true),
        ("POL", true),
        ("SIZE", false),
        ("POSITIONS", false),
    ] {
        let parameter = format!("std=\"{std}\"><name>{name}</name>");
        assert!(soda.contains(&parameter), "{parameter}");
    }
    // A job list of UWS knows none of them.
    let (_, uws) = document.split_once("UWS#rest-1.1").unwrap();
    let (uws, _) = uws.split_once("</capability>").unwrap();
    assert!(!uws.contains("std=\"true\""));
}

async fn the_catalogue_is_told_as_json(backend: Backend) {
    let site = sky(backend).await;
    let base = "/api/v1/cutout";
    let list: Value = site.get(&format!("{base}/collections")).await.expect(200).json();
    assert_eq!(
        (&list["items"][0]["name"], &list["items"][0]["images"]),
        (&json!("sky"), &json!(1))
    );
    let one: Value = site
        .get(&format!("{base}/collections/sky"))
        .await
        .expect(200)
        .json();
    assert_eq!(one, list["items"][0]);
    site.get(&format!("{base}/collections/none")).await.expect(404);
    let images: Value = site
        .get(&format!("{base}/collections/sky/images?limit=1"))
        .await
        .expect(200)
        .json();
    let image = &images["items"][0];
    assert_eq!(
        (&image["name"], &image["publisherDid"]),
        (&json!("sky/m13.fits"), &json!(DID))
    );
    assert_eq!(images["next"], Value::Null);
    site.get(image["links"].as_str().unwrap()).await.expect(200);
    let again: Value = site
        .get(&format!("{base}/images/{}", image["id"]))
        .await
        .expect(200)
        .json();
    assert_eq!(&again, image);
    for missing in ["0", "-1", "99", "x", "9223372036854775807"] {
        site.get(&format!("{base}/images/{missing}")).await.expect(404);
    }
    let none: Value = site
        .get(&format!("{base}/collections/sky/images?band=none"))
        .await
        .expect(200)
        .json();
    assert_eq!(none["items"], json!([]));
    for wrong in ["limit=0", "limit=1001", "cursor=x", "from=soon"] {
        site.get(&format!("{base}/collections/sky/images?{wrong}"))
            .await
            .expect(400);
    }
    let outlines: Value = site
        .get(&format!("{base}/collections/sky/footprints"))
        .await
        .expect(200)
        .json();
    let polygon = outlines["items"][0]["polygon"].as_array().unwrap();
    assert!(polygon.len() >= 4, "{outlines}");
    assert!(
        polygon
            .iter()
            .all(|at| (250.0..251.0).contains(&at[0].as_f64().unwrap())),
        "{outlines}"
    );
}

async fn examples_are_of_an_image_that_is_there(backend: Backend) {
    let site = sky(backend).await;
    let page = Element::parse(&site.get("/api/cutout/examples").await.expect(200).text());
    let body = page.child("xhtml:body");
    let examples: Vec<&Element> = body
        .children
        .iter()
        .filter(|child| child.name == "xhtml:div")
        .collect();
    assert_eq!(examples.len(), 3);
    for example in &examples[..2] {
        let links = example.children.last().unwrap().child("xhtml:a");
        assert!(
            site.get(links.attribute("href"))
                .await
                .expect(200)
                .text()
                .contains("m13.fits")
        );
    }
}
