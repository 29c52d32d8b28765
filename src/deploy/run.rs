//! Does the steps of a plan, or shows them; and sees to the release after one that failed.

use std::time::Instant;

use serde_json::Value;

use super::{
    aftermath::diagnose,
    command::{Command, Known, line},
    failure::{Class, Failure},
    history::{Revision, history},
    manifests::{difference, without_secrets},
    place::{Place, helm},
    plan::{Action, Step, Wanted},
    private_file::PrivateFile,
    report::{Report, warn},
    runner::{Answer, Output, Runner},
};

/// A run of steps at a place. What it has decrypted is gone when it is.
pub struct Run<'a> {
    pub runner: &'a mut Runner,
    pub report: Report,
    pub place: &'a Place,
    pub wanted: &'a Wanted,
    /// The first number of Helm's version.
    pub helm: u32,
    known: Known,
    decrypted: Option<PrivateFile>,
    before: Option<Vec<Revision>>,
    is_upgraded: bool,
}

impl<'a> Run<'a> {
    pub fn new(
        runner: &'a mut Runner,
        report: Report,
        place: &'a Place,
        wanted: &'a Wanted,
        helm: u32,
    ) -> Run<'a> {
        Run {
            runner,
            report,
            place,
            wanted,
            helm,
            known: Known::default(),
            decrypted: None,
            before: None,
            is_upgraded: false,
        }
    }

    /// Does the steps in their order; the first that fails is the last.
    pub async fn all(&mut self, steps: &[Step]) -> Result<(), Failure> {
        for step in steps {
            let done = self.step(step).await;
            if self.is_upgraded && matches!(done, Err(Failure::Interrupted { .. })) {
                let (release, namespace) = (&self.place.release, &self.place.environment.namespace);
                warn(&format!(
                    "release {release} in namespace {namespace} is upgraded; whether it works was not awaited"
                ));
            }
            done?;
            self.is_upgraded |= matches!(step.action, Action::Upgrade(_));
        }
        Ok(())
    }

    /// Says the commands of the steps, and runs none.
    pub fn show(&self, steps: &[Step]) -> Result<(), Failure> {
        for step in steps {
            let only_then = match &step.action {
                Action::Unless { reference, .. } if step.name == "build" || self.wanted.push => {
                    Some(format!("unless {reference} is in the registry already:"))
                }
                Action::Rollouts { .. } => Some("the second for each that the first one lists:".to_owned()),
                _ => None,
            };
            if let Some(text) = only_then.filter(|_| !self.report.json) {
                self.report.note(step.name, &text)?;
            }
            for command in step.action.commands() {
                self.report.planned(step.name, &command.shown(&self.known))?;
            }
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step) -> Result<(), Failure> {
        match &step.action {
            Action::Run(command) => self.must(step, command).await,
            Action::Ask { command, otherwise } => {
                let answer = self.run(step.name, command, Output::Kept).await?;
                if answer.is_good() {
                    return Ok(());
                }
                Err(Failure::new(
                    step.class,
                    format!("{otherwise} ({})", answer.complaint()),
                ))
            }
            Action::Look { reference, command } => {
                let answer = self.run(step.name, command, Output::Kept).await?;
                match digest(&answer) {
                    Some(digest) => _ = self.known.digests.insert(reference.clone(), digest),
                    None if is_absent(&answer) => {}
                    None => return Err(unknown(step, reference, &answer)),
                }
                Ok(())
            }
            Action::Unless { reference, command } => {
                if self.known.digests.contains_key(reference) {
                    let text = format!("{reference} is in the registry already");
                    return Ok(self.report.note(step.name, &text)?);
                }
                self.must(step, command).await
            }
            Action::Digest { reference, command } => self.digest(step, reference, command).await,
            Action::Decrypt(command) => {
                let answer = self.run(step.name, command, Output::KeptAndHeard).await?;
                if !answer.is_good() {
                    let text = "the encrypted values cannot be decrypted: is the age key that they are for in \
                                SOPS_AGE_KEY or SOPS_AGE_KEY_FILE?";
                    return Err(Failure::new(step.class, text));
                }
                let file = PrivateFile::new(&answer.out, ".yaml")?;
                self.known.decrypted = Some(file.path().to_owned());
                self.decrypted = Some(file);
                Ok(())
            }
            Action::Diff { rendered, current } => self.diff(step, rendered, current).await,
            Action::Upgrade(command) => self.upgrade(step, command).await,
            Action::Rollouts { list, wait } => self.rollouts(step, list, wait).await,
            Action::Test(command) => match self.must(step, command).await {
                Err(
                    failure @ Failure::At {
                        class: Class::Verify, ..
                    },
                ) => Err(self.go_back(failure).await),
                done => done,
            },
        }
    }

    /// Runs a command, and says so.
    async fn run(&mut self, name: &str, command: &Command, output: Output) -> Result<Answer, Failure> {
        let output = match output {
            Output::Passed if self.report.json => Output::ToError,
            output => output,
        };
        let shown = command.shown(&self.known);
        self.report.begun(&shown)?;
        let begin = Instant::now();
        let answer = self.runner.run(command, &self.known, output).await?;
        self.report.ended(name, &shown, answer.code, begin.elapsed())?;
        Ok(answer)
    }

    /// Runs a command, whose failure is the step's.
    async fn must(&mut self, step: &Step, command: &Command) -> Result<(), Failure> {
        let answer = self.run(step.name, command, Output::Passed).await?;
        if answer.is_good() {
            return Ok(());
        }
        let shown = line(&command.shown(&self.known));
        let text = format!("{} failed with exit code {}: {shown}", step.name, answer.code);
        Err(Failure::new(step.class, text))
    }

    async fn digest(&mut self, step: &Step, reference: &str, command: &Command) -> Result<(), Failure> {
        if self.known.digests.contains_key(reference) {
            return Ok(());
        }
        let answer = self.run(step.name, command, Output::Kept).await?;
        let Some(digest) = digest(&answer) else {
            if !is_absent(&answer) {
                return Err(unknown(step, reference, &answer));
            }
            let text = format!(
                "{reference} is not in the registry ({}): --build --push it, or name one that is by --image-tag",
                answer.complaint()
            );
            return Err(Failure::new(step.class, text));
        };
        self.report.note(step.name, &format!("{reference} is {digest}"))?;
        self.known.digests.insert(reference.to_owned(), digest);
        Ok(())
    }

    async fn diff(&mut self, step: &Step, rendered: &Command, current: &Command) -> Result<(), Failure> {
        // A release that is not there yet has no manifests.
        let current = self.run(step.name, current, Output::Kept).await?;
        let rendered = self.run(step.name, rendered, Output::Kept).await?;
        if !rendered.is_good() {
            return Err(Failure::new(step.class, rendered.complaint()));
        }
        let current = if current.is_good() {
            current.out
        } else {
            String::new()
        };
        let (current, rendered) = (without_secrets(&current), without_secrets(&rendered.out));
        let text = difference(self.runner, &current, &rendered).await?;
        Ok(self
            .report
            .text(if text.is_empty() { "# no difference" } else { &text })?)
    }

    async fn upgrade(&mut self, step: &Step, command: &Command) -> Result<(), Failure> {
        self.before = history(self.runner, self.place).await?;
        let failure = match self.must(step, command).await {
            // Not of a tool that is missing.
            Err(
                failure @ Failure::At {
                    class: Class::RolledBack,
                    ..
                },
            ) => failure,
            Err(failure @ Failure::Interrupted { .. }) => {
                let after = history(self.runner, self.place).await?;
                let (_, text) = self.standing(after);
                warn(&text);
                return Err(failure);
            }
            done => return done,
        };
        diagnose(self.runner, self.place).await?;
        let after = history(self.runner, self.place).await?;
        let (class, text) = self.standing(after);
        Err(Failure::new(class, format!("{failure}\n{text}")))
    }

    /// How the release stands after an upgrade that failed.
    fn standing(&self, after: Option<Vec<Revision>>) -> (Class, String) {
        let release = format!(
            "release {} in namespace {}",
            self.place.release, self.place.environment.namespace
        );
        let before = self.before.as_ref().map(|before| before.last());
        let was_there = before.is_none_or(|last| last.is_some_and(|last| last.status != "uninstalled"));
        let Some(after) = after else {
            return (
                Class::NotRolledBack,
                format!("it is not known how {release} stands: ask `helm history`"),
            );
        };
        // One that is uninstalled and remembered is not there.
        let is_there = after.last().is_some_and(|last| last.status != "uninstalled");
        if !was_there && !is_there {
            let text = format!("rolled back: {release} was not there before, and is not now");
            return (Class::RolledBack, text);
        }
        let Some(last) = after.last() else {
            return (Class::NotRolledBack, format!("{release} is gone"));
        };
        let Revision {
            number: revision,
            status,
            description,
        } = last;
        if before.flatten() == Some(last) {
            let text = format!(
                "nothing was changed: {release} stands at revision {revision} ({status}: {description})"
            );
            return (Class::RolledBack, text + pending(last).unwrap_or_default());
        }
        if let Some(advice) = pending(last) {
            let text = format!("{release} is {status} at revision {revision}");
            return (Class::NotRolledBack, text + advice);
        }
        if status != "deployed" {
            let why = if self.wanted.wait && self.wanted.rollback {
                "the rollback failed too"
            } else {
                "it was not rolled back, as was asked for"
            };
            let mut text = format!("{why}: {release} is {status} at revision {revision} ({description})");
            if description.contains("conflict") {
                text.push_str(
                    "\nsomebody else has set fields of it since: --force-conflicts takes them back (`okteto down` ends \
                     what Okteto has taken)",
                );
            }
            return (Class::NotRolledBack, text);
        }
        let text = format!("rolled back: {release} stands at revision {revision} ({description})");
        (Class::RolledBack, text)
    }

    async fn rollouts(&mut self, step: &Step, list: &Command, wait: &Command) -> Result<(), Failure> {
        let answer = self.run(step.name, list, Output::KeptAndHeard).await?;
        if !answer.is_good() {
            let failure = Failure::new(step.class, "the workloads of the release cannot be listed");
            return Err(self.go_back(failure).await);
        }
        for workload in answer.out.lines().map(str::trim).filter(|name| !name.is_empty()) {
            let command = wait.clone().word(workload);
            match self.must(step, &command).await {
                Err(
                    failure @ Failure::At {
                        class: Class::Verify, ..
                    },
                ) => return Err(self.go_back(failure).await),
                done => done?,
            }
        }
        Ok(())
    }

    /// After what was deployed has turned out not to work: back to the revision before, if that is wanted and there
    /// is one.
    async fn go_back(&mut self, failure: Failure) -> Failure {
        match self.try_to_go_back(&failure).await {
            Ok(failure) | Err(failure) => failure,
        }
    }

    async fn try_to_go_back(&mut self, failure: &Failure) -> Result<Failure, Failure> {
        diagnose(self.runner, self.place).await?;
        let before = self
            .before
            .iter()
            .flatten()
            .rev()
            .find(|one| one.status == "deployed");
        let Some(revision) = before.map(|one| one.number).filter(|_| self.wanted.rollback) else {
            return Ok(Failure::new(
                Class::Verify,
                format!("{failure}\nnot rolled back: what is there is left as it is"),
            ));
        };
        let command = rollback(self.place, self.wanted, self.helm, revision);
        let answer = self.run("rollback", &command, Output::Passed).await?;
        Ok(if answer.is_good() {
            Failure::new(
                Class::Verify,
                format!("{failure}\nrolled back to revision {revision}"),
            )
        } else {
            Failure::new(
                Class::NotRolledBack,
                format!("{failure}\nthe rollback to revision {revision} failed too"),
            )
        })
    }

    /// Runs what only reads, and gives what it says; a failure is the release's.
    pub async fn read(&mut self, name: &str, command: &Command) -> Result<String, Failure> {
        let answer = self.run(name, command, Output::KeptAndHeard).await?;
        if answer.is_good() {
            return Ok(answer.out);
        }
        Err(Failure::new(
            Class::RolledBack,
            format!(
                "{name} failed with exit code {}: nothing was changed\n{}",
                answer.code,
                answer.out.trim()
            ),
        ))
    }
}

