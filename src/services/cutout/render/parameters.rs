//! What a request says of pictures: STRETCH, CUTS, CMAP, INVERT, SIDE, and of jobs PREVIEW and RGB.

use std::str::FromStr;

use super::{ColourMap, Cuts, MAX_SIDE, Stretch, Style};
use crate::{
    engine::{ParameterInfo, ParameterKind, UsageError},
    uws::Parameters,
};

/// The pictures that a job asks for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Preview {
    /// Whether there is a picture beside each FITS file.
    pub wanted: bool,
    /// How pictures are drawn.
    pub style: Style,
    /// The bands that one picture a position shows as red, green and blue.
    pub rgb: Option<[String; 3]>,
}

impl Preview {
    /// What says how to draw although nothing is `drawn`.
    pub fn check_drawn(&self, drawn: bool) -> Result<(), UsageError> {
        let Style {
            cuts,
            stretch,
            map,
            invert,
            side,
        } = &self.style;
        let given = [
            ("CUTS", cuts.is_some()),
            ("STRETCH", stretch.is_some()),
            ("CMAP", map.is_some()),
            ("INVERT", *invert),
            ("SIDE", side.is_some()),
        ];
        match given.into_iter().find(|(_, given)| *given && !drawn) {
            Some((name, _)) => Err(UsageError::new(
                name,
                "is of pictures, which are drawn with PREVIEW=true or FORMAT=png only",
            )),
            None => Ok(()),
        }
    }
}

/// Reads PREVIEW, RGB and how to draw; or answers every fault.
pub fn read(parameters: &Parameters) -> Result<Preview, Vec<UsageError>> {
    let mut faults = Vec::new();
    let style = style(parameters).unwrap_or_else(|found| {
        faults.extend(found);
        Style::default()
    });
    let mut one = |name: &str| {
        text(parameters, name).unwrap_or_else(|fault| {
            faults.push(fault);
            None
        })
    };
    let (preview, rgb, format) = (one("PREVIEW"), one("RGB"), one("FORMAT"));
    let wanted = take(&mut faults, "PREVIEW", preview, flag).unwrap_or(false);
    let rgb = take(&mut faults, "RGB", rgb, bands);
    if rgb.is_some() && !wanted {
        faults.push(UsageError::new("RGB", "is drawn with PREVIEW=true only"));
    }
    if rgb.is_some() && format.is_some_and(|format| format.eq_ignore_ascii_case("png")) {
        let message = "is drawn from FITS cutouts, beside them: FORMAT must not be png";
        faults.push(UsageError::new("RGB", message));
    }
    if faults.is_empty() {
        Ok(Preview { wanted, style, rgb })
    } else {
        Err(faults)
    }
}

/// Reads how to draw; or answers every fault.
pub fn style(parameters: &Parameters) -> Result<Style, Vec<UsageError>> {
    let mut faults = Vec::new();
    let mut one = |name: &str| {
        text(parameters, name).unwrap_or_else(|fault| {
            faults.push(fault);
            None
        })
    };
    let (cuts, stretch, map) = (one("CUTS"), one("STRETCH"), one("CMAP"));
    let (invert, side) = (one("INVERT"), one("SIDE"));
    let style = Style {
        cuts: take(&mut faults, "CUTS", cuts, Cuts::from_str),
        stretch: take(&mut faults, "STRETCH", stretch, |text| {
            text.parse().map_err(|()| one_of(Stretch::NAMES))
        }),
        map: take(&mut faults, "CMAP", map, |text| {
            text.parse().map_err(|()| one_of(ColourMap::NAMES))
        }),
        invert: take(&mut faults, "INVERT", invert, flag).unwrap_or(false),
        side: take(&mut faults, "SIDE", side, longest),
    };
    if faults.is_empty() { Ok(style) } else { Err(faults) }
}

/// The one value; an empty one is as good as none, since forms send fields that were left empty.
fn text<'a>(parameters: &'a Parameters, name: &str) -> Result<Option<&'a str>, UsageError> {
    let text = parameters.text(name)?.map(str::trim);
    Ok(text.filter(|text| !text.is_empty()))
}

