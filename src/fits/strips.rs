//! A cutout that is too large to lie in memory, in strips: the file that `write` makes, piece by piece.
//!
//! The sums of its pixels stand before them, so that all strips are cut twice: for the sums, and to be written.

use std::ops::Range;

use bytes::Bytes;

use super::area::{Edge, PixelBox, Region};
use super::cards::NewCard;
use super::checksum::Sum;
use super::cut::{Cut, Layout};
use super::error::FitsError;
use super::file::File;
use super::hdu::{Hdu, Kind};
use super::header::BLOCK;
use super::sweep::cut;
use super::write::heads;

/// Regions of a file that become the HDUs of another, in strips.
pub struct Strips {
    file: File,
    edge: Edge,
    parts: Vec<Part>,
    largest: u64,
}

/// What becomes an HDU.
struct Part {
    /// All but its pixels.
    cut: Cut,
    bytes: u64,
    strips: Vec<Region>,
}

/// A strip: its place among those that [`Strips::all`] gives is its place in the file.
#[derive(Debug, Clone)]
pub struct Strip {
    /// Place of the region that it is of, as [`Strips::cuts`] has them.
    pub part: usize,
    region: Region,
    ends: bool,
}

impl Strips {
    /// Of regions, each with its HDU, in strips of about `most` bytes. Where the image is compressed they are of whole tiles,
    /// however large, so that none is decoded for two of them: see [`Strips::largest`]. None if one is padded: what pads it may depend on all its pixels. An error if there is nothing to cut.
    pub fn new(
        file: &File,
        regions: &[(usize, Region)],
        edge: Edge,
        most: u64,
    ) -> Result<Option<Strips>, FitsError> {
        let mut parts = Vec::with_capacity(regions.len());
        let mut largest = 0;
        for (number, region) in regions {
            let hdus = file.hdus().get(*number);
            let hdu = hdus.ok_or(FitsError::NotAnImage { hdu: *number })?;
            let layout = Layout::new(hdu, region, edge)?;
            if layout.is_padded() {
                return Ok(None);
            }
            let tile = match hdu.kind() {
                Kind::Compressed => hdu.tiles()?.tile.clone(),
                _ => vec![1; hdu.shape().len()],
            };
            let width = hdu.bitpix().bytes();
            let mut strips = Vec::new();
            split(layout.ranges(), &tile, width, most.max(1), &mut |ranges| {
                largest = largest.max(bytes(&ranges, width));
                strips.push(region_of(hdu, &ranges));
            });
            let (cut, bytes) = Cut::unread(hdu, region, edge)?;
            parts.push(Part { cut, bytes, strips });
        }
        parts.sort_by_key(|part| part.cut.hdu());
        let file = file.clone();
        Ok(Some(Strips {
            file,
            edge,
            parts,
            largest,
        }))
    }

    /// Bytes of the largest strip.
    pub fn largest(&self) -> u64 {
        self.largest
    }

    /// Bytes of all pixels.
    pub fn bytes(&self) -> u64 {
        self.parts
            .iter()
            .fold(0, |sum, part| sum.saturating_add(part.bytes))
    }

    /// The cuts, in the order of the file, without their pixels.
    pub fn cuts(&self) -> impl Iterator<Item = &Cut> {
        self.parts.iter().map(|part| &part.cut)
    }

    /// All strips, in the order of the file.
    pub fn all(&self) -> impl Iterator<Item = Strip> {
        self.parts.iter().enumerate().flat_map(|(at, part)| {
            let last = part.strips.len() - 1;
            part.strips.iter().enumerate().map(move |(place, region)| Strip {
                part: at,
                region: region.clone(),
                ends: place == last,
            })
        })
    }

    /// Cuts a strip; tiles on their way may take `working` bytes beside its pixels.
    pub async fn cut(&self, strip: &Strip, working: u64) -> Result<Cut, FitsError> {
        let number = self.parts[strip.part].cut.hdu();
        let hdu = self.file.hdus().get(number);
        let hdu = hdu.ok_or(FitsError::NotAnImage { hdu: number })?;
        let limit = self.largest.saturating_add(working);
        cut(&self.file, hdu, &strip.region, self.edge, limit).await
    }

    /// What stands before the pixels of each cut: its header, and before the first all that comes before that. `cards` and
    /// `sums` are of each cut; `date` as in [`super::write`].
    pub fn heads(&self, cards: Vec<Vec<NewCard>>, sums: &[u32], date: &str) -> Vec<Bytes> {
        let cuts = self.parts.iter().map(|part| part.cut.clone()).zip(cards);
        heads(&self.file, cuts.collect(), sums, date)
    }

    /// What fills the last block of an HDU after a strip.
    pub fn padding(&self, strip: &Strip) -> Bytes {
        let bytes = self.parts[strip.part].bytes;
        let block = BLOCK as u64;
        let missing = if strip.ends {
            (block - bytes % block) % block
        } else {
            0
        };
        Bytes::from_static(&[0; BLOCK]).slice(..missing as usize)
    }
}

