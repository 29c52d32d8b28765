//! From LTD Keeper's rows to the product that its dashboard shows: what was deleted is left out, what is odd is said,
//! editions and builds know each other.

use std::{
    cmp::{Ordering, Reverse},
    collections::{HashMap, HashSet},
};

use chrono::{DateTime, Datelike, NaiveDateTime, Utc};
use url::Url;

use super::{
    product::{Build, Edition, GitRef, Kind, Product},
    text::{clean, encoded_ref, is_surrogate_key, slug_fault, ticket, web_url},
    version::Version,
    wire::{Answers, BuildRow, EditionRow, ProductRow},
};

/// Most git refs of a row that are shown.
const MAX_REFS: usize = 20;
/// Most git refs of a product that are shown: a short one is a long link on two pages.
const MAX_REFS_IN_ALL: usize = 250_000;
/// Longest URL of a repository whose refs are linked, in bytes: it stands in each of them.
const MAX_REPOSITORY: usize = 256;
/// Series of documents by the beginning of their slugs.
const SERIES: [(&str, &str); 7] = [
    ("sqr", "SQuaRE Technical Note"),
    ("dmtn", "Data Management Technical Note"),
    ("smtn", "Simulations Team Technical Note"),
    ("ldm", "LSST Data Management"),
    ("lse", "LSST Systems Engineering"),
    ("lpm", "LSST Project Management"),
    ("dmtr", "Data Management Test Report"),
];

/// Why there is no product in an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NormaliseError {
    /// The answer is for another product than was asked for.
    #[error("it answered for {answered:?} when asked for {asked:?}")]
    Another {
        /// The slug that was asked for.
        asked: String,
        /// The slug in the answer.
        answered: String,
    },
}

/// The product of this slug, of what Keeper says of it.
pub fn normalise(slug: &str, answers: Answers) -> Result<Product, NormaliseError> {
    let Answers {
        product: row,
        editions,
        builds,
    } = answers;
    if row.slug != slug {
        return Err(NormaliseError::Another {
            asked: slug.to_owned(),
            answered: clean(&row.slug),
        });
    }
    let mut warnings = Vec::new();
    let mut skipped = [editions.bad, builds.bad].concat();
    let doc_repo = repository(&row, &mut warnings);
    let mut refs = Refs {
        forge: doc_repo.as_ref().and_then(Forge::of),
        left: MAX_REFS_IN_ALL,
        more: 0,
    };
    let mut built: HashMap<String, usize> = HashMap::new();
    let mut all_builds = Vec::new();
    for row in living(builds.good, "build", &mut skipped) {
        if let Some(url) = &row.self_url {
            built.insert(url.clone(), all_builds.len());
        }
        all_builds.push(build(row, &mut refs, &mut skipped));
    }
    let mut all_editions = Vec::new();
    for row in living(editions.good, "edition", &mut skipped) {
        let shown = row.build_url.as_ref().and_then(|url| built.get(url)).copied();
        let shows = shown.map(|place| &all_builds[place]);
        let edition = edition(row, shows, &mut refs, &mut skipped);
        if let Some(place) = shown {
            all_builds[place].editions.push(edition.slug.clone());
        }
        all_editions.push(edition);
    }
    if refs.more > 0 {
        skipped.push(format!(
            "{MAX_REFS_IN_ALL} git refs are shown, and {} more are not",
            refs.more
        ));
    }
    all_editions.sort_by(order);
    for build in &mut all_builds {
        build.editions.sort();
    }
    all_builds.sort_by_key(|build| Reverse((build.date_created, number(&build.slug), build.slug.clone())));
    if !all_editions.iter().any(|edition| edition.kind == Kind::Main) {
        warnings.push("There is no main edition.".to_owned());
    }
    let (handle, series) = handle(slug).unzip();
    let published_url = row.published_url.as_deref().and_then(web_url);
    if row.published_url.is_some() && published_url.is_none() {
        warnings.push("Its URL is none of the web, so it is not linked.".to_owned());
    }
    if let (Some(url), Some(domain)) = (&published_url, &row.domain)
        && url.host_str().is_some_and(|host| host != domain)
    {
        warnings.push(format!("Its URL is not on its domain, {}.", clean(domain)));
    }
    let surrogate_key = row.surrogate_key.filter(|key| is_surrogate_key(key));
    if surrogate_key.is_none() {
        skipped.push("the surrogate key is not 32 hexadecimal digits: caches are not purged".to_owned());
    }
    Ok(Product {
        slug: slug.to_owned(),
        title: title(row.title.as_deref().unwrap_or(slug), handle.as_deref()),
        handle,
        series,
        published_url,
        doc_repo,
        surrogate_key,
        editions: all_editions,
        builds: all_builds,
        warnings,
        skipped,
    })
}

