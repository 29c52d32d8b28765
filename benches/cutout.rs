//! Cuts boxes of 256 × 256 pixels out of an image through the library.
//!
//! `cutout WAY IMAGE POSITIONS FOLDER`: POSITIONS is a CSV that begins with RA,DEC (deg, ICRS) and has a header.
//! WAY is
//!
//! - `one`: one after the other, each as if nothing else were wanted; `batch`: all in one walk over the image. The
//!   cutout of row N becomes FOLDER/N.fits, with CHECKSUM and DATASUM, and `SHA256SUMS` lists the sums of all. Opening
//!   the image is part of the time.
//! - `limit`: what no way can beat. Every tile is read and decoded once on all cores, which counts as far as the boxes
//!   touch them (of a plain image the boxes are read); and as many files of as many bytes as the cutouts have are written.
//! - `s3`: `batch` without files, of the image behind an S3 server of this process that waits 20 ms before it answers
//!   and counts what it is asked for.
//! - `latency`: one cutout at a time of an image that is open; milliseconds, median and 99th of 100.
//!
//! Prints numbers that `cutouts.py` reads: cutouts a second first, the most memory that was taken (bytes) last.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    path::Path,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use bytes::Bytes;
use futures::{StreamExt, stream::FuturesUnordered};
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use mimalloc::MiMalloc;
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use sha2::{Digest, Sha256};
use sidereal::{
    fits::{
        Admission, Cut, Edge, File, Hdu, Packing, PixelBox, Region, Step, Sweep, cut, write, write_parts,
    },
    objects::Sources,
    sky::{Length, Position, Size},
};

/// The server's.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const SIZE: Size = Size {
    width: Length::Pixels(256),
    height: Length::Pixels(256),
};
/// Memory that one cutout may take, bytes.
const LIMIT: u64 = 64 << 20;
/// What a batch may hold of pixels, and beside them.
const PIXELS: u64 = 256 << 20;
const WORKING: u64 = 32 << 20;
/// Files on their way at once.
const STORING: usize = 8;
const DATE: &str = "2026-01-01T00:00:00";

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
    let [way, image, positions, folder] = arguments else {
        bail!("cutout one|batch|limit|s3|latency IMAGE POSITIONS FOLDER");
    };
    let positions = read_positions(positions)?;
    let folder: Arc<Path> = Path::new(folder).into();
    let start = Instant::now();
    if *way == "s3" {
        return s3(Path::new(image), &positions).await;
    }
    let file = File::open(Sources::default().open(image).await?).await?;
    match *way {
        "one" => {
            let mut sums = Vec::new();
            for (row, position) in positions.iter().enumerate() {
                let hdu = image_of(&file)?;
                let part = cut(&file, hdu, &region(hdu, *position)?, Edge::Trim, LIMIT).await?;
                sums.push(store(file.clone(), part, folder.clone(), row).await?);
            }
            std::fs::write(folder.join("SHA256SUMS"), sums.concat())?;
        }
        "batch" => {
            let mut sums = batch(&file, &positions, Some(&folder)).await?;
            sums.sort();
            std::fs::write(
                folder.join("SHA256SUMS"),
                sums.into_iter().map(|(_, sum)| sum).collect::<String>(),
            )?;
        }
        "limit" => {
            let seconds = limit(&file, &positions, &folder).await?;
            println!("{:.1} {}", positions.len() as f64 / seconds, peak()?);
            return Ok(());
        }
        "latency" => return latency(&file, &positions).await,
        other => bail!("{other:?} is no way to cut"),
    }
    println!(
        "{:.1} {}",
        positions.len() as f64 / start.elapsed().as_secs_f64(),
        peak()?
    );
    Ok(())
}

fn read_positions(path: &str) -> anyhow::Result<Vec<Position>> {
    let text = std::fs::read_to_string(path).with_context(|| path.to_owned())?;
    text.lines()
        .skip(1)
        .map(|line| match line.split(',').collect::<Vec<_>>()[..] {
            [ra, dec, ..] => Position::parse(ra, dec).with_context(|| line.to_owned()),
            _ => bail!("{line}: not RA,DEC"),
        })
        .collect()
}

fn image_of(file: &File) -> anyhow::Result<&Hdu> {
    file.hdus().iter().find(|hdu| hdu.is_image()).context("no image")
}

fn region(hdu: &Hdu, position: Position) -> anyhow::Result<Region> {
    let wcs = hdu.wcs()?.context("no coordinates")?;
    Ok(wcs.pixel_box(position, SIZE)?.into())
}

/// Writes a cutout of the first image in the file; gives its line of `SHA256SUMS`.
async fn store(file: File, part: Cut, folder: Arc<Path>, row: usize) -> anyhow::Result<String> {
    tokio::task::spawn_blocking(move || {
        let parts = write_parts(&file, vec![(part, Vec::new())], DATE, Packing::Plain);
        let mut digest = Sha256::new();
        for part in &parts {
            digest.update(part);
        }
        let name = format!("{row}.fits");
        let mut out = std::fs::File::create(folder.join(&name))?;
        for part in parts {
            std::io::Write::write_all(&mut out, &part)?;
        }
        Ok(format!("{}  {name}\n", hex::encode(digest.finalize())))
    })
    .await?
}

