//! `/api/v1/jobs` over all services, `/services`, `/me`.

use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::harness::{Backend, Reply, Site, on_both_back_ends};
use crate::uws::{self, LONG, RUN, create, create_in, days_ahead, id};

on_both_back_ends!(
    jobs_are_created_from_json,
    what_is_no_parameter_of_a_job_is_not_taken_as_one,
    a_key_makes_repeating_harmless,
    a_key_is_of_one_request,
    search_filters,
    search_goes_in_pages,
    counts,
    labels_are_changed,
    many_are_aborted_or_deleted_by_their_ids,
    many_are_aborted_or_deleted_by_a_filter,
    a_destroyed_job_is_gone_with_its_time,
    services_and_the_caller,
    errors_are_problems,
);

const JOBS: &str = "/api/v1/jobs";

async fn send(site: &Site, method: Method, path: &str, body: &Value) -> Reply {
    site.send(site.request(method, path).json(body)).await
}

async fn post(site: &Site, path: &str, body: &Value) -> Reply {
    send(site, Method::POST, path, body).await
}

async fn search(site: &Site, query: &str) -> Vec<String> {
    let page: Value = site.get(&format!("{JOBS}?{query}")).await.expect(200).json();
    page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| job["id"].as_str().unwrap().to_owned())
        .collect()
}

async fn jobs_are_created_from_json(backend: Backend) {
    let site = Site::start(backend).await;
    let day = days_ahead(100);
    let body = json!({
        "service": "echo",
        "parameters": {"a": ["1", 2, true], "B": "x"},
        "runId": "from json",
        "run": true,
        "executionDuration": 60,
        "destruction": day,
    });
    let reply = post(&site, JOBS, &body).await.expect(201);
    let job = reply.location().to_owned();
    let document: Value = reply.json();
    assert_eq!(document["service"], "echo");
    assert_eq!(document["href"], job.as_str());
    assert_eq!(document["jobId"], id(&job));
    assert_eq!(document["executionDuration"], 60);
    assert_eq!(document["destruction"], format!("{day}T00:00:00.000Z"));
    site.wait(&job, "COMPLETED").await;
    let result: Value = site
        .get(&format!("{job}/results/result"))
        .await
        .expect(200)
        .json();
    assert_eq!(result, json!({"A": ["1", "2", "true"], "B": ["x"]}));
    // The job is one of UWS.
    let found: Value = site.get(&format!("{JOBS}/{}", id(&job))).await.expect(200).json();
    let mut uws = uws::json(&site, &job).await;
    uws["service"] = "echo".into();
    uws["href"] = job.as_str().into();
    assert_eq!(found, uws);

    for (body, named) in [
        (
            json!({"service": "echo", "parameters": {"SLEEP": "long"}}),
            "SLEEP",
        ),
        (json!({"service": "echo", "parameters": {"a": {"b": 1}}}), "a"),
        (json!({"service": "echo", "parameters": {"a": null}}), "a"),
        (json!({"service": "echo", "runId": "x".repeat(65)}), "RUNID"),
        (json!({"service": "echo", "destruction": "2015"}), "DESTRUCTION"),
        (json!({"service": "echo", "destruction": "soon"}), "destruction"),
        (
            json!({"service": "echo", "executionDuration": -1}),
            "executionDuration",
        ),
        (json!({"service": "echo", "nonsense": 1}), "nonsense"),
        (json!({"parameters": {}}), "NewJob"),
        (json!([]), "body"),
    ] {
        let refused = post(&site, JOBS, &body).await.expect(400);
        assert!(refused.text().contains(named), "{body}: {}", refused.text());
    }
    post(&site, JOBS, &json!({"service": "none"})).await.expect(404);
    let request = site
        .request(Method::POST, JOBS)
        .header("Content-Type", "application/json")
        .body("{");
    site.send(request).await.expect(400);
    assert_eq!(search(&site, "").await.len(), 1);
}

