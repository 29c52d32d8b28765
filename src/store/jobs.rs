//! Jobs as documents: create, read, list, edit, destroy.

use std::{borrow::Cow, collections::BTreeMap};

use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, ExprTrait, FromQueryResult, Order, QueryFilter,
    QueryOrder, QueryResult, QuerySelect, Value,
    sea_query::{Expr, Func},
};
use serde::Serialize;
use uuid::Uuid;

use super::{
    Dialect, Full, Room, Sql, Store, StoreError,
    entity::{job, job_result},
    rows::{job_id, natural, storable, time, to_json},
};
use crate::uws::{Job, JobId, JobRef, Parameters, Phase, ResultRef, Timestamp};

/// Most results that the document of a job lists while the job may still make more, since it is asked for often; past that
/// only the principal ones are. Of a job that has ended all are listed.
pub const MAX_LISTED_RESULTS: i64 = 1_000;
/// Furthest place in the queue that is counted.
const MAX_POSITION: i64 = 10_000;
/// Longest time that a job is kept by default, in seconds: a thousand years, which ISO 8601 can still write.
const MAX_RETENTION: u64 = 1_000 * 365 * 86_400;
/// How often a job is inserted whose idempotency key is taken by one that is then gone.
const INSERT_ATTEMPTS: usize = 3;
/// Rows of one statement of a long list.
const LIST_CHUNK: u64 = 10_000;

/// A job to be created, in PENDING.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Its identifier.
    pub id: JobId,
    /// Service that will run it.
    pub service: String,
    /// Public name of its owner.
    pub owner: String,
    /// The client's label.
    pub run_id: Option<String>,
    /// The job description.
    pub parameters: Parameters,
    /// When it is expected to end.
    pub quote: Option<Timestamp>,
    /// Longest run, in seconds.
    pub execution_duration: u32,
    /// When it is to be destroyed.
    pub destruction: Option<Timestamp>,
    /// Seconds from now to its destruction, where no time was asked for.
    pub retention: u64,
    /// How often it may be started.
    pub max_attempts: u32,
    /// Greater goes first.
    pub priority: i64,
    /// The client's key that makes repeating the request harmless.
    pub idempotency_key: Option<String>,
    /// Digest of the request that the key came with.
    pub fingerprint: Option<String>,
}

/// Which jobs are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this owner.
    pub owner: Option<String>,
    /// Of one of these services; empty means all.
    pub services: Vec<String>,
    /// In one of these phases; empty means all.
    pub phases: Vec<Phase>,
    /// With exactly this label.
    pub label: Option<String>,
    /// Created strictly after.
    pub after: Option<Timestamp>,
    /// Created strictly before.
    pub before: Option<Timestamp>,
    /// With this text in the label, in any case, or this beginning of the id.
    pub text: Option<String>,
}

/// A job in a list, with more than UWS's list tells.
#[derive(Debug, Clone, PartialEq)]
pub struct JobSummary {
    /// What UWS's list tells.
    pub job: JobRef,
    /// When it last entered EXECUTING.
    pub start_time: Option<Timestamp>,
    /// When it ended.
    pub end_time: Option<Timestamp>,
    /// When it will be destroyed.
    pub destruction: Option<Timestamp>,
    /// Units of work done.
    pub progress_done: Option<u64>,
    /// Units of work in all.
    pub progress_total: Option<u64>,
    /// What has failed of it, as the service counts.
    pub progress_failed: Option<u64>,
    /// What is being done.
    pub progress_note: Option<String>,
    /// How many results it has.
    pub results: u64,
    /// Why it failed.
    pub error: Option<String>,
    /// Rises with each visible change.
    pub version: i64,
}

/// How a job stands, for comparing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its identifier.
    pub id: JobId,
    /// Public name of its owner.
    pub owner: String,
    /// Where it stands.
    pub phase: Phase,
    /// Rises with each visible change.
    pub version: i64,
}

