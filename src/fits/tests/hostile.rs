//! Files that are wrong, by mistake or on purpose: typed errors, bounded memory, never a panic.
//!
//! `PROPTEST_CASES=1000000 cargo test --lib fits::tests::hostile` fuzzes for longer.

use std::sync::LazyLock;

use fits_well::compress::{Compression, Hcompress};
use fits_well::image::Scaling;
use proptest::prelude::*;

use super::files::{compressed, hdu, header, open, plain, wait};
use super::images::replaced;
use crate::fits::{Edge, FitsError, Packing, PixelBox, Reason, cut, write};
use crate::sky::{Position, Size};

const ALL: PixelBox = PixelBox {
    x_min: -3,
    x_max: 80,
    y_min: -3,
    y_max: 60,
};

fn cut_all(bytes: Vec<u8>, limit: u64) -> Result<(), FitsError> {
    let file = open(bytes)?;
    let number = file.hdus().len() - 1;
    wait(cut(&file, &file.hdus()[number], &ALL.into(), Edge::Trim, limit)).map(drop)
}

fn rice() -> Vec<u8> {
    compressed(
        &[64, 48],
        (0..3072).map(|i| i % 500).collect::<Vec<i16>>(),
        Compression::Rice,
        &[32, 16],
        Scaling::IDENTITY,
    )
}

#[test]
fn broken_headers_are_named() {
    let good = plain();
    assert!(matches!(open(b"".to_vec()), Err(FitsError::NotFits)));
    assert!(matches!(open(b"<html>".to_vec()), Err(FitsError::NotFits)));
    assert!(matches!(
        open(good[..4000].to_vec()),
        Err(FitsError::Truncated {
            end: 5280,
            size: 4000,
            ..
        })
    ));
    let endless = replaced(&good, &format!("{:<80}", "END"), &format!("{:<80}", "ENDED"));
    assert!(matches!(
        open(endless),
        Err(FitsError::NoEnd {
            hdu: 0,
            searched: 5760
        })
    ));
    let axes = |n: &str| {
        header(&[
            "SIMPLE  = T",
            "BITPIX  = -64",
            "NAXIS   = 2",
            n,
            "NAXIS2  = 4294967296",
        ])
    };
    assert!(matches!(
        open(axes("NAXIS1  = 4294967296")),
        Err(FitsError::Overflow { hdu: 0 })
    ));
    assert!(matches!(
        open(axes("NAXIS1  = 4294967")),
        Err(FitsError::Truncated { .. })
    ));
    for bad in [
        "NAXIS1  = -1",
        "NAXIS1  = 1.5",
        "NAXIS1  = 'x'",
        "NAXISX  = 1",
        "NAXIS1  = 99999999999999999999",
    ] {
        let error = open(axes(bad)).map(drop).expect_err(bad);
        assert!(
            matches!(&error, FitsError::Keyword { keyword, .. } if keyword == "NAXIS1"),
            "{error}"
        );
        assert_eq!(error.reason(), Reason::SourceUnreadable);
    }
    let error = open(header(&["SIMPLE  = T", "BITPIX  = 12", "NAXIS   = 0"]))
        .map(drop)
        .expect_err("12 bits");
    assert!(
        matches!(&error, FitsError::Keyword { keyword, .. } if keyword == "BITPIX"),
        "{error}"
    );
}

#[test]
fn broken_tiles_are_named() {
    let good = rice();
    cut_all(good.clone(), 1 << 20).expect("good tiles");
    // The first descriptor follows the header of the table.
    let data = open(good.clone()).expect("a good file").hdus()[1].data().start as usize;
    let spoilt = |at: usize, bytes: &[u8]| {
        let mut file = good.clone();
        file[data + at..data + at + bytes.len()].copy_from_slice(bytes);
        cut_all(file, 1 << 20).expect_err("a bad tile")
    };
    for (what, error) in [
        ("a missing tile", spoilt(0, &[0; 8])),
        ("an end past the heap", spoilt(4, &[0x7f, 0, 0, 0])),
        ("a negative offset", spoilt(4, &[0xff; 4])),
        ("a length past all need", spoilt(0, &[0, 1, 0, 0])),
    ] {
        assert!(
            matches!(error, FitsError::Tile { hdu: 1, tile: 1, .. }),
            "{what}: {error}"
        );
        assert_eq!(error.reason(), Reason::SourceUnreadable);
    }
}

