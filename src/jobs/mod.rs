//! What a caller may do with jobs: create, edit, run, abort, delete, wait, list. Authorisation lives here.
//!
//! Every call names its caller; a job of another is `Forbidden` to all but operators, an unknown one `NotFound`.
//! Calls `engine`, `auth`, `objects`, `store`, `notify`, `uws`.

mod check;
mod events;
mod fingerprint;
mod list;
mod once;
mod operate;
mod quota;
mod retry;
mod shares;
mod sync;
mod told;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::FutureExt;
use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;

pub use events::{EventKind, JobEvent};
pub use list::{BulkAction, BulkOutcome, BulkTarget, ListFilter, Page, SearchFilter};
pub use once::{Debounce, Errand, Sent, service_owner};
pub use operate::Queue;
use quota::is_own;
pub use sync::{Waited, described, uploaded};

use crate::{
    auth::{self, Caller, Role},
    engine::{self, Accepted, CheckError, Draft, Engine, Service, Stage, Unavailable, UsageError},
    notify::{Change, Watch},
    objects::{ObjectsError, Results},
    store::{
        LogLine, NewJob, Run, StoreError, StoredResult, Tombstone,
        jobs::{Created, Edit, FIRST_VERSION},
    },
    uws::{Event, Job, JobId, ParameterValue, Parameters, Phase, ResultRef, Timestamp},
};

/// Longest time that WAIT blocks, below what proxies allow.
pub const MAX_WAIT: Duration = Duration::from_secs(55);
/// Longest label (DALI 1.1 section 3.4.5).
pub const MAX_RUN_ID: usize = 64;
/// The header that an idempotency key comes in.
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
/// Longest idempotency key, in bytes.
const MAX_KEY: usize = 255;
/// Most bytes of an upload that a check reads.
const MAX_UPLOAD: u64 = 1 << 30;
/// Most bytes of all uploads of a job together.
const MAX_UPLOADS: u64 = 256 << 20;
/// How often a job that changes while it is looked at is looked at anew.
const ATTEMPTS: usize = 10;
/// An owner's pace through the queue: one step a job.
const STEP: i64 = 1_000;

/// The jobs, for callers. Clones share their state.
#[derive(Clone)]
pub struct Jobs {
    engine: Engine,
    attempts: u32,
    events: Arc<events::Events>,
    closing: CancellationToken,
}

/// A job as a URL names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The service in the URL, if it has one: a job of another service is not found there.
    pub service: Option<&'a str>,
    /// The job.
    pub id: JobId,
}

/// What a client sends to create a job or to change its description.
#[derive(Debug, Clone, Default)]
pub struct Submission {
    /// Values in the text of the request.
    pub parameters: Parameters,
    /// Files.
    pub uploads: Vec<Upload>,
    /// The client's label; an empty one takes it away.
    pub run_id: Option<String>,
    /// Whether to run it at once (PHASE=RUN).
    pub run: bool,
    /// Longest run, in seconds.
    pub execution_duration: Option<u32>,
    /// When to destroy it.
    pub destruction: Option<Timestamp>,
    /// A key that makes repeating the request harmless; not to be used for another request.
    pub idempotency_key: Option<String>,
}

/// A file that is the value of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Name of the parameter.
    pub name: String,
    /// Media type that the client gave, or `text/plain`.
    pub media_type: String,
    /// The file.
    pub bytes: Bytes,
}

/// How long to wait, and while in which phase (UWS 1.1 section 2.2.1.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wait {
    /// Seconds; `None` as long as the server allows. Capped by `MAX_WAIT`.
    pub seconds: Option<u64>,
    /// Return at once unless the job is in this phase.
    pub phase: Option<Phase>,
}

/// Where the content of a parameter is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Here.
    Inline(String),
    /// In the object store.
    Stored {
        /// Where.
        key: String,
        /// Media type.
        media_type: String,
        /// Size in bytes.
        size: u64,
    },
}

