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

/// The padding of an image of `bitpix` whose header declares `blank`, given the cutout's own `pixels`: NaN, or for whole
/// numbers BLANK (FITS 4.0, section 4.4.2.5: as they are stored, before BZERO). If there is none a value that no pixel
/// has is declared.
///
/// CFITSIO takes BLANK for undefined whatever BZERO is. astropy does so where it makes reals of the pixels; not of
/// unsigned integers (BZERO = 2¹⁵, 2³¹, 2⁶³; it shows BLANK + BZERO there), unless opened with `uint=False`; and of
/// signed bytes (BZERO = −128) it cannot show any but a BLANK of 0, so that their `is_signed_bytes` prefers it.
pub(super) fn padding(
    hdu: usize,
    bitpix: Bitpix,
    blank: Option<i64>,
    is_signed_bytes: bool,
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
    let unused = match bitpix {
        Bitpix::U8 => {
            let used = Used::of(bitpix, pixels, 0, 256);
            let mut highest_first = (0..256).rev().filter(|value| used.is_free(*value));
            // Else astropy takes a BLANK of 0 for none.
            if is_signed_bytes && used.is_free(0) {
                Some(0)
            } else {
                highest_first.next()
            }
        }
        Bitpix::I16 => free(bitpix, pixels, i16::MIN.into(), i16::MAX.into()),
        Bitpix::I32 => free(bitpix, pixels, i32::MIN.into(), i32::MAX.into()),
        _ => free(bitpix, pixels, i64::MIN, i64::MAX),
    };
    unused
        .and_then(|value| {
            Some(Padding {
                pixel: stored(bitpix, value)?,
                declare: Some(value),
            })
        })
        .ok_or(FitsError::NoBlank { hdu })
}

/// A value that no pixel has: the least, else the largest, else the least but for 0.
fn free(bitpix: Bitpix, pixels: &[u8], least: i64, largest: i64) -> Option<i64> {
    let width = bitpix.bytes() as usize;
    // Of more values than there are pixels one is free.
    let values = (pixels.len() / width) as u64 + 2;
    let all = largest.abs_diff(least).saturating_add(1);
    let low = Used::of(bitpix, pixels, least, values.min(all));
    if low.is_free(least) {
        return Some(least);
    }
    if Used::of(bitpix, pixels, largest, 1).is_free(largest) {
        return Some(largest);
    }
    let mut values = (0..values.min(all)).map(|above| least.wrapping_add_unsigned(above));
    values.find(|value| *value != 0 && low.is_free(*value))
}

/// A pixel as a whole number.
fn whole(bitpix: Bitpix, pixel: &[u8]) -> i64 {
    let is_negative = bitpix != Bitpix::U8 && pixel.first().is_some_and(|byte| *byte > 0x7f);
    let signs = if is_negative { -1 } else { 0 };
    pixel
        .iter()
        .fold(signs, |value, byte| value << 8 | i64::from(*byte))
}

/// Which of some values from `least` on the pixels have.
struct Used {
    least: i64,
    bits: Vec<u64>,
}

impl Used {
    fn of(bitpix: Bitpix, pixels: &[u8], least: i64, values: u64) -> Used {
        let mut bits = vec![0_u64; values.div_ceil(64) as usize];
        for pixel in pixels.chunks_exact(bitpix.bytes() as usize) {
            let value = whole(bitpix, pixel);
            if value >= least && value.abs_diff(least) < values {
                let above = value.abs_diff(least);
                bits[(above / 64) as usize] |= 1 << (above % 64);
            }
        }
        Used { least, bits }
    }

    fn is_free(&self, value: i64) -> bool {
        let above = value.abs_diff(self.least);
        self.bits[(above / 64) as usize] & (1 << (above % 64)) == 0
    }
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
        let padding = padding(0, bitpix, blank, false, pixels).expect("a value is free");
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
        // As of uint16 that has 0 and 65535.
        assert_eq!(
            pad(Bitpix::I16, None, &[0x80, 0, 0x7f, 0xff, 0x80, 1]),
            (vec![0x80, 2], Some(-32766))
        );
        assert_eq!(pad(Bitpix::I16, Some(70_000), &[]), (vec![0x80, 0], Some(-32768)));
        assert_eq!(pad(Bitpix::U8, None, &[255]), (vec![254], Some(254)));
        let from_one: Vec<u8> = (1..=255).collect();
        assert_eq!(pad(Bitpix::U8, None, &from_one), (vec![0], Some(0)));
        for bitpix in [Bitpix::I32, Bitpix::I64] {
            let (least, largest): (i64, i64) = if bitpix == Bitpix::I32 {
                (i32::MIN.into(), i32::MAX.into())
            } else {
                (i64::MIN, i64::MAX)
            };
            let pixels: Vec<u8> = [least, least + 1, largest, 7]
                .iter()
                .flat_map(|value| stored(bitpix, *value).expect("fits"))
                .collect();
            assert_eq!(pad(bitpix, None, &pixels).1, Some(least + 2));
        }
        assert!(pad(Bitpix::F32, Some(0), &[]).0.starts_with(&[0x7f, 0xc0]));
    }

    #[test]
    fn where_every_value_is_in_use_there_is_no_padding() {
        let bytes: Vec<u8> = (0..=255).collect();
        let shorts: Vec<u8> = (i16::MIN..=i16::MAX).flat_map(i16::to_be_bytes).collect();
        for (bitpix, pixels) in [(Bitpix::U8, bytes), (Bitpix::I16, shorts)] {
            let error = padding(0, bitpix, None, false, &pixels)
                .err()
                .expect("none is free");
            assert_eq!(error.reason().name(), "no_blank");
        }
    }

    #[test]
    fn signed_bytes_are_padded_with_what_astropy_can_show() {
        let pad = |pixels: &[u8]| padding(0, Bitpix::U8, None, true, pixels).expect("free").declare;
        assert_eq!((pad(&[255]), pad(&[0])), (Some(0), Some(255)));
    }
}
