//! What is somebody else's: jobs and all that is below them, API tokens, share links.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{Scene, days_ahead, person, with_role};
use crate::api::events::Events;
use crate::harness::{Backend, Browser, Reply, on_both_back_ends, rewrite};
use crate::uws::{LIST, RUN, id};

on_both_back_ends!(
    another_users_job_and_all_below_it,
    another_users_events,
    a_revoked_or_expired_api_token,
    a_revoked_or_expired_share_link,
    a_share_link_of_one_who_was_turned_away,
);

/// What must be seen by nobody but Alice.
const HERS: &str = "what-only-alice-may-see";

impl Scene {
    /// A job of Alice's that has run, with a parameter, a label, a result and a log.
    async fn hers(&self) -> String {
        let token = self.token("alice");
        let form = [("X", HERS), ("RUNID", HERS), ("SLEEP", "0.01"), RUN];
        let job = self.job(&token, &form).await;
        self.until_completed(&token, &job).await;
        job
    }

    /// Makes an API token by an access token, and gives its id and itself.
    async fn api_token(&self, token: &str, scopes: &[&str]) -> (String, String) {
        let body = json!({ "name": "a script", "scopes": scopes, "expires": days_ahead(1) });
        let made: Value = self
            .post_json("/account/token/create", token, &body)
            .await
            .expect(201)
            .json();
        let text = |name: &str| made[name].as_str().expect("a text").to_owned();
        (text("id"), text("token"))
    }

    /// A share link of Alice's to this job: its id and its URL.
    async fn share(&self, job: &str) -> (String, String) {
        let path = format!("/api/v1/jobs/{}/shares", id(job));
        let body = json!({ "expires": days_ahead(1) });
        let made: Value = self
            .post_json(&path, &self.token("alice"), &body)
            .await
            .expect(201)
            .json();
        let text = |name: &str| made[name].as_str().expect("a text").to_owned();
        (text("id"), text("url"))
    }

    /// All that can be asked for of this job, with what it takes.
    fn all_of(&self, job: &str, share: &str, token: &str) -> Vec<RequestBuilder> {
        let one = format!("/api/v1/jobs/{}", id(job));
        let mut all = Vec::new();
        for path in [
            String::new(),
            "?WAIT=1".to_owned(),
            "/phase".to_owned(),
            "/executionduration".to_owned(),
            "/destruction".to_owned(),
            "/quote".to_owned(),
            "/owner".to_owned(),
            "/error".to_owned(),
            "/parameters".to_owned(),
            "/parameters/X".to_owned(),
            "/parameters/NONE".to_owned(),
            "/results".to_owned(),
            "/results/result".to_owned(),
            "/results/none".to_owned(),
        ] {
            for method in [Method::GET, Method::HEAD] {
                all.push(self.by_token(method, &format!("{job}{path}"), token));
            }
        }
        for path in ["", "/log", "/log?follow=true", "/log?after=0", "/shares"] {
            all.push(self.by_token(Method::GET, &format!("{one}{path}"), token));
        }
        for (path, name, value) in [
            ("/phase", "PHASE", "RUN"),
            ("/phase", "PHASE", "ABORT"),
            ("/executionduration", "EXECUTIONDURATION", "1"),
            ("/destruction", "DESTRUCTION", "2100-01-01"),
            ("/parameters", "X", "2"),
            ("/parameters", "RUNID", "mine"),
            ("", "ACTION", "DELETE"),
        ] {
            let request = self.by_token(Method::POST, &format!("{job}{path}"), token);
            all.push(request.form(&[(name, value)]));
        }
        all.push(self.by_token(Method::DELETE, job, token));
        all.push(self.by_token(Method::DELETE, &one, token));
        let patch = self.by_token(Method::PATCH, &one, token);
        all.push(patch.json(&json!({ "runId": "mine" })));
        let share_it = self.by_token(Method::POST, &format!("{one}/shares"), token);
        all.push(share_it.json(&json!({ "expires": days_ahead(1) })));
        all.push(self.by_token(Method::DELETE, &format!("{one}/shares/{share}"), token));
        all
    }
}

