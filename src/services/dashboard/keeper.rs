//! The LTD Keepers of the settings, and which product of which of them a URL names.
//!
//! Whoever names a product chooses a slug and nothing else: what is asked is the Keeper's own URL in the settings.

use secrecy::SecretString;
use url::Url;

use super::text::{clean, is_product_slug};
use crate::settings::KeeperSettings;

/// Longest URL of a product, in bytes.
const MAX_URL: usize = 2_048;

/// A Keeper of the settings.
#[derive(Debug, Clone)]
pub struct Keeper {
    /// What it is called here.
    pub name: String,
    /// Where it is asked, without a slash at its end.
    pub base: Url,
    /// All that it is known as.
    known_as: Vec<Place>,
    /// Folder of its dashboards; empty: they lie at the top.
    pub prefix: String,
    /// For its second API.
    pub token: Option<SecretString>,
    /// Whose projects are read by its second API.
    pub organization: Option<String>,
    /// Whether it may have a private address.
    pub private_ok: bool,
}

/// Where a URL begins: its origin, and the path before its own.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    origin: String,
    path: String,
}

impl Place {
    fn of(url: &Url) -> Place {
        Place {
            origin: url.origin().ascii_serialization(),
            path: url.path().trim_end_matches('/').to_owned(),
        }
    }

    /// What follows this place in a URL that lies below it.
    fn below<'a>(&self, url: &'a Url) -> Option<&'a str> {
        let same = url.origin().ascii_serialization() == self.origin;
        url.path()
            .strip_prefix(self.path.as_str())
            .filter(|rest| same && rest.starts_with('/'))
    }
}

/// Why a URL or a slug names no product that may be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    /// The settings have no Keeper.
    #[error("no LTD Keeper is configured (dashboard.keepers)")]
    NoKeeper,
    /// Too long, or no URL at all.
    #[error("expected the http(s) URL of a product of LTD Keeper, of at most {MAX_URL} bytes")]
    NoUrl,
    /// More than origin and path.
    #[error("a product's URL has no user, query or fragment")]
    Decorated,
    /// Not one of ours.
    #[error("it is not below the URL of a configured LTD Keeper")]
    Elsewhere,
    /// Something else than a product.
    #[error("its path is not that of a product (expected /products/SLUG)")]
    NoProduct,
    /// Not a slug.
    #[error("{0:?} is not the slug of a product (a-z, 0-9 and -, beginning with a letter)")]
    NoSlug(String),
}

/// The Keepers of the settings.
#[derive(Debug, Clone, Default)]
pub struct Keepers(Vec<Keeper>);

/// A product of one of them.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// Whose.
    pub keeper: &'a Keeper,
    /// Its name.
    pub slug: String,
}

impl Wanted<'_> {
    /// What tells it from all other products.
    pub fn key(&self) -> String {
        format!("{}/{}", self.keeper.name, self.slug)
    }
}

impl Keepers {
    /// Of these settings, which have been checked.
    pub fn new(settings: &[KeeperSettings]) -> Keepers {
        let keeper = |settings: &KeeperSettings| {
            let mut base = settings.base_url.clone();
            let path = base.path().trim_end_matches('/').to_owned();
            base.set_path(&path);
            let known_as = std::iter::once(&settings.base_url).chain(&settings.public_urls);
            Keeper {
                name: settings.name.clone(),
                known_as: known_as.map(Place::of).collect(),
                base,
                prefix: settings.prefix.clone(),
                token: settings.token.clone(),
                organization: settings.organization.clone(),
                private_ok: settings.private_ok,
            }
        };
        Keepers(settings.iter().map(keeper).collect())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Keeper> {
        self.0.iter()
    }

    /// The one whose dashboards lie in this folder.
    pub fn with_prefix(&self, prefix: &str) -> Option<&Keeper> {
        self.iter().find(|keeper| keeper.prefix == prefix)
    }

    /// The one of this name.
    pub fn named(&self, name: &str) -> Option<&Keeper> {
        self.iter().find(|keeper| keeper.name == name)
    }

    /// The product of this slug of the first Keeper, or of the one that is named before a slash.
    pub fn product(&self, text: &str) -> Result<Wanted<'_>, NotAllowed> {
        let first = self.0.first().ok_or(NotAllowed::NoKeeper)?;
        let named = text.split_once('/');
        let named = named.and_then(|(name, slug)| Some((self.named(name)?, slug)));
        let (keeper, slug) = named.unwrap_or((first, text));
        Ok(Wanted {
            keeper,
            slug: checked(slug)?,
        })
    }

