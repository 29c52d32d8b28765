//! API tokens: what scripts show in place of a person's login. Only their hashes are kept.

use sea_orm::{ConnectionTrait, QueryResult, Value};
use uuid::Uuid;

use super::{
    Person, Sql, Store, StoreError,
    people::{person, person_columns},
    rows::{bytes, natural, text, time, to_json},
};
use crate::uws::Timestamp;

/// A token to be created.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Whose; somebody who has been seen.
    pub subject: String,
    /// What its owner calls it.
    pub name: String,
    /// What it allows.
    pub scopes: Vec<String>,
    /// The role of its maker, which it does not exceed.
    pub role: String,
    /// Hash of the token.
    pub hash: [u8; 32],
    /// When it ends.
    pub expires: Timestamp,
}

/// A token of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// Its identifier, no secret.
    pub id: Uuid,
    /// Whose.
    pub subject: String,
    /// What its owner calls it.
    pub name: String,
    /// What it allows.
    pub scopes: Vec<String>,
    /// The role of its maker when it was made.
    pub role: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_used: Option<Timestamp>,
}

const CREATE: Sql = Sql::both(
    "INSERT INTO api_token (id, subject, name, scopes, hash, created_at, expires_at, role) \
     VALUES ($1, $2, $3, $4, $5, {now}, $6, $7) RETURNING {api_token}",
);

const LIVING_OF_SUBJECT: Sql =
    Sql::both("SELECT count(*) AS number FROM api_token WHERE subject = $1 AND expires_at > {now}");

/// But for the last `$2` of those that have ended.
const FORGET_ENDED: Sql = Sql::both(
    "DELETE FROM api_token WHERE subject = $1 AND expires_at <= {now} AND id NOT IN \
         (SELECT id FROM api_token WHERE subject = $1 AND expires_at <= {now} ORDER BY expires_at DESC LIMIT $2)",
);

const OF_SUBJECT: Sql =
    Sql::both("SELECT {api_token} FROM api_token WHERE subject = $1 ORDER BY created_at DESC, id DESC");

const LIVING: Sql = Sql::both(concat!(
    "SELECT {api_token}, ",
    person_columns!(),
    " FROM api_token JOIN person p ON p.subject = api_token.subject \
     WHERE api_token.hash = $1 AND api_token.expires_at > {now} AND NOT p.disabled"
));

const ANY: Sql = Sql::both(concat!(
    "SELECT {api_token}, ",
    person_columns!(),
    " FROM api_token JOIN person p ON p.subject = api_token.subject WHERE api_token.hash = $1"
));

const UNTOUCHED: Sql =
    Sql::both("SELECT 1 FROM api_token WHERE id = $1 AND (last_used IS NULL OR last_used < {now} - 60000)");

const TOUCH: Sql = Sql::both(
    "UPDATE api_token SET last_used = {now} WHERE id = $1 AND (last_used IS NULL OR last_used < {now} - 60000)",
);

const REVOKE: Sql = Sql::both("DELETE FROM api_token WHERE subject = $1 AND id = $2");

const REVOKE_ALL: Sql = Sql::both("DELETE FROM api_token WHERE subject = $1");

impl Store {
    /// Keeps a new token's hash; `None` if the subject has `most` living ones. Of those that have ended no more are kept.
    pub async fn create_token(&self, new: &NewToken, most: u64) -> Result<Option<ApiToken>, StoreError> {
        let values: [Value; 7] = [
            Uuid::now_v7().into(),
            text(&new.subject),
            text(&new.name),
            text(&to_json(&new.scopes)?),
            bytes(new.hash),
            new.expires.millis().into(),
            text(&new.role),
        ];
        let alone = self.begin_alone(&new.subject).await?;
        let living = self.number(&alone, LIVING_OF_SUBJECT, [text(&new.subject)]);
        if living.await? >= natural(most) {
            alone.rollback().await?;
            return Ok(None);
        }
        let forget = self.statement(FORGET_ENDED, [text(&new.subject), natural(most).into()]);
        alone.execute_raw(forget).await?;
        let row = alone.query_one_raw(self.statement(CREATE, values)).await?;
        alone.commit().await?;
        let row = row.ok_or_else(|| StoreError::Corrupt("a token that is not there".into()))?;
        token(&row).map(Some)
    }

    /// Every token of a subject, newest first; those that have ended too, until they are forgotten.
    pub async fn tokens_of(&self, subject: &str) -> Result<Vec<ApiToken>, StoreError> {
        let rows = self.select(OF_SUBJECT, [text(subject)]).await?;
        rows.iter().map(token).collect()
    }

    /// The token of this hash that has not ended, of a person who is not disabled.
    pub async fn token(&self, hash: [u8; 32]) -> Result<Option<(ApiToken, Person)>, StoreError> {
        self.one_token(LIVING, hash).await
    }

    /// The token of this hash, even if it has ended or its person is disabled: for the record of who was refused.
    pub async fn any_token(&self, hash: [u8; 32]) -> Result<Option<(ApiToken, Person)>, StoreError> {
        self.one_token(ANY, hash).await
    }

    async fn one_token(&self, sql: Sql, hash: [u8; 32]) -> Result<Option<(ApiToken, Person)>, StoreError> {
        let rows = self.select(sql, [bytes(hash)]).await?;
        rows.first()
            .map(|row| Ok((token(row)?, person(row, "p_")?)))
            .transpose()
    }

    /// Notes that a token was used, at most once a minute.
    pub async fn touch_token(&self, id: Uuid) -> Result<(), StoreError> {
        // Asked first: on SQLite every write waits for the one writer.
        if !self.select(UNTOUCHED, [id.into()]).await?.is_empty() {
            self.execute(TOUCH, [id.into()]).await?;
        }
        Ok(())
    }

    /// Ends a token of this subject; `false` if it has none of that id.
    pub async fn revoke_token(&self, subject: &str, id: Uuid) -> Result<bool, StoreError> {
        Ok(self.execute(REVOKE, [text(subject), id.into()]).await? > 0)
    }

    /// Ends every token of a subject; gives how many.
    pub async fn revoke_tokens(&self, subject: &str) -> Result<u64, StoreError> {
        self.execute(REVOKE_ALL, [text(subject)]).await
    }
}

/// The columns that [`token`] reads.
pub(super) const COLUMNS: &str = "api_token.id, api_token.subject, api_token.name, api_token.scopes, \
    api_token.role, api_token.created_at, api_token.expires_at, api_token.last_used";

fn token(row: &QueryResult) -> Result<ApiToken, StoreError> {
    let scopes: String = row.try_get_by("scopes")?;
    Ok(ApiToken {
        id: row.try_get_by("id")?,
        subject: row.try_get_by("subject")?,
        name: row.try_get_by("name")?,
        scopes: serde_json::from_str(&scopes)
            .map_err(|error| StoreError::Corrupt(format!("scopes: {error}")))?,
        role: row.try_get_by("role")?,
        created_at: time(row.try_get_by("created_at")?)?,
        expires_at: time(row.try_get_by("expires_at")?)?,
        last_used: row
            .try_get_by::<Option<i64>, _>("last_used")?
            .map(time)
            .transpose()?,
    })
}
