//! Filling the catalogue: images below URLs, their headers read by range, those that have not changed left alone.

use std::{
    collections::{HashMap, HashSet},
    pin::pin,
    sync::Arc,
};

use futures::{FutureExt, StreamExt, stream};

use super::{
    image::{Fault, open},
    keywords::{describe, fingerprint},
};
use crate::{
    fits::{File, Hdu, Wcs},
    objects::{Found, ObjectsError, Sources, is_gzip},
    settings::KeywordSettings,
    sky::{Cap, Footprint, Position},
    store::{CollectionId, Image, ImageHdu, ImageId, NewImage, Store, StoreError, Version},
    uws::Timestamp,
};

/// Files that are looked up and written together.
const BATCH: usize = 256;
/// Images of the catalogue that are looked at together.
const PAGE: u64 = 10_000;
/// Files whose headers are read at once.
const AT_ONCE: usize = 16;
/// Longest name of a collection.
const LONGEST_NAME: usize = 64;

/// What came of an ingest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Images that the catalogue now has of what was looked at.
    pub images: u64,
    /// How many of them had been read before and are the same.
    pub unchanged: u64,
    /// Files that are no images or could not be read.
    pub unreadable: u64,
    /// Images that were dropped, since they are no more.
    pub gone: u64,
    /// Images of those read now that no position finds, or not on all of their HDUs, for want of coordinates.
    pub placeless: u64,
}

/// Told as an ingest goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// So far.
    Counts(Counts),
    /// A file that could not be read.
    Unreadable {
        /// Where it is.
        url: String,
        /// Why not.
        why: String,
    },
    /// An image without coordinates, or with some that cannot be used.
    Placeless {
        /// Where it is.
        url: String,
        /// What is wrong with them.
        why: String,
    },
    /// Images that were not found below a URL stay, since they may still be there.
    Kept {
        /// The URL.
        url: String,
        /// Why that is not certain.
        why: String,
    },
}

/// Why an ingest stopped.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// A name that no collection may have.
    #[error(
        "collection name {0:?}: expected 1 to 64 letters, digits, '.', '_' or '-', the first a letter or digit"
    )]
    Name(String),
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads the images below `urls` into `collection`, which is made with its first image. Again is an update: images are
/// known by their path below the URL; one of the same URL, entity tag and size is not read, and those of before below a
/// folder that has them no more are dropped. They stay if a folder could not be looked at, or if there is none at all: so
/// looks a disk that is not there. Of a link that leads nowhere what was behind it stays.
pub async fn ingest(
    store: &Store,
    sources: &Arc<Sources>,
    collection: &str,
    keywords: KeywordSettings,
    urls: &[String],
    mut tell: impl FnMut(Progress) + Send,
) -> Result<Counts, IngestError> {
    check_name(collection)?;
    let known = store.collection(collection).await?;
    let mut ingest = Ingest {
        store,
        sources,
        name: collection,
        reading: Arc::new(Reading {
            described: fingerprint(&keywords),
            keywords,
        }),
        known,
        counts: Counts::default(),
        seen: HashMap::new(),
    };
    let before = match known {
        Some(known) => store.newest_image(known).await?.map(|newest| (known, newest)),
        None => None,
    };
    // Of a long list of files several are looked up, and read, at once.
    let finding = stream::iter(urls).map(|root| async move { (root.as_str(), sources.find(root).await) });
    let found = finding.buffered(AT_ONCE).flat_map(|(root, found)| {
        let items = found.map(move |item| (root, Some(item)));
        items.chain(stream::iter([(root, None)]))
    });
    let mut batches = pin!(found.ready_chunks(BATCH));
    let mut roots: HashMap<&str, Root> = HashMap::new();
    while let Some(batch) = batches.next().await {
        let (mut found, mut ended) = (Vec::with_capacity(batch.len()), Vec::new());
        for (root, item) in batch {
            match item {
                Some(Ok(item)) => {
                    roots.entry(root).or_default().there.insert(item.url.clone());
                    found.push((root, item));
                }
                Some(Err((url, error))) => {
                    let looked_at = roots.entry(root).or_default();
                    // What is not there is not hidden either.
                    if !matches!(error, ObjectsError::NotFound) {
                        looked_at.hidden.get_or_insert_with(|| url.clone());
                    }
                    ingest.unreadable(url, error.to_string(), &mut tell);
                }
                None => ended.push(root),
            }
        }
        ingest.batch(found, &mut tell).await?;
        tell(Progress::Counts(ingest.counts));
        for root in ended {
            let looked_at = roots.remove(root).unwrap_or_default();
            let (Some((known, newest)), Some(below)) = (before, sources.below(root).await) else {
                continue;
            };
            // A file has nothing below it.
            if looked_at.there.iter().any(|url| !url.starts_with(&below)) {
                continue;
            }
            match looked_at.doubt() {
                None => {
                    let gone = |url: &str| url.starts_with(&below) && !looked_at.there.contains(url);
                    ingest.drop_gone(known, newest, gone).await?;
                }
                Some(why) => tell(Progress::Kept {
                    url: root.to_owned(),
                    why,
                }),
            }
        }
    }
    Ok(ingest.counts)
}

