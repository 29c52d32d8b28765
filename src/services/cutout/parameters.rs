//! What a job asks for, read from its parameters; and their description for clients.

use chrono::{Days, Months};

use super::{
    identifier, lightcurve,
    limits::{MAX_WORD, check_size},
    list::{List, Row},
    render::{self, Preview},
};
use crate::{
    engine::{ParameterInfo, ParameterKind, UsageError},
    fits::{Edge, Packing, Wanted},
    sky::{Shape, ShapeError, Size},
    uws::{ParameterValue, Parameters, Timestamp},
};

/// Values of RESPONSEFORMAT: those of FORMAT, and those of manifests, which every job has.
pub const RESPONSE_FORMATS: &[&str] = &[
    "fits",
    "application/fits",
    "fits.fz",
    "png",
    "image/png",
    "json",
    "application/json",
    "csv",
    "text/csv",
];
/// SIZE where it is not given.
const DEFAULT_SIZE: &str = "10";

/// What a job asks for, but for which images the catalogue has.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Names of collections; empty means all.
    pub collections: Vec<String>,
    /// Images by collection and path; empty means those that the positions lie on.
    pub ids: Vec<(String, String)>,
    /// Where to cut: the rows of POSITIONS, or of SODA's shapes; each with each of BAND and TIME. Empty while the job is a
    /// draft without them.
    pub list: List,
    /// Size of boxes whose row does not say.
    pub size: Size,
    /// EXTNAMEs or numbers of HDUs; empty means all images.
    pub hdus: Vec<String>,
    /// Bands; empty means all.
    pub bands: Vec<String>,
    /// Types of product; empty means all.
    pub types: Vec<String>,
    /// Observations or coadd tags; empty means all.
    pub tags: Vec<String>,
    /// Not over before.
    pub from: Option<Timestamp>,
    /// Begun by.
    pub to: Option<Timestamp>,
    /// Polarization states (POL), as ObsCore writes them; empty means all. Images by their columns, and planes of cubes.
    pub pols: Vec<String>,
    /// What becomes of boxes that hang over an edge.
    pub edge: Edge,
    /// What the cutouts are written as.
    pub format: Format,
    /// How pictures are drawn, and whether there is one of each cutout besides.
    pub preview: Preview,
    /// Whether there is a light curve of each position besides.
    pub lightcurve: bool,
}

/// What a cutout is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// FITS.
    #[default]
    Fits,
    /// FITS whose images are compressed in tiles, without loss.
    FitsFz,
    /// A picture.
    Png,
}

impl Format {
    /// Those that are made.
    const MADE: &[Format] = &[Format::Fits, Format::FitsFz, Format::Png];

    /// The value of FORMAT.
    pub fn name(self) -> &'static str {
        match self {
            Format::Fits => "fits",
            Format::FitsFz => "fits.fz",
            Format::Png => "png",
        }
    }

    /// Its media type, which means the same; FITS that is compressed has none of its own.
    fn media_type(self) -> Option<&'static str> {
        match self {
            Format::Fits => Some("application/fits"),
            Format::FitsFz => None,
            Format::Png => Some("image/png"),
        }
    }

    /// What FORMAT and RESPONSEFORMAT have for those that are made.
    pub fn words() -> impl Iterator<Item = &'static str> {
        let words = |format: &Format| [Some(format.name()), format.media_type()];
        Format::MADE.iter().flat_map(words).flatten()
    }

    /// The one that a word stands for, in any case.
    pub fn of(word: &str) -> Option<Format> {
        let is = |own: &str| own.eq_ignore_ascii_case(word);
        let mut made = Format::MADE.iter().copied();
        made.find(|format| is(format.name()) || format.media_type().is_some_and(is))
    }

    /// What the FITS files are, or those that pictures are drawn from.
    pub fn packing(self) -> Packing {
        match self {
            Format::FitsFz => Packing::Tiled,
            Format::Fits | Format::Png => Packing::Plain,
        }
    }

    /// Ending of the names of FITS files.
    pub fn ending(self) -> &'static str {
        match self {
            Format::FitsFz => ".fits.fz",
            Format::Fits | Format::Png => ".fits",
        }
    }
}

