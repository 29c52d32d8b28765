//! What a cutout job would find, told before it is made: the same as what it makes then.

use std::io::Write;

use object_store::ObjectStoreExt;
use reqwest::{
    Method,
    multipart::{Form, Part},
};
use serde_json::{Value, json};

use crate::{
    cutout::{ingest, m13s, run},
    harness::{Backend, Site, on_both_back_ends, oracle},
};

on_both_back_ends!(
    what_is_told_is_what_is_made,
    every_form_of_a_request_is_taken_and_nothing_is_made,
    faults_are_told_with_their_rows,
    long_lists_are_told_in_pages,
    lists_that_astropy_writes_are_read_as_it_reads_them,
    manifests_are_lists,
    what_is_too_large_for_the_server_is_told,
);

const CHECK: &str = "/api/v1/cutout/check";
/// The middle of the images of M13.
const MIDDLE: &str = "250.4226,36.4602";

/// An image of 40 x 30 pixels of 16 bits without BLANK, and another of its weights.
fn extensions() -> Vec<u8> {
    let coordinates = [
        ("CTYPE1", "'RA---TAN'"),
        ("CTYPE2", "'DEC--TAN'"),
        ("CRVAL1", "250.42"),
        ("CRVAL2", "36.46"),
        ("CRPIX1", "20.5"),
        ("CRPIX2", "15.5"),
        ("CDELT1", "-0.0003"),
        ("CDELT2", "0.0003"),
    ];
    let image = [
        ("XTENSION", "'IMAGE'"),
        ("BITPIX", "16"),
        ("NAXIS", "2"),
        ("NAXIS1", "40"),
        ("NAXIS2", "30"),
        ("PCOUNT", "0"),
        ("GCOUNT", "1"),
    ];
    let primary = [("SIMPLE", "T"), ("BITPIX", "8"), ("NAXIS", "0"), ("BAND", "'i'")];
    let mut file = hdu(&[&primary], 0, 0);
    file.extend(hdu(&[&image, &coordinates, &[("EXTNAME", "'SCI'")]], 2_400, 1));
    file.extend(hdu(&[&image, &[("EXTNAME", "'WGT'")]], 2_400, 1));
    file
}

fn hdu(cards: &[&[(&str, &str)]], bytes: usize, value: u8) -> Vec<u8> {
    let mut hdu = Vec::new();
    for (keyword, value) in cards.concat() {
        hdu.extend_from_slice(format!("{:<80}", format!("{keyword:<8}= {value:>20}")).as_bytes());
    }
    hdu.extend_from_slice(format!("{:<80}", "END").as_bytes());
    hdu.resize(hdu.len().next_multiple_of(2_880), b' ');
    hdu.resize(hdu.len() + bytes, value);
    hdu.resize(hdu.len().next_multiple_of(2_880), 0);
    hdu
}

/// A plain and a compressed image, one of several HDUs, and one that is gone by now.
async fn site(backend: Backend) -> (Site, tempfile::TempDir) {
    let site = Site::start(backend).await;
    let mut images = m13s()[..2].to_vec();
    images.push(("extensions.fits".into(), extensions()));
    images.push(("gone.fits".into(), images[0].1.clone()));
    let folder = ingest(&site, backend, &images, false).await;
    if backend == Backend::Cluster {
        site.objects().delete(&"sky/gone.fits".into()).await.unwrap();
    } else {
        std::fs::remove_file(folder.path().join("gone.fits")).unwrap();
    }
    (site, folder)
}

