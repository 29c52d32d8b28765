//! What an owner may have, held to while it grows: nobody else changes it between the count and the change.

use sea_orm::{ConnectionTrait, DatabaseTransaction, Value};

use super::{
    Dialect, Sql, Store, StoreError,
    rows::{natural, text},
};
use crate::uws::JobId;

/// What a new job of an owner's must leave room for; `None` is any amount.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Room {
    /// Jobs in PENDING.
    pub pending: Option<u64>,
    /// Bytes of all jobs' results and files.
    pub stored_bytes: Option<u64>,
}

/// What an owner has all of that there may be: so much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// Jobs in PENDING.
    Pending(u64),
    /// Bytes of results and files.
    StoredBytes(u64),
}

/// Until the transaction's end; SQLite has one writer anyway.
const LOCK: Sql = Sql {
    sqlite: "",
    postgres: "SELECT pg_advisory_xact_lock(hashtextextended($1, 4611686018427387847))",
};

const PENDING: Sql = Sql::both(
    "SELECT count(*) AS number FROM (SELECT 1 FROM job WHERE phase = 'PENDING' AND owner = $1 LIMIT $2) AS jobs",
);

const STORED: Sql = Sql::both(
    "SELECT CAST(coalesce(sum(result_bytes + upload_bytes), 0) AS BIGINT) AS number FROM job WHERE owner = $1",
);

/// What owner `$1` may have, by default `$2`, and has.
const ROOM: Sql = Sql::both(
    "SELECT coalesce((SELECT stored_bytes FROM person WHERE name = $1), $2) AS most, \
         CAST((SELECT coalesce(sum(result_bytes + upload_bytes), 0) FROM job WHERE owner = $1) AS BIGINT) AS stored",
);

/// But for the job `$2` itself, which may be HELD.
const WAITING: Sql = Sql::both(
    "SELECT count(*) AS number FROM (SELECT 1 FROM job WHERE phase = 'QUEUED' AND owner = $1 UNION ALL \
         SELECT 1 FROM job WHERE phase = 'HELD' AND owner = $1 AND id <> $2 LIMIT $3) AS jobs",
);

impl Store {
    /// A transaction in which no other of this kind changes what `whose` has.
    pub(super) async fn begin_alone(&self, whose: &str) -> Result<DatabaseTransaction, StoreError> {
        let transaction = self.begin().await?;
        if self.dialect == Dialect::Postgres {
            // A statement of its own: the next one sees what was committed while this one waited.
            let lock = self.statement(LOCK, [text(whose)]);
            transaction.query_all_raw(lock).await?;
        }
        Ok(transaction)
    }

    /// How many bytes of results and files an owner may have, and how many are left of them; nothing if any number may be.
    /// `general` is for those without a limit of their own; 0 is any number.
    pub async fn room_left(&self, owner: &str, general: u64) -> Result<Option<(u64, u64)>, StoreError> {
        let statement = self.statement(ROOM, [text(owner), natural(general).into()]);
        let Some(row) = self.reader().query_one_raw(statement).await? else {
            return Ok(None);
        };
        let number = |name| Ok::<_, StoreError>(u64::try_from(row.try_get_by::<i64, _>(name)?).unwrap_or(0));
        let (most, stored) = (number("most")?, number("stored")?);
        Ok((most > 0).then(|| (most, most.saturating_sub(stored))))
    }

    /// What keeps one more job in PENDING, with files of so many bytes, from being stored.
    pub(super) async fn full(
        &self,
        alone: &DatabaseTransaction,
        owner: &str,
        room: Room,
        upload_bytes: i64,
    ) -> Result<Option<Full>, StoreError> {
        if let Some(most) = room.pending {
            let count = self.number(alone, PENDING, [text(owner), natural(most).into()]);
            if count.await? >= natural(most) {
                return Ok(Some(Full::Pending(most)));
            }
        }
        if let Some(most) = room.stored_bytes {
            let stored = self.number(alone, STORED, [text(owner)]).await?;
            if stored.saturating_add(upload_bytes) > natural(most) {
                return Ok(Some(Full::StoredBytes(most)));
            }
        }
        Ok(None)
    }

    /// Whether so many jobs of the owner's are QUEUED or HELD without this one.
    pub(super) async fn queue_full(
        &self,
        alone: &DatabaseTransaction,
        owner: &str,
        id: JobId,
        most: u64,
    ) -> Result<bool, StoreError> {
        let values = [text(owner), id.0.into(), natural(most).into()];
        Ok(self.number(alone, WAITING, values).await? >= natural(most))
    }

    /// The `number` that a statement gives.
    pub(super) async fn number(
        &self,
        alone: &DatabaseTransaction,
        sql: Sql,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<i64, StoreError> {
        let row = alone.query_one_raw(self.statement(sql, values)).await?;
        row.map_or(Ok(0), |row| Ok(row.try_get_by("number")?))
    }
}
