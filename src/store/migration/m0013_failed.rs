//! Jobs say how much of their work has failed.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[sea_orm_migration::async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Null: of a job that has told nothing of it, as all before this.
        manager
            .get_connection()
            .execute_unprepared("ALTER TABLE job ADD COLUMN progress_failed BIGINT")
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .get_connection()
            .execute_unprepared("ALTER TABLE job DROP COLUMN progress_failed")
            .await?;
        Ok(())
    }
}
