//! What a client may do to a job: start, abort, change its limits and its description (requirements 14 to 22, 32 to 46).

use serde_json::Value;
use sidereal::uws::Timestamp;

use super::xml::Element;
use super::{ABORT, LIST, LONG, RUN, create, create_in, days_ahead, json, phase};
use crate::harness::{Backend, Site, on_both_back_ends};

on_both_back_ends!(
    run_and_abort_are_legal_where_the_standard_says,
    a_phase_is_run_or_abort_in_any_case,
    a_job_cannot_be_created_in_another_phase,
    what_is_required_is_asked_for_at_run,
    execution_durations,
    what_has_ended_takes_no_other_duration,
    destructions,
    destructions_are_capped,
    limits_can_be_given_at_creation,
    limits_can_be_changed_while_it_runs,
    a_job_over_its_duration_is_aborted,
    a_job_goes_at_its_destruction_time,
    parameters_change_while_pending_only,
    parameters_that_change_at_once_are_all_kept,
    parameters_and_label_change_together_or_not_at_all,
    what_belongs_elsewhere_is_not_taken_with_parameters,
    a_result_may_be_fetched_after_an_abort,
);

/// 14, 15, 19: from each phase; where it is illegal, 403 and nothing moves.
async fn run_and_abort_are_legal_where_the_standard_says(backend: Backend) {
    let site = Site::start_with(backend, &[("SIDEREAL_WORKERS", "1")]).await;
    for (from, action, status) in [
        ("PENDING", ABORT, 303),
        ("COMPLETED", RUN, 403),
        ("COMPLETED", ABORT, 403),
        ("ERROR", RUN, 403),
        ("ERROR", ABORT, 403),
        ("ABORTED", RUN, 403),
        ("ABORTED", ABORT, 303),
        ("EXECUTING", RUN, 403),
        ("EXECUTING", ABORT, 303),
    ] {
        let job = create_in(&site, from).await;
        let before = json(&site, &job).await;
        let reply = site.post(&format!("{job}/phase"), &[action]).await.expect(status);
        if status == 403 {
            assert!(reply.text().contains(from), "{}", reply.text());
            let after = json(&site, &job).await;
            assert_eq!(
                (&after["phase"], &after["endTime"]),
                (&before["phase"], &before["endTime"])
            );
        } else {
            assert_eq!(phase(&site, &job).await, "ABORTED");
        }
        site.delete(&job).await.expect(303);
    }
    // QUEUED: behind a job that has the only slot.
    let first = create_in(&site, "EXECUTING").await;
    let queued = create(&site, &[RUN]).await;
    site.post(&format!("{queued}/phase"), &[RUN]).await.expect(403);
    site.post(&format!("{queued}/phase"), &[ABORT]).await.expect(303);
    assert_eq!(phase(&site, &queued).await, "ABORTED");
    site.delete(&first).await.expect(303);
}

/// 71.
async fn a_phase_is_run_or_abort_in_any_case(backend: Backend) {
    let site = Site::start(backend).await;
    let job = create(&site, &[LONG]).await;
    let url = format!("{job}/phase");
    for form in [
        &[("PHASE", "NONSENSE")] as &[(&str, &str)],
        &[("PHASE", "")],
        &[("PHASE", "COMPLETED")],
        &[("PHASE", "PENDING")],
        &[],
        &[("STATE", "RUN")],
        &[RUN, RUN],
        &[RUN, ABORT],
    ] {
        let refused = site.post(&url, form).await.expect(400);
        assert!(refused.text().contains("PHASE"), "{}", refused.text());
        assert_eq!(phase(&site, &job).await, "PENDING");
    }
    site.post(&url, &[("phase", "run")]).await.expect(303);
    site.wait(&job, "EXECUTING").await;
    site.post(&format!("{url}?Phase=Abort"), &[]).await.expect(303);
    assert_eq!(phase(&site, &job).await, "ABORTED");
}

