//! Shapes of the JSON that goes in and out, for the OpenAPI document. What goes out is written by `uws::json` and by the
//! handlers; a test holds it against these shapes.

#![expect(clippy::struct_field_names, reason = "the names are the standard's")]

use poem_openapi::{Enum, Object};

/// A phase of UWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "UPPERCASE")]
pub enum Phase {
    /// Accepted, not yet committed for execution.
    Pending,
    /// Waiting for a free slot.
    Queued,
    /// Running.
    Executing,
    /// Ended well.
    Completed,
    /// Failed.
    Error,
    /// Stopped.
    Aborted,
    /// The state cannot be told at present.
    Unknown,
    /// Held back: needs another RUN.
    Held,
    /// Paused by the server.
    Suspended,
    /// Past its destruction time.
    Archived,
}

/// A job: UWS's `job` document.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct Job {
    /// Last segment of the job's URL.
    pub job_id: String,
    /// The client's label.
    pub run_id: Option<String>,
    /// Name of its owner.
    pub owner_id: Option<String>,
    /// Where it stands.
    pub phase: Phase,
    /// When it is expected to end.
    pub quote: Option<String>,
    /// When it was created.
    pub creation_time: String,
    /// When it last entered EXECUTING.
    pub start_time: Option<String>,
    /// When it ended.
    pub end_time: Option<String>,
    /// Longest run in seconds; 0 is unlimited.
    pub execution_duration: u64,
    /// When it will be removed.
    pub destruction: Option<String>,
    /// The job description.
    pub parameters: Vec<Parameter>,
    /// What it has produced.
    pub results: Vec<ResultRef>,
    /// Why it failed.
    pub error_summary: Option<ErrorSummary>,
    /// Progress and place in the queue.
    pub job_info: JobInfo,
}

/// A job as `/api/v1/jobs/{id}` gives it.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct ServiceJob {
    /// Name of its service.
    pub service: String,
    /// URL of the job under UWS.
    pub href: String,
    /// The job.
    #[oai(flatten)]
    pub job: Job,
}

/// A job as a share link shows it.
#[derive(Debug, Object)]
pub struct SharedJob {
    /// Name of its service.
    pub service: String,
    /// When the link ends.
    pub expires: String,
    /// The job.
    #[oai(flatten)]
    pub job: Job,
}

/// A parameter of a job.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct Parameter {
    /// Name, in capitals.
    pub id: String,
    /// Value, or the URL of it.
    pub value: String,
    /// Whether `value` is a URL.
    pub by_reference: bool,
}

/// A result of a job.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct ResultRef {
    /// Name, unique within the job.
    pub id: String,
    /// URL of it.
    pub href: String,
    /// Size in bytes.
    pub size: u64,
    /// Media type.
    pub mime_type: String,
}

/// Why a job failed.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct ErrorSummary {
    /// `transient` or `fatal`.
    #[oai(rename = "type")]
    pub kind: String,
    /// Whether the job's `error` has more than the message.
    pub has_detail: bool,
    /// One sentence.
    pub message: String,
}

/// What Sidereal adds to a job.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct JobInfo {
    /// Units of work done.
    pub progress_done: Option<u64>,
    /// Units of work in all.
    pub progress_total: Option<u64>,
    /// What has failed of it, as the service counts: of a cutout job rows of its manifest (`counts.failed`; a position
    /// on no image is one too, so that it may be more than `progressDone`), of a dashboard job products. Null: not told.
    pub progress_failed: Option<u64>,
    /// What is being done.
    pub progress_note: Option<String>,
    /// Jobs before it in the queue, plus one.
    pub queue_position: Option<u64>,
}

/// UWS's list of jobs.
#[derive(Debug, Object)]
pub struct JobList {
    /// The jobs, newest first.
    pub jobs: Vec<JobRef>,
}

/// A job in UWS's list.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct JobRef {
    /// Identifier.
    pub id: String,
    /// URL of the job.
    pub href: String,
    /// Where it stands.
    pub phase: Phase,
    /// The client's label.
    pub run_id: Option<String>,
    /// Name of its owner.
    pub owner_id: Option<String>,
    /// When it was created.
    pub creation_time: String,
}

/// The parameters of a job.
#[derive(Debug, Object)]
pub struct ParameterList {
    /// In the order given.
    pub parameters: Vec<Parameter>,
}

/// The results of a job.
#[derive(Debug, Object)]
pub struct ResultList {
    /// All of them.
    pub results: Vec<ResultRef>,
}

/// A page of jobs of all services.
#[derive(Debug, Object)]
pub struct JobPage {
    /// The jobs, newest first.
    pub items: Vec<JobSummary>,
    /// The `cursor` of the next page; null on the last one.
    pub next: Option<String>,
}

