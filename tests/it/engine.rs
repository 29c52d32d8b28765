//! The engine through the library: what becomes of executors that finish, fail, panic, wait, hang, or are left behind.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use sidereal::{
    auth::{Caller, Limits, Role},
    engine::{
        Accepted, CheckError, Context, Description, Draft, Engine, Failure, ParameterInfo, ParameterKind,
        PerOwner, Service, Stage, UsageError,
    },
    jobs::{
        BulkAction, BulkTarget, EventKind, Jobs, JobsError, Place, SearchFilter, Submission, Upload, Wait,
    },
    notify::Notifier,
    objects::Results,
    settings::EngineSettings,
    store::{Quota, Store, jobs::Edit},
    uws::{Job, JobId, ParameterValue, Phase},
};
use tokio::{sync::Semaphore, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::harness::{Backend, Database, on_both_back_ends};

on_both_back_ends!(
    a_job_runs_and_its_results_and_log_are_there,
    a_stream_that_breaks_off_is_no_result,
    a_panic_is_a_fatal_error_of_that_job_alone,
    a_transient_failure_is_tried_again,
    a_job_over_its_duration_is_aborted_and_says_why,
    a_changed_duration_reaches_the_run,
    a_duration_is_looked_up_before_it_ends_a_run,
    an_abort_reaches_a_running_executor,
    a_stubborn_executor_is_dropped_after_the_grace_time,
    a_job_is_suspended_while_it_waits_for_a_resource,
    a_held_job_runs_only_after_another_run,
    a_draining_worker_puts_its_jobs_back,
    a_drained_worker_ends_what_it_runs_and_takes_more_once_resumed,
    a_worker_that_was_given_up_writes_nothing_more,
    a_worker_is_on_the_books_before_it_claims,
    others_see_nothing_of_a_job,
    operators_see_every_job,
    edits_at_once_lose_nothing,
    what_is_queued_is_what_was_checked,
    a_file_that_is_replaced_while_it_is_checked_is_looked_at_anew,
    a_repeated_idempotency_key_makes_one_job,
    a_failed_last_attempt_keeps_what_it_has_shown,
    bulk_acts_tell_how_each_job_fared,
    a_destroyed_job_leaves_a_tombstone_and_no_object,
    objects_without_a_job_are_swept,
    events_tell_of_ones_own_jobs,
    an_owner_runs_no_more_jobs_than_the_limit,
);

/// Does what its parameter ACT says.
struct Probe {
    description: Description,
    gate: Arc<Semaphore>,
    runs: AtomicUsize,
    stopped: Arc<Semaphore>,
    /// A permit for each check of `ACT=slow check` that has begun.
    checking: Semaphore,
    /// Which each of them waits for.
    checked: Semaphore,
}

impl Service for Probe {
    fn describe(&self) -> &Description {
        &self.description
    }

    fn check<'a>(
        &'a self,
        draft: &'a Draft<'a>,
        stage: Stage,
        _caller: &'a Caller,
    ) -> BoxFuture<'a, Result<Accepted, CheckError>> {
        async move {
            match draft.parameters.text("ACT").unwrap() {
                Some("slow check") => {
                    self.checking.add_permits(1);
                    self.checked.acquire().await.unwrap().forget();
                    if let Some(ParameterValue::Upload { key, .. }) = draft.parameters.one("FILE").unwrap() {
                        (draft.read_upload)(key).await?;
                    }
                }
                Some("refuse") if stage == Stage::Run => {
                    return Err(UsageError::new("ACT", "refused").into());
                }
                _ => {}
            }
            Ok(Accepted::default())
        }
        .boxed()
    }

    fn execute<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<(), Failure>> {
        async move {
            let run = self.runs.fetch_add(1, Ordering::SeqCst);
            match context.parameters().text("ACT").unwrap().unwrap_or("finish") {
                "finish" => {
                    context.log("first line");
                    context.progress(1, 2, 1, "half");
                    let stored = context
                        .put("a.txt", "text/plain", Bytes::from_static(b"abc"))
                        .await?;
                    context.alias("result", "a.txt", "text/plain", &stored)?;
                    context.log("second\nline");
                    Ok(())
                }
                "stream" => {
                    for (pieces, why) in [
                        (vec![Ok("half"), Err("gone")], Some("gone")),
                        (vec![Ok("all "), Ok("of it")], None),
                    ] {
                        let body =
                            stream::iter(pieces).map(|piece| piece.map(|text: &str| Bytes::from(text)));
                        let stored = context
                            .put_streamed("s.txt", "text/plain", None, 9, body.boxed())
                            .await?;
                        assert_eq!(stored.err(), why);
                    }
                    Ok(())
                }
                "panic" => panic!("on purpose"),
                "flaky" if run == 0 => Err(Failure::transient("not yet")),
                "flaky" => Ok(()),
                "hopeless" => {
                    context
                        .put("part.txt", "text/plain", Bytes::from_static(b"part"))
                        .await?;
                    Err(Failure::transient("never"))
                }
                "wait" => {
                    context
                        .put("early.txt", "text/plain", Bytes::from_static(b"early"))
                        .await?;
                    context.cancelled().await;
                    self.stopped.add_permits(1);
                    context.checkpoint()
                }
                "watch" => {
                    let first = context.deadline();
                    self.stopped.add_permits(1);
                    while context.deadline() == first {
                        context.checkpoint()?;
                        tokio::task::yield_now().await;
                    }
                    let name = if context.deadline() > first {
                        "later"
                    } else {
                        "earlier"
                    };
                    context.put(name, "text/plain", Bytes::new()).await?;
                    Ok(())
                }
                "outlive" => {
                    let first = context.deadline().unwrap();
                    self.stopped.add_permits(1);
                    // Past what the runner knew when it started this.
                    tokio::time::sleep_until(first + Duration::from_millis(100)).await;
                    Ok(())
                }
                "stubborn" => std::future::pending().await,
                "gate" => {
                    self.gate.acquire().await.unwrap().forget();
                    context
                        .put("late.txt", "text/plain", Bytes::from_static(b"late"))
                        .await?;
                    Ok(())
                }
                "suspend" => {
                    context.suspended(self.gate.acquire()).await?.unwrap().forget();
                    Ok(())
                }
                other => panic!("no such act: {other}"),
            }
        }
        .boxed()
    }
}

