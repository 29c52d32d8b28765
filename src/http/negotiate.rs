//! Which of the forms that can be given the client would rather have (RFC 9110 section 12.5).

use poem::http::{
    HeaderMap,
    header::{ACCEPT, ACCEPT_ENCODING},
};

/// The position in `offered` of the media type that the client prefers. Of equals the one it names most exactly wins,
/// then the earlier one. `None` if it takes none of them; a request without `Accept` takes everything.
pub fn prefer(headers: &HeaderMap, offered: &[&str]) -> Option<usize> {
    let mut values = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .peekable();
    if values.peek().is_none() {
        return Some(0);
    }
    let ranges: Vec<(&str, u16)> = values
        .flat_map(|value| value.split(','))
        .filter_map(range)
        .take(64)
        .collect();
    let scored = offered
        .iter()
        .enumerate()
        .filter_map(|(place, media_type)| Some((place, score(&ranges, media_type)?)));
    // `max_by` gives the last of equals: reversed, that is the first offered.
    scored
        .rev()
        .max_by_key(|(_, score)| *score)
        .map(|(place, _)| place)
}

/// Whether the client says that it takes this content coding (RFC 9110 section 12.5.3).
pub fn takes_coding(headers: &HeaderMap, coding: &str) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter();
    let codings: Vec<(&str, u16)> = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(range)
        .take(64)
        .collect();
    let quality = |wanted: &str| {
        let named = codings.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        named.map(|(_, quality)| *quality)
    };
    quality(coding)
        .or_else(|| quality("*"))
        .is_some_and(|quality| quality > 0)
}

/// Quality in thousandths, and how exactly the client named it. The most exact range that fits decides the quality.
fn score(ranges: &[(&str, u16)], media_type: &str) -> Option<(u16, u8)> {
    let major = media_type.split('/').next()?;
    ranges
        .iter()
        .filter_map(|(range, quality)| {
            let exactness = if range.eq_ignore_ascii_case(media_type) {
                2
            } else if *range == "*/*" {
                0
            } else {
                let named = range.strip_suffix("/*")?;
                named.eq_ignore_ascii_case(major).then_some(1)?
            };
            Some((exactness, *quality))
        })
        .max()
        .filter(|(_, quality)| *quality > 0)
        .map(|(exactness, quality)| (quality, exactness))
}

/// A media range without parameters, and its quality in thousandths.
fn range(item: &str) -> Option<(&str, u16)> {
    let mut parts = item.split(';');
    let range = parts.next()?.trim();
    let quality = parts.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
    });
    let quality = match quality {
        None => 1_000,
        Some(text) => text
            .parse::<f32>()
            .ok()
            .filter(|q| (0.0..=1.0).contains(q))
            .map(|q| (q * 1_000.0) as u16)?,
    };
    (!range.is_empty()).then_some((range, quality))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENTS: &[&str] = &["application/xml", "text/xml", "application/json"];

    fn preferred(accept: &str) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, accept.parse().unwrap());
        prefer(&headers, DOCUMENTS).map(|place| DOCUMENTS[place])
    }

    #[test]
    fn xml_wins_unless_json_is_asked_for() {
        assert_eq!(prefer(&HeaderMap::new(), DOCUMENTS), Some(0));
        for accept in [
            "*/*",
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
            "text/html, */*",
            "application/*",
            "application/xml, application/json",
            "application/json;q=0.5, */*",
            "application/json;q=0.9, application/xml",
            "APPLICATION/XML",
        ] {
            assert_eq!(preferred(accept), Some("application/xml"), "{accept}");
        }
        for accept in [
            "application/json",
            "application/json, text/plain, */*",
            "application/json; charset=utf-8",
            "application/xml;q=0.1, application/json;q=0.2",
            "application/*;q=0.4, application/json;q=0.5",
            "application/xml;q=0, text/xml;q=0, */*",
        ] {
            assert_eq!(preferred(accept), Some("application/json"), "{accept}");
        }
        assert_eq!(preferred("text/xml"), Some("text/xml"));
        assert_eq!(preferred("text/*"), Some("text/xml"));
    }

    #[test]
    fn codings_are_taken_only_by_those_who_say_so() {
        let takes = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, accept.parse().unwrap());
            takes_coding(&headers, "gzip")
        };
        assert!(!takes_coding(&HeaderMap::new(), "gzip"));
        for accept in [
            "gzip, deflate, br, zstd",
            "br;q=1, GZIP;q=0.1",
            "*",
            "*;q=0, gzip",
        ] {
            assert!(takes(accept), "{accept}");
        }
        for accept in [
            "",
            "identity",
            "br",
            "gzip;q=0, *",
            "*;q=0",
            "gzip;q=0",
            "gzip;q=x",
        ] {
            assert!(!takes(accept), "{accept}");
        }
    }

    #[test]
    fn a_quality_of_zero_or_nonsense_is_no_wish() {
        for accept in [
            "image/png",
            "",
            "application/json;q=0",
            "*/*;q=0",
            ";;,,/",
            "*/*;q=high",
            "application/json;q=2",
        ] {
            assert_eq!(preferred(accept), None, "{accept}");
        }
    }
}
