//! JSON over all services: search, counts, bulk acts, logs, events.

#![expect(
    clippy::unused_async,
    reason = "poem-openapi takes asynchronous operations only"
)]

use std::{collections::BTreeMap, sync::Arc};

use poem::{Request, http::HeaderMap};
use poem_openapi::{
    OpenApi,
    param::{Header, Path, Query},
    payload::Json,
    types::MaybeUndefined,
};
use serde::Serialize;

use super::{
    Site, archive,
    caller::{Identified, KnownBy},
    events::{self, Summary, summary},
    form::{add_text, is_control},
    job_id, log,
    parameter::{Many, Number, Once},
    problem::Problem,
    reply::{Archive, Atom, Created, Events, JsonOf, Nothing, Reply, Script},
    schema, script, services,
};
use crate::{
    auth::{By, Limits, Refusal, Role},
    jobs::{BulkAction, BulkOutcome, BulkTarget, JobsError, Place, SearchFilter, Submission},
    uws::{Job, JobId, Phase, Timestamp, json},
};

/// Jobs of a page, unless the client says otherwise.
const PAGE: u64 = 50;

/// The API over all services.
pub struct V1(pub Arc<Site>);

#[OpenApi(prefix_path = "/api/v1")]
impl V1 {
    /// Jobs of all services
    ///
    /// The caller's, newest first, in pages; all that is given must match.
    #[oai(path = "/jobs", method = "get", operation_id = "searchJobs")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the query")]
    async fn search(
        &self,
        Identified(caller): Identified,
        /// Of this owner, or `*` for everyone's: operators only.
        owner: Query<Once<String>>,
        /// Of one of these services.
        service: Query<Many<String>>,
        /// In one of these phases.
        phase: Query<Many<Phase>>,
        /// With this label (runId).
        label: Query<Once<String>>,
        /// Created strictly after this time.
        after: Query<Once<Timestamp>>,
        /// Created strictly before this time.
        before: Query<Once<Timestamp>>,
        /// With this text in the label, or this beginning of the identifier.
        q: Query<Once<String>>,
        /// Jobs of a page, at most 1,000.
        limit: Query<Once<Number>>,
        /// `next` of the page before.
        cursor: Query<Once<String>>,
    ) -> Result<Reply<JsonOf<schema::JobPage>>, Problem> {
        #[derive(Serialize)]
        struct Page<'a> {
            items: Vec<Summary<'a>>,
            next: Option<String>,
        }
        let filter = SearchFilter {
            owner: owner.0.0,
            services: service.0.0,
            phases: phase.0.0,
            label: label.0.0,
            after: after.0.0,
            before: before.0.0,
            q: q.0.0,
        };
        let limit = limit.0.0.map_or(PAGE, |number| number.0);
        let page = self
            .0
            .jobs
            .search(&caller, &filter, cursor.0.0.as_deref(), limit)
            .await?;
        Reply::json(&Page {
            items: page.items.iter().map(|job| summary(job, &self.0.base)).collect(),
            next: page.next,
        })
    }

    /// How many jobs stand in each phase
    ///
    /// Of the caller's; all that is given must match.
    #[oai(path = "/jobs/counts", method = "get", operation_id = "countJobs")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the query")]
    async fn counts(
        &self,
        Identified(caller): Identified,
        /// Of this owner, or `*` for everyone's: operators only.
        owner: Query<Once<String>>,
        /// Of one of these services.
        service: Query<Many<String>>,
        /// In one of these phases.
        phase: Query<Many<Phase>>,
        /// With this label (runId).
        label: Query<Once<String>>,
        /// Created strictly after this time.
        after: Query<Once<Timestamp>>,
        /// Created strictly before this time.
        before: Query<Once<Timestamp>>,
        /// With this text in the label, or this beginning of the identifier.
        q: Query<Once<String>>,
    ) -> Result<Reply<JsonOf<schema::JobCounts>>, Problem> {
        #[derive(Serialize)]
        struct Counts {
            phases: BTreeMap<&'static str, u64>,
            total: u64,
        }
        let filter = SearchFilter {
            owner: owner.0.0,
            services: service.0.0,
            phases: phase.0.0,
            label: label.0.0,
            after: after.0.0,
            before: before.0.0,
            q: q.0.0,
        };
        let counts = self.0.jobs.counts(&caller, &filter).await?;
        Reply::json(&Counts {
            total: counts.values().sum(),
            phases: Phase::ALL
                .into_iter()
                .map(|phase| (phase.as_str(), counts.get(&phase).copied().unwrap_or_default()))
                .collect(),
        })
    }

    /// Creates a job
    #[oai(path = "/jobs", method = "post", operation_id = "createJobFromJson")]
    async fn create(
        &self,
        Identified(caller): Identified,
        /// A key of the client's: the same request with the same key makes no second job; another one is refused.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: Json<schema::NewJob>,
    ) -> Result<Reply<Created<schema::ServiceJob>>, Problem> {
        let service = body.0.service.clone();
        let mut submission = submission(body.0)?;
        submission.idempotency_key = key.0;
        let job = self.0.jobs.create(&caller, &service, submission).await?;
        let url = self.0.job_url(&job.service, job.id);
        Reply::created(&url, &self.document(&job))
    }

    /// Aborts or destroys many jobs
    #[oai(path = "/jobs/bulk", method = "post", operation_id = "bulk")]
    async fn bulk(
        &self,
        Identified(caller): Identified,
        body: Json<schema::Bulk>,
    ) -> Result<Reply<JsonOf<schema::BulkReport>>, Problem> {
        let schema::Bulk { action, ids, filter } = body.0;
        let action = match action {
            schema::BulkAction::Abort => BulkAction::Abort,
            schema::BulkAction::Delete => BulkAction::Delete,
        };
        let target = match (ids, filter) {
            (Some(ids), None) => {
                let ids: Result<Vec<JobId>, Problem> = ids
                    .iter()
                    .map(|id| {
                        id.parse()
                            .map_err(|error| Problem::usage("ids", format!("{id:?} is {error}")))
                    })
                    .collect();
                BulkTarget::Ids(ids?)
            }
            (None, Some(filter)) => BulkTarget::Filter(bulk_filter(filter)?),
            _ => return Err(Problem::usage("ids", "expected either ids or filter")),
        };
        let outcomes = self.0.jobs.bulk(&caller, action, &target).await?;
        let mut others = outcomes
            .iter()
            .filter(|outcome| matches!(outcome.error, Some(JobsError::Forbidden)));
        if let Some(first) = others.next() {
            let refusal = Refusal {
                actor: Some(caller.name.clone()),
                action: "refused",
                subject: "POST /api/v1/jobs/bulk".into(),
                detail: format!("{} jobs of others, first {}", others.count() + 1, first.id),
                address: caller.address,
            };
            self.0.door.auth.refused(refusal).await;
        }
        Reply::json(&report(outcomes))
    }

    /// A job
    ///
    /// 410 with the time if it was destroyed. Of more than 1,000 results only the manifests and the like are listed while it
    /// runs.
    #[oai(path = "/jobs/:id", method = "get", operation_id = "getJobOfAnyService")]
    async fn job(
        &self,
        id: Path<String>,
        Identified(caller): Identified,
    ) -> Result<Reply<JsonOf<schema::ServiceJob>>, Problem> {
        let job = self.0.jobs.get(&caller, place(&id)?).await?;
        Reply::json(&self.document(&job))
    }

    /// Sets the label of a job
    #[oai(path = "/jobs/:id", method = "patch", operation_id = "changeJob")]
    async fn change(
        &self,
        id: Path<String>,
        Identified(caller): Identified,
        body: Json<schema::JobChange>,
    ) -> Result<Reply<JsonOf<schema::ServiceJob>>, Problem> {
        let place = place(&id)?;
        let job = match body.0.run_id {
            MaybeUndefined::Undefined => self.0.jobs.get(&caller, place).await?,
            MaybeUndefined::Null => self.0.jobs.set_run_id(&caller, place, None).await?,
            MaybeUndefined::Value(run_id) => {
                let run_id = (!run_id.is_empty()).then_some(run_id);
                self.0.jobs.set_run_id(&caller, place, run_id).await?
            }
        };
        Reply::json(&self.document(&job))
    }

    /// Destroys a job and its results
    #[oai(path = "/jobs/:id", method = "delete", operation_id = "deleteJobOfAnyService")]
    async fn delete(
        &self,
        id: Path<String>,
        Identified(caller): Identified,
    ) -> Result<Reply<Nothing>, Problem> {
        self.0.jobs.delete(&caller, place(&id)?).await?;
        Ok(Reply::done())
    }

    /// Holds a queued job back until it is run again
    #[oai(path = "/jobs/:id/hold", method = "post", operation_id = "holdJob")]
    async fn hold(
        &self,
        id: Path<String>,
        Identified(caller): Identified,
    ) -> Result<Reply<JsonOf<schema::ServiceJob>>, Problem> {
        let job = self.0.jobs.hold(&caller, place(&id)?).await?;
        Reply::json(&self.document(&job))
    }

    /// The results of a job as one file
    ///
    /// Those that are there by now (without `result` where it stands for another), or those named, as they are, with their
    /// digests at the end (`SHA256SUMS`). An archive
    /// that breaks off can be gone on with by `after`, if it is a tar: a zip is none before its end.
    #[oai(path = "/jobs/:id/archive", method = "get", operation_id = "getArchive")]
    async fn archive(
        &self,
        id: Path<String>,
        Identified(caller): Identified,
        /// What to make of them; a zip unless said otherwise.
        format: Query<Once<archive::Format>>,
        /// One of the results to take; all if none is named.
        file: Query<Many<String>>,
        /// Begin after this one, in the order of the results.
        after: Query<Once<String>>,
        request: &Request,
    ) -> Result<Reply<Archive>, Problem> {
        let place = place(&id)?;
        let ticket = self.0.archives.enter(&caller.name)?;
        let results = self.0.jobs.results(&caller, place).await?;
        let chosen = archive::selected(results, &file.0.0)?;
        let (after, format) = (after.0.0.as_deref(), format.0.0.unwrap_or_default());
        let objects = self.0.jobs.objects();
        let response = archive::response(objects, request, place.id, chosen, after, format, ticket).await?;
        Ok(Reply::of(response))
    }

    /// A script that downloads the results of a job
    ///
    /// For a POSIX shell with curl; run again it goes on where it stopped. It holds no token: it takes `SIDEREAL_TOKEN`.
    #[oai(path = "/jobs/:id/script", method = "get", operation_id = "getScript")]
    async fn script(
        &self,
        id: Path<String>,
        Identified(caller): Identified,
        /// One of the results to take; all if none is named.
        file: Query<Many<String>>,
    ) -> Result<Reply<Script>, Problem> {
        let place = place(&id)?;
        let ticket = self.0.archives.enter(&caller.name)?;
        let job = self.0.jobs.outline(&caller, place).await?;
        let results = self.0.jobs.results(&caller, place).await?;
        let chosen = archive::selected(results, &file.0.0)?;
        let url = format!("{}/results", self.0.job_url(&job.service, job.id));
        let by_token = !self.0.door.auth.is_local();
        Ok(Reply::of(script::response(
            job.id, &url, chosen, by_token, ticket,
        )))
    }

    /// Does again what failed in a job
    ///
    /// A new job of the caller's, which is run: all of a job that ended in ERROR or ABORTED; of a cutout job that was
    /// completed, the rows whose image could not be read, or changed meanwhile, or that were not come to. 409 if the job has
    /// not ended, or if there is no such row.
    #[oai(path = "/jobs/:id/retry", method = "post", operation_id = "retryJob")]
    async fn retry(
        &self,
        id: Path<String>,
        Identified(caller): Identified,
        /// A key of the client's: the same request with the same key makes no second job; another one is refused.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
    ) -> Result<Reply<Created<schema::ServiceJob>>, Problem> {
        // Each reads the job's list and manifest whole.
        let _ticket = self.0.retries.enter(&caller.name)?;
        let job = self.0.jobs.retry(&caller, place(&id)?, key.0).await?;
        let url = self.0.job_url(&job.service, job.id);
        Reply::created(&url, &self.document(&job))
    }

    /// The log of a job
    ///
    /// A line is a time, a space, and what was logged.
    #[oai(path = "/jobs/:id/log", method = "get", operation_id = "getLog")]
    async fn log(
        &self,
        id: Path<String>,
        Identified(caller): Identified,
        /// Leave out so many lines.
        after: Query<Once<u64>>,
        /// Go on until the job has ended.
        follow: Query<Once<bool>>,
    ) -> Result<Reply<Atom>, Problem> {
        let id = job_id(&id)?;
        let (after, follow) = (after.0.0.unwrap_or_default(), follow.0.0.unwrap_or_default());
        let ticket = if follow {
            Some(self.0.listeners.enter(&caller.name)?)
        } else {
            None
        };
        let body = log::body(&self.0.jobs, caller, id, after, ticket).await?;
        Ok(Reply::text(body))
    }

    /// What happens to the caller's jobs, as it happens
    ///
    /// Events `job` (new, changed; a destroyed one has `id`, `service`, `destroyed`), `progress`, and `resync` when
    /// some were lost and everything must be read anew.
    #[oai(path = "/events", method = "get", operation_id = "getEvents")]
    async fn events(
        &self,
        Identified(caller): Identified,
        headers: &HeaderMap,
    ) -> Result<Reply<Events<schema::JobSummary>>, Problem> {
        // What is no number of ours is as one that is no longer remembered.
        let last = headers.get("last-event-id").map(|value| {
            value
                .to_str()
                .ok()
                .and_then(|text| text.parse().ok())
                .unwrap_or(u64::MAX)
        });
        let ticket = self.0.listeners.enter(&caller.name)?;
        let events = self.0.jobs.events(&caller, last);
        Ok(Reply::of(events::stream(events, self.0.base.clone(), ticket)))
    }

    /// The services of this server
    #[oai(path = "/services", method = "get", operation_id = "getServices")]
    async fn services(&self) -> Result<Reply<JsonOf<schema::ServiceList>>, Problem> {
        Reply::json(&services::all(&self.0))
    }

    /// The links by which others read a job
    #[oai(path = "/jobs/:id/shares", method = "get", operation_id = "listShares")]
    async fn shares(
        &self,
        id: Path<String>,
        Identified(caller): Identified,
    ) -> Result<Reply<JsonOf<schema::ShareList>>, Problem> {
        #[derive(Serialize)]
        struct Document {
            id: String,
            created: Timestamp,
            expires: Timestamp,
        }
        #[derive(Serialize)]
        struct List {
            items: Vec<Document>,
        }
        let shares = self.0.jobs.shares(&caller, place(&id)?).await?;
        let items = shares.into_iter().map(|share| Document {
            id: share.id.to_string(),
            created: share.created_at,
            expires: share.expires_at,
        });
        Reply::json(&List {
            items: items.collect(),
        })
    }

    /// Makes a link by which others read a job
    ///
    /// The answer is the only time that the link is shown.
    #[oai(path = "/jobs/:id/shares", method = "post", operation_id = "createShare")]
    async fn create_share(
        &self,
        id: Path<String>,
        Identified(caller): Identified,
        body: Json<schema::NewShare>,
    ) -> Result<Reply<Created<schema::CreatedShare>>, Problem> {
        #[derive(Serialize)]
        struct Document {
            id: String,
            url: String,
            expires: Timestamp,
        }
        let expires = time("expires", &body.0.expires)?;
        let (share, secret) = self.0.jobs.create_share(&caller, place(&id)?, expires).await?;
        let document = Document {
            id: share.id.to_string(),
            url: self.0.share_url(secret.expose()),
            expires: share.expires_at,
        };
        Reply::created(&document.url, &document)
    }

    /// Revokes a link
    #[oai(
        path = "/jobs/:id/shares/:share",
        method = "delete",
        operation_id = "revokeShare"
    )]
    async fn revoke_share(
        &self,
        id: Path<String>,
        share: Path<String>,
        Identified(caller): Identified,
    ) -> Result<Reply<Nothing>, Problem> {
        let share = share.parse().map_err(|_| Problem::not_found("share not found"))?;
        self.0.jobs.revoke_share(&caller, place(&id)?, share).await?;
        Ok(Reply::done())
    }

    /// The caller
    #[oai(path = "/me", method = "get", operation_id = "getMe")]
    async fn me(&self, KnownBy(known): KnownBy) -> Result<Reply<JsonOf<schema::Me>>, Problem> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Usage {
            running: u64,
            queued: u64,
            pending: u64,
            stored_bytes: u64,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Me {
            name: String,
            roles: Vec<Role>,
            by: &'static str,
            until: Option<Timestamp>,
            limits: Limits,
            usage: Usage,
            max_body: u64,
        }
        let caller = known.caller;
        let usage = self.0.jobs.usage(&caller).await?;
        let roles = [Role::User, Role::Operator, Role::Admin];
        Reply::json(&Me {
            roles: roles.into_iter().filter(|role| caller.has(*role)).collect(),
            by: match known.by {
                By::Local => "local",
                By::Session(_) => "session",
                By::Provider => "provider",
                By::ApiToken(_) => "token",
            },
            until: known.until,
            limits: caller.limits,
            usage: Usage {
                running: usage.running,
                queued: usage.queued,
                pending: usage.pending,
                stored_bytes: usage.stored_bytes,
            },
            name: caller.name,
            max_body: self.0.max_body,
        })
    }
}

