//! Who sends a request, and whether the policy lets them in. Every handler has its caller from here.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use poem::{
    FromRequest, PathPattern, Request, RequestBody, Result,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
};
use url::Url;

use super::{body::Watch, problem::Problem};
use crate::{
    auth::{Auth, AuthError, By, Caller, Credential, Known, Rates, Scope, TooFast, policy},
    store::NewAudit,
};

/// What a page of ours says with each request that changes something: a form of another site cannot.
pub const PAGE_HEADER: HeaderName = HeaderName::from_static("sidereal-request");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Lets callers in; one for the whole server.
pub struct Door {
    /// Knows callers.
    pub auth: Auth,
    /// Holds them to their rates.
    pub rates: Rates,
    /// Path of the public URL, without a slash at its end.
    base_path: String,
    public_origin: String,
    secure: bool,
    trusted_proxies: usize,
}

impl Door {
    /// For the public URL, behind so many proxies.
    pub fn new(auth: Auth, public: &Url, trusted_proxies: usize) -> Arc<Self> {
        Arc::new(Door {
            auth,
            rates: Rates::default(),
            base_path: public.path().trim_end_matches('/').to_owned(),
            public_origin: public.origin().ascii_serialization(),
            secure: public.scheme() == "https",
            trusted_proxies,
        })
    }

