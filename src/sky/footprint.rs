//! Footprints: the cells of the sky that an image or a question covers.
//!
//! The sky is cut as `HEALPix` does in its nested order (Górski et al. 2005). A cell of order `d` and number `h` is the
//! one number `(2h + 1) · 4^(29 − d)`, the CDS's `zuniq`: numbers sort along the sky whatever their order, and those of
//! all cells within one lie in one range around it. So an ordered index finds every cell that overlaps a given one:
//! those within it by its range, those around it by at most 29 exact numbers.

use std::{
    collections::BTreeSet,
    ops::RangeInclusive,
    panic::{AssertUnwindSafe, catch_unwind},
};

use cdshealpix::{best_starting_depth, has_best_starting_depth, nested};

use super::{Cap, Position};

/// Most cells of a footprint.
pub const MOST_CELLS: usize = 32;
/// Cells of a question that is a cap: fewer are looked up faster, more meet fewer images in vain.
const CELLS_OF_QUESTION: usize = 16;
/// The deepest order that `HEALPix` numbers have room for.
const DEEPEST: u8 = 29;
/// The finest cells in use, some 13 arcsec wide: no image that is worth an index is smaller.
const FINEST: u8 = 14;
/// Blocks that an image is looked at in, along the side of a square one.
const BLOCKS: f64 = 8.0;
/// Steps along the side of a block.
const STEPS: usize = 4;
/// How often a block at the edge of what a projection can show is cut into four.
const CUTS: u8 = 3;

/// At most [`MOST_CELLS`] disjoint cells that together hold something; never too small.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Ascending `zuniq` numbers.
    cells: Vec<i64>,
}

/// A cell: its order and its number.
type Cell = (u8, u64);

impl Footprint {
    /// The whole sky.
    pub fn whole() -> Self {
        Self::new((0..12).map(|cell| (0, cell)), MOST_CELLS)
    }

    /// That of a cap.
    pub fn of_cap(cap: Cap) -> Self {
        cover(&[cap], false, MOST_CELLS)
    }

    /// That of a circle around a position that images are looked for in; radius in degrees.
    pub fn of_circle(centre: Position, radius: f64) -> Self {
        cover(&[Cap { centre, radius }], false, CELLS_OF_QUESTION)
    }

    /// That of a polygon of great circles, which is smaller than a hemisphere; any sense of winding.
    pub fn of_polygon(vertices: &[Position]) -> Self {
        let Some(bound) = bound(vertices) else {
            return Self::default();
        };
        if vertices.len() < 3 || bound.radius >= 80.0 || bound.radius <= 1e-4 {
            return Self::of_cap(bound);
        }
        let radians: Vec<(f64, f64)> = vertices.iter().map(|vertex| radians(*vertex)).collect();
        let mut best = None;
        for order in first_order(bound.radius)..=FINEST {
            // The library knows no polygon that crosses itself; the cap around one holds it as well.
            let cells = catch_unwind(AssertUnwindSafe(|| {
                let covered = nested::polygon_coverage(order, &radians, true);
                covered.flat_iter().collect::<Vec<u64>>()
            }));
            let packed = match cells {
                Ok(cells) if !cells.is_empty() => pack(cells.into_iter().map(|cell| (order, cell)).collect()),
                _ => return Self::of_cap(bound),
            };
            if packed.len() > MOST_CELLS {
                break;
            }
            best = Some(packed);
        }
        match best {
            Some(cells) => Self::new(cells, MOST_CELLS),
            None => Self::of_cap(bound),
        }
    }

    /// That of an image of so many pixels, of which `to_sky` gives the position of each point that has one; 1-based, the
    /// middle of the first pixel is (1, 1).
    ///
    /// The image is cut into blocks; what a block holds lies within a cap around the positions seen on a grid over it.
    /// That is as true at a pole and across RA 0 as anywhere, and of maps of the whole sky. At the edge of what the
    /// projection can show blocks are cut further, and a ring of cells is added to what they hold.
    pub fn of_image(shape: [u64; 2], to_sky: impl Fn([f64; 2]) -> Option<Position>) -> Self {
        let [width, height] = shape.map(|side| side.max(1) as f64);
        let long = (width / height).sqrt();
        let (across, up) = (
            (BLOCKS * long).clamp(1.0, 64.0).round(),
            (BLOCKS / long).clamp(1.0, 64.0).round(),
        );
        let mut blocks = Blocks::default();
        for row in 0..up as u32 {
            for column in 0..across as u32 {
                let x = [f64::from(column), f64::from(column) + 1.0].map(|x| 0.5 + x / across * width);
                let y = [f64::from(row), f64::from(row) + 1.0].map(|y| 0.5 + y / up * height);
                blocks.look(&to_sky, x, y, CUTS);
            }
        }
        if blocks.caps.is_empty() {
            return Self::whole();
        }
        cover(&blocks.caps, blocks.ragged, MOST_CELLS)
    }

