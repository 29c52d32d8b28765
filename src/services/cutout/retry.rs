//! What is done again of a job: the rows of its list that failed for a reason that may have passed.
//!
//! A row that failed on one image and not on another is done again on both. SODA's shapes are few, and are all done again.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde::Deserialize;

use super::{list::Row, parameters::Request};
use crate::{
    engine::{Again, Unavailable},
    sky::{Length, Shape},
    uws::Parameters,
};

/// The result that says how each row fared.
pub const MANIFEST: &str = "manifest.json";
/// Reasons that may have passed: an image comes back, or is whole again; others would come again.
const PASSING: [&str; 3] = ["source_unreadable", "source_changed", "cancelled"];
/// The parameter that is the list.
const LIST: &str = "POSITIONS";

/// The rows, from 1, that a manifest says to have failed for a reason that may have passed.
pub fn failed(manifest: &[u8]) -> Result<BTreeSet<usize>, Unavailable> {
    #[derive(Deserialize)]
    struct Manifest<'a> {
        #[serde(borrow)]
        rows: Vec<Outcome<'a>>,
    }
    #[derive(Deserialize)]
    struct Outcome<'a> {
        row: usize,
        reason: Option<&'a str>,
    }
    let manifest: Manifest<'_> = serde_json::from_slice(manifest)
        .map_err(|error| Unavailable(format!("a manifest cannot be read: {error}")))?;
    let passing = manifest
        .rows
        .iter()
        .filter(|row| row.reason.is_some_and(|reason| PASSING.contains(&reason)));
    Ok(passing.map(|row| row.row).collect())
}

/// The description of a job of these rows of `request`, which is what `parameters` ask for; none if there is no such row.
pub fn again(
    parameters: &Parameters,
    request: &Request,
    rows: &BTreeSet<usize>,
) -> Result<Option<Again>, Unavailable> {
    let mut chosen: Vec<&Row> = rows
        .iter()
        .filter_map(|row| request.list.rows.get(row.checked_sub(1)?))
        .collect();
    if chosen.is_empty() {
        return Ok(None);
    }
    // A row of the list is there once for each BAND and TIME.
    chosen.dedup_by(|one, other| {
        one.shape == other.shape && one.id == other.id && one.size == other.size && one.bands == other.bands
    });
    let mut again = Again::default();
    // SODA's shapes are in no list.
    let is_listed = chosen.iter().any(|row| matches!(row.shape, Shape::Point(_)));
    for parameter in parameters.iter().filter(|parameter| parameter.name != LIST) {
        again
            .parameters
            .push(&parameter.name, parameter.value.clone())
            .map_err(|error| Unavailable(error.to_string()))?;
    }
    if is_listed {
        again.file = Some((LIST, "text/csv", list(&chosen)?));
    }
    Ok(Some(again))
}

/// Rows as CSV that is read as the same rows.
fn list(rows: &[&Row]) -> Result<Bytes, Unavailable> {
    let failed = |error: csv::Error| Unavailable(format!("a list cannot be written: {error}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer
        .write_record(["RA", "DEC", "OBJID", "XSIZE", "YSIZE", "BANDS"])
        .map_err(failed)?;
    for row in rows {
        let Shape::Point(position) = &row.shape else {
            continue;
        };
        let [width, height] = match row.size {
            Some(size) => [side(size.width), side(size.height)],
            None => [String::new(), String::new()],
        };
        let record = [
            position.ra.to_string(),
            position.dec.to_string(),
            row.id.clone().unwrap_or_default(),
            width,
            height,
            row.bands.join(" "),
        ];
        writer.write_record(record).map_err(failed)?;
    }
    let bytes = writer.into_inner();
    let bytes = bytes.map_err(|error| Unavailable(error.to_string()))?;
    Ok(bytes.into())
}

/// As XSIZE and YSIZE have it: arcmin, to the last bit.
fn side(length: Length) -> String {
    match length {
        Length::Pixels(pixels) => format!("{pixels}px"),
        Length::Degrees(degrees) => {
            let near = degrees * 60.0;
            let exact = [near, near.next_up(), near.next_down()]
                .into_iter()
                .find(|arcmin| (arcmin / 60.0).to_bits() == degrees.to_bits());
            exact.unwrap_or(near).to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uws::ParameterValue;

    #[test]
    fn rows_that_may_fare_better_are_listed_as_they_were() {
        let text = "RA,DEC,OBJID,XSIZE,YSIZE,BANDS\n250.42261,36.4602,\"a, \"\"b\"\"\",0.1,3.7,90GHz;150GHz\n\
                    1,2,gone,,,\n16:41:41.4,-36:28:30,,7,,\n";
        let mut parameters = Parameters::default();
        for (name, value) in [("SIZE", "3arcsec"), (LIST, text), ("HDUS", "1")] {
            parameters
                .push(name, ParameterValue::Inline(value.into()))
                .unwrap();
        }
        let request = Request::read(&parameters, Some((text.as_bytes(), "text/csv")), 10).unwrap();
        let manifest = br#"{"rows": [
            {"row": 1, "status": "ok", "reason": null}, {"row": 1, "status": "failed", "reason": "source_changed"},
            {"row": 2, "status": "failed", "reason": "outside_footprint", "message": "\u0041"},
            {"row": 3, "status": "failed", "reason": "cancelled"}]}"#;
        let rows = failed(manifest).unwrap();
        assert_eq!(rows, BTreeSet::from([1, 3]));
        let again = again(&parameters, &request, &rows).unwrap().unwrap();
        let names: Vec<&str> = again.parameters.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["SIZE", "HDUS"]);
        let (_, media_type, list) = again.file.unwrap();
        let new = Request::read(&parameters, Some((&list, media_type)), 10).unwrap();
        assert_eq!(
            new.list.rows,
            [request.list.rows[0].clone(), request.list.rows[2].clone()]
        );
        assert!(
            super::again(&parameters, &request, &BTreeSet::new())
                .unwrap()
                .is_none()
        );
        assert!(failed(b"{}").is_err());
    }

    #[test]
    fn where_all_of_a_list_was_made_there_is_none() {
        let mut parameters = Parameters::default();
        let list = "RA,DEC\n1,2\n";
        for (name, value) in [(LIST, list), ("CIRCLE", "10 20 0.1")] {
            parameters
                .push(name, ParameterValue::Inline(value.into()))
                .unwrap();
        }
        let request = Request::read(&parameters, Some((list.as_bytes(), "text/csv")), 10).unwrap();
        let again = again(&parameters, &request, &BTreeSet::from([2]))
            .unwrap()
            .unwrap();
        assert!(again.file.is_none());
        assert_eq!(
            again
                .parameters
                .iter()
                .map(|p| p.name.as_str())
                .collect::<Vec<_>>(),
            ["CIRCLE"]
        );
    }
}
