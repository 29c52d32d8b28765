//! The one place that every request and every answer passes: request id, span, bounds, errors in the client's form,
//! panics, metrics.

use std::{
    any::Any,
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::FutureExt;
use poem::{
    Endpoint, EndpointExt, IntoEndpoint, IntoResponse, PathPattern, Request, Response, Result,
    endpoint::BoxEndpoint,
    http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header::ACCEPT, uri::PathAndQuery},
};
use poem_openapi::registry::MetaApi;
use tracing::Instrument;
use uuid::Uuid;

use super::{
    body::Bounds,
    caller::{Attempt, Door, told},
    cross_origin::{self, CrossOrigin},
    guard::Guard,
    negotiate::prefer,
    problem::Problem,
};

/// Where faults have forms of their own.
const OURS: [&str; 4] = ["/api", "/app", "/account", "/dashboards"];

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What a request is called in the log and in answers.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// That the client asked by HEAD; handlers see GET and may spare the body.
#[derive(Debug, Clone, Copy)]
pub struct HeadOnly;

/// What is decided at the edge.
pub struct Edge {
    /// Path of the public URL, without a slash at its end.
    pub base_path: String,
    /// Judges requests before they are read.
    pub guard: Option<Guard>,
    /// What pages of other origins may read, if anything.
    pub cross_origin: Option<CrossOrigin>,
    /// Keeps the record of those that are refused.
    pub door: Option<Arc<Door>>,
    /// Bounds of bodies.
    pub bounds: Bounds,
    /// Bounds of bodies below `/account`, where anyone may send them; they take no room from the others.
    pub small_bounds: Bounds,
    /// Methods that a path takes, by its pattern.
    pub methods: Methods,
}

/// The methods that each path of an API takes, for `Allow`.
#[derive(Default)]
pub struct Methods(HashMap<String, HeaderValue>);

impl Methods {
    /// Of these APIs.
    pub fn of(apis: &[MetaApi]) -> Self {
        let mut methods: HashMap<String, Vec<&str>> = HashMap::new();
        for path in apis.iter().flat_map(|api| &api.paths) {
            let taken = methods.entry(template(&path.path)).or_default();
            for operation in &path.operations {
                taken.push(operation.method.as_str());
                if operation.method == Method::GET {
                    taken.push("HEAD");
                }
            }
        }
        let allow = methods.into_iter().filter_map(|(path, mut taken)| {
            taken.sort_unstable();
            Some((path, HeaderValue::from_str(&taken.join(", ")).ok()?))
        });
        Methods(allow.collect())
    }

    /// `Allow` of the path with this pattern. What is in no API is only ever read, but for `/build`.
    fn allow(&self, pattern: &str) -> HeaderValue {
        let beside = if pattern == "/build" { "POST" } else { "GET, HEAD" };
        self.0
            .get(&template(pattern))
            .cloned()
            .unwrap_or(HeaderValue::from_static(beside))
    }
}

/// A path pattern without the names of its parameters, which poem and the document write in different ways.
fn template(pattern: &str) -> String {
    let segments = pattern.split('/').map(|segment| {
        if segment.starts_with([':', '{', '*']) {
            "*"
        } else {
            segment
        }
    });
    segments.collect::<Vec<_>>().join("/")
}

