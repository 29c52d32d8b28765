//! What there is of each product, and what jobs have made of it, as JSON for the web app and for scripts.

use std::sync::Arc;

use poem::http::StatusCode;
use poem_openapi::{Object, OpenApi, param::Path};
use serde::Serialize;

use super::Site;
use crate::{
    auth::{self, Caller, Role},
    http::{Identified, JsonOf, Nothing, Problem, Reply},
    services::dashboard::{
        keeper::{Keeper, Wanted},
        page::Entry,
        request::Request,
    },
    store::{Listed, NewAudit, ProductId, ProductJob},
    uws::{Job, Timestamp},
};

/// Jobs of a product that are told.
const JOBS: usize = 50;
/// Jobs that are queued or run among which those of a product are looked for.
const UNDER_WAY: u64 = 1_000;

/// The API of dashboards; `None` if the service is not served.
pub struct Products(pub Option<Arc<Site>>);

/// The dashboard of a product.
#[derive(Debug, Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
pub struct Dashboard {
    /// Name of its LTD Keeper in the settings.
    pub keeper: String,
    /// Its slug.
    pub product: String,
    /// Its name for people.
    pub title: String,
    /// Where its dashboard lies below `/dashboards/`.
    pub path: String,
    /// How many editions it has.
    pub editions: u64,
    /// How many builds it has.
    pub builds: u64,
    /// When its pages last changed; null before there are any.
    pub published: Option<String>,
    /// When LTD Keeper last told of it.
    pub checked: Option<String>,
    /// When any of its editions got its build last.
    pub latest: Option<String>,
    /// Whether LTD Keeper knows it no more.
    pub missing: bool,
    /// Whether its pages stay as they were, since it has suddenly lost too much (`shrink_guard`).
    pub held: bool,
    /// Whether caches have not been told of its pages yet.
    pub purge_owed: bool,
}

/// Dashboards.
#[derive(Debug, Serialize, Object)]
pub struct DashboardList {
    /// By Keeper, in the order of the settings, and by slug.
    pub products: Vec<Dashboard>,
}

/// The dashboard of a product, and its jobs.
#[derive(Debug, Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
pub struct DashboardHistory {
    #[serde(flatten)]
    #[oai(flatten)]
    dashboard: Dashboard,
    /// Its newest jobs, newest first, at most 50, whosever they are.
    pub jobs: Vec<DashboardJob>,
}

/// A job that a product is part of.
#[derive(Debug, Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
pub struct DashboardJob {
    /// Last segment of the job's URL.
    pub job_id: String,
    /// Where it stands.
    pub phase: String,
    /// When it was created.
    pub creation_time: String,
    /// When it last entered EXECUTING.
    pub start_time: Option<String>,
    /// When it ended.
    pub end_time: Option<String>,
    /// Whether it left the product's pages as they were; null before it has come to them, or if it failed.
    pub unchanged: Option<bool>,
    /// Why it failed.
    pub message: Option<String>,
    /// Whether the caller may see the job itself.
    pub visible: bool,
}

#[OpenApi(prefix_path = "/api/v1")]
impl Products {
    /// The dashboards of documentation
    #[oai(path = "/dashboards", method = "get", operation_id = "listDashboards")]
    async fn all(&self, Identified(_caller): Identified) -> Result<Reply<JsonOf<DashboardList>>, Problem> {
        let site = self.site()?;
        let mut products = Vec::new();
        for keeper in site.dashboard.keepers.iter() {
            let listed = site.dashboard.store.products(&keeper.name).await;
            for product in listed.map_err(Problem::unavailable)? {
                // What its Keeper has never known was only asked for.
                if product.entry.is_some() || !product.missing {
                    products.push(shown(keeper, product)?);
                }
            }
        }
        Reply::<JsonOf<_>>::json(&DashboardList { products })
    }

    /// The dashboard of a product, and what jobs have made of it
    #[oai(
        path = "/dashboards/:keeper/:product",
        method = "get",
        operation_id = "getDashboard"
    )]
    async fn one(
        &self,
        /// Name of its LTD Keeper in the settings.
        keeper: Path<String>,
        /// Its slug.
        product: Path<String>,
        Identified(caller): Identified,
    ) -> Result<Reply<JsonOf<DashboardHistory>>, Problem> {
        let site = self.site()?;
        let keeper = site.dashboard.keepers.named(&keeper).ok_or_else(nowhere)?;
        let id = ProductId {
            keeper: keeper.name.clone(),
            slug: product.0,
        };
        let store = &site.dashboard.store;
        let listed = store.product(&id).await.map_err(Problem::unavailable)?;
        let dashboard = shown(keeper, listed.ok_or_else(nowhere)?)?;
        // Those that have not begun first: their parameters alone say what they are for.
        let under_way = store.jobs_under_way("dashboard", UNDER_WAY).await;
        let mut jobs: Vec<DashboardJob> = under_way
            .map_err(Problem::unavailable)?
            .iter()
            .filter(|job| site.is_for(job, &id))
            .map(|job| waiting(job, &caller))
            .collect();
        let begun = store.product_jobs(&id, JOBS as u64).await;
        let begun = begun.map_err(Problem::unavailable)?;
        jobs.retain(|job| begun.iter().all(|begun| begun.id.to_string() != job.job_id));
        jobs.extend(begun.iter().map(|job| told(job, &caller)));
        jobs.sort_by(|one, other| other.creation_time.cmp(&one.creation_time));
        jobs.truncate(JOBS);
        Reply::<JsonOf<_>>::json(&DashboardHistory { dashboard, jobs })
    }

    /// Removes the dashboard of a product
    ///
    /// Its pages and what is known of it; its jobs stay. One that LTD Keeper still knows comes back when it is called for
    /// or looked for.
    #[oai(
        path = "/dashboards/:keeper/:product",
        method = "delete",
        operation_id = "deleteDashboard"
    )]
    async fn delete(
        &self,
        /// Name of its LTD Keeper in the settings.
        keeper: Path<String>,
        /// Its slug.
        product: Path<String>,
        Identified(caller): Identified,
    ) -> Result<Reply<Nothing>, Problem> {
        let site = self.site()?;
        let keeper = site.dashboard.keepers.named(&keeper).ok_or_else(nowhere)?;
        let id = ProductId {
            keeper: keeper.name.clone(),
            slug: product.0,
        };
        Self::remove(site, keeper, &id, &caller).await?;
        Ok(Reply::done())
    }
}

