//! Boxes of tile-compressed images: which tiles to fetch, in which order, and where their pixels go.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use fits_well::image::Data;
use futures::channel::oneshot;
use rayon::prelude::*;

use super::decode::Run;
use super::error::FitsError;
use super::file::File;
use super::hdu::Hdu;
use super::lines::Block;
use super::source;
use super::tile_walk::{Strip, TileWalk};
use super::tiles::Tiles;

/// Pixels that are fetched and decoded together, if tiles are smaller.
const WAVE_PIXELS: u64 = 4 << 20;
/// The most memory that decoding takes for a pixel: a 64-bit number twice, the pixel twice, a mask.
const BYTES_PER_PIXEL: u64 = 40;

/// The pixels of `block` (from the image to an array of the box alone), big-endian; `bytes` is the size of
/// that array. Tiles in flight may take `limit` bytes more.
pub(super) async fn read(
    file: &File,
    hdu: &Hdu,
    block: &Block,
    bytes: usize,
    limit: u64,
) -> Result<Vec<u8>, FitsError> {
    let tiles = hdu.tiles()?;
    let mut walk = TileWalk::new(hdu.shape(), &tiles.tile, &tiles.grid, block);
    let block = Arc::new(block.clone());
    let mut out = vec![0; bytes];
    while let Some(strips) = wave(&mut walk, limit)? {
        let runs = fetch(file, hdu, tiles, strips, limit).await?;
        let (tiles, block, bitpix) = (tiles.clone(), block.clone(), hdu.bitpix());
        let decoded = off_runtime(move || {
            let decoded: Vec<_> = runs
                .par_iter()
                .map(|(_, run)| run.decode(&tiles, bitpix))
                .collect();
            for ((strip, run), data) in runs.iter().zip(decoded) {
                place(
                    strip,
                    &data.map_err(|problem| (run.first, problem))?,
                    &block,
                    &mut out,
                );
            }
            Ok(out)
        });
        out = decoded.await.map_err(|(tile, problem)| FitsError::Tile {
            hdu: hdu.number(),
            tile: tile + 1,
            problem,
        })?;
    }
    Ok(out)
}

/// The next strips of tiles that are decoded together.
fn wave(walk: &mut TileWalk, limit: u64) -> Result<Option<Vec<Strip>>, FitsError> {
    let most = (limit / BYTES_PER_PIXEL).min(WAVE_PIXELS);
    let mut strips = Vec::new();
    let mut pixels = 0;
    while let Some(strip) = walk.peek() {
        let more = strip.pixels();
        if more.saturating_mul(BYTES_PER_PIXEL) > limit {
            let bytes = more.saturating_mul(BYTES_PER_PIXEL);
            return Err(FitsError::TooLarge {
                what: "decoding its tiles",
                bytes,
                limit,
            });
        }
        if pixels + more > most && !strips.is_empty() {
            break;
        }
        pixels += more;
        strips.extend(walk.next());
    }
    Ok((!strips.is_empty()).then_some(strips))
}

/// Fetches the rows and cells of strips of tiles.
async fn fetch(
    file: &File,
    hdu: &Hdu,
    tiles: &Tiles,
    strips: Vec<Strip>,
    limit: u64,
) -> Result<Vec<(Strip, Run)>, FitsError> {
    let numbers: Vec<u64> = strips.iter().flat_map(Strip::tiles).collect();
    let rows = tiles.rows(file.source(), &numbers).await?;
    let pixels: Vec<u64> = strips.iter().flat_map(Strip::pixels_of_tiles).collect();
    let mut ranges: Vec<Vec<Range<u64>>> = Vec::with_capacity(rows.len());
    let mut total = 0;
    for ((&number, row), pixels) in numbers.iter().zip(&rows).zip(pixels) {
        let cells = tiles.cells(hdu.number(), number, row)?;
        // No codec makes more of a pixel, whatever a descriptor says.
        let most = pixels.saturating_mul(16).saturating_add(4096);
        if cells.iter().any(|cell| cell.end - cell.start > most) {
            let problem = "it has more bytes than its pixels can need".into();
            return Err(FitsError::Tile {
                hdu: hdu.number(),
                tile: number + 1,
                problem,
            });
        }
        total += cells.iter().map(|cell| cell.end - cell.start).sum::<u64>();
        ranges.push(cells);
    }
    let needed = total.saturating_mul(2);
    if needed > limit {
        return Err(FitsError::TooLarge {
            what: "fetching its tiles",
            bytes: needed,
            limit,
        });
    }
    let mut cells = cells(file, ranges).await?.into_iter();
    let mut rows = rows.into_iter();
    let mut runs = Vec::with_capacity(strips.len());
    for strip in strips {
        let count = strip.count as usize;
        let rows: Vec<Bytes> = rows.by_ref().take(count).collect();
        let cells: Vec<Vec<Bytes>> = cells.by_ref().take(count).collect();
        let widened: Vec<bool> = (cells.iter().zip(strip.pixels_of_tiles()))
            .map(|(cells, pixels)| tiles.is_widened(hdu.bitpix(), cells, pixels))
            .collect();
        // Tiles of one strip that are coded alike are decoded together.
        let mut at = 0;
        for part in strip.split(&widened) {
            let end = at + part.count as usize;
            let run = Run {
                first: part.first,
                shape: part.size.clone(),
                rows: rows[at..end].to_vec(),
                cells: cells[at..end].to_vec(),
                widened: widened[at],
            };
            at = end;
            runs.push((part, run));
        }
    }
    Ok(runs)
}

/// Reads the cells of rows, in one request; `ranges` may be empty, overlap, and come in any order.
async fn cells(file: &File, ranges: Vec<Vec<Range<u64>>>) -> Result<Vec<Vec<Bytes>>, FitsError> {
    let mut out: Vec<Vec<Bytes>> = ranges.iter().map(|row| vec![Bytes::new(); row.len()]).collect();
    let mut wanted: Vec<(Range<u64>, usize, usize)> = Vec::new();
    for (row, cells) in ranges.into_iter().enumerate() {
        let cells = cells.into_iter().enumerate().filter(|(_, cell)| !cell.is_empty());
        wanted.extend(cells.map(|(column, cell)| (cell, row, column)));
    }
    wanted.sort_by_key(|(cell, ..)| cell.start);
    let parts = source::read(
        file.source(),
        wanted.iter().map(|(cell, ..)| cell.clone()).collect(),
    )
    .await?;
    for ((_, row, column), part) in wanted.into_iter().zip(parts) {
        out[row][column] = part;
    }
    Ok(out)
}

/// Copies the pixels of a decoded strip that lie in the box, big-endian.
fn place(strip: &Strip, data: &Data, block: &Block, out: &mut [u8]) {
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

/// Runs `work` on the threads of rayon, so that the asynchronous runtime is not held up. An error of `work`
/// names a tile; a panic counts as one of tile 0.
async fn off_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, (u64, String)> + Send + 'static,
) -> Result<T, (u64, String)> {
    let (send, receive) = oneshot::channel();
    rayon::spawn(move || {
        let result = catch_unwind(AssertUnwindSafe(work));
        // Nobody waits any more if the caller was dropped.
        let _ = send.send(result);
    });
    match receive.await {
        Ok(Ok(result)) => result,
        _ => Err((0, "decoding failed".into())),
    }
}
