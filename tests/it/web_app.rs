//! The web app at `/app/`, as a browser has it from the real server over a folder that looks like a build, and from a
//! stand-in for its development server.

use std::collections::HashSet;
use std::io::Read as _;
use std::path::Path;

use flate2::read::GzDecoder;
use reqwest::Method;
use serde_json::{Value, json};
use sidereal::uws::Timestamp;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::auth::oidc;
use crate::harness::{Backend, Issuer, Reply, Site};

/// As Vite writes it.
const INDEX: &str = r#"<!doctype html>
<html lang="en">
  <head>
    <meta name="sidereal-base" content="" />
    <link rel="icon" href="/app/icon.svg" type="image/svg+xml" />
    <meta property="csp-nonce" nonce="__CSP_NONCE__">
    <script type="module" crossorigin src="/app/assets/index-abc.js" nonce="__CSP_NONCE__"></script>
  </head>
  <body><div id="root"></div></body>
</html>
"#;
/// What a browser sends that opens a page.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
const SECRET: &str = "nobody's business";

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn script() -> String {
    "console.log('sidereal');\n".repeat(200)
}

/// A build, beside a file that is none of its.
fn build() -> TempDir {
    let place = TempDir::new().unwrap();
    write(place.path(), "outside.txt", SECRET);
    let dist = place.path().join("dist");
    write(&dist, "index.html", INDEX);
    write(&dist, "assets/index-abc.js", &script());
    write(&dist, "assets/small-abc.css", "body{margin:0}");
    write(&dist, "assets/sky-abc.wasm", "\0asm");
    write(&dist, "assets/font-abc.woff2", "wOF2");
    write(&dist, "icon.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"/>");
    write(&dist, "release.json", "{\"entry\":\"assets/index-abc.js\"}");
    write(&dist, "licences.txt", "MIT");
    write(&dist, "odd name", "?");
    write(&dist, ".vite/manifest.json", SECRET);
    write(&dist, "assets/.hidden.js", SECRET);
    std::os::unix::fs::symlink("../../outside.txt", dist.join("assets/link.js")).unwrap();
    std::os::unix::fs::symlink("..", dist.join("up")).unwrap();
    place
}

async fn served(place: &TempDir, settings: &[(&str, &str)]) -> Site {
    let dist = place.path().join("dist");
    let mut all = vec![("SIDEREAL_WEB_APP_DIR", dist.to_str().unwrap())];
    all.extend(settings);
    Site::start_with(Backend::Embedded, &all).await
}

async fn get(site: &Site, path: &str, headers: &[(&str, &str)]) -> Reply {
    ask(site, Method::GET, path, headers).await
}

async fn ask(site: &Site, method: Method, path: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = site.request(method, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    site.send(request).await
}

/// The page, as a browser opens it.
async fn page(site: &Site, path: &str) -> Reply {
    let page = get(site, path, &[("Accept", BROWSER)]).await.expect(200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    page
}

/// The one nonce of a page's policy.
fn nonce(page: &Reply) -> String {
    let policy = page.header("content-security-policy").expect("a policy");
    let (_, rest) = policy.split_once("'nonce-").expect("a nonce");
    rest.split('\'').next().unwrap().to_owned()
}

#[tokio::test]
async fn files_are_what_they_are() {
    let place = build();
    let site = served(&place, &[]).await;
    let told = format!("web app at {}/app/\n", site.address);
    site.until_log(|log| log.contains(&told)).await;
    let immutable = "public, max-age=31536000, immutable";
    for (path, media_type, cache) in [
        ("assets/index-abc.js", "text/javascript; charset=utf-8", immutable),
        ("assets/small-abc.css", "text/css; charset=utf-8", immutable),
        ("assets/sky-abc.wasm", "application/wasm", immutable),
        ("assets/font-abc.woff2", "font/woff2", immutable),
        ("icon.svg", "image/svg+xml", "no-cache"),
        ("release.json", "application/json", "no-cache"),
        ("licences.txt", "text/plain; charset=utf-8", "no-cache"),
        ("odd%20name", "application/octet-stream", "no-cache"),
    ] {
        let path = format!("/app/{path}");
        // A file is a file, also for who opens it in a window.
        for accept in ["*/*", BROWSER] {
            let file = get(&site, &path, &[("Accept", accept)]).await.expect(200);
            assert_eq!(file.header("content-type"), Some(media_type), "{path}");
            assert_eq!(file.header("cache-control"), Some(cache), "{path}");
            assert_eq!(file.header("x-content-type-options"), Some("nosniff"), "{path}");
            let tag = file.header("etag").expect("a tag");
            assert!(tag.starts_with('"') && tag.len() > 20, "{tag}");

            let head = ask(&site, Method::HEAD, &path, &[("Accept", accept)]).await;
            let length = file.body.len().to_string();
            assert_eq!(head.header("content-length"), Some(&length[..]), "{path}");
            assert_eq!(head.header("etag"), Some(tag));
            let known = get(&site, &path, &[("If-None-Match", tag)]).await.expect(304);
            assert!(known.body.is_empty() && known.header("content-type").is_none());
            assert_eq!(known.header("cache-control"), Some(cache), "{path}");
            get(&site, &path, &[("If-None-Match", "\"x\"")]).await.expect(200);
        }
        ask(&site, Method::POST, &path, &[]).await.expect(405);
    }
}

#[tokio::test]
async fn what_gets_smaller_is_packed_for_those_who_take_it() {
    let place = build();
    let site = served(&place, &[]).await;
    let path = "/app/assets/index-abc.js";
    let plain = get(&site, path, &[]).await.expect(200);
    assert_eq!(plain.text(), script());
    assert_eq!(plain.header("vary"), Some("Accept-Encoding"));
    let gzip = ("Accept-Encoding", "gzip, deflate, br");
    let packed = get(&site, path, &[gzip]).await.expect(200);
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert_eq!(packed.header("vary"), Some("Accept-Encoding"));
    assert!(packed.body.len() < plain.body.len() / 5);
    let mut text = String::new();
    GzDecoder::new(&packed.body[..])
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, script());
    // Two forms, two tags, each for its own.
    let [plain_tag, packed_tag] = [&plain, &packed].map(|reply| reply.header("etag").unwrap());
    assert_ne!(plain_tag, packed_tag);
    for (headers, status) in [
        (&[("If-None-Match", plain_tag)][..], 304),
        (&[("If-None-Match", packed_tag)], 200),
        (&[gzip, ("If-None-Match", packed_tag)], 304),
        (&[gzip, ("If-None-Match", plain_tag)], 200),
    ] {
        get(&site, path, headers).await.expect(status);
    }
    for small in ["/app/assets/small-abc.css", "/app/assets/font-abc.woff2"] {
        let file = get(&site, small, &[gzip]).await.expect(200);
        assert_eq!(file.header("content-encoding"), None);
    }
}

#[tokio::test]
async fn the_page_may_do_what_it_needs_and_has_a_nonce_of_its_own() {
    let place = build();
    let site = served(&place, &[]).await;
    let mut nonces = HashSet::new();
    for path in [
        "/app/",
        "/app/",
        "/app/jobs/019a?tab=log",
        "/app/sites/a.b",
        "/app/x/",
    ] {
        let page = page(&site, path).await;
        let nonce = nonce(&page);
        assert!(nonce.len() >= 22, "{nonce}");
        assert_eq!(page.text(), INDEX.replace("__CSP_NONCE__", &nonce), "{path}");
        let policy = format!(
            "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data: blob:; \
             font-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; form-action 'self'; \
             frame-ancestors 'none'; base-uri 'none'"
        );
        for (name, value) in [
            ("content-security-policy", &policy[..]),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
        ] {
            assert_eq!(page.header(name), Some(value), "{path}");
        }
        assert!(page.header("permissions-policy").unwrap().contains("camera=()"));
        assert!(nonces.insert(nonce), "{nonces:?}");
    }
    let viewer = page(&site, "/app/viewer?src=x").await;
    let policy = viewer.header("content-security-policy").unwrap();
    for part in [
        "script-src 'self' 'wasm-unsafe-eval';",
        "connect-src 'self' data: blob:;",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    let head = ask(&site, Method::HEAD, "/app/jobs", &[("Accept", BROWSER)]).await;
    assert!(head.status == 200 && head.body.is_empty());
    assert_eq!(head.header("cache-control"), Some("no-store"));
    // curl says nothing of HTML.
    get(&site, "/app/jobs", &[]).await.expect(200);
}

#[tokio::test]
async fn the_base_path_is_in_the_page_and_before_it() {
    let place = build();
    let public = [("SIDEREAL_PUBLIC_URL", "http://127.0.0.1:1/sky/")];
    let site = served(&place, &public).await;
    let page = page(&site, "/sky/app/jobs").await;
    let expected = INDEX
        .replace("content=\"\"", "content=\"/sky\"")
        .replace("=\"/app/", "=\"/sky/app/")
        .replace("__CSP_NONCE__", &nonce(&page));
    assert_eq!(page.text(), expected);
    get(&site, "/sky/app/assets/index-abc.js", &[]).await.expect(200);
    for path in ["/sky/app", "/sky/"] {
        let sent = get(&site, path, &[("Accept", BROWSER)]).await.expect(303);
        assert_eq!(sent.location(), "/sky/app/");
    }
    for path in ["/app/", "/app", "/"] {
        get(&site, path, &[("Accept", BROWSER)]).await.expect(404);
    }
}

#[tokio::test]
async fn the_root_leads_browsers_to_the_page_and_tells_programs_what_it_is() {
    let place = build();
    let site = served(&place, &[]).await;
    for (path, accept) in [("/", BROWSER), ("/app", BROWSER), ("/app", "*/*")] {
        let sent = get(&site, path, &[("Accept", accept)]).await.expect(303);
        assert_eq!(sent.location(), "/app/");
    }
    for accept in ["*/*", "application/json", "text/html;q=0.1, application/json"] {
        let about = get(&site, "/", &[("Accept", accept)])
            .await
            .expect(200)
            .json::<serde_json::Value>();
        assert_eq!(about["name"], "sidereal");
    }
}

#[tokio::test]
async fn what_is_no_file_of_the_build_is_not_served() {
    let place = build();
    let site = served(&place, &[]).await;
    // Not even to a browser: the page in the place of a script would be run as one.
    for path in [
        "assets/index-old.js",
        "assets/",
        "assets/link.js",
        "assets/.hidden.js",
        ".vite/manifest.json",
        "%2evite/manifest.json",
        "jobs/.env",
    ] {
        for accept in ["*/*", BROWSER] {
            let path = format!("/app/{path}");
            let missing = get(&site, &path, &[("Accept", accept)]).await.expect(404);
            assert!(!missing.text().contains(SECRET), "{path}");
        }
    }
    let missing = get(&site, "/app/nothing.json", &[("Accept", "application/json")]).await;
    assert_eq!(
        missing.expect(404).header("content-type"),
        Some("application/problem+json")
    );
    get(&site, "/app/jobs", &[("Accept", "application/json")])
        .await
        .expect(404);
    get(&site, "/app/gone.json", &[]).await.expect(404);
    // As they stand: a client would tidy them up.
    for path in [
        "/app/../outside.txt",
        "/app/assets/../../outside.txt",
        "/app/assets/../.vite/manifest.json",
        "/app/..%2foutside.txt",
        "/app/%2e%2e/outside.txt",
        "/app/%2e%2e%2foutside.txt",
        "/app/assets/%2e%2e%2f%2e%2e%2foutside.txt",
        "/app/..%5coutside.txt",
        "/app/%252e%252e/outside.txt",
        "/app/up/outside.txt",
        "/app//etc/passwd.txt",
        "/app/%2fetc/passwd.txt",
        "/app/assets//index-abc.js",
        "/app/assets/index-abc.js%00",
        "/app/assets/%ff.js",
    ] {
        let answer = raw(&site, path).await;
        let status = if path.contains("%ff") { 400 } else { 404 };
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{path}: {answer}"
        );
        assert!(!answer.contains(SECRET), "{path}: {answer}");
    }
}

/// The answer to a request for a target, to the letter.
async fn raw(site: &Site, target: &str) -> String {
    raw_with(site, target, "Accept: */*\r\n").await
}

/// The same with these lines of headers beside those that there must be.
async fn raw_with(site: &Site, target: &str, headers: &str) -> String {
    let address = site.address.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\n{headers}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// Shares a job of nobody in particular: the path of the link, and what was told when it was made.
async fn shared(site: &Site) -> (String, Value) {
    let new = json!({ "service": "echo", "run": false, "runId": "for a colleague" });
    let job = site.request(Method::POST, "/api/v1/jobs").json(&new);
    let job: Value = site.send(job).await.expect(201).json();
    let shares = format!("/api/v1/jobs/{}/shares", job["jobId"].as_str().unwrap());
    let tomorrow = Timestamp::from_millis(Timestamp::of_this_host().millis() + 86_400_000).unwrap();
    let body = json!({ "expires": tomorrow.to_string() });
    let share = site.request(Method::POST, &shares).json(&body);
    let share: Value = site.send(share).await.expect(201).json();
    let url = share["url"].as_str().unwrap();
    let path = url.strip_prefix(&site.address).unwrap_or(url).to_owned();
    (path, share)
}

#[tokio::test]
async fn a_share_link_leads_browsers_to_its_page() {
    let place = build();
    let site = served(&place, &[]).await;
    let (link, _) = shared(&site).await;
    let secret = link.strip_prefix("/share/").unwrap();
    // Whether there is such a link is told by nothing but the page.
    for secret in [secret, "nobody-was-given-this"] {
        for accept in [
            BROWSER,
            "text/html",
            "text/html, */*",
            "text/html;q=0.9, */*;q=0.1",
        ] {
            for method in [Method::GET, Method::HEAD] {
                let path = format!("/share/{secret}");
                let way = ask(&site, method, &path, &[("Accept", accept)]).await.expect(303);
                assert_eq!(way.location(), format!("/app/share/{secret}"), "{accept}");
                for (name, value) in [
                    ("vary", "accept"),
                    ("cache-control", "no-store"),
                    ("referrer-policy", "no-referrer"),
                    ("x-robots-tag", "noindex, nofollow"),
                ] {
                    assert_eq!(way.header(name), Some(value), "{accept}");
                }
            }
        }
        let page = page(&site, &format!("/app/share/{secret}")).await;
        assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(page.header("x-robots-tag"), Some("noindex, nofollow"));
        assert!(!page.text().contains(secret));
    }
    // What is odd stays one segment of the path.
    let odd = get(&site, "/share/a%2Fb%0D%0A%3Fc", &[("Accept", BROWSER)]).await;
    assert_eq!(odd.expect(303).location(), "/app/share/a%2Fb%0D%0A%3Fc");
    let other = page(&site, "/app/shares").await;
    assert_eq!(other.header("x-robots-tag"), None);
    let log = site.log();
    assert!(!log.contains(secret), "{log}");
}

#[tokio::test]
async fn a_share_link_is_the_document_for_programs() {
    let place = build();
    let site = served(&place, &[]).await;
    let (link, share) = shared(&site).await;
    let xml = get(&site, &link, &[("Accept", "application/xml")])
        .await
        .expect(200);
    assert_eq!(xml.header("content-type"), Some("application/xml"));
    assert!(
        xml.text().contains("<uws:runId>for a colleague<"),
        "{}",
        xml.text()
    );
    for accept in [
        "*/*",
        "application/*",
        "application/xml, text/html;q=0.9",
        "application/xml, text/html",
        "image/png",
    ] {
        let same = get(&site, &link, &[("Accept", accept)]).await.expect(200);
        assert_eq!(same.header("content-type"), Some("application/xml"), "{accept}");
        assert_eq!(same.text(), xml.text(), "{accept}");
        assert_eq!(same.header("vary"), Some("accept"), "{accept}");
        assert_eq!(same.header("referrer-policy"), Some("no-referrer"), "{accept}");
    }
    let silent = raw_with(&site, &link, "").await;
    assert!(
        silent.starts_with("HTTP/1.1 200 ") && silent.ends_with(&xml.text()),
        "{silent}"
    );
    for accept in ["application/json", "application/json, text/html;q=0.9, */*;q=0.8"] {
        let reply = get(&site, &link, &[("Accept", accept)]).await.expect(200);
        let document: Value = reply.json();
        assert_eq!(document["runId"], "for a colleague", "{accept}");
        assert_eq!(document["service"], "echo");
        assert_eq!(document["expires"], share["expires"]);
    }
    // A browser is told of them too, if it asks for them.
    let id = xml.text().split("<uws:jobId>").nth(1).unwrap()[..36].to_owned();
    let below = get(&site, &format!("{link}/{id}"), &[("Accept", BROWSER)])
        .await
        .expect(200);
    assert_eq!(below.text(), xml.text());
}

#[tokio::test]
async fn a_share_link_below_a_base_path_or_without_a_web_app() {
    let place = build();
    let public = [("SIDEREAL_PUBLIC_URL", "http://127.0.0.1:1/sky/")];
    let site = served(&place, &public).await;
    let way = get(&site, "/sky/share/x-y_z", &[("Accept", BROWSER)]).await;
    assert_eq!(way.expect(303).location(), "/sky/app/share/x-y_z");
    let page = page(&site, "/sky/app/share/x-y_z").await;
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));

    let empty = TempDir::new().unwrap();
    let site = served(&empty, &[]).await;
    let (link, _) = shared(&site).await;
    let document = get(&site, &link, &[("Accept", BROWSER)]).await.expect(200);
    assert_eq!(document.header("content-type"), Some("application/xml"));
}

#[tokio::test]
async fn a_build_is_shown_once_it_is_there() {
    let place = TempDir::new().unwrap();
    let site = served(&place, &[]).await;
    assert!(site.log().contains("there is no web app in"), "{}", site.log());
    let none = get(&site, "/app/jobs", &[("Accept", BROWSER)]).await.expect(503);
    let text = none.text();
    assert!(
        text.contains("npm ci") && text.contains("SIDEREAL_WEB_APP_DIR"),
        "{text}"
    );
    assert_eq!(none.header("cache-control"), Some("no-store"));
    assert!(
        none.header("content-security-policy")
            .unwrap()
            .starts_with("default-src 'none'")
    );
    get(&site, "/app/assets/index-abc.js", &[]).await.expect(404);
    get(&site, "/api/echo/async", &[]).await.expect(200);

    let dist = place.path().join("dist");
    write(&dist, "assets/index-abc.js", "1");
    write(&dist, "release.json", "{\"release\": 1}");
    write(&dist, "index.html", INDEX);
    page(&site, "/app/").await;
    assert_eq!(get(&site, "/app/assets/index-abc.js", &[]).await.text(), "1");
    // Built anew: what an open page asks for to know that it is old, then the page.
    write(&dist, "assets/index-def.js", "22");
    write(&dist, "release.json", "{\"release\": 200}");
    write(&dist, "index.html", &INDEX.replace("index-abc", "index-def"));
    let release = get(&site, "/app/release.json", &[]).await.expect(200);
    assert_eq!(release.text(), "{\"release\": 200}");
    assert!(page(&site, "/app/").await.text().contains("index-def.js"));
    assert_eq!(get(&site, "/app/assets/index-def.js", &[]).await.text(), "22");
    // While the next one is made, there is this one.
    std::fs::remove_dir_all(&dist).unwrap();
    assert!(page(&site, "/app/").await.text().contains("index-def.js"));
}

#[tokio::test]
async fn it_is_open_to_those_who_have_not_signed_in() {
    let issuer = Issuer::start();
    let place = build();
    let site = served(&place, &oidc(issuer.issuer(), "a secret that is long enough")).await;
    page(&site, "/app/jobs").await;
    get(&site, "/app/assets/index-abc.js", &[]).await.expect(200);
    get(&site, "/api/v1/jobs", &[]).await.expect(401);
    ask(&site, Method::DELETE, "/app/jobs", &[]).await.expect(405);
}

#[tokio::test]
async fn a_development_server_elsewhere_is_refused() {
    let site = Site::start(Backend::Embedded).await;
    let output = site
        .command(&["doctor"])
        .env("SIDEREAL_WEB_APP_DEV_URL", "http://192.0.2.1:5173")
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        !output.status.success() && said.contains("web_app_dev_url"),
        "{said}"
    );
}

