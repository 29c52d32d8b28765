//! The list of positions that a job asks for: CSV, VOTable or JSON.

#[cfg(test)]
mod hostile;
mod json;
mod votable;

use std::fmt::Write as _;

use csv::{ReaderBuilder, Trim};

use super::limits::{MAX_OBJID, MAX_WORD, check_size};
use crate::sky::{Position, Shape, Size};

/// Faulty rows that are named; the rest is counted.
const NAMED: usize = 100;
/// Longest message of a fault, in characters: readers of JSON and XML tell all of a value that they did not expect.
const MAX_MESSAGE: usize = 500;
/// Columns that a list may have.
const MAX_COLUMNS: usize = 1_000;
/// Columns without a meaning that are told.
const MAX_UNUSED: usize = 100;
/// Bands that a row may ask for.
const MAX_BANDS: usize = 100;

/// A list of positions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct List {
    /// Its rows, in order.
    pub rows: Vec<Row>,
    /// Columns that mean nothing here, the first of them, shortened.
    pub unused: Vec<String>,
}

/// What is wrong with a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListFault {
    /// The row, from 1, if it is one alone that is wrong.
    pub row: Option<usize>,
    /// What is wrong; begins with `row N:` if it is one.
    pub message: String,
}

impl From<String> for ListFault {
    fn from(message: String) -> Self {
        let message = message.chars().take(MAX_MESSAGE).collect();
        ListFault { row: None, message }
    }
}

/// A region and what is asked for at it.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Where.
    pub shape: Shape,
    /// The user's name for it.
    pub id: Option<String>,
    /// How large the box around a point is; the job's SIZE if it says nothing.
    pub size: Option<Size>,
    /// In which bands; the job's BANDS if empty.
    pub bands: Vec<String>,
    /// Least and greatest wavelength, m, either may be infinite: images by their columns, and planes of cubes.
    pub band_range: Option<[f64; 2]>,
    /// First and last time, MJD UTC, either may be infinite: images by their columns, and planes of cubes.
    pub time_range: Option<[f64; 2]>,
}

impl Row {
    /// A region, of which nothing else is said.
    pub fn at(shape: Shape) -> Row {
        Row {
            shape,
            id: None,
            size: None,
            bands: Vec::new(),
            band_range: None,
            time_range: None,
        }
    }

    /// The user's name for it, or one made of its middle.
    pub fn name(&self) -> String {
        self.id.clone().unwrap_or_else(|| {
            let centre = self.shape.centre();
            centre.map_or_else(|| "whole".into(), Position::name)
        })
    }
}

/// The columns that a list may have.
const NAMES: [&str; 7] = ["RA", "DEC", "OBJID", "BANDS", "SIZE", "XSIZE", "YSIZE"];

/// A column as its table declares it.
#[derive(Debug, Clone, Default, PartialEq)]
struct Heading {
    name: String,
    /// UCD, in small letters.
    ucd: String,
    /// Unit, in small letters.
    unit: String,
}