async fn another_users_job_and_all_below_it(backend: Backend) {
    let scene = Scene::start_on(backend, &[]).await;
    let job = scene.hers().await;
    let (share, link) = scene.share(&job).await;
    let bob = scene.token("bob");
    let (_, bobs_script) = scene.api_token(&bob, &["read", "write", "admin"]).await;
    for token in [&bob, &bobs_script] {
        for request in scene.all_of(&job, &share, token) {
            let refused = Reply::to(request).await.expect(403);
            let shown = format!("{:?} {}", refused.headers, refused.text());
            assert!(!shown.contains(HERS) && !shown.contains("alice"), "{shown}");
        }
        for action in ["abort", "delete"] {
            let body = json!({ "action": action, "ids": [id(&job)] });
            let done: Value = scene
                .post_json("/api/v1/jobs/bulk", token, &body)
                .await
                .expect(200)
                .json();
            assert_eq!((&done["done"], &done["failed"]), (&json!(0), &json!(1)), "{done}");
            let body = json!({ "action": action, "filter": { "label": HERS } });
            let done: Value = scene
                .post_json("/api/v1/jobs/bulk", token, &body)
                .await
                .expect(200)
                .json();
            assert_eq!(done["done"], 0, "{done}");
        }
        // And it is in no list.
        for path in [
            LIST.to_owned(),
            "/api/v1/jobs".to_owned(),
            format!("/api/v1/jobs?q={}", id(&job)),
            format!("/api/v1/jobs?label={HERS}"),
            "/api/v1/jobs/counts".to_owned(),
        ] {
            let request = scene.by_token(Method::GET, &path, token);
            let list = Reply::to(request.header("Accept", "application/json"))
                .await
                .expect(200)
                .text();
            assert!(
                !list.contains(id(&job)) && !list.contains("\"total\":1"),
                "{path}: {list}"
            );
        }
    }
    // Alice's job is as it was, and so is her link.
    let alice = scene.token("alice");
    let phase = scene.get(&format!("{job}/phase"), &alice).await;
    assert_eq!(phase.expect(200).text(), "COMPLETED");
    scene.site.get(&link).await.expect(200);
    let mine: Value = scene.get("/api/v1/jobs", &alice).await.expect(200).json();
    assert_eq!(mine["items"][0]["runId"], HERS);
}

#[tokio::test]
async fn anonymous_is_told_nothing_of_a_job() {
    let scene = Scene::start().await;
    let job = scene.hers().await;
    let (share, _) = scene.share(&job).await;
    for request in scene.all_of(&job, &share, "none") {
        let (client, request) = request.build_split();
        let mut request = request.expect("a request");
        request.headers_mut().remove("authorization");
        let refused = Reply::to(RequestBuilder::from_parts(client, request))
            .await
            .expect(401);
        assert!(!refused.text().contains(HERS), "{}", refused.text());
    }
}

#[tokio::test]
async fn another_users_idempotency_key() {
    let scene = Scene::start().await;
    let make = async |name: &str| {
        let request = scene.by_token(Method::POST, LIST, &scene.token(name));
        let request = request
            .header("Idempotency-Key", "the-same-key")
            .form(&[("X", "1")]);
        let made = scene.site.send(request).await.expect(303);
        made.location().to_owned()
    };
    let (hers, his) = (make("alice").await, make("bob").await);
    assert_ne!(hers, his);
    assert_eq!(make("alice").await, hers);
    scene.get(&his, &scene.token("bob")).await.expect(200);
    scene.get(&hers, &scene.token("bob")).await.expect(403);
}

