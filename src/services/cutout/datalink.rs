//! DataLink 1.1: what can be had of an image, and how its cutouts are asked for (section 3; SODA 1.0 section 3.3).

use super::{limits::MAX_PREVIEW, obscore, parameters::Format, sia};
use crate::{
    sky::Shape,
    store::Image,
    uws::{
        vosi,
        votable::{Cell, Datatype, Field, Parameter, Purpose, Status, Values, VoTable, real},
    },
};

/// Media type of the document.
pub use super::obscore::DATALINK as MEDIA_TYPE;

/// Media type of images (RFC 4047): one that is kept compressed by gzip is served inflated.
pub const FITS: &str = "application/fits";

/// What service descriptors are told apart from other resources by.
const SERVICE: Purpose = Purpose::Meta("adhoc:service");

/// Radius of the widest image that there is a picture of, deg.
const WIDEST: f64 = 5.0;

/// The columns of the table of links (table 1).
const FIELDS: [Field; 9] = [
    Field::text("ID")
        .ucd("meta.id;meta.main")
        .meaning("The identifier as it was given"),
    Field::text("access_url")
        .ucd("meta.ref.url")
        .meaning("Where it is"),
    Field::text("service_def")
        .ucd("meta.ref")
        .meaning("The descriptor of the service that makes it"),
    Field::text("error_message")
        .ucd("meta.code.error")
        .meaning("Why there is no link"),
    Field::text("description").ucd("meta.note").meaning("What it is"),
    Field::text("semantics")
        .ucd("meta.code")
        .meaning("What it is to the image, of http://www.ivoa.net/rdf/datalink/core"),
    Field::text("content_type")
        .ucd("meta.code.mime")
        .meaning("Its media type"),
    Field::long("content_length")
        .unit("byte")
        .ucd("phys.size;meta.file")
        .meaning("Its size"),
    Field::text("content_qualifier")
        .ucd("meta.code")
        .meaning("What kind of product it is"),
];

/// URLs of the server that links lead to.
#[derive(Debug, Clone)]
pub struct Places {
    /// Base of the service, `…/api/cutout`.
    pub service: String,
    /// What draws pictures of its images.
    pub preview: String,
}

impl Places {
    /// The DataLink document of the image with this identifier.
    pub fn links(&self, did: &str) -> String {
        self.with_id("links", did)
    }

    /// The whole image.
    pub fn image(&self, did: &str) -> String {
        self.with_id("image", did)
    }

    /// A picture of all of it; `None` of what is too large for one.
    fn picture(&self, did: &str, image: &Image) -> Option<String> {
        let cap = image.cap.filter(|cap| cap.radius <= WIDEST)?;
        let drawn = image.hdus.iter().find(|hdu| hdu.cap.is_some())?;
        let pixels = drawn
            .shape
            .iter()
            .take(2)
            .fold(1_u64, |all, side| all.saturating_mul(*side));
        let circle = [cap.centre.ra, cap.centre.dec, cap.radius].map(real).join(" ");
        let query = [("ID", did), ("CIRCLE", &circle)];
        (pixels <= MAX_PREVIEW).then(|| asked(&self.preview, &query))
    }

    fn with_id(&self, path: &str, did: &str) -> String {
        asked(&format!("{}/{path}", self.service), &[("ID", did)])
    }
}

