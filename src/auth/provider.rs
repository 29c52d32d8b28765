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
            issuer: issuer_text(&issuer_url),
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

    pub(super) fn transport(&self) -> &Transport {
        &self.transport
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
    pub(super) async fn metadata(&self) -> Result<Arc<ProviderMetadataWithLogout>, ProviderError> {
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

/// An issuer as tokens have it: a URL has a path always, an issuer need not.
pub(super) fn issuer_text(issuer: &Url) -> String {
    match issuer.path() {
        "/" => issuer.as_str().trim_end_matches('/').to_owned(),
        _ => issuer.as_str().to_owned(),
    }
}

pub(super) fn no_endpoint(name: &str) -> ProviderError {
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
pub(super) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST_TEXT)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use serde_json::{Value, json};
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::auth::forge::{
        Answer, CLIENT, FakeProvider, ISSUER, SECRET, Signer, access, at, logout, with,
    };

    const NONCE: &str = "n-1";

    /// The provider of these settings: the issuer's public address, reached at the fake's.
    fn provider(fake: &FakeProvider) -> Provider {
        Provider::new(&AuthSettings {
            issuer: Some(ISSUER.parse().unwrap()),
            internal_url: Some(fake.url.clone()),
            client_secret: Some(SECRET.into()),
            ..AuthSettings::default()
        })
        .unwrap()
    }

    fn back() -> Url {
        "https://sky.example.org/account/callback".parse().unwrap()
    }

    fn at_hash(token: &str) -> String {
        URL_SAFE_NO_PAD.encode(&Sha256::digest(token)[..16])
    }

    /// Claims of a good ID token beside this access token.
    fn id(access_token: &str) -> Value {
        json!({
            "exp": at(300), "iat": at(0), "iss": ISSUER, "aud": CLIENT, "sub": "s-1", "typ": "ID", "azp": CLIENT,
            "nonce": NONCE, "at_hash": at_hash(access_token), "sid": "login-1",
        })
    }

    /// What a token endpoint answers, with these changes to access token, ID token and answer.
    fn granting(token: &Value, id_token: &Value, answer: &Value) -> Answer {
        let token = Signer::rsa().issue("rsa", &with(access(), token));
        let id_token = Signer::ec().issue("ec", &with(id(&token), id_token));
        let whole = json!({
            "access_token": token, "id_token": id_token, "refresh_token": "r-1", "token_type": "Bearer",
            "expires_in": 300, "scope": "openid",
        });
        Answer::json(200, &with(whole, answer))
    }

    async fn exchange(fake: &FakeProvider, answer: Answer) -> Result<Tokens, ProviderError> {
        fake.answer("/realms/sky/token", answer);
        provider(fake).exchange("c-1", "v-1", NONCE, &back()).await
    }

    fn form(text: &str) -> HashMap<String, String> {
        form_urlencoded::parse(text.as_bytes()).into_owned().collect()
    }

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

    #[test]
    fn settings_without_a_provider_are_a_fault() {
        let good = AuthSettings {
            issuer: Some(ISSUER.parse().unwrap()),
            client_secret: Some(SECRET.into()),
            ..AuthSettings::default()
        };
        Provider::new(&good).unwrap();
        for (bad, key) in [
            (
                AuthSettings {
                    issuer: None,
                    ..good.clone()
                },
                "auth.issuer",
            ),
            (
                AuthSettings {
                    client_secret: None,
                    ..good.clone()
                },
                "auth.client_secret",
            ),
            (
                AuthSettings {
                    internal_url: Some("ftp://x/".parse().unwrap()),
                    ..good.clone()
                },
                "auth.internal_url",
            ),
        ] {
            let error = Provider::new(&bad).unwrap_err().to_string();
            assert!(error.contains(key), "{error}");
        }
    }

    #[tokio::test]
    async fn a_browser_is_sent_to_the_public_address_with_pkce_state_and_nonce() {
        let fake = FakeProvider::start(ISSUER).await;
        let provider = provider(&fake);
        let sent = provider.authorization(&back()).await.unwrap();
        assert!(
            sent.url.as_str().starts_with(&format!("{ISSUER}/auth?")),
            "{}",
            sent.url
        );
        let query: HashMap<_, _> = sent.url.query_pairs().into_owned().collect();
        assert_eq!(query["response_type"], "code");
        assert_eq!(query["client_id"], CLIENT);
        assert_eq!(query["redirect_uri"], back().as_str());
        assert_eq!(query["scope"], "openid");
        assert_eq!(query["state"], sent.state.expose());
        assert_eq!(query["nonce"], sent.nonce);
        assert_eq!(query["code_challenge_method"], "S256");
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&sent.verifier));
        assert_eq!(query["code_challenge"], challenge);
        let again = provider.authorization(&back()).await.unwrap();
        assert_ne!(sent.state, again.state);
        assert_ne!(sent.nonce, again.nonce);
        assert_ne!(sent.verifier, again.verifier);
        let shown = format!("{sent:?} {provider:?}");
        assert!(!shown.contains(&sent.verifier) && !shown.contains(&sent.nonce) && !shown.contains(SECRET));
        assert_eq!(fake.asked("GET").len(), 1, "discovery is remembered");
    }

    #[tokio::test]
    async fn a_code_becomes_tokens() {
        let fake = FakeProvider::start(ISSUER).await;
        let none = json!({});
        let tokens = exchange(&fake, granting(&none, &none, &none)).await.unwrap();
        assert_eq!(tokens.identity.subject, "s-1");
        assert_eq!(tokens.identity.sid.as_deref(), Some("login-1"));
        assert_eq!(tokens.refresh, "r-1");
        assert!(tokens.expires_in <= Duration::from_mins(5) && tokens.expires_in > Duration::from_mins(4));
        let id_token = tokens.id_token.as_deref().unwrap();
        let shown = format!("{tokens:?}");
        assert!(!shown.contains("r-1") && !shown.contains(id_token), "{shown}");
        let [asked] = &fake.asked("POST")[..] else {
            panic!("one request")
        };
        let sent = form(&asked.body);
        assert_eq!(sent["grant_type"], "authorization_code");
        assert_eq!(sent["code"], "c-1");
        assert_eq!(sent["code_verifier"], "v-1");
        assert_eq!(sent["redirect_uri"], back().as_str());
        assert!(asked.authorization.as_ref().unwrap().starts_with("Basic "));
        assert!(!asked.body.contains("secret"));
    }

    #[tokio::test]
    async fn an_id_token_that_is_not_of_this_login_is_refused() {
        let fake = FakeProvider::start(ISSUER).await;
        for (change, why) in [
            (json!({"nonce": "n-2"}), "another nonce"),
            (json!({"nonce": null}), "no nonce"),
            (json!({"aud": "other-client"}), "another audience"),
            (
                json!({"aud": [CLIENT, "other-client"]}),
                "an audience that we do not trust",
            ),
            (json!({"iss": "https://evil.example"}), "another issuer"),
            (json!({"exp": at(-60)}), "expired"),
            (json!({"azp": "other-client"}), "another client"),
            (json!({"at_hash": at_hash("other")}), "another access token"),
            (json!({"sub": "s-2"}), "another subject"),
        ] {
            let none = json!({});
            let result = exchange(&fake, granting(&none, &change, &none)).await;
            assert!(
                matches!(result, Err(ProviderError::Invalid(_))),
                "{why}: {result:?}"
            );
        }
    }

    #[tokio::test]
    async fn an_id_token_is_signed_by_a_key_of_the_provider() {
        let fake = FakeProvider::start(ISSUER).await;
        let token = Signer::rsa().issue("rsa", &access());
        let claims = id(&token);
        let head = |algorithm: &str, kid: &str| json!({"alg": algorithm, "kid": kid});
        // HS256 by the client's secret, which discovery lists and the standard has.
        let symmetric = {
            use aws_lc_rs::hmac;
            let text = crate::auth::forge::unsigned(&head("HS256", "rsa"), &claims.to_string());
            let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
            format!(
                "{text}.{}",
                URL_SAFE_NO_PAD.encode(hmac::sign(&key, text.as_bytes()))
            )
        };
        let text = crate::auth::forge::unsigned(&head("none", "rsa"), &claims.to_string());
        for (id_token, why) in [
            (symmetric, "HS256"),
            (format!("{text}."), "none"),
            (
                Signer::foreign().token(&head("ES256", "ec"), &claims),
                "foreign key",
            ),
            (
                Signer::foreign().token(&head("ES256", "other"), &claims),
                "unknown key",
            ),
            (Signer::rsa().token(&head("RS512", "rsa"), &claims), "RS512"),
        ] {
            let answer = granting(&json!({}), &json!({}), &json!({"id_token": id_token}));
            let result = exchange(&fake, answer).await;
            assert!(
                matches!(result, Err(ProviderError::Invalid(_) | ProviderError::Token(_))),
                "{why}: {result:?}"
            );
        }
    }

    #[tokio::test]
    async fn an_answer_without_what_a_login_needs_is_refused() {
        let fake = FakeProvider::start(ISSUER).await;
        let none = json!({});
        for (token, answer) in [
            (json!({}), json!({"id_token": null})),
            (json!({}), json!({"refresh_token": null})),
            (json!({"aud": "account"}), none.clone()),
            (json!({"azp": "other-client"}), none.clone()),
            (json!({"typ": "ID"}), none.clone()),
            (json!({"sub": "s-2"}), none.clone()),
        ] {
            let result = exchange(&fake, granting(&token, &none, &answer)).await;
            assert!(
                matches!(result, Err(ProviderError::Invalid(_) | ProviderError::Token(_))),
                "{token} {answer}: {result:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_refresh_needs_no_id_token_and_keeps_the_old_refresh_token() {
        let fake = FakeProvider::start(ISSUER).await;
        let provider = provider(&fake);
        let none = json!({});
        fake.answer(
            "/realms/sky/token",
            granting(&none, &json!({"nonce": null}), &none),
        );
        let tokens = provider.refresh("r-0").await.unwrap();
        assert_eq!(
            (tokens.identity.subject.as_str(), tokens.refresh.as_str()),
            ("s-1", "r-1")
        );
        let sent = form(&fake.asked("POST")[0].body);
        assert_eq!(sent["grant_type"], "refresh_token");
        assert_eq!(sent["refresh_token"], "r-0");
        let bare = json!({"id_token": null, "refresh_token": null});
        fake.answer("/realms/sky/token", granting(&none, &none, &bare));
        let tokens = provider.refresh("r-0").await.unwrap();
        assert_eq!((tokens.refresh.as_str(), tokens.id_token), ("r-0", None));
        fake.answer(
            "/realms/sky/token",
            granting(&json!({"exp": at(-60)}), &none, &none),
        );
        assert!(matches!(
            provider.refresh("r-0").await,
            Err(ProviderError::Token(TokenError::Expired))
        ));
    }

    #[tokio::test]
    async fn only_the_providers_no_ends_a_login() {
        let fake = FakeProvider::start(ISSUER).await;
        let provider = provider(&fake);
        let error = |status, code: &str| {
            Answer::json(
                status,
                &json!({"error": code, "error_description": "User\r\n disabled"}),
            )
        };
        fake.answer("/realms/sky/token", error(400, "invalid_grant"));
        match provider.refresh("r").await {
            Err(ProviderError::Refused { error, description }) => {
                assert_eq!(
                    (error.as_str(), description.as_str()),
                    ("invalid_grant", "User   disabled")
                );
            }
            other => panic!("{other:?}"),
        }
        for (status, code) in [(401, "invalid_client"), (400, "unauthorized_client")] {
            fake.answer("/realms/sky/token", error(status, code));
            let result = provider.refresh("r").await;
            assert!(
                matches!(result, Err(ProviderError::Configuration(_))),
                "{code}: {result:?}"
            );
        }
        let page = |status| Answer {
            media_type: "text/html",
            body: "<p>r-secret".into(),
            ..Answer::json(status, &Value::Null)
        };
        let elsewhere = Answer {
            location: Some(format!("{}/certs", fake.url)),
            ..Answer::json(307, &Value::Null)
        };
        let endless = Answer {
            body: " ".repeat((1 << 20) + 1),
            ..Answer::json(200, &Value::Null)
        };
        for (answer, why) in [
            (error(500, "unknown_error"), "failure"),
            (error(503, "invalid_grant"), "failure of a proxy"),
            (error(429, "invalid_grant"), "too many"),
            (error(400, "temporarily_unavailable"), "its own word"),
            (page(200), "a page"),
            (page(404), "a page for an error"),
            (elsewhere, "a redirect"),
            (endless, "more than 1 MiB"),
        ] {
            fake.answer("/realms/sky/token", answer);
            let result = provider.refresh("r").await;
            let Err(ProviderError::Unavailable(cause)) = result else {
                panic!("{why}: {result:?}")
            };
            assert!(!format!("{cause} {cause:?}").contains("r-secret"), "{cause:?}");
        }
        assert!(fake.asked("POST /realms/sky/certs").is_empty());
    }

    #[tokio::test]
    async fn bearers_are_verified_by_the_providers_keys() {
        let fake = FakeProvider::start(ISSUER).await;
        let provider = provider(&fake);
        let good = Signer::rsa().issue("rsa", &access());
        assert_eq!(provider.verify_bearer(&good).await.unwrap().name, "henrietta");
        assert_eq!(fake.asked("GET").len(), 2, "discovery and keys");
        for n in 0..100 {
            let forged = Signer::foreign().issue(&format!("kid {n}"), &access());
            assert!(matches!(
                provider.verify_bearer(&forged).await,
                Err(TokenError::UnknownKey)
            ));
        }
        assert_eq!(
            fake.asked("GET /realms/sky/certs").len(),
            2,
            "one for all unknown ids"
        );
        let forged = Signer::foreign().token(
            &json!({"alg": "ES256", "kid": "ec", "jku": format!("{}/evil", fake.url)}),
            &access(),
        );
        assert!(matches!(
            provider.verify_bearer(&forged).await,
            Err(TokenError::Signature)
        ));
        assert!(fake.asked("GET /realms/sky/evil").is_empty());
    }

    #[tokio::test]
    async fn a_refresh_token_as_bearer_costs_no_request() {
        let fake = FakeProvider::start(ISSUER).await;
        let refresh = Signer::rsa().token(
            &json!({"alg": "HS512", "kid": "internal"}),
            &with(access(), &json!({"typ": "Refresh", "aud": ISSUER})),
        );
        let refused = provider(&fake).verify_bearer(&refresh).await;
        assert!(matches!(refused, Err(TokenError::Algorithm)), "{refused:?}");
        assert!(fake.asked("GET").is_empty());
    }

    #[tokio::test]
    async fn logout_tokens_are_for_the_client() {
        let fake = FakeProvider::start(ISSUER).await;
        let provider = provider(&fake);
        let header = json!({"alg": "RS256", "typ": "logout+jwt", "kid": "rsa"});
        let token = Signer::rsa().token(&header, &logout());
        assert_eq!(provider.verify_logout(&token).await.unwrap().jti, "j");
        assert!(provider.verify_bearer(&token).await.is_err());
        let bearer = Signer::rsa().issue("rsa", &access());
        assert!(provider.verify_logout(&bearer).await.is_err());
    }

    #[tokio::test]
    async fn logging_out_names_the_login_and_the_way_back() {
        let fake = FakeProvider::start(ISSUER).await;
        let back: Url = "https://sky.example.org/app/?a=b&c".parse().unwrap();
        let url = provider(&fake)
            .end_session_url(Some("id-token"), &back, "s&s")
            .await
            .unwrap();
        assert!(url.as_str().starts_with(&format!("{ISSUER}/logout?")), "{url}");
        let query: HashMap<_, _> = url.query_pairs().into_owned().collect();
        assert_eq!(query["id_token_hint"], "id-token");
        assert_eq!(query["client_id"], CLIENT);
        assert_eq!(query["post_logout_redirect_uri"], back.as_str());
        assert_eq!(query["state"], "s&s");
    }

    #[tokio::test]
    async fn a_provider_of_another_name_is_not_ours() {
        let fake = FakeProvider::start("https://evil.example/realms/sky").await;
        let provider = provider(&fake);
        let error = provider.probe().await.unwrap_err();
        assert!(matches!(error, ProviderError::Configuration(_)), "{error:?}");
        assert!(
            error.to_string().contains("https://evil.example/realms/sky"),
            "{error}"
        );
        let token = Signer::rsa().issue("rsa", &access());
        let refused = provider.verify_bearer(&token).await;
        assert!(matches!(refused, Err(TokenError::Unavailable(_))), "{refused:?}");
        assert!(fake.asked("GET /realms/sky/certs").is_empty());
    }

    #[tokio::test]
    async fn a_provider_that_is_away_is_nobodys_fault() {
        // A port that was free a moment ago.
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let provider = Provider::new(&AuthSettings {
            issuer: Some(format!("http://{port}/realms/sky").parse().unwrap()),
            client_secret: Some(SECRET.into()),
            ..AuthSettings::default()
        })
        .unwrap();
        assert!(matches!(
            provider.probe().await,
            Err(ProviderError::Unavailable(_))
        ));
        let token = Signer::rsa().issue("rsa", &access());
        assert!(matches!(
            provider.verify_bearer(&token).await,
            Err(TokenError::Unavailable(_))
        ));
        assert!(matches!(
            provider.authorization(&back()).await,
            Err(ProviderError::Unavailable(_))
        ));
    }

    #[tokio::test]
    async fn known_keys_and_endpoints_outlive_the_providers_absence() {
        let fake = FakeProvider::start(ISSUER).await;
        let provider = provider(&fake);
        let token = Signer::rsa().issue("rsa", &access());
        provider.verify_bearer(&token).await.unwrap();
        for path in ["/.well-known/openid-configuration", "/certs"] {
            let failure = Answer::json(503, &Value::Null);
            fake.answer(&format!("/realms/sky{path}"), failure);
        }
        provider.verify_bearer(&token).await.unwrap();
        provider.authorization(&back()).await.unwrap();
        assert!(matches!(
            provider.probe().await,
            Err(ProviderError::Unavailable(_))
        ));
    }
}