/// Why a call did not do as asked. The server's own faults carry their source for the log; clients do not see it.
#[derive(Debug, thiserror::Error)]
pub enum JobsError {
    /// No such job, service, result or parameter.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// Another's job.
    #[error("this job belongs to someone else")]
    Forbidden,
    /// An act that the caller's role does not allow.
    #[error("your role does not allow this")]
    Role,
    /// A job that was there and has been destroyed.
    #[error("this job was destroyed at {}", .0.at)]
    Gone(Tombstone),
    /// Faults of the request, each naming its parameter.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Usage(Vec<UsageError>),
    /// The job's phase forbids it.
    #[error("a job in phase {phase} cannot {action}")]
    IllegalPhase {
        /// Where the job stands.
        phase: Phase,
        /// What was asked for: the end of "a job in phase … cannot".
        action: &'static str,
    },
    /// Others changed the job each time that it was about to be changed.
    #[error("the job is being changed by other requests; try again")]
    Conflict,
    /// Nothing of the job can be done again, or not yet; says why.
    #[error("{0}")]
    NoRetry(&'static str),
    /// The caller has as much as it may have.
    #[error("{0}")]
    Quota(String),
    /// The service has as many jobs in the queue as there may be.
    #[error("too many jobs are queued; try again later")]
    Crowded,
    /// The database or object store does not answer.
    #[error("storage: {0}")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A fault of the server's.
    #[error("internal: {0}")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<StoreError> for JobsError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Corrupt(_) => JobsError::Internal(error.into()),
            StoreError::Url(_) | StoreError::Unreachable { .. } | StoreError::Database(_) => {
                JobsError::Unavailable(error.into())
            }
        }
    }
}

impl From<ObjectsError> for JobsError {
    fn from(error: ObjectsError) -> Self {
        JobsError::Unavailable(error.into())
    }
}

impl From<CheckError> for JobsError {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Usage(errors) => JobsError::Usage(errors),
            CheckError::Unavailable(error) => JobsError::Unavailable(error.into()),
        }
    }
}

impl From<UsageError> for JobsError {
    fn from(error: UsageError) -> Self {
        JobsError::Usage(vec![error])
    }
}

/// Bytes of files.
fn bytes_of(uploads: &[Upload]) -> u64 {
    uploads.iter().map(|upload| upload.bytes.len() as u64).sum()
}

impl Jobs {
    /// The jobs of this engine's database.
    pub fn new(engine: Engine) -> Self {
        let closing = CancellationToken::new();
        let events = events::Events::start(engine.clone(), closing.clone());
        Jobs {
            attempts: engine.settings.attempts,
            engine,
            events,
            closing,
        }
    }

    /// Ends every wait and event stream: the server is stopping.
    pub fn close(&self) {
        self.closing.cancel();
    }

    /// Returns once the server is stopping.
    pub async fn closed(&self) {
        self.closing.cancelled().await;
    }

    /// Every service, in the order of the settings.
    pub fn services(&self) -> &[Arc<dyn Service>] {
        &self.engine.services
    }

    /// The service of this name.
    pub fn service(&self, name: &str) -> Option<&Arc<dyn Service>> {
        self.services()
            .iter()
            .find(|service| service.describe().name == name)
    }

    /// Where results and uploads are.
    pub fn objects(&self) -> &Results {
        &self.engine.results
    }

    /// Whether database and object store answer.
    pub async fn ready(&self) -> Result<(), JobsError> {
        self.engine.store.ping().await?;
        self.engine.results.probe().await?;
        Ok(())
    }

