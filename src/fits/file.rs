//! An opened FITS file: its HDUs, found by reading headers and jumping over data.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::error::FitsError;
use super::hdu::Hdu;
use super::header::{BLOCK, CARD, Header, find_end};
use super::source::{self, Source};

/// What the first request asks for: the headers of most files.
const FIRST_READ: u64 = 64 * 1024;
/// What the search for END asks for after that, doubled until it is found.
const NEXT_READ: u64 = 8 * BLOCK as u64;
const LONGEST_HEADER: u64 = 16 << 20;
const ALL_HEADERS: u64 = 64 << 20;
const MOST_HDUS: usize = 10_000;

/// A FITS file of which the headers were read. Cheap to keep and to clone: what a cutout needs
/// beside pixels (coordinates, tile table) is worked out once and kept here.
#[derive(Clone)]
pub struct File {
    source: Arc<dyn Source>,
    hdus: Arc<[Hdu]>,
}

impl File {
    /// Reads the headers: one request for the first 64 KiB, then one for each header that lies beyond.
    ///
    /// Special records and other bytes after the last HDU are ignored (FITS 4.0, section 3.5). Every HDU must
    /// lie within the file, only the padding of the last may be missing.
    pub async fn open(source: Arc<dyn Source>) -> Result<Self, FitsError> {
        let size = source.size();
        let mut window = Window {
            source: &*source,
            size,
            start: 0,
            bytes: Bytes::new(),
        };
        window.load(0, FIRST_READ).await?;
        if !window.bytes.starts_with(b"SIMPLE  =") {
            return Err(FitsError::NotFits);
        }
        let mut hdus: Vec<Hdu> = Vec::new();
        let mut offset = 0;
        let mut read = 0;
        while offset < size {
            let number = hdus.len();
            if number > 0 && !window.is_extension(offset).await? {
                break;
            }
            if number == MOST_HDUS {
                return Err(FitsError::HeadersTooLong {
                    what: "HDUs",
                    limit: MOST_HDUS as u64,
                });
            }
            let header = window.header(number, offset).await?;
            let length = (header.len() as u64 + CARD as u64).next_multiple_of(BLOCK as u64);
            read += length;
            if read > ALL_HEADERS {
                return Err(FitsError::HeadersTooLong {
                    what: "bytes",
                    limit: ALL_HEADERS,
                });
            }
            let start = offset
                .checked_add(length)
                .ok_or(FitsError::Overflow { hdu: number })?;
            let hdu = Hdu::new(number, Header::new(header), start)?;
            hdu.keep_table(window.start, &window.bytes);
            let end = hdu.data().end;
            if end > size {
                return Err(FitsError::Truncated {
                    what: format!("HDU {number}"),
                    end,
                    size,
                });
            }
            offset = end
                .checked_next_multiple_of(BLOCK as u64)
                .ok_or(FitsError::Overflow { hdu: number })?;
            hdus.push(hdu);
        }
        let hdus = hdus.into();
        Ok(Self { source, hdus })
    }

    /// All HDUs in file order, the primary first.
    pub fn hdus(&self) -> &[Hdu] {
        &self.hdus
    }

    /// The HDUs that `name` names: the one of that number (0 = primary), else all of that EXTNAME, whose case
    /// does not matter.
    pub fn select(&self, name: &str) -> Vec<&Hdu> {
        if let Ok(number) = name.parse::<usize>() {
            return self.hdus.get(number).into_iter().collect();
        }
        self.hdus
            .iter()
            .filter(|hdu| hdu.name().is_some_and(|own| own.eq_ignore_ascii_case(name)))
            .collect()
    }

    /// Bytes of the file.
    pub fn size(&self) -> u64 {
        self.source.size()
    }

    /// The store's tag of the version that was opened.
    pub fn etag(&self) -> Option<&str> {
        self.source.etag()
    }

    /// An error if the file is no longer the one that was opened.
    pub async fn check(&self) -> Result<(), FitsError> {
        Ok(self.source.check().await?)
    }

    /// Whether asking its source costs next to nothing.
    pub fn is_local(&self) -> bool {
        self.source.is_local()
    }

    /// Bytes of memory that it takes: headers, and what was read of tables of tiles by now.
    pub fn memory(&self) -> u64 {
        // Coordinates and what is worked out of cards take about as much as the cards.
        let hdus = self
            .hdus
            .iter()
            .map(|hdu| 4096 + 4 * hdu.header().cards().len() as u64 * CARD as u64);
        hdus.sum::<u64>() + self.hdus.iter().map(Hdu::table_memory).sum::<u64>()
    }

    pub(super) fn source(&self) -> &dyn Source {
        &*self.source
    }
}

/// The part of the file that was read last.
struct Window<'a> {
    source: &'a dyn Source,
    size: u64,
    start: u64,
    bytes: Bytes,
}

impl Window<'_> {
    /// Makes `length` bytes from `start` present, fewer at the end of the file.
    async fn load(&mut self, start: u64, length: u64) -> Result<(), FitsError> {
        let end = start.saturating_add(length).min(self.size);
        let present = self.start..self.start + self.bytes.len() as u64;
        if present.contains(&start) && present.end >= end || start >= end {
            return Ok(());
        }
        // What is there already is not read again.
        let kept = if present.contains(&start) {
            self.bytes.slice((start - present.start) as usize..)
        } else {
            Bytes::new()
        };
        let from = start + kept.len() as u64;
        let mut parts = source::read(self.source, std::iter::once(from..end).collect()).await?;
        let new = parts.pop().unwrap_or_default();
        self.bytes = if kept.is_empty() {
            new
        } else {
            let mut joined = BytesMut::with_capacity(kept.len() + new.len());
            joined.extend_from_slice(&kept);
            joined.extend_from_slice(&new);
            joined.freeze()
        };
        self.start = start;
        Ok(())
    }

    /// The bytes from `start` on that are present.
    fn from(&self, start: u64) -> &[u8] {
        usize::try_from(start.saturating_sub(self.start))
            .ok()
            .and_then(|at| self.bytes.get(at..))
            .unwrap_or_default()
    }

    async fn is_extension(&mut self, offset: u64) -> Result<bool, FitsError> {
        if self.from(offset).len() < CARD && offset + CARD as u64 <= self.size {
            self.load(offset, NEXT_READ).await?;
        }
        Ok(self.from(offset).starts_with(b"XTENSION="))
    }

    /// The cards of the header at `offset`, without END, in memory of their own.
    async fn header(&mut self, number: usize, offset: u64) -> Result<Bytes, FitsError> {
        let mut searched = 0;
        loop {
            let bytes = self.from(offset);
            if let Some(end) = find_end(bytes, searched) {
                return Ok(Bytes::copy_from_slice(&bytes[..end]));
            }
            searched = bytes.len() / CARD * CARD;
            let length = bytes.len() as u64;
            if offset + length >= self.size {
                return Err(FitsError::NoEnd {
                    hdu: number,
                    searched: length,
                });
            }
            if length >= LONGEST_HEADER {
                return Err(FitsError::HeadersTooLong {
                    what: "bytes",
                    limit: LONGEST_HEADER,
                });
            }
            self.load(offset, (length * 2).max(NEXT_READ)).await?;
        }
    }
}
