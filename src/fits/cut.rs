//! Cutting a box out of an image: what to read, and the header of what comes of it.

use super::area::{Edge, PixelBox};
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

/// Cuts `area` out of an image HDU of `file`: the pixels of its two celestial axes (the first two if it has
/// none), all of any other axis.
///
/// Reads no more than the rows or tiles that the box touches; tiles are decoded by the threads of rayon.
/// `limit` bounds the memory (bytes) that the cut holds at any time, its result included; more is
/// [`FitsError::TooLarge`], before anything is read.
pub async fn cut(file: &File, hdu: &Hdu, area: PixelBox, edge: Edge, limit: u64) -> Result<Cut, FitsError> {
    let number = hdu.number();
    let axes = hdu.wcs().ok().flatten().map_or([0, 1], super::wcs::Wcs::axes);
    let (true, [Some(&width), Some(&height)]) = (hdu.is_image(), axes.map(|axis| hdu.shape().get(axis)))
    else {
        return Err(FitsError::NotAnImage { hdu: number });
    };
    let outside = |how| FitsError::Outside {
        hdu: number,
        what: format!("box {area}"),
        how,
    };
    let on = area
        .trimmed(width, height)
        .ok_or_else(|| outside("lies beside"))?;
    if edge == Edge::Strict && on != area {
        return Err(outside("lies only partly on"));
    }
    let out = if edge == Edge::Pad { area } else { on };
    let ranges = on.ranges().ok_or_else(|| outside("lies beside"))?;

    let shape = |area: PixelBox| with_axes(hdu.shape(), axes, [area.width(), area.height()]);
    let (on_shape, out_shape) = (shape(on), shape(out));
    let (region, result) = (bytes(&on_shape, hdu.bitpix()), bytes(&out_shape, hdu.bitpix()));
    let needed = if out == on {
        region
    } else {
        region.saturating_add(result)
    };
    let affordable = usize::try_from(needed).ok().filter(|_| needed <= limit);
    if affordable.is_none() {
        return Err(FitsError::TooLarge {
            what: "the cutout",
            bytes: needed,
            limit,
        });
    }

    let start = with_axes(&vec![0; on_shape.len()], axes, [ranges[0].start, ranges[1].start]);
    let block = Block {
        size: on_shape.clone(),
        from: (hdu.shape().to_vec(), start),
        to: (on_shape.clone(), vec![0; on_shape.len()]),
    };
    let mut data = match hdu.kind() {
        Kind::Compressed => tiled::read(file, hdu, &block, region as usize, limit - needed).await?,
        _ => plain::read(file, hdu, &block, region as usize).await?,
    };
    let mut cards = kept_cards(hdu, axes, [out.x_min - 1, out.y_min - 1]);
    if out != on {
        let start = with_axes(
            &vec![0; on_shape.len()],
            axes,
            [on.x_min.abs_diff(out.x_min), on.y_min.abs_diff(out.y_min)],
        );
        let block = Block {
            size: on_shape.clone(),
            from: (on_shape, vec![0; out_shape.len()]),
            to: (out_shape.clone(), start),
        };
        let padding = pad::padding(number, hdu.bitpix(), blank(hdu), &data)?;
        let pixels = (result / hdu.bitpix().bytes()) as usize;
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
        hdu: number,
        cards,
        bitpix: hdu.bitpix(),
        shape: out_shape,
        data,
        area: out,
        coverage: area.coverage(width, height),
    })
}

fn with_axes(of: &[u64], axes: [usize; 2], values: [u64; 2]) -> Vec<u64> {
    let mut of = of.to_vec();
    for (axis, value) in axes.into_iter().zip(values) {
        of[axis] = value;
    }
    of
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
/// cut takes away before the first).
fn kept_cards(hdu: &Hdu, axes: [usize; 2], shift: [i64; 2]) -> Cards {
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
    for (axis, shift) in axes.into_iter().zip(shift) {
        move_axis(&mut cards, header, axis + 1, shift);
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
