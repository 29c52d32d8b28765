//! The catalogue: collections, their images, and what of the images' headers cutouts are chosen by.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
};

use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, Condition, ConnectionTrait, DbBackend, DbErr, EntityTrait, ExprTrait, FromQueryResult,
    QueryFilter, QueryOrder, QuerySelect, Statement, Value,
    sea_query::{Expr, Func, OnConflict, PostgresQueryBuilder, SelectStatement, SqliteQueryBuilder},
};
use serde::{Deserialize, Serialize};

use super::{
    Dialect, Sql, Store, StoreError,
    entity::{collection, collection_root, image, image_cell},
    rows::{storable, time},
};
use crate::{
    sky::{Cap, Footprint, Position},
    uws::Timestamp,
};

/// Rows of one INSERT; SQLite takes 32,766 values.
const INSERT_ROWS: usize = 500;
/// Paths of one question; the same bound.
const QUESTION_ROWS: usize = 10_000;

/// Number of a collection in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CollectionId(i64);

/// Number of an image in the database; rises with the order in which images were first ingested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageId(i64);

impl ImageId {
    /// That of this number.
    pub fn of_number(number: i64) -> Self {
        ImageId(number)
    }

    /// Its number.
    pub fn number(self) -> i64 {
        self.0
    }
}

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
#[derive(Debug, Clone, Default, PartialEq)]
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
    /// Shortest wavelength, m.
    pub em_min: Option<f64>,
    /// Longest wavelength, m.
    pub em_max: Option<f64>,
    /// When the observation began, MJD (UTC).
    pub t_min: Option<f64>,
    /// When it ended, MJD (UTC).
    pub t_max: Option<f64>,
    /// Exposure, s.
    pub exposure: Option<f64>,
    /// Polarization states as `ObsCore` has them, as `/I/Q/U/`.
    pub pol_states: Option<String>,
    /// The outline of the first HDU with coordinates, as `ObsCore`'s `s_region` has it: `POLYGON ICRS` or `CIRCLE ICRS`
    /// with degrees.
    pub s_region: Option<String>,
    /// Name of the object that was looked at.
    pub target: Option<String>,
    /// Telescope.
    pub facility: Option<String>,
    /// Instrument.
    pub instrument: Option<String>,
    /// Level of calibration, 0 to 4 as `ObsCore` counts.
    pub calib_level: Option<u8>,
    /// Largest side of a pixel that matters for a bound, deg.
    pub pixel_scale: Option<f64>,
}

/// An image on its way into the catalogue.
#[derive(Debug, Clone, PartialEq)]
pub struct NewImage {
    /// What its headers say.
    pub image: Image,
    /// Where positions find it.
    pub footprint: Footprint,
    /// Number of the way in which the headers were read: an image that was read in another is not up to date.
    pub described: i64,
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
    /// See [`NewImage::described`].
    pub described: i64,
}

/// Which images are meant; an empty list means any. Words match in any case. Images of which the catalogue does not know
/// what is asked for are left out.
#[derive(Debug, Clone, Default, PartialEq)]
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
    /// With wavelengths within one of these ranges, m.
    pub wavelengths: Vec<[f64; 2]>,
    /// Taken within one of these ranges, MJD (UTC).
    pub times: Vec<[f64; 2]>,
    /// With one of these polarization states, as `I`.
    pub pol_states: Vec<String>,
    /// With pixels of about this size: a value of [`Store::scale_octaves`].
    pub scale_octave: Option<Option<i16>>,
}

/// What a word says of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Its band.
    Band,
    /// Its type of product.
    Type,
    /// Its observation or coadd tag.
    Tag,
}

/// Which of some places may lie on which images.
#[derive(Debug, Clone, Default)]
pub struct Met {
    /// Images with the ranges of cells that they were found by, ascending.
    images: Vec<(ImageId, usize)>,
    /// The places of each range.
    places: Vec<Vec<usize>>,
}

