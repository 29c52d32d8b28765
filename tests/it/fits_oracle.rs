//! Cutouts of images of every kind, held against those that astropy's `Cutout2D` makes and against CFITSIO's pixels.

use std::{collections::HashSet, path::Path};

use serde_json::Value;

use crate::{
    cutout::{ingest, run, text},
    harness::{Backend, Site, on_both_back_ends, oracle},
};

on_both_back_ends!(cutouts_are_those_of_astropy, planes_are_those_of_astropy,);

const SCRIPT: &str = "fits_images.py";
const PROJECTIONS: [&str; 12] = [
    "TAN",
    "TAN-SIP",
    "TAN-SIPinverse",
    "TPV",
    "TANscamp",
    "ZEA",
    "CAR",
    "SIN",
    "SINslant",
    "ARC",
    "HPX",
    "AIT",
];
/// Pixels by which astropy's header of the same box may place them elsewhere.
const CLOSE: f64 = 1e-6;

/// The files of a folder by name.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

/// Whether the position of a line was made in the image of this row: the line's last column.
fn is_own(line: &str, row: &Value) -> bool {
    let mut images = line.rsplit(',').next().unwrap().split(' ');
    images.any(|image| row["image"] == image)
}

/// Saves the cutouts of positions that were made in their image: very many lie on others too.
async fn save_own(site: &Site, job: &str, manifest: &Value, list: &[&str], folder: &Path) {
    std::fs::create_dir(folder).unwrap();
    for row in manifest["rows"].as_array().unwrap() {
        let line = list[row["row"].as_u64().unwrap() as usize];
        if let Some(name) = row["file"].as_str().filter(|_| is_own(line, row)) {
            let file = site.get(&format!("{job}/results/{name}")).await.expect(200);
            std::fs::write(folder.join(name), file.body).unwrap();
        }
    }
}

/// What the oracle says of cutouts; fails if any is not as it should be.
async fn compared(folder: &Path, manifest: &Value, cutouts: &Path, edge: &str) -> Value {
    let rows = folder.join(format!("{edge}.json"));
    std::fs::write(&rows, manifest.to_string()).unwrap();
    let told = oracle(
        SCRIPT,
        &["compare", &text(folder), &text(&rows), &text(cutouts), edge],
    )
    .await;
    assert_eq!(told["faults"], serde_json::json!([]), "{edge}");
    for (kind, off) in told["off"].as_object().unwrap() {
        assert!(off.as_f64().unwrap() < CLOSE, "{edge} {kind}: {off} pixels");
    }
    told
}

async fn cutouts_are_those_of_astropy(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let made = oracle(SCRIPT, &["make", &text(folder)]).await;
    let images = files(&folder.join("sky"));
    assert_eq!(made["images"], images.len());
    let site = Site::start(backend).await;
    let _ingested = ingest(&site, backend, &images, false).await;
    let list = std::fs::read_to_string(folder.join("positions.csv")).unwrap();
    let lines: Vec<&str> = list.lines().collect();

    let (job, trimmed) = run(&site, &[("POSITIONS", &list)]).await;
    let cutouts = folder.join("cutouts");
    save_own(&site, &job, &trimmed, &lines, &cutouts).await;
    let told = compared(folder, &trimmed, &cutouts, "trim").await;
    assert_eq!(told["images"], images.len(), "{told}");
    assert_eq!(told["few"], serde_json::json!([]));
    let count = |told: &Value, what: &str| told[what].as_u64().unwrap() as usize;
    assert!(
        count(&told, "hdus") > 1_500 && count(&told, "points") > 30_000,
        "{told}"
    );
    for projection in PROJECTIONS {
        assert!(told["off"][projection].is_number(), "{projection}: {told}");
    }
    // CFITSIO unpacks neither 64-bit whole numbers nor what astropy does not pack.
    let foreign = told["foreign"].as_array().unwrap();
    let by_name = |name: &Value| {
        ["_64_", "NOCOMPRESS"]
            .iter()
            .any(|part| name.as_str().unwrap().contains(part))
    };
    assert!(
        count(&told, "cfitsio") > 800 && foreign.iter().all(by_name),
        "{told}"
    );

    let (job, padded) = run(&site, &[("POSITIONS", &list), ("EDGE", "pad")]).await;
    let cutouts = folder.join("padded");
    save_own(&site, &job, &padded, &lines, &cutouts).await;
    let told = compared(folder, &padded, &cutouts, "pad").await;
    assert!(count(&told, "hdus") > 900, "{told}");

    // At once, one of each image.
    let cutouts = folder.join("at_once");
    std::fs::create_dir(&cutouts).unwrap();
    let mut seen = HashSet::new();
    for row in trimmed["rows"].as_array().unwrap() {
        let line = lines[row["row"].as_u64().unwrap() as usize];
        let image = row["image"].as_str().unwrap();
        if !is_own(line, row) || !seen.insert(image) {
            continue;
        }
        let id = format!("sky/{image}");
        let position = format!("{}\n{line}\n", lines[0]);
        let form = [("ID", id.as_str()), ("POSITIONS", &position)];
        let file = site.post("/api/cutout/sync", &form).await.expect(200);
        std::fs::write(cutouts.join(row["file"].as_str().unwrap()), file.body).unwrap();
    }
    let told = compared(folder, &trimmed, &cutouts, "trim").await;
    assert!(count(&told, "hdus") >= images.len(), "{told}");
}

async fn planes_are_those_of_astropy(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let cases = oracle("cubes.py", &["make", &text(folder)]).await;
    let images = files(&folder.join("sky"));
    let site = Site::start(backend).await;
    let _ingested = ingest(&site, backend, &images, false).await;
    let cutouts = folder.join("cutouts");
    std::fs::create_dir(&cutouts).unwrap();
    for (number, case) in cases.as_array().unwrap().iter().enumerate() {
        let mut asked = vec![("ID", format!("sky/{}.fits", case["image"].as_str().unwrap()))];
        if case["circle"] == true {
            asked.push(("CIRCLE", "10.01 19.98 0.03".into()));
        }
        for parameter in case["asked"].as_array().unwrap() {
            let name = parameter[0].as_str().unwrap();
            let values = parameter[1].as_array().unwrap();
            asked.extend(
                values
                    .iter()
                    .map(|value| (name, value.as_str().unwrap().to_owned())),
            );
        }
        let request = site
            .request(reqwest::Method::GET, "/api/cutout/sync")
            .query(&asked);
        let reply = site.send(request).await;
        if reply.status == 204 {
            continue;
        }
        std::fs::write(cutouts.join(format!("{number}.fits")), reply.expect(200).body).unwrap();
    }
    let told = oracle("cubes.py", &["compare", &text(folder), &text(&cutouts)]).await;
    assert_eq!(told["faults"], serde_json::json!([]));
    assert!(told["planes"].as_u64().unwrap() > 500, "{told}");
}
