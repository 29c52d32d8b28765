//! The job queue: run, claim, report, finish, release, heartbeat; each statement in both dialects.
//!
//! A claim raises the job's fence in the same statement; every later write of the worker carries job, fence and phase,
//! so that a worker that lost its lease touches no row. What is long (many jobs, many results) travels as one JSON
//! value, so that a statement is prepared once however many rows it is about.

use sea_orm::{ConnectionTrait, QueryResult, Value};
use serde::Serialize;
use uuid::Uuid;

use super::{Dialect, LeaseLost, LogLine, Sql, Store, StoreError, StoredResult, jobs::model};
use crate::uws::{ErrorSummary, Job, JobId};

/// Identifier of a running server as a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkerId(pub Uuid);

/// The right to run a job and to write what comes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The job.
    pub job: JobId,
    /// Rises with each claim of the job.
    pub fence: i64,
}

/// A job taken from the queue.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// The job, in EXECUTING.
    pub job: Job,
    /// The right to write.
    pub lease: Lease,
}

/// How far a job has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Units of work done.
    pub done: u64,
    /// Units of work in all.
    pub total: u64,
    /// What is being done.
    pub note: String,
}

/// What a running job tells: becomes visible in one step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// How far it has come, if that changed.
    pub progress: Option<Progress>,
    /// Results that are stored by now.
    pub results: Vec<StoredResult>,
    /// Lines for the log, numbered by the runner.
    pub lines: Vec<LogLine>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// COMPLETED.
    Completed,
    /// ERROR.
    Failed(ErrorSummary),
    /// Back to QUEUED, to be tried again after so many milliseconds; ERROR if no attempt is left.
    Retry(ErrorSummary, i64),
    /// ABORTED because the execution duration is over.
    TimedOut(ErrorSummary),
    /// Back to QUEUED with the attempt given back: the worker is stopping.
    Released,
}

/// The end of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finish {
    /// Whose run.
    pub lease: Lease,
    /// How it ended.
    pub ending: Ending,
}

/// PENDING or HELD to QUEUED. The place in the queue is by start-time fair queueing: the owner's own last virtual time
/// or that of the queue's head, whichever is later, plus one; so an owner's thousands of jobs stand one step apart each,
/// and another owner's first job goes before nearly all of them. `$3` is the weight's inverse, in thousandths.
pub const RUN: Sql = Sql {
    postgres: "WITH me AS (SELECT id, owner, priority FROM job WHERE id = $1 AND phase IN ('PENDING', 'HELD')), \
               head AS (SELECT COALESCE( \
                   (SELECT vtime FROM job WHERE phase = 'QUEUED' AND priority = (SELECT priority FROM me) ORDER BY priority DESC, vtime, id LIMIT 1), \
                   (SELECT max(vtime) FROM job_owner), 0) AS vtime), \
               mine AS (INSERT INTO job_owner (name, vtime) SELECT me.owner, head.vtime + $2 FROM me, head \
                   ON CONFLICT (name) DO UPDATE SET vtime = GREATEST(job_owner.vtime + $2, excluded.vtime) RETURNING vtime) \
               UPDATE job SET phase = 'QUEUED', vtime = mine.vtime, run_after = 0, version = version + 1 FROM mine \
               WHERE job.id = $1 AND phase IN ('PENDING', 'HELD') RETURNING job.*",
    sqlite: "INSERT INTO job_owner (name, vtime) \
             SELECT owner, $2 + COALESCE( \
                 (SELECT q.vtime FROM job q WHERE q.phase = 'QUEUED' AND q.priority = job.priority ORDER BY q.priority DESC, q.vtime, q.id LIMIT 1), \
                 (SELECT max(vtime) FROM job_owner), 0) \
             FROM job WHERE id = $1 AND phase IN ('PENDING', 'HELD') \
             ON CONFLICT (name) DO UPDATE SET vtime = max(job_owner.vtime + $2, excluded.vtime)",
};

const RUN_SQLITE: Sql = Sql {
    postgres: "",
    sqlite: "UPDATE job SET phase = 'QUEUED', run_after = 0, version = version + 1, \
             vtime = (SELECT o.vtime FROM job_owner o WHERE o.name = job.owner) \
             WHERE id = $1 AND phase IN ('PENDING', 'HELD') RETURNING *",
};

