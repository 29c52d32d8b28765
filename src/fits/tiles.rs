//! The table of a tile-compressed image: what its header says of it, and its rows, read as they are needed
//! (FITS 4.0, sections 7.3 and 10.1).

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use super::bitpix::Bitpix;
use super::cards::card as card_of;
use super::error::FitsError;
use super::header::{CARD, Header, Value, has_value, name, value};
use super::source::{self, Source};

/// Longer rows are not those of a table of tiles.
const LONGEST_ROW: u64 = 4096;
/// Rows are read and kept in blocks of about this size.
const BLOCK_BYTES: u64 = 64 * 1024;
/// Kept blocks of one image; beyond, they are dropped and read again.
const MOST_KEPT: usize = 512;

/// What the header of a compressed image says of its tiles.
#[derive(Debug)]
pub(super) struct Tiles {
    /// Pixels of a whole tile, NAXIS1 first.
    pub(super) tile: Vec<u64>,
    /// The columns whose cells lie in the heap.
    pub(super) heap_columns: Vec<HeapColumn>,
    /// Bytes of a row.
    pub(super) row_bytes: u64,
    /// The number that dithering of the first tile starts from.
    pub(super) dither: i64,
    /// Whether the tiles are whole numbers and coded by `GZIP_1`.
    gzip_1: bool,
    /// The cards that a decoder needs besides sizes, verbatim.
    pub(super) cards: Vec<[u8; CARD]>,
    rows: Range<u64>,
    heap: Range<u64>,
    kept: Mutex<HashMap<u64, Bytes>>,
}

/// A column of variable-length arrays.
#[derive(Debug, Clone)]
pub(super) struct HeapColumn {
    pub(super) name: String,
    /// Where its descriptor is in a row.
    pub(super) at: usize,
    /// Whether the descriptor has 64-bit numbers.
    pub(super) wide: bool,
    /// Bytes of an element.
    pub(super) element: u64,
}

impl HeapColumn {
    /// Bytes of the descriptor.
    pub(super) fn width(&self) -> usize {
        if self.wide { 16 } else { 8 }
    }
}

impl Tiles {
    /// Reads the description out of a compressed image's header. `bitpix` and `shape` are the image's, before
    /// compression; `data` is where the table lies in the file.
    pub(super) fn new(
        header: &Header,
        bitpix: Bitpix,
        shape: &[u64],
        data: Range<u64>,
    ) -> Result<Self, String> {
        let codec = header.text("ZCMPTYPE").ok_or("ZCMPTYPE is missing")?;
        let codec = if codec == RICE_ONE { RICE.into() } else { codec };
        let tile: Vec<u64> = (1..=shape.len())
            .map(|axis| {
                let keyword = format!("ZTILE{axis}");
                let default = if axis == 1 { shape[0] } else { 1 };
                if header.value(&keyword).is_none() {
                    return Ok(default);
                }
                let length = header
                    .integer(&keyword)
                    .and_then(|n| u64::try_from(n).ok())
                    .filter(|n| *n > 0);
                length.ok_or(format!("{keyword} is not a whole number above 0"))
            })
            .collect::<Result<_, _>>()?;
        let count = shape
            .iter()
            .zip(&tile)
            .map(|(length, tile)| length.div_ceil(*tile))
            .try_fold(1_u64, u64::checked_mul)
            .ok_or("too many tiles")?;
        let (row_bytes, rows) = (number(header, "NAXIS1")?, number(header, "NAXIS2")?);
        if rows != count {
            return Err(format!("its table has {rows} rows for {count} tiles"));
        }
        if row_bytes > LONGEST_ROW {
            return Err(format!("its rows have {row_bytes} bytes, {LONGEST_ROW} are read"));
        }
        let table = row_bytes
            .checked_mul(rows)
            .filter(|table| *table <= data.end - data.start);
        let table = table.ok_or("its rows lie beyond the data")?;
        let theap = if header.value("THEAP").is_none() {
            table
        } else {
            number(header, "THEAP")?
        };
        let heap = data
            .start
            .checked_add(theap)
            .filter(|start| *start <= data.end)
            .ok_or("THEAP lies beyond the data")?;
        let dither = header.integer("ZDITHER0").unwrap_or(1);
        let whole = !matches!(bitpix, Bitpix::F32 | Bitpix::F64);
        Ok(Self {
            tile,
            heap_columns: heap_columns(header, row_bytes)?,
            row_bytes,
            dither,
            gzip_1: whole && codec.trim() == "GZIP_1",
            cards: decoders_cards(header, !whole && codec.trim() == "NOCOMPRESS"),
            rows: data.start..data.start + table,
            heap: heap..data.end,
            kept: Mutex::new(HashMap::new()),
        })
    }

