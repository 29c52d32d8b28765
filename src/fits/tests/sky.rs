//! Positions to boxes.

use super::files::{PLAIN, hdu, open, plain};
use crate::fits::{File, FitsError, PixelBox, Reason};
use crate::sky::{Position, Shape, Size};

fn image(changes: &[(&str, &str)]) -> File {
    let mut cards: Vec<String> = PLAIN.iter().map(|card| (*card).to_owned()).collect();
    for (keyword, value) in changes {
        cards.retain(|card| card.split('=').next().is_none_or(|name| name.trim() != *keyword));
        if !value.is_empty() {
            cards.push(format!("{keyword:<8}= {value}"));
        }
    }
    let cards: Vec<&str> = cards.iter().map(String::as_str).collect();
    open(hdu(&cards, &[0; 2400])).expect("a good file")
}

fn boxed(file: &File, ra: f64, dec: f64, size: &str) -> Result<PixelBox, FitsError> {
    let wcs = file.hdus()[0].wcs()?.expect("celestial");
    wcs.pixel_box(Position { ra, dec }, size.parse::<Size>().expect("a size"))
}

#[test]
fn boxes_have_the_size_asked_for_and_lie_about_the_position() {
    let file = open(plain()).expect("a good file");
    // The middle of the image is the corner of four pixels: even widths fit it, odd ones round down.
    for (size, want) in [
        ("4px", [19, 22, 14, 17]),
        ("5px", [18, 22, 13, 17]),
        ("6,2px", [18, 23, 15, 16]),
        ("2.4arcmin", [19, 22, 14, 17]),
        ("0.01arcsec", [20, 20, 15, 15]),
        ("10deg", [-479, 520, -484, 515]),
    ] {
        let area = boxed(&file, 10.0, 20.0, size).expect("on the image");
        assert_eq!([area.x_min, area.x_max, area.y_min, area.y_max], want, "{size}");
    }
    for (ra, dec) in [(190.0, -20.0), (10.0, 21.0), (9.0, 20.0)] {
        assert_eq!(
            boxed(&file, ra, dec, "5px").expect_err("beside it").reason(),
            Reason::OutsideFootprint
        );
    }
    let wcs = file.hdus()[0].wcs().expect("good").expect("celestial");
    let corner = wcs.corners()[0].expect("on the sky");
    assert!(wcs.cap().contains(corner) && wcs.cap().radius < 0.26);
}

#[test]
fn boxes_are_right_at_the_pole_and_across_the_origin() {
    let pole = image(&[("CRVAL2", "90.0"), ("CRVAL1", "0.0")]);
    // 0.05 deg below the pole, towards RA 180: LONPOLE is 0 there, so five pixels down.
    let area = boxed(&pole, 180.0, 89.95, "4px").expect("on the image");
    assert_eq!([area.x_min, area.x_max, area.y_min, area.y_max], [19, 22, 9, 12]);
    let origin = image(&[("CRVAL1", "359.95"), ("CRVAL2", "0.0")]);
    let area = boxed(&origin, 0.05, 0.0, "4px").expect("on the image");
    assert_eq!([area.x_min, area.x_max], [9, 12]);
    // A cylinder whose reference lies a turn away.
    let cylinder = image(&[
        ("CTYPE1", "'RA---CAR'"),
        ("CTYPE2", "'DEC--CAR'"),
        ("CRVAL1", "0.0"),
        ("CRVAL2", "0.0"),
        ("CRPIX1", "18020.5"),
    ]);
    for (ra, x) in [(179.95, 25), (180.05, 15)] {
        let area = boxed(&cylinder, ra, 0.0, "2px").expect("on the image");
        assert_eq!(area.x_min, x, "{ra}");
    }
}

