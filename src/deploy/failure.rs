//! Why a deployment ends otherwise than well, and the exit code that says so.

use std::io;

/// The step at which it ended; its number is the command's exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// What was asked for makes no sense, or is not safe.
    Usage = 2,
    /// A login, a context, a secret or a tool is missing.
    Setup = 3,
    /// The image could not be built.
    Build = 4,
    /// The image is not in the registry.
    Push = 5,
    /// The release could not be upgraded, and stands as it did before.
    RolledBack = 6,
    /// The release could not be upgraded, and is not as it was before.
    NotRolledBack = 7,
    /// What was deployed does not run as it should; it was taken back, if that was wanted and could be.
    Verify = 8,
}

/// The end of a deployment that did not go well.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A step failed.
    #[error("{message}")]
    At {
        /// At which.
        class: Class,
        /// What to do about it.
        message: String,
    },
    /// A person or a machine asked it to end.
    #[error("ended by signal {signal}")]
    Interrupted {
        /// 1, 2, 3 or 15.
        signal: u8,
    },
    /// Standard output, or a file of ours.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Failure {
    pub(crate) fn new(class: Class, message: impl Into<String>) -> Failure {
        Failure::At {
            class,
            message: message.into(),
        }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Class::Usage, message)
    }

    /// The exit code: 2 to 8 by class, 128 and its number for a signal, 1 for what is left.
    pub fn code(&self) -> u8 {
        match self {
            Failure::At { class, .. } => *class as u8,
            Failure::Interrupted { signal } => 128 + signal,
            Failure::Io(_) => 1,
        }
    }
}