    /// Creates a job, and queues it if asked to. What is wrong with it is said before anything is stored.
    pub async fn create(
        &self,
        caller: &Caller,
        service: &str,
        submission: Submission,
    ) -> Result<Job, JobsError> {
        let service = self.service(service).ok_or(JobsError::NotFound("service"))?;
        let description = service.describe();
        check_labels(&submission)?;
        let fingerprint = match submission.idempotency_key {
            Some(_) => Some(fingerprint::fingerprint(description.name, &submission)?),
            None => None,
        };
        let files = bytes_of(&submission.uploads);
        if let Err(refusal) = self.may_create(caller, files, submission.run).await {
            let key = submission.idempotency_key.as_deref();
            let before = self.made_before(caller, description.name, key, fingerprint.as_deref());
            return match before.await? {
                // What was not run would be now.
                Some(job) if !submission.run || job.phase != Phase::Pending => Ok(job),
                _ => Err(refusal),
            };
        }
        let id = JobId::new();
        let uploads = keyed(id, submission.uploads);
        let mut parameters = submission.parameters;
        add_uploads(&mut parameters, &uploads)?;
        let stage = if submission.run { Stage::Run } else { Stage::Draft };
        let accepted = self.check(service, &parameters, &uploads, stage, caller).await?;
        let destruction = submission
            .destruction
            .map(|asked| check::destruction(description, asked, Timestamp::of_this_host()))
            .transpose()?;

        for (key, upload) in &uploads {
            self.engine
                .results
                .put_bytes(key, &upload.media_type, upload.bytes.clone())
                .await?;
        }
        let new = NewJob {
            id,
            service: description.name.to_owned(),
            owner: caller.name.clone(),
            run_id: submission.run_id,
            parameters,
            quote: accepted.quote,
            execution_duration: check::duration(description, submission.execution_duration),
            destruction,
            retention: description.retention.as_secs(),
            max_attempts: if description.retryable { self.attempts } else { 1 },
            priority: 0,
            idempotency_key: submission.idempotency_key,
            fingerprint,
        };
        let room = quota::room(&caller.limits, files, submission.run);
        let job = match self.engine.store.create_within(&new, room).await {
            Ok(Created::New(job)) => job,
            Ok(Created::Before(job)) => {
                self.forget_uploads(id, &uploads).await;
                // The first request may have been cut off before it ran the job.
                return if submission.run && job.phase == Phase::Pending {
                    self.run_unless_run(caller, job.id).await
                } else {
                    Ok(job)
                };
            }
            Ok(Created::Taken) => {
                self.forget_uploads(id, &uploads).await;
                return Err(taken());
            }
            Ok(Created::Full(full)) => {
                self.forget_uploads(id, &uploads).await;
                return Err(quota::refusal(full));
            }
            // It may have been stored all the same: if not, the sweep removes its uploads.
            Err(error) => return Err(error.into()),
        };
        if !submission.run {
            return self.changed(job);
        }
        match self.queue(caller, &job, FIRST_VERSION).await {
            Ok(Some(queued)) => Ok(queued),
            Ok(None) => self.run_unless_run(caller, id).await,
            // Others that came at once were first: what is refused leaves nothing behind.
            Err(refusal @ JobsError::Quota(_)) => {
                if self.engine.store.destroy(id).await?.is_some() {
                    self.remove_objects(id).await;
                }
                Err(refusal)
            }
            Err(error) => Err(error),
        }
    }

    /// The job of the same request that has come before: it may be what has filled the quota.
    async fn made_before(
        &self,
        caller: &Caller,
        service: &str,
        key: Option<&str>,
        fingerprint: Option<&str>,
    ) -> Result<Option<Job>, JobsError> {
        if key.is_none() {
            return Ok(None);
        }
        let store = &self.engine.store;
        match store
            .created_before(&caller.name, key, service, fingerprint)
            .await?
        {
            Some(Created::Before(job)) => Ok(Some(job)),
            Some(Created::Taken) => Err(taken()),
            _ => Ok(None),
        }
    }

    async fn forget_uploads(&self, id: JobId, uploads: &[(String, Upload)]) {
        if uploads.is_empty() {
            return;
        }
        if let Err(error) = self.engine.results.delete_prefix(&format!("{id}/")).await {
            tracing::warn!(job = %id, %error, "uploads left for the sweep");
        }
    }

    /// The whole job.
    pub async fn get(&self, caller: &Caller, place: Place<'_>) -> Result<Job, JobsError> {
        Ok(self.versioned(caller, place).await?.0)
    }

    /// The job without its results, of which there may be many.
    pub async fn outline(&self, caller: &Caller, place: Place<'_>) -> Result<Job, JobsError> {
        let Some(job) = self.engine.store.outline(place.id).await? else {
            return Err(self.absent(caller, place).await?);
        };
        may_read(caller, place, &job)?;
        Ok(job)
    }

    /// The whole job and its version.
    async fn versioned(&self, caller: &Caller, place: Place<'_>) -> Result<(Job, i64), JobsError> {
        let Some((job, version)) = self.engine.store.versioned(place.id).await? else {
            return Err(self.absent(caller, place).await?);
        };
        may_read(caller, place, &job)?;
        Ok((job, version))
    }

