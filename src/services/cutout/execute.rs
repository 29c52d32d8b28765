//! A cutout job at work: image by image, box by box, several at once, in bounded memory.

use std::{collections::HashSet, future::Future, pin::pin, sync::Arc};

use bytes::Bytes;
use futures::{
    Stream, StreamExt,
    future::BoxFuture,
    stream::{self, FuturesUnordered},
};

use tokio::task::coop::consume_budget;

use super::{
    Cutout,
    image::{Fault, HduBox, NO_MATCHING_IMAGE, boxes, chosen},
    limits::MAX_PAIRS,
    manifest::{self, ImageColumns, Row, SOFTWARE, SourceColumns, Status},
    memory::{Held, Memory},
    names::Names,
    parameters::{Request, positions},
    plan::{Plan, PlanError, PlannedImage, Selection},
};
use crate::{
    engine::{Context, Failure},
    fits::{Cut, Edge, File, FitsError, Hdu, Kind, NewCard, Reason, Region, Value, bytes_of, cut, write},
    sky::{Length, Shape, Size},
    uws::Timestamp,
};

/// Cutouts on their way at once.
const IN_FLIGHT: usize = 8;
/// Images whose headers are read ahead.
const AHEAD: usize = 4;
/// What decoding may hold beside the pixels that it is for, at first; see [`Job::cut_all`].
const WORKING: u64 = 32 << 20;
/// Media type of cutouts (RFC 4047).
const FITS: &str = "application/fits";

/// Runs a job to its end.
pub async fn run(service: &Cutout, context: &Context) -> Result<(), Failure> {
    tokio::select! {
        done = work(service, context) => done,
        () = context.cancelled() => Err(Failure::Cancelled),
    }
}

async fn work(service: &Cutout, context: &Context) -> Result<(), Failure> {
    let request = request(service, context).await?;
    if !request.list.unused.is_empty() {
        context.log(format!(
            "Columns that were not used: {}",
            request.list.unused.join(", ")
        ));
    }
    let mut plan = plan(service, context, &request).await?;
    let total = plan.pairs();
    context.log(format!(
        "{} positions, {} images, {total} pairs to look at",
        request.list.rows.len(),
        plan.images.len()
    ));
    let mut job = Job {
        service,
        context,
        request: &request,
        names: Names::default(),
        rows: Vec::new(),
        done: 0,
        total,
    };
    context.progress(0, total as u64, "cutting");
    job.cut_images(std::mem::take(&mut plan.images)).await?;
    job.add_unmatched(&plan).await;
    job.finish().await
}

/// What was checked when the job was made; the catalogue may be another by now.
async fn request(service: &Cutout, context: &Context) -> Result<Request, Failure> {
    let usage = |faults: Vec<crate::engine::UsageError>| {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        Failure::fatal(faults.join("; "))
    };
    let list = match positions(context.parameters()).map_err(|fault| usage(vec![fault]))? {
        Some(value) => Some(context.value(value).await?),
        None => None,
    };
    let parameters = context.parameters().clone();
    let most = service.max_positions;
    // A long list takes a while to read.
    tokio::task::spawn_blocking(move || Request::read(&parameters, list.as_deref(), most))
        .await
        .map_err(|error| Failure::fatal(error.to_string()))?
        .map_err(usage)
}

async fn plan(service: &Cutout, context: &Context, request: &Request) -> Result<Plan, Failure> {
    let store = |error: crate::store::StoreError| {
        tracing::warn!(job = %context.job(), %error, "catalogue");
        Failure::transient("The catalogue did not answer.")
    };
    let selection = Selection::find(&service.store, request).await.map_err(store)?;
    let selection = selection.map_err(|faults| {
        Failure::fatal(
            faults
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("; "),
        )
    })?;
    selection
        .plan(&service.store, request)
        .await
        .map_err(|error| match error {
            PlanError::Store(error) => store(error),
            PlanError::TooMany => Failure::fatal(format!(
                "The job asks for more than {MAX_PAIRS} cutouts, which is the most that a job may have."
            )),
        })
}

