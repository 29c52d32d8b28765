//! What operators see of workers, and the draining of one.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

/// Both dialects take these as they are. `slots` is null for workers of before.
const UP: &[&str] = &[
    "ALTER TABLE worker ADD COLUMN draining BOOLEAN NOT NULL DEFAULT false",
    "ALTER TABLE worker ADD COLUMN slots BIGINT",
    "CREATE INDEX job_held ON job (service) WHERE phase = 'HELD'",
];

const DOWN: &[&str] = &[
    "DROP INDEX job_held",
    "ALTER TABLE worker DROP COLUMN slots",
    "ALTER TABLE worker DROP COLUMN draining",
];

#[sea_orm_migration::async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, DOWN).await
    }
}

async fn run(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    for statement in statements {
        manager.get_connection().execute_unprepared(statement).await?;
    }
    Ok(())
}
