//! The axes of an image beside the celestial ones: which of its planes are of the wavelengths, times and polarization
//! states that are asked for (FITS 4.0, sections 8.4, 8.5 and 9).

use std::ops::Range;

use fits_well::{time, wcs};

use super::header::{CARD, Header, has_value, name};
use super::scale::utc_of;
use super::wcs_header::push;

/// Speed of light, m/s.
const LIGHT: f64 = 299_792_458.0;
/// Planck's constant, J s.
const PLANCK: f64 = 6.626_070_15e-34;
/// Stokes parameters by their numbers (FITS 4.0, table 29): 1 to 4 and −1 to −8.
const STOKES: [&str; 4] = ["I", "Q", "U", "V"];
const PRODUCTS: [&str; 8] = ["RR", "LL", "RL", "LR", "XX", "YY", "XY", "YX"];
/// More planes have no states of their own.
const MOST_STATES: u64 = 12;
/// Units of spectral quantities (FITS 4.0, section 4.3), in those of table 25.
const UNITS: [(&str, f64); 35] = [
    ("", 1.0),
    ("Hz", 1.0),
    ("kHz", 1e3),
    ("MHz", 1e6),
    ("GHz", 1e9),
    ("THz", 1e12),
    ("m", 1.0),
    ("km", 1e3),
    ("cm", 1e-2),
    ("mm", 1e-3),
    ("um", 1e-6),
    ("micron", 1e-6),
    ("nm", 1e-9),
    ("pm", 1e-12),
    ("Angstrom", 1e-10),
    ("angstrom", 1e-10),
    ("J", 1.0),
    ("erg", 1e-7),
    ("Ry", 13.605_692 * ELECTRONVOLT),
    ("eV", ELECTRONVOLT),
    ("keV", 1e3 * ELECTRONVOLT),
    ("MeV", 1e6 * ELECTRONVOLT),
    ("GeV", 1e9 * ELECTRONVOLT),
    ("m/s", 1.0),
    ("m s-1", 1.0),
    ("m.s-1", 1.0),
    ("km/s", 1e3),
    ("km s-1", 1e3),
    ("km.s-1", 1e3),
    ("m-1", 1.0),
    ("1/m", 1.0),
    ("cm-1", 1e2),
    ("1/cm", 1e2),
    ("m**-1", 1.0),
    ("cm**-1", 1e2),
];
/// J
const ELECTRONVOLT: f64 = 1.602_176_634e-19;
/// Part of a plane that may lie beyond a range without being asked for: what rounding makes of its edge.
const ROUNDING: f64 = 1e-6;
/// Keywords of the time that times are counted from (FITS 4.0, section 9.2.2).
const EPOCHS: [&str; 7] = [
    "MJDREF", "MJDREFI", "MJDREFF", "JDREF", "JDREFI", "JDREFF", "DATEREF",
];

/// What is asked for of the planes of an image; nothing of an axis asks for all of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// Least and greatest wavelength in vacuum, m; either may be infinite.
    pub wavelengths: Option<[f64; 2]>,
    /// First and last time, MJD (UTC); either may be infinite.
    pub times: Option<[f64; 2]>,
    /// Polarization states, as `I` or `XX`; empty means all.
    pub states: &'a [String],
}

impl Wanted<'_> {
    /// Whether all planes are asked for.
    pub fn is_all(&self) -> bool {
        self.wavelengths.is_none() && self.times.is_none() && self.states.is_empty()
    }
}

/// What a plane is one of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Spectral,
    Temporal,
    State,
}

/// How its values are to be understood.
#[derive(Debug)]
enum Meaning {
    Wavelength(Spectral),
    Time(time::Axis),
    State,
}

#[derive(Debug)]
struct Spectral {
    /// The first four letters of its CTYPE.
    kind: String,
    /// Its unit in that of FITS 4.0, table 25.
    unit: f64,
    /// The line at rest as a wavelength, m.
    rest: Option<f64>,
}

