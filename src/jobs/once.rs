//! Jobs that the server asks for itself, and that are asked for again before they have begun: one queued job does for
//! all who ask, and whoever asks while it runs gets one more, so that no request is lost.

use std::time::Duration;

use super::{Jobs, JobsError, STEP};
use crate::{
    engine::Service,
    notify::Change,
    store::{
        NewJob, Room, StoreError,
        jobs::{Created, FIRST_VERSION},
    },
    uws::{Job, JobId, Parameters},
};

/// Owner of the jobs of a service that no person asked for. No person is called so: providers of logins take no colon.
pub fn service_owner(service: &str) -> String {
    format!("service:{service}")
}

/// What is to be done once.
#[derive(Debug, Clone)]
pub struct Errand {
    /// What tells it from other errands of the service.
    pub key: String,
    /// The job description.
    pub parameters: Parameters,
}

/// How long a job that was asked for is put off, in case that it is asked for again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Debounce {
    /// Since it was asked for last.
    pub pause: Duration,
    /// Since it was asked for first.
    pub longest: Duration,
}

/// The job for an errand.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The errand's key.
    pub key: String,
    /// The job.
    pub job: JobId,
    /// Whether it was queued before.
    pub coalesced: bool,
}

impl Jobs {
    /// Queues a job for each of these errands that has none in the queue; all of them or, on an error, none. The jobs are
    /// the service's own, which has judged their parameters. Gives them in the order of their keys, each once.
    ///
    /// With `most_queued`, new ones that would make its queue longer than that are refused ([`JobsError::Crowded`]); of
    /// requests at the same moment a few may come through.
    pub async fn send(
        &self,
        service: &dyn Service,
        errands: Vec<Errand>,
        run_id: Option<&str>,
        debounce: Debounce,
        most_queued: Option<u64>,
    ) -> Result<Vec<Sent>, JobsError> {
        let mut errands = errands;
        // In one order for all, so that two requests never wait for each other.
        errands.sort_by(|one, other| one.key.cmp(&other.key));
        errands.dedup_by(|one, other| one.key == other.key);
        let description = service.describe();
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let (pause, longest) = (millis(debounce.pause), millis(debounce.longest));
        let change = self.engine.store.transaction().await?;
        let owner = service_owner(description.name);
        let mut places = match most_queued {
            Some(most) => most.saturating_sub(change.queued(&owner, most).await?),
            None => u64::MAX,
        };
        let mut sent = Vec::with_capacity(errands.len());
        let mut changed: Vec<Job> = Vec::with_capacity(errands.len());
        // All keys and queued jobs are held before the first job is made: that holds the owner's row, which whoever has one
        // of these may be waiting for.
        let mut before = Vec::with_capacity(errands.len());
        for errand in &errands {
            before.push(change.lock_key(description.name, &errand.key).await?);
        }
        let mut new = Vec::with_capacity(errands.len());
        for (errand, before) in errands.into_iter().zip(before) {
            let queued = match before {
                Some(before) => change.defer(before, pause, longest).await?,
                None => None,
            };
            match queued {
                Some(job) => sent.push(Sent {
                    key: errand.key,
                    job: job.id,
                    coalesced: true,
                }),
                None => new.push(errand),
            }
        }
        for Errand { key, parameters } in new {
            places = places.checked_sub(1).ok_or(JobsError::Crowded)?;
            let new = NewJob {
                id: JobId::new(),
                service: description.name.to_owned(),
                owner: owner.clone(),
                run_id: run_id.map(str::to_owned),
                parameters,
                quote: None,
                execution_duration: super::check::duration(description, None),
                destruction: None,
                retention: description.retention.as_secs(),
                max_attempts: if description.retryable { self.attempts } else { 1 },
                priority: 0,
                idempotency_key: None,
                fingerprint: None,
            };
            let lost = || StoreError::Corrupt("a job that is not there when it was just made".into());
            match change.create_within(&new, Room::default()).await? {
                Created::New(_) => {}
                _ => return Err(lost().into()),
            }
            change.run(new.id, FIRST_VERSION, STEP).await?.ok_or_else(lost)?;
            let job = change.defer(new.id, pause, longest).await?.ok_or_else(lost)?;
            change.set_key(description.name, &key, job.id).await?;
            sent.push(Sent {
                key,
                job: job.id,
                coalesced: false,
            });
            changed.push(job);
        }
        change.commit().await?;
        sent.sort_by(|one, other| one.key.cmp(&other.key));
        for job in changed {
            self.changed(job)?;
        }
        self.engine.notifier.tell(Change::Queue);
        Ok(sent)
    }
}
