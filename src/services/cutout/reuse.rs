//! Cutouts that earlier jobs of the same owner have made: given again instead of being made again.
//!
//! Of two cutouts with the same recipe the files differ by CUTJOB, the dates and what sums up these. Who is given one again
//! gets it with the job and the time that it was made by.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    image::HduBox,
    manifest::{Row, SOFTWARE},
    provenance::About,
};
use crate::fits::PixelBox;

/// The digest of all that makes a cutout what it is: the owner, whose jobs alone are looked at; the version of this program
/// and of the image at `url`; the boxes; and what the file's cards say of the request. None if nothing tells versions of the
/// image apart for certain.
pub fn digest(owner: &str, about: &About<'_>, url: &str, boxes: &[HduBox]) -> Option<String> {
    let etag = about.etag.filter(|etag| !etag.starts_with("W/"))?;
    let size = about.asked.size.unwrap_or(about.request.size);
    let boxes: Vec<_> = boxes.iter().map(|found| (found.hdu, &found.region)).collect();
    // Debug quotes texts and gives numbers to their last bit: what differs is written differently.
    let image = (url, &about.image, etag);
    let options = (about.request.edge, about.request.format, &about.asked.shape, size);
    let all = format!("{:?}", (SOFTWARE, owner, image, options, boxes));
    Some(hex::encode(Sha256::digest(all)))
}

/// What a row says of its cutout beside the file's name, size and digest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    hdu: String,
    area: [i64; 4],
    /// Bits of numbers, none of which may get lost.
    coverage: u64,
    weight_coverage: Option<u64>,
    pixels: u64,
}

impl Facts {
    /// Of a cutout of these HDUs, with bytes of pixels; the box and its coverage are the first one's.
    pub fn new(
        hdu: String,
        area: PixelBox,
        coverage: f64,
        weight_coverage: Option<f64>,
        pixels: u64,
    ) -> Facts {
        Facts {
            hdu,
            area: [area.x_min, area.x_max, area.y_min, area.y_max],
            coverage: coverage.to_bits(),
            weight_coverage: weight_coverage.map(f64::to_bits),
            pixels,
        }
    }

    /// The row with them.
    pub fn complete(&self, row: Row) -> Row {
        let [x_min, x_max, y_min, y_max] = self.area;
        Row {
            hdu: Some(self.hdu.clone()),
            area: Some(PixelBox {
                x_min,
                x_max,
                y_min,
                y_max,
            }),
            coverage: Some(f64::from_bits(self.coverage)),
            weight_coverage: self.weight_coverage.map(f64::from_bits),
            pixels: self.pixels,
            ..row
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fits::{Edge, Region},
        services::cutout::parameters::Request,
        uws::{ParameterValue, Parameters},
    };

    const LIST: &str = "RA,DEC,OBJID,XSIZE,YSIZE\n10,20,a,3,3\n10,20,b,3,3\n10,20,a,3,4\n10,21,a,3,3\n";

    fn request() -> Request {
        let mut parameters = Parameters::default();
        let value = ParameterValue::Inline(LIST.into());
        parameters.push("POSITIONS", value).unwrap();
        Request::read(&parameters, Some((LIST.as_bytes(), "text/csv")), 10).unwrap()
    }

    fn found(hdu: usize, x_max: i64) -> HduBox {
        let area = PixelBox {
            x_min: 1,
            x_max,
            y_min: 1,
            y_max: 2,
        };
        HduBox {
            hdu,
            region: Region::from(area),
            extent: [3.0, 3.0],
        }
    }

    #[test]
    fn a_recipe_is_another_wherever_the_file_would_be() {
        let trimmed = request();
        let padded = Request {
            edge: Edge::Pad,
            ..request()
        };
        let of = |owner: &str, request: &Request, row: usize, etag: Option<&str>, boxes: &[HduBox]| {
            let about = About {
                job: None,
                request,
                asked: &request.list.rows[row],
                image: "sky/a.fits".into(),
                etag,
            };
            digest(owner, &about, "file:///a.fits", boxes)
        };
        let one = [found(0, 2)];
        let first = of("ann", &trimmed, 0, Some("1"), &one).unwrap();
        assert_eq!(
            of("ann", &trimmed, 1, Some("1"), &one).as_ref(),
            Some(&first),
            "another name for it"
        );
        let others = [
            of("bob", &trimmed, 0, Some("1"), &one),
            of("ann", &padded, 0, Some("1"), &one),
            of("ann", &trimmed, 2, Some("1"), &one),
            of("ann", &trimmed, 3, Some("1"), &one),
            of("ann", &trimmed, 0, Some("2"), &one),
            of("ann", &trimmed, 0, Some("1"), &[found(1, 2)]),
            of("ann", &trimmed, 0, Some("1"), &[found(0, 3)]),
            of("ann", &trimmed, 0, Some("1"), &[found(0, 2), found(1, 2)]),
        ];
        for (at, other) in others.iter().enumerate() {
            assert!(other.as_ref().is_some_and(|other| *other != first), "{at}");
        }
        assert_eq!(of("ann", &trimmed, 0, None, &one), None);
        assert_eq!(of("ann", &trimmed, 0, Some("W/\"1"), &one), None);
    }
}
