//! Celestial coordinates of an image: sky to pixel and back, boxes, footprint (FITS 4.0, section 8).

mod shape_box;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use fits_well::wcs;

use super::area::PixelBox;
use super::error::FitsError;
use super::header::Header;
use super::wcs_header::{Axes, celestial_header};
use crate::sky::{Cap, Frame, Length, Position, Size};

/// The celestial coordinates of an image, in its primary description. Pixels are 1-based: the middle of the
/// first is (1, 1). Only the two celestial axes take part; an image may have others.
pub struct Wcs {
    hdu: usize,
    inner: wcs::Wcs,
    axes: Axes,
    frame: Frame,
    /// Pixels of the two axes.
    shape: [u64; 2],
    /// Pixels of a whole turn along x, for a cylindrical projection that lies along its rows.
    turn: Option<f64>,
    corners: [Option<Position>; 4],
    cap: Cap,
    /// Points of an all-sky map, for `shape_box`.
    inside: OnceLock<Vec<([f64; 2], Position)>>,
    /// Those at which its sky ends.
    limb: OnceLock<Vec<([f64; 2], Position)>>,
}

/// No box is wider; what a person means by more is the whole image.
const WIDEST: f64 = 1e9;

impl Wcs {
    /// The coordinates of an image; `None` if it has no pair of celestial axes.
    pub(super) fn new(hdu: usize, header: &Header, shape: &[u64]) -> Result<Option<Self>, String> {
        let Some(found) = celestial_header(header, shape)? else {
            return Ok(None);
        };
        let parsed = catch_unwind(|| {
            let header = fits_well::header::Header::parse(&found.cards)?;
            wcs::Wcs::from_header(&header, None)
        });
        let inner = parsed
            .map_err(|_| "its keywords could not be read")?
            .map_err(|error| error.to_string())?;
        let description = inner.description();
        if !description.unsupported_axes.is_empty() || description.celestial_projection.is_none() {
            return Err(format!("{} is not a projection that is read", found.ctype));
        }
        let shape = [shape[found.axes.x], shape[found.axes.y]];
        let mut wcs = Self {
            hdu,
            inner,
            axes: found.axes,
            frame: Frame::new(found.system),
            shape,
            turn: found.turn,
            corners: [None; 4],
            cap: Cap {
                centre: Position { ra: 0.0, dec: 0.0 },
                radius: 180.0,
            },
            inside: OnceLock::new(),
            limb: OnceLock::new(),
        };
        let [width, height] = shape.map(|n| n as f64 + 0.5);
        wcs.corners =
            [[0.5, 0.5], [width, 0.5], [width, height], [0.5, height]].map(|corner| wcs.to_sky(corner));
        wcs.cap = wcs.bounding_cap();
        Ok(Some(wcs))
    }

    /// The frame that the image's coordinates are in. All methods here take and give ICRS.
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// The image's axes that are x and y of every pixel and box here, 0-based (0 is NAXIS1).
    pub fn axes(&self) -> [usize; 2] {
        [self.axes.x, self.axes.y]
    }

    /// Pixels of these two axes.
    pub fn shape(&self) -> [u64; 2] {
        self.shape
    }

    /// The 1-based pixel of a position; `None` where the projection or the inverse of its distortion has none.
    pub fn to_pixel(&self, position: Position) -> Option<[f64; 2]> {
        let (lon, lat) = self.frame.from_icrs(position);
        let world = if self.axes.latitude_first {
            [lat, lon]
        } else {
            [lon, lat]
        };
        let mut pixel = [0.0; 2];
        guarded(|| self.inner.world_to_pixel(&world, &mut pixel))?;
        if !pixel.iter().all(|value| value.is_finite()) {
            return None;
        }
        // A cylinder's rows go around the sky: take the turn that is nearest to the image.
        if let Some(turn) = self.turn {
            let middle = self.shape[0] as f64 / 2.0 + 0.5;
            pixel[0] -= ((pixel[0] - middle) / turn).round() * turn;
        }
        Some(pixel)
    }

    /// The position of a 1-based pixel; `None` where the projection has none.
    pub fn to_sky(&self, [x, y]: [f64; 2]) -> Option<Position> {
        // On a cylinder a pixel beyond the seam is one a turn away.
        let turn = self.turn.unwrap_or(0.0);
        let at = |x: f64| {
            let mut world = [0.0; 2];
            guarded(|| self.inner.pixel_to_world(&[x, y], &mut world))?;
            world.iter().all(|value| value.is_finite()).then_some(world)
        };
        let world = at(x).or_else(|| {
            if turn > 0.0 {
                at(x - turn).or_else(|| at(x + turn))
            } else {
                None
            }
        })?;
        let [lon, lat] = if self.axes.latitude_first {
            [world[1], world[0]]
        } else {
            world
        };
        Some(self.frame.to_icrs(lon, lat))
    }

