//! What any replica may do at any time, as often as it likes: give up lost workers' jobs, end what ran too long,
//! destroy what is due, forget old tombstones.

use sea_orm::Value;

use super::{Dialect, Sql, Store, StoreError, queue::job_id};
use crate::uws::JobId;

/// Message of a job whose workers were lost as often as it may be started.
const LOST: &str = "The server that ran this job stopped answering; no attempt is left.";
/// Message of a job that ran longer than its execution duration.
pub const TOO_LONG: &str = "The execution duration is over.";

/// Jobs of workers unheard for `$1` milliseconds: back to QUEUED while attempts remain, else ERROR.
const GIVE_UP: Sql = Sql {
    postgres: "WITH t AS (SELECT (extract(epoch from clock_timestamp()) * 1000)::bigint AS now), \
               dead AS (DELETE FROM worker USING t WHERE seen_at < t.now - $1 RETURNING worker.id), \
               lost AS (SELECT job.id FROM job WHERE phase IN ('EXECUTING', 'SUSPENDED') AND (worker IN (SELECT id FROM dead) \
                   OR NOT EXISTS (SELECT 1 FROM worker w WHERE w.id = job.worker)) FOR UPDATE SKIP LOCKED) \
               UPDATE job SET phase = CASE WHEN attempt < max_attempts THEN 'QUEUED' ELSE 'ERROR' END, \
                   end_time = CASE WHEN attempt < max_attempts THEN NULL ELSE t.now END, \
                   start_time = CASE WHEN attempt < max_attempts THEN NULL ELSE start_time END, \
                   error_kind = CASE WHEN attempt < max_attempts THEN NULL ELSE 'transient' END, \
                   error_message = CASE WHEN attempt < max_attempts THEN NULL ELSE $2 END, \
                   fence = CASE WHEN attempt < max_attempts THEN fence + 1 ELSE fence END, \
                   result_count = CASE WHEN attempt < max_attempts THEN 0 ELSE result_count END, \
                   worker = NULL, run_after = 0, version = version + 1 \
               FROM lost, t WHERE job.id = lost.id RETURNING job.id",
    sqlite: "UPDATE job SET phase = CASE WHEN attempt < max_attempts THEN 'QUEUED' ELSE 'ERROR' END, \
                 end_time = CASE WHEN attempt < max_attempts THEN NULL ELSE CAST(round(unixepoch('subsec') * 1000) AS INTEGER) END, \
                 start_time = CASE WHEN attempt < max_attempts THEN NULL ELSE start_time END, \
                 error_kind = CASE WHEN attempt < max_attempts THEN NULL ELSE 'transient' END, \
                 error_message = CASE WHEN attempt < max_attempts THEN NULL ELSE $2 END, \
                 fence = CASE WHEN attempt < max_attempts THEN fence + 1 ELSE fence END, \
                   result_count = CASE WHEN attempt < max_attempts THEN 0 ELSE result_count END, \
                   worker = NULL, run_after = 0, version = version + 1 \
             WHERE phase IN ('EXECUTING', 'SUSPENDED') AND NOT EXISTS (SELECT 1 FROM worker w WHERE w.id = job.worker \
                 AND w.seen_at >= CAST(round(unixepoch('subsec') * 1000) AS INTEGER) - $1) RETURNING id",
};

/// Postgres does this in `GIVE_UP`.
const BURY: Sql = Sql {
    postgres: "",
    sqlite: "DELETE FROM worker WHERE seen_at < CAST(round(unixepoch('subsec') * 1000) AS INTEGER) - $1",
};

/// Jobs whose run is over its duration by `$1` milliseconds: their own worker ends them on time, this is for one that
/// does not.
const EXPIRE: Sql = Sql {
    postgres: "UPDATE job SET phase = 'ABORTED', end_time = (extract(epoch from clock_timestamp()) * 1000)::bigint, worker = NULL, \
                   error_kind = 'fatal', error_message = $2, version = version + 1 \
               WHERE id IN (SELECT id FROM job WHERE phase IN ('EXECUTING', 'SUSPENDED') AND execution_duration > 0 \
                   AND start_time + execution_duration * 1000 + $1 < (extract(epoch from clock_timestamp()) * 1000)::bigint \
                   FOR UPDATE SKIP LOCKED) RETURNING id",
    sqlite: "UPDATE job SET phase = 'ABORTED', end_time = CAST(round(unixepoch('subsec') * 1000) AS INTEGER), worker = NULL, \
                 error_kind = 'fatal', error_message = $2, version = version + 1 \
             WHERE phase IN ('EXECUTING', 'SUSPENDED') AND execution_duration > 0 \
                 AND start_time + execution_duration * 1000 + $1 < CAST(round(unixepoch('subsec') * 1000) AS INTEGER) RETURNING id",
};

