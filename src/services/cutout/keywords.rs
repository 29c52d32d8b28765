//! What the headers of an image say of it, by the keywords that its collection has them in.

use sha2::{Digest, Sha256};

use super::dates::{EPOCH, Taken, taken};
use crate::{
    fits::{File, Hdu, Value},
    settings::KeywordSettings,
    uws::Timestamp,
};

/// Counted up when images are described in another way, so that the next ingest reads them again.
const VERSION: u8 = 4;
/// Longest value that is kept, in characters.
const LONGEST: usize = 200;
/// Speed of light, m/s.
const LIGHT: f64 = 299_792_458.0;
/// A day's milliseconds.
const DAY: f64 = 86_400_000.0;

/// What a file says of itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Described {
    pub band: Option<String>,
    pub obs: Option<String>,
    pub product_type: Option<String>,
    pub field: Option<String>,
    pub target: Option<String>,
    pub facility: Option<String>,
    pub instrument: Option<String>,
    /// As its dates have it.
    pub taken: Taken,
    /// s
    pub exposure: Option<f64>,
    /// Of its spectral axis, or else its band, m.
    pub wavelengths: Option<[f64; 2]>,
    /// Of its time axis, MJD (UTC).
    pub times: Option<[f64; 2]>,
    pub calib_level: u8,
    /// As `/I/Q/`.
    pub pol_states: Option<String>,
}

/// Describes a file by its primary header and that of `first`, its first image; what the primary says holds for all.
pub fn describe(settings: &KeywordSettings, path: &str, file: &File, first: &Hdu) -> Described {
    let headers = [file.hdus().first(), Some(first)];
    let word = |keywords: &[String]| {
        headers
            .iter()
            .flatten()
            .find_map(|hdu| keywords.iter().find_map(|keyword| text(hdu, keyword)))
    };
    let exposure = word(&settings.exposure)
        .and_then(|text| text.parse::<f64>().ok())
        .filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
    let dated: Vec<_> = headers.iter().flatten().map(|hdu| hdu.header()).collect();
    let band = word(&settings.band);
    let obs = word(&settings.obs).or_else(|| coadd_of(settings, path));
    let coadd = obs.as_deref().is_some_and(|obs| is_coadd(settings, obs));
    Described {
        wavelengths: first
            .wavelengths()
            .or_else(|| wavelengths(settings, band.as_deref()?)),
        times: first.times(),
        product_type: match word(&settings.product_type) {
            Some(word) => Some(meaning(settings, &word).unwrap_or(word)),
            None => parts(path).find_map(|part| meaning(settings, part)),
        },
        field: word(&settings.field),
        target: word(&settings.target),
        facility: word(&settings.facility),
        instrument: word(&settings.instrument),
        taken: taken(settings, &dated, exposure),
        exposure,
        // A coadd is made of calibrated images.
        calib_level: if coadd { 3 } else { settings.calib_level },
        pol_states: polarization(first),
        band,
        obs,
    }
}

impl Described {
    /// When it was observed, MJD: as its time axis has it; else what is missing of begin and end comes of the exposure, if that is known.
    pub fn mjd(&self) -> [Option<f64>; 2] {
        if let Some(times) = self.times {
            return times.map(Some);
        }
        let Taken { begin, end } = self.taken;
        let days = self.exposure.map(|seconds| seconds / 86_400.0);
        [
            begin.or_else(|| Some(end? - days?)),
            end.or_else(|| Some(begin? + days?)),
        ]
    }

    /// Begin and end by its dates.
    pub fn dates(&self) -> [Option<Timestamp>; 2] {
        let timestamp = |mjd: f64| Timestamp::from_millis(((mjd - EPOCH) * DAY).round() as i64);
        [self.taken.begin, self.taken.end].map(|time| time.and_then(timestamp))
    }
}

/// A number that is another when these settings, or the way in which they are used, are.
pub fn fingerprint(settings: &KeywordSettings) -> i64 {
    let digest = Sha256::digest(format!("{VERSION} {settings:?}"));
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest[..8]);
    // 0 is of images that were described before there was such a number.
    i64::from_be_bytes(bytes).checked_abs().unwrap_or(1).max(1)
}

/// The wavelengths (m) of a band: as set, or by its name if that is a number with a unit, as 150GHz, 21cm or 800-900nm.
fn wavelengths(settings: &KeywordSettings, band: &str) -> Option<[f64; 2]> {
    let set = settings
        .wavelengths
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(band))
        .map(|(_, range)| *range);
    set.or_else(|| by_name(band))
        .map(|[a, b]| [f64::min(a, b), f64::max(a, b)])
}

fn by_name(band: &str) -> Option<[f64; 2]> {
    let band = band.trim();
    let unit_at = band.find(|c: char| c.is_alphabetic() || c == 'µ')?;
    let (numbers, unit) = (
        band[..unit_at].trim_end_matches([' ', '_', '-']),
        band[unit_at..].trim(),
    );
    let metres: fn(f64) -> f64 = match unit.to_ascii_lowercase().as_str() {
        "hz" => |value| LIGHT / value,
        "mhz" => |value| LIGHT / (value * 1e6),
        "ghz" => |value| LIGHT / (value * 1e9),
        "thz" => |value| LIGHT / (value * 1e12),
        "nm" => |value| value * 1e-9,
        "um" | "µm" | "μm" | "micron" => |value| value * 1e-6,
        "mm" => |value| value * 1e-3,
        "cm" => |value| value * 1e-2,
        "m" => |value| value,
        "a" | "angstrom" => |value| value * 1e-10,
        _ => return None,
    };
    let (from, to) = numbers.split_once('-').unwrap_or((numbers, numbers));
    let metres = |text: &str| {
        let value: f64 = text.trim().parse().ok()?;
        (value.is_finite() && value > 0.0).then(|| metres(value))
    };
    Some([metres(from)?, metres(to)?])
}

