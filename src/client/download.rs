//! Results to files: streamed, checked, and there under their names only when whole.

use std::path::{Path, PathBuf};

use futures::StreamExt;
use reqwest::Method;
use sha2::{Digest, Sha256};
use tokio::{fs, io::AsyncWriteExt};
use uuid::Uuid;

use super::{Client, ClientError, Job, JobAddress, Manifest};

/// Name of the manifest of a cutout job.
const MANIFEST: &str = "manifest.json";
/// Name of the result that repeats another.
const RESULT: &str = "result";

/// A result to be fetched, with what is known of its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download {
    /// Name of the result, and of the file.
    pub name: String,
    /// Size in bytes.
    pub size: Option<u64>,
    /// SHA-256 in hexadecimal.
    pub sha256: Option<String>,
}

impl Client {
    /// Every result of `job`, each once. A manifest adds checksums, and the files that the job document leaves out;
    /// beside it, `result` only repeats another.
    pub async fn downloads(&self, at: &JobAddress, job: &Job) -> Result<Vec<Download>, ClientError> {
        let mut downloads: Vec<Download> = job
            .results
            .iter()
            .map(|result| Download {
                name: result.id.clone(),
                size: result.size,
                sha256: None,
            })
            .collect();
        if downloads.iter().any(|download| download.name == MANIFEST) {
            downloads.retain(|download| download.name != RESULT);
            let manifest = self.json(self.result_request(at, MANIFEST)).await?;
            add_manifest(&mut downloads, manifest);
        }
        Ok(downloads)
    }

    /// Writes a result into `folder`, which is there, under its own name; gives the file's path. A file of that name is
    /// replaced only by a whole one.
    pub async fn fetch(
        &self,
        at: &JobAddress,
        download: &Download,
        folder: &Path,
    ) -> Result<PathBuf, ClientError> {
        let target = folder.join(file_name(&download.name)?);
        let part = folder.join(format!(".sidereal-{}.part", Uuid::now_v7()));
        let fetched = self.stream(at, download, &part).await;
        let moved = match fetched {
            Ok(()) => fs::rename(&part, &target).await.map_err(failed(&target)),
            Err(error) => Err(error),
        };
        if moved.is_err() {
            // It may not even have been made.
            let _ = fs::remove_file(&part).await;
        }
        moved.map(|()| target)
    }

    async fn stream(&self, at: &JobAddress, download: &Download, part: &Path) -> Result<(), ClientError> {
        let answer = self.send(self.result_request(at, &download.name)).await?;
        if !answer.status().is_success() {
            let reason = format!("{} for a result", answer.status());
            return Err(ClientError::strange(&answer, reason));
        }
        let mut file = fs::File::create_new(part).await.map_err(failed(part))?;
        let mut body = answer.bytes_stream();
        let (mut size, mut hash) = (0, Sha256::new());
        while let Some(bytes) = body.next().await {
            let bytes = bytes.map_err(ClientError::unreachable)?;
            size += bytes.len() as u64;
            hash.update(&bytes);
            file.write_all(&bytes).await.map_err(failed(part))?;
        }
        file.flush().await.map_err(failed(part))?;
        download.check(size, &hex::encode(hash.finalize()))
    }

    fn result_request(&self, at: &JobAddress, name: &str) -> reqwest::RequestBuilder {
        self.job_request(Method::GET, at, &["results", name])
            .header(reqwest::header::ACCEPT, "*/*")
    }
}

impl Download {
    fn check(&self, size: u64, sha256: &str) -> Result<(), ClientError> {
        let damaged = |reason| ClientError::Damaged {
            name: self.name.clone(),
            reason,
        };
        if let Some(expected) = self.size.filter(|expected| *expected != size) {
            return Err(damaged(format!("{size} bytes instead of {expected}")));
        }
        match &self.sha256 {
            Some(expected) if !expected.eq_ignore_ascii_case(sha256) => {
                Err(damaged(format!("SHA-256 is {sha256} instead of {expected}")))
            }
            _ => Ok(()),
        }
    }
}

fn add_manifest(downloads: &mut Vec<Download>, manifest: Manifest) {
    let mut places: std::collections::HashMap<String, usize> = downloads
        .iter()
        .enumerate()
        .map(|(place, download)| (download.name.clone(), place))
        .collect();
    for row in manifest.rows {
        let Some(name) = row.file.filter(|name| !name.is_empty()) else {
            continue;
        };
        if let Some(&place) = places.get(&name) {
            downloads[place].sha256 = row.sha256;
        } else {
            places.insert(name.clone(), downloads.len());
            downloads.push(Download {
                name,
                size: row.size,
                sha256: row.sha256,
            });
        }
    }
}

/// The name as a file's; one that would lie elsewhere or be hidden is refused.
fn file_name(name: &str) -> Result<&str, ClientError> {
    let plain = !name.is_empty()
        && !name.starts_with('.')
        && !name
            .chars()
            .any(|c| c.is_control() || matches!(c, '/' | '\\' | ':'));
    plain.then_some(name).ok_or_else(|| ClientError::Strange {
        url: "a result".into(),
        reason: format!("{name:?} cannot be the name of a file"),
    })
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> ClientError + use<> {
    let path = path.to_owned();
    |source| ClientError::File { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn download(name: &str, sha256: Option<&str>) -> Download {
        Download {
            name: name.into(),
            size: Some(3),
            sha256: sha256.map(str::to_owned),
        }
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        assert!(matches!(file_name("M13_g.fits"), Ok("M13_g.fits")));
        for name in [
            "", ".", "..", "../x", "/etc/x", "a/b", "a\\b", "C:x", ".bashrc", "a\nb",
        ] {
            assert!(file_name(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_manifest_adds_checksums_and_files() {
        let mut downloads = vec![download("manifest.json", None), download("a.fits", None)];
        let manifest = r#"{"job": "x", "rows": [
            {"file": "a.fits", "size": 3, "sha256": "aa", "status": "ok"},
            {"file": null, "status": "failed"},
            {"file": "b.fits", "size": 3, "sha256": "bb"}]}"#;
        add_manifest(&mut downloads, serde_json::from_str(manifest).unwrap());
        let expected = [
            download("manifest.json", None),
            download("a.fits", Some("aa")),
            download("b.fits", Some("bb")),
        ];
        assert_eq!(downloads, expected);
    }

    #[test]
    fn bytes_are_checked_by_size_and_sum() {
        assert!(download("a", None).check(3, "aa").is_ok());
        assert!(download("a", Some("AA")).check(3, "aa").is_ok());
        assert!(download("a", None).check(2, "aa").is_err());
        assert!(download("a", Some("bb")).check(3, "aa").is_err());
    }
}
