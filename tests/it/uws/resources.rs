//! Every resource and its methods (requirements 23 to 49, 67, 69).

use reqwest::Method;

use super::xml::{Element, is_time};
use super::{ABORT, LIST, LONG, RUN, create, create_in, id, json, phase};
use crate::harness::{Backend, Reply, Site, on_both_back_ends};

on_both_back_ends!(
    atoms_are_bare_text,
    head_is_get_without_a_body,
    other_methods_are_405_and_name_those_there_are,
    a_slash_at_the_end_changes_nothing,
    every_change_of_state_is_a_303_to_an_absolute_url,
    a_job_is_deleted_by_either_way,
    a_post_to_a_job_does_nothing_but_its_action,
    a_public_url_with_a_path,
    xml_unless_json_is_asked_for,
    what_is_not_there_is_404,
    a_job_is_found_below_its_own_service_alone,
);

/// Below a job, with the methods that each has besides GET and HEAD.
const RESOURCES: &[(&str, &[&str])] = &[
    ("", &["DELETE", "POST"]),
    ("/phase", &["POST"]),
    ("/quote", &[]),
    ("/executionduration", &["POST"]),
    ("/destruction", &["POST"]),
    ("/error", &[]),
    ("/parameters", &["POST"]),
    ("/parameters/FAIL", &[]),
    ("/results", &[]),
    ("/results/result", &[]),
    ("/owner", &[]),
];

/// A job with a result, and one with an error.
async fn two_jobs(site: &Site) -> [String; 2] {
    [create_in(site, "COMPLETED").await, create_in(site, "ERROR").await]
}

async fn atoms_are_bare_text(backend: Backend) {
    let site = Site::start(backend).await;
    let job = create(&site, &[]).await;
    for (resource, expected) in [
        ("phase", Some("PENDING")),
        ("executionduration", Some("3600")),
        ("destruction", None),
        ("quote", Some("")),
        ("owner", Some("local")),
    ] {
        let reply = site.get(&format!("{job}/{resource}")).await.expect(200);
        assert!(
            reply.header("content-type").unwrap().starts_with("text/plain"),
            "{reply:?}"
        );
        match expected {
            Some(expected) => assert_eq!(reply.text(), expected, "{resource}"),
            None => assert!(is_time(&reply.text()), "{}", reply.text()),
        }
    }
    // The same as in the document.
    let document = Element::of(&site.get(&job).await.expect(200));
    for (resource, element) in [
        ("executionduration", "uws:executionDuration"),
        ("destruction", "uws:destruction"),
    ] {
        let reply = site.get(&format!("{job}/{resource}")).await.expect(200);
        assert_eq!(reply.text(), document.child(element).text);
    }
}

fn without_date(reply: &Reply) -> Vec<(String, String)> {
    let mut headers: Vec<_> = reply
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .filter(|(name, _)| name != "date" && name != "x-request-id")
        .collect();
    headers.sort();
    headers
}

async fn head_is_get_without_a_body(backend: Backend) {
    let site = Site::start(backend).await;
    let failed = create_in(&site, "ERROR").await;
    let done = create(&site, &[("X", "1"), RUN]).await;
    site.wait(&done, "COMPLETED").await;
    let below = |job: &str, resource: &str| format!("{job}{resource}");
    let urls = RESOURCES
        .iter()
        .map(|(resource, _)| {
            below(
                if *resource == "/results/result" {
                    &done
                } else {
                    &failed
                },
                resource,
            )
        })
        .chain([
            LIST.to_owned(),
            format!("{LIST}?LAST=1"),
            below(&done, "/results/none"),
            below(&done, "/nonsense"),
        ])
        .chain(["capabilities", "availability"].map(|name| format!("/api/echo/{name}")));
    for url in urls {
        let get = site.get(&url).await;
        let head = site.send(site.request(Method::HEAD, &url)).await;
        assert_eq!(head.status, get.status, "{url}");
        assert!(head.body.is_empty(), "{url}");
        let (mut head, mut get) = (without_date(&head), without_date(&get));
        // The length may be left out, but not wrong.
        if !head.iter().any(|(name, _)| name == "content-length") {
            get.retain(|(name, _)| name != "content-length" && name != "transfer-encoding");
            head.retain(|(name, _)| name != "transfer-encoding");
        }
        assert_eq!(head, get, "{url}");
    }
}

