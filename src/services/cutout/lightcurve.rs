//! Light curves: the samples of a position in every observation, by time.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    manifest::{ImageColumns, Imaged, Row, SOFTWARE},
    render::parameters::{FLAG, flag},
    sample::{Read, Sample},
};
use crate::{
    engine::{Failure, ParameterInfo, UsageError},
    fits::{Column, NewCard, Value, Values, write_table},
    sky::{Position, Shape},
    uws::JobId,
};

/// The parameter.
pub const NAME: &str = "LIGHTCURVE";

/// LIGHTCURVE, for clients.
pub fn parameter() -> ParameterInfo {
    ParameterInfo {
        name: NAME,
        ucd: Some("meta.code"),
        unit: None,
        kind: FLAG,
        required: false,
        repeatable: false,
        default: Some("false".into()),
        meaning: "Whether there is a light curve (FITS and CSV) of each position or middle of a circle besides: the pixel \
                  that holds it, of the first image HDU there (its first plane), and its weight, in every image.",
    }
}

/// Whether light curves are asked for; by default not.
pub fn wanted(text: Option<&str>) -> Result<bool, UsageError> {
    text.map_or(Ok(false), flag)
        .map_err(|fault| UsageError::new(NAME, fault))
}

/// The position whose light curve it is, if the shape has one.
pub fn position(shape: &Shape) -> Option<Position> {
    match shape {
        Shape::Point(position) => Some(*position),
        Shape::Circle { centre, .. } => Some(*centre),
        _ => None,
    }
}

/// A point of a light curve.
#[derive(Debug)]
pub struct Point {
    imaged: Arc<Imaged>,
    /// Why the pixel was not read, if it was not.
    reason: Option<&'static str>,
    sample: Box<Sample>,
}

impl Point {
    /// A point in an image that was read, or was not.
    pub fn new(imaged: Arc<Imaged>, reason: Option<&'static str>, sample: Box<Sample>) -> Point {
        Point {
            imaged,
            reason,
            sample,
        }
    }

    fn image(&self) -> &ImageColumns {
        &self.imaged.columns
    }

    /// By what those of one time are put in order.
    fn order(&self) -> [&Option<Arc<str>>; 3] {
        let image = self.image();
        [&image.band, &image.collection, &image.image]
    }

    /// What a light curve of so many points takes in memory at most while it is written, in bytes.
    pub fn room(points: usize) -> u64 {
        // The columns, once as they are gathered, once as FITS and once as CSV.
        (points as u64).saturating_mul(2 << 10)
    }
}

/// The light curve of the position of a row as a FITS file and as CSV, in the order of time.
pub fn write(job: JobId, position: &Row, mut points: Vec<Point>, date: &str) -> Result<[Bytes; 2], Failure> {
    let time = |point: &Point| point.sample.middle().unwrap_or(f64::INFINITY);
    points.sort_by(|a, b| {
        time(a)
            .total_cmp(&time(b))
            .then_with(|| a.order().cmp(&b.order()))
    });
    let text = |text: &str| Value::Text(text.to_owned());
    let mut cards = vec![NewCard::new("OBJECT", text(&position.id), "name of the position")];
    if let (Some(ra), Some(dec)) = (position.ra, position.dec) {
        cards.extend([
            NewCard::new("RA", Value::Real(ra), "[deg] of the position"),
            NewCard::new("DEC", Value::Real(dec), "[deg] of the position"),
            NewCard::new("RADESYS", text("ICRS"), "of RA and DEC"),
        ]);
    }
    cards.extend([
        NewCard::new("TIMESYS", text("UTC"), "of mjd, mjd_beg, mjd_end"),
        NewCard::new("MJDREF", Value::Real(0.0), "[d] what they count from"),
        NewCard::new("TIMEUNIT", text("d"), "unit of time"),
    ]);
    // Those that are times, for readers that make times of columns.
    for number in 1..=TIMES {
        cards.extend([
            NewCard::new(&format!("TCTYP{number}"), text("UTC"), "time scale"),
            NewCard::new(&format!("TCUNI{number}"), text("d"), "its unit"),
        ]);
    }
    cards.extend([
        NewCard::new("CUTSOFT", text(SOFTWARE), "what made this light curve"),
        NewCard::new("CUTJOB", text(&job.to_string()), "job that asked for it"),
        NewCard::new("CUTDATE", text(date), "UTC, when it was made"),
    ]);
    let columns = columns(&points);
    Ok([
        write_table("LIGHTCURVE", &columns, &cards, date),
        csv(&columns, points.len())?,
    ])
}

