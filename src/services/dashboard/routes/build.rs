//! LTD Dasher's API: LTD Keeper calls `POST /build` with the URLs of products that have changed.
//!
//! It is answered once there is a job for each of them, or a job that was queued before and will see the change.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use poem::{
    Request, Response,
    error::ReadBodyError,
    http::{HeaderMap, HeaderValue, StatusCode, header},
};
use serde::Serialize;
use serde_json::{Value, json};

use super::Site;
use crate::{
    auth::{self, Caller},
    http::{Door, Problem, RequestId},
    jobs::Errand,
    services::dashboard::{
        keeper::{Keepers, Wanted},
        watch,
    },
    store::ProductId,
};

/// Most products of a call.
const MAX_URLS: usize = 100;
/// Most jobs in the queue that calls may make. What is queued for a product that is called for again is no more.
const MAX_QUEUED: u64 = 2_000;
/// Longest body, in bytes: so many of the longest URLs.
const MAX_BODY: usize = 512 << 10;

const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// `GET /healthz`.
pub fn health() -> Response {
    answer(StatusCode::OK, &json!({"status": "ok"}))
}

/// A product of a call, and its job.
#[derive(Serialize)]
struct Built<'a> {
    product_url: &'a str,
    job_id: String,
    job_url: String,
    coalesced: bool,
}

/// `POST /build`.
pub async fn build(site: &Arc<Site>, anonymous: bool, mut request: Request) -> Result<Response, Problem> {
    if anonymous {
        check_no_page(request.headers())?;
        let address = request.remote_addr().as_socket_addr();
        site.hold_to_rate(&address.map_or_else(String::new, |address| address.ip().to_string()))?;
    } else {
        admit(site, &request).await?;
    }
    let body = match request.take_body().into_bytes_limit(MAX_BODY).await {
        Ok(body) => body,
        Err(ReadBodyError::PayloadTooLarge) => {
            let message = format!("the body is longer than {MAX_BODY} bytes");
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, message));
        }
        Err(error) => return Err(Problem::new(StatusCode::BAD_REQUEST, format!("body: {error}"))),
    };
    let urls = product_urls(&body)?;
    let wanted = resolve(&site.dashboard.keepers, &urls)?;
    let errand = |(_, wanted): &(&str, Wanted<'_>)| -> Option<Errand> {
        let product = ProductId {
            keeper: wanted.keeper.name.clone(),
            slug: wanted.slug.clone(),
        };
        watch::errand(&site.dashboard, &product)
    };
    let errands: Vec<Errand> = wanted.iter().filter_map(errand).collect();
    let run_id = request.data::<RequestId>().map(|id| id.0.as_str());
    let sent = site
        .jobs
        .send(
            &*site.dashboard,
            errands,
            run_id,
            site.dashboard.debounce(),
            Some(MAX_QUEUED),
        )
        .await?;
    let built: Vec<Built<'_>> = wanted
        .iter()
        .filter_map(|(url, wanted)| {
            let key = wanted.key();
            let sent = sent.iter().find(|sent| sent.key == key)?;
            Some(Built {
                product_url: url,
                job_id: sent.job.to_string(),
                job_url: format!("{}/api/dashboard/async/{}", site.base, sent.job),
                coalesced: sent.coalesced,
            })
        })
        .collect();
    let mut response = answer(StatusCode::ACCEPTED, &json!({"jobs": built}));
    if let [only] = &built[..] {
        let url = HeaderValue::from_str(&only.job_url).map_err(Problem::internal)?;
        response.headers_mut().insert(header::LOCATION, url);
    }
    Ok(response)
}

/// Refuses what a page in a browser sends: where nobody has to show a secret, any page that somebody reads could call.
fn check_no_page(headers: &HeaderMap) -> Result<(), Problem> {
    let is_foreign = |site: &HeaderValue| !matches!(site.as_bytes(), b"none" | b"same-origin");
    if headers.contains_key(header::ORIGIN) || headers.get_all(SEC_FETCH_SITE).iter().any(is_foreign) {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "a page of another site may not call here",
        ));
    }
    Ok(())
}

/// Lets in who shows the Keeper's secret, or has a role.
async fn admit(site: &Site, request: &Request) -> Result<(), Problem> {
    let door = request
        .data::<Arc<Door>>()
        .ok_or_else(|| Problem::internal("a door is missing"))?;
    if let Some(shown) = password(request.headers()).filter(|_| !door.auth.is_local()) {
        let shown = auth::hash(&shown);
        if site.secret.is_some_and(|secret| secret == shown) {
            return site.hold_to_rate("keeper");
        }
        door.knock(request)?;
        let challenge = HeaderValue::from_static("Basic realm=\"sidereal\"");
        return Err(
            Problem::new(StatusCode::UNAUTHORIZED, "this is not the secret of a Keeper")
                .header(header::WWW_AUTHENTICATE, challenge)
                .refusal("secret refused", ""),
        );
    }
    let _caller: Caller = door.caller(request).await?;
    Ok(())
}

