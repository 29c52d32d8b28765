//! The dashboard as JSON: for programs, for the version menus of pydata-sphinx-theme and of mike.

use std::collections::HashMap;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{
    page::Entry,
    product::{Build, Edition, Kind, Product},
};

/// Version of the shape of `index.json`; it rises when a field changes its meaning or goes.
const SCHEMA_VERSION: u32 = 1;

#[derive(Serialize)]
struct About<'a> {
    slug: &'a str,
    title: &'a str,
    handle: Option<&'a str>,
    series: Option<&'static str>,
    published_url: Option<&'a str>,
    doc_repo: Option<&'a str>,
}

impl<'a> About<'a> {
    fn of(product: &'a Product) -> Self {
        About {
            slug: &product.slug,
            title: &product.title,
            handle: product.handle.as_deref(),
            series: product.series,
            published_url: product.published_url.as_ref().map(url::Url::as_str),
            doc_repo: product.doc_repo.as_ref().map(url::Url::as_str),
        }
    }
}

/// `v/index.json`: the editions by kind, in the order of the page.
pub fn editions(product: &Product) -> serde_json::Result<Vec<u8>> {
    #[derive(Serialize)]
    struct Group<'a> {
        kind: Kind,
        title: &'static str,
        editions: Vec<&'a Edition>,
    }
    #[derive(Serialize)]
    struct Document<'a> {
        schema_version: u32,
        product: About<'a>,
        groups: Vec<Group<'a>>,
        warnings: &'a [String],
        source_sha256: String,
    }
    let group = |(kind, editions): (Kind, _)| Group {
        kind,
        title: kind.heading(),
        editions,
    };
    serde_json::to_vec(&Document {
        schema_version: SCHEMA_VERSION,
        product: About::of(product),
        groups: product.groups().into_iter().map(group).collect(),
        warnings: &product.warnings,
        source_sha256: source(product)?,
    })
}

/// `builds/index.json`: all builds, newest first.
pub fn builds(product: &Product) -> serde_json::Result<Vec<u8>> {
    #[derive(Serialize)]
    struct Document<'a> {
        schema_version: u32,
        product: About<'a>,
        builds: &'a [Build],
        source_sha256: String,
    }
    serde_json::to_vec(&Document {
        schema_version: SCHEMA_VERSION,
        product: About::of(product),
        builds: &product.builds,
        source_sha256: source(product)?,
    })
}

/// `switcher.json`: the main edition and the releases, as pydata-sphinx-theme's version menu reads them. What it
/// prefers is the newest release that is final.
pub fn switcher(product: &Product) -> serde_json::Result<Vec<u8>> {
    #[derive(Serialize)]
    struct Item<'a> {
        name: &'a str,
        version: &'a str,
        url: &'a str,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        preferred: bool,
    }
    let shown = || {
        let built = product.editions.iter().filter(|edition| !edition.kind.is_draft());
        built.filter_map(|edition| Some((edition, edition.url.as_ref()?)))
    };
    let preferred = shown()
        .find(|(edition, _)| edition.kind == Kind::Release && !edition.pre_release)
        .or_else(|| shown().next())
        .map(|(edition, _)| edition.slug.as_str());
    let items: Vec<Item<'_>> = shown()
        .map(|(edition, url)| Item {
            name: edition.title.as_deref().unwrap_or(&edition.slug),
            version: &edition.slug,
            url: url.as_str(),
            preferred: Some(edition.slug.as_str()) == preferred,
        })
        .collect();
    serde_json::to_vec(&items)
}

