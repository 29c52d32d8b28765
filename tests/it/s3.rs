//! An S3 server inside the test process, over a folder of its own. The crate's unit tests use it too.

use std::{net::SocketAddr, thread::JoinHandle};

use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use s3s::{
    auth::SimpleAuth,
    service::{S3Service, S3ServiceBuilder},
};
use tempfile::TempDir;
use tokio::{net::TcpListener, runtime, sync::oneshot};

/// The one bucket that it has.
pub const BUCKET: &str = "sidereal";
const ACCESS_KEY: &str = "test-access";
const SECRET_KEY: &str = "test-secret";

/// Stops and forgets its objects when it is dropped.
pub struct S3Server {
    address: SocketAddr,
    folder: TempDir,
    /// A thread and a runtime of its own, so that it answers while a test's thread waits for something else.
    server: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl S3Server {
    /// Listens on a free port of the loopback interface.
    pub async fn start() -> S3Server {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join(BUCKET)).expect("a bucket");
        let files = s3s_fs::FileSystem::new(folder.path()).expect("a folder of objects");
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let service = service.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let listener = listener.into_std().expect("a socket");
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let listener = TcpListener::from_std(listener).expect("a socket");
                tokio::select! {
                    () = serve(listener, service) => {}
                    _ = stopped => {}
                }
            });
        });
        S3Server {
            address,
            folder,
            server: Some((stop, thread)),
        }
    }

    /// `s3://BUCKET/prefix`.
    pub fn url(prefix: &str) -> String {
        format!("s3://{BUCKET}/{prefix}")
    }

    /// The `AWS_…` variables with which it is reached.
    pub fn environment(&self) -> Vec<(String, String)> {
        [
            ("AWS_ENDPOINT_URL", format!("http://{}", self.address).as_str()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ALLOW_HTTP", "true"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    /// Names of what it keeps beside finished objects: parts of uploads that were neither finished nor taken back.
    pub fn unfinished(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).expect("the folder of the server");
        entries
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .filter(|name| name.contains("upload_id") || name.contains("upload-"))
            .collect()
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.server.take() {
            drop(stop);
            // Its folder goes next.
            let _ = thread.join();
        }
    }
}

async fn serve(listener: TcpListener, service: S3Service) {
    while let Ok((socket, _)) = listener.accept().await {
        let service = service.clone();
        tokio::spawn(async move {
            let connection = Builder::new(TokioExecutor::new());
            // A client that goes away is its own affair.
            let _ = connection.serve_connection(TokioIo::new(socket), service).await;
        });
    }
}
