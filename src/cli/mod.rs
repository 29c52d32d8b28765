//! The command line: one file a subcommand.
//!
//! Calls `app` to serve, `client` to ask a server, `deploy` to deploy one, and the stores for what works beside a
//! running server. The only module with untyped errors: they become a line on standard error and an exit code here.

#![expect(
    clippy::doc_markdown,
    reason = "doc comments here are shown as help, as they are written"
)]

mod collection;
mod dashboard;
mod demo;
mod deploy;
mod doctor;
mod ingest;
mod job;
mod login;
mod migrate;
mod openapi;
mod serve;
mod server;
mod tokens;

use std::{fmt, io, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

use self::tokens::LoginOver;
use crate::{
    app::AppError,
    auth::ProviderError,
    client::{ClientError, NotAJob},
    deploy::Failure,
    settings::{Settings, SettingsError, environment},
    store::StoreError,
    telemetry::TelemetryError,
};

/// Sidereal: long jobs over the IVOA's Universal Worker Service, sky cutouts first of all.
#[derive(Debug, Parser)]
#[command(name = "sidereal", version, about, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Demo(demo::Demo),
    Deploy(deploy::DeployCommand),
    Ingest(ingest::Ingest),
    Collection(collection::CollectionCommand),
    Job(job::JobCommand),
    Dashboard(dashboard::DashboardCommand),
    Login(login::Login),
    Logout(login::Logout),
    Whoami(login::Whoami),
    Doctor(doctor::Doctor),
    Migrate(migrate::Migrate),
    #[command(name = "openapi")]
    OpenApi(openapi::OpenApi),
}

impl Cli {
    /// Does what was asked. Errors go to standard error; the exit code says of which kind they are.
    pub async fn run(self) -> ExitCode {
        let done = match self.command {
            Command::Serve(command) => command.run().await,
            Command::Demo(command) => command.run().await,
            Command::Deploy(command) => command.run().await,
            Command::Ingest(command) => command.run().await,
            Command::Collection(command) => command.run().await,
            Command::Job(command) => command.run().await,
            Command::Dashboard(command) => command.run().await,
            Command::Login(command) => command.run().await,
            Command::Logout(command) => command.run().await,
            Command::Whoami(command) => command.run().await,
            Command::Doctor(command) => command.run().await,
            Command::Migrate(command) => command.run().await,
            Command::OpenApi(command) => command.run(),
        };
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                report(None, &error);
                ExitCode::from(exit_code(&error))
            }
        }
    }
}

/// Ends the command with this code; what is to be said has been said.
#[derive(Debug, thiserror::Error)]
#[error("exit code {0}")]
struct Said(u8);

/// The words of the command line make no sense together.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

/// A job that ended otherwise than well.
#[derive(Debug, thiserror::Error)]
#[error("the job ended in {phase}{}", .message.as_ref().map(|text| format!(": {text}")).unwrap_or_default())]
struct Ended {
    phase: crate::uws::Phase,
    message: Option<String>,
}

/// 0 ok, 1 other, 2 usage, 3 authentication, 4 not found, 5 server, 6 the job ended in ERROR or ABORTED; of `deploy`
/// its own. A reader that went away (`| head`) is no fault.
fn exit_code(error: &anyhow::Error) -> u8 {
    error
        .chain()
        .find_map(|cause| {
            if let Some(Said(code)) = cause.downcast_ref() {
                return Some(*code);
            }
            if let Some(failure) = cause.downcast_ref::<Failure>() {
                return (!matches!(failure, Failure::Io(_))).then(|| failure.code());
            }
            if let Some(error) = cause.downcast_ref::<ClientError>() {
                return match error {
                    ClientError::BadRequest(_) | ClientError::Exposed(_) => Some(2),
                    ClientError::Denied(_) => Some(3),
                    ClientError::NotFound(_) => Some(4),
                    ClientError::Unreachable { .. }
                    | ClientError::Unavailable(_)
                    | ClientError::Strange { .. } => Some(5),
                    ClientError::File { .. } | ClientError::Damaged { .. } => Some(1),
                    // Its cause says.
                    ClientError::Login { .. } => None,
                };
            }
            if let Some(error) = cause.downcast_ref::<ProviderError>() {
                return Some(match error {
                    ProviderError::Refused { .. } => 3,
                    _ => 5,
                });
            }
            if cause.is::<LoginOver>() {
                return Some(3);
            }
            if is_without_database(cause) {
                return Some(5);
            }
            if cause.is::<Ended>() {
                return Some(6);
            }
            if cause.is::<Usage>()
                || cause.is::<NotAJob>()
                || cause.is::<SettingsError>()
                || cause.is::<TelemetryError>()
            {
                return Some(2);
            }
            is_closed_pipe(cause).then_some(0)
        })
        .unwrap_or(1)
}

