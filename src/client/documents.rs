//! What the server answers, as JSON.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::uws::{JobId, Phase, Timestamp};

/// A job: UWS 1.1's `job` document in JSON (names in camelCase, absent = null).
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Identifier.
    pub job_id: JobId,
    /// The client's label.
    pub run_id: Option<String>,
    /// Public name of its owner.
    pub owner_id: Option<String>,
    /// Where it stands.
    pub phase: Phase,
    /// When it was created.
    pub creation_time: Option<Timestamp>,
    /// When it began to run.
    pub start_time: Option<Timestamp>,
    /// When it ended.
    pub end_time: Option<Timestamp>,
    /// When it will be removed.
    pub destruction: Option<Timestamp>,
    /// The job description.
    #[serde(default)]
    pub parameters: Vec<Parameter>,
    /// What it has produced; while it runs, past 1,000 files the manifests only.
    #[serde(default)]
    pub results: Vec<ResultRef>,
    /// Why it failed.
    pub error_summary: Option<ErrorSummary>,
    /// Progress and place in the queue.
    pub job_info: Option<JobInfo>,
    /// The document as it came.
    #[serde(skip)]
    pub document: serde_json::Value,
}

/// The dashboard of a product of documentation.
#[derive(Debug, Clone, Deserialize)]
pub struct Dashboard {
    /// Name of its LTD Keeper.
    pub keeper: String,
    /// Its slug.
    pub product: String,
    /// Whether its Keeper knows it no more.
    #[serde(default)]
    pub missing: bool,
}

/// A parameter of a job.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Parameter {
    /// Name, in capitals.
    pub id: String,
    /// Value, or the URL of it.
    pub value: String,
    /// Whether the value is a URL to it.
    #[serde(default)]
    pub by_reference: bool,
}

/// A result of a job.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResultRef {
    /// Name, unique within the job.
    pub id: String,
    /// Size in bytes.
    pub size: Option<u64>,
    /// Media type.
    pub mime_type: Option<String>,
}

/// Why a job failed.
#[derive(Debug, Clone, Deserialize)]
pub struct ErrorSummary {
    /// One sentence.
    pub message: String,
}

/// What Sidereal adds to a job.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JobInfo {
    /// Units of work done.
    pub progress_done: Option<u64>,
    /// Units of work in all.
    pub progress_total: Option<u64>,
    /// What has failed of it, as the service counts; none if it has not told.
    pub progress_failed: Option<u64>,
    /// What is being done.
    pub progress_note: Option<String>,
    /// Jobs before it in the queue, plus one.
    pub queue_position: Option<u64>,
}

/// A page of `/api/v1/jobs`.
#[derive(Debug, Clone, Deserialize)]
pub struct Page {
    /// Jobs, newest first.
    pub items: Vec<JobSummary>,
    /// Where the next page begins; none on the last.
    pub next: Option<String>,
}

/// A job in a list.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobSummary {
    /// Identifier.
    pub id: JobId,
    /// Name of its service.
    pub service: String,
    /// Where it stands.
    pub phase: Phase,
    /// The client's label.
    pub run_id: Option<String>,
    /// Public name of its owner.
    pub owner_id: Option<String>,
    /// When it was created.
    pub creation_time: Timestamp,
    /// What has failed of its work, as the service counts; none if it has not told.
    pub progress_failed: Option<u64>,
    /// What else the server says of it.
    #[serde(flatten)]
    pub more: serde_json::Map<String, serde_json::Value>,
}

/// What is listed of `/api/v1/jobs`; empty means all.
#[derive(Debug, Clone, Default)]
pub struct JobFilter {
    /// Names of services.
    pub services: Vec<String>,
    /// Phases.
    pub phases: Vec<Phase>,
    /// The whole label (runId).
    pub label: Option<String>,
    /// Created after this.
    pub after: Option<Timestamp>,
    /// Created before this.
    pub before: Option<Timestamp>,
    /// A part of the label, or the beginning of the identifier.
    pub q: Option<String>,
}

/// The part of a cutout's `manifest.json` that names and proves its files.
#[derive(Debug, Clone, Deserialize)]
pub struct Manifest {
    /// One a (position, image).
    pub rows: Vec<ManifestRow>,
}

/// A row of a manifest.
#[derive(Debug, Clone, Deserialize)]
pub struct ManifestRow {
    /// Name of the cutout, if there is one.
    pub file: Option<String>,
    /// Its size in bytes.
    pub size: Option<u64>,
    /// Its SHA-256 in hexadecimal.
    pub sha256: Option<String>,
}

/// Where people sign in.
#[derive(Debug, Clone, Deserialize)]
pub struct Provider {
    /// `local` (everyone is one user) or `oidc`.
    pub mode: String,
    /// The issuer of access tokens.
    pub issuer: Option<Url>,
    /// Its public client for the command line.
    pub client: Option<String>,
}

/// Who the server takes the caller for.
#[derive(Debug, Clone, Deserialize)]
pub struct Me {
    /// Public name.
    pub name: String,
    /// Roles held.
    pub roles: Vec<String>,
    /// By what the caller is known: `local`, `session`, `provider` (its access token) or `token` (an API token).
    pub by: Option<String>,
    /// When that ends.
    pub until: Option<Timestamp>,
    /// The document as it came.
    #[serde(skip)]
    pub document: serde_json::Value,
}
