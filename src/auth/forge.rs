//! For tests: signs any token, good or not, and answers as a provider would. No provider: it believes whatever it is
//! given.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, OnceLock},
};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{KeyPair as RsaKeyPair, KeySize},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hyper::{Request, Response, StatusCode, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use jsonwebtoken::get_current_timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::Url;

pub const ISSUER: &str = "https://login.example.org/realms/sky";
pub const AUDIENCE: &str = "sidereal-api";
pub const CLIENT: &str = "sidereal-web";
pub const SECRET: &str = "a client's secret";

/// Seconds since 1970, from now.
pub fn at(seconds: i64) -> i64 {
    get_current_timestamp() as i64 + seconds
}

/// A private key.
pub enum Signer {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
}

impl Signer {
    /// The provider's, named `rsa`.
    pub fn rsa() -> &'static Signer {
        static KEY: OnceLock<Signer> = OnceLock::new();
        KEY.get_or_init(|| Signer::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()))
    }

    /// The provider's, named `ec`.
    pub fn ec() -> &'static Signer {
        static KEY: OnceLock<Signer> = OnceLock::new();
        KEY.get_or_init(|| Signer::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()))
    }

    /// Somebody else's.
    pub fn foreign() -> &'static Signer {
        static KEY: OnceLock<Signer> = OnceLock::new();
        KEY.get_or_init(|| Signer::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()))
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Signer::Rsa(_) => "RS256",
            Signer::Ec(_) => "ES256",
        }
    }

    pub fn jwk(&self, kid: &str) -> Value {
        match self {
            Signer::Rsa(key) => json!({
                "kid": kid, "kty": "RSA", "use": "sig", "alg": "RS256",
                "n": URL_SAFE_NO_PAD.encode(key.public_key().modulus().big_endian_without_leading_zero()),
                "e": URL_SAFE_NO_PAD.encode(key.public_key().exponent().big_endian_without_leading_zero()),
            }),
            Signer::Ec(key) => {
                let point = key.public_key().as_ref();
                json!({
                    "kid": kid, "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256",
                    "x": URL_SAFE_NO_PAD.encode(&point[1..33]),
                    "y": URL_SAFE_NO_PAD.encode(&point[33..]),
                })
            }
        }
    }

    fn sign(&self, algorithm: &str, text: &str) -> Vec<u8> {
        match self {
            Signer::Rsa(key) => {
                let encoding = if algorithm == "RS512" {
                    &RSA_PKCS1_SHA512
                } else {
                    &RSA_PKCS1_SHA256
                };
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(encoding, &SystemRandom::new(), text.as_bytes(), &mut signature)
                    .unwrap();
                signature
            }
            Signer::Ec(key) => key
                .sign(&SystemRandom::new(), text.as_bytes())
                .unwrap()
                .as_ref()
                .to_vec(),
        }
    }

    /// A token with this header and these claims, whatever they say.
    pub fn token(&self, header: &Value, claims: &Value) -> String {
        self.signed(header, &claims.to_string())
    }

    /// The same, with claims as text.
    pub fn signed(&self, header: &Value, claims: &str) -> String {
        let text = unsigned(header, claims);
        let signature = self.sign(header["alg"].as_str().unwrap_or_default(), &text);
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A token as the provider would sign it, by the key of that name.
    pub fn issue(&self, kid: &str, claims: &Value) -> String {
        self.token(
            &json!({"alg": self.algorithm(), "typ": "JWT", "kid": kid}),
            claims,
        )
    }
}

/// The part of a token that is signed.
pub fn unsigned(header: &Value, claims: &str) -> String {
    format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(claims)
    )
}

/// The provider's keys: `rsa`, `ec`, and one for encryption as Keycloak lists it.
pub fn jwks() -> Value {
    let mut encrypts = Signer::rsa().jwk("encrypts");
    encrypts["use"] = "enc".into();
    encrypts["alg"] = "RSA-OAEP".into();
    json!({"keys": [encrypts, Signer::rsa().jwk("rsa"), Signer::ec().jwk("ec")]})
}

/// Claims of a good access token, as Keycloak has them.
pub fn access() -> Value {
    json!({
        "exp": at(300), "iat": at(0), "jti": "j", "iss": ISSUER, "aud": [AUDIENCE, "account"], "sub": "s-1",
        "typ": "Bearer", "azp": CLIENT, "sid": "login-1", "preferred_username": "henrietta",
        "resource_access": {AUDIENCE: {"roles": ["user", "operator", "x"]}, "account": {"roles": ["admin"]}},
    })
}

