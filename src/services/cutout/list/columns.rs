//! Which column of a list means what, and what a row of them says.

use std::fmt::Write as _;

use super::{MAX_BANDS, Row, excerpt};
use crate::{
    services::cutout::limits::{MAX_OBJID, MAX_WORD, check_size},
    sky::{Frame, Position, Shape, Size, System},
};

/// What a column may mean.
pub const NAMES: [&str; 7] = ["RA", "DEC", "OBJID", "BANDS", "SIZE", "XSIZE", "YSIZE"];
/// Place in [`NAMES`].
pub const OBJID: usize = 2;
/// Place in [`NAMES`].
pub const SIZE: usize = 4;
/// Names of right ascension and declination, the first of which are preferred: those of `VizieR` that begin with `_` are
/// degrees, whatever the catalogue itself has.
const PAIRS: [(&str, &str); 21] = [
    ("RA", "DEC"),
    ("_RAJ2000", "_DEJ2000"),
    ("_RA.ICRS", "_DE.ICRS"),
    ("_RA_ICRS", "_DE_ICRS"),
    ("RA_ICRS", "DE_ICRS"),
    ("RA_ICRS", "DEC_ICRS"),
    ("RAJ2000", "DEJ2000"),
    ("RAJ2000", "DECJ2000"),
    ("RA_J2000", "DEC_J2000"),
    ("RA2000", "DE2000"),
    ("RA2000", "DEC2000"),
    ("ALPHA_J2000", "DELTA_J2000"),
    ("ALPHAWIN_J2000", "DELTAWIN_J2000"),
    ("RA_DEG", "DEC_DEG"),
    ("RA_DEG", "DE_DEG"),
    ("RADEG", "DECDEG"),
    ("RADEG", "DEDEG"),
    ("RA_HMS", "DEC_DMS"),
    ("RIGHT_ASCENSION", "DECLINATION"),
    ("RIGHTASCENSION", "DECLINATION"),
    ("RA", "DE"),
];
/// UCDs of them.
const UCDS: [[&str; 3]; 2] = [
    ["pos.eq.ra;meta.main", "pos_eq_ra_main", "pos.eq.ra"],
    ["pos.eq.dec;meta.main", "pos_eq_dec_main", "pos.eq.dec"],
];
/// Names of a column of names, if none is OBJID: the first of them that is there.
const IDS: [&str; 8] = [
    "OBJID",
    "ID",
    "NAME",
    "SOURCE_ID",
    "MAIN_ID",
    "OBJECT",
    "OBJECT_NAME",
    "TARGET",
];
/// A column of the manifests, whose SIZE is that of files.
const OF_FILES: &str = "SHA256";

/// A column as its table declares it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Heading {
    /// What it is called.
    pub name: String,
    /// UCD, in small letters.
    pub ucd: String,
    /// Unit, in small letters.
    pub unit: String,
    /// What its coordinates refer to.
    pub reference: Reference,
}

/// What coordinates refer to.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Reference {
    /// ICRS, or near enough.
    #[default]
    Icrs,
    /// Another system.
    Of(System),
    /// One that is not known; its name, or why not.
    Unknown(String),
}

/// Where the columns are.
#[derive(Debug)]
pub struct Columns {
    ra: usize,
    dec: usize,
    /// What positions are in, if that is not ICRS.
    frame: Option<Frame>,
    id: Option<usize>,
    size: Option<Side>,
    x_size: Option<Side>,
    y_size: Option<Side>,
    bands: Option<usize>,
    /// How many there are.
    count: usize,
}

/// A column of sizes.
#[derive(Debug, Clone, Copy)]
struct Side {
    name: &'static str,
    at: usize,
    /// What plain numbers are in: a suffix that sizes have.
    unit: &'static str,
}

