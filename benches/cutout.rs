//! Cuts boxes of 256 × 256 pixels out of an image through the library, and says how many a second.
//!
//! `cutout IMAGE POSITIONS FOLDER AT_ONCE`: POSITIONS is a CSV that begins with RA,DEC (deg, ICRS) and has a header;
//! the cutout of row N becomes FOLDER/N.fits, with CHECKSUM and DATASUM, and `SHA256SUMS` lists the sums of all.
//! Opening the image is part of the time. `cutouts.py` calls it.

use std::{path::Path, process::ExitCode, sync::Arc, time::Instant};

use anyhow::{Context, bail};
use futures::{StreamExt, TryStreamExt, stream};
use mimalloc::MiMalloc;
use sha2::{Digest, Sha256};
use sidereal::{
    fits::{Edge, File, cut, write},
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
    let [image, positions, folder, at_once] = arguments else {
        bail!("cutout IMAGE POSITIONS FOLDER AT_ONCE");
    };
    let positions = read_positions(positions)?;
    let at_once: usize = at_once.parse().context("AT_ONCE")?;
    let folder: Arc<Path> = Path::new(folder).into();

    let start = Instant::now();
    let file = Arc::new(File::open(Sources::default().open(image).await?).await?);
    let sums: Vec<String> = stream::iter(positions.iter().enumerate())
        .map(|(row, &position)| {
            let (file, folder) = (Arc::clone(&file), Arc::clone(&folder));
            async move { tokio::spawn(one(file, position, folder, row)).await? }
        })
        .buffered(at_once)
        .try_collect()
        .await?;
    std::fs::write(folder.join("SHA256SUMS"), sums.concat())?;
    println!("{:.1}", positions.len() as f64 / start.elapsed().as_secs_f64());
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

/// Makes one cutout of the first image in the file; gives its line of `SHA256SUMS`.
async fn one(file: Arc<File>, position: Position, folder: Arc<Path>, row: usize) -> anyhow::Result<String> {
    let hdu = file
        .hdus()
        .iter()
        .find(|hdu| hdu.is_image())
        .context("no image")?;
    let wcs = hdu.wcs()?.context("no coordinates")?;
    let area = wcs.pixel_box(position, SIZE)?;
    let cut = cut(&file, hdu, &area.into(), Edge::Trim, LIMIT).await?;
    tokio::task::spawn_blocking(move || {
        let bytes = write(&file, vec![(cut, Vec::new())], "2026-01-01T00:00:00");
        let name = format!("{row}.fits");
        std::fs::write(folder.join(&name), &bytes)?;
        Ok(format!("{}  {name}\n", hex::encode(Sha256::digest(&bytes))))
    })
    .await?
}