async fn a_job_cannot_be_created_in_another_phase(backend: Backend) {
    let site = Site::start(backend).await;
    for phase in ["ABORT", "COMPLETED", "QUEUED", "NONSENSE", ""] {
        let refused = site.post(LIST, &[("PHASE", phase)]).await.expect(400);
        assert!(
            refused.text().starts_with("UsageError: PHASE: "),
            "{}",
            refused.text()
        );
    }
    let list: Value = site.get_json(LIST).await;
    assert_eq!(list["jobs"].as_array().unwrap().len(), 0);
}

/// A job may be made empty and filled; what is wrong with a value is said at once.
async fn what_is_required_is_asked_for_at_run(backend: Backend) {
    const LIST: &str = "/api/cutout/async";
    let site = Site::start(backend).await;
    let job = site.post(LIST, &[]).await.expect(303).location().to_owned();
    let refused = site.post(&format!("{job}/phase"), &[RUN]).await.expect(400);
    assert!(refused.text().starts_with("UsageError: "), "{}", refused.text());
    assert_eq!(phase(&site, &job).await, "PENDING");
    // With PHASE=RUN in the same request there is no job.
    site.post(LIST, &[RUN]).await.expect(400);
    let refused = site.post(LIST, &[("NONSENSE", "1")]).await.expect(400);
    assert!(refused.text().contains("NONSENSE"), "{}", refused.text());
    site.post(&format!("{job}/parameters"), &[("EDGE", "sharp")])
        .await
        .expect(400);
    let list: Value = site.get_json(LIST).await;
    assert_eq!(list["jobs"].as_array().unwrap().len(), 1);
}

/// 4, 45, 46.
async fn execution_durations(backend: Backend) {
    let site = Site::start(backend).await;
    let job = create(&site, &[]).await;
    let url = format!("{job}/executionduration");
    for (sent, expected) in [
        ("77", "77"),
        ("78.0", "78"),
        (" 79 ", "79"),
        // Unlimited is more than there is.
        ("0", "86400"),
        ("86400", "86400"),
        ("86401", "86400"),
        ("2147483648", "86400"),
        ("99999999999999999999", "86400"),
        ("80", "80"),
    ] {
        site.post(&url, &[("EXECUTIONDURATION", sent)]).await.expect(303);
        assert_eq!(site.get(&url).await.expect(200).text(), expected, "{sent}");
        let document = Element::of(&site.get(&job).await.expect(200));
        assert_eq!(document.child("uws:executionDuration").text, expected);
    }
    for sent in ["-5", "-0.5", "an hour", "", "NaN", "inf", "1e999", "0x10", "1,5"] {
        let refused = site.post(&url, &[("executionDuration", sent)]).await.expect(400);
        assert!(
            refused.text().starts_with("UsageError: EXECUTIONDURATION: "),
            "{sent}: {}",
            refused.text()
        );
    }
    site.post(&url, &[]).await.expect(400);
    let twice = [("EXECUTIONDURATION", "1"), ("executionduration", "1")];
    let refused = site.post(&url, &twice).await.expect(400);
    assert!(
        refused
            .text()
            .starts_with("MultiValuedParamNotSupported: EXECUTIONDURATION"),
        "{}",
        refused.text()
    );
    assert_eq!(site.get(&url).await.expect(200).text(), "80");
}

/// 19, 34: too late.
async fn what_has_ended_takes_no_other_duration(backend: Backend) {
    let site = Site::start(backend).await;
    for from in ["COMPLETED", "ERROR", "ABORTED"] {
        let job = create_in(&site, from).await;
        let url = format!("{job}/executionduration");
        let before = json(&site, &job).await;
        let refused = site.post(&url, &[("EXECUTIONDURATION", "77")]).await.expect(403);
        assert!(refused.text().contains(from), "{}", refused.text());
        assert_eq!(json(&site, &job).await, before);
        // What is wrong with the value is said first.
        site.post(&url, &[("EXECUTIONDURATION", "-1")]).await.expect(400);
    }
}