/// A job in a page, or in an event.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct JobSummary {
    /// Identifier.
    pub id: String,
    /// Name of its service.
    pub service: String,
    /// URL of the job under UWS.
    pub href: String,
    /// Where it stands.
    pub phase: Phase,
    /// The client's label.
    pub run_id: Option<String>,
    /// Name of its owner.
    pub owner_id: Option<String>,
    /// When it was created.
    pub creation_time: String,
    /// When it last entered EXECUTING.
    pub start_time: Option<String>,
    /// When it ended.
    pub end_time: Option<String>,
    /// When it will be removed.
    pub destruction: Option<String>,
    /// Units of work done.
    pub progress_done: Option<u64>,
    /// Units of work in all.
    pub progress_total: Option<u64>,
    /// What has failed of it, as the service counts: of a cutout job rows of its manifest (`counts.failed`; a position
    /// on no image is one too, so that it may be more than `progressDone`), of a dashboard job products. Null: not told.
    pub progress_failed: Option<u64>,
    /// What is being done.
    pub progress_note: Option<String>,
    /// How many results it has.
    pub results: u64,
    /// Why it failed.
    pub error: Option<String>,
    /// Rises with each change that a client can see.
    pub version: i64,
}

/// How many jobs stand in each phase; all ten are there.
#[derive(Debug, Object)]
pub struct JobCounts {
    /// By phase.
    pub phases: std::collections::BTreeMap<String, u64>,
    /// In all.
    pub total: u64,
}

/// A job to be made.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewJob {
    /// Name of the service.
    pub service: String,
    /// Parameters: a name and a value, or an array of values. Numbers and booleans are taken as their text.
    #[oai(default)]
    pub parameters: std::collections::BTreeMap<String, poem_openapi::types::Any<serde_json::Value>>,
    /// The client's label, at most 64 characters.
    pub run_id: Option<String>,
    /// Whether to run it at once.
    #[oai(default)]
    pub run: bool,
    /// Longest run in seconds.
    pub execution_duration: Option<i64>,
    /// When to remove it.
    pub destruction: Option<String>,
}

/// What may be changed in a job.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct JobChange {
    /// The client's label; null for none.
    pub run_id: poem_openapi::types::MaybeUndefined<String>,
}

/// An act upon many jobs: `ids` or `filter`, not both.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bulk {
    /// What to do.
    pub action: BulkAction,
    /// Identifiers of jobs, at most 10,000.
    pub ids: Option<Vec<String>>,
    /// All jobs that match, at most 10,000 at once.
    pub filter: Option<BulkFilter>,
}

/// What to do with many jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "lowercase")]
pub enum BulkAction {
    /// Abort those that have not ended.
    Abort,
    /// Destroy.
    Delete,
}

/// Which jobs; all that is given must match.
#[derive(Debug, Default, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct BulkFilter {
    /// Names of services; empty means all.
    #[oai(default)]
    pub service: Vec<String>,
    /// Phases; empty means all.
    #[oai(default)]
    pub phase: Vec<Phase>,
    /// The whole label.
    pub label: Option<String>,
    /// Created after.
    pub after: Option<String>,
    /// Created before.
    pub before: Option<String>,
    /// A part of the label, or the beginning of the identifier.
    pub q: Option<String>,
}

/// How an act upon many jobs went.
#[derive(Debug, Object)]
pub struct BulkReport {
    /// Jobs for which it was done.
    pub done: u64,
    /// Jobs for which it was not.
    pub failed: u64,
    /// One for each job.
    pub items: Vec<BulkItem>,
}

/// How an act upon one of many jobs went.
#[derive(Debug, Object)]
pub struct BulkItem {
    /// Identifier of the job.
    pub id: String,
    /// Why it was not done; null if it was.
    pub error: Option<String>,
}

/// The services of this server.
#[derive(Debug, Object)]
pub struct ServiceList {
    /// In the order of the settings.
    pub services: Vec<Service>,
}

/// A service: what a form for it needs.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct Service {
    /// The `{service}` of its URLs.
    pub name: String,
    /// A few words.
    pub title: String,
    /// A paragraph.
    pub summary: String,
    /// Its parameters, in the order a form shows them.
    pub parameters: Vec<ParameterInfo>,
    /// Whether other parameters are taken too.
    pub any_parameter: bool,
    /// Values of RESPONSEFORMAT, media types and their short forms; empty: not looked at.
    pub formats: Vec<String>,
    /// Whether a job whose worker was lost may be run again.
    pub retryable: bool,
    /// Longest run by default, in seconds.
    pub execution_duration: u64,
    /// Longest run that can be asked for, in seconds.
    pub max_execution_duration: u64,
    /// How long a job is kept by default, in seconds.
    pub retention: u64,
    /// How long from now it can be asked to be kept, in seconds.
    pub max_retention: u64,
}