    /// What lies in either.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        let both = self.cells.iter().chain(&other.cells).map(|cell| decode(*cell));
        Self::new(both, MOST_CELLS)
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// The numbers of its cells, ascending.
    pub fn cells(&self) -> &[i64] {
        &self.cells
    }

    /// Ranges of the numbers of all cells that overlap it.
    pub fn overlapping(&self) -> Vec<RangeInclusive<i64>> {
        let mut around = BTreeSet::new();
        let mut ranges = Vec::with_capacity(self.cells.len() * 2);
        for &cell in &self.cells {
            let (order, number) = decode(cell);
            // The number of a cell around it may lie at the very end of the range of those within.
            let reach = (1_i64 << (2 * (DEEPEST - order))) - 1;
            ranges.push(cell - reach..=cell + reach);
            around.extend((0..order).map(|above| encode((above, number >> (2 * (order - above))))));
        }
        ranges.extend(around.into_iter().map(|cell| cell..=cell));
        ranges
    }

    /// Whether `position` lies in it.
    pub fn contains(&self, position: Position) -> bool {
        let (lon, lat) = radians(position);
        let deepest = nested::hash(DEEPEST, lon, lat);
        self.cells.iter().any(|cell| {
            let (order, number) = decode(*cell);
            deepest >> (2 * (DEEPEST - order)) == number
        })
    }

    /// Coarsens cells until there are at most `most`.
    fn new(cells: impl IntoIterator<Item = Cell>, most: usize) -> Self {
        let mut cells = pack(cells.into_iter().collect());
        while cells.len() > most {
            let Some(finest) = cells.iter().map(|cell| cell.0).max().filter(|order| *order > 0) else {
                break;
            };
            cells = pack(cells.into_iter().map(|cell| coarser(cell, finest - 1)).collect());
        }
        let mut cells: Vec<i64> = cells.into_iter().map(encode).collect();
        cells.sort_unstable();
        Self { cells }
    }
}

/// What is known of the sky below an image.
#[derive(Default)]
struct Blocks {
    caps: Vec<Cap>,
    /// Whether somewhere the projection has no sky.
    ragged: bool,
}

impl Blocks {
    fn look(&mut self, to_sky: &impl Fn([f64; 2]) -> Option<Position>, x: [f64; 2], y: [f64; 2], cuts: u8) {
        let at = |[from, to]: [f64; 2], step: usize| from + (to - from) * step as f64 / STEPS as f64;
        let points: Vec<Option<Position>> = (0..=STEPS)
            .flat_map(|row| (0..=STEPS).map(move |column| (row, column)))
            .map(|(row, column)| to_sky([at(x, column), at(y, row)]))
            .collect();
        let seen = points.iter().flatten().count();
        self.ragged |= seen < points.len();
        let middle = points.get(points.len() / 2).copied().flatten();
        let cap = middle
            .or_else(|| points.iter().flatten().next().copied())
            .map(|centre| around(centre, &points));
        let whole = seen == points.len();
        if cuts > 0 && (!whole || cap.is_some_and(|cap| cap.radius > 45.0)) {
            let (x_half, y_half) = (f64::midpoint(x[0], x[1]), f64::midpoint(y[0], y[1]));
            for x in [[x[0], x_half], [x_half, x[1]]] {
                for y in [[y[0], y_half], [y_half, y[1]]] {
                    self.look(to_sky, x, y, cuts - 1);
                }
            }
        } else if let Some(cap) = cap {
            let radius = if whole { cap.radius } else { 2.0 * cap.radius };
            self.caps.push(Cap { radius, ..cap });
        }
    }
}

/// A cap around `centre` that holds a grid of points and what lies between them.
fn around(centre: Position, points: &[Option<Position>]) -> Cap {
    let farthest = points
        .iter()
        .flatten()
        .map(|point| centre.separation(*point))
        .fold(0.0, f64::max);
    let width = STEPS + 1;
    let beside = |at: usize, step: usize| match (points.get(at), points.get(at + step)) {
        (Some(Some(one)), Some(Some(other))) => one.separation(*other),
        _ => 0.0,
    };
    let step = (0..points.len())
        .map(|at| {
            let along = if at % width < STEPS { beside(at, 1) } else { 0.0 };
            along.max(beside(at, width))
        })
        .fold(0.0, f64::max);
    // Between two points an edge bends by far less than a quarter of their distance.
    Cap {
        centre,
        radius: farthest + step / 4.0 + 1e-9,
    }
}

