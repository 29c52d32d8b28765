//! What the store promises in both dialects: one suite, which SQLite and PostgreSQL pass alike.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use futures::{
    future::{join_all, try_join_all},
    stream::{self, StreamExt as _},
};
use serde_json::json;
use sidereal::{
    store::{
        Depth, Dialect, Ending, Filter, Finish, Held, JobSummary, Lease, LeaseLost, NewJob, NewLine,
        Progress, Recipe, Report, Sql, Store, StoredResult, TOO_LONG, WorkerId,
        catalogue::{Image, ImageFilter, NewImage},
        jobs::{Created, Edit, FIRST_VERSION, MAX_LISTED_RESULTS},
        queue::{CLAIM, CLAIM_LIMITED, FINISH, RUN},
    },
    uws::{
        ErrorKind, ErrorSummary, Event, Job, JobId, ParameterValue, Parameters, Phase, Timestamp,
        phase::TRANSITIONS,
    },
};
use sqlx::{Connection, Executor, PgConnection, Row, SqliteConnection};
use tempfile::TempDir;
use uuid::Uuid;

use crate::harness::{Backend, Database, on_both_back_ends, rewrite};

/// The pace of an owner of weight 1.
pub(crate) const STEP: i64 = 1000;
/// Longer than any test.
pub(crate) const HOUR: i64 = 3_600_000;
const FULL_HOUR: Duration = Duration::from_hours(1);
/// Every worker was heard before that.
const AT_ONCE: i64 = -1;

/// A store over a database of its own, which goes with this value.
pub(crate) struct Home {
    pub(crate) store: Store,
    url: String,
    _place: Place,
}

enum Place {
    Folder { _folder: TempDir },
    Server { _database: Database },
}

impl Home {
    pub(crate) async fn new(backend: Backend) -> Self {
        let home = Self::bare(backend).await;
        home.store.migrate().await.unwrap();
        home
    }

    /// To look past the store.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Without tables.
    async fn bare(backend: Backend) -> Self {
        let (url, place) = match backend {
            Backend::Embedded => {
                let folder = tempfile::tempdir().unwrap();
                let url = format!("sqlite://{}", folder.path().join("store.db").display());
                (url, Place::Folder { _folder: folder })
            }
            Backend::Cluster => {
                let database = Database::empty().await;
                (database.url(), Place::Server { _database: database })
            }
        };
        Self {
            store: Store::open(&url).await.unwrap(),
            url,
            _place: place,
        }
    }
}

on_both_back_ends!(
    migrations_run_from_nothing_and_again,
    stores_that_start_together_migrate_once,
    a_job_is_stored_as_it_was_sent,
    an_unbounded_retention_is_a_time_that_can_be_written,
    an_idempotency_key_makes_one_job,
    a_key_is_free_once_its_job_is_destroyed,
    jobs_are_compared_by_name_and_the_newest_of_each_owner,
    a_description_is_edited_only_while_pending,
    every_transition_is_made_and_no_other,
    greater_priority_goes_first_and_a_claim_takes_what_it_asks_for,
    a_job_waits_until_its_time,
    hundreds_of_jobs_of_one_owner_do_not_stand_before_anothers_first,
    owners_take_turns,
    one_at_a_time_is_no_way_to_the_front,
    nothing_is_held_against_an_owner_once_the_queue_was_empty,
    jobs_taken_back_from_the_queue_do_not_count,
    a_job_that_waits_for_its_next_attempt_does_not_turn_the_clock_back,
    a_service_that_is_served_slowly_keeps_its_own_order,
    urgent_jobs_do_not_count_against_the_others,
    the_place_in_the_queue_is_told,
    writes_with_a_lost_lease_are_refused_and_its_results_unseen,
    an_ended_job_takes_no_writes,
    a_worker_beats_until_it_is_given_up,
    a_draining_worker_keeps_its_jobs_and_gets_no_more,
    the_work_of_each_service_is_counted,
    a_lost_job_is_tried_again_while_attempts_remain,
    a_released_job_keeps_its_attempts,
    a_retry_without_attempts_is_an_error,
    an_overdue_job_is_aborted,
    a_destroyed_job_leaves_a_tombstone,
    filters_mean_what_they_say,
    pages_have_no_gaps_and_no_repeats_while_jobs_come,
    a_running_job_with_many_results_lists_the_principal_ones_an_ended_one_all,
    what_was_made_is_found_by_its_recipe,
    a_report_becomes_visible,
    log_lines_are_read_on_from_any,
    text_with_nul_is_stored,
    images_are_found_by_their_words_in_any_case,
    tasks_that_claim_together_get_each_job_once,
    sweeps_at_once_take_each_job_back_once,
    an_owner_who_runs_many_at_once_wins_no_places,
    of_two_ends_one_holds,
    a_report_that_is_repeated_changes_nothing,
    jobs_are_found_by_their_ids,
    a_long_queue_is_read_by_its_indexes,
);

pub(crate) fn new_job(owner: &str) -> NewJob {
    NewJob {
        id: JobId::new(),
        service: "echo".into(),
        owner: owner.into(),
        run_id: None,
        parameters: Parameters::default(),
        quote: None,
        execution_duration: 60,
        destruction: None,
        retention: 86_400,
        max_attempts: 1,
        priority: 0,
        idempotency_key: None,
        fingerprint: None,
    }
}

fn parameters(text: &str) -> Parameters {
    let mut parameters = Parameters::default();
    parameters
        .push("MESSAGE", ParameterValue::Inline(text.into()))
        .unwrap();
    parameters
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) async fn create(store: &Store, new: NewJob) -> JobId {
    match store.create(&new).await.unwrap() {
        Created::New(job) => job.id,
        other => panic!("{other:?}"),
    }
}

/// Runs a job as it stands.
pub(crate) async fn run(store: &Store, id: JobId) -> Option<Job> {
    let (_, version) = store.phase(id).await.unwrap()?;
    store.run(id, version, STEP).await.unwrap()
}

pub(crate) async fn queue(store: &Store, new: NewJob) -> JobId {
    let id = create(store, new).await;
    run(store, id).await.expect("a job that may be run");
    id
}

async fn queue_many(store: &Store, owner: &str, count: usize) -> Vec<JobId> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(queue(store, new_job(owner)).await);
    }
    ids
}

pub(crate) async fn worker(store: &Store) -> WorkerId {
    let worker = WorkerId(Uuid::now_v7());
    store.register(worker, "host", 4, false).await.unwrap();
    worker
}

/// The jobs that a worker has, if it is on the books.
async fn beat(store: &Store, worker: WorkerId) -> Option<Vec<Held>> {
    store.beat(worker).await.unwrap().map(|beat| beat.held)
}

async fn claim(store: &Store, worker: WorkerId, limit: u64) -> Vec<Lease> {
    let claimed = store.claim(worker, &["echo".into()], limit).await.unwrap();
    claimed.into_iter().map(|claimed| claimed.lease).collect()
}

pub(crate) async fn claim_one(store: &Store, worker: WorkerId) -> Lease {
    claim(store, worker, 1).await[..]
        .first()
        .copied()
        .expect("a job in the queue")
}

/// Who owns the jobs that a worker gets, one claim after another.
async fn owners_claimed(store: &Store, worker: WorkerId, count: usize) -> Vec<String> {
    let mut owners = Vec::new();
    for _ in 0..count {
        let job = claim_one(store, worker).await.job;
        owners.push(store.owner(job).await.unwrap().unwrap().0);
    }
    owners
}

async fn finish(store: &Store, lease: Lease, ending: Ending) -> bool {
    store.finish(&[Finish { lease, ending }]).await.unwrap() == [lease.job]
}

fn fault(message: &str) -> ErrorSummary {
    ErrorSummary {
        kind: ErrorKind::Transient,
        message: message.into(),
        detail: Some("more of it".into()),
    }
}

async fn phase(store: &Store, id: JobId) -> Phase {
    store.phase(id).await.unwrap().expect("the job").0
}

async fn place(store: &Store, id: JobId) -> u64 {
    let job = store.get(id).await.unwrap().expect("the job");
    job.info.queue_position.expect("a queued job")
}

async fn current(store: &Store, id: JobId) -> Lease {
    let fences = store.fences(&[id]).await.unwrap();
    Lease {
        job: id,
        fence: fences[0].fence,
    }
}

pub(crate) fn result(name: &str, principal: bool) -> StoredResult {
    StoredResult {
        name: name.into(),
        media_type: "text/plain".into(),
        size: 5,
        sha256: "00".into(),
        object: format!("job/1/{name}"),
        principal,
        recipe: None,
    }
}

fn results(names: &[&str]) -> Report {
    Report {
        results: names.iter().map(|name| result(name, false)).collect(),
        ..Report::default()
    }
}

