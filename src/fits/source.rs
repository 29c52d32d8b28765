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
    /// Reads each range of the file, as [`Source::read`] does, to a place in `buffer`, which has as many bytes there.
    fn read_to(
        &self,
        pieces: Vec<(Range<u64>, usize)>,
        mut buffer: Vec<u8>,
    ) -> BoxFuture<'_, Result<Vec<u8>, SourceError>> {
        let reading = self.read(pieces.iter().map(|(range, _)| range.clone()).collect());
        async move {
            for (part, (_, at)) in reading.await?.iter().zip(&pieces) {
                let to = buffer.get_mut(*at..at + part.len());
                to.ok_or_else(|| SourceError::Other("the store returned more than asked for".into()))?
                    .copy_from_slice(part);
            }
            Ok(buffer)
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
pub(super) async fn read(source: &dyn Source, ranges: Vec<Range<u64>>) -> Result<Vec<Bytes>, SourceError> {
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