async fn what_is_no_parameter_of_a_job_is_not_taken_as_one(backend: Backend) {
    let site = Site::start(backend).await;
    for (name, place) in [
        ("PHASE", "run"),
        ("runid", "runId"),
        ("executionDuration", "executionDuration"),
        ("DESTRUCTION", "destruction"),
        ("Upload", "/api/{service}/async"),
        ("ACTION", "no meaning"),
        ("wait", "no meaning"),
        ("AFTER", "no meaning"),
        ("LAST", "no meaning"),
    ] {
        let body = json!({"service": "echo", "parameters": {"A": "1", name: "1"}});
        let refused: Value = post(&site, JOBS, &body).await.expect(400).json();
        let fault = &refused["errors"][0];
        assert_eq!(fault["parameter"], name);
        assert!(fault["message"].as_str().unwrap().contains(place), "{refused}");
    }
    assert!(search(&site, "").await.is_empty());
}

async fn a_key_makes_repeating_harmless(backend: Backend) {
    let site = Site::start(backend).await;
    let keyed = |key: &'static str| {
        let request = site.request(Method::POST, JOBS).header("Idempotency-Key", key);
        site.send(request.json(&json!({"service": "echo", "run": true})))
    };
    let first = keyed("k1").await.expect(201).location().to_owned();
    assert_eq!(keyed("k1").await.expect(201).location(), first);
    site.wait(&first, "COMPLETED").await;
    assert_eq!(keyed("k1").await.expect(201).location(), first);
    assert_ne!(keyed("k2").await.expect(201).location(), first);
    // The same key by UWS, and at once.
    let uws = || {
        let request = site
            .request(Method::POST, uws::LIST)
            .header("Idempotency-Key", "k3");
        site.send(request.form(&[("X", "1")]))
    };
    let (one, two, three) = tokio::join!(uws(), uws(), uws());
    let urls = [one, two, three].map(|reply| reply.expect(303).location().to_owned());
    assert!(urls.iter().all(|url| *url == urls[0]), "{urls:?}");
    assert_eq!(search(&site, "").await.len(), 3);
    let request = site
        .request(Method::POST, "/api/cutout/async")
        .header("Idempotency-Key", "k3");
    let refused = site.send(request).await.expect(400);
    assert!(refused.text().contains("Idempotency-Key"), "{}", refused.text());
    for key in ["", &"k".repeat(256)] {
        let request = site
            .request(Method::POST, uws::LIST)
            .header("Idempotency-Key", key);
        site.send(request).await.expect(400);
    }
}

async fn a_key_is_of_one_request(backend: Backend) {
    let site = Site::start(backend).await;
    let keyed = |body: Value| {
        let request = site.request(Method::POST, JOBS).header("Idempotency-Key", "k1");
        site.send(request.json(&body))
    };
    let body = json!({"service": "echo", "parameters": {"A": "1", "B": ["2", "3"]}, "runId": "r"});
    let first = keyed(body.clone()).await.expect(201).location().to_owned();
    for body in [
        json!({"service": "echo", "parameters": {"A": "2", "B": ["2", "3"]}, "runId": "r"}),
        json!({"service": "echo", "parameters": {"A": "1", "B": ["3", "2"]}, "runId": "r"}),
        json!({"service": "echo", "parameters": {"A": "1"}, "runId": "r"}),
        json!({"service": "echo", "parameters": {"A": "1", "B": ["2", "3"]}, "runId": "s"}),
        json!({"service": "echo", "parameters": {"A": "1", "B": ["2", "3"]}}),
        json!({"service": "echo", "parameters": {"A": "1", "B": ["2", "3"]}, "runId": "r", "executionDuration": 5}),
        json!({"service": "cutout", "runId": "r"}),
    ] {
        let refused: Value = keyed(body).await.expect(400).json();
        assert_eq!(refused["errors"][0]["parameter"], "Idempotency-Key", "{refused}");
    }
    assert_eq!(keyed(body).await.expect(201).location(), first);
    // By UWS it is the same request, and a file is known by its bytes.
    let post = |key: &'static str, form: Form| {
        let request = site
            .request(Method::POST, uws::LIST)
            .header("Idempotency-Key", key);
        site.send(request.multipart(form))
    };
    let form = || Form::new().text("b", "2").text("B", "3").text("a", "1");
    let same = post("k1", form().text("RUNID", "r")).await;
    assert_eq!(same.expect(303).location(), first);
    let file = |text: &'static str| form().part("F", Part::text(text).file_name("f"));
    let second = post("k2", file("x")).await.expect(303).location().to_owned();
    assert_eq!(post("k2", file("x")).await.expect(303).location(), second);
    let refused = post("k2", file("y")).await.expect(400);
    assert!(
        refused.text().starts_with("UsageError: Idempotency-Key: "),
        "{}",
        refused.text()
    );
    assert_eq!(search(&site, "").await.len(), 2);
    assert_eq!(site.object_names().await.len(), 1);
}

