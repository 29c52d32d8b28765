//! Which part of a result a request asks for (RFC 9110 sections 13 and 14).

use std::ops::Range;

use poem::http::{
    HeaderMap,
    header::{IF_NONE_MATCH, IF_RANGE, RANGE},
};

/// What to answer with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// All of it: 200.
    Whole,
    /// A part that is there: 206.
    Part(Range<u64>),
    /// A part that is not there: 416.
    Outside,
    /// The client has it: 304.
    Unchanged,
}

/// What the headers select of a representation of `length` bytes with the strong entity tag `etag` (with its quotes).
pub fn select(headers: &HeaderMap, etag: &str, length: u64) -> Selection {
    if is_known(headers, etag) {
        return Selection::Unchanged;
    }
    // A date or another tag in If-Range means that the client's part is of something else.
    if headers.get(IF_RANGE).is_some_and(|value| value != etag) {
        return Selection::Whole;
    }
    let mut ranges = headers.get_all(RANGE).iter();
    match (ranges.next().and_then(|value| value.to_str().ok()), ranges.next()) {
        (Some(range), None) => part(range, length).unwrap_or(Selection::Whole),
        _ => Selection::Whole,
    }
}

/// Whether the client has what has this entity tag (RFC 9110 section 13.1.2).
pub fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// One range of bytes; `None` for several, other units and nonsense, which may all be ignored.
fn part(range: &str, length: u64) -> Option<Selection> {
    let (unit, spec) = range.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = spec.trim().split_once('-')?;
    let range = match (first, last) {
        ("", suffix) => length.saturating_sub(number(suffix)?)..length,
        (first, "") => number(first)?..length,
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            if first > last {
                return None;
            }
            first..last.saturating_add(1).min(length)
        }
    };
    Some(if range.start < range.end {
        Selection::Part(range)
    } else {
        Selection::Outside
    })
}

/// A number of bytes; one that is too large for us is too large for the result too.
fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use poem::http::HeaderName;

    use super::*;

    const TAG: &str = "\"abc\"";

    fn selected(pairs: &[(HeaderName, &str)], length: u64) -> Selection {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, value.parse().unwrap());
        }
        select(&headers, TAG, length)
    }

    #[test]
    fn ranges_are_cut_to_what_is_there() {
        for (range, expected) in [
            ("bytes=0-4", Selection::Part(0..5)),
            ("bytes=5-500", Selection::Part(5..10)),
            ("bytes=9-", Selection::Part(9..10)),
            ("bytes=-3", Selection::Part(7..10)),
            ("bytes=-300", Selection::Part(0..10)),
            ("bytes=0-18446744073709551615", Selection::Part(0..10)),
            ("bytes=99999999999999999999999-", Selection::Outside),
            ("bytes=10-", Selection::Outside),
            ("bytes=-0", Selection::Outside),
            ("bytes=4-2", Selection::Whole),
            ("bytes=-", Selection::Whole),
            ("bytes=0-1,3-4", Selection::Whole),
            ("bytes=+1-2", Selection::Whole),
            ("lines=0-1", Selection::Whole),
            ("nonsense", Selection::Whole),
        ] {
            assert_eq!(selected(&[(RANGE, range)], 10), expected, "{range}");
        }
        assert_eq!(selected(&[(RANGE, "bytes=0-")], 0), Selection::Outside);
        assert_eq!(selected(&[], 0), Selection::Whole);
    }

    #[test]
    fn tags_decide_before_ranges() {
        for known in [TAG, "W/\"abc\"", "\"x\", \"abc\"", "*"] {
            assert_eq!(
                selected(&[(IF_NONE_MATCH, known), (RANGE, "bytes=0-1")], 10),
                Selection::Unchanged
            );
        }
        assert_eq!(selected(&[(IF_NONE_MATCH, "\"x\"")], 10), Selection::Whole);
        assert_eq!(
            selected(&[(IF_RANGE, TAG), (RANGE, "bytes=0-1")], 10),
            Selection::Part(0..2)
        );
        for other in ["\"x\"", "W/\"abc\"", "Sat, 21 Nov 2026 10:00:00 GMT"] {
            assert_eq!(
                selected(&[(IF_RANGE, other), (RANGE, "bytes=0-1")], 10),
                Selection::Whole
            );
        }
    }
}
