//! Cutouts in strips.

use fits_well::compress::Compression;
use fits_well::image::Scaling;

use super::files::{compressed, hdu, header, open, plain, wait};
use crate::fits::{Cut, Edge, File, NewCard, Packing, PixelBox, Region, Strips, Sums, Value, cut, write};

const LIMIT: u64 = 64 << 20;
const DATE: &str = "2026-01-02T03:04:05";

fn region(x: [i64; 2], y: [i64; 2], planes: Option<std::ops::Range<u64>>) -> Region {
    Region {
        area: PixelBox {
            x_min: x[0],
            x_max: x[1],
            y_min: y[0],
            y_max: y[1],
        },
        planes: planes.into_iter().collect(),
    }
}

fn cards(cut: &Cut) -> Vec<NewCard> {
    let area = Value::Text(format!("{} {}", cut.area(), cut.coverage()));
    vec![NewCard::new("CUTBOX", area, "")]
}

/// The file of regions, written at once.
fn whole(file: &File, regions: &[(usize, Region)], edge: Edge) -> Vec<u8> {
    let cuts = regions.iter().map(|(number, region)| {
        let cut = wait(cut(file, &file.hdus()[*number], region, edge, LIMIT)).expect("it can be cut");
        let cards = cards(&cut);
        (cut, cards)
    });
    write(file, cuts.collect(), DATE, Packing::Plain).to_vec()
}

/// The same in strips, and how many.
fn in_strips(file: &File, regions: &[(usize, Region)], edge: Edge, most: u64) -> (Vec<u8>, usize) {
    let strips = Strips::new(file, regions, edge, most)
        .expect("inside")
        .expect("nothing is padded");
    let mut sums = Sums::new(strips.cuts().count());
    let pixels: Vec<Vec<u8>> = strips
        .all()
        .map(|strip| {
            let cut = wait(strips.cut(&strip, LIMIT)).expect("it can be cut");
            assert!(cut.data().len() as u64 <= strips.largest());
            sums.add(&strip, cut.data());
            cut.into_data()
        })
        .collect();
    let read: usize = pixels.iter().map(Vec::len).sum();
    assert_eq!(strips.bytes(), read as u64);
    let mut heads = strips
        .heads(strips.cuts().map(cards).collect(), &sums.finish(), DATE)
        .into_iter();
    let (mut out, mut part) = (Vec::new(), usize::MAX);
    for (strip, pixels) in strips.all().zip(&pixels) {
        if strip.part != part {
            out.extend(heads.next().expect("each has one"));
            part = strip.part;
        }
        out.extend(pixels);
        out.extend(strips.padding(&strip));
    }
    (out, pixels.len())
}

#[test]
fn a_file_in_strips_is_the_same_file() {
    let extension = |value: u8| {
        let cards = [
            "XTENSION= 'IMAGE   '",
            "BITPIX  =                    8",
            "NAXIS   =                    2",
            "NAXIS1  =                    7",
            "NAXIS2  =                    5",
            "PCOUNT  =                    0",
            "GCOUNT  =                    1",
        ];
        hdu(&cards, &[value; 35])
    };
    let primary = header(&[
        "SIMPLE  = T",
        "BITPIX  = 16",
        "NAXIS   = 0",
        "EXTEND  = T",
        "BAND = 'r'",
    ]);
    let extensions = [primary, extension(1), extension(250)].concat();
    let cube_cards = [
        "SIMPLE  = T",
        "BITPIX  = 8",
        "NAXIS   = 3",
        "NAXIS1  = 9",
        "NAXIS2  = 4",
        "NAXIS3  = 6",
    ];
    let cube = hdu(
        &cube_cards,
        &(0..216).map(|at| (at * 7) as u8).collect::<Vec<_>>(),
    );
    let pixels: Vec<i32> = (0..100 * 90).map(|at| at * 31 % 1_009).collect();
    let rice = |tile: &[usize]| {
        let scaling = Scaling::IDENTITY;
        compressed(&[100, 90], pixels.clone(), Compression::Rice, tile, scaling)
    };
    for (bytes, regions) in [
        (plain(), vec![(0, region([1, 40], [1, 30], None))]),
        (plain(), vec![(0, region([-5, 17], [9, 90], None))]),
        (
            extensions,
            vec![
                (2, region([2, 6], [1, 5], None)),
                (1, region([1, 7], [2, 4], None)),
            ],
        ),
        (cube.clone(), vec![(0, region([2, 8], [1, 3], None))]),
        (cube, vec![(0, region([2, 8], [1, 3], Some(2..5)))]),
        (rice(&[100, 1]), vec![(1, region([3, 80], [5, 88], None))]),
        (rice(&[32, 16]), vec![(1, region([3, 80], [5, 88], None))]),
    ] {
        let file = open(bytes).expect("a good file");
        let expected = whole(&file, &regions, Edge::Trim);
        for most in [1, 13, 64, 1_000, 5_000] {
            let (written, count) = in_strips(&file, &regions, Edge::Trim, most);
            assert_eq!(written, expected, "{regions:?} in strips of {most}");
            assert!(count > regions.len() || most >= 64, "{count}");
        }
    }
}

#[test]
fn what_is_padded_is_not_made_in_strips() {
    let file = open(plain()).expect("a good file");
    let over = [(0, region([-1, 5], [1, 5], None))];
    assert!(Strips::new(&file, &over, Edge::Pad, 8).expect("inside").is_none());
    let within = [(0, region([1, 5], [1, 5], None))];
    assert!(
        Strips::new(&file, &within, Edge::Pad, 8)
            .expect("inside")
            .is_some()
    );
    assert!(Strips::new(&file, &over, Edge::Strict, 8).is_err());
}
