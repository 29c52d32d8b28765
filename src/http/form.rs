//! What a client posts: UWS's control parameters, job parameters and files, from a form, a multipart form, the query, or
//! nothing at all (DALI 1.1 section 3).

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use percent_encoding::percent_decode;
use poem::{
    FromRequest, Request, RequestBody, Result,
    http::{StatusCode, header::CONTENT_TYPE},
    web::{Field as Part, Multipart},
};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaMediaType, MetaRequest, MetaSchema, MetaSchemaRef},
    types::Type,
};
use tokio::io::AsyncReadExt;

use super::problem::{Fault, Problem};
use crate::{
    jobs::{Submission, Upload},
    uws::{
        ParameterValue, Timestamp,
        parameters::{MAX_INLINE, MAX_PARAMETERS},
    },
};

/// Parameters that speak to UWS itself and never show among a job's, and where each belongs once there is a job.
const CONTROLS: [(&str, &str); 8] = [
    ("PHASE", "the job's phase"),
    (RUN_ID, "the job's parameters"),
    ("EXECUTIONDURATION", "the job's executionduration"),
    ("DESTRUCTION", "the job's destruction"),
    ("ACTION", "the job itself"),
    ("WAIT", "a GET of the job"),
    ("AFTER", "a GET of the list of jobs"),
    ("LAST", "a GET of the list of jobs"),
];
const RUN_ID: &str = "RUNID";
const UPLOAD: &str = "UPLOAD";

/// Whether this is, in any case, the name of a parameter that speaks to UWS itself.
pub fn is_control(name: &str) -> bool {
    CONTROLS
        .iter()
        .any(|(control, _)| name.eq_ignore_ascii_case(control))
}

/// A name and what was given for it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Field {
    name: String,
    value: FieldValue,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum FieldValue {
    Text(String),
    /// A part with a file name, or whose bytes are no text.
    File {
        media_type: String,
        bytes: Bytes,
    },
}

/// Everything that a client has posted, in its order; what the query had comes first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form(Vec<Field>);

impl Form {
    /// The one value of a control parameter, if it was given.
    pub fn control(&self, name: &str) -> Result<Option<&str>, Problem> {
        let mut fields = self
            .0
            .iter()
            .filter(|field| field.name.eq_ignore_ascii_case(name));
        let Some(first) = fields.next() else {
            return Ok(None);
        };
        let more = fields.count();
        if more > 0 {
            return Err(Problem::repeated(name, more + 1));
        }
        match &first.value {
            FieldValue::Text(text) => Ok(Some(text)),
            FieldValue::File { .. } => Err(Problem::usage(name, "expected a value, found a file")),
        }
    }

