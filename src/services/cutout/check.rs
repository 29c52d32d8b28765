//! What a job would find, told before it is made: row by row what is hit, and what the caller may still have.
//!
//! It goes the way of `execute` up to where pixels would be read, with the same functions, so that what it tells is what a
//! job makes. It is asked while people type: it looks at no more pairs of row and image than it can quickly, and says so.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use rayon::prelude::*;
use serde::Serialize;
use tokio::{task::coop::consume_budget, time};

use super::{
    Cutout,
    cutter::on_all_threads,
    execute::nothing_found,
    files::OpenFile,
    image::{Fault as CutFault, HduBox},
    lightcurve,
    limits::MAX_PAIRS,
    opened::{boxes_at, course, room},
    parameters::{Format, Request},
    plan::{Plan, PlanError, PlannedImage, Selection},
    provenance::{About, provenance},
    weights::is_weight,
};
use crate::{
    auth::Caller,
    engine::{CheckError, Draft, Service, Stage, UsageError},
    fits::{Edge, File, FitsError, PixelBox, Reason, written_size},
    jobs::{self, Jobs, JobsError, Submission},
    sky::Shape,
    uws::JobId,
};

/// Most rows of a page, and how many it has if nothing is said.
pub const MOST_ROWS: u64 = 1_000;
/// See [`MOST_ROWS`].
pub const ROWS: u64 = 100;
/// Images of a row that are named, and boxes of an image.
const NAMED: usize = 10;
/// Images whose headers are read; of others the catalogue alone is asked.
const OPENED: usize = 100;
/// Images whose headers are read at once.
const AT_ONCE: usize = 8;
/// What is done at most to work out boxes, in boxes around points.
const EXACT: usize = 20_000;
/// As much as so many boxes around points is the box of another shape, whose outline is followed.
const OUTLINE: usize = 100;
/// After so long no more headers are read.
const QUICK: Duration = Duration::from_secs(3);

/// Which rows are told.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Those after this one, from 1.
    pub after: usize,
    /// At most so many.
    pub most: usize,
    /// Only those of which not everything would be made.
    pub problems: bool,
}

/// What was found out.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Checked {
    /// Whether a job of this description would be taken and queued now.
    pub accepted: bool,
    /// What is wrong.
    pub faults: Vec<Fault>,
    /// Columns of the list that mean nothing.
    pub unused: Vec<String>,
    /// Rows that are asked for.
    pub positions: usize,
    /// Rows of which nothing would be made.
    pub unmatched: usize,
    /// Cutouts that would fail, for what can be known before pixels are read.
    pub failures: usize,
    /// Files that would be made, the manifests not counted.
    pub files: u64,
    /// Bytes that they would take.
    pub bytes: u64,
    /// Whether the numbers are what a job of this moment would make.
    pub exact: bool,
    /// A page of the rows.
    pub rows: Vec<Row>,
    /// `cursor` of the next page.
    pub next: Option<String>,
    /// What the caller may still have.
    pub quota: Quota,
}

/// A fault of the description.
#[derive(Debug, Serialize)]
pub struct Fault {
    /// Its parameter.
    pub parameter: String,
    /// The row of the list, from 1, if it is one alone.
    pub row: Option<usize>,
    /// What is wrong.
    pub message: String,
}

/// A row and what it hits.
#[expect(clippy::struct_field_names, reason = "it is the manifest's column")]
#[derive(Debug, Default, Serialize)]
pub struct Row {
    /// From 1.
    pub row: usize,
    /// The user's name for it, or one made of its position.
    pub id: String,
    /// Middle, ICRS deg.
    pub ra: Option<f64>,
    /// Middle, ICRS deg.
    pub dec: Option<f64>,
    /// Images that it would be cut from.
    pub images: usize,
    /// Images that it would be cut from if it were not for a fault.
    pub failures: usize,
    /// Bytes of its cutouts.
    pub bytes: u64,
    /// The first images.
    pub hits: Vec<Hit>,
    /// Why there would be nothing, or less than asked for.
    pub problem: Option<String>,
}

/// An image that a row lies on.
#[derive(Debug, Serialize)]
pub struct Hit {
    /// COLLECTION/PATH.
    pub image: String,
    /// The first boxes on its HDUs; none if its headers were not looked at.
    pub boxes: Vec<HitBox>,
    /// Why there would be no cutout.
    pub problem: Option<String>,
}