impl Met {
    /// The images, ascending, each with its places, ascending.
    pub fn images(&self) -> impl Iterator<Item = (ImageId, Vec<usize>)> {
        self.images.chunk_by(|a, b| a.0 == b.0).map(|found| {
            let mut places: Vec<usize> = found
                .iter()
                .flat_map(|(_, range)| &self.places[*range])
                .copied()
                .collect();
            places.sort_unstable();
            places.dedup();
            (found[0].0, places)
        })
    }
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
            .exec_without_returning(&self.writer())
            .await?;
        let row = collection::Entity::find()
            .filter(collection::Column::Name.eq(name))
            .one(&self.writer())
            .await?;
        let row = row.ok_or_else(|| StoreError::Corrupt(format!("collection {name:?} vanished")))?;
        let root = collection_root::ActiveModel {
            collection: Set(row.id),
            url: Set(root.to_owned()),
        };
        let columns = [collection_root::Column::Collection, collection_root::Column::Url];
        collection_root::Entity::insert(root)
            .on_conflict(OnConflict::columns(columns).do_nothing().to_owned())
            .exec_without_returning(&self.writer())
            .await?;
        Ok(CollectionId(row.id))
    }

    /// The number of the collection of this name.
    pub async fn collection(&self, name: &str) -> Result<Option<CollectionId>, StoreError> {
        let row = collection::Entity::find()
            .filter(collection::Column::Name.eq(storable(name).as_ref()))
            .one(&self.reader())
            .await?;
        Ok(row.map(|row| CollectionId(row.id)))
    }

    /// Every collection, by name.
    pub async fn collections(&self) -> Result<Vec<Collection>, StoreError> {
        let rows = collection::Entity::find()
            .order_by_asc(collection::Column::Name)
            .all(&self.reader())
            .await?;
        let mut roots: HashMap<i64, Vec<String>> = HashMap::new();
        for root in collection_root::Entity::find()
            .order_by_asc(collection_root::Column::Url)
            .all(&self.reader())
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
            .all(&self.reader())
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
            let rows: Vec<(String, String, i64, Option<String>, i64)> = image::Entity::find()
                .filter(image::Column::Collection.eq(collection.0))
                .filter(image::Column::Path.is_in(paths.iter().map(String::as_str)))
                .select_only()
                .columns([
                    image::Column::Path,
                    image::Column::Url,
                    image::Column::Size,
                    image::Column::Etag,
                    image::Column::Described,
                ])
                .into_tuple()
                .all(&self.reader())
                .await?;
            versions.extend(rows.into_iter().map(|(path, url, size, etag, described)| {
                (
                    path,
                    Version {
                        url,
                        size: natural(size),
                        etag,
                        described,
                    },
                )
            }));
        }
        Ok(versions)
    }

    /// Adds images to a collection, in place of those of the same path.
    pub async fn put_images(&self, collection: CollectionId, images: &[NewImage]) -> Result<(), StoreError> {
        for images in images.chunks(INSERT_ROWS) {
            let rows = images
                .iter()
                .map(|new| row(collection, new))
                .collect::<Result<Vec<_>, _>>()?;
            if rows.is_empty() {
                continue;
            }
            let transaction = self.begin().await?;
            image::Entity::insert_many(rows)
                .on_conflict(replace_image())
                .exec_without_returning(&transaction)
                .await?;
            let ids: HashMap<String, i64> = image::Entity::find()
                .filter(image::Column::Collection.eq(collection.0))
                .filter(image::Column::Path.is_in(images.iter().map(|new| new.image.path.as_str())))
                .select_only()
                .columns([image::Column::Path, image::Column::Id])
                .into_tuple::<(String, i64)>()
                .all(&transaction)
                .await?
                .into_iter()
                .collect();
            image_cell::Entity::delete_many()
                .filter(image_cell::Column::Image.is_in(ids.values().copied()))
                .exec(&transaction)
                .await?;
            let mut cells = CellRows::default();
            for new in images {
                if let Some(id) = ids.get(&new.image.path) {
                    cells.add(*id, &new.footprint);
                }
            }
            cells.insert(&transaction).await?;
            transaction.commit().await?;
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
            .one(&self.reader())
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
            .all(&self.reader())
            .await?;
        Ok(rows.into_iter().map(|(id, url)| (ImageId(id), url)).collect())
    }

    /// Takes images out of the catalogue; says how many there were.
    pub async fn remove_images(&self, images: &[ImageId]) -> Result<u64, StoreError> {
        let mut removed = 0;
        for images in images.chunks(INSERT_ROWS) {
            let deleted = image::Entity::delete_many()
                .filter(image::Column::Id.is_in(images.iter().map(|id| id.0)))
                .exec(&self.writer())
                .await?;
            removed += deleted.rows_affected;
        }
        Ok(removed)
    }

    /// Takes a collection with all its images out of the catalogue; says how many these were, `None` if there is none of
    /// this name. The files, and what jobs have made of them, stay.
    pub async fn remove_collection(&self, name: &str) -> Result<Option<u64>, StoreError> {
        let Some(id) = self.collection(name).await? else {
            return Ok(None);
        };
        let mut removed = 0;
        // Some at a time, so that nobody has to wait for all.
        while let Some(newest) = self.newest_image(id).await? {
            let some = self.image_urls(id, None, newest, QUESTION_ROWS as u64).await?;
            let some: Vec<ImageId> = some.into_iter().map(|(id, _)| id).collect();
            removed += self.remove_images(&some).await?;
        }
        collection::Entity::delete_by_id(id.0)
            .exec(&self.writer())
            .await?;
        Ok(Some(removed))
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
            .one(&self.reader())
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
            .all(&self.reader())
            .await?
            .into_iter()
            .map(Catalogued::try_from)
            .collect()
    }

    /// Which images that the filter takes may hold something of which footprint: those with a cell that overlaps one of
    /// its cells, by the index of cells. Never too few; the caller looks at each more closely.
    ///
    /// Ranges of cells that many footprints share are looked up once, so that places of one field cost little more than
    /// one.
    pub async fn images_at(&self, filter: &ImageFilter, footprints: &[Footprint]) -> Result<Met, StoreError> {
        let (ranges, places) = ranges_of(footprints);
        if ranges.is_empty() {
            return Ok(Met::default());
        }
        let rows = self.read.query_all_raw(self.at(filter, &ranges)).await?;
        let mut images = Vec::new();
        for row in rows {
            let range: i64 = row.try_get_by("range")?;
            let list: String = row.try_get_by("images")?;
            let range = usize::try_from(range)
                .ok()
                .filter(|range| *range < places.len())
                .ok_or_else(|| StoreError::Corrupt(format!("range {range}")))?;
            for id in list.split(',') {
                let id = id
                    .parse()
                    .map_err(|_| StoreError::Corrupt(format!("image {id:?}")))?;
                images.push((ImageId(id), range));
            }
        }
        images.sort_unstable();
        Ok(Met { images, places })
    }

    /// The statement of [`Store::images_at`] with its values, to be explained by the database.
    pub fn images_at_statement(&self, filter: &ImageFilter, footprints: &[Footprint]) -> String {
        self.at(filter, &ranges_of(footprints).0).to_string()
    }

    fn at(&self, filter: &ImageFilter, ranges: &[(i64, i64)]) -> Statement {
        let ranges = self.dialect.pairs(ranges);
        let mut values = Vec::new();
        let mut fits = String::new();
        if *filter != ImageFilter::default() {
            let mut query = SelectStatement::new();
            query
                .expr(Expr::val(1))
                .from(image::Entity)
                .cond_where(filter.condition())
                .and_where(Expr::cust("image.id = met.image"))
                .limit(1);
            // With an offset Postgres keeps it as it is, a search by key for each image. Its guess of how many there
            // are is far too high, by which it would read the whole table.
            query.offset(0);
            let (sql, of_filter) = match self.dialect {
                Dialect::Sqlite => query.build(SqliteQueryBuilder),
                Dialect::Postgres => query.build(PostgresQueryBuilder),
            };
            fits = format!("WHERE EXISTS ({sql})");
            values = of_filter.0;
        }
        // SQLite's values are told apart by their order, Postgres's by their numbers.
        let place = match self.dialect {
            Dialect::Sqlite => {
                values.insert(0, ranges);
                String::from("?")
            }
            Dialect::Postgres => {
                values.push(ranges);
                format!("${}", values.len())
            }
        };
        let sql = AT
            .of(self.dialect)
            .replace("{ranges}", &place)
            .replace("{fits}", &fits);
        Statement::from_sql_and_values(self.backend(), sql, values)
    }

    /// The images of these numbers that are there, in their order.
    pub async fn images_of(&self, ids: &[ImageId]) -> Result<Vec<Catalogued>, StoreError> {
        let mut images = Vec::with_capacity(ids.len());
        for ids in ids.chunks(QUESTION_ROWS) {
            let rows = image::Entity::find()
                .filter(image::Column::Id.is_in(ids.iter().map(|id| id.0)))
                .order_by_asc(image::Column::Id)
                .all(&self.read)
                .await?;
            for row in rows {
                images.push(Catalogued::try_from(row)?);
            }
        }
        Ok(images)
    }

    /// Whether the filter's collections and pixels have more than `few` images, whatever else it asks for: so much the
    /// index of collections tells at once.
    pub async fn has_more_images(&self, filter: &ImageFilter, few: u64) -> Result<bool, StoreError> {
        let coarse = ImageFilter {
            collections: filter.collections.clone(),
            scale_octave: filter.scale_octave,
            ..ImageFilter::default()
        };
        let one: Option<i64> = image::Entity::find()
            .filter(coarse.condition())
            .select_only()
            .column(image::Column::Collection)
            .offset(few)
            .limit(1)
            .into_tuple()
            .one(&self.read)
            .await?;
        Ok(one.is_some())
    }

    /// The sizes of pixels of some collections (of all, if none is named): powers of two of degrees that no pixel of an
    /// image exceeds; `None` for images that have none.
    pub async fn scale_octaves(&self, collections: &[CollectionId]) -> Result<Vec<Option<i16>>, StoreError> {
        let filter = ImageFilter {
            collections: collections.to_vec(),
            ..ImageFilter::default()
        };
        let octaves = image::Entity::find()
            .filter(filter.condition())
            .select_only()
            .column(image::Column::ScaleOctave)
            .distinct()
            .into_tuple()
            .all(&self.read)
            .await?;
        Ok(octaves)
    }

    /// The first `most` words of this kind that images of the collections (of all if there is none) have, in order.
    pub async fn known_words(
        &self,
        kind: Word,
        collections: &[CollectionId],
        most: u64,
    ) -> Result<Vec<String>, StoreError> {
        let column = match kind {
            Word::Band => image::Column::Band,
            Word::Type => image::Column::ProductType,
            Word::Tag => image::Column::Obs,
        };
        let filter = ImageFilter {
            collections: collections.to_vec(),
            ..ImageFilter::default()
        };
        Ok(image::Entity::find()
            .filter(filter.condition())
            .filter(column.is_not_null())
            .select_only()
            .column(column)
            .distinct()
            .order_by_asc(column)
            .limit(most)
            .into_tuple()
            .all(&self.read)
            .await?)
    }

    /// How many images the filter takes in each band, and how many of those have coordinates.
    pub async fn count_images(
        &self,
        filter: &ImageFilter,
    ) -> Result<Vec<(Option<String>, u64, u64)>, StoreError> {
        let rows: Vec<(Option<String>, i64, i64)> = image::Entity::find()
            .filter(filter.condition())
            .select_only()
            .column(image::Column::Band)
            .column_as(image::Column::Id.count(), "images")
            .column_as(image::Column::Ra.count(), "placed")
            .group_by(image::Column::Band)
            .into_tuple()
            .all(&self.read)
            .await?;
        Ok(rows
            .into_iter()
            .map(|(band, images, placed)| (band, natural(images), natural(placed)))
            .collect())
    }
}

