//! Which requests ranges of a remote file are read by: what lies between two of them is read too where that takes less
//! time than another request, and is not too much.

use std::{
    ops::Range,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Bytes that merging makes a request grow to at most.
const SPAN: u64 = 8 << 20;
/// Requests for one read at the same time.
pub(super) const REQUESTS: usize = 8;
/// Bytes read for nothing, as a share of those wanted, that are no matter; and bytes that never are.
const WASTE: f64 = 0.2;
const LITTLE: u64 = 64 << 10;

/// What a store takes for a request, as was seen lately.
#[derive(Debug)]
pub(super) struct Meter {
    cost: Mutex<Cost>,
}

/// Time until an answer begins, and bytes a second from then on.
#[derive(Debug, Clone, Copy)]
struct Cost {
    latency: f64,
    bandwidth: f64,
}

impl Default for Meter {
    /// An object store in the same region.
    fn default() -> Meter {
        let cost = Cost {
            latency: 0.02,
            bandwidth: 50e6,
        };
        Meter {
            cost: Mutex::new(cost),
        }
    }
}

impl Meter {
    /// Takes down how long a request of `bytes` took until its answer began, and from then on.
    pub(super) fn saw(&self, bytes: u64, latency: Duration, rest: Duration) {
        /// Weight of what was seen last.
        const LAST: f64 = 0.1;
        let mut cost = self.cost.lock().unwrap_or_else(PoisonError::into_inner);
        cost.latency += LAST * (latency.as_secs_f64().clamp(1e-4, 1.0) - cost.latency);
        // Short answers come with their heads.
        if bytes >= 256 << 10 && rest > Duration::ZERO {
            let rate = (bytes as f64 / rest.as_secs_f64()).clamp(1e6, 1e9);
            cost.bandwidth += LAST * (rate - cost.bandwidth);
        }
    }

    /// The requests that ascending ranges are read by, and the ranges in each.
    ///
    /// Two ways are weighed: the smallest gaps are read as long as that is no more than a fifth of what is wanted; or
    /// all gaps that take less time than a request. The second is taken if it takes less than half as long.
    pub(super) fn merge(&self, ranges: &[Range<u64>]) -> Vec<Span> {
        let cost = *self.cost.lock().unwrap_or_else(PoisonError::into_inner);
        cost.merge(ranges)
    }
}

/// A request, and the ranges that it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) range: Range<u64>,
    pub(super) wanted: Vec<Range<u64>>,
}

impl Cost {
    fn merge(self, ranges: &[Range<u64>]) -> Vec<Span> {
        let joined = spans(ranges, 0);
        let wanted: u64 = joined.iter().map(|span| span.range.end - span.range.start).sum();
        let mut gaps: Vec<u64> = joined
            .windows(2)
            .map(|two| two[1].range.start.saturating_sub(two[0].range.end))
            .collect();
        gaps.sort_unstable();
        // The largest gap up to which all are read for no more than is no matter.
        let mut spare = ((wanted as f64 * WASTE) as u64).max(LITTLE);
        let small = gaps.chunk_by(|a, b| a == b).map_while(|same| {
            spare = spare.checked_sub(same[0].checked_mul(same.len() as u64)?)?;
            Some(same[0])
        });
        let thrifty = spans(ranges, small.last().unwrap_or(0));
        // Requests that are under way together share the time of one.
        let quick = spans(ranges, (self.latency * self.bandwidth / REQUESTS as f64) as u64);
        if self.time(&quick) * 2.0 < self.time(&thrifty) {
            quick
        } else {
            thrifty
        }
    }

    fn time(self, spans: &[Span]) -> f64 {
        let bytes: u64 = spans.iter().map(|span| span.range.end - span.range.start).sum();
        spans.len().div_ceil(REQUESTS) as f64 * self.latency + bytes as f64 / self.bandwidth
    }
}

/// Ascending ranges with no gap above `most` between them, each no longer than allowed unless a range is.
fn spans(ranges: &[Range<u64>], most: u64) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for range in ranges {
        match spans.last_mut() {
            Some(span)
                if range.start >= span.range.start
                    && range.start <= span.range.end.saturating_add(most)
                    && (range.end <= span.range.end || range.end - span.range.start <= SPAN) =>
            {
                span.range.end = span.range.end.max(range.end);
                span.wanted.push(range.clone());
            }
            _ => spans.push(Span {
                range: range.clone(),
                wanted: vec![range.clone()],
            }),
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE: Cost = Cost {
        latency: 0.02,
        bandwidth: 50e6,
    };

    fn bytes(spans: &[Span]) -> u64 {
        spans.iter().map(|span| span.range.end - span.range.start).sum()
    }

    #[test]
    fn rows_of_one_box_are_read_together_and_far_ones_are_not() {
        let rows: Vec<_> = (0..256_u64)
            .map(|row| row * 40_000..row * 40_000 + 1_024)
            .collect();
        let spans = STORE.merge(&rows);
        assert!(spans.len() <= 2, "{}", spans.len());
        assert!(spans.iter().all(|span| span.range.end - span.range.start <= SPAN));
        let all: Vec<_> = spans.iter().flat_map(|span| span.wanted.clone()).collect();
        assert_eq!(all, rows);
        let far = [0..10, 100_000_000..100_000_010];
        assert_eq!(STORE.merge(&far).len(), 2);
    }

    #[test]
    fn tiles_are_read_with_little_waste() {
        // Every third of tiles of 38 KB.
        let tiles: Vec<_> = (0..500_u64)
            .map(|tile| tile * 3 * 38_000..(tile * 3 + 1) * 38_000)
            .collect();
        assert_eq!(bytes(&STORE.merge(&tiles)), 500 * 38_000);
        // Now and then one is missing.
        let near: Vec<_> = (0..500_u64)
            .filter(|tile| tile % 10 != 0)
            .map(|tile| tile * 38_000..(tile + 1) * 38_000)
            .collect();
        let spans = STORE.merge(&near);
        assert!(spans.len() <= 4, "{}", spans.len());
        assert!(bytes(&spans) < 500 * 38_000);
    }

    #[test]
    fn ranges_that_overlap_are_one_and_long_ones_stay_whole() {
        let spans = STORE.merge(&[0..100, 0..100, 50..200, 60..70]);
        assert_eq!(spans.len(), 1);
        assert_eq!((spans[0].range.clone(), spans[0].wanted.len()), (0..200, 4));
        let huge = 0..1 << 30;
        assert_eq!(STORE.merge(std::slice::from_ref(&huge))[0].range, huge);
        assert_eq!(STORE.merge(&[]), []);
    }

    #[test]
    fn a_store_that_answers_at_once_is_asked_for_more_pieces() {
        let meter = Meter::default();
        let rows: Vec<_> = (0..64_u64)
            .map(|row| row * 40_000..row * 40_000 + 1_024)
            .collect();
        let before = meter.merge(&rows).len();
        for _ in 0..200 {
            meter.saw(1 << 20, Duration::from_micros(100), Duration::from_millis(20));
        }
        assert!(meter.merge(&rows).len() > before);
    }
}
