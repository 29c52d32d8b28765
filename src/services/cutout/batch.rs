//! The cutouts of an image, some thousand at a time: in one walk over it each, stored on the way, in bounded memory.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use futures::{
    StreamExt, TryStreamExt,
    stream::{self, FuturesUnordered},
};
use rayon::prelude::*;
use tokio::{sync::mpsc, task::coop::consume_budget};

use super::{
    cutter::{Cutter, on_all_threads, working},
    files::OpenFile,
    image::{Fault, HduBox},
    lightcurve::Point,
    memory::Held,
    names,
    opened::{Course, Opened, course, room},
    outcome::{Ended, Made, Missed, cutout_name},
    parameters::{Format, Request},
    picture::{self, Wish},
    plan::PlannedImage,
    provenance::{About, provenance},
    render::PNG,
    reuse::{self, Facts},
    sample::Sample,
    strips::{self, Measured},
    weights::{weigh, zero_weight},
};
use crate::{
    engine::{Context, Failure},
    fits::{Admission, Cut, File, FitsError, NewCard, Reason, Step, Sweep, write, write_parts},
    objects::Stored,
    store::{Recipe, StoredResult},
    uws::Timestamp,
};

/// Cutouts of an image that are planned in detail at a time. An image's tiles are decoded once, but for those that lie on
/// the border of two such batches. Unit tests have few cutouts.
const BATCH: usize = if cfg!(test) { 8 } else { 4_096 };
/// Cutouts that are being stored at once.
pub const STORING: usize = 8;
/// Media type of cutouts (RFC 4047).
pub const FITS: &str = "application/fits";
/// Cutouts that are looked up at a time.
const LOOKED_UP: usize = 500;

/// What is to be made of a position on an image.
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    /// Its place in the list.
    pub at: usize,
    /// Row of the image that it begins in.
    pub from: i64,
    /// What it is.
    pub part: Part,
}

/// What a pair becomes.
#[derive(Debug, Clone, Copy)]
pub enum Part {
    /// A file, the so manieth of its name.
    Cutout(u32),
    /// A point of a light curve.
    Point,
}

/// What has become of a pair.
pub enum Came {
    /// The cutout, or why there is none.
    Cutout(Ended),
    /// A point of the light curve of a place in the list.
    Point(usize, Point),
}

/// A pair with its boxes.
struct Task {
    at: usize,
    boxes: Vec<HduBox>,
    what: What,
}

enum What {
    Cutout { number: u32, name: String },
    Point(Box<Sample>),
}

/// What the images of a job share while they are cut.
pub struct Shared<'a> {
    cutter: &'a Cutter,
    context: &'a Context,
    request: &'a Arc<Request>,
    came: mpsc::UnboundedSender<Came>,
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

