//! Results together: zip, tar and script give every byte of what was chosen, or are seen to have failed.

use std::{collections::BTreeMap, path::Path, process::Output};

use object_store::ObjectStoreExt;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::{
    auth::oidc,
    cutout::{self, M13},
    harness::{Backend, Issuer, Site, on_both_back_ends},
    readme::m13,
    uws::{LONG, RUN, create, days_ahead, id},
};

on_both_back_ends!(
    archives_hold_what_was_chosen,
    an_archive_that_cannot_be_whole_breaks_off,
    a_script_downloads_what_was_chosen,
);

const SUMS: &str = "SHA256SUMS";

/// A job with a cutout, manifests and the result of a single cutout; its URL and its results.
async fn job(site: &Site, backend: Backend) -> (String, Vec<(String, Vec<u8>)>) {
    let images = [("m13.fits".to_owned(), std::fs::read(m13()).unwrap())];
    let _images = cutout::ingest(site, backend, &images, false).await;
    let (job, _) = cutout::run(site, &[("COLLECTION", "sky"), ("SIZE", "1"), ("POSITIONS", M13)]).await;
    let document: Value = site.get_json(&format!("{job}/results")).await;
    let mut results = Vec::new();
    // `result` stands for another of them.
    let others = document["results"].as_array().unwrap().iter();
    for result in others.filter(|result| result["id"] != "result") {
        let body = site.get(result["href"].as_str().unwrap()).await.expect(200).body;
        results.push((result["id"].as_str().unwrap().to_owned(), body.to_vec()));
    }
    assert!(results.len() >= 3, "{document}");
    (job, results)
}

async fn tool(folder: &Path, program: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder);
    command.output().await.expect(program)
}

/// Unpacks an archive as people do, and gives what was in it.
async fn unpacked(format: &str, archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("archive"), archive).unwrap();
    let (program, arguments): (&str, &[&str]) = match format {
        "zip" => ("python3", &["-m", "zipfile", "-e", "archive", "out"]),
        _ => ("tar", &["-xf", "archive", "-C", "out"]),
    };
    std::fs::create_dir(folder.path().join("out")).unwrap();
    let output = tool(folder.path(), program, arguments).await;
    assert!(output.status.success(), "{output:?}");
    files(&folder.path().join("out"))
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect()
}