    /// Fails unless the caller may see the job, without reading all of it; gives its owner and the name of its service.
    async fn authorise(&self, caller: &Caller, place: Place<'_>) -> Result<(String, String), JobsError> {
        let Some((owner, service)) = self.engine.store.owner(place.id).await? else {
            return Err(self.absent(caller, place).await?);
        };
        if place.service.is_some_and(|name| name != service) {
            return Err(JobsError::NotFound("job"));
        }
        may_see(caller, Some(&owner))?;
        Ok((owner, service))
    }

    /// Why a job is not there.
    async fn absent(&self, caller: &Caller, place: Place<'_>) -> Result<JobsError, JobsError> {
        let Some(tombstone) = self.engine.store.destroyed(place.id).await? else {
            return Ok(JobsError::NotFound("job"));
        };
        if place.service.is_some_and(|service| service != tombstone.service) {
            return Ok(JobsError::NotFound("job"));
        }
        may_see(caller, Some(&tombstone.owner))?;
        Ok(JobsError::Gone(tombstone))
    }

    /// The job once its phase changes, or after the time asked for (UWS 1.1 section 2.2.1.1). Holds no database
    /// connection while it waits.
    pub async fn wait(&self, caller: &Caller, place: Place<'_>, wait: Wait) -> Result<Job, JobsError> {
        let mut watch = self.engine.notifier.watch(place.id);
        let job = self.get(caller, place).await?;
        let waits = job.phase.is_waitable() && wait.phase.is_none_or(|phase| phase == job.phase);
        let limit = wait.seconds.map_or(MAX_WAIT, Duration::from_secs).min(MAX_WAIT);
        if !waits || limit.is_zero() {
            return Ok(job);
        }
        let deadline = Instant::now() + limit;
        loop {
            tokio::select! {
                () = watch.changed() => {}
                () = time::sleep_until(deadline) => return Ok(job),
                () = self.closing.cancelled() => return Ok(job),
            }
            match self.engine.store.phase(place.id).await? {
                Some((phase, _)) if phase == job.phase => {}
                _ => return self.get(caller, place).await,
            }
        }
    }

    /// Replaces parameters of a PENDING job (UWS 1.1 section 2.2.3.6), and its label if one is given: all or nothing.
    /// Of requests that come at once each is applied to what the one before has left.
    pub async fn set_parameters(
        &self,
        caller: &Caller,
        place: Place<'_>,
        submission: Submission,
    ) -> Result<Job, JobsError> {
        check_run_id(submission.run_id.as_deref())?;
        let uploads = keyed(place.id, submission.uploads);
        let mut newer = submission.parameters;
        add_uploads(&mut newer, &uploads)?;
        let edited = self
            .describe(caller, place, &newer, &uploads, submission.run_id.as_deref())
            .await;
        match edited {
            // What became of the job is not known: it may name them.
            Ok(_) | Err(JobsError::Unavailable(_) | JobsError::Internal(_)) => {}
            Err(_) => self.remove_uploads(uploads.iter().map(|(key, _)| key)).await,
        }
        edited
    }

    /// Replaces what `newer` has in the description of a PENDING job, until no one else has changed it meanwhile. Files
    /// that are not named any more are removed.
    async fn describe(
        &self,
        caller: &Caller,
        place: Place<'_>,
        newer: &Parameters,
        uploads: &[(String, Upload)],
        run_id: Option<&str>,
    ) -> Result<Job, JobsError> {
        let mut stored = false;
        for _ in 0..ATTEMPTS {
            let (job, version) = self.versioned(caller, place).await?;
            if job.phase != Phase::Pending {
                return Err(JobsError::IllegalPhase {
                    phase: job.phase,
                    action: "take parameters",
                });
            }
            let service = self.service(&job.service).ok_or(JobsError::NotFound("service"))?;
            let mut parameters = job.parameters.clone();
            parameters.replace_with(newer.clone()).map_err(check::usage)?;
            let verdict = self
                .check(service, &parameters, uploads, Stage::Draft, caller)
                .await;
            let Some(accepted) = self.unless_changed(job.id, version, verdict).await? else {
                continue;
            };
            if !stored {
                self.may_describe(caller, &job, &parameters).await?;
                for (key, upload) in uploads {
                    self.engine
                        .results
                        .put_bytes(key, &upload.media_type, upload.bytes.clone())
                        .await?;
                }
                stored = true;
            }
            let edit = Edit::Description {
                version,
                parameters,
                quote: accepted.quote,
                run_id: run_id.map(|run_id| (!run_id.is_empty()).then(|| run_id.to_owned())),
            };
            let owner = job.owner.as_deref().unwrap_or_default();
            if let Some(edited) = self.edit(caller, job.id, owner, edit).await? {
                let replaced = upload_keys(&job.parameters)
                    .filter(|key| upload_keys(&edited.parameters).all(|kept| kept != *key));
                self.remove_uploads(replaced).await;
                return self.changed(edited);
            }
        }
        Err(JobsError::Conflict)
    }

