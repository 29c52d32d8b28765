//! Lists of every form: what is in them is read, what is wrong is named with its row, and whatever else comes ends in a
//! short answer.
//!
//! `PROPTEST_CASES=1000000 cargo test --lib list::hostile` fuzzes for longer.

use proptest::prelude::*;

use super::{List, ListFault, MAX_BANDS, MAX_MESSAGE, MAX_UNUSED, NAMED, excerpt};
use crate::{
    services::cutout::limits::{MAX_OBJID, MAX_WORD, check_size},
    sky::{Position, Shape, Size},
};

/// Most rows of the lists here.
const MOST: usize = 150;
/// Media types of the forms.
const TYPES: [&str; 3] = ["text/csv", "application/x-votable+xml", "application/json"];

/// A value of a row, and what it means if that is anything.
#[derive(Debug, Clone)]
struct Written<T> {
    text: String,
    value: Option<T>,
}

fn good<T>(text: String, value: T) -> Written<T> {
    let value = Some(value);
    Written { text, value }
}

/// A row as it is written; nothing is left out but what may be.
#[derive(Debug, Clone)]
struct Line {
    ra: Written<f64>,
    dec: Written<f64>,
    id: Written<Option<String>>,
    size: Written<Option<Size>>,
    bands: Written<Vec<String>>,
}

impl Line {
    fn is_good(&self) -> bool {
        let Line {
            ra,
            dec,
            id,
            size,
            bands,
        } = self;
        (ra.value.is_some() && dec.value.is_some())
            && (id.value.is_some() && size.value.is_some() && bands.value.is_some())
    }

    /// The same with nothing instead of what is faulty, and some place.
    fn mended(self) -> Line {
        fn or<T>(written: Written<T>, text: &str, value: T) -> Written<T> {
            if written.value.is_some() {
                written
            } else {
                good(text.into(), value)
            }
        }
        Line {
            ra: or(self.ra, "1", 1.0),
            dec: or(self.dec, "2", 2.0),
            id: or(self.id, "", None),
            size: or(self.size, "", None),
            bands: or(self.bands, "", Vec::new()),
        }
    }

    fn texts(&self) -> [&str; 5] {
        [
            &self.ra.text,
            &self.dec.text,
            &self.id.text,
            &self.size.text,
            &self.bands.text,
        ]
        .map(String::as_str)
    }
}

/// A coordinate: decimal in several notations, sexagesimal, or nothing of the kind.
fn coordinate(least: f64, most: f64, unit: f64) -> impl Strategy<Value = Written<f64>> {
    prop_oneof![
        6 => (least..=most).prop_map(|value| good(value.to_string(), value)),
        2 => (least..=most).prop_map(|value| {
            let text = format!("{value:+.6e}");
            let value: f64 = text.parse().expect("a number");
            let value = value.clamp(-f64::MAX, f64::MAX);
            good(text, value)
        }),
        2 => prop::sample::select(vec![least, most, 0.0]).prop_map(|value| good(value.to_string(), value)),
        3 => (0..(most / unit) as u32, 0..60_u32, 0..60_000_u32).prop_map(move |(first, minutes, seconds)| {
            let seconds = f64::from(seconds) / 1e3;
            let value = (f64::from(first) + f64::from(minutes) / 60.0 + seconds / 3600.0) * unit;
            good(format!("{first:02}:{minutes:02}:{seconds:06.3}"), value)
        }),
        1 => prop::sample::select(vec![
            "", "x", "NaN", "inf", "-inf", "1e999", "361", "-91", "1 2 3 4", "12:60:00", "1,5", "0x10", "--1", "é", "٣",
        ])
        .prop_map(|text| Written { text: text.to_owned(), value: None }),
    ]
    // What rounding has carried over the end is out of range.
    .prop_map(move |written| Written {
        value: written.value.filter(|value| (least..=most).contains(value)),
        ..written
    })
}

