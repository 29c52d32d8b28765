//! Logging in from where there is no browser: the device authorization grant (RFC 8628) by a public client, and what
//! keeps such a login going and ends it. The access token is not looked at here: it is for the server, which does.
//!
//! Calls `auth`'s provider (its errors) and transport, and `net`.

use std::{fmt, sync::Arc, time::Duration};

use openidconnect::{
    ClientId, DeviceAuthorizationUrl, EndpointNotSet, EndpointSet, ErrorResponseType, IssuerUrl,
    JsonWebKeySet, OAuth2TokenResponse, RefreshToken, RequestTokenError, StandardErrorResponse, TokenUrl,
    core::{CoreClient, CoreDeviceAuthorizationResponse, CoreTokenResponse},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use super::{
    provider::{ProviderError, issuer_text, no_endpoint, plain},
    transport::{Cause, NoAnswer, Transport},
};
use crate::net;

/// Pauses between two questions whether the person has signed in, whatever the provider asks for.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));
/// Longest that is waited for the person.
const LONGEST_WAIT: Duration = Duration::from_mins(30);
/// Life of an access token of which the provider does not say it.
const SHORT_LIFE: Duration = Duration::from_mins(1);

/// What of the provider's discovery document is needed here.
#[derive(Deserialize)]
struct Endpoints {
    issuer: String,
    token_endpoint: Url,
    device_authorization_endpoint: Option<Url>,
    revocation_endpoint: Option<Url>,
}

/// A program without a secret, as the provider knows it.
pub struct PublicClient {
    id: String,
    issuer: IssuerUrl,
    endpoints: Endpoints,
    transport: Transport,
}

/// Where a person signs in for a program that waits.
pub struct Verification {
    answer: CoreDeviceAuthorizationResponse,
}

/// What a login gave. Secrets are redacted in `Debug`.
#[derive(Debug)]
pub struct Login {
    /// For the server, not verified.
    pub access: SecretString,
    /// For the provider, to get the next access token.
    pub refresh: Option<SecretString>,
    /// Until the access token ends.
    pub expires_in: Duration,
}

impl fmt::Debug for PublicClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicClient")
            .field("id", &self.id)
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

impl Verification {
    /// Where the person goes: with the code in it, if the provider has such a URL.
    pub fn url(&self) -> String {
        match self.answer.verification_uri_complete() {
            Some(url) => plain(url.secret()),
            None => plain(self.answer.verification_uri().as_str()),
        }
    }

    /// The code that the page asks for or shows.
    pub fn code(&self) -> String {
        plain(self.answer.user_code().secret())
    }
}

type OpenIdClient =
    CoreClient<EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet, EndpointNotSet>;

impl PublicClient {
    /// The client `id` of `issuer`, whose discovery document is asked for (`OpenID` Connect Discovery section 4). All
    /// that a secret will be sent to must be https or on this machine.
    pub async fn discover(issuer: &Url, id: &str) -> Result<PublicClient, ProviderError> {
        let wrong = ProviderError::Configuration;
        let name = issuer_text(issuer);
        let transport = Transport::new(issuer, None).map_err(|_| {
            wrong(format!(
                "the issuer {name} is no http or https URL without user, query and fragment"
            ))
        })?;
        let issuer = IssuerUrl::new(name.clone())
            .map_err(|error| wrong(format!("the issuer {name} is no URL: {error}")))?;
        let url = issuer
            .join(".well-known/openid-configuration")
            .map_err(|error| wrong(format!("the issuer {name} is no URL: {error}")))?;
        safe(&url)?;
        let document = transport.get(&url).await.map_err(unavailable)?;
        let endpoints: Endpoints = serde_json::from_slice(&document)
            .map_err(|error| unavailable(NoAnswer::Unreadable(url.clone(), error.to_string())))?;
        if endpoints.issuer != name {
            return Err(wrong(format!(
                "the identity provider calls itself {:?}, the server calls it {name:?}: they must be the same",
                plain(&endpoints.issuer)
            )));
        }
        let optional = [
            &endpoints.device_authorization_endpoint,
            &endpoints.revocation_endpoint,
        ];
        for url in optional.into_iter().flatten().chain([&endpoints.token_endpoint]) {
            safe(url)?;
        }
        Ok(PublicClient {
            id: id.to_owned(),
            issuer,
            endpoints,
            transport,
        })
    }

    /// Begins a login (RFC 8628 section 3.1), scope `openid`.
    pub async fn begin(&self) -> Result<Verification, ProviderError> {
        let url = self.endpoints.device_authorization_endpoint.clone();
        let url = url.ok_or_else(|| no_endpoint("device_authorization_endpoint"))?;
        let client = self
            .openid()
            .set_device_authorization_url(DeviceAuthorizationUrl::from_url(url));
        let request = client.exchange_device_code();
        let answer = request.request_async(&self.transport).await;
        Ok(Verification {
            answer: answer.map_err(|error| self.refusal(error))?,
        })
    }

    /// Waits until the person has signed in, asking as often as the provider lets it. [`ProviderError::Refused`] with
    /// `access_denied` or `expired_token` if that does not happen.
    pub async fn finish(&self, verification: &Verification) -> Result<Login, ProviderError> {
        let client = self.openid();
        let longest = verification.answer.expires_in().min(LONGEST_WAIT);
        let pause = |asked: Duration| tokio::time::sleep(asked.clamp(PAUSES.0, PAUSES.1));
        let answer = client
            .exchange_device_access_token(&verification.answer)
            .set_max_backoff_interval(PAUSES.1)
            .request_async(&self.transport, pause, Some(longest))
            .await;
        Ok(login(&answer.map_err(|error| self.refusal(error))?, None))
    }

    /// The next access token. [`ProviderError::Refused`] if the login is over.
    pub async fn refresh(&self, refresh: &SecretString) -> Result<Login, ProviderError> {
        let client = self.openid();
        let token = RefreshToken::new(refresh.expose_secret().to_owned());
        let answer = client
            .exchange_refresh_token(&token)
            .request_async(&self.transport)
            .await;
        Ok(login(
            &answer.map_err(|error| self.refusal(error))?,
            Some(refresh),
        ))
    }

    /// Ends the login of this program at the provider (RFC 7009); other programs and browsers of the person stay
    /// logged in. One that is over already is no error.
    pub async fn revoke(&self, refresh: &SecretString) -> Result<(), ProviderError> {
        let url = self.endpoints.revocation_endpoint.as_ref();
        let url = url.ok_or_else(|| no_endpoint("revocation_endpoint"))?;
        // Not by the crate, which takes no http on loopback.
        let form = [
            ("token", refresh.expose_secret()),
            ("token_type_hint", "refresh_token"),
            ("client_id", self.id.as_str()),
        ];
        let answer = self.transport.post(url, &form).await.map_err(unavailable)?;
        if answer.status().is_success() {
            return Ok(());
        }
        Err(unavailable(NoAnswer::Status(
            url.clone(),
            answer.status().as_u16(),
        )))
    }

    fn openid(&self) -> OpenIdClient {
        CoreClient::new(
            ClientId::new(self.id.clone()),
            self.issuer.clone(),
            JsonWebKeySet::default(),
        )
        .set_token_uri(TokenUrl::from_url(self.endpoints.token_endpoint.clone()))
    }

    /// What an error means: to this login, to this client, or nothing but that the provider does not answer.
    fn refusal<T: ErrorResponseType + fmt::Display>(
        &self,
        error: RequestTokenError<NoAnswer, StandardErrorResponse<T>>,
    ) -> ProviderError {
        match error {
            RequestTokenError::ServerResponse(answer) => {
                let code = plain(&answer.error().to_string());
                let description = plain(answer.error_description().map_or("", String::as_str));
                match code.as_str() {
                    "invalid_client" | "unauthorized_client" | "unsupported_grant_type" => {
                        ProviderError::Configuration(format!(
                            "the identity provider does not let the client {} sign in by a code: {code}: {description}",
                            plain(&self.id)
                        ))
                    }
                    "server_error" | "temporarily_unavailable" => unavailable(NoAnswer::Wrong(code)),
                    _ => ProviderError::Refused {
                        error: code,
                        description,
                    },
                }
            }
            RequestTokenError::Request(error) => unavailable(error),
            // The answer itself may hold tokens.
            RequestTokenError::Parse(error, _) => unavailable(NoAnswer::Wrong(format!(
                "its answer cannot be read at {:?}",
                plain(&error.path().to_string())
            ))),
            RequestTokenError::Other(text) => unavailable(NoAnswer::Wrong(plain(&text))),
        }
    }
}

fn login(answer: &CoreTokenResponse, before: Option<&SecretString>) -> Login {
    let refresh = answer.refresh_token().map(|token| token.secret().clone().into());
    Login {
        access: answer.access_token().secret().clone().into(),
        // RFC 6749 section 6: without a new one the old one goes on.
        refresh: refresh.or_else(|| before.cloned()),
        expires_in: answer.expires_in().unwrap_or(SHORT_LIFE),
    }
}

fn unavailable(error: NoAnswer) -> ProviderError {
    ProviderError::Unavailable(Arc::new(error) as Cause)
}

fn safe(url: &Url) -> Result<(), ProviderError> {
    if net::keeps_secrets(url) {
        return Ok(());
    }
    Err(ProviderError::Configuration(format!(
        "no token is sent over plain http: {} of the identity provider must be https",
        plain(url.as_str())
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_provider_is_asked_over_plain_http() {
        for issuer in [
            "http://login.example.org/realms/sky",
            "ftp://login.example.org/",
            "https://u:p@x/",
        ] {
            let error = PublicClient::discover(&issuer.parse().unwrap(), "cli")
                .await
                .unwrap_err();
            assert!(
                matches!(error, ProviderError::Configuration(_)),
                "{issuer}: {error}"
            );
        }
    }

    #[test]
    fn its_futures_move_between_threads() {
        fn sent<T: Send>(_: &T) {}
        fn all(client: &PublicClient, verification: &Verification, secret: &SecretString) {
            sent(&client.begin());
            sent(&client.finish(verification));
            sent(&client.refresh(secret));
            sent(&client.revoke(secret));
        }
        let _ = all;
    }
}
