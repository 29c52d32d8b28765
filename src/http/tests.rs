//! Requests through all of the routes, over an embedded database and a folder.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::future::BoxFuture;
use poem::{
    endpoint::BoxEndpoint,
    http::{Method, StatusCode, header},
    test::{TestClient, TestResponse},
};
use poem_openapi::types::{ParseFromJSON, ToJSON};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{internal_routes, routes, schema};
use crate::{
    auth::{Auth, Caller},
    engine::{Accepted, CheckError, Context, Description, Draft, Engine, Failure, PerOwner, Service, Stage},
    jobs::Jobs,
    notify::Notifier,
    objects::Results,
    settings::Settings,
    store::Store,
};

const BASE: &str = "https://sky.example.org/base";

/// A job type whose result is ten digits, and which logs two lines.
struct Digits(Description);

impl Service for Digits {
    fn describe(&self) -> &Description {
        &self.0
    }

    fn check<'a>(
        &'a self,
        _: &'a Draft<'a>,
        _: Stage,
        _: &'a Caller,
    ) -> BoxFuture<'a, Result<Accepted, CheckError>> {
        Box::pin(async { Ok(Accepted::default()) })
    }

    fn execute<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            context.log("one");
            if context.parameters().text("FAIL").ok().flatten().is_some() {
                return Err(Failure::fatal("It was to fail."));
            }
            context.log("two");
            context
                .put("result", "text/html", Bytes::from_static(b"0123456789"))
                .await?;
            Ok(())
        })
    }
}

