//! What every replica does from time to time; doing it twice, or on two replicas at once, changes nothing.

use std::collections::HashMap;

use futures::StreamExt;
use tokio::time::{self, Duration, Instant};
use tokio_util::sync::CancellationToken;

use super::Engine;
use crate::{
    notify::Change,
    objects::{ObjectsError, Results},
    store::{Store, StoreError},
    uws::JobId,
};

/// Jobs destroyed in one sweep.
const DESTROYED_A_SWEEP: u64 = 500;
/// How long a tombstone is kept.
const TOMBSTONE_MS: i64 = 30 * 24 * 3_600_000;
/// How often waiters are compared with the database, in case a hint was lost.
const RECONCILE: Duration = Duration::from_secs(2);
/// Jobs whose objects are compared with the database at a time.
const ORPHAN_CHUNK: usize = 200;

pub(super) async fn run(engine: Engine, stop: CancellationToken) {
    // A counter that comes with its first event has no rise in it.
    reclaimed(0);
    let sweeping = async {
        loop {
            time::sleep(engine.settings.sweep).await;
            if let Err(error) = sweep(&engine).await {
                tracing::warn!(%error, "sweep not finished");
            }
        }
    };
    // Beside the other, so that lost workers' jobs do not wait for a slow object store.
    let removing = async {
        let mut orphans_at = Instant::now() + engine.settings.orphan_age;
        loop {
            time::sleep(engine.settings.sweep).await;
            if let Err(error) = remove_destroyed(&engine).await {
                tracing::warn!(%error, "objects of destroyed jobs not removed");
            }
            if Instant::now() >= orphans_at {
                orphans_at = Instant::now() + engine.settings.orphan_age;
                if let Err(error) = remove_orphans(&engine).await {
                    tracing::warn!(%error, "search for orphaned objects not finished");
                }
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = sweeping => {}
        () = removing => {}
        () = reconcile(&engine) => {}
    }
}

async fn sweep(engine: &Engine) -> Result<(), SweepError> {
    let store = &engine.store;
    let lease_ms = i64::try_from(engine.settings.lease.as_millis()).unwrap_or(i64::MAX);
    let given_up = store.give_up(lease_ms).await?;
    if !given_up.is_empty() {
        tracing::warn!(jobs = given_up.len(), "took back jobs of lost workers");
        reclaimed(given_up.len() as u64);
        engine.notifier.tell(Change::Queue);
    }
    // A worker ends its jobs on time; past its grace time and lease it has failed to.
    let overdue_ms =
        i64::try_from((engine.settings.grace + engine.settings.lease).as_millis()).unwrap_or(i64::MAX);
    let expired = store.expire(overdue_ms).await?;
    for id in given_up.into_iter().chain(expired) {
        engine.notifier.tell(Change::Stopped(id));
    }
    for id in store.due(DESTROYED_A_SWEEP).await? {
        if store.destroy(id).await?.is_some() {
            tracing::info!(job = %id, "destroyed at its destruction time");
            engine.notifier.tell(Change::Stopped(id));
        }
    }
    store.forget(TOMBSTONE_MS).await?;
    store.forget_expired().await?;
    Ok(())
}

/// Counts jobs that were taken back from lost workers.
fn reclaimed(jobs: u64) {
    metrics::counter!("sidereal_jobs_reclaimed_total").increment(jobs);
}

async fn remove_destroyed(engine: &Engine) -> Result<(), StoreError> {
    for id in engine.store.with_objects(DESTROYED_A_SWEEP).await? {
        if let Err(error) = remove_objects(&engine.store, &engine.results, id).await {
            tracing::warn!(job = %id, %error, "objects left for the next sweep");
        }
    }
    Ok(())
}

/// Removes every object of a destroyed job, and notes it in its tombstone.
pub async fn remove_objects(store: &Store, results: &Results, id: JobId) -> Result<(), SweepError> {
    results.delete_prefix(&format!("{id}/")).await?;
    store.without_objects(id).await?;
    Ok(())
}

/// Removes objects that no job names: of jobs that are not there, and of runs that were given up.
async fn remove_orphans(engine: &Engine) -> Result<(), SweepError> {
    let mut names = engine.results.jobs().await.chunks(ORPHAN_CHUNK);
    while let Some(chunk) = names.next().await {
        let ids: Vec<JobId> = chunk
            .into_iter()
            .collect::<Result<Vec<_>, _>>()?
            .iter()
            .filter_map(|name| name.parse().ok())
            .collect();
        let current: HashMap<JobId, (i64, bool)> = engine
            .store
            .fences(&ids)
            .await?
            .into_iter()
            .map(|current| (current.job, (current.fence, current.running)))
            .collect();
        for id in ids {
            match current.get(&id) {
                // A job is stored after its uploads: a young one may be about to be.
                None if age(id) > engine.settings.orphan_age => {
                    engine.results.delete_prefix(&format!("{id}/")).await?;
                    tracing::info!(job = %id, "removed objects of a job that is not there");
                }
                Some((fence, false)) => remove_earlier_runs(engine, id, *fence).await?,
                None | Some((_, true)) => {}
            }
        }
    }
    Ok(())
}

async fn remove_earlier_runs(engine: &Engine, id: JobId, fence: i64) -> Result<(), SweepError> {
    let mut children = engine.results.children(&id.to_string()).await;
    while let Some(child) = children.next().await {
        let child = child?;
        if child.parse::<i64>().is_ok_and(|run| run < fence) {
            engine.results.delete_prefix(&format!("{id}/{child}/")).await?;
            tracing::info!(job = %id, run = child, "removed objects of an earlier run");
        }
    }
    Ok(())
}

/// How long ago an id was made, by its own time stamp.
fn age(id: JobId) -> Duration {
    let made = id.0.get_timestamp().map_or(Duration::ZERO, |stamp| {
        let (seconds, nanos) = stamp.to_unix();
        Duration::new(seconds, nanos)
    });
    std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap_or_default()
        .saturating_sub(made)
}

/// Wakes whoever waits for a job that has changed without a hint.
async fn reconcile(engine: &Engine) {
    let mut known: HashMap<JobId, i64> = HashMap::new();
    loop {
        time::sleep(RECONCILE).await;
        let ids = engine.notifier.waited_for();
        if ids.is_empty() {
            known.clear();
            continue;
        }
        match engine.store.versions(&ids).await {
            Ok(versions) => {
                let now: HashMap<JobId, i64> = versions.into_iter().collect();
                for id in ids {
                    let (before, after) = (known.get(&id), now.get(&id));
                    // One that is gone has changed too; one seen for the first time may have.
                    if after.is_none() || before != after {
                        engine.notifier.deliver(Change::Job(id));
                    }
                }
                known = now;
            }
            Err(error) => tracing::warn!(%error, "waiters not compared with the database"),
        }
    }
}

/// Why a sweep stopped, or objects are still there; the next sweep goes on.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The object store did not answer.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
}
