//! `sidereal deploy`: charts of a clone, built, pushed, installed.

use std::{
    collections::HashMap,
    io::{self, Write},
    path::Path,
};

use anyhow::Result;
use clap::{ArgGroup, Args, Subcommand, ValueEnum};

use super::{Usage, say};
use crate::{
    deploy::{
        DryRun, PRODUCTION, REGISTRY_PASSWORD, REGISTRY_USER, Setting, Wanted, Where, Which, changed, deploy,
        is_tag, list, rollback, status,
    },
    settings::environment,
};

/// Build, push and deploy a chart of this clone
///
/// Without --build, --push and --deploy it sets up only: logs in to the registry with REGISTRY_USER and
/// REGISTRY_PASSWORD, and asks the cluster for leave. An image is called after the last commit that touched its paths,
/// and is deployed by its digest in the registry. It goes to the kubectl context of charts/CHART/environments/ENV.toml
/// and to no other. Values that are encrypted by SOPS are taken from secrets/CHART.ENV.yaml.
///
/// Exit codes: 0 ok, 1 other, 2 usage, 3 set-up, 4 build, 5 push, 6 not deployed and as it was before, 7 not deployed
/// and not as it was before, 8 deployed and found not to work (it goes back, if there is a revision to go back to).
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
#[command(group(ArgGroup::new("which").required(true).args(["chart", "all", "changed"])))]
pub struct DeployCommand {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    deploy: Deployment,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print the commands of a deployment; all of --build --push --deploy if none is named
    #[command(group(ArgGroup::new("which").required(true).args(["chart", "all", "changed"])))]
    Plan(Box<Deployment>),
    /// List charts, their environments and their images
    List {
        #[command(flatten)]
        shown: Shown,
    },
    /// List the charts that a range of commits changed
    Changed {
        /// BASE..HEAD [default: what this branch has beyond origin/main]
        #[arg(default_value = "", hide_default_value = true)]
        range: String,
        #[command(flatten)]
        shown: Shown,
    },
    /// Take a release back to a revision; to the newest one that was good before what stands if none is named
    Rollback {
        chart: String,
        revision: Option<u64>,
        #[command(flatten)]
        to: To,
        #[command(flatten)]
        how: How,
        /// Print the commands, and run none
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        shown: Shown,
    },
    /// Show a release's revisions, and what runs of it
    Status {
        chart: String,
        #[command(flatten)]
        to: To,
        #[command(flatten)]
        shown: Shown,
    },
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
struct Deployment {
    /// A folder of charts/
    #[arg(value_name = "CHARTNAME")]
    chart: Option<String>,
    /// Every chart
    #[arg(long, conflicts_with_all = ["release", "namespace", "image_tag"])]
    all: bool,
    /// The charts that a range of commits changed [default: what this branch has beyond origin/main]
    #[arg(
        long, value_name = "BASE..HEAD", num_args = 0..=1, require_equals = true, default_missing_value = "",
        conflicts_with_all = ["release", "namespace", "image_tag"]
    )]
    changed: Option<String>,
    /// Do not log in to the registry, nor ask the cluster for leave
    #[arg(long)]
    no_setup: bool,
    /// Build the chart's images, unless they are in the registry already
    #[arg(long)]
    build: bool,
    /// Push what was built; does nothing without --build
    #[arg(long)]
    push: bool,
    /// Push what was built before
    #[arg(long, conflicts_with_all = ["build", "push"])]
    push_only: bool,
    /// Take layers of builds from GitHub's cache, and keep them there: in a workflow, with its runtime's variables
    #[arg(long)]
    github_cache: bool,
    /// Install or upgrade the release
    #[arg(long)]
    deploy: bool,
    /// Run the chart's tests after it
    #[arg(long)]
    test: bool,
    /// A file of values after the environment's; the last one wins
    #[arg(long, value_name = "FILE")]
    values: Vec<String>,
    /// A value after those of the files; tags, digests and secrets are always texts
    ///
    /// Texts are given to Helm in private files, and are not printed, since any of them may hold a secret: a settings file,
    /// a URL, a variable. Printed are numbers, `null`, `true`, `false`, the names of objects (existingSecret.name), and
    /// single words that are called tag, digest, repository, registry, host, domain, namespace, path, region, environment,
    /// level, mode, type, size or pullPolicy, unless another part of their name is a secret's (password, secret, token,
    /// credential, key, passphrase). Everybody on the machine can read the words of this command too: where that matters,
    /// say secrets by --values or secrets/CHART.ENV.yaml.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Go back on purpose: deploy although what production runs was deployed from a later commit
    #[arg(long)]
    allow_older: bool,
    /// Deploy the image that has this tag in the registry, by its digest
    #[arg(long, value_name = "TAG", value_parser = tag, conflicts_with_all = ["build", "push", "push_only"])]
    image_tag: Option<String>,
    /// Fetch newer versions of what the chart depends on, instead of those in Chart.lock
    #[arg(long)]
    update_deps: bool,
    /// Show how the release changes
    #[arg(long)]
    diff: bool,
    /// Print the commands and run none that changes anything; render the manifests (client); let the cluster judge them
    /// (server)
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "plan")]
    dry_run: Option<Dry>,
    /// How many revisions of a release are kept
    #[arg(long, value_name = "N", default_value_t = 10)]
    history_max: u32,
    #[command(flatten)]
    to: To,
    #[command(flatten)]
    how: How,
    #[command(flatten)]
    shown: Shown,
}

