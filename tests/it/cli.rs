//! The command line against a running server: outputs, exit codes, closed pipes.

use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

use crate::harness::{Backend, Database, SIDEREAL, Site, fault, on_both_back_ends, program, said};

on_both_back_ends!(
    a_job_from_submission_to_deletion,
    a_file_is_sent_as_it_is,
    a_job_that_fails_or_is_aborted_ends_with_6,
    lists_are_filtered,
    several_jobs_at_once,
    the_doctor_finds_nothing_wrong_beside_a_server,
);

/// A job of the diagnostic service; gives its URL.
async fn submit(site: &Site, arguments: &[&str]) -> String {
    let arguments = [&["job", "submit", "echo"], arguments].concat();
    let text = said(&site.run(&arguments).await);
    text.lines().next().expect("a line").to_owned()
}

async fn show(site: &Site, job: &str) -> Value {
    let text = said(&site.run(&["job", "show", job, "-o", "json"]).await);
    serde_json::from_str(&text).expect("JSON")
}

async fn a_job_from_submission_to_deletion(backend: Backend) {
    let site = Site::start(backend).await;
    let url = submit(
        &site,
        &["COLOUR=red", "colour=blue", "--run-id", "mine", "--hold"],
    )
    .await;
    assert!(
        url.starts_with(&format!("{}/api/echo/async/", site.address)),
        "{url}"
    );
    let id = url.rsplit('/').next().expect("an id");
    let job = show(&site, id).await;
    assert_eq!(
        (&job["phase"], &job["runId"]),
        (&json!("PENDING"), &json!("mine"))
    );

    site.post(&format!("/api/echo/async/{id}/phase"), &[("PHASE", "RUN")])
        .await
        .expect(303);
    let phases = said(&site.run(&["job", "wait", id]).await);
    assert_eq!(phases.lines().last(), Some("COMPLETED"));

    let folder = TempDir::new().expect("a folder");
    let into = folder.path().join("new").display().to_string();
    let saved = said(&site.run(&["job", "fetch", &url, "--dir", &into]).await);
    assert_eq!(saved, format!("{into}/result\n"));
    let result: Value =
        serde_json::from_slice(&std::fs::read(saved.trim()).expect("the file")).expect("JSON");
    assert_eq!(result, json!({"COLOUR": ["red", "blue"]}));
    assert_eq!(std::fs::read_dir(&into).expect("the folder").count(), 1);

    let table = said(&site.run(&["job", "show", id]).await);
    assert!(
        table.contains("COMPLETED") && table.contains("COLOUR=red"),
        "{table}"
    );
    said(&site.run(&["job", "log", id]).await);

    said(&site.run(&["job", "delete", id]).await);
    for action in ["show", "wait", "fetch", "abort", "delete", "log"] {
        for job in [id, &url] {
            let (code, text) = fault(&site.run(&["job", action, job]).await);
            assert_eq!(code, Some(4), "{action} {job}: {text}");
        }
    }
}

async fn a_file_is_sent_as_it_is(backend: Backend) {
    let site = Site::start(backend).await;
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("list.csv");
    let text = "RA,DEC\n".to_owned() + &"1.5,-2.5\n".repeat(2_000);
    std::fs::write(&file, &text).expect("a file");
    let url = submit(&site, &[&format!("LIST=@{}", file.display()), "NOTE=x", "--wait"]).await;
    let sent = site.get(&format!("{url}/parameters/LIST")).await.expect(200);
    assert_eq!(sent.text(), text);

    let missing = format!("LIST=@{}/none.csv", folder.path().display());
    let (code, text) = fault(&site.run(&["job", "submit", "echo", &missing]).await);
    assert!(code == Some(1) && text.contains("none.csv"), "{text}");
}

