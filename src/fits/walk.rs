//! The tiles that a box touches, in the order in which a sweep comes by them; and tiles side by side that can be
//! decoded as one. A plain image counts as one whose tiles are its rows.

use std::ops::Range;

use super::lines::Block;

/// Pixels of a strip, if tiles are smaller: enough to make the cost of a call small, few enough that all
/// threads have some.
const STRIP_PIXELS: u64 = 64 << 10;

/// How an image is parted into tiles.
#[derive(Debug)]
pub(super) struct Grid {
    pub(super) shape: Vec<u64>,
    /// Pixels of a whole tile.
    pub(super) tile: Vec<u64>,
    /// Tiles from one to the next along each axis.
    strides: Vec<u64>,
    /// Axes, the one along which a sweep goes last.
    order: Vec<usize>,
    /// The first axis that has more than one tile: along it the next tile is the next in number.
    along: usize,
}

impl Grid {
    /// A grid whose tiles are counted by a `u64`. A sweep goes along `slow`, the celestial axis that varies slowest in
    /// the file, so that it is done with a box of a cube soon.
    pub(super) fn new(shape: &[u64], tile: &[u64], slow: usize) -> Self {
        let counts: Vec<u64> = shape
            .iter()
            .zip(tile)
            .map(|(length, tile)| length.div_ceil(*tile))
            .collect();
        let strides = counts
            .iter()
            .scan(1, |stride, tiles| {
                let this = *stride;
                *stride *= tiles;
                Some(this)
            })
            .collect();
        let others = (0..shape.len()).filter(|axis| *axis != slow);
        Self {
            shape: shape.to_vec(),
            tile: tile.to_vec(),
            strides,
            order: others.chain([slow]).collect(),
            along: counts.iter().position(|tiles| *tiles > 1).unwrap_or(0),
        }
    }

    /// Pixels of a whole tile.
    pub(super) fn tile_pixels(&self) -> u64 {
        let sides = self
            .tile
            .iter()
            .zip(&self.shape)
            .map(|(tile, length)| *tile.min(length));
        sides.fold(1, u64::saturating_mul)
    }

    /// The first pixel of a tile, and how many it has along each axis.
    fn place(&self, number: u64) -> (Vec<u64>, Vec<u64>) {
        let mut rest = number;
        let mut origin = vec![0; self.shape.len()];
        for axis in (0..origin.len()).rev() {
            origin[axis] = rest / self.strides[axis] * self.tile[axis];
            rest %= self.strides[axis];
        }
        let size = (0..origin.len())
            .map(|axis| self.tile[axis].min(self.shape[axis].saturating_sub(origin[axis])))
            .collect();
        (origin, size)
    }

    /// Pixels of a tile.
    pub(super) fn pixels(&self, number: u64) -> u64 {
        self.place(number).1.iter().product()
    }

    /// The strips of ascending tiles.
    pub(super) fn strips(&self, numbers: &[u64]) -> Vec<Strip> {
        let mut strips: Vec<Strip> = Vec::new();
        for &number in numbers {
            let (origin, size) = self.place(number);
            if let Some(last) = strips.last_mut()
                && last.first + last.count == number
                && last.origin[self.along] + last.size[self.along] == origin[self.along]
                && last
                    .origin
                    .iter()
                    .zip(&origin)
                    .enumerate()
                    .all(|(axis, (a, b))| axis == self.along || a == b)
                && last.pixels() + size.iter().product::<u64>() <= STRIP_PIXELS
            {
                last.size[self.along] += size[self.along];
                last.count += 1;
                continue;
            }
            strips.push(Strip {
                first: number,
                count: 1,
                axis: self.along,
                tile: self.tile[self.along],
                origin,
                size,
            });
        }
        strips
    }
}

/// A walk over the tiles that a box touches.
#[derive(Debug)]
pub(super) struct Walk {
    touched: Vec<Range<u64>>,
    at: Option<Vec<u64>>,
}

