//! The same documents as JSON, for clients that ask for `application/json`: the names of the XML in camelCase, what is
//! absent as `null`. No standard has it yet; nothing in the XML depends on it.

use serde::Serialize;

use super::{
    ErrorSummary, Job, JobId, JobInfo, JobRef, ParameterValue, Parameters, Phase, ResultRef, Timestamp, xml,
};

/// A job.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobDocument<'a> {
    job_id: JobId,
    run_id: Option<&'a str>,
    owner_id: Option<&'a str>,
    phase: Phase,
    quote: Option<Timestamp>,
    creation_time: Timestamp,
    start_time: Option<Timestamp>,
    end_time: Option<Timestamp>,
    execution_duration: u32,
    destruction: Option<Timestamp>,
    parameters: Vec<ParameterEntry<'a>>,
    results: Vec<ResultEntry<'a>>,
    error_summary: Option<ErrorEntry<'a>>,
    job_info: InfoEntry<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ParameterEntry<'a> {
    id: &'a str,
    value: std::borrow::Cow<'a, str>,
    by_reference: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ResultEntry<'a> {
    id: &'a str,
    href: String,
    size: u64,
    mime_type: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorEntry<'a> {
    #[serde(rename = "type")]
    kind: super::ErrorKind,
    has_detail: bool,
    message: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct InfoEntry<'a> {
    progress_done: Option<u64>,
    progress_total: Option<u64>,
    progress_failed: Option<u64>,
    progress_note: Option<&'a str>,
    queue_position: Option<u64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct JobEntry<'a> {
    id: JobId,
    href: String,
    phase: Phase,
    run_id: Option<&'a str>,
    owner_id: Option<&'a str>,
    creation_time: Timestamp,
}

/// A job, reached through the job list at `list_url`.
pub fn job<'a>(job: &'a Job, list_url: &str) -> JobDocument<'a> {
    let url = format!("{list_url}/{}", job.id);
    JobDocument {
        job_id: job.id,
        run_id: job.run_id.as_deref(),
        owner_id: job.owner.as_deref(),
        phase: job.phase,
        quote: job.quote,
        creation_time: job.creation_time,
        start_time: job.start_time,
        end_time: job.end_time,
        execution_duration: job.execution_duration.min(i32::MAX as u32),
        destruction: job.destruction,
        parameters: parameter_entries(&job.parameters, &url),
        results: result_entries(&job.results, &url),
        error_summary: job.error.as_ref().map(error_entry),
        job_info: info_entry(&job.info),
    }
}

/// The list `{"jobs": […]}`; `list_url` is its own URL.
pub fn jobs(jobs: &[JobRef], list_url: &str) -> impl Serialize {
    #[derive(Serialize)]
    struct List<'a> {
        jobs: Vec<JobEntry<'a>>,
    }
    List {
        jobs: jobs
            .iter()
            .map(|job| JobEntry {
                id: job.id,
                href: format!("{list_url}/{}", job.id),
                phase: job.phase,
                run_id: job.run_id.as_deref(),
                owner_id: job.owner.as_deref(),
                creation_time: job.creation_time,
            })
            .collect(),
    }
}

/// The parameters of the job at `job_url`: `{"parameters": […]}`.
pub fn parameters(parameters: &Parameters, job_url: &str) -> impl Serialize {
    #[derive(Serialize)]
    struct List<'a> {
        parameters: Vec<ParameterEntry<'a>>,
    }
    List {
        parameters: parameter_entries(parameters, job_url),
    }
}

/// The results of the job at `job_url`: `{"results": […]}`.
pub fn results(results: &[ResultRef], job_url: &str) -> impl Serialize {
    #[derive(Serialize)]
    struct List<'a> {
        results: Vec<ResultEntry<'a>>,
    }
    List {
        results: result_entries(results, job_url),
    }
}

fn parameter_entries<'a>(parameters: &'a Parameters, job_url: &str) -> Vec<ParameterEntry<'a>> {
    parameters
        .iter()
        .map(|parameter| match &parameter.value {
            ParameterValue::Inline(text) => ParameterEntry {
                id: &parameter.name,
                value: text.into(),
                by_reference: false,
            },
            ParameterValue::Upload { .. } => ParameterEntry {
                id: &parameter.name,
                value: xml::parameter_url(job_url, &parameter.name).into(),
                by_reference: true,
            },
        })
        .collect()
}

fn result_entries<'a>(results: &'a [ResultRef], job_url: &str) -> Vec<ResultEntry<'a>> {
    results
        .iter()
        .map(|result| result_entry(result, job_url))
        .collect()
}

