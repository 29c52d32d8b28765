//! The files of one product without a server: for whoever works on the templates.

use secrecy::SecretString;
use url::Url;

use super::{
    assets::LogoError,
    fetch::{FetchError, Fetcher},
    files::{File, FilesError, Pages, of_product},
    keeper::{Keepers, NotAllowed},
    look::Look,
    normalise::{NormaliseError, normalise},
    product::Product,
    wire::{self, Most, WireError},
};
use crate::settings::{DashboardSettings, KeeperSettings};

/// Why there are no files.
#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    /// The file is no answer of LTD Keeper's.
    #[error("the file is not what LTD Keeper answers for a product's dashboard: {0}")]
    Wire(#[from] WireError),
    /// It has no product of its own.
    #[error(transparent)]
    Normalise(#[from] NormaliseError),
    /// The URL is not that of a product.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// The file of the logo cannot be that.
    #[error(transparent)]
    Logo(#[from] LogoError),
    /// There can be no client.
    #[error("HTTP client: {0}")]
    Client(#[from] reqwest::Error),
    /// The Keeper does not give it.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// A fault of ours.
    #[error(transparent)]
    Files(#[from] FilesError),
}

/// The files that would be published of a product, by name. `bulk` is what `GET /products/{slug}/dashboard` answers.
pub fn of_file(bulk: &[u8], settings: &DashboardSettings) -> Result<Vec<File>, PreviewError> {
    let answers = wire::bulk(bulk, Most::from(settings))?;
    let slug = answers.product.slug.clone();
    files(&normalise(&slug, answers)?, settings)
}

/// The same of the product at this URL, whose Keeper need not be in the settings: whoever asks does so for themselves.
pub async fn of_url(url: &Url, settings: &DashboardSettings) -> Result<Vec<File>, PreviewError> {
    let mut base = url.clone();
    let path = url
        .path()
        .split("/products/")
        .next()
        .unwrap_or_default()
        .to_owned();
    base.set_path(&path);
    base.set_query(None);
    base.set_fragment(None);
    let keepers = Keepers::new(&[KeeperSettings {
        name: url.host_str().unwrap_or_default().to_owned(),
        base_url: base,
        public_urls: Vec::new(),
        prefix: String::new(),
        token: None::<SecretString>,
        organization: None,
        private_ok: true,
    }]);
    let wanted = keepers.resolve(url.as_str())?;
    let product = Fetcher::new(wanted.keeper.clone(), settings)?
        .product(&wanted.slug)
        .await?;
    files(&product, settings)
}

fn files(product: &Product, settings: &DashboardSettings) -> Result<Vec<File>, PreviewError> {
    Ok(of_product(product, &Look::of(settings)?, Pages::ALL)?)
}
