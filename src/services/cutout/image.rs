//! An image that is open: its headers, and the boxes of positions on it.

use crate::{
    fits::{File, FitsError, Hdu, PixelBox, Reason, Region, SourceError, Wanted},
    objects::{ObjectsError, Sources},
    sky::{Length, Shape, Size},
};

/// Why there is no cutout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// `reason` in the manifest.
    pub reason: &'static str,
    /// What happened, for people.
    pub message: String,
}

/// No image of those that the job asked for.
pub const NO_MATCHING_IMAGE: &str = "no_matching_image";

impl Fault {
    /// A fault with one of the reasons that FITS files give.
    pub fn new(reason: Reason, message: impl Into<String>) -> Fault {
        Fault {
            reason: reason.name(),
            message: message.into(),
        }
    }

    /// Whether the position does not lie on the image.
    pub fn is_outside(&self) -> bool {
        self.reason == Reason::OutsideFootprint.name()
    }
}

impl From<FitsError> for Fault {
    fn from(error: FitsError) -> Fault {
        Fault::from(&error)
    }
}

impl From<&FitsError> for Fault {
    fn from(error: &FitsError) -> Fault {
        let reason = error.reason();
        match error {
            // What a store says of itself is for the log of the server.
            FitsError::Source(SourceError::Other(source)) => {
                tracing::warn!(%source, "an image could not be read");
                Fault::new(reason, "the store of the image did not answer as it should")
            }
            FitsError::TooLarge { .. } => {
                let message =
                    format!("{error}; ask for less of it, or of the server for more (cutout.memory)");
                Fault::new(reason, message)
            }
            error => Fault::new(reason, error.to_string()),
        }
    }
}

/// A box on an HDU.
#[derive(Debug, Clone, PartialEq)]
pub struct HduBox {
    /// The HDU.
    pub hdu: usize,
    /// Its box, which may hang over the edges, and its planes.
    pub region: Region,
    /// Width and height (arcmin).
    pub extent: [f64; 2],
}

/// Reads the headers of an image.
pub async fn open(sources: &Sources, url: &str) -> Result<File, Fault> {
    let source = sources.open(url).await.map_err(|error| {
        let error = match error {
            ObjectsError::Unusable(why) => return Fault::new(Reason::SourceUnreadable, why),
            ObjectsError::NotFound => SourceError::NotFound,
            ObjectsError::Changed => SourceError::Changed,
            other => SourceError::Other(other.into()),
        };
        FitsError::from(error).into()
    })?;
    Ok(File::open(source).await?)
}

/// The HDUs to cut: those that `asked` names, or all that hold images.
pub fn chosen<'a>(file: &'a File, asked: &[String]) -> Result<Vec<&'a Hdu>, Fault> {
    if asked.is_empty() {
        return Ok(file.hdus().iter().filter(|hdu| hdu.is_image()).collect());
    }
    let mut hdus: Vec<&Hdu> = Vec::new();
    for name in asked {
        let found = file.select(name).into_iter().filter(|hdu| hdu.is_image());
        hdus.extend(found);
    }
    hdus.sort_by_key(|hdu| hdu.number());
    hdus.dedup_by_key(|hdu| hdu.number());
    if hdus.is_empty() {
        let message = format!("the file has no image HDU {}", asked.join(" or "));
        return Err(Fault {
            reason: NO_MATCHING_IMAGE,
            message,
        });
    }
    Ok(hdus)
}

/// The boxes of `shape` (around a point, of `size`) on those of `hdus` that it touches.
///
/// An HDU without coordinates of its own has those of one of the same shape, as weights and masks often do. Of HDUs
/// that nobody named, one without any coordinates is left out.
pub fn boxes(
    file: &File,
    hdus: &[&Hdu],
    named: bool,
    shape: &Shape,
    size: Size,
) -> Result<Vec<HduBox>, Fault> {
    let mut boxes = Vec::new();
    let mut outside = None;
    let mut unusable = None;
    for hdu in hdus {
        match hdu_box(file, hdu, shape, size) {
            Ok(Some(found)) => boxes.push(found),
            Ok(None) if named => {
                unusable = unusable.or_else(|| Some(FitsError::NoWcs { hdu: hdu.number() }));
            }
            Ok(None) => {}
            Err(error @ FitsError::Outside { .. }) => outside = Some(error),
            Err(error) => unusable = unusable.or(Some(error)),
        }
    }
    match (unusable, outside) {
        (Some(error), _) => Err(error.into()),
        (None, Some(error)) if boxes.is_empty() => Err(error.into()),
        (None, None) if boxes.is_empty() => Err(Fault::new(
            Reason::NoWcs,
            "no HDU of the file has celestial coordinates",
        )),
        _ => Ok(boxes),
    }
}