fn asked(url: &str, parameters: &[(&str, &str)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish();
    format!("{url}?{query}")
}

/// What an identifier of a request turned out to be.
#[derive(Debug)]
pub enum Linked<'a> {
    /// An image; with its identifier, whichever way it was asked for.
    Image {
        /// What was given.
        id: &'a str,
        /// Its dataset identifier.
        did: String,
        /// What is known of it.
        image: &'a Image,
    },
    /// None of ours.
    Unknown(&'a str),
}

/// The document of these images. Without any it says how to ask for some.
pub fn document(asked: &[Linked<'_>], places: &Places, overflow: bool) -> Vec<u8> {
    let mut table = VoTable::new();
    table
        .resource(Purpose::Results, None)
        .info("standardID", vosi::DATALINK, "")
        .status(Status::Ok)
        .table("links", &FIELDS);
    for (number, linked) in asked.iter().enumerate() {
        match linked {
            Linked::Image { id, did, image } => write_links(&mut table, id, did, image, places, number + 1),
            Linked::Unknown(id) => write_unknown(&mut table, id),
        }
    }
    table.close();
    if overflow {
        table.status(Status::Overflow);
    }
    table.close();
    for (number, linked) in asked.iter().enumerate() {
        if let Linked::Image { did, image, .. } = linked {
            for way in Way::ALL {
                write_soda(&mut table, way, did, image, places, number + 1);
            }
        }
    }
    let id = Field::text("ID")
        .ucd("meta.id;meta.main")
        .meaning("Identifier of an image");
    descriptor(
        &mut table,
        "links",
        vosi::DATALINK,
        &format!("{}/links", places.service),
    );
    table
        .group("inputParams")
        .parameter(&Parameter::asked(id, Values::default()))
        .close()
        .close();
    table.finish()
}

/// The descriptor of this service for a table that has its identifiers in a column (section 4.1).
pub fn for_column(table: &mut VoTable, places: &Places) {
    descriptor(
        table,
        "datalink",
        vosi::DATALINK,
        &format!("{}/links", places.service),
    );
    table
        .parameter(&Parameter::of(Field::text("contentType"), MEDIA_TYPE))
        .group("inputParams")
        .parameter(&Parameter::from_column(
            Field::text("ID").ucd("meta.id;meta.main"),
            obscore::DID,
        ))
        .close()
        .close();
}

/// Opens a descriptor of a service.
fn descriptor(table: &mut VoTable, id: &str, standard: &str, url: &str) {
    table
        .resource(SERVICE, Some(id))
        .parameter(&Parameter::of(Field::text("standardID"), standard))
        .parameter(&Parameter::of(Field::text("accessURL"), url));
}

fn write_links(table: &mut VoTable, id: &str, did: &str, image: &Image, places: &Places, number: usize) {
    let size = Cell::from(image.size);
    table.row(&[
        id.into(),
        places.image(did).into(),
        Cell::Null,
        Cell::Null,
        "The whole image".into(),
        "#this".into(),
        FITS.into(),
        size,
        obscore::data_type(image).into(),
    ]);
    for way in Way::ALL {
        table.row(&[
            id.into(),
            Cell::Null,
            way.id(number).into(),
            Cell::Null,
            way.meaning().into(),
            "#cutout".into(),
            way.media_type().into(),
            Cell::Null,
            obscore::data_type(image).into(),
        ]);
    }
    if let Some(url) = places.picture(did, image) {
        table.row(&[
            id.into(),
            url.into(),
            Cell::Null,
            Cell::Null,
            "A picture of the image".into(),
            "#preview".into(),
            "image/png".into(),
            Cell::Null,
            Cell::Null,
        ]);
    }
}

fn write_unknown(table: &mut VoTable, id: &str) {
    table.row(&[
        id.into(),
        Cell::Null,
        Cell::Null,
        "NotFoundFault: there is no image with this ID".into(),
        Cell::Null,
        "#this".into(),
        Cell::Null,
        Cell::Null,
        Cell::Null,
    ]);
}

/// How a cutout is made.
#[derive(Debug, Clone, Copy)]
enum Way {
    Sync,
    Async,
}

impl Way {
    const ALL: [Way; 2] = [Way::Sync, Way::Async];

    fn path(self) -> &'static str {
        match self {
            Way::Sync => "sync",
            Way::Async => "async",
        }
    }

    fn standard(self) -> &'static str {
        match self {
            Way::Sync => vosi::SODA_SYNC,
            Way::Async => vosi::SODA_ASYNC,
        }
    }

    fn meaning(self) -> &'static str {
        match self {
            Way::Sync => "A cutout of the image, at once",
            Way::Async => "Cutouts of the image, as a job",
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Way::Sync => FITS,
            Way::Async => "application/xml",
        }
    }

    fn id(self, number: usize) -> String {
        format!("soda-{}-{number}", self.path())
    }
}

/// The descriptor of cutouts of one image, with the values that make sense for it (SODA 1.0 section 4.3).
fn write_soda(table: &mut VoTable, way: Way, did: &str, image: &Image, places: &Places, number: usize) {
    let url = format!("{}/{}", places.service, way.path());
    descriptor(table, &way.id(number), way.standard(), &url);
    table.group("inputParams");
    let id = Field::text("ID")
        .ucd("meta.ref.url;meta.curation")
        .meaning("Identifier of the image");
    table.parameter(&Parameter::of(id, did));
    for parameter in shapes(image).into_iter().chain(intervals(image)) {
        table.parameter(&parameter);
    }
    let mut choice = |field, options: &[&str]| {
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let values = Values {
            options,
            ..Values::default()
        };
        table.parameter(&Parameter::asked(field, values));
    };
    let states = obscore::states(image);
    if !states.is_empty() {
        let field = Field::text("POL")
            .ucd("meta.code;phys.polarization")
            .meaning("Polarization states");
        choice(field, &states);
    }
    let field = Field::text("FORMAT")
        .ucd("meta.code.mime")
        .meaning("Plain FITS, or compressed in tiles without loss");
    choice(field, &[Format::Fits.name(), Format::FitsFz.name()]);
    table.close().close();
}

