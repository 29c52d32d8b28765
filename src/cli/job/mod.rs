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
use url::Url;

use super::{Said, Usage, exit_code, report, say};
use crate::{
    client::{Client, JobAddress},
    settings::environment,
    uws::JobId,
};

/// The server that is asked if none is named.
const DEFAULT_SERVER: &str = "http://127.0.0.1:8080";

/// Submit, watch, fetch and remove jobs
///
/// A job is named by its URL or its identifier. SIDEREAL_TOKEN is sent as bearer token.
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

/// Which server is asked.
pub struct Server {
    named: Option<Url>,
}

impl Server {
    fn new(named: Option<&str>) -> Result<Server, Usage> {
        let named = match named.filter(|url| !url.is_empty()) {
            None => None,
            Some(text) => {
                let url = text.parse().ok();
                let url = url.filter(|url: &Url| matches!(url.scheme(), "http" | "https"));
                Some(url.ok_or_else(|| {
                    Usage(format!(
                        "--server: {text:?} is no URL (expected http(s)://HOST[/PATH])"
                    ))
                })?)
            }
        };
        Ok(Server { named })
    }

    /// The server that is named, or the default.
    fn client(&self) -> Result<Client> {
        let url = match &self.named {
            Some(url) => url.clone(),
            None => DEFAULT_SERVER.parse()?,
        };
        Ok(Client::new(url, token())?)
    }

    /// A job, by URL or identifier. If a server is named it is the one that is asked, and the only one that ever sees
    /// the token; else a URL says which, and gets the token only if it is of the default server.
    async fn locate(&self, job: &str) -> Result<(Client, JobAddress)> {
        if let Ok(id) = job.parse::<JobId>() {
            let client = self.client()?;
            let at = client.find(id).await?;
            return Ok((client, at));
        }
        let (base, at) = JobAddress::of_url(job)?;
        let client = if self.named.is_some() || base == DEFAULT_SERVER.parse()? {
            self.client()?
        } else {
            Client::new(base, None)?
        };
        Ok((client, at))
    }
}

fn token() -> Option<secrecy::SecretString> {
    environment()
        .find(|(name, value)| name == "SIDEREAL_TOKEN" && !value.is_empty())
        .map(|(_, value)| value.into())
}

/// JSON for scripts, indented.
fn say_json(document: &impl serde::Serialize) -> Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_an_http_url() {
        assert!(Server::new(None).unwrap().named.is_none());
        assert!(Server::new(Some("")).unwrap().named.is_none());
        assert!(
            Server::new(Some("https://sky.example.org/x"))
                .unwrap()
                .named
                .is_some()
        );
        for text in ["sky.example.org", "ftp://sky.example.org", "http://"] {
            assert!(Server::new(Some(text)).is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn what_is_no_job_is_a_usage_fault() {
        let server = Server::new(None).unwrap();
        let error = server.locate("tea").await.err().unwrap();
        assert_eq!(exit_code(&error), 2);
    }
}
