//! Sessions whose access token has run out, by the fake issuer: when the real one is away, it is so for every test.

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use sidereal::uws::Timestamp;

use super::attacks::{Scene, days_ahead, person};
use crate::harness::{Backend, Browser, Reply, Site, now};

/// Alice's session, whose access token has run out by so many milliseconds.
async fn run_out(scene: &Scene, by_ms: u64) -> String {
    let browser = Browser::default();
    scene.sign_in(&browser, "alice").await;
    let sql = format!("UPDATE session SET fresh_until = created_at - {by_ms}, held_until = 0");
    scene.rewrite(&sql).await;
    scene.session(&browser).expect("a session")
}

#[tokio::test]
async fn one_request_renews_a_session_while_others_go_on() {
    one_renews(1).await;
}

/// A machine that was asleep asks for much at once.
#[tokio::test]
async fn one_request_renews_a_session_that_nobody_used_for_long() {
    one_renews(3_700_000).await;
}

async fn one_renews(by_ms: u64) {
    let scene = Scene::start().await;
    let session = run_out(&scene, by_ms).await;
    scene
        .issuer
        .answer(200, scene.issuer.login("any", &person("alice")));
    let before = scene.issuer.grants();
    let all = (0..16).map(|_| Reply::to(scene.by_session(Method::GET, "/api/v1/me", &session)));
    for reply in join_all(all).await {
        reply.expect(200);
    }
    assert_eq!(scene.issuer.grants(), before + 1);
}

#[tokio::test]
async fn a_session_goes_on_without_the_provider_for_a_while() {
    let scene = Scene::start().await;
    let session = run_out(&scene, 1).await;
    scene.issuer.set_down(true);
    for _ in 0..3 {
        assert!(scene.lives(&session).await);
    }
    scene
        .rewrite("UPDATE session SET fresh_until = created_at - 3700000, held_until = 0")
        .await;
    for _ in 0..2 {
        let me = scene.by_session(Method::GET, "/api/v1/me", &session);
        Reply::to(me).await.expect(503);
    }
    // It has not ended: the provider is back, and stands behind it.
    scene.issuer.set_down(false);
    scene.rewrite("UPDATE session SET held_until = 0").await;
    scene
        .issuer
        .answer(200, scene.issuer.login("any", &person("alice")));
    assert!(scene.lives(&session).await);
}

/// Whoever hangs up in the middle of a renewal does not keep the provider's word from being heard.
#[tokio::test]
async fn a_renewal_is_not_broken_off_with_its_request() {
    let scene = Scene::start().await;
    let session = run_out(&scene, 1).await;
    let before = scene.issuer.grants();
    scene.issuer.set_held(true);
    let asking = tokio::spawn(Reply::to(scene.by_session(Method::GET, "/api/v1/me", &session)));
    scene.issuer.until_grants(before + 1).await;
    asking.abort();
    // Without an answer prepared it refuses: the login is over.
    scene.issuer.set_held(false);
    scene.site.until_log(|log| log.contains("session ended")).await;
    assert!(!scene.lives(&session).await);
}

#[tokio::test]
async fn everyone_is_told_until_when_they_are_known() {
    let scene = Scene::start().await;
    let until =
        async |request| -> Value { Reply::to(request).await.expect(200).json::<Value>()["until"].clone() };
    let time = |millis: i64| json!(Timestamp::from_millis(millis).expect("a time"));

    let end = now() + 77;
    let mut claims = person("alice");
    claims["exp"] = json!(end);
    let me = scene.by_token(Method::GET, "/api/v1/me", &scene.issuer.token(&claims));
    assert_eq!(until(me).await, time(end * 1_000));

    let expires = days_ahead(3);
    let new = json!({ "name": "script", "scopes": ["read"], "expires": expires });
    let made = scene
        .post_json("/account/token/create", &scene.token("alice"), &new)
        .await;
    let made: Value = made.expect(201).json();
    let me = scene.by_token(
        Method::GET,
        "/api/v1/me",
        made["token"].as_str().expect("a token"),
    );
    assert_eq!(until(me).await, json!(expires));

    let browser = Browser::default();
    scene.sign_in(&browser, "alice").await;
    let sessions = scene.site.store().await.sessions_of("subject-of-alice").await;
    let sessions = sessions.expect("sessions");
    let session = scene.session(&browser).expect("a session");
    let me = scene.by_session(Method::GET, "/api/v1/me", &session);
    assert_eq!(until(me).await, json!(sessions[0].expires_at));
    assert_eq!(
        sessions[0].expires_at.millis() - sessions[0].created_at.millis(),
        7 * 86_400_000
    );

    let local = Site::start(Backend::Embedded).await;
    assert_eq!(until(local.request(Method::GET, "/api/v1/me")).await, Value::Null);
}
