//! A fake issuer: no provider, nobody can log in at it. It signs what Keycloak never would (other algorithms, missing
//! claims, keys of somebody else), answers as a test tells it to, and counts what it is asked; that real logins and
//! tokens work is shown with the real Keycloak.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
    RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
};
use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use poem::http::StatusCode;
use poem::listener::TcpAcceptor;
use poem::middleware::AddData;
use poem::web::{Data, Form, Json};
use poem::{EndpointExt, Route, get, handler, post};
use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

/// A key to sign with.
pub struct Key {
    kid: String,
    pair: Pair,
}

enum Pair {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
}

impl Key {
    /// For RS256 and its kin.
    pub fn rsa() -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("an RSA key");
        Self::of(Pair::Rsa(pair))
    }

    /// For ES256.
    pub fn ec() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("an EC key");
        Self::of(Pair::Ec(pair))
    }

    fn of(pair: Pair) -> Self {
        let kid = Uuid::now_v7().simple().to_string();
        Self { kid, pair }
    }

    /// Its name, which is random.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Its public half, as a set of keys lists it.
    pub fn jwk(&self) -> Value {
        match &self.pair {
            Pair::Rsa(pair) => json!({
                "kty": "RSA", "kid": self.kid, "use": "sig", "alg": "RS256",
                "n": encode(pair.public_key().modulus().big_endian_without_leading_zero()),
                "e": encode(pair.public_key().exponent().big_endian_without_leading_zero()),
            }),
            Pair::Ec(pair) => {
                // 4, then x and y.
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({
                    "kty": "EC", "kid": self.kid, "use": "sig", "alg": "ES256", "crv": "P-256",
                    "x": encode(x), "y": encode(y),
                })
            }
        }
    }

    /// Its public half as a PEM file has it, which a confused server might take for a secret.
    fn pem(&self) -> String {
        let der: PublicKeyX509Der = match &self.pair {
            Pair::Rsa(pair) => pair.public_key().as_der(),
            Pair::Ec(pair) => pair.public_key().as_der(),
        }
        .expect("a public key");
        let text = STANDARD.encode(der.as_ref());
        let lines: Vec<_> = text
            .as_bytes()
            .chunks(64)
            .map(|line| str::from_utf8(line).expect("ASCII"))
            .collect();
        format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            lines.join("\n")
        )
    }

    /// Signs any claims under any header. The header is `alg`, `typ` and `kid` of this key with these changes (null
    /// removes); its `alg` is obeyed: RS256, RS384, RS512, PS256, ES256, `HS256` with the public key's PEM for a
    /// secret, and no signature for any other, such as `none`.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let alg = match self.pair {
            Pair::Rsa(_) => "RS256",
            Pair::Ec(_) => "ES256",
        };
        let mut full = json!({ "alg": alg, "typ": "JWT", "kid": self.kid });
        change(&mut full, header);
        let signed = format!(
            "{}.{}",
            encode(full.to_string().as_bytes()),
            encode(claims.to_string().as_bytes())
        );
        let message = signed.as_bytes();
        let signature = match (full["alg"].as_str().unwrap_or_default(), &self.pair) {
            ("RS256", Pair::Rsa(pair)) => rsa(pair, &RSA_PKCS1_SHA256, message),
            ("RS384", Pair::Rsa(pair)) => rsa(pair, &RSA_PKCS1_SHA384, message),
            ("RS512", Pair::Rsa(pair)) => rsa(pair, &RSA_PKCS1_SHA512, message),
            ("PS256", Pair::Rsa(pair)) => rsa(pair, &RSA_PSS_SHA256, message),
            ("ES256", Pair::Ec(pair)) => {
                let signature = pair.sign(&SystemRandom::new(), message);
                signature.expect("a signature").as_ref().to_owned()
            }
            ("HS256", _) => {
                let secret = hmac::Key::new(hmac::HMAC_SHA256, self.pem().as_bytes());
                hmac::sign(&secret, message).as_ref().to_owned()
            }
            _ => Vec::new(),
        };
        format!("{signed}.{}", encode(&signature))
    }
}

