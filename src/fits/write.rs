//! Assembling a FITS file from cutouts.

use bytes::{Bytes, BytesMut};

use super::area::{Edge, Region};
use super::bitpix::Bitpix;
use super::cards::{Cards, NewCard, card};
use super::checksum;
use super::compress::{self, Packed};
use super::cut::Cut;
use super::error::FitsError;
use super::file::File;
use super::hdu::{Hdu, Kind};
use super::header::{BLOCK, CARD, Header, Value, has_value, name};
use super::kept::is_mandatory;

/// How the images of a file are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Packing {
    /// Their pixels as they are.
    #[default]
    Plain,
    /// Compressed in tiles, without loss, each in a table: the file of the plain ones is what `funpack` makes of it. 64-bit
    /// whole numbers stay as they are.
    Tiled,
}

/// A FITS file of cuts from `file`, each with cards of its provenance, which come after its own.
///
/// Layout: a cut of the source's primary stays the primary, cuts of extensions are IMAGE extensions, in the
/// order of the source. Without a cut of the primary the file begins with the source's own primary if that
/// is empty (its cards kept), else with one of the mandatory cards alone. `date` (ISO 8601, UTC) goes into
/// DATE of the first HDU and of every HDU that has it. Every HDU has CHECKSUM and DATASUM. An image that is
/// compressed is no primary: a bare one comes before it.
///
/// Copies and sums all pixels: for large cuts call it off the asynchronous runtime.
pub fn write(file: &File, cuts: Vec<(Cut, Vec<NewCard>)>, date: &str, packing: Packing) -> Bytes {
    let parts = write_parts(file, cuts, date, packing);
    let mut out = BytesMut::with_capacity(parts.iter().map(Bytes::len).sum());
    for part in parts {
        out.extend_from_slice(&part);
    }
    out.freeze()
}

/// The file that [`write`] makes, in parts that follow one another: pixels stay where they are.
pub fn write_parts(file: &File, cuts: Vec<(Cut, Vec<NewCard>)>, date: &str, packing: Packing) -> Vec<Bytes> {
    let mut out = Vec::with_capacity(2 * cuts.len() + 1);
    for (cards, data) in units(file, cuts, date, packing) {
        append(&mut out, cards, data);
    }
    out
}

/// Bytes of the file that [`write`] would make of regions of `file`, each with the number of its HDU, their pixels as they
/// are. No pixel is read. An error if there is nothing to cut.
pub fn written_size(
    file: &File,
    regions: &[(usize, &Region)],
    edge: Edge,
    provenance: impl Fn(&Cut) -> Vec<NewCard>,
) -> Result<u64, FitsError> {
    let mut size = 0_u64;
    let mut cuts = Vec::with_capacity(regions.len());
    for (number, region) in regions {
        let Some(hdu) = file.hdus().get(*number) else {
            return Err(FitsError::NotAnImage { hdu: *number });
        };
        let (cut, pixels) = Cut::unread(hdu, region, edge)?;
        size = size.saturating_add(pixels.div_ceil(BLOCK as u64).saturating_mul(BLOCK as u64));
        let cards = provenance(&cut);
        cuts.push((cut, cards));
    }
    let headers = units(file, cuts, DATE, Packing::Plain).into_iter();
    let headers = headers.map(|(cards, _)| ((cards.0.len() + ADDED) * CARD).next_multiple_of(BLOCK));
    Ok(size.saturating_add(headers.sum::<usize>() as u64))
}

/// Any date is as long as another.
const DATE: &str = "2000-01-01T00:00:00";
/// Cards that [`append`] adds: the sums, and END.
const ADDED: usize = 3;

/// The headers of the HDUs but for sums and END, and their pixels.
fn units(
    file: &File,
    mut cuts: Vec<(Cut, Vec<NewCard>)>,
    date: &str,
    packing: Packing,
) -> Vec<(Cards, Vec<u8>)> {
    cuts.sort_by_key(|(cut, _)| cut.hdu);
    let mut out = Vec::with_capacity(cuts.len() + 1);
    if cuts.first().is_none_or(|(cut, _)| cut.hdu > 0) {
        let mut cards = empty_primary(file.hdus().first());
        set_date(&mut cards, date, true);
        out.push((cards, Vec::new()));
    }
    for (cut, provenance) in cuts {
        let first = out.is_empty();
        let source = file.hdus().get(cut.hdu).map(Hdu::header);
        let mandatory = mandatory(&cut, source, first);
        let packed = match packing {
            Packing::Plain => None,
            Packing::Tiled => compress::packed(&cut, &mandatory),
        };
        let (mut cards, own, data) = match packed {
            None => (mandatory, cut.cards, cut.data),
            Some(Packed { cards, data }) => (cards, compress::kept(&cut.cards), data),
        };
        if first && is_table(&cards) {
            out.push((empty_primary(None), Vec::new()));
        }
        cards.0.extend_from_slice(&own.0);
        set_date(&mut cards, date, first);
        push_all(&mut cards, &provenance);
        out.push((cards, data));
    }
    out
}

fn is_table(cards: &Cards) -> bool {
    cards.0.first().is_some_and(|card| name(card) == b"XTENSION")
}

/// Adds cards, whose text may be continued.
pub(super) fn push_all(cards: &mut Cards, new: &[NewCard]) {
    let own = cards.0.len();
    for card in new {
        cards.push(&card.keyword, &card.value, &card.comment);
    }
    let continued = cards.0[own..].iter().any(|card| name(card) == b"CONTINUE");
    // Checkers of files from before FITS 4.0 want that announced.
    if continued && !cards.0.iter().any(|card| name(card) == b"LONGSTRN") {
        let value = Value::Text("OGIP 1.0".into());
        cards.push("LONGSTRN", &value, "text may be continued");
    }
}

