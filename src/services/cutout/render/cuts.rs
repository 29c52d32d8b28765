//! Cuts: the values that are drawn as the first and the last colour.

use std::{fmt, str::FromStr};

/// How cuts are found. Only finite values count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cuts {
    /// These values, the first below the second.
    Values(f64, f64),
    /// Two percentiles, 0 to 100, the first below the second, interpolated linearly.
    Percentiles(f64, f64),
    /// From −v to v, where v is this percentile of the absolute values.
    Symmetric(f64),
    /// Least and greatest.
    MinMax,
    /// IRAF's zscale with its usual contrast (0.25) and 1,000 samples.
    ZScale,
}

/// What is expected of CUTS.
pub const FORMS: &str = "expected MIN,MAX in the image's unit, P% (the central part of the pixels), LOW%,HIGH%, \
                         symmetric, symmetric P%, minmax or zscale";

impl Cuts {
    /// Leaves as many percent out at both ends that `percent` stay.
    pub fn central(percent: f64) -> Cuts {
        Cuts::Percentiles((100.0 - percent) / 2.0, f64::midpoint(100.0, percent))
    }

    /// The cuts of an image.
    pub fn limits(&self, values: &[f64]) -> Limits {
        let finite = values.iter().copied().filter(|value| value.is_finite());
        let (low, high) = match *self {
            Cuts::Values(low, high) => (low, high),
            Cuts::Percentiles(low, high) => {
                let mut values: Vec<f64> = finite.collect();
                (percentile(&mut values, low), percentile(&mut values, high))
            }
            Cuts::Symmetric(percent) => {
                let mut values: Vec<f64> = finite.map(f64::abs).collect();
                let most = percentile(&mut values, percent);
                (-most, most)
            }
            Cuts::MinMax => finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                (low.min(value), high.max(value))
            }),
            Cuts::ZScale => zscale(&finite.collect::<Vec<_>>()),
        };
        if low.is_finite() && high.is_finite() {
            Limits { low, high }
        } else {
            // There is no value.
            Limits { low: 0.0, high: 0.0 }
        }
    }
}

/// The cuts of one image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Drawn as the first colour, with what is below.
    pub low: f64,
    /// Drawn as the last colour, with what is above.
    pub high: f64,
}

impl Limits {
    /// Where a value lies in between, 0 to 1. If the cuts are one value, as of a constant image, it lies in the middle.
    pub fn share(&self, value: f64) -> f64 {
        match (value <= self.low, value >= self.high) {
            (true, true) => return 0.5,
            (true, false) => return 0.0,
            (false, true) => return 1.0,
            (false, false) => {}
        }
        // Halves, since the span of the largest numbers is none.
        (value / 2.0 - self.low / 2.0) / (self.high / 2.0 - self.low / 2.0)
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}", self.low, self.high)
    }
}

impl fmt::Display for Cuts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cuts::Values(low, high) => write!(f, "{low:?},{high:?}"),
            Cuts::Percentiles(low, high) => write!(f, "{low}%,{high}%"),
            Cuts::Symmetric(percent) => write!(f, "symmetric {percent}%"),
            Cuts::MinMax => f.write_str("minmax"),
            Cuts::ZScale => f.write_str("zscale"),
        }
    }
}

impl FromStr for Cuts {
    type Err = String;

    /// Reads CUTS, in any case; two values stand apart by a comma or blanks.
    fn from_str(text: &str) -> Result<Cuts, String> {
        let lower = text.trim().to_ascii_lowercase();
        let words: Vec<&str> = lower.split([',', ' ']).filter(|word| !word.is_empty()).collect();
        match words[..] {
            ["minmax"] => Ok(Cuts::MinMax),
            ["zscale"] => Ok(Cuts::ZScale),
            ["symmetric"] => Ok(Cuts::Symmetric(99.5)),
            ["symmetric", percent] => match percentage(percent) {
                Some(percent) if percent > 0.0 => Ok(Cuts::Symmetric(percent)),
                _ => Err(FORMS.into()),
            },
            [percent] => match percentage(percent) {
                Some(percent) if percent > 0.0 => Ok(Cuts::central(percent)),
                _ => Err(FORMS.into()),
            },
            [low, high] => match (percentage(low), percentage(high), number(low), number(high)) {
                (Some(low), Some(high), ..) => ordered(low, high).map(|()| Cuts::Percentiles(low, high)),
                (.., Some(low), Some(high)) => ordered(low, high).map(|()| Cuts::Values(low, high)),
                _ => Err(FORMS.into()),
            },
            _ => Err(FORMS.into()),
        }
    }
}

