//! Execution phases and the transitions between them (UWS 1.1 section 2.1.3).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The execution phase of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Phase {
    /// Accepted, not yet committed for execution by its owner.
    Pending,
    /// Committed for execution, waiting for a free slot.
    Queued,
    /// Running.
    Executing,
    /// Ended well; results may be collected.
    Completed,
    /// Failed; the job's error summary says why.
    Error,
    /// Stopped by its owner, by an operator, or by its execution duration.
    Aborted,
    /// The state cannot be told at present.
    Unknown,
    /// Held back: needs another RUN to be queued.
    Held,
    /// Paused by the server for want of a resource; it resumes by itself.
    Suspended,
    /// Past its destruction time: metadata kept, results gone.
    Archived,
}

impl Phase {
    /// Every phase, in the standard's order.
    pub const ALL: [Phase; 10] = [
        Phase::Pending,
        Phase::Queued,
        Phase::Executing,
        Phase::Completed,
        Phase::Error,
        Phase::Aborted,
        Phase::Unknown,
        Phase::Held,
        Phase::Suspended,
        Phase::Archived,
    ];

    /// The word of the standard, in capitals.
    pub const fn as_str(self) -> &'static str {
        match self {
            Phase::Pending => "PENDING",
            Phase::Queued => "QUEUED",
            Phase::Executing => "EXECUTING",
            Phase::Completed => "COMPLETED",
            Phase::Error => "ERROR",
            Phase::Aborted => "ABORTED",
            Phase::Unknown => "UNKNOWN",
            Phase::Held => "HELD",
            Phase::Suspended => "SUSPENDED",
            Phase::Archived => "ARCHIVED",
        }
    }

    /// Whether a job in this phase may still change by itself or by PHASE=RUN, so that WAIT blocks
    /// (UWS 1.1 section 2.2.1.1: PENDING, QUEUED and EXECUTING only).
    pub const fn is_waitable(self) -> bool {
        matches!(self, Phase::Pending | Phase::Queued | Phase::Executing)
    }

    /// Whether the job has ended.
    pub const fn is_terminal(self) -> bool {
        matches!(
            self,
            Phase::Completed | Phase::Error | Phase::Aborted | Phase::Archived
        )
    }

    /// Whether a runner holds the job.
    pub const fn is_running(self) -> bool {
        matches!(self, Phase::Executing | Phase::Suspended)
    }

    /// The phase that `event` leads to from here, or `None` where the standard has no such transition.
    pub fn after(self, event: Event) -> Option<Phase> {
        TRANSITIONS
            .iter()
            .find(|(from, by, _)| *from == self && *by == event)
            .map(|(_, _, to)| *to)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that is no phase.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a phase (expected one of PENDING, QUEUED, EXECUTING, COMPLETED, ERROR, ABORTED, UNKNOWN, HELD, SUSPENDED, ARCHIVED)"
)]
pub struct NotAPhase(pub String);

impl FromStr for Phase {
    type Err = NotAPhase;

    /// Reads the standard's word in any case.
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Phase::ALL
            .into_iter()
            .find(|phase| phase.as_str().eq_ignore_ascii_case(word))
            .ok_or_else(|| NotAPhase(word.chars().take(40).collect()))
    }
}

/// What moves a job from one phase to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// PHASE=RUN of a client.
    Run,
    /// A worker takes the job from the queue.
    Claim,
    /// The worker is lost or draining: back to the queue.
    Requeue,
    /// An operator holds a queued job back.
    Hold,
    /// The executor waits for a resource of the server.
    Suspend,
    /// The resource is there.
    Resume,
    /// The executor ended well.
    Complete,
    /// The executor failed, or the job could not be run.
    Fail,
    /// PHASE=ABORT of a client, or the execution duration is over.
    Abort,
}

impl Event {
    /// The phases that this event leads away from.
    pub fn sources(self) -> impl Iterator<Item = Phase> {
        TRANSITIONS
            .iter()
            .filter(move |(_, by, _)| *by == self)
            .map(|(from, _, _)| *from)
    }
}

/// Every transition that is made: the one table that code and tests read. A job past its destruction time is forgotten
/// but for a tombstone, so that nothing leads to ARCHIVED.
pub const TRANSITIONS: &[(Phase, Event, Phase)] = &[
    (Phase::Pending, Event::Run, Phase::Queued),
    (Phase::Held, Event::Run, Phase::Queued),
    (Phase::Queued, Event::Claim, Phase::Executing),
    (Phase::Executing, Event::Requeue, Phase::Queued),
    (Phase::Suspended, Event::Requeue, Phase::Queued),
    (Phase::Queued, Event::Hold, Phase::Held),
    (Phase::Executing, Event::Suspend, Phase::Suspended),
    (Phase::Suspended, Event::Resume, Phase::Executing),
    (Phase::Executing, Event::Complete, Phase::Completed),
    (Phase::Executing, Event::Fail, Phase::Error),
    (Phase::Suspended, Event::Fail, Phase::Error),
    (Phase::Pending, Event::Abort, Phase::Aborted),
    (Phase::Held, Event::Abort, Phase::Aborted),
    (Phase::Queued, Event::Abort, Phase::Aborted),
    (Phase::Executing, Event::Abort, Phase::Aborted),
    (Phase::Suspended, Event::Abort, Phase::Aborted),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_in_any_case_and_written_in_capitals() {
        for phase in Phase::ALL {
            assert_eq!(phase.as_str().parse::<Phase>(), Ok(phase));
            assert_eq!(phase.as_str().to_lowercase().parse::<Phase>(), Ok(phase));
        }
        assert!("NONSENSE".parse::<Phase>().is_err());
        assert!("".parse::<Phase>().is_err());
    }

    #[test]
    fn no_event_leads_two_ways() {
        for (n, (from, by, _)) in TRANSITIONS.iter().enumerate() {
            assert!(
                TRANSITIONS[..n].iter().all(|(f, b, _)| (f, b) != (from, by)),
                "{from} by {by:?} twice"
            );
        }
    }

    #[test]
    fn nothing_leads_away_from_the_end() {
        assert!(TRANSITIONS.iter().all(|(from, _, _)| !from.is_terminal()));
    }

    #[test]
    fn abort_is_legal_until_the_end() {
        for phase in Phase::ALL {
            let legal = !phase.is_terminal() && phase != Phase::Unknown;
            assert_eq!(phase.after(Event::Abort).is_some(), legal, "{phase}");
        }
    }
}