async fn search_filters(backend: Backend) {
    let site = Site::start(backend).await;
    let pending = create(&site, &[("RUNID", "M13 r-band")]).await;
    let done = create(&site, &[("RUNID", "m31 100%_r"), RUN]).await;
    site.wait(&done, "COMPLETED").await;
    let cutout = site
        .post("/api/cutout/async", &[("RUNID", "M13")])
        .await
        .expect(303)
        .location()
        .to_owned();
    let aborted = create_in(&site, "ABORTED").await;
    let [pending, done, cutout, aborted] = [&pending, &done, &cutout, &aborted].map(|job| id(job).to_owned());
    let time_of = async |job: &str| -> String {
        let document: Value = site.get(&format!("{JOBS}/{job}")).await.expect(200).json();
        document["creationTime"].as_str().unwrap().to_owned()
    };
    let (first, last) = (time_of(&pending).await, time_of(&aborted).await);
    let prefix = &done[..done.len() - 1];
    for (query, expected) in [
        (String::new(), vec![&aborted, &cutout, &done, &pending]),
        ("service=cutout".into(), vec![&cutout]),
        (
            "service=cutout&service=echo".into(),
            vec![&aborted, &cutout, &done, &pending],
        ),
        ("service=none".into(), vec![]),
        ("phase=COMPLETED".into(), vec![&done]),
        ("phase=completed&phase=ABORTED".into(), vec![&aborted, &done]),
        ("label=M13".into(), vec![&cutout]),
        ("label=m13".into(), vec![]),
        ("q=M13".into(), vec![&cutout, &pending]),
        // A text, not a pattern.
        ("q=100%25_".into(), vec![&done]),
        ("q=%25".into(), vec![&done]),
        ("q=_r".into(), vec![&done]),
        (format!("q={prefix}"), vec![&done]),
        ("q=' OR 1=1 --".into(), vec![]),
        (format!("after={last}"), vec![]),
        (format!("before={first}"), vec![]),
        (
            "after=2015&before=2999".into(),
            vec![&aborted, &cutout, &done, &pending],
        ),
        ("q=M13&service=echo&phase=PENDING".into(), vec![&pending]),
    ] {
        let expected: Vec<_> = expected.into_iter().cloned().collect();
        assert_eq!(search(&site, &query).await, expected, "{query}");
    }
    let page: Value = site
        .get(&format!("{JOBS}?phase=COMPLETED"))
        .await
        .expect(200)
        .json();
    let item = &page["items"][0];
    assert_eq!(item["href"], format!("{}{}/{done}", site.address, uws::LIST));
    assert_eq!(
        (&item["service"], &item["phase"], &item["results"]),
        (&json!("echo"), &json!("COMPLETED"), &json!(1))
    );
    assert_eq!(
        (&item["runId"], &item["ownerId"]),
        (&json!("m31 100%_r"), &json!("local"))
    );
    for (query, named) in [
        ("phase=NONE", "phase"),
        ("after=soon", "after"),
        ("before=2015-26-10", "before"),
        ("limit=0", "limit"),
        ("limit=many", "limit"),
        ("limit=1&limit=2", "limit"),
        ("cursor=nonsense", "cursor"),
        ("label=a&label=b", "label"),
    ] {
        let refused = site.get(&format!("{JOBS}?{query}")).await.expect(400);
        let problem: Value = refused.json();
        assert_eq!(problem["errors"][0]["parameter"], named, "{query}: {problem}");
    }
}

