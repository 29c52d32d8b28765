//! The provider's word that a login has ended, forged, bent or repeated (Back-Channel Logout 1.0 section 2.6).

use reqwest::Method;
use serde_json::{Value, json};

use super::{Scene, person};
use crate::harness::{Backend, Browser, Key, Reply, now, on_both_back_ends, parts};

on_both_back_ends!(a_replayed_logout_token, a_good_one_ends_exactly_its_sessions);

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

impl Scene {
    async fn told(&self, token: &str) -> Reply {
        let request = self.site.request(Method::POST, "/account/backchannel-logout");
        self.site.send(request.form(&[("logout_token", token)])).await
    }

    /// A session of Alice's, which all that is forged here would end.
    async fn alices(&self) -> String {
        let browser = Browser::default();
        self.sign_in(&browser, "alice").await;
        self.session(&browser).expect("a session")
    }

    /// A logout token of Alice, with these changes.
    fn of_alice(&self, changes: &Value) -> String {
        let mut claims = json!({ "sub": "subject-of-alice", "sid": "login-of-alice" });
        for (name, value) in changes.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        self.issuer.logout_token(&claims)
    }

    /// Says this, which is 400 and ends nothing.
    async fn ends_nothing(&self, session: &str, token: &str) {
        let refused = self.told(token).await.expect(400);
        assert_eq!(refused.header("cache-control"), Some("no-store"));
        assert!(!refused.text().contains(token), "{}", refused.text());
        assert!(self.lives(session).await, "{:?}", parts_of(token));
    }

    /// As `ends_nothing`, for logout tokens of Alice with these changes; and a good one ends her session.
    async fn end_nothing(&self, changes: &[Value]) {
        let session = self.alices().await;
        for changes in changes {
            self.ends_nothing(&session, &self.of_alice(changes)).await;
        }
        self.told(&self.of_alice(&json!({}))).await.expect(200);
        assert!(!self.lives(&session).await);
    }
}

/// What is in a token, if it is one.
fn parts_of(token: &str) -> Option<(Value, Value)> {
    (token.split('.').count() == 3).then(|| parts(token))
}

async fn a_replayed_logout_token(backend: Backend) {
    let scene = Scene::start_on(backend, &[]).await;
    let session = scene.alices().await;
    let token = scene.of_alice(&json!({}));
    let told = scene.told(&token).await.expect(200);
    assert_eq!(told.header("cache-control"), Some("no-store"));
    assert!(!scene.lives(&session).await);
    // The next session is not ended by it, on whichever server it is said, and not after it has been swept.
    let session = scene.alices().await;
    scene.ends_nothing(&session, &token).await;
    scene.site.store().await.forget_expired().await.expect("a sweep");
    let neighbour = scene.site.replica().await;
    let request = neighbour.request(Method::POST, "/account/backchannel-logout");
    neighbour
        .send(request.form(&[("logout_token", &token)]))
        .await
        .expect(400);
    assert!(scene.lives(&session).await);
    // Nor by another with its name.
    let id = parts(&token).1["jti"].clone();
    scene
        .ends_nothing(&session, &scene.of_alice(&json!({ "jti": id })))
        .await;
}

#[tokio::test]
async fn a_logout_token_replayed_after_its_end_while_clocks_may_differ() {
    let scene = Scene::start().await;
    let token = scene.of_alice(&json!({ "exp": now() - 5 }));
    scene.told(&token).await.expect(200);
    scene.site.store().await.forget_expired().await.expect("a sweep");
    let session = scene.alices().await;
    scene.ends_nothing(&session, &token).await;
}

async fn a_good_one_ends_exactly_its_sessions(backend: Backend) {
    let scene = Scene::start_on(backend, &[]).await;
    let sign_in = async |name: &str, sid: &str| {
        let (browser, mut claims) = (Browser::default(), person(name));
        claims["sid"] = json!(sid);
        scene.sign_in_as(&browser, &claims).await;
        scene.session(&browser).expect("a session")
    };
    let at_home = sign_in("alice", "home").await;
    let at_work = sign_in("alice", "work").await;
    let also_at_work = sign_in("alice", "work").await;
    let bobs = sign_in("bob", "bobs").await;
    let living = async || {
        let mut living = Vec::new();
        for session in [&at_home, &at_work, &also_at_work, &bobs] {
            living.push(scene.lives(session).await);
        }
        living
    };
    // Of Bob, by Alice's login: nobody's.
    let crossed = json!({ "sub": "subject-of-bob", "sid": "home" });
    scene.told(&scene.of_alice(&crossed)).await.expect(200);
    let unknown = json!({ "sub": "subject-of-nobody", "sid": null });
    scene.told(&scene.of_alice(&unknown)).await.expect(200);
    assert_eq!(living().await, [true; 4]);
    scene
        .told(&scene.of_alice(&json!({ "sub": null, "sid": "work" })))
        .await
        .expect(200);
    assert_eq!(living().await, [true, false, false, true]);
    let again = sign_in("alice", "again").await;
    scene
        .told(&scene.of_alice(&json!({ "sid": "again" })))
        .await
        .expect(200);
    assert!(!scene.lives(&again).await);
    assert_eq!(living().await, [true, false, false, true]);
    scene
        .told(&scene.of_alice(&json!({ "sid": null })))
        .await
        .expect(200);
    assert_eq!(living().await, [false, false, false, true]);
}

