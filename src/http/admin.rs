//! What operators and administrators see and do: workers, people, the record of what was done.

use std::sync::Arc;

use poem_openapi::{
    OpenApi,
    param::{Path, Query},
    payload::Json,
    types::MaybeUndefined,
};
use serde::Serialize;

use super::{
    Site,
    caller::{Identified, KnownBy},
    parameter::{Number, Once},
    problem::Problem,
    reply::{JsonOf, Reply},
    schema,
};
use crate::{
    auth::Limits,
    store::{AuditFilter, Person, Quota, StoreError, Worker, WorkerId},
    uws::Timestamp,
};

/// Entries of a page, unless the client says otherwise.
const PAGE: u64 = 100;
/// Most entries of a page.
const MAX_PAGE: u64 = 1_000;

/// The API of operators and administrators.
pub struct Admin(pub Arc<Site>);

#[OpenApi(prefix_path = "/api/v1/admin")]
impl Admin {
    /// How much work there is for each service, and who does it
    #[oai(path = "/queue", method = "get", operation_id = "getQueue")]
    async fn queue(&self, Identified(caller): Identified) -> Result<Reply<JsonOf<schema::Queue>>, Problem> {
        #[derive(Serialize)]
        struct Depth<'a> {
            service: &'a str,
            queued: u64,
            held: u64,
            running: u64,
            oldest: Option<Timestamp>,
        }
        #[derive(Serialize)]
        struct Queue<'a> {
            services: Vec<Depth<'a>>,
            workers: Vec<WorkerRow<'a>>,
        }
        let queue = self.0.jobs.queue_depth(&caller).await?;
        let services = queue.services.iter().map(|depth| Depth {
            service: &depth.service,
            queued: depth.queued,
            held: depth.held,
            running: depth.running,
            oldest: depth.oldest,
        });
        Reply::json(&Queue {
            services: services.collect(),
            workers: queue.workers.iter().map(WorkerRow::of).collect(),
        })
    }

    /// Has a worker take no more jobs; those that it runs go on
    #[oai(path = "/workers/:id/drain", method = "post", operation_id = "drainWorker")]
    async fn drain(
        &self,
        Identified(caller): Identified,
        id: Path<String>,
    ) -> Result<Reply<JsonOf<schema::Worker>>, Problem> {
        let worker = self.0.jobs.set_draining(&caller, worker(&id)?, true).await?;
        Reply::json(&WorkerRow::of(&worker))
    }

    /// Has a worker take jobs again
    #[oai(path = "/workers/:id/resume", method = "post", operation_id = "resumeWorker")]
    async fn resume(
        &self,
        Identified(caller): Identified,
        id: Path<String>,
    ) -> Result<Reply<JsonOf<schema::Worker>>, Problem> {
        let worker = self.0.jobs.set_draining(&caller, worker(&id)?, false).await?;
        Reply::json(&WorkerRow::of(&worker))
    }

    /// The people of this server, by name
    #[oai(path = "/users", method = "get", operation_id = "listUsers")]
    async fn users(
        &self,
        Identified(_caller): Identified,
        /// The last name of the page before.
        after: Query<Once<String>>,
        /// People of a page, at most 1,000.
        limit: Query<Once<Number>>,
    ) -> Result<Reply<JsonOf<schema::UserList>>, Problem> {
        #[derive(Serialize)]
        struct List<'a> {
            items: Vec<User<'a>>,
        }
        let people = self
            .0
            .door
            .auth
            .people(after.0.0.as_deref(), page(limit.0.0))
            .await
            .map_err(unavailable)?;
        Reply::json(&List {
            items: people.iter().map(|person| self.user(person)).collect(),
        })
    }

    /// Sets what a person may have at once; null gives back what the settings say, 0 is any number
    #[oai(path = "/users/:name", method = "patch", operation_id = "changeUser")]
    async fn change_user(
        &self,
        KnownBy(known): KnownBy,
        name: Path<String>,
        body: Json<schema::UserChange>,
    ) -> Result<Reply<JsonOf<schema::User>>, Problem> {
        let auth = &self.0.door.auth;
        let person = auth
            .person(&name)
            .await
            .map_err(unavailable)?
            .ok_or_else(nobody)?;
        let (change, old) = (body.0, person.quota);
        let quota = Quota {
            running: changed(change.running, old.running),
            queued: changed(change.queued, old.queued),
            pending: changed(change.pending, old.pending),
            positions: changed(change.positions, old.positions),
            stored_bytes: changed(change.stored_bytes, old.stored_bytes),
            requests: changed(change.requests_per_second, old.requests),
        };
        let person = auth
            .set_quota(&known, &name, &quota)
            .await
            .map_err(unavailable)?
            .ok_or_else(nobody)?;
        Reply::json(&self.user(&person))
    }

    /// Ends a person's sessions and revokes the API tokens
    #[oai(
        path = "/users/:name/sessions",
        method = "delete",
        operation_id = "endSessions"
    )]
    async fn end_sessions(
        &self,
        KnownBy(known): KnownBy,
        name: Path<String>,
    ) -> Result<Reply<JsonOf<schema::Ended>>, Problem> {
        #[derive(Serialize)]
        struct Ended {
            sessions: u64,
            tokens: u64,
        }
        let ended = self
            .0
            .door
            .auth
            .end_all(&known, &name)
            .await
            .map_err(unavailable)?
            .ok_or_else(nobody)?;
        Reply::json(&Ended {
            sessions: ended.sessions,
            tokens: ended.tokens,
        })
    }

    /// Logins, refusals, deletions and what operators and administrators changed, newest first
    ///
    /// All that is given must hold. Of refusals from one source only so many have an entry; the next one that has says
    /// how many had none.
    #[oai(path = "/audit", method = "get", operation_id = "getAudit")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the query")]
    async fn audit(
        &self,
        Identified(_caller): Identified,
        /// With exactly this action.
        action: Query<Once<String>>,
        /// Done by the one of exactly this name.
        actor: Query<Once<String>>,
        /// With this text in what it was done to.
        subject: Query<Once<String>>,
        /// Done then or later.
        since: Query<Once<Timestamp>>,
        /// Done before that time.
        until: Query<Once<Timestamp>>,
        /// Entries before the one of this number.
        before: Query<Once<u64>>,
        /// Entries of a page, at most 1,000.
        limit: Query<Once<Number>>,
    ) -> Result<Reply<JsonOf<schema::AuditList>>, Problem> {
        #[derive(Serialize)]
        struct Entry<'a> {
            id: i64,
            at: Timestamp,
            actor: Option<&'a str>,
            action: &'a str,
            subject: &'a str,
            detail: &'a str,
            address: Option<&'a str>,
        }
        #[derive(Serialize)]
        struct List<'a> {
            items: Vec<Entry<'a>>,
        }
        let filter = AuditFilter {
            action: action.0.0,
            actor: actor.0.0,
            subject: subject.0.0,
            since: since.0.0,
            until: until.0.0,
        };
        let before = before.0.0.map(|id| i64::try_from(id).unwrap_or(i64::MAX));
        let entries = self
            .0
            .door
            .auth
            .audit_log(&filter, before, page(limit.0.0))
            .await
            .map_err(unavailable)?;
        let items = entries.iter().map(|entry| Entry {
            id: entry.id,
            at: entry.at,
            actor: entry.actor.as_deref(),
            action: &entry.action,
            subject: &entry.subject,
            detail: &entry.detail,
            address: entry.address.as_deref(),
        });
        Reply::json(&List {
            items: items.collect(),
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct User<'a> {
    name: &'a str,
    role: &'a str,
    disabled: bool,
    created: Timestamp,
    seen: Timestamp,
    limits: Limits,
}

#[derive(Serialize)]
struct WorkerRow<'a> {
    id: String,
    host: &'a str,
    started: Timestamp,
    seen: Timestamp,
    slots: Option<u64>,
    draining: bool,
    running: u64,
}

