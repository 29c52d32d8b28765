//! The deploy command: finds charts and their images, plans what builds, pushes and installs them, and does it.
//!
//! Calls git, docker, helm, kubectl and sops as programs on PATH. Of the crate it uses nothing. A plan is data: what
//! `--dry-run` prints is what a run runs. `chart`, `git`, `setting` and `facts` find out what there is and what is asked,
//! `guard` says what must not be at a `place`, `plan` makes steps of it, whose `command`s `run` has a `runner` do; `history`,
//! `aftermath` and `manifests` see to what became of a release.

mod aftermath;
mod chart;
mod command;
mod facts;
mod failure;
mod git;
mod guard;
mod history;
mod manifests;
mod place;
mod plan;
mod private_file;
mod report;
mod run;
mod runner;
mod setting;

use std::path::Path;

use serde::Serialize;

pub use self::{chart::is_tag, failure::Failure, plan::Wanted, setting::Setting};
use self::{
    chart::{Chart, Environment, charts, is_context, is_label, is_release, named},
    facts::{facts, images, major},
    failure::Class,
    guard::{of_another_chart, refusals, unconfirmed, wrong_context},
    history::{good_before, history},
    place::Place,
    plan::{Action, Facts, Step, Values},
    report::{Report, warn},
    run::Run,
    runner::{Output, Runner},
};

/// The environment that is protected most, and that is meant if none is named.
pub const PRODUCTION: &str = "production";
/// Variables with the name and the password at a registry; the second is handed to docker's standard input alone.
pub const REGISTRY_USER: &str = "REGISTRY_USER";
/// See [`REGISTRY_USER`].
pub const REGISTRY_PASSWORD: &str = "REGISTRY_PASSWORD";

/// Which charts.
#[derive(Debug, Clone)]
pub enum Which {
    /// The one of this name.
    Named(String),
    /// All of `charts/`.
    All,
    /// Those that a range of commits (`BASE..HEAD`; empty: this branch) changed.
    Changed(String),
}

/// How far a dry run goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DryRun {
    /// Prints commands.
    Plan,
    /// Renders the manifests too.
    Client,
    /// Lets the cluster judge them too.
    Server,
}

/// Where: an environment, and what is different from its file.
#[derive(Debug, Clone)]
pub struct Where {
    /// Its name: `production`, `staging`, …
    pub environment: String,
    /// Instead of the environment's.
    pub namespace: Option<String>,
    /// Instead of the chart's name.
    pub release: Option<String>,
    /// Instead of the environment's.
    pub context: Option<String>,
    /// A person has said that production is meant, or this is CI.
    pub confirmed: bool,
}

/// Builds, pushes and deploys charts, as far as is wanted.
///
/// # Errors
/// The first step that failed; its class is the command's exit code. No later step was begun.
pub async fn deploy(
    which: &Which,
    at: &Where,
    wanted: &Wanted,
    dry: Option<DryRun>,
    json: bool,
) -> Result<(), Failure> {
    let (mut runner, charts) = repository().await?;
    let report = Report { json };
    let mut chosen = choose(&mut runner, charts, which).await?;
    if !matches!(which, Which::Named(_)) {
        // A library of others goes nowhere by itself.
        chosen.retain(|chart| !chart.environments().is_empty());
    }
    if chosen.is_empty() {
        report.note("changed", "nothing is changed")?;
    }
    // None is begun if one of them has nowhere to go.
    let places: Result<Vec<Place>, Failure> = chosen.iter().map(|chart| place(chart, at)).collect();
    for (chart, place) in chosen.iter().zip(places?) {
        one(&mut runner, chart, place, at, wanted, dry, report).await?;
    }
    Ok(())
}

