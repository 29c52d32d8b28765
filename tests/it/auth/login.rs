//! Logins through the real Keycloak: in, out in both directions, refreshed, disabled, with new keys; programs too.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::oidc;
use crate::harness::{Backend, Browser, Realm, Reply, Site, rewrite};

/// Only to end a test that would hang.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server behind the realm.
async fn served(realm: &Realm) -> Site {
    let site = Site::start_with(Backend::Embedded, &oidc(&realm.issuer(), realm.secret())).await;
    realm.allow(&site.address).await;
    site
}

/// Where a login begins that ends at this path.
fn page(site: &Site, next: &str) -> String {
    format!("{}/account/login?next={next}", site.address)
}

/// A browser that a person has logged in with.
async fn logged_in(site: &Site, realm: &Realm, user: &str) -> Browser {
    let browser = Browser::default();
    let back = realm.log_in(&browser, &page(site, "/api/v1/me"), user).await;
    browser.follow(back).await.expect(200);
    browser
}

async fn me(site: &Site, browser: &Browser) -> Reply {
    browser.send(site.request(Method::GET, "/api/v1/me")).await
}

/// Asks again and again, until it is told this. Nothing tells a browser that its session has ended.
async fn until_told(site: &Site, browser: &Browser, status: u16) {
    let mut turns = tokio::time::interval(Duration::from_millis(100));
    let asking = async {
        loop {
            turns.tick().await;
            if me(site, browser).await.status == status {
                return;
            }
        }
    };
    let told = tokio::time::timeout(PATIENCE, asking).await;
    assert!(told.is_ok(), "still {:?}", me(site, browser).await.text());
}

#[tokio::test]
async fn a_person_logs_in_works_and_logs_out() {
    let Some(realm) = Realm::new().await else { return };
    let site = served(&realm).await;
    let browser = Browser::default();

    me(&site, &browser).await.expect(401);
    let back = realm.log_in(&browser, &page(&site, "/api/v1/me"), "alice").await;
    let callback = browser.get(back.next().as_str()).await.expect(303);
    let cookie = callback.header("set-cookie").expect("a session").to_owned();
    for part in ["sidereal=", "HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    // Plain http has no Secure cookies that a server could count on.
    assert!(!cookie.contains("Secure"), "{cookie}");
    assert_eq!(callback.next().path(), "/api/v1/me");
    let seen: Value = browser.follow(callback).await.expect(200).json();
    assert_eq!(
        (&seen["name"], &seen["roles"], &seen["by"]),
        (&json!("alice"), &json!(["user"]), &json!("session"))
    );

    let create = site
        .request(Method::POST, "/api/echo/async")
        .form(&[("PHASE", "RUN")]);
    browser.send(create).await.expect(403);
    let create = site
        .request(Method::POST, "/api/echo/async")
        .header("Sidereal-Request", "1")
        .header("Origin", &site.address)
        .form(&[("PHASE", "RUN")]);
    let job = browser.send(create).await.expect(303);
    let owner = browser
        .get(&format!("{}/owner", job.location()))
        .await
        .expect(200);
    assert_eq!(owner.text(), "alice");

    // The callback's URL is worth nothing a second time, and does not end the login.
    let again = browser.get(back.next().as_str()).await.expect(400);
    assert!(
        again
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("text/html"))
    );
    assert_eq!(again.text().matches("<a ").count(), 1, "{}", again.text());
    me(&site, &browser).await.expect(200);

    let out = site
        .request(Method::POST, "/account/logout")
        .header("Sidereal-Request", "1")
        .header("Sec-Fetch-Site", "same-origin");
    let out: Value = browser.send(out).await.expect(200).json();
    let location = out["location"].as_str().expect("where to go");
    me(&site, &browser).await.expect(401);
    let way_out = browser.get(location).await.expect(303);
    assert!(
        way_out.location().starts_with(&realm.issuer()),
        "{}",
        way_out.location()
    );
    let home = browser.get(way_out.location()).await.expect(302);
    assert!(
        home.location().starts_with(&format!("{}/", site.address)),
        "{}",
        home.location()
    );
    // The login is over at Keycloak too: it asks again.
    let asked = browser.open(&page(&site, "/")).await.expect(200);
    assert!(asked.text().contains("kc-form-login"), "{}", asked.text());
}

/// Keycloak is not told which login it was, and asks.
#[tokio::test]
async fn a_session_that_is_forgotten_is_logged_out_of_keycloak_with_a_question() {
    let Some(realm) = Realm::new().await else { return };
    let site = served(&realm).await;
    let browser = logged_in(&site, &realm, "alice").await;
    rewrite(site.store().await.url(), "DELETE FROM session").await;
    me(&site, &browser).await.expect(401);
    let out = site
        .request(Method::POST, "/account/logout")
        .header("Sidereal-Request", "1")
        .header("Sec-Fetch-Site", "same-origin");
    let out: Value = browser.send(out).await.expect(200).json();
    assert_eq!(browser.cookie(&site.address, "sidereal"), None);
    let question = browser.open(out["location"].as_str().expect("a place")).await;
    let question = question.expect(200);
    assert!(question.text().contains("logout-confirm"), "{}", question.text());
    browser.submit(&question, &[("confirmLogout", "Logout")]).await;
    let asked = browser.open(&page(&site, "/")).await.expect(200);
    assert!(asked.text().contains("kc-form-login"), "{}", asked.text());
}

