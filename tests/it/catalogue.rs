//! The catalogue's promises, in both dialects.

use sidereal::{
    sky::{Cap, Footprint, Position},
    store::{CollectionId, Image, ImageFilter, ImageHdu, NewImage, Store},
};

use sqlx::{Connection, PgConnection};

use crate::{
    harness::{self, Backend, on_both_back_ends},
    store::Home,
};

on_both_back_ends!(
    images_are_replaced_by_path_and_found_by_it,
    images_are_chosen_by_what_their_headers_say,
    many_images_go_in_at_once,
    positions_find_their_images_by_the_index,
    images_are_chosen_by_wavelength_time_and_polarization,
    images_of_before_the_index_are_found_by_their_caps,
);

fn image(path: &str, band: &str, obs: &str, dates: Option<(&str, &str)>) -> Image {
    Image {
        path: path.into(),
        url: format!("file:///maps/{path}"),
        size: 2_880,
        etag: Some("\"1\"".into()),
        modified: Some("2026-01-02".parse().unwrap()),
        band: Some(band.into()),
        obs: Some(obs.into()),
        product_type: None,
        field: Some("ra0hdec-59.75".into()),
        date_beg: dates.map(|dates| dates.0.parse().unwrap()),
        date_end: dates.map(|dates| dates.1.parse().unwrap()),
        hdus: vec![ImageHdu {
            number: 1,
            name: Some("SCI".into()),
            shape: vec![100, 50],
            bitpix: -32,
            compressed: true,
            cap: Some([359.5, -57.25, 1.5]),
            wcs_problem: None,
        }],
        cap: Some(Cap {
            centre: Position {
                ra: 359.5,
                dec: -57.25,
            },
            radius: 1.5,
        }),
        em_min: Some(1.9e-3),
        em_max: Some(2.1e-3),
        t_min: dates.map(|_| 58_909.0),
        t_max: dates.map(|_| 58_910.5),
        exposure: Some(7_200.0),
        pol_states: Some("/I/Q/U/".into()),
        s_region: Some("CIRCLE ICRS 359.5 -57.25 1.5".into()),
        target: Some("ra0hdec-59.75".into()),
        facility: Some("SPT".into()),
        instrument: Some("SPT-3G".into()),
        calib_level: Some(3),
        pixel_scale: Some(0.03),
    }
}

async fn put(store: &Store, collection: CollectionId, images: &[Image]) {
    let images: Vec<NewImage> = images.iter().cloned().map(NewImage::from).collect();
    store.put_images(collection, &images).await.unwrap();
}

async fn paths(store: &Store, filter: &ImageFilter) -> Vec<String> {
    let images = store.images(filter, None, 100).await.unwrap();
    images.into_iter().map(|found| found.image.path).collect()
}

async fn images_are_replaced_by_path_and_found_by_it(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let maps = store.ensure_collection("maps", "file:///maps").await.unwrap();
    assert_eq!(store.ensure_collection("maps", "s3://maps").await.unwrap(), maps);
    let other = store.ensure_collection("other", "file:///maps").await.unwrap();
    let first = image("a.fits", "150GHz", "1", None);
    put(store, maps, &[first.clone(), image("b.fits", "90GHz", "2", None)]).await;
    put(store, other, std::slice::from_ref(&first)).await;
    let found = store.image(maps, "a.fits").await.unwrap().unwrap();
    assert_eq!((found.collection, &found.image), (maps, &first));
    let newer = Image {
        etag: Some("\"2\"".into()),
        cap: None,
        hdus: Vec::new(),
        ..first
    };
    put(store, maps, std::slice::from_ref(&newer)).await;
    let again = store.image(maps, "a.fits").await.unwrap().unwrap();
    assert_eq!((again.id, again.image), (found.id, newer));
    assert!(store.image(maps, "c.fits").await.unwrap().is_none());
    assert_eq!(store.collection("other").await.unwrap(), Some(other));
    assert_eq!(store.collection("none").await.unwrap(), None);
    let collections = store.collections().await.unwrap();
    let shown: Vec<_> = collections
        .iter()
        .map(|c| (c.name.as_str(), c.images, c.roots.len()))
        .collect();
    assert_eq!(shown, [("maps", 2, 2), ("other", 1, 1)]);
    let known = store
        .image_versions(maps, &["a.fits".into(), "c.fits".into()])
        .await
        .unwrap();
    assert_eq!(known.len(), 1);
    assert_eq!(known["a.fits"].etag.as_deref(), Some("\"2\""));
}

