//! What must not be done: to production by mistake, with changes that nobody else has, on another cluster than is meant.

use serde_json::Value;

use super::{
    PRODUCTION, REGISTRY_PASSWORD, REGISTRY_USER, Where,
    chart::{Chart, Environment},
    command::Command,
    failure::{Class, Failure},
    git::{self, Kin},
    history::{commit, history},
    manifests::images_of,
    place::{Place, helm},
    plan::{Image, Wanted, by_digest, mark, unpushed},
    report::warn,
    runner::Runner,
};

/// Why a deployment must not be done.
pub async fn refusals(
    runner: &mut Runner,
    chart: &Chart,
    place: &Place,
    at: &Where,
    wanted: &Wanted,
    images: &[Image],
) -> Result<Vec<Failure>, Failure> {
    let mut refusals = Vec::new();
    if wanted.deploy {
        refusals.extend(unconfirmed(chart, place, at, "deploy")?);
    }
    if wanted.deploy && git::is_dirty(runner, &chart.sources()).await? {
        let what = format!(
            "chart {} or what belongs to it has changes that are in no commit",
            chart.name
        );
        if is_production(chart, place)? {
            refusals.push(Failure::usage(format!(
                "{what}, and is not deployed to production: commit them"
            )));
        } else {
            warn(&format!("sidereal: {what}"));
        }
    }
    let dirty = images.iter().find(|image| image.tag.dirty);
    if let Some(image) = dirty {
        let is_production = is_production(chart, place)?;
        let registry = production(chart)?.map(|environment| environment.registry);
        let name = image.reference();
        if wanted.push && (is_production || registry.as_ref() == Some(&place.environment.registry)) {
            refusals.push(Failure::usage(format!(
                "{name} has changes that are in no commit, and is not pushed to production's registry: commit them"
            )));
        } else if !wanted.deploy {
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
    // One reason is enough not to ask Helm.
    if wanted.deploy && refusals.is_empty() {
        refusals.extend(of_another_chart(runner, chart, place).await?);
        if is_production(chart, place)? && !wanted.allow_older {
            refusals.extend(overtaken(runner, place).await?);
        }
    }
    if (wanted.push || wanted.deploy) && refusals.is_empty() {
        refusals.extend(elsewhere(runner, chart, place, wanted, images).await?);
    }
    Ok(refusals)
}

/// A release of this name is there, and of another chart: an upgrade would put this chart's objects in the place of its own.
/// What Helm cannot say now it says when it is to do something.
pub async fn of_another_chart(
    runner: &mut Runner,
    chart: &Chart,
    place: &Place,
) -> Result<Option<Failure>, Failure> {
    let command = helm(place, &["get", "metadata", &place.release, "--output", "json"]);
    let told = match runner.ask(&command).await {
        Ok(answer) if answer.is_good() => answer.out,
        Ok(_) | Err(Failure::At { .. }) => return Ok(None),
        Err(failure) => return Err(failure),
    };
    let told: Value = serde_json::from_str(&told).unwrap_or_default();
    // What is uninstalled and remembered has no objects.
    let is_there = told["status"] != "uninstalled";
    Ok(told["chart"].as_str().filter(|is| is_there && *is != chart.name).map(|is| {
        Failure::usage(format!(
            "release {} in namespace {} is of chart {is}, and not of {}: say another --release, or `helm uninstall` that one",
            place.release, place.environment.namespace, chart.name
        ))
    }))
}

/// What production runs was deployed from a commit that was made upon this clone's last one, or that it does not have: such
/// as by a run of a workflow that was approved later than a newer one. A branch beside it is not older.
async fn overtaken(runner: &mut Runner, place: &Place) -> Result<Option<Failure>, Failure> {
    let revisions = match history(runner, place).await {
        Ok(Some(revisions)) => revisions,
        Ok(None) => {
            return Ok(Some(Failure::usage(format!(
                "helm history does not say which commit {} runs: try again, or say --allow-older if going back is meant",
                place.name
            ))));
        }
        // A tool that is missing is told by what needs it.
        Err(Failure::At { .. }) => Vec::new(),
        Err(failure) => return Err(failure),
    };
    let Some(runs) = commit(&revisions) else {
        return Ok(None);
    };
    let why = match git::kin(runner, runs).await? {
        Kin::Other => return Ok(None),
        Kin::Later => "which is later than what is checked out here",
        Kin::Unknown => "which is not in this clone: git fetch",
    };
    Ok(Some(Failure::usage(format!(
        "{} runs commit {runs}, {why}; say --allow-older if going back is meant",
        place.name
    ))))
}

/// The values name another repository than the one that an image is pushed to: whoever deploys by them alone (Helm, Argo CD)
/// would get another image of the same tag, or none, and so would this if `--set` says so. A name without a slash is what
/// a chart has before it is told where its image is.
async fn elsewhere(
    runner: &mut Runner,
    chart: &Chart,
    place: &Place,
    wanted: &Wanted,
    images: &[Image],
) -> Result<Vec<Failure>, Failure> {
    // Who names all of an image means that one.
    let is_set = |image: &Image| {
        let key = format!("{}.repository", image.file.value_key);
        let set = wanted.sets.iter().rfind(|set| set.key == key);
        set.map(|set| set.texts().concat())
    };
    let asked = images.iter().enumerate();
    let asked = asked.filter(|(_, image)| wanted.push || by_digest(image, wanted) || is_set(image).is_none());
    let asked: Vec<(usize, &Image)> = asked.collect();
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    // A missing Helm is told by what needs it.
    let rendered = match runner.ask(&unpushed(chart, place, wanted, images)?).await {
        Ok(answer) if answer.is_good() => answer.out,
        // Such as values that are in the environment's secrets, which are decrypted only when they are used.
        Ok(answer) => {
            warn(&format!(
                "sidereal: not seen whether the values name the same repositories as environments/{}.toml: {}",
                place.name,
                answer.complaint()
            ));
            String::new()
        }
        Err(Failure::At { .. }) => String::new(),
        Err(failure) => return Err(failure),
    };
    let pulled = images_of(&rendered);
    let refusals = asked.into_iter().filter_map(|(at, image)| {
        let named = is_set(image).or_else(|| {
            let mark = format!(":{}", mark(at));
            let mut named = pulled.iter().filter_map(|one| one.strip_suffix(&mark));
            named
                .find(|name| name.contains('/') && !is_same(name, &image.repository))
                .map(str::to_owned)
        })?;
        (!is_same(&named, &image.repository)).then(|| {
            Failure::usage(format!(
                "the image of {} is {} by registry of {}/environments/{}.toml, and {named} by its values: name one",
                place.name,
                image.repository,
                chart.folder(),
                place.name
            ))
        })
    });
    Ok(refusals.collect())
}

/// Whether two names are of one repository: Docker's own registry need not be named.
fn is_same(one: &str, other: &str) -> bool {
    let bare = |name: &str| {
        name.trim_start_matches("docker.io/")
            .trim_start_matches("library/")
            .to_owned()
    };
    bare(one) == bare(other)
}

/// Nobody has said that production is meant.
pub fn unconfirmed(chart: &Chart, place: &Place, at: &Where, what: &str) -> Result<Option<Failure>, Failure> {
    if at.confirmed || !is_production(chart, place)? {
        return Ok(None);
    }
    let Environment {
        context, namespace, ..
    } = &place.environment;
    Ok(Some(Failure::usage(format!(
        "{what} goes to production (context {context}, namespace {namespace}): say --yes if that is meant, or --env ENV"
    ))))
}

fn production(chart: &Chart) -> Result<Option<Environment>, Failure> {
    let is_there = chart.environments().iter().any(|name| name == PRODUCTION);
    is_there.then(|| chart.environment(PRODUCTION)).transpose()
}

/// Whether a place is production's, whatever it is called: its namespace there, or anything in a cluster that no other
/// environment is in. Environments that share its cluster in namespaces of their own are not.
pub fn is_production(chart: &Chart, place: &Place) -> Result<bool, Failure> {
    if place.name == PRODUCTION {
        return Ok(true);
    }
    let Environment {
        context, namespace, ..
    } = &place.environment;
    let Some(production) = production(chart)?.filter(|production| production.context == *context) else {
        return Ok(false);
    };
    if production.namespace == *namespace {
        return Ok(true);
    }
    for name in chart.environments() {
        if name != PRODUCTION && chart.environment(&name)?.context == *context {
            return Ok(false);
        }
    }
    Ok(true)
}

/// kubectl points at another cluster than the one that is meant.
pub async fn wrong_context(runner: &mut Runner, place: &Place) -> Result<Option<Failure>, Failure> {
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