/// A row that may have ended, and that has a slug.
trait Row {
    fn slug(&self) -> &str;
    fn ended(&self) -> bool;
}

impl Row for EditionRow {
    fn slug(&self) -> &str {
        &self.slug
    }

    fn ended(&self) -> bool {
        self.date_ended.is_some()
    }
}

impl Row for BuildRow {
    fn slug(&self) -> &str {
        &self.slug
    }

    fn ended(&self) -> bool {
        self.date_ended.is_some()
    }
}

/// Rows that have not ended, each slug once; the others' reasons go to `skipped`.
fn living<R: Row>(rows: Vec<R>, what: &str, skipped: &mut Vec<String>) -> Vec<R> {
    let mut seen = HashSet::new();
    let mut living = Vec::with_capacity(rows.len());
    for row in rows {
        if row.ended() {
            continue;
        }
        if let Some(fault) = slug_fault(row.slug()) {
            skipped.push(format!("{what} {:?}: {fault}", clean(row.slug())));
        } else if seen.insert(row.slug().to_owned()) {
            living.push(row);
        } else {
            skipped.push(format!("{what} {:?} comes twice", row.slug()));
        }
    }
    living
}

fn build(row: BuildRow, refs: &mut Refs, skipped: &mut Vec<String>) -> Build {
    let (names, more) = names(row.git_refs, row.git_ref);
    skipped.extend(not_shown("build", &row.slug, more));
    let uploaded = row.uploaded.unwrap_or(false);
    Build {
        url: row
            .published_url
            .as_deref()
            .and_then(web_url)
            .filter(|_| uploaded),
        date_created: row.date_created.as_deref().and_then(date),
        author: row
            .github_requester
            .as_deref()
            .map(clean)
            .filter(|name| !name.is_empty()),
        uploaded,
        ticket: names.iter().find_map(|name| ticket(name)).map(str::to_owned),
        refs: refs.shown(names),
        editions: Vec::new(),
        slug: row.slug,
    }
}

fn edition(row: EditionRow, shown: Option<&Build>, refs: &mut Refs, skipped: &mut Vec<String>) -> Edition {
    let (names, more) = names(row.tracked_refs, row.tracked_ref);
    skipped.extend(not_shown("edition", &row.slug, more));
    let (kind, version) = kind(&row.slug, row.kind.as_deref(), row.mode.as_deref(), &names);
    let built = row.build_url.is_some();
    let slug_ticket = || ticket(&row.slug);
    Edition {
        title: row
            .title
            .as_deref()
            .map(clean)
            .filter(|title| !title.is_empty() && *title != row.slug),
        kind,
        pre_release: kind == Kind::Release && version.as_ref().is_some_and(Version::is_pre_release),
        url: row.published_url.as_deref().and_then(web_url).filter(|_| built),
        // Of an edition without a build Keeper 1.x gives the time when it was started itself.
        date_rebuilt: row.date_rebuilt.as_deref().and_then(date).filter(|_| built),
        mode: row.mode.as_deref().map(clean),
        rebuilding: row.pending_rebuild.unwrap_or(false),
        built,
        build: shown.map(|build| build.slug.clone()),
        author: shown.and_then(|build| build.author.clone()),
        ticket: names
            .iter()
            .find_map(|name| ticket(name))
            .or_else(slug_ticket)
            .map(str::to_owned),
        refs: refs.shown(names),
        version,
        slug: row.slug,
    }
}

