//! What a SIA 2.0 query asks for (section 2.1), and which images that is.

use super::{identifier, obscore};
use crate::{
    engine::UsageError,
    sky::{Footprint, Position, Shape},
    store::Image,
};

/// Rows of an answer whose query has no MAXREC.
const ROWS: u64 = 10_000;
/// Most rows of an answer.
const MOST_ROWS: u64 = 100_000;
/// Most values of a parameter.
const MOST_VALUES: usize = 200;
/// Polarization states that there are (ObsCore 1.1 section 4.22).
const STATES: [&str; 14] = [
    "I", "Q", "U", "V", "RR", "LL", "RL", "LR", "XX", "YY", "XY", "YX", "POLI", "POLA",
];
/// Formats that an image may be asked for in: DataLink's document, which is what `access_format` says, and its own.
const FORMATS: [&str; 5] = [
    "application/x-votable+xml;content=datalink",
    "application/fits",
    "image/fits",
    "fits",
    "all",
];

type Interval = [f64; 2];

/// A query. Values of one parameter are alternatives; all parameters must hold. An image of which the catalogue does not
/// know what is asked for is left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// POS.
    pub positions: Vec<Shape>,
    /// BAND, m.
    pub bands: Vec<Interval>,
    /// TIME, MJD (UTC).
    pub times: Vec<Interval>,
    /// POL.
    pub states: Vec<String>,
    fields_of_view: Vec<Interval>,
    exposures: Vec<Interval>,
    /// COLLECTION.
    pub collections: Vec<String>,
    /// ID: collection and path.
    pub ids: Vec<(String, String)>,
    facilities: Vec<String>,
    instruments: Vec<String>,
    targets: Vec<String>,
    data_types: Vec<String>,
    calib_levels: Vec<u8>,
    /// What no image's value is known of was asked for, so that there is none.
    pub nothing: bool,
    /// MAXREC.
    pub rows: u64,
}

/// Reads values, and keeps every fault.
struct Reader<'a> {
    asked: &'a dyn Fn(&str) -> Vec<&'a str>,
    faults: Vec<UsageError>,
}

impl<'a> Reader<'a> {
    /// The values of a parameter that are not empty.
    fn texts(&mut self, name: &str) -> Vec<&'a str> {
        let mut texts = (self.asked)(name);
        texts.retain(|text| !text.trim().is_empty());
        if texts.len() > MOST_VALUES {
            let message = format!("given {} times, at most {MOST_VALUES} are taken", texts.len());
            self.faults.push(UsageError::new(name, message));
            texts.clear();
        }
        texts
    }

    fn values<T>(&mut self, name: &str, read: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
        let mut values = Vec::new();
        for text in self.texts(name) {
            match read(text.trim()) {
                Ok(value) => values.push(value),
                Err(message) => self.faults.push(UsageError::new(name, message)),
            }
        }
        values
    }

    fn words(&mut self, name: &str) -> Vec<String> {
        self.values(name, |text| Ok(text.to_owned()))
    }

    /// One of some words, in their own capitals.
    fn choices(&mut self, name: &str, choices: &[&str]) -> Vec<String> {
        self.values(name, |text| {
            let choice = choices.iter().find(|choice| choice.eq_ignore_ascii_case(text));
            let unknown = || format!("{:?} is not one of {}", excerpt(text), choices.join(", "));
            choice.map(|choice| (*choice).to_owned()).ok_or_else(unknown)
        })
    }
}