/// Where a release is.
#[derive(Debug, Args)]
struct To {
    /// A file of charts/CHART/environments/ and values-ENV.yaml
    #[arg(long, default_value = PRODUCTION)]
    env: String,
    /// Instead of the environment's
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// Instead of the chart's name
    #[arg(long, value_name = "NAME")]
    release: Option<String>,
    /// Instead of the environment's; kubectl must point there all the same
    #[arg(long, value_name = "NAME")]
    kube_context: Option<String>,
    /// Production is meant: its environment, namespace or cluster (not needed where CI is set)
    #[arg(long)]
    yes: bool,
}

/// How long, and what if not.
#[derive(Debug, Args)]
struct How {
    /// For each thing that is waited for
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    timeout: String,
    /// Do not wait until it runs, nor go back if it does not
    #[arg(long)]
    no_wait: bool,
    /// Leave what does not work as it is
    #[arg(long)]
    no_rollback: bool,
    /// Take back fields that somebody else has set since (`kubectl scale`, `kubectl set image`)
    #[arg(long)]
    force_conflicts: bool,
}

#[derive(Debug, Args)]
struct Shown {
    /// Lines, or JSON: an event a line, or a list
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Dry {
    Plan,
    Client,
    Server,
}

impl DeployCommand {
    pub async fn run(self) -> Result<()> {
        let Some(action) = self.action else {
            return self.deploy.run().await;
        };
        match action {
            Action::Plan(mut command) => {
                command.dry_run.get_or_insert(Dry::Plan);
                if !(command.build || command.push || command.push_only || command.deploy) {
                    command.deploy = true;
                    (command.build, command.push) = match command.image_tag {
                        None => (true, true),
                        Some(_) => (false, false),
                    };
                }
                command.run().await
            }
            Action::List { shown } => {
                let charts = list().await?;
                if shown.is_json() {
                    return Ok(say(serde_json::to_string(&charts)?)?);
                }
                for one in charts {
                    let (chart, environments) = (one.chart, one.environments.join(", "));
                    say(format_args!("{chart}\t{environments}\t{}", one.images.join(", ")))?;
                }
                Ok(())
            }
            Action::Changed { range, shown } => {
                let names = changed(&range).await?;
                if shown.is_json() {
                    return Ok(say(serde_json::to_string(&names)?)?);
                }
                for name in names {
                    say(name)?;
                }
                Ok(())
            }
            Action::Rollback {
                chart,
                revision,
                to,
                how,
                dry_run,
                shown,
            } => {
                let wanted = how.wanted();
                Ok(rollback(&chart, revision, &to.place(), &wanted, dry_run, shown.is_json()).await?)
            }
            Action::Status { chart, to, shown } => Ok(status(&chart, &to.place(), shown.is_json()).await?),
        }
    }
}

impl Deployment {
    async fn run(self) -> Result<()> {
        let which = match (self.chart, self.changed) {
            (Some(chart), _) => Which::Named(chart),
            (None, Some(range)) => Which::Changed(range),
            (None, None) => Which::All,
        };
        if self.push && !self.build {
            // If standard error is closed there is nobody to tell.
            let _ = io::stderr().write_all(b"sidereal: --push is ignored without --build; see --push-only\n");
        }
        let mut environment: HashMap<String, String> = environment().collect();
        let login = environment
            .remove(REGISTRY_USER)
            .zip(environment.remove(REGISTRY_PASSWORD));
        let mut sets = Vec::new();
        for text in &self.set {
            sets.extend(Setting::all(text).map_err(|expected| Usage(format!("--set: {expected}")))?);
        }
        let wanted = Wanted {
            setup: !self.no_setup,
            build: self.build,
            push: (self.push && self.build) || self.push_only,
            github_cache: self.github_cache,
            deploy: self.deploy,
            test: self.test,
            diff: self.diff,
            update_dependencies: self.update_deps,
            history_max: self.history_max,
            values: self
                .values
                .iter()
                .map(|file| existing(file))
                .collect::<Result<_, _>>()?,
            sets,
            allow_older: self.allow_older,
            image_tag: self.image_tag,
            login: login.map(|(name, password)| (name, password.into())),
            ..self.how.wanted()
        };
        let dry = self.dry_run.map(|dry| match dry {
            Dry::Plan => DryRun::Plan,
            Dry::Client => DryRun::Client,
            Dry::Server => DryRun::Server,
        });
        Ok(deploy(&which, &self.to.place(), &wanted, dry, self.shown.is_json()).await?)
    }
}

impl To {
    fn place(self) -> Where {
        let is_ci = environment().any(|(name, value)| name == "CI" && !matches!(&*value, "" | "0" | "false"));
        Where {
            environment: self.env,
            namespace: self.namespace,
            release: self.release,
            context: self.kube_context,
            confirmed: self.yes || is_ci,
        }
    }
}

impl How {
    /// Nothing but this.
    fn wanted(self) -> Wanted {
        Wanted {
            timeout: self.timeout,
            wait: !self.no_wait,
            rollback: !self.no_rollback,
            force_conflicts: self.force_conflicts,
            ..Wanted::default()
        }
    }
}

impl Shown {
    fn is_json(&self) -> bool {
        self.output == Output::Json
    }
}

/// A tag that can be one, and nothing besides.
fn tag(text: &str) -> Result<String, &'static str> {
    let expected = "expected at most 128 of A-Z, a-z, 0-9, _, . and -, the first neither . nor -";
    is_tag(text).then(|| text.to_owned()).ok_or(expected)
}