/// A stored result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredResult {
    /// Name and last segment of its URL.
    pub name: String,
    /// Media type.
    pub media_type: String,
    /// Size in bytes.
    pub size: u64,
    /// SHA-256, in hexadecimal.
    pub sha256: String,
    /// Where the object is.
    pub object: String,
    /// Listed in the job document however many results there are.
    pub principal: bool,
    /// What it was made by, if it may be given again to who asks for the same.
    pub recipe: Option<Recipe>,
}

impl StoredResult {
    /// Name of the file that it is: a result that stands for another has that one's.
    pub fn file_name(&self) -> &str {
        self.object
            .rsplit_once('/')
            .map_or(&self.name[..], |(_, name)| name)
    }

    /// Whether it stands for another result of its job.
    pub fn is_alias(&self) -> bool {
        self.file_name() != self.name
    }
}

/// What a result was made by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// Digest of all that it was made of and by: of two results with equal ones either stands for the other.
    pub digest: String,
    /// What its service knows of it besides, as it likes.
    pub facts: String,
}

/// A line of a job's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// Rises by one with each line of the job.
    pub sequence: u64,
    /// When it was written.
    pub at: Timestamp,
    /// The line, without its end.
    pub line: String,
}

/// What is left of a destroyed job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tombstone {
    /// Its identifier.
    pub id: JobId,
    /// Its service.
    pub service: String,
    /// Its owner.
    pub owner: String,
    /// When it was destroyed.
    pub at: Timestamp,
}

/// Version of a job that was just made.
pub const FIRST_VERSION: i64 = 0;

/// What may be changed in a job.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// The job description; only in PENDING, and only if nothing has changed since `version` was read.
    Description {
        /// The job's version that the description was made from.
        version: i64,
        /// The whole description.
        parameters: Parameters,
        /// When the job is expected to end.
        quote: Option<Timestamp>,
        /// The client's label, if it changes too.
        run_id: Option<Option<String>>,
    },
    /// Longest run, in seconds; not of a job that has ended.
    ExecutionDuration(u32),
    /// When it will be destroyed.
    Destruction(Timestamp),
    /// The client's label.
    RunId(Option<String>),
}

/// How an insert fared.
#[derive(Debug, Clone, PartialEq)]
pub enum Created {
    /// The job as stored.
    New(Job),
    /// The job that the same request with the same idempotency key made before.
    Before(Job),
    /// The idempotency key was used for another request.
    Taken,
    /// There is no room for it.
    Full(Full),
}

/// `$12` is the retention in milliseconds: it counts from the database's now.
const INSERT: Sql = Sql::both(
    "INSERT INTO job (id, service, owner, run_id, phase, parameters, quote, creation_time, execution_duration, \
         destruction, priority, max_attempts, idempotency_key, fingerprint, upload_bytes) \
     VALUES ($1, $2, $3, $4, 'PENDING', $5, $6, {now}, $7, COALESCE($8, {now} + $12), $9, $10, $11, $13, $14) \
     ON CONFLICT (owner, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING RETURNING {job}",
);

/// The row becomes a tombstone in one step; its objects go next, and the sweep sees to what is left.
const DESTROY: Sql = Sql {
    postgres: "WITH gone AS (DELETE FROM job WHERE id = $1 RETURNING id, service, owner) \
               INSERT INTO job_destroyed (id, service, owner, at, objects) \
               SELECT id, service, owner, {now}, true FROM gone RETURNING id, service, owner, at",
    sqlite: "INSERT INTO job_destroyed (id, service, owner, at, objects) \
             SELECT id, service, owner, {now}, true FROM job WHERE id = $1 RETURNING id, service, owner, at",
};

const ABORT: Sql = Sql::both(
    "UPDATE job SET phase = 'ABORTED', end_time = {now}, worker = NULL, quote = NULL, version = version + 1 \
     WHERE id = $1 AND phase IN ('PENDING', 'QUEUED', 'HELD', 'EXECUTING', 'SUSPENDED') RETURNING {job}",
);