    /// The product that a URL names, as Keeper gives it to who is to build its dashboard.
    pub fn resolve(&self, text: &str) -> Result<Wanted<'_>, NotAllowed> {
        if self.0.is_empty() {
            return Err(NotAllowed::NoKeeper);
        }
        // What the standard of the web leaves out or mends while it reads could be read otherwise by others.
        let is_odd = |c: char| c.is_control() || c.is_whitespace() || c == '\\';
        if text.len() > MAX_URL || text.contains(is_odd) {
            return Err(NotAllowed::NoUrl);
        }
        let url = Url::parse(text).map_err(|_| NotAllowed::NoUrl)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(NotAllowed::NoUrl);
        }
        // An empty user is one too: the text has an @.
        let has_user = text.split_once(':').is_some_and(|(_, rest)| {
            let rest = rest.trim_start_matches('/');
            let authority = rest.split(['/', '?', '#']).next();
            authority.unwrap_or_default().contains('@')
        });
        let has_user = has_user || !url.username().is_empty() || url.password().is_some();
        if has_user || url.query().is_some() || url.fragment().is_some() {
            return Err(NotAllowed::Decorated);
        }
        let mut refusal = NotAllowed::Elsewhere;
        for keeper in &self.0 {
            for place in &keeper.known_as {
                let Some(path) = place.below(&url) else {
                    continue;
                };
                match keeper.slug_in(path.strip_suffix('/').unwrap_or(path)) {
                    Some(slug) => {
                        let slug = checked(slug)?;
                        return Ok(Wanted { keeper, slug });
                    }
                    None => refusal = NotAllowed::NoProduct,
                }
            }
        }
        Err(refusal)
    }
}

impl Keeper {
    /// The slug in the path of a product, or of a project of the organisation.
    fn slug_in<'a>(&self, path: &'a str) -> Option<&'a str> {
        let of_project = || {
            let organization = self.organization.as_deref()?;
            let rest = path.strip_prefix("/v2/orgs/")?.strip_prefix(organization)?;
            rest.strip_prefix("/projects/")
        };
        path.strip_prefix("/products/").or_else(of_project)
    }

    /// The number of a member of a product (`/editions/1`, `/builds/1`) that a URL of this Keeper's names.
    pub fn member(&self, text: &str, collection: &str) -> Option<u64> {
        let url = Url::parse(text).ok().filter(|_| text.len() <= MAX_URL)?;
        if url.query().is_some()
            || url.fragment().is_some()
            || !url.username().is_empty()
            || url.password().is_some()
        {
            return None;
        }
        let path = self.known_as.iter().find_map(|place| place.below(&url))?;
        let number = path
            .strip_prefix('/')?
            .strip_prefix(collection)?
            .strip_prefix('/')?;
        let is_number = number.bytes().all(|b| b.is_ascii_digit());
        is_number.then(|| number.parse().ok())?
    }

    /// The slug of the product that a URL of this Keeper's names.
    pub fn slug_of(&self, text: &str) -> Option<String> {
        let url = Url::parse(text).ok().filter(|_| text.len() <= MAX_URL)?;
        let path = self.known_as.iter().find_map(|place| place.below(&url))?;
        checked(self.slug_in(path)?).ok()
    }

    /// The URL of a path of its API, which begins with a slash.
    pub fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        let whole = format!("{}{path}", self.base.path().trim_end_matches('/'));
        url.set_path(&whole);
        url
    }

    /// Where the dashboard of a product lies below that of all.
    pub fn path(&self, slug: &str) -> String {
        if self.prefix.is_empty() {
            slug.to_owned()
        } else {
            format!("{}/{slug}", self.prefix)
        }
    }

    /// Where the files of a product are stored.
    pub fn folder(&self, slug: &str) -> String {
        format!("dashboards/{}", self.path(slug))
    }
}

