//! Results and uploads of jobs, in a folder or a bucket.

use std::{
    io,
    ops::Range,
    path::PathBuf,
    sync::{Arc, LazyLock},
};

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use futures::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream, FuturesUnordered},
};
use object_store::{
    Attribute, Attributes, GetOptions, GetRange, GetResultPayload, MultipartUpload, ObjectStore,
    ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, local::LocalFileSystem, path::Path,
};
use sha2::{Digest, Sha256};
use tokio_util::{io::ReaderStream, sync::CancellationToken};

use super::{
    ObjectsError,
    place::{Place, connect},
    written::written,
};

/// Bytes of a part of a multipart upload, at least; an object that is no larger is put at once.
const PART: usize = 8 << 20;
/// Parts that an object has at most if its size is known: S3 takes 10,000.
const MOST_PARTS: u64 = 9_000;
/// Parts that are on their way at the same time.
const PARTS_IN_FLIGHT: usize = 3;
/// From this size on, a digest is not worked out on a thread of the runtime.
const HASH_ELSEWHERE: usize = 256 << 10;
/// How long a cache that can be told to forget a file keeps it.
const SURROGATE_CONTROL: &str = "max-age=31536000";
/// Bytes that are read of a local file at a time.
const CHUNK: usize = 256 << 10;

/// Where results and uploads of jobs are kept: a folder, or a bucket below a prefix.
///
/// Keys are relative, `{job}/{fence}/{name}` and `{job}/in/{name}`; one that is absolute, or has `.`, `..`, empty
/// segments or control characters, is [`ObjectsError::Invalid`].
#[derive(Debug, Clone)]
pub struct Results {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    /// The folder, if it is one.
    folder: Option<PathBuf>,
}

/// What was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Bytes.
    pub size: u64,
    /// Hexadecimal digest of them.
    pub sha256: String,
}

/// What caches are to know of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caching<'a> {
    /// `Cache-Control` for browsers.
    pub control: &'a str,
    /// What a cache before the bucket is told to forget it by; it keeps it for long.
    pub surrogate_key: Option<&'a str>,
}

/// What is known of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Bytes of the whole object.
    pub size: u64,
    /// Entity tag, in its quotes.
    pub etag: Option<String>,
    /// When it was written.
    pub modified: DateTime<Utc>,
}

/// An object that is being read.
pub struct Object {
    /// Bytes of the whole object.
    pub size: u64,
    /// Entity tag, in its quotes.
    pub etag: Option<String>,
    /// When it was written.
    pub modified: DateTime<Utc>,
    /// The bytes that `body` gives.
    pub range: Range<u64>,
    /// The bytes.
    pub body: BoxStream<'static, Result<Bytes, ObjectsError>>,
}

impl Results {
    /// A folder (`file:` URL or path, made if it is not there) or `s3://bucket/prefix`, whose endpoint and
    /// credentials are the environment's `AWS_…`.
    pub fn open(url: &str) -> Result<Results, ObjectsError> {
        Results::open_with(url, &[])
    }

    /// Like [`Results::open`], with names and values that stand for `AWS_…` variables and come before them.
    pub fn open_with(url: &str, options: &[(String, String)]) -> Result<Results, ObjectsError> {
        match Place::parse(url)? {
            Place::Local(folder) => {
                std::fs::create_dir_all(&folder)?;
                let folder = folder.canonicalize()?;
                let store = LocalFileSystem::new_with_prefix(&folder)?;
                Ok(Results {
                    store: Arc::new(store),
                    prefix: Path::default(),
                    folder: Some(folder),
                })
            }
            Place::Remote { root, path } if root.starts_with("s3:") => Ok(Results {
                store: connect(&root, options)?,
                prefix: path,
                folder: None,
            }),
            Place::Remote { .. } => Err(ObjectsError::Invalid(format!(
                "{url:?} cannot hold results (expected a folder or s3://BUCKET/PREFIX)"
            ))),
        }
    }