/// An axis whose planes can be asked for.
#[derive(Debug)]
pub(super) struct Axis {
    /// 0-based, 0 is NAXIS1.
    pub(super) number: usize,
    length: u64,
    kind: Kind,
    /// Its values, or why they cannot be read.
    values: Result<Values, String>,
}

#[derive(Debug)]
struct Values {
    wcs: wcs::Wcs,
    meaning: Meaning,
}

/// The axes of an image of `shape` beside the `celestial` ones, those whose planes mean something.
pub(super) fn axes(header: &Header, shape: &[u64], celestial: [usize; 2]) -> Vec<Axis> {
    let others = (0..shape.len()).filter(|axis| !celestial.contains(axis));
    others
        .filter_map(|number| Axis::new(header, number, shape[number]))
        .collect()
}

impl Axis {
    fn new(header: &Header, number: usize, length: u64) -> Option<Self> {
        let ctype = header.text(&format!("CTYPE{}", number + 1)).unwrap_or_default();
        let ctype = modern(header, &ctype.trim().to_ascii_uppercase());
        let unit = header.text(&format!("CUNIT{}", number + 1)).unwrap_or_default();
        let head = ctype.split('-').next().unwrap_or_default();
        let kind = match head {
            "FREQ" | "ENER" | "WAVN" | "WAVE" | "AWAV" | "VRAD" | "VOPT" | "ZOPT" | "VELO" | "BETA" => {
                Kind::Spectral
            }
            "STOKES" => Kind::State,
            // Times since no time are those of no observation.
            "TIME" | "UTC" | "GMT" | "UT1" | "UT" | "TAI" | "IAT" | "TT" | "TDT" | "ET" | "TCG" | "TDB"
            | "TCB" | "GPS"
                if EPOCHS.iter().any(|keyword| header.value(keyword).is_some()) =>
            {
                Kind::Temporal
            }
            _ => return None,
        };
        Some(Self {
            number,
            length,
            kind,
            values: Values::new(header, number, length, kind, [&ctype, head, &unit]),
        })
    }

    /// The planes, 0-based and half open, that are wanted; `None` if nothing is said of this axis. An empty range if none
    /// of them is; of states that do not lie side by side, all between them are taken too.
    pub(super) fn planes(&self, wanted: &Wanted<'_>) -> Result<Option<Range<u64>>, String> {
        let range = match self.kind {
            Kind::Spectral => wanted.wavelengths,
            Kind::Temporal => wanted.times,
            Kind::State => {
                return if wanted.states.is_empty() {
                    Ok(None)
                } else {
                    self.of_states(wanted.states).map(Some)
                };
            }
        };
        let Some([from, to]) = range else {
            return Ok(None);
        };
        self.values.as_ref().map_err(Clone::clone)?;
        self.within(from, to).map(Some)
    }

