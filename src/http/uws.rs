//! UWS 1.1 for every service (sections 2.1 and 2.2 of the standard), and its DALI and VOSI siblings.

#![expect(
    clippy::unused_async,
    reason = "poem-openapi takes asynchronous operations only"
)]

use std::sync::Arc;

use futures::stream;
use poem::{Body, Request, Response, http::HeaderMap};
use poem_openapi::{
    OpenApi,
    param::{Header, Path, Query},
};

use super::{
    Site,
    caller::Identified,
    content,
    form::Form,
    job_id,
    negotiate::prefer,
    parameter::{Many, Number, Once, WaitFor},
    problem::Problem,
    reply::{Atom, Content, Document, Reply, SeeOther, Xml},
    schema, services,
};
use crate::{
    auth::Caller,
    jobs::{ListFilter, Place, Wait},
    uws::{Job, JobRef, Label, Phase, Timestamp, json, label, vosi, votable, xml},
};

/// How many jobs the list has that a client is sent to when it has destroyed one: all of them may be too many.
const AFTER_DELETE: u32 = 100;
/// Entries of a list that are written at a time.
const PIECE: usize = 500;

/// The API of every service.
pub struct Uws(pub Arc<Site>);

#[OpenApi(ignore_case)]
impl Uws {
    /// The caller's jobs of a service
    ///
    /// Newest first. Filters must all hold; ARCHIVED jobs are listed only when asked for.
    #[oai(path = "/api/:service/async", method = "get", operation_id = "listJobs")]
    async fn list(
        &self,
        service: Path<String>,
        Identified(caller): Identified,
        headers: &HeaderMap,
        /// In one of these phases.
        #[oai(name = "PHASE")]
        phases: Query<Many<Phase>>,
        /// Created strictly after this time.
        #[oai(name = "AFTER")]
        after: Query<Once<Timestamp>>,
        /// So many of the newest.
        #[oai(name = "LAST")]
        last: Query<Once<Number>>,
    ) -> Result<Reply<Document<schema::JobList>>, Problem> {
        let filter = ListFilter {
            phases: phases.0.0,
            after: after.0.0,
            last: last.0.0.map(|number| number.0),
        };
        let jobs = self
            .0
            .jobs
            .list(&caller, &service, &filter)
            .await
            .map_err(Problem::uws)?;
        let url = self.0.list_url(&service);
        if jobs.len() > PIECE && prefer(headers, &["application/xml", "application/json"]) != Some(1) {
            return Ok(Reply::of(long_list(jobs, &url)));
        }
        Reply::document(headers, || xml::jobs(&jobs, &url), || json::jobs(&jobs, &url))
    }

    /// Creates a job
    ///
    /// PHASE=RUN runs it at once; RUNID, EXECUTIONDURATION and DESTRUCTION may be given too, in the body or the query.
    /// All other parameters describe the job.
    #[oai(path = "/api/:service/async", method = "post", operation_id = "createJob")]
    async fn create(
        &self,
        service: Path<String>,
        Identified(caller): Identified,
        /// A key of the client's: the same request with the same key makes no second job; another one is refused.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        form: Form,
    ) -> Result<Reply<SeeOther>, Problem> {
        let mut submission = form.into_submission()?;
        submission.idempotency_key = key.0;
        let job = self
            .0
            .jobs
            .create(&caller, &service, submission)
            .await
            .map_err(Problem::uws)?;
        Reply::see_other(&self.0.job_url(&job.service, job.id))
    }

    /// A job
    ///
    /// With WAIT it is answered once the phase changes, or after so many seconds (at most 55); at once if the job is not
    /// in PHASE, or in a phase that does not change by itself. While it runs, of more than 1,000 results only the manifests
    /// and the like are listed; once it has ended all are.
    #[oai(path = "/api/:service/async/:id", method = "get", operation_id = "getJob")]
    async fn job(
        &self,
        service: Path<String>,
        id: Path<String>,
        Identified(caller): Identified,
        headers: &HeaderMap,
        /// Seconds to wait; -1 for as long as possible.
        #[oai(name = "WAIT")]
        wait: Query<Once<WaitFor>>,
        /// The phase that the client knows.
        #[oai(name = "PHASE")]
        phase: Query<Once<Phase>>,
    ) -> Result<Reply<Document<schema::Job>>, Problem> {
        let place = place(&service, &id)?;
        let job = match wait.0.0 {
            None | Some(WaitFor::Seconds(0)) => self.0.jobs.get(&caller, place).await,
            Some(wait) => {
                let _ticket = self.0.waits.enter(&caller.name)?;
                let seconds = match wait {
                    WaitFor::Longest => None,
                    WaitFor::Seconds(seconds) => Some(seconds),
                };
                let wait = Wait {
                    seconds,
                    phase: phase.0.0,
                };
                self.0.jobs.wait(&caller, place, wait).await
            }
        }
        .map_err(Problem::uws)?;
        let url = self.0.list_url(&job.service);
        content::job(headers, job, &url)
    }

