//! The job object, element for element, as XML and as JSON (requirements 1 to 13).

use serde_json::{Value, json};

use super::xml::Element;
use super::{LIST, LONG, RUN, create, create_in, id};
use crate::harness::{Backend, Site, on_both_back_ends};

on_both_back_ends!(
    a_pending_job,
    a_running_job,
    a_completed_job,
    a_failed_job,
    an_aborted_job,
    a_queued_job_says_its_place,
    a_list,
    parts_are_documents_of_their_own,
    json_has_the_same,
    a_run_id_is_given_back_as_given,
    controls_do_not_show_among_parameters,
    text_of_any_kind_stays_well_formed,
);

async fn outline(site: &Site, url: &str) -> String {
    Element::of(&site.get(url).await.expect(200)).outline()
}

/// 1, 2, 3, 5: the elements that are nil, those that are left out, and their order.
async fn a_pending_job(backend: Backend) {
    let site = Site::start(backend).await;
    let job = create(&site, &[]).await;
    assert_eq!(
        outline(&site, &job).await,
        format!(
            "uws:job version=1.1\n  \
               uws:jobId: {}\n  \
               uws:ownerId: local\n  \
               uws:phase: PENDING\n  \
               uws:quote xsi:nil=true\n  \
               uws:creationTime: TIME\n  \
               uws:startTime xsi:nil=true\n  \
               uws:endTime xsi:nil=true\n  \
               uws:executionDuration: 3600\n  \
               uws:destruction: TIME\n  \
               uws:parameters\n  \
               uws:results\n",
            id(&job)
        )
    );
}

/// 9, 21: progress in jobInfo, one element each; startTime is there, endTime is not.
async fn a_running_job(backend: Backend) {
    let site = Site::start(backend).await;
    let job = create_in(&site, "EXECUTING").await;
    let document = Element::of(&site.get(&job).await.expect(200));
    assert!(!document.child("uws:startTime").is_nil());
    assert!(document.child("uws:endTime").is_nil());
    assert!(document.find("uws:errorSummary").is_none());
    if let Some(info) = document.find("uws:jobInfo") {
        let mut names: Vec<_> = info.children.iter().map(|child| child.name.as_str()).collect();
        assert!(
            names.iter().all(|name| name.starts_with("sidereal:")),
            "{names:?}"
        );
        names.dedup();
        assert_eq!(names.len(), info.children.len());
    }
    site.delete(&job).await.expect(303);
}

/// 6, 7, 10: parameters in the order given, results with size and media type.
async fn a_completed_job(backend: Backend) {
    let site = Site::start(backend).await;
    let form = [
        ("RUNID", "m13"),
        ("b", "2"),
        ("A", "1"),
        ("b", "3"),
        ("SLEEP", "0"),
        RUN,
    ];
    let job = create(&site, &form).await;
    site.wait(&job, "COMPLETED").await;
    let body = site.get(&format!("{job}/results/result")).await.expect(200);
    assert_eq!(
        body.json::<Value>(),
        json!({"A": ["1"], "B": ["2", "3"], "SLEEP": ["0"]})
    );
    let document = Element::of(&site.get(&job).await.expect(200));
    let text = document.outline();
    let (text, info) = text.split_once("  uws:jobInfo\n").unwrap_or((text.as_str(), ""));
    assert!(
        info.lines().all(|line| line.starts_with("    sidereal:progress")),
        "{info}"
    );
    assert_eq!(
        text,
        format!(
            "uws:job version=1.1\n  \
               uws:jobId: {}\n  \
               uws:runId: m13\n  \
               uws:ownerId: local\n  \
               uws:phase: COMPLETED\n  \
               uws:quote xsi:nil=true\n  \
               uws:creationTime: TIME\n  \
               uws:startTime: TIME\n  \
               uws:endTime: TIME\n  \
               uws:executionDuration: 3600\n  \
               uws:destruction: TIME\n  \
               uws:parameters\n    \
                 uws:parameter id=B: 2\n    \
                 uws:parameter id=A: 1\n    \
                 uws:parameter id=B: 3\n    \
                 uws:parameter id=SLEEP: 0\n  \
               uws:results\n    \
                 uws:result id=result mime-type=application/json size={} xlink:href={job}/results/result xlink:type=simple\n",
            id(&job),
            body.body.len()
        )
    );
    let [created, started, ended, destroyed] = ["creationTime", "startTime", "endTime", "destruction"]
        .map(|name| &document.child(&format!("uws:{name}")).text);
    assert!(created <= started && started <= ended && ended < destroyed);
}