async fn search_goes_in_pages(backend: Backend) {
    let site = Site::start(backend).await;
    let mut made = Vec::new();
    for _ in 0..7 {
        made.push(id(&create(&site, &[]).await).to_owned());
    }
    let whole = search(&site, "").await;
    let mut sorted = whole.clone();
    sorted.sort();
    made.sort();
    assert_eq!(sorted, made);

    let mut found = Vec::new();
    let mut cursor = String::new();
    let mut pages = 0;
    loop {
        let page: Value = site
            .get(&format!("{JOBS}?limit=3{cursor}"))
            .await
            .expect(200)
            .json();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 3);
        found.extend(items.iter().map(|job| job["id"].as_str().unwrap().to_owned()));
        pages += 1;
        // What comes meanwhile is newer than all pages.
        create(&site, &[]).await;
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!((found, pages), (whole, 3));
    // A full last page has no next one.
    let page: Value = site.get(&format!("{JOBS}?limit=10")).await.expect(200).json();
    assert_eq!(
        (page["items"].as_array().unwrap().len(), &page["next"]),
        (10, &Value::Null)
    );
}

async fn counts(backend: Backend) {
    let site = Site::start(backend).await;
    let empty: Value = site.get(&format!("{JOBS}/counts")).await.expect(200).json();
    assert_eq!(
        (&empty["total"], empty["phases"].as_object().unwrap().len()),
        (&json!(0), 10)
    );
    for phase in ["PENDING", "COMPLETED", "COMPLETED", "ABORTED"] {
        create_in(&site, phase).await;
    }
    site.post("/api/cutout/async", &[]).await.expect(303);
    let all: Value = site.get(&format!("{JOBS}/counts")).await.expect(200).json();
    assert_eq!(
        (
            &all["total"],
            &all["phases"]["COMPLETED"],
            &all["phases"]["PENDING"]
        ),
        (&json!(5), &json!(2), &json!(2))
    );
    let some: Value = site
        .get(&format!("{JOBS}/counts?service=echo&phase=PENDING"))
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&some["total"], &some["phases"]["PENDING"]),
        (&json!(1), &json!(1))
    );
}

async fn labels_are_changed(backend: Backend) {
    let site = Site::start(backend).await;
    let job = create_in(&site, "COMPLETED").await;
    let path = format!("{JOBS}/{}", id(&job));
    for (body, expected) in [
        (json!({"runId": "field 7"}), json!("field 7")),
        (json!({}), json!("field 7")),
        (json!({"runId": null}), Value::Null),
        (json!({"runId": "é".repeat(64)}), json!("é".repeat(64))),
        (json!({"runId": ""}), Value::Null),
    ] {
        let changed: Value = send(&site, Method::PATCH, &path, &body).await.expect(200).json();
        assert_eq!(changed["runId"], expected, "{body}");
        assert_eq!(uws::json(&site, &job).await["runId"], expected);
    }
    for body in [
        json!({"runId": "x".repeat(65)}),
        json!({"runId": "a\u{7}b"}),
        json!({"runId": ["a"]}),
        json!({"phase": "ABORTED"}),
        json!("runId"),
    ] {
        send(&site, Method::PATCH, &path, &body).await.expect(400);
    }
    send(&site, Method::PATCH, &format!("{JOBS}/nonsense"), &json!({}))
        .await
        .expect(404);
}