/// `versions.json`, as mike writes it: editions that show the same build are one version, with the others as its
/// aliases; drafts are hidden.
pub fn versions(product: &Product) -> serde_json::Result<Vec<u8>> {
    #[derive(Serialize)]
    struct Properties {
        hidden: bool,
    }
    #[derive(Serialize)]
    struct Item<'a> {
        version: &'a str,
        title: &'a str,
        aliases: Vec<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        properties: Option<Properties>,
    }
    let mut items: Vec<Item<'_>> = Vec::new();
    let mut of_build: HashMap<&str, usize> = HashMap::new();
    // Releases give their name to a build that is the main edition too.
    let mut editions: Vec<&Edition> = product.editions.iter().filter(|edition| edition.built).collect();
    editions.sort_by_key(|edition| edition.kind != Kind::Release);
    for edition in editions {
        let same = edition.build.as_deref().and_then(|build| of_build.get(build));
        if let Some(place) = same {
            items[*place].aliases.push(&edition.slug);
            continue;
        }
        if let Some(build) = &edition.build {
            of_build.insert(build, items.len());
        }
        items.push(Item {
            version: &edition.slug,
            title: edition.title.as_deref().unwrap_or(&edition.slug),
            aliases: Vec::new(),
            properties: edition.kind.is_draft().then_some(Properties { hidden: true }),
        });
    }
    serde_json::to_vec(&items)
}

/// `index.json`: all products.
pub fn index(entries: &[Entry]) -> serde_json::Result<Vec<u8>> {
    #[derive(Serialize)]
    struct Document<'a> {
        schema_version: u32,
        products: &'a [Entry],
    }
    serde_json::to_vec(&Document {
        schema_version: SCHEMA_VERSION,
        products: entries,
    })
}

/// Digest of all that the dashboard was made of.
fn source(product: &Product) -> serde_json::Result<String> {
    Ok(hex::encode(Sha256::digest(serde_json::to_vec(product)?)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::services::dashboard::{normalise::normalise, wire};

    fn note() -> Product {
        let bulk = include_bytes!("../../../tests/it/data/keeper/v1-bulk-sqr-900.json");
        normalise("sqr-900", wire::bulk(bulk, wire::PLENTY).unwrap()).unwrap()
    }

    fn value(document: serde_json::Result<Vec<u8>>) -> Value {
        serde_json::from_slice(&document.unwrap()).unwrap()
    }

    #[test]
    fn the_index_has_what_the_pages_have() {
        let editions = value(editions(&note()));
        assert_eq!(editions["schema_version"], 1);
        assert_eq!(editions["product"]["handle"], "SQR-900");
        assert_eq!(editions["groups"][1]["kind"], "release");
        let release = &editions["groups"][1]["editions"][0];
        assert_eq!(
            (&release["slug"], &release["build"]),
            (&json!("v1.10"), &json!("6"))
        );
        assert_eq!(release["date_rebuilt"], "2026-11-20T12:44:09.250403Z");
        let builds = value(builds(&note()));
        assert_eq!(builds["builds"].as_array().map(Vec::len), Some(8));
        assert_eq!(builds["builds"][0]["editions"], json!(["main"]));
        assert_eq!(builds["source_sha256"], editions["source_sha256"]);
    }

    #[test]
    fn the_switcher_has_main_first_and_prefers_the_newest_final_release() {
        let mut note = note();
        note.editions[1].pre_release = true;
        let switcher = value(switcher(&note));
        let items: Vec<_> = switcher
            .as_array()
            .unwrap()
            .iter()
            .map(|item| (item["version"].as_str().unwrap(), item["preferred"] == true))
            .collect();
        assert_eq!(
            items,
            [("main", false), ("v1.10", false), ("v1.9", true), ("v1.0", false)]
        );
        assert_eq!(switcher[0]["name"], "Latest");
        assert_eq!(switcher[0]["url"], "https://sqr-900.docs.example/");
    }

    #[test]
    fn versions_join_editions_of_one_build_and_hide_drafts() {
        let mut note = note();
        note.editions[0].build = Some("6".into());
        let versions = value(versions(&note));
        assert_eq!(
            versions[0],
            json!({"version": "v1.10", "title": "v1.10", "aliases": ["main"]})
        );
        let hidden: Vec<_> = versions
            .as_array()
            .unwrap()
            .iter()
            .filter(|item| item["properties"]["hidden"] == true)
            .map(|item| item["version"].as_str().unwrap())
            .collect();
        assert_eq!(hidden, ["tickets-LCR-7-fix", "DM-101", "u-someone-try-this"]);
    }
}
