//! Jobs, their results and logs, the queue, workers.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

/// Both dialects take these as they are, but for the types of Postgres.
const TABLES: &[&str] = &[
    "CREATE TABLE job (
        id                 {uuid} PRIMARY KEY,
        service            TEXT NOT NULL,
        owner              TEXT NOT NULL,
        run_id             TEXT,
        phase              TEXT NOT NULL,
        parameters         TEXT NOT NULL,
        quote              BIGINT,
        creation_time      BIGINT NOT NULL,
        start_time         BIGINT,
        end_time           BIGINT,
        execution_duration BIGINT NOT NULL,
        destruction        BIGINT,
        error_kind         TEXT,
        error_message      TEXT,
        error_detail       TEXT,
        progress_done      BIGINT,
        progress_total     BIGINT,
        progress_note      TEXT,
        result_count       BIGINT NOT NULL DEFAULT 0,
        version            BIGINT NOT NULL DEFAULT 0,
        priority           BIGINT NOT NULL DEFAULT 0,
        vtime              BIGINT NOT NULL DEFAULT 0,
        run_after          BIGINT NOT NULL DEFAULT 0,
        attempt            BIGINT NOT NULL DEFAULT 0,
        max_attempts       BIGINT NOT NULL DEFAULT 1,
        worker             {uuid},
        fence              BIGINT NOT NULL DEFAULT 0,
        idempotency_key    TEXT
    )",
    "CREATE INDEX job_ready ON job (priority DESC, vtime, id) WHERE phase = 'QUEUED'",
    "CREATE INDEX job_waiting ON job (owner, priority) WHERE phase = 'QUEUED'",
    "CREATE INDEX job_running ON job (worker) WHERE phase IN ('EXECUTING', 'SUSPENDED')",
    "CREATE INDEX job_of_owner ON job (owner, creation_time, id)",
    "CREATE INDEX job_created ON job (creation_time, id)",
    "CREATE INDEX job_destruction ON job (destruction)",
    "CREATE UNIQUE INDEX job_idempotency ON job (owner, idempotency_key) WHERE idempotency_key IS NOT NULL",
    "CREATE TABLE job_result (
        job        {uuid} NOT NULL REFERENCES job (id) ON DELETE CASCADE,
        fence      BIGINT NOT NULL,
        position   BIGINT NOT NULL,
        name       TEXT NOT NULL,
        media_type TEXT NOT NULL,
        size       BIGINT NOT NULL,
        sha256     TEXT NOT NULL,
        object     TEXT NOT NULL,
        principal  BOOLEAN NOT NULL,
        PRIMARY KEY (job, fence, name)
    )",
    "CREATE TABLE job_log (
        job      {uuid} NOT NULL REFERENCES job (id) ON DELETE CASCADE,
        sequence BIGINT NOT NULL,
        at       BIGINT NOT NULL,
        line     TEXT NOT NULL,
        PRIMARY KEY (job, sequence)
    )",
    // Virtual time of each owner's last queued job, in each class of priority: start-time fair queueing.
    "CREATE TABLE job_owner (
        name     TEXT NOT NULL,
        priority BIGINT NOT NULL,
        vtime    BIGINT NOT NULL,
        PRIMARY KEY (name, priority)
    )",
    "CREATE TABLE worker (id {uuid} PRIMARY KEY, host TEXT NOT NULL, started_at BIGINT NOT NULL, seen_at BIGINT NOT NULL)",
    // What is left of a destroyed job; `objects` until its files are gone too.
    "CREATE TABLE job_destroyed (
        id      {uuid} PRIMARY KEY,
        service TEXT NOT NULL,
        owner   TEXT NOT NULL,
        at      BIGINT NOT NULL,
        objects BOOLEAN NOT NULL
    )",
    "CREATE INDEX job_destroyed_at ON job_destroyed (at)",
    "CREATE INDEX job_destroyed_objects ON job_destroyed (id) WHERE objects",
];

/// Room for updates on the same page, and a vacuum that keeps up: the queue's rows change often and live long.
const POSTGRES_TUNING: &str = "ALTER TABLE job SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, \
     autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0)";

#[sea_orm_migration::async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let postgres = connection.get_database_backend() == DbBackend::Postgres;
        for table in TABLES {
            let sql = table.replace("{uuid}", if postgres { "UUID" } else { "BLOB" });
            connection.execute_unprepared(&sql).await?;
        }
        if postgres {
            connection.execute_unprepared(POSTGRES_TUNING).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            "job_destroyed",
            "worker",
            "job_owner",
            "job_log",
            "job_result",
            "job",
        ] {
            manager
                .get_connection()
                .execute_unprepared(&format!("DROP TABLE {table}"))
                .await?;
        }
        Ok(())
    }
}
