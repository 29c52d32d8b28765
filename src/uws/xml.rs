//! The XML documents of UWS 1.1 (appendix A): `uws:job`, `uws:jobs`, `uws:parameters`, `uws:results`.
//!
//! URLs are built from the absolute URL of a job list (`…/async`) or of a job, which the caller gives without a
//! trailing slash. Characters that XML 1.0 cannot hold are written as U+FFFD.

use std::{borrow::Cow, io};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use quick_xml::{
    Writer,
    escape::partial_escape,
    events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event},
};

use super::{
    ErrorSummary, Job, JobInfo, JobRef, Parameter, ParameterValue, Parameters, ResultRef, Timestamp,
};

/// Namespace of UWS; it stays v1.0 for UWS 1.1.
pub const NAMESPACE: &str = "http://www.ivoa.net/xml/UWS/v1.0";
/// Namespace of what Sidereal adds to `jobInfo`.
pub const OWN_NAMESPACE: &str = "urn:sidereal";

const XLINK: &str = "http://www.w3.org/1999/xlink";
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// What may stand unescaped in a path segment (RFC 3986 `pchar`, without what some clients take amiss).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'+');

type Xml = Writer<Vec<u8>>;

/// A name as the segment of a URL's path.
pub fn segment(name: &str) -> Cow<'_, str> {
    utf8_percent_encode(name, SEGMENT).into()
}

/// The `uws:job` document. `list_url` is the URL of the job list that the job is reached through.
pub fn job(job: &Job, list_url: &str) -> Vec<u8> {
    let url = format!("{list_url}/{}", job.id);
    document(2_048, |xml| {
        let root = root("uws:job")
            .with_attributes([("xmlns:xsi", XSI), ("version", "1.1")])
            .with_attributes((!is_empty(&job.info)).then_some(("xmlns:sidereal", OWN_NAMESPACE)));
        xml.write_event(Event::Start(root))?;
        element(xml, "uws:jobId", &job.id.to_string())?;
        if let Some(run_id) = &job.run_id {
            element(xml, "uws:runId", run_id)?;
        }
        nillable(xml, "uws:ownerId", job.owner.as_deref())?;
        element(xml, "uws:phase", job.phase.as_str())?;
        nillable_time(xml, "uws:quote", job.quote)?;
        element(xml, "uws:creationTime", &job.creation_time.to_string())?;
        nillable_time(xml, "uws:startTime", job.start_time)?;
        nillable_time(xml, "uws:endTime", job.end_time)?;
        // xs:int, although nothing negative is ever meant.
        let duration = job.execution_duration.min(i32::MAX as u32);
        element(xml, "uws:executionDuration", &duration.to_string())?;
        nillable_time(xml, "uws:destruction", job.destruction)?;
        write_parameters(xml, BytesStart::new("uws:parameters"), &job.parameters, &url)?;
        write_results(xml, BytesStart::new("uws:results"), &job.results, &url)?;
        if let Some(error) = &job.error {
            write_error(xml, error)?;
        }
        write_info(xml, &job.info)?;
        end(xml, "uws:job")
    })
}

/// The `uws:parameters` document of the job at `job_url`.
pub fn parameters(parameters: &Parameters, job_url: &str) -> Vec<u8> {
    document(1_024, |xml| {
        write_parameters(xml, root("uws:parameters"), parameters, job_url)
    })
}

/// The `uws:results` document of the job at `job_url`.
pub fn results(results: &[ResultRef], job_url: &str) -> Vec<u8> {
    document(1_024, |xml| {
        write_results(xml, root("uws:results"), results, job_url)
    })
}

/// The `uws:jobs` document, written piece by piece since a list may be long.
pub struct JobList {
    xml: Xml,
    list_url: String,
}

impl JobList {
    /// An empty list; `list_url` is its own URL.
    pub fn new(list_url: &str) -> Self {
        let mut xml = Writer::new(Vec::with_capacity(4_096));
        in_memory(declare(&mut xml));
        let root = root("uws:jobs").with_attributes([("xmlns:xsi", XSI), ("version", "1.1")]);
        in_memory(xml.write_event(Event::Start(root)));
        JobList {
            xml,
            list_url: list_url.to_owned(),
        }
    }

