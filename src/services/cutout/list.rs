//! The list of positions that a job asks for: CSV.

use std::fmt::Write as _;

use csv::{ReaderBuilder, StringRecord, Trim};

use super::limits::{MAX_OBJID, check_size};
use crate::sky::{Position, Shape, Size};

/// Faulty rows that are named; the rest is counted.
const NAMED: usize = 100;

/// A list of positions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct List {
    /// Its rows, in order.
    pub rows: Vec<Row>,
    /// Columns that mean nothing here.
    pub unused: Vec<String>,
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

/// Where the columns are.
struct Columns {
    ra: usize,
    dec: usize,
    id: Option<usize>,
    x_size: Option<usize>,
    y_size: Option<usize>,
    bands: Option<usize>,
}

impl List {
    /// Reads CSV in UTF-8 with a header that has RA and DEC, and may have OBJID, XSIZE, YSIZE and BANDS, in any case and
    /// order; other columns are left unused. Spaces around values are ignored. A list with a bad row is refused whole:
    /// one message for each fault, of the first hundred faulty rows. Rows count from 1, the header not counted.
    pub fn read(bytes: &[u8], most: usize) -> Result<List, Vec<String>> {
        let text = unspaced(utf8(bytes).map_err(|fault| vec![fault])?);
        let mut reader = ReaderBuilder::new()
            .trim(Trim::All)
            .flexible(true)
            .from_reader(text.as_bytes());
        let header = reader
            .headers()
            .map_err(|error| vec![format!("cannot be read as CSV: {error}")])?
            .clone();
        if header.iter().all(str::is_empty) {
            return Err(vec![
                "is empty: expected a header RA,DEC and a row for each position".into(),
            ]);
        }
        let columns = Columns::of(&header).map_err(|fault| vec![fault])?;
        let mut list = List {
            rows: Vec::new(),
            unused: unused(&header),
        };
        let mut faults = Vec::new();
        let mut bad_rows = 0;
        for (at, record) in reader.records().enumerate() {
            if at >= most {
                return Err(vec![format!(
                    "has more than {most} rows, which is the most that a job may have"
                )]);
            }
            let read = match record {
                Ok(record) => columns.row(&record, header.len()),
                Err(error) => Err(vec![error.to_string()]),
            };
            match read {
                Ok(row) => list.rows.push(row),
                Err(problems) => {
                    bad_rows += 1;
                    if bad_rows <= NAMED {
                        faults.push(format!("row {}: {}", at + 1, problems.join("; ")));
                    }
                }
            }
        }
        if bad_rows > NAMED {
            faults.push(format!("{} more rows are faulty", bad_rows - NAMED));
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        if list.rows.is_empty() {
            return Err(vec!["is empty: it has a header and no row".into()]);
        }
        Ok(list)
    }
}

/// The text, without a byte order mark.
fn utf8(bytes: &[u8]) -> Result<&str, String> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let lines = before.split(|byte| *byte == b'\n').count() - 1;
        let place = if lines == 0 {
            String::from("header")
        } else {
            format!("row {lines}")
        };
        format!(
            "{place}: byte {} is not UTF-8, which is the encoding expected",
            error.valid_up_to() + 1
        )
    })
}

fn unused(header: &StringRecord) -> Vec<String> {
    let known = ["RA", "DEC", "OBJID", "XSIZE", "YSIZE", "BANDS"];
    header
        .iter()
        .filter(|name| !known.iter().any(|known| known.eq_ignore_ascii_case(name)))
        .map(str::to_owned)
        .collect()
}

/// Leaves out the spaces before values: those before a quote would keep CSV from seeing it.
fn unspaced(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut at_start, mut quoted) = (true, false);
    for c in text.chars() {
        match c {
            ' ' | '\t' if at_start => continue,
            '"' if at_start || quoted => quoted = !quoted,
            _ => {}
        }
        at_start = !quoted && matches!(c, ',' | '\n' | '\r');
        out.push(c);
    }
    out
}

