//! Right ascension and declination as people write them.

use thiserror::Error;

/// Why a coordinate could not be read; says what was expected.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AngleError {
    /// Neither a number of degrees nor sexagesimal.
    #[error("{name} {text:?} is neither decimal degrees nor sexagesimal ({form})")]
    Unreadable {
        /// RA or DEC.
        name: &'static str,
        /// What was given, at most 40 characters of it.
        text: String,
        /// The sexagesimal form of this coordinate.
        form: &'static str,
    },
    /// Minutes or seconds of 60 or more.
    #[error("{name} {text:?} has minutes or seconds that are not below 60")]
    Sixty {
        /// RA or DEC.
        name: &'static str,
        /// What was given, at most 40 characters of it.
        text: String,
    },
    /// Outside of the coordinate's range.
    #[error("{name} {text:?} is not within {range}")]
    Range {
        /// RA or DEC.
        name: &'static str,
        /// What was given, at most 40 characters of it.
        text: String,
        /// The range, in degrees.
        range: &'static str,
    },
}

/// What differs between the two coordinates.
struct Coordinate {
    name: &'static str,
    form: &'static str,
    range: &'static str,
    /// Degrees in one unit of the sexagesimal form.
    unit: f64,
    least: f64,
    most: f64,
}

const RA: Coordinate = Coordinate {
    name: "RA",
    form: "hours, hh:mm:ss.s",
    range: "0 to 360 deg",
    unit: 15.0,
    least: 0.0,
    most: 360.0,
};

const DEC: Coordinate = Coordinate {
    name: "DEC",
    form: "degrees, ±dd:mm:ss.s",
    range: "-90 to 90 deg",
    unit: 1.0,
    least: -90.0,
    most: 90.0,
};

/// A right ascension in degrees, 0 to 360: decimal degrees, or sexagesimal hours as `hh:mm:ss.s`,
/// `hh mm ss.s` or `hhʰmmᵐss.sˢ` with plain letters (`12h30m15.5s`). Letters `d` make it degrees.
pub fn parse_ra(text: &str) -> Result<f64, AngleError> {
    parse(&RA, text)
}

/// A declination in degrees, −90 to 90: decimal degrees, or `±dd:mm:ss.s`, `±dd mm ss.s`, `±ddd mmm sss`
/// with letters (`-57d30m00s`). A Unicode minus is a minus.
pub fn parse_dec(text: &str) -> Result<f64, AngleError> {
    parse(&DEC, text)
}

fn parse(coordinate: &Coordinate, text: &str) -> Result<f64, AngleError> {
    let shown = || text.trim().chars().take(40).collect::<String>();
    let Some(value) =
        decimal(text.trim()).map_or_else(|| sexagesimal(coordinate, text.trim()), |v| Some(Ok(v)))
    else {
        return Err(AngleError::Unreadable {
            name: coordinate.name,
            text: shown(),
            form: coordinate.form,
        });
    };
    let Ok(value) = value else {
        return Err(AngleError::Sixty {
            name: coordinate.name,
            text: shown(),
        });
    };
    if !(coordinate.least..=coordinate.most).contains(&value) {
        return Err(AngleError::Range {
            name: coordinate.name,
            text: shown(),
            range: coordinate.range,
        });
    }
    Ok(value)
}