/// So many columns, the first ones, are times.
const TIMES: usize = 3;

fn columns(points: &[Point]) -> Vec<Column<'_>> {
    fn column<'a>(
        name: &'static str,
        unit: Option<&'a str>,
        meaning: &'static str,
        values: Values<'a>,
    ) -> Column<'a> {
        Column {
            name,
            unit,
            meaning,
            values,
        }
    }
    let samples = || points.iter().map(|point| &*point.sample);
    let reals = |of: &dyn Fn(&Sample) -> Option<f64>| {
        Values::Reals(samples().map(|sample| of(sample).unwrap_or(f64::NAN)).collect())
    };
    let whole = |of: &dyn Fn(&Read) -> i64| Values::Integers(samples().map(|sample| sample.of(of)).collect());
    let texts = |of: &dyn for<'a> Fn(&'a Point) -> Option<&'a str>| {
        Values::Texts(points.iter().map(|point| of(point).unwrap_or_default()).collect())
    };
    // Images may be in different units.
    let mut units = samples().filter(|sample| sample.read.is_some()).map(Sample::unit);
    let unit = units.next().flatten();
    let unit = unit.filter(|unit| units.all(|other| other == Some(unit)));
    let day = Some("d");
    vec![
        column(
            "mjd",
            day,
            "middle of the observation, UTC",
            reals(&Sample::middle),
        ),
        column("mjd_beg", day, "its begin, UTC", reals(&|sample| sample.mjd[0])),
        column("mjd_end", day, "its end, UTC", reals(&|sample| sample.mjd[1])),
        column(
            "band",
            None,
            "band",
            texts(&|point| point.image().band.as_deref()),
        ),
        column(
            "obs",
            None,
            "observation",
            texts(&|point| point.image().obs.as_deref()),
        ),
        column(
            "type",
            None,
            "type of product",
            texts(&|point| point.image().product_type.as_deref()),
        ),
        column(
            "value",
            unit,
            "the pixel at the position",
            reals(&|sample| sample.of(|read| read.value)),
        ),
        column("weight", None, "its weight", reals(&Sample::weight)),
        column(
            "reason",
            None,
            "why there is no good value",
            texts(&|point| point.reason.or(point.sample.flaw())),
        ),
        column(
            "x",
            Some("pixel"),
            "column of the pixel, from 1",
            whole(&|read| read.pixel[0]),
        ),
        column(
            "y",
            Some("pixel"),
            "row of the pixel, from 1",
            whole(&|read| read.pixel[1]),
        ),
        column(
            "hdu",
            None,
            "HDU of the image, 0 = primary",
            whole(&|read| read.hdu as i64),
        ),
        column(
            "collection",
            None,
            "of the image",
            texts(&|point| point.image().collection.as_deref()),
        ),
        column(
            "image",
            None,
            "its path",
            texts(&|point| point.image().image.as_deref()),
        ),
        column("unit", None, "unit of value", texts(&|point| point.sample.unit())),
    ]
}

/// The same columns as text; what is undefined is empty.
fn csv(columns: &[Column<'_>], rows: usize) -> Result<Bytes, Failure> {
    let failed = |error: csv::Error| Failure::fatal(format!("A light curve could not be written: {error}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer
        .write_record(columns.iter().map(|column| column.name))
        .map_err(failed)?;
    for row in 0..rows {
        let cells = columns.iter().map(|column| match &column.values {
            Values::Reals(values) if values[row].is_nan() => String::new(),
            Values::Reals(values) => values[row].to_string(),
            Values::Integers(values) => values[row].map(|value| value.to_string()).unwrap_or_default(),
            Values::Texts(values) => values[row].to_owned(),
        });
        writer.write_record(cells).map_err(failed)?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|error| Failure::fatal(error.to_string()))?;
    Ok(bytes.into())
}