fn is_without_database(cause: &(dyn std::error::Error + 'static)) -> bool {
    let error = match cause.downcast_ref::<AppError>() {
        Some(AppError::Store(error)) => Some(error),
        _ => cause.downcast_ref::<StoreError>(),
    };
    matches!(error, Some(StoreError::Unreachable { .. }))
}

fn is_closed_pipe(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// One fault on standard error, beginning with what it is about.
fn report(about: Option<&str>, error: &anyhow::Error) {
    if error
        .chain()
        .any(|cause| cause.is::<Said>() || is_closed_pipe(cause))
    {
        return;
    }
    let about = about.map(|about| format!("{about}: ")).unwrap_or_default();
    // If standard error is closed there is nobody to tell.
    let _ = io::Write::write_fmt(
        &mut io::stderr(),
        format_args!("sidereal: {about}{}\n", printable(&told(error))),
    );
}

/// The fault and its causes, those that are in the text already left out.
fn told(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |told, cause| {
        let cause = cause.to_string();
        match told.as_str() {
            "" => cause,
            said if said.contains(&cause) => told,
            said => format!("{said}: {cause}"),
        }
    })
}

/// Writes to standard output; unlike `print!`, a reader that went away is an error and no panic.
fn say(text: impl fmt::Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    io::Write::write_fmt(&mut out, format_args!("{text}\n"))?;
    io::Write::flush(&mut out)
}

/// A text of a server's or of another user's, without what would steer the terminal.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\n' {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

/// Flags of the commands that work on the settings; each wins over the file and the environment.
#[derive(Debug, Args)]
struct SettingsFlags {
    /// Settings file [default: ./sidereal.toml if it is there]
    #[arg(long, env = "SIDEREAL_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Public listener [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
    /// Listener of probes and metrics [default: none]
    #[arg(long, value_name = "ADDR:PORT")]
    internal_listen: Option<String>,
    /// Base of every absolute URL [default: http:// and the listener]
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Home of the embedded database and results [default: data]
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<String>,
    /// sqlite://… or postgres://… (one with a password belongs in the environment or the file)
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// file:///FOLDER or s3://BUCKET/PREFIX
    #[arg(long, value_name = "URL")]
    results_url: Option<String>,
    /// all, api or worker [default: all]
    #[arg(long)]
    role: Option<String>,
    /// Jobs run at once [default: number of cores]
    #[arg(long, value_name = "N")]
    workers: Option<String>,
    /// Job types served, with commas [default: all]
    #[arg(long, value_name = "NAMES")]
    services: Option<String>,
}

impl SettingsFlags {
    fn load(&self) -> Result<Settings, SettingsError> {
        let flags: Vec<(&str, String)> = [
            ("listen", &self.listen),
            ("internal_listen", &self.internal_listen),
            ("public_url", &self.public_url),
            ("data_dir", &self.data_dir),
            ("database_url", &self.database_url),
            ("results_url", &self.results_url),
            ("role", &self.role),
            ("workers", &self.workers),
            ("services", &self.services),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some((key, value.clone()?)))
        .collect();
        let file = self.config.as_deref().filter(|file| !file.as_os_str().is_empty());
        Settings::load(file, environment(), &flags)
    }

    fn load_checked(&self) -> Result<Settings, SettingsError> {
        let settings = self.load()?;
        settings.check()?;
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;
    use clap::CommandFactory;

    use super::*;
    use crate::uws::Phase;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    fn refused(error: &str) -> ProviderError {
        ProviderError::Refused {
            error: error.into(),
            description: String::new(),
        }
    }

    /// As a request meets it whose login is over.
    fn refused_login() -> ClientError {
        ClientError::Login {
            passing: false,
            source: Box::new(LoginOver("http://127.0.0.1:1".into())),
        }
    }

    #[test]
    fn each_kind_of_fault_has_its_code() {
        let ended = Ended {
            phase: Phase::Error,
            message: None,
        };
        let closed: anyhow::Error = io::Error::from(io::ErrorKind::BrokenPipe).into();
        for (error, code) in [
            (anyhow::anyhow!("x"), 1),
            (Usage("x".into()).into(), 2),
            (ClientError::BadRequest("x".into()).into(), 2),
            (ClientError::Denied("x".into()).into(), 3),
            (ClientError::NotFound("x".into()).into(), 4),
            (ClientError::Unavailable("x".into()).into(), 5),
            (refused("invalid_grant").into(), 3),
            (refused_login().into(), 3),
            (ended.into(), 6),
            (Said(4).into(), 4),
            (closed, 0),
        ] {
            assert_eq!(exit_code(&error), code, "{error}");
        }
    }

    #[test]
    fn a_fault_is_told_with_its_causes_once_each() {
        let missing = ClientError::File {
            path: "x.csv".into(),
            source: io::Error::other("no such file"),
        };
        let error = Err::<(), _>(missing).context("while sending").unwrap_err();
        assert_eq!(told(&error), "while sending: x.csv: no such file");
        assert_eq!(exit_code(&error), 1);
    }

    #[test]
    fn what_would_steer_the_terminal_is_left_out() {
        assert_eq!(printable("a\u{1b}[2Jb\nc\r"), "a\u{fffd}[2Jb\nc\u{fffd}");
    }
}