/// Letters, digits, `.`, `_`, `-`: the name is the first part of an image's ID.
fn check_name(name: &str) -> Result<(), IngestError> {
    let fits = (1..=LONGEST_NAME).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        && name.starts_with(|first: char| first.is_ascii_alphanumeric());
    if fits {
        Ok(())
    } else {
        Err(IngestError::Name(name.chars().take(LONGEST_NAME).collect()))
    }
}

/// What was found of a URL.
#[derive(Default)]
struct Root {
    /// URLs of its files.
    there: HashSet<String>,
    /// The first that could not be looked at.
    hidden: Option<String>,
}

impl Root {
    /// Why images that were not found may still be there.
    fn doubt(&self) -> Option<String> {
        match &self.hidden {
            Some(url) => Some(format!("{url} could not be looked at")),
            None => self.there.is_empty().then(|| "no image was found".to_owned()),
        }
    }
}

/// How headers are read.
struct Reading {
    keywords: KeywordSettings,
    described: i64,
}

struct Ingest<'a> {
    store: &'a Store,
    sources: &'a Arc<Sources>,
    name: &'a str,
    reading: Arc<Reading>,
    known: Option<CollectionId>,
    counts: Counts,
    /// URL of each path of this ingest: two files of one path are not the same image.
    seen: HashMap<String, String>,
}

impl Ingest<'_> {
    async fn batch(
        &mut self,
        found: Vec<(&str, Found)>,
        tell: &mut (impl FnMut(Progress) + Send),
    ) -> Result<(), IngestError> {
        let mut fresh = Vec::new();
        for (root, file) in found {
            match self.seen.get(&file.path) {
                None => {
                    self.seen.insert(file.path.clone(), file.url.clone());
                    fresh.push((root, file));
                }
                Some(other) if *other == file.url => {}
                Some(other) => {
                    let why = format!("the collection has its path {:?} from {other}", file.path);
                    self.unreadable(file.url, why, tell);
                }
            }
        }
        let mut versions = HashMap::new();
        if let Some(known) = self.known {
            let paths: Vec<String> = fresh.iter().map(|(_, file)| file.path.clone()).collect();
            versions = self.store.image_versions(known, &paths).await?;
        }
        let reading = Arc::clone(&self.reading);
        let reads = fresh.into_iter().map(|(root, file)| {
            let sources = Arc::clone(self.sources);
            let version = versions.remove(&file.path);
            let reading = tokio::spawn(read(sources, Arc::clone(&reading), file, version));
            reading.map(move |read| (root, read))
        });
        let mut reads = stream::iter(reads).buffer_unordered(AT_ONCE);
        let mut images = Vec::new();
        let mut roots = Vec::new();
        while let Some((root, read)) = reads.next().await {
            match read {
                Ok(Read::Image(image)) => {
                    if let Some(why) = problem(&image.image) {
                        self.counts.placeless += 1;
                        let url = image.image.url.clone();
                        tell(Progress::Placeless { url, why });
                    }
                    images.push(*image);
                    roots.push(root);
                }
                Ok(Read::Unchanged) => {
                    self.counts.images += 1;
                    self.counts.unchanged += 1;
                }
                Ok(Read::Unreadable { url, why }) => self.unreadable(url, why, tell),
                Err(error) => self.unreadable(root.to_owned(), error.to_string(), tell),
            }
        }
        roots.sort_unstable();
        roots.dedup();
        for root in roots {
            self.known = Some(self.store.ensure_collection(self.name, root).await?);
        }
        if let (Some(collection), false) = (self.known, images.is_empty()) {
            self.store.put_images(collection, &images).await?;
            self.counts.images += images.len() as u64;
        }
        Ok(())
    }

    /// Drops images up to `newest` that are `missing`. Later ones are another ingest's, which may have seen more.
    async fn drop_gone(
        &mut self,
        collection: CollectionId,
        newest: ImageId,
        missing: impl Fn(&str) -> bool,
    ) -> Result<(), IngestError> {
        let mut after = None;
        loop {
            let page = self.store.image_urls(collection, after, newest, PAGE).await?;
            let Some((last, _)) = page.last() else {
                return Ok(());
            };
            after = Some(*last);
            let mut gone = Vec::new();
            for (id, url) in page.iter().filter(|(_, url)| missing(url)) {
                if self.sources.is_gone(url).await {
                    gone.push(*id);
                }
            }
            self.counts.gone += self.store.remove_images(&gone).await?;
        }
    }

    fn unreadable(&mut self, url: String, why: String, tell: &mut (impl FnMut(Progress) + Send)) {
        self.counts.unreadable += 1;
        tell(Progress::Unreadable { url, why });
    }
}

