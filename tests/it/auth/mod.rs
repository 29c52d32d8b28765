//! Who is asking: logins, tokens, roles.

mod attacks;
mod cli;
mod keycloak;
mod login;
mod logout;
mod operators;
mod outage;
mod policy;
mod quotas;
mod record;
mod sessions;

/// Settings of a server behind this issuer, which knows it by this secret.
pub fn oidc<'a>(issuer: &'a str, secret: &'a str) -> [(&'static str, &'a str); 3] {
    [
        ("SIDEREAL_AUTH__MODE", "oidc"),
        ("SIDEREAL_AUTH__ISSUER", issuer),
        ("SIDEREAL_AUTH__CLIENT_SECRET", secret),
    ]
}
