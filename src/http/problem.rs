//! What goes wrong with a request, and how a client is told: text with SODA's label, VOTable, or problem+json
//! (RFC 9457), rendered in one place.

use std::{borrow::Cow, error::Error as StdError, time::Duration};

use poem::{
    Response,
    error::{MethodNotAllowedError, NotFoundError, ResponseError},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
};
use poem_openapi::{
    ApiResponse,
    error::{ContentTypeError, ParseParamError, ParseRequestPayloadError},
    registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchemaRef, Registry},
    types::Type,
};
use serde::Serialize;

use super::{negotiate::prefer, parameter::REPEATED, schema};
use crate::{
    engine::UsageError,
    jobs::JobsError,
    uws::{Label, Timestamp, label, votable},
};

const PROBLEM_JSON: &str = "application/problem+json";
const TEXT: &str = "text/plain; charset=utf-8";

/// A request that could not be answered as asked.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    label: Label,
    message: Cow<'static, str>,
    faults: Vec<Fault>,
    headers: Vec<(HeaderName, HeaderValue)>,
    destroyed: Option<Timestamp>,
    source: Option<Box<dyn StdError + Send + Sync>>,
    /// Whether it is a VOTable unless something else is asked for.
    table: bool,
    refused: Option<Box<Refused>>,
}

/// That somebody was refused something, as the audit record has it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Refused {
    action: &'static str,
    aside: String,
}

/// A fault in one parameter.
#[derive(Debug, Clone, Serialize)]
pub struct Fault {
    /// Name of the parameter.
    pub parameter: String,
    /// What is wrong and what was expected.
    pub message: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Problem {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

impl Problem {
    /// A problem whose label follows from its status.
    pub fn new(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        let label = match status {
            StatusCode::UNAUTHORIZED => Label::AuthenticationError,
            StatusCode::FORBIDDEN => Label::AuthorizationError,
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => Label::ServiceUnavailable,
            StatusCode::BAD_REQUEST => Label::UsageError,
            _ => Label::Error,
        };
        Problem {
            status,
            label,
            message: message.into(),
            faults: Vec::new(),
            headers: Vec::new(),
            destroyed: None,
            source: None,
            refused: None,
            table: false,
        }
    }

    /// The same as a refusal of this kind, with what only the record is to know. Every 403 is one, of the kind `refused`,
    /// unless it is a job's phase that forbids something.
    #[must_use]
    pub fn refusal(mut self, action: &'static str, aside: impl Into<String>) -> Self {
        let aside = aside.into();
        self.refused = Some(Box::new(Refused { action, aside }));
        self
    }

    /// For the audit record, if somebody was refused something: of which kind, and why.
    pub fn refused(&self) -> Option<(&'static str, String)> {
        let is_ours = self.status == StatusCode::FORBIDDEN && self.label == Label::AuthorizationError;
        let (action, aside) = match &self.refused {
            Some(refused) => (refused.action, &refused.aside[..]),
            None if is_ours => ("refused", ""),
            None => return None,
        };
        let gap = if aside.is_empty() { "" } else { "; " };
        Some((action, format!("{}{gap}{aside}", self.message)))
    }

    /// A parameter cannot be taken: 400.
    pub fn usage(parameter: impl Into<String>, message: impl Into<String>) -> Self {
        let (parameter, message) = (parameter.into(), message.into());
        Problem {
            faults: vec![Fault {
                parameter: parameter.clone(),
                message: message.clone(),
            }],
            ..Problem::new(StatusCode::BAD_REQUEST, format!("{parameter}: {message}"))
        }
    }

    /// What went wrong with a job as UWS has it: what was destroyed is not there.
    pub fn uws(error: JobsError) -> Self {
        match error {
            JobsError::Gone(_) => Problem::not_found("job not found"),
            other => other.into(),
        }
    }

    /// Several parameters cannot be taken: 400. With `repeated` one that has a single value was given more than once.
    pub fn usages(faults: Vec<Fault>, repeated: bool) -> Self {
        let lines: Vec<String> = faults
            .iter()
            .map(|fault| format!("{}: {}", fault.parameter, fault.message))
            .collect();
        Problem {
            faults,
            label: if repeated {
                Label::MultiValuedParamNotSupported
            } else {
                Label::UsageError
            },
            ..Problem::new(StatusCode::BAD_REQUEST, lines.join("\n"))
        }
    }

    /// A single-valued parameter was given `times` times: 400.
    pub fn repeated(parameter: impl Into<String>, times: usize) -> Self {
        let fault = Fault {
            parameter: parameter.into(),
            message: format!("given {times} times, expected once"),
        };
        Problem::usages(vec![fault], true)
    }

    /// There is no such thing: 404.
    pub fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Problem::new(StatusCode::NOT_FOUND, message)
    }

    /// The job was destroyed at a known time: 410.
    pub fn gone(at: Timestamp) -> Self {
        Problem {
            destroyed: Some(at),
            ..Problem::new(StatusCode::GONE, format!("the job was destroyed at {at}"))
        }
    }

    /// The server has no room now: 503, with when to come back.
    pub fn busy(message: impl Into<Cow<'static, str>>, retry_after: Duration) -> Self {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, message).retry_after(retry_after)
    }

    /// The caller asks for too much at once: 429, with when to come back.
    pub fn too_many(message: impl Into<Cow<'static, str>>, retry_after: Duration) -> Self {
        Problem::new(StatusCode::TOO_MANY_REQUESTS, message).retry_after(retry_after)
    }

    /// The machinery failed; `source` is for the log alone: 500.
    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Problem {
            source: Some(source.into()),
            ..Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the server failed")
        }
    }

