//! Colour maps.

use std::str::FromStr;

use colorous::Gradient;

/// The colours from the lower cut to the upper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColourMap {
    /// Black to white.
    Grey,
    /// Even steps for every eye, in print too.
    Viridis,
    /// Dark to light through purple.
    Magma,
    /// Dark to light through red.
    Inferno,
    /// Green's helix: ever brighter, all hues.
    Cubehelix,
    /// Blue – white – red, for maps about zero: cold is blue.
    RedBlue,
}

impl ColourMap {
    /// All of them, by the names that astronomers know from matplotlib.
    pub const NAMES: &'static [&'static str] =
        &["grey", "viridis", "magma", "inferno", "cubehelix", "rdbu_r"];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            ColourMap::Grey => "grey",
            ColourMap::Viridis => "viridis",
            ColourMap::Magma => "magma",
            ColourMap::Inferno => "inferno",
            ColourMap::Cubehelix => "cubehelix",
            ColourMap::RedBlue => "rdbu_r",
        }
    }

    /// Whether it has a middle that it diverges from.
    pub fn diverges(self) -> bool {
        self == ColourMap::RedBlue
    }

    /// Red, green and blue of a share, 0 to 1.
    pub fn colour(self, share: f64) -> [u8; 3] {
        let of = |gradient: Gradient, share| gradient.eval_continuous(share).as_array();
        match self {
            ColourMap::Grey => [(share * 255.0).round() as u8; 3],
            ColourMap::Viridis => of(colorous::VIRIDIS, share),
            ColourMap::Magma => of(colorous::MAGMA, share),
            ColourMap::Inferno => of(colorous::INFERNO, share),
            ColourMap::Cubehelix => of(colorous::CUBEHELIX, share),
            ColourMap::RedBlue => of(colorous::RED_BLUE, 1.0 - share),
        }
    }
}

impl FromStr for ColourMap {
    type Err = ();

    fn from_str(text: &str) -> Result<ColourMap, ()> {
        let all = [
            ColourMap::Grey,
            ColourMap::Viridis,
            ColourMap::Magma,
            ColourMap::Inferno,
            ColourMap::Cubehelix,
            ColourMap::RedBlue,
        ];
        let text = if text.eq_ignore_ascii_case("gray") {
            "grey"
        } else {
            text
        };
        all.into_iter()
            .find(|map| map.name().eq_ignore_ascii_case(text))
            .ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_run_the_way_that_they_should() {
        for name in ColourMap::NAMES {
            let map: ColourMap = name.parse().unwrap();
            assert_eq!(map.name(), *name);
            let light = |share| map.colour(share).map(u32::from).iter().sum::<u32>();
            if map.diverges() {
                let ([red, _, blue], [hot_red, _, hot_blue]) = (map.colour(0.0), map.colour(1.0));
                assert!(blue > red && hot_red > hot_blue, "{name}");
                assert!(light(0.5) > light(0.1) && light(0.5) > light(0.9), "{name}");
                assert!(map.colour(0.5).iter().all(|c| *c > 235), "{name}");
            } else {
                assert!(light(0.0) < light(0.5) && light(0.5) < light(1.0), "{name}");
            }
        }
        assert_eq!("GRAY".parse(), Ok(ColourMap::Grey));
        assert!("jet".parse::<ColourMap>().is_err());
    }
}