/// What an edition is: as Keeper says, or by how its build is chosen, its slug and its refs.
fn kind(slug: &str, kind: Option<&str>, mode: Option<&str>, refs: &[String]) -> (Kind, Option<Version>) {
    if matches!(slug, "main" | "__main") || kind == Some("main") {
        return (Kind::Main, None);
    }
    let first = refs.first().map(String::as_str);
    let dated = Version::parse_dated(slug).or_else(|| first.and_then(Version::parse_dated));
    let version = Version::parse(slug).or_else(|| first.and_then(Version::parse));
    match mode {
        Some("eups_weekly_release") => return (Kind::Weekly, dated.map(|(_, version)| version)),
        Some("eups_daily_release") => return (Kind::Daily, dated.map(|(_, version)| version)),
        Some("eups_major_release") => return (Kind::Release, version),
        _ => {}
    }
    // A draft may have any name.
    let is_release = match kind {
        Some("release" | "major" | "minor") => true,
        Some("draft") => false,
        _ => version.is_some(),
    };
    if is_release {
        return (Kind::Release, version);
    }
    if let Some((period, version)) = dated {
        return (period.into(), Some(version));
    }
    if refs.iter().any(|name| ticket(name).is_some()) || ticket(slug).is_some() {
        (Kind::Ticket, None)
    } else if refs.is_empty() {
        (Kind::Other, None)
    } else {
        (Kind::Branch, None)
    }
}

/// By kind; versions descending, what has none after them; then what was built last.
fn order(one: &Edition, other: &Edition) -> Ordering {
    one.kind
        .cmp(&other.kind)
        .then_with(|| other.version.cmp(&one.version))
        .then_with(|| other.date_rebuilt.cmp(&one.date_rebuilt))
        .then_with(|| number(&other.slug).cmp(&number(&one.slug)))
        .then_with(|| one.slug.cmp(&other.slug))
}

/// The number that a slug is: Keeper counts builds.
fn number(slug: &str) -> Option<u64> {
    slug.parse().ok()
}

/// Names of refs, each once, and how many more there are than are shown.
fn names(several: Option<Vec<Option<String>>>, one: Option<String>) -> (Vec<String>, usize) {
    let mut seen = HashSet::new();
    let mut names: Vec<String> = several.into_iter().flatten().flatten().chain(one).collect();
    names.retain(|name| !name.is_empty() && seen.insert(name.clone()));
    let more = names.len().saturating_sub(MAX_REFS);
    names.truncate(MAX_REFS);
    (names, more)
}

/// What is said of refs that are too many to be shown.
fn not_shown(what: &str, slug: &str, more: usize) -> Option<String> {
    (more > 0).then(|| format!("{what} {slug:?}: {MAX_REFS} git refs are shown, and {more} more are not"))
}

/// What git refs are shown as, and how many may still be.
struct Refs {
    forge: Option<Forge>,
    left: usize,
    /// Those that were too many.
    more: usize,
}

impl Refs {
    fn shown(&mut self, mut names: Vec<String>) -> Vec<GitRef> {
        self.more += names.len().saturating_sub(self.left);
        names.truncate(self.left);
        self.left -= names.len();
        let shown = |name: String| GitRef {
            source: self.forge.as_ref().and_then(|forge| forge.source(&name)),
            name: clean(&name),
        };
        names.into_iter().map(shown).collect()
    }
}

/// The repository of a product, which may be given as one to clone.
fn repository(row: &ProductRow, warnings: &mut Vec<String>) -> Option<Url> {
    let text = row.doc_repo.as_deref()?;
    let text = text.trim().trim_end_matches('/');
    let url = web_url(text.strip_suffix(".git").unwrap_or(text));
    if url.is_none() {
        warnings.push("Its repository is no URL of the web, so it is not linked.".to_owned());
    }
    url
}