async fn many_are_aborted_or_deleted_by_their_ids(backend: Backend) {
    let site = Site::start(backend).await;
    let (pending, done) = (create(&site, &[]).await, create_in(&site, "COMPLETED").await);
    let unknown = "0197f3a0-0000-7000-8000-000000000001";
    let bulk = format!("{JOBS}/bulk");
    let ids = json!([id(&pending), id(&done), unknown]);
    let report: Value = post(&site, &bulk, &json!({"action": "abort", "ids": ids}))
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&report["done"], &report["failed"]),
        (&json!(1), &json!(2)),
        "{report}"
    );
    assert_eq!(report["items"][0], json!({"id": id(&pending), "error": null}));
    assert!(
        report["items"][1]["error"]
            .as_str()
            .unwrap()
            .contains("COMPLETED"),
        "{report}"
    );
    assert!(
        report["items"][2]["error"]
            .as_str()
            .unwrap()
            .contains("not found"),
        "{report}"
    );
    site.wait(&pending, "ABORTED").await;

    let report: Value = post(&site, &bulk, &json!({"action": "delete", "ids": ids}))
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&report["done"], &report["failed"]),
        (&json!(2), &json!(1)),
        "{report}"
    );
    assert!(search(&site, "").await.is_empty());
    assert!(site.object_names().await.is_empty());

    for body in [
        json!({"action": "delete"}),
        json!({"action": "delete", "ids": [], "filter": {}}),
        json!({"action": "destroy", "ids": []}),
        json!({"ids": []}),
        json!({"action": "delete", "ids": ["nonsense"]}),
        json!({"action": "delete", "filter": {"phase": ["NONE"]}}),
        json!({"action": "delete", "filter": {"phases": ["PENDING"]}}),
        json!({"action": "delete", "filter": {"after": "soon"}}),
        json!({"action": "delete", "ids": vec![unknown; 10_001]}),
    ] {
        post(&site, &bulk, &body).await.expect(400);
    }
}

async fn many_are_aborted_or_deleted_by_a_filter(backend: Backend) {
    let site = Site::start(backend).await;
    let bulk = format!("{JOBS}/bulk");
    let running = create_in(&site, "EXECUTING").await;
    let labelled = create(&site, &[("RUNID", "field 7"), LONG]).await;
    let done = create_in(&site, "COMPLETED").await;
    let filter = json!({"action": "delete", "filter": {"label": "field 7", "service": ["echo"]}});
    let report: Value = post(&site, &bulk, &filter).await.expect(200).json();
    assert_eq!(report["items"], json!([{"id": id(&labelled), "error": null}]));
    // Abort means only what has not ended.
    let report: Value = post(&site, &bulk, &json!({"action": "abort", "filter": {}}))
        .await
        .expect(200)
        .json();
    assert_eq!(report["items"], json!([{"id": id(&running), "error": null}]));
    site.wait(&running, "ABORTED").await;
    let filter = json!({"action": "delete", "filter": {"phase": ["COMPLETED"], "before": "2999"}});
    let report: Value = post(&site, &bulk, &filter).await.expect(200).json();
    assert_eq!(report["items"], json!([{"id": id(&done), "error": null}]));
    assert_eq!(search(&site, "").await, [id(&running)]);
}

/// 404 under UWS, where the standard says so; 410 with the time here.
async fn a_destroyed_job_is_gone_with_its_time(backend: Backend) {
    let site = Site::start(backend).await;
    for by_uws in [true, false] {
        let job = create_in(&site, "COMPLETED").await;
        let path = format!("{JOBS}/{}", id(&job));
        if by_uws {
            site.delete(&job).await.expect(303);
        } else {
            site.delete(&path).await.expect(204);
        }
        site.get(&job).await.expect(404);
        let gone: Value = site.get(&path).await.expect(410).json();
        assert!(
            gone["destroyed"].as_str().is_some_and(uws::xml::is_time),
            "{gone}"
        );
        for reply in [
            site.delete(&path).await,
            send(&site, Method::PATCH, &path, &json!({"runId": "x"})).await,
            site.get(&format!("{path}/log")).await,
        ] {
            let problem: Value = reply.expect(410).json();
            assert_eq!(problem["destroyed"], gone["destroyed"]);
        }
    }
    for unknown in ["0197f3a0-0000-7000-8000-000000000001", "nonsense"] {
        site.get(&format!("{JOBS}/{unknown}")).await.expect(404);
        site.delete(&format!("{JOBS}/{unknown}")).await.expect(404);
    }
}

