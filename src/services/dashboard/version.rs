//! The order of versions: `v1.10` above `v1.9`, a final release above its candidates.

use std::cmp::Ordering;

/// Most digits of a number in a version; what has more is a name.
const MAX_DIGITS: usize = 18;
/// Longest version, in bytes; what is longer is a name, since a git ref may have millions of numbers.
const MAX_LENGTH: usize = 200;
/// A version as tags have them: `v1.2.3`, `1.2`, `v1.0-rc.1`, `v12_1_rc1`, `w_2026_07`. Later ones are greater.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    numbers: Vec<u64>,
    /// What follows the numbers and makes it come before the version of the numbers alone; empty: nothing does.
    pre: Vec<Part>,
    /// A repair of the release (`post1`).
    post: u64,
}

/// A part of what follows the numbers, in the order of PEP 440: `dev` before all else, even before nothing at all
/// (`b2.dev1`, `b2`, `b2.1`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Dev,
    End,
    Number(u64),
    Alpha,
    Beta,
    Candidate,
    Post,
}

impl Part {
    /// The words that are known; with any other one it is a name.
    fn word(text: &str) -> Option<Part> {
        Some(match text.to_ascii_lowercase().as_str() {
            "dev" => Part::Dev,
            "a" | "alpha" => Part::Alpha,
            "b" | "beta" => Part::Beta,
            "c" | "rc" | "pre" => Part::Candidate,
            "post" => Part::Post,
            _ => return None,
        })
    }
}

impl Version {
    /// Reads `v1`, `v1.2`, `1.2` and longer ones, with `_` for `.` as EUPS writes it; `docushare-` before it is left
    /// out. A lone number is no version.
    pub fn parse(text: &str) -> Option<Version> {
        let text = text.strip_prefix("docushare-").unwrap_or(text);
        let (rest, named) = match text.strip_prefix(['v', 'V']) {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let (numbers, rest) = numbers(rest)?;
        if !named && numbers.len() < 2 {
            return None;
        }
        Version::with(numbers, rest)
    }

    /// Reads the names of EUPS's weekly (`w_2026_07`, `w.2026.07`) and daily (`d_2026_02_14`) releases.
    pub fn parse_dated(text: &str) -> Option<(Period, Version)> {
        let (period, parts) = match text.as_bytes().first()? {
            b'w' => (Period::Weekly, 2),
            b'd' => (Period::Daily, 3),
            _ => return None,
        };
        let rest = text[1..].strip_prefix(['_', '.', '-'])?;
        let (numbers, rest) = numbers(rest)?;
        let is_date = numbers.len() == parts && (1_990..10_000).contains(&numbers[0]);
        is_date.then(|| Some((period, Version::with(numbers, rest)?)))?
    }

    fn with(numbers: Vec<u64>, rest: &str) -> Option<Version> {
        // What follows a plus makes no difference (Semantic Versioning 2.0.0 section 10).
        let rest = rest.split_once('+').map_or(rest, |(before, _)| before);
        let (pre, post) = suffix(rest)?;
        Some(Version { numbers, pre, post })
    }

    /// Whether it comes before a release, as candidates and betas do.
    pub fn is_pre_release(&self) -> bool {
        !self.pre.is_empty()
    }
}

/// How often something is released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// Once a week.
    Weekly,
    /// Once a day.
    Daily,
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let number = |version: &Version, place: usize| version.numbers.get(place).copied().unwrap_or(0);
        let places = self.numbers.len().max(other.numbers.len());
        (0..places)
            .map(|place| number(self, place).cmp(&number(other, place)))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
            .then_with(|| match (self.pre.is_empty(), other.pre.is_empty()) {
                (true, true) => self.post.cmp(&other.post),
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => self.pre.cmp(&other.pre),
            })
            // v1.0 says more than v1.
            .then_with(|| self.numbers.len().cmp(&other.numbers.len()))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Numbers between `.` or `_`, and what follows them.
fn numbers(text: &str) -> Option<(Vec<u64>, &str)> {
    if text.len() > MAX_LENGTH {
        return None;
    }
    let (first, mut rest) = number(text)?;
    let mut numbers = vec![first];
    while let Some((next, after)) = rest.strip_prefix(['.', '_']).and_then(number) {
        numbers.push(next);
        rest = after;
    }
    Some((numbers, rest))
}

fn number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    if end > MAX_DIGITS {
        return None;
    }
    Some((text[..end].parse().ok()?, &text[end..]))
}

