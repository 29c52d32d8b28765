//! Dashboards of documentation: what LTD Keeper says becomes pages when it calls, once however often it calls, and
//! whatever it says or does meanwhile. The Keeper is a stand-in that gives recorded answers.

use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStoreExt;
use reqwest::Method;
use serde_json::{Value, json};
use sidereal::uws::Timestamp;

use crate::{
    auth::oidc,
    harness::{
        Answer, Backend, Html, Issuer, Keeper, Reply, Site, execute, fault, free_address, named,
        on_both_back_ends, rewrite, said,
    },
    readme::{DASHBOARDS, SERVER, blocks},
};

on_both_back_ends!(
    a_dashboard_is_removed_by_an_operator_and_comes_back_when_it_is_called_for,
    how_dashboards_stand_and_what_jobs_have_made_of_them_is_told,
    a_job_that_waits_for_another_leaves_its_place_to_others,
    a_job_of_several_does_whichever_is_free,
    a_burst_of_calls_loses_none,
    what_has_lost_too_much_is_held_back_if_that_is_wanted,
    a_call_makes_pages_and_the_same_again_changes_nothing,
    calls_in_a_row_are_two_runs_of_each_product_at_most,
    what_lives_is_linked_and_what_has_ended_is_not,
    a_second_run_over_many_builds_writes_nothing,
    a_call_during_a_run_gets_a_run_of_its_own,
    a_call_whose_job_has_no_attempt_left_is_tried_again,
    a_keeper_that_hangs_leaves_places_to_other_services,
    the_queue_of_calls_has_an_end,
    what_is_owed_to_caches_is_paid_by_the_next_attempt,
    a_worker_that_dies_between_pages_and_caches_leaves_it_to_another,
    a_key_that_has_changed_is_owed_until_caches_know,
    a_removal_that_fails_and_files_that_are_lost_are_healed,
);

const NOTE: &str = include_str!("data/keeper/v1-bulk-sqr-900.json");
const PIPES: &str = include_str!("data/keeper/v1-bulk-pipes.json");
/// The stand-in for Keeper's secret.
const SECRET: &str = "the secret of a Keeper of the tests";

pub fn note() -> Value {
    serde_json::from_str(NOTE).unwrap()
}

pub fn pipes() -> Value {
    serde_json::from_str(PIPES).unwrap()
}

/// A server that knows this Keeper, and its settings file.
pub struct Scene {
    pub site: Site,
    pub keeper: Keeper,
    _settings: tempfile::NamedTempFile,
}

impl Scene {
    pub async fn start(backend: Backend) -> Self {
        Self::start_with(backend, "", &[]).await
    }

    /// With more lines of the section `dashboard`, and more of the environment. Nothing is looked at that was not called
    /// for unless a test sets `SIDEREAL_DASHBOARD__SWEEP`.
    pub async fn start_with(backend: Backend, lines: &str, environment: &[(&str, &str)]) -> Self {
        let keeper = Keeper::start();
        keeper.publish(&note());
        keeper.publish(&pipes());
        let text = format!(
            "[dashboard]\n{}\n[[dashboard.keepers]]\nname = 'test'\nbase_url = '{}'\n\
             public_urls = ['https://keeper.example.org']\nprivate_ok = true\n",
            lines.replace("KEEPER", keeper.url()),
            keeper.url()
        );
        Self::with_settings(backend, keeper, &text, environment).await
    }

    /// With this settings file.
    pub async fn with_settings(
        backend: Backend,
        keeper: Keeper,
        text: &str,
        environment: &[(&str, &str)],
    ) -> Self {
        let settings = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(settings.path(), text).unwrap();
        let path = settings.path().display().to_string();
        let mut all = vec![
            ("SIDEREAL_CONFIG", path.as_str()),
            ("SIDEREAL_DASHBOARD__SWEEP", "0"),
        ];
        all.extend(environment);
        let site = Site::start_with(backend, &all).await;
        Self {
            site,
            keeper,
            _settings: settings,
        }
    }

    /// As Keeper calls.
    pub async fn call(&self, slugs: &[&str]) -> Reply {
        let urls: Vec<String> = slugs
            .iter()
            .map(|slug| format!("{}/products/{slug}", self.keeper.url()))
            .collect();
        self.build(&json!({ "product_urls": urls })).await
    }

    pub async fn build(&self, body: &Value) -> Reply {
        let request = self.site.request(Method::POST, "/build").json(body);
        self.site.send(request).await
    }

    /// Calls for a product, and waits until its job is done.
    pub async fn built(&self, slug: &str) -> Value {
        let job = self.call(&[slug]).await.expect(202).location().to_owned();
        self.site.wait(&job, "COMPLETED").await;
        self.report(&job).await
    }

    /// What the report of a job says of its one product.
    pub async fn report(&self, job: &str) -> Value {
        let report: Value = self
            .site
            .get(&format!("{job}/results/report"))
            .await
            .expect(200)
            .json();
        report[0].clone()
    }

    pub async fn page(&self, path: &str) -> Reply {
        self.site.get(&format!("/dashboards/{path}")).await.expect(200)
    }

    /// The job's end, in whatever phase.
    pub async fn ended(&self, job: &str) -> Value {
        loop {
            let document: Value = self.site.get_json(job).await;
            let phase = document["phase"].as_str().unwrap().to_owned();
            if !["PENDING", "QUEUED", "EXECUTING", "SUSPENDED"].contains(&phase.as_str()) {
                return document;
            }
            self.site
                .get(&format!("{job}?WAIT=50&PHASE={phase}"))
                .await
                .expect(200);
        }
    }
}

async fn a_call_makes_pages_and_the_same_again_changes_nothing(backend: Backend) {
    let scene = Scene::start(backend).await;
    let called = scene.call(&["sqr-900"]).await.expect(202);
    let body: Value = called.json();
    let built = &body["jobs"][0];
    assert_eq!(built["coalesced"], false);
    assert_eq!(built["job_url"], called.location());
    let job = called.location().to_owned();
    scene.site.wait(&job, "COMPLETED").await;
    assert_eq!(scene.report(&job).await["state"], "published");

    let page = scene.page("sqr-900/v/").await;
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    let text = page.text();
    let place = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part} in {text}"));
    assert!(place("/v/v1.10\"") < place("/v/v1.9\""));
    for part in [
        "SQR-900",
        "Made-up note",
        "/browse/DM-101\"",
        "https://github.com/octo",
    ] {
        place(part);
    }
    let tag = page.header("etag").unwrap().to_owned();
    let again = scene
        .site
        .request(Method::GET, "/dashboards/sqr-900/v/index.html")
        .header("If-None-Match", &tag);
    scene.site.send(again).await.expect(304);

    let builds = scene.page("sqr-900/builds/").await.text();
    assert!(builds.contains("https://sqr-900.docs.example/builds/8"));
    let switcher = scene.page("sqr-900/v/switcher.json").await;
    assert_eq!(switcher.header("access-control-allow-origin"), Some("*"));
    let items: Value = switcher.json();
    assert_eq!(
        (&items[0]["version"], &items[1]["version"]),
        (&json!("main"), &json!("v1.10"))
    );
    scene.page("sqr-900/v/versions.json").await.json::<Value>();
    let index: Value = scene.page("sqr-900/builds/index.json").await.json();
    assert_eq!(index["builds"].as_array().map(Vec::len), Some(8));
    let style = text
        .split("/_dashboard/")
        .filter_map(|part| part.split('"').next())
        .find(|name| name.split_once('.').is_some_and(|(_, kind)| kind == "css"))
        .unwrap();
    let style = scene.page(&format!("sqr-900/_dashboard/{style}")).await;
    assert_eq!(style.header("content-type"), Some("text/css; charset=utf-8"));
    assert!(style.header("cache-control").unwrap().contains("immutable"));
    let all = scene.page("").await.text();
    assert!(all.contains("href=\"sqr-900/v/\""), "{all}");
    for (path, to) in [
        ("/dashboards", "/dashboards/"),
        ("/dashboards/sqr-900", "/dashboards/sqr-900/v/"),
        ("/dashboards/sqr-900/builds", "/dashboards/sqr-900/builds/"),
    ] {
        assert_eq!(scene.site.get(path).await.expect(308).location(), to, "{path}");
    }
    for path in [
        "pipes/v/",
        "sqr-900/v/x.html",
        "sqr-900/x/",
        "sqr-900/v/..%2f..%2fx.html",
        "SQR/v/",
    ] {
        scene.site.get(&format!("/dashboards/{path}")).await.expect(404);
    }

    let before = scene.site.object_names().await;
    assert_eq!(scene.built("sqr-900").await["state"], "unchanged");
    assert_eq!(scene.page("sqr-900/v/").await.header("etag"), Some(tag.as_str()));
    let dashboards = |names: Vec<String>| -> Vec<String> {
        let mut names: Vec<String> = names
            .into_iter()
            .filter(|name| name.starts_with("dashboards/"))
            .collect();
        names.sort();
        names
    };
    assert_eq!(dashboards(scene.site.object_names().await), dashboards(before));

    let mut changed = note();
    changed["editions"].as_array_mut().unwrap().pop();
    changed["editions"][1]["date_ended"] = json!("2026-11-21T00:00:00Z");
    scene.keeper.publish(&changed);
    assert_eq!(scene.built("sqr-900").await["state"], "published");
    let page = scene.page("sqr-900/v/").await;
    assert!(!page.text().contains("/v/v1.9\"") && !page.text().contains("/v/DM-101\""));
    assert_ne!(page.header("etag"), Some(tag.as_str()));
}

