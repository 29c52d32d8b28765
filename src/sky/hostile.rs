//! Shapes: what is written is read, what is read holds its own points, and no text does harm.
//!
//! `PROPTEST_CASES=1000000 cargo test --lib sky::hostile` fuzzes for longer.

use std::f64::consts::TAU;

use proptest::prelude::*;

use super::{Footprint, MOST_CELLS, Position, Shape, shape::MAX_VERTICES};

/// A position, often at a pole or where longitudes begin.
fn place() -> impl Strategy<Value = Position> {
    prop_oneof![
        4 => (0.0..=360.0, -90.0..=90.0),
        1 => (0.0..=360.0, 89.9..=90.0),
        1 => (0.0..=360.0, -90.0..=-89.9),
        1 => (359.99..=360.0, -90.0..=90.0),
        1 => (prop::sample::select(vec![0.0, 90.0, 180.0, 360.0]), prop::sample::select(vec![-90.0, 0.0, 90.0])),
    ]
    .prop_map(|(ra, dec)| Position { ra, dec })
}

/// A star-shaped polygon: its centre, and its vertices on the plane that touches the sky there.
#[derive(Debug, Clone)]
struct Star {
    centre: Position,
    vertices: Vec<[f64; 2]>,
}

/// No wider than half of a hemisphere, no smaller than a few milliarcseconds.
fn star() -> impl Strategy<Value = Star> {
    let vertices = prop_oneof![
        19 => prop::collection::vec((0.0..0.4_f64, 0.2..=1.0_f64), 3..10),
        1 => prop::collection::vec((0.0..0.4_f64, 0.2..=1.0_f64), 20..60),
    ];
    (place(), -4.0..1.6_f64, vertices).prop_map(|(centre, size, vertices)| {
        let radius = 10_f64.powf(size).to_radians().tan();
        let count = vertices.len() as f64;
        let vertices = vertices.iter().enumerate().map(|(at, (turn, far))| {
            let (y, x) = ((at as f64 + turn) / count * TAU).sin_cos();
            [far * radius * x, far * radius * y]
        });
        let vertices = vertices.collect();
        Star { centre, vertices }
    })
}

impl Star {
    fn sky(&self, [x, y]: [f64; 2]) -> Position {
        let (ra, dec) = (self.centre.ra.to_radians(), self.centre.dec.to_radians());
        let to = self.centre.unit();
        let east = [-ra.sin(), ra.cos(), 0.0];
        let north = [-dec.sin() * ra.cos(), -dec.sin() * ra.sin(), dec.cos()];
        Position::from_vector([0, 1, 2].map(|axis| to[axis] + x * east[axis] + y * north[axis]))
    }

    fn text(vertices: impl Iterator<Item = Position>) -> String {
        let texts = vertices.map(|Position { ra, dec }| format!(" {ra} {dec}"));
        format!("POLYGON{}", texts.collect::<String>())
    }

    fn positions(&self) -> impl DoubleEndedIterator<Item = Position> + Clone {
        self.vertices.iter().map(|vertex| self.sky(*vertex))
    }
}

/// A number in one of the notations that DALI has.
fn written(value: f64) -> impl Strategy<Value = String> {
    prop_oneof![
        Just(value.to_string()),
        Just(format!("{value:e}")),
        Just(format!("{value:+}")),
        Just(format!("{value:E}").replace("E-", "e-")),
    ]
}

