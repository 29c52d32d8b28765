//! Login, logout, API tokens: `/account`.

#![expect(
    clippy::unused_async,
    reason = "poem-openapi takes asynchronous operations only"
)]

use std::{sync::Arc, time::Duration};

use poem::{
    Request, Response,
    http::{HeaderValue, StatusCode, header},
};
use poem_openapi::{OpenApi, param::Path, payload::Json};
use serde::Serialize;
use url::Url;

use super::{
    Site,
    caller::{KnownBy, cookie},
    form::Form,
    page,
    problem::Problem,
    reply::{Created, JsonOf, Nothing, Page, Reply},
    schema,
};
use crate::{
    auth::{
        Answer, By, Known, LoginError, LogoutError, MAX_TOKEN_LIFETIME, MAX_TOKENS, NewApiToken, Next, Scope,
        Secret, TooFast,
    },
    store::ApiToken,
    uws::Timestamp,
};

/// How long a browser is known that has begun a login.
const LOGIN: u64 = 600;
/// Longest name of an API token, in characters.
const MAX_NAME: usize = 100;

/// The account API.
pub struct Account(pub Arc<Site>);

#[OpenApi(prefix_path = "/account")]
impl Account {
    /// Where people and programs sign in
    #[oai(path = "/provider", method = "get", operation_id = "getProvider")]
    async fn provider(&self) -> Result<Reply<JsonOf<schema::Provider>>, Problem> {
        #[derive(Serialize)]
        struct Provider<'a> {
            mode: &'static str,
            issuer: Option<&'a str>,
            client: Option<&'a str>,
        }
        let issuer = self.0.door.auth.issuer();
        Reply::json(&Provider {
            mode: if self.0.door.auth.is_local() {
                "local"
            } else {
                "oidc"
            },
            issuer: issuer.map(|(issuer, _)| issuer.as_str()),
            client: issuer.map(|(_, client)| client),
        })
    }

    /// Begins a login in a browser
    ///
    /// The browser goes to the provider and comes back to the path in `next`.
    #[oai(path = "/login", method = "get", operation_id = "login")]
    async fn login(&self, request: &Request) -> Reply<Page> {
        let door = &self.0.door;
        let next = Next::new(query(request, "next").as_deref());
        if door.auth.is_local() {
            return Reply::of(self.0.go_to(next.as_str()));
        }
        if let Err(TooFast(pause)) = door.rates.login(door.address(request)) {
            return Reply::of(self.too_many_logins(pause, &next));
        }
        let browser = cookie(request.headers(), door.login_cookie()).and_then(Secret::parse);
        match door
            .auth
            .begin_login(&self.0.callback_url(), &next, browser)
            .await
        {
            Ok(started) => {
                let cookie = door.cookie(door.login_cookie(), started.browser.expose(), Some(LOGIN));
                Reply::of(
                    Response::builder()
                        .status(StatusCode::SEE_OTHER)
                        .header(header::LOCATION, started.url.as_str())
                        .header(header::SET_COOKIE, cookie)
                        .header(header::CACHE_CONTROL, "no-store")
                        .finish(),
                )
            }
            Err(error) => Reply::of(self.login_failed(&error, &next)),
        }
    }

    /// Ends a login: the provider sends the browser here
    #[oai(path = "/callback", method = "get", operation_id = "callback")]
    async fn callback(&self, request: &Request) -> Reply<Page> {
        let door = &self.0.door;
        let answer = Answer {
            state: query(request, "state"),
            iss: query(request, "iss"),
            code: query(request, "code"),
            error: query(request, "error"),
        };
        if let Err(TooFast(pause)) = door.rates.callback(door.address(request)) {
            return Reply::of(self.too_many_logins(pause, &Next::new(None)));
        }
        let browser = cookie(request.headers(), door.login_cookie()).and_then(Secret::parse);
        let address = Some(door.address(request));
        let finished = door
            .auth
            .finish_login(&self.0.callback_url(), &answer, browser.as_ref(), address)
            .await;
        match finished {
            Ok((session, next)) => {
                // A new login is a new session; the one before is not left behind.
                if let Some(before) = cookie(request.headers(), door.session_cookie())
                    && let Err(error) = door.auth.forget_session(before).await
                {
                    tracing::warn!(%error, "the session before is left to run out");
                }
                let mut response = self.0.go_to(next.as_str());
                let cookie = door.cookie(door.session_cookie(), session.expose(), None);
                response.headers_mut().insert(header::SET_COOKIE, cookie);
                Reply::of(response)
            }
            Err(error) => Reply::of(self.login_failed(&error, &Next::new(None))),
        }
    }

    /// Ends the session of this browser
    ///
    /// Also one that has run out. `location` is where the browser goes next, within a minute and once: on to the
    /// provider, which ends the login there and sends it back.
    #[oai(path = "/logout", method = "post", operation_id = "logout")]
    async fn logout(&self, request: &Request) -> Result<Reply<JsonOf<schema::LoggedOut>>, Problem> {
        #[derive(Serialize)]
        struct LoggedOut {
            location: String,
        }
        let door = &self.0.door;
        let headers = request.headers();
        // Who shows a token is known by that, and has no session.
        let shown = cookie(headers, door.session_cookie())
            .filter(|_| !door.auth.is_local() && !headers.contains_key(header::AUTHORIZATION));
        let Some(secret) = shown else {
            return Reply::json(&LoggedOut {
                location: self.0.url("/"),
            });
        };
        door.check_page(request)?;
        let address = door.address(request);
        let once = door
            .auth
            .log_out(secret, Some(address.to_string()))
            .await
            .map_err(Problem::unavailable)?;
        let location = if let Some(once) = once {
            self.0.url(&format!("/account/logout/{}", once.expose()))
        } else {
            door.rates
                .address(address)
                .map_err(|TooFast(pause)| Problem::too_many("too many requests", pause))?;
            let way_out = door.auth.way_out(None, &self.0.home()).await;
            let way_out = way_out.map_err(Problem::unavailable)?;
            way_out.unwrap_or_else(|| self.0.home()).into()
        };
        let mut response = Reply::<JsonOf<schema::LoggedOut>>::json(&LoggedOut { location })?.into_inner();
        let headers = response.headers_mut();
        headers.insert(
            header::SET_COOKIE,
            door.cookie(door.session_cookie(), "", Some(0)),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(Reply::of(response))
    }

    /// Takes a browser that has logged out on to the provider
    ///
    /// Once; used again, or late, it leads to the start page.
    #[oai(path = "/logout/:secret", method = "get", operation_id = "endLogin")]
    async fn end_login(&self, secret: Path<String>, request: &Request) -> Reply<Page> {
        let door = &self.0.door;
        if let Err(TooFast(pause)) = door.rates.address(door.address(request)) {
            return Reply::of(self.too_many_logins(pause, &Next::new(None)));
        }
        let home = self.0.home();
        let way_out = door.auth.way_out(Some(&secret), &home).await;
        let way_out = way_out.unwrap_or_else(|error| {
            tracing::error!(%error, "logout");
            None
        });
        Reply::of(
            Response::builder()
                .status(StatusCode::SEE_OTHER)
                .header(header::LOCATION, way_out.unwrap_or(home).as_str())
                .header(header::CACHE_CONTROL, "no-store")
                .header(header::REFERRER_POLICY, "no-referrer")
                .finish(),
        )
    }

    /// The provider says that a login has ended (Back-Channel Logout 1.0)
    #[oai(
        path = "/backchannel-logout",
        method = "post",
        operation_id = "backchannelLogout"
    )]
    async fn backchannel_logout(&self, request: &Request, form: Form) -> Result<Reply<Nothing>, Problem> {
        let door = &self.0.door;
        if request.uri().query().is_some() {
            return Err(Problem::usage(
                "logout_token",
                "expected in the body; URLs are written into logs",
            ));
        }
        match door
            .auth
            .log_out_by_provider(form.required("logout_token", "a logout token")?)
            .await
        {
            Ok(_) => Ok(Reply::of(
                Response::builder()
                    .status(StatusCode::OK)
                    .header(header::CACHE_CONTROL, "no-store")
                    .finish(),
            )),
            Err(LogoutError::Unavailable(error)) => Err(Problem::unavailable(error)),
            Err(error) => {
                door.rates
                    .address(door.address(request))
                    .map_err(|too_fast| Problem::too_many("too many requests", too_fast.0))?;
                Err(Problem::usage("logout_token", error.to_string())
                    .refusal("logout refused", "")
                    .header(header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
            }
        }
    }

    /// Makes an API token
    ///
    /// The answer is the only time that the token is shown. A token cannot make tokens.
    #[oai(path = "/token/create", method = "post", operation_id = "createToken")]
    async fn create_token(
        &self,
        KnownBy(known): KnownBy,
        body: Json<schema::NewToken>,
    ) -> Result<Reply<Created<schema::CreatedToken>>, Problem> {
        #[derive(Serialize)]
        struct CreatedToken<'a> {
            token: &'a str,
            #[serde(flatten)]
            of: TokenDocument<'a>,
        }
        personal(&known)?;
        let new = new_token(&body.0)?;
        let (stored, token) = self
            .0
            .door
            .auth
            .create_token(&known, &new)
            .await
            .map_err(Problem::unavailable)?
            .ok_or_else(too_many_tokens)?;
        let url = self.0.url(&format!("/account/token/{}", stored.id));
        Reply::created(
            &url,
            &CreatedToken {
                token: &token,
                of: token_document(&stored),
            },
        )
    }

    /// The caller's API tokens
    #[oai(path = "/token", method = "get", operation_id = "listTokens")]
    async fn tokens(&self, KnownBy(known): KnownBy) -> Result<Reply<JsonOf<schema::TokenList>>, Problem> {
        #[derive(Serialize)]
        struct TokenList<'a> {
            items: Vec<TokenDocument<'a>>,
        }
        let tokens = self
            .0
            .door
            .auth
            .tokens(personal(&known)?)
            .await
            .map_err(Problem::unavailable)?;
        Reply::json(&TokenList {
            items: tokens.iter().map(token_document).collect(),
        })
    }

    /// Revokes an API token
    #[oai(path = "/token/:id", method = "delete", operation_id = "revokeToken")]
    async fn revoke_token(
        &self,
        KnownBy(known): KnownBy,
        id: Path<String>,
    ) -> Result<Reply<Nothing>, Problem> {
        personal(&known)?;
        let revoked = match id.parse() {
            Ok(id) => self
                .0
                .door
                .auth
                .revoke_token(&known, id)
                .await
                .map_err(Problem::unavailable)?,
            Err(_) => false,
        };
        if !revoked {
            return Err(Problem::not_found("token not found"));
        }
        Ok(Reply::done())
    }
}

