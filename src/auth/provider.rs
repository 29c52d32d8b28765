//! The `OpenID` Connect provider (Keycloak): discovery, the login by code, refresh, logout, and its tokens verified.
//!
//! Calls `auth`'s tokens, keys, seal and transport; `settings`.

use std::{fmt, sync::Arc, time::Duration};

use jsonwebtoken::get_current_timestamp;
use openidconnect::{
    AccessTokenHash, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet,
    EndpointSet, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier,
    ProviderMetadataWithLogout, RedirectUrl, RefreshToken, RequestTokenError, TokenResponse,
    core::{
        CoreAuthenticationFlow, CoreClient, CoreErrorResponseType, CoreJwsSigningAlgorithm,
        CoreRequestTokenError, CoreTokenResponse,
    },
};
use secrecy::{ExposeSecret, SecretString};
use tokio::{sync::Mutex, time::Instant};
use url::Url;

use super::{
    access_token::{self, Identity, Token, TokenError},
    keys::{KeyError, KeySet, Keys},
    logout_token::{self, LogoutToken},
    seal::Secret,
    transport::{Cause, NoAnswer, Transport},
};
use crate::settings::AuthSettings;

/// What discovery said is asked for anew after this.
const DISCOVERY_FRESH: Duration = Duration::from_hours(1);
/// Between two tries of discovery while it fails.
const DISCOVERY_PAUSE: Duration = Duration::from_secs(5);
/// Longest text of the provider's that is passed on, in characters.
const LONGEST_TEXT: usize = 200;

/// Why the provider did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProviderError {
    /// It does not answer, or not as a provider: not the caller's fault, and may pass.
    #[error("the identity provider does not answer: {0}")]
    Unavailable(#[source] Cause),
    /// It refuses this code or refresh token (RFC 6749 section 5.2): the login is over.
    #[error("the identity provider refuses: {error}: {description}")]
    Refused {
        /// Its code, such as `invalid_grant`.
        error: String,
        /// Its words, without control characters, at most 200 characters.
        description: String,
    },
    /// Its answer is not the one that was asked for: it must not be believed.
    #[error("the identity provider's answer is wrong: {0}")]
    Invalid(&'static str),
    /// It gave a token that is not good.
    #[error("the identity provider's answer is wrong: {0}")]
    Token(#[from] TokenError),
    /// Settings that it does not accept, or that make no sense.
    #[error("{0}")]
    Configuration(String),
}

/// How a browser is sent to log in; all but `url` must be remembered for its return.
pub struct Authorization {
    /// Where it is sent.
    pub url: Url,
    /// Comes back with it.
    pub state: Secret,
    /// Comes back in the ID token.
    pub nonce: String,
    /// The PKCE verifier, which only the exchange of the code tells (RFC 7636).
    pub verifier: String,
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorization").finish_non_exhaustive()
    }
}

/// A login: whom it names and what keeps it going.
pub struct Tokens {
    /// Of the access token, verified.
    pub identity: Identity,
    /// The refresh token.
    pub refresh: String,
    /// The ID token, for [`Provider::end_session_url`]; that of a refresh is not verified.
    pub id_token: Option<String>,
    /// Until the access token ends.
    pub expires_in: Duration,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("identity", &self.identity)
            .field("expires_in", &self.expires_in)
            .finish_non_exhaustive()
    }
}

/// The provider that the settings name. It is asked when it is needed, and what it says is remembered: it may be away
/// when the server starts and at any time after.
pub struct Provider {
    /// As tokens have it.
    issuer: String,
    client_id: String,
    client_secret: SecretString,
    audience: String,
    transport: Transport,
    discovery: Mutex<Discovery>,
    keys: Keys<Cause>,
}

/// What discovery came to.
#[derive(Default)]
struct Discovery {
    known: Option<(Arc<ProviderMetadataWithLogout>, Instant)>,
    failure: Option<(ProviderError, Instant)>,
}

type OpenIdClient = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

impl Provider {
    /// The provider of these settings, not asked yet. A fault of the settings is [`ProviderError::Configuration`].
    pub fn new(settings: &AuthSettings) -> Result<Provider, ProviderError> {
        let missing = |key: &str| ProviderError::Configuration(format!("auth.{key} is not set"));
        let issuer_url = settings.issuer.clone().ok_or_else(|| missing("issuer"))?;
        let client_secret = settings
            .client_secret
            .clone()
            .ok_or_else(|| missing("client_secret"))?;
        let transport = Transport::new(&issuer_url, settings.internal_url.as_ref())
            .map_err(|error| ProviderError::Configuration(error.to_string()))?;
        Ok(Provider {
            // A URL has a path always; an issuer need not.
            issuer: match issuer_url.path() {
                "/" => issuer_url.as_str().trim_end_matches('/').to_owned(),
                _ => issuer_url.as_str().to_owned(),
            },
            client_id: settings.client_id.clone(),
            client_secret,
            audience: settings.audience.clone(),
            transport,
            discovery: Mutex::default(),
            keys: Keys::default(),
        })
    }

