//! The workers on the books: their leases, and what operators see of them and of the queue.

use std::time::Duration;

use sea_orm::{QueryResult, Value};
use uuid::Uuid;

use super::{
    Dialect, Held, Sql, Store, StoreError,
    queue::held,
    rows::{natural, text, time},
};
use crate::uws::Timestamp;

/// Identifier of a running server as a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkerId(pub Uuid);

/// What a worker learns when it renews its lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// Whether it is to take no more jobs.
    pub draining: bool,
    /// The jobs that it has.
    pub held: Vec<Held>,
}

/// A worker on the books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// Its identifier, another one at each start.
    pub id: WorkerId,
    /// The machine, and the process there.
    pub host: String,
    /// When it was put on the books.
    pub started_at: Timestamp,
    /// When it last renewed its lease.
    pub seen_at: Timestamp,
    /// Jobs that it runs at once, if it has told.
    pub slots: Option<u64>,
    /// Whether it takes no more jobs.
    pub draining: bool,
    /// Jobs that it runs now.
    pub running: u64,
}

/// How much of one service's work there is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Depth {
    /// The service.
    pub service: String,
    /// Jobs in QUEUED.
    pub queued: u64,
    /// Jobs in HELD.
    pub held: u64,
    /// Jobs in EXECUTING or SUSPENDED.
    pub running: u64,
    /// Jobs in SUSPENDED.
    pub suspended: u64,
    /// When the oldest job in QUEUED was created.
    pub oldest: Option<Timestamp>,
    /// How long the job has waited that has been in QUEUED longest; a pause before another attempt is no waiting.
    pub waited: Duration,
}

const REGISTER: Sql = Sql::both(
    "INSERT INTO worker (id, host, started_at, seen_at, slots, draining) VALUES ($1, $2, {now}, {now}, $3, $4) \
     ON CONFLICT (id) DO NOTHING",
);

/// Renews the lease on all jobs of a worker and lists them; no row: the worker was given up.
const BEAT: Sql = Sql {
    postgres: "WITH me AS (UPDATE worker SET seen_at = {now} WHERE id = $1 RETURNING id, draining) \
               SELECT me.draining, job.id, job.fence, job.execution_duration, job.version FROM me LEFT JOIN job ON job.worker = me.id AND job.phase IN ('EXECUTING', 'SUSPENDED')",
    sqlite: "UPDATE worker SET seen_at = {now} WHERE id = $1 RETURNING draining",
};

const BEAT_SQLITE: Sql = Sql {
    postgres: "",
    sqlite: "SELECT id, fence, execution_duration, version FROM job WHERE worker = $1 AND phase IN ('EXECUTING', 'SUSPENDED')",
};

const RETIRE: Sql = Sql::both("DELETE FROM worker WHERE id = $1");

macro_rules! with_running {
    () => {
        "*, (SELECT count(*) FROM job WHERE job.worker = worker.id AND phase IN ('EXECUTING', 'SUSPENDED')) \
         AS running"
    };
}

const WORKERS: Sql = Sql::both(concat!(
    "SELECT ",
    with_running!(),
    " FROM worker ORDER BY started_at, id"
));

const DRAIN: Sql = Sql::both(concat!(
    "UPDATE worker SET draining = $2 WHERE id = $1 RETURNING ",
    with_running!()
));

/// By partial indices alone, however many jobs have ended. Jobs that an earlier version has queued have no `run_after`.
const DEPTHS: Sql = Sql::both(
    "SELECT service, CAST(sum(queued) AS BIGINT) AS queued, CAST(sum(held) AS BIGINT) AS held, \
         CAST(sum(running) AS BIGINT) AS running, CAST(sum(suspended) AS BIGINT) AS suspended, \
         min(oldest) AS oldest, {now} - min(since) AS waited FROM \
         (SELECT service, count(*) AS queued, 0 AS held, 0 AS running, 0 AS suspended, \
              min(creation_time) AS oldest, min({greatest}(creation_time, run_after)) AS since FROM job \
              WHERE phase = 'QUEUED' GROUP BY service \
          UNION ALL SELECT service, 0, count(*), 0, 0, NULL, NULL FROM job WHERE phase = 'HELD' GROUP BY service \
          UNION ALL SELECT service, 0, 0, count(*), count(CASE WHEN phase = 'SUSPENDED' THEN 1 END), NULL, NULL \
              FROM job WHERE phase IN ('EXECUTING', 'SUSPENDED') GROUP BY service) AS depth \
     GROUP BY service ORDER BY service",
);