/// A job and what has become of it.
struct Job<'a> {
    service: &'a Cutout,
    context: &'a Context,
    request: &'a Request,
    names: Names,
    rows: Vec<Row>,
    done: usize,
    total: usize,
}

/// An image with its headers.
struct Opened {
    planned: PlannedImage,
    file: Result<Arc<File>, Fault>,
    source: SourceColumns,
    columns: ImageColumns,
}

/// A cutout to be made.
struct Task {
    opened: Arc<Opened>,
    /// Place in the list.
    at: usize,
    boxes: Vec<HduBox>,
    /// The file's name.
    name: String,
    row: Row,
}

/// What becomes of a task.
type Running<'a> = FuturesUnordered<BoxFuture<'a, Result<Row, Failure>>>;

impl<'a> Job<'a> {
    async fn cut_images(&mut self, images: Vec<PlannedImage>) -> Result<(), Failure> {
        let mut running: Running<'a> = FuturesUnordered::new();
        let mut images = pin!(self.open_ahead(images));
        while let Some(opened) = self.alongside(&mut running, images.next()).await? {
            let opened = Arc::new(opened?);
            for task in self.tasks(&opened).await? {
                while running.len() >= IN_FLIGHT {
                    self.settle(running.next().await)?;
                }
                let memory = self.memory_for(&task, &mut running).await?;
                running.push(Box::pin(make(
                    self.service,
                    self.context,
                    self.request,
                    task,
                    memory,
                )));
            }
        }
        while let Some(row) = running.next().await {
            self.settle(Some(row))?;
        }
        Ok(())
    }

    /// Opens images in their order, a few ahead of the one that is cut.
    fn open_ahead(&self, images: Vec<PlannedImage>) -> impl Stream<Item = Result<Opened, Failure>> + use<> {
        let cutter = Arc::clone(&self.service.cutter);
        stream::iter(images)
            .map(move |planned| {
                let cutter = Arc::clone(&cutter);
                // On a task of its own it goes on while cutouts are made.
                tokio::spawn(async move {
                    let file = cutter
                        .files()
                        .open(&planned.image.url)
                        .await
                        .map(|open| open.file);
                    Opened::new(planned, file)
                })
            })
            .buffered(AHEAD)
            .map(|opened| {
                opened.map_err(|error| Failure::fatal(format!("An image could not be opened: {error}")))
            })
    }

