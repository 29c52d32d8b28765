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

/// An image of the catalogue.
#[derive(Debug, Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
pub struct Image {
    /// Its number, by which `/api/v1/cutout/images/{id}` has it.
    pub id: i64,
    /// `collection/path`, what the parameter ID of cutouts takes.
    pub name: String,
    /// Its identifier in the Virtual Observatory, which ID takes too.
    pub publisher_did: String,
    /// Collection.
    pub collection: String,
    /// Path in the collection.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Band or filter.
    pub band: Option<String>,
    /// Observation, or tag of a coadd.
    pub obs: Option<String>,
    /// Type of product.
    #[serde(rename = "type")]
    #[oai(rename = "type")]
    pub product_type: Option<String>,
    /// Object or field that was looked at.
    pub target: Option<String>,
    /// When the observation began.
    pub date_beg: Option<String>,
    /// When it ended.
    pub date_end: Option<String>,
    /// Middle and radius of a circle around it.
    pub circle: Option<Circle>,
    /// Its HDUs that hold images.
    pub hdus: Vec<Hdu>,
    /// DataLink: what can be had of it.
    pub links: String,
    /// The whole image.
    pub href: String,
}

/// A circle on the sky.
#[derive(Debug, Serialize, Object)]
pub struct Circle {
    /// ICRS right ascension, deg.
    pub ra: f64,
    /// ICRS declination, deg.
    pub dec: f64,
    /// Degrees.
    pub radius: f64,
}

/// An HDU that holds an image.
#[derive(Debug, Serialize, Object)]
pub struct Hdu {
    /// Place in the file, 0 the primary.
    pub number: u64,
    /// EXTNAME.
    pub name: Option<String>,
    /// Pixels along each axis.
    pub shape: Vec<u64>,
    /// BITPIX.
    pub bitpix: i64,
    /// Whether it is compressed in tiles.
    pub compressed: bool,
    /// Why its coordinates cannot be used, if it has any.
    pub problem: Option<String>,
}

/// A page of images.
#[derive(Debug, Serialize, Object)]
pub struct ImageList {
    /// In the order in which they were first ingested.
    pub items: Vec<Image>,
    /// `cursor` of the next page; null after the last.
    pub next: Option<String>,
}

/// Where an image lies.
#[derive(Debug, Serialize, Object)]
pub struct Outline {
    /// Number of the image.
    pub id: i64,
    /// Path in the collection.
    pub path: String,
    /// Band or filter.
    pub band: Option<String>,
    /// Vertices of its outline: ICRS right ascension and declination, deg.
    pub polygon: Vec<[f64; 2]>,
}

/// A page of outlines.
#[derive(Debug, Serialize, Object)]
pub struct OutlineList {
    /// Of the images with coordinates.
    pub items: Vec<Outline>,
    /// `cursor` of the next page; null after the last.
    pub next: Option<String>,
}

/// What a job of a description would find.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct Checked {
    /// Whether it would be taken and queued now.
    pub accepted: bool,
    /// What is wrong with it. A list with a row that cannot be read is refused whole.
    pub faults: Vec<CheckFault>,
    /// Columns of the list that mean nothing, the first hundred.
    pub unused: Vec<String>,
    /// Rows that are asked for.
    pub positions: u64,
    /// Rows of which nothing would be made.
    pub unmatched: u64,
    /// Cutouts that would fail, as far as that can be known before pixels are read.
    pub failures: u64,
    /// Files that would be made, pictures and light curves counted, the three manifests not.
    pub files: u64,
    /// Bytes that they would take.
    pub bytes: u64,
    /// Whether the numbers are exact. If not, not all images were looked at: what was not is counted by the bounds of
    /// images, its bytes by the average of the others; or pictures, light curves or compressed files are asked for, whose
    /// bytes are guessed; or an image has weights, where they are zero there is no file; or what is not made gets a text,
    /// since no list was given.
    pub exact: bool,
    /// A page of rows.
    pub rows: Vec<CheckedRow>,
    /// `cursor` of the next page; null after the last.
    pub next: Option<String>,
    /// What the caller may still have.
    pub quota: QuotaLeft,
}

/// A fault of a description.
#[derive(Debug, Object)]
pub struct CheckFault {
    /// Its parameter.
    pub parameter: String,
    /// The row of the list, from 1, if it is one alone.
    pub row: Option<u64>,
    /// What is wrong.
    pub message: String,
}

/// A row and what it hits.
#[derive(Debug, Object)]
pub struct CheckedRow {
    /// From 1.
    pub row: u64,
    /// The user's name for it, or one made of its position.
    pub id: String,
    /// Middle, ICRS deg.
    pub ra: Option<f64>,
    /// Middle, ICRS deg.
    pub dec: Option<f64>,
    /// Images that it would be cut from.
    pub images: u64,
    /// Images that it lies on and would not be cut from.
    pub failures: u64,
    /// Bytes of its cutouts, as far as their images were looked at.
    pub bytes: u64,
    /// The first ten images.
    pub hits: Vec<Hit>,
    /// Why there would be nothing, or less than asked for.
    pub problem: Option<String>,
}

/// An image that a row lies on.
#[derive(Debug, Object)]
pub struct Hit {
    /// COLLECTION/PATH.
    pub image: String,
    /// The first ten boxes on its HDUs; none if its headers were not looked at.
    pub boxes: Vec<HitBox>,
    /// Why there would be no cutout.
    pub problem: Option<String>,
}

/// Pixels of an HDU, 1-based, both ends included; it may hang over the edges.
#[derive(Debug, Object)]
pub struct HitBox {
    /// Number of the HDU.
    pub hdu: u64,
    /// First column.
    pub x_min: i64,
    /// Last column.
    pub x_max: i64,
    /// First row.
    pub y_min: i64,
    /// Last row.
    pub y_max: i64,
}

/// What is left of a caller's limits; null where there is none.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct QuotaLeft {
    /// Positions that a job may have.
    pub positions: u64,
    /// Jobs that may still be queued.
    pub queued: Option<u64>,
    /// Bytes of results and files.
    pub stored_bytes: Option<u64>,
}