/// Pixels of an HDU, 1-based, both ends included; it may hang over the edges.
#[derive(Debug, Serialize)]
pub struct HitBox {
    /// Number of the HDU.
    pub hdu: usize,
    /// First column.
    pub x_min: i64,
    /// Last column.
    pub x_max: i64,
    /// First row.
    pub y_min: i64,
    /// Last row.
    pub y_max: i64,
}

/// What is left of limits; absent where there is none.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Quota {
    /// Positions that a job may have.
    pub positions: usize,
    /// Jobs that may still be queued.
    pub queued: Option<u64>,
    /// Bytes of results and files.
    pub stored_bytes: Option<u64>,
}

/// Looks at a description as at a new job that is to run. Only what the database or store does is an error.
pub async fn check(
    service: &Cutout,
    jobs: &Jobs,
    caller: &Caller,
    submission: Submission,
    wanted: Wanted,
) -> Result<Checked, JobsError> {
    let mut checked = Checked {
        quota: quota(service, jobs, caller).await?,
        ..Checked::default()
    };
    match jobs.may_submit(caller, service.describe(), &submission).await {
        Ok(()) => {}
        Err(JobsError::Quota(message)) => checked.faults.push(UsageError::new("PHASE", message).into()),
        Err(JobsError::Usage(faults)) => checked.faults.extend(faults.into_iter().map(Fault::from)),
        Err(error) => return Err(error),
    }
    match read(service, caller, submission).await {
        Ok((request, plan)) => {
            let mut survey = Survey::new(service, &Arc::new(request));
            survey.look(&plan).await;
            survey.tell(&plan, wanted, &mut checked);
        }
        Err(JobsError::Usage(faults)) => checked.faults.extend(faults.into_iter().map(Fault::from)),
        Err(error) => return Err(error),
    }
    checked.accepted = checked.faults.is_empty();
    Ok(checked)
}

impl From<UsageError> for Fault {
    fn from(fault: UsageError) -> Self {
        Fault {
            parameter: fault.parameter,
            row: fault.row,
            message: fault.message,
        }
    }
}

async fn quota(service: &Cutout, jobs: &Jobs, caller: &Caller) -> Result<Quota, JobsError> {
    let usage = jobs.usage(caller).await?;
    let left = |most: Option<u64>, used: u64| most.map(|most| most.saturating_sub(used));
    Ok(Quota {
        positions: service.most_positions(caller),
        queued: left(caller.limits.queued, usage.queued),
        stored_bytes: left(caller.limits.stored_bytes, usage.stored_bytes),
    })
}

async fn read(
    service: &Cutout,
    caller: &Caller,
    submission: Submission,
) -> Result<(Request, Plan), JobsError> {
    let (parameters, uploads) = jobs::described(service.describe(), submission)?;
    let read_upload = |key: &str| jobs::uploaded(&uploads, key);
    let draft = Draft {
        parameters: &parameters,
        read_upload: &read_upload,
    };
    let request = service.request(&draft, Stage::Run, caller).await?;
    let selection = Selection::find(&service.store, &request)
        .await?
        .map_err(CheckError::Usage)?;
    match selection.plan(&service.store, &request).await {
        Ok(plan) => Ok((request, plan)),
        Err(PlanError::Store(error)) => Err(error.into()),
        Err(PlanError::TooMany) => {
            let message =
                format!("more than {MAX_PAIRS} cutouts are asked for, which is the most that a job may have");
            Err(UsageError::new("POSITIONS", message).into())
        }
    }
}

/// What is found of each row.
struct Survey<'a> {
    service: &'a Cutout,
    request: Arc<Request>,
    rows: Vec<Found>,
    /// Pairs whose boxes were worked out, and what their files take.
    known: (u64, u64),
    /// Pairs that were taken for cutouts because their images' bounds meet.
    guessed: u64,
    /// Whether an image has weights: where they are zero there is no file.
    weighted: bool,
}

/// What is found of a row.
#[derive(Debug, Clone, Default)]
struct Found {
    images: usize,
    failures: usize,
    bytes: u64,
    hits: Vec<FoundHit>,
    problem: Option<String>,
    /// Which of the three bands of a colour picture it has, a bit for each.
    bands: u8,
}

#[derive(Debug, Clone)]
struct FoundHit {
    /// Place of the image in the plan.
    image: usize,
    boxes: Vec<(usize, PixelBox)>,
    problem: Option<String>,
}

