//! Small FITS files in memory.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use fits_well::FitsWriter;
use fits_well::compress::{Compression, CompressionConfig};
use fits_well::image::{Image, Sample, Scaling};
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::fits::{File, FitsError, Source, SourceError};

/// A file in memory that counts the requests made of it.
pub(super) struct Memory {
    bytes: Bytes,
    pub(super) requests: AtomicUsize,
    /// Bytes that were read, those wanted twice in one request once.
    pub(super) read: AtomicU64,
    pub(super) replaced: AtomicBool,
    /// Whether it counts as a file of this machine.
    pub(super) local: AtomicBool,
    /// Whoever reads from here on is told that the store failed.
    pub(super) fails_from: AtomicU64,
}

impl Memory {
    pub(super) fn new(bytes: impl Into<Bytes>) -> Arc<Self> {
        Arc::new(Self {
            bytes: bytes.into(),
            requests: AtomicUsize::new(0),
            read: AtomicU64::new(0),
            replaced: AtomicBool::new(false),
            local: AtomicBool::new(false),
            fails_from: AtomicU64::new(u64::MAX),
        })
    }
}

impl Source for Memory {
    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn etag(&self) -> Option<&str> {
        Some("tag")
    }

    fn read(&self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>, SourceError>> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if self.replaced.load(Ordering::Relaxed) {
            return futures::future::err(SourceError::Changed).boxed();
        }
        assert!(
            ranges
                .iter()
                .all(|range| range.start < range.end && range.end <= self.size()),
            "{ranges:?}"
        );
        assert!(ranges.is_sorted_by_key(|range| range.start), "{ranges:?}");
        let mut end = 0;
        for range in &ranges {
            let new = range.end.saturating_sub(range.start.max(end));
            self.read.fetch_add(new, Ordering::Relaxed);
            end = end.max(range.end);
        }
        if end > self.fails_from.load(Ordering::Relaxed) {
            return futures::future::err(SourceError::Other("500".into())).boxed();
        }
        let parts = ranges
            .into_iter()
            .map(|range| self.bytes.slice(range.start as usize..range.end as usize));
        futures::future::ok(parts.collect()).boxed()
    }

    fn is_local(&self) -> bool {
        self.local.load(Ordering::Relaxed)
    }

    fn check(&self) -> BoxFuture<'_, Result<(), SourceError>> {
        let changed = self.replaced.load(Ordering::Relaxed);
        futures::future::ready(if changed {
            Err(SourceError::Changed)
        } else {
            Ok(())
        })
        .boxed()
    }
}

pub(super) fn wait<T>(future: impl Future<Output = T>) -> T {
    futures::executor::block_on(future)
}

pub(super) fn open(bytes: impl Into<Bytes>) -> Result<File, FitsError> {
    wait(File::open(Memory::new(bytes)))
}

/// A header of these cards, END and fill added.
pub(in crate::fits) fn header(cards: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for card in cards.iter().chain(&["END"]) {
        bytes.extend_from_slice(card.as_bytes());
        bytes.resize(bytes.len().next_multiple_of(80), b' ');
    }
    bytes.resize(bytes.len().next_multiple_of(2880), b' ');
    bytes
}

/// An HDU of a header and data, fill added.
pub(super) fn hdu(cards: &[&str], data: &[u8]) -> Vec<u8> {
    let mut bytes = header(cards);
    bytes.extend_from_slice(data);
    bytes.resize(bytes.len().next_multiple_of(2880), 0);
    bytes
}

/// A tile-compressed image after an empty primary.
pub(super) fn compressed<T: Sample>(
    shape: &[usize],
    pixels: Vec<T>,
    codec: Compression,
    tile: &[usize],
    scaling: Scaling,
) -> Vec<u8> {
    let image = Image::new(shape.to_vec(), pixels, scaling).expect("as many pixels as the shape says");
    let config = CompressionConfig::new(codec).with_tiles(tile.to_vec());
    let mut writer = FitsWriter::new(Vec::new());
    writer
        .write_compressed_image(image.view(), &config, None)
        .expect("it can be compressed");
    writer.into_inner()
}

/// A plain image of 16-bit numbers, 40 x 30, whose pixel (x, y), 1-based, is 100 y + x; TAN about (10, 20),
/// 0.01 deg pixels, in the middle.
pub(super) fn plain() -> Vec<u8> {
    let data: Vec<u8> = (0..30_i16)
        .flat_map(|y| (0..40).flat_map(move |x| (100 * (y + 1) + x + 1).to_be_bytes()))
        .collect();
    hdu(&PLAIN, &data)
}

pub(super) const PLAIN: [&str; 17] = [
    "SIMPLE  =                    T / conforms",
    "BITPIX  =                   16",
    "NAXIS   =                    2",
    "NAXIS1  =                   40 / columns",
    "NAXIS2  =                   30",
    "OBJECT  = 'Field 7 '           / what it shows",
    "CTYPE1  = 'RA---TAN'",
    "CTYPE2  = 'DEC--TAN'",
    "CRVAL1  =                 10.0",
    "CRVAL2  =                 20.0",
    "CRPIX1  =                 20.5 / middle",
    "CRPIX2  =                 15.5",
    "CDELT1  =                -0.01",
    "CDELT2  =                 0.01",
    "CRPIX1P =                  1.0",
    "LTV1    =                  3.0",
    "HISTORY made for a test",
];