impl Products {
    /// Removes the pages of a product whose jobs are over, and forgets it. What its Keeper still knows comes back.
    async fn remove(site: &Site, keeper: &Keeper, id: &ProductId, caller: &Caller) -> Result<(), Problem> {
        let busy = || {
            Problem::new(
                StatusCode::CONFLICT,
                "a job is at this product: wait for its end, or abort it",
            )
        };
        let store = &site.dashboard.store;
        let listed = store.product(id).await.map_err(Problem::unavailable)?;
        let listed = listed.ok_or_else(nowhere)?;
        if listed.busy || !store.begin_removal(id).await.map_err(Problem::unavailable)? {
            return Err(busy());
        }
        let results = &site.dashboard.results;
        let folder = format!("{}/", keeper.folder(&id.slug));
        let removed = results.delete_prefix(&folder).await;
        removed.map_err(Problem::unavailable)?;
        if let (Some(cache), Some(keys)) = (&site.dashboard.cache, &listed.surrogate_key) {
            cache.purge(keys).await.map_err(Problem::unavailable)?;
        }
        // Last, so that it can be done again if it did not come so far.
        let change = store.transaction().await.map_err(Problem::unavailable)?;
        if !change.forget_product(id).await.map_err(Problem::unavailable)? {
            drop(change);
            // A job came in between: it, or one of those that look at what is published, puts back what it lost.
            store.begin_removal(id).await.map_err(Problem::unavailable)?;
            return Err(busy());
        }
        let entry = NewAudit {
            actor: Some(caller.name.clone()),
            action: "dashboard removed".into(),
            subject: format!("{}/{}", id.keeper, id.slug),
            address: caller.address.map(|address| address.to_string()),
            ..NewAudit::default()
        };
        auth::record(&change, &entry)
            .await
            .map_err(Problem::unavailable)?;
        change.commit().await.map_err(Problem::unavailable)
    }

    fn site(&self) -> Result<&Arc<Site>, Problem> {
        self.0
            .as_ref()
            .ok_or_else(|| Problem::not_found("service not found"))
    }
}

impl Site {
    /// Whether a job asks for this product.
    fn is_for(&self, job: &Job, product: &ProductId) -> bool {
        let is_it = |wanted: &Wanted<'_>| wanted.keeper.name == product.keeper && wanted.slug == product.slug;
        Request::read(&self.dashboard.keepers, &job.parameters)
            .is_ok_and(|request| request.products.iter().any(is_it))
    }
}

fn nowhere() -> Problem {
    Problem::not_found("dashboard not found")
}

fn shown(keeper: &Keeper, product: Listed) -> Result<Dashboard, Problem> {
    let entry: Option<Entry> = product
        .entry
        .as_deref()
        .map(serde_json::from_str)
        .transpose()
        .map_err(Problem::internal)?;
    let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
    let counts = entry
        .as_ref()
        .map_or((0, 0), |entry| (entry.editions, entry.builds));
    Ok(Dashboard {
        keeper: keeper.name.clone(),
        title: entry
            .as_ref()
            .map_or_else(|| product.slug.clone(), |entry| entry.title.clone()),
        path: keeper.path(&product.slug),
        product: product.slug,
        editions: counts.0,
        builds: counts.1,
        published: time(product.published),
        checked: time(product.checked),
        latest: entry
            .and_then(|entry| entry.latest)
            .and_then(|latest| Timestamp::from_millis(latest.timestamp_millis()))
            .map(|latest| latest.to_string()),
        missing: product.missing,
        held: product.held.is_some(),
        purge_owed: product.purge_owed,
    })
}

fn may_see(caller: &Caller, owner: &str) -> bool {
    caller.name == owner || caller.has(Role::Operator)
}

fn waiting(job: &Job, caller: &Caller) -> DashboardJob {
    DashboardJob {
        job_id: job.id.to_string(),
        phase: job.phase.to_string(),
        creation_time: job.creation_time.to_string(),
        start_time: job.start_time.map(|time| time.to_string()),
        end_time: None,
        unchanged: None,
        message: None,
        visible: job.owner.as_deref().is_some_and(|owner| may_see(caller, owner)),
    }
}

fn told(job: &ProductJob, caller: &Caller) -> DashboardJob {
    DashboardJob {
        job_id: job.id.to_string(),
        phase: job.phase.to_string(),
        creation_time: job.creation_time.to_string(),
        start_time: job.start_time.map(|time| time.to_string()),
        end_time: job.end_time.map(|time| time.to_string()),
        unchanged: job.unchanged,
        message: job.message.clone(),
        visible: may_see(caller, &job.owner),
    }
}
