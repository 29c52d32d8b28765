//! Pictures of cutouts: PNG of one image by cuts, stretch and colour map, or of three bands in colour.
//!
//! Pure: pixels in, bytes out. `plane` reads pixels and shrinks them, `cuts` finds what is black and what is white,
//! `stretch` says how values in between are spread, `colour` colours them, `lupton` joins three bands, `encode` writes
//! the file; `parameters` reads what a request asks for. Drawing a large cutout takes a while: call it off the
//! asynchronous runtime.
//!
//! What a picture shows, always: the first row of the FITS image at the bottom, its first axis to the right, as FITS
//! viewers do; undefined pixels (NaN, BLANK) transparent; infinite ones in the colours of the ends. An image whose
//! longest side is over [`MAX_SIDE`] or the side asked for is reduced by a whole number, each pixel the mean of the
//! defined ones below it; a smaller one is enlarged by a whole number if a side is asked for.

mod colour;
mod cuts;
mod encode;
mod lupton;
pub mod parameters;
mod plane;
mod stretch;

use bytes::Bytes;
use thiserror::Error;

pub use colour::ColourMap;
pub use cuts::Cuts;
pub use parameters::Preview;
pub use plane::{Array, Plane, Scaling};
pub use stretch::Stretch;

use encode::{Picture, Pixels};

/// Media type of pictures.
pub const PNG: &str = "image/png";
/// Longest side of a picture in pixels.
pub const MAX_SIDE: u32 = 2048;

/// Why there is no picture.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DrawError {
    /// Not an image of two axes with the bytes that its shape needs.
    #[error("there is no image of two axes to draw")]
    NotAnImage,
    /// The three bands of a colour picture do not cover the same pixels.
    #[error("the three bands have {0}, which is not one size")]
    Sizes(String),
    /// The encoder failed.
    #[error("the picture could not be written: {0}")]
    Encoding(String),
}

/// How to draw, as far as it was said; the rest goes by the image.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Style {
    /// What is drawn as the first and the last colour.
    pub cuts: Option<Cuts>,
    /// How values in between are spread over the colours.
    pub stretch: Option<Stretch>,
    /// The colours.
    pub map: Option<ColourMap>,
    /// Whether they run the other way.
    pub invert: bool,
    /// Longest side of the picture in pixels, 1 to [`MAX_SIDE`].
    pub side: Option<u32>,
}

/// How an image is drawn.
struct Look {
    cuts: Cuts,
    stretch: Stretch,
    map: ColourMap,
}

impl Style {
    /// The side that a plane is reduced to.
    pub fn most(&self) -> u32 {
        self.side.unwrap_or(MAX_SIDE).clamp(1, MAX_SIDE)
    }

    /// Maps that lie about zero, by their unit, are drawn blue – white – red, symmetric about zero, linearly; any other
    /// image in greys by asinh, which shows faint and bright at once.
    fn look(&self, unit: Option<&str>) -> Look {
        let about_zero = unit.is_some_and(lies_about_zero);
        let map = self.map.unwrap_or(if about_zero {
            ColourMap::RedBlue
        } else {
            ColourMap::Grey
        });
        let cuts = self.cuts.unwrap_or(if map.diverges() {
            Cuts::Symmetric(99.5)
        } else {
            Cuts::central(99.5)
        });
        let stretch = self.stretch.unwrap_or(if about_zero || map.diverges() {
            Stretch::Linear
        } else {
            Stretch::Asinh
        });
        Look { cuts, stretch, map }
    }
}

/// Whether values of a unit are differences, of which half are below zero: temperatures of the microwave sky (K, mK,
/// `uK_CMB` and the like) and flux densities per beam of the maps made from them (mJy/beam).
fn lies_about_zero(unit: &str) -> bool {
    let unit: String = unit.chars().filter(|c| !c.is_whitespace()).collect();
    let bare = unit.strip_prefix(['m', 'u', 'n', 'µ', 'μ']).unwrap_or(&unit);
    let temperature = bare
        .strip_prefix('K')
        .or_else(|| bare.strip_prefix("Kelvin"))
        .or_else(|| bare.strip_prefix("kelvin"))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['_', '(', 'c', 'C', 'r', 'R']));
    let beam = unit.to_ascii_lowercase();
    temperature || beam.contains("jy/beam") || beam.contains("jybeam-1") || beam.contains("jybeam^-1")
}

