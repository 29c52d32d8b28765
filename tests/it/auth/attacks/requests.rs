//! Requests that other sites make with a person's browser, and headers that lie.

use reqwest::multipart::Form;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{COOKIE, Scene, person};
use crate::harness::{Backend, Browser, Reply, Site, on_both_back_ends};
use crate::uws::{LIST, RUN, id};

on_both_back_ends!(
    a_form_of_another_site,
    a_request_of_another_site_by_a_script,
    a_page_of_another_site_that_reads
);

/// Alice, logged in, with a job that has not been run.
struct Victim {
    scene: Scene,
    session: String,
    job: String,
}

impl Victim {
    async fn start(backend: Backend) -> Self {
        let scene = Scene::start_on(backend, &[]).await;
        let browser = Browser::default();
        scene.sign_in(&browser, "alice").await;
        let session = scene.session(&browser).expect("a session");
        let job = scene.job(&scene.token("alice"), &[("X", "1")]).await;
        Self { scene, session, job }
    }

    /// A request with her cookie.
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.scene.by_session(method, path, &self.session)
    }

    /// The job is as it was, and is the only one.
    async fn is_unharmed(&self) {
        let token = self.scene.token("alice");
        let phase = self.scene.get(&format!("{}/phase", self.job), &token).await;
        assert_eq!(phase.expect(200).text(), "PENDING");
        let value = self
            .scene
            .get(&format!("{}/parameters/X", self.job), &token)
            .await;
        assert_eq!(value.expect(200).text(), "1");
        let jobs: Value = self.scene.get("/api/v1/jobs", &token).await.expect(200).json();
        assert_eq!(jobs["items"].as_array().expect("a list").len(), 1);
        let tokens: Value = self.scene.get("/account/token", &token).await.expect(200).json();
        assert_eq!(tokens["items"], json!([]));
        assert!(self.scene.lives(&self.session).await);
    }
}

/// What the Virtual Observatory needs is read by pages of any origin, by a token or without; nothing by a cookie, and nothing
/// else.
async fn a_page_of_another_site_that_reads(backend: Backend) {
    const ALLOWED: &str = "access-control-allow-origin";
    let victim = Victim::start(backend).await;
    let scene = &victim.scene;
    let foreign = |request: RequestBuilder| {
        let request = request.header("Origin", "https://evil.example");
        scene.site.send(request.header("Sec-Fetch-Site", "cross-site"))
    };
    let token = scene.token("alice");
    let open = [
        "/api/echo/capabilities",
        "/api/echo/availability",
        "/api/cutout/query?MAXREC=0",
        "/api/cutout/links",
        "/api/cutout/image?ID=sky/none.fits",
        "/api/cutout/examples",
        "/api/echo/sync?A=1",
    ];
    for path in open {
        let preflight = scene.site.request(Method::OPTIONS, path);
        let preflight = preflight
            .header("Access-Control-Request-Method", "GET")
            .header("Access-Control-Request-Headers", "authorization");
        let told = foreign(preflight).await.expect(204);
        assert_eq!(told.header(ALLOWED), Some("*"), "{path}");
        let headers = told.header("access-control-allow-headers").unwrap();
        assert!(headers.contains("authorization"), "{headers}");
        assert_eq!(told.header("access-control-allow-credentials"), None);
        let by_token = foreign(scene.by_token(Method::GET, path, &token)).await;
        assert!(
            [200, 404].contains(&by_token.status),
            "{path}: {}",
            by_token.status
        );
        assert_eq!(by_token.header(ALLOWED), Some("*"), "{path}");
        assert_eq!(by_token.header("access-control-allow-credentials"), None);
        let unknown = foreign(scene.site.request(Method::GET, path)).await;
        assert_eq!(
            unknown.header(ALLOWED),
            Some("*"),
            "what is wrong can be read: {path}"
        );
        let by_cookie = foreign(victim.request(Method::GET, path)).await;
        assert_eq!(by_cookie.header(ALLOWED), None, "{path}");
    }
    foreign(victim.request(Method::GET, "/api/echo/sync?A=1"))
        .await
        .expect(403);
    for path in [
        "/api/v1/me",
        "/api/v1/jobs",
        "/api/v1/services",
        "/account/token",
        "/account/provider",
        LIST,
        &victim.job,
        "/openapi.json",
    ] {
        for request in [
            scene.by_token(Method::GET, path, &token),
            scene.site.request(Method::GET, path),
            victim.request(Method::GET, path),
            scene
                .site
                .request(Method::OPTIONS, path)
                .header("Access-Control-Request-Method", "GET"),
        ] {
            assert_eq!(foreign(request).await.header(ALLOWED), None, "{path}");
        }
    }
}