fn id() -> impl Strategy<Value = Written<Option<String>>> {
    prop_oneof![
        2 => Just(good(String::new(), None)),
        6 => "[A-Za-z0-9 ,;\"'&<>é_.-]{0,20}[A-Za-z0-9é]".prop_map(|text| {
            let text = text.trim().to_owned();
            good(text.clone(), Some(text))
        }),
        1 => (MAX_OBJID + 1..MAX_OBJID + 50).prop_map(|length| Written { text: "x".repeat(length), value: None }),
    ]
}

fn size() -> impl Strategy<Value = Written<Option<Size>>> {
    let unit = prop::sample::select(vec!["", "arcsec", "arcmin", "px"]);
    prop_oneof![
        2 => Just(good(String::new(), None)),
        4 => (1..600_u32, unit.clone()).prop_map(|(side, unit)| {
            let text = format!("{side}{unit}");
            let size = text.parse().expect("a size");
            good(text, Some(size))
        }),
        2 => (1..600_u32, 1..600_u32, unit).prop_map(|(width, height, unit)| {
            let text = format!("{width},{height}{unit}");
            let size = text.parse().expect("a size");
            good(text, Some(size))
        }),
        1 => prop::sample::select(vec!["0", "-1", "x", "1e9", "11deg", "20001px", "1.5px", "nan", "1,2,3", "5 parsec"])
            .prop_map(|text| Written { text: text.to_owned(), value: None }),
    ]
}

fn bands() -> impl Strategy<Value = Written<Vec<String>>> {
    let names = prop::collection::vec("[A-Za-z0-9]{1,6}", 0..4);
    prop_oneof![
        9 => (names, prop::sample::select(vec![" ", ";", "|", "; "])).prop_map(|(names, between)| {
            good(names.join(between), names)
        }),
        1 => Just(Written { text: "b ".repeat(MAX_BANDS).trim().to_owned() + " b", value: None }),
    ]
}

fn line() -> impl Strategy<Value = Line> {
    (
        coordinate(0.0, 360.0, 15.0),
        coordinate(-90.0, 90.0, 1.0),
        id(),
        size(),
        bands(),
    )
        .prop_map(|(ra, dec, id, size, bands)| Line {
            ra,
            dec,
            id,
            size,
            bands,
        })
        .prop_map(|mut line| {
            // Of a text, such a line is no row.
            if line.texts().iter().all(|text| text.is_empty()) {
                line.ra.text = "x".into();
            }
            line
        })
}

/// Lines, mostly without faults, in a form (its place in [`TYPES`]), and how they are laid out.
fn lists() -> impl Strategy<Value = (Vec<Line>, usize, Layout)> {
    let lines = prop_oneof![
        3 => prop::collection::vec(line().prop_map(Line::mended), 0..12),
        3 => prop::collection::vec(line(), 0..12),
        1 => (line(), line(), 0..MOST + 20).prop_map(|(one, other, count)| {
            (0..count).map(|at| if at % 7 == 3 { one.clone() } else { other.clone() }).collect()
        }),
    ];
    (lines, 0..TYPES.len(), layout())
}

/// How a list is laid out, which makes no difference.
#[derive(Debug, Clone)]
struct Layout {
    /// The order of the columns.
    order: Vec<usize>,
    /// In which letters they are named.
    upper: bool,
    /// Whether there is a column that means nothing.
    unused: bool,
    /// Spaces around values, blank lines, ends of lines.
    spaces: String,
    blank: bool,
    end: &'static str,
    /// What comes first: perhaps a byte order mark.
    mark: &'static str,
}

fn layout() -> impl Strategy<Value = Layout> {
    let order = Just((0..5).collect::<Vec<usize>>()).prop_shuffle();
    (
        order,
        any::<bool>(),
        any::<bool>(),
        "[ \t]{0,3}",
        any::<bool>(),
        prop::sample::select(vec!["\n", "\r\n"]),
        prop::sample::select(vec!["", "\u{feff}"]),
    )
        .prop_map(|(order, upper, unused, spaces, blank, end, mark)| Layout {
            order,
            upper,
            unused,
            spaces,
            blank,
            end,
            mark,
        })
}

