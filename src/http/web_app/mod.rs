//! The web app at `/app/`: its built files and its page, or in development what its own server makes of them.

mod build;
mod develop;
mod document;

use std::sync::Arc;

use percent_encoding::percent_decode_str;
use poem::{
    Endpoint, EndpointExt, Request, Response, Route,
    endpoint::{make, make_sync},
    get,
    http::{HeaderMap, StatusCode, header},
};
use tokio_util::sync::CancellationToken;

use self::{build::Folder, develop::Development, document::Policy};
use super::{negotiate::prefer, page, problem::Problem};
use crate::settings::Settings;

/// Where the web app is, below the public URL.
pub const HOME: &str = "/app/";

/// The version of LTD Dasher whose API is spoken.
const DASHER_VERSION: &str = "0.1.11";

/// Whether these settings name a build, or what makes the web app in development.
pub fn is_there(settings: &Settings) -> bool {
    settings.web_app_dev_url.is_some() || build::is_build(&settings.web_app_dir)
}

/// What is asked for at `/app/`.
pub struct WebApp {
    /// Path of the public URL, without a slash at its end.
    base_path: String,
    source: Source,
}

enum Source {
    Built(Arc<Folder>),
    Development(Development),
}

impl WebApp {
    /// Of these settings; what is in development ends when `draining` begins.
    pub fn new(
        settings: &Settings,
        base_path: &str,
        draining: &CancellationToken,
    ) -> Result<Arc<Self>, reqwest::Error> {
        let source = match &settings.web_app_dev_url {
            Some(url) => Source::Development(Development::new(url, base_path, draining)?),
            None => Source::Built(Folder::open(&settings.web_app_dir, base_path)),
        };
        Ok(Arc::new(WebApp {
            base_path: base_path.to_owned(),
            source,
        }))
    }

    /// Adds the routes of the web app, and the way to it from `/`.
    pub fn add_to(self: Arc<Self>, routes: Route) -> impl Endpoint<Output = Response> {
        let (whole, short) = (Arc::clone(&self), Arc::clone(&self));
        let below = move |request: Request| {
            let app = Arc::clone(&whole);
            async move { app.answer(&request).await.map_err(poem::Error::from) }
        };
        routes
            .at("/app/*path", get(make(below)))
            .at("/app", get(make_sync(move |_| short.home())))
            // No route: what is nested at `/` has it.
            .around(move |routes, request| {
                let app = Arc::clone(&self);
                async move {
                    if request.uri().path() == "/" && names_html(request.headers()) {
                        Ok(app.home())
                    } else if request.uri().path() == "/" {
                        Ok(about())
                    } else {
                        routes.call(request).await
                    }
                }
            })
    }

    fn home(&self) -> Response {
        Response::builder()
            .status(StatusCode::SEE_OTHER)
            .header(header::LOCATION, format!("{}{HOME}", self.base_path))
            .header(header::CACHE_CONTROL, "no-store")
            .finish()
    }

    async fn answer(&self, request: &Request) -> Result<Response, Problem> {
        match &self.source {
            Source::Built(folder) => from_folder(folder, request).await,
            Source::Development(server) => server.answer(request).await,
        }
    }
}

async fn from_folder(folder: &Arc<Folder>, request: &Request) -> Result<Response, Problem> {
    let headers = request.headers();
    let below = request.uri().path().strip_prefix(HOME).unwrap_or_default();
    let name = percent_decode_str(below).decode_utf8().map_err(|_| nothing())?;
    // A name that has the hash of the content in it needs no second look.
    if build::is_asset(&name)
        && let Some(file) = folder.held().and_then(|build| build.file(&name))
    {
        return Ok(file.answer(headers).await);
    }
    let build = folder.look().await;
    if let Some(file) = build.as_ref().and_then(|build| build.file(&name)) {
        return Ok(file.answer(headers).await);
    }
    if !is_for_a_page(&name, headers) {
        return Err(nothing());
    }
    match build {
        Some(build) => build.document().answer(Policy::of(&name)),
        None => Ok(page::notice(
            StatusCode::SERVICE_UNAVAILABLE,
            "The web app has not been built",
            "Run npm ci && npm run build in web-app/, or set SIDEREAL_WEB_APP_DIR to the folder of a build; then load \
             this page again.",
        )),
    }
}

/// What this server is, for programs; LTD Dasher says so too.
fn about() -> Response {
    let body = serde_json::json!({
        "name": "sidereal",
        "version": env!("CARGO_PKG_VERSION"),
        "dasher_version": DASHER_VERSION,
        "repo": "https://github.com/lsst-sqre/ltd-dasher",
    });
    Response::builder()
        .content_type("application/json")
        .header(header::CACHE_CONTROL, "no-cache")
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .body(body.to_string())
}

fn nothing() -> Problem {
    Problem::not_found("there is nothing at this URL")
}

/// Whether what is no file is a page of the web app. A name with a dot may be that of a file that is gone: what does
/// not ask for HTML by name, as a script that fetches it, must not take the page for it.
fn is_for_a_page(name: &str, headers: &HeaderMap) -> bool {
    let is_hidden = name.split('/').any(|segment| segment.starts_with('.'));
    if build::is_asset(name) || is_hidden {
        return false;
    }
    let last = name.rsplit('/').next().unwrap_or_default();
    if last.contains('.') {
        names_html(headers)
    } else {
        prefer(headers, &["text/html"]).is_some()
    }
}

/// Whether the client would rather have HTML than anything else.
fn names_html(headers: &HeaderMap) -> bool {
    prefer(
        headers,
        &["application/octet-stream", "application/json", "text/html"],
    ) == Some(2)
}
