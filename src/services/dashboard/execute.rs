//! A job's run: each of its products in turn, whatever becomes of the others.

use std::time::Duration;

use futures::future::BoxFuture;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::time;

use super::{
    Dashboard,
    fetch::FetchError,
    files::{File, FilesError, JSON, Pages, digest, of_product},
    keeper::Wanted,
    page::Entry,
    places::Place,
    product::{Edition, Kind, Product},
    publish::Publication,
    request::Request,
};
use crate::{
    engine::{Context, Failure},
    objects::ObjectsError,
    settings::ShrinkGuard,
    store::{Done, HeldProduct, LeaseLost, ProductId, Published, StoreError},
    uws::ErrorKind,
};

/// Until a job looks again whether another has done with a product.
const TAKEN: Duration = Duration::from_secs(1);
/// Share of its editions that a product has to keep for nobody to wonder, as one part in so many.
const SHRUNK: u64 = 10;
/// Longest name of a product in those of a job's copies, in bytes: with what follows it, the name of a result.
const MAX_COPY: usize = 180;
/// Most reasons for rows that were left out in a report.
const MAX_REASONS: usize = 100;

/// What became of a product, for the report.
#[derive(Serialize)]
struct Outcome {
    keeper: String,
    product: String,
    /// `published`, `unchanged`, `held` (it has lost too much), `current` (another job has just done it) or `failed`.
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
        Trouble::Stop(database(&error))
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

impl From<ObjectsError> for Trouble {
    fn from(error: ObjectsError) -> Self {
        tracing::warn!(%error, "dashboard");
        Trouble::transient("The store of dashboards did not answer.")
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
    let mut place = Some(service.places.take().await.map_err(Failure::Later)?);
    let mut run = Run {
        service,
        context,
        request: &request,
        outcomes: Vec::with_capacity(request.products.len()),
        failed: Vec::new(),
    };
    let mut taken = Vec::new();
    for wanted in &request.products {
        match run.hold(wanted).await? {
            Some(held) => run.product(wanted, held).await?,
            None => taken.push(wanted),
        }
    }
    if !taken.is_empty() && run.outcomes.is_empty() {
        return Err(Failure::Later(TAKEN));
    }
    for wanted in &taken {
        context.log(format!("{}: another job is at it", wanted.slug));
    }
    while !taken.is_empty() {
        // Whoever has them may be waiting for this place.
        drop(place.take());
        let (number, held, had) = context.suspended(run.wait(&taken)).await??;
        place = Some(had);
        let wanted = taken.remove(number);
        run.product(wanted, held).await?;
    }
    drop(place);
    run.end().await
}

/// A job that runs.
struct Run<'a> {
    service: &'a Dashboard,
    context: &'a Context,
    request: &'a Request<'a>,
    outcomes: Vec<Outcome>,
    failed: Vec<(ErrorKind, String)>,
}

impl<'a> Run<'a> {
    /// Holds a product, unless another job is at it.
    async fn hold(&self, wanted: &Wanted<'_>) -> Result<Option<HeldProduct>, Failure> {
        let (store, id) = (&self.service.store, id(wanted));
        let held = store.hold_product(&id, self.context.lease()).await;
        held.map_err(|error| database(&error))
    }

