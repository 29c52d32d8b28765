//! Logins that someone else has begun, ended, bent or repeated.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::future::join;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use super::{Begun, COOKIE, Scene, person, with_role};
use crate::harness::{Backend, Browser, Issuer, Key, Reply, on_both_back_ends};

on_both_back_ends!(
    a_replayed_callback,
    a_callback_sent_twice_at_once,
    a_login_that_has_expired
);

const LOGIN_COOKIE: &str = "sidereal-login";

/// A page for people with one button to begin anew, and no session.
#[track_caller]
fn is_page_with_one_button(reply: &Reply, status: u16) {
    assert_eq!(reply.status, status, "{reply:?}");
    assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
    let text = reply.text();
    assert_eq!(text.matches("<a ").count(), 1, "{text}");
    assert!(
        text.contains("/account/login?next=") && !text.contains("<script"),
        "{text}"
    );
    assert_eq!(reply.header("set-cookie"), None);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let policy = reply.header("content-security-policy").expect("a policy");
    assert!(policy.contains("default-src 'none'"), "{policy}");
}

impl Scene {
    /// Whether no code was sent to the provider, and no session was made.
    fn nothing_came_of_it(&self, browser: &Browser) {
        assert_eq!(self.issuer.asked(), Vec::<Vec<_>>::new());
        assert_eq!(self.session(browser), None);
    }

    fn answer<'a>(&'a self, begun: &'a Begun) -> [(&'static str, &'a str); 3] {
        [
            ("code", "a-code"),
            ("state", &begun.state),
            ("iss", self.issuer.issuer()),
        ]
    }
}

/// The value of this field in a form that the token endpoint was sent.
fn field<'a>(form: &'a [(String, String)], name: &str) -> &'a str {
    let found = form.iter().find(|(key, _)| key == name);
    &found.unwrap_or_else(|| panic!("no {name} in {form:?}")).1
}

fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

#[tokio::test]
async fn a_state_that_was_never_given() {
    let scene = Scene::start().await;
    let browser = Browser::default();
    let begun = scene.begin(&browser).await;
    let iss = ("iss", scene.issuer.issuer());
    let code = ("code", "a-code");
    for query in [
        &[code, iss][..],
        &[code, iss, ("state", "")],
        &[code, iss, ("state", "x")],
        &[code, iss, ("state", &begun.nonce)],
        &[code, iss, ("state", &begun.state), ("state", "x")],
    ] {
        let reply = scene.come_back(&browser, query).await;
        is_page_with_one_button(&reply, 400);
    }
    scene.nothing_came_of_it(&browser);
    // The login that was begun has not suffered.
    scene
        .come_back_as(&browser, &begun, &person("alice"))
        .await
        .expect(303);
}

#[tokio::test]
async fn a_login_that_another_browser_has_begun() {
    let scene = Scene::start().await;
    let (mallory, alice) = (Browser::default(), Browser::default());
    // Mallory's own login, sent to Alice to make her work in Mallory's account: without a login of hers, and with one.
    for begins in [false, true] {
        if begins {
            scene.begin(&alice).await;
        }
        let begun = scene.begin(&mallory).await;
        let reply = scene.come_back(&alice, &scene.answer(&begun)).await;
        is_page_with_one_button(&reply, 400);
        scene.nothing_came_of_it(&alice);
    }
}

#[tokio::test]
async fn a_login_cookie_from_a_sibling_domain() {
    let scene = Scene::start().await;
    let (mallory, alice) = (Browser::default(), Browser::default());
    let begun = scene.begin(&mallory).await;
    scene.begin(&alice).await;
    let cookie = |browser: &Browser| browser.cookie(&scene.url("/"), LOGIN_COOKIE).expect("a login");
    // Beside hers, in either order, no one knows which is ours.
    for (first, second) in [(&alice, &mallory), (&mallory, &alice)] {
        let cookies = format!(
            "{LOGIN_COOKIE}={}; {LOGIN_COOKIE}={}",
            cookie(first),
            cookie(second)
        );
        let request = scene.site.request(Method::GET, "/account/callback");
        let request = request.query(&scene.answer(&begun)).header("Cookie", cookies);
        is_page_with_one_button(&Reply::to(request).await, 400);
    }
    scene.nothing_came_of_it(&alice);
}

