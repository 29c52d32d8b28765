//! Pictures of cutouts: as astropy.visualization draws them; of jobs, beside FITS or instead; and on demand.

use reqwest::Method;
use serde_json::Value;
use sidereal::{
    fits::Bitpix,
    services::cutout::render::{self, Array, Caption, Cuts, Plane, Scaling, Stretch, Style},
    uws::Timestamp,
};

use crate::{
    harness::{Backend, Reply, Site, on_both_back_ends, oracle},
    s3::S3Server,
};

on_both_back_ends!(
    jobs_make_pictures_beside_their_files_or_instead,
    a_piece_of_an_image_is_drawn_on_demand,
    a_result_is_drawn_for_whoever_may_see_it,
);

const JOBS: &str = "/api/cutout/async";
/// The middle of the images, and all of them.
const PLACE: [(&str, &str); 2] = [("RA", "10"), ("DEC", "20")];
const SIZE: (&str, &str) = ("SIZE", "3px,2px");
/// How values from 0 to 254 are drawn as greys from 0 to 255.
const GREYS: [(&str, &str); 3] = [("CUTS", "0,254"), ("STRETCH", "linear"), ("CMAP", "grey")];

/// An image of 3 x 2 pixels of a degree's 60th around 10°, 20°; 16 bits, whose values are `stored` / 2 + 100, and −1
/// undefined.
fn image(band: &str, stored: [i16; 6]) -> Vec<u8> {
    let mut file = Vec::new();
    for (keyword, value) in [
        ("SIMPLE", "T".to_owned()),
        ("BITPIX", "16".into()),
        ("NAXIS", "2".into()),
        ("NAXIS1", "3".into()),
        ("NAXIS2", "2".into()),
        ("BSCALE", "0.5".into()),
        ("BZERO", "100.0".into()),
        ("BLANK", "-1".into()),
        ("CTYPE1", "'RA---TAN'".into()),
        ("CTYPE2", "'DEC--TAN'".into()),
        ("CRVAL1", "10.0".into()),
        ("CRVAL2", "20.0".into()),
        ("CRPIX1", "2.0".into()),
        ("CRPIX2", "1.5".into()),
        ("CDELT1", "-0.016666666666666666".into()),
        ("CDELT2", "0.016666666666666666".into()),
        ("BUNIT", "'adu'".into()),
        ("BAND", format!("'{band}'")),
    ] {
        file.extend_from_slice(format!("{:<80}", format!("{keyword:<8}= {value:>20}")).as_bytes());
    }
    file.extend_from_slice(format!("{:<80}", "END").as_bytes());
    file.resize(2880, b' ');
    file.extend(stored.into_iter().flat_map(i16::to_be_bytes));
    file.resize(5760, 0);
    file
}

/// Values 0, 127, 254; undefined, 227, 84.
const STORED: [i16; 6] = [-200, 54, 308, -1, 254, -32];
/// The same drawn: the second row comes first.
const DRAWN: [[u8; 4]; 6] = [
    [0; 4],
    [228, 228, 228, 255],
    [84, 84, 84, 255],
    [0, 0, 0, 255],
    [128, 128, 128, 255],
    [255, 255, 255, 255],
];

/// A server with the collection `sky`: the image in three bands.
async fn site(backend: Backend) -> (Site, tempfile::TempDir) {
    let site = Site::start(backend).await;
    let folder = tempfile::tempdir().unwrap();
    let mut url = folder.path().display().to_string();
    for band in ["90GHz", "150GHz", "220GHz"] {
        let (name, bytes) = (format!("{band}.fits"), image(band, STORED));
        std::fs::write(folder.path().join(&name), &bytes).unwrap();
        if backend == Backend::Cluster {
            url = S3Server::url("results/sky");
            let key = format!("sky/{name}").into();
            object_store::ObjectStoreExt::put(&*site.objects(), &key, bytes.into())
                .await
                .unwrap();
        }
    }
    let output = site.run(&["ingest", "sky", &url]).await;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    (site, folder)
}

/// A completed job of the place.
async fn completed(site: &Site, more: &[(&str, &str)]) -> (String, Value) {
    let mut form = vec![("PHASE", "RUN"), ("POSITIONS", "RA,DEC,OBJID\n10,20,m1\n"), SIZE];
    form.extend(more);
    let job = site.post(JOBS, &form).await.expect(303).location().to_owned();
    site.wait(&job, "COMPLETED").await;
    let document = site.get_json(&job).await;
    (job, document)
}

