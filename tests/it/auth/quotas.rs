//! What one person may have at once, and how many requests a second, in mode `oidc`.

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::attacks::{Scene, days_ahead, with_role};
use crate::harness::{Backend, Reply, on_both_back_ends};
use crate::uws::LIST;

on_both_back_ends!(
    runs_at_once_queue_no_more_than_there_may_be,
    jobs_that_are_not_run_are_bounded,
    files_count_as_stored,
    jobs_end_where_their_owner_s_room_does,
);

/// More requests than any of the rates lets through while they are answered.
const MANY: usize = 60;

/// Fails unless the answer is 429 that says when to come back.
#[track_caller]
fn refused(reply: Reply) -> Reply {
    let reply = reply.expect(429);
    let pause = reply.header("retry-after").and_then(|pause| pause.parse().ok());
    assert!(pause.is_some_and(|pause: u64| pause >= 1), "{reply:?}");
    reply
}

async fn json_of(scene: &Scene, path: &str, token: &str) -> Value {
    scene.get(path, token).await.expect(200).json()
}

/// Sets what a person may have.
async fn set(scene: &Scene, name: &str, limits: &Value) -> Reply {
    let ada = scene.issuer.token(&with_role("ada", "admin"));
    let path = format!("/api/v1/admin/users/{name}");
    let request = scene.by_token(Method::PATCH, &path, &ada);
    scene.site.send(request.json(limits)).await
}

#[tokio::test]
async fn a_run_over_the_limit_of_queued_jobs_changes_nothing() {
    // Nothing runs, so that the queue stays full.
    let settings = [("SIDEREAL_QUOTA__QUEUED", "1"), ("SIDEREAL_ROLE", "api")];
    let scene = Scene::start_on(Backend::Embedded, &settings).await;
    let (alice, bob) = (scene.token("alice"), scene.token("bob"));
    let first = scene.job(&alice, &[("PHASE", "RUN")]).await;
    let second = scene.job(&alice, &[]).await;
    let phase = async |job: &str| scene.get(&format!("{job}/phase"), &alice).await.text();
    let run = async |job: &str| {
        let path = format!("{job}/phase");
        scene.post(&path, &alice, &[("PHASE", "RUN")]).await
    };

    let answer = refused(run(&second).await).text();
    assert!(answer.contains("1 of your jobs"), "{answer}");
    assert_eq!(phase(&second).await, "PENDING");
    refused(scene.post(LIST, &alice, &[("PHASE", "RUN")]).await);
    let new = json!({ "service": "echo", "run": true });
    let answer: Value = refused(scene.post_json("/api/v1/jobs", &alice, &new).await).json();
    assert_eq!(answer["status"], 429);
    let counts = json_of(&scene, "/api/v1/jobs/counts", &alice).await;
    assert_eq!(counts["total"], 2);
    let me = json_of(&scene, "/api/v1/me", &alice).await;
    assert_eq!(
        (&me["usage"]["queued"], &me["limits"]["queued"]),
        (&json!(1), &json!(1))
    );

    // Another's queue is another's; and there is room once the first has left it.
    scene.job(&bob, &[("PHASE", "RUN")]).await;
    let abort = format!("{first}/phase");
    scene
        .post(&abort, &alice, &[("PHASE", "ABORT")])
        .await
        .expect(303);
    run(&second).await.expect(303);
    assert_eq!(phase(&second).await, "QUEUED");
}

#[tokio::test]
async fn a_request_that_is_repeated_is_not_over_the_limit_by_its_own_job() {
    let settings = [("SIDEREAL_QUOTA__QUEUED", "1"), ("SIDEREAL_ROLE", "api")];
    let scene = Scene::start_on(Backend::Embedded, &settings).await;
    let alice = scene.token("alice");
    let send = async |key: &str, word: &str| {
        let request = scene
            .by_token(Method::POST, LIST, &alice)
            .header("Idempotency-Key", key);
        let form = [("PHASE", "RUN"), ("WORD", word)];
        scene.site.send(request.form(&form)).await
    };
    let first = send("k", "x").await.expect(303);
    let again = send("k", "x").await.expect(303);
    assert_eq!(first.location(), again.location());
    send("k", "y").await.expect(400);
    refused(send("l", "x").await);
}

