//! `sidereal dashboard`: pages on disk.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use url::Url;

use super::{SettingsFlags, say};
use crate::services::dashboard::preview;

/// Dashboards of documentation
#[derive(Debug, Args)]
pub struct DashboardCommand {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Render(Render),
}

/// Write the pages of a product to a folder, without a server
///
/// For whoever works on the templates.
#[derive(Debug, Args)]
struct Render {
    /// What LTD Keeper answers at /products/SLUG/dashboard, in a file, or the http(s): URL of the product
    #[arg(value_name = "FILE|URL")]
    source: String,
    /// The folder, made if it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    settings: SettingsFlags,
}

impl DashboardCommand {
    pub async fn run(self) -> Result<()> {
        match self.command {
            Command::Render(render) => render.run().await,
        }
    }
}

impl Render {
    async fn run(self) -> Result<()> {
        let settings = self.settings.load_checked()?.dashboard;
        let url = Url::parse(&self.source)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"));
        let files = match url {
            Some(url) => preview::of_url(&url, &settings).await?,
            None => {
                let bulk =
                    fs::read(&self.source).with_context(|| format!("{} cannot be read", self.source))?;
                preview::of_file(&bulk, &settings)?
            }
        };
        for file in files {
            let path = self.out.join(&file.name);
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
            }
            fs::write(&path, &file.body).with_context(|| format!("{} cannot be written", path.display()))?;
            say(format_args!("{}", path.display()))?;
        }
        Ok(())
    }
}