    /// The values of a parameter that may be repeated; a file is none.
    pub fn texts(&self, name: &str) -> Vec<&str> {
        let fields = self
            .0
            .iter()
            .filter(|field| field.name.eq_ignore_ascii_case(name));
        fields
            .filter_map(|field| match &field.value {
                FieldValue::Text(text) => Some(text.as_str()),
                FieldValue::File { .. } => None,
            })
            .collect()
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|field| field.name.eq_ignore_ascii_case(name))
    }

    /// The one value of a control parameter, which must be given.
    pub fn required(&self, name: &str, expected: &str) -> Result<&str, Problem> {
        self.control(name)?
            .ok_or_else(|| Problem::usage(name, format!("missing (expected {expected})")))
    }

    /// EXECUTIONDURATION: seconds, a whole number; a decimal one is cut off.
    pub fn execution_duration(&self) -> Result<Option<u32>, Problem> {
        const NAME: &str = "EXECUTIONDURATION";
        self.control(NAME)?
            .map(|text| execution_duration(text).map_err(|m| Problem::usage(NAME, m)))
            .transpose()
    }

    /// DESTRUCTION: a time.
    pub fn destruction(&self) -> Result<Option<Timestamp>, Problem> {
        self.control("DESTRUCTION")?
            .map(|text| {
                text.parse()
                    .map_err(|error| Problem::usage("DESTRUCTION", format!("{error}")))
            })
            .transpose()
    }

    /// RUNID, if it was given; an empty one takes the label away.
    fn run_id(&self) -> Result<Option<String>, Problem> {
        Ok(self.control(RUN_ID)?.map(str::to_owned))
    }

    /// A new job: PHASE may only be RUN. What speaks to a job that is there, or to a list, is refused, since it would
    /// have no effect.
    pub fn into_submission(self) -> Result<Submission, Problem> {
        self.refuse("a new job", &["ACTION", "WAIT", "AFTER", "LAST"])?;
        let run = match self.control("PHASE")? {
            None => false,
            Some(phase) if phase.trim().eq_ignore_ascii_case("RUN") => true,
            Some(phase) => {
                let given: String = phase.chars().take(40).collect();
                return Err(Problem::usage(
                    "PHASE",
                    format!("{given:?} given, expected RUN or nothing"),
                ));
            }
        };
        let submission = Submission {
            run,
            run_id: self.run_id()?.filter(|run_id| !run_id.is_empty()),
            execution_duration: self.execution_duration()?,
            destruction: self.destruction()?,
            ..Submission::default()
        };
        self.fill(submission)
    }

    /// A new description of a job: its parameters, files and label. What else UWS is told elsewhere is refused, since it
    /// would have no effect.
    pub fn into_parameters(self) -> Result<Submission, Problem> {
        let names = CONTROLS.map(|(name, _)| name);
        let names = names.into_iter().filter(|name| *name != RUN_ID);
        self.refuse("its parameters", &names.collect::<Vec<_>>())?;
        let submission = Submission {
            run_id: self.run_id()?,
            ..Submission::default()
        };
        self.fill(submission)
    }

    /// Fails if one of these is given, which do not belong `here`.
    fn refuse(&self, here: &str, names: &[&str]) -> Result<(), Problem> {
        let misplaced: Vec<Fault> = CONTROLS
            .iter()
            .filter(|(name, _)| names.contains(name) && self.has(name))
            .map(|(name, place)| Fault {
                parameter: (*name).to_owned(),
                message: format!("belongs to {place}, not to {here}"),
            })
            .collect();
        if misplaced.is_empty() {
            Ok(())
        } else {
            Err(Problem::usages(misplaced, false))
        }
    }

    fn fill(mut self, mut submission: Submission) -> Result<Submission, Problem> {
        self.0.retain(|field| !is_control(&field.name));
        let references = self.take_references()?;
        for (name, part) in &references {
            let Some(field) = self.0.iter().find(|field| field.name == *part) else {
                return Err(Problem::usage(
                    UPLOAD,
                    format!("there is no part {part:?} in the request"),
                ));
            };
            let (media_type, bytes) = match &field.value {
                FieldValue::Text(text) => ("text/plain".to_owned(), Bytes::from(text.clone())),
                FieldValue::File { media_type, bytes } => (media_type.clone(), bytes.clone()),
            };
            submission.uploads.push(Upload {
                name: name.to_ascii_uppercase(),
                media_type,
                bytes,
            });
        }
        for field in self.0 {
            if references.iter().any(|(_, part)| *part == field.name) {
                continue;
            }
            match field.value {
                FieldValue::Text(text) => add_text(&mut submission, &field.name, text)?,
                FieldValue::File { media_type, bytes } => submission.uploads.push(Upload {
                    name: field.name.to_ascii_uppercase(),
                    media_type,
                    bytes,
                }),
            }
        }
        Ok(submission)
    }

    /// UPLOAD=NAME,param:PART, repeated or joined by `;` (DALI 1.1 section 3.4.5): parameter names and part names.
    fn take_references(&mut self) -> Result<Vec<(String, String)>, Problem> {
        let mut references = Vec::new();
        let mut rest = Vec::with_capacity(self.0.len());
        for field in self.0.drain(..) {
            if !field.name.eq_ignore_ascii_case(UPLOAD) {
                rest.push(field);
                continue;
            }
            let FieldValue::Text(text) = field.value else {
                return Err(Problem::usage(UPLOAD, "expected NAME,param:PART, found a file"));
            };
            for pair in text.split(';').filter(|pair| !pair.trim().is_empty()) {
                references.push(reference(pair)?);
            }
        }
        self.0 = rest;
        Ok(references)
    }

    fn push(&mut self, name: Cow<'_, str>, value: FieldValue) -> Result<(), Problem> {
        if self.0.len() >= MAX_PARAMETERS {
            let message = format!("too many parameters: at most {MAX_PARAMETERS} are taken");
            return Err(Problem::new(StatusCode::BAD_REQUEST, message));
        }
        if let FieldValue::Text(text) = &value
            && text.contains('\0')
        {
            return Err(Problem::usage(name, "contains a NUL character"));
        }
        self.0.push(Field {
            name: name.into_owned(),
            value,
        });
        Ok(())
    }

    /// Adds the pairs of an URL-encoded form or query.
    fn push_encoded(&mut self, encoded: &[u8]) -> Result<(), Problem> {
        for pair in encoded.split(|b| *b == b'&').filter(|pair| !pair.is_empty()) {
            let (name, value) = match pair.iter().position(|b| *b == b'=') {
                Some(at) => (&pair[..at], &pair[at + 1..]),
                None => (pair, &b""[..]),
            };
            let name = decoded(name).map_err(|name| wrong_encoding(&name))?;
            let value = decoded(value).map_err(|_| wrong_encoding(&name))?;
            self.push(name.into(), FieldValue::Text(value))?;
        }
        Ok(())
    }

    async fn push_parts(&mut self, mut parts: Multipart) -> Result<(), Problem> {
        let broken = |error: &dyn std::fmt::Display| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                format!("the multipart body cannot be read: {error}"),
            )
        };
        while let Some(part) = parts.next_field().await.map_err(|error| broken(&error))? {
            let Some(name) = part.name().map(str::to_owned) else {
                return Err(broken(&"a part has no name"));
            };
            let media_type = part.content_type().map(str::to_owned);
            let is_file = part.file_name().is_some();
            let bytes = read_part(part).await.map_err(|error| broken(&error))?;
            let value = if is_file {
                FieldValue::File {
                    media_type: media_type.unwrap_or_else(|| "application/octet-stream".into()),
                    bytes,
                }
            } else {
                let text = std::str::from_utf8(&bytes).map_err(|_| wrong_encoding(&name))?;
                FieldValue::Text(text.to_owned())
            };
            self.push(name.into(), value)?;
        }
        Ok(())
    }
}

