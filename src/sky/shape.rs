//! Regions of the sky that are asked for: points, circles, polygons, ranges (SODA 1.0 section 3.3, DALI 1.1 section 3.3).

use std::{fmt, sync::Arc};

use thiserror::Error;

use super::{Cap, Position, position::angles};

/// Most vertices of a polygon.
pub const MAX_VERTICES: usize = 1_000;
/// Points of a circle's outline.
const AROUND: u32 = 512;
/// Longest step of an outline, deg; shorter where a side is short.
const STEP: f64 = 0.25;
/// Least and most steps of a side of an outline.
const STEPS: (f64, f64) = (8.0, 1_440.0);

/// A region of the sky: ICRS, degrees.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// A point, around which there is a box of a size that is given elsewhere.
    Point(Position),
    /// Everything within `radius`.
    Circle {
        /// Its middle.
        centre: Position,
        /// Above 0, at most 180.
        radius: f64,
    },
    /// What sides of great circles enclose, within a hemisphere; vertices in either winding, the first not repeated.
    Polygon {
        /// At least three; shared, since a list may ask for the same polygon many times.
        vertices: Arc<[Position]>,
    },
    /// What lies between two meridians and two parallels.
    Range {
        /// From, eastwards to: 0 to 360 each. The first is larger than the second if it reaches over 0.
        lon: [f64; 2],
        /// From, northwards to: −90 to 90.
        lat: [f64; 2],
    },
    /// The whole sky: images as they are.
    Sky,
}

/// Why a text is no shape; says what was expected.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ShapeError {
    /// The wrong number of values.
    #[error("{form} has {found} values, expected {expected}")]
    Count {
        /// The form.
        form: &'static str,
        /// How many were given.
        found: usize,
        /// How many, and which, were expected.
        expected: &'static str,
    },
    /// A value that is no number.
    #[error("{0:?} is not a number of degrees")]
    NotANumber(String),
    /// A longitude or latitude beyond its bounds.
    #[error("{what} {value} is not within {range} deg")]
    Bounds {
        /// Longitude, latitude or radius.
        what: &'static str,
        /// What was given.
        value: String,
        /// From and to.
        range: &'static str,
    },
    /// An upper end below its lower.
    #[error("the range of latitudes {0} to {1} is upside down")]
    UpsideDown(String, String),
    /// A range without width.
    #[error("the range has no area")]
    NoArea,
    /// A polygon that encloses nothing, or what is not clear.
    #[error("the polygon {0}")]
    Polygon(String),
    /// None of the forms of POS.
    #[error("{0:?} is none of CIRCLE, RANGE and POLYGON")]
    Form(String),
}

impl Shape {
    /// `LON LAT RADIUS`, as CIRCLE has it (SODA 1.0 section 3.3.2).
    pub fn circle(text: &str) -> Result<Self, ShapeError> {
        let [lon, lat, radius] = numbers(text, "a circle", "3: longitude, latitude, radius")?;
        let centre = position(finite(lon)?, finite(lat)?)?;
        let radius = finite(radius)?;
        if !(radius > 0.0 && radius <= 180.0) {
            return Err(bounds("radius", radius, "0 (excluded) to 180"));
        }
        Ok(Self::Circle { centre, radius })
    }

    /// `LON LAT` for each vertex, as POLYGON has it (SODA 1.0 section 3.3.3). Either winding is taken, since the smaller
    /// of the two parts of the sky is meant; the first vertex may be repeated at the end.
    pub fn polygon(text: &str) -> Result<Self, ShapeError> {
        let values: Vec<&str> = text.split_ascii_whitespace().take(2 * MAX_VERTICES + 3).collect();
        if values.len() > 2 * MAX_VERTICES + 2 {
            return Err(ShapeError::Polygon(format!(
                "has more than {MAX_VERTICES} vertices"
            )));
        }
        if !values.len().is_multiple_of(2) || values.len() < 6 {
            return Err(ShapeError::Count {
                form: "a polygon",
                found: values.len(),
                expected: "longitude and latitude of at least 3 vertices",
            });
        }
        let mut vertices = values
            .chunks_exact(2)
            .map(|pair| position(finite(number(pair[0])?)?, finite(number(pair[1])?)?))
            .collect::<Result<Vec<_>, _>>()?;
        if vertices.len() > 3 && same(vertices.first(), vertices.last()) {
            vertices.pop();
        }
        Plane::of(&vertices).and_then(Plane::check)?;
        let vertices = vertices.into();
        Ok(Self::Polygon { vertices })
    }

