//! A cutout job at work: image by image, box by box, several at once, in bounded memory.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use futures::{
    Stream, StreamExt, TryStreamExt,
    future::BoxFuture,
    stream::{self, FuturesUnordered},
};
use rayon::prelude::*;
use tokio::{sync::mpsc, task::coop::consume_budget};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Cutout,
    cutter::{Cutter, WORKING, packing_copies},
    files::OpenFile,
    image::{Fault, HduBox, NO_MATCHING_IMAGE, boxes, choose_planes, chosen},
    lightcurve::{self, Point},
    limits::MAX_PAIRS,
    list::Row as Asked,
    manifest::{self, ImageColumns, Row, SourceColumns, Status},
    memory::Held,
    names::{self, Names},
    parameters::{Format, Request, media_type, positions},
    picture::{self, Wish},
    plan::{Plan, PlanError, PlannedImage, Selection},
    provenance::{About, provenance},
    render::PNG,
    reuse::{self, Facts},
    sample::{self, Sample},
    weights::{weigh, zero_weight},
};
use crate::{
    engine::{Context, Failure},
    fits::{Admission, Cut, File, FitsError, Reason, Step, Sweep, bytes_of, write, write_parts},
    objects::Stored,
    sky::{Length, Shape},
    store::{Recipe, StoredResult},
    uws::{Label, Timestamp, label, votable},
};

/// Cutouts that are being stored at once.
const STORING: usize = 8;
/// Cutouts that are looked up at a time.
const LOOKED_UP: usize = 500;
/// Images that are cut at once.
const IMAGES: usize = 4;
/// Images whose headers are read ahead.
const AHEAD: usize = 4;
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
    let begun = Timestamp::of_this_host();
    let request = Arc::new(request(service, context).await?);
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
        names: Names::new(request.format.ending()),
        rows: Vec::new(),
        points: BTreeMap::new(),
        done: 0,
        total,
        begun,
    };
    context.progress(0, total as u64, "cutting");
    job.cut_images(std::mem::take(&mut plan.images)).await?;
    job.add_unmatched(&plan).await;
    job.draw_bands().await?;
    job.put_light_curves().await?;
    job.finish().await
}

/// What was checked when the job was made; the catalogue may be another by now.
async fn request(service: &Cutout, context: &Context) -> Result<Request, Failure> {
    let usage = |faults: Vec<crate::engine::UsageError>| {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        Failure::fatal(faults.join("; "))
    };
    let list = match positions(context.parameters()).map_err(|fault| usage(vec![fault]))? {
        Some(value) => Some((context.value(value).await?, media_type(value).to_owned())),
        None => None,
    };
    let parameters = context.parameters().clone();
    let most = service.max_positions;
    // A long list takes a while to read.
    tokio::task::spawn_blocking(move || {
        Request::read(
            &parameters,
            list.as_ref().map(|(bytes, kind)| (&bytes[..], kind.as_str())),
            most,
        )
    })
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
    request: &'a Arc<Request>,
    names: Names,
    rows: Vec<Row>,
    /// Those of the light curves, by row of the list.
    points: BTreeMap<usize, Vec<Point>>,
    done: usize,
    total: usize,
    begun: Timestamp,
}

/// An image with its headers.
struct Opened {
    planned: PlannedImage,
    file: Result<OpenFile, Fault>,
    source: SourceColumns,
    columns: ImageColumns,
}

/// Where a position lies on an image.
struct Found {
    /// Its place in the list.
    at: usize,
    /// The boxes to cut.
    boxes: Result<Vec<HduBox>, Fault>,
    /// The pixels of its light curve, if it has one.
    pixels: Option<Result<Vec<HduBox>, Fault>>,
}

/// A cutout to be made; or a point of a light curve, if its row has a sample.
struct Task {
    opened: Arc<Opened>,
    /// Place in the list.
    at: usize,
    boxes: Vec<HduBox>,
    /// The file's name.
    name: String,
    row: Row,
}

