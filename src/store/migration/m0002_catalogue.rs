//! Collections of images, which cutouts are taken from.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

/// Both dialects take these as they are, but for the keys that number themselves.
const TABLES: &[&str] = &[
    "CREATE TABLE collection (
        id      {serial},
        name    TEXT NOT NULL UNIQUE,
        created BIGINT NOT NULL
    )",
    // Where a collection was ingested from.
    "CREATE TABLE collection_root (
        collection BIGINT NOT NULL REFERENCES collection (id) ON DELETE CASCADE,
        url        TEXT NOT NULL,
        PRIMARY KEY (collection, url)
    )",
    // `ra`, `dec`, `radius`: a cap (deg) that holds every HDU with coordinates; absent if none has any.
    "CREATE TABLE image (
        id           {serial},
        collection   BIGINT NOT NULL REFERENCES collection (id) ON DELETE CASCADE,
        path         TEXT NOT NULL,
        url          TEXT NOT NULL,
        size         BIGINT NOT NULL,
        etag         TEXT,
        modified     BIGINT,
        band         TEXT,
        obs          TEXT,
        product_type TEXT,
        field        TEXT,
        date_beg     BIGINT,
        date_end     BIGINT,
        hdus         TEXT NOT NULL,
        ra           DOUBLE PRECISION,
        dec          DOUBLE PRECISION,
        radius       DOUBLE PRECISION,
        UNIQUE (collection, path)
    )",
];

#[sea_orm_migration::async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let serial = match connection.get_database_backend() {
            DbBackend::Postgres => "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
            _ => "INTEGER PRIMARY KEY",
        };
        for table in TABLES {
            connection
                .execute_unprepared(&table.replace("{serial}", serial))
                .await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["image", "collection_root", "collection"] {
            manager
                .get_connection()
                .execute_unprepared(&format!("DROP TABLE {table}"))
                .await?;
        }
        Ok(())
    }
}