/// What browsers say of a form or a script of another site; and what an old one does not say.
const FOREIGN: &[&[(&str, &str)]] = &[
    &[],
    &[("Origin", "https://evil.example")],
    &[("Origin", "null")],
    &[("Sec-Fetch-Site", "cross-site")],
    &[("Sec-Fetch-Site", "same-site")],
    &[("Sec-Fetch-Site", "none")],
    &[("Sidereal-Request", "1")],
    &[("Sidereal-Request", "1"), ("Origin", "https://evil.example")],
    &[("Sidereal-Request", "1"), ("Origin", "null")],
    &[("Sidereal-Request", "1"), ("Sec-Fetch-Site", "cross-site")],
    &[("Sidereal-Request", "1"), ("Sec-Fetch-Site", "same-site")],
    &[("Sidereal-Request", "1"), ("Sec-Fetch-Site", "none")],
    &[
        ("Sidereal-Request", "1"),
        ("Sec-Fetch-Site", "same-origin"),
        ("Origin", "https://evil.example"),
    ],
    &[("Sec-Fetch-Site", "same-origin")],
    &[("Sec-Fetch-Site", "same-origin"), ("Sidereal-Request", "0")],
    &[
        ("X-Requested-With", "XMLHttpRequest"),
        ("Referer", "https://evil.example/"),
    ],
];

fn with(request: RequestBuilder, headers: &[(&str, &str)]) -> RequestBuilder {
    let add = |request: RequestBuilder, (name, value): &(&str, &str)| request.header(*name, *value);
    headers.iter().fold(request, add)
}

async fn a_form_of_another_site(backend: Backend) {
    let victim = Victim::start(backend).await;
    let job = &victim.job;
    for headers in FOREIGN {
        for (path, name, value) in [
            (format!("{job}/phase"), "PHASE", "RUN"),
            (format!("{job}/phase"), "PHASE", "ABORT"),
            (format!("{job}/parameters"), "X", "2"),
            (format!("{job}/destruction"), "DESTRUCTION", "2026-12-24"),
            (job.clone(), "ACTION", "DELETE"),
            (LIST.to_owned(), "PHASE", "RUN"),
        ] {
            let post = || with(victim.request(Method::POST, &path), headers);
            let plain = post().header("Content-Type", "text/plain");
            for request in [
                post().form(&[(name, value)]),
                post().multipart(Form::new().text(name, value)),
                plain.body(format!("{name}={value}")),
                post().query(&[(name, value)]),
            ] {
                let refused = Reply::to(request).await.expect(403);
                assert!(refused.text().contains("Sidereal-Request"), "{}", refused.text());
            }
        }
    }
    victim.is_unharmed().await;
}

async fn a_request_of_another_site_by_a_script(backend: Backend) {
    let victim = Victim::start(backend).await;
    let (job, id) = (&victim.job, id(&victim.job));
    for headers in FOREIGN {
        let one = format!("/api/v1/jobs/{id}");
        let expires = "2026-12-24T00:00:00Z";
        for (method, path, body) in [
            (Method::DELETE, job.clone(), json!({})),
            (Method::DELETE, one.clone(), json!({})),
            (Method::PATCH, one.clone(), json!({ "runId": "x" })),
            (
                Method::POST,
                "/api/v1/jobs".to_owned(),
                json!({ "service": "echo" }),
            ),
            (
                Method::POST,
                "/api/v1/jobs/bulk".to_owned(),
                json!({ "action": "delete", "ids": [id] }),
            ),
            (
                Method::POST,
                format!("{one}/shares"),
                json!({ "expires": expires }),
            ),
            (
                Method::POST,
                "/account/token/create".to_owned(),
                json!({ "name": "x", "scopes": ["read"], "expires": expires }),
            ),
            (Method::POST, "/account/logout".to_owned(), json!({})),
        ] {
            // As JSON, and as what a form can make look like JSON.
            for kind in ["application/json", "text/plain"] {
                let request = with(victim.request(method.clone(), &path), headers);
                let request = request.header("Content-Type", kind).body(body.to_string());
                Reply::to(request).await.expect(403);
            }
        }
    }
    victim.is_unharmed().await;
}

