//! The real Keycloak with the realm that we ship: what our code relies on, so that a new version which differs is seen.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;

use crate::harness::{Browser, Realm, Reply, parts};

const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters-0123";

/// `sidereal-web` as the server at this address would use it.
struct Web<'a> {
    realm: &'a Realm,
    address: &'a str,
}

impl Web<'_> {
    fn callback(&self) -> String {
        format!("{}/account/callback", self.address)
    }

    /// Where a login begins.
    fn page(&self) -> Url {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
        let request = self.realm.protocol(Method::GET, "auth").query(&[
            ("response_type", "code"),
            ("client_id", "sidereal-web"),
            ("redirect_uri", &self.callback()),
            ("scope", "openid"),
            ("state", "the state"),
            ("nonce", "the nonce"),
            ("code_challenge_method", "S256"),
            ("code_challenge", &challenge),
        ]);
        request.build().expect("a request").url().clone()
    }

    async fn grant(&self, form: &[(&str, &str)]) -> Reply {
        let own = [
            ("client_id", "sidereal-web"),
            ("client_secret", self.realm.secret()),
        ];
        self.realm.grant(&[form, &own].concat()).await
    }

    async fn exchange(&self, code: &str) -> Reply {
        self.grant(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("code_verifier", VERIFIER),
            ("redirect_uri", &self.callback()),
        ])
        .await
    }

    /// A whole login: the tokens.
    async fn log_in(&self, browser: &Browser, user: &str) -> Value {
        let back = self.realm.log_in(browser, self.page().as_str(), user).await;
        let code = &query(&back.next())["code"];
        self.exchange(code).await.expect(200).json()
    }

    async fn refresh(&self, tokens: &Value) -> Reply {
        let token = text(tokens, "refresh_token");
        self.grant(&[("grant_type", "refresh_token"), ("refresh_token", token)])
            .await
    }
}

/// A server that is there for nobody.
fn web(realm: &Realm) -> Web<'_> {
    Web {
        realm,
        address: "http://127.0.0.1:1",
    }
}

fn query(url: &Url) -> BTreeMap<String, String> {
    url.query_pairs().into_owned().collect()
}

#[track_caller]
fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name} in {object}"))
}

fn claims(token: &str) -> Value {
    parts(token).1
}

/// Roles of ours, sorted.
fn roles(claims: &Value) -> Vec<&str> {
    let roles = claims["resource_access"]["sidereal-api"]["roles"].as_array();
    let mut roles: Vec<_> = roles.into_iter().flatten().filter_map(Value::as_str).collect();
    roles.sort_unstable();
    roles
}

/// `aud`, which may be one or several.
fn audience(claims: &Value) -> BTreeSet<&str> {
    match &claims["aud"] {
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    }
}

