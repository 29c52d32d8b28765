//! Results say what they were made by, so that they can be given again.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[sea_orm_migration::async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for statement in [
            "ALTER TABLE job_result ADD COLUMN recipe TEXT",
            "ALTER TABLE job_result ADD COLUMN facts TEXT",
            "CREATE INDEX job_result_recipe ON job_result (recipe) WHERE recipe IS NOT NULL",
        ] {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for statement in [
            "DROP INDEX job_result_recipe",
            "ALTER TABLE job_result DROP COLUMN facts",
            "ALTER TABLE job_result DROP COLUMN recipe",
        ] {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }
}
