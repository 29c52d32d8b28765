//! Positions find their images by the cells of the sky that these cover; what `ObsCore` asks of an image.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, DbBackend, Statement},
};

use crate::store::catalogue::{CellRows, Image, hdus_of};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

/// Images that get their cells together.
const PAGE: i64 = 1_000;

/// Columns of `image`. `scale_octave`: no pixel is wider than two to its power, in degrees. `described`: see `NewImage`.
const COLUMNS: [&str; 14] = [
    "em_min DOUBLE PRECISION",
    "em_max DOUBLE PRECISION",
    "t_min DOUBLE PRECISION",
    "t_max DOUBLE PRECISION",
    "exposure DOUBLE PRECISION",
    "pol_states TEXT",
    "s_region TEXT",
    "target TEXT",
    "facility TEXT",
    "instrument TEXT",
    "calib_level SMALLINT",
    "pixel_scale DOUBLE PRECISION",
    "scale_octave SMALLINT",
    "described BIGINT NOT NULL DEFAULT 0",
];

#[sea_orm_migration::async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let postgres = connection.get_database_backend() == DbBackend::Postgres;
        for column in COLUMNS {
            connection
                .execute_unprepared(&format!("ALTER TABLE image ADD COLUMN {column}"))
                .await?;
        }
        // Numbers of cells are `sky::Footprint`'s. Its key is all that the table has.
        let storage = if postgres { "" } else { "WITHOUT ROWID" };
        for statement in [
            format!(
                "CREATE TABLE image_cell (
                    cell  BIGINT NOT NULL,
                    image BIGINT NOT NULL REFERENCES image (id) ON DELETE CASCADE,
                    PRIMARY KEY (cell, image)
                ) {storage}"
            ),
            "CREATE INDEX image_cell_of_image ON image_cell (image)".into(),
            "CREATE INDEX image_scale ON image (collection, scale_octave)".into(),
            "UPDATE image SET t_min = date_beg / 86400000.0 + 40587 WHERE date_beg IS NOT NULL".into(),
            "UPDATE image SET t_max = date_end / 86400000.0 + 40587 WHERE date_end IS NOT NULL".into(),
        ] {
            connection.execute_unprepared(&statement).await?;
        }
        place_by_caps(connection).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        for statement in ["DROP TABLE image_cell", "DROP INDEX image_scale"] {
            connection.execute_unprepared(statement).await?;
        }
        for column in COLUMNS {
            let name = column.split(' ').next().unwrap_or_default();
            connection
                .execute_unprepared(&format!("ALTER TABLE image DROP COLUMN {name}"))
                .await?;
        }
        Ok(())
    }
}

/// The images of before are found by their caps, which are in the table, until an ingest reads their headers again.
async fn place_by_caps<C: ConnectionTrait>(connection: &C) -> Result<(), DbErr> {
    let backend = connection.get_database_backend();
    let mut after = 0;
    loop {
        let page = connection
            .query_all_raw(Statement::from_sql_and_values(
                backend,
                "SELECT id, ra, dec, radius, hdus FROM image WHERE id > $1 ORDER BY id LIMIT $2",
                [after.into(), PAGE.into()],
            ))
            .await?;
        let mut cells = CellRows::default();
        let mut octaves = Vec::new();
        for row in page {
            after = row.try_get("", "id")?;
            let hdus: String = row.try_get("", "hdus")?;
            let image = Image {
                hdus: hdus_of(after, &hdus).map_err(|error| DbErr::Custom(error.to_string()))?,
                cap: crate::store::catalogue::cap_of(
                    row.try_get("", "ra")?,
                    row.try_get("", "dec")?,
                    row.try_get("", "radius")?,
                ),
                ..Image::default()
            };
            cells.add(after, &image.footprint_by_cap());
            octaves.push((after, image.scale_octave()));
        }
        if octaves.is_empty() {
            return Ok(());
        }
        cells.insert(connection).await?;
        for (id, octave) in octaves {
            connection
                .execute_raw(Statement::from_sql_and_values(
                    backend,
                    "UPDATE image SET scale_octave = $2 WHERE id = $1",
                    [id.into(), octave.into()],
                ))
                .await?;
        }
    }
}
