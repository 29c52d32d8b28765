//! What the server lets in: probes, metrics, bodies, hosts and origins; and the description of its own interface.

use std::collections::HashSet;

use reqwest::{Body, Method};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Backend, Site, free_address, on_both_back_ends};
use crate::uws::{ABORT, LIST, RUN, create, id};

on_both_back_ends!(
    probes_on_both_listeners_and_metrics_on_the_internal_one,
    a_worker_answers_to_probes_alone,
    pages_of_other_sites_change_nothing,
    other_hosts_are_not_ours,
    a_body_has_an_end,
    the_interface_is_described,
);

async fn probes_on_both_listeners_and_metrics_on_the_internal_one(backend: Backend) {
    let internal = free_address();
    let site = Site::start_with(backend, &[("SIDEREAL_INTERNAL_LISTEN", &internal)]).await;
    let internal = format!("http://{internal}");
    for base in [site.address.as_str(), &internal] {
        site.get(&format!("{base}/livez")).await.expect(200);
        site.get(&format!("{base}/readyz")).await.expect(200);
        let head = site
            .send(site.request(Method::HEAD, &format!("{base}/readyz")))
            .await
            .expect(200);
        assert!(head.body.is_empty());
    }
    site.get("/metrics").await.expect(404);
    let job = create(&site, &[RUN]).await;
    site.wait(&job, "COMPLETED").await;
    let metrics = site.get(&format!("{internal}/metrics")).await.expect(200);
    assert!(
        metrics
            .header("content-type")
            .unwrap()
            .starts_with("text/plain; version=0.0.4"),
        "{metrics:?}"
    );
    assert!(metrics.text().contains("# TYPE "), "{}", metrics.text());
    // A path is counted by its pattern: ids would make as many series as there are jobs.
    assert!(!metrics.text().contains(id(&job)), "{}", metrics.text());
    // The internal listener has nothing of the public one.
    for path in [LIST, "/api/v1/jobs", "/openapi.json"] {
        site.get(&format!("{internal}{path}")).await.expect(404);
    }
}

async fn a_worker_answers_to_probes_alone(backend: Backend) {
    let site = Site::start_with(backend, &[("SIDEREAL_ROLE", "worker")]).await;
    site.get("/livez").await.expect(200);
    site.get("/readyz").await.expect(200);
    for path in [LIST, "/api/v1/jobs", "/metrics", "/api/echo/capabilities"] {
        site.get(path).await.expect(404);
    }
}

