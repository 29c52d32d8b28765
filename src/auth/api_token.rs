//! API tokens: made by a person for a script, with scopes and an end; stored as a hash, shown once.

use std::{str::FromStr, time::Duration};

use uuid::Uuid;

use super::{API_TOKEN_PREFIX, Auth, AuthError, By, Known, Role, Secret, age, hash};
use crate::{
    store::{ApiToken, NewToken, StoreError},
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
    /// Makes a token for this person, who has this role now and does not give more of it away; gives its only copy, or
    /// nothing if the person has [`MAX_TOKENS`].
    pub async fn create_token(
        &self,
        subject: &str,
        role: Role,
        new: &NewApiToken,
    ) -> Result<Option<(ApiToken, String)>, StoreError> {
        let token = format!("{API_TOKEN_PREFIX}{}", Secret::new().expose());
        let stored = self
            .0
            .store
            .create_token(
                &NewToken {
                    subject: subject.to_owned(),
                    name: new.name.clone(),
                    scopes: new.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
                    role: role.as_str().to_owned(),
                    hash: hash(&token),
                    expires: new.expires,
                },
                MAX_TOKENS,
            )
            .await?;
        Ok(stored.map(|stored| (stored, token)))
    }

    /// The person's tokens, without what they are known by.
    pub async fn tokens(&self, subject: &str) -> Result<Vec<ApiToken>, StoreError> {
        self.0.store.tokens_of(subject).await
    }

    /// Ends a token of this person; whether there was one.
    pub async fn revoke_token(&self, subject: &str, id: Uuid) -> Result<bool, StoreError> {
        self.0.store.revoke_token(subject, id).await
    }

    pub(super) async fn by_api_token(&self, token: &str) -> Result<Known, AuthError> {
        let Some((stored, person)) = self.0.store.token(hash(token)).await? else {
            return Err(AuthError::Token(
                "the token is unknown, has ended or was revoked".into(),
            ));
        };
        self.0.store.touch_token(stored.id).await?;
        // Deleting an account there tells nobody here: what no login has stood behind for long is not trusted.
        if age(person.seen_at) > UNVOUCHED {
            return Err(AuthError::Token(format!(
                "the owner of the token has not signed in for {} days",
                UNVOUCHED.as_secs() / 86_400
            )));
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
        Ok(self.known(&person, role, By::ApiToken(scopes), Some(stored.expires_at)))
    }
}
