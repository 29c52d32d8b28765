//! What was published of each product, and which job is at it.
//!
//! A job holds a product while its own lease on itself holds: when its worker is given up, so is the product.

use sea_orm::{QueryResult, Value};

use super::{
    Lease, LeaseLost, Sql, Store, StoreError,
    entity::job,
    rows::{job_id, natural, optional_text, text, time, to_json},
};
use crate::uws::{Job, JobId, Phase, Timestamp};

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
    /// What caches know it by; all keys that are still to be purged, between spaces, while some are.
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
    /// As it was published, if it ever was.
    pub entry: Option<String>,
    /// When its pages last changed.
    pub published: Option<Timestamp>,
    /// When its Keeper last told of it.
    pub checked: Option<Timestamp>,
    /// Whether its Keeper knows it no more.
    pub missing: bool,
    /// Digest of pages that have lost so much that they are held back.
    pub held: Option<String>,
    /// Whether caches have not been told of what was published.
    pub purge_owed: bool,
    /// What caches know it by; all keys that are still to be purged, between spaces, while some are.
    pub surrogate_key: Option<String>,
    /// Whether a job is at it.
    pub busy: bool,
}

/// What is published of a product, for comparing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProductStanding {
    /// Digest of its files; none if that is not all well.
    pub digest: Option<String>,
    /// Digest of files that are held back.
    pub held: Option<String>,
}

/// A job that a product was part of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductJob {
    /// The job.
    pub id: JobId,
    /// Its owner.
    pub owner: String,
    /// Where it stands.
    pub phase: Phase,
    /// When it was created.
    pub creation_time: Timestamp,
    /// When it last entered EXECUTING.
    pub start_time: Option<Timestamp>,
    /// When it ended.
    pub end_time: Option<Timestamp>,
    /// Whether it found the product as it was; none before it has done it, or if it could not.
    pub unchanged: Option<bool>,
    /// Why it could not.
    pub message: Option<String>,
}

/// How a job did a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done<'a> {
    /// What its Keeper said then is in its pages.
    pub fetched: Timestamp,
    /// Whether the pages are as they were.
    pub unchanged: bool,
    /// Digest of pages that are held back instead.
    pub held: Option<&'a str>,
    /// What caches know it by from now on.
    pub surrogate_key: Option<&'a str>,
}

/// Pauses (ms) before what has failed is tried again, by how often it has; the last one is for all further ones.
pub(super) const PAUSES: [i64; 4] = [60_000, 300_000, 900_000, 3_600_000];

const ADD: Sql = Sql::both("INSERT INTO dashboard (keeper, slug) VALUES ($1, $2) ON CONFLICT DO NOTHING");

/// For a job that runs, if no other that runs holds it.
const HOLD: Sql = Sql::both(
    "UPDATE dashboard SET holder = $3, holder_fence = $4 WHERE keeper = $1 AND slug = $2 \
     AND NOT EXISTS (SELECT 1 FROM job j WHERE j.id = dashboard.holder AND j.fence = dashboard.holder_fence \
         AND j.phase IN ('EXECUTING', 'SUSPENDED') AND (j.id <> $3 OR j.fence <> $4)) \
     RETURNING {dashboard}, {now} AS at, coalesce(fetched_at > (SELECT creation_time FROM job WHERE id = $3), false) AS fresh",
);

const TAKE_PART: Sql = Sql::both(
    "INSERT INTO dashboard_job (keeper, slug, job) VALUES ($1, $2, $3) \
     ON CONFLICT (keeper, slug, job) DO UPDATE SET unchanged = NULL, message = NULL",
);

const END_PART: Sql = Sql::both(
    "UPDATE dashboard_job SET unchanged = $4, message = $5 WHERE keeper = $1 AND slug = $2 AND job = $3",
);

/// Whose lease on the job is good holds the product still.
macro_rules! held {
    () => {
        " WHERE keeper = $1 AND slug = $2 AND holder = $3 AND holder_fence = $4 \
         AND EXISTS (SELECT 1 FROM job j WHERE j.id = $3 AND j.fence = $4 AND j.phase IN ('EXECUTING', 'SUSPENDED'))"
    };
}

const BEGIN: Sql = Sql::both(concat!(
    "UPDATE dashboard SET digest = NULL, purge_owed = true, surrogate_key = $5",
    held!()
));

const PUBLISH: Sql = Sql::both(concat!(
    "UPDATE dashboard SET digest = $5, files = $6, retired = $7, entry = $8, surrogate_key = $9, published_at = {now}",
    held!()
));

const SUCCEED: Sql = Sql::both(concat!(
    "UPDATE dashboard SET fetched_at = $5, held = $6, surrogate_key = $7, purge_owed = false, missing = false, \
     failures = 0, retry_at = NULL",
    held!()
));

const HOLDS: Sql = Sql::both(concat!("SELECT 1 AS held FROM dashboard", held!()));