/// Ranges of cells that overlap footprints, each once, with the places of these.
fn ranges_of(footprints: &[Footprint]) -> (Vec<(i64, i64)>, Vec<Vec<usize>>) {
    let mut all: BTreeMap<(i64, i64), Vec<usize>> = BTreeMap::new();
    for (place, footprint) in footprints.iter().enumerate() {
        for range in footprint.overlapping() {
            all.entry((*range.start(), *range.end())).or_default().push(place);
        }
    }
    all.into_iter().unzip()
}

/// Images by ranges of cells, the first of which is number 0.
const AT: Sql = Sql {
    sqlite: "WITH met AS MATERIALIZED (SELECT asked.key AS range, image_cell.image AS image \
             FROM json_each({ranges}) AS asked CROSS JOIN image_cell \
             ON image_cell.cell BETWEEN asked.value ->> 0 AND asked.value ->> 1), \
         fit AS MATERIALIZED (SELECT image FROM (SELECT DISTINCT image FROM met) AS met {fits}) \
         SELECT met.range AS range, group_concat(met.image) AS images FROM met JOIN fit ON fit.image = met.image \
         GROUP BY met.range",
    postgres: "WITH list AS MATERIALIZED (SELECT string_to_array({ranges}, ',')::bigint[] AS ends), \
         asked AS MATERIALIZED (SELECT place - 1 AS range, ends[2 * place - 1] AS first, ends[2 * place] AS last \
             FROM list, generate_series(1, cardinality(ends) / 2) AS place), \
         met AS MATERIALIZED (SELECT asked.range, cell.image FROM asked CROSS JOIN LATERAL \
             (SELECT image FROM image_cell WHERE image_cell.cell BETWEEN asked.first AND asked.last OFFSET 0) AS cell), \
         fit AS MATERIALIZED (SELECT image FROM (SELECT DISTINCT image FROM met) AS met {fits}) \
         SELECT met.range::bigint AS range, string_agg(met.image::text, ',') AS images \
         FROM met JOIN fit ON fit.image = met.image GROUP BY met.range",
};

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
        for (first, last, ranges) in [
            (image::Column::EmMin, image::Column::EmMax, &self.wavelengths),
            (image::Column::TMin, image::Column::TMax, &self.times),
        ] {
            // Where only one end is known the image is no longer than that.
            let ends = |one, other| Func::coalesce([Expr::col(one), Expr::col(other)]);
            let touches = |[from, to]: &[f64; 2]| {
                Condition::all()
                    .add(Expr::expr(ends(last, first)).gte(*from))
                    .add(Expr::expr(ends(first, last)).lte(*to))
            };
            condition = any_of(condition, ranges.iter().map(touches));
        }
        let states = self.pol_states.iter().map(|state| {
            let pattern = format!("%/{}/%", storable(state).to_uppercase().replace(['%', '_'], ""));
            Condition::all().add(Expr::col(image::Column::PolStates).like(pattern))
        });
        condition = any_of(condition, states);
        match self.scale_octave {
            None => condition,
            Some(None) => condition.add(image::Column::ScaleOctave.is_null()),
            Some(Some(octave)) => condition.add(image::Column::ScaleOctave.eq(octave)),
        }
    }
}