    /// Whether it can be written, read and listed: writes and removes a small object.
    pub async fn probe(&self) -> Result<(), ObjectsError> {
        // One place a process: a probe that is cut off leaves something that the next one removes.
        static PLACE: LazyLock<uuid::Uuid> = LazyLock::new(uuid::Uuid::now_v7);
        let prefix = format!("probe-{}/", *PLACE);
        let key = format!("{prefix}0/probe");
        self.put_bytes(&key, "text/plain", Bytes::from_static(b"probe"))
            .await?;
        let read = self.read(&key, 16).await;
        let removed = self.delete_prefix(&prefix).await?;
        if read? != "probe" || removed != 1 {
            return Err(ObjectsError::unavailable(
                "it does not give back what was written",
            ));
        }
        Ok(())
    }

    /// Stores a stream under `key`, replacing what was there; nothing of it is seen before all of it is stored. Beyond
    /// 8 MiB it goes up in parts, which have been taken back when the stream's error is given, and are if the future is
    /// dropped. `size` is about how many bytes there will be, if that is known: without it a bucket takes 78 GiB.
    pub async fn put(
        &self,
        key: &str,
        media_type: &str,
        size: Option<u64>,
        mut body: BoxStream<'_, io::Result<Bytes>>,
    ) -> Result<Stored, ObjectsError> {
        let path = self.path(key)?;
        let part_size = part_of(size.unwrap_or(0));
        let mut digest = Digester::default();
        let mut part = Vec::new();
        let mut gathered = 0;
        let mut upload: Option<Multipart> = None;
        while let Some(next) = body.next().await {
            let mut bytes = match next {
                Ok(bytes) => bytes,
                Err(error) => {
                    // What is stored next under the key, as by another try, must not meet what is left of this one.
                    if let Some(upload) = upload {
                        upload.take_back().await;
                    }
                    return Err(ObjectsError::unavailable(error));
                }
            };
            digest.update(bytes.clone()).await?;
            while gathered + bytes.len() >= part_size {
                part.push(bytes.split_to(part_size - gathered));
                let whole = PutPayload::from_iter(std::mem::take(&mut part));
                gathered = 0;
                let upload = match &mut upload {
                    Some(upload) => upload,
                    none => none.insert(self.multipart(&path, media_type).await?),
                };
                upload.push(whole).await?;
            }
            gathered += bytes.len();
            if !bytes.is_empty() {
                part.push(bytes);
            }
        }
        let rest = PutPayload::from_iter(part);
        match upload {
            None => self.put_whole(&path, media_type, rest).await?,
            Some(mut upload) => {
                if gathered > 0 {
                    upload.push(rest).await?;
                }
                upload.finish().await?;
            }
        }
        Ok(digest.finish())
    }

    /// Stores bytes under `key`, replacing what was there.
    pub async fn put_bytes(&self, key: &str, media_type: &str, body: Bytes) -> Result<Stored, ObjectsError> {
        if body.len() > PART {
            let size = Some(body.len() as u64);
            let parts = stream::iter(chunks(body).map(Ok)).boxed();
            return self.put(key, media_type, size, parts).await;
        }
        let path = self.path(key)?;
        let mut digest = Digester::default();
        digest.update(body.clone()).await?;
        self.put_whole(&path, media_type, body.into()).await?;
        Ok(digest.finish())
    }

    /// Stores a file that is read by its URL. Folders keep nothing but its bytes.
    pub async fn put_file(
        &self,
        key: &str,
        media_type: &str,
        caching: Caching<'_>,
        body: Bytes,
    ) -> Result<(), ObjectsError> {
        let mut attributes = self.attributes(media_type);
        if self.folder.is_none() {
            attributes.insert(Attribute::CacheControl, caching.control.to_owned().into());
            if let Some(key) = caching.surrogate_key {
                let metadata = |name: &'static str| Attribute::Metadata(name.into());
                attributes.insert(metadata("surrogate-key"), key.to_owned().into());
                attributes.insert(metadata("surrogate-control"), SURROGATE_CONTROL.into());
            }
        }
        let options = PutOptions {
            attributes,
            ..PutOptions::default()
        };
        self.store
            .put_opts(&self.path(key)?, body.into(), options)
            .await?;
        Ok(())
    }