fn line(sequence: u64, line: &str) -> NewLine {
    NewLine {
        sequence,
        line: line.into(),
    }
}

async fn migrations_run_from_nothing_and_again(backend: Backend) {
    let home = Home::bare(backend).await;
    let store = &home.store;
    assert!(!store.pending_migrations().await.unwrap().is_empty());
    // Asking has made no table.
    assert!(!store.pending_migrations().await.unwrap().is_empty());
    store.migrate().await.unwrap();
    assert_eq!(store.pending_migrations().await.unwrap(), [""; 0]);
    let id = create(store, new_job("ann")).await;
    store.migrate().await.unwrap();
    assert_eq!(phase(store, id).await, Phase::Pending);
    store.ping().await.unwrap();
}

async fn stores_that_start_together_migrate_once(backend: Backend) {
    let home = Home::bare(backend).await;
    let stores = try_join_all((0..4).map(|_| Store::open(&home.url)))
        .await
        .unwrap();
    try_join_all(stores.iter().map(Store::migrate)).await.unwrap();
    for store in &stores {
        assert_eq!(store.pending_migrations().await.unwrap(), [""; 0]);
    }
}

async fn a_job_is_stored_as_it_was_sent(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let new = NewJob {
        run_id: Some("M 13 “é” %".into()),
        parameters: parameters("<&\0>"),
        quote: Some(time("2031-02-03T04:05:06.789")),
        destruction: Some(time("9999-12-31T23:59:59.999")),
        execution_duration: u32::MAX,
        ..new_job("ann")
    };
    let Created::New(created) = store.create(&new).await.unwrap() else {
        panic!("there before")
    };
    let job = store.get(new.id).await.unwrap().unwrap();
    assert_eq!(created, job);
    assert_eq!(job.id, new.id);
    assert_eq!(job.service, "echo");
    assert_eq!(job.owner.as_deref(), Some("ann"));
    assert_eq!(job.run_id, new.run_id);
    assert_eq!(job.phase, Phase::Pending);
    assert_eq!(job.parameters, new.parameters);
    assert_eq!(job.quote, new.quote);
    assert_eq!(job.destruction, new.destruction);
    assert_eq!(job.execution_duration, u32::MAX);
    assert_eq!((job.start_time, job.end_time), (None, None));
    assert_eq!((&job.results[..], &job.error), (&[][..], &None));
    assert_eq!(job.info.queue_position, None);
    assert_eq!(
        store.owner(new.id).await.unwrap(),
        Some(("ann".into(), "echo".into()))
    );

    let kept = create(store, new_job("ann")).await;
    let kept = store.get(kept).await.unwrap().unwrap();
    assert_eq!(
        kept.destruction.unwrap().millis(),
        kept.creation_time.millis() + 86_400_000
    );
    let nobody = JobId::new();
    assert_eq!(store.get(nobody).await.unwrap(), None);
    assert_eq!(store.phase(nobody).await.unwrap(), None);
    assert_eq!(store.owner(nobody).await.unwrap(), None);
}

async fn an_unbounded_retention_is_a_time_that_can_be_written(backend: Backend) {
    let home = Home::new(backend).await;
    let new = NewJob {
        retention: u64::MAX,
        ..new_job("ann")
    };
    let id = create(&home.store, new).await;
    let job = home.store.get(id).await.unwrap().unwrap();
    assert!(job.destruction.unwrap() > time("2900-01-01"));
}

async fn an_idempotency_key_makes_one_job(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let keyed = |owner: &str, key: &str| NewJob {
        idempotency_key: Some(key.into()),
        ..new_job(owner)
    };
    let news: Vec<NewJob> = (0..8).map(|_| keyed("ann", "k")).collect();
    let made = join_all(news.iter().map(|new| store.create(new))).await;
    let mut first = Vec::new();
    let mut ids = HashSet::new();
    for made in made {
        match made.unwrap() {
            Created::New(job) => {
                first.push(job.id);
                ids.insert(job.id);
            }
            Created::Before(job) => {
                ids.insert(job.id);
            }
            refused => panic!("{refused:?}"),
        }
    }
    assert_eq!(first.len(), 1);
    assert_eq!(ids.into_iter().collect::<Vec<_>>(), first);

    // What the first has become is told; another owner's, and another key's, are others.
    run(store, first[0]).await.unwrap();
    let Created::Before(again) = store.create(&keyed("ann", "k")).await.unwrap() else {
        panic!("made twice")
    };
    assert_eq!((again.id, again.phase), (first[0], Phase::Queued));
    // Another request is not answered with the first's job, one of a time without fingerprints excepted.
    let asked = |fingerprint: &str, service: &str, key: &str| NewJob {
        fingerprint: Some(fingerprint.into()),
        service: service.into(),
        ..keyed("ann", key)
    };
    assert_eq!(
        store.create(&asked("f", "cutout", "k")).await.unwrap(),
        Created::Taken
    );
    let before = store.create(&asked("f", "echo", "k")).await.unwrap();
    assert!(matches!(before, Created::Before(job) if job.id == first[0]));
    let id = create(store, asked("f", "echo", "m")).await;
    let before = store.create(&asked("f", "echo", "m")).await.unwrap();
    assert!(matches!(before, Created::Before(job) if job.id == id));
    assert_eq!(
        store.create(&asked("g", "echo", "m")).await.unwrap(),
        Created::Taken
    );
    create(store, keyed("bob", "k")).await;
    create(store, keyed("ann", "l")).await;
    create(store, new_job("ann")).await;
    create(store, new_job("ann")).await;
}

async fn a_key_is_free_once_its_job_is_destroyed(backend: Backend) {
    let home = Home::new(backend).await;
    let keyed = || NewJob {
        idempotency_key: Some("k".into()),
        ..new_job("ann")
    };
    let id = create(&home.store, keyed()).await;
    home.store.destroy(id).await.unwrap().unwrap();
    assert_ne!(create(&home.store, keyed()).await, id);
}

async fn jobs_are_compared_by_name_and_the_newest_of_each_owner(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let mut jobs = Vec::new();
    for owner in ["ann", "ann", "ann", "bob", "eve"] {
        jobs.push(create(store, new_job(owner)).await);
    }
    store.abort(jobs[3]).await.unwrap().unwrap();
    let owners = ["ann", "bob", "nobody"].map(str::to_owned);
    let mut standing = store.standing(&[jobs[0], jobs[2]], &owners, 1).await.unwrap();
    standing.sort_by_key(|job| job.id);
    let expected = [
        (jobs[0], "ann", Phase::Pending),
        (jobs[2], "ann", Phase::Pending),
        (jobs[3], "bob", Phase::Aborted),
    ];
    let found: Vec<_> = standing
        .iter()
        .map(|job| (job.id, job.owner.as_str(), job.phase))
        .collect();
    assert_eq!(found, expected);
    for job in standing {
        assert_eq!(store.phase(job.id).await.unwrap(), Some((job.phase, job.version)));
    }
    assert!(store.standing(&[], &[], 1).await.unwrap().is_empty());
}

async fn a_description_is_edited_only_while_pending(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let id = create(store, new_job("ann")).await;
    let version = store.phase(id).await.unwrap().unwrap().1;
    let (described, quote) = (parameters("new"), Some(time("2030-01-01")));
    let describe = |parameters: &Parameters, version| Edit::Description {
        version,
        parameters: parameters.clone(),
        quote,
        run_id: None,
    };
    let edited = store.edit(id, describe(&described, version)).await.unwrap();
    let edited = edited.unwrap();
    assert_eq!((&edited.parameters, edited.quote), (&described, quote));
    let (newer, read) = store.versioned(id).await.unwrap().unwrap();
    assert_eq!(newer, edited);
    assert!(read > version);
    // Neither the edit nor the run that was made from what is no longer there.
    let stale = store
        .edit(id, describe(&parameters("stale"), version))
        .await
        .unwrap();
    assert_eq!(stale, None);
    assert_eq!(store.run(id, version, STEP).await.unwrap(), None);
    assert_eq!(store.versioned(id).await.unwrap(), Some((newer, read)));

    run(store, id).await.unwrap();
    let (_, version) = store.phase(id).await.unwrap().unwrap();
    let refused = store
        .edit(id, describe(&parameters("late"), version))
        .await
        .unwrap();
    assert_eq!(refused, None);
    store.edit(id, Edit::ExecutionDuration(7)).await.unwrap().unwrap();
    store
        .edit(id, Edit::Destruction(time("2040-01-01")))
        .await
        .unwrap()
        .unwrap();
    store
        .edit(id, Edit::RunId(Some("label".into())))
        .await
        .unwrap()
        .unwrap();
    let job = store.get(id).await.unwrap().unwrap();
    assert_eq!(job.parameters, described);
    assert_eq!(job.execution_duration, 7);
    assert_eq!(job.destruction, Some(time("2040-01-01")));
    assert_eq!(job.run_id.as_deref(), Some("label"));
    assert_eq!(
        store.edit(id, Edit::RunId(None)).await.unwrap().unwrap().run_id,
        None
    );
    assert_eq!(
        store
            .edit(JobId::new(), Edit::ExecutionDuration(1))
            .await
            .unwrap(),
        None
    );
    // What has ended has run as long as it has.
    store.abort(id).await.unwrap().unwrap();
    assert_eq!(store.edit(id, Edit::ExecutionDuration(8)).await.unwrap(), None);
    assert_eq!(store.get(id).await.unwrap().unwrap().execution_duration, 7);
}