fn rsa(pair: &RsaKeyPair, encoding: &'static dyn RsaEncoding, message: &[u8]) -> Vec<u8> {
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(encoding, &SystemRandom::new(), message, &mut signature)
        .expect("a signature");
    signature
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Header and claims of a token, unverified.
pub fn parts(token: &str) -> (Value, Value) {
    let mut parts = token.split('.').map(|part| {
        let bytes = URL_SAFE_NO_PAD.decode(part).expect("base64url");
        serde_json::from_slice(&bytes)
    });
    let mut next = || parts.next().expect("a part").expect("JSON");
    (next(), next())
}

/// Members of an object, replaced; null removes.
fn change(object: &mut Value, changes: &Value) {
    let object = object.as_object_mut().expect("an object");
    for (name, value) in changes.as_object().expect("an object") {
        if value.is_null() {
            object.remove(name);
        } else {
            object.insert(name.clone(), value.clone());
        }
    }
}

/// Seconds since 1970.
pub fn now() -> i64 {
    let since = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .expect("a time after 1970");
    since.as_secs() as i64
}

/// Stops when it is dropped.
pub struct Issuer {
    desk: Arc<Desk>,
    /// A thread and a runtime of its own, so that it answers while a test's thread waits for something else.
    server: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

/// What the handlers know.
struct Desk {
    issuer: String,
    state: Mutex<State>,
    /// How often the keys were asked for.
    fetches: watch::Sender<usize>,
    /// How often tokens were asked for.
    grants: watch::Sender<usize>,
    held: watch::Sender<bool>,
}

struct State {
    key: Arc<Key>,
    keys: Value,
    discovery: Value,
    down: bool,
    answers: VecDeque<(StatusCode, Value)>,
    asked: Vec<Vec<(String, String)>>,
}

impl Issuer {
    /// An issuer with one RSA key, on a free port of loopback.
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let issuer = format!(
            "http://{}/realms/fake",
            listener.local_addr().expect("its address")
        );
        let key = Arc::new(Key::rsa());
        let desk = Arc::new(Desk {
            state: Mutex::new(State {
                keys: json!({ "keys": [key.jwk()] }),
                key,
                discovery: discovery(&issuer),
                down: false,
                answers: VecDeque::new(),
                asked: Vec::new(),
            }),
            issuer,
            fetches: watch::Sender::new(0),
            grants: watch::Sender::new(0),
            held: watch::Sender::new(false),
        });
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn({
            let desk = Arc::clone(&desk);
            move || serve(listener, desk, stopped)
        });
        Self {
            desk,
            server: Some((stop, thread)),
        }
    }

    /// `iss`, and the base of its URLs.
    pub fn issuer(&self) -> &str {
        &self.desk.issuer
    }

    /// The key that it signs with.
    pub fn key(&self) -> Arc<Key> {
        Arc::clone(&self.state().key)
    }

    // ---- Tokens

    /// Claims of a good access token of `alice`, who is a user, with these changes (null removes).
    pub fn claims(&self, changes: &Value) -> Value {
        let mut claims = json!({
            "iss": self.issuer(), "aud": ["sidereal-api", "account"], "azp": "sidereal-web", "typ": "Bearer",
            "sub": "00000000-0000-4000-8000-000000000001", "sid": "one-login", "preferred_username": "alice",
            "iat": now(), "exp": now() + 300, "jti": Uuid::now_v7(), "scope": "openid",
            "resource_access": { "sidereal-api": { "roles": ["user"] } },
        });
        change(&mut claims, changes);
        claims
    }

    /// That access token, signed as Keycloak does.
    pub fn token(&self, changes: &Value) -> String {
        self.key().sign(&json!({}), &self.claims(changes))
    }

    /// The ID token of `sidereal-web` that belongs to an access token, with these changes (null removes).
    pub fn id_token(&self, access_token: &str, changes: &Value) -> String {
        let hash = digest::digest(&digest::SHA256, access_token.as_bytes());
        let mut claims = self.claims(&json!({
            "aud": "sidereal-web", "typ": "ID", "at_hash": encode(&hash.as_ref()[..16]),
            "resource_access": null, "scope": null,
        }));
        change(&mut claims, changes);
        self.key().sign(&json!({}), &claims)
    }

    /// A good back-channel logout token, with these changes (null removes).
    pub fn logout_token(&self, changes: &Value) -> String {
        let mut claims = self.claims(&json!({
            "aud": "sidereal-web", "typ": "Logout", "exp": now() + 120,
            "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
            "azp": null, "preferred_username": null, "resource_access": null, "scope": null,
        }));
        change(&mut claims, changes);
        self.key().sign(&json!({ "typ": "logout+jwt" }), &claims)
    }

    /// What the token endpoint answers to a good code: a login with this nonce, of `alice` with these changes of the
    /// access token's claims; the ID token names the same person.
    pub fn login(&self, nonce: &str, changes: &Value) -> Value {
        let access_token = self.token(changes);
        let mut named = json!({ "nonce": nonce });
        for name in ["sub", "sid", "preferred_username"] {
            if let Some(value) = changes.get(name) {
                named[name] = value.clone();
            }
        }
        json!({
            "id_token": self.id_token(&access_token, &named),
            "access_token": access_token, "refresh_token": "a-refresh-token", "token_type": "Bearer",
            "expires_in": 300, "refresh_expires_in": 1800, "scope": "openid",
        })
    }

    // ---- What it is asked, and what it answers

    /// The token endpoint's next answer; each is given once, in this order. Without any it is 400 `invalid_grant`.
    pub fn answer(&self, status: u16, body: Value) {
        let status = StatusCode::from_u16(status).expect("a status");
        self.state().answers.push_back((status, body));
    }

    /// The forms that the token endpoint was sent.
    pub fn asked(&self) -> Vec<Vec<(String, String)>> {
        self.state().asked.clone()
    }

    /// Signs with this key from now on, which is listed beside the others.
    pub fn rotate(&self, key: Key) {
        let mut state = self.state();
        let keys = state.keys["keys"].as_array_mut().expect("a list of keys");
        keys.push(key.jwk());
        state.key = Arc::new(key);
    }

    /// Lists these keys, whatever it signs with: `{"keys": […]}`.
    pub fn publish(&self, keys: Value) {
        self.state().keys = keys;
    }

    /// Changes the discovery document (null removes).
    pub fn describe(&self, changes: &Value) {
        change(&mut self.state().discovery, changes);
    }

    /// Answers everything with 503, or no longer.
    pub fn set_down(&self, down: bool) {
        self.state().down = down;
    }

    /// Keeps every request waiting until it is told otherwise; fetches of its keys and of tokens are counted as they
    /// come.
    pub fn set_held(&self, held: bool) {
        self.desk.held.send_replace(held);
    }

    /// How often its keys were asked for.
    pub fn fetches(&self) -> usize {
        *self.desk.fetches.borrow()
    }

    /// Waits until its keys have been asked for so often.
    pub async fn until_fetches(&self, count: usize) {
        until(&self.desk.fetches, count).await;
    }

    /// How often tokens were asked for.
    pub fn grants(&self) -> usize {
        *self.desk.grants.borrow()
    }

    /// Waits until tokens have been asked for so often.
    pub async fn until_grants(&self, count: usize) {
        until(&self.desk.grants, count).await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.desk.state.lock().expect("the issuer's state")
    }
}

async fn until(counter: &watch::Sender<usize>, count: usize) {
    let mut counted = counter.subscribe();
    let reached = counted.wait_for(|counted| *counted >= count);
    // Only to end a test that would hang.
    let reached = tokio::time::timeout(std::time::Duration::from_mins(1), reached);
    assert!(reached.await.is_ok(), "asked {} times", *counter.borrow());
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.set_held(false);
        if let Some((stop, thread)) = self.server.take() {
            drop(stop);
            // A panic of its own has been printed.
            let _ = thread.join();
        }
    }
}

