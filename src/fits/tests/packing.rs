//! Cutouts that are compressed.

use super::files::{hdu, open, wait};
use crate::fits::{Bitpix, Edge, File, Kind, NewCard, Packing, Value, cut, write};

const DATE: &str = "2026-01-02T03:04:05";

/// A primary of 300 x 270 x 2 pixels and the same as an extension, of pixels with every kind of bits.
fn file(bitpix: i64) -> File {
    let bytes = 300 * 270 * 2 * bitpix.unsigned_abs() as usize / 8;
    // Long runs of the same and what looks like noise; NaN and infinities among the reals.
    let data: Vec<u8> = (0..bytes)
        .map(|at| {
            if at / 999 % 3 == 0 {
                255
            } else {
                ((at * at) >> 7) as u8
            }
        })
        .collect();
    let axes = ["NAXIS1  = 300 / columns", "NAXIS2  = 270", "NAXIS3  = 2"];
    let of = |first: &str, rest: &[&str]| {
        let bitpix = format!("BITPIX  = {bitpix}");
        let cards = [&[first, &bitpix, "NAXIS   = 3"], &axes[..], rest].concat();
        hdu(&cards, &data)
    };
    let primary = of(
        "SIMPLE  = T",
        &[
            "EXTEND  = T / more",
            "BSCALE  = 2.0",
            "BZERO   = 7.0",
            "DATE    = 'once'",
            "COMMENT kept",
        ],
    );
    let extension = of(
        "XTENSION= 'IMAGE   '",
        &[
            "PCOUNT  = 0",
            "GCOUNT  = 1",
            "EXTNAME = 'SCI'",
            "TTYPE1  = 'lost'",
            "LTV1    = 3.0",
        ],
    );
    open([primary, extension].concat()).expect("a good file")
}

fn cards(file: &File, number: usize) -> Vec<String> {
    let kept = file.hdus()[number].kept().shifted(&[0, 0, 0]);
    let text = kept
        .0
        .iter()
        .map(|card| String::from_utf8_lossy(card).trim_end().to_owned());
    // The one belongs to tables only, the other to primaries.
    text.filter(|card| !card.starts_with("TTYPE1") && !card.starts_with("EXTEND"))
        .collect()
}

#[test]
fn compressed_cutouts_have_the_pixels_and_cards_of_plain_ones() {
    for bitpix in [8, 16, 32, 64, -32, -64] {
        let file = file(bitpix);
        let all = |file: &File, number: usize| {
            let hdu = &file.hdus()[number];
            let area = crate::fits::PixelBox {
                x_min: 1,
                x_max: 300,
                y_min: 1,
                y_max: 270,
            };
            wait(cut(file, hdu, &area.into(), Edge::Strict, 1 << 30)).expect("a good image")
        };
        let source = NewCard::new("CUTSRC", Value::Text("x".repeat(100)), "");
        let cuts = || {
            let with_cards = |number| (all(&file, number), vec![source.clone()]);
            [0, 1].map(with_cards).to_vec()
        };
        let plain = open(write(&file, cuts(), DATE, Packing::Plain)).expect("a good file");
        let bytes = write(&file, cuts(), DATE, Packing::Tiled);
        let packed = open(bytes.clone()).expect("a good file");
        // 64-bit numbers stay as they are, and so does the primary.
        let moved = usize::from(bitpix != 64);
        assert_eq!(packed.hdus().len(), 2 + moved, "{bitpix}");
        for number in [0, 1] {
            let (one, other) = (&plain.hdus()[number], &packed.hdus()[number + moved]);
            let kind = if moved == 1 { Kind::Compressed } else { Kind::Image };
            assert_eq!(other.kind(), kind, "{bitpix}");
            assert_eq!((one.bitpix(), one.shape()), (other.bitpix(), other.shape()));
            let (there, here) = (all(&plain, number), all(&packed, number + moved));
            assert!(there.data() == here.data(), "{bitpix}: other pixels");
            assert_eq!(cards(&plain, number), cards(&packed, number + moved), "{bitpix}");
            if moved == 1 {
                let codec = if bitpix > 0 { "RICE_1" } else { "GZIP_2" };
                assert_eq!(other.header().text("ZCMPTYPE").as_deref(), Some(codec));
                assert_eq!(other.header().integer("ZTILE1"), Some(256));
                assert_eq!(other.header().integer("ZTILE3"), Some(1));
                assert_eq!(
                    other
                        .header()
                        .cards()
                        .filter(|card| card.starts_with(b"TTYPE1"))
                        .count(),
                    1
                );
            }
            if number == 0 && moved == 1 {
                assert_eq!(other.header().logical("ZSIMPLE"), Some(true));
                assert_eq!(other.header().logical("ZEXTEND"), Some(true));
                assert_eq!(other.header().text("DATE").as_deref(), Some(DATE));
            }
        }
        let blocks = bytes.as_chunks::<2880>();
        assert!(blocks.1.is_empty());
        if bitpix == 16 {
            assert_eq!(packed.hdus()[1].bitpix(), Bitpix::I16);
            assert_eq!(super::super::checksum::sum(0, &bytes), u32::MAX);
        }
    }
}
