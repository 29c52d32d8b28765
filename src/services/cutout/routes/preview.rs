//! Pictures on demand: of a piece of an image, and of a FITS result.

use std::{net::IpAddr, sync::Arc};

use poem::{
    Request as HttpRequest, Response,
    http::{HeaderValue, StatusCode, header},
};
use poem_openapi::{
    OpenApi,
    param::{Path, Query},
};
use sha2::{Digest, Sha256};

use super::{
    super::{
        cutter::Options,
        image::{Fault, HduBox, NO_MATCHING_IMAGE, boxes, choose_planes, chosen},
        limits::MAX_PREVIEW,
        list::{List, Row},
        manifest::SOFTWARE,
        parameters::Request,
        picture::{self, StoredFile, Wish},
        plan::{PlanError, Selection},
        render::{PNG, parameters::style},
    },
    Site, stored,
};
use crate::{
    auth::TooFast,
    engine::UsageError,
    fits::{Cut, Edge, File, Packing, Reason},
    http::{Door, Identified, Once, ParameterFault, Picture, Problem, Reply, foreign},
    jobs::Place,
    sky::{Position, Shape, ShapeError},
    store::StoredResult,
    uws::{ParameterValue, Parameters},
};

/// Media type of the results that can be drawn.
const FITS: &str = "application/fits";

/// The API of pictures.
pub struct Previews(pub(super) Arc<Site>);