fn hdu_box(file: &File, hdu: &Hdu, shape: &Shape, size: Size) -> Result<Option<HduBox>, FitsError> {
    let found = |area: PixelBox, extent| {
        Some(HduBox {
            hdu: hdu.number(),
            region: area.into(),
            extent,
        })
    };
    if *shape == Shape::Sky {
        // The whole of an image needs no coordinates.
        return Ok(whole(hdu).and_then(|area| found(area, UNKNOWN)));
    }
    let wcs = match hdu.wcs()? {
        Some(wcs) => wcs,
        None => match like(file, hdu).and_then(|other| other.wcs().ok().flatten()) {
            Some(wcs) => wcs,
            None => return Ok(None),
        },
    };
    let Shape::Point(position) = shape else {
        return Ok(found(wcs.shape_box(shape)?, UNKNOWN));
    };
    let area = wcs.pixel_box(*position, size)?;
    let scale = || wcs.to_pixel(*position).and_then(|pixel| wcs.scale(pixel));
    let arcmin = |length, pixels: u64, axis: usize| match length {
        Length::Degrees(degrees) => degrees * 60.0,
        Length::Pixels(_) => scale().map_or(f64::NAN, |scale| pixels as f64 * scale[axis] * 60.0),
    };
    let extent = [
        arcmin(size.width, area.width(), 0),
        arcmin(size.height, area.height(), 1),
    ];
    Ok(found(area, extent))
}

/// Extent of boxes that were not asked for by their size.
const UNKNOWN: [f64; 2] = [f64::NAN; 2];

/// All pixels of an image; of more axes, those that `cut` takes for x and y. None if it has less than two.
pub fn whole(hdu: &Hdu) -> Option<PixelBox> {
    let axes = hdu.box_axes();
    let length = |axis: usize| i64::try_from(*hdu.shape().get(axes[axis])?).ok();
    Some(PixelBox {
        x_min: 1,
        x_max: length(0)?,
        y_min: 1,
        y_max: length(1)?,
    })
}

/// Another image of the same shape that has coordinates, whose axes lie as those of an image without any do.
fn like<'a>(file: &'a File, hdu: &Hdu) -> Option<&'a Hdu> {
    let alike = |other: &&Hdu| other.is_image() && other.shape() == hdu.shape();
    let mut others = file.hdus().iter().filter(alike);
    others.find(|other| other.wcs().is_ok_and(|wcs| wcs.is_some()) && other.box_axes() == [0, 1])
}

/// Narrows boxes to the planes that are wanted. An HDU that has none of them is left out, and it is an error if all are.
pub fn choose_planes(file: &File, mut boxes: Vec<HduBox>, wanted: &Wanted<'_>) -> Result<Vec<HduBox>, Fault> {
    let mut fault = None;
    boxes.retain_mut(|found| {
        let Some(hdu) = file.hdus().get(found.hdu) else {
            return true;
        };
        let bare = !hdu.has_planes() && hdu.wcs().is_ok_and(|wcs| wcs.is_none());
        let axes_of = if bare { like(file, hdu).unwrap_or(hdu) } else { hdu };
        match axes_of.planes(wanted) {
            Ok(planes) => {
                found.region.planes = planes;
                true
            }
            Err(error) => {
                fault.get_or_insert(error);
                false
            }
        }
    });
    match fault {
        Some(error) if boxes.is_empty() || !matches!(error, FitsError::Outside { .. }) => Err(error.into()),
        _ => Ok(boxes),
    }
}
