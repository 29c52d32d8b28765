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

/// What an API token must have been made for, by the method and path of the request. A synchronous request may make a
/// job, whatever its method.
pub fn scope(method: &str, path: &str) -> Scope {
    let mut segments = path.rsplit('/');
    let waits = segments.next() == Some("sync") && segments.nth(1) == Some("api");
    if matches!(method, "GET" | "HEAD" | "OPTIONS") && !waits {
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
    ("GET POST", "/api/{service}/sync", Who::User),
    // VO clients read these before they have anything to show.
    ("GET", "/api/{service}/capabilities", Who::Anyone),
    ("GET", "/api/{service}/availability", Who::Anyone),
    ("GET", "/api/v1/services", Who::Anyone),
    // Images, for whoever may cut them.
    ("GET POST", "/api/cutout/query", Who::User),
    ("GET POST", "/api/cutout/links", Who::User),
    ("GET", "/api/cutout/image", Who::User),
    ("GET", "/api/cutout/examples", Who::User),
    // JSON over all services.
    ("GET POST", "/api/v1/jobs", Who::User),
    ("GET", "/api/v1/jobs/counts", Who::User),
    ("POST", "/api/v1/jobs/bulk", Who::User),
    ("GET PATCH DELETE", "/api/v1/jobs/{id}", Who::Owner),
    ("POST", "/api/v1/jobs/{id}/hold", Who::Operator),
    ("GET", "/api/v1/jobs/{id}/log", Who::Owner),
    ("POST", "/api/v1/jobs/{id}/retry", Who::Owner),
    ("GET", "/api/v1/jobs/{id}/archive", Who::Owner),
    ("GET", "/api/v1/jobs/{id}/script", Who::Owner),
    ("GET", "/api/v1/jobs/{id}/shares", Who::Owner),
    ("POST", "/api/v1/jobs/{id}/shares", Who::OwnerAlone),
    ("DELETE", "/api/v1/jobs/{id}/shares/{share}", Who::Owner),
    ("GET", "/api/v1/jobs/{id}/results/{name}/preview", Who::Owner),
    ("GET", "/api/v1/cutout/preview", Who::User),
    ("POST", "/api/v1/cutout/check", Who::User),
    ("GET", "/api/v1/cutout/collections", Who::User),
    ("GET", "/api/v1/cutout/collections/{name}", Who::User),
    ("DELETE", "/api/v1/cutout/collections/{name}", Who::Operator),
    ("GET", "/api/v1/cutout/collections/{name}/images", Who::User),
    ("GET", "/api/v1/cutout/collections/{name}/footprints", Who::User),
    ("GET", "/api/v1/cutout/images/{id}", Who::User),
    ("GET", "/api/v1/dashboards", Who::User),
    ("GET", "/api/v1/dashboards/{keeper}/{product}", Who::User),
    ("DELETE", "/api/v1/dashboards/{keeper}/{product}", Who::Operator),
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
    ("GET", "/share/{secret}/archive", Who::Anyone),
    ("GET", "/share/{secret}/script", Who::Anyone),
    ("GET", "/share/{secret}/{id}", Who::Anyone),
    ("GET", "/share/{secret}/{id}/results", Who::Anyone),
    ("GET", "/share/{secret}/{id}/results/{name}", Who::Anyone),
    ("GET", "/share/{secret}/{id}/results/{name}/preview", Who::Anyone),
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

/// What is served beside the OpenAPI document. `{*…}` at the end of a path is any number of segments, also an empty one.
pub const BESIDE: &[(&str, &str, Who)] = &[
    ("GET", "/openapi.json", Who::Anyone),
    ("GET", "/docs", Who::Anyone),
    // The web app's files hold nobody's data; what it shows it asks for.
    ("GET", "/", Who::Anyone),
    ("GET", "/app", Who::Anyone),
    ("GET", "/app/{*path}", Who::Anyone),
    // LTD Dasher's API: its handler knows who has the Keeper's secret.
    ("POST", "/build", Who::Anyone),
    ("GET", "/healthz", Who::Anyone),
    // Dashboards are public, or their handler asks who it is.
    ("GET", "/dashboards", Who::Anyone),
    ("GET", "/dashboards/{*path}", Who::Anyone),
    ("GET", LIVE, Who::Anyone),
    ("GET", READY, Who::Anyone),
];

/// What pages of any origin may read, with a token or without: what clients of the Virtual Observatory that run in a
/// browser need. None of it shows or changes an account or a job, but for what is asked for at `sync` with a token.
const CROSS_ORIGIN: [&str; 7] = [
    "/api/{service}/capabilities",
    "/api/{service}/availability",
    "/api/{service}/sync",
    "/api/cutout/query",
    "/api/cutout/links",
    "/api/cutout/image",
    "/api/cutout/examples",
];

/// Probes of whoever runs the server, which lie at the root whatever the public URL is.
pub const LIVE: &str = "/livez";
/// Likewise.
pub const READY: &str = "/readyz";

/// What the policy says of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row {
    /// There is a row: these may.
    Of(Who),
    /// The path, as the policy has it, is there for other methods.
    OtherMethods(&'static str),
    /// Nobody may: there is nothing here.
    Closed,
}

/// All rows of one path.
struct Lane {
    path: &'static str,
    /// None is a parameter: any text but the empty one.
    segments: Vec<Option<&'static str>>,
    /// Whether any segments may follow, and one does.
    open: bool,
    methods: HashMap<&'static str, Who>,
}

static LANES: LazyLock<Vec<Lane>> = LazyLock::new(|| {
    let mut lanes: Vec<Lane> = Vec::new();
    for (methods, path, who) in POLICY.iter().chain(BESIDE) {
        let methods = methods.split(' ').map(|method| (method, *who));
        if let Some(lane) = lanes
            .iter_mut()
            .find(|lane| nameless(lane.path) == nameless(path))
        {
            lane.methods.extend(methods);
        } else {
            let (fixed, open) = match path.split_once("/{*") {
                Some((fixed, _)) => (fixed, true),
                None => (*path, false),
            };
            lanes.push(Lane {
                path,
                open,
                segments: fixed
                    .split('/')
                    .map(|segment| (!segment.starts_with('{')).then_some(segment))
                    .collect(),
                methods: methods.collect(),
            });
        }
    }
    // As the router does: of two that fit, the one whose text is given earlier.
    lanes.sort_by_key(|lane| {
        let open: Vec<bool> = lane.segments.iter().map(Option::is_none).collect();
        (lane.open, open)
    });
    lanes
});

/// What the policy says of a request for this path below the public URL; HEAD is as GET.
pub fn row(method: &str, path: &str) -> Row {
    let Some(lane) = lane(path) else {
        return Row::Closed;
    };
    match lane.methods.get(read_as(method)) {
        Some(who) => Row::Of(*who),
        None => Row::OtherMethods(lane.path),
    }
}

/// Whether pages of any origin may read what is at this path below the public URL.
pub fn is_cross_origin(path: &str) -> bool {
    lane(path).is_some_and(|lane| CROSS_ORIGIN.contains(&lane.path))
}

fn lane(path: &str) -> Option<&'static Lane> {
    let asked: Vec<&str> = path.split('/').collect();
    let fits = |lane: &&Lane| {
        let fits = if lane.open {
            lane.segments.len() < asked.len()
        } else {
            lane.segments.len() == asked.len()
        };
        fits && lane.segments.iter().zip(&asked).all(|(ours, asked)| match ours {
            Some(text) => text == asked,
            None => !asked.is_empty(),
        })
    };
    LANES.iter().find(fits)
}

/// The row of a method and a path's pattern, whatever the names of its parameters (`{name}` or `:name`); HEAD is as GET.
pub fn who(method: &str, pattern: &str) -> Option<Who> {
    let pattern = nameless(pattern);
    let lane = LANES.iter().find(|lane| nameless(lane.path) == pattern)?;
    lane.methods.get(read_as(method)).copied()
}

fn read_as(method: &str) -> &str {
    if method == "HEAD" { "GET" } else { method }
}

fn nameless(path: &str) -> String {
    let segments = path.split('/').map(|segment| {
        if segment.starts_with("{*") || segment.starts_with('*') {
            "**"
        } else if segment.starts_with(['{', ':']) {
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
        assert_eq!(scope("GET", "/api/cutout/async"), Scope::Read);
        assert_eq!(scope("GET", "/api/cutout/sync"), Scope::Write);
        assert_eq!(scope("GET", "/api/cutout/async/1/results/sync"), Scope::Read);
    }

    #[test]
    fn pages_of_other_origins_read_what_the_virtual_observatory_needs_alone() {
        for path in ["/api/cutout/sync", "/api/echo/capabilities", "/api/cutout/image"] {
            assert!(is_cross_origin(path), "{path}");
        }
        for path in [
            "/api/cutout/async",
            "/api/cutout/async/1",
            "/api/v1/me",
            "/api/v1/services",
            "/api/v1/cutout/preview",
            "/account/token",
            "/share/x",
            "/app/sync",
            "/api//sync",
        ] {
            assert!(!is_cross_origin(path), "{path}");
        }
        for path in CROSS_ORIGIN {
            assert!(who("GET", path).is_some(), "{path} is served");
        }
    }

    #[test]
    fn a_request_has_the_row_that_the_router_takes_and_what_has_none_is_closed() {
        for (method, path, expected) in [
            ("GET", "/api/v1/jobs", Row::Of(Who::User)),
            ("HEAD", "/api/v1/jobs/counts", Row::Of(Who::User)),
            ("GET", "/api/v1/jobs/1", Row::Of(Who::Owner)),
            ("GET", "/api/v1/async", Row::Of(Who::User)),
            ("GET", "/api/echo/async/1/results/a.b", Row::Of(Who::Owner)),
            ("GET", "/api/v1/admin/audit", Row::Of(Who::Admin)),
            ("GET", "/livez", Row::Of(Who::Anyone)),
            ("POST", "/api/v1/jobs/1/shares", Row::Of(Who::OwnerAlone)),
            (
                "PUT",
                "/api/v1/jobs/1/shares",
                Row::OtherMethods("/api/v1/jobs/{id}/shares"),
            ),
            ("get", "/api/v1/me", Row::OtherMethods("/api/v1/me")),
            ("GET", "/api/v1/secrets", Row::Closed),
            ("GET", "/api/v1/admin/%61udit", Row::Closed),
            ("GET", "/api/v1/me/", Row::Closed),
            ("GET", "/api//async", Row::Closed),
            ("GET", "", Row::Closed),
            ("GET", "/", Row::Of(Who::Anyone)),
            ("GET", "/app", Row::Of(Who::Anyone)),
            ("HEAD", "/app/", Row::Of(Who::Anyone)),
            ("GET", "/app/jobs/1/x", Row::Of(Who::Anyone)),
            ("POST", "/app/jobs", Row::OtherMethods("/app/{*path}")),
            ("GET", "/apple", Row::Closed),
            ("GET", "//app/", Row::Closed),
        ] {
            assert_eq!(row(method, path), expected, "{method} {path}");
        }
    }
}
