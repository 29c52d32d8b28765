//! What dashboards are not made of: what callers and Keepers may send by mistake or by malice. Nobody else is asked,
//! nothing in a page acts, nothing is written elsewhere, and what was published stays as it was.

use std::io::Write as _;

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    dashboard::{Scene, note, pipes},
    harness::{Answer, Backend, Html, Keeper},
};

const BULK: &str = "/products/sqr-900/dashboard";

async fn scene() -> Scene {
    Scene::start(Backend::Embedded).await
}

/// A call with this URL beside a good one is refused whole, nobody is asked, and UWS's form refuses it too.
async fn refuses(scene: &Scene, url: &str) {
    let good = format!("{}/products/pipes", scene.keeper.url());
    let refused = scene.build(&json!({ "product_urls": [good, url] })).await;
    let refused = refused.expect(400);
    assert_eq!(refused.header("content-type"), Some("application/json"), "{url}");
    let body: Value = refused.json();
    assert_eq!(
        (&body["status"], &body["error"]),
        (&json!(400), &json!("bad request"))
    );
    let message = body["message"].as_str().unwrap();
    assert!(message.starts_with("product_urls[1]"), "{body}");
    let form = [("PHASE", "RUN"), ("PRODUCT_URL", url)];
    let refused = scene.site.post("/api/dashboard/async", &form).await.expect(400);
    assert!(refused.text().contains("PRODUCT_URL"), "{}", refused.text());
    let jobs: Value = scene.site.get_json("/api/v1/jobs?service=dashboard").await;
    assert_eq!(jobs["items"], json!([]), "{url}");
    assert!(scene.keeper.asked().is_empty(), "{url}");
}

#[tokio::test]
async fn a_url_of_another_host_is_refused() {
    let (scene, evil) = (scene().await, Keeper::start());
    let host = scene.keeper.url().strip_prefix("http://").unwrap();
    for url in [
        format!("{}/products/pipes", evil.url()),
        "http://169.254.169.254/products/pipes".into(),
        format!("https://{host}/products/pipes"),
        format!("http://{host}.evil.example.org/products/pipes"),
        "javascript:alert(1)".into(),
        "file:///products/pipes".into(),
        "pipes".into(),
    ] {
        refuses(&scene, &url).await;
    }
    assert!(evil.asked().is_empty());
}

#[tokio::test]
async fn a_url_with_a_user_is_refused() {
    let scene = scene().await;
    let host = scene.keeper.url().strip_prefix("http://").unwrap();
    for user in [
        "//user:password@",
        "//user@",
        "//@",
        "user:password@",
        "/user@",
        "\\\\user@",
    ] {
        refuses(&scene, &format!("http:{user}{host}/products/pipes")).await;
    }
    refuses(&scene, &format!("ht\ntp://{host}/products/pipes")).await;
    refuses(&scene, &format!("http://{host}@evil.example.org/products/pipes")).await;
}

#[tokio::test]
async fn a_slug_that_climbs_is_refused() {
    let scene = scene().await;
    for rest in [
        "..",
        "%2e%2e%2fx",
        "..%2fx",
        "x/../../y",
        "pipes?x=1",
        "pipes#x",
        "pipes/dashboard",
        "",
    ] {
        refuses(&scene, &format!("{}/products/{rest}", scene.keeper.url())).await;
    }
    let form = [("PHASE", "RUN"), ("PRODUCT", "../../pipes")];
    let refused = scene.site.post("/api/dashboard/async", &form).await.expect(400);
    assert!(refused.text().contains("PRODUCT"), "{}", refused.text());
}

