//! Dashboards of documentation: what was published of each product; jobs that are asked for once; schedules.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const TABLES: &[&str] = &[
    // The job that is to do what a key stands for; it may be over by now.
    "CREATE TABLE job_key (
        service TEXT NOT NULL,
        key     TEXT NOT NULL,
        job     {uuid},
        PRIMARY KEY (service, key)
    )",
    // When something is to be done next that is done from time to time by one replica.
    "CREATE TABLE schedule (name TEXT PRIMARY KEY, next_at BIGINT NOT NULL)",
    "CREATE TABLE dashboard (
        keeper        TEXT NOT NULL,
        slug          TEXT NOT NULL,
        holder        {uuid},
        holder_fence  BIGINT,
        fetched_at    BIGINT,
        checked_at    BIGINT,
        published_at  BIGINT,
        digest        TEXT,
        files         TEXT NOT NULL DEFAULT '[]',
        retired       TEXT NOT NULL DEFAULT '[]',
        entry         TEXT,
        missing       BOOLEAN NOT NULL DEFAULT false,
        surrogate_key TEXT,
        purge_owed    BOOLEAN NOT NULL DEFAULT false,
        held          TEXT,
        failures      BIGINT NOT NULL DEFAULT 0,
        retry_at      BIGINT,
        PRIMARY KEY (keeper, slug)
    )",
    "CREATE INDEX dashboard_retry ON dashboard (retry_at) WHERE retry_at IS NOT NULL",
    // What jobs have made of a product.
    "CREATE TABLE dashboard_job (
        keeper    TEXT NOT NULL,
        slug      TEXT NOT NULL,
        job       {uuid} NOT NULL REFERENCES job (id) ON DELETE CASCADE,
        unchanged BOOLEAN,
        message   TEXT,
        PRIMARY KEY (keeper, slug, job)
    )",
    "CREATE INDEX dashboard_job_job ON dashboard_job (job)",
];

#[sea_orm_migration::async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let postgres = connection.get_database_backend() == DbBackend::Postgres;
        for table in TABLES {
            let sql = table.replace("{uuid}", if postgres { "UUID" } else { "BLOB" });
            connection.execute_unprepared(&sql).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["dashboard_job", "dashboard", "schedule", "job_key"] {
            manager
                .get_connection()
                .execute_unprepared(&format!("DROP TABLE {table}"))
                .await?;
        }
        Ok(())
    }
}
