//! Answers, and what the OpenAPI document says of them.

use std::{fmt::Write as _, io, marker::PhantomData};

use futures::stream;
use poem::{
    Body, IntoResponse, Response,
    http::{HeaderMap, HeaderValue, StatusCode, header},
};
use poem_openapi::{
    ApiResponse,
    registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
    types::Type,
};
use serde::Serialize;

use super::{negotiate::prefer, problem::Problem};
use crate::uws::{
    ResultRef,
    pieces::{self, Pieces},
};

/// An answer of a kind that the OpenAPI document describes.
pub struct Reply<K>(Response, PhantomData<fn() -> K>);

/// What the answer to an operation may be.
pub trait Kind {
    /// Its statuses, media types and headers.
    fn responses() -> Vec<MetaResponse>;
    /// Makes the types known that `responses` names.
    fn register(_: &mut Registry) {}
}

impl<K> Reply<K> {
    /// This answer, which must be one of those that `K` describes.
    pub fn of(response: Response) -> Self {
        Reply(response, PhantomData)
    }

    /// The answer itself, to add to it.
    pub fn into_inner(self) -> Response {
        self.0
    }
}

impl<K> IntoResponse for Reply<K> {
    fn into_response(self) -> Response {
        self.0
    }
}

impl<K: Kind> ApiResponse for Reply<K> {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: K::responses(),
        }
    }

    fn register(registry: &mut Registry) {
        K::register(registry);
    }
}

fn described(description: &'static str, status: StatusCode, content: Vec<MetaMediaType>) -> MetaResponse {
    MetaResponse {
        description,
        status: Some(status.as_u16()),
        status_range: None,
        content,
        headers: Vec::new(),
    }
}

fn text(content_type: &'static str) -> MetaMediaType {
    MetaMediaType {
        content_type,
        schema: String::schema_ref(),
    }
}

fn bytes(content_type: &'static str) -> MetaMediaType {
    MetaMediaType {
        content_type,
        schema: MetaSchemaRef::Inline(Box::new(MetaSchema::new_with_format("string", "binary"))),
    }
}

/// The media types of documents.
const FORMS: [&str; 3] = ["application/xml", "text/xml", JSON];
const JSON: &str = "application/json";

/// A document of UWS: XML, or JSON with the schema of `S` if that is asked for.
pub struct Document<S>(PhantomData<S>);

impl<S: Type> Kind for Document<S> {
    fn responses() -> Vec<MetaResponse> {
        let json = MetaMediaType {
            content_type: "application/json",
            schema: S::schema_ref(),
        };
        let content = vec![text("application/xml"), json];
        vec![described("", StatusCode::OK, content)]
    }

    fn register(registry: &mut Registry) {
        S::register(registry);
    }
}

impl<S> Reply<Document<S>> {
    /// The form that the headers of the request ask for.
    pub fn document<J: Serialize>(
        headers: &HeaderMap,
        xml: impl FnOnce() -> Vec<u8>,
        json: impl FnOnce() -> J,
    ) -> Result<Self, Problem> {
        let form = FORMS[prefer(headers, &FORMS).unwrap_or(0)];
        let body = if form == JSON {
            serde_json::to_vec(&json()).map_err(Problem::internal)?
        } else {
            xml()
        };
        Ok(Reply::of(fresh(form, body)))
    }
}

/// What a document is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The standard's.
    Xml,
    /// Our own.
    Json,
}