/// A job in this phase, if the store can bring one there.
async fn job_in(store: &Store, worker: WorkerId, phase: Phase) -> Option<JobId> {
    let id = match phase {
        Phase::Pending => create(store, new_job("ann")).await,
        Phase::Unknown | Phase::Archived => return None,
        _ => queue(store, new_job("ann")).await,
    };
    match phase {
        Phase::Held => drop(store.hold(id).await.unwrap().unwrap()),
        Phase::Aborted => drop(store.abort(id).await.unwrap().unwrap()),
        Phase::Executing | Phase::Suspended | Phase::Completed | Phase::Error => {
            let lease = claim_one(store, worker).await;
            assert_eq!(lease.job, id);
            match phase {
                Phase::Suspended => store.pause(lease, true).await.unwrap().unwrap(),
                Phase::Completed => assert!(finish(store, lease, Ending::Completed).await),
                Phase::Error => assert!(finish(store, lease, Ending::Failed(fault("no"))).await),
                _ => {}
            }
        }
        _ => {}
    }
    Some(id)
}

/// Lets the store do what it does for this event; nothing if there is nothing it does.
async fn attempt(store: &Store, worker: WorkerId, id: JobId, event: Event) -> Option<()> {
    // The fence is right, so that only the phase can refuse.
    let lease = current(store, id).await;
    match event {
        Event::Run => drop(run(store, id).await),
        Event::Claim => drop(claim(store, worker, 9).await),
        Event::Requeue => drop(finish(store, lease, Ending::Released).await),
        Event::Hold => drop(store.hold(id).await.unwrap()),
        Event::Suspend => drop(store.pause(lease, true).await.unwrap()),
        Event::Resume => drop(store.pause(lease, false).await.unwrap()),
        Event::Complete => drop(finish(store, lease, Ending::Completed).await),
        Event::Fail => drop(finish(store, lease, Ending::Failed(fault("no"))).await),
        Event::Abort => drop(store.abort(id).await.unwrap()),
        // A destroyed job leaves a tombstone.
    }
    Some(())
}

async fn every_transition_is_made_and_no_other(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let worker = worker(store).await;
    let events: Vec<Event> = TRANSITIONS.iter().map(|(_, event, _)| *event).collect();
    let mut made = HashSet::new();
    for from in Phase::ALL {
        for &event in &events {
            let Some(id) = job_in(store, worker, from).await else {
                continue;
            };
            assert_eq!(phase(store, id).await, from);
            if attempt(store, worker, id, event).await.is_some() {
                let to = phase(store, id).await;
                // An executor that ends while it is suspended has been resumed by that.
                let legal = match from.after(event) {
                    None if from == Phase::Suspended && event == Event::Complete => {
                        from.after(Event::Resume).and_then(|phase| phase.after(event))
                    }
                    legal => legal,
                };
                assert_eq!(to, legal.unwrap_or(from), "{from} by {event:?}");
                made.insert((from, event, to));
            }
            store.destroy(id).await.unwrap().unwrap();
        }
    }
    for transition in TRANSITIONS {
        assert!(made.contains(transition), "{transition:?}");
    }
}

async fn greater_priority_goes_first_and_a_claim_takes_what_it_asks_for(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let worker = worker(store).await;
    let mut by_priority = BTreeMap::new();
    for priority in [0, 9, -3, 5] {
        let new = NewJob {
            priority,
            ..new_job("ann")
        };
        by_priority.insert(-priority, queue(store, new).await);
    }
    let cutout = NewJob {
        service: "cutout".into(),
        priority: 99,
        ..new_job("ann")
    };
    let cutout = queue(store, cutout).await;

    assert_eq!(claim(store, worker, 0).await, []);
    assert_eq!(store.claim(worker, &[], 9).await.unwrap(), []);
    let mut claimed: Vec<JobId> = claim(store, worker, 3)
        .await
        .iter()
        .map(|lease| lease.job)
        .collect();
    assert_eq!(claimed.len(), 3);
    claimed.extend(claim(store, worker, 3).await.iter().map(|lease| lease.job));
    assert_eq!(claimed, by_priority.into_values().collect::<Vec<_>>());

    let services = ["cutout".to_owned(), "echo".to_owned()];
    let last = store.claim(worker, &services, 9).await.unwrap();
    assert_eq!(last.len(), 1);
    assert_eq!(
        last[0].lease,
        Lease {
            job: cutout,
            fence: 1
        }
    );
    assert_eq!(last[0].job.phase, Phase::Executing);
    assert!(last[0].job.start_time.is_some());
    assert_eq!(last[0].job.quote, None);
}

async fn a_job_waits_until_its_time(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let worker = worker(store).await;
    let retried = NewJob {
        max_attempts: 9,
        ..new_job("ann")
    };
    let id = queue(store, retried).await;
    let lease = claim_one(store, worker).await;
    assert!(finish(store, lease, Ending::Retry(fault("later"), HOUR)).await);
    assert_eq!(phase(store, id).await, Phase::Queued);
    assert_eq!(claim(store, worker, 9).await, []);
    // An operator may hold it back and let it go at once.
    store.hold(id).await.unwrap().unwrap();
    run(store, id).await.unwrap();
    let lease = claim_one(store, worker).await;
    assert!(finish(store, lease, Ending::Retry(fault("now"), 0)).await);
    let again = claim_one(store, worker).await;
    assert_eq!(again.job, id);
    assert!(again.fence > lease.fence);
}

async fn hundreds_of_jobs_of_one_owner_do_not_stand_before_anothers_first(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let worker = worker(store).await;
    queue_many(store, "ann", 300).await;
    let bob = queue(store, new_job("bob")).await;
    assert_eq!(place(store, bob).await, 2);
    assert_eq!(
        owners_claimed(store, worker, 4).await,
        ["ann", "bob", "ann", "ann"]
    );
    // Nor before that of one who comes while they are being run.
    let cid = queue_many(store, "cid", 2).await;
    assert!(place(store, cid[0]).await <= 2);
    let owners = owners_claimed(store, worker, 4).await;
    assert_eq!(
        owners.iter().filter(|owner| *owner == "cid").count(),
        2,
        "{owners:?}"
    );
}

async fn owners_take_turns(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let worker = worker(store).await;
    for owner in 0..10 {
        queue_many(store, &format!("owner {owner}"), 5).await;
    }
    for _ in 0..5 {
        let owners: HashSet<String> = owners_claimed(store, worker, 10).await.into_iter().collect();
        assert_eq!(owners.len(), 10);
    }
}

async fn one_at_a_time_is_no_way_to_the_front(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let worker = worker(store).await;
    queue_many(store, "ann", 20).await;
    let mut anns = 0;
    for _ in 0..20 {
        // Bob has one job in the queue whenever one is taken from it.
        if store
            .counts(&of("bob", &[Phase::Queued]))
            .await
            .unwrap()
            .is_empty()
        {
            queue(store, new_job("bob")).await;
        }
        anns += usize::from(owners_claimed(store, worker, 1).await == ["ann"]);
    }
    assert!((9..=11).contains(&anns), "{anns} of 20");
}

async fn nothing_is_held_against_an_owner_once_the_queue_was_empty(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let worker = worker(store).await;
    queue_many(store, "ann", 30).await;
    for lease in claim(store, worker, 99).await {
        assert!(finish(store, lease, Ending::Completed).await);
    }
    // As it comes: the owner of many is not punished, the newcomer not favoured.
    queue_many(store, "ann", 1).await;
    queue_many(store, "bob", 2).await;
    queue_many(store, "ann", 1).await;
    assert_eq!(
        owners_claimed(store, worker, 4).await,
        ["ann", "bob", "bob", "ann"]
    );
}

async fn jobs_taken_back_from_the_queue_do_not_count(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    queue_many(store, "bob", 30).await;
    for id in queue_many(store, "ann", 30).await {
        store.abort(id).await.unwrap().unwrap();
    }
    let ann = queue(store, new_job("ann")).await;
    assert!(place(store, ann).await <= 3);
}