/// `helm rollback`.
pub fn rollback(place: &Place, wanted: &Wanted, major: u32, revision: u64) -> Command {
    let wait = if major >= 4 { "--wait=watcher" } else { "--wait" };
    let command = helm(place, &["rollback", &place.release, &revision.to_string()]);
    let command = if wanted.wait {
        command.words([wait, "--wait-for-jobs"])
    } else {
        command
    };
    let command = if wanted.force_conflicts && major >= 4 {
        command.word("--force-conflicts")
    } else {
        command
    };
    command.words(["--timeout", &wanted.timeout, "--cleanup-on-fail"])
}

/// What there is to do about a release that something is being done with, or was killed while it was; nothing of any other.
fn pending(revision: &Revision) -> Option<&'static str> {
    let advice = match revision.status.strip_prefix("pending-")? {
        "install" => {
            "\nsomebody else is deploying it, or was killed at its first time: wait, or `helm uninstall` it"
        }
        _ => "\nsomebody else is deploying it, or was killed: wait, or `sidereal deploy rollback`",
    };
    Some(advice)
}

/// Whether a registry said that it has no such image. Of a repository that is not there yet most say so, some that it may
/// not be seen.
fn is_absent(answer: &Answer) -> bool {
    let text = answer.complaint().to_ascii_lowercase();
    [
        "not found",
        "manifest unknown",
        "name unknown",
        "does not exist",
        "denied",
        "insufficient_scope",
    ]
    .iter()
    .any(|word| text.contains(word))
}

/// It is not known whether the registry has an image: built and pushed again, its tag would mean another.
fn unknown(step: &Step, reference: &str, answer: &Answer) -> Failure {
    let text = format!(
        "the registry does not say whether it has {reference}: {}",
        answer.complaint()
    );
    Failure::new(step.class, text)
}

/// The digest in what a registry says of an image.
fn digest(answer: &Answer) -> Option<String> {
    let manifest: Value = serde_json::from_str(&answer.out)
        .ok()
        .filter(|_| answer.is_good())?;
    let digest = manifest["digest"].as_str()?;
    let hex = digest.strip_prefix("sha256:")?;
    (hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| digest.to_owned())
}