fn shapes(image: &Image) -> Vec<Parameter<'static>> {
    let Some(cap) = image.cap else { return Vec::new() };
    let most = |max| Values {
        max,
        ..Values::default()
    };
    let circle = [cap.centre.ra, cap.centre.dec, cap.radius].map(real).join(" ");
    let vertices = match image.s_region.as_deref().and_then(sia::region) {
        Some(Shape::Polygon { vertices }) => {
            let numbers: Vec<String> = vertices
                .iter()
                .flat_map(|at| [real(at.ra), real(at.dec)])
                .collect();
            Some(numbers.join(" "))
        }
        _ => None,
    };
    vec![
        Parameter::asked(
            Field::double("CIRCLE")
                .array("3")
                .unit("deg")
                .ucd("pos.outline;obs")
                .xtype("circle")
                .meaning("Right ascension, declination, radius (ICRS)"),
            most(Some(circle)),
        ),
        Parameter::asked(
            Field::double("POLYGON")
                .array("*")
                .unit("deg")
                .ucd("pos.outline;obs")
                .xtype("polygon")
                .meaning("Right ascension and declination of at least three vertices (ICRS)"),
            most(vertices),
        ),
        Parameter::asked(
            Field::text("POS").ucd("pos.outline;obs").meaning(
                "CIRCLE ra dec radius, RANGE ra1 ra2 dec1 dec2, or POLYGON ra dec …, in degrees (ICRS)",
            ),
            Values::default(),
        ),
    ]
}

fn intervals(image: &Image) -> Vec<Parameter<'static>> {
    let interval = |name, unit, ucd, meaning| {
        Field::new(name, Datatype::Double)
            .array("2")
            .xtype("interval")
            .unit(unit)
            .ucd(ucd)
            .meaning(meaning)
    };
    let band = interval(
        "BAND",
        "m",
        "em.wl;stat.interval",
        "Wavelengths in vacuum, from and to",
    );
    let time = interval(
        "TIME",
        "d",
        "time.interval;obs.exposure",
        "Times, from and to, MJD (UTC)",
    );
    [
        (band, image.em_min, image.em_max),
        (time, image.t_min, image.t_max),
    ]
    .into_iter()
    .filter_map(|(field, min, max)| {
        let values = Values {
            min: Some(real(min?)),
            max: Some(real(max?)),
            options: Vec::new(),
        };
        Some(Parameter::asked(field, values))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sky::{Cap, Position};

    fn places() -> Places {
        Places {
            service: "https://x.org/api/cutout".into(),
            preview: "https://x.org/api/v1/cutout/preview".into(),
        }
    }

    fn image() -> Image {
        Image {
            path: "deep/a b.fits".into(),
            size: 2_880,
            cap: Some(Cap {
                centre: Position { ra: 10.0, dec: -50.0 },
                radius: 0.75,
            }),
            s_region: Some("POLYGON ICRS 10.5 -50.5 9.5 -50.5 9.5 -49.5".into()),
            em_min: Some(1.8e-3),
            em_max: Some(2.3e-3),
            pol_states: Some("/I/Q/".into()),
            ..Image::default()
        }
    }

    #[test]
    fn an_image_has_itself_and_its_cutouts_with_the_values_that_make_sense() {
        let did = "ivo://x/y?maps/deep/a%20b.fits".to_owned();
        let image = image();
        let linked = Linked::Image {
            id: "maps/deep/a b.fits",
            did,
            image: &image,
        };
        let text = String::from_utf8(document(&[linked], &places(), false)).unwrap();
        for part in [
            "<TD>maps/deep/a b.fits</TD><TD>https://x.org/api/cutout/image?ID=ivo%3A%2F%2Fx%2Fy%3Fmaps%2Fdeep%2Fa%2520b.fits</TD>",
            "<TD>#this</TD><TD>application/fits</TD><TD>2880</TD><TD>image</TD>",
            r#"ID="soda-sync-1""#,
            r#"value="ivo://ivoa.net/std/SODA#sync-1.0""#,
            r#"value="https://x.org/api/cutout/async""#,
            r#"value="ivo://x/y?maps/deep/a%20b.fits""#,
            r#"<MAX value="10 -50 0.75"/>"#,
            r#"<MAX value="10.5 -50.5 9.5 -50.5 9.5 -49.5"/>"#,
            r#"<MIN value="0.0018"/><MAX value="0.0023"/>"#,
            r#"<OPTION value="I"/><OPTION value="Q"/>"#,
            r#"<OPTION value="fits"/><OPTION value="fits.fz"/>"#,
        ] {
            assert!(text.contains(part), "no {part} in {text}");
        }
        assert!(!text.contains(r#"name="TIME""#), "{text}");
    }

    #[test]
    fn what_is_not_there_is_a_row_with_a_fault() {
        let text = String::from_utf8(document(&[Linked::Unknown("<x>")], &places(), true)).unwrap();
        assert!(
            text.contains("<TD>&lt;x&gt;</TD><TD/><TD/><TD>NotFoundFault: "),
            "{text}"
        );
        assert!(text.contains("OVERFLOW") && !text.contains("soda"), "{text}");
    }
}