/// 8, 38: `/error` has what hasDetail promises.
async fn a_failed_job(backend: Backend) {
    let site = Site::start(backend).await;
    for kind in ["fatal", "transient"] {
        let job = create(&site, &[("FAIL", kind), RUN]).await;
        site.wait(&job, "ERROR").await;
        let document = Element::of(&site.get(&job).await.expect(200));
        let names: Vec<_> = document
            .children
            .iter()
            .map(|child| child.name.as_str())
            .collect();
        let summary = document.child("uws:errorSummary");
        assert!(
            names
                .windows(2)
                .any(|pair| pair == ["uws:results", "uws:errorSummary"]),
            "{names:?}"
        );
        assert_eq!(summary.attribute("type"), kind);
        let message = &summary.child("uws:message").text;
        assert!(!message.is_empty());
        let error = site.get(&format!("{job}/error")).await.expect(200);
        assert!(error.text().contains(message.as_str()), "{}", error.text());
        assert!(error.header("content-type").unwrap().starts_with("text/plain"));
        let detailed = error.text().trim_end().len() > "Error: ".len() + message.len();
        assert!(
            summary.attribute("hasDetail") == "false" || detailed,
            "{}",
            error.text()
        );
    }
}

/// 21: also from PENDING, with an endTime and without a startTime.
async fn an_aborted_job(backend: Backend) {
    let site = Site::start(backend).await;
    let job = create_in(&site, "ABORTED").await;
    let document = Element::of(&site.get(&job).await.expect(200));
    assert!(document.child("uws:startTime").is_nil());
    assert!(!document.child("uws:endTime").is_nil());
    assert!(document.find("uws:errorSummary").is_none());
    site.get(&format!("{job}/error")).await.expect(404);
}

async fn a_queued_job_says_its_place(backend: Backend) {
    let site = Site::start_with(backend, &[("SIDEREAL_WORKERS", "1")]).await;
    let first = create_in(&site, "EXECUTING").await;
    let mut queued = Vec::new();
    for _ in 0..2 {
        queued.push(create(&site, &[RUN]).await);
    }
    for (place, job) in ["1", "2"].iter().zip(&queued) {
        let document = Element::of(&site.get(job).await.expect(200));
        assert_eq!(
            document.child("uws:jobInfo").child("sidereal:queuePosition").text,
            *place
        );
    }
    site.delete(&first).await.expect(303);
    for job in &queued {
        site.wait(job, "COMPLETED").await;
    }
}

/// 50.
async fn a_list(backend: Backend) {
    let site = Site::start(backend).await;
    assert_eq!(outline(&site, LIST).await, "uws:jobs version=1.1\n");
    let job = create(&site, &[("RUNID", "a <b> & \"c\"")]).await;
    assert_eq!(
        outline(&site, LIST).await,
        format!(
            "uws:jobs version=1.1\n  \
               uws:jobref id={} xlink:href={job} xlink:type=simple\n    \
                 uws:phase: PENDING\n    \
                 uws:runId: a <b> & \"c\"\n    \
                 uws:ownerId: local\n    \
                 uws:creationTime: TIME\n",
            id(&job)
        )
    );
}

/// 39, 42: empty ones too.
async fn parts_are_documents_of_their_own(backend: Backend) {
    let site = Site::start(backend).await;
    let empty = create(&site, &[]).await;
    assert_eq!(
        outline(&site, &format!("{empty}/parameters")).await,
        "uws:parameters\n"
    );
    assert_eq!(outline(&site, &format!("{empty}/results")).await, "uws:results\n");
    let job = create(&site, &[("X", "<1>"), RUN]).await;
    site.wait(&job, "COMPLETED").await;
    let whole = Element::of(&site.get(&job).await.expect(200));
    for part in ["parameters", "results"] {
        let document = Element::of(&site.get(&format!("{job}/{part}")).await.expect(200));
        assert_eq!(document.outline(), whole.child(&format!("uws:{part}")).outline());
    }
}

