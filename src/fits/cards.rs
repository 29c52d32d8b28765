//! Cards that are edited and made: values change in place, their comments stay.

use super::header::{CARD, Header, Value, has_value, name};

/// A card to add to a header.
#[derive(Debug, Clone, PartialEq)]
pub struct NewCard {
    /// At most 8 of `A-Z 0-9 - _`.
    pub keyword: String,
    /// Text may be of any length: it is continued (FITS 4.0, section 4.2.1.2).
    pub value: Value,
    /// Left out where there is no room for it.
    pub comment: String,
}

impl NewCard {
    /// A card; see the fields.
    pub fn new(keyword: &str, value: Value, comment: &str) -> Self {
        Self {
            keyword: keyword.into(),
            value,
            comment: comment.into(),
        }
    }
}

/// A list of cards that is being edited.
#[derive(Debug, Clone, Default)]
pub(super) struct Cards(pub(super) Vec<[u8; CARD]>);

impl Cards {
    /// The cards of `header` that `keep` says, a card's continuation with it, without the blank ones at the
    /// end that only reserve space.
    pub(super) fn of(header: &Header, keep: impl Fn(&str) -> bool) -> Self {
        let mut cards = Vec::with_capacity(header.cards().len() + 16);
        let mut kept = true;
        for card in header.cards() {
            if name(card) != b"CONTINUE" {
                // A name that is no text is nobody's to drop.
                kept = std::str::from_utf8(name(card)).map_or(true, &keep);
            }
            if kept {
                cards.push(*card);
            }
        }
        while cards
            .last()
            .is_some_and(|card| card.iter().all(|&byte| byte == b' '))
        {
            cards.pop();
        }
        Self(cards)
    }

    /// Gives the first card of this keyword a value that fits one card, its comment kept; false if there is
    /// none.
    pub(super) fn change(&mut self, keyword: &str, value: &Value) -> bool {
        let Some(card) = self
            .0
            .iter_mut()
            .find(|card| name(card) == keyword.as_bytes() && has_value(card))
        else {
            return false;
        };
        *card = one(keyword, &short(value), comment(card));
        true
    }

    /// Changes the card of this keyword, or adds one.
    pub(super) fn set(&mut self, keyword: &str, value: &Value, comment: &str) {
        if !self.change(keyword, value) {
            self.push(keyword, value, comment);
        }
    }

    /// Adds a card, with continuation cards if its text needs them.
    pub(super) fn push(&mut self, keyword: &str, value: &Value, comment: &str) {
        let Value::Text(text) = value else {
            self.0.push(one(keyword, &short(value), comment.as_bytes()));
            return;
        };
        let escaped = escape(text);
        if escaped.len() <= 68 {
            self.0.push(one(keyword, &short(value), comment.as_bytes()));
            return;
        }
        let pieces = pieces(&escaped, 67);
        for (at, piece) in pieces.iter().enumerate() {
            let more = if at + 1 < pieces.len() { "&" } else { "" };
            let indicator = if at == 0 {
                format!("{keyword:<8}= ")
            } else {
                "CONTINUE  ".into()
            };
            self.0
                .push(card(format!("{indicator}'{piece}{more}'").as_bytes()));
        }
    }
}

/// The text of a value that fits one card.
fn short(value: &Value) -> String {
    match value {
        Value::Logical(value) => format!("{:>20}", if *value { "T" } else { "F" }),
        Value::Integer(number) => format!("{number:>20}"),
        Value::Real(number) => format!("{:>20}", real(*number)),
        Value::Text(text) => format!("{:<20}", format!("'{:<8}'", escape(text))),
    }
}

/// The shortest text that reads back as the same number, as FITS writes reals. What FITS cannot say (infinity,
/// NaN) is left blank, an undefined value.
fn real(number: f64) -> String {
    if !number.is_finite() {
        return String::new();
    }
    let text = format!("{number:?}").replace('e', "E");
    if text.contains('.') {
        text
    } else {
        text.replacen('E', ".0E", 1)
    }
}

