//! API tokens: made by a person for a script, with scopes and an end; stored as a hash, shown once.

use std::{str::FromStr, time::Duration};

use uuid::Uuid;

use super::{API_TOKEN_PREFIX, Auth, AuthError, By, Known, Role, Secret, age, hash, record};
use crate::{
    store::{ApiToken, NewToken, Person, StoreError},
    uws::Timestamp,
};

/// Longest life of an API token.
pub const MAX_TOKEN_LIFETIME: Duration = Duration::from_hours(366 * 24);

/// An API token rests when the provider has not vouched for its owner for this long, and works again after a login.
const UNVOUCHED: Duration = Duration::from_hours(30 * 24);

/// Most API tokens of a person that have not ended.
pub const MAX_TOKENS: u64 = 50;

/// What an API token was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Looking: GET.
    Read,
    /// Changing what is the owner's.
    Write,
    /// The owner's role, where it is more than a user's.
    Admin,
}

impl Scope {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Write => "write",
            Scope::Admin => "admin",
        }
    }
}

impl FromStr for Scope {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "read" => Ok(Scope::Read),
            "write" => Ok(Scope::Write),
            "admin" => Ok(Scope::Admin),
            _ => Err(()),
        }
    }
}

/// An API token to be made.
#[derive(Debug, Clone)]
pub struct NewApiToken {
    /// What its owner calls it.
    pub name: String,
    /// What it is for.
    pub scopes: Vec<Scope>,
    /// When it ends.
    pub expires: Timestamp,
}

impl Auth {
    /// Makes a token for the caller, who does not give away more than the role of now; gives its only copy, or nothing
    /// if the caller has [`MAX_TOKENS`].
    pub async fn create_token(
        &self,
        by: &Known,
        new: &NewApiToken,
    ) -> Result<Option<(ApiToken, String)>, StoreError> {
        let token = format!("{API_TOKEN_PREFIX}{}", Secret::new().expose());
        let change = self.0.store.transaction().await?;
        let stored = change
            .create_token(
                &NewToken {
                    subject: by.subject.clone(),
                    name: new.name.clone(),
                    scopes: new.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
                    role: by.caller.role.as_str().to_owned(),
                    hash: hash(&token),
                    expires: new.expires,
                },
                MAX_TOKENS,
            )
            .await?;
        if let Some(stored) = &stored {
            let detail = format!("{} until {}", new.name, stored.expires_at);
            let entry = by.caller.entry("token created", stored.id, detail);
            record(&change, &entry).await?;
        }
        change.commit().await?;
        Ok(stored.map(|stored| (stored, token)))
    }

    /// The person's tokens, without what they are known by.
    pub async fn tokens(&self, subject: &str) -> Result<Vec<ApiToken>, StoreError> {
        self.0.store.tokens_of(subject).await
    }

    /// Ends a token of the caller's; whether there was one.
    pub async fn revoke_token(&self, by: &Known, id: Uuid) -> Result<bool, StoreError> {
        let change = self.0.store.transaction().await?;
        let revoked = change.revoke_token(&by.subject, id).await?;
        if revoked {
            let entry = by.caller.entry("token revoked", id, "");
            record(&change, &entry).await?;
        }
        change.commit().await?;
        Ok(revoked)
    }

    pub(super) async fn by_api_token(&self, token: &str) -> Result<Known, AuthError> {
        let Some((stored, person)) = self.0.store.token(hash(token)).await? else {
            let why = "the token is unknown, has ended or was revoked".to_owned();
            return Err(match self.0.store.any_token(hash(token)).await? {
                Some((stored, owner)) => not_taken(&stored, &owner, why),
                None => AuthError::Token(why),
            });
        };
        self.0.store.touch_token(stored.id).await?;
        // Deleting an account there tells nobody here: what no login has stood behind for long is not trusted.
        if age(person.seen_at) > UNVOUCHED {
            let days = UNVOUCHED.as_secs() / 86_400;
            let why = format!("the owner of the token has not signed in for {days} days");
            return Err(not_taken(&stored, &person, why));
        }
        let scopes: Vec<Scope> = stored
            .scopes
            .iter()
            .filter_map(|scope| scope.parse().ok())
            .collect();
        // The role that the provider said last, unless the token was made for less.
        let [said, made]: [Role; 2] = [
            person.role.parse().map_err(|_| AuthError::NoRole)?,
            stored.role.parse().map_err(|_| AuthError::NoRole)?,
        ];
        let role = said.min(made);
        let role = if scopes.contains(&Scope::Admin) {
            role
        } else {
            Role::User
        };
        Ok(Known {
            token: Some(stored.id),
            ..self.known(&person, role, By::ApiToken(scopes), Some(stored.expires_at))
        })
    }
}

fn not_taken(token: &ApiToken, owner: &Person, why: String) -> AuthError {
    AuthError::ApiToken {
        id: token.id,
        owner: owner.name.clone(),
        why,
    }
}
