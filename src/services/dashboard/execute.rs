//! A job's run: each of its products in turn, whatever becomes of the others.

use std::time::Duration;

use serde::Serialize;
use tokio::time;

use super::{
    Dashboard,
    fetch::FetchError,
    files::{File, FilesError, JSON, Pages, digest, of_product},
    keeper::Wanted,
    page::Entry,
    product::{Kind, Product},
    publish::Publication,
    request::Request,
};
use crate::{
    engine::{Context, Failure},
    store::{HeldProduct, LeaseLost, ProductId, Published, StoreError},
    uws::ErrorKind,
};

/// Between two looks whether another job has done with a product.
const LOOK: Duration = Duration::from_millis(250);
/// Share of its editions that a product has to keep for nobody to wonder, as one part in so many.
const SHRUNK: u64 = 10;
/// Most reasons for rows that were left out in a report.
const MAX_REASONS: usize = 100;

/// What became of a product, for the report.
#[derive(Serialize)]
struct Outcome {
    keeper: String,
    product: String,
    /// `published`, `unchanged`, `current` (another job has just done it) or `failed`.
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    editions: usize,
    builds: usize,
    bytes: usize,
    purged: bool,
    warnings: Vec<String>,
    skipped: Vec<String>,
    fetch_ms: u128,
    render_ms: u128,
}

impl Outcome {
    fn of(wanted: &Wanted<'_>) -> Self {
        Outcome {
            keeper: wanted.keeper.name.clone(),
            product: wanted.slug.clone(),
            state: "failed",
            error: None,
            editions: 0,
            builds: 0,
            bytes: 0,
            purged: false,
            warnings: Vec::new(),
            skipped: Vec::new(),
            fetch_ms: 0,
            render_ms: 0,
        }
    }
}

/// Why a product could not be done.
enum Trouble {
    /// The whole job is to stop.
    Stop(Failure),
    /// This product alone.
    Product {
        kind: ErrorKind,
        message: String,
        /// Whether its Keeper knows it no more.
        missing: bool,
    },
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Trouble::Stop(failure)
    }
}

impl From<LeaseLost> for Trouble {
    fn from(_: LeaseLost) -> Self {
        Trouble::Stop(Failure::Cancelled)
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "dashboard");
        Trouble::Stop(Failure::transient("The database did not answer."))
    }
}

impl From<FetchError> for Trouble {
    fn from(error: FetchError) -> Self {
        let kind = match error {
            FetchError::Ill { .. } => ErrorKind::Transient,
            FetchError::Missing { .. } | FetchError::Broken { .. } => ErrorKind::Fatal,
        };
        Trouble::Product {
            kind,
            message: error.to_string(),
            missing: matches!(error, FetchError::Missing { .. }),
        }
    }
}

impl From<FilesError> for Trouble {
    fn from(error: FilesError) -> Self {
        Trouble::Stop(Failure::fatal(error.to_string()))
    }
}

impl Trouble {
    fn transient(message: impl Into<String>) -> Self {
        Trouble::Product {
            kind: ErrorKind::Transient,
            message: message.into(),
            missing: false,
        }
    }
}

/// Does a job.
pub async fn run(service: &Dashboard, context: &Context) -> Result<(), Failure> {
    let request = Request::read(&service.keepers, context.parameters()).map_err(|faults| {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        Failure::fatal(faults.join("; "))
    })?;
    let total = request.products.len();
    let mut outcomes = Vec::with_capacity(total);
    let mut failed: Vec<(ErrorKind, String)> = Vec::new();
    for (done, wanted) in request.products.iter().enumerate() {
        context.progress(done as u64, total as u64, &wanted.slug);
        context.checkpoint()?;
        let mut outcome = Outcome::of(wanted);
        match product(service, context, &request, wanted, &mut outcome).await {
            Ok(()) => context.log(format!("{}: {}", wanted.slug, outcome.state)),
            Err(Trouble::Stop(failure)) => return Err(failure),
            Err(Trouble::Product { kind, message, .. }) => {
                context.log(format!("{}: {message}", wanted.slug));
                outcome.error = Some(message.clone());
                failed.push((kind, message));
            }
        }
        outcomes.push(outcome);
    }
    context.progress(total as u64, total as u64, "done");
    let report = serde_json::to_vec_pretty(&outcomes).map_err(|error| Failure::fatal(error.to_string()))?;
    context.put_principal("report", JSON, report.into()).await?;
    failure(&failed, total, context.owner() == Some(service.own.as_str()))
}

