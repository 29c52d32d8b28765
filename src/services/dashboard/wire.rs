//! LTD Keeper's answers, as they come over the wire: 1.x and the two APIs of 2.x.
//!
//! An answer is bounded before it is read, and read row by row: a row that cannot be read is left out with a reason,
//! and costs no other row.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::settings::DashboardSettings;

/// Most products of a Keeper.
pub const MAX_PRODUCTS: usize = 20_000;
/// Deepest nesting of an answer.
const MAX_DEPTH: usize = 32;
/// Longest text of theirs in an error of ours, in characters.
const MAX_QUOTED: usize = 200;

/// How much of a product is read.
#[derive(Debug, Clone, Copy)]
pub struct Most {
    /// Editions.
    pub editions: usize,
    /// Builds.
    pub builds: usize,
}

impl From<&DashboardSettings> for Most {
    fn from(settings: &DashboardSettings) -> Self {
        Most {
            editions: settings.max_editions,
            builds: settings.max_builds,
        }
    }
}

/// More than any recorded answer has.
#[cfg(test)]
pub const PLENTY: Most = Most {
    editions: 1_000,
    builds: 1_000,
};

/// A product, or a project of the second API.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct ProductRow {
    /// Its name in URLs.
    pub slug: String,
    /// Its name for people.
    pub title: Option<String>,
    /// Its repository.
    #[serde(alias = "source_repo_url")]
    pub doc_repo: Option<String>,
    /// Where its main edition is.
    pub published_url: Option<String>,
    /// Host of that.
    pub domain: Option<String>,
    /// What caches know its dashboards by.
    pub surrogate_key: Option<String>,
}

/// An edition: a name for the build that is its newest.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct EditionRow {
    /// The build that it shows.
    pub build_url: Option<String>,
    /// Its name in URLs.
    pub slug: String,
    /// Its name for people.
    pub title: Option<String>,
    /// Where it is.
    pub published_url: Option<String>,
    /// How its build is chosen.
    pub mode: Option<String>,
    /// What it is for (second API).
    pub kind: Option<String>,
    /// Git refs whose builds it shows.
    pub tracked_refs: Option<Vec<Option<String>>>,
    /// The one ref (second API).
    pub tracked_ref: Option<String>,
    /// Whether it is being changed.
    pub pending_rebuild: Option<bool>,
    /// When it got its build.
    pub date_rebuilt: Option<String>,
    /// When it was deleted.
    pub date_ended: Option<String>,
}

/// A build.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct BuildRow {
    /// Its own URL, which editions name it by.
    pub self_url: Option<String>,
    /// Its name in URLs.
    pub slug: String,
    /// Git refs that it was made of.
    pub git_refs: Option<Vec<Option<String>>>,
    /// The one ref (second API).
    pub git_ref: Option<String>,
    /// Who had it made.
    pub github_requester: Option<String>,
    /// Whether its files are there.
    pub uploaded: Option<bool>,
    /// Where it is.
    pub published_url: Option<String>,
    /// When it was made.
    pub date_created: Option<String>,
    /// When it was deleted.
    pub date_ended: Option<String>,
}

/// All that is known of a product.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    /// The product.
    pub product: ProductRow,
    /// Its editions.
    pub editions: Rows<EditionRow>,
    /// Its builds.
    pub builds: Rows<BuildRow>,
}

/// Rows that could be read, and why others could not.
#[derive(Debug, Clone)]
pub struct Rows<T> {
    /// Those.
    pub good: Vec<T>,
    /// A sentence for each of the others.
    pub bad: Vec<String>,
}

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Rows {
            good: Vec::new(),
            bad: Vec::new(),
        }
    }
}

impl<T: for<'a> Deserialize<'a>> Rows<T> {
    /// Reads each row of a list, of which there are at most so many; `what` names one in what is said of it.
    fn read(list: &RawValue, most: usize, what: &str) -> Result<Rows<T>, WireError> {
        let mut read = Rows::default();
        for (place, row) in items(list, most, what)?.into_iter().enumerate() {
            match serde_json::from_str(row.get()) {
                Ok(row) => read.good.push(row),
                Err(error) => read.bad.push(format!("{what} {}: {}", place + 1, quoted(&error))),
            }
        }
        Ok(read)
    }

