//! What Keeper does not call for: products that could not be done are tried again, and from time to time all products
//! are looked at.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use tokio::{task::JoinHandle, time};
use tokio_util::sync::CancellationToken;

use super::{Dashboard, execute, fetch::Fetcher, publish::Publication};
use crate::{
    engine::Service,
    jobs::{Debounce, Errand, Jobs, JobsError},
    store::{ProductId, StoreError},
    uws::{ParameterValue, Parameters},
};

/// Between two looks at what is due.
const LOOK: Duration = Duration::from_secs(1);
/// Products that are tried again at a time.
const RETRIES: u64 = 100;
/// Products that are looked at at a time.
const AT_ONCE: usize = 4;

/// Why something was not looked at; the next time will tell.
#[derive(Debug, thiserror::Error)]
enum WatchError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Jobs(#[from] JobsError),
}

/// Watches until `stop`.
pub fn watch(dashboard: Arc<Dashboard>, jobs: Jobs, stop: CancellationToken) -> JoinHandle<()> {
    let retrying = {
        let (dashboard, jobs) = (Arc::clone(&dashboard), jobs.clone());
        async move {
            loop {
                time::sleep(LOOK).await;
                if let Err(error) = retry(&dashboard, &jobs).await {
                    tracing::warn!(%error, "failed dashboards not looked at");
                }
                if let Err(error) = find_lost(&dashboard).await {
                    tracing::warn!(%error, "lost calls not looked for");
                }
            }
        }
    };
    // Beside the other, since a slow Keeper takes its time.
    let sweeping = async move {
        loop {
            time::sleep(LOOK).await;
            for fetcher in dashboard.fetchers() {
                if let Err(error) = sweep_in_turn(&dashboard, &jobs, fetcher).await {
                    tracing::warn!(%error, keeper = fetcher.keeper().name, "products not looked at");
                }
            }
        }
    };
    tokio::spawn(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = retrying => {}
            () = sweeping => {}
        }
    })
}

/// What was called for is tried again also if its job ended before it came to that: no executor of it lives to say so.
async fn find_lost(dashboard: &Dashboard) -> Result<(), WatchError> {
    for lost in dashboard.store.lost_calls(RETRIES).await? {
        if dashboard.store.note_lost_call(&lost).await? {
            let ProductId { keeper, slug } = &lost.product;
            tracing::warn!(job = %lost.job, keeper, slug, "a job ended before its dashboard was made; it is tried again");
        }
    }
    Ok(())
}

async fn retry(dashboard: &Dashboard, jobs: &Jobs) -> Result<(), WatchError> {
    for product in dashboard.store.products_to_retry(RETRIES).await? {
        // One of a Keeper that is no longer configured waits for nobody.
        if dashboard.keepers.named(&product.keeper).is_some() {
            send(dashboard, jobs, vec![product.clone()]).await?;
        }
        dashboard.store.product_retried(&product).await?;
    }
    Ok(())
}

async fn sweep_in_turn(dashboard: &Dashboard, jobs: &Jobs, fetcher: &Fetcher) -> Result<(), WatchError> {
    let period = u64::try_from(dashboard.sweep.as_millis()).unwrap_or(u64::MAX);
    if period == 0 {
        return Ok(());
    }
    let name = format!("dashboards of {}", fetcher.keeper().name);
    // A little less each time, so that the Keepers of many servers are not all asked at once.
    let period = period - period / 10 * (uuid::Uuid::now_v7().as_u128() % 10) as u64 / 10;
    if !dashboard.store.take_turn(&name, period).await? {
        return Ok(());
    }
    let slugs = match fetcher.slugs().await {
        Ok(slugs) => slugs,
        Err(error) => {
            tracing::warn!(%error, "products not listed");
            return Ok(());
        }
    };
    let keeper = &fetcher.keeper().name;
    // What has a dashboard and is not listed any more is to be marked so.
    let listed = dashboard.store.products(keeper).await?;
    let gone = listed
        .into_iter()
        .filter(|listed| !listed.missing && !slugs.contains(&listed.slug))
        .map(|listed| listed.slug);
    let gone: Vec<String> = gone.collect();
    let looks: Vec<_> = slugs
        .iter()
        .map(|slug| is_stale(dashboard, fetcher, slug).boxed())
        .collect();
    // All are looked at before a job is made: a look that has the database's one place to write, and is not gone on with
    // while a job is made, would keep that from its own.
    let stale: Vec<bool> = stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
    for (slug, stale) in slugs.iter().zip(stale) {
        if stale {
            send(dashboard, jobs, vec![id(keeper, slug)]).await?;
        }
    }
    let gone = gone.iter().map(|slug| id(keeper, slug)).collect();
    send(dashboard, jobs, gone).await
}

/// Whether what is published of a product is not what its Keeper says. What cannot be told is left for the next time.
async fn is_stale(dashboard: &Dashboard, fetcher: &Fetcher, slug: &str) -> Result<bool, WatchError> {
    let product = match fetcher.product(slug).await {
        Ok(product) => product,
        Err(error) => {
            tracing::debug!(%error, "product not looked at");
            return Ok(false);
        }
    };
    let id = id(&fetcher.keeper().name, slug);
    dashboard.store.product_checked(&id).await?;
    let rendered = match execute::render(dashboard, product).await {
        Ok(rendered) => rendered,
        Err(error) => {
            tracing::warn!(%error, slug, "product not rendered");
            return Ok(false);
        }
    };
    let standing = dashboard.store.product_standing(&id).await?;
    // What is held back is not done again and again, and no longer held once it is as before.
    let is_held = standing.held.is_some();
    let known = standing.held.or(standing.digest);
    if known.as_ref() != Some(&rendered.digest) {
        return Ok(true);
    }
    if is_held {
        return Ok(false);
    }
    let publication = Publication {
        results: &dashboard.results,
        folder: fetcher.keeper().folder(slug),
        surrogate_key: rendered.product.surrogate_key.as_deref(),
    };
    match publication.are_there(&rendered.files).await {
        Ok(are_there) => Ok(!are_there),
        Err(error) => {
            tracing::warn!(%error, slug, "files not looked at");
            Ok(false)
        }
    }
}

fn id(keeper: &str, slug: &str) -> ProductId {
    ProductId {
        keeper: keeper.to_owned(),
        slug: slug.to_owned(),
    }
}

async fn send(dashboard: &Dashboard, jobs: &Jobs, products: Vec<ProductId>) -> Result<(), WatchError> {
    let errands: Vec<Errand> = products
        .iter()
        .filter_map(|product| errand(dashboard, product))
        .collect();
    if !errands.is_empty() {
        let service: &dyn Service = dashboard;
        jobs.send(service, errands, None, dashboard.debounce(), None)
            .await?;
    }
    Ok(())
}

/// The job of a product, as a call of its Keeper's would make it.
pub fn errand(dashboard: &Dashboard, product: &ProductId) -> Option<Errand> {
    let keeper = dashboard.keepers.named(&product.keeper)?;
    let url = keeper.url(&format!("/products/{}", product.slug));
    let mut parameters = Parameters::default();
    let value = ParameterValue::Inline(url.into());
    parameters.push("PRODUCT_URL", value).ok()?;
    Some(Errand {
        key: format!("{}/{}", product.keeper, product.slug),
        parameters,
    })
}

impl Dashboard {
    /// How long a product is left alone after a call.
    pub fn debounce(&self) -> Debounce {
        Debounce {
            pause: self.debounce,
            longest: LONGEST.max(self.debounce),
        }
    }
}

/// Longest time that calls in a row put a run off.
const LONGEST: Duration = Duration::from_secs(10);