/// Waits until all of the answers are there; how many have this status, while all others are refusals.
async fn how_many(answers: impl IntoIterator<Item = impl Future<Output = Reply>>, status: u16) -> usize {
    let (taken, others): (Vec<_>, Vec<_>) = join_all(answers)
        .await
        .into_iter()
        .partition(|answer| answer.status == status);
    for other in others {
        refused(other);
    }
    taken.len()
}

async fn runs_at_once_queue_no_more_than_there_may_be(backend: Backend) {
    let settings = [("SIDEREAL_QUOTA__QUEUED", "3"), ("SIDEREAL_ROLE", "api")];
    let scene = Scene::start_on(backend, &settings).await;
    let alice = scene.token("alice");
    let mut jobs = Vec::new();
    for _ in 0..12 {
        jobs.push(format!("{}/phase", scene.job(&alice, &[]).await));
    }
    let runs = jobs
        .iter()
        .map(|job| scene.post(job, &alice, &[("PHASE", "RUN")]));
    assert_eq!(how_many(runs, 303).await, 3);
    let usage = async || json_of(&scene, "/api/v1/me", &alice).await["usage"].clone();
    assert_eq!(usage().await["queued"], 3);

    // Nor by making them so; what is refused leaves nothing behind.
    set(&scene, "alice", &json!({ "queued": 5 })).await.expect(200);
    let long = "x".repeat(5_000);
    let form = [("PHASE", "RUN"), ("WORD", &long)];
    let runs = (0..12).map(|_| scene.post(LIST, &alice, &form));
    assert_eq!(how_many(runs, 303).await, 2);
    let now = usage().await;
    assert_eq!((&now["queued"], &now["pending"]), (&json!(5), &json!(9)));
    assert_eq!(now["storedBytes"], 10_000);
    assert_eq!(scene.site.object_names().await.len(), 2);
}

async fn jobs_that_are_not_run_are_bounded(backend: Backend) {
    let settings = [("SIDEREAL_QUOTA__PENDING", "4"), ("SIDEREAL_ROLE", "api")];
    let scene = Scene::start_on(backend, &settings).await;
    let (alice, bob) = (scene.token("alice"), scene.token("bob"));
    scene.job(&bob, &[]).await;
    let made = (0..12).map(|_| scene.post(LIST, &alice, &[("WORD", "x")]));
    assert_eq!(how_many(made, 303).await, 4);
    let new = json!({ "service": "echo" });
    let answer = refused(scene.post_json("/api/v1/jobs", &alice, &new).await).text();
    assert!(
        answer.contains("4 of your jobs") && answer.contains("pending"),
        "{answer}"
    );
    let me = json_of(&scene, "/api/v1/me", &alice).await;
    assert_eq!(
        (&me["usage"]["pending"], &me["limits"]["pending"]),
        (&json!(4), &json!(4))
    );

    // One that is run at once is not one of them, and one that leaves makes room.
    let run = scene.job(&alice, &[("PHASE", "RUN")]).await;
    let jobs = json_of(&scene, "/api/v1/jobs?phase=PENDING", &alice).await;
    let job = jobs["items"][0]["href"].as_str().expect("a job").to_owned();
    let phase = format!("{job}/phase");
    scene.post(&phase, &alice, &[("PHASE", "RUN")]).await.expect(303);
    scene.job(&alice, &[]).await;
    refused(scene.post(LIST, &alice, &[]).await);
    set(&scene, "alice", &json!({ "pending": 5 })).await.expect(200);
    scene.job(&alice, &[]).await;
    // An operator may hold what waits: it still does.
    let ada = scene.issuer.token(&with_role("ada", "admin"));
    let id = run.rsplit('/').next().expect("an id");
    let hold = format!("/api/v1/jobs/{id}/hold");
    let request = scene.by_token(Method::POST, &hold, &ada);
    scene.site.send(request).await.expect(200);
    let me = json_of(&scene, "/api/v1/me", &alice).await;
    assert_eq!(
        (&me["usage"]["queued"], &me["usage"]["pending"]),
        (&json!(2), &json!(5))
    );
}

