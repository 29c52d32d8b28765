//! `sidereal login`, `logout` and `whoami`: this person at a server, by its identity provider's device flow (RFC 8628).
//!
//! Calls `auth`'s device client, the tokens that are kept, and `client`.

use anyhow::Result;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

use super::{
    Said, Usage,
    job::{Output, say_json},
    printable, report, say,
    server::{Server, token},
    tokens::{Stored, Tokens, name_of},
};
use crate::{
    auth::{ProviderError, device::PublicClient},
    client::{Client, ClientError, Credential, Me},
    net,
    uws::Timestamp,
};

/// Sign in at a server, with a browser on any machine
///
/// The login is kept for the other commands until `sidereal logout`, in sidereal/tokens.json below $XDG_CONFIG_HOME or
/// ~/.config. A script has no need of it: it sets SIDEREAL_TOKEN.
#[derive(Debug, Args)]
pub struct Login {
    #[command(flatten)]
    server: ServerFlag,
}

/// End the login at a server
#[derive(Debug, Args)]
pub struct Logout {
    #[command(flatten)]
    server: ServerFlag,
}

/// Show who the server takes you for; exit 3 if for nobody
#[derive(Debug, Args)]
pub struct Whoami {
    #[command(flatten)]
    server: ServerFlag,
    /// How it is shown
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// Print the token that is sent, and nothing else
    #[arg(long, conflicts_with = "output")]
    token: bool,
}

#[derive(Debug, Args)]
struct ServerFlag {
    /// The server, with its base path [default: http://127.0.0.1:8080]
    #[arg(long, env = "SIDEREAL_SERVER", value_name = "URL")]
    server: Option<String>,
}

impl ServerFlag {
    fn server(&self) -> Result<Server, Usage> {
        Server::new(self.server.as_deref())
    }
}

impl Login {
    pub async fn run(self) -> Result<()> {
        let server = self.server.server()?;
        let url = server.url()?;
        let name = name_of(&url);
        if !net::keeps_secrets(&url) {
            return Err(ClientError::Exposed(name).into());
        }
        let Some((issuer, id)) = provider(&url).await? else {
            say(format!(
                "{name} needs no login: everyone who reaches it is its user `local`"
            ))?;
            return Ok(());
        };
        let tokens = Tokens::mine().ok_or_else(|| {
            Usage(
                "there is no place to keep a login: set HOME or XDG_CONFIG_HOME, or use SIDEREAL_TOKEN"
                    .into(),
            )
        })?;
        let client = PublicClient::discover(&issuer, &id).await?;
        let verification = client.begin().await?;
        say(format!(
            "To sign in to {name}, open this page, which shows the code {}:\n\n    {}\n\nWaiting…",
            printable(&verification.code()),
            printable(&verification.url())
        ))?;
        let login = client.finish(&verification).await.map_err(unfinished)?;
        tokens.put(&name, Stored::new(issuer, id, &login)).await?;
        let me = Client::new(url, Credential::Token(login.access))?.me().await?;
        say(printable(&format!(
            "Signed in as {} ({}).",
            me.name,
            me.roles.join(", ")
        )))?;
        warn_of_token();
        Ok(())
    }
}

impl Logout {
    pub async fn run(self) -> Result<()> {
        let name = name_of(&self.server.server()?.url()?);
        let login = match Tokens::mine() {
            Some(tokens) => tokens.take(&name).await?,
            None => None,
        };
        let Some(login) = login else {
            say(format!("There was no login at {name}."))?;
            warn_of_token();
            return Ok(());
        };
        if let Some(refresh) = login.refresh() {
            let ended = async {
                let client = PublicClient::discover(&login.issuer, &login.client).await?;
                client.revoke(&refresh).await
            };
            if let Err(error) = ended.await {
                report(
                    Some("the login is forgotten here, but the identity provider was not told"),
                    &error.into(),
                );
                return Err(Said(5).into());
            }
        }
        say(format!("Signed out of {name}."))?;
        warn_of_token();
        Ok(())
    }
}

