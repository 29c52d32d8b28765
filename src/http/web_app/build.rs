//! A build of the web app: the files of a folder, held in memory.
//!
//! What is served are the names that were found there, so that no URL leads anywhere else; links are not followed. A
//! deployment is a new process. For development the folder is looked at again for every page, and a build that is new is
//! read; until one is whole, what was there before is served.

use std::{
    collections::HashMap,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::SystemTime,
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use poem::{
    Body, Response,
    http::{HeaderMap, StatusCode, header},
};
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, OnceCell};

use super::{
    super::{negotiate::takes_coding, range::is_known},
    document::Document,
};

/// Most bytes of a build: far more than any has, and less than another folder by mistake may take.
const MAX_BYTES: u64 = 256 << 20;
/// Most files of it.
const MAX_FILES: usize = 10_000;
/// Smallest file that is worth packing, in bytes.
const PACKED: usize = 1_000;
/// The page, which makes a folder a build.
const INDEX: &str = "index.html";

/// Media types by the ends of names, and whether such files get smaller when packed.
const MEDIA_TYPES: &[(&str, &str, bool)] = &[
    ("css", "text/css; charset=utf-8", true),
    ("html", "text/html; charset=utf-8", true),
    ("ico", "image/x-icon", false),
    ("jpg", "image/jpeg", false),
    ("js", "text/javascript; charset=utf-8", true),
    ("json", "application/json", true),
    ("map", "application/json", true),
    ("mjs", "text/javascript; charset=utf-8", true),
    ("png", "image/png", false),
    ("svg", "image/svg+xml", true),
    ("txt", "text/plain; charset=utf-8", true),
    ("wasm", "application/wasm", true),
    ("webmanifest", "application/manifest+json", true),
    ("webp", "image/webp", false),
    ("woff2", "font/woff2", false),
];

/// Whether a file of this name is named by its content, and never changes.
pub fn is_asset(name: &str) -> bool {
    name.starts_with("assets/")
}

/// Whether there is a build in this folder.
pub fn is_build(folder: &Path) -> bool {
    folder.join(INDEX).is_file()
}

/// The folder that builds are in.
pub struct Folder {
    path: PathBuf,
    base_path: String,
    held: RwLock<Option<Arc<Build>>>,
    /// Held while looking at the folder.
    looking: Mutex<()>,
}

impl Folder {
    /// With the build that is there now, if there is one; the page will be served below this base path.
    pub fn open(path: &Path, base_path: &str) -> Arc<Self> {
        let folder = Folder {
            path: path.to_owned(),
            base_path: base_path.to_owned(),
            held: RwLock::default(),
            looking: Mutex::default(),
        };
        if folder.refreshed().is_none() {
            tracing::info!("there is no web app in {} (web_app_dir)", path.display());
        }
        Arc::new(folder)
    }

    /// The build that was read last.
    pub fn held(&self) -> Option<Arc<Build>> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The build that is there now.
    pub async fn look(self: &Arc<Self>) -> Option<Arc<Build>> {
        let _one = self.looking.lock().await;
        let folder = Arc::clone(self);
        match tokio::task::spawn_blocking(move || folder.refreshed()).await {
            Ok(build) => build,
            Err(error) => {
                tracing::error!(%error, "reading the web app");
                self.held()
            }
        }
    }

    fn refreshed(&self) -> Option<Arc<Build>> {
        let held = self.held();
        let read = || {
            let entries = entries(&self.path)?;
            if entries.iter().all(|entry| entry.name != INDEX) {
                return Err(io::ErrorKind::NotFound.into());
            }
            if held.as_ref().is_some_and(|held| held.entries == entries) {
                return Ok(None);
            }
            Build::read(&self.path, entries, &self.base_path).map(Some)
        };
        match read() {
            Ok(None) => held,
            Ok(Some(build)) => {
                let build = Arc::new(build);
                *self.held.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&build));
                Some(build)
            }
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(%error, "the web app in {} (web_app_dir) cannot be read", self.path.display());
                }
                held
            }
        }
    }
}

/// What tells versions of a file apart without reading it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    /// Path from the folder, with `/`.
    name: String,
    modified: SystemTime,
    size: u64,
}