/// One server's inside.
struct Site {
    engine: Engine,
    jobs: Jobs,
    probe: Arc<Probe>,
    database: Arc<dyn std::any::Any + Send + Sync>,
    url: String,
    folder: Arc<tempfile::TempDir>,
    stop: CancellationToken,
    worker: Option<JoinHandle<()>>,
}

fn settings() -> EngineSettings {
    EngineSettings {
        heartbeat: Duration::from_millis(100),
        lease: Duration::from_secs(2),
        sweep: Duration::from_millis(100),
        grace: Duration::from_millis(300),
        orphan_age: Duration::ZERO,
        attempts: 2,
    }
}

impl Site {
    async fn start(backend: Backend) -> Site {
        let mut site = Self::idle(backend).await;
        site.work();
        site
    }

    /// One that runs no jobs yet.
    async fn idle(backend: Backend) -> Site {
        Self::idle_with(backend, settings()).await
    }

    async fn idle_with(backend: Backend, settings: EngineSettings) -> Site {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let (url, database): (String, Arc<dyn std::any::Any + Send + Sync>) = match backend {
            Backend::Embedded => (
                format!("sqlite://{}/test.db", folder.path().display()),
                Arc::new(()),
            ),
            Backend::Cluster => {
                let database = Database::migrated().await;
                (database.url(), Arc::new(database))
            }
        };
        Self::over(url, database, folder, settings).await
    }

    async fn over(
        url: String,
        database: Arc<dyn std::any::Any + Send + Sync>,
        folder: Arc<tempfile::TempDir>,
        settings: EngineSettings,
    ) -> Site {
        let store = Store::open(&url).await.unwrap();
        store.migrate().await.unwrap();
        let results = Results::open(&format!("file://{}/results", folder.path().display())).unwrap();
        let notifier = Notifier::new();
        let stop = CancellationToken::new();
        if url.starts_with("postgres") {
            notifier.connect(&url, stop.clone()).await.unwrap();
        }
        let parameter = |name| ParameterInfo {
            name,
            ucd: None,
            unit: None,
            kind: ParameterKind::Text,
            required: false,
            repeatable: false,
            default: None,
            meaning: "what to do",
        };
        let probe = Arc::new(Probe {
            description: Description {
                name: "probe",
                title: "Probe",
                summary: "",
                parameters: vec![
                    parameter("ACT"),
                    parameter("NOTE"),
                    ParameterInfo {
                        kind: ParameterKind::File,
                        ..parameter("FILE")
                    },
                ],
                any_parameter: false,
                formats: &[],
                retryable: true,
                execution_duration: Duration::from_hours(1),
                max_execution_duration: Duration::from_hours(2),
                retention: Duration::from_hours(1),
                max_retention: Duration::from_hours(2),
            },
            gate: Arc::new(Semaphore::new(0)),
            runs: AtomicUsize::new(0),
            stopped: Arc::new(Semaphore::new(0)),
            checking: Semaphore::new(0),
            checked: Semaphore::new(0),
        });
        let services: Arc<[Arc<dyn Service>]> = Arc::new([Arc::clone(&probe) as Arc<dyn Service>]);
        let engine = Engine {
            store,
            results: Arc::new(results),
            notifier,
            services,
            settings,
        };
        engine.keep_house(stop.clone());
        let jobs = Jobs::new(engine.clone());
        Site {
            engine,
            jobs,
            probe,
            database,
            url,
            folder,
            stop,
            worker: None,
        }
    }

