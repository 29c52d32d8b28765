//! The catalogue as JSON, for the web app and for scripts.

use std::sync::Arc;

use poem_openapi::{
    OpenApi,
    param::{Path, Query},
};

use super::{Site, schema, stored};
use crate::{
    auth,
    http::{Identified, JsonOf, Many, Nothing, Once, Problem, Reply},
    services::cutout::{datalink::Places, identifier, sia},
    sky::Shape,
    store::{Catalogued, Collection, ImageFilter, ImageId, NewAudit},
    uws::Timestamp,
};

/// Images of a page, unless the client says otherwise.
const PAGE: u64 = 100;
/// Most of a page.
const MOST: u64 = 1_000;
/// Outlines of a page.
const OUTLINES: u64 = 5_000;

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
        Reply::<JsonOf<_>>::json(&schema::Collection::from(self.named(&name).await?))
    }

    /// Takes a collection out of the catalogue
    ///
    /// With all of its images. Their files stay, as do results of jobs; ingested again they are back.
    #[oai(
        path = "/collections/:name",
        method = "delete",
        operation_id = "deleteCollection"
    )]
    async fn remove(
        &self,
        name: Path<String>,
        Identified(caller): Identified,
    ) -> Result<Reply<Nothing>, Problem> {
        let store = &self.0.cutout()?.store;
        let removed = store.remove_collection(&name).await.map_err(stored)?;
        let removed = removed.ok_or_else(|| Problem::not_found("collection not found"))?;
        let entry = NewAudit {
            actor: Some(caller.name.clone()),
            action: "collection removed".into(),
            subject: name.0,
            detail: format!("{removed} images"),
            address: caller.address.map(|address| address.to_string()),
        };
        auth::record(store, &entry).await.map_err(stored)?;
        Ok(Reply::done())
    }

    /// The images of a collection
    ///
    /// In pages; all that is given must match.
    #[oai(
        path = "/collections/:name/images",
        method = "get",
        operation_id = "listImages"
    )]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the query")]
    async fn images(
        &self,
        name: Path<String>,
        Identified(_caller): Identified,
        /// In one of these bands.
        band: Query<Many<String>>,
        /// Of one of these types.
        #[oai(name = "type")]
        product_type: Query<Many<String>>,
        /// Of one of these observations or coadd tags.
        tag: Query<Many<String>>,
        /// Not over before this time.
        from: Query<Once<Timestamp>>,
        /// Begun by this time.
        to: Query<Once<Timestamp>>,
        /// Images of a page, at most 1000; 100 by default.
        limit: Query<Once<u64>>,
        /// `next` of the page before.
        cursor: Query<Once<String>>,
    ) -> Result<Reply<JsonOf<schema::ImageList>>, Problem> {
        let collection = self.named(&name).await?;
        let limit = limit.0.0.unwrap_or(PAGE);
        if !(1..=MOST).contains(&limit) {
            return Err(Problem::usage("limit", format!("expected 1 to {MOST}")));
        }
        let filter = ImageFilter {
            collections: vec![collection.id],
            bands: band.0.0,
            types: product_type.0.0,
            tags: tag.0.0,
            from: from.0.0,
            to: to.0.0,
            ..ImageFilter::default()
        };
        let (page, next) = self.page(&filter, cursor.0.0, limit).await?;
        let items = page.into_iter().map(|found| self.shown(&collection.name, found));
        Reply::<JsonOf<_>>::json(&schema::ImageList {
            items: items.collect(),
            next,
        })
    }

    /// Where the images of a collection lie
    ///
    /// Outlines of all images with coordinates, in pages.
    #[oai(
        path = "/collections/:name/footprints",
        method = "get",
        operation_id = "listFootprints"
    )]
    async fn footprints(
        &self,
        name: Path<String>,
        Identified(_caller): Identified,
        /// `next` of the page before.
        cursor: Query<Once<String>>,
    ) -> Result<Reply<JsonOf<schema::OutlineList>>, Problem> {
        let collection = self.named(&name).await?;
        let filter = ImageFilter {
            collections: vec![collection.id],
            ..ImageFilter::default()
        };
        let (page, next) = self.page(&filter, cursor.0.0, OUTLINES).await?;
        let items = page.into_iter().filter_map(outline).collect();
        Reply::<JsonOf<_>>::json(&schema::OutlineList { items, next })
    }

    /// An image
    #[oai(path = "/images/:id", method = "get", operation_id = "getImage")]
    async fn image(
        &self,
        id: Path<String>,
        Identified(_caller): Identified,
    ) -> Result<Reply<JsonOf<schema::Image>>, Problem> {
        let missing = || Problem::not_found("image not found");
        let id: i64 = id.0.parse().ok().filter(|id| *id > 0).ok_or_else(missing)?;
        let before = Some(ImageId::of_number(id - 1));
        let store = &self.0.cutout()?.store;
        let next = store
            .images(&ImageFilter::default(), before, 1)
            .await
            .map_err(stored)?;
        let found = next
            .into_iter()
            .find(|found| found.id.number() == id)
            .ok_or_else(missing)?;
        let mut all = self.all().await?.into_iter();
        let collection = all
            .find(|collection| collection.id == found.collection)
            .ok_or_else(missing)?;
        Reply::<JsonOf<_>>::json(&self.shown(&collection.name, found))
    }
}