/// The files below a folder that may be served, by name: no links, and nothing whose name begins with a dot.
fn entries(root: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut folders = vec![String::new()];
    let mut bytes = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            if name.starts_with('.') {
                continue;
            }
            let name = format!("{folder}{name}");
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(format!("{name}/"));
            } else if kind.is_file() {
                let metadata = entry.metadata()?;
                bytes += metadata.len();
                entries.push(Entry {
                    name,
                    modified: metadata.modified()?,
                    size: metadata.len(),
                });
            }
        }
        if entries.len() + folders.len() > MAX_FILES || bytes > MAX_BYTES {
            return Err(io::Error::other(format!(
                "it has more than {MAX_FILES} files or {MAX_BYTES} bytes"
            )));
        }
    }
    entries.sort_unstable();
    Ok(entries)
}

/// The files of one build.
pub struct Build {
    entries: Vec<Entry>,
    document: Document,
    files: HashMap<String, Arc<File>>,
}

impl Build {
    fn read(root: &Path, entries: Vec<Entry>, base_path: &str) -> io::Result<Self> {
        let html = fs::read_to_string(root.join(INDEX))?;
        let others = entries.iter().filter(|entry| entry.name != INDEX);
        let files = others
            .map(|entry| Ok((entry.name.clone(), Arc::new(File::read(root, &entry.name)?))))
            .collect::<io::Result<_>>()?;
        Ok(Build {
            document: Document::new(&html, base_path),
            entries,
            files,
        })
    }

    /// The page.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// A file by its path from the folder.
    pub fn file(&self, name: &str) -> Option<Arc<File>> {
        self.files.get(name).cloned()
    }
}

/// A file of a build.
pub struct File {
    media_type: &'static str,
    cache: &'static str,
    bytes: Bytes,
    /// Hash of its content.
    tag: String,
    packs: bool,
    /// Made when it is first asked for: nothing, if it would not be smaller.
    packed: OnceCell<Option<Bytes>>,
}

impl File {
    fn read(root: &Path, name: &str) -> io::Result<Self> {
        let bytes = Bytes::from(fs::read(root.join(name))?);
        let end = name.rsplit_once('.').map_or("", |(_, end)| end);
        let (media_type, packs) = MEDIA_TYPES
            .iter()
            .find(|(known, ..)| *known == end)
            .map_or(("application/octet-stream", false), |(_, media_type, packs)| {
                (*media_type, *packs)
            });
        Ok(File {
            media_type,
            cache: if is_asset(name) {
                "public, max-age=31536000, immutable"
            } else {
                "no-cache"
            },
            tag: hex::encode(&Sha256::digest(&bytes)[..16]),
            packs: packs && bytes.len() >= PACKED,
            packed: OnceCell::new(),
            bytes,
        })
    }

    /// The file, packed if the client takes that, or that the client has it.
    pub async fn answer(&self, headers: &HeaderMap) -> Response {
        let packed = if self.packs && takes_coding(headers, "gzip") {
            self.packed().await
        } else {
            None
        };
        // RFC 9110 section 8.8.3.3: each form has a tag of its own.
        let tag = match packed {
            Some(_) => format!("\"{}-gzip\"", self.tag),
            None => format!("\"{}\"", self.tag),
        };
        let mut builder = Response::builder()
            .header(header::CACHE_CONTROL, self.cache)
            .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
            .header(header::ETAG, &tag);
        if self.packs {
            builder = builder.header(header::VARY, "Accept-Encoding");
        }
        if is_known(headers, &tag) {
            return builder.status(StatusCode::NOT_MODIFIED).finish();
        }
        if packed.is_some() {
            builder = builder.header(header::CONTENT_ENCODING, "gzip");
        }
        let bytes = packed.unwrap_or_else(|| self.bytes.clone());
        builder
            .content_type(self.media_type)
            // HEAD has no body to count.
            .header(header::CONTENT_LENGTH, bytes.len())
            .body(Body::from_bytes(bytes))
    }

    async fn packed(&self) -> Option<Bytes> {
        let pack = || async {
            let bytes = self.bytes.clone();
            let packed = tokio::task::spawn_blocking(move || pack(&bytes)).await.ok()?;
            packed.ok().filter(|packed| packed.len() < self.bytes.len())
        };
        self.packed.get_or_init(pack).await.clone()
    }
}

fn pack(bytes: &[u8]) -> io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.into())
}
