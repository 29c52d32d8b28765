//! The pages of a dashboard, by the `templates` beside this, which escape whatever they are given.
//!
//! A page is made of nothing but what it shows: the same product gives the same bytes.

use std::{collections::HashMap, fmt::Display};

use askama::Template;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    look::Look,
    product::{Build, Edition, Kind, Product},
    text::is_github_name,
};

/// Builds on a page.
const BUILDS_A_PAGE: usize = 500;

/// A product on the page of all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name in URLs.
    pub slug: String,
    /// Where its dashboard lies below that of all.
    #[serde(default)]
    pub path: String,
    /// Its name for people.
    pub title: String,
    /// Where it is.
    pub published_url: Option<Url>,
    /// When its main edition got its build.
    pub date_rebuilt: Option<DateTime<Utc>>,
    /// When any of its editions got its build last.
    #[serde(default)]
    pub latest: Option<DateTime<Utc>>,
    /// How many editions it has.
    pub editions: u64,
    /// How many builds it has.
    pub builds: u64,
    /// Whether LTD Keeper knows it no more.
    pub missing: bool,
}

#[derive(Template)]
#[template(path = "editions.html")]
struct Editions<'a> {
    product: &'a Product,
    groups: Vec<(Kind, Vec<&'a Edition>)>,
    builds: HashMap<&'a str, &'a Build>,
    look: &'a Look,
    root: &'static str,
}

impl Editions<'_> {
    fn build_url(&self, slug: &str) -> Option<&Url> {
        self.builds.get(slug)?.url.as_ref()
    }
}

#[derive(Template)]
#[template(path = "builds.html")]
struct Builds<'a> {
    product: &'a Product,
    rows: &'a [Build],
    editions: &'a HashMap<&'a str, &'a Edition>,
    page: usize,
    pages: usize,
    look: &'a Look,
    root: &'static str,
}

impl Builds<'_> {
    fn edition_url(&self, slug: &str) -> Option<&Url> {
        self.editions.get(slug)?.url.as_ref()
    }
}

#[derive(Template)]
#[template(path = "index.html")]
struct Index<'a> {
    heading: &'a str,
    entries: &'a [Entry],
    look: &'a Look,
    root: &'static str,
}

/// The page of the editions.
pub fn editions(product: &Product, look: &Look) -> askama::Result<String> {
    let page = Editions {
        product,
        groups: product.groups(),
        builds: product
            .builds
            .iter()
            .map(|build| (build.slug.as_str(), build))
            .collect(),
        look,
        root: "..",
    };
    page.render()
}

/// The pages of the builds, with their names.
pub fn builds(product: &Product, look: &Look) -> askama::Result<Vec<(String, String)>> {
    let editions: HashMap<&str, &Edition> = product
        .editions
        .iter()
        .map(|edition| (edition.slug.as_str(), edition))
        .collect();
    let pages = product.builds.len().div_ceil(BUILDS_A_PAGE).max(1);
    let render = |page: usize| {
        let start = (page - 1) * BUILDS_A_PAGE;
        let end = product.builds.len().min(start + BUILDS_A_PAGE);
        let rendered = Builds {
            product,
            rows: &product.builds[start..end],
            editions: &editions,
            page,
            pages,
            look,
            root: "..",
        };
        Ok((builds_name(&page), rendered.render()?))
    };
    (1..=pages).map(render).collect()
}

/// The page of all products.
pub fn index(entries: &[Entry], look: &Look) -> askama::Result<String> {
    let page = Index {
        heading: look.title.as_deref().unwrap_or("Documentation"),
        entries,
        look,
        root: ".",
    };
    page.render()
}

/// Name of a page of builds, from 1.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
fn builds_name(page: &usize) -> String {
    match page {
        1 => "index.html".to_owned(),
        page => format!("page-{page}.html"),
    }
}

/// A number as people read it: `3,000`.
fn number(number: impl Display) -> String {
    let digits = number.to_string();
    let mut parts: Vec<&str> = Vec::new();
    let mut end = digits.len();
    while end > 3 {
        parts.push(&digits[end - 3..end]);
        end -= 3;
    }
    parts.push(&digits[..end]);
    parts.reverse();
    parts.join(",")
}

/// A URL as people read it.
fn shown(url: &Url) -> String {
    let text = url.as_str();
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    rest.trim_end_matches('/').to_owned()
}

/// A URL below another.
fn below(url: &Url, path: &str) -> String {
    format!("{}/{path}", url.as_str().trim_end_matches('/'))
}

/// Where someone is found on GitHub, if they can be there.
fn profile(name: &str) -> Option<String> {
    is_github_name(name).then(|| format!("https://github.com/{name}"))
}

#[cfg(test)]
mod tests {
    use quick_xml::{Reader, events::Event};

