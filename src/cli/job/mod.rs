//! `sidereal job`: jobs of a server, over its API.

pub mod fetch;
mod list;
mod log;
mod show;
mod submit;
pub mod wait;

use std::future::Future;

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};

use super::{Said, exit_code, report, say, server::Server};
use crate::client::{Client, JobAddress};

/// Submit, watch, fetch and remove jobs
///
/// A job is named by its URL or its identifier. The server is shown SIDEREAL_TOKEN, or else the login that `sidereal
/// login` keeps.
///
/// Exit codes: 0 ok, 1 other, 2 usage, 3 authentication, 4 not found, 5 server, 6 job ended in ERROR or ABORTED.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct JobCommand {
    /// The server, with its base path [default: http://127.0.0.1:8080]
    #[arg(long, env = "SIDEREAL_SERVER", global = true, value_name = "URL")]
    server: Option<String>,
    /// How jobs are shown
    #[arg(short, long, global = true, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    Table,
    /// For scripts
    Json,
}

#[derive(Debug, Subcommand)]
enum Action {
    Submit(submit::Submit),
    List(list::List),
    Show(show::Show),
    Wait(wait::Wait),
    Log(log::Log),
    Fetch(fetch::Fetch),
    /// Stop jobs
    Abort(Jobs),
    /// Destroy jobs with their results
    Delete(Jobs),
}

/// The jobs that a command works on.
#[derive(Debug, Args)]
struct Jobs {
    /// URL or identifier
    #[arg(required = true, value_name = "JOB")]
    jobs: Vec<String>,
}

impl JobCommand {
    pub async fn run(self) -> Result<()> {
        let server = Server::new(self.server.as_deref())?;
        match self.action {
            Action::Submit(command) => command.run(&server, self.output).await,
            Action::List(command) => command.run(&server, self.output).await,
            Action::Show(command) => command.run(&server, self.output).await,
            Action::Wait(command) => command.run(&server, self.output).await,
            Action::Log(command) => command.run(&server).await,
            Action::Fetch(command) => command.run(&server).await,
            Action::Abort(jobs) => {
                jobs.each(&server, async |client, at| Ok(client.abort(&at).await?))
                    .await
            }
            Action::Delete(jobs) => {
                jobs.each(&server, async |client, at| Ok(client.delete(&at).await?))
                    .await
            }
        }
    }
}

impl Jobs {
    /// Does something to one job after the other. A fault is told and ends with its code, but the others are done.
    async fn each<F: Future<Output = Result<()>>>(
        &self,
        server: &Server,
        action: impl Fn(Client, JobAddress) -> F,
    ) -> Result<()> {
        let mut code = None;
        for job in &self.jobs {
            let done = match server.locate(job).await {
                Ok((client, at)) => action(client, at).await,
                Err(error) => Err(error),
            };
            if let Err(error) = done {
                report((self.jobs.len() > 1).then_some(job), &error);
                code.get_or_insert(exit_code(&error));
            }
        }
        code.map_or(Ok(()), |code| Err(Said(code).into()))
    }
}

/// JSON for scripts, indented.
pub fn say_json(document: &impl serde::Serialize) -> Result<()> {
    Ok(say(serde_json::to_string_pretty(document)?)?)
}

/// Columns as wide as their longest cell.
fn say_table(header: &[&str], rows: &[Vec<String>]) -> Result<()> {
    let mut widths: Vec<usize> = header.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let header: Vec<String> = header.iter().map(ToString::to_string).collect();
    for row in std::iter::once(&header).chain(rows) {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, &width)| format!("{cell:width$}"))
            .collect();
        say(cells.join("  ").trim_end())?;
    }
    Ok(())
}