async fn other_methods_are_405_and_name_those_there_are(backend: Backend) {
    let site = Site::start(backend).await;
    let [done, failed] = two_jobs(&site).await;
    let list = std::iter::once((LIST.to_owned(), vec!["POST"]));
    let below = RESOURCES.iter().map(|(resource, methods)| {
        let job = if *resource == "/results/result" {
            &done
        } else {
            &failed
        };
        (format!("{job}{resource}"), methods.to_vec())
    });
    for (url, more) in list.chain(below) {
        for method in ["POST", "PUT", "DELETE", "PATCH"] {
            if more.contains(&method) {
                continue;
            }
            let reply = site
                .send(site.request(method.parse().unwrap(), &url))
                .await
                .expect(405);
            let mut allowed: Vec<_> = reply.header("allow").unwrap_or_default().split(", ").collect();
            allowed.retain(|method| *method != "OPTIONS");
            allowed.sort_unstable();
            let mut expected = [vec!["GET", "HEAD"], more.clone()].concat();
            expected.sort_unstable();
            assert_eq!(allowed, expected, "{method} {url}");
            assert!(reply.text().starts_with("Error: "), "{}", reply.text());
        }
    }
    assert_eq!(phase(&site, &failed).await, "ERROR");
}

/// 47.
async fn a_slash_at_the_end_changes_nothing(backend: Backend) {
    let site = Site::start(backend).await;
    let [_, job] = two_jobs(&site).await;
    let resources = RESOURCES
        .iter()
        .filter(|(resource, _)| *resource != "/results/result");
    for url in resources
        .map(|(resource, _)| format!("{job}{resource}"))
        .chain([LIST.to_owned()])
    {
        let (plain, slashed) = (
            site.get(&url).await.expect(200),
            site.get(&format!("{url}/")).await.expect(200),
        );
        assert_eq!(plain.body, slashed.body, "{url}");
        assert_eq!(plain.header("content-type"), slashed.header("content-type"));
    }
    let made = site
        .post(&format!("{LIST}/"), &[LONG])
        .await
        .expect(303)
        .location()
        .to_owned();
    site.post(&format!("{made}/phase/"), &[RUN]).await.expect(303);
    site.wait(&made, "EXECUTING").await;
    site.delete(&format!("{made}/")).await.expect(303);
    site.get(&made).await.expect(404);
}

/// 24, 28, 32, 34, 36, 40, 48, 49.
async fn every_change_of_state_is_a_303_to_an_absolute_url(backend: Backend) {
    let site = Site::start(backend).await;
    let job = create(&site, &[]).await;
    assert!(job.starts_with(&format!("{}{LIST}/", site.address)), "{job}");
    for (resource, pair) in [
        ("parameters", ("SLEEP", "3000")),
        ("executionduration", ("EXECUTIONDURATION", "60")),
        ("destruction", ("DESTRUCTION", "2999")),
        ("phase", RUN),
        ("phase", ABORT),
        // It has been already: nothing changes.
        ("phase", ABORT),
    ] {
        let reply = site.post(&format!("{job}/{resource}"), &[pair]).await.expect(303);
        assert_eq!(reply.location(), job, "{resource}");
    }
    let list = site.delete(&job).await.expect(303);
    // 56: a bounded list, however many jobs there are.
    let (url, most) = list.location().split_once("?LAST=").expect("?LAST=");
    assert_eq!(url, format!("{}{LIST}", site.address));
    assert!(most.parse::<u32>().is_ok());
}

/// 28, 29, 22.
async fn a_job_is_deleted_by_either_way(backend: Backend) {
    let site = Site::start(backend).await;
    for from in ["PENDING", "EXECUTING", "COMPLETED", "ERROR", "ABORTED"] {
        for action in ["", "DELETE", "delete"] {
            let job = create_in(&site, from).await;
            let deleted = match action {
                "" => {
                    site.send(site.request(Method::DELETE, &job).body("ignored"))
                        .await
                }
                action => site.post(&job, &[("Action", action)]).await,
            };
            assert!(
                deleted
                    .expect(303)
                    .location()
                    .starts_with(&format!("{}{LIST}", site.address))
            );
            for (resource, _) in RESOURCES {
                site.get(&format!("{job}{resource}")).await.expect(404);
            }
            site.delete(&job).await.expect(404);
            site.post(&format!("{job}/phase"), &[RUN]).await.expect(404);
        }
    }
    let list = Element::of(&site.get(LIST).await.expect(200));
    assert_eq!(list.children.len(), 0);
}

/// 30.
async fn a_post_to_a_job_does_nothing_but_its_action(backend: Backend) {
    let site = Site::start(backend).await;
    let job = create(&site, &[("X", "1")]).await;
    let before = json(&site, &job).await;
    for form in [
        &[] as &[(&str, &str)],
        &[("X", "2")],
        &[RUN],
        &[("ACTION", "")],
        &[("ACTION", "REMOVE")],
        &[("ACTION", "DELETE"), ("ACTION", "DELETE")],
    ] {
        let refused = site.post(&job, form).await.expect(400);
        assert!(refused.text().contains("ACTION"), "{}", refused.text());
    }
    assert_eq!(json(&site, &job).await, before);
}