/// What a pair would come to: its boxes and the bytes of its file; nothing if the row does not lie on the image.
type Outcome = Result<Option<(Vec<HduBox>, u64)>, CutFault>;

impl<'a> Survey<'a> {
    fn new(service: &'a Cutout, request: &Arc<Request>) -> Survey<'a> {
        Survey {
            service,
            request: Arc::clone(request),
            rows: vec![Found::default(); request.list.rows.len()],
            known: (0, 0),
            guessed: 0,
            weighted: false,
        }
    }

    /// Looks at the images of the plan, as many as can be looked at quickly.
    async fn look(&mut self, plan: &Plan) {
        let until = Instant::now() + QUICK;
        let files = self.service.cutter.files();
        let near = plan.images.len().min(OPENED);
        let opening: Vec<_> = plan.images[..near]
            .iter()
            .map(|planned| async move {
                if !files.is_quick(&planned.image.url) {
                    return None;
                }
                let open = files.open(&planned.image.url);
                time::timeout_at(until.into(), open).await.ok()
            })
            .collect();
        let mut opened = stream::iter(opening).buffered(AT_ONCE);
        let mut left = EXACT;
        for (place, planned) in plan.images.iter().enumerate() {
            let open = if place < near {
                opened.next().await.flatten()
            } else {
                None
            };
            let mut rest = &planned.rows[..];
            if let Some(open) = open {
                let hdus = open.as_ref().map(|open| open.file.hdus()).unwrap_or_default();
                self.weighted |= hdus.iter().any(is_weight);
                let now = self.affordable(rest, hdus.len(), &mut left);
                rest = &rest[now.len()..];
                for (at, outcome) in self.outcomes(planned, &open, now).await {
                    consume_budget().await;
                    self.take(planned, place, at, outcome);
                }
            }
            for at in rest {
                consume_budget().await;
                self.guess(planned, place, *at);
            }
        }
    }

    /// The first rows whose boxes on so many HDUs `left` is enough for, which it is lessened by.
    fn affordable<'r>(&self, rows: &'r [usize], hdus: usize, left: &mut usize) -> &'r [usize] {
        let taken = rows.iter().take_while(|at| {
            let cost = match self.request.list.rows[**at].shape {
                Shape::Point(_) | Shape::Sky => 1,
                _ => OUTLINE,
            };
            let cost = cost * hdus.max(1);
            let rest = left.checked_sub(cost);
            *left = rest.unwrap_or(0);
            rest.is_some()
        });
        &rows[..taken.count()]
    }

    /// What becomes of rows (their places) on an image, worked out by all threads.
    async fn outcomes(
        &self,
        planned: &PlannedImage,
        open: &Result<OpenFile, CutFault>,
        rows: &[usize],
    ) -> Vec<(usize, Outcome)> {
        let file = match open {
            Ok(open) => Arc::clone(&open.file),
            Err(fault) => return rows.iter().map(|at| (*at, Err(fault.clone()))).collect(),
        };
        let (request, places) = (Arc::clone(&self.request), rows.to_vec());
        let limit = self.service.cutter.memory().total();
        let image = format!("{}/{}", planned.collection, planned.image.path);
        let named = planned.named;
        let looking = on_all_threads(move || {
            let outcome = |at: &usize| match boxes_at(&file, &request, *at) {
                Err(fault) if fault.is_outside() && !named => (*at, Ok(None)),
                Err(fault) => (*at, Err(fault)),
                Ok(boxes) => (*at, outcome(&file, &request, *at, boxes, &image, limit)),
            };
            places.par_iter().map(outcome).collect()
        });
        let gone = "its coordinates could not be worked out";
        let gone = || CutFault::new(Reason::SourceUnreadable, gone);
        match looking.await {
            Some(outcomes) => outcomes,
            None => rows.iter().map(|at| (*at, Err(gone()))).collect(),
        }
    }

    fn take(&mut self, planned: &PlannedImage, place: usize, at: usize, outcome: Outcome) {
        let row = &mut self.rows[at];
        let (boxes, problem) = match outcome {
            Ok(None) => return,
            Err(fault) => {
                row.failures += 1;
                row.problem.get_or_insert_with(|| fault.message.clone());
                (Vec::new(), Some(fault.message))
            }
            Ok(Some((boxes, bytes))) => {
                self.known = (self.known.0 + 1, self.known.1.saturating_add(bytes));
                row.bytes = row.bytes.saturating_add(bytes);
                row.hit(planned, &self.request);
                let boxes = boxes.iter().take(NAMED);
                (boxes.map(|found| (found.hdu, found.region.area)).collect(), None)
            }
        };
        if row.hits.len() < NAMED {
            row.hits.push(FoundHit {
                image: place,
                boxes,
                problem,
            });
        }
    }

    /// Takes it that a row lies on an image whose bounds it lies within.
    fn guess(&mut self, planned: &PlannedImage, place: usize, at: usize) {
        if let Some(fault) = self.too_large(planned, at) {
            return self.take(planned, place, at, Err(fault));
        }
        self.guessed += 1;
        let row = &mut self.rows[at];
        row.hit(planned, &self.request);
        if row.hits.len() < NAMED {
            row.hits.push(FoundHit {
                image: place,
                boxes: Vec::new(),
                problem: None,
            });
        }
    }

    /// Why the whole of an image cannot be cut, where the shapes of the catalogue tell it for certain.
    fn too_large(&self, planned: &PlannedImage, at: usize) -> Option<CutFault> {
        let (request, asked) = (&self.request, &self.request.list.rows[at]);
        let is_narrowed = !request.hdus.is_empty()
            || asked.band_range.is_some()
            || asked.time_range.is_some()
            || !request.pols.is_empty();
        let is_plain = request.format == Format::Fits && !request.is_pictured();
        if asked.shape != Shape::Sky || is_narrowed || is_plain {
            return None;
        }
        let images = planned.image.hdus.iter().filter(|hdu| hdu.shape.len() > 1);
        let drawn = if request.format == Format::Png {
            1
        } else {
            usize::MAX
        };
        let pixels = images.take(drawn).fold(0_u64, |sum, hdu| {
            let width = hdu.bitpix.unsigned_abs() / 8;
            let bytes = hdu
                .shape
                .iter()
                .fold(width, |all, axis| all.saturating_mul(*axis));
            sum.saturating_add(bytes)
        });
        let limit = self.service.cutter.memory().total();
        let (what, bytes) = ("the cutout", room(pixels, request));
        (bytes > limit).then(|| FitsError::TooLarge { what, bytes, limit }.into())
    }

    /// Sums up, and shows the rows that are wanted.
    fn tell(mut self, plan: &Plan, wanted: Wanted, checked: &mut Checked) {
        let request = &self.request;
        for (found, asked) in self.rows.iter_mut().zip(&request.list.rows) {
            if found.images == 0 && found.failures == 0 {
                found.problem = Some(nothing_found(plan, request, asked).message);
            }
        }
        let cutouts = self.known.0 + self.guessed;
        let average = self.known.1.checked_div(self.known.0).unwrap_or(0);
        let beside = if request.preview.wanted && request.format != Format::Png {
            cutouts
        } else {
            0
        };
        let colour = self.rows.iter().filter(|found| found.bands == 0b111).count() as u64;
        let (curves, points) = self.light_curves();
        checked.unused.clone_from(&request.list.unused);
        checked.positions = self.rows.len();
        checked.unmatched = self.rows.iter().filter(|found| found.images == 0).count();
        checked.failures = self.rows.iter().map(|found| found.failures).sum();
        checked.files = cutouts + beside + colour + 2 * curves;
        checked.bytes = self
            .known
            .1
            .saturating_add(average.saturating_mul(self.guessed))
            .saturating_add(curves * CURVE + points * POINT);
        // How well a picture or an image compresses, and whether it has any weight, only its pixels tell; and who gives no
        // list gets a text for each cutout that is not made.
        let mut asked = request.list.rows.iter();
        let is_listed = asked.any(|row| matches!(row.shape, Shape::Point(_)));
        checked.exact = self.guessed == 0
            && !self.weighted
            && (is_listed || checked.unmatched + checked.failures == 0)
            && !request.is_pictured()
            && !request.lightcurve
            && request.format == Format::Fits;
        let shown = |found: &Found| !wanted.problems || found.problem.is_some();
        let mut rows = (wanted.after..self.rows.len()).filter(|at| shown(&self.rows[*at]));
        checked.rows = rows
            .by_ref()
            .take(wanted.most)
            .map(|at| self.row(plan, at))
            .collect();
        let last = checked.rows.last().map(|last| last.row.to_string());
        checked.next = last.filter(|_| rows.next().is_some());
    }

    /// How many light curves there would be, and points of them.
    fn light_curves(&self) -> (u64, u64) {
        let rows = self.rows.iter().zip(&self.request.list.rows);
        let points = rows
            .filter(|(_, asked)| self.request.lightcurve && lightcurve::position(&asked.shape).is_some())
            .map(|(found, _)| (found.images + found.failures) as u64);
        points
            .filter(|points| *points > 0)
            .fold((0, 0), |(curves, all), points| (curves + 1, all + points))
    }

    fn row(&self, plan: &Plan, at: usize) -> Row {
        let (found, asked) = (&self.rows[at], &self.request.list.rows[at]);
        let centre = asked.shape.centre();
        let hits = found.hits.iter().map(|hit| {
            let planned = &plan.images[hit.image];
            Hit {
                image: format!("{}/{}", planned.collection, planned.image.path),
                boxes: hit
                    .boxes
                    .iter()
                    .map(|(hdu, area)| HitBox::new(*hdu, *area))
                    .collect(),
                problem: hit.problem.clone(),
            }
        });
        Row {
            row: at + 1,
            id: asked.name(),
            ra: centre.map(|centre| centre.ra),
            dec: centre.map(|centre| centre.dec),
            images: found.images,
            failures: found.failures,
            bytes: found.bytes,
            hits: hits.collect(),
            problem: found.problem.clone(),
        }
    }
}