impl Edge {
    /// Puts the edge around all routes.
    pub fn around(
        self,
        routes: impl IntoEndpoint<Endpoint = impl Endpoint + 'static>,
    ) -> BoxEndpoint<'static> {
        let edge = Arc::new(self);
        routes
            .into_endpoint()
            .map_to_response()
            .around(move |routes, request| {
                let edge = Arc::clone(&edge);
                async move { Ok(edge.pass(&*routes, request).await) }
            })
            .boxed()
    }

    async fn pass(&self, routes: &impl Endpoint<Output = Response>, mut request: Request) -> Response {
        let start = Instant::now();
        let id = Uuid::now_v7().simple().to_string();
        let method = request.method().clone();
        let accept = accepted(request.headers());
        let path = request.uri().path();
        let below = path.strip_prefix(&self.base_path).unwrap_or_default();
        let of_account = below.starts_with("/account/");
        let always_json = of_account || below.starts_with("/api/v1/");
        let of_dasher = matches!(below, "/build" | "/healthz");
        let is_ours = OURS.iter().any(|ours| {
            let rest = below.strip_prefix(ours);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        let span = tracing::info_span!("request", %id, %method, path = told(path, &self.base_path));
        let of_any_origin = self.cross_origin.as_ref();
        let of_any_origin = of_any_origin.is_some_and(|open| open.lets_read(below, request.headers()));
        let is_preflight = of_any_origin && cross_origin::is_preflight(&method, request.headers());
        request.set_data(RequestId(id.clone()));

        let (watch, outcome) = if let Err(problem) = self.admit(&mut request) {
            if let Some(door) = &self.door {
                let attempt = Attempt::of(door, &request);
                door.note(None, &attempt, &problem).instrument(span.clone()).await;
            }
            (None, Err((problem, None)))
        } else if is_preflight {
            (None, Ok(cross_origin::preflight()))
        } else {
            let bounds = if of_account {
                &self.small_bounds
            } else {
                &self.bounds
            };
            let watch = bounds.put(&mut request);
            let outcome = match watch.problem() {
                Some(problem) => Err((problem, None)),
                None => self.answer(routes, request, &span).await,
            };
            (Some(watch), outcome)
        };
        let (mut response, pattern) = match outcome {
            Ok(response) => {
                let pattern = response.data::<PathPattern>().cloned();
                (response, pattern)
            }
            Err((problem, pattern)) => {
                // What befell the body is the cause of whatever came of it.
                let cause = watch.as_ref().and_then(super::body::Watch::problem);
                let problem = cause.unwrap_or(problem);
                let mut response = span.in_scope(|| {
                    // So LTD Dasher answers at any URL that it does not know.
                    let is_unknown = !is_ours && problem.is_of_url() && takes_json(&accept);
                    if of_dasher || is_unknown {
                        problem.render_for_keeper()
                    } else {
                        problem.render(&accept, always_json, &id)
                    }
                });
                if method == Method::HEAD {
                    response.set_body(());
                }
                (response, pattern)
            }
        };
        if let Ok(id) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        if of_any_origin {
            response.headers_mut().extend(cross_origin::readable());
        }
        let took = start.elapsed();
        span.in_scope(|| tracing::debug!(status = response.status().as_u16(), ?took, "answered"));
        count(&method, pattern.as_ref(), &response, took);
        response
    }

    fn admit(&self, request: &mut Request) -> Result<(), Problem> {
        if let Some(guard) = &self.guard {
            guard.check(request.method(), request.uri(), request.headers())?;
        }
        if let Some(trimmed) = self.trimmed(request.uri()) {
            *request.uri_mut() = trimmed;
        }
        if request.method() == Method::HEAD {
            request.set_data(HeadOnly);
        }
        Ok(())
    }

    /// The URI without the slashes at the end of its path, if it has any and is of the API.
    fn trimmed(&self, uri: &Uri) -> Option<Uri> {
        let path = uri.path();
        let of_api = path.strip_prefix(&self.base_path)?.starts_with("/api/");
        if !of_api || !path.ends_with('/') {
            return None;
        }
        let path = path.trim_end_matches('/');
        let trimmed = match uri.query() {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        };
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = Some(PathAndQuery::try_from(trimmed).ok()?);
        Uri::from_parts(parts).ok()
    }

    async fn answer(
        &self,
        routes: &impl Endpoint<Output = Response>,
        request: Request,
        span: &tracing::Span,
    ) -> Result<Response, (Problem, Option<PathPattern>)> {
        let answered = AssertUnwindSafe(routes.call(request))
            .catch_unwind()
            .instrument(span.clone());
        match answered.await {
            Ok(Ok(response)) => Ok(response.into_response()),
            Ok(Err(error)) => {
                let pattern = error.data::<PathPattern>().cloned();
                let allow = |error: &poem::Error| {
                    let pattern = error.data::<PathPattern>()?;
                    let below = pattern.0.strip_prefix(&self.base_path).unwrap_or(&pattern.0);
                    Some(self.methods.allow(below))
                };
                Err((Problem::of(error, allow), pattern))
            }
            Err(panic) => Err((Problem::internal(format!("panic: {}", message(&*panic))), None)),
        }
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

/// What is needed of the request to render an error of it.
fn accepted(headers: &HeaderMap) -> HeaderMap {
    headers
        .get_all(ACCEPT)
        .iter()
        .map(|value| (ACCEPT, value.clone()))
        .collect()
}

/// Whether the client would rather have JSON, or does not care.
fn takes_json(headers: &HeaderMap) -> bool {
    let offered = [
        "application/json",
        "application/problem+json",
        "text/plain",
        "text/html",
        "application/x-votable+xml",
    ];
    prefer(headers, &offered) == Some(0)
}

fn count(method: &Method, pattern: Option<&PathPattern>, response: &Response, took: Duration) {
    let route = match pattern {
        Some(pattern) => metrics::SharedString::from(Arc::clone(&pattern.0)),
        None => "none".into(),
    };
    let method = match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    };
    let status = metrics::SharedString::from(response.status().as_u16().to_string());
    metrics::counter!("http_requests_total", "method" => method, "route" => route.clone(), "status" => status).increment(1);
    metrics::histogram!("http_request_duration_seconds", "method" => method, "route" => route).record(took);
}

#[cfg(test)]
#[expect(clippy::unused_async, reason = "poem takes asynchronous handlers only")]
mod tests {
    use poem::{
        Route, get, handler,
        http::{StatusCode, header},
        test::TestClient,
    };
    use poem_openapi::{OpenApi, OpenApiService, param::Path, payload::PlainText};

    use super::*;

    struct Api;

    #[OpenApi]
    impl Api {
        #[oai(path = "/api/:service/thing", method = "get")]
        async fn read(&self, service: Path<String>) -> PlainText<String> {
            PlainText(service.0)
        }

        #[oai(path = "/api/:service/thing", method = "post")]
        async fn write(&self, service: Path<String>, body: PlainText<String>) -> PlainText<String> {
            PlainText(service.0 + &body.0)
        }
    }

    #[handler]
    async fn fall() -> &'static str {
        panic!("a secret")
    }

    fn site() -> BoxEndpoint<'static> {
        let routes = Route::new().nest(
            "/base",
            Route::new()
                .nest("/", OpenApiService::new(Api, "t", "1"))
                .at("/fall", get(fall)),
        );
        Edge {
            small_bounds: Bounds::new(1 << 10, 8),
            base_path: "/base".into(),
            door: None,
            guard: Some(Guard::new(&"http://127.0.0.1:8080/base".parse().unwrap(), true)),
            cross_origin: None,
            bounds: Bounds::new(10, 8),
            methods: Methods::of(&<Api as OpenApi>::meta()),
        }
        .around(routes)
    }

    #[tokio::test]
    async fn errors_are_rendered_once_and_in_the_clients_form() {
        let client = TestClient::new(site());
        for accept in ["*/*", "application/json", "application/xml;q=0.1, */*;q=0.5"] {
            let answer = client.get("/base/nowhere").header(header::ACCEPT, accept);
            let answer = answer.send().await;
            answer.assert_status(StatusCode::NOT_FOUND);
            let (status, error, message) = (404, "not found", "invalid resource URI");
            let expected = serde_json::json!({"status": status, "error": error, "message": message});
            answer.assert_json(&expected).await;
        }
        let answer = client.get("/base/nowhere").header(header::ACCEPT, "text/plain");
        let answer = answer.send().await;
        answer.assert_text("Error: there is nothing at this URL").await;
        let answer = client.get("/base/api/x/nowhere").send().await;
        answer.assert_text("Error: there is nothing at this URL").await;
        let answer = client
            .get("/base/api/v1/nowhere")
            .header(header::ACCEPT, "text/plain")
            .send()
            .await;
        answer.assert_status(StatusCode::NOT_FOUND);
        answer.assert_content_type("application/problem+json");
        let answer = client
            .get("/base/api/x/nowhere")
            .header(header::ACCEPT, "application/x-votable+xml")
            .send()
            .await;
        answer.assert_content_type("application/x-votable+xml");
        assert!(answer.0.headers().contains_key(REQUEST_ID));
    }

    #[tokio::test]
    async fn a_wrong_method_is_told_the_right_ones() {
        let client = TestClient::new(site());
        let answer = client.delete("/base/api/x/thing").send().await;
        answer.assert_status(StatusCode::METHOD_NOT_ALLOWED);
        answer.assert_header(header::ALLOW, "GET, HEAD, POST");
        let answer = client.post("/base/fall").send().await;
        answer.assert_status(StatusCode::METHOD_NOT_ALLOWED);
        answer.assert_header(header::ALLOW, "GET, HEAD");
    }

    #[tokio::test]
    async fn slashes_at_the_end_change_nothing() {
        let client = TestClient::new(site());
        let answer = client.get("/base/api/x/thing//?y=1").send().await;
        answer.assert_status_is_ok();
        answer.assert_text("x").await;
    }

    #[tokio::test]
    async fn a_panic_is_one_requests_own_and_is_not_told() {
        let client = TestClient::new(site());
        let answer = client.get("/base/fall").send().await;
        answer.assert_status(StatusCode::INTERNAL_SERVER_ERROR);
        answer.assert_text("Error: the server failed").await;
        client.get("/base/api/x/thing").send().await.assert_status_is_ok();
    }

    #[tokio::test]
    async fn bodies_are_bounded_whoever_reads_them() {
        let client = TestClient::new(site());
        let post = |body: &'static str| {
            client
                .post("/base/api/x/thing")
                .content_type("text/plain")
                .body(body)
                .send()
        };
        post("0123456789").await.assert_status_is_ok();
        post("0123456789a")
            .await
            .assert_status(StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test]
    async fn foreign_hosts_are_turned_away() {
        let client = TestClient::new(site());
        let answer = client
            .get("/base/api/x/thing")
            .header(header::HOST, "evil.example.org")
            .send()
            .await;
        answer.assert_status(StatusCode::MISDIRECTED_REQUEST);
    }
}