    /// Another server over the same database and results.
    async fn replica(&self) -> Site {
        let mut site = Self::over(
            self.url.clone(),
            Arc::clone(&self.database),
            Arc::clone(&self.folder),
            settings(),
        )
        .await;
        site.work();
        site
    }

    fn work(&mut self) {
        self.worker = Some(
            self.engine
                .run_jobs(4, PerOwner::default(), "test", self.stop.clone()),
        );
    }

    async fn create(&self, act: &str) -> JobId {
        self.jobs
            .create(&alice(), "probe", submission(act))
            .await
            .unwrap()
            .id
    }

    async fn get(&self, id: JobId) -> Job {
        self.jobs.get(&alice(), at(id)).await.unwrap()
    }

    /// Waits, by UWS's own means, until the job stands in this phase.
    async fn until(&self, id: JobId, phase: Phase) -> Job {
        let mut watch = self.jobs.watch(id);
        let reached = async {
            loop {
                let job = self.get(id).await;
                if job.phase == phase {
                    return job;
                }
                assert!(
                    !job.phase.is_terminal(),
                    "{} instead of {phase}: {:?}",
                    job.phase,
                    job.error
                );
                watch.changed().await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), reached)
            .await
            .expect("the phase is reached")
    }

    fn objects(&self, id: JobId) -> Vec<String> {
        let mut names = Vec::new();
        let mut folders = vec![self.folder.path().join("results").join(id.to_string())];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.path().is_dir() {
                    folders.push(entry.path());
                } else {
                    names.push(entry.file_name().to_string_lossy().into_owned());
                }
            }
        }
        names.sort();
        names
    }
}

fn alice() -> Caller {
    Caller {
        name: "alice".into(),
        role: Role::User,
        limits: Limits::default(),
        address: None,
    }
}

fn submission(act: &str) -> Submission {
    let mut submission = Submission {
        run: true,
        ..Submission::default()
    };
    submission
        .parameters
        .push("ACT", ParameterValue::Inline(act.into()))
        .unwrap();
    submission
}

/// One parameter of a job.
fn parameter(name: &str, value: &str) -> Submission {
    let mut submission = Submission::default();
    submission
        .parameters
        .push(name, ParameterValue::Inline(value.into()))
        .unwrap();
    submission
}

fn at(id: JobId) -> Place<'static> {
    Place { service: None, id }
}

async fn a_job_runs_and_its_results_and_log_are_there(backend: Backend) {
    let site = Site::start(backend).await;
    let job = site.create("finish").await;
    let job = site.until(job, Phase::Completed).await;
    assert_eq!(
        job.results
            .iter()
            .map(|r| (r.id.as_str(), r.size))
            .collect::<Vec<_>>(),
        [("a.txt", 3), ("result", 3)]
    );
    assert_eq!(
        (job.info.progress_done, job.info.progress_total),
        (Some(1), Some(2))
    );
    assert_eq!(job.info.progress_failed, Some(1));
    assert!(job.start_time >= Some(job.creation_time) && job.end_time >= job.start_time);
    let lines = site.jobs.log(&alice(), at(job.id), 0).await.unwrap();
    assert_eq!(
        lines.iter().map(|l| l.line.as_str()).collect::<Vec<_>>(),
        ["first line", "second line"]
    );
    assert_eq!(site.jobs.log(&alice(), at(job.id), 1).await.unwrap().len(), 1);
    // Stored once, under two names.
    assert_eq!(site.objects(job.id), ["a.txt"]);
}

async fn a_stream_that_breaks_off_is_no_result(backend: Backend) {
    let site = Site::start(backend).await;
    let job = site.create("stream").await;
    let job = site.until(job, Phase::Completed).await;
    assert_eq!(job.results.len(), 1);
    // Its name is free again.
    let result = site.jobs.result(&alice(), at(job.id), "s.txt").await.unwrap();
    assert_eq!(
        site.engine.results.read(&result.object, 10).await.unwrap(),
        "all of it"
    );
    assert_eq!(site.objects(job.id), ["s.txt"]);
}

async fn a_panic_is_a_fatal_error_of_that_job_alone(backend: Backend) {
    let site = Site::start(backend).await;
    let bad = site.create("panic").await;
    let bad = site.until(bad, Phase::Error).await;
    assert_eq!(bad.error.unwrap().kind.as_str(), "fatal");
    let good = site.create("finish").await;
    site.until(good, Phase::Completed).await;
}

async fn a_transient_failure_is_tried_again(backend: Backend) {
    let site = Site::start(backend).await;
    let job = site.create("flaky").await;
    let job = site.until(job, Phase::Completed).await;
    assert_eq!(job.error, None);
    assert_eq!(site.probe.runs.load(Ordering::SeqCst), 2);
}

