//! Pages of the catalogue that may hold what a SIA query asks for.

use std::{collections::HashMap, vec};

use super::sia::Query;
use crate::store::{Catalogued, CollectionId, ImageFilter, ImageId, Store, StoreError};

/// Images of a page.
const PAGE: usize = 500;

/// The images to look at more closely, a page at a time.
pub struct Search {
    names: HashMap<CollectionId, String>,
    left: Left,
}

enum Left {
    /// These alone.
    Listed(Vec<Catalogued>),
    /// Those of these numbers: what the index of cells has for the positions.
    Met(vec::IntoIter<ImageId>),
    /// All that the filter takes, from the first after a number.
    All(ImageFilter, Option<ImageId>),
}

impl Search {
    /// Begins a search.
    pub async fn begin(store: &Store, query: &Query) -> Result<Search, StoreError> {
        let all = store.collections().await?;
        let wanted = |name: &str| {
            query.collections.is_empty()
                || query
                    .collections
                    .iter()
                    .any(|wanted| wanted.eq_ignore_ascii_case(name))
        };
        let mut filter = ImageFilter::default();
        let mut names = HashMap::new();
        for collection in all.into_iter().filter(|collection| wanted(&collection.name)) {
            filter.collections.push(collection.id);
            names.insert(collection.id, collection.name);
        }
        let left = if query.nothing || names.is_empty() {
            Left::Listed(Vec::new())
        } else if query.ids.is_empty() {
            filter.wavelengths.clone_from(&query.bands);
            filter.times.clone_from(&query.times);
            filter.pol_states.clone_from(&query.states);
            if query.positions.is_empty() {
                Left::All(filter, None)
            } else {
                let met = store.images_at(&filter, &query.footprints()).await?;
                let ids: Vec<ImageId> = met.images().map(|(id, _)| id).collect();
                Left::Met(ids.into_iter())
            }
        } else {
            let mut listed: Vec<Catalogued> = Vec::new();
            for (name, path) in &query.ids {
                let Some((id, _)) = names.iter().find(|(_, known)| *known == name) else {
                    continue;
                };
                let found = store.image(*id, path).await?;
                listed.extend(found.filter(|found| listed.iter().all(|other| other.id != found.id)));
            }
            Left::Listed(listed)
        };
        Ok(Search { names, left })
    }

    /// The next images with the names of their collections; none when all have been given.
    pub async fn next(&mut self, store: &Store) -> Result<vec::IntoIter<(String, Catalogued)>, StoreError> {
        let page = match &mut self.left {
            Left::Listed(images) => std::mem::take(images),
            Left::Met(ids) => {
                let ids: Vec<ImageId> = ids.take(PAGE).collect();
                store.images_of(&ids).await?
            }
            Left::All(filter, after) => {
                let page = store.images(filter, *after, PAGE as u64).await?;
                *after = page.last().map(|last| last.id).or(*after);
                page
            }
        };
        let named = |found: Catalogued| Some((self.names.get(&found.collection)?.clone(), found));
        Ok(page.into_iter().filter_map(named).collect::<Vec<_>>().into_iter())
    }
}