async fn a_call_during_a_run_gets_a_run_of_its_own(backend: Backend) {
    const ASKED: &str = "GET /products/sqr-900/dashboard";
    let scene = Scene::start(backend).await;
    scene.keeper.hold(true);
    let first = scene.call(&["sqr-900"]).await.expect(202).location().to_owned();
    scene.keeper.until_asked(ASKED, 1).await;
    let second = scene.call(&["sqr-900"]).await.expect(202);
    assert_eq!(second.json::<Value>()["jobs"][0]["coalesced"], false);
    let second = second.location().to_owned();
    assert_ne!(first, second);
    let third = scene.call(&["sqr-900"]).await.expect(202);
    assert_eq!(third.location(), second);
    assert_eq!(third.json::<Value>()["jobs"][0]["coalesced"], true);
    scene.keeper.hold(false);
    scene.site.wait(&first, "COMPLETED").await;
    scene.site.wait(&second, "COMPLETED").await;
    assert_eq!(scene.keeper.count(ASKED), 2);
}

async fn a_call_whose_job_has_no_attempt_left_is_tried_again(backend: Backend) {
    const ASKED: &str = "GET /products/sqr-900/dashboard";
    let mut scene = Scene::start_with(backend, "", &[("SIDEREAL_ENGINE__ATTEMPTS", "1")]).await;
    scene.keeper.hold_only(ASKED);
    let job = scene.call(&["sqr-900"]).await.expect(202).location().to_owned();
    scene.keeper.until_asked(ASKED, 1).await;
    scene.site.crash().await;
    scene.keeper.hold(false);
    let other = scene.site.replica().await;
    other
        .wait(&job.replace(&scene.site.address, &other.address), "ERROR")
        .await;
    // It is noted by whoever looks next; now is its time, and nobody calls.
    let due = "UPDATE dashboard SET retry_at = 1 WHERE slug = 'sqr-900' AND failures = 1 AND retry_at > 1";
    let store = other.store().await;
    while execute(store.url(), due).await == 0 {
        tokio::task::yield_now().await;
    }
    scene.keeper.until_asked(ASKED, 2).await;
    let one: Value = other.get_json("/api/v1/dashboards/test/sqr-900").await;
    let newest = one["jobs"][0]["jobId"].as_str().unwrap();
    assert!(!job.ends_with(newest), "{one}");
    other
        .wait(&format!("/api/dashboard/async/{newest}"), "COMPLETED")
        .await;
    other.get("/dashboards/sqr-900/v/").await.expect(200);
}

async fn a_keeper_that_hangs_leaves_places_to_other_services(backend: Backend) {
    const ASKED: &str = "GET /products/sqr-900/dashboard";
    let scene = Scene::start_with(backend, "", &[("SIDEREAL_WORKERS", "2")]).await;
    scene.keeper.hold(true);
    let slugs = ["sqr-900", "pipes", "tubes", "valves"];
    let first = scene.call(&slugs[..1]).await.expect(202).location().to_owned();
    scene.keeper.until_asked(ASKED, 1).await;
    let others: Value = scene.call(&slugs[1..]).await.expect(202).json();
    for _ in 0..3 {
        let echo = [("PHASE", "RUN")];
        let echo = scene.site.post("/api/echo/async", &echo).await.expect(303);
        scene.site.wait(echo.location(), "COMPLETED").await;
    }
    assert_eq!(scene.keeper.asked(), [ASKED]);
    scene.keeper.hold(false);
    scene.site.wait(&first, "COMPLETED").await;
    let pipes = others["jobs"][0]["job_url"].as_str().unwrap();
    scene.site.wait(pipes, "COMPLETED").await;
}

async fn the_queue_of_calls_has_an_end(backend: Backend) {
    let scene = Scene::start_with(backend, "", &[("SIDEREAL_DASHBOARD__DEBOUNCE", "10")]).await;
    scene.keeper.hold(true);
    let slugs: Vec<String> = (0..2_100).map(|number| format!("made-up-{number}")).collect();
    let slugs: Vec<&str> = slugs.iter().map(String::as_str).collect();
    let mut refused = None;
    for some in slugs.chunks(99).take(21) {
        let reply = scene.call(some).await;
        if reply.status != 202 {
            refused = Some(reply);
        }
    }
    let refused = refused.expect("2,000 are queued").expect(503);
    assert!(refused.header("retry-after").is_some());
    assert_eq!(refused.json::<Value>()["status"], 503);
    let coalesced = async |some: &[&str]| -> Vec<bool> {
        let called: Value = scene.call(some).await.expect(202).json();
        let jobs = called["jobs"].as_array().unwrap().iter();
        jobs.map(|job| job["coalesced"] == true).collect()
    };
    assert_eq!(coalesced(&slugs[1_960..1_980]).await, [true; 20]);
    // Of what was refused nothing was queued, so that a part of it has a place.
    assert_eq!(coalesced(&slugs[1_980..1_990]).await, [false; 10]);
}

async fn what_is_owed_to_caches_is_paid_by_the_next_attempt(backend: Backend) {
    const PURGE: &str = "POST /service/svc1/purge/5f015d694f38481c8d089115fea8eb0f";
    let lines = "fastly_service = 'svc1'\nfastly_key = 'key'\nfastly_url = 'KEEPER'";
    let scene = Scene::start_with(backend, lines, &[]).await;
    scene.keeper.answer_once(PURGE, Answer::status(503));
    scene.keeper.answer(PURGE, Answer::json("{\"status\":\"ok\"}"));
    let form = [("PHASE", "RUN"), ("PRODUCT", "sqr-900")];
    let job = scene.site.post("/api/dashboard/async", &form).await.expect(303);
    scene.site.wait(job.location(), "COMPLETED").await;
    let report = scene.report(job.location()).await;
    assert_eq!(
        (&report["state"], &report["purged"]),
        (&json!("unchanged"), &json!(true))
    );
    let purges = scene.keeper.count(PURGE);
    assert_eq!(purges, 2);
    assert_eq!(scene.built("sqr-900").await["state"], "unchanged");
    assert_eq!(scene.keeper.count(PURGE), purges, "nothing is owed any more");
}

