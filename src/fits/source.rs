//! Where the bytes of a FITS file lie.

use std::error::Error;
use std::ops::Range;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use thiserror::Error as ThisError;

/// A file of fixed size that is read by ranges. Whoever implements it merges ranges as its store likes best,
/// and reports [`SourceError::Changed`] if the file is no longer the one that was opened.
pub trait Source: Send + Sync + 'static {
    /// Bytes of the file.
    fn size(&self) -> u64;
    /// The store's tag of this version of the file.
    fn etag(&self) -> Option<&str>;
    /// The bytes of each range, in order, each as long as its range. Ranges are never empty, lie within
    /// [`Source::size`], and begin in ascending order; they may overlap.
    fn read(&self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>, SourceError>>;
    /// Fills buffers, in order, each with ranges of the file as [`Source::read`] has them, to places where it has as many
    /// bytes.
    fn fill(&self, pieces: Vec<Filling>) -> BoxFuture<'_, Result<Vec<Vec<u8>>, SourceError>> {
        async move {
            let mut filled = Vec::with_capacity(pieces.len());
            for Filling { ranges, mut buffer } in pieces {
                let parts = read(self, ranges.iter().map(|(range, _)| range.clone()).collect()).await?;
                for (part, (_, at)) in parts.iter().zip(&ranges) {
                    place(&mut buffer, *at, part.len())?.copy_from_slice(part);
                }
                filled.push(buffer);
            }
            Ok(filled)
        }
        .boxed()
    }
    /// [`SourceError::Changed`] or [`SourceError::NotFound`] if the file is no longer the one that was opened.
    fn check(&self) -> BoxFuture<'_, Result<(), SourceError>>;
    /// Whether reading many small ranges costs no more than reading what lies between them too.
    fn is_local(&self) -> bool {
        false
    }
}

/// A buffer, and the ranges of a file that belong to places in it.
#[derive(Debug)]
pub struct Filling {
    /// Ranges, and where the first byte of each belongs.
    pub ranges: Vec<(Range<u64>, usize)>,
    /// The buffer.
    pub buffer: Vec<u8>,
}

/// A place in a buffer.
pub fn place(buffer: &mut [u8], at: usize, length: usize) -> Result<&mut [u8], SourceError> {
    let end = at.checked_add(length);
    end.and_then(|end| buffer.get_mut(at..end))
        .ok_or_else(|| SourceError::Other("there is no room for what is read".into()))
}

/// Why bytes could not be had.
#[derive(Debug, ThisError)]
pub enum SourceError {
    /// There is no such file.
    #[error("the file is not there")]
    NotFound,
    /// The file was replaced after it was opened.
    #[error("the file was replaced while it was read")]
    Changed,
    /// The store failed.
    #[error("the file could not be read: {0}")]
    Other(#[source] Box<dyn Error + Send + Sync>),
}

/// [`Source::read`], checked: whatever a source returns, the lengths are those asked for.
pub(super) async fn read(
    source: &(impl Source + ?Sized),
    ranges: Vec<Range<u64>>,
) -> Result<Vec<Bytes>, SourceError> {
    if ranges.is_empty() {
        return Ok(Vec::new());
    }
    let lengths: Vec<u64> = ranges.iter().map(|range| range.end - range.start).collect();
    let parts = source.read(ranges).await?;
    if parts.len() != lengths.len()
        || parts
            .iter()
            .zip(&lengths)
            .any(|(part, len)| part.len() as u64 != *len)
    {
        return Err(SourceError::Other(
            "the store returned other lengths than asked for".into(),
        ));
    }
    Ok(parts)
}