impl V1 {
    fn document<'a>(&self, job: &'a Job) -> impl Serialize + use<'a> {
        #[derive(Serialize)]
        struct ServiceJob<'a> {
            service: &'a str,
            href: String,
            #[serde(flatten)]
            job: json::JobDocument<'a>,
        }
        ServiceJob {
            service: &job.service,
            href: self.0.job_url(&job.service, job.id),
            job: json::job(job, &self.0.list_url(&job.service)),
        }
    }
}

fn place(id: &str) -> Result<Place<'static>, Problem> {
    Ok(Place {
        service: None,
        id: job_id(id)?,
    })
}

fn bulk_filter(filter: schema::BulkFilter) -> Result<SearchFilter, Problem> {
    let at = |name: &str, text: Option<String>| text.map(|text| time(name, &text)).transpose();
    Ok(SearchFilter {
        owner: None,
        services: filter.service,
        phases: filter.phase.into_iter().map(phase).collect(),
        label: filter.label,
        after: at("filter.after", filter.after)?,
        before: at("filter.before", filter.before)?,
        q: filter.q,
    })
}

fn phase(phase: schema::Phase) -> Phase {
    match phase {
        schema::Phase::Pending => Phase::Pending,
        schema::Phase::Queued => Phase::Queued,
        schema::Phase::Executing => Phase::Executing,
        schema::Phase::Completed => Phase::Completed,
        schema::Phase::Error => Phase::Error,
        schema::Phase::Aborted => Phase::Aborted,
        schema::Phase::Unknown => Phase::Unknown,
        schema::Phase::Held => Phase::Held,
        schema::Phase::Suspended => Phase::Suspended,
        schema::Phase::Archived => Phase::Archived,
    }
}