impl<'a> WorkerRow<'a> {
    fn of(worker: &'a Worker) -> Self {
        WorkerRow {
            id: worker.id.0.to_string(),
            host: &worker.host,
            started: worker.started_at,
            seen: worker.seen_at,
            slots: worker.slots,
            draining: worker.draining,
            running: worker.running,
        }
    }
}

impl Admin {
    fn user<'a>(&self, person: &'a Person) -> User<'a> {
        User {
            name: &person.name,
            role: &person.role,
            disabled: person.disabled,
            created: person.created_at,
            seen: person.seen_at,
            limits: self.0.door.auth.limits(&person.quota),
        }
    }
}

fn changed(change: MaybeUndefined<u64>, old: Option<u64>) -> Option<u64> {
    match change {
        MaybeUndefined::Undefined => old,
        MaybeUndefined::Null => None,
        MaybeUndefined::Value(limit) => Some(limit.min(i64::MAX as u64)),
    }
}

fn page(limit: Option<Number>) -> u64 {
    limit.map_or(PAGE, |number| number.0).clamp(1, MAX_PAGE)
}

/// A worker that a URL names; what cannot be the name of one is not there.
fn worker(id: &str) -> Result<WorkerId, Problem> {
    let id = id.parse().map_err(|_| Problem::not_found("worker not found"))?;
    Ok(WorkerId(id))
}

fn nobody() -> Problem {
    Problem::not_found("user not found")
}

fn unavailable(error: StoreError) -> Problem {
    Problem::unavailable(error)
}