    /// The issuer, as tokens and the `iss` of a callback (RFC 9207) have it.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Begins a login: code flow with PKCE S256, scope `openid`; the browser comes back to `redirect`.
    pub async fn authorization(&self, redirect: &Url) -> Result<Authorization, ProviderError> {
        let client = self.openid(redirect).await?;
        let state = Secret::new();
        let sent = CsrfToken::new(state.expose().to_owned());
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (url, _, nonce) = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                || sent,
                Nonce::new_random,
            )
            .set_pkce_challenge(challenge)
            .url();
        Ok(Authorization {
            url,
            state,
            nonce: nonce.secret().clone(),
            verifier: verifier.into_secret(),
        })
    }

    /// Ends a login: `code` came back to `redirect`; `verifier` and `nonce` are of its [`Authorization`]. Verifies the
    /// ID token (`OpenID` Connect Core section 3.1.3.7, `at_hash` and `azp` included) and the access token, which must
    /// name the same subject and our client.
    pub async fn exchange(
        &self,
        code: &str,
        verifier: &str,
        nonce: &str,
        redirect: &Url,
    ) -> Result<Tokens, ProviderError> {
        let client = self.openid(redirect).await?;
        let answer = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|_| no_endpoint("token_endpoint"))?
            .set_pkce_verifier(PkceCodeVerifier::new(verifier.to_owned()))
            .request_async(&self.transport)
            .await
            .map_err(refusal)?;
        let identity = self.granted(&answer).await?;
        let subject = self.verify_id_token(client, &answer, nonce).await?;
        if subject != identity.subject {
            return Err(ProviderError::Invalid(
                "the ID token and the access token name two subjects",
            ));
        }
        tokens(identity, &answer, None)
    }

    /// A login's next tokens. [`ProviderError::Refused`] says that the login is over. The caller compares the subject.
    pub async fn refresh(&self, refresh_token: &str) -> Result<Tokens, ProviderError> {
        let metadata = self.metadata().await?;
        let client = CoreClient::from_provider_metadata(
            (*metadata).clone(),
            ClientId::new(self.client_id.clone()),
            Some(ClientSecret::new(self.client_secret.expose_secret().to_owned())),
        );
        let token = RefreshToken::new(refresh_token.to_owned());
        let answer = client
            .exchange_refresh_token(&token)
            .map_err(|_| no_endpoint("token_endpoint"))?
            .request_async(&self.transport)
            .await
            .map_err(refusal)?;
        let identity = self.granted(&answer).await?;
        tokens(identity, &answer, Some(refresh_token))
    }

    /// Where a browser is sent to log out at the provider, which sends it `back` with `state` (RP-Initiated Logout 1.0
    /// section 2). Without the ID token of the login the provider asks first.
    pub async fn end_session_url(
        &self,
        id_token: Option<&str>,
        back: &Url,
        state: &str,
    ) -> Result<Url, ProviderError> {
        let metadata = self.metadata().await?;
        let mut url = metadata
            .additional_metadata()
            .end_session_endpoint
            .as_ref()
            .ok_or_else(|| no_endpoint("end_session_endpoint"))?
            .url()
            .clone();
        url.query_pairs_mut()
            .extend_pairs(id_token.map(|token| ("id_token_hint", token)))
            .append_pair("client_id", &self.client_id)
            .append_pair("post_logout_redirect_uri", back.as_str())
            .append_pair("state", state);
        Ok(url)
    }

    /// Whom a bearer's access token names.
    pub async fn verify_bearer(&self, token: &str) -> Result<Identity, TokenError> {
        let token = Token::read(token)?;
        let id = token.key_id()?;
        let keys = self.keys(id).await?;
        let key = keys.get(id).ok_or(TokenError::UnknownKey)?;
        access_token::verify(&token, key, &self.issuer, &self.audience)
    }

    /// What a token of the back-channel logout ends. Whether its `jti` has come before is the caller's to know.
    pub async fn verify_logout(&self, token: &str) -> Result<LogoutToken, TokenError> {
        let token = Token::read(token)?;
        let id = token.key_id()?;
        let keys = self.keys(id).await?;
        let key = keys.get(id).ok_or(TokenError::UnknownKey)?;
        logout_token::verify(&token, key, &self.issuer, &self.client_id)
    }

    /// Asks the provider now whether it is there and is the one that the settings name.
    pub async fn probe(&self) -> Result<(), ProviderError> {
        self.discover().await.map(|_| ())
    }

    /// The access token's identity; it must be ours.
    async fn granted(&self, answer: &CoreTokenResponse) -> Result<Identity, ProviderError> {
        let identity = match self.verify_bearer(answer.access_token().secret()).await {
            Err(TokenError::Unavailable(cause)) => return Err(ProviderError::Unavailable(cause)),
            verified => verified?,
        };
        if identity
            .client
            .as_ref()
            .is_some_and(|client| *client != self.client_id)
        {
            return Err(ProviderError::Invalid("the access token is another client's"));
        }
        Ok(identity)
    }

    /// The subject of the ID token.
    async fn verify_id_token(
        &self,
        client: OpenIdClient,
        answer: &CoreTokenResponse,
        nonce: &str,
    ) -> Result<String, ProviderError> {
        let token = answer
            .id_token()
            .ok_or(ProviderError::Invalid("there is no ID token"))?;
        let text = token.to_string();
        let id = Token::read(&text)?.key_id()?.to_owned();
        let keys = match self.keys(&id).await {
            Err(TokenError::Unavailable(cause)) => return Err(ProviderError::Unavailable(cause)),
            keys => keys?,
        };
        let verifier = openidconnect::IdTokenVerifier::new_confidential_client(
            client.client_id().clone(),
            ClientSecret::new(self.client_secret.expose_secret().to_owned()),
            self.issuer_name()?,
            keys.openid.clone(),
        )
        // Not what discovery lists, which has HS256 with our secret.
        .set_allowed_algs([
            CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
            CoreJwsSigningAlgorithm::EcdsaP256Sha256,
        ])
        .set_other_audience_verifier_fn(|audience| audience.as_str() == self.audience);
        let wrong = |_| ProviderError::Invalid("the ID token is not good");
        let claims = token
            .claims(&verifier, &Nonce::new(nonce.to_owned()))
            .map_err(|error| {
                tracing::warn!(%error, "ID token refused");
                ProviderError::Invalid("the ID token is not good")
            })?;
        if claims
            .authorized_party()
            .is_some_and(|party| party.as_str() != self.client_id)
        {
            return Err(ProviderError::Invalid("the ID token is another client's"));
        }
        if let Some(expected) = claims.access_token_hash() {
            let key = token.signing_key(&verifier).map_err(wrong)?;
            let algorithm = token.signing_alg().map_err(wrong)?;
            let actual = AccessTokenHash::from_token(answer.access_token(), algorithm, key)
                .map_err(|_| ProviderError::Invalid("the ID token is not good"))?;
            if actual != *expected {
                return Err(ProviderError::Invalid("the ID token is of another access token"));
            }
        }
        Ok(claims.subject().as_str().to_owned())
    }

    /// The keys, that of `id` among them.
    async fn keys(&self, id: &str) -> Result<Arc<KeySet>, TokenError> {
        self.keys
            .with(id, Instant::now(), async || self.fetch_keys().await)
            .await
            .map_err(|error| match error {
                KeyError::Unknown => TokenError::UnknownKey,
                KeyError::Unavailable(cause) => TokenError::Unavailable(cause),
            })
    }

    async fn fetch_keys(&self) -> Result<KeySet, Cause> {
        let metadata = self.metadata().await.map_err(|error| match error {
            ProviderError::Unavailable(cause) => cause,
            error => Arc::new(error),
        })?;
        let url = metadata.jwks_uri().url();
        let document = self
            .transport
            .get(url)
            .await
            .map_err(|error| Arc::new(error) as Cause)?;
        let keys = KeySet::read(&document)
            .map_err(|error| Arc::new(NoAnswer::Unreadable(url.clone(), error.to_string())) as Cause)?;
        tracing::debug!(%url, "read the identity provider's keys");
        Ok(keys)
    }

    fn issuer_name(&self) -> Result<IssuerUrl, ProviderError> {
        IssuerUrl::new(self.issuer.clone())
            .map_err(|error| ProviderError::Configuration(format!("auth.issuer is no URL: {error}")))
    }

    async fn openid(&self, redirect: &Url) -> Result<OpenIdClient, ProviderError> {
        let metadata = self.metadata().await?;
        Ok(CoreClient::from_provider_metadata(
            (*metadata).clone(),
            ClientId::new(self.client_id.clone()),
            Some(ClientSecret::new(self.client_secret.expose_secret().to_owned())),
        )
        .set_redirect_uri(RedirectUrl::from_url(redirect.clone())))
    }

    /// What discovery says, not older than an hour unless the provider is away.
    async fn metadata(&self) -> Result<Arc<ProviderMetadataWithLogout>, ProviderError> {
        let mut discovery = self.discovery.lock().await;
        let now = Instant::now();
        if let Some((metadata, since)) = &discovery.known
            && now.duration_since(*since) < DISCOVERY_FRESH
        {
            return Ok(metadata.clone());
        }
        let known = discovery.known.as_ref().map(|(metadata, _)| metadata.clone());
        if let Some((error, since)) = &discovery.failure
            && now.duration_since(*since) < DISCOVERY_PAUSE
        {
            return known.ok_or_else(|| error.clone());
        }
        match self.discover().await {
            Ok(metadata) => {
                let metadata = Arc::new(metadata);
                *discovery = Discovery {
                    known: Some((metadata.clone(), now)),
                    failure: None,
                };
                Ok(metadata)
            }
            Err(error) => {
                tracing::warn!(%error, "discovery of the identity provider failed");
                discovery.failure = Some((error.clone(), Instant::now()));
                known.ok_or(error)
            }
        }
    }

    /// Asks for the provider's metadata (`OpenID` Connect Discovery section 4).
    async fn discover(&self) -> Result<ProviderMetadataWithLogout, ProviderError> {
        let url = self
            .issuer_name()?
            .join(".well-known/openid-configuration")
            .map_err(|error| ProviderError::Configuration(format!("auth.issuer is no URL: {error}")))?;
        let document = self
            .transport
            .get(&url)
            .await
            .map_err(|error| ProviderError::Unavailable(Arc::new(error)))?;
        let metadata: ProviderMetadataWithLogout = serde_json::from_slice(&document).map_err(|error| {
            ProviderError::Unavailable(Arc::new(NoAnswer::Unreadable(url.clone(), error.to_string())))
        })?;
        let issuer = metadata.issuer().as_str();
        if issuer != self.issuer {
            return Err(ProviderError::Configuration(format!(
                "the identity provider calls itself {:?}, auth.issuer {:?}: they must be the same, letter for letter",
                plain(issuer),
                self.issuer
            )));
        }
        Ok(metadata)
    }
}