/// Cuts all boxes in one walk; writes them to `folder` if there is one. Lines of `SHA256SUMS` by row.
async fn batch(
    file: &File,
    positions: &[Position],
    folder: Option<&Arc<Path>>,
) -> anyhow::Result<Vec<(usize, String)>> {
    let hdu = image_of(file)?;
    let mut sweep = Sweep::new(file.clone(), Edge::Trim, WORKING);
    let mut bytes = Vec::new();
    for (row, position) in positions.iter().enumerate() {
        let region = region(hdu, *position)?;
        bytes.push(sidereal::fits::bytes_of(hdu, &region, Edge::Trim)?);
        sweep.add(row, &[(hdu.number(), region)]);
    }
    let held = AtomicU64::new(0);
    let mut storing = FuturesUnordered::new();
    let mut sums = Vec::new();
    loop {
        let busy = !storing.is_empty();
        let mut admit = |_: usize, bytes: u64| {
            if held.load(Ordering::Relaxed) + bytes > PIXELS {
                return if busy { Admission::Wait } else { Admission::Later };
            }
            held.fetch_add(bytes, Ordering::Relaxed);
            Admission::Yes
        };
        let step = tokio::select! {
            Some(done) = storing.next(), if busy => {
                let (row, sum): (usize, anyhow::Result<String>) = done;
                held.fetch_sub(bytes[row], Ordering::Relaxed);
                sums.push((row, sum?));
                continue;
            }
            step = sweep.step(&mut admit), if storing.len() < STORING => step,
        };
        match step {
            Step::Finished(finished) => {
                for one in finished {
                    let mut cuts = one.cuts.map_err(|error| anyhow::anyhow!("{error}"))?;
                    let part = cuts.pop().context("nothing was cut")?;
                    let Some(folder) = folder else {
                        held.fetch_sub(bytes[one.id], Ordering::Relaxed);
                        continue;
                    };
                    let (file, folder) = (file.clone(), folder.clone());
                    storing.push(async move { (one.id, store(file, part, folder, one.id).await) });
                }
            }
            Step::NeedsMemory(_) if busy => {}
            Step::NeedsMemory(bytes) => bail!("{bytes} bytes are not to be had"),
            Step::End => break,
        }
    }
    while let Some((row, sum)) = storing.next().await {
        sums.push((row, sum?));
    }
    Ok(sums)
}

/// Seconds for decoding each tile once, as far as boxes touch them, and writing as many bytes. Of a plain image the
/// boxes are read.
async fn limit(file: &File, positions: &[Position], folder: &Path) -> anyhow::Result<f64> {
    let hdu = image_of(file)?;
    let mut files = Vec::new();
    for position in positions {
        let region = region(hdu, *position)?;
        files.push(sidereal::fits::bytes_of(hdu, &region, Edge::Trim)?);
    }
    let start = Instant::now();
    let decoding = if hdu.header().integer("ZTILE1").is_some() {
        let share = decode_all(file, positions).await?;
        start.elapsed().as_secs_f64() * share
    } else {
        batch(file, positions, None).await?;
        start.elapsed().as_secs_f64()
    };
    let part = cut(file, hdu, &region(hdu, positions[0])?, Edge::Trim, LIMIT).await?;
    let cards = write(file, vec![(part, Vec::new())], DATE, Packing::Plain).len() as u64 - files[0];
    let threads = std::thread::available_parallelism()?.get();
    let start = Instant::now();
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..threads)
            .map(|thread| {
                let files = &files;
                scope.spawn(move || {
                    let bytes = vec![1; (files.iter().max().unwrap_or(&0) + cards) as usize];
                    for row in (thread..files.len()).step_by(threads) {
                        let bytes = &bytes[..(files[row] + cards) as usize];
                        std::fs::write(folder.join(format!("{row}.fits")), bytes)?;
                    }
                    Ok::<_, std::io::Error>(())
                })
            })
            .collect();
        for writer in writers {
            writer.join().map_err(|_| anyhow::anyhow!("a writer failed"))??;
        }
        Ok::<_, anyhow::Error>(())
    })?;
    Ok(decoding + start.elapsed().as_secs_f64())
}