    /// Destroys a job by ACTION=DELETE
    #[oai(path = "/api/:service/async/:id", method = "post", operation_id = "postJob")]
    async fn act(
        &self,
        service: Path<String>,
        id: Path<String>,
        Identified(caller): Identified,
        form: Form,
    ) -> Result<Reply<SeeOther>, Problem> {
        let place = place(&service, &id)?;
        let action = form.required("ACTION", "DELETE; parameters go to the job's parameters")?;
        if !action.trim().eq_ignore_ascii_case("DELETE") {
            return Err(Problem::usage("ACTION", "expected DELETE"));
        }
        self.destroy(&caller, place, &service).await
    }

    /// Destroys a job and its results
    #[oai(
        path = "/api/:service/async/:id",
        method = "delete",
        operation_id = "deleteJob"
    )]
    async fn delete(
        &self,
        service: Path<String>,
        id: Path<String>,
        Identified(caller): Identified,
    ) -> Result<Reply<SeeOther>, Problem> {
        self.destroy(&caller, place(&service, &id)?, &service).await
    }

    /// The phase of a job
    #[oai(
        path = "/api/:service/async/:id/phase",
        method = "get",
        operation_id = "getPhase"
    )]
    async fn phase(
        &self,
        service: Path<String>,
        id: Path<String>,
        Identified(caller): Identified,
    ) -> Result<Reply<Atom>, Problem> {
        let job = self.get(&caller, &service, &id).await?;
        Ok(Reply::text(job.phase.as_str()))
    }

    /// Runs or aborts a job: PHASE=RUN or PHASE=ABORT
    #[oai(
        path = "/api/:service/async/:id/phase",
        method = "post",
        operation_id = "setPhase"
    )]
    async fn set_phase(
        &self,
        service: Path<String>,
        id: Path<String>,
        Identified(caller): Identified,
        form: Form,
    ) -> Result<Reply<SeeOther>, Problem> {
        let place = place(&service, &id)?;
        let phase = form
            .required("PHASE", "RUN or ABORT")?
            .trim()
            .to_ascii_uppercase();
        let job = match phase.as_str() {
            "RUN" => self.0.jobs.run(&caller, place).await,
            "ABORT" => self.0.jobs.abort(&caller, place).await,
            _ => return Err(Problem::usage("PHASE", "expected RUN or ABORT")),
        };
        self.back(job)
    }

    /// Longest run of a job, in seconds
    #[oai(
        path = "/api/:service/async/:id/executionduration",
        method = "get",
        operation_id = "getExecutionDuration"
    )]
    async fn execution_duration(
        &self,
        service: Path<String>,
        id: Path<String>,
        Identified(caller): Identified,
    ) -> Result<Reply<Atom>, Problem> {
        let job = self.get(&caller, &service, &id).await?;
        Ok(Reply::text(
            job.execution_duration.min(i32::MAX as u32).to_string(),
        ))
    }

    /// Sets the longest run: EXECUTIONDURATION in seconds; the service's limit wins
    #[oai(
        path = "/api/:service/async/:id/executionduration",
        method = "post",
        operation_id = "setExecutionDuration"
    )]
    async fn set_execution_duration(
        &self,
        service: Path<String>,
        id: Path<String>,
        Identified(caller): Identified,
        form: Form,
    ) -> Result<Reply<SeeOther>, Problem> {
        let place = place(&service, &id)?;
        form.required("EXECUTIONDURATION", "seconds")?;
        let seconds = form.execution_duration()?.unwrap_or_default();
        self.back(self.0.jobs.set_execution_duration(&caller, place, seconds).await)
    }

    /// When a job will be destroyed; empty if never
    #[oai(
        path = "/api/:service/async/:id/destruction",
        method = "get",
        operation_id = "getDestruction"
    )]
    async fn destruction(
        &self,
        service: Path<String>,
        id: Path<String>,
        Identified(caller): Identified,
    ) -> Result<Reply<Atom>, Problem> {
        let job = self.get(&caller, &service, &id).await?;
        Ok(Reply::text(time(job.destruction)))
    }

    /// Sets when a job will be destroyed: DESTRUCTION, a time
    #[oai(
        path = "/api/:service/async/:id/destruction",
        method = "post",
        operation_id = "setDestruction"
    )]
    async fn set_destruction(
        &self,
        service: Path<String>,
        id: Path<String>,
        Identified(caller): Identified,
        form: Form,
    ) -> Result<Reply<SeeOther>, Problem> {
        let place = place(&service, &id)?;
        let Some(time) = form.destruction()? else {
            return Err(Problem::usage("DESTRUCTION", "missing (expected a time)"));
        };
        self.back(self.0.jobs.set_destruction(&caller, place, time).await)
    }

    /// When a job is expected to end; empty if that is not known
    #[oai(
        path = "/api/:service/async/:id/quote",
        method = "get",
        operation_id = "getQuote"
    )]
    async fn quote(
        &self,
        service: Path<String>,
        id: Path<String>,
        Identified(caller): Identified,
    ) -> Result<Reply<Atom>, Problem> {
        let job = self.get(&caller, &service, &id).await?;
        Ok(Reply::text(time(job.quote)))
    }

    /// Name of the owner of a job
    #[oai(
        path = "/api/:service/async/:id/owner",
        method = "get",
        operation_id = "getOwner"
    )]
    async fn owner(
        &self,
        service: Path<String>,
        id: Path<String>,
        Identified(caller): Identified,
    ) -> Result<Reply<Atom>, Problem> {
        let job = self.get(&caller, &service, &id).await?;
        Ok(Reply::text(job.owner.unwrap_or_default()))
    }

    /// Why a job failed; 404 if it did not
    #[oai(
        path = "/api/:service/async/:id/error",
        method = "get",
        operation_id = "getError"
    )]
    async fn error(
        &self,
        service: Path<String>,
        id: Path<String>,
        Identified(caller): Identified,
        headers: &HeaderMap,
    ) -> Result<Reply<Atom>, Problem> {
        let job = self.get(&caller, &service, &id).await?;
        let Some(error) = job.error else {
            return Err(Problem::not_found("the job has not failed"));
        };
        let message = match error.detail {
            Some(detail) => format!("{}\n\n{detail}", error.message),
            None => error.message,
        };
        if prefer(headers, &["text/plain", votable::MEDIA_TYPE]) == Some(1) {
            let document = votable::error(Label::Error, &message);
            return Ok(Reply::of(
                Response::builder()
                    .content_type(votable::MEDIA_TYPE)
                    .body(document),
            ));
        }
        Ok(Reply::text(label::text(Label::Error, &message)))
    }

    /// The parameters of a job
    #[oai(
        path = "/api/:service/async/:id/parameters",
        method = "get",
        operation_id = "getParameters"
    )]
    async fn parameters(
        &self,
        service: Path<String>,
        id: Path<String>,
        Identified(caller): Identified,
        headers: &HeaderMap,
    ) -> Result<Reply<Document<schema::ParameterList>>, Problem> {
        let job = self.get(&caller, &service, &id).await?;
        let url = self.0.job_url(&job.service, job.id);
        Reply::document(
            headers,
            || xml::parameters(&job.parameters, &url),
            || json::parameters(&job.parameters, &url),
        )
    }

    /// Replaces parameters of a PENDING job; RUNID sets its label
    #[oai(
        path = "/api/:service/async/:id/parameters",
        method = "post",
        operation_id = "setParameters"
    )]
    async fn set_parameters(
        &self,
        service: Path<String>,
        id: Path<String>,
        Identified(caller): Identified,
        form: Form,
    ) -> Result<Reply<SeeOther>, Problem> {
        let place = place(&service, &id)?;
        let submission = match form.into_parameters() {
            Ok(submission) => submission,
            // That there is no such job, or none of the caller's, goes before what is wrong with the form.
            Err(problem) => return Err(self.get(&caller, &service, &id).await.err().unwrap_or(problem)),
        };
        self.back(self.0.jobs.set_parameters(&caller, place, submission).await)
    }

    /// The content of a parameter
    #[oai(
        path = "/api/:service/async/:id/parameters/:name",
        method = "get",
        operation_id = "getParameter"
    )]
    async fn parameter(
        &self,
        service: Path<String>,
        id: Path<String>,
        name: Path<String>,
        Identified(caller): Identified,
        request: &Request,
    ) -> Result<Reply<Content>, Problem> {
        let place = place(&service, &id)?;
        let found = self
            .0
            .jobs
            .parameter(&caller, place, &name)
            .await
            .map_err(Problem::uws)?;
        Ok(Reply::of(
            content::parameter(&self.0.jobs, request, &name, found).await?,
        ))
    }

    /// The results of a job, all of them
    #[oai(
        path = "/api/:service/async/:id/results",
        method = "get",
        operation_id = "getResults"
    )]
    async fn results(
        &self,
        service: Path<String>,
        id: Path<String>,
        Identified(caller): Identified,
        headers: &HeaderMap,
    ) -> Result<Reply<Document<schema::ResultList>>, Problem> {
        let place = place(&service, &id)?;
        let listed = self.0.jobs.listed(&caller, place).await.map_err(Problem::uws)?;
        let url = self.0.job_url(&service, place.id);
        content::results(headers, listed, &url)
    }

    /// A result, or a part of it by `Range`
    #[oai(
        path = "/api/:service/async/:id/results/:name",
        method = "get",
        operation_id = "getResult"
    )]
    async fn result(
        &self,
        service: Path<String>,
        id: Path<String>,
        name: Path<String>,
        Identified(caller): Identified,
        request: &Request,
    ) -> Result<Reply<Content>, Problem> {
        let place = place(&service, &id)?;
        let found = self
            .0
            .jobs
            .result(&caller, place, &name)
            .await
            .map_err(Problem::uws)?;
        Ok(Reply::of(content::result(&self.0.jobs, request, &found).await?))
    }

    /// What a service can do (VOSI)
    #[oai(
        path = "/api/:service/capabilities",
        method = "get",
        operation_id = "getCapabilities"
    )]
    async fn capabilities(&self, service: Path<String>) -> Result<Reply<Xml>, Problem> {
        let Some(service) = self.0.jobs.service(&service) else {
            return Err(Problem::not_found("service not found"));
        };
        Ok(Reply::xml(services::capabilities(&self.0, &**service)))
    }

    /// Whether a service is available (VOSI)
    #[oai(
        path = "/api/:service/availability",
        method = "get",
        operation_id = "getAvailability"
    )]
    async fn availability(&self, service: Path<String>) -> Result<Reply<Xml>, Problem> {
        if self.0.jobs.service(&service).is_none() {
            return Err(Problem::not_found("service not found"));
        }
        let ready = self.0.health.is_ready().await;
        let note = (!ready).then_some("the database or the object store does not answer");
        Ok(Reply::xml(vosi::availability(ready, self.0.health.since(), note)))
    }
}

