//! A region of an image as it is cut out: where its pixels lie, and the header of what comes of it.

use std::ops::Range;

use super::area::{Edge, PixelBox, Region};
use super::bitpix::Bitpix;
use super::cards::Cards;
use super::error::FitsError;
use super::hdu::Hdu;
use super::header::Value;
use super::lines::Block;
use super::pad;

/// A box cut out of an image, ready to be written: pixels as they are stored (BSCALE and BZERO not applied),
/// and the cards of the source but for the mandatory ones and the sums.
#[derive(Debug, Clone)]
pub struct Cut {
    pub(super) hdu: usize,
    pub(super) cards: Cards,
    pub(super) bitpix: Bitpix,
    pub(super) shape: Vec<u64>,
    pub(super) data: Vec<u8>,
    area: PixelBox,
    planes: Vec<(usize, Range<u64>)>,
    coverage: f64,
}

impl Cut {
    /// The cut of a region without its pixels, and the bytes that they have.
    pub(super) fn unread(hdu: &Hdu, region: &Region, edge: Edge) -> Result<(Self, u64), FitsError> {
        let layout = Layout::new(hdu, region, edge)?;
        let bytes = layout.cut_bytes;
        let declares = layout.is_padded() && hdu.bitpix().code() > 0 && hdu.kept().blank.is_none();
        Ok((layout.finish(hdu, Vec::new(), declares.then_some(0)), bytes))
    }

    /// The HDU it was cut from, 0 the primary.
    pub fn hdu(&self) -> usize {
        self.hdu
    }

    /// The box that it holds, in pixels of the source: trimmed, or with its padding.
    pub fn area(&self) -> PixelBox {
        self.area
    }

    /// The planes that were chosen of other axes of the source, 0-based and half open, with the axis (0 is NAXIS1); none of
    /// axes that are there whole.
    pub fn planes(&self) -> &[(usize, Range<u64>)] {
        &self.planes
    }

    /// The share of the box asked for, 0 to 1, that lies on the image.
    pub fn coverage(&self) -> f64 {
        self.coverage
    }

    /// The number type of its pixels.
    pub fn bitpix(&self) -> Bitpix {
        self.bitpix
    }

    /// Its axes, NAXIS1 first.
    pub fn shape(&self) -> &[u64] {
        &self.shape
    }

    /// Its pixels, big-endian, the first axis fastest.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The same, taken out.
    pub fn into_data(self) -> Vec<u8> {
        self.data
    }
}

/// Bytes of the pixels that a cut of `region` has: the memory that its result takes. An error if there is nothing
/// to cut there.
pub fn bytes_of(hdu: &Hdu, region: &Region, edge: Edge) -> Result<u64, FitsError> {
    Ok(Layout::new(hdu, region, edge)?.cut_bytes)
}

/// Bytes that cutting `region` takes in memory: those of the cut, and where it is padded of what is read too.
pub fn memory_of(hdu: &Hdu, region: &Region, edge: Edge) -> Result<u64, FitsError> {
    Ok(Layout::new(hdu, region, edge)?.needed())
}

/// A region that was checked, and how its pixels lie in the image and in the cut.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    axes: [usize; 2],
    /// The part of the box on the image, and the box that the cut has.
    on: PixelBox,
    out: PixelBox,
    coverage: f64,
    /// The first pixel that is read, 0-based, and how many along each axis.
    start: Vec<u64>,
    on_shape: Vec<u64>,
    out_shape: Vec<u64>,
    /// Bytes that are read, and bytes of the cut.
    pub(super) read_bytes: u64,
    pub(super) cut_bytes: u64,
}

impl Layout {
    pub(super) fn new(hdu: &Hdu, region: &Region, edge: Edge) -> Result<Self, FitsError> {
        let (number, area) = (hdu.number(), region.area);
        let axes = hdu.box_axes();
        let (true, [Some(&width), Some(&height)]) = (hdu.is_image(), axes.map(|axis| hdu.shape().get(axis)))
        else {
            return Err(FitsError::NotAnImage { hdu: number });
        };
        let outside = |what: String, how| FitsError::Outside {
            hdu: number,
            what,
            how,
        };
        let beside = || outside(format!("box {area}"), "lies beside");
        let on = area.trimmed(width, height).ok_or_else(beside)?;
        if edge == Edge::Strict && on != area {
            return Err(outside(format!("box {area}"), "lies only partly on"));
        }
        let out = if edge == Edge::Pad { area } else { on };
        let [columns, rows] = on.ranges().ok_or_else(beside)?;
        let mut start = vec![0; hdu.shape().len()];
        let mut on_shape = hdu.shape().to_vec();
        let others = (0..start.len()).filter(|axis| !axes.contains(axis));
        if !region.planes.is_empty() {
            if region.planes.len() != start.len() - 2 {
                return Err(outside(
                    format!("{} ranges of planes", region.planes.len()),
                    "do not fit",
                ));
            }
            for (axis, planes) in others.zip(&region.planes) {
                if planes.is_empty() || planes.end > hdu.shape()[axis] {
                    let what = format!("range {}:{} of axis {}", planes.start + 1, planes.end, axis + 1);
                    return Err(outside(what, "lies beside"));
                }
                (start[axis], on_shape[axis]) = (planes.start, planes.end - planes.start);
            }
        }
        let mut out_shape = on_shape.clone();
        let sides = [(columns, out.width()), (rows, out.height())];
        for (axis, (pixels, length)) in axes.into_iter().zip(sides) {
            (start[axis], on_shape[axis], out_shape[axis]) =
                (pixels.start, pixels.end - pixels.start, length);
        }
        Ok(Self {
            axes,
            on,
            out,
            coverage: area.coverage(width, height),
            read_bytes: bytes(&on_shape, hdu.bitpix()),
            cut_bytes: bytes(&out_shape, hdu.bitpix()),
            start,
            on_shape,
            out_shape,
        })
    }

