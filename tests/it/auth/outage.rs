//! The provider of logins is away, by the fake issuer: the real one cannot be away for one test alone.

use reqwest::Method;
use serde_json::json;

use super::oidc;
use crate::harness::{Backend, Issuer, Site};

#[tokio::test]
async fn known_keys_go_on_without_the_provider_and_readiness_says_degraded() {
    let issuer = Issuer::start();
    let settings = oidc(issuer.issuer(), "a secret that is long enough");
    let site = Site::start_with(Backend::Embedded, &settings).await;
    let token = issuer.token(&json!({}));
    let me = || site.request(Method::GET, "/api/v1/me").bearer_auth(&token);
    site.send(me()).await.expect(200);
    issuer.set_down(true);
    site.send(me()).await.expect(200);
    let ready = site.get("/readyz").await.expect(200);
    assert!(ready.text().starts_with("degraded"), "{}", ready.text());

    // A server that starts meanwhile knows no key: it says so, and is no less alive.
    let later = site.replica().await;
    later.get("/livez").await.expect(200);
    later
        .send(later.request(Method::GET, "/api/v1/me").bearer_auth(&token))
        .await
        .expect(503);
    let login = later.get("/account/login").await.expect(503);
    assert!(login.text().contains("does not answer"), "{}", login.text());
    issuer.set_down(false);
}
