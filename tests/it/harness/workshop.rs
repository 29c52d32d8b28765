//! A clone with a chart, and tools beside it that do nothing but note how they were called and answer as a test says.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use tempfile::TempDir;
use tokio::process::Command;

use super::process::{SIDEREAL, program};

/// What every tool is: it notes its words, its input, and what is in the private files that it is given.
const TOOL: &str = r#"#!/bin/sh
tool=${0##*/}
printf '%s %s\n' "$tool" "$*" | sed "s|$TMPDIR/[^ ,}]*|TEMP|g" >>"$TOOLS/log"
input=$(cat)
[ -z "$input" ] || printf '< %s\n' "$input" >>"$TOOLS/log"
for path in $(printf '%s\n' "$*" | sed 's/[ ={},]/\n/g' | sed -n "\|^$TMPDIR/|p"); do
    printf '= %s %s\n' "$(stat -c %a "$path")" "$(cat "$path")" >>"$TOOLS/log"
done
for answer in "$tool-$1-$2" "$tool-$1" "$tool"; do
    if [ -e "$TOOLS/$answer.sh" ]; then
        . "$TOOLS/$answer.sh"
        exit 0
    fi
done
"#;

/// The digest of every image that was pushed.
pub const DIGEST: &str = "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// As the tools answer if all is well.
const ANSWERS: &[(&str, &str)] = &[
    ("helm-version", "echo v4.2.4"),
    ("helm-history", "echo 'Error: release: not found' >&2; exit 1"),
    ("kubectl-config-current-context", "echo development"),
    ("kubectl-auth", "echo yes"),
    ("kubectl-get-namespace", "echo \"namespace/$3\""),
    ("kubectl-get-deployments,statefulsets,daemonsets", WORKLOADS),
    ("docker-push", "touch \"$TOOLS/pushed\""),
    (
        "docker-buildx-imagetools",
        "[ -e \"$TOOLS/pushed\" ] || { echo 'ERROR: not found' >&2; exit 1; }\n. \"$TOOLS/manifest\"",
    ),
    ("sops", "echo 'password: hush'"),
];
const WORKLOADS: &str =
    "echo deployment.apps/sky-api; echo statefulset.apps/sky-db; echo daemonset.apps/sky-log";

const FILES: &[(&str, &str)] = &[
    ("Dockerfile", "FROM scratch\n"),
    ("src/main", "one\n"),
    ("docs/page", "one\n"),
    (
        "charts/sky/Chart.yaml",
        "apiVersion: v2\nname: sky\nversion: 0.1.0\n",
    ),
    ("charts/sky/values.yaml", "{}\n"),
    ("charts/sky/values-dev1.yaml", "{}\n"),
    ("charts/sky/values-production.yaml", "{}\n"),
    ("charts/sky/templates/tests/one.yaml", "{}\n"),
    (
        "charts/sky/deploy.toml",
        "[[images]]\nname = \"sky\"\ncontext = \".\"\ndockerfile = \"Dockerfile\"\ntarget = \"runtime\"\n\
         paths = [\"Dockerfile\", \"src\"]\nvalue_key = \"image\"\n",
    ),
    (
        "charts/sky/environments/dev1.toml",
        "context = \"development\"\nnamespace = \"sky-dev1\"\nregistry = \"dev.example.org\"\ndomain = \"dev1.example.org\"\n",
    ),
    (
        "charts/sky/environments/production.toml",
        "context = \"production\"\nnamespace = \"sky\"\nregistry = \"registry.example.org\"\ndomain = \"example.org\"\n",
    ),
];

pub struct Workshop {
    home: TempDir,
    /// The clone.
    pub root: PathBuf,
    /// Where the tools and their notes are.
    pub tools: PathBuf,
    /// Where private files are made.
    pub temporary: PathBuf,
}

impl Workshop {
    /// A clone of one commit, and tools that answer that all is well.
    pub fn new() -> Workshop {
        let home = TempDir::new().expect("a folder");
        let [root, tools, temporary] = ["clone", "tools", "temporary"].map(|name| home.path().join(name));
        for folder in [&root, &tools, &temporary] {
            fs::create_dir(folder).expect("a folder");
        }
        let workshop = Workshop {
            home,
            root,
            tools,
            temporary,
        };
        for name in ["docker", "helm", "kubectl", "sops"] {
            let path = workshop.tools.join(name);
            fs::write(&path, TOOL).expect("a tool");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a tool");
        }
        fs::write(
            workshop.tools.join("manifest"),
            format!("echo '{{\"digest\":\"{DIGEST}\"}}'\n"),
        )
        .expect("a file");
        for (name, answer) in ANSWERS {
            workshop.answer(name, answer);
        }
        for (path, text) in FILES {
            workshop.write(path, text);
        }
        workshop.git(&["init", "--quiet", "--initial-branch=main"]);
        workshop.commit();
        workshop
    }

    /// From now on a tool answers by these lines of shell: `helm-upgrade` is what `helm upgrade …` does.
    pub fn answer(&self, tool: &str, lines: &str) {
        fs::write(self.tools.join(format!("{tool}.sh")), lines).expect("an answer");
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    /// What git says to these words.
    #[track_caller]
    pub fn git(&self, words: &[&str]) -> String {
        let done = std::process::Command::new("git")
            .args([
                "-c",
                "user.name=A",
                "-c",
                "user.email=a@example.org",
                "-c",
                "commit.gpgsign=false",
            ])
            .args(words)
            .env("HOME", self.home.path())
            .current_dir(&self.root)
            .output()
            .expect("git");
        assert!(done.status.success(), "git {words:?}: {done:?}");
        String::from_utf8(done.stdout).expect("UTF-8").trim().to_owned()
    }

    /// Commits all there is, and gives the first 12 characters of its name.
    #[track_caller]
    pub fn commit(&self) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", "a change"]);
        self.head()
    }

    /// The first 12 characters of the last commit's name.
    pub fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"])[..12].to_owned()
    }

    /// `sidereal deploy …`, ready to be run in the clone; words have spaces between.
    pub fn command(&self, words: &str) -> Command {
        let mut command = program(SIDEREAL, &self.root);
        command
            .arg("deploy")
            .args(words.split_whitespace())
            .env("HOME", self.home.path())
            .env("PATH", format!("{}:/usr/bin:/bin", self.tools.display()))
            .env("TOOLS", &self.tools)
            .env("TMPDIR", &self.temporary)
            .env("REGISTRY_USER", "robot")
            .env("REGISTRY_PASSWORD", "hunter2");
        command
    }

    /// Runs it to its end.
    pub async fn run(&self, words: &str) -> Output {
        self.command(words).output().await.expect("sidereal")
    }

    /// What the tools noted since they were asked last, a line each; the clone is CLONE, a private file TEMP.
    pub fn notes(&self) -> Vec<String> {
        let path: &Path = &self.tools.join("log");
        let text = fs::read_to_string(path).unwrap_or_default();
        let _ = fs::remove_file(path);
        let text = text.replace(&self.root.display().to_string(), "CLONE");
        text.lines().map(str::to_owned).collect()
    }

    /// From now on every image is in the registry.
    pub fn has_pushed(&self) {
        fs::write(self.tools.join("pushed"), "").expect("a file");
    }

    /// How many private files are left.
    pub fn left(&self) -> usize {
        fs::read_dir(&self.temporary).expect("the folder").count()
    }
}