impl Account {
    fn too_many_logins(&self, pause: Duration, next: &Next) -> Response {
        let mut page = page::failure(
            StatusCode::TOO_MANY_REQUESTS,
            "Too many logins",
            "too many logins were begun from your address; wait a moment",
            &self.0.login_url(next),
        );
        let pause = HeaderValue::from(pause.as_secs().max(1));
        page.headers_mut().insert(header::RETRY_AFTER, pause);
        page
    }

    fn login_failed(&self, error: &LoginError, next: &Next) -> Response {
        let (status, title) = match error {
            LoginError::Local => (StatusCode::NOT_FOUND, "No login here"),
            LoginError::Expired => (StatusCode::BAD_REQUEST, "This login is over"),
            LoginError::Refused(_) => (StatusCode::BAD_REQUEST, "The login was refused"),
            LoginError::NoRole => (StatusCode::FORBIDDEN, "This account may not come in"),
            LoginError::Unavailable(source) => {
                tracing::error!(error = %source, "login");
                (StatusCode::SERVICE_UNAVAILABLE, "The login is not available")
            }
        };
        page::failure(status, title, &error.to_string(), &self.0.login_url(next))
    }
}

impl Site {
    fn callback_url(&self) -> Url {
        self.parsed("/account/callback")
    }

