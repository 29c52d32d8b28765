//! Lists as JSON: `[{"ra": …, "dec": …}, …]`, or `{"columns": ["ra", "dec"], "rows": [[…, …], …]}`.

use std::fmt;

use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::{Heading, MAX_COLUMNS, MAX_UNUSED, Reading, excerpt};

/// Reads it row by row: nothing but the rows that are good is held.
pub fn read(text: &str, most: usize) -> Result<Reading, Vec<String>> {
    let mut found = Found::default();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let done = Top {
        most,
        found: &mut found,
    }
    .deserialize(&mut deserializer)
    .and_then(|()| deserializer.end());
    if let Some(faults) = found.faults {
        return Err(faults);
    }
    done.map_err(|error| vec![format!("cannot be read as JSON: {error}")])?;
    found.reading.ok_or_else(|| {
        vec![
            "is empty: expected [{\"ra\": …, \"dec\": …}, …] or {\"columns\": […], \"rows\": [[…], …]}"
                .into(),
        ]
    })
}

/// What has been read.
#[derive(Default)]
struct Found {
    reading: Option<Reading>,
    /// What ended the reading without being a fault of the JSON.
    faults: Option<Vec<String>>,
}

impl Found {
    fn take<T, E: Error>(&mut self, read: Result<T, Vec<String>>) -> Result<T, E> {
        read.map_err(|faults| {
            self.faults = Some(faults);
            E::custom("refused")
        })
    }
}

/// The whole document.
struct Top<'a> {
    most: usize,
    found: &'a mut Found,
}

impl<'de> DeserializeSeed<'de> for Top<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Top<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of objects, or an object with columns and rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        let mut reading = Reading::of_objects(self.most);
        while let Some(Object {
            values,
            unknown,
            fault,
        }) = rows.next_element()?
        {
            for name in unknown {
                if reading.list.unused.len() < MAX_UNUSED && !reading.list.unused.contains(&name) {
                    reading.list.unused.push(name);
                }
            }
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            self.found.take(match fault {
                None => reading.add(&values),
                Some(fault) => reading.refuse(&[fault]),
            })?;
        }
        self.found.reading = Some(reading);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "columns" if self.found.reading.is_some() => {
                    return self.found.take(Err(vec!["has columns twice".into()]));
                }
                "columns" => {
                    let names: Values = map.next_value()?;
                    let headings: Vec<Heading> =
                        names.values.iter().map(|name| Heading::named(name)).collect();
                    let reading = match names.fault {
                        None => Reading::new(&headings, self.most),
                        Some(fault) => Err(format!("columns: {fault}")),
                    };
                    self.found.reading = Some(self.found.take(reading.map_err(|fault| vec![fault]))?);
                }
                "rows" => map.next_value_seed(Rows(self.found))?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// Rows of values whose columns are known.
struct Rows<'a>(&'a mut Found);

impl<'de> DeserializeSeed<'de> for Rows<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        let Some(mut reading) = self.0.reading.take() else {
            let fault = String::from(
                "has rows before it has columns: expected {\"columns\": […], \"rows\": [[…], …]}",
            );
            return self.0.take(Err(vec![fault]));
        };
        while let Some(Values { values, fault }) = rows.next_element()? {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            self.0.take(match fault {
                None => reading.add(&values),
                Some(fault) => reading.refuse(&[fault]),
            })?;
        }
        self.0.reading = Some(reading);
        Ok(())
    }
}

