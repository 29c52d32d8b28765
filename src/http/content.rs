//! Results and uploads as they are: whole or in parts, streamed from where they are stored.

use std::ops::Range;

use bytes::Bytes;
use futures::TryStreamExt;
use poem::{
    Body, Request, Response,
    http::{HeaderMap, HeaderValue, StatusCode, header},
};

use super::{
    edge::HeadOnly,
    problem::Problem,
    range::{Selection, select},
    reply::{Document, Form, Reply, foreign},
    schema,
};
use crate::{
    jobs::{Content, Jobs},
    objects::ObjectsError,
    store::StoredResult,
    uws::{Job, ResultRef, json, xml},
};

/// The list of a job's results, all of them; `url` is the job's.
pub fn results(
    headers: &HeaderMap,
    results: Vec<ResultRef>,
    url: &str,
) -> Result<Reply<Document<schema::ResultList>>, Problem> {
    Reply::listing(headers, results, url, |form, results| match form {
        Form::Xml => Ok(xml::results(&results, url)),
        Form::Json => serde_json::to_vec(&json::results(&results, url)),
    })
}

/// The document of a job, in the list at `url`.
pub fn job(headers: &HeaderMap, mut job: Job, url: &str) -> Result<Reply<Document<schema::Job>>, Problem> {
    let results = std::mem::take(&mut job.results);
    let own = format!("{url}/{}", job.id);
    Reply::listing(headers, results, &own, move |form, results| {
        job.results = results;
        match form {
            Form::Xml => Ok(xml::job(&job, url)),
            Form::Json => serde_json::to_vec(&json::job(&job, url)),
        }
    })
}

/// Something that never changes under its tag, to be sent whole or in part.
pub struct Representation<'a> {
    /// Media type.
    pub media_type: &'a str,
    /// Name of the file that a browser saves.
    pub name: &'a str,
    /// Strong entity tag without its quotes; `None` if nothing tells its versions apart.
    pub tag: Option<&'a str>,
    /// Bytes.
    pub size: u64,
}

/// What becomes of a request for a representation.
pub enum Selected {
    /// It is answered.
    Answered(Response),
    /// The bytes of this range, or all of them, are to be the body of this answer.
    Bytes(poem::ResponseBuilder, Option<Range<u64>>),
}

impl Representation<'_> {
    /// What the headers of the request select.
    pub fn select(&self, request: &Request) -> Result<Selected, Problem> {
        let tag = self.tag.map(|tag| format!("\"{tag}\""));
        let selection = select(request.headers(), tag.as_deref().unwrap_or_default(), self.size);
        let mut builder = foreign(self.media_type, self.name)
            .header(header::ACCEPT_RANGES, "bytes")
            // It never changes, but it may be destroyed.
            .header(header::CACHE_CONTROL, "private, no-cache");
        if let Some(tag) = &tag {
            builder = builder.header(header::ETAG, tag);
        }
        let range = match selection {
            Selection::Unchanged => {
                return Ok(Selected::Answered(
                    builder.status(StatusCode::NOT_MODIFIED).finish(),
                ));
            }
            Selection::Outside => {
                let problem = Problem::new(
                    StatusCode::RANGE_NOT_SATISFIABLE,
                    format!("there are {} bytes", self.size),
                );
                let size =
                    HeaderValue::from_str(&format!("bytes */{}", self.size)).map_err(Problem::internal)?;
                return Err(problem.header(header::CONTENT_RANGE, size));
            }
            Selection::Whole => None,
            Selection::Part(range) => {
                let value = format!("bytes {}-{}/{}", range.start, range.end - 1, self.size);
                builder = builder
                    .status(StatusCode::PARTIAL_CONTENT)
                    .header(header::CONTENT_RANGE, value);
                Some(range)
            }
        };
        let length = range.as_ref().map_or(self.size, |range| range.end - range.start);
        builder = builder.header(header::CONTENT_LENGTH, length);
        Ok(if request.data::<HeadOnly>().is_some() {
            Selected::Answered(builder.finish())
        } else {
            Selected::Bytes(builder, range)
        })
    }
}

/// A result, or the part of it that the request asks for.
pub async fn result(jobs: &Jobs, request: &Request, result: &StoredResult) -> Result<Response, Problem> {
    let representation = Representation {
        media_type: &result.media_type,
        name: result.file_name(),
        tag: Some(&result.sha256),
        size: result.size,
    };
    let (builder, range) = match representation.select(request)? {
        Selected::Answered(response) => return Ok(response),
        Selected::Bytes(builder, range) => (builder, range),
    };
    let object = jobs.objects().get(&result.object, range).await.map_err(stored)?;
    Ok(builder.body(Body::from_bytes_stream(
        object.body.map_err(std::io::Error::other),
    )))
}

/// The content of a parameter.
pub async fn parameter(
    jobs: &Jobs,
    request: &Request,
    name: &str,
    content: Content,
) -> Result<Response, Problem> {
    let (builder, key, size) = match content {
        Content::Inline(text) => {
            let builder =
                foreign("text/plain; charset=utf-8", name).header(header::CACHE_CONTROL, "no-store");
            return Ok(builder.body(Body::from_bytes(Bytes::from(text))));
        }
        Content::Stored {
            key,
            media_type,
            size,
        } => (foreign(&media_type, name), key, size),
    };
    let builder = builder
        .header(header::CACHE_CONTROL, "no-store")
        .header(header::CONTENT_LENGTH, size);
    if request.data::<HeadOnly>().is_some() {
        return Ok(builder.finish());
    }
    let object = jobs.objects().get(&key, None).await.map_err(stored)?;
    Ok(builder.body(Body::from_bytes_stream(
        object.body.map_err(std::io::Error::other),
    )))
}

/// An object that a job names but that is not there went with the job, a moment ago.
pub fn stored(error: ObjectsError) -> Problem {
    match error {
        ObjectsError::NotFound => Problem::not_found("the content is no longer there"),
        other => Problem::unavailable(other),
    }
}