async fn another_users_events(backend: Backend) {
    let scene = Scene::start_on(backend, &[]).await;
    let hers = scene.hers().await;
    let bob = scene.token("bob");
    let open = |last: &str| {
        let request = scene.by_token(Method::GET, "/api/v1/events", &bob);
        Events::of(request.header("Last-Event-ID", last))
    };
    let mut heard = [open("0").await, open("1").await];
    let second = scene.hers().await;
    let own = scene.job(&bob, &[("X", "1")]).await;
    for events in &mut heard {
        let told = events.until(|event| event.data["id"] == id(&own)).await;
        for event in &told {
            let text = event.data.to_string();
            assert!(
                !text.contains(id(&hers)) && !text.contains(id(&second)) && !text.contains(HERS),
                "{text}"
            );
        }
    }
}

#[tokio::test]
async fn another_users_name() {
    let scene = Scene::start().await;
    let job = scene.hers().await;
    // Names are people's own to choose at many a provider; what never changes is the subject.
    for name in ["alice", "local", "ALICE", "alice "] {
        let claims = json!({ "sub": format!("subject-{name}-2"), "preferred_username": name });
        let token = scene.issuer.token(&claims);
        let me: Value = scene.get("/api/v1/me", &token).await.expect(200).json();
        assert!(me["name"] != "alice" && me["name"] != "local", "{me}");
        scene.get(&job, &token).await.expect(403);
    }
}

#[tokio::test]
async fn a_users_token_at_what_is_for_administrators() {
    let scene = Scene::start().await;
    let tokens = [
        scene.token("bob"),
        scene.issuer.token(&with_role("olga", "operator")),
        // Made by an administrator, but not for that.
        scene
            .api_token(
                &scene.issuer.token(&with_role("ada", "admin")),
                &["read", "write"],
            )
            .await
            .1,
        // Made for that, but not by an administrator.
        scene
            .api_token(&scene.token("bob"), &["read", "write", "admin"])
            .await
            .1,
    ];
    for token in &tokens {
        for (method, path) in [
            (Method::GET, "/api/v1/admin/users"),
            (Method::PATCH, "/api/v1/admin/users/ada"),
            (Method::DELETE, "/api/v1/admin/users/ada/sessions"),
            (Method::GET, "/api/v1/admin/audit"),
        ] {
            let request = scene.by_token(method, path, token).json(&json!({ "running": 0 }));
            scene.site.send(request).await.expect(403);
        }
    }
    let admin = scene.issuer.token(&with_role("ada", "admin"));
    scene.get("/api/v1/admin/users", &admin).await.expect(200);
}

// ---- API tokens

async fn a_revoked_or_expired_api_token(backend: Backend) {
    let scene = Scene::start_on(backend, &[]).await;
    let alice = scene.token("alice");
    let (revoked, token) = scene.api_token(&alice, &["read", "write"]).await;
    scene.get("/api/v1/me", &token).await.expect(200);
    let request = scene.by_token(Method::DELETE, &format!("/account/token/{revoked}"), &alice);
    scene.site.send(request).await.expect(204);
    let (_, expired) = scene.api_token(&alice, &["read", "write"]).await;
    scene.get("/api/v1/me", &expired).await.expect(200);
    scene
        .rewrite("UPDATE api_token SET expires_at = created_at")
        .await;
    for token in [&token, &expired] {
        let refused = scene.get("/api/v1/me", token).await.expect(401);
        let challenge = refused.header("www-authenticate").expect("a challenge");
        assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
        scene.post(LIST, token, &[("X", "1")]).await.expect(401);
    }
}

#[tokio::test]
async fn a_guessed_api_token() {
    let scene = Scene::start().await;
    let (id, token) = scene.api_token(&scene.token("alice"), &["read"]).await;
    let hash = URL_SAFE_NO_PAD.encode(sidereal::auth::hash(&token));
    let longer = format!("{token}A");
    let swapped = token.replace("sdr_", "SDR_");
    let prefixed = format!("sdr_{hash}");
    for guess in [
        "sdr_",
        "sdr_%",
        "sdr_' OR '1'='1",
        &token[..token.len() - 1],
        &longer,
        &swapped,
        &prefixed,
        &id,
    ] {
        scene.get("/api/v1/me", guess).await.expect(401);
    }
    scene.get("/api/v1/me", &token).await.expect(200);
}

