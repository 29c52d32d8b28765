//! A new job that is described but perhaps not made, in any of the forms that make one. The query is no part of it.

use poem::{
    Request, RequestBody, Result,
    http::{StatusCode, header::CONTENT_TYPE},
};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaMediaType, MetaRequest, Registry},
    types::{ParseFromJSON, Type},
};

use super::{form::Form, problem::Problem, schema::NewJob, v1::submission};
use crate::jobs::Submission;

const JSON: &str = "application/json";

/// The description: a form, or the JSON of `/api/v1/jobs`.
pub struct Described {
    /// The service that it names, which a form does not.
    pub service: Option<String>,
    /// What it asks for.
    pub submission: Submission,
}

impl<'a> ApiExtractor<'a> for Described {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        NewJob::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let mut meta = <Form as ApiExtractor>::request_meta()?;
        meta.content.push(MetaMediaType {
            content_type: JSON,
            schema: NewJob::schema_ref(),
        });
        Some(meta)
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let media_type = request
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let essence = media_type
            .and_then(|value| value.split(';').next())
            .unwrap_or_default();
        if !essence.trim().eq_ignore_ascii_case(JSON) {
            let form = Form::of_body(request, body).await?;
            return Ok(Described {
                service: None,
                submission: form.into_submission()?,
            });
        }
        let broken = |message: String| Problem::new(StatusCode::BAD_REQUEST, message);
        let bytes = body.take()?.into_bytes().await?;
        let value = serde_json::from_slice(&bytes)
            .map_err(|error| broken(format!("the body cannot be read as JSON: {error}")))?;
        let new = NewJob::parse_from_json(Some(value)).map_err(|error| broken(error.into_message()))?;
        Ok(Described {
            service: Some(new.service.clone()),
            submission: submission(new)?,
        })
    }
}
