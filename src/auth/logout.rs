//! The end of a login, in both directions: from here on to the provider (RP-Initiated Logout 1.0), and by its word
//! (Back-Channel Logout 1.0).
//!
//! The provider is told which login ends by its ID token, in a URL. No page gets to see that: it lies in the database,
//! encrypted, until the browser comes for it with a secret that is good once.

use url::Url;

use super::{Auth, LogoutToken, Secret, TokenError, hash};
use crate::store::{NewAudit, StoreError};

/// What the database keeps of a logout is encrypted for this purpose.
const PURPOSE: &str = "logout";

impl Auth {
    /// Ends the session with this secret, whether or not it still lives. The secret that is given is good once, for
    /// [`Auth::way_out`]; there is none where nothing is known of a login. `address` is for the record.
    pub async fn log_out(&self, secret: &str, address: Option<String>) -> Result<Option<Secret>, StoreError> {
        let store = &self.0.store;
        let Some(oidc) = &self.0.oidc else {
            return Ok(None);
        };
        let Some(session) = store.end_session(hash(secret)).await? else {
            return Ok(None);
        };
        let once = match oidc.id_token(&session) {
            Some(id_token) => {
                let once = Secret::new();
                let sealed = oidc.seal.seal(PURPOSE, id_token.as_bytes());
                store.begin_logout(once.hash(), sealed).await?;
                Some(once)
            }
            None => None,
        };
        let person = store.person_of(&session.subject).await?;
        self.record(NewAudit {
            actor: person.map(|person| person.name),
            action: "logout".into(),
            subject: String::new(),
            detail: String::new(),
            address,
        })
        .await;
        Ok(once)
    }

    /// Where a browser ends its login at the provider, which sends it `back`. `once` is what [`Auth::log_out`] gave, for
    /// whoever shows it first within a minute; without it the provider asks the person. Nowhere, if that is over or the
    /// provider does not answer.
    pub async fn way_out(&self, once: Option<&str>, back: &Url) -> Result<Option<Url>, StoreError> {
        let Some(oidc) = &self.0.oidc else {
            return Ok(None);
        };
        let id_token = match once {
            None => None,
            Some(once) => {
                let sealed = self.0.store.take_logout(hash(once)).await?;
                let id_token = sealed.and_then(|sealed| oidc.seal.open(PURPOSE, &sealed));
                let Some(id_token) = id_token.and_then(|token| String::from_utf8(token).ok()) else {
                    return Ok(None);
                };
                Some(id_token)
            }
        };
        let state = Secret::new();
        let url = oidc
            .provider
            .end_session_url(id_token.as_deref(), back, state.expose());
        Ok(url
            .await
            .inspect_err(|error| tracing::warn!(%error, "a login goes on at the provider"))
            .ok())
    }

    /// Ends the sessions that the provider says have ended (Back-Channel Logout 1.0 section 2.6); a token counts once.
    pub async fn log_out_by_provider(&self, token: &str) -> Result<u64, LogoutError> {
        let oidc = self.0.oidc.as_ref().ok_or(LogoutError::Local)?;
        let LogoutToken {
            subject,
            sid,
            jti,
            expires,
        } = oidc.provider.verify_logout(token).await?;
        let until = expires.saturating_mul(1_000);
        let ended = self
            .0
            .store
            .end_sessions_once(hash(&jti), until, subject.as_deref(), sid.as_deref())
            .await?
            .ok_or(LogoutError::Replayed)?;
        self.record(NewAudit {
            actor: None,
            action: "logout by the provider".into(),
            subject: subject.or(sid).unwrap_or_default(),
            detail: format!("{ended} sessions"),
            address: None,
        })
        .await;
        Ok(ended)
    }
}

/// Why the provider's word that a login has ended is not taken.
#[derive(Debug, thiserror::Error)]
pub enum LogoutError {
    /// There is no provider: mode `local`.
    #[error("this server knows no login")]
    Local,
    /// The token is not good.
    #[error(transparent)]
    Token(TokenError),
    /// It has come before.
    #[error("the token has come before")]
    Replayed,
    /// The provider's keys or the database cannot be had.
    #[error("{0}")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<TokenError> for LogoutError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Unavailable(source) => LogoutError::Unavailable(source.into()),
            fault => LogoutError::Token(fault),
        }
    }
}

impl From<StoreError> for LogoutError {
    fn from(error: StoreError) -> Self {
        LogoutError::Unavailable(error.into())
    }
}
