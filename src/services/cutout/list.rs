//! The list of positions that a job asks for: text, VOTable or JSON.
//!
//! `encoding` makes text of its bytes; `delimited`, `votable` (whose rows may be `binary`) and `json` take it apart; `columns`
//! says what a row of values means.

mod binary;
mod columns;
mod delimited;
mod encoding;
#[cfg(test)]
mod hostile;
mod json;
mod votable;

use self::columns::{Columns, Heading};
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
    /// Reads a table with columns RA and DEC, and perhaps OBJID, SIZE or XSIZE and YSIZE, and BANDS, in any case and order,
    /// or with other names that are usual for them; other columns are left unused. It is a VOTable (TABLEDATA, BINARY or
    /// BINARY2), JSON, or text with a header, as its media type says or else its first character, and perhaps in gzip.
    /// Spaces around values are ignored. Positions are decimal degrees or sexagesimal (RA in hours), in ICRS or in what a
    /// VOTable's COOSYS says; sizes have a unit or are arcmin. A list with a bad row is refused whole: a fault for each of
    /// the first hundred faulty rows, and how many there are besides. Rows count from 1, neither the header nor comments
    /// nor empty lines counted.
    pub fn read(bytes: &[u8], media_type: &str, most: usize) -> Result<List, Vec<ListFault>> {
        let whole = |faults: Vec<String>| faults.into_iter().map(ListFault::from).collect::<Vec<_>>();
        let text = encoding::text(bytes).map_err(|fault| whole(vec![fault]))?;
        let media_type = media_type.to_ascii_lowercase();
        let first = text.trim_start().chars().next();
        let reading = if media_type.contains("json") || matches!(first, Some('{' | '[')) {
            json::read(&text, most)
        } else if media_type.contains("votable") || media_type.contains("xml") || first == Some('<') {
            votable::read(&text, most)
        } else {
            delimited::read(&text, most)
        };
        reading.map_err(whole)?.finish()
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
                    .map(|(_, heading)| excerpt(&heading.name))
                    .filter(|name| !name.is_empty())
                    .take(MAX_UNUSED)
                    .collect(),
            },
            columns,
            most,
            faults: Vec::new(),
            rows: 0,
            faulty: 0,
        })
    }

    /// Of rows that may have each a value for any of [`columns::NAMES`], in that order.
    fn of_objects(most: usize) -> Reading {
        Reading {
            columns: Columns::of_objects(),
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
            (b"RA,DEC\n1,2\n1,\xFF\n", "row 2: DEC \"\u{ff}\""),
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