    /// `LON1 LON2 LAT1 LAT2`, as RANGE of POS has it (SODA 1.0 section 3.3.1); ends may be infinite. A range whose first
    /// longitude is the larger reaches over 0.
    pub fn range(text: &str) -> Result<Self, ShapeError> {
        let [west, east, south, north] = numbers(text, "a range", "4: two longitudes, two latitudes")?;
        let open = |value: f64, end: f64, other: f64| {
            if value == f64::NEG_INFINITY {
                end
            } else if value == f64::INFINITY {
                other
            } else {
                value
            }
        };
        let lon = [open(west, 0.0, 360.0), open(east, 0.0, 360.0)];
        let lat = [open(south, -90.0, 90.0), open(north, -90.0, 90.0)];
        for value in lon {
            longitude(value)?;
        }
        for value in lat {
            latitude(value)?;
        }
        if lat[0] > lat[1] {
            return Err(ShapeError::UpsideDown(shown(lat[0]), shown(lat[1])));
        }
        if lat[0] >= lat[1] || width(lon) <= 0.0 {
            return Err(ShapeError::NoArea);
        }
        Ok(Self::Range { lon, lat })
    }

    /// `CIRCLE …`, `RANGE …` or `POLYGON …`, as POS has it (SODA 1.0 section 3.3.1).
    pub fn pos(text: &str) -> Result<Self, ShapeError> {
        let text = text.trim();
        let (form, rest) = text
            .split_once(|c: char| c.is_ascii_whitespace())
            .unwrap_or((text, ""));
        match form.to_ascii_uppercase().as_str() {
            "CIRCLE" => Self::circle(rest),
            "RANGE" => Self::range(rest),
            "POLYGON" => Self::polygon(rest),
            _ => Err(ShapeError::Form(excerpt(form))),
        }
    }

    /// Whether a position belongs to it; of a point only itself does.
    pub fn contains(&self, position: Position) -> bool {
        match self {
            Self::Point(point) => point.separation(position) <= 0.0,
            Self::Circle { centre, radius } => centre.separation(position) <= *radius,
            Self::Polygon { vertices } => Plane::of(vertices).is_ok_and(|plane| plane.contains(position)),
            Self::Range { lon, lat } => {
                let along = (position.ra - lon[0]).rem_euclid(360.0);
                (lat[0]..=lat[1]).contains(&position.dec)
                    && (along <= width(*lon) || position.dec.abs() >= 90.0)
            }
            Self::Sky => true,
        }
    }

    /// Points of its outline in their order, each line closed, near enough to each other that lines between them are the
    /// outline to a ten-thousandth of its extent. A point is its own; the sky has none.
    pub fn outline(&self) -> Vec<Position> {
        match self {
            Self::Point(point) => vec![*point],
            Self::Circle { centre, radius } => around(*centre, *radius),
            Self::Polygon { vertices } => {
                let next = vertices.iter().cycle().skip(1);
                let mut outline: Vec<Position> = vertices
                    .iter()
                    .zip(next)
                    .flat_map(|(a, b)| side(*a, *b))
                    .collect();
                outline.extend(vertices.first());
                outline
            }
            Self::Range { lon, lat } => {
                let (west, east) = (lon[0], lon[0] + width(*lon));
                let corners = [(west, lat[0]), (east, lat[0]), (east, lat[1]), (west, lat[1])];
                let next = corners.iter().cycle().skip(1);
                let mut outline: Vec<Position> = corners
                    .iter()
                    .zip(next)
                    .flat_map(|(from, to)| straight(*from, *to))
                    .collect();
                outline.extend(outline.first().copied());
                outline
            }
            Self::Sky => Vec::new(),
        }
    }

