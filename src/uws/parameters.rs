//! The job description: named values, with names that any case matches (DALI 1.1 section 3.1).

use serde::{Deserialize, Serialize};

/// Most parameters that a job may have.
pub const MAX_PARAMETERS: usize = 1_000;
/// Longest name of a parameter, in bytes.
pub const MAX_NAME: usize = 64;
/// Longest value that is kept in the job document, in bytes; longer ones become uploads, shown by reference.
pub const MAX_INLINE: usize = 4_096;

/// A named value of the job description.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// Name, in capitals.
    pub name: String,
    /// What was given.
    pub value: ParameterValue,
}

/// Where a parameter's value is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParameterValue {
    /// In the document.
    Inline(String),
    /// Stored beside the job, served at `parameters/{name}`, shown with `byReference="true"`.
    Upload {
        /// Name of the object below the job's prefix.
        key: String,
        /// Media type that the client gave, or `text/plain`.
        media_type: String,
        /// Size in bytes.
        size: u64,
    },
}

/// The parameters of a job, in the order given; a name may occur more than once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Parameters(Vec<Parameter>);

/// Why a parameter cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// A name that no parameter may have.
    #[error("parameter name {0:?}: expected 1 to 64 letters, digits, '_', '-' or '.'")]
    BadName(String),
    /// More parameters than a job may have.
    #[error("too many parameters: at most {MAX_PARAMETERS}")]
    TooMany,
    /// A single-valued parameter was repeated.
    #[error("{0}: given {1} times, expected once")]
    Repeated(String, usize),
    /// An inline value was asked for where an upload is.
    #[error("{0}: expected a value, found an uploaded file")]
    Uploaded(String),
}

impl Parameters {
    /// Adds a value under `name`, which is kept in capitals.
    pub fn push(&mut self, name: &str, value: ParameterValue) -> Result<(), ParameterError> {
        let name = canonical_name(name)?;
        if self.0.len() >= MAX_PARAMETERS {
            return Err(ParameterError::TooMany);
        }
        self.0.push(Parameter { name, value });
        Ok(())
    }

    /// Every parameter, in the order given.
    pub fn iter(&self) -> impl Iterator<Item = &Parameter> {
        self.0.iter()
    }

    /// Bytes of all uploads together.
    pub fn upload_bytes(&self) -> u64 {
        let sizes = self.iter().map(|parameter| match parameter.value {
            ParameterValue::Upload { size, .. } => size,
            ParameterValue::Inline(_) => 0,
        });
        sizes.fold(0, u64::saturating_add)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are, counting repetitions.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Every value under `name` (any case), in the order given.
    pub fn all<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a ParameterValue> + use<'a, 'n> {
        self.0
            .iter()
            .filter(move |p| p.name.eq_ignore_ascii_case(name))
            .map(|p| &p.value)
    }

    /// The inline values under `name`, in the order given.
    pub fn texts(&self, name: &str) -> Result<Vec<&str>, ParameterError> {
        self.all(name)
            .map(|value| match value {
                ParameterValue::Inline(text) => Ok(text.as_str()),
                ParameterValue::Upload { .. } => Err(ParameterError::Uploaded(name.to_ascii_uppercase())),
            })
            .collect()
    }

    /// The one value under `name`; `None` if it was not given, an error if it was repeated.
    pub fn one(&self, name: &str) -> Result<Option<&ParameterValue>, ParameterError> {
        let mut values = self.all(name);
        let first = values.next();
        match values.count() {
            0 => Ok(first),
            more => Err(ParameterError::Repeated(name.to_ascii_uppercase(), more + 1)),
        }
    }

    /// The one inline value under `name`.
    pub fn text(&self, name: &str) -> Result<Option<&str>, ParameterError> {
        match self.one(name)? {
            None => Ok(None),
            Some(ParameterValue::Inline(text)) => Ok(Some(text)),
            Some(ParameterValue::Upload { .. }) => Err(ParameterError::Uploaded(name.to_ascii_uppercase())),
        }
    }

    /// Takes over the parameters of `newer`: each name that it has replaces all values held here under that name,
    /// as a POST to `parameters` does (UWS 1.1 section 2.2.3.6).
    pub fn replace_with(&mut self, newer: Parameters) -> Result<(), ParameterError> {
        self.0
            .retain(|old| newer.0.iter().all(|new| new.name != old.name));
        if self.0.len() + newer.0.len() > MAX_PARAMETERS {
            return Err(ParameterError::TooMany);
        }
        self.0.extend(newer.0);
        Ok(())
    }
}

fn canonical_name(name: &str) -> Result<String, ParameterError> {
    let fits = (1..=MAX_NAME).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    if fits {
        Ok(name.to_ascii_uppercase())
    } else {
        Err(ParameterError::BadName(name.chars().take(64).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inline(text: &str) -> ParameterValue {
        ParameterValue::Inline(text.into())
    }

    #[test]
    fn names_match_in_any_case_and_values_keep_theirs() {
        let mut parameters = Parameters::default();
        parameters.push("Size", inline("Ten")).unwrap();
        assert_eq!(parameters.text("sIZE"), Ok(Some("Ten")));
        assert_eq!(parameters.iter().next().map(|p| p.name.as_str()), Some("SIZE"));
    }

    #[test]
    fn a_repeated_single_value_is_an_error() {
        let mut parameters = Parameters::default();
        parameters.push("SIZE", inline("1")).unwrap();
        parameters.push("size", inline("2")).unwrap();
        assert_eq!(
            parameters.text("SIZE"),
            Err(ParameterError::Repeated("SIZE".into(), 2))
        );
        assert_eq!(parameters.texts("SIZE"), Ok(vec!["1", "2"]));
    }

    #[test]
    fn names_and_numbers_are_bounded() {
        let mut parameters = Parameters::default();
        assert!(parameters.push("", inline("")).is_err());
        assert!(parameters.push("A B", inline("")).is_err());
        assert!(parameters.push(&"A".repeat(65), inline("")).is_err());
        for n in 0..MAX_PARAMETERS {
            parameters.push(&format!("P{n}"), inline("")).unwrap();
        }
        assert_eq!(parameters.push("MORE", inline("")), Err(ParameterError::TooMany));
    }

    #[test]
    fn a_newer_value_replaces_all_older_ones_of_its_name() {
        let mut old = Parameters::default();
        for (name, value) in [("BANDS", "90GHz"), ("SIZE", "1"), ("BANDS", "150GHz")] {
            old.push(name, inline(value)).unwrap();
        }
        let mut new = Parameters::default();
        new.push("bands", inline("220GHz")).unwrap();
        old.replace_with(new).unwrap();
        assert_eq!(old.texts("BANDS"), Ok(vec!["220GHz"]));
        assert_eq!(old.text("SIZE"), Ok(Some("1")));
    }
}
