//! Manifests for eyes: without what is secret, and how one differs from another.

use super::{
    command::Command,
    failure::{Class, Failure},
    private_file::PrivateFile,
    runner::Runner,
};

/// The documents of a text of YAML but those of kind Secret.
pub fn without_secrets(text: &str) -> String {
    let text = format!("\n{text}\n");
    let kept = text.split("\n---").filter(|document| !is_secret(document));
    kept.map(str::trim_end)
        .filter(|document| !document.trim().is_empty())
        .flat_map(|document| ["---", document, "\n"])
        .collect()
}

/// Whether any part of a document, however it is written, says that it is of this kind; rather one too many than one
/// too few.
fn is_secret(document: &str) -> bool {
    document.split(['\n', '{', ',', '}']).any(|part| {
        let part = part.split(" #").next().unwrap_or_default();
        part.trim_start_matches([' ', '-'])
            .split_once(':')
            .is_some_and(|(key, value)| {
                // A tag or an anchor may stand before it.
                let kind = bare(value.split_whitespace().last().unwrap_or_default());
                bare(key) == "kind" && (kind == "Secret" || kind == "SecretList")
            })
    })
}

/// What any part of a text of YAML names as its image.
pub fn images_of(text: &str) -> Vec<String> {
    let parts = text.split(['\n', '{', ',', '}']).filter_map(|part| {
        let part = part.split(" #").next()?;
        let (key, value) = part.trim_start_matches([' ', '-']).split_once(':')?;
        (bare(key) == "image").then(|| bare(value).to_owned())
    });
    parts.filter(|image| !image.is_empty()).collect()
}

fn bare(text: &str) -> &str {
    text.trim().trim_matches(['"', '\''])
}

/// How one text becomes another, as a unified diff; empty if it does not.
pub async fn difference(runner: &mut Runner, before: &str, after: &str) -> Result<String, Failure> {
    let (before, after) = (
        PrivateFile::new(before, ".yaml")?,
        PrivateFile::new(after, ".yaml")?,
    );
    let paths = [before.path(), after.path()].map(|path| path.display().to_string());
    let command = Command::new("git")
        .words(["diff", "--no-index", "--no-ext-diff", "--no-color", "--"])
        .words(&paths);
    let answer = runner.ask(&command).await?;
    if answer.code > 1 {
        return Err(Failure::new(
            Class::Setup,
            format!("git diff failed: {}", answer.complaint()),
        ));
    }
    // The names of our files say nothing.
    let at = answer.out.find("@@").unwrap_or(answer.out.len());
    Ok(answer.out[at..].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_found() {
        let text = "image: a/b:1\n  - image: \"c:2\" # ours\n  x: {image: 'd@sha256:3', y: 1}\nimageName: e\nimage:\n  tag: f";
        assert_eq!(images_of(text), ["a/b:1", "c:2", "d@sha256:3"]);
    }

    #[test]
    fn secrets_are_left_out() {
        let text = "---\n# Source: a\nkind: Service\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Secret\nstringData: \
                    {x: hush}\n---\nkind: \"Secret\"\ndata: {y: aHVzaA==}\n---\nkind: SecretStore\n";
        let shown = without_secrets(text);
        assert_eq!(
            shown,
            "---\n# Source: a\nkind: Service\nmetadata: {name: a}\n---\nkind: SecretStore\n"
        );
        for secret in [
            "kind: Secret\nx: 1",
            "kind: Secret # ours\nx: 1",
            "\"kind\" : 'Secret'\nx: 1",
            "kind: !!str Secret\nx: 1",
            "{\"apiVersion\": \"v1\", \"kind\":\"Secret\", \"data\": {}}",
            "kind: List\nitems:\n- kind: Secret\n  x: 1",
            "kind: SecretList\nitems: []",
        ] {
            assert_eq!(without_secrets(secret), "", "{secret}");
        }
        let judged = "NAME: a\nHOOKS:\n---\nkind: Secret\nx: hush\nMANIFEST:\n---\nkind: Service\n";
        assert_eq!(
            without_secrets(judged),
            "---\nNAME: a\nHOOKS:\n---\nkind: Service\n"
        );
    }
}