#[test]
fn tiles_that_are_too_large_are_not_decoded() {
    let header = |n: &str, tile: &str| {
        [
            header(&["SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 0"]),
            hdu(
                &[
                    "XTENSION= 'BINTABLE'",
                    "BITPIX  = 8",
                    "NAXIS   = 2",
                    "NAXIS1  = 8",
                    "NAXIS2  = 1",
                    "PCOUNT  = 20",
                    "GCOUNT  = 1",
                    "TFIELDS = 1",
                    "TTYPE1  = 'COMPRESSED_DATA'",
                    "TFORM1  = '1PB(20)'",
                    "ZIMAGE  = T",
                    "ZCMPTYPE= 'GZIP_1'",
                    "ZBITPIX = 16",
                    "ZNAXIS  = 2",
                    &format!("ZNAXIS1 = {n}"),
                    &format!("ZNAXIS2 = {n}"),
                    &format!("ZTILE1  = {tile}"),
                    &format!("ZTILE2  = {tile}"),
                ],
                &[
                    0, 0, 0, 20, 0, 0, 0, 0, 31, 139, 8, 0, 0, 0, 0, 0, 0, 3, 1, 0, 0, 255, 255, 0, 0, 0, 0,
                    0,
                ],
            ),
        ]
        .concat()
    };
    let error = cut_all(header("2000000000", "2000000000"), 1 << 30).expect_err("a bomb");
    assert_eq!(error.reason(), Reason::TooLarge, "{error}");
    let error = cut_all(header("4294967296", "4294967296"), 1 << 30).expect_err("a bomb");
    assert!(matches!(error, FitsError::Overflow { hdu: 1 }), "{error}");
    let error = cut_all(header("100", "10"), 1 << 30).expect_err("100 tiles, one row");
    assert!(matches!(error, FitsError::Keyword { hdu: 1, .. }), "{error}");
    let error = cut_all(header("100", "0"), 1 << 30).expect_err("tiles of nothing");
    assert!(matches!(error, FitsError::Keyword { hdu: 1, .. }), "{error}");
    let error = cut_all(header("100", "9223372036854775807"), 1 << 30).expect_err("no pixels in it");
    assert!(matches!(error, FitsError::Tile { tile: 1, .. }), "{error}");
}

static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let whole = || (0..3072).map(|i| i % 500).collect::<Vec<i16>>();
    let real = || (0..3072).map(|i| (i as f32).sqrt()).collect::<Vec<f32>>();
    let image = |codec, tile: &[usize]| compressed(&[64, 48], whole(), codec, tile, Scaling::IDENTITY);
    vec![
        plain(),
        rice(),
        image(Compression::GZIP, &[64, 1]),
        image(Compression::GZIP_SHUFFLED, &[64, 48]),
        image(Compression::Hcompress(Hcompress::default()), &[32, 16]),
        image(Compression::Plio, &[64, 4]),
        image(Compression::None, &[32, 16]),
        compressed(&[64, 48], real(), Compression::Rice, &[32, 16], Scaling::IDENTITY),
        compressed(&[64, 48], real(), Compression::GZIP, &[64, 3], Scaling::IDENTITY),
        compressed(
            &[16, 12, 16],
            real(),
            Compression::GZIP_SHUFFLED,
            &[16, 3, 2],
            Scaling::IDENTITY,
        ),
    ]
});

