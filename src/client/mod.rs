//! A typed client of our own API, for the command line and the tests.
//!
//! UWS over JSON: create, run, wait, fetch, abort, delete; the list over all services; who one is. Calls `net` and
//! `uws`.

mod credential;
mod documents;
mod download;
mod error;
mod log;

use std::{path::PathBuf, str::FromStr, time::Duration};

use reqwest::{
    Body, Method, RequestBuilder, Response, StatusCode,
    header::{ACCEPT, LOCATION},
    multipart::{Form, Part},
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use tokio_util::io::ReaderStream;
use url::Url;

pub use credential::{Credential, Login};
pub use documents::*;
pub use download::Download;
pub use error::ClientError;

use crate::{
    net,
    uws::{JobId, Phase},
};

/// Longest WAIT that is asked for; the server answers after 55 s at the latest.
const MAX_WAIT: Duration = Duration::from_secs(50);
/// Pause between two looks at a job in a phase in which WAIT does not block.
const PAUSE: Duration = Duration::from_secs(2);
/// How often in a row a wait outlives a server that is gone or busy.
const RETRIES: u32 = 5;

/// A server, and who asks it.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    credential: Credential,
}

/// Where a job is: its service and identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobAddress {
    /// Name of the service.
    pub service: String,
    /// Identifier.
    pub id: JobId,
}

/// A job to be made.
#[derive(Debug, Clone, Default)]
pub struct Submission {
    /// Parameters in their order, repeated for several values.
    pub parameters: Vec<(String, Value)>,
    /// The client's label.
    pub run_id: Option<String>,
    /// Whether it is run at once (PHASE=RUN).
    pub run: bool,
}

/// Value of a parameter to be sent.
#[derive(Debug, Clone)]
pub enum Value {
    /// As text.
    Text(String),
    /// The bytes of a file, as a part named as the parameter.
    File(PathBuf),
}

/// A job that was made.
#[derive(Debug, Clone)]
pub struct Created {
    /// Its URL, as the server gave it.
    pub url: Url,
    /// Where it is.
    pub address: JobAddress,
}

/// A text that is no URL of a job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither the identifier of a job nor a URL …/api/SERVICE/async/ID")]
pub struct NotAJob(pub String);

impl JobAddress {
    /// Reads `{base}/api/{service}/async/{id}`, and gives the base too.
    pub fn of_url(text: &str) -> Result<(Url, JobAddress), NotAJob> {
        let bad = || NotAJob(text.chars().take(200).collect());
        let mut url: Url = text.parse().map_err(|_| bad())?;
        let segments: Vec<&str> = url.path_segments().ok_or_else(bad)?.collect();
        let [base @ .., "api", service, "async", id] = segments.as_slice() else {
            return Err(bad());
        };
        let address = JobAddress {
            service: (*service).to_owned(),
            id: JobId::from_str(id).map_err(|_| bad())?,
        };
        let base = base.join("/");
        url.set_path(&base);
        url.set_query(None);
        url.set_fragment(None);
        Ok((url, address))
    }
}

impl Client {
    /// A client of the server at `base` (any path in it is kept). What it shows to be let in goes to that server alone:
    /// redirects are not followed.
    pub fn new(base: Url, credential: Credential) -> Result<Client, ClientError> {
        let http = net::client(&base).map_err(ClientError::unreachable)?;
        Ok(Client {
            http,
            base,
            credential,
        })
    }

    /// Where people sign in. Nothing is shown for it.
    pub async fn provider(&self) -> Result<Provider, ClientError> {
        let request = self.request(Method::GET, &["account", "provider"]);
        let answer = request.send().await.map_err(ClientError::unreachable)?;
        read(accepted(answer).await?).await
    }

    /// Who the server takes the caller for.
    pub async fn me(&self) -> Result<Me, ClientError> {
        let document: serde_json::Value = self.json(self.request(Method::GET, &["api", "v1", "me"])).await?;
        let me = Me::deserialize(&document).map_err(|error| unlike("the caller", &error))?;
        Ok(Me { document, ..me })
    }

    /// Makes a job of `service`.
    pub async fn create(&self, service: &str, submission: &Submission) -> Result<Created, ClientError> {
        let request = self.request(Method::POST, &["api", service, "async"]);
        let mut texts: Vec<(&str, &str)> = Vec::new();
        let mut files = Vec::new();
        for (name, value) in &submission.parameters {
            match value {
                Value::Text(text) => texts.push((name, text)),
                Value::File(path) => files.push((name.clone(), path)),
            }
        }
        if let Some(run_id) = &submission.run_id {
            texts.push(("RUNID", run_id));
        }
        if submission.run {
            texts.push(("PHASE", "RUN"));
        }
        let request = if files.is_empty() {
            request.form(&texts)
        } else {
            let mut form = Form::new();
            for (name, text) in texts {
                form = form.text(name.to_owned(), text.to_owned());
            }
            for (name, path) in files {
                form = form.part(name, file_part(path).await?);
            }
            request.multipart(form)
        };
        let answer = self.send(request).await?;
        let location = answer
            .headers()
            .get(LOCATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|location| answer.url().join(location).ok())
            .filter(|_| answer.status() == StatusCode::SEE_OTHER);
        let Some(url) = location else {
            return Err(ClientError::strange(
                &answer,
                format!("{} without the URL of a job", answer.status()),
            ));
        };
        match JobAddress::of_url(url.as_str()) {
            Ok((_, address)) => Ok(Created { url, address }),
            Err(error) => Err(ClientError::strange(&answer, error.to_string())),
        }
    }

