//! The real Keycloak, one for all tests of a run, and a realm of its own for each test: made of the realm file that we
//! ship and of what `tests/it/data/keycloak/test-realm.json` adds to it (people, and a client that trades a password
//! for a token).
//!
//! A test begins with `let Some(realm) = Realm::new().await else { return };`: there is no Keycloak where `make test`
//! could not fetch it, which it says. People: `alice` and `bob` (user), `olga` (operator), `ada` (admin), and `norole`.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::sync::{OnceCell, oneshot};
use uuid::Uuid;

use super::browser::Browser;
use super::site::{Reply, client};

const REALM: &str = include_str!("../../../charts/sidereal/files/realm.json");
const ADDITIONS: &str = include_str!("../data/keycloak/test-realm.json");
const WORKER_SECRET: &str = "the worker's secret";
/// Nobody is there: until [`Realm::allow`] names a server, no login can come back.
const NOWHERE: &str = "http://127.0.0.1:1";

/// Runs the server until it ends or this process does, which closes the pipe on its standard input; then its folder
/// goes too.
const KEEPER: &str = r#"
exec 3<&0 2>&1
home=$1; shift
sh "$home/bin/kc.sh" "$@" 3<&- </dev/null & server=$!
{ cat <&3; kill $server; } >/dev/null 2>&1 & watcher=$!
wait $server
exec >/dev/null 2>&1
kill $watcher
rm -rf "$home""#;

/// Only to end a test that would hang: starting takes 12 s of two idle cores.
const PATIENCE: Duration = Duration::from_mins(5);

/// A running server.
pub struct Keycloak {
    /// `http://127.0.0.1:PORT`
    address: String,
    /// Of a client that may do anything.
    secret: String,
    realms: AtomicU32,
    /// Closed by the end of this process, which ends the server.
    _lifeline: ChildStdin,
}

impl Keycloak {
    /// The server that all tests share; none if `make test` could not fetch one.
    #[expect(
        clippy::disallowed_methods,
        reason = "a setting of the tests, not of the server"
    )]
    async fn shared() -> Option<&'static Self> {
        static SERVER: OnceCell<Keycloak> = OnceCell::const_new();
        let folder = std::env::var("SIDEREAL_TEST_KEYCLOAK")
            .expect("SIDEREAL_TEST_KEYCLOAK names no folder; `make test` fetches Keycloak, an empty name skips its tests");
        if folder.is_empty() {
            let name = std::thread::current().name().unwrap_or_default().to_owned();
            // Not by a macro, whose text is shown for failed tests only.
            let _ = writeln!(std::io::stderr(), "SKIPPED, there is no Keycloak: {name}");
            return None;
        }
        Some(SERVER.get_or_init(|| Self::start(PathBuf::from(folder))).await)
    }

    async fn start(distribution: PathBuf) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        let secret = Uuid::now_v7().simple().to_string();
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "keycloak"])
            .arg(home(&distribution))
            .args(["start", "--optimized", "--cache=local", "--http-enabled=true"])
            .args([
                "--http-host=127.0.0.1".to_owned(),
                address.replace("127.0.0.1:", "--http-port="),
            ])
            // As in production: what is asked at another name for the same server, such as `localhost`, is answered
            // with URLs of that name, but tokens have the public one.
            .args([
                format!("--hostname=http://{address}").as_str(),
                "--hostname-backchannel-dynamic=true",
            ])
            .env("KC_BOOTSTRAP_ADMIN_CLIENT_ID", ADMIN)
            .env("KC_BOOTSTRAP_ADMIN_CLIENT_SECRET", &secret)
            .env("JAVA_OPTS_KC_HEAP", "-Xms256m -Xmx512m")
            // It does not live long enough for the better compiler to pay.
            .env("JAVA_OPTS_APPEND", "-XX:TieredStopAtLevel=1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh");
        let output = keeper.stdout.take().expect("a pipe");
        let lifeline = keeper.stdin.take().expect("a pipe");
        let log = Arc::new(Mutex::new(String::new()));
        let (ready, started) = oneshot::channel();
        std::thread::spawn({
            let log = Arc::clone(&log);
            move || {
                read(BufReader::new(output), &log, ready);
                // Of a test run that goes on without it.
                let _ = keeper.wait();
            }
        });
        let started = tokio::time::timeout(PATIENCE, started).await;
        assert!(
            matches!(started, Ok(Ok(()))),
            "Keycloak did not start:\n{}",
            log.lock().expect("its log")
        );
        Self {
            address: format!("http://{address}"),
            secret,
            realms: AtomicU32::new(0),
            _lifeline: lifeline,
        }
    }

    /// A request of the administrator: its path is below `/admin/realms`.
    async fn administer(&self, method: Method, path: &str, body: Option<&Value>) -> Reply {
        // A new token each time: one that is older than a realm may not touch it.
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", ADMIN),
            ("client_secret", &self.secret),
        ];
        let url = format!("{}/realms/master/protocol/openid-connect/token", self.address);
        let granted: Value = Reply::to(client().post(url).form(&form)).await.expect(200).json();
        let request = client()
            .request(method, format!("{}/admin/realms{path}", self.address))
            .bearer_auth(granted["access_token"].as_str().expect("a token"));
        let reply = Reply::to(match body {
            Some(body) => request.json(body),
            None => request,
        })
        .await;
        assert!(
            (200..300).contains(&reply.status),
            "{}: {} {}",
            reply.origin,
            reply.status,
            reply.text()
        );
        reply
    }
}

