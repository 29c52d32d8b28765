//! Footprints: the cells of the sky that an image or a question covers.
//!
//! The sky is cut as `HEALPix` does in its nested order (Górski et al. 2005). A cell of order `d` and number `h` is the
//! one number `(2h + 1) · 4^(29 − d)`, the CDS's `zuniq`: numbers sort along the sky whatever their order, and those of
//! all cells within one lie in one range around it. So an ordered index finds every cell that overlaps a given one:
//! those within it by its range, those around it by at most 29 exact numbers.

use std::{collections::BTreeSet, ops::RangeInclusive};

use cdshealpix::{best_starting_depth, has_best_starting_depth, nested};

use super::{Cap, Position, position::separation};

/// Most cells of a footprint.
pub const MOST_CELLS: usize = 32;
/// Cells of a question that is a cap: fewer are looked up faster, more meet fewer images in vain.
const CELLS_OF_QUESTION: usize = 16;
/// The deepest order that `HEALPix` numbers have room for.
const DEEPEST: u8 = 29;
/// The finest cells in use, some 13 arcsec wide: no image that is worth an index is smaller.
const FINEST: u8 = 14;
/// Cells that are looked at together at most: where more are needed they lie close together and become a few.
const CROWD: usize = 2_000;
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

    /// That of a polygon of great circles that lies within a hemisphere; either sense of winding.
    pub fn of_polygon(vertices: &[Position]) -> Self {
        let Some(bound) = bound(vertices) else {
            return Self::default();
        };
        if bound.radius >= 80.0 {
            return Self::whole();
        }
        let polygon = Polygon::new(vertices, bound.centre);
        descend(bound, false, MOST_CELLS, |cell| polygon.meets(cell))
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
    let bound = Cap {
        centre: first.centre,
        radius: reach,
    };
    let caps: Vec<_> = caps.iter().map(|cap| (cap.centre.unit(), cap.radius)).collect();
    descend(bound, ring, most, |disc| {
        let mut found = Meets::Nowhere;
        for (centre, radius) in &caps {
            let apart = separation(*centre, disc.centre);
            if apart + disc.radius <= *radius {
                return Meets::Wholly;
            }
            if apart <= radius + disc.radius {
                found = Meets::Partly;
            }
        }
        found
    })
}

/// How a shape meets a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meets {
    Nowhere,
    Partly,
    Wholly,
}

/// What a cell lies in: its middle and the farthest of its corners (deg), with a little more for its edges.
struct Disc {
    centre: [f64; 3],
    radius: f64,
}

impl Disc {
    fn of((order, number): Cell) -> Disc {
        let unit = |(lon, lat): (f64, f64)| {
            let position = Position {
                ra: lon.to_degrees(),
                dec: lat.to_degrees(),
            };
            position.unit()
        };
        let centre = unit(nested::center(order, number));
        let radius = nested::vertices(order, number)
            .into_iter()
            .map(|corner| separation(centre, unit(corner)))
            .fold(0.0, f64::max);
        Disc {
            centre,
            radius: radius * 1.02 + 1e-9,
        }
    }
}

/// The finest cells, at most `most`, of a shape that lies within `bound` and tells how it meets a cell. Order by order,
/// those that it meets partly are cut into four.
fn descend(bound: Cap, ring: bool, most: usize, meets: impl Fn(&Disc) -> Meets) -> Footprint {
    let (mut order, mut cells) = first_cells(bound);
    let mut inside: BTreeSet<Cell> = BTreeSet::new();
    let mut best = None;
    loop {
        let mut partly = Vec::new();
        for cell in cells {
            match meets(&Disc::of((order, cell))) {
                Meets::Nowhere => {}
                Meets::Partly => partly.push(cell),
                Meets::Wholly => {
                    inside.insert((order, cell));
                }
            }
        }
        let mut all = inside.clone();
        for &cell in &partly {
            all.insert((order, cell));
            if ring {
                let around = nested::neighbours(order, cell, false).values_vec();
                all.extend(around.into_iter().map(|cell| (order, cell)));
            }
        }
        let packed = pack(all);
        let fits = packed.len() <= most;
        if fits || best.is_none() {
            best = Some(packed);
        }
        if !fits || partly.is_empty() || partly.len() > CROWD || order == FINEST {
            return Footprint::new(best.unwrap_or_default(), most);
        }
        cells = partly
            .into_iter()
            .flat_map(|cell| (0..4).map(move |quarter| (cell << 2) | quarter))
            .collect();
        order += 1;
    }
}