impl Columns {
    fn of(header: &StringRecord) -> Result<Columns, String> {
        let find = |wanted: &str| {
            let mut places = header
                .iter()
                .enumerate()
                .filter(|(_, name)| name.eq_ignore_ascii_case(wanted));
            let first = places.next().map(|(at, _)| at);
            if places.next().is_some() {
                return Err(format!("has two columns {wanted}"));
            }
            Ok(first)
        };
        let required = |wanted: &str| {
            find(wanted)?.ok_or_else(|| {
                let mut shown = String::new();
                for name in header.iter().take(8) {
                    let name: String = name.chars().take(20).collect();
                    let _ = write!(shown, "{}{name:?}", if shown.is_empty() { "" } else { ", " });
                }
                format!("has no column {wanted}: expected a header such as RA,DEC,OBJID, found {shown}")
            })
        };
        Ok(Columns {
            ra: required("RA")?,
            dec: required("DEC")?,
            id: find("OBJID")?,
            x_size: find("XSIZE")?,
            y_size: find("YSIZE")?,
            bands: find("BANDS")?,
        })
    }

    /// The row, or everything that is wrong with it.
    fn row(&self, record: &StringRecord, width: usize) -> Result<Row, Vec<String>> {
        if record.len() != width {
            return Err(vec![format!("has {} values, expected {width}", record.len())]);
        }
        let value = |at: usize| record.get(at).unwrap_or_default();
        let optional = |at: Option<usize>| at.map(value).filter(|value| !value.is_empty());
        let mut faults = Vec::new();
        let position = Position::parse(value(self.ra), value(self.dec));
        let position = position.map_err(|error| faults.push(error.to_string())).ok();
        let size = row_size(optional(self.x_size), optional(self.y_size));
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

/// One of them alone makes a square.
fn row_size(x: Option<&str>, y: Option<&str>) -> Result<Option<Size>, String> {
    let (width, height) = match (x, y) {
        (None, None) => return Ok(None),
        (Some(x), Some(y)) => (arcmin("XSIZE", x)?, arcmin("YSIZE", y)?),
        (Some(x), None) => (arcmin("XSIZE", x)?, arcmin("XSIZE", x)?),
        (None, Some(y)) => (arcmin("YSIZE", y)?, arcmin("YSIZE", y)?),
    };
    let size = Size::arcmin(width, height).map_err(|error| format!("XSIZE, YSIZE: {error}"))?;
    check_size(size).map_err(|fault| format!("XSIZE, YSIZE: {fault}"))?;
    Ok(Some(size))
}

fn arcmin(name: &str, text: &str) -> Result<f64, String> {
    let shown: String = text.chars().take(40).collect();
    let digits = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    let value = text
        .parse::<f64>()
        .ok()
        .filter(|value| digits && value.is_finite());
    match value {
        None => Err(format!("{name} {shown:?} is not a number of arcminutes")),
        Some(value) if value <= 0.0 => Err(format!("{name} {shown:?} is not above 0")),
        Some(value) => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &[u8]) -> Vec<String> {
        List::read(text, 1_000).expect_err("a faulty list")
    }

    #[test]
    fn spaces_sexagesimal_and_optional_columns_are_read() {
        let text = b"\xEF\xBB\xBF RA , dec, OBJID ,XSIZE, YSIZE, bands, note\r\n\
            250.4226, 36.4602, M13, 2, 3, 90GHz;150GHz, hi\r\n\
            16:41:41.424, -00:30:00, \"a, b\", , , ,\r\n\
            \r\n\
            0, 90, , , 4, ,\r\n";
        let list = List::read(text, 10).unwrap();
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
    fn a_list_without_its_columns_or_rows_is_refused() {
        for (text, expected) in [
            (&b""[..], "is empty"),
            (b"\n\n", "is empty"),
            (b"RA,DEC\n", "no row"),
            (b"250.4,36.4\n", "no column RA"),
            (b"ra,name\n1,2\n", "no column DEC"),
            (b"RA,DEC,ra\n1,2,3\n", "two columns RA"),
            (b"RA,DEC\n1,2\n1,\xFF\n", "row 2: byte 14 is not UTF-8"),
            (b"\xFF\xFER\0A\0", "header: byte 1 is not UTF-8"),
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
        let faults = List::read(text.as_bytes(), 10).expect_err("too long");
        assert!(faults[0].contains("more than 10 rows"), "{faults:?}");
        assert_eq!(List::read(text.as_bytes(), 11).unwrap().rows.len(), 11);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, text in "(RA|DEC|,|\n|\"|[0-9.:+-]| |x){0,60}") {
            let _ = List::read(&bytes, 100);
            let _ = List::read(format!("RA,DEC,OBJID,XSIZE\n{text}").as_bytes(), 100);
        }
    }
}
