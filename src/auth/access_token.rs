//! A provider's access token as a bearer's credential: what it must be, and whom it names.
//!
//! Calls the role of `auth` and its keys.

use std::collections::HashMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, Validation, errors::ErrorKind, get_current_timestamp};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::Value;

use super::{Role, keys::Key, transport::Cause};

/// Longest token, in bytes: what a header of a request can carry.
const LONGEST: usize = 16 << 10;
/// Most that clocks may differ, in seconds.
pub const LEEWAY: u64 = 30;
/// Furthest end of a token, in seconds from now.
const LONGEST_LIFE: f64 = 24.0 * 3600.0;
/// Longest subject, session id and name, in characters; `OpenID` Connect Core section 2 says 255 for `sub`.
const LONGEST_NAME: usize = 255;

/// What is wrong with a token. The message is fit for `error_description` (RFC 6750 section 3) and says nothing that
/// the token says.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TokenError {
    /// Longer than 16 KiB.
    #[error("the token is longer than 16 KiB")]
    TooLong,
    /// Not three parts of base64url, header and claims of JSON of the right types.
    #[error("the token is no signed JSON Web Token")]
    Malformed,
    /// Its header has `crit`, of which we understand nothing.
    #[error("the token has critical header fields")]
    Critical,
    /// Its header names no key.
    #[error("the token names no key")]
    NoKey,
    /// Its header names a key that the provider does not have.
    #[error("the token is signed by no key of the provider")]
    UnknownKey,
    /// Not RS256 or ES256, or another than its key is for.
    #[error("the token is signed by another algorithm than its key is for")]
    Algorithm,
    /// The signature is not of that key over this text.
    #[error("the signature of the token is wrong")]
    Signature,
    /// A claim that must be there is not, or is of another type.
    #[error("the token has no proper claim {0}")]
    Claim(&'static str),
    /// Of another issuer.
    #[error("the token is of another issuer")]
    Issuer,
    /// For another audience.
    #[error("the token is for another audience")]
    Audience,
    /// `exp` is over.
    #[error("the token has expired")]
    Expired,
    /// `exp` is more than 24 h ahead.
    #[error("the token is valid for more than 24 hours")]
    LongLived,
    /// `nbf` or `iat` lie in the future.
    #[error("the token is not valid yet")]
    NotYet,
    /// An ID token, a refresh token, a logout token, or without a type.
    #[error("the token is no access token of type Bearer")]
    NotAccess,
    /// Not a logout token: of another type, or without the event.
    #[error("the token is no logout token")]
    NotLogout,
    /// A logout token with a nonce, which could be an ID token.
    #[error("a logout token must have no nonce")]
    Nonce,
    /// A logout token without `sub` and `sid`.
    #[error("a logout token must name a subject or a session")]
    NoSubject,
    /// Nobody knows: the provider's keys cannot be had. Not the caller's fault, so no 401.
    #[error("the token cannot be verified now: the identity provider does not answer")]
    Unavailable(#[source] Cause),
}

/// Whom a token names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The provider's id of the person or service, 1 to 255 characters; it never changes.
    pub subject: String,
    /// The provider's name for it (`preferred_username`), else the subject.
    pub name: String,
    /// Highest of our roles that the token grants.
    pub role: Option<Role>,
    /// The provider's id of the login; service accounts have none.
    pub sid: Option<String>,
    /// The client that the token was given to (`azp`).
    pub client: Option<String>,
    /// End of the token, in seconds since 1970.
    pub expires: i64,
}

/// The claims that say whom an access token names.
#[derive(Deserialize)]
struct Claims {
    sub: Option<String>,
    typ: Option<String>,
    sid: Option<String>,
    azp: Option<String>,
    preferred_username: Option<String>,
    #[serde(default)]
    resource_access: HashMap<String, Access>,
}

/// Roles of a client, as Keycloak writes them.
#[derive(Deserialize)]
struct Access {
    #[serde(default)]
    roles: Vec<String>,
}

/// Whom `token` names, if `key` signed it as an access token of `issuer` for `audience`. Its roles are those that it
/// grants at the client of that name.
pub fn verify(token: &Token, key: &Key, issuer: &str, audience: &str) -> Result<Identity, TokenError> {
    let (claims, end) = token.claims::<Claims>(key, issuer, audience, &["sub"])?;
    if claims.typ.as_deref() != Some("Bearer") {
        return Err(TokenError::NotAccess);
    }
    let subject = name(claims.sub).ok_or(TokenError::Claim("sub"))?;
    let sid = optional(claims.sid, "sid")?;
    let client = optional(claims.azp, "azp")?;
    let granted = claims.resource_access.get(audience);
    let role = granted
        .into_iter()
        .flat_map(|access| &access.roles)
        .filter_map(|role| role.parse().ok())
        .max();
    Ok(Identity {
        name: name(claims.preferred_username).unwrap_or_else(|| subject.clone()),
        subject,
        role,
        sid,
        client,
        expires: end,
    })
}

/// A name that can be stored and shown.
pub fn name(text: Option<String>) -> Option<String> {
    text.filter(|text| {
        !text.trim().is_empty() && text.chars().count() <= LONGEST_NAME && !text.chars().any(char::is_control)
    })
}