/// The short name of a type.
fn meaning(settings: &KeywordSettings, word: &str) -> Option<String> {
    let found = settings
        .types
        .iter()
        .find(|(long, short)| long.eq_ignore_ascii_case(word) || short.eq_ignore_ascii_case(word));
    found.map(|(_, short)| short.clone())
}

/// The words that types may be asked for by, with those that mean the same.
pub fn names_of_types(asked: &[String]) -> Vec<String> {
    let settings = KeywordSettings::default();
    let mut names = asked.to_vec();
    for (long, short) in &settings.types {
        for (one, other) in [(long, short), (short, long)] {
            if asked.iter().any(|name| name.eq_ignore_ascii_case(one)) {
                names.push(other.clone());
            }
        }
    }
    names
}

fn is_coadd(settings: &KeywordSettings, obs: &str) -> bool {
    let first = parts(obs).next().unwrap_or_default();
    settings
        .coadds
        .iter()
        .any(|word| word.eq_ignore_ascii_case(first))
}

/// The tag of a coadd in a file's name: from one of the words that begin such tags to the last year after it, as
/// `yearly_winter_2020` in `150GHz_yearly_winter_2020_fltd.fits`.
fn coadd_of(settings: &KeywordSettings, path: &str) -> Option<String> {
    let parts: Vec<&str> = parts(path).collect();
    let from = parts
        .iter()
        .position(|part| settings.coadds.iter().any(|word| word.eq_ignore_ascii_case(part)))?;
    let is_year = |part: &&str| part.len() == 4 && part.bytes().all(|b| b.is_ascii_digit());
    let years = parts[from..].iter().rposition(is_year)?;
    Some(parts[from..=from + years].join("_"))
}

/// The words of a file's name.
fn parts(path: &str) -> impl Iterator<Item = &str> {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.split(|c: char| !c.is_alphanumeric())
        .filter(|part| !part.is_empty())
}

/// The states along an axis of Stokes parameters, as `ObsCore` writes them.
fn polarization(hdu: &Hdu) -> Option<String> {
    let states = hdu.states();
    (!states.is_empty()).then(|| format!("/{}/", states.join("/")))
}

/// The value of a keyword as text, unless it is blank.
fn text(hdu: &Hdu, keyword: &str) -> Option<String> {
    let text = match hdu.header().value(keyword)? {
        Value::Text(text) => text.trim().to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Logical(_) => return None,
    };
    // No keyword of these is longer; a database has no zero bytes.
    let text: String = text.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_are_wavelengths() {
        let mut settings = KeywordSettings::default();
        settings.wavelengths.insert("r".into(), [5.5e-7, 7.0e-7]);
        for (band, want) in [
            ("150GHz", Some([1.998_616e-3; 2])),
            ("90 ghz", Some([3.331_027e-3; 2])),
            ("850um", Some([8.5e-4; 2])),
            ("800-900nm", Some([8e-7, 9e-7])),
            ("130-170GHz", Some([1.763_485e-3, 2.306_096e-3])),
            ("21cm", Some([0.21; 2])),
            ("R", Some([5.5e-7, 7.0e-7])),
            ("Ks", None),
            ("0GHz", None),
            ("GHz", None),
            ("150", None),
            ("", None),
        ] {
            let found = wavelengths(&settings, band);
            let close = match (found, want) {
                (Some(found), Some(want)) => found.iter().zip(want).all(|(a, b)| (a / b - 1.0).abs() < 1e-6),
                (found, want) => found == want,
            };
            assert!(close, "{band}: {found:?}");
        }
    }

    #[test]
    fn types_and_tags_are_found_in_names() {
        let settings = KeywordSettings::default();
        for (word, want) in [
            ("passthrough", Some("psth")),
            ("FILTERED", Some("fltd")),
            ("psth", Some("psth")),
            ("coadd", None),
        ] {
            assert_eq!(meaning(&settings, word).as_deref(), want, "{word}");
        }
        for (path, want) in [
            (
                "a/150GHz_yearly_winter_2020_fltd.fits",
                Some("yearly_winter_2020"),
            ),
            (
                "yearly_rawmap_v1_2019_2020.fits",
                Some("yearly_rawmap_v1_2019_2020"),
            ),
            ("yearly_winter/150GHz_1234.fits", None),
            ("yearly.fits", None),
        ] {
            assert_eq!(coadd_of(&settings, path).as_deref(), want, "{path}");
        }
        assert!(is_coadd(&settings, "yearly_winter_2020") && !is_coadd(&settings, "104123"));
    }

    #[test]
    fn other_settings_have_other_numbers() {
        let mut other = KeywordSettings::default();
        assert_eq!(fingerprint(&other), fingerprint(&KeywordSettings::default()));
        assert!(fingerprint(&other) > 0);
        other.band = vec!["COLOR".into()];
        assert_ne!(fingerprint(&other), fingerprint(&KeywordSettings::default()));
    }

    #[test]
    fn what_is_missing_of_a_time_comes_of_the_exposure() {
        let mut described = Described {
            taken: Taken {
                begin: Some(58_909.5),
                end: None,
            },
            exposure: Some(43_200.0),
            ..Described::default()
        };
        assert_eq!(described.mjd(), [Some(58_909.5), Some(58_910.0)]);
        assert_eq!(described.dates(), ["2020-03-01T12:00:00".parse().ok(), None]);
        described.taken.end = described.taken.begin.take();
        assert_eq!(described.mjd(), [Some(58_909.0), Some(58_909.5)]);
        described.exposure = None;
        assert_eq!(described.mjd(), [None, Some(58_909.5)]);
    }
}