async fn what_is_too_large_for_the_server_is_told(backend: Backend) {
    let site = Site::start_with(backend, &[("SIDEREAL_CUTOUT__MEMORY", "1 MiB")]).await;
    let cards = [
        ("SIMPLE", "T"),
        ("BITPIX", "8"),
        ("NAXIS", "2"),
        ("NAXIS1", "1000"),
        ("NAXIS2", "1000"),
    ];
    let large = hdu(&[&cards], 1_000_000, 7);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&large).unwrap();
    let images = [
        ("large.fits".to_owned(), large),
        ("large.fits.gz".to_owned(), packed.finish().unwrap()),
    ];
    let folder = tempfile::tempdir().unwrap();
    let _folder = (ingest(&site, backend, &images, true).await, folder);
    // As it is it is made in strips.
    let plain = compare(&site, &[("ID", "sky/large.fits")]).await;
    assert_eq!((&plain["failures"], &plain["files"]), (&json!(0), &json!(1)));
    // Of what is inflated first the catalogue alone is asked.
    for (image, format) in [
        ("sky/large.fits", "fits.fz"),
        ("sky/large.fits", "png"),
        ("sky/large.fits.gz", "png"),
    ] {
        let told = compare(&site, &[("ID", image), ("FORMAT", format)]).await;
        assert_eq!(
            (&told["failures"], &told["files"]),
            (&json!(1), &json!(0)),
            "{told}"
        );
        let problem = told["rows"][0]["problem"].as_str().unwrap();
        assert!(problem.contains("cutout.memory"), "{problem}");
    }
}

async fn told(site: &Site, form: &[(&str, &str)]) -> Value {
    site.post(CHECK, form).await.expect(200).json()
}

/// Holds what was told against the job that is made of it.
async fn compare(site: &Site, form: &[(&str, &str)]) -> Value {
    let told = told(site, form).await;
    assert_eq!(
        (&told["accepted"], &told["faults"]),
        (&json!(true), &json!([])),
        "{form:?}"
    );
    let (job, manifest) = run(site, form).await;
    let rows = manifest["rows"].as_array().unwrap();
    let ok: Vec<&Value> = rows.iter().filter(|row| row["status"] == "ok").collect();
    let failed: Vec<&Value> = rows.iter().filter(|row| row["status"] == "failed").collect();
    let document: Value = site.get_json(&job).await;
    let stored = document["results"].as_array().unwrap().iter().filter(|result| {
        let name = result["id"].as_str().unwrap();
        name != "result" && !name.starts_with("manifest.") && !name.starts_with("empty_")
    });
    let sizes: Vec<u64> = stored.map(|result| result["size"].as_u64().unwrap()).collect();
    assert_eq!(told["files"], sizes.len(), "{form:?}");
    let bytes: u64 = sizes.iter().sum();
    let is_guessed = |name: &str| ["PREVIEW", "RGB", "LIGHTCURVE", "FORMAT"].contains(&name);
    if told["exact"] == true || !form.iter().any(|(name, _)| is_guessed(name)) {
        assert_eq!(told["bytes"], bytes, "{form:?}");
    } else {
        let about = told["bytes"].as_u64().unwrap();
        assert!(
            about >= bytes / 3 && about <= bytes * 3,
            "{form:?}: {about} for {bytes}"
        );
    }
    let on_images = failed.iter().filter(|row| !row["image"].is_null());
    assert_eq!(told["failures"], on_images.count(), "{form:?}");
    for row in told["rows"].as_array().unwrap() {
        let of = |rows: &[&Value]| -> Vec<Value> {
            let own = rows.iter().filter(|made| made["row"] == row["row"]);
            own.map(|made| (*made).clone()).collect()
        };
        let (made, failed) = (of(&ok), of(&failed));
        assert_eq!(row["images"], made.len(), "{form:?} {row}");
        let hits = row["hits"].as_array().unwrap();
        for made in &made {
            assert_eq!((&made["id"], &made["ra"]), (&row["id"], &row["ra"]));
            let name = format!("sky/{}", made["image"].as_str().unwrap());
            let hit = hits.iter().find(|hit| hit["image"] == name.as_str()).unwrap();
            if !form.contains(&("EDGE", "trim")) {
                continue;
            }
            let hit = &hit["boxes"][0];
            assert_eq!(
                made["hdu"].as_str().unwrap().split(' ').next(),
                Some(&*hit["hdu"].to_string())
            );
            let on = ["x_min", "y_min"]
                .iter()
                .all(|side| made[side] == hit[side].as_i64().unwrap().max(1));
            assert!(on, "{form:?}: {made} {hit}");
        }
        // Said in the same words.
        match &failed[..] {
            [] => assert_eq!(row["problem"], Value::Null, "{form:?}"),
            failed => assert!(
                failed.iter().any(|failed| failed["message"] == row["problem"]),
                "{row}"
            ),
        }
    }
    told
}

