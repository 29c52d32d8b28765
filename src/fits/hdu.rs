//! One header and data unit: what it holds and where its bytes lie.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::axes::{self, Axis, Wanted};
use super::bitpix::Bitpix;
use super::error::FitsError;
use super::header::{self, Header, Value};
use super::kept::{Kept, TABLE_NAME};
use super::tiles::Tiles;
use super::wcs::Wcs;

/// What an HDU holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An image, its pixels as they are.
    Image,
    /// An image compressed in tiles inside a binary table (FITS 4.0, section 10).
    Compressed,
    /// No data: a primary that only carries cards, or an image with an axis of no pixels.
    Empty,
    /// A table, random groups, or an extension that is not of the standard.
    Other,
}

/// One HDU of an opened file.
#[derive(Debug)]
pub struct Hdu {
    number: usize,
    header: Header,
    kind: Kind,
    name: Option<String>,
    version: i64,
    bitpix: Bitpix,
    shape: Vec<u64>,
    data: Range<u64>,
    wcs: OnceLock<Result<Option<Wcs>, String>>,
    axes: OnceLock<Vec<Axis>>,
    tiles: OnceLock<Result<Arc<Tiles>, String>>,
    kept: OnceLock<Kept>,
}

impl Hdu {
    /// The HDU of a header, its data at byte `start`. The number is its place in the file.
    pub(super) fn new(number: usize, header: Header, start: u64) -> Result<Self, FitsError> {
        let keywords = Keywords {
            hdu: number,
            header: &header,
        };
        let stored = keywords.bitpix("BITPIX")?;
        let axes = keywords.axes("NAXIS")?;
        let length = keywords.data_length(number, stored, &axes)?;
        let end = start
            .checked_add(length)
            .ok_or(FitsError::Overflow { hdu: number })?;
        let xtension = header.text("XTENSION").unwrap_or_default();
        let compressed = xtension == "BINTABLE" && header.logical("ZIMAGE") == Some(true);
        let (kind, bitpix, shape) = if compressed {
            (
                Kind::Compressed,
                keywords.bitpix("ZBITPIX")?,
                keywords.axes("ZNAXIS")?,
            )
        } else if number == 0 && !keywords.grouped() || xtension == "IMAGE" {
            (Kind::Image, stored, axes)
        } else {
            (Kind::Other, stored, axes)
        };
        let kind = match kind {
            Kind::Image | Kind::Compressed if shape.is_empty() || shape.contains(&0) => Kind::Empty,
            kind => kind,
        };
        shape
            .iter()
            .try_fold(bitpix.bytes(), |product, &axis| product.checked_mul(axis))
            .ok_or(FitsError::Overflow { hdu: number })?;
        let name = name(&header);
        let version = header.integer("EXTVER").unwrap_or(1);
        let (wcs, tiles) = (OnceLock::new(), OnceLock::new());
        Ok(Self {
            number,
            header,
            kind,
            name,
            version,
            bitpix,
            shape,
            data: start..end,
            wcs,
            axes: OnceLock::new(),
            tiles,
            kept: OnceLock::new(),
        })
    }

    /// Its place in the file; the primary is 0.
    pub fn number(&self) -> usize {
        self.number
    }

    /// EXTNAME, unless absent or empty.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// EXTVER, 1 if absent.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// What it holds.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether it holds an image, compressed or not.
    pub fn is_image(&self) -> bool {
        matches!(self.kind, Kind::Image | Kind::Compressed)
    }

    /// The number type of its pixels; of a compressed image, the type before compression.
    pub fn bitpix(&self) -> Bitpix {
        self.bitpix
    }

    /// Its axes, NAXIS1 first; of a compressed image, those before compression.
    pub fn shape(&self) -> &[u64] {
        &self.shape
    }

    /// Its cards, verbatim.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Where its data lie in the file, padding excluded.
    pub fn data(&self) -> Range<u64> {
        self.data.clone()
    }

    /// Its celestial coordinates (the primary description), worked out at the first call; `None` if it is no
    /// image or has none. An error if they are there but cannot be used.
    pub fn wcs(&self) -> Result<Option<&Wcs>, FitsError> {
        let wcs = self.wcs.get_or_init(|| {
            if self.is_image() {
                Wcs::new(self.number, &self.header, &self.shape)
            } else {
                Ok(None)
            }
        });
        match wcs {
            Ok(wcs) => Ok(wcs.as_ref()),
            Err(problem) => Err(FitsError::Wcs {
                hdu: self.number,
                problem: problem.clone(),
            }),
        }
    }

