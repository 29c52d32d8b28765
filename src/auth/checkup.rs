//! What is wrong between this server and its identity provider, and how to mend it; nobody is logged in for it.
//!
//! Calls `auth`'s provider, tokens and transport.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::DateTime;
use jsonwebtoken::get_current_timestamp;
use openidconnect::core::CoreResponseMode;
use serde::Deserialize;
use url::Url;
use uuid::Uuid;

use super::{
    access_token::{LEEWAY, TokenError},
    provider::{Provider, ProviderError, no_endpoint, plain},
    transport::Transport,
};
use crate::settings::AuthSettings;

/// What no provider has given out.
const NO_TOKEN: &str = "no-refresh-token";
/// Life of an authorization response of Keycloak's (the realm's "Client Login Timeout"), in seconds, if nobody has
/// changed it.
const RESPONSE_LIFE: i64 = 60;

/// What was found.
#[derive(Debug, Default)]
pub struct Checkup {
    /// What is in order, or could not be looked at.
    pub good: Vec<String>,
    /// What is wrong, each with what mends it.
    pub faults: Vec<String>,
}

/// The claims of a token that say when it was made, or when it ends.
#[derive(Deserialize)]
struct Times {
    iat: Option<f64>,
    exp: Option<f64>,
}

/// Looks at the provider of these settings as a server at `callback` (`…/account/callback`) will use it, and at an
/// access token, if there is one to look at.
pub async fn examine(settings: &AuthSettings, callback: &Url, token: Option<&str>) -> Checkup {
    let mut found = Checkup::default();
    let provider = match Provider::new(settings) {
        Ok(provider) => provider,
        Err(error) => {
            found.faults.push(error.to_string());
            return found;
        }
    };
    match provider.probe().await {
        Ok(()) => found.good.push(provider.issuer().to_owned()),
        Err(ProviderError::Unavailable(cause)) => {
            found.faults.push(format!(
                "{} does not answer as a provider: {cause}; is auth.issuer right (Keycloak: https://HOST/realms/REALM), \
                 does the provider run, and can this machine reach it (else set auth.internal_url)?",
                provider.issuer()
            ));
            return found;
        }
        Err(error) => {
            found.faults.push(format!(
                "{error}; set auth.issuer to what the provider calls itself, or mend its name there (Keycloak: hostname)"
            ));
            return found;
        }
    }
    found.secret(&provider, settings).await;
    if let Err(error) = found.clients(&provider, settings).await {
        found.faults.push(error.to_string());
    }
    let now = get_current_timestamp() as i64;
    let mut clock = date(provider.transport(), settings).await.map(|time| time - now);
    match found.redirect(&provider, settings, callback).await {
        Ok(end) => clock = clock.or(end.map(|end| end - RESPONSE_LIFE - now)),
        Err(error) => found.faults.push(error.to_string()),
    }
    let made = token.and_then(times).and_then(|times| times.iat);
    if let Some(ahead) = made
        .map(|made| made as i64 - now)
        .filter(|ahead| *ahead > LEEWAY as i64)
    {
        clock = Some(ahead);
    }
    found.clock(clock);
    found.token(&provider, settings, token).await;
    found
}

impl Checkup {
    /// Whether the provider takes our secret.
    async fn secret(&mut self, provider: &Provider, settings: &AuthSettings) {
        let client = &settings.client_id;
        match provider.refresh(NO_TOKEN).await {
            // So it has looked at the token, and knows us.
            Err(ProviderError::Refused { .. }) => self.good.push(format!("{client} is let in by its secret")),
            Err(ProviderError::Configuration(error)) => self.faults.push(format!(
                "{error}; is there a client {client} with client authentication, and is auth.client_secret its secret \
                 (Keycloak: the client's tab Credentials)?"
            )),
            Err(error) => self.faults.push(error.to_string()),
            Ok(_) => self.faults.push("the provider takes any refresh token: do not use it".into()),
        }
    }

    /// Whether there are the clients that the settings name. Providers may tell unknown clients and those that show no
    /// secret apart, as Keycloak does, or not.
    async fn clients(&mut self, provider: &Provider, settings: &AuthSettings) -> Result<(), ProviderError> {
        let metadata = provider.metadata().await?;
        let url = metadata
            .token_endpoint()
            .ok_or_else(|| no_endpoint("token_endpoint"))?
            .url();
        let nobody = Uuid::now_v7().to_string();
        let unknown = without_secret(provider.transport(), url, &nobody).await;
        let ours = without_secret(provider.transport(), url, &settings.client_id).await;
        let audience = without_secret(provider.transport(), url, &settings.audience).await;
        if unknown != ours && audience == unknown {
            self.faults.push(format!(
                "the provider has no client {0}: set auth.audience to the client whose roles user, operator and admin \
                 people get, and that access tokens are for",
                settings.audience
            ));
        }
        let cli = without_secret(provider.transport(), url, &settings.cli_client_id).await;
        if cli.as_deref() != Some("invalid_grant") {
            self.good.push(format!(
                "no `sidereal login`: {} is no public client there",
                settings.cli_client_id
            ));
        }
        Ok(())
    }