/// What a column of this name means: its place in [`NAMES`], and how many other names for it are preferred.
pub fn meaning(name: &str) -> Option<(usize, usize)> {
    let is = |known: &&str| known.eq_ignore_ascii_case(name);
    let ra = PAIRS.iter().position(|(ra, _)| is(ra)).map(|rank| (0, rank));
    let dec = || PAIRS.iter().position(|(_, dec)| is(dec)).map(|rank| (1, rank));
    let id = || IDS.iter().position(is).map(|rank| (OBJID, rank));
    let other = || NAMES.iter().position(is).map(|at| (at, 0));
    ra.or_else(dec).or_else(id).or_else(other)
}

/// Whether a column of this name is of manifests alone, whose SIZE is that of files.
pub fn is_of_files(name: &str) -> bool {
    name.eq_ignore_ascii_case(OF_FILES)
}

impl Heading {
    /// A column of which a header says the name, and perhaps the unit in brackets.
    pub fn named(name: &str) -> Heading {
        let mut heading = Heading {
            name: name.trim().to_owned(),
            ..Heading::default()
        };
        let bracketed = heading
            .name
            .strip_suffix([')', ']'])
            .and_then(|name| name.split_once(['(', '[']));
        if let Some((name, unit)) = bracketed
            && meaning(name.trim()).is_some()
        {
            let (name, unit) = (name.trim().to_owned(), unit.to_owned());
            heading.name = name;
            if !["j2000", "j2000.0", "icrs", "fk5"].contains(&unit.trim().to_ascii_lowercase().as_str()) {
                heading.set_unit(&unit);
            }
        }
        heading
    }

    /// Says what its values are in.
    pub fn set_unit(&mut self, unit: &str) {
        self.unit = unit
            .trim_matches(|c: char| c.is_whitespace() || c == '"')
            .to_ascii_lowercase();
    }
}

impl Columns {
    /// Finds them.
    pub fn of(headings: &[Heading]) -> Result<Columns, String> {
        let [ra, dec] = coordinates(headings)?;
        let of_files = headings.iter().any(|heading| is_of_files(&heading.name));
        let side = |name: &'static str| {
            let at = find(headings, name, &[])?.filter(|_| !of_files || name != NAMES[SIZE]);
            Ok::<_, String>(at.and_then(|at| {
                // What is no angle is no size of a box.
                unit(&headings[at].unit).map(|unit| Side { name, at, unit })
            }))
        };
        let columns = Columns {
            ra,
            dec,
            frame: frame(&headings[ra], &headings[dec])?,
            id: id(headings)?,
            size: side("SIZE")?,
            x_size: side("XSIZE")?,
            y_size: side("YSIZE")?,
            bands: find(headings, "BANDS", &[])?,
            count: headings.len(),
        };
        if columns.size.is_some() && (columns.x_size.is_some() || columns.y_size.is_some()) {
            return Err("has a column SIZE and also XSIZE or YSIZE: expected one or the other".into());
        }
        Ok(columns)
    }

    /// Of rows that may have each a value for any of [`NAMES`], in that order.
    pub fn of_objects() -> Columns {
        let side = |at: usize| {
            Some(Side {
                name: NAMES[at],
                at,
                unit: "arcmin",
            })
        };
        Columns {
            ra: 0,
            dec: 1,
            frame: None,
            id: Some(OBJID),
            bands: Some(3),
            size: side(SIZE),
            x_size: side(5),
            y_size: side(6),
            count: NAMES.len(),
        }
    }

    /// Places of those that mean something.
    pub fn used(&self) -> Vec<usize> {
        let sides = [self.size, self.x_size, self.y_size].map(|side| side.map(|side| side.at));
        let others = [Some(self.ra), Some(self.dec), self.id, self.bands];
        others.into_iter().chain(sides).flatten().collect()
    }

    /// The row, or everything that is wrong with it.
    pub fn row(&self, values: &[&str]) -> Result<Row, Vec<String>> {
        if values.len() != self.count {
            return Err(vec![format!(
                "has {} values, expected {}",
                values.len(),
                self.count
            )]);
        }
        let value = |at: usize| values.get(at).map_or("", |value| value.trim());
        let optional = |at: Option<usize>| at.map(value).filter(|value| !value.is_empty());
        let mut faults = Vec::new();
        let position = Position::parse(value(self.ra), value(self.dec));
        let position = position.map_err(|error| faults.push(error.to_string())).ok();
        let position = position.map(|given| match &self.frame {
            Some(frame) => frame.to_icrs(given.ra, given.dec),
            None => given,
        });
        let side = |side: Option<Side>| {
            let side = side?;
            Some((side, optional(Some(side.at))?))
        };
        let size = row_size(side(self.size), side(self.x_size), side(self.y_size));
        let size = size.map_err(|fault| faults.push(fault)).ok();
        let id = optional(self.id);
        if let Some(id) = id
            && (id.chars().count() > MAX_OBJID || id.chars().any(char::is_control))
        {
            faults.push(format!(
                "OBJID is longer than {MAX_OBJID} characters or has control characters"
            ));
        }
        let bands = optional(self.bands).unwrap_or_default();
        let bands = bands
            .split(|c: char| c.is_whitespace() || ",;|".contains(c))
            .filter(|band| !band.is_empty());
        if bands.clone().count() > MAX_BANDS || bands.clone().any(|band| band.len() > MAX_WORD) {
            faults.push(format!(
                "BANDS has more than {MAX_BANDS} bands, or one of more than {MAX_WORD} bytes"
            ));
        }
        match (position, size) {
            (Some(position), Some(size)) if faults.is_empty() => Ok(Row {
                id: id.map(str::to_owned),
                size,
                bands: bands.map(str::to_owned).collect(),
                ..Row::at(Shape::Point(position))
            }),
            _ => Err(faults),
        }
    }
}

