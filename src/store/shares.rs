//! Share links: whoever has one may read its job. Only the secrets' hashes are kept.

use sea_orm::{QueryResult, Value};
use uuid::Uuid;

use super::{
    Sql, Store, StoreError,
    rows::{bytes, time},
};
use crate::uws::{JobId, Timestamp};

/// A link to a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Its identifier, no secret.
    pub id: Uuid,
    /// What it shows.
    pub job: JobId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Nothing if the job is not there; Postgres waits for one who is destroying it.
const CREATE: Sql = Sql {
    sqlite: "INSERT INTO share (id, job, hash, created_at, expires_at) \
             SELECT $1, id, $3, {now}, $4 FROM job WHERE id = $2 RETURNING {share}",
    postgres: "INSERT INTO share (id, job, hash, created_at, expires_at) \
               SELECT $1, id, $3, {now}, $4 FROM job WHERE id = $2 FOR KEY SHARE RETURNING {share}",
};

const OF_JOB: Sql = Sql::both(
    "SELECT {share} FROM share WHERE job = $1 AND expires_at > {now} ORDER BY created_at DESC, id DESC",
);

/// None while the job's owner is turned away; the one user of mode `local` is no person of the table.
const SHARED: Sql = Sql::both(
    "SELECT {share} FROM share JOIN job j ON j.id = share.job \
     WHERE share.hash = $1 AND share.expires_at > {now} \
     AND NOT EXISTS (SELECT 1 FROM person p WHERE p.name = j.owner AND p.disabled)",
);

const REVOKE: Sql = Sql::both("DELETE FROM share WHERE job = $1 AND id = $2");

impl Store {
    /// Makes a link to a job; `None` if the job is not there.
    pub async fn create_share(
        &self,
        job: JobId,
        hash: [u8; 32],
        expires: Timestamp,
    ) -> Result<Option<Share>, StoreError> {
        let values: [Value; 4] = [
            Uuid::now_v7().into(),
            job.0.into(),
            bytes(hash),
            expires.millis().into(),
        ];
        let rows = self.rows(CREATE, values).await?;
        rows.first().map(share).transpose()
    }

    /// The links to a job that have not ended, newest first.
    pub async fn shares(&self, job: JobId) -> Result<Vec<Share>, StoreError> {
        let rows = self.select(OF_JOB, [job.0.into()]).await?;
        rows.iter().map(share).collect()
    }

    /// The link of this hash, if it has not ended and the job's owner is not disabled.
    pub async fn shared(&self, hash: [u8; 32]) -> Result<Option<Share>, StoreError> {
        let rows = self.select(SHARED, [bytes(hash)]).await?;
        rows.first().map(share).transpose()
    }

    /// Ends a link to this job; `false` if it has none of that id.
    pub async fn revoke_share(&self, job: JobId, id: Uuid) -> Result<bool, StoreError> {
        Ok(self.execute(REVOKE, [job.0.into(), id.into()]).await? > 0)
    }
}

/// The columns that [`share`] reads.
pub(super) const COLUMNS: &str = "share.id, share.job, share.created_at, share.expires_at";

fn share(row: &QueryResult) -> Result<Share, StoreError> {
    Ok(Share {
        id: row.try_get_by("id")?,
        job: JobId(row.try_get_by("job")?),
        created_at: time(row.try_get_by("created_at")?)?,
        expires_at: time(row.try_get_by("expires_at")?)?,
    })
}
