//! A cutout that is larger than the memory for it, made strip by strip: looked at once for its sums and weights, then cut
//! again as it is stored.

use std::sync::Arc;

use bytes::Bytes;
use futures::{
    TryStreamExt,
    stream::{self, BoxStream, StreamExt},
};

use super::{
    image::HduBox,
    parameters::{Format, Request},
    weights::{Covered, are_weights},
};
use crate::{
    fits::{Cut, File, FitsError, NewCard, SourceError, Strip, Strips, Sums},
    objects::held_of_upload,
};

/// About what a strip has: as much as a part of an upload.
const STRIP: u64 = 8 << 20;

/// The strips of a cutout of these boxes, given `memory` bytes in all. None if it cannot be made of strips: where it is
/// padded, drawn or compressed all its pixels are needed at once.
pub fn strips(
    file: &File,
    boxes: &[HduBox],
    request: &Request,
    memory: u64,
) -> Result<Option<Strips>, FitsError> {
    if request.format != Format::Fits || request.is_pictured() {
        return Ok(None);
    }
    let regions: Vec<_> = boxes
        .iter()
        .map(|found| (found.hdu, found.region.clone()))
        .collect();
    Strips::new(file, &regions, request.edge, STRIP.min(memory / 16))
}

/// Bytes of strips that are in memory at a time, of `memory` bytes in all: one that is cut, one that is looked at, and those
/// that parts of an upload are of. Where there is so little that the smallest parts take more than half of it, they count as
/// that half.
pub fn room(strips: &Strips, memory: u64) -> u64 {
    let largest = strips.largest();
    let parts = held_of_upload(strips.bytes(), largest);
    let parts = if parts <= held_of_upload(0, 0) {
        parts.min(memory / 2)
    } else {
        parts
    };
    largest.saturating_mul(2).saturating_add(parts)
}

/// A cutout that was looked at.
pub struct Measured {
    strips: Strips,
    sums: Sums,
    /// The share of its weights that is above 0, if it has any.
    pub weight_coverage: Option<f64>,
}

impl Measured {
    /// Cuts all strips for what must be known before they are stored. Decoding may hold `working` bytes.
    pub async fn of(file: &File, strips: Strips, working: u64) -> Result<Measured, FitsError> {
        let hdus: Vec<usize> = strips.cuts().map(Cut::hdu).collect();
        let weighs = are_weights(file, &hdus);
        let mut looked = (Sums::new(hdus.len()), Covered::default());
        for strip in strips.all() {
            let cut = strips.cut(&strip, working).await?;
            let weighed = weighs[strip.part];
            let look = move || {
                looked.0.add(&strip, cut.data());
                if weighed {
                    looked.1.add(&cut);
                }
                looked
            };
            looked = elsewhere(look).await?;
        }
        let (sums, covered) = looked;
        Ok(Measured {
            strips,
            sums,
            weight_coverage: covered.share(),
        })
    }

    /// The cuts without their pixels.
    pub fn cuts(&self) -> impl Iterator<Item = &Cut> {
        self.strips.cuts()
    }

    /// The file, with cards of provenance of each cut.
    pub fn file(
        self,
        cards: Vec<Vec<NewCard>>,
        date: &str,
        working: u64,
    ) -> BoxStream<'static, Result<Bytes, FitsError>> {
        let sums = self.sums.finish();
        let heads = self.strips.heads(cards, &sums, date);
        let left: Vec<Strip> = self.strips.all().collect();
        let state = (left.into_iter(), heads.into_iter(), Sums::new(sums.len()), None);
        let strips = Arc::new(self.strips);
        let pieces = stream::try_unfold(state, move |(mut left, mut heads, mut again, before)| {
            let (strips, sums) = (Arc::clone(&strips), sums.clone());
            async move {
                let Some(strip) = left.next() else {
                    // Whose store cannot tell versions apart may have given pixels of two.
                    if again.finish() != sums {
                        return Err(FitsError::from(SourceError::Changed));
                    }
                    return Ok(None);
                };
                let mut pieces = Vec::with_capacity(3);
                if before != Some(strip.part) {
                    pieces.extend(heads.next());
                }
                let data = Bytes::from(strips.cut(&strip, working).await?.into_data());
                pieces.push(data.clone());
                pieces.push(strips.padding(&strip));
                let part = strip.part;
                let add = move || {
                    again.add(&strip, &data);
                    again
                };
                again = elsewhere(add).await?;
                let pieces = stream::iter(pieces.into_iter().map(Ok));
                Ok(Some((pieces, (left, heads, again, Some(part)))))
            }
        });
        pieces.try_flatten().boxed()
    }
}

