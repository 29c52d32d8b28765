//! Stretches: how values between the cuts are spread over the colours.

use std::str::FromStr;

/// A function from 0…1 onto 0…1; constants as in astropy.visualization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stretch {
    /// x
    Linear,
    /// √x
    Sqrt,
    /// ln(1000 x + 1) / ln 1001
    Log,
    /// asinh(10 x) / asinh 10
    Asinh,
}

impl Stretch {
    /// All of them, by name.
    pub const NAMES: &'static [&'static str] = &["linear", "sqrt", "log", "asinh"];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Stretch::Linear => "linear",
            Stretch::Sqrt => "sqrt",
            Stretch::Log => "log",
            Stretch::Asinh => "asinh",
        }
    }

    /// Of a share of the cuts, 0 to 1. With colours that diverge it goes from the middle both ways, so that what lies as
    /// far above as below stays so.
    pub fn of(self, share: f64, both_ways: bool) -> f64 {
        if both_ways {
            let from_middle = 2.0 * share - 1.0;
            f64::midpoint(1.0, self.spread(from_middle.abs()).copysign(from_middle))
        } else {
            self.spread(share)
        }
    }

    fn spread(self, share: f64) -> f64 {
        match self {
            Stretch::Linear => share,
            Stretch::Sqrt => share.sqrt(),
            Stretch::Log => (1000.0 * share).ln_1p() / 1000_f64.ln_1p(),
            Stretch::Asinh => (10.0 * share).asinh() / 10_f64.asinh(),
        }
    }
}

impl FromStr for Stretch {
    type Err = ();

    fn from_str(text: &str) -> Result<Stretch, ()> {
        let all = [Stretch::Linear, Stretch::Sqrt, Stretch::Log, Stretch::Asinh];
        all.into_iter()
            .find(|stretch| stretch.name().eq_ignore_ascii_case(text))
            .ok_or(())
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "exact by construction")]
mod tests {
    use super::*;

    #[test]
    fn ends_and_middle_stay() {
        for name in Stretch::NAMES {
            let stretch: Stretch = name.parse().unwrap();
            assert_eq!(stretch.name(), *name);
            for share in [0.0, 1.0] {
                assert_eq!(stretch.of(share, false), share, "{name}");
                assert_eq!(stretch.of(share, true), share, "{name}");
            }
            assert_eq!(stretch.of(0.5, true), 0.5, "{name}");
            let both = stretch.of(0.3, true) + stretch.of(0.7, true);
            assert!((both - 1.0).abs() < 1e-12, "{name}");
            assert!(stretch.of(0.3, false) >= 0.3, "{name}");
        }
        assert!("histogram".parse::<Stretch>().is_err());
    }
}
