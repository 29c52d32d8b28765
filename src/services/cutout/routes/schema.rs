//! Shapes of the JSON that goes out, for it and for the OpenAPI document.

use poem_openapi::Object;
use serde::Serialize;

/// A named set of images.
#[derive(Debug, Serialize, Object)]
pub struct Collection {
    /// Its name, the first part of the IDs of its images.
    pub name: String,
    /// How many images it has.
    pub images: u64,
    /// When it was first ingested.
    pub created: String,
}

/// Collections.
#[derive(Debug, Serialize, Object)]
pub struct CollectionList {
    /// By name.
    pub items: Vec<Collection>,
}
