//! Images in a folder of this machine.

use std::{
    fs::{File, Metadata},
    io,
    ops::Range,
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
};

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use futures::{FutureExt, future::BoxFuture};
use url::Url;

use super::{ObjectsError, found::Found};
use crate::fits::{Filling, Source, SourceError, place};

/// Deepest nesting of folders that is followed.
const DEEPEST: usize = 64;

/// A file, read by `pread`: a row of pixels costs a system call, which is quicker than reading the gaps too.
pub(super) struct LocalSource {
    path: PathBuf,
    size: u64,
    etag: String,
}

impl LocalSource {
    /// A file as it is now.
    pub(super) fn open(path: PathBuf) -> Result<LocalSource, ObjectsError> {
        let metadata = std::fs::metadata(&path)?;
        if !metadata.is_file() {
            return Err(ObjectsError::Invalid(format!("{} is not a file", path.display())));
        }
        Ok(LocalSource {
            path,
            size: metadata.len(),
            etag: etag(&metadata),
        })
    }
}

impl Source for LocalSource {
    fn size(&self) -> u64 {
        self.size
    }

    fn etag(&self) -> Option<&str> {
        Some(&self.etag)
    }

    fn read(&self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>, SourceError>> {
        let (path, etag) = (self.path.clone(), self.etag.clone());
        async move {
            tokio::task::spawn_blocking(move || read(&path, &etag, &ranges))
                .await
                .map_err(|error| SourceError::Other(error.into()))?
        }
        .boxed()
    }

    fn fill(&self, pieces: Vec<Filling>) -> BoxFuture<'_, Result<Vec<Vec<u8>>, SourceError>> {
        let (path, etag) = (self.path.clone(), self.etag.clone());
        async move {
            tokio::task::spawn_blocking(move || fill(&path, &etag, pieces))
                .await
                .map_err(|error| SourceError::Other(error.into()))?
        }
        .boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), SourceError>> {
        // Asking the kernel for what it has at hand takes less than having another thread ask.
        let now = std::fs::metadata(&self.path).map_err(source_error);
        let same = now.and_then(|now| {
            if etag(&now) == self.etag {
                Ok(())
            } else {
                Err(SourceError::Changed)
            }
        });
        std::future::ready(same).boxed()
    }

    fn is_local(&self) -> bool {
        true
    }
}

/// Adjacent ranges are one read; they lie side by side in the buffer as they do in the file.
fn read(path: &Path, opened: &str, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, SourceError> {
    let file = File::open(path).map_err(source_error)?;
    let length: u64 = ranges.iter().map(|range| range.end - range.start).sum();
    let mut buffer =
        BytesMut::zeroed(usize::try_from(length).map_err(|error| SourceError::Other(error.into()))?);
    let mut at = 0;
    for run in ranges.chunk_by(|one, next| one.end == next.start) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else {
            continue;
        };
        let end = at + (last.end - first.start) as usize;
        file.read_exact_at(&mut buffer[at..end], first.start)
            .map_err(source_error)?;
        at = end;
    }
    check(&file, opened)?;
    let mut rest = buffer.freeze();
    Ok(ranges
        .iter()
        .map(|range| rest.split_to((range.end - range.start) as usize))
        .collect())
}

fn fill(path: &Path, opened: &str, pieces: Vec<Filling>) -> Result<Vec<Vec<u8>>, SourceError> {
    let file = File::open(path).map_err(source_error)?;
    let mut filled = Vec::with_capacity(pieces.len());
    for Filling { ranges, mut buffer } in pieces {
        for (range, at) in ranges {
            let to = place(&mut buffer, at, (range.end - range.start) as usize)?;
            file.read_exact_at(to, range.start).map_err(source_error)?;
        }
        filled.push(buffer);
    }
    check(&file, opened)?;
    Ok(filled)
}

/// Asked after reading and of the file that was read: tells both one put in its place and one written over.
fn check(file: &File, opened: &str) -> Result<(), SourceError> {
    if etag(&file.metadata().map_err(source_error)?) == opened {
        Ok(())
    } else {
        Err(SourceError::Changed)
    }
}

fn source_error(error: io::Error) -> SourceError {
    match error.kind() {
        io::ErrorKind::NotFound => SourceError::NotFound,
        // It was long enough when it was opened.
        io::ErrorKind::UnexpectedEof => SourceError::Changed,
        _ => SourceError::Other(error.into()),
    }
}

/// Tells versions of a file apart: inode, times of modification and of change to the nanosecond, size. Whoever writes
/// over a file can set the first of the times, as rsync and tar do; the second is the kernel's.
fn etag(metadata: &Metadata) -> String {
    format!(
        "\"{:x}-{:x}.{:x}-{:x}.{:x}-{:x}\"",
        metadata.ino(),
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.ctime(),
        metadata.ctime_nsec(),
        metadata.len()
    )
}

/// Finds FITS files below `root`, or `root` itself, and hands each to `found`, which answers whether to go on.
pub(super) fn walk(
    root: &Path,
    is_image: fn(&str) -> bool,
    found: &mut dyn FnMut(Result<Found, (String, ObjectsError)>) -> bool,
) {
    let metadata = match root
        .canonicalize()
        .and_then(|root| Ok((std::fs::metadata(&root)?, root)))
    {
        Ok(known) => known,
        Err(error) => {
            found(Err((root.display().to_string(), error.into())));
            return;
        }
    };
    let (metadata, root) = metadata;
    if metadata.is_dir() {
        walk_folder(
            &root,
            &root,
            &mut vec![(metadata.dev(), metadata.ino())],
            is_image,
            found,
        );
    } else {
        let name = root
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        found(describe(&root, name, &metadata));
    }
}

