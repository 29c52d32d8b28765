//! The files of a dashboard, in the order in which they are stored: what a page needs comes before it.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{
    assets::Asset,
    documents,
    look::Look,
    page::{self, Entry},
    product::Product,
};

/// Media type of pages.
pub const HTML: &str = "text/html; charset=utf-8";
/// Media type of documents.
pub const JSON: &str = "application/json";
/// Folder of what pages name beside each other.
const ASSETS: &str = "_dashboard/";

/// A file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Where it lies below its product, or below its Keeper.
    pub name: String,
    /// What it is.
    pub media_type: &'static str,
    /// Its bytes.
    pub body: Bytes,
}

impl File {
    fn new(name: impl Into<String>, media_type: &'static str, body: impl Into<Bytes>) -> Self {
        File {
            name: name.into(),
            media_type,
            body: body.into(),
        }
    }

    /// Whether its name says what is in it, so that it never changes.
    pub fn is_asset(name: &str) -> bool {
        name.starts_with(ASSETS)
    }

    /// A file that pages name.
    pub fn of_asset(asset: &Asset) -> Self {
        let name = format!("{ASSETS}{}", asset.name);
        let media_type = media_type(&name).unwrap_or("application/octet-stream");
        File::new(name, media_type, asset.body.clone())
    }
}

/// Media type of a file of this name; none if no file has it.
pub fn media_type(name: &str) -> Option<&'static str> {
    match (File::is_asset(name), name.rsplit_once('.')?.1) {
        (false, "html") => Some(HTML),
        (false, "json") => Some(JSON),
        (true, "css") => Some("text/css; charset=utf-8"),
        (true, "js") => Some("text/javascript; charset=utf-8"),
        (true, "svg") => Some("image/svg+xml"),
        (true, "png") => Some("image/png"),
        (true, "jpg") => Some("image/jpeg"),
        (true, "webp") => Some("image/webp"),
        _ => None,
    }
}

/// Which pages are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pages {
    /// The editions, and the menus of versions.
    pub editions: bool,
    /// The builds.
    pub builds: bool,
}

impl Pages {
    /// All of them.
    pub const ALL: Pages = Pages {
        editions: true,
        builds: true,
    };

    /// Whether a file of this name is one of them; the style is of each.
    pub fn have(self, name: &str) -> bool {
        if name.starts_with("v/") {
            self.editions
        } else if name.starts_with("builds/") {
            self.builds
        } else {
            true
        }
    }
}

/// Why there are no files; a fault of ours.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// A template could not be filled in.
    #[error("page: {0}")]
    Page(#[from] askama::Error),
    /// A document could not be written.
    #[error("document: {0}")]
    Document(#[from] serde_json::Error),
}

/// The files of a product.
pub fn of_product(product: &Product, look: &Look, wanted: Pages) -> Result<Vec<File>, FilesError> {
    let mut documents: Vec<File> = look.assets().map(File::of_asset).collect();
    let mut pages = Vec::new();
    if wanted.editions {
        documents.push(File::new("v/index.json", JSON, documents::editions(product)?));
        documents.push(File::new("v/switcher.json", JSON, documents::switcher(product)?));
        documents.push(File::new("v/versions.json", JSON, documents::versions(product)?));
        pages.push(File::new("v/index.html", HTML, page::editions(product, look)?));
    }
    if wanted.builds {
        documents.push(File::new("builds/index.json", JSON, documents::builds(product)?));
        for (name, body) in page::builds(product, look)? {
            pages.push(File::new(format!("builds/{name}"), HTML, body));
        }
    }
    documents.append(&mut pages);
    Ok(documents)
}

/// The page of all products, and its document.
pub fn of_index(entries: &[Entry], look: &Look) -> Result<Vec<File>, FilesError> {
    Ok(vec![
        File::new("index.json", JSON, documents::index(entries)?),
        File::new("index.html", HTML, page::index(entries, look)?),
    ])
}

/// Digest of these files.
pub fn digest(files: &[File]) -> String {
    let mut digest = Sha256::new();
    for file in files {
        digest.update((file.name.len() as u64).to_be_bytes());
        digest.update(&file.name);
        digest.update((file.body.len() as u64).to_be_bytes());
        digest.update(&file.body);
    }
    hex::encode(digest.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::dashboard::{normalise::normalise, wire};

    #[test]
    fn what_a_page_needs_comes_before_it_and_equal_input_gives_equal_bytes() {
        let bulk = include_bytes!("../../../tests/it/data/keeper/v1-bulk-empty.json");
        let empty = normalise("empty", wire::bulk(bulk, wire::PLENTY).unwrap()).unwrap();
        let files = of_product(&empty, &Look::default(), Pages::ALL).unwrap();
        let names: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
        let assets = Look::default().assets().count();
        assert!(
            names[..assets].iter().all(|name| File::is_asset(name)),
            "{names:?}"
        );
        assert_eq!(
            names[assets..],
            [
                "v/index.json",
                "v/switcher.json",
                "v/versions.json",
                "builds/index.json",
                "v/index.html",
                "builds/index.html",
            ]
        );
        let again = of_product(&empty, &Look::default(), Pages::ALL).unwrap();
        assert_eq!(digest(&again), digest(&files));
        let only = Pages {
            editions: false,
            builds: true,
        };
        let builds = of_product(&empty, &Look::default(), only).unwrap();
        assert!(builds.iter().all(|file| only.have(&file.name)));
        assert_ne!(digest(&builds), digest(&files));
    }
}