    fn of_states(&self, wanted: &[String]) -> Result<Range<u64>, String> {
        self.values.as_ref().map_err(Clone::clone)?;
        let states = self.states();
        let is_wanted =
            |state: &&(u64, &str)| wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(state.1));
        let mut planes = states.iter().filter(is_wanted).map(|(plane, _)| *plane);
        let first = planes.next();
        let last = planes.next_back().or(first);
        Ok(match (first, last) {
            (Some(first), Some(last)) => first..last + 1,
            _ => 0..0,
        })
    }

    /// Least and greatest wavelength (m) or time (MJD, UTC) of its planes.
    pub(super) fn span(&self) -> Option<[f64; 2]> {
        self.span_of(0..self.length)
    }

    /// Least and greatest wavelength (m) or time (MJD, UTC) of some planes.
    pub(super) fn span_of(&self, planes: Range<u64>) -> Option<[f64; 2]> {
        let ends = [
            self.value(planes.start as f64 - 0.5)?,
            self.value(planes.end as f64 - 0.5)?,
        ];
        Some([ends[0].min(ends[1]), ends[0].max(ends[1])])
    }

    pub(super) fn is_spectral(&self) -> bool {
        self.kind == Kind::Spectral
    }

    pub(super) fn is_temporal(&self) -> bool {
        self.kind == Kind::Temporal
    }

    /// The planes that have a polarization state, and which.
    pub(super) fn states(&self) -> Vec<(u64, &'static str)> {
        if self.kind != Kind::State {
            return Vec::new();
        }
        let planes = 0..self.length.min(MOST_STATES);
        planes
            .filter_map(|plane| {
                let name = match self.value(plane as f64)?.round() as i64 {
                    code @ 1..=4 => STOKES[code as usize - 1],
                    code @ -8..=-1 => PRODUCTS[code.unsigned_abs() as usize - 1],
                    _ => return None,
                };
                Some((plane, name))
            })
            .collect()
    }

    /// The planes that have any of the values; of a single value the plane that it lies in.
    fn within(&self, from: f64, to: f64) -> Result<Range<u64>, String> {
        let last = self.length as f64 - 0.5;
        let unknown = || String::from("its values cannot be worked out");
        let [one, other] = [self.value(-0.5), self.value(last)].map(|end| end.ok_or_else(unknown));
        let rises = one? < other?;
        let (from, to) = if rises { (from, to) } else { (-to, -from) };
        let value = |at: f64| {
            let value = self.value(at).ok_or_else(unknown)?;
            Ok::<f64, String>(if rises { value } else { -value })
        };
        let single = from >= to;
        let inner = if single { 0.5 } else { 0.5 - ROUNDING };
        let first = first_not(self.length, |plane| Ok(value(plane as f64 + inner)? <= from))?;
        let end = first_not(self.length, |plane| {
            let edge = value(plane as f64 - inner)?;
            Ok(edge < to || single && edge <= to)
        })?;
        Ok(first..end.max(first))
    }

    /// The wavelength (m), time (MJD, UTC) or number of the state at a plane: its middle is a whole number, from 0.
    fn value(&self, plane: f64) -> Option<f64> {
        let Values { wcs, meaning } = self.values.as_ref().ok()?;
        let world = wcs.axis_world(0, &[plane + 1.0]).ok()?.value;
        let value = match meaning {
            Meaning::State => world,
            Meaning::Time(axis) => utc_of(axis.mjd(world).ok()?.to_f64(), axis.scale())?,
            Meaning::Wavelength(spectral) => {
                let wavelength = wavelength(&spectral.kind, world * spectral.unit, spectral.rest)?;
                (wavelength > 0.0).then_some(wavelength)?
            }
        };
        value.is_finite().then_some(value)
    }
}

impl Values {
    /// Of an axis with a CTYPE, whose head says what it is, and a CUNIT.
    fn new(
        header: &Header,
        number: usize,
        length: u64,
        kind: Kind,
        [ctype, head, unit]: [&str; 3],
    ) -> Result<Self, String> {
        let cards = alone(header, number + 1, length, ctype)?;
        let parsed = fits_well::header::Header::parse(&cards).map_err(|error| error.to_string())?;
        let wcs = wcs::Wcs::from_header(&parsed, None).map_err(|error| error.to_string())?;
        if !wcs.description().unsupported_axes.is_empty() {
            return Err(format!("{ctype} is not one that is read"));
        }
        let meaning = match kind {
            Kind::Spectral => {
                // Of an axis that is not linear the library gives standard units.
                let unit = wcs.world_unit(0).map_err(|error| error.to_string())?.trim();
                let known = UNITS.iter().find(|(name, _)| *name == unit);
                let (_, unit) = known.ok_or_else(|| format!("its unit {unit:?} is not one that is read"))?;
                Meaning::Wavelength(Spectral {
                    kind: head.to_owned(),
                    unit: *unit,
                    rest: rest(header),
                })
            }
            Kind::State => Meaning::State,
            Kind::Temporal => {
                let frame = time::Frame::from_header(&parsed).map_err(|error| error.to_string())?;
                let axis = frame.time_axis(ctype, unit).map_err(|error| error.to_string())?;
                Meaning::Time(axis.ok_or("it is no axis of time")?)
            }
        };
        Ok(Self { wcs, meaning })
    }
}