/// QUEUED to HELD.
const HOLD: Sql = Sql {
    postgres: "UPDATE job SET phase = 'HELD', version = version + 1 WHERE id = $1 AND phase = 'QUEUED' RETURNING *",
    sqlite: "UPDATE job SET phase = 'HELD', version = version + 1 WHERE id = $1 AND phase = 'QUEUED' RETURNING *",
};

/// QUEUED to EXECUTING, up to `$2` jobs of the services in the JSON array `$3`.
pub const CLAIM: Sql = Sql {
    postgres: "WITH t AS MATERIALIZED (SELECT (extract(epoch from clock_timestamp()) * 1000)::bigint AS now), \
               next AS MATERIALIZED (SELECT id FROM job, t WHERE phase = 'QUEUED' AND run_after <= t.now \
                   AND service IN (SELECT jsonb_array_elements_text($3::jsonb)) \
                   ORDER BY priority DESC, vtime, id LIMIT $2 FOR UPDATE OF job SKIP LOCKED) \
               UPDATE job SET phase = 'EXECUTING', worker = $1, fence = fence + 1, attempt = attempt + 1, start_time = t.now, \
                   quote = NULL, result_count = 0, progress_done = NULL, progress_total = NULL, progress_note = NULL, \
                   version = version + 1 \
               FROM next, t WHERE job.id = next.id RETURNING job.*",
    sqlite: "UPDATE job SET phase = 'EXECUTING', worker = $1, fence = fence + 1, attempt = attempt + 1, \
                 start_time = CAST(round(unixepoch('subsec') * 1000) AS INTEGER), \
                 quote = NULL, result_count = 0, progress_done = NULL, progress_total = NULL, progress_note = NULL, \
                 version = version + 1 \
             WHERE id IN (SELECT id FROM job WHERE phase = 'QUEUED' \
                 AND run_after <= CAST(round(unixepoch('subsec') * 1000) AS INTEGER) \
                 AND service IN (SELECT value FROM json_each($3)) \
                 ORDER BY priority DESC, vtime, id LIMIT $2) RETURNING *",
};

