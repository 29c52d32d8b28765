//! `sidereal ingest`: images into the catalogue.

use std::{fs, io::Write, path::Path};

use anyhow::{Context, Result, ensure};
use clap::Args;
use indicatif::ProgressBar;
use secrecy::ExposeSecret;
use url::Url;

use super::{SettingsFlags, Usage, printable, say};
use crate::{
    app,
    objects::Sources,
    services::cutout::ingest::{Counts, IngestError, Progress, ingest},
    settings::Settings,
    store::Store,
};

/// Put images into a collection, or bring it up to date
///
/// Works on the configured database, beside a running server too. Says how many images there are, one line on standard
/// error for each file that could not be read, and ends with 1 only if none could be. Images of before that a folder
/// has no more are dropped, and their number said on standard error; if a folder cannot be read or is empty none are,
/// which is said too, as are images that were read and have no coordinates that can be used. Links are followed, those to folders only where they lead elsewhere.
#[derive(Debug, Args)]
pub struct Ingest {
    /// Name of the collection
    collection: String,
    /// Folder, FITS file, file:, s3: or http(s): URL of one, or @FILE with one of these a line
    #[arg(required = true, value_name = "URL")]
    urls: Vec<String>,
    #[command(flatten)]
    settings: SettingsFlags,
}

impl Ingest {
    pub async fn run(self) -> Result<()> {
        let settings = self.settings.load_checked()?;
        let counts = into_collection(&settings, &self.collection, &self.urls).await?;
        say(format_args!(
            "{} images, {} unchanged, {} unreadable",
            counts.images, counts.unchanged, counts.unreadable
        ))?;
        for (count, what) in [
            (counts.gone, "gone"),
            (counts.placeless, "without usable coordinates"),
        ] {
            if count > 0 {
                // If standard error is closed there is nobody to tell.
                let _ = writeln!(std::io::stderr(), "{count} {what}");
            }
        }
        ensure!(counts.images > 0, "no image could be read");
        Ok(())
    }
}

/// Reads what the arguments name into a collection of the configured database; unreadable files go to standard error.
pub async fn into_collection(settings: &Settings, collection: &str, arguments: &[String]) -> Result<Counts> {
    let mut urls = Vec::new();
    for argument in arguments {
        match argument.strip_prefix('@') {
            None => urls.push(url(argument)?),
            Some(file) => {
                let text = fs::read_to_string(file).with_context(|| format!("{file} cannot be read"))?;
                for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
                    urls.push(url(line)?);
                }
            }
        }
    }
    app::prepare_data_dir(settings)?;
    let store = Store::open(settings.database_url().expose_secret()).await?;
    store.migrate().await?;
    // Drawn on a terminal only.
    let bar = ProgressBar::new_spinner();
    let tell = |progress| match progress {
        Progress::Unreadable { url, why } => bar.suspend(|| {
            // If standard error is closed there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "{}", printable(&format!("{url}: {why}")));
        }),
        Progress::Placeless { url, why } => bar.suspend(|| {
            let line = format!("{url}: positions do not find all of it: {why}");
            let _ = writeln!(std::io::stderr(), "{}", printable(&line));
        }),
        Progress::Kept { url, why } => bar.suspend(|| {
            let line = format!("{url}: nothing was dropped, because {why}");
            let _ = writeln!(std::io::stderr(), "{}", printable(&line));
        }),
        Progress::Counts(counts) => {
            bar.set_message(format!(
                "{} images, {} unchanged, {} unreadable",
                counts.images, counts.unchanged, counts.unreadable
            ));
            bar.tick();
        }
    };
    let keywords = settings.cutout.keywords_of(collection);
    let sources = Sources::default().with_scratch(settings.cutout.scratch).into();
    let done = ingest(&store, &sources, collection, keywords, &urls, tell).await;
    bar.finish_and_clear();
    match done {
        Err(error @ IngestError::Name(_)) => Err(Usage(error.to_string()).into()),
        done => Ok(done?),
    }
}

/// The URL of what an argument names: a URL of a scheme that can be read, or a path.
fn url(argument: &str) -> Result<String, Usage> {
    if let Some((scheme, _)) = argument.split_once("://").or_else(|| {
        argument
            .starts_with("file:")
            .then(|| argument.split_once(':'))
            .flatten()
    }) {
        return match (scheme, Url::parse(argument)) {
            ("file" | "s3" | "http" | "https", Ok(url)) => Ok(url.into()),
            _ => Err(Usage(format!(
                "{argument:?} is no URL that can be read (expected file:, s3:, http: or https:, or a path)"
            ))),
        };
    }
    let path =
        std::path::absolute(Path::new(argument)).map_err(|error| Usage(format!("{argument:?}: {error}")))?;
    let url = if path.is_dir() {
        Url::from_directory_path(&path)
    } else {
        Url::from_file_path(&path)
    };
    url.map(String::from)
        .map_err(|()| Usage(format!("{argument:?} is no path")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_urls_are_urls() {
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().to_str().unwrap();
        assert_eq!(url(name).unwrap(), format!("file://{name}/"));
        assert_eq!(
            url(&format!("{name}/a b.fits")).unwrap(),
            format!("file://{name}/a%20b.fits")
        );
        assert_eq!(url("file:/data/x.fits").unwrap(), "file:///data/x.fits");
        for same in ["s3://bucket/a/", "https://example.org/x.fits", "file:///data/"] {
            assert_eq!(url(same).unwrap(), same);
        }
        for bad in ["ftp://example.org/x", "http://", ""] {
            assert!(url(bad).is_err(), "{bad}");
        }
    }
}
