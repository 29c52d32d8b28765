//! Strings that would be headers, markup or a page of ours if they were taken at their word; and secrets in the log.

use reqwest::Method;
use serde_json::{Value, json};

use super::{COOKIE, Scene, days_ahead, person};
use crate::harness::{Backend, Browser, Reply, on_both_back_ends};
use crate::uws::xml::Element;
use crate::uws::{LIST, RUN, id};

on_both_back_ends!(a_file_that_is_a_page_is_never_ours);

/// What would end any string that it is put into.
const MARKUP: &str = "]]>--><b x=\"y\">&amp;&lt;' <script>alert(1)</script>";

impl Scene {
    /// Makes a job by a multipart form as it is written here, and gives its URL.
    async fn upload(&self, token: &str, headers_of_the_part: &str, content: &str) -> Reply {
        let body = format!("--b\r\n{headers_of_the_part}\r\n\r\n{content}\r\n--b--\r\n");
        let request = self
            .by_token(Method::POST, LIST, token)
            .header("Content-Type", "multipart/form-data; boundary=b");
        Reply::to(request.body(body)).await
    }
}

/// Nothing of what came has become a header, and there is but one of each of those that say how it is to be taken.
#[track_caller]
fn is_not_split(reply: &Reply) {
    assert_eq!(reply.header("x-evil"), None, "{reply:?}");
    assert_eq!(reply.header("set-cookie"), None, "{reply:?}");
    for name in [
        "content-type",
        "content-disposition",
        "content-length",
        "location",
    ] {
        assert!(reply.headers.get_all(name).iter().count() <= 1, "{reply:?}");
    }
}

#[tokio::test]
async fn line_ends_in_file_names() {
    let scene = Scene::start().await;
    let alice = scene.token("alice");
    for name in [
        "a%0d%0aX-Evil: 1",
        "a\\\r\n X-Evil: 1",
        "a\rX-Evil: 1",
        "a\nX-Evil: 1",
        "a\\\"; filename=evil.html; x=\\\"",
        "../../../etc/passwd",
        "\u{202e}lmth.fits",
        "a\u{0}b",
    ] {
        let headers = format!("Content-Disposition: form-data; name=\"X\"; filename=\"{name}\"");
        let made = scene.upload(&alice, &headers, "content").await;
        is_not_split(&made);
        if made.status == 400 {
            continue;
        }
        let job = made.expect(303).location().to_owned();
        let reply = scene
            .get(&format!("{job}/parameters/X"), &alice)
            .await
            .expect(200);
        is_not_split(&reply);
        assert_eq!(
            reply.header("content-disposition"),
            Some("attachment; filename=\"X\"")
        );
    }
}

#[tokio::test]
async fn line_ends_and_other_bytes_in_names_of_parameters_and_results() {
    let scene = Scene::start().await;
    let alice = scene.token("alice");
    let job = scene.job(&alice, &[("X", "1"), RUN]).await;
    scene.until_completed(&alice, &job).await;
    for name in [
        "a%0d%0aX-Evil:%201",
        "%0d%0a%0d%0a%3Cscript%3E",
        "%00",
        "%ff%fe",
        "..%2f..%2fetc%2fpasswd",
        "%22%3E%3Cscript%3E",
    ] {
        for below in ["parameters", "results"] {
            let reply = scene.get(&format!("{job}/{below}/{name}"), &alice).await;
            assert!([400, 404].contains(&reply.status), "{reply:?}");
            is_not_split(&reply);
        }
        for path in [
            format!("/api/{name}/async"),
            format!("{LIST}/{name}"),
            format!("/api/v1/jobs/{name}"),
            format!("/api/{name}/capabilities"),
        ] {
            for method in [Method::GET, Method::POST] {
                let reply = Reply::to(scene.by_token(method, &path, &alice)).await;
                assert!([400, 404, 405].contains(&reply.status), "{reply:?}");
                is_not_split(&reply);
            }
        }
    }
    for name in ["A\r\nX-Evil: 1", "<b>", "", "../x", "a b"] {
        let refused = scene.post(LIST, &alice, &[(name, "1")]).await;
        is_not_split(&refused.expect(400));
    }
}

