//! Pixels and headers of cutouts.

use std::sync::atomic::Ordering;

use fits_well::compress::{Compression, Gzip, Hcompress};
use fits_well::image::Scaling;

use super::files::{Memory, PLAIN, compressed, hdu, header, open, plain, wait};
use crate::fits::{
    Bitpix, Cut, Edge, File, FitsError, Kind, NewCard, Packing, PixelBox, Reason, Value, cut, write,
};

const LIMIT: u64 = 64 << 20;

fn area(x_min: i64, x_max: i64, y_min: i64, y_max: i64) -> PixelBox {
    PixelBox {
        x_min,
        x_max,
        y_min,
        y_max,
    }
}

fn cut_of(file: &File, number: usize, area: PixelBox, edge: Edge) -> Result<Cut, FitsError> {
    wait(cut(file, &file.hdus()[number], &area.into(), edge, LIMIT))
}

fn numbers(cut: &Cut) -> Vec<i16> {
    cut.data()
        .as_chunks::<2>()
        .0
        .iter()
        .map(|bytes| i16::from_be_bytes(*bytes))
        .collect()
}

#[test]
fn a_plain_image_is_trimmed_padded_or_refused() {
    let file = open(plain()).expect("a good file");
    let inside = cut_of(&file, 0, area(3, 4, 5, 6), Edge::Strict).expect("inside");
    assert_eq!(numbers(&inside), [503, 504, 603, 604]);
    assert!((inside.coverage() - 1.0).abs() < 1e-12);

    let over = area(39, 42, 0, 1);
    let trimmed = cut_of(&file, 0, over, Edge::Trim).expect("trimmed");
    assert_eq!(
        (trimmed.area(), trimmed.shape()),
        (area(39, 40, 1, 1), &[2, 1][..])
    );
    assert_eq!(numbers(&trimmed), [139, 140]);
    assert!((trimmed.coverage() - 0.25).abs() < 1e-12);

    let padded = cut_of(&file, 0, over, Edge::Pad).expect("padded");
    let blank = i16::MIN;
    assert_eq!(
        numbers(&padded),
        [blank, blank, blank, blank, 139, 140, blank, blank]
    );
    let written = open(write(
        &file,
        vec![(padded, vec![])],
        "2026-01-02T03:04:05",
        Packing::Plain,
    ))
    .expect("a good file");
    assert_eq!(
        written.hdus()[0].header().integer("BLANK"),
        Some(i64::from(blank))
    );

    let strict = cut_of(&file, 0, over, Edge::Strict).expect_err("it hangs over");
    assert_eq!(strict.reason(), Reason::OutsideFootprint);
    assert!(matches!(
        cut_of(&file, 0, area(41, 50, 1, 9), Edge::Pad),
        Err(FitsError::Outside { .. })
    ));
    let large = wait(cut(
        &file,
        &file.hdus()[0],
        &area(1, 40, 1, 30).into(),
        Edge::Trim,
        2399,
    ))
    .expect_err("too large");
    assert!(matches!(
        large,
        FitsError::TooLarge {
            bytes: 2400,
            limit: 2399,
            ..
        }
    ));
    let huge = cut_of(&file, 0, area(i64::MIN, i64::MAX, 1, 30), Edge::Pad).expect_err("beyond memory");
    assert_eq!(huge.reason(), Reason::TooLarge);
}

#[test]
fn a_cutout_keeps_every_card_and_moves_its_reference_pixels() {
    let file = open(plain()).expect("a good file");
    let part = cut_of(&file, 0, area(11, 20, 6, 15), Edge::Trim).expect("inside");
    let provenance = vec![NewCard::new("CUTRA", Value::Real(10.0), "deg, asked for")];
    let bytes = write(
        &file,
        vec![(part, provenance)],
        "2026-01-02T03:04:05",
        Packing::Plain,
    );
    assert_eq!(bytes.len() % 2880, 0);
    let written = open(bytes).expect("a good file");
    let cards: Vec<String> = written.hdus()[0]
        .header()
        .cards()
        .map(|card| String::from_utf8_lossy(card).trim_end().to_owned())
        .filter(|card| !card.contains("SUM"))
        .collect();
    assert_eq!(
        cards,
        [
            "SIMPLE  =                    T / conforms",
            "BITPIX  =                   16",
            "NAXIS   =                    2",
            "NAXIS1  =                   10 / columns",
            "NAXIS2  =                   10",
            "OBJECT  = 'Field 7 '           / what it shows",
            "CTYPE1  = 'RA---TAN'",
            "CTYPE2  = 'DEC--TAN'",
            "CRVAL1  =                 10.0",
            "CRVAL2  =                 20.0",
            "CRPIX1  =                 10.5 / middle",
            "CRPIX2  =                 10.5",
            "CDELT1  =                -0.01",
            "CDELT2  =                 0.01",
            "CRPIX1P =                 -9.0",
            "LTV1    =                 -7.0",
            "HISTORY made for a test",
            "DATE    = '2026-01-02T03:04:05' / UTC, when this file was made",
            "CUTRA   =                 10.0 / deg, asked for",
        ]
    );
    let old = file.hdus()[0]
        .wcs()
        .expect("good")
        .expect("celestial")
        .to_sky([13.0, 9.0])
        .expect("on the sky");
    let new = written.hdus()[0]
        .wcs()
        .expect("good")
        .expect("celestial")
        .to_sky([3.0, 4.0])
        .expect("on the sky");
    assert!(old.separation(new) * 3600.0 < 1e-9);
}