/// 44, 46: what clients send, and what they are refused.
async fn destructions(backend: Backend) {
    let site = Site::start(backend).await;
    let job = create(&site, &[]).await;
    let url = format!("{job}/destruction");
    let day = &days_ahead(100);
    let digits = day.replace('-', "");
    for (sent, expected) in [
        (format!("{day}T09:15:35Z"), "T09:15:35.000Z"),
        (format!("{day}T09:15:36"), "T09:15:36.000Z"),
        (format!("{day}T09:15:37.5Z"), "T09:15:37.500Z"),
        (format!("{day}T09:15:38.123456Z"), "T09:15:38.123Z"),
        (format!("{day}T09:15:39.123456789"), "T09:15:39.123Z"),
        (format!("{day} 09:15:40"), "T09:15:40.000Z"),
        (format!("{day}T09:15"), "T09:15:00.000Z"),
        (day.clone(), "T00:00:00.000Z"),
        (format!("{day}T23:59:59.999"), "T23:59:59.999Z"),
        (digits, "T00:00:00.000Z"),
    ] {
        let expected = format!("{day}{expected}");
        site.post(&url, &[("DESTRUCTION", &sent)]).await.expect(303);
        assert_eq!(site.get(&url).await.expect(200).text(), expected, "{sent}");
        assert_eq!(json(&site, &job).await["destruction"], expected);
    }
    let last = site.get(&url).await.text();
    for sent in [
        "2999-10-26T09:15:35+01:00",
        "2999-10-26T09:15:35-0100",
        "2999-26-10",
        "2999-02-29",
        "2999-10-26T25:00:00",
        "tomorrow",
        "",
        "32503680000",
        // In the past.
        "2015-10-26T09:15:35Z",
        "-2999-10-26",
        "99999-10-26",
    ] {
        let refused = site.post(&url, &[("DESTRUCTION", sent)]).await.expect(400);
        assert!(
            refused.text().starts_with("UsageError: DESTRUCTION: "),
            "{sent}: {}",
            refused.text()
        );
    }
    site.post(&url, &[("destruction", "2999"), ("DESTRUCTION", "2999")])
        .await
        .expect(400);
    assert_eq!(site.get(&url).await.expect(200).text(), last);
}

/// 46: what is later than ten years from now is that; one that is longer than the database can count, too.
async fn destructions_are_capped(backend: Backend) {
    let site = Site::start(backend).await;
    let ten_years_ahead = || Timestamp::of_this_host().millis() + 3_650 * 86_400_000;
    let job = create(&site, &[]).await;
    for sent in [
        "2999-10-26T09:15:35Z",
        "2996-02-29",
        "2999",
        "9999-12-31T23:59:59.999Z",
    ] {
        let earliest = ten_years_ahead();
        let made = create(&site, &[("DESTRUCTION", sent)]).await;
        site.post(&format!("{job}/destruction"), &[("DESTRUCTION", sent)])
            .await
            .expect(303);
        for job in [&job, &made] {
            let shown = site.get(&format!("{job}/destruction")).await.expect(200).text();
            let granted = shown.parse::<Timestamp>().unwrap().millis();
            assert!(
                (earliest..=ten_years_ahead()).contains(&granted),
                "{sent}: {shown}"
            );
        }
    }
}

async fn limits_can_be_given_at_creation(backend: Backend) {
    let site = Site::start(backend).await;
    let day = days_ahead(100);
    let form = [("executionduration", "99999999"), ("Destruction", day.as_str())];
    let job = create(&site, &form).await;
    let document = json(&site, &job).await;
    assert_eq!(document["executionDuration"], 86_400);
    assert_eq!(document["destruction"], format!("{day}T00:00:00.000Z"));
    site.post(LIST, &[("EXECUTIONDURATION", "-1")]).await.expect(400);
    site.post(LIST, &[("DESTRUCTION", "2015-01-01")])
        .await
        .expect(400);
    let list: Value = site.get_json(LIST).await;
    assert_eq!(list["jobs"].as_array().unwrap().len(), 1);
}