    /// Stores the bytes that `make` makes, parts that follow one another; it is called on a thread on which it may take
    /// its time. Their digest is worked out there too.
    pub async fn put_made<F>(&self, key: &str, media_type: &str, make: F) -> Result<Stored, ObjectsError>
    where
        F: FnOnce() -> Vec<Bytes> + Send + 'static,
    {
        let path = self.path(key)?;
        let digested = move || {
            let parts = make();
            let mut digest = Digester::default();
            for part in &parts {
                digest.add(part);
            }
            (parts, digest.finish())
        };
        if let Some(folder) = &self.folder {
            let file = folder.join(path.as_ref());
            let dropped = CancellationToken::new();
            let _guard = dropped.clone().drop_guard();
            // Written on the thread that has its bytes in the cache: object_store would have another one do it.
            return blocking(move || {
                let (parts, stored) = digested();
                // What nobody waits for any more may have been deleted already.
                if !dropped.is_cancelled() {
                    write_file(&file, &parts)?;
                }
                Ok(stored)
            })
            .await;
        }
        let (parts, stored) = blocking(move || Ok(digested())).await?;
        if stored.size <= PART as u64 {
            self.put_whole(&path, media_type, PutPayload::from_iter(parts))
                .await?;
            return Ok(stored);
        }
        let body = stream::iter(parts.into_iter().flat_map(chunks).map(Ok)).boxed();
        self.put(key, media_type, Some(stored.size), body).await
    }

    /// Stores what `write` writes, as [`Results::put`] does; it is called on a thread on which it may take its time, and
    /// waits where storing is slower.
    pub async fn put_written<F>(&self, key: &str, media_type: &str, write: F) -> Result<Stored, ObjectsError>
    where
        F: FnOnce(&mut dyn io::Write) -> io::Result<()> + Send + 'static,
    {
        self.put(key, media_type, None, written(write)).await
    }

    /// Copies an object under another key, within the store; again is no error. Either may go without the other.
    pub async fn copy(&self, from: &str, to: &str) -> Result<(), ObjectsError> {
        self.store.copy(&self.path(from)?, &self.path(to)?).await?;
        Ok(())
    }

    /// Reads an object, or the part of `range` that it has; [`ObjectsError::Unavailable`] if it has none of it.
    pub async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<Object, ObjectsError> {
        let options = GetOptions {
            range: range.map(GetRange::Bounded),
            ..GetOptions::default()
        };
        let found = self.store.get_opts(&self.path(key)?, options).await?;
        let (meta, range) = (found.meta.clone(), found.range.clone());
        let body = match found.payload {
            // Larger pieces than object_store's, each of which goes through the pool of blocking threads.
            GetResultPayload::File(file, _) => local_body(file, range.clone()).await?,
            GetResultPayload::Stream(body) => body.map_err(ObjectsError::from).boxed(),
        };
        Ok(Object {
            size: meta.size,
            etag: meta.e_tag,
            modified: meta.last_modified,
            range,
            body,
        })
    }

    /// What is known of an object, without reading it.
    pub async fn head(&self, key: &str) -> Result<ObjectMeta, ObjectsError> {
        let meta = self.store.head(&self.path(key)?).await?;
        Ok(ObjectMeta {
            size: meta.size,
            etag: meta.e_tag,
            modified: meta.last_modified,
        })
    }

    /// The whole of an object of at most `limit` bytes; a larger one is [`ObjectsError::Invalid`].
    pub async fn read(&self, key: &str, limit: u64) -> Result<Bytes, ObjectsError> {
        let mut object = self.get(key, None).await?;
        if object.size > limit {
            return Err(ObjectsError::Invalid(format!(
                "object of {} bytes, at most {limit} are read",
                object.size
            )));
        }
        let mut bytes = BytesMut::with_capacity(object.size as usize);
        while let Some(piece) = object.body.try_next().await? {
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes.freeze())
    }

    /// Removes every object below `prefix` (`{job}/` or `{job}/{fence}/`) and answers how many there were. Of a folder
    /// the directories go too, and that of the job once it is empty. Again is no error.
    pub async fn delete_prefix(&self, prefix: &str) -> Result<u64, ObjectsError> {
        let trimmed = prefix.strip_suffix('/').unwrap_or(prefix);
        let path = self.path(trimmed)?;
        if let Some(folder) = &self.folder {
            let directory = folder.join(trimmed);
            let parent = trimmed.rsplit_once('/').map(|(parent, _)| folder.join(parent));
            return blocking(move || remove_tree(&directory, parent.as_deref())).await;
        }
        let found = self.store.list(Some(&path)).map_ok(|meta| meta.location).boxed();
        let removed = self.store.delete_stream(found);
        Ok(removed
            .try_fold(0, |count, _| async move { Ok(count + 1) })
            .await?)
    }