/// Adds that one of `some` holds, if there is any.
fn any_of(condition: Condition, some: impl Iterator<Item = Condition>) -> Condition {
    let mut some = some.peekable();
    if some.peek().is_none() {
        return condition;
    }
    condition.add(some.fold(Condition::any(), Condition::add))
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
            C::EmMin,
            C::EmMax,
            C::TMin,
            C::TMax,
            C::Exposure,
            C::PolStates,
            C::SRegion,
            C::Target,
            C::Facility,
            C::Instrument,
            C::CalibLevel,
            C::PixelScale,
            C::ScaleOctave,
            C::Described,
        ])
        .to_owned()
}

impl Image {
    /// Degrees of the largest pixel that matters for a bound.
    pub fn coarse_scale(&self) -> Option<f64> {
        let shortest = self
            .hdus
            .iter()
            .filter_map(|hdu| hdu.shape.iter().take(2).min())
            .min();
        let cap = self.cap?;
        Some(2.0 * cap.radius / shortest.copied().filter(|side| *side > 0).unwrap_or(1) as f64)
    }

    /// No pixel is wider than two to this power, in degrees.
    pub(super) fn scale_octave(&self) -> Option<i16> {
        let scale = self.coarse_scale()?;
        (scale > 0.0).then(|| scale.log2().ceil() as i16)
    }