#[tokio::test]
async fn an_api_token_beyond_its_scope() {
    let scene = Scene::start().await;
    let alice = scene.token("alice");
    let job = scene.job(&alice, &[("X", "1")]).await;
    let one = format!("/api/v1/jobs/{}", id(&job));
    let (_, reads) = scene.api_token(&alice, &["read"]).await;
    scene.get(&job, &reads).await.expect(200);
    let by = |method, path: &str| scene.by_token(method, path, &reads);
    for request in [
        by(Method::POST, LIST).form(&[("X", "1")]),
        by(Method::POST, &format!("{job}/phase")).form(&[RUN]),
        by(Method::POST, &job).form(&[("ACTION", "DELETE")]),
        by(Method::DELETE, &job),
        by(Method::DELETE, &one),
        by(Method::PATCH, &one).json(&json!({ "runId": "x" })),
        by(Method::POST, "/api/v1/jobs").json(&json!({ "service": "echo" })),
        by(Method::POST, &format!("{one}/shares")).json(&json!({ "expires": days_ahead(1) })),
    ] {
        let refused = scene.site.send(request).await.expect(403);
        let challenge = refused.header("www-authenticate").expect("a challenge");
        assert!(
            challenge.contains("error=\"insufficient_scope\"") && challenge.contains("scope=\"write\""),
            "{challenge}"
        );
    }
    let phase = scene.get(&format!("{job}/phase"), &alice).await;
    assert_eq!(phase.expect(200).text(), "PENDING");
    let (_, writes) = scene.api_token(&alice, &["write"]).await;
    scene.get(&job, &writes).await.expect(403);
    scene.get("/api/v1/jobs", &writes).await.expect(403);
    let (_, administers) = scene.api_token(&alice, &["admin"]).await;
    scene.get(&job, &administers).await.expect(403);
}

/// Whoever rises later does not raise what was made before.
#[tokio::test]
async fn an_api_token_of_a_user_who_becomes_an_administrator() {
    let scene = Scene::start().await;
    let (_, token) = scene
        .api_token(&scene.token("alice"), &["read", "write", "admin"])
        .await;
    scene.rewrite("UPDATE person SET role = 'admin'").await;
    scene.get("/api/v1/me", &token).await.expect(200);
    scene.get("/api/v1/admin/users", &token).await.expect(403);
}

/// An account that is deleted at the provider is never heard of again.
#[tokio::test]
async fn an_api_token_of_someone_who_is_gone() {
    let scene = Scene::start().await;
    let (_, token) = scene.api_token(&scene.token("alice"), &["read"]).await;
    scene
        .rewrite("UPDATE person SET seen_at = seen_at - 31 * 86400000")
        .await;
    scene.get("/api/v1/me", &token).await.expect(401);
    // The provider vouches for her again.
    scene.get("/api/v1/me", &scene.token("alice")).await.expect(200);
    scene.get("/api/v1/me", &token).await.expect(200);
}

/// Nor does an access token from before, which is still good, give back what was taken.
#[tokio::test]
async fn an_old_access_token_of_someone_who_has_lost_a_role() {
    let scene = Scene::start().await;
    let before = scene.issuer.token(&with_role("ada", "admin"));
    let (_, token) = scene.api_token(&before, &["read", "admin"]).await;
    scene.get("/api/v1/admin/users", &token).await.expect(200);
    scene.rewrite("UPDATE person SET role = 'user'").await;
    scene.get("/api/v1/me", &before).await.expect(200);
    scene.get("/api/v1/admin/users", &token).await.expect(403);
}

#[tokio::test]
async fn an_api_token_of_someone_whose_access_token_says_less_now() {
    let scene = Scene::start().await;
    let before = scene.issuer.token(&with_role("ada", "admin"));
    let (_, token) = scene.api_token(&before, &["read", "admin"]).await;
    scene.get("/api/v1/admin/users", &token).await.expect(200);
    let now = scene.issuer.token(&with_role("ada", "user"));
    scene.get("/api/v1/me", &now).await.expect(200);
    scene.get("/api/v1/admin/users", &token).await.expect(403);
    // What was said before does not come back with the old token.
    scene.get("/api/v1/me", &before).await.expect(200);
    scene.get("/api/v1/admin/users", &token).await.expect(403);
}