    /// Waits for `work` while cutouts go on.
    async fn alongside<T>(
        &mut self,
        running: &mut Running<'a>,
        work: impl Future<Output = T>,
    ) -> Result<T, Failure> {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                row = running.next(), if !running.is_empty() => self.settle(row)?,
            }
        }
    }

    /// Takes the row of a cutout that was made, or was not.
    fn settle(&mut self, row: Option<Result<Row, Failure>>) -> Result<(), Failure> {
        if let Some(row) = row.transpose()? {
            self.add(row);
            self.tell();
        }
        self.context.checkpoint()
    }

    fn add(&mut self, row: Row) {
        if row.status == Status::Failed {
            let image = row.image.image.as_deref().unwrap_or("no image");
            let message = row.message.as_deref().unwrap_or_default();
            self.context.log(format!(
                "Row {} ({}), {image}: {}: {message}",
                row.row,
                row.id,
                row.reason.unwrap_or_default()
            ));
        }
        self.rows.push(row);
        self.done += 1;
    }

    fn tell(&self) {
        self.context
            .progress(self.done as u64, self.total as u64, "cutting");
    }

    /// The cutouts of an image, in an order in which neighbours share rows or tiles. Positions whose box does not touch
    /// it are no business of it unless the job named it; those that fail have their row at once.
    async fn tasks(&mut self, opened: &Arc<Opened>) -> Result<Vec<Task>, Failure> {
        let mut tasks = Vec::new();
        for (at, boxes) in look(opened, self.request).await {
            consume_budget().await;
            match boxes {
                Ok(boxes) => {
                    let row = self.row(opened, at, boxes.first());
                    tasks.push(Task {
                        opened: Arc::clone(opened),
                        at,
                        boxes,
                        name: String::new(),
                        row,
                    });
                }
                Err(fault) if fault.is_outside() && !opened.planned.named => self.done += 1,
                Err(fault) => {
                    let row = failed(self.row(opened, at, None), fault);
                    self.add(row);
                }
            }
        }
        self.tell();
        self.context.checkpoint()?;
        // Names go by the list's order, whatever the order of work.
        for task in &mut tasks {
            consume_budget().await;
            task.name = self.names.take(&task.row.id, &opened.planned.image);
        }
        tasks.sort_by_key(|task| {
            task.boxes
                .first()
                .map(|first| (first.hdu, first.region.area.y_min, first.region.area.x_min))
        });
        Ok(tasks)
    }

    /// The row of a position on an image, without what came of it.
    fn row(&self, opened: &Opened, at: usize, first: Option<&HduBox>) -> Row {
        let extent = first.map(|first| first.extent.map(|arcmin| arcmin.is_finite().then_some(arcmin)));
        let mut row = self.bare_row(at);
        row.image = opened.columns.clone();
        row.source = opened.source.clone();
        if let Some([width, height]) = extent {
            (row.xsize, row.ysize) = (width, height);
        }
        row
    }

    fn bare_row(&self, at: usize) -> Row {
        let asked = &self.request.list.rows[at];
        let size = asked.size.unwrap_or(self.request.size);
        let centre = asked.shape.centre();
        let is_point = matches!(asked.shape, Shape::Point(_));
        Row {
            row: at + 1,
            id: asked.name().into(),
            ra: centre.map(|centre| centre.ra),
            dec: centre.map(|centre| centre.dec),
            xsize: arcmin(size.width).filter(|_| is_point),
            ysize: arcmin(size.height).filter(|_| is_point),
            image: ImageColumns::default(),
            hdu: None,
            status: Status::Ok,
            reason: None,
            message: None,
            area: None,
            coverage: None,
            file: None,
            size: None,
            sha256: None,
            source: SourceColumns::default(),
        }
    }

    /// Memory for a cutout. While the job has others on their way it waits for those; if it has none, it is other jobs
    /// that it waits for, and it is SUSPENDED.
    async fn memory_for(&mut self, task: &Task, running: &mut Running<'a>) -> Result<Held, Failure> {
        let memory = self.service.cutter.memory();
        let bytes = needs(task, self.request.edge, memory);
        loop {
            if let Some(held) = memory.try_hold(bytes) {
                return Ok(held);
            }
            match running.next().await {
                Some(row) => self.settle(Some(row))?,
                None => return self.context.suspended(memory.hold(bytes)).await,
            }
        }
    }

    /// A row for each position that has none by now.
    async fn add_unmatched(&mut self, plan: &Plan) {
        let matched: HashSet<usize> = self.rows.iter().map(|row| row.row).collect();
        for (at, asked) in self.request.list.rows.iter().enumerate() {
            consume_budget().await;
            if matched.contains(&(at + 1)) {
                continue;
            }
            let fault = match plan.selected(asked) {
                (0, _) => Fault {
                    reason: NO_MATCHING_IMAGE,
                    message: "no image is of what was asked for".into(),
                },
                (_, 0) => Fault::new(
                    Reason::NoWcs,
                    "no image of those asked for has celestial coordinates",
                ),
                (images, _) => Fault::new(
                    Reason::OutsideFootprint,
                    format!("the position lies on none of the {images} images asked for"),
                ),
            };
            let row = failed(self.bare_row(at), fault);
            self.rows.push(row.clone());
            self.context.log(format!(
                "Row {} ({}): {}",
                row.row,
                row.id,
                row.message.unwrap_or_default()
            ));
        }
    }

    /// Stores the manifests, and what `result` stands for.
    async fn finish(self) -> Result<(), Failure> {
        let (context, mut rows) = (self.context, self.rows);
        let (job, parameters) = (context.job(), context.parameters().clone());
        let (rows, json, csv) = tokio::task::spawn_blocking(move || {
            rows.sort_by(|a, b| {
                (a.row, &a.image.collection, &a.image.image).cmp(&(
                    b.row,
                    &b.image.collection,
                    &b.image.image,
                ))
            });
            let json = manifest::json(job, &parameters, &rows)?;
            let csv = manifest::csv(&rows)?;
            Ok::<_, Failure>((rows, json, csv))
        })
        .await
        .map_err(|error| Failure::fatal(error.to_string()))??;
        let manifest = context
            .put_principal("manifest.json", "application/json", json)
            .await?;
        context.put_principal("manifest.csv", "text/csv", csv).await?;
        let mut made = rows.iter().filter(|row| row.status == Status::Ok);
        let ok = manifest::count_ok(&rows);
        match (made.next(), made.next()) {
            (
                Some(Row {
                    file: Some(file),
                    size: Some(size),
                    sha256: Some(sha256),
                    ..
                }),
                None,
            ) => {
                let stored = crate::objects::Stored {
                    size: *size,
                    sha256: sha256.clone(),
                };
                context.alias("result", file, FITS, &stored)?;
            }
            _ => context.alias("result", "manifest.json", "application/json", &manifest)?,
        }
        context.progress(self.total as u64, self.total as u64, "done");
        context.log(format!("{ok} cutouts made, {} rows failed", rows.len() - ok));
        Ok(())
    }
}