    /// The rows of `tiles` (0-based, ascending), from those kept or from the file.
    pub(super) async fn rows(&self, file: &dyn Source, tiles: &[u64]) -> Result<Vec<Bytes>, FitsError> {
        if self.row_bytes == 0 {
            return Ok(vec![Bytes::new(); tiles.len()]);
        }
        let per_block = self.block_rows();
        let mut blocks: Vec<u64> = tiles.iter().map(|tile| tile / per_block).collect();
        blocks.dedup();
        let mut held: HashMap<u64, Bytes> = {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            blocks
                .iter()
                .filter_map(|block| Some((*block, kept.get(block)?.clone())))
                .collect()
        };
        blocks.retain(|block| !held.contains_key(block));
        let length = per_block * self.row_bytes;
        let ranges = blocks.iter().map(|block| {
            let start = self.rows.start + block * length;
            start..(start + length).min(self.rows.end)
        });
        let parts = source::read(file, ranges.collect()).await?;
        if !parts.is_empty() {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() + parts.len() > MOST_KEPT {
                kept.clear();
            }
            for (block, part) in blocks.into_iter().zip(parts) {
                held.insert(block, part.clone());
                if kept.len() < MOST_KEPT {
                    // A copy, so that nothing larger that it may be part of is kept with it.
                    kept.insert(block, Bytes::copy_from_slice(&part));
                }
            }
        }
        let rows = tiles.iter().map(|tile| {
            let at = (tile % per_block * self.row_bytes) as usize;
            held.get(&(tile / per_block))
                .map(|block| block.slice(at..at + self.row_bytes as usize))
        });
        // Every block was held or read above.
        Ok(rows.map(Option::unwrap_or_default).collect())
    }

    /// Keeps whole blocks of rows that are in bytes of the file from `start` on.
    pub(super) fn keep(&self, start: u64, bytes: &Bytes) {
        let end = start + bytes.len() as u64;
        let length = self.block_rows() * self.row_bytes;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let blocks = (self.rows.end - self.rows.start)
            .checked_div(length)
            .map_or(0, |whole| whole + 1);
        for block in 0..blocks.min(MOST_KEPT as u64) {
            let from = self.rows.start + block * length;
            let to = (from + length).min(self.rows.end);
            if from < start || to > end || from >= to {
                break;
            }
            let rows = &bytes[(from - start) as usize..(to - start) as usize];
            kept.insert(block, Bytes::copy_from_slice(rows));
        }
    }

    /// Rows that are read and kept as one.
    fn block_rows(&self) -> u64 {
        (BLOCK_BYTES / self.row_bytes.max(1)).max(1)
    }

    /// Bytes of the rows that are kept.
    pub(super) fn memory(&self) -> u64 {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.values().map(|block| block.len() as u64).sum()
    }

