//! Which server a command asks, and what it shows there to be let in.
//!
//! Calls the tokens that this person keeps, and `client`.

use std::sync::Arc;

use anyhow::Result;
use secrecy::SecretString;
use url::Url;

use super::{
    Usage,
    tokens::{Kept, Tokens},
};
use crate::{
    client::{Client, Credential, JobAddress},
    settings::environment,
    uws::JobId,
};

/// The server that is asked if none is named.
const DEFAULT_SERVER: &str = "http://127.0.0.1:8080";

/// Which server is asked.
pub struct Server {
    named: Option<Url>,
}

impl Server {
    /// The server of `--server` or SIDEREAL_SERVER.
    pub fn new(named: Option<&str>) -> Result<Server, Usage> {
        let named = match named.filter(|url| !url.is_empty()) {
            None => None,
            Some(text) => {
                let url = text.parse().ok();
                let url = url.filter(|url: &Url| matches!(url.scheme(), "http" | "https"));
                Some(url.ok_or_else(|| {
                    Usage(format!(
                        "--server: {text:?} is no URL (expected http(s)://HOST[/PATH])"
                    ))
                })?)
            }
        };
        Ok(Server { named })
    }

    /// The server that is named, or the default.
    pub fn url(&self) -> Result<Url> {
        Ok(match &self.named {
            Some(url) => url.clone(),
            None => DEFAULT_SERVER.parse()?,
        })
    }

    /// What it is shown: SIDEREAL_TOKEN, or else this person's login there.
    pub fn credential(&self) -> Result<Credential> {
        let url = self.url()?;
        Ok(token().map_or_else(|| kept_for(&url), Credential::Token))
    }

    /// A client of it that shows that.
    pub fn client(&self) -> Result<Client> {
        Ok(Client::new(self.url()?, self.credential()?)?)
    }

    /// A job, by URL or identifier. If a server is named it is the one that is asked, and the only one that ever sees
    /// SIDEREAL_TOKEN; else a URL says which, and gets that token only if it is of the default server. A login is shown
    /// to the server that it is for.
    pub async fn locate(&self, job: &str) -> Result<(Client, JobAddress)> {
        if let Ok(id) = job.parse::<JobId>() {
            let client = self.client()?;
            let at = client.find(id).await?;
            return Ok((client, at));
        }
        let (base, at) = JobAddress::of_url(job)?;
        let client = if self.named.is_some() || base == DEFAULT_SERVER.parse()? {
            self.client()?
        } else {
            let credential = kept_for(&base);
            Client::new(base, credential)?
        };
        Ok((client, at))
    }
}

/// What SIDEREAL_TOKEN holds.
pub fn token() -> Option<SecretString> {
    environment()
        .find(|(name, value)| name == "SIDEREAL_TOKEN" && !value.is_empty())
        .map(|(_, value)| value.into())
}

/// This person's login at a server. Who has no home has none.
pub fn kept_for(server: &Url) -> Credential {
    Tokens::mine().map_or(Credential::None, |tokens| {
        Credential::Login(Arc::new(Kept::new(tokens, server)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::exit_code;

    #[test]
    fn a_server_is_an_http_url() {
        assert!(Server::new(None).unwrap().named.is_none());
        assert!(Server::new(Some("")).unwrap().named.is_none());
        assert!(
            Server::new(Some("https://sky.example.org/x"))
                .unwrap()
                .named
                .is_some()
        );
        for text in ["sky.example.org", "ftp://sky.example.org", "http://"] {
            assert!(Server::new(Some(text)).is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn what_is_no_job_is_a_usage_fault() {
        let server = Server::new(None).unwrap();
        let error = server.locate("tea").await.err().unwrap();
        assert_eq!(exit_code(&error), 2);
    }
}