    fn home(&self) -> Url {
        self.parsed("/")
    }

    fn parsed(&self, path: &str) -> Url {
        // The base was checked with the settings.
        Url::parse(&self.url(path)).unwrap_or_else(|_| unreachable!("the public URL is one"))
    }

    fn login_url(&self, next: &Next) -> String {
        let next: String = form_urlencoded::byte_serialize(next.as_str().as_bytes()).collect();
        self.url(&format!("/account/login?next={next}"))
    }

    fn go_to(&self, path: &str) -> Response {
        Response::builder()
            .status(StatusCode::SEE_OTHER)
            .header(header::LOCATION, self.url(path))
            .header(header::CACHE_CONTROL, "no-store")
            .finish()
    }
}

/// The one value of a query parameter; of two neither is meant.
fn query(request: &Request, name: &str) -> Option<String> {
    let query = request.uri().query()?;
    let mut values = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
    let first = values.next()?.1.into_owned();
    values.next().is_none().then_some(first)
}

/// Whose tokens: tokens are made by people who have shown more than a token.
fn personal(known: &Known) -> Result<&str, Problem> {
    match known.by {
        By::ApiToken(_) => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "an API token cannot see or change API tokens; sign in",
        )),
        By::Local => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "in mode local there are no API tokens: nobody asks for any",
        )),
        By::Session(_) | By::Provider => Ok(&known.subject),
    }
}

