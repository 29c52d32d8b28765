//! Tokens that are not good, and good ones in the wrong place.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Scene, person};
use crate::harness::{Backend, Browser, Issuer, Key, Reply, now, on_both_back_ends};
use crate::uws::LIST;

on_both_back_ends!(
    a_bad_bearer_beside_a_good_cookie,
    a_flood_of_forged_key_ids_is_one_request_to_the_provider,
);

const ALGORITHM: &str = "the token is signed by another algorithm than its key is for";
const SIGNATURE: &str = "the signature of the token is wrong";
const UNKNOWN_KEY: &str = "the token is signed by no key of the provider";
const AUDIENCE: &str = "the token is for another audience";
const ISSUER: &str = "the token is of another issuer";
const NOT_ACCESS: &str = "the token is no access token of type Bearer";
const MALFORMED: &str = "the token is no signed JSON Web Token";

impl Scene {
    /// Sends the token where a good one is let in: 401, the challenge says why, and what would be done is not done.
    async fn refuses(&self, token: &str, why: &str) {
        for request in [
            self.by_token(Method::GET, "/api/v1/me", token),
            self.by_token(Method::GET, LIST, token),
            self.by_token(Method::POST, LIST, token).form(&[("X", "1")]),
        ] {
            let refused = self.site.send(request).await.expect(401);
            let challenge = refused.header("www-authenticate").expect("a challenge");
            assert_eq!(
                challenge,
                format!("Bearer realm=\"sidereal\", error=\"invalid_token\", error_description=\"{why}\""),
                "{token}"
            );
            assert!(!refused.text().contains(token), "{}", refused.text());
        }
    }

    /// As `refuses`, for a good token with other claims; and a good one beside it is let in, and has made nothing.
    async fn refuses_claims(&self, claims: &[(Value, &str)]) {
        for (claims, why) in claims {
            self.refuses(&self.issuer.token(claims), why).await;
        }
        self.takes_good_ones().await;
    }

    async fn takes_good_ones(&self) {
        let token = self.issuer.token(&json!({}));
        let me: Value = self.get("/api/v1/me", &token).await.expect(200).json();
        assert_eq!((&me["name"], &me["by"]), (&json!("alice"), &json!("provider")));
        let jobs: Value = self.get("/api/v1/jobs", &token).await.expect(200).json();
        assert_eq!(jobs["items"], json!([]));
    }
}

/// The claims of a good token under this header.
fn under(issuer: &Issuer, header: &Value) -> String {
    issuer.key().sign(header, &issuer.claims(&json!({})))
}

#[tokio::test]
async fn alg_none() {
    let scene = Scene::start().await;
    for algorithm in ["none", "None", "NONE", "nOnE", ""] {
        let token = under(&scene.issuer, &json!({ "alg": algorithm }));
        scene.refuses(&token, ALGORITHM).await;
        scene.refuses(token.trim_end_matches('.'), MALFORMED).await;
    }
    let good = scene.issuer.token(&json!({}));
    let (signed, _) = good.rsplit_once('.').expect("a signature");
    scene.refuses(&format!("{signed}."), SIGNATURE).await;
    scene.refuses(signed, MALFORMED).await;
    scene.refuses(&format!("{good}.{good}"), MALFORMED).await;
    scene.takes_good_ones().await;
}

#[tokio::test]
async fn hs256_with_the_rsa_public_key_as_the_secret() {
    let scene = Scene::start().await;
    scene
        .refuses(&under(&scene.issuer, &json!({ "alg": "HS256" })), ALGORITHM)
        .await;
    scene.takes_good_ones().await;
}

#[tokio::test]
async fn an_algorithm_that_the_key_is_not_for() {
    let scene = Scene::start().await;
    for algorithm in ["RS384", "RS512", "PS256", "ES256", "EdDSA", "RSA-OAEP", "rs256"] {
        scene
            .refuses(&under(&scene.issuer, &json!({ "alg": algorithm })), ALGORITHM)
            .await;
    }
    // Our own algorithm, by a key of another kind that says it is the provider's.
    let own = Key::ec();
    let header = json!({ "kid": scene.issuer.key().kid() });
    let token = own.sign(&header, &scene.issuer.claims(&json!({})));
    scene.refuses(&token, ALGORITHM).await;
    scene.takes_good_ones().await;
}

