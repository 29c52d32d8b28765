//! The policy: every route of the OpenAPI document, asked by everyone, answers as `sidereal::auth::policy` says.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use poem::test::TestClient;
use poem_openapi::{OpenApi, payload::PlainText};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sidereal::{
    auth::{
        Auth,
        policy::{self, Who},
    },
    engine::Engine,
    http,
    jobs::Jobs,
    notify::Notifier,
    objects::Results,
    settings::{AuthMode, Settings},
    store::Store,
};
use tokio_util::sync::CancellationToken;

use super::oidc;
use crate::harness::{Backend, Issuer, Site};

/// Those who ask; alice owns the jobs.
const PEOPLE: [(&str, Option<&str>); 6] = [
    ("nobody", None),
    ("norole", Some("")),
    ("alice", Some("user")),
    ("bob", Some("user")),
    ("olga", Some("operator")),
    ("ada", Some("admin")),
];

/// Whether the policy lets this person do it.
fn may(who: Who, person: &str) -> bool {
    match who {
        Who::Anyone => true,
        Who::User => !matches!(person, "nobody" | "norole"),
        Who::Owner => matches!(person, "alice" | "olga" | "ada"),
        Who::OwnerAlone => person == "alice",
        Who::Operator => matches!(person, "olga" | "ada"),
        Who::Admin => person == "ada",
    }
}

fn token(issuer: &Issuer, person: &str, role: Option<&str>) -> Option<String> {
    let role = role?;
    let roles: Vec<&str> = [role].into_iter().filter(|role| !role.is_empty()).collect();
    Some(issuer.token(&json!({
        "sub": format!("subject of {person}"), "preferred_username": person,
        "resource_access": { "sidereal-api": { "roles": roles } },
    })))
}

/// A job of alice's, not run.
async fn job(site: &Site, alice: &str) -> String {
    let request = site.request(Method::POST, "/api/echo/async").bearer_auth(alice);
    let reply = site.send(request.form(&[("WORD", "x")])).await.expect(303);
    reply.location().rsplit('/').next().expect("an id").to_owned()
}

/// A route with its parameters filled in, and a body that it takes.
fn filled(path: &str, job: &str) -> String {
    let service = path.starts_with("/api/{service}");
    // A job that is not queued cannot be held, which is 403 too: one that is not there is let in as well.
    let of_job = service || path.starts_with("/api/v1/jobs") && !path.ends_with("/hold");
    path.replace("{service}", "echo")
        .replace(
            "{id}",
            if of_job {
                job
            } else {
                "00000000-0000-7000-8000-000000000000"
            },
        )
        .replace(
            "{name}",
            if path.contains("/parameters/") {
                "WORD"
            } else {
                "nobody"
            },
        )
        .replace("{share}", "00000000-0000-7000-8000-000000000000")
        .replace("{secret}", "a-link-that-nobody-was-given")
}

fn body(method: &str, path: &str) -> Body {
    let later = "2040-01-01T00:00:00Z";
    match (method, path) {
        ("POST", "/api/{service}/async/{id}") => Body::Form("ACTION", "DELETE"),
        ("POST", "/api/{service}/async/{id}/phase") => Body::Form("PHASE", "ABORT"),
        ("POST", "/api/{service}/async/{id}/executionduration") => Body::Form("EXECUTIONDURATION", "10"),
        ("POST", "/api/{service}/async/{id}/destruction") => Body::Form("DESTRUCTION", later),
        ("POST", "/api/{service}/async/{id}/parameters") => Body::Form("WORD", "y"),
        ("POST", "/api/{service}/async") => Body::Form("WORD", "z"),
        ("POST", "/account/backchannel-logout") => Body::Form("logout_token", "none"),
        ("POST", "/api/v1/jobs") => Body::Json(json!({ "service": "echo", "parameters": {} })),
        ("POST", "/api/v1/jobs/bulk") => Body::Json(json!({ "action": "abort", "ids": [] })),
        ("POST", "/api/v1/jobs/{id}/shares") => Body::Json(json!({ "expires": later })),
        ("POST", "/account/token/create") => {
            Body::Json(json!({ "name": "t", "scopes": ["read"], "expires": "2020-01-01T00:00:00Z" }))
        }
        ("PATCH", _) => Body::Json(json!({})),
        _ => Body::None,
    }
}

enum Body {
    None,
    Form(&'static str, &'static str),
    Json(Value),
}

