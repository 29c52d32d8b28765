//! The job queue: run, claim, report, finish, release; each statement in both dialects.
//!
//! A claim raises the job's fence in the same statement; every later write of the worker carries job, fence and phase,
//! so that a worker that lost its lease touches no row. What is long (many jobs, many results) travels as one JSON
//! value, so that a statement is prepared once however many rows it is about.

use std::borrow::Cow;

use sea_orm::{ConnectionTrait, DatabaseTransaction, QueryResult, Value};
use serde::Serialize;
use uuid::Uuid;

use super::{
    Dialect, LeaseLost, Sql, Store, StoreError, StoredResult, WorkerId,
    entity::job,
    rows::{job_id, natural, seconds, storable, to_json},
};
use crate::uws::{ErrorSummary, Job, JobId, Phase};

/// The right to run a job and to write what comes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The job.
    pub job: JobId,
    /// Rises with each claim of the job.
    pub fence: i64,
}

/// How long a job may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunLimit {
    /// Longest run, in seconds; 0 is unlimited.
    pub seconds: u32,
    /// The job's version that says so.
    pub version: i64,
}

/// A job taken from the queue.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// The job, in EXECUTING.
    pub job: Job,
    /// The right to write.
    pub lease: Lease,
    /// How long it may run by now.
    pub limit: RunLimit,
}

/// A job that a worker has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// The right to write.
    pub lease: Lease,
    /// How long it may run by now.
    pub limit: RunLimit,
}

/// How far a job has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Units of work done.
    pub done: u64,
    /// Units of work in all.
    pub total: u64,
    /// What has failed of it; may be in units of its own, as the service documents.
    pub failed: u64,
    /// What is being done.
    pub note: String,
}

/// How running a job fared.
#[derive(Debug, Clone, PartialEq)]
pub enum Run {
    /// It is QUEUED.
    Queued(Box<Job>),
    /// It is not there, has changed or stands elsewhere.
    Changed,
    /// Its owner has as many jobs that are QUEUED or HELD as there may be.
    Full,
}

/// What a running job tells: becomes visible in one step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// How far it has come, if that changed.
    pub progress: Option<Progress>,
    /// Results that are stored by now.
    pub results: Vec<StoredResult>,
    /// Lines for the log.
    pub lines: Vec<NewLine>,
}

/// A line for a job's log; the database stamps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLine {
    /// Rises by one with each line of the job, over all its runs.
    pub sequence: u64,
    /// The line, without its end.
    pub line: String,
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
    /// Likewise, for so many milliseconds: another job has what this one needs.
    Postponed(i64),
}

/// The end of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finish {
    /// Whose run.
    pub lease: Lease,
    /// How it ended.
    pub ending: Ending,
}

/// The virtual time of job `$1`'s class of priority: that of the service's next new job or of the latest one to run,
/// whichever is earlier; without those, of any next new job; null when nothing waits or runs. Jobs that were claimed
/// before (`fence` above 0) keep their old place and would turn the clock back. Job `$1` counts only at version `$3`.
macro_rules! clock {
    () => {
        "WITH me AS (SELECT owner, service, priority FROM job WHERE id = $1 AND version = $3 \
             AND phase IN ('PENDING', 'HELD')), \
         ends AS (SELECT (SELECT vtime FROM job WHERE phase = 'QUEUED' AND priority = (SELECT priority FROM me) \
                 AND service = (SELECT service FROM me) AND fence = 0 ORDER BY vtime LIMIT 1) AS next, \
             (SELECT max(vtime) FROM job WHERE phase IN ('EXECUTING', 'SUSPENDED') \
                 AND priority = (SELECT priority FROM me)) AS latest), \
         clock AS (SELECT coalesce({least}(next, latest), next, latest, \
             (SELECT vtime FROM job WHERE phase = 'QUEUED' AND priority = (SELECT priority FROM me) AND fence = 0 \
                 ORDER BY vtime LIMIT 1)) AS vtime FROM ends)"
    };
}

