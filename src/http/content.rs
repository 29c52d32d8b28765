//! Results and uploads as they are: whole or in parts, streamed from where they are stored.

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
    reply::{Document, Reply, foreign},
    schema,
};
use crate::{
    jobs::{Content, Jobs},
    objects::ObjectsError,
    store::StoredResult,
    uws::{ResultRef, json, xml},
};

/// The list of a job's results, all of them; `url` is the job's.
pub fn results(
    headers: &HeaderMap,
    stored: Vec<StoredResult>,
    url: &str,
) -> Result<Reply<Document<schema::ResultList>>, Problem> {
    let results = stored.into_iter().map(|result| ResultRef {
        id: result.name,
        size: result.size,
        mime_type: result.media_type,
    });
    let results: Vec<ResultRef> = results.collect();
    Reply::document(
        headers,
        || xml::results(&results, url),
        || json::results(&results, url),
    )
}

/// A result, or the part of it that the request asks for.
pub async fn result(jobs: &Jobs, request: &Request, result: &StoredResult) -> Result<Response, Problem> {
    let tag = format!("\"{}\"", result.sha256);
    let selection = select(request.headers(), &tag, result.size);
    let mut builder = foreign(&result.media_type, &result.name)
        .header(header::ETAG, &tag)
        .header(header::ACCEPT_RANGES, "bytes")
        // It never changes, but it may be destroyed.
        .header(header::CACHE_CONTROL, "private, no-cache");
    let range = match selection {
        Selection::Unchanged => return Ok(builder.status(StatusCode::NOT_MODIFIED).finish()),
        Selection::Outside => {
            let problem = Problem::new(
                StatusCode::RANGE_NOT_SATISFIABLE,
                format!("the result has {} bytes", result.size),
            );
            let size =
                HeaderValue::from_str(&format!("bytes */{}", result.size)).map_err(Problem::internal)?;
            return Err(problem.header(header::CONTENT_RANGE, size));
        }
        Selection::Whole => None,
        Selection::Part(range) => {
            let value = format!("bytes {}-{}/{}", range.start, range.end - 1, result.size);
            builder = builder
                .status(StatusCode::PARTIAL_CONTENT)
                .header(header::CONTENT_RANGE, value);
            Some(range)
        }
    };
    let length = range
        .as_ref()
        .map_or(result.size, |range| range.end - range.start);
    builder = builder.header(header::CONTENT_LENGTH, length);
    if request.data::<HeadOnly>().is_some() {
        return Ok(builder.finish());
    }
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
fn stored(error: ObjectsError) -> Problem {
    match error {
        ObjectsError::NotFound => Problem::not_found("the content is no longer there"),
        other => Problem::unavailable(other),
    }
}