/// 69: JSON is added, never instead.
async fn json_has_the_same(backend: Backend) {
    let site = Site::start(backend).await;
    let job = create(&site, &[("RUNID", "j"), ("X", "1"), ("FAIL", "fatal"), RUN]).await;
    site.wait(&job, "ERROR").await;
    let document = Element::of(&site.get(&job).await.expect(200));
    let text = |name: &str| document.child(&format!("uws:{name}")).text.clone();
    let mut found: Value = site.get_json(&job).await;
    let info = found.as_object_mut().unwrap().remove("jobInfo").unwrap();
    assert_eq!(info["queuePosition"], Value::Null);
    let summary = document.child("uws:errorSummary");
    assert_eq!(
        found,
        json!({
            "jobId": id(&job), "runId": "j", "ownerId": "local", "phase": "ERROR", "quote": null,
            "creationTime": text("creationTime"), "startTime": text("startTime"), "endTime": text("endTime"),
            "executionDuration": 3600, "destruction": text("destruction"),
            "parameters": [
                {"id": "X", "value": "1", "byReference": false},
                {"id": "FAIL", "value": "fatal", "byReference": false},
            ],
            "results": [],
            "errorSummary": {
                "type": "fatal",
                "hasDetail": summary.attribute("hasDetail") == "true",
                "message": summary.child("uws:message").text,
            },
        })
    );
    let list: Value = site.get_json(LIST).await;
    assert_eq!(
        list,
        json!({"jobs": [{
            "id": id(&job), "href": job, "phase": "ERROR", "runId": "j", "ownerId": "local",
            "creationTime": text("creationTime"),
        }]})
    );
    let parameters: Value = site.get_json(&format!("{job}/parameters")).await;
    assert_eq!(parameters, json!({"parameters": found["parameters"]}));
    let results: Value = site.get_json(&format!("{job}/results")).await;
    assert_eq!(results, json!({"results": []}));
}

/// 12: opaque, at most 64 characters.
async fn a_run_id_is_given_back_as_given(backend: Backend) {
    let site = Site::start(backend).await;
    let longest = "é".repeat(64);
    for run_id in ["field 7 / r-band", "<&>\"'", longest.as_str()] {
        let job = create(&site, &[("runid", run_id)]).await;
        let document = Element::of(&site.get(&job).await.expect(200));
        assert_eq!(document.child("uws:runId").text, run_id);
    }
    let refused = site.post(LIST, &[("RUNID", &"x".repeat(65))]).await.expect(400);
    assert!(
        refused.text().starts_with("UsageError: RUNID: "),
        "{}",
        refused.text()
    );
    let job = create(&site, &[("RUNID", "")]).await;
    assert!(
        Element::of(&site.get(&job).await.expect(200))
            .find("uws:runId")
            .is_none()
    );
    // It may be changed while the job is PENDING, as taplint does.
    site.post(&format!("{job}/parameters"), &[("runId", "later")])
        .await
        .expect(303);
    let document = Element::of(&site.get(&job).await.expect(200));
    assert_eq!(document.child("uws:runId").text, "later");
}

/// 13.
async fn controls_do_not_show_among_parameters(backend: Backend) {
    let site = Site::start(backend).await;
    let form = [
        ("X", "1"),
        ("EXECUTIONDURATION", "60"),
        ("DESTRUCTION", "2999"),
        ("runid", "r"),
        LONG,
        ("phase", "run"),
    ];
    let job = create(&site, &form).await;
    let document = Element::of(&site.get(&job).await.expect(200));
    let names: Vec<_> = document
        .child("uws:parameters")
        .children
        .iter()
        .map(|p| p.attribute("id").to_owned())
        .collect();
    assert_eq!(names, ["X", "SLEEP"]);
    assert_eq!(document.child("uws:executionDuration").text, "60");
    site.delete(&job).await.expect(303);
}

async fn text_of_any_kind_stays_well_formed(backend: Backend) {
    let site = Site::start(backend).await;
    for text in [
        "]]>",
        "<a>&amp;</a>",
        "\u{1}\u{8}\u{b}\u{ffff}",
        "a\r\nb\tc",
        "\u{1F52D} 北",
        "'\"",
        "-->",
    ] {
        let job = create(&site, &[("X", text), RUN]).await;
        site.wait(&job, "COMPLETED").await;
        let document = Element::of(&site.get(&job).await.expect(200));
        let shown = &document.child("uws:parameters").child("uws:parameter").text;
        // XML cannot hold every character, and reads all ends of lines as one kind.
        if text.chars().all(|c| c >= ' ' && c != '\u{ffff}') {
            assert_eq!(shown, text);
        }
        let result: Value = site
            .get(&format!("{job}/results/result"))
            .await
            .expect(200)
            .json();
        assert_eq!(result["X"][0], text);
    }
}