#[tokio::test]
async fn a_method_override() {
    let victim = Victim::start(Backend::Embedded).await;
    let (scene, job) = (&victim.scene, &victim.job);
    let token = scene.token("alice");
    for name in ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"] {
        for method in ["DELETE", "POST", "PATCH"] {
            // A GET stays one, whoever asks.
            let request = victim.request(Method::GET, job).header(name, method);
            Reply::to(request).await.expect(200);
            let request = scene.by_token(Method::GET, job, &token).header(name, method);
            scene.site.send(request).await.expect(200);
            let path = format!("{job}?_method={method}&ACTION=DELETE&PHASE=PENDING");
            Reply::to(victim.request(Method::GET, &path)).await.expect(200);
            // A POST does not become a GET that needs no proof, nor a DELETE.
            for overriding in ["GET", method] {
                let request = victim.request(Method::POST, &format!("{job}/phase"));
                let request = request.header(name, overriding).form(&[RUN]);
                Reply::to(request).await.expect(403);
            }
            let request = scene.by_token(Method::POST, job, &token).header(name, method);
            scene
                .site
                .send(request.form(&[("_method", method)]))
                .await
                .expect(400);
        }
    }
    victim.is_unharmed().await;
}

#[tokio::test]
async fn a_get_that_changes_something() {
    let victim = Victim::start(Backend::Embedded).await;
    let job = &victim.job;
    for path in [
        format!("{LIST}?PHASE=RUN&X=2"),
        format!("{job}/phase?PHASE=RUN"),
        format!("{job}/phase?PHASE=ABORT"),
        format!("{job}/parameters?X=2"),
        format!("{job}/destruction?DESTRUCTION=2026-12-24"),
        format!("{job}?ACTION=DELETE"),
        "/account/logout".to_owned(),
        "/account/token/create?name=x&scopes=read".to_owned(),
    ] {
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            Reply::to(victim.request(method, &path)).await;
        }
    }
    victim.is_unharmed().await;
}

#[tokio::test]
async fn our_own_page_is_no_attack() {
    let victim = Victim::start(Backend::Embedded).await;
    let own = victim.scene.site.address.as_str();
    for headers in [
        &[("Sec-Fetch-Site", "same-origin")][..],
        &[("Origin", own)],
        &[("Origin", own), ("Sec-Fetch-Site", "same-origin")],
    ] {
        let request = with(victim.request(Method::POST, LIST), headers).header("Sidereal-Request", "1");
        Reply::to(request.form(&[("X", "1")])).await.expect(303);
    }
}

#[tokio::test]
async fn a_cookie_from_a_sibling_domain() {
    let scene = Scene::start().await;
    let (alice, mallory) = (Browser::default(), Browser::default());
    scene.sign_in(&alice, "alice").await;
    scene.sign_in(&mallory, "mallory").await;
    let hers = scene.session(&alice).expect("a session");
    let planted = scene.session(&mallory).expect("a session");
    let me = |cookies: &[String]| {
        let request = scene.site.request(Method::GET, "/api/v1/me");
        cookies
            .iter()
            .fold(request, |request, cookie| request.header("Cookie", cookie))
    };
    let cookie = |value: &str| format!("{COOKIE}={value}");
    for (first, second) in [(&hers, &planted), (&planted, &hers), (&planted, &planted)] {
        let joined = format!("{}; {}", cookie(first), cookie(second));
        Reply::to(me(&[joined])).await.expect(401);
        Reply::to(me(&[cookie(first), cookie(second)])).await.expect(401);
    }
    Reply::to(me(&[cookie(&hers)])).await.expect(200);
}