const CHECKED: Sql = Sql::both("UPDATE dashboard SET checked_at = {now} WHERE keeper = $1 AND slug = $2");

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
    "SELECT slug, entry, published_at, checked_at, missing, held, purge_owed, surrogate_key, \
         EXISTS (SELECT 1 FROM job j WHERE j.id = dashboard.holder AND j.fence = dashboard.holder_fence \
             AND j.phase IN ('EXECUTING', 'SUSPENDED')) AS busy \
     FROM dashboard WHERE keeper = $1 AND (slug = $2 OR $2 IS NULL) ORDER BY slug",
);

/// A removal that ends half-way leaves what is published as not well, to be done again like what has failed.
const BEGIN_REMOVAL: Sql = Sql::both(
    "UPDATE dashboard SET digest = NULL, purge_owed = true, retry_at = {now} + $3 WHERE keeper = $1 AND slug = $2 \
     AND NOT EXISTS (SELECT 1 FROM job j WHERE j.id = dashboard.holder AND j.fence = dashboard.holder_fence \
         AND j.phase IN ('EXECUTING', 'SUSPENDED'))",
);

/// Not if a job has published it since its removal began.
const FORGET: Sql = Sql::both(
    "DELETE FROM dashboard WHERE keeper = $1 AND slug = $2 AND digest IS NULL \
     AND NOT EXISTS (SELECT 1 FROM job j WHERE j.id = dashboard.holder AND j.fence = dashboard.holder_fence \
         AND j.phase IN ('EXECUTING', 'SUSPENDED'))",
);

const FORGET_PARTS: Sql = Sql::both("DELETE FROM dashboard_job WHERE keeper = $1 AND slug = $2");

const STANDING: Sql = Sql::both(
    "SELECT digest, held FROM dashboard WHERE keeper = $1 AND slug = $2 AND NOT purge_owed AND NOT missing",
);

/// A job of several products says itself why it failed where it has not come to this one.
const JOBS: Sql = Sql::both(
    "SELECT j.id, j.owner, j.phase, j.creation_time, j.start_time, j.end_time, d.unchanged, \
         CASE WHEN d.unchanged IS NULL THEN coalesce(d.message, j.error_message) END AS message \
     FROM dashboard_job d JOIN job j ON j.id = d.job WHERE d.keeper = $1 AND d.slug = $2 ORDER BY d.job DESC LIMIT $3",
);

