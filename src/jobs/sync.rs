//! Requests that wait for what they ask for (DALI 1.1 section 2.3: sync): answered by the service at once, or by a job.

use std::future::ready;

use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use tokio::time::{self, Duration, Instant};

use super::{
    Jobs, JobsError, MAX_UPLOADS, Place, Submission, Upload, Wait, add_uploads, bytes_of, check,
    check_labels, keyed,
};
use crate::{
    auth::Caller,
    engine::{Answer, Description, Draft, Stage, Unavailable},
    uws::{Job, JobId, Parameters, Timestamp},
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
        let (parameters, uploads) = described(service.describe(), submission.clone())?;
        let read_upload = |key: &str| uploaded(&uploads, key);
        let draft = Draft {
            parameters: &parameters,
            read_upload: &read_upload,
        };
        Ok(service.answer(&draft, caller).await?)
    }
}

/// The parameters of a new job that is to run, as far as they can be judged without its service, and its files by their
/// keys.
pub fn described(
    description: &Description,
    submission: Submission,
) -> Result<(Parameters, Vec<(String, Upload)>), JobsError> {
    check_labels(&submission)?;
    let uploads = keyed(JobId::new(), submission.uploads);
    let mut parameters = submission.parameters;
    add_uploads(&mut parameters, &uploads)?;
    check::against(description, &parameters, Stage::Run)?;
    check::uploads(&parameters, MAX_UPLOADS)?;
    Ok((parameters, uploads))
}

/// The bytes of a file of a request that is no job yet, by its key.
pub fn uploaded<'a>(uploads: &[(String, Upload)], key: &str) -> BoxFuture<'a, Result<Bytes, Unavailable>> {
    let found = uploads.iter().find(|(fresh, _)| fresh == key);
    let bytes = found.map(|(_, upload)| upload.bytes.clone());
    ready(bytes.ok_or_else(|| Unavailable("an upload that the request does not have".into()))).boxed()
}

impl Jobs {
    /// Whether a new job of this description that is to run would be taken, but for its parameters.
    pub async fn may_submit(
        &self,
        caller: &Caller,
        description: &Description,
        submission: &Submission,
    ) -> Result<(), JobsError> {
        self.may_create(caller, bytes_of(&submission.uploads), true)
            .await?;
        if let Some(asked) = submission.destruction {
            check::destruction(description, asked, Timestamp::of_this_host())?;
        }
        Ok(())
    }
}