/// The cells of caps, as fine as `most` allows; with the ring around them if `ring`.
fn cover(caps: &[Cap], ring: bool, most: usize) -> Footprint {
    let Some(first) = caps.first() else {
        return Footprint::default();
    };
    if caps
        .iter()
        .any(|cap| cap.radius >= 80.0 || !cap.radius.is_finite())
    {
        return Footprint::whole();
    }
    let reach = caps
        .iter()
        .map(|cap| first.centre.separation(cap.centre) + cap.radius)
        .fold(0.0, f64::max);
    let mut best = None;
    for order in first_order(reach)..=FINEST {
        let mut cells = BTreeSet::new();
        for cap in caps {
            let (lon, lat) = radians(cap.centre);
            let covered = nested::cone_coverage_approx(order, lon, lat, cap.radius.to_radians());
            cells.extend(covered.flat_iter());
        }
        if ring {
            let inner: Vec<u64> = cells.iter().copied().collect();
            for cell in inner {
                cells.extend(nested::neighbours(order, cell, false).values_vec());
            }
        }
        let packed = pack(cells.into_iter().map(|cell| (order, cell)).collect());
        let fits = packed.len() <= most;
        if fits || best.is_none() {
            best = Some(packed);
        }
        if !fits {
            break;
        }
    }
    Footprint::new(best.unwrap_or_default(), most)
}

/// An order at which something of this reach (deg) has but a few cells.
fn first_order(reach: f64) -> u8 {
    let reach = reach.to_radians();
    if has_best_starting_depth(reach) {
        best_starting_depth(reach).min(FINEST)
    } else {
        0
    }
}

/// A cap that holds all of a polygon's vertices, and so the polygon if it is smaller than a hemisphere.
fn bound(vertices: &[Position]) -> Option<Cap> {
    let sum = vertices
        .iter()
        .map(|vertex| vertex.unit())
        .reduce(|sum, unit| std::array::from_fn(|axis| sum[axis] + unit[axis]))?;
    let centre = Position::from_vector(sum);
    let radius = vertices
        .iter()
        .map(|vertex| centre.separation(*vertex))
        .fold(0.0, f64::max);
    Some(Cap {
        centre,
        radius: radius + 1e-9,
    })
}

/// Longitude and latitude in radians, as the library takes them.
fn radians(position: Position) -> (f64, f64) {
    (
        position.ra.rem_euclid(360.0).to_radians(),
        position.dec.clamp(-90.0, 90.0).to_radians(),
    )
}

/// Four cells of one parent are the parent; a cell within another goes.
fn pack(cells: BTreeSet<Cell>) -> BTreeSet<Cell> {
    let Some(finest) = cells.iter().map(|cell| cell.0).max() else {
        return cells;
    };
    let mut packed = cells;
    for order in (1..=finest).rev() {
        let own: Vec<Cell> = packed.range((order, 0)..(order + 1, 0)).copied().collect();
        for family in own.chunk_by(|a, b| a.1 >> 2 == b.1 >> 2) {
            if family.len() == 4 {
                for cell in family {
                    packed.remove(cell);
                }
                packed.insert((order - 1, family[0].1 >> 2));
            }
        }
    }
    let all = packed.clone();
    packed.retain(|cell| (0..cell.0).all(|above| !all.contains(&coarser(*cell, above))));
    packed
}

/// The cell of `order`, or of its own if that is coarser, that holds a cell.
fn coarser((own, number): Cell, order: u8) -> Cell {
    let order = own.min(order);
    (order, number >> (2 * (own - order)))
}

/// `zuniq` of a cell; fits in 63 bits.
fn encode((order, number): Cell) -> i64 {
    (((number << 1) | 1) << (2 * (DEEPEST - order))) as i64
}

