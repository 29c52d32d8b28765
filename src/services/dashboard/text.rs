//! What comes from strangers made fit to be shown or followed: text, URLs, names, keys.

use std::fmt::Write as _;

use url::Url;

/// Longest text shown, in characters.
const MAX_TEXT: usize = 256;
/// Longest URL followed, in bytes.
const MAX_URL: usize = 2_048;
/// Longest slug, in bytes: what file systems and S3 take as a part of a name.
const MAX_SLUG: usize = 200;
/// Longest key of a project of tickets, in bytes.
const MAX_PROJECT: usize = 32;
/// Names of what is written beside the slugs.
const RESERVED: [&str; 5] = [
    "index.html",
    "index.json",
    "switcher.json",
    "versions.json",
    "_dashboard",
];

/// Text for people: what controls a terminal or turns the direction of writing is replaced, what is too long is cut.
pub fn clean(text: &str) -> String {
    let mut cleaned: String = text
        .trim()
        .chars()
        .take(MAX_TEXT)
        .map(|c| {
            if is_harmful(c) {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect();
    if text.trim().chars().nth(MAX_TEXT).is_some() {
        cleaned.pop();
        cleaned.push('…');
    }
    cleaned
}

/// Controls, and characters that are not seen but change what is: directions (UAX 9), joiners, fillers, byte order marks,
/// tags.
fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{00AD}'
                | '\u{034F}'
                | '\u{061C}'
                | '\u{115F}'
                | '\u{1160}'
                | '\u{180E}'
                | '\u{200B}'..='\u{200F}'
                | '\u{2028}'..='\u{202E}'
                | '\u{2060}'..='\u{206F}'
                | '\u{3164}'
                | '\u{FEFF}'
                | '\u{FFA0}'
                | '\u{FFF9}'..='\u{FFFB}'
                | '\u{FFFE}'
                | '\u{FFFF}'
                | '\u{E0000}'..='\u{E007F}'
        )
}

/// A URL that a page may link to: http or https, without a user, of a decent length. `None` for anything else.
pub fn web_url(text: &str) -> Option<Url> {
    if text.len() > MAX_URL {
        return None;
    }
    let url = Url::parse(text.trim()).ok()?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
    (is_web && url.username().is_empty() && url.password().is_none()).then_some(url)
}

/// Whether it is a product's slug as LTD Keeper has them: `^[a-z]+[-a-z0-9]*[a-z0-9]+$`.
pub fn is_product_slug(text: &str) -> bool {
    let bytes = text.as_bytes();
    (2..=MAX_SLUG).contains(&bytes.len())
        && bytes[0].is_ascii_lowercase()
        && bytes[bytes.len() - 1] != b'-'
        && bytes
            .iter()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
}

/// Why an edition or a build cannot have this slug. Keeper takes `^[a-zA-Z0-9-._]+$`, `..` included.
pub fn slug_fault(text: &str) -> Option<&'static str> {
    let is_slug = (1..=MAX_SLUG).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    if !is_slug {
        Some("its slug is not 1 to 200 of A-Z, a-z, 0-9, -, . and _")
    } else if text == "." || text == ".." {
        Some("its slug is a relative path")
    } else if RESERVED.contains(&text) || is_page(text) {
        Some("its slug is the name of a file of the dashboard")
    } else {
        None
    }
}