/// Claims of a good logout token, as Keycloak has them.
pub fn logout() -> Value {
    json!({
        "exp": at(120), "iat": at(0), "jti": "j", "iss": ISSUER, "aud": CLIENT, "sub": "s-1", "typ": "Logout",
        "sid": "login-1", "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
    })
}

/// `claims` with others: a null takes one away.
pub fn with(mut claims: Value, others: &Value) -> Value {
    for (name, value) in others.as_object().unwrap() {
        let claims = claims.as_object_mut().unwrap();
        if value.is_null() {
            claims.remove(name);
        } else {
            claims.insert(name.clone(), value.clone());
        }
    }
    claims
}

/// An answer of the fake provider.
#[derive(Clone)]
pub struct Answer {
    pub status: u16,
    pub location: Option<String>,
    pub media_type: &'static str,
    pub body: String,
}

impl Answer {
    pub fn json(status: u16, body: &Value) -> Answer {
        Answer {
            status,
            location: None,
            media_type: "application/json",
            body: body.to_string(),
        }
    }
}

/// A request that it has got: method and path, `Authorization`, body.
#[derive(Debug, Clone)]
pub struct Asked {
    pub line: String,
    pub authorization: Option<String>,
    pub body: String,
}

/// Listens on loopback and gives the answers that it was told, by path; without one, 404.
#[derive(Clone)]
pub struct FakeProvider {
    pub url: Url,
    answers: Arc<Mutex<HashMap<String, Answer>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl FakeProvider {
    /// With discovery of `issuer` and the keys.
    pub async fn start(issuer: &str) -> FakeProvider {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: Url = format!("http://{}/realms/sky", listener.local_addr().unwrap())
            .parse()
            .unwrap();
        let fake = FakeProvider {
            url,
            answers: Arc::default(),
            asked: Arc::default(),
        };
        let algorithms = ["HS256", "RS256", "ES256", "none"];
        fake.answer(
            "/realms/sky/.well-known/openid-configuration",
            Answer::json(
                200,
                &json!({
                    "issuer": issuer,
                    "authorization_endpoint": format!("{ISSUER}/auth"),
                    "token_endpoint": format!("{ISSUER}/token"),
                    "end_session_endpoint": format!("{ISSUER}/logout"),
                    "jwks_uri": format!("{ISSUER}/certs"),
                    "response_types_supported": ["code"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": algorithms,
                }),
            ),
        );
        fake.answer("/realms/sky/certs", Answer::json(200, &jwks()));
        let serving = fake.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = serving.clone();
                let service = service_fn(move |request| {
                    let serving = serving.clone();
                    async move { Ok::<_, Infallible>(serving.serve(request).await) }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        fake
    }

    /// From now on, `path` gives `answer`.
    pub fn answer(&self, path: &str, answer: Answer) {
        self.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    /// Requests so far whose method and path begin so.
    pub fn asked(&self, line: &str) -> Vec<Asked> {
        let asked = self.asked.lock().unwrap();
        asked
            .iter()
            .filter(|asked| asked.line.starts_with(line))
            .cloned()
            .collect()
    }

    async fn serve(&self, request: Request<Incoming>) -> Response<String> {
        let path = request.uri().path().to_owned();
        let line = format!("{} {path}", request.method());
        let authorization = request
            .headers()
            .get("authorization")
            .map(|value| value.to_str().unwrap().to_owned());
        let body = body(request.into_body()).await;
        self.asked.lock().unwrap().push(Asked {
            line,
            authorization,
            body,
        });
        let answer = self.answers.lock().unwrap().get(&path).cloned();
        let mut response = Response::new(String::new());
        match answer {
            None => *response.status_mut() = StatusCode::NOT_FOUND,
            Some(answer) => {
                *response.status_mut() = StatusCode::from_u16(answer.status).unwrap();
                *response.body_mut() = answer.body;
                let headers = response.headers_mut();
                headers.insert("content-type", answer.media_type.parse().unwrap());
                if let Some(location) = answer.location {
                    headers.insert("location", location.parse().unwrap());
                }
            }
        }
        response
    }
}

async fn body(mut body: Incoming) -> String {
    let mut text = Vec::new();
    while let Some(chunk) =
        std::future::poll_fn(|context| hyper::body::Body::poll_frame(std::pin::Pin::new(&mut body), context))
            .await
    {
        text.extend_from_slice(chunk.unwrap().data_ref().unwrap());
    }
    String::from_utf8(text).unwrap()
}