async fn what_is_told_is_what_is_made(backend: Backend) {
    let (site, _folder) = site(backend).await;
    // Names, sizes and shapes that are long, for they are written into headers.
    let list = format!(
        "RA,DEC,OBJID,SIZE,NOTE\n{MIDDLE},m13,0.01deg,\n{MIDDLE},{},\"7px,5px\",\n10,-20,nowhere,,\n\
         250.474,36.4602,edge,40px,\n250.42,36.46,in,5px,\n",
        "x".repeat(60)
    );
    let all = ("POSITIONS", list.as_str());
    let trimmed = compare(&site, &[all, ("EDGE", "trim")]).await;
    // Where weights are zero there would be no file.
    assert_eq!(trimmed["exact"], false);
    assert_eq!(
        (&trimmed["positions"], &trimmed["unmatched"]),
        (&json!(5), &json!(1))
    );
    assert!(trimmed["failures"].as_u64() > Some(0), "{trimmed}");
    assert_eq!(trimmed["unused"], json!(["NOTE"]));
    let padded = compare(&site, &[all, ("EDGE", "pad")]).await;
    assert!(padded["bytes"].as_u64() > trimmed["bytes"].as_u64());
    let strict = compare(&site, &[all, ("EDGE", "strict")]).await;
    assert!(strict["failures"].as_u64() > trimmed["failures"].as_u64());
    let whole = compare(&site, &[("ID", "sky/m13.fits"), ("ID", "sky/extensions.fits")]).await;
    assert_eq!(whole["files"], 2);
    let plain = compare(&site, &[("ID", "sky/m13.fits")]).await;
    assert_eq!((&plain["files"], &plain["exact"]), (&json!(1), &json!(true)));
    let beside = compare(&site, &[("ID", "sky/m13.fits"), ("CIRCLE", "10 -20 0.1")]).await;
    assert_eq!((&beside["files"], &beside["exact"]), (&json!(0), &json!(false)));
    let polygon: Vec<String> = (0..60)
        .map(|step| {
            let (up, right) = (f64::from(step) * 6.0).to_radians().sin_cos();
            format!("{} {}", 250.42 + 0.003 * right, 36.46 + 0.002 * up)
        })
        .collect();
    compare(
        &site,
        &[
            ("POLYGON", &polygon.join(" ")),
            ("CIRCLE", "250.42 36.46 0.004"),
            ("POS", "RANGE 250.41 250.43 36.455 36.465"),
            ("EDGE", "trim"),
        ],
    )
    .await;
    let narrowed = [("CIRCLE", "250.42 36.46 0.004"), ("BAND", "1e-9 2e-9")];
    assert_eq!(compare(&site, &narrowed).await["files"], 0);
    compare(&site, &[&narrowed[..], &[("ID", "sky/m13.fits")]].concat()).await;
    compare(&site, &[all, ("HDUS", "SCI"), ("COLLECTION", "sky")]).await;
    compare(&site, &[all, ("FORMAT", "png")]).await;
    compare(&site, &[all, ("FORMAT", "fits.fz")]).await;
    compare(&site, &[all, ("LIGHTCURVE", "true")]).await;
    let pictured = compare(&site, &[all, ("PREVIEW", "true")]).await;
    assert_eq!(pictured["exact"], false);
    assert_eq!(
        pictured["files"].as_u64().unwrap(),
        2 * trimmed["files"].as_u64().unwrap()
    );
}