#[test]
fn coordinates_that_cannot_be_used_say_why() {
    assert!(
        image(&[("CTYPE1", ""), ("CTYPE2", "")]).hdus()[0]
            .wcs()
            .expect("nothing wrong")
            .is_none()
    );
    for (keyword, value) in [
        ("CDELT1", "0.0"),
        ("RADESYS", "'GAPPT   '"),
        ("CTYPE1", "'RA---XXX'"),
        ("EQUINOX", "0.0"),
        ("CTYPE2", "'GLAT-TAN'"),
    ] {
        let file = image(&[(keyword, value)]);
        let error = file.hdus()[0].wcs().expect_err(keyword);
        assert_eq!(error.reason(), Reason::NoWcs, "{keyword}: {error}");
    }
}

#[test]
fn projections_of_aips_are_read_by_their_old_names() {
    // By astropy 8.0.2: WCS(header).wcs_pix2world of the pixels (1, 1) and (100, 80).
    for (projection, latitude, turned, expected) in [
        (
            "NCP",
            "57.0",
            "0.0",
            [
                [85.890_274_600_163_34, 56.604_571_470_701_494],
                [84.072_065_476_584_88, 57.394_294_216_289_78],
            ],
        ),
        (
            "NCP",
            "-30.0",
            "30.0",
            [
                [85.715_798_389_841_24, -30.084_903_286_371_983],
                [84.269_808_840_185_16, -29.895_356_893_521_65],
            ],
        ),
        (
            "GLS",
            "57.0",
            "0.0",
            [[85.890_366_738_965_35, 56.61], [84.071_961_557_838_3, 57.4]],
        ),
        (
            "GLS",
            "57.0",
            "30.0",
            [
                [86.134_353_549_679_86, 56.907_250_092_524_066],
                [83.834_718_012_951_36, 57.096_410_161_513_774],
            ],
        ),
    ] {
        let (lon, lat) = (format!("'RA---{projection}'"), format!("'DEC--{projection}'"));
        let file = image(&[
            ("CTYPE1", &lon),
            ("CTYPE2", &lat),
            ("CRPIX1", "50.0"),
            ("CRPIX2", "40.0"),
            ("CRVAL1", "85.0"),
            ("CRVAL2", latitude),
            ("CDELT1", "-0.01"),
            ("CDELT2", "0.01"),
            ("CROTA2", turned),
        ]);
        let wcs = file.hdus()[0].wcs().expect("it is read").expect("celestial");
        for (pixel, [ra, dec]) in [[1.0, 1.0], [100.0, 80.0]].into_iter().zip(expected) {
            let position = Position { ra, dec };
            let found = wcs.to_sky(pixel).expect("on the sky");
            assert!(
                found.separation(position) < 1e-9,
                "{projection} {latitude} {turned}: {found:?}"
            );
            let back = wcs.to_pixel(position).expect("on the image");
            assert!(
                (back[0] - pixel[0]).abs() < 1e-6 && (back[1] - pixel[1]).abs() < 1e-6,
                "{projection}: {back:?}"
            );
        }
    }
    let equator = image(&[
        ("CTYPE1", "'RA---NCP'"),
        ("CTYPE2", "'DEC--NCP'"),
        ("CRVAL2", "0.0"),
    ]);
    assert!(equator.hdus()[0].wcs().is_err());
}

#[test]
fn the_polynomial_of_scamp_is_read_under_its_old_name() {
    let matrix = [
        ("CDELT1", ""),
        ("CDELT2", ""),
        ("CD1_1", "-0.01"),
        ("CD2_2", "0.01"),
        ("PV1_1", "1.0"),
        ("PV2_1", "1.0"),
    ];
    let at = |extra: &[(&str, &str)]| {
        let file = image(&[&matrix[..], extra].concat());
        let wcs = file.hdus()[0].wcs().expect("good").expect("celestial");
        wcs.to_sky([10.5, 25.5]).expect("on the sky")
    };
    // 0.1 deg east, 0.1 deg north of the middle, moved north by the square of the latter.
    let (flat, bent) = (at(&[("PV2_5", "0.0")]), at(&[("PV2_4", "0.1")]));
    assert!((flat.separation(bent) - 0.001).abs() < 1e-6, "{flat:?} {bent:?}");
    assert!(bent.dec > flat.dec);
}

