//! Where a browser goes after the login: a path of our own, never another site's.

/// A path below the public URL, with its query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next(String);

/// Where a browser goes if nothing else was asked for.
const HOME: &str = "/app/";
/// Longest path, in bytes.
const MAX: usize = 2_000;

impl Next {
    /// This path; the app's first page if it is none of ours. A path begins with one `/`; what browsers take for another
    /// host (`//x`, `/\x`, a tab in between) and what leads back to the login is refused.
    pub fn new(path: Option<&str>) -> Self {
        let path = path.filter(|path| is_ours(path)).unwrap_or(HOME);
        Next(path.to_owned())
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_ours(path: &str) -> bool {
    let Ok(base) = url::Url::parse("https://sidereal.invalid") else {
        return false;
    };
    path.len() <= MAX
        && path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains('\\')
        && path.bytes().all(|byte| byte.is_ascii_graphic())
        && !path.to_ascii_lowercase().starts_with("/%2f")
        && !path.to_ascii_lowercase().starts_with("/%5c")
        && !has_dots(path)
        && base.join(path).is_ok_and(|url| {
            url.origin() == base.origin()
                && url.username().is_empty()
                && !url.path().starts_with("/account/")
                && !url.path().starts_with("//")
        })
}

/// Whether a segment of the path is `.` or `..`, written in any way: it could leave the public URL's own path.
fn has_dots(path: &str) -> bool {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let dotted = path.to_ascii_lowercase().replace("%2e", ".");
    dotted.split('/').any(|segment| matches!(segment, "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_paths_are_kept() {
        for path in [
            "/",
            "/app/",
            "/app/jobs?phase=ERROR&q=a%2Fb#x",
            "/docs",
            "/app/a//b",
        ] {
            assert_eq!(Next::new(Some(path)).as_str(), path);
        }
        assert_eq!(Next::new(None).as_str(), "/app/");
    }

    #[test]
    fn other_sites_are_not_gone_to() {
        for path in [
            "",
            "app",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\/evil",
            "/\t/evil.example",
            "/\n//evil",
            "https://evil.example/",
            "https:evil",
            "//user@evil.example/",
            "/%2f%2fevil.example",
            "/%5Cevil.example",
            "javascript:alert(1)",
            "/..//evil.example",
            "/./\\evil",
            "/account/login",
            "/x/../account/logout",
            "/../other-app/",
            "/%2E%2e/other-app/",
            "/./x",
            "/ü",
        ] {
            assert_eq!(Next::new(Some(path)).as_str(), "/app/", "{path:?}");
        }
        assert_eq!(
            Next::new(Some(&format!("/{}", "x".repeat(MAX)))).as_str(),
            "/app/"
        );
    }
}
