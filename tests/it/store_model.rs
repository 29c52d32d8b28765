//! Random walks of the store beside a plain model in memory: after every step both say the same of every job's phase,
//! fence, attempts, place in the queue and visible results, on SQLite and on PostgreSQL.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{
    collection::vec,
    prelude::*,
    sample::Index,
    test_runner::{Config, TestCaseError, TestError, TestRunner},
};
use sidereal::{
    store::{
        Ending, Finish, Lease, LeaseLost, NewJob, NewLine, Progress, Report, Store, StoredResult, WorkerId,
        jobs::Edit,
    },
    uws::{ErrorKind, ErrorSummary, Event, JobId, Phase},
};
use sqlx::{Connection, Executor, PgConnection, Row, SqliteConnection};
use uuid::Uuid;

use crate::{
    harness::Backend,
    store::{Home, STEP, new_job},
};

const SERVICES: [&str; 2] = ["echo", "cutout"];
const OWNERS: [&str; 3] = ["ann", "bob", "cid"];
const WORKERS: usize = 3;
const HOUR: i64 = 3_600_000;

#[derive(Debug, Clone)]
enum Step {
    Create {
        owner: usize,
        service: usize,
        priority: i64,
        max_attempts: u32,
    },
    Edit(Index),
    /// At a pace of `STEP` divided by this.
    Run(Index, i64),
    Hold(Index),
    Claim {
        worker: usize,
        limit: u64,
        services: usize,
    },
    Beat(usize),
    Report {
        lease: Index,
        results: u64,
    },
    Pause(Index, bool),
    Finish(Vec<(Index, End)>),
    Abort(Index),
    /// A worker that beats no more; a sweep takes its jobs back.
    Crash(usize),
    /// No worker was heard for too long.
    Outage,
    Destroy(Index),
}

#[derive(Debug, Clone, Copy)]
enum End {
    Completed,
    Failed,
    RetryNow,
    RetryLater,
    TimedOut,
    Released,
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        2 => Just(End::Completed),
        1 => Just(End::Failed),
        1 => Just(End::RetryNow),
        1 => Just(End::RetryLater),
        1 => Just(End::TimedOut),
        1 => Just(End::Released),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..OWNERS.len(), 0..SERVICES.len(), 0..2_i64, 1..4_u32).prop_map(
            |(owner, service, priority, max_attempts)| Step::Create { owner, service, priority, max_attempts }
        ),
        1 => any::<Index>().prop_map(Step::Edit),
        8 => (any::<Index>(), 1..3_i64).prop_map(|(job, pace)| Step::Run(job, pace)),
        1 => any::<Index>().prop_map(Step::Hold),
        6 => (0..WORKERS, 0..4_u64, 1..=SERVICES.len()).prop_map(
            |(worker, limit, services)| Step::Claim { worker, limit, services }
        ),
        1 => (0..WORKERS).prop_map(Step::Beat),
        4 => (any::<Index>(), 0..3_u64).prop_map(|(lease, results)| Step::Report { lease, results }),
        2 => (any::<Index>(), any::<bool>()).prop_map(|(lease, suspended)| Step::Pause(lease, suspended)),
        4 => vec((any::<Index>(), end()), 1..4).prop_map(Step::Finish),
        1 => any::<Index>().prop_map(Step::Abort),
        1 => (0..WORKERS).prop_map(Step::Crash),
        1 => Just(Step::Outage),
        1 => any::<Index>().prop_map(Step::Destroy),
    ]
}

/// What the model knows of a job.
#[derive(Debug, Clone)]
struct Known {
    owner: usize,
    service: usize,
    priority: i64,
    phase: Phase,
    fence: i64,
    attempt: u32,
    max_attempts: u32,
    vtime: i64,
    /// Whether it may be claimed before the test's end.
    ready: bool,
    worker: Option<usize>,
    results: Vec<String>,
    done: Option<u64>,
}

impl Known {
    /// Whether it waits for its first run.
    fn is_fresh(&self) -> bool {
        self.phase == Phase::Queued && self.fence == 0
    }

    /// Goes on by `event`, if the standard's table has it so.
    fn go(&mut self, event: Event) -> bool {
        let Some(phase) = self.phase.after(event) else {
            return false;
        };
        self.phase = phase;
        if !phase.is_running() {
            self.worker = None;
        }
        true
    }

    fn go_back(&mut self, ready: bool) {
        assert!(self.go(Event::Requeue));
        self.fence += 1;
        self.results.clear();
        self.done = None;
        self.ready = ready;
    }