/// Decodes all tiles of a compressed image, row of tiles by row of tiles; gives the share of them that boxes touch.
async fn decode_all(file: &File, positions: &[Position]) -> anyhow::Result<f64> {
    let hdu = image_of(file)?;
    let [width, height] = [hdu.shape()[0], hdu.shape()[1]];
    let side = |axis: usize, default: u64| {
        let value = hdu.header().integer(&format!("ZTILE{axis}"));
        value
            .and_then(|value| u64::try_from(value).ok())
            .unwrap_or(default)
    };
    let (tile_x, tile_y) = (side(1, width), side(2, 1));
    let mut touched = BTreeSet::new();
    for position in positions {
        let area = region(hdu, *position)?
            .area
            .trimmed(width, height)
            .context("beside the image")?;
        for y in (area.y_min - 1) as u64 / tile_y..=(area.y_max - 1) as u64 / tile_y {
            let columns = (area.x_min - 1) as u64 / tile_x..=(area.x_max - 1) as u64 / tile_x;
            touched.extend(columns.map(|x| (y, x)));
        }
    }
    // Bands of some rows of tiles, so that memory plays no part.
    let band = tile_y * 128_u64.div_ceil(tile_y);
    let mut sweep = Sweep::new(file.clone(), Edge::Trim, WORKING);
    for (id, first) in (1..=height).step_by(band as usize).enumerate() {
        let area = PixelBox {
            x_min: 1,
            x_max: width as i64,
            y_min: first as i64,
            y_max: (first + band - 1).min(height) as i64,
        };
        sweep.add(id, &[(hdu.number(), area.into())]);
    }
    loop {
        match sweep.step(&mut |_, _| Admission::Yes).await {
            Step::Finished(finished) => {
                for one in finished {
                    one.cuts.map_err(|error| anyhow::anyhow!("{error}"))?;
                }
            }
            Step::NeedsMemory(_) => bail!("nothing was to wait for"),
            Step::End => break,
        }
    }
    Ok(touched.len() as f64 / (width.div_ceil(tile_x) * height.div_ceil(tile_y)) as f64)
}

async fn latency(file: &File, positions: &[Position]) -> anyhow::Result<()> {
    let hdu = image_of(file)?;
    let mut taken = Vec::new();
    for position in positions.iter().take(100) {
        let start = Instant::now();
        let part = cut(file, hdu, &region(hdu, *position)?, Edge::Trim, LIMIT).await?;
        let bytes: Bytes = write(file, vec![(part, Vec::new())], DATE, Packing::Plain);
        drop(bytes);
        taken.push(start.elapsed().as_secs_f64() * 1e3);
    }
    taken.sort_by(f64::total_cmp);
    println!(
        "{:.3} {:.3}",
        taken[taken.len() / 2],
        taken[taken.len() * 99 / 100]
    );
    Ok(())
}

/// What a server was asked for.
#[derive(Default)]
struct Asked {
    requests: AtomicU64,
    bytes: AtomicU64,
}

/// The batch over S3: cutouts a second, requests, bytes that were sent.
async fn s3(image: &Path, positions: &[Position]) -> anyhow::Result<()> {
    let root = tempfile::tempdir_in(image.parent().context("no folder")?)?;
    std::fs::create_dir(root.path().join("bucket"))?;
    std::fs::hard_link(image, root.path().join("bucket/image.fits"))?;
    // The image's tag, in the server's own file for it (the names in base64): without it the server hashes the whole image
    // for each answer.
    std::fs::write(
        root.path()
            .join(".bucket-YnVja2V0.object-aW1hZ2UuZml0cw.internal.json"),
        r#"{"e_tag": "00000000000000000000000000000000"}"#,
    )?;
    let files = s3s_fs::FileSystem::new(root.path()).map_err(|error| anyhow::anyhow!("{error:?}"))?;
    let mut service = S3ServiceBuilder::new(files);
    service.set_auth(SimpleAuth::from_single("key", "secret"));
    let service = service.build();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let asked = Arc::new(Asked::default());
    let counted = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (service, asked) = (service.clone(), Arc::clone(&counted));
            let answer = service_fn(move |request: Request<Incoming>| {
                let (service, asked) = (service.clone(), Arc::clone(&asked));
                async move {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    let answer = hyper::service::Service::call(&service, request).await;
                    asked.requests.fetch_add(1, Ordering::Relaxed);
                    if let Ok(answer) = &answer
                        && let Some(length) = answer.headers().get("content-length")
                        && let Ok(length) = length.to_str().unwrap_or_default().parse::<u64>()
                    {
                        asked.bytes.fetch_add(length, Ordering::Relaxed);
                    }
                    Ok::<_, Infallible>(answer.unwrap_or_default())
                }
            });
            tokio::spawn(async move {
                let connection = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                // A client that goes away is its own affair.
                let _ = connection.serve_connection(TokioIo::new(socket), answer).await;
            });
        }
    });
    let options = [
        ("AWS_ENDPOINT_URL", format!("http://{address}").as_str()),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ALLOW_HTTP", "true"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let sources = Sources::with_options(options.into());
    let start = Instant::now();
    let file = File::open(sources.open("s3://bucket/image.fits").await?).await?;
    batch(&file, positions, None).await?;
    let rate = positions.len() as f64 / start.elapsed().as_secs_f64();
    let [requests, bytes] = [&asked.requests, &asked.bytes].map(|count| count.load(Ordering::Relaxed));
    println!("{rate:.1} {requests} {bytes}");
    Ok(())
}

/// The most memory that this process has taken, bytes.
fn peak() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .context("no VmHWM")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes << 10)
}
