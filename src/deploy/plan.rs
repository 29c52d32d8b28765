//! What a deployment does, as data: steps in their order, each with its command and what its failure is.

use secrecy::SecretString;

use super::{
    chart::{Chart, ImageFile},
    command::Command,
    failure::{Class, Failure},
    git::Tag,
    history,
    place::{Place, helm, kubectl, selector},
    setting::Setting,
};

/// What is asked for.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Wanted {
    /// Log in to the registry, and ask the cluster for leave.
    pub setup: bool,
    /// Build the images that are not in the registry.
    pub build: bool,
    /// Push them.
    pub push: bool,
    /// Take layers of builds from GitHub's cache, and keep them there.
    pub github_cache: bool,
    /// Install or upgrade the release.
    pub deploy: bool,
    /// `helm test` after it.
    pub test: bool,
    /// Show how the release changes.
    pub diff: bool,
    /// Wait until it runs.
    pub wait: bool,
    /// Go back if it does not run.
    pub rollback: bool,
    /// Newer versions than those in Chart.lock.
    pub update_dependencies: bool,
    /// Take back fields that somebody else has set since.
    pub force_conflicts: bool,
    /// As Helm and kubectl have it: `10m`.
    pub timeout: String,
    /// How many revisions are kept.
    pub history_max: u32,
    /// Files of values after the environment's.
    pub values: Vec<String>,
    /// Values after those of the files.
    pub sets: Vec<Setting>,
    /// Production may go back to an earlier commit.
    pub allow_older: bool,
    /// A tag that is in the registry already, instead of the commit's.
    pub image_tag: Option<String>,
    /// Name and password at the registry.
    pub login: Option<(String, SecretString)>,
}

/// What was found out beforehand.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact")]
pub struct Facts {
    /// The first number of Helm's version.
    pub helm: u32,
    /// Helm's plugin `diff` is there.
    pub has_diff: bool,
    /// The namespace is not there yet.
    pub lacks_namespace: bool,
    pub images: Vec<Image>,
    /// The commit that is deployed, where it is to be known later.
    pub commit: Option<String>,
    /// Folder has Chart.lock.
    pub has_lock: bool,
    /// Folder has templates/tests.
    pub has_tests: bool,
    /// The environment's values, from the root of the repository.
    pub values: String,
    /// The same, encrypted by SOPS, if there are any.
    pub secret: Option<String>,
}

