//! The cards of a cutout that say where it comes from.

use super::{list::Row as Asked, manifest::SOFTWARE, parameters::Request};
use crate::{
    fits::{Cut, Edge, NewCard, Value},
    sky::{Length, Position, Shape, Size},
    uws::JobId,
};

/// What a cutout is made of.
pub struct About<'a> {
    /// The job that it is made for, if there is one.
    pub job: Option<JobId>,
    /// The request that asks for it.
    pub request: &'a Request,
    /// And its row.
    pub asked: &'a Asked,
    /// COLLECTION/PATH of the image.
    pub image: String,
    /// Entity tag of the image.
    pub etag: Option<&'a str>,
}

/// Cards that say where a cutout comes from.
pub fn provenance(about: &About<'_>, cut: &Cut, date: &str) -> Vec<NewCard> {
    let text = |text: &str| Value::Text(text.to_owned());
    let About { request, asked, .. } = about;
    let Size { width, height } = asked.size.unwrap_or(request.size);
    let side = |length| match length {
        Length::Degrees(degrees) => text(&format!("{} arcmin", degrees * 60.0)),
        Length::Pixels(pixels) => text(&format!("{pixels} px")),
    };
    let edge = match request.edge {
        Edge::Trim => "trim",
        Edge::Pad => "pad",
        Edge::Strict => "strict",
    };
    let mut cards = vec![NewCard::new("CUTSOFT", text(SOFTWARE), "what made this cutout")];
    if let Some(job) = about.job {
        cards.push(NewCard::new("CUTJOB", text(&job.to_string()), "job that made it"));
    }
    cards.extend([
        NewCard::new("CUTDATE", text(date), "UTC, when it was made"),
        NewCard::new("CUTSRC", text(&about.image), "collection/image"),
    ]);
    if let Some(etag) = about.etag {
        let etag = etag.trim_matches('"');
        cards.push(NewCard::new("CUTETAG", text(etag), "version of the image"));
    }
    cards.extend([NewCard::new(
        "CUTHDU",
        Value::Integer(cut.hdu() as i64),
        "HDU of the image, 0 = primary",
    )]);
    if let Some(Position { ra, dec }) = asked.shape.centre() {
        cards.extend([
            NewCard::new("CUTRA", Value::Real(ra), "[deg] ICRS position asked for"),
            NewCard::new("CUTDEC", Value::Real(dec), "[deg] ICRS position asked for"),
        ]);
    }
    match &asked.shape {
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
    cards.extend([NewCard::new(
        "CUTBOX",
        text(&cut.area().to_string()),
        "pixels of the image, from 1",
    )]);
    cards.extend(cut.planes().iter().map(|(axis, planes)| {
        let range = text(&format!("[{}:{}]", planes.start + 1, planes.end));
        NewCard::new(
            &format!("CUTAX{}", axis + 1),
            range,
            "planes of the image, from 1",
        )
    }));
    cards.extend([
        NewCard::new("CUTEDGE", text(edge), "what becomes of boxes over an edge"),
        NewCard::new(
            "CUTCOVER",
            Value::Real(cut.coverage()),
            "share of the box on the image",
        ),
    ]);
    cards
}