impl Request {
    /// Whether each cutout is drawn.
    pub fn is_pictured(&self) -> bool {
        self.format == Format::Png || self.preview.wanted
    }

    /// What it asks for of the planes of cubes at a row.
    pub fn planes(&self, row: &Row) -> Wanted<'_> {
        Wanted {
            wavelengths: row.band_range,
            times: row.time_range,
            states: &self.pols,
        }
    }

    /// Reads parameters, POSITIONS from `positions` (its bytes, wherever they were, and its media type); answers every
    /// fault.
    pub fn read(
        parameters: &Parameters,
        positions: Option<(&[u8], &str)>,
        max_positions: usize,
    ) -> Result<Request, Vec<UsageError>> {
        let mut faults = Vec::new();
        let mut words = |name: &str| match words(parameters, name) {
            Ok(words) => words,
            Err(fault) => {
                faults.push(fault);
                Vec::new()
            }
        };
        let collections = words("COLLECTION");
        let (hdus, ids) = (words("HDUS"), words("ID"));
        let [bands, types, tags] = ["BANDS", "TYPES", "TAGS"].map(|name| apart(&words(name)));
        faults.extend(hdus.iter().filter_map(|hdu| check_hdu(hdu).err()));
        let ids = take(
            &mut faults,
            ids.iter().map(|id| image_id(id)).collect::<Result<Vec<_>, _>>(),
        )
        .unwrap_or_default();
        let size = take(
            &mut faults,
            value_of(parameters, "SIZE").and_then(|text| size(text.unwrap_or(DEFAULT_SIZE))),
        );
        let (from, to) = take(&mut faults, value_of(parameters, "DATES").and_then(dates)).unwrap_or_default();
        let edge = take(&mut faults, value_of(parameters, "EDGE").and_then(edge));
        let format = take(&mut faults, format(parameters));
        let preview = render::parameters::read(parameters).unwrap_or_else(|found| {
            faults.extend(found);
            Preview::default()
        });
        let lightcurve = take(
            &mut faults,
            value_of(parameters, lightcurve::NAME).and_then(|text| lightcurve::wanted(text)),
        );
        let list = positions
            .map(|(bytes, media_type)| List::read(bytes, media_type, max_positions))
            .transpose()
            .unwrap_or_else(|problems| {
                faults.extend(problems.into_iter().map(|problem| UsageError {
                    row: problem.row,
                    ..UsageError::new("POSITIONS", problem.message)
                }));
                None
            });
        let mut list = list.unwrap_or_default();
        let soda = Soda::read(parameters, &mut faults);
        list.rows.extend(soda.shapes.into_iter().map(Row::at));
        if list.rows.is_empty() && !ids.is_empty() {
            list.rows.push(Row::at(Shape::Sky));
        }
        list.rows = combined(list.rows, &soda.bands, &soda.times, max_positions)
            .map_err(|fault| faults.push(fault))
            .unwrap_or_default();
        match (size, edge) {
            (Some(size), Some(edge)) if faults.is_empty() => Ok(Request {
                collections,
                ids,
                list,
                size,
                hdus,
                bands,
                types,
                tags,
                from,
                to,
                pols: soda.pols,
                edge,
                format: format.unwrap_or_default(),
                preview,
                lightcurve: lightcurve.unwrap_or_default(),
            }),
            _ => Err(faults),
        }
    }

    /// Whether it says where to cut, and nothing of what is not made; a job that runs must.
    pub fn check_complete(&self) -> Result<(), UsageError> {
        self.preview.check_drawn(self.is_pictured())?;
        if self.list.rows.is_empty() {
            let message = "is required, or CIRCLE, POLYGON or POS, or ID for whole images";
            return Err(UsageError::new("POSITIONS", message));
        }
        if self.lightcurve
            && self
                .list
                .rows
                .iter()
                .all(|row| lightcurve::position(&row.shape).is_none())
        {
            let message = "is of positions and circles, of which none is given";
            return Err(UsageError::new(lightcurve::NAME, message));
        }
        Ok(())
    }
}

/// What a job asks for by SODA's own parameters (SODA 1.0 section 3.3).
#[derive(Default)]
struct Soda {
    shapes: Vec<Shape>,
    bands: Vec<[f64; 2]>,
    times: Vec<[f64; 2]>,
    pols: Vec<String>,
}