/// An image, and which one of it.
#[derive(Debug, Clone)]
pub struct Image {
    pub file: ImageFile,
    pub tag: Tag,
    /// `registry/name`.
    pub repository: String,
    /// What it is told about itself when it is built, by the last part of the name.
    pub labels: Vec<(&'static str, String)>,
}

/// How the labels begin that the OCI's image specification knows.
const LABELS: &str = "org.opencontainers.image";

impl Image {
    /// `registry/name:tag`.
    pub fn reference(&self) -> String {
        format!("{}:{}", self.repository, self.tag.name)
    }
}

/// One step: a name, what its failure is, and what it does.
#[derive(Debug)]
pub struct Step {
    pub name: &'static str,
    pub class: Class,
    pub action: Action,
}

/// What a step does.
#[derive(Debug)]
pub enum Action {
    /// Runs a command.
    Run(Command),
    /// Runs a command for its exit code.
    Ask { command: Command, otherwise: String },
    /// Learns whether an image is in the registry already, and its digest.
    Look { reference: String, command: Command },
    /// Runs a command unless the image is in the registry already.
    Unless { reference: String, command: Command },
    /// Learns the digest of an image that must be in the registry.
    Digest { reference: String, command: Command },
    /// Keeps what a command says in a private file until the end.
    Decrypt(Command),
    /// Shows what would change in the release.
    Diff { rendered: Command, current: Command },
    /// Installs or upgrades the release.
    Upgrade(Command),
    /// Waits for every workload that a command lists, by a command that is given its name.
    Rollouts { list: Command, wait: Command },
    /// Tries the release.
    Test(Command),
}

impl Action {
    /// The commands of it, in their order.
    pub fn commands(&self) -> Vec<&Command> {
        match self {
            Action::Run(command)
            | Action::Ask { command, .. }
            | Action::Look { command, .. }
            | Action::Unless { command, .. }
            | Action::Digest { command, .. }
            | Action::Decrypt(command)
            | Action::Upgrade(command)
            | Action::Test(command) => vec![command],
            Action::Diff { rendered, current } => vec![current, rendered],
            Action::Rollouts { list, wait } => vec![list, wait],
        }
    }
}

/// The steps of what is wanted.
pub fn steps(chart: &Chart, place: &Place, wanted: &Wanted, facts: &Facts) -> Vec<Step> {
    let mut steps = Vec::new();
    if wanted.setup {
        steps.extend(setup(place, wanted));
    }
    for image in &facts.images {
        steps.extend(image_steps(image, wanted));
    }
    if wanted.deploy {
        steps.extend(deployment(chart, place, wanted, facts));
    }
    steps
}

fn setup(place: &Place, wanted: &Wanted) -> Vec<Step> {
    let alone = !(wanted.build || wanted.push || wanted.deploy);
    let mut steps = Vec::new();
    if wanted.push || alone || wanted.login.is_some() {
        let mut login = Command::new("docker").words(["login", &place.environment.registry, "--username"]);
        login = match &wanted.login {
            Some((name, password)) => login.word(name).input(password.clone()),
            None => login.word("<REGISTRY_USER>"),
        };
        steps.push(Step {
            name: "login",
            class: Class::Setup,
            action: Action::Run(login.word("--password-stdin")),
        });
    }
    if wanted.deploy || alone {
        let environment = &place.environment;
        steps.push(Step {
            name: "leave",
            class: Class::Setup,
            action: Action::Ask {
                command: kubectl(place, &["auth", "can-i", "create", "deployments.apps"]),
                otherwise: format!(
                    "the cluster of context {} does not let you deploy into namespace {}",
                    environment.context, environment.namespace
                ),
            },
        });
    }
    steps
}

/// Whether the values are told the digest of their images: not of one that somebody else names.
pub fn by_digest(image: &Image, wanted: &Wanted) -> bool {
    let named = ["digest", "tag"].map(|end| format!("{}.{end}", image.file.value_key));
    !wanted.sets.iter().any(|set| named.contains(&set.key))
}

fn image_steps(image: &Image, wanted: &Wanted) -> Vec<Step> {
    let reference = image.reference();
    // Its manifest alone; nothing is pulled.
    let inspect = Command::new("docker").words([
        "buildx",
        "imagetools",
        "inspect",
        "--format",
        "{{json .Manifest}}",
        &reference,
    ]);
    let mut steps = Vec::new();
    let mut step = |name, class, action| steps.push(Step { name, class, action });
    // What is in no commit is never in the registry under a name that means it.
    if wanted.build && !image.tag.dirty {
        let action = Action::Look {
            reference: reference.clone(),
            command: inspect.clone(),
        };
        step("look", Class::Build, action);
    }
    if wanted.build {
        let file = &image.file;
        let mut build =
            Command::new("docker").words(["buildx", "build", "--load", "--file", &file.dockerfile]);
        if let Some(target) = &file.target {
            build = build.words(["--target", target]);
        }
        if wanted.github_cache {
            // GitHub bounds it by branches: a pull request reads main's, and writes its own.
            let cache = format!("type=gha,scope={}", file.name);
            build = build.words(["--cache-from", &cache, "--cache-to"]);
            build = build.word(format!("{cache},mode=max,ignore-error=true"));
        }
        for (key, value) in &image.labels {
            build = build.word("--label").word(format!("{LABELS}.{key}={value}"));
        }
        let action = Action::Unless {
            reference: reference.clone(),
            command: build.words(["--tag", &reference, &file.context]),
        };
        step("build", Class::Build, action);
    }
    if wanted.push {
        let action = Action::Unless {
            reference: reference.clone(),
            command: Command::new("docker").words(["push", &reference]),
        };
        step("push", Class::Push, action);
    }
    if wanted.push || (wanted.deploy && by_digest(image, wanted)) {
        let action = Action::Digest {
            reference,
            command: inspect,
        };
        step("digest", Class::Push, action);
    }
    steps
}

/// Which values Helm is given; the digests are left out where the images need not be there yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// All of them.
    Whole,
    /// Without digests.
    Undigested,
    /// Without digests and secrets: for eyes.
    Shown,
}