async fn a_login_that_has_expired(backend: Backend) {
    let scene = Scene::start_on(backend, &[]).await;
    let browser = Browser::default();
    let begun = scene.begin(&browser).await;
    scene
        .rewrite("UPDATE login SET created_at = created_at - 600000")
        .await;
    let reply = scene.come_back(&browser, &scene.answer(&begun)).await;
    is_page_with_one_button(&reply, 400);
    scene.nothing_came_of_it(&browser);
}

#[tokio::test]
async fn a_foreign_nonce() {
    let scene = Scene::start().await;
    let browser = Browser::default();
    for nonce in ["another", ""] {
        let begun = scene.begin(&browser).await;
        scene
            .issuer
            .answer(200, scene.issuer.login(nonce, &person("mallory")));
        let reply = scene.come_back(&browser, &scene.answer(&begun)).await;
        is_page_with_one_button(&reply, 400);
        assert_eq!(scene.session(&browser), None);
    }
    // Of another login of the same browser.
    let (one, other) = (scene.begin(&browser).await, scene.begin(&browser).await);
    scene
        .issuer
        .answer(200, scene.issuer.login(&other.nonce, &person("alice")));
    let reply = scene.come_back(&browser, &scene.answer(&one)).await;
    is_page_with_one_button(&reply, 400);
    assert_eq!(scene.session(&browser), None);
}

#[tokio::test]
async fn a_code_of_another_login_meets_the_wrong_verifier() {
    let scene = Scene::start().await;
    let (mallory, alice) = (Browser::default(), Browser::default());
    let (hers, own) = (scene.begin(&alice).await, scene.begin(&mallory).await);
    for begun in [&hers, &own] {
        let method = begun
            .page
            .query_pairs()
            .find(|(name, _)| name == "code_challenge_method");
        assert_eq!(method.expect("a method").1, "S256");
    }
    assert_ne!(hers.challenge, own.challenge);
    // Alice's stolen code in Mallory's login: what a provider tells it by is the verifier, and it says no.
    let query = [
        ("code", "code-of-alice"),
        ("state", own.state.as_str()),
        ("iss", scene.issuer.issuer()),
    ];
    let reply = scene.come_back(&mallory, &query).await;
    is_page_with_one_button(&reply, 400);
    let asked = scene.issuer.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(field(&asked[0], "code"), "code-of-alice");
    assert_eq!(challenge(field(&asked[0], "code_verifier")), own.challenge);
    assert_eq!(scene.session(&mallory), None);
    // Alice's own login goes on, with her own verifier.
    scene
        .come_back_as(&alice, &hers, &person("alice"))
        .await
        .expect(303);
    let verifier = field(&scene.issuer.asked()[1], "code_verifier").to_owned();
    assert_eq!(challenge(&verifier), hers.challenge);
}

async fn a_replayed_callback(backend: Backend) {
    let scene = Scene::start_on(backend, &[]).await;
    let browser = Browser::default();
    let begun = scene.begin(&browser).await;
    scene
        .come_back_as(&browser, &begun, &person("alice"))
        .await
        .expect(303);
    let session = scene.session(&browser).expect("a session");
    // The provider would end the login if it saw the code again: it must not be asked.
    scene
        .issuer
        .answer(200, scene.issuer.login(&begun.nonce, &person("alice")));
    for _ in 0..2 {
        let reply = scene.come_back(&browser, &scene.answer(&begun)).await;
        is_page_with_one_button(&reply, 400);
    }
    assert_eq!(scene.issuer.asked().len(), 1);
    assert_eq!(scene.session(&browser), Some(session.clone()));
    assert!(scene.lives(&session).await);
}