    /// Something that the server stands on does not answer; `source` is for the log alone: 503.
    pub fn unavailable(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Problem {
            source: Some(source.into()),
            ..Problem::busy(
                "the server's database or storage does not answer",
                Duration::from_secs(10),
            )
        }
    }

    /// The same with a header in the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The same, told as a VOTable unless something else is asked for: in the place of a table.
    #[must_use]
    pub fn in_table(mut self) -> Self {
        self.table = true;
        self
    }

    fn retry_after(self, pause: Duration) -> Self {
        self.header(header::RETRY_AFTER, HeaderValue::from(pause.as_secs().max(1)))
    }

    /// Status of the answer.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What poem and the handlers say, as a problem. The methods allowed matter for 405.
    pub fn of(error: poem::Error, allow: impl FnOnce(&poem::Error) -> Option<HeaderValue>) -> Self {
        if error.is::<Problem>() {
            return error.downcast::<Problem>().unwrap_or_else(Problem::internal);
        }
        if let Some(error) = error.downcast_ref::<ParseParamError>() {
            // `failed to parse "type": reason` is poem's; only the reason is for people.
            let reason = match error.reason.split_once("\": ") {
                Some((_, reason)) if error.reason.starts_with("failed to parse") => reason,
                _ => &error.reason,
            };
            let fault = Fault {
                parameter: error.name.into(),
                message: reason.into(),
            };
            return Problem::usages(vec![fault], reason == REPEATED);
        }
        if let Some(error) = error.downcast_ref::<ParseRequestPayloadError>() {
            return Problem::new(StatusCode::BAD_REQUEST, format!("request body: {}", error.reason));
        }
        if error.is::<ContentTypeError>() {
            return Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, error.to_string());
        }
        if error.is::<NotFoundError>() {
            return Problem::not_found("there is nothing at this URL");
        }
        if error.is::<MethodNotAllowedError>() {
            let problem = Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "this URL does not take this method",
            );
            return match allow(&error) {
                Some(methods) => problem.header(header::ALLOW, methods),
                None => problem,
            };
        }
        let status = error.status();
        if status.is_server_error() {
            Problem {
                status,
                ..Problem::internal(error.to_string())
            }
        } else {
            Problem::new(status, error.to_string())
        }
    }

    /// The answer in the form that the client prefers; under `/api/v1` (`always_json`) there is only problem+json.
    /// What the server's own faults are is logged here, once, and not told.
    pub fn render(&self, request_headers: &HeaderMap, always_json: bool, request_id: &str) -> Response {
        self.log();
        let offered = [TEXT_TYPE, votable::MEDIA_TYPE, PROBLEM_JSON, "application/json"];
        let form = if always_json {
            2
        } else if self.table {
            // What a browser takes besides does not count.
            let wanted = prefer(
                request_headers,
                &[votable::MEDIA_TYPE, TEXT_TYPE, PROBLEM_JSON, "application/json"],
            );
            [1, 0, 2, 3][wanted.unwrap_or(0)]
        } else {
            prefer(request_headers, &offered).unwrap_or(0)
        };
        let (media_type, body) = match form {
            0 => (TEXT, label::text(self.label, &self.message).into_bytes()),
            1 => (votable::MEDIA_TYPE, votable::error(self.label, &self.message)),
            _ => (PROBLEM_JSON, self.json(request_id)),
        };
        let mut response = Response::builder()
            .status(self.status)
            .content_type(media_type)
            .body(body);
        let headers = response.headers_mut();
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for (name, value) in &self.headers {
            headers.append(name, value.clone());
        }
        response
    }

    /// Whether nothing is at the URL, or nothing that takes the method.
    pub fn is_of_url(&self) -> bool {
        matches!(
            self.status,
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED
        )
    }

    /// The answer in the form of LTD Dasher's API, whatever the client prefers.
    pub fn render_for_keeper(&self) -> Response {
        self.log();
        let (error, message): (&str, &str) = match self.status {
            StatusCode::BAD_REQUEST => ("bad request", &self.message),
            StatusCode::NOT_FOUND => ("not found", "invalid resource URI"),
            StatusCode::METHOD_NOT_ALLOWED => ("method not supported", "the method is not supported"),
            StatusCode::INTERNAL_SERVER_ERROR => ("internal server error", &self.message),
            status => (status.canonical_reason().unwrap_or("error"), &self.message),
        };
        let body = serde_json::json!({
            "status": self.status.as_u16(),
            "error": error.to_ascii_lowercase(),
            "message": message,
        });
        let mut response = Response::builder()
            .status(self.status)
            .content_type("application/json")
            .header(header::CACHE_CONTROL, "no-store")
            .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
            .body(body.to_string());
        for (name, value) in &self.headers {
            response.headers_mut().append(name, value.clone());
        }
        response
    }

    /// Says to the log what clients are not told.
    pub fn log(&self) {
        if self.status.is_server_error() {
            let status = self.status.as_u16();
            if let Some(source) = &self.source {
                tracing::error!(status, error = %chain(source.as_ref()));
            } else {
                tracing::warn!(status, "{}", self.message);
            }
        }
    }

    fn json(&self, request_id: &str) -> Vec<u8> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Document<'a> {
            r#type: &'static str,
            title: &'a str,
            status: u16,
            detail: &'a str,
            label: &'static str,
            request_id: &'a str,
            #[serde(skip_serializing_if = "<[Fault]>::is_empty")]
            errors: &'a [Fault],
            #[serde(skip_serializing_if = "Option::is_none")]
            destroyed: Option<Timestamp>,
        }
        let document = Document {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.message,
            label: self.label.as_str(),
            request_id,
            errors: &self.faults,
            destroyed: self.destroyed,
        };
        serde_json::to_vec(&document).unwrap_or_default()
    }
}

