//! DALI's examples (DALI 1.1 section 2.3): XHTML with `RDFa`, of an image that there is.

use std::fmt::Write as _;

use crate::{
    services::cutout::{datalink::Places, identifier},
    store::Image,
    uws::vosi,
};

/// The page. `example` is a collection and an image of it with coordinates.
pub fn page(example: Option<(&str, &Image)>, places: &Places, publisher: &str) -> String {
    let mut page = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" \
         lang=\"en\"><head><title>Cutouts by example</title></head>\
         <body vocab=\"http://www.ivoa.net/rdf/examples#\"><h1>Cutouts by example</h1>",
    );
    match example.and_then(|(collection, image)| Some((collection, image, image.cap?))) {
        None => page.push_str("<p>There is no image yet: <code>sidereal ingest COLLECTION URL</code>.</p>"),
        Some((collection, image, cap)) => {
            let did = identifier::write(publisher, collection, &image.path);
            let circle = |radius: f64| format!("{} {} {radius}", cap.centre.ra, cap.centre.dec);
            // A cutout is smaller than its image.
            let small = circle((cap.radius / 10.0).min(0.05));
            write(
                &mut page,
                "images",
                "Images around a position",
                vosi::SIA,
                &format!("{}/query", places.service),
                &[("POS", &format!("CIRCLE {}", circle(0.1))), ("MAXREC", "10")],
            );
            write(
                &mut page,
                "links",
                "What can be had of an image",
                vosi::DATALINK,
                &format!("{}/links", places.service),
                &[("ID", &did)],
            );
            write(
                &mut page,
                "cutout",
                "A cutout",
                vosi::SODA_SYNC,
                &format!("{}/sync", places.service),
                &[("ID", &did), ("CIRCLE", &small)],
            );
        }
    }
    page.push_str("</body></html>\n");
    page
}

/// An example: a URL and the parameters that it is asked with.
fn write(page: &mut String, id: &str, name: &str, standard: &str, url: &str, parameters: &[(&str, &str)]) {
    let escaped = |text: &str| quick_xml::escape::escape(text).into_owned();
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish();
    let asked = escaped(&format!("{url}?{query}"));
    // Writing to a string does not fail.
    let _ = write!(
        page,
        "<div id=\"{id}\" resource=\"#{id}\" typeof=\"example\"><h2 property=\"name\">{name}</h2>\
         <p><a property=\"capability\" href=\"{standard}\" content=\"{standard}\">{standard}</a></p><dl>",
    );
    for (name, value) in parameters {
        let _ = write!(
            page,
            "<div property=\"generic-parameter\" typeof=\"keyval\"><dt property=\"key\">{name}</dt>\
             <dd property=\"value\">{}</dd></div>",
            escaped(value)
        );
    }
    let _ = write!(page, "</dl><p><a href=\"{asked}\">{asked}</a></p></div>");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sky::{Cap, Position};

    #[test]
    fn an_example_is_escaped_and_says_what_to_send() {
        let places = Places {
            service: "https://x.org/api/cutout".into(),
            preview: String::new(),
        };
        let image = Image {
            path: "<b>&.fits".into(),
            cap: Some(Cap {
                centre: Position { ra: 10.0, dec: -5.0 },
                radius: 1.0,
            }),
            ..Image::default()
        };
        let page = page(Some(("maps", &image)), &places, "ivo://x.org/y");
        assert!(!page.contains("<b>") && !page.contains("&."), "{page}");
        assert!(
            page.contains("<dd property=\"value\">CIRCLE 10 -5 0.1</dd>"),
            "{page}"
        );
        assert!(
            page.contains("href=\"https://x.org/api/cutout/sync?ID=ivo%3A"),
            "{page}"
        );
        assert!(super::page(None, &places, "ivo://x.org/y").contains("no image yet"));
    }
}