#[test]
fn extensions_keep_the_empty_primary_and_their_order() {
    let primary = header(&[
        "SIMPLE  =                    T",
        "BITPIX  =                   16 / unused",
        "NAXIS   =                    0",
        "EXTEND  =                    T",
        "BAND    = '150GHz  '           / of both",
        "CHECKSUM= '0000000000000000'",
    ]);
    let extension = |name: &str, value: u8| {
        let name = format!("EXTNAME = '{name:<8}'");
        let cards = [
            "XTENSION= 'IMAGE   '",
            "BITPIX  =                    8",
            "NAXIS   =                    2",
            "NAXIS1  =                    3",
            "NAXIS2  =                    2",
            "PCOUNT  =                    0",
            "GCOUNT  =                    1",
            &name,
        ];
        hdu(&cards, &[value; 6])
    };
    let file = open([primary, extension("SCI", 1), extension("WGT", 2)].concat()).expect("a good file");
    let kinds: Vec<Kind> = file.hdus().iter().map(crate::fits::Hdu::kind).collect();
    assert_eq!(kinds, [Kind::Empty, Kind::Image, Kind::Image]);
    assert_eq!(file.select("wgt").first().map(|hdu| hdu.number()), Some(2));
    assert_eq!(file.select("1").first().and_then(|hdu| hdu.name()), Some("SCI"));
    assert!(file.select("7").is_empty() && file.select("ERR").is_empty());

    let cuts = [2, 1].map(|number| {
        (
            cut_of(&file, number, area(2, 3, 1, 1), Edge::Trim).expect("inside"),
            vec![],
        )
    });
    let written =
        open(write(&file, cuts.into(), "2026-01-02T03:04:05", Packing::Plain)).expect("a good file");
    let names: Vec<_> = written
        .hdus()
        .iter()
        .map(|hdu| hdu.name().unwrap_or("-"))
        .collect();
    assert_eq!(names, ["-", "SCI", "WGT"]);
    assert_eq!(written.hdus()[0].header().text("BAND").as_deref(), Some("150GHz"));
    assert_eq!(written.hdus()[0].header().integer("BITPIX"), Some(16));
    assert_eq!(written.hdus()[2].shape(), [2, 1]);
    assert!(written.hdus()[1].header().value("LONGSTRN").is_none());
    let long = NewCard::new("CUTSRC", Value::Text("s3://bucket/".repeat(9)), "");
    let part = cut_of(&file, 2, area(1, 1, 1, 1), Edge::Trim).expect("inside");
    let announced = open(write(
        &file,
        vec![(part, vec![long])],
        "2026-01-02T03:04:05",
        Packing::Plain,
    ))
    .expect("a good file");
    assert_eq!(
        announced.hdus()[1].header().text("CUTSRC"),
        Some("s3://bucket/".repeat(9))
    );
    assert!(announced.hdus()[1].header().value("LONGSTRN").is_some());
    let again = cut_of(&written, 2, area(1, 2, 1, 1), Edge::Strict).expect("inside");
    assert_eq!(again.data(), [2, 2]);
}

#[test]
fn a_cube_keeps_its_planes() {
    let cards = [
        "SIMPLE  = T",
        "BITPIX  = 8",
        "NAXIS   = 3",
        "NAXIS1  = 4",
        "NAXIS2  = 3",
        "NAXIS3  = 2",
    ];
    let file = open(hdu(&cards, &(0..24).collect::<Vec<u8>>())).expect("a good file");
    let part = cut_of(&file, 0, area(2, 3, 3, 3), Edge::Trim).expect("inside");
    assert_eq!(
        (part.shape(), part.data()),
        (&[2, 1, 2][..], &[9, 10, 21, 22][..])
    );
    let padded = cut_of(&file, 0, area(4, 5, 3, 3), Edge::Pad).expect("half inside");
    assert_eq!(padded.data(), [11, 255, 23, 255]);
}