impl Job<'_> {
    async fn cut_images(&mut self, images: Vec<PlannedImage>) -> Result<(), Failure> {
        let (sender, mut rows) = mpsc::unbounded_channel();
        let shared = Shared {
            cutter: &self.service.cutter,
            context: self.context,
            request: self.request,
            rows: sender,
            held: AtomicUsize::new(0),
            reused: AtomicUsize::new(0),
        };
        let mut cutting: FuturesUnordered<BoxFuture<'_, Result<(), Failure>>> = FuturesUnordered::new();
        let mut images = pin!(self.open_ahead(images));
        let mut more = true;
        while more || !cutting.is_empty() {
            tokio::select! {
                biased;
                Some(row) = rows.recv() => self.settle(row)?,
                Some(done) = cutting.next(), if !cutting.is_empty() => done?,
                opened = images.next(), if more && cutting.len() < IMAGES => match opened {
                    None => more = false,
                    Some(opened) => {
                        let (opened, found) = opened?;
                        let tasks = self.tasks(&Arc::new(opened), found).await?;
                        if !tasks.is_empty() {
                            cutting.push(Box::pin(shared.cut_image(tasks)));
                        }
                    }
                },
            }
        }
        while let Ok(row) = rows.try_recv() {
            self.settle(row)?;
        }
        match shared.reused.load(Ordering::Relaxed) {
            0 => {}
            reused => self.context.log(format!(
                "{reused} cutouts are those of earlier jobs, which are the same"
            )),
        }
        Ok(())
    }

    /// Opens images in their order, a few ahead of those that are cut, and looks where the positions lie on them.
    fn open_ahead(
        &self,
        images: Vec<PlannedImage>,
    ) -> impl Stream<Item = Result<(Opened, Vec<Found>), Failure>> + use<> {
        let (cutter, request) = (Arc::clone(&self.service.cutter), Arc::clone(self.request));
        stream::iter(images)
            .map(move |planned| {
                let (cutter, request) = (Arc::clone(&cutter), Arc::clone(&request));
                // On a task of its own it goes on while cutouts are made; not when the job is over.
                AbortOnDropHandle::new(tokio::spawn(async move {
                    let file = cutter.files().open(&planned.image.url).await;
                    let opened = Opened::new(planned, file);
                    let found = look(&opened, &request, &opened.planned.rows).await;
                    (opened, found)
                }))
            })
            .buffered(AHEAD)
            .map(|opened| {
                opened.map_err(|error| Failure::fatal(format!("An image could not be opened: {error}")))
            })
    }

    /// Takes the row of a cutout that was made, or was not.
    fn settle(&mut self, row: Row) -> Result<(), Failure> {
        self.add(row);
        self.tell();
        self.context.checkpoint()
    }

    fn add(&mut self, row: Row) {
        if row.sample.is_some() {
            let at = row.row;
            self.points.entry(at).or_default().extend(Point::of(row));
            return;
        }
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

    /// The cutouts of an image. Positions whose box does not touch it are no business of it unless the job named it;
    /// those that fail have their row at once.
    async fn tasks(&mut self, opened: &Arc<Opened>, found: Vec<Found>) -> Result<Vec<Task>, Failure> {
        let mut tasks = Vec::new();
        let mut points = Vec::new();
        for Found { at, boxes, pixels } in found {
            consume_budget().await;
            let is_elsewhere = boxes.as_ref().is_err_and(Fault::is_outside) && !opened.planned.named;
            if let Some(pixels) = pixels.filter(|_| !is_elsewhere) {
                let mut row = self.row(opened, at, None);
                let mut sample = Sample::new(&opened.planned.image);
                if let (Ok(open), Ok(pixels)) = (&opened.file, &pixels) {
                    sample.narrow(&open.file, pixels);
                }
                row.sample = Some(Box::new(sample));
                match pixels {
                    Err(fault) => self.add(failed(row, fault)),
                    Ok(boxes) => points.push(Task {
                        opened: Arc::clone(opened),
                        at,
                        boxes,
                        name: String::new(),
                        row,
                    }),
                }
            }
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
                Err(_) if is_elsewhere => self.done += 1,
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
        tasks.append(&mut points);
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
            weight_coverage: None,
            pixels: 0,
            lightcurve: None,
            sample: None,
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
            let row = failed(self.bare_row(at), nothing_found(plan, self.request, asked));
            self.rows.push(row.clone());
            self.context.log(format!(
                "Row {} ({}): {}",
                row.row,
                row.id,
                row.message.unwrap_or_default()
            ));
        }
    }

    /// Draws the picture of three bands of each position that has them, from the files that were stored.
    async fn draw_bands(&mut self) -> Result<(), Failure> {
        let Some(bands) = &self.request.preview.rgb else {
            return Ok(());
        };
        let made = self.rows.iter().filter(|row| row.status == Status::Ok);
        let mut positions: BTreeMap<usize, Vec<Row>> = BTreeMap::new();
        for row in made {
            positions.entry(row.row).or_default().push(row.clone());
        }
        for rows in positions.into_values() {
            self.context.checkpoint()?;
            match three(rows, bands) {
                Ok(three) => self.draw_three(&three).await?,
                Err(missing) => self.context.log(missing),
            }
        }
        Ok(())
    }

    async fn draw_three(&mut self, rows: &[Row; 3]) -> Result<(), Failure> {
        let context = self.context;
        let memory = self.service.cutter.memory();
        let sizes = rows.each_ref().map(|row| row.size.unwrap_or(0));
        // The files, and their pixels.
        let pixels = rows.iter().map(|row| row.pixels);
        let needed = sizes.into_iter().chain(pixels).fold(0, u64::saturating_add);
        let id = &rows[0].id;
        if needed > memory.total() {
            context.log(format!(
                "{id} has no picture of three bands: its files are too large"
            ));
            return Ok(());
        }
        let held = context.suspended(memory.hold(needed)).await?;
        let mut files = Vec::with_capacity(rows.len());
        for (row, size) in rows.iter().zip(sizes) {
            files.push(
                context
                    .stored(row.file.as_deref().unwrap_or_default(), size)
                    .await?,
            );
        }
        let Ok(files) = <[Bytes; 3]>::try_from(files) else {
            return Ok(());
        };
        let shown = rows.each_ref().map(|row| row.file.as_deref().unwrap_or_default());
        match picture::of_bands(files, self.request.preview.style, shown.join(", ")).await {
            Ok(picture) => {
                let name = self.names.take_rgb(id);
                context.put(&name, PNG, picture).await?;
            }
            Err(fault) => context.log(format!("{id} has no picture of three bands: {}", fault.message)),
        }
        drop(held);
        Ok(())
    }

    /// Stores the light curve of each position that lies on an image.
    async fn put_light_curves(&mut self) -> Result<(), Failure> {
        let positions = std::mem::take(&mut self.points);
        let (context, job) = (self.context, self.context.job());
        let memory = self.service.cutter.memory();
        let date = Timestamp::of_this_host().to_string();
        let date: Arc<str> = date.trim_end_matches('Z').into();
        let mut curves = Vec::with_capacity(positions.len());
        let mut named: HashMap<usize, Arc<str>> = HashMap::with_capacity(positions.len());
        for (number, points) in positions {
            let position = self.bare_row(number - 1);
            let names = self.names.take_light_curve(&position.id);
            named.insert(number, names[0].as_str().into());
            curves.push((names, position, points));
        }
        let mut storing = pin!(
            stream::iter(curves)
                .map(|([fits, csv], position, points)| {
                    let date = Arc::clone(&date);
                    async move {
                        let _held = memory.hold(Point::room(points.len())).await;
                        let write = move || lightcurve::write(job, &position, points, &date);
                        let written = tokio::task::spawn_blocking(write).await;
                        let [table, text] = written.map_err(|error| Failure::fatal(error.to_string()))??;
                        context.put(&fits, FITS, table).await?;
                        context.put(&csv, "text/csv", text).await?;
                        Ok::<_, Failure>(())
                    }
                })
                .buffer_unordered(STORING)
        );
        while let Some(stored) = storing.next().await {
            stored?;
        }
        for row in &mut self.rows {
            row.lightcurve = named.get(&row.row).cloned();
        }
        Ok(())
    }

    /// Stores the manifests, and what `result` stands for.
    async fn finish(self) -> Result<(), Failure> {
        let (context, mut rows, format) = (self.context, self.rows, self.request.format);
        let (job, parameters) = (context.job(), context.parameters().clone());
        let times = [self.begun, Timestamp::of_this_host()];
        let rows = tokio::task::spawn_blocking(move || {
            rows.sort_by(|a, b| {
                (a.row, &a.image.collection, &a.image.image).cmp(&(
                    b.row,
                    &b.image.collection,
                    &b.image.image,
                ))
            });
            Arc::new(rows)
        })
        .await
        .map_err(|error| Failure::fatal(error.to_string()))?;
        let listed = Arc::clone(&rows);
        let manifest = context
            .put_written("manifest.json", "application/json", move |out| {
                manifest::json(out, job, &parameters, &listed, times)
            })
            .await?;
        let listed = Arc::clone(&rows);
        context
            .put_written("manifest.csv", "text/csv", move |out| manifest::csv(out, &listed))
            .await?;
        let listed = Arc::clone(&rows);
        context
            .put_written("manifest.vot", votable::MEDIA_TYPE, move |out| {
                manifest::votable(out, job, &listed)
            })
            .await?;
        let empty = tell_empty(context, &rows).await?;
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
                let stored = Stored {
                    size: *size,
                    sha256: sha256.clone(),
                };
                let media_type = if format == Format::Png { PNG } else { FITS };
                context.alias("result", file, media_type, &stored)?;
            }
            (None, _) if let (Some(stored), 1) = (&empty, rows.len()) => {
                context.alias("result", EMPTY, "text/plain", stored)?;
            }
            _ => context.alias("result", "manifest.json", "application/json", &manifest)?,
        }
        context.progress(self.total as u64, self.total as u64, "done");
        context.log(format!("{ok} cutouts made, {} rows failed", rows.len() - ok));
        Ok(())
    }
}