    /// Where the job with this identifier is.
    pub async fn find(&self, id: JobId) -> Result<JobAddress, ClientError> {
        #[derive(Deserialize)]
        struct Found {
            service: String,
        }
        let id_text = id.to_string();
        let request = self.request(Method::GET, &["api", "v1", "jobs", &id_text]);
        let found: Found = self.json(request).await?;
        Ok(JobAddress {
            service: found.service,
            id,
        })
    }

    /// The job as it is now.
    pub async fn job(&self, at: &JobAddress) -> Result<Job, ClientError> {
        self.job_of(self.job_request(Method::GET, at, &[])).await
    }

    /// The job once it has left `phase`, or as it is after `longest` or 50 s.
    pub async fn wait(&self, at: &JobAddress, phase: Phase, longest: Duration) -> Result<Job, ClientError> {
        let seconds = longest.min(MAX_WAIT).as_secs().max(1).to_string();
        let request = self.job_request(Method::GET, at, &[]);
        self.job_of(request.query(&[("WAIT", seconds.as_str()), ("PHASE", phase.as_str())]))
            .await
    }

    /// Waits until the job has ended, and shows it to `see` at once, at each change of phase and at least every
    /// `interval`. A server that is gone for a short time is waited for.
    pub async fn follow(
        &self,
        at: &JobAddress,
        interval: Duration,
        mut see: impl FnMut(&Job),
    ) -> Result<Job, ClientError> {
        let mut job = self.job(at).await?;
        let mut failures = 0;
        loop {
            see(&job);
            if job.phase.is_terminal() {
                return Ok(job);
            }
            if !job.phase.is_waitable() {
                tokio::time::sleep(PAUSE).await;
            }
            job = loop {
                match self.wait(at, job.phase, interval).await {
                    Ok(job) => break job,
                    Err(error) if error.is_passing() && failures < RETRIES => {
                        failures += 1;
                        tokio::time::sleep(PAUSE * failures).await;
                    }
                    Err(error) => return Err(error),
                }
            };
            failures = 0;
        }
    }

    /// A page of the caller's jobs over all services, newest first.
    pub async fn jobs(
        &self,
        filter: &JobFilter,
        limit: u64,
        cursor: Option<&str>,
    ) -> Result<Page, ClientError> {
        let mut query: Vec<(&str, String)> = vec![("limit", limit.to_string())];
        query.extend(filter.services.iter().map(|name| ("service", name.clone())));
        query.extend(filter.phases.iter().map(|phase| ("phase", phase.to_string())));
        let options = [
            ("label", filter.label.clone()),
            ("after", filter.after.map(|time| time.to_string())),
            ("before", filter.before.map(|time| time.to_string())),
            ("q", filter.q.clone()),
            ("cursor", cursor.map(str::to_owned)),
        ];
        query.extend(
            options
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        self.json(self.request(Method::GET, &["api", "v1", "jobs"]).query(&query))
            .await
    }

    /// The dashboards of documentation that the server has.
    pub async fn dashboards(&self) -> Result<Vec<Dashboard>, ClientError> {
        #[derive(Deserialize)]
        struct Dashboards {
            products: Vec<Dashboard>,
        }
        let request = self.request(Method::GET, &["api", "v1", "dashboards"]);
        let dashboards: Dashboards = self.json(request).await?;
        Ok(dashboards.products)
    }

    /// Runs a job that was held back.
    pub async fn run(&self, at: &JobAddress) -> Result<(), ClientError> {
        self.set_phase(at, "RUN").await
    }

    /// Stops a job.
    pub async fn abort(&self, at: &JobAddress) -> Result<(), ClientError> {
        self.set_phase(at, "ABORT").await
    }

    async fn set_phase(&self, at: &JobAddress, phase: &str) -> Result<(), ClientError> {
        let request = self.job_request(Method::POST, at, &["phase"]);
        self.send(request.form(&[("PHASE", phase)])).await?;
        Ok(())
    }

    /// Destroys a job with its results.
    pub async fn delete(&self, at: &JobAddress) -> Result<(), ClientError> {
        self.send(self.job_request(Method::DELETE, at, &[])).await?;
        Ok(())
    }

    fn job_request(&self, method: Method, at: &JobAddress, below: &[&str]) -> RequestBuilder {
        let id = at.id.to_string();
        let mut path = vec!["api", &at.service, "async", &id];
        path.extend(below);
        self.request(method, &path)
    }

    fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        self.http.request(method, url).header(ACCEPT, "application/json")
    }

