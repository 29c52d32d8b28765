//! The face towards the Virtual Observatory: SIA 2.0, DataLink 1.1, whole images, DALI's examples.

use std::{io, sync::Arc};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use poem::{Body, Request};
use poem_openapi::{OpenApi, param::Query as OfQuery};
use sha2::{Digest, Sha256};

use super::{Site, examples, stored};
use crate::{
    fits::{Source, SourceError},
    http::{Asked, Content, Form, Identified, Once, Problem, Reply, Representation, Selected, Table, Xhtml},
    jobs::JobsError,
    objects::ObjectsError,
    services::cutout::{
        Cutout,
        datalink::{self, Linked},
        identifier, obscore,
        search::Search,
        sia::Query,
    },
    store::{Catalogued, StoreError},
    uws::votable::{self, Purpose, Status, VoTable},
};

/// Most IDs of one request for links.
const MOST_IDS: usize = 500;
/// Ending of images that are compressed as a whole.
const GZIP: &str = ".gz";
/// Bytes that are read of an image at a time.
const PIECE: u64 = 4 << 20;

/// The API of these standards.
pub struct Vo(pub(super) Arc<Site>);

#[OpenApi(prefix_path = "/api/cutout", ignore_case)]
impl Vo {
    /// Images, by position, wavelength, time and more (SIA 2.0)
    ///
    /// Every parameter may be repeated, its values are alternatives; all parameters must hold. Angles are ICRS degrees;
    /// ranges are `LOW HIGH`, whose ends may be `-Inf` and `+Inf`. POS: `CIRCLE ra dec radius`, `RANGE ra1 ra2 dec1 dec2`
    /// or `POLYGON ra dec …`. BAND: wavelengths in m. TIME: MJD (UTC). POL: polarization states. FOV: deg. SPATRES: arcsec.
    /// EXPTIME, TIMERES: s. SPECRP. ID: `collection/path` or `obs_publisher_did`. COLLECTION, FACILITY, INSTRUMENT, TARGET:
    /// names. DPTYPE: `image`, `cube`. CALIB: 0 to 4. FORMAT: media type. MAXREC: most rows, 0 for the columns alone.
    /// RESPONSEFORMAT: `votable` or its media types. Other names mean nothing. The rows have the columns of ObsCore 1.1;
    /// `access_url` is a DataLink document.
    #[oai(path = "/query", method = "get", operation_id = "queryImages")]
    async fn query(
        &self,
        Identified(_caller): Identified,
        Asked(form): Asked,
    ) -> Result<Reply<Table>, Problem> {
        self.found(&form).await.map_err(Problem::in_table)
    }

    /// The same, by a form
    #[oai(path = "/query", method = "post", operation_id = "postImageQuery")]
    async fn post_query(&self, Identified(_caller): Identified, form: Form) -> Result<Reply<Table>, Problem> {
        self.found(&form).await.map_err(Problem::in_table)
    }

    /// What can be had of images (DataLink 1.1)
    ///
    /// ID: `collection/path` or `obs_publisher_did`, repeated for several images. Each has the whole image and descriptors
    /// of its cutouts (SODA) with the values that make sense. RESPONSEFORMAT: `votable` or its media types.
    #[oai(path = "/links", method = "get", operation_id = "getLinks")]
    async fn links(
        &self,
        Identified(_caller): Identified,
        Asked(form): Asked,
    ) -> Result<Reply<Table>, Problem> {
        self.linked(&form).await.map_err(Problem::in_table)
    }

    /// The same, by a form
    #[oai(path = "/links", method = "post", operation_id = "postLinks")]
    async fn post_links(&self, Identified(_caller): Identified, form: Form) -> Result<Reply<Table>, Problem> {
        self.linked(&form).await.map_err(Problem::in_table)
    }

