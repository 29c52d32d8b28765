//! From positions to images: what the catalogue has of what a job asks for, and which positions may lie on which image.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use super::{
    keywords::names_of_types,
    limits::MAX_PAIRS,
    list::{List, Row},
    parameters::Request,
};
use crate::{
    engine::UsageError,
    sky::{Cap, Footprint, Length, Shape, Size},
    store::{Catalogued, CollectionId, Image, ImageFilter, ImageId, Store, StoreError, Word},
};

/// Images of a page of the catalogue. Collections with no more of them are read whole, which is as fast as the index
/// of their cells.
const PAGE: u64 = 2_000;
/// Positions that are looked up in the index together.
const LOOKED_UP: usize = 2_000;
/// Positions that take about as long as a task should run at a time.
const LONG_LIST: usize = 1_000;
/// Collections that an error names.
const NAMED: usize = 20;

/// What a request means in the catalogue as it is now.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Which images.
    filter: ImageFilter,
    /// Names of collections.
    names: HashMap<CollectionId, Arc<str>>,
    /// The images that were asked for by name; `None` if they are to be found by position.
    images: Option<Vec<Catalogued>>,
    /// Polarization states; empty means all.
    pols: Vec<String>,
}

/// Faults of BANDS, TYPES, TAGS and RGB: the first word of each that no image of the collections has. Where there is no
/// image at all, that is no fault of the words.
async fn unknown_words(
    store: &Store,
    collections: &[CollectionId],
    request: &Request,
) -> Result<Vec<UsageError>, StoreError> {
    let all = ImageFilter {
        collections: collections.to_vec(),
        ..ImageFilter::default()
    };
    let rgb = request.preview.rgb.as_ref().map_or(&[][..], |bands| &bands[..]);
    let asked: [(&str, Word, &[String]); 4] = [
        ("BANDS", Word::Band, &request.bands),
        ("TYPES", Word::Type, &request.types),
        ("TAGS", Word::Tag, &request.tags),
        ("RGB", Word::Band, rgb),
    ];
    let mut faults = Vec::new();
    for (name, kind, words) in asked {
        for word in words {
            let mut of_word = all.clone();
            match kind {
                Word::Band => of_word.bands.push(word.clone()),
                Word::Type => of_word.types = names_of_types(std::slice::from_ref(word)),
                Word::Tag => of_word.tags.push(word.clone()),
            }
            if !store.images(&of_word, None, 1).await?.is_empty() || !store.has_more_images(&all, 0).await? {
                continue;
            }
            let known = store.known_words(kind, collections, NAMED as u64 + 1).await?;
            let mut shown = known
                .iter()
                .take(NAMED)
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join(", ");
            if known.len() > NAMED {
                shown.push_str(", …");
            }
            let there = if known.is_empty() {
                "none has any".to_owned()
            } else {
                format!("there are {shown}")
            };
            let what = match kind {
                Word::Band => "band",
                Word::Type => "type",
                Word::Tag => "observation or coadd tag",
            };
            faults.push(UsageError::new(
                name,
                format!("no image has the {what} {word:?} ({there})"),
            ));
            break;
        }
    }
    Ok(faults)
}

/// What is to be done.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Images with the positions that may lie on them, in the order of the catalogue.
    pub images: Vec<PlannedImage>,
    /// How many images the request leaves for a position in these bands.
    selected: Tally,
}

/// An image and the positions that may lie on it.
#[derive(Debug, Clone)]
pub struct PlannedImage {
    /// Name of its collection.
    pub collection: Arc<str>,
    /// What the catalogue says of it.
    pub image: Arc<Image>,
    /// Whether the job asked for this image by name.
    pub named: bool,
    /// Places of the positions in the list.
    pub rows: Vec<usize>,
}

/// Why a plan cannot be made.
#[derive(Debug)]
pub enum PlanError {
    /// The database did not answer.
    Store(StoreError),
    /// More rows of the manifest than allowed.
    TooMany,
}

impl From<StoreError> for PlanError {
    fn from(error: StoreError) -> Self {
        PlanError::Store(error)
    }
}