async fn every_form_of_a_request_is_taken_and_nothing_is_made(backend: Backend) {
    let (site, _folder) = site(backend).await;
    let before = site.object_names().await;
    let list = format!("RA,DEC,OBJID,SIZE\n{MIDDLE},m13,0.01deg\n");
    let form = told(&site, &[("POSITIONS", &list)]).await;
    assert_eq!(
        (&form["accepted"], &form["rows"][0]["id"]),
        (&json!(true), &json!("m13"))
    );
    let body = json!({"service": "cutout", "parameters": {"POSITIONS": list}});
    let post = |path: &str| site.request(Method::POST, path);
    assert_eq!(
        site.send(post(CHECK).json(&body))
            .await
            .expect(200)
            .json::<Value>(),
        form
    );
    let rows = json!([{"ra": 250.4226, "dec": 36.4602, "objid": "m13", "size": "0.01deg"}]).to_string();
    let part = || Part::text(rows.clone()).file_name("list.json");
    for parts in [
        Form::new().part("POSITIONS", part()),
        Form::new()
            .text("UPLOAD", "positions,param:mine")
            .part("mine", part()),
    ] {
        let reply = site.send(post(CHECK).multipart(parts)).await;
        assert_eq!(reply.expect(200).json::<Value>(), form);
    }
    for (body, named) in [
        (json!({"service": "echo", "parameters": {}}), "service"),
        (json!({"parameters": {}}), "NewJob"),
        (json!([]), "NewJob"),
    ] {
        let reply = site.send(post(CHECK).json(&body)).await.expect(400);
        assert!(reply.text().contains(named), "{}", reply.text());
    }
    let jobs: Value = site.get_json("/api/cutout/async").await;
    assert_eq!(jobs["jobs"], json!([]));
    assert_eq!(site.object_names().await, before);
}

async fn faults_are_told_with_their_rows(backend: Backend) {
    let (site, _folder) = site(backend).await;
    let circle = ("CIRCLE", "250.42 36.46 0.004");
    for (form, parameter, row, named) in [
        (
            &[("POSITIONS", "RA,DEC\n1,2\n361,2\n")][..],
            "POSITIONS",
            json!(2),
            "0 to 360",
        ),
        (
            &[("POSITIONS", "RA\n1\n")],
            "POSITIONS",
            Value::Null,
            "no column DEC",
        ),
        (&[("SIZE", "1")], "POSITIONS", Value::Null, "CIRCLE"),
        (
            &[circle, ("COLLECTION", "no")],
            "COLLECTION",
            Value::Null,
            "no collection",
        ),
        (&[circle, ("NOPE", "1")], "NOPE", Value::Null, "not a parameter"),
        (&[circle, ("ID", "sky/no.fits")], "ID", Value::Null, "no image"),
        (
            &[circle, ("DESTRUCTION", "2001-01-01T00:00:00Z")],
            "DESTRUCTION",
            Value::Null,
            "in the past",
        ),
    ] {
        let told = told(&site, form).await;
        assert_eq!(told["accepted"], false);
        let fault = &told["faults"][0];
        assert_eq!(
            (&fault["parameter"], &fault["row"]),
            (&json!(parameter), &row),
            "{told}"
        );
        assert!(fault["message"].as_str().unwrap().contains(named), "{told}");
        // When a job is to be destroyed makes no difference to what it finds.
        if parameter == "DESTRUCTION" {
            assert_eq!(told["positions"], 1);
            continue;
        }
        assert_eq!(
            (&told["positions"], &told["files"], &told["bytes"]),
            (&json!(0), &json!(0), &json!(0))
        );
    }
    let many = format!("RA,DEC\n{}", "1,99\n".repeat(5_000));
    let told = told(&site, &[("POSITIONS", &many)]).await;
    let faults = told["faults"].as_array().unwrap();
    assert_eq!((faults.len(), &faults[99]["row"]), (101, &json!(100)));
    assert_eq!(faults[100]["message"], "4900 more rows are faulty");
}

async fn told_of_file(site: &Site, name: &str, bytes: Vec<u8>) -> Value {
    let part = Part::bytes(bytes).file_name(name.to_owned());
    let form = Form::new().part("POSITIONS", part);
    let reply = site.send(site.request(Method::POST, CHECK).multipart(form)).await;
    reply.expect(200).json()
}