/// What follows the numbers: the parts of a pre-release, and the number of a repair. `None` if it is neither.
fn suffix(text: &str) -> Option<(Vec<Part>, u64)> {
    if text.is_empty() {
        return Some((Vec::new(), 0));
    }
    let mut parts = parts(text.trim_start_matches(['-', '.', '_']))?;
    match parts[..] {
        [Part::Post] => Some((Vec::new(), 1)),
        [Part::Post, Part::Number(number)] => Some((Vec::new(), number.saturating_add(1))),
        [Part::Dev | Part::Alpha | Part::Beta | Part::Candidate, ..] if !parts.contains(&Part::Post) => {
            parts.push(Part::End);
            Some((parts, 0))
        }
        _ => None,
    }
}

/// Words and numbers, cut where they meet and at `.`, `-` and `_`; `None` if there is anything else.
fn parts(text: &str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = if first.is_ascii_digit() {
            let (found, after) = number(rest)?;
            parts.push(Part::Number(found));
            rest.len() - after.len()
        } else if first.is_ascii_alphabetic() {
            let end = rest
                .find(|c: char| !c.is_ascii_alphabetic())
                .unwrap_or(rest.len());
            parts.push(Part::word(&rest[..end])?);
            end
        } else if matches!(first, '.' | '-' | '_') {
            1
        } else {
            return None;
        };
        rest = &rest[end..];
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_their_numbers() {
        let descending = [
            "v10.0",
            "v2.0.0.post2",
            "v2.0.0.post1",
            "v2.0.0",
            "v2.0.0-rc.10",
            "v2.0.0-rc.9",
            "v2.0.0rc1",
            "v2.0.0-beta",
            "v2.0.0-alpha.1",
            "v2.0.0.dev1",
            "v1.10.1",
            "v1.10",
            "v1.10rc1",
            "v1.10b2",
            "v1.10b2.dev3",
            "v1.10a1",
            "v1.10.dev1",
            "v1.9.1",
            "1.9",
            "v1.1",
            "v1.0",
            "v1",
            "v1.0-rc1",
            "v0.12_1",
        ];
        let mut sorted: Vec<_> = descending
            .iter()
            .map(|text| (Version::parse(text).unwrap_or_else(|| panic!("{text}")), *text))
            .collect();
        sorted.reverse();
        sorted.sort_by(|a, b| b.0.cmp(&a.0));
        let sorted: Vec<_> = sorted.into_iter().map(|(_, text)| text).collect();
        assert_eq!(sorted, descending);
        assert!(Version::parse("v12_1_rc1").unwrap() < Version::parse("v12_1").unwrap());
        assert!(Version::parse("docushare-v3").unwrap() > Version::parse("v2.9").unwrap());
    }

    #[test]
    fn what_is_no_version_is_a_name() {
        for name in [
            "main",
            "1",
            "20260101",
            "v",
            "version",
            "vista",
            "v1.x",
            "DM-101",
            "w_2026_07",
            "v1/2",
            "1.2 final",
            "v99999999999999999999",
            "",
            "v1fix",
            "v2-migration",
            "2.0-fix-typos",
            "v1.2-docs",
            "v5.0.1-1-gabcdef",
            "v1.0-rc1-fix",
            "v1.0.post1.fix",
            "v1.0-",
            "é1.2",
        ] {
            assert_eq!(Version::parse(name), None, "{name}");
        }
        assert_eq!(Version::parse(&"1.".repeat(1_000)), None);
        assert_eq!(Version::parse(&format!("1.1{}", ".1".repeat(1_000))), None);
        assert!(!Version::parse("v1.0.post1").unwrap().is_pre_release());
        assert!(Version::parse("v1.0-rc.1").unwrap().is_pre_release());
        assert!(!Version::parse("v1.0+build.5").unwrap().is_pre_release());
    }

    #[test]
    fn dated_releases_are_ordered_by_their_dates() {
        let dated = |text| Version::parse_dated(text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(dated("w_2026_07").0, Period::Weekly);
        assert_eq!(dated("d_2026_02_14").0, Period::Daily);
        assert!(dated("w_2026_10").1 > dated("w.2026.9").1);
        assert!(dated("d_2026_02_14").1 > dated("d_2025_12_31").1);
        for name in ["w", "w_", "w_2026", "d_2026_02", "weekly", "é", "w_7_2026"] {
            assert_eq!(Version::parse_dated(name), None, "{name}");
        }
    }
}
