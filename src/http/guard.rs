//! What a request must look like before anything is made of it: its size, and in mode `local`, where every request is
//! the one user, that it comes from this machine's own programs and not from a web page of someone else's.

use std::net::{Ipv4Addr, Ipv6Addr};

use poem::http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header};
use url::Url;

use super::problem::Problem;

/// Longest URL, in bytes.
const MAX_URL: usize = 16 << 10;
/// Most bytes of headers.
const MAX_HEADERS: usize = 64 << 10;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Judges requests.
pub struct Guard {
    local: bool,
    /// Host and port of the public URL, the port left out if it is the scheme's own.
    public_authority: String,
    public_origin: String,
}

impl Guard {
    /// For the public URL; with `local`, every request has all rights.
    pub fn new(public: &Url, local: bool) -> Self {
        let host = public.host_str().unwrap_or_default();
        Guard {
            local,
            public_authority: match public.port() {
                Some(port) => format!("{host}:{port}"),
                None => host.to_owned(),
            },
            public_origin: public.origin().ascii_serialization(),
        }
    }

    /// Refuses what is too large, and in mode `local` what comes from elsewhere.
    pub fn check(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
        if uri
            .path_and_query()
            .is_some_and(|path| path.as_str().len() > MAX_URL)
        {
            let message = format!("the URL is longer than {MAX_URL} bytes; POST a form instead");
            return Err(Problem::new(StatusCode::URI_TOO_LONG, message));
        }
        let size: usize = headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len())
            .sum();
        if size > MAX_HEADERS {
            let message = format!("the request's headers are longer than {MAX_HEADERS} bytes");
            return Err(Problem::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, message));
        }
        // RFC 9112 section 3.2: proxies and servers could each believe another one.
        if headers.get_all(header::HOST).iter().nth(1).is_some() {
            let message = "the request has more than one Host header";
            return Err(Problem::new(StatusCode::BAD_REQUEST, message));
        }
        if self.local {
            self.check_local(method, uri, headers)
        } else {
            Ok(())
        }
    }

    fn check_local(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
        let named = headers.get(header::HOST).map(|host| host.to_str().unwrap_or("?"));
        // A target in absolute form names a host too.
        let target = uri.authority().map(poem::http::uri::Authority::as_str);
        let at_odds = named
            .zip(target)
            .is_some_and(|(named, target)| !named.eq_ignore_ascii_case(target));
        let host = named.or(target);
        if at_odds || host.is_some_and(|host| !self.is_ours(host)) {
            return Err(Problem::new(
                StatusCode::MISDIRECTED_REQUEST,
                "this server answers to localhost and to the host of its public URL only (public_url)",
            ));
        }
        if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
            return Ok(());
        }
        let site = headers
            .get(&SEC_FETCH_SITE)
            .map(poem::http::HeaderValue::as_bytes);
        let foreign_site = site.is_some_and(|site| site != b"same-origin" && site != b"none");
        let foreign_origin = headers
            .get(header::ORIGIN)
            .is_some_and(|origin| !self.is_own(origin.to_str().unwrap_or("?"), host));
        if foreign_site || foreign_origin {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "a page of another site may not change anything here",
            ));
        }
        Ok(())
    }

    /// Whether a host, with or without a port, is this machine or that of the public URL.
    fn is_ours(&self, authority: &str) -> bool {
        authority.eq_ignore_ascii_case(&self.public_authority) || is_loopback(authority)
    }

    /// Whether a page of this origin is ours: of the public URL, or of the very host that is asked.
    fn is_own(&self, origin: &str, host: Option<&str>) -> bool {
        origin.eq_ignore_ascii_case(&self.public_origin)
            || origin
                .strip_prefix("http://")
                .zip(host)
                .is_some_and(|(authority, host)| authority.eq_ignore_ascii_case(host))
    }
}