fn values(wanted: &Wanted, facts: &Facts, which: Values) -> Command {
    let mut command = Command::new("helm").values(&facts.values);
    if let Some(secret) = facts.secret.as_ref().filter(|_| which != Values::Shown) {
        command = command.word("--values").decrypted(secret);
    }
    for file in &wanted.values {
        command = command.values(file);
    }
    for image in &facts.images {
        let key = &image.file.value_key;
        command = command
            .word("--set-string")
            .word(format!("{key}.repository={}", image.repository))
            .word("--set-string")
            .word(format!("{key}.tag={}", image.tag.name))
            .word("--set-string");
        command = if which == Values::Whole && by_digest(image, wanted) {
            command.digest(format!("{key}.digest"), image.reference())
        } else {
            // A digest in a file of values would win over the tag.
            command.word(format!("{key}.digest="))
        };
    }
    command.and(&sets(wanted))
}

/// What `--set` was told.
fn sets(wanted: &Wanted) -> Command {
    let mut command = Command::new("helm");
    for (at, set) in wanted.sets.iter().enumerate() {
        // Helm takes them by kind of option; among those of one name the last one wins all the same.
        if wanted.sets[at + 1..].iter().any(|later| later.key == set.key) {
            continue;
        }
        command = if set.is_secret() {
            command.hidden(&set.key, set.texts(), set.is_list())
        } else {
            let option = if set.is_text() { "--set-string" } else { "--set" };
            command.words([option.to_owned(), format!("{}={}", set.key, set.value)])
        };
    }
    command
}

/// `helm template`: the manifests, without a cluster.
pub fn template(chart: &Chart, place: &Place, wanted: &Wanted, facts: &Facts, which: Values) -> Command {
    helm(place, &["template", &place.release, &chart.folder()]).and(&values(wanted, facts, which))
}

/// `helm template` with no other repositories than those that the values name; each image has a tag ([`mark`]) that no
/// other has.
pub fn unpushed(chart: &Chart, place: &Place, wanted: &Wanted, images: &[Image]) -> Result<Command, Failure> {
    let mut command = helm(place, &["template", &place.release, &chart.folder()]);
    command = command.values(&chart.values(&place.name)?);
    for file in &wanted.values {
        command = command.values(file);
    }
    command = command.and(&sets(wanted));
    for (at, image) in images.iter().enumerate() {
        let key = &image.file.value_key;
        command = command
            .word("--set-string")
            .word(format!("{key}.tag={}", mark(at)))
            .word("--set-string")
            .word(format!("{key}.digest="));
    }
    Ok(command)
}

/// The tag of an image, by its number from 0, where it is to be known again.
pub fn mark(at: usize) -> String {
    format!("image-{at}")
}

/// `helm lint`: of the chart with these values, by its schema.
pub fn lint(chart: &Chart, place: &Place, wanted: &Wanted, facts: &Facts, which: Values) -> Command {
    helm(place, &["lint", &chart.folder(), "--strict"]).and(&values(wanted, facts, which))
}

/// `helm upgrade` that the cluster judges and does not do.
pub fn judged(chart: &Chart, place: &Place, wanted: &Wanted, facts: &Facts) -> Command {
    helm(place, &["upgrade", "--install", &place.release, &chart.folder()])
        .and(&values(wanted, facts, Values::Undigested))
        .words(["--dry-run=server", "--hide-secret"])
}

