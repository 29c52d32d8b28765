//! Commands as data: a program and its words, some of which are known only while running, and some never shown.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret, SecretString};

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
    /// `key=value`, whose value is not for eyes.
    Hidden(String, SecretString),
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

    /// `key=value`, printed as `key=***`.
    pub fn hidden(mut self, key: impl Into<String>, value: impl Into<SecretString>) -> Command {
        self.words.push(Word::Hidden(key.into(), value.into()));
        self
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

    /// The words to run it with, or what is not known yet.
    pub fn arguments(&self, known: &Known) -> Result<Vec<String>, String> {
        self.words
            .iter()
            .map(|word| match word {
                Word::Plain(word) => Ok(word.clone()),
                Word::Hidden(key, value) => Ok(format!("{key}={}", value.expose_secret())),
                Word::Digest(key, reference) => known
                    .digests
                    .get(reference)
                    .map(|digest| format!("{key}={digest}"))
                    .ok_or_else(|| format!("the digest of {reference} is not known")),
                Word::Decrypted(from) => known
                    .decrypted
                    .as_deref()
                    .map(|path: &Path| path.display().to_string())
                    .ok_or_else(|| format!("{from} is not decrypted")),
            })
            .collect()
    }

    /// Program and words for eyes and logs: no secret in them, and `<…>` for what is not known yet.
    pub fn shown(&self, known: &Known) -> Vec<String> {
        let words = self.words.iter().map(|word| match word {
            Word::Plain(word) => without_password(word),
            Word::Hidden(key, _) => format!("{key}=***"),
            Word::Digest(key, reference) => match known.digests.get(reference) {
                Some(digest) => format!("{key}={digest}"),
                None => format!("{key}=<digest of {reference}>"),
            },
            Word::Decrypted(from) => format!("<decrypted {from}>"),
        });
        std::iter::once(self.program.to_owned()).chain(words).collect()
    }
}

/// `scheme://user:password@host` without the password.
fn without_password(word: &str) -> String {
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
            .hidden("auth.password", "hush")
            .digest("image.digest", "r/i:t")
            .decrypted("secrets/x.yaml");
        let mut known = Known::default();
        assert_eq!(
            line(&command.shown(&known)),
            "helm --set-string 'url=postgres://me:***@host/db' 'auth.password=***' \
             'image.digest=<digest of r/i:t>' '<decrypted secrets/x.yaml>'"
        );
        assert!(command.arguments(&known).is_err());
        known.digests.insert("r/i:t".into(), "sha256:1".into());
        known.decrypted = Some("/tmp/y".into());
        assert_eq!(
            command.arguments(&known).expect("all is known"),
            [
                "--set-string",
                "url=postgres://me:top@host/db",
                "auth.password=hush",
                "image.digest=sha256:1",
                "/tmp/y"
            ]
        );
        assert!(!format!("{command:?}").contains("hush"));
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