/// The end of a job some of whose products have failed. Those of the service's own are tried again on their own times.
fn failure(failed: &[(ErrorKind, String)], total: usize, own: bool) -> Result<(), Failure> {
    let Some((_, first)) = failed.first() else {
        return Ok(());
    };
    let transient = failed.iter().any(|(kind, _)| *kind == ErrorKind::Transient);
    let messages: Vec<&str> = failed.iter().map(|(_, message)| message.as_str()).collect();
    Err(Failure::Error {
        kind: if transient {
            ErrorKind::Transient
        } else {
            ErrorKind::Fatal
        },
        message: if total == 1 {
            first.clone()
        } else {
            format!("{} of {total} products failed: {first}", failed.len())
        },
        detail: (failed.len() > 1).then(|| messages.join("\n")),
        retry: transient && !own,
    })
}

/// Does a product that nobody else is at.
async fn product(
    service: &Dashboard,
    context: &Context,
    request: &Request<'_>,
    wanted: &Wanted<'_>,
    outcome: &mut Outcome,
) -> Result<(), Trouble> {
    let id = ProductId {
        keeper: wanted.keeper.name.clone(),
        slug: wanted.slug.clone(),
    };
    let (store, lease) = (&service.store, context.lease());
    let held = hold(service, context, &id).await?;
    let done = build(service, context, request, wanted, &id, held, outcome).await;
    if let Err(Trouble::Product { missing, .. }) = &done {
        store.product_failed(&id, lease, *missing).await??;
    }
    if let Err(error) = store.release_product(&id, lease).await {
        // It is free once this job has ended.
        tracing::debug!(%error, "product not released");
    }
    done
}

/// Waits until no other job is at the product.
async fn hold(service: &Dashboard, context: &Context, id: &ProductId) -> Result<HeldProduct, Trouble> {
    let lease = context.lease();
    if let Some(held) = service.store.hold_product(id, lease).await? {
        return Ok(held);
    }
    context.log(format!("{}: another job is at it", id.slug));
    let waiting = async {
        loop {
            time::sleep(LOOK).await;
            if let Some(held) = service.store.hold_product(id, lease).await? {
                return Ok::<_, StoreError>(held);
            }
        }
    };
    Ok(context.suspended(waiting).await??)
}

async fn build(
    service: &Dashboard,
    context: &Context,
    request: &Request<'_>,
    wanted: &Wanted<'_>,
    id: &ProductId,
    held: HeldProduct,
    outcome: &mut Outcome,
) -> Result<(), Trouble> {
    let (store, lease) = (&service.store, context.lease());
    // Calls of Keeper's are never answered by an earlier run: what they tell of may be younger than it.
    let is_done = held.fresh && !held.purge_owed && context.owner() != Some(service.own.as_str());
    if is_done && !request.force && request.pages == Pages::ALL {
        outcome.state = "current";
        return Ok(());
    }
    let begun = time::Instant::now();
    let fetcher = service
        .fetcher(&id.keeper)
        .ok_or_else(|| Trouble::transient("The LTD Keeper is no longer configured."))?;
    let product = tokio::select! {
        product = fetcher.product(&wanted.slug) => product?,
        () = context.cancelled() => return Err(Failure::Cancelled.into()),
    };
    outcome.fetch_ms = begun.elapsed().as_millis();
    let begun = time::Instant::now();
    let rendered = render(service, product).await?;
    outcome.render_ms = begun.elapsed().as_millis();
    let Rendered {
        product,
        files,
        digest,
    } = rendered;
    tell(outcome, &product, &held.published);
    context.checkpoint()?;

    let publication = Publication {
        results: &service.results,
        folder: wanted.keeper.folder(&wanted.slug),
        surrogate_key: product.surrogate_key.as_deref(),
    };
    let same = held.published.digest.as_deref() == Some(&digest);
    let unchanged = same && !request.force && publication.are_there(&files).await.map_err(storage)?;
    if !unchanged {
        store.begin_publishing(id, lease).await??;
        let wanted_files: Vec<&File> = files
            .iter()
            .filter(|file| request.pages.have(&file.name))
            .collect();
        let replaced = publication
            .replace(&wanted_files, &files, &held.published)
            .await
            .map_err(storage)?;
        let published = Published {
            // Some of the pages alone are not all that there is to do.
            digest: (request.pages == Pages::ALL).then_some(digest),
            files: replaced.files,
            retired: replaced.retired,
            entry: Some(entry(&product)?),
            surrogate_key: product.surrogate_key.clone(),
        };
        store.end_publishing(id, lease, &published).await??;
        outcome.bytes = wanted_files.iter().map(|file| file.body.len()).sum();
    }
    if (!unchanged || held.purge_owed)
        && let (Some(cache), Some(key)) = (&service.cache, &product.surrogate_key)
    {
        cache
            .purge(key)
            .await
            .map_err(|error| Trouble::transient(error.to_string()))?;
        outcome.purged = true;
    }
    store.product_done(id, lease, held.now).await??;
    outcome.state = if unchanged { "unchanged" } else { "published" };
    results(context, request, &wanted.slug, &files).await?;
    Ok(())
}

