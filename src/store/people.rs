//! The people who have been seen, by the provider's name of them (`subject`), what each may use at most, and what an
//! owner uses.

use sea_orm::{QueryResult, Value};

use super::{
    Sql, Store, StoreError,
    rows::{natural, optional_text, text, time},
};
use crate::uws::Timestamp;

/// The name of the one user of mode `local`, which nobody else may take.
const LOCAL: &str = "local";

/// Somebody who has been seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The provider's name, which never changes.
    pub subject: String,
    /// The public name, shown as the owner of jobs; never changes.
    pub name: String,
    /// The role when last seen.
    pub role: String,
    /// Whether the provider has turned them away.
    pub disabled: bool,
    /// When they were first seen.
    pub created_at: Timestamp,
    /// When they were last seen, to the hour.
    pub seen_at: Timestamp,
    /// Their own limits.
    pub quota: Quota,
}

/// What one person may use at most; `None` where the settings' default holds, 0 for any amount.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quota {
    /// Jobs that run at once.
    pub running: Option<u64>,
    /// Jobs that wait.
    pub queued: Option<u64>,
    /// Jobs that have not been run.
    pub pending: Option<u64>,
    /// Positions of one job.
    pub positions: Option<u64>,
    /// Bytes of all results and files.
    pub stored_bytes: Option<u64>,
    /// Requests in a second.
    pub requests: Option<u64>,
}

/// What an owner uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Jobs in EXECUTING or SUSPENDED.
    pub running: u64,
    /// Jobs in QUEUED or HELD.
    pub queued: u64,
    /// Jobs in PENDING.
    pub pending: u64,
    /// Bytes of all jobs' results and files.
    pub stored_bytes: u64,
}

/// A person `p` beside a row of another table; `person` reads it with the prefix `p_`.
macro_rules! person_columns {
    () => {
        "p.subject AS p_subject, p.name AS p_name, p.role AS p_role, p.disabled AS p_disabled, \
         p.created_at AS p_created_at, p.seen_at AS p_seen_at, p.running AS p_running, p.queued AS p_queued, \
         p.pending AS p_pending, p.positions AS p_positions, p.stored_bytes AS p_stored_bytes, p.requests AS p_requests"
    };
}
pub(super) use person_columns;

/// What is kept of person `$1` in role `$2`, and whether that is worth a write.
const KNOWN: Sql = Sql::both(
    "SELECT {person}, (role <> $2 OR disabled OR seen_at < {now} - 3600000) AS due FROM person WHERE subject = $1",
);

const SEEN: Sql = Sql::both(
    "UPDATE person SET role = $2, disabled = false, seen_at = {now} WHERE subject = $1 RETURNING {person}",
);

/// Nothing if the subject is there, or another has the name.
const INSERT: Sql = Sql::both(
    "INSERT INTO person (subject, name, role, created_at, seen_at) VALUES ($1, $2, $3, {now}, {now}) \
     ON CONFLICT DO NOTHING RETURNING {person}",
);

const VOUCHED: Sql = Sql::both(
    "UPDATE person SET role = coalesce($2, role), seen_at = {now} WHERE subject = $1 AND NOT disabled",
);

const BY_NAME: Sql = Sql::both("SELECT {person} FROM person WHERE name = $1");

const BY_SUBJECT: Sql = Sql::both("SELECT {person} FROM person WHERE subject = $1");

const PEOPLE: Sql = Sql::both("SELECT {person} FROM person WHERE name > $1 ORDER BY name LIMIT $2");

const DISABLE: Sql = Sql::both("UPDATE person SET disabled = true WHERE subject = $1 AND NOT disabled");

const SET_QUOTA: Sql = Sql::both(
    "UPDATE person SET running = $2, queued = $3, positions = $4, stored_bytes = $5, requests = $6, \
         pending = $7 WHERE name = $1 RETURNING {person}",
);

const USAGE: Sql = Sql::both(
    "SELECT (SELECT count(*) FROM job WHERE phase IN ('EXECUTING', 'SUSPENDED') AND owner = $1) AS running, \
         (SELECT count(*) FROM job WHERE phase = 'QUEUED' AND owner = $1) \
             + (SELECT count(*) FROM job WHERE phase = 'HELD' AND owner = $1) AS queued, \
         (SELECT count(*) FROM job WHERE phase = 'PENDING' AND owner = $1) AS pending, \
         CAST((SELECT coalesce(sum(result_bytes + upload_bytes), 0) FROM job WHERE owner = $1) AS BIGINT) AS stored_bytes",
);