/// A row as an object: the values of the columns that there may be, and the names of others.
struct Object {
    values: [String; super::NAMES.len()],
    unknown: Vec<String>,
    fault: Option<String>,
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with ra and dec")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut object = Object {
                    values: Default::default(),
                    unknown: Vec::new(),
                    fault: None,
                };
                let mut seen = [false; super::NAMES.len()];
                while let Some(key) = map.next_key::<String>()? {
                    let at = super::NAMES
                        .iter()
                        .position(|name| name.eq_ignore_ascii_case(&key));
                    let Some(at) = at else {
                        map.next_value::<IgnoredAny>()?;
                        if object.unknown.len() < MAX_UNUSED {
                            object.unknown.push(excerpt(&key));
                        }
                        continue;
                    };
                    let value: Value = map.next_value()?;
                    if std::mem::replace(&mut seen[at], true) {
                        object.fault = Some(format!("has {} twice", super::NAMES[at]));
                    }
                    match value.0 {
                        Ok(text) => object.values[at] = text,
                        Err(fault) => object.fault = Some(format!("{} {fault}", super::NAMES[at])),
                    }
                }
                Ok(object)
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// A row as an array.
#[derive(Default)]
struct Values {
    values: Vec<String>,
    fault: Option<String>,
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements;
        impl<'de> Visitor<'de> for Elements {
            type Value = Values;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of values")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Values, A::Error> {
                let mut row = Values::default();
                while let Some(value) = elements.next_element::<Value>()? {
                    if row.values.len() >= MAX_COLUMNS {
                        return Err(A::Error::custom(format!(
                            "a row has more than {MAX_COLUMNS} values"
                        )));
                    }
                    match value.0 {
                        Ok(text) => row.values.push(text),
                        Err(fault) => {
                            row.fault = Some(format!("value {} {fault}", row.values.len() + 1));
                            row.values.push(String::new());
                        }
                    }
                }
                Ok(row)
            }
        }
        deserializer.deserialize_seq(Elements)
    }
}

/// Whole numbers from here on are not all 64-bit reals.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A value as text: null is empty, a list is its values with `;` between them.
struct Value(Result<String, String>, Nesting);

/// Whether a value was a list.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Nesting {
    Plain,
    List,
}

impl Value {
    fn plain(value: Result<String, String>) -> Value {
        Value(value, Nesting::Plain)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
                Ok(Value::plain(Ok(text.to_owned())))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
                // Beyond these, a whole number has lost digits on its way: an identifier would be another.
                Ok(Value::plain(if number.abs() < EXACT {
                    Ok(number.to_string())
                } else {
                    Err("is a number of too many digits, expected a text".into())
                }))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
                Ok(Value::plain(Ok(number.to_string())))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
                Ok(Value::plain(Ok(number.to_string())))
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
                Ok(Value::plain(Err(format!(
                    "is {value}, expected a number or a text"
                ))))
            }

            fn visit_unit<E: Error>(self) -> Result<Value, E> {
                Ok(Value::plain(Ok(String::new())))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Value::plain(Err(
                    "is an object, expected a number or a text".into()
                )))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
                let mut texts = Vec::new();
                let mut fault = None;
                while let Some(Value(value, nesting)) = elements.next_element::<Value>()? {
                    match value {
                        // Each list around a text would copy it once more.
                        _ if nesting == Nesting::List => fault = Some("has a list within a list".into()),
                        Ok(text) if texts.len() < MAX_COLUMNS => texts.push(text),
                        Ok(_) => fault = Some(format!("has more than {MAX_COLUMNS} values")),
                        Err(other) => fault = Some(format!("has a value that {other}")),
                    }
                }
                let value = fault.map_or_else(|| Ok(texts.join(";")), Err);
                Ok(Value(value, Nesting::List))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::super::List;
    use crate::sky::Size;

    fn read(text: &str) -> Result<List, Vec<String>> {
        let read = List::read(text.as_bytes(), "application/json", 10);
        read.map_err(|faults| faults.into_iter().map(|fault| fault.message).collect())
    }

