//! The cards of an image that its cuts keep, worked out once.

use super::bitpix::Bitpix;
use super::cards::Cards;
use super::header::{self, CARD, Header, Value, name};

/// The EXTNAME of a compressed image that had none.
pub(super) const TABLE_NAME: &str = "COMPRESSED_IMAGE";

/// The cards that stay, and those that tell where the pixels lie.
#[derive(Debug)]
pub(super) struct Kept {
    cards: Cards,
    /// For each axis, the `CRPIXn` of every description and `LTVn`, if they are there or have a default.
    placed: Vec<Vec<(String, f64)>>,
    /// The value of undefined pixels, for images of whole numbers.
    pub(super) blank: Option<i64>,
}

impl Kept {
    /// The cards of the header of HDU `number`, an image of `bitpix` and so many axes.
    pub(super) fn new(header: &Header, number: usize, compressed: bool, bitpix: Bitpix, axes: usize) -> Self {
        let mut cards = Cards::of(header, |name| {
            let is_sum = matches!(name, "CHECKSUM" | "DATASUM");
            !(is_mandatory(name, number) || is_sum || compressed && is_compression(name))
        });
        if compressed {
            cards.0.retain(|card| !is_table_name(card));
        }
        // Compression may have moved it to ZBLANK.
        let moved = if compressed {
            header.integer("ZBLANK")
        } else {
            None
        };
        let blank = header.integer("BLANK").or(moved);
        let whole = !matches!(bitpix, Bitpix::F32 | Bitpix::F64);
        if compressed
            && whole
            && header.integer("BLANK").is_none()
            && let Some(value) = blank
        {
            cards.set("BLANK", &Value::Integer(value), "value of undefined pixels");
        }
        Self {
            cards,
            placed: (1..=axes).map(|axis| placed(header, axis)).collect(),
            blank,
        }
    }

    /// The cards of a cut that takes away `shift` pixels before the first of each axis.
    pub(super) fn shifted(&self, shift: &[i64]) -> Cards {
        let mut cards = self.cards.clone();
        let moved = self.placed.iter().zip(shift).filter(|(_, shift)| **shift != 0);
        for (keywords, shift) in moved {
            for (keyword, old) in keywords {
                // physical = (pixel - LTV) / LTM, so LTV moves alike.
                cards.set(keyword, &Value::Real(old - *shift as f64), "reference pixel");
            }
        }
        cards
    }
}

/// The keywords that place pixels along an axis (from 1), and their values.
fn placed(header: &Header, axis: usize) -> Vec<(String, f64)> {
    let families = ["CRPIX", "CTYPE", "CRVAL", "CDELT"].map(|family| format!("{family}{axis}"));
    let mut found: Vec<(String, f64)> = Vec::new();
    for name in header
        .cards()
        .filter_map(|card| std::str::from_utf8(name(card)).ok())
    {
        for rest in families
            .iter()
            .filter_map(|family| name.strip_prefix(family.as_str()))
        {
            let letter = rest.is_empty() || rest.len() == 1 && rest.bytes().all(|b| b.is_ascii_uppercase());
            let keyword = format!("CRPIX{axis}{rest}");
            if letter && !found.iter().any(|(known, _)| *known == keyword) {
                // An absent CRPIX is 0.
                let old = header.real(&keyword).unwrap_or(0.0);
                found.push((keyword, old));
            }
        }
    }
    let physical = format!("LTV{axis}");
    if let Some(old) = header.real(&physical) {
        found.push((physical, old));
    }
    found
}

/// The cards that say how the data lie, which are written anew.
pub(super) fn is_mandatory(name: &str, hdu: usize) -> bool {
    matches!(name, "SIMPLE" | "XTENSION" | "BITPIX" | "NAXIS")
        || hdu > 0 && matches!(name, "PCOUNT" | "GCOUNT" | "EXTEND")
        || is_indexed(name, &["NAXIS"])
}

/// The cards that belong to the table of tiles (FITS 4.0, sections 7.3 and 10.1).
pub(super) fn is_compression(name: &str) -> bool {
    const ALONE: [&str; 18] = [
        "TFIELDS", "THEAP", "ZIMAGE", "ZCMPTYPE", "ZBITPIX", "ZNAXIS", "ZSIMPLE", "ZTENSION", "ZEXTEND",
        "ZBLOCKED", "ZPCOUNT", "ZGCOUNT", "ZHECKSUM", "ZDATASUM", "ZSCALE", "ZZERO", "ZBLANK", "ZQUANTIZ",
    ];
    const INDEXED: [&str; 12] = [
        "TTYPE", "TFORM", "TUNIT", "TSCAL", "TZERO", "TNULL", "TDISP", "TDIM", "ZNAXIS", "ZTILE", "ZNAME",
        "ZVAL",
    ];
    ALONE.contains(&name) || matches!(name, "ZDITHER0" | "ZMASKCMP") || is_indexed(name, &INDEXED)
}

fn is_indexed(name: &str, families: &[&str]) -> bool {
    families.iter().any(|family| {
        name.strip_prefix(family)
            .is_some_and(|index| !index.is_empty() && index.bytes().all(|b| b.is_ascii_digit()))
    })
}

/// Whether a card is the name that compression gave to its table.
fn is_table_name(card: &[u8; CARD]) -> bool {
    header::name(card) == b"EXTNAME"
        && header::value(std::slice::from_ref(card)) == Some(Value::Text(TABLE_NAME.into()))
}