/// What `read` makes of a value.
fn take<T>(
    faults: &mut Vec<UsageError>,
    name: &str,
    text: Option<&str>,
    read: impl Fn(&str) -> Result<T, String>,
) -> Option<T> {
    let text = text?;
    read(text)
        .map_err(|message| {
            let excerpt: String = text.chars().take(40).collect();
            faults.push(UsageError::new(name, format!("{excerpt:?}: {message}")));
        })
        .ok()
}

fn one_of(names: &[&str]) -> String {
    format!("expected one of {}", names.join(", "))
}

/// A value of [`FLAG`].
pub fn flag(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => Err("expected true or false".into()),
    }
}

fn longest(text: &str) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|side| (1..=MAX_SIDE).contains(side))
        .ok_or_else(|| format!("expected a whole number of pixels from 1 to {MAX_SIDE}"))
}

fn bands(text: &str) -> Result<[String; 3], String> {
    let bands: Vec<String> = text.split(',').map(|band| band.trim().to_owned()).collect();
    <[String; 3]>::try_from(bands)
        .ok()
        .filter(|bands| bands.iter().all(|band| !band.is_empty()))
        .ok_or_else(|| "expected three bands, RED,GREEN,BLUE".into())
}

/// Yes or no.
pub const FLAG: ParameterKind = ParameterKind::Choice {
    options: &["true", "false"],
};

fn info(
    name: &'static str,
    kind: ParameterKind,
    default: Option<&str>,
    meaning: &'static str,
) -> ParameterInfo {
    ParameterInfo {
        name,
        ucd: None,
        unit: None,
        kind,
        required: false,
        repeatable: false,
        default: default.map(str::to_owned),
        meaning,
    }
}

/// The parameters of jobs, for clients.
pub fn describe() -> Vec<ParameterInfo> {
    let mut all = vec![
        info(
            "PREVIEW",
            FLAG,
            Some("false"),
            "Whether a picture (PNG) is made beside each FITS file, of its first image.",
        ),
        info(
            "RGB",
            ParameterKind::Text,
            None,
            "With PREVIEW: three bands, RED,GREEN,BLUE, of which one colour picture a position is made, ID_rgb.png, as \
             Lupton et al. (2004) have it. By default CUTS=zscale.",
        ),
    ];
    all.extend(describe_style());
    all
}

