//! Images that cutouts are taken from: finding them below a URL, and reading one.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use futures::{StreamExt, stream, stream::BoxStream};
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, path::Path};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::sync::{Mutex as AsyncMutex, mpsc};
use url::Url;

use super::{
    ObjectsError,
    coalesce::Meter,
    found::Found,
    gzip::{InflatedSource, Scratch, is_gzip},
    local::{LocalSource, is_gone, walk},
    place::{Place, connect},
    remote::RemoteSource,
    results::blocking,
};
use crate::fits::Source;

/// Names of images end so, in any case.
const ENDINGS: [&str; 5] = [".fits", ".fit", ".fts", ".fz", ".fits.gz"];

/// Bytes for images that are inflated, unless said otherwise.
const SCRATCH: u64 = 8 << 30;

/// What needs no escape in a segment of a URL's path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'.')
    .remove(b'-')
    .remove(b'_')
    .remove(b'~')
    .remove(b'+');

/// Opens images by URL: `file:`, `s3:`, `http:`, `https:`, or a path of this machine.
///
/// Keeps its connections; the URLs are the operator's, never a user's.
pub struct Sources {
    options: Vec<(String, String)>,
    scratch: Arc<Scratch>,
    stores: Mutex<HashMap<String, Arc<dyn ObjectStore>>>,
    /// What was seen of each store.
    meters: Mutex<HashMap<String, Arc<Meter>>>,
    /// Files that are being inflated, by URL and version.
    inflating: Mutex<HashMap<(String, String), Arc<Inflating>>>,
}

/// Held by who inflates a file; then what came of it, for those who waited.
type Inflating = AsyncMutex<Option<Result<Weak<InflatedSource>, String>>>;

impl Default for Sources {
    fn default() -> Self {
        Sources::with_options(Vec::new())
    }
}

impl Sources {
    /// The same with so many bytes of scratch for images that are compressed as a whole (`.gz`), in the system's folder
    /// for temporary files (TMPDIR).
    #[must_use]
    pub fn with_scratch(self, bytes: u64) -> Sources {
        Sources {
            scratch: Arc::new(Scratch::new(bytes)),
            ..self
        }
    }

    /// Whether images that are open take more than half of the scratch.
    pub fn is_crowded(&self) -> bool {
        self.scratch.is_crowded()
    }

    /// With names and values that stand for `AWS_…` variables and come before the environment's.
    pub fn with_options(options: Vec<(String, String)>) -> Sources {
        Sources {
            options,
            scratch: Arc::new(Scratch::new(SCRATCH)),
            stores: Mutex::default(),
            meters: Mutex::default(),
            inflating: Mutex::default(),
        }
    }