/// The sum of pixels that come strip by strip, as DATASUM has it.
#[derive(Debug, Clone, Default)]
pub struct Sums(Vec<Sum>);

impl Sums {
    /// Of so many cuts.
    pub fn new(cuts: usize) -> Sums {
        Sums(vec![Sum::default(); cuts])
    }

    /// Adds the pixels of a strip, the next of its cut.
    pub fn add(&mut self, strip: &Strip, pixels: &[u8]) {
        if let Some(sum) = self.0.get_mut(strip.part) {
            sum.add(pixels);
        }
    }

    /// The sum of each.
    pub fn finish(&self) -> Vec<u32> {
        self.0.iter().map(Sum::finish).collect()
    }
}

/// Parts an array into runs of pixels that follow one another, of about `most` bytes each. `ranges` are of each axis, the
/// first the fastest. No tile is in two runs: along an axis that is parted they end where tiles do, and what tiles bind
/// together, as the planes of one that is deeper than a plane, is one run of any size.
fn split(
    mut ranges: Vec<Range<u64>>,
    tile: &[u64],
    width: u64,
    most: u64,
    take: &mut impl FnMut(Vec<Range<u64>>),
) {
    let slowest = ranges.iter().rposition(|range| range.end - range.start > 1);
    let (Some(axis), true) = (slowest, bytes(&ranges, width) > most) else {
        return take(ranges);
    };
    let whole = ranges[axis].clone();
    let one = bytes(&ranges[..axis], width);
    let length = tile.get(axis).copied().unwrap_or(1).max(1);
    let step = (most / one / length).max(1) * length;
    let parted = one > most && length == 1;
    let mut start = whole.start;
    while start < whole.end {
        let end = (start / step * step + step).min(whole.end);
        ranges[axis] = start..end;
        if parted {
            split(ranges.clone(), tile, width, most, take);
        } else {
            take(ranges.clone());
        }
        start = end;
    }
}

/// Bytes of an array of these ranges, the largest number if they cannot be counted.
fn bytes(ranges: &[Range<u64>], width: u64) -> u64 {
    ranges.iter().fold(width, |product, range| {
        product.saturating_mul(range.end - range.start)
    })
}

/// The region of an image that has these pixels of each axis, 0-based.
fn region_of(hdu: &Hdu, ranges: &[Range<u64>]) -> Region {
    let [x, y] = hdu.box_axes().map(|axis| &ranges[axis]);
    let others = (0..ranges.len()).filter(|axis| !hdu.box_axes().contains(axis));
    Region {
        area: PixelBox {
            x_min: x.start as i64 + 1,
            x_max: x.end as i64,
            y_min: y.start as i64 + 1,
            y_max: y.end as i64,
        },
        planes: others.map(|axis| ranges[axis].clone()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parted(ranges: &[Range<u64>], tile: &[u64], most: u64) -> Vec<Vec<Range<u64>>> {
        let mut all = Vec::new();
        split(ranges.to_vec(), tile, 2, most, &mut |ranges| all.push(ranges));
        all
    }

    #[test]
    fn an_array_is_parted_along_its_slowest_axis_where_tiles_end() {
        assert_eq!(parted(&[3..7, 5..9], &[1, 1], 32), [[3..7, 5..9]]);
        assert_eq!(parted(&[3..7, 5..9], &[1, 1], 24), [[3..7, 5..6], [3..7, 6..9]]);
        assert_eq!(
            parted(&[3..7, 5..12], &[16, 4], 24),
            [[3..7, 5..8], [3..7, 8..12]]
        );
        // A row of tiles is not parted, whatever it takes.
        assert_eq!(parted(&[0..4, 0..5], &[16, 4], 8), [[0..4, 0..4], [0..4, 4..5]]);
        // Nor are the planes of tiles that are deeper.
        assert_eq!(
            parted(&[0..4, 0..4, 1..5], &[4, 2, 2], 8),
            [[0..4, 0..4, 1..2], [0..4, 0..4, 2..4], [0..4, 0..4, 4..5]]
        );
        assert_eq!(
            parted(&[0..4, 0..4, 1..3], &[4, 2, 1], 16),
            [
                [0..4, 0..2, 1..2],
                [0..4, 2..4, 1..2],
                [0..4, 0..2, 2..3],
                [0..4, 2..4, 2..3]
            ]
        );
        // What lies across an axis of one pixel follows one another too.
        assert_eq!(
            parted(&[0..2, 0..4, 7..8], &[1, 1, 1], 8),
            [[0..2, 0..2, 7..8], [0..2, 2..4, 7..8]]
        );
        assert_eq!(
            parted(&[0..2, 0..2, 0..2], &[1, 1, 1], 4),
            [
                [0..2, 0..1, 0..1],
                [0..2, 1..2, 0..1],
                [0..2, 0..1, 1..2],
                [0..2, 1..2, 1..2]
            ]
        );
    }
}
