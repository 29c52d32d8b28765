//! Who may ask for what: one row for every route of the OpenAPI document. A route without a row is closed.
//!
//! A row says who may knock; whose job it is, `jobs` decides for each.

use std::{collections::HashMap, sync::LazyLock};

use super::{Role, Scope};

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Everyone, known or not.
    Anyone,
    /// Callers with a role, for what is their own or what all share.
    User,
    /// The owner of the job in the path, and operators.
    Owner,
    /// The owner of the job in the path, and nobody else.
    OwnerAlone,
    /// Operators and administrators.
    Operator,
    /// Administrators.
    Admin,
}

impl Who {
    /// The least role; `None` where no caller is needed.
    pub fn role(self) -> Option<Role> {
        match self {
            Who::Anyone => None,
            Who::User | Who::Owner | Who::OwnerAlone => Some(Role::User),
            Who::Operator => Some(Role::Operator),
            Who::Admin => Some(Role::Admin),
        }
    }
}

/// What an API token must have been made for, by the method of the request.
pub fn scope(method: &str) -> Scope {
    if matches!(method, "GET" | "HEAD" | "OPTIONS") {
        Scope::Read
    } else {
        Scope::Write
    }
}

/// Methods, path as the OpenAPI document has it, who.
pub const POLICY: &[(&str, &str, Who)] = &[
    // UWS.
    ("GET POST", "/api/{service}/async", Who::User),
    ("GET POST DELETE", "/api/{service}/async/{id}", Who::Owner),
    ("GET POST", "/api/{service}/async/{id}/phase", Who::Owner),
    (
        "GET POST",
        "/api/{service}/async/{id}/executionduration",
        Who::Owner,
    ),
    ("GET POST", "/api/{service}/async/{id}/destruction", Who::Owner),
    ("GET", "/api/{service}/async/{id}/quote", Who::Owner),
    ("GET", "/api/{service}/async/{id}/owner", Who::Owner),
    ("GET", "/api/{service}/async/{id}/error", Who::Owner),
    ("GET POST", "/api/{service}/async/{id}/parameters", Who::Owner),
    ("GET", "/api/{service}/async/{id}/parameters/{name}", Who::Owner),
    ("GET", "/api/{service}/async/{id}/results", Who::Owner),
    ("GET", "/api/{service}/async/{id}/results/{name}", Who::Owner),
    // VO clients read these before they have anything to show.
    ("GET", "/api/{service}/capabilities", Who::Anyone),
    ("GET", "/api/{service}/availability", Who::Anyone),
    ("GET", "/api/v1/services", Who::Anyone),
    // JSON over all services.
    ("GET POST", "/api/v1/jobs", Who::User),
    ("GET", "/api/v1/jobs/counts", Who::User),
    ("POST", "/api/v1/jobs/bulk", Who::User),
    ("GET PATCH DELETE", "/api/v1/jobs/{id}", Who::Owner),
    ("POST", "/api/v1/jobs/{id}/hold", Who::Operator),
    ("GET", "/api/v1/jobs/{id}/log", Who::Owner),
    ("GET", "/api/v1/jobs/{id}/shares", Who::Owner),
    ("POST", "/api/v1/jobs/{id}/shares", Who::OwnerAlone),
    ("DELETE", "/api/v1/jobs/{id}/shares/{share}", Who::Owner),
    ("GET", "/api/v1/cutout/collections", Who::User),
    ("GET", "/api/v1/cutout/collections/{name}", Who::User),
    ("GET", "/api/v1/events", Who::User),
    ("GET", "/api/v1/me", Who::User),
    ("GET", "/api/v1/admin/queue", Who::Operator),
    ("POST", "/api/v1/admin/workers/{id}/drain", Who::Operator),
    ("POST", "/api/v1/admin/workers/{id}/resume", Who::Operator),
    ("GET", "/api/v1/admin/users", Who::Admin),
    ("PATCH", "/api/v1/admin/users/{name}", Who::Admin),
    ("DELETE", "/api/v1/admin/users/{name}/sessions", Who::Admin),
    ("GET", "/api/v1/admin/audit", Who::Admin),
    // Whoever has the link.
    ("GET", "/share/{secret}", Who::Anyone),
    ("GET", "/share/{secret}/{id}", Who::Anyone),
    ("GET", "/share/{secret}/{id}/results", Who::Anyone),
    ("GET", "/share/{secret}/{id}/results/{name}", Who::Anyone),
    ("GET", "/share/{secret}/{id}/parameters/{name}", Who::Anyone),
    // The provider of logins and its browsers bring what they are known by along.
    ("GET", "/account/provider", Who::Anyone),
    ("GET", "/account/login", Who::Anyone),
    ("GET", "/account/callback", Who::Anyone),
    // A browser whose session has ended still has a cookie and a login at the provider to lose.
    ("POST", "/account/logout", Who::Anyone),
    ("GET", "/account/logout/{secret}", Who::Anyone),
    ("POST", "/account/backchannel-logout", Who::Anyone),
    ("POST", "/account/token/create", Who::User),
    ("GET", "/account/token", Who::User),
    ("DELETE", "/account/token/{id}", Who::User),
];

/// The row of a method and path, whatever the names of the path's parameters (`{name}` or `:name`); HEAD is as GET.
pub fn who(method: &str, path: &str) -> Option<Who> {
    static ROWS: LazyLock<HashMap<(&str, String), Who>> = LazyLock::new(|| {
        let rows = POLICY.iter().flat_map(|(methods, path, who)| {
            methods
                .split(' ')
                .map(move |method| ((method, nameless(path)), *who))
        });
        rows.collect()
    });
    let method = if method == "HEAD" { "GET" } else { method };
    ROWS.get(&(method, nameless(path))).copied()
}

fn nameless(path: &str) -> String {
    let segments = path.split('/').map(|segment| {
        if segment.starts_with(['{', ':']) {
            "*"
        } else {
            segment
        }
    });
    segments.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_route_has_one_row_and_others_none() {
        let rows: usize = POLICY
            .iter()
            .map(|(methods, ..)| methods.split(' ').count())
            .sum();
        let named: std::collections::HashSet<_> = POLICY
            .iter()
            .flat_map(|(methods, path, _)| methods.split(' ').map(move |method| (method, path)))
            .collect();
        assert_eq!(named.len(), rows);
        assert_eq!(who("HEAD", "/api/v1/me"), Some(Who::User));
        assert_eq!(who("DELETE", "/api/:param0/async/:param1"), Some(Who::Owner));
        assert_eq!(who("POST", "/api/v1/me"), None);
        assert_eq!(who("GET", "/api/v1/secrets"), None);
    }
}
