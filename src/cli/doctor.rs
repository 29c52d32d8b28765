//! `sidereal doctor`: whether the settings and what stands behind them will do.

use std::{fmt, net::SocketAddr, time::Duration};

use anyhow::Result;
use clap::Args;
use secrecy::ExposeSecret;
use tokio::net::TcpListener;

use super::{
    Said, SettingsFlags, report, say,
    server::{kept_for, token},
};
use crate::{
    app,
    auth::checkup::{self, Checkup},
    client::Credential,
    http, net,
    objects::Results,
    services::dashboard,
    settings::{AuthMode, Settings, SettingsError},
    store::Store,
};

/// Longest wait for a service that is looked at.
const PATIENCE: Duration = Duration::from_secs(20);

/// Check the settings and everything that a server needs; a line each, exit 1 if something is wrong
#[derive(Debug, Args)]
pub struct Doctor {
    #[command(flatten)]
    settings: SettingsFlags,
}

/// What was looked at, and what is wrong with it and how to mend that.
struct Finding {
    about: &'static str,
    said: Result<String, String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.said {
            Ok(text) => write!(f, "ok     {:12} {text}", self.about),
            Err(text) => write!(f, "fault  {:12} {text}", self.about),
        }
    }
}

impl Doctor {
    pub async fn run(self) -> Result<()> {
        let mut healthy = true;
        let mut tell = |about, said: Result<String, String>| {
            healthy &= said.is_ok();
            say(Finding { about, said })
        };
        let settings = match self.settings.load() {
            Ok(settings) => settings,
            Err(error) => {
                tell("settings", Err(error.to_string()))?;
                return Err(Said(1).into());
            }
        };
        match settings.check() {
            Ok(()) => tell("settings", Ok(format!("served as {}", settings.public_base())))?,
            Err(SettingsError::Faults(faults)) => {
                for fault in faults {
                    tell("settings", Err(fault.to_string()))?;
                }
            }
            Err(error) => tell("settings", Err(error.to_string()))?,
        }
        if let Err(error) = app::prepare_data_dir(&settings) {
            tell(
                "data",
                Err(format!(
                    "{error:#}; set SIDEREAL_DATA_DIR to a folder that can be written"
                )),
            )?;
        }
        let (database, migrations) = database(&settings).await;
        tell("database", database)?;
        if let Some(migrations) = migrations {
            tell("migrations", migrations)?;
        }
        tell("results", results(&settings).await)?;
        tell("listener", listener(settings.listen, "SIDEREAL_LISTEN").await)?;
        if let Some(address) = settings.internal_listen {
            tell("listener", listener(address, "SIDEREAL_INTERNAL_LISTEN").await)?;
        }
        tell("web app", Ok(web_app(&settings)))?;
        if settings.services.iter().any(|service| service == "dashboard") {
            if let Err(error) = dashboard::check_look(&settings.dashboard) {
                tell("logo", Err(error.to_string()))?;
            }
            for (name, listed) in dashboard::products_listed(&settings.dashboard).await {
                let mend = "are its base_url, token and private_ok right, and does it run?";
                let said = listed.map(|products| format!("{name}: {products} products"));
                tell("LTD Keeper", said.map_err(|error| format!("{error}; {mend}")))?;
            }
        }
        if settings.auth.mode == AuthMode::Oidc {
            let found = login(&settings).await;
            if found.faults.is_empty() {
                tell("login", Ok(found.good.join("; ")))?;
            }
            for fault in found.faults {
                tell("login", Err(fault))?;
            }
        }
        if healthy { Ok(()) } else { Err(Said(1).into()) }
    }
}

type Look = Result<String, String>;

async fn database(settings: &Settings) -> (Look, Option<Look>) {
    let url = settings.database_url();
    let name = without_secrets(url.expose_secret());
    let mend = "is SIDEREAL_DATABASE_URL right, and does the database run?";
    let look = async {
        let store = Store::open(url.expose_secret()).await?;
        store.ping().await?;
        store.pending_migrations().await
    };
    match tokio::time::timeout(PATIENCE, look).await {
        Err(_) => (Err(format!("{name} does not answer; {mend}")), None),
        Ok(Err(error)) => (Err(format!("{name}: {error}; {mend}")), None),
        Ok(Ok(pending)) if pending.is_empty() => (Ok(name), Some(Ok("the schema is up to date".into()))),
        Ok(Ok(pending)) => {
            let text = format!(
                "{} to come: serve applies them, or sidereal migrate",
                pending.len()
            );
            (Ok(name), Some(Ok(text)))
        }
    }
}

