//! What is found out before a plan is made, by commands that change nothing: images and their tags, Helm's version, the
//! namespace, and what the chart's folder has.

use super::{
    DryRun,
    chart::Chart,
    command::Command,
    failure::{Class, Failure},
    git::{self, Tag},
    guard::is_production,
    place::{Place, kubectl},
    plan::{Facts, Image, Wanted},
    report::warn,
    runner::Runner,
};

/// The images of a chart: of the tag that is named, else of their commits'.
pub async fn images(
    runner: &mut Runner,
    chart: &Chart,
    place: &Place,
    wanted: &Wanted,
) -> Result<Vec<Image>, Failure> {
    let mut images = Vec::new();
    for file in &chart.images {
        let tag = match &wanted.image_tag {
            Some(named) => Tag {
                name: named.clone(),
                dirty: false,
            },
            None => git::tag(runner, file).await?,
        };
        let mut labels = Vec::new();
        if wanted.build {
            labels.push(("version", tag.name.clone()));
            labels.extend(git::origin(runner, &file.paths).await?);
        }
        images.push(Image {
            tag,
            labels,
            repository: format!("{}/{}", place.environment.registry, file.name),
            file: file.clone(),
        });
    }
    Ok(images)
}

/// What else a plan of these images is made of; nothing is asked for that is not deployed.
pub async fn facts(
    runner: &mut Runner,
    chart: &Chart,
    place: &Place,
    wanted: &Wanted,
    dry: Option<DryRun>,
    images: Vec<Image>,
) -> Result<Facts, Failure> {
    let mut facts = Facts {
        helm: 4,
        has_diff: false,
        lacks_namespace: false,
        images,
        commit: None,
        has_lock: chart.has("Chart.lock"),
        has_tests: chart.has("templates/tests"),
        values: chart.values(&place.name)?,
        secret: chart.secret(&place.name),
    };
    if wanted.deploy && is_production(chart, place)? {
        facts.commit = Some(git::head(runner).await?);
    }
    if wanted.deploy {
        facts.helm = major(runner, dry == Some(DryRun::Plan)).await?;
        facts.lacks_namespace = lacks_namespace(runner, place, dry.is_some()).await?;
        facts.has_diff = wanted.diff && has_diff(runner).await?;
    }
    Ok(facts)
}

/// Whether Helm has the plugin that shows how a release would change.
async fn has_diff(runner: &mut Runner) -> Result<bool, Failure> {
    let command = Command::new("helm").words(["plugin", "list"]);
    let plugins = runner.ask(&command).await?.out;
    Ok(plugins
        .lines()
        .any(|line| line.split_whitespace().next() == Some("diff")))
}

/// Whether the namespace is known not to be there. Who may not ask may not make it either, and Helm says what is missing.
async fn lacks_namespace(runner: &mut Runner, place: &Place, may_fail: bool) -> Result<bool, Failure> {
    let namespace = &place.environment.namespace;
    let command = kubectl(place, &["get", "namespace", namespace, "--output", "name"]);
    match runner.ask(&command).await {
        Ok(answer) => Ok(!answer.is_good() && answer.err.contains("(NotFound)")),
        Err(Failure::At { .. }) if may_fail => Ok(false),
        Err(failure) => Err(failure),
    }
}

/// The first number of Helm's version; 4 where it need not be there and is not.
pub async fn major(runner: &mut Runner, may_be_missing: bool) -> Result<u32, Failure> {
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
