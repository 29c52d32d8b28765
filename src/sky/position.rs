//! A point of the sky.

use super::angle::{self, AngleError};

/// An ICRS position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Position {
    /// Right ascension, deg, 0 to 360.
    pub ra: f64,
    /// Declination, deg, −90 to 90.
    pub dec: f64,
}

impl Position {
    /// A position read from two texts; see [`angle::parse_ra`] and [`angle::parse_dec`].
    pub fn parse(ra: &str, dec: &str) -> Result<Self, AngleError> {
        Ok(Self {
            ra: angle::parse_ra(ra)?,
            dec: angle::parse_dec(dec)?,
        })
    }

    /// The unit vector towards it: x to (0, 0), y to (90, 0), z to the pole.
    pub fn unit(self) -> [f64; 3] {
        unit(self.ra, self.dec)
    }

    /// The position that a vector of any length points at; RA in 0 to 360 (360 excluded).
    pub fn from_vector(vector: [f64; 3]) -> Self {
        let (ra, dec) = angles(vector);
        Self { ra, dec }
    }

    /// Degrees of great circle between two positions; exact for the smallest and the largest.
    pub fn separation(self, other: Self) -> f64 {
        separation(self.unit(), other.unit())
    }

    /// `J{hhmmss.ss}{±ddmmss.s}`. Rounded to the nearest 0.01 s and 0.1″, so that the name is as near as its
    /// digits allow; the IAU's truncation is for names of catalogued sources, which this is not.
    pub fn name(self) -> String {
        const DAY: u64 = 24 * 3600 * 100;
        let ra = (self.ra.rem_euclid(360.0) / 360.0 * DAY as f64).round() as u64 % DAY;
        let dec = (self.dec.abs() * 36000.0).round() as u64;
        let sign = if self.dec < 0.0 && dec > 0 { '-' } else { '+' };
        format!(
            "J{:02}{:02}{:02}.{:02}{sign}{:02}{:02}{:02}.{}",
            ra / 360_000,
            ra / 6000 % 60,
            ra / 100 % 60,
            ra % 100,
            dec / 36000,
            dec / 600 % 60,
            dec / 10 % 60,
            dec % 10
        )
    }
}

/// Longitude and latitude (deg) to a unit vector.
pub(super) fn unit(lon: f64, lat: f64) -> [f64; 3] {
    let (sin_lon, cos_lon) = lon.to_radians().sin_cos();
    let (sin_lat, cos_lat) = lat.to_radians().sin_cos();
    [cos_lat * cos_lon, cos_lat * sin_lon, sin_lat]
}

/// A vector to longitude (0 to 360) and latitude, deg.
pub(super) fn angles([x, y, z]: [f64; 3]) -> (f64, f64) {
    let lon = y.atan2(x).to_degrees().rem_euclid(360.0);
    // rem_euclid of a tiny negative number rounds to 360 itself.
    let lon = if lon >= 360.0 { 0.0 } else { lon };
    (lon, z.atan2(x.hypot(y)).to_degrees())
}

/// Degrees between two vectors of any length.
pub(super) fn separation(a: [f64; 3], b: [f64; 3]) -> f64 {
    let cross = [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ];
    let sine = (cross[0] * cross[0] + cross[1] * cross[1] + cross[2] * cross[2]).sqrt();
    let cosine = a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    sine.atan2(cosine).to_degrees()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_and_carry() {
        for (ra, dec, want) in [
            (250.4226, 36.4602, "J164141.42+362736.7"),
            (0.0, 0.0, "J000000.00+000000.0"),
            (359.999_999_99, -0.000_001, "J000000.00+000000.0"),
            (359.999_93, -0.000_02, "J235959.98-000000.1"),
            (360.0, 89.999_999, "J000000.00+900000.0"),
            (187.5, -57.508_333_333, "J123000.00-573030.0"),
            (14.999_999_99, 9.999_999_9, "J010000.00+100000.0"),
        ] {
            assert_eq!(Position { ra, dec }.name(), want, "{ra} {dec}");
        }
    }

    #[test]
    fn vectors_and_separations_agree() {
        let p = Position {
            ra: 250.4226,
            dec: 36.4602,
        };
        let back = Position::from_vector(p.unit());
        assert!((back.ra - p.ra).abs() < 1e-12 && (back.dec - p.dec).abs() < 1e-12);
        let near = Position {
            ra: p.ra,
            dec: p.dec + 1e-9,
        };
        assert!((p.separation(near) - 1e-9).abs() < 1e-14);
        let across = Position { ra: 359.5, dec: 0.0 }.separation(Position { ra: 0.5, dec: 0.0 });
        assert!((across - 1.0).abs() < 1e-12);
        let poles = Position { ra: 10.0, dec: 90.0 }.separation(Position { ra: 77.0, dec: -90.0 });
        assert!((poles - 180.0).abs() < 1e-12);
        assert!(Position::from_vector([1.0, -1e-30, 0.0]).ra < 360.0);
    }
}