/// How many stand before the job of priority `$1`, virtual time `$2` and id `$3`; `$4` at most.
const BEFORE: Sql = Sql::both(
    "SELECT count(*) AS before FROM (SELECT 1 FROM job WHERE phase = 'QUEUED' AND priority > $1 \
     UNION ALL SELECT 1 FROM job WHERE phase = 'QUEUED' AND priority = $1 AND (vtime, id) < ($2, $3) LIMIT $4) AS jobs",
);

const VERSIONS: Sql = Sql::both("SELECT id, version FROM job WHERE id IN {ids}");

/// The jobs `$1`, and the newest `$3` of each of the owners `$2`: by indices alone, however many there are.
const STANDING: Sql = Sql {
    postgres: "SELECT id, owner, phase, version FROM job WHERE id IN {ids} \
               UNION SELECT newest.id, newest.owner, newest.phase, newest.version \
               FROM jsonb_array_elements_text($2::jsonb) AS listed (owner), LATERAL \
               (SELECT id, owner, phase, version FROM job WHERE job.owner = listed.owner \
               ORDER BY creation_time DESC, id DESC LIMIT $3) AS newest",
    sqlite: "SELECT id, owner, phase, version FROM job WHERE id IN {ids} \
             UNION SELECT job.id, owner, phase, version FROM json_each($2) AS listed CROSS JOIN job WHERE job.id IN \
             (SELECT newest.id FROM job AS newest WHERE newest.owner = listed.value \
             ORDER BY newest.creation_time DESC, newest.id DESC LIMIT $3)",
};

impl Store {
    /// Stores a new job in PENDING.
    pub async fn create(&self, new: &NewJob) -> Result<Created, StoreError> {
        self.create_within(new, Room::default()).await
    }

    /// The same, if there is room for it, however many are created at once.
    pub async fn create_within(&self, new: &NewJob, room: Room) -> Result<Created, StoreError> {
        let upload_bytes = natural(new.parameters.upload_bytes());
        let key = new.idempotency_key.as_deref().map(storable).map(Cow::into_owned);
        let values: [Value; 14] = [
            new.id.0.into(),
            new.service.clone().into(),
            new.owner.clone().into(),
            new.run_id.as_deref().map(storable).map(Cow::into_owned).into(),
            to_json(&new.parameters)?.into(),
            new.quote.map(Timestamp::millis).into(),
            i64::from(new.execution_duration).into(),
            new.destruction.map(Timestamp::millis).into(),
            new.priority.into(),
            i64::from(new.max_attempts).into(),
            key.clone().into(),
            (Ord::min(new.retention, MAX_RETENTION) as i64 * 1000).into(),
            new.fingerprint.clone().into(),
            upload_bytes.into(),
        ];
        // The job that has the key may be destroyed before it is read: then the key is free.
        for _ in 0..INSERT_ATTEMPTS {
            let (rows, full) = if room == Room::default() {
                (self.rows(INSERT, values.clone()).await?, None)
            } else {
                let transaction = self.begin_alone(&new.owner).await?;
                let full = self.full(&transaction, &new.owner, room, upload_bytes).await?;
                let rows = match full {
                    None => {
                        let insert = self.statement(INSERT, values.clone());
                        transaction.query_all_raw(insert).await?
                    }
                    Some(_) => Vec::new(),
                };
                transaction.commit().await?;
                (rows, full)
            };
            if let Some(row) = rows.first() {
                return Ok(Created::New(job::Model::of(row)?.into_job()?));
            }
            let before = match &key {
                Some(key) => {
                    self.created_before(&new.owner, Some(key), &new.service, new.fingerprint.as_deref())
                        .await?
                }
                None => None,
            };
            if let Some(outcome) = before.or(full.map(Created::Full)) {
                return Ok(outcome);
            }
        }
        Err(StoreError::Corrupt("an idempotency key without its job".into()))
    }

