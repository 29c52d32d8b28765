//! The manifest: a row for each position on each image.

use std::{
    collections::HashSet,
    io::{self, Write},
    sync::Arc,
};

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use url::Url;

use crate::{
    fits::PixelBox,
    store::Image,
    uws::{
        JobId, ParameterValue, Parameters, Timestamp,
        votable::{self, Cell, Field, Purpose, VoTable},
    },
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
    /// Share of the pixels whose weight is above 0, if the image has weights.
    pub weight_coverage: Option<f64>,
    /// Bytes of the pixels of the cutout.
    #[serde(skip)]
    pub pixels: u64,
    /// Name of the light curve of the position, as FITS; it is there as CSV too.
    pub lightcurve: Option<Arc<str>>,
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

/// What rows say of an image: all of them the same.
#[derive(Debug)]
pub struct Imaged {
    /// What the catalogue says.
    pub image: Arc<Image>,
    /// The same, as columns.
    pub columns: ImageColumns,
    /// Where it was read from.
    pub source: SourceColumns,
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

fn each<S: Serializer>(rows: &(impl Iterator<Item = Row> + Clone), serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(rows.clone())
}

/// The manifest as JSON: job, software, parameters, counts, rows, provenance.
pub fn json(
    out: &mut dyn Write,
    job: JobId,
    parameters: &Parameters,
    [ok, failed]: [usize; 2],
    rows: impl Iterator<Item = Row> + Clone,
    [begun, ended]: [Timestamp; 2],
) -> io::Result<()> {
    #[derive(Serialize)]
    struct Manifest<R: Iterator<Item = Row> + Clone> {
        job: String,
        software: &'static str,
        parameters: Map<String, Value>,
        counts: Counts,
        #[serde(serialize_with = "each")]
        rows: R,
        provenance: Provenance,
    }
    #[derive(Serialize)]
    struct Counts {
        ok: usize,
        failed: usize,
    }
    let manifest = Manifest {
        job: job.to_string(),
        software: SOFTWARE,
        parameters: shown(parameters),
        counts: Counts { ok, failed },
        provenance: Provenance::new(job, rows.clone(), [begun, ended]),
        rows,
    };
    Ok(serde_json::to_writer(out, &manifest)?)
}

/// Where the cutouts come from, in the classes and attributes of the IVOA Provenance Data Model 1.0: the activity, the
/// agent and what its software is, and the images that were used. What was generated are the files of the rows.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Provenance {
    activity: Activity,
    activity_description: ActivityDescription,
    agent: Agent,
    was_associated_with: WasAssociatedWith,
    used: Vec<Used>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Activity {
    id: String,
    name: &'static str,
    start_time: String,
    end_time: String,
}

#[derive(Serialize)]
struct ActivityDescription {
    name: &'static str,
    version: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Serialize)]
struct Agent {
    id: &'static str,
    name: &'static str,
    version: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Serialize)]
struct WasAssociatedWith {
    agent: &'static str,
    role: &'static str,
}

#[derive(Serialize)]
struct Used {
    role: &'static str,
    entity: Entity,
}

#[derive(Serialize)]
struct Entity {
    id: String,
    name: Arc<str>,
    location: Option<Arc<str>>,
    /// Not of the model: the version that was read.
    etag: Option<Arc<str>>,
}

impl Provenance {
    fn new(job: JobId, rows: impl Iterator<Item = Row>, [begun, ended]: [Timestamp; 2]) -> Self {
        const NAME: &str = env!("CARGO_PKG_NAME");
        const VERSION: &str = env!("CARGO_PKG_VERSION");
        let mut seen = HashSet::new();
        let used = rows
            .filter(|row| row.status == Status::Ok)
            .filter_map(|row| {
                let (collection, image) = (row.image.collection?, row.image.image?);
                let etag = row.source.etag;
                let is_new = seen.insert((Arc::clone(&collection), Arc::clone(&image), etag.clone()));
                is_new.then(|| Used {
                    role: "image",
                    entity: Entity {
                        id: format!("{collection}/{image}"),
                        name: image,
                        location: row.source.source,
                        etag,
                    },
                })
            })
            .collect();
        Provenance {
            activity: Activity {
                id: job.to_string(),
                name: "cutout",
                start_time: begun.to_string(),
                end_time: ended.to_string(),
            },
            activity_description: ActivityDescription {
                name: "cutout",
                version: VERSION,
                kind: "Reduction",
            },
            agent: Agent {
                id: NAME,
                name: NAME,
                version: VERSION,
                kind: "SoftwareAgent",
            },
            was_associated_with: WasAssociatedWith {
                agent: NAME,
                role: "Operator",
            },
            used,
        }
    }
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
pub fn csv(out: &mut dyn Write, rows: impl Iterator<Item = Row>) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(COLUMNS.map(|column| column.name))?;
    for row in rows {
        writer.write_record(row.cells().each_ref().map(|cell| cell.written().into_owned()))?;
    }
    writer.flush()
}

