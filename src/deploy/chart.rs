//! Charts of the repository and what is declared beside them: images, environments.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

use config::{Config, File, FileFormat};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::failure::Failure;

/// A chart below `charts/`.
#[derive(Debug)]
pub struct Chart {
    /// Of its folder, and in its Chart.yaml.
    pub name: String,
    /// What is built for it: `deploy.toml`.
    pub images: Vec<ImageFile>,
    /// The charts that it depends on by `file://`, from the root of the repository.
    pub libraries: Vec<String>,
    root: PathBuf,
}

/// `charts/NAME/deploy.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeployFile {
    #[serde(default)]
    images: Vec<ImageFile>,
}

/// An image and the values that name it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageFile {
    /// Below the environment's registry.
    pub name: String,
    /// Folder that the builder is given, from the root of the repository.
    pub context: String,
    /// From the root of the repository.
    pub dockerfile: String,
    /// Which stage of it; the last one if none is named. It is part of the tag, but for `runtime`.
    #[serde(default)]
    pub target: Option<String>,
    /// Whose last commit names the image; git's pathspecs, from the root of the repository.
    pub paths: Vec<String>,
    /// The value that has `repository`, `tag` and `digest` below it.
    pub value_key: String,
}

/// `charts/NAME/environments/ENV.toml`: where it goes.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// Of kubectl's configuration; there and nowhere else.
    pub context: String,
    pub namespace: String,
    /// Where images are pushed to and pulled from, without a scheme.
    pub registry: String,
    /// Of its ingress.
    pub domain: String,
}

/// The charts of a repository, by name.
pub fn charts(root: &Path) -> Result<Vec<Chart>, Failure> {
    let mut names: Vec<String> = fs::read_dir(root.join("charts"))
        .map_err(|error| Failure::usage(format!("{}: {error}", root.join("charts").display())))?
        .flatten()
        .filter(|entry| entry.path().join("Chart.yaml").is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names.into_iter().map(|name| Chart::read(root, name)).collect()
}

/// The chart of this name; the fault of another has the names that there are.
pub fn named(charts: Vec<Chart>, name: &str) -> Result<Chart, Failure> {
    let names: Vec<String> = charts.iter().map(|chart| chart.name.clone()).collect();
    charts
        .into_iter()
        .find(|chart| chart.name == name)
        .ok_or_else(|| {
            Failure::usage(format!(
                "there is no chart {name:?}; charts/ has {}",
                if names.is_empty() {
                    "none".into()
                } else {
                    names.join(", ")
                }
            ))
        })
}

impl Chart {
    fn read(root: &Path, name: String) -> Result<Chart, Failure> {
        let folder = root.join("charts").join(&name);
        let about = read(&folder.join("Chart.yaml"))?;
        let called = top_level(&about, "name").unwrap_or_default();
        if called != name {
            return Err(Failure::usage(format!(
                "charts/{name}/Chart.yaml has the name {called:?}: a chart is called as its folder is"
            )));
        }
        let declared = folder.join("deploy.toml");
        let declared: DeployFile = if declared.is_file() {
            toml(&declared)?
        } else {
            DeployFile::default()
        };
        for image in &declared.images {
            let file = format!("charts/{name}/deploy.toml");
            must_be(&file, "name", &image.name, is_repository, "a name of an image")?;
            must_be(
                &file,
                "value_key",
                &image.value_key,
                is_value_key,
                "names of values",
            )?;
            if let Some(target) = &image.target {
                must_be(&file, "target", target, is_target, "a name of a stage")?;
            }
        }
        Ok(Chart {
            libraries: libraries(&about, &format!("charts/{name}")),
            images: declared.images,
            name,
            root: root.to_owned(),
        })
    }

    /// Its folder, from the root of the repository.
    pub fn folder(&self) -> String {
        format!("charts/{}", self.name)
    }

    /// Whether its folder has this.
    pub fn has(&self, path: &str) -> bool {
        self.root.join(self.folder()).join(path).exists()
    }

    /// The names of its environments.
    pub fn environments(&self) -> Vec<String> {
        let folder = self.root.join(self.folder()).join("environments");
        let mut names: Vec<String> = fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".toml")?.to_owned()))
            .collect();
        names.sort();
        names
    }

    /// Where it goes in an environment; the fault of one that is not there has the names that are.
    pub fn environment(&self, name: &str) -> Result<Environment, Failure> {
        let names = self.environments();
        if !names.iter().any(|there| there == name) {
            return Err(Failure::usage(format!(
                "--env: {} has no environment {name:?}; environments/ has {}",
                self.name,
                if names.is_empty() {
                    "none".into()
                } else {
                    names.join(", ")
                }
            )));
        }
        let path = format!("{}/environments/{name}.toml", self.folder());
        let environment: Environment = toml(&self.root.join(&path))?;
        let registry = environment.registry.as_str();
        must_be(
            &path,
            "namespace",
            &environment.namespace,
            is_label,
            "a name of a namespace",
        )?;
        must_be(
            &path,
            "context",
            &environment.context,
            is_context,
            "a context of kubectl",
        )?;
        must_be(&path, "registry", registry, is_registry, "host[:port][/path]")?;
        Ok(environment)
    }

    /// The values of an environment, from the root of the repository.
    pub fn values(&self, environment: &str) -> Result<String, Failure> {
        let name = format!("values-{environment}.yaml");
        if self.has(&name) {
            return Ok(format!("{}/{name}", self.folder()));
        }
        Err(Failure::usage(format!(
            "--env: there is no {}/{name}",
            self.folder()
        )))
    }

    /// The encrypted values of an environment, if there are any, from the root of the repository.
    pub fn secret(&self, environment: &str) -> Option<String> {
        let path = format!("secrets/{}.{environment}.yaml", self.name);
        self.root.join(&path).is_file().then_some(path)
    }

    /// Everything whose change is a change of what is deployed, as git's pathspecs.
    pub fn sources(&self) -> Vec<String> {
        let mut paths = vec![self.folder(), format!("secrets/{}.*.yaml", self.name)];
        paths.extend(self.libraries.iter().cloned());
        paths.extend(self.images.iter().flat_map(|image| image.paths.iter().cloned()));
        paths
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
}