async fn a_job_that_fails_or_is_aborted_ends_with_6(backend: Backend) {
    let site = Site::start(backend).await;
    let output = site.run(&["job", "submit", "echo", "FAIL=fatal", "--wait"]).await;
    let (code, text) = fault(&output);
    assert_eq!(code, Some(6), "{text}");
    let lines = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(lines.starts_with("http") && lines.ends_with("ERROR\n"), "{lines}");
    // It has ended: that is no matter of who asks.
    let failed = lines.lines().next().expect("a line");
    let (code, text) = fault(&site.run(&["job", "abort", failed]).await);
    assert_eq!(code, Some(2), "{text}");

    let url = submit(&site, &["SLEEP=600"]).await;
    said(&site.run(&["job", "abort", &url]).await);
    let output = site.run(&["job", "wait", &url]).await;
    assert_eq!(output.status.code(), Some(6));
    assert!(output.stdout.ends_with(b"ABORTED\n"));
    let (code, _) = fault(&site.run(&["job", "fetch", &url]).await);
    assert_eq!(code, Some(6));
}

async fn lists_are_filtered(backend: Backend) {
    let site = Site::start(backend).await;
    let held = submit(&site, &["--hold", "--run-id", "night"]).await;
    let done = submit(&site, &["--wait", "--run-id", "day"]).await;
    let list = async |arguments: &[&str]| -> Vec<String> {
        let arguments = [&["job", "list", "-o", "json"], arguments].concat();
        let jobs: Vec<Value> = serde_json::from_str(&said(&site.run(&arguments).await)).expect("JSON");
        let id = |job: &Value| job["id"].as_str().expect("an id").to_owned();
        jobs.iter().map(id).collect()
    };
    let id = |url: &str| url.rsplit('/').next().expect("an id").to_owned();
    assert_eq!(list(&[]).await, [id(&done), id(&held)]);
    assert_eq!(list(&["--limit", "1"]).await, [id(&done)]);
    assert_eq!(list(&["--phase", "pending"]).await, [id(&held)]);
    assert_eq!(list(&["--label", "day"]).await, [id(&done)]);
    assert_eq!(
        list(&["--service", "echo", "--after", "2020-01-01"]).await.len(),
        2
    );
    assert!(list(&["--before", "2020-01-01"]).await.is_empty());

    let table = said(&site.run(&["job", "list"]).await);
    assert_eq!(table.lines().count(), 3, "{table}");
    assert!(table.starts_with("JOB "), "{table}");
}

async fn several_jobs_at_once(backend: Backend) {
    let site = Site::start(backend).await;
    let (one, two) = (submit(&site, &["A=1"]).await, submit(&site, &["A=2"]).await);
    let unknown = "01890000-0000-7000-8000-000000000000";
    let waited = site.run(&["job", "wait", &one, unknown, &two]).await;
    let (code, text) = fault(&waited);
    assert!(code == Some(4) && text.contains(unknown), "{text}");
    let lines = String::from_utf8(waited.stdout).expect("UTF-8");
    assert_eq!(lines.matches(" COMPLETED\n").count(), 2, "{lines}");

    let folder = TempDir::new().expect("a folder");
    let into = folder.path().display().to_string();
    let saved = said(&site.run(&["job", "fetch", &one, &two, "-d", &into]).await);
    for (url, line) in [&one, &two].into_iter().zip(saved.lines()) {
        let id = url.rsplit('/').next().expect("an id");
        assert_eq!(line, format!("{into}/{id}/result"));
        assert!(std::fs::metadata(line).expect("the file").is_file());
    }
}

async fn the_doctor_finds_nothing_wrong_beside_a_server(backend: Backend) {
    let site = Site::start(backend).await;
    let listen = site.address.trim_start_matches("http://").to_owned();
    let text = said(&site.run(&["doctor", "--listen", &listen]).await);
    assert!(text.lines().all(|line| line.starts_with("ok ")), "{text}");
    assert!(text.contains("a server that is alive"), "{text}");

    let output = site.run(&["doctor", "--results-url", "file:///proc/none"]).await;
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(text.contains("fault  results"), "{text}");
}

