//! Lists, searches, counts, and acts upon many jobs at once: of the caller's own, unless an operator asks for more.

use std::collections::BTreeMap;

use super::{Jobs, JobsError, Place, operate::operator};
use crate::{
    auth::Caller,
    engine::UsageError,
    store::{Filter, JobSummary},
    uws::{JobId, JobRef, Phase, Timestamp},
};

/// The owner that stands for everyone.
const EVERYONE: &str = "*";
/// Most entries of a page.
const MAX_LIMIT: u64 = 1_000;
/// Most jobs of one bulk act; the client repeats it.
const MAX_BULK: u64 = 10_000;

/// The filters of UWS's list (UWS 1.1 section 2.2.2.1), all of which must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListFilter {
    /// In one of these phases; empty means all.
    pub phases: Vec<Phase>,
    /// Created strictly after.
    pub after: Option<Timestamp>,
    /// So many of the newest.
    pub last: Option<u64>,
}

/// What `/api/v1/jobs` can be asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchFilter {
    /// Of this owner, or of everyone (`*`), which is for operators; `None` means the caller.
    pub owner: Option<String>,
    /// Of one of these services; empty means all.
    pub services: Vec<String>,
    /// In one of these phases; empty means all.
    pub phases: Vec<Phase>,
    /// With exactly this label.
    pub label: Option<String>,
    /// Created strictly after.
    pub after: Option<Timestamp>,
    /// Created strictly before.
    pub before: Option<Timestamp>,
    /// With this text in the label, or this beginning of the id.
    pub q: Option<String>,
}

/// A page of a search, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The jobs.
    pub items: Vec<JobSummary>,
    /// What to ask for next; `None` at the end.
    pub next: Option<String>,
}

/// What to do with many jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulkAction {
    /// Abort those that have not ended.
    Abort,
    /// Destroy.
    Delete,
}

/// Which jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BulkTarget {
    /// These.
    Ids(Vec<JobId>),
    /// All that a search finds.
    Filter(SearchFilter),
}

/// How one job of a bulk act fared.
#[derive(Debug)]
pub struct BulkOutcome {
    /// The job.
    pub id: JobId,
    /// What went wrong, if anything.
    pub error: Option<JobsError>,
}

impl SearchFilter {
    fn of(&self, caller: &Caller) -> Result<Filter, JobsError> {
        let owner = match self.owner.as_deref() {
            None => Some(caller.name.clone()),
            Some(owner) if owner == caller.name => Some(caller.name.clone()),
            Some(owner) => {
                operator(caller)?;
                (owner != EVERYONE).then(|| owner.to_owned())
            }
        };
        Ok(Filter {
            owner,
            services: self.services.clone(),
            phases: self.phases.clone(),
            label: self.label.clone(),
            after: self.after,
            before: self.before,
            text: self.q.clone(),
        })
    }
}

impl Jobs {
    /// The caller's jobs of one service, newest first.
    pub async fn list(
        &self,
        caller: &Caller,
        service: &str,
        filter: &ListFilter,
    ) -> Result<Vec<JobRef>, JobsError> {
        self.service(service).ok_or(JobsError::NotFound("service"))?;
        let last = filter.last;
        let filter = Filter {
            owner: Some(caller.name.clone()),
            services: vec![service.to_owned()],
            phases: filter.phases.clone(),
            after: filter.after,
            ..Filter::default()
        };
        Ok(self.engine.store.refs(&filter, last).await?)
    }

    /// One page of the jobs that the filter means, newest first. `cursor` is the `next` of the page before.
    pub async fn search(
        &self,
        caller: &Caller,
        filter: &SearchFilter,
        cursor: Option<&str>,
        limit: u64,
    ) -> Result<Page, JobsError> {
        let before = cursor.map(read_cursor).transpose()?;
        let limit = limit.clamp(1, MAX_LIMIT);
        let mut items = self
            .engine
            .store
            .list(&filter.of(caller)?, before, limit + 1)
            .await?;
        let more = items.len() as u64 > limit;
        items.truncate(limit as usize);
        let next = if more { items.last().map(cursor_of) } else { None };
        Ok(Page { items, next })
    }

    /// How many of the jobs that the filter means stand in each phase.
    pub async fn counts(
        &self,
        caller: &Caller,
        filter: &SearchFilter,
    ) -> Result<BTreeMap<Phase, u64>, JobsError> {
        Ok(self.engine.store.counts(&filter.of(caller)?).await?)
    }

    /// Acts upon many jobs, and tells how each fared.
    pub async fn bulk(
        &self,
        caller: &Caller,
        action: BulkAction,
        target: &BulkTarget,
    ) -> Result<Vec<BulkOutcome>, JobsError> {
        let ids = match target {
            BulkTarget::Ids(ids) if ids.len() as u64 > MAX_BULK => {
                return Err(UsageError::new("ids", format!("expected at most {MAX_BULK}")).into());
            }
            BulkTarget::Ids(ids) => ids.clone(),
            BulkTarget::Filter(filter) => self.matching(caller, action, filter).await?,
        };
        let mut outcomes = Vec::with_capacity(ids.len());
        for id in ids {
            let place = Place { service: None, id };
            let done = match action {
                BulkAction::Abort => self.abort(caller, place).await.map(|_| ()),
                BulkAction::Delete => self.delete(caller, place).await,
            };
            outcomes.push(BulkOutcome {
                id,
                error: done.err(),
            });
        }
        Ok(outcomes)
    }

    /// The jobs that a filter means for an act: none that have ended for an abort.
    async fn matching(
        &self,
        caller: &Caller,
        action: BulkAction,
        filter: &SearchFilter,
    ) -> Result<Vec<JobId>, JobsError> {
        let mut filter = filter.of(caller)?;
        if action == BulkAction::Abort {
            let abortable = |phase: &Phase| !phase.is_terminal();
            if filter.phases.is_empty() {
                filter.phases = Phase::ALL.into();
            }
            filter.phases.retain(abortable);
            if filter.phases.is_empty() {
                return Ok(Vec::new());
            }
        }
        Ok(self
            .engine
            .store
            .refs(&filter, Some(MAX_BULK))
            .await?
            .into_iter()
            .map(|job| job.id)
            .collect())
    }
}

fn cursor_of(summary: &JobSummary) -> String {
    format!(
        "{}-{}",
        summary.job.creation_time.millis(),
        summary.job.id.0.simple()
    )
}

fn read_cursor(cursor: &str) -> Result<(Timestamp, JobId), JobsError> {
    let fault = || UsageError::new("cursor", "expected the `next` of the page before");
    let (millis, id) = cursor.rsplit_once('-').ok_or_else(fault)?;
    let time = millis
        .parse()
        .ok()
        .and_then(Timestamp::from_millis)
        .ok_or_else(fault)?;
    let id = uuid::Uuid::try_parse(id).map_err(|_| fault())?;
    Ok((time, JobId(id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_read_as_written_and_nonsense_is_refused() {
        let (time, id) = (Timestamp::from_millis(1_700_000_000_123).unwrap(), JobId::new());
        assert_eq!(
            read_cursor(&format!("{}-{}", time.millis(), id.0.simple())).unwrap(),
            (time, id)
        );
        for cursor in [
            "",
            "-",
            "x-y",
            "1-",
            "99999999999999999999-00000000000000000000000000000000",
        ] {
            assert!(read_cursor(cursor).is_err(), "{cursor}");
        }
    }
}