/// Whether it is the name of a further page of builds.
fn is_page(text: &str) -> bool {
    let number = text
        .strip_prefix("page-")
        .and_then(|rest| rest.strip_suffix(".html"));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether it is a key that caches may be purged by: it goes into a header and into a URL.
pub fn is_surrogate_key(text: &str) -> bool {
    text.len() == 32
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'))
}

/// Whether it is a name that GitHub gives to people, so that their page there can be linked.
pub fn is_github_name(text: &str) -> bool {
    (1..=39).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Key of the ticket that a git ref (`tickets/DM-101-more`) or a slug (`DM-101`) is named after.
pub fn ticket(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("tickets/").unwrap_or(text);
    let dash = rest.find('-')?;
    let project = &rest[..dash];
    let is_project = (2..=MAX_PROJECT).contains(&project.len())
        && project.starts_with(|c: char| c.is_ascii_uppercase())
        && project
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    let digits = rest[dash + 1..]
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len() - dash - 1);
    let end = dash + 1 + digits;
    let ends_there = rest[end..].chars().next().is_none_or(|c| !c.is_alphanumeric());
    (is_project && (1..=9).contains(&digits) && ends_there).then(|| &rest[..end])
}

/// A git ref as part of a URL's path: each of its segments encoded.
pub fn encoded_ref(git_ref: &str) -> String {
    let mut encoded = String::new();
    for byte in git_ref.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_keeps_its_letters_and_loses_what_deceives() {
        assert_eq!(clean("  <b>Pipes & \"co\" — 管 "), "<b>Pipes & \"co\" — 管");
        assert_eq!(clean("\u{3164}\u{00AD}"), "\u{FFFD}\u{FFFD}");
        assert_eq!(clean("a\u{202E}b\0c\nd\u{2066}e"), "a�b�c�d�e");
        let long = clean(&"é".repeat(300));
        assert_eq!(long.chars().count(), MAX_TEXT);
        assert!(long.ends_with('…'));
        assert_eq!(clean(&"é".repeat(256)), "é".repeat(256));
    }

    #[test]
    fn only_the_web_is_linked() {
        for url in ["https://docs.example/v/x", "http://10.0.0.1:80/", "HTTPS://x.org"] {
            assert!(web_url(url).is_some(), "{url}");
        }
        for url in [
            "javascript:alert(1)",
            "data:text/html,x",
            "java\nscript:alert(1)",
            "//docs.example/",
            "https://me@docs.example/",
            "https://:secret@docs.example/",
            "file:///etc/passwd",
            "https:",
            "",
        ] {
            assert_eq!(web_url(url), None, "{url}");
        }
        assert_eq!(web_url(&format!("https://x.org/{}", "x".repeat(MAX_URL))), None);
        // What is linked is the URL as it was parsed: nothing in it ends an attribute.
        let odd = web_url("https://docs.example/\"><script>").map(String::from);
        assert_eq!(odd.as_deref(), Some("https://docs.example/%22%3E%3Cscript%3E"));
    }

    #[test]
    fn slugs_are_keepers_but_for_paths_and_our_own_names() {
        for slug in ["pipes", "sqr-900", "a1", "lsst-texmf"] {
            assert!(is_product_slug(slug), "{slug}");
        }
        for slug in [
            "", "a", "-a", "a-", "1a", "A1", "a.b", "..", "a/b", "a_b", "ä1", "a\n",
        ] {
            assert!(!is_product_slug(slug), "{slug:?}");
        }
        for slug in [
            "main",
            "__main",
            "v1.0",
            "DM-101",
            "1",
            "...",
            ".x",
            "page-2",
            "page-x.html",
        ] {
            assert_eq!(slug_fault(slug), None, "{slug}");
        }
        for slug in [
            "",
            ".",
            "..",
            "index.html",
            "_dashboard",
            "page-2.html",
            "a/b",
            "a b",
            "<b>",
            "é",
        ] {
            assert!(slug_fault(slug).is_some(), "{slug:?}");
        }
        assert!(slug_fault(&"x".repeat(201)).is_some());
    }

    #[test]
    fn surrogate_keys_cannot_leave_their_header() {
        assert!(is_surrogate_key("5f015d694f38481c8d089115fea8eb0f"));
        for key in [
            "",
            "5f015d694f38481c8d089115fea8eb0",
            "5F015D694F38481C8D089115FEA8EB0F",
            "5f015d694f38481c8d089115fea8e\r\nX",
            "5f015d694f38481c8d089115fea8eb0f\n",
            "../../service/x/purge_all0000000",
        ] {
            assert!(!is_surrogate_key(key), "{key:?}");
        }
    }

    #[test]
    fn tickets_are_read_from_refs_and_slugs() {
        for (text, key) in [
            ("tickets/DM-101", Some("DM-101")),
            ("tickets/LCR-7-fix", Some("LCR-7")),
            ("DM-101", Some("DM-101")),
            ("DM-101.x", Some("DM-101")),
            ("DM-101x", None),
            ("dm-101", None),
            ("tickets/", None),
            ("u/someone/DM-1", None),
            ("v1-2", None),
            ("X-1", None),
            ("DM-", None),
            ("DM-1234567890", None),
            (&format!("{}-1", "A".repeat(33)), None),
        ] {
            assert_eq!(ticket(text), key, "{text}");
        }
    }

    #[test]
    fn refs_are_encoded_segment_by_segment() {
        assert_eq!(encoded_ref("u/someone/try-this"), "u/someone/try-this");
        assert_eq!(encoded_ref("a b#c?d%é"), "a%20b%23c%3Fd%25%C3%A9");
        assert_eq!(encoded_ref("<img src=x>"), "%3Cimg%20src%3Dx%3E");
    }
}