impl Soda {
    fn read(parameters: &Parameters, faults: &mut Vec<UsageError>) -> Soda {
        let mut soda = Soda::default();
        for (name, read) in SHAPES {
            each(parameters, name, faults, |text| {
                soda.shapes.push(read(text).map_err(|error| error.to_string())?);
                Ok(())
            });
        }
        for (name, ranges) in [("BAND", &mut soda.bands), ("TIME", &mut soda.times)] {
            each(parameters, name, faults, |text| {
                ranges.push(interval(text)?);
                Ok(())
            });
        }
        each(parameters, "POL", faults, |text| {
            let state = POLS.iter().find(|state| state.eq_ignore_ascii_case(text));
            let state =
                state.ok_or_else(|| format!("{:?} is not one of {}", excerpt(text), POLS.join(", ")))?;
            soda.pols.push((*state).to_owned());
            Ok(())
        });
        soda
    }
}

/// Reads a shape.
type ReadShape = fn(&str) -> Result<Shape, ShapeError>;

/// The parameters that are shapes.
const SHAPES: [(&str, ReadShape); 3] = [
    ("CIRCLE", Shape::circle),
    ("POLYGON", Shape::polygon),
    ("POS", Shape::pos),
];

/// Polarization states (`ObsCore` 1.1 section B.6.6).
const POLS: [&str; 14] = [
    "I", "Q", "U", "V", "RR", "LL", "RL", "LR", "XX", "YY", "XY", "YX", "POLI", "POLA",
];

/// Reads every value of a parameter, as far as it is not empty.
fn each(
    parameters: &Parameters,
    name: &str,
    faults: &mut Vec<UsageError>,
    mut read: impl FnMut(&str) -> Result<(), String>,
) {
    let texts = parameters.texts(name).map_err(|error| faults.push(error.into()));
    for text in texts.unwrap_or_default() {
        let text = text.trim();
        if !text.is_empty()
            && let Err(fault) = read(text)
        {
            faults.push(UsageError::new(name, fault));
        }
    }
}

/// Two numbers, the least and the greatest, either may be infinite.
fn interval(text: &str) -> Result<[f64; 2], String> {
    let number = |word: &str| {
        let infinite = word
            .strip_prefix(['+', '-'])
            .unwrap_or(word)
            .eq_ignore_ascii_case("inf");
        let digits = word.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
        let value = word.parse::<f64>().ok();
        value.filter(|value| infinite || (digits && value.is_finite()))
    };
    let mut words = text.split_ascii_whitespace();
    let ends = (words.next().and_then(number), words.next().and_then(number));
    match (ends, words.next()) {
        ((Some(from), Some(to)), None) if from <= to => Ok([from, to]),
        ((Some(_), Some(_)), None) => Err(format!("{:?} ends before it begins", excerpt(text))),
        _ => Err(format!(
            "{:?} is not two numbers, from and to (-Inf and +Inf where it is open)",
            excerpt(text)
        )),
    }
}

/// Each row with each of `bands` and each of `times` (SODA 1.0 section 3.2.1); every one of them counts.
fn combined(
    rows: Vec<Row>,
    bands: &[[f64; 2]],
    times: &[[f64; 2]],
    most: usize,
) -> Result<Vec<Row>, UsageError> {
    let (all_bands, all_times) = (options(bands), options(times));
    let count = rows.len().saturating_mul(all_bands.len() * all_times.len());
    if count > most {
        let name = ["POSITIONS", "BAND"][usize::from(rows.len() <= most)];
        let message = format!(
            "{} positions and shapes, {} BAND and {} TIME make {count} combinations, {most} are the most that a job may have",
            rows.len(),
            bands.len(),
            times.len()
        );
        return Err(UsageError::new(name, message));
    }
    if bands.is_empty() && times.is_empty() {
        return Ok(rows);
    }
    let mut all = Vec::with_capacity(count);
    for row in rows {
        for band_range in &all_bands {
            for time_range in &all_times {
                all.push(Row {
                    band_range: *band_range,
                    time_range: *time_range,
                    ..row.clone()
                });
            }
        }
    }
    Ok(all)
}

fn options(ranges: &[[f64; 2]]) -> Vec<Option<[f64; 2]>> {
    if ranges.is_empty() {
        vec![None]
    } else {
        ranges.iter().copied().map(Some).collect()
    }
}

