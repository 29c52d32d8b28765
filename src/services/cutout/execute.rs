//! A cutout job at work: image by image, box by box, several at once, in bounded memory.

use std::{collections::BTreeMap, pin::pin, sync::Arc};

use bytes::Bytes;
use futures::{
    Stream, StreamExt,
    future::BoxFuture,
    stream::{self, FuturesUnordered},
};
use tokio::{sync::mpsc, task::coop::consume_budget};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Cutout,
    batch::{Came, FITS, Pair, Part, STORING, Shared},
    image::{Fault, NO_MATCHING_IMAGE},
    lightcurve::{self, Point},
    limits::MAX_PAIRS,
    list::Row as Asked,
    manifest::{self, Row},
    names::Names,
    opened::{Lies, Opened, Seen},
    outcome::{Ended, Missed, Outcomes, bare_row},
    parameters::{Format, Request, media_type, positions},
    picture,
    plan::{Plan, PlanError, PlannedImage, Selection},
    render::PNG,
    sample::Sample,
};
use crate::{
    engine::{Context, Failure},
    fits::Reason,
    objects::Stored,
    uws::{Label, Timestamp, label, votable},
};

/// Images that are cut at once.
const IMAGES: usize = 4;
/// Images whose headers are read ahead.
const AHEAD: usize = 4;

/// Media type of manifests and light curves as CSV: without their encoding clients take it for Latin-1.
const CSV: &str = "text/csv; charset=utf-8";

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
        outcomes: Outcomes::new(Arc::clone(&request)),
        points: BTreeMap::new(),
        done: 0,
        total,
        begun,
    };
    job.tell();
    job.cut_images(std::mem::take(&mut plan.images)).await?;
    job.add_unmatched(&plan).await;
    job.sort().await?;
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
    outcomes: Outcomes,
    /// Those of the light curves, by place in the list.
    points: BTreeMap<usize, Vec<Point>>,
    done: usize,
    total: usize,
    begun: Timestamp,
}

