//! Pictures as PNG files (W3C PNG, third edition).

use bytes::Bytes;
use png::{BitDepth, ColorType, Compression, Encoder, Filter};

use super::{ColourMap, DrawError};

/// The place in the palette of pixels that have no value.
pub const UNDEFINED: u8 = 0;
/// The steps between the first colour and the last.
const STEPS: f64 = 254.0;

/// A picture to be written.
pub struct Picture {
    /// Columns, before it is enlarged.
    pub width: usize,
    /// Rows, before it is enlarged.
    pub height: usize,
    /// Pixels a side of the file for one of the picture.
    pub zoom: u32,
    /// Row by row, from the bottom.
    pub pixels: Pixels,
    /// What the file says of itself; keywords of at most 79 letters.
    pub texts: Vec<(&'static str, String)>,
}

/// The pixels of a picture.
pub enum Pixels {
    /// A byte each: places in the palette.
    Mapped {
        /// One a pixel.
        indices: Vec<u8>,
        /// Three bytes a colour.
        palette: Vec<u8>,
    },
    /// Four bytes each.
    Rgba(Vec<u8>),
}

/// The place in the palette of a share of the colours, 0 to 1.
pub fn level(share: f64) -> u8 {
    1 + (share * STEPS).round() as u8
}

/// The palette of a colour map, what is undefined first.
pub fn palette(map: ColourMap) -> Vec<u8> {
    let colours = (0..=STEPS as u8).flat_map(|step| map.colour(f64::from(step) / STEPS));
    [0; 3].into_iter().chain(colours).collect()
}

/// The file.
pub fn png(picture: &Picture) -> Result<Bytes, DrawError> {
    write(picture).map_err(|error| DrawError::Encoding(error.to_string()))
}

fn write(picture: &Picture) -> Result<Bytes, png::EncodingError> {
    let side = |length: usize| {
        u32::try_from(length)
            .unwrap_or(u32::MAX)
            .saturating_mul(picture.zoom)
    };
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&mut out, side(picture.width), side(picture.height));
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::Fast);
    let (pixels, size) = match &picture.pixels {
        Pixels::Mapped { indices, palette } => {
            encoder.set_color(ColorType::Indexed);
            encoder.set_palette(palette.as_slice());
            // The first colour of the palette is clear, the others are opaque.
            encoder.set_trns(&[0][..]);
            encoder.set_filter(Filter::NoFilter);
            encoder.set_compression(Compression::Balanced);
            (indices, 1)
        }
        Pixels::Rgba(pixels) => {
            encoder.set_color(ColorType::Rgba);
            (pixels, 4)
        }
    };
    for (keyword, text) in &picture.texts {
        encoder.add_text_chunk((*keyword).to_owned(), printable(text))?;
    }
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&enlarged(
        pixels,
        picture.width * size,
        size,
        picture.zoom as usize,
    ))?;
    writer.finish()?;
    Ok(out.into())
}

/// Rows from the top, each pixel `zoom` times along both axes.
fn enlarged(pixels: &[u8], row: usize, size: usize, zoom: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(pixels.len() * zoom * zoom);
    for row in pixels.chunks_exact(row).rev() {
        let start = out.len();
        for pixel in row.chunks_exact(size) {
            for _ in 0..zoom {
                out.extend_from_slice(pixel);
            }
        }
        let end = out.len();
        for _ in 1..zoom {
            out.extend_from_within(start..end);
        }
    }
    out
}

/// What tEXt takes of a text: here ASCII alone, and not without end.
fn printable(text: &str) -> String {
    text.chars()
        .take(1000)
        .map(|c| if (' '..='~').contains(&c) { c } else { '?' })
        .collect()
}
