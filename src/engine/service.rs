//! What a job type is: the interface between the engine and the services.

use std::{fmt, time::Duration};

use bytes::Bytes;
use futures::future::BoxFuture;
use serde::Serialize;

use super::Context;
use crate::{
    auth::Caller,
    uws::{ErrorKind, Parameters, Timestamp},
};

/// A job type. Adding one is adding a folder under `services/` and one line in `app.rs`.
pub trait Service: Send + Sync + 'static {
    /// Name, parameters and limits.
    fn describe(&self) -> &Description;

    /// What it has of the Virtual Observatory beside UWS and VOSI.
    fn standards(&self) -> &'static [Standard] {
        &[]
    }

    /// Judges a job description before anything is queued. Unknown names, repetitions, and what `Description` says of
    /// types and ranges have been checked already. With `Stage::Draft` what is missing is no error yet.
    fn check<'a>(
        &'a self,
        draft: &'a Draft<'a>,
        stage: Stage,
        caller: &'a Caller,
    ) -> BoxFuture<'a, Result<Accepted, CheckError>>;

    /// Answers a request that waits, without a job; `None` if only a job can. The parameters are complete and have been
    /// checked as those of a job that is to run, but not by [`Service::check`].
    fn answer<'a>(
        &'a self,
        _draft: &'a Draft<'a>,
        _caller: &'a Caller,
    ) -> BoxFuture<'a, Result<Option<Answer>, CheckError>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// What a new job would do again of one that has ended: what has failed, as far as another run may fare better; none
    /// if that is nothing.
    fn retry<'a>(
        &'a self,
        _ended: &'a Ended<'a>,
        _caller: &'a Caller,
    ) -> BoxFuture<'a, Result<Option<Again>, CheckError>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Does the work. The phase is the engine's: returning is all that an executor says of it.
    fn execute<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<(), Failure>>;
}

/// A standard that a service follows at a URL of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standard {
    /// IVOA standard identifier.
    pub id: &'static str,
    /// Path below `/api/{service}/`.
    pub path: &'static str,
    /// How it is asked.
    pub interface: Interface,
}

/// How a standard's URL is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interface {
    /// It is a document.
    Document,
    /// By GET or POST, with parameters of the standard's.
    Query,
    /// By GET or POST, with the parameters of the service's jobs.
    Sync,
    /// By POST, with those parameters.
    Async,
}

/// What a service answers to a request that waits (DALI 1.1 section 2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// There is nothing of what was asked for.
    Nothing,
    /// This.
    File {
        /// Its name.
        name: String,
        /// Its media type.
        media_type: String,
        /// Its bytes.
        bytes: Bytes,
        /// Entity tag, with its quotes.
        etag: String,
    },
    /// It cannot be made of what there is: one sentence for the client.
    Impossible(String),
    /// What it would be made of does not answer as it should, which may pass: one sentence for the client.
    Unreachable(String),
}

/// How far a job description has come when it is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Being filled in: every POST.
    Draft,
    /// Committed for execution: PHASE=RUN.
    Run,
}

/// A job description under judgement, with access to its uploads.
pub struct Draft<'a> {
    /// The parameters, uploads among them by reference.
    pub parameters: &'a Parameters,
    /// Reads the bytes of the upload with this key (`ParameterValue::Upload::key`).
    pub read_upload: &'a (dyn Fn(&str) -> BoxFuture<'a, Result<Bytes, Unavailable>> + Send + Sync),
}

/// A job that has ended, with access to its uploads and results.
pub struct Ended<'a> {
    /// Its description.
    pub draft: Draft<'a>,
    /// Reads the result of this name; none if there is none.
    pub read_result: &'a ReadResult<'a>,
}

/// Reads a result by its name.
pub type ReadResult<'a> =
    dyn Fn(&str) -> BoxFuture<'a, Result<Option<Bytes>, Unavailable>> + Send + Sync + 'a;

/// The description of a job that does something again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Again {
    /// Values in text.
    pub parameters: Parameters,
    /// The parameter that is a file, if one is: name, media type, bytes.
    pub file: Option<(&'static str, &'static str, Bytes)>,
}

/// The backing store did not answer; the text is for the log.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(pub String);

/// What a service says of a job description that it takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accepted {
    /// When the job would end if it started now.
    pub quote: Option<Timestamp>,
}

