//! The audit record: what was done, and who was refused.
//!
//! What changes something is written with the change, in one transaction ([`record`]). What changes nothing is written
//! by a task of its own, which the end of a connection does not stop and the end of the server waits for. Refusals are
//! caused by whoever likes: of each person or network only so many are written, and how many more there were.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
};

use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use super::{Auth, rate::network};
use crate::store::{NewAudit, Store, StoreError};

/// Refusals of one kind that are written of one person or network at once, and each minute after that.
const EACH: (u32, u32) = (20, 1);
/// Refusals that are written of all who are not known, likewise.
const STRANGERS: (u32, u32) = (1_000, 6);
/// People and networks that are remembered at once; of others refusals are only counted.
const MANY: usize = 10_000;

/// Somebody was not let in, or not let do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Public name, if that is known.
    pub actor: Option<String>,
    /// What was refused, in a word or two; of a fixed set.
    pub action: &'static str,
    /// What was asked for.
    pub subject: String,
    /// Why. Never a token, nor part of one.
    pub detail: String,
    /// Where it came from.
    pub address: Option<IpAddr>,
}

/// Writes the record.
pub(super) struct Recorder {
    tasks: TaskTracker,
    each: DefaultKeyedRateLimiter<Kind>,
    strangers: DefaultDirectRateLimiter,
    /// When those that have been silent are forgotten.
    clearing: DefaultDirectRateLimiter,
    unwritten: Mutex<HashMap<Kind, u64>>,
}

/// Of whom, where they are remembered, and what.
type Kind = (Option<Whom>, &'static str);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Whom {
    Person(String),
    Network(IpAddr),
}

impl Default for Recorder {
    fn default() -> Self {
        let quota = |(burst, per_minute)| Quota::per_minute(some(per_minute)).allow_burst(some(burst));
        Recorder {
            tasks: TaskTracker::new(),
            each: RateLimiter::keyed(quota(EACH)),
            strangers: RateLimiter::direct(quota(STRANGERS)),
            clearing: RateLimiter::direct(quota((1, 6))),
            unwritten: Mutex::default(),
        }
    }
}

fn some(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}

impl Recorder {
    /// Whether a refusal is to be written, and then how many of its kind were not.
    fn counts(&self, whom: Whom, action: &'static str) -> Option<u64> {
        let stranger = matches!(whom, Whom::Network(_));
        let kind = (Some(whom), action);
        let written = self.has_room()
            && self.each.check_key(&kind).is_ok()
            && (!stranger || self.strangers.check().is_ok());
        let mut unwritten = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner);
        if written {
            let [same, others] = [kind, (None, action)].map(|kind| unwritten.remove(&kind).unwrap_or(0));
            return Some(same.saturating_add(others));
        }
        let known = unwritten.len() < MANY || unwritten.contains_key(&kind);
        *unwritten
            .entry(if known { kind } else { (None, action) })
            .or_default() += 1;
        None
    }

    fn has_room(&self) -> bool {
        if self.each.len() >= MANY && self.clearing.check().is_ok() {
            self.each.retain_recent();
        }
        self.each.len() < MANY
    }

    /// How many refusals of each kind were never told of.
    fn rest(&self) -> Vec<(&'static str, u64)> {
        let mut unwritten = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sums: HashMap<&'static str, u64> = HashMap::new();
        for ((_, action), count) in unwritten.drain() {
            *sums.entry(action).or_default() += count;
        }
        sums.into_iter().collect()
    }
}

/// Keeps a record of a change, through the transaction that makes it: neither is without the other.
pub async fn record(change: &Store, entry: &NewAudit) -> Result<(), StoreError> {
    tracing::info!(
        action = entry.action,
        actor = entry.actor,
        subject = entry.subject,
        "audit"
    );
    change.audit(entry).await
}

impl Auth {
    /// Does something to its end, whoever stops waiting for it; [`Auth::settle`] waits.
    pub fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.0.recorder.tasks.spawn(work)
    }

    /// Keeps a record of what was done; that it cannot be kept is logged, and stops nobody.
    pub async fn record(&self, entry: NewAudit) {
        let store = self.0.store.clone();
        let written = self.spawn(async move {
            if let Err(error) = record(&store, &entry).await {
                tracing::error!(%error, "the audit record was not written");
            }
        });
        // A panic has been logged.
        let _ = written.await;
    }

    /// Keeps a record of a refusal, unless there have been too many of its kind: then it is counted, and the next one
    /// that is written says how many there were.
    pub async fn refused(&self, refusal: Refusal) {
        let whom = match &refusal.actor {
            Some(name) => Whom::Person(name.clone()),
            None => Whom::Network(network(
                refusal.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            )),
        };
        let Some(more) = self.0.recorder.counts(whom, refusal.action) else {
            return;
        };
        let more = if more > 0 {
            format!("; {more} more before it were not written")
        } else {
            String::new()
        };
        self.record(NewAudit {
            actor: refusal.actor,
            action: refusal.action.into(),
            subject: refusal.subject,
            detail: refusal.detail + &more,
            address: refusal.address.map(|address| address.to_string()),
        })
        .await;
    }

    /// Returns once all that is under way has been done, and the refusals that were only counted are told of.
    pub async fn settle(&self) {
        let recorder = &self.0.recorder;
        for (action, more) in recorder.rest() {
            self.record(NewAudit {
                action: action.into(),
                detail: format!("{more} more were not written"),
                ..NewAudit::default()
            })
            .await;
        }
        recorder.tasks.close();
        recorder.tasks.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> Whom {
        Whom::Network(Ipv4Addr::from(n).into())
    }

    #[test]
    fn of_many_refusals_some_are_written_and_the_others_counted() {
        let recorder = Recorder::default();
        for _ in 0..EACH.0 {
            assert_eq!(recorder.counts(address(1), "a"), Some(0));
        }
        for _ in 0..5 {
            assert_eq!(recorder.counts(address(1), "a"), None);
        }
        // Neither another kind, nor others, nor who is known suffer from it.
        assert_eq!(recorder.counts(address(1), "b"), Some(0));
        assert_eq!(recorder.counts(address(2), "a"), Some(0));
        assert_eq!(recorder.counts(Whom::Person("ann".into()), "a"), Some(0));
        assert_eq!(recorder.rest(), [("a", 5)]);
        assert_eq!(recorder.rest(), []);
    }

    #[test]
    fn strangers_from_everywhere_are_bounded_and_crowd_out_nobody_who_is_known() {
        let recorder = Recorder::default();
        let all = 2 * MANY as u32;
        let written = (0..all)
            .filter(|n| recorder.counts(address(*n), "a").is_some())
            .count() as u64;
        assert!(written <= u64::from(STRANGERS.0) + 6, "{written}");
        assert!(recorder.unwritten.lock().unwrap().len() <= MANY + 1);
        let rest: u64 = recorder.rest().iter().map(|(_, count)| count).sum();
        assert_eq!(rest + written, u64::from(all));
    }

    #[test]
    fn the_next_entry_says_how_many_were_not_written() {
        let recorder = Recorder::default();
        let kind = (Some(address(1)), "a");
        recorder
            .unwritten
            .lock()
            .unwrap()
            .extend([(kind, 3), ((None, "a"), 4)]);
        assert_eq!(recorder.counts(address(1), "a"), Some(7));
        assert_eq!(recorder.counts(address(1), "a"), Some(0));
    }
}
