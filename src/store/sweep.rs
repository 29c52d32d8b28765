//! What any replica may do at any time, as often as it likes: give up lost workers' jobs, end what ran too long,
//! destroy what is due, forget old tombstones and what else has expired.

use super::{
    Ending, Finish, Lease, RunLimit, Sql, Store, StoreError,
    queue::{lease, limit},
    rows::{job_id, to_json},
    sessions::{LOGIN_MS, LOGOUT_MS},
};
use crate::uws::{ErrorKind, ErrorSummary, JobId};

/// Message of a job whose workers were lost as often as it may be started.
const LOST: &str = "The server that ran this job stopped answering; no attempt is left.";
/// Message of a job that ran longer than its execution duration.
pub const TOO_LONG: &str = "The execution duration is over.";

/// Runs whose worker is not known, or unheard for `$1` milliseconds.
const LOST_RUNS: Sql = Sql::both(
    "SELECT id, fence FROM job WHERE phase IN ('EXECUTING', 'SUSPENDED') \
     AND NOT EXISTS (SELECT 1 FROM worker w WHERE w.id = job.worker AND w.seen_at >= {now} - $1)",
);

const BURY: Sql = Sql::both("DELETE FROM worker WHERE seen_at < {now} - $1");

/// Runs that are over their duration by `$1` milliseconds: their own worker ends them on time, this is for one that
/// does not.
const OVERDUE_RUNS: Sql = Sql::both(
    "SELECT id, fence FROM job WHERE phase IN ('EXECUTING', 'SUSPENDED') AND execution_duration > 0 \
     AND start_time + execution_duration * 1000 + $1 < {now}",
);

const DUE: Sql = Sql::both("SELECT id FROM job WHERE destruction <= {now} ORDER BY destruction LIMIT $1");

const WITH_OBJECTS: Sql = Sql::both("SELECT id FROM job_destroyed WHERE objects ORDER BY id LIMIT $1");

const WITHOUT_OBJECTS: Sql = Sql::both("UPDATE job_destroyed SET objects = false WHERE id = $1");

const FORGET: Sql = Sql::both("DELETE FROM job_destroyed WHERE NOT objects AND at < {now} - $1");

/// How long a token is shown after its end.
const TOKEN_MS: i64 = 30 * 86_400_000;
/// How long a logout token is remembered after its end: the provider's clock may be off.
const LOGOUT_TOKEN_MS: i64 = 3_600_000;
/// How long the audit record is kept.
const AUDIT_MS: i64 = 400 * 86_400_000;

/// What has ended `$1` milliseconds ago.
const EXPIRED: [(Sql, i64); 8] = [
    (
        Sql::both("DELETE FROM login WHERE created_at <= {now} - $1"),
        LOGIN_MS,
    ),
    (
        Sql::both("DELETE FROM logout WHERE created_at <= {now} - $1"),
        LOGOUT_MS,
    ),
    (Sql::both("DELETE FROM session WHERE expires_at <= {now} - $1"), 0),
    (
        Sql::both("DELETE FROM session WHERE seen_at + idle_ms <= {now} - $1"),
        0,
    ),
    (
        Sql::both("DELETE FROM api_token WHERE expires_at <= {now} - $1"),
        TOKEN_MS,
    ),
    (Sql::both("DELETE FROM share WHERE expires_at <= {now} - $1"), 0),
    (
        Sql::both("DELETE FROM logout_seen WHERE until <= {now} - $1"),
        LOGOUT_TOKEN_MS,
    ),
    (Sql::both("DELETE FROM audit WHERE at <= {now} - $1"), AUDIT_MS),
];

const FENCES: Sql = Sql::both(
    "SELECT id, fence, phase IN ('EXECUTING', 'SUSPENDED') AS running, execution_duration, version \
         FROM job WHERE id IN {ids}",
);

/// Which run of a job is current: whose objects are seen, and for how long it may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CurrentFence {
    /// The job.
    pub job: JobId,
    /// The fence of its visible results.
    pub fence: i64,
    /// Whether a worker is writing more of them.
    pub running: bool,
    /// How long it may run by now.
    pub limit: RunLimit,
}

impl Store {
    /// Gives up workers unheard for `lease_ms` and takes their jobs back; gives the jobs that changed.
    pub async fn give_up(&self, lease_ms: i64) -> Result<Vec<JobId>, StoreError> {
        let error = ErrorSummary {
            kind: ErrorKind::Transient,
            message: LOST.to_owned(),
            detail: None,
        };
        let changed = self
            .end_runs(LOST_RUNS, lease_ms, &Ending::Retry(error, 0))
            .await?;
        self.execute(BURY, [lease_ms.into()]).await?;
        Ok(changed)
    }

    /// Aborts jobs that are over their execution duration by more than `grace_ms`; gives them.
    pub async fn expire(&self, grace_ms: i64) -> Result<Vec<JobId>, StoreError> {
        let error = ErrorSummary {
            kind: ErrorKind::Fatal,
            message: TOO_LONG.to_owned(),
            detail: None,
        };
        self.end_runs(OVERDUE_RUNS, grace_ms, &Ending::TimedOut(error))
            .await
    }

    /// Ends the runs that `runs` selects, but for those that end meanwhile: each is meant with its fence.
    async fn end_runs(&self, runs: Sql, ms: i64, ending: &Ending) -> Result<Vec<JobId>, StoreError> {
        let finishes = self
            .select(runs, [ms.into()])
            .await?
            .iter()
            .filter_map(|row| lease(row).transpose())
            .map(|lease| {
                lease.map(|lease: Lease| Finish {
                    lease,
                    ending: ending.clone(),
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        if finishes.is_empty() {
            return Ok(Vec::new());
        }
        self.finish(&finishes).await
    }

    /// Jobs whose destruction time has come, longest overdue first.
    pub async fn due(&self, limit: u64) -> Result<Vec<JobId>, StoreError> {
        let rows = self.select(DUE, [(limit as i64).into()]).await?;
        rows.iter().map(job_id).collect()
    }

    /// Destroyed jobs that still have objects.
    pub async fn with_objects(&self, limit: u64) -> Result<Vec<JobId>, StoreError> {
        let rows = self.select(WITH_OBJECTS, [(limit as i64).into()]).await?;
        rows.iter().map(job_id).collect()
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

    /// Forgets logins, logouts, sessions, tokens (30 days after their end), share links, logout tokens and audit entries (after
    /// 400 days); gives how many.
    pub async fn forget_expired(&self) -> Result<u64, StoreError> {
        let mut forgotten = 0;
        for (sql, age_ms) in EXPIRED {
            forgotten += self.execute(sql, [age_ms.into()]).await?;
        }
        Ok(forgotten)
    }

    /// The current fence of each of these jobs, for those that are there.
    pub async fn fences(&self, ids: &[JobId]) -> Result<Vec<CurrentFence>, StoreError> {
        let rows = self.select(FENCES, [to_json(&ids)?.into()]).await?;
        rows.iter()
            .map(|row| {
                Ok(CurrentFence {
                    job: job_id(row)?,
                    fence: row.try_get_by("fence")?,
                    running: row.try_get_by("running")?,
                    limit: limit(row)?,
                })
            })
            .collect()
    }
}
