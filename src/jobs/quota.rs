//! What one person may have at once. How many jobs run at once is the queue's affair: more of them wait.

use super::{Jobs, JobsError};
use crate::{auth::Caller, store::Usage};

impl Jobs {
    /// What the caller has now.
    pub async fn usage(&self, caller: &Caller) -> Result<Usage, JobsError> {
        Ok(self.engine.store.usage(&caller.name).await?)
    }

    /// Whether one more job of the caller's own may be queued.
    pub(super) async fn may_queue(&self, caller: &Caller) -> Result<(), JobsError> {
        let limits = caller.limits;
        if limits.queued.is_none() && limits.stored_bytes.is_none() {
            return Ok(());
        }
        let usage = self.usage(caller).await?;
        if let Some(most) = limits.queued.filter(|most| usage.queued >= *most) {
            return Err(JobsError::Quota(format!(
                "{} of your jobs are queued, and there may be {most}; try again when some have run",
                usage.queued
            )));
        }
        if let Some(most) = limits.stored_bytes.filter(|most| usage.stored_bytes >= *most) {
            return Err(JobsError::Quota(format!(
                "your results take {} bytes, and there may be {most}; delete jobs that you no longer need",
                usage.stored_bytes
            )));
        }
        Ok(())
    }
}
