//! Logouts that go on to the provider, by the fake issuer: no token in the page, a way out that is good once, also for a
//! session that has ended; and a provider whose word could not be obeyed at first.

use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use super::attacks::{Scene, person};
use crate::harness::{Backend, Browser, Reply, on_both_back_ends, rewrite};

on_both_back_ends!(
    the_way_out_is_good_once_at_any_replica,
    the_provider_may_say_again_what_could_not_be_done,
);

/// The ID token in the URL of the issuer's page.
fn hint(url: &Url) -> Option<String> {
    let found = url.query_pairs().find(|(name, _)| name == "id_token_hint");
    found.map(|(_, token)| token.into_owned())
}

impl Scene {
    /// Alice's login, with the ID token that she was given.
    async fn alice(&self) -> (Browser, String) {
        let browser = Browser::default();
        let begun = self.begin(&browser).await;
        let login = self.issuer.login(&begun.nonce, &person("alice"));
        let id_token = login["id_token"].as_str().expect("an ID token").to_owned();
        self.come_back_with(&browser, &begun, login).await.expect(303);
        (browser, id_token)
    }

    /// Whether this is the issuer's page of logouts, and comes back to us.
    fn is_way_out(&self, url: &Url) -> bool {
        let value = |name: &str| {
            let found = url.query_pairs().find(|(key, _)| key == name);
            found.map(|(_, value)| value.into_owned())
        };
        url.as_str().starts_with(self.issuer.issuer())
            && value("client_id").as_deref() == Some("sidereal-web")
            && value("post_logout_redirect_uri") == Some(self.url("/"))
    }
}

async fn the_way_out_is_good_once_at_any_replica(backend: Backend) {
    let scene = Scene::start_on(backend, &[]).await;
    let other = scene.site.replica().await;
    for at in [&scene.site, &other] {
        let (browser, id_token) = scene.alice().await;
        let session = scene.session(&browser).expect("a session");
        let (reply, location) = scene.log_out(&browser).await;
        assert_eq!(scene.session(&browser), None);
        assert!(!scene.lives(&session).await);
        // Nothing of the provider's reaches the page.
        let said = format!("{:?} {}", reply.headers, reply.text());
        assert!(!said.contains("id_token") && !said.contains(&id_token), "{said}");
        let path = location.strip_prefix(&scene.site.address).expect("a URL of ours");
        assert!(path.starts_with("/account/logout/"), "{path}");

        let way_out = at.get(path).await.expect(303);
        assert_eq!(hint(&way_out.next()), Some(id_token));
        // Its public URL is the address that it listens at.
        let back = way_out.location().replace(
            &form_urlencoded::byte_serialize(at.address.as_bytes()).collect::<String>(),
            &scene.site.address,
        );
        assert!(scene.is_way_out(&back.parse().expect("a URL")), "{back}");
        assert_eq!(way_out.header("cache-control"), Some("no-store"));
        assert_eq!(way_out.header("referrer-policy"), Some("no-referrer"));
        for again in [&other, &scene.site] {
            let home = again.get(path).await.expect(303);
            assert_eq!(home.location(), format!("{}/", again.address));
            assert!(home.text().is_empty(), "{}", home.text());
        }
    }
}

#[tokio::test]
async fn a_way_out_ends_after_a_minute() {
    let scene = Scene::start().await;
    let home = scene.url("/");
    let (browser, _) = scene.alice().await;
    let (_, location) = scene.log_out(&browser).await;
    scene
        .rewrite("UPDATE logout SET created_at = created_at - 60000")
        .await;
    assert_eq!(browser.get(&location).await.expect(303).location(), home);
    scene.site.store().await.forget_expired().await.expect("a sweep");
    for guess in ["x".to_owned(), "A".repeat(43), "%00".to_owned()] {
        let reply = scene.site.get(&format!("/account/logout/{guess}")).await;
        assert_eq!(reply.expect(303).location(), home, "{guess}");
    }
}

#[tokio::test]
async fn what_is_kept_of_a_logout_says_nothing() {
    let scene = Scene::start().await;
    let (browser, id_token) = scene.alice().await;
    let (_, location) = scene.log_out(&browser).await;
    let secret = location.rsplit('/').next().expect("a secret");
    let mut kept = Vec::new();
    for file in std::fs::read_dir(scene.site.home().join("data")).expect("the data") {
        let path = file.expect("a file").path();
        if path.is_file() {
            kept.extend(std::fs::read(path).expect("a file"));
        }
    }
    let holds = |text: &str| kept.windows(text.len()).any(|window| window == text.as_bytes());
    // What is looked through is the database.
    assert!(holds("subject-of-alice"));
    let (_, signature) = id_token.rsplit_once('.').expect("a signature");
    assert!(!holds(signature) && !holds(secret));
    // It is there, all the same.
    assert_eq!(hint(&browser.get(&location).await.next()), Some(id_token));
}