async fn one(
    runner: &mut Runner,
    chart: &Chart,
    place: Place,
    at: &Where,
    wanted: &Wanted,
    dry: Option<DryRun>,
    report: Report,
) -> Result<(), Failure> {
    let images = images(runner, chart, &place, wanted).await?;
    for refusal in refusals(runner, chart, &place, at, wanted, &images).await? {
        if dry.is_none() {
            return Err(refusal);
        }
        warn(&format!("sidereal: this would be refused: {refusal}"));
    }
    let facts = facts(runner, chart, &place, wanted, dry, images).await?;
    let steps = plan::steps(chart, &place, wanted, &facts);
    let Environment {
        context,
        namespace,
        domain,
        ..
    } = &place.environment;
    let release = &place.release;
    report.note(
        "plan",
        &format!(
            "{} for {}: context {context}, namespace {namespace}, release {release}",
            chart.name, place.name
        ),
    )?;
    let mut run = Run::new(runner, report, &place, wanted, facts.helm);
    if let Some(dry) = dry {
        run.show(&steps)?;
        return if wanted.deploy {
            judge(&mut run, chart, &facts, dry).await
        } else {
            Ok(())
        };
    }
    run.all(&steps).await?;
    if wanted.deploy {
        report.note("deployed", &format!("{release} is deployed: https://{domain}"))?;
    }
    Ok(())
}

/// What a dry run finds out beyond its commands, by such that change nothing.
async fn judge(run: &mut Run<'_>, chart: &Chart, facts: &Facts, dry: DryRun) -> Result<(), Failure> {
    let (place, wanted) = (run.place, run.wanted);
    if dry == DryRun::Client {
        run.read("lint", &plan::lint(chart, place, wanted, facts, Values::Shown))
            .await?;
        let text = run
            .read(
                "template",
                &plan::template(chart, place, wanted, facts, Values::Shown),
            )
            .await?;
        run.report.text(&manifests::without_secrets(&text))?;
    }
    if dry == DryRun::Server {
        if let Some(secret) = &facts.secret {
            let action = Action::Decrypt(plan::decrypt(secret));
            run.all(&[Step {
                name: "decrypt",
                class: Class::Setup,
                action,
            }])
            .await?;
        }
        let text = run
            .read("upgrade", &plan::judged(chart, place, wanted, facts))
            .await?;
        // Helm hides the secrets of manifests, not those of hooks.
        run.report.text(&manifests::without_secrets(&text))?;
    }
    if wanted.diff {
        let which = if dry == DryRun::Server {
            Values::Undigested
        } else {
            Values::Shown
        };
        let action = plan::diff(chart, place, wanted, facts, which);
        run.all(&[Step {
            name: "diff",
            class: Class::RolledBack,
            action,
        }])
        .await?;
    }
    Ok(())
}

/// Takes a release back to a revision; to the newest one that was good before what stands, if none is named.
///
/// # Errors
/// As [`deploy`].
pub async fn rollback(
    name: &str,
    revision: Option<u64>,
    at: &Where,
    wanted: &Wanted,
    dry: bool,
    json: bool,
) -> Result<(), Failure> {
    let (mut runner, charts) = repository().await?;
    let chart = named(charts, name)?;
    let place = place(&chart, at)?;
    let mut refused: Vec<Failure> = unconfirmed(&chart, &place, at, "rollback")?.into_iter().collect();
    refused.extend(wrong_context(&mut runner, &place).await?);
    if refused.is_empty() {
        refused.extend(of_another_chart(&mut runner, &chart, &place).await?);
    }
    for refusal in refused {
        if !dry {
            return Err(refusal);
        }
        warn(&format!("sidereal: this would be refused: {refusal}"));
    }
    let revision = match revision {
        None => last_good(&mut runner, &place).await?,
        Some(named) => named,
    };
    let major = major(&mut runner, dry).await?;
    let report = Report { json };
    let mut steps = vec![Step {
        name: "rollback",
        class: Class::NotRolledBack,
        action: Action::Run(run::rollback(&place, wanted, major, revision)),
    }];
    steps.extend(plan::rollouts(&place, wanted));
    let mut run = Run::new(&mut runner, report, &place, wanted, major);
    if dry {
        run.show(&steps)
    } else {
        run.all(&steps).await
    }
}

/// The revision to go back to if none is named.
async fn last_good(runner: &mut Runner, place: &Place) -> Result<u64, Failure> {
    let namespace = &place.environment.namespace;
    let release = format!("release {} in namespace {namespace}", place.release);
    let Some(revisions) = history(runner, place).await? else {
        let text = format!("the revisions of {release} are not known: ask `helm history`");
        return Err(Failure::new(Class::NotRolledBack, text));
    };
    good_before(&revisions).ok_or_else(|| {
        let text = format!("{release} has no good revision before what stands: name one, if that is meant");
        Failure::new(Class::NotRolledBack, text)
    })
}