async fn limits_can_be_changed_while_it_runs(backend: Backend) {
    let site = Site::start(backend).await;
    let job = create_in(&site, "EXECUTING").await;
    let day = days_ahead(100);
    site.post(&format!("{job}/destruction"), &[("DESTRUCTION", &day)])
        .await
        .expect(303);
    // One that has passed already ends it.
    site.post(&format!("{job}/executionduration"), &[("EXECUTIONDURATION", "1")])
        .await
        .expect(303);
    site.wait(&job, "ABORTED").await;
    let document = json(&site, &job).await;
    assert_eq!(document["destruction"], format!("{day}T00:00:00.000Z"));
    assert_eq!(document["executionDuration"], 1);
}

/// 16.
async fn a_job_over_its_duration_is_aborted(backend: Backend) {
    let site = Site::start(backend).await;
    let job = create(&site, &[LONG, ("EXECUTIONDURATION", "1"), RUN]).await;
    site.wait(&job, "ABORTED").await;
    let document = Element::of(&site.get(&job).await.expect(200));
    assert!(!document.child("uws:startTime").is_nil() && !document.child("uws:endTime").is_nil());
    let message = &document.child("uws:errorSummary").child("uws:message").text;
    assert!(message.contains("duration"), "{message}");
}

/// 22: its UWS URL is 404; others can know when it went.
async fn a_job_goes_at_its_destruction_time(backend: Backend) {
    let site = Site::start(backend).await;
    let job = create(&site, &[RUN]).await;
    site.wait(&job, "COMPLETED").await;
    let running = create_in(&site, "EXECUTING").await;
    let waiting = [create(&site, &[]).await, running.clone(), job.clone()];
    let soon = Timestamp::from_millis(Timestamp::of_this_host().millis() + 2_000)
        .unwrap()
        .to_string();
    for job in &waiting {
        site.post(&format!("{job}/destruction"), &[("DESTRUCTION", &soon)])
            .await
            .expect(303);
    }
    for job in &waiting {
        // WAIT ends with the job.
        while site.get(&format!("{job}?WAIT=50")).await.status != 404 {}
        site.get(&format!("{job}/results/result")).await.expect(404);
    }
    site.until_objects(<[_]>::is_empty).await;
}

/// 40.
async fn parameters_change_while_pending_only(backend: Backend) {
    let site = Site::start(backend).await;
    let job = create(&site, &[("A", "1"), ("B", "2"), ("B", "3"), ("C", "4")]).await;
    let url = format!("{job}/parameters");
    // A name that is given replaces every value that it had.
    let form = [("b", "5"), ("D", "6"), ("d", "7"), LONG];
    assert_eq!(site.post(&url, &form).await.expect(303).location(), job);
    let shown = |document: Value| -> Vec<(String, String)> {
        let list = document["parameters"].as_array().unwrap().clone();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        list.iter()
            .map(|parameter| (text(&parameter["id"]), text(&parameter["value"])))
            .collect()
    };
    let mut expected: Vec<(String, String)> =
        [("A", "1"), ("C", "4"), ("B", "5"), ("D", "6"), ("D", "7"), LONG]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
    let mut found = shown(json(&site, &job).await);
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    assert_eq!(site.get(&format!("{url}/A")).await.expect(200).text(), "1");
    assert_eq!(site.get(&format!("{url}/a")).await.expect(200).text(), "1");

    site.post(&format!("{job}/phase"), &[RUN]).await.expect(303);
    for phase in ["EXECUTING", "ABORTED"] {
        site.wait(&job, phase).await;
        let refused = site.post(&url, &[("A", "9")]).await.expect(403);
        assert!(refused.text().contains(phase), "{}", refused.text());
        site.post(&format!("{job}/phase"), &[ABORT]).await.expect(303);
    }
    assert_eq!(site.get(&format!("{url}/A")).await.expect(200).text(), "1");
}

