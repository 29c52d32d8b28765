//! Tells Fastly to forget the pages of a product.

use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::{
    net::{self, NetError, Reach},
    settings::DashboardSettings,
};

/// Fastly's API.
const API: &str = "https://api.fastly.com";

/// Why caches may still have old pages.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the cache was not purged: {0}")]
pub struct PurgeError(String);

/// A service of Fastly.
pub struct Cache {
    client: Client,
    /// Up to the key.
    url: String,
    key: SecretString,
}

impl Cache {
    /// Of the settings; none if they name none.
    pub fn new(settings: &DashboardSettings) -> Result<Option<Cache>, reqwest::Error> {
        let (Some(service), Some(key)) = (&settings.fastly_service, &settings.fastly_key) else {
            return Ok(None);
        };
        let api = settings.fastly_url.as_ref().map_or(API, Url::as_str);
        Ok(Some(Cache {
            client: net::neighbour(Reach::Anywhere, settings.timeout)?,
            url: format!("{}/service/{service}/purge", api.trim_end_matches('/')),
            key: key.clone(),
        }))
    }

    /// Forgets what is known by any of these keys, which have been judged and stand between spaces.
    pub async fn purge(&self, surrogate_keys: &str) -> Result<(), PurgeError> {
        for key in surrogate_keys.split(' ') {
            self.purge_one(key).await?;
        }
        Ok(())
    }

    async fn purge_one(&self, surrogate_key: &str) -> Result<(), PurgeError> {
        let sent = self
            .client
            .post(format!("{}/{surrogate_key}", self.url))
            .header("Fastly-Key", self.key.expose_secret())
            .header("Accept", "application/json")
            .send()
            .await;
        match sent {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(PurgeError(format!(
                "Fastly answered {}",
                answer.status().as_u16()
            ))),
            // Without its URL, whose path the log need not have.
            Err(error) => Err(PurgeError(NetError::from(error.without_url()).to_string())),
        }
    }
}
