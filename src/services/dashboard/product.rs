//! A product as its dashboard shows it: one model for every version of LTD Keeper.
//!
//! All text is fit to be shown, every URL to be followed, every slug to be part of a name.

use chrono::{DateTime, Utc};
use serde::Serialize;
use url::Url;

use super::version::{Period, Version};

/// A documentation site.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Product {
    /// Its name in URLs.
    pub slug: String,
    /// Its name for people, without its handle.
    pub title: String,
    /// The handle of a document of a series, as `SQR-900`.
    pub handle: Option<String>,
    /// That series.
    pub series: Option<&'static str>,
    /// Where its main edition is.
    pub published_url: Option<Url>,
    /// Its repository, without `.git`.
    pub doc_repo: Option<Url>,
    /// What caches know its dashboards by: 32 hexadecimal digits.
    pub surrogate_key: Option<String>,
    /// What there is of it, best first.
    pub editions: Vec<Edition>,
    /// Newest first.
    pub builds: Vec<Build>,
    /// What is odd about it.
    pub warnings: Vec<String>,
    /// Rows that were left out, and why; for whoever runs the job, not for readers.
    #[serde(skip)]
    pub skipped: Vec<String>,
}

/// An edition that has not been deleted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Edition {
    /// Its name in URLs.
    pub slug: String,
    /// Its name for people, if that is another.
    pub title: Option<String>,
    /// Where it belongs on the page.
    pub kind: Kind,
    /// Whether it is a candidate or a beta.
    pub pre_release: bool,
    /// Where it can be read; none while it has no build.
    pub url: Option<Url>,
    /// When it got its build, if it has one.
    pub date_rebuilt: Option<DateTime<Utc>>,
    /// Git refs whose builds it shows.
    pub refs: Vec<GitRef>,
    /// How its build is chosen, in Keeper's words.
    pub mode: Option<String>,
    /// Whether it is being changed just now.
    pub rebuilding: bool,
    /// Whether it has a build.
    pub built: bool,
    /// Slug of that, if it is among the builds.
    pub build: Option<String>,
    /// Who had it made.
    pub author: Option<String>,
    /// Key of its ticket.
    pub ticket: Option<String>,
    /// What it is sorted by.
    #[serde(skip)]
    pub version: Option<Version>,
}

/// A build that has not been deleted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Build {
    /// Its name in URLs.
    pub slug: String,
    /// Where it can be read; none while it has not been uploaded.
    pub url: Option<Url>,
    /// When it was made.
    pub date_created: Option<DateTime<Utc>>,
    /// Git refs that it was made of.
    pub refs: Vec<GitRef>,
    /// Who had it made.
    pub author: Option<String>,
    /// Whether its files are there.
    pub uploaded: bool,
    /// Key of its ticket.
    pub ticket: Option<String>,
    /// Slugs of the editions that show it now.
    pub editions: Vec<String>,
}

/// A branch or tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GitRef {
    /// Its name.
    pub name: String,
    /// Its source, where the forge is known.
    pub source: Option<Url>,
}

/// Where an edition belongs; the page has them in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// What readers get who ask for no edition.
    Main,
    /// Versions.
    Release,
    /// EUPS's weekly releases.
    Weekly,
    /// EUPS's daily releases.
    Daily,
    /// Branches that are named after a ticket.
    Ticket,
    /// Other branches.
    Branch,
    /// What follows no branch.
    Other,
}

impl Kind {
    /// All of them, in the order of the page.
    pub const ALL: [Kind; 7] = [
        Kind::Main,
        Kind::Release,
        Kind::Weekly,
        Kind::Daily,
        Kind::Ticket,
        Kind::Branch,
        Kind::Other,
    ];

    /// Heading of its editions.
    pub fn heading(self) -> &'static str {
        match self {
            Kind::Main => "Current",
            Kind::Release => "Releases",
            Kind::Weekly => "Weekly releases",
            Kind::Daily => "Daily releases",
            Kind::Ticket => "Tickets",
            Kind::Branch => "Branches",
            Kind::Other => "Other editions",
        }
    }

    /// Its name in URLs of fragments and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Main => "main",
            Kind::Release => "release",
            Kind::Weekly => "weekly",
            Kind::Daily => "daily",
            Kind::Ticket => "ticket",
            Kind::Branch => "branch",
            Kind::Other => "other",
        }
    }

    /// Whether its editions are for whoever works on the product rather than for its readers.
    pub fn is_draft(self) -> bool {
        !matches!(self, Kind::Main | Kind::Release)
    }
}

impl From<Period> for Kind {
    fn from(period: Period) -> Self {
        match period {
            Period::Weekly => Kind::Weekly,
            Period::Daily => Kind::Daily,
        }
    }
}

impl Product {
    /// The handle and the title, as a heading has them; the slug where there is neither.
    pub fn heading(&self) -> String {
        match &self.handle {
            Some(handle) if !self.title.is_empty() => format!("{handle}: {}", self.title),
            Some(handle) => handle.clone(),
            None if self.title.is_empty() => self.slug.clone(),
            None => self.title.clone(),
        }
    }

    /// Its editions by kind, in the order of the page; no kind without any.
    pub fn groups(&self) -> Vec<(Kind, Vec<&Edition>)> {
        let of = |kind| {
            let editions: Vec<&Edition> = self.editions.iter().filter(|e| e.kind == kind).collect();
            (!editions.is_empty()).then_some((kind, editions))
        };
        Kind::ALL.into_iter().filter_map(of).collect()
    }
}