impl Layout {
    fn names(&self) -> Vec<String> {
        let names = ["ra", "dec", "objid", "size", "bands"];
        let named = self.order.iter().map(|at| names[*at]);
        let cased = |name: &str| {
            if self.upper {
                name.to_uppercase()
            } else {
                name.to_owned()
            }
        };
        named.chain(self.unused.then_some("note")).map(cased).collect()
    }

    fn values<'a>(&self, line: &'a Line) -> Vec<&'a str> {
        let texts = line.texts();
        let ordered = self.order.iter().map(|at| texts[*at]);
        ordered.chain(self.unused.then_some("1")).collect()
    }

    fn write(&self, lines: &[Line], form: usize) -> String {
        let text = match form {
            0 => self.csv(lines),
            1 => self.votable(lines),
            _ => self.json(lines),
        };
        format!("{}{text}", self.mark)
    }

    fn csv(&self, lines: &[Line]) -> String {
        let (spaces, end) = (self.spaces.as_str(), &self.end);
        let quoted = |value: &&str| {
            if value.contains([',', '"']) {
                format!("{spaces}\"{}\"", value.replace('"', "\"\""))
            } else {
                format!("{spaces}{value}{spaces}")
            }
        };
        let mut text = self.names().join(",") + end;
        for line in lines {
            let values: Vec<String> = self.values(line).iter().map(quoted).collect();
            text += &values.join(",");
            text += end;
            if self.blank {
                text.extend([spaces, *end]);
            }
        }
        text
    }

    fn votable(&self, lines: &[Line]) -> String {
        let (spaces, end) = (self.spaces.as_str(), &self.end);
        let mut text = format!("<VOTABLE>{end}<RESOURCE><TABLE>");
        for name in self.names() {
            text.extend(["<FIELD name=\"", &name, "\" datatype=\"char\"/>", *end]);
        }
        text += "<DATA><TABLEDATA>";
        for line in lines {
            text += "<TR>";
            for value in self.values(line) {
                let value = quick_xml::escape::escape(value);
                match (&*value, self.blank) {
                    ("", true) => text.push_str("<TD/>"),
                    (value, _) => text.extend(["<TD>", spaces, value, spaces, "</TD>"]),
                }
            }
            text.extend(["</TR>", *end]);
        }
        text + "</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"
    }

    fn json(&self, lines: &[Line]) -> String {
        let (names, Layout { spaces, .. }) = (self.names(), self);
        let text = |value: &str| serde_json::Value::from(format!("{spaces}{value}{spaces}"));
        if self.blank {
            let rows = lines.iter().map(|line| {
                let pairs = names.iter().cloned().zip(self.values(line).into_iter().map(text));
                serde_json::Value::Object(pairs.collect())
            });
            return serde_json::Value::Array(rows.collect()).to_string();
        }
        let rows: Vec<Vec<serde_json::Value>> = lines
            .iter()
            .map(|line| self.values(line).into_iter().map(text).collect())
            .collect();
        serde_json::json!({ "columns": names, "rows": rows }).to_string()
    }
}