/// Where the source of a ref is found.
struct Forge {
    /// Up to the ref.
    tree: String,
}

impl Forge {
    /// GitHub, or a GitLab of any host.
    fn of(repository: &Url) -> Option<Forge> {
        let host = repository.host_str()?;
        let infix = if host == "github.com" {
            "/tree/"
        } else if host == "gitlab.com" || host.starts_with("gitlab.") {
            "/-/tree/"
        } else {
            return None;
        };
        let mut base = repository.clone();
        base.set_query(None);
        base.set_fragment(None);
        if base.as_str().len() > MAX_REPOSITORY {
            return None;
        }
        Some(Forge {
            tree: format!("{}{infix}", base.as_str().trim_end_matches('/')),
        })
    }

    fn source(&self, git_ref: &str) -> Option<Url> {
        // Such segments would lead out of the repository.
        let leads_out = git_ref.split('/').any(|part| matches!(part, "" | "." | ".."));
        if leads_out {
            return None;
        }
        web_url(&format!("{}{}", self.tree, encoded_ref(git_ref)))
    }
}

/// The handle of a document and its series, by its slug.
fn handle(slug: &str) -> Option<(String, &'static str)> {
    let (series, number) = slug.split_once('-')?;
    let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let (_, name) = SERIES.iter().find(|(prefix, _)| *prefix == series)?;
    is_number.then(|| (slug.to_ascii_uppercase(), *name))
}

/// A title without the handle that it may begin with.
fn title(title: &str, handle: Option<&str>) -> String {
    let title = clean(title);
    let Some(handle) = handle else {
        return title;
    };
    let begins = title
        .get(..handle.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(handle));
    if begins {
        title[handle.len()..].trim_start_matches([':', ' ']).to_owned()
    } else {
        title
    }
}