async fn a_job_that_waits_for_its_next_attempt_does_not_turn_the_clock_back(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let worker = worker(store).await;
    let retried = NewJob {
        max_attempts: 2,
        ..new_job("ann")
    };
    queue(store, retried).await;
    let lease = claim_one(store, worker).await;
    assert!(finish(store, lease, Ending::Retry(fault("later"), HOUR)).await);
    queue_many(store, "bob", 40).await;
    for lease in claim(store, worker, 20).await {
        assert!(finish(store, lease, Ending::Completed).await);
    }
    // The jobs of Cid's would all go before Bob's if they were placed by Ann's.
    queue_many(store, "cid", 20).await;
    let owners = owners_claimed(store, worker, 10).await;
    let bobs = owners.iter().filter(|owner| *owner == "bob").count();
    assert!((4..=6).contains(&bobs), "{owners:?}");
}

async fn a_service_that_is_served_slowly_keeps_its_own_order(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let worker = worker(store).await;
    let slow = |owner: &str| NewJob {
        service: "slow".into(),
        ..new_job(owner)
    };
    for _ in 0..20 {
        queue(store, slow("bob")).await;
    }
    // Another worker has gone far in another service's queue.
    queue_many(store, "ann", 40).await;
    claim(store, worker, 30).await;
    let cid = queue(store, slow("cid")).await;
    let claimed = store.claim(worker, &["slow".into()], 2).await.unwrap();
    assert!(claimed.iter().any(|claimed| claimed.lease.job == cid));
}

async fn urgent_jobs_do_not_count_against_the_others(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    queue_many(store, "ann", 40).await;
    for _ in 0..40 {
        let urgent = NewJob {
            priority: 5,
            ..new_job("bob")
        };
        let urgent = queue(store, urgent).await;
        store.abort(urgent).await.unwrap().unwrap();
    }
    let bob = queue(store, new_job("bob")).await;
    assert!(place(store, bob).await <= 2);
}

async fn the_place_in_the_queue_is_told(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let worker = worker(store).await;
    let mut ids = Vec::new();
    for (owner, priority) in [
        ("ann", 0),
        ("ann", 0),
        ("ann", 3),
        ("bob", 0),
        ("bob", 3),
        ("ann", -1),
    ] {
        let new = NewJob {
            priority,
            ..new_job(owner)
        };
        ids.push(queue(store, new).await);
    }
    let mut told = Vec::new();
    for id in &ids {
        told.push((place(store, *id).await, *id));
    }
    told.sort_unstable();
    let claimed = claim(store, worker, 9).await;
    let claimed: Vec<(u64, JobId)> = (1..).zip(claimed.iter().map(|lease| lease.job)).collect();
    assert_eq!(told, claimed);
    assert_eq!(
        store.get(ids[0]).await.unwrap().unwrap().info.queue_position,
        None
    );
}

async fn writes_with_a_lost_lease_are_refused_and_its_results_unseen(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let lost = worker(store).await;
    let retried = NewJob {
        max_attempts: 2,
        ..new_job("ann")
    };
    let id = queue(store, retried).await;
    let old = claim_one(store, lost).await;
    store
        .report(old, &results(&["a", "b"]), 0)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(store.results(id).await.unwrap().len(), 2);

    assert_eq!(store.give_up(AT_ONCE).await.unwrap(), [id]);
    assert_eq!(store.results(id).await.unwrap(), []);
    assert_eq!(store.result(id, "a").await.unwrap(), None);
    assert_eq!(store.get(id).await.unwrap().unwrap().results, []);

    let new = claim_one(store, worker(store).await).await;
    assert_eq!(new.job, id);
    assert!(new.fence > old.fence);
    store.report(new, &results(&["a"]), 0).await.unwrap().unwrap();
    for ending in [
        Ending::Completed,
        Ending::Failed(fault("no")),
        Ending::Retry(fault("no"), 0),
        Ending::TimedOut(fault("no")),
        Ending::Released,
        Ending::Postponed(0),
    ] {
        assert!(!finish(store, old, ending).await);
    }
    let late = store.report(old, &results(&["c"]), 2).await.unwrap();
    assert_eq!(late, Err(LeaseLost));
    assert_eq!(store.pause(old, true).await.unwrap(), Err(LeaseLost));
    assert_eq!(phase(store, id).await, Phase::Executing);
    assert_eq!(store.results(id).await.unwrap(), [result("a", false)]);
    assert_eq!(store.result(id, "b").await.unwrap(), None);
    let fences = store.fences(&[id, JobId::new()]).await.unwrap();
    assert_eq!(fences.len(), 1);
    assert_eq!((fences[0].fence, fences[0].running), (new.fence, true));

    assert!(finish(store, new, Ending::Completed).await);
    let job = store.get(id).await.unwrap().unwrap();
    assert_eq!(job.results.len(), 1);
    assert!(!store.fences(&[id]).await.unwrap()[0].running);
}

async fn an_ended_job_takes_no_writes(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let worker = worker(store).await;
    let id = queue(store, new_job("ann")).await;
    let lease = claim_one(store, worker).await;
    store.report(lease, &results(&["a"]), 0).await.unwrap().unwrap();
    let aborted = store.abort(id).await.unwrap().unwrap();
    assert_eq!(aborted.phase, Phase::Aborted);
    assert!(aborted.end_time.is_some());
    // What it had shown stays.
    assert_eq!(aborted.results.len(), 1);
    assert_eq!(
        store.report(lease, &results(&["b"]), 1).await.unwrap(),
        Err(LeaseLost)
    );
    assert_eq!(store.pause(lease, true).await.unwrap(), Err(LeaseLost));
    assert!(!finish(store, lease, Ending::Completed).await);
    assert_eq!(store.get(id).await.unwrap().unwrap(), aborted);
    assert_eq!(store.abort(id).await.unwrap(), None);
}

async fn a_worker_beats_until_it_is_given_up(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let worker = WorkerId(Uuid::now_v7());
    assert_eq!(store.beat(worker).await.unwrap(), None);
    store.register(worker, "host", 4, false).await.unwrap();
    store.register(worker, "host", 4, false).await.unwrap();
    assert_eq!(beat(store, worker).await, Some(vec![]));

    let ids = queue_many(store, "ann", 3).await;
    let leases = claim(store, worker, 9).await;
    store.pause(leases[1], true).await.unwrap().unwrap();
    store.abort(ids[0]).await.unwrap().unwrap();
    store
        .edit(leases[2].job, Edit::ExecutionDuration(7))
        .await
        .unwrap()
        .unwrap();
    let held = beat(store, worker).await.unwrap();
    for held in &held {
        let seconds = if held.lease == leases[2] { 7 } else { 60 };
        assert_eq!(held.limit.seconds, seconds);
        let (_, version) = store.phase(held.lease.job).await.unwrap().unwrap();
        assert_eq!(held.limit.version, version);
        assert_eq!(
            store.fences(&[held.lease.job]).await.unwrap()[0].limit,
            held.limit
        );
    }
    let mut held: Vec<Lease> = held.into_iter().map(|held| held.lease).collect();
    held.sort_by_key(|lease| lease.job);
    let mut expected = leases[1..].to_vec();
    expected.sort_by_key(|lease| lease.job);
    assert_eq!(held, expected);

    // One that is heard keeps its jobs.
    assert_eq!(store.give_up(HOUR).await.unwrap(), []);
    assert_eq!(beat(store, worker).await.unwrap().len(), 2);
    assert_eq!(store.give_up(AT_ONCE).await.unwrap().len(), 2);
    assert_eq!(store.beat(worker).await.unwrap(), None);
    store.register(worker, "host", 4, false).await.unwrap();
    assert_eq!(beat(store, worker).await, Some(vec![]));

    // A worker that stops in good order, or was never known, is no one's to wait for.
    let id = queue(store, new_job("ann")).await;
    assert_eq!(claim_one(store, worker).await.job, id);
    store.retire(worker).await.unwrap();
    assert_eq!(store.give_up(HOUR).await.unwrap(), [id]);
}

