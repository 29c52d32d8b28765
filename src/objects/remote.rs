//! Images in a bucket or behind a web server.

use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture, stream};
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, path::Path};

use super::{
    ObjectsError,
    coalesce::{Meter, REQUESTS},
};
use crate::fits::{Source, SourceError};

/// What is read of an object when it is opened: the headers of most images.
const HEAD: u64 = 64 << 10;
/// How often an answer that broke off is asked for again.
const RETRIES: u32 = 2;

/// An object that is read by ranges, each of which must be of the version that was opened.
pub(super) struct RemoteSource {
    store: Arc<dyn ObjectStore>,
    path: Path,
    size: u64,
    etag: Option<String>,
    modified: DateTime<Utc>,
    /// Its first bytes, for whoever asks for all of them first.
    head: Mutex<Option<Bytes>>,
    meter: Arc<Meter>,
}

impl RemoteSource {
    /// An object as it is now; its first bytes come with the same request.
    pub(super) async fn open(
        store: Arc<dyn ObjectStore>,
        path: Path,
        meter: Arc<Meter>,
    ) -> Result<RemoteSource, ObjectsError> {
        let options = GetOptions {
            range: Some(GetRange::Bounded(0..HEAD)),
            ..GetOptions::default()
        };
        let (meta, head) = match store.get_opts(&path, options).await {
            Ok(found) => {
                let meta = found.meta.clone();
                (meta, found.bytes().await?)
            }
            // A range of an empty object is refused, and some servers know no ranges.
            Err(error @ object_store::Error::Generic { .. }) => {
                let meta = store.head(&path).await.map_err(|_| error)?;
                (meta, Bytes::new())
            }
            Err(object_store::Error::NotSupported { .. }) => {
                let why = "the server does not answer requests for ranges of bytes (RFC 9110 section 14), by which \
                           images are read";
                return Err(ObjectsError::Unusable(why.into()));
            }
            Err(error) => return Err(error.into()),
        };
        Ok(RemoteSource {
            store,
            path,
            size: meta.size,
            etag: meta.e_tag,
            modified: meta.last_modified,
            head: Mutex::new(Some(head)),
            meter,
        })
    }

    /// A range, asked for again if the answer breaks off.
    async fn fetch(&self, range: Range<u64>) -> Result<Bytes, SourceError> {
        let mut left = RETRIES;
        loop {
            match self.fetch_once(range.clone()).await {
                Err(SourceError::Other(error)) if left > 0 => {
                    left -= 1;
                    tracing::debug!(%error, path = %self.path, "a range is asked for again");
                }
                done => return done,
            }
        }
    }

    async fn fetch_once(&self, range: Range<u64>) -> Result<Bytes, SourceError> {
        // A weak tag never matches If-Match (RFC 9110 section 13.1.1); it is compared below like any other.
        let strong = self.etag.clone().filter(|etag| !etag.starts_with("W/"));
        let options = GetOptions {
            if_match: strong,
            range: Some(GetRange::Bounded(range.clone())),
            ..GetOptions::default()
        };
        let asked = Instant::now();
        let found = self
            .store
            .get_opts(&self.path, options)
            .await
            .map_err(source_error)?;
        let latency = asked.elapsed();
        if !self.is_same(&found.meta) || found.range != range {
            return Err(SourceError::Changed);
        }
        let bytes = found.bytes().await.map_err(source_error)?;
        self.meter.saw(
            bytes.len() as u64,
            latency,
            asked.elapsed().saturating_sub(latency),
        );
        Ok(bytes)
    }

    /// The first bytes if they are what is wanted, once: later the object may be another.
    fn head(&self, ranges: &[Range<u64>]) -> Option<Bytes> {
        let mut head = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        let known = head.take()?;
        (ranges.len() == 1 && ranges[0] == (0..known.len() as u64)).then_some(known)
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
            if let Some(head) = self.head(&ranges) {
                return Ok(vec![head]);
            }
            let parts: Vec<Vec<Bytes>> = stream::iter(self.meter.merge(&ranges))
                .map(|span| async move {
                    let bytes = self.fetch(span.range.clone()).await?;
                    Ok::<_, SourceError>(cut_out(&bytes, &span.range, &span.wanted))
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
    fn what_is_wanted_is_cut_out_of_what_was_read() {
        let bytes = (0..100_u8).collect::<Bytes>();
        let parts = cut_out(&bytes, &(1_000..1_100), &[1_000..1_002, 1_050..1_053]);
        assert_eq!(parts, [&[0_u8, 1][..], &[50, 51, 52]]);
    }
}
