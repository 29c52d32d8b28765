//! Boxes of plain images: byte ranges by arithmetic, bytes copied as they are.

use std::ops::Range;

use super::error::FitsError;
use super::file::File;
use super::hdu::Hdu;
use super::lines::{Block, Line};
use super::source;

/// The most that one request asks for, so that what is in flight stays bounded.
const BATCH_BYTES: u64 = 32 << 20;
const BATCH_LINES: usize = 16_384;

/// The pixels of `block` (from the image to an array of the box alone), big-endian. The caller has checked
/// that `bytes`, the size of that array, is affordable.
pub(super) async fn read(file: &File, hdu: &Hdu, block: &Block, bytes: usize) -> Result<Vec<u8>, FitsError> {
    let width = hdu.bitpix().bytes();
    let start = hdu.data().start;
    let mut out = Vec::with_capacity(bytes);
    let mut lines = block.lines();
    loop {
        let ranges = batch(&mut lines, start, width);
        if ranges.is_empty() {
            return Ok(out);
        }
        for part in source::read(file.source(), ranges).await? {
            out.extend_from_slice(&part);
        }
    }
}

fn batch(lines: &mut impl Iterator<Item = Line>, start: u64, width: u64) -> Vec<Range<u64>> {
    let mut ranges = Vec::new();
    let mut bytes = 0;
    while bytes < BATCH_BYTES && ranges.len() < BATCH_LINES {
        let Some(line) = lines.next() else { break };
        let from = start + line.from * width;
        let to = from + line.length * width;
        ranges.push(from..to);
        bytes += to - from;
    }
    ranges
}