#[tokio::test]
async fn claims_changed_after_the_signature() {
    let scene = Scene::start().await;
    let good = scene.issuer.token(&json!({}));
    let parts: Vec<_> = good.split('.').collect();
    let claims = scene
        .issuer
        .claims(&json!({ "resource_access": { "sidereal-api": { "roles": ["admin"] } } }));
    let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
    scene
        .refuses(&[parts[0], &claims, parts[2]].join("."), SIGNATURE)
        .await;
    scene.takes_good_ones().await;
}

#[tokio::test]
async fn keys_that_the_token_brings_along_by_jku_x5u_jwk() {
    let scene = Scene::start().await;
    let evil = Issuer::start();
    let own = evil.key();
    let claims = scene.issuer.claims(&json!({}));
    let certs = format!("{}/protocol/openid-connect/certs", evil.issuer());
    for (name, value) in [
        ("jku", json!(certs)),
        ("x5u", json!(certs)),
        ("jwk", own.jwk()),
        ("x5c", json!(["MIIB"])),
    ] {
        // With the name of a key of the provider's, and with its own.
        let mut header = json!({ "kid": scene.issuer.key().kid() });
        header[name] = value;
        scene.refuses(&own.sign(&header, &claims), SIGNATURE).await;
        header["kid"] = json!(own.kid());
        scene.refuses(&own.sign(&header, &claims), UNKNOWN_KEY).await;
    }
    assert_eq!(evil.fetches(), 0);
    let critical = under(&scene.issuer, &json!({ "crit": ["exp"] }));
    scene
        .refuses(&critical, "the token has critical header fields")
        .await;
    scene.takes_good_ones().await;
}

#[tokio::test]
async fn odd_key_ids() {
    let scene = Scene::start().await;
    scene
        .refuses(
            &under(&scene.issuer, &json!({ "kid": null })),
            "the token names no key",
        )
        .await;
    for kid in [
        "",
        "../../../../dev/null",
        "x' OR '1'='1",
        "\u{0}",
        "a\r\nX-Evil: 1",
        "http://127.0.0.1:1/certs",
        &"k".repeat(8_000),
    ] {
        scene
            .refuses(&under(&scene.issuer, &json!({ "kid": kid })), UNKNOWN_KEY)
            .await;
    }
    for kid in [json!(1), json!(["a"]), json!({}), json!(true)] {
        scene
            .refuses(&under(&scene.issuer, &json!({ "kid": kid })), MALFORMED)
            .await;
    }
    scene.takes_good_ones().await;
}

#[tokio::test]
async fn a_key_that_is_not_for_signatures() {
    let scene = Scene::start().await;
    let (good, other) = (scene.issuer.key(), Key::rsa());
    for changes in [
        json!({ "use": "enc" }),
        json!({ "alg": "RSA-OAEP" }),
        json!({ "alg": "RS512" }),
        json!({ "key_ops": ["encrypt"] }),
    ] {
        let mut jwk = other.jwk();
        for (name, value) in changes.as_object().expect("an object") {
            jwk[name] = value.clone();
        }
        scene.issuer.publish(json!({ "keys": [good.jwk(), jwk] }));
        // A server of its own: keys are not asked for twice in 30 s.
        let scene = scene.site.replica().await;
        let token = other.sign(&json!({}), &Value::Null);
        let refused = scene
            .send(scene.request(Method::GET, "/api/v1/me").bearer_auth(token))
            .await
            .expect(401);
        assert!(refused.text().contains(UNKNOWN_KEY), "{}", refused.text());
    }
    scene.takes_good_ones().await;
}

async fn a_flood_of_forged_key_ids_is_one_request_to_the_provider(backend: Backend) {
    let scene = Scene::start_on(backend, &[]).await;
    scene.takes_good_ones().await;
    assert_eq!(scene.issuer.fetches(), 1);
    let forged = || Key::ec().sign(&json!({}), &scene.issuer.claims(&json!({})));
    let flood = (0..20).map(|_| async { scene.get("/api/v1/me", &forged()).await.expect(401) });
    futures::future::join_all(flood).await;
    for _ in 0..20 {
        scene.get("/api/v1/me", &forged()).await.expect(401);
    }
    assert_eq!(scene.issuer.fetches(), 2);
    scene.takes_good_ones().await;
}

#[tokio::test]
async fn a_wrong_or_missing_audience() {
    let scene = Scene::start().await;
    scene
        .refuses_claims(&[
            (json!({ "aud": "account" }), AUDIENCE),
            (json!({ "aud": "sidereal-web" }), AUDIENCE),
            (json!({ "aud": "sidereal-api2" }), AUDIENCE),
            (json!({ "aud": "Sidereal-Api" }), AUDIENCE),
            (json!({ "aud": "" }), AUDIENCE),
            (json!({ "aud": null }), "the token has no proper claim aud"),
            (json!({ "aud": 1 }), "the token has no proper claim aud"),
            (json!({ "aud": {} }), "the token has no proper claim aud"),
        ])
        .await;
}

