//! Logouts that a browser has still to take to the provider.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[sea_orm_migration::async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let bytes = match connection.get_database_backend() {
            DbBackend::Postgres => "BYTEA",
            _ => "BLOB",
        };
        let table = format!(
            "CREATE TABLE logout (secret_hash {bytes} PRIMARY KEY, sealed {bytes} NOT NULL, created_at BIGINT NOT NULL)"
        );
        connection.execute_unprepared(&table).await?;
        connection
            .execute_unprepared("CREATE INDEX logout_created ON logout (created_at)")
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        connection.execute_unprepared("DROP TABLE logout").await?;
        Ok(())
    }
}
