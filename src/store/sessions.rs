//! Browsers: logins that have been begun, sessions, logouts that go on to the provider, and the provider's word that a
//! session has ended. Secrets come as hashes, and what must be read again comes sealed; this module can open neither.

use sea_orm::{ConnectionTrait, QueryResult, Value};

use super::{
    Person, Sql, Store, StoreError,
    people::{person, person_columns},
    rows::{bytes, hash, optional_text, text, time},
};
use crate::uws::Timestamp;

/// How long a login that was begun may take.
pub(super) const LOGIN_MS: i64 = 600_000;
/// How long a browser that has logged out may take to go on to the provider.
pub(super) const LOGOUT_MS: i64 = 60_000;

/// A login that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Hash of the browser's own secret.
    pub browser_hash: [u8; 32],
    /// What is needed to go on.
    pub sealed: Vec<u8>,
}

/// A session to be created.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Hash of its secret.
    pub id_hash: [u8; 32],
    /// Whose; somebody who has been seen.
    pub subject: String,
    /// The provider's name of the session.
    pub sid: Option<String>,
    /// The role at login.
    pub role: String,
    /// The provider's tokens.
    pub sealed: Vec<u8>,
    /// It ends when unused for so long.
    pub idle_ms: i64,
    /// It ends after so long in any case.
    pub lifetime_ms: i64,
    /// The tokens are to be renewed after so long.
    pub fresh_ms: i64,
}

/// A browser's session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Hash of its secret.
    pub id_hash: [u8; 32],
    /// Whose.
    pub subject: String,
    /// The provider's name of the session.
    pub sid: Option<String>,
    /// The role at login, or when last refreshed.
    pub role: String,
    /// The provider's tokens.
    pub sealed: Vec<u8>,
    /// When the tokens are to be renewed.
    pub fresh_until: Timestamp,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub seen_at: Timestamp,
    /// When it ends in any case.
    pub expires_at: Timestamp,
}

const BEGIN_LOGIN: Sql =
    Sql::both("INSERT INTO login (state_hash, browser_hash, sealed, created_at) VALUES ($1, $2, $3, {now})");

const TAKE_LOGIN: Sql = Sql::both(
    "DELETE FROM login WHERE state_hash = $1 AND created_at > {now} - $2 RETURNING browser_hash, sealed",
);

const BEGIN_LOGOUT: Sql =
    Sql::both("INSERT INTO logout (secret_hash, sealed, created_at) VALUES ($1, $2, {now})");

const TAKE_LOGOUT: Sql =
    Sql::both("DELETE FROM logout WHERE secret_hash = $1 AND created_at > {now} - $2 RETURNING sealed");

const CREATE: Sql = Sql::both(
    "INSERT INTO session (id_hash, subject, sid, role, sealed, fresh_until, created_at, seen_at, idle_ms, expires_at) \
     VALUES ($1, $2, $3, $4, $5, {now} + $6, {now}, {now}, $7, {now} + $8) RETURNING {session}",
);

const LIVING: Sql = Sql::both(concat!(
    "SELECT {session}, session.fresh_until > {now} AS fresh, ",
    person_columns!(),
    " FROM session JOIN person p ON p.subject = session.subject \
     WHERE session.id_hash = $1 AND session.expires_at > {now} AND session.seen_at > {now} - $2 AND NOT p.disabled"
));

const UNTOUCHED: Sql = Sql::both("SELECT 1 FROM session WHERE id_hash = $1 AND seen_at < {now} - 60000");

const TOUCH: Sql =
    Sql::both("UPDATE session SET seen_at = {now} WHERE id_hash = $1 AND seen_at < {now} - 60000");

/// Nothing while another holds it, or once another has refreshed it.
const CLAIM_REFRESH: Sql = Sql::both(
    "UPDATE session SET held_until = {now} + $2 WHERE id_hash = $1 AND held_until <= {now} AND fresh_until <= {now}",
);

const REFRESHED: Sql = Sql::both(
    "UPDATE session SET role = $2, sealed = $3, fresh_until = {now} + $4, held_until = 0 WHERE id_hash = $1",
);

const END: Sql = Sql::both("DELETE FROM session WHERE id_hash = $1 RETURNING {session}");