impl Selection {
    /// Finds the collections and images that a request names. The inner error has each that is unknown.
    pub async fn find(
        store: &Store,
        request: &Request,
    ) -> Result<Result<Selection, Vec<UsageError>>, StoreError> {
        let all = store.collections().await?;
        let names: HashMap<CollectionId, Arc<str>> = all
            .iter()
            .map(|collection| (collection.id, collection.name.as_str().into()))
            .collect();
        let number = |name: &str| {
            all.iter()
                .find(|collection| collection.name == name)
                .map(|collection| collection.id)
        };
        let known = || {
            let mut known: Vec<&str> = all
                .iter()
                .take(NAMED)
                .map(|collection| collection.name.as_str())
                .collect();
            if all.len() > NAMED {
                known.push("…");
            }
            if known.is_empty() {
                String::from("there is none yet")
            } else {
                format!("there are {}", known.join(", "))
            }
        };
        let mut faults = Vec::new();
        let mut collections = Vec::new();
        for name in &request.collections {
            match number(name) {
                Some(id) => collections.push(id),
                None => faults.push(UsageError::new(
                    "COLLECTION",
                    format!("no collection is named {name:?} ({})", known()),
                )),
            }
        }
        let mut images = Vec::new();
        let mut seen = HashSet::new();
        for (collection, path) in &request.ids {
            let Some(id) = number(collection) else {
                faults.push(UsageError::new(
                    "ID",
                    format!("no collection is named {collection:?} ({})", known()),
                ));
                continue;
            };
            match store.image(id, path).await? {
                None => faults.push(UsageError::new(
                    "ID",
                    format!("collection {collection:?} has no image {path:?}"),
                )),
                Some(_) if !request.collections.is_empty() && !request.collections.contains(collection) => {
                    faults.push(UsageError::new(
                        "ID",
                        format!("image {path:?} is in {collection:?}, which is not one of COLLECTION"),
                    ));
                }
                Some(image) if seen.insert(image.id) => images.push(image),
                Some(_) => {}
            }
        }
        faults.extend(unknown_words(store, &collections, request).await?);
        if !faults.is_empty() {
            return Ok(Err(faults));
        }
        let filter = ImageFilter {
            collections,
            bands: request.bands.clone(),
            types: names_of_types(&request.types),
            tags: request.tags.clone(),
            from: request.from,
            to: request.to,
            ..ImageFilter::default()
        };
        let images = (!request.ids.is_empty()).then_some(images);
        Ok(Ok(Selection {
            filter,
            names,
            images,
            pols: request.pols.clone(),
        }))
    }

    /// Which of the positions may lie on which image: by its bounding cap, which is never too small, or all of them if
    /// the image was asked for by name or its coordinates cannot be used.
    ///
    /// Of collections with many images, only those are looked at whose cells of the sky meet those of a position.
    pub async fn plan(self, store: &Store, request: &Request) -> Result<Plan, PlanError> {
        let positions = Positions::new(&request.list, request.size);
        let mut found = Findings::default();
        if let Some(images) = &self.images {
            for image in images.iter().filter(|found| self.filter.takes(&found.image)) {
                found.selected.count(&image.image);
                self.add(&mut found, &positions, image, positions.all())?;
                positions.pause().await;
            }
            return Ok(found.into());
        }
        if !store.has_more_images(&self.filter, PAGE).await? {
            self.read_all(store, &self.filter, &positions, &mut found).await?;
            return Ok(found.into());
        }
        if positions.reach.1 == 0.0 {
            self.look_up(store, &self.filter, &positions, 0.0, &mut found)
                .await?;
        } else {
            // How far boxes in pixels reach is another thing for coarse maps than for fine images.
            for octave in store.scale_octaves(&self.filter.collections).await? {
                let filter = ImageFilter {
                    scale_octave: Some(octave),
                    ..self.filter.clone()
                };
                if store.has_more_images(&filter, PAGE).await? {
                    let scale = octave.map_or(0.0, |octave| f64::from(octave).exp2());
                    self.look_up(store, &filter, &positions, scale, &mut found)
                        .await?;
                } else {
                    self.read_all(store, &filter, &positions, &mut found).await?;
                }
            }
        }
        found.selected = Tally::default();
        if found.has_lonely(request.list.rows.len()) {
            for (band, images, placed) in store.count_images(&self.filter).await? {
                found
                    .selected
                    .add(band.as_deref(), images as usize, placed as usize);
            }
        } else {
            // Each position has images that are near.
            for planned in found.images.values() {
                found.selected.count(&planned.image);
            }
        }
        Ok(found.into())
    }

