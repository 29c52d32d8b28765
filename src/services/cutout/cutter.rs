//! What every kind of cutting shares: the images that are open and the memory; and a cutout that is made at once,
//! without a job.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::{
    files::{Files, OpenFile},
    image::{Fault, HduBox},
    memory::Memory,
    weights::{weigh, zero_weight},
};
use crate::{
    fits::{Cut, Edge, File, FitsError, NewCard, Packing, Reason, SourceError, bytes_of, cut, write},
    objects::Sources,
    settings::CutoutSettings,
    store::Image,
    uws::Timestamp,
};

/// What decoding may hold beside the pixels that it is for, at first, of so many bytes in all.
pub(super) fn working(memory: u64) -> u64 {
    (32 << 20).min(memory / 4)
}

/// Runs `work` on the threads of rayon, so that no thread of the runtime is held up; nothing if it panics.
pub(super) async fn on_all_threads<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (send, receive) = oneshot::channel();
    rayon::spawn(move || {
        if let Ok(done) = catch_unwind(AssertUnwindSafe(work)) {
            // Nobody waits any more if the job is over.
            let _ = send.send(done);
        }
    });
    receive.await.ok()
}

/// Cuts; one for the process.
pub struct Cutter {
    files: Files,
    memory: Memory,
}

/// How a cutout is made.
pub struct Options<'a> {
    /// What becomes of boxes that hang over an edge.
    pub edge: Edge,
    /// How its images are written.
    pub packing: Packing,
    /// The cards of provenance of each HDU.
    pub cards: &'a (dyn Fn(&Cut) -> Vec<NewCard> + Sync),
    /// Whether there is no cutout where the weights beside the image are nowhere above 0.
    pub weighed: bool,
}

impl Cutter {
    /// Over images that `sources` opens, in the bounds of `settings`.
    pub fn new(sources: Arc<Sources>, settings: &CutoutSettings) -> Cutter {
        Cutter {
            files: Files::new(sources, settings.open_files, settings.open_files_memory),
            // A quarter is for what lies beside pixels: lists and rows, results on their way, what the allocator keeps.
            memory: Memory::new(settings.memory - settings.memory / 4),
        }
    }

    /// The memory that all cutting shares.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The images that are open.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// A cutout as a FITS file: the boxes that `boxes` gives of the image's headers, each as an HDU. `boxes` is asked
    /// once more if the image turns out to be another by now.
    pub async fn cut_now(
        &self,
        image: &Image,
        boxes: impl Fn(&File) -> Result<Vec<HduBox>, Fault>,
        options: &Options<'_>,
    ) -> Result<Bytes, Fault> {
        let url = &image.url;
        loop {
            let OpenFile { file, warm } = self.files.open(url).await?;
            let boxes = boxes(&file)?;
            match self.cut_boxes(&file, &boxes, options).await {
                Ok(bytes) => {
                    self.files.confirm(url, &file);
                    return Ok(bytes);
                }
                Err(fault) => {
                    let is = |reason: Reason| fault.reason == reason.name();
                    if is(Reason::SourceChanged) || is(Reason::SourceUnreadable) {
                        self.files.forget(url, &file);
                        if warm && is(Reason::SourceChanged) {
                            continue;
                        }
                    }
                    return Err(fault);
                }
            }
        }
    }

    async fn cut_boxes(
        &self,
        file: &Arc<File>,
        boxes: &[HduBox],
        options: &Options<'_>,
    ) -> Result<Bytes, Fault> {
        let hdus = boxes
            .iter()
            .filter_map(|found| Some((file.hdus().get(found.hdu)?, &found.region)));
        let mut needed = 0_u64;
        for (hdu, region) in hdus.clone() {
            let copies = copies(options.edge, options.packing);
            needed = needed.saturating_add(bytes_of(hdu, region, options.edge)?.saturating_mul(copies));
        }
        let limit = self.memory.total();
        if needed > limit {
            return Err(FitsError::TooLarge {
                what: "the cutout",
                bytes: needed,
                limit,
            }
            .into());
        }
        let mut working = working(limit);
        let cuts = loop {
            let held = self.memory.hold(needed.saturating_add(working)).await;
            let mut cuts = Vec::with_capacity(boxes.len());
            let mut problem = None;
            for (hdu, region) in hdus.clone() {
                let pixels = 1 + u64::from(options.edge == Edge::Pad);
                let own = bytes_of(hdu, region, options.edge)?
                    .saturating_mul(pixels)
                    .saturating_add(working);
                match cut(file, hdu, region, options.edge, own.min(limit)).await {
                    Ok(cut) => cuts.push(cut),
                    Err(error) => {
                        problem = Some(error);
                        break;
                    }
                }
            }
            match problem {
                None => break (cuts, held),
                // Decoding takes more than was thought.
                Some(FitsError::TooLarge { bytes, .. }) if bytes > working && bytes <= limit => {
                    working = bytes;
                }
                Some(error) => return Err(error.into()),
            }
        };
        let (cuts, _held) = cuts;
        let cuts = if options.weighed {
            let (cuts, coverage) = weigh(file, cuts).await.map_err(unmade)?;
            if coverage == Some(0.0) {
                return Err(zero_weight());
            }
            cuts
        } else {
            cuts
        };
        let date = Timestamp::of_this_host().to_string();
        let date = date.trim_end_matches('Z').to_owned();
        let cuts: Vec<_> = cuts
            .into_iter()
            .map(|cut| {
                let cards = (options.cards)(&cut);
                (cut, cards)
            })
            .collect();
        let packing = options.packing;
        if needed <= SMALL && packing == Packing::Plain {
            return Ok(write(file, cuts, &date, packing));
        }
        let file = Arc::clone(file);
        // Sums over all pixels are worked out there.
        let written = tokio::task::spawn_blocking(move || write(&file, cuts, &date, packing)).await;
        written.map_err(unmade)
    }
}

/// The fault of a cutout whose work broke off.
fn unmade(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Fault {
    FitsError::from(SourceError::Other(error.into())).into()
}

/// How often pixels are in memory: as they are cut, once more where they are padded, and in the file.
pub(super) fn copies(edge: Edge, packing: Packing) -> u64 {
    2 + u64::from(edge == Edge::Pad) + packing_copies(packing)
}

/// How often pixels are in memory more while they are packed: in the order of bytes of this machine, and compressed,
/// which may be larger.
pub(super) fn packing_copies(packing: Packing) -> u64 {
    match packing {
        Packing::Plain => 0,
        Packing::Tiled => 3,
    }
}

/// Up to this a file is written on the thread that asks for it: a fraction of a millisecond.
const SMALL: u64 = 2 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_leaves_the_thread_of_the_runtime_to_others() {
        let (go, wait) = std::sync::mpsc::channel();
        // It ends only if the runtime's one thread comes to the other side.
        let work = on_all_threads(move || wait.recv());
        let (done, sent) = tokio::join!(work, async move { go.send(7) });
        assert_eq!((done, sent), (Some(Ok(7)), Ok(())));
        assert_eq!(
            on_all_threads(|| assert!(std::env::args().count() == 0)).await,
            None
        );
    }
}
