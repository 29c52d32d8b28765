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
        // Its key decides; but a token that no key of ours can be for (a refresh token: HS512) is not worth a request.
        if !["RS256", "ES256"].contains(&header.alg.as_str()) {
            return Err(TokenError::Algorithm);
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

#[cfg(test)]
mod tests {
    use aws_lc_rs::hmac;
    use serde_json::json;

    use super::*;
    use crate::auth::{
        forge::{AUDIENCE, ISSUER, Signer, access, at, jwks, unsigned, with},
        keys::KeySet,
    };

    fn keys() -> KeySet {
        KeySet::read(jwks().to_string().as_bytes()).unwrap()
    }

    fn check(text: &str) -> Result<Identity, TokenError> {
        let token = Token::read(text)?;
        let keys = keys();
        let key = keys.get(token.key_id()?).ok_or(TokenError::UnknownKey)?;
        verify(&token, key, ISSUER, AUDIENCE)
    }

    /// What becomes of a good token with these claims instead.
    fn claiming(others: &Value) -> Result<Identity, TokenError> {
        check(&Signer::rsa().issue("rsa", &with(access(), others)))
    }

    fn header(others: &Value) -> Value {
        with(json!({"alg": "RS256", "typ": "JWT", "kid": "rsa"}), others)
    }

    macro_rules! refused {
        ($result:expr, $fault:pat $(, $why:expr)?) => {
            match $result {
                Err($fault) => {}
                other => panic!("{other:?}{}", concat!("" $(, ": ", stringify!($why))?)),
            }
        };
    }

    #[test]
    fn a_good_token_names_its_holder() {
        let expected = Identity {
            subject: "s-1".into(),
            name: "henrietta".into(),
            role: Some(Role::Operator),
            sid: Some("login-1".into()),
            client: Some("sidereal-web".into()),
            expires: 0,
        };
        for (kid, signer) in [("rsa", Signer::rsa()), ("ec", Signer::ec())] {
            let claims = access();
            let mut identity = check(&signer.issue(kid, &claims)).unwrap();
            assert_eq!(identity.expires, claims["exp"].as_i64().unwrap());
            identity.expires = 0;
            assert_eq!(identity, expected, "{kid}");
        }
    }

    #[test]
    fn only_roles_at_our_audience_count() {
        let role = |access: Value| claiming(&json!({ "resource_access": access })).unwrap().role;
        assert_eq!(
            role(json!({AUDIENCE: {"roles": ["user", "admin", "operator"]}})),
            Some(Role::Admin)
        );
        assert_eq!(
            role(json!({AUDIENCE: {"roles": ["Admin", "administrator"]}})),
            None
        );
        assert_eq!(role(json!({"account": {"roles": ["admin"]}})), None);
        assert_eq!(role(json!({AUDIENCE: {}})), None);
        assert_eq!(role(Value::Null), None);
        assert_eq!(
            claiming(&json!({"resource_access": null, "roles": ["admin"]}))
                .unwrap()
                .role,
            None
        );
    }

    #[test]
    fn without_a_usable_name_the_subject_is_the_name() {
        for name in [Value::Null, json!(""), json!("a\nb"), json!("x".repeat(256))] {
            assert_eq!(
                claiming(&json!({ "preferred_username": name })).unwrap().name,
                "s-1"
            );
        }
        let service = claiming(&json!({"sid": null, "azp": null})).unwrap();
        assert_eq!((service.sid, service.client), (None, None));
    }

    #[test]
    fn a_token_without_a_signature_is_refused() {
        for algorithm in ["none", "None", "nOnE", "NONE", ""] {
            let text = unsigned(&header(&json!({ "alg": algorithm })), &access().to_string());
            refused!(check(&format!("{text}.")), TokenError::Algorithm, algorithm);
            refused!(check(&text), TokenError::Malformed);
        }
        let good = Signer::rsa().issue("rsa", &access());
        let unsigned = &good[..=good.rfind('.').unwrap()];
        refused!(check(unsigned), TokenError::Signature);
    }

    #[test]
    fn the_public_key_is_no_secret_to_sign_by() {
        let jwk = Signer::rsa().jwk("rsa");
        let n = URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap();
        for secret in [
            &n[..],
            jwk["n"].as_str().unwrap().as_bytes(),
            jwk.to_string().as_bytes(),
            b"",
        ] {
            let text = unsigned(&header(&json!({"alg": "HS256"})), &access().to_string());
            let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes());
            let token = format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature));
            refused!(check(&token), TokenError::Algorithm);
        }
    }

    #[test]
    fn the_algorithm_is_the_keys_and_not_the_tokens() {
        for algorithm in ["RS512", "RS384", "PS256", "ES256", "EdDSA", "RSA-OAEP", "rs256"] {
            let token = Signer::rsa().token(&header(&json!({ "alg": algorithm })), &access());
            refused!(check(&token), TokenError::Algorithm);
        }
        let token = Signer::ec().token(&header(&json!({"alg": "RS256", "kid": "ec"})), &access());
        refused!(check(&token), TokenError::Algorithm);
        // The key is for encryption.
        let token = Signer::rsa().token(&header(&json!({"kid": "encrypts"})), &access());
        refused!(check(&token), TokenError::UnknownKey);
    }

    #[test]
    fn keys_that_a_token_brings_are_not_looked_at() {
        let evil = Signer::foreign();
        for brought in [
            json!({"jwk": evil.jwk("ec")}),
            json!({"jku": "http://127.0.0.1:1/certs"}),
            json!({"x5u": "http://127.0.0.1:1/cert.pem"}),
            json!({"x5c": ["MIIB"]}),
        ] {
            let brought = with(header(&json!({"alg": "ES256", "kid": "ec"})), &brought);
            refused!(check(&evil.token(&brought, &access())), TokenError::Signature);
            let own = with(brought, &json!({"kid": "evil"}));
            refused!(check(&evil.token(&own, &access())), TokenError::UnknownKey);
        }
    }

    #[test]
    fn odd_key_ids_find_nothing() {
        let long = "k".repeat(5000);
        for kid in [
            "",
            "../../dev/null",
            "' OR 1=1 --",
            "rsa ",
            "RSA",
            "http://127.0.0.1:1/",
            "\u{0}",
            &long,
        ] {
            let token = Signer::rsa().issue(kid, &access());
            refused!(check(&token), TokenError::UnknownKey);
        }
        for kid in [json!(1), json!(["rsa"]), json!({"rsa": 1})] {
            let token = Signer::rsa().token(&header(&json!({ "kid": kid })), &access());
            refused!(check(&token), TokenError::Malformed);
        }
        refused!(
            check(&Signer::rsa().token(&header(&json!({"kid": null})), &access())),
            TokenError::NoKey
        );
    }

    #[test]
    fn what_is_not_a_token_is_refused() {
        let good = Signer::rsa().issue("rsa", &access());
        for text in [
            "",
            ".",
            "..",
            "...",
            "a.b.c",
            "é.é.é",
            "e30.e30.e30",
            "\u{0}",
            &format!("{good}.x"),
            &good[1..],
        ] {
            refused!(check(text), TokenError::Malformed);
        }
        refused!(check(&"a".repeat((16 << 10) + 1)), TokenError::TooLong);
        for crit in [json!(["exp"]), json!([]), json!("b64")] {
            let token = Signer::rsa().token(&header(&json!({ "crit": crit })), &access());
            refused!(check(&token), TokenError::Critical);
        }
        for claims in ["", "null", "[]", "{", "\"sub\"", "{}x"] {
            let token = Signer::rsa().signed(&header(&json!({})), claims);
            refused!(check(&token), TokenError::Malformed | TokenError::Claim(_));
        }
    }

    #[test]
    fn every_changed_part_is_noticed() {
        let good = Signer::rsa().issue("rsa", &access());
        let parts: Vec<&str> = good.split('.').collect();
        let admin = with(
            access(),
            &json!({"resource_access": {AUDIENCE: {"roles": ["admin"]}}}),
        );
        let other = Signer::rsa().issue("rsa", &admin);
        let other: Vec<&str> = other.split('.').collect();
        refused!(
            check(&[parts[0], other[1], parts[2]].join(".")),
            TokenError::Signature
        );
        refused!(
            check(&[parts[0], parts[1], other[2]].join(".")),
            TokenError::Signature
        );
        let head = URL_SAFE_NO_PAD.encode(header(&json!({"typ": "at+jwt"})).to_string());
        refused!(
            check(&[&head, parts[1], parts[2]].join(".")),
            TokenError::Signature
        );
    }

    #[test]
    fn a_claim_that_comes_twice_is_refused() {
        let claims = access().to_string();
        for claim in [
            "\"exp\":99999999999",
            "\"aud\":\"sidereal-api\"",
            "\"iss\":\"https://evil.example\"",
        ] {
            let twice = format!("{{{claim},{}", &claims[1..]);
            refused!(
                check(&Signer::rsa().signed(&header(&json!({})), &twice)),
                TokenError::Malformed
            );
        }
    }

    #[test]
    fn the_audience_must_have_ours() {
        for good in [json!(AUDIENCE), json!([AUDIENCE]), json!(["account", AUDIENCE])] {
            claiming(&json!({ "aud": good })).unwrap();
        }
        for other in [
            json!("account"),
            json!(["account"]),
            json!("sidereal-api2"),
            json!("Sidereal-API"),
            json!([]),
        ] {
            refused!(claiming(&json!({ "aud": other })), TokenError::Audience);
        }
        for none in [
            Value::Null,
            json!(1),
            json!({AUDIENCE: true}),
            json!([AUDIENCE, 1]),
        ] {
            refused!(claiming(&json!({ "aud": none })), TokenError::Claim("aud"));
        }
    }

    #[test]
    fn the_issuer_must_be_the_string() {
        for other in [
            json!("https://evil.example/realms/sky"),
            json!(format!("{ISSUER}/")),
            json!("https://login.example.org/realms/master"),
            json!([ISSUER]),
            json!([ISSUER, "https://evil.example"]),
            json!(""),
        ] {
            refused!(claiming(&json!({ "iss": other })), TokenError::Issuer);
        }
        refused!(claiming(&json!({"iss": null})), TokenError::Claim("iss"));
        refused!(claiming(&json!({"iss": 1})), TokenError::Claim("iss"));
    }

    #[test]
    fn a_token_must_end_and_within_a_day() {
        claiming(&json!({"exp": at(-5)})).unwrap();
        claiming(&json!({"exp": at(24 * 3600 - 60)})).unwrap();
        for past in [json!(at(-60)), json!(0), json!(1.5)] {
            refused!(claiming(&json!({ "exp": past })), TokenError::Expired);
        }
        for none in [
            Value::Null,
            json!("99999999999"),
            json!([at(60)]),
            json!(-1),
            json!(true),
        ] {
            refused!(
                claiming(&json!({ "exp": none })),
                TokenError::Claim("exp") | TokenError::Malformed
            );
        }
        for far in [
            json!(at(24 * 3600 + 120)),
            json!(at(10 * 365 * 24 * 3600)),
            json!(u64::MAX / 2),
        ] {
            refused!(claiming(&json!({ "exp": far })), TokenError::LongLived);
        }
        refused!(claiming(&json!({"exp": 1e300})), TokenError::Claim("exp"));
    }

    #[test]
    fn a_token_must_have_begun() {
        claiming(&json!({"nbf": at(5), "iat": at(5)})).unwrap();
        claiming(&json!({"iat": null})).unwrap();
        for claim in ["nbf", "iat"] {
            refused!(claiming(&json!({ claim: at(120) })), TokenError::NotYet);
            refused!(claiming(&json!({ claim: "0" })), TokenError::Claim(_));
        }
    }

    #[test]
    fn no_other_kind_of_token_is_a_bearers() {
        for kind in [
            json!("ID"),
            json!("Refresh"),
            json!("Offline"),
            json!("Logout"),
            json!("bearer"),
            Value::Null,
        ] {
            refused!(claiming(&json!({ "typ": kind })), TokenError::NotAccess);
        }
    }

    #[test]
    fn the_subject_is_1_to_255_characters() {
        claiming(&json!({"sub": "é".repeat(255)})).unwrap();
        for bad in [
            json!(""),
            json!(" "),
            json!("é".repeat(256)),
            json!("a\u{0}b"),
            json!("a\r\nb"),
            Value::Null,
        ] {
            refused!(claiming(&json!({ "sub": bad })), TokenError::Claim("sub"));
        }
        refused!(claiming(&json!({"sub": 1})), TokenError::Claim("sub"));
        refused!(claiming(&json!({"sid": "a\nb"})), TokenError::Claim("sid"));
        refused!(claiming(&json!({"azp": ""})), TokenError::Claim("azp"));
    }
}