    /// The verdict on a job that was read at `version`; `None` if it could not be reached because the job has changed
    /// since, and with it the files that it names.
    async fn unless_changed(
        &self,
        id: JobId,
        version: i64,
        verdict: Result<Accepted, JobsError>,
    ) -> Result<Option<Accepted>, JobsError> {
        match verdict {
            Err(JobsError::Unavailable(source)) => match self.engine.store.phase(id).await? {
                Some((_, now)) if now == version => Err(JobsError::Unavailable(source)),
                _ => Ok(None),
            },
            verdict => verdict.map(Some),
        }
    }

    async fn remove_uploads(&self, keys: impl Iterator<Item = &String>) {
        for key in keys {
            if let Err(error) = self.engine.results.delete(key).await {
                tracing::warn!(key, %error, "upload left until its job is destroyed");
            }
        }
    }

    /// Queues a job that is PENDING or HELD. What is still missing is said, and the job stays where it is.
    pub async fn run(&self, caller: &Caller, place: Place<'_>) -> Result<Job, JobsError> {
        let (job, version) = self.versioned(caller, place).await?;
        if job.phase.after(Event::Run).is_none() {
            return Err(JobsError::IllegalPhase {
                phase: job.phase,
                action: "be run",
            });
        }
        if is_own(caller, &job) {
            self.may_queue(caller).await?;
        }
        match self.queue_checked(caller, &job, version).await? {
            Some(queued) => Ok(queued),
            None => self.run_unless_run(caller, job.id).await,
        }
    }

    /// Queues a job that someone else may have queued, aborted or changed meanwhile: what they did stands, and what is
    /// queued is what was checked.
    async fn run_unless_run(&self, caller: &Caller, id: JobId) -> Result<Job, JobsError> {
        for _ in 0..ATTEMPTS {
            let (job, version) = self.versioned(caller, Place { service: None, id }).await?;
            if job.phase.after(Event::Run).is_none() {
                return Ok(job);
            }
            if let Some(queued) = self.queue_checked(caller, &job, version).await? {
                return Ok(queued);
            }
        }
        Err(JobsError::Conflict)
    }

    /// Queues a job if it may run as it was read; `None` if it has changed since.
    async fn queue_checked(
        &self,
        caller: &Caller,
        job: &Job,
        version: i64,
    ) -> Result<Option<Job>, JobsError> {
        let service = self.service(&job.service).ok_or(JobsError::NotFound("service"))?;
        let verdict = self
            .check(service, &job.parameters, &[], Stage::Run, caller)
            .await;
        match self.unless_changed(job.id, version, verdict).await? {
            Some(_) => self.queue(caller, job, version).await,
            None => Ok(None),
        }
    }

    /// Queues a job that is still at `version`; of the caller's own no more than there may be. That it is someone else's
    /// is recorded with it.
    async fn queue(&self, caller: &Caller, job: &Job, version: i64) -> Result<Option<Job>, JobsError> {
        let store = &self.engine.store;
        let queued = if !is_own(caller, job) {
            let change = store.transaction().await?;
            let queued = change.run(job.id, version, STEP).await?;
            if queued.is_some() {
                let entry = caller.entry("job run", job.id.to_string(), whose(job));
                auth::record(&change, &entry).await?;
            }
            change.commit().await?;
            queued
        } else if let Some(most) = caller.limits.queued {
            match store
                .run_within(job.id, version, STEP, &caller.name, most)
                .await?
            {
                Run::Queued(queued) => Some(*queued),
                Run::Changed => None,
                Run::Full => return Err(quota::queue_full(most)),
            }
        } else {
            store.run(job.id, version, STEP).await?
        };
        match queued {
            Some(queued) => {
                self.engine.notifier.tell(Change::Queue);
                Ok(Some(self.changed(queued)?))
            }
            None => Ok(None),
        }
    }

