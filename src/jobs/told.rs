//! What listeners know of their jobs, by which a poll finds what no hint has told of.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
};

use crate::{
    store::{JobSummary, Standing},
    uws::{JobId, Phase},
};

/// Jobs that are remembered.
const MAX_JOBS: usize = 100_000;
/// Jobs that a poll asks for by name.
const MAX_ASKED: usize = 10_000;

/// Jobs as they were last seen, and whose they are.
#[derive(Debug, Default)]
pub(super) struct Told {
    jobs: HashMap<JobId, Seen>,
    /// Whose newest jobs were looked at: of theirs, one that is not known is new.
    owners: HashSet<String>,
}

#[derive(Debug)]
struct Seen {
    version: i64,
    phase: Phase,
    /// The phase that an event told of, to tell progress from a change of phase.
    told: Option<Phase>,
}

impl Told {
    /// Notes what an event tells; says whether it is more than progress.
    pub(super) fn tell(&mut self, summary: &JobSummary) -> bool {
        if self.jobs.len() > MAX_JOBS {
            self.clear();
        }
        let phase = summary.job.phase;
        let seen = Seen {
            version: summary.version,
            phase,
            told: Some(phase),
        };
        let before = self.jobs.insert(summary.job.id, seen);
        before.and_then(|seen| seen.told) != Some(phase) || !phase.is_running()
    }

    /// Notes that a job is no more.
    pub(super) fn forget(&mut self, id: JobId) {
        self.jobs.remove(&id);
    }

    /// Knows nothing any more.
    pub(super) fn clear(&mut self) {
        *self = Told::default();
    }

    /// Those of `listening` whose jobs were not looked at yet.
    pub(super) fn strangers(&self, listening: &[String]) -> Vec<String> {
        let strangers = listening.iter().filter(|owner| !self.owners.contains(*owner));
        strangers.cloned().collect()
    }

    /// Notes how the newest jobs of these owners stand: what they have just read by themselves.
    pub(super) fn meet(&mut self, owners: Vec<String>, standing: Vec<Standing>) {
        self.owners.extend(owners);
        for job in standing {
            self.jobs.entry(job.id).or_insert(Seen {
                version: job.version,
                phase: job.phase,
                told: None,
            });
        }
    }

    /// The jobs that are not over, to be asked for by name: those that run first, then the newest.
    pub(super) fn unfinished(&self) -> Vec<JobId> {
        let unfinished = self.jobs.iter().filter(|(_, seen)| !seen.phase.is_terminal());
        let mut ids: Vec<_> = unfinished
            .map(|(id, seen)| (!seen.phase.is_running(), Reverse(*id)))
            .collect();
        ids.sort_unstable();
        ids.truncate(MAX_ASKED);
        ids.into_iter().map(|(_, Reverse(id))| id).collect()
    }

    /// The jobs that stand otherwise than was told, of which those that were `asked` for and are not there are gone.
    /// Forgets what does not concern the `listening` any more.
    pub(super) fn compare(
        &mut self,
        asked: &[JobId],
        standing: &[Standing],
        listening: &[String],
    ) -> HashSet<JobId> {
        let listening: HashSet<&String> = listening.iter().collect();
        let there: HashMap<JobId, &Standing> = standing
            .iter()
            .filter(|job| listening.contains(&job.owner))
            .map(|job| (job.id, job))
            .collect();
        let known = |id: &JobId| self.jobs.get(id).map(|seen| seen.version);
        let other = there.values().filter(|job| known(&job.id) != Some(job.version));
        let mut changed: HashSet<JobId> = other.map(|job| job.id).collect();
        let all: HashSet<JobId> = standing.iter().map(|job| job.id).collect();
        changed.extend(asked.iter().filter(|id| !all.contains(id)));
        self.jobs.retain(|id, _| there.contains_key(id));
        self.owners.retain(|owner| listening.contains(owner));
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uws::JobRef;

    fn standing(id: JobId, owner: &str, version: i64) -> Standing {
        Standing {
            id,
            owner: owner.into(),
            phase: Phase::Queued,
            version,
        }
    }

    fn summary(id: JobId, phase: Phase, version: i64) -> JobSummary {
        JobSummary {
            job: JobRef {
                id,
                service: "echo".into(),
                phase,
                run_id: None,
                owner: Some("a".into()),
                creation_time: "2026".parse().unwrap(),
            },
            start_time: None,
            end_time: None,
            destruction: None,
            progress_done: None,
            progress_total: None,
            progress_failed: None,
            progress_note: None,
            results: 0,
            error: None,
            version,
        }
    }

    #[test]
    fn a_poll_finds_what_is_new_changed_or_gone_once() {
        let [old, told, gone, new] = std::array::from_fn(|_| JobId::new());
        let owners = vec![String::from("a")];
        let mut known = Told::default();
        assert_eq!(known.strangers(&owners), ["a"]);
        known.meet(
            owners.clone(),
            vec![standing(old, "a", 1), standing(gone, "a", 1)],
        );
        assert!(known.strangers(&owners).is_empty());
        known.tell(&summary(told, Phase::Queued, 2));
        let asked = known.unfinished();
        assert_eq!(HashSet::from([old, told, gone]), asked.iter().copied().collect());

        let now = [
            standing(old, "a", 2),
            standing(told, "a", 2),
            standing(new, "a", 0),
        ];
        let changed = known.compare(&asked, &now, &owners);
        assert_eq!(changed, HashSet::from([old, gone, new]));
        for (id, version) in [(old, 2), (new, 0)] {
            known.tell(&summary(id, Phase::Queued, version));
        }
        known.forget(gone);
        assert!(known.compare(&known.unfinished(), &now, &owners).is_empty());
    }

    #[test]
    fn nothing_is_kept_of_owners_who_have_left() {
        let (one, other) = (JobId::new(), JobId::new());
        let mut known = Told::default();
        let both = [standing(one, "a", 1), standing(other, "b", 1)];
        known.meet(vec!["a".into(), "b".into()], both.to_vec());
        let asked = known.unfinished();
        assert!(known.compare(&asked, &both, &["b".into()]).is_empty());
        assert_eq!(known.unfinished(), [other]);
        assert_eq!(known.strangers(&["a".into(), "b".into()]), ["a"]);
    }

    #[test]
    fn running_jobs_are_asked_for_first_and_finished_ones_never() {
        let mut known = Told::default();
        let [runs, ended, waits] = std::array::from_fn(|_| JobId::new());
        known.tell(&summary(runs, Phase::Executing, 1));
        known.tell(&summary(ended, Phase::Completed, 1));
        known.tell(&summary(waits, Phase::Queued, 1));
        assert_eq!(known.unfinished(), [runs, waits]);
    }

    #[test]
    fn progress_is_told_from_a_change_of_phase() {
        let id = JobId::new();
        let mut known = Told::default();
        // That it was looked at does not mean that it was told of.
        known.meet(
            vec!["a".into()],
            vec![Standing {
                phase: Phase::Executing,
                ..standing(id, "a", 1)
            }],
        );
        let moved = [
            (Phase::Executing, 2),
            (Phase::Executing, 3),
            (Phase::Suspended, 4),
            (Phase::Completed, 5),
            (Phase::Completed, 6),
        ]
        .map(|(phase, version)| known.tell(&summary(id, phase, version)));
        assert_eq!(moved, [true, false, true, true, true]);
    }
}
