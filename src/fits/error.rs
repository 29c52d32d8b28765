//! What can go wrong with a FITS file, in kinds that a caller can act on.

use thiserror::Error;

use super::source::SourceError;

/// Why an image could not be read or cut.
#[derive(Debug, Error)]
pub enum FitsError {
    /// The bytes could not be had.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// It does not begin as a FITS file does (FITS 4.0, section 4.4.1).
    #[error("not a FITS file: it does not begin with SIMPLE = T")]
    NotFits,
    /// The file ends before what its headers declare.
    #[error("truncated: {what} ends at byte {end}, the file at {size}")]
    Truncated {
        /// What lies beyond the end.
        what: String,
        /// Where it would end.
        end: u64,
        /// Where the file ends.
        size: u64,
    },
    /// A header without its END.
    #[error("the header of HDU {hdu} has no END in its {searched} bytes")]
    NoEnd {
        /// Number of the HDU, 0 the primary.
        hdu: usize,
        /// How far it was searched.
        searched: u64,
    },
    /// More HDUs or header bytes than are read of one file.
    #[error("its headers exceed {limit} {what}")]
    HeadersTooLong {
        /// Bytes or HDUs.
        what: &'static str,
        /// How many of them are read.
        limit: u64,
    },
    /// A mandatory keyword is missing or has no such value.
    #[error("HDU {hdu}: {keyword} {problem}")]
    Keyword {
        /// Number of the HDU.
        hdu: usize,
        /// The keyword.
        keyword: String,
        /// What is wrong with it, and what was expected.
        problem: String,
    },
    /// The sizes that a header declares do not fit 64 bits.
    #[error("HDU {hdu}: NAXIS overflow, its axes and counts exceed 64 bits")]
    Overflow {
        /// Number of the HDU.
        hdu: usize,
    },
    /// It holds no image of two axes or more.
    #[error("HDU {hdu} holds no image of two axes or more")]
    NotAnImage {
        /// Number of the HDU.
        hdu: usize,
    },
    /// The image has no celestial coordinates.
    #[error("HDU {hdu} has no celestial coordinates")]
    NoWcs {
        /// Number of the HDU.
        hdu: usize,
    },
    /// Its celestial coordinates cannot be evaluated or inverted.
    #[error("the coordinates of HDU {hdu} cannot be used: {problem}")]
    Wcs {
        /// Number of the HDU.
        hdu: usize,
        /// Why.
        problem: String,
    },
    /// The position or box does not lie on the image, or with [`super::Edge::Strict`] not wholly.
    #[error("{what} {how} the image of HDU {hdu}")]
    Outside {
        /// Number of the HDU.
        hdu: usize,
        /// The position or box.
        what: String,
        /// How it lies: beside it, or partly on it.
        how: &'static str,
    },
    /// More memory than allowed.
    #[error("{what} needs {bytes} bytes of memory, {limit} are allowed")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Bytes that it needs.
        bytes: u64,
        /// Bytes that it may have.
        limit: u64,
    },
    /// A compressed tile cannot be read.
    #[error("HDU {hdu}, tile {tile}: {problem}")]
    Tile {
        /// Number of the HDU.
        hdu: usize,
        /// Its row of the tile table, from 1.
        tile: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// There is no value left that could mark padded pixels.
    #[error("HDU {hdu} cannot be padded: it has integers, no BLANK, and no value that its pixels do not use")]
    NoBlank {
        /// Number of the HDU.
        hdu: usize,
    },
}

/// The service's reason for a failed cutout (`reason` in the manifest).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// `outside_footprint`
    OutsideFootprint,
    /// `no_wcs`
    NoWcs,
    /// `source_unreadable`
    SourceUnreadable,
    /// `source_changed`
    SourceChanged,
    /// `too_large`
    TooLarge,
    /// `no_blank`
    NoBlank,
}

impl FitsError {
    /// The reason that a manifest gives for it.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Source(SourceError::Changed) => Reason::SourceChanged,
            Self::Outside { .. } => Reason::OutsideFootprint,
            Self::NoWcs { .. } | Self::Wcs { .. } => Reason::NoWcs,
            Self::TooLarge { .. } => Reason::TooLarge,
            Self::NoBlank { .. } => Reason::NoBlank,
            _ => Reason::SourceUnreadable,
        }
    }
}

impl Reason {
    /// Its name in the manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::OutsideFootprint => "outside_footprint",
            Self::NoWcs => "no_wcs",
            Self::SourceUnreadable => "source_unreadable",
            Self::SourceChanged => "source_changed",
            Self::TooLarge => "too_large",
            Self::NoBlank => "no_blank",
        }
    }
}
