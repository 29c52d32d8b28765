//! Images as they are compressed in tiles, without loss (FITS 4.0, section 10).

use fits_well::FitsWriter;
use fits_well::compress::{Compression, CompressionConfig, Quantization};
use fits_well::image::{Data, Image, Scaling};

use super::bitpix::Bitpix;
use super::cards::Cards;
use super::cut::Cut;
use super::header::{BLOCK, CARD, find_end, name};
use super::kept::is_compression;

/// Pixels of a side of a tile, which is what a cutout of a cutout decodes at least.
const SIDE: usize = 256;

/// The table that an image is compressed into.
pub(super) struct Packed {
    /// Its cards, but for those that the image keeps.
    pub(super) cards: Cards,
    /// Its rows and its heap.
    pub(super) data: Vec<u8>,
}

/// Compresses the pixels of a cut, whose mandatory cards as an image are `mandatory`: whole numbers by `RICE_1`, reals by
/// `GZIP_2` without quantization. None for 64-bit whole numbers, which CFITSIO reads in no compression.
pub(super) fn packed(cut: &Cut, mandatory: &Cards) -> Option<Packed> {
    let rice = CompressionConfig::new(Compression::Rice);
    let config = match cut.bitpix {
        Bitpix::U8 | Bitpix::I16 | Bitpix::I32 => rice,
        Bitpix::F32 | Bitpix::F64 => {
            CompressionConfig::new(Compression::GZIP_SHUFFLED).with_quantization(Quantization::NONE)
        }
        Bitpix::I64 => return None,
    };
    let shape: Vec<usize> = cut.shape.iter().map(|length| *length as usize).collect();
    let sides = shape.iter().enumerate();
    let tile = sides.map(|(axis, length)| if axis < 2 { SIDE.min(*length) } else { 1 });
    let config = config.with_tiles(tile.collect::<Vec<_>>());
    let image = Image::new(shape, pixels(cut), Scaling::IDENTITY).ok()?;
    let mut writer = FitsWriter::new(Vec::new());
    writer.write_compressed_image(image.view(), &config, None).ok()?;
    drop(image);
    taken_apart(writer.into_inner(), mandatory)
}

/// The pixels in the order of bytes of this machine.
fn pixels(cut: &Cut) -> Data {
    fn read<T, const N: usize>(data: &[u8], number: impl Fn([u8; N]) -> T) -> Vec<T> {
        data.as_chunks::<N>()
            .0
            .iter()
            .map(|bytes| number(*bytes))
            .collect()
    }
    let data = &cut.data;
    match cut.bitpix {
        Bitpix::U8 => data.clone().into(),
        Bitpix::I16 => read(data, i16::from_be_bytes).into(),
        Bitpix::I32 => read(data, i32::from_be_bytes).into(),
        Bitpix::I64 => read(data, i64::from_be_bytes).into(),
        Bitpix::F32 => read(data, f32::from_be_bytes).into(),
        Bitpix::F64 => read(data, f64::from_be_bytes).into(),
    }
}

/// The table of a file of an empty primary and a compressed image, as the library writes it; what it says of the image
/// itself is said by `mandatory`, under the names that compression gives.
fn taken_apart(mut file: Vec<u8>, mandatory: &Cards) -> Option<Packed> {
    let start = (find_end(&file, 0)? + CARD).next_multiple_of(BLOCK);
    let end = find_end(&file, start)?;
    let mut cards = Cards::default();
    for card in file[start..end].as_chunks::<CARD>().0 {
        let of_image = [&b"ZSIMPLE"[..], b"ZTENSION", b"ZBITPIX", b"ZPCOUNT", b"ZGCOUNT"]
            .contains(&name(card))
            || name(card).starts_with(b"ZNAXIS");
        let of_file = [&b"CHECKSUM"[..], b"DATASUM", b"EXTNAME", b"DATE"].contains(&name(card));
        if !of_image && !of_file {
            cards.0.push(*card);
        }
        if name(card) == b"ZIMAGE" {
            cards.0.extend(mandatory.0.iter().map(renamed));
        }
    }
    file.drain(..(end + CARD).next_multiple_of(BLOCK));
    Some(Packed { cards, data: file })
}

/// The cards that an image keeps, as its table has them.
pub(super) fn kept(cards: &Cards) -> Cards {
    // What only a table may have.
    let own = cards
        .0
        .iter()
        .filter(|card| !std::str::from_utf8(name(card)).is_ok_and(is_compression));
    Cards(own.map(renamed).collect())
}

/// A card under the name that compression gives it.
fn renamed(card: &[u8; CARD]) -> [u8; CARD] {
    let mut card = *card;
    let new = match name(&card) {
        b"SIMPLE" => "ZSIMPLE",
        b"XTENSION" => "ZTENSION",
        b"BITPIX" => "ZBITPIX",
        b"EXTEND" => "ZEXTEND",
        b"BLOCKED" => "ZBLOCKED",
        b"PCOUNT" => "ZPCOUNT",
        b"GCOUNT" => "ZGCOUNT",
        axes if axes.starts_with(b"NAXIS") && axes.len() < 8 => {
            card.copy_within(..7, 1);
            card[0] = b'Z';
            return card;
        }
        _ => return card,
    };
    card[..8].copy_from_slice(format!("{new:<8}").as_bytes());
    card
}
