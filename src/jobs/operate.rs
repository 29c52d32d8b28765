//! What operators see of the queue and its workers, and how they drain one.

use super::{Jobs, JobsError};
use crate::{
    auth::{self, Caller, Role},
    notify::Change,
    store::{Connections, Depth, Worker, WorkerId},
};

/// The queue and who works on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// The work of each service: of those that this server has, in the order of the settings, then of others.
    pub services: Vec<Depth>,
    /// The workers on the books, the longest known first.
    pub workers: Vec<Worker>,
}

impl Jobs {
    /// How much work there is, and who does it; for operators.
    pub async fn queue_depth(&self, caller: &Caller) -> Result<Queue, JobsError> {
        operator(caller)?;
        let services = self.depths().await?;
        let workers = self.engine.store.workers().await?;
        Ok(Queue { services, workers })
    }

    /// How much work there is for each service, as `Queue` has it; for the metrics, which ask without a caller.
    pub async fn depths(&self) -> Result<Vec<Depth>, JobsError> {
        let mut depths = self.engine.store.depths().await?;
        let mut services = Vec::new();
        for service in self.services() {
            let name = service.describe().name;
            let place = depths.iter().position(|depth| depth.service == name);
            services.push(match place {
                Some(place) => depths.remove(place),
                None => Depth {
                    service: name.to_owned(),
                    ..Depth::default()
                },
            });
        }
        services.append(&mut depths);
        Ok(services)
    }

    /// The connections to the database.
    pub fn connections(&self) -> Connections {
        self.engine.store.connections()
    }

    /// Has a worker take no more jobs while those that it runs go on, or take jobs again; for operators. It holds until the
    /// worker ends: the server that comes after it is another worker.
    pub async fn set_draining(
        &self,
        caller: &Caller,
        worker: WorkerId,
        draining: bool,
    ) -> Result<Worker, JobsError> {
        operator(caller)?;
        let change = self.engine.store.transaction().await?;
        let told = change.set_draining(worker, draining).await?;
        let told = told.ok_or(JobsError::NotFound("worker"))?;
        let action = if draining {
            "worker drained"
        } else {
            "worker resumed"
        };
        let entry = caller.entry(action, worker.0.to_string(), &told.host);
        auth::record(&change, &entry).await?;
        change.commit().await?;
        self.engine.notifier.tell(Change::Workers);
        if !draining {
            self.engine.notifier.tell(Change::Queue);
        }
        Ok(told)
    }
}

/// Fails for everyone but operators.
pub(super) fn operator(caller: &Caller) -> Result<(), JobsError> {
    if caller.has(Role::Operator) {
        Ok(())
    } else {
        Err(JobsError::Role)
    }
}