async fn images_are_chosen_by_what_their_headers_say(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let maps = store.ensure_collection("maps", "x").await.unwrap();
    let other = store.ensure_collection("other", "x").await.unwrap();
    let march = Some(("2020-03-01", "2020-03-02"));
    let april = Some(("2020-04-01", "2020-04-02"));
    put(
        store,
        maps,
        &[
            image("a", "150GHz", "1", march),
            image("b", "90GHz", "1", april),
            image("c", "90GHz", "2", None),
        ],
    )
    .await;
    put(store, other, &[image("d", "90GHz", "1", march)]).await;
    let filter = |change: fn(&mut ImageFilter)| {
        let mut filter = ImageFilter::default();
        change(&mut filter);
        filter
    };
    assert_eq!(paths(store, &ImageFilter::default()).await, ["a", "b", "c", "d"]);
    assert_eq!(
        paths(
            store,
            &ImageFilter {
                collections: vec![maps],
                ..ImageFilter::default()
            }
        )
        .await,
        ["a", "b", "c"]
    );
    assert_eq!(
        paths(store, &filter(|f| f.bands = vec!["90ghz".into()])).await,
        ["b", "c", "d"]
    );
    assert_eq!(paths(store, &filter(|f| f.tags = vec!["2".into()])).await, ["c"]);
    assert_eq!(
        paths(store, &filter(|f| f.types = vec!["psth".into()])).await,
        [""; 0]
    );
    assert_eq!(
        paths(store, &filter(|f| f.from = "2020-03-15".parse().ok())).await,
        ["b"]
    );
    assert_eq!(
        paths(store, &filter(|f| f.to = "2020-03-15".parse().ok())).await,
        ["a", "d"]
    );
    assert_eq!(
        paths(store, &filter(|f| f.from = "2020-03-02".parse().ok())).await,
        ["a", "b", "d"]
    );
    let page = store.images(&ImageFilter::default(), None, 3).await.unwrap();
    let next = store
        .images(&ImageFilter::default(), page.last().map(|last| last.id), 3)
        .await
        .unwrap();
    assert_eq!((page.len(), next.len()), (3, 1));
}

async fn many_images_go_in_at_once(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let maps = store.ensure_collection("maps", "x").await.unwrap();
    let images: Vec<_> = (0..2_500)
        .map(|n| image(&format!("{n}.fits"), "x", "1", None))
        .collect();
    put(store, maps, &images).await;
    assert_eq!(store.collections().await.unwrap()[0].images, 2_500);
    let paths: Vec<_> = images.iter().map(|image| image.path.clone()).collect();
    assert_eq!(store.image_versions(maps, &paths).await.unwrap().len(), 2_500);
}

/// An image in a cap.
fn placed(path: &str, band: &str, (ra, dec): (f64, f64), radius: f64) -> Image {
    Image {
        cap: Some(Cap {
            centre: Position { ra, dec },
            radius,
        }),
        ..image(path, band, "1", None)
    }
}

/// Points all over the sky, in a spiral.
fn spiral(count: u32) -> impl Iterator<Item = (f64, f64)> {
    (0..count).map(move |n| {
        let turn = f64::from(n) * 137.507_764 % 360.0;
        let height = (f64::from(n) + 0.5) / f64::from(count) * 2.0 - 1.0;
        (turn, height.asin().to_degrees())
    })
}

fn circles(places: &[(f64, f64)], radius: f64) -> Vec<Footprint> {
    places
        .iter()
        .map(|(ra, dec)| Footprint::of_circle(Position { ra: *ra, dec: *dec }, radius))
        .collect()
}