#[tokio::test]
async fn faults_have_their_codes() {
    let site = Site::start(Backend::Embedded).await;
    let nowhere = ["--server", "http://127.0.0.1:1"];
    let unknown = "01890000-0000-7000-8000-000000000000";
    for (arguments, code) in [
        (&["job", "list", nowhere[0], nowhere[1]][..], 5),
        (&["job", "submit", "tea"], 4),
        (&["job", "submit", "cutout", "TEA=1"], 2),
        (&["job", "submit", "cutout", "SIZE=-1"], 2),
        (&["job", "submit", "echo", "SLEEP"], 2),
        (&["job", "submit", "echo", "SLEEP=soon"], 2),
        (&["job", "show"], 2),
        (&["job", "show", "tea"], 2),
        (&["job", "show", unknown], 4),
        (&["job", "list", "--phase", "TEA"], 2),
        (&["job", "list", "--after", "yesterday"], 2),
        (&["tea"], 2),
        (&["serve", "--listen", "0.0.0.0:0"], 2),
        (&["serve", "--role", "boss"], 2),
        (&["serve", "--config", "none.toml"], 2),
        (&["demo"], 2),
    ] {
        let (got, text) = fault(&site.run(arguments).await);
        assert_eq!(got, Some(code), "{arguments:?}: {text}");
        assert!(
            !text.is_empty() && !text.contains("panicked"),
            "{arguments:?}: {text}"
        );
    }
}