/// The client with which realms are administered.
const ADMIN: &str = "tests";

/// A folder for one run: the distribution itself is not written to.
fn home(distribution: &Path) -> PathBuf {
    let home = tempfile::tempdir().expect("a temporary folder").keep();
    std::fs::create_dir(home.join("bin")).expect("a folder");
    // The script takes for home what it is really in.
    std::fs::copy(distribution.join("bin/kc.sh"), home.join("bin/kc.sh")).expect("Keycloak's kc.sh");
    for name in ["conf", "lib", "providers", "themes"] {
        std::os::unix::fs::symlink(distribution.join(name), home.join(name)).expect("a link");
    }
    home
}

/// One below those that the system gives to whoever asks for any: the server binds it only seconds later.
fn free_port() -> u16 {
    let random = || 20_000 + (Uuid::now_v7().as_u128() % 12_000) as u16;
    std::iter::repeat_with(random)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}

fn read(output: impl BufRead, log: &Mutex<String>, ready: oneshot::Sender<()>) {
    let mut ready = Some(ready);
    for line in output.lines().map_while(Result::ok) {
        if line.contains("Listening on: ")
            && let Some(ready) = ready.take()
        {
            // Nobody waits any more if the test has ended.
            let _ = ready.send(());
        }
        let mut log = log.lock().expect("the log");
        log.push_str(&line);
        log.push('\n');
    }
}

/// A realm as production has it, with test people.
pub struct Realm {
    keycloak: &'static Keycloak,
    name: String,
    secret: String,
}

impl Realm {
    /// A new realm; none if there is no Keycloak, which has been said.
    pub async fn new() -> Option<Self> {
        Self::with(&json!({})).await
    }

    /// A new realm that differs by these attributes, for instance `{"accessTokenLifespan": 2}`, seconds.
    pub async fn with(changes: &Value) -> Option<Self> {
        let keycloak = Keycloak::shared().await?;
        let name = format!("sidereal-{}", keycloak.realms.fetch_add(1, Ordering::Relaxed));
        let additions = ADDITIONS.replace("default-roles-sidereal", &format!("default-roles-{name}"));
        let secret = Uuid::now_v7().simple().to_string();
        let mut realm = shipped(NOWHERE, &secret);
        merge(&mut realm, &serde_json::from_str(&additions).expect("JSON"));
        merge(&mut realm, changes);
        realm["realm"] = json!(name);
        keycloak.administer(Method::POST, "", Some(&realm)).await;
        Some(Self {
            keycloak,
            name,
            secret,
        })
    }