impl Query {
    /// Reads what `asked` gives for each name; answers every fault. Other names mean nothing (DALI 1.1 section 3.1).
    pub fn read<'a>(asked: &'a dyn Fn(&str) -> Vec<&'a str>) -> Result<Query, Vec<UsageError>> {
        let faults = Vec::new();
        let mut reader = Reader { asked, faults };
        let shape = |text: &str| Shape::pos(text).map_err(|error| error.to_string());
        // Of these nothing is known of any image, so that nothing has a value within.
        let unknown = ["SPATRES", "TIMERES", "SPECRP"]
            .iter()
            .fold(0, |sum, name| sum + reader.values(name, interval).len());
        let wanted_formats = reader.words("FORMAT");
        let known = |format: &String| {
            let format: String = format.chars().filter(|c| !c.is_whitespace()).collect();
            FORMATS.iter().any(|known| known.eq_ignore_ascii_case(&format))
        };
        let query = Query {
            positions: reader.values("POS", shape),
            bands: reader.values("BAND", interval),
            times: reader.values("TIME", interval),
            states: reader.choices("POL", &STATES),
            fields_of_view: reader.values("FOV", interval),
            exposures: reader.values("EXPTIME", interval),
            collections: reader.words("COLLECTION"),
            ids: reader
                .words("ID")
                .iter()
                // Another's identifier is none of ours.
                .map(|id| identifier::read(id).unwrap_or_default())
                .collect(),
            facilities: reader.words("FACILITY"),
            instruments: reader.words("INSTRUMENT"),
            targets: reader.words("TARGET"),
            data_types: reader.choices("DPTYPE", &["image", "cube"]),
            calib_levels: reader.values("CALIB", calib_level),
            nothing: unknown > 0 || !wanted_formats.is_empty() && !wanted_formats.iter().any(known),
            rows: rows(&mut reader),
        };
        if reader.faults.is_empty() {
            Ok(query)
        } else {
            Err(reader.faults)
        }
    }

    /// The footprints of what POS asks for; empty without it.
    pub fn footprints(&self) -> Vec<Footprint> {
        let footprint = |shape: &Shape| match shape {
            Shape::Polygon { vertices } => Footprint::of_polygon(vertices),
            shape => {
                let cap = shape.cap();
                Footprint::of_circle(cap.centre, cap.radius)
            }
        };
        self.positions.iter().map(footprint).collect()
    }

    /// Whether an image of this collection is one of those asked for.
    pub fn takes(&self, image: &Image, collection: &str) -> bool {
        let both = |low: Option<f64>, high: Option<f64>| Some([low.or(high)?, high.or(low)?]);
        let one = |value: Option<f64>| both(value, None);
        let states = obscore::states(image);
        let data_type = obscore::data_type(image);
        (self.ids.is_empty()
            || self
                .ids
                .iter()
                .any(|(name, path)| name == collection && *path == image.path))
            && is_one_of(&self.collections, Some(collection))
            && overlaps(&self.bands, both(image.em_min, image.em_max))
            && overlaps(&self.times, both(image.t_min, image.t_max))
            && overlaps(&self.fields_of_view, one(obscore::field_of_view(image)))
            && overlaps(&self.exposures, one(image.exposure))
            && (self.states.is_empty() || self.states.iter().any(|state| states.contains(&state.as_str())))
            && is_one_of(&self.facilities, image.facility.as_deref())
            && is_one_of(&self.instruments, image.instrument.as_deref())
            && is_one_of(&self.targets, image.target.as_deref().or(image.field.as_deref()))
            && is_one_of(&self.data_types, Some(data_type))
            && (self.calib_levels.is_empty() || self.calib_levels.contains(&obscore::calib_level(image)))
            && self.reaches(image)
    }

    /// Whether an image has sky of what POS asks for: by its outline, as far as that is known.
    fn reaches(&self, image: &Image) -> bool {
        if self.positions.is_empty() {
            return true;
        }
        let Some(cap) = image.cap else { return false };
        let region = image.s_region.as_deref().and_then(region);
        self.positions.iter().any(|shape| {
            let asked = shape.cap();
            let near = asked.radius >= 180.0 || cap.near(asked.centre, asked.radius);
            near && region.as_ref().is_none_or(|region| touches(region, shape))
        })
    }
}

/// The shape that ObsCore's `s_region` writes.
pub fn region(text: &str) -> Option<Shape> {
    let (form, rest) = text.split_once(' ')?;
    let rest = rest.trim_start().strip_prefix("ICRS").unwrap_or(rest);
    Shape::pos(&format!("{form} {rest}")).ok()
}