impl Found {
    /// Counts an image that the row would be cut from.
    fn hit(&mut self, planned: &PlannedImage, request: &Request) {
        self.images += 1;
        let (Some(bands), Some(own)) = (&request.preview.rgb, &planned.image.band) else {
            return;
        };
        for (place, band) in bands.iter().enumerate() {
            if band.eq_ignore_ascii_case(own) {
                self.bands |= 1 << place;
            }
        }
    }
}

impl HitBox {
    fn new(hdu: usize, area: PixelBox) -> HitBox {
        HitBox {
            hdu,
            x_min: area.x_min,
            x_max: area.x_max,
            y_min: area.y_min,
            y_max: area.y_max,
        }
    }
}

/// What becomes of a row (its place) that lies on an image, as far as it can be known before pixels are read.
fn outcome(
    file: &File,
    request: &Request,
    at: usize,
    boxes: Vec<HduBox>,
    image: &str,
    limit: u64,
) -> Outcome {
    course(file, &boxes, request, limit)?;
    let about = About {
        job: Some(JobId::new()),
        request,
        asked: &request.list.rows[at],
        image: image.to_owned(),
        etag: file.etag(),
    };
    let regions: Vec<_> = boxes.iter().map(|found| (found.hdu, &found.region)).collect();
    let fits = written_size(file, &regions, request.edge, |cut| provenance(&about, cut, DATE))?;
    let picture = picture_size(file, &boxes, request);
    let bytes = match request.format {
        Format::Png => picture,
        Format::Fits | Format::FitsFz if request.preview.wanted => fits.saturating_add(picture),
        Format::Fits | Format::FitsFz => fits,
    };
    Ok(Some((boxes, bytes)))
}

/// Any date is as long as another.
const DATE: &str = "2000-01-01T00:00:00.000";
/// About what a light curve takes as FITS and as CSV, and each of its points.
const CURVE: u64 = 5 * 2_880;
/// See [`CURVE`].
const POINT: u64 = 400;
/// About what a picture has besides its pixels.
const CHUNKS: u64 = 2 << 10;

/// About what the picture of the first box takes: noise hardly compresses, and a pixel is a byte.
fn picture_size(file: &File, boxes: &[HduBox], request: &Request) -> u64 {
    let Some(first) = boxes.first() else { return 0 };
    let area = first.region.area;
    let on = file
        .hdus()
        .get(first.hdu)
        .and_then(super::image::whole)
        .and_then(|whole| area.trimmed(whole.width(), whole.height()))
        .filter(|_| request.edge != Edge::Pad)
        .unwrap_or(area);
    let most = u64::from(request.preview.style.most());
    let reduced = on.width().max(on.height()).div_ceil(most).max(1);
    (on.width() / reduced)
        .saturating_mul(on.height() / reduced)
        .saturating_add(CHUNKS)
}
