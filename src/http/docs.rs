//! The OpenAPI document, and a page for people that lists its operations. The page needs nothing from elsewhere.

use std::{fmt::Write as _, marker::PhantomData, sync::OnceLock};

use poem::{Response, http::header};
use poem_openapi::{OpenApi, OpenApiService};
use serde_json::Value;

use super::{Apis, page};

/// Stands for the APIs, whose handlers need a site; the document needs none.
struct Described<S>(PhantomData<fn() -> S>);

impl<S: OpenApi> OpenApi for Described<S> {
    fn meta() -> Vec<poem_openapi::registry::MetaApi> {
        <Apis<S> as OpenApi>::meta()
    }

    fn register(registry: &mut poem_openapi::registry::Registry) {
        <Apis<S> as OpenApi>::register(registry);
    }

    fn add_routes(
        self,
        _: &mut std::collections::HashMap<
            String,
            std::collections::HashMap<poem::http::Method, poem::endpoint::BoxEndpoint<'static>>,
        >,
    ) {
    }
}

/// The document: JSON, with a newline at its end.
pub fn openapi<S: OpenApi + 'static>() -> String {
    let service: OpenApiService<Described<S>, ()> = super::service(Described(PhantomData));
    let mut spec = service.spec();
    if !spec.ends_with('\n') {
        spec.push('\n');
    }
    spec
}

/// The document and the page, each made when it is first asked for.
pub struct Docs {
    make: fn() -> String,
    document: OnceLock<String>,
    page: OnceLock<String>,
}

impl Docs {
    /// With the API of the services.
    pub fn of<S: OpenApi + 'static>() -> Self {
        Docs {
            make: openapi::<S>,
            document: OnceLock::new(),
            page: OnceLock::new(),
        }
    }

    fn text(&self) -> &str {
        self.document.get_or_init(self.make)
    }

    /// The document as an answer.
    pub fn document(&self) -> Response {
        Response::builder()
            .content_type("application/json")
            .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
            .body(self.text().to_owned())
    }

    /// The page as an answer.
    pub fn page(&self) -> Response {
        let made = || rendered(&serde_json::from_str(self.text()).unwrap_or_default());
        Response::builder()
            .content_type("text/html; charset=utf-8")
            .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
            .header(header::CONTENT_SECURITY_POLICY, page::policy(STYLE))
            .body(self.page.get_or_init(made).clone())
    }
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;\
    background:#fff}h1{margin-bottom:0}code{font-family:ui-monospace,monospace}details{border:1px solid #d0d7de;\
    border-radius:6px;margin:.4rem 0;padding:.4rem .8rem}summary{cursor:pointer}summary b{display:inline-block;\
    min-width:4.5rem}table{border-collapse:collapse;margin:.5rem 0}th,td{text-align:left;vertical-align:top;\
    padding:.15rem 1rem .15rem 0}@media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}\
    details{border-color:#30363d}a{color:#58a6ff}}";

fn rendered(document: &Value) -> String {
    let mut page = String::with_capacity(64 << 10);
    let info = &document["info"];
    let _ = write!(
        page,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title} API</title><style>{STYLE}</style></head><body><h1>{title} API</h1>\
         <p>{description}</p><p>The whole document: <a href=\"openapi.json\">openapi.json</a></p>",
        title = text(&info["title"]),
        description = text(&info["description"]),
    );
    for (path, operations) in entries(&document["paths"]) {
        for (method, operation) in entries(operations) {
            write_operation(&mut page, path, method, operation);
        }
    }
    page.push_str("</body></html>");
    page
}

fn write_operation(page: &mut String, path: &str, method: &str, operation: &Value) {
    let _ = write!(
        page,
        "<details><summary><b>{}</b><code>{}</code> {}</summary>",
        page::escaped(&method.to_uppercase()),
        page::escaped(path),
        text(&operation["summary"]),
    );
    if operation["description"].is_string() {
        let _ = write!(page, "<p>{}</p>", text(&operation["description"]));
    }
    let parameters = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
    if !parameters.is_empty() {
        page.push_str("<table><tr><th>Parameter</th><th>In</th><th>Meaning</th></tr>");
        for parameter in parameters {
            let _ = write!(
                page,
                "<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>",
                text(&parameter["name"]),
                text(&parameter["in"]),
                text(&parameter["description"]),
            );
        }
        page.push_str("</table>");
    }
    let body = entries(&operation["requestBody"]["content"]).map(|(media_type, _)| page::escaped(media_type));
    let body: Vec<String> = body.collect();
    if !body.is_empty() {
        let _ = write!(page, "<p>Body: <code>{}</code></p>", body.join("</code>, <code>"));
    }
    page.push_str("<table><tr><th>Answer</th><th>Media types</th><th></th></tr>");
    for (status, answer) in entries(&operation["responses"]) {
        let media_types: Vec<String> = entries(&answer["content"])
            .map(|(name, _)| page::escaped(name))
            .collect();
        let _ = write!(
            page,
            "<tr><td>{}</td><td>{}</td><td>{}</td></tr>",
            page::escaped(status),
            media_types.join("<br>"),
            text(&answer["description"]),
        );
    }
    page.push_str("</table></details>");
}

fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.as_str(), value))
}

fn text(value: &Value) -> String {
    page::escaped(value.as_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_stable_and_ends_with_a_newline() {
        let document = openapi::<()>();
        assert_eq!(document, openapi::<()>());
        assert!(document.ends_with("}\n"));
        let document: Value = serde_json::from_str(&document).unwrap();
        for path in [
            "/api/{service}/async/{id}/results/{name}",
            "/api/v1/jobs/{id}",
            "/api/v1/events",
        ] {
            assert!(document["paths"][path]["get"].is_object(), "{path}");
        }
    }

    #[test]
    fn every_operation_is_named_once_and_is_on_the_page() {
        let document: Value = serde_json::from_str(&openapi::<()>()).unwrap();
        let page = rendered(&document);
        let mut names = std::collections::HashSet::new();
        for (path, operations) in entries(&document["paths"]) {
            for (method, operation) in entries(operations) {
                let name = operation["operationId"].as_str().unwrap_or_default();
                assert!(names.insert(name.to_owned()), "{method} {path}: {name:?}");
                assert!(operation["summary"].is_string(), "{method} {path}");
                assert!(page.contains(path), "{path}");
            }
        }
        assert!(!page.contains("<script") && !page.contains("http://") && !page.contains("https://"));
    }
}