async fn a_worker_that_dies_between_pages_and_caches_leaves_it_to_another(backend: Backend) {
    const PURGE: &str = "POST /service/svc1/purge/5f015d694f38481c8d089115fea8eb0f";
    let lines = "fastly_service = 'svc1'\nfastly_key = 'key'\nfastly_url = 'KEEPER'";
    let mut scene = Scene::start_with(backend, lines, &[]).await;
    scene.keeper.answer(PURGE, Answer::json("{\"status\":\"ok\"}"));
    scene.keeper.hold_only(PURGE);
    let job = scene.call(&["sqr-900"]).await.expect(202).location().to_owned();
    scene.keeper.until_asked(PURGE, 1).await;
    scene.site.crash().await;
    scene.keeper.hold(false);
    let other = scene.site.replica().await;
    let job = job.replace(&scene.site.address, &other.address);
    other.wait(&job, "COMPLETED").await;
    let report: Value = other
        .get(&format!("{job}/results/report"))
        .await
        .expect(200)
        .json();
    let first = &report[0];
    assert_eq!(
        (&first["state"], &first["purged"]),
        (&json!("unchanged"), &json!(true))
    );
    assert_eq!(scene.keeper.count(PURGE), 2);
    other.get("/dashboards/sqr-900/v/").await.expect(200);
}

async fn a_key_that_has_changed_is_owed_until_caches_know(backend: Backend) {
    const OLD: &str = "POST /service/svc1/purge/5f015d694f38481c8d089115fea8eb0f";
    const NEW: &str = "POST /service/svc1/purge/00000000000000000000000000000001";
    let lines = "fastly_service = 'svc1'\nfastly_key = 'key'\nfastly_url = 'KEEPER'";
    let scene = Scene::start_with(backend, lines, &[]).await;
    for key in [OLD, NEW] {
        scene.keeper.answer(key, Answer::json("{\"status\":\"ok\"}"));
    }
    scene.built("sqr-900").await;
    assert_eq!((scene.keeper.count(OLD), scene.keeper.count(NEW)), (1, 0));
    let mut changed = note();
    changed["product"]["surrogate_key"] = json!("00000000000000000000000000000001");
    scene.keeper.publish(&changed);
    // Not even the second of them is forgotten.
    scene.keeper.answer_once(NEW, Answer::status(503));
    let job = scene.call(&["sqr-900"]).await.expect(202).location().to_owned();
    assert_eq!(scene.ended(&job).await["phase"], "ERROR");
    assert_eq!((scene.keeper.count(OLD), scene.keeper.count(NEW)), (2, 1));
    assert_eq!(scene.built("sqr-900").await["purged"], true);
    assert_eq!((scene.keeper.count(OLD), scene.keeper.count(NEW)), (3, 2));
    assert_eq!(scene.built("sqr-900").await["state"], "unchanged");
    assert_eq!((scene.keeper.count(OLD), scene.keeper.count(NEW)), (3, 2));
    // No key is none that caches know it by.
    changed["product"]["surrogate_key"] = json!(null);
    scene.keeper.publish(&changed);
    assert_eq!(scene.built("sqr-900").await["purged"], true);
    assert_eq!((scene.keeper.count(OLD), scene.keeper.count(NEW)), (3, 3));
}

async fn a_removal_that_fails_and_files_that_are_lost_are_healed(backend: Backend) {
    const PURGE: &str = "POST /service/svc1/purge/5f015d694f38481c8d089115fea8eb0f";
    const FILE: &str = "dashboards/sqr-900/v/index.html";
    let lines = "fastly_service = 'svc1'\nfastly_key = 'key'\nfastly_url = 'KEEPER'";
    let scene = Scene::start_with(backend, lines, &[]).await;
    scene.keeper.answer(PURGE, Answer::json("{\"status\":\"ok\"}"));
    scene.built("sqr-900").await;
    scene.keeper.answer_once(PURGE, Answer::status(503));
    let place = "/api/v1/dashboards/test/sqr-900";
    scene.site.delete(place).await.expect(503);
    let one: Value = scene.site.get_json(place).await;
    assert_eq!(one["purgeOwed"], true, "{one}");
    scene.site.get("/dashboards/sqr-900/v/").await.expect(404);

    // One that looks at what nobody has called for.
    let other = scene
        .site
        .replica_with(&[("SIDEREAL_DASHBOARD__SWEEP", "1")])
        .await;
    let is_there = |names: &[String]| names.iter().any(|name| name == FILE);
    other.until_objects(is_there).await;
    loop {
        let one: Value = scene.site.get_json(place).await;
        if one["purgeOwed"] == false {
            break;
        }
        let looks = scene.keeper.count("GET /products/");
        scene.keeper.until_asked("GET /products/", looks + 1).await;
    }
    assert_eq!(scene.keeper.count(PURGE), 3);
    let lost = object_store::path::Path::from(FILE);
    other.objects().delete(&lost).await.unwrap();
    other.until_objects(is_there).await;
}

async fn how_dashboards_stand_and_what_jobs_have_made_of_them_is_told(backend: Backend) {
    let scene = Scene::start(backend).await;
    let none: Value = scene.site.get_json("/api/v1/dashboards").await;
    assert_eq!(none, json!({ "products": [] }));
    scene
        .site
        .get("/api/v1/dashboards/test/sqr-900")
        .await
        .expect(404);

    scene.built("sqr-900").await;
    let form = [("PHASE", "RUN"), ("PRODUCT", "sqr-900")];
    let same = scene.site.post("/api/dashboard/async", &form).await.expect(303);
    scene.site.wait(same.location(), "COMPLETED").await;
    let all: Value = scene.site.get_json("/api/v1/dashboards").await;
    let stands = &all["products"][0];
    for (key, value) in [
        ("keeper", json!("test")),
        ("product", json!("sqr-900")),
        ("title", json!("SQR-900: Made-up note")),
        ("path", json!("sqr-900")),
        ("editions", json!(7)),
        ("builds", json!(8)),
        ("latest", json!("2026-11-20T12:44:09.716Z")),
        ("missing", json!(false)),
        ("held", json!(false)),
        ("purgeOwed", json!(false)),
    ] {
        assert_eq!(stands[key], value, "{key} of {stands}");
    }
    let (published, checked) = (stands["published"].as_str(), stands["checked"].as_str());
    assert!(published.unwrap() < checked.unwrap(), "{stands}");

    // A job that is wanted and has not begun is among them, and one that failed says why.
    scene
        .keeper
        .answer("/products/sqr-900/dashboard", Answer::status(403));
    let failed = scene.call(&["sqr-900"]).await.expect(202).location().to_owned();
    scene.ended(&failed).await;
    scene.keeper.hold(true);
    let waiting = scene.call(&["sqr-900"]).await.expect(202).location().to_owned();
    let one: Value = scene.site.get_json("/api/v1/dashboards/test/sqr-900").await;
    assert_eq!(one["title"], stands["title"]);
    let jobs: Vec<_> = one["jobs"].as_array().unwrap().iter().collect();
    assert_eq!(jobs.len(), 4, "{one}");
    assert!(waiting.ends_with(jobs[0]["jobId"].as_str().unwrap()), "{one}");
    assert_eq!(
        (&jobs[0]["endTime"], &jobs[0]["unchanged"]),
        (&json!(null), &json!(null))
    );
    assert_eq!(
        (&jobs[1]["phase"], &jobs[1]["unchanged"]),
        (&json!("ERROR"), &json!(null))
    );
    assert!(jobs[1]["message"].as_str().unwrap().contains("403"), "{one}");
    assert_eq!(
        (&jobs[2]["phase"], &jobs[2]["unchanged"]),
        (&json!("COMPLETED"), &json!(true))
    );
    assert_eq!(
        (&jobs[3]["unchanged"], &jobs[3]["message"]),
        (&json!(false), &json!(null))
    );
    assert!(jobs.iter().all(|job| job["visible"] == true), "{one}");
    scene.keeper.hold(false);

    // Who asks for what there is not makes no product of it.
    let form = [("PHASE", "RUN"), ("PRODUCT", "nowhere")];
    let nowhere = scene.site.post("/api/dashboard/async", &form).await.expect(303);
    assert_eq!(scene.ended(nowhere.location()).await["phase"], "ERROR");
    let all: Value = scene.site.get_json("/api/v1/dashboards").await;
    assert_eq!(all["products"].as_array().map(Vec::len), Some(1), "{all}");
    scene
        .site
        .get("/api/v1/dashboards/test/nowhere")
        .await
        .expect(404);
    let called = scene.call(&["nowhere"]).await.expect(202);
    assert_eq!(scene.ended(called.location()).await["phase"], "ERROR");
    let store = scene.site.store().await;
    for rows in [
        "job_key WHERE key = 'test/nowhere'",
        "dashboard WHERE slug = 'nowhere'",
    ] {
        let left = execute(store.url(), &format!("DELETE FROM {rows}")).await;
        assert_eq!(left, 0, "{rows}");
    }
    scene
        .site
        .get("/api/v1/dashboards/other/sqr-900")
        .await
        .expect(404);
}