/// Why a job description is refused.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// Faults of the client's, each naming its parameter.
    #[error("{}", join(.0))]
    Usage(Vec<UsageError>),
    /// The database or object store did not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl From<UsageError> for CheckError {
    fn from(error: UsageError) -> Self {
        CheckError::Usage(vec![error])
    }
}

fn join(errors: &[UsageError]) -> String {
    errors
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

/// A fault in one parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UsageError {
    /// Name of the parameter, in capitals.
    pub parameter: String,
    /// What is wrong and what was expected; names the row where the value is a list.
    pub message: String,
    /// That row, from 1, if it is one alone.
    pub row: Option<usize>,
    /// Whether a single-valued parameter was repeated (SODA's `MultiValuedParamNotSupported`).
    pub multiple: bool,
}

impl UsageError {
    /// A fault in `parameter`.
    pub fn new(parameter: impl Into<String>, message: impl Into<String>) -> Self {
        UsageError {
            parameter: parameter.into(),
            message: message.into(),
            row: None,
            multiple: false,
        }
    }
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.parameter, self.message)
    }
}

/// Why an executor stopped without having done its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// ERROR with this summary. A transient one is tried again while attempts remain, if `retry` says so.
    Error {
        /// Transient or fatal.
        kind: ErrorKind,
        /// One sentence for the owner.
        message: String,
        /// More for the owner, served at `error`.
        detail: Option<String>,
        /// Whether the engine may run the job again by itself (transient errors of retryable services).
        retry: bool,
    },
    /// Back to the queue for this time, and no attempt is counted: another job has what this one needs. For a job that
    /// has done nothing yet.
    Later(Duration),
    /// The job was aborted or its lease lost; nothing more is to be written.
    Cancelled,
}

impl Failure {
    /// A failure that would come again.
    pub fn fatal(message: impl Into<String>) -> Self {
        Failure::Error {
            kind: ErrorKind::Fatal,
            message: message.into(),
            detail: None,
            retry: false,
        }
    }

    /// A failure that may not come again.
    pub fn transient(message: impl Into<String>) -> Self {
        Failure::Error {
            kind: ErrorKind::Transient,
            message: message.into(),
            detail: None,
            retry: true,
        }
    }
}

/// What a service is, for clients (`/api/v1/services`, VOSI) and for checking parameters.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Description {
    /// The `{service}` of its URLs.
    pub name: &'static str,
    /// A few words.
    pub title: &'static str,
    /// A paragraph.
    pub summary: &'static str,
    /// Its parameters, in the order a form shows them.
    pub parameters: Vec<ParameterInfo>,
    /// Whether other parameters are taken too.
    pub any_parameter: bool,
    /// Values of RESPONSEFORMAT (DALI 1.1 section 3.4.3), media types and their short forms; empty: not looked at.
    pub formats: &'static [&'static str],
    /// Whether a job whose worker was lost may be run again.
    pub retryable: bool,
    /// Longest run by default.
    #[serde(serialize_with = "seconds")]
    pub execution_duration: Duration,
    /// Longest run that can be asked for.
    #[serde(serialize_with = "seconds")]
    pub max_execution_duration: Duration,
    /// How long a job and its results are kept by default.
    #[serde(serialize_with = "seconds")]
    pub retention: Duration,
    /// How long from now they can be asked to be kept.
    #[serde(serialize_with = "seconds")]
    pub max_retention: Duration,
}

fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(duration.as_secs())
}

/// A parameter of a service.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ParameterInfo {
    /// Name, in capitals.
    pub name: &'static str,
    /// IVOA unified content descriptor.
    pub ucd: Option<&'static str>,
    /// Unit of the value.
    pub unit: Option<&'static str>,
    /// What a value is.
    pub kind: ParameterKind,
    /// Whether it must be given before the job can run.
    pub required: bool,
    /// Whether it may be given more than once.
    pub repeatable: bool,
    /// Value when it is not given.
    pub default: Option<String>,
    /// Meaning, for people.
    pub meaning: &'static str,
}

/// What the value of a parameter is.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum ParameterKind {
    /// Any text.
    Text,
    /// A decimal number within bounds, both inclusive.
    Real {
        /// Least value.
        min: f64,
        /// Greatest value.
        max: f64,
    },
    /// One of these words, in any case.
    Choice {
        /// The words.
        options: &'static [&'static str],
    },
    /// A text that may also be an uploaded file.
    File,
}
