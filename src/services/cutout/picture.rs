//! Pictures of FITS files: of a cutout just made or of a stored result. Pixels are decoded and drawn on threads of
//! their own, as many at once as the machine has cores.

use std::{
    num::NonZero,
    ops::Range,
    sync::{Arc, LazyLock},
};

use bytes::Bytes;
use futures::{FutureExt, TryStreamExt, future::BoxFuture};
use tokio::sync::Semaphore;

use super::{
    image::{Fault, NO_MATCHING_IMAGE, whole},
    manifest::SOFTWARE,
    memory::Memory,
    render::{self, Array, Caption, DrawError, Plane, Scaling, Style},
};
use crate::{
    fits::{Edge, File, FitsError, Hdu, Kind, Reason, Region, Source, SourceError, bytes_of, cut},
    objects::{ObjectsError, Results},
};

/// What decoding may hold beside the pixels.
const WORKING: u64 = 32 << 20;

/// Drawings at work at once: each holds a plane of up to 32 MB beside its pixels.
static SLOTS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(1, NonZero::get)));

/// A picture that is asked for.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// EXTNAME or number of the HDU; the first image by default.
    pub hdu: Option<String>,
    /// How it is drawn.
    pub style: Style,
    /// What the picture says that it shows.
    pub source: String,
}

/// Draws an image of a FITS file that lies in memory. Whoever calls holds the memory for twice its bytes.
pub async fn of_bytes(file: Bytes, wish: Wish) -> Result<Bytes, Fault> {
    let most = (file.len() as u64).saturating_mul(64).max(WORKING);
    let file = File::open(Arc::new(InMemory(file))).await?;
    let read = read(&file, &wish, most).await?;
    drawn(move || {
        let plane = read.plane(&wish.style)?;
        render::draw(&plane, &wish.style, &caption(wish.source, read.unit))
    })
    .await
}

/// Draws an image of a stored FITS file, in memory that it waits for.
pub async fn of_result(stored: StoredFile, wish: Wish, memory: &Memory) -> Result<Bytes, Fault> {
    let file = File::open(Arc::new(stored)).await?;
    let hdu = chosen(&file, wish.hdu.as_deref())?;
    let bytes = bytes_of(hdu, &first_plane(hdu)?, Edge::Trim)?.saturating_add(WORKING);
    let limit = memory.total();
    if bytes > limit {
        let what = "the picture";
        return Err(FitsError::TooLarge { what, bytes, limit }.into());
    }
    let held = memory.hold(bytes).await;
    let read = read(&file, &wish, bytes).await?;
    let picture = drawn(move || {
        let plane = read.plane(&wish.style)?;
        render::draw(&plane, &wish.style, &caption(wish.source, read.unit))
    })
    .await;
    drop(held);
    picture
}

/// Draws the first images of three FITS files in memory as red, green and blue.
pub async fn of_bands(files: [Bytes; 3], style: Style, source: String) -> Result<Bytes, Fault> {
    let mut bands = Vec::with_capacity(files.len());
    for file in files {
        let most = (file.len() as u64).saturating_mul(64).max(WORKING);
        let file = File::open(Arc::new(InMemory(file))).await?;
        bands.push(read(&file, &Wish::default(), most).await?);
    }
    drawn(move || {
        let planes: Result<Vec<Plane>, DrawError> = bands.iter().map(|band| band.plane(&style)).collect();
        let planes = <[Plane; 3]>::try_from(planes?).map_err(|_| DrawError::NotAnImage)?;
        let unit = bands.into_iter().next().and_then(|band| band.unit);
        render::draw_rgb(&planes, &style, &caption(source, unit))
    })
    .await
}

fn caption(source: String, unit: Option<String>) -> Caption {
    Caption {
        software: SOFTWARE.into(),
        source,
        unit,
    }
}

/// The pixels of an image, as they are stored.
struct Read {
    cut: crate::fits::Cut,
    axes: [usize; 2],
    scaling: Scaling,
    unit: Option<String>,
}

impl Read {
    fn plane(&self, style: &Style) -> Result<Plane, DrawError> {
        let array = Array {
            data: self.cut.data(),
            bitpix: self.cut.bitpix(),
            shape: self.cut.shape(),
            axes: self.axes,
        };
        Plane::new(&array, &self.scaling, style.most())
    }
}

