//! What one person may have at once. How many jobs run at once is the queue's affair: more of them wait.

use super::{Jobs, JobsError};
use crate::{
    auth::{Caller, Limits},
    store::{Full, Room, Usage},
    uws::{Job, Parameters},
};

impl Jobs {
    /// What the caller has now.
    pub async fn usage(&self, caller: &Caller) -> Result<Usage, JobsError> {
        Ok(self.engine.store.usage(&caller.name).await?)
    }

    /// Whether one more job of the caller's own, with files of so many bytes, may be stored, and queued if it is to run.
    /// Said before anything is stored; what is stored at once is held to it by the store.
    pub(super) async fn may_create(&self, caller: &Caller, files: u64, run: bool) -> Result<(), JobsError> {
        let limits = caller.limits;
        // Of what is only described the store counts the jobs.
        let described = !run && files == 0;
        if described || (limits.queued, limits.pending, limits.stored_bytes) == (None, None, None) {
            return Ok(());
        }
        let usage = self.usage(caller).await?;
        if run {
            queue_room(&limits, &usage)?;
        } else if let Some(most) = limits.pending.filter(|most| usage.pending >= *most) {
            return Err(refusal(Full::Pending(most)));
        }
        storage_room(&limits, usage.stored_bytes, files)
    }

    /// Whether one more job of the caller's own may be queued.
    pub(super) async fn may_queue(&self, caller: &Caller) -> Result<(), JobsError> {
        self.may_create(caller, 0, true).await
    }

    /// Whether the caller's own job may be described so.
    pub(super) async fn may_describe(
        &self,
        caller: &Caller,
        job: &Job,
        parameters: &Parameters,
    ) -> Result<(), JobsError> {
        let (old, new) = (job.parameters.upload_bytes(), parameters.upload_bytes());
        if caller.limits.stored_bytes.is_none() || new <= old || !is_own(caller, job) {
            return Ok(());
        }
        let stored = self.usage(caller).await?.stored_bytes;
        storage_room(&caller.limits, stored.saturating_sub(old), new)
    }
}

/// What a new job of the caller's must leave room for. One that is to run is not long in PENDING.
pub(super) fn room(limits: &Limits, files: u64, run: bool) -> Room {
    Room {
        pending: limits.pending.filter(|_| !run),
        stored_bytes: limits.stored_bytes.filter(|_| files > 0),
    }
}

/// Whether limits of the caller's hold for the job.
pub(super) fn is_own(caller: &Caller, job: &Job) -> bool {
    job.owner.as_deref() == Some(caller.name.as_str())
}

fn queue_room(limits: &Limits, usage: &Usage) -> Result<(), JobsError> {
    match limits.queued.filter(|most| usage.queued >= *most) {
        Some(most) => Err(queue_full(most)),
        None => Ok(()),
    }
}

fn storage_room(limits: &Limits, stored: u64, files: u64) -> Result<(), JobsError> {
    let full = |most: &u64| stored >= *most || stored.saturating_add(files) > *most;
    match limits.stored_bytes.filter(full) {
        Some(most) => Err(refusal(Full::StoredBytes(most))),
        None => Ok(()),
    }
}

pub(super) fn queue_full(most: u64) -> JobsError {
    JobsError::Quota(format!(
        "{most} of your jobs are queued or held, as many as there may be (quota queued); try again when some have run"
    ))
}

pub(super) fn refusal(full: Full) -> JobsError {
    JobsError::Quota(match full {
        Full::Pending(most) => format!(
            "{most} of your jobs are PENDING, as many as there may be (quota pending); run or delete some of them"
        ),
        Full::StoredBytes(most) => format!(
            "your results and files may take {most} bytes (quota storedBytes), and there is no room for this; delete \
             jobs that you no longer need"
        ),
    })
}
