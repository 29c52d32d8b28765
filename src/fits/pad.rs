//! The pixels of a box that lie outside of its image.

use super::bitpix::Bitpix;
use super::error::FitsError;
use super::lines::Block;

/// What pads a cutout, and whether the header has to be told.
pub(super) struct Padding {
    /// One pixel, big-endian.
    pub(super) pixel: Vec<u8>,
    /// The BLANK that has to be declared for it.
    pub(super) declare: Option<i64>,
}

/// The padding of an image of `bitpix` whose header declares `blank`, given the cutout's own `pixels`.
pub(super) fn padding(
    hdu: usize,
    bitpix: Bitpix,
    blank: Option<i64>,
    pixels: &[u8],
) -> Result<Padding, FitsError> {
    let known = match bitpix {
        Bitpix::F32 => Some(f32::NAN.to_be_bytes().to_vec()),
        Bitpix::F64 => Some(f64::NAN.to_be_bytes().to_vec()),
        _ => blank.and_then(|blank| stored(bitpix, blank)),
    };
    if let Some(pixel) = known {
        return Ok(Padding { pixel, declare: None });
    }
    let candidates: Vec<i64> = match bitpix {
        // astropy takes a BLANK of 0 for none.
        Bitpix::U8 => (0..=255).rev().collect(),
        Bitpix::I16 => vec![i16::MIN.into(), i16::MAX.into()],
        Bitpix::I32 => vec![i32::MIN.into(), i32::MAX.into()],
        _ => vec![i64::MIN, i64::MAX],
    };
    let unused = |pixel: &Vec<u8>| {
        pixels
            .chunks_exact(pixel.len())
            .all(|used| used != pixel.as_slice())
    };
    candidates
        .into_iter()
        .filter_map(|value| Some((value, stored(bitpix, value)?)))
        .find(|(_, pixel)| unused(pixel))
        .map(|(value, pixel)| Padding {
            pixel,
            declare: Some(value),
        })
        .ok_or(FitsError::NoBlank { hdu })
}

/// An array of `pixels` pixels that holds `from` where `block` says and the padding elsewhere.
pub(super) fn padded(from: &[u8], block: &Block, pixels: usize, padding: &Padding) -> Vec<u8> {
    let width = padding.pixel.len();
    let mut out = padding.pixel.repeat(pixels);
    for line in block.lines() {
        let (from_at, to_at, length) = (
            line.from as usize * width,
            line.to as usize * width,
            line.length as usize * width,
        );
        out[to_at..to_at + length].copy_from_slice(&from[from_at..from_at + length]);
    }
    out
}

/// A whole number as a pixel; `None` if the type has no such value.
fn stored(bitpix: Bitpix, value: i64) -> Option<Vec<u8>> {
    Some(match bitpix {
        Bitpix::U8 => u8::try_from(value).ok()?.to_be_bytes().to_vec(),
        Bitpix::I16 => i16::try_from(value).ok()?.to_be_bytes().to_vec(),
        Bitpix::I32 => i32::try_from(value).ok()?.to_be_bytes().to_vec(),
        Bitpix::I64 => value.to_be_bytes().to_vec(),
        Bitpix::F32 | Bitpix::F64 => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pad(bitpix: Bitpix, blank: Option<i64>, pixels: &[u8]) -> (Vec<u8>, Option<i64>) {
        let padding = padding(0, bitpix, blank, pixels).expect("a value is free");
        (padding.pixel, padding.declare)
    }

    #[test]
    fn padding_never_takes_a_value_that_is_in_use() {
        assert_eq!(pad(Bitpix::I16, Some(-99), &[]), (vec![0xff, 0x9d], None));
        assert_eq!(pad(Bitpix::I16, None, &[0, 1]), (vec![0x80, 0], Some(-32768)));
        assert_eq!(
            pad(Bitpix::I16, None, &[0x80, 0]),
            (vec![0x7f, 0xff], Some(32767))
        );
        assert_eq!(pad(Bitpix::I16, Some(70_000), &[]), (vec![0x80, 0], Some(-32768)));
        assert_eq!(pad(Bitpix::U8, None, &[255]), (vec![254], Some(254)));
        let from_one: Vec<u8> = (1..=255).collect();
        assert_eq!(pad(Bitpix::U8, None, &from_one), (vec![0], Some(0)));
        let all: Vec<u8> = (0..=255).collect();
        assert!(matches!(
            padding(0, Bitpix::U8, None, &all),
            Err(FitsError::NoBlank { .. })
        ));
        assert!(pad(Bitpix::F32, Some(0), &[]).0.starts_with(&[0x7f, 0xc0]));
    }
}
