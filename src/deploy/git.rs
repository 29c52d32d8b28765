//! What the repository says: where it begins, which commit touched a path last, what has changed.

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{
    chart::ImageFile,
    command::Command,
    failure::Failure,
    runner::{Answer, Runner},
};

/// How much of a commit's name is an image's tag.
const TAG: usize = 12;
/// How much of the hash of changes that are in no commit follows it.
const CHANGES: usize = 8;

/// The target that a tag does not name.
const RUNTIME: &str = "runtime";

/// What names an image: the last commit that touched its paths, its target, and what has changed since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// `0123456789ab` or `0123456789ab-debug-dirty-01234567`.
    pub name: String,
    /// There are changes that are in no commit.
    pub dirty: bool,
}

async fn git(runner: &mut Runner, words: &[&str], paths: &[String]) -> Result<Option<String>, Failure> {
    let answer = ask(runner, words, paths).await?;
    Ok(answer.is_good().then_some(answer.out))
}

async fn ask(runner: &mut Runner, words: &[&str], paths: &[String]) -> Result<Answer, Failure> {
    let mut command = Command::new("git").words(words.iter().copied());
    if !paths.is_empty() {
        command = command
            .word("--")
            .words(paths.iter().map(|path| format!(":(top){path}")));
    }
    runner.ask(&command).await
}

async fn must(runner: &mut Runner, words: &[&str], paths: &[String]) -> Result<String, Failure> {
    let answer = ask(runner, words, paths).await?;
    good(answer, words).map(|answer| answer.out)
}

/// As [`must`]; names of files and contents need not be UTF-8.
async fn bytes(runner: &mut Runner, words: &[&str], paths: &[String]) -> Result<Vec<u8>, Failure> {
    let answer = ask(runner, words, paths).await?;
    good(answer, words).map(|answer| answer.bytes)
}

fn good(answer: Answer, words: &[&str]) -> Result<Answer, Failure> {
    if answer.is_good() {
        return Ok(answer);
    }
    Err(Failure::usage(format!(
        "`git {}` failed: is this a clone?",
        words.join(" ")
    )))
}

/// The folder that the repository around the runner's folder begins in.
pub async fn root(runner: &mut Runner) -> Result<PathBuf, Failure> {
    let told = git(runner, &["rev-parse", "--show-toplevel"], &[]).await?;
    told.map(|path| PathBuf::from(path.trim_end_matches('\n')))
        .ok_or_else(|| Failure::usage(format!("{} is in no git repository", runner.root.display())))
}

/// The tag of what the paths of an image hold.
pub async fn tag(runner: &mut Runner, image: &ImageFile) -> Result<Tag, Failure> {
    let paths = &image.paths;
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
    let mut name = commit[..TAG].to_owned();
    // Of one commit each target is another image.
    if let Some(target) = image.target.as_deref().filter(|target| *target != RUNTIME) {
        name = format!("{name}-{target}");
    }
    let changes = changes(runner, paths).await?;
    Ok(Tag {
        dirty: changes.is_some(),
        name: match changes {
            Some(hash) => format!("{name}-dirty-{}", &hash[..CHANGES]),
            None => name,
        },
    })
}

/// Where an image is from, as labels: the commit that names it, when that was made (so that what is built of it again is the
/// same), and the repository, if it was cloned.
pub async fn origin(runner: &mut Runner, paths: &[String]) -> Result<Vec<(&'static str, String)>, Failure> {
    let told = git(runner, &["log", "-1", "--format=%H %cI"], paths).await?;
    let mut labels = Vec::new();
    if let Some((commit, time)) = told.as_deref().and_then(|told| told.trim().split_once(' ')) {
        labels.extend([("revision", commit.to_owned()), ("created", time.to_owned())]);
    }
    let url = git(runner, &["config", "--get", "remote.origin.url"], &[]).await?;
    labels.extend(url.map(|url| ("source", without_user(url.trim()))));
    Ok(labels)
}

