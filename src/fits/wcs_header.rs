//! The celestial part of an image header: two axes of it, in the form that the WCS library reads.

use super::header::{CARD, Header, has_value, name};
use crate::sky::System;

/// Which axes of the image are celestial, 0-based and ascending.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axes {
    pub(super) x: usize,
    pub(super) y: usize,
    /// Whether x goes with latitude.
    pub(super) latitude_first: bool,
}

/// A header of two axes, and what it was taken from.
pub(super) struct Celestial {
    /// Cards with END.
    pub(super) cards: Vec<u8>,
    pub(super) axes: Axes,
    pub(super) system: System,
    /// CTYPE of the longitude.
    pub(super) ctype: String,
    /// Pixels of 360 degrees along x, if the projection is a cylinder along x.
    pub(super) turn: Option<f64>,
}

/// The celestial pair of a header whose image has `shape`; `None` if it has none.
pub(super) fn celestial_header(header: &Header, shape: &[u64]) -> Result<Option<Celestial>, String> {
    let types: Vec<String> = (1..=shape.len())
        .map(|axis| {
            header
                .text(&format!("CTYPE{axis}"))
                .unwrap_or_default()
                .trim()
                .to_ascii_uppercase()
        })
        .collect();
    let find = |latitude| types.iter().position(|ctype| axis_of(ctype) == Some(latitude));
    let (Some(lon), Some(lat)) = (find(false), find(true)) else {
        return Ok(None);
    };
    let axes = Axes {
        x: lon.min(lat),
        y: lon.max(lat),
        latitude_first: lat < lon,
    };
    let ctype = types[lon].clone();
    let system = system(header, &ctype, &types[lat])?;
    let scamp = is_scamp(header, &ctype, lon + 1, lat + 1);
    let modern = modern(header, &types, axes)?;
    let mut cards = Vec::with_capacity(40 * CARD);
    push(&mut cards, "SIMPLE  =                    T");
    push(&mut cards, "BITPIX  =                    8");
    push(&mut cards, "NAXIS   =                    2");
    push(&mut cards, &format!("NAXIS1  = {:>20}", shape[axes.x]));
    push(&mut cards, &format!("NAXIS2  = {:>20}", shape[axes.y]));
    for card in header.cards().filter(|card| has_value(card)) {
        let Some(renamed) = std::str::from_utf8(name(card))
            .ok()
            .and_then(|name| renamed(name, axes))
        else {
            continue;
        };
        let is_replaced = |modern: &Modern| modern.values.iter().any(|(name, _)| *name == renamed);
        if renamed.starts_with("CTYPE") || modern.as_ref().is_some_and(is_replaced) {
            continue;
        }
        let at = cards.len();
        push(&mut cards, &renamed);
        for (to, &from) in cards[at + 8..at + CARD].iter_mut().zip(&card[8..]) {
            *to = if (b' '..=b'~').contains(&from) { from } else { b'?' };
        }
    }
    for (number, axis) in [(1, axes.x), (2, axes.y)] {
        let ctype = match &modern {
            _ if scamp => types[axis].replace("-TAN", "-TPV"),
            Some(Modern { was, is, .. }) => types[axis].replace(was, is),
            None => types[axis].clone(),
        };
        push(&mut cards, &format!("CTYPE{number}  = '{ctype:<8}'"));
    }
    for (name, value) in modern.iter().flat_map(|modern| &modern.values) {
        push(&mut cards, &format!("{name:<8}= {value:E}"));
    }
    push(&mut cards, "END");
    let turn = turn(header, &ctype, axes);
    Ok(Some(Celestial {
        cards,
        axes,
        system,
        ctype,
        turn,
    }))
}

/// Adds a card of this text.
pub(super) fn push(cards: &mut Vec<u8>, text: &str) {
    let start = cards.len();
    cards.extend_from_slice(text.as_bytes());
    cards.resize(start + CARD, b' ');
}

/// Whether a CTYPE is a projected latitude or longitude; `None` if neither.
fn axis_of(ctype: &str) -> Option<bool> {
    let (head, _) = ctype.split_once('-')?;
    match head {
        "RA" => Some(false),
        "DEC" => Some(true),
        _ if head.len() == 4 && head.ends_with("LON") => Some(false),
        _ if head.len() == 4 && head.ends_with("LAT") => Some(true),
        _ => None,
    }
}

