//! The token by which a provider ends logins behind the browser's back: `OpenID` Connect Back-Channel Logout 1.0.
//!
//! Calls `auth`'s access tokens, for what all tokens share, and its keys.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    access_token::{Token, TokenError, is_there, name, optional},
    keys::Key,
};

/// The member of `events` that makes a token a logout token (section 2.4).
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// Whose logins end: those of the session, or all of the subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogoutToken {
    /// The provider's id of the person; there is this, or `sid`, or both.
    pub subject: Option<String>,
    /// The provider's id of the login.
    pub sid: Option<String>,
    /// Id of the token, to notice when it comes again.
    pub jti: String,
    /// End of the token, in seconds since 1970: how long `jti` must be remembered.
    pub expires: i64,
}

#[derive(Deserialize)]
struct Claims {
    sub: Option<String>,
    sid: Option<String>,
    jti: Option<String>,
    iat: Option<Value>,
    typ: Option<String>,
    events: Option<Map<String, Value>>,
    #[serde(default, deserialize_with = "is_there")]
    nonce: bool,
}

/// Validates a logout token for `client` as section 2.6 says, but for the memory of `jti`, which the caller has.
pub fn verify(token: &Token, key: &Key, issuer: &str, client: &str) -> Result<LogoutToken, TokenError> {
    // An explicit type (section 2.4) is what keeps other tokens from being taken for this one.
    let typed = token.header_type().map(str::to_ascii_lowercase);
    if !matches!(
        typed.as_deref(),
        None | Some("logout+jwt" | "application/logout+jwt")
    ) {
        return Err(TokenError::NotLogout);
    }
    let (claims, expires) = token.claims::<Claims>(key, issuer, client, &[])?;
    // Keycloak's own claim, beside the standard's.
    if !matches!(claims.typ.as_deref(), None | Some("Logout")) {
        return Err(TokenError::NotLogout);
    }
    if claims.iat.is_none() {
        return Err(TokenError::Claim("iat"));
    }
    let subject = optional(claims.sub, "sub")?;
    let sid = optional(claims.sid, "sid")?;
    if subject.is_none() && sid.is_none() {
        return Err(TokenError::NoSubject);
    }
    let event = claims.events.as_ref().and_then(|events| events.get(EVENT));
    if !event.is_some_and(Value::is_object) {
        return Err(TokenError::NotLogout);
    }
    if claims.nonce {
        return Err(TokenError::Nonce);
    }
    Ok(LogoutToken {
        subject,
        sid,
        jti: name(claims.jti).ok_or(TokenError::Claim("jti"))?,
        expires,
    })
}
