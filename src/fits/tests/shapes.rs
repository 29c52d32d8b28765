//! Boxes of shapes on images: whatever shape on whatever projection, the box holds its pixels, or there is none.
//!
//! `PROPTEST_CASES=1000000 cargo test --lib fits::tests::shapes` fuzzes for longer.

use std::f64::consts::TAU;

use proptest::prelude::*;

use super::footprints::{image, place};
use crate::{
    fits::{FitsError, PixelBox, Reason, Wcs},
    sky::{Position, Shape, Size},
};

/// A shape beside a position, its size in degrees.
#[derive(Debug, Clone)]
enum Asked {
    Circle,
    /// Directions and distances of vertices.
    Polygon(Vec<(f64, f64)>),
    /// How far to each side.
    Range([f64; 4]),
}

fn asked() -> impl Strategy<Value = Asked> {
    prop_oneof![
        Just(Asked::Circle),
        prop::collection::vec((0.0..0.4_f64, 0.2..=1.0_f64), 3..9).prop_map(Asked::Polygon),
        [0.1..1.0_f64, 0.1..1.0_f64, 0.1..1.0_f64, 0.1..1.0_f64].prop_map(Asked::Range),
    ]
}

impl Asked {
    /// The shape around a position, as SODA writes it.
    fn text(&self, Position { ra, dec }: Position, size: f64) -> String {
        let across = (size / dec.to_radians().cos().max(1e-3)).min(179.0);
        match self {
            Self::Circle => format!("CIRCLE {ra} {dec} {}", size.min(180.0)),
            Self::Polygon(vertices) => {
                let count = vertices.len() as f64;
                let texts = vertices.iter().enumerate().map(|(at, (turn, far))| {
                    let (up, right) = ((at as f64 + turn) / count * TAU).sin_cos();
                    let ra = (ra + far * across * right).rem_euclid(360.0);
                    format!(" {ra} {}", (dec + far * size * up).clamp(-90.0, 90.0))
                });
                format!("POLYGON{}", texts.collect::<String>())
            }
            Self::Range([west, east, south, north]) => format!(
                "RANGE {} {} {} {}",
                (ra - west * across).rem_euclid(360.0),
                (ra + east * across).rem_euclid(360.0),
                (dec - south * size).max(-90.0),
                (dec + north * size).min(90.0),
            ),
        }
    }
}

fn holds(area: &PixelBox, [x, y]: [i64; 2]) -> bool {
    (area.x_min..=area.x_max).contains(&x) && (area.y_min..=area.y_max).contains(&y)
}

/// What holds of every answer.
fn check(area: &Result<PixelBox, FitsError>, wcs: &Wcs) -> Result<(), TestCaseError> {
    match area {
        Ok(area) => {
            prop_assert!(area.x_min <= area.x_max && area.y_min <= area.y_max, "{area}");
            prop_assert!(area.trimmed(wcs.shape()[0], wcs.shape()[1]).is_some(), "{area}");
            let sides = [area.x_min, area.x_max, area.y_min, area.y_max];
            prop_assert!(sides.iter().all(|side| side.abs() <= 10_000_000_000), "{area}");
        }
        Err(error) => {
            prop_assert_eq!(error.reason(), Reason::OutsideFootprint);
            prop_assert!(error.to_string().len() < 500, "{}", error);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn boxes_hold_every_pixel_of_their_shapes(
        shape in prop_oneof![[60..=60_u64, 40..=40_u64], [2400..=2400_u64, 1..=1_u64], [8..=8_u64, 300..=300_u64]],
        projection in prop_oneof!["TAN", "ZEA", "AIT", "SIN", "CAR"],
        centre in place(),
        scale in -5.0..0.8_f64,
        turn in 0.0..360.0_f64,
        asked in asked(),
        size in -2.0..1.0_f64,
        beside in [-0.3..1.3_f64, -0.3..1.3_f64],
    ) {
        // Cylinders are written about the equator, as their makers do, and show no place twice.
        let (centre, turn, scale) = if projection == "CAR" {
            ((centre.0, 0.0), 0.0, scale.min((360.0 / shape[0] as f64).log10()))
        } else {
            (centre, turn, scale)
        };
        let file = image(shape, &projection, centre, 10_f64.powf(scale), turn);
        let Ok(Some(wcs)) = file.hdus()[0].wcs() else { return Ok(()) };
        let [width, height] = shape.map(|side| side as f64);
        let middle = wcs.to_sky([0.5 + beside[0] * width, 0.5 + beside[1] * height]);
        let middle = middle.unwrap_or(Position { ra: centre.0.rem_euclid(360.0), dec: centre.1 });
        let size = 10_f64.powf(scale + size) * width.max(height);
        let text = asked.text(middle, size);
        let Ok(region) = Shape::pos(&text) else { return Ok(()) };
        let area = wcs.shape_box(&region);
        check(&area, wcs)?;
        for x in 1..=shape[0] as i64 {
            for y in 1..=shape[1] as i64 {
                let Some(position) = wcs.to_sky([x as f64, y as f64]) else { continue };
                if !region.contains(position) {
                    continue;
                }
                let held = area.as_ref().is_ok_and(|area| holds(area, [x, y]));
                prop_assert!(held, "{x} {y} {text} {area:?} {position:?}");
            }
        }
        let boxed = wcs.pixel_box(middle, Size::arcmin((size * 60.0).min(600.0), 1.0).expect("above 0"));
        check(&boxed, wcs)?;
        if let (Ok(boxed), Some(pixel)) = (&boxed, wcs.to_pixel(middle)) {
            // On the line between two pixels either will do.
            let holds = [[boxed.x_min, boxed.x_max], [boxed.y_min, boxed.y_max]]
                .iter()
                .zip(pixel)
                .all(|([first, last], at)| *first as f64 - 0.500_001 <= at && at <= *last as f64 + 0.500_001);
            prop_assert!(holds, "{pixel:?} {boxed}");
        }
    }
}