    /// What has become of the request that this key of an owner's came with first: `Before` or `Taken`; `None` if the key
    /// is free.
    pub async fn created_before(
        &self,
        owner: &str,
        key: Option<&str>,
        service: &str,
        fingerprint: Option<&str>,
    ) -> Result<Option<Created>, StoreError> {
        let before = job::Entity::find()
            .filter(job::Column::Owner.eq(owner))
            .filter(job::Column::IdempotencyKey.eq(key.map(|key| storable(key).into_owned())))
            .one(&self.writer())
            .await?;
        let Some(before) = before else {
            return Ok(None);
        };
        let known = before.fingerprint.as_deref();
        // Without one the job is older than fingerprints are.
        if before.service != service || known.is_some_and(|known| fingerprint != Some(known)) {
            return Ok(Some(Created::Taken));
        }
        Ok(Some(Created::Before(self.with_results(before).await?)))
    }

    /// The whole job; `None` if it is not there.
    pub async fn get(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        Ok(self.versioned(id).await?.map(|(job, _)| job))
    }

    /// The whole job, and its version, which rises with each change of it.
    pub async fn versioned(&self, id: JobId) -> Result<Option<(Job, i64)>, StoreError> {
        match job::Entity::find_by_id(id.0).one(&self.reader()).await? {
            Some(row) => {
                let version = row.version;
                Ok(Some((self.with_results(row).await?, version)))
            }
            None => Ok(None),
        }
    }

    /// The job without its results, of which there may be many; `None` if it is not there.
    pub async fn outline(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        match job::Entity::find_by_id(id.0).one(&self.reader()).await? {
            Some(row) => Ok(Some(self.with_position(row).await?)),
            None => Ok(None),
        }
    }

    async fn with_results(&self, row: job::Model) -> Result<Job, StoreError> {
        let (count, fence) = (row.result_count, row.fence);
        let mut job = self.with_position(row).await?;
        if count > 0 {
            let all = count <= MAX_LISTED_RESULTS || job.phase.is_terminal();
            job.results = self.listed_results(job.id, fence, all).await?;
        }
        Ok(job)
    }

    async fn with_position(&self, row: job::Model) -> Result<Job, StoreError> {
        let (priority, vtime) = (row.priority, row.vtime);
        let mut job = row.into_job()?;
        if job.phase == Phase::Queued {
            job.info.queue_position = Some(self.queue_position(job.id, priority, vtime).await?);
        }
        Ok(job)
    }

    async fn listed_results(&self, id: JobId, fence: i64, all: bool) -> Result<Vec<ResultRef>, StoreError> {
        let mut query = job_result::Entity::find()
            .select_only()
            .columns([
                job_result::Column::Name,
                job_result::Column::Size,
                job_result::Column::MediaType,
            ])
            .filter(job_result::Column::Job.eq(id.0))
            .filter(job_result::Column::Fence.eq(fence))
            .order_by(job_result::Column::Position, Order::Asc);
        if !all {
            query = query.filter(job_result::Column::Principal.eq(true));
        }
        let rows: Vec<(String, i64, String)> = query.into_tuple().all(&self.reader()).await?;
        Ok(rows
            .into_iter()
            .map(|(id, size, mime_type)| ResultRef {
                id,
                size: size as u64,
                mime_type,
            })
            .collect())
    }

    async fn queue_position(&self, id: JobId, priority: i64, vtime: i64) -> Result<u64, StoreError> {
        let values: [Value; 4] = [priority.into(), vtime.into(), id.0.into(), MAX_POSITION.into()];
        let rows = self.select(BEFORE, values).await?;
        rows.first()
            .map_or(Ok(1), |row| Ok(row.try_get_by::<i64, _>("before")? as u64 + 1))
    }