    /// Removes one object. Again is no error.
    pub async fn delete(&self, key: &str) -> Result<(), ObjectsError> {
        match self.store.delete(&self.path(key)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The first segments of all keys, which are the jobs.
    pub async fn jobs(&self) -> BoxStream<'static, Result<String, ObjectsError>> {
        self.names_below(self.prefix.clone()).await
    }

    /// The second segments of the keys of a job, which are its fences and `in`.
    pub async fn children(&self, job: &str) -> BoxStream<'static, Result<String, ObjectsError>> {
        match self.path(job.strip_suffix('/').unwrap_or(job)) {
            Ok(path) => self.names_below(path).await,
            Err(error) => stream::once(async { Err(error) }).boxed(),
        }
    }

    async fn names_below(&self, path: Path) -> BoxStream<'static, Result<String, ObjectsError>> {
        match self.store.list_with_delimiter(Some(&path)).await {
            Ok(found) => {
                let names = found.common_prefixes.into_iter();
                stream::iter(names.filter_map(|path| path.filename().map(|name| Ok(name.to_owned())))).boxed()
            }
            Err(error) => stream::once(async { Err(error.into()) }).boxed(),
        }
    }

    fn path(&self, key: &str) -> Result<Path, ObjectsError> {
        let bad = key.is_empty()
            || key.len() > 1_000
            || key.starts_with('/')
            || key.ends_with('/')
            || key.contains(['\\', '#'])
            || key.chars().any(char::is_control);
        let path = Path::parse(key);
        match path {
            Ok(path) if !bad => Ok(self.prefix.parts().chain(path.parts()).collect()),
            _ => Err(ObjectsError::Invalid(format!(
                "{key:?} cannot be the key of an object"
            ))),
        }
    }

    /// Folders keep no media type; the database has it.
    fn attributes(&self, media_type: &str) -> Attributes {
        if self.folder.is_some() {
            return Attributes::default();
        }
        Attributes::from_iter([(Attribute::ContentType, media_type.to_owned())])
    }

    async fn put_whole(
        &self,
        path: &Path,
        media_type: &str,
        payload: PutPayload,
    ) -> Result<(), ObjectsError> {
        let options = PutOptions {
            attributes: self.attributes(media_type),
            ..PutOptions::default()
        };
        self.store.put_opts(path, payload, options).await?;
        Ok(())
    }

    async fn multipart(&self, path: &Path, media_type: &str) -> Result<Multipart, ObjectsError> {
        let options = PutMultipartOptions {
            attributes: self.attributes(media_type),
            ..PutMultipartOptions::default()
        };
        let upload = self.store.put_multipart_opts(path, options).await?;
        Ok(Multipart {
            upload: Some(upload),
            parts: FuturesUnordered::new(),
        })
    }
}

/// An upload in parts, taken back unless it is finished.
struct Multipart {
    upload: Option<Box<dyn MultipartUpload>>,
    parts: FuturesUnordered<object_store::UploadPart>,
}

impl Multipart {
    async fn push(&mut self, payload: PutPayload) -> Result<(), ObjectsError> {
        while self.parts.len() >= PARTS_IN_FLIGHT {
            self.parts.try_next().await?;
        }
        if let Some(upload) = &mut self.upload {
            self.parts.push(upload.put_part(payload));
        }
        Ok(())
    }

    async fn finish(mut self) -> Result<(), ObjectsError> {
        while self.parts.try_next().await?.is_some() {}
        if let Some(upload) = &mut self.upload {
            upload.complete().await?;
        }
        self.upload = None;
        Ok(())
    }

    /// Returns once nothing of it is left; goes on if the future is dropped.
    async fn take_back(mut self) {
        let Some(upload) = self.upload.take() else {
            return;
        };
        let parts = std::mem::take(&mut self.parts);
        // A task that panics is told of by the runtime.
        let _ = tokio::spawn(abort(upload, parts)).await;
    }
}

impl Drop for Multipart {
    fn drop(&mut self) {
        let Some(upload) = self.upload.take() else {
            return;
        };
        let parts = std::mem::take(&mut self.parts);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(abort(upload, parts));
        }
    }
}