fn arcmin(length: Length) -> Option<f64> {
    match length {
        Length::Degrees(degrees) => Some(degrees * 60.0),
        Length::Pixels(_) => None,
    }
}

fn failed(row: Row, fault: Fault) -> Row {
    Row {
        status: Status::Failed,
        reason: Some(fault.reason),
        message: Some(fault.message),
        ..row
    }
}

impl Opened {
    fn new(planned: PlannedImage, file: Result<Arc<File>, Fault>) -> Opened {
        let image = &planned.image;
        let shared = |text: &Option<String>| text.as_deref().map(Arc::from);
        let columns = ImageColumns {
            collection: Some(Arc::clone(&planned.collection)),
            image: Some(image.path.as_str().into()),
            band: shared(&image.band),
            obs: shared(&image.obs),
            product_type: shared(&image.product_type),
        };
        let etag = file
            .as_ref()
            .ok()
            .and_then(|file| file.etag())
            .map(|etag| etag.trim_matches('"').into());
        let source = SourceColumns {
            source: Some(manifest::source(&planned.collection, image)),
            etag,
        };
        Opened {
            planned,
            file,
            source,
            columns,
        }
    }
}

/// The boxes of the positions that may lie on an image. However many they are, other work goes on meanwhile, and the job
/// can be aborted.
async fn look(opened: &Opened, request: &Request) -> Vec<(usize, Result<Vec<HduBox>, Fault>)> {
    let file = opened.file.as_ref().map_err(Clone::clone);
    let hdus = file.and_then(|file| Ok((file, chosen(file, &request.hdus)?)));
    let mut found = Vec::with_capacity(opened.planned.rows.len());
    for at in opened.planned.rows.iter().copied() {
        consume_budget().await;
        let row = &request.list.rows[at];
        let size = row.size.unwrap_or(request.size);
        let boxes = match &hdus {
            Ok((file, hdus)) => boxes(file, hdus, !request.hdus.is_empty(), &row.shape, size),
            Err(fault) => Err(fault.clone()),
        };
        found.push((at, boxes));
    }
    found
}

/// Bytes that a cutout takes: its pixels, once more where they are padded, and in the file; and what decoding takes.
fn needs(task: &Task, edge: Edge, memory: &Memory) -> u64 {
    let decoding = task.hdus().map(|(hdu, _)| working(hdu, memory)).max();
    pixels(task, edge)
        .saturating_mul(3)
        .saturating_add(decoding.unwrap_or(0))
}

/// Bytes of the pixels of every HDU of a cutout.
fn pixels(task: &Task, edge: Edge) -> u64 {
    task.hdus().fold(0, |all, (hdu, region)| {
        all.saturating_add(bytes_of(hdu, region, edge).unwrap_or(0))
    })
}

impl Task {
    /// The HDUs to cut and their boxes.
    fn hdus(&self) -> impl Iterator<Item = (&Hdu, &Region)> {
        let file = self.opened.file.as_ref().ok();
        self.boxes
            .iter()
            .filter_map(move |found| Some((file?.hdus().get(found.hdu)?, &found.region)))
    }
}

