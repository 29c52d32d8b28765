//! The catalogue: collections, their images, and what of the images' headers cutouts are chosen by.

use std::collections::HashMap;

use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, Condition, EntityTrait, ExprTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, Func, OnConflict},
};
use serde::{Deserialize, Serialize};

use super::{
    Store, StoreError,
    entity::{collection, collection_root, image},
    rows::{storable, time},
};
use crate::{
    sky::{Cap, Position},
    uws::Timestamp,
};

/// Rows of one INSERT; SQLite takes 32,766 values.
const INSERT_ROWS: usize = 1_000;
/// Paths of one question; the same bound.
const QUESTION_ROWS: usize = 10_000;

/// Number of a collection in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CollectionId(i64);

/// Number of an image in the database; rises with the order in which images were first ingested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageId(i64);

/// A named set of images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collection {
    /// Number.
    pub id: CollectionId,
    /// Name.
    pub name: String,
    /// URLs that it was ingested from.
    pub roots: Vec<String>,
    /// When it was first ingested.
    pub created: Timestamp,
    /// How many images it has.
    pub images: u64,
}

/// An image, as its headers describe it.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// Path below the URL that was ingested; unique in its collection.
    pub path: String,
    /// Where it is.
    pub url: String,
    /// Bytes.
    pub size: u64,
    /// Entity tag when it was read.
    pub etag: Option<String>,
    /// When it was written.
    pub modified: Option<Timestamp>,
    /// Band or filter.
    pub band: Option<String>,
    /// Observation, or tag of a coadd.
    pub obs: Option<String>,
    /// Type of product.
    pub product_type: Option<String>,
    /// Field or object.
    pub field: Option<String>,
    /// When the observation began.
    pub date_beg: Option<Timestamp>,
    /// When it ended.
    pub date_end: Option<Timestamp>,
    /// Its HDUs that hold images.
    pub hdus: Vec<ImageHdu>,
    /// A cap that holds all of them that have coordinates.
    pub cap: Option<Cap>,
}

/// An HDU that holds an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageHdu {
    /// Place in the file, 0 the primary.
    pub number: usize,
    /// EXTNAME.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Axes, NAXIS1 first.
    pub shape: Vec<u64>,
    /// Number type of its pixels, as BITPIX has it.
    pub bitpix: i64,
    /// Whether it is compressed in tiles.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub compressed: bool,
    /// RA, DEC and radius (deg) of a cap that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<[f64; 3]>,
    /// Why its coordinates cannot be used, if it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wcs_problem: Option<String>,
}

/// An image of the catalogue.
#[derive(Debug, Clone, PartialEq)]
pub struct Catalogued {
    /// Number.
    pub id: ImageId,
    /// Number of its collection.
    pub collection: CollectionId,
    /// What is known of it.
    pub image: Image,
}

/// Version of an image that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Where it was.
    pub url: String,
    /// Bytes.
    pub size: u64,
    /// Entity tag.
    pub etag: Option<String>,
}

/// Which images are meant; an empty list means any. Words match in any case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageFilter {
    /// Of one of these collections.
    pub collections: Vec<CollectionId>,
    /// In one of these bands.
    pub bands: Vec<String>,
    /// Of one of these types.
    pub types: Vec<String>,
    /// Of one of these observations or coadd tags.
    pub tags: Vec<String>,
    /// Not over before this time; images without a date are left out.
    pub from: Option<Timestamp>,
    /// Begun by this time; likewise.
    pub to: Option<Timestamp>,
}

#[derive(FromQueryResult)]
struct Count {
    collection: i64,
    count: i64,
}

impl Store {
    /// The collection of this name, made if there is none, now also ingested from `root`.
    pub async fn ensure_collection(&self, name: &str, root: &str) -> Result<CollectionId, StoreError> {
        let new = collection::ActiveModel {
            id: NotSet,
            name: Set(name.to_owned()),
            created: Set(Timestamp::of_this_host().millis()),
        };
        collection::Entity::insert(new)
            .on_conflict(
                OnConflict::column(collection::Column::Name)
                    .do_nothing()
                    .to_owned(),
            )
            .exec_without_returning(&self.write)
            .await?;
        let row = collection::Entity::find()
            .filter(collection::Column::Name.eq(name))
            .one(&self.write)
            .await?;
        let row = row.ok_or_else(|| StoreError::Corrupt(format!("collection {name:?} vanished")))?;
        let root = collection_root::ActiveModel {
            collection: Set(row.id),
            url: Set(root.to_owned()),
        };
        let columns = [collection_root::Column::Collection, collection_root::Column::Url];
        collection_root::Entity::insert(root)
            .on_conflict(OnConflict::columns(columns).do_nothing().to_owned())
            .exec_without_returning(&self.write)
            .await?;
        Ok(CollectionId(row.id))
    }

