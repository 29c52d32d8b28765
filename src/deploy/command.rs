//! Commands as data: a program and its words, some of which are known only while running, and some never shown.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret, SecretString};

use super::{
    failure::{Class, Failure},
    private_file::PrivateFile,
};

/// What the words of commands stand for, as far as it is known by now.
#[derive(Debug, Default)]
pub struct Known {
    /// Digest by reference of an image (`registry/name:tag`).
    pub digests: BTreeMap<String, String>,
    /// Where the decrypted values are.
    pub decrypted: Option<PathBuf>,
}

#[derive(Debug, Clone)]
enum Word {
    Plain(String),
    /// `key=` and the paths of private files with these texts, in braces if it is a list.
    Hidden {
        key: String,
        texts: Vec<SecretString>,
        is_list: bool,
    },
    /// `key=` and the digest of an image in its registry.
    Digest(String, String),
    /// The file that is decrypted from this one.
    Decrypted(String),
}

/// A program and its words; run as they are, without a shell.
#[derive(Debug, Clone)]
pub struct Command {
    /// Its name on PATH.
    pub program: &'static str,
    words: Vec<Word>,
    /// Its standard input; nothing if none.
    pub input: Option<SecretString>,
}

impl Command {
    pub fn new(program: &'static str) -> Command {
        Command {
            program,
            words: Vec::new(),
            input: None,
        }
    }

    pub fn word(mut self, word: impl Into<String>) -> Command {
        self.words.push(Word::Plain(word.into()));
        self
    }

    pub fn words<S: Into<String>>(mut self, words: impl IntoIterator<Item = S>) -> Command {
        self.words
            .extend(words.into_iter().map(|word| Word::Plain(word.into())));
        self
    }

    /// `--set-file` with files of these texts that last as long as the command does, printed as `key=***`: what stands
    /// among the words of a program can be read by everybody on the machine.
    pub fn hidden(mut self, key: impl Into<String>, texts: Vec<String>, is_list: bool) -> Command {
        self = self.word("--set-file");
        self.words.push(Word::Hidden {
            key: key.into(),
            texts: texts.into_iter().map(SecretString::from).collect(),
            is_list,
        });
        self
    }

    /// `--values` with a file.
    pub fn values(self, path: &str) -> Command {
        self.words(["--values".to_owned(), one_path(path)])
    }

    /// `key=sha256:…` of an image whose digest will be known by then.
    pub fn digest(mut self, key: impl Into<String>, reference: impl Into<String>) -> Command {
        self.words.push(Word::Digest(key.into(), reference.into()));
        self
    }

    /// The path of what is decrypted from a file by then.
    pub fn decrypted(mut self, from: impl Into<String>) -> Command {
        self.words.push(Word::Decrypted(from.into()));
        self
    }

    /// Adds the words of another.
    pub fn and(mut self, other: &Command) -> Command {
        self.words.extend(other.words.iter().cloned());
        self
    }

    pub fn input(mut self, input: SecretString) -> Command {
        self.input = Some(input);
        self
    }

    /// The words to run it with, and the private files that they name.
    ///
    /// # Errors
    /// Something of them is not known yet, or a file cannot be made.
    pub fn arguments(&self, known: &Known) -> Result<(Vec<String>, Vec<PrivateFile>), Failure> {
        let unknown = |text: String| Failure::new(Class::Setup, text);
        let mut files = Vec::new();
        let words = self.words.iter().map(|word| match word {
            Word::Plain(word) => Ok(word.clone()),
            Word::Hidden { key, texts, is_list } => {
                let mut paths = Vec::new();
                for text in texts {
                    let file = PrivateFile::new(text.expose_secret(), "")?;
                    paths.push(escaped(&file.path().display().to_string()));
                    files.push(file);
                }
                let paths = paths.join(",");
                Ok(if *is_list {
                    format!("{key}={{{paths}}}")
                } else {
                    format!("{key}={paths}")
                })
            }
            Word::Digest(key, reference) => known
                .digests
                .get(reference)
                .map(|digest| format!("{key}={digest}"))
                .ok_or_else(|| unknown(format!("the digest of {reference} is not known"))),
            Word::Decrypted(from) => known
                .decrypted
                .as_deref()
                .map(|path: &Path| one_path(&path.display().to_string()))
                .ok_or_else(|| unknown(format!("{from} is not decrypted"))),
        });
        let words = words.collect::<Result<_, Failure>>()?;
        Ok((words, files))
    }

