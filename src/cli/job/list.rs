//! `sidereal job list`.

use anyhow::Result;
use clap::Args;

use super::{Output, Server, say_json, say_table};
use crate::{
    cli::printable,
    client::JobFilter,
    uws::{Phase, Timestamp},
};

/// Most jobs that one page is asked for.
const PAGE: u64 = 100;

/// List jobs, newest first
#[derive(Debug, Args)]
pub struct List {
    /// Of this service only; repeat for several
    #[arg(long, value_name = "NAME")]
    service: Vec<String>,
    /// In this phase only; repeat for several
    #[arg(long)]
    phase: Vec<Phase>,
    /// With this label (runId) only
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
    /// Created after this time (UTC, ISO 8601)
    #[arg(long, value_name = "TIME")]
    after: Option<Timestamp>,
    /// Created before this time (UTC, ISO 8601)
    #[arg(long, value_name = "TIME")]
    before: Option<Timestamp>,
    /// With this text in the label, or this beginning of the identifier
    #[arg(short, value_name = "TEXT")]
    q: Option<String>,
    /// Most jobs to list
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
}

impl List {
    pub async fn run(self, server: &Server, output: Output) -> Result<()> {
        let client = server.client()?;
        let filter = JobFilter {
            services: self.service,
            phases: self.phase,
            label: self.label,
            after: self.after,
            before: self.before,
            q: self.q,
        };
        let mut jobs = Vec::new();
        let mut cursor = None;
        loop {
            let wanted = self.limit - jobs.len() as u64;
            let page = client.jobs(&filter, wanted.min(PAGE), cursor.as_deref()).await?;
            jobs.extend(page.items.into_iter().take(wanted as usize));
            cursor = page.next;
            if cursor.is_none() || jobs.len() as u64 >= self.limit {
                break;
            }
        }
        if output == Output::Json {
            return say_json(&jobs);
        }
        let rows: Vec<Vec<String>> = jobs
            .into_iter()
            .map(|job| {
                vec![
                    job.id.to_string(),
                    printable(&job.service),
                    job.phase.to_string(),
                    job.progress_failed
                        .map_or_else(|| "-".into(), |failed| failed.to_string()),
                    job.creation_time.to_string(),
                    printable(&job.owner_id.unwrap_or_default()),
                    printable(&job.run_id.unwrap_or_default()),
                ]
            })
            .collect();
        say_table(
            &["JOB", "SERVICE", "PHASE", "FAILED", "CREATED", "OWNER", "LABEL"],
            &rows,
        )
    }
}
