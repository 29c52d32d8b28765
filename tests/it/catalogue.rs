//! The catalogue's promises, in both dialects.

use sidereal::{
    sky::{Cap, Position},
    store::{CollectionId, Image, ImageFilter, ImageHdu, NewImage, Store},
};

use crate::{
    harness::{Backend, on_both_back_ends},
    store::Home,
};

on_both_back_ends!(
    images_are_replaced_by_path_and_found_by_it,
    images_are_chosen_by_what_their_headers_say,
    many_images_go_in_at_once,
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