async fn abort(mut upload: Box<dyn MultipartUpload>, parts: FuturesUnordered<object_store::UploadPart>) {
    // A part that the store is still taking would outlive the abort.
    parts.for_each(|_| std::future::ready(())).await;
    if let Err(error) = upload.abort().await {
        tracing::warn!(%error, "the parts of an unfinished upload could not be removed");
    }
}

/// Bytes of the parts of an object of about so many bytes.
fn part_of(size: u64) -> usize {
    usize::try_from(size.div_ceil(MOST_PARTS))
        .unwrap_or(usize::MAX)
        .max(PART)
}

/// Bytes that [`Results::put`] holds of a stream of about `size` bytes whose pieces have up to `piece`: the part that it
/// gathers and those on their way, each with all of the pieces that it is of.
pub fn held_of_upload(size: u64, piece: u64) -> u64 {
    let part = (part_of(size) as u64).max(piece);
    part.saturating_mul(PARTS_IN_FLIGHT as u64 + 1)
}

/// SHA-256 of what goes by.
#[derive(Default)]
struct Digester {
    hash: Sha256,
    size: u64,
}

impl Digester {
    async fn update(&mut self, bytes: Bytes) -> Result<(), ObjectsError> {
        if bytes.len() < HASH_ELSEWHERE {
            self.add(&bytes);
            return Ok(());
        }
        self.size += bytes.len() as u64;
        let mut hash = std::mem::take(&mut self.hash);
        self.hash = blocking(move || {
            hash.update(&bytes);
            Ok(hash)
        })
        .await?;
        Ok(())
    }

    fn add(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        self.hash.update(bytes);
    }

    fn finish(self) -> Stored {
        Stored {
            size: self.size,
            sha256: hex::encode(self.hash.finalize()),
        }
    }
}

/// Writes a file that is seen once it is whole, as `object_store` does; makes the folders above it. A key has
/// one writer.
fn write_file(path: &std::path::Path, parts: &[Bytes]) -> Result<(), ObjectsError> {
    let mut staged = path.as_os_str().to_owned();
    staged.push("#1");
    let staged = PathBuf::from(staged);
    let create = || std::fs::File::create(&staged);
    let written = create()
        .or_else(|error| match (error.kind(), path.parent()) {
            (io::ErrorKind::NotFound, Some(folder)) => {
                std::fs::create_dir_all(folder)?;
                create()
            }
            _ => Err(error),
        })
        .and_then(|mut file| {
            parts
                .iter()
                .try_for_each(|part| io::Write::write_all(&mut file, part))
        })
        .and_then(|()| std::fs::rename(&staged, path));
    if written.is_err() {
        // What was written of it is of no use.
        let _ = std::fs::remove_file(&staged);
    }
    Ok(written?)
}

fn chunks(mut bytes: Bytes) -> impl Iterator<Item = Bytes> {
    std::iter::from_fn(move || {
        let piece = bytes.split_to(bytes.len().min(PART));
        (!piece.is_empty()).then_some(piece)
    })
}

async fn local_body(
    file: std::fs::File,
    range: Range<u64>,
) -> Result<BoxStream<'static, Result<Bytes, ObjectsError>>, ObjectsError> {
    use tokio::io::{AsyncReadExt, AsyncSeekExt};
    let mut file = tokio::fs::File::from_std(file);
    file.set_max_buf_size(CHUNK);
    file.seek(io::SeekFrom::Start(range.start)).await?;
    let length = range.end - range.start;
    Ok(ReaderStream::with_capacity(file.take(length), CHUNK)
        .map_err(ObjectsError::from)
        .boxed())
}

/// Removes a directory and, if that leaves it empty, its parent; answers how many files there were.
fn remove_tree(directory: &std::path::Path, parent: Option<&std::path::Path>) -> Result<u64, ObjectsError> {
    let count = match count_files(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        other => other?,
    };
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => other?,
    }
    if let Some(parent) = parent {
        // Another fence of the job may be in it.
        let _ = std::fs::remove_dir(parent);
    }
    Ok(count)
}

fn count_files(directory: &std::path::Path) -> io::Result<u64> {
    let mut count = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        count += if entry.file_type()?.is_dir() {
            count_files(&entry.path())?
        } else {
            1
        };
    }
    Ok(count)
}