async fn files_count_as_stored(backend: Backend) {
    let settings = [
        ("SIDEREAL_QUOTA__STORED_BYTES", "10000"),
        ("SIDEREAL_ROLE", "api"),
    ];
    let scene = Scene::start_on(backend, &settings).await;
    let alice = scene.token("alice");
    // What is too long for the job's document is a file.
    let (long, longer) = ("x".repeat(5_000), "x".repeat(5_001));
    let first = scene.job(&alice, &[("WORD", &long)]).await;
    let answer = refused(scene.post(LIST, &alice, &[("WORD", &longer)]).await).text();
    assert!(
        answer.contains("10000 bytes") && answer.contains("storedBytes"),
        "{answer}"
    );
    let second = scene.job(&alice, &[]).await;
    let describe = async |job: &str, word: &str| {
        let path = format!("{job}/parameters");
        scene.post(&path, &alice, &[("WORD", word)]).await
    };
    refused(describe(&second, &longer).await);
    assert_eq!(scene.site.object_names().await.len(), 1);
    describe(&second, &long).await.expect(303);
    let usage = async || json_of(&scene, "/api/v1/me", &alice).await["usage"]["storedBytes"].clone();
    assert_eq!(usage().await, 10_000);

    // What a file replaces is no longer there, and so is what goes with its job.
    describe(&first, &long).await.expect(303);
    refused(describe(&first, &longer).await);
    describe(&first, "x").await.expect(303);
    assert_eq!(usage().await, 5_000);
    let request = scene.by_token(Method::DELETE, &second, &alice);
    scene.site.send(request).await.expect(303);
    assert_eq!(usage().await, 0);
    let form = [("WORD", &long[..])];
    let made = (0..8).map(|_| scene.post(LIST, &alice, &form));
    assert_eq!(how_many(made, 303).await, 2);
    scene.site.until_objects(|names| names.len() == 2).await;
}

#[tokio::test]
async fn a_list_is_no_longer_than_its_owner_may_have() {
    let settings = [("SIDEREAL_QUOTA__POSITIONS", "2")];
    let scene = Scene::start_on(Backend::Embedded, &settings).await;
    let alice = scene.token("alice");
    let list = |rows: usize| format!("RA,DEC\n{}", "10,20\n".repeat(rows));
    let send = async |rows| {
        let form = [("POSITIONS", &list(rows)[..])];
        scene.post("/api/cutout/async", &alice, &form).await
    };
    send(2).await.expect(303);
    let answer = send(3).await.expect(400).text();
    assert!(
        answer.contains("POSITIONS") && answer.contains("2 rows"),
        "{answer}"
    );
    set(&scene, "alice", &json!({ "positions": 3 })).await.expect(200);
    send(3).await.expect(303);
}

#[tokio::test]
async fn a_check_tells_what_is_left_and_what_a_job_would_be_refused_for() {
    // Nothing runs, so that the queue stays full.
    let settings = [("SIDEREAL_QUOTA__QUEUED", "1"), ("SIDEREAL_ROLE", "api")];
    let scene = Scene::start_on(Backend::Embedded, &settings).await;
    let alice = scene.token("alice");
    let limits = json!({ "storedBytes": 5_000, "positions": 2 });
    json_of(&scene, "/api/v1/me", &alice).await;
    set(&scene, "alice", &limits).await.expect(200);
    let check = async |list: &str| -> Value {
        let form = [("POSITIONS", list)];
        let reply = scene.post("/api/v1/cutout/check", &alice, &form).await;
        reply.expect(200).json()
    };
    let told = check("RA,DEC\n1,2\n").await;
    assert_eq!(told["accepted"], true, "{told}");
    assert_eq!(
        told["quota"],
        json!({ "positions": 2, "queued": 1, "storedBytes": 5_000 })
    );
    let fault = |told: &Value| {
        let fault = &told["faults"][0];
        let text = |name: &str| fault[name].as_str().unwrap_or_default().to_owned();
        assert_eq!(told["accepted"], false, "{told}");
        (text("parameter"), text("message"))
    };
    let (parameter, message) = fault(&check("RA,DEC\n1,2\n1,2\n1,2\n").await);
    assert!(
        parameter == "POSITIONS" && message.contains("more than 2 rows"),
        "{message}"
    );
    // Long lists are files, and count as stored.
    let long = format!("RA,DEC,OBJID\n1,2,{}\n", " ".repeat(5_000));
    let (parameter, message) = fault(&check(&long).await);
    assert!(
        parameter == "PHASE" && message.contains("storedBytes"),
        "{message}"
    );
    let refusal = scene
        .post(LIST, &alice, &[("PHASE", "RUN"), ("WORD", &long)])
        .await;
    assert!(refused(refusal).text().contains(&message));
    scene.job(&alice, &[("PHASE", "RUN")]).await;
    let full = check("RA,DEC\n1,2\n").await;
    assert_eq!(full["quota"]["queued"], 0);
    let (parameter, message) = fault(&full);
    assert!(
        parameter == "PHASE" && message.contains("quota queued"),
        "{message}"
    );

    // Whoever may make no job may not ask what one would find.
    let token = json!({ "name": "reader", "scopes": ["read"], "expires": days_ahead(1) });
    let made = scene.post_json("/account/token/create", &alice, &token).await;
    let made: Value = made.expect(201).json();
    let reader = made["token"].as_str().unwrap();
    let form = [("POSITIONS", "RA,DEC\n1,2\n")];
    scene
        .post("/api/v1/cutout/check", reader, &form)
        .await
        .expect(403);
    scene.site.post("/api/v1/cutout/check", &form).await.expect(401);
}

