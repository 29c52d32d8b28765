//! The box of pixels that a region of the sky covers on an image.

use super::{FitsError, PixelBox, Wcs};
use crate::sky::{Position, Shape};

/// Points along each side of an image, and across it, at which it is asked whether they lie in the region.
const SAMPLES: u32 = 64;

/// How often a piece of an outline is halved at most.
const HALVINGS: u32 = 16;
/// How far the middle of a piece of an outline may lie from the line between its ends to be taken for that, in pixels.
const STRAIGHT: f64 = 0.05;
/// Halvings of all pieces together: of what coordinates gone wrong make of an outline no line is.
const MOST_HALVINGS: u32 = 20_000;
/// Columns and rows of an all-sky map in which it is looked where the sky ends.
const LIMB: u64 = 256;

/// The extent of pixels found so far: least and greatest x, least and greatest y.
#[derive(Debug, Clone, Copy)]
struct Bounds([f64; 4]);

impl Bounds {
    const NONE: Self = Self([f64::INFINITY, f64::NEG_INFINITY, f64::INFINITY, f64::NEG_INFINITY]);

    fn add(&mut self, [x, y]: [f64; 2]) {
        let Self([x_min, x_max, y_min, y_max]) = *self;
        *self = Self([x_min.min(x), x_max.max(x), y_min.min(y), y_max.max(y)]);
    }

    fn contains(&self, [x, y]: [f64; 2]) -> bool {
        let Self([x_min, x_max, y_min, y_max]) = *self;
        (x_min..=x_max).contains(&x) && (y_min..=y_max).contains(&y)
    }
}

impl Wcs {
    /// The least box that holds every pixel that `shape` touches, but of a point, whose box [`Wcs::pixel_box`] tells.
    ///
    /// It may hang over the edges as the shape does; where the shape goes beyond what the projection can show, it ends
    /// one pixel outside of the image. Of a shape that the edge of an all-sky map tears apart, it holds all parts; of one
    /// that holds a pole of the map, it may be larger than needed by a 64th of the map. An error if the shape lies beside
    /// the image.
    pub fn shape_box(&self, shape: &Shape) -> Result<PixelBox, FitsError> {
        let outside = || FitsError::Outside {
            hdu: self.hdu,
            what: brief(shape),
            how: "lies beside",
        };
        let around = shape.cap();
        if self.cap.radius < 180.0 && !self.cap.near(around.centre, around.radius) {
            return Err(outside());
        }
        let Outline {
            mut on, all, torn, ..
        } = self.outline(shape);
        self.add_edge(shape, torn, &mut on);
        if self.cap.radius >= 180.0 {
            self.add_inside(shape, &mut on);
            for (pixel, position) in self.limb() {
                if shape.contains(*position) {
                    on.add(*pixel);
                }
            }
        }
        if on.is_none() {
            return Err(outside());
        }
        let area = on.hanging_over(all, self.shape).pixels();
        match area.trimmed(self.shape[0], self.shape[1]) {
            Some(_) => Ok(area),
            None => Err(outside()),
        }
    }

    /// The region's outline as far as it has pixels.
    fn outline(&self, shape: &Shape) -> Outline {
        let mut found = Outline {
            on: Bounds::NONE,
            all: Bounds::NONE,
            torn: false,
            halvings: MOST_HALVINGS,
        };
        let mut last: Option<End> = None;
        for position in shape.outline() {
            let end = End {
                position,
                pixel: self.true_pixel(position),
            };
            match end.pixel {
                Some(pixel) => found.all.add(pixel),
                None => found.torn = true,
            }
            self.follow(shape, last.unwrap_or(end), end, HALVINGS, &mut found);
            last = Some(end);
        }
        found
    }