    /// Finds the FITS files below a folder's URL, or the one file that a URL names, whatever its name. What could not
    /// be looked at is an item too, with its URL.
    pub async fn find(&self, url: &str) -> BoxStream<'static, Result<Found, (String, ObjectsError)>> {
        let url = url.to_owned();
        let place = Place::parse(&url);
        match place {
            Ok(Place::Local(path)) => {
                let (sender, receiver) = mpsc::channel(256);
                let walking = tokio::task::spawn_blocking(move || {
                    walk(&path, is_image, &mut |found| sender.blocking_send(found).is_ok());
                });
                // What was found is not all if the walk has come to grief.
                let ended = stream::once(walking).filter_map(move |ended| {
                    let grief = ended.err().map(ObjectsError::unavailable);
                    std::future::ready(grief.map(|error| Err((url.clone(), error))))
                });
                stream::unfold(receiver, |mut receiver| async {
                    receiver.recv().await.map(|found| (found, receiver))
                })
                .chain(ended)
                .boxed()
            }
            Ok(Place::Remote { root, path }) => match self.store(&root) {
                Ok(store) => find_remote(store, root, path, url).await,
                Err(error) => failed(url, error),
            },
            Err(error) => failed(url, error),
        }
    }

    /// What the URLs of all that [`Sources::find`] finds below a URL begin with; `None` if it is not that of a folder.
    pub async fn below(&self, url: &str) -> Option<String> {
        let above = match Place::parse(url).ok()? {
            Place::Local(path) => {
                let folder = blocking(move || Ok(path.canonicalize()?)).await.ok()?;
                return Url::from_directory_path(folder).ok().map(String::from);
            }
            Place::Remote { root, path } if is_folder(&root, &path, url) => url_of(&root, &path),
            Place::Remote { .. } => return None,
        };
        Some(above + "/")
    }

    /// Whether a file that is not found any more is gone for good, as far as can be told.
    pub async fn is_gone(&self, url: &str) -> bool {
        match Place::parse(url) {
            Ok(Place::Local(path)) => blocking(move || Ok(is_gone(&path))).await.unwrap_or(false),
            Ok(Place::Remote { .. }) => true,
            Err(_) => false,
        }
    }

    /// Opens a file for reading by ranges, as it is now; one that is compressed as a whole (`.gz`) is inflated first.
    pub async fn open(&self, url: &str) -> Result<Arc<dyn Source>, ObjectsError> {
        let source = self.open_as_it_is(url).await?;
        if is_gzip(url) {
            return Ok(self.inflated(url, source).await?);
        }
        Ok(source)
    }

    /// A file that is compressed as a whole, inflated once for all who open the same version at the same time.
    async fn inflated(
        &self,
        url: &str,
        compressed: Arc<dyn Source>,
    ) -> Result<Arc<InflatedSource>, ObjectsError> {
        let Some(version) = compressed.etag().map(str::to_owned) else {
            return Ok(Arc::new(InflatedSource::open(compressed, &self.scratch).await?));
        };
        let inflating = {
            let mut all = self.inflating.lock().unwrap_or_else(PoisonError::into_inner);
            all.retain(|_, inflating| Arc::strong_count(inflating) > 1);
            Arc::clone(all.entry((url.to_owned(), version)).or_default())
        };
        // Whoever is next goes on if who inflates it is gone.
        let mut came = inflating.lock().await;
        match &*came {
            Some(Ok(source)) => {
                if let Some(source) = source.upgrade() {
                    return Ok(source);
                }
            }
            Some(Err(why)) => return Err(ObjectsError::Unusable(why.clone())),
            None => {}
        }
        let inflated = InflatedSource::open(compressed, &self.scratch)
            .await
            .map(Arc::new);
        *came = match &inflated {
            Ok(source) => Some(Ok(Arc::downgrade(source))),
            Err(ObjectsError::Unusable(why)) => Some(Err(why.clone())),
            // What keeps the store from answering one may be over for the next.
            Err(_) => None,
        };
        inflated
    }

    async fn open_as_it_is(&self, url: &str) -> Result<Arc<dyn Source>, ObjectsError> {
        match Place::parse(url)? {
            Place::Local(path) => Ok(Arc::new(blocking(move || LocalSource::open(path)).await?)),
            Place::Remote { root, path } => {
                let store = self.store(&root)?;
                let meter = self.meter(&root);
                Ok(Arc::new(RemoteSource::open(store, path, meter).await?))
            }
        }
    }

    fn meter(&self, root: &str) -> Arc<Meter> {
        let mut meters = self.meters.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(meters.entry(root.to_owned()).or_default())
    }

    fn store(&self, root: &str) -> Result<Arc<dyn ObjectStore>, ObjectsError> {
        let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = stores.get(root) {
            return Ok(store.clone());
        }
        let store = connect(root, &self.options)?;
        stores.insert(root.to_owned(), store.clone());
        Ok(store)
    }
}

fn is_image(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ENDINGS.iter().any(|ending| name.ends_with(ending))
}

fn failed(url: String, error: ObjectsError) -> BoxStream<'static, Result<Found, (String, ObjectsError)>> {
    stream::once(async { Err((url, error)) }).boxed()
}

/// A web server's URL is a file unless it ends with a slash; a key of S3 is one if it is named as one.
fn is_folder(root: &str, path: &Path, url: &str) -> bool {
    if root.starts_with("s3:") {
        !is_image(path.as_ref())
    } else {
        url.ends_with('/')
    }
}

async fn find_remote(
    store: Arc<dyn ObjectStore>,
    root: String,
    path: Path,
    url: String,
) -> BoxStream<'static, Result<Found, (String, ObjectsError)>> {
    if !is_folder(&root, &path, &url) {
        return match store.head(&path).await {
            Ok(meta) => {
                let name = path.filename().unwrap_or_default().to_owned();
                stream::once(async move { Ok(describe(&root, name, meta)) }).boxed()
            }
            Err(error) => failed(url, error.into()),
        };
    }
    let above = path.clone();
    store
        .list(Some(&path))
        .filter_map(move |found| {
            let item = match found {
                Ok(meta) if is_image(meta.location.as_ref()) => {
                    let below: Vec<_> = meta
                        .location
                        .prefix_match(&above)
                        .map(|parts| parts.map(|part| part.as_ref().to_owned()).collect())
                        .unwrap_or_default();
                    Some(Ok(describe(&root, below.join("/"), meta)))
                }
                Ok(_) => None,
                Err(error) => Some(Err((url.clone(), unlisted(&root, error.into())))),
            };
            async { item }
        })
        .boxed()
}