/// Why there is nothing of a row that lies on no image.
pub fn nothing_found(plan: &Plan, request: &Request, asked: &Asked) -> Fault {
    let narrowed = asked.band_range.is_some() || asked.time_range.is_some() || !request.pols.is_empty();
    match plan.selected(asked) {
        _ if narrowed => Fault {
            reason: NO_MATCHING_IMAGE,
            message: "no image there is of the wavelengths, times and polarizations asked for".into(),
        },
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
    }
}

/// Name of the first text that stands for a cutout which is not made.
const EMPTY: &str = "empty_1.txt";

/// A client of SODA, which gave no list, looks for a result of each that it asked for: where there is none, a text that
/// begins with a label (SODA 1.0 section 4.2). The first of them.
async fn tell_empty(context: &Context, rows: &[Row]) -> Result<Option<Stored>, Failure> {
    let mut first = None;
    if context.parameters().all("POSITIONS").next().is_some() {
        return Ok(first);
    }
    let failed = rows.iter().filter(|row| row.status == Status::Failed);
    for (row, number) in failed.zip(1..) {
        let label = match row.reason {
            Some("outside_footprint" | NO_MATCHING_IMAGE) => Label::UsageError,
            _ => Label::Error,
        };
        let text = label::text(label, row.message.as_deref().unwrap_or("there is no cutout"));
        let name = format!("empty_{number}.txt");
        let stored = context.put(&name, "text/plain", text.into()).await?;
        first.get_or_insert(stored);
    }
    Ok(first)
}

