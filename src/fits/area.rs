//! Boxes of pixels.

use std::fmt;
use std::ops::Range;

/// A box of pixels of an image's celestial axes: 1-based, both ends included, in pixels of the source. It may
/// hang over the image's edges, even lie outside of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PixelBox {
    /// First column.
    pub x_min: i64,
    /// Last column, not before the first.
    pub x_max: i64,
    /// First row.
    pub y_min: i64,
    /// Last row, not before the first.
    pub y_max: i64,
}

/// A part of an image: a box on its two celestial axes (the first two if it has none), and how much of every other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Region {
    /// The box.
    pub area: PixelBox,
    /// For each other axis, in ascending order, its pixels: 0-based, half open, on the image. Empty means all of
    /// every other axis.
    pub planes: Vec<Range<u64>>,
}

impl From<PixelBox> for Region {
    fn from(area: PixelBox) -> Self {
        Self {
            area,
            planes: Vec::new(),
        }
    }
}

/// What becomes of a box that hangs over the edges of its image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Edge {
    /// The cutout is what lies on the image.
    #[default]
    Trim,
    /// The cutout is the whole box. Pixels outside of the image are NaN, or BLANK for whole numbers. If there
    /// is no BLANK, one is declared: the least, the largest or else any value of the type that no pixel of the
    /// cutout has.
    Pad,
    /// It is an error.
    Strict,
}

impl PixelBox {
    /// Columns.
    pub fn width(&self) -> u64 {
        span(self.x_min, self.x_max)
    }

    /// Rows.
    pub fn height(&self) -> u64 {
        span(self.y_min, self.y_max)
    }

    /// Its part on an image of `width` x `height` pixels; `None` if none is.
    pub fn trimmed(&self, width: u64, height: u64) -> Option<Self> {
        let most = |length: u64| i64::try_from(length).unwrap_or(i64::MAX);
        let trimmed = Self {
            x_min: self.x_min.max(1),
            x_max: self.x_max.min(most(width)),
            y_min: self.y_min.max(1),
            y_max: self.y_max.min(most(height)),
        };
        (trimmed.x_min <= trimmed.x_max && trimmed.y_min <= trimmed.y_max).then_some(trimmed)
    }

    /// The share of it, 0 to 1, that lies on an image of `width` x `height` pixels.
    pub fn coverage(&self, width: u64, height: u64) -> f64 {
        self.trimmed(width, height).map_or(0.0, |on| {
            on.width() as f64 * on.height() as f64 / (self.width() as f64 * self.height() as f64)
        })
    }

    /// Its columns and rows, 0-based and half open, if it lies on the image.
    pub(super) fn ranges(&self) -> Option<[Range<u64>; 2]> {
        let range =
            |min: i64, max: i64| Some(u64::try_from(min.checked_sub(1)?).ok()?..u64::try_from(max).ok()?);
        Some([range(self.x_min, self.x_max)?, range(self.y_min, self.y_max)?])
    }
}

fn span(min: i64, max: i64) -> u64 {
    (i128::from(max) - i128::from(min) + 1).clamp(0, u64::MAX.into()) as u64
}

impl fmt::Display for PixelBox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "[{}:{}, {}:{}]",
            self.x_min, self.x_max, self.y_min, self.y_max
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_are_trimmed_and_their_share_is_counted() {
        let area = PixelBox {
            x_min: -4,
            x_max: 5,
            y_min: 91,
            y_max: 100,
        };
        assert_eq!((area.width(), area.height()), (10, 10));
        let on = area.trimmed(100, 95).expect("half of it is there");
        assert_eq!(
            on,
            PixelBox {
                x_min: 1,
                x_max: 5,
                y_min: 91,
                y_max: 95
            }
        );
        assert_eq!(on.ranges(), Some([0..5, 90..95]));
        assert!((area.coverage(100, 95) - 0.25).abs() < 1e-12);
        assert_eq!(area.trimmed(100, 90), None);
        assert!(area.coverage(100, 90).abs() < 1e-12);
        assert_eq!(area.ranges(), None);
        let all = PixelBox {
            x_min: i64::MIN,
            x_max: i64::MAX,
            y_min: 1,
            y_max: 1,
        };
        assert!(all.trimmed(u64::MAX, 1).is_some());
    }
}