    /// A whole image as it is kept, or a part of it by `Range`
    ///
    /// One that is kept compressed by gzip (`.gz`) is inflated.
    #[oai(path = "/image", method = "get", operation_id = "getWholeImage")]
    async fn image(
        &self,
        Identified(_caller): Identified,
        /// `collection/path` or `obs_publisher_did`.
        #[oai(name = "ID")]
        id: OfQuery<Once<String>>,
        request: &Request,
    ) -> Result<Reply<Content>, Problem> {
        let id =
            id.0.0
                .ok_or_else(|| Problem::usage("ID", "missing (expected COLLECTION/PATH)"))?;
        let found = self.find(&id).await?.map(|(_, found)| found);
        let image = found.ok_or_else(|| Problem::not_found("image not found"))?.image;
        let source = self
            .0
            .sources
            .open(&image.url)
            .await
            .map_err(|error| match error {
                ObjectsError::NotFound => Problem::not_found("the image is no longer there"),
                other => Problem::unavailable(other),
            })?;
        // A store's tag may have any form, and be weak where it is not ours to compare.
        let tag = source.etag().map(|tag| hex::encode(&Sha256::digest(tag)[..16]));
        let representation = Representation {
            media_type: datalink::FITS,
            name: inflated(&image.path),
            tag: tag.as_deref(),
            size: source.size(),
        };
        Ok(Reply::of(match representation.select(request)? {
            Selected::Answered(response) => response,
            Selected::Bytes(builder, range) => {
                let range = range.unwrap_or(0..source.size());
                builder.body(Body::from_bytes_stream(pieces(source, range)))
            }
        }))
    }

    /// How to use the service, by example (DALI 1.1 section 2.3)
    #[oai(path = "/examples", method = "get", operation_id = "getExamples")]
    async fn examples(&self, Identified(_caller): Identified) -> Result<Reply<Xhtml>, Problem> {
        let store = &self.0.cutout()?.store;
        let names = store.collections().await.map_err(stored)?;
        let images = store
            .images(&crate::store::ImageFilter::default(), None, 100)
            .await
            .map_err(stored)?;
        let image = images.iter().find(|found| found.image.cap.is_some());
        let example = image.and_then(|found| {
            let collection = names
                .iter()
                .find(|collection| collection.id == found.collection)?;
            Some((collection.name.as_str(), &found.image))
        });
        Ok(Reply::xhtml(examples::page(
            example,
            &self.0.places,
            &self.0.publisher,
        )))
    }
}

impl Vo {
    async fn found(&self, form: &Form) -> Result<Reply<Table>, Problem> {
        let cutout = Arc::clone(self.0.cutout()?);
        let media_type = media_type(form, votable::MEDIA_TYPE)?;
        let asked = |name: &str| form.texts(name);
        let query = Query::read(&asked).map_err(JobsError::Usage)?;
        let search = Search::begin(&cutout.store, &query).await.map_err(stored)?;
        let mut answer = Answer::begin(cutout, Arc::clone(&self.0), search, query);
        // What goes wrong at once has a status of its own.
        let first = answer.piece().await.map_err(stored)?;
        let rest = stream::unfold(Some(answer), |answer| async {
            let mut answer = answer?;
            match answer.piece().await {
                Ok(piece) => Some((piece?, Some(answer))),
                Err(error) => Some((answer.failed(error), None)),
            }
        });
        let whole = stream::iter(first).chain(rest).map(Ok::<_, io::Error>);
        Ok(Reply::table(&media_type, Body::from_bytes_stream(whole)))
    }

    async fn linked(&self, form: &Form) -> Result<Reply<Table>, Problem> {
        self.0.cutout()?;
        let media_type = media_type(form, datalink::MEDIA_TYPE)?;
        let ids = form.texts("ID");
        let ids: Vec<&str> = ids
            .into_iter()
            .map(str::trim)
            .filter(|id| !id.is_empty())
            .collect();
        let mut found = Vec::new();
        for id in ids.iter().take(MOST_IDS) {
            found.push((*id, self.find(id).await?));
        }
        let linked: Vec<Linked<'_>> = found
            .iter()
            .map(|(id, found)| match found {
                Some((collection, found)) => Linked::Image {
                    id,
                    did: identifier::write(&self.0.publisher, collection, &found.image.path),
                    image: &found.image,
                },
                None => Linked::Unknown(id),
            })
            .collect();
        let document = datalink::document(&linked, &self.0.places, ids.len() > MOST_IDS);
        Ok(Reply::table(&media_type, document))
    }

    /// The image of an ID, looked up in the catalogue, and its collection.
    async fn find(&self, id: &str) -> Result<Option<(String, Catalogued)>, Problem> {
        let store = &self.0.cutout()?.store;
        let Some((name, path)) = identifier::read(id) else {
            return Ok(None);
        };
        let Some(collection) = store.collection(&name).await.map_err(stored)? else {
            return Ok(None);
        };
        let found = store.image(collection, &path).await.map_err(stored)?;
        Ok(found.map(|found| (name, found)))
    }
}