#[tokio::test]
async fn what_is_no_call_is_refused_in_the_form_of_ltd_dasher() {
    let scene = scene().await;
    for body in [
        "",
        "{",
        "[]",
        "{}",
        "{\"product_urls\": null}",
        "{\"product_urls\": [1]}",
    ] {
        let request = scene.site.request(Method::POST, "/build").body(body);
        let refused: Value = scene.site.send(request).await.expect(400).json();
        assert_eq!(refused["error"], "bad request", "{body}");
    }
    let many: Vec<String> = (0..101)
        .map(|number| format!("{}/products/p{number}", scene.keeper.url()))
        .collect();
    scene.build(&json!({ "product_urls": many })).await.expect(400);
    let long = scene
        .site
        .request(Method::POST, "/build")
        .body(" ".repeat(530 << 10));
    let refused: Value = scene.site.send(long).await.expect(413).json();
    assert_eq!(refused["status"], 413);
    let nothing = scene
        .build(&json!({ "product_urls": [], "more": 1 }))
        .await
        .expect(202);
    assert_eq!(nothing.json::<Value>(), json!({ "jobs": [] }));
    for (method, path, allowed) in [
        (Method::GET, "/build", "POST"),
        (Method::PUT, "/build", "POST"),
        (Method::DELETE, "/build", "POST"),
        (Method::POST, "/healthz", "GET"),
    ] {
        let request = scene.site.request(method.clone(), path).body("{}");
        let wrong = scene.site.send(request).await.expect(405);
        assert!(
            wrong.header("allow").unwrap().contains(allowed),
            "{method} {path}"
        );
        let said: Value = wrong.json();
        let form = json!({
            "status": 405, "error": "method not supported", "message": "the method is not supported"
        });
        for (key, value) in form.as_object().unwrap() {
            assert_eq!(&said[key], value, "{method} {path}: {said}");
        }
    }
    let health: Value = scene.site.get("/healthz").await.expect(200).json();
    assert_eq!(health, json!({ "status": "ok" }));
    let about: Value = scene.site.get("/").await.expect(200).json();
    assert!(
        about["dasher_version"].is_string() && about["repo"].is_string(),
        "{about}"
    );
}

/// A name that once led outwards and now leads inwards (DNS rebinding) is judged when it is connected to.
#[tokio::test]
async fn a_name_that_leads_inwards_is_not_connected_to() {
    let inward = Keeper::start();
    inward.publish(&pipes());
    let port = inward.url().rsplit(':').next().unwrap().to_owned();
    let hosts = ["localhost", "127.0.0.1"];
    let settings = hosts.map(|host| {
        format!(
            "[[dashboard.keepers]]\nname = '{}'\nprefix = '{0}'\nbase_url = 'http://{host}:{port}'\n",
            host.replace('.', "-")
        )
    });
    let scene = Scene::with_settings(Backend::Embedded, inward, &settings.concat(), &[]).await;
    for host in hosts {
        let url = format!("http://{host}:{port}/products/pipes");
        let job = scene.build(&json!({ "product_urls": [url] })).await.expect(202);
        let job = job.location().to_owned();
        assert_eq!(scene.ended(&job).await["phase"], "ERROR");
        let message = scene.site.get(&format!("{job}/error")).await.text();
        assert!(message.contains("in the public network"), "{message}");
    }
    let inward = &scene.keeper;
    assert!(inward.asked().is_empty());
}

#[tokio::test]
async fn members_of_another_origin_are_not_asked_for() {
    let (scene, evil) = (scene().await, Keeper::start());
    let keeper = &scene.keeper;
    keeper.forget(BULK);
    let bulk = note();
    let ours = "http://127.0.0.1:15000";
    keeper.answer("/products/sqr-900", Answer::json(bulk["product"].to_string()));
    for rows in ["editions", "builds"] {
        let host = keeper.url().strip_prefix("http://").unwrap();
        let mut urls = vec![
            json!(format!("{}/{rows}/1", evil.url())),
            json!(format!("http://169.254.169.254/{rows}/1")),
            json!(format!("http://user@{host}/{rows}/1")),
            json!(format!("{}/{rows}/../products/pipes", keeper.url())),
            // One that has gone since it was listed.
            json!(format!("{}/{rows}/999", keeper.url())),
        ];
        for row in bulk[rows].as_array().unwrap() {
            let path = row["self_url"].as_str().unwrap().strip_prefix(ours).unwrap();
            let body = row.to_string().replace(ours, keeper.url());
            keeper.answer(path, Answer::json(body));
            urls.push(json!(format!("{}{path}", keeper.url())));
        }
        let list = json!({ rows: urls }).to_string();
        keeper.answer(&format!("/products/sqr-900/{rows}/"), Answer::json(list));
    }
    let report = scene.built("sqr-900").await;
    let counts = (&report["editions"], &report["builds"]);
    assert_eq!(counts, (&json!(7), &json!(8)), "{report}");
    assert_eq!(report["skipped"].as_array().map(Vec::len), Some(10), "{report}");
    assert!(evil.asked().is_empty());
    assert_eq!(keeper.count("GET /products/pipes"), 0);
    let page = Html::of(&scene.page("sqr-900/v/").await.text());
    assert!(page.text.find("v1.10").unwrap() < page.text.find("v1.9").unwrap());
    assert!(
        page.links().contains(&"https://github.com/octo"),
        "the editions know their builds"
    );
}