    /// The answer to a request that shows who asks, unless it says an error.
    async fn send(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let token = self.token().await?;
        let request = match &token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        };
        let answer = request.send().await.map_err(ClientError::unreachable)?;
        if answer.status() == StatusCode::UNAUTHORIZED && token.is_none() {
            return Err(ClientError::Denied(format!(
                "not signed in at {}: `sidereal login` does it, or a token in SIDEREAL_TOKEN",
                self.base
            )));
        }
        accepted(answer).await
    }

    /// What the next request shows; nothing goes where others could read it.
    async fn token(&self) -> Result<Option<SecretString>, ClientError> {
        let token = self.credential.token().await?;
        if token.is_some() && !net::keeps_secrets(&self.base) {
            return Err(ClientError::Exposed(self.base.to_string()));
        }
        Ok(token)
    }

    async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        read(self.send(request).await?).await
    }

    async fn job_of(&self, request: RequestBuilder) -> Result<Job, ClientError> {
        let document: serde_json::Value = self.json(request).await?;
        let job = Job::deserialize(&document).map_err(|error| unlike("the job", &error))?;
        Ok(Job { document, ..job })
    }
}

/// A file as a part of a form, read as it is sent.
async fn file_part(path: &PathBuf) -> Result<Part, ClientError> {
    let failed = |source| ClientError::File {
        path: path.clone(),
        source,
    };
    let file = tokio::fs::File::open(path).await.map_err(failed)?;
    let about = file.metadata().await.map_err(failed)?;
    if !about.is_file() {
        return Err(failed(std::io::Error::other("is not a file")));
    }
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let body = Body::wrap_stream(ReaderStream::new(file));
    Ok(Part::stream_with_length(body, about.len()).file_name(name))
}

/// The answer, unless it says an error.
async fn accepted(answer: Response) -> Result<Response, ClientError> {
    if answer.status().is_client_error() || answer.status().is_server_error() {
        Err(ClientError::refused(answer).await)
    } else {
        Ok(answer)
    }
}

async fn read<T: DeserializeOwned>(answer: Response) -> Result<T, ClientError> {
    let (status, url) = (answer.status(), answer.url().to_string());
    let body = answer.bytes().await.map_err(ClientError::unreachable)?;
    serde_json::from_slice(&body).map_err(|error| ClientError::Strange {
        url,
        reason: format!("{status}, {error}"),
    })
}

fn unlike(what: &str, error: &serde_json::Error) -> ClientError {
    ClientError::Strange {
        url: what.into(),
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(client: &Client, path: &[&str]) -> String {
        let request = client.request(Method::GET, path).build().unwrap();
        request.url().to_string()
    }

    #[test]
    fn the_path_of_the_base_is_kept() {
        for base in [
            "https://sky.example.org/sidereal",
            "https://sky.example.org/sidereal/",
        ] {
            let client = Client::new(base.parse().unwrap(), Credential::None).unwrap();
            assert_eq!(
                url(&client, &["api", "a b", ".."]),
                "https://sky.example.org/sidereal/api/a%20b"
            );
        }
        let client = Client::new("http://127.0.0.1:8080".parse().unwrap(), Credential::None).unwrap();
        assert_eq!(url(&client, &["api", "x/y"]), "http://127.0.0.1:8080/api/x%2Fy");
    }

    #[test]
    fn a_job_is_read_from_its_url() {
        let id = JobId::new();
        let (base, at) = JobAddress::of_url(&format!(
            "https://sky.example.org/sidereal/api/echo/async/{id}?x#y"
        ))
        .unwrap();
        assert_eq!(base.as_str(), "https://sky.example.org/sidereal");
        assert_eq!((at.service.as_str(), at.id), ("echo", id));
        let (base, _) = JobAddress::of_url(&format!("http://127.0.0.1:8080/api/echo/async/{id}")).unwrap();
        assert_eq!(base.as_str(), "http://127.0.0.1:8080/");
        for text in [
            "",
            "x",
            "http://127.0.0.1/api/echo/async",
            "http://127.0.0.1/api/echo/async/7",
            "data:x",
        ] {
            assert!(JobAddress::of_url(text).is_err(), "{text}");
        }
    }

    fn with_token(base: &str) -> Client {
        Client::new(base.parse().unwrap(), Credential::Token("sdr_secret".into())).unwrap()
    }

    #[tokio::test]
    async fn a_token_is_never_shown() {
        let client = with_token("http://127.0.0.1:1");
        assert_eq!(
            client.token().await.unwrap().unwrap().expose_secret(),
            "sdr_secret"
        );
        assert!(!format!("{client:?}").contains("sdr_secret"));
    }

    #[tokio::test]
    async fn a_token_goes_by_tls_or_stays_on_this_machine() {
        for base in [
            "https://sky.example.org/",
            "http://localhost:1/",
            "http://[::1]:1/",
        ] {
            assert!(with_token(base).token().await.unwrap().is_some(), "{base}");
        }
        for base in ["http://sky.example.org/", "http://127.0.0.1.example.org/"] {
            let error = with_token(base).me().await.unwrap_err();
            assert!(matches!(error, ClientError::Exposed(_)), "{base}: {error}");
        }
    }
}
