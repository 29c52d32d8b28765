//! Links by which anyone can read a job and its results: made by the job's owner, until a time, revocable.

use std::time::Duration;

use uuid::Uuid;

use super::{Content, Jobs, JobsError, Place, quota::is_own};
use crate::{
    auth::{self, Caller, Secret, hash},
    engine::UsageError,
    store::{Share, StoredResult},
    uws::{Job, ResultRef, Timestamp},
};

/// Longest life of a link.
const MAX_LIFE: Duration = Duration::from_hours(366 * 24);
/// Most links of a job.
const MAX_SHARES: usize = 100;

impl Jobs {
    /// Makes a link to a job of the caller's own; the secret in it is shown this once.
    pub async fn create_share(
        &self,
        caller: &Caller,
        place: Place<'_>,
        expires: Timestamp,
    ) -> Result<(Share, Secret), JobsError> {
        let job = self.get(caller, place).await?;
        if !is_own(caller, &job) {
            return Err(JobsError::Forbidden);
        }
        let left = expires.millis() - Timestamp::of_this_host().millis();
        if left <= 0 || left > MAX_LIFE.as_millis() as i64 {
            let days = MAX_LIFE.as_secs() / 86_400;
            let expected = format!("expected a time to come, at most {days} days ahead");
            return Err(UsageError::new("expires", expected).into());
        }
        if self.engine.store.shares(place.id).await?.len() >= MAX_SHARES {
            let message =
                format!("this job has {MAX_SHARES} share links, the most that there may be; revoke one");
            return Err(UsageError::new("share", message).into());
        }
        let secret = Secret::new();
        let change = self.engine.store.transaction().await?;
        let share = change.create_share(place.id, secret.hash(), expires).await?;
        let share = share.ok_or(JobsError::NotFound("job"))?;
        let detail = format!("link {} until {}", share.id, share.expires_at);
        let entry = caller.entry("share link made", place.id.to_string(), detail);
        auth::record(&change, &entry).await?;
        change.commit().await?;
        Ok((share, secret))
    }

    /// The links to a job, without their secrets.
    pub async fn shares(&self, caller: &Caller, place: Place<'_>) -> Result<Vec<Share>, JobsError> {
        self.authorise(caller, place).await?;
        Ok(self.engine.store.shares(place.id).await?)
    }

    /// Revokes a link.
    pub async fn revoke_share(
        &self,
        caller: &Caller,
        place: Place<'_>,
        share: Uuid,
    ) -> Result<(), JobsError> {
        let (owner, service) = self.authorise(caller, place).await?;
        let change = self.engine.store.transaction().await?;
        if !change.revoke_share(place.id, share).await? {
            return Err(JobsError::NotFound("share"));
        }
        let detail = format!("link {share}; {service} job of {owner}");
        let entry = caller.entry("share link revoked", place.id.to_string(), detail);
        auth::record(&change, &entry).await?;
        Ok(change.commit().await?)
    }

    /// The job that this link leads to, and the link.
    pub async fn shared(&self, secret: &str) -> Result<(Job, Share), JobsError> {
        let share = self.link(secret).await?;
        let job = self.engine.store.get(share.job).await?;
        Ok((job.ok_or(JobsError::NotFound("share"))?, share))
    }

    /// The results of the job that this link leads to.
    pub async fn shared_results(&self, secret: &str) -> Result<Vec<StoredResult>, JobsError> {
        let id = self.link(secret).await?.job;
        Ok(self.engine.store.results(id).await?)
    }

    /// Name, size and media type of every result of the job that this link leads to.
    pub async fn shared_list(&self, secret: &str) -> Result<Vec<ResultRef>, JobsError> {
        let id = self.link(secret).await?.job;
        Ok(self.engine.store.list_results(id).await?)
    }

    /// One result of the job that this link leads to.
    pub async fn shared_result(&self, secret: &str, name: &str) -> Result<StoredResult, JobsError> {
        let id = self.link(secret).await?.job;
        let result = self.engine.store.result(id, name).await?;
        result.ok_or(JobsError::NotFound("result"))
    }

    /// A parameter of the job that this link leads to.
    pub async fn shared_parameter(&self, secret: &str, name: &str) -> Result<Content, JobsError> {
        let (job, _) = self.shared(secret).await?;
        super::content(&job, name)
    }

    async fn link(&self, secret: &str) -> Result<Share, JobsError> {
        let share = self.engine.store.shared(hash(secret)).await?;
        share.ok_or(JobsError::NotFound("share"))
    }
}
