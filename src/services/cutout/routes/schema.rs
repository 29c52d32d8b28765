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
