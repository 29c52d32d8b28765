//! What an executor sees of its job, and how what it produces becomes visible.
//!
//! Results are stored below the job's fence at once; they and progress and log lines are made known to the database in
//! batches, each fenced. A report that touches no row means that the lease is lost: the job is cancelled.

use std::{
    collections::{HashMap, HashSet},
    future::Future,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use tokio::{
    sync::{Mutex as AsyncMutex, Notify},
    time::{self, Instant},
};
use tokio_util::sync::CancellationToken;

use super::{Engine, Failure, deadline::Deadline, room::Room};
use crate::{
    notify::Change,
    objects::{ObjectsError, Stored, digest_of_name},
    store::{Claimed, Lease, LeaseLost, NewLine, Progress, Recipe, Report, StoredResult},
    uws::{JobId, ParameterValue, Parameters},
};

/// How long reports are gathered.
const GATHER: Duration = Duration::from_millis(250);
/// Results in a report that is sent without waiting.
const FULL: usize = 256;
/// Most lines of a job's log.
const MAX_LINES: u64 = 20_000;
/// Longest line of a job's log, in characters.
const MAX_LINE: usize = 2_000;
/// Longest progress note, in characters.
const MAX_NOTE: usize = 200;
/// Longest name of a result, in bytes.
const MAX_NAME: usize = 200;
/// Most bytes of an upload that are read into memory.
const MAX_UPLOAD: u64 = 1 << 30;

/// A running job, as its executor sees it.
pub struct Context {
    engine: Engine,
    job: JobId,
    parameters: Parameters,
    owner: Option<String>,
    lease: Lease,
    deadline: Arc<Deadline>,
    room: Option<Arc<Room>>,
    cancel: CancellationToken,
    pending: Mutex<Pending>,
    full: Notify,
    /// Held while a report is on its way, so that reports arrive in order.
    sending: AsyncMutex<Sent>,
}

#[derive(Default)]
struct Pending {
    report: Report,
    /// Digests of the names that are taken, since there may be half a million.
    names: HashSet<[u8; 16]>,
    lines: u64,
    results: u64,
}

#[derive(Default)]
struct Sent {
    results: u64,
}

impl Context {
    pub(super) fn new(
        engine: Engine,
        claimed: &Claimed,
        deadline: Arc<Deadline>,
        last_line: u64,
        room: Option<Arc<Room>>,
        cancel: CancellationToken,
    ) -> Self {
        let job = &claimed.job;
        Context {
            engine,
            job: job.id,
            parameters: job.parameters.clone(),
            owner: job.owner.clone(),
            lease: claimed.lease,
            deadline,
            room,
            cancel,
            pending: Mutex::new(Pending {
                lines: last_line,
                ..Pending::default()
            }),
            full: Notify::new(),
            sending: AsyncMutex::default(),
        }
    }

    /// Identifier of the job.
    pub fn job(&self) -> JobId {
        self.job
    }

    /// The job description.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Public name of the job's owner.
    pub fn owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }

    /// When the execution duration will be over, as far as it is known by now: the owner may change it while the job
    /// runs. `None` if it is unlimited.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline.at()
    }

    /// The bytes of a parameter's value, wherever it is.
    pub async fn value(&self, value: &ParameterValue) -> Result<Bytes, Failure> {
        match value {
            ParameterValue::Inline(text) => Ok(Bytes::copy_from_slice(text.as_bytes())),
            ParameterValue::Upload { key, .. } => self
                .engine
                .results
                .read(key, MAX_UPLOAD)
                .await
                .map_err(|error| self.storage(&error)),
        }
    }

    /// A result of this run of at most `limit` bytes, as it was stored.
    pub async fn stored(&self, name: &str, limit: u64) -> Result<Bytes, Failure> {
        let read = self.engine.results.read(&self.key(name), limit).await;
        read.map_err(|error| self.storage(&error))
    }

    /// Stores a result; it becomes visible within a moment. `name` is unique in the job.
    pub async fn put(&self, name: &str, media_type: &str, body: Bytes) -> Result<Stored, Failure> {
        self.store(name, media_type, body, false).await
    }

    /// Stores a result that the job document lists however many there are.
    pub async fn put_principal(&self, name: &str, media_type: &str, body: Bytes) -> Result<Stored, Failure> {
        self.store(name, media_type, body, true).await
    }

    /// Stores what `write` writes as a result that the job document lists however many there are. `write` may take its
    /// time; it waits where storing is slower, so that no more than a few pieces are in memory.
    pub async fn put_written<F>(&self, name: &str, media_type: &str, write: F) -> Result<Stored, Failure>
    where
        F: FnOnce(&mut dyn io::Write) -> io::Result<()> + Send + 'static,
    {
        self.reserve(name)?;
        let key = self.key(name);
        let stored = self.engine.results.put_written(&key, media_type, write).await;
        let stored = stored.map_err(|error| self.storage(&error))?;
        let result = result(name, media_type, &stored, key);
        let principal = true;
        self.add(StoredResult { principal, ..result }, stored.size)?;
        Ok(stored)
    }

    /// Stores the bytes that `make` makes, parts that follow one another, as [`Context::put`] does. `make` may take its
    /// time. With a recipe it will be found by [`Context::made_before`].
    pub async fn put_made<F>(
        &self,
        name: &str,
        media_type: &str,
        recipe: Option<Recipe>,
        make: F,
    ) -> Result<Stored, Failure>
    where
        F: FnOnce() -> Vec<Bytes> + Send + 'static,
    {
        self.reserve(name)?;
        let key = self.key(name);
        let stored = self.engine.results.put_made(&key, media_type, make).await;
        let stored = stored.map_err(|error| self.storage(&error))?;
        let result = result(name, media_type, &stored, key);
        self.add(StoredResult { recipe, ..result }, stored.size)?;
        Ok(stored)
    }

    /// Fails if so many bytes more than are stored by now are beyond the owner's room: asked before what takes its time to make.
    pub fn has_room(&self, bytes: u64) -> Result<(), Failure> {
        self.room.as_ref().map_or(Ok(()), |room| room.has(bytes))
    }

    /// Stores a stream of about `size` bytes as [`Context::put_made`] does what is made; nothing is asked of one for which the
    /// owner has no room. What the stream fails with is given back; there is nothing of that name then.
    pub async fn put_streamed<E: Send>(
        &self,
        name: &str,
        media_type: &str,
        recipe: Option<Recipe>,
        size: u64,
        body: BoxStream<'_, Result<Bytes, E>>,
    ) -> Result<Result<Stored, E>, Failure> {
        self.has_room(size)?;
        self.reserve(name)?;
        let key = self.key(name);
        let failed = Mutex::new(None);
        let body = body.map_err(|error| {
            *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            io::Error::other("what is stored could not be made")
        });
        let results = &self.engine.results;
        let stored = results.put(&key, media_type, Some(size), body.boxed()).await;
        if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            self.pending().names.remove(&digest_of_name(name));
            return Ok(Err(error));
        }
        let stored = stored.map_err(|error| self.storage(&error))?;
        let result = result(name, media_type, &stored, key);
        self.add(StoredResult { recipe, ..result }, stored.size)?;
        Ok(Ok(stored))
    }

    /// Results of completed jobs of this job's owner, by the digest of the recipe that each was made by: one of these.
    pub async fn made_before(&self, digests: &[String]) -> HashMap<String, StoredResult> {
        let Some(owner) = &self.owner else {
            return HashMap::new();
        };
        let found = self.engine.store.made_by(owner, digests).await;
        let found = found.unwrap_or_else(|error| {
            // They can be made once more.
            tracing::warn!(job = %self.job, %error, "earlier results were not looked for");
            Vec::new()
        });
        let by_digest = |result: StoredResult| Some((result.recipe.as_ref()?.digest.clone(), result));
        found.into_iter().filter_map(by_digest).collect()
    }

    /// Stores a result of an earlier job as one of this job's own, under another name; false if it cannot be had any more.
    pub async fn put_again(&self, name: &str, earlier: &StoredResult) -> Result<bool, Failure> {
        self.reserve(name)?;
        let key = self.key(name);
        if let Err(error) = self.engine.results.copy(&earlier.object, &key).await {
            tracing::debug!(job = %self.job, %error, "an earlier result cannot be had");
            self.pending().names.remove(&digest_of_name(name));
            return Ok(false);
        }
        let result = StoredResult {
            name: name.into(),
            object: key,
            principal: false,
            ..earlier.clone()
        };
        self.add(result, earlier.size)?;
        Ok(true)
    }

    async fn store(
        &self,
        name: &str,
        media_type: &str,
        body: Bytes,
        principal: bool,
    ) -> Result<Stored, Failure> {
        self.reserve(name)?;
        let key = self.key(name);
        let stored = self.engine.results.put_bytes(&key, media_type, body).await;
        let stored = stored.map_err(|error| self.storage(&error))?;
        let result = result(name, media_type, &stored, key);
        self.add(StoredResult { principal, ..result }, stored.size)?;
        Ok(stored)
    }

    /// Gives a stored result a second, principal name without storing it twice.
    pub fn alias(&self, name: &str, of: &str, media_type: &str, stored: &Stored) -> Result<(), Failure> {
        self.reserve(name)?;
        let result = result(name, media_type, stored, self.key(of));
        let principal = true;
        self.add(StoredResult { principal, ..result }, 0)
    }

    /// Tells how far the job has come: `done` of `total`, in units that the executor chooses, and how much has `failed` so
    /// far, by which a job that is COMPLETED but for some parts is known in lists. The last one told stays.
    pub fn progress(&self, done: u64, total: u64, failed: u64, note: &str) {
        let note = note.chars().take(MAX_NOTE).collect();
        self.pending().report.progress = Some(Progress {
            done,
            total,
            failed,
            note,
        });
    }

    /// Adds a line to the job's log.
    pub fn log(&self, line: impl AsRef<str>) {
        let mut pending = self.pending();
        if pending.lines >= MAX_LINES {
            return;
        }
        pending.lines += 1;
        let sequence = pending.lines;
        let line = if sequence == MAX_LINES {
            "The log is full."
        } else {
            line.as_ref()
        };
        let line = line
            .chars()
            .take(MAX_LINE)
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        pending.report.lines.push(NewLine { sequence, line });
    }

    /// Fails once the job is aborted, out of time, or another worker's.
    pub fn checkpoint(&self) -> Result<(), Failure> {
        if self.cancel.is_cancelled() {
            Err(Failure::Cancelled)
        } else {
            Ok(())
        }
    }

    /// Returns once `checkpoint` would fail.
    pub async fn cancelled(&self) {
        self.cancel.cancelled().await;
    }

    /// Waits for a resource of the server; the job is SUSPENDED until it is there (UWS 1.1 section 2.1.3).
    pub async fn suspended<T>(&self, wait: impl Future<Output = T>) -> Result<T, Failure> {
        tokio::pin!(wait);
        tokio::select! {
            biased;
            value = &mut wait => return Ok(value),
            () = std::future::ready(()) => {}
        }
        self.pause(true).await?;
        let value = tokio::select! {
            value = &mut wait => value,
            () = self.cancelled() => return Err(Failure::Cancelled),
        };
        self.pause(false).await?;
        Ok(value)
    }

    async fn pause(&self, suspended: bool) -> Result<(), Failure> {
        let paused = self.engine.store.pause(self.lease, suspended).await;
        match paused {
            Ok(Ok(())) => {
                self.engine.notifier.tell(Change::Job(self.job));
                Ok(())
            }
            Ok(Err(LeaseLost)) => {
                self.cancel.cancel();
                Err(Failure::Cancelled)
            }
            // The phase is what people see; the work does not hang on it.
            Err(error) => {
                tracing::warn!(job = %self.job, %error, "phase not written");
                Ok(())
            }
        }
    }

    /// The lease that the job runs by.
    pub fn lease(&self) -> Lease {
        self.lease
    }

    /// Number of this claim of the job, from 1.
    pub(super) fn fence(&self) -> i64 {
        self.lease.fence
    }

    fn key(&self, name: &str) -> String {
        format!("{}/{}/{name}", self.job, self.lease.fence)
    }

    fn reserve(&self, name: &str) -> Result<(), Failure> {
        let fits = (1..=MAX_NAME).contains(&name.len())
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._+-".contains(&b))
            && !name.starts_with('.');
        if !fits {
            return Err(Failure::fatal(format!("A result cannot be named {name:?}.")));
        }
        self.take(0)?;
        if self.pending().names.insert(digest_of_name(name)) {
            Ok(())
        } else {
            Err(Failure::fatal(format!("Two results are named {name:?}.")))
        }
    }

    /// Makes a result known, and takes so many bytes of the owner's room.
    fn add(&self, result: StoredResult, bytes: u64) -> Result<(), Failure> {
        let mut pending = self.pending();
        pending.report.results.push(result);
        pending.results += 1;
        // Whoever waits is shown the first one at once.
        if pending.report.results.len() >= FULL || pending.results == 1 {
            self.full.notify_one();
        }
        drop(pending);
        self.take(bytes)?;
        self.checkpoint()
    }

    fn take(&self, bytes: u64) -> Result<(), Failure> {
        self.room.as_ref().map_or(Ok(()), |room| room.take(bytes))
    }

    fn storage(&self, error: &ObjectsError) -> Failure {
        tracing::warn!(job = %self.job, %error, "object store");
        Failure::transient(if error.is_full() {
            "There is no space left for results on the server."
        } else {
            "The store of results did not answer."
        })
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends reports as they gather, until `stop`. Never dropped half-way: a report is either sent or still here.
    pub(super) async fn report_along(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = time::sleep(GATHER) => {}
                () = self.full.notified() => {}
                () = stop.cancelled() => return,
            }
            if let Err(error) = self.report().await {
                tracing::warn!(job = %self.job, %error, "report not written, it will be tried again");
            }
        }
    }

    /// Sends what has gathered. After an error it is still there, for the next call.
    pub(super) async fn report(&self) -> Result<(), crate::store::StoreError> {
        let mut sent = self.sending.lock().await;
        let report = std::mem::take(&mut self.pending().report);
        if report == Report::default() {
            return Ok(());
        }
        match self.engine.store.report(self.lease, &report, sent.results).await {
            Ok(Ok(())) => {
                sent.results += report.results.len() as u64;
                if let Some(room) = &self.room
                    && let Err(error) = room.look_again(&self.engine.store).await
                {
                    tracing::warn!(job = %self.job, %error, "the owner's room is not known anew");
                }
                self.engine.notifier.tell(Change::Job(self.job));
                Ok(())
            }
            Ok(Err(LeaseLost)) => {
                self.cancel.cancel();
                Ok(())
            }
            Err(error) => {
                let mut pending = self.pending();
                let newer = std::mem::replace(&mut pending.report, report);
                pending.report.results.extend(newer.results);
                pending.report.lines.extend(newer.lines);
                if newer.progress.is_some() {
                    pending.report.progress = newer.progress;
                }
                Err(error)
            }
        }
    }
}

/// A result that was made by no recipe, and that is none of the principal ones.
fn result(name: &str, media_type: &str, stored: &Stored, object: String) -> StoredResult {
    StoredResult {
        name: name.into(),
        media_type: media_type.into(),
        size: stored.size,
        sha256: stored.sha256.clone(),
        object,
        principal: false,
        recipe: None,
    }
}