    /// Aborts a job; whoever runs it is told to stop. Repeating it changes nothing.
    pub async fn abort(&self, caller: &Caller, place: Place<'_>) -> Result<Job, JobsError> {
        const ACTION: &str = "be aborted";
        let job = self.outline(caller, place).await?;
        match job.phase {
            Phase::Aborted => return Ok(job),
            phase if phase.after(Event::Abort).is_none() => {
                return Err(JobsError::IllegalPhase {
                    phase,
                    action: ACTION,
                });
            }
            _ => {}
        }
        let aborted = if is_own(caller, &job) {
            self.engine.store.abort(place.id).await?
        } else {
            let change = self.engine.store.transaction().await?;
            let aborted = change.abort(place.id).await?;
            if aborted.is_some() {
                let entry = caller.entry("job aborted", place.id.to_string(), whose(&job));
                auth::record(&change, &entry).await?;
            }
            change.commit().await?;
            aborted
        };
        if aborted.is_some() {
            self.engine.notifier.tell(Change::Stopped(place.id));
        }
        self.edited(caller, place, aborted, ACTION).await
    }

    /// Holds a queued job back until it is run again; for operators.
    pub async fn hold(&self, caller: &Caller, place: Place<'_>) -> Result<Job, JobsError> {
        operate::operator(caller)?;
        self.authorise(caller, place).await?;
        let change = self.engine.store.transaction().await?;
        let held = change.hold(place.id).await?;
        if let Some(job) = &held {
            let entry = caller.entry("job held", place.id.to_string(), whose(job));
            auth::record(&change, &entry).await?;
        }
        change.commit().await?;
        self.edited(caller, place, held, "be held").await
    }

    /// Destroys a job: stops it, removes its results, forgets all but a tombstone.
    pub async fn delete(&self, caller: &Caller, place: Place<'_>) -> Result<(), JobsError> {
        self.authorise(caller, place).await?;
        let change = self.engine.store.transaction().await?;
        let Some(tombstone) = change.destroy(place.id).await? else {
            return Err(JobsError::NotFound("job"));
        };
        let detail = format!("{} job of {}", tombstone.service, tombstone.owner);
        let entry = caller.entry("job deleted", place.id.to_string(), detail);
        auth::record(&change, &entry).await?;
        change.commit().await?;
        self.engine.notifier.tell(Change::Stopped(place.id));
        self.remove_objects(place.id).await;
        Ok(())
    }

    /// Removes the objects of a job that was destroyed.
    async fn remove_objects(&self, id: JobId) {
        if let Err(error) = engine::remove_objects(&self.engine.store, &self.engine.results, id).await {
            tracing::warn!(job = %id, %error, "objects left for the sweep");
        }
    }

    /// Sets the longest run, in seconds; capped silently by the service's limit. A run that is under way has that long from
    /// its start.
    pub async fn set_execution_duration(
        &self,
        caller: &Caller,
        place: Place<'_>,
        seconds: u32,
    ) -> Result<Job, JobsError> {
        let job = self.outline(caller, place).await?;
        let service = self.service(&job.service).ok_or(JobsError::NotFound("service"))?;
        let seconds = check::duration(service.describe(), Some(seconds));
        let owner = job.owner.as_deref().unwrap_or_default();
        let edited = self
            .edit(caller, place.id, owner, Edit::ExecutionDuration(seconds))
            .await?;
        if edited.is_some() {
            self.engine.notifier.tell(Change::Limit(place.id));
        }
        self.edited(caller, place, edited, "take another execution duration")
            .await
    }

    /// Sets when the job will be destroyed, not in the past; capped silently by the service's limit.
    pub async fn set_destruction(
        &self,
        caller: &Caller,
        place: Place<'_>,
        time: Timestamp,
    ) -> Result<Job, JobsError> {
        let (owner, service) = self.authorise(caller, place).await?;
        let service = self.service(&service).ok_or(JobsError::NotFound("service"))?;
        let time = check::destruction(service.describe(), time, Timestamp::of_this_host())?;
        let edited = self
            .edit(caller, place.id, &owner, Edit::Destruction(time))
            .await?;
        self.edited(caller, place, edited, "be changed").await
    }