fn seconds(seconds: i64) -> Result<u32, Problem> {
    u32::try_from(seconds.min(i64::from(i32::MAX)))
        .map_err(|_| Problem::usage("executionDuration", "expected a number of seconds, 0 or more"))
}

fn time(name: &str, text: &str) -> Result<Timestamp, Problem> {
    text.parse()
        .map_err(|error| Problem::usage(name, format!("{error}")))
}

/// What a new job in JSON asks for.
pub fn submission(new: schema::NewJob) -> Result<Submission, Problem> {
    let mut submission = Submission {
        run: new.run,
        run_id: new.run_id.filter(|run_id| !run_id.is_empty()),
        execution_duration: new.execution_duration.map(seconds).transpose()?,
        destruction: new
            .destruction
            .as_deref()
            .map(|text| time("destruction", text))
            .transpose()?,
        ..Submission::default()
    };
    for (name, value) in new.parameters {
        check_name(&name)?;
        add_values(&mut submission, &name, value.0)?;
    }
    Ok(submission)
}

/// What is a parameter of UWS's or DALI's requests is none of a job's; most have a field of their own here.
fn check_name(name: &str) -> Result<(), Problem> {
    let field = match name.to_ascii_uppercase().as_str() {
        "PHASE" => "run",
        "RUNID" => "runId",
        "EXECUTIONDURATION" => "executionDuration",
        "DESTRUCTION" => "destruction",
        "UPLOAD" => {
            return Err(Problem::usage(
                name,
                "files are taken by /api/{service}/async only",
            ));
        }
        _ if is_control(name) => {
            return Err(Problem::usage(
                name,
                "is not a parameter of a job: it has no meaning here",
            ));
        }
        _ => return Ok(()),
    };
    Err(Problem::usage(
        name,
        format!("is not a parameter of a job: give it as {field}, beside parameters"),
    ))
}

