//! The bytes of a list as text.

use std::{borrow::Cow, io::Read};

use flate2::read::MultiGzDecoder;

/// Most bytes of a list that came compressed: a small file can stand for a large one.
const MAX_UNPACKED: u64 = 64 << 20;
/// How files begin that hold tables, but no text.
const OTHERS: [(&[u8], &str); 6] = [
    (b"PK\x03\x04", "a ZIP file or a spreadsheet"),
    (b"\xD0\xCF\x11\xE0", "a spreadsheet"),
    (b"SIMPLE  =", "FITS"),
    (b"PAR1", "Parquet"),
    (b"\x89HDF", "HDF5"),
    (b"%PDF", "PDF"),
];

/// The text without its byte order mark: UTF-8, UTF-16 if a mark says so, else Latin-1; or any of them in gzip.
pub fn text(bytes: &[u8]) -> Result<Cow<'_, str>, String> {
    if !bytes.starts_with(b"\x1F\x8B") {
        return decoded(bytes);
    }
    let mut unpacked = Vec::new();
    MultiGzDecoder::new(bytes)
        .take(MAX_UNPACKED + 1)
        .read_to_end(&mut unpacked)
        .map_err(|error| format!("cannot be read as gzip: {error}"))?;
    if unpacked.len() as u64 > MAX_UNPACKED {
        return Err(format!("is gzip of more than {} MiB", MAX_UNPACKED >> 20));
    }
    decoded(&unpacked).map(|text| text.into_owned().into())
}

fn decoded(bytes: &[u8]) -> Result<Cow<'_, str>, String> {
    if let Some((_, what)) = OTHERS.iter().find(|(begin, _)| bytes.starts_with(begin)) {
        return Err(format!("is {what}: expected CSV, VOTable or JSON"));
    }
    if let Some(rest) = bytes.strip_prefix(b"\xFF\xFE") {
        return utf16(rest, u16::from_le_bytes);
    }
    if let Some(rest) = bytes.strip_prefix(b"\xFE\xFF") {
        return utf16(rest, u16::from_be_bytes);
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    // Coordinates are the same in both; only names can have other letters.
    Ok(std::str::from_utf8(bytes).map_or_else(
        |_| bytes.iter().map(|byte| char::from(*byte)).collect(),
        Cow::Borrowed,
    ))
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Cow<'static, str>, String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
    match String::from_utf16(&units) {
        Ok(text) if rest.is_empty() => Ok(text.into()),
        _ => Err("begins as UTF-16, and is not all of it".into()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_text_is_read_however_it_is_written() {
        let text_of = |text: &str, mark: &[u8], unit: fn(u16) -> [u8; 2]| -> Vec<u8> {
            let units = text.encode_utf16().flat_map(unit);
            mark.iter().copied().chain(units).collect()
        };
        let wanted = "RA,DEC,OBJID\n1,2,Röntgen";
        for bytes in [
            wanted.as_bytes().to_vec(),
            [b"\xEF\xBB\xBF", wanted.as_bytes()].concat(),
            text_of(wanted, b"\xFF\xFE", u16::to_le_bytes),
            text_of(wanted, b"\xFE\xFF", u16::to_be_bytes),
            wanted.chars().map(|c| c as u8).collect(),
            packed(wanted.as_bytes()),
            packed(&text_of(wanted, b"\xFF\xFE", u16::to_le_bytes)),
        ] {
            assert_eq!(text(&bytes).unwrap(), wanted);
        }
    }

    #[test]
    fn what_is_no_text_is_named() {
        for (bytes, expected) in [
            (b"PK\x03\x04 xl/workbook.xml".to_vec(), "spreadsheet"),
            (b"SIMPLE  =                    T".to_vec(), "FITS"),
            (b"\xFF\xFER\0A\0,".to_vec(), "UTF-16"),
            (b"\xFF\xFE\x00\xD8".to_vec(), "UTF-16"),
            (b"\x1F\x8B nothing".to_vec(), "gzip"),
            (packed(&vec![b' '; MAX_UNPACKED as usize + 1]), "more than 64 MiB"),
        ] {
            let fault = text(&bytes).expect_err(expected);
            assert!(fault.contains(expected), "{fault} has no {expected:?}");
        }
    }
}
