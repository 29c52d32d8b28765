//! `sidereal serve`: the server, from its start to its draining.

use anyhow::{Context, Result};
use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Said, SettingsFlags, say};
use crate::{
    app::App,
    settings::{LogFormat, Settings},
    telemetry,
};

/// Serve: answer requests and run jobs
///
/// Everything can be set in sidereal.toml and by SIDEREAL_… in the environment too. SIGTERM or Ctrl-C drains: running
/// jobs end or go back to the queue, and requests are answered for as long as shutdown_delay says; a second one stops at
/// once.
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    settings: SettingsFlags,
}

impl Serve {
    pub async fn run(self) -> Result<()> {
        let settings = self.settings.load_checked()?;
        telemetry::install(&settings.log.level, settings.log.format == LogFormat::Json)?;
        let mut signals = Signals::new()?;
        let app = start(settings).await?;
        signals.next().await;
        drain(app, &mut signals).await
    }
}

/// Starts a server and says where it listens.
pub async fn start(settings: Settings) -> Result<App> {
    let app = App::start(settings).await?;
    say(format_args!("listening on http://{}", app.address()))?;
    if let Some(url) = app.web_app() {
        say(format_args!("web app at {url}"))?;
    }
    Ok(app)
}

/// Lets what runs come to its end, or leaves it at the next signal.
pub async fn drain(app: App, signals: &mut Signals) -> Result<()> {
    tokio::select! {
        () = app.drain() => Ok(()),
        () = signals.next() => {
            tracing::warn!("stopped before all was drained");
            Err(Said(1).into())
        }
    }
}

/// Requests to end: SIGTERM and SIGINT.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub fn new() -> Result<Signals> {
        let listen = |kind| signal(kind).context("signals cannot be received");
        Ok(Signals {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
