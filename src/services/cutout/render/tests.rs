//! Pictures of tiny images, reckoned by hand, read back by the decoder.

use super::*;
use crate::fits::Bitpix;

/// What a decoder makes of a picture: size, four bytes a pixel from the top, and its texts.
struct Decoded {
    size: (u32, u32),
    pixels: Vec<[u8; 4]>,
    texts: Vec<(String, String)>,
}

fn decoded(file: &[u8]) -> Decoded {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(file));
    decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::ALPHA);
    let mut reader = decoder.read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut bytes).unwrap();
    assert_eq!(frame.color_type, png::ColorType::Rgba);
    let info = reader.info();
    Decoded {
        size: (frame.width, frame.height),
        pixels: bytes[..frame.buffer_size()].as_chunks().0.to_vec(),
        texts: info
            .uncompressed_latin1_text
            .iter()
            .map(|text| (text.keyword.clone(), text.text.clone()))
            .collect(),
    }
}

fn plane(values: &[f64], width: u64, most: u32) -> Plane {
    let data: Vec<u8> = values.iter().flat_map(|value| value.to_be_bytes()).collect();
    let array = Array {
        data: &data,
        bitpix: Bitpix::F64,
        shape: &[width, values.len() as u64 / width],
        axes: [0, 1],
    };
    Plane::new(&array, &Scaling::NONE, most).unwrap()
}

fn drawn(values: &[f64], width: u64, style: Style, unit: Option<&str>) -> Decoded {
    let caption = Caption {
        software: "test".into(),
        source: "maps/été.fits".into(),
        unit: unit.map(str::to_owned),
    };
    decoded(&draw(&plane(values, width, style.most()), &style, &caption).unwrap())
}

const GREY: Style = Style {
    cuts: Some(Cuts::Values(0.0, 254.0)),
    stretch: Some(Stretch::Linear),
    map: Some(ColourMap::Grey),
    invert: false,
    side: None,
};
const CLEAR: [u8; 4] = [0; 4];

fn grey(level: u8) -> [u8; 4] {
    [level, level, level, 255]
}

#[test]
fn the_first_row_lies_at_the_bottom_and_undefined_pixels_are_clear() {
    let values = [0.0, 127.0, f64::NAN, 254.0, f64::INFINITY, f64::NEG_INFINITY];
    let picture = drawn(&values, 3, GREY, None);
    assert_eq!(picture.size, (3, 2));
    // 127 is half of 254, and half of 255 is 128 when rounded.
    assert_eq!(
        picture.pixels,
        [grey(255), grey(255), grey(0), grey(0), grey(128), CLEAR]
    );
    let inverted = drawn(&values, 3, Style { invert: true, ..GREY }, None);
    assert_eq!(
        inverted.pixels,
        [grey(0), grey(0), grey(255), grey(255), grey(128), CLEAR]
    );
}

#[test]
fn a_picture_is_enlarged_or_reduced_by_whole_numbers() {
    let values = [0.0, 254.0];
    let larger = drawn(
        &values,
        2,
        Style {
            side: Some(5),
            ..GREY
        },
        None,
    );
    assert_eq!(larger.size, (4, 2));
    assert_eq!(larger.pixels, [grey(0), grey(0), grey(255), grey(255)].repeat(2));
    let smaller = drawn(
        &values,
        2,
        Style {
            side: Some(1),
            ..GREY
        },
        None,
    );
    assert_eq!((smaller.size, smaller.pixels), ((1, 1), vec![grey(128)]));
    let long = drawn(&vec![254.0; 5000], 5000, GREY, None);
    assert_eq!(long.size, (1667, 1));
    let wide = drawn(
        &vec![1.0; 5000],
        1,
        Style {
            side: Some(2048),
            ..GREY
        },
        None,
    );
    assert_eq!(wide.size, (1, 1667));
}