impl<S> Reply<Document<S>> {
    /// A document of the job at `job_url` that lists results, in the form that the headers of the request ask for; with very
    /// many it is sent piece by piece. `write` writes it with those that it is given.
    pub fn listing(
        headers: &HeaderMap,
        mut results: Vec<ResultRef>,
        job_url: &str,
        write: impl FnOnce(Form, Vec<ResultRef>) -> serde_json::Result<Vec<u8>>,
    ) -> Result<Self, Problem> {
        let media_type = FORMS[prefer(headers, &FORMS).unwrap_or(0)];
        let form = if media_type == JSON { Form::Json } else { Form::Xml };
        if !pieces::is_long(results.len()) {
            let body = write(form, results).map_err(Problem::internal)?;
            return Ok(Reply::of(fresh(media_type, body)));
        }
        let listed = std::mem::take(&mut results);
        let bare = write(form, results).map_err(Problem::internal)?;
        let pieces = match form {
            Form::Xml => Pieces::xml(bare, listed, job_url),
            Form::Json => Pieces::json(bare, listed, job_url),
        };
        let pieces = pieces.ok_or_else(|| Problem::internal("a document has no place for results"))?;
        let body = Body::from_bytes_stream(stream::iter(pieces.map(Ok::<_, io::Error>)));
        Ok(Reply::of(fresh(media_type, body)))
    }
}

/// JSON with the schema of `S`.
pub struct JsonOf<S>(PhantomData<S>);

impl<S: Type> Kind for JsonOf<S> {
    fn responses() -> Vec<MetaResponse> {
        let content = vec![MetaMediaType {
            content_type: "application/json",
            schema: S::schema_ref(),
        }];
        vec![described("", StatusCode::OK, content)]
    }

    fn register(registry: &mut Registry) {
        S::register(registry);
    }
}

impl<S> Reply<JsonOf<S>> {
    /// The value, which has the shape of `S`.
    pub fn json(value: &impl Serialize) -> Result<Self, Problem> {
        let body = serde_json::to_vec(value).map_err(Problem::internal)?;
        Ok(Reply::of(fresh("application/json", body)))
    }
}

/// Something was made: 201 with its URL, as JSON with the schema of `S`.
pub struct Created<S>(PhantomData<S>);

impl<S: Type> Kind for Created<S> {
    fn responses() -> Vec<MetaResponse> {
        let mut responses = JsonOf::<S>::responses();
        for response in &mut responses {
            response.status = Some(StatusCode::CREATED.as_u16());
            response.headers.push(location());
        }
        responses
    }

    fn register(registry: &mut Registry) {
        S::register(registry);
    }
}

impl<S> Reply<Created<S>> {
    /// The value at `url`.
    pub fn created(url: &str, value: &impl Serialize) -> Result<Self, Problem> {
        let mut response = Reply::<JsonOf<S>>::json(value)?.0;
        response.set_status(StatusCode::CREATED);
        let url = HeaderValue::from_str(url).map_err(Problem::internal)?;
        response.headers_mut().insert(header::LOCATION, url);
        Ok(Reply::of(response))
    }
}

/// One value of a job, or text for people: text/plain.
pub struct Atom;

impl Kind for Atom {
    fn responses() -> Vec<MetaResponse> {
        vec![described("", StatusCode::OK, vec![text("text/plain")])]
    }
}

impl Reply<Atom> {
    /// This text.
    pub fn text(text: impl Into<Body>) -> Self {
        Reply::of(fresh("text/plain; charset=utf-8", text))
    }
}

/// XML that has no other form.
pub struct Xml;

impl Kind for Xml {
    fn responses() -> Vec<MetaResponse> {
        vec![described("", StatusCode::OK, vec![text("application/xml")])]
    }
}

impl Reply<Xml> {
    /// This document.
    pub fn xml(document: Vec<u8>) -> Self {
        Reply::of(fresh("application/xml", document))
    }
}

/// A VOTable.
pub struct Table;

impl Kind for Table {
    fn responses() -> Vec<MetaResponse> {
        let content = ["application/x-votable+xml", "text/xml"].map(text).into();
        vec![described("", StatusCode::OK, content)]
    }
}

impl Reply<Table> {
    /// This document, as the media type that was asked for.
    pub fn table(media_type: &str, document: impl Into<Body>) -> Self {
        Reply::of(fresh(media_type, document))
    }
}

/// A page of DALI's examples.
pub struct Xhtml;