enum Read {
    Image(Box<NewImage>),
    Unchanged,
    Unreadable { url: String, why: String },
}

async fn read(sources: Arc<Sources>, reading: Arc<Reading>, file: Found, version: Option<Version>) -> Read {
    // What was read by other keywords is not known.
    let version = version.filter(|version| version.described == reading.described);
    if same(version.as_ref(), &file, file.etag.as_deref()) {
        return Read::Unchanged;
    }
    let opened = match open(&sources, &file.url).await {
        Ok(opened) => opened,
        Err(Fault { message, .. }) => {
            return Read::Unreadable {
                url: file.url,
                why: message,
            };
        }
    };
    let url = file.url.clone();
    // Not every store lists tags, but each gives one with the file.
    if same(version.as_ref(), &file, opened.etag()) {
        return Read::Unchanged;
    }
    // Coordinates of many extensions take a while.
    let described = tokio::task::spawn_blocking(move || (new_image(&reading, &file, &opened), file));
    let Ok((image, file)) = described.await else {
        return Read::Unreadable {
            url,
            why: "its headers could not be understood".into(),
        };
    };
    match image {
        Some(image) => Read::Image(Box::new(image)),
        None => Read::Unreadable {
            url: file.url,
            why: "it holds no image".into(),
        },
    }
}

/// Without a tag nothing is known to be the same.
fn same(version: Option<&Version>, file: &Found, etag: Option<&str>) -> bool {
    version.is_some_and(|version| {
        etag.is_some()
            && version.etag.as_deref() == etag
            // That of what it is inflated to is not known before.
            && (version.size == file.size || is_gzip(&file.url))
            && version.url == file.url
    })
}

/// What the headers of a file say of it, and where it lies; `None` if it holds no image.
fn new_image(reading: &Reading, found: &Found, file: &File) -> Option<NewImage> {
    let images: Vec<&Hdu> = file.hdus().iter().filter(|hdu| hdu.is_image()).collect();
    let first = images.first()?;
    let mut cap: Option<Cap> = None;
    let mut place = Place::default();
    let hdus = images
        .iter()
        .map(|hdu| {
            let (wcs, problem) = match hdu.wcs() {
                Ok(wcs) => (wcs, None),
                Err(error) => (None, Some(error.to_string())),
            };
            if let Some(wcs) = wcs {
                place.add(wcs);
            }
            let own = wcs.map(Wcs::cap);
            cap = match (cap, own) {
                (Some(all), Some(own)) => Some(around(all, own)),
                (all, own) => all.or(own),
            };
            ImageHdu {
                number: hdu.number(),
                name: hdu.name().map(str::to_owned),
                shape: hdu.shape().to_vec(),
                bitpix: hdu.bitpix().code(),
                compressed: hdu.kind() == crate::fits::Kind::Compressed,
                cap: own.map(|cap| [cap.centre.ra, cap.centre.dec, cap.radius]),
                wcs_problem: problem,
            }
        })
        .collect();
    let described = describe(&reading.keywords, &found.path, file, first);
    let [t_min, t_max] = described.mjd();
    let [date_beg, date_end] = described.dates();
    let image = Image {
        path: found.path.clone(),
        url: found.url.clone(),
        size: file.size(),
        etag: file.etag().map(str::to_owned),
        modified: found
            .modified
            .and_then(|modified| Timestamp::from_millis(modified.timestamp_millis())),
        band: described.band,
        obs: described.obs,
        product_type: described.product_type,
        field: described.field,
        date_beg,
        date_end,
        hdus,
        cap,
        em_min: described.wavelengths.map(|range| range[0]),
        em_max: described.wavelengths.map(|range| range[1]),
        t_min,
        t_max,
        exposure: described.exposure,
        pol_states: described.pol_states,
        s_region: place.region,
        target: described.target,
        facility: described.facility,
        instrument: described.instrument,
        calib_level: Some(described.calib_level),
        pixel_scale: place.scale,
    };
    let footprint = match place.footprint {
        Some(footprint) => footprint,
        None => image.footprint_by_cap(),
    };
    Some(NewImage {
        image,
        footprint,
        described: reading.described,
    })
}

