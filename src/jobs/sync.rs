//! Requests that wait for what they ask for (DALI 1.1 section 2.3: sync): answered by the service at once, or by a job.

use futures::FutureExt;
use tokio::time::{self, Duration, Instant};

use super::{Jobs, JobsError, MAX_UPLOADS, Place, Submission, Wait, add_uploads, check, check_labels, keyed};
use crate::{
    auth::Caller,
    engine::{Answer, Draft, Stage, Unavailable},
    uws::{Job, JobId},
};

/// Longest time that a request waits for its job.
const MAX_SYNC: Duration = Duration::from_secs(50);

/// What came of a request that waits.
#[derive(Debug)]
pub enum Waited {
    /// The service's own answer.
    Answer(Answer),
    /// The job that was made for it, at its end or not.
    Job(Box<Job>),
}

impl Jobs {
    /// Asks the service for an answer at once; if it takes a job, makes one, runs it, and waits for its end, though not
    /// for longer than proxies allow.
    pub async fn answer(
        &self,
        caller: &Caller,
        service: &str,
        submission: Submission,
    ) -> Result<Waited, JobsError> {
        let submission = Submission {
            run: true,
            ..submission
        };
        if let Some(answer) = self.direct(caller, service, &submission).await? {
            return Ok(Waited::Answer(answer));
        }
        let deadline = Instant::now() + MAX_SYNC;
        let mut job = self.create(caller, service, submission).await?;
        while job.phase.is_waitable() && Instant::now() < deadline {
            let place = Place {
                service: Some(service),
                id: job.id,
            };
            let wait = Wait {
                seconds: Some(MAX_SYNC.as_secs()),
                phase: Some(job.phase),
            };
            match time::timeout_at(deadline, self.wait(caller, place, wait)).await {
                Ok(waited) => job = waited?,
                Err(_) => break,
            }
            if self.closing.is_cancelled() {
                break;
            }
        }
        Ok(Waited::Job(Box::new(job)))
    }

    /// The service's own answer, if it has one; what is wrong with the request is said as of a new job.
    async fn direct(
        &self,
        caller: &Caller,
        service: &str,
        submission: &Submission,
    ) -> Result<Option<Answer>, JobsError> {
        let service = self.service(service).ok_or(JobsError::NotFound("service"))?;
        check_labels(submission)?;
        let uploads = keyed(JobId::new(), submission.uploads.clone());
        let mut parameters = submission.parameters.clone();
        add_uploads(&mut parameters, &uploads)?;
        check::against(service.describe(), &parameters, Stage::Run)?;
        check::uploads(&parameters, MAX_UPLOADS)?;
        let read_upload = |key: &str| {
            let found = uploads.iter().find(|(fresh, _)| fresh == key);
            let bytes = found.map(|(_, upload)| upload.bytes.clone());
            async move { bytes.ok_or_else(|| Unavailable("an upload that the request does not have".into())) }
                .boxed()
        };
        let draft = Draft {
            parameters: &parameters,
            read_upload: &read_upload,
        };
        Ok(service.answer(&draft, caller).await?)
    }
}
