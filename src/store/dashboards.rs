//! What was published of each product, and which job is at it.
//!
//! A job holds a product while its own lease on itself holds: when its worker is given up, so is the product.

use sea_orm::{QueryResult, Value};

use super::{
    Lease, LeaseLost, Sql, Store, StoreError,
    rows::{optional_text, text, time, to_json},
};
use crate::uws::Timestamp;

/// A product: its Keeper's name and its slug.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProductId {
    /// Name of its Keeper.
    pub keeper: String,
    /// Its slug.
    pub slug: String,
}

/// What was published of a product.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Published {
    /// Digest of its files; none while they are being replaced.
    pub digest: Option<String>,
    /// Names of its files.
    pub files: Vec<String>,
    /// Names of files that the last but one dashboard had, and that pages in caches may still need.
    pub retired: Vec<String>,
    /// How the page of all products shows it, as JSON.
    pub entry: Option<String>,
    /// What caches know it by.
    pub surrogate_key: Option<String>,
}

/// A product that a job holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldProduct {
    /// What was published of it.
    pub published: Published,
    /// Whether caches have not been told of that.
    pub purge_owed: bool,
    /// Whether it was published from what its Keeper said after the job was created.
    pub fresh: bool,
    /// Now: what is fetched from here on is no older.
    pub now: Timestamp,
}

/// A product in the list of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its slug.
    pub slug: String,
    /// As it was published.
    pub entry: String,
    /// Whether its Keeper knows it no more.
    pub missing: bool,
}

/// Pauses (ms) before what has failed is tried again, by how often it has; the last one is for all further ones.
const PAUSES: [i64; 4] = [60_000, 300_000, 900_000, 3_600_000];

const ADD: Sql = Sql::both("INSERT INTO dashboard (keeper, slug) VALUES ($1, $2) ON CONFLICT DO NOTHING");

/// For a job that runs, if no other that runs holds it.
const HOLD: Sql = Sql::both(
    "UPDATE dashboard SET holder = $3, holder_fence = $4 WHERE keeper = $1 AND slug = $2 \
     AND NOT EXISTS (SELECT 1 FROM job j WHERE j.id = dashboard.holder AND j.fence = dashboard.holder_fence \
         AND j.phase IN ('EXECUTING', 'SUSPENDED') AND (j.id <> $3 OR j.fence <> $4)) \
     RETURNING *, {now} AS at, coalesce(fetched_at > (SELECT creation_time FROM job WHERE id = $3), false) AS fresh",
);

/// Whose lease on the job is good holds the product still.
macro_rules! held {
    () => {
        " WHERE keeper = $1 AND slug = $2 AND holder = $3 AND holder_fence = $4 \
         AND EXISTS (SELECT 1 FROM job j WHERE j.id = $3 AND j.fence = $4 AND j.phase IN ('EXECUTING', 'SUSPENDED'))"
    };
}

const BEGIN: Sql = Sql::both(concat!(
    "UPDATE dashboard SET digest = NULL, purge_owed = true",
    held!()
));

const PUBLISH: Sql = Sql::both(concat!(
    "UPDATE dashboard SET digest = $5, files = $6, retired = $7, entry = $8, surrogate_key = $9, published_at = {now}",
    held!()
));

const SUCCEED: Sql = Sql::both(concat!(
    "UPDATE dashboard SET fetched_at = $5, purge_owed = false, missing = false, failures = 0, retry_at = NULL",
    held!()
));

const FAIL: Sql = Sql::both(concat!(
    "UPDATE dashboard SET missing = (missing OR $5), failures = failures + 1, retry_at = CASE WHEN $5 THEN NULL \
     ELSE {now} + CASE failures WHEN 0 THEN $6 WHEN 1 THEN $7 WHEN 2 THEN $8 ELSE $9 END END",
    held!()
));

const RELEASE: Sql = Sql::both(
    "UPDATE dashboard SET holder = NULL, holder_fence = NULL \
     WHERE keeper = $1 AND slug = $2 AND holder = $3 AND holder_fence = $4",
);

const RETRIES: Sql =
    Sql::both("SELECT keeper, slug FROM dashboard WHERE retry_at <= {now} ORDER BY retry_at LIMIT $1");

const RETRIED: Sql =
    Sql::both("UPDATE dashboard SET retry_at = NULL WHERE keeper = $1 AND slug = $2 AND retry_at <= {now}");

const LIST: Sql = Sql::both(
    "SELECT slug, entry, missing FROM dashboard WHERE keeper = $1 AND entry IS NOT NULL ORDER BY slug",
);

const DIGEST: Sql = Sql::both(
    "SELECT digest FROM dashboard WHERE keeper = $1 AND slug = $2 AND NOT purge_owed AND NOT missing",
);

impl Store {
    /// Holds a product for a job, until the job ends or another call gives it up; `None` while another job does.
    pub async fn hold_product(
        &self,
        product: &ProductId,
        lease: Lease,
    ) -> Result<Option<HeldProduct>, StoreError> {
        let named: [Value; 2] = [text(&product.keeper), text(&product.slug)];
        self.execute(ADD, named).await?;
        let rows = self.rows(HOLD, holder(product, lease)).await?;
        rows.first().map(held_product).transpose()
    }