/// The column of this name, or else the one with the first of these UCDs that any has.
fn find(headings: &[Heading], wanted: &str, ucds: &[&str]) -> Result<Option<usize>, String> {
    let only = |is: &dyn Fn(&Heading) -> bool, what: &str| {
        let mut places = headings.iter().enumerate().filter(|(_, heading)| is(heading));
        let first = places.next().map(|(at, _)| at);
        if places.next().is_some() {
            return Err(format!("has two columns {what}"));
        }
        Ok(first)
    };
    if let Some(at) = only(&|heading| heading.name.eq_ignore_ascii_case(wanted), wanted)? {
        return Ok(Some(at));
    }
    for ucd in ucds {
        if let Some(at) = only(&|heading| heading.ucd == *ucd, &format!("{wanted} (UCD {ucd})"))? {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// The columns of right ascension and declination, which must be there and in degrees or sexagesimal.
fn coordinates(headings: &[Heading]) -> Result<[usize; 2], String> {
    for (ra, dec) in PAIRS {
        if let (Some(ra), Some(dec)) = (find(headings, ra, &[])?, find(headings, dec, &[])?) {
            return Ok([checked(headings, ra)?, checked(headings, dec)?]);
        }
    }
    let mut found = [0; 2];
    for (at, place) in found.iter_mut().enumerate() {
        let named = headings.iter().enumerate().filter_map(|(place, heading)| {
            let (meant, rank) = meaning(&heading.name)?;
            (meant == at).then_some((rank, place))
        });
        *place = match named.min() {
            Some((_, place)) => place,
            None => find(headings, NAMES[at], &UCDS[at])?.ok_or_else(|| missing(headings, NAMES[at]))?,
        };
        checked(headings, *place)?;
    }
    Ok(found)
}

fn missing(headings: &[Heading], wanted: &str) -> String {
    let mut shown = String::new();
    for heading in headings.iter().take(8) {
        let name: String = heading.name.chars().take(20).collect();
        let _ = write!(shown, "{}{name:?}", if shown.is_empty() { "" } else { ", " });
    }
    format!("has no column {wanted}: expected a header such as RA,DEC,OBJID, found {shown}")
}

/// A column of coordinates whose unit can be read.
fn checked(headings: &[Heading], at: usize) -> Result<usize, String> {
    match headings[at].unit.as_str() {
        "" | "deg" | "degree" | "degrees" | "h:m:s" | "hms" | "hh:mm:ss" | "d:m:s" | "dms" | "dd:mm:ss" => {
            Ok(at)
        }
        unit => Err(format!(
            "column {} is in {:?}, expected deg",
            excerpt(&headings[at].name),
            unit.chars().take(20).collect::<String>()
        )),
    }
}

/// What positions are to be turned from.
fn frame(ra: &Heading, dec: &Heading) -> Result<Option<Frame>, String> {
    let names = || format!("columns {} and {}", excerpt(&ra.name), excerpt(&dec.name));
    match (&ra.reference, &dec.reference) {
        (Reference::Unknown(what), _) | (_, Reference::Unknown(what)) => Err(format!(
            "{} are in a system that is not known ({}): expected ICRS, FK5, FK4, galactic or ecliptic",
            names(),
            excerpt(what)
        )),
        (one, other) if one != other => Err(format!("{} are in different systems", names())),
        (Reference::Of(system), _) => Ok(Some(Frame::new(*system))),
        (Reference::Icrs, _) => Ok(None),
    }
}

/// The column of names.
fn id(headings: &[Heading]) -> Result<Option<usize>, String> {
    if let Some(at) = find(headings, IDS[0], &["meta.id;meta.main"])? {
        return Ok(Some(at));
    }
    // What is there twice is as good as none.
    Ok(IDS.iter().find_map(|id| find(headings, id, &[]).ok().flatten()))
}

/// What a column's unit is as the suffix of a size; of what is no angle there is none.
fn unit(unit: &str) -> Option<&'static str> {
    match unit {
        "" | "arcmin" => Some("arcmin"),
        "arcsec" => Some("arcsec"),
        "deg" | "degree" | "degrees" => Some("deg"),
        "px" | "pix" | "pixel" | "pixels" => Some("px"),
        _ => None,
    }
}

/// The size of a row, if it says one. One side alone makes a square.
fn row_size(
    both: Option<(Side, &str)>,
    x: Option<(Side, &str)>,
    y: Option<(Side, &str)>,
) -> Result<Option<Size>, String> {
    let (size, named) = match (both, x, y) {
        (Some((side, text)), None, None) => (sized(side, text)?, side.name),
        (Some(_), ..) => {
            return Err("SIZE is given, and also XSIZE or YSIZE: expected one or the other".into());
        }
        (None, None, None) => return Ok(None),
        (None, Some((side, text)), None) | (None, None, Some((side, text))) => (one(side, text)?, side.name),
        (None, Some((x_side, x)), Some((y_side, y))) => (
            Size {
                width: one(x_side, x)?.width,
                height: one(y_side, y)?.height,
            },
            "XSIZE, YSIZE",
        ),
    };
    check_size(size).map_err(|fault| format!("{named}: {fault}"))?;
    Ok(Some(size))
}

/// A side, which makes a square.
fn one(side: Side, text: &str) -> Result<Size, String> {
    if text.contains(',') {
        return Err(format!("{} {:?} is more than one size", side.name, excerpt(text)));
    }
    sized(side, text)
}

fn sized(side: Side, text: &str) -> Result<Size, String> {
    let plain = text.ends_with(|last: char| last.is_ascii_digit() || last == '.');
    let with_unit = if plain {
        format!("{text}{}", side.unit)
    } else {
        text.to_owned()
    };
    with_unit.parse::<Size>().map_err(|_| {
        format!(
            "{} {:?} is not a size above 0 (a number of {}, or with arcsec, arcmin, deg or px; px whole)",
            side.name,
            excerpt(text),
            side.unit
        )
    })
}
