//! A cutout that is made while its client waits, without a job: of one region, from one image (SODA 1.0 section 2).

use std::fmt::Write as _;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{
    Cutout,
    cutter::Options,
    image::{Fault, HduBox, NO_MATCHING_IMAGE, boxes, choose_planes, chosen},
    list::Row,
    names,
    parameters::{Format, Request},
    plan::{PlanError, PlannedImage, Selection},
    provenance::{About, provenance},
    weights::zero_weight,
};
use crate::{
    auth::Caller,
    engine::{Answer, CheckError, Draft, Stage, Unavailable, UsageError},
    fits::{Cut, File, NewCard, Reason},
    sky::Shape,
    uws::{Parameters, Timestamp},
};

/// Images whose headers are read to find the one that holds the region.
const MAX_IMAGES: usize = 20;
/// Parameters that each make more than one cutout if they are repeated.
const SINGLE: [&str; 6] = ["ID", "CIRCLE", "POLYGON", "POS", "BAND", "TIME"];
/// Media type of cutouts (RFC 4047).
const FITS: &str = "application/fits";

/// The cutout; nothing if there is no such thing, `None` if only a job can make what is asked for.
pub async fn answer(
    service: &Cutout,
    draft: &Draft<'_>,
    caller: &Caller,
) -> Result<Option<Answer>, CheckError> {
    check_single(draft.parameters)?;
    let request = service.request(draft, Stage::Run, caller).await?;
    if request.format == Format::Png || request.is_pictured() || request.lightcurve {
        return Ok(None);
    }
    check_response_format(draft.parameters)?;
    let [row] = &request.list.rows[..] else {
        let name = if draft.parameters.all("POSITIONS").next().is_some() {
            "POSITIONS"
        } else {
            "POS"
        };
        let message = format!("{} cutouts are asked for, {ONE}", request.list.rows.len());
        return Err(UsageError::new(name, message).into());
    };
    let unavailable = |error: crate::store::StoreError| Unavailable(error.to_string());
    let selection = Selection::find(&service.store, &request)
        .await
        .map_err(unavailable)?
        .map_err(CheckError::Usage)?;
    let plan = match selection.plan(&service.store, &request).await {
        Ok(plan) => plan,
        Err(PlanError::Store(error)) => return Err(unavailable(error).into()),
        Err(PlanError::TooMany) => return Err(several("ID", "very many images may hold it").into()),
    };
    if plan.images.len() > MAX_IMAGES {
        let what = format!("{} images may hold it", plan.images.len());
        return Err(several("ID", &what).into());
    }
    let mut hit: Option<&PlannedImage> = None;
    let mut fault = None;
    for planned in &plan.images {
        match look(service, planned, &request, row).await {
            Ok(()) => match hit {
                None => hit = Some(planned),
                Some(first) => {
                    let names = [first, planned]
                        .map(|planned| format!("{}/{}", planned.collection, planned.image.path));
                    return Err(
                        several("ID", &format!("several images hold it ({} …)", names.join(", "))).into(),
                    );
                }
            },
            Err(other) if other.is_outside() => {}
            Err(other) => fault = fault.or(Some(other)),
        }
    }
    match (hit, fault) {
        (Some(planned), _) => cut(service, planned, &request, row).await.map(Some),
        (None, Some(fault)) => failed(fault).map(Some),
        (None, None) => Ok(Some(Answer::Nothing)),
    }
}

/// What a request has to do that is not of one cutout.
const ONE: &str = "but a synchronous request makes one; ask for a job at async instead";

fn several(parameter: &str, what: &str) -> UsageError {
    UsageError::new(
        parameter,
        format!("{what}, {ONE}, or name the image by ID, COLLECTION, BANDS, TYPES or TAGS"),
    )
}

fn check_single(parameters: &Parameters) -> Result<(), CheckError> {
    let repeated = SINGLE.into_iter().filter_map(|name| {
        let count = parameters.all(name).count();
        (count > 1).then(|| UsageError {
            multiple: true,
            ..UsageError::new(name, format!("given {count} times, {ONE}"))
        })
    });
    let faults: Vec<UsageError> = repeated.collect();
    if faults.is_empty() {
        Ok(())
    } else {
        Err(CheckError::Usage(faults))
    }
}

