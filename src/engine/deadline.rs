//! When a run must have ended: its execution duration may change while it is under way.

use std::time::Duration;

use tokio::{
    sync::watch,
    time::{self, Instant},
};

use crate::store::RunLimit;

/// The end of a run's time, shared by the run and by whoever learns that its limit has changed.
pub(super) struct Deadline {
    start: Instant,
    limit: watch::Sender<RunLimit>,
}

impl Deadline {
    /// Of a run that starts now.
    pub(super) fn new(limit: RunLimit) -> Self {
        Deadline {
            start: Instant::now(),
            limit: watch::Sender::new(limit),
        }
    }

    /// When the time will be over; `None` if it is unlimited.
    pub(super) fn at(&self) -> Option<Instant> {
        let seconds = self.limit.borrow().seconds;
        (seconds > 0).then(|| self.start + Duration::from_secs(seconds.into()))
    }

    /// Takes a limit over, unless a later one is known: answers of the database may overtake each other.
    pub(super) fn set(&self, limit: RunLimit) {
        self.limit.send_if_modified(|known| {
            let newer = limit.version > known.version;
            if newer {
                *known = limit;
            }
            newer
        });
    }

    /// Returns once the time is over, however often it is changed until then.
    pub(super) async fn over(&self) {
        let mut limit = self.limit.subscribe();
        loop {
            limit.mark_unchanged();
            let at = self.at();
            let over = async {
                match at {
                    Some(at) => time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = over => return,
                // The sender is this.
                _ = limit.changed() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, poll};

    use super::*;

    fn limit(seconds: u32, version: i64) -> RunLimit {
        RunLimit { seconds, version }
    }

    #[tokio::test]
    async fn it_moves_both_ways_while_it_is_waited_for() {
        let deadline = Deadline {
            start: Instant::now().checked_sub(Duration::from_secs(10)).unwrap(),
            limit: watch::Sender::new(limit(1_000, 1)),
        };
        let mut over = std::pin::pin!(deadline.over());
        for seconds in [2_000, 500, 0, 100] {
            assert!(poll!(over.as_mut()).is_pending());
            let version = deadline.limit.borrow().version + 1;
            deadline.set(limit(seconds, version));
            let at = (seconds > 0).then(|| deadline.start + Duration::from_secs(seconds.into()));
            assert_eq!(deadline.at(), at);
        }
        assert!(poll!(over.as_mut()).is_pending());
        // One that has passed already.
        deadline.set(limit(10, 9));
        over.await;
        assert_eq!(deadline.over().now_or_never(), Some(()));
    }

    #[tokio::test]
    async fn an_older_answer_that_comes_late_changes_nothing() {
        let deadline = Deadline::new(limit(100, 1));
        deadline.set(limit(200, 5));
        let later = deadline.at();
        deadline.set(limit(100, 4));
        assert_eq!(deadline.at(), later);
    }
}