#[tokio::test]
async fn an_api_token_that_makes_api_tokens() {
    let scene = Scene::start().await;
    let alice = scene.token("alice");
    let (id, token) = scene.api_token(&alice, &["read", "write", "admin"]).await;
    let body = json!({ "name": "more", "scopes": ["read"], "expires": days_ahead(300) });
    scene
        .post_json("/account/token/create", &token, &body)
        .await
        .expect(403);
    scene.get("/account/token", &token).await.expect(403);
    let revoke = scene.by_token(Method::DELETE, &format!("/account/token/{id}"), &token);
    scene.site.send(revoke).await.expect(403);
    let own: Value = scene.get("/account/token", &alice).await.expect(200).json();
    assert_eq!(own["items"].as_array().expect("a list").len(), 1);
    assert!(!own.to_string().contains(&token), "{own}");
}

#[tokio::test]
async fn another_users_api_token() {
    let scene = Scene::start().await;
    let (id, token) = scene.api_token(&scene.token("alice"), &["read"]).await;
    let bob = scene.token("bob");
    let path = format!("/account/token/{id}");
    let revoke = scene.by_token(Method::DELETE, &path, &bob);
    scene.site.send(revoke).await.expect(404);
    let list: Value = scene.get("/account/token", &bob).await.expect(200).json();
    assert_eq!(list["items"], json!([]));
    let me: Value = scene.get("/api/v1/me", &token).await.expect(200).json();
    assert_eq!((&me["name"], &me["by"]), (&json!("alice"), &json!("token")));
}

#[tokio::test]
async fn an_api_token_that_lives_too_long_or_is_for_too_much() {
    let scene = Scene::start().await;
    let alice = scene.token("alice");
    for (scopes, expires) in [
        (json!(["read"]), days_ahead(400)),
        (json!(["read"]), days_ahead(-1)),
        (json!(["read"]), "9999-12-31".to_owned()),
        (json!(["read"]), "never".to_owned()),
        (json!([]), days_ahead(1)),
        (json!(["*"]), days_ahead(1)),
        (json!(["read", "root"]), days_ahead(1)),
    ] {
        let body = json!({ "name": "x", "scopes": scopes, "expires": expires });
        scene
            .post_json("/account/token/create", &alice, &body)
            .await
            .expect(400);
    }
}

#[tokio::test]
async fn what_is_left_of_a_disabled_account() {
    let scene = Scene::start().await;
    let browser = Browser::default();
    scene.sign_in(&browser, "alice").await;
    let session = scene.session(&browser).expect("a session");
    let (_, token) = scene.api_token(&scene.token("alice"), &["read"]).await;
    // What Keycloak says to a refresh of a disabled user's.
    scene.issuer.answer(
        400,
        json!({ "error": "invalid_grant", "error_description": "User disabled" }),
    );
    scene
        .rewrite("UPDATE session SET fresh_until = created_at - 1")
        .await;
    assert!(!scene.lives(&session).await);
    scene.get("/api/v1/me", &token).await.expect(401);
    scene.get("/api/v1/me", &scene.token("alice")).await.expect(401);
    // A new login is the provider's word that it is enabled again.
    scene.sign_in(&browser, "alice").await;
    scene.get("/api/v1/me", &token).await.expect(200);
}