impl Store {
    /// Makes a worker known, which runs up to `slots` jobs at once.
    pub async fn register(
        &self,
        worker: WorkerId,
        host: &str,
        slots: u64,
        draining: bool,
    ) -> Result<(), StoreError> {
        let values: [Value; 4] = [
            worker.0.into(),
            text(host),
            natural(slots).into(),
            draining.into(),
        ];
        self.execute(REGISTER, values).await?;
        Ok(())
    }

    /// Says that a worker lives, and learns which jobs it has; `None` if it was given up and must register anew.
    pub async fn beat(&self, worker: WorkerId) -> Result<Option<Beat>, StoreError> {
        let rows = self.rows(BEAT, [worker.0.into()]).await?;
        let Some(me) = rows.first() else {
            return Ok(None);
        };
        let draining = me.try_get_by("draining")?;
        let rows = match self.dialect {
            Dialect::Postgres => rows,
            Dialect::Sqlite => self.rows(BEAT_SQLITE, [worker.0.into()]).await?,
        };
        let held: Result<Vec<Held>, StoreError> =
            rows.iter().filter_map(|row| held(row).transpose()).collect();
        Ok(Some(Beat {
            draining,
            held: held?,
        }))
    }

    /// Takes a worker off the books when it stops in good order.
    pub async fn retire(&self, worker: WorkerId) -> Result<(), StoreError> {
        self.execute(RETIRE, [worker.0.into()]).await?;
        Ok(())
    }

    /// Every worker on the books, the longest known first.
    pub async fn workers(&self) -> Result<Vec<Worker>, StoreError> {
        self.select(WORKERS, []).await?.iter().map(worker).collect()
    }

    /// Says whether a worker is to take no more jobs: from here on no claim of its gives it any. `None` if it is not on the
    /// books.
    pub async fn set_draining(&self, id: WorkerId, draining: bool) -> Result<Option<Worker>, StoreError> {
        let rows = self.rows(DRAIN, [id.0.into(), draining.into()]).await?;
        rows.first().map(worker).transpose()
    }

    /// The work of each service that has any, by name.
    pub async fn depths(&self) -> Result<Vec<Depth>, StoreError> {
        self.select(DEPTHS, []).await?.iter().map(depth).collect()
    }
}

fn count(row: &QueryResult, column: &str) -> Result<u64, StoreError> {
    Ok(row.try_get_by::<i64, _>(column)? as u64)
}

fn worker(row: &QueryResult) -> Result<Worker, StoreError> {
    Ok(Worker {
        id: WorkerId(row.try_get_by("id")?),
        host: row.try_get_by("host")?,
        started_at: time(row.try_get_by("started_at")?)?,
        seen_at: time(row.try_get_by("seen_at")?)?,
        slots: row
            .try_get_by::<Option<i64>, _>("slots")?
            .map(|slots| slots as u64),
        draining: row.try_get_by("draining")?,
        running: count(row, "running")?,
    })
}

fn depth(row: &QueryResult) -> Result<Depth, StoreError> {
    Ok(Depth {
        service: row.try_get_by("service")?,
        queued: count(row, "queued")?,
        held: count(row, "held")?,
        running: count(row, "running")?,
        suspended: count(row, "suspended")?,
        oldest: row
            .try_get_by::<Option<i64>, _>("oldest")?
            .map(time)
            .transpose()?,
        waited: row
            .try_get_by::<Option<i64>, _>("waited")?
            .and_then(|ms| u64::try_from(ms).ok())
            .map_or(Duration::ZERO, Duration::from_millis),
    })
}