fn decode(cell: i64) -> Cell {
    let below = cell.trailing_zeros() as u8;
    (DEEPEST - below / 2, cell as u64 >> (below + 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ra: f64, dec: f64) -> Position {
        Position { ra, dec }
    }

    /// What an ordered index of cells would find.
    fn meet(question: &Footprint, image: &Footprint) -> bool {
        let ranges = question.overlapping();
        image
            .cells()
            .iter()
            .any(|cell| ranges.iter().any(|range| range.contains(cell)))
    }

    #[test]
    fn numbers_of_cells_tell_what_is_within_what() {
        for cell in [
            (0, 11),
            (3, 700),
            (14, 12 * 4_u64.pow(14) - 1),
            (29, 12 * 4_u64.pow(29) - 1),
        ] {
            assert!(encode(cell) > 0);
            assert_eq!(decode(encode(cell)), cell);
        }
        let one = |cell| Footprint::new([cell], MOST_CELLS);
        let middle = one((5, 4_321));
        for (other, meets) in [
            ((5, 4_321), true),
            ((0, 4_321 >> 10), true),
            ((4, 4_321 >> 2), true),
            ((14, 4_321 << 18), true),
            ((14, (4_322 << 18) - 1), true),
            ((14, 4_322 << 18), false),
            ((14, (4_321 << 18) - 1), false),
            ((5, 4_320), false),
            ((4, (4_321 >> 2) + 1), false),
            ((0, 1), false),
        ] {
            assert_eq!(meet(&middle, &one(other)), meets, "{other:?}");
            assert_eq!(meet(&one(other), &middle), meets, "{other:?}");
        }
    }

    #[test]
    fn families_become_their_parent_and_too_many_cells_grow() {
        let sixteen = Footprint::new((0..16).map(|cell| (6, cell)), MOST_CELLS);
        assert_eq!(sixteen, Footprint::new([(4, 0)], MOST_CELLS));
        let many = Footprint::new((0..1_000).map(|cell| (8, cell * 3)), MOST_CELLS);
        assert!(many.cells().len() <= MOST_CELLS, "{many:?}");
        for cell in 0..1_000 {
            assert!(meet(&many, &Footprint::new([(8, cell * 3)], MOST_CELLS)));
        }
        assert_eq!(Footprint::whole().cells().len(), 12);
        assert_eq!(Footprint::whole().or(&many), Footprint::whole());
        assert!(Footprint::default().is_empty() && Footprint::default().overlapping().is_empty());
    }

    #[test]
    fn polygons_hold_what_is_inside_and_leave_out_what_is_far() {
        let square = |ra: f64, dec: f64| {
            [
                at(ra, dec),
                at(ra + 1.0, dec),
                at(ra + 1.0, dec + 1.0),
                at(ra, dec + 1.0),
            ]
        };
        for (ra, dec) in [(10.0, -30.0), (359.5, 0.0), (100.0, 60.0)] {
            let mut vertices = square(ra, dec);
            for _ in 0..2 {
                let polygon = Footprint::of_polygon(&vertices);
                assert!(polygon.cells().len() <= MOST_CELLS);
                for (x, y) in [(0.01, 0.01), (0.5, 0.5), (0.99, 0.99), (0.02, 0.98)] {
                    assert!(
                        polygon.contains(at((ra + x) % 360.0, dec + y)),
                        "{ra} {dec} {x} {y}"
                    );
                }
                assert!(!polygon.contains(at((ra + 2.5) % 360.0, dec + 0.5)));
                vertices.reverse();
            }
        }
        let pole = Footprint::of_polygon(&[at(0.0, 88.0), at(120.0, 88.0), at(240.0, 88.0)]);
        assert!(pole.contains(at(77.0, 90.0)) && pole.contains(at(200.0, 89.5)));
        let south = Footprint::of_polygon(&[at(0.0, -88.0), at(120.0, -88.0), at(240.0, -88.0)]);
        assert!(south.contains(at(77.0, -90.0)) && !south.contains(at(0.0, 80.0)));
        // Degenerate ones are never too small either.
        let bow = Footprint::of_polygon(&[at(10.0, 0.0), at(11.0, 1.0), at(11.0, 0.0), at(10.0, 1.0)]);
        assert!(bow.contains(at(10.5, 0.5)) && bow.contains(at(10.9, 0.5)));
        let line = Footprint::of_polygon(&[at(10.0, 0.0), at(11.0, 0.0), at(10.5, 0.0)]);
        assert!(line.contains(at(10.5, 0.0)));
        assert!(Footprint::of_polygon(&[]).is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn circles_hold_their_points(ra in 0.0..360.0, dec in -90.0_f64..=90.0, size in -5.0_f64..1.9, turn in 0.0..360.0) {
            let (centre, radius) = (at(ra, dec), 10_f64.powf(size));
            let circle = Footprint::of_circle(centre, radius);
            prop_assert!(circle.cells().len() <= CELLS_OF_QUESTION);
            prop_assert!(circle.contains(centre));
            let edge = on_circle(centre, radius * 0.999, turn);
            prop_assert!(circle.contains(edge), "{edge:?}");
            let image = Footprint::of_cap(Cap { centre: edge, radius: 0.5 });
            prop_assert!(meet(&circle, &image) && meet(&image, &circle));
        }
    }

    /// A point at a distance from another, in some direction (deg).
    fn on_circle(centre: Position, distance: f64, turn: f64) -> Position {
        let z = centre.unit();
        let (ra, dec) = (centre.ra.to_radians(), centre.dec.to_radians());
        let east = [-ra.sin(), ra.cos(), 0.0];
        let north = [-dec.sin() * ra.cos(), -dec.sin() * ra.sin(), dec.cos()];
        let (sin, cos) = distance.to_radians().sin_cos();
        let (up, right) = turn.to_radians().sin_cos();
        Position::from_vector(std::array::from_fn(|axis| {
            z[axis] * cos + sin * (east[axis] * right + north[axis] * up)
        }))
    }
}