/// Adds a text value; one too long for the job document becomes an upload.
pub fn add_text(submission: &mut Submission, name: &str, text: String) -> Result<(), Problem> {
    if text.len() > MAX_INLINE {
        submission.uploads.push(Upload {
            name: name.to_ascii_uppercase(),
            media_type: "text/plain".into(),
            bytes: text.into(),
        });
        return Ok(());
    }
    submission
        .parameters
        .push(name, ParameterValue::Inline(text))
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.to_string()))
}

/// Seconds of an execution duration: 0 or more; what is more than `xs:int` holds is cut off.
fn execution_duration(text: &str) -> Result<u32, String> {
    match text.trim().parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds >= 0.0 => Ok(seconds.min(f64::from(i32::MAX)) as u32),
        _ => {
            let given: String = text.chars().take(40).collect();
            Err(format!(
                "{given:?} given, expected a number of seconds, 0 or more"
            ))
        }
    }
}

fn reference(pair: &str) -> Result<(String, String), Problem> {
    let expected = "expected NAME,param:PART";
    let Some((name, uri)) = pair.split_once(',') else {
        return Err(Problem::usage(UPLOAD, expected));
    };
    let (name, uri) = (name.trim(), uri.trim());
    let Some((scheme, part)) = uri.split_once(':') else {
        return Err(Problem::usage(UPLOAD, expected));
    };
    if !scheme.eq_ignore_ascii_case("param") {
        return Err(Problem::usage(
            UPLOAD,
            format!("{expected}; uploads by URL are not taken"),
        ));
    }
    if name.is_empty() || part.is_empty() {
        return Err(Problem::usage(UPLOAD, expected));
    }
    Ok((name.to_owned(), part.to_owned()))
}

