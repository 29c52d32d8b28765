//! Sessions of browsers: a cookie holds a secret, the database its hash and the provider's tokens, encrypted.
//!
//! When the access token has run out, the next request renews it, one at a time over all replicas; a provider that
//! refuses ends the session, one that is away leaves it be for a while.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Auth, AuthError, By, Known, Oidc, ProviderError, Role, TokenError, age, hash, provider::Tokens};
use crate::store::{NewAudit, Person, Session, StoreError};

/// What the database keeps of a session is encrypted for this purpose.
const PURPOSE: &str = "session";
/// How long one request may take to renew the tokens before another tries.
const RENEWAL: Duration = Duration::from_secs(15);
/// For how long it is looked, and how often, whether another request has renewed them.
const BESIDE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(100);
/// For how long a session goes on while the provider cannot be asked.
const AWAY: Duration = Duration::from_hours(1);

/// The provider's tokens, as they are encrypted.
#[derive(Serialize, Deserialize)]
struct Kept {
    refresh: String,
    id_token: Option<String>,
}

impl Oidc {
    pub(super) fn sealed(&self, tokens: &Tokens) -> Result<Vec<u8>, serde_json::Error> {
        let kept = Kept {
            refresh: tokens.refresh.clone(),
            id_token: tokens.id_token.clone(),
        };
        Ok(self.seal.seal(PURPOSE, &serde_json::to_vec(&kept)?))
    }

    fn kept(&self, session: &Session) -> Option<Kept> {
        let plain = self.seal.open(PURPOSE, &session.sealed)?;
        serde_json::from_slice(&plain).ok()
    }

    /// The ID token of the login, if it can be read and the provider has given one.
    pub(super) fn id_token(&self, session: &Session) -> Option<String> {
        self.kept(session)?.id_token
    }
}

impl Auth {
    pub(super) async fn by_session(&self, secret: &str) -> Result<Known, AuthError> {
        let store = &self.0.store;
        let id = hash(secret);
        let idle = self.0.settings.session_idle.as_millis() as i64;
        let Some((session, person, fresh)) = store.session(id, idle).await? else {
            return Err(AuthError::SessionEnded);
        };
        let role = if fresh {
            session.role.parse().map_err(|_| AuthError::NoRole)?
        } else {
            // In a task of its own: who goes away half-way must not undo what the provider has said.
            let (auth, stale, of) = (self.clone(), session.clone(), person.clone());
            let renewal = tokio::spawn(async move { auth.renew(&stale, &of).await });
            renewal
                .await
                .map_err(|error| AuthError::Unavailable(error.into()))??
        };
        store.touch_session(id).await?;
        Ok(self.known(&person, role, By::Session(id), Some(session.expires_at)))
    }

    /// The role that another request is told, which renews a session that nobody has used for long.
    async fn renewed_beside(&self, session: &Session) -> Result<Role, AuthError> {
        let idle = self.0.settings.session_idle.as_millis() as i64;
        let renewed = async {
            loop {
                match self.0.store.session(session.id_hash, idle).await? {
                    None => return Err(AuthError::SessionEnded),
                    Some((now, _, true)) => return now.role.parse().map_err(|_| AuthError::NoRole),
                    Some(_) => tokio::time::sleep(LOOK).await,
                }
            }
        };
        tokio::time::timeout(BESIDE, renewed).await.unwrap_or_else(|_| {
            Err(AuthError::Unavailable(
                "the provider of logins does not answer".into(),
            ))
        })
    }

    /// The role after the access token has run out.
    async fn renew(&self, session: &Session, person: &Person) -> Result<Role, AuthError> {
        let (store, oidc) = (
            &self.0.store,
            self.0.oidc.as_ref().ok_or(AuthError::SessionEnded)?,
        );
        let as_before = || {
            if age(session.fresh_until) > AWAY {
                let why = "the provider of logins has not answered for too long";
                return Err(AuthError::Unavailable(why.into()));
            }
            session.role.parse().map_err(|_| AuthError::NoRole)
        };
        if !store
            .claim_refresh(session.id_hash, RENEWAL.as_millis() as i64)
            .await?
        {
            // Another request is at it.
            if age(session.fresh_until) > AWAY {
                return self.renewed_beside(session).await;
            }
            return as_before();
        }
        let Some(kept) = oidc.kept(session) else {
            // The client secret was changed.
            store.end_session(session.id_hash).await?;
            return Err(AuthError::SessionEnded);
        };
        match oidc.provider.refresh(&kept.refresh).await {
            Ok(tokens) if tokens.identity.subject == person.subject => {
                let fresh = tokens.expires_in.as_millis() as i64;
                let Some(role) = tokens.identity.role else {
                    // API tokens would go on with the role that was said before.
                    self.disable(&person.subject).await?;
                    return Err(AuthError::NoRole);
                };
                let sealed = oidc.sealed(&Tokens {
                    // A refresh may bring none: the first one still serves to end the login.
                    id_token: tokens.id_token.or(kept.id_token),
                    ..tokens
                });
                let sealed = sealed.map_err(|error| AuthError::Unavailable(error.into()))?;
                store
                    .refreshed(session.id_hash, role.as_str(), sealed, fresh)
                    .await?;
                store.person_vouched(&person.subject, Some(role.as_str())).await?;
                Ok(role)
            }
            Err(ProviderError::Refused { description, .. }) => {
                if description == "User disabled" {
                    self.disable(&person.subject).await?;
                }
                self.give_up(session, person, &description).await
            }
            // Away, or its clock, keys or our settings have just been changed: no reason to send people away.
            Err(
                error @ (ProviderError::Unavailable(_)
                | ProviderError::Configuration(_)
                | ProviderError::Token(TokenError::UnknownKey | TokenError::NotYet)),
            ) => {
                tracing::warn!(%error, "a session was not renewed; it goes on for now");
                as_before()
            }
            // For someone else, or by another client.
            Ok(_) | Err(_) => self.give_up(session, person, "renewed for someone else").await,
        }
    }

    /// Ends a session that the provider no longer stands behind.
    async fn give_up(&self, session: &Session, person: &Person, why: &str) -> Result<Role, AuthError> {
        self.0.store.end_session(session.id_hash).await?;
        self.record(NewAudit {
            actor: Some(person.name.clone()),
            action: "session ended".into(),
            subject: "by the provider".into(),
            detail: why.to_owned(),
            address: None,
        })
        .await;
        Err(AuthError::SessionEnded)
    }

    /// Ends a session that a new login replaces.
    pub async fn forget_session(&self, secret: &str) -> Result<(), StoreError> {
        self.0.store.end_session(hash(secret)).await?;
        Ok(())
    }
}
