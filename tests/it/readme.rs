//! The commands of the README and of the documents beside it, run as they stand.

use std::path::{Path, PathBuf};

use crate::harness::{Backend, Site, named};

const README: &str = include_str!("../../README.md");
pub const CUTOUTS: &str = include_str!("../../docs/cutouts.md");
pub const DASHBOARDS: &str = include_str!("../../docs/dashboards.md");
pub const SIGNING_IN: &str = include_str!("../../docs/signing-in.md");
pub const SERVER: &str = "http://127.0.0.1:8080";

/// The fenced blocks of a document in this language, in order.
pub fn blocks(document: &'static str, language: &str) -> Vec<&'static str> {
    document
        .split(&format!("\n```{language}\n"))
        .skip(1)
        .map(|rest| rest.split("\n```").next().expect("the block's end"))
        .collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The demo's picture, from the astropy that the tests have installed.
pub fn m13() -> PathBuf {
    let packages = std::fs::read_dir(root().join("target/venv/lib")).expect("`make test` makes the venv");
    packages
        .flatten()
        .map(|python| {
            python
                .path()
                .join("site-packages/astropy/io/fits/hdu/compressed/tests/data/m13.fits")
        })
        .find(|path| path.exists())
        .expect("astropy's picture of M13")
}

#[tokio::test]
async fn every_block_does_what_it_says() {
    let site = Site::start(Backend::Embedded).await;
    let ingested = site.run(&["ingest", "demo", m13().to_str().unwrap()]).await;
    assert!(
        ingested.status.success(),
        "{}",
        String::from_utf8_lossy(&ingested.stderr)
    );
    let folder = tempfile::tempdir().unwrap();
    let mut shown = Vec::new();
    for (language, interpreter, flag) in [
        ("sh", PathBuf::from("/bin/bash"), "-euc"),
        ("python", root().join("target/venv/bin/python"), "-c"),
    ] {
        for block in blocks(README, language) {
            let block = block.replace(SERVER, &site.address);
            let output = named(&interpreter, folder.path())
                .args([flag, &block])
                .env("SIDEREAL_SERVER", &site.address)
                .output()
                .await
                .unwrap();
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{block}\n{errors}");
            shown.push(String::from_utf8(output.stdout).unwrap());
        }
    }
    let [curl, submitted, python] = shown.as_slice() else {
        panic!("three blocks, not {shown:?}")
    };
    assert_eq!(curl.trim(), "COMPLETED");
    let cutout = std::fs::read(folder.path().join("m13.fits")).unwrap();
    assert!(cutout.starts_with(b"SIMPLE  =                    T"));
    assert!(
        submitted.contains("readme") && submitted.contains("COMPLETED"),
        "{submitted}"
    );
    assert!(
        python.starts_with("COMPLETED ") && python.contains("/results/manifest.json"),
        "{python}"
    );
}

/// Those of deploying.md and operating.md are run by `tests/charts`.
#[test]
fn every_block_is_of_a_language_that_is_run() {
    for (document, count) in [(README, 3), (CUTOUTS, 1), (DASHBOARDS, 2), (SIGNING_IN, 3)] {
        let found = ["sh", "python", "toml"].map(|language| blocks(document, language).len());
        assert_eq!(found.iter().sum::<usize>(), count, "{}", &document[..40]);
        assert_eq!(
            document.matches("\n```").count(),
            2 * count,
            "{}",
            &document[..40]
        );
    }
    let settings = include_str!("../../docs/settings.md");
    assert!(!settings.contains("```"));
}

#[test]
fn every_make_command_is_a_target_that_ci_runs() {
    let makefile = include_str!("../../Makefile");
    let ci = include_str!("../../.ci/run");
    let commands: Vec<&str> = README
        .lines()
        .filter_map(|line| line.strip_prefix("    make ")?.split_whitespace().next())
        .collect();
    assert!(commands.contains(&"demo") && commands.contains(&"test"));
    for command in commands {
        assert!(makefile.contains(&format!("\n{command}:")), "make {command}");
        assert!(ci.contains(command), ".ci/run does not run make {command}");
    }
}