/// Whether a file that a walk has not found is gone. One behind a link that leads nowhere now may come back.
pub(super) fn is_gone(file: &Path) -> bool {
    let is_missing = |path: &Path| {
        std::fs::metadata(path).is_err_and(|error| {
            matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            )
        })
    };
    let dangles = |path: &Path| std::fs::symlink_metadata(path).is_ok() && is_missing(path);
    is_missing(file) && !file.ancestors().any(dangles)
}

/// Whether a link to a folder leads to what is found without it, or above it all: into `root`, back into a folder that is
/// being walked, or to one that holds either.
fn is_astray(root: &Path, folder: &Path, link: &Path) -> bool {
    let Ok(to) = link.canonicalize() else {
        return false;
    };
    let folder = folder.canonicalize();
    to.starts_with(root) || root.starts_with(&to) || folder.is_ok_and(|folder| folder.starts_with(&to))
}

/// Links are followed, those to folders only where they lead elsewhere.
fn walk_folder(
    root: &Path,
    folder: &Path,
    above: &mut Vec<(u64, u64)>,
    is_image: fn(&str) -> bool,
    found: &mut dyn FnMut(Result<Found, (String, ObjectsError)>) -> bool,
) -> bool {
    let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut entries = match entries {
        Ok(entries) => entries,
        Err(error) => return found(Err((folder.display().to_string(), error.into()))),
    };
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let metadata = match std::fs::metadata(&path) {
            Ok(metadata) => metadata,
            // A dangling link matters only if it would be an image.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !is_image(&path.to_string_lossy()) => {
                continue;
            }
            Err(error) => {
                if !found(Err((path.display().to_string(), error.into()))) {
                    return false;
                }
                continue;
            }
        };
        if metadata.is_dir() {
            let identity = (metadata.dev(), metadata.ino());
            let is_link = || entry.file_type().is_ok_and(|kind| kind.is_symlink());
            if above.contains(&identity)
                || above.len() >= DEEPEST
                || is_link() && is_astray(root, folder, &path)
            {
                continue;
            }
            above.push(identity);
            let go_on = walk_folder(root, &path, above, is_image, found);
            above.pop();
            if !go_on {
                return false;
            }
        } else if is_image(&path.to_string_lossy()) {
            let below = path
                .strip_prefix(root)
                .unwrap_or(&path)
                .to_string_lossy()
                .into_owned();
            if !found(describe(&path, below, &metadata)) {
                return false;
            }
        }
    }
    true
}

fn describe(file: &Path, path: String, metadata: &Metadata) -> Result<Found, (String, ObjectsError)> {
    let bad = |why: &str| (file.display().to_string(), ObjectsError::Invalid(why.into()));
    if file.to_str().is_none() {
        return Err(bad("its name is not UTF-8"));
    }
    let url = Url::from_file_path(file).map_err(|()| bad("its path is not absolute"))?;
    Ok(Found {
        url: url.into(),
        path,
        size: metadata.len(),
        etag: Some(etag(metadata)),
        modified: metadata.modified().ok().map(DateTime::<Utc>::from),
    })
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::symlink, time::SystemTime};

    use super::*;

    #[test]
    fn a_file_that_was_written_over_has_another_tag() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.fits");
        std::fs::write(&path, "one").unwrap();
        let before = LocalSource::open(path.clone()).unwrap();
        let written = std::fs::metadata(&path).unwrap().modified().unwrap();
        // The kernel's clock goes in steps of some milliseconds.
        while etag(&std::fs::metadata(&path).unwrap()) == before.etag {
            std::fs::write(&path, "two").unwrap();
            File::options()
                .write(true)
                .open(&path)
                .unwrap()
                .set_modified(written)
                .unwrap();
        }
        let after = std::fs::metadata(&path).unwrap();
        assert_eq!((after.len(), after.modified().unwrap()), (3, written));
        assert!(written <= SystemTime::now());
        assert!(matches!(
            read(&path, &before.etag, std::slice::from_ref(&(0..3))),
            Err(SourceError::Changed)
        ));
    }

    #[test]
    fn links_to_folders_are_followed_only_where_they_lead_elsewhere() {
        let place = tempfile::tempdir().unwrap();
        let at = |path: &str| place.path().join(path);
        for path in ["maps/2020", "beside", "disk/deep"] {
            std::fs::create_dir_all(at(path)).unwrap();
        }
        for path in ["maps/2020/a.fits", "beside/b.fits", "disk/deep/c.fits"] {
            std::fs::write(at(path), "x").unwrap();
        }
        symlink("..", at("maps/up")).unwrap();
        symlink("../..", at("maps/2020/upper")).unwrap();
        symlink("2020", at("maps/latest")).unwrap();
        symlink("../disk", at("maps/disk")).unwrap();
        symlink("../..", at("disk/deep/all")).unwrap();
        symlink("../disk/deep/c.fits", at("maps/alone.fits")).unwrap();
        let mut paths = Vec::new();
        walk(&at("maps"), |name| name.contains(".fits"), &mut |found| {
            paths.push(found.unwrap().path);
            true
        });
        assert_eq!(paths, ["2020/a.fits", "alone.fits", "disk/deep/c.fits"]);
    }
}