const TEXT_TYPE: &str = "text/plain";

/// An error and what it came from, on one line.
fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

impl From<JobsError> for Problem {
    /// A destroyed job is 410; UWS itself has it as one that never was ([`Problem::uws`]).
    fn from(error: JobsError) -> Self {
        match error {
            JobsError::NotFound(_) => Problem::not_found(error.to_string()),
            JobsError::Forbidden | JobsError::Role => Problem::new(StatusCode::FORBIDDEN, error.to_string()),
            JobsError::Gone(tombstone) => Problem::gone(tombstone.at),
            JobsError::Usage(errors) => {
                let repeated = errors.iter().any(|error| error.multiple);
                let fault = |error: UsageError| Fault {
                    parameter: error.parameter,
                    message: error.message,
                };
                Problem::usages(errors.into_iter().map(fault).collect(), repeated)
            }
            JobsError::IllegalPhase { .. } => Problem {
                label: Label::UsageError,
                ..Problem::new(StatusCode::FORBIDDEN, error.to_string())
            },
            JobsError::Conflict | JobsError::NoRetry(_) => {
                Problem::new(StatusCode::CONFLICT, error.to_string())
            }
            JobsError::Quota(message) => Problem::too_many(message, Duration::from_mins(1)),
            JobsError::Crowded => Problem::busy(error.to_string(), Duration::from_mins(1)),
            JobsError::Unavailable(source) => Problem::unavailable(source),
            JobsError::Internal(source) => Problem::internal(source),
        }
    }
}

impl ResponseError for Problem {
    fn status(&self) -> StatusCode {
        self.status
    }
}

impl ApiResponse for Problem {
    fn meta() -> MetaResponses {
        let text = |content_type| MetaMediaType {
            content_type,
            schema: String::schema_ref(),
        };
        let json = MetaMediaType {
            content_type: PROBLEM_JSON,
            schema: MetaSchemaRef::Reference(schema::Problem::name().into_owned()),
        };
        MetaResponses {
            responses: vec![MetaResponse {
                description: "What went wrong. Under /api/v1 always problem+json.",
                status: None,
                status_range: None,
                content: vec![text(TEXT_TYPE), text(votable::MEDIA_TYPE), json],
                headers: Vec::new(),
            }],
        }
    }

