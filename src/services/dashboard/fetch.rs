//! Asks a Keeper for a product: all at once, piece by piece where it cannot do that, or by its second API.
//!
//! Whatever it does, an answer takes bounded time and memory; redirects are not followed, and members only where they
//! belong.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use reqwest::{
    Client, RequestBuilder, Response, StatusCode,
    header::{ACCEPT, CONTENT_ENCODING, RETRY_AFTER},
};
use secrecy::ExposeSecret;
use tokio::{sync::Semaphore, time};
use url::Url;

use super::{
    keeper::Keeper,
    normalise::{NormaliseError, normalise},
    product::Product,
    wire::{self, Answers, MAX_PRODUCTS, Most, Rows, WireError},
};
use crate::{
    net::{self, NetError, Reach},
    settings::DashboardSettings,
};

/// Longest time for all questions about a product, or about which there are, by that for one of them.
const ANSWERS: u32 = 4;
/// Members that are asked for at a time.
const MEMBERS_AT_ONCE: usize = 8;
/// Products that a Keeper is asked for at a time.
const PRODUCTS_AT_ONCE: usize = 4;
/// How often a question is asked again.
const RETRIES: u32 = 3;
/// First pause before that, doubled each time.
const PAUSE: Duration = Duration::from_millis(250);

/// Longest pause that a Keeper may ask for with somebody waiting.
const MAX_PAUSE: Duration = Duration::from_secs(3);

/// Why a Keeper did not give a product.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// It knows no such product.
    #[error("LTD Keeper {keeper} has no product {slug:?}")]
    Missing {
        /// The Keeper.
        keeper: String,
        /// The product.
        slug: String,
    },
    /// It may answer another time.
    #[error("LTD Keeper {keeper} does not answer as it should: {why}")]
    Ill {
        /// The Keeper.
        keeper: String,
        /// What it did.
        why: String,
    },
    /// It answered, and another time it will be the same.
    #[error("LTD Keeper {keeper}: {why}")]
    Broken {
        /// The Keeper.
        keeper: String,
        /// What is wrong.
        why: String,
    },
}

/// Asks one Keeper.
pub struct Fetcher {
    keeper: Keeper,
    client: Client,
    /// For all questions about a product.
    budget: Duration,
    limits: Limits,
    at_once: Arc<Semaphore>,
}

/// How much a Keeper may answer, in bytes and in rows.
struct Limits {
    bulk: usize,
    list: usize,
    member: usize,
    most: Most,
}

impl From<&DashboardSettings> for Limits {
    fn from(settings: &DashboardSettings) -> Self {
        let bytes = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        Limits {
            bulk: bytes(settings.max_bulk),
            list: bytes(settings.max_list),
            member: bytes(settings.max_member),
            most: Most::from(settings),
        }
    }
}

/// What came of a question.
enum Answered {
    Body(Vec<u8>),
    /// It answered with a status that may mean something.
    Status(StatusCode),
}

impl Fetcher {
    /// For this Keeper, within the limits of the settings.
    pub fn new(keeper: Keeper, settings: &DashboardSettings) -> Result<Fetcher, reqwest::Error> {
        let answer = settings.timeout;
        Ok(Fetcher {
            limits: Limits::from(settings),
            client: net::neighbour(reach(&keeper), answer)?,
            budget: answer * ANSWERS,
            at_once: Arc::new(Semaphore::new(PRODUCTS_AT_ONCE)),
            keeper,
        })
    }

    /// The Keeper that is asked.
    pub fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    /// The product of this slug.
    pub async fn product(&self, slug: &str) -> Result<Product, FetchError> {
        let _one = self.at_once.acquire().await;
        let answers = time::timeout(self.budget, self.answers(slug))
            .await
            .map_err(|_| self.slow())??;
        let slug = slug.to_owned();
        let made = tokio::task::spawn_blocking(move || normalise(&slug, answers)).await;
        match made {
            Ok(Ok(product)) => Ok(product),
            Ok(Err(error @ NormaliseError::Another { .. })) => Err(self.broken(error.to_string())),
            Err(error) => Err(self.ill(error.to_string())),
        }
    }

