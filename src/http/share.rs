//! Shared jobs: whoever has the link reads the job and its results, and nothing else.

use std::sync::Arc;

use percent_encoding::utf8_percent_encode;
use poem::{
    Request, Response,
    http::{HeaderMap, HeaderValue, StatusCode, header},
};
use poem_openapi::{
    OpenApi,
    param::{Path, Query},
};
use serde::Serialize;

use super::{
    Site, archive, content,
    negotiate::prefer,
    parameter::{Many, Once},
    problem::Problem,
    reply::{Archive, Content, Document, Form, Reply, Script, Shown},
    schema, script,
};
use crate::{
    auth::TooFast,
    store::Share,
    uws::{Job, Timestamp, json, xml},
};

/// The API of share links.
pub struct Shared(pub Arc<Site>);

#[OpenApi(prefix_path = "/share")]
impl Shared {
    /// The job that a link leads to
    ///
    /// Its UWS document; browsers, which would rather have HTML, are sent on to a page of the web app that shows it.
    #[oai(path = "/:secret", method = "get", operation_id = "getSharedJob")]
    async fn job(
        &self,
        secret: Path<String>,
        headers: &HeaderMap,
        request: &Request,
    ) -> Result<Reply<Shown<schema::SharedJob>>, Problem> {
        // The page learns by itself whether there is such a link, so that the way to it tells nothing.
        let mut response = if let Some(page) = self.page(&secret, headers)? {
            page
        } else {
            let (job, share) = self.open(&secret, request).await?;
            self.document(job, &share, &secret, headers)?.into_inner()
        };
        let vary = HeaderValue::from_static("accept");
        response.headers_mut().insert(header::VARY, vary);
        Ok(discreet(Reply::of(response)))
    }

    /// The results of a shared job as one file
    ///
    /// Those that are there by now, or those named, as they are, with their digests at the end (`SHA256SUMS`). An archive
    /// that breaks off can be gone on with by `after`, if it is a tar: a zip is none before its end.
    #[oai(path = "/:secret/archive", method = "get", operation_id = "getSharedArchive")]
    async fn archive(
        &self,
        secret: Path<String>,
        /// What to make of them; a zip unless said otherwise.
        format: Query<Once<archive::Format>>,
        /// One of the results to take; all if none is named.
        file: Query<Many<String>>,
        /// Begin after this one, in the order of the results.
        after: Query<Once<String>>,
        request: &Request,
    ) -> Result<Reply<Archive>, Problem> {
        let (job, _) = self.open(&secret, request).await?;
        let ticket = self.0.archives.enter(&format!("link to {}", job.id))?;
        let results = self.0.jobs.shared_results(&secret).await?;
        let chosen = archive::selected(results, &file.0.0)?;
        let (after, format) = (after.0.0.as_deref(), format.0.0.unwrap_or_default());
        let objects = self.0.jobs.objects();
        let response = archive::response(objects, request, job.id, chosen, after, format, ticket).await?;
        Ok(discreet(Reply::of(response)))
    }

    /// A script that downloads the results of a shared job
    ///
    /// For a POSIX shell with curl; run again it goes on where it stopped. The link is in it: who has it needs no token.
    #[oai(path = "/:secret/script", method = "get", operation_id = "getSharedScript")]
    async fn script(
        &self,
        secret: Path<String>,
        /// One of the results to take; all if none is named.
        file: Query<Many<String>>,
        request: &Request,
    ) -> Result<Reply<Script>, Problem> {
        let (job, _) = self.open(&secret, request).await?;
        let ticket = self.0.archives.enter(&format!("link to {}", job.id))?;
        let results = self.0.jobs.shared_results(&secret).await?;
        let chosen = archive::selected(results, &file.0.0)?;
        let url = format!("{}/{}/results", self.0.share_url(&secret), job.id);
        Ok(discreet(Reply::of(script::response(
            job.id, &url, chosen, false, ticket,
        ))))
    }

    /// The same, where its own document says that it is
    #[oai(path = "/:secret/:id", method = "get", operation_id = "getSharedJobById")]
    async fn job_by_id(
        &self,
        secret: Path<String>,
        id: Path<String>,
        headers: &HeaderMap,
        request: &Request,
    ) -> Result<Reply<Document<schema::SharedJob>>, Problem> {
        let (job, share) = self.open(&secret, request).await?;
        same(&job, &id)?;
        self.document(job, &share, &secret, headers)
    }

