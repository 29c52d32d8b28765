//! What operators and administrators do: drain and resume a worker, hold jobs, see everyone's, end sessions; and the
//! record of it.

use reqwest::Method;
use serde_json::{Value, json};

use super::attacks::{Scene, days_ahead, with_role};
use crate::harness::{Backend, Browser, Site, on_both_back_ends};
use crate::uws::LIST;

on_both_back_ends!(a_drained_worker_lets_jobs_wait_until_it_is_resumed);

const QUEUE: &str = "/api/v1/admin/queue";

/// Asks as this person with a good status.
async fn ask(site: &Site, method: Method, path: &str, token: &str) -> Value {
    let request = site.request(method, path).bearer_auth(token);
    site.send(request).await.expect(200).json()
}

/// The last segment of a job's URL.
fn id(job: &str) -> &str {
    job.rsplit('/').next().unwrap()
}

async fn a_drained_worker_lets_jobs_wait_until_it_is_resumed(backend: Backend) {
    let scene = Scene::start_on(backend, &[]).await;
    // Asked there, the worker learns of it from another replica.
    let other = match backend {
        Backend::Embedded => None,
        Backend::Cluster => Some(scene.site.replica_with(&[("SIDEREAL_ROLE", "api")]).await),
    };
    let site = other.as_ref().unwrap_or(&scene.site);
    let alice = scene.token("alice");
    let olga = scene.issuer.token(&with_role("olga", "operator"));
    // The worker is on the books once it has run something.
    let job = scene.job(&alice, &[("PHASE", "RUN")]).await;
    scene.until_completed(&alice, &job).await;
    let queue = ask(site, Method::GET, QUEUE, &olga).await;
    let workers = queue["workers"].as_array().unwrap();
    assert_eq!((workers.len(), &workers[0]["draining"]), (1, &json!(false)));
    let worker = format!("/api/v1/admin/workers/{}", workers[0]["id"].as_str().unwrap());
    let services: Vec<_> = queue["services"].as_array().unwrap().iter().collect();
    assert!(
        services.iter().any(|service| service["service"] == "cutout"),
        "{queue}"
    );

    let drained = ask(site, Method::POST, &format!("{worker}/drain"), &olga).await;
    assert_eq!(drained["draining"], true);
    let waits = scene.job(&alice, &[("PHASE", "RUN")]).await;
    let held = scene.job(&alice, &[("PHASE", "RUN")]).await;
    let hold = format!("/api/v1/jobs/{}/hold", id(&held));
    assert_eq!(ask(site, Method::POST, &hold, &olga).await["phase"], "HELD");
    // What is not queued cannot be held.
    let request = site.request(Method::POST, &hold).bearer_auth(&olga);
    site.send(request).await.expect(403);
    let queue = ask(site, Method::GET, QUEUE, &olga).await;
    let services = queue["services"].as_array().unwrap();
    let echo = services
        .iter()
        .find(|service| service["service"] == "echo")
        .unwrap();
    let document: Value = ask(site, Method::GET, &format!("/api/v1/jobs/{}", id(&waits)), &alice).await;
    assert_eq!(
        echo,
        &json!({
            "service": "echo", "queued": 1, "held": 1, "running": 0, "oldest": document["creationTime"],
        })
    );

    let resumed = ask(site, Method::POST, &format!("{worker}/resume"), &olga).await;
    assert_eq!(resumed["draining"], false);
    scene.until_completed(&alice, &waits).await;
    let phase = scene.get(&format!("{held}/phase"), &alice).await.expect(200);
    assert_eq!(phase.text(), "HELD");
    let run = format!("{held}/phase");
    scene.post(&run, &alice, &[("PHASE", "RUN")]).await.expect(303);
    scene.until_completed(&alice, &held).await;

    for nobody in ["no-worker", "00000000-0000-7000-8000-000000000000"] {
        let path = format!("/api/v1/admin/workers/{nobody}/drain");
        let request = site.request(Method::POST, &path).bearer_auth(&olga);
        site.send(request).await.expect(404);
    }
}

#[tokio::test]
async fn operators_see_the_jobs_of_everyone() {
    let scene = Scene::start_on(Backend::Embedded, &[]).await;
    let olga = scene.issuer.token(&with_role("olga", "operator"));
    let (alice, bob) = (scene.token("alice"), scene.token("bob"));
    for token in [&alice, &bob, &bob, &olga] {
        scene.job(token, &[]).await;
    }
    for (query, count) in [("", 1), ("?owner=alice", 1), ("?owner=bob", 2), ("?owner=*", 4)] {
        let list = ask(&scene.site, Method::GET, &format!("/api/v1/jobs{query}"), &olga).await;
        assert_eq!(list["items"].as_array().unwrap().len(), count, "{query}: {list}");
        let counts = ask(
            &scene.site,
            Method::GET,
            &format!("/api/v1/jobs/counts{query}"),
            &olga,
        )
        .await;
        assert_eq!(counts["total"], count, "{query}");
    }
    let page = ask(&scene.site, Method::GET, "/api/v1/jobs?owner=*&limit=3", &olga).await;
    let next = page["next"].as_str().unwrap();
    let path = format!("/api/v1/jobs?owner=*&limit=3&cursor={next}");
    let rest = ask(&scene.site, Method::GET, &path, &olga).await;
    assert_eq!(
        (rest["items"].as_array().unwrap().len(), &rest["next"]),
        (1, &Value::Null)
    );

    for path in ["/api/v1/jobs", "/api/v1/jobs/counts"] {
        for owner in ["bob", "*", "", "%00", "nobody"] {
            let asked = format!("{path}?owner={owner}");
            scene.get(&asked, &alice).await.expect(403);
        }
        scene
            .get(&format!("{path}?owner=alice"), &alice)
            .await
            .expect(200);
        scene.get(&format!("{path}?owner=%00"), &olga).await.expect(200);
    }
    // UWS's list is one's own, and a bulk act never meant others' jobs.
    let list = scene.get(LIST, &olga).await.expect(200).text();
    assert_eq!(list.matches("<uws:jobref ").count(), 1, "{list}");
    let bulk = json!({ "action": "abort", "filter": {} });
    let report: Value = scene
        .post_json("/api/v1/jobs/bulk", &olga, &bulk)
        .await
        .expect(200)
        .json();
    assert_eq!(report["done"], 1);
}