    /// Slugs of all its products, sorted.
    pub async fn slugs(&self) -> Result<Vec<String>, FetchError> {
        let listed = async {
            if let Some(organization) = &self.keeper.organization {
                let body = self
                    .body(&format!("/v2/orgs/{organization}/projects"), self.limits.list)
                    .await?;
                return self.read(wire::project_slugs(&body));
            }
            let body = self.body("/products/", self.limits.list).await?;
            let urls = self.read(wire::urls(&body, MAX_PRODUCTS, "product"))?;
            Ok(urls
                .good
                .iter()
                .filter_map(|url| self.keeper.slug_of(url))
                .collect())
        };
        let mut slugs: Vec<String> = time::timeout(self.budget, listed)
            .await
            .map_err(|_| self.slow())??;
        slugs.retain(|slug| super::text::is_product_slug(slug));
        slugs.sort();
        slugs.dedup();
        Ok(slugs)
    }

    async fn answers(&self, slug: &str) -> Result<Answers, FetchError> {
        if self.keeper.organization.is_some() {
            return self.by_second_api(slug).await;
        }
        match self
            .ask(&format!("/products/{slug}/dashboard"), self.limits.bulk)
            .await?
        {
            Answered::Body(body) => self.read_bulk(body).await,
            // Before 1.21.0, and in 2.x, there is no such thing; 404 may be the product's too, which will be seen.
            Answered::Status(
                StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED,
            ) => self.piece_by_piece(slug).await,
            Answered::Status(StatusCode::INTERNAL_SERVER_ERROR) => Err(self.why_500(slug).await),
            Answered::Status(status) => Err(self.refused(status)),
        }
    }

    /// The whole product in one answer, which may be long: it is read on a thread on which that may take its time.
    async fn read_bulk(&self, body: Vec<u8>) -> Result<Answers, FetchError> {
        let most = self.limits.most;
        match tokio::task::spawn_blocking(move || wire::bulk(&body, most)).await {
            Ok(read) => self.read(read),
            Err(error) => Err(self.ill(error.to_string())),
        }
    }

    /// Product, lists of URLs, and each member by its own: what 1.x could always do.
    async fn piece_by_piece(&self, slug: &str) -> Result<Answers, FetchError> {
        let body = match self.ask(&format!("/products/{slug}"), self.limits.member).await? {
            Answered::Body(body) => body,
            Answered::Status(StatusCode::NOT_FOUND) => return Err(self.missing(slug)),
            Answered::Status(StatusCode::INTERNAL_SERVER_ERROR) => return Err(self.why_500(slug).await),
            Answered::Status(status) => return Err(self.refused(status)),
        };
        let product = self.read(wire::product(&body))?;
        let editions = self
            .body(&format!("/products/{slug}/editions/"), self.limits.list)
            .await?;
        let editions = self.read(wire::urls(&editions, self.limits.most.editions, "edition"))?;
        let builds = self
            .body(&format!("/products/{slug}/builds/"), self.limits.list)
            .await?;
        let builds = self.read(wire::urls(&builds, self.limits.most.builds, "build"))?;
        Ok(Answers {
            product,
            editions: self.members(editions, "editions").await?,
            builds: self.members(builds, "builds").await?,
        })
    }

    /// Members, in the order of their URLs. One that has gone meanwhile is left out.
    async fn members<T: for<'a> serde::Deserialize<'a>>(
        &self,
        urls: Rows<String>,
        collection: &'static str,
    ) -> Result<Rows<T>, FetchError> {
        let mut rows = Rows {
            good: Vec::new(),
            bad: urls.bad,
        };
        let questions: Vec<_> = urls
            .good
            .iter()
            .map(|url| self.member(url, collection).boxed())
            .collect();
        let mut asked = stream::iter(questions).buffered(MEMBERS_AT_ONCE);
        while let Some((url, answered)) = asked.try_next().await? {
            match answered {
                Some(Answered::Body(body)) => rows.add(&body, collection),
                Some(Answered::Status(StatusCode::NOT_FOUND)) => {
                    rows.bad
                        .push(format!("{}: it has gone meanwhile", super::text::clean(url)));
                }
                Some(Answered::Status(status)) => return Err(self.refused(status)),
                None => rows.bad.push(format!(
                    "{}: not the URL of a member of the {collection} of this Keeper",
                    super::text::clean(url)
                )),
            }
        }
        Ok(rows)
    }

