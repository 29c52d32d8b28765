//! `sidereal collection`: what the catalogue has, and what is to go from it.

use anyhow::{Context, Result, anyhow};
use clap::{Args, Subcommand};
use secrecy::ExposeSecret;

use super::{Said, SettingsFlags, printable, report, say};
use crate::store::Store;

/// Show collections of images, and remove them from the catalogue
///
/// Works on the configured database, beside a running server too.
#[derive(Debug, Args)]
pub struct CollectionCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(List),
    Remove(Remove),
}

/// A line for each collection: its name, how many images it has, and where they were found
#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    settings: SettingsFlags,
}

/// Take a collection, or some of its images, out of the catalogue
///
/// The files stay, and so do results of jobs. Images that are still below a URL come back when that is ingested again.
/// Ends with 4 if there is no such collection, or one of the images is not in it.
#[derive(Debug, Args)]
struct Remove {
    /// Name of the collection
    name: String,
    /// Paths of images, as their IDs have them after the name; all of the collection without any
    #[arg(value_name = "IMAGE")]
    images: Vec<String>,
    #[command(flatten)]
    settings: SettingsFlags,
}

impl CollectionCommand {
    pub async fn run(self) -> Result<()> {
        match self.action {
            Action::List(list) => list.run().await,
            Action::Remove(remove) => remove.run().await,
        }
    }
}

impl List {
    async fn run(self) -> Result<()> {
        for found in open(&self.settings).await?.collections().await? {
            let line = format!("{}\t{}\t{}", found.name, found.images, found.roots.join(" "));
            say(printable_line(&line))?;
        }
        Ok(())
    }
}

impl Remove {
    async fn run(self) -> Result<()> {
        let store = open(&self.settings).await?;
        let name = &self.name;
        if self.images.is_empty() {
            let removed = store.remove_collection(name).await?;
            let removed = removed.ok_or_else(|| missing(&format!("there is no collection {name:?}")))?;
            return Ok(say(format_args!("{removed} images removed"))?);
        }
        let collection = store.collection(name).await?;
        let collection = collection.ok_or_else(|| missing(&format!("there is no collection {name:?}")))?;
        // All are looked for before any is removed.
        let mut images = Vec::with_capacity(self.images.len());
        for path in &self.images {
            let found = store.image(collection, path).await?;
            let found = found.ok_or_else(|| missing(&format!("{name} has no image {path:?}")))?;
            images.push(found.id);
        }
        let removed = store.remove_images(&images).await?;
        Ok(say(format_args!("{removed} images removed"))?)
    }
}

async fn open(settings: &SettingsFlags) -> Result<Store> {
    let settings = settings.load_checked()?;
    let store = Store::open(settings.database_url().expose_secret()).await?;
    let pending = store
        .pending_migrations()
        .await
        .context("the catalogue cannot be read")?;
    if pending.is_empty() {
        Ok(store)
    } else {
        Err(anyhow!(
            "the database's schema is not up to date: run `sidereal migrate`"
        ))
    }
}

/// Told, as what is not found is.
fn missing(why: &str) -> anyhow::Error {
    report(None, &anyhow!(why.to_owned()));
    Said(4).into()
}

/// Tabs part its columns.
fn printable_line(line: &str) -> String {
    line.split('\t').map(printable).collect::<Vec<_>>().join("\t")
}