/// Start-time fair queueing: a job stands one step of `$2` behind its owner's last, but never before the clock; so an
/// owner's thousands of jobs stand one step apart each, and another owner's first goes before nearly all of them. What an
/// owner had in the queue counts while some of it still waits, and one step once it does not. Locks the owner's row, so
/// that jobs of one owner that are run at once get different places.
macro_rules! stamp {
    () => {
        "INSERT INTO job_owner (name, priority, vtime) \
             SELECT me.owner, me.priority, coalesce(clock.vtime, 0) FROM me, clock WHERE true \
         ON CONFLICT (name, priority) DO UPDATE SET vtime = CASE \
             WHEN (SELECT vtime FROM clock) IS NULL THEN 0 \
             WHEN EXISTS (SELECT 1 FROM job WHERE phase = 'QUEUED' AND owner = job_owner.name \
                 AND priority = job_owner.priority AND fence = 0) THEN {greatest}(job_owner.vtime + $2, excluded.vtime) \
             ELSE {greatest}({least}(job_owner.vtime, excluded.vtime) + $2, excluded.vtime) END"
    };
}

/// PENDING or HELD to QUEUED; `$2` is the weight's inverse, in thousandths, `$3` the version that was checked. From
/// `run_after` on a job waits.
pub const RUN: Sql = Sql {
    postgres: concat!(
        clock!(),
        ", mine AS (",
        stamp!(),
        " RETURNING vtime) \
          UPDATE job SET phase = 'QUEUED', vtime = mine.vtime, run_after = {now}, version = version + 1 FROM mine \
          WHERE job.id = $1 AND version = $3 AND phase IN ('PENDING', 'HELD') RETURNING {job}"
    ),
    sqlite: concat!(clock!(), " ", stamp!()),
};

const RUN_SQLITE: Sql = Sql {
    postgres: "",
    sqlite: "UPDATE job SET phase = 'QUEUED', run_after = {now}, version = version + 1, \
             vtime = (SELECT o.vtime FROM job_owner o WHERE o.name = job.owner AND o.priority = job.priority) \
             WHERE id = $1 AND version = $2 AND phase IN ('PENDING', 'HELD') RETURNING {job}",
};

/// QUEUED to HELD.
const HOLD: Sql = Sql::both(
    "UPDATE job SET phase = 'HELD', version = version + 1 WHERE id = $1 AND phase = 'QUEUED' RETURNING {job}",
);

/// What a claim writes. A release that does not know of `progress_failed` puts a job back without clearing it.
macro_rules! claimed {
    () => {
        "UPDATE job SET phase = 'EXECUTING', worker = $1, fence = fence + 1, attempt = attempt + 1, start_time = {now}, \
         quote = NULL, progress_failed = NULL, version = version + 1 "
    };
}

/// Whether worker `$1` may take jobs.
macro_rules! working {
    () => {
        "NOT EXISTS (SELECT 1 FROM worker WHERE worker.id = $1 AND draining)"
    };
}

/// QUEUED to EXECUTING, up to `$2` jobs of the services in the JSON array `$3`.
pub const CLAIM: Sql = Sql {
    postgres: concat!(
        "WITH next AS MATERIALIZED (SELECT id FROM job WHERE phase = 'QUEUED' AND run_after <= {now} \
             AND service IN (SELECT jsonb_array_elements_text($3::jsonb)) AND ",
        working!(),
        " ORDER BY priority DESC, vtime, id LIMIT $2 FOR UPDATE SKIP LOCKED) ",
        claimed!(),
        "FROM next WHERE job.id = next.id RETURNING {job}"
    ),
    sqlite: concat!(
        claimed!(),
        "WHERE id IN (SELECT id FROM job WHERE phase = 'QUEUED' AND run_after <= {now} \
             AND service IN (SELECT value FROM json_each($3)) AND ",
        working!(),
        " ORDER BY priority DESC, vtime, id LIMIT $2) RETURNING {job}"
    ),
};

/// Owners who run as many jobs as they may: their own limit, or `$2`; null or 0 is none.
macro_rules! busy {
    () => {
        "SELECT r.owner FROM job r WHERE r.phase IN ('EXECUTING', 'SUSPENDED') GROUP BY r.owner \
         HAVING count(*) >= nullif(coalesce((SELECT p.running FROM person p WHERE p.name = r.owner), $2), 0)"
    };
}