fn check_response_format(parameters: &Parameters) -> Result<(), UsageError> {
    let asked = parameters
        .text("RESPONSEFORMAT")?
        .map(str::trim)
        .unwrap_or_default();
    if asked.is_empty() || Format::of(asked).is_some() {
        return Ok(());
    }
    let words: Vec<&str> = Format::words().collect();
    let message = format!("expected {} of a synchronous request", words.join(", "));
    Err(UsageError::new("RESPONSEFORMAT", message))
}

/// Whether the image holds any of the region.
async fn look(service: &Cutout, planned: &PlannedImage, request: &Request, row: &Row) -> Result<(), Fault> {
    let open = service.cutter.files().open(&planned.image.url).await?;
    found(&open.file, request, row).map(drop)
}

fn found(file: &File, request: &Request, row: &Row) -> Result<Vec<HduBox>, Fault> {
    let hdus = chosen(file, &request.hdus)?;
    let size = row.size.unwrap_or(request.size);
    let boxes = boxes(file, &hdus, !request.hdus.is_empty(), &row.shape, size)?;
    choose_planes(file, boxes, &request.planes(row))
}

async fn cut(
    service: &Cutout,
    planned: &PlannedImage,
    request: &Request,
    row: &Row,
) -> Result<Answer, CheckError> {
    let image = &planned.image;
    let about = About {
        job: None,
        request,
        asked: row,
        image: format!("{}/{}", planned.collection, image.path),
        etag: image.etag.as_deref(),
    };
    let date = Timestamp::of_this_host().to_string();
    let date = date.trim_end_matches('Z');
    let cards = |cut: &Cut| -> Vec<NewCard> { provenance(&about, cut, date) };
    let options = Options {
        edge: request.edge,
        packing: request.format.packing(),
        cards: &cards,
        weighed: true,
    };
    let made = service
        .cutter
        .cut_now(image, |file| found(file, request, row), &options)
        .await;
    let too_large = Reason::TooLarge.name();
    match made {
        Ok(bytes) => Ok(Answer::File {
            name: names::cutout(&row.name(), image, 1, request.format.ending()),
            media_type: FITS.into(),
            etag: etag(request, planned, &bytes),
            bytes,
        }),
        Err(fault) if fault.is_outside() => Err(UsageError::new("EDGE", fault.message).into()),
        Err(fault) if fault.reason == too_large => Err(UsageError::new(extent(row), fault.message).into()),
        Err(fault) if fault == zero_weight() => Ok(Answer::Nothing),
        Err(fault) => failed(fault),
    }
}

/// The parameter by which a row is as large as it is.
fn extent(row: &Row) -> &'static str {
    match row.shape {
        Shape::Sky => "ID",
        Shape::Point(_) => "SIZE",
        Shape::Circle { .. } => "CIRCLE",
        Shape::Polygon { .. } => "POLYGON",
        Shape::Range { .. } => "POS",
    }
}

/// What is said of a cutout that is not made: the client's fault, the image's, or that of what has the image.
fn failed(fault: Fault) -> Result<Answer, CheckError> {
    let is = |reason: Reason| fault.reason == reason.name();
    if fault.reason == NO_MATCHING_IMAGE {
        Err(UsageError::new("HDUS", fault.message).into())
    } else if is(Reason::NoBlank) {
        Err(UsageError::new("EDGE", fault.message).into())
    } else if is(Reason::SourceUnreadable) || is(Reason::SourceChanged) {
        Ok(Answer::Unreachable(fault.message))
    } else {
        Ok(Answer::Impossible(fault.message))
    }
}

/// A weak tag: the same region of the same version of the image is the same cutout, made at another time.
fn etag(request: &Request, planned: &PlannedImage, bytes: &Bytes) -> String {
    let mut hash = Sha256::new();
    hash.update(format!(
        "{}\n{}\n{:?}\n{request:?}\n{}",
        planned.image.url,
        planned.image.path,
        planned.image.etag,
        bytes.len()
    ));
    let digest = hash.finalize();
    let short = digest.iter().take(16).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    format!("W/\"{short}\"")
}