/// Why positions do not find all of an image.
fn problem(image: &Image) -> Option<String> {
    let mut problems = image.hdus.iter().filter_map(|hdu| hdu.wcs_problem.as_ref());
    match problems.next() {
        Some(problem) => Some(problem.clone()),
        None => image
            .cap
            .is_none()
            .then(|| "it has no celestial coordinates".to_owned()),
    }
}

/// Where the HDUs of a file lie.
#[derive(Default)]
struct Place {
    footprint: Option<Footprint>,
    /// Of the first.
    region: Option<String>,
    /// Of the first, deg.
    scale: Option<f64>,
    /// Of the last.
    last: Option<([u64; 2], [Option<Position>; 4])>,
}

impl Place {
    fn add(&mut self, wcs: &Wcs) {
        let outline = (wcs.shape(), wcs.corners());
        // Weights and masks lie where their image does.
        if outline.1.iter().all(Option::is_some) && self.last.replace(outline) == Some(outline) {
            return;
        }
        let own = Footprint::of_image(wcs.shape(), |pixel| wcs.to_sky(pixel));
        let all = self.footprint.take().map(|all| all.or(&own));
        if all.is_none() {
            self.region = Some(region(wcs));
            let middle = wcs.shape().map(|side| side as f64 / 2.0 + 0.5);
            self.scale = wcs.scale(middle).map(|[width, height]| width.min(height));
        }
        self.footprint = all.or(Some(own));
    }
}

/// `s_region` of `ObsCore`: the corners, counter-clockwise as seen from here; a circle if they do not bound it.
fn region(wcs: &Wcs) -> String {
    let cap = wcs.cap();
    let mut corners: Vec<Position> = wcs.corners().into_iter().flatten().collect();
    if corners.len() < 4 || cap.radius >= 80.0 {
        return format!("CIRCLE ICRS {} {} {}", cap.centre.ra, cap.centre.dec, cap.radius);
    }
    let [a, b, c] = [0, 1, 2].map(|corner| corners[corner].unit());
    let outwards = a[0] * (b[1] * c[2] - b[2] * c[1])
        + a[1] * (b[2] * c[0] - b[0] * c[2])
        + a[2] * (b[0] * c[1] - b[1] * c[0]);
    if outwards > 0.0 {
        corners.reverse();
    }
    corners.iter().fold(String::from("POLYGON ICRS"), |text, corner| {
        format!("{text} {} {}", corner.ra, corner.dec)
    })
}

/// A cap that holds two: the larger one, widened.
fn around(a: Cap, b: Cap) -> Cap {
    let (large, small) = if a.radius >= b.radius { (a, b) } else { (b, a) };
    let reach = large.centre.separation(small.centre) + small.radius;
    Cap {
        centre: large.centre,
        radius: large.radius.max(reach).min(180.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_collections_are_words() {
        for name in ["m13", "SPT-3G_2020.1", "0"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", "a/b", ".a", "a b", "é", &"x".repeat(65)] {
            assert!(matches!(check_name(name), Err(IngestError::Name(_))), "{name}");
        }
    }

    #[test]
    fn a_cap_around_two_holds_both() {
        let cap = |ra, radius| Cap {
            centre: Position { ra, dec: 0.0 },
            radius,
        };
        let all = around(cap(359.5, 0.5), cap(0.5, 1.0));
        assert!((all.centre.ra - 0.5).abs() < 1e-12 && (all.radius - 1.5).abs() < 1e-9);
        assert_eq!(around(cap(10.0, 2.0), cap(10.5, 0.5)), cap(10.0, 2.0));
    }
}