#[tokio::test]
async fn a_logout_at_keycloak_ends_the_session_here() {
    let Some(realm) = Realm::new().await else { return };
    let site = served(&realm).await;
    let (alice, bob) = (
        logged_in(&site, &realm, "alice").await,
        logged_in(&site, &realm, "bob").await,
    );
    realm.log_out("alice").await;
    // Keycloak tells us before it answers its administrator.
    until_told(&site, &alice, 401).await;
    me(&site, &bob).await.expect(200);
}

#[tokio::test]
async fn a_session_is_renewed_and_ends_with_the_account() {
    let Some(realm) = Realm::with(&json!({ "accessTokenLifespan": 2 })).await else {
        return;
    };
    let site = served(&realm).await;
    let browser = logged_in(&site, &realm, "alice").await;
    realm.set_enabled("alice", false).await;
    until_told(&site, &browser, 401).await;
    // Enabled again, the old session stays dead.
    realm.set_enabled("alice", true).await;
    me(&site, &browser).await.expect(401);
    logged_in(&site, &realm, "alice").await;
}

#[tokio::test]
async fn roles_that_are_taken_away_are_gone_with_the_next_renewal() {
    let Some(realm) = Realm::with(&json!({ "accessTokenLifespan": 2 })).await else {
        return;
    };
    let site = served(&realm).await;
    let browser = logged_in(&site, &realm, "olga").await;
    realm.remove_roles("olga").await;
    until_told(&site, &browser, 403).await;
    me(&site, &browser).await.expect(401);
}

#[tokio::test]
async fn an_account_without_a_role_is_told_so() {
    let Some(realm) = Realm::new().await else { return };
    let site = served(&realm).await;
    let browser = Browser::default();
    let back = realm.log_in(&browser, &page(&site, "/"), "norole").await;
    let told = browser.follow(back).await.expect(403);
    assert!(told.text().contains("no role here"), "{}", told.text());
    let request = site
        .request(Method::GET, "/api/v1/me")
        .bearer_auth(realm.token("norole").await);
    site.send(request).await.expect(403);
}

#[tokio::test]
async fn programs_send_tokens_also_ones_of_new_keys() {
    let Some(realm) = Realm::new().await else { return };
    let site = served(&realm).await;
    let name = async |token: String| -> Value {
        let request = site.request(Method::GET, "/api/v1/me").bearer_auth(token);
        site.send(request).await.expect(200).json::<Value>()["name"].clone()
    };
    assert_eq!(name(realm.token("alice").await).await, "alice");
    assert_eq!(
        name(realm.worker_token().await).await,
        "service-account-sidereal-worker"
    );
    let before = realm.token("bob").await;
    realm.rotate_keys().await;
    assert_eq!(name(realm.token("alice").await).await, "alice");
    assert_eq!(name(before).await, "bob");
}

#[tokio::test]
async fn an_api_token_is_shown_once_works_and_is_revoked() {
    let Some(realm) = Realm::new().await else { return };
    let site = served(&realm).await;
    let alice = realm.token("alice").await;
    let wanted = json!({ "name": "nightly", "scopes": ["read", "write"], "expires": soon() });
    let create = site
        .request(Method::POST, "/account/token/create")
        .bearer_auth(&alice)
        .json(&wanted);
    let created: Value = site.send(create).await.expect(201).json();
    let token = created["token"].as_str().expect("the token").to_owned();
    assert!(token.starts_with("sdr_"), "{token}");

    let post = site
        .request(Method::POST, "/api/echo/async")
        .bearer_auth(&token)
        .form(&[("A", "1")]);
    site.send(post).await.expect(303);
    let list = site.request(Method::GET, "/account/token").bearer_auth(&alice);
    let list = site.send(list).await.expect(200);
    assert!(!list.text().contains(&token), "{}", list.text());
    let list: Value = list.json();
    assert_eq!(list["items"][0]["name"], "nightly");
    assert!(list["items"][0]["lastUsed"].is_string(), "{list}");

    let id = created["id"].as_str().expect("its id");
    let revoke = |who: &str| {
        site.request(Method::DELETE, &format!("/account/token/{id}"))
            .bearer_auth(who)
    };
    let bob = realm.token("bob").await;
    site.send(revoke(&bob)).await.expect(404);
    site.send(revoke(&alice)).await.expect(204);
    let refused = site.request(Method::GET, "/api/v1/me").bearer_auth(&token);
    let refused = site.send(refused).await.expect(401);
    assert!(
        refused
            .header("www-authenticate")
            .is_some_and(|said| said.contains("invalid_token"))
    );
}

/// A day from now.
fn soon() -> String {
    let now = sidereal::uws::Timestamp::of_this_host();
    let soon = sidereal::uws::Timestamp::from_millis(now.millis() + 86_400_000);
    soon.expect("a time").to_string()
}
