//! What pages show beside their product: words and the logo of who runs this server, and where tickets are found.

use url::Url;

use super::assets::{Asset, ICON, LogoError, SCRIPT, STYLE};
use crate::settings::DashboardSettings;

/// What pages show beside their product.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// What the keys of tickets are appended to.
    pub tickets: Option<Url>,
    /// What all the documentation is called.
    pub title: Option<String>,
    /// The last words of every page.
    pub footer: Option<String>,
    /// The sign at its head.
    pub logo: Option<Asset>,
}

impl Look {
    /// Of the settings, whose logo is read now.
    pub fn of(settings: &DashboardSettings) -> Result<Look, LogoError> {
        let logo = settings.logo.as_deref().map(Asset::logo).transpose()?;
        Ok(Look {
            tickets: settings.tickets_url.clone(),
            title: settings.title.clone(),
            footer: settings.footer.clone(),
            logo,
        })
    }

    /// The files that pages name, before which no page is stored.
    pub fn assets(&self) -> impl Iterator<Item = &Asset> {
        [&*STYLE, &*SCRIPT, &*ICON].into_iter().chain(&self.logo)
    }

    /// Where a ticket is found.
    pub(super) fn ticket_url(&self, key: &str) -> Option<String> {
        Some(format!("{}{key}", self.tickets.as_ref()?))
    }
}
