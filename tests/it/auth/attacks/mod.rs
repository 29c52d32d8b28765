//! Attacks on the running server in mode `oidc`, each a test named for it, all refused. The issuer is the harness's
//! fake one: most of what it signs here no Keycloak would.

mod bearers;
mod contents;
mod logins;
mod logouts;
mod requests;
mod strangers;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use sidereal::uws::Timestamp;
use url::Url;

use super::oidc;
use crate::harness::{Backend, Browser, Issuer, Reply, Site, rewrite};
use crate::uws::LIST;

/// The client secret of the server.
const SECRET: &str = "a-secret-of-the-fake-issuers-client";
/// The cookie of a session over plain http.
const COOKIE: &str = "sidereal";

/// A server and the issuer that it believes. People are known by their names: `alice`, `bob`, `mallory`.
pub(super) struct Scene {
    pub(super) site: Site,
    pub(super) issuer: Issuer,
}

/// A login that a browser has begun: what the server has sent to the provider.
pub(super) struct Begun {
    page: Url,
    state: String,
    pub(super) nonce: String,
    challenge: String,
}

/// How the claims of this person differ from those of others.
pub(super) fn person(name: &str) -> Value {
    json!({
        "sub": format!("subject-of-{name}"), "sid": format!("login-of-{name}"), "preferred_username": name,
    })
}

/// The same person with this role.
pub(super) fn with_role(name: &str, role: &str) -> Value {
    let mut claims = person(name);
    claims["resource_access"] = json!({ "sidereal-api": { "roles": [role] } });
    claims
}

/// A time so many days from now.
pub(super) fn days_ahead(days: i64) -> String {
    Timestamp::from_millis(Timestamp::of_this_host().millis() + days * 86_400_000)
        .expect("a time")
        .to_string()
}

impl Scene {
    pub(super) async fn start() -> Self {
        Self::start_on(Backend::Embedded, &[]).await
    }

    pub(super) async fn start_on(backend: Backend, settings: &[(&str, &str)]) -> Self {
        let issuer = Issuer::start();
        let mut all = oidc(issuer.issuer(), SECRET).to_vec();
        // An attack is not to be refused for its haste.
        all.push(("SIDEREAL_QUOTA__REQUESTS_PER_SECOND", "0"));
        all.extend(settings);
        let site = Site::start_with(backend, &all).await;
        Self { site, issuer }
    }

    // ---- By token

    /// An access token of this person, who is a user.
    pub(super) fn token(&self, name: &str) -> String {
        self.issuer.token(&person(name))
    }

    pub(super) fn by_token(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        self.site.request(method, path).bearer_auth(token)
    }

    pub(super) async fn get(&self, path: &str, token: &str) -> Reply {
        self.site.send(self.by_token(Method::GET, path, token)).await
    }

    pub(super) async fn post(&self, path: &str, token: &str, form: &[(&str, &str)]) -> Reply {
        let request = self.by_token(Method::POST, path, token);
        self.site.send(request.form(form)).await
    }

    pub(super) async fn post_json(&self, path: &str, token: &str, body: &Value) -> Reply {
        let request = self.by_token(Method::POST, path, token);
        self.site.send(request.json(body)).await
    }

    /// Makes a job and gives its URL.
    pub(super) async fn job(&self, token: &str, form: &[(&str, &str)]) -> String {
        let made = self.post(LIST, token, form).await.expect(303);
        made.location().to_owned()
    }

    /// Waits until the job has run.
    pub(super) async fn until_completed(&self, token: &str, job: &str) {
        assert_eq!(self.until_ended(token, job).await, "COMPLETED");
    }

    /// Waits until a job has ended; the phase that it has then.
    pub(super) async fn until_ended(&self, token: &str, job: &str) -> String {
        loop {
            let phase = self.get(&format!("{job}/phase"), token).await.expect(200).text();
            if !["QUEUED", "EXECUTING"].contains(&phase.as_str()) {
                return phase;
            }
            self.get(&format!("{job}?WAIT=50&PHASE={phase}"), token)
                .await
                .expect(200);
        }
    }