/// Does what takes its time on a thread that has it.
async fn elsewhere<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, FitsError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| SourceError::Other(error.into()).into())
}

#[cfg(test)]
mod tests {
    use std::{
        ops::Range,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use futures::{FutureExt, future::BoxFuture};

    use super::*;
    use crate::fits::{Edge, PixelBox, Source};

    /// A file of 8 x 100 bytes that turns into another, and does not say so, after some reads.
    struct Fickle {
        turns_after: usize,
        reads: AtomicUsize,
    }

    impl Source for Fickle {
        fn size(&self) -> u64 {
            2 * 2880
        }

        fn etag(&self) -> Option<&str> {
            None
        }

        fn read(&self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>, SourceError>> {
            let turned = self.reads.fetch_add(1, Ordering::Relaxed) >= self.turns_after;
            let cards = [
                "SIMPLE  = T",
                "BITPIX  = 8",
                "NAXIS   = 2",
                "NAXIS1  = 8",
                "NAXIS2  = 100",
                "END",
            ];
            let mut file: Vec<u8> = cards
                .iter()
                .flat_map(|card| format!("{card:<80}").into_bytes())
                .collect();
            file.resize(2880, b' ');
            file.resize(2 * 2880, if turned { 2 } else { 1 });
            let part =
                |range: Range<u64>| Bytes::copy_from_slice(&file[range.start as usize..range.end as usize]);
            let parts = ranges.into_iter().map(part).collect();
            futures::future::ok(parts).boxed()
        }

        fn check(&self) -> BoxFuture<'_, Result<(), SourceError>> {
            futures::future::ok(()).boxed()
        }
    }

    /// All of such a file in strips of 80 bytes.
    async fn fickle(turns_after: usize) -> Result<(File, Strips), FitsError> {
        let reads = AtomicUsize::new(0);
        let file = File::open(Arc::new(Fickle { turns_after, reads })).await?;
        let area = PixelBox {
            x_min: 1,
            x_max: 8,
            y_min: 1,
            y_max: 100,
        };
        let strips = Strips::new(&file, &[(0, area.into())], Edge::Trim, 80)?.unwrap();
        Ok((file, strips))
    }

    async fn written(turns_after: usize) -> Result<Vec<Bytes>, FitsError> {
        let (file, strips) = fickle(turns_after).await?;
        let measured = Measured::of(&file, strips, 1 << 20).await?;
        let cards = measured.cuts().map(|_| Vec::new()).collect();
        measured
            .file(cards, "2026-01-02T03:04:05", 1 << 20)
            .try_collect()
            .await
    }

    #[tokio::test]
    async fn parts_on_their_way_are_counted() -> Result<(), FitsError> {
        let (_, strips) = fickle(usize::MAX).await?;
        assert_eq!(room(&strips, 384 << 20), 2 * 80 + (32 << 20));
        assert_eq!(room(&strips, 64 << 10), 2 * 80 + (32 << 10));
        Ok(())
    }

    #[tokio::test]
    async fn pixels_of_two_versions_make_no_cutout() {
        let whole = written(usize::MAX).await.unwrap().concat();
        assert_eq!(whole.len(), 2 * 2880);
        assert_eq!(whole[2880..3680], [1; 800]);
        // One read of the headers, ten of strips, and ten more.
        let turned = written(16).await.unwrap_err();
        assert_eq!(turned.reason().name(), "source_changed");
    }
}