    fn register(registry: &mut Registry) {
        schema::Problem::register(registry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(problem: &Problem, accept: Option<&str>, always_json: bool) -> (String, String) {
        let mut headers = HeaderMap::new();
        if let Some(accept) = accept {
            headers.insert(header::ACCEPT, accept.parse().unwrap());
        }
        let response = problem.render(&headers, always_json, "r1");
        assert_eq!(response.status(), problem.status());
        let media_type = response.content_type().unwrap().to_owned();
        let body = futures::executor::block_on(response.into_body().into_string()).unwrap();
        (media_type, body)
    }

    #[test]
    fn an_error_has_the_form_that_is_asked_for() {
        let problem = Problem::usage("SIZE", "expected a number");
        let text = (
            "text/plain; charset=utf-8".into(),
            "UsageError: SIZE: expected a number".into(),
        );
        assert_eq!(rendered(&problem, None, false), text);
        assert_eq!(rendered(&problem, Some("*/*"), false), text);
        assert_eq!(rendered(&problem, Some("application/xml"), false), text);
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        assert_eq!(rendered(&problem, Some(browser), false), text);
        let (media_type, body) = rendered(&problem, Some("application/x-votable+xml"), false);
        assert_eq!(media_type, "application/x-votable+xml");
        assert!(body.contains("UsageError: SIZE: expected a number"), "{body}");
        for (accept, always) in [
            (Some("application/json"), false),
            (Some("text/plain"), true),
            (None, true),
        ] {
            let (media_type, body) = rendered(&problem, accept, always);
            assert_eq!(media_type, "application/problem+json");
            assert_eq!(
                serde_json::from_str::<serde_json::Value>(&body).unwrap(),
                serde_json::json!({
                    "type": "about:blank", "title": "Bad Request", "status": 400,
                    "detail": "SIZE: expected a number", "label": "UsageError", "requestId": "r1",
                    "errors": [{"parameter": "SIZE", "message": "expected a number"}],
                })
            );
        }
    }

    #[test]
    fn in_the_place_of_a_table_an_error_is_one() {
        let problem = Problem::usage("POS", "expected a shape").in_table();
        for accept in [None, Some("*/*"), Some("application/fits")] {
            assert_eq!(rendered(&problem, accept, false).0, "application/x-votable+xml");
        }
        assert_eq!(
            rendered(&problem, Some("application/json"), false).0,
            PROBLEM_JSON
        );
        assert_eq!(rendered(&problem, Some("text/plain"), false).0, TEXT);
    }

    #[test]
    fn the_servers_own_faults_are_not_told() {
        for problem in [
            Problem::internal("password of the database"),
            Problem::unavailable("password of the database"),
            Problem::of(
                poem::error::InternalServerError(std::io::Error::other("password of the database")),
                |_| None,
            ),
        ] {
            assert!(problem.status().is_server_error());
            assert!(!rendered(&problem, None, false).1.contains("password"));
            assert!(!rendered(&problem, None, true).1.contains("password"));
        }
    }

    #[test]
    fn what_the_record_has_of_a_refusal_is_not_told() {
        let forbidden = Problem::new(StatusCode::FORBIDDEN, "no");
        assert_eq!(forbidden.refused(), Some(("refused", "no".into())));
        let token = Problem::new(StatusCode::UNAUTHORIZED, "no").refusal("token refused", "API token 7");
        assert_eq!(token.refused(), Some(("token refused", "no; API token 7".into())));
        assert!(!rendered(&token, None, true).1.contains('7'));
        assert_eq!(Problem::new(StatusCode::UNAUTHORIZED, "sign in").refused(), None);
        let phase = JobsError::IllegalPhase {
            phase: crate::uws::Phase::Completed,
            action: "be run",
        };
        assert_eq!(Problem::from(phase).refused(), None);
        assert!(Problem::from(JobsError::Forbidden).refused().is_some());
    }

    #[test]
    fn every_label_follows_from_what_happened() {
        let label = |problem: &Problem| {
            rendered(problem, None, false)
                .1
                .split(':')
                .next()
                .map(str::to_owned)
        };
        for (problem, expected) in [
            (Problem::repeated("SIZE", 2), "MultiValuedParamNotSupported"),
            (Problem::usage("SIZE", "no"), "UsageError"),
            (Problem::new(StatusCode::FORBIDDEN, "no"), "AuthorizationError"),
            (
                Problem::new(StatusCode::UNAUTHORIZED, "no"),
                "AuthenticationError",
            ),
            (Problem::unavailable("x"), "ServiceUnavailable"),
            (Problem::not_found("no"), "Error"),
        ] {
            assert_eq!(label(&problem).as_deref(), Some(expected));
        }
    }
}