fn too_many_tokens() -> Problem {
    let message = format!("you have {MAX_TOKENS} API tokens, as many as there may be; revoke one");
    Problem::new(StatusCode::CONFLICT, message)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TokenDocument<'a> {
    id: String,
    name: &'a str,
    scopes: &'a [String],
    created: Timestamp,
    expires: Timestamp,
    last_used: Option<Timestamp>,
}

fn token_document(token: &ApiToken) -> TokenDocument<'_> {
    TokenDocument {
        id: token.id.to_string(),
        name: &token.name,
        scopes: &token.scopes,
        created: token.created_at,
        expires: token.expires_at,
        last_used: token.last_used,
    }
}

fn new_token(new: &schema::NewToken) -> Result<NewApiToken, Problem> {
    let name = new.name.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(Problem::usage(
            "name",
            format!("expected 1 to {MAX_NAME} characters"),
        ));
    }
    let scopes: Vec<Scope> = new
        .scopes
        .iter()
        .map(|scope| scope.parse())
        .collect::<Result<_, ()>>()
        .ok()
        .filter(|scopes: &Vec<Scope>| !scopes.is_empty())
        .ok_or_else(|| Problem::usage("scopes", "expected one or more of read, write, admin"))?;
    let expires: Timestamp = new
        .expires
        .parse()
        .map_err(|error| Problem::usage("expires", format!("{error}")))?;
    let left = expires.millis() - Timestamp::of_this_host().millis();
    let longest = MAX_TOKEN_LIFETIME + Duration::from_mins(5);
    if left <= 0 || left > longest.as_millis() as i64 {
        return Err(Problem::usage(
            "expires",
            format!(
                "expected a time to come, at most {} days ahead",
                MAX_TOKEN_LIFETIME.as_secs() / 86_400
            ),
        ));
    }
    Ok(NewApiToken {
        name: name.to_owned(),
        scopes,
        expires,
    })
}