struct Site {
    client: TestClient<BoxEndpoint<'static>>,
    jobs: Jobs,
    auth: Auth,
    stop: CancellationToken,
    _folder: tempfile::TempDir,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Site {
    async fn start() -> Site {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        let store = Store::open(&format!("sqlite://{path}/test.db")).await.unwrap();
        store.migrate().await.unwrap();
        let settings = Settings {
            public_url: Some(format!("{BASE}/").parse().unwrap()),
            ..Settings::default()
        };
        let service: Arc<dyn Service> = Arc::new(Digits(Description {
            name: "digits",
            title: "Digits",
            summary: "Ten of them.",
            parameters: Vec::new(),
            any_parameter: true,
            formats: &[],
            retryable: true,
            execution_duration: Duration::from_mins(1),
            max_execution_duration: Duration::from_hours(1),
            retention: Duration::from_hours(1),
            max_retention: Duration::from_hours(2),
        }));
        let engine = Engine {
            store,
            results: Arc::new(Results::open(&format!("file://{path}/results")).unwrap()),
            notifier: Notifier::new(),
            services: vec![service].into(),
            settings: settings.engine.clone(),
        };
        let stop = CancellationToken::new();
        engine.run_jobs(2, PerOwner::default(), "test", stop.clone());
        let auth = Auth::new(&settings, engine.store.clone()).unwrap();
        let jobs = Jobs::new(engine);
        Site {
            client: TestClient::new(
                routes(
                    &jobs,
                    auth.clone(),
                    &settings,
                    (),
                    Box::new(|routes| routes),
                    &stop,
                )
                .unwrap(),
            ),
            jobs,
            auth,
            stop,
            _folder: folder,
        }
    }

    async fn get(&self, path: &str) -> TestResponse {
        self.client.get(format!("/base{path}")).send().await
    }

    async fn post(&self, path: &str, form: &'static str) -> TestResponse {
        self.client
            .post(format!("/base{path}"))
            .content_type("application/x-www-form-urlencoded")
            .body(form)
            .send()
            .await
    }

    async fn json(&self, method: Method, path: &str, body: &Value) -> TestResponse {
        self.client
            .request(method, format!("/base{path}"))
            .body_json(body)
            .send()
            .await
    }

    /// Creates a job and gives its path below the public URL.
    async fn create(&self, form: &'static str) -> String {
        let answer = self.post("/api/digits/async", form).await;
        answer.assert_status(StatusCode::SEE_OTHER);
        location(&answer)
    }

    /// Creates a job and waits for its end.
    async fn run(&self, form: &'static str) -> String {
        let job = self.create(form).await;
        for _ in 0..5 {
            let document = read(self.get(&format!("{job}?WAIT=-1")).await).await;
            if document.contains("<uws:endTime>") {
                return job;
            }
        }
        panic!("the job does not end");
    }
}

fn location(answer: &TestResponse) -> String {
    let url = answer.0.header(header::LOCATION).unwrap();
    url.strip_prefix(BASE).expect("below the public URL").to_owned()
}

async fn read(answer: TestResponse) -> String {
    answer.0.into_body().into_string().await.unwrap()
}

async fn value(answer: TestResponse) -> Value {
    serde_json::from_str(&read(answer).await).unwrap()
}

#[tokio::test]
async fn a_job_is_made_run_read_and_destroyed() {
    let site = Site::start().await;
    let job = site
        .create("RUNID=mine&Size=1&size=2&EXECUTIONDURATION=77.0")
        .await;
    let document = read(site.get(&job).await).await;
    assert!(document.contains("<uws:runId>mine</uws:runId>"), "{document}");
    assert!(
        !document.contains("RUNID") && document.contains("<uws:executionDuration>77<"),
        "{document}"
    );
    for (child, expected) in [
        ("phase", "PENDING"),
        ("executionduration", "77"),
        ("quote", ""),
        ("owner", "local"),
    ] {
        let answer = site.get(&format!("{job}/{child}")).await;
        answer.assert_status_is_ok();
        answer.assert_content_type("text/plain; charset=utf-8");
        answer.assert_text(expected).await;
    }
    site.get(&format!("{job}/error"))
        .await
        .assert_status(StatusCode::NOT_FOUND);
    let answer = site.post(&format!("{job}/phase"), "phase=run").await;
    answer.assert_status(StatusCode::SEE_OTHER);
    assert_eq!(location(&answer), job);
    while !["COMPLETED", "ERROR"].contains(&read(site.get(&format!("{job}/phase")).await).await.as_str()) {
        site.get(&format!("{job}?WAIT=10")).await.assert_status_is_ok();
    }
    let answer = site.post(&format!("{job}/phase"), "PHASE=RUN").await;
    answer.assert_status(StatusCode::FORBIDDEN);
    let answer = site.client.delete(format!("/base{job}")).send().await;
    answer.assert_status(StatusCode::SEE_OTHER);
    assert_eq!(location(&answer), "/api/digits/async?LAST=100");
    site.get(&job).await.assert_status(StatusCode::NOT_FOUND);
    let id = job.rsplit('/').next().unwrap();
    let answer = site.get(&format!("/api/v1/jobs/{id}")).await;
    answer.assert_status(StatusCode::GONE);
    assert!(value(answer).await["destroyed"].is_string());
}

#[tokio::test]
async fn what_is_not_allowed_changes_nothing() {
    let site = Site::start().await;
    let job = site.create("").await;
    for (path, form) in [
        (job.clone(), ""),
        (job.clone(), "SIZE=1"),
        (job.clone(), "ACTION=KEEP"),
        (format!("{job}/phase"), "PHASE=NONSENSE"),
        (format!("{job}/phase"), ""),
        (format!("{job}/executionduration"), "EXECUTIONDURATION=-5"),
        (format!("{job}/executionduration"), ""),
        (format!("{job}/destruction"), "DESTRUCTION=soon"),
        (format!("{job}/destruction"), "DESTRUCTION=2015"),
        ("/api/digits/async".into(), "PHASE=ABORT"),
        ("/api/digits/async".into(), "RUNID=a&runid=b"),
    ] {
        let answer = site.post(&path, form).await;
        answer.assert_status(StatusCode::BAD_REQUEST);
        answer.assert_content_type("text/plain; charset=utf-8");
    }
    for query in [
        "LAST=0",
        "LAST=-1",
        "LAST=x",
        "LAST=1&last=2",
        "PHASE=x",
        "AFTER=2015-26-10",
        "AFTER=2015-10-26T09:00+01:00",
    ] {
        let answer = site.get(&format!("/api/digits/async?{query}")).await;
        answer.assert_status(StatusCode::BAD_REQUEST);
    }
    for query in [
        "WAIT=-2",
        "WAIT=x",
        "WAIT=1&WAIT=2",
        "WAIT=1&PHASE=QUEUED&PHASE=ERROR",
    ] {
        site.get(&format!("{job}?{query}"))
            .await
            .assert_status(StatusCode::BAD_REQUEST);
    }
    for path in [
        "/api/nothing/async",
        "/api/v1/async",
        "/api/digits/async/nothing",
        "/api/digits/async/0197f3a0-0000-7000-8000-000000000001",
        "/api/nothing/sync",
        "/api/digits/examples",
        "/api/nothing/capabilities",
    ] {
        site.get(path).await.assert_status(StatusCode::NOT_FOUND);
    }
    site.get(&format!("{job}/phase/"))
        .await
        .assert_text("PENDING")
        .await;
    let answer = read(
        site.get("/api/digits/async?last=5&Phase=PENDING&after=2015&PHASE=QUEUED")
            .await,
    )
    .await;
    assert_eq!(answer.matches("<uws:jobref ").count(), 1);
}

#[tokio::test]
async fn results_are_given_whole_and_in_parts_and_never_as_a_page() {
    let site = Site::start().await;
    let job = site.run("PHASE=RUN").await;
    let path = format!("/base{job}/results/result");
    let whole = site.client.get(&path).send().await;
    whole.assert_status_is_ok();
    whole.assert_header(header::CONTENT_TYPE, "text/html");
    whole.assert_header(header::CONTENT_LENGTH, "10");
    whole.assert_header(header::CONTENT_DISPOSITION, "attachment; filename=\"result\"");
    whole.assert_header(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    let tag = whole.0.header(header::ETAG).unwrap().to_owned();
    whole.assert_text("0123456789").await;
    for (range, status, content_range, text) in [
        ("bytes=2-4", StatusCode::PARTIAL_CONTENT, "bytes 2-4/10", "234"),
        ("bytes=-3", StatusCode::PARTIAL_CONTENT, "bytes 7-9/10", "789"),
        (
            "bytes=5-500",
            StatusCode::PARTIAL_CONTENT,
            "bytes 5-9/10",
            "56789",
        ),
        (
            "bytes=10-",
            StatusCode::RANGE_NOT_SATISFIABLE,
            "bytes */10",
            "Error: there are 10 bytes",
        ),
    ] {
        let part = site.client.get(&path).header(header::RANGE, range).send().await;
        part.assert_status(status);
        part.assert_header(header::CONTENT_RANGE, content_range);
        part.assert_text(text).await;
    }
    let same = site
        .client
        .get(&path)
        .header(header::IF_NONE_MATCH, &tag)
        .send()
        .await;
    same.assert_status(StatusCode::NOT_MODIFIED);
    let head = site.client.head(&path).send().await;
    head.assert_header(header::CONTENT_LENGTH, "10");
    head.assert_text("").await;
    site.get(&format!("{job}/results/nothing"))
        .await
        .assert_status(StatusCode::NOT_FOUND);
    let list = read(site.get(&format!("{job}/results")).await).await;
    assert!(list.contains(&format!("{BASE}{job}/results/result")), "{list}");
}

#[tokio::test]
async fn a_failure_is_told_in_full_at_error() {
    let site = Site::start().await;
    let job = site.run("PHASE=RUN&FAIL=1").await;
    let answer = site.get(&format!("{job}/error")).await;
    answer.assert_status_is_ok();
    answer.assert_text("Error: It was to fail.").await;
    let answer = site
        .client
        .get(format!("/base{job}/error"))
        .header(header::ACCEPT, "application/x-votable+xml")
        .send()
        .await;
    assert!(read(answer).await.contains("QUERY_STATUS"));
}

#[tokio::test]
async fn uploads_are_served_as_they_came() {
    let site = Site::start().await;
    let body = "--X\r\nContent-Disposition: form-data; name=\"positions\"; filename=\"a.csv\"\r\n\
                Content-Type: text/csv\r\n\r\nRA,DEC\r\n--X--\r\n";
    let answer = site
        .client
        .post("/base/api/digits/async")
        .content_type("multipart/form-data; boundary=X")
        .body(body)
        .send()
        .await;
    let job = location(&answer);
    let list = read(site.get(&format!("{job}/parameters")).await).await;
    let url = format!("{BASE}{job}/parameters/POSITIONS");
    assert!(list.contains(&format!("byReference=\"true\">{url}<")), "{list}");
    let answer = site.get(&format!("{job}/parameters/positions")).await;
    answer.assert_content_type("text/csv");
    answer.assert_text("RA,DEC").await;
    let answer = site
        .post(&format!("{job}/parameters"), "SIZE=3&RunId=again")
        .await;
    answer.assert_status(StatusCode::SEE_OTHER);
    site.get(&format!("{job}/parameters/SIZE"))
        .await
        .assert_text("3")
        .await;
    assert!(read(site.get(&job).await).await.contains("<uws:runId>again<"));
}

/// A document that is read by its schema and written again is the same.
fn hold<T: ParseFromJSON + ToJSON>(value: &Value) {
    let read = T::parse_from_json(Some(value.clone()))
        .unwrap_or_else(|error| panic!("{}: {value}", error.into_message()));
    assert_eq!(read.to_json().as_ref(), Some(value));
}

#[tokio::test]
async fn json_has_the_shape_of_its_schema() {
    let site = Site::start().await;
    let job = site.run("PHASE=RUN&A=1").await;
    let json_of = async |path: &str| {
        let get = site.client.get(format!("/base{path}"));
        value(get.header(header::ACCEPT, "application/json").send().await).await
    };
    let id = job.rsplit('/').next().unwrap();
    hold::<schema::Job>(&json_of(&job).await);
    hold::<schema::JobList>(&json_of("/api/digits/async").await);
    hold::<schema::ParameterList>(&json_of(&format!("{job}/parameters")).await);
    hold::<schema::ResultList>(&json_of(&format!("{job}/results")).await);
    hold::<schema::ServiceJob>(&json_of(&format!("/api/v1/jobs/{id}")).await);
    hold::<schema::JobPage>(&json_of("/api/v1/jobs").await);
    hold::<schema::JobCounts>(&json_of("/api/v1/jobs/counts").await);
    hold::<schema::ServiceList>(&json_of("/api/v1/services").await);
    hold::<schema::Me>(&json_of("/api/v1/me").await);
}

#[tokio::test]
async fn jobs_of_all_services_are_searched_changed_and_acted_upon() {
    let site = Site::start().await;
    let new = json!({
        "service": "digits", "runId": "a", "run": false,
        "parameters": {"SIZE": 3, "BANDS": ["x", "y"], "FLAG": true},
    });
    let answer = site.json(Method::POST, "/api/v1/jobs", &new).await;
    answer.assert_status(StatusCode::CREATED);
    let path = location(&answer);
    let id = path.rsplit('/').next().unwrap().to_owned();
    let document = value(answer).await;
    let inline: Vec<&Value> = document["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| &p["value"])
        .collect();
    assert_eq!(inline, ["x", "y", "true", "3"]);
    let answer = site
        .json(
            Method::PATCH,
            &format!("/api/v1/jobs/{id}"),
            &json!({"runId": "b"}),
        )
        .await;
    assert_eq!(value(answer).await["runId"], "b");
    site.create("").await;
    let found = value(
        site.get("/api/v1/jobs?label=b&service=digits&phase=pending")
            .await,
    )
    .await;
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    let first = value(site.get("/api/v1/jobs?limit=1").await).await;
    let next = first["next"].as_str().unwrap();
    let second = value(site.get(&format!("/api/v1/jobs?limit=1&cursor={next}")).await).await;
    assert_eq!(
        (&second["items"][0]["id"], &second["next"]),
        (&json!(id), &Value::Null)
    );
    for bad in [
        "/api/v1/jobs?cursor=x",
        "/api/v1/jobs?limit=0",
        "/api/v1/jobs?phase=x",
    ] {
        let answer = site.get(bad).await;
        answer.assert_status(StatusCode::BAD_REQUEST);
        answer.assert_content_type("application/problem+json");
    }
    for bad in [
        json!({"action": "abort"}),
        json!({"action": "abort", "ids": ["x"]}),
        json!({"action": "x", "ids": []}),
    ] {
        let answer = site.json(Method::POST, "/api/v1/jobs/bulk", &bad).await;
        answer.assert_status(StatusCode::BAD_REQUEST);
    }
    let act = json!({"action": "abort", "filter": {"phase": ["PENDING"]}});
    let report = value(site.json(Method::POST, "/api/v1/jobs/bulk", &act).await).await;
    assert_eq!((&report["done"], &report["failed"]), (&json!(2), &json!(0)));
    let act = json!({"action": "delete", "ids": [id, "0197f3a0-0000-7000-8000-000000000001"]});
    let report = value(site.json(Method::POST, "/api/v1/jobs/bulk", &act).await).await;
    assert_eq!((&report["done"], &report["failed"]), (&json!(1), &json!(1)));
    let counts = value(site.get("/api/v1/jobs/counts").await).await;
    assert_eq!(
        (&counts["phases"]["ABORTED"], &counts["total"]),
        (&json!(1), &json!(1))
    );
}

#[tokio::test]
async fn a_key_makes_repeating_harmless() {
    let site = Site::start().await;
    let create = async || {
        let post = site
            .client
            .post("/base/api/digits/async")
            .header("Idempotency-Key", "k1");
        location(&post.send().await)
    };
    assert_eq!(create().await, create().await);
}

#[tokio::test]
async fn a_log_is_read_from_any_line_and_followed_to_the_end() {
    let site = Site::start().await;
    let job = site.create("").await;
    let id = job.rsplit('/').next().unwrap().to_owned();
    let follow = site.get(&format!("/api/v1/jobs/{id}/log?follow=true")).await;
    site.post(&format!("{job}/phase"), "PHASE=RUN")
        .await
        .assert_status(StatusCode::SEE_OTHER);
    let text = read(follow).await;
    let said = |text: &str| -> Vec<String> {
        text.lines()
            .filter_map(|line| Some(line.split_once(' ')?.1.to_owned()))
            .collect()
    };
    assert!(said(&text).ends_with(&["one".into(), "two".into()]), "{text}");
    let before = said(&text).len() - 1;
    let rest = read(site.get(&format!("/api/v1/jobs/{id}/log?after={before}")).await).await;
    assert_eq!(said(&rest), ["two"]);
}

#[tokio::test]
async fn events_tell_of_jobs_and_end_with_the_server() {
    let site = Site::start().await;
    let stream = site.get("/api/v1/events").await;
    stream.assert_content_type("text/event-stream");
    site.run("PHASE=RUN").await;
    let mut lines = String::new();
    let mut body = Box::pin(stream.0.into_body().into_bytes_stream());
    while !lines.contains("COMPLETED") {
        let piece = futures::StreamExt::next(&mut body).await.unwrap().unwrap();
        lines.push_str(std::str::from_utf8(&piece).unwrap());
    }
    assert!(
        lines.contains("event: job\n") && lines.contains("id: "),
        "{lines}"
    );
    site.jobs.close();
    while futures::StreamExt::next(&mut body).await.is_some() {}
}

#[tokio::test]
async fn probes_are_everywhere_and_metrics_inside_only() {
    let site = Site::start().await;
    for path in ["/livez", "/readyz", "/base/livez", "/base/readyz"] {
        site.client.get(path).send().await.assert_status_is_ok();
    }
    site.get("/metrics").await.assert_status(StatusCode::NOT_FOUND);
    let inside = TestClient::new(internal_routes(
        &site.jobs,
        &site.auth,
        true,
        Box::new(|routes| routes),
        &site.stop,
    ));
    inside.get("/readyz").send().await.assert_status_is_ok();

    // An answer of a moment ago does not hold any more.
    site.stop.cancel();
    for client in [&site.client, &inside] {
        let answer = client.get("/readyz").send().await;
        answer.assert_status(StatusCode::SERVICE_UNAVAILABLE);
        client.get("/livez").send().await.assert_status_is_ok();
    }
    let metrics = read(inside.get("/metrics").send().await).await;
    assert!(metrics.contains("http_requests_total"), "{metrics}");
    inside
        .get("/api/digits/async")
        .send()
        .await
        .assert_status(StatusCode::NOT_FOUND);
    for (path, media_type) in [
        ("/docs", "text/html; charset=utf-8"),
        ("/openapi.json", "application/json"),
    ] {
        let answer = site.get(path).await;
        answer.assert_status_is_ok();
        answer.assert_content_type(media_type);
    }
    for path in ["capabilities", "availability"] {
        let answer = site.get(&format!("/api/digits/{path}")).await;
        answer.assert_status_is_ok();
        answer.assert_content_type("application/xml");
    }
}