impl Job<'_> {
    async fn cut_images(&mut self, images: Vec<PlannedImage>) -> Result<(), Failure> {
        let (sender, mut came) = mpsc::unbounded_channel();
        let shared = Shared::new(&self.service.cutter, self.context, self.request, sender);
        let mut cutting: FuturesUnordered<BoxFuture<'_, Result<(), Failure>>> = FuturesUnordered::new();
        let mut images = pin!(self.open_ahead(images));
        let mut more = true;
        while more || !cutting.is_empty() {
            tokio::select! {
                biased;
                Some(came) = came.recv() => self.settle(came)?,
                Some(done) = cutting.next(), if !cutting.is_empty() => done?,
                opened = images.next(), if more && cutting.len() < IMAGES => match opened {
                    None => more = false,
                    Some(opened) => {
                        let (opened, seen) = opened?;
                        let pairs = self.pairs(&opened, seen).await?;
                        if !pairs.is_empty() {
                            cutting.push(Box::pin(shared.cut_image(opened, pairs)));
                        }
                    }
                },
            }
        }
        while let Ok(came) = came.try_recv() {
            self.settle(came)?;
        }
        match shared.reused() {
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
    ) -> impl Stream<Item = Result<(Opened, Vec<Seen>), Failure>> + use<> {
        let (cutter, request) = (Arc::clone(&self.service.cutter), Arc::clone(self.request));
        stream::iter(images)
            .map(move |planned| {
                let (cutter, request) = (Arc::clone(&cutter), Arc::clone(&request));
                // On a task of its own it goes on while cutouts are made; not when the job is over.
                AbortOnDropHandle::new(tokio::spawn(async move {
                    let file = cutter.files().open(&planned.image.url).await;
                    let opened = Opened::new(planned, file);
                    let seen = opened.survey(&request).await;
                    (opened, seen)
                }))
            })
            .buffered(AHEAD)
            .map(|opened| {
                opened.map_err(|error| Failure::fatal(format!("An image could not be opened: {error}")))
            })
    }

    /// Takes what came of a pair.
    fn settle(&mut self, came: Came) -> Result<(), Failure> {
        match came {
            Came::Cutout(ended) => {
                self.add(ended);
                self.tell();
            }
            Came::Point(at, point) => self.points.entry(at).or_default().push(point),
        }
        self.context.checkpoint()
    }

    fn add(&mut self, ended: Ended) {
        if let Err(missed) = &ended.outcome {
            let image = ended.imaged.as_ref().map(|imaged| imaged.image.path.as_str());
            let Fault { reason, message } = &missed.fault;
            self.context.log(format!(
                "Row {} ({}), {}: {reason}: {message}",
                ended.at + 1,
                self.request.list.rows[ended.at].name(),
                image.unwrap_or("no image")
            ));
        }
        self.outcomes.push(ended);
        self.done += 1;
    }

    /// Pairs of a position and an image that were looked at, of all; failed are rows of the manifest without a file (its
    /// `counts.failed`): such pairs, and positions on no image, which are no pair.
    fn tell(&self) {
        self.tell_that("cutting");
    }

    fn tell_that(&self, note: &str) {
        let [done, total, failed] =
            [self.done, self.total, self.outcomes.count_failed()].map(|count| count as u64);
        self.context.progress(done, total, failed, note);
    }

    /// What is to be made of an image. Positions whose box does not touch it are no business of it unless the job named it;
    /// those that fail have ended.
    async fn pairs(&mut self, opened: &Opened, seen: Vec<Seen>) -> Result<Vec<Pair>, Failure> {
        let mut pairs = Vec::with_capacity(seen.len());
        let missed = |at, fault| Ended {
            at,
            imaged: Some(Arc::clone(&opened.imaged)),
            extent: None,
            outcome: Err(Box::new(Missed::from(fault))),
        };
        for Seen { at, cutout, point } in seen {
            consume_budget().await;
            match cutout {
                Lies::From(from) => {
                    // Names go by the list's order, whatever the order of work.
                    let id = self.request.list.rows[at].name();
                    let part = Part::Cutout(self.names.take(&id, &opened.imaged.image));
                    pairs.push(Pair { at, from, part });
                }
                Lies::Elsewhere => {
                    self.done += 1;
                    continue;
                }
                Lies::Nowhere(fault) => self.add(missed(at, *fault)),
            }
            match point {
                Some(Lies::From(from)) => {
                    let part = Part::Point;
                    pairs.push(Pair { at, from, part });
                }
                Some(Lies::Nowhere(fault)) => {
                    let sample = Box::new(Sample::new(&opened.imaged.image));
                    let point = Point::new(Arc::clone(&opened.imaged), Some(fault.reason), sample);
                    self.points.entry(at).or_default().push(point);
                }
                Some(Lies::Elsewhere) | None => {}
            }
        }
        self.tell();
        self.context.checkpoint()?;
        Ok(pairs)
    }

    /// What becomes of each position that is on no image.
    async fn add_unmatched(&mut self, plan: &Plan) {
        for at in self.outcomes.unmatched() {
            consume_budget().await;
            let asked = &self.request.list.rows[at];
            let fault = nothing_found(plan, self.request, asked);
            self.context
                .log(format!("Row {} ({}): {}", at + 1, asked.name(), fault.message));
            self.outcomes.push(Ended {
                at,
                imaged: None,
                extent: None,
                outcome: Err(Box::new(fault.into())),
            });
        }
    }

    /// Puts all in the manifest's order.
    async fn sort(&mut self) -> Result<(), Failure> {
        let none = Outcomes::new(Arc::clone(self.request));
        let mut outcomes = std::mem::replace(&mut self.outcomes, none);
        let sorting = tokio::task::spawn_blocking(move || {
            outcomes.sort();
            outcomes
        });
        self.outcomes = sorting.await.map_err(|error| Failure::fatal(error.to_string()))?;
        Ok(())
    }

    /// Draws the picture of three bands of each position that has them, from the files that were stored.
    async fn draw_bands(&mut self) -> Result<(), Failure> {
        let Some(bands) = &self.request.preview.rgb else {
            return Ok(());
        };
        let positions = self.outcomes.made_by_position().filter(|rows| !rows.is_empty());
        for rows in positions {
            self.context.checkpoint()?;
            match three(rows, bands) {
                Ok(three) => {
                    let name = self.names.take_rgb(&three[0].id);
                    draw_three(self.service, self.context, self.request, &three, &name).await?;
                }
                Err(missing) => self.context.log(missing),
            }
        }
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
        for (at, points) in positions {
            let position = bare_row(self.request, at);
            let names = self.names.take_light_curve(&position.id);
            self.outcomes.name_curve(at, &names[0]);
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
                        context.put(&csv, CSV, text).await?;
                        Ok::<_, Failure>(())
                    }
                })
                .buffer_unordered(STORING)
        );
        while let Some(stored) = storing.next().await {
            stored?;
        }
        Ok(())
    }

    /// Stores the manifests, and what `result` stands for.
    async fn finish(self) -> Result<(), Failure> {
        let (context, format) = (self.context, self.request.format);
        let (job, parameters) = (context.job(), context.parameters().clone());
        let times = [self.begun, Timestamp::of_this_host()];
        let outcomes = Arc::new(self.outcomes);
        let failed = outcomes.count_failed();
        let counts = [outcomes.len() - failed, failed];
        let listed = Arc::clone(&outcomes);
        let manifest = context
            .put_written("manifest.json", "application/json", move |out| {
                manifest::json(out, job, &parameters, counts, listed.rows(), times)
            })
            .await?;
        let listed = Arc::clone(&outcomes);
        context
            .put_written("manifest.csv", CSV, move |out| manifest::csv(out, listed.rows()))
            .await?;
        let listed = Arc::clone(&outcomes);
        context
            .put_written("manifest.vot", votable::MEDIA_TYPE, move |out| {
                manifest::votable(out, job, counts, listed.rows())
            })
            .await?;
        let empty = tell_empty(context, &outcomes).await?;
        let mut made = outcomes.made_by_position().flatten();
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
                let stored = Stored { size, sha256 };
                let media_type = if format == Format::Png { PNG } else { FITS };
                context.alias("result", &file, media_type, &stored)?;
            }
            (None, _) if let (Some(stored), 1) = (&empty, outcomes.len()) => {
                context.alias("result", EMPTY, "text/plain", stored)?;
            }
            _ => context.alias("result", "manifest.json", "application/json", &manifest)?,
        }
        let told = format!("{} cutouts made, {failed} rows failed", counts[0]);
        let total = self.total as u64;
        context.progress(total, total, failed as u64, &told);
        context.log(told);
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
        (0, _) if !asked.bands.is_empty() => Fault {
            reason: NO_MATCHING_IMAGE,
            message: format!(
                "no image of those asked for is of band {}",
                asked.bands.join(" or ")
            ),
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
async fn tell_empty(context: &Context, outcomes: &Outcomes) -> Result<Option<Stored>, Failure> {
    let mut first = None;
    if context.parameters().all("POSITIONS").next().is_some() {
        return Ok(first);
    }
    for (fault, number) in outcomes.faults().zip(1..) {
        let label = match fault.reason {
            "outside_footprint" | NO_MATCHING_IMAGE => Label::UsageError,
            _ => Label::Error,
        };
        let text = label::text(label, &fault.message);
        let name = format!("empty_{number}.txt");
        let stored = context.put(&name, "text/plain", text.into()).await?;
        first.get_or_insert(stored);
    }
    Ok(first)
}

/// Draws a picture of the files of three bands and stores it.
async fn draw_three(
    service: &Cutout,
    context: &Context,
    request: &Request,
    rows: &[Row; 3],
    name: &str,
) -> Result<(), Failure> {
    let memory = service.cutter.memory();
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
    match picture::of_bands(files, request.preview.style, shown.join(", ")).await {
        Ok(picture) => {
            context.put(name, PNG, picture).await?;
        }
        Err(fault) => context.log(format!("{id} has no picture of three bands: {}", fault.message)),
    }
    drop(held);
    Ok(())
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