async fn results(settings: &Settings) -> Look {
    let url = settings.results_url();
    let mend = if url.starts_with("s3:") {
        "is SIDEREAL_RESULTS_URL right, and do AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION (and AWS_ENDPOINT) fit?"
    } else {
        "is SIDEREAL_RESULTS_URL a folder that can be written?"
    };
    let look = async { Results::open(&url)?.probe().await };
    match tokio::time::timeout(PATIENCE, look).await {
        Err(_) => Err(format!("{url} does not answer; {mend}")),
        Ok(Err(error)) => Err(format!("{url}: {error}; {mend}")),
        Ok(Ok(())) => Ok(url),
    }
}

/// What stands between this server and its identity provider; an access token of whoever asks, if there is one, says
/// whether the tokens are for this server.
async fn login(settings: &Settings) -> Checkup {
    let fault = |text: String| Checkup {
        good: Vec::new(),
        faults: vec![text],
    };
    let base = settings.public_base();
    let (Ok(server), Ok(callback)) = (base.parse(), format!("{base}/account/callback").parse()) else {
        return fault(format!("{base} is no URL; set SIDEREAL_PUBLIC_URL"));
    };
    let credential = token().map_or_else(|| kept_for(&server), Credential::Token);
    let shown = match credential.token().await {
        // An API token is ours, and says nothing of the provider.
        Ok(shown) => shown.filter(|token| token.expose_secret().contains('.')),
        Err(error) => {
            report(Some("the login that is kept"), &error.into());
            None
        }
    };
    let shown = shown.as_ref().map(ExposeSecret::expose_secret);
    match tokio::time::timeout(PATIENCE * 3, checkup::examine(&settings.auth, &callback, shown)).await {
        Ok(found) => found,
        Err(_) => fault("the identity provider does not answer in time".into()),
    }
}

/// The rest of the server does without it.
fn web_app(settings: &Settings) -> String {
    http::web_app_url(settings).unwrap_or_else(|| {
        format!(
            "none in {}: npm ci && npm run build in web-app makes one, SIDEREAL_WEB_APP_DIR says where it is",
            settings.web_app_dir.display()
        )
    })
}

async fn listener(address: SocketAddr, setting: &str) -> Look {
    match TcpListener::bind(address).await {
        Ok(_) => Ok(format!("{address} is free")),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            if is_alive(address).await {
                Ok(format!("{address} is held by a server that is alive"))
            } else {
                Err(format!(
                    "{address} is held by another program; end it or set {setting}"
                ))
            }
        }
        Err(error) => Err(format!(
            "{address}: {error}; set {setting} to an address of this machine and a port that is allowed"
        )),
    }
}

/// Whether what listens there answers as a server of ours.
async fn is_alive(address: SocketAddr) -> bool {
    let Ok(url) = format!("http://{address}/livez").parse() else {
        return false;
    };
    let Ok(client) = net::client(&url) else {
        return false;
    };
    let look = async {
        client
            .get(url)
            .send()
            .await
            .is_ok_and(|answer| answer.status().is_success())
    };
    tokio::time::timeout(PATIENCE, look).await.unwrap_or(false)
}

/// A URL without its user and password.
fn without_secrets(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(mut url) => {
            // A URL without a host has neither.
            let _ = url.set_password(None);
            let _ = url.set_username("");
            url.set_query(None);
            url.into()
        }
        Err(_) => "the database".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        assert_eq!(
            without_secrets("postgres://u:hunter2@db:5432/sidereal?password=hunter2"),
            "postgres://db:5432/sidereal"
        );
        assert_eq!(without_secrets("sqlite:///data/x.db"), "sqlite:///data/x.db");
        assert_eq!(without_secrets("hunter2"), "the database");
    }

    #[tokio::test]
    async fn a_port_is_free_or_held() {
        let held = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = held.local_addr().unwrap();
        let accept = tokio::spawn(async move {
            // Another program: takes connections and says nothing.
            while let Ok((connection, _)) = held.accept().await {
                drop(connection);
            }
        });
        assert!(listener(address, "SIDEREAL_LISTEN").await.is_err());
        accept.abort();
        assert!(
            listener("127.0.0.1:0".parse().unwrap(), "SIDEREAL_LISTEN")
                .await
                .is_ok()
        );
    }
}