const UNDER_WAY: Sql = Sql::both(
    "SELECT {job} FROM job WHERE phase IN ('QUEUED', 'HELD', 'EXECUTING', 'SUSPENDED') AND service = $1 \
     ORDER BY creation_time DESC, id DESC LIMIT $2",
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
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let part: [Value; 3] = [text(&product.keeper), text(&product.slug), lease.job.0.into()];
        self.execute(TAKE_PART, part).await?;
        Ok(Some(held_product(row)?))
    }

    /// Notes that a product's Keeper has told of it now.
    pub async fn product_checked(&self, product: &ProductId) -> Result<(), StoreError> {
        self.execute(CHECKED, [text(&product.keeper), text(&product.slug)])
            .await?;
        Ok(())
    }

    /// Whether a job holds a product still.
    pub async fn holds_product(
        &self,
        product: &ProductId,
        lease: Lease,
    ) -> Result<Result<(), LeaseLost>, StoreError> {
        let rows = self.select(HOLDS, holder(product, lease)).await?;
        still(rows.len() as u64)
    }

    /// Notes that files are about to be replaced, and the keys that caches are to be purged by then: should it end
    /// half-way, they are replaced again.
    pub async fn begin_publishing(
        &self,
        product: &ProductId,
        lease: Lease,
        surrogate_keys: Option<&str>,
    ) -> Result<Result<(), LeaseLost>, StoreError> {
        let mut values = holder(product, lease).to_vec();
        values.push(optional_text(surrogate_keys));
        still(self.execute(BEGIN, values).await?)
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

    /// Notes that a product's dashboard is as its Keeper said, or that what it said is held back, and that caches know.
    pub async fn product_done(
        &self,
        product: &ProductId,
        lease: Lease,
        done: Done<'_>,
    ) -> Result<Result<(), LeaseLost>, StoreError> {
        let mut values = holder(product, lease).to_vec();
        values.extend([
            done.fetched.millis().into(),
            optional_text(done.held),
            optional_text(done.surrogate_key),
        ]);
        if self.execute(SUCCEED, values).await? == 0 {
            return Ok(Err(LeaseLost));
        }
        self.end_part(product, lease, Some(done.unchanged), None).await?;
        Ok(Ok(()))
    }

    /// Notes that a job left a product as another has just made it.
    pub async fn product_current(&self, product: &ProductId, lease: Lease) -> Result<(), StoreError> {
        self.end_part(product, lease, Some(true), None).await
    }

    async fn end_part(
        &self,
        product: &ProductId,
        lease: Lease,
        unchanged: Option<bool>,
        message: Option<&str>,
    ) -> Result<(), StoreError> {
        let values: [Value; 5] = [
            text(&product.keeper),
            text(&product.slug),
            lease.job.0.into(),
            unchanged.into(),
            optional_text(message),
        ];
        self.execute(END_PART, values).await?;
        Ok(())
    }

    /// Notes that a product could not be done: with `missing` its Keeper knows it no more; else it is to be tried again,
    /// later each time.
    pub async fn product_failed(
        &self,
        product: &ProductId,
        lease: Lease,
        missing: bool,
        message: &str,
    ) -> Result<Result<(), LeaseLost>, StoreError> {
        let mut values = holder(product, lease).to_vec();
        values.push(missing.into());
        values.extend(PAUSES.map(Value::from));
        if self.execute(FAIL, values).await? == 0 {
            return Ok(Err(LeaseLost));
        }
        self.end_part(product, lease, None, Some(message)).await?;
        Ok(Ok(()))
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

    /// The products of a Keeper that were ever asked for, by slug.
    pub async fn products(&self, keeper: &str) -> Result<Vec<Listed>, StoreError> {
        let values = [text(keeper), optional_text(None)];
        let rows = self.select(LIST, values).await?;
        rows.iter().map(listed).collect()
    }

    /// One of them.
    pub async fn product(&self, product: &ProductId) -> Result<Option<Listed>, StoreError> {
        let values = [text(&product.keeper), text(&product.slug)];
        let rows = self.select(LIST, values).await?;
        rows.first().map(listed).transpose()
    }

    /// Notes that a product's files are about to be removed: should it end half-way, it is tried again by a job. False if
    /// a job is at it, or if it was not known.
    pub async fn begin_removal(&self, product: &ProductId) -> Result<bool, StoreError> {
        let values: [Value; 3] = [text(&product.keeper), text(&product.slug), PAUSES[0].into()];
        Ok(self.execute(BEGIN_REMOVAL, values).await? > 0)
    }

    /// Forgets a product whose removal has begun, and what jobs have made of it; false if a job is at it or has published
    /// it since, or if it was not known.
    pub async fn forget_product(&self, product: &ProductId) -> Result<bool, StoreError> {
        let named = || [text(&product.keeper), text(&product.slug)];
        if self.execute(FORGET, named()).await? == 0 {
            return Ok(false);
        }
        self.execute(FORGET_PARTS, named()).await?;
        self.forget_call(product, None).await?;
        Ok(true)
    }

    /// What is published of a product.
    pub async fn product_standing(&self, product: &ProductId) -> Result<ProductStanding, StoreError> {
        let values = [text(&product.keeper), text(&product.slug)];
        let rows = self.select(STANDING, values).await?;
        let standing = |row: &QueryResult| {
            Ok(ProductStanding {
                digest: row.try_get_by("digest")?,
                held: row.try_get_by("held")?,
            })
        };
        rows.first().map_or(Ok(ProductStanding::default()), standing)
    }

    /// The newest jobs that have begun with a product, newest first.
    pub async fn product_jobs(&self, product: &ProductId, most: u64) -> Result<Vec<ProductJob>, StoreError> {
        let values: [Value; 3] = [text(&product.keeper), text(&product.slug), natural(most).into()];
        let rows = self.select(JOBS, values).await?;
        rows.iter().map(product_job).collect()
    }

    /// The newest jobs of a service that are queued or run, newest first; without their results.
    pub async fn jobs_under_way(&self, service: &str, most: u64) -> Result<Vec<Job>, StoreError> {
        let rows = self
            .select(UNDER_WAY, [text(service), natural(most).into()])
            .await?;
        rows.iter().map(|row| job::Model::of(row)?.into_job()).collect()
    }
}

fn listed(row: &QueryResult) -> Result<Listed, StoreError> {
    Ok(Listed {
        slug: row.try_get_by("slug")?,
        entry: row.try_get_by("entry")?,
        published: optional_time(row, "published_at")?,
        checked: optional_time(row, "checked_at")?,
        missing: row.try_get_by("missing")?,
        held: row.try_get_by("held")?,
        purge_owed: row.try_get_by("purge_owed")?,
        surrogate_key: row.try_get_by("surrogate_key")?,
        busy: row.try_get_by("busy")?,
    })
}

fn product_job(row: &QueryResult) -> Result<ProductJob, StoreError> {
    let phase: String = row.try_get_by("phase")?;
    Ok(ProductJob {
        id: job_id(row)?,
        owner: row.try_get_by("owner")?,
        phase: phase
            .parse()
            .map_err(|_| StoreError::Corrupt(format!("phase {phase:?}")))?,
        creation_time: time(row.try_get_by("creation_time")?)?,
        start_time: optional_time(row, "start_time")?,
        end_time: optional_time(row, "end_time")?,
        unchanged: row.try_get_by("unchanged")?,
        message: row.try_get_by("message")?,
    })
}

fn optional_time(row: &QueryResult, column: &str) -> Result<Option<Timestamp>, StoreError> {
    row.try_get_by::<Option<i64>, _>(column)?.map(time).transpose()
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

/// The columns that [`held_product`] reads of the table.
pub(super) const COLUMNS: &str = "dashboard.digest, dashboard.files, dashboard.retired, dashboard.entry, \
    dashboard.surrogate_key, dashboard.purge_owed";

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
