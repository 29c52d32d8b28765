//! The pixels of a picture, as numbers: read from a FITS array of any type, and reduced to the size of the picture.

use rayon::prelude::*;

use super::{DrawError, MAX_SIDE};
use crate::fits::{Bitpix, Header};

/// An array as FITS stores it.
#[derive(Debug, Clone, Copy)]
pub struct Array<'a> {
    /// Its pixels, big-endian, the first axis fastest.
    pub data: &'a [u8],
    /// Their type.
    pub bitpix: Bitpix,
    /// Its axes, NAXIS1 first.
    pub shape: &'a [u64],
    /// The two axes to draw, 0-based; of every other axis the first plane is drawn.
    pub axes: [usize; 2],
}

/// What stored numbers stand for (FITS 4.0, section 4.4.2.5).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scaling {
    /// BSCALE.
    pub scale: f64,
    /// BZERO.
    pub zero: f64,
    /// The whole number that means undefined.
    pub blank: Option<i64>,
}

impl Scaling {
    /// The numbers as they are.
    pub const NONE: Scaling = Scaling {
        scale: 1.0,
        zero: 0.0,
        blank: None,
    };

    /// As a header says.
    pub fn of(header: &Header) -> Scaling {
        Scaling {
            scale: header.real("BSCALE").unwrap_or(1.0),
            zero: header.real("BZERO").unwrap_or(0.0),
            blank: header.integer("BLANK"),
        }
    }

    fn real(&self, stored: f64) -> f64 {
        self.zero + self.scale * stored
    }

    fn whole(&self, stored: i64) -> f64 {
        if self.blank == Some(stored) {
            f64::NAN
        } else {
            self.real(stored as f64)
        }
    }
}

/// Physical values, at most [`MAX_SIDE`] a side, NaN where undefined; the first row is the bottom of the picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Plane {
    width: usize,
    height: usize,
    values: Vec<f64>,
    reduced: u32,
}

impl Plane {
    /// Reads an array; if a side is longer than `most`, each value is the mean of the defined pixels of a square (at the
    /// upper and right edge of what there is of it).
    pub fn new(array: &Array<'_>, scaling: &Scaling, most: u32) -> Result<Plane, DrawError> {
        let Array { bitpix, data, .. } = *array;
        match bitpix {
            Bitpix::U8 => read(array, most, data.as_chunks().0, |[byte]| {
                scaling.whole(byte.into())
            }),
            Bitpix::I16 => read(array, most, data.as_chunks().0, |bytes| {
                scaling.whole(i16::from_be_bytes(bytes).into())
            }),
            Bitpix::I32 => read(array, most, data.as_chunks().0, |bytes| {
                scaling.whole(i32::from_be_bytes(bytes).into())
            }),
            Bitpix::I64 => read(array, most, data.as_chunks().0, |bytes| {
                scaling.whole(i64::from_be_bytes(bytes))
            }),
            Bitpix::F32 => read(array, most, data.as_chunks().0, |bytes| {
                scaling.real(f32::from_be_bytes(bytes).into())
            }),
            Bitpix::F64 => read(array, most, data.as_chunks().0, |bytes| {
                scaling.real(f64::from_be_bytes(bytes))
            }),
        }
    }

    /// Values row by row, from the bottom.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Columns and rows.
    pub fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// How many pixels of the array a value stands for, along each axis.
    pub fn reduced(&self) -> u32 {
        self.reduced
    }

    /// Columns, rows, and how many pixels a side the picture has for each value, so that it is no longer than `side`.
    pub(super) fn drawn(&self, side: Option<u32>) -> (usize, usize, u32) {
        let longest = self.width.max(self.height).max(1);
        let zoom = side.map_or(1, |side| side.min(MAX_SIDE) as usize / longest);
        (self.width, self.height, zoom.max(1) as u32)
    }
}

fn read<const N: usize>(
    array: &Array<'_>,
    most: u32,
    pixels: &[[u8; N]],
    value: impl Fn([u8; N]) -> f64 + Sync,
) -> Result<Plane, DrawError> {
    let Array { shape, mut axes, .. } = *array;
    axes.sort_unstable();
    let count = shape.iter().try_fold(1_u64, |all, axis| all.checked_mul(*axis));
    let (Some(count), Some(&width), Some(&height)) = (count, shape.get(axes[0]), shape.get(axes[1])) else {
        return Err(DrawError::NotAnImage);
    };
    if axes[0] == axes[1] || count == 0 || pixels.len() as u64 != count {
        return Err(DrawError::NotAnImage);
    }
    // As many as there are pixels in memory.
    let (width, height) = (width as usize, height as usize);
    let stride = |axis: usize| shape[..axis].iter().product::<u64>() as usize;
    let (along, across) = (stride(axes[0]), stride(axes[1]));
    let step = width.max(height).div_ceil(most.clamp(1, MAX_SIDE) as usize);
    let (columns, rows) = (width.div_ceil(step), height.div_ceil(step));
    let mut values = vec![0.0; columns * rows];
    values
        .par_chunks_mut(columns)
        .enumerate()
        .for_each(|(row, line)| {
            let mut counts = vec![0_u32; columns];
            for y in row * step..height.min((row + 1) * step) {
                for x in 0..width {
                    let value = value(pixels[y * across + x * along]);
                    if !value.is_nan() {
                        line[x / step] += value;
                        counts[x / step] += 1;
                    }
                }
            }
            for (sum, count) in line.iter_mut().zip(counts) {
                // Of no pixel it is NaN.
                *sum /= f64::from(count);
            }
        });
    Ok(Plane {
        width: columns,
        height: rows,
        values,
        reduced: u32::try_from(step).unwrap_or(u32::MAX),
    })
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "exact by construction")]
mod tests {
    use super::*;

