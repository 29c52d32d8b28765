//! The tiles that a box touches, in the order of their table, in strips that can be decoded as one.

use std::ops::Range;

use super::lines::Block;

/// Pixels of a strip, if tiles are smaller: enough to make the cost of a call small, few enough that all
/// threads have some.
const STRIP_PIXELS: u64 = 64 << 10;

/// Tiles that follow one another in the table and lie side by side in the image, so that they are an image of
/// their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Strip {
    /// The first tile, 0-based: its row of the table.
    pub(super) first: u64,
    /// How many tiles.
    pub(super) count: u64,
    /// The axis along which they follow one another, 0-based.
    axis: usize,
    /// Pixels of a tile along that axis.
    tile: u64,
    /// The first pixel in the image, 0-based, NAXIS1 first.
    pub(super) origin: Vec<u64>,
    /// Pixels along each axis.
    pub(super) size: Vec<u64>,
}

impl Strip {
    /// The rows of its tiles.
    pub(super) fn tiles(&self) -> Range<u64> {
        self.first..self.first + self.count
    }

    pub(super) fn pixels(&self) -> u64 {
        self.size.iter().product()
    }

    /// Pixels of each of its tiles in turn.
    pub(super) fn pixels_of_tiles(&self) -> impl Iterator<Item = u64> {
        let across = self.pixels() / self.size[self.axis].max(1);
        (0..self.count).map(move |tile| across * self.along(tile..tile + 1))
    }

    /// Pixels of some of its tiles along its axis.
    fn along(&self, tiles: Range<u64>) -> u64 {
        let length = self.size[self.axis];
        let at = |tile: u64| tile.saturating_mul(self.tile).min(length);
        at(tiles.end) - at(tiles.start)
    }

    /// Strips of the tiles that have the same mark, one after the other; `marks` has one for each tile.
    pub(super) fn split(&self, marks: &[bool]) -> Vec<Self> {
        let mut strips = Vec::new();
        let mut at = 0;
        for group in marks.chunk_by(|a, b| a == b) {
            let end = at + group.len() as u64;
            let mut strip = self.clone();
            strip.first += at;
            strip.count = end - at;
            strip.origin[self.axis] += self.along(0..at);
            strip.size[self.axis] = self.along(at..end);
            strips.push(strip);
            at = end;
        }
        strips
    }
}

/// A walk over the strips of a box.
pub(super) struct TileWalk<'a> {
    shape: &'a [u64],
    tile: &'a [u64],
    /// Tiles from one to the next along each axis.
    strides: Vec<u64>,
    /// The tiles that the box touches.
    touched: Vec<Range<u64>>,
    /// The tile that comes next; none once all were walked.
    at: Option<Vec<u64>>,
    axis: usize,
}

impl<'a> TileWalk<'a> {
    /// A walk over the tiles that `block` touches in its first array, an image of `shape`. `grid` is the
    /// number of tiles along each axis; their product fits a `u64`.
    pub(super) fn new(shape: &'a [u64], tile: &'a [u64], grid: &[u64], block: &Block) -> Self {
        let touched: Vec<Range<u64>> = (block.from.1.iter().zip(&block.size).zip(tile))
            .map(|((start, length), tile)| start / tile..(start + length).div_ceil(*tile))
            .collect();
        let strides = grid
            .iter()
            .scan(1, |stride, tiles| {
                let this = *stride;
                *stride *= tiles;
                Some(this)
            })
            .collect();
        // Along the first axis that has more than one tile, the next tile is the next row.
        let axis = grid.iter().position(|tiles| *tiles > 1).unwrap_or(0);
        let at = touched
            .iter()
            .all(|range| !range.is_empty())
            .then(|| touched.iter().map(|r| r.start).collect());
        Self {
            shape,
            tile,
            strides,
            touched,
            at,
            axis,
        }
    }

