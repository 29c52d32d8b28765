//! `sidereal job show`.

use anyhow::Result;
use clap::Args;

use super::{Jobs, Output, Server, say_json};
use crate::{
    cli::{printable, say},
    client::{Job, JobAddress},
    uws::Timestamp,
};

/// Show jobs: phase, times, parameters, results
#[derive(Debug, Args)]
pub struct Show {
    #[command(flatten)]
    jobs: Jobs,
}

impl Show {
    pub async fn run(self, server: &Server, output: Output) -> Result<()> {
        self.jobs
            .each(server, async |client, at| {
                let job = client.job(&at).await?;
                match output {
                    Output::Json => say_json(&job.document),
                    Output::Table => Ok(say(table(&at, &job))?),
                }
            })
            .await
    }
}

fn table(at: &JobAddress, job: &Job) -> String {
    let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
    let info = job.job_info.clone().unwrap_or_default();
    let failed = match info.progress_failed {
        None | Some(0) => String::new(),
        Some(failed) => format!(", {failed} failed"),
    };
    let progress = info.progress_done.map(|done| match info.progress_total {
        Some(total) => format!("{done}/{total}{failed}"),
        None => format!("{done}{failed}"),
    });
    let mut lines: Vec<(&str, Option<String>)> = vec![
        ("job", Some(job.job_id.to_string())),
        ("service", Some(at.service.clone())),
        ("phase", Some(job.phase.to_string())),
        ("label", job.run_id.clone()),
        ("owner", job.owner_id.clone()),
        ("created", time(job.creation_time)),
        ("started", time(job.start_time)),
        ("ended", time(job.end_time)),
        ("destruction", time(job.destruction)),
        (
            "queue",
            info.queue_position.map(|place| format!("number {place}")),
        ),
        ("progress", progress),
        (
            if job.phase.is_terminal() { "done" } else { "doing" },
            info.progress_note,
        ),
        (
            "error",
            job.error_summary.as_ref().map(|error| error.message.clone()),
        ),
    ];
    for parameter in &job.parameters {
        lines.push(("parameter", Some(format!("{}={}", parameter.id, parameter.value))));
    }
    for result in &job.results {
        let kind = result.mime_type.as_deref().unwrap_or("unknown type");
        let text = match result.size {
            Some(size) => format!("{}  {size} bytes  {kind}", result.id),
            None => format!("{}  {kind}", result.id),
        };
        lines.push(("result", Some(text)));
    }
    let lines: Vec<String> = lines
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name:12} {}", printable(&value?))))
        .collect();
    lines.join("\n")
}