    /// Sets the client's label.
    pub async fn set_run_id(
        &self,
        caller: &Caller,
        place: Place<'_>,
        run_id: Option<String>,
    ) -> Result<Job, JobsError> {
        let (owner, _) = self.authorise(caller, place).await?;
        check_run_id(run_id.as_deref())?;
        let edited = self.edit(caller, place.id, &owner, Edit::RunId(run_id)).await?;
        self.edited(caller, place, edited, "be changed").await
    }

    /// Every result that is visible by now, however many.
    pub async fn results(&self, caller: &Caller, place: Place<'_>) -> Result<Vec<StoredResult>, JobsError> {
        self.authorise(caller, place).await?;
        Ok(self.engine.store.results(place.id).await?)
    }

    /// Name, size and media type of every result that is visible by now, however many.
    pub async fn listed(&self, caller: &Caller, place: Place<'_>) -> Result<Vec<ResultRef>, JobsError> {
        self.authorise(caller, place).await?;
        Ok(self.engine.store.list_results(place.id).await?)
    }

    /// One result.
    pub async fn result(
        &self,
        caller: &Caller,
        place: Place<'_>,
        name: &str,
    ) -> Result<StoredResult, JobsError> {
        self.authorise(caller, place).await?;
        self.engine
            .store
            .result(place.id, name)
            .await?
            .ok_or(JobsError::NotFound("result"))
    }

    /// The content of a parameter; the first one if it was repeated.
    pub async fn parameter(
        &self,
        caller: &Caller,
        place: Place<'_>,
        name: &str,
    ) -> Result<Content, JobsError> {
        content(&self.outline(caller, place).await?, name)
    }

    /// Lines of the job's log after the one numbered `after` (0: from the start).
    pub async fn log(
        &self,
        caller: &Caller,
        place: Place<'_>,
        after: u64,
    ) -> Result<Vec<LogLine>, JobsError> {
        const LINES: u64 = 1_000;
        self.authorise(caller, place).await?;
        Ok(self.engine.store.log(place.id, after, LINES).await?)
    }

    /// Wakes when the job may have changed; for following its log.
    pub fn watch(&self, id: JobId) -> Watch {
        self.engine.notifier.watch(id)
    }

    /// Changes of the caller's jobs from now on, or after the event numbered `last` if that is still remembered (else
    /// a `Resync` comes first).
    pub fn events(
        &self,
        caller: &Caller,
        last: Option<u64>,
    ) -> futures::stream::BoxStream<'static, JobEvent> {
        self.events.subscribe(caller.clone(), last)
    }

    /// Changes a job of this owner. That it is someone else's job is recorded with the change, or neither happens.
    async fn edit(
        &self,
        caller: &Caller,
        id: JobId,
        owner: &str,
        edit: Edit,
    ) -> Result<Option<Job>, JobsError> {
        if owner == caller.name {
            return Ok(self.engine.store.edit(id, edit).await?);
        }
        let what = match &edit {
            Edit::Description { .. } => "parameters".to_owned(),
            Edit::ExecutionDuration(seconds) => format!("execution duration {seconds} s"),
            Edit::Destruction(time) => format!("destruction {time}"),
            Edit::RunId(_) => "label".to_owned(),
        };
        let change = self.engine.store.transaction().await?;
        let edited = change.edit(id, edit).await?;
        if let Some(job) = &edited {
            let detail = format!("{what}; {}", whose(job));
            auth::record(&change, &caller.entry("job changed", id.to_string(), detail)).await?;
        }
        change.commit().await?;
        Ok(edited)
    }

    async fn check(
        &self,
        service: &Arc<dyn Service>,
        parameters: &Parameters,
        uploads: &[(String, Upload)],
        stage: Stage,
        caller: &Caller,
    ) -> Result<Accepted, JobsError> {
        check::against(service.describe(), parameters, stage)?;
        check::uploads(parameters, MAX_UPLOADS)?;
        let read_upload = |key: &str| {
            let fresh = uploads
                .iter()
                .find(|(fresh, _)| fresh == key)
                .map(|(_, upload)| upload.bytes.clone());
            let (results, key) = (Arc::clone(&self.engine.results), key.to_owned());
            async move {
                match fresh {
                    Some(bytes) => Ok(bytes),
                    None => results
                        .read(&key, MAX_UPLOAD)
                        .await
                        .map_err(|error| Unavailable(error.to_string())),
                }
            }
            .boxed()
        };
        Ok(service
            .check(
                &Draft {
                    parameters,
                    read_upload: &read_upload,
                },
                stage,
                caller,
            )
            .await?)
    }

    /// The job after an edit; where the edit touched nothing, why.
    async fn edited(
        &self,
        caller: &Caller,
        place: Place<'_>,
        edited: Option<Job>,
        action: &'static str,
    ) -> Result<Job, JobsError> {
        if let Some(job) = edited {
            return self.changed(job);
        }
        let job = self.get(caller, place).await?;
        Err(JobsError::IllegalPhase {
            phase: job.phase,
            action,
        })
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "every path of its callers ends in a result"
    )]
    fn changed(&self, job: Job) -> Result<Job, JobsError> {
        self.engine.notifier.tell(Change::Job(job.id));
        Ok(job)
    }
}