/// The system that CTYPE, RADESYS and EQUINOX declare, with the defaults of FITS 4.0, section 8.3.
fn system(header: &Header, lon: &str, lat: &str) -> Result<System, String> {
    let head = |ctype: &str| ctype.split('-').next().unwrap_or_default().to_owned();
    let equinox = header.real("EQUINOX").or_else(|| header.real("EPOCH"));
    if equinox.is_some_and(|year| !(1000.0..=3000.0).contains(&year)) {
        return Err("EQUINOX is not a year from 1000 to 3000".into());
    }
    match (head(lon).as_str(), head(lat).as_str()) {
        ("RA", "DEC") => {}
        ("GLON", "GLAT") => return Ok(System::Galactic),
        ("ELON", "ELAT") => {
            return Ok(System::Ecliptic {
                equinox: equinox.unwrap_or(2000.0),
            });
        }
        _ => {
            return Err(format!(
                "the system of {lon} and {lat} is not equatorial, galactic or ecliptic"
            ));
        }
    }
    let declared = header
        .text("RADESYS")
        .filter(|s| !s.trim().is_empty())
        .or_else(|| header.text("RADECSYS"));
    match declared
        .as_deref()
        .map(|name| name.trim().to_ascii_uppercase())
        .as_deref()
    {
        Some("ICRS") => Ok(System::Icrs),
        Some("FK5") => Ok(System::Fk5 {
            equinox: equinox.unwrap_or(2000.0),
        }),
        Some("FK4") => Ok(System::Fk4 {
            equinox: equinox.unwrap_or(1950.0),
        }),
        Some("FK4-NO-E") => Ok(System::Fk4NoE {
            equinox: equinox.unwrap_or(1950.0),
        }),
        Some("") | None => Ok(match equinox {
            None => System::Icrs,
            Some(year) if year < 1984.0 => System::Fk4 { equinox: year },
            Some(year) => System::Fk5 { equinox: year },
        }),
        Some(other) => Err(format!("RADESYS {other:?} is not ICRS, FK5, FK4 or FK4-NO-E")),
    }
}

/// SCAMP writes the polynomial of TPV under the name TAN, whose own parameters end at `PVlon_4` and are none
/// for the latitude.
fn is_scamp(header: &Header, ctype: &str, lon: usize, lat: usize) -> bool {
    let (of_lon, of_lat) = (format!("PV{lon}_"), format!("PV{lat}_"));
    ctype.ends_with("-TAN")
        && header.value("A_ORDER").is_none()
        && header
            .cards()
            .filter_map(|card| std::str::from_utf8(name(card)).ok())
            .any(|name| {
                name.starts_with(&of_lat)
                    || name
                        .strip_prefix(&of_lon)
                        .and_then(|m| m.parse().ok())
                        .is_some_and(|m: u32| m > 4)
            })
}

/// A projection as the standard has it now.
struct Modern {
    was: &'static str,
    is: &'static str,
    /// Keywords of the header of two axes that have other values for it.
    values: Vec<(String, f64)>,
}

/// What the projections of AIPS are today: NCP is SIN as seen from a pole, GLS is SFL with its reference on the equator
/// (Calabretta and Greisen 2002, sections 5.1.5 and 5.3.1; 6.1 has the aliases).
fn modern(header: &Header, types: &[String], axes: Axes) -> Result<Option<Modern>, String> {
    let (lon, lat) = if axes.latitude_first {
        (axes.y, axes.x)
    } else {
        (axes.x, axes.y)
    };
    let number = |axis: usize| if axis == axes.x { 1 } else { 2 };
    let reference = header.real(&format!("CRVAL{}", lat + 1)).unwrap_or(0.0);
    if types[lon].ends_with("-NCP") {
        let slant = reference.to_radians().tan().recip();
        if !slant.is_finite() {
            return Err("the projection NCP has no reference on the equator".into());
        }
        let values = [(1, 0.0), (2, slant)].map(|(m, value)| (format!("PV{}_{m}", number(lat)), value));
        return Ok(Some(Modern {
            was: "-NCP",
            is: "-SIN",
            values: values.into(),
        }));
    }
    if !types[lon].ends_with("-GLS") {
        return Ok(None);
    }
    let [[a, b], [c, d]] = matrix(header, lon + 1, lat + 1);
    let determinant = a * d - b * c;
    // So many pixels off lies the equator.
    let off = [-b * reference / determinant, a * reference / determinant];
    if !off.iter().all(|pixels| pixels.is_finite()) {
        return Err("its matrix of coordinates has no inverse".into());
    }
    let pixel = |axis: usize| header.real(&format!("CRPIX{}", axis + 1)).unwrap_or(0.0);
    Ok(Some(Modern {
        was: "-GLS",
        is: "-SFL",
        values: vec![
            (format!("CRVAL{}", number(lat)), 0.0),
            (format!("CRPIX{}", number(lon)), pixel(lon) - off[0]),
            (format!("CRPIX{}", number(lat)), pixel(lat) - off[1]),
        ],
    }))
}