#[tokio::test]
async fn a_login_by_the_form_ends_in_tokens() {
    let Some(realm) = Realm::new().await else { return };
    let (web, browser) = (web(&realm), Browser::default());

    let back = realm.log_in(&browser, web.page().as_str(), "alice").await;
    let answer = query(&back.next());
    assert!(back.location().starts_with(&format!("{}?", web.callback())));
    assert_eq!(
        (answer["state"].as_str(), answer["iss"].as_str()),
        ("the state", realm.issuer().as_str())
    );
    let tokens: Value = web.exchange(&answer["code"]).await.expect(200).json();

    let (header, access) = parts(text(&tokens, "access_token"));
    assert_eq!((text(&header, "alg"), text(&header, "typ")), ("RS256", "JWT"));
    assert_eq!(access["iss"], realm.issuer());
    assert_eq!(audience(&access), ["sidereal-api"].into());
    assert_eq!(
        (text(&access, "typ"), text(&access, "azp")),
        ("Bearer", "sidereal-web")
    );
    assert_eq!(access["sub"], realm.subject("alice").await);
    assert_eq!(access["preferred_username"], "alice");
    assert_eq!(roles(&access), ["user"]);
    assert!(
        access["sid"].is_string() && access.get("nonce").is_none() && access.get("realm_access").is_none()
    );
    let lives = access["exp"]
        .as_i64()
        .zip(access["iat"].as_i64())
        .map(|(exp, iat)| exp - iat);
    assert_eq!(lives, Some(300));

    let id = claims(text(&tokens, "id_token"));
    assert_eq!(
        (text(&id, "typ"), text(&id, "aud"), text(&id, "nonce")),
        ("ID", "sidereal-web", "the nonce")
    );
    assert!(id["at_hash"].is_string() && id["sid"] == access["sid"]);
    let (header, refresh) = parts(text(&tokens, "refresh_token"));
    assert_eq!(
        (text(&header, "alg"), text(&refresh, "typ")),
        ("HS512", "Refresh")
    );

    // A refresh gives a new token, and an ID token without the nonce.
    let again: Value = web.refresh(&tokens).await.expect(200).json();
    assert_ne!(again["refresh_token"], tokens["refresh_token"]);
    assert!(claims(text(&again, "id_token")).get("nonce").is_none());

    // The browser is known by now.
    let page = browser.get(web.page().as_str()).await.expect(302);
    assert!(page.location().starts_with(&web.callback()));

    // A code that is sent twice ends the login.
    web.exchange(&answer["code"]).await.expect(400);
    let refused: Value = web.refresh(&again).await.expect(400).json();
    assert_eq!(refused["error"], "invalid_grant");
}

#[tokio::test]
async fn a_login_needs_a_challenge_and_a_known_way_back() {
    let Some(realm) = Realm::new().await else { return };
    let (web, browser) = (web(&realm), Browser::default());

    let without = |name: &str| {
        let mut page = web.page();
        let rest: Vec<_> = page
            .query_pairs()
            .into_owned()
            .filter(|(given, _)| given != name)
            .collect();
        page.query_pairs_mut().clear().extend_pairs(rest);
        page
    };
    let back = browser.get(without("code_challenge").as_str()).await.expect(302);
    assert_eq!(query(&back.next())["error"], "invalid_request");

    let mut elsewhere = without("redirect_uri");
    elsewhere
        .query_pairs_mut()
        .append_pair("redirect_uri", "http://127.0.0.1:1/account/callback/..");
    browser.get(elsewhere.as_str()).await.expect(400);

    // A challenge that shows the verifier is none.
    let plain = web.page().as_str().replace("S256", "plain");
    let back = browser.get(&plain).await.expect(302);
    assert_eq!(query(&back.next())["error"], "invalid_request");
}

#[tokio::test]
async fn each_role_includes_the_one_before() {
    let Some(realm) = Realm::new().await else { return };
    for (user, expected) in [
        ("alice", &["user"][..]),
        ("olga", &["operator", "user"]),
        ("ada", &["admin", "operator", "user"]),
        ("norole", &[]),
    ] {
        let token = realm.token(user).await;
        let claims = claims(&token);
        assert_eq!(roles(&claims), expected, "{user}");
        // Without a role too: it is for us, and worth nothing. A client without limits adds Keycloak's account page.
        assert_eq!(audience(&claims), ["account", "sidereal-api"].into(), "{user}");
    }

    let web = web(&realm);
    let tokens = web.log_in(&Browser::default(), "olga").await;
    realm.remove_roles("olga").await;
    let refreshed: Value = web.refresh(&tokens).await.expect(200).json();
    let refreshed = claims(text(&refreshed, "access_token"));
    assert_eq!(roles(&refreshed), [""; 0]);
    assert_eq!(audience(&refreshed), ["sidereal-api"].into());
}

#[tokio::test]
async fn a_script_has_a_service_account() {
    let Some(realm) = Realm::new().await else { return };
    let claims = claims(&realm.worker_token().await);
    assert_eq!(claims["preferred_username"], "service-account-sidereal-worker");
    assert_eq!(
        (text(&claims, "typ"), text(&claims, "azp")),
        ("Bearer", "sidereal-worker")
    );
    assert_eq!(
        (audience(&claims), roles(&claims)),
        (["sidereal-api"].into(), vec!["user"])
    );
    assert!(claims["sub"].is_string() && claims.get("sid").is_none());
}