const END_OF_SUBJECT: Sql = Sql::both("DELETE FROM session WHERE subject = $1");

const END_OF_SID: Sql = Sql::both("DELETE FROM session WHERE sid = $1");

const END_OF_BOTH: Sql = Sql::both("DELETE FROM session WHERE subject = $1 AND sid = $2");

const OF_SUBJECT: Sql = Sql::both(
    "SELECT {session} FROM session WHERE subject = $1 AND expires_at > {now} AND seen_at + idle_ms > {now} \
     ORDER BY created_at DESC, id_hash",
);

/// Postgres waits for another who is at the same, and inserts if that comes to nothing.
const SEE_LOGOUT: Sql =
    Sql::both("INSERT INTO logout_seen (jti_hash, until) VALUES ($1, $2) ON CONFLICT DO NOTHING");

impl Store {
    /// Keeps what a login needs when its browser comes back with the state.
    pub async fn begin_login(
        &self,
        state_hash: [u8; 32],
        browser_hash: [u8; 32],
        sealed: Vec<u8>,
    ) -> Result<(), StoreError> {
        let values: [Value; 3] = [bytes(state_hash), bytes(browser_hash), sealed.into()];
        self.execute(BEGIN_LOGIN, values).await?;
        Ok(())
    }

    /// Takes a login that was begun less than ten minutes ago: only one caller ever gets it.
    pub async fn take_login(&self, state_hash: [u8; 32]) -> Result<Option<Login>, StoreError> {
        let rows = self
            .rows(TAKE_LOGIN, [bytes(state_hash), LOGIN_MS.into()])
            .await?;
        rows.first()
            .map(|row| {
                Ok(Login {
                    browser_hash: hash(row, "browser_hash")?,
                    sealed: row.try_get_by("sealed")?,
                })
            })
            .transpose()
    }

    /// Keeps what a browser takes to the provider that has logged out here.
    pub async fn begin_logout(&self, secret_hash: [u8; 32], sealed: Vec<u8>) -> Result<(), StoreError> {
        let values: [Value; 2] = [bytes(secret_hash), sealed.into()];
        self.execute(BEGIN_LOGOUT, values).await?;
        Ok(())
    }

    /// Takes what was kept of a logout in the last minute: only one caller ever gets it.
    pub async fn take_logout(&self, secret_hash: [u8; 32]) -> Result<Option<Vec<u8>>, StoreError> {
        let rows = self
            .rows(TAKE_LOGOUT, [bytes(secret_hash), LOGOUT_MS.into()])
            .await?;
        rows.first().map(|row| Ok(row.try_get_by("sealed")?)).transpose()
    }

    /// Begins a session.
    pub async fn create_session(&self, new: NewSession) -> Result<Session, StoreError> {
        let values: [Value; 8] = [
            bytes(new.id_hash),
            text(&new.subject),
            optional_text(new.sid.as_deref()),
            text(&new.role),
            new.sealed.into(),
            new.fresh_ms.into(),
            new.idle_ms.into(),
            new.lifetime_ms.into(),
        ];
        let rows = self.rows(CREATE, values).await?;
        let row = rows
            .first()
            .ok_or_else(|| StoreError::Corrupt("a session that is not there".into()))?;
        session(row)
    }

    /// A session that has not ended and was used within `idle_ms`, of a person who is not disabled; and whether its
    /// tokens are fresh.
    pub async fn session(
        &self,
        id_hash: [u8; 32],
        idle_ms: i64,
    ) -> Result<Option<(Session, Person, bool)>, StoreError> {
        let rows = self.select(LIVING, [bytes(id_hash), idle_ms.into()]).await?;
        rows.first()
            .map(|row| Ok((session(row)?, person(row, "p_")?, row.try_get_by("fresh")?)))
            .transpose()
    }

    /// Notes that a session was used, at most once a minute.
    pub async fn touch_session(&self, id_hash: [u8; 32]) -> Result<(), StoreError> {
        // Asked first: on SQLite every write waits for the one writer.
        if !self.select(UNTOUCHED, [bytes(id_hash)]).await?.is_empty() {
            self.execute(TOUCH, [bytes(id_hash)]).await?;
        }
        Ok(())
    }

