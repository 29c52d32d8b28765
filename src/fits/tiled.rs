//! Tiles of compressed images: which bytes to fetch for a strip of them, and where their pixels go.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use fits_well::image::Data;

use super::bitpix::Bitpix;
use super::decode::Run;
use super::error::FitsError;
use super::hdu::Hdu;
use super::lines::Block;
use super::piece::{Faulty, Piece};
use super::tiles::Tiles;
use super::walk::Strip;

/// Bytes that decoding a tile takes.
pub(super) fn memory(pixels: u64, bitpix: Bitpix) -> u64 {
    // A whole number as it was quantised, twice, the pixel twice, a mask.
    pixels.saturating_mul(8 + 2 * bitpix.bytes().max(4) + 8)
}

/// Where the cells of a tile lie in the file, one for each column of the heap.
pub(super) fn cells(
    hdu: &Hdu,
    tiles: &Tiles,
    number: u64,
    row: &[u8],
    pixels: u64,
) -> Result<Vec<Range<u64>>, FitsError> {
    let cells = tiles.cells(hdu.number(), number, row)?;
    // No codec makes more of a pixel, whatever a descriptor says.
    let most = pixels.saturating_mul(16).saturating_add(4096);
    if cells.iter().any(|cell| cell.end - cell.start > most) {
        return Err(FitsError::Tile {
            hdu: hdu.number(),
            tile: number + 1,
            problem: "it has more bytes than its pixels can need".into(),
        });
    }
    Ok(cells)
}

/// A strip to decode, and the pieces that it touches.
pub(super) struct Work {
    hdu: usize,
    bitpix: Bitpix,
    tiles: Arc<Tiles>,
    strip: Strip,
    run: Run,
    pieces: Vec<Arc<Piece>>,
}

impl Work {
    /// The work of a strip whose `rows` and `cells` (of each tile, for each column) were fetched: strips of tiles that
    /// are coded alike.
    pub(super) fn new(
        hdu: &Hdu,
        tiles: &Arc<Tiles>,
        strip: &Strip,
        rows: &[Bytes],
        cells: &[Vec<Bytes>],
        pieces: &[Arc<Piece>],
    ) -> Vec<Work> {
        let widened: Vec<bool> = (cells.iter().zip(strip.pixels_of_tiles()))
            .map(|(cells, pixels)| tiles.is_widened(hdu.bitpix(), cells, pixels))
            .collect();
        let mut at = 0;
        let parts = strip.split(&widened).into_iter().map(|strip| {
            let end = at + strip.count as usize;
            let run = Run {
                first: strip.first,
                shape: strip.size.clone(),
                rows: rows[at..end].to_vec(),
                cells: cells[at..end].to_vec(),
                widened: widened[at],
            };
            at = end;
            Work {
                hdu: hdu.number(),
                bitpix: hdu.bitpix(),
                tiles: Arc::clone(tiles),
                strip,
                run,
                pieces: pieces.to_vec(),
            }
        });
        parts.collect()
    }

    /// Bytes that it takes while it is decoded.
    pub(super) fn memory(&self) -> u64 {
        memory(self.strip.pixels(), self.bitpix)
    }

    /// Decodes it and pushes its pixels into its pieces; gives the pieces that have to do without.
    pub(super) fn run(&self) -> Vec<Faulty> {
        if self.pieces.iter().all(|piece| piece.has_failed()) {
            return Vec::new();
        }
        match self.run.decode(&self.tiles, self.bitpix) {
            Ok(data) => {
                for piece in &self.pieces {
                    let mut out = piece.data();
                    place(&self.strip, &data, &piece.block, &mut out);
                }
                Vec::new()
            }
            // Which of its tiles is it?
            Err(_) if self.strip.count > 1 => self.alone().iter().flat_map(Work::run).collect(),
            Err(problem) => {
                let error = Arc::new(FitsError::Tile {
                    hdu: self.hdu,
                    tile: self.strip.first + 1,
                    problem,
                });
                let touched = self
                    .pieces
                    .iter()
                    .filter(|piece| touches(&self.strip, &piece.block));
                touched
                    .map(|piece| (Arc::clone(piece), Arc::clone(&error)))
                    .collect()
            }
        }
    }

    /// Its tiles one by one.
    fn alone(&self) -> Vec<Work> {
        let numbers: Vec<u64> = self.strip.tiles().collect();
        let tiles = self.strip.split(&numbers).into_iter().enumerate();
        tiles
            .map(|(at, strip)| Work {
                hdu: self.hdu,
                bitpix: self.bitpix,
                tiles: Arc::clone(&self.tiles),
                run: Run {
                    first: strip.first,
                    shape: strip.size.clone(),
                    rows: self.run.rows[at..=at].to_vec(),
                    cells: self.run.cells[at..=at].to_vec(),
                    widened: self.run.widened,
                },
                strip,
                pieces: self.pieces.clone(),
            })
            .collect()
    }
}

/// The part that a strip and a block share: where it begins in the image, and its size.
fn shared(strip: &Strip, block: &Block) -> (Vec<u64>, Vec<u64>) {
    let axes = 0..strip.size.len();
    let start: Vec<u64> = axes
        .clone()
        .map(|axis| strip.origin[axis].max(block.from.1[axis]))
        .collect();
    let size = axes
        .map(|axis| {
            let end = (strip.origin[axis] + strip.size[axis]).min(block.from.1[axis] + block.size[axis]);
            end.saturating_sub(start[axis])
        })
        .collect();
    (start, size)
}

fn touches(strip: &Strip, block: &Block) -> bool {
    !shared(strip, block).1.contains(&0)
}

/// Copies the pixels of a decoded strip that lie in the box, big-endian.
fn place(strip: &Strip, data: &Data, block: &Block, out: &mut [u8]) {
    let (start, size) = shared(strip, block);
    if size.contains(&0) {
        return;
    }
    let relative = |to: &[u64]| start.iter().zip(to).map(|(start, to)| start - to).collect();
    let shared = Block {
        size,
        from: (strip.size.clone(), relative(&strip.origin)),
        to: (block.to.0.clone(), relative(&block.from.1)),
    };
    match data {
        Data::U8(pixels) => copy(&shared, pixels, out, |pixel| [pixel]),
        Data::I16(pixels) => copy(&shared, pixels, out, i16::to_be_bytes),
        Data::I32(pixels) => copy(&shared, pixels, out, i32::to_be_bytes),
        Data::I64(pixels) => copy(&shared, pixels, out, i64::to_be_bytes),
        Data::F32(pixels) => copy(&shared, pixels, out, f32::to_be_bytes),
        Data::F64(pixels) => copy(&shared, pixels, out, f64::to_be_bytes),
    }
}

fn copy<T: Copy, const N: usize>(block: &Block, from: &[T], to: &mut [u8], bytes: impl Fn(T) -> [u8; N]) {
    let to = to.as_chunks_mut::<N>().0;
    for line in block.lines() {
        let (from_at, to_at, length) = (line.from as usize, line.to as usize, line.length as usize);
        for (to, from) in to[to_at..to_at + length]
            .iter_mut()
            .zip(&from[from_at..from_at + length])
        {
            *to = bytes(*from);
        }
    }
}
