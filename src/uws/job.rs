//! A job as its owner sees it (UWS 1.1 sections 2.1.1 to 2.1.13).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Parameters, Phase, Timestamp};

/// Identifier of a job: a UUIDv7, so that ids sort by creation; written in lower case with hyphens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct JobId(pub Uuid);

impl JobId {
    /// A fresh identifier.
    #[expect(clippy::new_without_default, reason = "each call gives another value")]
    pub fn new() -> Self {
        JobId(Uuid::now_v7())
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for JobId {
    type Err = NotAJobId;

    /// Only the hyphenated form: it is the last segment of the job's URL.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != 36 {
            return Err(NotAJobId);
        }
        text.parse().map(JobId).map_err(|_| NotAJobId)
    }
}

/// A text that cannot be the identifier of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the identifier of a job (expected a UUID)")]
pub struct NotAJobId;

/// The whole of a job, as in the `uws:job` document.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Last segment of the job's URL.
    pub id: JobId,
    /// Name of the service that runs it, the `{service}` of its URL.
    pub service: String,
    /// The client's own label, returned as given; at most 64 characters (DALI).
    pub run_id: Option<String>,
    /// Public name of who created it; `None` when anonymous.
    pub owner: Option<String>,
    /// Where it stands.
    pub phase: Phase,
    /// When it is expected to end.
    pub quote: Option<Timestamp>,
    /// When it was created.
    pub creation_time: Timestamp,
    /// When it last entered EXECUTING.
    pub start_time: Option<Timestamp>,
    /// When it ended.
    pub end_time: Option<Timestamp>,
    /// Longest run in seconds; 0 is unlimited.
    pub execution_duration: u32,
    /// When job and results will be removed.
    pub destruction: Option<Timestamp>,
    /// The job description.
    pub parameters: Parameters,
    /// What it has produced so far.
    pub results: Vec<ResultRef>,
    /// Why it failed; only in ERROR (and ABORTED by the execution duration).
    pub error: Option<ErrorSummary>,
    /// Progress and place in the queue.
    pub info: JobInfo,
}

/// A job as an entry of the job list (`uws:jobref`).
#[derive(Debug, Clone, PartialEq)]
pub struct JobRef {
    /// Identifier.
    pub id: JobId,
    /// Name of its service.
    pub service: String,
    /// Phase.
    pub phase: Phase,
    /// The client's label.
    pub run_id: Option<String>,
    /// Public name of its owner.
    pub owner: Option<String>,
    /// When it was created.
    pub creation_time: Timestamp,
}

/// A result of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultRef {
    /// Name, unique within the job; last segment of its URL.
    pub id: String,
    /// Size in bytes.
    pub size: u64,
    /// Media type.
    pub mime_type: String,
}

/// Whether repeating the job may help (`@type` of `uws:errorSummary`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ErrorKind {
    /// It may work if run again.
    Transient,
    /// It would fail again.
    Fatal,
}

impl ErrorKind {
    /// The word of the standard.
    pub const fn as_str(self) -> &'static str {
        match self {
            ErrorKind::Transient => "transient",
            ErrorKind::Fatal => "fatal",
        }
    }
}

/// Why a job failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorSummary {
    /// Transient or fatal.
    pub kind: ErrorKind,
    /// One sentence for the owner.
    pub message: String,
    /// More than the message, served at `error`; its absence is `hasDetail="false"`.
    pub detail: Option<String>,
}

/// What Sidereal adds to the job document in `jobInfo` (namespace `urn:sidereal`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobInfo {
    /// Units of work done.
    pub progress_done: Option<u64>,
    /// Units of work in all.
    pub progress_total: Option<u64>,
    /// What has failed of it, as the service counts; of a cutout job rows of the manifest, some of which are of no
    /// image, so that it may be more than the units done.
    pub progress_failed: Option<u64>,
    /// What is being done, for people.
    pub progress_note: Option<String>,
    /// How many jobs stand before it in the queue, plus one; only in QUEUED.
    pub queue_position: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_only_as_it_is_written() {
        let id = JobId::new();
        assert_eq!(id.to_string().parse::<JobId>(), Ok(id));
        assert!(id.0.simple().to_string().parse::<JobId>().is_err());
        assert!(format!("{{{id}}}").parse::<JobId>().is_err());
        assert!("".parse::<JobId>().is_err());
    }

    #[test]
    fn ids_sort_by_creation() {
        let ids: Vec<JobId> = (0..100).map(|_| JobId::new()).collect();
        assert!(ids.is_sorted());
    }
}