#[tokio::test]
async fn line_ends_in_media_types() {
    let scene = Scene::start().await;
    let alice = scene.token("alice");
    for media_type in [
        "text/html\rX-Evil: 1",
        "text/html;\r\n X-Evil: 1",
        "text/html; charset=\"a\\\"",
        "text/html\u{1}",
        "a/b; \u{e9}",
        "",
        "no type at all",
    ] {
        let headers = format!(
            "Content-Disposition: form-data; name=\"X\"; filename=\"x\"\r\nContent-Type: {media_type}"
        );
        let made = scene.upload(&alice, &headers, "content").await;
        is_not_split(&made);
        if made.status == 400 {
            continue;
        }
        let job = made.expect(303).location().to_owned();
        let reply = Reply::to(scene.by_token(Method::GET, &format!("{job}/parameters/X"), &alice)).await;
        is_not_split(&reply.expect(200));
    }
}

#[tokio::test]
async fn line_ends_in_labels_and_names_of_tokens() {
    let scene = Scene::start().await;
    let alice = scene.token("alice");
    let job = scene.job(&alice, &[("X", "1")]).await;
    let one = format!("/api/v1/jobs/{}", id(&job));
    for label in [
        "a\r\nX-Evil: 1",
        "a\nb",
        "a\rb",
        "a\u{0}b",
        "a\u{1b}[31mb",
        "a\u{85}b",
    ] {
        let refused = scene.post(LIST, &alice, &[("RUNID", label)]).await;
        is_not_split(&refused.expect(400));
        let refused = scene
            .post(&format!("{job}/parameters"), &alice, &[("RUNID", label)])
            .await;
        is_not_split(&refused.expect(400));
        let body = json!({ "service": "echo", "runId": label });
        scene.post_json("/api/v1/jobs", &alice, &body).await.expect(400);
        let patch = scene.by_token(Method::PATCH, &one, &alice);
        scene
            .site
            .send(patch.json(&json!({ "runId": label })))
            .await
            .expect(400);
        let body = json!({ "name": label, "scopes": ["read"], "expires": days_ahead(1) });
        scene
            .post_json("/account/token/create", &alice, &body)
            .await
            .expect(400);
    }
    let jobs: Value = scene.get("/api/v1/jobs", &alice).await.expect(200).json();
    assert_eq!(jobs["items"].as_array().expect("a list").len(), 1);
}

#[tokio::test]
async fn markup_in_every_string_that_a_job_shows() {
    let scene = Scene::start().await;
    let mut claims = person("alice");
    claims["preferred_username"] = json!(MARKUP);
    let token = scene.issuer.token(&claims);
    let form = [("RUNID", MARKUP), ("X", MARKUP), ("FAIL", "fatal"), RUN];
    let job = scene.job(&token, &form).await;
    let failed = loop {
        let reply = scene.get(&format!("{job}?WAIT=50"), &token).await.expect(200);
        let document = Element::of(&reply);
        if document.child("uws:phase").text == "ERROR" {
            break document;
        }
    };
    assert_eq!(failed.child("uws:runId").text, MARKUP);
    assert_eq!(failed.child("uws:ownerId").text, MARKUP);
    let parameters = &failed.child("uws:parameters").children;
    assert!(
        parameters
            .iter()
            .any(|parameter| parameter.attribute("id") == "X" && parameter.text == MARKUP)
    );
    let list = Element::of(&scene.get(LIST, &token).await.expect(200));
    let shown = &list.children[0];
    assert_eq!(shown.child("uws:runId").text, MARKUP);
    assert_eq!(shown.child("uws:ownerId").text, MARKUP);
    let parameters = scene.get(&format!("{job}/parameters"), &token).await.expect(200);
    assert!(
        Element::of(&parameters)
            .children
            .iter()
            .any(|parameter| parameter.text == MARKUP)
    );
    // As text it is no page.
    for path in ["owner", "parameters/X"] {
        let reply = scene.get(&format!("{job}/{path}"), &token).await.expect(200);
        assert_eq!(reply.text(), MARKUP);
        assert!(
            reply
                .header("content-type")
                .expect("a type")
                .starts_with("text/plain")
        );
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    }
    let body = json!({ "expires": days_ahead(1) });
    let shares = format!("/api/v1/jobs/{}/shares", id(&job));
    let link: Value = scene.post_json(&shares, &token, &body).await.expect(201).json();
    let shared = scene
        .site
        .get(link["url"].as_str().expect("a URL"))
        .await
        .expect(200);
    assert_eq!(Element::of(&shared).child("uws:runId").text, MARKUP);
}