/// 40: each request is answered for, so none may undo another.
async fn parameters_that_change_at_once_are_all_kept(backend: Backend) {
    let site = Site::start(backend).await;
    let job = create(&site, &[]).await;
    let url = format!("{job}/parameters");
    let names = ["A", "B", "C", "D", "E", "F"];
    let forms = names.map(|name| [(name, "1")]);
    let posts = forms.iter().map(|form| site.post(&url, form));
    for reply in futures::future::join_all(posts).await {
        reply.expect(303);
    }
    for name in names {
        assert_eq!(site.get(&format!("{url}/{name}")).await.expect(200).text(), "1");
    }
}

/// 12, 40.
async fn parameters_and_label_change_together_or_not_at_all(backend: Backend) {
    let site = Site::start(backend).await;
    let job = create(&site, &[("A", "1"), ("RUNID", "first")]).await;
    let url = format!("{job}/parameters");
    let long = "x".repeat(65);
    for form in [
        [("A", "2"), ("RUNID", long.as_str())],
        [("A", "2"), ("RUNID", "a\u{7}b")],
        [("SLEEP", "long"), ("RUNID", "second")],
    ] {
        site.post(&url, &form).await.expect(400);
        let document = json(&site, &job).await;
        assert_eq!(document["runId"], "first");
        assert_eq!(document["parameters"].as_array().unwrap().len(), 1);
        assert_eq!(document["parameters"][0]["value"], "1");
    }
    for (run_id, shown) in [("second", Value::from("second")), ("", Value::Null)] {
        site.post(&url, &[("A", "3"), ("runId", run_id)])
            .await
            .expect(303);
        let document = json(&site, &job).await;
        assert_eq!(document["runId"], shown);
        assert_eq!(document["parameters"][0]["value"], "3");
    }
}

/// 13: what would have no effect is not let pass as if it had.
async fn what_belongs_elsewhere_is_not_taken_with_parameters(backend: Backend) {
    let site = Site::start(backend).await;
    let job = create(&site, &[("A", "1")]).await;
    let url = format!("{job}/parameters");
    for (name, value, place) in [
        ("PHASE", "RUN", "phase"),
        ("executionDuration", "5", "executionduration"),
        ("DESTRUCTION", "2999", "destruction"),
        ("ACTION", "DELETE", "the job itself"),
        ("WAIT", "5", "GET"),
        ("AFTER", "2015", "GET"),
        ("LAST", "5", "GET"),
    ] {
        let refused = site.post(&url, &[("A", "2"), (name, value)]).await.expect(400);
        let (text, named) = (refused.text(), name.to_ascii_uppercase());
        assert!(
            text.starts_with(&format!("UsageError: {named}: ")) && text.contains(place),
            "{text}"
        );
        assert_eq!(site.get(&format!("{url}/A")).await.expect(200).text(), "1");
    }
    let refused = site.post(&format!("{url}?PHASE=RUN"), &[("WAIT", "5")]).await;
    let text = refused.expect(400).text();
    assert!(text.contains("PHASE: ") && text.contains("WAIT: "), "{text}");
    assert_eq!(phase(&site, &job).await, "PENDING");
}

/// 20: whatever was there stays.
async fn a_result_may_be_fetched_after_an_abort(backend: Backend) {
    let site = Site::start(backend).await;
    let job = create_in(&site, "EXECUTING").await;
    site.post(&format!("{job}/phase"), &[ABORT]).await.expect(303);
    let document = Element::of(&site.get(&job).await.expect(200));
    for result in &document.child("uws:results").children {
        site.get(result.attribute("xlink:href")).await.expect(200);
    }
    site.get(&format!("{job}/results")).await.expect(200);
}
