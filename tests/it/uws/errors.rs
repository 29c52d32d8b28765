//! Errors in the client's form (requirements 65 to 68).

use reqwest::Method;
use serde_json::Value;

use super::xml::Element;
use super::{ABORT, LIST, RUN, create, create_in};
use crate::harness::{Backend, Reply, Site, on_both_back_ends};

on_both_back_ends!(
    an_error_has_the_form_that_is_asked_for,
    a_failed_job_is_no_error_of_http,
    authorization_does_not_matter_in_mode_local,
    nothing_that_is_sent_breaks_the_server,
);

async fn ask(site: &Site, method: &str, url: &str, accept: Option<&str>) -> Reply {
    let request = site.request(method.parse().unwrap(), url);
    let request = if method == "POST" {
        request.form(&[RUN])
    } else {
        request
    };
    site.send(match accept {
        Some(accept) => request.header("Accept", accept),
        None => request,
    })
    .await
}

/// 68.
async fn an_error_has_the_form_that_is_asked_for(backend: Backend) {
    let site = Site::start(backend).await;
    let done = create_in(&site, "COMPLETED").await;
    for (method, url, status, label) in [
        ("GET", format!("{LIST}?PHASE=<NONE>&x=%00"), 400, "UsageError"),
        (
            "GET",
            format!("{LIST}?LAST=1&LAST=2"),
            400,
            "MultiValuedParamNotSupported",
        ),
        ("POST", format!("{done}/phase"), 403, "UsageError"),
        ("GET", format!("{done}/results/none"), 404, "Error"),
        ("GET", "/api/none/async".to_owned(), 404, "Error"),
        ("PUT", done.clone(), 405, "Error"),
    ] {
        let mut messages = Vec::new();
        for accept in [
            None,
            Some("*/*"),
            Some("application/xml"),
            Some("text/html, */*;q=0.1"),
            Some("image/png"),
        ] {
            let reply = ask(&site, method, &url, accept).await.expect(status);
            assert!(
                reply.header("content-type").unwrap().starts_with("text/plain"),
                "{accept:?}: {reply:?}"
            );
            messages.push(reply.text());
        }
        for accept in [
            "application/x-votable+xml",
            "application/x-votable+xml;q=0.9, text/plain;q=0.1",
        ] {
            let reply = ask(&site, method, &url, Some(accept)).await.expect(status);
            assert!(
                reply
                    .header("content-type")
                    .unwrap()
                    .starts_with("application/x-votable+xml")
            );
            let table = Element::of(&reply);
            let resource = table.child("votable:RESOURCE");
            assert_eq!(resource.attribute("type"), "results");
            let info = resource.child("votable:INFO");
            assert_eq!(
                (info.attribute("name"), info.attribute("value")),
                ("QUERY_STATUS", "ERROR")
            );
            messages.push(info.text.clone());
        }
        for accept in ["application/json", "application/problem+json"] {
            let reply = ask(&site, method, &url, Some(accept)).await.expect(status);
            assert!(
                reply
                    .header("content-type")
                    .unwrap()
                    .starts_with("application/problem+json"),
                "{reply:?}"
            );
            let problem: Value = reply.json();
            assert_eq!(problem["status"], status);
            assert_eq!(problem["label"], label);
            assert!(
                problem["title"].is_string() && problem["requestId"].is_string(),
                "{problem}"
            );
            messages.push(format!("{label}: {}", problem["detail"].as_str().unwrap()));
        }
        assert!(messages[0].starts_with(&format!("{label}: ")), "{}", messages[0]);
        assert!(
            messages.iter().all(|message| *message == messages[0]),
            "{messages:?}"
        );
    }
    // A fault of a parameter names it, for programs too.
    let reply = ask(
        &site,
        "GET",
        &format!("{LIST}?PHASE=NONE"),
        Some("application/json"),
    )
    .await;
    assert_eq!(reply.json::<Value>()["errors"][0]["parameter"], "PHASE");
}

/// 26, 65.
async fn a_failed_job_is_no_error_of_http(backend: Backend) {
    let site = Site::start(backend).await;
    let job = create_in(&site, "ERROR").await;
    for resource in ["", "/phase", "/error", "/results", "/parameters"] {
        site.get(&format!("{job}{resource}")).await.expect(200);
    }
}

/// The validator sends Basic authentication always, also an empty one.
async fn authorization_does_not_matter_in_mode_local(backend: Backend) {
    let site = Site::start(backend).await;
    let job = create(&site, &[]).await;
    for authorization in ["Basic Og==", "Bearer nonsense", "x"] {
        let request = site
            .request(Method::GET, &job)
            .header("Authorization", authorization);
        site.send(request).await.expect(200);
    }
}

async fn nothing_that_is_sent_breaks_the_server(backend: Backend) {
    let site = Site::start(backend).await;
    let job = create(&site, &[]).await;
    let long = "x".repeat(20_000);
    for url in [
        format!("{LIST}?{}", "PHASE=PENDING&".repeat(1_000)),
        format!("{LIST}?x={long}"),
        format!("{LIST}/{long}"),
        format!("{job}/results/{long}"),
        format!("{job}?WAIT=0&{long}"),
        format!("{LIST}?%"),
        format!("{LIST}?PHASE=%E0%A4%A"),
        format!("{job}/%ff%fe"),
        "//".to_owned(),
        "/%2e%2e/%2e%2e/etc/passwd".to_owned(),
    ] {
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"] {
            let url = format!("{}{}", site.address, url.replace(&site.address, ""));
            let reply = ask(&site, method, &url, None).await;
            assert!((200..500).contains(&reply.status), "{method} {url}: {reply:?}");
        }
    }
    let huge = "x".repeat(200_000);
    let request = site.request(Method::GET, &job).header("X-Huge", huge);
    let answer = request.send().await;
    assert!(answer.is_err() || answer.unwrap().status().is_client_error());
    // Still there, and the job untouched.
    site.post(&format!("{job}/phase"), &[ABORT]).await.expect(303);
    assert!(!site.log().contains("panicked"), "{}", site.log());
}