    use super::*;
    use crate::services::dashboard::{normalise::normalise, wire};

    const ELEMENTS: [&str; 33] = [
        "a", "bdi", "body", "code", "div", "footer", "h1", "h2", "head", "header", "html", "li", "link",
        "main", "meta", "nav", "p", "section", "span", "table", "tbody", "td", "th", "thead", "time",
        "title", "tr", "ul", "strong", "em", "caption", "img", "script",
    ];
    const ATTRIBUTES: [&str; 20] = [
        "aria-current",
        "aria-label",
        "aria-labelledby",
        "alt",
        "charset",
        "class",
        "content",
        "data-filter",
        "datetime",
        "defer",
        "hidden",
        "href",
        "id",
        "lang",
        "name",
        "rel",
        "role",
        "scope",
        "src",
        "tabindex",
    ];

    /// What a page links to, and its text. Fails if it has anything that could act: an element, an attribute or a
    /// scheme that no page of ours has. Pages are written so that they are XML too, whose parser forgives nothing: what
    /// is not escaped is another element, or no XML.
    fn read(page: &str) -> (Vec<String>, String) {
        let mut reader = Reader::from_str(page);
        let (mut links, mut text) = (Vec::new(), String::new());
        loop {
            match reader
                .read_event()
                .unwrap_or_else(|error| panic!("{error}: {page}"))
            {
                Event::Start(tag) | Event::Empty(tag) => {
                    let name = tag.name().as_ref().to_owned();
                    assert!(ELEMENTS.contains(&name.as_str()), "<{name}> in {page}");
                    for attribute in tag.attributes() {
                        let attribute = attribute.unwrap_or_else(|error| panic!("{error}: {page}"));
                        let key = attribute.key.as_ref().to_owned();
                        assert!(ATTRIBUTES.contains(&key.as_str()), "{key} in {page}");
                        // What is loaded is ours.
                        let is_asset = ["../_dashboard/", "./_dashboard/"]
                            .iter()
                            .any(|place| attribute.value.starts_with(place));
                        assert!(key != "src" || is_asset, "{} in {page}", &*attribute.value);
                        if key == "href" {
                            let link = quick_xml::escape::unescape(&attribute.value).unwrap();
                            links.push(link.into_owned());
                        }
                    }
                }
                Event::Text(part) => text.push_str(&part),
                Event::GeneralRef(entity) => {
                    let entity = format!("&{};", &*entity);
                    text.push_str(&quick_xml::escape::unescape(&entity).unwrap());
                }
                Event::Comment(_) | Event::CData(_) | Event::PI(_) => {
                    panic!("markup of no page of ours: {page}")
                }
                Event::Eof => break,
                Event::End(_) | Event::DocType(_) | Event::Decl(_) => {}
            }
        }
        for link in &links {
            let ours = ["#", "../", "index.", "page-", "./", "pipes/"]
                .iter()
                .any(|start| link.starts_with(start));
            assert!(
                ours || link.starts_with("https://") || link.starts_with("http://"),
                "{link}"
            );
        }
        (links, text)
    }

    fn product(slug: &str, bulk: &[u8]) -> Product {
        normalise(slug, wire::bulk(bulk, wire::PLENTY).unwrap()).unwrap()
    }

    fn look() -> Look {
        Look {
            tickets: Some("https://jira.example.org/browse/".parse().unwrap()),
            ..Look::default()
        }
    }

    #[test]
    fn every_live_edition_and_uploaded_build_is_linked() {
        let note = product(
            "sqr-900",
            include_bytes!("../../../tests/it/data/keeper/v1-bulk-sqr-900.json"),
        );
        let (links, text) = read(&editions(&note, &look()).unwrap());
        for slug in [
            "/v/v1.10",
            "/v/v1.9",
            "/v/DM-101",
            "/v/u-someone-try-this",
            "/builds/8",
        ] {
            assert!(
                links.contains(&format!("https://sqr-900.docs.example{slug}")),
                "{slug}"
            );
        }
        assert!(links.contains(&"https://jira.example.org/browse/LCR-7".to_owned()));
        assert!(links.contains(&"https://github.com/octo".to_owned()));
        assert!(text.find("v1.10").unwrap() < text.find("v1.9").unwrap());
        let [(name, page)] = &builds(&note, &look()).unwrap()[..] else {
            panic!("more than one page");
        };
        let (links, text) = read(page);
        assert_eq!(name, "index.html");
        for slug in 1..=8 {
            assert!(
                links.contains(&format!("https://sqr-900.docs.example/builds/{slug}")),
                "{slug}"
            );
        }
        assert!(text.contains("2026-11-20"));
    }