/// A URL without who may read it: `https://token@host/x` is as secret as the token.
fn without_user(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

/// A hash of what at or below these paths is in no commit, if there is anything.
async fn changes(runner: &mut Runner, paths: &[String]) -> Result<Option<String>, Failure> {
    let words = [
        "diff",
        "HEAD",
        "--binary",
        "--no-ext-diff",
        "--no-textconv",
        "--ignore-submodules=none",
    ];
    let changes = bytes(runner, &words, paths).await?;
    let words = ["ls-files", "--others", "--exclude-standard", "-z"];
    let new = bytes(runner, &words, paths).await?;
    if changes.is_empty() && new.is_empty() {
        return Ok(None);
    }
    let mut hash = Sha256::new();
    hash.update(&changes);
    // Of a submodule the difference says that there is one.
    let tracked = bytes(runner, &["ls-files", "--stage", "-z"], paths).await?;
    let submodules = names(&tracked).filter_map(|entry| {
        let tab = entry.iter().position(|byte| *byte == b'\t')?;
        entry.starts_with(b"160000 ").then_some(&entry[tab + 1..])
    });
    for name in names(&new).chain(submodules) {
        add(&mut hash, name, &runner.root.join(OsStr::from_bytes(name)));
    }
    Ok(Some(hex::encode(hash.finalize())))
}

/// The names that git has parted by NUL.
fn names(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == 0).filter(|name| !name.is_empty())
}

/// Adds a file by its name, what it is and what is in it. A folder is a repository within this one, of which git says no
/// more: all in it but git's own is added, as a builder would take it.
fn add(hash: &mut Sha256, name: &[u8], path: &Path) {
    let mut part = |kind: u8, content: &[u8]| {
        for bytes in [name, content] {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        }
        hash.update([kind]);
    };
    // What cannot be read is told by the builder.
    let Ok(about) = fs::symlink_metadata(path) else {
        return part(b'?', b"");
    };
    if about.is_symlink() {
        let to = fs::read_link(path).unwrap_or_default();
        return part(b'l', to.as_os_str().as_bytes());
    }
    if about.is_file() {
        let kind = if about.permissions().mode() & 0o111 == 0 {
            b'f'
        } else {
            b'x'
        };
        return part(kind, &fs::read(path).unwrap_or_default());
    }
    if about.is_dir() {
        part(b'd', b"");
        for within in sorted(path).unwrap_or_default() {
            if within != ".git" {
                add(hash, within.as_bytes(), &path.join(&within));
            }
        }
    }
}

fn sorted(folder: &Path) -> io::Result<Vec<OsString>> {
    let mut names = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.file_name()))
        .collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
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

/// The last commit's whole name.
pub async fn head(runner: &mut Runner) -> Result<String, Failure> {
    let words = ["rev-parse", "--verify", "HEAD"];
    Ok(must(runner, &words, &[]).await?.trim().to_owned())
}

/// How another commit is to the last one of this clone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kin {
    /// It is not in this clone.
    Unknown,
    /// It was made upon it.
    Later,
    /// It is the same, or was before it, or beside it.
    Other,
}

/// How a commit is to the last one of this clone.
pub async fn kin(runner: &mut Runner, name: &str) -> Result<Kin, Failure> {
    let Some(named) = commit(runner, name).await? else {
        return Ok(Kin::Unknown);
    };
    let head = head(runner).await?;
    if head == named {
        return Ok(Kin::Other);
    }
    let is_later = git(runner, &["merge-base", "--is-ancestor", &head, &named], &[]).await?;
    Ok(is_later.map_or(Kin::Other, |_| Kin::Later))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_tells_nobody_s_token() {
        for (url, shown) in [
            ("https://github.com/a/b", "https://github.com/a/b"),
            ("https://x:hush@github.com/a/b.git", "https://github.com/a/b.git"),
            ("https://hush@github.com", "https://github.com"),
            ("ssh://git@github.com:22/a@b", "ssh://github.com:22/a@b"),
            ("git@github.com:a/b.git", "git@github.com:a/b.git"),
        ] {
            assert_eq!(without_user(url), shown);
        }
    }
}