#[tokio::test]
async fn markup_in_errors() {
    let scene = Scene::start().await;
    let alice = scene.token("alice");
    for (name, value) in [
        ("SLEEP", MARKUP),
        ("FAIL", MARKUP),
        ("PHASE", MARKUP),
        ("DESTRUCTION", MARKUP),
        ("EXECUTIONDURATION", MARKUP),
        ("RESPONSEFORMAT", MARKUP),
        (MARKUP, "1"),
    ] {
        for accept in [
            "application/x-votable+xml",
            "text/html",
            "*/*",
            "application/json",
        ] {
            let request = scene
                .by_token(Method::POST, LIST, &alice)
                .header("Accept", accept)
                .form(&[(name, value)]);
            // The harness reads every VOTable by its schema.
            let reply = scene.site.send(request).await;
            if name == "RESPONSEFORMAT" && reply.status == 303 {
                continue;
            }
            let refused = reply.expect(400);
            let media_type = refused.header("content-type").expect("a type");
            assert!(!media_type.contains("html"), "{media_type}");
            assert_eq!(refused.header("x-content-type-options"), Some("nosniff"));
            if media_type.contains("votable") {
                Element::of(&refused);
            }
        }
    }
    // On the few pages of HTML, what others say is text.
    let browser = Browser::default();
    let page = scene.url("/account/callback?state=%22%3E%3Cscript%3E&error=%3Cscript%3E");
    let page = browser.get(&page).await.expect(400).text();
    assert!(!page.contains("<script"), "{page}");
}

async fn a_file_that_is_a_page_is_never_ours(backend: Backend) {
    let scene = Scene::start_on(backend, &[]).await;
    let alice = scene.token("alice");
    let page = "<html xmlns=\"http://www.w3.org/1999/xhtml\"><script>alert(document.cookie)</script></html>";
    for media_type in [
        "text/html",
        "image/svg+xml",
        "application/xhtml+xml",
        "text/xml",
        "application/javascript",
        "application/pdf",
        "text/html; charset=utf-7",
    ] {
        let headers = format!(
            "Content-Disposition: form-data; name=\"X\"; filename=\"x.html\"\r\nContent-Type: {media_type}"
        );
        let made = scene.upload(&alice, &headers, page).await.expect(303);
        let job = made.location().to_owned();
        let run = scene.post(&format!("{job}/phase"), &alice, &[RUN]).await;
        run.expect(303);
        scene.until_completed(&alice, &job).await;
        let shares = format!("/api/v1/jobs/{}/shares", id(&job));
        let body = json!({ "expires": days_ahead(1) });
        let link: Value = scene.post_json(&shares, &alice, &body).await.expect(201).json();
        let link = format!("{}/{}", link["url"].as_str().expect("a URL"), id(&job));
        for base in [&job, &link] {
            for below in ["parameters/X", "results/result"] {
                for accept in ["*/*", "text/html"] {
                    let request = scene.by_token(Method::GET, &format!("{base}/{below}"), &alice);
                    let reply = Reply::to(request.header("Accept", accept)).await.expect(200);
                    let disposition = reply.header("content-disposition").expect("one");
                    assert!(
                        disposition.starts_with("attachment; filename=\""),
                        "{disposition}"
                    );
                    let policy = reply.header("content-security-policy").expect("a policy");
                    assert!(
                        policy.contains("sandbox") && !policy.contains("allow-"),
                        "{policy}"
                    );
                    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
                    assert_eq!(reply.header("set-cookie"), None);
                }
            }
        }
    }
}