async fn a_dashboard_is_removed_by_an_operator_and_comes_back_when_it_is_called_for(backend: Backend) {
    const PURGE: &str = "POST /service/svc1/purge/5f015d694f38481c8d089115fea8eb0f";
    const OTHER: &str = "POST /service/svc1/purge/c04e0954661d43a99207ef2126c61f6f";
    const PLACE: &str = "/api/v1/dashboards/test/sqr-900";
    let lines = "fastly_service = 'svc1'\nfastly_key = 'key'\nfastly_url = 'KEEPER'";
    let scene = Scene::start_with(backend, lines, &[]).await;
    for key in [PURGE, OTHER] {
        scene.keeper.answer(key, Answer::json("{\"status\":\"ok\"}"));
    }
    scene.built("sqr-900").await;
    scene.built("pipes").await;
    scene.keeper.hold(true);
    let running = scene.call(&["sqr-900"]).await.expect(202).location().to_owned();
    let asked = "GET /products/sqr-900/dashboard";
    scene.keeper.until_asked(asked, 2).await;
    scene.site.delete(PLACE).await.expect(409);
    scene.keeper.hold(false);
    scene.site.wait(&running, "COMPLETED").await;

    let purges = scene.keeper.count(PURGE);
    scene.site.delete(PLACE).await.expect(204);
    assert_eq!(scene.keeper.count(PURGE), purges + 1);
    scene.site.delete(PLACE).await.expect(404);
    scene.site.get(PLACE).await.expect(404);
    scene.site.get("/dashboards/sqr-900/v/").await.expect(404);
    let names = scene.site.object_names().await;
    assert!(
        !names.iter().any(|name| name.starts_with("dashboards/sqr-900/")),
        "{names:?}"
    );
    scene.page("pipes/v/").await;
    let audit: Value = scene.site.get_json("/api/v1/admin/audit").await;
    assert!(audit.to_string().contains("dashboard removed"), "{audit}");
    assert_eq!(scene.built("sqr-900").await["state"], "published");
    scene.page("sqr-900/v/").await;
}

#[tokio::test]
async fn the_doctor_looks_at_the_keepers() {
    let scene = Scene::start(Backend::Embedded).await;
    let text = said(&scene.site.run(&["doctor"]).await);
    assert!(text.contains("test: 2 products"), "{text}");
    scene.keeper.answer("/products/", Answer::status(403));
    let output = scene.site.run(&["doctor"]).await;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success() && text.contains("base_url"), "{text}");
}

async fn a_job_that_waits_for_another_leaves_its_place_to_others(backend: Backend) {
    const ASKED: &str = "GET /products/sqr-900/dashboard";
    let scene = Scene::start_with(backend, "", &[("SIDEREAL_WORKERS", "2")]).await;
    scene.keeper.hold(true);
    let first = scene.call(&["sqr-900"]).await.expect(202).location().to_owned();
    scene.keeper.until_asked(ASKED, 1).await;
    // Two wait for the first, and there are two places.
    let second = scene.call(&["sqr-900"]).await.expect(202).location().to_owned();
    let form = [("PHASE", "RUN"), ("PRODUCT", "sqr-900")];
    let third = scene.site.post("/api/dashboard/async", &form).await.expect(303);
    let third = third.location().to_owned();
    for _ in 0..2 {
        let other = scene
            .site
            .post("/api/echo/async", &[("PHASE", "RUN")])
            .await
            .expect(303);
        scene.site.wait(other.location(), "COMPLETED").await;
    }
    assert_eq!(scene.keeper.count(ASKED), 1);
    scene.keeper.hold(false);
    for job in [&first, &second, &third] {
        scene.site.wait(job, "COMPLETED").await;
    }
    // What somebody asked for before the last run began is done by it.
    let report = scene.report(&third).await;
    assert!(
        ["current", "unchanged"].contains(&report["state"].as_str().unwrap()),
        "{report}"
    );
}

async fn a_job_of_several_does_whichever_is_free(backend: Backend) {
    const NOTE: &str = "GET /products/sqr-900/dashboard";
    const PIPES: &str = "GET /products/pipes/dashboard";
    const TUBES: &str = "GET /products/tubes/dashboard";
    // Three dashboards at a time.
    let scene = Scene::start_with(backend, "", &[("SIDEREAL_WORKERS", "6")]).await;
    for slug in ["tubes", "valves", "wires"] {
        let mut other = pipes();
        other["product"]["slug"] = json!(slug);
        scene.keeper.publish(&other);
    }
    scene.keeper.hold(true);
    let mut jobs = Vec::new();
    for (slug, asked) in [("sqr-900", NOTE), ("pipes", PIPES)] {
        jobs.push(scene.call(&[slug]).await.expect(202).location().to_owned());
        scene.keeper.until_asked(asked, 1).await;
    }
    let products = ["sqr-900", "pipes", "tubes"].map(|product| ("PRODUCT", product));
    let form = [&[("PHASE", "RUN"), ("FORCE", "true")], &products[..]].concat();
    let several = scene.site.post("/api/dashboard/async", &form).await.expect(303);
    scene.keeper.until_asked(TUBES, 1).await;
    // The first is taken for long, the second is given up.
    scene.keeper.hold_only(NOTE);
    scene.keeper.until_asked(PIPES, 2).await;
    assert_eq!(scene.keeper.count(NOTE), 1);
    // The one that waits keeps no place: there are two for others.
    scene.site.wait(several.location(), "SUSPENDED").await;
    for slug in ["valves", "wires"] {
        let job = scene.call(&[slug]).await.expect(202).location().to_owned();
        scene.site.wait(&job, "COMPLETED").await;
    }
    scene.keeper.hold(false);
    jobs.push(several.location().to_owned());
    for job in &jobs {
        scene.site.wait(job, "COMPLETED").await;
    }
    assert_eq!(scene.keeper.count(NOTE), 2);
}