    // ---- By browser

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.site.address)
    }

    /// Begins a login.
    pub(super) async fn begin(&self, browser: &Browser) -> Begun {
        self.begin_for(browser, "/api/v1/me").await
    }

    /// Begins a login that is to end at this place.
    async fn begin_for(&self, browser: &Browser, next: &str) -> Begun {
        let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
        let url = self.url(&format!("/account/login?next={next}"));
        Begun::of(browser.get(&url).await.expect(303).next())
    }

    /// Comes back from the provider with this query.
    async fn come_back(&self, browser: &Browser, query: &[(&str, &str)]) -> Reply {
        let request = self.site.request(Method::GET, "/account/callback");
        browser.send(request.query(query)).await
    }

    /// Comes back from the provider with a good answer, which it has tokens with these claims for.
    async fn come_back_as(&self, browser: &Browser, begun: &Begun, claims: &Value) -> Reply {
        let login = self.issuer.login(&begun.nonce, claims);
        self.come_back_with(browser, begun, login).await
    }

    /// As `come_back_as`, with this login.
    pub(super) async fn come_back_with(&self, browser: &Browser, begun: &Begun, login: Value) -> Reply {
        self.issuer.answer(200, login);
        let query = [
            ("code", "a-code"),
            ("state", &begun.state),
            ("iss", self.issuer.issuer()),
        ];
        self.come_back(browser, &query).await
    }

    /// Logs in as this person.
    pub(super) async fn sign_in(&self, browser: &Browser, name: &str) {
        self.sign_in_as(browser, &person(name)).await;
    }

    /// Logs in with these claims.
    async fn sign_in_as(&self, browser: &Browser, claims: &Value) {
        let begun = self.begin(browser).await;
        self.come_back_as(browser, &begun, claims).await.expect(303);
    }

    /// The secret of the browser's session.
    pub(super) fn session(&self, browser: &Browser) -> Option<String> {
        browser.cookie(&self.url("/"), COOKIE)
    }

    /// A request with the session of this secret.
    pub(super) fn by_session(&self, method: Method, path: &str, secret: &str) -> RequestBuilder {
        self.site
            .request(method, path)
            .header("Cookie", format!("{COOKIE}={secret}"))
    }

    /// Whether a session of this secret is one.
    pub(super) async fn lives(&self, secret: &str) -> bool {
        let reply = Reply::to(self.by_session(Method::GET, "/api/v1/me", secret)).await;
        assert!([200, 401].contains(&reply.status), "{reply:?}");
        reply.status == 200
    }

    /// A request as a page of this server sends it.
    pub(super) fn by_page(&self, method: Method, path: &str) -> RequestBuilder {
        self.site
            .request(method, path)
            .header("Origin", &self.site.address)
            .header("Sec-Fetch-Site", "same-origin")
            .header("Sidereal-Request", "1")
    }

    /// Logs out as a page of ours does; the answer, and where the browser is to go.
    pub(super) async fn log_out(&self, browser: &Browser) -> (Reply, String) {
        let request = self.by_page(Method::POST, "/account/logout");
        let reply = browser.send(request).await.expect(200);
        let location = reply.json::<Value>()["location"]
            .as_str()
            .expect("a place")
            .to_owned();
        (reply, location)
    }

    // ---- Behind the server's back

    pub(super) async fn rewrite(&self, sql: &str) {
        rewrite(self.site.store().await.url(), sql).await;
    }
}

impl Begun {
    /// Of the redirect to the provider.
    fn of(page: Url) -> Self {
        let value = |name: &str| {
            let found = page.query_pairs().find(|(key, _)| key == name);
            found
                .unwrap_or_else(|| panic!("no {name} in {page}"))
                .1
                .into_owned()
        };
        Self {
            state: value("state"),
            nonce: value("nonce"),
            challenge: value("code_challenge"),
            page,
        }
    }
}