fn discovery(issuer: &str) -> Value {
    let protocol = format!("{issuer}/protocol/openid-connect");
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{protocol}/auth"),
        "token_endpoint": format!("{protocol}/token"),
        "jwks_uri": format!("{protocol}/certs"),
        "end_session_endpoint": format!("{protocol}/logout"),
        "device_authorization_endpoint": format!("{protocol}/auth/device"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
    })
}

fn serve(listener: std::net::TcpListener, desk: Arc<Desk>, stopped: oneshot::Receiver<()>) {
    let routes = Route::new()
        .at("/realms/fake/.well-known/openid-configuration", get(discovered))
        .at("/realms/fake/protocol/openid-connect/certs", get(listed))
        .at("/realms/fake/protocol/openid-connect/token", post(granted))
        .with(AddData::new(desk));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let acceptor = TcpAcceptor::from_std(listener).expect("a socket");
        tokio::select! {
            served = poem::Server::new_with_acceptor(acceptor).run(routes) => served.expect("a server"),
            _ = stopped => {}
        }
    });
}

type Answer = (StatusCode, Json<Value>);

impl Desk {
    async fn answer(&self, answer: impl FnOnce(&mut State) -> (StatusCode, Value)) -> Answer {
        let mut held = self.held.subscribe();
        // The issuer outlives its requests.
        let _ = held.wait_for(|held| !held).await;
        let mut state = self.state.lock().expect("the issuer's state");
        let (status, body) = if state.down {
            (
                StatusCode::SERVICE_UNAVAILABLE,
                json!({ "error": "temporarily_unavailable" }),
            )
        } else {
            answer(&mut state)
        };
        (status, Json(body))
    }
}