impl Whoami {
    pub async fn run(self) -> Result<()> {
        let server = self.server.server()?;
        let name = name_of(&server.url()?);
        let credential = server.credential()?;
        if self.token {
            let token = credential.token().await?;
            let token = token.ok_or_else(|| ClientError::Denied(format!("not signed in at {name}")))?;
            return Ok(say(token.expose_secret())?);
        }
        let me = server.client()?.me().await?;
        let shown = match me.by.as_deref() {
            Some("local") => None,
            _ => credential.token().await?,
        };
        let until = shown.as_ref().and_then(end_of);
        match self.output {
            Output::Json => {
                let mut document = me.document;
                if let Value::Object(fields) = &mut document {
                    fields.insert("server".into(), json!(name));
                    fields.insert("until".into(), json!(until));
                }
                say_json(&document)
            }
            Output::Table => Ok(say(table(&name, &me, until))?),
        }
    }
}

/// The issuer and the client to sign in by; none if everyone is let in.
async fn provider(server: &Url) -> Result<Option<(Url, String)>, ClientError> {
    let provider = Client::new(server.clone(), Credential::None)?.provider().await?;
    match (provider.mode.as_str(), provider.issuer, provider.client) {
        ("local", ..) => Ok(None),
        ("oidc", Some(issuer), Some(client)) => Ok(Some((issuer, client))),
        _ => Err(ClientError::Strange {
            url: server.to_string(),
            reason: "it does not say where to sign in".into(),
        }),
    }
}

/// Why nobody has signed in.
fn unfinished(error: ProviderError) -> anyhow::Error {
    let said = match &error {
        ProviderError::Refused { error, .. } if error == "access_denied" => {
            "the login was refused on that page"
        }
        ProviderError::Refused { error, .. } if error == "expired_token" => "nobody signed in in time",
        _ => return error.into(),
    };
    anyhow::Error::new(error).context(said)
}

/// A token in the environment wins over any login.
fn warn_of_token() {
    if token().is_some() {
        report(
            None,
            &anyhow::anyhow!("SIDEREAL_TOKEN is set, and is what commands send; unset it to use a login"),
        );
    }
}

/// End of an access token, which only its server needs to verify; none of an API token.
fn end_of(token: &SecretString) -> Option<Timestamp> {
    let claims = URL_SAFE_NO_PAD
        .decode(token.expose_secret().split('.').nth(1)?)
        .ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    Timestamp::from_millis(claims["exp"].as_i64()?.checked_mul(1_000)?)
}

fn table(server: &str, me: &Me, until: Option<Timestamp>) -> String {
    let known_by = match me.by.as_deref() {
        Some("local") => "nothing: everyone is this user",
        Some("token") => "an API token in SIDEREAL_TOKEN",
        _ if token().is_some() => "an access token in SIDEREAL_TOKEN",
        _ => "`sidereal login`",
    };
    // A login goes on; its tokens are short.
    let until = until.map(|time| match token() {
        None => format!("{time}, then renewed"),
        Some(_) => time.to_string(),
    });
    let rows = [
        ("server", Some(server.to_owned())),
        ("name", Some(me.name.clone())),
        ("roles", Some(me.roles.join(", "))),
        ("known by", Some(known_by.into())),
        ("until", until),
    ];
    let lines = rows
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name:12} {}", printable(&value?))));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::exit_code;

    #[test]
    fn the_end_of_a_token_is_its_claim() {
        let token = format!("x.{}.x", URL_SAFE_NO_PAD.encode(br#"{"exp":1792486800}"#));
        assert_eq!(
            end_of(&token.into()).unwrap().to_string(),
            "2026-10-20T09:00:00.000Z"
        );
        assert!(end_of(&"sdr_x".into()).is_none());
    }

    #[test]
    fn who_did_not_sign_in_is_told_why() {
        for (code, word) in [("access_denied", "refused"), ("expired_token", "in time")] {
            let error = unfinished(ProviderError::Refused {
                error: code.into(),
                description: String::new(),
            });
            assert!(
                error.to_string().contains(word) && exit_code(&error) == 3,
                "{error}"
            );
        }
    }

    #[tokio::test]
    async fn nobody_signs_in_over_plain_http() {
        let server = Some("http://sky.example.org".into());
        let login = Login {
            server: ServerFlag { server },
        };
        assert_eq!(exit_code(&login.run().await.unwrap_err()), 2);
    }
}