/// Shows the revisions of a release, and what runs of it.
///
/// # Errors
/// As [`deploy`]; a release that is not there is of the last class.
pub async fn status(name: &str, at: &Where, json: bool) -> Result<(), Failure> {
    let (mut runner, charts) = repository().await?;
    let place = place(&named(charts, name)?, at)?;
    let format: &[&str] = if json { &["--output", "json"] } else { &[] };
    let history =
        place::helm(&place, &["history", &place.release, "--max", "5"]).words(format.iter().copied());
    let workloads = place::kubectl(
        &place,
        &[
            "get",
            "deployments,statefulsets,daemonsets,pods",
            "--selector",
            &place::selector(&place),
        ],
    )
    .words(format.iter().copied());
    for command in [history, workloads] {
        let answer = runner
            .run(&command, &command::Known::default(), Output::Passed)
            .await?;
        if !answer.is_good() {
            let text = format!("release {} is not to be seen", place.release);
            return Err(Failure::new(Class::Verify, text));
        }
    }
    Ok(())
}

/// A chart as `list` tells it.
#[derive(Debug, Serialize)]
pub struct Listed {
    /// Its name.
    pub chart: String,
    /// Its environments.
    pub environments: Vec<String>,
    /// Its images with the tags that they would get now.
    pub images: Vec<String>,
}

/// The charts of the repository around the current folder.
///
/// # Errors
/// There is no repository, or a file of it is not as it should be.
pub async fn list() -> Result<Vec<Listed>, Failure> {
    let (mut runner, charts) = repository().await?;
    let mut listed = Vec::new();
    for chart in charts {
        let mut images = Vec::new();
        for image in &chart.images {
            let tag = git::tag(&mut runner, image).await?;
            images.push(format!("{}:{}", image.name, tag.name));
        }
        listed.push(Listed {
            environments: chart.environments(),
            images,
            chart: chart.name,
        });
    }
    Ok(listed)
}

/// The names of the charts that a range of commits changed.
///
/// # Errors
/// As [`list`].
pub async fn changed(range: &str) -> Result<Vec<String>, Failure> {
    let (mut runner, charts) = repository().await?;
    let chosen = choose(&mut runner, charts, &Which::Changed(range.to_owned())).await?;
    Ok(chosen.into_iter().map(|chart| chart.name).collect())
}

async fn repository() -> Result<(Runner, Vec<Chart>), Failure> {
    let mut runner = Runner::new(Path::new("."), &[REGISTRY_PASSWORD])?;
    runner.root = git::root(&mut runner).await?;
    let charts = charts(&runner.root)?;
    Ok((runner, charts))
}

async fn choose(runner: &mut Runner, charts: Vec<Chart>, which: &Which) -> Result<Vec<Chart>, Failure> {
    match which {
        Which::Named(name) => Ok(vec![named(charts, name)?]),
        Which::All => Ok(charts),
        Which::Changed(range) => {
            let Some(range) = git::range(runner, range).await? else {
                warn("sidereal: the base of the range is not known here: all counts as changed");
                return Ok(charts);
            };
            let mut chosen = Vec::new();
            for chart in charts {
                if git::differs(runner, &range, &chart.sources()).await? {
                    chosen.push(chart);
                }
            }
            Ok(chosen)
        }
    }
}

fn place(chart: &Chart, at: &Where) -> Result<Place, Failure> {
    let mut environment = chart.environment(&at.environment)?;
    if let Some(context) = &at.context {
        if !is_context(context) {
            return Err(Failure::usage(
                "--kube-context: expected a name of kubectl's configuration",
            ));
        }
        environment.context.clone_from(context);
    }
    let release = at.release.as_ref().unwrap_or(&chart.name);
    if !is_release(release) {
        return Err(Failure::usage(format!(
            "--release: expected at most 53 of a-z, 0-9, - and ., not {release:?}"
        )));
    }
    if let Some(namespace) = &at.namespace {
        if !is_label(namespace) {
            return Err(Failure::usage(format!(
                "--namespace: expected at most 63 of a-z, 0-9 and -, not {namespace:?}"
            )));
        }
        environment.namespace.clone_from(namespace);
    }
    Ok(Place {
        name: at.environment.clone(),
        environment,
        release: release.clone(),
    })
}
