//! `sidereal migrate`: the schema of the database.

use anyhow::Result;
use clap::Args;
use secrecy::ExposeSecret;

use super::{SettingsFlags, say};
use crate::{app, store::Store};

/// Bring the database's schema up to date (`serve` does it by itself)
#[derive(Debug, Args)]
pub struct Migrate {
    #[command(flatten)]
    settings: SettingsFlags,
}

impl Migrate {
    pub async fn run(self) -> Result<()> {
        let settings = self.settings.load_checked()?;
        app::prepare_data_dir(&settings)?;
        let store = Store::open(settings.database_url().expose_secret()).await?;
        let pending = store.pending_migrations().await?;
        store.migrate().await?;
        for name in &pending {
            say(format_args!("applied {name}"))?;
        }
        if pending.is_empty() {
            say("the schema is up to date")?;
        }
        Ok(())
    }
}