    /// Adds the answer for one row.
    pub fn add(&mut self, body: &[u8], what: &str) {
        match one(body) {
            Ok(row) => self.good.push(row),
            Err(error) => self.bad.push(format!("{what}: {error}")),
        }
    }
}

/// Why an answer cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A page instead of a document.
    #[error("it answered with a page of HTML instead of JSON")]
    Html,
    /// No JSON, or not to its end.
    #[error("it answered with what is not JSON: {0}")]
    Syntax(String),
    /// JSON of another shape.
    #[error("it answered with JSON that is not as expected: {0}")]
    Shape(String),
    /// Lists within lists within lists.
    #[error("it answered with JSON nested deeper than {MAX_DEPTH} levels")]
    Deep,
    /// Too much of it.
    #[error("it answered with more than {0}")]
    Many(String),
}

/// Reads what the bulk call of 1.x gives: product, editions and builds at once.
pub fn bulk(body: &[u8], most: Most) -> Result<Answers, WireError> {
    #[derive(Deserialize)]
    struct Bulk<'a> {
        product: ProductRow,
        #[serde(borrow)]
        editions: &'a RawValue,
        #[serde(borrow)]
        builds: &'a RawValue,
    }
    let bulk: Bulk<'_> = one(body)?;
    Ok(Answers {
        product: bulk.product,
        editions: Rows::read(bulk.editions, most.editions, "edition")?,
        builds: Rows::read(bulk.builds, most.builds, "build")?,
    })
}

/// Reads a list of editions of the second API.
pub fn editions(body: &[u8], most: usize) -> Result<Rows<EditionRow>, WireError> {
    Rows::read(one(body)?, most, "edition")
}

/// Reads a list of builds of the second API.
pub fn builds(body: &[u8], most: usize) -> Result<Rows<BuildRow>, WireError> {
    Rows::read(one(body)?, most, "build")
}

/// Reads a product.
pub fn product(body: &[u8]) -> Result<ProductRow, WireError> {
    one(body)
}

/// Reads a list of at most so many URLs of the first API; `what` names one of them.
pub fn urls(body: &[u8], most: usize, what: &str) -> Result<Rows<String>, WireError> {
    #[derive(Deserialize)]
    struct Urls<'a> {
        #[serde(borrow, alias = "editions", alias = "builds", alias = "products")]
        urls: &'a RawValue,
    }
    let list: Urls<'_> = one(body)?;
    Rows::read(list.urls, most, &format!("{what} URL"))
}

/// Reads the slugs of a list of projects of the second API.
pub fn project_slugs(body: &[u8]) -> Result<Vec<String>, WireError> {
    let rows: Rows<ProductRow> = Rows::read(one(body)?, MAX_PRODUCTS, "project")?;
    Ok(rows.good.into_iter().map(|row| row.slug).collect())
}

/// Reads a whole document.
fn one<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, WireError> {
    if body.trim_ascii_start().starts_with(b"<") {
        return Err(WireError::Html);
    }
    if depth(body) > MAX_DEPTH {
        return Err(WireError::Deep);
    }
    serde_json::from_slice(body).map_err(|error| unread(&error))
}

fn unread(error: &serde_json::Error) -> WireError {
    if error.is_data() {
        WireError::Shape(quoted(error))
    } else {
        WireError::Syntax(quoted(error))
    }
}

