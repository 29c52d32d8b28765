//! From positions to images: what the catalogue has of what a job asks for, and which positions may lie on which image.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::{
    limits::MAX_PAIRS,
    list::{List, Row},
    parameters::Request,
};
use crate::{
    engine::UsageError,
    sky::{Cap, Length, Shape, Size},
    store::{Catalogued, CollectionId, Image, ImageFilter, Store, StoreError},
};

/// Images of a page of the catalogue.
const PAGE: u64 = 2_000;
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
        if !faults.is_empty() {
            return Ok(Err(faults));
        }
        let filter = ImageFilter {
            collections,
            bands: request.bands.clone(),
            types: request.types.clone(),
            tags: request.tags.clone(),
            from: request.from,
            to: request.to,
        };
        let images = (!request.ids.is_empty()).then_some(images);
        Ok(Ok(Selection {
            filter,
            names,
            images,
        }))
    }

    /// Which of the positions may lie on which image: by its bounding cap, which is never too small, or all of them if
    /// the image was asked for by name or its coordinates cannot be used.
    pub async fn plan(self, store: &Store, request: &Request) -> Result<Plan, PlanError> {
        let positions = Positions::new(&request.list, request.size);
        let mut plan = Plan::default();
        let mut pairs = 0;
        if let Some(images) = &self.images {
            for found in images.iter().filter(|found| self.filter.takes(&found.image)) {
                self.add(&mut plan, &mut pairs, &positions, found)?;
                positions.pause().await;
            }
            return Ok(plan);
        }
        let mut last = None;
        loop {
            let page = store.images(&self.filter, last, PAGE).await?;
            for found in &page {
                self.add(&mut plan, &mut pairs, &positions, found)?;
                positions.pause().await;
            }
            match page.last() {
                Some(found) => last = Some(found.id),
                None => return Ok(plan),
            }
        }
    }

    fn add(
        &self,
        plan: &mut Plan,
        pairs: &mut usize,
        positions: &Positions<'_>,
        found: &Catalogued,
    ) -> Result<(), PlanError> {
        let named = self.images.is_some();
        let image = &found.image;
        plan.selected.count(image);
        let unusable = image.cap.is_none() && image.hdus.iter().any(|hdu| hdu.wcs_problem.is_some());
        let rows = match image.cap {
            Some(cap) if !named => positions.near(cap, image.coarse_scale().unwrap_or(0.0)),
            None if !named && !unusable => Vec::new(),
            _ => (0..positions.rows.len()).collect(),
        };
        let rows: Vec<usize> = rows
            .into_iter()
            .filter(|at| positions.rows[*at].takes(image))
            .collect();
        if rows.is_empty() {
            return Ok(());
        }
        *pairs += rows.len();
        if *pairs > MAX_PAIRS {
            return Err(PlanError::TooMany);
        }
        let collection = self.names.get(&found.collection).cloned().unwrap_or_default();
        plan.images.push(PlannedImage {
            collection,
            image: Arc::new(image.clone()),
            named,
            rows,
        });
        Ok(())
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
    fn takes(&self, image: &Image) -> bool {
        is_one_of(&self.bands, image.band.as_deref())
    }
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
        let band = image.band.as_deref().unwrap_or_default().to_lowercase();
        let (all, placed) = self.0.entry(band).or_default();
        *all += 1;
        *placed += usize::from(image.cap.is_some());
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

    /// The places of positions whose box may touch a cap of an image with pixels of at most `scale` degrees, ascending.
    fn near(&self, cap: Cap, scale: f64) -> Vec<usize> {
        let margin = |(degrees, pixels): (f64, f64)| degrees + pixels * scale;
        let most = cap.radius + margin(self.reach);
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
            .filter(|at| {
                let (region, reach) = self.regions[*at];
                cap.near(region.centre, margin(reach))
            })
            .collect();
        near.sort_unstable();
        near
    }
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
        Request::read(&parameters, Some(csv.as_bytes()), 1_000).unwrap()
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
        let cap = Cap {
            centre: Position { ra: 10.0, dec: 0.0 },
            radius: 1.0,
        };
        let mut asked = request("RA,DEC\n12,0\n");
        asked.size = "200px".parse().unwrap();
        let far = Positions::new(&asked.list, asked.size);
        assert_eq!(far.near(cap, 0.02), [0]);
        assert_eq!(far.near(cap, 0.001), [0; 0]);
    }
}
