//! What becomes of calls for dashboards: those whose job ended before it came to their product, and those for products
//! that there are not.

use sea_orm::Value;

use super::{
    Lease, Sql, Store, StoreError,
    dashboards::{PAUSES, ProductId},
    rows::{job_id, natural, text},
};
use crate::uws::JobId;

/// A call whose job has ended, and that nobody tries again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostCall {
    /// What was called for.
    pub product: ProductId,
    /// The job.
    pub job: JobId,
}

/// Jobs that failed without a word on their product: their workers died, their time was over, they panicked. Whoever
/// aborts a job does not want it.
const LOST: Sql = Sql::both(
    "SELECT k.key, j.id FROM job_key k JOIN job j ON j.id = k.job WHERE k.service = 'dashboard' \
     AND (j.phase = 'ERROR' OR (j.phase = 'ABORTED' AND j.error_message IS NOT NULL)) \
     AND NOT EXISTS (SELECT 1 FROM dashboard_job d WHERE d.job = j.id AND d.keeper || '/' || d.slug = k.key \
         AND (d.message IS NOT NULL OR d.unchanged IS NOT NULL)) \
     ORDER BY k.key LIMIT $1",
);

/// Only one replica takes it, and none if there is a newer job.
const TAKE: Sql = Sql::both(
    "UPDATE job_key SET job = NULL WHERE service = 'dashboard' AND key = $1 || '/' || $2 AND job = $3",
);

const NOTE: Sql = Sql::both(
    "INSERT INTO dashboard (keeper, slug, failures, retry_at) VALUES ($1, $2, 1, {now} + $3) \
     ON CONFLICT (keeper, slug) DO UPDATE SET failures = dashboard.failures + 1, retry_at = {now} + \
         CASE dashboard.failures WHEN 0 THEN $3 WHEN 1 THEN $4 WHEN 2 THEN $5 ELSE $6 END",
);

/// What was never published, and of which caches have nothing.
const FORGET: Sql = Sql::both(
    "DELETE FROM dashboard WHERE keeper = $1 AND slug = $2 AND missing AND published_at IS NULL AND NOT purge_owed \
     AND holder = $3 AND holder_fence = $4",
);

const FORGET_PARTS: Sql = Sql::both("DELETE FROM dashboard_job WHERE keeper = $1 AND slug = $2");

/// Unless another job is still to come.
const FORGET_KEY: Sql = Sql::both(
    "DELETE FROM job_key WHERE service = 'dashboard' AND key = $1 || '/' || $2 AND (job IS NULL OR job = $3 \
     OR NOT EXISTS (SELECT 1 FROM job j WHERE j.id = job_key.job \
         AND j.phase IN ('QUEUED', 'HELD', 'EXECUTING', 'SUSPENDED')))",
);

/// Jobs of an owner's that have not begun.
const QUEUED: Sql = Sql::both(
    "SELECT count(*) AS number FROM (SELECT 1 FROM job WHERE phase = 'QUEUED' AND owner = $1 LIMIT $2) AS jobs",
);

impl Store {
    /// Calls whose job has failed without a word on their product, at most so many.
    pub async fn lost_calls(&self, most: u64) -> Result<Vec<LostCall>, StoreError> {
        let rows = self.select(LOST, [natural(most).into()]).await?;
        let mut lost = Vec::with_capacity(rows.len());
        for row in &rows {
            let key: String = row.try_get_by("key")?;
            let (keeper, slug) = key
                .split_once('/')
                .ok_or_else(|| StoreError::Corrupt(format!("key {key:?} of a dashboard")))?;
            lost.push(LostCall {
                product: ProductId {
                    keeper: keeper.to_owned(),
                    slug: slug.to_owned(),
                },
                job: job_id(row)?,
            });
        }
        Ok(lost)
    }

    /// Notes that the product of a lost call is to be tried again, later each time; false if there is a newer job for it,
    /// or if another has noted it.
    pub async fn note_lost_call(&self, lost: &LostCall) -> Result<bool, StoreError> {
        let change = self.transaction().await?;
        let named = || [text(&lost.product.keeper), text(&lost.product.slug)];
        let mut taken = named().to_vec();
        taken.push(lost.job.0.into());
        if change.execute(TAKE, taken).await? == 0 {
            return Ok(false);
        }
        let mut noted = named().to_vec();
        noted.extend(PAUSES.map(Value::from));
        change.execute(NOTE, noted).await?;
        change.commit().await?;
        Ok(true)
    }

    /// Forgets a product that the job holds, if its Keeper never knew it; nothing that was published is forgotten.
    pub async fn forget_unknown(&self, product: &ProductId, lease: Lease) -> Result<(), StoreError> {
        let named = || vec![text(&product.keeper), text(&product.slug)];
        let mut held = named();
        held.extend([lease.job.0.into(), lease.fence.into()]);
        let change = self.transaction().await?;
        if change.execute(FORGET, held).await? > 0 {
            change.execute(FORGET_PARTS, named()).await?;
            change.forget_call(product, Some(lease.job)).await?;
        }
        change.commit().await
    }

    /// Forgets which job was made last for a product, unless another than this is still to come.
    pub(super) async fn forget_call(
        &self,
        product: &ProductId,
        job: Option<JobId>,
    ) -> Result<(), StoreError> {
        let values: [Value; 3] = [
            text(&product.keeper),
            text(&product.slug),
            job.map(|job| job.0).into(),
        ];
        self.execute(FORGET_KEY, values).await?;
        Ok(())
    }

    /// How many jobs of an owner's are QUEUED, counted up to `most`.
    pub async fn queued(&self, owner: &str, most: u64) -> Result<u64, StoreError> {
        let rows = self.rows(QUEUED, [text(owner), natural(most).into()]).await?;
        let number: i64 = rows.first().map_or(Ok(0), |row| row.try_get_by("number"))?;
        Ok(u64::try_from(number).unwrap_or_default())
    }
}
