//! `sidereal job fetch`, and saving results for others.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use futures::{StreamExt, TryStreamExt, stream};

use super::{Jobs, Server, wait::ended_well};
use crate::{
    cli::say,
    client::{Client, ClientError, JobAddress},
    uws::Phase,
};

/// Results fetched at once.
const AT_ONCE: usize = 4;

/// Save the results of jobs; a line for each file
///
/// Sizes and checksums are checked. Of several jobs, each gets a folder of its own, named by its identifier.
#[derive(Debug, Args)]
pub struct Fetch {
    #[command(flatten)]
    jobs: Jobs,
    /// Folder to save into, made if missing
    #[arg(short, long, value_name = "FOLDER", default_value = ".")]
    dir: PathBuf,
}

impl Fetch {
    pub async fn run(self, server: &Server) -> Result<()> {
        let several = self.jobs.jobs.len() > 1;
        let dir = &self.dir;
        self.jobs
            .each(server, async |client, at| {
                let folder = if several {
                    dir.join(at.id.to_string())
                } else {
                    dir.clone()
                };
                fetch(&client, &at, &folder).await
            })
            .await
    }
}

/// Saves every result that the job has. One that is not COMPLETED is an error, after what there is has been saved.
async fn fetch(client: &Client, at: &JobAddress, folder: &Path) -> Result<()> {
    let job = client.job(at).await?;
    if !job.phase.is_terminal() {
        anyhow::bail!("the job is {}: wait for its end first", job.phase);
    }
    if job.phase == Phase::Archived {
        return Err(ClientError::NotFound("the results of the job have been removed".into()).into());
    }
    save(client, at, &job, folder, |path| say(path.display())).await?;
    ended_well(&job)
}

/// Saves every result of the job into `folder`, made if missing, and tells each path.
pub async fn save(
    client: &Client,
    at: &JobAddress,
    job: &crate::client::Job,
    folder: &Path,
    mut tell: impl FnMut(&Path) -> std::io::Result<()>,
) -> Result<()> {
    tokio::fs::create_dir_all(folder)
        .await
        .map_err(|source| ClientError::File {
            path: folder.into(),
            source,
        })?;
    let downloads = client.downloads(at, job).await?;
    let mut saved = stream::iter(&downloads)
        .map(|download| client.fetch(at, download, folder))
        .buffered(AT_ONCE);
    while let Some(path) = saved.try_next().await? {
        tell(&path)?;
    }
    Ok(())
}
