//! A worker: slots, claims, heartbeats, cancellation, draining.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore, broadcast::error::RecvError, mpsc, oneshot, watch},
    time::{self, Instant},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Context, Engine, Failure, PerOwner, deadline::Deadline, room::Rooms};
use crate::{
    notify::Change,
    store::{Claimed, Ending, Finish, Held, Lease, RunLimit, StoreError, TOO_LONG, WorkerId},
    uws::{ErrorKind, ErrorSummary, JobId},
};

/// How long the queue goes unread without a wake-up.
const POLL: Duration = Duration::from_secs(1);
/// Pause after the database did not answer.
const RETRY: Duration = Duration::from_millis(500);
/// How long a worker goes on without asking whether anyone has a limit of running jobs.
const LIMITS: Duration = Duration::from_secs(5);
/// Most runs that are ended in one statement.
const FINISH_BATCH: usize = 500;
/// First pause before a transient failure is tried again, doubled each time.
const BACKOFF_MS: i64 = 1_000;
/// Longest such pause.
const MAX_BACKOFF_MS: i64 = 60_000;

/// A worker's state.
struct Runner {
    engine: Engine,
    worker: WorkerId,
    /// Jobs that run at once.
    slots: usize,
    /// Whether an operator wants it to take no more jobs.
    draining: watch::Sender<bool>,
    /// The lease is to be renewed now: the answer has news.
    beat_now: Notify,
    /// Jobs that an owner without a limit of their own may run at once.
    per_owner: Option<u64>,
    rooms: Rooms,
    /// Whether claims must look at limits.
    limited: AtomicBool,
    running: Mutex<HashMap<JobId, Running>>,
    /// Rises with each claim sent and each claim received: while odd or changed, leases may be on their way here.
    claims: AtomicU64,
    finishes: mpsc::UnboundedSender<(Finish, oneshot::Sender<bool>)>,
    tasks: TaskTracker,
}

/// A job that runs here.
struct Running {
    lease: Lease,
    since: Instant,
    cancel: CancellationToken,
    deadline: Arc<Deadline>,
    /// Whether it goes back to the queue when cancelled: the worker is draining.
    release: Arc<AtomicBool>,
}

pub(super) async fn run(
    engine: Engine,
    worker: WorkerId,
    slots: usize,
    per_owner: PerOwner,
    host: String,
    stop: CancellationToken,
) {
    let (finishes, inbox) = mpsc::unbounded_channel();
    let runner = Arc::new(Runner {
        engine,
        worker,
        slots,
        draining: watch::Sender::new(false),
        beat_now: Notify::new(),
        per_owner: per_owner.running,
        rooms: Rooms::new(per_owner.stored_bytes),
        limited: AtomicBool::new(per_owner.running.is_some()),
        running: Mutex::default(),
        claims: AtomicU64::new(0),
        finishes,
        tasks: TaskTracker::new(),
    });
    // A job whose worker is not on the books is anyone's.
    while let Err(error) = runner.register(&host).await {
        tracing::warn!(%error, "worker not registered");
        tokio::select! {
            () = time::sleep(RETRY) => {}
            () = stop.cancelled() => return,
        }
    }
    let ended = CancellationToken::new();
    let beating = tokio::spawn(Arc::clone(&runner).beat(host, ended.clone()));
    let listening = tokio::spawn(Arc::clone(&runner).listen(ended.clone()));
    let completing = tokio::spawn(Arc::clone(&runner).complete(inbox, ended.clone()));

    Arc::clone(&runner).claim_until(stop).await;
    runner.drain().await;

    ended.cancel();
    for task in [beating, listening, completing] {
        // A panic there has been logged by the runtime; there is nothing left to stop.
        let _ = task.await;
    }
    if let Err(error) = runner.engine.store.retire(worker).await {
        tracing::warn!(%error, "worker not taken off the books; its lease will run out");
    }
}

impl Runner {
    /// Puts this worker on the books, draining if it was when it was taken off them.
    async fn register(&self, host: &str) -> Result<(), StoreError> {
        let draining = *self.draining.borrow();
        self.engine
            .store
            .register(self.worker, host, self.slots as u64, draining)
            .await
    }