/// 48: behind a proxy; Host never matters.
async fn a_public_url_with_a_path(backend: Backend) {
    const PUBLIC: &str = "https://sky.example.org/sidereal";
    let site = Site::start_with(backend, &[("SIDEREAL_PUBLIC_URL", PUBLIC)]).await;
    // The base path is part of every URL that the server has.
    let inside = |url: &str| url.replace("https://sky.example.org", &site.address);
    let list = format!("/sidereal{LIST}");
    let request = site
        .request(Method::POST, &list)
        .header("Host", "sky.example.org")
        .form(&[RUN]);
    let job = site.send(request).await.expect(303).location().to_owned();
    assert!(job.starts_with(&format!("{PUBLIC}{LIST}/")), "{job}");
    site.wait(&inside(&job), "COMPLETED").await;
    let document = Element::of(&site.get(&inside(&job)).await.expect(200));
    let href = document
        .child("uws:results")
        .child("uws:result")
        .attribute("xlink:href")
        .to_owned();
    assert_eq!(href, format!("{job}/results/result"));
    site.get(&inside(&href)).await.expect(200);
    let listed = Element::of(&site.get(&list).await.expect(200));
    assert_eq!(listed.children[0].attribute("xlink:href"), job);
    let capabilities = site
        .get("/sidereal/api/echo/capabilities")
        .await
        .expect(200)
        .text();
    assert!(
        capabilities.contains(&format!(">{PUBLIC}{LIST}<")),
        "{capabilities}"
    );
    assert!(!capabilities.contains(&site.address), "{capabilities}");
    let gone = site.delete(&inside(&job)).await.expect(303);
    assert!(gone.location().starts_with(&format!("{PUBLIC}{LIST}?")));
}

/// 69: also for browsers and for clients that say nothing.
async fn xml_unless_json_is_asked_for(backend: Backend) {
    let site = Site::start(backend).await;
    let job = create_in(&site, "COMPLETED").await;
    let urls = [
        LIST.to_owned(),
        job.clone(),
        format!("{job}/parameters"),
        format!("{job}/results"),
    ];
    for url in urls {
        for (accept, expected) in [
            ("", "application/xml"),
            ("*/*", "application/xml"),
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                "application/xml",
            ),
            ("application/xml", "application/xml"),
            ("text/xml", "text/xml"),
            ("image/png", "application/xml"),
            ("application/json", "application/json"),
            ("application/json, text/plain, */*", "application/json"),
            (
                "application/xml;q=0.5, application/json;q=0.6",
                "application/json",
            ),
        ] {
            let request = site.request(Method::GET, &url);
            let request = if accept.is_empty() {
                request
            } else {
                request.header("Accept", accept)
            };
            let reply = site.send(request).await.expect(200);
            assert!(
                reply.header("content-type").unwrap().starts_with(expected),
                "{url} {accept}: {reply:?}"
            );
        }
    }
}

/// 26, 65.
async fn what_is_not_there_is_404(backend: Backend) {
    let site = Site::start(backend).await;
    let job = create_in(&site, "COMPLETED").await;
    let other = job.replace(id(&job), "0197f3a0-0000-7000-8000-000000000001");
    for url in [
        other.clone(),
        format!("{other}/phase"),
        format!("{other}/results/result"),
        format!("{LIST}/nonsense"),
        format!("{LIST}/nonsense/phase"),
        format!("{LIST}/%00"),
        format!("{LIST}/..%2f..%2fetc"),
        format!("{job}/nonsense"),
        format!("{job}/phase/x"),
        format!("{job}/parameters/NONE"),
        format!("{job}/results/none"),
        format!("{job}/results/..%2f..%2f..%2fsidereal.db"),
        format!("{job}/error"),
        "/api/none/async".to_owned(),
        "/api/echo".to_owned(),
        "/api/echo/nonsense".to_owned(),
        "/api".to_owned(),
    ] {
        let reply = site.get(&url).await.expect(404);
        assert!(reply.text().starts_with("Error: "), "{url}: {}", reply.text());
    }
    site.post("/api/none/async", &[]).await.expect(404);
    for resource in ["phase", "parameters", "executionduration", "destruction", ""] {
        site.post(
            &format!("{other}/{resource}"),
            &[
                RUN,
                ("EXECUTIONDURATION", "1"),
                ("DESTRUCTION", "2999"),
                ("ACTION", "DELETE"),
            ],
        )
        .await
        .expect(404);
    }
}

async fn a_job_is_found_below_its_own_service_alone(backend: Backend) {
    let site = Site::start(backend).await;
    let job = create(&site, &[]).await;
    let elsewhere = job.replace("/api/echo/", "/api/cutout/");
    for url in [
        elsewhere.clone(),
        format!("{elsewhere}/phase"),
        format!("{elsewhere}?WAIT=40"),
    ] {
        site.get(&url).await.expect(404);
    }
    site.delete(&elsewhere).await.expect(404);
    site.post(&format!("{elsewhere}/phase"), &[ABORT])
        .await
        .expect(404);
    assert_eq!(phase(&site, &job).await, "PENDING");
    let list = Element::of(&site.get("/api/cutout/async").await.expect(200));
    assert!(list.children.is_empty());
}