async fn jobs_end_where_their_owner_s_room_does(backend: Backend) {
    let settings = [("SIDEREAL_QUOTA__STORED_BYTES", "1500"), ("SIDEREAL_ROLE", "api")];
    let scene = Scene::start_on(backend, &settings).await;
    let (alice, bob) = (scene.token("alice"), scene.token("bob"));
    // Nothing is stored yet, so that all of them may be queued.
    let long = "x".repeat(1_000);
    let mut jobs = Vec::new();
    for _ in 0..4 {
        jobs.push(scene.job(&alice, &[("PHASE", "RUN"), ("WORD", &long)]).await);
    }
    let other = scene.job(&bob, &[("PHASE", "RUN"), ("WORD", &long)]).await;
    let _worker = scene.site.replica_with(&[("SIDEREAL_ROLE", "worker")]).await;
    let ended = join_all(jobs.iter().map(|job| scene.until_ended(&alice, job))).await;
    let completed = ended.iter().filter(|phase| *phase == "COMPLETED").count();
    assert_eq!(completed, 1, "{ended:?}");
    for (job, phase) in jobs.iter().zip(&ended) {
        if phase != "COMPLETED" {
            let error = scene
                .get(&format!("{job}/error"), &alice)
                .await
                .expect(200)
                .text();
            assert!(
                error.contains("1500 bytes (quota storedBytes)"),
                "{phase}: {error}"
            );
        }
    }
    scene.until_completed(&bob, &other).await;
}

#[tokio::test]
async fn what_is_stored_counts_until_it_is_deleted() {
    let scene = Scene::start_on(Backend::Embedded, &[]).await;
    let alice = scene.token("alice");
    let done = scene.job(&alice, &[("PHASE", "RUN"), ("WORD", "x")]).await;
    scene.until_completed(&alice, &done).await;
    let changed: Value = set(&scene, "alice", &json!({ "storedBytes": 1 }))
        .await
        .expect(200)
        .json();
    assert_eq!(changed["limits"]["storedBytes"], 1);
    let me = json_of(&scene, "/api/v1/me", &alice).await;
    assert_eq!(me["limits"]["storedBytes"], 1);
    assert!(me["usage"]["storedBytes"].as_u64() > Some(1), "{me}");

    let answer = refused(scene.post(LIST, &alice, &[("PHASE", "RUN")]).await).text();
    assert!(answer.contains("bytes"), "{answer}");
    let request = scene.by_token(Method::DELETE, &done, &alice);
    scene.site.send(request).await.expect(303);
    let next = scene.job(&alice, &[("PHASE", "RUN")]).await;
    scene.until_completed(&alice, &next).await;
}