fn wrong_encoding(name: &str) -> Problem {
    let name: String = name.chars().take(64).collect();
    Problem::usage(name, "wrong encoding (expected UTF-8)")
}

/// A name or value of an URL-encoded form; what can be read of it if it is not UTF-8.
fn decoded(encoded: &[u8]) -> Result<String, String> {
    let spaced: Vec<u8> = encoded
        .iter()
        .map(|b| if *b == b'+' { b' ' } else { *b })
        .collect();
    let bytes: Vec<u8> = percent_decode(&spaced).collect();
    String::from_utf8(bytes).map_err(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

async fn read_part(part: Part) -> std::io::Result<Bytes> {
    let mut reader = Box::pin(part.into_async_read());
    let mut bytes = BytesMut::new();
    loop {
        bytes.reserve(8 * 1_024);
        if reader.read_buf(&mut bytes).await? == 0 {
            return Ok(bytes.freeze());
        }
    }
}

/// What a client asks for by the query alone.
pub struct Asked(pub Form);

impl Asked {
    fn of(request: &Request) -> Result<Self, Problem> {
        let mut form = Form::default();
        if let Some(query) = request.uri().query() {
            form.push_encoded(query.as_bytes())?;
        }
        Ok(Asked(form))
    }
}

impl<'a> FromRequest<'a> for Asked {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        Ok(Asked::of(request)?)
    }
}

impl<'a> ApiExtractor<'a> for Form {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn request_meta() -> Option<MetaRequest> {
        let schema = || {
            MetaSchemaRef::Inline(Box::new(MetaSchema {
                additional_properties: Some(Box::new(Vec::<String>::schema_ref())),
                ..MetaSchema::new("object")
            }))
        };
        let media_type = |content_type| MetaMediaType {
            content_type,
            schema: schema(),
        };
        Some(MetaRequest {
            description: Some(
                "Parameters; names in any case, repeated for several values. A file is a multipart part with a file name.",
            ),
            content: vec![
                media_type("application/x-www-form-urlencoded"),
                media_type("multipart/form-data"),
            ],
            required: false,
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let Asked(mut form) = Asked::of(request)?;
        form.push_body(request, body).await?;
        Ok(form)
    }
}

impl Form {
    /// What the body has, the query left out.
    pub async fn of_body(request: &Request, body: &mut RequestBody) -> Result<Self> {
        let mut form = Form::default();
        form.push_body(request, body).await?;
        Ok(form)
    }

    /// Adds what the body has.
    async fn push_body(&mut self, request: &Request, body: &mut RequestBody) -> Result<()> {
        let media_type = request.headers().get(CONTENT_TYPE).map(|value| {
            value
                .to_str()
                .unwrap_or("?")
                .split(';')
                .next()
                .unwrap_or_default()
                .trim()
        });
        match media_type {
            Some(name) if name.eq_ignore_ascii_case("application/x-www-form-urlencoded") => {
                self.push_encoded(&body.take()?.into_bytes().await?)?;
            }
            Some(name) if name.eq_ignore_ascii_case("multipart/form-data") => {
                let parts = <Multipart as FromRequest>::from_request(request, body).await?;
                self.push_parts(parts).await?;
            }
            _ => {
                if !body.take()?.into_bytes().await?.is_empty() {
                    return Err(Problem::new(
                        StatusCode::UNSUPPORTED_MEDIA_TYPE,
                        "expected application/x-www-form-urlencoded or multipart/form-data",
                    )
                    .into());
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use poem::{Body, http::Uri};

    use super::*;

    async fn read(content_type: Option<&str>, query: &str, body: impl Into<Body>) -> Result<Form, Problem> {
        let mut request = Request::builder().uri(format!("/x{query}").parse::<Uri>().unwrap());
        if let Some(content_type) = content_type {
            request = request.content_type(content_type);
        }
        let (request, mut body) = request.body(body).split();
        <Form as ApiExtractor>::from_request(&request, &mut body, ExtractParamOptions::default())
            .await
            .map_err(|error| Problem::of(error, |_| None))
    }

    const ENCODED: Option<&str> = Some("application/x-www-form-urlencoded");
    const PARTS: Option<&str> = Some("multipart/form-data; boundary=X");

    fn inline(submission: &Submission) -> Vec<(&str, &str)> {
        submission
            .parameters
            .iter()
            .map(|parameter| match &parameter.value {
                ParameterValue::Inline(text) => (parameter.name.as_str(), text.as_str()),
                ParameterValue::Upload { .. } => panic!("an upload"),
            })
            .collect()
    }

    #[tokio::test]
    async fn names_are_in_any_case_and_values_as_given() {
        let form = read(
            ENCODED,
            "?phase=Run&x=1",
            "Size=1+%2B2&size=3&RunId=My%20run&bare",
        )
        .await;
        let submission = form.unwrap().into_submission().unwrap();
        assert!(submission.run);
        assert_eq!(submission.run_id.as_deref(), Some("My run"));
        assert_eq!(
            inline(&submission),
            [("X", "1"), ("SIZE", "1 +2"), ("SIZE", "3"), ("BARE", "")]
        );
    }

    #[tokio::test]
    async fn a_request_without_a_body_is_an_empty_form() {
        for content_type in [None, ENCODED] {
            assert_eq!(read(content_type, "", "").await.unwrap(), Form::default());
        }
        let refused = read(Some("application/json"), "", "{}").await.unwrap_err();
        assert_eq!(refused.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }

    #[tokio::test]
    async fn controls_are_given_once() {
        let twice = |body: &'static str| async move {
            read(ENCODED, "", body)
                .await
                .unwrap()
                .into_submission()
                .unwrap_err()
                .to_string()
        };
        assert!(
            twice("PHASE=RUN&phase=RUN")
                .await
                .starts_with("PHASE: given 2 times")
        );
        assert!(twice("RUNID=a&RUNID=b").await.starts_with("RUNID: given 2 times"));
        assert!(twice("PHASE=ABORT").await.starts_with("PHASE: \"ABORT\""));
        assert!(
            twice("EXECUTIONDURATION=-5")
                .await
                .starts_with("EXECUTIONDURATION: \"-5\"")
        );
        assert!(twice("DESTRUCTION=soon").await.starts_with("DESTRUCTION: "));
    }

    #[tokio::test]
    async fn a_description_has_no_controls_but_the_label() {
        let taken = read(ENCODED, "", "A=1&runId=x").await.unwrap().into_parameters();
        assert_eq!(taken.unwrap().run_id.as_deref(), Some("x"));
        for (name, _) in CONTROLS.iter().filter(|(name, _)| *name != RUN_ID) {
            let body = format!("A=1&{}=1", name.to_ascii_lowercase());
            let refused = read(ENCODED, "", body).await.unwrap().into_parameters();
            let refused = refused.unwrap_err();
            assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
            assert!(
                refused.to_string().starts_with(&format!("{name}: belongs to ")),
                "{refused}"
            );
        }
    }

    #[tokio::test]
    async fn a_new_job_is_not_waited_for_or_listed() {
        for name in ["ACTION", "WAIT", "AFTER", "LAST"] {
            let query = format!("?{}=1", name.to_ascii_lowercase());
            let refused = read(ENCODED, &query, "A=1").await.unwrap().into_submission();
            let refused = refused.unwrap_err();
            assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
            assert!(
                refused.to_string().starts_with(&format!("{name}: belongs to ")),
                "{refused}"
            );
        }
    }

    #[tokio::test]
    async fn durations_are_whole_seconds() {
        for (text, expected) in [
            ("77", Some(77)),
            ("77.0", Some(77)),
            ("0", Some(0)),
            ("1e300", Some(i32::MAX as u32)),
        ] {
            assert_eq!(execution_duration(text).ok(), expected, "{text}");
        }
        for text in ["-5", "NaN", "inf", "x", ""] {
            assert!(execution_duration(text).is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn what_is_not_utf8_is_named() {
        let refused = read(ENCODED, "", "SIZE=%FF").await.unwrap_err();
        assert_eq!(refused.to_string(), "SIZE: wrong encoding (expected UTF-8)");
        let body = b"--X\r\nContent-Disposition: form-data; name=\"SIZE\"\r\n\r\n\xFF\r\n--X--\r\n";
        let refused = read(PARTS, "", body.to_vec()).await.unwrap_err();
        assert_eq!(refused.to_string(), "SIZE: wrong encoding (expected UTF-8)");
        let refused = read(ENCODED, "", "SIZE=a%00b").await.unwrap_err();
        assert!(refused.to_string().starts_with("SIZE: contains a NUL"));
    }

    #[tokio::test]
    async fn files_and_long_texts_are_uploads() {
        let long = "9".repeat(MAX_INLINE + 1);
        let body = format!(
            "--X\r\nContent-Disposition: form-data; name=\"size\"\r\n\r\n1\r\n\
             --X\r\nContent-Disposition: form-data; name=\"positions\"; filename=\"a.csv\"\r\nContent-Type: text/csv\r\n\r\nRA,DEC\r\n\
             --X\r\nContent-Disposition: form-data; name=\"long\"\r\n\r\n{long}\r\n--X--\r\n"
        );
        let submission = read(PARTS, "", body).await.unwrap().into_submission().unwrap();
        assert_eq!(inline(&submission), [("SIZE", "1")]);
        let uploads: Vec<(&str, &str, usize)> = submission
            .uploads
            .iter()
            .map(|upload| {
                (
                    upload.name.as_str(),
                    upload.media_type.as_str(),
                    upload.bytes.len(),
                )
            })
            .collect();
        assert_eq!(
            uploads,
            [
                ("POSITIONS", "text/csv", 6),
                ("LONG", "text/plain", MAX_INLINE + 1)
            ]
        );
    }

    #[tokio::test]
    async fn upload_names_a_part_of_the_request() {
        let body = "--X\r\nContent-Disposition: form-data; name=\"UPLOAD\"\r\n\r\npositions,param:t1\r\n\
             --X\r\nContent-Disposition: form-data; name=\"t1\"; filename=\"a.csv\"\r\n\r\nRA,DEC\r\n--X--\r\n";
        let submission = read(PARTS, "", body).await.unwrap().into_submission().unwrap();
        assert!(submission.parameters.is_empty());
        assert_eq!(submission.uploads.len(), 1);
        assert_eq!(submission.uploads[0].name, "POSITIONS");
        for value in [
            "positions",
            "positions,t1",
            "positions,param:absent",
            "positions,http://example.org/t",
            ",param:x",
            "positions,param:",
        ] {
            let body = form_urlencoded::Serializer::new(String::new())
                .append_pair("UPLOAD", value)
                .finish();
            let refused = read(ENCODED, "", body)
                .await
                .unwrap()
                .into_submission()
                .unwrap_err();
            assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
            assert!(refused.to_string().starts_with("UPLOAD: "), "{refused}");
        }
    }

    #[tokio::test]
    async fn there_are_only_so_many_parameters() {
        let body = "A=1&".repeat(MAX_PARAMETERS + 1);
        let refused = read(ENCODED, "", body).await.unwrap_err();
        assert!(refused.to_string().contains("too many parameters"));
    }

    #[tokio::test]
    async fn a_broken_multipart_body_is_the_clients_fault() {
        for body in [
            "",
            "--X\r\n",
            "--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb",
            "nonsense",
        ] {
            let refused = read(PARTS, "", body).await.unwrap_err();
            assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{body:?}");
        }
    }
}