    /// Bytes that it takes in memory at most.
    pub(super) fn needed(&self) -> u64 {
        if self.is_padded() {
            self.read_bytes.saturating_add(self.cut_bytes)
        } else {
            self.cut_bytes
        }
    }

    /// The pixels that are read along each axis, 0-based.
    pub(super) fn ranges(&self) -> Vec<Range<u64>> {
        let lengths = self.start.iter().zip(&self.on_shape);
        lengths.map(|(start, length)| *start..start + length).collect()
    }

    /// The celestial axis that varies slowest.
    pub(super) fn slow_axis(&self) -> usize {
        self.axes[0].max(self.axes[1])
    }

    pub(super) fn is_padded(&self) -> bool {
        self.out != self.on
    }

    /// From the image to what is read of it.
    pub(super) fn block(&self, hdu: &Hdu) -> Block {
        Block {
            size: self.on_shape.clone(),
            from: (hdu.shape().to_vec(), self.start.clone()),
            to: (self.on_shape.clone(), vec![0; self.start.len()]),
        }
    }

    /// What is read, with padding around it, and the BLANK that has to be declared for that.
    pub(super) fn pad(&self, hdu: &Hdu, data: &[u8]) -> Result<(Vec<u8>, Option<i64>), FitsError> {
        let mut start = vec![0; self.start.len()];
        start[self.axes[0]] = self.on.x_min.abs_diff(self.out.x_min);
        start[self.axes[1]] = self.on.y_min.abs_diff(self.out.y_min);
        let block = Block {
            size: self.on_shape.clone(),
            from: (self.on_shape.clone(), vec![0; start.len()]),
            to: (self.out_shape.clone(), start),
        };
        let is_signed_bytes = hdu.bitpix() == Bitpix::U8 && hdu.header().real("BZERO") == Some(-128.0);
        let padding = pad::padding(
            hdu.number(),
            hdu.bitpix(),
            hdu.kept().blank,
            is_signed_bytes,
            data,
        )?;
        let pixels = (self.cut_bytes / hdu.bitpix().bytes()) as usize;
        Ok((pad::padded(data, &block, pixels, &padding), padding.declare))
    }

    /// The cut of these pixels, padded if it is; `declare` as [`Layout::pad`] gave it.
    pub(super) fn finish(self, hdu: &Hdu, data: Vec<u8>, declare: Option<i64>) -> Cut {
        let mut shift: Vec<i64> = self.start.iter().map(|start| *start as i64).collect();
        for (axis, first) in self.axes.into_iter().zip([self.out.x_min, self.out.y_min]) {
            shift[axis] = first - 1;
        }
        let mut cards = hdu.kept().shifted(&shift);
        if let Some(value) = declare {
            let comment = "value of pixels outside of the source image";
            cards.set("BLANK", &Value::Integer(value), comment);
        }
        let others = (0..self.start.len()).filter(|axis| !self.axes.contains(axis));
        let planes = others
            .map(|axis| (axis, self.start[axis]..self.start[axis] + self.on_shape[axis]))
            .filter(|(axis, planes)| planes.end - planes.start < hdu.shape()[*axis])
            .collect();
        Cut {
            hdu: hdu.number(),
            cards,
            bitpix: hdu.bitpix(),
            shape: self.out_shape,
            data,
            area: self.out,
            planes,
            coverage: self.coverage,
        }
    }
}

/// Bytes of an array, the largest number if they cannot be counted.
fn bytes(shape: &[u64], bitpix: Bitpix) -> u64 {
    shape
        .iter()
        .fold(bitpix.bytes(), |product, &axis| product.saturating_mul(axis))
}
