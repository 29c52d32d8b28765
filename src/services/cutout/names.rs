//! Names of the files that a job makes.

use std::collections::{HashMap, hash_map::Entry};

use crate::{objects::digest_of_name, store::Image};

/// Longest name, its ending included; the store of results takes 200 bytes.
const LONGEST: usize = 180;
/// Endings of images' names, the longer ones first.
const ENDINGS: [&str; 6] = [".fits.fz", ".fits.gz", ".fits", ".fit", ".fts", ".fz"];

/// The names that are taken.
#[derive(Debug)]
pub struct Names {
    /// Ending of cutouts' names.
    ending: &'static str,
    /// By their digest in small letters, since there may be half a million, and some disks take no notice of capitals: how many of the kind were asked for, so that the thousandth of it
    /// is not tried a thousand times.
    taken: HashMap<[u8; 16], u32>,
}

impl Names {
    /// None yet; those of cutouts are to end so.
    pub fn new(ending: &'static str) -> Names {
        Names {
            ending,
            taken: HashMap::new(),
        }
    }

    /// Takes the name of a cutout; gives the number that makes it one of its own, for [`cutout`].
    pub fn take(&mut self, id: &str, image: &Image) -> u32 {
        self.number(&plain(id, image), self.ending)
    }

    /// `{id}_rgb.png`, a picture of several cutouts; no picture of one has this name.
    pub fn take_rgb(&mut self, id: &str) -> String {
        picture(&self.unique(&clean(&format!("{id}_rgb")), self.ending))
    }

    /// `{id}_lightcurve.fits`, and the same as CSV.
    pub fn take_light_curve(&mut self, id: &str) -> [String; 2] {
        let fits = self.unique(&clean(&format!("{id}_lightcurve")), ".fits");
        let csv = format!("{}.csv", stem(&fits));
        [fits, csv]
    }

    fn unique(&mut self, name: &str, ending: &str) -> String {
        let number = self.number(name, ending);
        numbered(name, number, ending)
    }

    /// The number of the next like it that is not taken.
    fn number(&mut self, name: &str, ending: &str) -> u32 {
        let digest = |number| digest_of_name(&numbered(name, number, ending).to_ascii_lowercase());
        let first = digest(1);
        let Some(mut number) = self.taken.get(&first).copied() else {
            self.taken.insert(first, 1);
            return 1;
        };
        loop {
            number += 1;
            if let Entry::Vacant(free) = self.taken.entry(digest(number)) {
                free.insert(1);
                break;
            }
        }
        self.taken.insert(first, number);
        number
    }
}

/// `{id}_{band}_{obs}_{type}`, absent parts left out; with none of them `{id}_{image}`; `_2` and so on if it is not the first
/// of its kind; and the ending.
pub fn cutout(id: &str, image: &Image, number: u32, ending: &str) -> String {
    numbered(&plain(id, image), number, ending)
}

fn plain(id: &str, image: &Image) -> String {
    let parts = [&image.band, &image.obs, &image.product_type];
    let mut parts: Vec<&str> = parts
        .into_iter()
        .flatten()
        .map(|part| part.trim())
        .filter(|part| !part.is_empty())
        .collect();
    if parts.is_empty() {
        parts.push(stem(&image.path));
    }
    clean(&[&[id], &parts[..]].concat().join("_"))
}

/// A name with its number and ending, no longer than allowed.
fn numbered(name: &str, number: u32, ending: &str) -> String {
    let ending = match number {
        1 => ending.to_owned(),
        number => format!("_{number}{ending}"),
    };
    format!("{}{ending}", &name[..name.len().min(LONGEST - ending.len())])
}

/// The name of a cutout's picture.
pub fn picture(cutout: &str) -> String {
    format!("{}.png", stem(cutout))
}

/// The file's name without the endings of images.
fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    let lower = name.to_ascii_lowercase();
    match ENDINGS.iter().find(|ending| lower.ends_with(**ending)) {
        Some(ending) => &name[..name.len() - ending.len()],
        None => name,
    }
}