/// EXECUTING or SUSPENDED to what the run's end says, for every entry of the JSON array `$1`; gives the jobs that were
/// still leased. Back in the queue, a job's fence rises, so that what the run had produced is no longer seen.
pub const FINISH: Sql = Sql {
    postgres: "UPDATE job SET \
                   phase = CASE WHEN f.phase = 'RETRY' AND job.attempt < job.max_attempts THEN 'QUEUED' \
                       WHEN f.phase = 'RETRY' THEN 'ERROR' ELSE f.phase END, \
                   end_time = CASE WHEN f.phase = 'QUEUED' OR (f.phase = 'RETRY' AND job.attempt < job.max_attempts) THEN NULL \
                       ELSE (extract(epoch from clock_timestamp()) * 1000)::bigint END, \
                   error_kind = CASE WHEN f.phase = 'RETRY' AND job.attempt < job.max_attempts THEN NULL ELSE f.kind END, \
                   error_message = CASE WHEN f.phase = 'RETRY' AND job.attempt < job.max_attempts THEN NULL ELSE f.message END, \
                   error_detail = CASE WHEN f.phase = 'RETRY' AND job.attempt < job.max_attempts THEN NULL ELSE f.detail END, \
                   attempt = CASE WHEN f.phase = 'QUEUED' THEN job.attempt - 1 ELSE job.attempt END, \
                   start_time = CASE WHEN f.phase = 'QUEUED' THEN NULL ELSE job.start_time END, \
                   run_after = CASE WHEN f.phase = 'RETRY' THEN (extract(epoch from clock_timestamp()) * 1000)::bigint + f.after ELSE 0 END, \
                   fence = CASE WHEN f.phase = 'QUEUED' OR (f.phase = 'RETRY' AND job.attempt < job.max_attempts) THEN job.fence + 1 ELSE job.fence END, \
                   result_count = CASE WHEN f.phase = 'QUEUED' OR (f.phase = 'RETRY' AND job.attempt < job.max_attempts) THEN 0 ELSE job.result_count END, \
                   worker = NULL, version = version + 1 \
               FROM jsonb_to_recordset($1::jsonb) AS f(id uuid, fence bigint, phase text, kind text, message text, detail text, after bigint) \
               WHERE job.id = f.id AND job.fence = f.fence AND job.phase IN ('EXECUTING', 'SUSPENDED') RETURNING job.id",
    sqlite: "UPDATE job SET \
                 phase = CASE WHEN f.phase = 'RETRY' AND job.attempt < job.max_attempts THEN 'QUEUED' \
                     WHEN f.phase = 'RETRY' THEN 'ERROR' ELSE f.phase END, \
                 end_time = CASE WHEN f.phase = 'QUEUED' OR (f.phase = 'RETRY' AND job.attempt < job.max_attempts) THEN NULL \
                     ELSE CAST(round(unixepoch('subsec') * 1000) AS INTEGER) END, \
                 error_kind = CASE WHEN f.phase = 'RETRY' AND job.attempt < job.max_attempts THEN NULL ELSE f.kind END, \
                 error_message = CASE WHEN f.phase = 'RETRY' AND job.attempt < job.max_attempts THEN NULL ELSE f.message END, \
                 error_detail = CASE WHEN f.phase = 'RETRY' AND job.attempt < job.max_attempts THEN NULL ELSE f.detail END, \
                 attempt = CASE WHEN f.phase = 'QUEUED' THEN job.attempt - 1 ELSE job.attempt END, \
                 start_time = CASE WHEN f.phase = 'QUEUED' THEN NULL ELSE job.start_time END, \
                 run_after = CASE WHEN f.phase = 'RETRY' THEN CAST(round(unixepoch('subsec') * 1000) AS INTEGER) + f.after ELSE 0 END, \
                 fence = CASE WHEN f.phase = 'QUEUED' OR (f.phase = 'RETRY' AND job.attempt < job.max_attempts) THEN job.fence + 1 ELSE job.fence END, \
                 result_count = CASE WHEN f.phase = 'QUEUED' OR (f.phase = 'RETRY' AND job.attempt < job.max_attempts) THEN 0 ELSE job.result_count END, \
                 worker = NULL, version = version + 1 \
             FROM (SELECT unhex(value ->> 'id') AS id, value ->> 'fence' AS fence, value ->> 'phase' AS phase, \
                 value ->> 'kind' AS kind, value ->> 'message' AS message, value ->> 'detail' AS detail, \
                 value ->> 'after' AS after FROM json_each($1)) AS f \
             WHERE job.id = f.id AND job.fence = f.fence AND job.phase IN ('EXECUTING', 'SUSPENDED') RETURNING job.id",
};

/// One entry of `FINISH`'s array.
#[derive(Serialize)]
struct FinishRow<'a> {
    /// Hexadecimal without hyphens, which both dialects read.
    id: String,
    fence: i64,
    phase: &'static str,
    kind: Option<&'static str>,
    message: Option<&'a str>,
    detail: Option<&'a str>,
    after: i64,
}

impl<'a> FinishRow<'a> {
    fn new(finish: &'a Finish) -> Self {
        let (phase, error, after) = match &finish.ending {
            Ending::Completed => ("COMPLETED", None, 0),
            Ending::Failed(error) => ("ERROR", Some(error), 0),
            Ending::Retry(error, after) => ("RETRY", Some(error), *after),
            Ending::TimedOut(error) => ("ABORTED", Some(error), 0),
            Ending::Released => ("QUEUED", None, 0),
        };
        FinishRow {
            id: finish.lease.job.0.simple().to_string(),
            fence: finish.lease.fence,
            phase,
            kind: error.map(|error| error.kind.as_str()),
            message: error.map(|error| error.message.as_str()),
            detail: error.and_then(|error| error.detail.as_deref()),
            after,
        }
    }
}

