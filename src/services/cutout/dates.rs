//! When an image was taken, by the dates of its headers (FITS 4.0, sections 4.4.2, 9.1, 9.2 and 9.5), in UTC.

use chrono::{Datelike, NaiveDate};

use crate::{
    fits::{Header, Value, utc},
    settings::KeywordSettings,
};

/// The day of 1970-01-01 as MJD.
pub const EPOCH: f64 = 40_587.0;
/// A day's seconds.
const DAY: f64 = 86_400.0;
/// MJD 0 as JD.
const JD: f64 = 2_400_000.5;
/// Numbers from `JD` to this are Julian days: the year 2132.
const LAST_JD: f64 = 2_500_000.0;
/// Days from MJD 0 to 0000-01-01 and to 9999-12-31: what ISO 8601 has.
const YEARS: [f64; 2] = [-678_941.0, 2_973_484.0];

/// When an image was taken, MJD (UTC).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Taken {
    /// As the headers have it, or by the middle and the exposure.
    pub begin: Option<f64>,
    /// Likewise.
    pub end: Option<f64>,
}

/// What a header has as a time.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Moment {
    mjd: f64,
    /// Whether only the day is known.
    is_day: bool,
    /// Whether it is UTC whatever TIMESYS says.
    is_utc: bool,
}

/// When it was taken, as the headers of a file, its primary and that of its first image, have it; `exposure` in s.
pub fn taken(settings: &KeywordSettings, headers: &[&Header], exposure: Option<f64>) -> Taken {
    let find = |keywords: &[String]| find(headers, keywords);
    let (mut begin, mut end, middle) = (
        find(&settings.date_beg),
        find(&settings.date_end),
        find(&settings.date_avg),
    );
    // A middle with its time of day tells more than a day.
    let middle = middle.filter(|middle| !middle.is_day);
    if middle.is_some() {
        begin = begin.filter(|begin| !begin.is_day);
        end = end.filter(|end| !end.is_day);
    }
    let [begin, end, middle] = [begin, end, middle].map(|moment| moment.map(|moment| moment.mjd));
    let Some(middle) = middle else {
        return Taken { begin, end };
    };
    let half = match (begin, end) {
        (Some(_), Some(_)) => return Taken { begin, end },
        (Some(begin), None) => middle - begin,
        (None, Some(end)) => end - middle,
        (None, None) => exposure.map_or(0.0, |seconds| seconds / DAY / 2.0),
    };
    // A middle before the begin is none.
    if half < 0.0 {
        return Taken { begin, end };
    }
    Taken {
        begin: Some(begin.unwrap_or(middle - half)),
        end: Some(end.unwrap_or(middle + half)),
    }
}

/// The first of the keywords that has a time; days alone only if none has its time of day.
fn find(headers: &[&Header], keywords: &[String]) -> Option<Moment> {
    let mut day = None;
    for header in headers {
        for keyword in keywords {
            match moment(headers, header, keyword) {
                Some(moment) if moment.is_day => day = day.or(Some(moment)),
                Some(moment) => return Some(moment),
                None => {}
            }
        }
    }
    day
}

/// The time of a keyword as UTC.
fn moment(headers: &[&Header], header: &Header, keyword: &str) -> Option<Moment> {
    let mut moment = match header.value(keyword)? {
        Value::Text(text) => of_text(text.trim())?,
        // A day as 20200103.
        Value::Integer(number) if number.to_string().len() == 8 => of_text(&number.to_string())?,
        Value::Integer(number) => of_number(number as f64, true)?,
        Value::Real(number) => of_number(number, false)?,
        Value::Logical(_) => return None,
    };
    if moment.is_day
        && let Some((seconds, is_utc)) = time_of_day(header, keyword)
    {
        moment = Moment {
            mjd: moment.mjd + seconds / DAY,
            is_day: false,
            is_utc,
        };
    }
    if !moment.is_utc {
        let scale = std::iter::once(&header)
            .chain(headers)
            .filter_map(|header| header.text("TIMESYS"))
            .find(|scale| !scale.trim().is_empty());
        let shifted = utc(moment.mjd, scale.as_deref().unwrap_or("UTC"))?;
        // A day of another scale is still a day.
        if !moment.is_day {
            moment.mjd = shifted;
        }
    }
    let is_in_years = YEARS[0] <= moment.mjd && moment.mjd < YEARS[1];
    is_in_years.then_some(moment)
}