/// What holds of every answer, whatever was asked.
fn check_answer(answer: &Result<List, Vec<ListFault>>) -> Result<(), TestCaseError> {
    let list = match answer {
        Ok(list) => list,
        Err(faults) => {
            prop_assert!((1..=NAMED + 1).contains(&faults.len()), "{} faults", faults.len());
            let rows: Vec<usize> = faults.iter().filter_map(|fault| fault.row).collect();
            prop_assert!(rows.is_sorted_by(|a, b| a < b), "{rows:?}");
            for fault in faults {
                let length = fault.message.chars().count();
                prop_assert!((1..=MAX_MESSAGE).contains(&length), "{length} characters");
                if let Some(row) = fault.row {
                    prop_assert!((1..=MOST).contains(&row));
                    let begin = format!("row {row}: ");
                    prop_assert!(fault.message.starts_with(&begin), "{}", fault.message);
                }
            }
            return Ok(());
        }
    };
    prop_assert!((1..=MOST).contains(&list.rows.len()), "{} rows", list.rows.len());
    prop_assert!(list.unused.len() <= MAX_UNUSED);
    prop_assert!(list.unused.iter().all(|name| excerpt(name) == *name));
    for row in &list.rows {
        let Shape::Point(Position { ra, dec }) = row.shape else {
            return Err(TestCaseError::fail(format!("{:?}", row.shape)));
        };
        prop_assert!(
            (0.0..=360.0).contains(&ra) && (-90.0..=90.0).contains(&dec),
            "{ra} {dec}"
        );
        prop_assert!(
            row.size.is_none_or(|size| check_size(size).is_ok()),
            "{:?}",
            row.size
        );
        prop_assert!(row.bands.len() <= MAX_BANDS);
        prop_assert!(row.bands.iter().all(|band| (1..=MAX_WORD).contains(&band.len())));
        if let Some(id) = &row.id {
            prop_assert!((1..=MAX_OBJID).contains(&id.chars().count()), "{id:?}");
            prop_assert!(!id.chars().any(char::is_control) && id.trim() == id, "{id:?}");
        }
        prop_assert!(row.name().chars().count() <= MAX_OBJID);
    }
    Ok(())
}

/// Pieces of lists, which make others when they are put where they do not belong.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            ",",
            "\n",
            "\r",
            "\"",
            "\"\"",
            " ",
            "\t",
            "RA",
            "DEC",
            "OBJID",
            "SIZE",
            "XSIZE",
            "YSIZE",
            "BANDS",
            "[",
            "]",
            "{",
            "}",
            ":",
            "null",
            "true",
            "\"ra\"",
            "\"columns\"",
            "\"rows\"",
            "<",
            ">",
            "<TD>",
            "</TD>",
            "<TR>",
            "</TR>",
            "<TD/>",
            "<TABLE>",
            "</TABLE>",
            "<TABLEDATA>",
            "</TABLEDATA>",
            "<FIELD name='x'/>",
            "<!--",
            "-->",
            "<![CDATA[",
            "]]>",
            "&amp;",
            "&#0;",
            "&#x110000;",
            "&x;",
            "<!DOCTYPE x [<!ENTITY x 'y'>]>",
            "<?xml version='1.0'?>",
            "\u{0}",
            "\u{feff}",
            "\u{2212}",
            "1e308",
            "-1e308",
            "NaN",
            "1e-320",
            "12h30m",
            "'",
            "°",
            "px",
            "deg",
            "1,1",
        ])
        .prop_map(str::to_owned),
        "[0-9.:+-]{1,8}",
        any::<char>().prop_map(String::from),
    ]
}