    /// Adds a `uws:jobref`.
    pub fn push(&mut self, job: &JobRef) {
        in_memory(write_job_ref(&mut self.xml, job, &self.list_url));
    }

    /// What has been written since the last call.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.xml.get_mut())
    }

    /// The end of the document, after what has not been taken yet.
    pub fn finish(mut self) -> Vec<u8> {
        in_memory(end(&mut self.xml, "uws:jobs"));
        self.xml.into_inner()
    }
}

/// The whole `uws:jobs` document.
pub fn jobs(jobs: &[JobRef], list_url: &str) -> Vec<u8> {
    let mut list = JobList::new(list_url);
    for job in jobs {
        list.push(job);
    }
    list.finish()
}

fn write_job_ref(xml: &mut Xml, job: &JobRef, list_url: &str) -> io::Result<()> {
    let id = job.id.to_string();
    let reference = BytesStart::new("uws:jobref").with_attributes([
        ("id", id.as_str()),
        ("xlink:type", "simple"),
        ("xlink:href", &format!("{list_url}/{id}")),
    ]);
    xml.write_event(Event::Start(reference))?;
    element(xml, "uws:phase", job.phase.as_str())?;
    if let Some(run_id) = &job.run_id {
        element(xml, "uws:runId", run_id)?;
    }
    nillable(xml, "uws:ownerId", job.owner.as_deref())?;
    element(xml, "uws:creationTime", &job.creation_time.to_string())?;
    end(xml, "uws:jobref")
}

fn write_parameters(
    xml: &mut Xml,
    start: BytesStart<'_>,
    parameters: &Parameters,
    job_url: &str,
) -> io::Result<()> {
    if parameters.is_empty() {
        return xml.write_event(Event::Empty(start));
    }
    xml.write_event(Event::Start(start))?;
    for Parameter { name, value } in parameters.iter() {
        let start = BytesStart::new("uws:parameter").with_attributes([("id", &*legal(name))]);
        match value {
            ParameterValue::Inline(text) => {
                xml.write_event(Event::Start(start))?;
                write_text(xml, text)?;
            }
            ParameterValue::Upload { .. } => {
                xml.write_event(Event::Start(start.with_attributes([("byReference", "true")])))?;
                write_text(xml, &parameter_url(job_url, name))?;
            }
        }
        end(xml, "uws:parameter")?;
    }
    end(xml, "uws:parameters")
}

/// Where the value of the parameter `name` is served.
pub fn parameter_url(job_url: &str, name: &str) -> String {
    format!("{job_url}/parameters/{}", segment(name))
}

/// Where the result `name` is served.
pub fn result_url(job_url: &str, name: &str) -> String {
    format!("{job_url}/results/{}", segment(name))
}

fn write_results(
    xml: &mut Xml,
    start: BytesStart<'_>,
    results: &[ResultRef],
    job_url: &str,
) -> io::Result<()> {
    if results.is_empty() {
        return xml.write_event(Event::Empty(start));
    }
    xml.write_event(Event::Start(start))?;
    for result in results {
        write_result(xml, result, job_url)?;
    }
    end(xml, "uws:results")
}

fn write_result<W: io::Write>(xml: &mut Writer<W>, result: &ResultRef, job_url: &str) -> io::Result<()> {
    let reference = BytesStart::new("uws:result").with_attributes([
        ("id", &*legal(&result.id)),
        ("xlink:type", "simple"),
        ("xlink:href", &result_url(job_url, &result.id)),
        ("size", &result.size.min(i64::MAX as u64).to_string()),
        ("mime-type", &*legal(&result.mime_type)),
    ]);
    xml.write_event(Event::Empty(reference))
}

/// Adds a `uws:result` of the job at `job_url` to what is written.
pub(super) fn append_result(out: &mut Vec<u8>, result: &ResultRef, job_url: &str) {
    in_memory(write_result(&mut Writer::new(out), result, job_url));
}

