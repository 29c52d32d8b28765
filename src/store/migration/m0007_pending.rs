//! Bytes of a job's files count for its owner, and so do the jobs that have not been run.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[sea_orm_migration::async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let sizes = if connection.get_database_backend() == DbBackend::Postgres {
            "(SELECT coalesce(sum((p -> 'value' -> 'upload' ->> 'size')::bigint), 0) \
                 FROM json_array_elements(parameters::json) AS p)"
        } else {
            "(SELECT coalesce(sum(value ->> '$.value.upload.size'), 0) FROM json_each(parameters))"
        };
        for statement in [
            "ALTER TABLE person ADD COLUMN pending BIGINT",
            // Bytes of the files that the description names.
            "ALTER TABLE job ADD COLUMN upload_bytes BIGINT NOT NULL DEFAULT 0",
            &format!("UPDATE job SET upload_bytes = {sizes} WHERE parameters LIKE '%\"upload\":%'"),
            "CREATE INDEX job_pending ON job (owner) WHERE phase = 'PENDING'",
        ] {
            connection.execute_unprepared(statement).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for statement in [
            "DROP INDEX job_pending",
            "ALTER TABLE job DROP COLUMN upload_bytes",
            "ALTER TABLE person DROP COLUMN pending",
        ] {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }
}