/// Text as it stands between quotes: printable ASCII, quotes doubled.
fn escape(text: &str) -> String {
    let printable = text
        .chars()
        .map(|c| if (' '..='~').contains(&c) { c } else { '?' });
    printable.collect::<String>().replace('\'', "''")
}

/// Pieces of at most `most` characters that do not part a doubled quote.
fn pieces(escaped: &str, most: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = escaped;
    while rest.len() > most {
        let quotes = rest[..most]
            .bytes()
            .rev()
            .take_while(|&byte| byte == b'\'')
            .count();
        let (piece, after) = rest.split_at(most - quotes % 2);
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces
}

/// A card of a keyword, the text of its value, and as much of its comment as there is room for.
fn one(keyword: &str, value: &str, comment: &[u8]) -> [u8; CARD] {
    let mut text = format!("{keyword:<8}= {value}").into_bytes();
    if !comment.is_empty() && text.len() + 3 < CARD {
        text.extend_from_slice(b" / ");
        text.extend_from_slice(comment);
    }
    card(&text)
}

/// A card of at most 80 bytes, filled with blanks.
pub(super) fn card(text: &[u8]) -> [u8; CARD] {
    let mut card = [b' '; CARD];
    let length = text.len().min(CARD);
    card[..length].copy_from_slice(&text[..length]);
    card
}

/// The comment of a card with a value, without the slash and the blanks around.
fn comment(card: &[u8; CARD]) -> &[u8] {
    let mut quoted = false;
    for (at, byte) in card.iter().enumerate().skip(9) {
        match byte {
            b'\'' => quoted = !quoted,
            b'/' if !quoted => return card[at + 1..].trim_ascii(),
            _ => {}
        }
    }
    &[]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(card: &[u8; CARD]) -> &str {
        std::str::from_utf8(card).expect("ASCII").trim_end()
    }

    #[test]
    fn values_change_and_comments_stay() {
        let bytes: Vec<u8> = [
            "CRPIX1  =  150.5 / reference / pixel",
            "OBJECT  = 'a/b     ' / name",
            "LONG    = 'x&'",
            "CONTINUE  'y'",
            "KEEP    = 1",
            "",
        ]
        .iter()
        .flat_map(|line| card(line.as_bytes()))
        .collect();
        let mut cards = Cards::of(&Header::new(bytes.into()), |name| name != "LONG");
        assert!(cards.change("CRPIX1", &Value::Real(-12.25)));
        assert!(cards.change("OBJECT", &Value::Text("c".into())));
        assert!(!cards.change("CRPIX2", &Value::Real(1.0)));
        cards.set("NEW", &Value::Logical(true), "added");
        let lines: Vec<&str> = cards.0.iter().map(text).collect();
        assert_eq!(
            lines,
            [
                "CRPIX1  =               -12.25 / reference / pixel",
                "OBJECT  = 'c       '           / name",
                "KEEP    = 1",
                "NEW     =                    T / added",
            ]
        );
    }

    #[test]
    fn long_text_is_continued_and_reads_back() {
        let url = format!("s3://bucket/{}'{}é", "a".repeat(53), "b'".repeat(60));
        let mut cards = Cards::default();
        cards.push("SRCURL", &Value::Text(url.clone()), "source");
        assert!(cards.0.len() > 2);
        let bytes: Vec<u8> = cards.0.concat();
        let read = Header::new(bytes.into()).text("SRCURL").expect("text");
        assert_eq!(read, url.replace('é', "?"));
    }

    #[test]
    fn reals_are_written_as_fits_reads_them() {
        for (number, want) in [
            (1.0, "1.0"),
            (-0.5, "-0.5"),
            (1e-20, "1.0E-20"),
            (1.5e300, "1.5E300"),
            (f64::NAN, ""),
        ] {
            assert_eq!(real(number), want);
        }
    }
}