/// The rows as a VOTable, with the job and the software.
pub fn votable(
    out: &mut dyn Write,
    job: JobId,
    [ok, failed]: [usize; 2],
    rows: impl Iterator<Item = Row>,
) -> io::Result<()> {
    let mut table = VoTable::new();
    table
        .resource(Purpose::Results, None)
        .description("Cutouts of a job, a row for each position on each image.")
        .status(votable::Status::Ok)
        .info("job", &job.to_string(), "")
        .info("software", SOFTWARE, "")
        .info("ok", &ok.to_string(), "rows with a file")
        .info("failed", &failed.to_string(), "rows without one")
        .icrs("icrs")
        .table("manifest", &COLUMNS);
    for row in rows {
        table.row(&row.cells());
        out.write_all(&table.take())?;
    }
    out.write_all(&table.finish())
}

/// The columns in their order.
const COLUMNS: [Field; 27] = [
    Field::long("row")
        .ucd("meta.record")
        .meaning("row of the list, from 1"),
    Field::text("id")
        .ucd("meta.id;meta.main")
        .meaning("name of the position"),
    Field::double("ra")
        .unit("deg")
        .ucd("pos.eq.ra;meta.main")
        .meaning("middle of what was asked for, ICRS"),
    Field::double("dec")
        .unit("deg")
        .ucd("pos.eq.dec;meta.main")
        .meaning("middle of what was asked for, ICRS"),
    Field::double("xsize")
        .unit("arcmin")
        .ucd("phys.angSize;instr.fov")
        .meaning("width asked for"),
    Field::double("ysize")
        .unit("arcmin")
        .ucd("phys.angSize;instr.fov")
        .meaning("height asked for"),
    Field::text("collection")
        .ucd("meta.id")
        .meaning("collection of the image"),
    Field::text("image")
        .ucd("meta.id;meta.file")
        .meaning("path of the image in its collection"),
    Field::text("band")
        .ucd("instr.bandpass")
        .meaning("band of the image"),
    Field::text("obs")
        .ucd("obs.id")
        .meaning("observation or coadd tag"),
    Field::text("type")
        .ucd("meta.code.class")
        .meaning("type of product"),
    Field::text("hdu")
        .ucd("meta.id;meta.dataset")
        .meaning("numbers of the HDUs in the file, 0 the primary of the image"),
    Field::text("status")
        .ucd("meta.code.status")
        .meaning("ok or failed"),
    Field::text("reason")
        .ucd("meta.code.error")
        .meaning("why there is no cutout"),
    Field::text("message")
        .ucd("meta.note")
        .meaning("the same for people"),
    Field::long("x_min")
        .unit("pix")
        .ucd("pos.cartesian.x;stat.min")
        .meaning("first column of the image in the cutout, from 1"),
    Field::long("x_max")
        .unit("pix")
        .ucd("pos.cartesian.x;stat.max")
        .meaning("last column"),
    Field::long("y_min")
        .unit("pix")
        .ucd("pos.cartesian.y;stat.min")
        .meaning("first row of the image in the cutout, from 1"),
    Field::long("y_max")
        .unit("pix")
        .ucd("pos.cartesian.y;stat.max")
        .meaning("last row"),
    Field::double("coverage")
        .ucd("stat.fill;obs.image")
        .meaning("share of the box that lies on the image"),
    Field::text("file").ucd("meta.file").meaning("name of the cutout"),
    Field::long("size")
        .unit("byte")
        .ucd("phys.size;meta.file")
        .meaning("size of the cutout"),
    Field::text("sha256")
        .ucd("meta.checksum;meta.file")
        .meaning("SHA-256 of the cutout, hexadecimal"),
    Field::text("source")
        .ucd("meta.ref;meta.file")
        .meaning("where the image is"),
    Field::text("etag")
        .ucd("meta.version;meta.file")
        .meaning("version of the image that was read"),
    Field::double("weight_coverage")
        .ucd("stat.fill;stat.weight")
        .meaning("share of the pixels whose weight is above 0, if the image has weights"),
    Field::text("lightcurve")
        .ucd("meta.file;time.series")
        .meaning("name of the light curve of the position"),
];