async fn a_job_over_its_duration_is_aborted_and_says_why(backend: Backend) {
    let site = Site::start(backend).await;
    let submission = Submission {
        execution_duration: Some(1),
        ..submission("wait")
    };
    let job = site.jobs.create(&alice(), "probe", submission).await.unwrap().id;
    let job = site.until(job, Phase::Aborted).await;
    assert!(job.error.unwrap().message.contains("duration"));
    assert!(job.end_time.is_some());
}

/// By the hint, and by the heartbeat where the hint is lost.
async fn a_changed_duration_reaches_the_run(backend: Backend) {
    const HOUR: Duration = Duration::from_hours(1);
    for by_hint in [true, false] {
        let mut site = Site::idle_with(
            backend,
            EngineSettings {
                heartbeat: if by_hint { HOUR } else { settings().heartbeat },
                // So that no sweep ends what the worker should.
                lease: 4 * HOUR,
                ..settings()
            },
        )
        .await;
        site.work();
        let change = async |job, seconds| {
            if by_hint {
                let jobs = &site.jobs;
                jobs.set_execution_duration(&alice(), at(job), seconds)
                    .await
                    .unwrap();
            } else {
                let edit = Edit::ExecutionDuration(seconds);
                site.engine.store.edit(job, edit).await.unwrap().unwrap();
            }
        };
        for (seconds, expected) in [(7_000, "later"), (600, "earlier")] {
            let job = site.create("watch").await;
            site.probe.stopped.acquire().await.unwrap().forget();
            change(job, seconds).await;
            let done = site.until(job, Phase::Completed).await;
            assert_eq!(done.results[0].id, expected);
        }
        // One that has passed already.
        let job = site.create("wait").await;
        site.until(job, Phase::Executing).await;
        change(job, 1).await;
        site.probe.stopped.acquire().await.unwrap().forget();
        let ended = site.until(job, Phase::Aborted).await;
        assert!(ended.error.unwrap().message.contains("duration"));
    }
}

/// Where neither hint nor heartbeat has told of it yet.
async fn a_duration_is_looked_up_before_it_ends_a_run(backend: Backend) {
    let mut site = Site::idle_with(
        backend,
        EngineSettings {
            heartbeat: Duration::from_hours(1),
            lease: Duration::from_hours(4),
            ..settings()
        },
    )
    .await;
    site.work();
    let submission = Submission {
        execution_duration: Some(3),
        ..submission("outlive")
    };
    let job = site.jobs.create(&alice(), "probe", submission).await.unwrap().id;
    site.probe.stopped.acquire().await.unwrap().forget();
    let edit = Edit::ExecutionDuration(600);
    site.engine.store.edit(job, edit).await.unwrap().unwrap();
    site.until(job, Phase::Completed).await;
}

async fn an_abort_reaches_a_running_executor(backend: Backend) {
    let site = Site::start(backend).await;
    let job = site.create("wait").await;
    let mut watch = site.jobs.watch(job);
    while site.get(job).await.results.is_empty() {
        watch.changed().await;
    }
    let aborted = site.jobs.abort(&alice(), at(job)).await.unwrap();
    assert_eq!(aborted.phase, Phase::Aborted);
    assert!(aborted.end_time.is_some());
    site.probe.stopped.acquire().await.unwrap().forget();
    // What it has shown stays; doing it twice changes nothing; it does not run again.
    site.jobs.abort(&alice(), at(job)).await.unwrap();
    assert_eq!(site.get(job).await.results.len(), 1);
    assert!(matches!(
        site.jobs.run(&alice(), at(job)).await,
        Err(JobsError::IllegalPhase { .. })
    ));
}

async fn a_stubborn_executor_is_dropped_after_the_grace_time(backend: Backend) {
    let site = Site::start(backend).await;
    let stubborn: Vec<JobId> = futures::stream::iter(0..4)
        .then(|_| site.create("stubborn"))
        .collect()
        .await;
    for job in &stubborn {
        site.until(*job, Phase::Executing).await;
    }
    for job in &stubborn {
        site.jobs.abort(&alice(), at(*job)).await.unwrap();
    }
    // All four slots come free again.
    let next = site.create("finish").await;
    site.until(next, Phase::Completed).await;
}

async fn a_job_is_suspended_while_it_waits_for_a_resource(backend: Backend) {
    let site = Site::start(backend).await;
    let job = site.create("suspend").await;
    site.until(job, Phase::Suspended).await;
    // WAIT does not block in SUSPENDED.
    let waited = site
        .jobs
        .wait(
            &alice(),
            at(job),
            Wait {
                seconds: None,
                phase: None,
            },
        )
        .await
        .unwrap();
    assert_eq!(waited.phase, Phase::Suspended);
    site.probe.gate.add_permits(1);
    site.until(job, Phase::Completed).await;
}