    /// Where the cells of a row lie in the file, one for each heap column; empty ones are at the heap's start.
    pub(super) fn cells(&self, hdu: usize, tile: u64, row: &[u8]) -> Result<Vec<Range<u64>>, FitsError> {
        let problem = |problem: String| FitsError::Tile {
            hdu,
            tile: tile + 1,
            problem,
        };
        self.heap_columns
            .iter()
            .map(|column| {
                let bytes = row.get(column.at..column.at + column.width()).unwrap_or_default();
                let (count, offset) =
                    descriptor(bytes).ok_or_else(|| problem("its descriptor is negative".into()))?;
                if count == 0 {
                    return Ok(self.heap.start..self.heap.start);
                }
                let start = self.heap.start.checked_add(offset);
                let end = count
                    .checked_mul(column.element)
                    .and_then(|length| start?.checked_add(length));
                match (start, end) {
                    (Some(start), Some(end)) if end <= self.heap.end => Ok(start..end),
                    (Some(_), Some(end)) => Err(problem(format!(
                        "it ends at byte {end}, the heap at {}",
                        self.heap.end
                    ))),
                    _ => Err(problem("its descriptor exceeds 64 bits".into())),
                }
            })
            .collect()
    }

    /// Whether a tile of `pixels` holds them as 32-bit numbers though the image has fewer bits: old files of
    /// gzipped images do. Told by the length that the gzip trailer declares.
    pub(super) fn is_widened(&self, bitpix: Bitpix, cells: &[Bytes], pixels: u64) -> bool {
        if !matches!(bitpix, Bitpix::U8 | Bitpix::I16) {
            return false;
        }
        let first = self
            .heap_columns
            .iter()
            .zip(cells)
            .find(|(_, cell)| !cell.is_empty());
        let Some((column, cell)) = first else { return false };
        let gzipped =
            column.name == "GZIP_COMPRESSED_DATA" || column.name == "COMPRESSED_DATA" && self.gzip_1;
        gzipped
            && cell
                .last_chunk()
                .is_some_and(|length| u64::from(u32::from_le_bytes(*length)) == pixels * 4)
    }
}

/// Count and offset of an array descriptor of two 32-bit or 64-bit numbers (FITS 4.0, section 7.3.5).
fn descriptor(bytes: &[u8]) -> Option<(u64, u64)> {
    let (count, offset) = bytes.split_at(bytes.len() / 2);
    let number = |half: &[u8]| match half.len() {
        4 => u64::try_from(i32::from_be_bytes(half.try_into().ok()?)).ok(),
        8 => u64::try_from(i64::from_be_bytes(half.try_into().ok()?)).ok(),
        _ => None,
    };
    Some((number(count)?, number(offset)?))
}

fn number(header: &Header, keyword: &str) -> Result<u64, String> {
    let number = header
        .integer(keyword)
        .and_then(|number| u64::try_from(number).ok());
    number.ok_or_else(|| format!("{keyword} is not a whole number"))
}

/// The columns of arrays in the heap, from `TFORMn`.
fn heap_columns(header: &Header, row_bytes: u64) -> Result<Vec<HeapColumn>, String> {
    let fields = number(header, "TFIELDS")?;
    if fields > 999 {
        return Err(format!("TFIELDS is {fields}"));
    }
    let mut columns = Vec::new();
    let mut at = 0_u64;
    for field in 1..=fields {
        let keyword = format!("TFORM{field}");
        let form = header
            .text(&keyword)
            .ok_or_else(|| format!("{keyword} is missing"))?;
        let (repeat, kind, rest) =
            split_form(form.trim()).ok_or_else(|| format!("{keyword} {form:?} is no format"))?;
        let bytes = match kind {
            'X' => Some(repeat.div_ceil(8)),
            'P' => Some(repeat.min(1) * 8),
            'Q' => Some(repeat.min(1) * 16),
            _ => element_bytes(kind).and_then(|bytes| repeat.checked_mul(bytes)),
        };
        let bytes = bytes.ok_or_else(|| format!("{keyword} {form:?} is no format"))?;
        if matches!(kind, 'P' | 'Q') && repeat > 0 {
            let element = rest.chars().next().and_then(element_bytes);
            columns.push(HeapColumn {
                name: header
                    .text(&format!("TTYPE{field}"))
                    .unwrap_or_default()
                    .trim()
                    .to_ascii_uppercase(),
                at: at as usize,
                wide: kind == 'Q',
                element: element.ok_or_else(|| format!("{keyword} {form:?} is no format"))?,
            });
        }
        at = at
            .checked_add(bytes)
            .filter(|at| *at <= row_bytes)
            .ok_or("its columns are wider than NAXIS1")?;
    }
    Ok(columns)
}

