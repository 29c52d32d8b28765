//! Jobs of this service, run by the engine over a folder of images made here.

use std::{
    ffi::OsStr,
    fmt::Write as _,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::{
    Cutout,
    ingest::{Counts, IngestError, Progress, ingest},
};
use crate::{
    auth::Caller,
    engine::{Engine, PerOwner, Service},
    fits::File,
    jobs::{Jobs, JobsError, Place, Submission, Upload, Wait},
    notify::Notifier,
    objects::{Results, Sources},
    settings::{CutoutSettings, EngineSettings, KeywordSettings},
    store::{ImageFilter, Store},
    uws::{Job, ParameterValue, Phase},
};

/// A server without its HTTP, and a folder of images.
struct Bench {
    folder: TempDir,
    store: Store,
    sources: Arc<Sources>,
    cutout: Arc<Cutout>,
    jobs: Jobs,
    stop: CancellationToken,
}

impl Bench {
    async fn new(memory: u64) -> Bench {
        Bench::limited(memory, PerOwner::default()).await
    }

    async fn limited(memory: u64, per_owner: PerOwner) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        std::fs::create_dir(path.join("images")).unwrap();
        let store = Store::open(&format!("sqlite://{}/test.db", path.display()))
            .await
            .unwrap();
        store.migrate().await.unwrap();
        let sources = Arc::new(Sources::default());
        let settings = CutoutSettings {
            memory,
            ..CutoutSettings::default()
        };
        let cutout = Arc::new(Cutout::new(store.clone(), Arc::clone(&sources), &settings));
        let engine = Engine {
            store: store.clone(),
            results: Arc::new(Results::open(path.join("results").to_str().unwrap()).unwrap()),
            notifier: Notifier::new(),
            services: Arc::from([cutout.clone() as Arc<dyn Service>]),
            settings: EngineSettings::default(),
        };
        let stop = CancellationToken::new();
        engine.run_jobs(2, per_owner, "test", stop.clone());
        Bench {
            folder,
            store,
            sources,
            cutout,
            jobs: Jobs::new(engine),
            stop,
        }
    }

    fn image(&self, name: &str) -> PathBuf {
        self.folder.path().join("images").join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::create_dir_all(self.image(name).parent().unwrap()).unwrap();
        std::fs::write(self.image(name), bytes).unwrap();
    }

    async fn ingest(&self) -> (Counts, Vec<String>) {
        let mut unreadable = Vec::new();
        let urls = [self.folder.path().join("images").to_str().unwrap().to_owned()];
        let keywords = KeywordSettings::default();
        let counts = ingest(&self.store, &self.sources, "maps", keywords, &urls, |progress| {
            let (url, why) = match progress {
                Progress::Unreadable { url, why } => (url, why),
                Progress::Kept { url, why } => (url, format!("kept: {why}")),
                Progress::Placeless { url, why } => (url, format!("placeless: {why}")),
                Progress::Counts(_) => return,
            };
            unreadable.push(format!("{}: {why}", url.rsplit('/').next().unwrap_or_default()));
        });
        let counts = counts.await.unwrap();
        (counts, unreadable)
    }

    async fn create(&self, parameters: &[(&str, &str)]) -> Result<Job, JobsError> {
        let mut submission = Submission {
            run: true,
            ..Submission::default()
        };
        for (name, value) in parameters {
            if *name == "POSITIONS" {
                let bytes = bytes::Bytes::copy_from_slice(value.as_bytes());
                submission.uploads.push(Upload {
                    name: (*name).into(),
                    media_type: "text/csv".into(),
                    bytes,
                });
            } else {
                submission
                    .parameters
                    .push(name, ParameterValue::Inline((*value).into()))
                    .unwrap();
            }
        }
        self.jobs.create(&Caller::local(), "cutout", submission).await
    }

    /// Waits until the job's phase is none of `before`.
    async fn wait(&self, job: &Job, before: &[Phase]) -> Job {
        let place = Place {
            service: None,
            id: job.id,
        };
        loop {
            let now = self.jobs.get(&Caller::local(), place).await.unwrap();
            if !before.contains(&now.phase) {
                return now;
            }
            let wait = Wait {
                seconds: None,
                phase: Some(now.phase),
            };
            self.jobs.wait(&Caller::local(), place, wait).await.unwrap();
        }
    }

    /// Runs a job to its end.
    async fn end(&self, parameters: &[(&str, &str)]) -> Job {
        let job = self.create(parameters).await.unwrap();
        self.wait(
            &job,
            &[Phase::Pending, Phase::Queued, Phase::Executing, Phase::Suspended],
        )
        .await
    }

    /// Runs a job to its end and gives its manifest.
    async fn run(&self, parameters: &[(&str, &str)]) -> (Job, Json) {
        let job = self.end(parameters).await;
        assert_eq!(job.phase, Phase::Completed, "{:?}", job.error);
        let manifest = self.result(&job, "manifest.json").await;
        let manifest: Json = serde_json::from_slice(&manifest).unwrap();
        assert_eq!(manifest["job"], job.id.to_string());
        (job, manifest)
    }

    async fn result(&self, job: &Job, name: &str) -> bytes::Bytes {
        let place = Place {
            service: None,
            id: job.id,
        };
        let stored = self.jobs.result(&Caller::local(), place, name).await.unwrap();
        let bytes = self.jobs.objects().read(&stored.object, u64::MAX).await.unwrap();
        assert_eq!(bytes.len() as u64, stored.size);
        bytes
    }

    async fn faults(&self, parameters: &[(&str, &str)]) -> Vec<String> {
        match self.create(parameters).await {
            Err(JobsError::Usage(faults)) => faults.iter().map(ToString::to_string).collect(),
            other => panic!("{parameters:?} gave {other:?}"),
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn header(cards: &[String]) -> Vec<u8> {
    let mut text = String::new();
    for card in cards.iter().map(String::as_str).chain(["END"]) {
        write!(text, "{card:<80}").unwrap();
    }
    let blocks = text.len().next_multiple_of(2880);
    format!("{text:<blocks$}").into_bytes()
}

/// A TAN image of 60 x 50 pixels of 1 arcmin, at (`ra`, `dec`) in its middle, whose pixel (x, y) from 1 is x + 100 y.
fn tan_image(ra: f64, dec: f64, cards: &[&str]) -> Vec<u8> {
    let mut all: Vec<String> = [
        "SIMPLE  =                    T",
        "BITPIX  =                  -32",
        "NAXIS   =                    2",
        "NAXIS1  =                   60",
        "NAXIS2  =                   50",
        "CTYPE1  = 'RA---TAN'",
        "CTYPE2  = 'DEC--TAN'",
        "CRPIX1  =                 30.5",
        "CRPIX2  =                 25.5",
        "CDELT1  = -0.01666666666666667",
        "CDELT2  =  0.01666666666666667",
    ]
    .map(String::from)
    .into();
    all.push(format!("CRVAL1  = {ra:>20}"));
    all.push(format!("CRVAL2  = {dec:>20}"));
    all.extend(cards.iter().map(|card| (*card).to_owned()));
    let mut bytes = header(&all);
    for y in 1..=50_u16 {
        for x in 1..=60_u16 {
            bytes.extend(f32::from(x + 100 * y).to_be_bytes());
        }
    }
    bytes.resize(bytes.len().next_multiple_of(2880), 0);
    bytes
}

/// The pixels of the primary of a file, and its headers.
async fn pixels(path: &Path) -> (File, Vec<f32>) {
    let source = Sources::default().open(path.to_str().unwrap()).await.unwrap();
    let file = File::open(source).await.unwrap();
    let bytes = std::fs::read(path).unwrap();
    let data = file.hdus()[0].data();
    let data = &bytes[data.start as usize..data.end as usize];
    (
        file,
        data.chunks_exact(4)
            .map(|chunk| f32::from_be_bytes(chunk.try_into().unwrap()))
            .collect(),
    )
}

#[tokio::test]
async fn one_position_gives_one_cutout_that_is_the_result() {
    let bench = Bench::new(64 << 20).await;
    bench.write(
        "a/one.fits",
        &tan_image(10.0, -30.0, &["FILTER  = 'r'", "OBS-ID  = 'n1'", "COMMENT kept"]),
    );
    assert_eq!(
        bench.ingest().await,
        (
            Counts {
                images: 1,
                unchanged: 0,
                unreadable: 0,
                gone: 0,
                placeless: 0
            },
            vec![]
        )
    );
    let (job, manifest) = bench
        .run(&[("POSITIONS", "RA,DEC,OBJID\n10,-30,x y"), ("SIZE", "4,6")])
        .await;
    assert_eq!(manifest["counts"], serde_json::json!({"ok": 1, "failed": 0}));
    let row = &manifest["rows"][0];
    assert_eq!(
        (&row["row"], &row["id"], &row["status"]),
        (&1.into(), &"x y".into(), &"ok".into())
    );
    assert_eq!(
        (&row["collection"], &row["image"], &row["hdu"]),
        (&"maps".into(), &"a/one.fits".into(), &"0".into())
    );
    assert_eq!(
        (&row["band"], &row["obs"], &row["type"]),
        (&"r".into(), &"n1".into(), &Json::Null)
    );
    assert_eq!(
        (&row["x_min"], &row["x_max"], &row["y_min"], &row["y_max"]),
        (&29.into(), &32.into(), &23.into(), &28.into())
    );
    assert_eq!(
        (&row["xsize"], &row["ysize"], &row["coverage"]),
        (&4.0.into(), &6.0.into(), &1.0.into())
    );
    assert_eq!(row["file"], "x_y_r_n1.fits");
    assert_eq!(row["source"], "maps/a/one.fits");
    let folder = bench.folder.path().to_str().unwrap();
    assert!(!manifest.to_string().contains(folder), "{manifest}");

    let names: Vec<_> = job.results.iter().map(|result| result.id.as_str()).collect();
    for name in [
        "result",
        "manifest.json",
        "manifest.csv",
        "manifest.vot",
        "x_y_r_n1.fits",
    ] {
        assert!(names.contains(&name), "{names:?}");
    }
    let bytes = bench.result(&job, "x_y_r_n1.fits").await;
    assert_eq!(bytes, bench.result(&job, "result").await);
    assert_eq!(row["sha256"], hex::encode(Sha256::digest(&bytes)));
    assert_eq!(row["size"], bytes.len());
    let path = bench.image("cut.out");
    std::fs::write(&path, &bytes).unwrap();
    let (file, data) = pixels(&path).await;
    let expected: Vec<f32> = (23..=28_u16)
        .flat_map(|y| (29..=32_u16).map(move |x| f32::from(x + 100 * y)))
        .collect();
    assert_eq!(data, expected);
    let header = file.hdus()[0].header();
    assert_eq!(
        (header.real("CRPIX1"), header.real("CRPIX2")),
        (Some(2.5), Some(3.5))
    );
    assert_eq!(header.text("CUTSRC").as_deref(), Some("maps/a/one.fits"));
    assert_eq!(header.text("CUTJOB"), Some(job.id.to_string()));
    assert_eq!(header.text("CUTETAG").as_deref(), row["etag"].as_str());
    assert!(header.text("CHECKSUM").is_some() && header.text("CUTBOX").is_some());
    assert_eq!(
        (job.info.progress_done, job.info.progress_total),
        (Some(1), Some(1))
    );
    // The alias is no second object.
    let objects = walk(&bench.folder.path().join("results"));
    let stored: Vec<_> = objects
        .iter()
        .filter(|path| !path.to_string_lossy().contains("/in/"))
        .collect();
    assert_eq!(stored.len(), 4, "{stored:?}");
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(walk(&path));
        } else {
            files.push(path);
        }
    }
    files
}

#[tokio::test]
async fn what_is_bad_fails_alone() {
    let bench = Bench::new(64 << 20).await;
    bench.write("good.fits", &tan_image(10.0, 0.0, &["FILTER  = 'r'"]));
    bench.write("same.fits", &tan_image(10.0, 0.0, &["FILTER  = 'g'"]));
    bench.write("truncated.fits", &tan_image(10.0, 0.0, &["FILTER  = 'i'"]));
    bench.write("gone.fits", &tan_image(10.0, 0.0, &["FILTER  = 'z'"]));
    bench.write(
        "singular.fits",
        &tan_image(10.0, 0.0, &["FILTER  = 'y'", "PC1_1   = 0.0", "PC2_2   = 0.0"]),
    );
    bench.write("elsewhere.fits", &tan_image(200.0, 80.0, &[]));
    bench.write("junk.fits", b"this is no FITS file");
    bench.write("endless.fits", &[b' '; 2880 * 3]);
    bench.write("packed.fits.gz", &[0x1f, 0x8b, 8, 0]);
    bench.write("notes.txt", b"not looked at");
    let (counts, unreadable) = bench.ingest().await;
    assert_eq!(
        counts,
        Counts {
            images: 6,
            unchanged: 0,
            unreadable: 3,
            gone: 0,
            placeless: 1
        },
        "{unreadable:?}"
    );
    assert!(
        unreadable
            .iter()
            .any(|line| line.starts_with("singular.fits: placeless: the coordinates of HDU 0")),
        "{unreadable:?}"
    );
    assert!(
        unreadable
            .iter()
            .any(|line| line.starts_with("packed.fits.gz") && line.contains("gzip")),
        "{unreadable:?}"
    );
    let whole = tan_image(10.0, 0.0, &["FILTER  = 'i'"]);
    bench.write("truncated.fits", &whole[..whole.len() - 2880 * 3]);
    std::fs::remove_file(bench.image("gone.fits")).unwrap();

    let positions = "RA,DEC,OBJID\n10.4,0,edge\n100,0,nowhere\n10,0,middle\n10,0,middle\n";
    let (job, manifest) = bench.run(&[("POSITIONS", positions), ("SIZE", "20")]).await;
    let rows: Vec<_> = manifest["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
            (
                row["row"].as_u64().unwrap(),
                text("image"),
                text("reason"),
                text("file"),
            )
        })
        .collect();
    let of = |row: u64, image: &str| {
        let mut found = rows.iter().filter(|r| r.0 == row && r.1 == image);
        let first = found
            .next()
            .unwrap_or_else(|| panic!("no row {row} of {image}: {rows:?}"));
        assert!(found.next().is_none());
        (first.2.as_str(), first.3.as_str())
    };
    for row in [1, 3, 4] {
        assert_eq!(of(row, "truncated.fits"), ("source_unreadable", ""));
        assert_eq!(of(row, "gone.fits"), ("source_unreadable", ""));
    }
    for row in 1..=4 {
        assert_eq!(of(row, "singular.fits"), ("no_wcs", ""));
    }
    assert_eq!(of(1, "good.fits"), ("", "edge_r.fits"));
    assert_eq!(of(3, "good.fits"), ("", "middle_r.fits"));
    assert_eq!(of(4, "good.fits"), ("", "middle_r_2.fits"));
    assert_eq!(of(4, "same.fits"), ("", "middle_g_2.fits"));
    assert!(rows.iter().all(|row| row.1 != "elsewhere.fits"), "{rows:?}");
    assert_eq!(manifest["counts"], serde_json::json!({"ok": 6, "failed": 10}));
    let edge = manifest["rows"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["file"] == "edge_r.fits")
        .unwrap();
    assert_eq!((&edge["x_min"], &edge["coverage"]), (&1.into(), &0.8.into()));
    // More than one cutout: the result is the manifest.
    assert_eq!(
        bench.result(&job, "result").await,
        bench.result(&job, "manifest.json").await
    );
    let csv = bench.result(&job, "manifest.csv").await;
    assert_eq!(csv::Reader::from_reader(&csv[..]).records().count(), 16);
    let place = Place {
        service: None,
        id: job.id,
    };
    let log = bench.jobs.log(&Caller::local(), place, 0).await.unwrap();
    assert!(log.iter().any(|line| line.line.contains("gone.fits")), "{log:?}");
}