    /// Looks at every image that the filter takes.
    async fn read_all(
        &self,
        store: &Store,
        filter: &ImageFilter,
        positions: &Positions<'_>,
        found: &mut Findings,
    ) -> Result<(), PlanError> {
        let mut last = None;
        loop {
            let page = store.images(filter, last, PAGE).await?;
            for image in &page {
                found.selected.count(&image.image);
                let near = positions.near(image);
                self.add(found, positions, image, near)?;
                positions.pause().await;
            }
            match page.last() {
                Some(image) => last = Some(image.id),
                None => return Ok(()),
            }
        }
    }

    /// Looks at the images that the index of cells has for the positions. No pixel is wider than `scale` degrees.
    async fn look_up(
        &self,
        store: &Store,
        filter: &ImageFilter,
        positions: &Positions<'_>,
        scale: f64,
        found: &mut Findings,
    ) -> Result<(), PlanError> {
        for from in (0..positions.rows.len()).step_by(LOOKED_UP) {
            let to = (from + LOOKED_UP).min(positions.rows.len());
            let mut footprints = Vec::with_capacity(to - from);
            for at in from..to {
                footprints.push(positions.footprint(at, scale));
                tokio::task::coop::consume_budget().await;
            }
            let met = store.images_at(filter, &footprints).await?;
            let mut images = met.images();
            loop {
                let page: BTreeMap<ImageId, Vec<usize>> = images.by_ref().take(PAGE as usize).collect();
                if page.is_empty() {
                    break;
                }
                let ids: Vec<ImageId> = page.keys().copied().collect();
                for image in store.images_of(&ids).await? {
                    let places = page.get(&image.id).into_iter().flatten();
                    let near = positions.touching(&image, places.map(|place| from + place));
                    self.add(found, positions, &image, near)?;
                    positions.pause().await;
                }
            }
        }
        Ok(())
    }

    fn add(
        &self,
        found: &mut Findings,
        positions: &Positions<'_>,
        image: &Catalogued,
        rows: Vec<usize>,
    ) -> Result<(), PlanError> {
        let named = self.images.is_some();
        let mut rows = rows;
        rows.retain(|at| {
            positions.rows[*at].takes(&image.image, named) && takes_pols(&self.pols, &image.image, named)
        });
        if rows.is_empty() {
            return Ok(());
        }
        found.pairs += rows.len();
        if found.pairs > MAX_PAIRS {
            return Err(PlanError::TooMany);
        }
        let collection = self.names.get(&image.collection).cloned().unwrap_or_default();
        let planned = found.images.entry(image.id).or_insert_with(|| PlannedImage {
            collection,
            image: Arc::new(image.image.clone()),
            named,
            rows: Vec::new(),
        });
        planned.rows.extend(rows);
        Ok(())
    }
}

/// What a search has found so far.
#[derive(Default)]
struct Findings {
    images: BTreeMap<ImageId, PlannedImage>,
    pairs: usize,
    selected: Tally,
}

impl Findings {
    /// Whether one of so many positions has no image.
    fn has_lonely(&self, positions: usize) -> bool {
        let met: HashSet<usize> = self
            .images
            .values()
            .flat_map(|image| image.rows.iter().copied())
            .collect();
        met.len() < positions
    }
}

impl From<Findings> for Plan {
    fn from(found: Findings) -> Plan {
        Plan {
            images: found.images.into_values().collect(),
            selected: found.selected,
        }
    }
}

impl Plan {
    /// Pairs of position and image.
    pub fn pairs(&self) -> usize {
        self.images.iter().map(|image| image.rows.len()).sum()
    }