    #[test]
    fn objects_and_columns_are_read() {
        let objects = r#"[
            {"ra": 250.5, "Dec": "-36.5", "objid": 7, "size": "2,3arcsec", "bands": ["90GHz", "150GHz"], "note": {"a": [1]}},
            {"dec": "-00:30:00", "ra": "16:41:41.424", "xsize": 2, "objid": null}
        ]"#;
        let columns = r#"{"columns": ["ra", "dec", "objid", "size", "bands", "note"], "about": [1, {"x": 2}], "rows": [
            [250.5, -36.5, "7", "2,3arcsec", "90GHz 150GHz", 1],
            ["16:41:41.424", "-00:30:00", null, "2", "", null]
        ]}"#;
        for text in [objects, columns] {
            let list = read(text).unwrap();
            assert_eq!(list.unused, ["note"]);
            assert_eq!(list.rows.len(), 2);
            assert_eq!(list.rows[0].shape.to_string(), "250.5 -36.5");
            assert_eq!(list.rows[0].id.as_deref(), Some("7"));
            assert_eq!(list.rows[0].size, "2,3arcsec".parse().ok());
            assert_eq!(list.rows[0].bands, ["90GHz", "150GHz"]);
            assert_eq!(
                (list.rows[1].id.as_deref(), list.rows[1].size),
                (None, Size::arcmin(2.0, 2.0).ok())
            );
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let many = format!("[{}]", [r#"{"ra": 1, "dec": 2}"#; 11].join(","));
        let wide = format!(
            r#"{{"columns": ["ra", "dec"], "rows": [[{}]]}}"#,
            ["1"; 1_001].join(",")
        );
        for (text, expected) in [
            ("", "JSON"),
            ("7", "an array of objects"),
            ("[1]", "an object with ra and dec"),
            ("[]", "no row"),
            ("{}", "is empty"),
            (r#"{"rows": [[1, 2]]}"#, "before it has columns"),
            (r#"{"columns": ["ra"], "rows": [[1]]}"#, "no column DEC"),
            (
                r#"{"columns": ["ra", "dec"], "rows": [[1]]}"#,
                "row 1: has 1 values, expected 2",
            ),
            (
                r#"{"columns": ["ra", "dec"], "rows": [[1, {}]]}"#,
                "row 1: value 2 is an object",
            ),
            (r#"{"columns": ["ra", "dec"], "rows": []}"#, "no row"),
            (
                r#"{"columns": ["ra", "dec"], "rows": [[1, 2]], "columns": ["ra", "dec"], "rows": [[3, 4]]}"#,
                "has columns twice",
            ),
            (r#"[{"ra": 1}]"#, "row 1: DEC"),
            (
                r#"[{"ra": 1, "dec": 2}, {"ra": 361, "dec": true}]"#,
                "row 2: DEC is true",
            ),
            (
                r#"[{"ra": 1, "dec": 2, "objid": 98765432109876543210}]"#,
                "row 1: OBJID is a number of too many digits",
            ),
            (r#"[{"ra": 1, "dec": 2, "RA": 3}]"#, "row 1: has RA twice"),
            (r#"[{"ra": 1, "dec": 2, "size": 1, "xsize": 3}]"#, "row 1: SIZE"),
            (
                r#"[{"ra": 1, "dec": 2, "bands": ["a", {}]}]"#,
                "row 1: BANDS has a value that is an object",
            ),
            (
                r#"[{"ra": 1, "dec": 2, "bands": ["a", ["b"]]}]"#,
                "row 1: BANDS has a list within a list",
            ),
            (r#"[{"ra": 1, "dec": 2}"#, "JSON"),
            (r#"[{"ra": 1, "dec": 2}] x"#, "JSON"),
            (many.as_str(), "more than 10 rows"),
            (wide.as_str(), "more than 1000 values"),
        ] {
            let faults = read(text).expect_err(text);
            assert!(faults[0].contains(expected), "{faults:?} has no {expected:?}");
        }
        let shown = read(&format!(r#"["{}"]"#, "x".repeat(100_000))).expect_err("a text");
        assert!(shown[0].len() <= 500, "{} bytes", shown[0].len());
        // Deeper than any list is, it is no use to go on.
        assert!(read(&"[".repeat(100_000)).is_err());
        assert!(read(&format!(r#"[{{"ra": {}"#, "[".repeat(100_000))).is_err());
    }
}