impl Row {
    fn cells(&self) -> [Cell<'_>; COLUMNS.len()] {
        fn text(value: Option<&Arc<str>>) -> Cell<'_> {
            value.map(|value| &**value).into()
        }
        let pixel = |of: fn(&PixelBox) -> i64| self.area.as_ref().map(of).into();
        [
            (self.row as u64).into(),
            (&*self.id).into(),
            self.ra.into(),
            self.dec.into(),
            self.xsize.into(),
            self.ysize.into(),
            text(self.image.collection.as_ref()),
            text(self.image.image.as_ref()),
            text(self.image.band.as_ref()),
            text(self.image.obs.as_ref()),
            text(self.image.product_type.as_ref()),
            self.hdu.as_deref().into(),
            (if self.status == Status::Ok { "ok" } else { "failed" }).into(),
            self.reason.into(),
            self.message.as_deref().into(),
            pixel(|area| area.x_min),
            pixel(|area| area.x_max),
            pixel(|area| area.y_min),
            pixel(|area| area.y_max),
            self.coverage.into(),
            self.file.as_deref().into(),
            self.size.into(),
            self.sha256.as_deref().into(),
            text(self.source.source.as_ref()),
            text(self.source.etag.as_ref()),
            self.weight_coverage.into(),
            self.lightcurve.as_deref().into(),
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
            weight_coverage: Some(0.25),
            pixels: 100,
            lightcurve: Some("a_lightcurve.fits".into()),
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
            weight_coverage: None,
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
        let mut rows = rows();
        // An image is used once, however many cutouts it has.
        rows.push(rows[0].clone());
        let times = [0, 1_000].map(|millis| Timestamp::from_millis(millis).unwrap());
        let mut bytes = Vec::new();
        json(
            &mut bytes,
            JobId::new(),
            &parameters,
            [2, 1],
            rows.into_iter(),
            times,
        )
        .unwrap();
        let manifest: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(manifest["counts"], serde_json::json!({"ok": 2, "failed": 1}));
        let provenance = &manifest["provenance"];
        assert_eq!(provenance["activity"]["name"], "cutout");
        assert_eq!(provenance["activity"]["startTime"], "1970-01-01T00:00:00.000Z");
        assert_eq!(provenance["activity"]["endTime"], "1970-01-01T00:00:01.000Z");
        assert_eq!(
            provenance["used"],
            serde_json::json!([{"role": "image", "entity": {
                "id": "dss/m13.fits", "name": "m13.fits", "location": "dss/m13.fits", "etag": "1",
            }}])
        );
        assert_eq!(manifest["parameters"], serde_json::json!({"SIZE": ["2"]}));
        for row in manifest["rows"].as_array().unwrap() {
            let mut names: Vec<_> = row.as_object().unwrap().keys().map(String::as_str).collect();
            let mut columns = COLUMNS.map(|column| column.name);
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
        let mut bytes = Vec::new();
        csv(&mut bytes, rows().into_iter()).unwrap();
        let mut reader = csv::Reader::from_reader(&bytes[..]);
        assert_eq!(reader.headers().unwrap(), &COLUMNS.map(|column| column.name)[..]);
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
    #[test]
    fn the_votable_has_the_columns_and_what_they_are() {
        let mut bytes = Vec::new();
        votable(&mut bytes, JobId::new(), [1, 1], rows().into_iter()).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text.matches("<FIELD").count(), COLUMNS.len());
        assert_eq!(text.matches("<TR>").count(), 2);
        assert_eq!(text.matches("<TD").count(), 2 * COLUMNS.len());
        assert!(text.contains(r#"name="ra" datatype="double" unit="deg" ucd="pos.eq.ra;meta.main""#));
        assert!(
            text.contains("a, \"b\"") || text.contains("a, &quot;b&quot;"),
            "{text}"
        );
        assert!(text.contains("outside_footprint"));
    }
}