fn names(document: &Value) -> Vec<&str> {
    let results = document["results"].as_array().unwrap();
    let mut names: Vec<&str> = results.iter().map(|result| text(&result["id"])).collect();
    names.sort_unstable();
    names
}

fn query(path: &str, pairs: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs);
    format!("{path}?{}", query.finish())
}

fn assert_is_picture(reply: &Reply) {
    assert_eq!(reply.header("content-type"), Some("image/png"));
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    let policy = reply.header("content-security-policy").unwrap();
    assert!(policy.contains("sandbox"), "{policy}");
    assert!(reply.header("cache-control").unwrap().starts_with("private"));
}

async fn jobs_make_pictures_beside_their_files_or_instead(backend: Backend) {
    let (site, _folder) = site(backend).await;
    let mut asked = vec![("FORMAT", "png"), ("BANDS", "90GHz")];
    asked.extend(GREYS);
    let (job, document) = completed(&site, &asked).await;
    assert_eq!(
        names(&document),
        [
            "m1_90GHz.png",
            "manifest.csv",
            "manifest.json",
            "manifest.vot",
            "result"
        ]
    );
    for name in ["m1_90GHz.png", "result"] {
        let reply = site.get(&format!("{job}/results/{name}")).await.expect(200);
        assert_eq!(reply.header("content-type"), Some("image/png"), "{name}");
        assert_eq!(decoded(&reply.body), ([3, 2], DRAWN.to_vec()), "{name}");
    }
    let manifest: Value = site
        .get(&format!("{job}/results/manifest.json"))
        .await
        .expect(200)
        .json();
    let row = &manifest["rows"][0];
    assert_eq!(
        (&row["file"], &row["status"]),
        (&"m1_90GHz.png".into(), &"ok".into()),
        "{row}"
    );

    let beside = [
        ("PREVIEW", "true"),
        ("RGB", "220GHz,150GHz,90GHz"),
        ("CUTS", "0,254"),
        ("CMAP", "grey"),
    ];
    let (job, document) = completed(&site, &beside).await;
    let files = ["m1_150GHz", "m1_220GHz", "m1_90GHz"];
    let mut expected: Vec<String> = files
        .iter()
        .flat_map(|stem| [format!("{stem}.fits"), format!("{stem}.png")])
        .collect();
    expected.extend(
        [
            "m1_rgb.png",
            "manifest.csv",
            "manifest.json",
            "manifest.vot",
            "result",
        ]
        .map(str::to_owned),
    );
    assert_eq!(names(&document), expected);
    let rgb = site.get(&format!("{job}/results/m1_rgb.png")).await.expect(200);
    let (size, pixels) = decoded(&rgb.body);
    // Three equal bands are grey; black, and undefined, as in each.
    assert_eq!((size, pixels[0], pixels[3]), ([3, 2], [0; 4], [0, 0, 0, 255]));
    assert!(
        pixels[1..].iter().all(|[r, g, b, _]| r == g && g == b),
        "{pixels:?}"
    );
    assert!(pixels[5][0] > pixels[4][0] && pixels[4][0] > 0, "{pixels:?}");

    // The three bands are joined as ever, each is drawn as asked.
    let linear = [
        &beside[..],
        &[("STRETCH", "linear"), ("BANDS", "90GHz,150GHz,220GHz")],
    ]
    .concat();
    let (job, document) = completed(&site, &linear).await;
    assert_eq!(names(&document), expected);
    let same = site.get(&format!("{job}/results/m1_rgb.png")).await.expect(200);
    assert_eq!(decoded(&same.body), decoded(&rgb.body));
    let manifest = site.get(&format!("{job}/results/manifest.csv")).await.expect(200);
    assert_eq!(
        manifest.header("content-type").unwrap(),
        "text/csv; charset=utf-8"
    );

    let faulty: [(&[(&str, &str)], &str); 8] = [
        (&[("CUTS", "1,2")], "is of pictures"),
        (
            &[("PREVIEW", "true"), ("RGB", "90GHz,150GHz,x")],
            "there are 150GHz, 220GHz, 90GHz",
        ),
        (&[("BANDS", "90GHz,x")], "there are 150GHz, 220GHz, 90GHz"),
        (&[("CUTS", "2,1")], "CUTS"),
        (&[("STRETCH", "histogram")], "STRETCH"),
        (&[("SIDE", "4096")], "SIDE"),
        (&[("RGB", "a,b,c")], "RGB"),
        (&[("FORMAT", "jpeg")], "FORMAT"),
    ];
    for (asked, parameter) in faulty {
        let mut form = vec![("PHASE", "RUN"), ("POSITIONS", "RA,DEC\n10,20\n")];
        form.extend(asked);
        let refused = site.post(JOBS, &form).await.expect(400).text();
        assert!(refused.contains(parameter), "{asked:?}: {refused}");
    }
}