fn toml<T: DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    Config::builder()
        .add_source(File::from_str(&read(path)?, FileFormat::Toml))
        .build()
        .and_then(Config::try_deserialize)
        .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
}

/// A text of a file that is said to Helm among others: it must be unable to say more than itself.
fn must_be(file: &str, key: &str, text: &str, is: fn(&str) -> bool, what: &str) -> Result<(), Failure> {
    if is(text) {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "{file}: {key}: expected {what}, not {text:?}"
    )))
}

/// A name of a context. An empty one is the current one to kubectl and Helm, whichever that is.
pub fn is_context(text: &str) -> bool {
    !text.trim().is_empty() && !text.contains(char::is_control)
}

/// A name of RFC 1123 without dots, such as a namespace's.
pub fn is_label(text: &str) -> bool {
    text.len() <= 63 && is_part(text, "-")
}

/// A name of a release, by Helm's rule.
pub fn is_release(text: &str) -> bool {
    text.len() <= 53 && text.split('.').all(|part| is_part(part, "-"))
}

/// A tag of an image, by the OCI's distribution specification.
pub fn is_tag(text: &str) -> bool {
    text.len() <= 128
        && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

/// A name of an image, by the same.
fn is_repository(text: &str) -> bool {
    text.split('/').all(|part| is_part(part, "._-"))
}

fn is_registry(text: &str) -> bool {
    let (host, path) = text
        .split_once('/')
        .map_or((text, None), |(host, path)| (host, Some(path)));
    let (host, port) = host
        .rsplit_once(':')
        .map_or((host, "0"), |(host, port)| (host, port));
    is_part(&host.to_ascii_lowercase(), ".-")
        && !port.is_empty()
        && port.bytes().all(|c| c.is_ascii_digit())
        && path.is_none_or(is_repository)
}

/// Names of values with dots between: `image`, `web.image`.
fn is_value_key(text: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    };
    text.split('.').all(is_name)
}

