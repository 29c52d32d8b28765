//! Three bands in one picture, after Lupton et al. (2004, PASP 116, 133).

use super::{Cuts, Plane, cuts::Limits};

/// How far the asinh bends.
const Q: f64 = 8.0;
/// Where its slope is one.
const FRACTION: f64 = 0.1;
/// Values beyond are drawn as this one, with which can still be reckoned.
const HUGE: f64 = 1e300;

/// Red, green, blue and opacity of each pixel, and the cuts of the mean that they go by. The bands have one size.
pub fn rgba(bands: &[Plane; 3], cuts: Cuts, invert: bool) -> (Vec<u8>, Limits) {
    let [red, green, blue] = bands.each_ref().map(Plane::values);
    let black = [red, green, blue].map(|band| cuts.limits(band).low);
    let pixels = red.iter().zip(green).zip(blue).map(|((red, green), blue)| {
        let [r, g, b] = black;
        [red - r, green - g, blue - b].map(|value| value.clamp(-HUGE, HUGE))
    });
    let mean = |pixel: [f64; 3]| pixel.iter().map(|band| band / 3.0).sum::<f64>();
    let limits = match cuts {
        Cuts::Values(low, high) => Limits { low, high },
        _ => cuts.limits(&pixels.clone().map(mean).collect::<Vec<_>>()),
    };
    let span = (limits.high / 2.0 - limits.low / 2.0) * 2.0;
    // Of a constant image it does not matter.
    let span = if span > 0.0 { span.min(HUGE) } else { 1.0 };
    let slope = FRACTION / (FRACTION * Q).asinh();
    let rgba = pixels.flat_map(|pixel| {
        let mean = mean(pixel);
        if mean.is_nan() {
            return [0; 4];
        }
        let factor = if mean > 0.0 {
            (mean * (Q / span)).asinh() * slope / mean
        } else {
            0.0
        };
        let scaled = pixel.map(|band| (band * factor).max(0.0));
        let most = scaled.into_iter().fold(1.0, f64::max);
        let [r, g, b] = scaled.map(|band| {
            let level = (band / most * 255.0) as u8;
            if invert { 255 - level } else { level }
        });
        [r, g, b, 255]
    });
    (rgba.collect(), limits)
}