    /// Holds the first of these products that no other job is at any more, in a place to make it.
    async fn wait(&self, taken: &[&Wanted<'_>]) -> Result<(usize, HeldProduct, Place<'a>), Failure> {
        let mut pause = TAKEN;
        loop {
            time::sleep(pause).await;
            let place = match self.service.places.take().await {
                Ok(place) => place,
                Err(later) => {
                    pause = later;
                    continue;
                }
            };
            pause = TAKEN;
            for (number, wanted) in taken.iter().enumerate() {
                if let Some(held) = self.hold(wanted).await? {
                    return Ok((number, held, place));
                }
            }
        }
    }

    /// Does a product that this job holds, and gives it up.
    async fn product(&mut self, wanted: &Wanted<'_>, held: HeldProduct) -> Result<(), Failure> {
        let (store, lease, id) = (&self.service.store, self.context.lease(), id(wanted));
        let (done, total) = (self.outcomes.len() as u64, self.request.products.len() as u64);
        self.context
            .progress(done, total, self.failed.len() as u64, &wanted.slug);
        self.context.checkpoint()?;
        let mut outcome = Outcome::of(wanted);
        let built = build(
            self.service,
            self.context,
            self.request,
            wanted,
            &id,
            held,
            &mut outcome,
        );
        match built.await {
            Ok(()) => self.context.log(format!("{}: {}", wanted.slug, outcome.state)),
            Err(Trouble::Stop(failure)) => return Err(failure),
            Err(Trouble::Product {
                kind,
                message,
                missing,
            }) => {
                let noted = store.product_failed(&id, lease, missing, &message).await;
                noted
                    .map_err(|error| database(&error))?
                    .map_err(|LeaseLost| Failure::Cancelled)?;
                if missing {
                    let forgotten = store.forget_unknown(&id, lease).await;
                    forgotten.map_err(|error| database(&error))?;
                }
                self.context.log(format!("{}: {message}", wanted.slug));
                outcome.error = Some(message.clone());
                self.failed.push((kind, message));
            }
        }
        if let Err(error) = store.release_product(&id, lease).await {
            // It is free once this job has ended.
            tracing::debug!(%error, "product not released");
        }
        self.outcomes.push(outcome);
        Ok(())
    }

    /// The report, and how it went.
    async fn end(self) -> Result<(), Failure> {
        let total = self.request.products.len();
        let failed = self.failed.len() as u64;
        self.context.progress(total as u64, total as u64, failed, "done");
        let report =
            serde_json::to_vec_pretty(&self.outcomes).map_err(|error| Failure::fatal(error.to_string()))?;
        self.context.put_principal("report", JSON, report.into()).await?;
        let own = self.context.owner() == Some(self.service.own.as_str());
        failure(&self.failed, total, own)
    }
}

fn id(wanted: &Wanted<'_>) -> ProductId {
    ProductId {
        keeper: wanted.keeper.name.clone(),
        slug: wanted.slug.clone(),
    }
}

fn database(error: &StoreError) -> Failure {
    tracing::warn!(%error, "dashboard");
    Failure::transient("The database did not answer.")
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
    let is_fresh = held.fresh && context.owner() != Some(service.own.as_str());
    let is_well = held.published.digest.is_some() && !held.purge_owed;
    if is_fresh && is_well && !request.force {
        store.product_current(id, lease).await?;
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
    store.product_checked(id).await?;
    let begun = time::Instant::now();
    let rendered = render(service, product).await?;
    outcome.render_ms = begun.elapsed().as_millis();
    let Rendered {
        product,
        files,
        digest,
    } = rendered;
    tell(outcome, &product);
    context.checkpoint()?;

    let publication = Publication {
        results: &service.results,
        folder: wanted.keeper.folder(&wanted.slug),
        surrogate_key: product.surrogate_key.as_deref(),
    };
    let (old_key, new_key) = (&held.published.surrogate_key, &product.surrogate_key);
    // What is stored under another key is purged by that one only.
    let same = held.published.digest.as_deref() == Some(&digest) && old_key == new_key;
    let shrunk = shrunk(&product, &held.published);
    outcome.warnings.extend(shrunk.clone());
    // What has no pages yet, or half of them, has none to be kept.
    let is_held = shrunk.is_some()
        && service.shrink_guard == ShrinkGuard::Hold
        && held.published.digest.is_some()
        && !request.force;
    let unchanged = is_held || same && !request.force && publication.are_there(&files).await?;
    let keys = keys(old_key.as_deref(), new_key.as_deref());
    if !unchanged {
        store.begin_publishing(id, lease, keys.as_deref()).await??;
        let check = || -> BoxFuture<'_, Result<(), Trouble>> {
            Box::pin(async { Ok(store.holds_product(id, lease).await??) })
        };
        let replaced = publication
            .replace(&files, request.pages, &held.published, check)
            .await?;
        let published = Published {
            // Some of the pages alone are not all that there is to do.
            digest: (request.pages == Pages::ALL).then(|| digest.clone()),
            files: replaced.files,
            retired: replaced.retired,
            entry: Some(entry(&product)?),
            // The caches are still to be told.
            surrogate_key: keys.clone(),
        };
        store.end_publishing(id, lease, &published).await??;
        outcome.bytes = replaced.bytes;
    }
    if (!unchanged || held.purge_owed)
        && let (Some(cache), Some(keys)) = (&service.cache, &keys)
    {
        cache
            .purge(keys)
            .await
            .map_err(|error| Trouble::transient(error.to_string()))?;
        outcome.purged = true;
    }
    let done = Done {
        fetched: held.now,
        unchanged,
        held: is_held.then_some(&digest),
        surrogate_key: if unchanged { old_key } else { new_key }.as_deref(),
    };
    store.product_done(id, lease, done).await??;
    outcome.state = match (is_held, unchanged) {
        (true, _) => "held",
        (false, true) => "unchanged",
        (false, false) => "published",
    };
    if is_held {
        context.log(format!(
            "{}: its pages stay as they are, FORCE=true replaces them",
            wanted.slug
        ));
    }
    // The pages are where they are read: the other products go on without these copies.
    results(context, request, wanted, &files)
        .await
        .map_err(|failure| match failure {
            Failure::Error { kind, message, .. } => Trouble::Product {
                kind,
                message,
                missing: false,
            },
            failure => Trouble::Stop(failure),
        })
}

/// The keys that caches are purged by when one takes the place of others, between spaces.
fn keys(before: Option<&str>, now: Option<&str>) -> Option<String> {
    let mut keys: Vec<&str> = before.map(|keys| keys.split(' ').collect()).unwrap_or_default();
    keys.extend(now.filter(|now| !keys.contains(now)));
    (!keys.is_empty()).then(|| keys.join(" "))
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
fn tell(outcome: &mut Outcome, product: &Product) {
    outcome.editions = product.editions.len();
    outcome.builds = product.builds.len();
    outcome.warnings.clone_from(&product.warnings);
    outcome.skipped = product.skipped.iter().take(MAX_REASONS).cloned().collect();
    if product.skipped.len() > MAX_REASONS {
        let more = product.skipped.len() - MAX_REASONS;
        outcome.skipped.push(format!("and {more} more"));
    }
}

/// What a product has lost so suddenly that its Keeper may be at fault.
fn shrunk(product: &Product, before: &Published) -> Option<String> {
    let before: Entry = serde_json::from_str(before.entry.as_deref()?).ok()?;
    let editions = product.editions.len();
    if (editions as u64) < before.editions.div_ceil(SHRUNK) {
        return Some(format!(
            "There were {} editions before, and now there are {editions}.",
            before.editions
        ));
    }
    let is_main = |edition: &Edition| edition.kind == Kind::Main;
    let lost = before.date_rebuilt.is_some() && !product.editions.iter().any(is_main);
    lost.then(|| "There was a main edition before, and now there is none.".to_owned())
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
        latest: product
            .editions
            .iter()
            .filter_map(|edition| edition.date_rebuilt)
            .max(),
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
    wanted: &Wanted<'_>,
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
            let namesakes = request.products.iter().filter(|other| other.slug == wanted.slug);
            format!("{}-{result}", copy_name(wanted, namesakes.count() > 1))
        };
        context.put(&result, file.media_type, file.body.clone()).await?;
    }
    Ok(())
}

/// What the copies of a product are called in a job of several.
fn copy_name(wanted: &Wanted<'_>, has_namesakes: bool) -> String {
    let (keeper, slug) = (&wanted.keeper.name, &wanted.slug);
    let mut name = if has_namesakes {
        // No slug has a dot.
        format!("{keeper}.{slug}")
    } else {
        slug.clone()
    };
    if name.len() > MAX_COPY {
        let digest = hex::encode(Sha256::digest(&name));
        // Names are ASCII. No slug ends so: it has no underscore.
        name.truncate(MAX_COPY - 17);
        name = format!("{name}_{}", &digest[..16]);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{services::dashboard::keeper::Keepers, settings::KeeperSettings};

    #[test]
    fn copies_of_long_names_are_told_apart_and_can_be_stored() {
        let keepers = Keepers::new(&[KeeperSettings {
            name: "k".repeat(40),
            base_url: "https://keeper.example.org".parse().unwrap(),
            public_urls: Vec::new(),
            prefix: String::new(),
            token: None,
            organization: None,
            private_ok: false,
        }]);
        let name = |slug: &str, has_namesakes| copy_name(&keepers.product(slug).unwrap(), has_namesakes);
        assert_eq!(name("pipes", false), "pipes");
        assert_eq!(name("pipes", true), format!("{}.pipes", "k".repeat(40)));
        let (one, other) = (format!("{}1", "a".repeat(199)), format!("{}2", "a".repeat(199)));
        for has_namesakes in [false, true] {
            let (one, other) = (name(&one, has_namesakes), name(&other, has_namesakes));
            assert_ne!(one, other);
            assert_eq!((one.len(), other.len()), (MAX_COPY, MAX_COPY));
        }
        assert_eq!(name(&"a".repeat(MAX_COPY), false), "a".repeat(MAX_COPY));
    }
}