    /// Notes that files are about to be replaced: should it end half-way, they are replaced again.
    pub async fn begin_publishing(
        &self,
        product: &ProductId,
        lease: Lease,
    ) -> Result<Result<(), LeaseLost>, StoreError> {
        still(self.execute(BEGIN, holder(product, lease)).await?)
    }

    /// Notes what was published. Caches are still to be told.
    pub async fn end_publishing(
        &self,
        product: &ProductId,
        lease: Lease,
        published: &Published,
    ) -> Result<Result<(), LeaseLost>, StoreError> {
        let mut values = holder(product, lease).to_vec();
        values.extend([
            optional_text(published.digest.as_deref()),
            to_json(&published.files)?.into(),
            to_json(&published.retired)?.into(),
            optional_text(published.entry.as_deref()),
            optional_text(published.surrogate_key.as_deref()),
        ]);
        still(self.execute(PUBLISH, values).await?)
    }

    /// Notes that a product's dashboard is as its Keeper said at `fetched`, and that caches know.
    pub async fn product_done(
        &self,
        product: &ProductId,
        lease: Lease,
        fetched: Timestamp,
    ) -> Result<Result<(), LeaseLost>, StoreError> {
        let mut values = holder(product, lease).to_vec();
        values.push(fetched.millis().into());
        still(self.execute(SUCCEED, values).await?)
    }

    /// Notes that a product could not be done: with `missing` its Keeper knows it no more; else it is to be tried again,
    /// later each time.
    pub async fn product_failed(
        &self,
        product: &ProductId,
        lease: Lease,
        missing: bool,
    ) -> Result<Result<(), LeaseLost>, StoreError> {
        let mut values = holder(product, lease).to_vec();
        values.push(missing.into());
        values.extend(PAUSES.map(Value::from));
        still(self.execute(FAIL, values).await?)
    }

    /// Gives a product up for the next job.
    pub async fn release_product(&self, product: &ProductId, lease: Lease) -> Result<(), StoreError> {
        self.execute(RELEASE, holder(product, lease)).await?;
        Ok(())
    }

    /// Products that have failed and whose time to be tried again has come.
    pub async fn products_to_retry(&self, most: u64) -> Result<Vec<ProductId>, StoreError> {
        let rows = self.select(RETRIES, [(most as i64).into()]).await?;
        let id = |row: &QueryResult| {
            Ok(ProductId {
                keeper: row.try_get_by("keeper")?,
                slug: row.try_get_by("slug")?,
            })
        };
        rows.iter().map(id).collect()
    }

    /// Notes that there is a job for such a product.
    pub async fn product_retried(&self, product: &ProductId) -> Result<(), StoreError> {
        self.execute(RETRIED, [text(&product.keeper), text(&product.slug)])
            .await?;
        Ok(())
    }

    /// All products of a Keeper that have a dashboard, by slug.
    pub async fn products(&self, keeper: &str) -> Result<Vec<Listed>, StoreError> {
        let rows = self.select(LIST, [text(keeper)]).await?;
        let listed = |row: &QueryResult| {
            Ok(Listed {
                slug: row.try_get_by("slug")?,
                entry: row.try_get_by("entry")?,
                missing: row.try_get_by("missing")?,
            })
        };
        rows.iter().map(listed).collect()
    }

    /// Digest of what is published of a product; none if that is not all well.
    pub async fn product_digest(&self, product: &ProductId) -> Result<Option<String>, StoreError> {
        let rows = self
            .select(DIGEST, [text(&product.keeper), text(&product.slug)])
            .await?;
        rows.first().map_or(Ok(None), |row| Ok(row.try_get_by("digest")?))
    }
}

fn holder(product: &ProductId, lease: Lease) -> [Value; 4] {
    [
        text(&product.keeper),
        text(&product.slug),
        lease.job.0.into(),
        lease.fence.into(),
    ]
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of what calls it")]
fn still(changed: u64) -> Result<Result<(), LeaseLost>, StoreError> {
    Ok(if changed > 0 { Ok(()) } else { Err(LeaseLost) })
}

fn held_product(row: &QueryResult) -> Result<HeldProduct, StoreError> {
    let names = |column: &str| -> Result<Vec<String>, StoreError> {
        serde_json::from_str(&row.try_get_by::<String, _>(column)?)
            .map_err(|error| StoreError::Corrupt(format!("{column}: {error}")))
    };
    Ok(HeldProduct {
        published: Published {
            digest: row.try_get_by("digest")?,
            files: names("files")?,
            retired: names("retired")?,
            entry: row.try_get_by("entry")?,
            surrogate_key: row.try_get_by("surrogate_key")?,
        },
        purge_owed: row.try_get_by("purge_owed")?,
        fresh: row.try_get_by("fresh")?,
        now: time(row.try_get_by("at")?)?,
    })
}