#[test]
fn axes_may_be_swapped_or_lie_behind_others() {
    let swapped = image(&[
        ("CTYPE1", "'DEC--TAN'"),
        ("CTYPE2", "'RA---TAN'"),
        ("CRVAL1", "20.0"),
        ("CRVAL2", "10.0"),
        ("CDELT1", "0.01"),
        ("CDELT2", "-0.01"),
    ]);
    let wcs = swapped.hdus()[0].wcs().expect("good").expect("celestial");
    let [x, y] = wcs
        .to_pixel(Position { ra: 10.0, dec: 20.05 })
        .expect("on the image");
    assert!((x - 25.5).abs() < 1e-4 && (y - 15.5).abs() < 1e-4, "{x} {y}");

    let cube = open(hdu(
        &[
            "SIMPLE  = T",
            "BITPIX  = 8",
            "NAXIS   = 3",
            "NAXIS1  = 2",
            "NAXIS2  = 10",
            "NAXIS3  = 12",
            "CTYPE1  = 'VOPT-F2W'",
            "CTYPE2  = 'GLON-CAR'",
            "CTYPE3  = 'GLAT-CAR'",
            "CRPIX2  = 5.0",
            "CRPIX3  = 6.0",
            "CDELT2  = -1.0",
            "CDELT3  = 1.0",
        ],
        &[0; 240],
    ))
    .expect("a good file");
    let wcs = cube.hdus()[0].wcs().expect("good").expect("celestial");
    assert_eq!((wcs.axes(), wcs.shape()), ([1, 2], [10, 12]));
    // The galactic centre, ICRS.
    let [x, y] = wcs
        .to_pixel(Position {
            ra: 266.404_988,
            dec: -28.936_178,
        })
        .expect("on the image");
    assert!((x - 5.0).abs() < 1e-4 && (y - 6.0).abs() < 1e-4, "{x} {y}");
}

fn shape_box(file: &File, shape: &Shape) -> Result<PixelBox, FitsError> {
    file.hdus()[0].wcs()?.expect("celestial").shape_box(shape)
}