async fn a_held_job_runs_only_after_another_run(backend: Backend) {
    let site = Site::start(backend).await;
    let operator = Caller {
        name: "o".into(),
        role: Role::Operator,
        limits: Limits::default(),
        address: None,
    };
    let busy: Vec<JobId> = futures::stream::iter(0..4)
        .then(|_| site.create("gate"))
        .collect()
        .await;
    for job in &busy {
        site.until(*job, Phase::Executing).await;
    }
    let job = site.create("finish").await;
    assert_eq!(site.get(job).await.info.queue_position, Some(1));
    assert!(matches!(
        site.jobs.hold(&alice(), at(job)).await,
        Err(JobsError::Role)
    ));
    assert_eq!(
        site.jobs.hold(&operator, at(job)).await.unwrap().phase,
        Phase::Held
    );
    site.probe.gate.add_permits(4);
    for job in busy {
        site.until(job, Phase::Completed).await;
    }
    // A job that was queued later has run meanwhile, the held one has not.
    let later = site.create("finish").await;
    site.until(later, Phase::Completed).await;
    assert_eq!(site.get(job).await.phase, Phase::Held);
    site.jobs.run(&alice(), at(job)).await.unwrap();
    site.until(job, Phase::Completed).await;
}

/// Told by the hint, and by the heartbeat where the hint is lost.
async fn a_drained_worker_ends_what_it_runs_and_takes_more_once_resumed(backend: Backend) {
    let operator = Caller {
        name: "o".into(),
        role: Role::Operator,
        limits: Limits::default(),
        address: None,
    };
    for by_hint in [true, false] {
        let mut site = Site::idle_with(
            backend,
            EngineSettings {
                heartbeat: if by_hint {
                    Duration::from_hours(1)
                } else {
                    settings().heartbeat
                },
                lease: Duration::from_hours(4),
                ..settings()
            },
        )
        .await;
        site.work();
        let running = site.create("gate").await;
        site.until(running, Phase::Executing).await;
        let worker = site.engine.store.workers().await.unwrap()[0].id;
        assert!(matches!(
            site.jobs.set_draining(&alice(), worker, true).await,
            Err(JobsError::Role)
        ));
        let tell = async |draining| {
            let told = if by_hint {
                site.jobs.set_draining(&operator, worker, draining).await.unwrap()
            } else {
                let told = site.engine.store.set_draining(worker, draining).await;
                told.unwrap().unwrap()
            };
            assert_eq!(told.draining, draining);
        };

        tell(true).await;
        // With the same lease: a shorter one would give up the first.
        let mut other = Site::over(
            site.url.clone(),
            Arc::clone(&site.database),
            Arc::clone(&site.folder),
            site.engine.settings.clone(),
        )
        .await;
        other.work();
        let taken = site.create("finish").await;
        site.until(taken, Phase::Completed).await;
        let runs = |site: &Site| site.probe.runs.load(Ordering::SeqCst);
        assert_eq!((runs(&site), runs(&other)), (1, 1));
        site.probe.gate.add_permits(1);
        site.until(running, Phase::Completed).await;

        // Only the drained one is left.
        other.stop.cancel();
        other.worker.take().unwrap().await.unwrap();
        let waiting = site.create("finish").await;
        assert_eq!(site.get(waiting).await.phase, Phase::Queued);
        let queue = site.jobs.queue_depth(&operator).await.unwrap();
        assert_eq!(
            (queue.services[0].queued, queue.services[0].oldest.is_some()),
            (1, true)
        );
        assert_eq!((queue.workers.len(), queue.workers[0].slots), (1, Some(4)));
        tell(false).await;
        site.until(waiting, Phase::Completed).await;
        assert_eq!(runs(&site), 2);
    }
}

async fn a_draining_worker_puts_its_jobs_back(backend: Backend) {
    let mut site = Site::start(backend).await;
    let job = site.create("wait").await;
    let quick = site.create("gate").await;
    site.until(job, Phase::Executing).await;
    site.until(quick, Phase::Executing).await;
    let worker = site.worker.take().unwrap();
    site.stop.cancel();
    site.probe.gate.add_permits(1);
    worker.await.unwrap();
    // The one that could end has ended, the other is queued again with nothing to show.
    assert_eq!(site.get(quick).await.phase, Phase::Completed);
    let back = site.get(job).await;
    assert_eq!((back.phase, back.results.len()), (Phase::Queued, 0));
    assert!(site.objects(job).is_empty());
    let other = site.replica().await;
    other.until(job, Phase::Executing).await;
}

