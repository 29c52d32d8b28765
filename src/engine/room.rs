//! How much the owners of running jobs may still store. It is asked of the database when a job begins, and again before
//! what was left can be used up by workers beside each other: a limit is passed by what is stored meanwhile, no more.
//!
//! Calls the store only.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::Failure;
use crate::store::{Store, StoreError};

/// For how long an answer is taken for the next job's too.
const FRESH: Duration = Duration::from_secs(1);
/// For how long an owner without a job is remembered.
const REMEMBERED: Duration = Duration::from_mins(1);
/// Bytes that are stored without asking again, and the share of what was left.
const STEP: (u64, u64) = (16 << 20, 8);

/// The rooms of the owners of a worker's jobs.
pub(super) struct Rooms {
    /// Bytes that an owner without a limit of their own may have, 0 for any number; `None` if nobody is limited.
    general: Option<u64>,
    owners: Mutex<HashMap<String, Arc<Room>>>,
}

/// What one owner may store, as all their jobs of this worker share it.
#[derive(Default)]
pub(super) struct Room {
    owner: String,
    general: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    asked: Option<Instant>,
    /// The limit and what was left of it; `None` is any amount.
    left: Option<(u64, u64)>,
    /// Bytes that were stored since then.
    since: u64,
}

impl Rooms {
    pub(super) fn new(general: Option<u64>) -> Self {
        Rooms {
            general,
            owners: Mutex::default(),
        }
    }

    /// The room of a job's owner, if any is limited.
    pub(super) fn of(&self, owner: Option<&str>) -> Option<Arc<Room>> {
        let (general, owner) = (self.general?, owner?);
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        owners.retain(|_, room| Arc::strong_count(room) > 1 || !room.is_older_than(REMEMBERED));
        let room = owners.entry(owner.to_owned()).or_insert_with(|| {
            Arc::new(Room {
                owner: owner.to_owned(),
                general,
                ..Room::default()
            })
        });
        Some(Arc::clone(room))
    }
}

impl Room {
    /// Asks, unless that was done just now.
    pub(super) async fn look(&self, store: &Store) -> Result<(), StoreError> {
        if self.is_older_than(FRESH) || self.state().is_due() {
            let left = store.room_left(&self.owner, self.general).await?;
            *self.state() = State {
                asked: Some(Instant::now()),
                left,
                since: 0,
            };
        }
        Ok(())
    }

    /// Asks, if enough was stored since.
    pub(super) async fn look_again(&self, store: &Store) -> Result<(), StoreError> {
        if self.state().is_due() {
            self.look(store).await?;
        }
        Ok(())
    }

    /// Takes so many bytes of it; 0 asks whether there is any.
    ///
    /// # Errors
    /// There is none left, in words for the owner.
    pub(super) fn take(&self, bytes: u64) -> Result<(), Failure> {
        let mut state = self.state();
        state.since = state.since.saturating_add(bytes);
        state.allows(0)
    }

    /// Whether so many bytes are left, before they are stored and taken.
    ///
    /// # Errors
    /// They are not, as [`Room::take`] says it.
    pub(super) fn has(&self, bytes: u64) -> Result<(), Failure> {
        self.state().allows(bytes)
    }

    fn is_older_than(&self, age: Duration) -> bool {
        self.state().asked.is_none_or(|at| at.elapsed() > age)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// An error if so many bytes more are not left.
    fn allows(&self, bytes: u64) -> Result<(), Failure> {
        match self.left {
            Some((most, left)) if self.since.saturating_add(bytes) > left || left == 0 => {
                Err(Failure::fatal(format!(
                    "Your results and files may take {most} bytes (quota storedBytes), and this job's go beyond that. \
                     Delete jobs that you no longer need, and run it again."
                )))
            }
            _ => Ok(()),
        }
    }

    fn is_due(&self) -> bool {
        let (bytes, share) = STEP;
        self.left
            .is_some_and(|(_, left)| self.since > (left / share).max(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(left: Option<(u64, u64)>) -> Room {
        let asked = Some(Instant::now());
        let state = Mutex::new(State {
            asked,
            left,
            since: 0,
        });
        Room {
            state,
            ..Room::default()
        }
    }

    #[test]
    fn no_more_is_taken_than_is_left() {
        let some = room(Some((100, 10)));
        assert!(some.take(10).is_ok() && some.take(0).is_ok());
        assert!(some.take(1).is_err() && some.take(0).is_err());
        let Err(Failure::Error { message, retry, .. }) = room(Some((100, 0))).take(0) else {
            panic!("nothing is left")
        };
        assert!(
            message.contains("100 bytes (quota storedBytes)") && !retry,
            "{message}"
        );
        assert!(room(None).take(u64::MAX).is_ok());
    }

    #[test]
    fn what_is_asked_ahead_is_not_taken() {
        let some = room(Some((100, 10)));
        assert!(some.has(10).is_ok() && some.has(10).is_ok() && some.has(11).is_err());
        assert!(some.take(4).is_ok() && some.has(6).is_ok() && some.has(7).is_err());
        assert!(some.has(u64::MAX).is_err() && room(None).has(u64::MAX).is_ok());
    }

    #[test]
    fn it_is_asked_again_before_others_beside_can_have_used_it_up() {
        let due = |left, taken| {
            let room = room(left);
            let _ = room.take(taken);
            room.state().is_due()
        };
        let (bytes, share) = STEP;
        assert!(!due(Some((1 << 40, bytes)), bytes) && due(Some((1 << 40, bytes)), bytes + 1));
        let left = 1 << 40;
        assert!(!due(Some((left, left)), left / share) && due(Some((left, left)), left / share + 1));
        assert!(!due(None, u64::MAX));
    }

    #[test]
    fn an_owner_s_jobs_share_a_room() {
        let rooms = Rooms::new(Some(5));
        let (first, second) = (rooms.of(Some("alice")), rooms.of(Some("alice")));
        assert!(Arc::ptr_eq(&first.expect("hers"), &second.expect("hers")));
        assert!(rooms.of(None).is_none() && Rooms::new(None).of(Some("alice")).is_none());
        // Who has never been asked of and has no job is forgotten with the next.
        let _ = rooms.of(Some("bob"));
        assert_eq!(rooms.owners.lock().expect("owners").len(), 1);
    }
}