fn write_error(xml: &mut Xml, error: &ErrorSummary) -> io::Result<()> {
    let detail = if error.detail.is_some() { "true" } else { "false" };
    let summary = BytesStart::new("uws:errorSummary")
        .with_attributes([("type", error.kind.as_str()), ("hasDetail", detail)]);
    xml.write_event(Event::Start(summary))?;
    element(xml, "uws:message", &error.message)?;
    end(xml, "uws:errorSummary")
}

fn is_empty(info: &JobInfo) -> bool {
    *info == JobInfo::default()
}

fn write_info(xml: &mut Xml, info: &JobInfo) -> io::Result<()> {
    if is_empty(info) {
        return Ok(());
    }
    xml.write_event(Event::Start(BytesStart::new("uws:jobInfo")))?;
    let numbers = [
        ("sidereal:progressDone", info.progress_done),
        ("sidereal:progressTotal", info.progress_total),
        ("sidereal:progressFailed", info.progress_failed),
        ("sidereal:queuePosition", info.queue_position),
    ];
    for (name, number) in numbers {
        if let Some(number) = number {
            element(xml, name, &number.to_string())?;
        }
    }
    if let Some(note) = &info.progress_note {
        element(xml, "sidereal:progressNote", note)?;
    }
    end(xml, "uws:jobInfo")
}

fn root(name: &str) -> BytesStart<'_> {
    BytesStart::new(name).with_attributes([("xmlns:uws", NAMESPACE), ("xmlns:xlink", XLINK)])
}

/// Writes a document into memory.
pub(super) fn document(capacity: usize, write: impl FnOnce(&mut Xml) -> io::Result<()>) -> Vec<u8> {
    let mut xml = Writer::new(Vec::with_capacity(capacity));
    in_memory(declare(&mut xml));
    in_memory(write(&mut xml));
    xml.into_inner()
}

pub(super) fn in_memory(written: io::Result<()>) {
    written.expect("writing to memory does not fail");
}

/// Begins a document.
pub(super) fn declare(xml: &mut Xml) -> io::Result<()> {
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))
}

/// `<name>text</name>`.
pub(super) fn element(xml: &mut Xml, name: &str, text: &str) -> io::Result<()> {
    xml.write_event(Event::Start(BytesStart::new(name)))?;
    write_text(xml, text)?;
    end(xml, name)
}

pub(super) fn write_text(xml: &mut Xml, text: &str) -> io::Result<()> {
    xml.write_event(Event::Text(BytesText::from_escaped(partial_escape(legal(text)))))
}

pub(super) fn end(xml: &mut Xml, name: &str) -> io::Result<()> {
    xml.write_event(Event::End(BytesEnd::new(name)))
}

fn nillable(xml: &mut Xml, name: &str, text: Option<&str>) -> io::Result<()> {
    if let Some(text) = text {
        element(xml, name, text)
    } else {
        let nil = BytesStart::new(name).with_attributes([("xsi:nil", "true")]);
        xml.write_event(Event::Empty(nil))
    }
}

fn nillable_time(xml: &mut Xml, name: &str, time: Option<Timestamp>) -> io::Result<()> {
    nillable(xml, name, time.map(|time| time.to_string()).as_deref())
}

/// The text with every character that XML 1.0 cannot hold (section 2.2, `Char`) replaced.
pub(super) fn legal(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_legal) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(
            text.chars()
                .map(|c| if is_legal(c) { c } else { '\u{FFFD}' })
                .collect(),
        )
    }
}

fn is_legal(c: char) -> bool {
    !matches!(c, '\0'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}')
}

#[cfg(test)]
pub(super) mod tests {
    use super::{
        super::{ErrorKind, JobId, Phase},
        *,
    };

    const LIST: &str = "https://example.org/base/api/echo/async";

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn bare() -> Job {
        Job {
            id: "0197f3a0-0000-7000-8000-000000000001".parse::<JobId>().unwrap(),
            service: "echo".into(),
            run_id: None,
            owner: None,
            phase: Phase::Pending,
            quote: None,
            creation_time: time("2026-11-21T10:00:00.5Z"),
            start_time: None,
            end_time: None,
            execution_duration: 3_600,
            destruction: None,
            parameters: Parameters::default(),
            results: Vec::new(),
            error: None,
            info: JobInfo::default(),
        }
    }

