//! A URL that a collection was ingested from.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "collection_root")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub collection: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub url: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