async fn positions_find_their_images_by_the_index(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let maps = store.ensure_collection("maps", "x").await.unwrap();
    let other = store.ensure_collection("other", "x").await.unwrap();
    let images: Vec<Image> = spiral(600)
        .enumerate()
        .map(|(n, place)| {
            let band = ["90GHz", "150GHz"][n % 2];
            placed(&format!("{n}"), band, place, 0.2 + (n % 9) as f64)
        })
        .collect();
    put(store, maps, &images).await;
    let whole = placed("sky", "90GHz", (0.0, 0.0), 180.0);
    put(store, other, std::slice::from_ref(&whole)).await;
    let mut places = vec![
        (0.0, 90.0),
        (123.0, -90.0),
        (0.0, 0.0),
        (359.999, 0.0),
        (180.0, -45.0),
    ];
    places.extend(spiral(150));
    let footprints = circles(&places, 0.1);

    for (filter, takes) in [
        (
            ImageFilter::default(),
            &(|_: &Image| true) as &dyn Fn(&Image) -> bool,
        ),
        (
            ImageFilter {
                bands: vec!["150ghz".into()],
                ..ImageFilter::default()
            },
            &|image: &Image| image.band.as_deref() == Some("150GHz"),
        ),
        (
            ImageFilter {
                collections: vec![maps],
                ..ImageFilter::default()
            },
            &|image: &Image| image.path != "sky",
        ),
    ] {
        let met = store.images_at(&filter, &footprints).await.unwrap();
        let (mut found, mut surely) = (0, 0);
        let mut seen = std::collections::HashSet::new();
        for (id, at) in met.images() {
            let image = store.images_of(&[id]).await.unwrap().remove(0).image;
            assert!(takes(&image), "{}", image.path);
            assert!(at.is_sorted() && at.iter().all(|at| *at < places.len()));
            found += at.len();
            seen.extend(at.into_iter().map(|at| (image.path.clone(), at)));
        }
        for image in images.iter().chain([&whole]).filter(|image| takes(image)) {
            for (at, (ra, dec)) in places.iter().enumerate() {
                if image.cap.unwrap().near(Position { ra: *ra, dec: *dec }, 0.1) {
                    surely += 1;
                    assert!(seen.contains(&(image.path.clone(), at)), "{} {at}", image.path);
                }
            }
        }
        assert!(surely > 50 && found < surely * 2, "{found} of {surely}");
    }

    // What is replaced or removed is found no more.
    let moved = placed("0", "90GHz", (77.0, 5.0), 0.1);
    put(store, maps, std::slice::from_ref(&moved)).await;
    let at = async |place: (f64, f64)| {
        let filter = ImageFilter {
            collections: vec![maps],
            ..ImageFilter::default()
        };
        let met = store.images_at(&filter, &circles(&[place], 0.0)).await.unwrap();
        let ids: Vec<_> = met.images().map(|(id, _)| id).collect();
        let images = store.images_of(&ids).await.unwrap();
        images.iter().any(|found| found.image.path == "0")
    };
    let before = images[0].cap.unwrap().centre;
    assert!(at((77.0, 5.0)).await && !at((before.ra, before.dec)).await);
    let id = store.image(maps, "0").await.unwrap().unwrap().id;
    assert_eq!(store.remove_images(&[id]).await.unwrap(), 1);
    assert!(!at((77.0, 5.0)).await);
    assert!(
        store
            .images_at(&ImageFilter::default(), &[])
            .await
            .unwrap()
            .images()
            .next()
            .is_none()
    );
}

async fn images_are_chosen_by_wavelength_time_and_polarization(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let maps = store.ensure_collection("maps", "x").await.unwrap();
    let march = Some(("2020-03-01", "2020-03-02"));
    let unknown = Image {
        em_min: None,
        em_max: None,
        pol_states: None,
        ..image("b", "x", "1", None)
    };
    put(store, maps, &[image("a", "150GHz", "1", march), unknown]).await;
    let wavelengths = |range: [f64; 2]| ImageFilter {
        wavelengths: vec![[1.0, 2.0], range],
        ..ImageFilter::default()
    };
    let times = |range: [f64; 2]| ImageFilter {
        times: vec![range],
        ..ImageFilter::default()
    };
    let states = |state: &str| ImageFilter {
        pol_states: vec![state.into()],
        ..ImageFilter::default()
    };
    for (filter, found) in [
        (wavelengths([2.0e-3, 3.0e-3]), true),
        (wavelengths([2.2e-3, 3.0e-3]), false),
        (wavelengths([f64::NEG_INFINITY, 1.95e-3]), true),
        (times([58_910.5, 58_920.0]), true),
        (times([58_911.0, 58_920.0]), false),
        (states("q"), true),
        (states("V"), false),
        (states("%"), false),
    ] {
        let expected: &[&str] = if found { &["a"] } else { &[] };
        assert_eq!(paths(store, &filter).await, expected, "{filter:?}");
    }
}

