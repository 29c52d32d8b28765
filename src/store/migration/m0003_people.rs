//! People, their sessions and tokens, share links, the audit record; what an owner's results take.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

/// Both dialects take these as they are, but for the types of Postgres. Names sort by their bytes in both.
const TABLES: &[&str] = &[
    "CREATE TABLE person (
        subject      TEXT PRIMARY KEY,
        name         TEXT {collate} NOT NULL UNIQUE,
        role         TEXT NOT NULL,
        disabled     BOOLEAN NOT NULL DEFAULT false,
        created_at   BIGINT NOT NULL,
        seen_at      BIGINT NOT NULL,
        running      BIGINT,
        queued       BIGINT,
        positions    BIGINT,
        stored_bytes BIGINT,
        requests     BIGINT
    )",
    "CREATE INDEX person_limited ON person (name) WHERE running IS NOT NULL",
    // Logins that have been begun in a browser.
    "CREATE TABLE login (
        state_hash   {bytes} PRIMARY KEY,
        browser_hash {bytes} NOT NULL,
        sealed       {bytes} NOT NULL,
        created_at   BIGINT NOT NULL
    )",
    "CREATE INDEX login_created ON login (created_at)",
    // `sid`: the provider's name of the session. `held_until`: whoever refreshes it has it for so long.
    "CREATE TABLE session (
        id_hash     {bytes} PRIMARY KEY,
        subject     TEXT NOT NULL REFERENCES person (subject) ON DELETE CASCADE,
        sid         TEXT,
        role        TEXT NOT NULL,
        sealed      {bytes} NOT NULL,
        fresh_until BIGINT NOT NULL,
        held_until  BIGINT NOT NULL DEFAULT 0,
        created_at  BIGINT NOT NULL,
        seen_at     BIGINT NOT NULL,
        idle_ms     BIGINT NOT NULL,
        expires_at  BIGINT NOT NULL
    )",
    "CREATE INDEX session_of_subject ON session (subject)",
    "CREATE INDEX session_of_sid ON session (sid)",
    "CREATE INDEX session_expires ON session (expires_at)",
    "CREATE INDEX session_idle ON session ((seen_at + idle_ms))",
    // Logout tokens of the provider that have been obeyed.
    "CREATE TABLE logout_seen (jti_hash {bytes} PRIMARY KEY, until BIGINT NOT NULL)",
    "CREATE INDEX logout_seen_until ON logout_seen (until)",
    "CREATE TABLE api_token (
        id         {uuid} PRIMARY KEY,
        subject    TEXT NOT NULL REFERENCES person (subject) ON DELETE CASCADE,
        name       TEXT NOT NULL,
        scopes     TEXT NOT NULL,
        hash       {bytes} NOT NULL UNIQUE,
        created_at BIGINT NOT NULL,
        expires_at BIGINT NOT NULL,
        last_used  BIGINT
    )",
    "CREATE INDEX api_token_of_subject ON api_token (subject)",
    "CREATE INDEX api_token_expires ON api_token (expires_at)",
    "CREATE TABLE share (
        id         {uuid} PRIMARY KEY,
        job        {uuid} NOT NULL REFERENCES job (id) ON DELETE CASCADE,
        hash       {bytes} NOT NULL UNIQUE,
        created_at BIGINT NOT NULL,
        expires_at BIGINT NOT NULL
    )",
    "CREATE INDEX share_of_job ON share (job)",
    "CREATE INDEX share_expires ON share (expires_at)",
    "CREATE TABLE audit (
        id      {serial},
        at      BIGINT NOT NULL,
        actor   TEXT,
        action  TEXT NOT NULL,
        subject TEXT NOT NULL,
        detail  TEXT NOT NULL,
        address TEXT
    )",
    "CREATE INDEX audit_at ON audit (at)",
    // Bytes of the objects of a job's visible results.
    "ALTER TABLE job ADD COLUMN result_bytes BIGINT NOT NULL DEFAULT 0",
    "UPDATE job SET result_bytes = (SELECT coalesce(sum(size), 0) FROM \
         (SELECT DISTINCT object, size FROM job_result r WHERE r.job = job.id AND r.fence = job.fence) AS objects) \
     WHERE result_count > 0",
];

#[sea_orm_migration::async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let postgres = connection.get_database_backend() == DbBackend::Postgres;
        let types = if postgres {
            [
                ("{uuid}", "UUID"),
                ("{bytes}", "BYTEA"),
                ("{collate}", "COLLATE \"C\""),
                ("{serial}", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"),
            ]
        } else {
            [
                ("{uuid}", "BLOB"),
                ("{bytes}", "BLOB"),
                ("{collate}", ""),
                ("{serial}", "INTEGER PRIMARY KEY"),
            ]
        };
        for table in TABLES {
            let sql = types.iter().fold((*table).to_owned(), |sql, (word, meaning)| {
                sql.replace(word, meaning)
            });
            connection.execute_unprepared(&sql).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        for table in [
            "audit",
            "share",
            "api_token",
            "logout_seen",
            "session",
            "login",
            "person",
        ] {
            connection
                .execute_unprepared(&format!("DROP TABLE {table}"))
                .await?;
        }
        connection
            .execute_unprepared("ALTER TABLE job DROP COLUMN result_bytes")
            .await?;
        Ok(())
    }
}