fn storage(error: crate::objects::ObjectsError) -> Trouble {
    tracing::warn!(%error, "dashboard");
    Trouble::transient("The store of dashboards did not answer.")
}

/// A product and its files.
pub struct Rendered {
    pub product: Product,
    pub files: Vec<File>,
    pub digest: String,
}

/// Makes the files of a product, on a thread on which that may take its time.
pub async fn render(service: &Dashboard, product: Product) -> Result<Rendered, FilesError> {
    let look = service.look.clone();
    let made = tokio::task::spawn_blocking(move || {
        let files = of_product(&product, &look, Pages::ALL)?;
        let digest = digest(&files);
        Ok(Rendered {
            product,
            files,
            digest,
        })
    });
    made.await
        .unwrap_or_else(|panic| Err(FilesError::Page(askama::Error::custom(panic))))
}

/// What the report says of a product that was fetched.
fn tell(outcome: &mut Outcome, product: &Product, before: &Published) {
    outcome.editions = product.editions.len();
    outcome.builds = product.builds.len();
    outcome.warnings.clone_from(&product.warnings);
    outcome.skipped = product.skipped.iter().take(MAX_REASONS).cloned().collect();
    if product.skipped.len() > MAX_REASONS {
        let more = product.skipped.len() - MAX_REASONS;
        outcome.skipped.push(format!("and {more} more"));
    }
    let earlier = before
        .entry
        .as_deref()
        .and_then(|entry| serde_json::from_str::<Entry>(entry).ok())
        .map_or(0, |entry| entry.editions);
    if (product.editions.len() as u64) < earlier.div_ceil(SHRUNK) {
        outcome.warnings.push(format!(
            "There were {earlier} editions before, and now there are {}.",
            product.editions.len()
        ));
    }
}

/// How the page of all products shows it.
fn entry(product: &Product) -> Result<String, Trouble> {
    let main = product.editions.iter().find(|edition| edition.kind == Kind::Main);
    let entry = Entry {
        slug: product.slug.clone(),
        path: String::new(),
        title: product.heading(),
        published_url: product.published_url.clone(),
        date_rebuilt: main.and_then(|edition| edition.date_rebuilt),
        editions: product.editions.len() as u64,
        builds: product.builds.len() as u64,
        missing: false,
    };
    serde_json::to_string(&entry).map_err(|error| Failure::fatal(error.to_string()).into())
}

/// The job's own copies of the pages.
async fn results(
    context: &Context,
    request: &Request<'_>,
    slug: &str,
    files: &[File],
) -> Result<(), Failure> {
    const RESULTS: [(&str, &str); 4] = [
        ("v/index.html", "editions-html"),
        ("builds/index.html", "builds-html"),
        ("v/index.json", "metadata"),
        ("v/switcher.json", "switcher"),
    ];
    for (name, result) in RESULTS {
        let Some(file) = files.iter().find(|file| file.name == name) else {
            continue;
        };
        if !request.pages.have(name) {
            continue;
        }
        let result = if request.products.len() == 1 {
            result.to_owned()
        } else {
            format!("{slug}-{result}")
        };
        context.put(&result, file.media_type, file.body.clone()).await?;
    }
    Ok(())
}
