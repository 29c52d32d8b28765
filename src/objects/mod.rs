//! Bytes outside of the database: results and uploads of jobs, and the images that cutouts are taken from.
//!
//! A folder or a bucket of S3, images over HTTP too; nothing else of the crate names `object_store`. Calls `fits` for
//! its `Source`, which images are read through.

mod coalesce;
mod found;
mod gzip;
mod local;
mod place;
mod remote;
mod results;
mod sources;
mod written;

#[cfg(test)]
#[path = "../../tests/it/s3.rs"]
pub(crate) mod s3;

use std::{error::Error, io};

pub use found::Found;
pub use gzip::is_gzip;
pub use results::{Caching, Object, ObjectMeta, Results, Stored, digest_of_name, held_of_upload};
pub use sources::Sources;

/// Why an object could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ObjectsError {
    /// There is no such object.
    #[error("no such object")]
    NotFound,
    /// It was replaced while it was read.
    #[error("the object was replaced while it was read")]
    Changed,
    /// A URL or key that cannot be one of an object; says what was expected.
    #[error("{0}")]
    Invalid(String),
    /// What it holds cannot be read; says why.
    #[error("{0}")]
    Unusable(String),
    /// The store did not answer, or refused.
    #[error("the object store failed: {0}")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
}

impl ObjectsError {
    /// Whether there is no room for what was to be written: the disk is full, or its quota.
    pub fn is_full(&self) -> bool {
        let mut cause: Option<&(dyn Error + 'static)> = match self {
            ObjectsError::Unavailable(source) => Some(&**source),
            _ => None,
        };
        while let Some(error) = cause {
            let io = error.downcast_ref::<io::Error>();
            let kind = io.map(io::Error::kind);
            if matches!(
                kind,
                Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            ) {
                return true;
            }
            // Its `source` is that of the error that it holds.
            cause = match io.and_then(io::Error::get_ref) {
                Some(held) => Some(held),
                None => error.source(),
            };
        }
        false
    }

    fn unavailable(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        ObjectsError::Unavailable(error.into())
    }
}

impl From<object_store::Error> for ObjectsError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => ObjectsError::NotFound,
            object_store::Error::Precondition { .. } | object_store::Error::NotModified { .. } => {
                ObjectsError::Changed
            }
            object_store::Error::InvalidPath { source } => ObjectsError::Invalid(source.to_string()),
            other => match without_page(&other.to_string()) {
                Some(text) => ObjectsError::unavailable(text),
                None => ObjectsError::unavailable(other),
            },
        }
    }
}

/// What a text says before the page of HTML that a web server has sent with it, if it has.
fn without_page(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let at = ["<!doctype html", "<html"]
        .iter()
        .filter_map(|page| lower.find(page))
        .min()?;
    Some(text[..at].trim_end_matches([' ', ':', '\r', '\n']).to_owned())
}

impl From<std::io::Error> for ObjectsError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::NotFound => ObjectsError::NotFound,
            _ => ObjectsError::unavailable(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_a_store_that_does_not_answer() {
        let kept = |kind: io::ErrorKind| {
            let source = Box::new(io::Error::other(io::Error::from(kind)));
            let deep = object_store::Error::Generic {
                store: "LocalFileSystem",
                source,
            };
            [ObjectsError::from(io::Error::from(kind)), deep.into()]
        };
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
            assert!(kept(kind).iter().all(ObjectsError::is_full), "{kind:?}");
        }
        assert!(!kept(io::ErrorKind::TimedOut).iter().any(ObjectsError::is_full));
    }
}
