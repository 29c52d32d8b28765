//! What cutout jobs write, as other software reads it: light curves, compressed cutouts, and every kind of file before the
//! checkers of the standard.

use std::{collections::BTreeSet, path::Path};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    cutout::{ingest, run, save, text},
    harness::{Backend, Site, on_both_back_ends, oracle},
};

on_both_back_ends!(
    light_curves_are_what_astropy_reads_of_the_images,
    compressed_cutouts_are_the_plain_ones_without_loss,
);

/// In the middle of the images; a box at their eastern edge; a box around a position that lies just beyond it.
const LIST: &str =
    "RA,DEC,OBJID\n250.0001,36.0001,M 1\n250.01878,36,edge\n250.02139,36,beyond\n200,-10,nowhere\n";

/// A server with an image of every kind; these images; and where it has them.
async fn with_images(backend: Backend) -> (Site, TempDir, TempDir) {
    let made = tempfile::tempdir().unwrap();
    let names = oracle("images.py", &[&text(made.path())]).await;
    let images = names.as_array().unwrap().iter().map(|name| {
        let name = name.as_str().unwrap();
        (name.to_owned(), std::fs::read(made.path().join(name)).unwrap())
    });
    let site = Site::start(backend).await;
    let ingested = ingest(&site, backend, &images.collect::<Vec<_>>(), false).await;
    (site, made, ingested)
}

/// Runs a job and gives its results, in a folder.
async fn results(site: &Site, parameters: &[(&str, &str)]) -> (TempDir, Value) {
    let (job, manifest) = run(site, parameters).await;
    let folder = tempfile::tempdir().unwrap();
    save(site, &job, folder.path()).await;
    (folder, manifest)
}

async fn compared(script: &str, one: &Path, other: &Path) -> Vec<Value> {
    let compared = oracle(script, &[&text(one), &text(other)]).await;
    compared.as_array().unwrap().clone()
}

async fn light_curves_are_what_astropy_reads_of_the_images(backend: Backend) {
    let (site, images, _ingested) = with_images(backend).await;
    let asked = [("POSITIONS", LIST), ("SIZE", "30px"), ("LIGHTCURVE", "true")];
    let (folder, manifest) = results(&site, &asked).await;
    let curves = compared("lightcurves.py", images.path(), folder.path()).await;
    let files: Vec<&str> = curves
        .iter()
        .map(|curve| curve["file"].as_str().unwrap())
        .collect();
    assert_eq!(
        files,
        [
            "M_1_lightcurve.fits",
            "beyond_lightcurve.fits",
            "edge_lightcurve.fits"
        ]
    );
    for curve in &curves {
        assert_eq!(curve["sums"], json!([2, 2]), "{curve}");
        assert_eq!(
            (&curve["timesys"], &curve["columns"]),
            (&json!("UTC"), &json!(true))
        );
        assert_eq!((&curve["scale"], &curve["is_mjd"]), (&json!("utc"), &json!(true)));
        assert_eq!(
            (&curve["units"]["mjd"], &curve["units"]["value"]),
            (
                &json!("d"),
                &if curve["object"] == "beyond" {
                    Value::Null
                } else {
                    json!("mJy")
                }
            )
        );
        let rows = curve["rows"].as_array().unwrap();
        assert_eq!(rows.len(), 12, "{curve}");
        let times: Vec<f64> = rows
            .iter()
            .map(|row| row["row"]["mjd"].as_f64().unwrap())
            .collect();
        assert!(times.is_sorted());
        for row in rows {
            assert_eq!(row["differs"], json!([]), "{row}");
            assert_eq!(row["differs_in_csv"], json!([]), "{row}");
            let image = row["row"]["image"].as_str().unwrap();
            let reason = match (curve["object"].as_str().unwrap(), image) {
                ("beyond", _) => json!("outside_footprint"),
                ("M 1", "zero.fits") => json!("zero_weight"),
                ("M 1", "hole.fits") => json!("undefined_pixel"),
                _ => Value::Null,
            };
            assert_eq!(row["row"]["reason"], reason, "{row}");
        }
    }
    for row in manifest["rows"].as_array().unwrap() {
        let own = row["id"].as_str().unwrap().replace(' ', "_");
        let file = format!("{own}_lightcurve.fits");
        let expected = if own == "nowhere" {
            Value::Null
        } else {
            json!(file)
        };
        assert_eq!(row["lightcurve"], expected, "{row}");
    }
    let refused = site
        .post(
            "/api/cutout/async",
            &[("PHASE", "RUN"), ("POS", "RANGE 1 2 1 2"), ("LIGHTCURVE", "1")],
        )
        .await
        .expect(400);
    assert!(refused.text().contains("LIGHTCURVE"), "{}", refused.text());
}