    /// Where a job stands: phase and version, without reading the rest.
    pub async fn phase(&self, id: JobId) -> Result<Option<(Phase, i64)>, StoreError> {
        let row: Option<(String, i64)> = job::Entity::find_by_id(id.0)
            .select_only()
            .columns([job::Column::Phase, job::Column::Version])
            .into_tuple()
            .one(&self.reader())
            .await?;
        row.map(|(phase, version)| {
            phase
                .parse()
                .map(|phase| (phase, version))
                .map_err(|_| StoreError::Corrupt(format!("phase {phase:?}")))
        })
        .transpose()
    }

    /// Owner and service of a job.
    pub async fn owner(&self, id: JobId) -> Result<Option<(String, String)>, StoreError> {
        Ok(job::Entity::find_by_id(id.0)
            .select_only()
            .columns([job::Column::Owner, job::Column::Service])
            .into_tuple()
            .one(&self.reader())
            .await?)
    }

    /// Versions of these jobs, for those that are there.
    pub async fn versions(&self, ids: &[JobId]) -> Result<Vec<(JobId, i64)>, StoreError> {
        let rows = self.select(VERSIONS, [to_json(&ids)?.into()]).await?;
        rows.iter()
            .map(|row| Ok((job_id(row)?, row.try_get_by("version")?)))
            .collect()
    }

    /// How these jobs stand, for those that are there, and the newest `each` of each of these owners.
    pub async fn standing(
        &self,
        ids: &[JobId],
        owners: &[String],
        each: u64,
    ) -> Result<Vec<Standing>, StoreError> {
        let values: [Value; 3] = [
            to_json(&ids)?.into(),
            to_json(&owners)?.into(),
            natural(each).into(),
        ];
        let rows = self.select(STANDING, values).await?;
        rows.iter()
            .map(|row| {
                let phase: String = row.try_get_by("phase")?;
                Ok(Standing {
                    id: job_id(row)?,
                    owner: row.try_get_by("owner")?,
                    phase: phase
                        .parse()
                        .map_err(|_| StoreError::Corrupt(format!("phase {phase:?}")))?,
                    version: row.try_get_by("version")?,
                })
            })
            .collect()
    }

    /// Summaries of these jobs, for those that are there.
    pub async fn summaries(&self, ids: &[JobId]) -> Result<Vec<JobSummary>, StoreError> {
        let mut summaries = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(500) {
            let rows = job::Entity::find()
                .filter(job::Column::Id.is_in(chunk.iter().map(|id| id.0)))
                .into_partial_model::<job::Summary>()
                .all(&self.reader())
                .await?;
            for row in rows {
                summaries.push(row.into_summary()?);
            }
        }
        Ok(summaries)
    }

    /// One page of the jobs that `filter` means, newest first; `before` is the last entry of the page before.
    pub async fn list(
        &self,
        filter: &Filter,
        before: Option<(Timestamp, JobId)>,
        limit: u64,
    ) -> Result<Vec<JobSummary>, StoreError> {
        let mut query = job::Entity::find()
            .filter(self.condition(filter))
            .order_by(job::Column::CreationTime, Order::Desc)
            .order_by(job::Column::Id, Order::Desc)
            .limit(limit);
        if let Some((time, id)) = before {
            // A row value, so that the index is entered where the page begins.
            let place = [Expr::col(job::Column::CreationTime), Expr::col(job::Column::Id)];
            query = query.filter(Expr::tuple(place).lt(Expr::tuple([time.millis().into(), id.0.into()])));
        }
        query
            .into_partial_model::<job::Summary>()
            .all(&self.reader())
            .await?
            .into_iter()
            .map(job::Summary::into_summary)
            .collect()
    }

