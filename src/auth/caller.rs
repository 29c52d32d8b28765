//! Who is asking: the caller of a request and the roles that it holds.

use std::{net::IpAddr, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::store::NewAudit;

/// What a caller may do, each including the ones before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Own jobs.
    User,
    /// Everyone's jobs.
    Operator,
    /// Settings, quotas, users.
    Admin,
}

/// The authenticated origin of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// Public name, shown as the owner of its jobs.
    pub name: String,
    /// Highest role held.
    pub role: Role,
    /// What the caller may have at once.
    pub limits: Limits,
    /// Where the request comes from, as far as proxies are trusted; for the record.
    pub address: Option<IpAddr>,
}

/// What one person may have at once; `None` means any number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Jobs in EXECUTING.
    pub running: Option<u64>,
    /// Jobs in QUEUED or HELD.
    pub queued: Option<u64>,
    /// Jobs in PENDING.
    pub pending: Option<u64>,
    /// Positions of one cutout job.
    pub positions: Option<u64>,
    /// Bytes of stored results and files.
    pub stored_bytes: Option<u64>,
    /// Requests, each second.
    pub requests_per_second: Option<u64>,
}

impl Role {
    /// Its name, as tokens have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::User => "user",
            Role::Operator => "operator",
            Role::Admin => "admin",
        }
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        match text {
            "user" => Ok(Role::User),
            "operator" => Ok(Role::Operator),
            "admin" => Ok(Role::Admin),
            _ => Err(UnknownRole),
        }
    }
}

/// A word that names none of our roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected user, operator or admin")]
pub struct UnknownRole;

impl Caller {
    /// The one user of mode `local`, who holds every role.
    pub fn local() -> Self {
        Caller {
            name: "local".into(),
            role: Role::Admin,
            limits: Limits::default(),
            address: None,
        }
    }

    /// An entry of the record: what the caller did, and to what.
    pub fn entry(&self, action: &str, subject: impl Into<String>, detail: impl Into<String>) -> NewAudit {
        NewAudit {
            actor: Some(self.name.clone()),
            action: action.into(),
            subject: subject.into(),
            detail: detail.into(),
            address: self.address.map(|address| address.to_string()),
        }
    }

    /// Whether the caller holds `role` or a higher one.
    pub fn has(&self, role: Role) -> bool {
        self.role >= role
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_includes_the_ones_before() {
        let operator = Caller {
            name: "o".into(),
            role: Role::Operator,
            limits: Limits::default(),
            address: None,
        };
        assert!(operator.has(Role::User) && operator.has(Role::Operator) && !operator.has(Role::Admin));
        assert!(Caller::local().has(Role::Admin));
    }
}
