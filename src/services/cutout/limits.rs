//! Bounds of what a job may ask for.

use crate::sky::{Length, Size};

/// Longest side of a box on the sky, in degrees.
pub const MAX_DEGREES: f64 = 10.0;
/// Longest side of a box in pixels.
pub const MAX_PIXELS: u32 = 20_000;
/// Most pixels of a piece that is drawn on demand, of one plane.
pub const MAX_PREVIEW: u64 = 1 << 24;
/// Longest name that a user may give a position, in characters.
pub const MAX_OBJID: usize = 100;
/// Longest name of a collection, band, type, tag or HDU that is looked for, in bytes.
pub const MAX_WORD: usize = 200;
/// Most pairs of position and image of a job, each of which is a row of the manifest.
pub const MAX_PAIRS: usize = 500_000;

/// Whether a box is no larger than allowed; says what is.
pub fn check_size(size: Size) -> Result<(), String> {
    for side in [size.width, size.height] {
        let within = match side {
            Length::Degrees(degrees) => degrees <= MAX_DEGREES,
            Length::Pixels(pixels) => pixels <= MAX_PIXELS,
        };
        if !within {
            return Err(format!(
                "above the limit of {} arcmin ({MAX_DEGREES} deg) or {MAX_PIXELS} px a side",
                MAX_DEGREES * 60.0
            ));
        }
    }
    Ok(())
}