/// Only `[A-Za-z0-9.+_-]`, each other character an underscore; no name that hides.
fn clean(name: &str) -> String {
    let mut name: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || ".+_-".contains(c) {
                c
            } else {
                '_'
            }
        })
        .collect();
    if name.starts_with('.') {
        name.replace_range(..1, "_");
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(path: &str, band: Option<&str>, obs: Option<&str>, product_type: Option<&str>) -> Image {
        Image {
            path: path.into(),
            band: band.map(str::to_owned),
            obs: obs.map(str::to_owned),
            product_type: product_type.map(str::to_owned),
            ..Image::default()
        }
    }

    fn take(names: &mut Names, id: &str, image: &Image) -> String {
        let number = names.take(id, image);
        cutout(id, image, number, names.ending)
    }

    #[test]
    fn absent_parts_are_left_out_and_clashes_numbered() {
        let mut names = Names::new(".fits");
        let full = image("x/a.fits", Some("150GHz"), Some("winter_2020"), Some("psth"));
        assert_eq!(take(&mut names, "M13", &full), "M13_150GHz_winter_2020_psth.fits");
        assert_eq!(
            take(&mut names, "M13", &full),
            "M13_150GHz_winter_2020_psth_2.fits"
        );
        assert_eq!(
            take(&mut names, "M13", &full),
            "M13_150GHz_winter_2020_psth_3.fits"
        );
        assert_eq!(
            take(&mut names, "M13", &image("x/a.fits", None, Some("1"), None)),
            "M13_1.fits"
        );
        assert_eq!(
            take(&mut names, "M13", &image("x/a.b.fits.fz", None, None, None)),
            "M13_a.b.fits"
        );
        assert_eq!(
            take(
                &mut names,
                "J164141.42+362736.7",
                &image("m13.FITS", None, None, None)
            ),
            "J164141.42+362736.7_m13.fits"
        );
    }

    #[test]
    fn compressed_cutouts_are_named_so() {
        let mut names = Names::new(".fits.fz");
        let of_band = image("x/a.fits", Some("r"), None, None);
        assert_eq!(take(&mut names, "M13", &of_band), "M13_r.fits.fz");
        assert_eq!(take(&mut names, "M13", &of_band), "M13_r_2.fits.fz");
        assert_eq!(picture("M13_r_2.fits.fz"), "M13_r_2.png");
        assert_eq!(names.take_rgb("M13"), "M13_rgb.png");
        assert_eq!(names.take_light_curve("M13")[0], "M13_lightcurve.fits");
        assert_eq!(take(&mut names, &"x".repeat(500), &of_band).len(), LONGEST);
    }

    #[test]
    fn names_differ_in_more_than_capitals() {
        let mut names = Names::new(".fits");
        let plain = image("m.fits", None, None, None);
        let taken = ["a", "A", "b", "B"].map(|id| take(&mut names, id, &plain));
        assert_eq!(taken, ["a_m.fits", "A_m_2.fits", "b_m.fits", "B_m_2.fits"]);
        assert_eq!(
            [names.take_rgb("a"), names.take_rgb("A")],
            ["a_rgb.png", "A_rgb_2.png"]
        );
    }

    #[test]
    fn a_light_curve_is_no_cutouts_namesake() {
        let mut names = Names::new(".fits");
        let named_so = image("a.fits", None, Some("lightcurve"), None);
        assert_eq!(take(&mut names, "M 13", &named_so), "M_13_lightcurve.fits");
        assert_eq!(
            names.take_light_curve("M 13"),
            ["M_13_lightcurve_2.fits", "M_13_lightcurve_2.csv"]
        );
    }

    #[test]
    fn a_long_list_of_one_name_takes_no_longer_than_one_of_many() {
        let mut names = Names::new(".fits");
        let plain = image("a.fits", None, None, None);
        // A hundred thousand would take hours if each tried all that are taken.
        let last = (0..100_000).map(|_| take(&mut names, "M13", &plain)).last();
        assert_eq!(last.as_deref(), Some("M13_a_100000.fits"));
    }

    #[test]
    fn whatever_a_user_names_a_position_the_file_is_safe() {
        let mut names = Names::new(".fits");
        let plain = image("a.fits", None, None, None);
        assert_eq!(
            take(&mut names, "../../etc/pass wd", &plain),
            "_._.._etc_pass_wd_a.fits"
        );
        assert_eq!(take(&mut names, "é\u{0}\n", &plain), "____a.fits");
        assert_eq!(take(&mut names, ".hidden", &plain), "_hidden_a.fits");
        let long = "x".repeat(500);
        let (first, second) = (take(&mut names, &long, &plain), take(&mut names, &long, &plain));
        assert_eq!((first.len(), second.len()), (LONGEST, LONGEST));
        assert!(second.ends_with("_2.fits"));
    }
}
