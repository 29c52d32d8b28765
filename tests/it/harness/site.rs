//! A server of Sidereal over one back end, its neighbours over the same, and a client of it.

use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::process::Output;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::prefix::PrefixStore;
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, RequestBuilder, redirect};
use serde::de::DeserializeOwned;
use sidereal::store::Store;
use sqlx::{Connection, Executor, PgConnection, SqliteConnection};
use tempfile::TempDir;
use tokio::process::Command;
use url::Url;

use super::documents::Documents;
use super::postgres::Database;
use super::process::{Process, SIDEREAL, program};
use crate::s3::{BUCKET, S3Server};

/// What a server keeps its jobs and results in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// SQLite and a folder.
    Embedded,
    /// PostgreSQL and S3.
    Cluster,
}

/// The times of the engine, short enough for tests of crashes to be quick, long enough for a busy machine.
const TIMES: &[(&str, &str)] = &[
    ("SIDEREAL_ENGINE__HEARTBEAT", "0.3"),
    ("SIDEREAL_ENGINE__LEASE", "4"),
    ("SIDEREAL_ENGINE__SWEEP", "0.5"),
];

/// Only to end a test that would hang.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running server; derefs to its process. What it leaves goes with the last server of the same place.
pub struct Site {
    process: Process,
    place: Arc<Place>,
}

/// What servers share.
struct Place {
    documents: Documents,
    settings: Vec<(String, String)>,
    s3: Option<S3Server>,
    database: Option<Database>,
    folder: TempDir,
}

impl Site {
    pub async fn start(backend: Backend) -> Self {
        Self::start_with(backend, &[]).await
    }

    /// With settings of the environment, which later servers of this place have too.
    pub async fn start_with(backend: Backend, settings: &[(&str, &str)]) -> Self {
        let place = Arc::new(Place::new(backend, settings).await);
        Self {
            process: place.serve(&[]).await,
            place,
        }
    }

    /// One more server over the same database and objects.
    pub async fn replica(&self) -> Self {
        self.replica_with(&[]).await
    }

    /// One more server with settings of its own.
    pub async fn replica_with(&self, settings: &[(&str, &str)]) -> Self {
        Self {
            process: self.place.serve(settings).await,
            place: Arc::clone(&self.place),
        }
    }

    /// The program's other commands, in the same environment and asking this server.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().await.expect("the program")
    }

    /// The same, to be started by the test.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.place.command();
        command.args(arguments).env("SIDEREAL_SERVER", &self.address);
        command
    }

    /// The home of the person who gives these commands.
    pub fn home(&self) -> &Path {
        self.place.folder.path()
    }

    /// The database, to do something to it that the server is not told of.
    pub async fn store(&self) -> Store {
        let file = self.place.folder.path().join("data/sidereal.db");
        let url = match &self.place.database {
            Some(database) => database.url(),
            None => format!("sqlite://{}", file.display()),
        };
        Store::open(&url).await.expect("the database")
    }

    /// Where results are kept, to look for what should not be there.
    pub fn objects(&self) -> Arc<dyn ObjectStore> {
        let Some(s3) = &self.place.s3 else {
            let folder = self.place.folder.path().join("data/results");
            return Arc::new(LocalFileSystem::new_with_prefix(folder).expect("the folder of results"));
        };
        let mut bucket = AmazonS3Builder::new().with_bucket_name(BUCKET);
        for (name, value) in s3.environment() {
            bucket = bucket.with_config(name.to_lowercase().parse().expect("a setting of S3"), value);
        }
        Arc::new(PrefixStore::new(
            bucket.build().expect("a client of the bucket"),
            RESULTS,
        ))
    }

    /// The names of those objects.
    pub async fn object_names(&self) -> Vec<String> {
        let listed: Vec<_> = self
            .objects()
            .list(None)
            .try_collect()
            .await
            .expect("a list of objects");
        listed
            .into_iter()
            .map(|object| object.location.to_string())
            .collect()
    }

    /// Lists those objects until they are as wanted.
    pub async fn until_objects(&self, wanted: impl Fn(&[String]) -> bool) {
        let mut names = Vec::new();
        // Nothing tells of deletions; the lists leave the processor to the server.
        let mut turns = tokio::time::interval(Duration::from_millis(50));
        let listing = async {
            loop {
                turns.tick().await;
                names = self.object_names().await;
                if wanted(&names) {
                    return;
                }
            }
        };
        let done = tokio::time::timeout(PATIENCE, listing).await;
        assert!(done.is_ok(), "still {names:?}");
    }

    /// Waits by UWS's WAIT until the job is in this phase; fails if it ends in another.
    pub async fn wait(&self, job: &str, wanted: &str) {
        loop {
            let phase = self.get(&format!("{job}/phase")).await.expect(200).text();
            if phase == wanted {
                return;
            }
            let ended = ["COMPLETED", "ERROR", "ABORTED", "ARCHIVED"].contains(&phase.as_str());
            assert!(
                !ended,
                "{phase} instead of {wanted}: {}",
                self.get(job).await.text()
            );
            self.get(&format!("{job}?WAIT=50&PHASE={phase}"))
                .await
                .expect(200);
        }
    }

    /// The JSON form of a document.
    pub async fn get_json<T: DeserializeOwned>(&self, path: &str) -> T {
        let request = self
            .request(Method::GET, path)
            .header("Accept", "application/json");
        self.send(request).await.expect(200).json()
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(self.request(Method::GET, path)).await
    }

    /// A form; an empty one has no body.
    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Reply {
        let request = self.request(Method::POST, path);
        self.send(if form.is_empty() {
            request
        } else {
            request.form(form)
        })
        .await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// A request for a path of this server, or for a whole URL. Redirects are not followed.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = if path.starts_with('/') {
            format!("{}{path}", self.address)
        } else {
            path.to_owned()
        };
        client().request(method, url)
    }

    /// The answer, read to its end; if it is XML, it will be validated when the site ends.
    pub async fn send(&self, request: RequestBuilder) -> Reply {
        let reply = Reply::to(request).await;
        if !reply.body.is_empty() {
            self.place.documents.keep(
                &reply.origin,
                reply.header("content-type").unwrap_or_default(),
                &reply.body,
            );
        }
        reply
    }
}

