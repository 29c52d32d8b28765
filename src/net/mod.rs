//! Outbound HTTP: the one place that builds its clients.
//!
//! `address` says which addresses are the public network's. Calls nothing of this crate.

mod address;

use std::{sync::Arc, time::Duration};

use reqwest::{Client, Response, redirect};
use url::{Host, Url};

use self::address::PublicOnly;
pub use self::address::is_public;

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest silence within an answer; UWS's WAIT keeps one open for 55 s.
const SILENCE: Duration = Duration::from_secs(90);
/// Longest wait for a connection to a neighbour.
const NEIGHBOUR_CONNECT: Duration = Duration::from_secs(5);
/// Longest silence within a neighbour's answer.
const NEIGHBOUR_SILENCE: Duration = Duration::from_secs(15);

/// A client for requests to `server`: times are bounded, redirects are the caller's to follow. A proxy of the
/// environment is left aside for this machine itself.
pub fn client(server: &Url) -> Result<Client, reqwest::Error> {
    #[expect(clippy::disallowed_methods, reason = "this is net")]
    let builder = Client::builder()
        .user_agent(concat!("sidereal/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .redirect(redirect::Policy::none());
    if is_loopback(server) {
        builder.no_proxy().build()
    } else {
        builder.build()
    }
}

/// How far a client of a neighbour may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Addresses of the public network only, whatever a name resolves to when it is connected to.
    Public,
    /// Any: whoever runs the server has said that the neighbour is within.
    Anywhere,
}

/// A client for short questions to neighbours, each of which is answered wholly in this time or not at all: no proxy of the
/// environment, no redirect, and nothing is inflated.
pub fn neighbour(reach: Reach, answer: Duration) -> Result<Client, reqwest::Error> {
    #[expect(clippy::disallowed_methods, reason = "this is net")]
    let builder = Client::builder()
        .user_agent(concat!("sidereal/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(NEIGHBOUR_CONNECT.min(answer))
        .read_timeout(NEIGHBOUR_SILENCE.min(answer))
        .timeout(answer)
        .redirect(redirect::Policy::none())
        .no_proxy();
    match reach {
        Reach::Public => builder.dns_resolver(Arc::new(PublicOnly)).build(),
        Reach::Anywhere => builder.build(),
    }
}

/// Whether a client of this reach may ask this URL as far as its text tells: an address in it is never resolved.
pub fn may_reach(reach: Reach, url: &Url) -> bool {
    match (reach, url.host()) {
        (_, None) => false,
        (Reach::Anywhere, _) | (Reach::Public, Some(Host::Domain(_))) => true,
        (Reach::Public, Some(Host::Ipv4(address))) => is_public(address.into()),
        (Reach::Public, Some(Host::Ipv6(address))) => is_public(address.into()),
    }
}

/// Why there is no answer of a server.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// Not reached, not in time, or broken off.
    #[error("{}", chain(.0))]
    Failed(#[from] reqwest::Error),
    /// More than the given number of bytes.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
}

/// The body of an answer, if it has at most `limit` bytes; no more than these are read.
pub async fn body(mut response: Response, limit: usize) -> Result<Vec<u8>, NetError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if chunk.len() > limit - body.len() {
            return Err(NetError::TooLong(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// An error and its causes: reqwest's own text leaves out what the system said.
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Whether what is sent to `url` stays between us and its host: https, or this machine itself.
pub fn keeps_secrets(url: &Url) -> bool {
    url.scheme() == "https" || is_loopback(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_and_tls_keep_secrets() {
        for (url, keeps) in [
            ("https://example.org/", true),
            ("http://127.0.0.1:8080/", true),
            ("http://example.org/", false),
            ("http://127.0.0.1.example.org/", false),
        ] {
            assert_eq!(keeps_secrets(&url.parse().unwrap()), keeps, "{url}");
        }
    }

    #[test]
    fn an_address_in_a_url_is_judged_as_one_that_a_name_has() {
        for url in [
            "http://127.0.0.1/",
            "http://[::1]/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://169.254.169.254/",
        ] {
            let url = url.parse().unwrap();
            assert!(!may_reach(Reach::Public, &url), "{url}");
            assert!(may_reach(Reach::Anywhere, &url), "{url}");
        }
        for url in ["http://keeper.example.org/", "https://8.8.8.8/"] {
            assert!(may_reach(Reach::Public, &url.parse().unwrap()), "{url}");
        }
    }

    #[test]
    fn this_machine_is_known_by_its_names() {
        for url in ["http://localhost:1/", "http://127.0.0.2/", "http://[::1]:8080/x"] {
            assert!(is_loopback(&url.parse().unwrap()), "{url}");
        }
        for url in [
            "http://localhost.example.org/",
            "http://10.0.0.1/",
            "https://example.org/",
        ] {
            assert!(!is_loopback(&url.parse().unwrap()), "{url}");
        }
    }
}