    /// The axes that are x and y of boxes: the celestial ones, the first two if there are none. 0 is NAXIS1.
    pub fn box_axes(&self) -> [usize; 2] {
        self.wcs().ok().flatten().map_or([0, 1], Wcs::axes)
    }

    /// Whether any of its axes has planes of wavelengths, times or polarization states.
    pub fn has_planes(&self) -> bool {
        !self.axes().is_empty()
    }

    /// The planes that are wanted, as [`Region::planes`](super::Region::planes) has them: those of an axis that have any
    /// of the wavelengths or times, or from the first to the last of the states. Axes of which nothing is wanted, or of
    /// another meaning, are taken whole. An error if an axis has none of what is wanted, or cannot be read.
    pub fn planes(&self, wanted: &Wanted<'_>) -> Result<Vec<Range<u64>>, FitsError> {
        if wanted.is_all() {
            return Ok(Vec::new());
        }
        let unusable = |problem| FitsError::Wcs {
            hdu: self.number,
            problem,
        };
        let boxed = self.box_axes();
        let mut planes: Vec<Range<u64>> = Vec::new();
        let mut chosen = false;
        for (number, length) in self.shape.iter().enumerate() {
            if boxed.contains(&number) {
                continue;
            }
            let axis = self.axes().iter().find(|axis| axis.number == number);
            let range = match axis.map(|axis| axis.planes(wanted)).transpose() {
                Ok(range) => range.flatten(),
                Err(problem) => return Err(unusable(format!("axis {}: {problem}", number + 1))),
            };
            if range.as_ref().is_some_and(Range::is_empty) {
                return Err(FitsError::Outside {
                    hdu: self.number,
                    what: format!("what is asked for of axis {}", number + 1),
                    how: "lies beside",
                });
            }
            chosen |= range.is_some();
            planes.push(range.unwrap_or(0..*length));
        }
        Ok(if chosen { planes } else { Vec::new() })
    }

    /// Least and greatest wavelength (m, in vacuum) along its spectral axis, if it has one that can be read.
    pub fn wavelengths(&self) -> Option<[f64; 2]> {
        let mut axes = self.axes().iter().filter(|axis| axis.is_spectral());
        axes.find_map(Axis::span)
    }

    /// First and last time (MJD, UTC) along its time axis, if it has one that can be read.
    pub fn times(&self) -> Option<[f64; 2]> {
        let mut axes = self.axes().iter().filter(|axis| axis.is_temporal());
        axes.find_map(Axis::span)
    }

    /// First and last time (MJD, UTC) of planes, which are as [`Region::planes`](super::Region::planes) has them, if it has
    /// a time axis that can be read.
    pub fn times_of(&self, planes: &[Range<u64>]) -> Option<[f64; 2]> {
        let boxed = self.box_axes();
        let mut axes = self.axes().iter().filter(|axis| axis.is_temporal());
        axes.find_map(|axis| {
            let before = (0..axis.number).filter(|number| !boxed.contains(number)).count();
            axis.span_of(planes.get(before)?.clone())
        })
    }

    /// The polarization states of its planes.
    pub fn states(&self) -> Vec<&'static str> {
        let states = self.axes().iter().flat_map(Axis::states);
        states.map(|(_, state)| state).collect()
    }

    /// The axes beside those of boxes whose planes mean something, worked out at the first call.
    fn axes(&self) -> &[Axis] {
        self.axes.get_or_init(|| {
            if self.is_image() {
                axes::axes(&self.header, &self.shape, self.box_axes())
            } else {
                Vec::new()
            }
        })
    }

    /// The cards that cuts of it keep.
    pub(super) fn kept(&self) -> &Kept {
        self.kept.get_or_init(|| {
            let compressed = self.kind == Kind::Compressed;
            Kept::new(
                &self.header,
                self.number,
                compressed,
                self.bitpix,
                self.shape.len(),
            )
        })
    }

    /// Bytes of the table of its tiles that are held.
    pub(super) fn table_memory(&self) -> u64 {
        let tiles = self.tiles.get().and_then(|tiles| tiles.as_ref().ok());
        tiles.map_or(0, |tiles| tiles.memory())
    }

    /// Keeps the rows of its table of tiles that are in bytes of the file from `start` on.
    pub(super) fn keep_table(&self, start: u64, bytes: &Bytes) {
        if self.kind == Kind::Compressed
            && let Ok(tiles) = self.tiles()
        {
            tiles.keep(start, bytes);
        }
    }

    /// The table of its tiles, if it is a compressed image.
    pub(super) fn tiles(&self) -> Result<&Arc<Tiles>, FitsError> {
        self.tiles
            .get_or_init(|| Tiles::new(&self.header, self.bitpix, &self.shape, self.data()).map(Arc::new))
            .as_ref()
            .map_err(|problem| FitsError::Keyword {
                hdu: self.number,
                keyword: "compressed image".into(),
                problem: problem.clone(),
            })
    }
}