    /// The answer about one member; none if the URL is not that of one.
    async fn member<'a>(
        &self,
        url: &'a str,
        collection: &str,
    ) -> Result<(&'a str, Option<Answered>), FetchError> {
        let Some(number) = self.keeper.member(url, collection) else {
            return Ok((url, None));
        };
        let answered = self
            .ask(&format!("/{collection}/{number}"), self.limits.member)
            .await?;
        Ok((url, Some(answered)))
    }

    async fn by_second_api(&self, slug: &str) -> Result<Answers, FetchError> {
        let organization = self.keeper.organization.as_deref().unwrap_or_default();
        let project = format!("/v2/orgs/{organization}/projects/{slug}");
        let body = match self.ask(&project, self.limits.member).await? {
            Answered::Body(body) => body,
            Answered::Status(StatusCode::NOT_FOUND) => return Err(self.missing(slug)),
            Answered::Status(status) => return Err(self.refused(status)),
        };
        let product = self.read(wire::product(&body))?;
        let editions = self
            .body(&format!("{project}/editions"), self.limits.bulk)
            .await?;
        let builds = self.body(&format!("{project}/builds"), self.limits.bulk).await?;
        Ok(Answers {
            product,
            editions: self.read(wire::editions(&editions, self.limits.most.editions))?,
            builds: self.read(wire::builds(&builds, self.limits.most.builds))?,
        })
    }

    /// What a 500 means: 1.23.0 answers so for a product that it does not know.
    async fn why_500(&self, slug: &str) -> FetchError {
        let listed = match self.body("/products/", self.limits.list).await {
            Ok(body) => self.read(wire::urls(&body, MAX_PRODUCTS, "product")),
            Err(error) => return error,
        };
        match listed {
            Ok(urls)
                if urls
                    .good
                    .iter()
                    .any(|url| self.keeper.slug_of(url).as_deref() == Some(slug)) =>
            {
                self.ill("it answered 500".to_owned())
            }
            Ok(_) => self.missing(slug),
            Err(error) => error,
        }
    }

    /// The answer to a question that has to have one.
    async fn body(&self, path: &str, limit: usize) -> Result<Vec<u8>, FetchError> {
        match self.ask(path, limit).await? {
            Answered::Body(body) => Ok(body),
            Answered::Status(status) => Err(self.refused(status)),
        }
    }

    /// Asks, and again if it is only busy.
    async fn ask(&self, path: &str, limit: usize) -> Result<Answered, FetchError> {
        let url = self.keeper.url(path);
        if !net::may_reach(reach(&self.keeper), &url) {
            return Err(self.broken("its address is not in the public network (private_ok)".to_owned()));
        }
        let mut tried = 0;
        loop {
            let (why, pause) = match self.request(url.clone()).send().await {
                Ok(response) => match busy(&response) {
                    Some(pause) => (format!("it answered {}", response.status().as_u16()), pause),
                    None => return self.answered(response, limit).await,
                },
                Err(error) if error.is_connect() || error.is_timeout() => {
                    (NetError::from(error).to_string(), None)
                }
                Err(error) => return Err(self.ill(NetError::from(error).to_string())),
            };
            if tried == RETRIES {
                return Err(self.ill(why));
            }
            let pause = pause.unwrap_or_else(|| jittered(PAUSE * 2_u32.pow(tried)));
            // A worker does not wait for it: there is another time.
            if pause > MAX_PAUSE.min(self.budget / ANSWERS) {
                return Err(self.ill(format!("{why}, and asks to come back in {} s", pause.as_secs())));
            }
            time::sleep(pause).await;
            tried += 1;
        }
    }

    fn request(&self, url: Url) -> RequestBuilder {
        let request = self.client.get(url).header(ACCEPT, "application/json");
        match &self.keeper.token {
            Some(token) if self.keeper.organization.is_some() => {
                request.basic_auth(token.expose_secret(), Some(""))
            }
            _ => request,
        }
    }

    async fn answered(&self, response: Response, limit: usize) -> Result<Answered, FetchError> {
        if response.status() != StatusCode::OK {
            return Ok(Answered::Status(response.status()));
        }
        // Nothing asked for it; what it would swell to is not known.
        if response
            .headers()
            .get(CONTENT_ENCODING)
            .is_some_and(|coding| coding != "identity")
        {
            return Err(self.broken("it answered with compressed content that was not asked for".to_owned()));
        }
        match net::body(response, limit).await {
            Ok(body) => Ok(Answered::Body(body)),
            Err(error) => Err(self.ill(error.to_string())),
        }
    }

    fn read<T>(&self, read: Result<T, WireError>) -> Result<T, FetchError> {
        read.map_err(|error| match error {
            WireError::Shape(_) => self.broken(error.to_string()),
            _ => self.ill(error.to_string()),
        })
    }

    fn missing(&self, slug: &str) -> FetchError {
        FetchError::Missing {
            keeper: self.keeper.name.clone(),
            slug: slug.to_owned(),
        }
    }

    fn slow(&self) -> FetchError {
        self.ill(format!("it took longer than {} s", self.budget.as_secs_f64()))
    }

    fn ill(&self, why: String) -> FetchError {
        FetchError::Ill {
            keeper: self.keeper.name.clone(),
            why,
        }
    }

    fn broken(&self, why: String) -> FetchError {
        FetchError::Broken {
            keeper: self.keeper.name.clone(),
            why,
        }
    }

    fn refused(&self, status: StatusCode) -> FetchError {
        let number = status.as_u16();
        if status.is_redirection() {
            self.broken(format!("it answered {number}; redirects are not followed"))
        } else if status.is_server_error() {
            self.ill(format!("it answered {number}"))
        } else {
            self.broken(format!("it answered {number}"))
        }
    }
}