/// Publishes what a Keeper says of `pipes`, and gives the pages, in which nothing acts, and the report.
async fn pages(scene: &Scene, said: &Value) -> (Vec<Html>, Value) {
    scene.keeper.publish(said);
    let report = scene.built("pipes").await;
    let mut pages = Vec::new();
    for path in ["pipes/v/", "pipes/builds/", ""] {
        let page = Html::of(&scene.page(path).await.text());
        page.check_harmless();
        pages.push(page);
    }
    (pages, report)
}

#[tokio::test]
async fn an_image_with_a_handler_as_a_branch_is_text() {
    const BRANCH: &str = "<img/src=x/onerror=alert(1)>";
    let scene = scene().await;
    let mut hostile = pipes();
    hostile["editions"][1]["tracked_refs"] = json!([BRANCH]);
    hostile["editions"][1]["title"] = json!("</title><script>alert(1)</script>");
    hostile["builds"][0]["git_refs"] = json!([BRANCH, "\"><svg onload=alert(1)>"]);
    hostile["builds"][0]["github_requester"] = json!("x\" onmouseover=\"alert(1)");
    hostile["builds"][1]["github_requester"] = json!("javascript:alert(1)");
    let (pages, _) = pages(&scene, &hostile).await;
    assert!(pages[0].text.contains(BRANCH) && pages[1].text.contains(BRANCH));
    assert!(pages[1].text.contains("\"><svg onload=alert(1)>"));
    assert!(pages[2].text.contains("Pipes <script>alert(1)</script>"));
}

#[tokio::test]
async fn a_javascript_repository_is_not_linked() {
    let scene = scene().await;
    for address in [
        "javascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        " javascript:alert(1)",
    ] {
        let mut hostile = pipes();
        hostile["product"]["doc_repo"] = json!(address);
        hostile["product"]["published_url"] = json!(address);
        hostile["editions"][1]["published_url"] = json!(address);
        hostile["builds"][0]["published_url"] = json!(address);
        let (pages, _) = pages(&scene, &hostile).await;
        let links: Vec<&str> = pages.iter().flat_map(Html::links).collect();
        assert!(links.iter().all(|link| !link.contains("alert")), "{links:?}");
    }
}

#[tokio::test]
async fn a_slug_of_dots_or_of_our_own_files_is_left_out() {
    let scene = scene().await;
    let mut hostile = pipes();
    for rows in ["editions", "builds"] {
        let row = hostile[rows][1].clone();
        for slug in ["..", ".", "../x", "index.html", "switcher.json", "a\r\nb", "<b>"] {
            let mut odd = row.clone();
            odd["slug"] = json!(slug);
            hostile[rows].as_array_mut().unwrap().push(odd);
        }
    }
    let (_, before) = pages(&scene, &pipes()).await;
    let (_, report) = pages(&scene, &hostile).await;
    let skipped = |report: &Value| report["skipped"].as_array().unwrap().len();
    assert_eq!(skipped(&report), skipped(&before) + 14, "{report}");
    assert_eq!(
        (&report["editions"], &report["builds"]),
        (&before["editions"], &before["builds"])
    );
}

#[tokio::test]
async fn a_foreign_bucket_or_another_slug_is_not_written_to() {
    let scene = scene().await;
    let mut hostile = pipes();
    hostile["product"]["bucket_name"] = json!("../../another-bucket");
    hostile["builds"][0]["bucket_root_dir"] = json!("../../../etc");
    pages(&scene, &hostile).await;
    let names = scene.site.object_names().await;
    let outside = |name: &&String| name.starts_with("dashboards/") && !name.starts_with("dashboards/pipes/");
    assert_eq!(names.iter().find(outside), None);
    assert!(
        !names.iter().any(|name| name.contains("another-bucket")),
        "{names:?}"
    );
    // Who is asked for one product has no say in another.
    let mut other = note();
    other["product"]["slug"] = json!("pipes");
    misbehaves(&scene, Answer::json(other.to_string()), "pipes").await;
}