/// Fails unless the job is where it is looked for and the caller may see it.
fn may_read(caller: &Caller, place: Place<'_>, job: &Job) -> Result<(), JobsError> {
    if place.service.is_some_and(|service| service != job.service) {
        return Err(JobsError::NotFound("job"));
    }
    may_see(caller, job.owner.as_deref())
}

/// The content of a parameter; the first one if it was repeated.
fn content(job: &Job, name: &str) -> Result<Content, JobsError> {
    match job.parameters.all(name).next() {
        None => Err(JobsError::NotFound("parameter")),
        Some(ParameterValue::Inline(text)) => Ok(Content::Inline(text.clone())),
        Some(ParameterValue::Upload {
            key,
            media_type,
            size,
        }) => Ok(Content::Stored {
            key: key.clone(),
            media_type: media_type.clone(),
            size: *size,
        }),
    }
}

/// What the record says of a job.
fn whose(job: &Job) -> String {
    format!(
        "{} job of {}",
        job.service,
        job.owner.as_deref().unwrap_or_default()
    )
}

/// Owner or operator.
fn may_see(caller: &Caller, owner: Option<&str>) -> Result<(), JobsError> {
    if caller.has(Role::Operator) || owner == Some(caller.name.as_str()) {
        Ok(())
    } else {
        Err(JobsError::Forbidden)
    }
}

/// Gives each upload the place where it will be stored.
fn keyed(id: JobId, uploads: Vec<Upload>) -> Vec<(String, Upload)> {
    uploads
        .into_iter()
        .map(|upload| (format!("{id}/in/{}", uuid::Uuid::now_v7().simple()), upload))
        .collect()
}

fn add_uploads(parameters: &mut Parameters, uploads: &[(String, Upload)]) -> Result<(), JobsError> {
    for (key, upload) in uploads {
        let value = ParameterValue::Upload {
            key: key.clone(),
            media_type: upload.media_type.clone(),
            size: upload.bytes.len() as u64,
        };
        parameters.push(&upload.name, value).map_err(check::usage)?;
    }
    Ok(())
}

/// Where the files are that a description names.
fn upload_keys(parameters: &Parameters) -> impl Iterator<Item = &String> {
    parameters.iter().filter_map(|parameter| match &parameter.value {
        ParameterValue::Upload { key, .. } => Some(key),
        ParameterValue::Inline(_) => None,
    })
}

fn taken() -> JobsError {
    let message = "was used for another request: service, parameters, label or limits differ";
    UsageError::new(IDEMPOTENCY_KEY, message).into()
}

fn check_labels(submission: &Submission) -> Result<(), JobsError> {
    check_run_id(submission.run_id.as_deref())?;
    if submission
        .idempotency_key
        .as_ref()
        .is_some_and(|key| key.is_empty() || key.len() > MAX_KEY)
    {
        return Err(UsageError::new(IDEMPOTENCY_KEY, format!("expected 1 to {MAX_KEY} bytes")).into());
    }
    Ok(())
}

fn check_run_id(run_id: Option<&str>) -> Result<(), JobsError> {
    match run_id {
        Some(run_id) if run_id.chars().count() > MAX_RUN_ID => {
            Err(UsageError::new("RUNID", format!("expected at most {MAX_RUN_ID} characters")).into())
        }
        Some(run_id) if run_id.chars().any(char::is_control) => {
            Err(UsageError::new("RUNID", "expected no control characters").into())
        }
        _ => Ok(()),
    }
}