    /// How many images the request leaves for a row, and how many of them have coordinates.
    pub fn selected(&self, row: &Row) -> (usize, usize) {
        self.selected.of(row)
    }
}

impl Row {
    /// Whether an image is of the bands, wavelengths and times asked for. Of an image that was named and of which the
    /// catalogue does not know, its axes will tell.
    fn takes(&self, image: &Image, named: bool) -> bool {
        let overlaps = |asked: Option<[f64; 2]>, least: Option<f64>, most: Option<f64>| match asked {
            None => true,
            Some([from, to]) => match (least.or(most), most.or(least)) {
                (Some(least), Some(most)) => least <= to && from <= most,
                _ => named,
            },
        };
        is_one_of(&self.bands, image.band.as_deref())
            && overlaps(self.band_range, image.em_min, image.em_max)
            && overlaps(self.time_range, image.t_min, image.t_max)
    }
}

/// Whether an image has any of these polarization states; of a named one see [`Row::takes`].
fn takes_pols(pols: &[String], image: &Image, named: bool) -> bool {
    pols.is_empty()
        || image.pol_states.as_ref().map_or(named, |states| {
            states
                .split('/')
                .any(|state| pols.iter().any(|pol| pol.eq_ignore_ascii_case(state)))
        })
}

impl ImageFilter {
    /// What [`Store::images`] asks the database, of one image.
    fn takes(&self, image: &Image) -> bool {
        let begun = image.date_beg.or(image.date_end);
        let over = image.date_end.or(image.date_beg);
        is_one_of(&self.bands, image.band.as_deref())
            && is_one_of(&self.types, image.product_type.as_deref())
            && is_one_of(&self.tags, image.obs.as_deref())
            && self.from.is_none_or(|from| over.is_some_and(|over| over >= from))
            && self.to.is_none_or(|to| begun.is_some_and(|begun| begun <= to))
    }
}

fn is_one_of(words: &[String], value: Option<&str>) -> bool {
    words.is_empty()
        || value.is_some_and(|value| {
            words
                .iter()
                .any(|word| word.to_lowercase() == value.to_lowercase())
        })
}

/// How many images there are, by band.
#[derive(Debug, Clone, Default)]
struct Tally(HashMap<String, (usize, usize)>);

impl Tally {
    fn count(&mut self, image: &Image) {
        self.add(image.band.as_deref(), 1, usize::from(image.cap.is_some()));
    }

    fn add(&mut self, band: Option<&str>, images: usize, with_coordinates: usize) {
        let band = band.unwrap_or_default().to_lowercase();
        let (all, placed) = self.0.entry(band).or_default();
        *all += images;
        *placed += with_coordinates;
    }

    fn of(&self, row: &Row) -> (usize, usize) {
        let matching = self
            .0
            .iter()
            .filter(|(band, _)| is_one_of(&row.bands, Some(band)));
        matching.fold((0, 0), |sum, (_, count)| (sum.0 + count.0, sum.1 + count.1))
    }
}

/// The positions, by declination, so that an image looks only at a band of them.
struct Positions<'a> {
    rows: &'a [Row],
    /// Declination and place in `rows`.
    sorted: Vec<(f64, usize)>,
    /// Middle, and how far around it a row reaches, in degrees and pixels.
    regions: Vec<(Cap, (f64, f64))>,
    /// The largest box on the sky and in pixels.
    reach: (f64, f64),
}

impl<'a> Positions<'a> {
    fn new(list: &'a List, size: Size) -> Self {
        let mut sorted: Vec<_> = list
            .rows
            .iter()
            .enumerate()
            .map(|(at, row)| (row.shape.cap().centre.dec, at))
            .collect();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        let regions: Vec<(Cap, (f64, f64))> = list
            .rows
            .iter()
            .map(|row| {
                let cap = row.shape.cap();
                match row.shape {
                    Shape::Point(_) => (cap, reach(row.size.unwrap_or(size))),
                    _ => (cap, (cap.radius, 0.0)),
                }
            })
            .collect();
        let reach = regions
            .iter()
            .map(|(_, reach)| *reach)
            .fold((0.0_f64, 0.0_f64), |most, one| {
                (most.0.max(one.0), most.1.max(one.1))
            });
        Positions {
            rows: &list.rows,
            sorted,
            regions,
            reach,
        }
    }

