//! Sizes of boxes on the sky or in pixels.

use std::str::FromStr;

use thiserror::Error;

/// One side of a box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Length {
    /// Degrees on the sky, above 0.
    Degrees(f64),
    /// Whole pixels, at least 1.
    Pixels(u32),
}

/// Width (along the image's first celestial axis) and height of a box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Size {
    /// Along x.
    pub width: Length,
    /// Along y.
    pub height: Length,
}

/// Why a size could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SizeError {
    /// Not `W` or `W,H` with a known suffix.
    #[error("size {0:?} is not W or W,H, each a number with arcsec, arcmin (the default), deg or px")]
    Unreadable(String),
    /// Zero, negative, or a fraction of pixels.
    #[error("size {0:?} is not above 0 (whole pixels if px)")]
    NotPositive(String),
}

impl Size {
    /// A square or rectangle of arcminutes; an error unless both are finite and above 0.
    pub fn arcmin(width: f64, height: f64) -> Result<Self, SizeError> {
        let length = |value: f64| {
            if value.is_finite() && value > 0.0 {
                Ok(Length::Degrees(value / 60.0))
            } else {
                Err(SizeError::NotPositive(value.to_string()))
            }
        };
        Ok(Self {
            width: length(width)?,
            height: length(height)?,
        })
    }
}

impl FromStr for Size {
    type Err = SizeError;

    /// `W` or `W,H` with suffix arcsec, arcmin, deg or px. A side without a suffix has the other's; if none
    /// has one, both are arcminutes.
    fn from_str(text: &str) -> Result<Self, SizeError> {
        let shown = || text.trim().chars().take(40).collect::<String>();
        let unreadable = || SizeError::Unreadable(shown());
        let (width, height) = match text.split_once(',') {
            Some((width, height)) => (width, Some(height)),
            None => (text, None),
        };
        let (width, width_unit) = Unit::split(width).ok_or_else(unreadable)?;
        let (height, height_unit) = match height {
            Some(height) => Unit::split(height).ok_or_else(unreadable)?,
            None => (width, width_unit),
        };
        let unit = width_unit.or(height_unit).unwrap_or(Unit::Arcmin);
        let width = width_unit.unwrap_or(unit).length(width);
        let height = height_unit.unwrap_or(unit).length(height);
        match (width, height) {
            (Some(width), Some(height)) => Ok(Self { width, height }),
            _ => Err(SizeError::NotPositive(shown())),
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Unit {
    Arcsec,
    Arcmin,
    Degree,
    Pixel,
}

impl Unit {
    fn split(text: &str) -> Option<(f64, Option<Self>)> {
        let text = text.trim().to_ascii_lowercase();
        let units = [
            ("arcsec", Self::Arcsec),
            ("arcmin", Self::Arcmin),
            ("deg", Self::Degree),
            ("px", Self::Pixel),
        ];
        let (number, unit) = units
            .into_iter()
            .find_map(|(name, unit)| Some((text.strip_suffix(name)?, Some(unit))))
            .unwrap_or((&text, None));
        let number = number.trim();
        let plain = number
            .bytes()
            .all(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e'));
        let value = number
            .parse::<f64>()
            .ok()
            .filter(|value| plain && value.is_finite())?;
        Some((value, unit))
    }

    fn length(self, value: f64) -> Option<Length> {
        let degrees = match self {
            Self::Pixel => {
                let whole = value.fract() == 0.0 && (1.0..=f64::from(u32::MAX)).contains(&value);
                return whole.then_some(Length::Pixels(value as u32));
            }
            Self::Arcsec => value / 3600.0,
            Self::Arcmin => value / 60.0,
            Self::Degree => value,
        };
        (degrees > 0.0).then_some(Length::Degrees(degrees))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_take_units_and_default_to_arcminutes() {
        let arcmin = |w: f64, h: f64| Size::arcmin(w, h).expect("positive");
        let px = |w, h| Size {
            width: Length::Pixels(w),
            height: Length::Pixels(h),
        };
        for (text, want) in [
            ("10", arcmin(10.0, 10.0)),
            ("10,5", arcmin(10.0, 5.0)),
            (" 2.5 arcmin ", arcmin(2.5, 2.5)),
            ("256px", px(256, 256)),
            ("256,128 PX", px(256, 128)),
            ("256px,128", px(256, 128)),
            (
                "1deg",
                Size {
                    width: Length::Degrees(1.0),
                    height: Length::Degrees(1.0),
                },
            ),
            (
                "36arcsec",
                Size {
                    width: Length::Degrees(0.01),
                    height: Length::Degrees(0.01),
                },
            ),
        ] {
            assert_eq!(text.parse::<Size>(), Ok(want), "{text}");
        }
        for text in [
            "",
            "big",
            "10,",
            ",10",
            "1,2,3",
            "nan",
            "inf",
            "10 parsec",
            "1e400",
        ] {
            assert!(
                matches!(text.parse::<Size>(), Err(SizeError::Unreadable(_))),
                "{text}"
            );
        }
        for text in ["0", "-1", "10,-1", "2.5px", "0px"] {
            assert!(
                matches!(text.parse::<Size>(), Err(SizeError::NotPositive(_))),
                "{text}"
            );
        }
    }
}
