//! Puts the files of a product where they are read: what a page needs before it, and what no page needs any more away.

use bytes::Bytes;
use futures::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture, stream};

use super::files::{File, Pages};
use crate::{
    objects::{Caching, ObjectsError, Results},
    store::Published,
};

/// Questions to the store at a time.
const AT_ONCE: usize = 8;
/// For what changes.
const FRESH: &str = "no-cache";
/// For what is named by its content.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// Where a product is published.
pub struct Publication<'a> {
    /// The store.
    pub results: &'a Results,
    /// Its folder there.
    pub folder: String,
    /// What caches know it by.
    pub surrogate_key: Option<&'a str>,
}

/// What there is after files were replaced.
pub struct Replaced {
    /// Names of the files.
    pub files: Vec<String>,
    /// Names of files that no page names any more, but pages in caches may.
    pub retired: Vec<String>,
    /// How many bytes were put.
    pub bytes: usize,
}

impl Publication<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    /// Whether all these files are there, as far as their sizes tell.
    pub async fn are_there(&self, files: &[File]) -> Result<bool, ObjectsError> {
        let looks: Vec<_> = files.iter().map(|file| self.is_there(file).boxed()).collect();
        let mut looks = stream::iter(looks).buffer_unordered(AT_ONCE);
        while let Some(is_there) = looks.try_next().await? {
            if !is_there {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn is_there(&self, file: &File) -> Result<bool, ObjectsError> {
        match self.results.head(&self.key(&file.name)).await {
            Ok(meta) => Ok(meta.size == file.body.len() as u64),
            Err(ObjectsError::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Puts those of `all` files that are wanted in their place, one after the other, and takes away what `before` had
    /// and nobody needs. `check` says before each that is not named by its content whether that may still be done.
    pub async fn replace<'c, E: From<ObjectsError>>(
        &self,
        all: &[File],
        wanted: Pages,
        before: &Published,
        check: impl Fn() -> BoxFuture<'c, Result<(), E>>,
    ) -> Result<Replaced, E> {
        let mut bytes = 0;
        for file in all.iter().filter(|file| wanted.have(&file.name)) {
            if !File::is_asset(&file.name) {
                check().await?;
            }
            let caching = Caching {
                control: if File::is_asset(&file.name) {
                    FOR_EVER
                } else {
                    FRESH
                },
                surrogate_key: self.surrogate_key,
            };
            let body: Bytes = file.body.clone();
            bytes += body.len();
            self.results
                .put_file(&self.key(&file.name), file.media_type, caching, body)
                .await?;
        }
        let is_new = |name: &&String| all.iter().all(|file| file.name != **name);
        let (mut retired, old): (Vec<String>, Vec<String>) = before
            .files
            .iter()
            .filter(is_new)
            .cloned()
            .partition(|name| File::is_asset(name));
        // Pages that are not wanted now stay as they are, and so does what they may need.
        let (mut gone, kept): (Vec<String>, Vec<String>) =
            old.into_iter().partition(|name| wanted.have(name));
        let forgotten: Vec<String> = before
            .retired
            .iter()
            .filter(is_new)
            .filter(|name| !retired.contains(name))
            .cloned()
            .collect();
        if wanted == Pages::ALL {
            gone.extend(forgotten);
        } else {
            retired.extend(forgotten);
        }
        for name in &gone {
            check().await?;
            self.results.delete(&self.key(name)).await?;
        }
        let files = all.iter().map(|file| file.name.clone()).chain(kept);
        Ok(Replaced {
            files: files.collect(),
            retired,
            bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::services::dashboard::files::HTML;

    const CSS: &str = "text/css; charset=utf-8";

    fn file(name: &str, media_type: &'static str) -> File {
        File {
            name: name.into(),
            media_type,
            body: Bytes::copy_from_slice(name.as_bytes()),
        }
    }

    fn store() -> (tempfile::TempDir, Results) {
        let folder = tempfile::tempdir().unwrap();
        let url = url::Url::from_directory_path(folder.path()).unwrap();
        let results = Results::open(url.as_str()).unwrap();
        (folder, results)
    }

    fn publication(results: &Results) -> Publication<'_> {
        Publication {
            results,
            folder: "dashboards/pipes".into(),
            surrogate_key: None,
        }
    }

    async fn there(results: &Results, name: &str) -> bool {
        results.head(&format!("dashboards/pipes/{name}")).await.is_ok()
    }

    #[tokio::test]
    async fn who_may_not_write_any_more_writes_no_further_page() {
        let (_folder, results) = store();
        let files = [
            file("_dashboard/a.css", CSS),
            file("v/index.html", HTML),
            file("builds/index.html", HTML),
        ];
        let checks = Cell::new(0);
        let check = || -> BoxFuture<'static, Result<(), ObjectsError>> {
            checks.set(checks.get() + 1);
            let is_first = checks.get() == 1;
            Box::pin(async move { is_first.then_some(()).ok_or(ObjectsError::NotFound) })
        };
        let before = Published {
            files: vec!["builds/page-2.html".into()],
            ..Published::default()
        };
        let replaced = publication(&results)
            .replace(&files, Pages::ALL, &before, check)
            .await;
        assert!(matches!(replaced, Err(ObjectsError::NotFound)));
        assert!(there(&results, "v/index.html").await);
        assert!(!there(&results, "builds/index.html").await);
    }

    #[tokio::test]
    async fn pages_that_are_not_wanted_stay_with_their_style() {
        const MAY: fn() -> BoxFuture<'static, Result<(), ObjectsError>> = || Box::pin(async { Ok(()) });
        let (_folder, results) = store();
        let publication = publication(&results);
        let first = [
            file("_dashboard/a.css", CSS),
            file("v/index.html", HTML),
            file("builds/index.html", HTML),
            file("builds/page-2.html", HTML),
        ];
        let all = publication
            .replace(&first, Pages::ALL, &Published::default(), MAY)
            .await;
        let mut before = Published {
            files: all.unwrap().files,
            ..Published::default()
        };
        let editions = Pages {
            editions: true,
            builds: false,
        };
        for style in ["_dashboard/b.css", "_dashboard/c.css"] {
            let now = [
                file(style, CSS),
                file("v/index.html", HTML),
                file("builds/index.html", HTML),
            ];
            let some = publication.replace(&now, editions, &before, MAY).await.unwrap();
            (before.files, before.retired) = (some.files, some.retired);
            for name in ["builds/page-2.html", "_dashboard/a.css", style] {
                assert!(there(&results, name).await, "{name} after {style}");
            }
        }
        let last = [file("_dashboard/c.css", CSS), file("builds/index.html", HTML)];
        publication
            .replace(&last, Pages::ALL, &before, MAY)
            .await
            .unwrap();
        for name in ["builds/page-2.html", "v/index.html", "_dashboard/a.css"] {
            assert!(!there(&results, name).await, "{name}");
        }
    }
}
