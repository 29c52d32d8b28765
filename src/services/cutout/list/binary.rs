//! Rows of a `VOTable` as BINARY and BINARY2 (`VOTable` 1.4, sections 5.3 and 5.4).

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// How the values of a field are written.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    kind: Kind,
    /// How many values there are; each row tells if it is `None`.
    count: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Logical,
    Bit,
    Byte,
    Short,
    Int,
    Long,
    Char,
    UnicodeChar,
    Float,
    Double,
    FloatComplex,
    DoubleComplex,
}

impl Layout {
    /// By the attributes `datatype` and `arraysize`; `None` if they are none of the standard's, or rows of arrays.
    pub fn of(datatype: &str, arraysize: &str) -> Option<Layout> {
        let kind = match datatype {
            "boolean" => Kind::Logical,
            "bit" => Kind::Bit,
            "unsignedByte" => Kind::Byte,
            "short" => Kind::Short,
            "int" => Kind::Int,
            "long" => Kind::Long,
            "char" => Kind::Char,
            "unicodeChar" => Kind::UnicodeChar,
            "float" => Kind::Float,
            "double" => Kind::Double,
            "floatComplex" => Kind::FloatComplex,
            "doubleComplex" => Kind::DoubleComplex,
            _ => return None,
        };
        let count = match arraysize {
            "" => Some(1),
            varying if varying.ends_with('*') && !varying.contains('x') => None,
            fixed => Some(fixed.split('x').try_fold(1_usize, |product, side| {
                product.checked_mul(side.trim().parse().ok()?)
            })?),
        };
        Some(Layout { kind, count })
    }

    /// Takes a value of a row.
    fn take<'a>(self, rest: &mut &'a [u8]) -> Option<&'a [u8]> {
        let count = if let Some(count) = self.count {
            count
        } else {
            let (length, below) = rest.split_first_chunk()?;
            *rest = below;
            usize::try_from(i32::from_be_bytes(*length)).ok()?
        };
        let bytes = match self.kind {
            Kind::Bit => count.div_ceil(8),
            Kind::Logical | Kind::Byte | Kind::Char => count,
            Kind::Short | Kind::UnicodeChar => count.checked_mul(2)?,
            Kind::Int | Kind::Float => count.checked_mul(4)?,
            Kind::Long | Kind::Double | Kind::FloatComplex => count.checked_mul(8)?,
            Kind::DoubleComplex => count.checked_mul(16)?,
        };
        let (value, below) = rest.split_at_checked(bytes)?;
        *rest = below;
        Some(value)
    }

    /// A value as TABLEDATA would have it; nothing of what no column of a list is.
    fn text(self, value: &[u8]) -> String {
        fn each<const N: usize>(value: &[u8], text: impl Fn([u8; N]) -> String) -> String {
            let (values, _) = value.as_chunks::<N>();
            values.iter().map(|one| text(*one)).collect::<Vec<_>>().join(" ")
        }
        match self.kind {
            Kind::Byte => each(value, |[one]: [u8; 1]| one.to_string()),
            Kind::Short => each(value, |one| i16::from_be_bytes(one).to_string()),
            Kind::Int => each(value, |one| i32::from_be_bytes(one).to_string()),
            Kind::Long => each(value, |one| i64::from_be_bytes(one).to_string()),
            Kind::Float => each(value, |one| f32::from_be_bytes(one).to_string()),
            Kind::Double => each(value, |one| f64::from_be_bytes(one).to_string()),
            Kind::Char => {
                let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
                String::from_utf8_lossy(&value[..end]).into_owned()
            }
            Kind::UnicodeChar => {
                let (units, _) = value.as_chunks::<2>();
                let units = units.iter().map(|unit| u16::from_be_bytes(*unit));
                let units: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
                String::from_utf16_lossy(&units)
            }
            Kind::Logical | Kind::Bit | Kind::FloatComplex | Kind::DoubleComplex => String::new(),
        }
    }
}

/// Calls `row` with the texts of each row's values: of columns that are not `used`, and of those that are null, nothing.
/// `flagged` rows (BINARY2) say first which values are null.
pub fn rows(
    stream: &str,
    layouts: &[Layout],
    used: &[usize],
    flagged: bool,
    mut row: impl FnMut(&[&str]) -> Result<(), Vec<String>>,
) -> Result<(), Vec<String>> {
    let stream: String = stream.split_ascii_whitespace().collect();
    let bytes = STANDARD
        .decode(stream)
        .map_err(|error| vec![format!("has a STREAM that is no base64: {error}")])?;
    let mut rest = &bytes[..];
    let mut number = 0_usize;
    while !rest.is_empty() {
        number += 1;
        let ends = || vec![format!("ends within row {number} of the STREAM")];
        let mut nulls: &[u8] = &[];
        if flagged {
            let flags = rest.split_at_checked(layouts.len().div_ceil(8));
            (nulls, rest) = flags.ok_or_else(ends)?;
        }
        let mut texts = vec![String::new(); layouts.len()];
        for (at, layout) in layouts.iter().enumerate() {
            let value = layout.take(&mut rest).ok_or_else(ends)?;
            let is_null = nulls
                .get(at / 8)
                .is_some_and(|flags| flags & (0x80 >> (at % 8)) != 0);
            if used.contains(&at) && !is_null {
                texts[at] = layout.text(value);
            }
        }
        row(&texts.iter().map(String::as_str).collect::<Vec<_>>())?;
    }
    Ok(())
}