    pub(in crate::uws) fn full() -> Job {
        let mut parameters = Parameters::default();
        parameters
            .push("SIZE", ParameterValue::Inline("1 < 2 & 3".into()))
            .unwrap();
        let upload = ParameterValue::Upload {
            key: "in/0".into(),
            media_type: "text/csv".into(),
            size: 5_000,
        };
        parameters.push("POSITIONS", upload).unwrap();
        Job {
            run_id: Some("<run> \u{0} \"1\"\r\n".into()),
            owner: Some("local".into()),
            phase: Phase::Error,
            quote: Some(time("2026-11-21T11:00:00Z")),
            start_time: Some(time("2026-11-21T10:00:01Z")),
            end_time: Some(time("2026-11-21T10:00:02Z")),
            execution_duration: u32::MAX,
            destruction: Some(time("2026-12-21T10:00:00Z")),
            parameters,
            results: vec![ResultRef {
                id: "a b/c.fits".into(),
                size: 2_880,
                mime_type: "image/fits".into(),
            }],
            error: Some(ErrorSummary {
                kind: ErrorKind::Transient,
                message: "a\u{B}b".into(),
                detail: Some("more".into()),
            }),
            info: JobInfo {
                progress_done: Some(1),
                progress_total: Some(2),
                progress_failed: Some(1),
                progress_note: Some("tile 1 of 2".into()),
                queue_position: None,
            },
            ..bare()
        }
    }

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    /// Names of elements in document order, with `!` after those that are nil.
    fn elements(document: &str) -> Vec<String> {
        let mut reader = quick_xml::Reader::from_str(document);
        let mut names = Vec::new();
        loop {
            match reader.read_event().unwrap() {
                Event::Start(e) | Event::Empty(e) => {
                    let nil = e.try_get_attribute("xsi:nil").unwrap().is_some();
                    names.push(format!("{}{}", e.name().as_ref(), if nil { "!" } else { "" }));
                }
                Event::Eof => return names,
                _ => {}
            }
        }
    }