/// What holds of every shape.
fn check(shape: &Shape) -> Result<(), TestCaseError> {
    let on_sky = |at: Position| (0.0..=360.0).contains(&at.ra) && (-90.0..=90.0).contains(&at.dec);
    match shape {
        Shape::Point(at) => prop_assert!(on_sky(*at)),
        Shape::Circle { centre, radius } => {
            prop_assert!(on_sky(*centre) && *radius > 0.0 && *radius <= 180.0, "{shape}");
        }
        Shape::Polygon { vertices } => {
            prop_assert!(
                (3..=MAX_VERTICES + 1).contains(&vertices.len()) && vertices.iter().all(|at| on_sky(*at))
            );
        }
        Shape::Range { lon, lat } => {
            prop_assert!(lon.iter().all(|lon| (0.0..=360.0).contains(lon)), "{shape}");
            prop_assert!(-90.0 <= lat[0] && lat[0] < lat[1] && lat[1] <= 90.0, "{shape}");
        }
        Shape::Sky => {}
    }
    let cap = shape.cap();
    prop_assert!(
        on_sky(cap.centre) && (0.0..=180.0).contains(&cap.radius),
        "{shape} {cap:?}"
    );
    prop_assert!(shape.centre().is_none_or(on_sky), "{shape} {:?}", shape.centre());
    let outline = shape.outline();
    prop_assert!(
        outline.len() <= 10_000 + 10 * MAX_VERTICES,
        "{} points",
        outline.len()
    );
    for point in outline {
        prop_assert!(
            on_sky(point) && cap.near(point, 1e-6),
            "{shape} {point:?} {cap:?}"
        );
    }
    let footprint = match shape {
        Shape::Polygon { vertices } => Footprint::of_polygon(vertices),
        _ => Footprint::of_circle(cap.centre, cap.radius),
    };
    prop_assert!((1..=MOST_CELLS).contains(&footprint.cells().len()), "{shape}");
    prop_assert_eq!(Shape::pos(&shape.to_string()), Ok(shape.clone()));
    Ok(())
}

/// Whether a point that the shape holds is also in all that is made of it.
fn holds(shape: &Shape, inside: Position) -> Result<(), TestCaseError> {
    prop_assert!(shape.contains(inside), "{shape} {inside:?}");
    prop_assert!(
        shape.cap().near(inside, 1e-6),
        "{shape} {:?} {inside:?}",
        shape.cap()
    );
    let footprint = match shape {
        Shape::Polygon { vertices } => Footprint::of_polygon(vertices),
        _ => Footprint::of_circle(shape.cap().centre, shape.cap().radius),
    };
    prop_assert!(footprint.contains(inside), "{shape} {inside:?} {footprint:?}");
    Ok(())
}