    /// Name of the cookie of sessions: with `__Host-` no sibling domain can set it, but plain http has no such cookies.
    pub fn session_cookie(&self) -> &'static str {
        if self.secure {
            "__Host-sidereal"
        } else {
            "sidereal"
        }
    }

    /// Name of the cookie by which a browser is known between the beginning and the end of its login.
    pub fn login_cookie(&self) -> &'static str {
        if self.secure {
            "__Host-sidereal-login"
        } else {
            "sidereal-login"
        }
    }

    /// A cookie for the whole server that no script sees; without seconds it goes with the browser, with 0 at once.
    pub fn cookie(&self, name: &str, value: &str, seconds: Option<u64>) -> HeaderValue {
        let secure = if self.secure { "; Secure" } else { "" };
        let age = seconds.map_or_else(String::new, |seconds| format!("; Max-Age={seconds}"));
        let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{age}");
        HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    /// Address of the client: of the connection, or what the outermost trusted proxy has seen.
    pub fn address(&self, request: &Request) -> IpAddr {
        let peer = request
            .remote_addr()
            .as_socket_addr()
            .map(std::net::SocketAddr::ip);
        let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        forwarded(request.headers(), self.trusted_proxies).unwrap_or(peer)
    }

    /// The caller of a request, if the policy lets it in.
    async fn admit(&self, request: &Request) -> Result<Known, Problem> {
        let who = self.row(request)?;
        let credential = self.credential(request.headers())?;
        let address = self.address(request);
        self.rates.before(address, credential).map_err(too_fast)?;
        let known = match self.auth.identify(credential).await {
            Ok(known) => known,
            Err(error) => {
                self.rates.unknown(address, credential).map_err(too_fast)?;
                return Err(refusal(error));
            }
        };
        self.rates
            .known(
                credential,
                &known.caller.name,
                known.caller.limits.requests_per_second,
            )
            .map_err(too_fast)?;
        if let Some(body) = request.data::<Watch>() {
            body.belongs_to(&known.caller.name);
        }
        if let By::Session(_) = known.by {
            self.check_page(request)?;
        }
        let scope = policy::scope(request.method().as_str());
        if !known.allows(scope) {
            return Err(insufficient(scope));
        }
        if who.role().is_some_and(|role| !known.caller.has(role)) {
            let what = format!("{} {}", request.method(), request.original_uri().path());
            self.auth
                .record(NewAudit {
                    actor: Some(known.caller.name.clone()),
                    action: "refused".into(),
                    subject: what,
                    detail: String::new(),
                    address: Some(self.address(request).to_string()),
                })
                .await;
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "your role does not allow this",
            ));
        }
        Ok(known)
    }

    fn row(&self, request: &Request) -> Result<policy::Who, Problem> {
        let pattern = request
            .data::<PathPattern>()
            .map(|pattern| &*pattern.0)
            .unwrap_or_default();
        let path = pattern.strip_prefix(&self.base_path).unwrap_or(pattern);
        policy::who(request.method().as_str(), path)
            .ok_or_else(|| Problem::internal(format!("no policy for {} {path}", request.method())))
    }

    /// What the request shows. A token in the query is none, and a header that cannot be read is not as if it were absent.
    fn credential<'a>(&self, headers: &'a HeaderMap) -> Result<Credential<'a>, Problem> {
        if self.auth.is_local() {
            return Ok(Credential::None);
        }
        let mut shown = headers.get_all(header::AUTHORIZATION).iter();
        if let Some(value) = shown.next() {
            let token = value.to_str().ok().and_then(bearer);
            return match (token, shown.next()) {
                (Some(token), None) => Ok(Credential::Bearer(token)),
                _ => Err(refusal(AuthError::Token(
                    "expected one Authorization: Bearer TOKEN".into(),
                ))),
            };
        }
        Ok(cookie(headers, self.session_cookie()).map_or(Credential::None, Credential::Session))
    }

    /// What changes something must come from a page of ours: a browser sends its cookie along with any site's form.
    pub fn check_page(&self, request: &Request) -> Result<(), Problem> {
        if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
            return Ok(());
        }
        let headers = request.headers();
        let site = headers.get(&SEC_FETCH_SITE).map(HeaderValue::as_bytes);
        let origin = headers.get(header::ORIGIN).map(HeaderValue::as_bytes);
        let ours = (site.is_some() || origin.is_some())
            && site.is_none_or(|site| site == b"same-origin")
            && origin.is_none_or(|origin| origin == self.public_origin.as_bytes())
            && headers.get(&PAGE_HEADER).is_some_and(|value| value == "1");
        if ours {
            Ok(())
        } else {
            Err(Problem::new(
                StatusCode::FORBIDDEN,
                "with a cookie only pages of this server change anything (Origin, Sidereal-Request: 1); scripts send a token",
            ))
        }
    }
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// The one value of a cookie: of two with the same name one is not ours.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers
        .get_all(header::COOKIE)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b';'))
        // Of other sites of the same domain, too: what cannot be read is theirs.
        .filter_map(|pair| std::str::from_utf8(pair).ok()?.trim().split_once('='))
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value);
    let first = values.next()?;
    values.next().is_none().then_some(first)
}

/// What the outermost of so many proxies has seen: each adds its peer to the end.
fn forwarded(headers: &HeaderMap, proxies: usize) -> Option<IpAddr> {
    let seen: Vec<&str> = headers
        .get_all(&FORWARDED_FOR)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        // What cannot be read keeps its place.
        .map(|item| std::str::from_utf8(item).unwrap_or_default().trim())
        .collect();
    let place = seen.len().checked_sub(proxies).filter(|_| proxies > 0)?;
    let text = seen.get(place)?;
    text.parse()
        .or_else(|_| text.parse::<std::net::SocketAddr>().map(|address| address.ip()))
        .ok()
}

fn too_fast(TooFast(pause): TooFast) -> Problem {
    Problem::too_many("too many requests", pause)
}

