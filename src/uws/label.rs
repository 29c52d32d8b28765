//! Errors as text: a label of SODA 1.0 (section 4.2), a colon, the message.

use std::fmt;

/// What kind of error it is, for programs that read the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// Any other error.
    Error,
    /// The caller is not known.
    AuthenticationError,
    /// The caller may not do this.
    AuthorizationError,
    /// The service cannot answer now.
    ServiceUnavailable,
    /// A parameter is wrong.
    UsageError,
    /// A parameter was given more than once, and may not be.
    MultiValuedParamNotSupported,
}

impl Label {
    /// The word of the standard.
    pub const fn as_str(self) -> &'static str {
        match self {
            Label::Error => "Error",
            Label::AuthenticationError => "AuthenticationError",
            Label::AuthorizationError => "AuthorizationError",
            Label::ServiceUnavailable => "ServiceUnavailable",
            Label::UsageError => "UsageError",
            Label::MultiValuedParamNotSupported => "MultiValuedParamNotSupported",
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text of an error.
pub fn text(label: Label, message: &str) -> String {
    format!("{label}: {message}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_begins_with_its_label() {
        assert_eq!(text(Label::UsageError, "SIZE: bad"), "UsageError: SIZE: bad");
        assert_eq!(
            text(Label::MultiValuedParamNotSupported, "SIZE"),
            "MultiValuedParamNotSupported: SIZE"
        );
    }
}
