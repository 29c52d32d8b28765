//! Times as UWS 1.1 and DALI write them: UTC, ISO 8601, milliseconds.

use std::{fmt, str::FromStr};

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant in milliseconds since 1970 UTC; written as `YYYY-MM-DDThh:mm:ss.sssZ`.
///
/// Milliseconds and no finer, so that a time that was listed, sent back as AFTER, excludes the job that it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    const EPOCH: Timestamp = Timestamp(DateTime::UNIX_EPOCH);

    /// Now, by this host's clock; what decides anything is the database's.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads this host's clock as a time of day"
    )]
    pub fn of_this_host() -> Self {
        Timestamp::from_millis(Utc::now().timestamp_millis()).unwrap_or(Self::EPOCH)
    }

    /// From milliseconds since 1970 UTC; `None` outside the years 0 to 9999, which ISO 8601 cannot write.
    pub fn from_millis(millis: i64) -> Option<Self> {
        let time = DateTime::from_timestamp_millis(millis)?;
        (0..=9999)
            .contains(&chrono::Datelike::year(&time))
            .then_some(Timestamp(time))
    }

    /// Milliseconds since 1970 UTC.
    pub fn millis(self) -> i64 {
        self.0.timestamp_millis()
    }

    /// The instant as chrono has it.
    pub fn utc(self) -> DateTime<Utc> {
        self.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

/// A text that is no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a time (expected ISO 8601 in UTC, such as 2026-03-21T14:30:00Z; no offsets)")]
pub struct NotATime(pub String);

impl FromStr for Timestamp {
    type Err = NotATime;

    /// Accepts what clients send: `T` or a space between date and time, seconds and fraction (up to nine digits)
    /// optional, `Z` optional, a date alone as `2015-10-26` or `20151026`, or a year. Offsets are refused: the
    /// standard's times are UTC.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text.trim()).ok_or_else(|| NotATime(text.chars().take(40).collect()))
    }
}

fn parse(text: &str) -> Option<Timestamp> {
    if !text.is_ascii() {
        return None;
    }
    let (date, time) = match text.find(['T', ' ']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text.strip_suffix('Z').unwrap_or(text), None),
    };
    let date = parse_date(date)?;
    let time = match time {
        Some(time) => parse_time(time.strip_suffix('Z').unwrap_or(time))?,
        None => NaiveTime::MIN,
    };
    Timestamp::from_millis(NaiveDateTime::new(date, time).and_utc().timestamp_millis())
}

fn parse_date(text: &str) -> Option<NaiveDate> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    match text.len() {
        4 if digits => NaiveDate::from_ymd_opt(text.parse().ok()?, 1, 1),
        8 if digits => NaiveDate::parse_from_str(text, "%Y%m%d").ok(),
        10 => NaiveDate::parse_from_str(text, "%Y-%m-%d").ok(),
        _ => None,
    }
}

fn parse_time(text: &str) -> Option<NaiveTime> {
    if text
        .bytes()
        .any(|b| !b.is_ascii_digit() && b != b':' && b != b'.')
    {
        return None;
    }
    match text.len() {
        5 => NaiveTime::parse_from_str(text, "%H:%M").ok(),
        8 => NaiveTime::parse_from_str(text, "%H:%M:%S").ok(),
        10..=18 => NaiveTime::parse_from_str(text, "%H:%M:%S%.f").ok(),
        _ => None,
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_send_is_read() {
        for (text, expected) in [
            ("2015-10-26T09:15:35", "2015-10-26T09:15:35.000Z"),
            ("2015-10-26T09:15:35Z", "2015-10-26T09:15:35.000Z"),
            ("2015-10-26T09:15:35.123456Z", "2015-10-26T09:15:35.123Z"),
            ("2015-10-26T09:15:35.123456789Z", "2015-10-26T09:15:35.123Z"),
            ("2015-10-26 09:00", "2015-10-26T09:00:00.000Z"),
            ("2015-10-26", "2015-10-26T00:00:00.000Z"),
            ("20151026", "2015-10-26T00:00:00.000Z"),
            ("2015", "2015-01-01T00:00:00.000Z"),
            ("2015-10-26T09:15:35.1", "2015-10-26T09:15:35.100Z"),
        ] {
            assert_eq!(
                text.parse::<Timestamp>().map(|t| t.to_string()).as_deref(),
                Ok(expected),
                "{text}"
            );
        }
    }

    #[test]
    fn offsets_and_nonsense_are_refused() {
        for text in [
            "2015-26-10",
            "sometext",
            "2015-10-26T09:00+01:00",
            "2015-10-26T09:00 01:00",
            "2015-10-26T09:00:00-05:00",
            "",
            "T09:00",
            "2015-10-26T",
            "2015-10-26T25:00",
            "99999-01-01",
            "２０１５",
            "2015-10-26T09:15:35.1234567890",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }
}