/// QUEUED to EXECUTING: the first job of the services in the JSON array `$3` whose owner is not busy.
pub const CLAIM_LIMITED: Sql = Sql {
    postgres: concat!(
        "WITH busy AS MATERIALIZED (",
        busy!(),
        "), next AS MATERIALIZED (SELECT id FROM job WHERE phase = 'QUEUED' AND run_after <= {now} \
             AND service IN (SELECT jsonb_array_elements_text($3::jsonb)) AND owner NOT IN (SELECT owner FROM busy) \
             AND ",
        working!(),
        " ORDER BY priority DESC, vtime, id LIMIT 1 FOR UPDATE SKIP LOCKED) ",
        claimed!(),
        "FROM next WHERE job.id = next.id RETURNING {job}"
    ),
    sqlite: concat!(
        claimed!(),
        "WHERE id = (SELECT id FROM job WHERE phase = 'QUEUED' AND run_after <= {now} \
             AND service IN (SELECT value FROM json_each($3)) AND owner NOT IN (",
        busy!(),
        ") AND ",
        working!(),
        " ORDER BY priority DESC, vtime, id LIMIT 1) RETURNING {job}"
    ),
};

/// Lets one claim within limits in at a time: two that count at once would each take the last that is allowed.
const CLAIM_LOCK: Sql = Sql {
    sqlite: "",
    postgres: "SELECT pg_advisory_xact_lock(6001403042971601997)",
};

const LIMITED: Sql = Sql::both("SELECT EXISTS (SELECT 1 FROM person WHERE running IS NOT NULL) AS limited");

/// What the end of a run writes. `{again}`: it asked to go back to the queue, and an attempt is left.
macro_rules! finished {
    () => {
        "UPDATE job SET phase = CASE WHEN {again} THEN 'QUEUED' ELSE f.phase END, \
             start_time = CASE WHEN {again} THEN NULL ELSE job.start_time END, \
             end_time = CASE WHEN {again} THEN NULL ELSE {now} END, \
             run_after = CASE WHEN {again} THEN {now} + f.after ELSE 0 END, \
             fence = CASE WHEN {again} THEN job.fence + 1 ELSE job.fence END, \
             result_count = CASE WHEN {again} THEN 0 ELSE job.result_count END, \
             result_bytes = CASE WHEN {again} THEN 0 ELSE job.result_bytes END, \
             progress_done = CASE WHEN {again} THEN NULL ELSE job.progress_done END, \
             progress_total = CASE WHEN {again} THEN NULL ELSE job.progress_total END, \
             progress_failed = CASE WHEN {again} THEN NULL ELSE job.progress_failed END, \
             progress_note = CASE WHEN {again} THEN NULL ELSE job.progress_note END, \
             error_kind = CASE WHEN {again} THEN NULL ELSE f.kind END, \
             error_message = CASE WHEN {again} THEN NULL ELSE f.message END, \
             error_detail = CASE WHEN {again} THEN NULL ELSE f.detail END, \
             attempt = job.attempt - f.returned, worker = NULL, version = version + 1 "
    };
}

/// EXECUTING or SUSPENDED to what the run's end says, for every entry of the JSON array `$1`; gives the jobs that were
/// still leased. Back in the queue, a job's fence rises, so that what the run had produced is no longer seen.
pub const FINISH: Sql = Sql {
    postgres: concat!(
        finished!(),
        "FROM jsonb_to_recordset($1::jsonb) AS f(id uuid, fence bigint, back boolean, returned bigint, after bigint, \
             phase text, kind text, message text, detail text) \
         WHERE job.id = f.id AND job.fence = f.fence AND job.phase IN ('EXECUTING', 'SUSPENDED') RETURNING job.id"
    ),
    sqlite: concat!(
        finished!(),
        "FROM (SELECT unhex(value ->> 'id') AS id, value ->> 'fence' AS fence, value ->> 'back' AS back, \
             value ->> 'returned' AS returned, value ->> 'after' AS after, value ->> 'phase' AS phase, \
             value ->> 'kind' AS kind, value ->> 'message' AS message, value ->> 'detail' AS detail \
             FROM json_each($1)) AS f \
         WHERE job.id = f.id AND job.fence = f.fence AND job.phase IN ('EXECUTING', 'SUSPENDED') RETURNING job.id"
    ),
};