#[test]
#[expect(clippy::too_many_lines, reason = "most of it is a table of shapes")]
fn boxes_of_shapes_hold_every_pixel_of_them_and_little_more() {
    let patch: &[(&str, &str)] = &[];
    let pole: &[(&str, &str)] = &[("CRVAL2", "90.0"), ("CRVAL1", "0.0")];
    let origin: &[(&str, &str)] = &[("CRVAL1", "359.95"), ("CRVAL2", "0.0")];
    let map = |ctype: [&'static str; 2]| {
        [
            ("CTYPE1", ctype[0]),
            ("CTYPE2", ctype[1]),
            ("CRVAL1", "0.0"),
            ("CRVAL2", "0.0"),
            ("CDELT1", "-9.0"),
            ("CDELT2", "9.0"),
        ]
    };
    let aitoff = map(["'RA---AIT'", "'DEC--AIT'"]);
    let cylinder = map(["'RA---CAR'", "'DEC--CAR'"]);
    let equal_area = map(["'RA---ZEA'", "'DEC--ZEA'"]);
    // How many pixels a box may be larger than its shape: those that it only touches, two where a vertex is pointed.
    for (changes, slack, shapes) in [
        (
            patch,
            2,
            &[
                "CIRCLE 10 20 0.0195",
                "CIRCLE 10.1 20.05 0.004",
                "CIRCLE 10.2 20.1 0.08",
                "CIRCLE 10 20 3",
                "CIRCLE 10 20 120",
                "RANGE 9.9 9.95 19.9 20.05",
                "RANGE 0 360 -Inf 20.05",
                "POLYGON 9.9 19.9 10.1 19.92 10.02 20.1",
                "POLYGON 9.9 19.9 10.02 20.1 10.1 19.92",
                "POLYGON 0 19.72 20 19.73 20 19.77 0 19.76",
            ][..],
        ),
        (
            pole,
            2,
            &[
                "CIRCLE 30 89.95 0.04",
                "CIRCLE 30 89.95 0.1",
                "RANGE 0 360 89.93 +Inf",
                "POLYGON 0 89.9 120 89.9 240 89.9",
            ],
        ),
        (
            origin,
            2,
            &[
                "CIRCLE 0.02 0 0.05",
                "RANGE 359.9 0.05 -0.05 0.05",
                "POLYGON 359.9 0 0.1 0.05 0.05 -0.1",
            ],
        ),
        (
            &aitoff,
            2,
            &[
                "CIRCLE 0 80 20",
                "CIRCLE 180 0 20",
                "CIRCLE 40 20 30",
                "RANGE 150 210 -30 30",
                "CIRCLE 0 0 170",
            ],
        ),
        (
            &cylinder,
            2,
            &[
                "CIRCLE 0 80 20",
                "CIRCLE 180 0 20",
                "CIRCLE 40 20 30",
                "RANGE 0 360 -30 30",
            ],
        ),
        (
            &equal_area,
            2,
            &["CIRCLE 0 80 20", "CIRCLE 180 0 20", "CIRCLE 40 20 30"],
        ),
    ] {
        let file = image(changes);
        let wcs = file.hdus()[0].wcs().expect("good").expect("celestial");
        for text in shapes {
            let shape = Shape::pos(text).expect(text);
            let area = shape_box(&file, &shape).expect(text);
            let on = area.trimmed(40, 30).expect(text);
            let mut held = [i64::MAX, i64::MIN, i64::MAX, i64::MIN];
            for (x, y) in (1..=40).flat_map(|x| (1..=30).map(move |y| (x, y))) {
                let inside = wcs
                    .to_sky([x as f64, y as f64])
                    .is_some_and(|position| shape.contains(position));
                if inside {
                    held = [held[0].min(x), held[1].max(x), held[2].min(y), held[3].max(y)];
                }
            }
            let got = [on.x_min, on.x_max, on.y_min, on.y_max];
            let holds = got[0] <= held[0] && got[1] >= held[1] && got[2] <= held[2] && got[3] >= held[3];
            assert!(holds, "{changes:?} {text}: {got:?} does not hold {held:?}");
            let near = got
                .iter()
                .zip(held)
                .all(|(got, held)| (got - held).abs() <= slack);
            assert!(
                near || held[0] > held[1],
                "{changes:?} {text}: {got:?} is more than {held:?}"
            );
        }
    }
}

#[test]
fn boxes_of_shapes_hang_over_as_the_shapes_do() {
    let file = open(plain()).expect("a good file");
    let area = shape_box(&file, &Shape::circle("10 20 0.0195").expect("a circle")).expect("on the image");
    assert_eq!([area.x_min, area.x_max, area.y_min, area.y_max], [19, 22, 14, 17]);
    let area = shape_box(&file, &Shape::circle("10 20 0.2995").expect("a circle")).expect("on the image");
    assert_eq!([area.width(), area.height()], [60, 60]);
    // The projection shows no more than a hemisphere.
    let area = shape_box(&file, &Shape::circle("10 20 100").expect("a circle")).expect("on the image");
    assert_eq!([area.x_min, area.x_max, area.y_min, area.y_max], [0, 41, 0, 31]);
    for beside in [
        "CIRCLE 10 20.5 0.1",
        "CIRCLE 190 -20 1",
        "RANGE 11 12 19 21",
        "POLYGON 0 0 1 0 0 1",
    ] {
        let error = shape_box(&file, &Shape::pos(beside).expect(beside)).expect_err(beside);
        assert_eq!(error.reason(), Reason::OutsideFootprint);
        assert!(error.to_string().contains(beside), "{error}");
    }
}