/// Nothing, or a name.
pub fn optional(text: Option<String>, claim: &'static str) -> Result<Option<String>, TokenError> {
    match text {
        None => Ok(None),
        some => name(some).map(Some).ok_or(TokenError::Claim(claim)),
    }
}

/// A token of which the header alone has been read: nothing in it is to be believed.
pub struct Token<'a> {
    text: &'a str,
    header: Header,
}

/// Fields of a header that matter. `jku`, `jwk`, `x5u` and `x5c` do not: keys come from the provider alone.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    #[serde(default, deserialize_with = "is_there")]
    crit: bool,
}

/// The claims that every token needs.
#[derive(Deserialize)]
struct Validity {
    exp: Option<Value>,
    iat: Option<Value>,
    nbf: Option<Value>,
    iss: Option<Value>,
}

/// Whether a field is there, be it null.
pub fn is_there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

impl<'a> Token<'a> {
    /// Reads the header.
    pub fn read(text: &'a str) -> Result<Token<'a>, TokenError> {
        if text.len() > LONGEST {
            return Err(TokenError::TooLong);
        }
        let mut parts = text.split('.');
        let (Some(header), Some(_), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenError::Malformed);
        };
        let header = URL_SAFE_NO_PAD
            .decode(header)
            .ok()
            .and_then(|header| serde_json::from_slice::<Header>(&header).ok())
            .ok_or(TokenError::Malformed)?;
        if header.crit {
            return Err(TokenError::Critical);
        }
        Ok(Token { text, header })
    }

    /// Id of the key that it says it is signed by.
    pub fn key_id(&self) -> Result<&str, TokenError> {
        self.header.kid.as_deref().ok_or(TokenError::NoKey)
    }

    /// What its header says that it is.
    pub fn header_type(&self) -> Option<&str> {
        self.header.typ.as_deref()
    }

    /// The claims and the end (seconds since 1970) of a token signed by `key`, of `issuer` (a string), for `audience`
    /// (a string or one of an array), begun and not ended, and no longer than 24 h; `required` are there, besides.
    pub fn claims<C: DeserializeOwned>(
        &self,
        key: &Key,
        issuer: &str,
        audience: &str,
        required: &[&str],
    ) -> Result<(C, i64), TokenError> {
        if self.header.alg.parse().ok() != Some(key.algorithm) {
            return Err(TokenError::Algorithm);
        }
        let validation = validation(key.algorithm, issuer, audience, required);
        let claims = jsonwebtoken::decode::<Value>(self.text, &key.decoding, &validation)
            .map_err(|error| fault(error.kind()))?
            .claims;
        let validity = Validity::deserialize(&claims).map_err(|_| TokenError::Malformed)?;
        // The library would take an array of issuers, a life of years, and an `iat` of tomorrow.
        if validity.iss.as_ref().and_then(Value::as_str) != Some(issuer) {
            return Err(TokenError::Issuer);
        }
        let now = get_current_timestamp() as f64;
        let end = seconds(validity.exp.as_ref(), "exp")?.ok_or(TokenError::Claim("exp"))?;
        if end > now + LONGEST_LIFE + LEEWAY as f64 {
            return Err(TokenError::LongLived);
        }
        for (claim, value) in [("iat", &validity.iat), ("nbf", &validity.nbf)] {
            if seconds(value.as_ref(), claim)?.is_some_and(|begin| begin > now + LEEWAY as f64) {
                return Err(TokenError::NotYet);
            }
        }
        let claims = C::deserialize(claims).map_err(|_| TokenError::Malformed)?;
        Ok((claims, end as i64))
    }
}

/// What jsonwebtoken is to check. By default it would take a token without an audience or an issuer, whatever these
/// are set to: they are required by name.
fn validation(algorithm: Algorithm, issuer: &str, audience: &str, required: &[&str]) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.leeway = LEEWAY;
    validation.validate_nbf = true;
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[audience]);
    let required: Vec<&str> = ["exp", "iss", "aud"].iter().chain(required).copied().collect();
    validation.set_required_spec_claims(&required);
    validation
}

fn fault(kind: &ErrorKind) -> TokenError {
    match kind {
        ErrorKind::InvalidSignature => TokenError::Signature,
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidKeyFormat => TokenError::Algorithm,
        ErrorKind::InvalidIssuer => TokenError::Issuer,
        ErrorKind::InvalidAudience => TokenError::Audience,
        ErrorKind::ExpiredSignature => TokenError::Expired,
        ErrorKind::ImmatureSignature => TokenError::NotYet,
        ErrorKind::MissingRequiredClaim(claim) | ErrorKind::InvalidClaimFormat(claim) => {
            TokenError::Claim(match claim.as_str() {
                "exp" => "exp",
                "nbf" => "nbf",
                "iss" => "iss",
                "aud" => "aud",
                _ => "sub",
            })
        }
        _ => TokenError::Malformed,
    }
}

/// A `NumericDate` (RFC 7519 section 2).
fn seconds(value: Option<&Value>, claim: &'static str) -> Result<Option<f64>, TokenError> {
    match value {
        None => Ok(None),
        Some(value) => value.as_f64().map(Some).ok_or(TokenError::Claim(claim)),
    }
}