/// From pixels to degrees along longitude and latitude, whose axes (from 1) these are.
fn matrix(header: &Header, lon: usize, lat: usize) -> [[f64; 2]; 2] {
    let axes = [lon, lat];
    let element = |family: &str, i: usize, j: usize| {
        let drafted = || header.real(&format!("{family}{:03}{:03}", axes[i], axes[j]));
        header
            .real(&format!("{family}{}_{}", axes[i], axes[j]))
            .or_else(drafted)
    };
    let of = |family: &str| {
        let found = [0, 1].map(|i| [0, 1].map(|j| element(family, i, j)));
        let is_there = found.iter().flatten().any(Option::is_some);
        is_there.then_some(found)
    };
    if let Some(found) = of("CD") {
        return found.map(|row| row.map(|value| value.unwrap_or(0.0)));
    }
    let step = axes.map(|axis| header.real(&format!("CDELT{axis}")).unwrap_or(1.0));
    if let Some(found) = of("PC") {
        let one = |i: usize, j: usize| if i == j { 1.0 } else { 0.0 };
        return [0, 1].map(|i| [0, 1].map(|j| step[i] * found[i][j].unwrap_or_else(|| one(i, j))));
    }
    let turned = header.real(&format!("CROTA{lat}")).unwrap_or(0.0).to_radians();
    let (sin, cos) = turned.sin_cos();
    [[step[0] * cos, -step[1] * sin], [step[0] * sin, step[1] * cos]]
}

/// The keyword that a card of the full header has in the header of two axes; `None` if it has no place there.
fn renamed(name: &str, axes: Axes) -> Option<String> {
    const ALONE: [&str; 6] = ["LONPOLE", "LATPOLE", "RADESYS", "RADECSYS", "EQUINOX", "EPOCH"];
    if ALONE.contains(&name) {
        return Some(name.to_owned());
    }
    let number = |text: &str| match text.parse::<usize>() {
        Ok(own) if own == axes.x + 1 => Some(1),
        Ok(own) if own == axes.y + 1 => Some(2),
        _ => None,
    };
    for family in ["CTYPE", "CUNIT", "CRVAL", "CRPIX", "CDELT", "CROTA"] {
        if let Some(own) = name.strip_prefix(family) {
            return number(own).map(|own| format!("{family}{own}"));
        }
    }
    for family in ["PC", "CD"] {
        if let Some((i, j)) = name.strip_prefix(family).and_then(|rest| rest.split_once('_')) {
            return Some(format!("{family}{}_{}", number(i)?, number(j)?));
        }
    }
    // PC001002 is how drafts of the standard wrote PC1_2.
    if let Some(digits) = name.strip_prefix("PC").filter(|rest| rest.len() == 6)
        && let (Some(i), Some(j)) = (digits.get(..3).and_then(number), digits.get(3..).and_then(number))
    {
        return Some(format!("PC{i}_{j}"));
    }
    for family in ["PV", "PS"] {
        if let Some((i, m)) = name.strip_prefix(family).and_then(|rest| rest.split_once('_')) {
            let m: u32 = m.parse().ok()?;
            return Some(format!("{family}{}_{m}", number(i)?));
        }
    }
    // SIP belongs to the first two axes.
    let sip = ["A_", "B_", "AP_", "BP_"]
        .iter()
        .any(|family| name.starts_with(family));
    (sip && (axes.x, axes.y) == (0, 1)).then(|| name.to_owned())
}

/// The pixels of a whole turn: for the cylinders, if longitude runs along x alone.
fn turn(header: &Header, ctype: &str, axes: Axes) -> Option<f64> {
    let cylinder = ["-CAR", "-CEA", "-MER", "-CYP"]
        .iter()
        .any(|name| ctype.ends_with(name));
    if !cylinder || axes.latitude_first {
        return None;
    }
    let (x, y) = (axes.x + 1, axes.y + 1);
    let zero = |keyword: String| header.real(&keyword).is_none_or(|value| value == 0.0);
    let straight = ["PC", "CD"]
        .iter()
        .all(|m| zero(format!("{m}{x}_{y}")) && zero(format!("{m}{y}_{x}")));
    if !straight || !zero(format!("CROTA{x}")) || !zero(format!("CROTA{y}")) {
        return None;
    }
    let step = match header.real(&format!("CD{x}_{x}")) {
        Some(step) => step,
        None => header.real(&format!("CDELT{x}"))? * header.real(&format!("PC{x}_{x}")).unwrap_or(1.0),
    };
    let in_degrees = header
        .text(&format!("CUNIT{x}"))
        .is_none_or(|unit| unit.trim().is_empty() || unit.trim() == "deg");
    let turn = 360.0 / step.abs();
    (in_degrees && turn.is_finite() && turn >= 1.0).then_some(turn)
}
