//! An image's row.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "image")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub collection: i64,
    pub path: String,
    pub url: String,
    pub size: i64,
    pub etag: Option<String>,
    pub modified: Option<i64>,
    pub band: Option<String>,
    pub obs: Option<String>,
    pub product_type: Option<String>,
    pub field: Option<String>,
    pub date_beg: Option<i64>,
    pub date_end: Option<i64>,
    pub hdus: String,
    pub ra: Option<f64>,
    pub dec: Option<f64>,
    pub radius: Option<f64>,
    pub em_min: Option<f64>,
    pub em_max: Option<f64>,
    pub t_min: Option<f64>,
    pub t_max: Option<f64>,
    pub exposure: Option<f64>,
    pub pol_states: Option<String>,
    pub s_region: Option<String>,
    pub target: Option<String>,
    pub facility: Option<String>,
    pub instrument: Option<String>,
    pub calib_level: Option<i16>,
    pub pixel_scale: Option<f64>,
    pub scale_octave: Option<i16>,
    pub described: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
