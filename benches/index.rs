//! Finds images by position through the library's own store, and says how long it takes.
//!
//! `index prepare FOLDER IMAGES` writes `image.csv` and `image_cell.csv` to be copied into a database: images of up to
//! 1 deg² all over the sky, with their footprints.
//! `index migrate URL` makes the tables. `index run URL POSITIONS ROUNDS [band]` asks for so many positions at once and
//! prints, as JSON, the seconds of each round, the pairs of position and image that were found, and the plan of the
//! database. `index.py` calls it.

use std::{fs::File, io::Write, process::ExitCode, time::Instant};

use anyhow::{Context, bail};
use mimalloc::MiMalloc;
use sidereal::{
    sky::{Cap, Footprint, Position},
    store::{Image, ImageFilter, ImageHdu, NewImage, Store},
};

/// The server's.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const BANDS: [&str; 3] = ["90GHz", "150GHz", "220GHz"];

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match command(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn command(arguments: &[&str]) -> anyhow::Result<()> {
    match arguments {
        ["prepare", folder, images] => prepare(folder, images.parse().context("IMAGES")?)?,
        ["migrate", url] => {
            let store = Store::open(url).await?;
            store.migrate().await?;
            store.ensure_collection("sky", "file:///sky").await?;
        }
        ["run", url, positions, rounds, bands @ ..] => {
            let bands = bands.iter().map(|band| (*band).to_owned()).collect();
            let positions = positions.parse().context("POSITIONS")?;
            run(url, positions, rounds.parse().context("ROUNDS")?, bands).await?;
        }
        _ => bail!("index prepare FOLDER IMAGES | migrate URL | run URL POSITIONS ROUNDS [BAND…]"),
    }
    Ok(())
}

/// Numbers between 0 and 1, the same each time (`SplitMix64`).
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (bits ^ (bits >> 31)) as f64 / u64::MAX as f64
    }

    fn position(&mut self) -> Position {
        Position {
            ra: self.next() * 360.0,
            dec: (self.next() * 2.0 - 1.0).asin().to_degrees(),
        }
    }
}

/// A square image, tangential at its middle, with a side of 0.25 to 1 deg: about ten lie over each position of a
/// million's sky.
fn image(number: u64, random: &mut Random) -> NewImage {
    let centre = random.position();
    let side = 0.25 + 0.75 * random.next();
    let pixels = 2_048_u64;
    let step = side / pixels as f64;
    let (ra, dec) = (centre.ra.to_radians(), centre.dec.to_radians());
    let middle = centre.unit();
    let east = [-ra.sin(), ra.cos(), 0.0];
    let north = [-dec.sin() * ra.cos(), -dec.sin() * ra.sin(), dec.cos()];
    let to_sky = |[x, y]: [f64; 2]| {
        let [x, y] = [x, y].map(|pixel| ((pixel - pixels as f64 / 2.0 - 0.5) * step).to_radians());
        Some(Position::from_vector(std::array::from_fn(|axis| {
            middle[axis] - x * east[axis] + y * north[axis]
        })))
    };
    let cap = Cap {
        centre,
        radius: side * std::f64::consts::FRAC_1_SQRT_2 * 1.01,
    };
    NewImage {
        footprint: Footprint::of_image([pixels; 2], to_sky),
        image: Image {
            path: format!("{:03}/{number:09}.fits", number / 10_000),
            url: format!("s3://sky/images/{:03}/{number:09}.fits", number / 10_000),
            size: 4 * pixels * pixels,
            etag: Some(format!("{number:032x}")),
            band: Some(BANDS[number as usize % BANDS.len()].into()),
            obs: Some(format!("{}", number / 30)),
            hdus: vec![ImageHdu {
                number: 0,
                name: None,
                shape: vec![pixels; 2],
                bitpix: -32,
                compressed: false,
                cap: Some([centre.ra, centre.dec, cap.radius]),
                wcs_problem: None,
            }],
            cap: Some(cap),
            ..Image::default()
        },
        described: 1,
    }
}

fn prepare(folder: &str, images: u64) -> anyhow::Result<()> {
    let create = |name: &str| File::create(format!("{folder}/{name}")).map(std::io::BufWriter::new);
    let (mut rows, mut cells) = (create("image.csv")?, create("image_cell.csv")?);
    let mut random = Random(1);
    let mut most = 0;
    let mut all = 0;
    for number in 1..=images {
        let NewImage { image, footprint, .. } = image(number, &mut random);
        let cap = image.cap.context("a cap")?;
        let hdus = serde_json::to_string(&image.hdus)?.replace('"', "\"\"");
        writeln!(
            rows,
            "{number},1,{},{},{},{},{},{},\"{hdus}\",{},{},{},1",
            image.path,
            image.url,
            image.size,
            image.etag.unwrap_or_default(),
            image.band.unwrap_or_default(),
            image.obs.unwrap_or_default(),
            cap.centre.ra,
            cap.centre.dec,
            cap.radius
        )?;
        for cell in footprint.cells() {
            writeln!(cells, "{cell},{number}")?;
        }
        most = most.max(footprint.cells().len());
        all += footprint.cells().len();
    }
    println!("{}", serde_json::json!({"most": most, "all": all}));
    Ok(())
}

async fn run(url: &str, positions: usize, rounds: usize, bands: Vec<String>) -> anyhow::Result<()> {
    let store = Store::open(url).await?;
    let filter = ImageFilter {
        bands,
        ..ImageFilter::default()
    };
    let (mut seconds, mut pairs, mut hits) = (Vec::new(), 0, 0);
    // Other positions each time: only the database is warm.
    let mut random = Random(2);
    for _ in 0..=rounds {
        let asked: Vec<Position> = (0..positions).map(|_| random.position()).collect();
        let start = Instant::now();
        // Boxes of 10 arcmin: half their diagonal.
        let footprints: Vec<Footprint> = asked
            .iter()
            .map(|position| Footprint::of_circle(*position, 10.0 / 60.0 * std::f64::consts::FRAC_1_SQRT_2))
            .collect();
        let met = store.images_at(&filter, &footprints).await?;
        let mut found = Vec::new();
        for (id, places) in met.images() {
            found.extend(places.into_iter().map(|place| (id, place)));
        }
        seconds.push(start.elapsed().as_secs_f64());
        pairs = found.len();
        hits = 0;
        found.dedup_by_key(|pair| pair.0);
        let ids: Vec<_> = found.iter().map(|pair| pair.0).collect();
        for catalogued in store.images_of(&ids).await? {
            let cap = catalogued.image.cap.context("a cap")?;
            // The circle in the square.
            let radius = cap.radius / 1.01 * std::f64::consts::FRAC_1_SQRT_2;
            hits += asked
                .iter()
                .filter(|at| cap.centre.separation(**at) <= radius)
                .count();
        }
    }
    let asked: Vec<Footprint> = (0..positions)
        .map(|_| Footprint::of_circle(random.position(), 0.12))
        .collect();
    println!(
        "{}",
        serde_json::json!({
            "seconds": seconds.split_off(1), "pairs": pairs, "hits": hits,
            "statement": store.images_at_statement(&filter, &asked),
        })
    );
    Ok(())
}