impl Uws {
    /// What the documents beside that of the job are made of.
    async fn get(&self, caller: &Caller, service: &str, id: &str) -> Result<Job, Problem> {
        self.0
            .jobs
            .outline(caller, place(service, id)?)
            .await
            .map_err(Problem::uws)
    }

    async fn destroy(
        &self,
        caller: &Caller,
        place: Place<'_>,
        service: &str,
    ) -> Result<Reply<SeeOther>, Problem> {
        self.0.jobs.delete(caller, place).await.map_err(Problem::uws)?;
        Reply::see_other(&format!("{}?LAST={AFTER_DELETE}", self.0.list_url(service)))
    }

    /// After a change, the client is sent to the job.
    fn back(&self, changed: Result<Job, crate::jobs::JobsError>) -> Result<Reply<SeeOther>, Problem> {
        let job = changed.map_err(Problem::uws)?;
        Reply::see_other(&self.0.job_url(&job.service, job.id))
    }
}

fn place<'a>(service: &'a str, id: &str) -> Result<Place<'a>, Problem> {
    Ok(Place {
        service: Some(service),
        id: job_id(id)?,
    })
}

fn time(time: Option<Timestamp>) -> String {
    time.map(|time| time.to_string()).unwrap_or_default()
}

/// A list that is written while it is sent.
fn long_list(jobs: Vec<JobRef>, url: &str) -> Response {
    let state = Some((jobs.into_iter(), xml::JobList::new(url)));
    let pieces = stream::unfold(state, |state| async move {
        let (mut jobs, mut list) = state?;
        for job in jobs.by_ref().take(PIECE) {
            list.push(&job);
        }
        let (piece, state) = if jobs.len() == 0 {
            (list.finish(), None)
        } else {
            (list.take(), Some((jobs, list)))
        };
        Some((Ok::<_, std::io::Error>(piece), state))
    });
    Response::builder()
        .content_type("application/xml")
        .header("cache-control", "no-store")
        .header("x-content-type-options", "nosniff")
        .body(Body::from_bytes_stream(pieces))
}