/// Parameters of a request.
type Asked<'a> = &'a [(&'a str, &'a str)];

async fn a_piece_of_an_image_is_drawn_on_demand(backend: Backend) {
    const PATH: &str = "/api/v1/cutout/preview";
    let (site, _folder) = site(backend).await;
    let id = ("ID", "sky/90GHz.fits");
    let whole = [&[id, SIZE][..], &PLACE, &GREYS].concat();
    let reply = site.get(&query(PATH, &whole)).await.expect(200);
    assert_is_picture(&reply);
    assert_eq!(decoded(&reply.body), ([3, 2], DRAWN.to_vec()));
    let tag = reply.header("etag").unwrap().to_owned();
    let again = site
        .request(Method::GET, &query(PATH, &whole))
        .header("if-none-match", &tag);
    assert!(site.send(again).await.expect(304).body.is_empty());
    let larger = site
        .get(&query(
            PATH,
            &[&whole[..], &[("SIDE", "9"), ("INVERT", "true")]].concat(),
        ))
        .await;
    let (size, pixels) = decoded(&larger.expect(200).body);
    assert_eq!((size, pixels[53]), ([9, 6], [0, 0, 0, 255]));
    // A circle of half a pixel around the middle touches one pixel and a half, or so.
    let circle = [id, ("CIRCLE", "10 20 0.004"), GREYS[0]];
    let ([width, height], _) = decoded(&site.get(&query(PATH, &circle)).await.expect(200).body);
    assert!(width < 3 && height <= 2, "{width} x {height}");

    let faulty: [(Asked, u16, &str); 12] = [
        (&[SIZE, PLACE[0], PLACE[1]], 400, "ID"),
        (&[id], 400, "POS"),
        (&[id, ("RA", "10")], 400, "DEC"),
        (&[id, ("RA", "ten"), ("DEC", "20")], 400, "RA"),
        (&[id, PLACE[0], PLACE[1], ("CIRCLE", "10 20 1")], 400, "only one"),
        (&[id, ("CIRCLE", "10 20 -1")], 400, "CIRCLE"),
        (&[id, PLACE[0], PLACE[1], ("SIZE", "0")], 400, "SIZE"),
        (&[id, PLACE[0], PLACE[1], ("CUTS", "2,1")], 400, "CUTS"),
        (&[id, PLACE[0], PLACE[1], ("SIDE", "99999999999")], 400, "SIDE"),
        (&[("ID", "sky/none.fits"), PLACE[0], PLACE[1]], 400, "ID"),
        (&[id, ("RA", "200"), ("DEC", "20")], 404, "outside_footprint"),
        (&[id, PLACE[0], PLACE[1], ("HDU", "7")], 404, "no_matching_image"),
    ];
    for (asked, status, expected) in faulty {
        let refused = site.get(&query(PATH, asked)).await.expect(status);
        assert_eq!(
            refused.header("content-type"),
            Some("application/problem+json"),
            "{asked:?}"
        );
        assert!(refused.text().contains(expected), "{asked:?}: {}", refused.text());
    }
}

async fn a_result_is_drawn_for_whoever_may_see_it(backend: Backend) {
    let (site, _folder) = site(backend).await;
    let (job, _) = completed(&site, &[("BANDS", "90GHz")]).await;
    let id = job.rsplit('/').next().unwrap();
    let path = format!("/api/v1/jobs/{id}/results/m1_90GHz.fits/preview");
    let url = query(&path, &GREYS);
    let reply = site.get(&url).await.expect(200);
    assert_is_picture(&reply);
    assert_eq!(decoded(&reply.body), ([3, 2], DRAWN.to_vec()));
    let tag = reply.header("etag").unwrap().to_owned();
    let again = site.request(Method::GET, &url).header("if-none-match", &tag);
    assert_eq!(
        site.send(again).await.expect(304).header("etag"),
        Some(tag.as_str())
    );
    let other = site.request(Method::GET, &path).header("if-none-match", &tag);
    assert_eq!(decoded(&site.send(other).await.expect(200).body).0, [3, 2]);

    for (path, status, expected) in [
        (format!("{path}?CUTS=2,1"), 400, "CUTS"),
        (format!("{path}?HDU=3"), 404, "no image HDU 3"),
        (
            path.replace("m1_90GHz.fits", "manifest.json"),
            422,
            "application/json",
        ),
        (path.replace("m1_90GHz.fits", "other.fits"), 404, "not found"),
        (path.replace(id, "nonsense"), 404, "job not found"),
    ] {
        let refused = site.get(&path).await.expect(status);
        assert!(refused.text().contains(expected), "{path}: {}", refused.text());
    }

    let tomorrow = Timestamp::from_millis(Timestamp::of_this_host().millis() + 86_400_000).unwrap();
    let body = serde_json::json!({ "expires": tomorrow.to_string() });
    let share = site
        .request(Method::POST, &format!("/api/v1/jobs/{id}/shares"))
        .json(&body);
    let share: Value = site.send(share).await.expect(201).json();
    let shared = format!("{}/{id}/results/m1_90GHz.fits/preview", text(&share["url"]));
    let reply = site.get(&query(&shared, &GREYS)).await.expect(200);
    assert_is_picture(&reply);
    assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(decoded(&reply.body).1, DRAWN);
    let secret = text(&share["url"]).rsplit('/').next().unwrap().to_owned();
    site.get(&shared.replace(&secret, "guess")).await.expect(404);
}

