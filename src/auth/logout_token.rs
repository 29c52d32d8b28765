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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::auth::{
        forge::{AUDIENCE, CLIENT, ISSUER, Signer, access, at, jwks, logout, with},
        keys::KeySet,
    };

    fn check(header: &Value, claims: &Value) -> Result<LogoutToken, TokenError> {
        let text = Signer::rsa().token(header, claims);
        let token = Token::read(&text)?;
        let keys = KeySet::read(jwks().to_string().as_bytes()).unwrap();
        let key = keys.get(token.key_id()?).ok_or(TokenError::UnknownKey)?;
        verify(&token, key, ISSUER, CLIENT)
    }

    fn claiming(others: &Value) -> Result<LogoutToken, TokenError> {
        let header = json!({"alg": "RS256", "typ": "logout+jwt", "kid": "rsa"});
        check(&header, &with(logout(), others))
    }

    macro_rules! refused {
        ($result:expr, $fault:pat) => {
            match $result {
                Err($fault) => {}
                other => panic!("{other:?}"),
            }
        };
    }

    #[test]
    fn it_ends_a_session_or_a_subject() {
        let both = claiming(&json!({})).unwrap();
        assert_eq!(both.subject.as_deref(), Some("s-1"));
        assert_eq!(both.sid.as_deref(), Some("login-1"));
        assert_eq!(both.jti, "j");
        assert!(both.expires > at(0));
        assert_eq!(claiming(&json!({"sub": null})).unwrap().subject, None);
        assert_eq!(claiming(&json!({"sid": null})).unwrap().sid, None);
        // `typ` of the header is recommended, Keycloak's claim its own.
        check(
            &json!({"alg": "RS256", "kid": "rsa"}),
            &with(logout(), &json!({"typ": null})),
        )
        .unwrap();
    }

    #[test]
    fn it_names_somebody() {
        refused!(
            claiming(&json!({"sub": null, "sid": null})),
            TokenError::NoSubject
        );
        refused!(
            claiming(&json!({"sub": "", "sid": null})),
            TokenError::Claim("sub")
        );
        refused!(claiming(&json!({"sub": 1})), TokenError::Malformed);
    }

    #[test]
    fn it_has_no_nonce() {
        refused!(claiming(&json!({"nonce": "n"})), TokenError::Nonce);
        let mut claims = logout();
        claims["nonce"] = Value::Null;
        let header = json!({"alg": "RS256", "typ": "logout+jwt", "kid": "rsa"});
        refused!(check(&header, &claims), TokenError::Nonce);
    }

    #[test]
    fn it_has_the_event() {
        for events in [
            Value::Null,
            json!({}),
            json!({"http://schemas.openid.net/event/other": {}}),
            json!({EVENT: null}),
            json!({EVENT: "x"}),
            json!({EVENT: []}),
        ] {
            refused!(claiming(&json!({ "events": events })), TokenError::NotLogout);
        }
        refused!(claiming(&json!({"events": [EVENT]})), TokenError::Malformed);
        claiming(&json!({"events": {EVENT: {"more": 1}, "other": 1}})).unwrap();
    }

    #[test]
    fn it_is_for_us_and_of_the_issuer() {
        refused!(claiming(&json!({"aud": "other-client"})), TokenError::Audience);
        refused!(claiming(&json!({"aud": AUDIENCE})), TokenError::Audience);
        refused!(claiming(&json!({"aud": null})), TokenError::Claim("aud"));
        refused!(
            claiming(&json!({"iss": "https://evil.example"})),
            TokenError::Issuer
        );
        claiming(&json!({"aud": ["other-client", CLIENT]})).unwrap();
    }

    #[test]
    fn it_has_an_id_a_beginning_and_an_end() {
        refused!(claiming(&json!({"jti": null})), TokenError::Claim("jti"));
        refused!(claiming(&json!({"jti": ""})), TokenError::Claim("jti"));
        refused!(claiming(&json!({"iat": null})), TokenError::Claim("iat"));
        refused!(claiming(&json!({"iat": at(120)})), TokenError::NotYet);
        refused!(claiming(&json!({"exp": null})), TokenError::Claim("exp"));
        refused!(claiming(&json!({"exp": at(-60)})), TokenError::Expired);
        refused!(claiming(&json!({"exp": at(25 * 3600)})), TokenError::LongLived);
    }

    #[test]
    fn no_other_token_is_one() {
        for typ in ["JWT", "at+jwt", "application/at+jwt", ""] {
            let header = json!({"alg": "RS256", "typ": typ, "kid": "rsa"});
            refused!(check(&header, &logout()), TokenError::NotLogout);
        }
        for typ in ["Bearer", "ID", "Refresh"] {
            refused!(claiming(&json!({ "typ": typ })), TokenError::NotLogout);
        }
        let header = json!({"alg": "RS256", "typ": "logout+jwt", "kid": "rsa"});
        let access = with(access(), &json!({"aud": CLIENT, "typ": null}));
        refused!(check(&header, &access), TokenError::NotLogout);
    }

    #[test]
    fn its_signature_is_checked_as_any_tokens() {
        let header = json!({"alg": "none", "typ": "logout+jwt", "kid": "rsa"});
        refused!(check(&header, &logout()), TokenError::Algorithm);
        let header = json!({"alg": "ES256", "typ": "logout+jwt", "kid": "ec"});
        refused!(check(&header, &logout()), TokenError::Signature);
    }
}
