//! The dashboards, as they were published: `/dashboards/[{prefix}/]{product}/{v,builds}/…`, the page of all of them, and
//! that of each Keeper that has a prefix.

use std::sync::Arc;

use bytes::Bytes;
use poem::{
    Body, Request, Response, ResponseBuilder,
    http::{HeaderMap, StatusCode, header},
};
use sha2::{Digest, Sha256};

use super::Site;
use crate::{
    http::{Door, Problem, is_known, notice, prefer},
    objects::ObjectsError,
    services::dashboard::{
        files::{self, File, JSON, media_type},
        keeper::Keeper,
        page::Entry,
        text::is_product_slug,
    },
};

/// What a page may do: show itself, with its own style and script.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `/dashboards`: the page of all has a slash at its end, which its links count on.
pub fn home(site: &Site) -> Response {
    moved(site, "")
}

/// Whatever lies below `/dashboards/`.
pub async fn page(site: &Arc<Site>, request: Request) -> Result<Response, Problem> {
    if !site.public {
        let door = request
            .data::<Arc<Door>>()
            .ok_or_else(|| Problem::internal("a door is missing"))?;
        door.caller(&request).await?;
    }
    let path = request.uri().path();
    let below = path.strip_prefix(site.base_path()).unwrap_or(path);
    let below = below.strip_prefix("/dashboards/").unwrap_or_default();
    let headers = request.headers();
    match place(site, below) {
        Place::Index(keeper, name) => index(site, headers, keeper, name).await,
        Place::Asset(File { name, body, .. }) => Ok(held(site, headers, &name, body)),
        Place::Elsewhere(path) => Ok(moved(site, &path)),
        Place::File(folder, name) => stored(site, headers, &folder, &name).await,
        Place::Nowhere => Ok(nothing(headers)),
    }
}

/// What a path below `/dashboards/` stands for.
enum Place<'a> {
    /// The page of all products, or of those of one Keeper, or its document, by its name.
    Index(Option<&'a Keeper>, &'static str),
    /// What the page of all products names.
    Asset(File),
    /// The same with another path.
    Elsewhere(String),
    /// An object: its folder, and its name there.
    File(String, String),
    Nowhere,
}

fn place<'a>(site: &'a Site, below: &str) -> Place<'a> {
    let keepers = &site.dashboard.keepers;
    let (first, rest) = below.split_once('/').unwrap_or((below, ""));
    let prefixed = keepers.with_prefix(first).filter(|_| !first.is_empty());
    if prefixed.is_some() && below == first {
        return Place::Elsewhere(format!("{first}/"));
    }
    match if prefixed.is_some() { rest } else { below } {
        "" | "index.html" => return Place::Index(prefixed, "index.html"),
        "index.json" => return Place::Index(prefixed, "index.json"),
        own if File::is_asset(own) => {
            let mut assets = site.dashboard.look.assets().map(File::of_asset);
            return assets
                .find(|file| file.name == own)
                .map_or(Place::Nowhere, Place::Asset);
        }
        _ => {}
    }
    let (keeper, rest): (&Keeper, &str) = match (prefixed, keepers.with_prefix("")) {
        (Some(keeper), _) => (keeper, rest),
        (None, Some(keeper)) => (keeper, below),
        (None, None) => return Place::Nowhere,
    };
    let (slug, file) = rest.split_once('/').unwrap_or((rest, ""));
    if !is_product_slug(slug) {
        return Place::Nowhere;
    }
    let path = |file: &str| format!("{}/{file}", keeper.path(slug));
    match file {
        "" => Place::Elsewhere(path("v/")),
        "v" | "builds" => Place::Elsewhere(path(&format!("{file}/"))),
        "v/" | "builds/" => Place::File(keeper.folder(slug), format!("{file}index.html")),
        _ if is_file(file) => Place::File(keeper.folder(slug), file.to_owned()),
        _ => Place::Nowhere,
    }
}

/// Whether a file of a product can have this name.
fn is_file(name: &str) -> bool {
    let Some((folder, file)) = name.split_once('/') else {
        return false;
    };
    ["v", "builds", "_dashboard"].contains(&folder)
        && media_type(name).is_some()
        && !file.starts_with('.')
        && file
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
}