/// `$1` job, `$2` fence, `$3`..`$5` progress (null: as it was), `$6` results and `$7` log lines as JSON arrays.
const REPORT_POSTGRES: Sql = Sql {
    sqlite: "",
    postgres: "WITH mine AS (UPDATE job SET progress_done = COALESCE($3, progress_done), progress_total = COALESCE($4, progress_total), \
                   progress_note = COALESCE($5, progress_note), result_count = result_count + jsonb_array_length($6::jsonb), \
                   version = version + 1 \
                   WHERE id = $1 AND fence = $2 AND phase IN ('EXECUTING', 'SUSPENDED') RETURNING id), \
               results AS (INSERT INTO job_result (job, fence, position, name, media_type, size, sha256, object, principal) \
                   SELECT mine.id, $2, r.position, r.name, r.media_type, r.size, r.sha256, r.object, r.principal FROM mine, \
                   jsonb_to_recordset($6::jsonb) AS r(position bigint, name text, media_type text, size bigint, sha256 text, object text, principal boolean)), \
               lines AS (INSERT INTO job_log (job, sequence, at, line) \
                   SELECT mine.id, l.sequence, (extract(epoch from clock_timestamp()) * 1000)::bigint, l.line FROM mine, \
                   jsonb_to_recordset($7::jsonb) AS l(sequence bigint, line text)) \
               SELECT id FROM mine",
};

const REPORT_JOB_SQLITE: Sql = Sql {
    postgres: "",
    sqlite: "UPDATE job SET progress_done = COALESCE($3, progress_done), progress_total = COALESCE($4, progress_total), \
             progress_note = COALESCE($5, progress_note), result_count = result_count + json_array_length($6), \
             version = version + 1 WHERE id = $1 AND fence = $2 AND phase IN ('EXECUTING', 'SUSPENDED')",
};

const REPORT_RESULTS_SQLITE: Sql = Sql {
    postgres: "",
    sqlite: "INSERT INTO job_result (job, fence, position, name, media_type, size, sha256, object, principal) \
             SELECT $1, $2, value ->> 'position', value ->> 'name', value ->> 'media_type', value ->> 'size', \
             value ->> 'sha256', value ->> 'object', value ->> 'principal' FROM json_each($3)",
};

const REPORT_LINES_SQLITE: Sql = Sql {
    postgres: "",
    sqlite: "INSERT INTO job_log (job, sequence, at, line) \
             SELECT $1, value ->> 'sequence', CAST(round(unixepoch('subsec') * 1000) AS INTEGER), value ->> 'line' FROM json_each($2)",
};

/// EXECUTING to SUSPENDED and back.
const PAUSE: Sql = Sql {
    postgres: "UPDATE job SET phase = $3, version = version + 1 WHERE id = $1 AND fence = $2 AND phase IN ('EXECUTING', 'SUSPENDED')",
    sqlite: "UPDATE job SET phase = $3, version = version + 1 WHERE id = $1 AND fence = $2 AND phase IN ('EXECUTING', 'SUSPENDED')",
};

const REGISTER: Sql = Sql {
    postgres: "INSERT INTO worker (id, host, started_at, seen_at) SELECT $1, $2, t.now, t.now \
               FROM (SELECT (extract(epoch from clock_timestamp()) * 1000)::bigint AS now) t ON CONFLICT (id) DO NOTHING",
    sqlite: "INSERT INTO worker (id, host, started_at, seen_at) SELECT $1, $2, t.now, t.now \
             FROM (SELECT CAST(round(unixepoch('subsec') * 1000) AS INTEGER) AS now) t WHERE true ON CONFLICT (id) DO NOTHING",
};

/// Renews the lease on all jobs of a worker and lists them; no row: the worker was given up.
const BEAT: Sql = Sql {
    postgres: "WITH me AS (UPDATE worker SET seen_at = (extract(epoch from clock_timestamp()) * 1000)::bigint WHERE id = $1 RETURNING id) \
               SELECT job.id, job.fence FROM me LEFT JOIN job ON job.worker = me.id AND job.phase IN ('EXECUTING', 'SUSPENDED')",
    sqlite: "UPDATE worker SET seen_at = CAST(round(unixepoch('subsec') * 1000) AS INTEGER) WHERE id = $1",
};

const BEAT_SQLITE: Sql = Sql {
    postgres: "",
    sqlite: "SELECT id, fence FROM job WHERE worker = $1 AND phase IN ('EXECUTING', 'SUSPENDED')",
};