/// One change to a list.
#[derive(Debug, Clone)]
enum Change {
    Put(prop::sample::Index, String),
    /// A piece so many times.
    Flood(prop::sample::Index, String, usize),
    Byte(prop::sample::Index, u8),
    Cut(prop::sample::Index, prop::sample::Index),
    Repeat(prop::sample::Index, prop::sample::Index, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        8 => (index(), piece()).prop_map(|(at, piece)| Change::Put(at, piece)),
        1 => (index(), piece(), 1..5_000_usize).prop_map(|(at, piece, count)| Change::Flood(at, piece, count)),
        4 => (index(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        3 => (index(), index()).prop_map(|(from, to)| Change::Cut(from, to)),
        2 => (index(), index(), 1..300_usize).prop_map(|(from, to, count)| Change::Repeat(from, to, count)),
    ]
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    let span = |bytes: &[u8], from: &prop::sample::Index, to: &prop::sample::Index| {
        let (from, to) = (from.index(bytes.len() + 1), to.index(bytes.len() + 1));
        from.min(to)..from.max(to)
    };
    match change {
        Change::Put(at, piece) => {
            let at = at.index(bytes.len() + 1);
            bytes.splice(at..at, piece.bytes());
        }
        Change::Flood(at, piece, count) => {
            let at = at.index(bytes.len() + 1);
            bytes.splice(at..at, piece.repeat(*count).into_bytes());
        }
        Change::Byte(at, byte) => {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
        }
        Change::Cut(from, to) => drop(bytes.drain(span(bytes, from, to))),
        Change::Repeat(from, to, count) => {
            let part = bytes[span(bytes, from, to)].to_vec();
            let count = (200_000 / part.len().max(1)).min(*count);
            bytes.extend(part.repeat(count));
        }
    }
}

proptest! {
    /// Every form says the same, and faults have the numbers of their rows.
    #[test]
    fn what_is_written_is_read((lines, form, layout) in lists()) {
        let text = layout.write(&lines, form);
        for media_type in [TYPES[form], ""] {
            let answer = List::read(text.as_bytes(), media_type, MOST);
            check_answer(&answer)?;
            let faulty: Vec<usize> = (1..=lines.len()).filter(|row| !lines[row - 1].is_good()).collect();
            if lines.is_empty() || lines.len() > MOST {
                let faults = answer.expect_err("nothing, or too much");
                let expected = if lines.is_empty() { "is empty" } else { "more than 150 rows" };
                prop_assert!(faults[0].message.contains(expected) && faults[0].row.is_none(), "{:?}", faults);
            } else if faulty.is_empty() {
                let list = answer.map_err(|faults| TestCaseError::fail(format!("{faults:?} of {text}")))?;
                prop_assert_eq!(list.rows.len(), lines.len());
                for (row, line) in list.rows.iter().zip(&lines) {
                    let Shape::Point(at) = row.shape else { panic!("no point") };
                    let (ra, dec) = (line.ra.value.expect("good"), line.dec.value.expect("good"));
                    prop_assert!((at.ra - ra).abs() < 1e-9 && (at.dec - dec).abs() < 1e-9, "{:?} of {:?}", at, line);
                    prop_assert_eq!(Some(&row.id), line.id.value.as_ref());
                    prop_assert_eq!(Some(row.size), line.size.value);
                    prop_assert_eq!(Some(&row.bands), line.bands.value.as_ref());
                }
                prop_assert_eq!(list.unused.len(), usize::from(layout.unused));
            } else {
                let faults = answer.expect_err("faulty rows");
                let named: Vec<usize> = faults.iter().filter_map(|fault| fault.row).collect();
                prop_assert_eq!(&named[..], &faulty[..faulty.len().min(NAMED)]);
                if faulty.len() > NAMED {
                    let more = format!("{} more rows are faulty", faulty.len() - NAMED);
                    prop_assert_eq!(&faults[NAMED].message, &more);
                }
            }
        }
    }

    /// Whatever bytes come, under whatever name, the answer is short and what it takes is in range.
    #[test]
    fn no_bytes_bring_it_down(
        (lines, form, layout) in lists(),
        changes in prop::collection::vec(change(), 1..6),
        media_type in prop::sample::select(vec![TYPES[0], TYPES[1], TYPES[2], "", "image/fits"]),
    ) {
        let mut bytes = layout.write(&lines, form).into_bytes();
        for change in &changes {
            apply(&mut bytes, change);
        }
        check_answer(&List::read(&bytes, media_type, MOST))?;
        check_answer(&List::read(&bytes, TYPES[form], MOST))?;
    }

    /// Nothing but pieces.
    #[test]
    fn no_pieces_bring_it_down(pieces in prop::collection::vec(piece(), 0..60), form in 0..TYPES.len()) {
        let text = pieces.concat();
        check_answer(&List::read(text.as_bytes(), TYPES[form], MOST))?;
        check_answer(&List::read(format!("RA,DEC,OBJID,XSIZE\n{text}").as_bytes(), "", MOST))?;
        let table = "<VOTABLE><TABLE><FIELD name='ra'/><FIELD name='dec'/><DATA><TABLEDATA>";
        check_answer(&List::read(format!("{table}{text}").as_bytes(), "", MOST))?;
        check_answer(&List::read(format!(r#"[{{"ra": 1, "dec": 2}}, {text}]"#).as_bytes(), "", MOST))?;
    }
}