    /// The results of a shared job, all of them
    #[oai(
        path = "/:secret/:id/results",
        method = "get",
        operation_id = "getSharedResults"
    )]
    async fn results(
        &self,
        secret: Path<String>,
        id: Path<String>,
        headers: &HeaderMap,
        request: &Request,
    ) -> Result<Reply<Document<schema::ResultList>>, Problem> {
        let (job, _) = self.open(&secret, request).await?;
        same(&job, &id)?;
        let listed = self.0.jobs.shared_list(&secret).await?;
        let url = format!("{}/{}", self.0.share_url(&secret), job.id);
        Ok(discreet(content::results(headers, listed, &url)?))
    }

    /// A result of a shared job, or a part of it by `Range`
    #[oai(
        path = "/:secret/:id/results/:name",
        method = "get",
        operation_id = "getSharedResult"
    )]
    async fn result(
        &self,
        secret: Path<String>,
        id: Path<String>,
        name: Path<String>,
        request: &Request,
    ) -> Result<Reply<Content>, Problem> {
        let (job, _) = self.open(&secret, request).await?;
        same(&job, &id)?;
        let found = self.0.jobs.shared_result(&secret, &name).await?;
        let response = content::result(&self.0.jobs, request, &found).await?;
        Ok(discreet(Reply::of(response)))
    }

    /// The content of a parameter of a shared job
    #[oai(
        path = "/:secret/:id/parameters/:name",
        method = "get",
        operation_id = "getSharedParameter"
    )]
    async fn parameter(
        &self,
        secret: Path<String>,
        id: Path<String>,
        name: Path<String>,
        request: &Request,
    ) -> Result<Reply<Content>, Problem> {
        let (job, _) = self.open(&secret, request).await?;
        same(&job, &id)?;
        let found = self.0.jobs.shared_parameter(&secret, &name).await?;
        let response = content::parameter(&self.0.jobs, request, &name, found).await?;
        Ok(discreet(Reply::of(response)))
    }
}

impl Shared {
    /// The job of the link; whoever guesses links is slowed down, and so is who has one.
    async fn open(&self, secret: &str, request: &Request) -> Result<(Job, Share), Problem> {
        let door = &self.0.door;
        if !door.auth.is_local() {
            door.rates
                .address(door.address(request))
                .map_err(|TooFast(pause)| Problem::too_many("too many requests", pause))?;
        }
        Ok(self.0.jobs.shared(secret).await?)
    }

    fn document(
        &self,
        mut job: Job,
        share: &Share,
        secret: &str,
        headers: &HeaderMap,
    ) -> Result<Reply<Document<schema::SharedJob>>, Problem> {
        #[derive(Serialize)]
        struct SharedJob<'a> {
            service: &'a str,
            expires: Timestamp,
            #[serde(flatten)]
            job: json::JobDocument<'a>,
        }
        let url = self.0.share_url(secret);
        let own = format!("{url}/{}", job.id);
        let results = std::mem::take(&mut job.results);
        let expires = share.expires_at;
        let reply = Reply::listing(headers, results, &own, move |form, results| {
            job.results = results;
            match form {
                Form::Xml => Ok(xml::job(&job, &url)),
                Form::Json => serde_json::to_vec(&SharedJob {
                    service: &job.service,
                    expires,
                    job: json::job(&job, &url),
                }),
            }
        })?;
        Ok(discreet(reply))
    }

    /// The way to the page of the web app, for those who would rather have HTML than a document.
    fn page(&self, secret: &str, headers: &HeaderMap) -> Result<Option<Response>, Problem> {
        const FORMS: [&str; 4] = ["application/xml", "text/xml", "application/json", "text/html"];
        let Some(page) = &self.0.shared_page else {
            return Ok(None);
        };
        if prefer(headers, &FORMS) != Some(3) {
            return Ok(None);
        }
        let path = format!("{page}{}", utf8_percent_encode(secret, script::SEGMENT));
        let path = HeaderValue::from_str(&path).map_err(Problem::internal)?;
        let response = Response::builder()
            .status(StatusCode::SEE_OTHER)
            .header(header::LOCATION, path)
            .header(header::CACHE_CONTROL, "no-store")
            .finish();
        Ok(Some(response))
    }
}

fn same(job: &Job, id: &str) -> Result<(), Problem> {
    if job.id.to_string() == id {
        Ok(())
    } else {
        Err(Problem::not_found("share not found"))
    }
}

/// The link is the key: it goes to no other site and into no index.
fn discreet<K>(reply: Reply<K>) -> Reply<K> {
    let mut response = reply.into_inner();
    let headers = response.headers_mut();
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert("x-robots-tag", HeaderValue::from_static("noindex, nofollow"));
    Reply::of(response)
}
