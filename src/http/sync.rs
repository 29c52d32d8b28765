//! The synchronous resource of every service (DALI 1.1 section 2.3): what is asked for is the answer.

use std::sync::Arc;

use poem::{
    Request, Response,
    http::{HeaderMap, StatusCode, header},
};
use poem_openapi::{OpenApi, param::Path};

use super::{
    Site,
    caller::{Identified, KnownBy},
    content,
    edge::HeadOnly,
    form::{Asked, Form},
    problem::Problem,
    reply::{Answered, Reply, foreign},
};
use crate::{
    auth::{By, Caller},
    engine::Answer,
    jobs::{Place, Waited},
    uws::{Job, Phase},
};

/// The result that stands for all of a job.
const RESULT: &str = "result";

/// The API of every service.
pub struct Sync(pub Arc<Site>);

#[OpenApi(ignore_case)]
impl Sync {
    /// Asks a service and waits for the answer, by the query
    ///
    /// The parameters are those of a job. A service that cannot answer at once makes a job and answers its `result`; if
    /// that takes too long, the client is sent to the job.
    #[oai(path = "/api/:service/sync", method = "get", operation_id = "getSync")]
    async fn get(
        &self,
        service: Path<String>,
        KnownBy(known): KnownBy,
        request: &Request,
        Asked(form): Asked,
    ) -> Result<Reply<Answered>, Problem> {
        check_own(&known.by, request.headers())?;
        self.answer(&known.caller, &service, request, form).await
    }

    /// Asks a service and waits for the answer
    ///
    /// See the GET.
    #[oai(path = "/api/:service/sync", method = "post", operation_id = "postSync")]
    async fn post(
        &self,
        service: Path<String>,
        Identified(caller): Identified,
        request: &Request,
        form: Form,
    ) -> Result<Reply<Answered>, Problem> {
        self.answer(&caller, &service, request, form).await
    }
}

impl Sync {
    async fn answer(
        &self,
        caller: &Caller,
        service: &str,
        request: &Request,
        form: Form,
    ) -> Result<Reply<Answered>, Problem> {
        let _ticket = self.0.syncs.enter(&caller.name)?;
        let submission = form.into_submission()?;
        match self
            .0
            .jobs
            .answer(caller, service, submission)
            .await
            .map_err(Problem::uws)?
        {
            Waited::Answer(answer) => own(answer, request),
            Waited::Job(job) => self.of_job(caller, &job, request).await,
        }
    }

    async fn of_job(
        &self,
        caller: &Caller,
        job: &Job,
        request: &Request,
    ) -> Result<Reply<Answered>, Problem> {
        match job.phase {
            Phase::Completed => {
                let place = Place {
                    service: Some(&job.service),
                    id: job.id,
                };
                let found = self
                    .0
                    .jobs
                    .result(caller, place, RESULT)
                    .await
                    .map_err(Problem::uws)?;
                Ok(Reply::of(content::result(&self.0.jobs, request, &found).await?))
            }
            Phase::Error | Phase::Aborted => {
                let message = job.error.as_ref().map(|error| error.message.clone());
                Err(Problem::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    message.unwrap_or_else(|| String::from("the job was aborted")),
                ))
            }
            _ => Ok(Reply::of(
                Response::builder()
                    .status(StatusCode::SEE_OTHER)
                    .header(header::LOCATION, self.0.job_url(&job.service, job.id))
                    .header(header::CACHE_CONTROL, "no-store")
                    .finish(),
            )),
        }
    }
}

/// What a service has answered by itself.
fn own(answer: Answer, request: &Request) -> Result<Reply<Answered>, Problem> {
    match answer {
        Answer::Nothing => Ok(Reply::of(StatusCode::NO_CONTENT.into())),
        Answer::Impossible(message) => Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, message)),
        Answer::Unreachable(message) => Err(Problem::new(StatusCode::BAD_GATEWAY, message)),
        Answer::File {
            name,
            media_type,
            bytes,
            etag,
        } => {
            let builder = foreign(&media_type, &name)
                .header(header::ETAG, &etag)
                .header(header::CACHE_CONTROL, "private, no-cache");
            let known = request.headers().get(header::IF_NONE_MATCH);
            if known
                .and_then(|tags| tags.to_str().ok())
                .is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == etag))
            {
                return Ok(Reply::of(builder.status(StatusCode::NOT_MODIFIED).finish()));
            }
            let builder = builder.header(header::CONTENT_LENGTH, bytes.len());
            if request.data::<HeadOnly>().is_some() {
                return Ok(Reply::of(builder.finish()));
            }
            Ok(Reply::of(builder.body(bytes)))
        }
    }
}

/// A GET may make a job here: a page of someone else's must not have a browser do it, unless it has a token to show.
fn check_own(by: &By, headers: &HeaderMap) -> Result<(), Problem> {
    if matches!(by, By::Provider | By::ApiToken(_)) {
        return Ok(());
    }
    let site = headers.get("sec-fetch-site").and_then(|site| site.to_str().ok());
    if site.is_some_and(|site| site == "cross-site" || site == "same-site") {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "a page of another site may not ask for this",
        ));
    }
    Ok(())
}