/// What a picture says of itself (tEXt chunks).
#[derive(Debug, Clone, Default)]
pub struct Caption {
    /// What made it.
    pub software: String,
    /// The image or images that it shows, by public names.
    pub source: String,
    /// BUNIT.
    pub unit: Option<String>,
}

/// Draws one image as PNG. Memory: the plane, one byte a pixel of the picture, and the file.
pub fn draw(plane: &Plane, style: &Style, caption: &Caption) -> Result<Bytes, DrawError> {
    let look = style.look(caption.unit.as_deref());
    let limits = look.cuts.limits(plane.values());
    let index = |value: f64| {
        if value.is_nan() {
            return encode::UNDEFINED;
        }
        let share = look.stretch.of(limits.share(value), look.map.diverges());
        encode::level(if style.invert { 1.0 - share } else { share })
    };
    let (width, height, zoom) = plane.drawn(style.side);
    let picture = Picture {
        width,
        height,
        zoom,
        pixels: Pixels::Mapped {
            indices: plane.values().iter().map(|value| index(*value)).collect(),
            palette: encode::palette(look.map),
        },
        texts: texts(
            caption,
            plane,
            zoom,
            &format!("{limits} ({})", look.cuts),
            look.stretch.name(),
            &[look.map.name(), if style.invert { "inverted" } else { "" }],
        ),
    };
    encode::png(&picture)
}

/// Draws three bands as red, green and blue by the mapping of Lupton et al. (2004, PASP 116, 133) with Q = 8: the ratio
/// of the bands keeps its colour however bright. The lower cut of each band is black; the span of the cuts of their
/// mean is the linear stretch. A pixel that is undefined in any band is transparent.
pub fn draw_rgb(bands: &[Plane; 3], style: &Style, caption: &Caption) -> Result<Bytes, DrawError> {
    let sizes = bands.each_ref().map(Plane::size);
    if sizes[1..].iter().any(|size| *size != sizes[0]) {
        let sizes = sizes.map(|(width, height)| format!("{width} x {height}"));
        return Err(DrawError::Sizes(format!("{} pixels", sizes.join(", "))));
    }
    let cuts = style.cuts.unwrap_or(Cuts::ZScale);
    let (rgba, limits) = lupton::rgba(bands, cuts, style.invert);
    let [red, ..] = bands;
    let (width, height, zoom) = red.drawn(style.side);
    let picture = Picture {
        width,
        height,
        zoom,
        pixels: Pixels::Rgba(rgba),
        texts: texts(
            caption,
            red,
            zoom,
            &format!("{limits} ({cuts})"),
            "asinh (Lupton et al. 2004, Q = 8)",
            &["red, green, blue", if style.invert { "inverted" } else { "" }],
        ),
    };
    encode::png(&picture)
}

fn texts(
    caption: &Caption,
    plane: &Plane,
    zoom: u32,
    cuts: &str,
    stretch: &str,
    colours: &[&str; 2],
) -> Vec<(&'static str, String)> {
    let scale = match (plane.reduced(), zoom) {
        (1, 1) => "1".to_owned(),
        (1, zoom) => zoom.to_string(),
        (reduced, _) => format!("1/{reduced}"),
    };
    let mut texts = vec![
        ("Software", caption.software.clone()),
        ("Source", caption.source.clone()),
        ("Cuts", cuts.to_owned()),
        ("Stretch", stretch.to_owned()),
        ("Colours", colours.join(" ").trim_end().to_owned()),
        ("Scale", scale),
    ];
    texts.extend(caption.unit.clone().map(|unit| ("Unit", unit)));
    texts
}

#[cfg(test)]
mod tests;