#[OpenApi]
impl Previews {
    /// A picture of a piece of an image
    ///
    /// PNG, north as the image has it: its first row at the bottom, its first axis to the right; undefined pixels are
    /// clear. The place is given by POS, CIRCLE, POLYGON, or RA and DEC with SIZE: one of them. The piece has at most
    /// 16,777,216 pixels. Of an image with further axes, and of a file with several images, the first is drawn.
    #[oai(
        path = "/api/v1/cutout/preview",
        method = "get",
        operation_id = "previewCutout"
    )]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the query")]
    async fn cutout(
        &self,
        Identified(_caller): Identified,
        /// The image, `collection/path`.
        #[oai(name = "ID")]
        id: Query<Once<String>>,
        /// Right ascension of the middle: ICRS degrees, or sexagesimal hours.
        #[oai(name = "RA")]
        ra: Query<Once<String>>,
        /// Declination of the middle: ICRS degrees, or sexagesimal.
        #[oai(name = "DEC")]
        dec: Query<Once<String>>,
        /// Width, or width,height, of the box around RA and DEC, with the suffix arcsec, arcmin, deg or px; by default
        /// 10 arcmin.
        #[oai(name = "SIZE")]
        size: Query<Once<String>>,
        /// A shape as SODA has it: `CIRCLE ra dec radius`, `RANGE ra1 ra2 dec1 dec2` or `POLYGON ra1 dec1 …` (deg).
        #[oai(name = "POS")]
        pos: Query<Once<String>>,
        /// `ra dec radius` (deg).
        #[oai(name = "CIRCLE")]
        circle: Query<Once<String>>,
        /// `ra1 dec1 ra2 dec2 ra3 dec3 …` (deg).
        #[oai(name = "POLYGON")]
        polygon: Query<Once<String>>,
        /// Name (EXTNAME) or number (0 = primary) of the HDU; by default the first image that the place lies on.
        #[oai(name = "HDU")]
        hdu: Query<Once<String>>,
        /// What is drawn as the first and the last colour: `MIN,MAX` in the image's unit, `P%`, `LOW%,HIGH%`, `symmetric`,
        /// `symmetric P%`, `minmax` or `zscale`.
        #[oai(name = "CUTS")]
        cuts: Query<Once<String>>,
        /// `linear`, `sqrt`, `log` or `asinh`.
        #[oai(name = "STRETCH")]
        stretch: Query<Once<String>>,
        /// `grey`, `viridis`, `magma`, `inferno`, `cubehelix` or `rdbu_r`.
        #[oai(name = "CMAP")]
        cmap: Query<Once<String>>,
        /// `true` turns the colours around.
        #[oai(name = "INVERT")]
        invert: Query<Once<String>>,
        /// Longest side of the picture in pixels, at most 2048.
        #[oai(name = "SIDE")]
        side: Query<Once<String>>,
        request: &HttpRequest,
    ) -> Result<Reply<Picture>, Problem> {
        let drawing = drawing([&cuts.0, &stretch.0, &cmap.0, &invert.0, &side.0]);
        let style = style(&drawing).map_err(usages)?;
        let shape = place(Asked {
            ra: ra.0.0,
            dec: dec.0.0,
            pos: pos.0.0,
            circle: circle.0.0,
            polygon: polygon.0.0,
        })?;
        let id =
            id.0.0
                .ok_or_else(|| Problem::usage("ID", "expected COLLECTION/PATH"))?;
        let asked = parameters([
            ("ID", Some(&id)),
            ("SIZE", size.0.0.as_ref()),
            ("HDUS", hdu.0.0.as_ref()),
        ]);
        let mut asked = Request::read(&asked, None, 1).map_err(usages)?;
        asked.list = List {
            rows: vec![Row::at(shape)],
            unused: Vec::new(),
        };
        let wish = Wish {
            hdu: None,
            style,
            source: id,
        };
        let picture = self.draw(&asked, wish).await?;
        let tag = format!("\"{}\"", hex::encode(Sha256::digest(&picture)));
        Ok(answer(
            request,
            &tag,
            "preview.png",
            "private, max-age=300",
            Some(picture),
        ))
    }

    /// A picture of a FITS result
    ///
    /// As `/api/v1/cutout/preview` draws, of the first image of the file.
    #[oai(
        path = "/api/v1/jobs/:id/results/:name/preview",
        method = "get",
        operation_id = "previewResult"
    )]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the query")]
    async fn result(
        &self,
        id: Path<String>,
        name: Path<String>,
        Identified(caller): Identified,
        /// Name (EXTNAME) or number (0 = primary) of the HDU.
        #[oai(name = "HDU")]
        hdu: Query<Once<String>>,
        /// See `/api/v1/cutout/preview`.
        #[oai(name = "CUTS")]
        cuts: Query<Once<String>>,
        /// See `/api/v1/cutout/preview`.
        #[oai(name = "STRETCH")]
        stretch: Query<Once<String>>,
        /// See `/api/v1/cutout/preview`.
        #[oai(name = "CMAP")]
        cmap: Query<Once<String>>,
        /// See `/api/v1/cutout/preview`.
        #[oai(name = "INVERT")]
        invert: Query<Once<String>>,
        /// Longest side of the picture in pixels, at most 2048.
        #[oai(name = "SIDE")]
        side: Query<Once<String>>,
        request: &HttpRequest,
    ) -> Result<Reply<Picture>, Problem> {
        let id = id.parse().map_err(|_| Problem::not_found("job not found"))?;
        let found = self
            .0
            .jobs
            .result(&caller, Place { service: None, id }, &name)
            .await?;
        let drawing = drawing([&cuts.0, &stretch.0, &cmap.0, &invert.0, &side.0]);
        self.of_result(request, &found, hdu.0.0, &drawing).await
    }

    /// A picture of a FITS result of a shared job
    #[oai(
        path = "/share/:secret/:id/results/:name/preview",
        method = "get",
        operation_id = "previewSharedResult"
    )]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the query")]
    async fn shared(
        &self,
        secret: Path<String>,
        id: Path<String>,
        name: Path<String>,
        /// Name (EXTNAME) or number (0 = primary) of the HDU.
        #[oai(name = "HDU")]
        hdu: Query<Once<String>>,
        /// See `/api/v1/cutout/preview`.
        #[oai(name = "CUTS")]
        cuts: Query<Once<String>>,
        /// See `/api/v1/cutout/preview`.
        #[oai(name = "STRETCH")]
        stretch: Query<Once<String>>,
        /// See `/api/v1/cutout/preview`.
        #[oai(name = "CMAP")]
        cmap: Query<Once<String>>,
        /// See `/api/v1/cutout/preview`.
        #[oai(name = "INVERT")]
        invert: Query<Once<String>>,
        /// Longest side of the picture in pixels, at most 2048.
        #[oai(name = "SIDE")]
        side: Query<Once<String>>,
        request: &HttpRequest,
    ) -> Result<Reply<Picture>, Problem> {
        slow_down(request)?;
        let (job, _) = self.0.jobs.shared(&secret).await?;
        if job.id.to_string() != *id {
            return Err(Problem::not_found("share not found"));
        }
        let found = self.0.jobs.shared_result(&secret, &name).await?;
        let drawing = drawing([&cuts.0, &stretch.0, &cmap.0, &invert.0, &side.0]);
        let mut response = self
            .of_result(request, &found, hdu.0.0, &drawing)
            .await?
            .into_inner();
        // The link is the key: it goes to no other site and into no index.
        let headers = response.headers_mut();
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert("x-robots-tag", HeaderValue::from_static("noindex, nofollow"));
        Ok(Reply::of(response))
    }
}