/// One change to a file.
#[derive(Debug, Clone)]
enum Change {
    Byte {
        at: prop::sample::Index,
        to: u8,
    },
    Number {
        at: prop::sample::Index,
        to: i64,
    },
    Card {
        at: prop::sample::Index,
        text: String,
    },
    Value {
        at: prop::sample::Index,
        text: String,
    },
    Truncate {
        at: prop::sample::Index,
    },
    Repeat {
        at: prop::sample::Index,
        from: prop::sample::Index,
    },
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let index = any::<prop::sample::Index>;
    let value = prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        (-40_i64..2000).prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|n| format!("{n:E}")),
        prop::sample::select(vec![
            "'RA---TAN'",
            "'DEC--TAN'",
            "'RA---ZPN'",
            "'GLON-CAR'",
            "'1QB(9)  '",
            "'1PI(9)  '",
            "'RICE_1  '",
            "'GZIP_1  '",
            "'GZIP_2  '",
            "'PLIO_1  '",
            "'HCOMPRESS_1'",
            "'NOCOMPRESS'",
            "'IMAGE   '",
            "'BINTABLE'",
            "T",
            "F",
            "-32",
            "-64",
            "8",
            "0",
            "64",
            "'NONE    '",
            "'SUBTRACTIVE_DITHER_2'",
        ])
        .prop_map(str::to_owned),
    ];
    let keyword = prop::sample::select(vec![
        "NAXIS", "NAXIS1", "NAXIS2", "BITPIX", "PCOUNT", "GCOUNT", "THEAP", "ZNAXIS1", "ZNAXIS2", "ZTILE1",
        "ZTILE2", "ZBITPIX", "ZCMPTYPE", "TFORM1", "ZSCALE", "ZZERO", "ZBLANK", "ZDITHER0", "ZQUANTIZ",
        "ZVAL1", "ZVAL2", "CTYPE1", "CTYPE2", "CRPIX1", "CRVAL2", "CDELT1", "CD1_1", "PC1_2", "PV2_1",
        "PV1_5", "LONPOLE", "EQUINOX", "A_ORDER", "A_2_0", "END",
    ]);
    let change = prop_oneof![
        4 => (index(), any::<u8>()).prop_map(|(at, to)| Change::Byte { at, to }),
        2 => (index(), any::<i64>()).prop_map(|(at, to)| Change::Number { at, to }),
        3 => (index(), keyword, value.clone()).prop_map(|(at, k, v)| Change::Card { at, text: format!("{k:<8}= {v:>20}") }),
        3 => (index(), value).prop_map(|(at, text)| Change::Value { at, text }),
        1 => index().prop_map(|at| Change::Truncate { at }),
        1 => (index(), index()).prop_map(|(at, from)| Change::Repeat { at, from }),
    ];
    prop::collection::vec(change, 1..6)
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    // Headers are where most changes matter: the first cards of the file, or any byte.
    let cards = bytes.len().min(8640) / 80;
    if cards == 0 {
        return;
    }
    match change {
        Change::Byte { at, to } => {
            let at = at.index(bytes.len());
            bytes[at] = *to;
        }
        Change::Number { at, to } => {
            let at = at.index(bytes.len());
            let end = (at + 8).min(bytes.len());
            bytes[at..end].copy_from_slice(&to.to_be_bytes()[..end - at]);
        }
        Change::Card { at, text } => {
            let at = at.index(cards) * 80;
            bytes[at..at + 80].copy_from_slice(format!("{text:<80.80}").as_bytes());
        }
        Change::Value { at, text } => {
            let at = at.index(cards) * 80 + 10;
            bytes[at..at + 70].copy_from_slice(format!("{text:<70.70}").as_bytes());
        }
        Change::Truncate { at } => bytes.truncate(at.index(bytes.len())),
        Change::Repeat { at, from } => {
            let card = from.index(cards) * 80;
            let at = at.index(cards) * 80;
            bytes.copy_within(card..card + 80, at);
        }
    }
}

proptest! {
    /// Whatever bytes a file has, all that can be asked of it ends in a result.
    #[test]
    fn no_bytes_bring_it_down(seed in any::<prop::sample::Index>(), changes in changes()) {
        let mut bytes = seed.get(&SEEDS).clone();
        for change in &changes {
            apply(&mut bytes, change);
        }
        let Ok(file) = open(bytes) else { return Ok(()) };
        let mut cuts = Vec::new();
        for hdu in file.hdus() {
            let mut areas = vec![ALL, PixelBox { x_min: 9, x_max: 20, y_min: 11, y_max: 30 }];
            if let Ok(Some(wcs)) = hdu.wcs() {
                let size = Size::arcmin(2.0, 3.0).expect("positive");
                let middle = wcs.to_sky([20.0, 15.0]).unwrap_or(Position { ra: 10.0, dec: 20.0 });
                areas.extend(wcs.pixel_box(middle, size).ok());
            }
            for area in areas {
                for edge in [Edge::Trim, Edge::Pad] {
                    if let Ok(part) = wait(cut(&file, hdu, &area.into(), edge, 4 << 20)) {
                        prop_assert_eq!(
                            part.data().len() as u64,
                            part.shape().iter().product::<u64>() * part.bitpix().bytes()
                        );
                        cuts.push((part, Vec::new()));
                    }
                }
            }
        }
        let written = write(&file, cuts, "2026-01-02T03:04:05", Packing::Plain);
        prop_assert_eq!(written.len() % 2880, 0);
        open(written).expect("what is written can be read");
    }
}