async fn services_and_the_caller(backend: Backend) {
    let site = Site::start_with(
        backend,
        &[
            ("SIDEREAL_SERVICES", "echo,cutout"),
            ("SIDEREAL_MAX_BODY", "1 MiB"),
        ],
    )
    .await;
    let described: Value = site.get("/api/v1/services").await.expect(200).json();
    let services = described["services"].as_array().unwrap();
    let names: Vec<_> = services
        .iter()
        .map(|service| service["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["echo", "cutout"]);
    assert_eq!(
        (&services[0]["anyParameter"], &services[1]["anyParameter"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(
        (
            &services[0]["executionDuration"],
            &services[0]["maxExecutionDuration"]
        ),
        (&json!(3_600), &json!(86_400))
    );
    for service in services {
        assert_eq!(
            (&service["retention"], &service["maxRetention"]),
            (&json!(30 * 86_400), &json!(3_650 * 86_400))
        );
    }
    let of_cutout = services[1]["parameters"].as_array().unwrap();
    for name in [
        "COLLECTION",
        "ID",
        "POSITIONS",
        "SIZE",
        "HDUS",
        "BANDS",
        "TYPES",
        "DATES",
        "EDGE",
        "FORMAT",
    ] {
        let parameter = of_cutout.iter().find(|parameter| parameter["name"] == name);
        let parameter = parameter.unwrap_or_else(|| panic!("no {name} in {described}"));
        assert!(
            parameter["meaning"]
                .as_str()
                .is_some_and(|meaning| !meaning.is_empty())
        );
        assert!(parameter["kind"]["type"].is_string(), "{parameter}");
    }
    let me: Value = site.get("/api/v1/me").await.expect(200).json();
    assert_eq!(
        me,
        json!({
            "name": "local", "roles": ["user", "operator", "admin"], "by": "local", "until": null, "maxBody": 1 << 20,
            "limits": {"running": null, "queued": null, "pending": null, "positions": null, "storedBytes": null, "requestsPerSecond": null},
            "usage": {"running": 0, "queued": 0, "pending": 0, "storedBytes": 0},
        })
    );

    let fewer = Site::start_with(backend, &[("SIDEREAL_SERVICES", "cutout")]).await;
    fewer.get(uws::LIST).await.expect(404);
    fewer.get("/api/cutout/async").await.expect(200);
}

/// Whatever is asked for.
async fn errors_are_problems(backend: Backend) {
    let site = Site::start(backend).await;
    for accept in ["*/*", "text/plain", "application/x-votable+xml", "text/html"] {
        for (method, path, status) in [
            (Method::GET, "/api/v1/jobs?limit=0", 400),
            (Method::GET, "/api/v1/jobs/nonsense", 404),
            (Method::GET, "/api/v1/nonsense", 404),
            (Method::PUT, "/api/v1/jobs", 405),
            (Method::DELETE, "/api/v1/me", 405),
        ] {
            let reply = site
                .send(site.request(method, path).header("Accept", accept))
                .await
                .expect(status);
            assert!(
                reply
                    .header("content-type")
                    .unwrap()
                    .starts_with("application/problem+json"),
                "{reply:?}"
            );
            assert_eq!(reply.json::<Value>()["status"], status);
            assert_eq!(reply.header("allow").is_some(), status == 405);
        }
    }
}
