//! The job engine: takes jobs from the queue, runs their service's executor, and keeps the promises of the lease.
//!
//! `service` is the interface that job types implement, `context` what an executor sees, `runner` the slots, claims and
//! heartbeats, `deadline` how long a run has, `sweep` what any replica does from time to time. Calls `auth` (for the interface), `store`, `objects`,
//! `notify`, `uws` and `settings`. Who may do what to a job is `jobs`' affair.

mod context;
mod deadline;
mod room;
mod runner;
mod service;
mod sweep;

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use context::Context;
pub use service::*;
pub use sweep::{SweepError, remove_objects};

use crate::{
    notify::Notifier,
    objects::Results,
    settings::EngineSettings,
    store::{Store, WorkerId},
};

/// What an owner without limits of their own may have, over all workers.
#[derive(Debug, Clone, Copy, Default)]
pub struct PerOwner {
    /// Jobs that run at once; `None` is any number.
    pub running: Option<u64>,
    /// Bytes of all jobs' results and files, 0 for any number; `None` if no owner has a limit.
    pub stored_bytes: Option<u64>,
}

/// What the parts of the engine share.
#[derive(Clone)]
pub struct Engine {
    /// The database.
    pub store: Store,
    /// Results and uploads.
    pub results: Arc<Results>,
    /// Wake-ups.
    pub notifier: Notifier,
    /// The job types that are served.
    pub services: Arc<[Arc<dyn Service>]>,
    /// Lease, heartbeat, sweep.
    pub settings: EngineSettings,
}

impl Engine {
    /// Runs jobs, `slots` at once, until `stop`; then lets running jobs end within the grace time and puts the others
    /// back into the queue. The handle ends when all that is done.
    pub fn run_jobs(
        &self,
        slots: usize,
        per_owner: PerOwner,
        host: &str,
        stop: CancellationToken,
    ) -> JoinHandle<()> {
        let worker = WorkerId(uuid::Uuid::now_v7());
        tokio::spawn(runner::run(
            self.clone(),
            worker,
            slots,
            per_owner,
            host.to_owned(),
            stop,
        ))
    }

    /// Sweeps until `stop`, and wakes waiters whose hint was lost.
    pub fn keep_house(&self, stop: CancellationToken) -> JoinHandle<()> {
        tokio::spawn(sweep::run(self.clone(), stop))
    }

    fn service(&self, name: &str) -> Option<&Arc<dyn Service>> {
        self.services
            .iter()
            .find(|service| service.describe().name == name)
    }
}