/// Every codec, square, row and whole-image tiles, whole and quantised numbers: a box equals the same box of
/// what the library decodes from the whole image.
#[test]
fn tiles_of_every_codec_give_their_pixels() {
    let codecs = [
        Compression::Rice,
        Compression::GZIP,
        Compression::GZIP_SHUFFLED,
        Compression::Hcompress(Hcompress::default()),
        Compression::Plio,
        Compression::None,
    ];
    let (width, height) = (70_usize, 52_usize);
    let wave = |i: usize| ((i * i) % 977) as i16 + (i % 70) as i16;
    for codec in codecs {
        for tile in [[32, 16], [70, 13], [70, 52]] {
            let pixels: Vec<i16> = (0..width * height).map(wave).collect();
            let bytes = compressed(&[width, height], pixels.clone(), codec, &tile, Scaling::IDENTITY);
            let file = open(bytes).expect("a good file");
            assert_eq!(file.hdus()[1].kind(), Kind::Compressed);
            assert_eq!(
                (file.hdus()[1].bitpix(), file.hdus()[1].shape()),
                (Bitpix::I16, &[70, 52][..])
            );
            let part = cut_of(&file, 1, area(31, 66, 9, 34), Edge::Trim).expect("inside");
            let want: Vec<i16> = (8..34)
                .flat_map(|y| (30..66).map(move |x| (y, x)))
                .map(|(y, x)| pixels[y * width + x])
                .collect();
            assert_eq!(numbers(&part), want, "{codec:?} {tile:?}");
            let written = open(write(
                &file,
                vec![(part, vec![])],
                "2026-01-02T03:04:05",
                Packing::Plain,
            ))
            .expect("a good file");
            assert_eq!(written.hdus()[1].kind(), Kind::Image);
            assert!(written.hdus()[1].header().value("ZCMPTYPE").is_none());
            assert!(written.hdus()[1].header().value("TFORM1").is_none());
        }
    }
    for codec in [
        Compression::Rice,
        Compression::GZIP,
        Compression::Gzip(Gzip::shuffled(1).expect("a level")),
    ] {
        let pixels: Vec<f32> = (0..width * height)
            .map(|i| (i as f32 * 0.37).sin() * 100.0)
            .collect();
        let bytes = compressed(&[width, height], pixels, codec, &[32, 16], Scaling::IDENTITY);
        let mut reader = fits_well::FitsReader::from_bytes(&bytes).expect("a good file");
        let fits_well::image::Data::F32(whole) = reader
            .image(1)
            .expect("an image")
            .read(..)
            .expect("good tiles")
            .into_samples()
        else {
            panic!("real numbers")
        };
        let part = cut_of(
            &open(bytes.clone()).expect("a good file"),
            1,
            area(40, 70, 20, 50),
            Edge::Trim,
        )
        .expect("inside");
        let got: Vec<u32> = part
            .data()
            .as_chunks::<4>()
            .0
            .iter()
            .map(|b| u32::from_be_bytes(*b))
            .collect();
        let want: Vec<u32> = (19..50)
            .flat_map(|y| whole[y * width + 39..y * width + 70].iter().map(|v| v.to_bits()))
            .collect();
        assert_eq!(got, want, "{codec:?}");
    }
}

/// Old files hold 16-bit pixels as gzipped 32-bit numbers (`m13_gzip.fits` of astropy).
#[test]
fn widened_gzip_tiles_are_narrowed() {
    let pixels: Vec<i32> = (0..64).map(|i| i * 100).collect();
    let wide = compressed(&[8, 8], pixels, Compression::GZIP, &[8, 4], Scaling::IDENTITY);
    let old = replaced(
        &wide,
        "ZBITPIX =                   32",
        "ZBITPIX =                   16",
    );
    let file = open(old).expect("a good file");
    let part = cut_of(&file, 1, area(2, 3, 4, 5), Edge::Trim).expect("inside");
    assert_eq!(numbers(&part), [2500, 2600, 3300, 3400]);
    let large: Vec<i32> = (0..64).map(|i| i * 1000).collect();
    let wide = compressed(&[8, 8], large, Compression::GZIP, &[8, 4], Scaling::IDENTITY);
    let file = open(replaced(
        &wide,
        "ZBITPIX =                   32",
        "ZBITPIX =                   16",
    ));
    let error =
        cut_of(&file.expect("a good file"), 1, area(2, 3, 8, 8), Edge::Trim).expect_err("63,000 is no i16");
    assert!(matches!(error, FitsError::Tile { tile: 2, .. }), "{error}");
}