fn numbers(list: &Value) -> Vec<f64> {
    let list = list.as_array().unwrap();
    list.iter()
        .map(|value| value.as_f64().unwrap_or(f64::NAN))
        .collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn plane(values: &[f64], width: u64) -> Plane {
    let data: Vec<u8> = values.iter().flat_map(|value| value.to_be_bytes()).collect();
    let array = Array {
        data: &data,
        bitpix: Bitpix::F64,
        shape: &[width, values.len() as u64 / width],
        axes: [0, 1],
    };
    Plane::new(&array, &Scaling::NONE, render::MAX_SIDE).unwrap()
}

/// Size and bytes of the pixels of a picture, four each, from the top.
fn decoded(file: &[u8]) -> ([u32; 2], Vec<[u8; 4]>) {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(file));
    decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::ALPHA);
    let mut reader = decoder.read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut bytes).unwrap();
    assert_eq!(frame.color_type, png::ColorType::Rgba);
    ([frame.width, frame.height], bytes.as_chunks().0.to_vec())
}

#[tokio::test]
async fn cuts_stretches_and_colours_are_those_of_astropy() {
    let answer = oracle("visualization.py", &[]).await;
    let images = answer["images"].as_array().unwrap();
    assert!(images.len() > 10);
    for image in images {
        let values = numbers(&image["values"]);
        for (cuts, wanted) in image["cuts"].as_object().unwrap() {
            let limits = cuts.parse::<Cuts>().unwrap().limits(&values);
            let wanted = numbers(wanted);
            let near = 1e-9 * values.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
            assert!(
                (limits.low - wanted[0]).abs() <= near && (limits.high - wanted[1]).abs() <= near,
                "{} of {}: {limits:?}, not {wanted:?}",
                cuts,
                image["name"]
            );
        }
    }
    let shares = numbers(&answer["shares"]);
    for (name, wanted) in answer["stretches"].as_object().unwrap() {
        let stretch: Stretch = name.parse().unwrap();
        for (share, wanted) in shares.iter().zip(numbers(wanted)) {
            let got = stretch.of(*share, false);
            assert!(
                (got - wanted).abs() < 1e-12,
                "{name} of {share}: {got}, not {wanted}"
            );
        }
    }
    for colours in answer["colours"].as_array().unwrap() {
        let width = colours["width"].as_u64().unwrap();
        let bands = [0, 1, 2].map(|band| plane(&numbers(&colours["bands"][band]), width));
        let style = Style {
            cuts: Some(text(&colours["cuts"]).parse().unwrap()),
            ..Style::default()
        };
        let file = render::draw_rgb(&bands, &style, &Caption::default()).unwrap();
        let ([columns, rows], pixels) = decoded(&file);
        assert_eq!(
            [u64::from(columns), u64::from(rows)],
            [width, pixels.len() as u64 / width]
        );
        let got: Vec<u8> = pixels.iter().flat_map(|[r, g, b, _]| [*r, *g, *b]).collect();
        let wanted = numbers(&colours["picture"]);
        assert_eq!(got.len(), wanted.len());
        // Fractions are cut off, so that a last bit may tell.
        let off = got
            .iter()
            .zip(&wanted)
            .filter(|(got, wanted)| (f64::from(**got) - **wanted).abs() > 0.5)
            .count();
        assert!(off <= 2, "{off} of {} differ", got.len());
    }
}
