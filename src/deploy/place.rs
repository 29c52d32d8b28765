//! Where a release goes, and the commands that speak of it there.

use super::{chart::Environment, command::Command};

/// An environment, and the release in it.
#[derive(Debug, Clone)]
pub struct Place {
    /// The environment's name.
    pub name: String,
    pub environment: Environment,
    pub release: String,
}

/// A command of Helm at a place.
pub fn helm(place: &Place, words: &[&str]) -> Command {
    let Environment {
        context, namespace, ..
    } = &place.environment;
    Command::new("helm").words(words.iter().copied()).words([
        "--kube-context",
        context,
        "--namespace",
        namespace,
    ])
}

/// A command of kubectl at a place.
pub fn kubectl(place: &Place, words: &[&str]) -> Command {
    let Environment {
        context, namespace, ..
    } = &place.environment;
    Command::new("kubectl").words(words.iter().copied()).words([
        "--context",
        context,
        "--namespace",
        namespace,
    ])
}

/// What selects everything of a release.
pub fn selector(place: &Place) -> String {
    format!("app.kubernetes.io/instance={}", place.release)
}