#[tokio::test]
async fn a_cookie_without_its_prefix_behind_https() {
    let scene = Scene::start_on(
        Backend::Embedded,
        &[("SIDEREAL_PUBLIC_URL", "https://sky.example.org")],
    )
    .await;
    let browser = Browser::default();
    let begun = browser
        .get(&scene.url("/account/login?next=/app/"))
        .await
        .expect(303);
    let finished = {
        let begun = super::Begun::of(begun.next());
        scene.come_back_as(&browser, &begun, &person("alice")).await
    };
    assert_eq!(finished.location(), "https://sky.example.org/app/");
    for (reply, name) in [(&begun, "__Host-sidereal-login"), (&finished, "__Host-sidereal")] {
        let cookie = reply.header("set-cookie").expect("a cookie");
        assert!(cookie.starts_with(&format!("{name}=")), "{cookie}");
        let attributes: Vec<_> = cookie.split("; ").skip(1).collect();
        for needed in ["Path=/", "HttpOnly", "SameSite=Lax", "Secure"] {
            assert!(attributes.contains(&needed), "{cookie}");
        }
        assert!(!cookie.to_lowercase().contains("domain"), "{cookie}");
    }
    let secret = browser
        .cookie(&scene.url("/"), "__Host-sidereal")
        .expect("a session");
    let me = |name: &str| {
        let request = scene.site.request(Method::GET, "/api/v1/me");
        request.header("Cookie", format!("{name}={secret}"))
    };
    // Without the prefix any sibling could have set it.
    for name in [COOKIE, "__Secure-sidereal", "__host-sidereal"] {
        Reply::to(me(name)).await.expect(401);
    }
    Reply::to(me("__Host-sidereal")).await.expect(200);
    // The origin is the public one, whatever address the request came to.
    for (origin, status) in [
        (scene.site.address.as_str(), 403),
        ("https://sky.example.org", 303),
    ] {
        let request = scene.site.request(Method::POST, LIST);
        let request = request
            .header("Cookie", format!("__Host-sidereal={secret}"))
            .header("Origin", origin)
            .header("Sidereal-Request", "1");
        Reply::to(request.form(&[("X", "1")])).await.expect(status);
    }
}

#[tokio::test]
async fn a_script_without_a_session_is_not_redirected() {
    let scene = Scene::start().await;
    for (path, headers) in [
        ("/api/v1/me", &[("Accept", "text/html")][..]),
        ("/api/v1/jobs", &[("X-Requested-With", "XMLHttpRequest")]),
        ("/api/v1/events", &[("Accept", "text/event-stream")]),
        ("/account/token", &[("Sec-Fetch-Mode", "cors")]),
        (LIST, &[("Accept", "application/json")]),
        (
            LIST,
            &[("Accept", "application/problem+json"), ("Cookie", "sidereal=x")],
        ),
    ] {
        for method in [Method::GET, Method::POST] {
            if method == Method::POST && ["/api/v1/me", "/api/v1/events", "/account/token"].contains(&path) {
                continue;
            }
            let request = with(scene.site.request(method, path), headers);
            let refused = Reply::to(request).await.expect(401);
            assert_eq!(
                refused.header("content-type"),
                Some("application/problem+json"),
                "{path}"
            );
            assert_eq!(refused.header("location"), None);
            assert_eq!(
                refused.header("www-authenticate"),
                Some("Bearer realm=\"sidereal\"")
            );
            assert_eq!(refused.json::<Value>()["status"], 401);
        }
    }
}

