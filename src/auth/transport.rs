//! How the identity provider is reached: bounded requests, by the internal address if there is one.
//!
//! Calls `net`.

use std::{error::Error, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::Client;
use url::Url;

use crate::net;

/// Longest wait for an answer, its body included.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest answer, in bytes.
const LONGEST: usize = 1 << 20;

/// An error of others, kept so that all who waited for one answer get it.
pub type Cause = Arc<dyn Error + Send + Sync>;

/// Why a request came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// Not reached, not in time, or an answer without end.
    #[error(transparent)]
    Net(#[from] net::NetError),
    /// It has failed, or sends elsewhere, or wants to be left alone.
    #[error("{0} answers with status {1}")]
    Status(Url, u16),
    /// Not the document that should be there.
    #[error("{0} answers what cannot be read: {1}")]
    Unreadable(Url, String),
    /// Another answer than the protocol has.
    #[error("{0}")]
    Wrong(String),
}

/// What is wrong with a URL in the settings.
#[derive(Debug, thiserror::Error)]
pub enum BadAddress {
    /// Not a plain one.
    #[error("auth.{0} must be an http or https URL without user, query and fragment")]
    NotPlain(&'static str),
    /// No client can be built for it.
    #[error("no HTTP client: {0}")]
    NoClient(#[from] reqwest::Error),
}

/// A client of the provider. Redirects are not followed; an answer must come within 10 s and have at most 1 MiB.
#[derive(Debug)]
pub struct Transport {
    client: Client,
    issuer: Url,
    internal: Option<Url>,
}

impl Transport {
    /// To `issuer`, which is reached at `internal` if that is given.
    pub fn new(issuer: &Url, internal: Option<&Url>) -> Result<Transport, BadAddress> {
        for (key, url) in [("issuer", Some(issuer)), ("internal_url", internal)] {
            if url.is_some_and(|url| !is_plain(url)) {
                return Err(BadAddress::NotPlain(key));
            }
        }
        Ok(Transport {
            client: net::client(internal.unwrap_or(issuer))?,
            issuer: issuer.clone(),
            internal: internal.cloned(),
        })
    }

    /// The document at `url`.
    pub async fn get(&self, url: &Url) -> Result<Vec<u8>, NoAnswer> {
        let request = self.client.get(url.clone()).header("accept", "application/json");
        let answer = self.send(request.build().map_err(net::NetError::Failed)?).await?;
        if !answer.status().is_success() {
            return Err(NoAnswer::Status(url.clone(), answer.status().as_u16()));
        }
        Ok(answer.into_body())
    }

    /// What a page answers, whatever its status; a redirect is not followed.
    pub async fn look(&self, url: &Url) -> Result<HttpResponse, NoAnswer> {
        let request = self.client.get(url.clone()).build();
        let (_, answer) = self.exchange(request.map_err(net::NetError::Failed)?).await?;
        Ok(answer)
    }

    /// What a form that is sent to `url` is answered.
    pub async fn post(&self, url: &Url, form: &[(&str, &str)]) -> Result<HttpResponse, NoAnswer> {
        let request = self
            .client
            .post(url.clone())
            .form(form)
            .header("accept", "application/json");
        self.send(request.build().map_err(net::NetError::Failed)?).await
    }

    /// Sends a request. An answer that is not the provider's own word on it (a failure, a redirect) is an error.
    async fn send(&self, request: reqwest::Request) -> Result<HttpResponse, NoAnswer> {
        let (url, answer) = self.exchange(request).await?;
        let status = answer.status();
        if status.is_server_error() || status.is_redirection() || status.as_u16() == 429 {
            return Err(NoAnswer::Status(url, status.as_u16()));
        }
        Ok(answer)
    }

    /// The answer to a request, and the URL that was asked in the end.
    async fn exchange(&self, mut request: reqwest::Request) -> Result<(Url, HttpResponse), NoAnswer> {
        if let Some(internal) = &self.internal {
            *request.url_mut() = internally(request.url(), &self.issuer, internal);
        }
        *request.timeout_mut() = Some(PATIENCE);
        let url = request.url().clone();
        let response = self
            .client
            .execute(request)
            .await
            .map_err(net::NetError::Failed)?;
        let status = response.status();
        let headers = response.headers().clone();
        let mut answer = HttpResponse::new(net::body(response, LONGEST).await?);
        *answer.status_mut() = status;
        *answer.headers_mut() = headers;
        Ok((url, answer))
    }
}

impl<'c> AsyncHttpClient<'c> for Transport {
    type Error = NoAnswer;
    type Future = BoxFuture<'c, Result<HttpResponse, NoAnswer>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let request = reqwest::Request::try_from(request).map_err(net::NetError::Failed)?;
            self.send(request).await
        })
    }
}

fn is_plain(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
}

/// `url` as it is reached by the internal address: below the issuer, it is below `internal`; elsewhere on the
/// issuer's host, it keeps its path; on another host it stays.
fn internally(url: &Url, issuer: &Url, internal: &Url) -> Url {
    if url.origin() != issuer.origin() {
        return url.clone();
    }
    let below = |url: &Url| url.path().trim_end_matches('/').to_owned();
    let mut inside = internal.clone();
    let path = match url.path().strip_prefix(&below(issuer)) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => below(internal) + rest,
        _ => url.path().to_owned(),
    };
    inside.set_path(&path);
    inside.set_query(url.query());
    inside
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn endpoints_are_reached_by_the_internal_address_with_their_paths() {
        let issuer = url("https://login.example.org/auth/realms/sky");
        let internal = url("http://keycloak:8080/realms/sky/");
        for (public, inside) in [
            (
                "https://login.example.org/auth/realms/sky/protocol/token?a=b",
                "http://keycloak:8080/realms/sky/protocol/token?a=b",
            ),
            (
                "https://login.example.org/auth/realms/sky",
                "http://keycloak:8080/realms/sky",
            ),
            (
                "https://login.example.org/auth/realms/skyline/token",
                "http://keycloak:8080/auth/realms/skyline/token",
            ),
            ("https://login.example.org/jwks", "http://keycloak:8080/jwks"),
            (
                "http://keycloak:8080/realms/sky/token",
                "http://keycloak:8080/realms/sky/token",
            ),
        ] {
            assert_eq!(
                internally(&url(public), &issuer, &internal),
                url(inside),
                "{public}"
            );
        }
    }

    #[test]
    fn an_address_that_is_not_plain_is_refused() {
        let good = url("https://login.example.org/realms/sky");
        for text in [
            "ftp://x/",
            "https://u@x/",
            "https://x/?a=b",
            "https://x/#a",
            "data:x",
        ] {
            let error = Transport::new(&url(text), None).unwrap_err().to_string();
            assert!(error.contains("auth.issuer"), "{error}");
            let error = Transport::new(&good, Some(&url(text))).unwrap_err().to_string();
            assert!(error.contains("auth.internal_url"), "{error}");
        }
    }
}