async fn images_of_before_the_index_are_found_by_their_caps(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let maps = store.ensure_collection("maps", "x").await.unwrap();
    let mut broken = Image {
        cap: None,
        ..image("broken", "x", "1", Some(("2020-03-01T12:00:00", "2020-03-02")))
    };
    broken.hdus[0].cap = None;
    broken.hdus[0].wcs_problem = Some("singular".into());
    let mut images: Vec<Image> = spiral(1_200)
        .enumerate()
        .map(|(n, place)| placed(&format!("{n}"), "x", place, 1.0))
        .collect();
    images.push(broken);
    put(store, maps, &images).await;
    // As a server of before has left it.
    let columns = [
        "em_min",
        "em_max",
        "t_min",
        "t_max",
        "exposure",
        "pol_states",
        "s_region",
        "target",
        "facility",
        "instrument",
        "calib_level",
        "pixel_scale",
        "scale_octave",
        "described",
    ];
    for sql in ["DROP TABLE image_cell", "DROP INDEX image_scale"] {
        harness::execute(home.url(), sql).await;
    }
    for column in columns {
        harness::execute(home.url(), &format!("ALTER TABLE image DROP COLUMN {column}")).await;
    }
    harness::execute(
        home.url(),
        "DELETE FROM seaql_migrations WHERE version = 'm0009_image_cells'",
    )
    .await;

    let later = Store::open(home.url()).await.unwrap();
    later.migrate().await.unwrap();
    let places: Vec<(f64, f64)> = spiral(1_200).collect();
    let met = later
        .images_at(&ImageFilter::default(), &circles(&places, 0.0))
        .await
        .unwrap();
    let mut missing: std::collections::HashSet<usize> = (0..places.len()).collect();
    for (id, at) in met.images() {
        let found = later.images_of(&[id]).await.unwrap().remove(0);
        if found.image.path == "broken" {
            assert_eq!(at.len(), places.len());
            assert_eq!(
                (found.image.t_min, found.image.t_max),
                (Some(58_909.5), Some(58_910.0))
            );
        } else {
            let own: usize = found.image.path.parse().unwrap();
            assert!(at.contains(&own));
            missing.remove(&own);
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
    // An ingest reads their headers again.
    let known = later.image_versions(maps, &["0".into()]).await.unwrap();
    assert_eq!(known["0"].described, 0);
    assert_eq!(later.scale_octaves(&[maps]).await.unwrap().len(), 2);
}

/// Whatever PostgreSQL makes of its guesses, it reads neither table as a whole.
#[tokio::test]
async fn postgres_finds_images_by_the_index() {
    let home = Home::new(Backend::Cluster).await;
    let store = &home.store;
    let maps = store.ensure_collection("maps", "x").await.unwrap();
    let images: Vec<Image> = spiral(4_000)
        .enumerate()
        .map(|(n, place)| placed(&format!("{n}"), ["90GHz", "150GHz"][n % 2], place, 0.7))
        .collect();
    put(store, maps, &images).await;
    harness::execute(home.url(), "ANALYZE image, image_cell").await;
    let places: Vec<(f64, f64)> = spiral(50).collect();
    for bands in [vec![], vec!["90ghz".to_owned()]] {
        let filter = ImageFilter {
            bands,
            ..ImageFilter::default()
        };
        let statement = store.images_at_statement(&filter, &circles(&places, 0.1));
        let mut connection = PgConnection::connect(home.url()).await.unwrap();
        let plan: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("EXPLAIN {statement}")))
            .fetch_all(&mut connection)
            .await
            .unwrap();
        let plan = plan.join("\n");
        assert!(plan.contains("image_cell_pkey"), "{plan}");
        assert!(!plan.contains("Seq Scan on image"), "{plan}");
        assert_eq!(plan.contains("image_pkey"), !filter.bands.is_empty(), "{plan}");
    }
}