#[tokio::test]
async fn cors_with_credentials() {
    let victim = Victim::start(Backend::Embedded).await;
    let own = victim.scene.site.address.clone();
    for origin in [
        "https://evil.example",
        "null",
        "http://localhost:3000",
        "http://127.0.0.1",
        own.as_str(),
        &format!("{own}.evil.example"),
    ] {
        for path in [
            "/api/v1/me",
            "/api/v1/jobs",
            "/api/v1/nowhere",
            LIST,
            &victim.job,
            "/account/token",
            "/account/login",
            "/account/provider",
            "/openapi.json",
            "/share/x",
        ] {
            for method in [
                Method::GET,
                Method::HEAD,
                Method::POST,
                Method::DELETE,
                Method::OPTIONS,
            ] {
                if path == victim.job && method == Method::DELETE && origin == own {
                    continue;
                }
                let request = victim
                    .request(method, path)
                    .header("Origin", origin)
                    .header("Access-Control-Request-Method", "POST")
                    .header("Access-Control-Request-Headers", "sidereal-request");
                let reply = Reply::to(request).await;
                let allowed = reply
                    .headers
                    .keys()
                    .find(|name| name.as_str().starts_with("access-control-"));
                assert_eq!(allowed, None, "{reply:?}");
            }
        }
    }
    victim.is_unharmed().await;
}

#[tokio::test]
async fn a_poisoned_host() {
    let scene = Scene::start().await;
    let token = scene.token("alice");
    let job = scene.job(&token, &[("X", "1"), RUN]).await;
    scene.until_completed(&token, &job).await;
    for lie in [
        &[("Host", "evil.example")][..],
        &[("X-Forwarded-Host", "evil.example")],
        &[
            ("X-Forwarded-Host", "evil.example"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Port", "81"),
        ],
        &[("Forwarded", "host=evil.example;proto=https")],
        &[
            ("X-Original-URL", "https://evil.example/"),
            ("X-Rewrite-URL", "/evil"),
        ],
        &[("X-Host", "evil.example"), ("X-Forwarded-Server", "evil.example")],
        &[("X-Forwarded-Prefix", "/evil")],
    ] {
        for path in [
            job.as_str(),
            &format!("{job}/results"),
            &format!("{job}/parameters"),
            LIST,
            "/api/echo/capabilities",
            "/api/v1/jobs",
            "/openapi.json",
            "/account/login",
            "/account/callback",
            "/account/provider",
        ] {
            let reply = Reply::to(with(scene.by_token(Method::GET, path, &token), lie)).await;
            let shown = format!("{:?} {}", reply.headers, reply.text());
            assert!(
                !shown.contains("evil") && !shown.contains(":81"),
                "{lie:?}: {shown}"
            );
        }
        let made = with(scene.by_token(Method::POST, LIST, &token), lie).form(&[("X", "1")]);
        let made = Reply::to(made).await.expect(303);
        assert!(
            made.location().starts_with(&scene.url(LIST)),
            "{}",
            made.location()
        );
    }
}

/// How a login that is begun from the address in this header is answered, after others were begun until it is too
/// many, each saying another address.
async fn after_too_many(site: &Site, forged: impl Fn(u32) -> String) -> u32 {
    // At once 20 are let in, and one more each second: a machine on which this is not enough could not answer at all.
    for begun in 0..2_000 {
        let request = site
            .request(Method::GET, "/account/login")
            .header("X-Forwarded-For", forged(begun))
            .header("X-Real-IP", forged(begun))
            .header("Forwarded", format!("for={}", forged(begun)));
        let reply = Reply::to(request).await;
        if reply.status == 429 {
            return begun;
        }
        reply.expect(303);
    }
    panic!("never too many");
}

fn address(number: u32) -> String {
    let [_, a, b, c] = number.to_be_bytes();
    format!("10.{a}.{b}.{c}")
}

#[tokio::test]
async fn forged_addresses_do_not_evade_rates() {
    let scene = Scene::start().await;
    assert!(after_too_many(&scene.site, address).await >= 20);
}

#[tokio::test]
async fn forged_addresses_before_a_trusted_proxys() {
    let scene = Scene::start_on(Backend::Embedded, &[("SIDEREAL_TRUSTED_PROXIES", "1")]).await;
    let behind = |number| format!("{}, 192.0.2.1", address(number));
    assert!(after_too_many(&scene.site, behind).await >= 20);
    // Another address behind the same proxy does not suffer.
    let request = scene.site.request(Method::GET, "/account/login");
    let other = request.header("X-Forwarded-For", "192.0.2.1, 192.0.2.2");
    Reply::to(other).await.expect(303);
}