/// Whether two shapes have a point in common, which is then on the outline of one, or the middle of one.
fn touches(a: &Shape, b: &Shape) -> bool {
    let any_in = |points: Vec<Position>, shape: &Shape| points.into_iter().any(|point| shape.contains(point));
    a.centre().is_some_and(|centre| b.contains(centre))
        || b.centre().is_some_and(|centre| a.contains(centre))
        || any_in(b.outline(), a)
        || any_in(a.outline(), b)
}

fn overlaps(asked: &[Interval], has: Option<Interval>) -> bool {
    asked.is_empty()
        || has.is_some_and(|[low, high]| asked.iter().any(|[from, to]| low <= *to && *from <= high))
}

fn is_one_of(asked: &[String], has: Option<&str>) -> bool {
    asked.is_empty() || has.is_some_and(|has| asked.iter().any(|word| word.eq_ignore_ascii_case(has)))
}

/// `LOW HIGH`, or one value that is both; ends may be infinite (DALI 1.1 section 3.3.4).
fn interval(text: &str) -> Result<Interval, String> {
    let wrong = || format!("{:?} is neither a number nor LOW HIGH", excerpt(text));
    let values = text
        .split_ascii_whitespace()
        .map(number)
        .collect::<Option<Vec<f64>>>()
        .ok_or_else(wrong)?;
    match values[..] {
        [value] if value.is_finite() => Ok([value, value]),
        [low, high] if low <= high => Ok([low, high]),
        [_, _] => Err(format!("{:?} ends below where it begins", excerpt(text))),
        _ => Err(wrong()),
    }
}

fn number(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    // Rust knows more words for numbers than DALI.
    let known = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        || unsigned.eq_ignore_ascii_case("inf");
    text.parse::<f64>().ok().filter(|value| known && !value.is_nan())
}

fn calib_level(text: &str) -> Result<u8, String> {
    let level = text.parse().ok().filter(|level| *level <= 4);
    level.ok_or_else(|| format!("{:?} is not one of 0, 1, 2, 3, 4", excerpt(text)))
}

fn rows(reader: &mut Reader<'_>) -> u64 {
    let given = reader.values("MAXREC", |text| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        // More digits than fit are more than there are.
        let number = digits.then(|| text.parse().unwrap_or(u64::MAX));
        number.ok_or_else(|| format!("{:?} is not a whole number, 0 or more", excerpt(text)))
    });
    if given.len() > 1 {
        reader.faults.push(UsageError {
            multiple: true,
            ..UsageError::new("MAXREC", format!("given {} times, expected once", given.len()))
        });
    }
    given.first().copied().unwrap_or(ROWS).min(MOST_ROWS)
}