proptest! {
    /// A polygon holds what is inside, wherever its vertices begin and whichever way they go.
    #[test]
    fn polygons_hold_what_is_within_their_sides(star in star(), at in any::<prop::sample::Index>(), along in 0.01..0.99_f64) {
        let count = star.vertices.len();
        let first = at.index(count);
        let (a, b) = (star.vertices[first], star.vertices[(first + 1) % count]);
        let on_side = [0, 1].map(|axis| a[axis] + along * (b[axis] - a[axis]));
        let (inside, outside) = (star.sky(on_side.map(|part| 0.99 * part)), star.sky(on_side.map(|part| 1.01 * part)));
        let turned = star.positions().cycle().skip(first).take(count);
        let closed = star.positions().chain(star.positions().take(1));
        for text in [
            Star::text(star.positions()),
            Star::text(star.positions().rev()),
            Star::text(turned),
            Star::text(closed),
        ] {
            let shape = Shape::pos(&text).map_err(|error| TestCaseError::fail(format!("{error}: {text}")))?;
            prop_assert!(shape.contains(star.centre) && shape.contains(inside), "{shape} {inside:?}");
            prop_assert!(!shape.contains(outside), "{shape} {outside:?}");
        }
        let shape = Shape::pos(&Star::text(star.positions())).expect("as before");
        check(&shape)?;
        holds(&shape, star.centre)?;
        holds(&shape, inside)?;
    }

    #[test]
    fn circles_hold_what_is_within_their_radius(centre in place(), size in -6.0..=180_f64.log10(), turn in 0.0..TAU) {
        let radius = 10_f64.powf(size).min(180.0);
        let shape = Shape::pos(&format!("CIRCLE {} {} {radius}", centre.ra, centre.dec));
        let shape = shape.map_err(|error| TestCaseError::fail(error.to_string()))?;
        check(&shape)?;
        holds(&shape, centre)?;
        let star = Star { centre, vertices: Vec::new() };
        let (up, right) = turn.sin_cos();
        let at = |far: f64| {
            let (sine, cosine) = (radius * far).to_radians().sin_cos();
            let (to, edge) = (centre.unit(), star.sky([right, up]).unit());
            // The edge lies 45 degrees away.
            let across = [0, 1, 2].map(|axis| edge[axis] * 2_f64.sqrt() - to[axis]);
            Position::from_vector([0, 1, 2].map(|axis| cosine * to[axis] + sine * across[axis]))
        };
        holds(&shape, at(0.999))?;
        if radius < 179.0 {
            prop_assert!(!shape.contains(at(1.001)), "{shape} {:?}", at(1.001));
        }
    }

    #[test]
    fn ranges_hold_what_is_between_their_ends(
        lon in [0.0..=360.0_f64, 0.0..=360.0_f64],
        lat in [-90.0..=90.0_f64, -90.0..=90.0_f64],
        open in 0..16_u32,
        within in [0.001..0.999_f64, 0.001..0.999_f64],
    ) {
        let [south, north] = [lat[0].min(lat[1]), lat[0].max(lat[1])];
        if south >= north || (lon[0] - lon[1]).abs() < 1e-6 {
            return Ok(());
        }
        let end = |bit: u32, value: f64, infinite: &str, closed: f64| {
            if open >> bit & 1 == 1 { (infinite.to_owned(), closed) } else { (value.to_string(), value) }
        };
        let ends = [
            end(0, lon[0], "-Inf", 0.0),
            end(1, lon[1], "+inf", 360.0),
            end(2, south, "-INF", -90.0),
            end(3, north, "Inf", 90.0),
        ];
        let text = format!("RANGE {} {} {} {}", ends[0].0, ends[1].0, ends[2].0, ends[3].0);
        let [west, east, south, north] = ends.map(|(_, value)| value);
        let width = (east - west).rem_euclid(360.0);
        let width = if width == 0.0 { 360.0 } else { width };
        let shape = Shape::pos(&text).map_err(|error| TestCaseError::fail(format!("{error}: {text}")))?;
        check(&shape)?;
        let inside = Position {
            ra: (west + within[0] * width).rem_euclid(360.0),
            dec: south + within[1] * (north - south),
        };
        holds(&shape, inside)?;
        let beside = Position { ra: (west - 0.001 * (360.0 - width)).rem_euclid(360.0), ..inside };
        if 360.0 - width > 1e-3 && beside.dec.abs() < 89.9 {
            prop_assert!(!shape.contains(beside), "{shape} {beside:?}");
        }
    }

    /// Numbers may be written in any way that DALI has, with any spaces between them.
    #[test]
    fn notations_make_no_difference(
        (value, text) in (0.0..90.0_f64).prop_flat_map(|value| (Just(value), written(value))),
        space in "[ \t\n]{1,3}",
        case in any::<bool>(),
    ) {
        let form = if case { "Circle" } else { "CIRCLE" };
        let noisy = format!("{space}{form}{space}{text}{space}{text}{space}{text}{space}");
        let plain = format!("CIRCLE {value} {value} {value}");
        prop_assert_eq!(Shape::pos(&noisy), Shape::pos(&plain));
    }

    /// Whatever text comes: an error, or a shape that is right.
    #[test]
    fn no_text_does_harm(
        form in "(CIRCLE|RANGE|POLYGON|circle|)",
        words in prop::collection::vec(
            prop_oneof![
                4 => (-400.0..400.0_f64).prop_map(|value| value.to_string()),
                2 => (0.0..90.0_f64).prop_map(|value| value.to_string()),
                2 => prop::sample::select(vec![
                    "0", "-0", "90", "-90", "360", "180", "Inf", "-Inf", "+Inf", "NaN", "1e308", "-1e308", "1e309", "5e-324",
                    "1e-12", "0x1", "1_0", "infinity", "89.99999999999999", "359.99999999999994", "1,2", "", "--1", "+", "e",
                ])
                .prop_map(str::to_owned),
                1 => any::<f64>().prop_map(|value| value.to_string()),
                1 => "\\PC{0,6}",
            ],
            0..14,
        ),
        repeat in prop_oneof![9 => Just(1_usize), 1 => 1..400_usize],
    ) {
        let list = words.join(" ").repeat(repeat);
        for text in [format!("{form} {list}"), list.clone()] {
            for shape in [Shape::pos(&text), Shape::circle(&text), Shape::polygon(&text), Shape::range(&text)] {
                match shape {
                    Ok(shape) => check(&shape)?,
                    Err(error) => prop_assert!((1..300).contains(&error.to_string().len()), "{error}"),
                }
            }
        }
    }
}