/// Where the columns are.
#[derive(Debug)]
struct Columns {
    ra: usize,
    dec: usize,
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

/// A list while it is read: every format hands over its columns, and then row by row.
#[derive(Debug)]
struct Reading {
    columns: Columns,
    most: usize,
    list: List,
    faults: Vec<ListFault>,
    /// Rows so far.
    rows: usize,
    faulty: usize,
}

impl List {
    /// Reads a table with columns RA and DEC, and perhaps OBJID, SIZE or XSIZE and YSIZE, and BANDS, in any case and order;
    /// other columns are left unused. It is a VOTable (TABLEDATA), JSON, or CSV in UTF-8 with a header, as its media type
    /// says or else its first character. Spaces around values are ignored. Positions are ICRS, decimal degrees or
    /// sexagesimal (RA in hours); sizes have a unit or are arcmin. A list with a bad row is refused whole: a fault for each
    /// of the first hundred faulty rows, and how many there are besides. Rows count from 1, neither the header nor empty
    /// lines counted.
    pub fn read(bytes: &[u8], media_type: &str, most: usize) -> Result<List, Vec<ListFault>> {
        let whole = |faults: Vec<String>| faults.into_iter().map(ListFault::from).collect::<Vec<_>>();
        let text = utf8(bytes).map_err(|fault| whole(vec![fault]))?;
        let media_type = media_type.to_ascii_lowercase();
        let first = text.trim_start().chars().next();
        let reading = if media_type.contains("json") || matches!(first, Some('{' | '[')) {
            json::read(text, most)
        } else if media_type.contains("votable") || media_type.contains("xml") || first == Some('<') {
            votable::read(text, most)
        } else {
            csv(text, most)
        };
        reading.map_err(whole)?.finish()
    }
}

/// CSV (RFC 4180) with a header.
fn csv(text: &str, most: usize) -> Result<Reading, Vec<String>> {
    let text = unspaced(text).map_err(|fault| vec![fault])?;
    let mut reader = ReaderBuilder::new()
        .trim(Trim::All)
        .flexible(true)
        .from_reader(text.as_bytes());
    let header = reader
        .headers()
        .map_err(|error| vec![format!("cannot be read as CSV: {error}")])?;
    if header.iter().all(str::is_empty) {
        return Err(vec![
            "is empty: expected a header RA,DEC and a row for each position".into(),
        ]);
    }
    let headings: Vec<Heading> = header.iter().map(Heading::named).collect();
    let mut reading = Reading::new(&headings, most).map_err(|fault| vec![fault])?;
    for record in reader.records() {
        match record {
            Ok(record) => reading.add(&record.iter().collect::<Vec<_>>())?,
            Err(error) => reading.refuse(&[error.to_string()])?,
        }
    }
    Ok(reading)
}

impl Heading {
    fn named(name: &str) -> Heading {
        Heading {
            name: name.trim().to_owned(),
            ..Heading::default()
        }
    }
}

impl Reading {
    fn new(headings: &[Heading], most: usize) -> Result<Reading, String> {
        let columns = Columns::of(headings)?;
        let used = columns.used();
        let unused = headings.iter().enumerate().filter(|(at, _)| !used.contains(at));
        Ok(Reading {
            list: List {
                rows: Vec::new(),
                unused: unused
                    .take(MAX_UNUSED)
                    .map(|(_, heading)| excerpt(&heading.name))
                    .collect(),
            },
            columns,
            most,
            faults: Vec::new(),
            rows: 0,
            faulty: 0,
        })
    }

    /// Of rows that may have each a value for any of `NAMES`, in that order.
    fn of_objects(most: usize) -> Reading {
        let side = |at: usize| {
            Some(Side {
                name: NAMES[at],
                at,
                unit: "arcmin",
            })
        };
        Reading {
            columns: Columns {
                ra: 0,
                dec: 1,
                id: Some(2),
                bands: Some(3),
                size: side(4),
                x_size: side(5),
                y_size: side(6),
                count: NAMES.len(),
            },
            most,
            list: List::default(),
            faults: Vec::new(),
            rows: 0,
            faulty: 0,
        }
    }

    /// Takes the values of a row. An error if there are too many rows.
    fn add(&mut self, values: &[&str]) -> Result<(), Vec<String>> {
        match self.columns.row(values) {
            Ok(row) => {
                self.count()?;
                self.list.rows.push(row);
                Ok(())
            }
            Err(problems) => self.refuse(&problems),
        }
    }

    /// Takes note of a row that cannot be read.
    fn refuse(&mut self, problems: &[String]) -> Result<(), Vec<String>> {
        self.count()?;
        self.faulty += 1;
        if self.faulty <= NAMED {
            let fault = ListFault::from(format!("row {}: {}", self.rows, problems.join("; ")));
            self.faults.push(ListFault {
                row: Some(self.rows),
                ..fault
            });
        }
        Ok(())
    }

    fn count(&mut self) -> Result<(), Vec<String>> {
        self.rows += 1;
        if self.rows > self.most {
            return Err(vec![format!(
                "has more than {} rows, which is the most that a job may have",
                self.most
            )]);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<List, Vec<ListFault>> {
        if self.faulty > NAMED {
            let more = format!("{} more rows are faulty", self.faulty - NAMED);
            self.faults.push(more.into());
        }
        if !self.faults.is_empty() {
            return Err(self.faults);
        }
        if self.list.rows.is_empty() {
            return Err(vec![String::from("is empty: it has a header and no row").into()]);
        }
        Ok(self.list)
    }
}

/// The text, without a byte order mark.
fn utf8(bytes: &[u8]) -> Result<&str, String> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].split(|byte| *byte == b'\n').count();
        format!(
            "line {line}: byte {} of the list is not UTF-8, which is the encoding expected",
            error.valid_up_to() + 1
        )
    })
}