fn working(hdu: &Hdu, memory: &Memory) -> u64 {
    if hdu.kind() == Kind::Compressed {
        WORKING.min(memory.total() / 4)
    } else {
        0
    }
}

/// Makes a cutout: its row says what came of it. Only what concerns the whole job is an error.
async fn make(
    service: &Cutout,
    context: &Context,
    request: &Request,
    task: Task,
    held: Held,
) -> Result<Row, Failure> {
    match cut_all(service, context, request, &task, held).await {
        Err(Stop::Failure(failure)) => Err(failure),
        Err(Stop::Fault(fault)) => {
            // A box that is refused for where it lies is shown all the same.
            let area = task.boxes.first().map(|first| first.region.area);
            Ok(failed(Row { area, ..task.row }, fault))
        }
        Ok((made, bytes, _held)) => {
            let stored = context.put(&task.name, FITS, bytes).await?;
            Ok(Row {
                hdu: Some(made.hdus),
                area: Some(made.area),
                coverage: Some(made.coverage),
                file: Some(task.name),
                size: Some(stored.size),
                sha256: Some(stored.sha256),
                ..task.row
            })
        }
    }
}

/// Why a cutout is not made.
enum Stop {
    Fault(Fault),
    Failure(Failure),
}

impl From<FitsError> for Stop {
    fn from(error: FitsError) -> Stop {
        Stop::Fault(error.into())
    }
}

/// What a file holds.
struct Made {
    hdus: String,
    area: crate::fits::PixelBox,
    coverage: f64,
}

/// Cuts every HDU and writes them into one file. If decoding takes more memory than was thought, it is held anew, as
/// far as there is as much.
async fn cut_all(
    service: &Cutout,
    context: &Context,
    request: &Request,
    task: &Task,
    mut held: Held,
) -> Result<(Made, Bytes, Held), Stop> {
    let file = task
        .opened
        .file
        .as_ref()
        .map_err(|fault| Stop::Fault(fault.clone()))?;
    let most = service.cutter.memory().total();
    let least = pixels(task, request.edge).saturating_mul(2);
    if least > most {
        return Err(FitsError::TooLarge {
            what: "the cutout",
            bytes: least,
            limit: most,
        }
        .into());
    }
    let mut allowed = 0;
    let cuts = loop {
        match cut_hdus(service, request, task, file, allowed).await {
            Ok(cuts) => break cuts,
            Err(FitsError::TooLarge { bytes, .. }) if (allowed + 1..=most).contains(&bytes) => {
                drop(held);
                held = service
                    .cutter
                    .memory()
                    .hold(needs(task, request.edge, service.cutter.memory()).saturating_add(bytes))
                    .await;
                allowed = bytes;
            }
            Err(error) => return Err(error.into()),
        }
    };
    context.checkpoint().map_err(Stop::Failure)?;
    let first = cuts
        .first()
        .ok_or_else(|| Stop::Fault(Fault::new(Reason::SourceUnreadable, "there is nothing to cut")))?;
    let made = Made {
        hdus: cuts
            .iter()
            .map(|cut| cut.hdu().to_string())
            .collect::<Vec<_>>()
            .join(" "),
        area: first.area(),
        coverage: first.coverage(),
    };
    let date = Timestamp::of_this_host().to_string();
    let date = date.trim_end_matches('Z').to_owned();
    let cuts: Vec<_> = cuts
        .into_iter()
        .map(|cut| {
            let cards = provenance(context, request, task, &cut, &date);
            (cut, cards)
        })
        .collect();
    let opened = Arc::clone(&task.opened);
    // Sums over all pixels are worked out there.
    let bytes =
        tokio::task::spawn_blocking(move || opened.file.as_ref().ok().map(|file| write(file, cuts, &date)))
            .await
            .map_err(|error| Stop::Failure(Failure::fatal(error.to_string())))?;
    bytes
        .map(|bytes| (made, bytes, held))
        .ok_or_else(|| Stop::Failure(Failure::fatal("An image was closed.")))
}