#[tokio::test]
async fn a_device_is_let_in_by_a_person_at_a_browser() {
    let Some(realm) = Realm::new().await else { return };
    let request = realm.protocol(Method::POST, "auth/device");
    let request = request.form(&[("client_id", "sidereal-cli"), ("scope", "openid")]);
    let device: Value = Reply::to(request).await.expect(200).json();
    let code = text(&device, "device_code").to_owned();
    let poll = || async {
        realm
            .grant(&[
                ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
                ("client_id", "sidereal-cli"),
                ("device_code", &code),
            ])
            .await
    };
    let pending: Value = poll().await.expect(400).json();
    assert_eq!(pending["error"], "authorization_pending");

    let page = text(&device, "verification_uri_complete");
    realm.approve_device(&Browser::default(), page, "bob").await;
    let tokens: Value = loop {
        // Asking more often than once in `interval` s is an answer of its own, and harmless.
        let reply = poll().await;
        if reply.status == 200 {
            break reply.json();
        }
        assert_eq!(reply.json::<Value>()["error"], "slow_down");
    };
    let claims = claims(text(&tokens, "access_token"));
    assert_eq!(
        (text(&claims, "preferred_username"), text(&claims, "azp")),
        ("bob", "sidereal-cli")
    );
    assert_eq!(
        (audience(&claims), roles(&claims)),
        (["sidereal-api"].into(), vec!["user"])
    );
}

#[tokio::test]
async fn only_a_refresh_shows_what_nobody_is_told_of() {
    let Some(realm) = Realm::new().await else { return };
    let web = web(&realm);
    let refused = |reply: Reply| {
        let refused: Value = reply.expect(400).json();
        assert_eq!(refused["error"], "invalid_grant");
        text(&refused, "error_description").to_owned()
    };

    let alice = web.log_in(&Browser::default(), "alice").await;
    realm.set_enabled("alice", false).await;
    assert_eq!(refused(web.refresh(&alice).await), "User disabled");
    // The old token lives again: a server must forget it at once.
    realm.set_enabled("alice", true).await;
    web.refresh(&alice).await.expect(200);

    let bob = web.log_in(&Browser::default(), "bob").await;
    realm.delete("bob").await;
    refused(web.refresh(&bob).await);

    realm.log_out_all().await;
    refused(web.refresh(&alice).await);
}

#[tokio::test]
async fn a_new_key_is_listed_beside_the_old_one() {
    let Some(realm) = Realm::new().await else { return };
    let kid = |token: &str| text(&parts(token).0, "kid").to_owned();
    let old = kid(&realm.worker_token().await);
    realm.rotate_keys().await;
    let new = kid(&realm.worker_token().await);
    assert_ne!(old, new);

    let listed: Value = Reply::to(realm.protocol(Method::GET, "certs"))
        .await
        .expect(200)
        .json();
    let listed: BTreeMap<_, _> = listed["keys"]
        .as_array()
        .expect("keys")
        .iter()
        .map(|key| (text(key, "kid"), text(key, "use")))
        .collect();
    assert_eq!((listed[old.as_str()], listed[new.as_str()]), ("sig", "sig"));
    assert!(listed.values().any(|usage| *usage == "enc"), "{listed:?}");
}

#[tokio::test]
async fn attributes_of_a_realm_can_be_changed() {
    let Some(realm) = Realm::with(&json!({ "accessTokenLifespan": 60 })).await else {
        return;
    };
    let lives = |token: &str| {
        let claims = claims(token);
        claims["exp"]
            .as_i64()
            .zip(claims["iat"].as_i64())
            .map(|(exp, iat)| exp - iat)
    };
    assert_eq!(lives(&realm.worker_token().await), Some(60));
    realm.change(&json!({ "accessTokenLifespan": 2 })).await;
    assert_eq!(lives(&realm.worker_token().await), Some(2));
}