    /// Lets other work go on after an image, which takes as long as the list is.
    async fn pause(&self) {
        if self.rows.len() > LONG_LIST {
            tokio::task::yield_now().await;
        } else {
            tokio::task::coop::consume_budget().await;
        }
    }

    /// The places of all positions.
    fn all(&self) -> Vec<usize> {
        (0..self.rows.len()).collect()
    }

    /// Where images are looked for that a row may touch, if no pixel is wider than `scale` degrees.
    fn footprint(&self, at: usize, scale: f64) -> Footprint {
        if let Shape::Polygon { vertices } = &self.rows[at].shape {
            return Footprint::of_polygon(vertices);
        }
        let (region, (degrees, pixels)) = self.regions[at];
        Footprint::of_circle(region.centre, degrees + pixels * scale)
    }

    /// The places of positions whose box may touch an image, ascending: by the image's cap, or all of them if its
    /// coordinates cannot be used.
    fn near(&self, found: &Catalogued) -> Vec<usize> {
        let image = &found.image;
        let Some(cap) = image.cap else {
            return if is_unusable(image) {
                self.all()
            } else {
                Vec::new()
            };
        };
        let most = cap.radius + margin(self.reach, image);
        let (south, north) = (cap.centre.dec - most, cap.centre.dec + most);
        let whole = cap.radius >= 180.0;
        let from = if whole {
            0
        } else {
            self.sorted.partition_point(|(dec, _)| *dec < south)
        };
        let mut near: Vec<usize> = self.sorted[from..]
            .iter()
            .take_while(|(dec, _)| whole || *dec <= north)
            .map(|(_, at)| *at)
            .filter(|at| self.touches(*at, image, cap))
            .collect();
        near.sort_unstable();
        near
    }

    /// Those of some places whose box may touch an image, likewise.
    fn touching(&self, found: &Catalogued, places: impl Iterator<Item = usize>) -> Vec<usize> {
        let image = &found.image;
        match image.cap {
            Some(cap) => places.filter(|at| self.touches(*at, image, cap)).collect(),
            None if is_unusable(image) => places.collect(),
            None => Vec::new(),
        }
    }

    fn touches(&self, at: usize, image: &Image, cap: Cap) -> bool {
        let (region, reach) = self.regions[at];
        cap.near(region.centre, margin(reach, image))
    }
}

/// Whether an image has coordinates, but none that can be used.
fn is_unusable(image: &Image) -> bool {
    image.cap.is_none() && image.hdus.iter().any(|hdu| hdu.wcs_problem.is_some())
}

/// How far a box of so many degrees and pixels reaches on an image, in degrees.
fn margin((degrees, pixels): (f64, f64), image: &Image) -> f64 {
    degrees + pixels * image.coarse_scale().unwrap_or(0.0)
}