fn take<T>(faults: &mut Vec<UsageError>, read: Result<T, UsageError>) -> Option<T> {
    read.map_err(|fault| faults.push(fault)).ok()
}

/// The one value; an empty one is as good as none, since forms send fields that were left empty.
fn value_of<'a>(parameters: &'a Parameters, name: &str) -> Result<Option<&'a str>, UsageError> {
    Ok(parameters
        .text(name)?
        .map(str::trim)
        .filter(|text| !text.is_empty()))
}

fn words(parameters: &Parameters, name: &str) -> Result<Vec<String>, UsageError> {
    let mut words = Vec::new();
    for word in parameters
        .texts(name)?
        .into_iter()
        .map(str::trim)
        .filter(|word| !word.is_empty())
    {
        // A path may be longer than a name.
        let most = if name == "ID" { 10 * MAX_WORD } else { MAX_WORD };
        if word.len() > most {
            return Err(UsageError::new(
                name,
                format!("has a value of {} bytes, at most {most} are taken", word.len()),
            ));
        }
        words.push(word.to_owned());
    }
    Ok(words)
}

/// Words of which several may be in one, with commas between them.
fn apart(words: &[String]) -> Vec<String> {
    let words = words.iter().flat_map(|words| words.split(',')).map(str::trim);
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// An EXTNAME may be anything, but a number that no HDU has is not meant as one.
fn check_hdu(hdu: &str) -> Result<(), UsageError> {
    // `inf` and `nan` are numbers to Rust, but names here.
    let is_number = hdu.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first))
        && hdu.parse::<f64>().is_ok();
    let is_place = hdu.bytes().all(|b| b.is_ascii_digit()) && hdu.parse::<u32>().is_ok();
    if is_number && !is_place {
        let message = format!(
            "{:?} is no HDU (expected an EXTNAME, or a whole number from 0, the primary)",
            excerpt(hdu)
        );
        return Err(UsageError::new("HDUS", message));
    }
    Ok(())
}

/// `COLLECTION/PATH`, or an IVOID whose query it is, as dataset identifiers are written
/// (`ivo://authority/resource?COLLECTION/PATH`).
fn image_id(id: &str) -> Result<(String, String), UsageError> {
    let unknown = || {
        format!(
            "{:?} is neither COLLECTION/PATH nor ivo://…?COLLECTION/PATH",
            excerpt(id)
        )
    };
    identifier::read(id).ok_or_else(|| UsageError::new("ID", unknown()))
}

fn size(text: &str) -> Result<Size, UsageError> {
    let size: Size = text
        .parse()
        .map_err(|error: crate::sky::SizeError| UsageError::new("SIZE", error.to_string()))?;
    check_size(size).map_err(|fault| UsageError::new("SIZE", format!("{:?} is {fault}", excerpt(text))))?;
    Ok(size)
}

fn dates(text: Option<&str>) -> Result<(Option<Timestamp>, Option<Timestamp>), UsageError> {
    let Some(text) = text else { return Ok((None, None)) };
    let Some((from, to)) = text.split_once('/') else {
        return Err(UsageError::new(
            "DATES",
            format!("{:?} is not FROM/TO", excerpt(text)),
        ));
    };
    let time = |text: &str| {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let time = text
            .parse::<Timestamp>()
            .map_err(|error| UsageError::new("DATES", error.to_string()))?;
        Ok::<_, UsageError>(Some((time, text.len())))
    };
    let (from, to) = (time(from)?, time(to)?);
    let (from, to) = (
        from.map(|(time, _)| time),
        to.map(|(time, length)| through(time, length)),
    );
    if let (Some(from), Some(to)) = (from, to)
        && to < from
    {
        return Err(UsageError::new(
            "DATES",
            format!("{:?} ends before it begins", excerpt(text)),
        ));
    }
    Ok((from, to))
}

/// The end of what a text of this length stands for: a year and a day last until the next.
fn through(time: Timestamp, length: usize) -> Timestamp {
    let next = match length {
        4 => time.utc().checked_add_months(Months::new(12)),
        5..=11 => time.utc().checked_add_days(Days::new(1)),
        _ => return time,
    };
    next.and_then(|next| Timestamp::from_millis(next.timestamp_millis() - 1))
        .unwrap_or(time)
}

