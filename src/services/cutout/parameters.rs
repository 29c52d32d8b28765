//! What a job asks for, read from its parameters; and their description for clients.

use chrono::{Days, Months};

use super::{
    identifier,
    limits::{MAX_WORD, check_size},
    list::List,
    render::{self, Preview},
};
use crate::{
    engine::{ParameterInfo, ParameterKind, UsageError},
    fits::Edge,
    sky::Size,
    uws::{ParameterValue, Parameters, Timestamp},
};

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
    /// Whether there are light curves besides.
    pub lightcurve: bool,
}

/// What a cutout is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// FITS.
    #[default]
    Fits,
    /// FITS whose images are compressed by tiles.
    FitsFz,
    /// A picture.
    Png,
}

impl Format {
    /// Those that are made.
    const MADE: &[Format] = &[Format::Fits, Format::Png];

    /// The value of FORMAT.
    pub fn name(self) -> &'static str {
        match self {
            Format::Fits => "fits",
            Format::FitsFz => "fits.fz",
            Format::Png => "png",
        }
    }
}

impl Request {
    /// Whether each cutout is drawn.
    pub fn is_pictured(&self) -> bool {
        self.format == Format::Png || self.preview.wanted
    }

    /// Reads parameters, POSITIONS from `positions` (its bytes, wherever they were); answers every fault.
    pub fn read(
        parameters: &Parameters,
        positions: Option<&[u8]>,
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
        let (hdus, bands, types, tags) = (words("HDUS"), words("BANDS"), words("TYPES"), words("TAGS"));
        let ids = words("ID");
        faults.extend(hdus.iter().filter_map(|hdu| check_hdu(hdu).err()));
        let ids = take(
            &mut faults,
            ids.iter().map(|id| image_id(id)).collect::<Result<Vec<_>, _>>(),
        )
        .unwrap_or_default();
        let size = take(
            &mut faults,
            text(parameters, "SIZE").and_then(|text| size(text.unwrap_or(DEFAULT_SIZE))),
        );
        let (from, to) = take(&mut faults, text(parameters, "DATES").and_then(dates)).unwrap_or_default();
        let edge = take(&mut faults, text(parameters, "EDGE").and_then(edge));
        let format = take(&mut faults, text(parameters, "FORMAT").and_then(format));
        let preview = render::parameters::read(parameters).unwrap_or_else(|found| {
            faults.extend(found);
            Preview::default()
        });
        let lightcurve = take(&mut faults, switch(parameters, "LIGHTCURVE"));
        let list = positions
            .map(|bytes| List::read(bytes, max_positions))
            .transpose()
            .unwrap_or_else(|problems| {
                faults.extend(
                    problems
                        .into_iter()
                        .map(|problem| UsageError::new("POSITIONS", problem)),
                );
                None
            });
        match (size, edge) {
            (Some(size), Some(edge)) if faults.is_empty() => {
                let list = list.unwrap_or_default();
                Ok(Request {
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
                    pols: Vec::new(),
                    edge,
                    format: format.unwrap_or_default(),
                    preview,
                    lightcurve: lightcurve.unwrap_or_default(),
                })
            }
            _ => Err(faults),
        }
    }
}

fn take<T>(faults: &mut Vec<UsageError>, read: Result<T, UsageError>) -> Option<T> {
    read.map_err(|fault| faults.push(fault)).ok()
}

/// The one value; an empty one is as good as none, since forms send fields that were left empty.
fn text<'a>(parameters: &'a Parameters, name: &str) -> Result<Option<&'a str>, UsageError> {
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

fn format(text: Option<&str>) -> Result<Format, UsageError> {
    let Some(text) = text else {
        return Ok(Format::default());
    };
    [Format::Fits, Format::FitsFz, Format::Png]
        .into_iter()
        .find(|format| format.name().eq_ignore_ascii_case(text) && Format::MADE.contains(format))
        .ok_or_else(|| {
            let made: Vec<_> = Format::MADE.iter().map(|format| format.name()).collect();
            let message = format!(
                "{:?} is not made by this version (expected {})",
                excerpt(text),
                made.join(", ")
            );
            UsageError::new("FORMAT", message)
        })
}

/// Yes or no, by default no.
fn switch(parameters: &Parameters, name: &str) -> Result<bool, UsageError> {
    match text(parameters, name)?
        .unwrap_or("no")
        .to_ascii_lowercase()
        .as_str()
    {
        "yes" | "true" | "1" => Ok(true),
        "no" | "false" | "0" => Ok(false),
        other => Err(UsageError::new(
            name,
            format!("{:?} is neither yes nor no", excerpt(other)),
        )),
    }
}

fn excerpt(text: &str) -> String {
    text.chars().take(40).collect()
}

/// Where the bytes of POSITIONS are.
pub fn positions(parameters: &Parameters) -> Result<Option<&ParameterValue>, UsageError> {
    Ok(parameters.one("POSITIONS")?)
}

/// The parameters, for clients and for the checks that are every service's.
pub fn describe() -> Vec<ParameterInfo> {
    let text = |name, ucd, meaning| ParameterInfo {
        name,
        ucd: Some(ucd),
        unit: None,
        kind: ParameterKind::Text,
        required: false,
        repeatable: true,
        default: None,
        meaning,
    };
    let single = |info: ParameterInfo, default: Option<&str>| ParameterInfo {
        repeatable: false,
        default: default.map(str::to_owned),
        ..info
    };
    let mut all = vec![
        ParameterInfo {
            kind: ParameterKind::File,
            required: true,
            ..single(
                text(
                    "POSITIONS",
                    "pos.eq",
                    "CSV with the header RA,DEC[,OBJID,XSIZE,YSIZE,BANDS]: ICRS degrees, or sexagesimal with RA in \
                     hours; sizes in arcmin.",
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
        text(
            "ID",
            "meta.id;meta.dataset",
            "Images to cut, each as COLLECTION/PATH.",
        ),
        text("BANDS", "instr.bandpass", "Bands to cut; all by default."),
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
                options: &["fits", "png"],
            },
            ..single(
                text(
                    "FORMAT",
                    "meta.code.mime",
                    "Format of the cutouts; png is a picture of the first image of each.",
                ),
                Some("fits"),
            )
        },
    ];
    all.extend(render::parameters::describe());
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
        Request::read(&parameters, positions.as_deref(), 1_000)
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
}
