//! Cutting a box out of an image: what to read, and the header of what comes of it.

use super::area::{Edge, PixelBox, Region};
use super::bitpix::Bitpix;
use super::cards::Cards;
use super::error::FitsError;
use super::file::File;
use super::hdu::{Hdu, Kind, is_table_name};
use super::header::{Header, Value, name};
use super::lines::Block;
use super::{pad, plain, tiled};

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
    coverage: f64,
}

impl Cut {
    /// The HDU it was cut from, 0 the primary.
    pub fn hdu(&self) -> usize {
        self.hdu
    }

    /// The box that it holds, in pixels of the source: trimmed, or with its padding.
    pub fn area(&self) -> PixelBox {
        self.area
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
}

/// Cuts `region` out of an image HDU of `file`.
///
/// Reads no more than the rows or tiles that the box touches; tiles are decoded by the threads of rayon.
/// `limit` bounds the memory (bytes) that the cut holds at any time, its result included; more is
/// [`FitsError::TooLarge`], before anything is read.
pub async fn cut(file: &File, hdu: &Hdu, region: &Region, edge: Edge, limit: u64) -> Result<Cut, FitsError> {
    let layout = Layout::new(hdu, region, edge)?;
    let needed = layout.needed();
    let affordable = usize::try_from(needed).ok().filter(|_| needed <= limit);
    if affordable.is_none() {
        return Err(FitsError::TooLarge {
            what: "the cutout",
            bytes: needed,
            limit,
        });
    }
    let block = layout.block(hdu);
    let bytes = layout.read_bytes as usize;
    let data = match hdu.kind() {
        Kind::Compressed => tiled::read(file, hdu, &block, bytes, limit - needed).await?,
        _ => plain::read(file, hdu, &block, bytes).await?,
    };
    layout.finish(hdu, data)
}

/// Bytes of the pixels that a cut of `region` has: the memory that its result takes. An error if there is nothing
/// to cut there.
pub fn bytes_of(hdu: &Hdu, region: &Region, edge: Edge) -> Result<u64, FitsError> {
    Ok(Layout::new(hdu, region, edge)?.cut_bytes)
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
        let axes = hdu.wcs().ok().flatten().map_or([0, 1], super::wcs::Wcs::axes);
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

    fn is_padded(&self) -> bool {
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

    /// The cut, once its pixels were read.
    pub(super) fn finish(self, hdu: &Hdu, mut data: Vec<u8>) -> Result<Cut, FitsError> {
        let mut shift: Vec<i64> = self.start.iter().map(|start| *start as i64).collect();
        for (axis, first) in self.axes.into_iter().zip([self.out.x_min, self.out.y_min]) {
            shift[axis] = first - 1;
        }
        let mut cards = kept_cards(hdu, &shift);
        if self.is_padded() {
            let mut start = vec![0; shift.len()];
            start[self.axes[0]] = self.on.x_min.abs_diff(self.out.x_min);
            start[self.axes[1]] = self.on.y_min.abs_diff(self.out.y_min);
            let block = Block {
                size: self.on_shape.clone(),
                from: (self.on_shape.clone(), vec![0; start.len()]),
                to: (self.out_shape.clone(), start),
            };
            let padding = pad::padding(hdu.number(), hdu.bitpix(), blank(hdu), &data)?;
            let pixels = (self.cut_bytes / hdu.bitpix().bytes()) as usize;
            data = pad::padded(&data, &block, pixels, &padding);
            if let Some(value) = padding.declare {
                cards.set(
                    "BLANK",
                    &Value::Integer(value),
                    "value of pixels outside of the source image",
                );
            }
        }
        Ok(Cut {
            hdu: hdu.number(),
            cards,
            bitpix: hdu.bitpix(),
            shape: self.out_shape,
            data,
            area: self.out,
            coverage: self.coverage,
        })
    }
}

/// Bytes of an array, the largest number if they cannot be counted.
fn bytes(shape: &[u64], bitpix: Bitpix) -> u64 {
    shape
        .iter()
        .fold(bitpix.bytes(), |product, &axis| product.saturating_mul(axis))
}

/// The value of undefined pixels; compression may have moved it to ZBLANK.
fn blank(hdu: &Hdu) -> Option<i64> {
    let header = hdu.header();
    let moved = if hdu.kind() == Kind::Compressed {
        header.integer("ZBLANK")
    } else {
        None
    };
    header.integer("BLANK").or(moved)
}

/// The cards of the source that stay, those that tell where the pixels lie moved by `shift` (pixels that the
/// cut takes away before the first of each axis).
fn kept_cards(hdu: &Hdu, shift: &[i64]) -> Cards {
    let header = hdu.header();
    let compressed = hdu.kind() == Kind::Compressed;
    let mut cards = Cards::of(header, |name| {
        let is_sum = matches!(name, "CHECKSUM" | "DATASUM");
        !(is_mandatory(name, hdu.number()) || is_sum || compressed && is_compression(name))
    });
    if compressed {
        cards.0.retain(|card| !is_table_name(card));
    }
    let whole = !matches!(hdu.bitpix(), Bitpix::F32 | Bitpix::F64);
    if compressed
        && whole
        && header.integer("BLANK").is_none()
        && let Some(value) = blank(hdu)
    {
        cards.set("BLANK", &Value::Integer(value), "value of undefined pixels");
    }
    for (axis, shift) in shift.iter().enumerate() {
        move_axis(&mut cards, header, axis + 1, *shift);
    }
    cards
}

/// Moves `CRPIXn` of every description and `LTVn`.
fn move_axis(cards: &mut Cards, header: &Header, axis: usize, shift: i64) {
    if shift == 0 {
        return;
    }
    let mut descriptions: Vec<String> = Vec::new();
    for name in header
        .cards()
        .filter_map(|card| std::str::from_utf8(name(card)).ok())
    {
        for family in ["CRPIX", "CTYPE", "CRVAL", "CDELT"] {
            let Some(rest) = name
                .strip_prefix(family)
                .and_then(|rest| rest.strip_prefix(&axis.to_string()))
            else {
                continue;
            };
            let letter = rest.is_empty() || rest.len() == 1 && rest.bytes().all(|b| b.is_ascii_uppercase());
            if letter && !descriptions.iter().any(|known| known == rest) {
                descriptions.push(rest.to_owned());
            }
        }
    }
    for alternate in descriptions {
        let keyword = format!("CRPIX{axis}{alternate}");
        // An absent CRPIX is 0.
        let old = header.real(&keyword).unwrap_or(0.0);
        cards.set(&keyword, &Value::Real(old - shift as f64), "reference pixel");
    }
    let physical = format!("LTV{axis}");
    if let Some(old) = header.real(&physical) {
        // physical = (pixel - LTV) / LTM
        cards.change(&physical, &Value::Real(old - shift as f64));
    }
}

/// The cards that say how the data lie, which are written anew.
pub(super) fn is_mandatory(name: &str, hdu: usize) -> bool {
    matches!(name, "SIMPLE" | "XTENSION" | "BITPIX" | "NAXIS")
        || hdu > 0 && matches!(name, "PCOUNT" | "GCOUNT" | "EXTEND")
        || is_indexed(name, &["NAXIS"])
}

/// The cards that belong to the table of tiles (FITS 4.0, sections 7.3 and 10.1).
fn is_compression(name: &str) -> bool {
    const ALONE: [&str; 18] = [
        "TFIELDS", "THEAP", "ZIMAGE", "ZCMPTYPE", "ZBITPIX", "ZNAXIS", "ZSIMPLE", "ZTENSION", "ZEXTEND",
        "ZBLOCKED", "ZPCOUNT", "ZGCOUNT", "ZHECKSUM", "ZDATASUM", "ZSCALE", "ZZERO", "ZBLANK", "ZQUANTIZ",
    ];
    const INDEXED: [&str; 12] = [
        "TTYPE", "TFORM", "TUNIT", "TSCAL", "TZERO", "TNULL", "TDISP", "TDIM", "ZNAXIS", "ZTILE", "ZNAME",
        "ZVAL",
    ];
    ALONE.contains(&name) || matches!(name, "ZDITHER0" | "ZMASKCMP") || is_indexed(name, &INDEXED)
}

fn is_indexed(name: &str, families: &[&str]) -> bool {
    families.iter().any(|family| {
        name.strip_prefix(family)
            .is_some_and(|index| !index.is_empty() && index.bytes().all(|b| b.is_ascii_digit()))
    })
}
