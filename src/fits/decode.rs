//! Tiles to pixels, by the FITS library: a run of tiles is handed to it as a small file of its own, whose
//! sizes are ours and checked, so that nothing in the source file can make it read or allocate more.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use fits_well::FitsReader;
use fits_well::image::Data;

use super::bitpix::Bitpix;
use super::header::{BLOCK, CARD};
use super::tiles::Tiles;

/// Tiles that follow one another in the table and in the image.
pub(super) struct Run {
    /// The first tile, 0-based.
    pub(super) first: u64,
    /// Pixels of the run as an image: whole tiles, but for the last of an axis.
    pub(super) shape: Vec<u64>,
    /// The rows of the table.
    pub(super) rows: Vec<Bytes>,
    /// The cells of each row, one for each heap column.
    pub(super) cells: Vec<Vec<Bytes>>,
    /// Whether its pixels lie in the tiles as 32-bit numbers though BITPIX is less: old gzipped images.
    pub(super) widened: bool,
}

impl Run {
    /// Its pixels, in the layout of [`Run::shape`].
    pub(super) fn decode(&self, tiles: &Tiles, bitpix: Bitpix) -> Result<Data, String> {
        let file = self.file(tiles, bitpix);
        let decoded = catch_unwind(AssertUnwindSafe(|| {
            let mut reader = FitsReader::from_bytes(&file).map_err(|error| error.to_string())?;
            let mut image = reader.image(1).map_err(|error| error.to_string())?;
            let image = image.read(..).map_err(|error| error.to_string())?;
            Ok::<_, String>(image.into_samples())
        }));
        let data = decoded.unwrap_or_else(|_| Err("the decoder failed on it".into()))?;
        let data = if self.widened {
            narrowed(data, bitpix)?
        } else {
            data
        };
        if data.len() as u64 != self.shape.iter().product::<u64>() {
            return Err("it has another number of pixels than its header says".into());
        }
        Ok(data)
    }

    /// A FITS file of this run alone.
    fn file(&self, tiles: &Tiles, bitpix: Bitpix) -> Vec<u8> {
        let row_bytes = tiles.row_bytes as usize;
        let table = self.rows.len() * row_bytes;
        let heap: usize = self.cells.iter().flatten().map(Bytes::len).sum();
        let mut out = Vec::with_capacity(4 * BLOCK + tiles.cards.len() * CARD + table + heap + BLOCK);
        push(&mut out, "SIMPLE", "T");
        push(&mut out, "BITPIX", 8);
        push(&mut out, "NAXIS", 0);
        end(&mut out);
        push(&mut out, "XTENSION", "'BINTABLE'");
        push(&mut out, "BITPIX", 8);
        push(&mut out, "NAXIS", 2);
        push(&mut out, "NAXIS1", row_bytes);
        push(&mut out, "NAXIS2", self.rows.len());
        push(&mut out, "PCOUNT", heap);
        push(&mut out, "GCOUNT", 1);
        out.extend_from_slice(tiles.cards.as_flattened());
        push(&mut out, "ZIMAGE", "T");
        push(&mut out, "ZBITPIX", if self.widened { 32 } else { bitpix.code() });
        push(&mut out, "ZNAXIS", self.shape.len());
        for (axis, (length, tile)) in self.shape.iter().zip(&tiles.tile).enumerate() {
            push(&mut out, &format!("ZNAXIS{}", axis + 1), length);
            push(&mut out, &format!("ZTILE{}", axis + 1), tile);
        }
        // Dithering goes by the tile's row in the whole table, in a cycle of 10,000.
        let dither = (i128::from(tiles.dither) - 1 + i128::from(self.first)).rem_euclid(10_000) + 1;
        push(&mut out, "ZDITHER0", dither);
        end(&mut out);
        let mut offset = 0;
        for (row, cells) in self.rows.iter().zip(&self.cells) {
            let start = out.len();
            out.extend_from_slice(row);
            for (column, cell) in tiles.heap_columns.iter().zip(cells) {
                // The count stays, the cell moves.
                let half = column.width() / 2;
                let to = start + column.at + half;
                out[to..to + half].copy_from_slice(&(offset as u64).to_be_bytes()[8 - half..]);
                offset += cell.len();
            }
        }
        for cell in self.cells.iter().flatten() {
            out.extend_from_slice(cell);
        }
        out.resize(out.len().next_multiple_of(BLOCK), 0);
        out
    }
}

fn push(out: &mut Vec<u8>, keyword: &str, value: impl std::fmt::Display) {
    let start = out.len();
    out.extend_from_slice(format!("{keyword:<8}= {value:>20}").as_bytes());
    out.resize(start + CARD, b' ');
}

fn end(out: &mut Vec<u8>) {
    out.extend_from_slice(b"END");
    out.resize(out.len().next_multiple_of(BLOCK), b' ');
}

/// 32-bit pixels as the type that the header declares.
fn narrowed(data: Data, bitpix: Bitpix) -> Result<Data, String> {
    let Data::I32(wide) = data else { return Ok(data) };
    let narrow = match bitpix {
        Bitpix::U8 => wide
            .into_iter()
            .map(u8::try_from)
            .collect::<Result<_, _>>()
            .map(Data::U8),
        Bitpix::I16 => wide
            .into_iter()
            .map(i16::try_from)
            .collect::<Result<_, _>>()
            .map(Data::I16),
        _ => Ok(Data::I32(wide)),
    };
    narrow.map_err(|_| format!("it has a pixel that BITPIX {} cannot hold", bitpix.code()))
}