    /// Fills free slots from the queue until `stop`, but while draining.
    async fn claim_until(self: Arc<Self>, stop: CancellationToken) {
        let slots_free = Arc::new(Semaphore::new(self.slots));
        let services: Vec<String> = self
            .engine
            .services
            .iter()
            .map(|service| service.describe().name.to_owned())
            .collect();
        let mut queue = self.engine.notifier.queue();
        let mut draining = self.draining.subscribe();
        let mut asked = None;
        loop {
            let free = async {
                // Its sender is this runner's own.
                let _ = draining.wait_for(|draining| !draining).await;
                Arc::clone(&slots_free).acquire_owned().await
            };
            let first = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                permit = free => match permit {
                    Ok(permit) => permit,
                    Err(_closed) => return,
                },
            };
            // Armed before the queue is read, so that nothing queued meanwhile is missed.
            queue.mark_unchanged();
            let mut permits = vec![first];
            while let Ok(permit) = Arc::clone(&slots_free).try_acquire_owned() {
                permits.push(permit);
            }
            self.claims.fetch_add(1, Ordering::SeqCst);
            let claimed = self.claim(&services, permits.len() as u64, &mut asked).await;
            let pause = match claimed {
                Ok(claimed) => {
                    let empty = claimed.len() < permits.len();
                    for (claimed, permit) in claimed.into_iter().zip(permits) {
                        self.start(claimed, permit);
                    }
                    empty.then_some(POLL)
                }
                Err(error) => {
                    tracing::warn!(%error, "queue not read");
                    Some(RETRY)
                }
            };
            self.claims.fetch_add(1, Ordering::SeqCst);
            if let Some(pause) = pause {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = time::sleep(pause) => {}
                    _ = queue.changed() => {}
                }
            }
        }
    }

    /// Takes up to `free` jobs, within the owners' limits if there are any; `asked` is when that was last looked up.
    async fn claim(
        &self,
        services: &[String],
        free: u64,
        asked: &mut Option<Instant>,
    ) -> Result<Vec<Claimed>, StoreError> {
        let store = &self.engine.store;
        if self.per_owner.is_none() && asked.is_none_or(|at| at.elapsed() >= LIMITS) {
            self.limited
                .store(store.anyone_limited().await?, Ordering::SeqCst);
            *asked = Some(Instant::now());
        }
        if self.limited.load(Ordering::SeqCst) {
            store
                .claim_within_limits(self.worker, services, free, self.per_owner)
                .await
        } else {
            store.claim(self.worker, services, free).await
        }
    }

    fn start(self: &Arc<Self>, claimed: Claimed, permit: OwnedSemaphorePermit) {
        let cancel = CancellationToken::new();
        let deadline = Arc::new(Deadline::new(claimed.limit));
        let release = Arc::new(AtomicBool::new(false));
        self.running().insert(
            claimed.job.id,
            Running {
                lease: claimed.lease,
                since: Instant::now(),
                cancel: cancel.clone(),
                deadline: Arc::clone(&deadline),
                release: Arc::clone(&release),
            },
        );
        metrics::counter!("sidereal_jobs_started_total", "service" => claimed.job.service.clone())
            .increment(1);
        self.engine.notifier.tell(Change::Job(claimed.job.id));
        let runner = Arc::clone(self);
        self.tasks.spawn(async move {
            runner.run_job(&claimed, &deadline, cancel, &release).await;
            runner.forget(claimed.lease);
            drop(permit);
        });
    }

    /// Takes a run off the books; its job may be running here again by now, under another lease.
    fn forget(&self, lease: Lease) {
        let mut running = self.running();
        if running.get(&lease.job).is_some_and(|run| run.lease == lease) {
            running.remove(&lease.job);
        }
    }

    async fn run_job(
        self: &Arc<Self>,
        claimed: &Claimed,
        deadline: &Arc<Deadline>,
        cancel: CancellationToken,
        release: &AtomicBool,
    ) {
        let (id, lease, service) = (claimed.job.id, claimed.lease, claimed.job.service.as_str());
        tracing::info!(job = %id, service, fence = lease.fence, "started");
        let started = Instant::now();
        let end = match self.prepare(claimed, deadline, cancel.clone()).await {
            Ok(context) => {
                let told = CancellationToken::new();
                let reporting = tokio::spawn(Arc::clone(&context).report_along(told.clone()));
                let end = self.execute(&context, lease, deadline, service, &cancel).await;
                told.cancel();
                // It has not panicked unless the log says so; what it left is in the last report.
                let _ = reporting.await;
                let reported = self.last_report(&context, &cancel).await;
                match end {
                    // What is there would be taken for all that has come of it.
                    End::Ended(Ending::Completed | Ending::Failed(_)) if !reported => End::Cancelled,
                    end => end,
                }
            }
            Err(ending) => End::Ended(ending),
        };
        let ending = match end {
            End::Ended(ending) => Some(ending),
            End::Cancelled if release.load(Ordering::SeqCst) => Some(Ending::Released),
            // Aborted, destroyed, or another's: nothing more is to be written.
            End::Cancelled => None,
        };
        let held = match ending.clone() {
            Some(ending) => self.finish(Finish { lease, ending }).await,
            None => false,
        };
        let outcome = outcome(ending.as_ref(), held);
        metrics::counter!("sidereal_jobs_ended_total", "service" => service.to_owned(), "outcome" => outcome)
            .increment(1);
        metrics::histogram!("sidereal_job_seconds", "service" => service.to_owned())
            .record(started.elapsed().as_secs_f64());
        tracing::info!(job = %id, service, fence = lease.fence, outcome, "ended");
        self.tidy(id, lease, held, ending.as_ref()).await;
        self.engine.notifier.tell(Change::Job(id));
        // Where there are limits, the owner's next job may have waited for this one's end.
        if self.limited.load(Ordering::SeqCst)
            || matches!(
                ending,
                Some(Ending::Released | Ending::Postponed(_) | Ending::Retry(..))
            )
        {
            self.engine.notifier.tell(Change::Queue);
        }
    }

    async fn prepare(
        &self,
        claimed: &Claimed,
        deadline: &Arc<Deadline>,
        cancel: CancellationToken,
    ) -> Result<Arc<Context>, Ending> {
        // Only a job that ran before has a log to go on with.
        let last_line = if claimed.lease.fence == 1 {
            0
        } else {
            self.engine
                .store
                .last_line(claimed.job.id)
                .await
                .map_err(|error| {
                    tracing::warn!(job = %claimed.job.id, %error, "log not read");
                    Ending::Released
                })?
        };
        let room = self.rooms.of(claimed.job.owner.as_deref());
        if let Some(room) = &room {
            room.look(&self.engine.store).await.map_err(|error| {
                tracing::warn!(job = %claimed.job.id, %error, "the owner's room is not known");
                Ending::Released
            })?;
        }
        Ok(Arc::new(Context::new(
            self.engine.clone(),
            claimed,
            Arc::clone(deadline),
            last_line,
            room,
            cancel,
        )))
    }

    /// Runs the executor in a task of its own, so that its panic is its own, until it ends, is cancelled and out of
    /// grace, or out of time.
    async fn execute(
        &self,
        context: &Arc<Context>,
        lease: Lease,
        deadline: &Deadline,
        service: &str,
        cancel: &CancellationToken,
    ) -> End {
        let Some(executor) = self.engine.service(service).cloned() else {
            return End::Ended(Ending::Released);
        };
        let retryable = executor.describe().retryable;
        let mut task = tokio::spawn({
            let context = Arc::clone(context);
            async move { executor.execute(&context).await }
        });
        let result = tokio::select! {
            result = &mut task => result,
            () = self.out_of_time(lease, deadline) => {
                cancel.cancel();
                self.stop(&mut task).await;
                let summary = ErrorSummary { kind: ErrorKind::Fatal, message: TOO_LONG.into(), detail: None };
                return End::Ended(Ending::TimedOut(summary));
            }
            () = cancel.cancelled() => {
                self.stop(&mut task).await;
                return End::Cancelled;
            }
        };
        match result {
            Ok(Ok(())) => End::Ended(Ending::Completed),
            Ok(Err(Failure::Cancelled)) => End::Cancelled,
            Ok(Err(Failure::Later(pause))) => {
                let pause = i64::try_from(pause.as_millis()).unwrap_or(i64::MAX);
                End::Ended(Ending::Postponed(pause))
            }
            Ok(Err(Failure::Error {
                kind,
                message,
                detail,
                retry,
            })) => {
                let summary = ErrorSummary {
                    kind,
                    message,
                    detail,
                };
                End::Ended(if retry && retryable && kind == ErrorKind::Transient {
                    Ending::Retry(summary, backoff(context.fence()))
                } else {
                    Ending::Failed(summary)
                })
            }
            // A panic.
            Err(_) => End::Ended(Ending::Failed(ErrorSummary {
                kind: ErrorKind::Fatal,
                message: "The service failed on this job by a fault of its own.".into(),
                detail: None,
            })),
        }
    }

    /// Returns once the run's time is over, by what the database says then: the hint of a change may be on its way.
    async fn out_of_time(&self, lease: Lease, deadline: &Deadline) {
        loop {
            deadline.over().await;
            self.look_up(lease).await;
            if deadline.at().is_some_and(|at| at <= Instant::now()) {
                return;
            }
        }
    }

    /// Gives a cancelled executor the grace time, then drops it.
    async fn stop<T>(&self, task: &mut tokio::task::JoinHandle<T>) {
        if time::timeout(self.engine.settings.grace, &mut *task)
            .await
            .is_err()
        {
            task.abort();
            // Either its end or the word that it was dropped.
            let _ = task.await;
        }
    }

    /// Makes the last results visible before the phase says that they are all there; whether they are.
    async fn last_report(&self, context: &Context, cancel: &CancellationToken) -> bool {
        while let Err(error) = context.report().await {
            tracing::warn!(job = %context.job(), %error, "last report not written, it will be tried again");
            tokio::select! {
                () = time::sleep(RETRY) => {}
                // The heartbeat gives up when the lease cannot be renewed.
                () = cancel.cancelled() => return false,
            }
        }
        true
    }

    /// Hands the run's end to the completer; whether the lease was still held.
    async fn finish(&self, finish: Finish) -> bool {
        let (answer, held) = oneshot::channel();
        if self.finishes.send((finish, answer)).is_err() {
            return false;
        }
        held.await.unwrap_or(false)
    }

    /// Ends runs, as many in one statement as have gathered while the one before was under way.
    async fn complete(
        self: Arc<Self>,
        mut inbox: mpsc::UnboundedReceiver<(Finish, oneshot::Sender<bool>)>,
        ended: CancellationToken,
    ) {
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                biased;
                received = inbox.recv_many(&mut batch, FINISH_BATCH) => if received == 0 { return },
                () = ended.cancelled() => return,
            }
            let finishes: Vec<Finish> = batch.iter().map(|(finish, _)| finish.clone()).collect();
            let held = loop {
                match self.engine.store.finish(&finishes).await {
                    Ok(held) => break held,
                    Err(error) => {
                        tracing::warn!(%error, "ends of runs not written, they will be tried again");
                        tokio::select! {
                            () = time::sleep(RETRY) => {}
                            () = ended.cancelled() => return,
                        }
                    }
                }
            };
            for (finish, answer) in batch.drain(..) {
                // The asker may have been dropped.
                let _ = answer.send(held.contains(&finish.lease.job));
            }
        }
    }

    /// Removes objects that nobody will see: this run's if its lease was lost, earlier runs' if it ended well.
    async fn tidy(&self, id: JobId, lease: Lease, held: bool, ending: Option<&Ending>) {
        let fences = match (held, ending) {
            (true, Some(Ending::Completed | Ending::Failed(_) | Ending::TimedOut(_))) => 1..lease.fence,
            // Where no attempt was left, and where it was aborted, the job keeps what it has shown; what a lost or
            // repeated run has stored is no one's.
            _ => match self.engine.store.fences(&[id]).await.as_deref() {
                Ok([current]) if current.fence == lease.fence => return,
                Ok(_) => lease.fence..lease.fence + 1,
                Err(_) => return,
            },
        };
        for fence in fences {
            if let Err(error) = self.engine.results.delete_prefix(&format!("{id}/{fence}/")).await {
                tracing::warn!(job = %id, fence, %error, "objects left for the sweep");
            }
        }
    }

    /// Renews the lease; cancels what is no longer this worker's, and everything when the lease cannot be renewed.
    async fn beat(self: Arc<Self>, host: String, ended: CancellationToken) {
        let settings = &self.engine.settings;
        let patience = settings.lease.mul_f64(0.75);
        let mut renewed = Instant::now();
        loop {
            let began = Instant::now();
            let claims = self.claims.load(Ordering::SeqCst);
            let left = patience
                .saturating_sub(renewed.elapsed())
                .max(Duration::from_millis(100));
            match time::timeout(left, self.engine.store.beat(self.worker)).await {
                Ok(Ok(Some(beat))) => {
                    renewed = began;
                    self.set_draining(beat.draining);
                    self.compare(&beat.held, began, claims).await;
                }
                Ok(Ok(None)) => {
                    self.cancel_all("the worker was given up");
                    match self.register(&host).await {
                        Ok(()) => renewed = began,
                        Err(error) => tracing::warn!(%error, "worker not registered"),
                    }
                }
                Ok(Err(error)) => tracing::warn!(%error, "lease not renewed"),
                Err(_late) => tracing::warn!("lease not renewed in time"),
            }
            if renewed.elapsed() >= patience {
                self.cancel_all("the lease could not be renewed");
            }
            tokio::select! {
                () = time::sleep(settings.heartbeat) => {}
                () = self.beat_now.notified() => {}
                () = ended.cancelled() => return,
            }
        }
    }

    fn set_draining(&self, draining: bool) {
        let changed = self
            .draining
            .send_if_modified(|known| std::mem::replace(known, draining) != draining);
        if changed {
            tracing::info!(draining, "an operator drains or resumes this worker");
        }
    }

    /// Cancels runs whose lease is gone, tells the others how long they may run, and puts back leases that no run holds.
    async fn compare(&self, held: &[Held], began: Instant, claims: u64) {
        let limits: HashMap<Lease, RunLimit> = held.iter().map(|held| (held.lease, held.limit)).collect();
        let mut stray: Vec<Lease> = Vec::new();
        {
            let running = self.running();
            for run in running.values() {
                match limits.get(&run.lease) {
                    Some(limit) => run.deadline.set(*limit),
                    None if run.since < began => run.cancel.cancel(),
                    None => {}
                }
            }
            // A claim whose answer was lost. Not while one is on its way.
            if claims.is_multiple_of(2) && self.claims.load(Ordering::SeqCst) == claims {
                stray.extend(
                    held.iter()
                        .map(|held| held.lease)
                        .filter(|lease| !running.contains_key(&lease.job)),
                );
            }
        }
        if !stray.is_empty() {
            let finishes: Vec<Finish> = stray
                .into_iter()
                .map(|lease| Finish {
                    lease,
                    ending: Ending::Released,
                })
                .collect();
            if let Err(error) = self.engine.store.finish(&finishes).await {
                tracing::warn!(%error, "stray leases not put back");
            }
        }
    }

    fn cancel_all(&self, why: &str) {
        let running = self.running();
        if !running.is_empty() {
            tracing::error!(jobs = running.len(), why, "stopping all jobs");
        }
        running.values().for_each(|run| run.cancel.cancel());
    }

    /// Cancels jobs that were aborted or destroyed, and moves deadlines, as soon as the hint comes.
    async fn listen(self: Arc<Self>, ended: CancellationToken) {
        let mut changes = self.engine.notifier.changes();
        loop {
            let change = tokio::select! {
                change = changes.recv() => change,
                () = ended.cancelled() => return,
            };
            match change {
                Ok(Change::Stopped(id) | Change::Limit(id)) => {
                    let lease = self.running().get(&id).map(|run| run.lease);
                    if let Some(lease) = lease {
                        self.look_up(lease).await;
                    }
                }
                Ok(Change::Workers) => self.beat_now.notify_one(),
                // The heartbeat finds what was missed.
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// Learns how long a run may take by now, and cancels it if its lease is lost; a hint may be of an earlier run.
    async fn look_up(&self, lease: Lease) {
        let current = match self.engine.store.fences(&[lease.job]).await {
            Ok(current) => current,
            // The heartbeat finds it.
            Err(error) => return tracing::warn!(job = %lease.job, %error, "lease not looked up"),
        };
        let held = current.iter().find(|c| c.running && c.fence == lease.fence);
        if let Some(run) = self.running().get(&lease.job).filter(|run| run.lease == lease) {
            match held {
                Some(held) => run.deadline.set(held.limit),
                None => run.cancel.cancel(),
            }
        }
    }

    /// Lets running jobs end within the grace time, then puts the others back into the queue.
    async fn drain(&self) {
        self.tasks.close();
        if time::timeout(self.engine.settings.grace, self.tasks.wait())
            .await
            .is_ok()
        {
            return;
        }
        for run in self.running().values() {
            run.release.store(true, Ordering::SeqCst);
            run.cancel.cancel();
        }
        // An executor gets its grace time; without the database the leases end by themselves.
        let patience = self.engine.settings.grace + self.engine.settings.lease;
        if time::timeout(patience, self.tasks.wait()).await.is_err() {
            tracing::error!("jobs are left behind; other workers take them when the leases end");
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<JobId, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How an executor's task ended.
enum End {
    Ended(Ending),
    Cancelled,
}

fn outcome(ending: Option<&Ending>, held: bool) -> &'static str {
    match (held, ending) {
        (true, Some(Ending::Completed)) => "completed",
        (true, Some(Ending::Failed(_))) => "error",
        (true, Some(Ending::Retry(..))) => "retry",
        (true, Some(Ending::TimedOut(_))) => "timed out",
        (true, Some(Ending::Released)) => "released",
        (true, Some(Ending::Postponed(_))) => "postponed",
        (false, _) | (true, None) => "stopped",
    }
}

fn backoff(fence: i64) -> i64 {
    BACKOFF_MS
        .saturating_mul(1 << (fence.clamp(1, 16) - 1))
        .min(MAX_BACKOFF_MS)
}