/// The time of day that older headers have beside the day (s), and whether it is UTC for certain.
fn time_of_day(header: &Header, keyword: &str) -> Option<(f64, bool)> {
    let rest = keyword.strip_prefix("DATE-")?;
    let beside = [
        (format!("TIME-{rest}"), false),
        ("UTC".into(), true),
        ("UT".into(), true),
    ];
    // The latter two are when it began.
    let beside = &beside[..if rest == "OBS" || rest == "BEG" { 3 } else { 1 }];
    beside.iter().find_map(|(keyword, is_utc)| {
        let text = header.text(keyword)?;
        let text = text.trim();
        let (text, is_marked) = text.strip_suffix('Z').map_or((text, false), |text| (text, true));
        Some((seconds(text)?, *is_utc || is_marked))
    })
}

/// MJD or, if it is so large, JD.
fn of_number(number: f64, is_day: bool) -> Option<Moment> {
    let mjd = if (JD..LAST_JD).contains(&number) {
        number - JD
    } else {
        number
    };
    // Writers that do not know it leave 0.
    (mjd.is_finite() && mjd > 0.0).then_some(Moment {
        mjd,
        is_day,
        is_utc: false,
    })
}

/// ISO 8601 with or without time of day; the standard's older `DD/MM/YY` of the 20th century; or a number.
fn of_text(text: &str) -> Option<Moment> {
    if !text.is_ascii() {
        return None;
    }
    let (date, time) = match text.split_once(['T', ' ']) {
        Some((date, time)) => (date, Some(time.trim())),
        None => (text.strip_suffix('Z').unwrap_or(text), None),
    };
    let Some(date) = day(date) else {
        let is_day = !text.contains('.');
        return of_number(text.parse().ok()?, is_day);
    };
    let since = date.signed_duration_since(NaiveDate::from_ymd_opt(1970, 1, 1)?);
    let mjd = EPOCH + since.num_days() as f64;
    let Some(time) = time else {
        return Some(Moment {
            mjd,
            is_day: true,
            is_utc: false,
        });
    };
    let (time, is_utc) = time.strip_suffix('Z').map_or((time, false), |time| (time, true));
    Some(Moment {
        mjd: mjd + seconds(time)? / DAY,
        is_day: false,
        is_utc,
    })
}

fn day(text: &str) -> Option<NaiveDate> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    match text.len() {
        4 if digits => NaiveDate::from_ymd_opt(text.parse().ok()?, 1, 1),
        8 if digits => NaiveDate::parse_from_str(text, "%Y%m%d").ok(),
        8 => {
            let mut parts = text.split('/').map(|part| {
                let is_number = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
                is_number.then(|| part.parse::<u32>().ok()).flatten()
            });
            let (day, month, year) = (parts.next()??, parts.next()??, parts.next()??);
            NaiveDate::from_ymd_opt(1900 + i32::try_from(year).ok()?, month, day)
        }
        10 => ["%Y-%m-%d", "%Y/%m/%d"]
            .iter()
            .find_map(|form| NaiveDate::parse_from_str(text, form).ok()),
        _ => None,
    }
    .filter(|date| (0..=9999).contains(&date.year()))
}

