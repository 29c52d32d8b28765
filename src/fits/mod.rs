//! FITS over byte ranges: open a file by its headers, find pixels by sky position, cut a box out, write it.
//!
//! Bytes come from a [`Source`]; everything else is pure. May use `sky`. Only this folder knows the FITS
//! library, which reads coordinates and decodes tiles; headers, ranges, pixels and writing are done here.

mod area;
mod axes;
mod bitpix;
mod cards;
mod checksum;
mod compress;
mod cut;
mod decode;
mod error;
mod file;
mod hdu;
mod header;
mod kept;
mod lines;
mod pad;
mod physical;
mod piece;
mod scale;
mod source;
mod strips;
mod sweep;
mod table;
#[cfg(test)]
mod tests;
mod tiled;
mod tiles;
mod walk;
mod wcs;
mod wcs_header;
mod write;

pub use area::{Edge, PixelBox, Region};
pub use axes::Wanted;
pub use bitpix::Bitpix;
pub use cards::NewCard;
pub use cut::{Cut, bytes_of, memory_of};
pub use error::{FitsError, Reason};
pub use file::File;
pub use hdu::{Hdu, Kind};
pub use header::{CARD, Header, Value};
pub use scale::utc;
pub use source::{Filling, Source, SourceError, place};
pub use strips::{Strip, Strips, Sums};
pub use sweep::{Admission, Finished, Step, Sweep, cut};
pub use table::{Column, Values, write_table};
pub use wcs::Wcs;
pub use write::{Packing, write, write_parts, written_size};