pub(super) fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let at = bytes
        .windows(from.len())
        .position(|window| window == from.as_bytes())
        .expect("it is there");
    let mut out = bytes.to_vec();
    out[at..at + to.len()].copy_from_slice(to.as_bytes());
    out
}

#[test]
fn few_requests_are_made() {
    let source = Memory::new(compressed(
        &[70, 50],
        vec![7_i16; 3500],
        Compression::Rice,
        &[32, 16],
        Scaling::IDENTITY,
    ));
    let file = wait(File::open(source.clone())).expect("a good file");
    assert_eq!(source.requests.load(Ordering::Relaxed), 1);
    for (place, requests) in [(area(1, 5, 1, 5), 2), (area(30, 60, 20, 40), 3)] {
        cut_of(&file, 1, place, Edge::Trim).expect("inside");
        assert_eq!(
            source.requests.load(Ordering::Relaxed),
            requests,
            "the table of tiles came with the headers"
        );
    }
    source.replaced.store(true, Ordering::Relaxed);
    let error = cut_of(&file, 1, area(1, 5, 1, 5), Edge::Trim).expect_err("another file now");
    assert_eq!(error.reason(), Reason::SourceChanged);
}

#[test]
fn headers_far_apart_and_long_are_found() {
    let history: Vec<String> = (0..3000).map(|i| format!("HISTORY line {i}")).collect();
    let mut cards = PLAIN.to_vec();
    cards.extend(history.iter().map(String::as_str));
    let mut bytes = hdu(&cards, &[0; 2400]);
    bytes.extend(hdu(
        &[
            "XTENSION= 'IMAGE   '",
            "BITPIX  = 8",
            "NAXIS   = 1",
            "NAXIS1  = 5",
        ],
        &[1; 5],
    ));
    bytes.extend([b'?'; 2880]);
    let file = open(bytes).expect("special records after the last HDU are nothing");
    assert_eq!(file.hdus().len(), 2);
    assert_eq!(file.hdus()[0].header().cards().len(), 3017);
    assert_eq!(file.hdus()[1].header().integer("NAXIS1"), Some(5));
    let error = cut_of(&file, 1, area(1, 2, 1, 2), Edge::Trim).expect_err("one axis");
    assert!(matches!(error, FitsError::NotAnImage { hdu: 1 }));
}

#[test]
fn what_pixels_mean_is_scaled_and_undefined_ones_are_nan() {
    let image = |bitpix: &str, width: usize, data: &[u8]| {
        let mut cards = vec![
            "SIMPLE  = T".to_owned(),
            format!("BITPIX  = {bitpix}"),
            "NAXIS   = 2".into(),
            format!("NAXIS1  = {width}"),
            "NAXIS2  = 1".into(),
            "BSCALE  = 0.5".into(),
            "BZERO   = 100".into(),
        ];
        if !bitpix.starts_with('-') {
            cards.push("BLANK   = 7".into());
        }
        let cards: Vec<&str> = cards.iter().map(String::as_str).collect();
        let file = open(hdu(&cards, data)).expect("a good file");
        let cut = cut_of(&file, 0, area(1, width as i64, 1, 1), Edge::Trim).expect("inside");
        cut.physical().collect::<Vec<f64>>()
    };
    let stored = [0_i16, 7, -200, 255];
    for (bitpix, data) in [
        (
            "16",
            stored.iter().flat_map(|n| n.to_be_bytes()).collect::<Vec<u8>>(),
        ),
        (
            "32",
            stored.iter().flat_map(|n| i32::from(*n).to_be_bytes()).collect(),
        ),
        (
            "64",
            stored.iter().flat_map(|n| i64::from(*n).to_be_bytes()).collect(),
        ),
    ] {
        let values = image(bitpix, 4, &data);
        assert!(values[1].is_nan(), "{bitpix}");
        assert_eq!((values[0], values[2], values[3]), (100.0, 0.0, 227.5), "{bitpix}");
    }
    let bytes = image("8", 3, &[0, 7, 255]);
    assert!(bytes[1].is_nan());
    assert_eq!((bytes[0], bytes[2]), (100.0, 227.5));
    let floats: Vec<u8> = [1.5_f32, f32::NAN, 7.0]
        .iter()
        .flat_map(|n| n.to_be_bytes())
        .collect();
    let doubles: Vec<u8> = [1.5_f64, f64::NAN, 7.0]
        .iter()
        .flat_map(|n| n.to_be_bytes())
        .collect();
    for values in [image("-32", 3, &floats), image("-64", 3, &doubles)] {
        assert!(values[1].is_nan());
        assert_eq!((values[0], values[2]), (100.75, 103.5));
    }
}
