//! What shows a server who asks.

use std::{fmt, sync::Arc};

use futures::future::BoxFuture;
use secrecy::SecretString;

use super::ClientError;

/// What a client shows to be let in.
#[derive(Clone, Default)]
pub enum Credential {
    /// Nothing.
    #[default]
    None,
    /// A token that stays the same.
    Token(SecretString),
    /// A login, whose tokens are short-lived.
    Login(Arc<dyn Login>),
}

/// A login at the server's identity provider.
pub trait Login: Send + Sync {
    /// An access token that lives long enough for a request; none if there is no login.
    fn token(&self) -> BoxFuture<'_, Result<Option<SecretString>, ClientError>>;
}

impl Credential {
    /// The token to show now.
    pub async fn token(&self) -> Result<Option<SecretString>, ClientError> {
        match self {
            Credential::None => Ok(None),
            Credential::Token(token) => Ok(Some(token.clone())),
            Credential::Login(login) => login.token().await,
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Credential::None => "None",
            Credential::Token(_) => "Token",
            Credential::Login(_) => "Login",
        })
    }
}