impl Deref for Site {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl DerefMut for Site {
    fn deref_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}

/// The folder in the bucket.
const RESULTS: &str = "results";

fn results_in(s3: &S3Server) -> Vec<(String, String)> {
    let mut settings = s3.environment();
    settings.push(("SIDEREAL_RESULTS_URL".to_owned(), S3Server::url(RESULTS)));
    settings
}

impl Place {
    async fn new(backend: Backend, settings: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let (database, s3) = match backend {
            Backend::Embedded => (None, None),
            Backend::Cluster => (Some(Database::migrated().await), Some(S3Server::start().await)),
        };
        let mut all = vec![("SIDEREAL_LISTEN".to_owned(), "127.0.0.1:0".to_owned())];
        all.push((
            "SIDEREAL_DATA_DIR".to_owned(),
            folder.path().join("data").display().to_string(),
        ));
        all.extend(
            database
                .iter()
                .map(|database| ("SIDEREAL_DATABASE_URL".to_owned(), database.url())),
        );
        all.extend(s3.iter().flat_map(results_in));
        all.extend(
            TIMES
                .iter()
                .chain(settings)
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        Self {
            documents: Documents::default(),
            settings: all,
            s3,
            database,
            folder,
        }
    }

    async fn serve(&self, settings: &[(&str, &str)]) -> Process {
        let mut command = self.command();
        command.arg("serve").envs(settings.iter().copied());
        Process::start(command).await
    }

    /// The program, with nothing of this process's environment, in a folder without a settings file.
    fn command(&self) -> Command {
        let mut command = program(SIDEREAL, self.folder.path());
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// Changes rows of the database at this URL behind the server's back: tests cannot wait until they are old.
pub async fn rewrite(url: &str, sql: &str) {
    assert!(execute(url, sql).await > 0, "no row to rewrite");
}

/// Does something to the database at this URL behind the server's back; gives how many rows have changed.
pub async fn execute(url: &str, sql: &str) -> u64 {
    let sql = sqlx::AssertSqlSafe(sql.to_owned());
    if url.starts_with("sqlite:") {
        let mut connection = SqliteConnection::connect(url).await.expect("the database");
        connection.execute(sql).await.expect("an update").rows_affected()
    } else {
        let mut connection = PgConnection::connect(url).await.expect("the database");
        connection.execute(sql).await.expect("an update").rows_affected()
    }
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// Method and URL.
    pub origin: String,
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    /// Sends the request, and reads the answer to its end.
    pub async fn to(request: RequestBuilder) -> Self {
        let request = request.build().expect("a request");
        let origin = format!("{} {}", request.method(), request.url());
        let answer = client()
            .execute(request)
            .await
            .unwrap_or_else(|e| panic!("{origin}: {e:?}"));
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = answer.bytes().await.unwrap_or_else(|e| panic!("{origin}: {e:?}"));
        Self {
            origin,
            status,
            headers,
            body,
        }
    }

    /// Fails, with the body, if the status is another.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.origin, self.text());
        self
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .get(name)
            .map(|value| value.to_str().expect("a header in ASCII"))
    }

    /// What was asked for.
    pub fn url(&self) -> Url {
        let (_, url) = self.origin.split_once(' ').expect("a method and a URL");
        Url::parse(url).expect("a URL")
    }

    /// Where a redirect leads, as it is written.
    #[track_caller]
    pub fn location(&self) -> &str {
        self.header("location")
            .unwrap_or_else(|| panic!("{}: no Location in {self:?}", self.origin))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{}: {e} in {}", self.origin, self.text()))
    }
}

/// A client for this thread's runtime, which in a test is its own: connections do not outlive a runtime.
#[expect(
    clippy::disallowed_methods,
    reason = "a client of our own server, on loopback"
)]
pub(super) fn client() -> Client {
    thread_local! {
        static CLIENT: OnceLock<Client> = const { OnceLock::new() };
    }
    CLIENT.with(|client| {
        let build = || {
            Client::builder()
                .redirect(redirect::Policy::none())
                .no_proxy()
                .tls_certs_only([])
                // Only to end a test that would hang; WAIT takes up to 55 s.
                .timeout(Duration::from_mins(2))
                .build()
                .expect("a client")
        };
        client.get_or_init(build).clone()
    })
}