async fn a_worker_that_was_given_up_writes_nothing_more(backend: Backend) {
    let site = Site::start(backend).await;
    let job = site.create("gate").await;
    site.until(job, Phase::Executing).await;
    // Another replica finds the worker dead, as after a long pause: every lease is lost at once.
    let lost = site.engine.store.give_up(-1).await.unwrap();
    assert_eq!(lost, [job]);
    site.probe.gate.add_permits(2);
    let done = site.until(job, Phase::Completed).await;
    assert_eq!(
        done.results.iter().map(|r| r.id.as_str()).collect::<Vec<_>>(),
        ["late.txt"]
    );
    assert_eq!(site.probe.runs.load(Ordering::SeqCst), 2);
    let mut watch = site.jobs.watch(job);
    while site.objects(job).len() != 1 {
        watch.changed().await;
    }
}

async fn a_worker_is_on_the_books_before_it_claims(backend: Backend) {
    let mut site = Site::idle(backend).await;
    let job = site.create("finish").await;
    let store = site.engine.store.clone();
    let sweeping = tokio::spawn(async move {
        loop {
            assert!(
                store.give_up(60_000).await.unwrap().is_empty(),
                "a job was taken from a worker that lives"
            );
        }
    });
    site.work();
    site.until(job, Phase::Completed).await;
    assert_eq!(site.probe.runs.load(Ordering::SeqCst), 1);
    assert!(!sweeping.is_finished());
    sweeping.abort();
}

async fn others_see_nothing_of_a_job(backend: Backend) {
    let site = Site::start(backend).await;
    let bob = Caller {
        name: "bob".into(),
        role: Role::User,
        limits: Limits::default(),
        address: None,
    };
    let job = site.create("finish").await;
    site.until(job, Phase::Completed).await;
    let place = at(job);
    let jobs = &site.jobs;
    let refused = [
        jobs.get(&bob, place).await.err(),
        jobs.wait(&bob, place, Wait::default()).await.err(),
        jobs.run(&bob, place).await.err(),
        jobs.abort(&bob, place).await.err(),
        jobs.delete(&bob, place).await.err(),
        jobs.set_parameters(&bob, place, Submission::default())
            .await
            .err(),
        jobs.set_execution_duration(&bob, place, 1).await.err(),
        jobs.set_destruction(&bob, place, "2999".parse().unwrap())
            .await
            .err(),
        jobs.set_run_id(&bob, place, None).await.err(),
        jobs.results(&bob, place).await.err(),
        jobs.result(&bob, place, "result").await.err(),
        jobs.parameter(&bob, place, "ACT").await.err(),
        jobs.log(&bob, place, 0).await.err(),
    ];
    for (n, error) in refused.iter().enumerate() {
        assert!(matches!(error, Some(JobsError::Forbidden)), "{n}: {error:?}");
    }
    assert!(
        jobs.search(&bob, &SearchFilter::default(), None, 10)
            .await
            .unwrap()
            .items
            .is_empty()
    );
    let unknown = jobs.get(&bob, at(JobId::new())).await;
    assert!(matches!(unknown, Err(JobsError::NotFound(_))));
    // A job is found only below its own service.
    let elsewhere = jobs
        .get(
            &alice(),
            Place {
                service: Some("echo"),
                id: job,
            },
        )
        .await;
    assert!(matches!(elsewhere, Err(JobsError::NotFound(_))));
}

async fn operators_see_every_job(backend: Backend) {
    let site = Site::start(backend).await;
    let operator = Caller {
        name: "o".into(),
        role: Role::Operator,
        limits: Limits::default(),
        address: None,
    };
    let job = site.create("finish").await;
    site.until(job, Phase::Completed).await;
    assert_eq!(
        site.jobs.get(&operator, at(job)).await.unwrap().owner.as_deref(),
        Some("alice")
    );
    site.jobs.delete(&operator, at(job)).await.unwrap();
}

async fn edits_at_once_lose_nothing(backend: Backend) {
    let site = Site::idle(backend).await;
    let job = site
        .jobs
        .create(&alice(), "probe", Submission::default())
        .await
        .unwrap()
        .id;
    let jobs = site.jobs.clone();
    let slow = tokio::spawn(async move {
        jobs.set_parameters(&alice(), at(job), parameter("ACT", "slow check"))
            .await
    });
    site.probe.checking.acquire().await.unwrap().forget();
    // While the first is being checked another comes through; the first then starts from what that has left.
    site.jobs
        .set_parameters(&alice(), at(job), parameter("NOTE", "other"))
        .await
        .unwrap();
    site.probe.checked.add_permits(2);
    let edited = slow.await.unwrap().unwrap();
    assert_eq!(edited.parameters.text("ACT"), Ok(Some("slow check")));
    assert_eq!(edited.parameters.text("NOTE"), Ok(Some("other")));
    assert_eq!(site.get(job).await, edited);
}

