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

/// An entry of the record. Texts are cut at 1,000 characters.
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

const PAGE: Sql = Sql::both("SELECT * FROM audit WHERE id < $1 ORDER BY id DESC LIMIT $2");

impl Store {
    /// Adds an entry.
    pub async fn audit(&self, new: &NewAudit) -> Result<(), StoreError> {
        let values: [Value; 5] = [
            optional_text(new.actor.as_deref().map(cut)),
            text(cut(&new.action)),
            text(cut(&new.subject)),
            text(cut(&new.detail)),
            optional_text(new.address.as_deref().map(cut)),
        ];
        self.execute(INSERT, values).await?;
        Ok(())
    }

    /// Up to `limit` entries, newest first; `before` is the last entry of the page before.
    pub async fn audit_log(&self, before: Option<i64>, limit: u64) -> Result<Vec<AuditEntry>, StoreError> {
        let values: [Value; 2] = [before.unwrap_or(i64::MAX).into(), natural(limit).into()];
        let rows = self.select(PAGE, values).await?;
        rows.iter().map(entry).collect()
    }
}

fn cut(text: &str) -> &str {
    text.char_indices()
        .nth(MAX_TEXT)
        .map_or(text, |(end, _)| &text[..end])
}

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