async fn a_burst_of_calls_loses_none(backend: Backend) {
    const CALLS: usize = 1_000;
    const PRODUCTS: usize = 10;
    let scene = &Scene::start(backend).await;
    let state = |slug: &str, state: usize| {
        let mut changed = pipes();
        changed["product"]["slug"] = json!(slug);
        changed["product"]["title"] = json!(format!("State {state}."));
        scene.keeper.publish(&changed);
    };
    let slugs: Vec<String> = (0..PRODUCTS).map(|number| format!("burst-{number}")).collect();
    let (slugs, state) = (&slugs, &state);
    let calls = stream::iter(0..CALLS).map(|call| async move {
        let slug = slugs[call % PRODUCTS].as_str();
        // Two at a time: the other one is known before, and may come through too.
        let other = slugs[(call + 1) % PRODUCTS].as_str();
        state(slug, call);
        let called: Value = scene.call(&[slug, other]).await.expect(202).json();
        let jobs = called["jobs"].as_array().unwrap();
        assert_eq!(jobs.len(), 2, "{called}");
        let jobs = jobs.iter().map(|job| job["job_url"].as_str().unwrap().to_owned());
        jobs.collect::<Vec<_>>()
    });
    let jobs: Vec<Vec<String>> = calls.buffer_unordered(50).collect().await;
    assert_eq!(jobs.len(), CALLS);
    let jobs: std::collections::BTreeSet<String> = jobs.into_iter().flatten().collect();
    for job in &jobs {
        scene.site.wait(job, "COMPLETED").await;
    }
    // What was said last before a call is seen by the run that the call has got.
    for slug in slugs {
        let told: Value = scene
            .site
            .get_json(&format!("/dashboards/{slug}/v/index.json"))
            .await;
        let url = format!("{}/products/{slug}/dashboard", scene.keeper.url());
        let last: Value = scene.site.get_json(&url).await;
        assert_eq!(told["product"]["title"], last["product"]["title"], "{slug}");
    }
}

async fn what_has_lost_too_much_is_held_back_if_that_is_wanted(backend: Backend) {
    let scene = Scene::start_with(backend, "", &[("SIDEREAL_DASHBOARD__SHRINK_GUARD", "hold")]).await;
    scene.built("sqr-900").await;
    let before = scene.page("sqr-900/v/").await;
    let mut without = note();
    without["editions"]
        .as_array_mut()
        .unwrap()
        .retain(|edition| edition["slug"] != "main");
    scene.keeper.publish(&without);
    let report = scene.built("sqr-900").await;
    assert_eq!(report["state"], "held", "{report}");
    assert!(report["warnings"].to_string().contains("main"), "{report}");
    assert_eq!(
        scene.page("sqr-900/v/").await.header("etag"),
        before.header("etag")
    );
    let one: Value = scene.site.get_json("/api/v1/dashboards/test/sqr-900").await;
    assert_eq!(one["held"], true, "{one}");
    // It was Keeper's mistake.
    scene.keeper.publish(&note());
    assert_eq!(scene.built("sqr-900").await["state"], "unchanged");
    let one: Value = scene.site.get_json("/api/v1/dashboards/test/sqr-900").await;
    assert_eq!(one["held"], false, "{one}");
    // It was none.
    scene.keeper.publish(&without);
    let form = [("PHASE", "RUN"), ("PRODUCT", "sqr-900"), ("FORCE", "true")];
    let forced = scene.site.post("/api/dashboard/async", &form).await.expect(303);
    scene.site.wait(forced.location(), "COMPLETED").await;
    assert_eq!(scene.report(forced.location()).await["state"], "published");
    assert_ne!(
        scene.page("sqr-900/v/").await.header("etag"),
        before.header("etag")
    );
}

#[tokio::test]
async fn a_product_that_is_gone_keeps_its_pages_and_is_marked() {
    let scene = Scene::start(Backend::Embedded).await;
    scene.built("sqr-900").await;
    // As 1.23.0 answers for what it does not know.
    scene
        .keeper
        .answer("/products/sqr-900/dashboard", Answer::status(500));
    scene
        .keeper
        .answer("/products/", Answer::json("{\"products\": []}"));
    let job = scene.call(&["sqr-900"]).await.expect(202).location().to_owned();
    let ended = scene.ended(&job).await;
    assert_eq!(
        (&ended["phase"], &ended["errorSummary"]["type"]),
        (&json!("ERROR"), &json!("fatal"))
    );
    assert_eq!(ended["jobInfo"]["progressFailed"], 1, "{ended}");
    scene.page("sqr-900/v/").await;
    let all: Value = scene.page("index.json").await.json();
    assert_eq!(all["products"][0]["missing"], true, "{all}");
}

#[tokio::test]
async fn what_was_not_called_for_is_healed_by_the_sweep() {
    let scene = Scene::start_with(Backend::Embedded, "", &[("SIDEREAL_DASHBOARD__SWEEP", "1")]).await;
    let waiting = async {
        loop {
            let reply = scene.site.get("/dashboards/sqr-900/v/").await;
            if reply.status == 200 {
                return;
            }
            scene
                .keeper
                .until_asked("GET /products/", scene.keeper.count("GET /products/") + 1)
                .await;
        }
    };
    waiting.await;
    // Away for a while: what was published is served as it is.
    let path = "/products/sqr-900/dashboard";
    scene
        .keeper
        .answer(path, Answer::status(503).with("retry-after", "0"));
    let job = scene.call(&["sqr-900"]).await.expect(202).location().to_owned();
    let ended = scene.ended(&job).await;
    assert_eq!(
        (&ended["phase"], &ended["errorSummary"]["type"]),
        (&json!("ERROR"), &json!("transient"))
    );
    scene.page("sqr-900/v/").await;
    let mut changed = note();
    changed["product"]["title"] = json!("SQR-900: Changed without a call");
    scene.keeper.publish(&changed);
    loop {
        let page = scene.page("sqr-900/v/").await.text();
        if page.contains("Changed without a call") {
            break;
        }
        scene
            .keeper
            .until_asked("GET /products/", scene.keeper.count("GET /products/") + 1)
            .await;
    }
}