/// Seconds since midnight of `hh:mm[:ss[.s…]]`.
fn seconds(text: &str) -> Option<f64> {
    let mut parts = text.split(':');
    let whole = |part: &str, most: u32| {
        let is_number = (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        let number: u32 = is_number.then(|| part.parse().ok()).flatten()?;
        (number <= most).then(|| f64::from(number))
    };
    let (hours, minutes) = (whole(parts.next()?, 23)?, whole(parts.next()?, 59)?);
    let seconds = match parts.next() {
        None => 0.0,
        Some(part) => {
            let (whole_part, fraction) = part.split_once('.').unwrap_or((part, ""));
            let is_fraction = fraction.bytes().all(|b| b.is_ascii_digit());
            // A leap second is the 60th.
            let whole_part = is_fraction.then(|| whole(whole_part, 60)).flatten()?;
            whole_part + format!("0.{fraction}0").parse::<f64>().ok()?
        }
    };
    parts
        .next()
        .is_none()
        .then_some(hours * 3600.0 + minutes * 60.0 + seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(cards: &[&str]) -> Header {
        let mut bytes = Vec::new();
        for card in cards.iter().chain(&["END"]) {
            bytes.extend_from_slice(format!("{card:<80}").as_bytes());
        }
        bytes.resize(bytes.len().next_multiple_of(2880), b' ');
        Header::new(bytes.into())
    }

    fn of(cards: &[&str], exposure: Option<f64>) -> [Option<f64>; 2] {
        let Taken { begin, end } = taken(&KeywordSettings::default(), &[&header(cards)], exposure);
        [begin, end]
    }

    /// Within 10 µs.
    fn close(found: Option<f64>, expected: Option<f64>) -> bool {
        match (found, expected) {
            (Some(found), Some(expected)) => (found - expected).abs() * DAY < 1e-5,
            (found, expected) => found == expected,
        }
    }

    #[test]
    fn begins_are_read_in_every_form_and_scale() {
        // By astropy 8.0.2, Time(value, scale=TIMESYS).utc.mjd; 2020-01-03T06:00:00 UTC is MJD 58851.25.
        for (cards, expected) in [
            (&["DATE-OBS= '2020-01-03T06:00:00'"][..], Some(58_851.25)),
            (
                &["DATE-OBS= '2020-01-03T06:00:00.5Z'"],
                Some(58_851.250_005_787_04),
            ),
            (&["DATE-OBS= '2020-01-03 06:00'"], Some(58_851.25)),
            (
                &["DATE-OBS= '2020-01-03T06:00:37'", "TIMESYS = 'TAI'"],
                Some(58_851.25),
            ),
            (
                &["DATE-OBS= '2020-01-03T06:01:09.184'", "TIMESYS = 'TT'"],
                Some(58_851.25),
            ),
            (
                &["DATE-OBS= '2020-01-03T06:01:09.184'", "TIMESYS = 'TDB'"],
                Some(58_851.25),
            ),
            (
                &["DATE-OBS= '2020-01-03T06:00:18'", "TIMESYS = 'GPS'"],
                Some(58_851.25),
            ),
            (
                &["DATE-OBS= '2020-01-03T06:00:00'", "TIMESYS = 'UTC(NIST)'"],
                Some(58_851.25),
            ),
            (
                &["DATE-OBS= '2020-01-03T06:00:00'", "TIMESYS = ''"],
                Some(58_851.25),
            ),
            (&["DATE-OBS= '2020-01-03T06:00:00'", "TIMESYS = 'SHIP'"], None),
            (&["MJD-OBS = 58851.25"], Some(58_851.25)),
            (
                &["MJD-OBS = 58851.25", "TIMESYS = 'TAI'"],
                Some(58_851.249_571_759_26),
            ),
            (&["MJD-BEG = '58851.25'"], Some(58_851.25)),
            (&["MJD-OBS = 2458851.75"], Some(58_851.25)),
            (&["MJD-OBS = 58851"], Some(58_851.0)),
            (&["MJD-OBS = 0.0"], None),
            (&["MJD-OBS = 1E300"], None),
            // A day is completed by what knows more.
            (&["DATE-OBS= '2020-01-03'", "MJD-OBS = 58851.25"], Some(58_851.25)),
            (
                &["DATE-OBS= '2020-01-03'", "TIME-OBS= '06:00:00.000'"],
                Some(58_851.25),
            ),
            (
                &[
                    "DATE-OBS= '2020-01-03'",
                    "UT      = '06:00:00'",
                    "TIMESYS = 'TAI'",
                ],
                Some(58_851.25),
            ),
            (
                &[
                    "DATE-OBS= '2020-01-03'",
                    "TIME-OBS= '06:00:37'",
                    "TIMESYS = 'TAI'",
                ],
                Some(58_851.25),
            ),
            (&["DATE-OBS= '2020-01-03'", "UTC     = 'n/a'"], Some(58_851.0)),
            (&["DATE-OBS= '2020-01-03'"], Some(58_851.0)),
            (&["DATE-OBS= 20200103"], Some(58_851.0)),
            (
                &["DATE-BEG= '2020-01-03'", "DATE-OBS= '2020-01-03T06:00:00'"],
                Some(58_851.25),
            ),
            (
                &["DATE-OBS= '2020-01-03T06:00:00'", "MJD-OBS = 58000.0"],
                Some(58_851.25),
            ),
            (&["DATE-OBS= '03/01/98'"], Some(50_816.0)),
            (&["DATE-OBS= '03/01/98'", "TIME-OBS= '12:00:00'"], Some(50_816.5)),
            (&["DATE-OBS= '2016-12-31T23:59:60'"], Some(57_754.0)),
            (&["DATE-OBS= '31/31/98'"], None),
            (&["DATE-OBS= '2020-01-03T25:00:00'"], None),
            (&["DATE-OBS= 'unknown'"], None),
            (&["DATE-OBS= T"], None),
        ] {
            let [begin, _] = of(cards, None);
            assert!(close(begin, expected), "{cards:?}: {begin:?}");
        }
    }

    #[test]
    fn a_middle_gives_what_is_missing() {
        for (cards, exposure, expected) in [
            (
                &["MJD-AVG = 58851.25"][..],
                Some(43_200.0),
                [Some(58_851.0), Some(58_851.5)],
            ),
            (
                &["DATE-AVG= '2020-01-03T06:00:00'"],
                None,
                [Some(58_851.25), Some(58_851.25)],
            ),
            (
                &["DATE-OBS= '2020-01-03'", "MJD-AVG = 58851.25"],
                None,
                [Some(58_851.25), Some(58_851.25)],
            ),
            (
                &["MJD-BEG = 58851.0", "MJD-AVG = 58851.25"],
                None,
                [Some(58_851.0), Some(58_851.5)],
            ),
            (
                &["MJD-END = 58851.5", "MJD-AVG = 58851.25"],
                Some(1.0),
                [Some(58_851.0), Some(58_851.5)],
            ),
            (
                &["MJD-BEG = 58851.5", "MJD-AVG = 58851.25"],
                None,
                [Some(58_851.5), None],
            ),
            (
                &["MJD-BEG = 58851.5", "MJD-END = 58852.5", "MJD-AVG = 1.0"],
                None,
                [Some(58_851.5), Some(58_852.5)],
            ),
            // Without its time of day it tells nothing.
            (
                &["MJD-BEG = 58851.5", "DATE-AVG= '2020-01-03'"],
                None,
                [Some(58_851.5), None],
            ),
        ] {
            let found = of(cards, exposure);
            assert!(
                close(found[0], expected[0]) && close(found[1], expected[1]),
                "{cards:?}: {found:?}"
            );
        }
    }

    #[test]
    fn the_primary_header_names_the_scale_of_all() {
        let primary = header(&["TIMESYS = 'TAI'"]);
        let image = header(&["DATE-OBS= '2020-01-03T06:00:37'"]);
        let found = taken(&KeywordSettings::default(), &[&primary, &image], None);
        assert!(close(found.begin, Some(58_851.25)), "{found:?}");
        let image = header(&["DATE-OBS= '2020-01-03T06:00:00'", "TIMESYS = 'UTC'"]);
        let found = taken(&KeywordSettings::default(), &[&primary, &image], None);
        assert!(close(found.begin, Some(58_851.25)), "{found:?}");
    }
}