async fn a_draining_worker_keeps_its_jobs_and_gets_no_more(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let (drained, other) = (worker(store).await, worker(store).await);
    let running = queue(store, new_job("ann")).await;
    let lease = claim_one(store, drained).await;
    let waiting = queue(store, new_job("ann")).await;

    let told = store.set_draining(drained, true).await.unwrap().unwrap();
    assert_eq!(
        (told.id, &told.host[..], told.slots, told.running, told.draining),
        (drained, "host", Some(4), 1, true)
    );
    assert!(store.beat(drained).await.unwrap().unwrap().draining);
    assert_eq!(claim(store, drained, 9).await, []);
    let within_limits = store
        .claim_within_limits(drained, &["echo".into()], 9, Some(9))
        .await;
    assert_eq!(within_limits.unwrap(), []);
    assert_eq!(beat(store, drained).await.unwrap().len(), 1);
    assert!(finish(store, lease, Ending::Completed).await);
    assert_eq!(phase(store, running).await, Phase::Completed);
    assert_eq!(
        (claim_one(store, other).await.job, phase(store, waiting).await),
        (waiting, Phase::Executing)
    );

    let mut listed = store.workers().await.unwrap();
    listed.sort_by_key(|worker| worker.draining);
    let listed: Vec<_> = listed
        .iter()
        .map(|worker| (worker.id, worker.draining, worker.running))
        .collect();
    assert_eq!(listed, [(other, false, 1), (drained, true, 0)]);

    let waiting = queue(store, new_job("ann")).await;
    store.set_draining(drained, false).await.unwrap().unwrap();
    assert!(!store.beat(drained).await.unwrap().unwrap().draining);
    assert_eq!(claim_one(store, drained).await.job, waiting);

    // One that is put on the books anew says how it stood.
    store.retire(drained).await.unwrap();
    assert_eq!(store.set_draining(drained, true).await.unwrap(), None);
    store.register(drained, "host", 4, true).await.unwrap();
    assert!(store.beat(drained).await.unwrap().unwrap().draining);
}

async fn the_work_of_each_service_is_counted(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    assert_eq!(store.depths().await.unwrap(), []);
    let worker = worker(store).await;
    let ids = queue_many(store, "ann", 4).await;
    claim(store, worker, 2).await;
    store.hold(ids[3]).await.unwrap().unwrap();
    create(store, new_job("ann")).await;
    let cutout = NewJob {
        service: "cutout".into(),
        ..new_job("bob")
    };
    let first = queue(store, cutout.clone()).await;
    queue(
        store,
        NewJob {
            id: JobId::new(),
            ..cutout
        },
    )
    .await;
    let created = async |id| store.get(id).await.unwrap().map(|job| job.creation_time);
    // Whenever it was made: what is not in the queue does not wait.
    rewrite(
        home.url(),
        "UPDATE job SET creation_time = creation_time - 3600000",
    )
    .await;
    let later = create(store, new_job("ann")).await;
    rewrite(
        home.url(),
        "UPDATE job SET creation_time = creation_time - 7200000 WHERE phase = 'PENDING'",
    )
    .await;
    run(store, later).await.unwrap();
    let mut depths = store.depths().await.unwrap();
    let mut waited = depths.iter_mut().map(|depth| std::mem::take(&mut depth.waited));
    assert!(waited.all(|waited| waited < FULL_HOUR));
    let expected = [
        Depth {
            service: "cutout".into(),
            queued: 2,
            oldest: created(first).await,
            ..Depth::default()
        },
        Depth {
            service: "echo".into(),
            queued: 2,
            held: 1,
            running: 2,
            oldest: created(later).await,
            ..Depth::default()
        },
    ];
    assert_eq!(depths, expected);

    rewrite(
        home.url(),
        "UPDATE job SET run_after = run_after - 3600000 WHERE phase = 'QUEUED' AND service = 'echo'",
    )
    .await;
    let waited = async || {
        store
            .depths()
            .await
            .unwrap()
            .into_iter()
            .map(|depth| depth.waited >= FULL_HOUR)
    };
    assert!(waited().await.eq([false, true]));
    // A pause before the next attempt is no waiting.
    rewrite(
        home.url(),
        "UPDATE job SET run_after = run_after + 360000000 WHERE phase = 'QUEUED' AND service = 'echo'",
    )
    .await;
    assert!(waited().await.eq([false, false]));
    // One of a version that did not note when it was queued.
    rewrite(home.url(), "UPDATE job SET run_after = 0 WHERE phase = 'QUEUED'").await;
    assert!(waited().await.eq([true, true]));
}

async fn a_lost_job_is_tried_again_while_attempts_remain(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let twice = NewJob {
        max_attempts: 2,
        ..new_job("ann")
    };
    let id = queue(store, twice).await;
    let lease = claim_one(store, worker(store).await).await;
    let report = Report {
        progress: Some(Progress {
            done: 1,
            total: 2,
            failed: 1,
            note: "half".into(),
        }),
        ..results(&["a"])
    };
    store.report(lease, &report, 0).await.unwrap().unwrap();
    assert_eq!(store.give_up(AT_ONCE).await.unwrap(), [id]);
    let job = store.get(id).await.unwrap().unwrap();
    assert_eq!(job.phase, Phase::Queued);
    assert_eq!((job.start_time, job.end_time, &job.error), (None, None, &None));
    assert_eq!((job.info.progress_done, job.info.progress_note), (None, None));
    assert_eq!(job.info.progress_failed, None);

    // A version that knew nothing of it would have left it there.
    rewrite(
        home.url(),
        "UPDATE job SET progress_failed = 1 WHERE phase = 'QUEUED'",
    )
    .await;
    claim_one(store, worker(store).await).await;
    let job = store.get(id).await.unwrap().unwrap();
    assert_eq!((job.phase, job.info.progress_failed), (Phase::Executing, None));
    assert_eq!(store.give_up(AT_ONCE).await.unwrap(), [id]);
    let job = store.get(id).await.unwrap().unwrap();
    assert_eq!(job.phase, Phase::Error);
    assert!(job.start_time.is_some() && job.end_time.is_some());
    assert_eq!(job.error.unwrap().kind, ErrorKind::Transient);
    assert_eq!(store.give_up(AT_ONCE).await.unwrap(), []);
}

async fn a_released_job_keeps_its_attempts(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let worker = worker(store).await;
    let id = queue(store, new_job("ann")).await;
    for _ in 0..3 {
        let lease = claim_one(store, worker).await;
        store.report(lease, &results(&["a"]), 0).await.unwrap().unwrap();
        assert!(finish(store, lease, Ending::Released).await);
        let job = store.get(id).await.unwrap().unwrap();
        assert_eq!(job.phase, Phase::Queued);
        assert_eq!((job.results, job.start_time, job.end_time), (vec![], None, None));
    }
    let lease = claim_one(store, worker).await;
    assert!(finish(store, lease, Ending::Completed).await);
}

async fn a_retry_without_attempts_is_an_error(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let worker = worker(store).await;
    let twice = NewJob {
        max_attempts: 2,
        ..new_job("ann")
    };
    let id = queue(store, twice).await;
    let lease = claim_one(store, worker).await;
    assert!(finish(store, lease, Ending::Retry(fault("first"), 0)).await);
    let job = store.get(id).await.unwrap().unwrap();
    assert_eq!((job.phase, job.error), (Phase::Queued, None));
    let lease = claim_one(store, worker).await;
    assert!(finish(store, lease, Ending::Retry(fault("second"), 0)).await);
    let job = store.get(id).await.unwrap().unwrap();
    assert_eq!((job.phase, job.error), (Phase::Error, Some(fault("second"))));
    assert!(job.end_time.is_some());
}

async fn an_overdue_job_is_aborted(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let worker = worker(store).await;
    let lasting = |execution_duration| NewJob {
        execution_duration,
        ..new_job("ann")
    };
    let overdue = queue(store, lasting(1)).await;
    let suspended = queue(store, lasting(1)).await;
    queue(store, lasting(0)).await;
    queue(store, lasting(60)).await;
    let leases = claim(store, worker, 9).await;
    store.pause(leases[1], true).await.unwrap().unwrap();
    queue(store, lasting(1)).await;

    assert_eq!(store.expire(HOUR).await.unwrap(), []);
    let mut expired = store.expire(-2000).await.unwrap();
    expired.sort_unstable();
    assert_eq!(expired, [overdue, suspended]);
    assert_eq!(store.expire(-2000).await.unwrap(), []);
    let job = store.get(overdue).await.unwrap().unwrap();
    assert_eq!(job.phase, Phase::Aborted);
    assert_eq!(job.error.unwrap().message, TOO_LONG);
    assert!(job.end_time.is_some());
    assert!(!finish(store, leases[0], Ending::Completed).await);
}