#[tokio::test]
async fn an_admin_changes_what_a_person_may_have() {
    let settings = [("SIDEREAL_QUOTA__QUEUED", "7")];
    let scene = Scene::start_on(Backend::Embedded, &settings).await;
    let alice = scene.token("alice");
    let limits = async || json_of(&scene, "/api/v1/me", &alice).await["limits"].clone();
    let before = limits().await;
    assert_eq!(
        (&before["queued"], &before["requestsPerSecond"]),
        (&json!(7), &Value::Null)
    );

    let new = json!({ "queued": 3, "running": 2, "positions": 5, "requestsPerSecond": 1_000 });
    set(&scene, "alice", &new).await.expect(200);
    let after = limits().await;
    for (name, value) in new.as_object().unwrap() {
        assert_eq!(&after[name], value, "{name}");
    }
    assert_eq!(after["storedBytes"], before["storedBytes"]);
    // 0 is any number, null what the settings say; what is left out stays.
    set(&scene, "alice", &json!({ "queued": 0, "running": null }))
        .await
        .expect(200);
    let after = limits().await;
    assert_eq!(
        (&after["queued"], &after["running"], &after["positions"]),
        (&Value::Null, &before["running"], &json!(5))
    );

    set(&scene, "nobody", &json!({ "queued": 3 })).await.expect(404);
    for wrong in [json!({ "queued": -1 }), json!({ "queue": 1 })] {
        set(&scene, "alice", &wrong).await.expect(400);
    }
    let request = scene.by_token(Method::PATCH, "/api/v1/admin/users/alice", &alice);
    scene.site.send(request.json(&new)).await.expect(403);
}

#[tokio::test]
async fn requests_come_no_faster_than_allowed() {
    let settings = [("SIDEREAL_QUOTA__REQUESTS_PER_SECOND", "1")];
    let scene = Scene::start_on(Backend::Embedded, &settings).await;
    let (alice, bob) = (scene.token("alice"), scene.token("bob"));
    // Whatever address they claim to come from.
    let answers = (0..MANY).map(|n| {
        let request = scene.by_token(Method::GET, "/api/v1/me", &alice);
        let request = request.header("X-Forwarded-For", format!("203.0.113.{n}"));
        scene.site.send(request)
    });
    let answers = join_all(answers).await;
    assert!(answers.iter().any(|answer| answer.status == 200));
    let slow = answers.into_iter().find(|answer| answer.status != 200);
    refused(slow.expect("one that came too fast"));
    scene.get("/api/v1/me", &bob).await.expect(200);
}

/// How many of many logins that are begun at once, each with its own `X-Forwarded-For`, are refused.
async fn logins_refused(scene: &Scene, forwarded: impl Fn(usize) -> String) -> usize {
    let answers = (0..MANY).map(|n| {
        let request = scene.site.request(Method::GET, "/account/login");
        scene.site.send(request.header("X-Forwarded-For", forwarded(n)))
    });
    let answers = join_all(answers).await;
    let slow = answers.into_iter().filter(|answer| answer.status != 303);
    slow.map(refused).count()
}

#[tokio::test]
async fn an_address_is_believed_only_behind_a_trusted_proxy() {
    let scene = Scene::start_on(Backend::Embedded, &[]).await;
    let as_if = |n: usize| format!("203.0.113.{n}");
    assert!(logins_refused(&scene, as_if).await > 0);

    let behind = Scene::start_on(Backend::Embedded, &[("SIDEREAL_TRUSTED_PROXIES", "1")]).await;
    assert_eq!(logins_refused(&behind, as_if).await, 0);
    // What the client itself has written stands before what the proxy has seen.
    let forged = |n: usize| format!("203.0.113.{n}, 198.51.100.7");
    assert!(logins_refused(&behind, forged).await > 0);

    for (scene, address) in [(&scene, "127.0.0.1"), (&behind, "198.51.100.7")] {
        let request = scene.by_token(Method::GET, "/api/v1/admin/users", &scene.token("alice"));
        let request = request.header("X-Forwarded-For", forged(1));
        scene.site.send(request).await.expect(403);
        let ada = scene.issuer.token(&with_role("ada", "admin"));
        let record = json_of(scene, "/api/v1/admin/audit", &ada).await;
        let entry = &record["items"][0];
        assert_eq!(
            (&entry["action"], &entry["actor"], &entry["address"]),
            (&json!("refused"), &json!("alice"), &json!(address))
        );
    }
}

