//! Header cards as they stand in the file: 80-byte records, kept verbatim (FITS 4.0, section 4).

use bytes::Bytes;

/// Bytes of a card.
pub const CARD: usize = 80;
/// Bytes of a block.
pub const BLOCK: usize = 2880;

/// The records of a header before END, verbatim: `CONTINUE`, `HIERARCH`, and bytes that are not ASCII too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    /// A whole number of cards.
    bytes: Bytes,
}

/// A keyword's value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// T or F.
    Logical(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Real(f64),
    /// Text, quotes and trailing blanks removed, `CONTINUE` records joined.
    Text(String),
}

impl Header {
    /// A header of whole cards without END; what follows the last whole card is ignored.
    pub fn new(mut bytes: Bytes) -> Self {
        bytes.truncate(bytes.len() / CARD * CARD);
        Self { bytes }
    }

    /// The cards, verbatim, blank ones too.
    pub fn cards(&self) -> std::slice::Iter<'_, [u8; CARD]> {
        self.bytes.as_chunks::<CARD>().0.iter()
    }

    /// The value of the first card of this keyword (at most 8 characters), if it can be read.
    pub fn value(&self, keyword: &str) -> Option<Value> {
        let cards = self.bytes.as_chunks::<CARD>().0;
        let at = cards
            .iter()
            .position(|card| name(card) == keyword.as_bytes() && has_value(card))?;
        value(&cards[at..])
    }

    /// The value if it is text.
    pub fn text(&self, keyword: &str) -> Option<String> {
        match self.value(keyword)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value if it is a whole number.
    pub fn integer(&self, keyword: &str) -> Option<i64> {
        match self.value(keyword)? {
            Value::Integer(number) => Some(number),
            Value::Real(number) if number.fract() == 0.0 && number.abs() < 9e15 => Some(number as i64),
            _ => None,
        }
    }

    /// The value if it is a number.
    pub fn real(&self, keyword: &str) -> Option<f64> {
        match self.value(keyword)? {
            Value::Integer(number) => Some(number as f64),
            Value::Real(number) => Some(number),
            _ => None,
        }
    }

    /// The value if it is a logical one.
    pub fn logical(&self, keyword: &str) -> Option<bool> {
        match self.value(keyword)? {
            Value::Logical(value) => Some(value),
            _ => None,
        }
    }
}

/// The keyword of a card, trailing blanks removed.
pub(super) fn name(card: &[u8; CARD]) -> &[u8] {
    card[..8].trim_ascii_end()
}

/// Whether a card has the value indicator.
pub(super) fn has_value(card: &[u8; CARD]) -> bool {
    card[8] == b'='
}

/// The value of the first of `cards`, with the `CONTINUE` records after it.
pub(super) fn value(cards: &[[u8; CARD]]) -> Option<Value> {
    let (card, rest) = cards.split_first()?;
    let field = card[9..].trim_ascii_start();
    if field.first() == Some(&b'\'') {
        return Some(Value::Text(text(field, rest)));
    }
    let end = field.iter().position(|&b| b == b'/').unwrap_or(field.len());
    let field = std::str::from_utf8(field[..end].trim_ascii()).ok()?;
    match field {
        "T" => Some(Value::Logical(true)),
        "F" => Some(Value::Logical(false)),
        _ => number(field),
    }
}

fn number(field: &str) -> Option<Value> {
    if let Ok(number) = field.parse::<i64>() {
        return Some(Value::Integer(number));
    }
    let digits = |b: u8| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'E' | b'e' | b'D' | b'd');
    if field.is_empty() || !field.bytes().all(digits) {
        return None;
    }
    let number: f64 = field.replace(['D', 'd'], "E").parse().ok()?;
    number.is_finite().then_some(Value::Real(number))
}

/// A quoted string and its continuation (FITS 4.0, section 4.2.1.2).
fn text(field: &[u8], rest: &[[u8; CARD]]) -> String {
    let mut text = quoted(field);
    for card in rest {
        if !text.ends_with('&') || name(card) != b"CONTINUE" {
            break;
        }
        let more = card[8..].trim_ascii_start();
        if more.first() != Some(&b'\'') {
            break;
        }
        text.pop();
        text.push_str(&quoted(more));
    }
    text.truncate(text.trim_end_matches(' ').len());
    text
}

/// What is between the quotes, doubled quotes made single, trailing blanks removed.
fn quoted(field: &[u8]) -> String {
    let mut out = Vec::with_capacity(field.len());
    let mut bytes = field[1..].iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte == b'\'' && bytes.next_if_eq(&b'\'').is_none() {
            break;
        }
        out.push(byte);
    }
    String::from_utf8_lossy(out.trim_ascii_end()).into_owned()
}

/// Where END stands in `bytes`, which begin with a header: the offset of its card.
pub(super) fn find_end(bytes: &[u8], from: usize) -> Option<usize> {
    let first = from / CARD;
    let cards = bytes.as_chunks::<CARD>().0;
    let at = cards
        .get(first..)?
        .iter()
        .position(|card| name(card) == b"END" && card[3..].iter().all(|&b| b == b' '))?;
    Some((first + at) * CARD)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(cards: &[&[u8]]) -> Header {
        let mut bytes = Vec::new();
        for card in cards {
            bytes.extend_from_slice(card);
            bytes.resize(bytes.len().div_ceil(CARD) * CARD, b' ');
        }
        Header::new(bytes.into())
    }

    #[test]
    fn values_are_read_by_type() {
        let header = header(&[
            b"SIMPLE  =                    T / conforms",
            b"NAXIS1  =                  -12",
            b"CRVAL1  = 1.5D+02 / deg \xb0",
            b"OBJECT  = 'O''Neill / x '       / who",
            b"LONG    = 'one &' / a",
            b"CONTINUE  'two&'",
            b"CONTINUE  ' three  ' / end",
            b"EMPTY   =",
            b"BAD     = 12abc",
            b"HISTORY = not a value",
            b"BIG     = 99999999999999999999",
            b"HIERARCH ESO DET DIT = 1.0",
        ]);
        assert_eq!(header.logical("SIMPLE"), Some(true));
        assert_eq!(header.integer("NAXIS1"), Some(-12));
        assert_eq!(header.real("CRVAL1"), Some(150.0));
        assert_eq!(header.text("OBJECT").as_deref(), Some("O'Neill / x"));
        assert_eq!(header.text("LONG").as_deref(), Some("one two three"));
        assert_eq!(header.value("EMPTY"), None);
        assert_eq!(header.value("BAD"), None);
        assert_eq!(header.value("BIG"), Some(Value::Real(1e20)));
        assert_eq!(header.integer("BIG"), None);
        assert_eq!(header.cards().len(), 12);
    }

    #[test]
    fn end_is_a_card_of_its_own() {
        let mut bytes = header(&[b"ENDING  = 1", b"COMMENT END", b"END"]).bytes.to_vec();
        assert_eq!(find_end(&bytes, 0), Some(160));
        bytes[200] = b'x';
        assert_eq!(find_end(&bytes, 0), None);
    }
}
