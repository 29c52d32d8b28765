//! A new job that does again what failed in one that has ended.

use futures::FutureExt;

use super::{Jobs, JobsError, MAX_UPLOAD, Place, Submission, Upload, check};
use crate::{
    auth::Caller,
    engine::{Draft, Ended, Unavailable},
    uws::{Job, ParameterValue, Parameters, Phase},
};

impl Jobs {
    /// Makes and runs a job of the caller's that does again what failed in one that has ended: all of it if the job itself
    /// has failed or was aborted, else as far as the service says that another run may fare better. It has the label of the
    /// old one, or one that names it.
    pub async fn retry(
        &self,
        caller: &Caller,
        place: Place<'_>,
        idempotency_key: Option<String>,
    ) -> Result<Job, JobsError> {
        let job = self.outline(caller, place).await?;
        if !job.phase.is_terminal() {
            return Err(JobsError::NoRetry("the job has not ended"));
        }
        let (parameters, uploads) = match job.phase {
            Phase::Error | Phase::Aborted => self.whole(&job).await?,
            _ => self.part(caller, &job).await?,
        };
        let label = job.run_id.filter(|label| !label.is_empty());
        let submission = Submission {
            parameters,
            uploads,
            run_id: Some(label.unwrap_or_else(|| format!("retry of {}", job.id))),
            run: true,
            execution_duration: Some(job.execution_duration),
            idempotency_key,
            ..Submission::default()
        };
        self.create(caller, &job.service, submission).await
    }

    /// The description of a job, and its files.
    async fn whole(&self, job: &Job) -> Result<(Parameters, Vec<Upload>), JobsError> {
        let (mut parameters, mut uploads) = (Parameters::default(), Vec::new());
        for parameter in job.parameters.iter() {
            match &parameter.value {
                ParameterValue::Inline(_) => parameters
                    .push(&parameter.name, parameter.value.clone())
                    .map_err(check::usage)?,
                ParameterValue::Upload { key, media_type, .. } => uploads.push(Upload {
                    name: parameter.name.clone(),
                    media_type: media_type.clone(),
                    bytes: self.objects().read(key, MAX_UPLOAD).await?,
                }),
            }
        }
        Ok((parameters, uploads))
    }

    /// What of a job that was completed is to be done again.
    async fn part(&self, caller: &Caller, job: &Job) -> Result<(Parameters, Vec<Upload>), JobsError> {
        let service = self.service(&job.service).ok_or(JobsError::NotFound("service"))?;
        let read_upload = |key: &str| {
            let (objects, key) = (self.objects().clone(), key.to_owned());
            async move {
                let read = objects.read(&key, MAX_UPLOAD).await;
                read.map_err(|error| Unavailable(error.to_string()))
            }
            .boxed()
        };
        let read_result = |name: &str| {
            let (objects, store) = (self.objects().clone(), self.engine.store.clone());
            let (id, name) = (job.id, name.to_owned());
            async move {
                let found = store.result(id, &name).await;
                let Some(result) = found.map_err(|error| Unavailable(error.to_string()))? else {
                    return Ok(None);
                };
                let read = objects.read(&result.object, MAX_UPLOAD).await;
                read.map(Some).map_err(|error| Unavailable(error.to_string()))
            }
            .boxed()
        };
        let ended = Ended {
            draft: Draft {
                parameters: &job.parameters,
                read_upload: &read_upload,
            },
            read_result: &read_result,
        };
        let again = service.retry(&ended, caller).await?.ok_or(JobsError::NoRetry(
            "nothing of the job has failed for a reason that may have passed",
        ))?;
        let file = again.file.map(|(name, media_type, bytes)| Upload {
            name: name.into(),
            media_type: media_type.into(),
            bytes,
        });
        Ok((again.parameters, file.into_iter().collect()))
    }
}