    /// What tokens have as `iss`.
    pub fn issuer(&self) -> String {
        format!("{}/realms/{}", self.keycloak.address, self.name)
    }

    /// The issuer at another name of the same server, as a cluster's inside would know it.
    pub fn internal_url(&self) -> String {
        self.issuer().replacen("127.0.0.1", "localhost", 1)
    }

    /// The secret of `sidereal-worker`.
    pub fn worker_secret() -> &'static str {
        WORKER_SECRET
    }

    /// The secret of `sidereal-web`.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// Lets logins come back to the server at this address, and tells it of logouts.
    pub async fn allow(&self, address: &str) {
        let mut web = shipped(address, &self.secret)["clients"]
            .as_array()
            .and_then(|clients| clients.iter().find(|client| client["clientId"] == "sidereal-web"))
            .expect("the client")
            .clone();
        // A change of mappers has a path of its own, and is not needed.
        web.as_object_mut().expect("the client").remove("protocolMappers");
        let found: Value = self
            .administer(Method::GET, "/clients?clientId=sidereal-web", None)
            .await
            .json();
        let id = found[0]["id"].as_str().expect("an id");
        self.administer(Method::PUT, &format!("/clients/{id}"), Some(&web))
            .await;
    }

    /// Changes attributes of the realm.
    pub async fn change(&self, changes: &Value) {
        self.administer(Method::PUT, "", Some(changes)).await;
    }

    // ---- Logging in

    /// Opens a page that needs a login, logs in, and returns the redirect away from Keycloak, which is not followed:
    /// `browser.follow(reply)` does. Without a form if the browser is logged in at Keycloak already.
    pub async fn log_in(&self, browser: &Browser, page: &str, user: &str) -> Reply {
        let mut reply = browser.get(page).await;
        loop {
            let here = self.is_ours(reply.url().as_str());
            reply = if !(300..400).contains(&reply.status) {
                assert!(
                    here && reply.text().contains("kc-form-login"),
                    "{}: {} and no login form: {}",
                    reply.origin,
                    reply.status,
                    reply.text()
                );
                self.enter(browser, &reply, user).await
            } else if here && !self.is_ours(reply.next().as_str()) {
                return reply;
            } else {
                browser.get(reply.next().as_str()).await
            };
        }
    }

    /// Approves what a device asked for: opens `verification_uri_complete`, logs in, consents. The last page.
    pub async fn approve_device(&self, browser: &Browser, verification: &str, user: &str) -> Reply {
        let form = browser.open(verification).await.expect(200);
        let entered = self.enter(browser, &form, user).await;
        let consent = browser.follow(entered).await.expect(200);
        let accepted = browser.submit(&consent, &[("accept", "Yes")]).await;
        browser.follow(accepted).await.expect(200)
    }

    async fn enter(&self, browser: &Browser, form: &Reply, user: &str) -> Reply {
        let password = password(user);
        let fields = [("username", user), ("password", &password), ("credentialId", "")];
        let reply = browser.submit(form, &fields).await;
        assert_eq!(reply.status, 302, "{user} is not let in: {}", reply.text());
        reply
    }

    fn is_ours(&self, url: &str) -> bool {
        url.strip_prefix(&self.keycloak.address)
            .is_some_and(|path| path.starts_with('/'))
    }

    // ---- Tokens

    /// A request for a page of the protocol: `auth`, `token`, `auth/device`, `certs`, `logout`.
    pub fn protocol(&self, method: Method, page: &str) -> RequestBuilder {
        let url = format!("{}/protocol/openid-connect/{page}", self.issuer());
        client().request(method, url)
    }

    /// What the token endpoint answers.
    pub async fn grant(&self, form: &[(&str, &str)]) -> Reply {
        Reply::to(self.protocol(Method::POST, "token").form(form)).await
    }

    /// `access_token`, `refresh_token`, `id_token` of a person, for the password: by a client that only tests have
    /// (`azp` is `sidereal-test`), and whose tokens have all roles and audiences that the person has.
    pub async fn tokens(&self, user: &str) -> Value {
        let form = [
            ("grant_type", "password"),
            ("client_id", "sidereal-test"),
            ("username", user),
            ("password", &password(user)),
            ("scope", "openid"),
        ];
        self.grant(&form).await.expect(200).json()
    }

    /// An access token of a person.
    pub async fn token(&self, user: &str) -> String {
        let tokens = self.tokens(user).await;
        tokens["access_token"].as_str().expect("a token").to_owned()
    }

    /// An access token of the service account `sidereal-worker`, which has the role `user`.
    pub async fn worker_token(&self) -> String {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", "sidereal-worker"),
            ("client_secret", WORKER_SECRET),
        ];
        let granted: Value = self.grant(&form).await.expect(200).json();
        granted["access_token"].as_str().expect("a token").to_owned()
    }

    // ---- What an administrator does

    /// The `sub` of a person's tokens.
    pub async fn subject(&self, user: &str) -> String {
        let path = format!("/users?exact=true&username={user}");
        let found: Value = self.administer(Method::GET, &path, None).await.json();
        found[0]["id"].as_str().expect("the person").to_owned()
    }

    /// Disables a person, or enables one again. Nobody is told.
    pub async fn set_enabled(&self, user: &str, enabled: bool) {
        let change = json!({ "enabled": enabled });
        self.administer_user(Method::PUT, user, "", Some(&change)).await;
    }

    /// Deletes a person. Nobody is told.
    pub async fn delete(&self, user: &str) {
        self.administer_user(Method::DELETE, user, "", None).await;
    }

    /// Takes a person's roles of ours away.
    pub async fn remove_roles(&self, user: &str) {
        let found: Value = self
            .administer(Method::GET, "/clients?clientId=sidereal-api", None)
            .await
            .json();
        let below = format!(
            "/role-mappings/clients/{}",
            found[0]["id"].as_str().expect("an id")
        );
        self.administer_user(Method::DELETE, user, &below, None).await;
    }

    /// Ends all logins of a person; their servers are told.
    pub async fn log_out(&self, user: &str) {
        self.administer_user(Method::POST, user, "/logout", None).await;
    }

    /// Ends one login, by its `sid`; its servers are told.
    pub async fn end_login(&self, sid: &str) {
        self.administer(Method::DELETE, &format!("/sessions/{sid}"), None)
            .await;
    }

    /// Ends all logins of the realm. Nobody is told.
    pub async fn log_out_all(&self) {
        self.administer(Method::POST, "/logout-all", None).await;
    }

    /// Signs with a new key from now on; the old one stays listed.
    pub async fn rotate_keys(&self) {
        let key = json!({
            "name": "newer",
            "providerId": "rsa-generated",
            "providerType": "org.keycloak.keys.KeyProvider",
            "config": { "priority": ["1000"], "algorithm": ["RS256"] },
        });
        self.administer(Method::POST, "/components", Some(&key)).await;
    }

    async fn administer_user(&self, method: Method, user: &str, below: &str, body: Option<&Value>) {
        let path = format!("/users/{}{below}", self.subject(user).await);
        self.administer(method, &path, body).await;
    }

    async fn administer(&self, method: Method, path: &str, body: Option<&Value>) -> Reply {
        self.keycloak
            .administer(method, &format!("/{}{path}", self.name), body)
            .await
    }
}

/// The password of a test person.
fn password(user: &str) -> String {
    format!("{user}'s password")
}

/// The realm file with its placeholders filled in.
fn shipped(address: &str, secret: &str) -> Value {
    let realm = REALM
        .replace("${SIDEREAL_PUBLIC_URL}", address)
        .replace("${SIDEREAL_WEB_SECRET}", secret)
        .replace("${SIDEREAL_WORKER_SECRET}", WORKER_SECRET);
    assert!(!realm.contains("${"), "a placeholder that the tests do not know");
    serde_json::from_str(&realm).expect("JSON")
}

/// Objects are merged, arrays appended, the rest replaced.
fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (Value::Array(into), Value::Array(from)) => into.extend(from.iter().cloned()),
        (into, from) => *into = from.clone(),
    }
}