fn arcmin(length: Length) -> Option<f64> {
    match length {
        Length::Degrees(degrees) => Some(degrees * 60.0),
        Length::Pixels(_) => None,
    }
}

/// Of each band the first cutout of a position: of the same observation and type as the first band's if there is one.
fn three(mut rows: Vec<Row>, bands: &[String; 3]) -> Result<[Row; 3], String> {
    rows.sort_by(|a, b| (&a.image.collection, &a.image.image).cmp(&(&b.image.collection, &b.image.image)));
    let of = |band: &str| -> Vec<&Row> {
        let is = |row: &&Row| {
            row.image
                .band
                .as_deref()
                .is_some_and(|own| own.eq_ignore_ascii_case(band))
        };
        rows.iter().filter(is).collect()
    };
    let [red, green, blue] = bands;
    let first = of(red).first().copied();
    let like = |band: &str| {
        let of_band = of(band);
        let alike = |row: &&&Row| {
            first.is_some_and(|first| {
                (&first.image.obs, &first.image.product_type) == (&row.image.obs, &row.image.product_type)
            })
        };
        of_band.iter().find(alike).or(of_band.first()).copied()
    };
    let (Some(red), Some(green), Some(blue)) = (first, like(green), like(blue)) else {
        let id = rows.first().map(|row| row.id.to_string()).unwrap_or_default();
        return Err(format!(
            "{id} has no picture of three bands: not all of {} were cut",
            bands.join(", ")
        ));
    };
    Ok([red.clone(), green.clone(), blue.clone()])
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
    fn new(planned: PlannedImage, file: Result<OpenFile, Fault>) -> Opened {
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
            .and_then(|open| open.file.etag())
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

/// The boxes of positions (places in the list) on an image, worked out by all threads; other work goes on meanwhile.
async fn look(opened: &Opened, request: &Arc<Request>, places: &[usize]) -> Vec<Found> {
    let file = match &opened.file {
        Ok(open) => Arc::clone(&open.file),
        Err(fault) => return places.iter().map(|at| nowhere(*at, request, fault)).collect(),
    };
    let (asked, all_places) = (request, places);
    let (request, places) = (Arc::clone(request), places.to_vec());
    let looking = super::cutter::on_all_threads(move || {
        let look = |at: &usize| {
            let row = &request.list.rows[*at];
            let position = lightcurve::position(&row.shape).filter(|_| request.lightcurve);
            Found {
                at: *at,
                boxes: boxes_at(&file, &request, *at),
                pixels: position
                    .map(|position| sample::pixels(&file, &request.hdus, position, &request.planes(row))),
            }
        };
        places.par_iter().map(look).collect()
    });
    let gone = || {
        Fault::new(
            Reason::SourceUnreadable,
            "its coordinates could not be worked out",
        )
    };
    match looking.await {
        Some(found) => found,
        None => all_places.iter().map(|at| nowhere(*at, asked, &gone())).collect(),
    }
}

/// What becomes of a position on an image that cannot be looked at.
fn nowhere(at: usize, request: &Request, fault: &Fault) -> Found {
    let position = lightcurve::position(&request.list.rows[at].shape).filter(|_| request.lightcurve);
    Found {
        at,
        boxes: Err(fault.clone()),
        pixels: position.map(|_| Err(fault.clone())),
    }
}

/// The boxes of a row (its place in the list) on an image that a cutout is made of.
pub fn boxes_at(file: &File, request: &Request, at: usize) -> Result<Vec<HduBox>, Fault> {
    let row = &request.list.rows[at];
    let hdus = chosen(file, &request.hdus)?;
    let size = row.size.unwrap_or(request.size);
    let boxes = boxes(file, &hdus, !request.hdus.is_empty(), &row.shape, size)?;
    let mut boxes = choose_planes(file, boxes, &request.planes(row))?;
    if request.format == Format::Png {
        // A picture is of one image.
        boxes.truncate(1);
    }
    Ok(boxes)
}

/// An error if a cutout of these boxes can never be held in so many bytes, or is not to be made as they lie.
pub fn check_size(file: &File, boxes: &[HduBox], request: &Request, limit: u64) -> Result<(), FitsError> {
    let mut bytes = 0_u64;
    for found in boxes {
        if let Some(hdu) = file.hdus().get(found.hdu) {
            bytes = bytes.saturating_add(bytes_of(hdu, &found.region, request.edge)?);
        }
    }
    // Once as it is cut, once as it is stored.
    let bytes = bytes.saturating_mul(2 + packing_copies(request.format.packing()));
    if bytes > limit {
        let what = "the cutout";
        return Err(FitsError::TooLarge { what, bytes, limit });
    }
    Ok(())
}

impl Task {
    /// The file, if it could be opened.
    fn file(&self) -> Option<&Arc<File>> {
        self.opened.file.as_ref().ok().map(|open| &open.file)
    }
}

/// What the images of a job share while they are cut.
struct Shared<'a> {
    cutter: &'a Cutter,
    context: &'a Context,
    request: &'a Arc<Request>,
    rows: mpsc::UnboundedSender<Row>,
    /// Images and cutouts that hold memory.
    held: AtomicUsize,
    /// Cutouts that earlier jobs have made.
    reused: AtomicUsize,
}

/// Counts while it lives.
struct Counted<'a>(&'a AtomicUsize, Held);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize, held: Held) -> Counted<'a> {
        count.fetch_add(1, Ordering::Relaxed);
        Counted(count, held)
    }

    fn split(&mut self, bytes: u64) -> Counted<'a> {
        Counted::new(self.0, self.1.split(bytes))
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Cutouts that have to be tried once more.
#[derive(Default)]
struct Again {
    /// The file was another by now.
    changed: Vec<Task>,
    /// Decoding takes more memory than was thought; bytes.
    larger: Vec<Task>,
    working: u64,
}