/// Leaves out the spaces before values: those before a quote would keep CSV from seeing it. An error if there are more
/// values on a line than any list has.
fn unspaced(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let (mut at_start, mut quoted) = (true, false);
    // Whether a quote has just ended, unless the next character doubles it.
    let mut closed = false;
    let mut values = 1;
    for c in text.chars() {
        let doubled = std::mem::take(&mut closed);
        match c {
            ' ' | '\t' if at_start => continue,
            '"' if at_start || quoted || doubled => {
                closed = quoted;
                quoted = !quoted;
            }
            ',' if !quoted => values += 1,
            '\n' | '\r' if !quoted => values = 1,
            _ => {}
        }
        if values > MAX_COLUMNS {
            return Err(format!("has a line of more than {MAX_COLUMNS} values"));
        }
        at_start = !quoted && matches!(c, ',' | '\n' | '\r');
        out.push(c);
    }
    Ok(out)
}

impl Columns {
    fn of(headings: &[Heading]) -> Result<Columns, String> {
        let id = find(headings, "OBJID", &["meta.id;meta.main"])?;
        let side = |name: &'static str| {
            let Some(at) = find(headings, name, &[])? else {
                return Ok(None);
            };
            let unit = unit(name, &headings[at].unit)?;
            Ok::<_, String>(Some(Side { name, at, unit }))
        };
        let columns = Columns {
            ra: coordinate(
                headings,
                "RA",
                &["pos.eq.ra;meta.main", "pos_eq_ra_main", "pos.eq.ra"],
            )?,
            dec: coordinate(
                headings,
                "DEC",
                &["pos.eq.dec;meta.main", "pos_eq_dec_main", "pos.eq.dec"],
            )?,
            id,
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

    fn used(&self) -> Vec<usize> {
        let sides = [self.size, self.x_size, self.y_size].map(|side| side.map(|side| side.at));
        let others = [Some(self.ra), Some(self.dec), self.id, self.bands];
        others.into_iter().chain(sides).flatten().collect()
    }

    /// The row, or everything that is wrong with it.
    fn row(&self, values: &[&str]) -> Result<Row, Vec<String>> {
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

/// The column of a coordinate, which must be there and in degrees or sexagesimal.
fn coordinate(headings: &[Heading], wanted: &str, ucds: &[&str]) -> Result<usize, String> {
    let Some(at) = find(headings, wanted, ucds)? else {
        let mut shown = String::new();
        for heading in headings.iter().take(8) {
            let name: String = heading.name.chars().take(20).collect();
            let _ = write!(shown, "{}{name:?}", if shown.is_empty() { "" } else { ", " });
        }
        return Err(format!(
            "has no column {wanted}: expected a header such as RA,DEC,OBJID, found {shown}"
        ));
    };
    match headings[at].unit.as_str() {
        "" | "deg" | "degree" | "degrees" | "h:m:s" | "hms" | "d:m:s" | "dms" => Ok(at),
        unit => Err(format!(
            "column {wanted} is in {:?}, expected deg",
            unit.chars().take(20).collect::<String>()
        )),
    }
}

/// What a column's unit is as the suffix of a size.
fn unit(name: &str, unit: &str) -> Result<&'static str, String> {
    match unit {
        "" | "arcmin" => Ok("arcmin"),
        "arcsec" => Ok("arcsec"),
        "deg" | "degree" | "degrees" => Ok("deg"),
        "px" | "pix" | "pixel" | "pixels" => Ok("px"),
        unit => Err(format!(
            "column {name} is in {:?}, expected arcmin, arcsec, deg or pixel",
            unit.chars().take(20).collect::<String>()
        )),
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

fn excerpt(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &[u8]) -> Vec<String> {
        let faults = List::read(text, "text/csv", 1_000).expect_err("a faulty list");
        faults.into_iter().map(|fault| fault.message).collect()
    }

    #[test]
    fn spaces_sexagesimal_and_optional_columns_are_read() {
        let text = b"\xEF\xBB\xBF RA , dec, OBJID ,XSIZE, YSIZE, bands, note\r\n\
            250.4226, 36.4602, M13, 2, 3, 90GHz;150GHz, hi\r\n\
            16:41:41.424, -00:30:00, \"a, b\", , , ,\r\n\
            \r\n\
            0, 90, , , 4, ,\r\n";
        let list = List::read(text, "text/csv", 10).unwrap();
        assert_eq!(list.unused, ["note"]);
        assert_eq!(list.rows.len(), 3);
        assert_eq!(list.rows[0].id.as_deref(), Some("M13"));
        assert_eq!(list.rows[0].size, Size::arcmin(2.0, 3.0).ok());
        assert_eq!(list.rows[0].bands, ["90GHz", "150GHz"]);
        assert!((list.rows[1].shape.centre().unwrap().ra - 250.4226).abs() < 1e-9);
        assert!((list.rows[1].shape.centre().unwrap().dec + 0.5).abs() < 1e-12);
        assert_eq!(list.rows[1].id.as_deref(), Some("a, b"));
        assert_eq!((list.rows[1].size, list.rows[1].bands.len()), (None, 0));
        assert_eq!(
            (&list.rows[2].id, list.rows[2].size),
            (&None, Size::arcmin(4.0, 4.0).ok())
        );
    }

    #[test]
    fn quotes_within_quotes_are_doubled() {
        let text = b"RA,DEC,OBJID\n1,2, \"\"\", A\"\n3,4,\"b \"\", \n c\"\n5,6,\"\"\n";
        let list = List::read(text, "text/csv", 10).expect_err("a control character");
        assert_eq!((list.len(), list[0].row), (1, Some(2)));
        let text = b"RA,DEC,OBJID\n1,2, \"\"\", A\"\n3,4,\"b \"\", c\"\n5,6,\"\"\n";
        let rows = List::read(text, "text/csv", 10).unwrap().rows;
        let ids: Vec<_> = rows.iter().map(|row| row.id.as_deref()).collect();
        assert_eq!(ids, [Some("\", A"), Some("b \", c"), None]);
    }

    #[test]
    fn a_list_without_its_columns_or_rows_is_refused() {
        for (text, expected) in [
            (&b""[..], "is empty"),
            (b"\n\n", "is empty"),
            (b"RA,DEC\n", "no row"),
            (b"250.4,36.4\n", "no column RA"),
            (b"ra,name\n1,2\n", "no column DEC"),
            (b"RA,DEC,ra\n1,2,3\n", "two columns RA"),
            (
                b"RA,DEC\n1,2\n1,\xFF\n",
                "line 3: byte 14 of the list is not UTF-8",
            ),
            (b"\xFF\xFER\0A\0", "line 1: byte 1 of the list is not UTF-8"),
        ] {
            let faults = faults(text);
            assert!(
                faults.len() == 1 && faults[0].contains(expected),
                "{faults:?} has no {expected:?}"
            );
        }
    }

    #[test]
    fn every_faulty_row_is_named_with_all_that_is_wrong() {
        let faults = faults(b"RA,DEC,XSIZE\n1,2,\n361,2,\n1,x,-1\n1,2\n1,2,1e9\n-0.1,91,nan\n");
        let rows: Vec<_> = faults
            .iter()
            .map(|fault| fault.split(':').next().unwrap())
            .collect();
        assert_eq!(rows, ["row 2", "row 3", "row 4", "row 5", "row 6"]);
        assert!(faults[0].contains("0 to 360"), "{}", faults[0]);
        assert!(
            faults[1].contains("DEC") && faults[1].contains("XSIZE"),
            "{}",
            faults[1]
        );
        assert!(faults[2].contains("2 values, expected 3"), "{}", faults[2]);
        assert!(faults[3].contains("600 arcmin"), "{}", faults[3]);
    }

    #[test]
    fn the_first_hundred_faulty_rows_are_named_and_the_rest_counted() {
        let text = format!("RA,DEC\n{}", "400,0\n".repeat(150));
        let faults = faults(text.as_bytes());
        assert_eq!(faults.len(), 101);
        assert!(faults[99].starts_with("row 100:"), "{}", faults[99]);
        assert_eq!(faults[100], "50 more rows are faulty");
    }

    #[test]
    fn a_list_beyond_the_limit_is_refused() {
        let text = format!("RA,DEC\n{}", "1,0\n".repeat(11));
        let faults = List::read(text.as_bytes(), "", 10).expect_err("too long");
        assert!(faults[0].message.contains("more than 10 rows"), "{faults:?}");
        assert_eq!(List::read(text.as_bytes(), "", 11).unwrap().rows.len(), 11);
    }

    #[test]
    fn sizes_have_units_of_their_own() {
        let text = b"RA,DEC,XSIZE,YSIZE\n1,2,2arcmin,30arcsec\n1,2,0.1deg,\n1,2,256px,3\n1,2,4,\n";
        let list = List::read(text, "", 10).unwrap();
        let sizes: Vec<_> = list.rows.iter().map(|row| row.size.unwrap()).collect();
        let wanted: Vec<Size> = ["2arcmin,30arcsec", "0.1deg", "256px,3arcmin", "4"]
            .iter()
            .map(|size| size.parse().unwrap())
            .collect();
        assert_eq!(sizes, wanted);
        let list = List::read(b"RA,DEC,SIZE\n1,2,\"2,3arcsec\"\n1,2,\n1,2,7\n", "", 10).unwrap();
        assert_eq!(list.rows[0].size, "2,3arcsec".parse().ok());
        assert_eq!(
            (list.rows[1].size, list.rows[2].size),
            (None, "7arcmin".parse().ok())
        );
        for (size, expected) in [
            ("0", "above 0"),
            ("1 parsec", "SIZE"),
            ("11deg", "10 deg"),
            ("1.5px", "whole"),
        ] {
            let faults = faults(format!("RA,DEC,SIZE\n1,2,{size}\n").as_bytes());
            assert!(
                faults[0].starts_with("row 1: SIZE") && faults[0].contains(expected),
                "{faults:?}"
            );
        }
        assert!(faults(b"RA,DEC,SIZE,XSIZE\n1,2,3,4\n")[0].contains("one or the other"));
    }

    #[test]
    fn what_no_list_has_is_refused_before_it_takes_memory() {
        let commas = ",".repeat(1_000);
        for text in [
            format!("RA,DEC{commas}\n1,2\n"),
            format!("RA,DEC\n1,2\n1,2{commas}\n"),
        ] {
            assert!(faults(text.as_bytes())[0].contains("more than 1000 values"));
        }
        for bands in ["a ".repeat(101), "a".repeat(201)] {
            let text = format!("RA,DEC,BANDS\n1,2,{bands}\n");
            assert!(faults(text.as_bytes())[0].starts_with("row 1: BANDS has more than 100 bands"));
        }
        let names: Vec<String> = (0..150).map(|n| format!("{n}{}", "x".repeat(99))).collect();
        let names = names.join(",");
        let list = List::read(
            format!("RA,DEC,{names}\n1,2{}\n", ",".repeat(150)).as_bytes(),
            "",
            10,
        )
        .unwrap();
        assert_eq!(list.unused.len(), 100);
        assert!(list.unused.iter().all(|name| name.len() == 40));
        // Not so much as one row is within a quote, but all of them.
        let quoted = format!("RA,DEC,OBJID\n1,2,\"{}\"\n", ",".repeat(90));
        assert_eq!(List::read(quoted.as_bytes(), "", 10).unwrap().rows.len(), 1);
    }

    #[test]
    fn the_media_type_or_the_first_character_tells_the_format() {
        for (text, media_type) in [
            ("RA,DEC\n1,2\n", "text/csv"),
            ("RA,DEC\n1,2\n", "application/octet-stream"),
            (r#"[{"ra": 1, "dec": 2}]"#, "application/json"),
            (r#" [{"ra": 1, "dec": 2}]"#, "text/plain"),
            (
                "<VOTABLE><RESOURCE><TABLE><FIELD name='ra'/><FIELD name='dec'/><DATA><TABLEDATA>\
                 <TR><TD>1</TD><TD>2</TD></TR></TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>",
                "",
            ),
        ] {
            let list = List::read(text.as_bytes(), media_type, 10).expect(text);
            assert_eq!(
                list.rows,
                [Row::at(Shape::Point(Position { ra: 1.0, dec: 2.0 }))],
                "{text}"
            );
        }
        let faults = List::read(b"RA,DEC\n1,2\n", "application/json", 10).expect_err("CSV is no JSON");
        assert!(faults[0].message.contains("JSON"), "{faults:?}");
    }
}
