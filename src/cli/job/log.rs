//! `sidereal job log`.

use std::ops::ControlFlow;

use anyhow::Result;
use clap::Args;

use super::Server;
use crate::cli::{printable, say};

/// Show the log of a job
#[derive(Debug, Args)]
pub struct Log {
    /// URL or identifier
    job: String,
    /// Go on until the job has ended
    #[arg(short, long)]
    follow: bool,
}

impl Log {
    pub async fn run(self, server: &Server) -> Result<()> {
        let (client, at) = server.locate(&self.job).await?;
        let mut written = Ok(());
        client
            .log(&at, self.follow, |line| {
                written = say(printable(line));
                match written {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(_) => ControlFlow::Break(()),
                }
            })
            .await?;
        Ok(written?)
    }
}