/// A database that cannot be used is told of at once, with what happened and without the password.
#[tokio::test]
async fn a_database_that_cannot_be_used_is_told_of() {
    let site = Site::start(Backend::Embedded).await;
    let database = Database::empty().await;
    let url = |change: &dyn Fn(&mut Url)| {
        let mut url = Url::parse(&database.url()).expect("a URL");
        url.set_password(Some("hunter2")).expect("a host");
        change(&mut url);
        String::from(url)
    };
    let place = url(&|_| {}).split_once('@').expect("a host").1.to_owned();
    let place = place.split('/').next().expect("host and port");
    for (url, place, why) in [
        (
            url(&|url| url.set_port(Some(1)).expect("a port")),
            "127.0.0.1:1",
            "connection refused",
        ),
        (
            url(&|url| url.set_username("nobody_at_all").expect("a user")),
            place,
            "authentication failed",
        ),
        (
            url(&|url| url.set_path("none_such")),
            place,
            "the database does not exist",
        ),
    ] {
        let flags = ["--database-url", &url];
        for command in [&["serve"][..], &["migrate"], &["ingest", "x", "/none"]] {
            let (code, text) = fault(&site.run(&[command, &flags].concat()).await);
            assert_eq!(code, Some(5), "{command:?}: {text}");
            assert!(text.contains(&format!("{place}: {why}")), "{command:?}: {text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
        let output = site.run(&[&["doctor"][..], &flags].concat()).await;
        assert_eq!(output.status.code(), Some(1));
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(text.contains("fault  database") && text.contains(why), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn a_second_server_on_an_address_says_so() {
    let site = Site::start(Backend::Embedded).await;
    let listen = site.address.trim_start_matches("http://");
    let (code, text) = fault(&site.run(&["serve", "--listen", listen]).await);
    assert!(code == Some(1) && text.contains(listen), "{text}");
}

#[tokio::test]
async fn a_reader_that_goes_away_is_no_fault() {
    let site = Site::start(Backend::Embedded).await;
    submit(&site, &["--hold"]).await;
    for arguments in [&["job", "list"][..], &["job", "list", "-o", "json"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = site.command(arguments);
        // Not by `output`, which would read its standard output itself.
        let child = command.stdout(writer).stderr(Stdio::piped()).spawn();
        let output = child
            .expect("the program")
            .wait_with_output()
            .await
            .expect("its end");
        assert_eq!(fault(&output), (Some(0), String::new()));
    }
}

#[tokio::test]
async fn a_token_goes_to_the_named_server_only() {
    let site = Site::start(Backend::Embedded).await;
    let id = "01890000-0000-7000-8000-000000000000";
    // Another server's URL, but this one is named: it alone is asked, and knows no such job.
    let url = format!("http://127.0.0.1:1/elsewhere/api/echo/async/{id}");
    let (code, text) = fault(&site.run(&["job", "show", &url]).await);
    assert_eq!(code, Some(4), "{text}");
}

#[tokio::test]
async fn the_openapi_document_is_checked_for_drift() {
    let site = Site::start(Backend::Embedded).await;
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("deep/sidereal.json").display().to_string();
    let (code, _) = fault(&site.run(&["openapi", "--check", &path]).await);
    assert_eq!(code, Some(1));
    said(&site.run(&["openapi", &path]).await);
    said(&site.run(&["openapi", "--check", &path]).await);
    let text = std::fs::read_to_string(&path).expect("the document");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    assert!(document["openapi"].is_string());
    std::fs::write(&path, text.replacen("openapi", "openapy", 1)).expect("a file");
    let (code, text) = fault(&site.run(&["openapi", "--check", &path]).await);
    assert!(code == Some(1) && text.contains("sidereal openapi"), "{text}");
}

/// A FITS image of 300 × 300 pixels of 1 arcsec around (250.4226, 36.4602), each pixel with its number as value.
fn image() -> Vec<u8> {
    let cards = [
        "SIMPLE  =                    T",
        "BITPIX  =                   32",
        "NAXIS   =                    2",
        "NAXIS1  =                  300",
        "NAXIS2  =                  300",
        "CTYPE1  = 'RA---TAN'",
        "CTYPE2  = 'DEC--TAN'",
        "CRPIX1  =                150.5",
        "CRPIX2  =                150.5",
        "CRVAL1  =             250.4226",
        "CRVAL2  =              36.4602",
        "CDELT1  = -0.00027777777777778",
        "CDELT2  =  0.00027777777777778",
        "CUNIT1  = 'deg     '",
        "CUNIT2  = 'deg     '",
        "END",
    ];
    let mut bytes: Vec<u8> = cards
        .iter()
        .flat_map(|card| format!("{card:80}").into_bytes())
        .collect();
    bytes.resize(bytes.len().next_multiple_of(2_880), b' ');
    bytes.extend((0..300 * 300_i32).flat_map(i32::to_be_bytes));
    bytes.resize(bytes.len().next_multiple_of(2_880), 0);
    bytes
}

#[tokio::test]
async fn the_demo_saves_cutouts() {
    let folder = TempDir::new().expect("a folder");
    std::fs::write(folder.path().join("sky.fits"), image()).expect("a file");
    let built = folder.path().join("web-app/dist");
    std::fs::create_dir_all(&built).expect("a folder");
    std::fs::write(built.join("index.html"), "<!doctype html>").expect("a file");
    let demo = async |ra: &str| {
        program(SIDEREAL, folder.path())
            .args([
                "demo", "--once", "--image", "sky.fits", "--ra", ra, "--dec", "36.4602",
            ])
            .args(["--listen", "127.0.0.1:0"])
            .output()
            .await
            .expect("the program")
    };
    let text = said(&demo("250.4226").await);
    let mut lines = text.lines();
    let listening = lines.next().and_then(|line| line.strip_prefix("listening on "));
    let listening = listening.expect("the address");
    assert_eq!(lines.next(), Some(&format!("web app at {listening}/app/")[..]));
    let job = lines.next().expect("the URL of the job");
    assert!(job.starts_with(listening), "{text}");
    let (_, id) = job.rsplit_once('/').expect("an id");
    assert_eq!(lines.next(), Some(&format!("{listening}/app/jobs/{id}")[..]));
    assert!(
        text.contains("\nPENDING\n") && text.contains("\nCOMPLETED\n"),
        "{text}"
    );
    let cutouts: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("data/demo/"))
        .collect();
    assert_eq!(cutouts.len(), 3, "{text}");
    for cutout in cutouts {
        let bytes = std::fs::read(folder.path().join(cutout)).expect("the cutout");
        assert!(bytes.starts_with(b"SIMPLE  =                    T"));
    }

    let (code, text) = fault(&demo("10").await);
    assert!(code == Some(1) && text.contains("manifest.csv"), "{text}");
}