async fn cut_hdus(
    service: &Cutout,
    request: &Request,
    task: &Task,
    file: &File,
    allowed: u64,
) -> Result<Vec<Cut>, FitsError> {
    let mut cuts = Vec::with_capacity(task.boxes.len());
    for (hdu, region) in task.hdus() {
        let pixels = bytes_of(hdu, region, request.edge)?;
        let limit = pixels
            .saturating_mul(2)
            .saturating_add(working(hdu, service.cutter.memory()))
            .min(service.cutter.memory().total());
        cuts.push(cut(file, hdu, region, request.edge, limit.max(allowed)).await?);
    }
    Ok(cuts)
}

/// Cards that say where a cutout comes from.
fn provenance(context: &Context, request: &Request, task: &Task, cut: &Cut, date: &str) -> Vec<NewCard> {
    let text = |text: &str| Value::Text(text.to_owned());
    let row = &task.row;
    let planned = &task.opened.planned;
    let Size { width, height } = request.list.rows[task.at].size.unwrap_or(request.size);
    let side = |length| match length {
        Length::Degrees(degrees) => text(&format!("{} arcmin", degrees * 60.0)),
        Length::Pixels(pixels) => text(&format!("{pixels} px")),
    };
    let edge = match request.edge {
        Edge::Trim => "trim",
        Edge::Pad => "pad",
        Edge::Strict => "strict",
    };
    let mut cards = vec![
        NewCard::new("CUTSOFT", text(SOFTWARE), "what made this cutout"),
        NewCard::new(
            "CUTJOB",
            text(&context.job().to_string()),
            "job that asked for it",
        ),
        NewCard::new("CUTDATE", text(date), "UTC, when it was made"),
        NewCard::new(
            "CUTSRC",
            text(&format!("{}/{}", planned.collection, planned.image.path)),
            "collection/image",
        ),
    ];
    if let Some(etag) = &row.source.etag {
        cards.push(NewCard::new("CUTETAG", text(etag), "version of the image"));
    }
    cards.extend([NewCard::new(
        "CUTHDU",
        Value::Integer(cut.hdu() as i64),
        "HDU of the image, 0 = primary",
    )]);
    if let (Some(ra), Some(dec)) = (row.ra, row.dec) {
        cards.extend([
            NewCard::new("CUTRA", Value::Real(ra), "[deg] ICRS position asked for"),
            NewCard::new("CUTDEC", Value::Real(dec), "[deg] ICRS position asked for"),
        ]);
    }
    match &request.list.rows[task.at].shape {
        Shape::Point(_) => cards.extend([
            NewCard::new("CUTXSIZE", side(width), "width asked for"),
            NewCard::new("CUTYSIZE", side(height), "height asked for"),
        ]),
        // Pixels of the box that lie outside of the shape are kept.
        Shape::Sky => {}
        shape => cards.push(NewCard::new(
            "CUTPOS",
            text(&shape.to_string()),
            "ICRS region asked for, within the box",
        )),
    }
    cards.extend([
        NewCard::new(
            "CUTBOX",
            text(&cut.area().to_string()),
            "pixels of the image, from 1",
        ),
        NewCard::new("CUTEDGE", text(edge), "what becomes of boxes over an edge"),
        NewCard::new(
            "CUTCOVER",
            Value::Real(cut.coverage()),
            "share of the box on the image",
        ),
    ]);
    cards
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;
    use crate::{store::Image, uws::Parameters};

    #[tokio::test]
    async fn other_work_goes_on_while_many_positions_are_looked_at() {
        let list = String::from("RA,DEC\n") + &"1,2\n".repeat(10_000);
        let request = Request::read(&Parameters::default(), Some(list.as_bytes()), 10_000).unwrap();
        let image = Image {
            path: "a.fits".into(),
            url: "file:///a.fits".into(),
            ..Image::default()
        };
        let planned = PlannedImage {
            collection: "maps".into(),
            image: Arc::new(image),
            named: true,
            rows: (0..10_000).collect(),
        };
        let opened = Opened::new(planned, Err(Fault::new(Reason::SourceUnreadable, "gone")));
        // In one go it would never let the thread go.
        assert!(look(&opened, &request).now_or_never().is_none());
        assert_eq!(look(&opened, &request).await.len(), 10_000);
    }
}