/// Stands for the name of a result where half a million of them are kept; two names share it as good as never.
pub fn digest_of_name(name: &str) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&Sha256::digest(name)[..16]);
    short
}

/// Runs what blocks or computes on a thread that may.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ObjectsError> + Send + 'static,
) -> Result<T, ObjectsError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(ObjectsError::unavailable)?
}

#[cfg(test)]
mod tests {
    use super::super::s3::S3Server;
    use super::*;

    /// Everything that is asked of a store; run over a folder and over S3.
    async fn conforms(results: &Results) {
        results.probe().await.unwrap();
        reads_what_was_written(results).await;
        large_streams_go_up_in_parts(results).await;
        what_is_not_there_is_not_found(results).await;
        bad_keys_are_refused(results).await;
        what_is_made_is_stored(results).await;
        one_object_is_deleted(results).await;
        prefixes_are_listed_and_deleted(results).await;
        failed_streams_leave_nothing(results).await;
    }

    async fn what_is_made_is_stored(results: &Results) {
        let key = "job/7/100% a?+b.fits";
        for (parts, sha256) in [
            (
                vec!["hel", "lo"],
                "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
            ),
            (
                vec!["hi"],
                "8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4",
            ),
        ] {
            let whole = parts.concat();
            let parts = parts.into_iter().map(Bytes::from).collect();
            let stored = results
                .put_made(key, "application/fits", move || parts)
                .await
                .unwrap();
            assert_eq!((stored.size, &*stored.sha256), (whole.len() as u64, sha256));
            assert_eq!(results.read(key, 10).await.unwrap(), whole);
        }
        let large: Vec<Bytes> = vec![Bytes::from(vec![7; 5 << 20]); 2];
        let stored = results.put_made(key, "application/fits", || large).await.unwrap();
        assert_eq!(
            (stored.size, results.head(key).await.unwrap().size),
            (10 << 20, 10 << 20)
        );
        assert_eq!(results.delete_prefix("job/7/").await.unwrap(), 1);
    }

    async fn reads_what_was_written(results: &Results) {
        let stored = results
            .put_bytes("job/1/a+b.fits", "application/fits", Bytes::from_static(b"hello"))
            .await
            .unwrap();
        assert_eq!(stored.size, 5);
        assert_eq!(
            stored.sha256,
            "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
        );
        let head = results.head("job/1/a+b.fits").await.unwrap();
        assert_eq!(head.size, 5);
        let tag = head.etag.clone().unwrap();
        assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
        let object = results.get("job/1/a+b.fits", Some(1..3)).await.unwrap();
        assert_eq!(
            (object.size, object.range.clone(), object.etag.clone()),
            (5, 1..3, head.etag)
        );
        assert_eq!(collect(object).await, "el");
        let tail = results.get("job/1/a+b.fits", Some(3..100)).await.unwrap();
        assert_eq!(tail.range, 3..5);
        assert_eq!(results.read("job/1/a+b.fits", 5).await.unwrap(), "hello");
        assert!(matches!(
            results.read("job/1/a+b.fits", 4).await,
            Err(ObjectsError::Invalid(_))
        ));
        results
            .put_bytes(
                "job/1/a+b.fits",
                "application/fits",
                Bytes::from_static(b"other!"),
            )
            .await
            .unwrap();
        assert_eq!(results.read("job/1/a+b.fits", 10).await.unwrap(), "other!");
        let empty = results
            .put_bytes("job/1/empty", "text/plain", Bytes::new())
            .await
            .unwrap();
        assert_eq!(empty.size, 0);
        assert_eq!(results.read("job/1/empty", 10).await.unwrap(), "");
        results.delete_prefix("job/").await.unwrap();
    }

    async fn large_streams_go_up_in_parts(results: &Results) {
        let piece = Bytes::from((0..1_000_003_u32).map(|n| (n % 251) as u8).collect::<Vec<_>>());
        let body = stream::iter((0..20).map(|_| Ok(piece.clone()))).boxed();
        let stored = results
            .put("big/1/x", "application/octet-stream", None, body)
            .await
            .unwrap();
        let expected: Vec<u8> = (0..20).flat_map(|_| piece.to_vec()).collect();
        assert_eq!(stored.size, expected.len() as u64);
        assert_eq!(stored.sha256, hex::encode(Sha256::digest(&expected)));
        let read = results.read("big/1/x", u64::MAX).await.unwrap();
        assert!(read == expected);
        let at_once = results
            .put_bytes("big/1/y", "application/octet-stream", expected.into())
            .await
            .unwrap();
        assert_eq!(at_once, stored);
        assert_eq!(results.head("big/1/y").await.unwrap().size, stored.size);
        assert_eq!(results.delete_prefix("big/1/").await.unwrap(), 2);
    }