impl Kind for Xhtml {
    fn responses() -> Vec<MetaResponse> {
        vec![described("", StatusCode::OK, vec![text("application/xhtml+xml")])]
    }
}

impl Reply<Xhtml> {
    /// This page, which has no script and no style.
    pub fn xhtml(page: String) -> Self {
        let mut response = fresh("application/xhtml+xml", page);
        let nothing = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; base-uri 'none'");
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, nothing);
        Reply::of(response)
    }
}

/// Done: look there.
pub struct SeeOther;

impl Kind for SeeOther {
    fn responses() -> Vec<MetaResponse> {
        let mut response = described(
            "Done; the job, or the list, is at Location.",
            StatusCode::SEE_OTHER,
            Vec::new(),
        );
        response.headers.push(location());
        vec![response]
    }
}

impl Reply<SeeOther> {
    /// At this absolute URL.
    pub fn see_other(url: &str) -> Result<Self, Problem> {
        let url = HeaderValue::from_str(url).map_err(Problem::internal)?;
        Ok(Reply::of(
            Response::builder()
                .status(StatusCode::SEE_OTHER)
                .header(header::LOCATION, url)
                .finish(),
        ))
    }
}

fn location() -> MetaHeader {
    MetaHeader {
        name: "Location".into(),
        description: Some("Absolute URL".into()),
        required: true,
        deprecated: false,
        schema: String::schema_ref(),
    }
}

/// For a browser: the way on, or a page that says why there is none.
pub struct Page;

impl Kind for Page {
    fn responses() -> Vec<MetaResponse> {
        let mut response = described("The browser goes to Location.", StatusCode::SEE_OTHER, Vec::new());
        response.headers.push(location());
        vec![
            response,
            described(
                "It goes no further; a page says why.",
                StatusCode::BAD_REQUEST,
                vec![text("text/html")],
            ),
        ]
    }
}

/// A document of UWS; or for a browser the way to a page of the web app that shows it.
pub struct Shown<S>(PhantomData<S>);

impl<S: Type> Kind for Shown<S> {
    fn responses() -> Vec<MetaResponse> {
        let mut responses = Document::<S>::responses();
        let mut page = described(
            "For a browser: its page of the web app is at Location.",
            StatusCode::SEE_OTHER,
            Vec::new(),
        );
        page.headers.push(MetaHeader {
            description: Some("Absolute path".into()),
            ..location()
        });
        responses.push(page);
        responses
    }

    fn register(registry: &mut Registry) {
        S::register(registry);
    }
}

/// Done, nothing to say.
pub struct Nothing;

impl Kind for Nothing {
    fn responses() -> Vec<MetaResponse> {
        vec![described("Done.", StatusCode::NO_CONTENT, Vec::new())]
    }
}

impl Reply<Nothing> {
    /// Just that.
    pub fn done() -> Self {
        Reply::of(Response::builder().status(StatusCode::NO_CONTENT).finish())
    }
}

/// What was asked for of a service at once.
pub struct Answered;

impl Kind for Answered {
    fn responses() -> Vec<MetaResponse> {
        let mut responses = Content::responses();
        responses.push(described(
            "There is nothing of it.",
            StatusCode::NO_CONTENT,
            Vec::new(),
        ));
        let mut job = described(
            "It takes longer than a request may: the job that was made for it.",
            StatusCode::SEE_OTHER,
            Vec::new(),
        );
        job.headers.push(location());
        responses.push(job);
        responses
    }
}

/// The content of a result or of an uploaded parameter.
pub struct Content;

impl Kind for Content {
    fn responses() -> Vec<MetaResponse> {
        vec![
            described("", StatusCode::OK, vec![bytes("application/octet-stream")]),
            described(
                "The part asked for.",
                StatusCode::PARTIAL_CONTENT,
                vec![bytes("application/octet-stream")],
            ),
            described("It is what the client has.", StatusCode::NOT_MODIFIED, Vec::new()),
            described(
                "The part asked for is not there.",
                StatusCode::RANGE_NOT_SATISFIABLE,
                Vec::new(),
            ),
        ]
    }
}