#[tokio::test]
async fn every_route_answers_everyone_as_the_policy_says() {
    let issuer = Issuer::start();
    let mut settings = oidc(issuer.issuer(), "a secret that is long enough").to_vec();
    // Alice makes hundreds of jobs in a moment.
    settings.push(("SIDEREAL_QUOTA__REQUESTS_PER_SECOND", "0"));
    let site = Site::start_with(Backend::Embedded, &settings).await;
    let people = PEOPLE.map(|(person, role)| (person, token(&issuer, person, role)));
    let alice = people[2].1.clone().expect("a token");

    let document: Value = site.get("/openapi.json").await.expect(200).json();
    let mut wrong = Vec::new();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for method in operations.as_object().expect("operations").keys() {
            let method = method.to_uppercase();
            let Some(who) = policy::who(&method, path) else {
                wrong.push(format!("{method} {path} has no row"));
                continue;
            };
            for (person, token) in &people {
                let job = job(&site, &alice).await;
                let verb: Method = method.parse().expect("a method");
                let mut request = site.request(verb, &filled(path, &job));
                if let Some(token) = token {
                    request = request.bearer_auth(token);
                }
                request = match body(&method, path) {
                    Body::None => request,
                    Body::Form(name, value) => request.form(&[(name, value)]),
                    Body::Json(value) => request.json(&value),
                };
                // Its body may never end: events are listened to.
                let status = request.send().await.expect("an answer").status();
                let denied = match *person {
                    "nobody" => StatusCode::UNAUTHORIZED,
                    _ => StatusCode::FORBIDDEN,
                };
                let let_in = ![StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status);
                let right = if may(who, person) {
                    let_in
                } else {
                    status == denied
                };
                if !right || status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE {
                    wrong.push(format!("{method} {path} ({who:?}) by {person}: {status}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn lists_show_ones_own() {
    let issuer = Issuer::start();
    let settings = oidc(issuer.issuer(), "a secret that is long enough");
    let site = Site::start_with(Backend::Embedded, &settings).await;
    let [alice, bob] = ["alice", "bob"].map(|person| token(&issuer, person, Some("user")).expect("a token"));
    let id = job(&site, &alice).await;
    for (token, sees) in [(&alice, true), (&bob, false)] {
        for path in ["/api/echo/async", "/api/v1/jobs"] {
            let request = site.request(Method::GET, path).bearer_auth(token);
            let list = site.send(request).await.expect(200).text();
            assert_eq!(list.contains(&id), sees, "{path}: {list}");
        }
    }
}

/// What a service brings whose handlers ask nobody who it is. They count how often they are reached.
struct Careless(Arc<AtomicUsize>);

#[OpenApi(prefix_path = "/api/v1/cutout")]
#[expect(
    clippy::unused_async,
    reason = "poem-openapi takes asynchronous operations only"
)]
impl Careless {
    #[oai(path = "/collections", method = "get")]
    async fn with_a_row(&self) -> PlainText<&'static str> {
        self.reached()
    }

    #[oai(path = "/collections", method = "post")]
    async fn without_a_row_for_the_method(&self) -> PlainText<&'static str> {
        self.reached()
    }

    #[oai(path = "/secrets", method = "get")]
    async fn without_a_row(&self) -> PlainText<&'static str> {
        self.reached()
    }
}

impl Careless {
    fn reached(&self) -> PlainText<&'static str> {
        self.0.fetch_add(1, Ordering::Relaxed);
        PlainText("reached")
    }
}

#[tokio::test]
async fn a_handler_that_asks_nobody_is_behind_the_policy_all_the_same() {
    let issuer = Issuer::start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display();
    let store = Store::open(&format!("sqlite://{path}/test.db")).await.unwrap();
    store.migrate().await.unwrap();
    let mut settings = Settings::default();
    settings.auth.mode = AuthMode::Oidc;
    settings.auth.issuer = Some(issuer.issuer().parse().unwrap());
    settings.auth.client_secret = Some("a secret that is long enough".to_owned().into());
    let auth = Auth::new(&settings, store.clone()).unwrap();
    let jobs = Jobs::new(Engine {
        store,
        results: Arc::new(Results::open(&format!("file://{path}/results")).unwrap()),
        notifier: Notifier::new(),
        services: Vec::new().into(),
        settings: settings.engine.clone(),
    });
    let reached = Arc::new(AtomicUsize::new(0));
    let service = Careless(Arc::clone(&reached));
    let routes = http::routes(
        &jobs,
        auth,
        &settings,
        service,
        Box::new(|routes| routes),
        &CancellationToken::new(),
    )
    .unwrap();
    let client = TestClient::new(routes);

    let people = PEOPLE.map(|(person, role)| (person, token(&issuer, person, role)));
    let collections = "/api/v1/cutout/collections";
    let mut let_in = 0;
    for (method, path, who) in [
        (Method::GET, collections, Some(Who::User)),
        (Method::HEAD, collections, Some(Who::User)),
        // The handlers are there, rows are not.
        (Method::POST, collections, None),
        (Method::GET, "/api/v1/cutout/secrets", None),
    ] {
        for (person, token) in &people {
            let mut request = client.request(method.clone(), path);
            if let Some(token) = token {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            let status = request.send().await.0.status();
            let expected = match who {
                None if method == Method::POST => StatusCode::METHOD_NOT_ALLOWED,
                None => StatusCode::NOT_FOUND,
                Some(who) if may(who, person) => StatusCode::OK,
                Some(_) if *person == "nobody" => StatusCode::UNAUTHORIZED,
                Some(_) => StatusCode::FORBIDDEN,
            };
            assert_eq!(status, expected, "{method} {path} by {person}");
            let_in += usize::from(status == StatusCode::OK);
            assert_eq!(
                reached.load(Ordering::Relaxed),
                let_in,
                "{method} {path} by {person}"
            );
        }
    }
    assert_eq!(let_in, 8);
}