async fn lists_that_astropy_writes_are_read_as_it_reads_them(backend: Backend) {
    let (site, _folder) = site(backend).await;
    let lists = tempfile::tempdir().unwrap();
    let expected = oracle("lists.py", &[&lists.path().display().to_string()]).await;
    let expected = expected.as_object().unwrap();
    assert_eq!(expected.len(), 20);
    for (name, expected) in expected {
        let bytes = std::fs::read(lists.path().join(name)).unwrap();
        let told = told_of_file(&site, name, bytes).await;
        assert_eq!(
            (&told["faults"], &told["positions"]),
            (&json!([]), &json!(3)),
            "{name}"
        );
        for (at, row) in told["rows"].as_array().unwrap().iter().enumerate() {
            assert_eq!(row["id"], expected["ids"][at], "{name}");
            let place = |value: &Value| value.as_f64().unwrap();
            let [ra, dec] = [0, 1].map(|axis| place(&expected["positions"][at][axis]));
            let off = (place(&row["ra"]) - ra).hypot(place(&row["dec"]) - dec);
            assert!(off < 0.05 / 3_600.0, "{name}: {off} deg off: {row}");
        }
    }
}

async fn manifests_are_lists(backend: Backend) {
    let (site, _folder) = site(backend).await;
    let list = format!("RA,DEC,OBJID,XSIZE,YSIZE\n{MIDDLE},m13,0.1,0.2\n");
    let asked = [("POSITIONS", list.as_str()), ("ID", "sky/m13.fits")];
    let (job, _) = run(&site, &asked).await;
    let first = told(&site, &asked).await;
    for name in ["manifest.csv", "manifest.json", "manifest.vot"] {
        let manifest = site.get(&format!("{job}/results/{name}")).await.expect(200);
        let form = Form::new()
            .part("POSITIONS", Part::bytes(manifest.body.to_vec()).file_name(name))
            .text("ID", "sky/m13.fits");
        let reply = site.send(site.request(Method::POST, CHECK).multipart(form)).await;
        let told: Value = reply.expect(200).json();
        assert_eq!(
            (&told["faults"], &told["rows"]),
            (&json!([]), &first["rows"]),
            "{name}"
        );
        let unused = told["unused"].as_array().unwrap();
        assert!(
            unused.contains(&json!("size")) && !unused.contains(&json!("id")),
            "{name}: {told}"
        );
    }
}

async fn long_lists_are_told_in_pages(backend: Backend) {
    let (site, _folder) = site(backend).await;
    // Every third lies on no image; all that do lie on one of them alone.
    let rows = 10_000;
    let list: String = (1..=rows)
        .map(|row| {
            if row % 3 == 0 {
                "10,-20\n".to_owned()
            } else {
                format!("{MIDDLE}\n")
            }
        })
        .collect();
    let list = format!("RA,DEC\n{list}");
    let form = [
        ("POSITIONS", list.as_str()),
        ("ID", "sky/m13.fits"),
        ("SIZE", "3px"),
    ];
    let page = async |query: &str| -> Value {
        let reply = site.post(&format!("{CHECK}?{query}"), &form).await.expect(200);
        assert!(reply.body.len() < 300_000, "{} bytes", reply.body.len());
        reply.json()
    };
    let first = page("").await;
    // An image that was named has a row for each position, wherever it lies.
    assert_eq!(
        (&first["positions"], &first["unmatched"]),
        (&json!(rows), &json!(rows / 3))
    );
    assert_eq!(
        (&first["failures"], &first["files"]),
        (&json!(rows / 3), &json!(rows - rows / 3))
    );
    assert_eq!(first["rows"].as_array().map(Vec::len), Some(100));
    assert_eq!(
        (&first["rows"][99]["row"], &first["next"]),
        (&json!(100), &json!("100"))
    );
    let mut cursor = String::from("0");
    let mut seen = Vec::new();
    loop {
        let page = page(&format!("problems=true&limit=1000&cursor={cursor}")).await;
        assert_eq!(
            (&page["files"], &page["bytes"]),
            (&first["files"], &first["bytes"])
        );
        seen.extend(
            page["rows"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row["row"].as_u64().unwrap()),
        );
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    assert_eq!(seen, (1..=rows / 3).map(|third| third * 3).collect::<Vec<u64>>());
    for wrong in ["limit=0", "limit=1001", "limit=x", "cursor=x", "problems=maybe"] {
        site.post(&format!("{CHECK}?{wrong}"), &form).await.expect(400);
    }
}