const RETIRE: Sql = Sql {
    postgres: "DELETE FROM worker WHERE id = $1",
    sqlite: "DELETE FROM worker WHERE id = $1",
};

/// A result as an entry of `REPORT`'s array.
#[derive(Serialize)]
struct ResultRow<'a> {
    position: u64,
    name: &'a str,
    media_type: &'a str,
    size: u64,
    sha256: &'a str,
    object: &'a str,
    principal: bool,
}

#[derive(Serialize)]
struct LineRow<'a> {
    sequence: u64,
    line: &'a str,
}

impl Store {
    /// Queues a job that is PENDING or HELD; `step` is the owner's pace (1000 for weight 1, less goes faster).
    /// `None` if it is not there or stands elsewhere.
    pub async fn run(&self, id: JobId, step: i64) -> Result<Option<Job>, StoreError> {
        let rows = match self.dialect {
            Dialect::Postgres => self.rows(RUN, [id.0.into(), step.into()]).await?,
            Dialect::Sqlite => {
                let transaction = self.begin().await?;
                transaction
                    .execute_raw(self.statement(RUN, [id.0.into(), step.into()]))
                    .await?;
                let rows = transaction
                    .query_all_raw(self.statement(RUN_SQLITE, [id.0.into()]))
                    .await?;
                transaction.commit().await?;
                rows
            }
        };
        rows.first().map(|row| model(row)?.into_job()).transpose()
    }

    /// Holds a queued job back. `None` if it is not there or not queued.
    pub async fn hold(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        self.rows(HOLD, [id.0.into()])
            .await?
            .first()
            .map(|row| model(row)?.into_job())
            .transpose()
    }

    /// Takes up to `limit` jobs of `services` for `worker`: highest priority first, then by fairness.
    pub async fn claim(
        &self,
        worker: WorkerId,
        services: &[String],
        limit: u64,
    ) -> Result<Vec<Claimed>, StoreError> {
        let services = to_json(&services)?;
        let rows = self
            .rows(CLAIM, [worker.0.into(), (limit as i64).into(), services.into()])
            .await?;
        let mut claimed = rows
            .iter()
            .map(|row| model(row).map(|row| (row.priority, row.vtime, row)))
            .collect::<Result<Vec<_>, _>>()?;
        // RETURNING has no order of its own.
        claimed.sort_by_key(|(priority, vtime, row)| (-priority, *vtime, row.id));
        claimed
            .into_iter()
            .map(|(_, _, row)| {
                let lease = Lease {
                    job: JobId(row.id),
                    fence: row.fence,
                };
                Ok(Claimed {
                    job: row.into_job()?,
                    lease,
                })
            })
            .collect()
    }

    /// Makes progress, results and log lines of a running job visible; `first` is the position of the first result.
    pub async fn report(
        &self,
        lease: Lease,
        report: &Report,
        first: u64,
    ) -> Result<Result<(), LeaseLost>, StoreError> {
        let results: Vec<ResultRow<'_>> = report
            .results
            .iter()
            .zip(first..)
            .map(|(result, position)| ResultRow {
                position,
                name: &result.name,
                media_type: &result.media_type,
                size: result.size,
                sha256: &result.sha256,
                object: &result.object,
                principal: result.principal,
            })
            .collect();
        let lines: Vec<LineRow<'_>> = report
            .lines
            .iter()
            .map(|line| LineRow {
                sequence: line.sequence,
                line: &line.line,
            })
            .collect();
        let (job, fence): (Value, Value) = (lease.job.0.into(), lease.fence.into());
        let (results, lines) = (to_json(&results)?, to_json(&lines)?);
        let progress = report.progress.as_ref();
        let values: [Value; 6] = [
            job.clone(),
            fence.clone(),
            progress.map(|progress| progress.done as i64).into(),
            progress.map(|progress| progress.total as i64).into(),
            progress.map(|progress| progress.note.clone()).into(),
            results.clone().into(),
        ];
        let held = match self.dialect {
            Dialect::Postgres => !self
                .rows(REPORT_POSTGRES, values.into_iter().chain([lines.into()]))
                .await?
                .is_empty(),
            Dialect::Sqlite => {
                let transaction = self.begin().await?;
                let held = transaction
                    .execute_raw(self.statement(REPORT_JOB_SQLITE, values))
                    .await?
                    .rows_affected()
                    > 0;
                if held {
                    let values = [job.clone(), fence, results.into()];
                    transaction
                        .execute_raw(self.statement(REPORT_RESULTS_SQLITE, values))
                        .await?;
                    transaction
                        .execute_raw(self.statement(REPORT_LINES_SQLITE, [job, lines.into()]))
                        .await?;
                }
                transaction.commit().await?;
                held
            }
        };
        Ok(if held { Ok(()) } else { Err(LeaseLost) })
    }