/// EXTNAME; the name that compression gives to its table counts only if there is no other.
fn name(header: &Header) -> Option<String> {
    let cards = header.cards().as_slice();
    let mut names = (0..cards.len())
        .filter(|at| header::name(&cards[*at]) == b"EXTNAME")
        .filter_map(|at| match header::value(&cards[at..]) {
            Some(Value::Text(name)) if !name.is_empty() => Some(name),
            _ => None,
        });
    let first = names.next()?;
    if first == TABLE_NAME {
        names.next().or(Some(first))
    } else {
        Some(first)
    }
}

/// The mandatory keywords of a header.
struct Keywords<'a> {
    hdu: usize,
    header: &'a Header,
}

impl Keywords<'_> {
    fn bad(&self, keyword: &str, problem: String) -> FitsError {
        FitsError::Keyword {
            hdu: self.hdu,
            keyword: keyword.into(),
            problem,
        }
    }

    fn bitpix(&self, keyword: &str) -> Result<Bitpix, FitsError> {
        let value = self.header.value(keyword);
        match value {
            Some(Value::Integer(code)) => Bitpix::from_code(code),
            _ => None,
        }
        .ok_or_else(|| {
            self.bad(
                keyword,
                format!("is {value:?}, not one of 8, 16, 32, 64, -32, -64"),
            )
        })
    }

    fn axes(&self, keyword: &str) -> Result<Vec<u64>, FitsError> {
        let count = self.count(keyword, 999)?;
        (1..=count)
            .map(|axis| self.count(&format!("{keyword}{axis}"), i64::MAX as u64))
            .collect()
    }

    fn count(&self, keyword: &str, most: u64) -> Result<u64, FitsError> {
        let value = self.header.integer(keyword);
        value
            .and_then(|value| u64::try_from(value).ok())
            .filter(|value| *value <= most)
            .ok_or_else(|| match value {
                Some(value) => self.bad(
                    keyword,
                    format!("is {value}, not a whole number from 0 to {most}"),
                ),
                None => self.bad(keyword, "is missing or not a whole number".into()),
            })
    }

    fn grouped(&self) -> bool {
        self.header.logical("GROUPS") == Some(true) && self.header.integer("NAXIS1") == Some(0)
    }

    /// Bytes of the data unit, padding excluded (FITS 4.0, equations 1, 2 and 4).
    fn data_length(&self, number: usize, bitpix: Bitpix, axes: &[u64]) -> Result<u64, FitsError> {
        if axes.is_empty() {
            return Ok(0);
        }
        let axes = if number == 0 && self.grouped() {
            &axes[1..]
        } else {
            axes
        };
        let (pcount, gcount) = if number > 0 || self.grouped() {
            let optional = |keyword, default| match self.header.value(keyword) {
                None => Ok(default),
                Some(_) => self.count(keyword, i64::MAX as u64),
            };
            (optional("PCOUNT", 0)?, optional("GCOUNT", 1)?)
        } else {
            (0, 1)
        };
        axes.iter()
            .try_fold(1_u64, |product, &axis| product.checked_mul(axis))
            .and_then(|pixels| pixels.checked_add(pcount))
            .and_then(|pixels| pixels.checked_mul(gcount))
            .and_then(|pixels| pixels.checked_mul(bitpix.bytes()))
            .ok_or(FitsError::Overflow { hdu: self.hdu })
    }
}
