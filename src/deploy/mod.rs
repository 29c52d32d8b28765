//! The deploy command: finds charts and their images, plans what builds, pushes and installs them, and does it.
//!
//! Calls git, docker, helm, kubectl and sops as programs on PATH. Of the crate it uses nothing. A plan is data: what
//! `--dry-run` prints is what a run runs.

mod aftermath;
mod chart;
mod command;
mod failure;
mod git;
mod manifests;
mod plan;
mod private_file;
mod report;
mod run;
mod runner;

use std::path::Path;

use serde::Serialize;

use self::{
    chart::{Chart, Environment, charts, named},
    command::Command,
    failure::Class,
    plan::{Action, Facts, Image, Place, Step, Values},
    report::{Report, warn},
    run::Run,
    runner::{Output, Runner},
};
pub use self::{
    failure::Failure,
    plan::{Setting, Wanted},
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
    let chosen = choose(&mut runner, charts, which).await?;
    if chosen.is_empty() {
        report.note("changed", "nothing is changed")?;
    }
    for chart in &chosen {
        one(&mut runner, chart, at, wanted, dry, report).await?;
    }
    Ok(())
}

async fn one(
    runner: &mut Runner,
    chart: &Chart,
    at: &Where,
    wanted: &Wanted,
    dry: Option<DryRun>,
    report: Report,
) -> Result<(), Failure> {
    let place = place(chart, at)?;
    let facts = facts(runner, chart, &place, wanted, dry).await?;
    for refusal in refusals(runner, chart, &place, at, wanted, &facts).await? {
        if dry.is_none() {
            return Err(refusal);
        }
        warn(&format!("sidereal: this would be refused: {refusal}"));
    }
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

/// Takes a release back to a revision; to the last good one before this, if none is named.
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
    let place = place(&named(charts, name)?, at)?;
    let mut refused: Vec<Failure> = unconfirmed(&place, at, "rollback").into_iter().collect();
    refused.extend(wrong_context(&mut runner, &place).await?);
    for refusal in refused {
        if !dry {
            return Err(refusal);
        }
        warn(&format!("sidereal: this would be refused: {refusal}"));
    }
    let revision = match revision {
        None if !dry => Some(good_before(&mut runner, &place).await?),
        named => named,
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

/// The last revision before the one that stands which was deployed well.
async fn good_before(runner: &mut Runner, place: &Place) -> Result<u64, Failure> {
    let revisions = aftermath::history(runner, place).await?.unwrap_or_default();
    let before = revisions.iter().rev().find(|one| one.status == "superseded");
    before.map(|one| one.number).ok_or_else(|| {
        let namespace = &place.environment.namespace;
        let text = format!(
            "release {} in namespace {namespace} has no revision to go back to",
            place.release
        );
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
        plan::helm(&place, &["history", &place.release, "--max", "5"]).words(format.iter().copied());
    let workloads = plan::kubectl(
        &place,
        &[
            "get",
            "deployments,statefulsets,daemonsets,pods",
            "--selector",
            &plan::selector(&place),
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
            let tag = git::tag(&mut runner, &image.paths).await?;
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
        environment.context.clone_from(context);
    }
    if let Some(namespace) = &at.namespace {
        environment.namespace.clone_from(namespace);
    }
    Ok(Place {
        name: at.environment.clone(),
        environment,
        release: at.release.clone().unwrap_or_else(|| chart.name.clone()),
    })
}

async fn facts(
    runner: &mut Runner,
    chart: &Chart,
    place: &Place,
    wanted: &Wanted,
    dry: Option<DryRun>,
) -> Result<Facts, Failure> {
    let mut images = Vec::new();
    for file in &chart.images {
        images.push(Image {
            tag: git::tag(runner, &file.paths).await?,
            repository: format!("{}/{}", place.environment.registry, file.name),
            file: file.clone(),
        });
    }
    let has_diff = wanted.deploy && wanted.diff && {
        let plugins = runner
            .ask(&Command::new("helm").words(["plugin", "list"]))
            .await?;
        plugins
            .out
            .lines()
            .any(|line| line.split_whitespace().next() == Some("diff"))
    };
    Ok(Facts {
        helm: if wanted.deploy {
            major(runner, dry == Some(DryRun::Plan)).await?
        } else {
            4
        },
        has_diff,
        images,
        has_lock: chart.has("Chart.lock"),
        has_tests: chart.has("templates/tests"),
        values: chart.values(&place.name)?,
        secret: chart.secret(&place.name),
    })
}

/// The first number of Helm's version; 4 where it need not be there and is not.
async fn major(runner: &mut Runner, may_be_missing: bool) -> Result<u32, Failure> {
    let command = Command::new("helm").words(["version", "--template", "{{.Version}}"]);
    let version = match runner.ask(&command).await {
        Ok(answer) if answer.is_good() => answer.out,
        Err(Failure::At { message, .. }) if may_be_missing => {
            warn(&format!("sidereal: {message}; these are the options of Helm 4"));
            return Ok(4);
        }
        Ok(answer) => {
            return Err(Failure::new(
                Class::Setup,
                format!("helm version: {}", answer.complaint()),
            ));
        }
        Err(failure) => return Err(failure),
    };
    let number = version
        .trim()
        .trim_start_matches('v')
        .split('.')
        .next()
        .and_then(|number| number.parse().ok());
    number.filter(|number| *number >= 3).ok_or_else(|| {
        Failure::new(
            Class::Setup,
            format!("Helm {} is none of 3 and later", version.trim()),
        )
    })
}

/// Why it must not be done.
async fn refusals(
    runner: &mut Runner,
    chart: &Chart,
    place: &Place,
    at: &Where,
    wanted: &Wanted,
    facts: &Facts,
) -> Result<Vec<Failure>, Failure> {
    let mut refusals = Vec::new();
    if wanted.deploy {
        refusals.extend(unconfirmed(place, at, "deploy"));
    }
    let dirty = facts.images.iter().find(|image| image.tag.dirty);
    if let Some(image) = dirty {
        let has_production = chart.environments().iter().any(|name| name == PRODUCTION);
        let is_production = place.name == PRODUCTION
            || (has_production && chart.environment(PRODUCTION)?.registry == place.environment.registry);
        let name = image.reference();
        if wanted.push && is_production {
            refusals.push(Failure::usage(format!(
                "{name} has changes that are in no commit, and is not pushed to production's registry: commit them"
            )));
        } else if wanted.deploy && wanted.image_tag.is_none() && place.name == PRODUCTION {
            refusals.push(Failure::usage(format!(
                "{name} has changes that are in no commit, and is not deployed to production: commit them"
            )));
        } else {
            warn(&format!("sidereal: {name} has changes that are in no commit"));
        }
    }
    let alone = !(wanted.build || wanted.push || wanted.deploy);
    if wanted.setup && (wanted.push || alone) && wanted.login.is_none() {
        refusals.push(Failure::new(
            Class::Setup,
            format!(
                "{REGISTRY_USER} and {REGISTRY_PASSWORD} are not set: set them to log in to {}, or log in yourself and \
                 say --no-setup",
                place.environment.registry
            ),
        ));
    }
    if wanted.deploy {
        refusals.extend(wrong_context(runner, place).await?);
    }
    Ok(refusals)
}

fn unconfirmed(place: &Place, at: &Where, what: &str) -> Option<Failure> {
    (place.name == PRODUCTION && !at.confirmed).then(|| {
        Failure::usage(format!(
            "{what} goes to production: say --yes if that is meant, or --env ENV"
        ))
    })
}

/// kubectl points at another cluster than the one that is meant.
async fn wrong_context(runner: &mut Runner, place: &Place) -> Result<Option<Failure>, Failure> {
    let wanted = &place.environment.context;
    let is = match runner
        .ask(&Command::new("kubectl").words(["config", "current-context"]))
        .await
    {
        Ok(answer) if answer.is_good() => answer.out.trim().to_owned(),
        Ok(_) => String::new(),
        Err(failure @ Failure::At { .. }) => return Ok(Some(failure)),
        Err(failure) => return Err(failure),
    };
    if is == *wanted {
        return Ok(None);
    }
    let is = if is.is_empty() {
        "none".to_owned()
    } else {
        format!("{is:?}")
    };
    let text = format!(
        "the current context is {is}, and {} is deployed in {wanted:?}: kubectl config use-context {wanted}",
        place.name
    );
    Ok(Some(Failure::new(Class::Setup, text)))
}