/// A few cells that hold a cap together.
fn first_cells(bound: Cap) -> (u8, Vec<u64>) {
    let order = first_order(bound.radius);
    if order == 0 {
        return (0, (0..12).collect());
    }
    let (lon, lat) = radians(bound.centre);
    let middle = nested::hash(order, lon, lat);
    (order, nested::neighbours(order, middle, true).sorted_values_vec())
}

/// A polygon as seen from its middle: in the gnomonic projection its edges are straight.
struct Polygon {
    /// The way to its middle, and two across.
    axes: [[f64; 3]; 3],
    vertices: Vec<[f64; 3]>,
    /// The vertices in the plane.
    flat: Vec<[f64; 2]>,
}

impl Polygon {
    fn new(vertices: &[Position], centre: Position) -> Polygon {
        let (ra, dec) = (centre.ra.to_radians(), centre.dec.to_radians());
        let axes = [
            centre.unit(),
            [-ra.sin(), ra.cos(), 0.0],
            [-dec.sin() * ra.cos(), -dec.sin() * ra.sin(), dec.cos()],
        ];
        let vertices: Vec<[f64; 3]> = vertices.iter().map(|vertex| vertex.unit()).collect();
        let flat = vertices
            .iter()
            .filter_map(|vertex| flatten(&axes, *vertex))
            .collect();
        Polygon { axes, vertices, flat }
    }

    fn meets(&self, disc: &Disc) -> Meets {
        let edges = self.vertices.iter().zip(self.vertices.iter().cycle().skip(1));
        let nearest = edges
            .map(|(from, to)| from_edge(*from, *to, disc.centre))
            .fold(f64::INFINITY, f64::min);
        match (nearest <= disc.radius, self.holds(disc.centre)) {
            (true, _) => Meets::Partly,
            (false, true) => Meets::Wholly,
            (false, false) => Meets::Nowhere,
        }
    }

    /// Whether a point lies inside: the edges wind around it, however often.
    fn holds(&self, point: [f64; 3]) -> bool {
        let Some([x, y]) = flatten(&self.axes, point) else {
            return false;
        };
        let edges = self.flat.iter().zip(self.flat.iter().cycle().skip(1));
        let turns: i32 = edges
            .map(|([x0, y0], [x1, y1])| {
                let left = (x1 - x0) * (y - y0) - (x - x0) * (y1 - y0);
                match (*y0 <= y, *y1 <= y) {
                    (true, false) if left > 0.0 => 1,
                    (false, true) if left < 0.0 => -1,
                    _ => 0,
                }
            })
            .sum();
        turns != 0
    }
}

/// A point in the plane that touches the sphere at the first axis; `None` on the other half.
fn flatten(axes: &[[f64; 3]; 3], point: [f64; 3]) -> Option<[f64; 2]> {
    let [depth, x, y] = axes.map(|axis| dot(axis, point));
    (depth > 1e-6).then(|| [x / depth, y / depth])
}

/// Degrees between a point and the shorter arc between two others.
fn from_edge(from: [f64; 3], to: [f64; 3], point: [f64; 3]) -> f64 {
    let pole = cross(from, to);
    let length = dot(pole, pole).sqrt();
    let ends = separation(from, point).min(separation(to, point));
    // Beside the arc, not beyond one of its ends.
    let beside = dot(cross(pole, from), point) >= 0.0 && dot(cross(to, pole), point) >= 0.0;
    if length > 1e-12 && beside {
        ends.min(
            (dot(pole, point) / length)
                .clamp(-1.0, 1.0)
                .asin()
                .to_degrees()
                .abs(),
        )
    } else {
        ends
    }
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ]
}

/// An order at which something of this reach (deg) lies in the cell of its middle and those around it.
fn first_order(reach: f64) -> u8 {
    let reach = reach.to_radians();
    if has_best_starting_depth(reach) {
        best_starting_depth(reach).min(FINEST).saturating_sub(1)
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
    use proptest::prelude::{ProptestConfig, prop_assert, proptest};

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
