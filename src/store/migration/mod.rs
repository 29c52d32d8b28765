//! The schema's history, one file a step; steps only ever add (expand, then contract a release later).

mod m0001_jobs;
mod m0002_catalogue;
mod m0003_people;
mod m0004_idempotency;
mod m0005_workers;
mod m0006_token_role;
mod m0007_pending;
mod m0008_logout;
mod m0009_image_cells;
mod m0010_audit_search;
mod m0011_recipe;
mod m0012_dashboard;
mod m0013_failed;

use sea_orm_migration::{MigrationTrait, MigratorTrait, async_trait::async_trait};

pub(super) struct Migrator;

#[async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_jobs::Migration),
            Box::new(m0002_catalogue::Migration),
            Box::new(m0003_people::Migration),
            Box::new(m0004_idempotency::Migration),
            Box::new(m0005_workers::Migration),
            Box::new(m0006_token_role::Migration),
            Box::new(m0007_pending::Migration),
            Box::new(m0008_logout::Migration),
            Box::new(m0009_image_cells::Migration),
            Box::new(m0010_audit_search::Migration),
            Box::new(m0011_recipe::Migration),
            Box::new(m0012_dashboard::Migration),
            Box::new(m0013_failed::Migration),
        ]
    }
}