/// A parameter of a service.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct ParameterInfo {
    /// Name, in capitals.
    pub name: String,
    /// IVOA unified content descriptor.
    pub ucd: Option<String>,
    /// Unit of the value.
    pub unit: Option<String>,
    /// What a value is.
    pub kind: ParameterKind,
    /// Whether it must be given before the job can run.
    pub required: bool,
    /// Whether it may be given more than once.
    pub repeatable: bool,
    /// Value when it is not given.
    pub default: Option<String>,
    /// Meaning, for people.
    pub meaning: String,
}

/// What the value of a parameter is.
#[derive(Debug, Object)]
pub struct ParameterKind {
    /// `text`, `real` (with `min` and `max`), `choice` (with `options`) or `file`.
    #[oai(rename = "type")]
    pub kind: String,
    /// Least value.
    #[oai(skip_serializing_if_is_none)]
    pub min: Option<f64>,
    /// Greatest value.
    #[oai(skip_serializing_if_is_none)]
    pub max: Option<f64>,
    /// The words.
    #[oai(skip_serializing_if_is_none)]
    pub options: Option<Vec<String>>,
}

/// The caller.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct Me {
    /// Public name, the owner of its jobs.
    pub name: String,
    /// Roles held: `user`, `operator`, `admin`.
    pub roles: Vec<String>,
    /// By what the caller is known: `local`, `session`, `provider` (its access token) or `token` (an API token).
    pub by: String,
    /// When that ends: the token, or the session at the latest, which ends sooner when it is not used. Null in mode
    /// `local`.
    pub until: Option<String>,
    /// What the caller may have at once.
    pub limits: Limits,
    /// What the caller has now.
    pub usage: Usage,
    /// Largest request body in bytes.
    pub max_body: u64,
}

/// What one person may have at once; null is any number.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct Limits {
    /// Jobs in EXECUTING.
    pub running: Option<u64>,
    /// Jobs in QUEUED or HELD.
    pub queued: Option<u64>,
    /// Jobs in PENDING.
    pub pending: Option<u64>,
    /// Positions of one cutout job.
    pub positions: Option<u64>,
    /// Bytes of stored results and files.
    pub stored_bytes: Option<u64>,
    /// Requests, each second.
    pub requests_per_second: Option<u64>,
}

/// What one person has now.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct Usage {
    /// Jobs in EXECUTING.
    pub running: u64,
    /// Jobs in QUEUED or HELD.
    pub queued: u64,
    /// Jobs in PENDING.
    pub pending: u64,
    /// Bytes of stored results and files.
    pub stored_bytes: u64,
}

/// Where people and programs sign in.
#[derive(Debug, Object)]
pub struct Provider {
    /// `local` (nobody signs in) or `oidc`.
    pub mode: String,
    /// Issuer of access tokens.
    pub issuer: Option<String>,
    /// Client of the command line, for the device flow (RFC 8628).
    pub client: Option<String>,
}

/// A session has ended.
#[derive(Debug, Object)]
pub struct LoggedOut {
    /// Where the browser goes next; good once.
    pub location: String,
}

/// An API token to be made.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct NewToken {
    /// What its owner calls it.
    pub name: String,
    /// One or more of `read`, `write`, `admin`.
    pub scopes: Vec<String>,
    /// When it ends, ISO 8601; at most 366 days ahead.
    pub expires: String,
}

/// An API token, without what it is known by.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct Token {
    /// Its identifier.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// `read`, `write`, `admin`.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created: String,
    /// When it ends.
    pub expires: String,
    /// When it was last shown, to the minute.
    pub last_used: Option<String>,
}

/// An API token when it is made: the only time that it is shown.
#[derive(Debug, Object)]
pub struct CreatedToken {
    /// What is sent as `Authorization: Bearer`.
    pub token: String,
    /// The rest.
    #[oai(flatten)]
    pub of: Token,
}

/// API tokens.
#[derive(Debug, Object)]
pub struct TokenList {
    /// Newest first.
    pub items: Vec<Token>,
}

/// A share link to be made.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct NewShare {
    /// When it ends, ISO 8601; the job's destruction ends it too.
    pub expires: String,
}

/// A share link when it is made: the only time that it is shown.
#[derive(Debug, Object)]
pub struct CreatedShare {
    /// Its identifier.
    pub id: String,
    /// The link: whoever has it can read the job and its results.
    pub url: String,
    /// When it ends.
    pub expires: String,
}

