//! Caps of the sphere: what lies within a radius of a point.

use super::Position;

/// The part of the sky within `radius` of `centre`: a quick bound of an image's footprint.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cap {
    /// Its middle.
    pub centre: Position,
    /// Degrees, 0 to 180; 180 is the whole sky.
    pub radius: f64,
}

impl Cap {
    /// The least cap around `centre` that holds all of `positions`.
    pub fn around(centre: Position, positions: &[Position]) -> Self {
        let radius = positions
            .iter()
            .map(|position| centre.separation(*position))
            .fold(0.0, f64::max);
        Self { centre, radius }
    }

    /// Whether `position` lies within it, its edge included.
    pub fn contains(&self, position: Position) -> bool {
        self.near(position, 0.0)
    }

    /// Whether `position` lies within it or at most `margin` degrees outside of it.
    pub fn near(&self, position: Position, margin: f64) -> bool {
        self.radius >= 180.0 || self.centre.separation(position) <= self.radius + margin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cap_knows_its_points_across_the_origin_and_the_pole() {
        let cap = Cap {
            centre: Position { ra: 0.0, dec: 89.0 },
            radius: 2.0,
        };
        assert!(cap.contains(Position { ra: 180.0, dec: 89.5 }));
        assert!(!cap.contains(Position { ra: 180.0, dec: 88.5 }));
        assert!(cap.near(Position { ra: 180.0, dec: 88.5 }, 0.6));
        let all = Cap {
            centre: Position { ra: 0.0, dec: 0.0 },
            radius: 180.0,
        };
        assert!(all.contains(Position { ra: 180.0, dec: 0.0 }));
    }
}