/// The browser is rid of its cookie and may still end its login at the provider, which asks.
#[tokio::test]
async fn a_session_that_has_ended_is_logged_out_of_the_provider() {
    let scene = Scene::start().await;
    // Run out, it is still known which login it was of.
    for end in [
        "UPDATE session SET expires_at = created_at",
        "UPDATE session SET seen_at = seen_at - 28800000",
    ] {
        let (browser, id_token) = scene.alice().await;
        scene.rewrite(end).await;
        let (_, location) = scene.log_out(&browser).await;
        assert_eq!(scene.session(&browser), None, "{end}");
        assert_eq!(
            hint(&browser.get(&location).await.expect(303).next()),
            Some(id_token)
        );
    }
    // Forgotten, ended by the provider, sealed by another secret, or never there.
    let forgotten = async |sql: &str| {
        let (browser, _) = scene.alice().await;
        scene.rewrite(sql).await;
        browser
    };
    let unknown = Browser::default();
    let root: Url = scene.url("/").parse().expect("a URL");
    unknown.keep(&root, &format!("sidereal={}; Path=/", "A".repeat(43)));
    let (odd, empty) = (Browser::default(), Browser::default());
    odd.keep(&root, "sidereal=x; Path=/");
    empty.keep(&root, "sidereal=; Path=/");
    for browser in [
        forgotten("DELETE FROM session").await,
        forgotten("UPDATE session SET sealed = id_hash").await,
        unknown,
        odd,
        empty,
    ] {
        let (reply, location) = scene.log_out(&browser).await;
        assert!(
            reply
                .header("set-cookie")
                .expect("a cookie")
                .contains("Max-Age=0")
        );
        assert_eq!(scene.session(&browser), None);
        let location: Url = location.parse().expect("a URL");
        assert!(
            scene.is_way_out(&location) && hint(&location).is_none(),
            "{location}"
        );
    }
}

#[tokio::test]
async fn who_has_no_session_is_not_logged_out() {
    let scene = Scene::start().await;
    let (browser, _) = scene.alice().await;
    let session = scene.session(&browser).expect("a session");
    // A page that is not ours, with the cookie.
    let post = || scene.by_session(Method::POST, "/account/logout", &session);
    Reply::to(post()).await.expect(403);
    Reply::to(post().header("Origin", "https://evil.example"))
        .await
        .expect(403);
    // A token, which goes before any cookie, good or not; and nothing at all.
    let token = scene.token("alice");
    for request in [
        post().bearer_auth(&token),
        post().bearer_auth("none"),
        scene.site.request(Method::POST, "/account/logout"),
    ] {
        let reply = Reply::to(request).await.expect(200);
        assert_eq!(reply.json::<Value>(), json!({ "location": scene.url("/") }));
        assert_eq!(reply.header("set-cookie"), None);
    }
    assert!(scene.lives(&session).await);
}

#[tokio::test]
async fn without_the_provider_a_logout_leads_home() {
    let scene = Scene::start().await;
    let home = scene.url("/");
    let (known, _) = scene.alice().await;
    let unknown = Browser::default();
    unknown.keep(&home.parse().expect("a URL"), "sidereal=x; Path=/");
    // A server that has never asked it.
    let other = scene.site.replica().await;
    scene.issuer.set_down(true);
    let (_, location) = scene.log_out(&known).await;
    let path = location.strip_prefix(&scene.site.address).expect("a URL of ours");
    let reply = other.get(path).await.expect(303);
    assert_eq!(reply.location(), format!("{}/", other.address));
    let request = other
        .request(Method::POST, "/account/logout")
        .header("Origin", &other.address)
        .header("Sidereal-Request", "1")
        .header("Cookie", "sidereal=x");
    let reply: Value = other.send(request).await.expect(200).json();
    assert_eq!(reply["location"], format!("{}/", other.address));
}

/// A logout token counts once it has been obeyed, not when that has failed.
async fn the_provider_may_say_again_what_could_not_be_done(backend: Backend) {
    let scene = Scene::start_on(backend, &[]).await;
    let (browser, _) = scene.alice().await;
    let session = scene.session(&browser).expect("a session");
    let token = scene
        .issuer
        .logout_token(&json!({ "sub": "subject-of-alice", "sid": null }));
    let tell = async || {
        let request = scene.site.request(Method::POST, "/account/backchannel-logout");
        scene.site.send(request.form(&[("logout_token", &token)])).await
    };
    // What a row refers to cannot be deleted.
    let store = scene.site.store().await;
    let pin = "CREATE TABLE pin (id BYTEA REFERENCES session (id_hash)); INSERT INTO pin SELECT id_hash FROM session";
    rewrite(store.url(), pin).await;
    tell().await.expect(503);
    assert!(scene.lives(&session).await);
    rewrite(store.url(), "DELETE FROM pin").await;
    tell().await.expect(200);
    assert!(!scene.lives(&session).await);
    tell().await.expect(400);
}