/// A share link, without its secret.
#[derive(Debug, Object)]
pub struct Share {
    /// Its identifier.
    pub id: String,
    /// When it was made.
    pub created: String,
    /// When it ends.
    pub expires: String,
}

/// Share links.
#[derive(Debug, Object)]
pub struct ShareList {
    /// Newest first.
    pub items: Vec<Share>,
}

/// The queue and who works on it.
#[derive(Debug, Object)]
pub struct Queue {
    /// The work of each service; all that are served are there.
    pub services: Vec<QueueDepth>,
    /// The workers that live, the longest known first.
    pub workers: Vec<Worker>,
}

/// The work of one service.
#[derive(Debug, Object)]
pub struct QueueDepth {
    /// Name of the service.
    pub service: String,
    /// Jobs in QUEUED.
    pub queued: u64,
    /// Jobs in HELD.
    pub held: u64,
    /// Jobs in EXECUTING or SUSPENDED.
    pub running: u64,
    /// When the oldest job in QUEUED was created; null if none is.
    pub oldest: Option<String>,
}

/// A server that runs jobs.
#[derive(Debug, Object)]
pub struct Worker {
    /// Its identifier, another one at each start.
    pub id: String,
    /// The machine, and the process there.
    pub host: String,
    /// When it began.
    pub started: String,
    /// When it last said that it lives.
    pub seen: String,
    /// Jobs that it runs at once; null if it has not told.
    pub slots: Option<u64>,
    /// Whether it takes no more jobs.
    pub draining: bool,
    /// Jobs that it runs now.
    pub running: u64,
}

/// A person of this server.
#[derive(Debug, Object)]
pub struct User {
    /// Public name, the owner of its jobs.
    pub name: String,
    /// Highest role, as the provider said last.
    pub role: String,
    /// Whether the provider has disabled the account.
    pub disabled: bool,
    /// When the person was first seen.
    pub created: String,
    /// When the person was last seen, to the hour.
    pub seen: String,
    /// What the person may have at once.
    pub limits: Limits,
}

/// People.
#[derive(Debug, Object)]
pub struct UserList {
    /// By name.
    pub items: Vec<User>,
}

/// What a person may have at once: what is left out stays, null is as the settings say, 0 is any number.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct UserChange {
    /// Jobs in EXECUTING.
    pub running: poem_openapi::types::MaybeUndefined<u64>,
    /// Jobs in QUEUED or HELD.
    pub queued: poem_openapi::types::MaybeUndefined<u64>,
    /// Jobs in PENDING.
    pub pending: poem_openapi::types::MaybeUndefined<u64>,
    /// Positions of one cutout job.
    pub positions: poem_openapi::types::MaybeUndefined<u64>,
    /// Bytes of stored results and files.
    pub stored_bytes: poem_openapi::types::MaybeUndefined<u64>,
    /// Requests, each second.
    pub requests_per_second: poem_openapi::types::MaybeUndefined<u64>,
}

/// What was taken from a person.
#[derive(Debug, Object)]
pub struct Ended {
    /// Sessions of browsers.
    pub sessions: u64,
    /// API tokens.
    pub tokens: u64,
}

/// What was done.
#[derive(Debug, Object)]
pub struct AuditEntry {
    /// Its number.
    pub id: i64,
    /// When.
    pub at: String,
    /// Who did it, if that is known.
    pub actor: Option<String>,
    /// What.
    pub action: String,
    /// To what.
    pub subject: String,
    /// More of it.
    pub detail: String,
    /// From which address.
    pub address: Option<String>,
}

/// The record of what was done.
#[derive(Debug, Object)]
pub struct AuditList {
    /// Newest first.
    pub items: Vec<AuditEntry>,
}

/// What went wrong (RFC 9457).
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct Problem {
    /// `about:blank`.
    #[oai(rename = "type")]
    pub kind: String,
    /// Phrase of the status.
    pub title: String,
    /// Status.
    pub status: u16,
    /// What went wrong, for people.
    pub detail: String,
    /// SODA's label of the error: `UsageError` with 403 if the job's phase forbids what was asked for.
    pub label: String,
    /// Identifier of the request, for whoever reads the server's log.
    pub request_id: String,
    /// Faults of single parameters.
    pub errors: Option<Vec<Fault>>,
    /// When the job was destroyed, with 410.
    pub destroyed: Option<String>,
}

/// A fault of a parameter.
#[derive(Debug, Object)]
pub struct Fault {
    /// Name of the parameter.
    pub parameter: String,
    /// What is wrong and what was expected.
    pub message: String,
}