async fn a_destroyed_job_leaves_a_tombstone(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let worker = worker(store).await;
    let ids = queue_many(store, "ann", 3).await;
    for (id, day) in ids.iter().zip(["2001-01-02", "2001-01-01", "2999-01-01"]) {
        store
            .edit(*id, Edit::Destruction(time(day)))
            .await
            .unwrap()
            .unwrap();
    }
    assert_eq!(store.due(9).await.unwrap(), [ids[1], ids[0]]);
    assert_eq!(store.due(1).await.unwrap(), [ids[1]]);

    let leases = claim(store, worker, 1).await;
    let report = Report {
        lines: vec![line(1, "a line")],
        ..results(&["a"])
    };
    store.report(leases[0], &report, 0).await.unwrap().unwrap();
    let id = leases[0].job;
    assert_eq!(store.destroyed(id).await.unwrap(), None);
    let tombstone = store.destroy(id).await.unwrap().unwrap();
    assert_eq!(
        (tombstone.id, &tombstone.service[..], &tombstone.owner[..]),
        (id, "echo", "ann")
    );
    assert_eq!(store.destroyed(id).await.unwrap(), Some(tombstone));
    assert_eq!(store.destroy(id).await.unwrap(), None);
    assert_eq!(store.get(id).await.unwrap(), None);
    assert_eq!(store.results(id).await.unwrap(), []);
    assert_eq!(store.log(id, 0, 9).await.unwrap(), []);
    assert_eq!(store.report(leases[0], &report, 1).await.unwrap(), Err(LeaseLost));
    assert_eq!(beat(store, worker).await, Some(vec![]));

    // Its objects are seen to before it is forgotten.
    assert_eq!(store.with_objects(9).await.unwrap(), [id]);
    assert_eq!(store.forget(AT_ONCE).await.unwrap(), 0);
    store.without_objects(id).await.unwrap();
    assert_eq!(store.with_objects(9).await.unwrap(), []);
    assert_eq!(store.forget(HOUR).await.unwrap(), 0);
    assert!(store.destroyed(id).await.unwrap().is_some());
    assert_eq!(store.forget(AT_ONCE).await.unwrap(), 1);
    assert_eq!(store.destroyed(id).await.unwrap(), None);
}

fn of(owner: &str, phases: &[Phase]) -> Filter {
    Filter {
        owner: Some(owner.into()),
        phases: phases.to_vec(),
        ..Filter::default()
    }
}

async fn found(store: &Store, filter: &Filter) -> Vec<JobId> {
    let jobs = store.list(filter, None, 100).await.unwrap();
    jobs.into_iter().map(|summary| summary.job.id).collect()
}

async fn filters_mean_what_they_say(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let labels = [
        None,
        Some("50% done"),
        Some("50 percent"),
        Some("a_b"),
        Some("axb"),
        Some(r"back\slash"),
        Some("M13"),
    ];
    let mut ids = Vec::new();
    for label in labels {
        let new = NewJob {
            run_id: label.map(Into::into),
            ..new_job("ann")
        };
        ids.push(create(store, new).await);
    }
    let others = NewJob {
        service: "cutout".into(),
        ..new_job("bob")
    };
    let others = queue(store, others).await;

    let all = found(store, &Filter::default()).await;
    assert_eq!(all.len(), 8);
    let times: Vec<(Timestamp, JobId)> = store
        .list(&Filter::default(), None, 100)
        .await
        .unwrap()
        .iter()
        .map(|summary| (summary.job.creation_time, summary.job.id))
        .collect();
    assert!(times.is_sorted_by(|newer, older| newer > older), "newest first");

    assert_eq!(found(store, &of("bob", &[])).await, [others]);
    assert_eq!(found(store, &of("ann", &[Phase::Queued])).await, []);
    assert_eq!(
        found(store, &of("ann", &[Phase::Queued, Phase::Pending]))
            .await
            .len(),
        7
    );
    let services = |services: &[&str]| Filter {
        services: services.iter().map(|service| (*service).into()).collect(),
        ..Filter::default()
    };
    assert_eq!(found(store, &services(&["cutout"])).await, [others]);
    assert_eq!(found(store, &services(&["cutout", "echo"])).await.len(), 8);
    let label = Filter {
        label: Some("a_b".into()),
        ..Filter::default()
    };
    assert_eq!(found(store, &label).await, [ids[3]]);

    let text = |text: &str| Filter {
        text: Some(text.into()),
        ..Filter::default()
    };
    for (words, expected) in [
        ("50", &[ids[2], ids[1]][..]),
        ("50%", &[ids[1]]),
        ("a_b", &[ids[3]]),
        (r"k\s", &[ids[5]]),
        ("m13", &[ids[6]]),
        ("PERCENT", &[ids[2]]),
        ("nothing", &[]),
        ("''", &[]),
    ] {
        assert_eq!(found(store, &text(words)).await, expected, "{words}");
    }
    let long = "x".repeat(100_000);
    assert_eq!(found(store, &text(&long)).await, []);
    // The beginning of an id, with its hyphens and without, in any case.
    let whole = ids[4].to_string();
    assert_eq!(found(store, &text(&whole)).await, [ids[4]]);
    assert!(found(store, &text(&whole[..35])).await.contains(&ids[4]));
    let bare = ids[4].0.simple().to_string().to_uppercase();
    assert_eq!(found(store, &text(&bare)).await, [ids[4]]);
    assert_eq!(found(store, &text(&format!("{whole}0"))).await, []);
    assert_eq!(found(store, &text(&whole[..4])).await.len(), 8);

    // Times are strict.
    let (oldest, newest) = (times.last().unwrap().0, times[0].0);
    let between = |after, before| Filter {
        after,
        before,
        ..Filter::default()
    };
    let later = times.iter().filter(|(time, _)| *time > oldest).count();
    assert_eq!(found(store, &between(Some(oldest), None)).await.len(), later);
    let earlier = times.iter().filter(|(time, _)| *time < newest).count();
    assert_eq!(found(store, &between(None, Some(newest))).await.len(), earlier);
    assert_eq!(found(store, &between(Some(newest), None)).await, []);
    let just_before = Timestamp::from_millis(oldest.millis() - 1);
    assert_eq!(found(store, &between(just_before, None)).await.len(), 8);

    let counts = store.counts(&Filter::default()).await.unwrap();
    assert_eq!(counts, BTreeMap::from([(Phase::Pending, 7), (Phase::Queued, 1)]));
    let counts = store.counts(&of("ann", &[])).await.unwrap();
    assert_eq!(counts, BTreeMap::from([(Phase::Pending, 7)]));
}

async fn pages_have_no_gaps_and_no_repeats_while_jobs_come(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let news: Vec<NewJob> = (0..50).map(|_| new_job("ann")).collect();
    let made = try_join_all(news.iter().map(|new| store.create(new)))
        .await
        .unwrap();
    assert_eq!(made.len(), 50);
    let mut expected: Vec<(Timestamp, JobId)> = Vec::new();
    for new in &news {
        expected.push((store.get(new.id).await.unwrap().unwrap().creation_time, new.id));
    }
    expected.sort_unstable();
    expected.reverse();
    let filter = of("ann", &[]);
    let mut seen: Vec<(Timestamp, JobId)> = Vec::new();
    loop {
        let page = store.list(&filter, seen.last().copied(), 7).await.unwrap();
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 7);
        seen.extend(
            page.iter()
                .map(|summary| (summary.job.creation_time, summary.job.id)),
        );
        create(store, new_job("ann")).await;
        create(store, new_job("bob")).await;
    }
    assert_eq!(seen, expected);

    let refs = store.refs(&filter, None).await.unwrap();
    assert_eq!(refs.len(), 58);
    assert!(
        refs.is_sorted_by(|newer, older| {
            (newer.creation_time, newer.id) > (older.creation_time, older.id)
        })
    );
    assert_eq!(store.refs(&filter, Some(3)).await.unwrap(), refs[..3]);
    assert_eq!(store.refs(&filter, Some(0)).await.unwrap(), []);
}

async fn what_was_made_is_found_by_its_recipe(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let worker = worker(store).await;
    let made = |name: &str, digest: &str| StoredResult {
        recipe: Some(Recipe {
            digest: digest.into(),
            facts: format!("{{\"of\": \"{name}\"}}"),
        }),
        ..result(name, false)
    };
    let all = [made("a", "1"), made("b", "2"), result("c", false), made("d", "4")];
    let report = Report {
        results: all.to_vec(),
        ..Report::default()
    };
    let found = async |owner: &str| {
        let digests = ["2", "1", "3"].map(String::from);
        let mut found = store.made_by(owner, &digests).await.unwrap();
        found.sort_by(|one, other| one.name.cmp(&other.name));
        found
    };
    // What was told before the job was another worker's is seen by nobody.
    queue(store, new_job("ann")).await;
    let lost = claim_one(store, worker).await;
    store.report(lost, &report, 0).await.unwrap().unwrap();
    assert!(finish(store, lost, Ending::Released).await);
    let lease = claim_one(store, worker).await;
    assert!(finish(store, lease, Ending::Completed).await);
    assert_eq!(found("ann").await, []);

    let id = queue(store, new_job("ann")).await;
    let lease = claim_one(store, worker).await;
    store.report(lease, &report, 0).await.unwrap().unwrap();
    assert_eq!(store.results(id).await.unwrap(), all);
    assert_eq!(found("ann").await, [], "the job may still fail");
    assert!(finish(store, lease, Ending::Completed).await);
    assert_eq!(found("ann").await, all[..2]);
    assert_eq!(found("bob").await, []);
    assert_eq!(store.made_by("ann", &[]).await.unwrap(), []);

    // Of those that are alike the newest, which will be there for longest.
    queue(store, new_job("ann")).await;
    let lease = claim_one(store, worker).await;
    let newer = [made("e", "1")];
    let report = Report {
        results: newer.to_vec(),
        ..Report::default()
    };
    store.report(lease, &report, 0).await.unwrap().unwrap();
    assert!(finish(store, lease, Ending::Completed).await);
    assert_eq!(found("ann").await, [all[1].clone(), newer[0].clone()]);
}

