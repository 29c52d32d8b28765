//! The manifest: a row for each position on each image.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use url::Url;

use crate::{
    engine::Failure,
    fits::PixelBox,
    store::Image,
    uws::{JobId, ParameterValue, Parameters},
};

/// What made the cutouts.
pub const SOFTWARE: &str = concat!("sidereal ", env!("CARGO_PKG_VERSION"));

/// A position on an image, or a position on none.
#[expect(clippy::struct_field_names, reason = "the fields are the columns")]
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Row of the list, from 1.
    pub row: usize,
    /// The user's name for the position, or one made of it.
    pub id: Arc<str>,
    /// Middle of what was asked for, ICRS, deg.
    pub ra: Option<f64>,
    /// Middle of what was asked for, ICRS, deg.
    pub dec: Option<f64>,
    /// Width asked for, arcmin.
    pub xsize: Option<f64>,
    /// Height asked for, arcmin.
    pub ysize: Option<f64>,
    /// The image, if there is one.
    #[serde(flatten)]
    pub image: ImageColumns,
    /// Numbers of the HDUs in the file, separated by spaces.
    pub hdu: Option<String>,
    /// Whether there is a cutout.
    pub status: Status,
    /// Why not.
    pub reason: Option<&'static str>,
    /// Why not, for people.
    pub message: Option<String>,
    /// The pixels of the source that the cutout of the first HDU holds.
    #[serde(flatten, serialize_with = "bounds")]
    pub area: Option<PixelBox>,
    /// Share of the box, of the first HDU, that lies on the image.
    pub coverage: Option<f64>,
    /// Name of the file.
    pub file: Option<String>,
    /// Bytes of the file.
    pub size: Option<u64>,
    /// Hexadecimal digest of the file.
    pub sha256: Option<String>,
    /// Where the image is, and the version that was read.
    #[serde(flatten)]
    pub source: SourceColumns,
}

/// What the catalogue says of an image.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ImageColumns {
    /// Name of its collection.
    pub collection: Option<Arc<str>>,
    /// Its path in the collection.
    pub image: Option<Arc<str>>,
    /// Band.
    pub band: Option<Arc<str>>,
    /// Observation or coadd tag.
    pub obs: Option<Arc<str>>,
    /// Type of product.
    #[serde(rename = "type")]
    pub product_type: Option<Arc<str>>,
}

/// Where an image was read from.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SourceColumns {
    /// URL of what others can reach too; COLLECTION/PATH of a file of the server's.
    pub source: Option<Arc<str>>,
    /// Entity tag, without its quotes.
    pub etag: Option<Arc<str>>,
}

/// What users are told of where an image is: how the server's own folders are named is nobody's business.
pub fn source(collection: &str, image: &Image) -> Arc<str> {
    let scheme = image.url.split_once("://").map(|(scheme, _)| scheme);
    match (scheme, Url::parse(&image.url)) {
        // Keys are taken as they are written.
        (Some("s3" | "s3a"), _) => image.url.as_str().into(),
        (Some("http" | "https"), Ok(mut url)) => {
            url.set_query(None);
            url.set_fragment(None);
            // Only a URL without a host can have neither.
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.as_str().into()
        }
        _ => format!("{collection}/{}", image.path).into(),
    }
}

/// How a row ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// There is a file.
    Ok,
    /// There is a reason.
    Failed,
}

#[expect(clippy::ref_option, reason = "serde hands over a reference to the field")]
fn bounds<S: Serializer>(area: &Option<PixelBox>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Bounds {
        x_min: Option<i64>,
        x_max: Option<i64>,
        y_min: Option<i64>,
        y_max: Option<i64>,
    }
    let bounds = Bounds {
        x_min: area.map(|area| area.x_min),
        x_max: area.map(|area| area.x_max),
        y_min: area.map(|area| area.y_min),
        y_max: area.map(|area| area.y_max),
    };
    bounds.serialize(serializer)
}

/// The manifest as JSON: job, software, parameters, counts, rows.
pub fn json(job: JobId, parameters: &Parameters, rows: &[Row]) -> Result<Bytes, Failure> {
    #[derive(Serialize)]
    struct Manifest<'a> {
        job: String,
        software: &'static str,
        parameters: Map<String, Value>,
        counts: Counts,
        rows: &'a [Row],
    }
    #[derive(Serialize)]
    struct Counts {
        ok: usize,
        failed: usize,
    }
    let ok = count_ok(rows);
    let manifest = Manifest {
        job: job.to_string(),
        software: SOFTWARE,
        parameters: shown(parameters),
        counts: Counts {
            ok,
            failed: rows.len() - ok,
        },
        rows,
    };
    serde_json::to_vec(&manifest)
        .map(Bytes::from)
        .map_err(|error| Failure::fatal(error.to_string()))
}

/// How many rows have a file.
pub fn count_ok(rows: &[Row]) -> usize {
    rows.iter().filter(|row| row.status == Status::Ok).count()
}

/// Every value of a parameter under its name; of an uploaded one only what it was.
fn shown(parameters: &Parameters) -> Map<String, Value> {
    let mut shown = Map::new();
    for parameter in parameters.iter() {
        let value = match &parameter.value {
            ParameterValue::Inline(text) => text.clone(),
            ParameterValue::Upload { media_type, size, .. } => {
                format!("uploaded: {media_type}, {size} bytes")
            }
        };
        let values = shown
            .entry(parameter.name.as_str())
            .or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(values) = values {
            values.push(Value::String(value));
        }
    }
    shown
}