#[tokio::test]
async fn from_inside_only_the_issuer_has_the_public_name() {
    let Some(realm) = Realm::new().await else { return };
    let discovery = format!("{}/.well-known/openid-configuration", realm.internal_url());
    let described: Value = Browser::default().get(&discovery).await.expect(200).json();
    assert_eq!(described["issuer"], realm.issuer());
    for endpoint in ["jwks_uri", "token_endpoint"] {
        assert!(
            text(&described, endpoint).starts_with(&realm.internal_url()),
            "{described}"
        );
    }
    for endpoint in ["authorization_endpoint", "end_session_endpoint"] {
        assert!(
            text(&described, endpoint).starts_with(&realm.issuer()),
            "{described}"
        );
    }
    assert_eq!(described["authorization_response_iss_parameter_supported"], true);
}

/// What is posted next to this listener; the answer is 200.
async fn posted(listener: &TcpListener) -> (String, BTreeMap<String, String>) {
    let (mut socket, _) = listener.accept().await.expect("a connection");
    let mut request = String::new();
    loop {
        if let Some((head, body)) = request.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.trim().parse().ok())?
            });
            if length.is_some_and(|length: usize| body.len() >= length) {
                break;
            }
        }
        let mut buffer = [0; 4096];
        let read = socket.read(&mut buffer).await.expect("a request");
        assert!(read > 0, "the request ends early: {request}");
        request.push_str(str::from_utf8(&buffer[..read]).expect("ASCII"));
    }
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    socket.write_all(answer).await.expect("an answer");
    let (head, body) = request.split_once("\r\n\r\n").expect("a request");
    let line = head.lines().next().expect("a request line").to_owned();
    (
        line,
        form_urlencoded::parse(body.as_bytes()).into_owned().collect(),
    )
}

#[tokio::test]
async fn a_server_is_told_of_logouts() {
    let Some(realm) = Realm::new().await else { return };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("its address"));
    realm.allow(&address).await;
    let web = Web {
        realm: &realm,
        address: &address,
    };
    let told = |(line, form): (String, BTreeMap<String, String>)| {
        assert_eq!(line, "POST /account/backchannel-logout HTTP/1.1");
        parts(&form["logout_token"])
    };
    let sid = |tokens: &Value| claims(text(tokens, "id_token"))["sid"].clone();

    // By an administrator, of a person and of one login.
    let tokens = web.log_in(&Browser::default(), "alice").await;
    let ((), request) = tokio::join!(realm.log_out("alice"), posted(&listener));
    let (header, logout) = told(request);
    assert_eq!(
        (text(&header, "typ"), text(&header, "alg")),
        ("logout+jwt", "RS256")
    );
    assert_eq!(
        (text(&logout, "aud"), &logout["sid"]),
        ("sidereal-web", &sid(&tokens))
    );
    assert_eq!(logout["sub"], realm.subject("alice").await);
    assert_eq!(
        logout["events"],
        json!({ "http://schemas.openid.net/event/backchannel-logout": {} })
    );
    assert!(logout["jti"].is_string() && logout["exp"].is_i64() && logout.get("nonce").is_none());
    web.refresh(&tokens).await.expect(400);

    let tokens = web.log_in(&Browser::default(), "bob").await;
    let id = sid(&tokens);
    let ((), request) = tokio::join!(realm.end_login(id.as_str().expect("a sid")), posted(&listener));
    assert_eq!(told(request).1["sid"], id);

    // By the server itself, which the browser comes back to.
    let browser = Browser::default();
    let tokens = web.log_in(&browser, "bob").await;
    let back = format!("{address}/");
    let logout = realm.protocol(Method::GET, "logout").query(&[
        ("id_token_hint", text(&tokens, "id_token")),
        ("post_logout_redirect_uri", &back),
        ("state", "out"),
    ]);
    let (reply, request) = tokio::join!(browser.send(logout), posted(&listener));
    assert_eq!(reply.expect(302).location(), format!("{back}?state=out"));
    assert_eq!(told(request).1["sid"], sid(&tokens));
}