    async fn what_is_not_there_is_not_found(results: &Results) {
        assert!(matches!(
            results.head("no/1/x").await,
            Err(ObjectsError::NotFound)
        ));
        assert!(matches!(
            results.get("no/1/x", None).await,
            Err(ObjectsError::NotFound)
        ));
        assert!(matches!(
            results.get("no/1/x", Some(0..1)).await,
            Err(ObjectsError::NotFound)
        ));
        assert_eq!(results.delete_prefix("no/").await.unwrap(), 0);
    }

    async fn bad_keys_are_refused(results: &Results) {
        for key in [
            "",
            "/etc/passwd",
            "../x",
            "job/../../x",
            "job//x",
            "job/./x",
            "job/",
            "job/a\nb",
            "job/a\\b",
            "x#1",
        ] {
            let put = results.put_bytes(key, "text/plain", Bytes::new()).await;
            assert!(matches!(put, Err(ObjectsError::Invalid(_))), "{key:?}");
            assert!(
                matches!(results.get(key, None).await, Err(ObjectsError::Invalid(_))),
                "{key:?}"
            );
        }
        for prefix in ["", "/", "../", "job/../"] {
            let deleted = results.delete_prefix(prefix).await;
            assert!(matches!(deleted, Err(ObjectsError::Invalid(_))), "{prefix:?}");
        }
    }

    async fn one_object_is_deleted(results: &Results) {
        for key in ["one/in/a", "one/in/ab"] {
            results.put_bytes(key, "text/plain", Bytes::new()).await.unwrap();
        }
        for _ in 0..2 {
            results.delete("one/in/a").await.unwrap();
            assert!(matches!(
                results.head("one/in/a").await,
                Err(ObjectsError::NotFound)
            ));
        }
        results.head("one/in/ab").await.unwrap();
        assert!(matches!(
            results.delete("one/../two").await,
            Err(ObjectsError::Invalid(_))
        ));
        results.delete_prefix("one/").await.unwrap();
    }

    async fn prefixes_are_listed_and_deleted(results: &Results) {
        for key in ["one/1/a", "one/1/b", "one/2/c", "one/in/POSITIONS", "onemore/1/x"] {
            results
                .put_bytes(key, "text/plain", Bytes::from_static(b"x"))
                .await
                .unwrap();
        }
        assert_eq!(names(results.jobs().await).await, ["one", "onemore"]);
        assert_eq!(names(results.children("one/").await).await, ["1", "2", "in"]);
        assert_eq!(results.delete_prefix("one/1/").await.unwrap(), 2);
        assert_eq!(names(results.children("one").await).await, ["2", "in"]);
        assert_eq!(results.delete_prefix("one/").await.unwrap(), 2);
        assert_eq!(results.delete_prefix("one/").await.unwrap(), 0);
        assert_eq!(results.read("onemore/1/x", 1).await.unwrap(), "x");
        assert_eq!(results.delete_prefix("onemore/1/").await.unwrap(), 1);
        assert_eq!(names(results.jobs().await).await, [""; 0]);
    }

    async fn failed_streams_leave_nothing(results: &Results) {
        let piece = Bytes::from(vec![7; PART]);
        let body = stream::iter([Ok(piece.clone()), Ok(piece), Err(io::Error::other("gone"))]).boxed();
        assert!(results.put("failed/1/x", "text/plain", None, body).await.is_err());
        assert!(matches!(
            results.head("failed/1/x").await,
            Err(ObjectsError::NotFound)
        ));
        results.delete_prefix("failed/").await.unwrap();
    }

    async fn collect(object: Object) -> Bytes {
        object.body.try_collect::<BytesMut>().await.unwrap().freeze()
    }

    async fn names(found: BoxStream<'static, Result<String, ObjectsError>>) -> Vec<String> {
        let mut names: Vec<String> = found.try_collect().await.unwrap();
        names.sort();
        names
    }