#[tokio::test]
async fn only_a_keeper_or_someone_with_a_role_may_call() {
    let issuer = Issuer::start();
    let internal = free_address();
    let mut environment = oidc(issuer.issuer(), "a-secret-of-the-fake-issuers-client").to_vec();
    environment.push(("SIDEREAL_DASHBOARD__BUILD_SECRET", SECRET));
    environment.push(("SIDEREAL_DASHBOARD__PUBLIC", "false"));
    environment.push(("SIDEREAL_DASHBOARD__ANONYMOUS_BUILD", "true"));
    environment.push(("SIDEREAL_INTERNAL_LISTEN", &internal));
    let scene = Scene::start_with(Backend::Embedded, "", &environment).await;
    let body = json!({ "product_urls": [format!("{}/products/pipes", scene.keeper.url())] });
    let call = || scene.site.request(Method::POST, "/build").json(&body);
    let send = |request| scene.site.send(request);

    let refused: Value = send(call()).await.expect(401).json();
    assert_eq!(
        (&refused["status"], &refused["error"]),
        (&json!(401), &json!("unauthorized"))
    );
    let wrong = send(call().basic_auth("keeper", Some("another secret of a Keeper")))
        .await
        .expect(401);
    assert!(wrong.header("www-authenticate").unwrap().starts_with("Basic"));
    send(call().basic_auth("keeper", Some(""))).await.expect(401);
    send(call().bearer_auth("nonsense")).await.expect(401);
    let nobody = issuer.token(&json!({ "resource_access": null }));
    send(call().bearer_auth(nobody)).await.expect(403);
    assert!(scene.keeper.asked().is_empty());

    send(call().basic_auth("keeper", Some(SECRET))).await.expect(202);
    let token = issuer.token(&json!({}));
    send(call().bearer_auth(&token)).await.expect(202);
    let url = format!("http://{internal}/build");
    send(scene.site.request(Method::POST, &url).json(&body))
        .await
        .expect(202);
    // What is not there is said as LTD Dasher says it.
    for (method, path, status, error, message) in [
        (Method::GET, "nowhere", 404, "not found", "invalid resource URI"),
        (Method::POST, "builds", 404, "not found", "invalid resource URI"),
        (
            Method::GET,
            "build",
            405,
            "method not supported",
            "the method is not supported",
        ),
    ] {
        let request = scene.site.request(method, &format!("http://{internal}/{path}"));
        let refused = send(request).await.expect(status);
        assert_eq!(refused.header("content-type"), Some("application/json"), "{path}");
        let expected = json!({ "status": status, "error": error, "message": message });
        let refused: Value = refused.json();
        for (key, value) in expected.as_object().unwrap() {
            assert_eq!(&refused[key], value, "{path}: {refused}");
        }
    }
    let of_a_page = scene.site.request(Method::POST, &url).json(&body);
    let refused = send(of_a_page.header("Origin", "https://evil.example.org")).await;
    assert_eq!(refused.expect(403).json::<Value>()["error"], "forbidden");

    scene.site.get("/dashboards/").await.expect(401);
    let read = scene
        .site
        .request(Method::GET, "/dashboards/")
        .bearer_auth(&token);
    let page = send(read).await.expect(200);
    assert!(page.header("cache-control").unwrap().starts_with("private"));
}

#[tokio::test]
async fn products_are_rebuilt_from_the_command_line() {
    let scene = Scene::start(Backend::Embedded).await;
    let rebuild = async |arguments: &[&str]| {
        let server = ["--server", &scene.site.address, "--wait"];
        let words = [&["dashboard", "rebuild"], arguments, &server].concat();
        scene.site.run(&words).await
    };
    assert_eq!(
        fault(&rebuild(&[]).await).0,
        Some(2),
        "neither a product nor all of them"
    );
    assert_eq!(fault(&rebuild(&["pipes", "--all"]).await).0, Some(2));
    let nothing = said(&rebuild(&["--all"]).await);
    assert_eq!(nothing, "", "there is none yet");
    let text = said(&rebuild(&["pipes", "test/sqr-900"]).await);
    let job = text.lines().next().unwrap();
    assert!(text.contains(" COMPLETED\n"), "{text}");
    let report: Value = scene.site.get_json(&format!("{job}/results/report")).await;
    let states: Vec<_> = report
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["state"])
        .collect();
    assert_eq!(states, ["published", "published"]);
    for (force, state) in [
        (&["--all"][..], "unchanged"),
        (&["--all", "--force"], "published"),
    ] {
        let text = said(&rebuild(force).await);
        let job = text.lines().next().unwrap();
        let report: Value = scene.site.get_json(&format!("{job}/results/report")).await;
        assert_eq!(
            (&report[0]["product"], &report[0]["state"]),
            (&json!("pipes"), &json!(state))
        );
        assert_eq!(report[1]["state"], state);
    }
    // What has gone is not asked for again and again.
    let path = "/products/pipes/dashboard";
    scene.keeper.answer(path, Answer::status(404));
    scene.keeper.answer("/products/pipes", Answer::status(404));
    assert_eq!(fault(&rebuild(&["pipes"]).await).0, Some(6));
    let text = said(&rebuild(&["--all"]).await);
    let job = text.lines().next().unwrap();
    let report: Value = scene.site.get_json(&format!("{job}/results/report")).await;
    assert_eq!(report.as_array().map(Vec::len), Some(1), "{report}");
    assert_eq!(report[0]["product"], "sqr-900");
    assert_eq!(fault(&rebuild(&["../x"]).await).0, Some(2));
    assert_eq!(fault(&rebuild(&["nowhere"]).await).0, Some(6));
}

#[tokio::test]
async fn the_readme_says_how() {
    let chapter = |language| blocks(DASHBOARDS, language);
    let keeper = Keeper::start();
    keeper.publish(&note());
    let settings = chapter("toml")[0].replace("http://keeper:3031", keeper.url());
    let scene = Scene::with_settings(Backend::Embedded, keeper, &settings, &[]).await;
    let Scene { site, keeper, .. } = &scene;
    let commands = chapter("sh")[0]
        .replace("http://keeper:3031", keeper.url())
        .replace(SERVER, &site.address);
    let output = named("bash", site.home())
        .args(["-euc", &commands])
        .env("SIDEREAL_SERVER", &site.address)
        .env("SECRET", SECRET)
        .output()
        .await
        .unwrap();
    let text = said(&output);
    assert!(
        text.contains("\"coalesced\":false") && text.contains("COMPLETED"),
        "{text}"
    );
    site.get("/dashboards/sqr-900/v/").await.expect(200);
    assert!(site.home().join("pages/v/index.html").exists());
}

#[tokio::test]
async fn pages_can_be_written_without_a_server() {
    let scene = Scene::start(Backend::Embedded).await;
    let out = scene.site.home().join("pages");
    let file = scene.site.home().join("bulk.json");
    std::fs::write(&file, NOTE).unwrap();
    let url = format!("{}/products/sqr-900", scene.keeper.url());
    let mut pages = Vec::new();
    for source in [file.to_str().unwrap(), &url] {
        let written = scene
            .site
            .run(&["dashboard", "render", source, "--out", out.to_str().unwrap()])
            .await;
        assert!(said(&written).contains("builds/index.html"));
        pages.push(std::fs::read_to_string(out.join("v/index.html")).unwrap());
        std::fs::remove_dir_all(&out).unwrap();
    }
    assert!(pages[0].contains("v1.10") && pages[0] == pages[1]);
    let elsewhere = scene
        .site
        .run(&["dashboard", "render", "/nowhere.json", "--out", "x"])
        .await;
    assert!(fault(&elsewhere).1.contains("/nowhere.json"));
}

#[tokio::test]
async fn what_has_failed_is_tried_again_after_1_5_15_and_60_minutes() {
    const ASKED: &str = "GET /products/sqr-900/dashboard";
    let scene = Scene::start(Backend::Embedded).await;
    let database = scene.site.store().await;
    scene
        .keeper
        .answer("/products/sqr-900/dashboard", Answer::status(500));
    let job = scene.call(&["sqr-900"]).await.expect(202).location().to_owned();
    assert_eq!(scene.ended(&job).await["phase"], "ERROR");
    for (failures, minutes) in [(1, 1), (2, 5), (3, 15), (4, 60), (5, 60)] {
        let jobs: Value = scene.site.get_json("/api/v1/dashboards/test/sqr-900").await;
        let job = format!(
            "/api/dashboard/async/{}",
            jobs["jobs"][0]["jobId"].as_str().unwrap()
        );
        let ended = scene.ended(&job).await;
        let time = |key: &str| {
            let time: Timestamp = ended[key].as_str().unwrap().parse().unwrap();
            time.millis() + minutes * 60_000
        };
        let due = format!(
            "UPDATE dashboard SET retry_at = 1 WHERE slug = 'sqr-900' AND failures = {failures} \
             AND retry_at BETWEEN {} AND {}",
            time("startTime"),
            time("endTime")
        );
        if failures == 5 {
            scene.keeper.publish(&note());
        }
        // Now is its time, and nobody calls.
        let asked = scene.keeper.count(ASKED);
        rewrite(database.url(), &due).await;
        scene.keeper.until_asked(ASKED, asked + 1).await;
    }
    let jobs: Value = scene.site.get_json("/api/v1/dashboards/test/sqr-900").await;
    let last = format!(
        "/api/dashboard/async/{}",
        jobs["jobs"][0]["jobId"].as_str().unwrap()
    );
    scene.site.wait(&last, "COMPLETED").await;
    assert_eq!(jobs["jobs"].as_array().map(Vec::len), Some(6));
    scene.page("sqr-900/v/").await;
}