async fn a_running_job_with_many_results_lists_the_principal_ones_an_ended_one_all(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let worker = worker(store).await;
    let id = queue(store, new_job("ann")).await;
    let lease = claim_one(store, worker).await;
    let most = u64::try_from(MAX_LISTED_RESULTS).unwrap();
    let report = Report {
        results: (0..most)
            .map(|n| result(&format!("cutout-{n}"), n == 3))
            .collect(),
        ..Report::default()
    };
    store.report(lease, &report, 0).await.unwrap().unwrap();
    let job = store.get(id).await.unwrap().unwrap();
    let listed: Vec<String> = job.results.into_iter().map(|result| result.id).collect();
    let reported: Vec<String> = report.results.into_iter().map(|result| result.name).collect();
    assert_eq!(listed, reported, "in the order produced");

    let report = Report {
        results: vec![result("more", false), result("manifest", true)],
        ..Report::default()
    };
    store.report(lease, &report, most).await.unwrap().unwrap();
    let job = store.get(id).await.unwrap().unwrap();
    let listed: Vec<String> = job.results.into_iter().map(|result| result.id).collect();
    assert_eq!(listed, ["cutout-3", "manifest"]);
    assert!(store.outline(id).await.unwrap().unwrap().results.is_empty());
    let all = store.results(id).await.unwrap();
    assert_eq!(all.len() as u64, most + 2);
    assert_eq!(all[all.len() - 1], result("manifest", true));
    assert_eq!(
        store.result(id, "cutout-7").await.unwrap(),
        Some(result("cutout-7", false))
    );
    let summary = &store.summaries(&[id]).await.unwrap()[0];
    assert_eq!(summary.results, most + 2);
    assert!(finish(store, lease, Ending::Completed).await);
    let job = store.get(id).await.unwrap().unwrap();
    assert_eq!(job.results.len() as u64, most + 2);
    assert_eq!(job.results.last().unwrap().id, "manifest");
}

async fn a_report_becomes_visible(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let worker = worker(store).await;
    let id = queue(store, new_job("ann")).await;
    let lease = claim_one(store, worker).await;
    let version = store.phase(id).await.unwrap().unwrap().1;
    let report = Report {
        progress: Some(Progress {
            done: 3,
            total: 8,
            failed: 2,
            note: "reading “é”".into(),
        }),
        ..Report::default()
    };
    store.report(lease, &report, 0).await.unwrap().unwrap();
    // One without progress leaves it as it was.
    store.report(lease, &results(&["a"]), 0).await.unwrap().unwrap();
    let job = store.get(id).await.unwrap().unwrap();
    let told = job.info;
    assert_eq!((told.progress_done, told.progress_total), (Some(3), Some(8)));
    assert_eq!(told.progress_failed, Some(2));
    assert_eq!(told.progress_note.as_deref(), Some("reading “é”"));
    assert_eq!((&job.results[0].id[..], job.results[0].size), ("a", 5));
    assert_eq!(store.phase(id).await.unwrap().unwrap().1, version + 2);

    assert!(finish(store, lease, Ending::Failed(fault("it broke"))).await);
    let summary: JobSummary = store.list(&of("ann", &[]), None, 9).await.unwrap().remove(0);
    assert_eq!(summary.job.phase, Phase::Error);
    assert_eq!(
        (
            summary.progress_done,
            summary.progress_total,
            summary.progress_failed
        ),
        (Some(3), Some(8), Some(2))
    );
    assert_eq!(summary.error.as_deref(), Some("it broke"));
    assert_eq!((summary.results, summary.version), (1, version + 3));
    assert!(summary.start_time.is_some() && summary.end_time >= summary.start_time);
    assert_eq!(store.summaries(&[id]).await.unwrap(), [summary]);
}

async fn a_report_that_is_repeated_changes_nothing(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let worker = worker(store).await;
    let id = queue(store, new_job("ann")).await;
    let lease = claim_one(store, worker).await;
    let report = Report {
        lines: vec![line(1, "a line")],
        ..results(&["a", "b"])
    };
    // As after a commit whose answer was lost.
    for _ in 0..2 {
        store.report(lease, &report, 0).await.unwrap().unwrap();
    }
    store.report(lease, &results(&["c"]), 2).await.unwrap().unwrap();
    let names: Vec<String> = store
        .results(id)
        .await
        .unwrap()
        .into_iter()
        .map(|result| result.name)
        .collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(store.summaries(&[id]).await.unwrap()[0].results, 3);
    assert_eq!(store.log(id, 0, 10).await.unwrap().len(), 1);
}

async fn log_lines_are_read_on_from_any(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let worker = worker(store).await;
    let id = queue(store, new_job("ann")).await;
    assert_eq!(store.last_line(id).await.unwrap(), 0);
    let lease = claim_one(store, worker).await;
    let written = ["first", "", "123", "“é”\t'", "{\"a\": 1}"];
    let lines: Vec<NewLine> = (1..).zip(written).map(|(n, text)| line(n, text)).collect();
    for lines in [&lines[..2], &lines[2..]] {
        let report = Report {
            lines: lines.to_vec(),
            ..Report::default()
        };
        store.report(lease, &report, 0).await.unwrap().unwrap();
    }
    assert_eq!(store.last_line(id).await.unwrap(), 5);
    let read = store.log(id, 0, 99).await.unwrap();
    let read: Vec<(u64, &str)> = read.iter().map(|line| (line.sequence, &line.line[..])).collect();
    assert_eq!(read, (1..).zip(written).collect::<Vec<_>>());
    let on: Vec<u64> = store
        .log(id, 2, 2)
        .await
        .unwrap()
        .iter()
        .map(|line| line.sequence)
        .collect();
    assert_eq!(on, [3, 4]);
    assert_eq!(store.log(id, 5, 99).await.unwrap(), []);
    assert_eq!(store.log(id, u64::MAX, u64::MAX).await.unwrap(), []);
    // The time is the database's.
    let created = store.get(id).await.unwrap().unwrap().creation_time;
    assert!(store.log(id, 0, 1).await.unwrap()[0].at >= created);
}

async fn text_with_nul_is_stored(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let worker = worker(store).await;
    let nul = NewJob {
        run_id: Some("a\0b".into()),
        idempotency_key: Some("k\0".into()),
        ..new_job("ann")
    };
    let first = queue(store, nul.clone()).await;
    let again = NewJob {
        id: JobId::new(),
        ..nul
    };
    assert!(matches!(store.create(&again).await.unwrap(), Created::Before(_)));
    let second = queue(store, new_job("ann")).await;
    let leases = claim(store, worker, 2).await;
    let report = Report {
        progress: Some(Progress {
            done: 1,
            total: 1,
            failed: 0,
            note: "a\0b".into(),
        }),
        lines: vec![line(1, "a\0b \\u0000")],
        ..Report::default()
    };
    store.report(leases[0], &report, 0).await.unwrap().unwrap();
    assert_eq!(
        store.log(first, 0, 9).await.unwrap()[0].line,
        "a\u{FFFD}b \\u0000"
    );
    let ended = store
        .finish(&[
            Finish {
                lease: leases[0],
                ending: Ending::Failed(ErrorSummary {
                    detail: Some("\0".into()),
                    ..fault("NUL in a header: \0")
                }),
            },
            Finish {
                lease: leases[1],
                ending: Ending::Completed,
            },
        ])
        .await
        .unwrap();
    assert_eq!(ended.len(), 2);
    assert_eq!(phase(store, second).await, Phase::Completed);
    let error = store.get(first).await.unwrap().unwrap().error.unwrap();
    assert_eq!(error.message, "NUL in a header: \u{FFFD}");
    let text = |text: &str| Filter {
        text: Some(text.into()),
        ..Filter::default()
    };
    assert_eq!(found(store, &text("A\0B")).await, [first]);
    assert_eq!(store.result(first, "\0").await.unwrap(), None);
}

async fn images_are_found_by_their_words_in_any_case(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let collection = store.ensure_collection("sky", "file:///sky").await.unwrap();
    let image = |path: &str, band: &str| {
        NewImage::from(Image {
            path: path.into(),
            url: format!("file:///sky/{path}"),
            size: 1,
            band: Some(band.into()),
            ..Image::default()
        })
    };
    // As a broken header may have it.
    let images = [image("a", "Ks"), image("b", "H\0"), image("c", "H\u{c9}")];
    store.put_images(collection, &images).await.unwrap();
    for (word, path) in [("kS", "a"), ("h\0", "b"), ("h\u{c9}", "c")] {
        let filter = ImageFilter {
            bands: vec![word.into()],
            ..ImageFilter::default()
        };
        let found = store.images(&filter, None, 9).await.unwrap();
        let found: Vec<String> = found.into_iter().map(|found| found.image.path).collect();
        assert_eq!(found, [path], "{word:?}");
    }
    assert_eq!(store.collection("\0").await.unwrap(), None);
    assert_eq!(store.image(collection, "\0").await.unwrap(), None);
}

