//! What has become of the pairs of a job, in few bytes until the manifest is written: there may be half a million of them.

use std::{collections::HashMap, sync::Arc};

use super::{
    image::Fault,
    list::Row as Asked,
    manifest::{ImageColumns, Imaged, Row, SourceColumns, Status},
    names,
    parameters::{Format, Request},
    reuse::Facts,
};
use crate::{
    fits::PixelBox,
    objects::Stored,
    sky::{Length, Shape},
    store::Image,
};

/// What has become of a position on an image, or on none.
#[derive(Debug)]
pub struct Ended {
    /// Its place in the list.
    pub at: usize,
    /// The image.
    pub imaged: Option<Arc<Imaged>>,
    /// Width and height of the box on it (arcmin), NaN where they are not known; without any those that were asked for.
    pub extent: Option<[f64; 2]>,
    /// The cutout, or why there is none.
    pub outcome: Result<Box<Made>, Box<Missed>>,
}

/// A cutout that was made.
#[derive(Debug)]
pub struct Made {
    /// Its name is so manieth of its kind.
    pub number: u32,
    /// What it holds.
    pub facts: Facts,
    /// Bytes of its file.
    pub size: u64,
    /// Digest of its file.
    pub sha256: [u8; 32],
}

impl Made {
    /// A cutout that was stored.
    pub fn new(number: u32, facts: Facts, stored: &Stored) -> Made {
        let mut sha256 = [0; 32];
        // Digests come of the store, which writes all of them so.
        let written = hex::decode_to_slice(&stored.sha256, &mut sha256);
        debug_assert!(written.is_ok(), "{}", stored.sha256);
        Made {
            number,
            facts,
            size: stored.size,
            sha256,
        }
    }
}

/// A cutout that was not made.
#[derive(Debug)]
pub struct Missed {
    /// Why.
    pub fault: Fault,
    /// The box, if it is refused for where it lies.
    pub area: Option<PixelBox>,
    /// Share of its pixels whose weight is above 0, if it is refused for that.
    pub weight_coverage: Option<f64>,
}

impl From<Fault> for Missed {
    fn from(fault: Fault) -> Self {
        Missed {
            fault,
            area: None,
            weight_coverage: None,
        }
    }
}

/// What has become of all.
pub struct Outcomes {
    request: Arc<Request>,
    ended: Vec<Ended>,
    failed: usize,
    /// Names of light curves, by place in the list.
    curves: HashMap<usize, Arc<str>>,
}

impl Outcomes {
    /// None yet.
    pub fn new(request: Arc<Request>) -> Outcomes {
        Outcomes {
            request,
            ended: Vec::new(),
            failed: 0,
            curves: HashMap::new(),
        }
    }

    /// Adds one.
    pub fn push(&mut self, ended: Ended) {
        self.failed += usize::from(ended.outcome.is_err());
        self.ended.push(ended);
    }

    /// Names a light curve.
    pub fn name_curve(&mut self, at: usize, name: &str) {
        self.curves.insert(at, name.into());
    }

    /// Puts them in the manifest's order: the list's, then collections and paths of images.
    pub fn sort(&mut self) {
        fn image(ended: &Ended) -> Option<[&Option<Arc<str>>; 2]> {
            let columns = &ended.imaged.as_ref()?.columns;
            Some([&columns.collection, &columns.image])
        }
        self.ended
            .sort_by(|a, b| a.at.cmp(&b.at).then_with(|| image(a).cmp(&image(b))));
    }

    /// Rows of the list that have none.
    pub fn unmatched(&self) -> Vec<usize> {
        let mut matched = vec![false; self.request.list.rows.len()];
        for ended in &self.ended {
            matched[ended.at] = true;
        }
        let places = matched.into_iter().enumerate();
        places
            .filter_map(|(at, matched)| (!matched).then_some(at))
            .collect()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.ended.len()
    }

    /// How many have no file.
    pub fn count_failed(&self) -> usize {
        self.failed
    }

    /// Why those that have none have none.
    pub fn faults(&self) -> impl Iterator<Item = &Fault> {
        let missed = self.ended.iter().filter_map(|ended| ended.outcome.as_ref().err());
        missed.map(|missed| &missed.fault)
    }

    /// The rows of the manifest.
    pub fn rows(&self) -> impl Iterator<Item = Row> + Clone {
        self.ended.iter().map(|ended| self.row(ended))
    }

    /// The rows that have a file, of one position after the other; they are in order.
    pub fn made_by_position(&self) -> impl Iterator<Item = Vec<Row>> {
        self.ended.chunk_by(|a, b| a.at == b.at).map(|of_one| {
            let made = of_one.iter().filter(|ended| ended.outcome.is_ok());
            made.map(|ended| self.row(ended)).collect()
        })
    }

    fn row(&self, ended: &Ended) -> Row {
        let Ended {
            at,
            imaged,
            extent,
            outcome,
        } = ended;
        let mut row = bare_row(&self.request, *at);
        row.lightcurve = self.curves.get(at).cloned();
        if let Some([width, height]) = extent.map(|sides| sides.map(|side| side.is_finite().then_some(side)))
        {
            (row.xsize, row.ysize) = (width, height);
        }
        if let Some(imaged) = imaged {
            row.image = imaged.columns.clone();
            row.source = imaged.source.clone();
        }
        match outcome {
            Ok(made) => Row {
                file: imaged
                    .as_ref()
                    .map(|imaged| file_name(&self.request, *at, &imaged.image, made.number)),
                size: Some(made.size),
                sha256: Some(hex::encode(made.sha256)),
                ..made.facts.complete(row)
            },
            Err(missed) => Row {
                status: Status::Failed,
                reason: Some(missed.fault.reason),
                message: Some(missed.fault.message.clone()),
                area: missed.area,
                weight_coverage: missed.weight_coverage,
                ..row
            },
        }
    }
}

/// Name of the file of a cutout, the so manieth of its kind.
fn file_name(request: &Request, at: usize, image: &Image, number: u32) -> String {
    let name = cutout_name(request, at, image, number);
    if request.format == Format::Png {
        names::picture(&name)
    } else {
        name
    }
}

/// Name of a cutout as FITS.
pub fn cutout_name(request: &Request, at: usize, image: &Image, number: u32) -> String {
    let id = request.list.rows[at].name();
    names::cutout(&id, image, number, request.format.ending())
}

/// The row of a position (its place in the list), on no image.
pub fn bare_row(request: &Request, at: usize) -> Row {
    let asked: &Asked = &request.list.rows[at];
    let size = asked.size.unwrap_or(request.size);
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
    }
}

fn arcmin(length: Length) -> Option<f64> {
    match length {
        Length::Degrees(degrees) => Some(degrees * 60.0),
        Length::Pixels(_) => None,
    }
}
