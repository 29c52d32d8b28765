//! Pictures of cutouts: as astropy.visualization draws them.

use serde_json::Value;
use sidereal::{
    fits::Bitpix,
    services::cutout::render::{self, Array, Caption, Cuts, Plane, Scaling, Stretch, Style},
};

use crate::harness::oracle;

fn numbers(list: &Value) -> Vec<f64> {
    let list = list.as_array().unwrap();
    list.iter()
        .map(|value| value.as_f64().unwrap_or(f64::NAN))
        .collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn plane(values: &[f64], width: u64) -> Plane {
    let data: Vec<u8> = values.iter().flat_map(|value| value.to_be_bytes()).collect();
    let array = Array {
        data: &data,
        bitpix: Bitpix::F64,
        shape: &[width, values.len() as u64 / width],
        axes: [0, 1],
    };
    Plane::new(&array, &Scaling::NONE, render::MAX_SIDE).unwrap()
}

/// Size and bytes of the pixels of a picture, four each, from the top.
fn decoded(file: &[u8]) -> ([u32; 2], Vec<[u8; 4]>) {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(file));
    decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::ALPHA);
    let mut reader = decoder.read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut bytes).unwrap();
    assert_eq!(frame.color_type, png::ColorType::Rgba);
    ([frame.width, frame.height], bytes.as_chunks().0.to_vec())
}

#[tokio::test]
async fn cuts_stretches_and_colours_are_those_of_astropy() {
    let answer = oracle("visualization.py", &[]).await;
    let images = answer["images"].as_array().unwrap();
    assert!(images.len() > 10);
    for image in images {
        let values = numbers(&image["values"]);
        for (cuts, wanted) in image["cuts"].as_object().unwrap() {
            let limits = cuts.parse::<Cuts>().unwrap().limits(&values);
            let wanted = numbers(wanted);
            let near = 1e-9 * values.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
            assert!(
                (limits.low - wanted[0]).abs() <= near && (limits.high - wanted[1]).abs() <= near,
                "{} of {}: {limits:?}, not {wanted:?}",
                cuts,
                image["name"]
            );
        }
    }
    let shares = numbers(&answer["shares"]);
    for (name, wanted) in answer["stretches"].as_object().unwrap() {
        let stretch: Stretch = name.parse().unwrap();
        for (share, wanted) in shares.iter().zip(numbers(wanted)) {
            let got = stretch.of(*share, false);
            assert!(
                (got - wanted).abs() < 1e-12,
                "{name} of {share}: {got}, not {wanted}"
            );
        }
    }
    for colours in answer["colours"].as_array().unwrap() {
        let width = colours["width"].as_u64().unwrap();
        let bands = [0, 1, 2].map(|band| plane(&numbers(&colours["bands"][band]), width));
        let style = Style {
            cuts: Some(text(&colours["cuts"]).parse().unwrap()),
            ..Style::default()
        };
        let file = render::draw_rgb(&bands, &style, &Caption::default()).unwrap();
        let ([columns, rows], pixels) = decoded(&file);
        assert_eq!(
            [u64::from(columns), u64::from(rows)],
            [width, pixels.len() as u64 / width]
        );
        let got: Vec<u8> = pixels.iter().flat_map(|[r, g, b, _]| [*r, *g, *b]).collect();
        let wanted = numbers(&colours["picture"]);
        assert_eq!(got.len(), wanted.len());
        // Fractions are cut off, so that a last bit may tell.
        let off = got
            .iter()
            .zip(&wanted)
            .filter(|(got, wanted)| f64::from(**got) != **wanted)
            .count();
        assert!(off <= 2, "{off} of {} differ", got.len());
    }
}
