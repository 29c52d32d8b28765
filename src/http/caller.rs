//! Who sends a request, and whether the policy lets them in: asked before any handler runs, which has its caller from
//! here.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use poem::{
    Endpoint, EndpointExt, FromRequest, IntoEndpoint, PathPattern, Request, RequestBody, Response, Result,
    endpoint::BoxEndpoint,
    error::{MethodNotAllowedError, NotFoundError},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
};
use tracing::Instrument;
use url::Url;

use super::{body::Watch, problem::Problem};
use crate::auth::{
    Auth, AuthError, By, Caller, Credential, Known, Rates, Refusal, Scope, TooFast,
    policy::{self, Row, Who},
};

/// What a page of ours says with each request that changes something: a form of another site cannot.
pub const PAGE_HEADER: HeaderName = HeaderName::from_static("sidereal-request");
/// Longest path in logs and the record, in characters.
const MAX_PATH: usize = 1_000;
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

    /// Puts the policy before all routes of the public listener: whoever is not let in reaches none of them, whether
    /// their handlers ask who it is or not.
    pub fn before(
        self: &Arc<Self>,
        routes: impl IntoEndpoint<Endpoint = impl Endpoint + 'static>,
    ) -> BoxEndpoint<'static> {
        let door = Arc::clone(self);
        routes
            .into_endpoint()
            .map_to_response()
            .around(move |routes, request| {
                let door = Arc::clone(&door);
                door.pass(routes, request)
            })
            .boxed()
    }

    async fn pass(
        self: Arc<Self>,
        routes: Arc<impl Endpoint<Output = Response> + 'static>,
        request: Request,
    ) -> Result<Response> {
        let who = self.row(&request)?;
        let attempt = Attempt::of(&self, &request);
        if !changes(&request) {
            return self.answer(&*routes, request, who, attempt).await;
        }
        // In a task of its own: who goes away half-way must not undo half of it, nor the record of it.
        let door = Arc::clone(&self);
        let answer = async move { door.answer(&*routes, request, who, attempt).await };
        match self.auth.spawn(answer.instrument(tracing::Span::current())).await {
            Ok(answer) => answer,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(error) => Err(Problem::internal(error).into()),
        }
    }

    async fn answer(
        &self,
        routes: &impl Endpoint<Output = Response>,
        mut request: Request,
        who: Who,
        attempt: Attempt,
    ) -> Result<Response> {
        let mut name = None;
        if who.role().is_some() {
            let known = match self.identify(&request, &attempt).await {
                Ok(known) => known,
                Err(problem) => {
                    self.note(None, &attempt, &problem).await;
                    return Err(problem.into());
                }
            };
            name = Some(known.caller.name.clone());
            if let Err(problem) = self.admit(&request, &known, who) {
                self.note(name, &attempt, &problem).await;
                return Err(problem.into());
            }
            request.set_data(Admitted { known, who });
        }
        let answer = routes.call(request).await;
        if let Err(error) = &answer
            && let Some(problem) = error.downcast_ref::<Problem>()
        {
            self.note(name, &attempt, problem).await;
        }
        answer
    }

    /// Keeps a record of a problem, if it is that somebody was refused something.
    pub async fn note(&self, actor: Option<String>, attempt: &Attempt, problem: &Problem) {
        if let Some((action, detail)) = problem.refused() {
            let refusal = Refusal {
                actor,
                action,
                subject: attempt.what.clone(),
                detail,
                address: Some(attempt.address),
            };
            self.auth.refused(refusal).await;
        }
    }

    /// The caller of a request whose row lets everyone in, held to what callers with a role are held to.
    pub async fn caller(&self, request: &Request) -> Result<Caller, Problem> {
        let known = self.identify(request, &Attempt::of(self, request)).await?;
        self.admit(request, &known, Who::User)?;
        Ok(known.caller)
    }

    /// One more request of the address that it comes from, which nobody is known by; 429 if these are too many.
    pub fn knock(&self, request: &Request) -> Result<(), Problem> {
        self.rates.address(self.address(request)).map_err(too_fast)
    }

    /// The caller of a request.
    async fn identify(&self, request: &Request, attempt: &Attempt) -> Result<Known, Problem> {
        let credential = match self.credential(request.headers()) {
            Ok(credential) => credential,
            Err(error) => {
                self.rates.address(attempt.address).map_err(too_fast)?;
                return Err(refusal(error));
            }
        };
        self.rates.before(attempt.address, credential).map_err(too_fast)?;
        let mut known = match self.auth.identify(credential).await {
            Ok(known) => known,
            Err(error) => {
                self.rates
                    .unknown(attempt.address, credential)
                    .map_err(too_fast)?;
                return Err(refusal(error));
            }
        };
        known.caller.address = Some(attempt.address);
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
        Ok(known)
    }

    /// Whether this caller may do this.
    fn admit(&self, request: &Request, known: &Known, who: Who) -> Result<(), Problem> {
        if let By::Session(_) = known.by {
            self.check_page(request)?;
        }
        let aside = known
            .token
            .map_or_else(String::new, |id| format!("by API token {id}"));
        let scope = policy::scope(request.method().as_str(), request.uri().path());
        if !known.allows(scope) {
            return Err(insufficient(scope).refusal("refused", aside));
        }
        if who.role().is_some_and(|role| !known.caller.has(role)) {
            let problem = Problem::new(StatusCode::FORBIDDEN, "your role does not allow this");
            return Err(problem.refusal("refused", aside));
        }
        Ok(())
    }

    /// Who may send this. What has no row is not there, whatever the routes have.
    fn row(&self, request: &Request) -> Result<Who> {
        let path = request.uri().path();
        let below = path
            .strip_prefix(&self.base_path)
            .filter(|below| below.starts_with('/'))
            // The probes are for whoever runs the server and may not know its public URL.
            .or_else(|| [policy::LIVE, policy::READY].contains(&path).then_some(path));
        match below.map_or(Row::Closed, |below| policy::row(request.method().as_str(), below)) {
            Row::Of(who) => Ok(who),
            Row::Closed => Err(NotFoundError.into()),
            Row::OtherMethods(path) => {
                let mut error = poem::Error::from(MethodNotAllowedError);
                error.set_data(PathPattern(format!("{}{path}", self.base_path).into()));
                Err(error)
            }
        }
    }

    /// Whether the row that was asked is that of the route that has come of it.
    fn agrees(&self, request: &Request, who: Who) -> bool {
        let pattern = request
            .data::<PathPattern>()
            .map(|pattern| &*pattern.0)
            .unwrap_or_default();
        let pattern = pattern.strip_prefix(&self.base_path).unwrap_or(pattern);
        policy::who(request.method().as_str(), pattern) == Some(who)
    }

    /// What the request shows. A token in the query is none, and a header that cannot be read is not as if it were absent.
    fn credential<'a>(&self, headers: &'a HeaderMap) -> Result<Credential<'a>, AuthError> {
        if self.auth.is_local() {
            return Ok(Credential::None);
        }
        let mut shown = headers.get_all(header::AUTHORIZATION).iter();
        if let Some(value) = shown.next() {
            let token = value.to_str().ok().and_then(bearer);
            return match (token, shown.next()) {
                (Some(token), None) => Ok(Credential::Bearer(token)),
                _ => Err(AuthError::Token(
                    "expected one Authorization: Bearer TOKEN".into(),
                )),
            };
        }
        Ok(cookie(headers, self.session_cookie()).map_or(Credential::None, Credential::Session))
    }

    /// What changes something must come from a page of ours: a browser sends its cookie along with any site's form.
    pub fn check_page(&self, request: &Request) -> Result<(), Problem> {
        if is_safe(request.method()) {
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
        AuthError::Anonymous => unauthorized(error.to_string(), ""),
        AuthError::SessionEnded => unauthorized(error.to_string(), "").refusal("session refused", ""),
        AuthError::Token(ref why) | AuthError::ApiToken { ref why, .. } => {
            let said: String = why
                .chars()
                .filter(|c| c.is_ascii() && !c.is_control() && !"\"\\".contains(*c))
                .collect();
            let parameters = format!(", error=\"invalid_token\", error_description=\"{said}\"");
            let aside = match &error {
                AuthError::ApiToken { id, owner, .. } => format!("API token {id} of {owner}"),
                _ => String::new(),
            };
            unauthorized(why.clone(), &parameters).refusal("token refused", aside)
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

/// What is asked for and from where, as the record has it.
pub struct Attempt {
    what: String,
    address: IpAddr,
}

impl Attempt {
    /// Of a request that came through this door.
    pub fn of(door: &Door, request: &Request) -> Self {
        let path = request.original_uri().path();
        let path: String = told(path, &door.base_path).chars().take(MAX_PATH).collect();
        Attempt {
            what: format!("{} {path}", request.method()),
            address: door.address(request),
        }
    }
}

/// A path as logs and the record have it: a share link is a secret, and so is the way out.
pub fn told<'a>(path: &'a str, base_path: &str) -> &'a str {
    match path.strip_prefix(base_path) {
        Some(below) if below.starts_with("/share/") => "/share/…",
        Some(below) if below.starts_with("/app/share/") => "/app/share/…",
        Some(below) if below.starts_with("/account/logout/") => "/account/logout/…",
        _ => path,
    }
}

/// Whether a request changes something: below `/account` also by GET, where browsers are sent.
fn changes(request: &Request) -> bool {
    !is_safe(request.method()) || request.uri().path().contains("/account/")
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// The caller of a request.
pub struct Identified(pub Caller);

/// The caller of a request, and by what it is known.
pub struct KnownBy(pub Known);

/// Who was let in, and by which row.
#[derive(Clone)]
struct Admitted {
    known: Known,
    who: Who,
}

fn admitted(request: &Request) -> Result<Known, Problem> {
    let door = request.data::<Arc<Door>>();
    let admitted = request.data::<Admitted>();
    let (Some(door), Some(Admitted { known, who })) = (door, admitted) else {
        return Err(Problem::internal("a caller where anyone may come in"));
    };
    if door.agrees(request, *who) {
        Ok(known.clone())
    } else {
        Err(Problem::internal("the policy was asked for another route"))
    }
}

impl<'a> FromRequest<'a> for Identified {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        Ok(Identified(admitted(request)?.caller))
    }
}

impl<'a> FromRequest<'a> for KnownBy {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        Ok(KnownBy(admitted(request)?))
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