    fn retry(&mut self, ready: bool) {
        if self.attempt < self.max_attempts {
            self.go_back(ready);
        } else {
            assert!(self.go(Event::Fail));
        }
    }
}

#[derive(Debug, Default)]
struct Model {
    jobs: BTreeMap<JobId, Known>,
    /// Virtual time of each owner's last queued job by priority.
    last: BTreeMap<(usize, i64), i64>,
    destroyed: BTreeSet<JobId>,
}

impl Model {
    /// The jobs in the queue, first to last.
    fn queue(&self) -> Vec<JobId> {
        let mut queue: Vec<_> = self
            .jobs
            .iter()
            .filter(|(_, job)| job.phase == Phase::Queued)
            .map(|(id, job)| (-job.priority, job.vtime, *id))
            .collect();
        queue.sort_unstable();
        queue.into_iter().map(|(_, _, id)| id).collect()
    }

    /// What becomes of a job by `event`, if it is there.
    fn go(&mut self, id: JobId, event: Event) -> bool {
        self.jobs.get_mut(&id).is_some_and(|job| job.go(event))
    }

    /// Start-time fair queueing, told once more.
    fn run(&mut self, id: JobId, step: i64) -> bool {
        let Some(me) = self.jobs.get(&id).cloned() else {
            return false;
        };
        if me.phase.after(Event::Run).is_none() {
            return false;
        }
        let class = || self.jobs.values().filter(|job| job.priority == me.priority);
        let fresh = |job: &&Known| job.is_fresh();
        let next = class()
            .filter(fresh)
            .filter(|job| job.service == me.service)
            .map(|job| job.vtime)
            .min();
        let latest = class()
            .filter(|job| job.phase.is_running())
            .map(|job| job.vtime)
            .max();
        let clock = match (next, latest) {
            (Some(next), Some(latest)) => Some(next.min(latest)),
            (None, None) => class().filter(fresh).map(|job| job.vtime).min(),
            _ => next.or(latest),
        };
        let waits = class().filter(fresh).any(|job| job.owner == me.owner);
        let vtime = match (clock, self.last.get(&(me.owner, me.priority))) {
            (None, _) => 0,
            (Some(clock), None) => clock,
            (Some(clock), Some(last)) if waits => clock.max(last + step),
            (Some(clock), Some(last)) => clock.max(clock.min(*last) + step),
        };
        self.last.insert((me.owner, me.priority), vtime);
        let job = self.jobs.get_mut(&id).expect("the job");
        job.vtime = vtime;
        job.ready = true;
        job.go(Event::Run)
    }

    fn claim(&mut self, worker: usize, services: usize, limit: u64) -> Vec<Lease> {
        let mut leases = Vec::new();
        for id in self.queue() {
            let job = self.jobs.get_mut(&id).expect("the job");
            if leases.len() as u64 == limit {
                break;
            }
            if job.ready && job.service < services {
                assert!(job.go(Event::Claim));
                job.worker = Some(worker);
                job.fence += 1;
                job.attempt += 1;
                leases.push(Lease {
                    job: id,
                    fence: job.fence,
                });
            }
        }
        leases
    }

    /// The job of a lease that still holds.
    fn leased(&mut self, lease: Lease) -> Option<&mut Known> {
        self.jobs
            .get_mut(&lease.job)
            .filter(|job| job.fence == lease.fence && job.phase.is_running())
    }

    fn finish(&mut self, lease: Lease, end: End) -> bool {
        let Some(job) = self.leased(lease) else {
            return false;
        };
        match end {
            End::Completed => {
                job.go(Event::Resume);
                assert!(job.go(Event::Complete));
            }
            End::Failed => assert!(job.go(Event::Fail)),
            End::TimedOut => assert!(job.go(Event::Abort)),
            End::RetryNow => job.retry(true),
            End::RetryLater => job.retry(false),
            End::Released => {
                job.attempt -= 1;
                job.go_back(true);
            }
        }
        true
    }

    /// Takes the jobs of these workers back.
    fn give_up(&mut self, lost: impl Fn(usize) -> bool) -> BTreeSet<JobId> {
        let mut changed = BTreeSet::new();
        for (id, job) in &mut self.jobs {
            if job.worker.is_some_and(&lost) {
                job.retry(true);
                changed.insert(*id);
            }
        }
        changed
    }

    fn held_by(&self, worker: usize) -> BTreeSet<(JobId, i64)> {
        self.jobs
            .iter()
            .filter(|(_, job)| job.worker == Some(worker))
            .map(|(id, job)| (*id, job.fence))
            .collect()
    }
}