    /// Whether browsers may come back to us; gives the end of the answer, if it has one. Without a login the provider
    /// sends them back at once (`prompt=none`), with a signed answer if it can (JARM).
    async fn redirect(
        &mut self,
        provider: &Provider,
        settings: &AuthSettings,
        callback: &Url,
    ) -> Result<Option<i64>, ProviderError> {
        let mut url = provider.authorization(callback).await?.url;
        url.query_pairs_mut().append_pair("prompt", "none");
        let metadata = provider.metadata().await?;
        let signed = CoreResponseMode::Extension("query.jwt".into());
        if metadata
            .response_modes_supported()
            .is_some_and(|modes| modes.contains(&signed))
        {
            url.query_pairs_mut().append_pair("response_mode", "query.jwt");
        }
        let answer = match provider.transport().look(&url).await {
            Ok(answer) => answer,
            // Browsers may reach what this server cannot.
            Err(error) => {
                self.good.push(format!("the login page was not seen: {error}"));
                return Ok(None);
            }
        };
        if answer.status().is_redirection() {
            let back = answer
                .headers()
                .get("location")
                .and_then(|value| value.to_str().ok());
            let back = back.and_then(|back| url.join(back).ok());
            let times = back.and_then(|back| {
                let (_, response) = back.query_pairs().find(|(name, _)| name == "response")?;
                times(&response)
            });
            return Ok(times.and_then(|times| times.exp).map(|end| end as i64));
        }
        if answer.status().is_client_error() {
            self.faults.push(format!(
                "the provider does not let a login come back to {callback}; is SIDEREAL_PUBLIC_URL right, and is that \
                 a valid redirect URI of the client {}?",
                settings.client_id
            ));
        }
        Ok(None)
    }

    /// Whether the clocks agree; seconds that the provider's is ahead of ours.
    fn clock(&mut self, ahead: Option<i64>) {
        let limit = LEEWAY as i64;
        match ahead {
            None => self.good.push("its clock was not seen".into()),
            Some(ahead) if ahead.abs() <= limit => self.good.push("the clocks agree".into()),
            Some(ahead) => self.faults.push(format!(
                "this machine's clock is {} s {} the provider's, and more than {limit} s make tokens invalid; set both \
                 by NTP",
                ahead.abs(),
                if ahead > 0 { "behind" } else { "ahead of" }
            )),
        }
    }

    /// Whether an access token is one of ours.
    async fn token(&mut self, provider: &Provider, settings: &AuthSettings, token: Option<&str>) {
        let audience = &settings.audience;
        let Some(token) = token else {
            self.good.push(
                "the audience of tokens was not seen: ask again after `sidereal login`, or with an access token in \
                 SIDEREAL_TOKEN"
                    .into(),
            );
            return;
        };
        match provider.verify_bearer(token).await {
            Ok(identity) if identity.role.is_none() => self.faults.push(format!(
                "the token of {} grants nothing: give its owner one of the roles user, operator, admin of the client \
                 {audience}, and the client that asked for it those roles in its scope",
                plain(&identity.name)
            )),
            Ok(identity) => self
                .good
                .push(format!("the token of {} is for {audience}", plain(&identity.name))),
            Err(TokenError::Audience) => self.faults.push(format!(
                "the token is for another audience than {audience} (auth.audience): the client that asked for it needs a \
                 mapper that adds it (Keycloak: the client's dedicated scope, Add mapper, By configuration, Audience, \
                 Included Client Audience {audience}, Add to access token)"
            )),
            // Said by the clock, if it is that.
            Err(TokenError::NotYet) if self.faults.iter().any(|fault| fault.contains("clock")) => {}
            Err(error) => self.faults.push(error.to_string()),
        }
    }
}

/// The provider's time, of the header `Date`, in seconds since 1970. Keycloak itself has none, most proxies add one.
async fn date(transport: &Transport, settings: &AuthSettings) -> Option<i64> {
    let answer = transport.look(settings.issuer.as_ref()?).await.ok()?;
    let date = answer.headers().get("date")?.to_str().ok()?;
    Some(DateTime::parse_from_rfc2822(date).ok()?.timestamp())
}

/// The error by which a client is refused that shows no secret and no token.
async fn without_secret(transport: &Transport, url: &Url, client: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
    }
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", NO_TOKEN),
        ("client_id", client),
    ];
    let answer = transport.post(url, &form).await.ok()?;
    let refusal: Refusal = serde_json::from_slice(answer.body()).ok()?;
    Some(refusal.error)
}

/// Of a JSON Web Token, not verified.
fn times(token: &str) -> Option<Times> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&claims).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_may_differ_by_the_leeway() {
        for (ahead, word) in [(Some(31), "31 s behind"), (Some(-3_600), "3600 s ahead of")] {
            let mut found = Checkup::default();
            found.clock(ahead);
            assert!(
                found.good.is_empty() && found.faults[0].contains(word),
                "{found:?}"
            );
        }
        for ahead in [None, Some(0), Some(30), Some(-30)] {
            let mut found = Checkup::default();
            found.clock(ahead);
            assert!(found.faults.is_empty(), "{found:?}");
        }
    }

    #[test]
    fn times_are_read_of_what_is_a_token() {
        let token = format!("x.{}.x", URL_SAFE_NO_PAD.encode(br#"{"iat":7,"aud":"x"}"#));
        assert_eq!(times(&token).unwrap().iat, Some(7.0));
        for text in ["", "x", "x.!.x", "sdr_x"] {
            assert!(times(text).is_none(), "{text}");
        }
    }
}