/// The page of all products or of those of one Keeper, or its document.
async fn index(
    site: &Site,
    headers: &HeaderMap,
    only: Option<&Keeper>,
    name: &str,
) -> Result<Response, Problem> {
    let mut entries: Vec<Entry> = Vec::new();
    let all = || site.dashboard.keepers.iter();
    for keeper in all().filter(|keeper| only.is_none_or(|only| only.name == keeper.name)) {
        let listed = site.dashboard.store.products(&keeper.name).await;
        for product in listed.map_err(Problem::unavailable)? {
            let Some(entry) = product.entry else {
                continue;
            };
            let entry: Entry = serde_json::from_str(&entry).map_err(Problem::internal)?;
            entries.push(Entry {
                path: match only {
                    Some(_) => product.slug,
                    None => keeper.path(&product.slug),
                },
                missing: product.missing,
                ..entry
            });
        }
    }
    entries.sort_by(|one, other| one.path.cmp(&other.path));
    let files = files::of_index(&entries, &site.dashboard.look).map_err(Problem::internal)?;
    let file = files.into_iter().find(|file| file.name == name);
    let file = file.ok_or_else(|| Problem::internal("the index has no such file"))?;
    Ok(held(site, headers, name, file.body))
}

/// Bytes that are here.
fn held(site: &Site, headers: &HeaderMap, name: &str, body: Bytes) -> Response {
    let tag = format!("\"{}\"", &hex::encode(Sha256::digest(&body))[..32]);
    let builder = described(site, name, &tag);
    if is_known(headers, &tag) {
        return builder.status(StatusCode::NOT_MODIFIED).finish();
    }
    builder.body(body)
}

/// An object, streamed.
async fn stored(site: &Site, headers: &HeaderMap, folder: &str, name: &str) -> Result<Response, Problem> {
    let object = match site
        .dashboard
        .results
        .get(&format!("{folder}/{name}"), None)
        .await
    {
        Ok(object) => object,
        Err(ObjectsError::NotFound | ObjectsError::Invalid(_)) => return Ok(nothing(headers)),
        Err(error) => return Err(Problem::unavailable(error)),
    };
    // Stores write their tags with quotes or without.
    let tag: String = object
        .etag
        .unwrap_or_default()
        .trim_start_matches("W/")
        .chars()
        .filter(|c| c.is_ascii_graphic() && *c != '"')
        .collect();
    let tag = format!("\"{tag}\"");
    let builder = described(site, name, &tag);
    if is_known(headers, &tag) {
        return Ok(builder.status(StatusCode::NOT_MODIFIED).finish());
    }
    let body = futures::TryStreamExt::map_err(object.body, std::io::Error::other);
    Ok(builder
        .header(header::CONTENT_LENGTH, object.size)
        .body(Body::from_bytes_stream(body)))
}

/// What is said of every file, by its name below its product or its Keeper.
fn described(site: &Site, name: &str, tag: &str) -> ResponseBuilder {
    let media_type = media_type(name).unwrap_or("application/octet-stream");
    let who = if site.public { "public" } else { "private" };
    let caching = if File::is_asset(name) {
        format!("{who}, max-age=31536000, immutable")
    } else {
        format!("{who}, no-cache")
    };
    let builder = Response::builder()
        .content_type(media_type)
        .header(header::ETAG, tag)
        .header(header::CACHE_CONTROL, caching)
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header(header::REFERRER_POLICY, "no-referrer")
        .header(header::CONTENT_SECURITY_POLICY, POLICY);
    // The menus of versions are read by pages of other sites.
    if media_type == JSON && site.public {
        builder.header(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")
    } else {
        builder
    }
}

/// Somewhere else below `/dashboards/`.
fn moved(site: &Site, path: &str) -> Response {
    Response::builder()
        .status(StatusCode::PERMANENT_REDIRECT)
        .header(
            header::LOCATION,
            format!("{}/dashboards/{path}", site.base_path()),
        )
        .header(header::CACHE_CONTROL, "no-cache")
        .finish()
}

/// There is nothing, said in the client's form.
fn nothing(headers: &HeaderMap) -> Response {
    const MESSAGE: &str = "There is no such dashboard, or no such page of it.";
    if prefer(headers, &["application/json", "text/html"]) == Some(1) {
        return notice(StatusCode::NOT_FOUND, "Not found", MESSAGE);
    }
    let body = serde_json::json!({"status": 404, "error": "not found", "message": MESSAGE});
    Response::builder()
        .status(StatusCode::NOT_FOUND)
        .content_type("application/json")
        .header(header::CACHE_CONTROL, "no-cache")
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .body(body.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_dashboards_have_names() {
        for name in [
            "v/index.html",
            "v/switcher.json",
            "builds/page-2.html",
            "_dashboard/0a.css",
            "_dashboard/0a.js",
            "_dashboard/0a.svg",
        ] {
            assert!(is_file(name), "{name}");
        }
        for name in [
            "v/../x.html",
            "v/..",
            "v/.html",
            "v/a/b.html",
            "v/%2e%2e.html",
            "x/index.html",
            "index.html",
            "v/index",
            "v/x.js\0.html",
            "v/x.js",
            "v/x.svg",
            "_dashboard/x.html",
        ] {
            assert!(!is_file(name), "{name}");
        }
    }
}
