//! Positions of pixels lie in the footprints of their images.

use proptest::prelude::{ProptestConfig, Strategy, prop_assert, prop_assume, prop_oneof, proptest};

use super::files::{hdu, open};
use crate::{
    fits::{File, Wcs},
    sky::{Footprint, MOST_CELLS, Position},
};

/// An image of 2,400 bytes.
pub(super) fn image(shape: [u64; 2], projection: &str, (ra, dec): (f64, f64), scale: f64, turn: f64) -> File {
    let (sin, cos) = turn.to_radians().sin_cos();
    let cards = [
        String::from("SIMPLE  = T"),
        String::from("BITPIX  = 8"),
        String::from("NAXIS   = 2"),
        format!("NAXIS1  = {}", shape[0]),
        format!("NAXIS2  = {}", shape[1]),
        format!("CTYPE1  = 'RA---{projection}'"),
        format!("CTYPE2  = 'DEC--{projection}'"),
        format!("CRPIX1  = {}", shape[0] as f64 / 2.0 + 0.5),
        format!("CRPIX2  = {}", shape[1] as f64 / 2.0 + 0.5),
        format!("CRVAL1  = {ra}"),
        format!("CRVAL2  = {dec}"),
        format!("CD1_1   = {}", -scale * cos),
        format!("CD1_2   = {}", scale * sin),
        format!("CD2_1   = {}", scale * sin),
        format!("CD2_2   = {}", scale * cos),
    ];
    let cards: Vec<&str> = cards.iter().map(String::as_str).collect();
    open(hdu(&cards, &[0; 2400])).expect("a good file")
}

fn footprint(wcs: &Wcs) -> Footprint {
    Footprint::of_image(wcs.shape(), |pixel| wcs.to_sky(pixel))
}

/// A place on the sky, often at a pole or where right ascensions begin.
pub(super) fn place() -> impl Strategy<Value = (f64, f64)> {
    prop_oneof![
        (0.0..360.0, -90.0..=90.0),
        (0.0..360.0, 89.0..=90.0),
        (0.0..360.0, -90.0..=-89.0),
        (-0.5..0.5, -60.0..60.0),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_pixel_is_found_by_its_position(
        shape in prop_oneof![[60..=60_u64, 40..=40_u64], [2400..=2400_u64, 1..=1_u64], [8..=8_u64, 300..=300_u64]],
        projection in prop_oneof!["TAN", "ZEA", "AIT", "SIN", "CAR"],
        centre in place(),
        scale in -5.0..0.8_f64,
        turn in 0.0..360.0_f64,
        pixels in proptest::collection::vec([0.0..1.0_f64, 0.0..1.0_f64], 40),
    ) {
        // Cylinders are written about the equator, as their makers do.
        let (centre, turn) = if projection == "CAR" { ((centre.0, 0.0), 0.0) } else { (centre, turn) };
        let file = image(shape, &projection, centre, 10_f64.powf(scale), turn);
        let wcs = file.hdus()[0].wcs();
        prop_assume!(wcs.is_ok());
        let wcs = wcs.expect("good").expect("celestial");
        let footprint = footprint(wcs);
        prop_assert!(footprint.cells().len() <= MOST_CELLS);
        for [x, y] in pixels {
            let pixel = [0.5 + x * shape[0] as f64, 0.5 + y * shape[1] as f64];
            if let Some(position) = wcs.to_sky(pixel) {
                prop_assert!(footprint.contains(position), "{pixel:?} {position:?} {footprint:?}");
            }
        }
    }
}

#[test]
fn footprints_are_not_much_larger_than_their_images() {
    let sky = |ra, dec| Position { ra, dec };
    // 0.9 by 0.6 degrees.
    for (ra, dec) in [
        (10.0, -30.0),
        (0.0, 0.0),
        (123.0, 70.0),
        (0.0, 89.9),
        (50.0, -90.0),
    ] {
        let file = image([60, 40], "TAN", (ra, dec), 0.015, 30.0);
        let wcs = file.hdus()[0].wcs().expect("good").expect("celestial");
        let footprint = footprint(wcs);
        assert!(footprint.contains(sky(ra, dec)));
        let mut far = 0;
        for step in 0..72 {
            for distance in [1.2, 1.6, 3.0] {
                let turn = f64::from(step * 5).to_radians();
                let (east, north) = (distance * turn.sin(), distance * turn.cos());
                let centre = sky(ra, dec).unit();
                let (a, d) = (ra.to_radians(), dec.to_radians());
                let to_east = [-a.sin(), a.cos(), 0.0];
                let to_north = [-d.sin() * a.cos(), -d.sin() * a.sin(), d.cos()];
                let point = Position::from_vector(std::array::from_fn(|axis| {
                    centre[axis] + east.to_radians() * to_east[axis] + north.to_radians() * to_north[axis]
                }));
                far += usize::from(footprint.contains(point));
            }
        }
        assert_eq!(far, 0, "{ra} {dec}");
    }
    // Maps of the whole sky, whose corners have none of it.
    let file = image([80, 30], "AIT", (0.0, 0.0), 4.6, 0.0);
    let wcs = file.hdus()[0].wcs().expect("good").expect("celestial");
    assert!(wcs.corners().iter().all(Option::is_none));
    let footprint = footprint(wcs);
    for (ra, dec) in [
        (0.0, 0.0),
        (179.9, 0.0),
        (180.1, 10.0),
        (77.0, 89.0),
        (200.0, -60.0),
    ] {
        assert!(footprint.contains(sky(ra, dec)), "{ra} {dec}");
    }
}
