//! Wake-ups: who waits for a job, for the queue or for events is told at once, here and on other replicas.
//!
//! A wake-up is a hint, never a fact: who is woken reads the database. Within the process hints never fail; between
//! replicas they travel by Postgres's LISTEN and NOTIFY (`postgres`), and a poll stands behind them. Calls `uws`.

mod postgres;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use tokio::sync::{broadcast, mpsc, watch};

use crate::uws::JobId;

/// Changes that a slow listener may be behind by before it is told to read everything anew.
const BACKLOG: usize = 8_192;

/// What may have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// Something of this job that its owner sees.
    Job(JobId),
    /// This job was aborted or destroyed: whoever runs it stops.
    Stopped(JobId),
    /// How long this job may run: whoever runs it looks at its clock.
    Limit(JobId),
    /// The queue has something new.
    Queue,
    /// A worker was told to take no more jobs, or to take jobs again.
    Workers,
    /// Hints were lost: anything.
    Resync,
}

/// Passes hints on. Clones share their state.
#[derive(Debug, Clone)]
pub struct Notifier(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    changes: broadcast::Sender<Change>,
    queue: watch::Sender<()>,
    watched: Mutex<HashMap<JobId, Watched>>,
    remote: OnceLock<mpsc::UnboundedSender<Change>>,
}

#[derive(Debug)]
struct Watched {
    changed: watch::Sender<()>,
    watchers: usize,
}

impl Notifier {
    /// A notifier for this process alone, until `connect` joins it with others.
    #[expect(clippy::new_without_default, reason = "each is a separate exchange")]
    pub fn new() -> Self {
        Notifier(Arc::new(Inner {
            changes: broadcast::Sender::new(BACKLOG),
            queue: watch::Sender::new(()),
            watched: Mutex::default(),
            remote: OnceLock::new(),
        }))
    }

    /// Tells everyone, here and on other replicas.
    pub fn tell(&self, change: Change) {
        self.deliver(change);
        if let Some(remote) = self.0.remote.get() {
            // Its task ends only with the process.
            let _ = remote.send(change);
        }
    }

    /// Tells this process only.
    pub fn deliver(&self, change: Change) {
        match change {
            Change::Job(id) | Change::Stopped(id) | Change::Limit(id) => {
                if let Some(watched) = self.watched().get(&id) {
                    watched.changed.send_replace(());
                }
            }
            Change::Queue => {
                self.0.queue.send_replace(());
            }
            Change::Workers => {}
            Change::Resync => {
                self.0.queue.send_replace(());
                self.watched().values().for_each(|watched| {
                    watched.changed.send_replace(());
                });
            }
        }
        // Nobody may be listening.
        let _ = self.0.changes.send(change);
    }

    /// Every change from now on. A receiver that lags reads everything anew.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.0.changes.subscribe()
    }

    /// Wakes when the queue may have something new.
    pub fn queue(&self) -> watch::Receiver<()> {
        self.0.queue.subscribe()
    }

    /// Wakes when the job may have changed. Take it before reading the job, so that no change falls between.
    pub fn watch(&self, id: JobId) -> Watch {
        let mut watched = self.watched();
        let entry = watched.entry(id).or_insert_with(|| Watched {
            changed: watch::Sender::new(()),
            watchers: 0,
        });
        entry.watchers += 1;
        Watch {
            id,
            changed: entry.changed.subscribe(),
            notifier: self.clone(),
        }
    }

    /// The jobs that somebody waits for.
    pub fn waited_for(&self) -> Vec<JobId> {
        self.watched().keys().copied().collect()
    }

    fn watched(&self) -> MutexGuard<'_, HashMap<JobId, Watched>> {
        self.0.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody's interest in one job, until dropped.
#[derive(Debug)]
pub struct Watch {
    id: JobId,
    changed: watch::Receiver<()>,
    notifier: Notifier,
}

impl Watch {
    /// Returns when the job may have changed since the last return.
    pub async fn changed(&mut self) {
        // The sender lives as long as this watch is counted.
        let _ = self.changed.changed().await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut watched = self.notifier.watched();
        if let Some(entry) = watched.get_mut(&self.id) {
            entry.watchers -= 1;
            if entry.watchers == 0 {
                watched.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_between_watch_and_wait_is_not_missed() {
        let notifier = Notifier::new();
        let id = JobId::new();
        let mut watch = notifier.watch(id);
        notifier.tell(Change::Job(id));
        watch.changed().await;
        notifier.deliver(Change::Resync);
        watch.changed().await;
    }

    #[tokio::test]
    async fn nothing_is_kept_of_jobs_that_nobody_waits_for() {
        let notifier = Notifier::new();
        let id = JobId::new();
        let (first, second) = (notifier.watch(id), notifier.watch(id));
        drop(first);
        assert_eq!(notifier.waited_for(), [id]);
        drop(second);
        assert!(notifier.waited_for().is_empty());
        notifier.tell(Change::Job(id));
        assert!(notifier.waited_for().is_empty());
    }

    #[tokio::test]
    async fn the_queue_wakes_every_runner() {
        let notifier = Notifier::new();
        let (mut one, mut other) = (notifier.queue(), notifier.queue());
        notifier.tell(Change::Queue);
        one.changed().await.unwrap();
        other.changed().await.unwrap();
    }
}
