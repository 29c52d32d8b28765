//! `sidereal login`, `logout` and `whoami`: this person at a server, by its identity provider's device flow (RFC 8628).
//!
//! Calls `auth`'s device client, the tokens that are kept, and `client`.

use std::{
    fmt,
    io::{self, BufRead, IsTerminal, Write},
};

use anyhow::Result;
use clap::Args;
use secrecy::ExposeSecret;
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
};

/// Sign in at a server, with a browser on any machine
///
/// The login is kept for the other commands until `sidereal logout`, in sidereal/tokens.json below $XDG_CONFIG_HOME or
/// ~/.config. A script has no need of it: it sets SIDEREAL_TOKEN.
#[derive(Debug, Args)]
pub struct Login {
    #[command(flatten)]
    server: ServerFlag,
    /// Ask nothing: sign in also by an identity provider that another server's login is of
    #[arg(short, long)]
    yes: bool,
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
        let others = tokens.others(&name, &issuer)?;
        if !others.is_empty() && !self.yes {
            warn_of_others(&name, &issuer, &others);
            agreed(
                io::stdin().is_terminal() && io::stderr().is_terminal(),
                io::stdin().lock(),
            )?;
        }
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
        match self.output {
            Output::Json => {
                let mut document = me.document;
                if let Value::Object(fields) = &mut document {
                    fields.insert("server".into(), json!(name));
                }
                say_json(&document)
            }
            Output::Table => Ok(say(table(&name, &me))?),
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

/// Servers of one identity provider take the same tokens: one that is not what it seems could use them at the others.
fn warn_of_others(server: &str, issuer: &Url, others: &[String]) {
    let (server, issuer) = (printable(server), printable(issuer.as_str()));
    let others = printable(&others.join(", "));
    ask(format_args!(
        "{server} wants you to sign in at {issuer}, where you have signed in for {others}.\n\
         Your login could then be used there by {server} too. Go on only if you trust {server} as much.\n"
    ));
}

/// On standard error, for the output may be kept; if that is closed nobody is there to answer either.
fn ask(text: fmt::Arguments<'_>) {
    let _ = io::stderr().write_fmt(text);
}

/// A yes on the terminal.
fn agreed(terminal: bool, mut answers: impl BufRead) -> Result<(), Usage> {
    if !terminal {
        return Err(Usage(
            "nobody is there to agree; with --yes nobody is asked".into(),
        ));
    }
    ask(format_args!("Sign in? [y/N] "));
    let mut answer = String::new();
    let read = answers.read_line(&mut answer);
    if read.is_ok() && ["y", "yes"].contains(&answer.trim().to_lowercase().as_str()) {
        Ok(())
    } else {
        Err(Usage("not signed in".into()))
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

fn table(server: &str, me: &Me) -> String {
    let known_by = match me.by.as_deref() {
        Some("local") => "nothing: everyone is this user",
        Some("token") => "an API token in SIDEREAL_TOKEN",
        _ if token().is_some() => "an access token in SIDEREAL_TOKEN",
        _ => "`sidereal login`",
    };
    // A login goes on; its tokens are short.
    let until = me.until.map(|time| match token() {
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

    #[test]
    fn only_a_yes_on_a_terminal_is_one() {
        for answer in ["y\n", "Yes\n", " YES \nno"] {
            assert!(agreed(true, answer.as_bytes()).is_ok(), "{answer:?}");
            assert!(agreed(false, answer.as_bytes()).is_err(), "{answer:?}");
        }
        for answer in ["", "\n", "n\n", "\nyes\n", "yes please\n"] {
            assert!(agreed(true, answer.as_bytes()).is_err(), "{answer:?}");
        }
        assert!(agreed(true, &b"\xffyes\n"[..]).is_err());
    }

    #[tokio::test]
    async fn nobody_signs_in_over_plain_http() {
        let server = Some("http://sky.example.org".into());
        let login = Login {
            server: ServerFlag { server },
            yes: true,
        };
        assert_eq!(exit_code(&login.run().await.unwrap_err()), 2);
    }
}
