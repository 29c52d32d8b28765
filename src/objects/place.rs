//! What a URL of a folder, bucket or file stands for, and clients of the stores behind them.

use std::{path::PathBuf, sync::Arc, time::Duration};

use object_store::{
    BackoffConfig, ClientOptions, ObjectStore, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    http::HttpBuilder,
    path::Path,
};
use url::Url;

use super::ObjectsError;

/// Longest silence of a store. There is no limit of a whole transfer, since a slow client may take its time.
const SILENCE: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(5);

/// Where a URL points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// A folder or file of this machine.
    Local(PathBuf),
    /// Below a bucket of S3 or the root of a web server.
    Remote {
        /// `s3://bucket` or `http(s)://host[:port]`.
        root: String,
        /// Below it.
        path: Path,
    },
}

impl Place {
    /// Reads `file:`, `s3:`, `http:` and `https:` URLs; any other text is a path of this machine.
    pub(super) fn parse(text: &str) -> Result<Place, ObjectsError> {
        let invalid = |why: &str| ObjectsError::Invalid(format!("{text:?} {why}"));
        let Some((scheme, _)) = text.split_once(':').filter(|(scheme, _)| {
            // One letter is a drive, and a path may contain a colon.
            scheme.len() > 1 && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+')
        }) else {
            return Ok(Place::Local(PathBuf::from(text)));
        };
        let url = Url::parse(text).map_err(|error| invalid(&format!("is not a URL: {error}")))?;
        match scheme.to_ascii_lowercase().as_str() {
            "file" => {
                let path = url
                    .to_file_path()
                    .map_err(|()| invalid("is not the URL of a file of this machine"))?;
                Ok(Place::Local(path))
            }
            "s3" | "s3a" => {
                let bucket = url
                    .host_str()
                    .ok_or_else(|| invalid("names no bucket (expected s3://BUCKET/PREFIX)"))?;
                // Keys of S3 are taken as they are written, not decoded.
                let key = text.splitn(4, '/').nth(3).unwrap_or_default();
                Ok(Place::Remote {
                    root: format!("s3://{bucket}"),
                    path: Path::parse(key.trim_end_matches('/')).map_err(object_store::Error::from)?,
                })
            }
            scheme @ ("http" | "https") => {
                if url.query().is_some() || !url.username().is_empty() || url.password().is_some() {
                    return Err(invalid("has a query or credentials, which are not taken"));
                }
                let host = url.host_str().ok_or_else(|| invalid("names no host"))?;
                let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
                let path = Path::from_url_path(url.path()).map_err(object_store::Error::from)?;
                Ok(Place::Remote {
                    root: format!("{scheme}://{host}{port}"),
                    path,
                })
            }
            _ => Err(invalid("is neither a path nor a file:, s3:, http: or https: URL")),
        }
    }
}

/// A client of a bucket or web server. `options` are the names of the `AWS_…` variables, which come before the
/// environment's.
pub(super) fn connect(
    root: &str,
    options: &[(String, String)],
) -> Result<Arc<dyn ObjectStore>, ObjectsError> {
    let client = ClientOptions::new()
        .with_timeout_disabled()
        .with_read_timeout(SILENCE)
        .with_connect_timeout(CONNECT);
    if !root.starts_with("s3:") {
        let store = HttpBuilder::new()
            .with_url(root)
            .with_client_options(client.with_allow_http(true))
            .with_retry(retry())
            .build()?;
        return Ok(Arc::new(store));
    }
    // Options of the client first: the environment may allow plain HTTP or name a proxy.
    let mut builder = AmazonS3Builder::new().with_client_options(client);
    #[expect(
        clippy::disallowed_methods,
        reason = "the AWS_ variables are every S3 client's, not settings of ours"
    )]
    let environment = std::env::vars().filter(|(name, _)| name.starts_with("AWS_"));
    for (name, value) in environment.chain(options.iter().cloned()) {
        if let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    Ok(Arc::new(builder.with_url(root).with_retry(retry()).build()?))
}

/// Short: whoever waits for a store would rather be told.
fn retry() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(2),
            base: 2.0,
        },
        max_retries: 3,
        retry_timeout: Duration::from_secs(10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(root: &str, path: &str) -> Place {
        Place::Remote {
            root: root.into(),
            path: Path::from(path),
        }
    }

    #[test]
    fn urls_and_paths_are_told_apart() {
        for (text, place) in [
            ("/data/maps", Place::Local("/data/maps".into())),
            ("maps/a:b.fits", Place::Local("maps/a:b.fits".into())),
            ("file:///data/a%20b.fits", Place::Local("/data/a b.fits".into())),
            ("s3://bucket", remote("s3://bucket", "")),
            ("s3://bucket/a/b.fits", remote("s3://bucket", "a/b.fits")),
            ("s3://bucket/a/", remote("s3://bucket", "a")),
            (
                "https://host:8443/x/y.fits",
                remote("https://host:8443", "x/y.fits"),
            ),
        ] {
            assert_eq!(Place::parse(text).unwrap(), place, "{text}");
        }
        for text in [
            "ftp://host/x",
            "s3:///x",
            "http://host/x?y=1",
            "http://me@host/x",
            "s3://bucket/a/../b",
        ] {
            assert!(
                matches!(Place::parse(text), Err(ObjectsError::Invalid(_))),
                "{text}"
            );
        }
    }
}
