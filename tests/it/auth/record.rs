//! The audit record: who was refused what, what operators did to others' jobs, from where; and that none of it is lost.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::attacks::{Scene, days_ahead, person, with_role};
use crate::harness::{Backend, Browser, Site};

const AUDIT: &str = "/api/v1/admin/audit";

/// The entries that the query means, oldest first.
async fn entries(scene: &Scene, query: &str) -> Vec<Value> {
    let ada = scene.issuer.token(&with_role("ada", "admin"));
    let record: Value = scene
        .get(&format!("{AUDIT}?limit=1000&{query}"), &ada)
        .await
        .expect(200)
        .json();
    let mut items = record["items"].as_array().unwrap().clone();
    items.reverse();
    items
}

/// Actor, action and subject of each.
fn said(entries: &[Value]) -> Vec<[&str; 3]> {
    entries
        .iter()
        .map(|entry| ["actor", "action", "subject"].map(|part| entry[part].as_str().unwrap_or("-")))
        .collect()
}

fn id(job: &str) -> &str {
    job.rsplit('/').next().unwrap()
}

#[tokio::test]
async fn who_is_refused_is_on_the_record_and_no_token_is() {
    let scene = Scene::start().await;
    let (alice, bob) = (scene.token("alice"), scene.token("bob"));
    let job = scene.job(&alice, &[]).await;
    let path = format!("/api/v1/jobs/{}", id(&job));

    // What belongs to another.
    let inner = job.strip_prefix(&scene.site.address).unwrap_or(&job).to_owned();
    let others = [
        inner.clone(),
        format!("{inner}/results/result"),
        format!("{path}/log"),
        format!("{path}/shares"),
    ];
    for path in &others {
        scene.get(path, &bob).await.expect(403);
    }
    let bulk = json!({ "action": "delete", "ids": [id(&job)] });
    scene
        .post_json("/api/v1/jobs/bulk", &bob, &bulk)
        .await
        .expect(200);
    // A phase that forbids something is no refusal.
    let hold = scene.issuer.token(&with_role("olga", "operator"));
    scene
        .post_json(&format!("{path}/hold"), &hold, &json!({}))
        .await
        .expect(403);
    let refused = entries(&scene, "action=refused&actor=bob").await;
    let mut expected: Vec<[&str; 3]> = Vec::new();
    let asked: Vec<String> = others.iter().map(|path| format!("GET {path}")).collect();
    expected.extend(asked.iter().map(|asked| ["bob", "refused", &asked[..]]));
    expected.push(["bob", "refused", "POST /api/v1/jobs/bulk"]);
    assert_eq!(said(&refused), expected);
    assert!(entries(&scene, "actor=olga").await.is_empty());
    assert!(
        refused.iter().all(|entry| entry["address"] == "127.0.0.1"),
        "{refused:?}"
    );

    // API tokens: without the scope, revoked, ended; the record names them by their public id.
    let new = json!({ "name": "script", "scopes": ["read"], "expires": days_ahead(1) });
    let made: Value = scene
        .post_json("/account/token/create", &alice, &new)
        .await
        .expect(201)
        .json();
    let (token, public) = (made["token"].as_str().unwrap(), made["id"].as_str().unwrap());
    scene.post("/api/echo/async", token, &[]).await.expect(403);
    let without_scope = entries(&scene, "actor=alice&action=refused").await;
    assert_eq!(without_scope.len(), 1);
    assert!(
        without_scope[0]["detail"].as_str().unwrap().contains(public),
        "{without_scope:?}"
    );
    scene.rewrite("UPDATE api_token SET expires_at = 1").await;
    scene.get("/api/v1/me", token).await.expect(401);
    let revoke = scene.by_token(Method::DELETE, &format!("/account/token/{public}"), &alice);
    scene.site.send(revoke).await.expect(204);
    scene.get("/api/v1/me", token).await.expect(401);
    // Others' tokens: expired, and no token at all.
    let expired = scene.issuer.token(&json!({ "exp": 1_000_000 }));
    for bad in [&expired[..], "sdr_nobodys", "nonsense"] {
        scene.get("/api/v1/me", bad).await.expect(401);
    }
    // Nothing was shown: nothing was refused.
    scene.site.get("/api/v1/me").await.expect(401);
    let tokens = entries(&scene, "action=token%20refused").await;
    assert_eq!(tokens.len(), 5, "{tokens:?}");
    let ended = tokens[0]["detail"].as_str().unwrap();
    assert!(ended.contains(public) && ended.contains("alice"), "{ended}");

    let all = Value::from(entries(&scene, "").await).to_string();
    for secret in [token, &expired, &alice, &bob, "sdr_nobodys", "nonsense"] {
        assert!(!all.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn who_is_refused_as_a_browser_is_on_the_record_and_no_secret_is() {
    let scene = Scene::start().await;
    // Sessions: another site's page, and a session that is none.
    let browser = Browser::default();
    scene.sign_in(&browser, "alice").await;
    let secret = scene.session(&browser).unwrap();
    let forged = scene.by_session(Method::POST, "/api/echo/async", &secret);
    scene
        .site
        .send(forged.header("Origin", "https://evil.example.org"))
        .await
        .expect(403);
    let forged = entries(&scene, "actor=alice&subject=POST%20/api/echo").await;
    assert_eq!(forged.len(), 1, "{forged:?}");
    let unknown = scene.by_session(Method::GET, "/api/v1/me", "nobodys");
    scene.site.send(unknown).await.expect(401);
    assert_eq!(entries(&scene, "action=session%20refused").await.len(), 1);

    // Logins and logouts.
    let callback = "/account/callback?state=nobodys&code=a-code";
    scene.site.get(callback).await.expect(400);
    let logins = entries(&scene, "action=login%20refused").await;
    assert_eq!(said(&logins), [["-", "login refused", "GET /account/callback"]]);
    let logout = scene.site.request(Method::POST, "/account/backchannel-logout");
    scene
        .site
        .send(logout.form(&[("logout_token", "nonsense")]))
        .await
        .expect(400);
    let logouts = entries(&scene, "action=logout%20refused").await;
    assert_eq!(
        said(&logouts),
        [["-", "logout refused", "POST /account/backchannel-logout"]]
    );

    let all = Value::from(entries(&scene, "").await).to_string();
    for secret in [&secret[..], "nobodys", "nonsense"] {
        assert!(!all.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn what_operators_do_to_others_and_who_shares_is_on_the_record() {
    let scene = Scene::start_on(Backend::Embedded, &[("SIDEREAL_TRUSTED_PROXIES", "1")]).await;
    let alice = scene.token("alice");
    let olga = scene.issuer.token(&with_role("olga", "operator"));
    let job = scene.job(&alice, &[]).await;
    let path = format!("/api/v1/jobs/{}", id(&job));
    let later = "2027-01-01T00:00:00Z";

    // What an owner does to a job is not.
    scene
        .post(&format!("{job}/destruction"), &alice, &[("DESTRUCTION", later)])
        .await
        .expect(303);
    let own = scene.job(&alice, &[]).await;
    scene
        .post(&format!("{own}/phase"), &alice, &[("PHASE", "ABORT")])
        .await
        .expect(303);
    assert!(entries(&scene, "actor=alice").await.is_empty());

    let far = |request: reqwest::RequestBuilder| request.header("X-Forwarded-For", "6.6.6.6, 192.0.2.7");
    let form = [("DESTRUCTION", later)];
    for (end, form) in [("destruction", form), ("phase", [("PHASE", "ABORT")])] {
        let request = scene.by_token(Method::POST, &format!("{job}/{end}"), &olga);
        scene.site.send(far(request).form(&form)).await.expect(303);
    }
    let shared = scene.by_token(Method::POST, &format!("{path}/shares"), &alice);
    let share: Value = scene
        .site
        .send(far(shared).json(&json!({ "expires": days_ahead(1) })))
        .await
        .expect(201)
        .json();
    let link = share["id"].as_str().unwrap();
    let revoke = scene.by_token(Method::DELETE, &format!("{path}/shares/{link}"), &olga);
    scene.site.send(far(revoke)).await.expect(204);
    let delete = scene.by_token(Method::DELETE, &path, &olga);
    scene.site.send(far(delete)).await.expect(204);

    let record = entries(&scene, &format!("subject={}", id(&job))).await;
    let job = id(&job);
    assert_eq!(
        said(&record),
        [
            ["olga", "job changed", job],
            ["olga", "job aborted", job],
            ["alice", "share link made", job],
            ["olga", "share link revoked", job],
            ["olga", "job deleted", job],
        ]
    );
    assert!(
        record.iter().all(|entry| entry["address"] == "192.0.2.7"),
        "{record:?}"
    );
    assert!(
        record[0]["detail"].as_str().unwrap().contains("destruction 2027"),
        "{record:?}"
    );
    assert!(record[2]["detail"].as_str().unwrap().contains(link), "{record:?}");
    let all = Value::from(record.clone()).to_string();
    let secret = share["url"].as_str().unwrap().rsplit('/').next().unwrap();
    assert!(!all.contains(secret));
    // By time.
    let at = record[2]["at"].as_str().unwrap();
    let since = entries(&scene, &format!("subject={job}&since={at}")).await;
    let until = entries(&scene, &format!("subject={job}&until={at}")).await;
    assert_eq!(since.len() + until.len(), 5);
    assert!(since.contains(&record[2]) && !until.contains(&record[2]));
    let ada = scene.issuer.token(&with_role("ada", "admin"));
    scene
        .get(&format!("{AUDIT}?since=yesterday"), &ada)
        .await
        .expect(400);
}

#[tokio::test]
async fn a_stranger_does_not_fill_the_record() {
    let scene = Scene::start().await;
    for _ in 0..60 {
        scene.get("/api/v1/me", "nonsense").await.expect(401);
    }
    let tokens = entries(&scene, "action=token%20refused").await;
    assert!((20..25).contains(&tokens.len()), "{}", tokens.len());
    // Who is known is on the record all the same.
    scene.get(AUDIT, &scene.token("bob")).await.expect(403);
    assert_eq!(entries(&scene, "actor=bob&action=refused").await.len(), 1);
}

#[tokio::test]
async fn what_strangers_send_is_bounded_and_shown_as_text() {
    let scene = Scene::start().await;
    let mut mallory = person("mallory");
    mallory["preferred_username"] = json!("<script>alert(1)</script>");
    let mallory = scene.issuer.token(&mallory);
    let path = format!("{AUDIT}?x={}", "%3Cscript%3E".repeat(500));
    scene.get(&path, &mallory).await.expect(403);
    let long = format!("/api/echo/async/{}", "x".repeat(5_000));
    scene.get(&long, "nonsense").await.expect(401);
    let ada = scene.issuer.token(&with_role("ada", "admin"));
    let reply = scene.get(AUDIT, &ada).await.expect(200);
    assert!(
        reply
            .header("content-type")
            .unwrap()
            .starts_with("application/json")
    );
    let record: Value = reply.json();
    let [token, role] = [&record["items"][0], &record["items"][1]];
    assert_eq!(token["subject"].as_str().unwrap().len(), 1_000);
    assert_eq!(role["actor"], "<script>alert(1)</script>");
    assert_eq!(role["subject"], format!("GET {AUDIT}"));
}

#[tokio::test]
async fn in_mode_local_another_sites_page_is_on_the_record() {
    let site = Site::start(Backend::Embedded).await;
    let request = site.request(Method::POST, "/share/a-secret-link");
    site.send(request.header("Origin", "https://evil.example.org"))
        .await
        .expect(403);
    let record: Value = site.get(AUDIT).await.expect(200).json();
    let entry = &record["items"][0];
    assert_eq!(entry["subject"], "POST /share/…");
    assert_eq!(
        (&entry["action"], &entry["actor"]),
        (&json!("refused"), &Value::Null)
    );
}

#[tokio::test]
async fn who_goes_away_half_way_is_on_the_record() {
    let scene = Scene::start().await;
    let alice = scene.token("alice");
    let address = scene.site.address.strip_prefix("http://").unwrap().to_owned();
    let mut jobs = Vec::new();
    for _ in 0..10 {
        let job = scene.job(&alice, &[]).await;
        let request = format!(
            "DELETE /api/v1/jobs/{} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {alice}\r\n\r\n",
            id(&job)
        );
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        // Without waiting for the answer.
        drop(stream);
        jobs.push(job);
    }
    // Of those whose request was read, neither the change nor the record is without the other.
    for job in &jobs {
        let gone = scene
            .site
            .send(scene.by_token(Method::GET, &format!("/api/v1/jobs/{}", id(job)), &alice));
        let gone = gone.await.status == 410;
        let record = entries(&scene, &format!("action=job%20deleted&subject={}", id(job))).await;
        assert!(!gone || record.len() == 1, "{job}");
    }
}
