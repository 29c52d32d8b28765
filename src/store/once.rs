//! What is to be done once however often it is asked for: jobs with a key, and schedules.

use sea_orm::QueryResult;
use uuid::Uuid;

use super::{Sql, Store, StoreError, entity::job, rows::natural};
use crate::uws::{Job, JobId};

/// Takes the key's row, so that others who ask for the same wait for this transaction.
const LOCK_KEY: Sql = Sql::both(
    "INSERT INTO job_key (service, key) VALUES ($1, $2) \
     ON CONFLICT (service, key) DO UPDATE SET service = excluded.service RETURNING job",
);

const SET_KEY: Sql = Sql::both("UPDATE job_key SET job = $3 WHERE service = $1 AND key = $2");

/// A job that has not begun: not before `$2` ms from now, unless `$3` ms since its creation are over by then.
const DEFER: Sql = Sql::both(
    "UPDATE job SET run_after = {least}({now} + $2, creation_time + $3), version = version + 1 \
     WHERE id = $1 AND phase IN ('QUEUED', 'HELD') RETURNING {job}",
);

const TAKE: Sql = Sql::both(
    "INSERT INTO schedule (name, next_at) VALUES ($1, {now} + $2) \
     ON CONFLICT (name) DO UPDATE SET next_at = excluded.next_at WHERE schedule.next_at <= {now}",
);

impl Store {
    /// The job that was made last for this key. In a transaction others who ask for the key wait until it ends.
    pub async fn lock_key(&self, service: &str, key: &str) -> Result<Option<JobId>, StoreError> {
        let rows = self.rows(LOCK_KEY, [service.into(), key.into()]).await?;
        let job = |row: &QueryResult| Ok(row.try_get_by::<Option<Uuid>, _>("job")?.map(JobId));
        rows.first().map_or(Ok(None), job)
    }

    /// Makes this the job of the key.
    pub async fn set_key(&self, service: &str, key: &str, job: JobId) -> Result<(), StoreError> {
        self.execute(SET_KEY, [service.into(), key.into(), job.0.into()])
            .await?;
        Ok(())
    }

    /// Puts a job that has not begun off for `pause_ms` from now, but for no longer than `longest_ms` since it was
    /// created; `None` if it has begun or is not there.
    pub async fn defer(&self, id: JobId, pause_ms: u64, longest_ms: u64) -> Result<Option<Job>, StoreError> {
        let values = [id.0.into(), natural(pause_ms).into(), natural(longest_ms).into()];
        let rows = self.rows(DEFER, values).await?;
        rows.first()
            .map(|row| job::Model::of(row)?.into_job())
            .transpose()
    }

    /// Whether what has this name is to be done now; if so, it is next to be done `period_ms` from now, and nobody else
    /// is told so before.
    pub async fn take_turn(&self, name: &str, period_ms: u64) -> Result<bool, StoreError> {
        Ok(self
            .execute(TAKE, [name.into(), natural(period_ms).into()])
            .await?
            > 0)
    }
}