#[tokio::test]
async fn who_calls_too_often_is_told_to_wait() {
    let issuer = Issuer::start();
    let mut environment = oidc(issuer.issuer(), "a-secret-of-the-fake-issuers-client").to_vec();
    environment.push(("SIDEREAL_DASHBOARD__BUILD_SECRET", SECRET));
    environment.push(("SIDEREAL_QUOTA__REQUESTS_PER_SECOND", "1"));
    let scene = Scene::start_with(Backend::Embedded, "", &environment).await;
    let body = json!({ "product_urls": [] });
    let mut refused = Vec::new();
    let token = issuer.token(&json!({}));
    for _ in 0..30 {
        let call = || scene.site.request(Method::POST, "/build").json(&body);
        // A Keeper calls no second time.
        let keeper = call().basic_auth("keeper", Some(SECRET));
        scene.site.send(keeper).await.expect(202);
        let reply = scene.site.send(call().bearer_auth(&token)).await;
        if reply.status == 429 {
            refused.push(reply);
        }
    }
    let first = refused.first().expect("two at once and one a second");
    assert!(first.header("retry-after").is_some());
    assert_eq!(first.json::<Value>()["error"], "too many requests");
}

#[tokio::test]
async fn each_keeper_has_a_page_of_its_products() {
    let (one, two) = (Keeper::start(), Keeper::start());
    one.publish(&note());
    two.publish(&pipes());
    let settings = [("one", "", &one), ("two", "_second", &two)].map(|(name, prefix, keeper)| {
        format!(
            "[[dashboard.keepers]]\nname = '{name}'\nprefix = '{prefix}'\nbase_url = '{}'\nprivate_ok = true\n",
            keeper.url()
        )
    });
    let Scene { site, .. } = &Scene::with_settings(Backend::Embedded, one, &settings.concat(), &[]).await;
    let form = [("PHASE", "RUN"), ("PRODUCT", "sqr-900"), ("PRODUCT", "two/pipes")];
    let job = site.post("/api/dashboard/async", &form).await.expect(303);
    site.wait(job.location(), "COMPLETED").await;
    let links = async |path: &str| {
        let page = site.get(path).await.expect(200).text();
        let html = Html::of(&page);
        html.check_harmless();
        let style = html
            .elements
            .iter()
            .find(|element| element.name == "link")
            .unwrap();
        let base = reqwest::Url::parse(&site.address).unwrap().join(path).unwrap();
        let style = base.join(style.attribute("href").unwrap()).unwrap();
        site.get(style.path()).await.expect(200);
        let links = html.links().into_iter().filter(|link| link.ends_with("/v/"));
        links.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(links("/dashboards/").await, ["_second/pipes/v/", "sqr-900/v/"]);
    assert_eq!(links("/dashboards/_second/").await, ["pipes/v/"]);
    let moved = site.get("/dashboards/_second").await.expect(308);
    assert_eq!(moved.location(), "/dashboards/_second/");
    let index: Value = site.get_json("/dashboards/_second/index.json").await;
    assert_eq!(index["products"][0]["path"], "pipes");
    site.get("/dashboards/_second/pipes/builds/").await.expect(200);
    site.get("/dashboards/pipes/v/").await.expect(404);
    let all: Value = site.get_json("/api/v1/dashboards").await;
    assert_eq!(all["products"][1]["path"], "_second/pipes");
    site.get("/api/v1/dashboards/two/pipes").await.expect(200);
}

#[tokio::test]
async fn namesakes_of_two_keepers_are_one_job() {
    let (one, two) = (Keeper::start(), Keeper::start());
    one.publish(&pipes());
    one.publish(&note());
    two.publish(&pipes());
    let settings = [("one", &one), ("two", &two)].map(|(name, keeper)| {
        format!(
            "[[dashboard.keepers]]\nname = '{name}'\nprefix = '{name}'\nbase_url = '{}'\nprivate_ok = true\n",
            keeper.url()
        )
    });
    let Scene { site, .. } = &Scene::with_settings(Backend::Embedded, one, &settings.concat(), &[]).await;
    let products = ["one/pipes", "two/pipes", "one/sqr-900"].map(|product| ("PRODUCT", product));
    let form = [&[("PHASE", "RUN")], &products[..]].concat();
    let job = site.post("/api/dashboard/async", &form).await.expect(303);
    site.wait(job.location(), "COMPLETED").await;
    for result in [
        "one.pipes-switcher",
        "two.pipes-switcher",
        "sqr-900-switcher",
        "report",
    ] {
        let path = format!("{}/results/{result}", job.location());
        site.get(&path).await.expect(200);
    }
    for path in ["one/pipes", "two/pipes", "one/sqr-900"] {
        site.get(&format!("/dashboards/{path}/v/")).await.expect(200);
    }
}

#[tokio::test]
async fn copies_of_products_with_long_names_have_shorter_ones() {
    let scene = Scene::start(Backend::Embedded).await;
    let long = ["1", "2"].map(|end| format!("{}{end}", "a".repeat(199)));
    for slug in &long {
        let mut other = pipes();
        other["product"]["slug"] = json!(slug);
        scene.keeper.publish(&other);
    }
    let products = [long[0].as_str(), &long[1], "sqr-900"].map(|product| ("PRODUCT", product));
    let form = [&[("PHASE", "RUN")], &products[..]].concat();
    let job = scene.site.post("/api/dashboard/async", &form).await.expect(303);
    scene.site.wait(job.location(), "COMPLETED").await;
    let document: Value = scene.site.get_json(job.location()).await;
    let results = document["results"].as_array().unwrap();
    assert_eq!(results.len(), 3 * 4 + 1, "{document}");
    for result in results {
        scene.site.get(result["href"].as_str().unwrap()).await.expect(200);
    }
    for slug in [&long[0], &long[1], "sqr-900"] {
        scene.page(&format!("{slug}/v/")).await;
    }
}

#[tokio::test]
async fn whoever_runs_the_server_has_a_word_on_its_pages() {
    const LOGO: &[u8] = b"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'><circle r='4'/></svg>";
    let folder = tempfile::tempdir().unwrap();
    let logo = folder.path().join("logo.svg");
    std::fs::write(&logo, LOGO).unwrap();
    let lines = format!(
        "title = 'Docs of <b>us</b>'\nfooter = '\"Ask\" <script>us</script>'\nlogo = '{}'\n",
        logo.display()
    );
    let scene = Scene::start_with(Backend::Embedded, &lines, &[]).await;
    scene.built("sqr-900").await;
    for path in ["sqr-900/v/", "sqr-900/builds/", ""] {
        let page = scene.page(path).await.text();
        let html = Html::of(&page);
        html.check_harmless();
        assert!(
            page.contains("Docs of &#60;b&#62;us") && page.contains("&#60;script&#62;us"),
            "{page}"
        );
        let base = reqwest::Url::parse(&format!("{}/dashboards/{path}", scene.site.address)).unwrap();
        let loaded = html
            .elements
            .iter()
            .filter_map(|element| match element.name.as_str() {
                "script" | "img" => element.attribute("src"),
                "link" if element.attribute("rel") != Some("canonical") => element.attribute("href"),
                _ => None,
            });
        let mut types = Vec::new();
        for asset in loaded {
            let asset = scene.site.get(base.join(asset).unwrap().path()).await.expect(200);
            assert!(asset.header("cache-control").unwrap().contains("immutable"));
            assert_eq!(asset.header("x-content-type-options"), Some("nosniff"));
            assert!(
                asset
                    .header("content-security-policy")
                    .unwrap()
                    .starts_with("default-src 'none'")
            );
            types.push(asset.header("content-type").unwrap().to_owned());
            if types.len() == 4 {
                assert_eq!(asset.body, LOGO);
            }
        }
        let expected = [
            "image/svg+xml",
            "text/css; charset=utf-8",
            "text/javascript; charset=utf-8",
            "image/svg+xml",
        ];
        assert_eq!(types, expected, "{path}");
    }
    said(&scene.site.run(&["doctor"]).await);
    std::fs::write(&logo, "<svg onload='alert(1)'/>").unwrap();
    let output = scene.site.run(&["doctor"]).await;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        !output.status.success() && text.contains("dashboard.logo"),
        "{text}"
    );
}