fn checked(slug: &str) -> Result<String, NotAllowed> {
    if is_product_slug(slug) {
        Ok(slug.to_owned())
    } else {
        Err(NotAllowed::NoSlug(clean(slug)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keepers() -> Keepers {
        let keeper = |name: &str, base: &str, public: &[&str], prefix: &str| KeeperSettings {
            name: name.into(),
            base_url: base.parse().unwrap(),
            public_urls: public.iter().map(|url| url.parse().unwrap()).collect(),
            prefix: prefix.into(),
            token: None,
            organization: None,
            private_ok: true,
        };
        let mut second = keeper(
            "two",
            "http://two.internal/ltd/",
            &["https://two.example.org"],
            "two",
        );
        second.organization = Some("rubin".into());
        Keepers::new(&[
            keeper("one", "http://keeper:3031", &["https://keeper.example.org/"], ""),
            second,
        ])
    }

    #[test]
    fn a_url_chooses_a_slug_and_the_settings_the_server() {
        let keepers = keepers();
        for (url, keeper, asked) in [
            (
                "http://keeper:3031/products/pipes",
                "one",
                "http://keeper:3031/products/pipes",
            ),
            (
                "https://keeper.example.org/products/pipes/",
                "one",
                "http://keeper:3031/products/pipes",
            ),
            (
                "https://keeper.example.org:443/products/pipes",
                "one",
                "http://keeper:3031/products/pipes",
            ),
            (
                "https://two.example.org/products/pipes",
                "two",
                "http://two.internal/ltd/products/pipes",
            ),
            (
                "http://two.internal/ltd/v2/orgs/rubin/projects/pipes",
                "two",
                "http://two.internal/ltd/products/pipes",
            ),
        ] {
            let wanted = keepers
                .resolve(url)
                .unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!(
                (wanted.keeper.name.as_str(), wanted.slug.as_str()),
                (keeper, "pipes"),
                "{url}"
            );
            let asks = wanted.keeper.url(&format!("/products/{}", wanted.slug));
            assert_eq!(asks.as_str(), asked, "{url}");
        }
        assert_eq!(keepers.product("pipes").unwrap().key(), "one/pipes");
        assert_eq!(keepers.product("two/pipes").unwrap().key(), "two/pipes");
        for text in ["three/pipes", "two/", "two/../x", "two/one/pipes", "/pipes"] {
            assert!(
                matches!(keepers.product(text), Err(NotAllowed::NoSlug(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_not_a_product_of_a_keeper_is_refused() {
        let keepers = keepers();
        for (url, refusal) in [
            ("http://169.254.169.254/products/pipes", NotAllowed::Elsewhere),
            ("http://keeper/products/pipes", NotAllowed::Elsewhere),
            ("https://keeper:3031/products/pipes", NotAllowed::Elsewhere),
            ("http://keeper:3031.evil.org/products/pipes", NotAllowed::NoUrl),
            ("http://keeper.example.org/products/pipes", NotAllowed::Elsewhere),
            ("http://two.internal/products/pipes", NotAllowed::Elsewhere),
            ("http://two.internal/ltdx/products/pipes", NotAllowed::Elsewhere),
            (
                "http://keeper:3031@evil.org/products/pipes",
                NotAllowed::Decorated,
            ),
            ("http://me:pw@keeper:3031/products/pipes", NotAllowed::Decorated),
            ("http://@keeper:3031/products/pipes", NotAllowed::Decorated),
            ("http:me:pw@keeper:3031/products/pipes", NotAllowed::Decorated),
            ("http:/me@keeper:3031/products/pipes", NotAllowed::Decorated),
            ("http:///@keeper:3031/products/pipes", NotAllowed::Decorated),
            ("http:@keeper:3031/products/pipes", NotAllowed::Decorated),
            ("http:\\\\me@keeper:3031/products/pipes", NotAllowed::NoUrl),
            ("http://keeper:3031\\products/pipes", NotAllowed::NoUrl),
            ("ht\ntp://keeper:3031/products/pipes", NotAllowed::NoUrl),
            ("http://keeper:3031/products/pi\tpes", NotAllowed::NoUrl),
            (" http://keeper:3031/products/pipes", NotAllowed::NoUrl),
            ("http://keeper:3031/products/pipes?x", NotAllowed::Decorated),
            ("http://keeper:3031/products/pipes#x", NotAllowed::Decorated),
            ("http://keeper:3031/editions/1", NotAllowed::NoProduct),
            (
                "http://keeper:3031/v2/orgs/rubin/projects/pipes",
                NotAllowed::NoProduct,
            ),
            (
                "http://two.internal/ltd/v2/orgs/other/projects/pipes",
                NotAllowed::NoProduct,
            ),
            ("http://keeper:3031/", NotAllowed::NoProduct),
            ("file:///products/pipes", NotAllowed::NoUrl),
            ("products/pipes", NotAllowed::NoUrl),
            ("", NotAllowed::NoUrl),
        ] {
            assert_eq!(keepers.resolve(url).unwrap_err(), refusal, "{url}");
        }
        for slug in ["a%2fb", "..%2fx", "A", "pipes/builds", "pipes//"] {
            let url = format!("http://keeper:3031/products/{slug}");
            assert!(
                matches!(keepers.resolve(&url), Err(NotAllowed::NoSlug(_))),
                "{slug}"
            );
        }
        let long = format!("http://keeper:3031/products/{}", "x".repeat(MAX_URL));
        assert_eq!(keepers.resolve(&long).unwrap_err(), NotAllowed::NoUrl);
        assert_eq!(Keepers::default().resolve("x").unwrap_err(), NotAllowed::NoKeeper);
    }

    #[test]
    fn members_are_numbers_of_the_same_keeper() {
        let keepers = keepers();
        let two = keepers.with_prefix("two").unwrap();
        assert_eq!(
            two.member("https://two.example.org/editions/12", "editions"),
            Some(12)
        );
        assert_eq!(two.member("http://two.internal/ltd/builds/1", "builds"), Some(1));
        for url in [
            "http://two.internal/builds/1",
            "https://two.example.org/builds/1",
            "https://evil.org/editions/1",
            "https://me@two.example.org/editions/1",
            "https://two.example.org/editions/",
            "https://two.example.org/editions/1/..",
            "https://two.example.org/editions/../products/x",
            "https://two.example.org/editions/1?x",
            "https://two.example.org/editions/99999999999999999999",
            "//two.example.org/editions/1",
        ] {
            assert_eq!(two.member(url, "editions"), None, "{url}");
        }
    }
}