#[handler]
async fn discovered(desk: Data<&Arc<Desk>>) -> Answer {
    desk.answer(|state| (StatusCode::OK, state.discovery.clone()))
        .await
}

#[handler]
async fn listed(desk: Data<&Arc<Desk>>) -> Answer {
    desk.fetches.send_modify(|fetches| *fetches += 1);
    desk.answer(|state| (StatusCode::OK, state.keys.clone())).await
}

#[handler]
async fn granted(desk: Data<&Arc<Desk>>, Form(form): Form<Vec<(String, String)>>) -> Answer {
    desk.grants.send_modify(|grants| *grants += 1);
    desk.answer(|state| {
        state.asked.push(form);
        let refusal = || (StatusCode::BAD_REQUEST, json!({ "error": "invalid_grant" }));
        state.answers.pop_front().unwrap_or_else(refusal)
    })
    .await
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
        RsaPublicKeyComponents, UnparsedPublicKey,
    };

    use super::*;
    use crate::harness::Reply;
    use crate::harness::site::client;

    fn decode(text: &Value) -> Vec<u8> {
        URL_SAFE_NO_PAD
            .decode(text.as_str().expect("text"))
            .expect("base64url")
    }

    #[test]
    fn signatures_are_good_for_the_listed_keys() {
        let (rsa, ec) = (Key::rsa(), Key::ec());
        let list = rsa.jwk();
        let public = RsaPublicKeyComponents {
            n: decode(&list["n"]),
            e: decode(&list["e"]),
        };
        for (alg, parameters) in [
            ("RS256", &RSA_PKCS1_2048_8192_SHA256),
            ("PS256", &RSA_PSS_2048_8192_SHA256),
        ] {
            let token = rsa.sign(&json!({ "alg": alg }), &json!({ "a": 1 }));
            let (message, signature) = token.rsplit_once('.').expect("a signature");
            let good = public.verify(parameters, message.as_bytes(), &decode(&json!(signature)));
            assert!(good.is_ok(), "{alg}");
        }

        let list = ec.jwk();
        let point = [&[4], &decode(&list["x"])[..], &decode(&list["y"])[..]].concat();
        let token = ec.sign(&json!({}), &json!({}));
        let (message, signature) = token.rsplit_once('.').expect("a signature");
        let good = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            .verify(message.as_bytes(), &decode(&json!(signature)));
        assert!(good.is_ok());
    }

    #[test]
    fn a_header_is_what_the_test_says() {
        let key = Key::rsa();
        let token = key.sign(
            &json!({ "alg": "none", "kid": null, "crit": ["x"] }),
            &json!({ "sub": 7 }),
        );
        assert!(token.ends_with('.'));
        assert_eq!(
            parts(&token),
            (
                json!({ "alg": "none", "typ": "JWT", "crit": ["x"] }),
                json!({ "sub": 7 })
            )
        );

        let token = key.sign(&json!({ "alg": "HS256" }), &json!({}));
        let (message, signature) = token.rsplit_once('.').expect("a signature");
        let secret = hmac::Key::new(hmac::HMAC_SHA256, key.pem().as_bytes());
        let good = hmac::verify(&secret, message.as_bytes(), &decode(&json!(signature)));
        assert!(good.is_ok() && key.pem().lines().all(|line| line.len() <= 64));
    }

    #[tokio::test]
    async fn it_answers_as_it_is_told_to() {
        let issuer = Issuer::start();
        let url = |page: &str| format!("{}/protocol/openid-connect/{page}", issuer.issuer());
        let discovery = format!("{}/.well-known/openid-configuration", issuer.issuer());
        issuer.describe(&json!({ "issuer": "http://evil.example", "end_session_endpoint": null }));
        let described: Value = Reply::to(client().get(discovery)).await.expect(200).json();
        assert_eq!(described["issuer"], "http://evil.example");
        assert!(described["jwks_uri"] == url("certs") && described.get("end_session_endpoint").is_none());

        // Two keys after a rotation, the newer signs; then what the test lists.
        let first = issuer.key();
        issuer.rotate(Key::ec());
        let list: Value = Reply::to(client().get(url("certs"))).await.expect(200).json();
        assert_eq!(list, json!({ "keys": [first.jwk(), issuer.key().jwk()] }));
        assert_eq!(parts(&issuer.token(&json!({}))).0["kid"], issuer.key().kid());
        issuer.publish(json!({ "keys": [] }));

        // A fetch is counted when it comes, and answered when it may be.
        issuer.set_held(true);
        let fetch = tokio::spawn(Reply::to(client().get(url("certs"))));
        issuer.until_fetches(2).await;
        assert!(!fetch.is_finished());
        issuer.set_held(false);
        let fetched: Value = fetch.await.expect("the fetch").expect(200).json();
        assert_eq!((fetched, issuer.fetches()), (json!({ "keys": [] }), 2));

        issuer.set_down(true);
        Reply::to(client().get(url("certs"))).await.expect(503);
        issuer.set_down(false);

        issuer.answer(200, issuer.login("a nonce", &json!({})));
        let ask = || client().post(url("token")).form(&[("code", "1"), ("code", "2")]);
        let login: Value = Reply::to(ask()).await.expect(200).json();
        let (_, claims) = parts(login["id_token"].as_str().expect("an ID token"));
        assert!(
            claims["nonce"] == "a nonce" && claims["aud"] == "sidereal-web" && claims.get("scope").is_none()
        );
        Reply::to(ask()).await.expect(400);
        let code = |code: &str| ("code".to_owned(), code.to_owned());
        assert_eq!(issuer.asked(), vec![vec![code("1"), code("2")]; 2]);

        let (header, claims) = parts(&issuer.logout_token(&json!({ "nonce": "x", "sid": null })));
        assert_eq!(header["typ"], "logout+jwt");
        assert!(claims["nonce"] == "x" && claims.get("sid").is_none() && claims.get("events").is_some());
    }
}