impl Catalogue {
    async fn all(&self) -> Result<Vec<Collection>, Problem> {
        self.0.cutout()?.store.collections().await.map_err(stored)
    }

    async fn named(&self, name: &str) -> Result<Collection, Problem> {
        let found = self.all().await?.into_iter().find(|found| found.name == name);
        found.ok_or_else(|| Problem::not_found("collection not found"))
    }

    /// A page of images and the cursor of the next.
    async fn page(
        &self,
        filter: &ImageFilter,
        cursor: Option<String>,
        limit: u64,
    ) -> Result<(Vec<Catalogued>, Option<String>), Problem> {
        let after = cursor
            .map(|cursor| cursor.parse().map(ImageId::of_number))
            .transpose()
            .map_err(|_| Problem::usage("cursor", "expected next of a page before"))?;
        let store = &self.0.cutout()?.store;
        let mut page = store.images(filter, after, limit + 1).await.map_err(stored)?;
        let more = page.len() as u64 > limit;
        page.truncate(limit as usize);
        let next = page
            .last()
            .filter(|_| more)
            .map(|last| last.id.number().to_string());
        Ok((page, next))
    }

    fn shown(&self, collection: &str, found: Catalogued) -> schema::Image {
        let Site {
            places, publisher, ..
        } = &*self.0;
        image(collection, found, places, publisher)
    }
}

fn image(collection: &str, found: Catalogued, places: &Places, publisher: &str) -> schema::Image {
    let image = found.image;
    let did = identifier::write(publisher, collection, &image.path);
    let hdus = image.hdus.into_iter().map(|hdu| schema::Hdu {
        number: hdu.number as u64,
        name: hdu.name,
        shape: hdu.shape,
        bitpix: hdu.bitpix,
        compressed: hdu.compressed,
        problem: hdu.wcs_problem,
    });
    schema::Image {
        id: found.id.number(),
        name: format!("{collection}/{}", image.path),
        collection: collection.to_owned(),
        size: image.size,
        band: image.band,
        obs: image.obs,
        product_type: image.product_type,
        target: image.target.or(image.field),
        date_beg: image.date_beg.map(|time| time.to_string()),
        date_end: image.date_end.map(|time| time.to_string()),
        circle: image.cap.map(|cap| schema::Circle {
            ra: cap.centre.ra,
            dec: cap.centre.dec,
            radius: cap.radius,
        }),
        hdus: hdus.collect(),
        links: places.links(&did),
        href: places.image(&did),
        publisher_did: did,
        path: image.path,
    }
}

fn outline(found: Catalogued) -> Option<schema::Outline> {
    let vertices = match sia::region(found.image.s_region.as_deref()?)? {
        Shape::Polygon { vertices } => vertices.to_vec(),
        shape => shape.outline(),
    };
    Some(schema::Outline {
        id: found.id.number(),
        path: found.image.path,
        band: found.image.band,
        polygon: vertices.into_iter().map(|at| [at.ra, at.dec]).collect(),
    })
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
