//! Images that are kept open from job to job: their headers, coordinates and tables of tiles, read once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::image::{Fault, open};
use crate::{
    fits::File,
    objects::{Sources, is_gzip},
};

/// A remote file that nobody has read for so long is asked for anew. Whoever reads pixels is told if it was replaced, but who
/// only looks where it lies on the sky is not.
const FRESH: Duration = Duration::from_mins(1);

/// Open images by URL, the ones used last, as many as fit.
pub struct Files {
    sources: Arc<Sources>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    files: HashMap<String, Entry>,
    /// Counts uses.
    clock: u64,
    most_files: usize,
    most_bytes: u64,
}

struct Entry {
    file: Arc<File>,
    used: u64,
    checked: Instant,
}

/// An image with its headers.
#[derive(Clone)]
pub struct OpenFile {
    /// The image.
    pub file: Arc<File>,
    /// Whether it was open before; it may have been replaced since.
    pub warm: bool,
}

impl Files {
    /// Keeps at most so many files and so many bytes of what was read of them.
    pub fn new(sources: Arc<Sources>, most_files: usize, most_bytes: u64) -> Files {
        let kept = Kept {
            most_files,
            most_bytes,
            ..Kept::default()
        };
        Files {
            sources,
            kept: Mutex::new(kept),
        }
    }

    /// The file of a URL: the one that is open, or as it is now.
    pub async fn open(&self, url: &str) -> Result<OpenFile, Fault> {
        if let Some((file, fresh)) = self.kept(|kept| kept.get(url)) {
            if fresh && !file.is_local() {
                return Ok(OpenFile { file, warm: true });
            }
            // What is wrong with it, opening tells better.
            if file.check().await.is_ok() {
                self.confirm(url, &file);
                return Ok(OpenFile { file, warm: true });
            }
            self.forget(url, &file);
        }
        if self.sources.is_crowded() {
            // Those in use stay until they are done with.
            self.kept(|kept| {
                kept.files.retain(|url, _| !is_gzip(url));
            });
        }
        let file = Arc::new(open(&self.sources, url).await?);
        self.kept(|kept| kept.insert(url, &file));
        Ok(OpenFile { file, warm: false })
    }

    /// Whether a file is open, or only its headers have to be read for that: one that is compressed as a whole is inflated.
    pub fn is_quick(&self, url: &str) -> bool {
        !is_gzip(url) || self.kept(|kept| kept.files.contains_key(url))
    }

    /// Forgets a file that was replaced, unless another has opened it anew meanwhile.
    pub fn forget(&self, url: &str, file: &Arc<File>) {
        self.kept(|kept| {
            if kept
                .files
                .get(url)
                .is_some_and(|entry| Arc::ptr_eq(&entry.file, file))
            {
                kept.files.remove(url);
            }
        });
    }

    /// Takes down that pixels of a file were read just now, which its store gives of this version alone.
    pub fn confirm(&self, url: &str, file: &Arc<File>) {
        self.kept(|kept| {
            if let Some(entry) = kept
                .files
                .get_mut(url)
                .filter(|entry| Arc::ptr_eq(&entry.file, file))
            {
                entry.checked = Instant::now();
            }
            // Tables of tiles have grown.
            kept.shrink();
        });
    }

    fn kept<T>(&self, with: impl FnOnce(&mut Kept) -> T) -> T {
        with(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Kept {
    /// The file, and whether it was read not long ago.
    fn get(&mut self, url: &str) -> Option<(Arc<File>, bool)> {
        self.clock += 1;
        let entry = self.files.get_mut(url)?;
        entry.used = self.clock;
        Some((Arc::clone(&entry.file), entry.checked.elapsed() < FRESH))
    }

    fn insert(&mut self, url: &str, file: &Arc<File>) {
        let entry = Entry {
            file: Arc::clone(file),
            used: self.clock,
            checked: Instant::now(),
        };
        self.files.insert(url.to_owned(), entry);
        self.shrink();
    }

    /// Drops those that were not used for longest until the rest fits.
    fn shrink(&mut self) {
        let mut bytes: u64 = self.files.values().map(|entry| entry.file.memory()).sum();
        while self.files.len() > self.most_files || bytes > self.most_bytes {
            let oldest = self.files.iter().min_by_key(|(_, entry)| entry.used);
            let Some(url) = oldest.map(|(url, _)| url.clone()) else {
                return;
            };
            if let Some(entry) = self.files.remove(&url) {
                bytes = bytes.saturating_sub(entry.file.memory());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cards alone.
    fn image() -> String {
        let [simple, bitpix, naxis] = [
            "SIMPLE  =                    T",
            "BITPIX  =                    8",
            "NAXIS   =                    0",
        ];
        format!("{:<2880}", format!("{simple:<80}{bitpix:<80}{naxis:<80}END"))
    }

    async fn names(files: &Files, folder: &std::path::Path, names: &[&str]) -> Vec<bool> {
        let mut warm = Vec::new();
        for name in names {
            let url = folder.join(name);
            warm.push(files.open(url.to_str().unwrap()).await.unwrap().warm);
        }
        warm
    }

    #[tokio::test]
    async fn what_was_used_last_stays_and_what_was_replaced_goes() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.fits", "b.fits", "c.fits"] {
            std::fs::write(folder.path().join(name), image()).unwrap();
        }
        let files = Files::new(Arc::default(), 2, 1 << 20);
        let folder = folder.path();
        assert_eq!(
            names(&files, folder, &["a.fits", "b.fits", "a.fits"]).await,
            [false, false, true]
        );
        assert_eq!(
            names(&files, folder, &["c.fits", "a.fits", "b.fits"]).await,
            [false, true, false]
        );
        let url = folder.join("b.fits").to_str().unwrap().to_owned();
        let first = files.open(&url).await.unwrap().file;
        files.forget(&url, &first);
        let second = files.open(&url).await.unwrap();
        assert!(!second.warm);
        files.forget(&url, &first);
        assert!(
            files.open(&url).await.unwrap().warm,
            "only the one that was replaced"
        );
        let none = Files::new(Arc::default(), 2, 1);
        assert_eq!(names(&none, folder, &["a.fits", "a.fits"]).await, [false, false]);
    }
}