#[tokio::test]
async fn what_is_left_of_an_account_without_its_role() {
    let scene = Scene::start().await;
    let browser = Browser::default();
    let admin = with_role("ada", "admin");
    let none = with_role("ada", "none of ours");
    let sign_in = async || {
        scene.sign_in_as(&browser, &admin).await;
        scene.session(&browser).expect("a session")
    };
    sign_in().await;
    let (_, token) = scene
        .api_token(&scene.issuer.token(&admin), &["read", "admin"])
        .await;
    scene.get("/api/v1/admin/users", &token).await.expect(200);
    // By the next login.
    let begun = scene.begin(&browser).await;
    scene.come_back_as(&browser, &begun, &none).await.expect(403);
    scene.get("/api/v1/admin/users", &token).await.expect(401);
    // By the refresh of a session.
    let session = sign_in().await;
    scene.get("/api/v1/admin/users", &token).await.expect(200);
    scene
        .rewrite("UPDATE session SET fresh_until = created_at - 1")
        .await;
    scene.issuer.answer(200, scene.issuer.login("any", &none));
    let request = scene.by_session(Method::GET, "/api/v1/me", &session);
    Reply::to(request).await.expect(403);
    scene.get("/api/v1/admin/users", &token).await.expect(401);
    // With a lower one it counts for that.
    let session = sign_in().await;
    scene
        .rewrite("UPDATE session SET fresh_until = created_at - 1")
        .await;
    let user = with_role("ada", "user");
    scene.issuer.answer(200, scene.issuer.login("any", &user));
    assert!(scene.lives(&session).await);
    scene.get("/api/v1/admin/users", &token).await.expect(403);
}

// ---- Share links

/// What a link leads to.
fn below(link: &str, job: &str) -> Vec<String> {
    let id = id(job);
    vec![
        link.to_owned(),
        format!("{link}/{id}"),
        format!("{link}/{id}/results"),
        format!("{link}/{id}/results/result"),
        format!("{link}/{id}/parameters/X"),
    ]
}

async fn a_revoked_or_expired_share_link(backend: Backend) {
    let scene = Scene::start_on(backend, &[]).await;
    let alice = scene.token("alice");
    let job = scene.hers().await;
    let (share, revoked) = scene.share(&job).await;
    let (_, expired) = scene.share(&job).await;
    for link in [&revoked, &expired] {
        for url in below(link, &job) {
            scene.site.get(&url).await.expect(200);
        }
    }
    let path = format!("/api/v1/jobs/{}/shares/{share}", id(&job));
    let revoke = scene.by_token(Method::DELETE, &path, &alice);
    scene.site.send(revoke).await.expect(204);
    rewrite(
        scene.site.store().await.url(),
        "UPDATE share SET expires_at = created_at",
    )
    .await;
    for link in [&revoked, &expired] {
        for url in below(link, &job) {
            let refused = scene.site.get(&url).await.expect(404);
            assert!(!refused.text().contains(HERS), "{}", refused.text());
        }
    }
    // A link goes with its job.
    let (_, last) = scene.share(&job).await;
    let destroy = scene.by_token(Method::DELETE, &job, &alice);
    scene.site.send(destroy).await.expect(303);
    scene.site.get(&last).await.expect(404);
}

async fn a_share_link_of_one_who_was_turned_away(backend: Backend) {
    let scene = Scene::start_on(backend, &[]).await;
    let (job, browser) = (scene.hers().await, Browser::default());
    let (_, link) = scene.share(&job).await;
    // Bob's, who has nothing to do with it.
    let bobs = scene.job(&scene.token("bob"), &[("X", "1")]).await;
    let path = format!("/api/v1/jobs/{}/shares", id(&bobs));
    let body = json!({ "expires": days_ahead(1) });
    let made: Value = scene
        .post_json(&path, &scene.token("bob"), &body)
        .await
        .expect(201)
        .json();
    let bobs = made["url"].as_str().expect("a URL");
    for (description, status) in [("Session not active", 200), ("User disabled", 404)] {
        scene.sign_in(&browser, "alice").await;
        scene
            .rewrite("UPDATE session SET fresh_until = created_at - 1, held_until = 0")
            .await;
        let refused = json!({ "error": "invalid_grant", "error_description": description });
        scene.issuer.answer(400, refused);
        assert!(!scene.lives(&scene.session(&browser).expect("a session")).await);
        for url in below(&link, &job) {
            let reply = scene.site.get(&url).await.expect(status);
            if status == 404 {
                let unknown = scene.site.get(&scene.url("/share/unknown")).await;
                let what = |reply: &Reply| {
                    let kind = reply.header("content-type").map(str::to_owned);
                    (
                        reply.status,
                        kind,
                        reply.text().split("requestId").next().map(str::to_owned),
                    )
                };
                assert_eq!(what(&reply), what(&unknown), "{url}");
            }
        }
        scene.site.get(bobs).await.expect(200);
    }
    // Enabled again, as a login shows.
    scene.sign_in(&browser, "alice").await;
    for url in below(&link, &job) {
        scene.site.get(&url).await.expect(200);
    }
}

