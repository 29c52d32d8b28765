//! What `--set` says, read as Helm reads it: which values there are, and which of them are not for eyes.

use super::command::without_password;

/// What the name of a secret has in it.
const SECRET: [&str; 7] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "key",
];
/// What is called so says where something is or how it is, if it is one word.
const OPEN: [&str; 15] = [
    "tag",
    "digest",
    "repository",
    "registry",
    "host",
    "domain",
    "namespace",
    "path",
    "region",
    "environment",
    "level",
    "mode",
    "type",
    "size",
    "pullpolicy",
];

/// One `KEY=VALUE` of `--set`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Names of values, with dots between; with Helm's escapes.
    pub key: String,
    /// With Helm's escapes.
    pub value: String,
}

impl Setting {
    /// The settings of a text: several are parted by commas that neither a backslash nor a list (`{a,b}`) guards.
    ///
    /// # Errors
    /// What was expected instead.
    pub fn all(text: &str) -> Result<Vec<Setting>, &'static str> {
        let mut rest = text;
        let mut settings = Vec::new();
        loop {
            let at = end(rest, &['=', ',']).filter(|at| rest[*at..].starts_with('='));
            let (key, value) = rest.split_at(at.ok_or("expected KEY=VALUE")?);
            let value = &value[1..];
            if key.is_empty() {
                return Err("expected KEY=VALUE");
            }
            let list = if value.starts_with('{') {
                end(value, &['}']).ok_or("expected a } at the end of the list")? + 1
            } else {
                0
            };
            let length = end(&value[list..], &[',']).map_or(value.len(), |at| list + at);
            if list > 0 && length > list {
                return Err("expected a comma after the list");
            }
            settings.push(Setting {
                key: key.to_owned(),
                value: value[..length].to_owned(),
            });
            let Some(next) = value[length..].strip_prefix(',') else {
                return Ok(settings);
            };
            rest = next;
        }
    }

    /// Whether it is a list: `{a,b}`.
    pub fn is_list(&self) -> bool {
        self.value.starts_with('{')
    }

    /// What it says without Helm's escapes: one text, or those of a list.
    pub fn texts(&self) -> Vec<String> {
        let Some(mut rest) = self.value.strip_prefix('{') else {
            return vec![plain(&self.value)];
        };
        rest = rest.strip_suffix('}').unwrap_or(rest);
        let mut texts = Vec::new();
        while let Some(at) = end(rest, &[',']) {
            texts.push(plain(&rest[..at]));
            rest = &rest[at + 1..];
        }
        texts.push(plain(rest));
        texts
    }

    /// Whether it is a text even if it is all digits, which a tag may be.
    pub fn is_text(&self) -> bool {
        let leaf = self.key.rsplit('.').next();
        leaf.is_some_and(|leaf| ["tag", "digest", "repository"].contains(&leaf))
    }

    /// Whether its value is not for eyes, which every text is that is not known to be for them: a settings file, a URL, and
    /// the value of some variable can all hold a secret under a name that does not say so. What switches something on, off
    /// or away is open, and numbers, which Helm would take for texts if it read them from a file; so are the names of
    /// objects (`existingSecret.name`), and single words that their names tell, such as a tag or a host.
    pub fn is_secret(&self) -> bool {
        if ["", "{}", "true", "false", "null"].contains(&&*self.value.to_ascii_lowercase()) {
            return false;
        }
        let key = plain(&self.key).to_ascii_lowercase().replace("keycloak", "");
        let names: Vec<&str> = key.split(['.', '[']).collect();
        let is_name = names.iter().any(|name| name.starts_with("existing"))
            || names
                .last()
                .is_some_and(|leaf| leaf.ends_with("name") || leaf.ends_with("nameoverride"));
        if !is_name
            && names
                .iter()
                .any(|name| SECRET.iter().any(|word| name.contains(word)))
        {
            return true;
        }
        let texts = self.texts();
        if texts.iter().all(|text| is_number(text)) {
            return false;
        }
        let is_open = is_name || names.last().is_some_and(|leaf| OPEN.contains(leaf));
        !is_open || !texts.iter().all(|text| is_word(text)) || without_password(&self.value) != self.value
    }
}

fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit() || c == '-') && text.parse::<f64>().is_ok()
}

/// A name, a path, an image: nothing with parts that could say more.
fn is_word(text: &str) -> bool {
    text.len() <= 253
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-/:@".contains(c))
}

/// Where the first of these characters is that no backslash guards, in bytes.
fn end(text: &str, stops: &[char]) -> Option<usize> {
    let mut guarded = false;
    text.char_indices().find_map(|(at, c)| {
        let is_end = !guarded && stops.contains(&c);
        guarded = c == '\\' && !guarded;
        is_end.then_some(at)
    })
}

/// Without Helm's escapes: what follows a backslash is itself.
fn plain(text: &str) -> String {
    let mut chars = text.chars();
    std::iter::from_fn(|| match chars.next()? {
        '\\' => chars.next(),
        c => Some(c),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        let settings = Setting::all(text).expect("settings");
        settings.into_iter().map(|one| (one.key, one.value)).collect()
    }

    #[test]
    fn settings_are_parted_as_helm_parts_them() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(pairs("a=1,image.tag=2"), [pair("a", "1"), pair("image.tag", "2")]);
        assert_eq!(pairs(r"a=1\,2"), [pair("a", r"1\,2")]);
        assert_eq!(pairs("a={1,2},b=x=y"), [pair("a", "{1,2}"), pair("b", "x=y")]);
        assert_eq!(pairs("a="), [pair("a", "")]);
        // A brace elsewhere than at the beginning of a value guards nothing, and an escaped = ends no key.
        assert_eq!(pairs("a=x{1,b=2"), [pair("a", "x{1"), pair("b", "2")]);
        assert_eq!(pairs(r"a\=b=1"), [pair(r"a\=b", "1")]);
        for wrong in ["a", "=1", "a=1,", "", "a,b=1", "a={1", "a={1}b=2"] {
            assert!(Setting::all(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn texts_are_without_escapes() {
        let texts = |text: &str| Setting::all(text).expect("settings")[0].texts();
        assert_eq!(texts(r"a=1\,2\\"), [r"1,2\"]);
        assert_eq!(texts(r"a={x,y\}\,,}"), ["x", "y},", ""]);
        assert_eq!(texts(r"a=é\ü\"), ["éü"]);
    }

    #[test]
    fn what_is_not_known_to_be_open_is_secret() {
        let is_secret = |text: &str| Setting::all(text).expect("settings")[0].is_secret();
        for secret in [
            "auth.clientSecret=x",
            r"pass\word=x",
            "env[0].API_TOKEN=x",
            "s3.secretAccessKey=1",
            "tls.key=x",
            "credentials.user=x",
            "url=postgres://me:x@host/db",
            "tokens={a,b}",
            // Nothing says that these are secrets.
            r#"config.file=[dashboard]\nkeepers = "hunter2""#,
            "config.file=hunter2",
            "env[0].value=hunter2",
            "env.DB_PASS=hunter2",
            "hook=https://chat.example.org/services/hunter2",
            "words={1,hunter2}",
            // Nor that these are not, but for their names.
            "ingress.path=user = 1",
            "store.host=https://example.org/?sig=hunter2",
            "store.repository=https://me:x@example.org/y",
            "existingSecret.name=a b",
        ] {
            assert!(is_secret(secret), "{secret}");
        }
        for open in [
            "auth.existingSecret=x",
            "auth.existingSecret.key=url",
            "ingress.tls.secretName=x",
            "imagePullSecrets[0].name=x",
            "keycloak.path=/x",
            "auth.password=null",
            "tokens.enabled=true",
            "tokens={}",
            "replicas=2",
            "quota.share=0.5",
            "networkPolicy.egressPorts={5432,443}",
            "image.tag=1",
            "image.repository=example.org:5000/sky",
            "fullnameOverride=sky-dev9",
            "ingress.host=sky.example.org",
        ] {
            assert!(!is_secret(open), "{open}");
        }
    }
}