/// A picture (PNG).
pub struct Picture;

impl Kind for Picture {
    fn responses() -> Vec<MetaResponse> {
        vec![
            described("", StatusCode::OK, vec![bytes("image/png")]),
            described("It is what the client has.", StatusCode::NOT_MODIFIED, Vec::new()),
        ]
    }
}

/// Results together as one file.
pub struct Archive;

impl Kind for Archive {
    fn responses() -> Vec<MetaResponse> {
        let content = vec![bytes("application/zip"), bytes("application/x-tar")];
        vec![described("", StatusCode::OK, content)]
    }
}

/// A shell script.
pub struct Script;

impl Kind for Script {
    fn responses() -> Vec<MetaResponse> {
        vec![described("", StatusCode::OK, vec![text("text/x-shellscript")])]
    }
}

/// Server-sent events whose data is JSON with the schema of `S`.
pub struct Events<S>(PhantomData<S>);

impl<S: Type> Kind for Events<S> {
    fn responses() -> Vec<MetaResponse> {
        let content = vec![MetaMediaType {
            content_type: "text/event-stream",
            schema: S::schema_ref(),
        }];
        vec![described("", StatusCode::OK, content)]
    }

    fn register(registry: &mut Registry) {
        S::register(registry);
    }
}

/// An answer about things that change at any time, for this caller alone.
fn fresh(content_type: &str, body: impl Into<Body>) -> Response {
    let mut response = Response::builder().content_type(content_type).body(body);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

/// Bytes that a client has sent or a job has made: they are never shown as a page of ours.
pub fn foreign(media_type: &str, file_name: &str) -> poem::ResponseBuilder {
    let media_type = HeaderValue::from_str(media_type)
        .unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream"));
    Response::builder()
        .header(header::CONTENT_TYPE, media_type)
        .header(header::CONTENT_DISPOSITION, attachment(file_name))
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header(header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'")
}

/// `Content-Disposition` of RFC 6266: a plain name for everyone, the exact one for those who can read it.
fn attachment(file_name: &str) -> HeaderValue {
    let last = file_name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain: String = last
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "+-._ ".contains(c) {
                c
            } else {
                '_'
            }
        })
        .collect();
    let plain = plain.trim_start_matches('.');
    let plain = if plain.is_empty() { "download" } else { plain };
    let mut value = format!("attachment; filename=\"{plain}\"");
    if plain != last {
        let exact = percent_encoding::utf8_percent_encode(last, percent_encoding::NON_ALPHANUMERIC);
        // Writing to a string does not fail.
        let _ = write!(value, "; filename*=UTF-8''{exact}");
    }
    HeaderValue::from_str(&value).unwrap_or_else(|_| HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_safe_and_exact() {
        for (name, expected) in [
            ("a.fits", "attachment; filename=\"a.fits\""),
            ("J1+2.fits", "attachment; filename=\"J1+2.fits\""),
            ("../../etc/passwd", "attachment; filename=\"passwd\""),
            (
                "a\"b\r\nX: y",
                "attachment; filename=\"a_b__X_ y\"; filename*=UTF-8''a%22b%0D%0AX%3A%20y",
            ),
            ("é", "attachment; filename=\"_\"; filename*=UTF-8''%C3%A9"),
            ("", "attachment; filename=\"download\"; filename*=UTF-8''"),
        ] {
            assert_eq!(attachment(name), expected, "{name}");
        }
    }

    #[test]
    fn what_others_made_is_never_a_page() {
        let response = foreign("text/html", "x.html").finish();
        for (name, expected) in [
            ("content-disposition", "attachment; filename=\"x.html\""),
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "sandbox; default-src 'none'"),
        ] {
            assert_eq!(response.headers()[name], expected);
        }
        assert_eq!(
            foreign("bad\r\ntype", "x").finish().headers()["content-type"],
            "application/octet-stream"
        );
    }
}
