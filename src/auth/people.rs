//! The people of this server, as administrators see them: roles, quotas, logins, and the record of what was done.

use super::{Auth, Known, record};
use crate::store::{AuditEntry, AuditFilter, Person, Quota, StoreError};

/// What an administrator has taken from a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Sessions of browsers.
    pub sessions: u64,
    /// API tokens.
    pub tokens: u64,
}

impl Auth {
    /// People by name, after this one.
    pub async fn people(&self, after: Option<&str>, limit: u64) -> Result<Vec<Person>, StoreError> {
        self.0.store.people(after.unwrap_or_default(), limit).await
    }

    /// The person of this name.
    pub async fn person(&self, name: &str) -> Result<Option<Person>, StoreError> {
        self.0.store.person(name).await
    }

    /// Sets what a person may have at once; what is `None` is as the settings say.
    pub async fn set_quota(
        &self,
        by: &Known,
        name: &str,
        quota: &Quota,
    ) -> Result<Option<Person>, StoreError> {
        let change = self.0.store.transaction().await?;
        let person = change.set_quota(name, *quota).await?;
        if person.is_some() {
            let entry = by.caller.entry("quota set", name, format!("{quota:?}"));
            record(&change, &entry).await?;
        }
        change.commit().await?;
        Ok(person)
    }

    /// Ends a person's sessions and revokes the API tokens: what the person asks for next needs a new login.
    pub async fn end_all(&self, by: &Known, name: &str) -> Result<Option<Ended>, StoreError> {
        let Some(person) = self.0.store.person(name).await? else {
            return Ok(None);
        };
        let change = self.0.store.transaction().await?;
        let sessions = change.end_sessions(Some(&person.subject), None).await?;
        let tokens = change.revoke_tokens(&person.subject).await?;
        let detail = format!("{sessions} sessions, {tokens} tokens");
        let entry = by.caller.entry("sessions and tokens ended", name, detail);
        record(&change, &entry).await?;
        change.commit().await?;
        Ok(Some(Ended { sessions, tokens }))
    }

    /// What was done as far as the filter means it, newest first, before the entry of this number.
    pub async fn audit_log(
        &self,
        filter: &AuditFilter,
        before: Option<i64>,
        limit: u64,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        self.0.store.audit_log(filter, before, limit).await
    }
}
