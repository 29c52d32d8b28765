//! Query parameters of the interface: names in any case, single ones given once, times and phases as UWS has them.

use std::{borrow::Cow, str::FromStr};

use poem_openapi::{
    registry::{MetaSchema, MetaSchemaRef, Registry},
    types::{ParseError, ParseFromParameter, ParseResult, Type},
};

/// How a parameter that may be given once is told to have been given more often.
pub const REPEATED: &str = "given more than once";

/// What a query parameter can be.
pub trait Value: FromStr<Err: std::fmt::Display> + Send + Sync {
    /// Its type in the OpenAPI document.
    fn schema() -> MetaSchema;
}

/// A query parameter that may be given once, or not at all.
#[derive(Debug, Clone, Copy)]
pub struct Once<T>(pub Option<T>);

/// A query parameter that may be repeated.
#[derive(Debug, Clone)]
pub struct Many<T>(pub Vec<T>);

fn parse<P: Type, T: Value>(text: &str) -> Result<T, ParseError<P>> {
    text.trim().parse().map_err(ParseError::<P>::custom)
}

impl<T: Value> Type for Once<T> {
    const IS_REQUIRED: bool = false;
    type RawValueType = T;
    type RawElementValueType = T;

    fn name() -> Cow<'static, str> {
        "value".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(T::schema()))
    }

    fn register(_: &mut Registry) {}

    fn as_raw_value(&self) -> Option<&T> {
        self.0.as_ref()
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a T> + 'a> {
        Box::new(self.0.iter())
    }
}

impl<T: Value> ParseFromParameter for Once<T> {
    fn parse_from_parameter(value: &str) -> ParseResult<Self> {
        parse(value).map(|value| Once(Some(value)))
    }

    fn parse_from_parameters<I: IntoIterator<Item = A>, A: AsRef<str>>(values: I) -> ParseResult<Self> {
        let mut values = values.into_iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(Once(None)),
            (Some(value), None) => Self::parse_from_parameter(value.as_ref()),
            (Some(_), Some(_)) => Err(ParseError::custom(REPEATED)),
        }
    }
}

impl<T: Value> Type for Many<T> {
    const IS_REQUIRED: bool = false;
    type RawValueType = Vec<T>;
    type RawElementValueType = T;

    fn name() -> Cow<'static, str> {
        "values".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema {
            items: Some(Box::new(MetaSchemaRef::Inline(Box::new(T::schema())))),
            ..MetaSchema::new("array")
        }))
    }

    fn register(_: &mut Registry) {}

    fn as_raw_value(&self) -> Option<&Vec<T>> {
        Some(&self.0)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a T> + 'a> {
        Box::new(self.0.iter())
    }
}

impl<T: Value> ParseFromParameter for Many<T> {
    fn parse_from_parameter(value: &str) -> ParseResult<Self> {
        parse(value).map(|value| Many(vec![value]))
    }

    fn parse_from_parameters<I: IntoIterator<Item = A>, A: AsRef<str>>(values: I) -> ParseResult<Self> {
        let values: Result<Vec<T>, _> = values.into_iter().map(|value| parse(value.as_ref())).collect();
        values.map(Many)
    }
}

impl Value for String {
    fn schema() -> MetaSchema {
        MetaSchema::new("string")
    }
}

impl Value for bool {
    fn schema() -> MetaSchema {
        MetaSchema::new("boolean")
    }
}

impl Value for u64 {
    fn schema() -> MetaSchema {
        MetaSchema::new_with_format("integer", "int64")
    }
}

impl Value for crate::uws::Phase {
    fn schema() -> MetaSchema {
        MetaSchema {
            enum_items: crate::uws::Phase::ALL.map(|phase| phase.as_str().into()).into(),
            ..MetaSchema::new("string")
        }
    }
}

impl Value for crate::uws::Timestamp {
    fn schema() -> MetaSchema {
        MetaSchema::new_with_format("string", "date-time")
    }
}

/// A number of jobs: 1 or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number(pub u64);

/// A text that is no number of jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a whole number, 1 or more")]
pub struct NotANumber;

impl FromStr for Number {
    type Err = NotANumber;

    fn from_str(text: &str) -> Result<Self, NotANumber> {
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(NotANumber);
        }
        match text.parse() {
            Ok(0) => Err(NotANumber),
            Ok(number) => Ok(Number(number)),
            // More digits than fit: more than there can be.
            Err(_) => Ok(Number(u64::MAX)),
        }
    }
}

impl Value for Number {
    fn schema() -> MetaSchema {
        MetaSchema {
            minimum: Some(1.0),
            ..MetaSchema::new_with_format("integer", "int64")
        }
    }
}

/// How long to wait for a change of phase (UWS 1.1 section 2.2.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitFor {
    /// At most this long.
    Seconds(u64),
    /// As long as the server allows: -1.
    Longest,
}

/// A text that is no time to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a whole number of seconds, or -1 for as long as possible")]
pub struct NotAWait;

impl FromStr for WaitFor {
    type Err = NotAWait;

    fn from_str(text: &str) -> Result<Self, NotAWait> {
        if text == "-1" {
            return Ok(WaitFor::Longest);
        }
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(NotAWait);
        }
        Ok(WaitFor::Seconds(text.parse().unwrap_or(u64::MAX)))
    }
}

impl Value for WaitFor {
    fn schema() -> MetaSchema {
        MetaSchema {
            minimum: Some(-1.0),
            ..MetaSchema::new("integer")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uws::Phase;

    fn reason<T>(result: ParseResult<T>) -> Option<String>
    where
        T: Type,
    {
        result.err().map(ParseError::into_message)
    }

    #[test]
    fn a_single_value_is_given_once_or_not_at_all() {
        assert_eq!(
            Once::<Number>::parse_from_parameters::<_, &str>([])
                .ok()
                .unwrap()
                .0,
            None
        );
        assert_eq!(
            Once::<Number>::parse_from_parameters(["7"]).ok().unwrap().0,
            Some(Number(7))
        );
        let message = reason(Once::<Number>::parse_from_parameters(["7", "7"])).unwrap();
        assert!(message.contains(REPEATED), "{message}");
    }

    #[test]
    fn phases_are_repeated_and_known() {
        let phases = Many::<Phase>::parse_from_parameters(["RUN", "QUEUED"]);
        assert!(reason(phases).unwrap().contains("is not a phase"));
        let phases = Many::<Phase>::parse_from_parameters(["queued", "ERROR"]);
        assert_eq!(phases.ok().unwrap().0, [Phase::Queued, Phase::Error]);
    }

    #[test]
    fn numbers_of_jobs_are_positive() {
        for text in ["0", "-1", "-254", "text", "", "1.5", "+3", " "] {
            assert!(text.parse::<Number>().is_err(), "{text}");
        }
        assert_eq!("99999999999999999999999".parse(), Ok(Number(u64::MAX)));
    }

    #[test]
    fn waits_are_seconds_or_minus_one() {
        assert_eq!("-1".parse(), Ok(WaitFor::Longest));
        assert_eq!("0".parse(), Ok(WaitFor::Seconds(0)));
        assert_eq!("99999999999999999999999".parse(), Ok(WaitFor::Seconds(u64::MAX)));
        for text in ["-2", "1.5", "soon", ""] {
            assert!(text.parse::<WaitFor>().is_err(), "{text}");
        }
    }
}