async fn what_is_queued_is_what_was_checked(backend: Backend) {
    let site = Site::idle(backend).await;
    for replaced in ["refuse", "finish"] {
        site.probe.checked.add_permits(1);
        let slow = parameter("ACT", "slow check");
        let job = site.jobs.create(&alice(), "probe", slow).await.unwrap().id;
        site.probe.checking.acquire().await.unwrap().forget();
        let jobs = site.jobs.clone();
        let running = tokio::spawn(async move { jobs.run(&alice(), at(job)).await });
        site.probe.checking.acquire().await.unwrap().forget();
        site.jobs
            .set_parameters(&alice(), at(job), parameter("ACT", replaced))
            .await
            .unwrap();
        site.probe.checked.add_permits(1);
        let run = running.await.unwrap();
        if replaced == "refuse" {
            assert!(matches!(run, Err(JobsError::Usage(_))), "{run:?}");
            assert_eq!(site.get(job).await.phase, Phase::Pending);
        } else {
            assert_eq!(run.unwrap().phase, Phase::Queued);
        }
    }
}

async fn a_file_that_is_replaced_while_it_is_checked_is_looked_at_anew(backend: Backend) {
    let site = Site::idle(backend).await;
    let file = |text: &'static str| Upload {
        name: "FILE".into(),
        media_type: "text/csv".into(),
        bytes: Bytes::from_static(text.as_bytes()),
    };
    let with_file = |act, text| Submission {
        uploads: vec![file(text)],
        ..parameter("ACT", act)
    };
    site.probe.checked.add_permits(1);
    let job = with_file("slow check", "old");
    let job = site.jobs.create(&alice(), "probe", job).await.unwrap().id;
    site.probe.checking.acquire().await.unwrap().forget();
    let jobs = site.jobs.clone();
    let running = tokio::spawn(async move { jobs.run(&alice(), at(job)).await });
    site.probe.checking.acquire().await.unwrap().forget();
    site.jobs
        .set_parameters(&alice(), at(job), with_file("finish", "new"))
        .await
        .unwrap();
    // The old file is gone by now.
    assert_eq!(site.objects(job).len(), 1);
    site.probe.checked.add_permits(1);
    assert_eq!(running.await.unwrap().unwrap().phase, Phase::Queued);
    // One that is gone for another reason is the server's fault.
    site.probe.checked.add_permits(1);
    let lost = with_file("slow check", "lost");
    let lost = site.jobs.create(&alice(), "probe", lost).await.unwrap().id;
    site.engine
        .results
        .delete_prefix(&format!("{lost}/"))
        .await
        .unwrap();
    site.probe.checked.add_permits(1);
    let run = site.jobs.run(&alice(), at(lost)).await;
    assert!(matches!(run, Err(JobsError::Unavailable(_))), "{run:?}");
}

async fn a_repeated_idempotency_key_makes_one_job(backend: Backend) {
    let site = Site::start(backend).await;
    let keyed = Submission {
        idempotency_key: Some("k".into()),
        ..submission("finish")
    };
    let first = site.jobs.create(&alice(), "probe", keyed.clone()).await.unwrap();
    let second = site.jobs.create(&alice(), "probe", keyed.clone()).await.unwrap();
    assert_eq!(first.id, second.id);
    // A first request that was cut off before it ran the job is made good by the second.
    let pending = Submission {
        run: false,
        idempotency_key: Some("p".into()),
        ..submission("finish")
    };
    let job = site
        .jobs
        .create(&alice(), "probe", pending.clone())
        .await
        .unwrap();
    assert_eq!(job.phase, Phase::Pending);
    let run = Submission { run: true, ..pending };
    site.jobs.create(&alice(), "probe", run).await.unwrap();
    site.until(job.id, Phase::Completed).await;
    let bob = Caller {
        name: "bob".into(),
        role: Role::User,
        limits: Limits::default(),
        address: None,
    };
    assert_ne!(site.jobs.create(&bob, "probe", keyed).await.unwrap().id, first.id);
}

async fn a_failed_last_attempt_keeps_what_it_has_shown(backend: Backend) {
    let site = Site::start(backend).await;
    let job = site.create("hopeless").await;
    let job = site.until(job, Phase::Error).await;
    assert_eq!(job.results.len(), 1);
    let result = site.jobs.result(&alice(), at(job.id), "part.txt").await.unwrap();
    assert_eq!(
        site.engine.results.read(&result.object, 10).await.unwrap(),
        "part"
    );
    assert_eq!(site.objects(job.id), ["part.txt"]);
}