/// The store, the model, and what a client would remember.
struct Walk<'a> {
    store: &'a Store,
    database: &'a mut Database,
    model: Model,
    workers: Vec<WorkerId>,
    created: Vec<JobId>,
    leases: Vec<Lease>,
    reported: u64,
}

impl Walk<'_> {
    fn job(&self, index: Index) -> Option<JobId> {
        (!self.created.is_empty()).then(|| *index.get(&self.created))
    }

    /// One of the leases that there were, lost ones among them; mostly of the last few.
    fn lease(&self, index: Index) -> Option<Lease> {
        let last = &self.leases[self.leases.len().saturating_sub(6)..];
        (!last.is_empty()).then(|| *index.get(last))
    }

    async fn take(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Create {
                owner,
                service,
                priority,
                max_attempts,
            } => self.create(owner, service, priority, max_attempts).await,
            Step::Claim {
                worker,
                limit,
                services,
            } => self.claim(worker, limit, services).await?,
            Step::Beat(worker) => self.beat(worker).await?,
            Step::Report { lease, results } => {
                if let Some(lease) = self.lease(lease) {
                    self.report(lease, results).await?;
                }
            }
            Step::Pause(lease, suspended) => {
                if let Some(lease) = self.lease(lease) {
                    let paused = self.store.pause(lease, suspended).await.expect("an answer");
                    let job = self.model.leased(lease);
                    prop_assert_eq!(paused, job.is_some().then_some(()).ok_or(LeaseLost));
                    if let Some(job) = job {
                        job.go(if suspended { Event::Suspend } else { Event::Resume });
                    }
                }
            }
            Step::Finish(ends) => self.finish(ends).await?,
            Step::Crash(worker) => {
                self.store.retire(self.workers[worker]).await.expect("an answer");
                let changed = self.model.give_up(|lost| lost == worker);
                self.swept(HOUR, &changed).await?;
                self.register(worker).await;
            }
            Step::Outage => {
                let changed = self.model.give_up(|_| true);
                self.swept(-1, &changed).await?;
                for worker in 0..WORKERS {
                    let beat = self.store.beat(self.workers[worker]).await.expect("an answer");
                    prop_assert_eq!(beat, None);
                    self.register(worker).await;
                }
            }
            Step::Edit(job) | Step::Run(job, _) | Step::Hold(job) | Step::Abort(job) | Step::Destroy(job) => {
                if let Some(id) = self.job(job) {
                    self.ask(&step, id).await?;
                }
            }
        }
        self.compare().await
    }

    /// What a job's owner or an operator may ask for.
    async fn ask(&mut self, step: &Step, id: JobId) -> Result<(), TestCaseError> {
        let (done, expected) = match step {
            Step::Edit(_) => {
                let edit = Edit::Description {
                    version: self.version(id).await,
                    parameters: new_job("").parameters,
                    quote: None,
                    run_id: None,
                };
                let job = self.model.jobs.get(&id);
                let pending = job.is_some_and(|job| job.phase == Phase::Pending);
                (self.store.edit(id, edit).await.map(|job| job.is_some()), pending)
            }
            Step::Run(_, pace) => {
                let step = STEP / pace;
                let version = self.version(id).await;
                let run = self.store.run(id, version, step).await.map(|job| job.is_some());
                (run, self.model.run(id, step))
            }
            Step::Hold(_) => (
                self.store.hold(id).await.map(|job| job.is_some()),
                self.model.go(id, Event::Hold),
            ),
            Step::Abort(_) => (
                self.store.abort(id).await.map(|job| job.is_some()),
                self.model.go(id, Event::Abort),
            ),
            _ => {
                self.model.destroyed.insert(id);
                (
                    self.store.destroy(id).await.map(|tombstone| tombstone.is_some()),
                    self.model.jobs.remove(&id).is_some(),
                )
            }
        };
        prop_assert_eq!(done.expect("an answer"), expected);
        Ok(())
    }

    /// The version of a job, or of none.
    async fn version(&self, id: JobId) -> i64 {
        self.store
            .phase(id)
            .await
            .expect("an answer")
            .map_or(0, |(_, version)| version)
    }

    async fn create(&mut self, owner: usize, service: usize, priority: i64, max_attempts: u32) {
        let new = NewJob {
            service: SERVICES[service].into(),
            priority,
            max_attempts,
            ..new_job(OWNERS[owner])
        };
        self.store.create(&new).await.expect("an answer");
        self.created.push(new.id);
        let known = Known {
            owner,
            service,
            priority,
            phase: Phase::Pending,
            fence: 0,
            attempt: 0,
            max_attempts,
            vtime: 0,
            ready: true,
            worker: None,
            results: Vec::new(),
            done: None,
        };
        self.model.jobs.insert(new.id, known);
    }

    async fn claim(&mut self, worker: usize, limit: u64, services: usize) -> Result<(), TestCaseError> {
        let names: Vec<String> = SERVICES[..services].iter().map(|name| (*name).into()).collect();
        let claimed = self.store.claim(self.workers[worker], &names, limit).await;
        let claimed: Vec<Lease> = claimed
            .expect("an answer")
            .into_iter()
            .map(|claimed| claimed.lease)
            .collect();
        prop_assert_eq!(&claimed, &self.model.claim(worker, services, limit));
        self.leases.extend(claimed);
        Ok(())
    }

    async fn beat(&mut self, worker: usize) -> Result<(), TestCaseError> {
        let held = self.store.beat(self.workers[worker]).await.expect("an answer");
        let held: Option<BTreeSet<_>> = held.map(|beat| {
            beat.held
                .into_iter()
                .map(|held| (held.lease.job, held.lease.fence))
                .collect()
        });
        prop_assert_eq!(held, Some(self.model.held_by(worker)));
        Ok(())
    }

    async fn register(&mut self, worker: usize) {
        self.workers[worker] = WorkerId(Uuid::now_v7());
        let registered = self.store.register(self.workers[worker], "host", 1, false).await;
        registered.expect("an answer");
    }

    async fn report(&mut self, lease: Lease, results: u64) -> Result<(), TestCaseError> {
        let first = self.reported;
        self.reported += results + 1;
        let report = Report {
            progress: Some(Progress {
                done: first,
                total: first,
                failed: first,
                note: String::new(),
            }),
            results: (first..first + results)
                .map(|n| StoredResult {
                    name: format!("result {n}"),
                    media_type: "text/plain".into(),
                    size: n,
                    sha256: String::new(),
                    object: format!("{n}"),
                    principal: false,
                    recipe: None,
                })
                .collect(),
            lines: vec![NewLine {
                sequence: first + 1,
                line: String::new(),
            }],
        };
        let told = self.store.report(lease, &report, first).await.expect("an answer");
        let job = self.model.leased(lease);
        prop_assert_eq!(told, job.is_some().then_some(()).ok_or(LeaseLost));
        if let Some(job) = job {
            job.results
                .extend(report.results.into_iter().map(|result| result.name));
            job.done = Some(first);
        }
        Ok(())
    }

    async fn finish(&mut self, ends: Vec<(Index, End)>) -> Result<(), TestCaseError> {
        let error = || ErrorSummary {
            kind: ErrorKind::Transient,
            message: "it broke".into(),
            detail: None,
        };
        let mut finishes: Vec<Finish> = Vec::new();
        let mut expected = BTreeSet::new();
        for (index, end) in ends {
            let Some(lease) = self.lease(index) else {
                return Ok(());
            };
            // A worker ends each run of its own once.
            if finishes.iter().any(|finish| finish.lease.job == lease.job) {
                continue;
            }
            let ending = match end {
                End::Completed => Ending::Completed,
                End::Failed => Ending::Failed(error()),
                End::RetryNow => Ending::Retry(error(), 0),
                End::RetryLater => Ending::Retry(error(), HOUR),
                End::TimedOut => Ending::TimedOut(error()),
                End::Released => Ending::Released,
            };
            finishes.push(Finish { lease, ending });
            if self.model.finish(lease, end) {
                expected.insert(lease.job);
            }
        }
        let held = self.store.finish(&finishes).await.expect("an answer");
        prop_assert_eq!(held.into_iter().collect::<BTreeSet<_>>(), expected);
        Ok(())
    }

    async fn swept(&self, lease_ms: i64, expected: &BTreeSet<JobId>) -> Result<(), TestCaseError> {
        let changed = self.store.give_up(lease_ms).await.expect("an answer");
        prop_assert_eq!(&changed.into_iter().collect::<BTreeSet<_>>(), expected);
        Ok(())
    }

    /// Every job's row against the model; one job's document and results, in turn.
    async fn compare(&mut self) -> Result<(), TestCaseError> {
        let rows = self.database.rows().await;
        let found: Vec<_> = rows
            .iter()
            .map(|row| (row.id, row.phase, row.fence, row.attempt))
            .collect();
        let jobs = &self.model.jobs;
        let expected: Vec<_> = jobs
            .iter()
            .map(|(id, job)| (*id, job.phase, job.fence, i64::from(job.attempt)))
            .collect();
        prop_assert_eq!(found, expected);
        let mut queue: Vec<_> = rows
            .iter()
            .filter(|row| row.phase == Phase::Queued)
            .map(|row| (-row.priority, row.vtime, row.id))
            .collect();
        queue.sort_unstable();
        let queue: Vec<JobId> = queue.into_iter().map(|(_, _, id)| id).collect();
        let expected = self.model.queue();
        prop_assert_eq!(&queue, &expected);

        self.reported += 1;
        let Some(turn) = self.reported.checked_rem(self.created.len() as u64) else {
            return Ok(());
        };
        let id = self.created[usize::try_from(turn).expect("an index")];
        let job = self.store.get(id).await.expect("an answer");
        let results = self.store.results(id).await.expect("an answer");
        let results: Vec<String> = results.into_iter().map(|result| result.name).collect();
        let Some(known) = self.model.jobs.get(&id) else {
            prop_assert!(job.is_none() && results.is_empty());
            let tombstone = self.store.destroyed(id).await.expect("an answer");
            prop_assert_eq!(tombstone.is_some(), self.model.destroyed.contains(&id));
            return Ok(());
        };
        let job = job.expect("the job");
        prop_assert_eq!(&results, &known.results);
        let listed: Vec<String> = job.results.into_iter().map(|result| result.id).collect();
        prop_assert_eq!(&listed, &known.results);
        prop_assert_eq!(job.info.progress_done, known.done);
        prop_assert_eq!(job.info.progress_failed, known.done);
        let place = expected.iter().position(|queued| *queued == id);
        prop_assert_eq!(job.info.queue_position, place.map(|place| place as u64 + 1));
        prop_assert_eq!(job.end_time.is_some(), known.phase.is_terminal());
        Ok(())
    }
}