impl Walk {
    /// Over the tiles that `block` touches in its first array, the image of `grid`.
    pub(super) fn new(grid: &Grid, block: &Block) -> Self {
        let touched: Vec<Range<u64>> = (block.from.1.iter().zip(&block.size).zip(&grid.tile))
            .map(|((start, length), tile)| start / tile..(start + length).div_ceil(*tile))
            .collect();
        let any = touched.iter().all(|range| !range.is_empty());
        let at = any.then(|| touched.iter().map(|range| range.start).collect());
        Self { touched, at }
    }

    /// Where the walk stands: the first pixel of its tile along the axis of the sweep, and the tile's number.
    pub(super) fn peek(&self, grid: &Grid) -> Option<(u64, u64)> {
        let at = self.at.as_ref()?;
        let slow = grid.order.last().copied().unwrap_or(0);
        let number = at.iter().zip(&grid.strides).map(|(at, stride)| at * stride).sum();
        Some((at[slow] * grid.tile[slow], number))
    }

    pub(super) fn advance(&mut self, grid: &Grid) {
        let Some(at) = &mut self.at else { return };
        for &axis in &grid.order {
            at[axis] += 1;
            if at[axis] < self.touched[axis].end {
                return;
            }
            at[axis] = self.touched[axis].start;
        }
        self.at = None;
    }
}

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
    pub(super) fn split(&self, marks: &[impl PartialEq]) -> Vec<Self> {
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

#[cfg(test)]
mod tests {
    use super::*;

    type Shown = (u64, u64, Vec<u64>, Vec<u64>);

    fn walk(shape: &[u64], tile: &[u64], start: &[u64], size: &[u64]) -> (Vec<u64>, Vec<Shown>) {
        let grid = Grid::new(shape, tile, 1);
        let block = Block {
            size: size.to_vec(),
            from: (shape.to_vec(), start.to_vec()),
            to: (size.to_vec(), vec![0; size.len()]),
        };
        let mut walk = Walk::new(&grid, &block);
        let mut keys = Vec::new();
        while let Some(key) = walk.peek(&grid) {
            keys.push(key);
            walk.advance(&grid);
        }
        assert!(keys.is_sorted(), "{keys:?}");
        let mut numbers: Vec<u64> = keys.into_iter().map(|(_, number)| number).collect();
        let order = numbers.clone();
        numbers.sort_unstable();
        let strips = grid.strips(&numbers).into_iter();
        (
            order,
            strips.map(|s| (s.first, s.count, s.origin, s.size)).collect(),
        )
    }

    #[test]
    fn square_tiles_go_in_strips_along_a_row() {
        let (_, strips) = walk(&[600, 600], &[128, 256], &[100, 200], &[300, 100]);
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
        let (order, strips) = walk(&[100, 50, 2], &[100, 1, 1], &[10, 48, 0], &[5, 2, 2]);
        // Rows first, their planes one after the other.
        assert_eq!(order, [48, 98, 49, 99]);
        assert_eq!(
            strips,
            [
                (48, 2, vec![0, 48, 0], vec![100, 2, 1]),
                (98, 2, vec![0, 48, 1], vec![100, 2, 1])
            ]
        );
        let whole = walk(&[100, 50], &[100, 50], &[10, 10], &[1, 1]);
        assert_eq!(whole.1, [(0, 1, vec![0, 0], vec![100, 50])]);
        assert_eq!(walk(&[100, 50], &[1000, 1000], &[10, 10], &[1, 1]), whole);
        // The last row of one plane and the first of the next do not lie side by side.
        let (_, strips) = walk(&[8, 4, 2], &[8, 1, 1], &[0, 0, 0], &[8, 4, 2]);
        assert_eq!(
            strips.iter().map(|strip| (strip.0, strip.1)).collect::<Vec<_>>(),
            [(0, 4), (4, 4)]
        );
    }

    #[test]
    fn a_strip_is_split_where_its_tiles_differ() {
        let strips = Grid::new(&[100, 9], &[40, 9], 1).strips(&[0, 1, 2]);
        assert_eq!(strips[0].pixels_of_tiles().collect::<Vec<_>>(), [360, 360, 180]);
        let parts = strips[0].split(&[true, false, false]);
        assert_eq!((parts[0].first, parts[0].count, parts[0].size[0]), (0, 1, 40));
        assert_eq!(
            (parts[1].first, parts[1].origin[0], parts[1].size[0]),
            (1, 40, 60)
        );
    }
}