fn add_values(submission: &mut Submission, name: &str, value: serde_json::Value) -> Result<(), Problem> {
    use serde_json::Value;
    match value {
        Value::Array(values) => values.into_iter().try_for_each(|value| match value {
            Value::Array(_) => Err(Problem::usage(name, "expected a text, or an array of texts")),
            value => add_values(submission, name, value),
        }),
        Value::String(text) if text.contains('\0') => Err(Problem::usage(name, "contains a NUL character")),
        Value::String(text) => add_text(submission, name, text),
        Value::Number(number) => add_text(submission, name, number.to_string()),
        Value::Bool(value) => add_text(submission, name, value.to_string()),
        Value::Null | Value::Object(_) => Err(Problem::usage(name, "expected a text, or an array of texts")),
    }
}

#[derive(Serialize)]
struct Report {
    done: usize,
    failed: usize,
    items: Vec<Item>,
}

#[derive(Serialize)]
struct Item {
    id: JobId,
    error: Option<String>,
}

fn report(outcomes: Vec<BulkOutcome>) -> Report {
    let items: Vec<Item> = outcomes
        .into_iter()
        .map(|outcome| Item {
            id: outcome.id,
            error: outcome.error.map(|error| {
                let problem = Problem::from(error);
                problem.log();
                problem.to_string()
            }),
        })
        .collect();
    let failed = items.iter().filter(|item| item.error.is_some()).count();
    Report {
        done: items.len() - failed,
        failed,
        items,
    }
}