#[tokio::test]
async fn a_guessed_share_link() {
    let scene = Scene::start().await;
    let job = scene.hers().await;
    let (share, link) = scene.share(&job).await;
    let secret = link.rsplit('/').next().expect("a secret");
    let hash = URL_SAFE_NO_PAD.encode(sidereal::auth::hash(secret));
    let longer = format!("{secret}A");
    for guess in [
        "x",
        "%25",
        "%27%20OR%201=1",
        &"A".repeat(43),
        &secret[..42],
        &longer,
        &hash,
        &share,
        id(&job),
    ] {
        for url in below(&scene.url(&format!("/share/{guess}")), &job) {
            scene.site.get(&url).await.expect(404);
        }
    }
}

#[tokio::test]
async fn another_job_under_a_share_link() {
    let scene = Scene::start().await;
    let (shared, other) = (scene.hers().await, scene.hers().await);
    let (_, link) = scene.share(&shared).await;
    for url in below(&link, &other).into_iter().skip(1) {
        scene.site.get(&url).await.expect(404);
    }
    for path in ["", "/results", "/results/result", "/parameters/X"] {
        let shared = id(&shared);
        let other = id(&other);
        for dots in ["..", "%2e%2e", "..%2f.."] {
            let url = format!("{link}/{shared}/{dots}/{other}{path}");
            // reqwest resolves the plain ones, as browsers do.
            scene.site.get(&url).await.expect(404);
        }
    }
}

#[tokio::test]
async fn a_share_link_as_more_than_a_way_to_read() {
    let scene = Scene::start().await;
    let job = scene.hers().await;
    let (_, link) = scene.share(&job).await;
    let secret = link.rsplit('/').next().expect("a secret");
    for url in below(&link, &job) {
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let request = scene.site.request(method, &url).form(&[("ACTION", "DELETE")]);
            scene.site.send(request).await.expect(405);
        }
    }
    for path in [
        "phase",
        "owner",
        "destruction",
        "log",
        "shares",
        "parameters",
        "error",
    ] {
        scene
            .site
            .get(&format!("{link}/{}/{path}", id(&job)))
            .await
            .expect(404);
    }
    scene.get(&job, secret).await.expect(401);
    scene.get(&job, &format!("sdr_{secret}")).await.expect(401);
    let request = scene.by_session(Method::GET, &job, secret);
    Reply::to(request).await.expect(401);
    // What it shows goes to no index and names its address to nobody.
    let reply = scene.site.get(&link).await.expect(200);
    assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(reply.header("x-robots-tag"), Some("noindex, nofollow"));
}

#[tokio::test]
async fn a_share_link_that_its_owner_did_not_make() {
    let scene = Scene::start().await;
    let job = scene.hers().await;
    let path = format!("/api/v1/jobs/{}/shares", id(&job));
    // An operator sees a job, but gives it to nobody.
    for claims in [
        person("bob"),
        with_role("olga", "operator"),
        with_role("ada", "admin"),
    ] {
        let token = scene.issuer.token(&claims);
        let body = json!({ "expires": days_ahead(1) });
        scene.post_json(&path, &token, &body).await.expect(403);
    }
    let shares: Value = scene.get(&path, &scene.token("alice")).await.expect(200).json();
    assert_eq!(shares["items"], json!([]));
}