impl Store {
    /// Notes that the provider vouches for a person. At first sight they get the preferred name, or if it is another's
    /// `NAME-2`, `NAME-3`…, for good. Writes only if the role has changed, they were disabled, or an hour has passed.
    pub async fn person_seen(
        &self,
        subject: &str,
        preferred: &str,
        role: &str,
    ) -> Result<Person, StoreError> {
        let mut number = 0_u64;
        loop {
            // Also after a name was not to be had: the same person may have come in beside.
            if let Some(known) = self.known(subject, role).await? {
                return Ok(known);
            }
            number += 1;
            let name = match number {
                1 => preferred.to_owned(),
                _ => format!("{preferred}-{number}"),
            };
            // `*` is everyone, where an owner is asked for.
            if name.eq_ignore_ascii_case(LOCAL) || name == "*" {
                continue;
            }
            let values = [text(subject), text(&name), text(role)];
            if let Some(row) = self.rows(INSERT, values).await?.first() {
                return person(row, "");
            }
        }
    }

    /// Notes that the provider still vouches for a person, in this role if it says so. It is no new login: who was
    /// disabled meanwhile stays so.
    pub async fn person_vouched(&self, subject: &str, role: Option<&str>) -> Result<(), StoreError> {
        self.execute(VOUCHED, [text(subject), optional_text(role)])
            .await?;
        Ok(())
    }

    async fn known(&self, subject: &str, role: &str) -> Result<Option<Person>, StoreError> {
        let values = [text(subject), text(role)];
        let rows = self.select(KNOWN, values.clone()).await?;
        match rows.first() {
            Some(row) if row.try_get_by("due")? => {
                let rows = self.rows(SEEN, values).await?;
                rows.first().map(|row| person(row, "")).transpose()
            }
            Some(row) => person(row, "").map(Some),
            None => Ok(None),
        }
    }

    /// The person of this public name.
    pub async fn person(&self, name: &str) -> Result<Option<Person>, StoreError> {
        self.one_person(BY_NAME, name).await
    }

    /// The person of this name at the provider.
    pub async fn person_of(&self, subject: &str) -> Result<Option<Person>, StoreError> {
        self.one_person(BY_SUBJECT, subject).await
    }

    async fn one_person(&self, sql: Sql, of: &str) -> Result<Option<Person>, StoreError> {
        let rows = self.select(sql, [text(of)]).await?;
        rows.first().map(|row| person(row, "")).transpose()
    }

    /// Up to `limit` people whose names come after `after`, by name.
    pub async fn people(&self, after: &str, limit: u64) -> Result<Vec<Person>, StoreError> {
        let rows = self.select(PEOPLE, [text(after), natural(limit).into()]).await?;
        rows.iter().map(|row| person(row, "")).collect()
    }

    /// Notes that the provider turns a person away: sessions and tokens of theirs are not found until they are seen
    /// again. Gives whether that is news.
    pub async fn disable_person(&self, subject: &str) -> Result<bool, StoreError> {
        Ok(self.execute(DISABLE, [text(subject)]).await? > 0)
    }

    /// Sets a person's own limits, all of them; `None` if nobody has that name.
    pub async fn set_quota(&self, name: &str, quota: Quota) -> Result<Option<Person>, StoreError> {
        let limit = |limit: Option<u64>| -> Value { limit.map(natural).into() };
        let values = [
            text(name),
            limit(quota.running),
            limit(quota.queued),
            limit(quota.positions),
            limit(quota.stored_bytes),
            limit(quota.requests),
            limit(quota.pending),
        ];
        let rows = self.rows(SET_QUOTA, values).await?;
        rows.first().map(|row| person(row, "")).transpose()
    }

    /// What an owner uses now.
    pub async fn usage(&self, owner: &str) -> Result<Usage, StoreError> {
        let rows = self.select(USAGE, [text(owner)]).await?;
        let Some(row) = rows.first() else {
            return Ok(Usage::default());
        };
        let count =
            |column: &str| -> Result<u64, StoreError> { Ok(row.try_get_by::<i64, _>(column)? as u64) };
        Ok(Usage {
            running: count("running")?,
            queued: count("queued")?,
            pending: count("pending")?,
            stored_bytes: count("stored_bytes")?,
        })
    }
}

/// The columns that [`person`] reads.
pub(super) const COLUMNS: &str = "person.subject, person.name, person.role, person.disabled, \
    person.created_at, person.seen_at, person.running, person.queued, person.pending, person.positions, \
    person.stored_bytes, person.requests";

/// A person's row, whose columns' names begin with `prefix`.
pub(super) fn person(row: &QueryResult, prefix: &str) -> Result<Person, StoreError> {
    let limit = |column: &str| -> Result<Option<u64>, StoreError> {
        Ok(row
            .try_get::<Option<i64>>(prefix, column)?
            .map(|limit| limit as u64))
    };
    Ok(Person {
        subject: row.try_get(prefix, "subject")?,
        name: row.try_get(prefix, "name")?,
        role: row.try_get(prefix, "role")?,
        disabled: row.try_get(prefix, "disabled")?,
        created_at: time(row.try_get(prefix, "created_at")?)?,
        seen_at: time(row.try_get(prefix, "seen_at")?)?,
        quota: Quota {
            running: limit("running")?,
            queued: limit("queued")?,
            pending: limit("pending")?,
            positions: limit("positions")?,
            stored_bytes: limit("stored_bytes")?,
            requests: limit("requests")?,
        },
    })
}
