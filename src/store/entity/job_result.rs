//! A result's row. Visible while its fence is the job's.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "job_result")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub job: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub fence: i64,
    pub position: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    pub media_type: String,
    pub size: i64,
    pub sha256: String,
    pub object: String,
    pub principal: bool,
    pub recipe: Option<String>,
    pub facts: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The columns that make a [`Model`], in statements of our own.
pub(in crate::store) const COLUMNS: &str = "job_result.job, job_result.fence, job_result.position, job_result.name, \
    job_result.media_type, job_result.size, job_result.sha256, job_result.object, job_result.principal, \
    job_result.recipe, job_result.facts";