fn edge(text: Option<&str>) -> Result<Edge, UsageError> {
    match text.unwrap_or("trim").to_ascii_lowercase().as_str() {
        "trim" => Ok(Edge::Trim),
        "pad" => Ok(Edge::Pad),
        "strict" => Ok(Edge::Strict),
        other => Err(UsageError::new(
            "EDGE",
            format!("{:?} is not one of trim, pad, strict", excerpt(other)),
        )),
    }
}

/// SODA's FORMAT, or DALI's RESPONSEFORMAT, which has values for the manifest besides (DALI 1.1 section 3.4.3).
fn format(parameters: &Parameters) -> Result<Format, UsageError> {
    let asked = value_of(parameters, "FORMAT")?
        .map(|text| {
            Format::of(text).ok_or_else(|| {
                let made: Vec<_> = Format::words().collect();
                let message = format!(
                    "{:?} is not made by this version (expected {})",
                    excerpt(text),
                    made.join(", ")
                );
                UsageError::new("FORMAT", message)
            })
        })
        .transpose()?;
    let response = value_of(parameters, "RESPONSEFORMAT")?.and_then(Format::of);
    match (asked, response) {
        (Some(asked), Some(response)) if asked != response => {
            let message = format!("is {}, FORMAT is {}", response.name(), asked.name());
            Err(UsageError::new("RESPONSEFORMAT", message))
        }
        _ => Ok(asked.or(response).unwrap_or_default()),
    }
}

fn excerpt(text: &str) -> String {
    text.chars().take(40).collect()
}

/// Where the bytes of POSITIONS are.
pub fn positions(parameters: &Parameters) -> Result<Option<&ParameterValue>, UsageError> {
    Ok(parameters.one("POSITIONS")?)
}

/// What its client said that a value is; of one in the text of a request nothing.
pub fn media_type(value: &ParameterValue) -> &str {
    match value {
        ParameterValue::Inline(_) => "",
        ParameterValue::Upload { media_type, .. } => media_type,
    }
}

/// A parameter with any number of texts.
fn text(name: &'static str, ucd: &'static str, meaning: &'static str) -> ParameterInfo {
    ParameterInfo {
        name,
        ucd: Some(ucd),
        unit: None,
        kind: ParameterKind::Text,
        required: false,
        repeatable: true,
        default: None,
        meaning,
    }
}

fn with_unit(info: ParameterInfo, unit: &'static str) -> ParameterInfo {
    ParameterInfo {
        unit: Some(unit),
        ..info
    }
}

/// The same with one value, and what it is when none is given.
fn single(info: ParameterInfo, default: Option<&str>) -> ParameterInfo {
    ParameterInfo {
        repeatable: false,
        default: default.map(str::to_owned),
        ..info
    }
}

/// SODA's own, which its clients know by name, UCD and unit (SODA 1.0 section 3.3).
fn describe_soda() -> Vec<ParameterInfo> {
    vec![
        text(
            "ID",
            "meta.ref.url;meta.curation",
            "Images to cut, each as COLLECTION/PATH; without any position or shape, the whole of them.",
        ),
        with_unit(
            text(
                "CIRCLE",
                "pos.outline;obs",
                "Circles to cut: ICRS longitude, latitude and radius.",
            ),
            "deg",
        ),
        with_unit(
            text(
                "POLYGON",
                "pos.outline;obs",
                "Polygons to cut: ICRS longitude and latitude of at least three vertices.",
            ),
            "deg",
        ),
        text(
            "POS",
            "pos.outline;obs",
            "Shapes to cut, in ICRS degrees: CIRCLE lon lat radius, RANGE lon1 lon2 lat1 lat2, or POLYGON lon1 lat1 ….",
        ),
        with_unit(
            text(
                "BAND",
                "em.wl;stat.interval",
                "Wavelengths in vacuum, from and to: images, and planes of cubes, that have any of them.",
            ),
            "m",
        ),
        with_unit(
            text(
                "TIME",
                "time.interval;obs.exposure",
                "Times as MJD (UTC), from and to: images, and planes of cubes, of any of them.",
            ),
            "d",
        ),
        text(
            "POL",
            "meta.code;phys.polarization",
            "Polarization states: images of any of them, and of cubes the planes from the first to the last of them.",
        ),
    ]
}

