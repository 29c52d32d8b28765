//! A login in a browser: authorization code with PKCE, state and nonce (RFC 6749, 7636, 9207; `OpenID` Connect Core 3.1).
//!
//! What a login needs until the provider sends the browser back lies in the database, below the hash of its state, and
//! is taken from there before the provider is asked: a callback that is sent twice does nothing the second time, while
//! asking the provider twice would end the first login. The browser that began is known by a secret in a cookie.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use url::Url;

use super::{Auth, AuthError, Next, ProviderError, Refusal, Secret, hash, record};
use crate::store::{NewAudit, NewSession, StoreError};

/// What the database keeps of a login is encrypted for this purpose.
const PURPOSE: &str = "login";

/// Where a login goes on, and how the browser is known when it comes back.
pub struct Started {
    /// The provider's page.
    pub url: Url,
    /// For a cookie.
    pub browser: Secret,
}

/// What the provider sends the browser back with.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// Which login.
    pub state: Option<String>,
    /// Who sends it (RFC 9207).
    pub iss: Option<String>,
    /// Good for tokens, once.
    pub code: Option<String>,
    /// Why there is no code.
    pub error: Option<String>,
}

/// Why a login came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// There is no provider: mode `local`.
    #[error("this server knows no login: everyone who reaches it is the user local")]
    Local,
    /// The login is over, was never begun, or was begun by another browser.
    #[error("this login has expired or was used before")]
    Expired,
    /// The provider says no.
    #[error("the provider of logins refused: {0}")]
    Refused(String),
    /// Known, but without any of our roles.
    #[error("this account has no role here; ask an administrator of this server")]
    NoRole,
    /// The provider or the database does not answer.
    #[error("the provider of logins does not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<StoreError> for LoginError {
    fn from(error: StoreError) -> Self {
        LoginError::Unavailable(error.into())
    }
}

impl From<ProviderError> for LoginError {
    fn from(error: ProviderError) -> Self {
        match error {
            ProviderError::Refused { error, .. } => LoginError::Refused(error),
            fault @ (ProviderError::Invalid(_) | ProviderError::Token(_)) => {
                tracing::warn!(error = %fault, "a login was refused");
                LoginError::Refused("its answer was not the one that was asked for".into())
            }
            other => LoginError::Unavailable(other.into()),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Begun {
    nonce: String,
    verifier: String,
    next: String,
}

impl Auth {
    /// Begins a login that ends at `next`; `browser` is this browser's secret of a login that is under way beside it.
    pub async fn begin_login(
        &self,
        redirect: &Url,
        next: &Next,
        browser: Option<Secret>,
    ) -> Result<Started, LoginError> {
        let oidc = self.0.oidc.as_ref().ok_or(LoginError::Local)?;
        let authorization = oidc.provider.authorization(redirect).await?;
        let browser = browser.unwrap_or_else(Secret::new);
        let begun = Begun {
            nonce: authorization.nonce,
            verifier: authorization.verifier,
            next: next.as_str().to_owned(),
        };
        let begun = serde_json::to_vec(&begun).map_err(|error| LoginError::Unavailable(error.into()))?;
        self.0
            .store
            .begin_login(
                authorization.state.hash(),
                browser.hash(),
                oidc.seal.seal(PURPOSE, &begun),
            )
            .await?;
        Ok(Started {
            url: authorization.url,
            browser,
        })
    }

    /// Ends a login: the secret of a new session, and where the browser goes. `address` is for the record.
    pub async fn finish_login(
        &self,
        redirect: &Url,
        answer: &Answer,
        browser: Option<&Secret>,
        address: Option<IpAddr>,
    ) -> Result<(Secret, Next), LoginError> {
        let finished = self.try_login(redirect, answer, browser, address).await;
        let action = match &finished {
            // Who has no role is on the record by name.
            Ok(_) | Err(LoginError::Local | LoginError::NoRole) => return finished,
            Err(LoginError::Expired | LoginError::Refused(_)) => "login refused",
            Err(LoginError::Unavailable(_)) => "login failed",
        };
        if let Err(error) = &finished {
            self.refused(Refusal {
                actor: None,
                action,
                subject: "GET /account/callback".into(),
                detail: error.to_string(),
                address,
            })
            .await;
        }
        finished
    }

    async fn try_login(
        &self,
        redirect: &Url,
        answer: &Answer,
        browser: Option<&Secret>,
        address: Option<IpAddr>,
    ) -> Result<(Secret, Next), LoginError> {
        let oidc = self.0.oidc.as_ref().ok_or(LoginError::Local)?;
        let state = answer.state.as_deref().ok_or(LoginError::Expired)?;
        let login = self
            .0
            .store
            .take_login(hash(state))
            .await?
            .ok_or(LoginError::Expired)?;
        if browser.map(Secret::hash) != Some(login.browser_hash) {
            return Err(LoginError::Expired);
        }
        let begun: Begun = oidc
            .seal
            .open(PURPOSE, &login.sealed)
            .and_then(|begun| serde_json::from_slice(&begun).ok())
            .ok_or(LoginError::Expired)?;
        if answer.iss.as_deref() != Some(oidc.provider.issuer()) {
            return Err(LoginError::Refused(
                "the answer is not from the provider that was asked".into(),
            ));
        }
        if let Some(error) = &answer.error {
            return Err(LoginError::Refused(error.clone()));
        }
        let code = answer
            .code
            .as_deref()
            .ok_or_else(|| LoginError::Refused("no code".into()))?;
        let tokens = oidc
            .provider
            .exchange(code, &begun.verifier, &begun.nonce, redirect)
            .await?;
        let identity = &tokens.identity;
        let Some(role) = identity.role else {
            self.disable(&identity.subject).await?;
            self.refused(Refusal {
                // The provider's name of one who has none here: it may be another's here.
                actor: None,
                action: "login refused",
                subject: identity.name.clone(),
                detail: "without a role".into(),
                address,
            })
            .await;
            return Err(LoginError::NoRole);
        };
        let person = self
            .0
            .store
            .person_seen(&identity.subject, &identity.name, role.as_str())
            .await?;
        let secret = Secret::new();
        let (idle, lifetime) = (self.0.settings.session_idle, self.0.settings.session_lifetime);
        let sealed = oidc
            .sealed(&tokens)
            .map_err(|error| LoginError::Unavailable(error.into()))?;
        let change = self.0.store.transaction().await?;
        change
            .create_session(NewSession {
                id_hash: secret.hash(),
                subject: identity.subject.clone(),
                sid: identity.sid.clone(),
                role: role.as_str().to_owned(),
                sealed,
                idle_ms: idle.as_millis() as i64,
                lifetime_ms: lifetime.as_millis() as i64,
                fresh_ms: tokens.expires_in.as_millis() as i64,
            })
            .await?;
        let entry = NewAudit {
            actor: Some(person.name),
            action: "login".into(),
            subject: role.as_str().into(),
            detail: String::new(),
            address: address.map(|address| address.to_string()),
        };
        record(&change, &entry).await?;
        change.commit().await?;
        Ok((secret, Next::new(Some(&begun.next))))
    }
}

impl From<LoginError> for AuthError {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::NoRole => AuthError::NoRole,
            other => AuthError::Unavailable(other.into()),
        }
    }
}