    /// The point of the outline half-way between two neighbours of it.
    pub fn between(&self, a: Position, b: Position) -> Position {
        let sum = |a: [f64; 3], b: [f64; 3]| [0, 1, 2].map(|axis| a[axis] + b[axis]);
        let middle = Position::from_vector(sum(a.unit(), b.unit()));
        match self {
            Self::Circle { centre, radius } => {
                // Back onto the circle, along the great circle through its middle.
                let (from, to) = (centre.unit(), middle.unit());
                let along = [0, 1, 2].map(|axis| from[axis] * to[axis]).iter().sum::<f64>();
                let across = [0, 1, 2].map(|axis| to[axis] - along * from[axis]);
                let length = across.iter().map(|part| part * part).sum::<f64>().sqrt();
                if length < 1e-12 {
                    return middle;
                }
                let (sine, cosine) = radius.to_radians().sin_cos();
                Position::from_vector(
                    [0, 1, 2].map(|axis| cosine * from[axis] + sine / length * across[axis]),
                )
            }
            Self::Range { .. } => {
                let east = (b.ra - a.ra + 180.0).rem_euclid(360.0) - 180.0;
                Position {
                    ra: (a.ra + east / 2.0).rem_euclid(360.0),
                    dec: f64::midpoint(a.dec, b.dec),
                }
            }
            Self::Polygon { .. } | Self::Point(_) | Self::Sky => middle,
        }
    }

    /// A cap that holds it; of a point only itself.
    pub fn cap(&self) -> Cap {
        let sky = Cap {
            centre: Position { ra: 0.0, dec: 0.0 },
            radius: 180.0,
        };
        match self {
            Self::Point(point) => Cap {
                centre: *point,
                radius: 0.0,
            },
            Self::Circle { centre, radius } => Cap {
                centre: *centre,
                radius: *radius,
            },
            Self::Polygon { vertices } => match Plane::of(vertices) {
                // Within a hemisphere no side is farther from the middle than its ends.
                Ok(plane) => Cap::around(plane.middle, vertices),
                Err(_) => sky,
            },
            Self::Range { lon, lat } => {
                let ring = [90.0, -90.0].map(|pole: f64| Cap {
                    centre: Position { ra: 0.0, dec: pole },
                    radius: if pole > 0.0 { 90.0 - lat[0] } else { 90.0 + lat[1] },
                });
                let mut caps = vec![ring[0], ring[1]];
                if let Some(middle) = self.centre().filter(|_| width(*lon) <= 180.0) {
                    let mut cap = Cap::around(middle, &self.outline());
                    // A parallel may bend outwards between two points.
                    cap.radius += 1e-3;
                    // Beyond it an outline does not bound its inside.
                    if cap.radius < 90.0 {
                        caps.push(cap);
                    }
                }
                caps.into_iter()
                    .min_by(|a, b| a.radius.total_cmp(&b.radius))
                    .unwrap_or(sky)
            }
            Self::Sky => sky,
        }
    }

    /// Its middle; none of the whole sky.
    pub fn centre(&self) -> Option<Position> {
        match self {
            Self::Point(point) => Some(*point),
            Self::Circle { centre, .. } => Some(*centre),
            Self::Polygon { vertices } => Plane::of(vertices).ok().map(|plane| plane.middle),
            Self::Range { lon, lat } => Some(Position {
                ra: (lon[0] + width(*lon) / 2.0).rem_euclid(360.0),
                dec: f64::midpoint(lat[0], lat[1]),
            }),
            Self::Sky => None,
        }
    }
}

/// As POS has it; of a point its two coordinates, of the sky nothing.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Point(Position { ra, dec }) => write!(f, "{ra} {dec}"),
            Self::Circle { centre, radius } => write!(f, "CIRCLE {} {} {radius}", centre.ra, centre.dec),
            Self::Polygon { vertices } => {
                f.write_str("POLYGON")?;
                vertices
                    .iter()
                    .try_for_each(|Position { ra, dec }| write!(f, " {ra} {dec}"))
            }
            Self::Range { lon, lat } => write!(f, "RANGE {} {} {} {}", lon[0], lon[1], lat[0], lat[1]),
            Self::Sky => Ok(()),
        }
    }
}

/// Degrees from the first longitude eastwards to the second.
fn width([west, east]: [f64; 2]) -> f64 {
    if east >= west {
        east - west
    } else {
        east + 360.0 - west
    }
}

fn excerpt(text: &str) -> String {
    text.chars().take(40).collect()
}

