//! What was asked for with an idempotency key, so that the key is not taken for another request's.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[sea_orm_migration::async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Null where there is no key, and where the job is older than this column.
        manager
            .get_connection()
            .execute_unprepared("ALTER TABLE job ADD COLUMN fingerprint TEXT")
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .get_connection()
            .execute_unprepared("ALTER TABLE job DROP COLUMN fingerprint")
            .await?;
        Ok(())
    }
}
