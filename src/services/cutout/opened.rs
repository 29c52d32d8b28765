//! An image that a job has opened, and where its positions lie on it.

use std::sync::Arc;

use rayon::prelude::*;

use super::{
    cutter::{on_all_threads, packing_copies, working},
    files::OpenFile,
    image::{Fault, HduBox, boxes, choose_planes, chosen},
    lightcurve,
    manifest::{self, ImageColumns, Imaged, SourceColumns},
    parameters::{Format, Request},
    plan::PlannedImage,
    sample, strips,
};
use crate::fits::{File, FitsError, Reason, Strips, memory_of};

/// An image with its headers.
pub struct Opened {
    /// As the catalogue has it.
    pub planned: PlannedImage,
    /// Its headers, if they could be read.
    pub file: Result<OpenFile, Fault>,
    /// What rows say of it.
    pub imaged: Arc<Imaged>,
}

/// Where a position lies on an image.
pub struct Found {
    /// Its place in the list.
    pub at: usize,
    /// The boxes to cut.
    pub boxes: Result<Vec<HduBox>, Fault>,
    /// The pixels of its light curve, if it has one.
    pub pixels: Option<Result<Vec<HduBox>, Fault>>,
}

/// The same in few bytes, for as many positions as there are.
pub struct Seen {
    /// Its place in the list.
    pub at: usize,
    /// The cutout.
    pub cutout: Lies,
    /// The point of its light curve, if it has one.
    pub point: Option<Lies>,
}

/// Whether something is on an image.
pub enum Lies {
    /// From this row on.
    From(i64),
    /// It is not, and nobody said that it should.
    Elsewhere,
    /// It cannot be cut.
    Nowhere(Box<Fault>),
}

impl Opened {
    /// An image whose headers were read, or were not.
    pub fn new(planned: PlannedImage, file: Result<OpenFile, Fault>) -> Opened {
        let image = &planned.image;
        let shared = |text: &Option<String>| text.as_deref().map(Arc::from);
        let columns = ImageColumns {
            collection: Some(Arc::clone(&planned.collection)),
            image: Some(image.path.as_str().into()),
            band: shared(&image.band),
            obs: shared(&image.obs),
            product_type: shared(&image.product_type),
        };
        let etag = file
            .as_ref()
            .ok()
            .and_then(|open| open.file.etag())
            .map(|etag| etag.trim_matches('"').into());
        let source = SourceColumns {
            source: Some(manifest::source(&planned.collection, image)),
            etag,
        };
        let imaged = Arc::new(Imaged {
            image: Arc::clone(&planned.image),
            columns,
            source,
        });
        Opened {
            planned,
            file,
            imaged,
        }
    }

    /// Where its positions lie.
    pub async fn survey(&self, request: &Arc<Request>) -> Vec<Seen> {
        let named = self.planned.named;
        self.look_at(request, &self.planned.rows, move |found| Seen {
            at: found.at,
            cutout: Lies::of(found.boxes, named),
            // Who has a cutout here is told why there is no point.
            point: found.pixels.map(|pixels| Lies::of(pixels, true)),
        })
        .await
    }

    /// The boxes of positions (places in the list).
    pub async fn look(&self, request: &Arc<Request>, places: &[usize]) -> Vec<Found> {
        self.look_at(request, places, |found| found).await
    }

    /// Worked out by all threads; other work goes on meanwhile.
    async fn look_at<T, F>(&self, request: &Arc<Request>, places: &[usize], of: F) -> Vec<T>
    where
        T: Send + 'static,
        F: Fn(Found) -> T + Copy + Send + Sync + 'static,
    {
        let nowhere = |fault: &Fault| places.iter().map(|at| of(nowhere(*at, request, fault))).collect();
        let file = match &self.file {
            Ok(open) => Arc::clone(&open.file),
            Err(fault) => return nowhere(fault),
        };
        let (asked, all_places) = (Arc::clone(request), places.to_vec());
        let looking = on_all_threads(move || {
            let look = |at: &usize| of(found(&file, &asked, *at));
            all_places.par_iter().map(look).collect()
        });
        looking.await.unwrap_or_else(|| {
            let message = "its coordinates could not be worked out";
            nowhere(&Fault::new(Reason::SourceUnreadable, message))
        })
    }
}

impl Lies {
    fn of(boxes: Result<Vec<HduBox>, Fault>, named: bool) -> Lies {
        match boxes {
            Ok(boxes) => Lies::From(boxes.first().map_or(0, |first| first.region.area.y_min)),
            Err(fault) if fault.is_outside() && !named => Lies::Elsewhere,
            Err(fault) => Lies::Nowhere(Box::new(fault)),
        }
    }
}

fn found(file: &File, request: &Request, at: usize) -> Found {
    let row = &request.list.rows[at];
    let position = lightcurve::position(&row.shape).filter(|_| request.lightcurve);
    Found {
        at,
        boxes: boxes_at(file, request, at),
        pixels: position.map(|position| sample::pixels(file, &request.hdus, position, &request.planes(row))),
    }
}

/// What becomes of a position on an image that cannot be looked at.
fn nowhere(at: usize, request: &Request, fault: &Fault) -> Found {
    let position = lightcurve::position(&request.list.rows[at].shape).filter(|_| request.lightcurve);
    Found {
        at,
        boxes: Err(fault.clone()),
        pixels: position.map(|_| Err(fault.clone())),
    }
}

/// The boxes of a row (its place in the list) on an image that a cutout is made of.
pub fn boxes_at(file: &File, request: &Request, at: usize) -> Result<Vec<HduBox>, Fault> {
    let row = &request.list.rows[at];
    let hdus = chosen(file, &request.hdus)?;
    let size = row.size.unwrap_or(request.size);
    let boxes = boxes(file, &hdus, !request.hdus.is_empty(), &row.shape, size)?;
    let mut boxes = choose_planes(file, boxes, &request.planes(row))?;
    if request.format == Format::Png {
        // A picture is of one image.
        boxes.truncate(1);
    }
    Ok(boxes)
}

/// How a cutout is made.
pub enum Course {
    /// All its pixels are cut and then stored.
    AtOnce,
    /// Strip by strip.
    InStrips,
}

/// How a cutout of these boxes is made in so many bytes; an error if it can never be held in them, or is not to be made as
/// they lie.
pub fn course(file: &File, boxes: &[HduBox], request: &Request, limit: u64) -> Result<Course, FitsError> {
    let mut pixels = 0_u64;
    for found in boxes {
        if let Some(hdu) = file.hdus().get(found.hdu) {
            pixels = pixels.saturating_add(memory_of(hdu, &found.region, request.edge)?);
        }
    }
    let bytes = room(pixels, request);
    if bytes <= limit {
        return Ok(Course::AtOnce);
    }
    let needed = |strips: Strips| strips::room(&strips, limit).saturating_add(working(limit));
    let in_strips = strips::strips(file, boxes, request, limit)?.map(needed);
    if in_strips.is_some_and(|bytes| bytes <= limit) {
        return Ok(Course::InStrips);
    }
    let what = "the cutout";
    let bytes = in_strips.map_or(bytes, |in_strips| in_strips.min(bytes));
    Err(FitsError::TooLarge { what, bytes, limit })
}

/// Bytes that a cutout takes whose pixels take so many while they are cut.
pub fn room(pixels: u64, request: &Request) -> u64 {
    // Files are written from where the pixels lie; what is drawn lies in memory as a file too.
    let drawn = if request.is_pictured() { 2 } else { 1 };
    pixels.saturating_mul(drawn + packing_copies(request.format.packing()))
}