    /// The strip that comes next.
    pub(super) fn peek(&self) -> Option<Strip> {
        let at = self.at.as_ref()?;
        let origin: Vec<u64> = at.iter().zip(self.tile).map(|(at, tile)| at * tile).collect();
        let ahead = |axis: usize| self.shape[axis] - origin[axis];
        let mut size: Vec<u64> = (0..at.len())
            .map(|axis| self.tile[axis].min(ahead(axis)))
            .collect();
        let one: u64 = size.iter().product();
        let left = self.touched[self.axis].end - at[self.axis];
        let count = (STRIP_PIXELS / one.max(1)).clamp(1, left);
        size[self.axis] = self.tile[self.axis].saturating_mul(count).min(ahead(self.axis));
        let first = at.iter().zip(&self.strides).map(|(at, stride)| at * stride).sum();
        Some(Strip {
            first,
            count,
            axis: self.axis,
            tile: self.tile[self.axis],
            origin,
            size,
        })
    }
}

impl Iterator for TileWalk<'_> {
    type Item = Strip;

    fn next(&mut self) -> Option<Strip> {
        let strip = self.peek()?;
        let mut at = self.at.take()?;
        at[self.axis] += strip.count;
        // Axes before it have a single tile.
        for axis in self.axis..at.len() {
            if at[axis] < self.touched[axis].end {
                self.at = Some(at);
                break;
            }
            at[axis] = self.touched[axis].start;
            if let Some(next) = at.get_mut(axis + 1) {
                *next += 1;
            }
        }
        Some(strip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(shape: &[u64], tile: &[u64], start: &[u64], size: &[u64]) -> Vec<(u64, u64, Vec<u64>, Vec<u64>)> {
        let grid: Vec<u64> = shape.iter().zip(tile).map(|(n, t)| n.div_ceil(*t)).collect();
        let block = Block {
            size: size.to_vec(),
            from: (shape.to_vec(), start.to_vec()),
            to: (size.to_vec(), vec![0; size.len()]),
        };
        TileWalk::new(shape, tile, &grid, &block)
            .map(|s| (s.first, s.count, s.origin, s.size))
            .collect()
    }

    #[test]
    fn square_tiles_go_in_strips_along_a_row() {
        let strips = walk(&[600, 600], &[128, 256], &[100, 200], &[300, 100]);
        assert_eq!(
            strips,
            [
                (0, 2, vec![0, 0], vec![256, 256]),
                (2, 2, vec![256, 0], vec![256, 256]),
                (5, 2, vec![0, 256], vec![256, 256]),
                (7, 2, vec![256, 256], vec![256, 256]),
            ]
        );
    }

    #[test]
    fn row_tiles_go_in_strips_of_rows_and_planes_are_their_own() {
        let strips = walk(&[100, 50, 2], &[100, 1, 1], &[10, 48, 0], &[5, 2, 2]);
        assert_eq!(
            strips,
            [
                (48, 2, vec![0, 48, 0], vec![100, 2, 1]),
                (98, 2, vec![0, 48, 1], vec![100, 2, 1])
            ]
        );
        let whole = walk(&[100, 50], &[100, 50], &[10, 10], &[1, 1]);
        assert_eq!(whole, [(0, 1, vec![0, 0], vec![100, 50])]);
        assert_eq!(walk(&[100, 50], &[1000, 1000], &[10, 10], &[1, 1]), whole);
    }

    #[test]
    fn a_strip_is_split_where_its_tiles_differ() {
        let mut strips = TileWalk::new(
            &[100, 9],
            &[40, 9],
            &[3, 1],
            &Block {
                size: vec![100, 9],
                from: (vec![100, 9], vec![0, 0]),
                to: (vec![100, 9], vec![0, 0]),
            },
        );
        let strip = strips.next().expect("one strip");
        assert_eq!(strip.pixels_of_tiles().collect::<Vec<_>>(), [360, 360, 180]);
        let parts = strip.split(&[true, false, false]);
        assert_eq!((parts[0].first, parts[0].count, parts[0].size[0]), (0, 1, 40));
        assert_eq!(
            (parts[1].first, parts[1].origin[0], parts[1].size[0]),
            (1, 40, 60)
        );
    }
}
