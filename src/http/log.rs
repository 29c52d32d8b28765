//! The log of a job as text, from any line on, and followed until the job ends.

use std::{
    io,
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use poem::Body;

use super::{crowd::Ticket, problem::Problem};
use crate::{
    auth::Caller,
    jobs::{Jobs, JobsError, Place},
    notify::Watch,
    store::LogLine,
    uws::JobId,
};

/// A followed log breaks off after this, so that the client must show anew who it is; it goes on by `after`.
const LONGEST: Duration = Duration::from_mins(10);
/// A look at the log is never further away than this, should a wake-up be lost.
const LOOK: Duration = Duration::from_secs(5);

struct Reader {
    jobs: Jobs,
    caller: Caller,
    id: JobId,
    /// Number of the last line given.
    after: u64,
    watch: Option<Watch>,
    since: Instant,
    /// Held while the log is followed.
    _ticket: Option<Ticket>,
}

/// The lines after the one numbered `after`; with a ticket to follow, those to come as well.
pub async fn body(
    jobs: &Jobs,
    caller: Caller,
    id: JobId,
    after: u64,
    ticket: Option<Ticket>,
) -> Result<Body, Problem> {
    let follow = ticket.is_some();
    let mut reader = Reader {
        jobs: jobs.clone(),
        caller,
        id,
        after,
        watch: follow.then(|| jobs.watch(id)),
        since: Instant::now(),
        _ticket: ticket,
    };
    // Read before the answer begins, so that what is wrong has a status of its own.
    let first = reader.read().await?;
    let end = first.is_none() && !follow;
    let later = stream::try_unfold((reader, end), |(mut reader, end)| async move {
        if end {
            return Ok(None);
        }
        // Not as an end, which would say that this is all.
        if reader.since.elapsed() > LONGEST {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match reader.next().await {
            Ok(text) => Ok(text.map(|text| (text, (reader, false)))),
            Err(error) => Err(io::Error::other(error)),
        }
    });
    let first = stream::iter(first.map(Ok));
    Ok(Body::from_bytes_stream(first.chain(later)))
}

impl Reader {
    fn place(&self) -> Place<'static> {
        Place {
            service: None,
            id: self.id,
        }
    }

    /// The lines that are there, if there are any.
    async fn read(&mut self) -> Result<Option<String>, JobsError> {
        let lines = self.jobs.log(&self.caller, self.place(), self.after).await?;
        let Some(last) = lines.last() else { return Ok(None) };
        self.after = last.sequence;
        Ok(Some(text(&lines)))
    }

    /// More lines, waiting for them if the log is followed; nothing at the end, no line when it was followed for too
    /// long.
    async fn next(&mut self) -> Result<Option<String>, JobsError> {
        loop {
            if let Some(text) = self.read().await? {
                return Ok(Some(text));
            }
            if self.watch.is_none() {
                return Ok(None);
            }
            let job = self.jobs.get(&self.caller, self.place()).await?;
            if job.phase.is_terminal() {
                // The last lines may have come between the two looks.
                self.watch = None;
                continue;
            }
            let Some(watch) = &mut self.watch else {
                return Ok(None);
            };
            tokio::select! {
                () = watch.changed() => {}
                () = tokio::time::sleep(LOOK) => {}
                () = self.jobs.closed() => return Ok(None),
            }
            if self.since.elapsed() > LONGEST {
                return Ok(Some(String::new()));
            }
        }
    }
}

fn text(lines: &[LogLine]) -> String {
    use std::fmt::Write as _;

    let mut text = String::with_capacity(lines.len() * 80);
    for line in lines {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{} {}", line.at, line.line);
    }
    text
}