/// Whether an authority (RFC 3986 section 3.2) is loopback, to the letter: what is read leniently here could be read
/// otherwise by whoever resolved it.
fn is_loopback(authority: &str) -> bool {
    let is_port = |text: &str| text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok();
    if let Some(bracketed) = authority.strip_prefix('[') {
        return bracketed.split_once(']').is_some_and(|(host, rest)| {
            host.parse::<Ipv6Addr>().is_ok_and(|ip| ip.is_loopback())
                && (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port))
        });
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let is_loopback =
        host.eq_ignore_ascii_case("localhost") || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback());
    is_loopback && port.is_none_or(is_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(method: &Method, pairs: &[(&str, &str)]) -> Option<u16> {
        status_of(method, "/api/echo/async", pairs)
    }

    fn status_of(method: &Method, uri: &str, pairs: &[(&str, &str)]) -> Option<u16> {
        let guard = Guard::new(&"https://sky.example.org/base".parse().unwrap(), true);
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        let judged = guard.check(method, &uri.parse().unwrap(), &headers);
        judged.err().map(|problem| problem.status().as_u16())
    }

    #[test]
    fn a_host_is_loopback_or_the_public_one() {
        for host in [
            "localhost:8080",
            "127.0.0.1",
            "127.3.2.1:99",
            "[::1]:8080",
            "LOCALHOST",
            "sky.example.org",
        ] {
            assert_eq!(status(&Method::GET, &[("host", host)]), None, "{host}");
        }
        for host in [
            "evil.example.org",
            "localhost.evil.org",
            "127.0.0.1.evil.org",
            "192.168.0.1",
            "",
            "sky.example.org:81",
            "[::1]evil",
            "[::1]:x",
            "[::1]:",
            "[::1",
            "[127.0.0.1]",
            "[::2]",
            "::1",
            "127.0.0.1:x",
            "localhost:+80",
            "localhost:",
            "localhost:80:80",
            "localhost:99999",
            "me@localhost",
        ] {
            assert_eq!(status(&Method::GET, &[("host", host)]), Some(421), "{host}");
        }
        assert_eq!(status(&Method::GET, &[]), None);
    }

    #[test]
    fn a_request_names_one_host() {
        let host = ("host", "localhost:8080");
        for second in [host, ("host", "evil.example.org")] {
            assert_eq!(status(&Method::GET, &[host, second]), Some(400), "{second:?}");
        }
        let absolute = "http://localhost:8080/api/echo/async";
        assert_eq!(status_of(&Method::GET, absolute, &[host]), None);
        assert_eq!(status_of(&Method::GET, absolute, &[]), None);
        for (uri, pairs) in [
            (absolute, &[("host", "localhost:8081")][..]),
            ("http://evil.example.org/api/echo/async", &[host]),
            ("http://evil.example.org/api/echo/async", &[]),
            ("http://me@localhost:8080/api/echo/async", &[host]),
        ] {
            assert_eq!(status_of(&Method::GET, uri, pairs), Some(421), "{uri} {pairs:?}");
        }
    }

    #[test]
    fn pages_of_other_sites_change_nothing() {
        let host = ("host", "localhost:8080");
        for own in [
            &[host][..],
            &[host, ("origin", "http://localhost:8080")],
            &[host, ("origin", "https://sky.example.org")],
            &[host, ("sec-fetch-site", "same-origin")],
            &[host, ("sec-fetch-site", "none")],
        ] {
            assert_eq!(status(&Method::POST, own), None, "{own:?}");
        }
        for foreign in [
            &[host, ("origin", "http://localhost:3000")][..],
            &[host, ("origin", "https://localhost:8080")],
            &[host, ("origin", "https://evil.example.org")],
            &[host, ("origin", "null")],
            &[host, ("sec-fetch-site", "cross-site")],
            &[host, ("sec-fetch-site", "same-site")],
            &[
                host,
                ("origin", "http://localhost:8080"),
                ("sec-fetch-site", "cross-site"),
            ],
        ] {
            for method in [Method::POST, Method::DELETE, Method::PUT, Method::PATCH] {
                assert_eq!(status(&method, foreign), Some(403), "{foreign:?}");
            }
            assert_eq!(status(&Method::GET, foreign), None, "{foreign:?}");
        }
    }

    #[test]
    fn urls_and_headers_are_bounded() {
        let guard = Guard::new(&"http://127.0.0.1:8080".parse().unwrap(), false);
        let long: Uri = format!("/{}", "x".repeat(MAX_URL)).parse().unwrap();
        let judged = guard.check(&Method::GET, &long, &HeaderMap::new());
        assert_eq!(judged.unwrap_err().status(), StatusCode::URI_TOO_LONG);
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, "x".repeat(MAX_HEADERS).parse().unwrap());
        let judged = guard.check(&Method::GET, &Uri::from_static("/"), &headers);
        assert_eq!(
            judged.unwrap_err().status(),
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
        );
    }
}
