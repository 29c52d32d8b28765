//! The README's commands, run as they stand.

use std::path::{Path, PathBuf};

use crate::harness::{Backend, Site, named};

const README: &str = include_str!("../../README.md");
pub const SERVER: &str = "http://127.0.0.1:8080";

/// A chapter, without its title.
fn chapter(title: &str) -> &'static str {
    let (_, rest) = README
        .split_once(&format!("\n## {title}\n"))
        .expect("the chapter");
    rest.split("\n## ").next().expect("its text")
}

/// The fenced blocks of a chapter in this language, in order.
pub fn blocks(title: &str, language: &str) -> Vec<&'static str> {
    chapter(title)
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
        for block in blocks("In five minutes", language) {
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

#[test]
fn every_block_is_in_a_chapter_that_is_run() {
    let chapters = [
        ("In five minutes", 3),
        ("Your images", 1),
        ("Dashboards of documentation", 2),
        ("Signing in", 3),
    ];
    let run: usize = chapters
        .map(|(title, count)| {
            let found = ["sh", "python", "toml"].map(|language| blocks(title, language).len());
            let found: usize = found.iter().sum();
            assert_eq!(found, count, "{title}");
            found
        })
        .iter()
        .sum();
    assert_eq!(README.matches("\n```").count(), 2 * run);
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