    #[tokio::test]
    async fn a_folder_conforms_and_keeps_no_empty_directories() {
        let folder = tempfile::tempdir().unwrap();
        let results = Results::open(folder.path().join("results").to_str().unwrap()).unwrap();
        conforms(&results).await;
        let left = std::fs::read_dir(folder.path().join("results")).unwrap().count();
        assert_eq!(left, 0);
    }

    #[tokio::test]
    async fn s3_conforms() {
        let server = S3Server::start().await;
        conforms(&Results::open_with(&S3Server::url("some/prefix"), &server.environment()).unwrap()).await;
        conforms(&Results::open_with(&S3Server::url(""), &server.environment()).unwrap()).await;
    }

    #[tokio::test]
    async fn a_dropped_upload_is_taken_back() {
        let server = S3Server::start().await;
        let results = Results::open_with(&S3Server::url("x"), &server.environment()).unwrap();
        let started = tokio::sync::Notify::new();
        let pieces = stream::iter((0..4).map(|_| Ok(Bytes::from(vec![7; PART]))));
        let endless = pieces.chain(stream::once(async {
            started.notify_one();
            futures::future::pending().await
        }));
        let put = results.put("job/1/x", "text/plain", None, endless.boxed());
        tokio::select! {
            _ = put => panic!("the stream never ends"),
            () = started.notified() => {}
        }
        assert!(!server.unfinished().is_empty(), "the test does not see parts");
        // The parts are removed by a task of its own, which nothing waits for.
        let removed = async {
            while !server.unfinished().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_mins(1), removed)
            .await
            .expect("the parts are removed");
        assert!(matches!(
            results.head("job/1/x").await,
            Err(ObjectsError::NotFound)
        ));
    }

    #[tokio::test]
    async fn a_failed_stream_has_left_nothing_when_that_is_told() {
        let fails = || {
            let pieces = (0..8).map(|_| Ok(Bytes::from(vec![7; PART])));
            stream::iter(pieces.chain([Err(io::Error::other("gone"))])).boxed()
        };
        let server = S3Server::start().await;
        let bucket = Results::open_with(&S3Server::url("x"), &server.environment()).unwrap();
        assert!(bucket.put("job/1/x", "text/plain", None, fails()).await.is_err());
        assert_eq!(server.unfinished(), [""; 0]);
        let folder = tempfile::tempdir().unwrap();
        let results = Results::open(folder.path().to_str().unwrap()).unwrap();
        assert!(results.put("job/1/x", "text/plain", None, fails()).await.is_err());
        assert_eq!(std::fs::read_dir(folder.path().join("job/1")).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn parts_grow_with_what_is_stored() {
        let least = PART as u64;
        assert_eq!([0, 1, MOST_PARTS * least].map(part_of), [PART; 3]);
        for size in [MOST_PARTS * least + 1, 78 << 30, 5 << 40] {
            let part = part_of(size) as u64;
            assert!(
                part >= least && size.div_ceil(part) <= MOST_PARTS,
                "{size}: {part}"
            );
            assert_eq!(held_of_upload(size, 1), 4 * part);
        }
        assert_eq!(held_of_upload(1, 3 * least), 12 * least);
        // What is not yet a part is not sent as one.
        let server = S3Server::start().await;
        let results = Results::open_with(&S3Server::url("x"), &server.environment()).unwrap();
        let gathered = std::sync::Mutex::new(None);
        let pieces = stream::iter((0..2).map(|_| Ok(Bytes::from(vec![7; PART]))));
        let last = stream::once(async {
            *gathered.lock().unwrap() = Some(server.unfinished());
            Ok(Bytes::from_static(b"end"))
        });
        let size = Some(3 * MOST_PARTS * least);
        let body = pieces.chain(last).boxed();
        let stored = results.put("job/1/x", "text/plain", size, body).await.unwrap();
        assert_eq!(stored.size, 2 * least + 3);
        assert_eq!(gathered.into_inner().unwrap(), Some(Vec::new()));
    }

    #[test]
    fn results_are_not_kept_behind_a_web_server() {
        assert!(matches!(
            Results::open("https://host/x"),
            Err(ObjectsError::Invalid(_))
        ));
    }
}
