//! Answers of the astronomers' own Python packages, to compare ours with.

use std::path::Path;

use serde_json::Value;
use tokio::process::Command;

/// What `tests/it/oracles/{script}` prints, as JSON.
pub async fn oracle(script: &str, arguments: &[&str]) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/venv/bin/python");
    assert!(
        python.exists(),
        "{} is not there; `make test` makes it",
        python.display()
    );
    let output = Command::new(python)
        .arg(root.join("tests/it/oracles").join(script))
        .args(arguments)
        .kill_on_drop(true)
        .output()
        .await
        .expect("the venv's Python");
    let (text, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{script} {arguments:?}: {errors}{text}");
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{script} {arguments:?}: {e} in {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_pinned_packages_are_there() {
        let versions = oracle("versions.py", &[]).await;
        let wanted = include_str!("../../setup/requirements.txt");
        for (name, version) in versions.as_object().expect("an object") {
            let line = format!("{name}=={}", version.as_str().expect("a version"));
            assert!(wanted.lines().any(|wanted| wanted == line), "{line}");
        }
    }
}
