//! How many dashboards a server makes at a time, so that a Keeper that does not answer keeps no other service's jobs
//! from being run.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{self, Instant},
};

/// While places have been left since so long, the next one is worth waiting for.
const LIVELY: Duration = Duration::from_secs(1);
/// Longest wait for it.
const WAIT: Duration = Duration::from_millis(250);
/// Between two of those who were turned away, when they come back: each of them costs the queue something.
const APART: Duration = Duration::from_millis(50);
/// Longest time after which one of them comes back.
const LONGEST: Duration = Duration::from_mins(1);

/// Places of those who make dashboards.
pub struct Places {
    free: Semaphore,
    times: Mutex<Times>,
}

#[derive(Default)]
struct Times {
    /// When a place was last left.
    left: Option<Instant>,
    /// When the last of those who were turned away comes back.
    back: Option<Instant>,
}

/// A place; it is left by dropping it.
pub struct Place<'a> {
    places: &'a Places,
    _permit: SemaphorePermit<'a>,
}

impl Places {
    /// So many.
    pub fn new(number: usize) -> Places {
        Places {
            free: Semaphore::new(number),
            times: Mutex::default(),
        }
    }

    /// A place, or after how long to come back for one.
    pub async fn take(&self) -> Result<Place<'_>, Duration> {
        let free = if let Ok(permit) = self.free.try_acquire() {
            Some(permit)
        } else if self.is_lively() {
            let next = time::timeout(WAIT, self.free.acquire()).await;
            next.ok().and_then(Result::ok)
        } else {
            None
        };
        free.map(|permit| Place {
            places: self,
            _permit: permit,
        })
        .ok_or_else(|| self.pause(Instant::now()))
    }

    fn is_lively(&self) -> bool {
        let left = self.times().left;
        left.is_some_and(|left| left.elapsed() < LIVELY)
    }

    /// Until one more may come back: a while after the one before.
    fn pause(&self, now: Instant) -> Duration {
        let mut times = self.times();
        let back = times.back.map_or(now, |back| back.max(now)) + APART;
        times.back = Some(back.min(now + LONGEST));
        back.min(now + LONGEST) - now
    }

    fn times(&self) -> std::sync::MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.places.times().left = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn there_are_so_many_places_and_each_is_left() {
        let places = Places::new(2);
        let (one, other) = (places.take().await, places.take().await);
        assert!(one.is_ok() && other.is_ok());
        assert!(places.take().await.is_err());
        drop(one);
        assert!(places.take().await.is_ok());
    }

    #[tokio::test]
    async fn a_place_that_is_soon_left_is_waited_for() {
        let places = Places::new(1);
        drop(places.take().await);
        let place = places.take().await.ok().unwrap();
        let leaving = async { drop(place) };
        let (next, ()) = tokio::join!(places.take(), leaving);
        assert!(next.is_ok());
    }

    #[test]
    fn who_finds_no_place_comes_back_one_after_the_other_and_not_too_late() {
        let (places, now) = (Places::new(1), Instant::now());
        for turned_away in 1..=3 {
            assert_eq!(places.pause(now), APART * turned_away);
        }
        // Those have been back since.
        let later = now + LONGEST;
        assert_eq!(places.pause(later), APART);
        let longest = (0..10_000).map(|_| places.pause(later)).max();
        assert_eq!(longest, Some(LONGEST));
    }
}