    /// Ends runs, many in one statement; gives the jobs whose lease was still held.
    pub async fn finish(&self, finishes: &[Finish]) -> Result<Vec<JobId>, StoreError> {
        let rows: Vec<FinishRow<'_>> = finishes.iter().map(FinishRow::new).collect();
        let rows = self.rows(FINISH, [to_json(&rows)?.into()]).await?;
        rows.iter().map(job_id).collect()
    }

    /// SUSPENDED while the executor waits for a resource of the server, EXECUTING again afterwards.
    pub async fn pause(&self, lease: Lease, suspended: bool) -> Result<Result<(), LeaseLost>, StoreError> {
        let phase = if suspended { "SUSPENDED" } else { "EXECUTING" };
        let touched = self
            .execute(PAUSE, [lease.job.0.into(), lease.fence.into(), phase.into()])
            .await?;
        Ok(if touched > 0 { Ok(()) } else { Err(LeaseLost) })
    }

    /// Number of the last line of a job's log; 0 if it has none.
    pub async fn last_line(&self, id: JobId) -> Result<u64, StoreError> {
        const SELECT: Sql = Sql {
            sqlite: "SELECT COALESCE(max(sequence), 0) AS last FROM job_log WHERE job = $1",
            postgres: "SELECT COALESCE(max(sequence), 0) AS last FROM job_log WHERE job = $1",
        };
        let rows = self.rows(SELECT, [id.0.into()]).await?;
        rows.first()
            .map_or(Ok(0), |row| Ok(row.try_get_by::<i64, _>("last")? as u64))
    }

    /// Makes a worker known.
    pub async fn register(&self, worker: WorkerId, host: &str) -> Result<(), StoreError> {
        self.execute(REGISTER, [worker.0.into(), host.into()]).await?;
        Ok(())
    }

    /// Says that a worker lives, and learns which leases it holds; `None` if it was given up and must register anew.
    pub async fn beat(&self, worker: WorkerId) -> Result<Option<Vec<Lease>>, StoreError> {
        match self.dialect {
            Dialect::Postgres => {
                let rows = self.rows(BEAT, [worker.0.into()]).await?;
                if rows.is_empty() {
                    return Ok(None);
                }
                rows.iter()
                    .filter_map(|row| lease(row).transpose())
                    .collect::<Result<Vec<_>, _>>()
                    .map(Some)
            }
            Dialect::Sqlite => {
                if self.execute(BEAT, [worker.0.into()]).await? == 0 {
                    return Ok(None);
                }
                let rows = self.rows(BEAT_SQLITE, [worker.0.into()]).await?;
                rows.iter()
                    .filter_map(|row| lease(row).transpose())
                    .collect::<Result<Vec<_>, _>>()
                    .map(Some)
            }
        }
    }

    /// Takes a worker off the books when it stops in good order.
    pub async fn retire(&self, worker: WorkerId) -> Result<(), StoreError> {
        self.execute(RETIRE, [worker.0.into()]).await?;
        Ok(())
    }
}

fn lease(row: &QueryResult) -> Result<Option<Lease>, StoreError> {
    let Some(id) = row.try_get_by::<Option<Uuid>, _>("id")? else {
        return Ok(None);
    };
    Ok(Some(Lease {
        job: JobId(id),
        fence: row.try_get_by("fence")?,
    }))
}

pub(super) fn job_id(row: &QueryResult) -> Result<JobId, StoreError> {
    Ok(JobId(row.try_get_by("id")?))
}

fn to_json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt(error.to_string()))
}