fn reach(keeper: &Keeper) -> Reach {
    if keeper.private_ok {
        Reach::Anywhere
    } else {
        Reach::Public
    }
}

/// Whether it is worth while to ask again, and after what pause if it says so.
#[expect(clippy::option_option, reason = "busy or not, and with a pause or not")]
#[expect(
    clippy::disallowed_methods,
    reason = "a peer gives a date of its clock; the pause is bounded"
)]
fn busy(response: &Response) -> Option<Option<Duration>> {
    let is_busy = matches!(
        response.status(),
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    );
    let pause = || retry_after(response.headers().get(RETRY_AFTER)?.to_str().ok()?, Utc::now());
    is_busy.then(pause)
}

/// The pause that is asked for, in seconds or until a date (RFC 9110 section 10.2.3).
fn retry_after(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = DateTime::parse_from_rfc2822(text.trim()).ok()?.to_utc();
    // What is over asks for none.
    Some((date - now).to_std().unwrap_or_default())
}

/// Half of a pause to all of it, so that those who failed together do not come together again.
fn jittered(pause: Duration) -> Duration {
    let nanos = uuid::Uuid::now_v7().as_u128();
    let share = (nanos % 1_000) as f64 / 1_000.0;
    pause.mul_f64(0.5 + share / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_asked_for_in_seconds_or_until_a_date() {
        let now = "2026-11-21T22:00:00Z".parse().unwrap();
        for (text, seconds) in [
            ("0", Some(0)),
            (" 3600 ", Some(3_600)),
            ("Sat, 21 Nov 2026 22:01:30 GMT", Some(90)),
            ("Sat, 21 Nov 2026 21:00:00 GMT", Some(0)),
            ("-1", None),
            ("1.5", None),
            ("later", None),
        ] {
            assert_eq!(retry_after(text, now), seconds.map(Duration::from_secs), "{text}");
        }
    }
}
