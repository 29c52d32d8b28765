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
    let kept = text.split("\n---").filter(|document| {
        !document.lines().any(|line| {
            line.strip_prefix("kind:")
                .is_some_and(|kind| kind.trim().trim_matches(['"', '\'']) == "Secret")
        })
    });
    kept.map(str::trim_end)
        .filter(|document| !document.trim().is_empty())
        .flat_map(|document| ["---", document, "\n"])
        .collect()
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
    fn secrets_are_left_out() {
        let text = "---\n# Source: a\nkind: Service\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Secret\nstringData: \
                    {x: hush}\n---\nkind: \"Secret\"\ndata: {y: aHVzaA==}\n---\nkind: SecretStore\n";
        let shown = without_secrets(text);
        assert_eq!(
            shown,
            "---\n# Source: a\nkind: Service\nmetadata: {name: a}\n---\nkind: SecretStore\n"
        );
        assert_eq!(without_secrets("kind: Secret\nx: 1"), "");
        let judged = "NAME: a\nHOOKS:\n---\nkind: Secret\nx: hush\nMANIFEST:\n---\nkind: Service\n";
        assert_eq!(
            without_secrets(judged),
            "---\nNAME: a\nHOOKS:\n---\nkind: Service\n"
        );
    }
}