/// What a caller is told that is not let in (RFC 6750 section 3).
pub fn refusal(error: AuthError) -> Problem {
    let challenge =
        |parameters: &str| HeaderValue::from_str(&format!("Bearer realm=\"sidereal\"{parameters}"));
    let unauthorized = |message: String, parameters: &str| {
        let problem = Problem::new(StatusCode::UNAUTHORIZED, message);
        match challenge(parameters) {
            Ok(value) => problem.header(header::WWW_AUTHENTICATE, value),
            Err(_) => problem,
        }
    };
    match error {
        AuthError::Anonymous | AuthError::SessionEnded => unauthorized(error.to_string(), ""),
        AuthError::Token(why) => {
            let said: String = why
                .chars()
                .filter(|c| c.is_ascii() && !c.is_control() && !"\"\\".contains(*c))
                .collect();
            let parameters = format!(", error=\"invalid_token\", error_description=\"{said}\"");
            unauthorized(why, &parameters)
        }
        AuthError::NoRole => Problem::new(StatusCode::FORBIDDEN, error.to_string()),
        AuthError::Unavailable(source) => Problem::unavailable(source),
    }
}

fn insufficient(scope: Scope) -> Problem {
    let text = format!(
        "Bearer realm=\"sidereal\", error=\"insufficient_scope\", scope=\"{}\"",
        scope.as_str()
    );
    let message = format!(
        "this token was not made for that; it needs the scope {}",
        scope.as_str()
    );
    let problem = Problem::new(StatusCode::FORBIDDEN, message);
    match HeaderValue::from_str(&text) {
        Ok(value) => problem.header(header::WWW_AUTHENTICATE, value),
        Err(_) => problem,
    }
}

/// The caller of a request.
pub struct Identified(pub Caller);

/// The caller of a request, and by what it is known.
pub struct KnownBy(pub Known);

async fn admitted(request: &Request) -> Result<Known, Problem> {
    let door = request
        .data::<Arc<Door>>()
        .ok_or_else(|| Problem::internal("a route without its door"))?;
    door.admit(request).await
}

impl<'a> FromRequest<'a> for Identified {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        Ok(Identified(admitted(request).await?.caller))
    }
}

impl<'a> FromRequest<'a> for KnownBy {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        Ok(KnownBy(admitted(request).await?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().cloned();
        pairs
            .map(|(name, value)| (name, HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let one = headers(&[(FORWARDED_FOR, "6.6.6.6, 10.0.0.1")]);
        assert_eq!(forwarded(&one, 0), None);
        assert_eq!(forwarded(&one, 1), Some("10.0.0.1".parse().unwrap()));
        assert_eq!(forwarded(&one, 2), Some("6.6.6.6".parse().unwrap()));
        assert_eq!(forwarded(&one, 3), None);
        let odd = HeaderValue::from_bytes(b"\xe9, 10.0.0.1").unwrap();
        let odd: HeaderMap = [(FORWARDED_FOR, odd)].into_iter().collect();
        assert_eq!(forwarded(&odd, 1), Some("10.0.0.1".parse().unwrap()));
        assert_eq!(forwarded(&headers(&[(FORWARDED_FOR, "<script>")]), 1), None);
        assert_eq!(
            forwarded(&headers(&[(FORWARDED_FOR, "[::1]:80")]), 1),
            Some("::1".parse().unwrap())
        );
    }

    #[test]
    fn a_cookie_that_comes_twice_is_none() {
        let jar = headers(&[(header::COOKIE, "a=1; sidereal=x; b")]);
        assert_eq!(cookie(&jar, "sidereal"), Some("x"));
        assert_eq!(cookie(&jar, "idereal"), None);
        let odd = HeaderValue::from_bytes(b"x=\xe9; sidereal=x").unwrap();
        assert_eq!(
            cookie(&[(header::COOKIE, odd)].into_iter().collect(), "sidereal"),
            Some("x")
        );
        let tossed = headers(&[(header::COOKIE, "sidereal=evil; sidereal=x")]);
        assert_eq!(cookie(&tossed, "sidereal"), None);
    }

    #[test]
    fn only_one_kind_of_authorization_is_taken() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("bearer  abc "), Some("abc"));
        for value in ["Basic abc", "Bearer", "Bearer ", "abc", "Bearerabc"] {
            assert_eq!(bearer(value), None, "{value}");
        }
    }
}