#[test]
fn maps_about_zero_are_symmetric_and_diverge() {
    for unit in [
        "K",
        "uK_CMB",
        "mK",
        "K_RJ",
        "K (CMB)",
        "KCMB",
        "mJy/beam",
        "Jy beam-1",
    ] {
        let picture = drawn(&[-1.0, 0.0, 3.0], 3, Style::default(), Some(unit));
        let [cold, zero, hot] = picture.pixels[..] else {
            panic!("{unit}")
        };
        assert!(zero[..3].iter().all(|c| *c > 235), "{unit} {zero:?}");
        assert!(cold[2] > cold[0] && hot[0] > hot[2], "{unit} {cold:?} {hot:?}");
        // The colder one is not as far from zero.
        assert!(cold[0] > hot[2], "{unit} {cold:?} {hot:?}");
    }
    for unit in [
        Some("nmgy"),
        Some("adu"),
        Some("MJy/sr"),
        Some("km/s"),
        Some("1/mJy^2"),
        None,
    ] {
        let picture = drawn(&[-1.0, 0.0, 3.0], 3, Style::default(), unit);
        assert!(
            picture.pixels.iter().all(|[r, g, b, _]| r == g && g == b),
            "{unit:?}"
        );
    }
}

#[test]
fn odd_images_are_drawn_all_the_same() {
    let styles = [
        Cuts::ZScale,
        Cuts::MinMax,
        Cuts::central(99.0),
        Cuts::Symmetric(99.0),
    ]
    .map(|cuts| Style {
        cuts: Some(cuts),
        ..GREY
    });
    for style in styles {
        let none = drawn(&[f64::NAN; 6], 3, style, None);
        assert_eq!((none.size, none.pixels), ((3, 2), vec![CLEAR; 6]));
        assert_eq!(drawn(&[0.0; 4], 2, style, None).pixels, [grey(128); 4]);
        assert_eq!(
            drawn(&[f64::INFINITY, f64::NEG_INFINITY], 2, style, None).pixels,
            [grey(255), grey(0)]
        );
        assert_eq!(drawn(&[f64::MIN, 0.0, f64::MAX], 3, style, None).size, (3, 1));
        assert_eq!(drawn(&[0.0], 1, style, None).pixels, [grey(128)]);
    }
}

#[test]
fn a_picture_says_how_it_was_made() {
    let picture = drawn(
        &[0.0, 254.0],
        2,
        Style {
            side: Some(4),
            ..GREY
        },
        Some("adu"),
    );
    let said: Vec<(&str, &str)> = picture
        .texts
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    assert_eq!(
        said,
        [
            ("Software", "test"),
            ("Source", "maps/?t?.fits"),
            ("Cuts", "0.0 254.0 (0.0,254.0)"),
            ("Stretch", "linear"),
            ("Colours", "grey"),
            ("Scale", "2"),
            ("Unit", "adu"),
        ]
    );
}

#[test]
fn three_bands_make_one_picture() {
    let bands = [
        plane(&[1.0, 0.0, f64::NAN, -1.0, f64::INFINITY], 5, 10),
        plane(&[0.0, 1.0, 1.0, -1.0, 1.0], 5, 10),
        plane(&[0.0, 1.0, 1.0, -1.0, 1.0], 5, 10),
    ];
    let style = Style {
        cuts: Some(Cuts::Values(0.0, 1.0)),
        ..Style::default()
    };
    let picture = decoded(&draw_rgb(&bands, &style, &Caption::default()).unwrap());
    let [red, cyan, undefined, black, bright] = picture.pixels[..] else {
        panic!("{:?}", picture.pixels)
    };
    // asinh(8/3) · 0.1 / asinh(0.8) · 3 · 255 = 178.2; of twice the mean, asinh(16/3) · … · 1.5 · 255 = 124.2.
    assert_eq!((red, cyan), ([178, 0, 0, 255], [0, 124, 124, 255]));
    assert_eq!((undefined, black), (CLEAR, [0, 0, 0, 255]));
    assert_eq!(bright, [255, 0, 0, 255]);
    let inverted = draw_rgb(
        &bands,
        &Style {
            invert: true,
            ..style
        },
        &Caption::default(),
    )
    .unwrap();
    assert_eq!(decoded(&inverted).pixels[0], [77, 255, 255, 255]);
    let [red, ..] = bands;
    let other = [red.clone(), red, plane(&[1.0], 1, 10)];
    assert_eq!(
        draw_rgb(&other, &style, &Caption::default()),
        Err(DrawError::Sizes("5 x 1, 5 x 1, 1 x 1 pixels".into()))
    );
}
