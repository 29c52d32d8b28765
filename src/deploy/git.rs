//! What the repository says: where it begins, which commit touched a path last, what has changed.

use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::{command::Command, failure::Failure, runner::Runner};

/// How much of a commit's name is an image's tag.
const TAG: usize = 12;
/// How much of the hash of changes that are in no commit follows it.
const CHANGES: usize = 8;

/// What names an image: the last commit that touched its paths, and what has changed since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// `0123456789ab` or `0123456789ab-dirty-01234567`.
    pub name: String,
    /// There are changes that are in no commit.
    pub dirty: bool,
}

async fn git(runner: &mut Runner, words: &[&str], paths: &[String]) -> Result<Option<String>, Failure> {
    let mut command = Command::new("git").words(words.iter().copied());
    if !paths.is_empty() {
        command = command
            .word("--")
            .words(paths.iter().map(|path| format!(":(top){path}")));
    }
    let answer = runner.ask(&command).await?;
    Ok(answer.is_good().then_some(answer.out))
}

async fn must(runner: &mut Runner, words: &[&str], paths: &[String]) -> Result<String, Failure> {
    git(runner, words, paths)
        .await?
        .ok_or_else(|| Failure::usage(format!("`git {}` failed: is this a clone?", words.join(" "))))
}

/// The folder that the repository around the runner's folder begins in.
pub async fn root(runner: &mut Runner) -> Result<PathBuf, Failure> {
    let told = git(runner, &["rev-parse", "--show-toplevel"], &[]).await?;
    told.map(|path| PathBuf::from(path.trim_end_matches('\n')))
        .ok_or_else(|| Failure::usage(format!("{} is in no git repository", runner.root.display())))
}

/// The tag of what these paths hold.
pub async fn tag(runner: &mut Runner, paths: &[String]) -> Result<Tag, Failure> {
    if must(runner, &["rev-parse", "--is-shallow-repository"], &[])
        .await?
        .trim()
        == "true"
    {
        return Err(Failure::usage(
            "this clone is shallow, so that the last commit of an image is not known: fetch all of it \
             (git fetch --unshallow; in a workflow fetch-depth: 0)",
        ));
    }
    let commit = git(runner, &["log", "-1", "--format=%H"], paths)
        .await?
        .unwrap_or_default();
    let commit = commit.trim();
    if commit.len() < TAG {
        return Err(Failure::usage(format!(
            "no commit has touched {}",
            paths.join(", ")
        )));
    }
    let commit = &commit[..TAG];
    let changes = must(runner, &["diff", "HEAD", "--binary", "--no-ext-diff"], paths).await?;
    let new = must(
        runner,
        &["ls-files", "--others", "--exclude-standard", "-z"],
        paths,
    )
    .await?;
    if changes.is_empty() && new.is_empty() {
        return Ok(Tag {
            name: commit.to_owned(),
            dirty: false,
        });
    }
    let mut hash = Sha256::new();
    hash.update(changes.as_bytes());
    for file in new.split_terminator('\0') {
        hash.update(file.as_bytes());
        hash.update([0]);
        // One that cannot be read is told by the builder.
        hash.update(std::fs::read(runner.root.join(file)).unwrap_or_default());
    }
    let changes = &hex::encode(hash.finalize())[..CHANGES];
    Ok(Tag {
        name: format!("{commit}-dirty-{changes}"),
        dirty: true,
    })
}

/// Whether anything at or below these paths is in no commit.
pub async fn is_dirty(runner: &mut Runner, paths: &[String]) -> Result<bool, Failure> {
    let words = [
        "status",
        "--porcelain",
        "--untracked-files=all",
        "--ignore-submodules=none",
    ];
    Ok(!must(runner, &words, paths).await?.is_empty())
}

/// Two commits, the later one second.
#[derive(Debug)]
pub struct Range(String, String);

/// The commits of `BASE..HEAD`, or nothing if its base is not known here: after a forced push, or for the first of
/// all. Without a range it is what this branch has beyond origin's main, else the last commit.
pub async fn range(runner: &mut Runner, range: &str) -> Result<Option<Range>, Failure> {
    let (base, head) = match range.split_once("..") {
        Some((base, head)) => (base.to_owned(), head.trim_start_matches('.')),
        None if range.is_empty() => (default_base(runner).await?, "HEAD"),
        None => (range.to_owned(), "HEAD"),
    };
    let head = if head.is_empty() { "HEAD" } else { head };
    let Some(head) = commit(runner, head).await? else {
        return Err(Failure::usage(format!("--changed: there is no commit {head:?}")));
    };
    Ok(commit(runner, &base).await?.map(|base| Range(base, head)))
}

/// Whether anything at or below these paths differs between two commits.
pub async fn differs(
    runner: &mut Runner,
    Range(base, head): &Range,
    paths: &[String],
) -> Result<bool, Failure> {
    let words = ["diff", "--name-only", "--no-renames", base, head];
    Ok(!must(runner, &words, paths).await?.is_empty())
}

async fn commit(runner: &mut Runner, name: &str) -> Result<Option<String>, Failure> {
    let name = format!("{name}^{{commit}}");
    let words = ["rev-parse", "--verify", "--quiet", "--end-of-options", &name];
    Ok(git(runner, &words, &[]).await?.map(|name| name.trim().to_owned()))
}

async fn default_base(runner: &mut Runner) -> Result<String, Failure> {
    let head = commit(runner, "HEAD").await?;
    let base = git(runner, &["merge-base", "origin/main", "HEAD"], &[]).await?;
    let base = base.map(|base| base.trim().to_owned());
    Ok(base
        .filter(|base| head.as_ref() != Some(base))
        .unwrap_or_else(|| "HEAD^".to_owned()))
}