#[tokio::test]
async fn a_surrogate_key_with_line_breaks_goes_nowhere() {
    let lines = "fastly_service = 'svc1'\nfastly_key = 'key'\nfastly_url = 'KEEPER'";
    let scene = Scene::start_with(Backend::Embedded, lines, &[]).await;
    for key in [
        "5f015d694f38481c8d089115fea8eb0f\r\nSet-Cookie: x=1",
        "../../service/other/purge_all",
        "5F015D694F38481C8D089115FEA8EB0F",
        "",
    ] {
        let mut hostile = pipes();
        hostile["product"]["surrogate_key"] = json!(key);
        let (_, report) = pages(&scene, &hostile).await;
        assert_eq!(report["purged"], false, "{key:?}");
    }
    let asked = scene.keeper.asked();
    assert!(asked.iter().all(|asked| asked.starts_with("GET ")), "{asked:?}");
}

/// With this answer of Keeper's a job fails and says why; the pages stay, and are right again once Keeper is.
async fn misbehaves(scene: &Scene, answer: Answer, why: &str) {
    scene.keeper.publish(&note());
    scene.built("sqr-900").await;
    let before = scene.page("sqr-900/v/").await;
    scene.keeper.answer(BULK, answer);
    let job = scene.call(&["sqr-900"]).await.expect(202).location().to_owned();
    assert_eq!(scene.ended(&job).await["phase"], "ERROR", "{why}");
    let message = scene.site.get(&format!("{job}/error")).await.expect(200).text();
    assert!(message.contains(why), "{message}");
    // What a peer says is told in part at most.
    assert!(message.len() < 1_000, "{message}");
    let page = scene.page("sqr-900/v/").await;
    assert_eq!(page.header("etag"), before.header("etag"), "{why}");
    scene.keeper.publish(&note());
    assert_eq!(scene.built("sqr-900").await["state"], "unchanged");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (scene, elsewhere) = (scene().await, Keeper::start());
    elsewhere.publish(&note());
    for status in [301, 302, 307, 308] {
        let to = format!("{}{BULK}", elsewhere.url());
        let answer = Answer::status(status).with("location", to);
        misbehaves(&scene, answer, "redirects are not followed").await;
    }
    assert!(elsewhere.asked().is_empty());
}

#[tokio::test]
async fn a_gzip_bomb_is_not_inflated() {
    let scene = scene().await;
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..256 {
        bomb.write_all(&vec![b' '; 1 << 20]).unwrap();
    }
    let bomb = bomb.finish().unwrap();
    let compressed = Answer::json(bomb.clone()).with("content-encoding", "gzip");
    misbehaves(&scene, compressed, "compressed").await;
    misbehaves(&scene, Answer::json(bomb), "JSON").await;
    let long = " ".repeat((64 << 20) + 1);
    misbehaves(&scene, Answer::json(long), "longer than").await;
}

