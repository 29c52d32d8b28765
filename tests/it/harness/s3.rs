//! An S3 server in this process, its objects in a temporary folder.

use std::sync::Arc;
use std::thread::JoinHandle;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const BUCKET: &str = "sidereal-test";
const KEY: &str = "tests";
const SECRET: &str = "only-for-tests";

/// Ends with this value.
pub struct S3 {
    endpoint: String,
    /// A thread and a runtime of its own, so that it answers while a test's thread waits for something else.
    server: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl S3 {
    /// A server with one empty bucket.
    pub fn start() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        std::fs::create_dir(folder.path().join(BUCKET)).expect("a bucket");
        let mut builder =
            S3ServiceBuilder::new(FileSystem::new(folder.path()).expect("a folder for objects"));
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let service = builder.build();

        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket for tokio");
        let endpoint = format!("http://{}", listener.local_addr().expect("its address"));
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("a socket");
                tokio::select! {
                    () = serve(listener, service) => {}
                    _ = stopped => {}
                }
            });
            drop(folder);
        });
        Self {
            endpoint,
            server: Some((stop, thread)),
        }
    }

    /// What a server's environment needs to use the bucket.
    pub fn settings(&self) -> Vec<(String, String)> {
        [
            ("SIDEREAL_RESULTS_URL", format!("s3://{BUCKET}/results")),
            ("AWS_ENDPOINT_URL", self.endpoint.clone()),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// The bucket, for a test to look into.
    pub fn bucket(&self) -> Arc<dyn ObjectStore> {
        let bucket = AmazonS3Builder::new()
            .with_bucket_name(BUCKET)
            .with_endpoint(&self.endpoint)
            .with_allow_http(true)
            .with_region("us-east-1")
            .with_access_key_id(KEY)
            .with_secret_access_key(SECRET)
            .build();
        Arc::new(bucket.expect("a client of the bucket"))
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.server.take() {
            drop(stop);
            let _ = thread.join();
        }
    }
}

async fn serve(listener: TcpListener, service: S3Service) {
    let http = Builder::new(TokioExecutor::new());
    loop {
        let (socket, _) = listener.accept().await.expect("a connection");
        let connection = http
            .serve_connection(TokioIo::new(socket), service.clone())
            .into_owned();
        // A client that goes away is its own affair.
        tokio::spawn(async move { drop(connection.await) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::TryStreamExt;
    use object_store::path::Path;
    use object_store::{ObjectStoreExt, PutPayload, WriteMultipart};

    #[tokio::test]
    async fn objects_are_kept_ranged_listed_and_deleted() {
        let server = S3::start();
        let bucket = server.bucket();
        let small = Path::from("results/a/1/manifest.json");
        bucket
            .put(&small, PutPayload::from_static(b"{\"rows\": []}"))
            .await
            .expect("put");
        assert_eq!(bucket.get_range(&small, 2..6).await.expect("range")[..], *b"rows");
        assert_eq!(bucket.head(&small).await.expect("head").size, 12);

        // Two parts: S3's are 5 MiB or more but for the last.
        let large = Path::from("results/a/1/image.fits");
        let mut upload = WriteMultipart::new(bucket.put_multipart(&large).await.expect("a multipart upload"));
        upload.write(&vec![1; 6 << 20]);
        upload.finish().await.expect("the upload's end");
        assert_eq!(bucket.head(&large).await.expect("head").size, 6 << 20);

        let listed: Vec<_> = bucket
            .list(Some(&Path::from("results")))
            .try_collect()
            .await
            .expect("list");
        assert_eq!(listed.len(), 2);
        bucket.delete(&small).await.expect("delete");
        assert!(matches!(
            bucket.head(&small).await,
            Err(object_store::Error::NotFound { .. })
        ));
    }
}