/// The diagonal of a box, in degrees and pixels: farther from its middle nothing of it lies.
fn reach(size: Size) -> (f64, f64) {
    let parts = |length| match length {
        Length::Degrees(degrees) => (degrees, 0.0),
        Length::Pixels(pixels) => (0.0, f64::from(pixels)),
    };
    let (width, height) = (parts(size.width), parts(size.height));
    (width.0 + height.0, width.1 + height.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        sky::Position,
        store::{ImageHdu, NewImage},
    };

    fn image(path: &str, band: Option<&str>, cap: Option<(f64, f64, f64)>) -> Image {
        let cap = cap.map(|(ra, dec, radius)| Cap {
            centre: Position { ra, dec },
            radius,
        });
        Image {
            path: path.into(),
            url: format!("file:///{path}"),
            size: 2_880,
            band: band.map(str::to_owned),
            hdus: vec![ImageHdu {
                number: 0,
                name: None,
                shape: vec![100, 100],
                bitpix: -32,
                compressed: false,
                cap: cap.map(|cap| [cap.centre.ra, cap.centre.dec, cap.radius]),
                wcs_problem: None,
            }],
            cap,
            ..Image::default()
        }
    }

    fn request(csv: &str) -> Request {
        let parameters = crate::uws::Parameters::default();
        Request::read(&parameters, Some((csv.as_bytes(), "")), 1_000).unwrap()
    }

    async fn catalogue(images: &[Image]) -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite://{}/test.db", folder.path().display()))
            .await
            .unwrap();
        store.migrate().await.unwrap();
        let maps = store.ensure_collection("maps", "x").await.unwrap();
        let images: Vec<NewImage> = images.iter().cloned().map(NewImage::from).collect();
        store.put_images(maps, &images).await.unwrap();
        (folder, store)
    }

    async fn plan(store: &Store, request: &Request) -> Plan {
        let selection = Selection::find(store, request).await.unwrap().unwrap();
        selection.plan(store, request).await.unwrap()
    }

    fn pairs(plan: &Plan) -> Vec<(&str, &[usize])> {
        plan.images
            .iter()
            .map(|planned| (planned.image.path.as_str(), &planned.rows[..]))
            .collect()
    }

    #[tokio::test]
    async fn positions_meet_the_images_that_they_may_lie_on() {
        let broken = {
            let mut broken = image("broken", None, None);
            broken.hdus[0].wcs_problem = Some("singular".into());
            broken
        };
        let images = [
            image("origin", Some("90GHz"), Some((0.0, 0.0, 1.0))),
            image("pole", Some("150GHz"), Some((12.0, 89.5, 1.0))),
            image("spectrum", None, None),
            broken,
        ];
        let (_folder, store) = catalogue(&images).await;
        let request = request("RA,DEC,BANDS\n359.5,0,\n200,89.9,\n0,0.2,150ghz\n1.05,0,\n100,-45,\n");
        let plan = plan(&store, &request).await;
        assert_eq!(
            pairs(&plan),
            [("origin", &[0, 3][..]), ("pole", &[1]), ("broken", &[0, 1, 3, 4])]
        );
        let counts: Vec<_> = request.list.rows.iter().map(|row| plan.selected(row)).collect();
        assert_eq!(counts, [(4, 2), (4, 2), (1, 1), (4, 2), (4, 2)]);
    }

    #[tokio::test]
    async fn images_asked_for_by_name_meet_every_position() {
        let images = [
            image("a/b.fits", Some("90GHz"), Some((0.0, 0.0, 1.0))),
            image("c.fits", None, None),
        ];
        let (_folder, store) = catalogue(&images).await;
        let mut by_name = request("RA,DEC\n0,0\n180,0\n");
        by_name.ids = vec![
            ("maps".into(), "a/b.fits".into()),
            ("maps".into(), "a/b.fits".into()),
            ("maps".into(), "c.fits".into()),
        ];
        assert_eq!(
            pairs(&plan(&store, &by_name).await),
            [("a/b.fits", &[0, 1][..]), ("c.fits", &[0, 1])]
        );
        by_name.bands = vec!["90ghz".into()];
        assert_eq!(pairs(&plan(&store, &by_name).await), [("a/b.fits", &[0, 1][..])]);
    }

    #[tokio::test]
    async fn other_work_goes_on_between_images() {
        let images = [image("a", None, None), image("b", None, None)];
        let (_folder, store) = catalogue(&images).await;
        let mut long = request("RA,DEC\n0,0\n");
        long.list.rows = vec![long.list.rows[0].clone(); LONG_LIST + 1];
        long.ids = ["a", "b"].map(|path| ("maps".into(), path.into())).into();
        let selection = Selection::find(&store, &long).await.unwrap().unwrap();
        // By name nothing is asked of the database that would let others go on.
        let mut plan = Box::pin(selection.plan(&store, &long));
        assert!(futures::poll!(&mut plan).is_pending());
        assert_eq!(plan.await.unwrap().pairs(), 2 * (LONG_LIST + 1));
    }

    #[tokio::test]
    async fn what_is_unknown_is_named() {
        let (_folder, store) = catalogue(&[image("a.fits", None, None)]).await;
        let mut unknown = request("RA,DEC\n0,0\n");
        unknown.collections = vec!["mops".into()];
        unknown.ids = vec![
            ("maps".into(), "b.fits".into()),
            ("x".into(), "a.fits".into()),
            ("maps".into(), "a.fits".into()),
        ];
        let faults = Selection::find(&store, &unknown).await.unwrap().unwrap_err();
        let shown: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(shown.len(), 4, "{shown:?}");
        assert!(
            shown[0].starts_with("COLLECTION") && shown[0].contains("mops") && shown[0].contains("maps"),
            "{shown:?}"
        );
        assert!(
            shown[1].starts_with("ID") && shown[1].contains("b.fits"),
            "{shown:?}"
        );
        assert!(shown[2].contains("\"x\""), "{shown:?}");
        assert!(shown[3].contains("not one of COLLECTION"), "{shown:?}");
    }

    #[test]
    fn boxes_in_pixels_reach_as_far_as_their_image_has_pixels() {
        let mut asked = request("RA,DEC\n12,0\n");
        asked.size = "200px".parse().unwrap();
        let far = Positions::new(&asked.list, asked.size);
        let shown = |side: u64| {
            let mut image = image("a", None, Some((10.0, 0.0, 1.0)));
            image.hdus[0].shape = vec![side, side];
            image
        };
        let touches = |image: &Image| far.touches(0, image, image.cap.unwrap());
        assert!(touches(&shown(100)) && !touches(&shown(2_000)));
    }

    /// The index finds what looking at every image does, wherever images and positions are.
    #[tokio::test]
    async fn the_index_finds_what_reading_all_does() {
        let mut images = vec![
            image("sky", None, Some((0.0, 0.0, 180.0))),
            image("pole", Some("150GHz"), Some((12.0, 89.5, 1.0))),
            image("spectrum", None, None),
        ];
        for n in 0..400 {
            let n = f64::from(n);
            let (ra, dec) = ((n * 137.508) % 360.0, (n / 200.0 - 1.0).asin().to_degrees());
            let band = if n % 2.0 == 0.0 { "90GHz" } else { "150GHz" };
            images.push(image(&format!("{n}"), Some(band), Some((ra, dec, 0.3 + n % 7.0))));
        }
        let mut broken = image("broken", None, None);
        broken.hdus[0].wcs_problem = Some("singular".into());
        images.push(broken);
        let (_folder, store) = catalogue(&images).await;
        let list: Vec<String> = (0..150)
            .map(|n| {
                format!(
                    "{},{},{}",
                    f64::from(n) * 2.4,
                    f64::from(n) * 1.2 - 89.0,
                    n % 50 + 1
                )
            })
            .collect();
        let list = format!(
            "RA,DEC,XSIZE\n0,90,\n0,-90,\n359.99,0,600\n0.01,0,\n{}\n",
            list.join("\n")
        );
        for size in ["10", "30px", "2deg"] {
            let mut request = request(&list);
            request.size = size.parse().unwrap();
            let positions = Positions::new(&request.list, request.size);
            let selection = Selection::find(&store, &request).await.unwrap().unwrap();
            let (mut read, mut looked_up) = (Findings::default(), Findings::default());
            let filter = ImageFilter::default();
            selection
                .read_all(&store, &filter, &positions, &mut read)
                .await
                .unwrap();
            for octave in store.scale_octaves(&[]).await.unwrap() {
                let filter = ImageFilter {
                    scale_octave: Some(octave),
                    ..ImageFilter::default()
                };
                let scale = octave.map_or(0.0, |octave| f64::from(octave).exp2());
                selection
                    .look_up(&store, &filter, &positions, scale, &mut looked_up)
                    .await
                    .unwrap();
            }
            let [read, looked_up] = [read, looked_up].map(Plan::from);
            assert!(read.pairs() > 350, "{}", read.pairs());
            assert_eq!(pairs(&looked_up), pairs(&read), "{size}");
        }
    }
}