/// The name of an image as it is served: inflated.
fn inflated(path: &str) -> &str {
    match path
        .len()
        .checked_sub(GZIP.len())
        .and_then(|at| path.split_at_checked(at))
    {
        Some((stem, ending)) if ending.eq_ignore_ascii_case(GZIP) => stem,
        _ => path,
    }
}

/// The media type of the answer: RESPONSEFORMAT if it was asked for by one (DALI 1.1 section 3.4.3).
fn media_type(form: &Form, default: &str) -> Result<String, Problem> {
    const NAME: &str = "RESPONSEFORMAT";
    let Some(asked) = form
        .control(NAME)?
        .map(str::trim)
        .filter(|asked| !asked.is_empty())
    else {
        return Ok(default.to_owned());
    };
    let plain: String = asked.to_ascii_lowercase().split_whitespace().collect();
    let mut parts = plain.split(';');
    let known = match parts.next() {
        Some("votable") => return Ok(default.to_owned()),
        Some("application/x-votable+xml" | "text/xml") => parts.all(|parameter| {
            ["serialization=tabledata", "content=datalink", "charset=utf-8"].contains(&parameter)
        }),
        _ => false,
    };
    if known {
        Ok(plain)
    } else {
        let asked: String = asked.chars().take(80).collect();
        let message =
            format!("{asked:?} is not made (expected votable, application/x-votable+xml or text/xml)");
        Err(Problem::usage(NAME, message))
    }
}

/// The answer to a SIA query, written while it is sent.
struct Answer {
    cutout: Arc<Cutout>,
    site: Arc<Site>,
    search: Search,
    query: Query,
    /// Rows that may still be written.
    left: u64,
    /// `None` once it is complete.
    table: Option<VoTable>,
}

impl Answer {
    fn begin(cutout: Arc<Cutout>, site: Arc<Site>, search: Search, query: Query) -> Self {
        let mut table = VoTable::new();
        table
            .resource(Purpose::Results, None)
            .description("Images (SIA 2.0, ObsCore 1.1)")
            .status(Status::Ok)
            .table("images", &obscore::FIELDS);
        Answer {
            cutout,
            site,
            search,
            left: query.rows,
            query,
            table: Some(table),
        }
    }

    /// The next piece of the document; `None` after its end.
    async fn piece(&mut self) -> Result<Option<Bytes>, StoreError> {
        let Some(table) = &mut self.table else {
            return Ok(None);
        };
        // That there may be more is all that a client learns from asking for the columns alone.
        if self.query.rows == 0 {
            return Ok(self.end(Status::Overflow));
        }
        let page = self.search.next(&self.cutout.store).await?;
        if page.len() == 0 {
            return Ok(self.end(Status::Ok));
        }
        for (collection, found) in page {
            tokio::task::coop::consume_budget().await;
            if !self.query.takes(&found.image, &collection) {
                continue;
            }
            if self.left == 0 {
                return Ok(self.end(Status::Overflow));
            }
            self.left -= 1;
            let did = identifier::write(&self.site.publisher, &collection, &found.image.path);
            let links = self.site.places.links(&did);
            table.row(&obscore::row(&found, &collection, did, links));
        }
        Ok(Some(table.take().into()))
    }

    fn end(&mut self, status: Status<'_>) -> Option<Bytes> {
        let mut table = self.table.take()?;
        table.close();
        if status != Status::Ok {
            table.status(status);
        }
        table.close();
        datalink::for_column(&mut table, &self.site.places);
        Some(table.finish().into())
    }

    /// The end of a document whose rows could not all be had.
    fn failed(&mut self, error: StoreError) -> Bytes {
        let problem = stored(error);
        problem.log();
        self.end(Status::Error(&format!("ServiceUnavailable: {problem}")))
            .unwrap_or_default()
    }
}

/// The bytes of a range, read while they are sent.
fn pieces(
    source: Arc<dyn Source>,
    range: std::ops::Range<u64>,
) -> impl Stream<Item = Result<Bytes, io::Error>> + Send + 'static {
    stream::try_unfold((source, range), |(source, range)| async move {
        if range.is_empty() {
            return Ok(None);
        }
        let end = range.end.min(range.start + PIECE);
        let read = source.read(std::iter::once(range.start..end).collect()).await;
        let mut parts = read.map_err(|error: SourceError| io::Error::other(error))?;
        let piece = parts.pop().unwrap_or_default();
        Ok(Some((piece, (source, end..range.end))))
    })
}