    /// Where it lies by its cap. If its coordinates cannot be used it may lie anywhere; if it has none it lies nowhere.
    pub fn footprint_by_cap(&self) -> Footprint {
        match self.cap {
            Some(cap) => Footprint::of_cap(cap),
            None if self.hdus.iter().any(|hdu| hdu.wcs_problem.is_some()) => Footprint::whole(),
            None => Footprint::default(),
        }
    }
}

impl From<Image> for NewImage {
    /// Found by its cap.
    fn from(image: Image) -> NewImage {
        NewImage {
            footprint: image.footprint_by_cap(),
            described: 0,
            image,
        }
    }
}

/// Rows of `image_cell` on their way into it: cells and images.
#[derive(Debug, Default)]
pub(super) struct CellRows(Vec<(i64, i64)>);

impl CellRows {
    pub(super) fn add(&mut self, image: i64, footprint: &Footprint) {
        self.0.extend(footprint.cells().iter().map(|cell| (*cell, image)));
    }

    pub(super) async fn insert<C: ConnectionTrait>(&self, connection: &C) -> Result<(), DbErr> {
        let backend = connection.get_database_backend();
        let dialect = match backend {
            DbBackend::Postgres => Dialect::Postgres,
            _ => Dialect::Sqlite,
        };
        let statement =
            Statement::from_sql_and_values(backend, INSERT_CELLS.of(dialect), [dialect.pairs(&self.0)]);
        connection.execute_raw(statement).await?;
        Ok(())
    }
}