impl Previews {
    /// Cuts the place out of the image and draws it.
    async fn draw(&self, asked: &Request, wish: Wish) -> Result<bytes::Bytes, Problem> {
        let cutout = self.0.cutout()?;
        let selection = Selection::find(&cutout.store, asked).await.map_err(stored)?;
        let selection = selection.map_err(usages)?;
        let plan = selection
            .plan(&cutout.store, asked)
            .await
            .map_err(|error| match error {
                PlanError::Store(error) => stored(error),
                PlanError::TooMany => Problem::usage("ID", "names too many images"),
            })?;
        let Some(planned) = plan.images.first() else {
            return Err(Problem::not_found("the place lies on no such image"));
        };
        let row = &asked.list.rows[0];
        let region = |file: &File| first_box(file, asked, row);
        let options = Options {
            packing: Packing::Plain,
            edge: Edge::Trim,
            cards: &|_: &Cut| Vec::new(),
            weighed: false,
        };
        let file = cutout
            .cutter
            .cut_now(&planned.image, region, &options)
            .await
            .map_err(|fault| problem(&fault))?;
        let _held = cutout.cutter.memory().hold(2 * file.len() as u64).await;
        picture::of_bytes(file, wish)
            .await
            .map_err(|fault| problem(&fault))
    }

    async fn of_result(
        &self,
        request: &HttpRequest,
        found: &StoredResult,
        hdu: Option<String>,
        drawing: &Parameters,
    ) -> Result<Reply<Picture>, Problem> {
        let cutout = self.0.cutout()?;
        let style = style(drawing).map_err(usages)?;
        if found.media_type != FITS {
            let message = format!("the result is {}, of which there is no preview", found.media_type);
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, message));
        }
        // Neither the result nor what is made of it changes.
        let what = format!("{SOFTWARE} {} {hdu:?} {style:?}", found.sha256);
        let tag = format!("\"{}\"", hex::encode(Sha256::digest(what)));
        let name = format!("{}.png", found.name.trim_end_matches(".fits"));
        if unchanged(request, &tag) {
            return Ok(answer(request, &tag, &name, REVALIDATE, None));
        }
        let wish = Wish {
            hdu,
            style,
            source: found.name.clone(),
        };
        let file = StoredFile {
            results: self.0.jobs.objects().clone(),
            key: found.object.clone(),
            size: found.size,
        };
        let picture = picture::of_result(file, wish, cutout.cutter.memory())
            .await
            .map_err(|fault| problem(&fault))?;
        Ok(answer(request, &tag, &name, REVALIDATE, Some(picture)))
    }
}

/// Results are destroyed one day, and who may see them may change.
const REVALIDATE: &str = "private, no-cache";

/// The box of the place on the first HDU that it lies on, and of further axes the first plane.
fn first_box(file: &File, asked: &Request, row: &Row) -> Result<Vec<HduBox>, Fault> {
    let hdus = chosen(file, &asked.hdus)?;
    let found = boxes(file, &hdus, !asked.hdus.is_empty(), &row.shape, asked.size)?;
    let mut found = choose_planes(file, found, &asked.planes(row))?;
    found.truncate(1);
    for first in &mut found {
        let axes = file.hdus().get(first.hdu).map_or(0, |hdu| hdu.shape().len());
        let firsts = first.region.planes.iter().map(|planes| planes.start);
        let firsts = firsts.chain(std::iter::repeat(0)).take(axes.saturating_sub(2));
        first.region.planes = firsts.map(|first| first..first + 1).collect();
        let pixels = first
            .region
            .area
            .width()
            .saturating_mul(first.region.area.height());
        if pixels > MAX_PREVIEW {
            let message = format!("the piece has {pixels} pixels, at most {MAX_PREVIEW} are drawn");
            return Err(Fault::new(Reason::TooLarge, message));
        }
    }
    Ok(found)
}