    /// Degrees of sky of a pixel's width and height, measured through its middle.
    pub fn scale(&self, [x, y]: [f64; 2]) -> Option<[f64; 2]> {
        let across = |dx: f64, dy: f64| {
            let degrees = self
                .to_sky([x - dx, y - dy])?
                .separation(self.to_sky([x + dx, y + dy])?);
            (degrees > 0.0).then_some(degrees)
        };
        Some([across(0.5, 0.0)?, across(0.0, 0.5)?])
    }

    /// The box of `size` around `position`.
    ///
    /// It is `round(size / scale)` pixels wide, at least 1, with the scale of the pixel at the position, and
    /// lies so that its middle is as near to the position as whole pixels allow: the first column is
    /// `ceil(x - width / 2)` (an odd width has its middle in the pixel that the position rounds to). Rows
    /// likewise. The box may hang over the edges; an error if it lies beside the image, or if the position
    /// has no pixel.
    pub fn pixel_box(&self, position: Position, size: Size) -> Result<PixelBox, FitsError> {
        let outside = || FitsError::Outside {
            hdu: self.hdu,
            what: shown(position),
            how: "lies beside",
        };
        // A polynomial folds far positions back onto the image, so those are sorted out first.
        let margin = |length| match length {
            Length::Degrees(degrees) => degrees,
            Length::Pixels(pixels) => f64::from(pixels) * self.coarse_scale(),
        };
        if !self
            .cap
            .near(position, margin(size.width).hypot(margin(size.height)))
        {
            return Err(outside());
        }
        let pixel = self
            .to_pixel(position)
            .filter(|pixel| pixel.iter().all(|value| value.abs() < 1e12));
        let (Some([x, y]), Some(scale)) = (pixel, pixel.and_then(|pixel| self.scale(pixel))) else {
            return Err(outside());
        };
        let (x_min, x_max) = extent(x, size.width, scale[0]);
        let (y_min, y_max) = extent(y, size.height, scale[1]);
        let area = PixelBox {
            x_min,
            x_max,
            y_min,
            y_max,
        };
        if area.trimmed(self.shape[0], self.shape[1]).is_none() {
            return Err(outside());
        }
        Ok(area)
    }

    /// The outer corners of the image: of its first pixel, then around along the first row. `None` where the
    /// projection has no sky, as in the corners of an all-sky map.
    pub fn corners(&self) -> [Option<Position>; 4] {
        self.corners
    }

    /// A cap that holds the whole image; the whole sky if the image reaches around or beyond it.
    pub fn cap(&self) -> Cap {
        self.cap
    }

    /// Degrees per pixel over the whole image, no less than any that matters for a bound.
    fn coarse_scale(&self) -> f64 {
        2.0 * self.cap.radius / self.shape[0].min(self.shape[1]).max(1) as f64
    }

    fn bounding_cap(&self) -> Cap {
        const STEPS: u32 = 32;
        let [width, height] = self.shape.map(|n| n as f64);
        let sky = Cap {
            centre: Position { ra: 0.0, dec: 0.0 },
            radius: 180.0,
        };
        let Some(centre) = self.to_sky([width / 2.0 + 0.5, height / 2.0 + 0.5]) else {
            return sky;
        };
        let mut radius = 0.0_f64;
        for step in 0..=STEPS {
            let along = f64::from(step) / f64::from(STEPS);
            let (x, y) = (0.5 + along * width, 0.5 + along * height);
            for edge in [[x, 0.5], [x, height + 0.5], [0.5, y], [width + 0.5, y]] {
                let Some(position) = self.to_sky(edge) else {
                    return Cap {
                        centre,
                        radius: 180.0,
                    };
                };
                radius = radius.max(centre.separation(position));
            }
        }
        // Between the samples an edge may bend outwards a little. An outline beyond a hemisphere does not
        // bound its inside.
        radius = radius * 1.01 + 1e-6;
        Cap {
            centre,
            radius: if radius > 80.0 { 180.0 } else { radius },
        }
    }
}

/// First and last pixel of a side of a box around `middle`.
fn extent(middle: f64, length: Length, scale: f64) -> (i64, i64) {
    let pixels = match length {
        Length::Pixels(pixels) => f64::from(pixels),
        Length::Degrees(degrees) => (degrees / scale).round(),
    };
    let pixels = pixels.clamp(1.0, WIDEST);
    let first = (middle - pixels / 2.0).ceil() as i64;
    (first, first + pixels as i64 - 1)
}

/// What the library can do with numbers that a file made up; a panic of it is no result either.
fn guarded(transform: impl FnOnce() -> fits_well::Result<()>) -> Option<()> {
    catch_unwind(AssertUnwindSafe(transform)).ok()?.ok()
}

fn shown(position: Position) -> String {
    format!("position {:.6} {:+.6}", position.ra, position.dec)
}

impl fmt::Debug for Wcs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wcs")
            .field("frame", &self.frame.system())
            .field("cap", &self.cap)
            .finish_non_exhaustive()
    }
}