/// A name of a stage of a Dockerfile, which is part of a tag.
fn is_target(text: &str) -> bool {
    text.len() <= 64 && is_tag(text) && !text.split('-').any(|part| part == "dirty")
}

/// Of a-z and 0-9, and of these within.
fn is_part(text: &str, within: &str) -> bool {
    let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(is_inner)
        && text.ends_with(is_inner)
        && text.chars().all(|c| is_inner(c) || within.contains(c))
}

/// A plain value of Chart.yaml, whose form is narrow: a key at the beginning of a line.
fn top_level<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    Some(plain(value))
}

fn plain(value: &str) -> &str {
    let value = value.split(" #").next().unwrap_or_default().trim();
    value.trim_matches(['"', '\''])
}

/// The folders of `repository: file://…`, which are relative to the chart's.
fn libraries(text: &str, folder: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| {
            line.trim()
                .trim_start_matches("- ")
                .trim()
                .strip_prefix("repository:")
        })
        .filter_map(|value| plain(value).strip_prefix("file://"))
        .map(|path| normal(&Path::new(folder).join(path)))
        .collect()
}

fn normal(path: &Path) -> String {
    let mut parts: Vec<String> = Vec::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                parts.pop();
            }
            Component::Normal(part) => parts.push(part.to_string_lossy().into_owned()),
            _ => {}
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What says that a text is right, some that are, and some that are not.
    type Rule = (fn(&str) -> bool, &'static [&'static str], &'static [&'static str]);

    #[test]
    fn what_chart_yaml_says_is_found() {
        let text = "apiVersion: v2\nname: \"sky\" # ours\ndependencies:\n  - name: common\n    version: 1.0.0\n    \
                    repository: file://../common\n  - repository: \"file://./own\"\n    name: own\n  - name: far\n    \
                    repository: https://example.org\n";
        assert_eq!(top_level(text, "name"), Some("sky"));
        assert_eq!(libraries(text, "charts/sky"), ["charts/common", "charts/sky/own"]);
    }

    #[test]
    fn what_is_said_to_helm_says_itself_alone() {
        let long = "a".repeat(129);
        let rules: &[Rule] = &[
            (
                is_tag,
                &["1", "v1.2_3-x", "_"],
                &["", ".1", "-1", "a,b=c", "a b", "ä"],
            ),
            (
                is_context,
                &["arn:aws:eks:x:1:cluster/a", "me@a"],
                &["", " ", "a\nb"],
            ),
            (is_label, &["sky-dev1", "1"], &["", "-a", "a-", "a.b", "A"]),
            (is_release, &["sky.1-a"], &["", "a..b", "a_b", "--x"]),
            (
                is_repository,
                &["sky", "a/b_c.d"],
                &["", "/a", "a/", "a,b=c", "A", "a:1"],
            ),
            (
                is_registry,
                &["localhost:5000", "GHCR.io/us/x", "a.example.org"],
                &["", "a:", "a:x", "a,b=c", "https://a", "a/", "a@b"],
            ),
            (
                is_target,
                &["runtime", "debug-1"],
                &["", "a b", "-x", "a,b", "debug-dirty", "a/b"],
            ),
            (
                is_value_key,
                &["image", "web.image_1"],
                &["", ".a", "a.", "a,b=c", "a[0]", "a=b", "a\\b"],
            ),
        ];
        for (is, good, bad) in rules {
            for text in *good {
                assert!(is(text), "{text}");
            }
            for text in *bad {
                assert!(!is(text), "{text}");
            }
        }
        assert!(!is_tag(&long) && !is_label(&long) && !is_release(&long));
    }
}
