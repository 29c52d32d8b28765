//! The page of the web app: index.html with what differs from place to place and from answer to answer, and what the
//! page may do.

use aws_lc_rs::rand;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use poem::{
    Response,
    http::{HeaderName, StatusCode, header},
};

use super::super::{page::escaped, problem::Problem};

/// Stands where the nonce is to be.
const NONCE: &str = "__CSP_NONCE__";
/// Where the web app learns of a base path.
const BASE: &str = "name=\"sidereal-base\" content=\"\"";
/// Nothing that a page could ask for is needed.
const PERMISSIONS: &str = "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()";
const COOP: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

/// A page, up to its nonces.
pub struct Document(Vec<String>);

impl Document {
    /// Of index.html, served below this path (without a slash at its end).
    pub fn new(html: &str, base_path: &str) -> Self {
        let base = escaped(base_path);
        let html = html
            .replace("=\"/app/", &format!("=\"{base}/app/"))
            .replace(BASE, &format!("name=\"sidereal-base\" content=\"{base}\""));
        Document(html.split(NONCE).map(str::to_owned).collect())
    }

    /// The page with a nonce of its own.
    ///
    /// The address of a shared job's page is its key: it goes to nobody else, also of this server, and into no index.
    pub fn answer(&self, policy: Policy) -> Result<Response, Problem> {
        let mut random = [0; 18];
        rand::fill(&mut random).map_err(|_| Problem::internal("the system has no randomness"))?;
        let nonce = URL_SAFE_NO_PAD.encode(random);
        let mut builder = Response::builder()
            .status(StatusCode::OK)
            .content_type("text/html; charset=utf-8")
            .header(header::CACHE_CONTROL, "no-store")
            .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
            .header(COOP, "same-origin")
            .header(PERMISSIONS_POLICY, PERMISSIONS)
            .header(header::CONTENT_SECURITY_POLICY, policy.text(&nonce));
        builder = if policy.shared {
            builder
                .header(header::REFERRER_POLICY, "no-referrer")
                .header("x-robots-tag", "noindex, nofollow")
        } else {
            builder.header(header::REFERRER_POLICY, "same-origin")
        };
        Ok(builder.body(self.0.join(&nonce)))
    }
}

/// What a page may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// It shows images by Aladin Lite: `WebAssembly` that it has in itself, as `data:`, and workers that it makes.
    viewer: bool,
    /// It shows a shared job to whoever has its address.
    shared: bool,
    /// It is made by the development server: scripts in the page itself, and a websocket.
    development: bool,
}

impl Policy {
    /// Of the page at this path below `/app/`.
    pub fn of(path: &str) -> Self {
        let first = path.split('/').next();
        Policy {
            viewer: first == Some("viewer"),
            shared: first == Some("share"),
            development: false,
        }
    }

    /// The same for what the development server makes.
    pub fn in_development(self) -> Self {
        Policy {
            development: true,
            ..self
        }
    }

    fn text(self, nonce: &str) -> String {
        let when = |condition: bool, sources: &'static str| if condition { sources } else { "" };
        let wasm = when(self.viewer, " 'wasm-unsafe-eval'");
        let inline = if self.development {
            format!(" 'nonce-{nonce}'")
        } else {
            String::new()
        };
        let own = when(self.viewer, " data: blob:");
        let socket = when(self.development, " ws: wss:");
        let (fonts, workers) = (when(self.viewer, " data:"), when(self.viewer, " blob:"));
        format!(
            "default-src 'none'; script-src 'self'{wasm}{inline}; style-src 'self' 'nonce-{nonce}'; \
             img-src 'self' data: blob:; font-src 'self'{fonts}; connect-src 'self'{own}{socket}; \
             worker-src 'self'{workers}; manifest-src 'self'; form-action 'self'; frame-ancestors 'none'; \
             base-uri 'none'"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_viewer_alone_may_more() {
        let main = Policy::of("jobs/viewer").text("n");
        assert!(
            !main.contains("wasm") && !main.contains("connect-src 'self' "),
            "{main}"
        );
        assert_eq!(Policy::of("viewers"), Policy::of(""));
        for path in ["viewer", "viewer/", "viewer/x"] {
            let viewer = Policy::of(path).text("n");
            for part in [
                "script-src 'self' 'wasm-unsafe-eval';",
                "connect-src 'self' data: blob:;",
                "font-src 'self' data:;",
                "worker-src 'self' blob:;",
                "style-src 'self' 'nonce-n';",
            ] {
                assert!(viewer.contains(part), "{part} in {viewer}");
            }
        }
    }

    #[tokio::test]
    async fn a_base_path_is_only_text() {
        let html = format!("<meta {BASE} /><script src=\"/app/x.js\"></script>");
        let page = Document::new(&html, "/a\"b").answer(Policy::of("")).unwrap();
        let body = page.into_body().into_string().await.unwrap();
        assert_eq!(
            body,
            "<meta name=\"sidereal-base\" content=\"/a&quot;b\" /><script src=\"/a&quot;b/app/x.js\"></script>"
        );
    }
}