/// The parameters that say how to draw.
pub fn describe_style() -> Vec<ParameterInfo> {
    vec![
        info(
            "CUTS",
            ParameterKind::Text,
            None,
            "Values drawn as the first and the last colour: MIN,MAX in the image's unit; P%, the central part of the \
             pixels; LOW%,HIGH%, two percentiles; symmetric or symmetric P%, as far below zero as above; minmax; or \
             zscale. By default symmetric 99.5% for maps about zero (unit K or Jy/beam) and with CMAP=rdbu_r, else 99.5%.",
        ),
        info(
            "STRETCH",
            ParameterKind::Choice {
                options: Stretch::NAMES,
            },
            None,
            "How values in between are spread over the colours. By default linear for maps about zero and with \
             CMAP=rdbu_r, else asinh; of RGB always asinh.",
        ),
        info(
            "CMAP",
            ParameterKind::Choice {
                options: ColourMap::NAMES,
            },
            None,
            "Colours of pictures: grey, viridis, magma, inferno, cubehelix, or rdbu_r (blue, white, red). By default \
             rdbu_r for maps about zero (unit K or Jy/beam), else grey.",
        ),
        info(
            "INVERT",
            FLAG,
            Some("false"),
            "Whether the colours run the other way.",
        ),
        ParameterInfo {
            unit: Some("pixel"),
            ..info(
                "SIDE",
                ParameterKind::Real {
                    min: 1.0,
                    max: f64::from(MAX_SIDE),
                },
                None,
                "Longest side of pictures: they are reduced or enlarged by a whole number to fit. By default as the \
                 cutout, at most 2048.",
            )
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uws::ParameterValue;

    fn parameters(pairs: &[(&str, &str)]) -> Parameters {
        let mut parameters = Parameters::default();
        for (name, value) in pairs {
            parameters
                .push(name, ParameterValue::Inline((*value).into()))
                .unwrap();
        }
        parameters
    }

    #[test]
    fn what_is_given_is_read_and_the_rest_is_left_to_the_image() {
        assert_eq!(read(&parameters(&[("CUTS", " ")])), Ok(Preview::default()));
        let asked = parameters(&[
            ("preview", "TRUE"),
            ("RGB", "220GHz, 150GHz,90GHz"),
            ("CUTS", "-1,2"),
            ("STRETCH", "Linear"),
            ("CMAP", "RdBu_r"),
            ("INVERT", "true"),
            ("SIDE", "128"),
        ]);
        let preview = Preview {
            wanted: true,
            style: Style {
                cuts: Some(Cuts::Values(-1.0, 2.0)),
                stretch: Some(Stretch::Linear),
                map: Some(ColourMap::RedBlue),
                invert: true,
                side: Some(128),
            },
            rgb: Some(["220GHz", "150GHz", "90GHz"].map(str::to_owned)),
        };
        assert_eq!(read(&asked), Ok(preview));
    }

    #[test]
    fn bad_values_name_their_parameter() {
        for (pairs, name, expected) in [
            (&[("CUTS", "2,1")][..], "CUTS", "INVERT"),
            (&[("CUTS", "some")], "CUTS", "zscale"),
            (&[("STRETCH", "histogram")], "STRETCH", "linear, sqrt, log, asinh"),
            (&[("CMAP", "jet")], "CMAP", "viridis"),
            (&[("INVERT", "perhaps")], "INVERT", "true or false"),
            (&[("SIDE", "0")], "SIDE", "from 1 to 2048"),
            (&[("SIDE", "2049")], "SIDE", "from 1 to 2048"),
            (&[("SIDE", "1.5")], "SIDE", "whole"),
            (&[("PREVIEW", "maybe")], "PREVIEW", "true or false"),
            (&[("PREVIEW", "true"), ("RGB", "a,b")], "RGB", "three bands"),
            (&[("PREVIEW", "true"), ("RGB", "a,,b")], "RGB", "three bands"),
            (&[("RGB", "a,b,c")], "RGB", "PREVIEW=true"),
            (
                &[("PREVIEW", "true"), ("RGB", "a,b,c"), ("FORMAT", "PNG")],
                "RGB",
                "FORMAT",
            ),
            (&[("SIDE", "5"), ("SIDE", "6")], "SIDE", ""),
        ] {
            let faults = read(&parameters(pairs)).expect_err(expected);
            assert_eq!(
                (faults.len(), faults[0].parameter.as_str()),
                (1, name),
                "{faults:?}"
            );
            assert!(faults[0].message.contains(expected), "{faults:?}");
        }
    }

    #[test]
    fn how_to_draw_is_said_of_pictures_only() {
        let said = |pairs: &[(&str, &str)]| read(&parameters(pairs)).unwrap();
        assert_eq!(said(&[]).check_drawn(false), Ok(()));
        for pair in [
            ("CUTS", "1,2"),
            ("STRETCH", "log"),
            ("CMAP", "grey"),
            ("INVERT", "1"),
            ("SIDE", "9"),
        ] {
            let fault = said(&[pair]).check_drawn(false).expect_err(pair.0);
            assert_eq!(fault.parameter, pair.0);
            assert_eq!(said(&[pair]).check_drawn(true), Ok(()));
        }
    }

    #[test]
    fn every_parameter_is_described_with_what_is_taken() {
        for info in describe() {
            let ParameterKind::Choice { options } = info.kind else {
                continue;
            };
            for option in options {
                let mut pairs = vec![(info.name, *option)];
                pairs.extend((info.name == "RGB").then_some(("PREVIEW", "true")));
                assert!(read(&parameters(&pairs)).is_ok(), "{} {option}", info.name);
            }
        }
    }
}