    /// Adds what of a piece of an outline lies on the image: halved until it is a straight line, or next to nothing.
    fn follow(&self, shape: &Shape, a: End, b: End, halvings: u32, found: &mut Outline) {
        let ends = match (a.pixel, b.pixel) {
            (Some(from), Some(to)) => Some((from, to)),
            (Some(one), None) | (None, Some(one)) => {
                self.add_clipped(one, one, &mut found.on);
                None
            }
            (None, None) => return,
        };
        if halvings == 0 || found.halvings == 0 {
            // A jump to the other side of a map is no line.
            if let Some((from, to)) = ends {
                self.add_clipped(from, from, &mut found.on);
                self.add_clipped(to, to, &mut found.on);
            }
            return;
        }
        found.halvings -= 1;
        let position = shape.between(a.position, b.position);
        let middle = End {
            position,
            pixel: self.true_pixel(position),
        };
        if let (Some((from, to)), Some([x, y])) = (ends, middle.pixel) {
            let length = (to[0] - from[0]).hypot(to[1] - from[1]);
            let off = (x - f64::midpoint(from[0], to[0])).hypot(y - f64::midpoint(from[1], to[1]));
            let straight = off <= STRAIGHT;
            let far = off <= length / 4.0 && self.is_far(from, to, length);
            if straight || far {
                self.add_clipped(from, [x, y], &mut found.on);
                self.add_clipped([x, y], to, &mut found.on);
                return;
            }
        }
        self.follow(shape, a, middle, halvings - 1, found);
        self.follow(shape, middle, b, halvings - 1, found);
    }

    fn add_clipped(&self, from: [f64; 2], to: [f64; 2], on: &mut Bounds) {
        for end in self.clipped(from, to).into_iter().flatten() {
            on.add(end);
        }
    }

    /// Whether a line lies farther from the image than it is long.
    fn is_far(&self, from: [f64; 2], to: [f64; 2], length: f64) -> bool {
        (0..2).any(|axis| {
            let (least, most) = (0.5 - length, self.shape[axis] as f64 + 0.5 + length);
            from[axis].max(to[axis]) < least || from[axis].min(to[axis]) > most
        })
    }

    /// Adds the points of the image's edge that lie in the region; with `beyond` the pixels outside of them.
    fn add_edge(&self, shape: &Shape, beyond: bool, bounds: &mut Bounds) {
        let [width, height] = self.shape.map(|n| n as f64);
        let out = if beyond { 1.0 } else { 0.0 };
        for step in 0..=SAMPLES {
            let along = f64::from(step) / f64::from(SAMPLES);
            let (x, y) = (1.0 + along * (width - 1.0), 1.0 + along * (height - 1.0));
            for ([x, y], [right, up]) in [
                ([x, 1.0], [0.0, -out]),
                ([x, height], [0.0, out]),
                ([1.0, y], [-out, 0.0]),
                ([width, y], [out, 0.0]),
            ] {
                if self
                    .to_sky([x, y])
                    .is_some_and(|position| shape.contains(position))
                {
                    bounds.add([x + right, y + up]);
                }
            }
        }
    }

    /// Adds the points within an all-sky map that lie in the region and beyond its outline, and what lies between them
    /// and the next.
    fn add_inside(&self, shape: &Shape, bounds: &mut Bounds) {
        let [width, height] = self.shape.map(|n| n as f64);
        let (across, up) = (width / f64::from(SAMPLES), height / f64::from(SAMPLES));
        let outline = *bounds;
        for ([x, y], position) in self.inside(across, up) {
            if !outline.contains([*x, *y]) && shape.contains(*position) {
                bounds.add([(x - across).max(1.0), (y - up).max(1.0)]);
                bounds.add([(x + across).min(width), (y + up).min(height)]);
            }
        }
    }

    /// Points of the image that are so far from each other, and where they lie.
    fn inside(&self, across: f64, up: f64) -> &[([f64; 2], Position)] {
        self.inside.get_or_init(|| {
            let at = |count: u32, step: f64| 0.5 + (f64::from(count) + 0.5) * step;
            (0..SAMPLES * SAMPLES)
                .filter_map(|place| {
                    let pixel = [at(place % SAMPLES, across), at(place / SAMPLES, up)];
                    Some((pixel, self.to_sky(pixel)?))
                })
                .collect()
        })
    }

    /// Points of an all-sky map beyond which it shows no sky, and where they lie.
    fn limb(&self) -> &[([f64; 2], Position)] {
        self.limb.get_or_init(|| {
            let mut limb = Vec::new();
            for along in 0..2 {
                let (lines, length) = (self.shape[1 - along], self.shape[along]);
                let count = lines.min(LIMB);
                for line in 0..count {
                    let across = 1.0 + (line as f64 / (count - 1).max(1) as f64 * (lines - 1) as f64).round();
                    let point = |at: f64| {
                        let mut pixel = [across; 2];
                        pixel[along] = at;
                        pixel
                    };
                    self.add_ends(point, length, &mut limb);
                }
            }
            limb
        })
    }