/// The parameters, for clients and for the checks that are every service's.
pub fn describe() -> Vec<ParameterInfo> {
    let mut all = vec![
        ParameterInfo {
            kind: ParameterKind::File,
            ..single(
                text(
                    "POSITIONS",
                    "pos.eq",
                    "CSV (or with semicolons, tabs or blanks) with the header RA,DEC[,OBJID,SIZE,XSIZE,YSIZE,BANDS], ECSV, \
                     VOTable or JSON: ICRS degrees, or sexagesimal with RA in hours; sizes in arcmin.",
                ),
                None,
            )
        },
        ParameterInfo {
            unit: Some("arcmin"),
            ..single(
                text(
                    "SIZE",
                    "phys.angSize",
                    "Width, or width,height, of the cutouts; with the suffix arcsec, arcmin, deg or px.",
                ),
                Some(DEFAULT_SIZE),
            )
        },
        text("COLLECTION", "meta.id", "Collections to search; all by default."),
    ];
    all.extend(describe_soda());
    all.extend([
        text(
            "BANDS",
            "instr.bandpass",
            "Bands to cut, with commas between them or one by one; all by default.",
        ),
        text(
            "TYPES",
            "meta.code.class",
            "Types of product to cut; all by default.",
        ),
        text(
            "TAGS",
            "obs.id",
            "Observations or coadd tags to cut; all by default.",
        ),
        single(
            text(
                "DATES",
                "time.interval;obs",
                "FROM/TO in ISO 8601, either may be empty: images observed in between.",
            ),
            None,
        ),
        text(
            "HDUS",
            "meta.id",
            "Names (EXTNAME) or numbers (0 = primary) of the HDUs to cut; all images by default.",
        ),
        ParameterInfo {
            kind: ParameterKind::Choice {
                options: &["trim", "pad", "strict"],
            },
            ..single(
                text(
                    "EDGE",
                    "meta.code",
                    "Boxes that hang over the edge of an image are trimmed, padded, or refused.",
                ),
                Some("trim"),
            )
        },
        ParameterInfo {
            kind: ParameterKind::Choice {
                options: &["fits", "fits.fz", "png"],
            },
            ..single(
                text(
                    "FORMAT",
                    "meta.code.mime",
                    "Format of the cutouts; fits.fz is FITS compressed in tiles, without loss, png a picture of the first \
                     image of each. application/fits and image/png mean the same, and so does RESPONSEFORMAT.",
                ),
                Some("fits"),
            )
        },
    ]);
    all.extend(render::parameters::describe());
    all.push(lightcurve::parameter());
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sky::Length;

    fn read(pairs: &[(&str, &str)]) -> Result<Request, Vec<UsageError>> {
        let mut parameters = Parameters::default();
        for (name, value) in pairs {
            parameters
                .push(name, ParameterValue::Inline((*value).into()))
                .unwrap();
        }
        let positions = parameters
            .text("POSITIONS")
            .unwrap()
            .map(|text| text.as_bytes().to_vec());
        Request::read(&parameters, positions.as_deref().map(|bytes| (bytes, "")), 1_000)
    }

    #[test]
    fn what_is_not_given_has_its_default() {
        let request = read(&[("BANDS", " "), ("POSITIONS", "RA,DEC\n1,2")]).unwrap();
        assert_eq!(request.size, Size::arcmin(10.0, 10.0).unwrap());
        assert_eq!(request.edge, Edge::Trim);
        assert!(request.bands.is_empty() && request.collections.is_empty() && request.ids.is_empty());
        assert_eq!(
            (request.from, request.to, request.list.rows.len()),
            (None, None, 1)
        );
    }

    #[test]
    fn what_is_given_is_read() {
        let request = read(&[
            ("COLLECTION", "spt"),
            ("collection", "dss"),
            ("ID", "spt/a/b.fits"),
            ("SIZE", "256px,128"),
            ("DATES", "2020-03-01/2020-03-31"),
            ("EDGE", "PAD"),
            ("FORMAT", "fits"),
            ("HDUS", "SCI"),
        ])
        .unwrap();
        assert_eq!(request.collections, ["spt", "dss"]);
        assert_eq!(request.ids, [("spt".into(), "a/b.fits".into())]);
        assert_eq!(
            request.size,
            Size {
                width: Length::Pixels(256),
                height: Length::Pixels(128)
            }
        );
        assert_eq!(request.from.unwrap().to_string(), "2020-03-01T00:00:00.000Z");
        assert_eq!(request.to.unwrap().to_string(), "2020-03-31T23:59:59.999Z");
        assert_eq!(request.edge, Edge::Pad);
        let year = read(&[("DATES", "/2020")]).unwrap();
        assert_eq!(
            (year.from, year.to.unwrap().to_string().as_str()),
            (None, "2020-12-31T23:59:59.999Z")
        );
        let exact = read(&[("DATES", "/2020-03-31T12:00:00Z")]).unwrap();
        assert_eq!(exact.to.unwrap().to_string(), "2020-03-31T12:00:00.000Z");
    }

    #[test]
    fn an_hdu_has_a_number_or_any_name() {
        for hdu in [
            "0", "17", "SCI", "1st", "2E", "-", "+x", "nan", "inf", "3.5GHz", "é",
        ] {
            assert_eq!(read(&[("HDUS", hdu)]).expect(hdu).hdus, [hdu]);
        }
    }

    #[test]
    fn bad_values_name_their_parameter() {
        for (name, value, expected) in [
            ("SIZE", "0", "above 0"),
            ("SIZE", "-1", "above 0"),
            ("SIZE", "big", "big"),
            ("SIZE", "1000", "600 arcmin"),
            ("SIZE", "20001px", "20000 px"),
            ("DATES", "2020", "FROM/TO"),
            ("DATES", "2020-13-01/", "not a time"),
            ("DATES", "2021/2020", "ends before"),
            ("ID", "spt", "COLLECTION/PATH"),
            ("HDUS", "-1", "from 0"),
            ("HDUS", "+1", "from 0"),
            ("HDUS", "1.5", "from 0"),
            ("HDUS", ".5", "from 0"),
            ("HDUS", "1e9", "from 0"),
            ("HDUS", "99999999999999999999", "from 0"),
            ("EDGE", "round", "trim, pad, strict"),
            ("FORMAT", "jpeg", "expected fits"),
            ("POSITIONS", "RA,DEC\n1,2\n999,2", "row 2"),
            ("POSITIONS", "", "is empty"),
        ] {
            let faults = read(&[(name, value)]).expect_err(value);
            assert_eq!(
                (faults.len(), faults[0].parameter.as_str()),
                (1, name),
                "{faults:?}"
            );
            assert!(
                faults[0].message.contains(expected),
                "{faults:?} has no {expected:?}"
            );
        }
        let both = read(&[("SIZE", "0"), ("EDGE", "x"), ("SIZE", "1")]).expect_err("two faults");
        assert_eq!(both.len(), 2);
        assert!(
            both.iter()
                .any(|fault| fault.parameter == "SIZE" && fault.multiple),
            "{both:?}"
        );
    }

    #[test]
    fn shapes_are_combined_with_bands_and_times() {
        let request = read(&[
            ("CIRCLE", "10 20 0.5"),
            ("circle", "11 20 0.5"),
            ("BAND", "1e-3 2e-3"),
            ("BAND", "-Inf 1e-3"),
            ("TIME", "59000 +Inf"),
            ("POL", "i"),
            ("POL", "Q"),
        ])
        .unwrap();
        let rows: Vec<_> = request
            .list
            .rows
            .iter()
            .map(|row| (row.shape.to_string(), row.band_range, row.time_range))
            .collect();
        let time = Some([59_000.0, f64::INFINITY]);
        let (first, second) = (Some([1e-3, 2e-3]), Some([f64::NEG_INFINITY, 1e-3]));
        assert_eq!(
            rows,
            [
                ("CIRCLE 10 20 0.5".into(), first, time),
                ("CIRCLE 10 20 0.5".into(), second, time),
                ("CIRCLE 11 20 0.5".into(), first, time),
                ("CIRCLE 11 20 0.5".into(), second, time),
            ]
        );
        assert_eq!(request.pols, ["I", "Q"]);
        let all = read(&[
            ("POSITIONS", "RA,DEC\n1,2"),
            ("POLYGON", "1 1 2 1 2 2"),
            ("POS", "RANGE 1 2 3 4"),
            ("POS", ""),
        ])
        .unwrap();
        let shapes: Vec<_> = all.list.rows.iter().map(|row| row.shape.to_string()).collect();
        assert_eq!(shapes, ["1 2", "POLYGON 1 1 2 1 2 2", "RANGE 1 2 3 4"]);
        assert!(all.check_complete().is_ok());
    }

    #[test]
    fn an_id_alone_means_the_whole_image() {
        for id in [
            "spt/a/b.fits",
            "ivo://example.org/sidereal?spt/a/b.fits",
            "IVO://x/y?spt/a/b.fits",
        ] {
            let request = read(&[("ID", id)]).expect(id);
            assert_eq!(request.ids, [("spt".into(), "a/b.fits".into())]);
            assert_eq!(request.list.rows, [Row::at(Shape::Sky)]);
        }
        assert!(read(&[("ID", "ivo://example.org/spt/a.fits")]).is_err());
        let nowhere = read(&[("BAND", "1 2")]).unwrap();
        let fault = nowhere.check_complete().unwrap_err().to_string();
        assert!(
            ["POSITIONS", "CIRCLE", "POLYGON", "POS", "ID"]
                .iter()
                .all(|name| fault.contains(name)),
            "{fault}"
        );
    }

    #[test]
    fn words_may_have_commas_between_them() {
        let asked = [
            ("BANDS", "150GHz, 90GHz,"),
            ("BANDS", "g"),
            ("TYPES", "a,b"),
            ("TAGS", ",c"),
            ("HDUS", "SCI,1"),
        ];
        let request = read(&asked).unwrap();
        assert_eq!(request.bands, ["150GHz", "90GHz", "g"]);
        assert_eq!(
            (request.types, request.tags),
            (vec!["a".into(), "b".into()], vec!["c".to_owned()])
        );
        // An extension may be named so.
        assert_eq!(request.hdus, ["SCI,1"]);
    }

    #[test]
    fn bad_shapes_and_ranges_name_their_parameter() {
        for (name, value, expected) in [
            ("CIRCLE", "1 2", "expected 3"),
            ("POLYGON", "1 2 3 4", "at least 3"),
            ("POS", "BOX 1 2 3 4", "CIRCLE, RANGE and POLYGON"),
            ("BAND", "1", "two numbers"),
            ("BAND", "1 2 3", "two numbers"),
            ("BAND", "2 1", "ends before"),
            ("BAND", "NaN 1", "two numbers"),
            ("TIME", "2020-01-01 2021-01-01", "two numbers"),
            ("TIME", "infinity 1", "two numbers"),
            ("POL", "X", "I, Q, U"),
        ] {
            let faults = read(&[(name, value)]).expect_err(value);
            assert_eq!(
                (faults.len(), faults[0].parameter.as_str()),
                (1, name),
                "{faults:?}"
            );
            assert!(faults[0].message.contains(expected), "{faults:?}");
        }
        let mut many = vec![("CIRCLE", "1 2 3"); 40];
        many.extend(vec![("BAND", "1 2"); 30]);
        let faults = read(&many).expect_err("1,200 combinations");
        assert!(
            faults[0]
                .message
                .contains("make 1200 combinations, 1000 are the most"),
            "{faults:?}"
        );
    }

    #[test]
    fn sodas_parameters_are_known_by_name_ucd_and_unit() {
        let described = describe();
        for (name, ucd, unit) in [
            ("ID", "meta.ref.url;meta.curation", None),
            ("CIRCLE", "pos.outline;obs", Some("deg")),
            ("POLYGON", "pos.outline;obs", Some("deg")),
            ("POS", "pos.outline;obs", None),
            ("BAND", "em.wl;stat.interval", Some("m")),
            ("TIME", "time.interval;obs.exposure", Some("d")),
            ("POL", "meta.code;phys.polarization", None),
        ] {
            let info = described.iter().find(|info| info.name == name).expect(name);
            assert_eq!(
                (info.ucd, info.unit, info.repeatable, info.required),
                (Some(ucd), unit, true, false)
            );
        }
    }
}
