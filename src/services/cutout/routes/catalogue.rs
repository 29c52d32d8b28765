//! The catalogue as JSON, for the web app and for scripts.

use std::sync::Arc;

use poem_openapi::{OpenApi, param::Path};

use super::{Site, schema, stored};
use crate::{
    http::{Identified, JsonOf, Problem, Reply},
    store::Collection,
};

/// The API of collections and images.
pub struct Catalogue(pub(super) Arc<Site>);

#[OpenApi(prefix_path = "/api/v1/cutout")]
impl Catalogue {
    /// The collections of images
    #[oai(path = "/collections", method = "get", operation_id = "listCollections")]
    async fn collections(
        &self,
        Identified(_caller): Identified,
    ) -> Result<Reply<JsonOf<schema::CollectionList>>, Problem> {
        let items = self.all().await?.into_iter().map(schema::Collection::from);
        Reply::<JsonOf<_>>::json(&schema::CollectionList {
            items: items.collect(),
        })
    }

    /// A collection
    #[oai(path = "/collections/:name", method = "get", operation_id = "getCollection")]
    async fn collection(
        &self,
        name: Path<String>,
        Identified(_caller): Identified,
    ) -> Result<Reply<JsonOf<schema::Collection>>, Problem> {
        let found = self.all().await?.into_iter().find(|found| found.name == name.0);
        let found = found.ok_or_else(|| Problem::not_found("collection not found"))?;
        Reply::<JsonOf<_>>::json(&schema::Collection::from(found))
    }
}

impl Catalogue {
    async fn all(&self) -> Result<Vec<Collection>, Problem> {
        self.0.cutout()?.store.collections().await.map_err(stored)
    }
}

impl From<Collection> for schema::Collection {
    fn from(found: Collection) -> Self {
        schema::Collection {
            name: found.name,
            images: found.images,
            created: found.created.to_string(),
        }
    }
}