    /// The number of the collection of this name.
    pub async fn collection(&self, name: &str) -> Result<Option<CollectionId>, StoreError> {
        let row = collection::Entity::find()
            .filter(collection::Column::Name.eq(storable(name).as_ref()))
            .one(&self.read)
            .await?;
        Ok(row.map(|row| CollectionId(row.id)))
    }

    /// Every collection, by name.
    pub async fn collections(&self) -> Result<Vec<Collection>, StoreError> {
        let rows = collection::Entity::find()
            .order_by_asc(collection::Column::Name)
            .all(&self.read)
            .await?;
        let mut roots: HashMap<i64, Vec<String>> = HashMap::new();
        for root in collection_root::Entity::find()
            .order_by_asc(collection_root::Column::Url)
            .all(&self.read)
            .await?
        {
            roots.entry(root.collection).or_default().push(root.url);
        }
        let counts = image::Entity::find()
            .select_only()
            .column(image::Column::Collection)
            .column_as(image::Column::Id.count(), "count")
            .group_by(image::Column::Collection)
            .into_model::<Count>()
            .all(&self.read)
            .await?;
        let counts: HashMap<i64, i64> = counts
            .into_iter()
            .map(|row| (row.collection, row.count))
            .collect();
        rows.into_iter()
            .map(|row| {
                Ok(Collection {
                    id: CollectionId(row.id),
                    roots: roots.remove(&row.id).unwrap_or_default(),
                    created: time(row.created)?,
                    images: counts.get(&row.id).map_or(0, |count| natural(*count)),
                    name: row.name,
                })
            })
            .collect()
    }

    /// The versions in which these paths of a collection were read, of those that were.
    pub async fn image_versions(
        &self,
        collection: CollectionId,
        paths: &[String],
    ) -> Result<HashMap<String, Version>, StoreError> {
        let mut versions = HashMap::new();
        for paths in paths.chunks(QUESTION_ROWS) {
            let rows: Vec<(String, String, i64, Option<String>)> = image::Entity::find()
                .filter(image::Column::Collection.eq(collection.0))
                .filter(image::Column::Path.is_in(paths.iter().map(String::as_str)))
                .select_only()
                .columns([
                    image::Column::Path,
                    image::Column::Url,
                    image::Column::Size,
                    image::Column::Etag,
                ])
                .into_tuple()
                .all(&self.read)
                .await?;
            versions.extend(rows.into_iter().map(|(path, url, size, etag)| {
                (
                    path,
                    Version {
                        url,
                        size: natural(size),
                        etag,
                    },
                )
            }));
        }
        Ok(versions)
    }

    /// Adds images to a collection, in place of those of the same path.
    pub async fn put_images(&self, collection: CollectionId, images: &[Image]) -> Result<(), StoreError> {
        for images in images.chunks(INSERT_ROWS) {
            let rows = images
                .iter()
                .map(|image| row(collection, image))
                .collect::<Result<Vec<_>, _>>()?;
            if rows.is_empty() {
                continue;
            }
            image::Entity::insert_many(rows)
                .on_conflict(replace_image())
                .exec_without_returning(&self.write)
                .await?;
        }
        Ok(())
    }

    /// The image of a collection that was ingested last, of those that are new.
    pub async fn newest_image(&self, collection: CollectionId) -> Result<Option<ImageId>, StoreError> {
        let id: Option<i64> = image::Entity::find()
            .filter(image::Column::Collection.eq(collection.0))
            .order_by_desc(image::Column::Id)
            .select_only()
            .column(image::Column::Id)
            .into_tuple()
            .one(&self.read)
            .await?;
        Ok(id.map(ImageId))
    }

    /// URLs of at most `limit` images of a collection up to `last`, in the order of their numbers, from the first after
    /// `after`.
    pub async fn image_urls(
        &self,
        collection: CollectionId,
        after: Option<ImageId>,
        last: ImageId,
        limit: u64,
    ) -> Result<Vec<(ImageId, String)>, StoreError> {
        let rows: Vec<(i64, String)> = image::Entity::find()
            .filter(image::Column::Collection.eq(collection.0))
            .filter(image::Column::Id.gt(after.map_or(0, |id| id.0)))
            .filter(image::Column::Id.lte(last.0))
            .order_by_asc(image::Column::Id)
            .limit(limit)
            .select_only()
            .columns([image::Column::Id, image::Column::Url])
            .into_tuple()
            .all(&self.read)
            .await?;
        Ok(rows.into_iter().map(|(id, url)| (ImageId(id), url)).collect())
    }

    /// Takes images out of the catalogue; says how many there were.
    pub async fn remove_images(&self, images: &[ImageId]) -> Result<u64, StoreError> {
        let mut removed = 0;
        for images in images.chunks(INSERT_ROWS) {
            let deleted = image::Entity::delete_many()
                .filter(image::Column::Id.is_in(images.iter().map(|id| id.0)))
                .exec(&self.write)
                .await?;
            removed += deleted.rows_affected;
        }
        Ok(removed)
    }