/// `sops` for the encrypted values.
pub fn decrypt(secret: &str) -> Command {
    Command::new("sops").words(["--decrypt", "--output-type", "yaml", secret])
}

/// What shows how the release would change.
pub fn diff(chart: &Chart, place: &Place, wanted: &Wanted, facts: &Facts, which: Values) -> Action {
    if facts.has_diff {
        return Action::Run(
            helm(
                place,
                &[
                    "diff",
                    "upgrade",
                    "--allow-unreleased",
                    &place.release,
                    &chart.folder(),
                ],
            )
            .and(&values(wanted, facts, which)),
        );
    }
    Action::Diff {
        // A release's manifest has none either.
        rendered: template(chart, place, wanted, facts, which).word("--no-hooks"),
        current: helm(place, &["get", "manifest", &place.release]),
    }
}

fn deployment(chart: &Chart, place: &Place, wanted: &Wanted, facts: &Facts) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut step = |name, class, action| steps.push(Step { name, class, action });
    if wanted.update_dependencies || facts.has_lock {
        let how = if wanted.update_dependencies {
            "update"
        } else {
            "build"
        };
        let command = Command::new("helm").words(["dependency", how, &chart.folder()]);
        step("dependencies", Class::RolledBack, Action::Run(command));
    }
    if let Some(secret) = &facts.secret {
        step("decrypt", Class::Setup, Action::Decrypt(decrypt(secret)));
    }
    let whole = Values::Whole;
    step(
        "lint",
        Class::RolledBack,
        Action::Run(lint(chart, place, wanted, facts, whole)),
    );
    if wanted.diff {
        step(
            "diff",
            Class::RolledBack,
            diff(chart, place, wanted, facts, whole),
        );
    }
    step(
        "upgrade",
        Class::RolledBack,
        Action::Upgrade(upgrade(chart, place, wanted, facts)),
    );
    steps.extend(rollouts(place, wanted));
    if wanted.test && facts.has_tests {
        let command = helm(place, &["test", &place.release, "--timeout", &wanted.timeout]);
        steps.push(Step {
            name: "test",
            class: Class::Verify,
            action: Action::Test(command),
        });
    }
    steps
}

/// Waiting until the workloads of the release run, if that is wanted; none of them is fine.
pub fn rollouts(place: &Place, wanted: &Wanted) -> Option<Step> {
    let timeout = format!("--timeout={}", wanted.timeout);
    let action = Action::Rollouts {
        list: kubectl(
            place,
            &[
                "get",
                "deployments,statefulsets,daemonsets",
                "--selector",
                &selector(place),
                "--output",
                "name",
            ],
        ),
        wait: kubectl(place, &["rollout", "status", "--watch", &timeout]),
    };
    wanted.wait.then_some(Step {
        name: "rollout",
        class: Class::Verify,
        action,
    })
}

fn upgrade(chart: &Chart, place: &Place, wanted: &Wanted, facts: &Facts) -> Command {
    let mut command = helm(place, &["upgrade", "--install", &place.release, &chart.folder()]);
    if facts.lacks_namespace {
        command = command.word("--create-namespace");
    }
    command = command.and(&values(wanted, facts, Values::Whole));
    // Going back means having waited.
    if wanted.wait && wanted.rollback {
        command = command.word(if facts.helm >= 4 {
            "--rollback-on-failure"
        } else {
            "--atomic"
        });
    }
    if wanted.wait {
        command = command.words([
            if facts.helm >= 4 {
                "--wait=watcher"
            } else {
                "--wait"
            },
            "--wait-for-jobs",
        ]);
    }
    // Helm 3 asks nobody.
    if wanted.force_conflicts && facts.helm >= 4 {
        command = command.word("--force-conflicts");
    }
    command = command
        .words(["--timeout", &wanted.timeout, "--cleanup-on-fail", "--history-max"])
        .word(wanted.history_max.to_string());
    if let Some(commit) = &facts.commit {
        command = command.word("--description").word(history::of_commit(commit));
    }
    command
}
