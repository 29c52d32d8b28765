//! Who is asking: logins, tokens, roles.

mod keycloak;