#[tokio::test]
async fn secrets_in_the_log() {
    let scene = Scene::start_on(Backend::Embedded, &[("SIDEREAL_LOG__LEVEL", "debug")]).await;
    let browser = Browser::default();
    let begun = scene.begin(&browser).await;
    let login_cookie = browser
        .cookie(&scene.url("/"), "sidereal-login")
        .expect("a login");
    let login = scene.issuer.login(&begun.nonce, &person("alice"));
    let (access, id_token) = (login["access_token"].clone(), login["id_token"].clone());
    scene.issuer.answer(200, login);
    let query = [
        ("code", "a-code-to-be-kept-secret"),
        ("state", begun.state.as_str()),
        ("iss", scene.issuer.issuer()),
    ];
    scene.come_back(&browser, &query).await.expect(303);
    // Once more, which is refused.
    scene.come_back(&browser, &query).await.expect(400);
    let verifier = scene.issuer.asked()[0]
        .iter()
        .find(|(name, _)| name == "code_verifier")
        .expect("a verifier")
        .1
        .clone();
    let session = scene.session(&browser).expect("a session");
    assert!(scene.lives(&session).await);

    let bearer = scene.token("alice");
    let body = json!({ "name": "x", "scopes": ["read"], "expires": days_ahead(1) });
    let made: Value = scene
        .post_json("/account/token/create", &bearer, &body)
        .await
        .expect(201)
        .json();
    let api_token = made["token"].as_str().expect("a token").to_owned();
    scene.get("/api/v1/me", &api_token).await.expect(200);
    scene.post(LIST, &api_token, &[("X", "1")]).await.expect(403);
    let job = scene.job(&bearer, &[("X", "1"), RUN]).await;
    scene.until_completed(&bearer, &job).await;
    let shares = format!("/api/v1/jobs/{}/shares", id(&job));
    let body = json!({ "expires": days_ahead(1) });
    let link: Value = scene.post_json(&shares, &bearer, &body).await.expect(201).json();
    let link = link["url"].as_str().expect("a URL");
    let secret = link.rsplit('/').next().expect("a secret");
    for below in ["", "/x", "/x/results", "/x/results/y"] {
        scene.site.get(&format!("{link}{below}")).await;
    }
    // Where browsers are sent.
    scene.site.get(&link.replace("/share/", "/app/share/")).await;
    let bad = scene.issuer.token(&json!({ "aud": "account" }));
    scene.get("/api/v1/me", &bad).await.expect(401);
    let logout = scene.issuer.logout_token(&json!({ "sub": "subject-of-alice" }));
    let request = scene.site.request(Method::POST, "/account/backchannel-logout");
    for status in [200, 400] {
        let request = request.try_clone().expect("a form");
        scene
            .site
            .send(request.form(&[("logout_token", &logout)]))
            .await
            .expect(status);
    }
    // The session is renewed, refused, and ended.
    scene.sign_in(&browser, "alice").await;
    scene
        .rewrite("UPDATE session SET fresh_until = created_at - 1")
        .await;
    let last = scene.session(&browser).expect("a session");
    assert!(!scene.lives(&last).await);
    // One ends by its owner.
    scene.sign_in(&browser, "alice").await;
    let (_, way_out) = scene.log_out(&browser).await;
    browser.get(&way_out).await.expect(303);
    let way_out = way_out.rsplit('/').next().expect("a secret");

    scene.site.get("/the-last-of-all-requests").await.expect(404);
    scene
        .site
        .until_log(|log| log.contains("/the-last-of-all-requests"))
        .await;
    let log = scene.site.log();
    assert!(log.contains("/app/share/…"), "it has what was asked for: {log}");
    for (what, secret) in [
        ("session", session.as_str()),
        ("session", &last),
        ("cookie", &format!("{COOKIE}={session}")),
        ("cookie of the login", &login_cookie),
        ("state", &begun.state),
        ("nonce", &begun.nonce),
        ("code", "a-code-to-be-kept-secret"),
        ("verifier", &verifier),
        ("access token", access.as_str().expect("a token")),
        ("ID token", id_token.as_str().expect("a token")),
        ("refresh token", "a-refresh-token"),
        ("bearer", &bearer),
        ("refused bearer", &bad),
        ("logout token", &logout),
        ("API token", &api_token),
        ("share link", secret),
        ("way out", way_out),
        ("client secret", super::SECRET),
    ] {
        assert!(!log.contains(secret), "{what} in the log: {log}");
        // Nor its signature alone.
        if let Some((_, signature)) = secret.rsplit_once('.') {
            assert!(!log.contains(signature), "{what} in the log: {log}");
        }
    }
}