#[tokio::test]
async fn a_position_beside_the_images_has_one_row_and_says_why() {
    let bench = Bench::new(64 << 20).await;
    bench.write("a.fits", &tan_image(10.0, 0.0, &["FILTER  = 'r'"]));
    bench.write(
        "plain.fits",
        &header(&["SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 1", "NAXIS1  = 2880"].map(String::from))
            .iter()
            .copied()
            .chain([0; 2880])
            .collect::<Vec<u8>>(),
    );
    assert_eq!(
        bench.ingest().await.0,
        Counts {
            images: 2,
            unchanged: 0,
            unreadable: 0,
            gone: 0,
            placeless: 1
        }
    );
    let list = "RA,DEC,OBJID,XSIZE,BANDS\n40,0,far,,\n10,0,other,,g\n10.42,0.4,corner,0.5,\n";
    let (_, manifest) = bench.run(&[("POSITIONS", list)]).await;
    let reasons: Vec<_> = manifest["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["reason"].as_str().unwrap_or("-"))
        .collect();
    assert_eq!(reasons, ["outside_footprint", "no_matching_image", "-"]);
    let (_, named) = bench
        .run(&[
            ("POSITIONS", "RA,DEC\n40,0"),
            ("ID", "maps/a.fits"),
            ("ID", "maps/plain.fits"),
        ])
        .await;
    let rows: Vec<_> = named["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["image"].as_str().unwrap(), row["reason"].as_str().unwrap()))
        .collect();
    assert_eq!(rows, [("a.fits", "outside_footprint"), ("plain.fits", "no_wcs")]);
    let (_, hdus) = bench
        .run(&[
            ("POSITIONS", "RA,DEC\n10,0"),
            ("HDUS", "SCI"),
            ("COLLECTION", "maps"),
        ])
        .await;
    assert_eq!(hdus["rows"][0]["reason"], "no_matching_image");
}

#[tokio::test]
async fn every_image_hdu_is_cut_and_a_weight_map_shares_the_coordinates_of_its_map() {
    let bench = Bench::new(64 << 20).await;
    let primary = [
        "SIMPLE  = T",
        "BITPIX  = 8",
        "NAXIS   = 0",
        "EXTEND  = T",
        "BAND    = '150GHz'",
        "OBS-ID  = 12",
    ];
    let mut file = header(&primary.map(String::from));
    let extension = |name: &str, wcs: bool| {
        let image = tan_image(0.1, -57.5, &[&format!("EXTNAME = '{name}'")]);
        let cards = image[..2880]
            .as_chunks::<80>()
            .0
            .iter()
            .map(|card| String::from_utf8_lossy(card).trim_end().to_owned());
        let cards = cards
            .filter(|card| card != "END" && (wcs || !card.starts_with('C')))
            .map(|card| {
                if card.starts_with("SIMPLE") {
                    String::from("XTENSION= 'IMAGE   '")
                } else {
                    card
                }
            });
        let mut cards: Vec<String> = cards.filter(|card| !card.is_empty()).collect();
        cards.splice(5..5, ["PCOUNT  = 0", "GCOUNT  = 1"].map(String::from));
        [header(&cards), image[2880..].to_vec()].concat()
    };
    file.extend(extension("SCI", true));
    file.extend(extension("WGT", false));
    bench.write("map.fits", &file);
    assert_eq!(
        bench.ingest().await,
        (
            Counts {
                images: 1,
                unchanged: 0,
                unreadable: 0,
                gone: 0,
                placeless: 0
            },
            vec![]
        )
    );
    // Across RA 0.
    let list = ("POSITIONS", "RA,DEC,OBJID\n359.9,-57.5,x");
    for (hdus, cut) in [
        (None, "1 2"),
        (Some("wgt"), "2"),
        (Some("1"), "1"),
        (Some("0"), ""),
    ] {
        let mut parameters = vec![list, ("SIZE", "6px"), ("BANDS", "150ghz"), ("TAGS", "12")];
        parameters.extend(hdus.map(|hdus| ("HDUS", hdus)));
        let (job, manifest) = bench.run(&parameters).await;
        let row = &manifest["rows"][0];
        if cut.is_empty() {
            assert_eq!(row["reason"], "no_matching_image", "{row}");
            continue;
        }
        assert_eq!(
            (&row["hdu"], &row["file"]),
            (&cut.into(), &"x_150GHz_12.fits".into()),
            "{row}"
        );
        let path = bench.image("cut.out");
        std::fs::write(&path, bench.result(&job, "result").await).unwrap();
        let source = Sources::default().open(path.to_str().unwrap()).await.unwrap();
        let cutout = File::open(source).await.unwrap();
        assert_eq!(cutout.hdus().len(), 1 + cut.split(' ').count());
        assert_eq!(cutout.hdus()[0].header().text("BAND").as_deref(), Some("150GHz"));
        assert!(cutout.hdus()[1..].iter().all(|hdu| hdu.shape() == [6, 6]));
    }
}

#[tokio::test]
async fn edges_are_trimmed_padded_or_refused() {
    let bench = Bench::new(64 << 20).await;
    bench.write("a.fits", &tan_image(10.0, 0.0, &[]));
    bench.ingest().await;
    let list = "RA,DEC,OBJID\n10.5,0,e\n";
    for (edge, status, x_min, width) in [
        ("trim", "ok", 1, 5),
        ("pad", "ok", -4, 10),
        ("strict", "failed", -4, 0),
    ] {
        let (job, manifest) = bench
            .run(&[("POSITIONS", list), ("SIZE", "10px"), ("EDGE", edge)])
            .await;
        let row = &manifest["rows"][0];
        assert_eq!(
            (&row["status"], &row["x_min"]),
            (&status.into(), &x_min.into()),
            "{row}"
        );
        if status == "failed" {
            assert_eq!(row["reason"], "outside_footprint");
            continue;
        }
        assert_eq!(row["coverage"], 0.5);
        assert!((row["xsize"].as_f64().unwrap() - 10.0).abs() < 0.01, "{row}");
        let path = bench.image("cut.out");
        std::fs::write(&path, bench.result(&job, "result").await).unwrap();
        let (file, data) = pixels(&path).await;
        assert_eq!(file.hdus()[0].shape()[0], width);
        assert_eq!(
            data.iter().filter(|value| value.is_nan()).count(),
            if edge == "pad" { 50 } else { 0 }
        );
        assert_eq!(file.hdus()[0].header().text("CUTEDGE").as_deref(), Some(edge));
    }
}

#[tokio::test]
async fn bad_requests_are_refused_before_anything_is_queued() {
    let bench = Bench::new(64 << 20).await;
    bench.write("a.fits", &tan_image(10.0, 0.0, &[]));
    bench.ingest().await;
    let good = ("POSITIONS", "RA,DEC\n10,0");
    for (parameters, expected) in [
        (
            vec![good, ("COLLECTION", "nope")],
            "COLLECTION: no collection is named \"nope\"",
        ),
        (
            vec![good, ("ID", "maps/b.fits")],
            "ID: collection \"maps\" has no image",
        ),
        (
            vec![good, ("SIZE", "601")],
            "SIZE: \"601\" is above the limit of 600 arcmin",
        ),
        (vec![good, ("FORMAT", "jpeg")], "FORMAT"),
        (vec![good, ("BOX", "1")], "BOX"),
        (vec![good, ("SIZE", "1"), ("SIZE", "2")], "SIZE"),
        (vec![("SIZE", "1")], "POSITIONS"),
        (
            vec![("POSITIONS", "RA,DEC\n10,0\n-1,0\n10,abc\n")],
            "POSITIONS: row 2",
        ),
        (vec![("POSITIONS", "RA,DEC\n")], "POSITIONS"),
    ] {
        let faults = bench.faults(&parameters).await;
        assert!(faults[0].starts_with(expected), "{faults:?} is not {expected:?}");
    }
    assert!(
        bench
            .jobs
            .counts(&Caller::local(), &crate::jobs::SearchFilter::default())
            .await
            .unwrap()
            .values()
            .all(|count| *count == 0)
    );
}

#[tokio::test]
async fn a_job_that_waits_for_memory_is_suspended() {
    let bench = Bench::new(1 << 20).await;
    bench.write("a.fits", &tan_image(10.0, 0.0, &[]));
    bench.ingest().await;
    let held = bench.cutout.cutter.memory().try_hold(1 << 20).unwrap();
    let job = bench
        .create(&[("POSITIONS", "RA,DEC\n10,0"), ("SIZE", "2")])
        .await
        .unwrap();
    let waiting = bench.wait(&job, &[Phase::Queued, Phase::Executing]).await;
    assert_eq!(waiting.phase, Phase::Suspended);
    drop(held);
    let done = bench.wait(&job, &[Phase::Suspended, Phase::Executing]).await;
    assert_eq!(done.phase, Phase::Completed, "{:?}", done.error);
}

#[tokio::test]
async fn a_cutout_that_needs_more_than_all_memory_is_a_row() {
    let bench = Bench::new(64 << 10).await;
    bench.write("a.fits", &tan_image(10.0, 0.0, &[]));
    bench.ingest().await;
    let (_, manifest) = bench
        .run(&[("POSITIONS", "RA,DEC,XSIZE\n10,0,2\n10,0,400\n"), ("EDGE", "pad")])
        .await;
    assert_eq!(reasons(&manifest), ["-", "too_large"]);
}

fn reasons(manifest: &Json) -> Vec<&str> {
    let rows = manifest["rows"].as_array().unwrap();
    rows.iter()
        .map(|row| row["reason"].as_str().unwrap_or("-"))
        .collect()
}

/// An image of 200 x 200 pixels of 4 bytes, and another of its weights, half of which are 0.
fn weighed_image() -> Vec<u8> {
    let mut cards: Vec<String> = [
        "SIMPLE  =                    T",
        "BITPIX  =                  -32",
        "NAXIS   =                    2",
        "NAXIS1  =                  200",
        "NAXIS2  =                  200",
        "CTYPE1  = 'RA---TAN'",
        "CTYPE2  = 'DEC--TAN'",
        "CRPIX1  =                100.5",
        "CRPIX2  =                100.5",
        "CDELT1  = -0.01666666666666667",
        "CDELT2  =  0.01666666666666667",
        "CRVAL1  =                   10",
        "CRVAL2  =                    0",
    ]
    .map(String::from)
    .into();
    let mut bytes = header(&cards);
    bytes.extend((0..40_000_u16).flat_map(|at| f32::from(at).to_be_bytes()));
    bytes.resize(bytes.len().next_multiple_of(2880), 0);
    cards[0] = "XTENSION= 'IMAGE   '".into();
    cards[1] = "BITPIX  =                    8".into();
    let own = ["PCOUNT  =                    0", "GCOUNT  =                    1"];
    cards.splice(5..5, own.map(String::from));
    cards.push("EXTNAME = 'WGT     '".into());
    bytes.extend(header(&cards));
    bytes.extend((0..40_000_u16).map(|at| u8::from(at >= 20_000)));
    bytes.resize(bytes.len().next_multiple_of(2880), 0);
    bytes
}

/// A file without what differs from job to job, and from one folder to another.
fn alike(file: &[u8]) -> Vec<u8> {
    let mut alike = Vec::new();
    for card in file.chunks(80) {
        let own = [&b"CUTJOB "[..], b"CUTDATE ", b"CUTETAG ", b"DATE   ", b"CHECKSUM"];
        if !own.iter().any(|name| card.starts_with(name)) {
            alike.extend_from_slice(card);
        }
    }
    alike
}

#[tokio::test]
async fn what_is_larger_than_all_memory_is_made_in_strips_and_the_same() {
    let ample = Bench::new(64 << 20).await;
    let scarce = Bench::new(64 << 10).await;
    for bench in [&ample, &scarce] {
        bench.write("a.fits", &weighed_image());
        bench.ingest().await;
    }
    let whole = vec![("ID", "maps/a.fits")];
    let mut made_first = None;
    let list = vec![("POSITIONS", "RA,DEC,XSIZE\n10,0,2\n10,0,170\n10.9,0.7,190\n")];
    let empty = vec![("POSITIONS", "RA,DEC,XSIZE,YSIZE\n10,-0.9,190,80\n")];
    for (parameters, expected) in [
        (&whole, vec!["-"]),
        (&list, vec!["-"; 3]),
        (&empty, vec!["zero_weight"]),
    ] {
        let (first, told) = ample.run(parameters).await;
        let (second, told_of_strips) = scarce.run(parameters).await;
        assert_eq!(reasons(&told), expected);
        assert_eq!(reasons(&told_of_strips), expected);
        let rows = told["rows"].as_array().unwrap().iter();
        for (row, other) in rows.zip(told_of_strips["rows"].as_array().unwrap()) {
            for column in [
                "file",
                "size",
                "hdu",
                "x_min",
                "y_max",
                "coverage",
                "weight_coverage",
            ] {
                assert_eq!(row[column], other[column], "{column}");
            }
            let Some(name) = row["file"].as_str() else {
                continue;
            };
            let (large, made) = (
                ample.result(&first, name).await,
                scarce.result(&second, name).await,
            );
            assert_eq!(alike(&large), alike(&made), "{name}");
            made_first.get_or_insert(made.clone());
            assert_eq!(other["sha256"], hex::encode(Sha256::digest(&made)));
            // The sums are right where the cards that they are over differ.
            let words = made
                .chunks_exact(4)
                .map(|word| u64::from(u32::from_be_bytes(word.try_into().unwrap())));
            assert_eq!(words.sum::<u64>() % u64::from(u32::MAX), 0, "{name}");
        }
    }
    // Given again to who asks again, as all others are: with the job that made it.
    let (again, manifest) = scarce.run(&whole).await;
    let name = manifest["rows"][0]["file"].as_str().unwrap();
    let given = scarce.result(&again, name).await;
    assert!(
        !given
            .windows(36)
            .any(|text| text == again.id.to_string().as_bytes())
    );
    assert!(Some(given) == made_first, "it was made once more");
    // What is drawn or compressed is whole in memory, and what is padded too.
    for (name, value) in [("FORMAT", "fits.fz"), ("FORMAT", "png"), ("PREVIEW", "true")] {
        let (_, manifest) = scarce.run(&[whole[0], (name, value)]).await;
        assert_eq!(reasons(&manifest), ["too_large"], "{name}={value}");
    }
}

#[tokio::test]
async fn nothing_is_cut_in_strips_that_the_owner_has_no_room_for() {
    let per_owner = PerOwner {
        stored_bytes: Some(100_000),
        ..PerOwner::default()
    };
    let bench = Bench::limited(64 << 10, per_owner).await;
    bench.write("a.fits", &weighed_image());
    bench.ingest().await;
    let ended = bench.end(&[("ID", "maps/a.fits")]).await;
    let error = ended.error.map(|error| error.message).unwrap_or_default();
    assert!(error.contains("100000 bytes (quota storedBytes)"), "{error}");
    let stored = ended.results.iter().filter(|result| result.id.contains(".fits"));
    assert_eq!(stored.count(), 0);
}

#[tokio::test]
async fn an_image_that_was_replaced_is_not_cut_as_it_was() {
    let bench = Bench::new(1 << 20).await;
    bench.write("a.fits", &tan_image(10.0, 0.0, &[]));
    bench.ingest().await;
    let ask = [
        ("POSITIONS", "RA,DEC\n10,0"),
        ("SIZE", "2"),
        ("ID", "maps/a.fits"),
    ];
    let (_, first) = bench.run(&ask).await;
    assert_eq!(first["rows"][0]["status"], "ok", "{first}");
    // The same pixels elsewhere: it is open and has other coordinates now.
    bench.write("a.fits", &tan_image(50.0, 0.0, &[]));
    let (_, second) = bench.run(&ask).await;
    assert_eq!(second["rows"][0]["reason"], "outside_footprint", "{second}");
    std::fs::remove_file(bench.image("a.fits")).unwrap();
    let (_, third) = bench.run(&ask).await;
    assert_eq!(third["rows"][0]["reason"], "source_unreadable", "{third}");
}

#[tokio::test]
async fn ingest_again_reads_only_what_has_changed() {
    let bench = Bench::new(1 << 20).await;
    bench.write("a.fits", &tan_image(10.0, 0.0, &["FILTER  = 'r'"]));
    bench.write("sub/b.fits", &tan_image(20.0, 0.0, &[]));
    bench.write("bad.fits", b"no");
    assert_eq!(
        bench.ingest().await.0,
        Counts {
            images: 2,
            unchanged: 0,
            unreadable: 1,
            gone: 0,
            placeless: 0
        }
    );
    assert_eq!(
        bench.ingest().await.0,
        Counts {
            images: 2,
            unchanged: 2,
            unreadable: 1,
            gone: 0,
            placeless: 0
        }
    );
    bench.write("a.fits", &tan_image(10.0, 0.0, &["FILTER  = 'g'"]));
    assert_eq!(
        bench.ingest().await.0,
        Counts {
            images: 2,
            unchanged: 1,
            unreadable: 1,
            gone: 0,
            placeless: 0
        }
    );
    let maps = bench.store.collection("maps").await.unwrap().unwrap();
    let image = bench.store.image(maps, "a.fits").await.unwrap().unwrap().image;
    assert_eq!(image.band.as_deref(), Some("g"));
    let cap = image.cap.unwrap();
    assert!(
        (cap.centre.ra - 10.0).abs() < 1e-6 && cap.radius > 0.65 && cap.radius < 0.7,
        "{cap:?}"
    );
    let bad = ingest(
        &bench.store,
        &bench.sources,
        "a/b",
        KeywordSettings::default(),
        &[],
        |_| {},
    )
    .await;
    assert!(matches!(bad, Err(IngestError::Name(_))));
}

#[tokio::test]
async fn images_are_described_by_the_keywords_of_their_collection() {
    let bench = Bench::new(1 << 20).await;
    let cards = [
        "BAND    = '150GHz'",
        "COLOR   = 'deep red'",
        "OBS-ID  = 'yearly_winter_2020'",
        "FILETYPE= 'filtered'",
        "OBJECT  = 'ra0hdec-59.75'",
        "TELESCOP= 'SPT'",
        "DATE-BEG= '2020-03-01T00:00:00'",
        "DATE-END= '2020-03-01T12:00:00'",
    ];
    bench.write("coadd.fits", &tan_image(10.0, 0.0, &cards));
    bench.write("150GHz_yearly_winter_2021_psth.fits", &tan_image(0.0, 90.0, &[]));
    let url = [bench.folder.path().join("images").to_str().unwrap().to_owned()];
    let read = async |keywords: &KeywordSettings| {
        let counts = ingest(
            &bench.store,
            &bench.sources,
            "maps",
            keywords.clone(),
            &url,
            |_| {},
        )
        .await;
        counts.unwrap().unchanged
    };
    let found = async |path: &str| {
        let maps = bench.store.collection("maps").await.unwrap().unwrap();
        bench.store.image(maps, path).await.unwrap().unwrap().image
    };
    let mut keywords = KeywordSettings::default();
    assert_eq!((read(&keywords).await, read(&keywords).await), (0, 2));
    let coadd = found("coadd.fits").await;
    assert_eq!(coadd.band.as_deref(), Some("150GHz"));
    assert_eq!(coadd.obs.as_deref(), Some("yearly_winter_2020"));
    assert_eq!(coadd.product_type.as_deref(), Some("fltd"));
    assert_eq!(coadd.target.as_deref(), Some("ra0hdec-59.75"));
    assert_eq!(coadd.facility.as_deref(), Some("SPT"));
    assert_eq!((coadd.t_min, coadd.t_max), (Some(58_909.0), Some(58_909.5)));
    assert_eq!(coadd.calib_level, Some(3));
    assert!(coadd.em_min.is_some_and(|em| (em - 1.998_616e-3).abs() < 1e-8));
    let region = coadd.s_region.unwrap();
    assert!(
        region.starts_with("POLYGON ICRS ") && region.split(' ').count() == 10,
        "{region}"
    );
    assert!(coadd.pixel_scale.is_some_and(|scale| scale > 0.0));
    let named = found("150GHz_yearly_winter_2021_psth.fits").await;
    assert_eq!(named.obs.as_deref(), Some("yearly_winter_2021"));
    assert_eq!(named.product_type.as_deref(), Some("psth"));

    // Other keywords: what has not changed is read again, once.
    keywords.band = vec!["COLOR".into()];
    keywords.wavelengths.insert("DEEP RED".into(), [7e-7, 6e-7]);
    assert_eq!((read(&keywords).await, read(&keywords).await), (0, 2));
    let coadd = found("coadd.fits").await;
    assert_eq!(coadd.band.as_deref(), Some("deep red"));
    assert_eq!((coadd.em_min, coadd.em_max), (Some(6e-7), Some(7e-7)));
}

#[tokio::test]
async fn images_that_are_no_more_are_dropped_if_that_is_sure() {
    let bench = Bench::new(1 << 20).await;
    let image = tan_image(10.0, 0.0, &[]);
    for name in ["a.fits", "sub/b.fits", "c.fits"] {
        bench.write(name, &image);
    }
    // Of the same collection, but from elsewhere; and behind a link.
    let elsewhere = bench.folder.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    std::fs::write(elsewhere.join("e.fits"), &image).unwrap();
    let url = [elsewhere.to_str().unwrap().to_owned()];
    let counts = ingest(
        &bench.store,
        &bench.sources,
        "maps",
        KeywordSettings::default(),
        &url,
        |_| {},
    )
    .await;
    assert_eq!(counts.unwrap().images, 1);
    let linked = bench.folder.path().join("linked");
    std::fs::create_dir(&linked).unwrap();
    std::fs::write(linked.join("l.fits"), &image).unwrap();
    std::os::unix::fs::symlink(&linked, bench.image("link")).unwrap();
    let paths = async || {
        let all = bench.store.images(&ImageFilter::default(), None, 100).await;
        let mut paths: Vec<_> = all.unwrap().into_iter().map(|found| found.image.path).collect();
        paths.sort();
        paths.join(" ")
    };
    let gone = async || bench.ingest().await.0.gone;
    assert_eq!(gone().await, 0);
    assert_eq!(paths().await, "a.fits c.fits e.fits link/l.fits sub/b.fits");

    std::fs::remove_dir_all(bench.image("sub")).unwrap();
    assert_eq!(gone().await, 1);
    assert_eq!(paths().await, "a.fits c.fits e.fits link/l.fits");
    // A name that cannot be looked at hides what is there.
    std::fs::remove_file(bench.image("c.fits")).unwrap();
    let strange = bench
        .folder
        .path()
        .join("images")
        .join(OsStr::from_bytes(b"\xff.fits"));
    std::fs::write(&strange, &image).unwrap();
    let (counts, told) = bench.ingest().await;
    assert_eq!(counts.gone, 0);
    assert!(told.last().unwrap().starts_with("images: kept: "), "{told:?}");
    std::fs::remove_file(strange).unwrap();
    // A link that leads nowhere does not.
    std::os::unix::fs::symlink("/nowhere/at/all", bench.image("d.fits")).unwrap();
    let (counts, told) = bench.ingest().await;
    assert_eq!((counts.gone, counts.unreadable), (1, 1));
    assert_eq!(told, ["d.fits: no such object"]);
    std::fs::remove_file(bench.image("d.fits")).unwrap();
    // A link to a disk that is not there now; then no link.
    std::fs::rename(&linked, bench.folder.path().join("away")).unwrap();
    assert_eq!(gone().await, 0);
    assert_eq!(paths().await, "a.fits e.fits link/l.fits");
    std::fs::remove_file(bench.image("link")).unwrap();
    assert_eq!(gone().await, 1);
    // An empty folder.
    std::fs::remove_file(bench.image("a.fits")).unwrap();
    let (counts, told) = bench.ingest().await;
    assert_eq!(counts.gone, 0);
    assert_eq!(told, ["images: kept: no image was found"]);
    assert_eq!(paths().await, "a.fits e.fits");
}

#[tokio::test]
async fn a_box_without_any_weight_is_a_row_and_no_file() {
    let bench = Bench::new(64 << 20).await;
    let mut file = tan_image(10.0, -30.0, &["EXTNAME = 'SCI'"]);
    let weights = [
        "XTENSION= 'IMAGE   '",
        "BITPIX  = 16",
        "NAXIS   = 2",
        "NAXIS1  = 60",
        "NAXIS2  = 50",
        "PCOUNT  = 0",
        "GCOUNT  = 1",
        "EXTNAME = 'Weight'",
    ];
    file.extend(header(&weights.map(String::from)));
    // Up to column 30, where the middle of the image lies, there is none.
    for _ in 1..=50 {
        for x in 1..=60_i16 {
            file.extend((x - 30).max(0).to_be_bytes());
        }
    }
    file.resize(file.len().next_multiple_of(2880), 0);
    bench.write("map.fits", &file);
    bench.write("unweighted.fits", &tan_image(10.0, -30.0, &[]));
    bench.ingest().await;
    // East is to the left; the image's pixels are of 1 arcmin.
    let list = "RA,DEC,OBJID\n10,-30,middle\n10.2,-30,left\n9.8,-30,right\n";
    let (job, manifest) = bench.run(&[("POSITIONS", list), ("SIZE", "4px")]).await;
    assert_eq!(manifest["counts"], serde_json::json!({"ok": 5, "failed": 1}));
    let rows = manifest["rows"].as_array().unwrap();
    let seen: Vec<_> = rows
        .iter()
        .map(|row| {
            let text = |name: &str| row[name].as_str().unwrap_or("-").to_owned();
            (
                text("id"),
                text("image"),
                text("reason"),
                row["weight_coverage"].as_f64(),
            )
        })
        .collect();
    let row = |id: &str, image: &str, reason: &str, share| (id.into(), image.into(), reason.into(), share);
    assert_eq!(
        seen,
        [
            row("middle", "map.fits", "-", Some(0.5)),
            row("middle", "unweighted.fits", "-", None),
            row("left", "map.fits", "zero_weight", Some(0.0)),
            row("left", "unweighted.fits", "-", None),
            row("right", "map.fits", "-", Some(1.0)),
            row("right", "unweighted.fits", "-", None),
        ]
    );
    assert_eq!(
        (&rows[2]["file"], &rows[2]["status"]),
        (&Json::Null, &"failed".into())
    );
    assert!(
        job.results.iter().all(|result| result.id != "left_map.fits"),
        "{:?}",
        job.results
    );
    // Who asks for weights alone, or for none of them, gets what was asked for.
    for hdu in ["WEIGHT", "SCI"] {
        let parameters = [
            ("POSITIONS", "RA,DEC\n10.2,-30"),
            ("SIZE", "4px"),
            ("ID", "maps/map.fits"),
            ("HDUS", hdu),
        ];
        let (_, manifest) = bench.run(&parameters).await;
        assert_eq!(manifest["rows"][0]["status"], "ok", "{hdu}: {manifest}");
        assert_eq!(manifest["rows"][0]["weight_coverage"], Json::Null);
    }
    let votable = bench.result(&job, "manifest.vot").await;
    let votable = String::from_utf8(votable.to_vec()).unwrap();
    assert_eq!(votable.matches("<TR>").count(), 6);
}

/// Images of six nights. Weights are 0 in the first night, and the third has none. In the fourth (9.99, -30.0083) lies
/// beyond the edge, in the fifth its pixel is undefined, in the sixth there are no pixels at all.
async fn write_nights(bench: &Bench) {
    for (name, weight, day, ra) in [
        ("b.fits", Some(4), 2, 10.0),
        ("a.fits", Some(0), 1, 10.0),
        ("c.fits", None, 3, 10.0),
        ("d.fits", None, 4, 9.393_4),
        ("e.fits", None, 5, 10.0),
        ("f.fits", None, 6, 10.0),
    ] {
        let dates = [
            format!("DATE-BEG= '2020-03-0{day}T00:00:00'"),
            format!("DATE-END= '2020-03-0{day}T12:00:00'"),
            format!("OBS-ID  = 'n{day}'"),
        ];
        let mut cards = vec!["EXTNAME = 'SCI'", "BUNIT   = 'mJy'", "FILTER  = 'r'"];
        cards.extend(dates.iter().map(String::as_str));
        let mut file = tan_image(ra, -30.0, &cards);
        let pixels = file.len() - (60 * 50 * 4_usize).next_multiple_of(2880);
        if day == 5 {
            let at = pixels + 4 * (24 * 60 + 30);
            file[at..at + 4].copy_from_slice(&f32::NAN.to_be_bytes());
        }
        if let Some(weight) = weight {
            let weights = [
                "XTENSION= 'IMAGE   '",
                "BITPIX  = 8",
                "NAXIS   = 2",
                "NAXIS1  = 60",
                "NAXIS2  = 50",
                "PCOUNT  = 0",
                "GCOUNT  = 1",
                "BSCALE  = 0.5",
                "EXTNAME = 'WGT'",
            ];
            file.extend(header(&weights.map(String::from)));
            file.extend([weight; 3_000]);
            file.resize(file.len().next_multiple_of(2880), 0);
        }
        bench.write(name, &file);
    }
    bench.ingest().await;
    let whole = std::fs::read(bench.image("f.fits")).unwrap();
    bench.write("f.fits", &whole[..2880]);
}

#[tokio::test]
async fn a_light_curve_has_a_row_of_every_image_there_and_says_what_is_wrong_with_it() {
    let bench = Bench::new(64 << 20).await;
    write_nights(&bench).await;
    let expected = [
        "58909.25,58909,58909.5,r,n1,,2531,0,zero_weight,31,25,0,maps,a.fits,mJy",
        "58910.25,58910,58910.5,r,n2,,2531,2,,31,25,0,maps,b.fits,mJy",
        "58911.25,58911,58911.5,r,n3,,2531,,,31,25,0,maps,c.fits,mJy",
        "58912.25,58912,58912.5,r,n4,,,,outside_footprint,,,,maps,d.fits,",
        "58913.25,58913,58913.5,r,n5,,,,undefined_pixel,31,25,0,maps,e.fits,mJy",
        "58914.25,58914,58914.5,r,n6,,,,source_unreadable,,,,maps,f.fits,",
    ];
    let list = "RA,DEC,OBJID\n9.99,-30.0083,x y\n200,0,nowhere\n";
    // Neither what is cut nor how changes it.
    for more in [
        &[("SIZE", "4px")][..],
        &[("SIZE", "4px"), ("EDGE", "strict")],
        &[("SIZE", "4px"), ("HDUS", "SCI"), ("FORMAT", "png")],
        &[("SIZE", "4px"), ("FORMAT", "fits.fz"), ("PREVIEW", "true")],
    ] {
        let asked = [&[("POSITIONS", list), ("LIGHTCURVE", "true")], more].concat();
        let (job, manifest) = bench.run(&asked).await;
        let rows = manifest["rows"].as_array().unwrap();
        assert_eq!(rows.len(), 7, "{manifest}");
        let reason = if more.contains(&("HDUS", "SCI")) {
            Json::Null
        } else {
            "zero_weight".into()
        };
        assert_eq!(rows[0]["reason"], reason, "{manifest}");
        assert!(
            rows[..6]
                .iter()
                .all(|row| row["lightcurve"] == "x_y_lightcurve.fits")
        );
        assert_eq!(rows[6]["lightcurve"], Json::Null);
        let text = bench.result(&job, "x_y_lightcurve.csv").await;
        let mut reader = csv::Reader::from_reader(&text[..]);
        assert_eq!(
            reader.headers().unwrap().iter().collect::<Vec<_>>().join(","),
            "mjd,mjd_beg,mjd_end,band,obs,type,value,weight,reason,x,y,hdu,collection,image,unit"
        );
        let records: Vec<String> = reader
            .records()
            .map(|record| record.unwrap().iter().collect::<Vec<_>>().join(","))
            .collect();
        assert_eq!(records, expected, "{more:?}");
        let table = bench.result(&job, "x_y_lightcurve.fits").await;
        let cards = table.as_chunks::<80>().0;
        let has = |text: &str| cards.iter().any(|card| card.starts_with(text.as_bytes()));
        assert!(has("NAXIS2  =                    6") && has("TUNIT7  = 'mJy"));
        assert!(job.results.iter().all(|result| !result.id.starts_with("nowhere")));
        let is_made = |name: &str| job.results.iter().any(|result| result.id == name);
        let packed = more.contains(&("FORMAT", "fits.fz"));
        assert_eq!(is_made("x_y_r_n2.fits.fz"), packed);
        assert_eq!(
            is_made("x_y_r_n2.png"),
            packed || more.contains(&("FORMAT", "png"))
        );
        assert_eq!(job.info.progress_done, job.info.progress_total);
    }
    let faults = bench
        .faults(&[("POS", "RANGE 1 2 1 2"), ("LIGHTCURVE", "true")])
        .await;
    assert!(
        faults.iter().any(|fault| fault.contains("LIGHTCURVE")),
        "{faults:?}"
    );
    let faults = bench
        .faults(&[("POSITIONS", list), ("LIGHTCURVE", "maybe")])
        .await;
    assert!(
        faults.iter().any(|fault| fault.contains("LIGHTCURVE")),
        "{faults:?}"
    );
}

#[tokio::test]
async fn a_job_of_several_batches_has_its_rows_and_names_in_the_lists_order_and_every_piece_from_its_place() {
    let bench = Bench::new(64 << 20).await;
    bench.write("a.fits", &tan_image(10.0, -30.0, &[]));
    bench.ingest().await;
    // Up and down the image, so that the order of work is not the list's; one in ten lies beside it.
    let mut list = String::from("RA,DEC,OBJID\n");
    for row in 0..40_i32 {
        let up = f64::from(row * 7 % 40 - 20) / 60.0;
        let beside = if row % 10 == 9 {
            0.8
        } else {
            f64::from(row % 9 - 4) / 60.0
        };
        writeln!(list, "{},{},star", 10.0 + beside, -30.0 + up).unwrap();
    }
    let parameters = [
        ("POSITIONS", list.as_str()),
        ("SIZE", "4px"),
        ("ID", "maps/a.fits"),
        ("LIGHTCURVE", "true"),
    ];
    let (job, manifest) = bench.run(&parameters).await;
    let rows = manifest["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 40);
    let mut made = 0;
    for (at, row) in rows.iter().enumerate() {
        assert_eq!(row["row"], at + 1);
        assert!(row["lightcurve"].is_string(), "{row}");
        if at % 10 == 9 {
            assert_eq!(row["reason"], "outside_footprint", "{row}");
            continue;
        }
        made += 1;
        let number = if made == 1 {
            String::new()
        } else {
            format!("_{made}")
        };
        assert_eq!(row["file"], format!("star_a{number}.fits"), "{row}");
        let file = bench.result(&job, row["file"].as_str().unwrap()).await;
        // Sixteen pixels are one block.
        let first = f32::from_be_bytes(file[file.len() - 2880..][..4].try_into().unwrap());
        let [x, y] = ["x_min", "y_min"].map(|side| row[side].as_i64().unwrap());
        assert_eq!(first as i64, x + 100 * y, "{row}");
    }
    assert_eq!(manifest["counts"], serde_json::json!({"ok": 36, "failed": 4}));
}