/// Where to cut, as it was asked for.
struct Asked {
    ra: Option<String>,
    dec: Option<String>,
    pos: Option<String>,
    circle: Option<String>,
    polygon: Option<String>,
}

fn place(asked: Asked) -> Result<Shape, Problem> {
    let read = |name: &'static str, text: Option<String>, read: fn(&str) -> Result<Shape, ShapeError>| {
        text.map(|text| read(&text).map_err(|error| Problem::usage(name, error.to_string())))
    };
    let shapes = [
        read("POS", asked.pos, Shape::pos),
        read("CIRCLE", asked.circle, Shape::circle),
        read("POLYGON", asked.polygon, Shape::polygon),
        match (asked.ra, asked.dec) {
            (Some(ra), Some(dec)) => Some(
                Position::parse(&ra, &dec)
                    .map(Shape::Point)
                    .map_err(|error| Problem::usage("RA", error.to_string())),
            ),
            (None, None) => None,
            (Some(_), None) => Some(Err(Problem::usage("DEC", "is missing beside RA"))),
            (None, Some(_)) => Some(Err(Problem::usage("RA", "is missing beside DEC"))),
        },
    ];
    let mut shapes = shapes.into_iter().flatten();
    match (shapes.next(), shapes.next()) {
        (Some(shape), None) => shape,
        (None, _) => Err(Problem::usage(
            "POS",
            "expected one of POS, CIRCLE, POLYGON, or RA and DEC",
        )),
        (Some(_), Some(_)) => Err(Problem::usage(
            "POS",
            "expected only one of POS, CIRCLE, POLYGON, or RA and DEC",
        )),
    }
}

fn parameters<const N: usize>(values: [(&str, Option<&String>); N]) -> Parameters {
    let mut parameters = Parameters::default();
    for (name, value) in values {
        if let Some(value) = value {
            // These names are good ones.
            let _ = parameters.push(name, ParameterValue::Inline(value.as_str().into()));
        }
    }
    parameters
}

fn drawing(values: [&Once<String>; 5]) -> Parameters {
    let names = ["CUTS", "STRETCH", "CMAP", "INVERT", "SIDE"];
    let given = values.map(|value| value.0.as_ref());
    parameters(std::array::from_fn::<_, 5, _>(|at| (names[at], given[at])))
}

fn usages(faults: Vec<UsageError>) -> Problem {
    let repeated = faults.iter().any(|fault| fault.multiple);
    let fault = |fault: UsageError| ParameterFault {
        parameter: fault.parameter,
        message: fault.message,
    };
    Problem::usages(faults.into_iter().map(fault).collect(), repeated)
}

/// Why there is no picture, for a client.
fn problem(fault: &Fault) -> Problem {
    let status = match fault.reason {
        NO_MATCHING_IMAGE | "outside_footprint" | "no_wcs" => StatusCode::NOT_FOUND,
        "too_large" => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::BAD_GATEWAY,
    };
    Problem::new(status, format!("{}: {}", fault.reason, fault.message))
}

/// Whoever guesses links is slowed down, and so is who has one.
fn slow_down(request: &HttpRequest) -> Result<(), Problem> {
    let door = request
        .data::<Arc<Door>>()
        .ok_or_else(|| Problem::internal("a route without its door"))?;
    if door.auth.is_local() {
        return Ok(());
    }
    let address: IpAddr = door.address(request);
    door.rates
        .address(address)
        .map_err(|TooFast(pause)| Problem::too_many("too many requests", pause))
}

fn unchanged(request: &HttpRequest, tag: &str) -> bool {
    let known = request.headers().get_all(header::IF_NONE_MATCH);
    let mut known = known
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim);
    known.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

/// The picture, unless the client has it.
fn answer(
    request: &HttpRequest,
    tag: &str,
    name: &str,
    caching: &'static str,
    picture: Option<bytes::Bytes>,
) -> Reply<Picture> {
    let builder = foreign(PNG, name)
        .header(header::ETAG, tag)
        .header(header::CACHE_CONTROL, caching);
    let response: Response = match picture {
        Some(picture) if !unchanged(request, tag) => builder.body(poem::Body::from_bytes(picture)),
        _ => builder.status(StatusCode::NOT_MODIFIED).finish(),
    };
    Reply::of(response)
}
