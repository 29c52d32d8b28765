//! `sidereal dashboard`: pages made anew by a server, over its API, and pages on disk.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use url::Url;

use super::{
    SettingsFlags,
    job::{Output, wait},
    say,
    server::Server,
};
use crate::{
    client::{Submission, Value},
    services::dashboard::preview,
};

/// Products of a job, so that one of a Keeper that hangs does not keep all others waiting.
const PRODUCTS_A_JOB: usize = 20;

/// Dashboards of documentation
#[derive(Debug, Args)]
pub struct DashboardCommand {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Rebuild(Rebuild),
    Render(Box<Render>),
}

/// Make the pages of products anew, by jobs of a server; a line with the URL of each
///
/// The server is shown SIDEREAL_TOKEN, or else the login that `sidereal login` keeps.
#[derive(Debug, Args)]
struct Rebuild {
    /// Slugs of products, or KEEPER/SLUG
    #[arg(
        value_name = "PRODUCT",
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    products: Vec<String>,
    /// All products that the server has met at its LTD Keepers, but for those that have gone there
    #[arg(long)]
    all: bool,
    /// Also where nothing has changed
    #[arg(long)]
    force: bool,
    /// Wait until the jobs have ended
    #[arg(long)]
    wait: bool,
    /// The server, with its base path [default: http://127.0.0.1:8080]
    #[arg(long, env = "SIDEREAL_SERVER", value_name = "URL")]
    server: Option<String>,
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
            Command::Rebuild(rebuild) => rebuild.run().await,
            Command::Render(render) => render.run().await,
        }
    }
}

impl Rebuild {
    async fn run(self) -> Result<()> {
        let client = Server::new(self.server.as_deref())?.client()?;
        let products = if self.all {
            let dashboards = client.dashboards().await?;
            let named = dashboards
                .into_iter()
                .filter(|dashboard| !dashboard.missing)
                .map(|dashboard| format!("{}/{}", dashboard.keeper, dashboard.product));
            named.collect()
        } else {
            self.products
        };
        let mut jobs = Vec::new();
        for some in products.chunks(PRODUCTS_A_JOB) {
            let mut parameters: Vec<(String, Value)> = some
                .iter()
                .map(|product| ("PRODUCT".to_owned(), Value::Text(product.clone())))
                .collect();
            if self.force {
                parameters.push(("FORCE".to_owned(), Value::Text("true".to_owned())));
            }
            let submission = Submission {
                parameters,
                run_id: Some("rebuild".to_owned()),
                run: true,
            };
            let created = client.create("dashboard", &submission).await?;
            say(&created.url)?;
            jobs.push(created.address);
        }
        let mut ended = Ok(());
        for job in jobs.iter().filter(|_| self.wait) {
            let name = job.id.to_string();
            let waited = wait::until_ended(&client, job, Output::Table, Some(&name)).await;
            ended = ended.and(waited);
        }
        ended
    }
}

impl Render {
    async fn run(self) -> Result<()> {
        let settings = self.settings.load_checked()?.dashboard;
        let url = Url::parse(&self.source)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"));
        let files = if let Some(url) = url {
            preview::of_url(&url, &settings).await?
        } else {
            let bulk = fs::read(&self.source).with_context(|| format!("{} cannot be read", self.source))?;
            preview::of_file(&bulk, &settings)?
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