    /// All that `filter` means, newest first, up to `last` of them.
    pub async fn refs(&self, filter: &Filter, last: Option<u64>) -> Result<Vec<JobRef>, StoreError> {
        let mut refs: Vec<JobRef> = Vec::new();
        let last = last.unwrap_or(u64::MAX);
        loop {
            let before = refs.last().map(|job| (job.creation_time, job.id));
            let wanted = Ord::min(LIST_CHUNK, last - refs.len() as u64);
            let page = self.list(filter, before, wanted).await?;
            let ended = (page.len() as u64) < wanted;
            refs.extend(page.into_iter().map(|summary| summary.job));
            if ended || refs.len() as u64 >= last {
                return Ok(refs);
            }
        }
    }

    /// How many jobs stand in each phase.
    pub async fn counts(&self, filter: &Filter) -> Result<BTreeMap<Phase, u64>, StoreError> {
        let rows: Vec<(String, i64)> = job::Entity::find()
            .select_only()
            .column(job::Column::Phase)
            .column_as(job::Column::Id.count(), "jobs")
            .filter(self.condition(filter))
            .group_by(job::Column::Phase)
            .into_tuple()
            .all(&self.reader())
            .await?;
        rows.into_iter()
            .map(|(phase, count)| {
                let phase = phase
                    .parse()
                    .map_err(|_| StoreError::Corrupt(format!("phase {phase:?}")))?;
                Ok((phase, count as u64))
            })
            .collect()
    }

    fn condition(&self, filter: &Filter) -> Condition {
        let mut all = Condition::all();
        if let Some(owner) = &filter.owner {
            all = all.add(job::Column::Owner.eq(storable(owner).into_owned()));
        }
        if !filter.services.is_empty() {
            let services = filter
                .services
                .iter()
                .map(|service| storable(service).into_owned());
            all = all.add(job::Column::Service.is_in(services));
        }
        if !filter.phases.is_empty() {
            all = all.add(job::Column::Phase.is_in(filter.phases.iter().map(|phase| phase.as_str())));
        }
        if let Some(label) = &filter.label {
            all = all.add(job::Column::RunId.eq(storable(label).into_owned()));
        }
        if let Some(after) = filter.after {
            all = all.add(job::Column::CreationTime.gt(after.millis()));
        }
        if let Some(before) = filter.before {
            all = all.add(job::Column::CreationTime.lt(before.millis()));
        }
        if let Some(text) = &filter.text {
            // LIKE has wildcards, a longest pattern, and a different mind about capitals in each dialect.
            let place = match self.dialect {
                Dialect::Sqlite => Func::cust("instr"),
                Dialect::Postgres => Func::cust("strpos"),
            }
            .arg(Func::lower(Expr::col(job::Column::RunId)))
            .arg(Func::lower(Expr::val(storable(text).into_owned())));
            let mut any = Condition::any().add(Expr::expr(place).gt(0));
            if let Some((low, high)) = id_range(text) {
                any = any.add(job::Column::Id.between(low, high));
            }
            all = all.add(any);
        }
        all
    }

    /// Changes a job. `None` if it is not there, is in a phase that forbids it, or is no longer as it was read.
    pub async fn edit(&self, id: JobId, edit: Edit) -> Result<Option<Job>, StoreError> {
        let ended = Phase::ALL.into_iter().filter(|phase| phase.is_terminal());
        let mut query = job::Entity::update_many().filter(job::Column::Id.eq(id.0));
        query = query.col_expr(job::Column::Version, Expr::col(job::Column::Version).add(1));
        query = match edit {
            Edit::Description {
                version,
                parameters,
                quote,
                run_id,
            } => {
                if let Some(run_id) = run_id {
                    query = query.col_expr(job::Column::RunId, label(run_id.as_deref()));
                }
                query
                    .col_expr(job::Column::Parameters, Expr::value(to_json(&parameters)?))
                    .col_expr(
                        job::Column::UploadBytes,
                        Expr::value(natural(parameters.upload_bytes())),
                    )
                    .col_expr(job::Column::Quote, Expr::value(quote.map(Timestamp::millis)))
                    .filter(job::Column::Phase.eq(Phase::Pending.as_str()))
                    .filter(job::Column::Version.eq(version))
            }
            Edit::ExecutionDuration(seconds) => query
                .col_expr(job::Column::ExecutionDuration, Expr::value(i64::from(seconds)))
                .filter(job::Column::Phase.is_not_in(ended.map(Phase::as_str))),
            Edit::Destruction(time) => query.col_expr(job::Column::Destruction, Expr::value(time.millis())),
            Edit::RunId(run_id) => query.col_expr(job::Column::RunId, label(run_id.as_deref())),
        };
        if query.exec(&self.writer()).await?.rows_affected == 0 {
            return Ok(None);
        }
        match job::Entity::find_by_id(id.0).one(&self.writer()).await? {
            Some(row) => Ok(Some(self.with_results(row).await?)),
            None => Ok(None),
        }
    }