#[tokio::test]
async fn an_array_of_audiences_without_ours() {
    let scene = Scene::start().await;
    scene
        .refuses_claims(&[
            (json!({ "aud": ["account", "sidereal-web"] }), AUDIENCE),
            (json!({ "aud": ["sidereal", "api"] }), AUDIENCE),
            (json!({ "aud": [] }), AUDIENCE),
        ])
        .await;
}

#[tokio::test]
async fn a_wrong_or_missing_issuer() {
    let scene = Scene::start().await;
    let own = scene.issuer.issuer().to_owned();
    scene
        .refuses_claims(&[
            (json!({ "iss": "https://evil.example/realms/fake" }), ISSUER),
            (json!({ "iss": format!("{own}/") }), ISSUER),
            (json!({ "iss": own.replace("/fake", "/other") }), ISSUER),
            (json!({ "iss": own.to_uppercase() }), ISSUER),
            (json!({ "iss": "" }), ISSUER),
            (json!({ "iss": null }), "the token has no proper claim iss"),
        ])
        .await;
}

#[tokio::test]
async fn an_array_of_issuers() {
    let scene = Scene::start().await;
    let own = scene.issuer.issuer().to_owned();
    scene
        .refuses_claims(&[
            (json!({ "iss": [own] }), ISSUER),
            (json!({ "iss": [own, "https://evil.example"] }), ISSUER),
        ])
        .await;
}

#[tokio::test]
async fn a_token_without_an_end_or_with_one_too_far() {
    let scene = Scene::start().await;
    let long = "the token is valid for more than 24 hours";
    scene
        .refuses_claims(&[
            (json!({ "exp": null }), "the token has no proper claim exp"),
            (json!({ "exp": "never" }), "the token has no proper claim exp"),
            (json!({ "exp": now() + 25 * 3600 }), long),
            (json!({ "exp": now() + 10 * 365 * 86_400 }), long),
            (json!({ "exp": now() - 60 }), "the token has expired"),
            (json!({ "exp": 0 }), "the token has expired"),
        ])
        .await;
}

#[tokio::test]
async fn a_token_of_the_future() {
    let scene = Scene::start().await;
    let future = "the token is not valid yet";
    scene
        .refuses_claims(&[
            (json!({ "nbf": now() + 120 }), future),
            (json!({ "iat": now() + 120 }), future),
        ])
        .await;
}

#[tokio::test]
async fn a_token_of_nobody() {
    let scene = Scene::start().await;
    let nobody = "the token has no proper claim sub";
    scene
        .refuses_claims(&[
            (json!({ "sub": null }), nobody),
            (json!({ "sub": "" }), nobody),
            (json!({ "sub": "a\nb" }), nobody),
            (json!({ "sub": "s".repeat(256) }), nobody),
        ])
        .await;
}

#[tokio::test]
async fn an_id_token_as_bearer() {
    let scene = Scene::start().await;
    let access = scene.issuer.token(&json!({}));
    scene
        .refuses(&scene.issuer.id_token(&access, &json!({})), AUDIENCE)
        .await;
    // Even one that is for us.
    scene
        .refuses_claims(&[(json!({ "typ": "ID" }), NOT_ACCESS)])
        .await;
}

#[tokio::test]
async fn a_refresh_token_as_bearer() {
    let scene = Scene::start().await;
    scene
        .refuses_claims(&[
            (json!({ "typ": "Refresh" }), NOT_ACCESS),
            (json!({ "typ": "Offline" }), NOT_ACCESS),
            (json!({ "typ": null }), NOT_ACCESS),
        ])
        .await;
    let token = under(&scene.issuer, &json!({ "alg": "HS512" }));
    scene.refuses(&token, ALGORITHM).await;
}

#[tokio::test]
async fn a_logout_token_as_bearer() {
    let scene = Scene::start().await;
    scene
        .refuses(&scene.issuer.logout_token(&json!({})), AUDIENCE)
        .await;
    scene
        .refuses(
            &scene.issuer.logout_token(&json!({ "aud": "sidereal-api" })),
            NOT_ACCESS,
        )
        .await;
    scene.takes_good_ones().await;
}