/// A finite decimal number; not `inf`, `nan` and the other words that Rust reads as one.
fn decimal(text: &str) -> Option<f64> {
    let text = text.replace('\u{2212}', "-");
    if !text
        .bytes()
        .all(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'))
    {
        return None;
    }
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}

struct Sixty;

/// `None` if it is not sexagesimal at all.
fn sexagesimal(coordinate: &Coordinate, text: &str) -> Option<Result<f64, Sixty>> {
    let (negative, rest) = match text.strip_prefix(['-', '\u{2212}']) {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (fields, unit) = fields(rest, coordinate.unit)?;
    let (last, whole) = fields.split_last()?;
    if whole.is_empty() || fields.len() > 3 {
        return None;
    }
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if !whole.iter().all(|s| digits(s) && s.len() <= 3) {
        return None;
    }
    let (integer, fraction) = last.split_once('.').unwrap_or((last, "0"));
    if !digits(integer) || !(fraction.is_empty() || digits(fraction)) {
        return None;
    }
    let mut value = 0.0;
    let mut scale = 1.0;
    for (at, field) in fields.iter().enumerate() {
        let number: f64 = field.parse().ok()?;
        if at > 0 && number >= 60.0 {
            return Some(Err(Sixty));
        }
        value += number / scale;
        scale *= 60.0;
    }
    Some(Ok(if negative { -value } else { value } * unit))
}

/// The two or three fields of a sexagesimal number and the degrees that its first field counts.
fn fields(text: &str, unit: f64) -> Option<(Vec<&str>, f64)> {
    if text.contains(':') {
        return Some((text.split(':').map(str::trim).collect(), unit));
    }
    let letters = ['h', 'H', 'd', 'D', '°', 'm', 'M', '\'', '′', 's', 'S', '"', '″'];
    if !text.contains(letters) {
        return Some((text.split_whitespace().collect(), unit));
    }
    let mut fields = Vec::with_capacity(3);
    let mut rest = text;
    let mut degrees = unit;
    for (at, names) in [&letters[..5], &letters[5..9], &letters[9..]]
        .into_iter()
        .enumerate()
    {
        let Some((field, after)) = rest.split_once(names) else {
            break;
        };
        if at == 0 {
            let hours = rest[field.len()..].starts_with(['h', 'H']);
            if hours && unit == DEC.unit {
                return None;
            }
            degrees = if hours { RA.unit } else { DEC.unit };
        }
        fields.push(field.trim());
        rest = after.trim_start();
    }
    // The last unit may be left out: 12h30m15.5
    match (rest, fields.len()) {
        ("", 1) => fields.push("0"),
        ("", _) => {}
        (rest, 1 | 2) => fields.push(rest.trim()),
        _ => return None,
    }
    Some((fields, degrees))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(text: &str, got: Result<f64, AngleError>, want: f64) {
        let got = got.unwrap_or_else(|error| panic!("{text}: {error}"));
        assert!((got - want).abs() < 1e-12, "{text}: {got} is not {want}");
    }

    #[test]
    fn right_ascension_reads_degrees_and_hours() {
        for (text, want) in [
            ("250.4226", 250.4226),
            (" 0 ", 0.0),
            ("360", 360.0),
            ("1e2", 100.0),
            ("16:41:41.424", 250.4226),
            ("16 41 41.424", 250.4226),
            ("16h41m41.424s", 250.4226),
            ("16h 41m 41.424", 250.4226),
            ("24:00:00", 360.0),
            ("12:30", 187.5),
            ("12h", 180.0),
            ("187d30m", 187.5),
        ] {
            close(text, parse_ra(text), want);
        }
    }

    #[test]
    fn declination_keeps_the_sign_of_zero_degrees() {
        for (text, want) in [
            ("-57.5", -57.5),
            ("\u{2212}57.5", -57.5),
            ("-00:30:00", -0.5),
            ("-0 30 00", -0.5),
            ("+36:27:36.72", 36.4602),
            ("-57d30m00s", -57.5),
            ("-57°30′", -57.5),
            ("90", 90.0),
        ] {
            close(text, parse_dec(text), want);
        }
    }

    #[test]
    fn bad_coordinates_say_what_was_expected() {
        for text in [
            "",
            "abc",
            "nan",
            "inf",
            "12:",
            ":30",
            "12:30:1:2",
            "1.5:30:00",
            "12:-30:00",
            "0x1f",
        ] {
            assert!(
                matches!(parse_ra(text), Err(AngleError::Unreadable { .. })),
                "{text}"
            );
        }
        assert!(matches!(parse_dec("12h30m"), Err(AngleError::Unreadable { .. })));
        assert!(matches!(parse_ra("12:60:00"), Err(AngleError::Sixty { .. })));
        assert!(matches!(parse_dec("12:00:60.0"), Err(AngleError::Sixty { .. })));
        for text in ["-0.1", "360.1", "24:00:01", "1e308"] {
            assert!(matches!(parse_ra(text), Err(AngleError::Range { .. })), "{text}");
        }
        assert_eq!(
            parse_dec("90:00:01").expect_err("beyond the pole").to_string(),
            "DEC \"90:00:01\" is not within -90 to 90 deg"
        );
    }
}