/// The tables themselves, past the store.
enum Database {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// What only the table tells of a job.
struct JobRow {
    id: JobId,
    phase: Phase,
    fence: i64,
    attempt: i64,
    priority: i64,
    vtime: i64,
}

const ROWS: &str = "SELECT id, phase, fence, attempt, priority, vtime FROM job ORDER BY id";

macro_rules! job_rows {
    ($connection:expr) => {
        sqlx::query(ROWS)
            .fetch_all($connection)
            .await
            .expect("the rows")
            .iter()
            .map(|row| JobRow {
                id: JobId(row.get(0)),
                phase: row.get::<&str, _>(1).parse().expect("a phase"),
                fence: row.get(2),
                attempt: row.get(3),
                priority: row.get(4),
                vtime: row.get(5),
            })
            .collect()
    };
}

impl Database {
    async fn connect(url: &str) -> Self {
        if url.starts_with("sqlite:") {
            Self::Sqlite(SqliteConnection::connect(url).await.expect("the database"))
        } else {
            Self::Postgres(PgConnection::connect(url).await.expect("the database"))
        }
    }

    async fn rows(&mut self) -> Vec<JobRow> {
        match self {
            Self::Sqlite(connection) => job_rows!(connection),
            Self::Postgres(connection) => job_rows!(connection),
        }
    }