/// A time as Helm and kubectl have it.
fn duration(text: &str) -> Result<String, String> {
    let mut rest = text;
    while let Some(unit) = rest.find(|c: char| c.is_ascii_alphabetic()) {
        let (number, after) = rest.split_at(unit);
        let is_number = number.starts_with(|c: char| c.is_ascii_digit()) && number.parse::<f64>().is_ok();
        let unit = ["ms", "h", "m", "s"]
            .into_iter()
            .find_map(|unit| after.strip_prefix(unit));
        match unit.filter(|_| is_number) {
            Some("") => return Ok(text.to_owned()),
            Some(next) => rest = next,
            None => break,
        }
    }
    Err("expected a time such as 10m or 1h30m".to_owned())
}

/// A file from where the command is given; commands are run elsewhere.
fn existing(file: &str) -> Result<String, Usage> {
    let path = std::path::absolute(Path::new(file))
        .ok()
        .filter(|path| path.is_file());
    path.map(|path| path.display().to_string())
        .ok_or_else(|| Usage(format!("--values: there is no file {file}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_helm() {
        for good in ["10m", "8s", "1h30m", "1.5h", "500ms"] {
            assert!(duration(good).is_ok(), "{good}");
        }
        for wrong in [
            "", "10", "m", "-1m", "10 m", "$(x)s", "1hm", "1h3", "1.2.3s", "1e3s",
        ] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
