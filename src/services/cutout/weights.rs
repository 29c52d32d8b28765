//! The weights that lie beside an image: how much of a cutout they cover.

use std::sync::Arc;

use tokio::task::JoinError;

use super::image::Fault;
use crate::fits::{Cut, File, Hdu};

/// EXTNAMEs of weights.
const NAMES: [&str; 4] = ["WGT", "WEIGHT", "WHT", "IVAR"];

/// The fault of a cutout of whose pixels none has a weight.
pub fn zero_weight() -> Fault {
    Fault {
        reason: "zero_weight",
        message: "no pixel of the box has a weight above 0".into(),
    }
}

/// The cuts, and the share of the pixels of those that are weights whose weight is above 0. None if there are no
/// weights, or nothing beside them: who asks for weights alone gets them as they are.
pub async fn weigh(file: &Arc<File>, cuts: Vec<Cut>) -> Result<(Vec<Cut>, Option<f64>), JoinError> {
    if weights(file, &cuts).next().is_none() {
        return Ok((cuts, None));
    }
    let file = Arc::clone(file);
    // A large cutout takes a while to look through.
    tokio::task::spawn_blocking(move || {
        let share = covered(weights(&file, &cuts));
        (cuts, share)
    })
    .await
}

/// The weights among the cuts; none if there is nothing else.
fn weights<'a>(file: &File, cuts: &'a [Cut]) -> impl Iterator<Item = &'a Cut> {
    let hdus: Vec<usize> = cuts.iter().map(Cut::hdu).collect();
    let weighs = are_weights(file, &hdus).into_iter();
    cuts.iter()
        .zip(weighs)
        .filter_map(|(cut, weighs)| weighs.then_some(cut))
}

/// Which of the HDUs that a cutout has are weights of others; none if there is nothing else.
pub fn are_weights(file: &File, hdus: &[usize]) -> Vec<bool> {
    let of_weights = |hdu: &usize| file.hdus().get(*hdu).is_some_and(is_weight);
    let alone = hdus.iter().all(of_weights);
    hdus.iter().map(|hdu| !alone && of_weights(hdu)).collect()
}

/// Whether an HDU holds weights.
pub fn is_weight(hdu: &Hdu) -> bool {
    let is = |name: &str| NAMES.iter().any(|weight| weight.eq_ignore_ascii_case(name));
    hdu.name().is_some_and(is)
}

/// The weights of the pixels of an image: of the same shape, rather of the same EXTVER.
pub fn weights_of<'a>(file: &'a File, image: &Hdu) -> Option<&'a Hdu> {
    let all = || {
        file.hdus().iter().filter(|hdu| {
            hdu.is_image() && is_weight(hdu) && hdu.number() != image.number() && hdu.shape() == image.shape()
        })
    };
    all()
        .find(|hdu| hdu.version() == image.version())
        .or_else(|| all().next())
}

/// The share of the pixels that are above 0.
fn covered<'a>(weights: impl Iterator<Item = &'a Cut>) -> Option<f64> {
    let mut covered = Covered::default();
    weights.for_each(|weight| covered.add(weight));
    covered.share()
}

/// How many pixels of weights are above 0; NaN is not.
#[derive(Debug, Default)]
pub struct Covered {
    above: u64,
    all: u64,
}

impl Covered {
    /// Counts the pixels of a cut, or of a part of one.
    pub fn add(&mut self, weight: &Cut) {
        for value in weight.physical() {
            self.above += u64::from(value > 0.0);
            self.all += 1;
        }
    }

    /// Their share, if there are any pixels.
    pub fn share(&self) -> Option<f64> {
        (self.all > 0).then(|| self.above as f64 / self.all as f64)
    }
}