const DUE: Sql = Sql {
    postgres: "SELECT id FROM job WHERE destruction <= (extract(epoch from clock_timestamp()) * 1000)::bigint ORDER BY destruction LIMIT $1",
    sqlite: "SELECT id FROM job WHERE destruction <= CAST(round(unixepoch('subsec') * 1000) AS INTEGER) ORDER BY destruction LIMIT $1",
};

const WITH_OBJECTS: Sql = Sql {
    postgres: "SELECT id FROM job_destroyed WHERE objects ORDER BY id LIMIT $1",
    sqlite: "SELECT id FROM job_destroyed WHERE objects ORDER BY id LIMIT $1",
};

const WITHOUT_OBJECTS: Sql = Sql {
    postgres: "UPDATE job_destroyed SET objects = false WHERE id = $1",
    sqlite: "UPDATE job_destroyed SET objects = false WHERE id = $1",
};

const FORGET: Sql = Sql {
    postgres: "DELETE FROM job_destroyed WHERE NOT objects AND at < (extract(epoch from clock_timestamp()) * 1000)::bigint - $1",
    sqlite: "DELETE FROM job_destroyed WHERE NOT objects AND at < CAST(round(unixepoch('subsec') * 1000) AS INTEGER) - $1",
};

/// Each job's current fence, for those of the JSON array `$1` that are there.
const FENCES: Sql = Sql {
    postgres: "SELECT id, fence, phase IN ('EXECUTING', 'SUSPENDED') AS running FROM job \
               WHERE id IN (SELECT value::uuid FROM jsonb_array_elements_text($1::jsonb))",
    sqlite: "SELECT id, fence, phase IN ('EXECUTING', 'SUSPENDED') AS running FROM job \
             WHERE id IN (SELECT unhex(replace(value, '-', '')) FROM json_each($1))",
};

/// Whose objects are current.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CurrentFence {
    /// The job.
    pub job: JobId,
    /// The fence of its visible results.
    pub fence: i64,
    /// Whether a worker is writing more of them.
    pub running: bool,
}

impl Store {
    /// Gives up workers unheard for `lease_ms` and takes their jobs back; gives the jobs that changed.
    pub async fn give_up(&self, lease_ms: i64) -> Result<Vec<JobId>, StoreError> {
        let values: [Value; 2] = [lease_ms.into(), LOST.into()];
        let rows = self.rows(GIVE_UP, values).await?;
        if self.dialect == Dialect::Sqlite {
            self.execute(BURY, [lease_ms.into()]).await?;
        }
        rows.iter().map(job_id).collect()
    }

    /// Aborts jobs that are over their execution duration by more than `grace_ms`; gives them.
    pub async fn expire(&self, grace_ms: i64) -> Result<Vec<JobId>, StoreError> {
        let values: [Value; 2] = [grace_ms.into(), TOO_LONG.into()];
        self.rows(EXPIRE, values).await?.iter().map(job_id).collect()
    }

    /// Jobs whose destruction time has come, longest overdue first.
    pub async fn due(&self, limit: u64) -> Result<Vec<JobId>, StoreError> {
        self.rows(DUE, [(limit as i64).into()])
            .await?
            .iter()
            .map(job_id)
            .collect()
    }

    /// Destroyed jobs that still have objects.
    pub async fn with_objects(&self, limit: u64) -> Result<Vec<JobId>, StoreError> {
        self.rows(WITH_OBJECTS, [(limit as i64).into()])
            .await?
            .iter()
            .map(job_id)
            .collect()
    }

    /// Notes that a destroyed job's objects are gone.
    pub async fn without_objects(&self, id: JobId) -> Result<(), StoreError> {
        self.execute(WITHOUT_OBJECTS, [id.0.into()]).await?;
        Ok(())
    }

    /// Forgets tombstones older than `age_ms`; gives how many.
    pub async fn forget(&self, age_ms: i64) -> Result<u64, StoreError> {
        self.execute(FORGET, [age_ms.into()]).await
    }

    /// The current fence of each of these jobs, for those that are there.
    pub async fn fences(&self, ids: &[JobId]) -> Result<Vec<CurrentFence>, StoreError> {
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let ids = serde_json::to_string(&ids).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let rows = self.rows(FENCES, [ids.into()]).await?;
        rows.iter()
            .map(|row| {
                Ok(CurrentFence {
                    job: job_id(row)?,
                    fence: row.try_get_by("fence")?,
                    running: row.try_get_by("running")?,
                })
            })
            .collect()
    }
}