async fn a_callback_sent_twice_at_once(backend: Backend) {
    let scene = Scene::start_on(backend, &[]).await;
    let browser = Browser::default();
    let begun = scene.begin(&browser).await;
    for _ in 0..2 {
        scene
            .issuer
            .answer(200, scene.issuer.login(&begun.nonce, &person("alice")));
    }
    let answer = scene.answer(&begun);
    let (one, other) = join(
        scene.come_back(&browser, &answer),
        scene.come_back(&browser, &answer),
    )
    .await;
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 400]);
    assert_eq!(scene.issuer.asked().len(), 1);
}

#[tokio::test]
async fn a_mixed_up_provider() {
    let scene = Scene::start().await;
    let browser = Browser::default();
    let own = scene.issuer.issuer().to_owned();
    let slash = format!("{own}/");
    for iss in [
        &[][..],
        &["https://evil.example/realms/fake"],
        &[""],
        &[slash.as_str()],
        &[own.as_str(), "https://evil.example"],
        &[own.as_str(), own.as_str()],
    ] {
        let begun = scene.begin(&browser).await;
        let mut query = vec![("code", "a-code"), ("state", begun.state.as_str())];
        query.extend(iss.iter().map(|iss| ("iss", *iss)));
        let reply = scene.come_back(&browser, &query).await;
        is_page_with_one_button(&reply, 400);
        // And its state is spent.
        let reply = scene.come_back(&browser, &scene.answer(&begun)).await;
        is_page_with_one_button(&reply, 400);
    }
    scene.nothing_came_of_it(&browser);
}

#[tokio::test]
async fn an_id_token_that_is_not_good() {
    let scene = Scene::start().await;
    let (issuer, browser) = (&scene.issuer, Browser::default());
    let access = issuer.token(&person("alice"));
    let own = |changes: Value| {
        let mut claims = person("alice");
        for (name, value) in changes.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        claims
    };
    let forged = Key::rsa();
    for (what, id_token) in [
        ("of someone else", own(json!({ "sub": "subject-of-mallory" }))),
        ("for another client", own(json!({ "aud": "another-client" }))),
        (
            "for two clients",
            own(json!({ "aud": ["sidereal-web", "evil"], "azp": "evil" })),
        ),
        ("of another issuer", own(json!({ "iss": "https://evil.example" }))),
        ("that has ended", own(json!({ "exp": 1_000_000_000 }))),
        (
            "of another access token",
            own(json!({ "at_hash": "AAAAAAAAAAAAAAAAAAAAAA" })),
        ),
        ("signed by none", Value::Null),
        ("signed by a stranger", Value::Null),
        ("missing", Value::Null),
    ] {
        let begun = scene.begin(&browser).await;
        let good = own(json!({ "nonce": begun.nonce }));
        let mut login = issuer.login(&begun.nonce, &person("alice"));
        login["access_token"] = json!(access);
        login["id_token"] = match what {
            "signed by none" => {
                let token = issuer.id_token(&access, &good);
                let (_, claims) = crate::harness::parts(&token);
                json!(issuer.key().sign(&json!({ "alg": "none" }), &claims))
            }
            "signed by a stranger" => {
                let token = issuer.id_token(&access, &good);
                let (_, claims) = crate::harness::parts(&token);
                json!(forged.sign(&json!({ "kid": issuer.key().kid() }), &claims))
            }
            "missing" => Value::Null,
            _ => {
                let mut claims = id_token.clone();
                claims["nonce"] = json!(begun.nonce);
                json!(issuer.id_token(&access, &claims))
            }
        };
        if what == "missing" {
            login.as_object_mut().expect("an object").remove("id_token");
        }
        issuer.answer(200, login);
        let reply = scene.come_back(&browser, &scene.answer(&begun)).await;
        assert_eq!(reply.status, 400, "{what}: {reply:?}");
        is_page_with_one_button(&reply, 400);
        assert_eq!(scene.session(&browser), None, "{what}");
    }
    let begun = scene.begin(&browser).await;
    scene
        .come_back_as(&browser, &begun, &person("alice"))
        .await
        .expect(303);
}

