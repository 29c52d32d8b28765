//! A binary table as a FITS file (FITS 4.0, section 7.3).

use bytes::{Bytes, BytesMut};

use super::cards::{Cards, NewCard};
use super::header::{BLOCK, Value};
use super::write::{append, empty_primary, push_all, set_date};

/// What stands for an undefined whole number (TNULL).
const NULL: i64 = i64::MIN;

/// A column of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Column<'a> {
    /// TTYPE: letters, digits and underscores.
    pub name: &'static str,
    /// TUNIT, if it has one.
    pub unit: Option<&'a str>,
    /// What it is, as the comment of TTYPE.
    pub meaning: &'static str,
    /// Its values, one a row.
    pub values: Values<'a>,
}

/// The values of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Values<'a> {
    /// 64-bit reals; NaN is undefined.
    Reals(Vec<f64>),
    /// 64-bit whole numbers, or undefined ones.
    Integers(Vec<Option<i64>>),
    /// Text, of which what is not printable ASCII is written `?`.
    Texts(Vec<&'a str>),
}

impl Values<'_> {
    fn len(&self) -> usize {
        match self {
            Values::Reals(values) => values.len(),
            Values::Integers(values) => values.len(),
            Values::Texts(values) => values.len(),
        }
    }

    /// Bytes of a value, and TFORM.
    fn form(&self) -> (usize, String) {
        match self {
            Values::Reals(_) => (8, "D".into()),
            Values::Integers(_) => (8, "K".into()),
            Values::Texts(values) => {
                let widest = values.iter().map(|text| text.chars().count()).max();
                let width = widest.unwrap_or(0).max(1);
                (width, format!("{width}A"))
            }
        }
    }

    fn push(&self, row: usize, width: usize, out: &mut Vec<u8>) {
        match self {
            Values::Reals(values) => out.extend(values[row].to_be_bytes()),
            Values::Integers(values) => out.extend(values[row].unwrap_or(NULL).to_be_bytes()),
            Values::Texts(values) => {
                let end = out.len() + width;
                let printable = |c: char| if (' '..='~').contains(&c) { c as u8 } else { b'?' };
                out.extend(values[row].chars().map(printable));
                out.resize(end, b' ');
            }
        }
    }
}

/// A file of an empty primary and a table named `name`, with `cards` after those of its columns. Rows that not every
/// column has are left out. `date` (ISO 8601, UTC) goes into DATE. Both HDUs have CHECKSUM and DATASUM.
pub fn write_table(name: &str, columns: &[Column<'_>], cards: &[NewCard], date: &str) -> Bytes {
    let rows = columns.iter().map(|column| column.values.len()).min();
    let rows = rows.unwrap_or(0);
    let forms: Vec<_> = columns.iter().map(|column| column.values.form()).collect();
    let width: usize = forms.iter().map(|(width, _)| width).sum();
    let mut data = Vec::with_capacity((rows * width).next_multiple_of(BLOCK));
    for row in 0..rows {
        for (column, (width, _)) in columns.iter().zip(&forms) {
            column.values.push(row, *width, &mut data);
        }
    }
    let mut header = Cards::default();
    let text = |text: &str| Value::Text(text.to_owned());
    header.push("XTENSION", &text("BINTABLE"), "binary table");
    for (keyword, value, comment) in [
        ("BITPIX", 8, "bytes"),
        ("NAXIS", 2, "rows of bytes"),
        ("NAXIS1", width as i64, "bytes of a row"),
        ("NAXIS2", rows as i64, "rows"),
        ("PCOUNT", 0, "no heap"),
        ("GCOUNT", 1, "one group"),
        ("TFIELDS", columns.len() as i64, "columns"),
    ] {
        header.push(keyword, &Value::Integer(value), comment);
    }
    for ((column, (_, form)), number) in columns.iter().zip(&forms).zip(1..) {
        header.push(&format!("TTYPE{number}"), &text(column.name), column.meaning);
        header.push(&format!("TFORM{number}"), &text(form), "");
        if let Some(unit) = column.unit {
            header.push(&format!("TUNIT{number}"), &text(unit), "");
        }
        if matches!(column.values, Values::Integers(_)) {
            header.push(&format!("TNULL{number}"), &Value::Integer(NULL), "undefined");
        }
    }
    header.push("EXTNAME", &text(name), "");
    push_all(&mut header, cards);
    let mut primary = empty_primary(None);
    set_date(&mut primary, date, true);
    let mut parts = Vec::new();
    append(&mut parts, primary, Vec::new());
    append(&mut parts, header, data);
    let mut out = BytesMut::with_capacity(parts.iter().map(Bytes::len).sum());
    for part in parts {
        out.extend_from_slice(&part);
    }
    out.freeze()
}