/// The first plane of which it does not hold, of planes of which it holds up to one of them.
fn first_not(length: u64, holds: impl Fn(u64) -> Result<bool, String>) -> Result<u64, String> {
    let (mut low, mut high) = (0, length);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle)? {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// The vacuum wavelength (m) of a spectral quantity in the unit of FITS 4.0, table 25.
fn wavelength(kind: &str, value: f64, rest: Option<f64>) -> Option<f64> {
    let beta = value / LIGHT;
    Some(match kind {
        "WAVE" => value,
        "FREQ" => LIGHT / value,
        "ENER" => PLANCK * LIGHT / value,
        "WAVN" => 1.0 / value,
        "AWAV" => value * index_of_air(value),
        "VRAD" => rest? / (1.0 - beta),
        "VOPT" => rest? * (1.0 + beta),
        "ZOPT" => rest? * (1.0 + value),
        "VELO" => rest? * ((1.0 + beta) / (1.0 - beta)).sqrt(),
        "BETA" => rest? * ((1.0 + value) / (1.0 - value)).sqrt(),
        _ => return None,
    })
}

/// The refractive index of dry air at a wavelength in it, m (FITS 4.0, section 8.4.1).
fn index_of_air(wavelength: f64) -> f64 {
    let squared = wavelength.powi(-2);
    1.000_064_328 + 2.554e8 / (0.41e14 - squared) + 294.981e8 / (1.46e14 - squared)
}

/// The line at rest, as a wavelength in vacuum, m.
fn rest(header: &Header) -> Option<f64> {
    let positive = |keyword| header.real(keyword).filter(|value| *value > 0.0);
    positive("RESTWAV").or_else(|| {
        let frequency = positive("RESTFRQ").or_else(|| positive("RESTFREQ"))?;
        Some(LIGHT / frequency)
    })
}

/// A spectral CTYPE of AIPS, as FREQ-LSR, in the standard's terms, as wcslib's `spcaips` reads it: the frame (which is
/// SPECSYS now) aside, FELO is an optical velocity along an axis of even frequencies, and VELO is a radio velocity if
/// VELREF is above 256, else an optical one.
fn modern(header: &Header, ctype: &str) -> String {
    let (head, frame) = ctype.split_once('-').unwrap_or((ctype, ""));
    if !["", "LSR", "HEL", "OBS"].contains(&frame) {
        return ctype.to_owned();
    }
    let reference = header.integer("VELREF");
    match head {
        "FREQ" => "FREQ",
        "FELO" => "VOPT-F2W",
        "VELO" if reference.is_some_and(|code| code > 256) => "VRAD",
        "VELO" if reference.is_some() || !frame.is_empty() => "VOPT",
        _ => ctype,
    }
    .to_owned()
}

/// A header of this axis (from 1) alone, which is of this CTYPE.
fn alone(header: &Header, axis: usize, length: u64, ctype: &str) -> Result<Vec<u8>, String> {
    const SHARED: [&str; 16] = [
        "RESTFRQ", "RESTFREQ", "RESTWAV", "SPECSYS", "TIMESYS", "TIMEUNIT", "TIMEOFFS", "MJDREF", "MJDREFI",
        "MJDREFF", "JDREF", "JDREFI", "JDREFF", "DATEREF", "TREFPOS", "VELREF",
    ];
    let mut cards = Vec::with_capacity(16 * CARD);
    push(&mut cards, "SIMPLE  =                    T");
    push(&mut cards, "BITPIX  =                    8");
    push(&mut cards, "NAXIS   =                    1");
    push(&mut cards, &format!("NAXIS1  = {length:>20}"));
    for card in header.cards().filter(|card| has_value(card)) {
        let Ok(name) = std::str::from_utf8(name(card)) else {
            continue;
        };
        if let Some(other) = ["PC", "CD"].iter().find_map(|family| turned(name, family, axis)) {
            if header.real(name).is_some_and(|value| value != 0.0) {
                return Err(format!("it is turned into axis {other}"));
            }
            continue;
        }
        let renamed = if SHARED.contains(&name) {
            Some(name.to_owned())
        } else {
            renamed(name, axis)
        };
        let Some(renamed) = renamed.filter(|name| name != "CTYPE1") else {
            continue;
        };
        let at = cards.len();
        push(&mut cards, &renamed);
        for (to, &from) in cards[at + 8..at + CARD].iter_mut().zip(&card[8..]) {
            *to = if (b' '..=b'~').contains(&from) { from } else { b'?' };
        }
    }
    push(&mut cards, &format!("CTYPE1  = '{ctype:<8}'"));
    push(&mut cards, "END");
    Ok(cards)
}

/// The other axis of an element of a matrix that mixes this axis with another.
fn turned(name: &str, family: &str, axis: usize) -> Option<usize> {
    let (i, j) = name.strip_prefix(family)?.split_once('_')?;
    let (i, j): (usize, usize) = (i.parse().ok()?, j.parse().ok()?);
    match (i == axis, j == axis) {
        (true, false) => Some(j),
        (false, true) => Some(i),
        _ => None,
    }
}

/// The keyword of an axis in a header of it alone; `None` if it is of another.
fn renamed(name: &str, axis: usize) -> Option<String> {
    let of_axis = |number: &str| number.parse() == Ok(axis);
    for family in ["CTYPE", "CUNIT", "CRVAL", "CRPIX", "CDELT"] {
        if let Some(number) = name.strip_prefix(family) {
            return of_axis(number).then(|| format!("{family}1"));
        }
    }
    for family in ["PC", "CD"] {
        if let Some((i, j)) = name.strip_prefix(family).and_then(|rest| rest.split_once('_')) {
            return (of_axis(i) && of_axis(j)).then(|| format!("{family}1_1"));
        }
    }
    for family in ["PV", "PS"] {
        if let Some((i, m)) = name.strip_prefix(family).and_then(|rest| rest.split_once('_')) {
            let m: u32 = m.parse().ok()?;
            return of_axis(i).then(|| format!("{family}1_{m}"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fits::tests::files::header;

    const DAY: f64 = 86_400.0;

    fn axis(cards: &[&str], length: u64) -> Axis {
        let header = Header::new(header(cards).into());
        Axis::new(&header, 2, length).expect("it means something")
    }

    fn close(one: f64, other: f64) -> bool {
        (one / other - 1.0).abs() < 1e-12
    }

    #[test]
    fn planes_of_a_frequency_axis_are_chosen_by_wavelength() {
        let cube = axis(
            &[
                "CTYPE3  = 'FREQ    '",
                "CUNIT3  = 'GHz     '",
                "CRPIX3  = 1.0",
                "CRVAL3  = 100.0",
                "CDELT3  = 10.0",
            ],
            6,
        );
        let at = |ghz: f64| LIGHT / (ghz * 1e9);
        let planes = |wavelengths| {
            let wanted = Wanted {
                wavelengths: Some(wavelengths),
                ..Wanted::default()
            };
            cube.planes(&wanted).expect("known").expect("an axis of it")
        };
        assert_eq!(planes([at(131.0), at(109.0)]), 1..4);
        assert_eq!(planes([at(120.0), at(120.0)]), 2..3);
        // Its edges do not bring its neighbours.
        assert_eq!(planes([at(125.0), at(115.0)]), 2..3);
        assert_eq!(planes([f64::NEG_INFINITY, at(144.0)]), 4..6);
        assert_eq!(planes([at(110.0), f64::INFINITY]), 0..2);
        assert!(planes([at(94.0), at(90.0)]).is_empty() && planes([at(200.0), at(156.0)]).is_empty());
        assert_eq!(
            cube.span()
                .map(|[least, most]| close(least, at(155.0)) && close(most, at(95.0))),
            Some(true)
        );
        let time = Wanted {
            times: Some([0.0, 1.0]),
            ..Wanted::default()
        };
        assert_eq!(cube.planes(&time), Ok(None));
    }

    #[test]
    fn every_spectral_quantity_is_a_wavelength() {
        // 21 cm, receding at a tenth of the speed of light.
        let rest = LIGHT / 1.420_405_751_77e9;
        let beta = 0.1_f64;
        let doppler = ((1.0 + beta) / (1.0 - beta)).sqrt();
        let here = rest * doppler;
        for (kind, value) in [
            ("WAVE", here),
            ("FREQ", LIGHT / here),
            ("WAVN", 1.0 / here),
            ("ENER", PLANCK * LIGHT / here),
            ("VRAD", LIGHT * (1.0 - rest / here)),
            ("VOPT", LIGHT * (here / rest - 1.0)),
            ("ZOPT", here / rest - 1.0),
            ("VELO", LIGHT * beta),
            ("BETA", beta),
        ] {
            let found = wavelength(kind, value, Some(rest)).expect(kind);
            assert!(close(found, here), "{kind}: {found} {here}");
        }
        // Sodium's D2 line in air.
        let vacuum = wavelength("AWAV", 5.889_950e-7, None).expect("in air");
        assert!((vacuum - 5.891_583e-7).abs() < 1e-12, "{vacuum}");
        assert_eq!(wavelength("VRAD", 0.0, None), None);
        let velocity = axis(
            &[
                "CTYPE3  = 'VOPT-F2W'",
                "CUNIT3  = 'km/s    '",
                "CRPIX3  = 1",
                "CRVAL3  = 0.0",
                "CDELT3  = 100.0",
                "RESTFRQ = 1.420405751770E9",
            ],
            4,
        );
        assert!(velocity.value(0.0).is_some_and(|first| close(first, rest)));
    }

    #[test]
    fn axes_of_aips_are_read() {
        // By astropy 8.0.2: the first pixel's value as WCS(header) has it, after its fix.
        let rest = LIGHT / 1.420_405_752e9;
        let optical = |speed: f64| rest * (1.0 + speed / LIGHT);
        let radio = |speed: f64| rest / (1.0 - speed / LIGHT);
        for (ctype, reference, start, step, expected) in [
            ("FREQ-LSR", "", 1.420_4e9, 1e5, LIGHT / 1.420_35e9),
            ("FREQ-HEL", "VELREF  = 257", 1.420_4e9, 1e5, LIGHT / 1.420_35e9),
            ("FELO-HEL", "", 1e6, 1e5, optical(950_008.309_997_260_6)),
            ("FELO", "", 1e6, 1e5, optical(950_008.309_997_260_6)),
            ("VELO-LSR", "", 1e6, 1e5, optical(950_000.0)),
            ("VELO-HEL", "VELREF  = 258", 1e6, 1e5, radio(950_000.0)),
            ("VELO", "VELREF  = 2", 1e6, 1e5, optical(950_000.0)),
        ] {
            let cards = [
                format!("CTYPE3  = '{ctype:<8}'"),
                "CRPIX3  = 1.0".into(),
                format!("CRVAL3  = {start:E}"),
                format!("CDELT3  = {step:E}"),
                "RESTFREQ= 1.420405752E9".into(),
                reference.into(),
            ];
            let cards: Vec<&str> = cards
                .iter()
                .map(String::as_str)
                .filter(|card| !card.is_empty())
                .collect();
            let edge = axis(&cards, 4).value(-0.5).expect(ctype);
            assert!((edge / expected - 1.0).abs() < 1e-9, "{ctype}: {edge} {expected}");
        }
    }

    #[test]
    fn planes_of_a_time_axis_are_chosen_by_time() {
        let times = axis(
            &[
                "CTYPE3  = 'TIME    '",
                "CRPIX3  = 1",
                "CRVAL3  = 0.0",
                "CDELT3  = 60.0",
                "MJDREFI = 58849",
                "MJDREFF = 0.5",
                "TIMESYS = 'UTC     '",
            ],
            60,
        );
        let hour = Wanted {
            times: Some([58_849.5 + 90.0 / DAY, 58_849.5 + 200.0 / DAY]),
            ..Wanted::default()
        };
        assert_eq!(times.planes(&hour), Ok(Some(2..4)));
    }

    #[test]
    fn states_are_chosen_by_name() {
        let stokes = axis(
            &[
                "CTYPE3  = 'STOKES  '",
                "CRPIX3  = 1",
                "CRVAL3  = 1.0",
                "CDELT3  = 1.0",
            ],
            4,
        );
        let planes = |states: &[&str]| {
            let states: Vec<String> = states.iter().map(|state| (*state).to_owned()).collect();
            let wanted = Wanted {
                states: &states,
                ..Wanted::default()
            };
            stokes.planes(&wanted).expect("known").expect("an axis of it")
        };
        assert_eq!(planes(&["q"]), 1..2);
        assert_eq!(planes(&["U", "I"]), 0..3);
        assert!(planes(&["XX"]).is_empty());
        let products = axis(
            &[
                "CTYPE3  = 'STOKES  '",
                "CRPIX3  = 1",
                "CRVAL3  = -5.0",
                "CDELT3  = -1.0",
            ],
            4,
        );
        assert_eq!(products.states(), [(0, "XX"), (1, "YY"), (2, "XY"), (3, "YX")]);
    }

    #[test]
    fn an_axis_that_cannot_be_read_says_why() {
        let problem = |cards: &[&str]| axis(cards, 5).values.expect_err("cannot be read");
        let turned = [
            "CTYPE3  = 'FREQ    '",
            "CRVAL3  = 1E9",
            "CDELT3  = 1E6",
            "PC3_1   = 0.1",
        ];
        assert_eq!(problem(&turned), "it is turned into axis 1");
        problem(&["CTYPE3  = 'WAVE-TAB'", "CRVAL3  = 1E-6"]);
        let furlongs = ["CTYPE3  = 'WAVE    '", "CUNIT3  = 'furlong '", "CRVAL3  = 1.0"];
        assert!(problem(&furlongs).contains("furlong"));
        let nowhere = axis(
            &[
                "CTYPE3  = 'FREQ    '",
                "CRPIX3  = 1",
                "CRVAL3  = 0.0",
                "CDELT3  = 1E9",
            ],
            5,
        );
        let all = Wanted {
            wavelengths: Some([0.1, 0.2]),
            ..Wanted::default()
        };
        assert!(nowhere.planes(&all).is_err());
        assert!(axis(&furlongs, 5).planes(&all).is_err());
    }

    #[test]
    fn an_axis_that_cannot_be_read_spoils_no_other() {
        let cards = [
            "CTYPE3  = 'VELO    '",
            "CUNIT3  = 'furlong '",
            "CTYPE4  = 'STOKES  '",
            "CRPIX4  = 1",
            "CRVAL4  = 1.0",
            "CDELT4  = 1.0",
        ];
        let header = Header::new(header(&cards).into());
        let axes = axes(&header, &[4, 4, 5, 3], [0, 1]);
        let states = ["U".to_owned()];
        let wanted = Wanted {
            states: &states,
            ..Wanted::default()
        };
        let planes: Vec<_> = axes.iter().map(|axis| axis.planes(&wanted)).collect();
        assert_eq!(planes, [Ok(None), Ok(Some(2..3))]);
    }

    #[test]
    fn axes_that_say_nothing_of_planes_are_none() {
        for cards in [
            &["CTYPE3  = 'LINEAR  '", "CRVAL3  = 1E-6"][..],
            // Of no time that it is counted from.
            &["CTYPE3  = 'TIME    '", "CUNIT3  = 's       '", "CRVAL3  = 0.0"],
        ] {
            let header = Header::new(header(cards).into());
            assert!(axes(&header, &[4, 4, 5], [0, 1]).is_empty(), "{cards:?}");
        }
    }
}
