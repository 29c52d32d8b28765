//! Who is asking: the caller of a request and the roles that it holds.
//!
//! Calls `store`, `net`, `uws` and `settings`. What a caller may do to a job is decided in `jobs`.

use serde::{Deserialize, Serialize};

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
}

impl Caller {
    /// The one user of mode `local`, who holds every role.
    pub fn local() -> Self {
        Caller {
            name: "local".into(),
            role: Role::Admin,
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
        };
        assert!(operator.has(Role::User) && operator.has(Role::Operator) && !operator.has(Role::Admin));
        assert!(Caller::local().has(Role::Admin));
    }
}
