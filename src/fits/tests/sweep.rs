//! Many regions cut in one walk.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use fits_well::compress::{Compression, Gzip};
use fits_well::image::Scaling;

use super::files::{Memory, compressed, hdu, wait};
use crate::fits::{
    Admission, Cut, Edge, File, FitsError, PixelBox, Reason, Region, SourceError, Step, Sweep, cut,
};

const LIMIT: u64 = 64 << 20;
const SIDE: i64 = 500;

/// Boxes of 60 x 40 all over an image of 500 x 500, many of them over one another and some over its edges.
fn boxes() -> Vec<Region> {
    let at = |n: i64| (n * 197 % SIDE - 20, n * 331 % SIDE - 20);
    (0..150)
        .map(|n| {
            let (x, y) = at(n);
            let area = PixelBox {
                x_min: x,
                x_max: x + 59,
                y_min: y,
                y_max: y + 39,
            };
            area.into()
        })
        .collect()
}

fn pixels(planes: i32) -> Vec<i32> {
    (0..(SIDE * SIDE) as i32 * planes)
        .map(|n| n.wrapping_mul(2_654_435) >> 12)
        .collect()
}

fn tiled(codec: Compression, tile: [usize; 2]) -> Vec<u8> {
    compressed(&[SIDE as usize; 2], pixels(1), codec, &tile, Scaling::IDENTITY)
}

fn plain() -> Vec<u8> {
    let cards = [
        "SIMPLE  = T",
        "BITPIX  = 32",
        "NAXIS   = 3",
        "NAXIS1  = 500",
        "NAXIS2  = 500",
        "NAXIS3  = 4",
    ];
    let data: Vec<u8> = pixels(4).into_iter().flat_map(i32::to_be_bytes).collect();
    hdu(&cards, &data)
}

/// What becomes of each region of an HDU; at most `room` of them under way at once.
fn swept(
    file: &File,
    number: usize,
    regions: &[Region],
    room: usize,
) -> BTreeMap<usize, Result<Cut, Arc<FitsError>>> {
    let mut sweep = Sweep::new(file.clone(), Edge::Trim, LIMIT);
    for (id, region) in regions.iter().enumerate() {
        sweep.add(id, &[(number, region.clone())]);
    }
    let mut done: BTreeMap<usize, Result<Cut, Arc<FitsError>>> = BTreeMap::new();
    let mut begun = 0;
    loop {
        let finished = done.values().filter(|made| made.is_ok()).count();
        let mut admit = |_: usize, _: u64| {
            if begun - finished >= room {
                return Admission::Later;
            }
            begun += 1;
            Admission::Yes
        };
        match wait(sweep.step(&mut admit)) {
            Step::Finished(finished) => {
                for one in finished {
                    let cut = one.cuts.map(|mut cuts| cuts.remove(0));
                    assert!(done.insert(one.id, cut).is_none(), "{} is finished twice", one.id);
                }
            }
            Step::NeedsMemory(bytes) => panic!("{bytes} are there"),
            Step::End => return done,
        }
    }
}

/// Regions that a sweep cuts are those that are cut alone.
fn agrees(memory: &Arc<Memory>, number: usize, regions: &[Region], room: usize) {
    let file = wait(File::open(memory.clone())).expect("a good file");
    let done = swept(&file, number, regions, room);
    assert_eq!(done.len(), regions.len());
    for (region, (id, made)) in regions.iter().zip(done) {
        let alone = wait(cut(&file, &file.hdus()[number], region, Edge::Trim, LIMIT));
        match (made, alone) {
            (Ok(made), Ok(alone)) => {
                assert_eq!(made.data(), alone.data(), "{id}");
                assert_eq!((made.area(), made.shape()), (alone.area(), alone.shape()));
            }
            (made, alone) => assert!(made.is_err() && alone.is_err(), "{id}: {made:?}, {alone:?}"),
        }
    }
}

#[test]
fn every_region_has_its_own_pixels() {
    let regions = boxes();
    for bytes in [
        tiled(Compression::Rice, [SIDE as usize, 1]),
        tiled(Compression::Rice, [64, 50]),
        tiled(Compression::Gzip(Gzip::default()), [SIDE as usize; 2]),
    ] {
        agrees(&Memory::new(bytes), 1, &regions, usize::MAX);
    }
    let whole = PixelBox {
        x_min: 1,
        x_max: SIDE,
        y_min: 1,
        y_max: SIDE,
    };
    for local in [false, true] {
        let memory = Memory::new(plain());
        memory.local.store(local, Ordering::Relaxed);
        let planes = |range| Region {
            area: whole,
            planes: std::iter::once(range).collect(),
        };
        let cubes = [
            planes(1..3),
            planes(0..4),
            planes(3..4),
            planes(2..2),
            planes(3..5),
        ];
        agrees(&memory, 0, &[&regions[..], &cubes].concat(), usize::MAX);
    }
}

#[test]
fn planes_move_the_reference_pixel_of_their_axis() {
    let mut bytes = plain();
    let card = format!("{:<80}", "CRPIX3  =                  2.5");
    bytes[480..560].copy_from_slice(card.as_bytes());
    bytes[560..563].copy_from_slice(b"END");
    let file = wait(File::open(Memory::new(bytes))).expect("a good file");
    let region = Region {
        planes: std::iter::once(2..4).collect(),
        ..boxes()[3].clone()
    };
    let part = wait(cut(&file, &file.hdus()[0], &region, Edge::Trim, LIMIT)).expect("it is there");
    assert_eq!(part.shape()[2], 2);
    let written = crate::fits::write(
        &file,
        vec![(part, Vec::new())],
        "2026-01-01T00:00:00",
        crate::fits::Packing::Plain,
    );
    let written = wait(File::open(Memory::new(written))).expect("a good file");
    assert_eq!(written.hdus()[0].header().real("CRPIX3"), Some(0.5));
}