fn ordered(low: f64, high: f64) -> Result<(), String> {
    if low < high {
        Ok(())
    } else {
        Err("the first cut must be below the second; INVERT turns the colours around".into())
    }
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

fn percentage(text: &str) -> Option<f64> {
    number(text.strip_suffix('%')?).filter(|percent| (0.0..=100.0).contains(percent))
}

/// The percentile of values, which it brings into another order; NaN of none.
fn percentile(values: &mut [f64], percent: f64) -> f64 {
    let Some(last) = values.len().checked_sub(1) else {
        return f64::NAN;
    };
    let place = percent / 100.0 * last as f64;
    let at = (place.floor() as usize).min(last);
    let (_, &mut below, above) = values.select_nth_unstable_by(at, f64::total_cmp);
    let next = above.iter().copied().min_by(f64::total_cmp).unwrap_or(below);
    let share = place - at as f64;
    below * (1.0 - share) + next * share
}

/// Samples that zscale takes.
const SAMPLES: usize = 1000;
/// What zscale leaves out, in deviations from its line.
const REJECT: f64 = 2.5;
/// Rounds of leaving out.
const ROUNDS: usize = 5;
/// Least number of samples to go by.
const LEAST: usize = 5;
/// How much of the slope is shown.
const CONTRAST: f64 = 0.25;

/// Cuts about the median whose span goes by the slope of a line through the sorted samples, outliers left out: what
/// IRAF's `display` does, in the form of astropy's `ZScaleInterval`.
fn zscale(values: &[f64]) -> (f64, f64) {
    let stride = (values.len() / SAMPLES).max(1);
    let mut samples: Vec<f64> = values.iter().copied().step_by(stride).take(SAMPLES).collect();
    samples.sort_unstable_by(f64::total_cmp);
    let (Some(&least), Some(&greatest)) = (samples.first(), samples.last()) else {
        return (f64::NAN, f64::NAN);
    };
    let count = samples.len();
    let needed = LEAST.max(count / 2);
    let grow = (count / 100).max(1);
    let mut bad = vec![false; count];
    let (mut good, mut before) = (count, count + 1);
    let mut slope = 0.0;
    for _ in 0..ROUNDS {
        if good >= before || good < needed {
            break;
        }
        let line = Line::through(&samples, &bad);
        slope = line.slope;
        let off: Vec<f64> = (0..count).map(|at| samples[at] - line.at(at)).collect();
        let threshold = REJECT
            * deviation(
                off.iter()
                    .zip(&bad)
                    .filter(|(_, bad)| !**bad)
                    .map(|(off, _)| *off),
            );
        for (bad, off) in bad.iter_mut().zip(&off) {
            *bad |= off.abs() > threshold;
        }
        bad = grown(&bad, grow);
        before = good;
        good = bad.iter().filter(|bad| !**bad).count();
    }
    if good < needed {
        return (least, greatest);
    }
    let slope = slope / CONTRAST;
    let median = f64::midpoint(samples[(count - 1) / 2], samples[count / 2]);
    let centre = (count - 1) / 2;
    (
        least.max(median - (centre as f64 - 1.0) * slope),
        greatest.min(median + (count - centre) as f64 * slope),
    )
}

/// A straight line over places 0, 1, 2…
struct Line {
    slope: f64,
    middle: (f64, f64),
}

impl Line {
    /// By least squares through the samples that are not bad.
    fn through(samples: &[f64], bad: &[bool]) -> Line {
        let good = || {
            let places = samples.iter().enumerate().zip(bad);
            places
                .filter(|(_, bad)| !**bad)
                .map(|((at, sample), _)| (at as f64, *sample))
        };
        let count = good().count().max(1) as f64;
        let (x, y) = good().fold((0.0, 0.0), |(x, y), sample| {
            (x + sample.0 / count, y + sample.1 / count)
        });
        let (xx, xy) = good().fold((0.0, 0.0), |(xx, xy), sample| {
            (xx + (sample.0 - x).powi(2), xy + (sample.0 - x) * (sample.1 - y))
        });
        Line {
            slope: if xx > 0.0 { xy / xx } else { 0.0 },
            middle: (x, y),
        }
    }

    fn at(&self, place: usize) -> f64 {
        self.middle.1 + self.slope * (place as f64 - self.middle.0)
    }
}

fn deviation(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let count = values.clone().count().max(1) as f64;
    let mean = values.clone().sum::<f64>() / count;
    (values.map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt()
}

/// What is bad, with its neighbours: `by` wide, one more before than after where that is even.
fn grown(bad: &[bool], by: usize) -> Vec<bool> {
    let (before, after) = (by / 2, (by - 1) / 2);
    (0..bad.len())
        .map(|at| bad[at.saturating_sub(before)..(at + after + 1).min(bad.len())].contains(&true))
        .collect()
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "exact by construction")]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_written() {
        for (text, cuts) in [
            ("-1.5,2e3", Cuts::Values(-1.5, 2000.0)),
            (" 0  1 ", Cuts::Values(0.0, 1.0)),
            ("99%", Cuts::Percentiles(0.5, 99.5)),
            ("1%, 99.5%", Cuts::Percentiles(1.0, 99.5)),
            ("Symmetric", Cuts::Symmetric(99.5)),
            ("symmetric 90%", Cuts::Symmetric(90.0)),
            ("MINMAX", Cuts::MinMax),
            ("zscale", Cuts::ZScale),
        ] {
            assert_eq!(text.parse(), Ok(cuts), "{text}");
            assert_eq!(cuts.to_string().parse(), Ok(cuts), "{cuts}");
        }
        for text in [
            "",
            ",",
            "1",
            "1,2,3",
            "1%,2",
            "101%",
            "-1%,50%",
            "0%",
            "nan,1",
            "0,inf",
            "1e999,2",
            "symmetric 0%",
            "symmetric 5",
            "best",
        ] {
            assert_eq!(text.parse::<Cuts>(), Err(FORMS.to_owned()), "{text}");
        }
        for reversed in ["2,1", "1,1", "99%,1%"] {
            assert!(
                reversed.parse::<Cuts>().unwrap_err().contains("INVERT"),
                "{reversed}"
            );
        }
    }

    #[test]
    fn cuts_of_few_values() {
        let values = [f64::NAN, 4.0, 1.0, f64::INFINITY, -3.0, 2.0];
        for (cuts, low, high) in [
            (Cuts::MinMax, -3.0, 4.0),
            (Cuts::Percentiles(0.0, 50.0), -3.0, 1.5),
            (Cuts::Symmetric(100.0), -4.0, 4.0),
            (Cuts::Values(7.0, 8.0), 7.0, 8.0),
            // Too few for a line.
            (Cuts::ZScale, -3.0, 4.0),
        ] {
            assert_eq!(cuts.limits(&values), Limits { low, high }, "{cuts}");
        }
    }

    #[test]
    fn images_without_values_and_constant_ones_have_cuts_too() {
        for cuts in [
            Cuts::MinMax,
            Cuts::ZScale,
            Cuts::Symmetric(99.5),
            Cuts::central(99.0),
        ] {
            for none in [&[][..], &[f64::NAN, f64::INFINITY, f64::NEG_INFINITY]] {
                assert_eq!(cuts.limits(none), Limits { low: 0.0, high: 0.0 }, "{cuts}");
            }
            let limits = cuts.limits(&[-7.0; 2000]);
            assert_eq!(limits.low, -7.0, "{cuts}");
            assert!(limits.high.abs() == 7.0, "{cuts}");
        }
    }

    #[test]
    fn shares_are_within_bounds_whatever_the_value() {
        let wide = Limits {
            low: f64::MIN,
            high: f64::MAX,
        };
        assert_eq!(wide.share(0.0), 0.5);
        let constant = Limits { low: 2.0, high: 2.0 };
        assert_eq!(
            [1.0, 2.0, 3.0].map(|value| constant.share(value)),
            [0.0, 0.5, 1.0]
        );
        let limits = Limits { low: -1.0, high: 3.0 };
        assert_eq!(limits.share(0.0), 0.25);
        assert_eq!(limits.share(f64::INFINITY), 1.0);
        assert_eq!(limits.share(f64::NEG_INFINITY), 0.0);
    }

    #[test]
    fn zscale_leaves_outliers_out() {
        let mut values: Vec<f64> = (0..5000).map(|at| f64::from(at % 100) / 100.0).collect();
        values.iter_mut().step_by(50).for_each(|value| *value = 1e6);
        let (low, high) = zscale(&values);
        assert!(
            (-0.1..0.1).contains(&low) && (0.5..100.0).contains(&high),
            "{low} {high}"
        );
    }
}