#[tokio::test]
async fn the_record_says_who_did_what() {
    let scene = Scene::start_on(Backend::Embedded, &[]).await;
    let (olga, ada) = (
        scene.issuer.token(&with_role("olga", "operator")),
        scene.issuer.token(&with_role("ada", "admin")),
    );
    let alice = scene.token("alice");
    let browser = Browser::default();
    scene.sign_in(&browser, "alice").await;
    scene.get(QUEUE, &alice).await.expect(403);

    let ran = scene.job(&alice, &[("PHASE", "RUN")]).await;
    scene.until_completed(&alice, &ran).await;
    let queue = ask(&scene.site, Method::GET, QUEUE, &olga).await;
    let worker = queue["workers"][0]["id"].as_str().unwrap();
    let workers = format!("/api/v1/admin/workers/{worker}");
    ask(&scene.site, Method::POST, &format!("{workers}/drain"), &olga).await;
    let job = scene.job(&alice, &[("PHASE", "RUN")]).await;
    let hold = format!("/api/v1/jobs/{}/hold", id(&job));
    ask(&scene.site, Method::POST, &hold, &olga).await;
    ask(&scene.site, Method::POST, &format!("{workers}/resume"), &olga).await;
    let request = scene.by_token(Method::DELETE, &ran, &alice);
    scene.site.send(request).await.expect(303);
    let bulk = json!({ "action": "delete", "ids": [id(&job)] });
    scene
        .post_json("/api/v1/jobs/bulk", &olga, &bulk)
        .await
        .expect(200);
    let request = scene.by_token(Method::PATCH, "/api/v1/admin/users/alice", &ada);
    scene
        .site
        .send(request.json(&json!({ "queued": 3 })))
        .await
        .expect(200);

    let record = ask(&scene.site, Method::GET, "/api/v1/admin/audit", &ada).await;
    let entries = record["items"].as_array().unwrap();
    let said: Vec<_> = entries
        .iter()
        .rev()
        .map(|entry| ["actor", "action", "subject"].map(|part| entry[part].as_str().unwrap()))
        .collect();
    let expected = [
        ["alice", "login", "user"],
        ["alice", "refused", "GET /api/v1/admin/queue"],
        ["olga", "worker drained", worker],
        ["olga", "job held", id(&job)],
        ["olga", "worker resumed", worker],
        ["alice", "job deleted", id(&ran)],
        ["olga", "job deleted", id(&job)],
        ["ada", "quota set", "alice"],
    ];
    assert_eq!(said, expected);
    // In pages, newest first; for administrators alone.
    let before = entries[1]["id"].as_i64().unwrap();
    let path = format!("/api/v1/admin/audit?limit=1&before={before}");
    let page = ask(&scene.site, Method::GET, &path, &ada).await;
    assert_eq!(page["items"], json!([entries[2]]));
    scene.get("/api/v1/admin/audit", &olga).await.expect(403);
}

#[tokio::test]
async fn an_admin_ends_the_sessions_and_tokens_of_a_person() {
    let scene = Scene::start_on(Backend::Embedded, &[]).await;
    let ada = scene.issuer.token(&with_role("ada", "admin"));
    let mut secrets = Vec::new();
    let mut tokens = Vec::new();
    for name in ["alice", "bob"] {
        let browser = Browser::default();
        scene.sign_in(&browser, name).await;
        secrets.push(scene.session(&browser).unwrap());
        let new = json!({ "name": "script", "scopes": ["read"], "expires": days_ahead(1) });
        let made = scene
            .post_json("/account/token/create", &scene.token(name), &new)
            .await;
        let made: Value = made.expect(201).json();
        tokens.push(made["token"].as_str().unwrap().to_owned());
        assert!(scene.lives(secrets.last().unwrap()).await);
        scene.get("/api/v1/me", tokens.last().unwrap()).await.expect(200);
    }
    let end = async |name: &str, token: &str| {
        let path = format!("/api/v1/admin/users/{name}/sessions");
        scene
            .site
            .send(scene.by_token(Method::DELETE, &path, token))
            .await
    };
    end("alice", &scene.token("bob")).await.expect(403);
    end("nobody", &ada).await.expect(404);
    let ended: Value = end("alice", &ada).await.expect(200).json();
    assert_eq!(ended, json!({ "sessions": 1, "tokens": 1 }));
    assert!(!scene.lives(&secrets[0]).await);
    scene.get("/api/v1/me", &tokens[0]).await.expect(401);
    assert!(scene.lives(&secrets[1]).await);
    scene.get("/api/v1/me", &tokens[1]).await.expect(200);
    let again: Value = end("alice", &ada).await.expect(200).json();
    assert_eq!(again, json!({ "sessions": 0, "tokens": 0 }));
}