#[tokio::test]
async fn a_million_rows_are_refused() {
    let scene = scene().await;
    for rows in ["editions", "builds"] {
        let other = if rows == "builds" { "editions" } else { "builds" };
        let million = format!(
            "{{\"product\": {{\"slug\": \"sqr-900\"}}, \"{other}\": [], \"{rows}\": [{}0]}}",
            "0,".repeat(1_000_000)
        );
        misbehaves(&scene, Answer::json(million), "more than").await;
    }
    let deep = format!("{{\"product\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    misbehaves(&scene, Answer::json(deep), "nested").await;
}

#[tokio::test]
async fn what_a_keeper_may_answer_is_a_setting() {
    for (setting, value, why) in [
        ("SIDEREAL_DASHBOARD__MAX_EDITIONS", "6", "more than 6 editions"),
        ("SIDEREAL_DASHBOARD__MAX_BUILDS", "7", "more than 7 builds"),
        ("SIDEREAL_DASHBOARD__MAX_BULK", "2 KiB", "longer than 2048"),
    ] {
        let scene = Scene::start_with(Backend::Embedded, "", &[(setting, value)]).await;
        let job = scene.call(&["sqr-900"]).await.expect(202).location().to_owned();
        assert_eq!(scene.ended(&job).await["phase"], "ERROR");
        let error = scene.site.get(&format!("{job}/error")).await.text();
        assert!(error.contains(why), "{setting}: {error}");
    }
    // Those of them that are just as long.
    let most = [
        ("SIDEREAL_DASHBOARD__MAX_EDITIONS", "7"),
        ("SIDEREAL_DASHBOARD__MAX_BUILDS", "8"),
    ];
    let scene = Scene::start_with(Backend::Embedded, "", &most).await;
    assert_eq!(scene.built("sqr-900").await["state"], "published");
}

#[tokio::test]
async fn a_long_repository_in_every_ref_makes_no_huge_page() {
    let scene = scene().await;
    let mut large = note();
    large["product"]["doc_repo"] = json!(format!("https://github.com/{}", "x".repeat(2_000)));
    let refs: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    let build = large["builds"][0].clone();
    let builds = (0..2_000).map(|number| {
        let mut one = build.clone();
        one["slug"] = json!(number.to_string());
        one["git_refs"] = json!(refs);
        one
    });
    large["builds"] = builds.collect();
    let said = large.to_string().len() as u64;
    scene.keeper.publish(&large);
    let report = scene.built("sqr-900").await;
    let bytes = report["bytes"].as_u64().unwrap();
    assert!(bytes < 10 * said, "{bytes} bytes of {said}");
}

#[tokio::test]
async fn html_instead_of_json_is_told_as_such() {
    let scene = scene().await;
    let page = Answer::json("<!doctype html><title>Sign in</title>".repeat(1_000));
    misbehaves(&scene, page, "HTML").await;
    misbehaves(&scene, Answer::json("{\"product\":"), "JSON").await;
    misbehaves(&scene, Answer::status(403), "403").await;
    misbehaves(&scene, Answer::status(500), "500").await;
}

#[tokio::test]
async fn a_keeper_that_asks_for_an_hour_is_not_waited_for() {
    let scene = scene().await;
    for (when, why) in [
        ("3600", "come back in 3600 s"),
        ("Fri, 31 Dec 2100 23:59:59 GMT", "come back in"),
    ] {
        let busy = Answer::status(503).with("retry-after", when);
        misbehaves(&scene, busy, why).await;
    }
}

#[tokio::test]
async fn an_odd_entry_in_a_list_costs_no_other_and_an_odd_product_is_no_passing_fault() {
    let scene = scene().await;
    let keeper = &scene.keeper;
    keeper.forget(BULK);
    let mut product = note()["product"].clone();
    keeper.answer("/products/sqr-900", Answer::json(product.to_string()));
    for rows in ["editions", "builds"] {
        let mut row = note()[rows][0].clone();
        row["self_url"] = json!(format!("{}/{rows}/1", keeper.url()));
        keeper.answer(&format!("/{rows}/1"), Answer::json(row.to_string()));
        let list = json!({ rows: [7, row["self_url"], null] }).to_string();
        keeper.answer(&format!("/products/sqr-900/{rows}/"), Answer::json(list));
    }
    let report = scene.built("sqr-900").await;
    let counts = (&report["editions"], &report["builds"]);
    assert_eq!(counts, (&json!(1), &json!(1)), "{report}");
    let skipped = report["skipped"].to_string();
    assert!(skipped.contains("edition URL 3"), "{report}");
    product["slug"] = json!(7);
    keeper.answer("/products/sqr-900", Answer::json(product.to_string()));
    let job = scene.call(&["sqr-900"]).await.expect(202).location().to_owned();
    let ended = scene.ended(&job).await;
    assert_eq!(ended["errorSummary"]["type"], "fatal", "{ended}");
}

#[tokio::test]
async fn a_keeper_that_hangs_costs_bounded_time() {
    let scene = Scene::start_with(Backend::Embedded, "", &[("SIDEREAL_DASHBOARD__TIMEOUT", "0.5")]).await;
    scene.keeper.hold(true);
    let job = scene.call(&["sqr-900"]).await.expect(202).location().to_owned();
    let ended = scene.ended(&job).await;
    assert_eq!(
        (&ended["phase"], &ended["errorSummary"]["type"]),
        (&json!("ERROR"), &json!("transient"))
    );
    scene.keeper.hold(false);
    assert_eq!(scene.built("sqr-900").await["state"], "published");
}