fn numbers<const N: usize>(
    text: &str,
    form: &'static str,
    expected: &'static str,
) -> Result<[f64; N], ShapeError> {
    let mut values = [0.0; N];
    let mut found = 0;
    for word in text.split_ascii_whitespace() {
        if let Some(value) = values.get_mut(found) {
            *value = number(word)?;
        }
        found += 1;
    }
    if found == N {
        Ok(values)
    } else {
        Err(ShapeError::Count {
            form,
            found,
            expected,
        })
    }
}

/// A decimal number or an infinity as DALI writes it; Rust reads words and signs besides that are none.
fn number(text: &str) -> Result<f64, ShapeError> {
    let infinite = text
        .strip_prefix(['+', '-'])
        .unwrap_or(text)
        .eq_ignore_ascii_case("inf");
    let digits = text
        .bytes()
        .all(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    text.parse::<f64>()
        .ok()
        .filter(|value| infinite || (digits && value.is_finite()))
        .ok_or_else(|| ShapeError::NotANumber(excerpt(text)))
}

fn finite(value: f64) -> Result<f64, ShapeError> {
    if value.is_finite() {
        Ok(value)
    } else {
        Err(ShapeError::NotANumber(shown(value)))
    }
}

/// A number in a few characters, however small or large it is.
fn shown(value: f64) -> String {
    let plain = value.to_string();
    if plain.len() <= 20 {
        plain
    } else {
        format!("{value:e}")
    }
}

fn bounds(what: &'static str, value: f64, range: &'static str) -> ShapeError {
    ShapeError::Bounds {
        what,
        value: shown(value),
        range,
    }
}

fn longitude(value: f64) -> Result<(), ShapeError> {
    let within = (0.0..=360.0).contains(&value);
    within
        .then_some(())
        .ok_or_else(|| bounds("longitude", value, "0 to 360"))
}

fn latitude(value: f64) -> Result<(), ShapeError> {
    let within = (-90.0..=90.0).contains(&value);
    within
        .then_some(())
        .ok_or_else(|| bounds("latitude", value, "-90 to 90"))
}

fn position(ra: f64, dec: f64) -> Result<Position, ShapeError> {
    longitude(ra)?;
    latitude(dec)?;
    Ok(Position { ra, dec })
}

/// Whether two vertices are nearer to each other than anyone can mean: 1e-9 deg.
fn same(a: Option<&Position>, b: Option<&Position>) -> bool {
    matches!((a, b), (Some(a), Some(b)) if a.separation(*b) < 1e-9)
}

/// How many steps a line of so many degrees takes.
fn steps(degrees: f64) -> u32 {
    (degrees / STEP).ceil().clamp(STEPS.0, STEPS.1) as u32
}

/// Points from `a` along the great circle towards `b`, which is left out.
fn side(a: Position, b: Position) -> Vec<Position> {
    let (from, to) = (a.unit(), b.unit());
    let angle = a.separation(b).to_radians();
    let count = steps(angle.to_degrees());
    let on = |step: u32| {
        let along = f64::from(step) / f64::from(count);
        let (p, q) = (((1.0 - along) * angle).sin(), (along * angle).sin());
        Position::from_vector([0, 1, 2].map(|i| p * from[i] + q * to[i]))
    };
    std::iter::once(a).chain((1..count).map(on)).collect()
}

/// Points from one place along a meridian or parallel towards another, which is left out. Longitudes may exceed 360.
fn straight(from: (f64, f64), to: (f64, f64)) -> Vec<Position> {
    let count = steps((to.0 - from.0).abs().max((to.1 - from.1).abs()));
    (0..count)
        .map(|step| {
            let along = f64::from(step) / f64::from(count);
            Position {
                ra: (from.0 + along * (to.0 - from.0)).rem_euclid(360.0),
                dec: from.1 + along * (to.1 - from.1),
            }
        })
        .collect()
}

/// A circle's outline, closed.
fn around(centre: Position, radius: f64) -> Vec<Position> {
    let middle = centre.unit();
    let [east, north] = tangents(centre);
    let (sine, cosine) = radius.to_radians().sin_cos();
    (0..=AROUND)
        .map(|step| {
            let turn = f64::from(step % AROUND) / f64::from(AROUND) * std::f64::consts::TAU;
            let (up, right) = turn.sin_cos();
            Position::from_vector(
                [0, 1, 2].map(|i| cosine * middle[i] + sine * (right * east[i] + up * north[i])),
            )
        })
        .collect()
}

/// Unit vectors to the east and to the north of a position.
fn tangents(position: Position) -> [[f64; 3]; 2] {
    let (sin_ra, cos_ra) = position.ra.to_radians().sin_cos();
    let (sin_dec, cos_dec) = position.dec.to_radians().sin_cos();
    [
        [-sin_ra, cos_ra, 0.0],
        [-sin_dec * cos_ra, -sin_dec * sin_ra, cos_dec],
    ]
}

/// A polygon on the plane that touches the sky at its middle, where great circles are straight lines.
struct Plane {
    middle: Position,
    axes: [[f64; 3]; 3],
    vertices: Vec<[f64; 2]>,
}

impl Plane {
    /// Faults: fewer than three vertices, more than a hemisphere.
    fn of(vertices: &[Position]) -> Result<Self, ShapeError> {
        let fault = |what: &str| Err(ShapeError::Polygon(what.into()));
        if vertices.len() < 3 {
            return fault("has fewer than 3 vertices");
        }
        let sum = vertices
            .iter()
            .map(|vertex| vertex.unit())
            .fold([0.0; 3], |sum, unit| {
                [sum[0] + unit[0], sum[1] + unit[1], sum[2] + unit[2]]
            });
        let (ra, dec) = angles(sum);
        let middle = Position { ra, dec };
        let [east, north] = tangents(middle);
        let mut plane = Self {
            middle,
            axes: [middle.unit(), east, north],
            vertices: Vec::with_capacity(vertices.len()),
        };
        let length = sum.iter().map(|part| part * part).sum::<f64>().sqrt();
        for vertex in vertices {
            match plane.project(*vertex) {
                Some(point) if length > 1e-9 => plane.vertices.push(point),
                _ => return fault("does not lie within a hemisphere around the middle of its vertices"),
            }
        }
        Ok(plane)
    }

    /// Faults: a side without length, sides that touch or cross.
    fn check(self) -> Result<(), ShapeError> {
        // 1e-9 deg: nearer to each other than anyone can mean.
        let short = |a: [f64; 2], b: [f64; 2]| (a[0] - b[0]).hypot(a[1] - b[1]) < 1.7e-11;
        let count = self.vertices.len();
        if (0..count).any(|at| short(self.vertices[at], self.vertices[(at + 1) % count])) {
            return Err(ShapeError::Polygon(
                "has two vertices one after the other that are the same".into(),
            ));
        }
        if self.crosses() {
            return Err(ShapeError::Polygon("has sides that cross or touch".into()));
        }
        Ok(())
    }

    /// Where a position lies on the plane; none if it is a quarter of the sky or more away, to a thousandth of a degree.
    fn project(&self, position: Position) -> Option<[f64; 2]> {
        let unit = position.unit();
        let [depth, x, y] = self
            .axes
            .map(|axis| axis[0] * unit[0] + axis[1] * unit[1] + axis[2] * unit[2]);
        (depth > 1.7e-5).then_some([x / depth, y / depth])
    }

    fn crosses(&self) -> bool {
        let count = self.vertices.len();
        let end = |at: usize| self.vertices[at % count];
        (0..count).any(|a| {
            (a + 1..count).any(|b| {
                if b == a + 1 {
                    folds(end(a), end(b), end(b + 1))
                } else if a == 0 && b == count - 1 {
                    folds(end(b), end(a), end(a + 1))
                } else {
                    meet(end(a), end(a + 1), end(b), end(b + 1))
                }
            })
        })
    }

    fn contains(&self, position: Position) -> bool {
        let Some([x, y]) = self.project(position) else {
            return false;
        };
        let next = self.vertices.iter().cycle().skip(1);
        let crossed = self.vertices.iter().zip(next).filter(|([ax, ay], [bx, by])| {
            (*ay > y) != (*by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax
        });
        !crossed.count().is_multiple_of(2)
    }
}

/// Twice the area of a triangle: above 0 if it turns to the left.
fn turn(a: [f64; 2], b: [f64; 2], c: [f64; 2]) -> f64 {
    (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
}

/// Whether the side from `b` goes back over that to `b`.
fn folds(a: [f64; 2], b: [f64; 2], c: [f64; 2]) -> bool {
    let ahead = (b[0] - a[0]) * (c[0] - b[0]) + (b[1] - a[1]) * (c[1] - b[1]);
    let long = (b[0] - a[0]).hypot(b[1] - a[1]) * (c[0] - b[0]).hypot(c[1] - b[1]);
    ahead < 0.0 && turn(a, b, c).abs() <= 1e-12 * long
}

/// Whether two sides have a point in common.
fn meet(a: [f64; 2], b: [f64; 2], c: [f64; 2], d: [f64; 2]) -> bool {
    let (from, to) = (turn(c, d, a), turn(c, d, b));
    let (other_from, other_to) = (turn(a, b, c), turn(a, b, d));
    let within = |p: [f64; 2], q: [f64; 2], point: [f64; 2]| {
        (0..2).all(|i| p[i].min(q[i]) <= point[i] && point[i] <= p[i].max(q[i]))
    };
    if from * to < 0.0 && other_from * other_to < 0.0 {
        return true;
    }
    (from == 0.0 && within(c, d, a))
        || (to == 0.0 && within(c, d, b))
        || (other_from == 0.0 && within(a, b, c))
        || (other_to == 0.0 && within(a, b, d))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ra: f64, dec: f64) -> Position {
        Position { ra, dec }
    }

    #[test]
    fn forms_are_read_as_soda_writes_them() {
        let circle = Shape::Circle {
            centre: at(12.0, 34.0),
            radius: 0.5,
        };
        assert_eq!(Shape::circle("12.0 34.0 0.5").as_ref(), Ok(&circle));
        assert_eq!(Shape::pos(" circle  12.0\t34.0 5e-1 ").as_ref(), Ok(&circle));
        assert_eq!(
            Shape::pos("RANGE 0 360.0 89.0 +Inf"),
            Ok(Shape::Range {
                lon: [0.0, 360.0],
                lat: [89.0, 90.0]
            })
        );
        assert_eq!(
            Shape::pos("RANGE -Inf +Inf -inf inf"),
            Ok(Shape::Range {
                lon: [0.0, 360.0],
                lat: [-90.0, 90.0]
            })
        );
        let vertices: Arc<[Position]> =
            [at(12.0, 34.0), at(14.0, 35.0), at(14.0, 36.0), at(12.0, 35.0)].into();
        for text in [
            "POLYGON 12.0 34.0 14.0 35.0 14.0 36.0 12.0 35.0",
            "POLYGON 12.0 34.0 14.0 35.0 14.0 36.0 12.0 35.0 12 34",
        ] {
            assert_eq!(
                Shape::pos(text),
                Ok(Shape::Polygon {
                    vertices: vertices.clone()
                })
            );
        }
        for shape in [circle, Shape::Polygon { vertices }] {
            assert_eq!(Shape::pos(&shape.to_string()).as_ref(), Ok(&shape));
        }
    }

    #[test]
    fn what_is_no_shape_is_refused_with_its_reason() {
        for (text, reason) in [
            ("", "none of CIRCLE"),
            ("BOX 1 2 3 4", "none of CIRCLE"),
            ("CIRCLE", "0 values, expected 3"),
            ("CIRCLE 1 2", "2 values, expected 3"),
            ("CIRCLE 1 2 3 4", "4 values, expected 3"),
            ("CIRCLE 1,2,3", "not a number"),
            ("CIRCLE 1 2 nan", "not a number"),
            ("CIRCLE 1 2 infinity", "not a number"),
            ("CIRCLE 1 2 Inf", "not a number"),
            ("CIRCLE 1 2 0", "radius 0"),
            ("CIRCLE 1 2 -1", "radius -1"),
            ("CIRCLE 1 2 181", "to 180"),
            ("CIRCLE 361 2 1", "longitude 361"),
            ("CIRCLE -1 2 1", "0 to 360"),
            ("CIRCLE 1 91 1", "-90 to 90"),
            ("RANGE 1 2 4 3", "upside down"),
            ("RANGE 1 1 3 4", "no area"),
            ("RANGE 1 2 3 3", "no area"),
            ("POLYGON 1 2 3 4", "at least 3"),
            ("POLYGON 1 2 3 4 5", "at least 3"),
            ("POLYGON 1 2 3 4 5 6 7", "at least 3"),
            ("POLYGON 0 0 1 0 2 0", "cross or touch"),
            ("POLYGON 0 0 1 1 1 0 0 1", "cross or touch"),
            ("POLYGON 0 0 0 0 1 1", "same"),
            ("POLYGON 0 0 120 0 240 0", "hemisphere"),
        ] {
            let error = Shape::pos(text).expect_err(text).to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
        let many = "1 2 ".repeat(MAX_VERTICES + 2);
        let error = Shape::polygon(&many).expect_err("too many").to_string();
        assert!(error.contains("more than 1000 vertices"), "{error}");
    }

    #[test]
    fn shapes_know_their_points_across_the_origin_and_at_the_poles() {
        let square = Shape::polygon("359 -1 1 -1 1 1 359 1").unwrap();
        let other_way = Shape::polygon("359 1 1 1 1 -1 359 -1").unwrap();
        let pole = Shape::polygon("0 80 120 80 240 80").unwrap();
        let range = Shape::range("350 10 -5 5").unwrap();
        let ring = Shape::range("0 360 89 +Inf").unwrap();
        for (shape, inside, outside) in [
            (&square, at(0.0, 0.0), at(2.0, 0.0)),
            (&other_way, at(0.5, 0.5), at(180.0, 0.0)),
            (&pole, at(77.0, 90.0), at(60.0, 80.0)),
            (&range, at(0.0, 4.9), at(11.0, 0.0)),
            (&ring, at(123.0, 90.0), at(123.0, 88.9)),
            (&Shape::Sky, at(0.0, 0.0), at(f64::NAN, 0.0)),
        ] {
            assert!(shape.contains(inside), "{shape}");
            assert!(outside.ra.is_nan() || !shape.contains(outside), "{shape}");
        }
    }

    #[test]
    fn caps_hold_their_shapes_and_are_no_larger_than_needed() {
        for (text, centre, radius) in [
            ("CIRCLE 10 -20 3", at(10.0, -20.0), 3.0),
            ("POLYGON 359 -1 1 -1 1 1 359 1", at(0.0, 0.0), 1.42),
            ("RANGE 350 10 -5 5", at(0.0, 0.0), 11.2),
            ("RANGE 0 360 89 +Inf", at(0.0, 90.0), 1.0),
            ("RANGE 0 360 -90 -80", at(0.0, -90.0), 10.0),
            ("RANGE 0 100 -2 2", at(50.0, 0.0), 50.1),
        ] {
            let shape = Shape::pos(text).unwrap();
            let cap = shape.cap();
            assert!(cap.centre.separation(centre) < 1e-6, "{text}: {cap:?}");
            assert!((cap.radius - radius).abs() < 0.1, "{text}: {cap:?}");
            for point in shape.outline() {
                assert!(cap.near(point, 1e-6), "{text}: {point:?} {cap:?}");
            }
        }
        assert!(Shape::pos("RANGE 0 200 -2 2").unwrap().cap().radius > 90.0);
    }

    #[test]
    fn outlines_lie_on_the_edge_and_are_closed() {
        for text in [
            "CIRCLE 10 89.5 3",
            "POLYGON 0 80 120 80 240 80",
            "RANGE 350 10 -5 5",
            "RANGE 0 360 89 90",
        ] {
            let shape = Shape::pos(text).unwrap();
            let outline = shape.outline();
            assert!(same(outline.first(), outline.last()), "{text}");
            let centre = shape.centre().unwrap();
            for point in &outline {
                let towards = |share: f64| {
                    let (a, b) = (centre.unit(), point.unit());
                    Position::from_vector([0, 1, 2].map(|i| a[i] + share * (b[i] - a[i])))
                };
                assert!(
                    text.starts_with("RANGE") || shape.contains(towards(0.99)),
                    "{text} {point:?}"
                );
                assert!(
                    text.starts_with("RANGE") || !shape.contains(towards(1.01)),
                    "{text} {point:?}"
                );
            }
        }
        let square = Shape::polygon("0 0 40 0 40 1 0 1").unwrap().outline();
        // A great circle leaves the parallel.
        assert!(square.iter().any(|point| point.dec > 1.05));
    }
}