/// In mode `local` any page that the user has open could reach the server.
async fn pages_of_other_sites_change_nothing(backend: Backend) {
    let site = Site::start(backend).await;
    let own = site.address.clone();
    let job = create(&site, &[]).await;
    let phase = format!("{job}/phase");
    for (name, value) in [
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
        ("Origin", "http://127.0.0.1:1"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ] {
        for (method, url) in [
            (Method::POST, LIST),
            (Method::POST, phase.as_str()),
            (Method::DELETE, &job),
            (Method::POST, "/api/v1/jobs/bulk"),
        ] {
            let request = site.request(method, url).header(name, value).form(&[ABORT]);
            let refused = site.send(request).await.expect(403);
            assert!(!refused.headers.contains_key("access-control-allow-origin"));
        }
        // Reading does no harm: the page does not get to see it.
        let read = site
            .send(site.request(Method::GET, &job).header(name, value))
            .await
            .expect(200);
        assert!(!read.headers.contains_key("access-control-allow-origin"));
    }
    for (name, value) in [
        ("Origin", own.as_str()),
        ("Sec-Fetch-Site", "same-origin"),
        ("Sec-Fetch-Site", "none"),
    ] {
        let request = site.request(Method::POST, LIST).header(name, value);
        site.send(request).await.expect(303);
    }
    assert_eq!(site.get(&phase).await.text(), "PENDING");
}

/// A name of someone else's that resolves to loopback (DNS rebinding).
async fn other_hosts_are_not_ours(backend: Backend) {
    let site = Site::start_with(
        backend,
        &[("SIDEREAL_PUBLIC_URL", "https://sky.example.org/base")],
    )
    .await;
    for (host, status) in [
        ("evil.example", 421),
        ("evil.example:8080", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example", 421),
        ("10.0.0.1", 421),
        ("sky.example.org", 200),
        ("SKY.example.org", 200),
        ("localhost", 200),
        ("localhost:8080", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:8080", 200),
        ("[::1]evil", 421),
        ("localhost:x", 421),
    ] {
        let request = site
            .request(Method::GET, &format!("/base{LIST}"))
            .header("Host", host);
        site.send(request).await.expect(status);
    }
    // What a well-behaved client does not send.
    for (target, hosts, status) in [
        ("http://localhost:1", &["localhost:1"][..], 200),
        ("http://evil.example", &["localhost:1"], 421),
        ("http://localhost:1", &["localhost:2"], 421),
        ("", &["localhost", "evil.example"], 400),
        ("", &["localhost", "localhost"], 400),
    ] {
        let answer = raw(&site, &format!("{target}/base{LIST}"), hosts).await;
        let said = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&said), "{target} {hosts:?}: {answer}");
    }
}

/// The answer to a GET with this target and these Host headers, as they are.
async fn raw(site: &Site, target: &str, hosts: &[&str]) -> String {
    let address = site.address.strip_prefix("http://").expect("http");
    let mut connection = TcpStream::connect(address).await.expect("a connection");
    let hosts = hosts.join("\r\nHost: ");
    let request = format!("GET {target} HTTP/1.1\r\nHost: {hosts}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await.expect("a request");
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await.expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}

async fn a_body_has_an_end(backend: Backend) {
    let site = Site::start_with(backend, &[("SIDEREAL_MAX_BODY", "2000")]).await;
    let form = |length: usize| format!("X={}", "x".repeat(length - 2));
    let post = |body: Body| {
        let request = site
            .request(Method::POST, LIST)
            .header("Content-Type", "application/x-www-form-urlencoded");
        site.send(request.body(body))
    };
    let in_pieces = |length: usize| {
        let pieces: Vec<_> = form(length)
            .into_bytes()
            .chunks(100)
            .map(<[u8]>::to_vec)
            .map(Ok::<_, std::io::Error>)
            .collect();
        Body::wrap_stream(futures::stream::iter(pieces))
    };
    post(form(2_000).into()).await.expect(303);
    post(in_pieces(2_000)).await.expect(303);
    for body in [form(2_001).into(), in_pieces(2_001)] {
        let refused = post(body).await.expect(413);
        assert!(refused.text().contains("2000"), "{}", refused.text());
    }
    let request = site.request(Method::POST, "/api/v1/jobs");
    let refused = site
        .send(request.json(&serde_json::json!({"service": form(2_001)})))
        .await
        .expect(413);
    assert_eq!(refused.json::<Value>()["status"], 413);
    let list: Value = site.get_json(LIST).await;
    assert_eq!(list["jobs"].as_array().unwrap().len(), 2);
}

async fn the_interface_is_described(backend: Backend) {
    let site = Site::start(backend).await;
    let reply = site.get("/openapi.json").await.expect(200);
    assert!(
        reply
            .header("content-type")
            .unwrap()
            .starts_with("application/json")
    );
    let document: Value = reply.json();
    assert!(
        document["openapi"].as_str().unwrap().starts_with("3."),
        "{}",
        document["openapi"]
    );
    assert_eq!(document["info"]["title"], "Sidereal");
    let mut operations = HashSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = operation["operationId"]
                .as_str()
                .unwrap_or_else(|| panic!("{method} {path} has no name"));
            assert!(operations.insert(name.to_owned()), "{name} twice");
            assert!(!operation["responses"].as_object().unwrap().is_empty(), "{name}");
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let in_path = |name: &str| parameters.iter().any(|p| p["in"] == "path" && p["name"] == name);
            for name in path.split(['{', '}']).skip(1).step_by(2) {
                assert!(in_path(name), "{path}: {name} is not described");
            }
        }
    }
    for name in [
        "listJobs",
        "createJob",
        "getJob",
        "setPhase",
        "searchJobs",
        "bulk",
        "getEvents",
        "getResult",
    ] {
        assert!(operations.contains(name), "no {name}");
    }
    let mut references = Vec::new();
    collect_references(&document, &mut references);
    assert!(!references.is_empty());
    for reference in references {
        let pointer = reference
            .strip_prefix('#')
            .expect("a reference into the document itself");
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    let docs = site.get("/docs").await.expect(200);
    assert!(docs.header("content-type").unwrap().starts_with("text/html"));
}

fn collect_references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| match value {
            Value::String(reference) if name == "$ref" => found.push(reference),
            value => collect_references(value, found),
        }),
        Value::Array(values) => values.iter().for_each(|value| collect_references(value, found)),
        _ => {}
    }
}