/// The rows as CSV, with a header; what is absent is empty.
pub fn csv(rows: &[Row]) -> Result<Bytes, Failure> {
    let failed = |error: csv::Error| Failure::fatal(format!("The manifest could not be written: {error}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS).map_err(failed)?;
    for row in rows {
        writer.write_record(row.record()).map_err(failed)?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|error| Failure::fatal(error.to_string()))?;
    Ok(bytes.into())
}

/// The columns in their order.
const COLUMNS: [&str; 25] = [
    "row",
    "id",
    "ra",
    "dec",
    "xsize",
    "ysize",
    "collection",
    "image",
    "band",
    "obs",
    "type",
    "hdu",
    "status",
    "reason",
    "message",
    "x_min",
    "x_max",
    "y_min",
    "y_max",
    "coverage",
    "file",
    "size",
    "sha256",
    "source",
    "etag",
];

impl Row {
    fn record(&self) -> [String; COLUMNS.len()] {
        let text = |value: &Option<Arc<str>>| value.as_deref().unwrap_or_default().to_owned();
        let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
        let pixel = |of: fn(&PixelBox) -> i64| {
            self.area
                .as_ref()
                .map(|area| of(area).to_string())
                .unwrap_or_default()
        };
        [
            self.row.to_string(),
            self.id.to_string(),
            number(self.ra),
            number(self.dec),
            number(self.xsize),
            number(self.ysize),
            text(&self.image.collection),
            text(&self.image.image),
            text(&self.image.band),
            text(&self.image.obs),
            text(&self.image.product_type),
            self.hdu.clone().unwrap_or_default(),
            String::from(if self.status == Status::Ok { "ok" } else { "failed" }),
            self.reason.unwrap_or_default().to_owned(),
            self.message.clone().unwrap_or_default(),
            pixel(|area| area.x_min),
            pixel(|area| area.x_max),
            pixel(|area| area.y_min),
            pixel(|area| area.y_max),
            number(self.coverage),
            self.file.clone().unwrap_or_default(),
            self.size.map(|size| size.to_string()).unwrap_or_default(),
            self.sha256.clone().unwrap_or_default(),
            text(&self.source.source),
            text(&self.source.etag),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Row> {
        let ok = Row {
            row: 1,
            id: "a, \"b\"".into(),
            ra: Some(250.4226),
            dec: Some(-0.5),
            xsize: Some(2.0),
            ysize: Some(2.5),
            image: ImageColumns {
                collection: Some("dss".into()),
                image: Some("m13.fits".into()),
                ..ImageColumns::default()
            },
            hdu: Some("1 2".into()),
            status: Status::Ok,
            reason: None,
            message: None,
            area: Some(PixelBox {
                x_min: 1,
                x_max: 10,
                y_min: -4,
                y_max: 5,
            }),
            coverage: Some(0.5),
            file: Some("a.fits".into()),
            size: Some(2_880),
            sha256: Some("00".into()),
            source: SourceColumns {
                source: Some("dss/m13.fits".into()),
                etag: Some("1".into()),
            },
        };
        let failed = Row {
            row: 2,
            status: Status::Failed,
            reason: Some("outside_footprint"),
            message: Some("no image".into()),
            area: None,
            image: ImageColumns::default(),
            source: SourceColumns::default(),
            hdu: None,
            coverage: None,
            file: None,
            size: None,
            sha256: None,
            ..ok.clone()
        };
        vec![ok, failed]
    }

    #[test]
    fn json_has_every_column_of_every_row() {
        let mut parameters = Parameters::default();
        parameters
            .push("SIZE", ParameterValue::Inline("2".into()))
            .unwrap();
        let bytes = json(JobId::new(), &parameters, &rows()).unwrap();
        let manifest: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(manifest["counts"], serde_json::json!({"ok": 1, "failed": 1}));
        assert_eq!(manifest["parameters"], serde_json::json!({"SIZE": ["2"]}));
        for row in manifest["rows"].as_array().unwrap() {
            let mut names: Vec<_> = row.as_object().unwrap().keys().map(String::as_str).collect();
            let mut columns = COLUMNS.to_vec();
            names.sort_unstable();
            columns.sort_unstable();
            assert_eq!(names, columns);
        }
        assert_eq!(manifest["rows"][0]["y_min"], -4);
        assert_eq!(manifest["rows"][1]["file"], Value::Null);
        assert_eq!(manifest["rows"][1]["x_min"], Value::Null);
    }

    #[test]
    fn the_servers_own_folders_are_not_told() {
        let image = |url: &str| Image {
            path: "a b/m13.fits".into(),
            url: url.into(),
            ..Image::default()
        };
        for (url, shown) in [
            ("file:///srv/private/a%20b/m13.fits", "dss/a b/m13.fits"),
            ("/srv/private/a b/m13.fits", "dss/a b/m13.fits"),
            ("s3://maps/a b/m13.fits", "s3://maps/a b/m13.fits"),
            (
                "https://host:8443/a%20b/m13.fits",
                "https://host:8443/a%20b/m13.fits",
            ),
            (
                "http://me:hunter2@host/m13.fits?signature=x#y",
                "http://host/m13.fits",
            ),
        ] {
            assert_eq!(&*source("dss", &image(url)), shown);
        }
    }

    #[test]
    fn csv_reads_back() {
        let bytes = csv(&rows()).unwrap();
        let mut reader = csv::Reader::from_reader(&bytes[..]);
        assert_eq!(reader.headers().unwrap(), &COLUMNS[..]);
        let records: Vec<_> = reader.records().map(Result::unwrap).collect();
        assert_eq!(records.len(), 2);
        assert_eq!(
            (&records[0][1], &records[0][15], &records[0][20]),
            ("a, \"b\"", "1", "a.fits")
        );
        assert_eq!(
            (&records[1][12], &records[1][13], &records[1][20]),
            ("failed", "outside_footprint", "")
        );
    }
}