fn split_form(form: &str) -> Option<(u64, char, &str)> {
    let digits = form.find(|c: char| !c.is_ascii_digit())?;
    let repeat = if digits == 0 {
        1
    } else {
        form[..digits].parse().ok()?
    };
    let kind = form[digits..].chars().next()?;
    Some((repeat, kind, &form[digits + kind.len_utf8()..]))
}

fn element_bytes(kind: char) -> Option<u64> {
    Some(match kind {
        'L' | 'B' | 'A' => 1,
        'I' => 2,
        'J' | 'E' => 4,
        'K' | 'D' | 'C' => 8,
        'M' => 16,
        _ => return None,
    })
}

/// What CFITSIO (`fpack -qz`) calls the codec if zeros are not dithered, so that old readers keep off.
const RICE_ONE: &str = "RICE_ONE";
const RICE: &str = "RICE_1";

/// The cards that tell a decoder how tiles are coded. Real numbers that were not quantised nor compressed are
/// given to it as the standard's column for uncompressed tiles, which it reads; it refuses the codec.
fn decoders_cards(header: &Header, uncompressed: bool) -> Vec<[u8; CARD]> {
    let mut cards: Vec<_> = header
        .cards()
        .filter(|card| has_value(card) && is_decoders(name(card)))
        .copied()
        .collect();
    let scaled = header.value("ZSCALE").is_some()
        || (1..=header.integer("TFIELDS").unwrap_or(0).min(999))
            .any(|field| header.text(&format!("TTYPE{field}")).as_deref() == Some("ZSCALE"));
    let rice = cards.iter_mut().find(|card| {
        name(card) == b"ZCMPTYPE" && value(std::slice::from_ref(card)) == Some(Value::Text(RICE_ONE.into()))
    });
    if let Some(card) = rice {
        *card = card_of(format!("ZCMPTYPE= '{RICE}'").as_bytes());
    }
    if uncompressed && !scaled {
        for card in &mut cards {
            let keyword = String::from_utf8_lossy(name(card)).into_owned();
            let text = match value(std::slice::from_ref(card)) {
                Some(Value::Text(text)) if keyword.starts_with("TTYPE") && text == "COMPRESSED_DATA" => {
                    "UNCOMPRESSED_DATA"
                }
                _ if keyword == "ZCMPTYPE" => "GZIP_1",
                _ => continue,
            };
            *card = card_of(format!("{keyword:<8}= '{text}'").as_bytes());
        }
    }
    cards
}

/// The cards that tell a decoder how tiles are coded; sizes are left out, they differ for each call.
fn is_decoders(name: &[u8]) -> bool {
    const ALONE: [&[u8]; 10] = [
        b"TFIELDS",
        b"ZCMPTYPE",
        b"ZSCALE",
        b"ZZERO",
        b"ZBLANK",
        b"ZQUANTIZ",
        b"ZMASKCMP",
        b"BSCALE",
        b"BZERO",
        b"BLANK",
    ];
    const INDEXED: [&[u8]; 7] = [
        b"TTYPE", b"TFORM", b"TSCAL", b"TZERO", b"TNULL", b"ZNAME", b"ZVAL",
    ];
    ALONE.contains(&name) || INDEXED.iter().any(|family| name.starts_with(family))
}