    #[test]
    fn hostile_words_are_seen_as_they_are() {
        let pipes = product(
            "pipes",
            include_bytes!("../../../tests/it/data/keeper/v1-bulk-pipes.json"),
        );
        let (links, text) = read(&editions(&pipes, &look()).unwrap());
        assert!(
            text.contains("Pipes <script>alert(1)</script> & \"co\""),
            "{text}"
        );
        assert!(text.contains("Weekly <b>bold</b>"), "{text}");
        assert!(text.contains("not built yet"));
        assert!(!links.contains(&"https://pipes.docs.example/v/frozen".to_owned()));
        let (links, text) = read(&builds(&pipes, &look()).unwrap()[0].1);
        assert!(text.contains("<img src=x onerror=alert(1)>"), "{text}");
        assert!(text.contains("a\"b<c>"), "{text}");
        assert!(!links.iter().any(|link| link.contains("a\"b")), "{links:?}");
    }

    #[test]
    fn every_field_of_text_is_escaped() {
        let hostile = "\"'><img src=x onerror=alert(1)>&lt;{{7*7}}</title><script>";
        let mut odd = product(
            "pipes",
            include_bytes!("../../../tests/it/data/keeper/v1-bulk-pipes.json"),
        );
        odd.title = hostile.into();
        odd.handle = Some(hostile.into());
        odd.series = Some("x");
        odd.warnings = vec![hostile.into()];
        for edition in &mut odd.editions {
            edition.slug = hostile.into();
            edition.title = Some(hostile.into());
            edition.mode = Some(hostile.into());
            edition.build = Some(hostile.into());
            edition.author = Some(hostile.into());
            edition.ticket = Some(hostile.into());
            edition.url = Some("https://x.example/?a=\"&b='<".parse().unwrap());
        }
        for build in &mut odd.builds {
            build.slug = hostile.into();
            build.author = Some(hostile.into());
            build.ticket = Some(hostile.into());
            build.editions = vec![hostile.into()];
        }
        let hostile_look = Look {
            title: Some(hostile.into()),
            footer: Some(hostile.into()),
            logo: Some(crate::services::dashboard::assets::ICON.clone()),
            ..look()
        };
        read(&editions(&odd, &hostile_look).unwrap());
        for (_, page) in builds(&odd, &Look::default()).unwrap() {
            read(&page);
        }
        let entry = Entry {
            slug: hostile.into(),
            path: "pipes".into(),
            title: hostile.into(),
            published_url: None,
            date_rebuilt: None,
            latest: None,
            editions: 1,
            builds: 2,
            missing: true,
        };
        let (_, text) = read(&index(&[entry], &hostile_look).unwrap());
        assert!(text.contains(hostile), "{text}");
    }

    #[test]
    fn whoever_runs_the_server_has_a_word_on_every_page() {
        let note = product(
            "sqr-900",
            include_bytes!("../../../tests/it/data/keeper/v1-bulk-sqr-900.json"),
        );
        let own = Look {
            title: Some("Docs of <us>".into()),
            footer: Some("Write to & fro".into()),
            logo: Some(crate::services::dashboard::assets::ICON.clone()),
            ..look()
        };
        let pages = |look: &Look| {
            let mut pages = vec![editions(&note, look).unwrap(), index(&[], look).unwrap()];
            pages.extend(builds(&note, look).unwrap().into_iter().map(|(_, page)| page));
            pages
        };
        for page in pages(&own) {
            let (_, text) = read(&page);
            assert!(
                text.contains("Docs of <us>") && text.contains("Write to & fro"),
                "{text}"
            );
            assert!(page.contains("<img "), "{page}");
        }
        for page in pages(&Look::default()) {
            assert!(!page.contains("<img "), "{page}");
        }
        assert!(
            read(&index(&[], &Look::default()).unwrap())
                .1
                .contains("Documentation")
        );
    }

    #[test]
    fn numbers_are_read_by_their_thousands() {
        for (many, read) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (20_000, "20,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(number(many), read);
        }
    }

    #[test]
    fn many_builds_are_on_several_pages() {
        let mut note = product(
            "sqr-900",
            include_bytes!("../../../tests/it/data/keeper/v1-bulk-sqr-900.json"),
        );
        let build = note.builds[0].clone();
        note.builds = vec![build; 2 * BUILDS_A_PAGE + 1];
        let pages = builds(&note, &look()).unwrap();
        let names: Vec<_> = pages.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["index.html", "page-2.html", "page-3.html"]);
        let (links, text) = read(&pages[2].1);
        assert!(text.contains("1 of 1,001 builds"), "{text}");
        assert!(links.contains(&"page-2.html".to_owned()) && links.contains(&"index.html".to_owned()));
        assert_eq!(builds(&note, &look()).unwrap(), pages, "the same bytes");
        note.builds.clear();
        assert!(
            read(&builds(&note, &look()).unwrap()[0].1)
                .1
                .contains("no build yet")
        );
    }
}