    #[test]
    fn a_bare_job_has_every_required_element_in_the_order_of_the_schema() {
        let document = text(job(&bare(), LIST));
        assert_eq!(
            elements(&document),
            [
                "uws:job",
                "uws:jobId",
                "uws:ownerId!",
                "uws:phase",
                "uws:quote!",
                "uws:creationTime",
                "uws:startTime!",
                "uws:endTime!",
                "uws:executionDuration",
                "uws:destruction!",
                "uws:parameters",
                "uws:results",
            ]
        );
        assert!(document.contains(r#"xmlns:uws="http://www.ivoa.net/xml/UWS/v1.0""#));
        assert!(document.contains(r#"version="1.1""#));
        assert!(document.contains("<uws:creationTime>2026-11-21T10:00:00.500Z</uws:creationTime>"));
        assert!(document.contains("<uws:jobId>0197f3a0-0000-7000-8000-000000000001</uws:jobId>"));
    }

    #[test]
    fn a_full_job_has_all_elements_in_the_order_of_the_schema() {
        let document = text(job(&full(), LIST));
        assert_eq!(
            elements(&document),
            [
                "uws:job",
                "uws:jobId",
                "uws:runId",
                "uws:ownerId",
                "uws:phase",
                "uws:quote",
                "uws:creationTime",
                "uws:startTime",
                "uws:endTime",
                "uws:executionDuration",
                "uws:destruction",
                "uws:parameters",
                "uws:parameter",
                "uws:parameter",
                "uws:results",
                "uws:result",
                "uws:errorSummary",
                "uws:message",
                "uws:jobInfo",
                "sidereal:progressDone",
                "sidereal:progressTotal",
                "sidereal:progressFailed",
                "sidereal:progressNote",
            ]
        );
        let url = format!("{LIST}/0197f3a0-0000-7000-8000-000000000001");
        assert!(document.contains("<uws:executionDuration>2147483647</uws:executionDuration>"));
        assert!(document.contains(r#"<uws:parameter id="SIZE">1 &lt; 2 &amp; 3</uws:parameter>"#));
        assert!(document.contains(&format!(
            r#"<uws:parameter id="POSITIONS" byReference="true">{url}/parameters/POSITIONS</uws:parameter>"#
        )));
        assert!(document.contains(&format!(
            r#"<uws:result id="a b/c.fits" xlink:type="simple" xlink:href="{url}/results/a%20b%2Fc.fits" size="2880" mime-type="image/fits"/>"#
        )));
        assert!(document.contains(r#"<uws:errorSummary type="transient" hasDetail="true">"#));
        assert!(document.contains(r#"xmlns:sidereal="urn:sidereal""#));
    }

    #[test]
    fn what_xml_cannot_hold_is_replaced_and_the_rest_comes_back_as_given() {
        let document = text(job(&full(), LIST));
        assert!(document.contains("<uws:runId>&lt;run&gt; \u{FFFD} \"1\"&#13;\n</uws:runId>"));
        assert!(document.contains("<uws:message>a\u{FFFD}b</uws:message>"));
        assert_eq!(legal("tab\tand \u{10FFFF}"), "tab\tand \u{10FFFF}");
    }

    #[test]
    fn an_error_without_more_to_say_has_no_detail() {
        let mut failed = full();
        failed.error = Some(ErrorSummary {
            kind: ErrorKind::Fatal,
            message: "no".into(),
            detail: None,
        });
        assert!(text(job(&failed, LIST)).contains(r#"<uws:errorSummary type="fatal" hasDetail="false">"#));
    }

    #[test]
    fn parameters_and_results_are_roots_without_a_version() {
        let url = format!("{LIST}/1");
        for document in [
            text(parameters(&Parameters::default(), &url)),
            text(parameters(&full().parameters, &url)),
            text(results(&[], &url)),
            text(results(&full().results, &url)),
        ] {
            assert!(
                document.contains(r#"xmlns:uws="http://www.ivoa.net/xml/UWS/v1.0""#),
                "{document}"
            );
            assert!(!document.contains(r#" version="1.1""#), "{document}");
        }
        assert_eq!(elements(&text(results(&[], &url))), ["uws:results"]);
        assert_eq!(
            elements(&text(parameters(&full().parameters, &url))),
            ["uws:parameters", "uws:parameter", "uws:parameter"]
        );
    }

    #[test]
    fn the_list_gives_all_that_a_job_reference_may_have() {
        let job = full();
        let mut reference = JobRef {
            id: job.id,
            service: job.service,
            phase: job.phase,
            run_id: Some("r".into()),
            owner: job.owner,
            creation_time: job.creation_time,
        };
        let document = text(jobs(std::slice::from_ref(&reference), LIST));
        assert_eq!(
            elements(&document),
            [
                "uws:jobs",
                "uws:jobref",
                "uws:phase",
                "uws:runId",
                "uws:ownerId",
                "uws:creationTime"
            ]
        );
        assert!(document.contains(r#"version="1.1""#));
        assert!(document.contains(&format!(
            r#"<uws:jobref id="{0}" xlink:type="simple" xlink:href="{LIST}/{0}">"#,
            reference.id
        )));
        reference.run_id = None;
        reference.owner = None;
        let document = text(jobs(&[reference], LIST));
        assert_eq!(
            elements(&document),
            [
                "uws:jobs",
                "uws:jobref",
                "uws:phase",
                "uws:ownerId!",
                "uws:creationTime"
            ]
        );
        assert_eq!(elements(&text(jobs(&[], LIST))), ["uws:jobs"]);
    }

    #[test]
    fn a_list_written_in_pieces_is_the_same_list() {
        let job = full();
        let reference = JobRef {
            id: job.id,
            service: job.service,
            phase: job.phase,
            run_id: job.run_id,
            owner: job.owner,
            creation_time: job.creation_time,
        };
        let mut list = JobList::new(LIST);
        list.push(&reference);
        let mut pieces = list.take();
        list.push(&reference);
        pieces.extend(list.finish());
        assert_eq!(pieces, jobs(&[reference.clone(), reference], LIST));
    }
}