/// One entry of `FINISH`'s array.
#[derive(Serialize)]
struct FinishRow<'a> {
    /// Hexadecimal without hyphens, which both dialects read.
    id: String,
    fence: i64,
    /// Whether it is to go back to the queue while attempts are left.
    back: bool,
    /// Attempts that do not count.
    returned: i64,
    /// Milliseconds until it may be claimed again.
    after: i64,
    /// Where it goes otherwise.
    phase: &'static str,
    kind: Option<&'static str>,
    message: Option<Cow<'a, str>>,
    detail: Option<Cow<'a, str>>,
}

impl<'a> FinishRow<'a> {
    fn new(finish: &'a Finish) -> Self {
        let (phase, error) = match &finish.ending {
            Ending::Completed => (Phase::Completed, None),
            Ending::Failed(error) | Ending::Retry(error, _) => (Phase::Error, Some(error)),
            Ending::TimedOut(error) => (Phase::Aborted, Some(error)),
            Ending::Released | Ending::Postponed(_) => (Phase::Queued, None),
        };
        FinishRow {
            id: finish.lease.job.0.simple().to_string(),
            fence: finish.lease.fence,
            back: matches!(
                finish.ending,
                Ending::Retry(..) | Ending::Released | Ending::Postponed(_)
            ),
            returned: i64::from(matches!(finish.ending, Ending::Released | Ending::Postponed(_))),
            after: match finish.ending {
                Ending::Retry(_, after) | Ending::Postponed(after) => after,
                _ => 0,
            },
            phase: phase.as_str(),
            kind: error.map(|error| error.kind.as_str()),
            message: error.map(|error| storable(&error.message)),
            detail: error.and_then(|error| error.detail.as_deref()).map(storable),
        }
    }
}

/// `$1` job, `$2` fence, `$3`..`$5` progress (null: as it was), `$6` results and `$7` log lines as JSON arrays, `$8` the
/// results reported before, `$9` bytes of the results' objects, `$10` what has failed (null: as it was); `SQLite` has no
/// lines in it. Saying it twice changes nothing: the answer to the first time may have been lost.
const REPORT_POSTGRES: Sql = Sql {
    sqlite: "",
    postgres: "WITH mine AS (UPDATE job SET progress_done = COALESCE($3, progress_done), progress_total = COALESCE($4, progress_total), \
                   progress_note = COALESCE($5, progress_note), progress_failed = COALESCE($10, progress_failed), \
                   result_count = $8 + jsonb_array_length($6::jsonb), \
                   result_bytes = CASE result_count WHEN $8 THEN result_bytes ELSE (SELECT coalesce(sum(size), 0) FROM \
                       (SELECT DISTINCT object, size FROM job_result WHERE job = $1 AND fence = $2 AND position < $8) AS o) \
                       END + $9, \
                   version = version + 1 \
                   WHERE id = $1 AND fence = $2 AND phase IN ('EXECUTING', 'SUSPENDED') RETURNING id), \
               results AS (INSERT INTO job_result (job, fence, position, name, media_type, size, sha256, object, principal, recipe, facts) \
                   SELECT mine.id, $2, r.position, r.name, r.media_type, r.size, r.sha256, r.object, r.principal, r.recipe, r.facts FROM mine, \
                   jsonb_to_recordset($6::jsonb) AS r(position bigint, name text, media_type text, size bigint, sha256 text, object text, principal boolean, recipe text, facts text) \
                   ON CONFLICT DO NOTHING), \
               lines AS (INSERT INTO job_log (job, sequence, at, line) \
                   SELECT mine.id, l.sequence, {now}, l.line FROM mine, \
                   jsonb_to_recordset($7::jsonb) AS l(sequence bigint, line text) ON CONFLICT DO NOTHING) \
               SELECT id FROM mine",
};

const REPORT_JOB_SQLITE: Sql = Sql {
    postgres: "",
    sqlite: "UPDATE job SET progress_done = COALESCE($3, progress_done), progress_total = COALESCE($4, progress_total), \
             progress_note = COALESCE($5, progress_note), progress_failed = COALESCE($9, progress_failed), \
             result_count = $7 + json_array_length($6), \
             result_bytes = CASE result_count WHEN $7 THEN result_bytes ELSE (SELECT coalesce(sum(size), 0) FROM \
                 (SELECT DISTINCT object, size FROM job_result WHERE job = $1 AND fence = $2 AND position < $7) AS o) \
                 END + $8, \
             version = version + 1 WHERE id = $1 AND fence = $2 AND phase IN ('EXECUTING', 'SUSPENDED')",
};

