//! A cell of the sky that an image covers.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "image_cell")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub cell: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub image: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