/// A stand-in for Vite: a page, a module, and a websocket that says back what it hears. Tells the heads of requests.
async fn development_server() -> (String, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (told, heads) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(development(stream, told.clone()));
        }
    });
    (url, heads)
}

async fn development(stream: TcpStream, told: mpsc::UnboundedSender<String>) {
    let mut stream = BufReader::new(stream);
    let head = head(&mut stream).await;
    let is_socket = head.contains("upgrade: websocket");
    let is_page = head.contains("accept: text/html");
    // The test may have seen enough.
    let _ = told.send(head);
    let answer = if is_socket {
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: vite-hmr\r\n\r\n"
            .to_owned()
    } else {
        let (media_type, body) = if is_page {
            ("text/html", INDEX)
        } else {
            ("text/javascript", "export default '__CSP_NONCE__'")
        };
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\nSet-Cookie: a=b\r\n\
             ETag: \"dev\"\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    stream.write_all(answer.as_bytes()).await.unwrap();
    let mut frame = [0; 5];
    while is_socket && stream.read_exact(&mut frame).await.is_ok() {
        stream.write_all(&frame).await.unwrap();
    }
}

/// The head of a request or an answer, in small letters.
async fn head(stream: &mut BufReader<TcpStream>) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(stream.read_line(&mut head).await.unwrap() > 0, "{head}");
    }
    head.to_lowercase()
}

