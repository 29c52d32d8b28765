//! Astronomers' own clients: pyvo drives jobs, vo-models reads the documents.

use serde_json::{Value, json};

use crate::harness::{Backend, Site, on_both_back_ends, oracle};
use crate::uws::{LIST, RUN, create, create_in};

on_both_back_ends!(pyvo_drives_a_job, vo_models_reads_lists_and_jobs);

async fn pyvo_drives_a_job(backend: Backend) {
    let site = Site::start(backend).await;
    let service = format!("{}/api/echo", site.address);
    let told = oracle("pyvo_job.py", &[&service]).await;
    let upload = told["upload"][1].as_str().unwrap_or_default().to_owned();
    assert!(
        upload.starts_with(&format!("{service}/async/")) && upload.ends_with("/parameters/POSITIONS"),
        "{told}"
    );
    let length = told["results"][0][2].as_u64().expect("a size");
    assert_eq!(
        told,
        json!({
            "created": ["PENDING", "local", "1.1", "SELECT 1", null],
            "id": true,
            "duration": 77.0,
            "destruction": true,
            "query": "SELECT 2",
            "upload": [true, upload],
            "uploaded": "RA,DEC\n1,2\n",
            "ended": "COMPLETED",
            "result": {
                "REQUEST": ["doQuery"], "LANG": ["ADQL"], "MAXREC": ["5"], "QUERY": ["SELECT 2"], "SLEEP": ["1"],
                "POSITIONS": ["RA,DEC\n1,2\n"],
            },
            "results": [["result", "application/json", length]],
            "listed": ["COMPLETED"],
            "progress": ["progressDone", "progressFailed", "progressNote", "progressTotal"],
            "deleted": 404,
            "redirected": 303,
            "running": "EXECUTING",
            "aborted": "ABORTED",
            "failed": ["ERROR", "fatal", true, true],
            "left": 404,
            "missing": 404,
            "parsed": ["PENDING", "a & b", "1.1"],
        })
    );
}

async fn vo_models_reads_lists_and_jobs(backend: Backend) {
    let site = Site::start(backend).await;
    let done = create(&site, &[("RUNID", "r"), ("X", "1"), ("X", "2"), RUN]).await;
    site.wait(&done, "COMPLETED").await;
    let length = site
        .get(&format!("{done}/results/result"))
        .await
        .expect(200)
        .body
        .len();
    for phase in ["PENDING", "EXECUTING", "ERROR", "ABORTED"] {
        create_in(&site, phase).await;
    }
    let told = oracle("vo_models_uws.py", &[&format!("{}{LIST}", site.address)]).await;
    let job = |phase: &str, run_id: Value, started: bool, results: Value, error: Value| {
        json!({
            "id": true, "phase": [phase, phase], "run_id": [run_id, run_id], "owner": ["local", "local"], "created": true,
            "version": "1.1", "started": started, "duration": 3600, "results": results, "error": error,
        })
    };
    let none = Value::Null;
    assert_eq!(
        told,
        json!({"version": "1.1", "jobs": [
            job("ABORTED", none.clone(), false, json!([]), none.clone()),
            job("ERROR", none.clone(), true, json!([]), json!(["fatal", true, true])),
            job("EXECUTING", none.clone(), true, json!([]), none.clone()),
            job("PENDING", none.clone(), false, json!([]), none.clone()),
            job("COMPLETED", json!("r"), true, json!([["result", "application/json", length]]), none),
        ]})
    );
}
