//! Who is asking: login through an `OpenID` Connect provider, sessions of browsers, access tokens, API tokens, rates.
//!
//! `caller` is what the rest of the server sees of it, `policy` the table of who may ask for what. Calls `store`, `net`,
//! `uws` and `settings`; the only module that names `openidconnect` and `jsonwebtoken`. What a caller may do to a job is
//! decided in `jobs`.

mod access_token;
mod api_token;
mod caller;
pub mod checkup;
pub mod device;
#[cfg(test)]
mod forge;
mod keys;
mod login;
mod logout;
mod logout_token;
mod next;
mod people;
pub mod policy;
mod provider;
mod rate;
mod record;
mod seal;
mod session;
mod transport;

use std::{sync::Arc, time::Duration};

use uuid::Uuid;

pub use access_token::{Identity, TokenError};
pub use api_token::{MAX_TOKEN_LIFETIME, MAX_TOKENS, NewApiToken, Scope};
pub use caller::{Caller, Limits, Role, UnknownRole};
pub use login::{Answer, LoginError, Started};
pub use logout::LogoutError;
pub use logout_token::LogoutToken;
pub use next::Next;
pub use people::Ended;
pub use provider::{Provider, ProviderError};
pub use rate::{Rates, TooFast, network};
pub use record::{Refusal, record};
pub use seal::{Seal, Secret, hash};

use crate::{
    settings::{AuthMode, AuthSettings, QuotaSettings, Settings},
    store::{Person, Quota, Store, StoreError},
    uws::Timestamp,
};

/// The prefix by which an API token is known, in a request and in a leaked file.
pub const API_TOKEN_PREFIX: &str = "sdr_";

/// How often it is noted that the provider still vouches for a person.
const VOUCHED: Duration = Duration::from_hours(1);

/// Knows callers by what they show. Clones share their state.
#[derive(Clone)]
pub struct Auth(Arc<Inner>);

struct Inner {
    store: Store,
    quota: QuotaSettings,
    settings: AuthSettings,
    /// None in mode `local`.
    oidc: Option<Oidc>,
    recorder: record::Recorder,
}

struct Oidc {
    provider: Provider,
    seal: Seal,
}

/// What a request shows of who sends it.
#[derive(Clone, Copy)]
pub enum Credential<'a> {
    /// Nothing.
    None,
    /// `Authorization: Bearer …`.
    Bearer(&'a str),
    /// The cookie of a session.
    Session(&'a str),
}

/// By what a caller is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// Mode `local`: by being on this machine.
    Local,
    /// A session of a browser.
    Session([u8; 32]),
    /// An access token of the provider.
    Provider,
    /// An API token with these scopes.
    ApiToken(Vec<Scope>),
}

/// A caller that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Who.
    pub caller: Caller,
    /// The provider's name of that person, which never changes.
    pub subject: String,
    /// By what.
    pub by: By,
    /// When that ends, a session at the latest; never in mode `local`.
    pub until: Option<Timestamp>,
    /// The identifier of the API token, if by one.
    pub token: Option<Uuid>,
}

impl Known {
    /// Whether it was given for this.
    pub fn allows(&self, scope: Scope) -> bool {
        match &self.by {
            By::ApiToken(scopes) => scopes.contains(&scope),
            By::Local | By::Session(_) | By::Provider => true,
        }
    }
}

/// Why a caller is not known, or may not come in.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// Nothing was shown where something must be.
    #[error("sign in, or send a token")]
    Anonymous,
    /// The token is not one that is taken; the text is for its bearer.
    #[error("{0}")]
    Token(String),
    /// One of our own tokens, which is not taken.
    #[error("{why}")]
    ApiToken {
        /// Its identifier, no secret.
        id: Uuid,
        /// Public name of its owner.
        owner: String,
        /// For its bearer.
        why: String,
    },
    /// The session has ended.
    #[error("the session has ended; sign in again")]
    SessionEnded,
    /// Known, but without any of our roles.
    #[error("this account has no role here; ask an administrator of this server")]
    NoRole,
    /// The provider or the database does not answer.
    #[error("{0}")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<StoreError> for AuthError {
    fn from(error: StoreError) -> Self {
        AuthError::Unavailable(error.into())
    }
}

impl From<TokenError> for AuthError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Unavailable(source) => AuthError::Unavailable(source.into()),
            fault => AuthError::Token(fault.to_string()),
        }
    }
}