#[tokio::test]
async fn the_development_server_is_passed_through() {
    let (url, mut heads) = development_server().await;
    let site = Site::start_with(Backend::Embedded, &[("SIDEREAL_WEB_APP_DEV_URL", &url)]).await;
    let secrets = [("Cookie", "sidereal=secret"), ("Authorization", "Bearer secret")];

    let headers = [&secrets[..], &[("Accept", BROWSER)]].concat();
    let page = get(&site, "/app/jobs?phase=ERROR", &headers).await.expect(200);
    let nonce = nonce(&page);
    assert_eq!(page.text(), INDEX.replace("__CSP_NONCE__", &nonce));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let policy = page.header("content-security-policy").unwrap();
    let script = format!("script-src 'self' 'nonce-{nonce}';");
    assert!(
        policy.contains(&script) && policy.contains("connect-src 'self' ws: wss:;"),
        "{policy}"
    );
    let asked = heads.recv().await.unwrap();
    assert!(
        asked.starts_with("get /app/jobs?phase=error http/1.1\r\n"),
        "{asked}"
    );
    assert!(
        asked.contains(&format!("host: {}", url.strip_prefix("http://").unwrap())),
        "{asked}"
    );
    assert!(!asked.contains("secret"), "{asked}");

    let headers = [&secrets[..], &[("Accept-Encoding", "gzip")]].concat();
    let module = get(&site, "/app/src/main.tsx", &headers).await.expect(200);
    assert_eq!(module.text(), "export default '__CSP_NONCE__'");
    assert_eq!(module.header("content-type"), Some("text/javascript"));
    assert_eq!(module.header("etag"), Some("\"dev\""));
    assert_eq!(module.header("set-cookie"), None);
    let asked = heads.recv().await.unwrap();
    assert!(
        !asked.contains("secret") && !asked.contains("accept-encoding"),
        "{asked}"
    );
}