const INSERT_CELLS: Sql = Sql {
    sqlite: "INSERT INTO image_cell (cell, image) SELECT value ->> 0, value ->> 1 FROM json_each($1)",
    postgres: "INSERT INTO image_cell (cell, image) SELECT pairs[2 * place - 1], pairs[2 * place] \
         FROM (SELECT string_to_array($1, ',')::bigint[] AS pairs) AS list, \
         generate_series(1, cardinality(pairs) / 2) AS place",
};

impl Dialect {
    /// Pairs of numbers as one value of a statement, however many they are: `[[1,2],[3,4]]` for SQLite, `1,2,3,4` for
    /// Postgres.
    fn pairs(self, pairs: &[(i64, i64)]) -> Value {
        let mut text = String::with_capacity(pairs.len() * 42);
        for (one, other) in pairs {
            if !text.is_empty() {
                text.push(',');
            }
            // A `String` takes whatever is written to it.
            let _ = match self {
                Dialect::Sqlite => write!(text, "[{one},{other}]"),
                Dialect::Postgres => write!(text, "{one},{other}"),
            };
        }
        match self {
            Dialect::Sqlite => format!("[{text}]").into(),
            Dialect::Postgres => text.into(),
        }
    }
}

/// A cap of which all parts are there.
pub(super) fn cap_of(ra: Option<f64>, dec: Option<f64>, radius: Option<f64>) -> Option<Cap> {
    Some(Cap {
        centre: Position { ra: ra?, dec: dec? },
        radius: radius?,
    })
}

/// The HDUs of a row.
pub(super) fn hdus_of(id: i64, text: &str) -> Result<Vec<ImageHdu>, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(format!("HDUs of image {id}: {error}")))
}

fn row(collection: CollectionId, new: &NewImage) -> Result<image::ActiveModel, StoreError> {
    let image = &new.image;
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
        em_min: Set(image.em_min),
        em_max: Set(image.em_max),
        t_min: Set(image.t_min),
        t_max: Set(image.t_max),
        exposure: Set(image.exposure),
        pol_states: Set(text(&image.pol_states)),
        s_region: Set(text(&image.s_region)),
        target: Set(text(&image.target)),
        facility: Set(text(&image.facility)),
        instrument: Set(text(&image.instrument)),
        calib_level: Set(image.calib_level.map(i16::from)),
        pixel_scale: Set(image.pixel_scale),
        scale_octave: Set(image.scale_octave()),
        described: Set(new.described),
    })
}

impl TryFrom<image::Model> for Catalogued {
    type Error = StoreError;

    fn try_from(row: image::Model) -> Result<Self, StoreError> {
        let hdus = hdus_of(row.id, &row.hdus)?;
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
                cap: cap_of(row.ra, row.dec, row.radius),
                em_min: row.em_min,
                em_max: row.em_max,
                t_min: row.t_min,
                t_max: row.t_max,
                exposure: row.exposure,
                pol_states: row.pol_states,
                s_region: row.s_region,
                target: row.target,
                facility: row.facility,
                instrument: row.instrument,
                calib_level: row.calib_level.and_then(|level| u8::try_from(level).ok()),
                pixel_scale: row.pixel_scale,
            },
        })
    }
}

fn natural(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
