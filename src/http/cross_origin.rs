//! Pages of other origins (CORS: the Fetch standard, section 3.3): what clients of the Virtual Observatory read may be read
//! from any page, with a token or without. Never by a session: an answer to a cookie is for our own pages alone.
//!
//! `*` is no answer to a request with credentials, so that a browser gives the page none that came by a cookie; and what a
//! page may only ask for after a preflight (a token in `Authorization`) it asks for here and nowhere else.

use poem::{
    Response,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
};

use crate::auth::policy;

/// Headers that a page may send: a token, and what asks for a part or for what is new.
const TAKEN: HeaderValue =
    HeaderValue::from_static("authorization, content-type, range, if-range, if-match, if-none-match");
/// Methods that a page may ask by.
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST");
/// Headers of answers that it may read beside those that it always may.
const SHOWN: HeaderValue = HeaderValue::from_static(
    "accept-ranges, content-disposition, content-range, etag, retry-after, www-authenticate, x-request-id",
);
/// Seconds that a browser need not ask again whether it may.
const MAX_AGE: HeaderValue = HeaderValue::from_static("3600");
const ANY: HeaderValue = HeaderValue::from_static("*");

/// Lets pages of other origins read; one for the public listener.
pub struct CrossOrigin {
    /// Name of the cookie of sessions.
    session: &'static str,
}

impl CrossOrigin {
    /// Sessions are known by this cookie.
    pub fn new(session: &'static str) -> Self {
        CrossOrigin { session }
    }

    /// Whether a page of any origin may read the answer to a request for this path below the public URL.
    pub fn lets_read(&self, path: &str, headers: &HeaderMap) -> bool {
        policy::is_cross_origin(path.trim_end_matches('/')) && !self.is_by_session(headers)
    }

    /// Whether it may be a session that the request is let in by.
    fn is_by_session(&self, headers: &HeaderMap) -> bool {
        let mut cookies = headers.get_all(header::COOKIE).iter();
        // Read coarsely: at worst one is taken for ours that is not.
        !headers.contains_key(header::AUTHORIZATION)
            && cookies.any(|value| String::from_utf8_lossy(value.as_bytes()).contains(self.session))
    }
}

/// Whether a browser asks whether a page may ask.
pub fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// That it may.
pub fn preflight() -> Response {
    Response::builder()
        .status(StatusCode::NO_CONTENT)
        .header(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS)
        .header(header::ACCESS_CONTROL_ALLOW_HEADERS, TAKEN)
        .header(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE)
        .finish()
}

/// Headers by which any page may read the answer.
pub fn readable() -> [(HeaderName, HeaderValue); 2] {
    [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, SHOWN),
    ]
}