/// What is unpacked is these results; its digests are those of `summed`.
async fn holds(format: &str, archive: &[u8], results: &[(String, Vec<u8>)], summed: &[(String, Vec<u8>)]) {
    let mut found = unpacked(format, archive).await;
    let sums = String::from_utf8(found.remove(SUMS).expect(SUMS)).unwrap();
    assert!(
        found
            .into_iter()
            .eq(results.iter().cloned().collect::<BTreeMap<_, _>>())
    );
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in summed {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    std::fs::write(folder.path().join(SUMS), &sums).unwrap();
    let checked = tool(folder.path(), "sha256sum", &["--strict", "-c", SUMS]).await;
    assert!(checked.status.success(), "{checked:?}");
    let names: Vec<_> = sums.lines().map(|line| line[66..].to_owned()).collect();
    assert!(names.iter().eq(summed.iter().map(|(name, _)| name)), "{sums}");
}

/// A link to a job.
async fn share(site: &Site, job: &str) -> String {
    let path = format!("/api/v1/jobs/{}/shares", id(job));
    let expires = format!("{}T00:00:00Z", days_ahead(2));
    let request = site
        .request(Method::POST, &path)
        .json(&json!({ "expires": expires }));
    let link: Value = site.send(request).await.expect(201).json();
    link["url"].as_str().unwrap().to_owned()
}

async fn archives_hold_what_was_chosen(backend: Backend) {
    let site = Site::start(backend).await;
    let (job, results) = job(&site, backend).await;
    let own = format!("/api/v1/jobs/{}", id(&job));
    let shared = share(&site, &job).await;
    for (format, media_type) in [("zip", "application/zip"), ("tar", "application/x-tar")] {
        for place in [&own, &shared] {
            let url = format!("{place}/archive?format={format}");
            let whole = site.get(&url).await.expect(200);
            assert_eq!(whole.header("content-type"), Some(media_type));
            let file_name = format!("attachment; filename=\"{}.{format}\"", id(&job));
            assert_eq!(whole.header("content-disposition"), Some(file_name.as_str()));
            holds(format, &whole.body, &results, &results).await;

            let last = &results[results.len() - 1..];
            // A + in a query is a space.
            let [first, end] = [&results[0].0, &last[0].0].map(|name| name.replace('+', "%2B"));
            let chosen = [results[0].clone(), last[0].clone()];
            let url = format!("{url}&file={end}&file={first}");
            holds(format, &site.get(&url).await.expect(200).body, &chosen, &chosen).await;
            // What was fetched before is checked too.
            let rest = site.get(&format!("{url}&after={first}")).await.expect(200);
            holds(format, &rest.body, last, &chosen).await;
        }
    }
    let zip = site.get(&format!("{own}/archive")).await.expect(200);
    assert_eq!(zip.header("content-type"), Some("application/zip"));
    let head = site.send(site.request(Method::HEAD, &format!("{own}/archive")));
    assert!(head.await.expect(200).body.is_empty());
    for (query, status, told) in [
        ("archive?file=no.fits", 404, "no.fits"),
        ("archive?after=no.fits", 404, "no.fits"),
        ("archive?file=..%2F..%2Fetc%2Fpasswd", 404, "passwd"),
        ("archive?format=rar", 400, "expected zip or tar"),
        ("script?file=no.fits", 404, "no.fits"),
    ] {
        let refused = site.get(&format!("{own}/{query}")).await.expect(status);
        assert!(refused.text().contains(told), "{}", refused.text());
    }
    // What there is of a job that runs.
    let running = create(&site, &[LONG, RUN]).await;
    site.wait(&running, "EXECUTING").await;
    let none = format!("/api/v1/jobs/{}/archive?format=tar", id(&running));
    let none = site.get(&none).await.expect(200);
    assert!(unpacked("tar", &none.body).await.is_empty());
}

async fn an_archive_that_cannot_be_whole_breaks_off(backend: Backend) {
    let site = Site::start(backend).await;
    let (job, results) = job(&site, backend).await;
    let last = "manifest.csv";
    assert_ne!(results[0].0, last);
    let key = format!("{}/1/{last}", id(&job));
    site.objects().delete(&key.as_str().into()).await.unwrap();
    for format in ["zip", "tar"] {
        let path = format!("/api/v1/jobs/{}/archive?format={format}", id(&job));
        let whole = async {
            let answer = site.request(Method::GET, &path).send().await?;
            answer.error_for_status()?.bytes().await
        };
        whole.await.unwrap_err();
        // Before anything is sent there is a status.
        site.get(&format!("{path}&file={last}")).await.expect(404);
    }
}

/// Runs a script in a folder.
async fn run_script(script: &str, folder: &Path, token: Option<&str>) -> Output {
    let mut command = Command::new("sh");
    command.args(["-c", script]).current_dir(folder);
    command.env_remove("SIDEREAL_TOKEN");
    if let Some(token) = token {
        command.env("SIDEREAL_TOKEN", token);
    }
    command.output().await.expect("sh")
}

async fn a_script_downloads_what_was_chosen(backend: Backend) {
    let site = Site::start(backend).await;
    let (job, results) = job(&site, backend).await;
    let all: BTreeMap<_, _> = results.iter().cloned().collect();
    let own = format!("/api/v1/jobs/{}", id(&job));
    for place in [own.clone(), share(&site, &job).await] {
        let script = site.get(&format!("{place}/script")).await.expect(200);
        assert_eq!(
            script.header("content-type"),
            Some("text/x-shellscript; charset=utf-8")
        );
        let folder = tempfile::tempdir().unwrap();
        let (name, bytes) = results.iter().max_by_key(|(_, bytes)| bytes.len()).unwrap();
        // One was cut off before, another was spoilt.
        let part = |name: &str| folder.path().join(format!(".{name}.part"));
        std::fs::write(part(name), &bytes[..bytes.len() / 2]).unwrap();
        std::fs::write(part("manifest.json"), vec![0; all["manifest.json"].len()]).unwrap();
        for _ in 0..2 {
            let output = run_script(&script.text(), folder.path(), None).await;
            assert!(output.status.success(), "{output:?}");
            assert!(files(folder.path()) == all);
        }
        // A file of the user's own stays.
        std::fs::write(folder.path().join(name), "mine").unwrap();
        let output = run_script(&script.text(), folder.path(), None).await;
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert_eq!(files(folder.path())[name], b"mine");
    }
    let one = site
        .get(&format!("{own}/script?file=manifest.csv"))
        .await
        .expect(200);
    let folder = tempfile::tempdir().unwrap();
    run_script(&one.text(), folder.path(), None).await;
    assert_eq!(files(folder.path()).keys().collect::<Vec<_>>(), ["manifest.csv"]);
}

#[tokio::test]
async fn a_script_takes_the_token_and_does_not_hold_it() {
    let issuer = Issuer::start();
    let settings = oidc(issuer.issuer(), "a secret that is long enough");
    let site = Site::start_with(Backend::Embedded, &settings).await;
    let token = issuer.token(&json!({
        "sub": "subject of alice", "preferred_username": "alice",
        "resource_access": { "sidereal-api": { "roles": ["user"] } },
    }));
    let by_token = |method, path: &str| site.request(method, path).bearer_auth(&token);
    let made = by_token(Method::POST, "/api/echo/async").form(&[RUN, ("WORD", "x")]);
    let job = site.send(made).await.expect(303).location().to_owned();
    let waiting = by_token(Method::GET, &format!("{job}?WAIT=50&PHASE=QUEUED"));
    site.send(waiting).await.expect(200);
    let waiting = by_token(Method::GET, &format!("{job}?WAIT=50&PHASE=EXECUTING"));
    site.send(waiting).await.expect(200);
    let script = by_token(Method::GET, &format!("/api/v1/jobs/{}/script", id(&job)));
    let script = site.send(script).await.expect(200).text();
    assert!(!script.contains(&token));
    let folder = tempfile::tempdir().unwrap();
    for (token, code) in [
        (None, 3),
        (Some("a\"b"), 3),
        (Some("wrong"), 3),
        (Some(token.as_str()), 0),
    ] {
        let output = run_script(&script, folder.path(), token).await;
        assert_eq!(output.status.code(), Some(code), "{output:?}");
    }
    let result: Value = serde_json::from_slice(&files(folder.path())["result"]).unwrap();
    assert_eq!(result["WORD"][0], "x");
}
