//! A job's row: the UWS document and its place in the queue.

use sea_orm::{FromQueryResult, QueryResult, entity::prelude::*};

use crate::{
    store::{
        JobSummary, StoreError,
        rows::{seconds, time},
    },
    uws::{ErrorKind, ErrorSummary, Job, JobId, JobInfo, JobRef, Timestamp},
};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "job")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub service: String,
    pub owner: String,
    pub run_id: Option<String>,
    pub phase: String,
    pub parameters: String,
    pub quote: Option<i64>,
    pub creation_time: i64,
    pub start_time: Option<i64>,
    pub end_time: Option<i64>,
    pub execution_duration: i64,
    pub destruction: Option<i64>,
    pub error_kind: Option<String>,
    pub error_message: Option<String>,
    pub error_detail: Option<String>,
    pub progress_done: Option<i64>,
    pub progress_total: Option<i64>,
    pub progress_failed: Option<i64>,
    pub progress_note: Option<String>,
    pub result_count: i64,
    pub version: i64,
    pub priority: i64,
    pub vtime: i64,
    pub run_after: i64,
    pub attempt: i64,
    pub max_attempts: i64,
    pub worker: Option<Uuid>,
    pub fence: i64,
    pub idempotency_key: Option<String>,
    pub fingerprint: Option<String>,
    pub upload_bytes: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The columns that make a [`Model`], in statements of our own.
pub(in crate::store) const COLUMNS: &str = "job.id, job.service, job.owner, job.run_id, job.phase, job.parameters, \
    job.quote, job.creation_time, job.start_time, job.end_time, job.execution_duration, job.destruction, \
    job.error_kind, job.error_message, job.error_detail, job.progress_done, job.progress_total, job.progress_failed, \
    job.progress_note, job.result_count, job.version, job.priority, job.vtime, job.run_after, job.attempt, \
    job.max_attempts, job.worker, job.fence, job.idempotency_key, job.fingerprint, job.upload_bytes";

fn optional_time(millis: Option<i64>) -> Result<Option<Timestamp>, StoreError> {
    millis.map(time).transpose()
}

fn natural(number: Option<i64>) -> Option<u64> {
    number.and_then(|number| u64::try_from(number).ok())
}

impl Model {
    /// The row that a statement of our own gave.
    pub(in crate::store) fn of(row: &QueryResult) -> Result<Self, StoreError> {
        Ok(Self::from_query_result(row, "")?)
    }

    /// The public document, without its results.
    pub(in crate::store) fn into_job(self) -> Result<Job, StoreError> {
        let phase = self
            .phase
            .parse()
            .map_err(|_| StoreError::Corrupt(format!("phase {:?}", self.phase)))?;
        let error = self.error_message.map(|message| ErrorSummary {
            kind: if self.error_kind.as_deref() == Some("transient") {
                ErrorKind::Transient
            } else {
                ErrorKind::Fatal
            },
            message,
            detail: self.error_detail,
        });
        Ok(Job {
            id: JobId(self.id),
            service: self.service,
            run_id: self.run_id,
            owner: Some(self.owner),
            phase,
            quote: optional_time(self.quote)?,
            creation_time: time(self.creation_time)?,
            start_time: optional_time(self.start_time)?,
            end_time: optional_time(self.end_time)?,
            execution_duration: seconds(self.execution_duration),
            destruction: optional_time(self.destruction)?,
            parameters: serde_json::from_str(&self.parameters)
                .map_err(|error| StoreError::Corrupt(format!("parameters: {error}")))?,
            results: Vec::new(),
            error,
            info: JobInfo {
                progress_done: natural(self.progress_done),
                progress_total: natural(self.progress_total),
                progress_failed: natural(self.progress_failed),
                progress_note: self.progress_note,
                queue_position: None,
            },
        })
    }
}

/// What a list tells of a job: never its parameters, which may be megabytes each.
#[derive(Debug, DerivePartialModel)]
#[sea_orm(entity = "Entity")]
pub(in crate::store) struct Summary {
    id: Uuid,
    service: String,
    owner: String,
    run_id: Option<String>,
    phase: String,
    creation_time: i64,
    start_time: Option<i64>,
    end_time: Option<i64>,
    destruction: Option<i64>,
    error_message: Option<String>,
    progress_done: Option<i64>,
    progress_total: Option<i64>,
    progress_failed: Option<i64>,
    progress_note: Option<String>,
    result_count: i64,
    version: i64,
}

impl Summary {
    /// The entry of a list.
    pub(in crate::store) fn into_summary(self) -> Result<JobSummary, StoreError> {
        let phase = self
            .phase
            .parse()
            .map_err(|_| StoreError::Corrupt(format!("phase {:?}", self.phase)))?;
        Ok(JobSummary {
            start_time: optional_time(self.start_time)?,
            end_time: optional_time(self.end_time)?,
            destruction: optional_time(self.destruction)?,
            progress_done: natural(self.progress_done),
            progress_total: natural(self.progress_total),
            progress_failed: natural(self.progress_failed),
            progress_note: self.progress_note,
            results: natural(Some(self.result_count)).unwrap_or(0),
            error: self.error_message,
            version: self.version,
            job: JobRef {
                id: JobId(self.id),
                service: self.service,
                phase,
                run_id: self.run_id,
                owner: Some(self.owner),
                creation_time: time(self.creation_time)?,
            },
        })
    }
}