const REPORT_RESULTS_SQLITE: Sql = Sql {
    postgres: "",
    sqlite: "INSERT INTO job_result (job, fence, position, name, media_type, size, sha256, object, principal, recipe, facts) \
             SELECT $1, $2, value ->> 'position', value ->> 'name', value ->> 'media_type', value ->> 'size', \
             value ->> 'sha256', value ->> 'object', value ->> 'principal', value ->> 'recipe', value ->> 'facts' FROM json_each($3) WHERE true ON CONFLICT DO NOTHING",
};

const REPORT_LINES_SQLITE: Sql = Sql {
    postgres: "",
    sqlite: "INSERT INTO job_log (job, sequence, at, line) \
             SELECT $1, value ->> 'sequence', {now}, value ->> 'line' FROM json_each($2) WHERE true ON CONFLICT DO NOTHING",
};

/// EXECUTING to SUSPENDED and back.
const PAUSE: Sql = Sql::both(
    "UPDATE job SET phase = $3, version = version + 1 \
     WHERE id = $1 AND fence = $2 AND phase IN ('EXECUTING', 'SUSPENDED')",
);

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
    recipe: Option<&'a str>,
    facts: Option<&'a str>,
}

#[derive(Serialize)]
struct LineRow<'a> {
    sequence: u64,
    line: Cow<'a, str>,
}

impl Store {
    /// Queues a job that is PENDING or HELD and still at `version`; `step` is the owner's pace (1000 for weight 1, less
    /// goes faster). `None` if it is not there, has changed or stands elsewhere.
    pub async fn run(&self, id: JobId, version: i64, step: i64) -> Result<Option<Job>, StoreError> {
        let values: [Value; 3] = [id.0.into(), step.into(), version.into()];
        let rows = match self.dialect {
            Dialect::Postgres => self.rows(RUN, values).await?,
            Dialect::Sqlite => {
                let transaction = self.begin().await?;
                let rows = self.run_in(&transaction, values).await?;
                transaction.commit().await?;
                rows
            }
        };
        rows.first()
            .map(|row| job::Model::of(row)?.into_job())
            .transpose()
    }

    /// The same, unless it would make more than `most` jobs of its owner's that are QUEUED or HELD, however many are run
    /// at once.
    pub async fn run_within(
        &self,
        id: JobId,
        version: i64,
        step: i64,
        owner: &str,
        most: u64,
    ) -> Result<Run, StoreError> {
        let transaction = self.begin_alone(owner).await?;
        if self.queue_full(&transaction, owner, id, most).await? {
            transaction.rollback().await?;
            return Ok(Run::Full);
        }
        let values: [Value; 3] = [id.0.into(), step.into(), version.into()];
        let rows = self.run_in(&transaction, values).await?;
        transaction.commit().await?;
        match rows.first() {
            Some(row) => Ok(Run::Queued(Box::new(job::Model::of(row)?.into_job()?))),
            None => Ok(Run::Changed),
        }
    }

    async fn run_in(
        &self,
        transaction: &DatabaseTransaction,
        values: [Value; 3],
    ) -> Result<Vec<QueryResult>, StoreError> {
        let [id, _, version] = values.clone();
        let run = self.statement(RUN, values);
        if self.dialect == Dialect::Postgres {
            return Ok(transaction.query_all_raw(run).await?);
        }
        transaction.execute_raw(run).await?;
        let run = self.statement(RUN_SQLITE, [id, version]);
        Ok(transaction.query_all_raw(run).await?)
    }

    /// Holds a queued job back. `None` if it is not there or not queued.
    pub async fn hold(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        self.rows(HOLD, [id.0.into()])
            .await?
            .first()
            .map(|row| job::Model::of(row)?.into_job())
            .transpose()
    }