#[tokio::test]
async fn a_person_has_so_many_api_tokens() {
    let scene = Scene::start().await;
    let alice = scene.token("alice");
    let make = async || {
        let new = json!({ "name": "script", "scopes": ["read"], "expires": days_ahead(1) });
        scene.post_json("/account/token/create", &alice, &new).await
    };
    let made = join_all((0..50).map(|_| make())).await;
    let made: Vec<Value> = made.into_iter().map(|made| made.expect(201).json()).collect();
    let problem: Value = make().await.expect(409).json();
    assert!(
        problem["detail"]
            .as_str()
            .is_some_and(|text| text.contains("50 API tokens")),
        "{problem}"
    );
    let path = format!("/account/token/{}", made[0]["id"].as_str().expect("an id"));
    let revoke = scene.by_token(Method::DELETE, &path, &alice);
    scene.site.send(revoke).await.expect(204);
    make().await.expect(201);
}

/// More requests than an address may send at once when nobody knows who they are from.
const FLOOD: usize = 700;

#[tokio::test]
async fn a_flood_of_bad_tokens_holds_back_its_address_but_not_who_is_known() {
    let scene = Scene::start().await;
    let alice = scene.token("alice");
    scene.get("/api/v1/me", &alice).await.expect(200);
    let answers =
        join_all((0..FLOOD).map(|n| scene.get("/api/v1/me", if n % 70 == 69 { &alice } else { "sdr_x" })));
    let (mut good, mut held) = (0, 0);
    for answer in answers.await {
        match answer.status {
            200 => good += 1,
            429 => {
                refused(answer);
                held += 1;
            }
            _ => drop(answer.expect(401)),
        }
    }
    assert_eq!(good, FLOOD / 70);
    assert!(held > 0);
}

#[tokio::test]
async fn a_share_link_is_not_for_everyone_at_once() {
    let scene = Scene::start().await;
    let alice = scene.token("alice");
    let job = scene.job(&alice, &[]).await;
    let id = job.rsplit('/').next().expect("an id");
    let new = json!({ "expires": days_ahead(1) });
    let path = format!("/api/v1/jobs/{id}/shares");
    let made: Value = scene.post_json(&path, &alice, &new).await.expect(201).json();
    let url = made["url"].as_str().expect("a link");
    let answers = (0..FLOOD).map(|_| scene.site.get(url));
    let taken = how_many(answers, 200).await;
    assert!(taken > 0 && taken < FLOOD, "{taken}");
}

#[tokio::test]
async fn a_caller_listens_to_so_many_streams_at_once() {
    let scene = Scene::start().await;
    let (alice, bob) = (scene.token("alice"), scene.token("bob"));
    let job = scene.job(&alice, &[]).await;
    let id = job.rsplit('/').next().expect("an id");
    let log = format!("/api/v1/jobs/{id}/log?follow=true");
    let open = async |path: &str, token: &str| {
        let answer = scene.by_token(Method::GET, path, token).send().await;
        answer.expect("an answer")
    };
    // They are held, and each begins when it is one of them.
    let mut held = Vec::new();
    for _ in 0..200 {
        let stream = open("/api/v1/events", &alice).await;
        assert_eq!(stream.status(), 200);
        held.push(stream);
    }
    for path in ["/api/v1/events", &log] {
        refused(scene.get(path, &alice).await);
    }
    assert_eq!(open("/api/v1/events", &bob).await.status(), 200);
}

#[tokio::test]
async fn an_address_has_so_many_connections_but_behind_a_proxy() {
    let bound = ("SIDEREAL_CONNECTIONS_PER_ADDRESS", "3");
    for (proxies, bounded) in [("0", true), ("1", false)] {
        let settings = [bound, ("SIDEREAL_TRUSTED_PROXIES", proxies)];
        let scene = Scene::start_on(Backend::Embedded, &settings).await;
        let address = scene.site.address.strip_prefix("http://").expect("an address");
        let mut held = Vec::new();
        let mut closed = 0;
        for _ in 0..5 {
            let mut stream = TcpStream::connect(address).await.expect("a connection");
            let request = format!("GET /livez HTTP/1.1\r\nHost: {address}\r\n\r\n");
            // A connection that is turned away may be closed before it is written to.
            let answered = stream.write_all(request.as_bytes()).await.is_ok()
                && stream.read_u8().await.is_ok_and(|byte| byte == b'H');
            closed += usize::from(!answered);
            held.push(stream);
        }
        assert_eq!(closed, if bounded { 2 } else { 0 }, "{proxies} proxies");
    }
}