    /// The image of a collection with this path.
    pub async fn image(
        &self,
        collection: CollectionId,
        path: &str,
    ) -> Result<Option<Catalogued>, StoreError> {
        image::Entity::find()
            .filter(image::Column::Collection.eq(collection.0))
            .filter(image::Column::Path.eq(storable(path).as_ref()))
            .one(&self.read)
            .await?
            .map(Catalogued::try_from)
            .transpose()
    }

    /// At most `limit` images, in the order of their numbers, from the first after `after`.
    pub async fn images(
        &self,
        filter: &ImageFilter,
        after: Option<ImageId>,
        limit: u64,
    ) -> Result<Vec<Catalogued>, StoreError> {
        image::Entity::find()
            .filter(filter.condition())
            .filter(image::Column::Id.gt(after.map_or(0, |id| id.0)))
            .order_by_asc(image::Column::Id)
            .limit(limit)
            .all(&self.read)
            .await?
            .into_iter()
            .map(Catalogued::try_from)
            .collect()
    }
}

impl ImageFilter {
    fn condition(&self) -> Condition {
        let mut condition = Condition::all();
        if !self.collections.is_empty() {
            condition =
                condition.add(image::Column::Collection.is_in(self.collections.iter().map(|id| id.0)));
        }
        for (column, words) in [
            (image::Column::Band, &self.bands),
            (image::Column::ProductType, &self.types),
            (image::Column::Obs, &self.tags),
        ] {
            if !words.is_empty() {
                let lower = Expr::expr(Func::lower(Expr::col(column)));
                // The database's own mind about capitals on both sides.
                let words = words
                    .iter()
                    .map(|word| Expr::expr(Func::lower(Expr::val(storable(word).into_owned()))));
                condition = condition.add(lower.is_in(words));
            }
        }
        let (begin, end) = (
            Expr::col(image::Column::DateBeg),
            Expr::col(image::Column::DateEnd),
        );
        if let Some(from) = self.from {
            condition =
                condition.add(Expr::expr(Func::coalesce([end.clone(), begin.clone()])).gte(from.millis()));
        }
        if let Some(to) = self.to {
            condition = condition.add(Expr::expr(Func::coalesce([begin, end])).lte(to.millis()));
        }
        condition
    }
}

fn replace_image() -> OnConflict {
    use image::Column as C;
    OnConflict::columns([C::Collection, C::Path])
        .update_columns([
            C::Url,
            C::Size,
            C::Etag,
            C::Modified,
            C::Band,
            C::Obs,
            C::ProductType,
            C::Field,
            C::DateBeg,
            C::DateEnd,
            C::Hdus,
            C::Ra,
            C::Dec,
            C::Radius,
        ])
        .to_owned()
}

fn row(collection: CollectionId, image: &Image) -> Result<image::ActiveModel, StoreError> {
    let text = |text: &Option<String>| text.as_deref().map(|text| storable(text).into_owned());
    let hdus = serde_json::to_string(&image.hdus).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    Ok(image::ActiveModel {
        id: NotSet,
        collection: Set(collection.0),
        path: Set(image.path.clone()),
        url: Set(image.url.clone()),
        size: Set(i64::try_from(image.size).unwrap_or(i64::MAX)),
        etag: Set(text(&image.etag)),
        modified: Set(image.modified.map(Timestamp::millis)),
        band: Set(text(&image.band)),
        obs: Set(text(&image.obs)),
        product_type: Set(text(&image.product_type)),
        field: Set(text(&image.field)),
        date_beg: Set(image.date_beg.map(Timestamp::millis)),
        date_end: Set(image.date_end.map(Timestamp::millis)),
        hdus: Set(hdus),
        ra: Set(image.cap.map(|cap| cap.centre.ra)),
        dec: Set(image.cap.map(|cap| cap.centre.dec)),
        radius: Set(image.cap.map(|cap| cap.radius)),
    })
}

impl TryFrom<image::Model> for Catalogued {
    type Error = StoreError;

    fn try_from(row: image::Model) -> Result<Self, StoreError> {
        let hdus = serde_json::from_str(&row.hdus)
            .map_err(|error| StoreError::Corrupt(format!("HDUs of image {}: {error}", row.id)))?;
        let cap = match (row.ra, row.dec, row.radius) {
            (Some(ra), Some(dec), Some(radius)) => Some(Cap {
                centre: Position { ra, dec },
                radius,
            }),
            _ => None,
        };
        Ok(Catalogued {
            id: ImageId(row.id),
            collection: CollectionId(row.collection),
            image: Image {
                path: row.path,
                url: row.url,
                size: natural(row.size),
                etag: row.etag,
                modified: row.modified.map(time).transpose()?,
                band: row.band,
                obs: row.obs,
                product_type: row.product_type,
                field: row.field,
                date_beg: row.date_beg.map(time).transpose()?,
                date_end: row.date_end.map(time).transpose()?,
                hdus,
                cap,
            },
        })
    }
}

fn natural(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