impl<'a> Shared<'a> {
    /// For a job; who listens hears what came of each pair.
    pub fn new(
        cutter: &'a Cutter,
        context: &'a Context,
        request: &'a Arc<Request>,
        came: mpsc::UnboundedSender<Came>,
    ) -> Shared<'a> {
        Shared {
            cutter,
            context,
            request,
            came,
            held: AtomicUsize::new(0),
            reused: AtomicUsize::new(0),
        }
    }

    /// How many cutouts were those of earlier jobs.
    pub fn reused(&self) -> usize {
        self.reused.load(Ordering::Relaxed)
    }

    /// Makes the cutouts of an image, from its first row to its last.
    pub async fn cut_image(&self, opened: Opened, mut pairs: Vec<Pair>) -> Result<(), Failure> {
        let sorted = on_all_threads(move || {
            pairs.par_sort_by_key(|pair| pair.from);
            pairs
        });
        let pairs = sorted
            .await
            .ok_or_else(|| Failure::fatal("The cutouts could not be put in order."))?;
        let mut opened = opened;
        for batch in pairs.chunks(BATCH) {
            opened = self.cut_batch(opened, batch).await?;
        }
        Ok(())
    }

    /// Makes some of them. If the image was open before and has been replaced since, it is opened once more; gives it as
    /// it is open then.
    async fn cut_batch(&self, mut opened: Opened, batch: &[Pair]) -> Result<Opened, Failure> {
        let tasks = self.tasks(&opened, batch).await;
        let mut tasks = self.reuse(&opened, tasks).await?;
        let mut working = working(self.cutter.memory().total());
        while !tasks.is_empty()
            && let Ok(open) = &opened.file
        {
            let again = self.sweep(&opened, open, tasks, working).await?;
            working = working.max(again.working);
            tasks = again.larger;
            if !again.changed.is_empty() {
                self.cutter.files().forget(&opened.planned.image.url, &open.file);
                opened = self.reopen(opened.planned).await;
                tasks.extend(again.changed);
                let pairs: Vec<Pair> = tasks.iter().map(Task::pair).collect();
                tasks = self.tasks(&opened, &pairs).await;
            }
        }
        Ok(opened)
    }

    /// Pairs with their boxes; those that fail have ended.
    async fn tasks(&self, opened: &Opened, pairs: &[Pair]) -> Vec<Task> {
        let places: Vec<usize> = pairs.iter().map(|pair| pair.at).collect();
        let found = opened.look(self.request, &places).await;
        let mut tasks = Vec::with_capacity(pairs.len());
        for (pair, found) in pairs.iter().zip(found) {
            consume_budget().await;
            let (what, boxes) = match pair.part {
                Part::Cutout(number) => {
                    let name = cutout_name(self.request, pair.at, &opened.imaged.image, number);
                    (What::Cutout { number, name }, found.boxes)
                }
                Part::Point => {
                    let mut sample = Sample::new(&opened.imaged.image);
                    let boxes = found.pixels.unwrap_or(found.boxes);
                    if let (Ok(open), Ok(pixels)) = (&opened.file, &boxes) {
                        sample.narrow(&open.file, pixels);
                    }
                    (What::Point(Box::new(sample)), boxes)
                }
            };
            let (boxes, fault) = match boxes {
                Ok(boxes) => (boxes, None),
                Err(fault) => (Vec::new(), Some(fault)),
            };
            let task = Task {
                at: pair.at,
                boxes,
                what,
            };
            match fault {
                None => tasks.push(task),
                Some(fault) => self.tell(missed(opened, task, fault.into())),
            }
        }
        tasks
    }

    /// Gives those cutouts of an image again that earlier jobs of the owner's have made, if it is the same still; and
    /// leaves the others.
    async fn reuse(&self, opened: &Opened, tasks: Vec<Task>) -> Result<Vec<Task>, Failure> {
        let Ok(open) = &opened.file else {
            return Ok(tasks);
        };
        let mut digests = Vec::with_capacity(tasks.len());
        for task in &tasks {
            consume_budget().await;
            digests.push(self.digest(opened, task));
        }
        let known: Vec<String> = digests.iter().flatten().cloned().collect();
        let mut found = HashMap::new();
        for some in known.chunks(LOOKED_UP) {
            found.extend(self.context.made_before(some).await);
        }
        // It may have been open for a while.
        if found.is_empty() || open.file.check().await.is_err() {
            return Ok(tasks);
        }
        let left = stream::iter(tasks.into_iter().zip(digests))
            .map(|(task, digest)| {
                let earlier = digest.and_then(|digest| found.get(&digest));
                self.give_again(opened, task, earlier)
            })
            .buffered(STORING);
        left.try_filter_map(|task| std::future::ready(Ok(task)))
            .try_collect()
            .await
    }

    /// Gives what an earlier job has made for a task; else the task is left.
    async fn give_again(
        &self,
        opened: &Opened,
        task: Task,
        earlier: Option<&StoredResult>,
    ) -> Result<Option<Task>, Failure> {
        let recipe = earlier.and_then(|earlier| earlier.recipe.as_ref());
        let facts = recipe.and_then(|recipe| serde_json::from_str::<Facts>(&recipe.facts).ok());
        let (Some(earlier), Some(facts), What::Cutout { number, name }) = (earlier, facts, &task.what) else {
            return Ok(Some(task));
        };
        if !self.context.put_again(name, earlier).await? {
            return Ok(Some(task));
        }
        self.reused.fetch_add(1, Ordering::Relaxed);
        let stored = Stored {
            size: earlier.size,
            sha256: earlier.sha256.clone(),
        };
        let made = Made::new(*number, facts, &stored);
        self.tell(made_of(opened, &task, made));
        Ok(None)
    }

    /// The digest of a cutout's recipe. What is drawn is drawn anew, a point of a light curve is no file, and nobody's jobs
    /// have no earlier ones.
    fn digest(&self, opened: &Opened, task: &Task) -> Option<String> {
        if self.request.is_pictured() || matches!(task.what, What::Point(_)) {
            return None;
        }
        let url = &opened.planned.image.url;
        reuse::digest(self.context.owner()?, &self.about(opened, task), url, &task.boxes)
    }

    fn about<'b>(&'b self, opened: &'b Opened, task: &Task) -> About<'b> {
        let planned = &opened.planned;
        About {
            job: Some(self.context.job()),
            request: self.request,
            asked: &self.request.list.rows[task.at],
            image: format!("{}/{}", planned.collection, planned.image.path),
            etag: opened.imaged.source.etag.as_deref(),
        }
    }

    /// The image as it is now.
    async fn reopen(&self, planned: PlannedImage) -> Opened {
        let file = self.cutter.files().open(&planned.image.url).await;
        let file = file.map(|open| OpenFile { warm: false, ..open });
        Opened::new(planned, file)
    }

    fn tell(&self, came: Came) {
        // The job is over if nobody listens.
        let _ = self.came.send(came);
    }

    /// A sweep of an image, and the tasks that it has by their number; and those that are too large for it.
    async fn begin(
        &self,
        opened: &Opened,
        open: &OpenFile,
        tasks: Vec<Task>,
        working: u64,
    ) -> (Sweep, HashMap<usize, Task>, Vec<Task>) {
        let most = self.cutter.memory().total();
        let mut sweep = Sweep::new(File::clone(&open.file), self.request.edge, working);
        let mut begun = HashMap::with_capacity(tasks.len());
        let mut large = Vec::new();
        for (id, task) in tasks.into_iter().enumerate() {
            consume_budget().await;
            match course(&open.file, &task.boxes, self.request, most) {
                Ok(Course::AtOnce) => {}
                Ok(Course::InStrips) => {
                    large.push(task);
                    continue;
                }
                Err(error) => {
                    self.tell(refused(opened, task, error.into()));
                    continue;
                }
            }
            let regions: Vec<_> = task
                .boxes
                .iter()
                .map(|found| (found.hdu, found.region.clone()))
                .collect();
            sweep.add(id, &regions);
            begun.insert(id, task);
        }
        (sweep, begun, large)
    }

    /// Cuts an image in one walk, and stores what comes of it on the way. Decoding may hold `working` bytes.
    async fn sweep(
        &self,
        opened: &Opened,
        open: &OpenFile,
        tasks: Vec<Task>,
        working: u64,
    ) -> Result<Again, Failure> {
        let memory = self.cutter.memory();
        let (mut sweep, mut open_tasks, large) = self.begin(opened, open, tasks, working).await;
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
                storing.push(self.store(opened, open, task, cuts, held));
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
                Some(came) = storing.next(), if busy => {
                    self.tell(came?);
                    continue;
                }
                step = sweep.step(&mut admit), if !ended => step,
            };
            let finished = match step {
                Step::Finished(finished) => finished,
                Step::NeedsMemory(_) if busy => {
                    if let Some(came) = storing.next().await {
                        self.tell(came?);
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
                    Err(error) => self.uncut(opened, open, task, &error, working, &mut again),
                }
            }
        }
        // Who waits for memory holds none.
        drop((credit, holding));
        for task in large {
            match self.store_in_strips(opened, open, task, working).await? {
                Ok(came) => self.tell(came),
                Err((task, error)) => self.uncut(opened, open, *task, &error, working, &mut again),
            }
        }
        self.cutter.files().confirm(&opened.planned.image.url, &open.file);
        Ok(again)
    }

    /// What becomes of a task that was not cut with so much memory.
    fn uncut(
        &self,
        opened: &Opened,
        open: &OpenFile,
        task: Task,
        error: &FitsError,
        working: u64,
        again: &mut Again,
    ) {
        match error {
            FitsError::TooLarge { bytes, .. }
                if (working + 1..=self.cutter.memory().total()).contains(bytes) =>
            {
                again.working = again.working.max(*bytes);
                again.larger.push(task);
            }
            error if open.warm && error.reason() == Reason::SourceChanged => again.changed.push(task),
            error => {
                if matches!(error.reason(), Reason::SourceChanged | Reason::SourceUnreadable) {
                    self.cutter.files().forget(&opened.planned.image.url, &open.file);
                }
                self.tell(refused(opened, task, error.into()));
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

    /// Writes and stores a cutout. Only what concerns the whole job is an error.
    async fn store(
        &self,
        opened: &Opened,
        open: &OpenFile,
        task: Task,
        cuts: Vec<Cut>,
        _held: Option<Counted<'_>>,
    ) -> Result<Came, Failure> {
        let Some(first) = cuts.first() else {
            let fault = Fault::new(Reason::SourceUnreadable, "there is nothing to cut");
            return Ok(refused(opened, task, fault));
        };
        let (number, name) = match task.what {
            What::Point(mut sample) => {
                sample.take(&open.file, &cuts);
                return Ok(Came::Point(
                    task.at,
                    Point::new(Arc::clone(&opened.imaged), None, sample),
                ));
            }
            What::Cutout { number, ref name } => (number, name),
        };
        let hdus: Vec<String> = cuts.iter().map(|cut| cut.hdu().to_string()).collect();
        let place = (first.area(), first.coverage());
        let pixels = cuts.iter().map(|cut| cut.data().len() as u64).sum();
        let file = Arc::clone(&open.file);
        let (cuts, weight_coverage) = weigh(&file, cuts)
            .await
            .map_err(|error| Failure::fatal(error.to_string()))?;
        if weight_coverage == Some(0.0) {
            return Ok(weightless(opened, task));
        }
        let date = date();
        let about = self.about(opened, &task);
        let cuts: Vec<_> = cuts
            .into_iter()
            .map(|cut| {
                let cards = provenance(&about, &cut, &date);
                (cut, cards)
            })
            .collect();
        let packing = self.request.format.packing();
        let facts = Facts::new(hdus.join(" "), place.0, place.1, weight_coverage, pixels);
        let stored = if self.request.is_pictured() {
            let bytes = tokio::task::spawn_blocking(move || write(&file, cuts, &date, packing)).await;
            let bytes = bytes.map_err(|error| Failure::fatal(error.to_string()))?;
            match self.store_picture(&about.image, name, bytes).await? {
                Ok(stored) => stored,
                Err(fault) => return Ok(missed(opened, task, fault.into())),
            }
        } else {
            let recipe = self.recipe(opened, &task, &facts)?;
            let write = move || write_parts(&file, cuts, &date, packing);
            self.context.put_made(name, FITS, recipe, write).await?
        };
        let made = Made::new(number, facts, &stored);
        Ok(made_of(opened, &task, made))
    }

    /// Stores a cutout strip by strip. What is wrong with its pixels comes with the task.
    async fn store_in_strips(
        &self,
        opened: &Opened,
        open: &OpenFile,
        task: Task,
        working: u64,
    ) -> Result<Result<Came, (Box<Task>, FitsError)>, Failure> {
        let strips = strips::strips(
            &open.file,
            &task.boxes,
            self.request,
            self.cutter.memory().total(),
        );
        let (What::Cutout { number, name }, Ok(Some(strips))) = (&task.what, strips) else {
            let fault = Fault::new(Reason::SourceUnreadable, "it cannot be cut in strips");
            return Ok(Ok(refused(opened, task, fault)));
        };
        // Before its image is read twice.
        let size = strips.bytes();
        self.context.has_room(size)?;
        let room = strips::room(&strips, self.cutter.memory().total());
        let _held = self.hold(room.saturating_add(working)).await?;
        let measured = match Measured::of(&open.file, strips, working).await {
            Ok(measured) => measured,
            Err(error) => return Ok(Err((Box::new(task), error))),
        };
        let weight_coverage = measured.weight_coverage;
        if weight_coverage == Some(0.0) {
            return Ok(Ok(weightless(opened, task)));
        }
        let date = date();
        let about = self.about(opened, &task);
        let cards: Vec<Vec<NewCard>> = measured
            .cuts()
            .map(|cut| provenance(&about, cut, &date))
            .collect();
        let hdus: Vec<String> = measured.cuts().map(|cut| cut.hdu().to_string()).collect();
        let place = measured
            .cuts()
            .next()
            .map(|first| (first.area(), first.coverage()));
        let Some((area, coverage)) = place else {
            let fault = Fault::new(Reason::SourceUnreadable, "there is nothing to cut");
            return Ok(Ok(refused(opened, task, fault)));
        };
        let facts = Facts::new(hdus.join(" "), area, coverage, weight_coverage, size);
        let recipe = self.recipe(opened, &task, &facts)?;
        let body = measured.file(cards, &date, working);
        let stored = self.context.put_streamed(name, FITS, recipe, size, body).await?;
        Ok(match stored {
            Ok(stored) => Ok(made_of(opened, &task, Made::new(*number, facts, &stored))),
            Err(error) => Err((Box::new(task), error)),
        })
    }

    /// By what a later job finds a cutout.
    fn recipe(&self, opened: &Opened, task: &Task, facts: &Facts) -> Result<Option<Recipe>, Failure> {
        let Some(digest) = self.digest(opened, task) else {
            return Ok(None);
        };
        let facts = serde_json::to_string(facts).map_err(|error| Failure::fatal(error.to_string()))?;
        Ok(Some(Recipe { digest, facts }))
    }

    /// Stores a cutout and its picture beside it, or with FORMAT=png the picture alone; gives what its row names.
    async fn store_picture(
        &self,
        image: &str,
        name: &str,
        bytes: Bytes,
    ) -> Result<Result<Stored, Fault>, Failure> {
        let wish = Wish {
            hdu: None,
            style: self.request.preview.style,
            source: image.to_owned(),
        };
        let pictured = names::picture(name);
        if self.request.format == Format::Png {
            return match picture::of_bytes(bytes, wish).await {
                Ok(picture) => Ok(Ok(self.context.put(&pictured, PNG, picture).await?)),
                Err(fault) => Ok(Err(fault)),
            };
        }
        let stored = self.context.put(name, FITS, bytes.clone()).await?;
        match picture::of_bytes(bytes, wish).await {
            Ok(picture) => {
                self.context.put(&pictured, PNG, picture).await?;
            }
            Err(fault) => self
                .context
                .log(format!("{name} has no picture: {}", fault.message)),
        }
        Ok(Ok(stored))
    }

    /// Bytes that a cutout of so many bytes of pixels takes.
    fn room(&self, pixels: u64) -> u64 {
        // Cards.
        room(pixels, self.request).saturating_add(32 << 10)
    }
}

impl Task {
    fn pair(&self) -> Pair {
        Pair {
            at: self.at,
            from: 0,
            part: match self.what {
                What::Cutout { number, .. } => Part::Cutout(number),
                What::Point(_) => Part::Point,
            },
        }
    }
}

/// The date of a file that is made now (ISO 8601, UTC).
fn date() -> String {
    let date = Timestamp::of_this_host().to_string();
    date.trim_end_matches('Z').to_owned()
}

/// What becomes of a cutout of whose pixels none has a weight.
fn weightless(opened: &Opened, task: Task) -> Came {
    let area = task.boxes.first().map(|first| first.region.area);
    let because = Missed {
        fault: zero_weight(),
        area,
        weight_coverage: Some(0.0),
    };
    missed(opened, task, because)
}

fn made_of(opened: &Opened, task: &Task, made: Made) -> Came {
    Came::Cutout(Ended {
        at: task.at,
        imaged: Some(Arc::clone(&opened.imaged)),
        extent: task.boxes.first().map(|first| first.extent),
        outcome: Ok(Box::new(made)),
    })
}

/// A box that is refused for where it lies is shown all the same.
fn refused(opened: &Opened, task: Task, fault: Fault) -> Came {
    let area = task.boxes.first().map(|first| first.region.area);
    let because = Missed {
        area,
        ..Missed::from(fault)
    };
    missed(opened, task, because)
}

fn missed(opened: &Opened, task: Task, because: Missed) -> Came {
    let imaged = Arc::clone(&opened.imaged);
    match task.what {
        What::Cutout { .. } => Came::Cutout(Ended {
            at: task.at,
            imaged: Some(imaged),
            extent: task.boxes.first().map(|first| first.extent),
            outcome: Err(Box::new(because)),
        }),
        What::Point(sample) => Came::Point(task.at, Point::new(imaged, Some(because.fault.reason), sample)),
    }
}