fn tokens(
    identity: Identity,
    answer: &CoreTokenResponse,
    before: Option<&str>,
) -> Result<Tokens, ProviderError> {
    let refresh = answer
        .refresh_token()
        .map(|token| token.secret().as_str())
        // RFC 6749 section 6: without a new one the old one goes on.
        .or(before)
        .ok_or(ProviderError::Invalid("there is no refresh token"))?
        .to_owned();
    let left = identity.expires - get_current_timestamp() as i64;
    Ok(Tokens {
        refresh,
        id_token: answer.id_token().map(ToString::to_string),
        expires_in: Duration::from_secs(u64::try_from(left).unwrap_or(0)),
        identity,
    })
}

fn no_endpoint(name: &str) -> ProviderError {
    ProviderError::Configuration(format!("the identity provider has no {name}"))
}

/// What a token endpoint's error means: to this login, to our client, or nothing but that it does not answer.
fn refusal(error: CoreRequestTokenError<NoAnswer>) -> ProviderError {
    match error {
        RequestTokenError::ServerResponse(answer) => {
            let code = answer.error();
            let description = plain(answer.error_description().map_or("", String::as_str));
            match code {
                CoreErrorResponseType::InvalidClient | CoreErrorResponseType::UnauthorizedClient => {
                    ProviderError::Configuration(format!(
                        "the identity provider does not accept auth.client_id and auth.client_secret: {}: {description}",
                        plain(code.as_ref())
                    ))
                }
                CoreErrorResponseType::Extension(code)
                    if matches!(
                        code.as_str(),
                        "server_error" | "temporarily_unavailable" | "unknown_error"
                    ) =>
                {
                    ProviderError::Unavailable(Arc::new(NoAnswer::Wrong(plain(code))))
                }
                code => ProviderError::Refused {
                    error: plain(code.as_ref()),
                    description,
                },
            }
        }
        RequestTokenError::Request(error) => ProviderError::Unavailable(Arc::new(error)),
        // The answer itself may hold tokens: only where it cannot be read is passed on.
        RequestTokenError::Parse(error, _) => ProviderError::Unavailable(Arc::new(NoAnswer::Wrong(format!(
            "the answer of the token endpoint cannot be read at {:?}",
            plain(&error.path().to_string())
        )))),
        RequestTokenError::Other(text) => ProviderError::Unavailable(Arc::new(NoAnswer::Wrong(plain(&text)))),
    }
}

/// A text of the provider's, without control characters and of bounded length.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST_TEXT)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_futures_move_between_threads() {
        fn sent<T: Send>(_: &T) {}
        fn all(provider: &Provider, url: &Url) {
            sent(&provider.authorization(url));
            sent(&provider.exchange("", "", "", url));
            sent(&provider.refresh(""));
            sent(&provider.end_session_url(None, url, ""));
            sent(&provider.verify_bearer(""));
            sent(&provider.verify_logout(""));
            sent(&provider.probe());
        }
        let _ = all;
    }
}