/// The password of HTTP Basic (RFC 7617), if that is what the request has.
fn password(headers: &HeaderMap) -> Option<String> {
    let mut shown = headers.get_all(header::AUTHORIZATION).iter();
    let value = shown.next()?.to_str().ok()?;
    let (scheme, credentials) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") || shown.next().is_some() {
        return None;
    }
    let decoded = STANDARD.decode(credentials.trim()).ok();
    let password = decoded
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| text.split_once(':').map(|(_, password)| password.to_owned()));
    // What cannot be read is Basic too, and wrong.
    Some(password.unwrap_or_default())
}

/// The URLs in a body of `{"product_urls": […]}`; other keys are not looked at.
fn product_urls(body: &[u8]) -> Result<Vec<String>, Problem> {
    let bad = |message: String| Problem::new(StatusCode::BAD_REQUEST, message);
    let document: Value =
        serde_json::from_slice(body).map_err(|error| bad(format!("the body is not JSON: {error}")))?;
    let Some(urls) = document.get("product_urls") else {
        return Err(bad("expected an object with product_urls".into()));
    };
    let Some(urls) = urls.as_array() else {
        return Err(bad("product_urls: expected a list of URLs".into()));
    };
    if urls.len() > MAX_URLS {
        return Err(bad(format!(
            "product_urls: {} URLs, at most {MAX_URLS} are taken",
            urls.len()
        )));
    }
    let text = |(place, url): (usize, &Value)| {
        let url = url.as_str().map(str::to_owned);
        url.ok_or_else(|| bad(format!("product_urls[{place}]: expected a text")))
    };
    urls.iter().enumerate().map(text).collect()
}

/// The products that URLs name, each once, with the first of its URLs; all of them or none.
fn resolve<'a, 'k>(keepers: &'k Keepers, urls: &'a [String]) -> Result<Vec<(&'a str, Wanted<'k>)>, Problem> {
    let mut found: Vec<(&str, Wanted<'_>)> = Vec::with_capacity(urls.len());
    for (place, url) in urls.iter().enumerate() {
        let wanted = keepers.resolve(url).map_err(|refusal| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                format!("product_urls[{place}]: {refusal}"),
            )
        })?;
        if found.iter().all(|(_, other)| other.key() != wanted.key()) {
            found.push((url, wanted));
        }
    }
    Ok(found)
}

fn answer(status: StatusCode, body: &Value) -> Response {
    Response::builder()
        .status(status)
        .content_type("application/json")
        .header(header::CACHE_CONTROL, "no-store")
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .body(body.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_read_and_bad_ones_say_where() {
        let urls = product_urls(br#"{"product_urls": ["a", "b"], "more": 1}"#).unwrap();
        assert_eq!(urls, ["a", "b"]);
        assert!(product_urls(br#"{"product_urls": []}"#).unwrap().is_empty());
        let many = format!("{{\"product_urls\": [{}\"a\"]}}", "\"a\",".repeat(MAX_URLS));
        for (body, part) in [
            ("", "not JSON"),
            ("<x>", "not JSON"),
            ("[]", "expected an object"),
            ("{}", "expected an object"),
            ("{\"product_urls\": null}", "expected a list"),
            ("{\"product_urls\": \"a\"}", "expected a list"),
            ("{\"product_urls\": [\"a\", 1]}", "product_urls[1]"),
            (&many, "101 URLs"),
        ] {
            let message = product_urls(body.as_bytes()).unwrap_err().to_string();
            assert!(message.contains(part), "{body}: {message}");
        }
    }

    #[test]
    fn no_page_of_another_site_calls() {
        let judged = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            check_no_page(&headers).map_err(|problem| problem.status())
        };
        assert!(check_no_page(&HeaderMap::new()).is_ok());
        assert!(judged(SEC_FETCH_SITE, "none").is_ok() && judged(SEC_FETCH_SITE, "same-origin").is_ok());
        for (name, value) in [
            ("origin", "https://evil.example.org"),
            ("origin", "null"),
            (SEC_FETCH_SITE, "cross-site"),
            (SEC_FETCH_SITE, "same-site"),
        ] {
            assert_eq!(judged(name, value), Err(StatusCode::FORBIDDEN), "{name}: {value}");
        }
    }

    #[test]
    fn only_basic_has_a_password() {
        let shown = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            password(&headers)
        };
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        assert_eq!(shown(&basic("keeper:se:cret")).as_deref(), Some("se:cret"));
        assert_eq!(shown(&basic("no colon")).as_deref(), Some(""));
        assert_eq!(shown("basic ???").as_deref(), Some(""));
        assert_eq!(shown("Bearer abc"), None);
        assert_eq!(password(&HeaderMap::new()), None);
    }
}