    /// Adds the last points that have a position, on a line through the image.
    fn add_ends(&self, point: impl Fn(f64) -> [f64; 2], length: u64, limb: &mut Vec<([f64; 2], Position)>) {
        let place = |at: f64| self.to_sky(point(at)).map(|position| (at, position));
        let at = |step: u32| 1.0 + f64::from(step) / f64::from(SAMPLES) * (length as f64 - 1.0);
        for step in 0..SAMPLES {
            let (mut on, mut off) = match (place(at(step)), place(at(step + 1))) {
                (Some(on), None) => (on, at(step + 1)),
                (None, Some(on)) => (on, at(step)),
                _ => continue,
            };
            while (on.0 - off).abs() > STRAIGHT {
                let middle = f64::midpoint(on.0, off);
                match place(middle) {
                    Some(found) => on = found,
                    None => off = middle,
                }
            }
            limb.push((point(on.0), on.1));
        }
    }

    /// The pixel of a position, if the position is that of the pixel too: a polynomial folds far positions back.
    fn true_pixel(&self, position: Position) -> Option<[f64; 2]> {
        let pixel = self.to_pixel(position)?;
        let back = self.to_sky(pixel)?;
        let near = pixel.iter().all(|value| value.abs() < super::WIDEST);
        (near && back.separation(position) <= self.coarse_scale().max(1e-6)).then_some(pixel)
    }

    /// The part of the line between two points that lies on the image.
    fn clipped(&self, from: [f64; 2], to: [f64; 2]) -> Option<[[f64; 2]; 2]> {
        let mut span = (0.0_f64, 1.0_f64);
        for axis in 0..2 {
            let (least, most) = (0.5, self.shape[axis] as f64 + 0.5);
            let (start, way) = (from[axis], to[axis] - from[axis]);
            if way == 0.0 {
                if !(least..=most).contains(&start) {
                    return None;
                }
                continue;
            }
            let (a, b) = ((least - start) / way, (most - start) / way);
            span = (span.0.max(a.min(b)), span.1.min(a.max(b)));
        }
        let at = |along: f64| [0, 1].map(|axis| from[axis] + along * (to[axis] - from[axis]));
        (span.0 <= span.1).then(|| [at(span.0), at(span.1)])
    }
}

/// A point of an outline, and its pixel if it has one.
#[derive(Debug, Clone, Copy)]
struct End {
    position: Position,
    pixel: Option<[f64; 2]>,
}

/// What is known of a region's outline.
struct Outline {
    /// The part of it that lies on the image.
    on: Bounds,
    /// All of it that has pixels.
    all: Bounds,
    /// Whether parts of it have no pixel.
    torn: bool,
    /// How many pieces of it may still be halved.
    halvings: u32,
}

impl Bounds {
    fn is_none(self) -> bool {
        self.0[0] > self.0[1]
    }

    /// On each side where it reaches the edge of the image, as far as `all`.
    fn hanging_over(self, all: Self, shape: [u64; 2]) -> Self {
        let [width, height] = shape.map(|n| n as f64);
        let Self([x_min, x_max, y_min, y_max]) = self;
        let least = |on: f64, all: f64| if on < 1.5 { on.min(all) } else { on };
        let most = |on: f64, all: f64, length: f64| if on > length - 0.5 { on.max(all) } else { on };
        Self([
            least(x_min, all.0[0]),
            most(x_max, all.0[1], width),
            least(y_min, all.0[2]),
            most(y_max, all.0[3], height),
        ])
    }

    /// The pixels that hold the points: a pixel reaches half a pixel around its middle.
    fn pixels(self) -> PixelBox {
        let Self([x_min, x_max, y_min, y_max]) = self;
        // What touches a pixel's edge only is not in it.
        let first = |least: f64| (least + 0.5 + 1e-9).floor() as i64;
        let last = |most: f64, first: i64| ((most + 0.5 - 1e-9).floor() as i64).max(first);
        let (left, low) = (first(x_min), first(y_min));
        PixelBox {
            x_min: left,
            x_max: last(x_max, left),
            y_min: low,
            y_max: last(y_max, low),
        }
    }
}

/// The shape, of a polygon with many vertices the first ones.
fn brief(shape: &Shape) -> String {
    const LONGEST: usize = 120;
    let text = shape.to_string();
    match text.get(..LONGEST) {
        Some(start) if text.len() > LONGEST => format!("{start}…"),
        _ => text,
    }
}
