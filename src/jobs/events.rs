//! The stream of changes behind server-sent events: one reader of the database for all listeners.
//!
//! Hints say what to read; a poll stands behind them for those that are lost.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{StreamExt, stream, stream::BoxStream};
use tokio::{
    sync::{
        Notify,
        broadcast::{self, error::RecvError},
    },
    time::{self, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

use super::told::Told;
use crate::{
    auth::Caller,
    engine::Engine,
    notify::Change,
    store::{JobSummary, StoreError, Tombstone},
    uws::JobId,
};

/// Events that are remembered for a listener that comes back.
const REMEMBERED: usize = 2_048;
/// How long changes are gathered, so that a busy job is read a few times a second at most.
const GATHER: Duration = Duration::from_millis(100);
/// Sweeps in the time between two polls.
const SWEEPS_A_POLL: u32 = 3;
/// Jobs that a poll reads of an owner, the newest; and of all owners together.
const NEWEST: u64 = 500;
const NEWEST_OF_ALL: u64 = 10_000;

/// Something that a listener may want to know.
#[derive(Debug, Clone, PartialEq)]
pub struct JobEvent {
    /// Rises by one with each event of this process; `Last-Event-ID`.
    pub sequence: u64,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum EventKind {
    /// A job is new or has another phase, label or date.
    Job(Arc<JobSummary>),
    /// A job has come further.
    Progress(Arc<JobSummary>),
    /// A job is no more.
    Destroyed(Arc<Tombstone>),
    /// Events were lost: read everything anew.
    Resync,
}

impl EventKind {
    fn owner(&self) -> Option<&str> {
        match self {
            EventKind::Job(job) | EventKind::Progress(job) => job.job.owner.as_deref(),
            EventKind::Destroyed(tombstone) => Some(&tombstone.owner),
            EventKind::Resync => None,
        }
    }

    /// Whether it concerns the caller: its own jobs, and a resync always.
    fn concerns(&self, caller: &Caller) -> bool {
        self.owner().is_none_or(|owner| owner == caller.name)
    }
}

pub(super) struct Events {
    sender: broadcast::Sender<JobEvent>,
    history: Mutex<History>,
    /// How many listeners each owner of jobs has.
    listening: Mutex<HashMap<String, usize>>,
    joined: Notify,
    closing: CancellationToken,
}

/// A listener, until dropped.
struct Listener {
    events: Arc<Events>,
    owner: String,
}

impl Listener {
    fn join(events: &Arc<Events>, owner: &str) -> Listener {
        *events.listening().entry(owner.to_owned()).or_default() += 1;
        events.joined.notify_one();
        Listener {
            events: Arc::clone(events),
            owner: owner.to_owned(),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut listening = self.events.listening();
        if let Some(count) = listening.get_mut(&self.owner) {
            *count -= 1;
            if *count == 0 {
                listening.remove(&self.owner);
            }
        }
    }
}

#[derive(Default)]
struct History {
    next: u64,
    events: VecDeque<JobEvent>,
}

impl Events {
    /// Starts reading changes, for as long as the server runs.
    pub(super) fn start(engine: Engine, closing: CancellationToken) -> Arc<Events> {
        let events = Arc::new(Events {
            sender: broadcast::Sender::new(REMEMBERED),
            history: Mutex::new(History {
                next: 1,
                events: VecDeque::new(),
            }),
            listening: Mutex::default(),
            joined: Notify::new(),
            closing: closing.clone(),
        });
        let reader = Arc::clone(&events);
        tokio::spawn(async move {
            tokio::select! {
                () = reader.read(&engine) => {}
                () = closing.cancelled() => {}
            }
        });
        events
    }

    pub(super) fn subscribe(
        self: &Arc<Self>,
        caller: Caller,
        last: Option<u64>,
    ) -> BoxStream<'static, JobEvent> {
        let listener = Listener::join(self, &caller.name);
        // Under one lock, so that nothing falls between what is remembered and what is to come.
        let (remembered, receiver) = {
            let history = self.history();
            (history.since(last), self.sender.subscribe())
        };
        let to_come = stream::unfold(receiver, |mut receiver| async move {
            match receiver.recv().await {
                Ok(event) => Some((event, receiver)),
                Err(RecvError::Lagged(_)) => Some((
                    JobEvent {
                        sequence: 0,
                        kind: EventKind::Resync,
                    },
                    receiver,
                )),
                Err(RecvError::Closed) => None,
            }
        });
        stream::iter(remembered)
            .chain(to_come)
            .filter(move |event| {
                let _until_dropped = &listener;
                std::future::ready(event.kind.concerns(&caller))
            })
            .take_until(self.closing.clone().cancelled_owned())
            .boxed()
    }

    async fn read(&self, engine: &Engine) {
        let mut changes = engine.notifier.changes();
        let mut told = Told::default();
        let mut polls = time::interval(engine.settings.sweep * SWEEPS_A_POLL);
        polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let first = tokio::select! {
                change = changes.recv() => change,
                _ = polls.tick() => {
                    self.poll(engine, &mut told).await;
                    continue;
                }
                () = self.joined.notified() => {
                    if let Err(error) = self.meet(engine, &mut told).await {
                        tracing::warn!(%error, "jobs of a listener not looked at; the next poll will");
                    }
                    continue;
                }
            };
            let mut jobs = HashSet::new();
            let mut lost = gather(first, &mut changes, &mut jobs).await;
            if self.sender.receiver_count() == 0 {
                // Nobody listens: what is not read now is a resync for whoever comes back.
                if !jobs.is_empty() || lost {
                    self.history().forget();
                }
                continue;
            }
            match self.kinds(engine, jobs, &mut told).await {
                Ok(kinds) => kinds.into_iter().for_each(|kind| self.send(kind)),
                Err(error) => {
                    tracing::warn!(%error, "changes not read");
                    lost = true;
                }
            }
            if lost {
                self.send(EventKind::Resync);
            }
        }
    }

    /// Notes how the jobs of new listeners stand, so that a poll tells of what comes after.
    async fn meet(&self, engine: &Engine, told: &mut Told) -> Result<(), StoreError> {
        let owners = told.strangers(&self.owners());
        if !owners.is_empty() {
            let standing = engine.store.standing(&[], &owners, each(&owners)).await?;
            told.meet(owners, standing);
        }
        Ok(())
    }

    /// Tells what has changed without a hint.
    async fn poll(&self, engine: &Engine, told: &mut Told) {
        match self.missed(engine, told).await {
            Ok(kinds) => kinds.into_iter().for_each(|kind| self.send(kind)),
            Err(error) => tracing::warn!(%error, "listeners' jobs not compared with the database"),
        }
    }

    /// One statement, and more only if something has changed.
    async fn missed(&self, engine: &Engine, told: &mut Told) -> Result<Vec<EventKind>, StoreError> {
        let owners = self.owners();
        if owners.is_empty() {
            told.clear();
            return Ok(Vec::new());
        }
        self.meet(engine, told).await?;
        let asked = told.unfinished();
        let standing = engine.store.standing(&asked, &owners, each(&owners)).await?;
        let changed = told.compare(&asked, &standing, &owners);
        self.kinds(engine, changed, told).await
    }

    async fn kinds(
        &self,
        engine: &Engine,
        jobs: HashSet<JobId>,
        told: &mut Told,
    ) -> Result<Vec<EventKind>, StoreError> {
        let mut missing = jobs.clone();
        let ids: Vec<JobId> = jobs.into_iter().collect();
        let mut kinds = Vec::with_capacity(ids.len());
        let mut summaries = engine.store.summaries(&ids).await?;
        summaries.sort_by_key(|summary| summary.job.id);
        for summary in summaries {
            missing.remove(&summary.job.id);
            let moved = told.tell(&summary);
            let summary = Arc::new(summary);
            kinds.push(if moved {
                EventKind::Job(summary)
            } else {
                EventKind::Progress(summary)
            });
        }
        for id in missing {
            told.forget(id);
            if let Some(tombstone) = engine.store.destroyed(id).await? {
                kinds.push(EventKind::Destroyed(Arc::new(tombstone)));
            }
        }
        Ok(kinds)
    }

    fn send(&self, kind: EventKind) {
        let mut history = self.history();
        let event = history.add(kind);
        // Listeners may have gone meanwhile.
        let _ = self.sender.send(event);
    }

    /// Whose events somebody listens to.
    fn owners(&self) -> Vec<String> {
        self.listening().keys().cloned().collect()
    }

    fn listening(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.listening.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many of the newest jobs of each owner are read.
fn each(owners: &[String]) -> u64 {
    (NEWEST_OF_ALL / owners.len().max(1) as u64).clamp(1, NEWEST)
}

/// Collects the jobs of a change and of those of a short while after it; whether some were lost.
async fn gather(
    first: Result<Change, RecvError>,
    changes: &mut broadcast::Receiver<Change>,
    jobs: &mut HashSet<JobId>,
) -> bool {
    let mut lost = false;
    let mut note = |change: Result<Change, RecvError>| match change {
        Ok(Change::Job(id) | Change::Stopped(id) | Change::Limit(id)) => {
            jobs.insert(id);
            true
        }
        Ok(Change::Queue | Change::Workers) | Err(RecvError::Closed) => false,
        Ok(Change::Resync) | Err(RecvError::Lagged(_)) => {
            lost = true;
            true
        }
    };
    if !note(first) {
        return false;
    }
    let gathering = async {
        loop {
            note(changes.recv().await);
        }
    };
    // The time is up.
    let _ = time::timeout(GATHER, gathering).await;
    lost
}

impl History {
    fn add(&mut self, kind: EventKind) -> JobEvent {
        let event = JobEvent {
            sequence: self.next,
            kind,
        };
        self.next += 1;
        if self.events.len() == REMEMBERED {
            self.events.pop_front();
        }
        self.events.push_back(event.clone());
        event
    }

    /// Leaves a gap in the numbers, so that whoever asks across it is told to resync.
    fn forget(&mut self) {
        self.events.clear();
        self.next += 1;
    }

    /// What came after `last`; a resync if that is not remembered.
    fn since(&self, last: Option<u64>) -> Vec<JobEvent> {
        let Some(last) = last else { return Vec::new() };
        let oldest = self.next - self.events.len() as u64;
        if last.saturating_add(1) >= oldest && last < self.next {
            return self
                .events
                .iter()
                .filter(|event| event.sequence > last)
                .cloned()
                .collect();
        }
        vec![JobEvent {
            sequence: self.next - 1,
            kind: EventKind::Resync,
        }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(events: u64) -> History {
        let mut history = History {
            next: 1,
            events: VecDeque::new(),
        };
        (0..events).for_each(|_| {
            history.add(EventKind::Resync);
        });
        history
    }

    fn numbers(events: &[JobEvent]) -> Vec<u64> {
        events.iter().map(|event| event.sequence).collect()
    }

    #[test]
    fn a_listener_that_comes_back_misses_nothing_that_is_remembered() {
        let history = history(5);
        assert_eq!(numbers(&history.since(Some(3))), [4, 5]);
        assert!(history.since(Some(5)).is_empty());
        assert!(history.since(None).is_empty());
    }

    #[test]
    fn what_is_not_remembered_is_a_resync() {
        let mut history = history(REMEMBERED as u64 + 10);
        assert_eq!(history.since(Some(1))[0].kind, EventKind::Resync);
        // From another process, or from before a gap.
        assert_eq!(history.since(Some(u64::MAX / 2))[0].kind, EventKind::Resync);
        let last = history.next - 1;
        history.forget();
        assert_eq!(history.since(Some(last))[0].kind, EventKind::Resync);
    }
}
