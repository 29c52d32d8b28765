//! The weights that lie beside an image: how much of a cutout they cover.

use std::sync::Arc;

use super::image::Fault;
use crate::{
    engine::Failure,
    fits::{Cut, File, Hdu},
};

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
pub async fn weigh(file: &Arc<File>, cuts: Vec<Cut>) -> Result<(Vec<Cut>, Option<f64>), Failure> {
    let weights = cuts.iter().filter(|cut| is_weight(file, cut)).count();
    if weights == 0 || weights == cuts.len() {
        return Ok((cuts, None));
    }
    let file = Arc::clone(file);
    // A large cutout takes a while to look through.
    tokio::task::spawn_blocking(move || {
        let share = covered(cuts.iter().filter(|cut| is_weight(&file, cut)));
        (cuts, share)
    })
    .await
    .map_err(|error| Failure::fatal(error.to_string()))
}

fn is_weight(file: &File, cut: &Cut) -> bool {
    let name = file.hdus().get(cut.hdu()).and_then(Hdu::name);
    name.is_some_and(|name| NAMES.iter().any(|weight| weight.eq_ignore_ascii_case(name)))
}

/// The share of the pixels that are above 0; NaN is not.
fn covered<'a>(weights: impl Iterator<Item = &'a Cut>) -> Option<f64> {
    let (mut above, mut all) = (0_u64, 0_u64);
    for weight in weights {
        for value in weight.physical() {
            above += u64::from(value > 0.0);
            all += 1;
        }
    }
    (all > 0).then(|| above as f64 / all as f64)
}
