//! The revisions of a release, as Helm remembers them: which one's content stands, and which was good before it.

use serde::Deserialize;

use super::{
    failure::Failure,
    place::{Place, helm},
    runner::Runner,
};

/// One revision of a release.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Revision {
    /// From 1.
    #[serde(rename = "revision")]
    pub number: u64,
    /// `deployed`, `superseded`, `failed`, `pending-upgrade`, …
    pub status: String,
    /// What Helm did, or why it failed.
    #[serde(default)]
    pub description: String,
}

impl Revision {
    /// It was deployed once, if it is not now. Helm calls a failed one superseded, too, once its rollback has failed.
    fn was_good(&self) -> bool {
        self.status == "deployed"
            || (self.status == "superseded" && !self.description.contains("\" failed: "))
    }

    /// The revision that it is a copy of, if it is one.
    fn copied(&self) -> Option<u64> {
        self.description.strip_prefix("Rollback to ")?.parse().ok()
    }

    /// A rollback that came to nothing. Helm does not say then where it was to go.
    fn is_failed_rollback(&self) -> bool {
        self.status == "pending-rollback"
            || (self.status == "failed"
                && ["Rollback ", "Release "]
                    .iter()
                    .any(|begin| self.description.starts_with(begin)))
    }
}

/// The revisions that Helm remembers, the last one last; empty if there is no release, nothing if Helm cannot say.
pub async fn history(runner: &mut Runner, place: &Place) -> Result<Option<Vec<Revision>>, Failure> {
    let command = helm(place, &["history", &place.release, "--output", "json"]);
    let answer = runner.ask(&command).await?;
    if answer.is_good() {
        return Ok(serde_json::from_str(&answer.out).ok());
    }
    // Nothing else that is "not found": a plugin, a file, a context.
    Ok(answer.err.contains("release: not found").then(Vec::new))
}

/// What the revision of a commit is described by.
pub fn of_commit(commit: &str) -> String {
    format!("Commit {commit}")
}

/// The commit that what runs was deployed from, if that was noted: that of the last revision that got deployed, or of the
/// one that it is a copy of.
pub fn commit(revisions: &[Revision]) -> Option<&str> {
    let runs = revisions.iter().rev().find(|one| one.status == "deployed")?;
    let runs = original(revisions, runs.number);
    let description = &revisions.iter().find(|one| one.number == runs)?.description;
    description.strip_prefix(&of_commit(""))
}

/// The revision whose content one has: a rollback makes a copy with a new number.
fn original(revisions: &[Revision], mut number: u64) -> u64 {
    while let Some(copied) = revisions
        .iter()
        .find(|one| one.number == number)
        .and_then(Revision::copied)
        .filter(|copied| *copied < number)
    {
        number = copied;
    }
    number
}

/// The newest revision that was good, and older than what stands, or what that is a copy of; else the next rollback would
/// go to what the last one left.
pub fn good_before(revisions: &[Revision]) -> Option<u64> {
    let stands = revisions.iter().rev().find(|one| !one.is_failed_rollback())?;
    let stands = original(revisions, stands.number);
    let good = revisions
        .iter()
        .filter(|one| one.number < stands && one.was_good());
    good.map(|one| one.number).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commit_is_that_of_what_runs() {
        let runs = |told: &[(&str, &str)]| {
            let told = (1..).zip(told).map(|(number, (status, description))| Revision {
                number,
                status: (*status).to_owned(),
                description: (*description).to_owned(),
            });
            commit(&told.collect::<Vec<_>>()).map(str::to_owned)
        };
        let (a, b) = (("superseded", "Commit a"), ("deployed", "Commit b"));
        assert_eq!(runs(&[a, b]).as_deref(), Some("b"));
        // One that failed, or is being done, does not run.
        let (failed, pending) = (("failed", "Commit c"), ("pending-upgrade", "Commit c"));
        assert_eq!(runs(&[a, b, failed, pending]).as_deref(), Some("b"));
        let back = ("deployed", "Rollback to 1");
        assert_eq!(runs(&[a, failed, back]).as_deref(), Some("a"));
        // By hand, by an older version, and nothing at all.
        assert_eq!(runs(&[a, ("deployed", "Upgrade complete")]), None);
        assert_eq!(runs(&[("deployed", "Rollback to 7")]), None);
        assert_eq!(runs(&[]), None);
    }

    #[test]
    fn back_is_never_to_what_a_rollback_left() {
        let before = |told: &[(&str, &str)]| {
            let told = (1..).zip(told).map(|(number, (status, description))| Revision {
                number,
                status: (*status).to_owned(),
                description: (*description).to_owned(),
            });
            good_before(&told.collect::<Vec<_>>())
        };
        let (old, now) = (
            ("superseded", "Upgrade complete"),
            ("deployed", "Upgrade complete"),
        );
        let failed = ("failed", "Upgrade \"sky\" failed: timed out");
        assert_eq!(before(&[]), None);
        assert_eq!(before(&[now]), None);
        assert_eq!(before(&[old, now]), Some(1));
        assert_eq!(before(&[old, failed, now]), Some(1));
        // The second is the bad one that was left.
        assert_eq!(before(&[old, old, ("deployed", "Rollback to 1")]), None);
        assert_eq!(before(&[old, old, old, ("deployed", "Rollback to 2")]), Some(1));
        // Copies of copies, of which the first is another deployment's rollback.
        let copy = ("superseded", "Rollback to 1");
        assert_eq!(
            before(&[old, old, copy, failed, ("deployed", "Rollback to 3")]),
            None
        );
        assert_eq!(before(&[old, old, copy, now]), Some(3));
        // What failed and was left stands, whatever Helm calls deployed.
        assert_eq!(before(&[old, now, failed]), Some(2));
        assert_eq!(
            before(&[old, now, ("pending-upgrade", "Preparing upgrade")]),
            Some(2)
        );
        // A rollback that failed or was stopped is tried again.
        for (status, description) in [
            ("failed", "Rollback \"sky\" failed: x"),
            ("failed", "Release \"sky\" failed: x"),
            ("pending-rollback", "Rollback to 1"),
        ] {
            assert_eq!(
                before(&[old, old, (status, description)]),
                Some(1),
                "{description}"
            );
        }
        // One that failed, and whose rollback failed, is called superseded, too.
        let lost = ("superseded", "Upgrade \"sky\" failed: timed out");
        let stuck = ("superseded", "Rollback \"sky\" failed: timed out");
        assert_eq!(before(&[old, lost, stuck, lost, failed]), Some(1));
        // One whose original is forgotten, and one that is its own.
        let late = |number, description: &str| Revision {
            number,
            status: "deployed".into(),
            description: description.into(),
        };
        assert_eq!(
            good_before(&[late(7, ""), late(8, ""), late(9, "Rollback to 3")]),
            None
        );
        assert_eq!(good_before(&[late(8, ""), late(9, "Rollback to 9")]), Some(8));
    }
}