async fn bulk_acts_tell_how_each_job_fared(backend: Backend) {
    let site = Site::start(backend).await;
    let done = site.create("finish").await;
    site.until(done, Phase::Completed).await;
    let running = site.create("wait").await;
    site.until(running, Phase::Executing).await;
    let unknown = JobId::new();
    let ids = BulkTarget::Ids(vec![done, running, unknown]);
    let outcomes = site.jobs.bulk(&alice(), BulkAction::Abort, &ids).await.unwrap();
    assert!(matches!(outcomes[0].error, Some(JobsError::IllegalPhase { .. })));
    assert!(outcomes[1].error.is_none());
    assert!(matches!(outcomes[2].error, Some(JobsError::NotFound(_))));
    let all = BulkTarget::Filter(SearchFilter::default());
    assert!(
        site.jobs
            .bulk(&alice(), BulkAction::Abort, &all)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        site.jobs
            .bulk(&alice(), BulkAction::Delete, &all)
            .await
            .unwrap()
            .len(),
        2
    );
    assert!(
        site.jobs
            .counts(&alice(), &SearchFilter::default())
            .await
            .unwrap()
            .is_empty()
    );
}

async fn a_destroyed_job_leaves_a_tombstone_and_no_object(backend: Backend) {
    let site = Site::start(backend).await;
    let job = site.create("wait").await;
    let mut watch = site.jobs.watch(job);
    while site.get(job).await.results.is_empty() {
        watch.changed().await;
    }
    site.jobs.delete(&alice(), at(job)).await.unwrap();
    site.probe.stopped.acquire().await.unwrap().forget();
    assert!(matches!(site.jobs.get(&alice(), at(job)).await, Err(JobsError::Gone(stone)) if stone.id == job));
    assert!(matches!(
        site.jobs.delete(&alice(), at(job)).await,
        Err(JobsError::Gone(_))
    ));
    assert!(site.objects(job).is_empty());
}

async fn objects_without_a_job_are_swept(backend: Backend) {
    let site = Site::start(backend).await;
    let orphan = JobId::new();
    let done = site.create("finish").await;
    site.until(done, Phase::Completed).await;
    for key in [format!("{orphan}/1/x.fits"), format!("{done}/0/left.fits")] {
        site.engine
            .results
            .put_bytes(&key, "image/fits", Bytes::from_static(b"x"))
            .await
            .unwrap();
    }
    let gone = async {
        while !site.objects(orphan).is_empty() || site.objects(done) != ["a.txt"] {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), gone)
        .await
        .expect("swept");
}

async fn events_tell_of_ones_own_jobs(backend: Backend) {
    let site = Site::start(backend).await;
    let mut mine = site.jobs.events(&alice(), None);
    let mut others = site.jobs.events(
        &Caller {
            name: "bob".into(),
            role: Role::User,
            limits: Limits::default(),
            address: None,
        },
        None,
    );
    let job = site.create("finish").await;
    loop {
        if let EventKind::Job(summary) = mine.next().await.unwrap().kind {
            assert_eq!(summary.job.id, job);
            if summary.job.phase == Phase::Completed {
                break;
            }
        }
    }
    site.jobs.delete(&alice(), at(job)).await.unwrap();
    while !matches!(mine.next().await.unwrap().kind, EventKind::Destroyed(_)) {}
    site.jobs.close();
    assert!(others.next().await.is_none(), "another's job was told of");
}

async fn an_owner_runs_no_more_jobs_than_the_limit(backend: Backend) {
    let limited = Some(1);
    for (per_owner, own) in [(limited, None), (None, limited), (Some(3), limited)] {
        let mut site = Site::idle(backend).await;
        let store = &site.engine.store;
        for (name, running) in [("alice", own), ("bob", Some(0))] {
            store.person_seen(name, name, "user").await.unwrap();
            let quota = Quota {
                running,
                ..Quota::default()
            };
            store.set_quota(name, quota).await.unwrap().unwrap();
        }
        let bob = Caller {
            name: "bob".into(),
            ..alice()
        };
        let mut jobs = Vec::new();
        for caller in [alice(), alice(), bob.clone(), bob] {
            let job = site
                .jobs
                .create(&caller, "probe", submission("wait"))
                .await
                .unwrap();
            jobs.push(job.id);
        }
        let [first, second, others @ ..] = &jobs[..] else {
            unreachable!()
        };
        let until_running = async |id: JobId| {
            let mut watch = site.jobs.watch(id);
            while site.engine.store.phase(id).await.unwrap().unwrap().0 != Phase::Executing {
                watch.changed().await;
            }
        };
        // The worker has a slot for each of them.
        let per_owner = PerOwner {
            running: per_owner,
            ..PerOwner::default()
        };
        site.worker = Some(site.engine.run_jobs(4, per_owner, "test", site.stop.clone()));
        let running = [first, &others[0], &others[1]].map(|id| until_running(*id));
        tokio::time::timeout(Duration::from_mins(1), futures::future::join_all(running))
            .await
            .expect("one of the owner's and all of the other's run");
        assert_eq!(site.get(*second).await.phase, Phase::Queued);
        site.jobs.abort(&alice(), at(*first)).await.unwrap();
        site.until(*second, Phase::Executing).await;
        site.stop.cancel();
    }
}