fn result_entry<'a>(result: &'a ResultRef, job_url: &str) -> ResultEntry<'a> {
    ResultEntry {
        id: &result.id,
        href: xml::result_url(job_url, &result.id),
        size: result.size,
        mime_type: &result.mime_type,
    }
}

/// Adds a result of the job at `job_url` to what is written.
pub(super) fn append_result(out: &mut Vec<u8>, result: &ResultRef, job_url: &str) {
    let written = serde_json::to_writer(out, &result_entry(result, job_url));
    xml::in_memory(written.map_err(Into::into));
}

fn error_entry(error: &ErrorSummary) -> ErrorEntry<'_> {
    ErrorEntry {
        kind: error.kind,
        has_detail: error.detail.is_some(),
        message: &error.message,
    }
}

fn info_entry(info: &JobInfo) -> InfoEntry<'_> {
    InfoEntry {
        progress_done: info.progress_done,
        progress_total: info.progress_total,
        progress_failed: info.progress_failed,
        progress_note: info.progress_note.as_deref(),
        queue_position: info.queue_position,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::ErrorKind, *};

    const LIST: &str = "https://example.org/api/echo/async";
    const ID: &str = "0197f3a0-0000-7000-8000-000000000001";

    fn example() -> Job {
        let mut parameters = Parameters::default();
        parameters
            .push("SIZE", ParameterValue::Inline("10".into()))
            .unwrap();
        let upload = ParameterValue::Upload {
            key: "in/0".into(),
            media_type: "text/csv".into(),
            size: 9,
        };
        parameters.push("POSITIONS", upload).unwrap();
        Job {
            id: ID.parse().unwrap(),
            service: "echo".into(),
            run_id: None,
            owner: Some("local".into()),
            phase: Phase::Error,
            quote: None,
            creation_time: "2026-11-21".parse().unwrap(),
            start_time: None,
            end_time: None,
            execution_duration: 60,
            destruction: None,
            parameters,
            results: vec![ResultRef {
                id: "result".into(),
                size: 2,
                mime_type: "application/json".into(),
            }],
            error: Some(ErrorSummary {
                kind: ErrorKind::Fatal,
                message: "no".into(),
                detail: None,
            }),
            info: JobInfo {
                progress_done: Some(1),
                progress_failed: Some(0),
                ..JobInfo::default()
            },
        }
    }

    #[test]
    fn a_job_has_the_names_of_the_xml_and_null_for_what_is_absent() {
        assert_eq!(
            serde_json::to_value(job(&example(), LIST)).unwrap(),
            json!({
                "jobId": ID, "runId": null, "ownerId": "local", "phase": "ERROR", "quote": null,
                "creationTime": "2026-11-21T00:00:00.000Z", "startTime": null, "endTime": null,
                "executionDuration": 60, "destruction": null,
                "parameters": [
                    {"id": "SIZE", "value": "10", "byReference": false},
                    {"id": "POSITIONS", "value": format!("{LIST}/{ID}/parameters/POSITIONS"), "byReference": true},
                ],
                "results": [{
                    "id": "result", "href": format!("{LIST}/{ID}/results/result"), "size": 2,
                    "mimeType": "application/json",
                }],
                "errorSummary": {"type": "fatal", "hasDetail": false, "message": "no"},
                "jobInfo": {
                    "progressDone": 1,
                    "progressTotal": null,
                    "progressFailed": 0,
                    "progressNote": null,
                    "queuePosition": null,
                },
            })
        );
    }

    #[test]
    fn lists_are_objects_with_one_member() {
        let example = example();
        let reference = JobRef {
            id: example.id,
            service: "echo".into(),
            phase: Phase::Queued,
            run_id: Some("r".into()),
            owner: None,
            creation_time: example.creation_time,
        };
        assert_eq!(
            serde_json::to_value(jobs(&[reference], LIST)).unwrap(),
            json!({"jobs": [{
                "id": ID, "href": format!("{LIST}/{ID}"), "phase": "QUEUED", "runId": "r", "ownerId": null,
                "creationTime": "2026-11-21T00:00:00.000Z",
            }]})
        );
        assert_eq!(
            serde_json::to_value(results(&[], LIST)).unwrap(),
            json!({"results": []})
        );
        assert_eq!(
            serde_json::to_value(parameters(&Parameters::default(), LIST)).unwrap(),
            json!({"parameters": []})
        );
    }
}