pub(super) fn set_date(cards: &mut Cards, date: &str, first: bool) {
    let value = Value::Text(date.into());
    if first {
        cards.set("DATE", &value, "UTC, when this file was made");
    } else {
        cards.change("DATE", &value);
    }
}

/// The primary that only carries cards.
pub(super) fn empty_primary(source: Option<&Hdu>) -> Cards {
    let mut cards = Cards::default();
    let source = source.filter(|hdu| hdu.kind() == Kind::Empty);
    let header = source.map(Hdu::header);
    let bitpix = source.map_or(Bitpix::U8, Hdu::bitpix);
    keep_or_make(
        &mut cards,
        header,
        "SIMPLE",
        &Value::Logical(true),
        "conforms to the FITS standard",
    );
    keep_or_make(
        &mut cards,
        header,
        "BITPIX",
        &Value::Integer(bitpix.code()),
        "bits per value",
    );
    keep_or_make(&mut cards, header, "NAXIS", &Value::Integer(0), "no data");
    if let Some(header) = header {
        let rest = Cards::of(header, |name| {
            !is_mandatory(name, 0) && !matches!(name, "CHECKSUM" | "DATASUM")
        });
        cards.0.extend(rest.0);
    } else {
        cards.push("EXTEND", &Value::Logical(true), "extensions follow");
    }
    cards
}

/// The mandatory cards of a cut, in their order (FITS 4.0, sections 4.4.1 and 7.1).
fn mandatory(cut: &Cut, source: Option<&Header>, primary: bool) -> Cards {
    let mut cards = Cards::default();
    // The table that a compressed image lies in has comments of its own.
    let source = source.filter(|header| header.text("XTENSION").is_none_or(|kind| kind != "BINTABLE"));
    if primary {
        keep_or_make(
            &mut cards,
            source,
            "SIMPLE",
            &Value::Logical(true),
            "conforms to the FITS standard",
        );
    } else {
        keep_or_make(
            &mut cards,
            source,
            "XTENSION",
            &Value::Text("IMAGE".into()),
            "image extension",
        );
    }
    keep_or_make(
        &mut cards,
        source,
        "BITPIX",
        &Value::Integer(cut.bitpix.code()),
        "bits per pixel",
    );
    keep_or_make(
        &mut cards,
        source,
        "NAXIS",
        &Value::Integer(cut.shape.len() as i64),
        "number of axes",
    );
    for (at, length) in cut.shape.iter().enumerate() {
        let (keyword, comment) = (format!("NAXIS{}", at + 1), format!("length of axis {}", at + 1));
        keep_or_make(
            &mut cards,
            source,
            &keyword,
            &Value::Integer(*length as i64),
            &comment,
        );
    }
    if !primary {
        keep_or_make(&mut cards, source, "PCOUNT", &Value::Integer(0), "no parameters");
        keep_or_make(&mut cards, source, "GCOUNT", &Value::Integer(1), "one group");
    }
    cards
}

/// The card of the source with this value, or a new one.
fn keep_or_make(cards: &mut Cards, source: Option<&Header>, keyword: &str, value: &Value, comment: &str) {
    let old = source.and_then(|header| {
        header
            .cards()
            .find(|card| name(card) == keyword.as_bytes() && has_value(card))
    });
    match old {
        Some(old) => {
            let mut card = Cards(vec![*old]);
            card.change(keyword, value);
            cards.0.append(&mut card.0);
        }
        None => cards.push(keyword, value, comment),
    }
}

/// What [`write`] writes before the pixels of each cut, which they come without and whose sums are `sums`; both in the order
/// of the source.
pub(super) fn heads(file: &File, cuts: Vec<(Cut, Vec<NewCard>)>, sums: &[u32], date: &str) -> Vec<Bytes> {
    let mut units = units(file, cuts, date, Packing::Plain);
    let before = units.len().saturating_sub(sums.len());
    let bare: Vec<Bytes> = units.drain(..before).map(|(cards, _)| head(cards, 0)).collect();
    let mut out: Vec<Bytes> = units
        .into_iter()
        .zip(sums)
        .map(|((cards, _), sum)| head(cards, *sum))
        .collect();
    if let (Some(first), false) = (out.first_mut(), bare.is_empty()) {
        *first = [&bare.concat()[..], first].concat().into();
    }
    out
}

/// Adds an HDU with its sums.
pub(super) fn append(out: &mut Vec<Bytes>, cards: Cards, mut data: Vec<u8>) {
    out.push(head(cards, checksum::sum(0, &data)));
    if data.is_empty() {
        return;
    }
    let padding = data.len().next_multiple_of(BLOCK) - data.len();
    if data.capacity() - data.len() >= padding {
        data.resize(data.len() + padding, 0);
        out.push(data.into());
    } else {
        out.extend([data.into(), Bytes::from_static(&[0; BLOCK]).slice(..padding)]);
    }
}

/// The header of an HDU whose data have this sum, with its own.
fn head(mut cards: Cards, sum: u32) -> Bytes {
    cards.push("DATASUM", &Value::Text(sum.to_string()), "data unit checksum");
    cards.push("CHECKSUM", &Value::Text("0".repeat(16)), "HDU checksum");
    let at = (cards.0.len() - 1) * CARD + 11;
    cards.0.push(card(b"END"));
    let mut header = Vec::with_capacity((cards.0.len() * CARD).next_multiple_of(BLOCK));
    header.extend_from_slice(cards.0.as_flattened());
    header.resize(header.len().next_multiple_of(BLOCK), b' ');
    let total = checksum::sum(sum, &header);
    header[at..at + 16].copy_from_slice(&checksum::encode(!total));
    header.into()
}
