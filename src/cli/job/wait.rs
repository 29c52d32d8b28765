//! `sidereal job wait`, and waiting for others.

use std::{io::IsTerminal, time::Duration};

use anyhow::Result;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::{Jobs, Output, Server, say_json};
use crate::{
    cli::{Ended, say},
    client::{Client, Job, JobAddress, JobInfo},
    uws::Phase,
};

/// Between two looks at the progress while somebody watches.
const WATCHED: Duration = Duration::from_secs(1);
/// Else only changes of the phase matter, which are told at once.
const UNWATCHED: Duration = Duration::from_secs(50);

/// Wait until jobs have ended; a line for each phase
#[derive(Debug, Args)]
pub struct Wait {
    #[command(flatten)]
    jobs: Jobs,
}

impl Wait {
    pub async fn run(self, server: &Server, output: Output) -> Result<()> {
        let several = self.jobs.jobs.len() > 1;
        self.jobs
            .each(server, async |client, at| {
                let name = several.then(|| at.id.to_string());
                until_ended(&client, &at, output, name.as_deref()).await
            })
            .await
    }
}

/// Waits until the job has ended, telling each phase and what has come of it (behind `name`) or, as JSON, the whole job at its end. ERROR and
/// ABORTED are errors.
pub async fn until_ended(client: &Client, at: &JobAddress, output: Output, name: Option<&str>) -> Result<()> {
    let watched = std::io::stderr().is_terminal();
    let bar = if watched { bar() } else { ProgressBar::hidden() };
    let mut told = None;
    let mut written = Ok(());
    let interval = if watched { WATCHED } else { UNWATCHED };
    let job = client
        .follow(at, interval, |job| {
            if output == Output::Table && told != Some(job.phase) && written.is_ok() {
                let line = match name {
                    Some(name) => format!("{name} {}", job.phase),
                    None => job.phase.to_string(),
                };
                written = bar.suspend(|| say(line));
                told = Some(job.phase);
            }
            show(&bar, job);
        })
        .await;
    bar.finish_and_clear();
    let job = job?;
    written?;
    match output {
        Output::Json => say_json(&job.document)?,
        Output::Table => {
            // A job whose rows have all failed is COMPLETED too.
            let note = job
                .job_info
                .as_ref()
                .and_then(|info| info.progress_note.as_deref());
            if let Some(note) = note.filter(|note| job.phase == Phase::Completed && !note.is_empty()) {
                let line = name.map_or_else(|| note.to_owned(), |name| format!("{name} {note}"));
                say(crate::cli::printable(&line))?;
            }
        }
    }
    ended_well(&job)
}

/// An error if the job ended in ERROR or ABORTED.
pub fn ended_well(job: &Job) -> Result<()> {
    if matches!(job.phase, Phase::Error | Phase::Aborted) {
        let message = job.error_summary.as_ref().map(|error| error.message.clone());
        return Err(Ended {
            phase: job.phase,
            message,
        }
        .into());
    }
    Ok(())
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn show(bar: &ProgressBar, job: &Job) {
    let unknown = JobInfo::default();
    let info = job.job_info.as_ref().unwrap_or(&unknown);
    let template = match (info.progress_done, info.progress_total) {
        (Some(done), Some(total)) => {
            bar.set_length(total);
            bar.set_position(done);
            "{elapsed} {prefix} {wide_bar} {pos}/{len} {msg}"
        }
        _ => "{elapsed} {spinner} {prefix} {msg}",
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_prefix(job.phase.as_str());
    bar.set_message(match (job.phase, info.queue_position, &info.progress_note) {
        (Phase::Pending, ..) => "(waits until somebody runs it)".to_owned(),
        (Phase::Queued, Some(place), _) => format!("number {place} in the queue"),
        (_, _, Some(note)) => crate::cli::printable(note),
        _ => String::new(),
    });
}