#[tokio::test]
async fn a_token_without_a_role_of_ours() {
    let scene = Scene::start().await;
    for access in [
        json!(null),
        json!({}),
        json!({ "sidereal-api": { "roles": [] } }),
        json!({ "sidereal-api": { "roles": ["Admin", "administrator", "user "] } }),
        json!({ "account": { "roles": ["admin"] }, "sidereal-web": { "roles": ["user"] } }),
    ] {
        let claims = json!({
            "resource_access": access, "realm_access": { "roles": ["admin", "user"] }, "roles": ["admin"],
        });
        let token = scene.issuer.token(&claims);
        let refused = scene.get("/api/v1/me", &token).await.expect(403);
        assert!(refused.text().contains("no role here"), "{}", refused.text());
        scene.post(LIST, &token, &[("X", "1")]).await.expect(403);
    }
    scene.takes_good_ones().await;
}

#[tokio::test]
async fn a_token_that_is_too_long() {
    let scene = Scene::start().await;
    let claims = json!({ "padding": "x".repeat(20_000) });
    scene
        .refuses_claims(&[(claims, "the token is longer than 16 KiB")])
        .await;
}

#[tokio::test]
async fn a_good_token_in_the_wrong_place() {
    let scene = Scene::start().await;
    let token = scene.token("alice");
    for name in ["access_token", "token", "bearer", "authorization"] {
        for path in [
            format!("/api/v1/me?{name}={token}"),
            format!("{LIST}?{name}={token}"),
        ] {
            scene.site.get(&path).await.expect(401);
        }
        scene.site.post(LIST, &[(name, &token)]).await.expect(401);
        let request = scene.site.request(Method::GET, "/api/v1/me");
        let cookie = format!("{name}={token}; sidereal={token}");
        Reply::to(request.header("Cookie", cookie)).await.expect(401);
    }
    // In the header, but not as the one bearer's token.
    let request = || scene.site.request(Method::GET, "/api/v1/me");
    for value in [
        token.clone(),
        format!("Basic {token}"),
        format!("Token {token}"),
        format!("Bearer{token}"),
        format!("Bearer {token}, Bearer {token}"),
        format!("Bearer {token} {token}"),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
    ] {
        scene
            .site
            .send(request().header("Authorization", value))
            .await
            .expect(401);
    }
    let twice = request().bearer_auth(&token).header("Authorization", "Bearer x");
    scene.site.send(twice).await.expect(401);
    scene.site.send(request().bearer_auth(&token)).await.expect(200);
}

async fn a_bad_bearer_beside_a_good_cookie(backend: Backend) {
    let scene = Scene::start_on(backend, &[]).await;
    let browser = Browser::default();
    scene.sign_in(&browser, "alice").await;
    let session = scene.session(&browser).expect("a session");
    assert!(scene.lives(&session).await);
    let expired = scene.issuer.token(&json!({ "exp": now() - 60 }));
    for value in [
        "Bearer x".to_owned(),
        "Bearer sdr_x".to_owned(),
        format!("Bearer {expired}"),
        "Bearer".to_owned(),
        "Basic YTpi".to_owned(),
        String::new(),
    ] {
        let request = scene
            .by_session(Method::GET, "/api/v1/me", &session)
            .header("Authorization", &value);
        let refused = Reply::to(request).await.expect(401);
        let challenge = refused.header("www-authenticate").expect("a challenge");
        assert!(
            challenge.starts_with("Bearer realm=\"sidereal\", error=\"invalid_token\""),
            "{value}: {challenge}"
        );
    }
    assert!(scene.lives(&session).await);
}

#[tokio::test]
async fn a_session_as_bearer_and_a_token_as_session() {
    let scene = Scene::start().await;
    let browser = Browser::default();
    scene.sign_in(&browser, "alice").await;
    let session = scene.session(&browser).expect("a session");
    scene.refuses(&session, MALFORMED).await;
    assert!(!scene.lives(&scene.token("alice")).await);
}

#[tokio::test]
async fn a_foreign_provider_with_the_same_key_id() {
    let scene = Scene::start().await;
    let evil = Issuer::start();
    let key: Arc<Key> = evil.key();
    let header = json!({ "kid": scene.issuer.key().kid() });
    let claims = scene.issuer.claims(&person("alice"));
    scene.refuses(&key.sign(&header, &claims), SIGNATURE).await;
    // All of it its own, too.
    scene.refuses(&evil.token(&person("alice")), UNKNOWN_KEY).await;
    assert_eq!(evil.fetches(), 0);
    scene.takes_good_ones().await;
}