    async fn clear(&mut self) {
        for table in ["job", "worker", "job_owner", "job_destroyed"] {
            let delete = sqlx::AssertSqlSafe(format!("DELETE FROM {table}"));
            match self {
                Self::Sqlite(connection) => drop(connection.execute(delete).await.expect("deleted")),
                Self::Postgres(connection) => drop(connection.execute(delete).await.expect("deleted")),
            }
        }
    }
}

fn walk(backend: Backend, cases: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let home = runtime.block_on(Home::new(backend));
    let mut database = runtime.block_on(Database::connect(home.url()));
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let database = std::cell::RefCell::new(&mut database);
    let walked = TestRunner::new(config).run(&vec(step(), 1..80), |steps| {
        let mut database = database.borrow_mut();
        runtime.block_on(async {
            database.clear().await;
            let mut walk = Walk {
                store: &home.store,
                database: &mut database,
                model: Model::default(),
                workers: vec![WorkerId(Uuid::nil()); WORKERS],
                created: Vec::new(),
                leases: Vec::new(),
                reported: 0,
            };
            for worker in 0..WORKERS {
                walk.register(worker).await;
            }
            for step in steps {
                walk.take(step).await?;
            }
            Ok(())
        })
    });
    match walked {
        Ok(()) => {}
        Err(TestError::Fail(reason, steps)) => panic!("{reason}\nafter {steps:#?}"),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

#[test]
fn sqlite_does_as_the_model_does() {
    walk(Backend::Embedded, 64);
}

#[test]
fn postgres_does_as_the_model_does() {
    walk(Backend::Cluster, 64);
}
