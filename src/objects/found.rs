//! A file that may be an image.

use chrono::{DateTime, Utc};

/// A file that was found below a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where it is; `Sources::open` takes it.
    pub url: String,
    /// Its path below the URL that was searched; the file's name if that was the file itself.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Entity tag of this version, in its quotes.
    pub etag: Option<String>,
    /// When it was written.
    pub modified: Option<DateTime<Utc>>,
}
