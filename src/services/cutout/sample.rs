//! What an image has at a position: the pixel and its weight, read in the same walk over the image as its cutouts.

use super::{
    image::{Fault, HduBox, boxes, choose_planes, chosen},
    weights::{is_weight, weights_of},
};
use crate::{
    fits::{Cut, File, Hdu, Wanted},
    sky::{Length, Position, Shape, Size},
    store::Image,
};

/// What an image has at a position.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Begin and end of the observation, MJD (UTC).
    pub mjd: [Option<f64>; 2],
    /// The pixel and what it means, if it was read.
    pub read: Option<Read>,
}

/// A pixel that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// The HDU, 0 the primary.
    pub hdu: usize,
    /// The pixel, from 1.
    pub pixel: [i64; 2],
    /// What it means; NaN if it is undefined.
    pub value: f64,
    /// Its weight, if the image has weights.
    pub weight: Option<f64>,
    /// BUNIT.
    pub unit: Option<String>,
}

impl Sample {
    /// Of an image that is not read yet.
    pub fn new(image: &Image) -> Sample {
        Sample {
            mjd: [image.t_min, image.t_max],
            read: None,
        }
    }

    /// Takes the time of the plane that its pixel lies in, if that has one of its own.
    pub fn narrow(&mut self, file: &File, pixels: &[HduBox]) {
        let times = pixels.first().and_then(|pixel| {
            let hdu = file.hdus().get(pixel.hdu)?;
            hdu.times_of(&pixel.region.planes)
        });
        if let Some(times) = times {
            self.mjd = times.map(Some);
        }
    }

    /// Takes what was cut of the pixels that [`pixels`] gave.
    pub fn take(&mut self, file: &File, cuts: &[Cut]) {
        let Some(cut) = cuts.first() else { return };
        let unit = file
            .hdus()
            .get(cut.hdu())
            .and_then(|hdu| hdu.header().text("BUNIT"));
        self.read = Some(Read {
            hdu: cut.hdu(),
            pixel: [cut.area().x_min, cut.area().y_min],
            value: cut.physical().next().unwrap_or(f64::NAN),
            weight: cuts.get(1).and_then(|weight| weight.physical().next()),
            unit: unit.filter(|unit| !unit.is_empty()),
        });
    }

    /// Something of what was read.
    pub fn of<T>(&self, what: impl Fn(&Read) -> T) -> Option<T> {
        self.read.as_ref().map(what)
    }

    /// The weight, if it was read and there is one.
    pub fn weight(&self) -> Option<f64> {
        self.read.as_ref()?.weight
    }

    /// The unit of the value, if it was read and there is one.
    pub fn unit(&self) -> Option<&str> {
        self.read.as_ref()?.unit.as_deref()
    }

    /// Middle of the observation, MJD.
    pub fn middle(&self) -> Option<f64> {
        match self.mjd {
            [Some(begin), Some(end)] => Some(begin.midpoint(end)),
            [one, other] => one.or(other),
        }
    }

    /// Why the value is not to be used, if it was read.
    pub fn flaw(&self) -> Option<&'static str> {
        let read = self.read.as_ref()?;
        let weightless = read.weight.is_some_and(|weight| weight.is_nan() || weight <= 0.0);
        if weightless {
            Some("zero_weight")
        } else if read.value.is_nan() {
            Some("undefined_pixel")
        } else {
            None
        }
    }
}

/// The pixel that holds a position, of the first of the HDUs that `asked` names (or of all) on which it lies, and of the
/// first of the planes that are wanted; and then its weight if there is one. Who asks for weights alone has the weight as
/// the value.
pub fn pixels(
    file: &File,
    asked: &[String],
    position: Position,
    wanted: &Wanted<'_>,
) -> Result<Vec<HduBox>, Fault> {
    let mut hdus = chosen(file, asked)?;
    if hdus.iter().any(|hdu| !is_weight(hdu)) {
        hdus.retain(|hdu| !is_weight(hdu));
    }
    let pixel = Size {
        width: Length::Pixels(1),
        height: Length::Pixels(1),
    };
    let found = boxes(file, &hdus, !asked.is_empty(), &Shape::Point(position), pixel)?;
    let mut found = choose_planes(file, found, wanted)?;
    found.truncate(1);
    let hdu_of = |found: &HduBox| file.hdus().get(found.hdu);
    if let Some(value) = found.first_mut()
        && let Some(hdu) = hdu_of(value)
    {
        let planes = &mut value.region.planes;
        planes.resize(hdu.shape().len().saturating_sub(2), 0..1);
        for plane in planes {
            plane.end = plane.start + 1;
        }
    }
    let weight = found.first().and_then(|value| {
        let hdu = hdu_of(value).filter(|hdu| !is_weight(hdu))?;
        Some(HduBox {
            hdu: weights_of(file, hdu)
                .filter(|weights| weights.box_axes() == hdu.box_axes())
                .map(Hdu::number)?,
            ..value.clone()
        })
    });
    found.extend(weight);
    Ok(found)
}
