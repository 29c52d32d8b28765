//! The web app in development: what its own server (Vite) makes, passed through, hot reload included. Neither the
//! cookies nor the tokens of the browser get there.

use std::time::Duration;

use futures::TryStreamExt;
use poem::{
    Body, Request, Response,
    http::{HeaderMap, HeaderValue, StatusCode, header},
};
use reqwest::Client;
use tokio::io::copy_bidirectional;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{
    super::{page, problem::Problem},
    HOME,
    document::{Document, Policy},
};
use crate::net;

/// Longest page, in bytes.
const MAX_PAGE: usize = 4 << 20;
/// Longest wait for an answer to begin: the server bundles what is new first.
const PATIENCE: Duration = Duration::from_mins(1);

/// What the server is told of a request.
const ASKED: &[&str] = &[
    "accept",
    "if-modified-since",
    "if-none-match",
    // By it the server knows pages of other sites.
    "origin",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
];
/// And of a websocket (RFC 6455 section 4.1).
const ASKED_OF_SOCKETS: &[&str] = &[
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-protocol",
    "sec-websocket-version",
];
/// What a browser is told of an answer.
const TOLD: &[&str] = &[
    "cache-control",
    "content-length",
    "content-type",
    "etag",
    "last-modified",
    "vary",
    "sourcemap",
];
const TOLD_OF_SOCKETS: &[&str] = &[
    "sec-websocket-accept",
    "sec-websocket-extensions",
    "sec-websocket-protocol",
];

/// The development server.
pub struct Development {
    url: Url,
    client: Client,
    base_path: String,
    draining: CancellationToken,
}

impl Development {
    /// At this URL; websockets end when `draining` begins.
    pub fn new(url: &Url, base_path: &str, draining: &CancellationToken) -> Result<Self, reqwest::Error> {
        Ok(Development {
            url: url.clone(),
            client: net::client(url)?,
            base_path: base_path.to_owned(),
            draining: draining.clone(),
        })
    }

    /// What the server answers to a request.
    pub async fn answer(&self, request: &Request) -> Result<Response, Problem> {
        let mut url = self.url.clone();
        url.set_path(request.uri().path());
        url.set_query(request.uri().query());
        let is_socket = request
            .headers()
            .get(header::UPGRADE)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
        let mut headers = only(request.headers(), ASKED);
        if is_socket {
            headers.extend(only(request.headers(), ASKED_OF_SOCKETS));
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        }
        let asked = self.client.get(url).headers(headers).send();
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(answer)) if answer.status() == StatusCode::SWITCHING_PROTOCOLS => {
                self.connect(request, answer)
            }
            Ok(Ok(answer)) => self.tell(request, answer).await,
            Ok(Err(error)) => Ok(self.silent(&error)),
            Err(elapsed) => Ok(self.silent(&elapsed)),
        }
    }

    fn silent(&self, error: &dyn std::error::Error) -> Response {
        tracing::warn!(%error, "the web app's development server");
        page::notice(
            StatusCode::BAD_GATEWAY,
            "The development server does not answer",
            &format!(
                "SIDEREAL_WEB_APP_DEV_URL is {}. Run npm run dev in web-app/, then load this page again.",
                self.url
            ),
        )
    }

    async fn tell(&self, request: &Request, answer: reqwest::Response) -> Result<Response, Problem> {
        let is_page = answer
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(b"text/html"));
        if is_page && answer.status().is_success() {
            let html = net::body(answer, MAX_PAGE).await.map_err(Problem::unavailable)?;
            let below = request.uri().path().strip_prefix(HOME).unwrap_or_default();
            let document = Document::new(&String::from_utf8_lossy(&html), &self.base_path);
            return document.answer(Policy::of(below).in_development());
        }
        let mut response = Response::builder().status(answer.status()).finish();
        *response.headers_mut() = only(answer.headers(), TOLD);
        response.headers_mut().insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        response.set_body(Body::from_bytes_stream(
            answer.bytes_stream().map_err(std::io::Error::other),
        ));
        Ok(response)
    }

    /// Joins the browser's websocket and the server's.
    fn connect(&self, request: &Request, answer: reqwest::Response) -> Result<Response, Problem> {
        let browser = request.take_upgrade().map_err(|_| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "this connection cannot become a websocket",
            )
        })?;
        let mut response = Response::builder()
            .status(StatusCode::SWITCHING_PROTOCOLS)
            .finish();
        *response.headers_mut() = only(answer.headers(), TOLD_OF_SOCKETS);
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        let draining = self.draining.clone();
        let joined = async move {
            let (Ok(mut browser), Ok(mut server)) = tokio::join!(browser, answer.upgrade()) else {
                return;
            };
            // Either may go whenever it likes.
            drop(copy_bidirectional(&mut browser, &mut server).await);
        };
        tokio::spawn(async move { draining.run_until_cancelled(joined).await });
        Ok(response)
    }
}

fn only(headers: &HeaderMap, names: &[&'static str]) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for name in names {
        for value in headers.get_all(*name) {
            kept.append(*name, value.clone());
        }
    }
    kept
}