async fn read(file: &File, wish: &Wish, limit: u64) -> Result<Read, Fault> {
    let hdu = chosen(file, wish.hdu.as_deref())?;
    let cut = cut(file, hdu, &first_plane(hdu)?, Edge::Trim, limit).await?;
    let header = hdu.header();
    let mut scaling = Scaling::of(header);
    if hdu.kind() == Kind::Compressed {
        scaling.blank = scaling.blank.or_else(|| header.integer("ZBLANK"));
    }
    Ok(Read {
        cut,
        axes: axes(hdu),
        scaling,
        unit: header.text("BUNIT"),
    })
}

/// The HDU of this name or number that holds an image; the first that does if none is named.
fn chosen<'a>(file: &'a File, name: Option<&str>) -> Result<&'a Hdu, Fault> {
    let hdus = match name {
        Some(name) => file.select(name),
        None => file.hdus().iter().collect(),
    };
    let found = hdus
        .into_iter()
        .find(|hdu| hdu.is_image() && hdu.shape().len() > 1);
    found.ok_or_else(|| Fault {
        reason: NO_MATCHING_IMAGE,
        message: match name {
            Some(name) => format!("the file has no image HDU {name}"),
            None => "the file has no image".into(),
        },
    })
}

/// The celestial axes, or the first two.
fn axes(hdu: &Hdu) -> [usize; 2] {
    hdu.wcs().ok().flatten().map_or([0, 1], crate::fits::Wcs::axes)
}

/// All of an image but for further planes of further axes.
fn first_plane(hdu: &Hdu) -> Result<Region, FitsError> {
    let area = whole(hdu).ok_or(FitsError::NotAnImage { hdu: hdu.number() })?;
    Ok(Region {
        area,
        planes: hdu.shape().iter().skip(2).map(|_| 0..1).collect(),
    })
}

/// Draws on a thread of its own, once there is a place.
async fn drawn(draw: impl FnOnce() -> Result<Bytes, DrawError> + Send + 'static) -> Result<Bytes, Fault> {
    // The semaphore is never closed.
    let _place = SLOTS.acquire().await.ok();
    let drawn = tokio::task::spawn_blocking(draw).await;
    let drawn = drawn.map_err(|error| Fault::new(Reason::SourceUnreadable, error.to_string()))?;
    drawn.map_err(|error| Fault::new(Reason::SourceUnreadable, error.to_string()))
}

/// A FITS file that lies in memory.
struct InMemory(Bytes);

impl Source for InMemory {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn etag(&self) -> Option<&str> {
        None
    }

    fn read(&self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>, SourceError>> {
        let part = |range: Range<u64>| self.0.slice(range.start as usize..range.end as usize);
        async move { Ok(ranges.into_iter().map(part).collect()) }.boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), SourceError>> {
        async { Ok(()) }.boxed()
    }

    fn is_local(&self) -> bool {
        true
    }
}

/// A FITS file among the results.
pub struct StoredFile {
    /// Where results are.
    pub results: Results,
    /// Its key.
    pub key: String,
    /// Its bytes.
    pub size: u64,
}

impl StoredFile {
    async fn part(&self, range: Range<u64>) -> Result<Bytes, SourceError> {
        let length = range.end - range.start;
        let failed = |error| match error {
            ObjectsError::NotFound => SourceError::NotFound,
            other => SourceError::Other(other.into()),
        };
        let mut object = self.results.get(&self.key, Some(range)).await.map_err(failed)?;
        let mut bytes = Vec::new();
        while let Some(piece) = object.body.try_next().await.map_err(failed)? {
            bytes.extend_from_slice(&piece);
            if bytes.len() as u64 > length {
                return Err(SourceError::Changed);
            }
        }
        Ok(bytes.into())
    }
}

impl Source for StoredFile {
    fn size(&self) -> u64 {
        self.size
    }

    fn etag(&self) -> Option<&str> {
        None
    }

    fn read(&self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>, SourceError>> {
        async move {
            let (Some(start), Some(end)) = (
                ranges.first().map(|range| range.start),
                ranges.iter().map(|range| range.end).max(),
            ) else {
                return Ok(Vec::new());
            };
            // What is read of a result lies together.
            let all = self.part(start..end).await?;
            let part = |range: Range<u64>| {
                let (from, to) = ((range.start - start) as usize, (range.end - start) as usize);
                (to <= all.len())
                    .then(|| all.slice(from..to))
                    .ok_or(SourceError::Changed)
            };
            ranges.into_iter().map(part).collect()
        }
        .boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), SourceError>> {
        async { Ok(()) }.boxed()
    }
}