    /// Program and words for eyes and logs: no secret in them, and `<…>` for what is not known yet.
    pub fn shown(&self, known: &Known) -> Vec<String> {
        let words = self.words.iter().map(|word| match word {
            Word::Plain(word) => without_password(word),
            Word::Hidden { key, .. } => format!("{key}=***"),
            Word::Digest(key, reference) => match known.digests.get(reference) {
                Some(digest) => format!("{key}={digest}"),
                None => format!("{key}=<digest of {reference}>"),
            },
            Word::Decrypted(from) => format!("<decrypted {from}>"),
        });
        std::iter::once(self.program.to_owned()).chain(words).collect()
    }
}

/// A text among Helm's settings that says nothing but itself.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if "\\,{}".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// A path where Helm reads a line of CSV: one with a comma would be two.
fn one_path(path: &str) -> String {
    if path.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", path.replace('"', "\"\""));
    }
    path.to_owned()
}

/// `scheme://user:password@host` without the password.
pub fn without_password(word: &str) -> String {
    let Some(start) = word.find("://").map(|at| at + 3) else {
        return word.to_owned();
    };
    let authority = word[start..].split(['/', '?', '#']).next().unwrap_or_default();
    match authority.rsplit_once('@').map(|(who, _)| who) {
        Some(who) if who.contains(':') => {
            let name = who.split(':').next().unwrap_or_default();
            format!("{}{name}:***{}", &word[..start], &word[start + who.len()..])
        }
        _ => word.to_owned(),
    }
}

/// As one would type it into a shell.
pub fn line(words: &[String]) -> String {
    let quoted: Vec<String> = words
        .iter()
        .map(|word| {
            let is_plain = !word.is_empty()
                && word
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "@%+=:,./_-".contains(c));
            if is_plain {
                word.clone()
            } else {
                format!("'{}'", word.replace('\'', "'\\''"))
            }
        })
        .collect();
    quoted.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_secret_is_run_and_not_shown() {
        let command = Command::new("helm")
            .words(["--set-string", "url=postgres://me:top@host/db"])
            .hidden("auth.password", vec!["hush".into()], false)
            .digest("image.digest", "r/i:t")
            .decrypted("secrets/x.yaml");
        let mut known = Known::default();
        assert_eq!(
            line(&command.shown(&known)),
            "helm --set-string 'url=postgres://me:***@host/db' --set-file 'auth.password=***' \
             'image.digest=<digest of r/i:t>' '<decrypted secrets/x.yaml>'"
        );
        assert!(command.arguments(&known).is_err());
        known.digests.insert("r/i:t".into(), "sha256:1".into());
        known.decrypted = Some("/tmp/y".into());
        let (words, files) = command.arguments(&known).expect("all is known");
        let path = files[0].path().to_owned();
        assert_eq!(
            words[3],
            format!("auth.password={}", escaped(&path.display().to_string()))
        );
        assert_eq!(words[4..], ["image.digest=sha256:1", "/tmp/y"]);
        assert_eq!(std::fs::read_to_string(&path).expect("the file"), "hush");
        drop(files);
        assert!(!path.exists());
        assert!(!format!("{command:?}").contains("hush"));
    }

    #[test]
    fn paths_are_one_to_helm() {
        assert_eq!(escaped(r"/a,b/{c}\d"), r"/a\,b/\{c\}\\d");
        assert_eq!(one_path("/a b/c"), "/a b/c");
        assert_eq!(one_path("/a,\"b\""), "\"/a,\"\"b\"\"\"");
    }

    #[test]
    fn only_passwords_are_taken_out_of_urls() {
        for same in [
            "https://host/a:b@c",
            "git://me@host/x",
            "a=b:c@d",
            "://",
            "x://u@h:1",
        ] {
            assert_eq!(without_password(same), same);
        }
        assert_eq!(without_password("u=s3://k:p@q@h:1/x"), "u=s3://k:***@h:1/x");
    }

    #[test]
    fn a_line_can_be_typed() {
        assert_eq!(
            line(&["a".into(), String::new(), "it's".into(), "$x".into()]),
            r"a '' 'it'\''s' '$x'"
        );
    }
}
