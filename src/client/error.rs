//! Why a request to the server failed, as a caller of the command line needs to know.

use std::{io, path::PathBuf};

use reqwest::{Response, StatusCode, header::CONTENT_TYPE};
use serde::Deserialize;

use crate::uws::Label;

/// Longest message of a server that is shown, in characters.
const MAX_MESSAGE: usize = 4_000;

/// Why a request came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No connection, or it broke.
    #[error("{url}: no answer: {}", root(.source))]
    Unreachable {
        /// What was asked.
        url: String,
        /// What happened.
        source: reqwest::Error,
    },
    /// 400, 413 and the like: the request is at fault.
    #[error("{0}")]
    BadRequest(String),
    /// 401 or 403.
    #[error("{0}")]
    Denied(String),
    /// A token would go over the network in the open; what was asked.
    #[error("{0}: no token is sent over plain http, which others can read: use https")]
    Exposed(String),
    /// No token can be had of a login.
    #[error("{source}")]
    Login {
        /// Whether it may work a little later.
        passing: bool,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// 404 or 410.
    #[error("{0}")]
    NotFound(String),
    /// 429 or 5xx: it may work later.
    #[error("the server cannot answer at present: {0}")]
    Unavailable(String),
    /// An answer that no Sidereal gives.
    #[error("{url}: not an answer of Sidereal: {reason}")]
    Strange {
        /// What was asked.
        url: String,
        /// What was unexpected.
        reason: String,
    },
    /// A file of the caller's cannot be read or written.
    #[error("{}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// The bytes of a result are not those that the job made.
    #[error("{name}: damaged on its way: {reason}")]
    Damaged {
        /// Name of the result.
        name: String,
        /// What differs.
        reason: String,
    },
}

/// The deepest cause: reqwest's own text only repeats the URL.
fn root(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

impl ClientError {
    pub(super) fn unreachable(source: reqwest::Error) -> Self {
        ClientError::Unreachable {
            url: source.url().map(ToString::to_string).unwrap_or_default(),
            source: source.without_url(),
        }
    }

    pub(super) fn strange(answer: &Response, reason: impl Into<String>) -> Self {
        ClientError::Strange {
            url: answer.url().to_string(),
            reason: reason.into(),
        }
    }

    /// Whether the same request may work a little later.
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            ClientError::Unreachable { .. }
                | ClientError::Unavailable(_)
                | ClientError::Login { passing: true, .. }
        )
    }

    /// What an answer with an error status says.
    pub(super) async fn refused(answer: Response) -> Self {
        let status = answer.status();
        let problem = answer
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|kind| kind.contains("json"));
        match answer.text().await {
            Ok(body) => Self::of(status, problem, &body),
            Err(error) => Self::unreachable(error),
        }
    }

    fn of(status: StatusCode, problem: bool, body: &str) -> Self {
        let problem = problem.then(|| serde_json::from_str(body).unwrap_or_default());
        let message = message(status, problem.as_ref(), body);
        let label = problem.and_then(|problem| problem.label);
        match status.as_u16() {
            // The job stands where that cannot be done; another login would not help.
            403 if label.as_deref() == Some(Label::UsageError.as_str()) => ClientError::BadRequest(message),
            401 | 403 => ClientError::Denied(message),
            404 | 410 => ClientError::NotFound(message),
            429 | 500.. => ClientError::Unavailable(message),
            _ => ClientError::BadRequest(message),
        }
    }
}

/// An RFC 9457 problem, as far as people care, and SODA's label.
#[derive(Default, Deserialize)]
struct Problem {
    title: Option<String>,
    detail: Option<String>,
    label: Option<String>,
}

fn message(status: StatusCode, problem: Option<&Problem>, body: &str) -> String {
    let said = match problem {
        Some(problem) => problem.detail.as_deref().or(problem.title.as_deref()),
        None => Some(body.trim()),
    };
    match said.filter(|said| !said.is_empty() && !said.starts_with('<')) {
        Some(said) => said.chars().take(MAX_MESSAGE).collect(),
        None => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: StatusCode, problem: bool, body: &str) -> String {
        ClientError::of(status, problem, body).to_string()
    }

    #[test]
    fn a_problem_and_a_text_say_what_is_wrong() {
        let status = StatusCode::BAD_REQUEST;
        let problem = r#"{"type":"about:blank","title":"Bad","status":400,"detail":"SIZE: too large"}"#;
        assert_eq!(said(status, true, problem), "SIZE: too large");
        assert_eq!(said(status, true, r#"{"title":"Bad"}"#), "Bad");
        assert_eq!(said(status, false, "UsageError: SIZE\n"), "UsageError: SIZE");
    }

    #[test]
    fn other_bodies_leave_the_status() {
        let status = StatusCode::CONFLICT;
        for (problem, body) in [(false, ""), (false, "<html>"), (true, "x"), (true, "{}")] {
            assert_eq!(said(status, problem, body), "409 Conflict");
        }
    }

    #[test]
    fn a_wrong_phase_is_no_matter_of_login() {
        let refused = |label: &str| {
            let body = format!(r#"{{"detail":"a job in phase X cannot do this","label":"{label}"}}"#);
            ClientError::of(StatusCode::FORBIDDEN, true, &body)
        };
        assert!(matches!(refused("UsageError"), ClientError::BadRequest(_)));
        assert!(matches!(refused("AuthorizationError"), ClientError::Denied(_)));
    }
}
