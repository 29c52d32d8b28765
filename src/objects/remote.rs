//! Images in a bucket or behind a web server.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture, stream};
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, path::Path};

use super::ObjectsError;
use crate::fits::{Source, SourceError};

/// Gaps up to this are read with what they separate: a request costs more than these bytes.
const GAP: u64 = 64 << 10;
/// Bytes that merging makes a request grow to at most.
const SPAN: u64 = 4 << 20;
/// Requests for one read at the same time.
const REQUESTS: usize = 4;

/// An object that is read by ranges, each of which must be of the version that was opened.
pub(super) struct RemoteSource {
    store: Arc<dyn ObjectStore>,
    path: Path,
    size: u64,
    etag: Option<String>,
    modified: DateTime<Utc>,
}

impl RemoteSource {
    /// An object as it is now.
    pub(super) async fn open(store: Arc<dyn ObjectStore>, path: Path) -> Result<RemoteSource, ObjectsError> {
        let meta = store.head(&path).await?;
        Ok(RemoteSource {
            store,
            path,
            size: meta.size,
            etag: meta.e_tag,
            modified: meta.last_modified,
        })
    }

    async fn fetch(&self, range: Range<u64>) -> Result<Bytes, SourceError> {
        // A weak tag never matches If-Match (RFC 9110 section 13.1.1); it is compared below like any other.
        let strong = self.etag.clone().filter(|etag| !etag.starts_with("W/"));
        let options = GetOptions {
            if_match: strong,
            range: Some(GetRange::Bounded(range.clone())),
            ..GetOptions::default()
        };
        let found = self
            .store
            .get_opts(&self.path, options)
            .await
            .map_err(source_error)?;
        if !self.is_same(&found.meta) || found.range != range {
            return Err(SourceError::Changed);
        }
        found.bytes().await.map_err(source_error)
    }

    fn is_same(&self, now: &ObjectMeta) -> bool {
        let tagged = match &self.etag {
            Some(etag) => now.e_tag.as_ref() == Some(etag),
            None => now.last_modified == self.modified,
        };
        tagged && now.size == self.size
    }
}

impl Source for RemoteSource {
    fn size(&self) -> u64 {
        self.size
    }

    fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }

    fn read(&self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>, SourceError>> {
        async move {
            let spans = merge(&ranges);
            let parts: Vec<Vec<Bytes>> = stream::iter(spans)
                .map(|(span, wanted)| async move {
                    let bytes = self.fetch(span.clone()).await?;
                    Ok(cut_out(&bytes, &span, &wanted))
                })
                .buffered(REQUESTS)
                .try_collect()
                .await?;
            Ok(parts.into_iter().flatten().collect())
        }
        .boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), SourceError>> {
        async move {
            let meta = self.store.head(&self.path).await.map_err(source_error)?;
            if self.is_same(&meta) {
                Ok(())
            } else {
                Err(SourceError::Changed)
            }
        }
        .boxed()
    }
}

/// The requests that ascending ranges are read by, and the ranges in each.
fn merge(ranges: &[Range<u64>]) -> Vec<(Range<u64>, Vec<Range<u64>>)> {
    let mut spans: Vec<(Range<u64>, Vec<Range<u64>>)> = Vec::new();
    for range in ranges {
        match spans.last_mut() {
            Some((span, wanted))
                if range.start >= span.start
                    && range.start <= span.end.saturating_add(GAP)
                    && range.end.max(span.end) - span.start <= SPAN =>
            {
                span.end = span.end.max(range.end);
                wanted.push(range.clone());
            }
            _ => spans.push((range.clone(), vec![range.clone()])),
        }
    }
    spans
}

/// Copies, unless nearly all is wanted: a slice would keep the gaps in memory.
fn cut_out(bytes: &Bytes, span: &Range<u64>, wanted: &[Range<u64>]) -> Vec<Bytes> {
    let used: u64 = wanted.iter().map(|range| range.end - range.start).sum();
    let sparse = used < (span.end - span.start) / 10 * 9;
    let slice = |range: &Range<u64>| {
        let slice = bytes.slice((range.start - span.start) as usize..(range.end - span.start) as usize);
        if sparse {
            Bytes::copy_from_slice(&slice)
        } else {
            slice
        }
    };
    wanted.iter().map(slice).collect()
}

fn source_error(error: object_store::Error) -> SourceError {
    match ObjectsError::from(error) {
        ObjectsError::NotFound => SourceError::NotFound,
        ObjectsError::Changed => SourceError::Changed,
        other => SourceError::Other(other.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_gaps_are_read_and_large_ones_are_not() {
        let rows: Vec<_> = (0..100_u64)
            .map(|row| row * 40_000..row * 40_000 + 1_024)
            .collect();
        let spans = merge(&rows);
        assert_eq!(spans.len(), 1);
        assert_eq!(spans[0].0, 0..99 * 40_000 + 1_024);
        assert_eq!(spans[0].1, rows);
        assert_eq!(merge(&[0..10, 1_000_000..1_000_010]).len(), 2);
        assert!(
            merge(
                &(0..1_000_u64)
                    .map(|row| row * 40_000..row * 40_000 + 1_024)
                    .collect::<Vec<_>>()
            )
            .iter()
            .all(|(span, _)| span.end - span.start <= SPAN)
        );
        let huge = 0..1 << 30;
        assert_eq!(
            merge(std::slice::from_ref(&huge)),
            vec![(huge.clone(), vec![huge])]
        );
    }

    #[test]
    fn what_is_wanted_is_cut_out_of_what_was_read() {
        let bytes = (0..100_u8).collect::<Bytes>();
        let parts = cut_out(&bytes, &(1_000..1_100), &[1_000..1_002, 1_050..1_053]);
        assert_eq!(parts, [&[0_u8, 1][..], &[50, 51, 52]]);
    }
}