async fn tasks_that_claim_together_get_each_job_once(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let created: HashSet<JobId> = stream::iter(0..1000)
        .map(|n| async move { queue(store, new_job(&format!("owner {}", n % 7))).await })
        .buffer_unordered(16)
        .collect()
        .await;
    let tasks = (0..16).map(|task| {
        let store = store.clone();
        tokio::spawn(async move {
            let worker = worker(&store).await;
            let mut leases = Vec::new();
            loop {
                let batch = claim(&store, worker, 1 + task % 7).await;
                if batch.is_empty() {
                    return leases;
                }
                leases.extend(batch);
            }
        })
    });
    let mut leases: Vec<Lease> = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        leases.extend(task.await.unwrap());
    }
    // One that found nothing may have been turned away by rows that another was taking.
    leases.extend(claim(store, worker(store).await, 1000).await);
    assert_eq!(leases.len(), 1000);
    assert!(leases.iter().all(|lease| lease.fence == 1));
    let claimed: HashSet<JobId> = leases.iter().map(|lease| lease.job).collect();
    assert_eq!(claimed, created);
}

async fn sweeps_at_once_take_each_job_back_once(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let mut lost = queue_many(store, "ann", 50).await;
    for id in &lost[..25] {
        store.hold(*id).await.unwrap().unwrap();
        run(store, *id).await.unwrap();
    }
    claim(store, worker(store).await, 50).await;
    let swept = join_all((0..4).map(|_| {
        let store = store.clone();
        async move {
            tokio::spawn(async move { store.give_up(AT_ONCE).await })
                .await
                .unwrap()
        }
    }))
    .await;
    let mut taken: Vec<JobId> = swept.into_iter().flat_map(Result::unwrap).collect();
    taken.sort_unstable();
    lost.sort_unstable();
    assert_eq!(taken, lost);
    // Each had one attempt.
    let counts = store.counts(&Filter::default()).await.unwrap();
    assert_eq!(counts, BTreeMap::from([(Phase::Error, 50)]));
}

async fn an_owner_who_runs_many_at_once_wins_no_places(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    queue_many(store, "ann", 1).await;
    let news: Vec<NewJob> = (0..64).map(|_| new_job("ann")).collect();
    try_join_all(news.iter().map(|new| store.create(new)))
        .await
        .unwrap();
    // Each of them twice: only one of the two may do it.
    let runs = try_join_all(
        news.iter()
            .chain(&news)
            .map(|new| store.run(new.id, FIRST_VERSION, STEP)),
    )
    .await
    .unwrap();
    assert_eq!(runs.iter().flatten().count(), 64);
    let bob = queue_many(store, "bob", 2).await;
    assert!(place(store, bob[0]).await <= 2);
    assert!(place(store, bob[1]).await <= 4);
}

async fn of_two_ends_one_holds(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let worker = worker(store).await;
    for _ in 0..10 {
        let id = queue(store, new_job("ann")).await;
        let lease = claim_one(store, worker).await;
        let (finished, aborted) = tokio::join!(finish(store, lease, Ending::Completed), store.abort(id));
        let aborted = aborted.unwrap().is_some();
        assert_ne!(finished, aborted);
        let ended = if finished {
            Phase::Completed
        } else {
            Phase::Aborted
        };
        assert_eq!(phase(store, id).await, ended);
    }
}

async fn jobs_are_found_by_their_ids(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let first = create(store, new_job("ann")).await;
    let second = queue(store, new_job("bob")).await;
    let asked = [first, JobId::new(), second];
    let mut versions = store.versions(&asked).await.unwrap();
    versions.sort_unstable();
    assert_eq!(versions, [(first, 0), (second, 1)]);
    let summaries = store.summaries(&asked).await.unwrap();
    let owners: HashSet<Option<String>> = summaries.into_iter().map(|summary| summary.job.owner).collect();
    assert_eq!(owners, HashSet::from([Some("ann".into()), Some("bob".into())]));
    assert_eq!(store.versions(&[]).await.unwrap(), []);
    assert_eq!(store.summaries(&[]).await.unwrap(), []);
    assert_eq!(store.fences(&[]).await.unwrap(), []);
}

/// A queue of 20,000 among as many ended jobs.
const FILL: Sql = Sql {
    sqlite: "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 40000) \
             INSERT INTO job (id, service, owner, phase, parameters, creation_time, execution_duration, vtime, fence) \
             SELECT randomblob(16), 'echo', 'o' || n % 50, CASE n % 2 WHEN 0 THEN 'QUEUED' ELSE 'COMPLETED' END, '[]', n, 1, \
                 n, n % 2 FROM numbers; ANALYZE",
    postgres: "INSERT INTO job (id, service, owner, phase, parameters, creation_time, execution_duration, vtime, fence) \
               SELECT gen_random_uuid(), 'echo', 'o' || n % 50, CASE n % 2 WHEN 0 THEN 'QUEUED' ELSE 'COMPLETED' END, '[]', n, 1, \
                   n, n % 2 FROM generate_series(1, 40000) AS n; ANALYZE",
};

/// How the database goes about it, a step to a line.
async fn plan(url: &str, sql: Sql, values: &[Value<'_>]) -> String {
    macro_rules! explained {
        ($connection:ty, $dialect:expr, $explain:literal, $column:literal) => {{
            let mut connection = <$connection>::connect(url).await.unwrap();
            let explained = format!(concat!($explain, " {}"), sql.of($dialect));
            let mut query = sqlx::query(sqlx::AssertSqlSafe(explained));
            for value in values {
                query = match value {
                    Value::Id(id) => query.bind(*id),
                    Value::Number(number) => query.bind(*number),
                    Value::Text(text) => query.bind(*text),
                };
            }
            let rows = query.fetch_all(&mut connection).await.unwrap();
            let lines: Vec<String> = rows.iter().map(|row| row.get($column)).collect();
            lines.join("\n")
        }};
    }
    if url.starts_with("sqlite:") {
        explained!(SqliteConnection, Dialect::Sqlite, "EXPLAIN QUERY PLAN", "detail")
    } else {
        explained!(PgConnection, Dialect::Postgres, "EXPLAIN", 0)
    }
}

enum Value<'a> {
    Id(Uuid),
    Number(i64),
    Text(&'a str),
}

async fn a_long_queue_is_read_by_its_indexes(backend: Backend) {
    let home = Home::new(backend).await;
    let fill = sqlx::AssertSqlSafe(FILL.of(home.store.dialect()));
    match backend {
        Backend::Embedded => {
            let mut connection = SqliteConnection::connect(&home.url).await.unwrap();
            connection.execute(fill).await.unwrap();
        }
        Backend::Cluster => {
            let mut connection = PgConnection::connect(&home.url).await.unwrap();
            connection.execute(fill).await.unwrap();
        }
    }
    let id = create(&home.store, new_job("ann")).await;
    let finish = json!([{"id": id.0.simple().to_string(), "fence": 1, "back": false, "returned": 0, "after": 0,
        "phase": "COMPLETED"}]);
    let finish = finish.to_string();
    for (name, sql, values) in [
        (
            "claim",
            CLAIM,
            &[Value::Id(id.0), Value::Number(4), Value::Text("[\"echo\"]")][..],
        ),
        (
            "claim within limits",
            CLAIM_LIMITED,
            &[Value::Id(id.0), Value::Number(4), Value::Text("[\"echo\"]")],
        ),
        (
            "run",
            RUN,
            &[Value::Id(id.0), Value::Number(STEP), Value::Number(FIRST_VERSION)],
        ),
        ("finish", FINISH, &[Value::Text(&finish)]),
    ] {
        let plan = plan(&home.url, sql, values).await;
        // The jobs that run are counted by owner: those are few.
        let counts = name == "claim within limits";
        let scans = |line: &&str| {
            let line = line.trim();
            line.contains("Seq Scan on job ")
                || line.contains(if counts { "Sort Key: job.priority" } else { "Sort" })
                || line.contains(if counts {
                    "TEMP B-TREE FOR ORDER BY"
                } else {
                    "TEMP B-TREE"
                })
                || line == "SCAN job"
        };
        assert_eq!(plan.lines().find(scans), None, "{name}:\n{plan}");
        assert!(plan.contains("job_ready") || name == "finish", "{name}:\n{plan}");
    }
}