/// How deep lists and objects lie in each other.
fn depth(body: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = body.iter();
    let mut in_text = false;
    while let Some(byte) = bytes.next() {
        match (in_text, byte) {
            // What follows a backslash does not end the text.
            (true, b'\\') => _ = bytes.next(),
            (_, b'"') => in_text = !in_text,
            (false, b'[' | b'{') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// What the parser says, which may have words of theirs in it.
fn quoted(error: &serde_json::Error) -> String {
    super::text::clean(&error.to_string())
        .chars()
        .take(MAX_QUOTED)
        .collect()
}

/// The items of a list, to be read later; of one that is too long no more than `most` are ever kept.
fn items<'a>(list: &'a RawValue, most: usize, what: &str) -> Result<Vec<&'a RawValue>, WireError> {
    struct Items {
        most: usize,
    }

    impl<'de> Visitor<'de> for Items {
        type Value = Option<Vec<&'de RawValue>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<Self::Value, S::Error> {
            let (mut items, mut whole) = (Vec::new(), true);
            while let Some(item) = list.next_element::<&'de RawValue>()? {
                if items.len() < self.most {
                    items.push(item);
                } else {
                    whole = false;
                }
            }
            Ok(whole.then_some(items))
        }
    }

    let mut reader = serde_json::Deserializer::from_str(list.get());
    let items = reader
        .deserialize_seq(Items { most })
        .map_err(|error| unread(&error))?;
    items.ok_or_else(|| WireError::Many(format!("{most} {what}s")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_answers_are_read() {
        let recorded = include_bytes!("../../../tests/it/data/keeper/v1-bulk-sqr-900.json");
        let bulk = bulk(recorded, PLENTY).unwrap();
        assert_eq!(bulk.product.slug, "sqr-900");
        assert_eq!((bulk.editions.good.len(), bulk.builds.good.len()), (7, 8));
        assert!(bulk.editions.bad.is_empty() && bulk.builds.bad.is_empty());
        let listed = include_bytes!("../../../tests/it/data/keeper/v1-editions.json");
        assert_eq!(urls(listed, 7, "edition").unwrap().good.len(), 7);
        let rows = editions(
            include_bytes!("../../../tests/it/data/keeper/v2-editions.json"),
            100,
        )
        .unwrap();
        assert_eq!(rows.good[0].tracked_ref.as_deref(), Some("main"));
        assert_eq!(rows.good[0].kind.as_deref(), Some("main"));
        let project = product(include_bytes!("../../../tests/it/data/keeper/v2-project.json")).unwrap();
        assert!(project.doc_repo.is_some());
    }

    #[test]
    fn a_row_that_cannot_be_read_costs_no_other() {
        let body = br#"{"product": {"slug": "pipes", "more": {}}, "builds": [], "editions": [
            {"slug": "a", "title": null}, {"slug": 7}, {}, 1, null, {"slug": "b", "unknown": [1]}]}"#;
        let answers = bulk(body, PLENTY).unwrap();
        let slugs: Vec<_> = answers.editions.good.iter().map(|row| &row.slug).collect();
        assert_eq!(slugs, ["a", "b"]);
        assert_eq!(answers.editions.bad.len(), 4);
        assert!(
            answers.editions.bad[0].starts_with("edition 2: invalid type"),
            "{:?}",
            answers.editions.bad
        );
    }

    #[test]
    fn an_odd_entry_in_a_list_costs_no_other() {
        let read = urls(br#"{"editions": ["a", 7, "b"]}"#, 3, "edition").unwrap();
        assert_eq!(read.good, ["a", "b"]);
        assert!(
            read.bad[0].starts_with("edition URL 2: invalid type"),
            "{:?}",
            read.bad
        );
        assert!(urls(br#"{"editions": ["a", "b", "c", "d"]}"#, 3, "edition").is_err());
    }

    #[test]
    fn what_is_no_answer_is_refused_for_what_it_is() {
        assert_eq!(bulk(b" <!doctype html>", PLENTY).unwrap_err(), WireError::Html);
        assert!(matches!(bulk(b"[]", PLENTY), Err(WireError::Shape(_))));
        assert!(matches!(
            bulk(b"{\"product\":{\"slug\":\"x\"}", PLENTY),
            Err(WireError::Syntax(_))
        ));
        assert!(matches!(
            product(b"{\"slug\":\"\xff\"}"),
            Err(WireError::Syntax(_))
        ));
        assert!(matches!(product(b"{\"slug\":7}"), Err(WireError::Shape(_))));
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(product(deep.as_bytes()).unwrap_err(), WireError::Deep);
        assert_eq!(depth(br#"{"a": "[[[\"[[", "b": [{}]}"#), 3);
        assert!(matches!(editions(b"{}", 3), Err(WireError::Shape(_))));
        let most = Most {
            editions: 1,
            builds: 2,
        };
        let told = |body: &[u8]| bulk(body, most).unwrap_err().to_string();
        assert_eq!(
            told(br#"{"product": {"slug": "x"}, "editions": [1, 2], "builds": []}"#),
            "it answered with more than 1 editions"
        );
        assert_eq!(
            told(br#"{"product": {"slug": "x"}, "editions": [1], "builds": [1, 2, 3]}"#),
            "it answered with more than 2 builds"
        );
        assert!(matches!(editions(b"[1, 2, 3]", 2), Err(WireError::Many(_))));
    }
}
