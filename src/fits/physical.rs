//! Physical values of the pixels of a cut (FITS 4.0, sections 4.4.2.5 and 5).

use super::bitpix::Bitpix;
use super::cut::Cut;
use super::header::{self, Value};

impl Cut {
    /// What its pixels mean, in their order: `BZERO + BSCALE × stored`; NaN where there is none (BLANK, NaN).
    pub fn physical(&self) -> impl Iterator<Item = f64> + '_ {
        let scale = self.number("BSCALE").unwrap_or(1.0);
        let zero = self.number("BZERO").unwrap_or(0.0);
        let blank = match self.card("BLANK") {
            Some(Value::Integer(blank)) => Some(blank),
            _ => None,
        };
        let bitpix = self.bitpix;
        let whole = move |stored: i64| {
            if blank == Some(stored) {
                f64::NAN
            } else {
                zero + scale * stored as f64
            }
        };
        self.data.chunks_exact(bitpix.bytes() as usize).map(move |pixel| {
            let wide = pixel
                .iter()
                .fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
            match bitpix {
                Bitpix::U8 => whole(i64::from(wide as u8)),
                Bitpix::I16 => whole(i64::from(wide as u16 as i16)),
                Bitpix::I32 => whole(i64::from(wide as u32 as i32)),
                Bitpix::I64 => whole(wide as i64),
                Bitpix::F32 => zero + scale * f64::from(f32::from_bits(wide as u32)),
                Bitpix::F64 => zero + scale * f64::from_bits(wide),
            }
        })
    }

    fn number(&self, keyword: &str) -> Option<f64> {
        match self.card(keyword)? {
            Value::Real(number) => Some(number),
            Value::Integer(number) => Some(number as f64),
            _ => None,
        }
    }

    fn card(&self, keyword: &str) -> Option<Value> {
        let cards = &self.cards.0;
        let at = cards
            .iter()
            .position(|card| header::name(card) == keyword.as_bytes() && header::has_value(card))?;
        header::value(&cards[at..])
    }
}