#[test]
fn each_tile_is_read_once() {
    for (bytes, number) in [(tiled(Compression::Rice, [64, 50]), 1), (plain(), 0)] {
        let memory = Memory::new(bytes);
        let file = wait(File::open(memory.clone())).expect("a good file");
        memory.read.store(0, Ordering::Relaxed);
        let regions = boxes();
        assert!(
            swept(&file, number, &regions, usize::MAX)
                .values()
                .any(Result::is_ok)
        );
        let data = file.hdus()[number].data();
        let read = memory.read.load(Ordering::Relaxed);
        assert!(read <= data.end - data.start, "{read} bytes of {data:?}");
        assert!(memory.requests.load(Ordering::Relaxed) < 20, "few requests");
    }
}

#[test]
fn a_pixel_of_a_box_is_read_with_the_box() {
    for (bytes, number) in [(tiled(Compression::Rice, [64, 50]), 1), (plain(), 0)] {
        let read = |regions: &[Region]| {
            let memory = Memory::new(bytes.clone());
            let file = wait(File::open(memory.clone())).expect("a good file");
            memory.read.store(0, Ordering::Relaxed);
            swept(&file, number, regions, usize::MAX);
            memory.read.load(Ordering::Relaxed)
        };
        let mut regions = boxes();
        let alone = read(&regions);
        let pixels = regions.clone().into_iter().map(|region| {
            let (x, y) = (region.area.x_min + 30, region.area.y_min + 20);
            let area = PixelBox {
                x_min: x,
                x_max: x,
                y_min: y,
                y_max: y,
            };
            Region::from(area)
        });
        regions.extend(pixels);
        // Waves end elsewhere, and what two of them need is read by both.
        let together = read(&regions);
        assert!(together.abs_diff(alone) < alone / 1_000, "{together} for {alone}");
    }
}

#[test]
fn regions_that_find_no_memory_come_in_another_walk() {
    let memory = Memory::new(tiled(Compression::Rice, [SIDE as usize, 1]));
    for room in [1, 7] {
        agrees(&memory, 1, &boxes(), room);
    }
}

#[test]
fn a_bad_tile_spoils_only_what_needs_it() {
    let mut bytes = tiled(Compression::Gzip(Gzip::default()), [SIDE as usize, 1]);
    let good = wait(File::open(Memory::new(bytes.clone()))).expect("a good file");
    // In the middle of the heap, so some row there: its gzip trailer is wrong.
    let data = good.hdus()[1].data();
    let at = u64::midpoint(data.start, data.end) as usize;
    bytes[at..at + 64].fill(0xa5);
    let file = wait(File::open(Memory::new(bytes))).expect("its headers are good");
    let done = swept(&file, 1, &boxes(), usize::MAX);
    let bad: Vec<_> = done
        .iter()
        .filter(|(_, made)| made.is_err())
        .map(|(id, _)| *id)
        .collect();
    assert!(
        !bad.is_empty() && bad.len() < done.len() / 2,
        "{} of {}",
        bad.len(),
        done.len()
    );
    let tile = |id: usize| match &done[&id] {
        Err(error) => match **error {
            FitsError::Tile { tile, .. } => tile as i64,
            ref other => panic!("{other}"),
        },
        Ok(_) => panic!("it was bad"),
    };
    let tiles: Vec<i64> = bad.iter().map(|id| tile(*id)).collect();
    for (region, (id, made)) in boxes().iter().zip(&done) {
        let rows = region.area.y_min..=region.area.y_max;
        let touches = tiles.iter().any(|tile| rows.contains(tile));
        assert_eq!(made.is_err(), touches, "{id}: {rows:?}, {tiles:?}");
    }
}

#[test]
fn what_fails_half_way_fails_alone() {
    // The store fails beyond some byte.
    let memory = Memory::new(tiled(Compression::Rice, [SIDE as usize, 1]));
    let file = wait(File::open(memory.clone())).expect("a good file");
    let low = &boxes()[..40];
    let data = file.hdus()[1].data();
    let done = swept(&file, 1, &low[..1], 1);
    assert!(done[&0].is_ok());
    memory.fails_from.store(data.end - 10, Ordering::Relaxed);
    let mut sweep = Sweep::new(file.clone(), Edge::Trim, 256 << 10);
    for (id, region) in low.iter().enumerate() {
        sweep.add(id, &[(1, region.clone())]);
    }
    let (mut good, mut failed) = (0, 0);
    while let Step::Finished(finished) = wait(sweep.step(&mut |_, _| Admission::Yes)) {
        for one in finished {
            match one.cuts {
                Ok(_) => good += 1,
                Err(error) => {
                    assert!(
                        matches!(&*error, FitsError::Source(SourceError::Other(_))),
                        "{error}"
                    );
                    failed += 1;
                }
            }
        }
    }
    assert_eq!(good + failed, low.len());
    assert!(good > 10 && failed > 0, "{good} good, {failed} failed");

    // The file is replaced: nothing more is tried.
    memory.replaced.store(true, Ordering::Relaxed);
    let before = memory.requests.load(Ordering::Relaxed);
    let done = swept(&file, 1, &boxes(), usize::MAX);
    for made in done.values() {
        assert_eq!(
            made.as_ref().map_err(|error| error.reason()).err(),
            Some(Reason::SourceChanged)
        );
    }
    assert_eq!(memory.requests.load(Ordering::Relaxed), before + 1);
}