#[tokio::test]
async fn hot_reload_goes_through_until_the_server_ends() {
    let (url, mut heads) = development_server().await;
    let mut site = Site::start_with(Backend::Embedded, &[("SIDEREAL_WEB_APP_DEV_URL", &url)]).await;
    let address = site.address.strip_prefix("http://").unwrap();
    let mut browser = BufReader::new(TcpStream::connect(address).await.unwrap());
    let request = format!(
        "GET /app/?token=x HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\nConnection: keep-alive, Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: vite-hmr\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nCookie: sidereal=secret\r\n\r\n"
    );
    browser.write_all(request.as_bytes()).await.unwrap();
    let answer = head(&mut browser).await;
    assert!(answer.starts_with("http/1.1 101 "), "{answer}");
    assert!(answer.contains("sec-websocket-accept: s3pplmbi"), "{answer}");
    assert!(answer.contains("sec-websocket-protocol: vite-hmr"), "{answer}");
    let asked = heads.recv().await.unwrap();
    assert!(asked.starts_with("get /app/?token=x http/1.1\r\n"), "{asked}");
    for header in [
        "sec-websocket-key: dghlihnhbxbszsbub25jzq==",
        "sec-websocket-version: 13",
        &format!("origin: http://{address}"),
    ] {
        assert!(asked.contains(header), "{header} in {asked}");
    }
    assert!(!asked.contains("secret"), "{asked}");
    let mut frame = [0; 5];
    for sent in [b"frame", b"again"] {
        browser.write_all(sent).await.unwrap();
        browser.read_exact(&mut frame).await.unwrap();
        assert_eq!(&frame, sent);
    }
    // It is not waited for.
    assert!(site.stop().await.success());
    assert_eq!(browser.read(&mut frame).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn a_development_server_that_is_away_is_told_of() {
    // A port that nobody has now.
    let port = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("http://127.0.0.1:{port}");
    let site = Site::start_with(Backend::Embedded, &[("SIDEREAL_WEB_APP_DEV_URL", &url)]).await;
    let away = get(&site, "/app/", &[("Accept", BROWSER)]).await.expect(502);
    assert!(away.text().contains("npm run dev"), "{}", away.text());
    get(&site, "/livez", &[]).await.expect(200);
}