    /// Takes up to `limit` jobs of `services` for `worker`: highest priority first, then by fairness. None while it drains.
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
        claimed(&rows)
    }

    /// As `claim`, but leaves jobs of owners who run as many as they may: their own limit, or `running` where they have
    /// none; 0 is no limit. Slower: over all replicas one claim at a time, and a statement a job.
    pub async fn claim_within_limits(
        &self,
        worker: WorkerId,
        services: &[String],
        limit: u64,
        running: Option<u64>,
    ) -> Result<Vec<Claimed>, StoreError> {
        let values: [Value; 3] = [
            worker.0.into(),
            running.map(natural).into(),
            to_json(&services)?.into(),
        ];
        let transaction = self.begin().await?;
        if self.dialect == Dialect::Postgres {
            transaction.query_all_raw(self.statement(CLAIM_LOCK, [])).await?;
        }
        let mut rows = Vec::new();
        for _ in 0..limit {
            let claimed = transaction
                .query_one_raw(self.statement(CLAIM_LIMITED, values.clone()))
                .await?;
            let Some(row) = claimed else { break };
            rows.push(row);
        }
        transaction.commit().await?;
        claimed(&rows)
    }

    /// Whether anyone has a limit of running jobs of their own.
    pub async fn anyone_limited(&self) -> Result<bool, StoreError> {
        let rows = self.select(LIMITED, []).await?;
        rows.first()
            .map_or(Ok(false), |row| Ok(row.try_get_by("limited")?))
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
                recipe: result.recipe.as_ref().map(|recipe| recipe.digest.as_str()),
                facts: result.recipe.as_ref().map(|recipe| recipe.facts.as_str()),
            })
            .collect();
        let lines: Vec<LineRow<'_>> = report
            .lines
            .iter()
            .map(|line| LineRow {
                sequence: line.sequence,
                line: storable(&line.line),
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
            progress
                .map(|progress| storable(&progress.note).into_owned())
                .into(),
            results.clone().into(),
        ];
        let more: [Value; 3] = [
            (first as i64).into(),
            object_bytes(&report.results).into(),
            progress.map(|progress| progress.failed as i64).into(),
        ];
        let held = match self.dialect {
            Dialect::Postgres => !self
                .rows(
                    REPORT_POSTGRES,
                    values.into_iter().chain([lines.into()]).chain(more),
                )
                .await?
                .is_empty(),
            Dialect::Sqlite => {
                let transaction = self.begin().await?;
                let held = transaction
                    .execute_raw(self.statement(REPORT_JOB_SQLITE, values.into_iter().chain(more)))
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
        let mut rows: Vec<FinishRow<'_>> = finishes.iter().map(FinishRow::new).collect();
        // In one order, so that a worker and a sweep that end the same runs at once never wait for each other.
        rows.sort_by(|one, other| one.id.cmp(&other.id));
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
        const SELECT: Sql =
            Sql::both("SELECT COALESCE(max(sequence), 0) AS last FROM job_log WHERE job = $1");
        let rows = self.select(SELECT, [id.0.into()]).await?;
        rows.first()
            .map_or(Ok(0), |row| Ok(row.try_get_by::<i64, _>("last")? as u64))
    }
}

/// What a claim gave, in the order in which it is to run.
fn claimed(rows: &[QueryResult]) -> Result<Vec<Claimed>, StoreError> {
    let mut claimed = rows
        .iter()
        .map(|row| job::Model::of(row).map(|row| (row.priority, row.vtime, row)))
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
            let limit = RunLimit {
                seconds: seconds(row.execution_duration),
                version: row.version,
            };
            Ok(Claimed {
                job: row.into_job()?,
                lease,
                limit,
            })
        })
        .collect()
}

/// Bytes that these results take: a second name of another one's object takes none.
fn object_bytes(results: &[StoredResult]) -> i64 {
    let bytes = results
        .iter()
        .filter(|result| result.object.rsplit('/').next() == Some(result.name.as_str()))
        .map(|result| result.size)
        .sum();
    natural(bytes)
}

pub(super) fn held(row: &QueryResult) -> Result<Option<Held>, StoreError> {
    let Some(lease) = lease(row)? else {
        return Ok(None);
    };
    let limit = limit(row)?;
    Ok(Some(Held { lease, limit }))
}

pub(super) fn limit(row: &QueryResult) -> Result<RunLimit, StoreError> {
    Ok(RunLimit {
        seconds: seconds(row.try_get_by("execution_duration")?),
        version: row.try_get_by("version")?,
    })
}

pub(super) fn lease(row: &QueryResult) -> Result<Option<Lease>, StoreError> {
    let Some(id) = row.try_get_by::<Option<Uuid>, _>("id")? else {
        return Ok(None);
    };
    Ok(Some(Lease {
        job: JobId(id),
        fence: row.try_get_by("fence")?,
    }))
}