    /// Moves a job to ABORTED, whoever runs it: a runner's later writes are refused. `None` where the transition
    /// table has no such step.
    pub async fn abort(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        match self.rows(ABORT, [id.0.into()]).await?.first() {
            Some(row) => Ok(Some(self.with_results(job::Model::of(row)?).await?)),
            None => Ok(None),
        }
    }

    /// Destroys a job: its row, results and log go, a tombstone stays. `None` if it is not there.
    pub async fn destroy(&self, id: JobId) -> Result<Option<Tombstone>, StoreError> {
        let rows = match self.dialect {
            Dialect::Postgres => self.rows(DESTROY, [id.0.into()]).await?,
            Dialect::Sqlite => {
                let transaction = self.begin().await?;
                let rows = transaction
                    .query_all_raw(self.statement(DESTROY, [id.0.into()]))
                    .await?;
                job::Entity::delete_by_id(id.0).exec(&transaction).await?;
                transaction.commit().await?;
                rows
            }
        };
        rows.first().map(tombstone).transpose()
    }

    /// The tombstone of a destroyed job.
    pub async fn destroyed(&self, id: JobId) -> Result<Option<Tombstone>, StoreError> {
        const SELECT: Sql = Sql::both("SELECT id, service, owner, at FROM job_destroyed WHERE id = $1");
        let rows = self.select(SELECT, [id.0.into()]).await?;
        rows.first().map(tombstone).transpose()
    }

    /// Every visible result of a job, in the order produced.
    pub async fn results(&self, id: JobId) -> Result<Vec<StoredResult>, StoreError> {
        const SELECT: Sql = Sql::both(
            "SELECT {job_result} FROM job_result JOIN job j ON j.id = job_result.job AND j.fence = job_result.fence \
             WHERE job_result.job = $1 ORDER BY job_result.position",
        );
        let rows = self.select(SELECT, [id.0.into()]).await?;
        rows.iter().map(stored_result).collect()
    }

    /// Name, size and media type of every visible result of a job, in the order produced.
    pub async fn list_results(&self, id: JobId) -> Result<Vec<ResultRef>, StoreError> {
        const SELECT: Sql = Sql::both(
            "SELECT r.name, r.size, r.media_type FROM job_result r \
             JOIN job j ON j.id = r.job AND j.fence = r.fence WHERE r.job = $1 ORDER BY r.position",
        );
        let rows = self.select(SELECT, [id.0.into()]).await?;
        let listed = rows.iter().map(|row| {
            Ok(ResultRef {
                id: row.try_get_by("name")?,
                size: row.try_get_by::<i64, _>("size")? as u64,
                mime_type: row.try_get_by("media_type")?,
            })
        });
        listed.collect()
    }