#[tokio::test]
async fn an_access_token_that_is_not_good() {
    let scene = Scene::start().await;
    let browser = Browser::default();
    for changes in [
        json!({ "azp": "sidereal-cli" }),
        json!({ "aud": "account" }),
        json!({ "typ": "ID" }),
        json!({ "iss": "https://evil.example" }),
        json!({ "exp": 1_000_000_000 }),
    ] {
        let begun = scene.begin(&browser).await;
        let reply = scene.come_back_as(&browser, &begun, &changes).await;
        is_page_with_one_button(&reply, 400);
        assert_eq!(scene.session(&browser), None, "{changes}");
    }
}

#[tokio::test]
async fn an_account_without_a_role() {
    let scene = Scene::start().await;
    let browser = Browser::default();
    let begun = scene.begin(&browser).await;
    let reply = scene
        .come_back_as(&browser, &begun, &with_role("alice", "none of ours"))
        .await;
    is_page_with_one_button(&reply, 403);
    assert_eq!(scene.session(&browser), None);
}

#[tokio::test]
async fn markup_in_what_the_provider_is_said_to_say() {
    let scene = Scene::start().await;
    let browser = Browser::default();
    let begun = scene.begin(&browser).await;
    let markup = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
    let query = [
        ("error", markup),
        ("error_description", markup),
        ("state", begun.state.as_str()),
        ("iss", scene.issuer.issuer()),
    ];
    let reply = scene.come_back(&browser, &query).await;
    is_page_with_one_button(&reply, 400);
    assert!(!reply.text().contains("<img"), "{}", reply.text());
    scene.nothing_came_of_it(&browser);
}

/// Where the browser is in the end, if `next` was this.
async fn ends(scene: &Scene, next: &str) -> Url {
    let browser = Browser::default();
    let begun = scene.begin_for(&browser, next).await;
    let reply = scene
        .come_back_as(&browser, &begun, &person("alice"))
        .await
        .expect(303);
    assert!(
        reply.location().starts_with(&scene.url("/")) && !reply.location()[8..].contains("//"),
        "{next:?}: {}",
        reply.location()
    );
    let url = reply.next();
    let own = Url::parse(&scene.site.address).expect("a URL");
    assert_eq!(url.origin(), own.origin(), "{next:?}");
    assert!(url.username().is_empty() && url.password().is_none(), "{next:?}");
    url
}

#[tokio::test]
async fn an_open_redirect_to_another_host() {
    let scene = Scene::start().await;
    for next in [
        "//evil.example",
        "///evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\r\n/evil.example",
        "https://evil.example/",
        "https:evil.example",
        "http:///evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        " //evil.example",
        "",
        "/..//evil.example",
        "/./\\evil.example",
    ] {
        assert_eq!(ends(&scene, next).await.path(), "/app/", "{next:?}");
    }
    assert_eq!(ends(&scene, "/app/jobs?phase=ERROR#x").await.path(), "/app/jobs");
}

#[tokio::test]
async fn an_open_redirect_by_encoding_and_userinfo() {
    let scene = Scene::start().await;
    for next in [
        // What is appended to `http://127.0.0.1:PORT` must not become its host.
        "@evil.example/",
        ":80@evil.example/",
        ".evil.example/",
        "//user:password@evil.example/",
        "/%2fevil.example",
        "/%2F%2Fevil.example",
        "/%5Cevil.example",
        "/%5c%5cevil.example",
        "%2f%2fevil.example",
        "/account/login?next=//evil.example",
        "/account/logout",
        "/x/../account/login",
        "/\u{ff0f}evil.example",
        "/app/\r\nSet-Cookie: sidereal=evil",
        "/app/\r\n\r\n<script>alert(1)</script>",
    ] {
        assert_eq!(ends(&scene, next).await.path(), "/app/", "{next:?}");
    }
    // Given twice, neither is meant; what is encoded twice is a path of ours.
    let browser = Browser::default();
    let url = scene.url("/account/login?next=/docs&next=//evil.example");
    let begun = Begun::of(browser.get(&url).await.expect(303).next());
    let reply = scene.come_back_as(&browser, &begun, &person("alice")).await;
    assert_eq!(reply.expect(303).location(), scene.url("/app/"));
}