fn excerpt(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{sky::Cap, store::ImageHdu};

    fn read(pairs: &[(&str, &str)]) -> Result<Query, Vec<UsageError>> {
        let pairs: Vec<(String, String)> = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let asked = |wanted: &str| {
            let found = pairs.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| value.as_str()).collect()
        };
        Query::read(&asked)
    }

    /// A square degree at 10, -50, of 150 GHz, from two days of 2020.
    fn image() -> Image {
        Image {
            path: "a.fits".into(),
            hdus: vec![ImageHdu {
                number: 0,
                name: None,
                shape: vec![100, 100],
                bitpix: -32,
                compressed: false,
                cap: Some([10.0, -50.0, 0.7]),
                wcs_problem: None,
            }],
            cap: Some(Cap {
                centre: Position { ra: 10.0, dec: -50.0 },
                radius: 0.71,
            }),
            s_region: Some("POLYGON ICRS 10.778 -50.5 9.222 -50.5 9.23 -49.5 10.77 -49.5".into()),
            em_min: Some(1.8e-3),
            em_max: Some(2.3e-3),
            t_min: Some(58_900.0),
            t_max: Some(58_902.0),
            exposure: Some(3_600.0),
            pol_states: Some("/I/Q/".into()),
            target: Some("Field 7".into()),
            facility: Some("SPT".into()),
            ..Image::default()
        }
    }

    fn takes(pairs: &[(&str, &str)]) -> bool {
        let query = read(pairs).unwrap_or_else(|faults| panic!("{pairs:?}: {faults:?}"));
        !query.nothing && query.takes(&image(), "maps")
    }

    #[test]
    fn what_is_asked_for_is_found() {
        for (name, value) in [
            ("POS", "CIRCLE 10 -50 0.001"),
            ("POS", "circle 11.2 -50 0.4"),
            ("POS", "RANGE 9.9 10.1 -90 90"),
            ("POS", "RANGE 350 12 -51 -49"),
            ("POS", "POLYGON 5 -55 15 -55 15 -45 5 -45"),
            ("BAND", "2e-3"),
            ("BAND", "-Inf 1.9e-3"),
            ("TIME", "58901 +Inf"),
            ("POL", "q"),
            ("FOV", "1 2"),
            ("EXPTIME", "3600"),
            ("ID", "maps/a.fits"),
            ("ID", "ivo://anything/x?maps/a.fits"),
            ("COLLECTION", "maps"),
            ("FACILITY", "spt"),
            ("TARGET", "Field 7"),
            ("DPTYPE", "image"),
            ("CALIB", "2"),
            ("FORMAT", "application/fits"),
            ("FORMAT", "application/x-votable+xml; content=datalink"),
            ("WHATEVER", "CIRCLE"),
            ("POS", " "),
            ("VERB", "1"),
        ] {
            assert!(takes(&[(name, value)]), "{name}={value}");
        }
        assert!(takes(&[
            ("POS", "CIRCLE 0 0 1"),
            ("POS", "CIRCLE 10 -50 1"),
            ("BAND", "2e-3")
        ]));
    }

    #[test]
    fn what_is_not_asked_for_is_not_found() {
        for (name, value) in [
            ("POS", "CIRCLE 190 50 1"),
            // Within the circle around the image, but beside its corner.
            ("POS", "CIRCLE 11 -50.5 0.05"),
            ("POS", "RANGE 12 350 -51 -49"),
            ("BAND", "1e-3 1.1e-3"),
            ("TIME", "58903"),
            ("POL", "V"),
            ("FOV", "2 3"),
            ("EXPTIME", "1"),
            ("ID", "maps/b.fits"),
            ("ID", "ivo://other/thing"),
            ("COLLECTION", "other"),
            ("INSTRUMENT", "camera"),
            ("TARGET", "Field"),
            ("DPTYPE", "cube"),
            ("CALIB", "3"),
            ("FORMAT", "image/png"),
            ("SPATRES", "1 2"),
            ("SPECRP", "1 2"),
            ("TIMERES", "1 2"),
        ] {
            assert!(!takes(&[(name, value)]), "{name}={value}");
        }
        assert!(!takes(&[("POS", "CIRCLE 10 -50 1"), ("BAND", "1")]));
    }

    #[test]
    fn bad_values_name_their_parameter() {
        for (name, value) in [
            ("POS", "CIRCLE 10 -50"),
            ("POS", "BOX 1 2 3 4"),
            ("POS", "CIRCLE 10 -95 1"),
            ("BAND", "2 1"),
            ("BAND", "1 2 3"),
            ("BAND", "Inf"),
            ("TIME", "nan"),
            ("TIME", "infinity 3"),
            ("POL", "Z"),
            ("CALIB", "5"),
            ("CALIB", "-1"),
            ("DPTYPE", "spectrum"),
            ("SPATRES", "x"),
            ("MAXREC", "-1"),
            ("MAXREC", "ten"),
        ] {
            let faults = read(&[(name, value)]).expect_err(value);
            assert_eq!(
                (faults.len(), faults[0].parameter.as_str()),
                (1, name),
                "{faults:?}"
            );
        }
        assert!(read(&[("MAXREC", "1"), ("maxrec", "2")]).expect_err("two")[0].multiple);
        assert_eq!(read(&[("MAXREC", "0")]).unwrap().rows, 0);
        assert_eq!(
            read(&[("MAXREC", "99999999999999999999")]).unwrap().rows,
            MOST_ROWS
        );
        assert_eq!(read(&[]).unwrap().rows, ROWS);
    }
}