#[tokio::test]
async fn a_logout_token_with_a_nonce() {
    let scene = Scene::start().await;
    scene
        .end_nothing(&[
            json!({ "nonce": "n" }),
            json!({ "nonce": "" }),
            json!({ "nonce": 1 }),
        ])
        .await;
}

#[tokio::test]
async fn a_logout_token_without_the_event() {
    let scene = Scene::start().await;
    scene
        .end_nothing(&[
            json!({ "events": null }),
            json!({ "events": {} }),
            json!({ "events": [EVENT] }),
            json!({ "events": EVENT }),
            json!({ "events": { EVENT: true } }),
            json!({ "events": { "http://schemas.openid.net/event/other": {} } }),
        ])
        .await;
}

#[tokio::test]
async fn a_logout_token_for_another_client() {
    let scene = Scene::start().await;
    scene
        .end_nothing(&[
            json!({ "aud": "another-client" }),
            json!({ "aud": "sidereal-api" }),
            json!({ "aud": ["a", "b"] }),
            json!({ "aud": [] }),
            json!({ "aud": null }),
        ])
        .await;
}

#[tokio::test]
async fn a_logout_token_of_another_issuer() {
    let scene = Scene::start().await;
    let own = scene.issuer.issuer().to_owned();
    scene
        .end_nothing(&[
            json!({ "iss": "https://evil.example" }),
            json!({ "iss": [own] }),
            json!({ "iss": null }),
        ])
        .await;
}

#[tokio::test]
async fn a_logout_token_of_nobody() {
    let scene = Scene::start().await;
    scene
        .end_nothing(&[
            json!({ "sub": null, "sid": null }),
            json!({ "sub": "", "sid": null }),
            json!({ "sub": null, "sid": "" }),
        ])
        .await;
}

#[tokio::test]
async fn a_logout_token_without_an_id() {
    let scene = Scene::start().await;
    scene
        .end_nothing(&[json!({ "jti": null }), json!({ "jti": "" }), json!({ "jti": 1 })])
        .await;
}

#[tokio::test]
async fn a_logout_token_out_of_its_time() {
    let scene = Scene::start().await;
    scene
        .end_nothing(&[
            json!({ "exp": null }),
            json!({ "exp": now() - 60 }),
            json!({ "exp": now() + 25 * 3600 }),
            json!({ "iat": null }),
            json!({ "iat": now() + 120 }),
            json!({ "nbf": now() + 120 }),
        ])
        .await;
}

#[tokio::test]
async fn a_logout_token_that_is_another_kind_of_token() {
    let scene = Scene::start().await;
    let session = scene.alices().await;
    let access = scene.token("alice");
    for token in [
        scene.issuer.id_token(&access, &person("alice")),
        scene
            .issuer
            .id_token(&access, &json!({ "sub": "subject-of-alice", "typ": null })),
        scene
            .issuer
            .token(&json!({ "sub": "subject-of-alice", "aud": "sidereal-web" })),
        scene.of_alice(&json!({ "typ": "ID" })),
        scene.of_alice(&json!({ "typ": "Bearer" })),
        access,
    ] {
        scene.ends_nothing(&session, &token).await;
    }
    for token in ["", "x", "x.y.z", "sdr_x"] {
        scene.told(token).await.expect(400);
    }
    assert!(scene.lives(&session).await);
}

#[tokio::test]
async fn a_logout_token_that_is_not_the_providers() {
    let scene = Scene::start().await;
    let session = scene.alices().await;
    let good = scene.of_alice(&json!({}));
    let (_, claims) = parts(&good);
    let key = scene.issuer.key();
    let (kid, typ) = (key.kid(), "logout+jwt");
    for token in [
        key.sign(&json!({ "typ": typ, "alg": "none" }), &claims),
        key.sign(&json!({ "typ": typ, "alg": "HS256" }), &claims),
        key.sign(&json!({ "typ": typ, "alg": "PS256" }), &claims),
        Key::rsa().sign(&json!({ "typ": typ, "kid": kid }), &claims),
        Key::rsa().sign(&json!({ "typ": typ }), &claims),
        key.sign(&json!({ "typ": "at+jwt" }), &claims),
        good[..good.len() - 8].to_owned(),
    ] {
        scene.ends_nothing(&session, &token).await;
    }
}

#[tokio::test]
async fn a_logout_token_in_the_wrong_place() {
    let scene = Scene::start().await;
    let session = scene.alices().await;
    let token = scene.of_alice(&json!({}));
    let path = "/account/backchannel-logout";
    let post = || scene.site.request(Method::POST, path);
    scene
        .site
        .send(post().json(&json!({ "logout_token": token })))
        .await;
    scene.site.send(post().bearer_auth(&token)).await.expect(400);
    scene
        .site
        .send(post().form(&[("logout_token", &token), ("logout_token", &token)]))
        .await
        .expect(400);
    scene
        .site
        .get(&format!("{path}?logout_token={token}"))
        .await
        .expect(405);
    assert!(scene.lives(&session).await);
}

/// Its URL would be in the logs of proxies, the token in it still good.
#[tokio::test]
async fn a_logout_token_in_the_url() {
    let scene = Scene::start().await;
    let session = scene.alices().await;
    let token = scene.of_alice(&json!({}));
    let path = format!("/account/backchannel-logout?logout_token={token}");
    scene.site.post(&path, &[]).await.expect(400);
    assert!(scene.lives(&session).await);
}
