//! Puts the files of a product where they are read: what a page needs before it, and what no page needs any more away.

use bytes::Bytes;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};

use super::files::File;
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

    /// Puts `some` of `all` files in their place, one after the other, and takes away what `before` had and nobody needs.
    pub async fn replace(
        &self,
        some: &[&File],
        all: &[File],
        before: &Published,
    ) -> Result<Replaced, ObjectsError> {
        for file in some {
            let caching = Caching {
                control: if File::is_asset(&file.name) {
                    FOR_EVER
                } else {
                    FRESH
                },
                surrogate_key: self.surrogate_key,
            };
            let body: Bytes = file.body.clone();
            self.results
                .put_file(&self.key(&file.name), file.media_type, caching, body)
                .await?;
        }
        let is_new = |name: &&String| all.iter().all(|file| file.name != **name);
        let (retired, gone): (Vec<String>, Vec<String>) = before
            .files
            .iter()
            .filter(is_new)
            .cloned()
            .partition(|name| File::is_asset(name));
        let forgotten = before
            .retired
            .iter()
            .filter(is_new)
            .filter(|name| !retired.contains(name));
        for name in gone.iter().chain(forgotten) {
            self.results.delete(&self.key(name)).await?;
        }
        Ok(Replaced {
            files: all.iter().map(|file| file.name.clone()).collect(),
            retired,
        })
    }
}