/// Says what listing takes, where it takes more than one would think.
fn unlisted(root: &str, error: ObjectsError) -> ObjectsError {
    match error {
        ObjectsError::Unavailable(error) if !root.starts_with("s3:") => ObjectsError::Unusable(format!(
            "a web server's folder is listed by WebDAV (PROPFIND), which this one did not answer: name the files \
             themselves ({error})"
        )),
        error => error,
    }
}

fn url_of(root: &str, location: &Path) -> String {
    if root.starts_with("s3:") {
        return format!("{root}/{location}").trim_end_matches('/').to_owned();
    }
    // As the server has to be asked for it.
    let mut url = String::from(root);
    for part in location.parts() {
        url.push('/');
        url.extend(utf8_percent_encode(part.as_ref(), SEGMENT));
    }
    url
}

fn describe(root: &str, path: String, meta: ObjectMeta) -> Found {
    Found {
        url: url_of(root, &meta.location),
        path,
        size: meta.size,
        etag: meta.e_tag,
        modified: Some(meta.last_modified),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        path::Path as FilePath,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use bytes::Bytes;
    use futures::TryStreamExt;
    use hyper::{Request, Response, body::Incoming, service::service_fn};
    use hyper_util::rt::TokioIo;

    use super::super::{
        Results,
        s3::{BUCKET, S3Server},
    };
    use super::*;
    use crate::fits::SourceError;

    #[tokio::test]
    async fn who_opens_a_compressed_file_at_once_shares_what_is_inflated() {
        use std::io::Write;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.fits.gz");
        let write = |bytes: &[u8]| {
            let file = std::fs::File::create(&path).unwrap();
            let mut file = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
            file.write_all(bytes).unwrap();
            file.finish().unwrap();
        };
        // There is room for one.
        let sources = Sources::default().with_scratch(150_000);
        let url = path.to_str().unwrap();
        write(&vec![7; 100_000]);
        let opened = futures::future::join_all((0..5).map(|_| sources.open(url))).await;
        let opened: Vec<_> = opened.into_iter().map(Result::unwrap).collect();
        for source in &opened {
            assert_eq!(read(&**source, 99_998..100_000).await.unwrap(), [7, 7][..]);
        }
        drop(opened);
        // Nobody is given what was there before.
        write(&vec![8; 90_000]);
        let again = sources.open(url).await.unwrap();
        assert_eq!(read(&*again, 0..2).await.unwrap(), [8, 8][..]);
        drop(again);
        // All are told the same.
        std::fs::write(&path, b"no gzip").unwrap();
        for refused in futures::future::join_all((0..3).map(|_| sources.open(url))).await {
            assert!(matches!(refused, Err(ObjectsError::Unusable(_))));
        }
    }

    #[test]
    fn images_are_known_by_their_names() {
        for name in ["a.fits", "B.FIT", "c.fts", "d.fits.fz", "e.fits.gz", "x/y.Fits"] {
            assert!(is_image(name), "{name}");
        }
        for name in ["a.txt", "fits", "a.fits.png", "a.gz"] {
            assert!(!is_image(name), "{name}");
        }
    }

    fn decoded(path: &str) -> String {
        percent_encoding::percent_decode_str(path)
            .decode_utf8_lossy()
            .into()
    }

    async fn read(source: &dyn Source, range: std::ops::Range<u64>) -> Result<Bytes, SourceError> {
        Ok(source.read(std::iter::once(range).collect()).await?.remove(0))
    }

    async fn found(sources: &Sources, url: &str) -> Vec<Found> {
        let mut found: Vec<Found> = sources
            .find(url)
            .await
            .map_err(|(url, error)| format!("{url}: {error}"))
            .try_collect()
            .await
            .unwrap();
        found.sort_by(|a, b| a.path.cmp(&b.path));
        found
    }

    fn paths(found: &[Found]) -> Vec<&str> {
        found.iter().map(|found| found.path.as_str()).collect()
    }

    /// What must hold wherever images lie: `write` replaces an image of the collection at `url`.
    async fn conforms<W, F>(sources: &Sources, url: &str, write: W)
    where
        W: Fn(&'static str, Bytes) -> F,
        F: Future<Output = ()>,
    {
        let pixels = Bytes::from((0..200_000_u32).map(|n| (n % 251) as u8).collect::<Vec<_>>());
        write("a.fits", pixels.clone()).await;
        write("deep/er/b c+d.fits.fz", Bytes::from_static(b"SIMPLE")).await;
        write("deep/notes.txt", Bytes::from_static(b"no image")).await;
        let all = found(sources, url).await;
        assert_eq!(paths(&all), ["a.fits", "deep/er/b c+d.fits.fz"]);
        assert_eq!((all[0].size, all[1].size), (200_000, 6));
        let below = sources.below(url).await.unwrap();
        for image in &all {
            assert_eq!(
                image.url.strip_prefix(&below).map(decoded),
                Some(image.path.clone())
            );
            let none = sources.below(&image.url).await;
            assert!(none.is_none_or(|below| !image.url.starts_with(&below)));
            let source = sources.open(&image.url).await.unwrap();
            assert_eq!(source.size(), image.size, "{}", image.url);
            // Not every store lists tags.
            assert!(
                image.etag.is_none() || source.etag() == image.etag.as_deref(),
                "{}",
                image.url
            );
            let alone = found(sources, &image.url).await;
            assert_eq!(alone.len(), 1);
            assert_eq!(
                (alone[0].url.as_str(), alone[0].etag.as_deref()),
                (image.url.as_str(), source.etag())
            );
            assert_eq!(alone[0].path, image.path.rsplit('/').next().unwrap());
        }

        let source = sources.open(&all[0].url).await.unwrap();
        let ranges = vec![
            0..1,
            1..10,
            500..501,
            400..600,
            150_000..150_010,
            199_999..200_000,
        ];
        let parts = source.read(ranges.clone()).await.unwrap();
        for (part, range) in parts.iter().zip(&ranges) {
            assert_eq!(
                part,
                &pixels.slice(range.start as usize..range.end as usize),
                "{range:?}"
            );
        }

        let mut other = pixels.to_vec();
        other[7] = 0;
        write("a.fits", other.into()).await;
        assert!(matches!(read(&*source, 0..10).await, Err(SourceError::Changed)));
        write("a.fits", Bytes::from_static(b"short")).await;
        assert!(matches!(
            read(&*source, 100_000..100_010).await,
            Err(SourceError::Changed | SourceError::Other(_))
        ));
        let again = sources.open(&all[0].url).await.unwrap();
        assert_eq!(read(&*again, 0..5).await.unwrap(), "short");
    }

    #[tokio::test]
    async fn a_folder_conforms() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &'static str, bytes: Bytes| {
            let path = folder.path().join(path);
            async move {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, bytes).unwrap();
            }
        };
        let path = folder.path().to_str().unwrap();
        conforms(&Sources::default(), path, write).await;
        let url = format!("file://{path}");
        assert_eq!(found(&Sources::default(), &url).await.len(), 2);
    }

    #[tokio::test]
    async fn s3_conforms() {
        let server = S3Server::start().await;
        let results = Results::open_with(&S3Server::url("maps"), &server.environment()).unwrap();
        let write = |path: &'static str, bytes: Bytes| {
            let results = results.clone();
            async move {
                results.put_bytes(path, "application/fits", bytes).await.unwrap();
            }
        };
        let sources = Sources::with_options(server.environment());
        conforms(&sources, &format!("s3://{BUCKET}/maps/"), write).await;
        let missing = sources.open(&S3Server::url("maps/none.fits")).await;
        assert!(matches!(missing, Err(ObjectsError::NotFound)));
    }

    #[tokio::test]
    async fn links_do_not_lead_in_circles_and_what_is_missing_is_told() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("sub/up")).unwrap();
        std::os::unix::fs::symlink("nowhere", folder.path().join("sub/lost.fits")).unwrap();
        std::fs::write(folder.path().join("sub/a.fits"), "x").unwrap();
        std::os::unix::fs::symlink("a.fits", folder.path().join("sub/b.fits")).unwrap();
        let items: Vec<_> = Sources::default()
            .find(folder.path().to_str().unwrap())
            .await
            .collect()
            .await;
        let good: Vec<_> = items.iter().flatten().map(|found| found.path.as_str()).collect();
        assert_eq!(good, ["sub/a.fits", "sub/b.fits"]);
        let bad: Vec<_> = items.iter().filter_map(|item| item.as_ref().err()).collect();
        assert!(bad.len() == 1 && bad[0].0.ends_with("lost.fits"), "{bad:?}");
        let missing = folder.path().join("missing");
        let items: Vec<_> = Sources::default()
            .find(missing.to_str().unwrap())
            .await
            .collect()
            .await;
        assert!(matches!(items[..], [Err((_, ObjectsError::NotFound))]));
    }

    /// A web server of one file, whose tag is weak and changes after `versions` requests.
    async fn web_server(file: &'static FilePath, served: Arc<AtomicUsize>, changes_at: usize) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answer = move |request: Request<Incoming>| {
            let count = served.fetch_add(1, Ordering::Relaxed);
            async move {
                let all = b"0123456789";
                let tag = if count < changes_at {
                    "W/\"one\""
                } else {
                    "W/\"two\""
                };
                let response = Response::builder()
                    .header("ETag", tag)
                    .header("Accept-Ranges", "bytes");
                let missing = request.uri().path() != file.to_str().unwrap();
                // As RFC 9110 section 13.1.1 has it for weak tags.
                let refused = request.headers().contains_key("If-Match");
                let range = request
                    .headers()
                    .get("Range")
                    .map(|range| range.to_str().unwrap().to_owned());
                let response = match range {
                    _ if missing => response.status(404).body(String::new()),
                    _ if refused => response.status(412).body(String::new()),
                    None => {
                        response
                            .header("Content-Length", all.len())
                            .body(if request.method() == "HEAD" {
                                String::new()
                            } else {
                                String::from_utf8_lossy(all).into()
                            })
                    }
                    Some(range) => {
                        let (start, end) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
                        let (start, end): (usize, usize) = (start.parse().unwrap(), end.parse().unwrap());
                        let end = end.min(all.len() - 1);
                        response
                            .status(206)
                            .header("Content-Range", format!("bytes {start}-{end}/{}", all.len()))
                            .body(String::from_utf8_lossy(&all[start..=end]).into())
                    }
                };
                Ok::<_, Infallible>(response.unwrap())
            }
        };
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let answer = answer.clone();
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(socket), service_fn(answer)),
                );
            }
        });
        format!("http://{address}")
    }

    /// A web server of pages and files that knows neither ranges nor `WebDAV`.
    async fn simple_server() -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answer = async |request: Request<Incoming>| {
            let response = Response::builder().header("Last-Modified", "Sat, 21 Nov 2026 00:00:00 GMT");
            let response = match request.method().as_str() {
                "GET" | "HEAD" => response.body(String::from("0123456789")),
                _ => response
                    .status(501)
                    .body("<!DOCTYPE HTML><html><p>Unsupported</p></html>".into()),
            };
            Ok::<_, Infallible>(response.unwrap())
        };
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(socket), service_fn(answer)),
                );
            }
        });
        format!("http://{address}")
    }

    #[tokio::test]
    async fn a_web_server_that_cannot_be_read_from_is_told_what_it_lacks() {
        let server = simple_server().await;
        let sources = Sources::default();
        let opened = sources.open(&format!("{server}/a.fits")).await;
        let why = opened.err().expect("it knows no ranges").to_string();
        assert!(why.contains("ranges"), "{why}");
        let listed: Vec<_> = sources.find(&format!("{server}/maps/")).await.collect().await;
        let [Err((_, error))] = &listed[..] else {
            panic!("{listed:?}");
        };
        let why = error.to_string();
        assert!(
            why.contains("WebDAV") && why.contains("501") && !why.contains('<'),
            "{why}"
        );
    }

    #[tokio::test]
    async fn a_file_of_a_web_server_is_read_and_watched_by_a_weak_tag() {
        let requests = Arc::new(AtomicUsize::new(0));
        let server = web_server(FilePath::new("/some/a%20b.fits"), requests, 3).await;
        let sources = Sources::default();
        let all = found(&sources, &format!("{server}/some/a%20b.fits")).await;
        assert_eq!(paths(&all), ["a b.fits"]);
        assert_eq!(all[0].url, format!("{server}/some/a%20b.fits"));
        let source = sources.open(&format!("{server}/some/a%20b.fits")).await.unwrap();
        assert_eq!(source.size(), 10);
        assert_eq!(source.read(vec![0..2, 5..6]).await.unwrap(), ["01", "5"]);
        assert!(matches!(read(&*source, 0..2).await, Err(SourceError::Changed)));
        let missing = sources.open(&format!("{server}/other.fits")).await;
        assert!(matches!(missing, Err(ObjectsError::NotFound)));
    }
}