/// A time with or without a fraction of a second; without an offset it is in UTC. Years that have not four digits are
/// none that another program would read.
fn date(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    DateTime::parse_from_rfc3339(text)
        .map(|date| date.to_utc())
        .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").map(|date| date.and_utc()))
        .ok()
        .filter(|date| (1_000..10_000).contains(&date.year()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::dashboard::wire::{self, Rows};

    macro_rules! recorded {
        ($name:literal) => {
            include_bytes!(concat!("../../../tests/it/data/keeper/", $name))
        };
    }

    fn product(slug: &str, bulk: &[u8]) -> Product {
        normalise(slug, wire::bulk(bulk, wire::PLENTY).unwrap()).unwrap()
    }

    fn slugs(product: &Product) -> Vec<(Kind, &str)> {
        product
            .editions
            .iter()
            .map(|edition| (edition.kind, edition.slug.as_str()))
            .collect()
    }

    #[test]
    fn a_recorded_note_has_its_versions_in_their_order() {
        let note = product("sqr-900", recorded!("v1-bulk-sqr-900.json"));
        assert_eq!(note.handle.as_deref(), Some("SQR-900"));
        assert_eq!(note.title, "Made-up note");
        assert_eq!(
            slugs(&note),
            [
                (Kind::Main, "main"),
                (Kind::Release, "v1.10"),
                (Kind::Release, "v1.9"),
                (Kind::Release, "v1.0"),
                (Kind::Ticket, "tickets-LCR-7-fix"),
                (Kind::Ticket, "DM-101"),
                (Kind::Branch, "u-someone-try-this"),
            ]
        );
        let main = &note.editions[0];
        assert_eq!(
            (main.build.as_deref(), main.author.as_deref()),
            (Some("8"), Some("octo"))
        );
        assert_eq!(main.title.as_deref(), Some("Latest"));
        let source = note.editions[4].refs[0].source.as_ref().map(Url::as_str);
        assert_eq!(
            source,
            Some("https://github.com/example-org/sqr-900/tree/tickets/LCR-7-fix")
        );
        let builds: Vec<_> = note.builds.iter().map(|build| build.slug.as_str()).collect();
        assert_eq!(builds, ["8", "7", "6", "5", "4", "3", "2", "1"]);
        assert_eq!(note.builds[0].editions, ["main"]);
        assert!(note.builds[7].editions.is_empty());
        assert!(note.warnings.is_empty() && note.skipped.is_empty(), "{note:?}");
    }

    #[test]
    fn hostile_words_are_text_and_nothing_dead_is_linked() {
        let pipes = product("pipes", recorded!("v1-bulk-pipes.json"));
        assert_eq!(pipes.title, "Pipes <script>alert(1)</script> & \"co\"");
        assert_eq!(
            pipes.doc_repo.as_ref().map(Url::as_str),
            Some("https://github.com/example-org/pipes_digit")
        );
        assert_eq!(
            slugs(&pipes),
            [
                (Kind::Main, "main"),
                (Kind::Weekly, "w_2026_01"),
                (Kind::Branch, "main-main"),
                (Kind::Other, "1"),
                (Kind::Other, "frozen"),
            ]
        );
        let main = &pipes.editions[0];
        assert_eq!((&main.url, main.date_rebuilt, main.built), (&None, None, false));
        assert_eq!(pipes.editions[2].refs.len(), 1, "the ref comes twice");
        let source = pipes.builds[0].refs[0].source.as_ref().map(Url::as_str);
        assert_eq!(
            source,
            Some(
                "https://github.com/example-org/pipes_digit/tree/%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E"
            )
        );
    }

    #[test]
    fn the_second_api_gives_the_same_model() {
        let answers = Answers {
            product: wire::product(recorded!("v2-project.json")).unwrap(),
            editions: wire::editions(recorded!("v2-editions.json"), 100).unwrap(),
            builds: wire::builds(recorded!("v2-builds.json"), 100).unwrap(),
        };
        let pipes = normalise("pipes", answers).unwrap();
        assert_eq!(
            slugs(&pipes),
            [
                (Kind::Main, "__main"),
                (Kind::Release, "v1.1"),
                (Kind::Release, "v1.0"),
                (Kind::Ticket, "DM-102"),
                (Kind::Ticket, "DM-101"),
                (Kind::Branch, "u-x-y"),
            ]
        );
        let not_uploaded = pipes.builds.iter().filter(|build| build.url.is_none()).count();
        assert_eq!((pipes.builds.len(), not_uploaded), (9, 4));
        assert!(
            pipes.editions[0].date_rebuilt.is_some(),
            "a date without Z is in UTC"
        );
        assert_eq!(pipes.editions[0].build.as_deref(), Some("5"));
    }

    #[test]
    fn what_has_ended_or_cannot_be_named_is_left_out() {
        let edition = |slug: &str, ended: Option<&str>| EditionRow {
            slug: slug.into(),
            date_ended: ended.map(str::to_owned),
            ..EditionRow::default()
        };
        let answers = Answers {
            product: ProductRow {
                slug: "pipes".into(),
                doc_repo: Some("javascript:alert(1)".into()),
                published_url: Some("data:text/html,x".into()),
                surrogate_key: Some("5f015d694f38481c8d089115fea8eb\r\n".into()),
                ..ProductRow::default()
            },
            editions: Rows {
                good: vec![
                    edition("old", Some("2026-01-01T00:00:00Z")),
                    edition("..", None),
                    edition("index.html", None),
                    edition("twice", None),
                    edition("twice", None),
                ],
                bad: vec!["edition 9: odd".into()],
            },
            builds: Rows::default(),
        };
        let odd = normalise("pipes", answers.clone()).unwrap();
        assert_eq!(slugs(&odd), [(Kind::Other, "twice")]);
        assert_eq!(odd.skipped.len(), 5, "{:?}", odd.skipped);
        assert_eq!(odd.warnings.len(), 3, "{:?}", odd.warnings);
        assert_eq!(
            (&odd.doc_repo, &odd.published_url, &odd.surrogate_key),
            (&None, &None, &None)
        );
        assert_eq!(odd.title, "pipes");
        let another = normalise("pipe", answers).unwrap_err();
        assert!(another.to_string().contains("\"pipes\""), "{another}");
    }

    #[test]
    fn drafts_and_branches_with_numbers_are_no_releases() {
        let refs = |name: &str| [name.to_owned()];
        for (slug, given, expected) in [
            ("v1.0", Some("draft"), Kind::Branch),
            ("v1.0", Some("release"), Kind::Release),
            ("v1.0", None, Kind::Release),
            ("v1.10.dev1", None, Kind::Release),
            ("v2-migration", None, Kind::Branch),
            ("2.0-fix-typos", None, Kind::Branch),
            ("v1.2-docs", Some("draft"), Kind::Branch),
            ("v5.0.1-1-gabcdef", None, Kind::Branch),
            ("odd", Some("major"), Kind::Release),
        ] {
            assert_eq!(
                kind(slug, given, None, &refs(slug)).0,
                expected,
                "{slug} {given:?}"
            );
        }
    }

    #[test]
    fn refs_that_are_not_shown_are_told_of() {
        let many = (0..MAX_REFS + 3).map(|number| Some(format!("u/{number}")));
        let twice = many.clone().chain(many).collect();
        let (shown, more) = names(Some(twice), Some("u/1".into()));
        assert_eq!((shown.len(), more), (MAX_REFS, 3));
        let told = not_shown("build", "7", more).unwrap();
        assert!(told.contains("and 3 more"), "{told}");
        assert_eq!(not_shown("build", "7", 0), None);
    }

    #[test]
    fn a_million_refs_are_not_a_million_links() {
        let mut refs = Refs {
            forge: None,
            left: 3,
            more: 0,
        };
        let two = || vec!["a".to_owned(), "b".to_owned()];
        let shown = [(); 3].map(|()| refs.shown(two()).len());
        assert_eq!((shown, refs.more), ([2, 1, 0], 3));
    }

    #[test]
    fn what_has_no_title_is_called_by_its_slug() {
        for title in [None, Some(""), Some(" \t")] {
            let answers = Answers {
                product: ProductRow {
                    slug: "pipes".into(),
                    title: title.map(str::to_owned),
                    ..ProductRow::default()
                },
                ..Answers::default()
            };
            assert_eq!(
                normalise("pipes", answers).unwrap().heading(),
                "pipes",
                "{title:?}"
            );
        }
    }

    #[test]
    fn dates_come_in_many_forms() {
        for text in [
            "2026-11-20T12:44:07Z",
            "2026-11-20T12:44:07.000000Z",
            "2026-11-20T12:44:07",
            "2026-11-20T12:44:07.0",
            "2026-11-20T13:44:07+01:00",
        ] {
            let read = date(text).map(|date| date.to_rfc3339());
            assert_eq!(read.as_deref(), Some("2026-11-20T12:44:07+00:00"), "{text}");
        }
        for odd in [
            "yesterday",
            "9999-12-31T23:59:59-01:00",
            "+12026-11-20T12:44:07",
            "-0001-01-01T00:00:00",
            "2026-11-20T12:44:07+99:99",
            "2026-11-20T12:44:07\0Z",
        ] {
            assert_eq!(date(odd), None, "{odd}");
        }
    }

    #[test]
    fn sources_lie_within_their_repository() {
        let gitlab = Forge::of(&Url::parse("https://gitlab.example.org/a/b/?x#y").unwrap()).unwrap();
        assert_eq!(
            gitlab.source("u/x y").map(String::from).as_deref(),
            Some("https://gitlab.example.org/a/b/-/tree/u/x%20y")
        );
        for name in ["../../../evil", "a//b", "a/./b", ""] {
            assert_eq!(gitlab.source(name), None, "{name}");
        }
        assert!(Forge::of(&Url::parse("https://evil.org/github.com/x").unwrap()).is_none());
        let long = format!("https://github.com/{}", "x".repeat(MAX_REPOSITORY));
        assert!(Forge::of(&Url::parse(&long).unwrap()).is_none());
    }
}
