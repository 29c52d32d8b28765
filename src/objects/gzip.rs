//! Images that are compressed as a whole by gzip, of which no part can be read alone: inflated to a file that has no name
//! and goes with its last reader.

use std::{
    fs::File,
    io::{self, ErrorKind, Write},
    ops::Range,
    os::unix::fs::{FileExt, OpenOptionsExt},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::{Bytes, BytesMut};
use flate2::write::MultiGzDecoder;
use futures::{FutureExt, future::BoxFuture};

use super::{ObjectsError, results::blocking};
use crate::fits::{Source, SourceError};

/// Compressed bytes that are read at a time.
const STEP: u64 = 4 << 20;
/// An image may be so many times as large as its compressed file: blank maps are, bombs are more.
const RATIO: u64 = 200;
/// Up to this it may have any ratio.
const SMALL: u64 = 64 << 20;

/// Whether a URL is that of a file that is compressed as a whole.
pub fn is_gzip(url: &str) -> bool {
    // In a path of this machine these are letters like others.
    let ends: &[char] = if url.contains("://") { &['?', '#'] } else { &[] };
    let path = url.split(ends).next().unwrap_or_default();
    path.to_ascii_lowercase().ends_with(".gz")
}

/// Room on disk for what is inflated, shared by all that are open.
pub(super) struct Scratch {
    most: u64,
    used: AtomicU64,
}

impl Scratch {
    /// So many bytes in all.
    pub(super) fn new(most: u64) -> Scratch {
        Scratch {
            most,
            used: AtomicU64::new(0),
        }
    }

    /// Whether more than half is taken.
    pub(super) fn is_crowded(&self) -> bool {
        self.used.load(Ordering::Relaxed) > self.most / 2
    }
}

/// A part of the room, given back when it is dropped.
struct Claim {
    scratch: Arc<Scratch>,
    bytes: u64,
}

impl Claim {
    fn grow(&mut self, bytes: u64) -> io::Result<()> {
        let used = self.scratch.used.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        if used.saturating_add(bytes) <= self.scratch.most {
            return Ok(());
        }
        let message = format!(
            "it is compressed as a whole by gzip, and there is no room to inflate it: images that are in use may take \
             {} bytes together",
            self.scratch.most
        );
        Err(io::Error::new(ErrorKind::FileTooLarge, message))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.scratch.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Takes what comes out of the decoder.
struct Sink {
    file: File,
    claim: Claim,
    /// Most that the compressed file may hold.
    most: u64,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.claim.grow(bytes.len() as u64)?;
        if self.claim.bytes > self.most {
            let message =
                format!("it is compressed by gzip to less than 1/{RATIO} of its size, as no image is");
            return Err(io::Error::new(ErrorKind::FileTooLarge, message));
        }
        self.file.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An image that was inflated, read as the compressed file was when it was opened.
pub(super) struct InflatedSource {
    file: Arc<File>,
    claim: Claim,
    compressed: Arc<dyn Source>,
}

impl InflatedSource {
    /// Inflates all of a file; [`ObjectsError::Unusable`] if there is no room for it, or it is not whole.
    pub(super) async fn open(
        compressed: Arc<dyn Source>,
        scratch: &Arc<Scratch>,
    ) -> Result<InflatedSource, ObjectsError> {
        let claim = Claim {
            scratch: Arc::clone(scratch),
            bytes: 0,
        };
        let size = compressed.size();
        let sink = Sink {
            file: blocking(|| Ok(nameless()?)).await?,
            claim,
            most: size.saturating_mul(RATIO).max(SMALL),
        };
        let mut decoder = MultiGzDecoder::new(sink);
        let mut at = 0;
        while at < size {
            let end = size.min(at + STEP);
            let next = at..end;
            let parts = compressed.read(vec![next]).await.map_err(unread)?;
            decoder = blocking(move || {
                for part in parts {
                    decoder.write_all(&part).map_err(unusable)?;
                }
                Ok(decoder)
            })
            .await?;
            at = end;
        }
        let Sink { file, claim, .. } = blocking(move || decoder.finish().map_err(unusable)).await?;
        Ok(InflatedSource {
            file: Arc::new(file),
            claim,
            compressed,
        })
    }
}

/// A file of this user's alone that is gone once it is closed, however the process ends.
fn nameless() -> io::Result<File> {
    let name = format!("sidereal-{}", uuid::Uuid::now_v7().simple());
    let path = std::env::temp_dir().join(name);
    let mut options = File::options();
    let file = options
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

fn unread(error: SourceError) -> ObjectsError {
    match error {
        SourceError::NotFound => ObjectsError::NotFound,
        SourceError::Changed => ObjectsError::Changed,
        SourceError::Other(error) => ObjectsError::Unavailable(error),
    }
}

fn unusable(error: io::Error) -> ObjectsError {
    match error.kind() {
        ErrorKind::FileTooLarge => ObjectsError::Unusable(error.to_string()),
        ErrorKind::InvalidInput | ErrorKind::InvalidData | ErrorKind::UnexpectedEof => {
            ObjectsError::Unusable(format!("it is no whole gzip file: {error}"))
        }
        _ => ObjectsError::unavailable(error),
    }
}

impl Source for InflatedSource {
    fn size(&self) -> u64 {
        self.claim.bytes
    }

    fn etag(&self) -> Option<&str> {
        self.compressed.etag()
    }

    fn read(&self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>, SourceError>> {
        let file = Arc::clone(&self.file);
        async move {
            let read = move || {
                let parts = ranges.into_iter().map(|range| {
                    let length = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
                    let mut bytes = BytesMut::zeroed(length);
                    file.read_exact_at(&mut bytes, range.start)?;
                    Ok(bytes.freeze())
                });
                parts.collect::<io::Result<Vec<Bytes>>>()
            };
            let read = tokio::task::spawn_blocking(read).await;
            read.map_err(|error| SourceError::Other(error.into()))?
                .map_err(|error| SourceError::Other(error.into()))
        }
        .boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), SourceError>> {
        self.compressed.check()
    }

    fn is_local(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use flate2::{Compression, write::GzEncoder};

    use super::*;
    use crate::objects::local::LocalSource;

    fn zipped(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    async fn inflated(bytes: &[u8], scratch: &Arc<Scratch>) -> Result<InflatedSource, ObjectsError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.fits.gz");
        std::fs::write(&path, bytes).unwrap();
        InflatedSource::open(Arc::new(LocalSource::open(path)?), scratch).await
    }

    #[test]
    fn what_is_compressed_as_a_whole_is_known_by_its_name() {
        for url in [
            "a.fits.gz",
            "file:///x/A.FITS.GZ",
            "https://host/a.gz?signature=x",
            "/data/run#3/a.fits.gz",
        ] {
            assert!(is_gzip(url), "{url}");
        }
        for url in ["a.fits", "https://host/a.fits?x=.gz", "s3://b/a.gz/b.fits"] {
            assert!(!is_gzip(url), "{url}");
        }
    }

    #[tokio::test]
    async fn what_was_compressed_is_read_and_its_room_given_back() {
        let scratch = Arc::new(Scratch::new(1 << 20));
        let bytes: Vec<u8> = (0..500_000_u32)
            .map(|n| (n.wrapping_mul(n) % 251) as u8)
            .collect();
        // Files that were put together are one.
        let parts = [zipped(&bytes[..1_000]), zipped(&bytes[1_000..])].concat();
        let source = inflated(&parts, &scratch).await.unwrap();
        assert_eq!(source.size(), 500_000);
        let read = source
            .read(vec![0..3, 900..1_100, 499_999..500_000])
            .await
            .unwrap();
        assert_eq!(read, [&bytes[0..3], &bytes[900..1_100], &bytes[499_999..]]);
        assert!(!scratch.is_crowded());
        let other = inflated(&parts, &scratch).await.unwrap();
        assert!(scratch.is_crowded());
        let refused = inflated(&parts, &scratch).await.err().unwrap();
        assert!(refused.to_string().contains("no room"), "{refused}");
        drop((source, other));
        assert_eq!(scratch.used.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn bombs_and_broken_files_are_refused() {
        let scratch = Arc::new(Scratch::new(1 << 30));
        let bomb = zipped(&vec![0; (SMALL + 1) as usize]);
        let whole = zipped(&vec![7; 100_000]);
        let mut spoilt = whole.clone();
        let last = spoilt.len() - 6;
        spoilt[last] ^= 1;
        for (bytes, why) in [
            (&bomb[..], "as no image is"),
            (&whole[..whole.len() / 2], "no whole gzip file"),
            (&whole[..whole.len() - 3], "no whole gzip file"),
            (&spoilt, "no whole gzip file"),
            (b"SIMPLE  =", "no whole gzip file"),
            (b"", "no whole gzip file"),
        ] {
            let refused = inflated(bytes, &scratch).await.err().unwrap();
            assert!(refused.to_string().contains(why), "{why}: {refused}");
        }
        assert_eq!(scratch.used.load(Ordering::Relaxed), 0);
    }
}