    fn plane(data: &[u8], bitpix: Bitpix, shape: &[u64], scaling: &Scaling, most: u32) -> Plane {
        let array = Array {
            data,
            bitpix,
            shape,
            axes: [0, 1],
        };
        Plane::new(&array, scaling, most).unwrap()
    }

    fn bytes<const N: usize>(values: impl IntoIterator<Item = [u8; N]>) -> Vec<u8> {
        values.into_iter().flatten().collect()
    }

    #[test]
    fn every_type_is_read_and_scaled() {
        let scaled = Scaling {
            scale: 2.0,
            zero: 100.0,
            blank: Some(3),
        };
        let cases: [(Bitpix, Vec<u8>); 4] = [
            (Bitpix::U8, vec![1, 2, 3, 4]),
            (Bitpix::I16, bytes([1_i16, 2, 3, 4].map(i16::to_be_bytes))),
            (Bitpix::I32, bytes([1_i32, 2, 3, 4].map(i32::to_be_bytes))),
            (Bitpix::I64, bytes([1_i64, 2, 3, 4].map(i64::to_be_bytes))),
        ];
        for (bitpix, data) in cases {
            let plane = plane(&data, bitpix, &[2, 2], &scaled, 10);
            assert_eq!(plane.values()[..2], [102.0, 104.0], "{bitpix:?}");
            assert!(
                plane.values()[2].is_nan() && plane.values()[3] == 108.0,
                "{bitpix:?}"
            );
        }
        let data = bytes([1.5_f32, f32::NAN].map(f32::to_be_bytes));
        let single = plane(&data, Bitpix::F32, &[2, 1], &scaled, 10);
        assert!(single.values()[0] == 103.0 && single.values()[1].is_nan());
        let data = bytes([-1e300_f64, f64::INFINITY].map(f64::to_be_bytes));
        let double = plane(&data, Bitpix::F64, &[1, 2], &Scaling::NONE, 10);
        assert_eq!(double.values(), [-1e300, f64::INFINITY]);
        // Unsigned by BZERO.
        let unsigned = Scaling {
            zero: 32768.0,
            ..Scaling::NONE
        };
        let data = bytes([i16::MIN, i16::MAX].map(i16::to_be_bytes));
        assert_eq!(
            plane(&data, Bitpix::I16, &[2, 1], &unsigned, 10).values(),
            [0.0, 65535.0]
        );
    }

    #[test]
    fn a_long_side_is_reduced_by_means_of_what_is_defined() {
        let values = [
            1.0,
            3.0,
            5.0,
            f64::NAN,
            9.0, //
            3.0,
            5.0,
            f64::NAN,
            f64::NAN,
            1.0, //
            7.0,
            9.0,
            2.0,
            4.0,
            f64::INFINITY,
        ];
        let data = bytes(values.map(f64::to_be_bytes));
        let reduced = plane(&data, Bitpix::F64, &[5, 3], &Scaling::NONE, 3);
        assert_eq!((reduced.size(), reduced.reduced()), ((3, 2), 2));
        assert_eq!(reduced.values(), [3.0, 5.0, 5.0, 8.0, 3.0, f64::INFINITY]);
        let none = plane(&data[24..32], Bitpix::F64, &[1, 1], &Scaling::NONE, 1);
        assert!(none.values()[0].is_nan());
        assert_eq!(reduced.drawn(Some(10)), (3, 2, 3));
        assert_eq!(reduced.drawn(Some(2)), (3, 2, 1));
        assert_eq!(reduced.drawn(None), (3, 2, 1));
        assert_eq!(reduced.drawn(Some(u32::MAX)).2, MAX_SIDE / 3);
    }

    #[test]
    fn the_first_plane_of_other_axes_is_drawn() {
        // 2 planes x 2 columns x 3 rows, the planes fastest.
        let data: Vec<u8> = (0..12).collect();
        for axes in [[1, 2], [2, 1]] {
            let array = Array {
                data: &data,
                bitpix: Bitpix::U8,
                shape: &[2, 2, 3],
                axes,
            };
            let plane = Plane::new(&array, &Scaling::NONE, 10).unwrap();
            assert_eq!(plane.values(), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        }
    }

    #[test]
    fn what_is_no_image_is_refused() {
        for (shape, axes, length) in [
            (&[2_u64][..], [0, 1], 2),
            (&[2, 2], [0, 1], 3),
            (&[2, 2], [1, 1], 4),
            (&[0, 2], [0, 1], 0),
            (&[u64::MAX, 2], [0, 1], 0),
        ] {
            let array = Array {
                data: &vec![0; length],
                bitpix: Bitpix::U8,
                shape,
                axes,
            };
            assert_eq!(Plane::new(&array, &Scaling::NONE, 10), Err(DrawError::NotAnImage));
        }
    }
}