impl Shared<'_> {
    /// Makes the cutouts of an image. If the image was open before and has been replaced since, it is opened once more.
    async fn cut_image(&self, tasks: Vec<Task>) -> Result<(), Failure> {
        let mut tasks = self.reuse(tasks).await?;
        let mut working = WORKING.min(self.cutter.memory().total() / 4);
        let mut anew = false;
        loop {
            let Some(opened) = tasks.first().map(|task| Arc::clone(&task.opened)) else {
                return Ok(());
            };
            let Ok(open) = &opened.file else { return Ok(()) };
            let mut again = self.sweep(open, tasks, working, open.warm && !anew).await?;
            if again.changed.is_empty() {
                tasks = again.larger;
            } else {
                self.cutter.files().forget(&opened.planned.image.url, &open.file);
                anew = true;
                tasks = self.reopen(&opened, again.changed).await;
                tasks.append(&mut again.larger);
            }
            working = working.max(again.working);
        }
    }

    /// Gives those cutouts of an image again that earlier jobs of the owner's have made, if it is the same still; and
    /// leaves the others.
    async fn reuse(&self, tasks: Vec<Task>) -> Result<Vec<Task>, Failure> {
        let Some(file) = tasks.first().and_then(Task::file).cloned() else {
            return Ok(tasks);
        };
        let mut digests = Vec::with_capacity(tasks.len());
        for task in &tasks {
            consume_budget().await;
            digests.push(self.digest(task));
        }
        let known: Vec<String> = digests.iter().flatten().cloned().collect();
        let mut found = HashMap::new();
        for some in known.chunks(LOOKED_UP) {
            found.extend(self.context.made_before(some).await);
        }
        // It may have been open for a while.
        if found.is_empty() || file.check().await.is_err() {
            return Ok(tasks);
        }
        let left = stream::iter(tasks.into_iter().zip(digests))
            .map(|(task, digest)| self.give_again(task, digest.and_then(|digest| found.get(&digest))))
            .buffered(STORING);
        left.try_filter_map(|task| std::future::ready(Ok(task)))
            .try_collect()
            .await
    }

    /// Gives what an earlier job has made for a task; else the task is left.
    async fn give_again(&self, task: Task, earlier: Option<&StoredResult>) -> Result<Option<Task>, Failure> {
        let recipe = earlier.and_then(|earlier| earlier.recipe.as_ref());
        let facts = recipe.and_then(|recipe| serde_json::from_str::<Facts>(&recipe.facts).ok());
        let (Some(earlier), Some(facts)) = (earlier, facts) else {
            return Ok(Some(task));
        };
        if !self.context.put_again(&task.name, earlier).await? {
            return Ok(Some(task));
        }
        self.reused.fetch_add(1, Ordering::Relaxed);
        self.settle(Row {
            file: Some(task.name),
            size: Some(earlier.size),
            sha256: Some(earlier.sha256.clone()),
            ..facts.complete(task.row)
        });
        Ok(None)
    }

    /// The digest of a cutout's recipe. What is drawn is drawn anew, a point of a light curve is no file, and nobody's jobs
    /// have no earlier ones.
    fn digest(&self, task: &Task) -> Option<String> {
        if self.request.is_pictured() || task.row.sample.is_some() {
            return None;
        }
        let url = &task.opened.planned.image.url;
        reuse::digest(self.context.owner()?, &self.about(task), url, &task.boxes)
    }

    fn about<'a>(&'a self, task: &'a Task) -> About<'a> {
        let planned = &task.opened.planned;
        About {
            job: Some(self.context.job()),
            request: self.request,
            asked: &self.request.list.rows[task.at],
            image: format!("{}/{}", planned.collection, planned.image.path),
            etag: task.row.source.etag.as_deref(),
        }
    }

    /// The same cutouts of the image as it is now.
    async fn reopen(&self, opened: &Opened, tasks: Vec<Task>) -> Vec<Task> {
        let file = self.cutter.files().open(&opened.planned.image.url).await;
        let file = file.map(|open| OpenFile { warm: false, ..open });
        let opened = Arc::new(Opened::new(opened.planned.clone(), file));
        let places: Vec<usize> = tasks.iter().map(|task| task.at).collect();
        let found = look(&opened, self.request, &places).await;
        let mut kept = Vec::with_capacity(tasks.len());
        for (mut task, found) in tasks.into_iter().zip(found) {
            task.opened = Arc::clone(&opened);
            task.row.source = opened.source.clone();
            let is_point = task.row.sample.is_some();
            let boxes = found.pixels.filter(|_| is_point).unwrap_or(found.boxes);
            match boxes {
                Ok(boxes) => kept.push(Task { boxes, ..task }),
                Err(fault) => self.settle(failed(task.row, fault)),
            }
        }
        kept
    }

    fn settle(&self, row: Row) {
        // The job is over if nobody takes it.
        let _ = self.rows.send(row);
    }

    /// A sweep of an image, and the tasks that it has by their number.
    async fn begin(&self, open: &OpenFile, tasks: Vec<Task>, working: u64) -> (Sweep, HashMap<usize, Task>) {
        let most = self.cutter.memory().total();
        let mut sweep = Sweep::new(File::clone(&open.file), self.request.edge, working);
        let mut begun = HashMap::with_capacity(tasks.len());
        for (id, task) in tasks.into_iter().enumerate() {
            consume_budget().await;
            if let Err(error) = check_size(&open.file, &task.boxes, self.request, most) {
                self.settle(refused(task, error.into()));
                continue;
            }
            let regions: Vec<_> = task
                .boxes
                .iter()
                .map(|found| (found.hdu, found.region.clone()))
                .collect();
            sweep.add(id, &regions);
            begun.insert(id, task);
        }
        (sweep, begun)
    }

    /// Cuts an image in one walk, and stores what comes of it on the way. Decoding may hold `working` bytes.
    async fn sweep(
        &self,
        open: &OpenFile,
        tasks: Vec<Task>,
        working: u64,
        warm: bool,
    ) -> Result<Again, Failure> {
        let memory = self.cutter.memory();
        let url = tasks
            .first()
            .map(|task| task.opened.planned.image.url.clone())
            .unwrap_or_default();
        let (mut sweep, mut open_tasks) = self.begin(open, tasks, working).await;
        let mut again = Again::default();
        let mut own: Option<Counted<'_>> = None;
        let mut credit: Option<Counted<'_>> = None;
        let mut holding: HashMap<usize, Counted<'_>> = HashMap::new();
        let mut queue = VecDeque::new();
        let mut storing = FuturesUnordered::new();
        let mut ended = false;
        while !ended || !storing.is_empty() || !queue.is_empty() {
            while storing.len() < STORING
                && let Some((task, cuts, held)) = queue.pop_front()
            {
                storing.push(self.store(task, cuts, held));
            }
            let busy = !storing.is_empty();
            let mut admit = |id: usize, bytes: u64| {
                let held = if own.is_none() {
                    None
                } else {
                    credit
                        .take()
                        .or_else(|| Some(Counted::new(&self.held, memory.try_hold(self.room(bytes))?)))
                };
                match held {
                    Some(held) => {
                        holding.insert(id, held);
                        Admission::Yes
                    }
                    None if busy || holding.is_empty() => Admission::Wait,
                    None => Admission::Later,
                }
            };
            let step = tokio::select! {
                biased;
                Some(row) = storing.next(), if busy => {
                    self.settle(row?);
                    continue;
                }
                step = sweep.step(&mut admit), if !ended => step,
            };
            let finished = match step {
                Step::Finished(finished) => finished,
                Step::NeedsMemory(_) if busy => {
                    if let Some(row) = storing.next().await {
                        self.settle(row?);
                    }
                    continue;
                }
                Step::NeedsMemory(bytes) => {
                    // All that it takes at once: who waits holds nothing.
                    drop(own.take());
                    let mut both = self.hold(self.room(bytes).saturating_add(working)).await?;
                    credit = Some(both.split(self.room(bytes)));
                    own = Some(both);
                    continue;
                }
                Step::End => {
                    ended = true;
                    own = None;
                    continue;
                }
            };
            for finished in finished {
                let Some(task) = open_tasks.remove(&finished.id) else {
                    continue;
                };
                let held = holding.remove(&finished.id);
                match finished.cuts {
                    Ok(cuts) => queue.push_back((task, cuts, held)),
                    Err(error) => self.uncut(open, task, &error, (working, warm), &mut again),
                }
            }
        }
        self.cutter.files().confirm(&url, &open.file);
        Ok(again)
    }

    /// What becomes of a task that was not cut, with so much memory, out of a file that was open before or was not.
    fn uncut(
        &self,
        open: &OpenFile,
        task: Task,
        error: &FitsError,
        (working, warm): (u64, bool),
        again: &mut Again,
    ) {
        match error {
            FitsError::TooLarge { bytes, .. }
                if (working + 1..=self.cutter.memory().total()).contains(bytes) =>
            {
                again.working = again.working.max(*bytes);
                again.larger.push(task);
            }
            error if warm && error.reason() == Reason::SourceChanged => again.changed.push(task),
            error => {
                if matches!(error.reason(), Reason::SourceChanged | Reason::SourceUnreadable) {
                    self.cutter
                        .files()
                        .forget(&task.opened.planned.image.url, &open.file);
                }
                self.settle(refused(task, error.into()));
            }
        }
    }

    /// Memory, once there is as much. If the job holds none, it is other jobs that it waits for, and it is SUSPENDED.
    async fn hold(&self, bytes: u64) -> Result<Counted<'_>, Failure> {
        let memory = self.cutter.memory();
        let held = if self.held.load(Ordering::Relaxed) == 0 {
            self.context.suspended(memory.hold(bytes)).await?
        } else {
            memory.hold(bytes).await
        };
        Ok(Counted::new(&self.held, held))
    }

    /// Writes and stores a cutout; gives its row. Only what concerns the whole job is an error.
    async fn store(&self, task: Task, cuts: Vec<Cut>, _held: Option<Counted<'_>>) -> Result<Row, Failure> {
        let (Some(first), Some(file)) = (cuts.first(), task.file()) else {
            return Ok(refused(
                task,
                Fault::new(Reason::SourceUnreadable, "there is nothing to cut"),
            ));
        };
        if task.row.sample.is_some() {
            let mut row = task.row.clone();
            if let Some(sample) = &mut row.sample {
                sample.take(file, &cuts);
            }
            return Ok(row);
        }
        let hdus: Vec<String> = cuts.iter().map(|cut| cut.hdu().to_string()).collect();
        let (area, coverage) = (first.area(), first.coverage());
        let pixels = cuts.iter().map(|cut| cut.data().len() as u64).sum();
        let file = Arc::clone(file);
        let (cuts, weight_coverage) = weigh(&file, cuts).await?;
        if weight_coverage == Some(0.0) {
            let mut row = refused(task, zero_weight());
            row.weight_coverage = weight_coverage;
            return Ok(row);
        }
        let date = Timestamp::of_this_host().to_string();
        let date = date.trim_end_matches('Z').to_owned();
        let about = self.about(&task);
        let cuts: Vec<_> = cuts
            .into_iter()
            .map(|cut| {
                let cards = provenance(&about, &cut, &date);
                (cut, cards)
            })
            .collect();
        let packing = self.request.format.packing();
        let facts = Facts::new(hdus.join(" "), area, coverage, weight_coverage, pixels);
        let kept = if self.request.is_pictured() {
            let bytes = tokio::task::spawn_blocking(move || write(&file, cuts, &date, packing)).await;
            let bytes = bytes.map_err(|error| Failure::fatal(error.to_string()))?;
            self.store_picture(&task, bytes).await?
        } else {
            let recipe = match self.digest(&task) {
                Some(digest) => Some(Recipe {
                    digest,
                    facts: serde_json::to_string(&facts)
                        .map_err(|error| Failure::fatal(error.to_string()))?,
                }),
                None => None,
            };
            let write = move || write_parts(&file, cuts, &date, packing);
            let stored = self.context.put_made(&task.name, FITS, recipe, write).await?;
            Ok((task.name.clone(), stored))
        };
        let (name, stored) = match kept {
            Ok(kept) => kept,
            Err(fault) => return Ok(failed(task.row, fault)),
        };
        Ok(Row {
            file: Some(name),
            size: Some(stored.size),
            sha256: Some(stored.sha256),
            ..facts.complete(task.row)
        })
    }

    /// Stores a cutout and its picture beside it, or with FORMAT=png the picture alone; gives what its row names.
    async fn store_picture(
        &self,
        task: &Task,
        bytes: Bytes,
    ) -> Result<Result<(String, Stored), Fault>, Failure> {
        let planned = &task.opened.planned;
        let wish = Wish {
            hdu: None,
            style: self.request.preview.style,
            source: format!("{}/{}", planned.collection, planned.image.path),
        };
        let name = names::picture(&task.name);
        if self.request.format == Format::Png {
            return match picture::of_bytes(bytes, wish).await {
                Ok(picture) => Ok(Ok((name.clone(), self.context.put(&name, PNG, picture).await?))),
                Err(fault) => Ok(Err(fault)),
            };
        }
        let stored = self.context.put(&task.name, FITS, bytes.clone()).await?;
        match picture::of_bytes(bytes, wish).await {
            Ok(picture) => {
                self.context.put(&name, PNG, picture).await?;
            }
            Err(fault) => self
                .context
                .log(format!("{} has no picture: {}", task.name, fault.message)),
        }
        Ok(Ok((task.name.clone(), stored)))
    }

    /// Bytes that a cutout of so many bytes of pixels takes.
    fn room(&self, pixels: u64) -> u64 {
        // What is drawn lies in memory as a file too.
        let drawn = if self.request.is_pictured() { 2 } else { 1 };
        let copies = drawn + packing_copies(self.request.format.packing());
        // Cards.
        pixels.saturating_mul(copies).saturating_add(32 << 10)
    }
}

/// The row of a cutout that is not made. A box that is refused for where it lies is shown all the same.
fn refused(task: Task, fault: Fault) -> Row {
    let area = task.boxes.first().map(|first| first.region.area);
    failed(Row { area, ..task.row }, fault)
}