    /// The right to refresh a session that is no longer fresh, for `hold_ms`: of all callers over all replicas one gets
    /// it.
    pub async fn claim_refresh(&self, id_hash: [u8; 32], hold_ms: i64) -> Result<bool, StoreError> {
        let touched = self
            .execute(CLAIM_REFRESH, [bytes(id_hash), hold_ms.into()])
            .await?;
        Ok(touched > 0)
    }

    /// Stores renewed tokens and gives back the right; `false` if the session has ended meanwhile.
    pub async fn refreshed(
        &self,
        id_hash: [u8; 32],
        role: &str,
        sealed: Vec<u8>,
        fresh_ms: i64,
    ) -> Result<bool, StoreError> {
        let values: [Value; 4] = [bytes(id_hash), text(role), sealed.into(), fresh_ms.into()];
        Ok(self.execute(REFRESHED, values).await? > 0)
    }

    /// Ends a session, and gives what it was.
    pub async fn end_session(&self, id_hash: [u8; 32]) -> Result<Option<Session>, StoreError> {
        let rows = self.rows(END, [bytes(id_hash)]).await?;
        rows.first().map(session).transpose()
    }

    /// Ends the sessions of this subject, of this session of the provider, or what is of both where both are given;
    /// none where neither is. Gives how many.
    pub async fn end_sessions(&self, subject: Option<&str>, sid: Option<&str>) -> Result<u64, StoreError> {
        match of_provider(subject, sid) {
            Some((sql, values)) => self.execute(sql, values).await,
            None => Ok(0),
        }
    }

    /// The living sessions of a subject, newest first.
    pub async fn sessions_of(&self, subject: &str) -> Result<Vec<Session>, StoreError> {
        let rows = self.select(OF_SUBJECT, [text(subject)]).await?;
        rows.iter().map(session).collect()
    }

    /// As [`Store::end_sessions`], by the provider's logout token of this id, which counts once: `None` if it has come
    /// before. It is remembered for an hour after `until` (ms since 1970, by the provider's clock), and not at all if the
    /// sessions could not be ended: the provider tries again.
    pub async fn end_sessions_once(
        &self,
        jti_hash: [u8; 32],
        until: i64,
        subject: Option<&str>,
        sid: Option<&str>,
    ) -> Result<Option<u64>, StoreError> {
        let transaction = self.begin().await?;
        let seen = self.statement(SEE_LOGOUT, [bytes(jti_hash), until.into()]);
        if transaction.execute_raw(seen).await?.rows_affected() == 0 {
            transaction.rollback().await?;
            return Ok(None);
        }
        let ended = match of_provider(subject, sid) {
            Some((sql, values)) => {
                let end = self.statement(sql, values);
                transaction.execute_raw(end).await?.rows_affected()
            }
            None => 0,
        };
        transaction.commit().await?;
        Ok(Some(ended))
    }
}

/// What ends the sessions of a subject, of a session of the provider, or of both; nothing where neither is given.
fn of_provider(subject: Option<&str>, sid: Option<&str>) -> Option<(Sql, Vec<Value>)> {
    match (subject, sid) {
        (Some(subject), Some(sid)) => Some((END_OF_BOTH, vec![text(subject), text(sid)])),
        (Some(subject), None) => Some((END_OF_SUBJECT, vec![text(subject)])),
        (None, Some(sid)) => Some((END_OF_SID, vec![text(sid)])),
        (None, None) => None,
    }
}

/// The columns that [`session`] reads.
pub(super) const COLUMNS: &str = "session.id_hash, session.subject, session.sid, session.role, \
    session.sealed, session.fresh_until, session.created_at, session.seen_at, session.expires_at";

fn session(row: &QueryResult) -> Result<Session, StoreError> {
    Ok(Session {
        id_hash: hash(row, "id_hash")?,
        subject: row.try_get_by("subject")?,
        sid: row.try_get_by("sid")?,
        role: row.try_get_by("role")?,
        sealed: row.try_get_by("sealed")?,
        fresh_until: time(row.try_get_by("fresh_until")?)?,
        created_at: time(row.try_get_by("created_at")?)?,
        seen_at: time(row.try_get_by("seen_at")?)?,
        expires_at: time(row.try_get_by("expires_at")?)?,
    })
}