#[tokio::test]
async fn what_was_asked_for_before_a_run_is_done_by_it() {
    const ASKED: &str = "GET /products/sqr-900/dashboard";
    let scene = Scene::start(Backend::Embedded).await;
    let made = scene.site.post("/api/dashboard/async", &[("PRODUCT", "sqr-900")]);
    let job = made.await.expect(303).location().to_owned();
    scene.built("sqr-900").await;
    let asked = scene.keeper.count(ASKED);
    let phase = format!("{job}/phase");
    scene.site.post(&phase, &[("PHASE", "RUN")]).await.expect(303);
    scene.site.wait(&job, "COMPLETED").await;
    assert_eq!(scene.report(&job).await["state"], "current");
    assert_eq!(scene.keeper.count(ASKED), asked);
}

async fn a_second_run_over_many_builds_writes_nothing(backend: Backend) {
    let scene = Scene::start(backend).await;
    let mut large = note();
    let (edition, build) = (large["editions"][4].clone(), large["builds"][0].clone());
    let editions = (0..600).map(|number| {
        let mut one = edition.clone();
        one["slug"] = json!(format!("v{}.{number}", number / 100));
        one["tracked_refs"] = json!([one["slug"]]);
        one
    });
    large["editions"] = editions.collect();
    let builds = (0..3_000).map(|number| {
        let mut one = build.clone();
        one["slug"] = json!(number.to_string());
        one["self_url"] = json!(format!("http://127.0.0.1:15000/builds/{number}"));
        one
    });
    large["builds"] = builds.collect();
    scene.keeper.publish(&large);
    let report = scene.built("sqr-900").await;
    assert_eq!(
        (&report["editions"], &report["builds"]),
        (&json!(600), &json!(3_000)),
        "{report}"
    );
    let last = scene.page("sqr-900/builds/page-6.html").await.text();
    assert!(last.contains("500 of 3,000 builds"), "{last}");
    // Everything that is known of each object: a copy of the same bytes would have another time.
    let objects = async || {
        let folder = object_store::path::Path::from("dashboards");
        let listed = scene.site.objects().list(Some(&folder)).try_collect::<Vec<_>>();
        let mut listed = listed.await.unwrap();
        listed.sort_by(|one, other| one.location.cmp(&other.location));
        listed
    };
    let before = objects().await;
    assert_eq!(before.len(), 14, "{before:?}");
    assert_eq!(scene.built("sqr-900").await["state"], "unchanged");
    assert_eq!(objects().await, before);
    // Fewer builds have fewer pages.
    scene.keeper.publish(&note());
    assert_eq!(scene.built("sqr-900").await["state"], "published");
    scene
        .site
        .get("/dashboards/sqr-900/builds/page-6.html")
        .await
        .expect(404);
}

async fn calls_in_a_row_are_two_runs_of_each_product_at_most(backend: Backend) {
    let scene = Scene::start(backend).await;
    let slugs = ["pipes", "sqr-900", "tubes", "valves"];
    let mut jobs = std::collections::BTreeSet::new();
    for call in 0..33 {
        let slug = slugs[call % 4];
        let mut changed = note();
        changed["product"]["slug"] = json!(slug);
        changed["product"]["title"] = json!(format!("State {call}"));
        scene.keeper.publish(&changed);
        let called: Value = scene.call(&[slug]).await.expect(202).json();
        jobs.insert(called["jobs"][0]["job_url"].as_str().unwrap().to_owned());
    }
    for job in &jobs {
        scene.site.wait(job, "COMPLETED").await;
    }
    for (slug, last) in slugs.iter().zip([32, 29, 30, 31]) {
        let runs = scene.keeper.count(&format!("GET /products/{slug}/dashboard"));
        assert!((1..=2).contains(&runs), "{runs} runs of {slug}; {jobs:?}");
        let page = Html::of(&scene.page(&format!("{slug}/v/")).await.text());
        assert!(page.text.contains(&format!("State {last}")), "{}", page.text);
    }
    let both = scene.call(&["pipes", "sqr-900", "pipes"]).await.expect(202);
    assert_eq!(both.header("location"), None);
    assert_eq!(both.json::<Value>()["jobs"].as_array().map(Vec::len), Some(2));
}

async fn what_lives_is_linked_and_what_has_ended_is_not(backend: Backend) {
    let scene = Scene::start(backend).await;
    let mut some = note();
    some["editions"][2]["date_ended"] = json!("2026-11-21T00:00:00Z");
    some["editions"][3]["build_url"] = json!(null);
    some["builds"][2]["date_ended"] = json!("2026-11-21T00:00:00Z");
    some["builds"][3]["uploaded"] = json!(false);
    scene.keeper.publish(&some);
    scene.built("sqr-900").await;
    for (rows, path, is_there) in [
        ("editions", "sqr-900/v/", "build_url"),
        ("builds", "sqr-900/builds/", "uploaded"),
    ] {
        let html = Html::of(&scene.page(path).await.text());
        html.check_harmless();
        let links: Vec<_> = html
            .links()
            .into_iter()
            .filter_map(|link| reqwest::Url::parse(link).ok())
            .collect();
        let (mut lives, mut others) = (0, 0);
        for row in some[rows].as_array().unwrap() {
            let url: reqwest::Url = row["published_url"].as_str().unwrap().parse().unwrap();
            let here = row[is_there].is_string() || row[is_there] == true;
            let wanted = here && row["date_ended"].is_null();
            assert_eq!(links.contains(&url), wanted, "{url} of {links:?}");
            *(if wanted { &mut lives } else { &mut others }) += 1;
        }
        assert!(lives >= 5 && others == 2, "{lives} {others}");
        let place = |version: &str| {
            links
                .iter()
                .position(|link| link.path() == format!("/v/{version}"))
        };
        if rows == "editions" {
            let order = [
                place("v1.10").unwrap_or_default(),
                place("v1.9").unwrap_or_default(),
            ];
            assert!(order[0] < order[1], "{links:?}");
        }
    }
}