async fn compressed_cutouts_are_the_plain_ones_without_loss(backend: Backend) {
    let (site, _images, _ingested) = with_images(backend).await;
    let asked = [("POSITIONS", LIST), ("SIZE", "30px"), ("EDGE", "pad")];
    let (plain, _) = results(&site, &asked).await;
    let (packed, manifest) = results(&site, &[&asked[..], &[("FORMAT", "fits.fz")]].concat()).await;
    let compared = compared("packed.py", plain.path(), packed.path()).await;
    assert_eq!(manifest["counts"]["ok"], compared.len(), "{manifest}");
    assert_eq!(compared.len(), 36);
    for file in &compared {
        assert_eq!(
            (&file["astropy"], &file["funpack"]),
            (&json!([]), &json!([])),
            "{file}"
        );
        let name = file["file"].as_str().unwrap();
        let row = manifest["rows"]
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["file"] == name);
        let codecs = match row.unwrap()["image"].as_str().unwrap() {
            "long.fits" => json!([]),
            "bytes.fits" | "unsigned.fits" | "scaled.fits" | "cube.fits" => json!(["RICE_1"]),
            "plain.fits" | "double.fits" => json!(["GZIP_2"]),
            _ => json!(["GZIP_2", "GZIP_2"]),
        };
        assert_eq!(file["codecs"], codecs, "{file}");
    }
    // At once, too.
    let path = "/api/cutout/sync?ID=sky/weights.fits&CIRCLE=250+36+0.002&FORMAT=fits.fz";
    let answer = site.get(path).await.expect(200);
    assert_eq!(answer.header("content-type").unwrap(), "application/fits");
    assert!(
        answer
            .header("content-disposition")
            .unwrap()
            .contains(".fits.fz\"")
    );
    assert!(answer.body.windows(6).any(|part| part == b"GZIP_2"));
}

#[tokio::test]
async fn no_checker_has_anything_to_say_of_any_output() {
    let (site, _images, _ingested) = with_images(Backend::Embedded).await;
    let long = format!("RA,DEC,OBJID\n250,36,{}\n", "a name 'with' quotes ".repeat(4));
    let all = tempfile::tempdir().unwrap();
    let mut kinds = BTreeSet::new();
    for (number, edge) in ["trim", "pad"].into_iter().enumerate() {
        for format in ["fits", "fits.fz"] {
            let list = [LIST, &long][number];
            let (folder, manifest) = results(
                &site,
                &[
                    ("POSITIONS", list),
                    ("SIZE", "30px"),
                    ("EDGE", edge),
                    ("FORMAT", format),
                    ("LIGHTCURVE", "true"),
                ],
            )
            .await;
            assert!(manifest["counts"]["ok"].as_u64().unwrap() >= 11, "{manifest}");
            for file in std::fs::read_dir(folder.path()).unwrap() {
                let file = file.unwrap();
                let name = file.file_name().into_string().unwrap();
                std::fs::copy(file.path(), all.path().join(format!("{edge}_{name}"))).unwrap();
            }
        }
    }
    let told = oracle("checks.py", &[&text(all.path())]).await;
    let told = told.as_object().unwrap();
    assert!(told.len() > 90, "{}", told.len());
    for (file, told) in told {
        assert_eq!(
            told["fitsverify"],
            0,
            "{file}: {}",
            told["says"].as_str().unwrap()
        );
        assert_eq!(told.get("astropy"), None, "{file}");
        let sums = told["sums"].as_array().unwrap();
        assert!(sums.iter().all(|sums| *sums == json!([1, 1])), "{file}: {sums:?}");
        kinds.extend(
            told["kinds"]
                .as_array()
                .unwrap()
                .iter()
                .map(|kind| kind.as_str().unwrap().to_owned()),
        );
    }
    let expected = ["BinTableHDU", "CompImageHDU", "ImageHDU", "PrimaryHDU"];
    assert_eq!(kinds.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}
