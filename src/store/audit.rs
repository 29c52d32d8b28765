//! The audit record: who did what to whom, from where. Entries are added and forgotten after long, never changed.

use sea_orm::{QueryResult, Value};

use super::{
    Sql, Store, StoreError,
    rows::{natural, optional_text, text, time},
};
use crate::uws::Timestamp;

/// Longest text of an entry, in characters: much of it is sent by strangers.
const MAX_TEXT: usize = 1_000;

/// An entry to be added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewAudit {
    /// Public name of who did it, if known.
    pub actor: Option<String>,
    /// What was done.
    pub action: String,
    /// What it was done to.
    pub subject: String,
    /// More about it.
    pub detail: String,
    /// Network address that it came from.
    pub address: Option<String>,
}

/// Which entries are meant: all that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// With exactly this action.
    pub action: Option<String>,
    /// Done by the one of exactly this name.
    pub actor: Option<String>,
    /// With this text in what it was done to.
    pub subject: Option<String>,
    /// Done then or later.
    pub since: Option<Timestamp>,
    /// Done before.
    pub until: Option<Timestamp>,
}

/// An entry of the record. Texts are cut at 1,000 characters, and what is no character to be seen is written as its
/// number: `\u{1b}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Rises with each entry.
    pub id: i64,
    /// When it was done.
    pub at: Timestamp,
    /// Public name of who did it, if known.
    pub actor: Option<String>,
    /// What was done.
    pub action: String,
    /// What it was done to.
    pub subject: String,
    /// More about it.
    pub detail: String,
    /// Network address that it came from.
    pub address: Option<String>,
}

const INSERT: Sql = Sql::both(
    "INSERT INTO audit (at, actor, action, subject, detail, address) VALUES ({now}, $1, $2, $3, $4, $5)",
);

/// Null stands for all there is.
const PAGE: Sql = Sql {
    sqlite: "SELECT {audit} FROM audit WHERE id < $1 AND ($3 IS NULL OR action = $3) AND ($4 IS NULL OR actor = $4) \
             AND ($5 IS NULL OR instr(subject, $5) > 0) AND ($6 IS NULL OR at >= $6) AND ($7 IS NULL OR at < $7) \
             ORDER BY id DESC LIMIT $2",
    postgres: "SELECT {audit} FROM audit WHERE id < $1 AND ($3::text IS NULL OR action = $3) \
               AND ($4::text IS NULL OR actor = $4) AND ($5::text IS NULL OR strpos(subject, $5) > 0) \
               AND ($6::bigint IS NULL OR at >= $6) AND ($7::bigint IS NULL OR at < $7) \
               ORDER BY id DESC LIMIT $2",
};

impl Store {
    /// Adds an entry.
    pub async fn audit(&self, new: &NewAudit) -> Result<(), StoreError> {
        let shown = |of: &Option<String>| optional_text(of.as_deref().map(plain).as_deref());
        let values: [Value; 5] = [
            shown(&new.actor),
            text(&plain(&new.action)),
            text(&plain(&new.subject)),
            text(&plain(&new.detail)),
            shown(&new.address),
        ];
        self.execute(INSERT, values).await?;
        Ok(())
    }

    /// Up to `limit` of the entries that the filter means, newest first; `before` is the last entry of the page before.
    pub async fn audit_log(
        &self,
        filter: &AuditFilter,
        before: Option<i64>,
        limit: u64,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let values: [Value; 7] = [
            before.unwrap_or(i64::MAX).into(),
            natural(limit).into(),
            optional_text(filter.action.as_deref()),
            optional_text(filter.actor.as_deref()),
            optional_text(filter.subject.as_deref()),
            filter.since.map(Timestamp::millis).into(),
            filter.until.map(Timestamp::millis).into(),
        ];
        let rows = self.select(PAGE, values).await?;
        rows.iter().map(entry).collect()
    }
}

/// A text as whoever reads the record is to see it: what would move the cursor or turn the line around is written out.
fn plain(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars().take(MAX_TEXT) {
        let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if c.is_control() || turns {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// The columns that [`entry`] reads.
pub(super) const COLUMNS: &str =
    "audit.id, audit.at, audit.actor, audit.action, audit.subject, audit.detail, audit.address";

fn entry(row: &QueryResult) -> Result<AuditEntry, StoreError> {
    Ok(AuditEntry {
        id: row.try_get_by("id")?,
        at: time(row.try_get_by("at")?)?,
        actor: row.try_get_by("actor")?,
        action: row.try_get_by("action")?,
        subject: row.try_get_by("subject")?,
        detail: row.try_get_by("detail")?,
        address: row.try_get_by("address")?,
    })
}