    /// One visible result of a job.
    pub async fn result(&self, id: JobId, name: &str) -> Result<Option<StoredResult>, StoreError> {
        const SELECT: Sql = Sql::both(
            "SELECT {job_result} FROM job_result JOIN job j ON j.id = job_result.job AND j.fence = job_result.fence \
             WHERE job_result.job = $1 AND job_result.name = $2",
        );
        let rows = self
            .select(SELECT, [id.0.into(), storable(name).as_ref().into()])
            .await?;
        rows.first().map(stored_result).transpose()
    }

    /// The newest result of an owner's completed jobs that was made by a recipe with each of these digests, in no order.
    pub async fn made_by(&self, owner: &str, digests: &[String]) -> Result<Vec<StoredResult>, StoreError> {
        const SELECT: Sql = Sql {
            postgres: "SELECT DISTINCT ON (job_result.recipe) {job_result} FROM job_result \
                       JOIN job j ON j.id = job_result.job AND j.fence = job_result.fence \
                       WHERE job_result.recipe = ANY (ARRAY(SELECT jsonb_array_elements_text($2::jsonb))) \
                       AND j.owner = $1 AND j.phase = 'COMPLETED' ORDER BY job_result.recipe, job_result.job DESC",
            // The other columns are those of the row with the greatest job.
            sqlite: "SELECT {job_result}, max(job_result.job) FROM job_result \
                     JOIN job j ON j.id = job_result.job AND j.fence = job_result.fence \
                     WHERE job_result.recipe IN (SELECT value FROM json_each($2)) AND job_result.recipe IS NOT NULL \
                     AND j.owner = $1 AND j.phase = 'COMPLETED' GROUP BY job_result.recipe",
        };
        let rows = self
            .select(
                SELECT,
                [storable(owner).as_ref().into(), to_json(&digests)?.into()],
            )
            .await?;
        rows.iter().map(stored_result).collect()
    }

    /// Up to `limit` lines of a job's log after the line numbered `after` (0: from the start).
    pub async fn log(&self, id: JobId, after: u64, limit: u64) -> Result<Vec<LogLine>, StoreError> {
        const SELECT: Sql = Sql::both(
            "SELECT sequence, at, line FROM job_log WHERE job = $1 AND sequence > $2 ORDER BY sequence LIMIT $3",
        );
        let (after, limit) = (natural(after), natural(limit));
        let rows = self
            .select(SELECT, [id.0.into(), after.into(), limit.into()])
            .await?;
        rows.iter()
            .map(|row| {
                Ok(LogLine {
                    sequence: row.try_get_by::<i64, _>("sequence")? as u64,
                    at: time(row.try_get_by("at")?)?,
                    line: row.try_get_by("line")?,
                })
            })
            .collect()
    }
}

/// A label as it is stored.
fn label(run_id: Option<&str>) -> Expr {
    Expr::value(run_id.map(storable).map(Cow::into_owned))
}

fn stored_result(row: &QueryResult) -> Result<StoredResult, StoreError> {
    let row = job_result::Model::from_query_result(row, "")?;
    Ok(StoredResult {
        name: row.name,
        media_type: row.media_type,
        size: row.size as u64,
        sha256: row.sha256,
        object: row.object,
        principal: row.principal,
        recipe: row
            .recipe
            .zip(row.facts)
            .map(|(digest, facts)| Recipe { digest, facts }),
    })
}

fn tombstone(row: &QueryResult) -> Result<Tombstone, StoreError> {
    Ok(Tombstone {
        id: JobId(row.try_get_by("id")?),
        service: row.try_get_by("service")?,
        owner: row.try_get_by("owner")?,
        at: time(row.try_get_by("at")?)?,
    })
}

/// The ids that begin with this text, as the least and greatest of them.
fn id_range(text: &str) -> Option<(Uuid, Uuid)> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    if digits.is_empty() || digits.len() > 32 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let low = u128::from_str_radix(&format!("{digits:0<32}"), 16).ok()?;
    let high = u128::from_str_radix(&format!("{digits:f<32}"), 16).ok()?;
    Some((Uuid::from_u128(low), Uuid::from_u128(high)))
}