#[tokio::test]
async fn a_session_fixed_before_the_login() {
    let scene = Scene::start().await;
    let root = Url::parse(&scene.url("/")).expect("a URL");
    let invented = "A".repeat(43);
    let alice = Browser::default();
    alice.keep(&root, &format!("{COOKIE}={invented}; Path=/"));
    scene.sign_in(&alice, "alice").await;
    assert_ne!(scene.session(&alice).as_deref(), Some(invented.as_str()));
    assert!(!scene.lives(&invented).await);

    // One that lives: Mallory's own, put into Alice's browser.
    let (mallory, victim) = (Browser::default(), Browser::default());
    scene.sign_in(&mallory, "mallory").await;
    let planted = scene.session(&mallory).expect("a session");
    victim.keep(&root, &format!("{COOKIE}={planted}; Path=/"));
    scene.sign_in(&victim, "alice").await;
    let own = scene.session(&victim).expect("a session");
    assert_ne!(own, planted);
    assert!(scene.lives(&own).await);
    assert!(!scene.lives(&planted).await);
}

#[tokio::test]
async fn a_session_from_before_the_next_login() {
    let scene = Scene::start().await;
    let browser = Browser::default();
    scene.sign_in(&browser, "alice").await;
    let before = scene.session(&browser).expect("a session");
    scene.sign_in(&browser, "alice").await;
    let after = scene.session(&browser).expect("a session");
    assert_ne!(before, after);
    assert!(!scene.lives(&before).await);
    assert!(scene.lives(&after).await);
}

#[tokio::test]
async fn a_session_after_its_logout_and_after_its_end() {
    let scene = Scene::start().await;
    let browser = Browser::default();
    scene.sign_in(&browser, "alice").await;
    let session = scene.session(&browser).expect("a session");
    let (_, location) = scene.log_out(&browser).await;
    let way_out = scene.url("/account/logout/");
    assert!(location.starts_with(&way_out), "{location}");
    assert_eq!(scene.session(&browser), None);
    assert!(!scene.lives(&session).await);

    for end in [
        "UPDATE session SET expires_at = created_at",
        "UPDATE session SET seen_at = seen_at - 28800000",
    ] {
        scene.sign_in(&browser, "alice").await;
        let session = scene.session(&browser).expect("a session");
        assert!(scene.lives(&session).await);
        scene.rewrite(end).await;
        assert!(!scene.lives(&session).await, "{end}");
    }
}

#[tokio::test]
async fn a_provider_that_names_another_issuer_than_itself() {
    let scene = Scene::start().await;
    let evil = Issuer::start();
    scene.issuer.describe(&json!({ "issuer": evil.issuer() }));
    let browser = Browser::default();
    let reply = browser.get(&scene.url("/account/login?next=/app/")).await;
    is_page_with_one_button(&reply, 503);
    scene.get("/api/v1/me", &scene.token("alice")).await.expect(503);
    scene.nothing_came_of_it(&browser);
}

#[tokio::test]
async fn a_login_that_is_refreshed_as_someone_else() {
    let scene = Scene::start().await;
    for changes in [
        person("mallory"),
        json!({ "sub": "subject-of-alice", "azp": "sidereal-cli" }),
        json!({ "sub": "subject-of-alice", "aud": "account" }),
    ] {
        let browser = Browser::default();
        scene.sign_in(&browser, "alice").await;
        let session = scene.session(&browser).expect("a session");
        scene
            .rewrite("UPDATE session SET fresh_until = created_at - 1")
            .await;
        scene.issuer.answer(200, scene.issuer.login("any", &changes));
        assert!(!scene.lives(&session).await, "{changes}");
        assert!(!scene.lives(&session).await, "{changes}");
    }
}