impl Auth {
    /// As the settings say. Asks the provider for nothing yet: it may be away at the start.
    pub fn new(settings: &Settings, store: Store) -> Result<Self, ProviderError> {
        let oidc = match (&settings.auth.mode, &settings.auth.client_secret) {
            (AuthMode::Local, _) => None,
            (AuthMode::Oidc, Some(secret)) => Some(Oidc {
                provider: Provider::new(&settings.auth)?,
                seal: Seal::from_secret(secret),
            }),
            (AuthMode::Oidc, None) => {
                return Err(ProviderError::Configuration(
                    "auth.client_secret is not set".into(),
                ));
            }
        };
        Ok(Auth(Arc::new(Inner {
            store,
            quota: settings.quota.clone(),
            settings: settings.auth.clone(),
            oidc,
            recorder: record::Recorder::default(),
        })))
    }

    /// Whether everyone is the one user `local`.
    pub fn is_local(&self) -> bool {
        self.0.oidc.is_none()
    }

    /// What people and programs must know of the provider to sign in: issuer and client of the command line.
    pub fn issuer(&self) -> Option<(&url::Url, &str)> {
        let issuer = self.0.settings.issuer.as_ref()?;
        self.0.oidc.as_ref()?;
        Some((issuer, &self.0.settings.cli_client_id))
    }

    /// Whether the provider answers; always so in mode `local`.
    pub async fn probe(&self) -> Result<(), ProviderError> {
        match &self.0.oidc {
            Some(oidc) => oidc.provider.probe().await,
            None => Ok(()),
        }
    }

    /// Who shows this. In mode `local` everyone is the one user, whatever is shown. What is shown and not good never
    /// counts as nothing shown.
    pub async fn identify(&self, credential: Credential<'_>) -> Result<Known, AuthError> {
        let Some(oidc) = &self.0.oidc else {
            return Ok(Known {
                caller: Caller::local(),
                subject: "local".into(),
                by: By::Local,
                until: None,
                token: None,
            });
        };
        match credential {
            Credential::None => Err(AuthError::Anonymous),
            Credential::Bearer(token) if token.starts_with(API_TOKEN_PREFIX) => {
                self.by_api_token(token).await
            }
            Credential::Bearer(token) => {
                let identity = oidc.provider.verify_bearer(token).await?;
                let role = identity.role.ok_or(AuthError::NoRole)?;
                let store = &self.0.store;
                let person = match store.person_of(&identity.subject).await? {
                    // A token outlives the disabling of its account, which only a new login ends.
                    Some(person) if person.disabled => {
                        return Err(AuthError::Token("the account is disabled".into()));
                    }
                    Some(person) => {
                        // Less than was said before counts at once, for API tokens too; more may be older than its loss.
                        let lost = person.role.parse().is_ok_and(|known: Role| role < known);
                        if lost || age(person.seen_at) > VOUCHED {
                            let less = lost.then(|| role.as_str());
                            store.person_vouched(&identity.subject, less).await?;
                        }
                        person
                    }
                    None => {
                        store
                            .person_seen(&identity.subject, &identity.name, role.as_str())
                            .await?
                    }
                };
                let until = Timestamp::from_millis(identity.expires.saturating_mul(1_000));
                Ok(self.known(&person, role, By::Provider, until))
            }
            Credential::Session(secret) => self.by_session(secret).await,
        }
    }

    /// A person as a caller with at most this role.
    fn known(&self, person: &Person, role: Role, by: By, until: Option<Timestamp>) -> Known {
        Known {
            caller: Caller {
                name: person.name.clone(),
                role,
                limits: self.limits(&person.quota),
                address: None,
            },
            subject: person.subject.clone(),
            by,
            until,
            token: None,
        }
    }

    /// What a person with these quotas may have: theirs, else the settings'; 0 is any number.
    pub fn limits(&self, own: &Quota) -> Limits {
        let limit = |own: Option<u64>, general: u64| Some(own.unwrap_or(general)).filter(|limit| *limit > 0);
        let general = &self.0.quota;
        Limits {
            running: limit(own.running, general.running),
            queued: limit(own.queued, general.queued),
            pending: limit(own.pending, general.pending),
            positions: limit(own.positions, general.positions),
            stored_bytes: limit(own.stored_bytes, general.stored_bytes),
            requests_per_second: limit(own.requests, general.requests_per_second),
        }
    }

    /// Turns a person away until the next login: sessions end at once, API tokens are not taken.
    async fn disable(&self, subject: &str) -> Result<(), StoreError> {
        self.0.store.disable_person(subject).await?;
        self.0.store.end_sessions(Some(subject), None).await?;
        Ok(())
    }
}

/// How long ago a time of the database was, by this host's clock; nothing if it is to come.
fn age(time: Timestamp) -> Duration {
    let millis = Timestamp::of_this_host().millis() - time.millis();
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}
