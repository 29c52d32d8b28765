//! Lists as JSON: `[{"ra": …, "dec": …}, …]`, `{"rows": [{"ra": …, "dec": …}, …]}` (manifests are such), or
//! `{"columns": ["ra", "dec"], "rows": [[…, …], …]}`.

use std::fmt;

use serde::{
    Deserialize,
    de::{
        DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
        value::MapAccessDeserializer,
    },
};

use super::{
    MAX_COLUMNS, MAX_UNUSED, Reading,
    columns::{Heading, NAMES, OBJID, SIZE, is_of_files, meaning},
    excerpt,
};

/// Reads it row by row: nothing but the rows that are good is held.
pub fn read(text: &str, most: usize) -> Result<Reading, Vec<String>> {
    let mut found = Found {
        most,
        reading: None,
        faults: None,
    };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let done = Top(&mut found)
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
struct Found {
    most: usize,
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
struct Top<'a>(&'a mut Found);

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
        let mut reading = Reading::of_objects(self.0.most);
        while let Some(object) = rows.next_element::<Object>()? {
            self.0.take(object.add_to(&mut reading))?;
        }
        self.0.reading = Some(reading);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "columns" if self.0.reading.is_some() => {
                    return self.0.take(Err(vec!["has columns twice".into()]));
                }
                "columns" => {
                    let names: Values = map.next_value()?;
                    let headings: Vec<Heading> =
                        names.values.iter().map(|name| Heading::named(name)).collect();
                    let reading = match names.fault {
                        None => Reading::new(&headings, self.0.most),
                        Some(fault) => Err(format!("columns: {fault}")),
                    };
                    self.0.reading = Some(self.0.take(reading.map_err(|fault| vec![fault]))?);
                }
                "rows" => map.next_value_seed(Rows(self.0))?,
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
            return self.visit_objects(rows);
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

impl Rows<'_> {
    fn visit_objects<'de, A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        let mut reading = None;
        while let Some(row) = rows.next_element()? {
            let Either::Object(object) = row else {
                let fault = "has rows before it has columns: expected {\"columns\": […], \"rows\": [[…], …]}";
                return self.0.take(Err(vec![fault.into()]));
            };
            let reading = reading.get_or_insert_with(|| Reading::of_objects(self.0.most));
            self.0.take(object.add_to(reading))?;
        }
        self.0.reading = reading;
        Ok(())
    }
}

/// A row as an object or as an array.
enum Either {
    Object(Box<Object>),
    Values,
}

impl<'de> Deserialize<'de> for Either {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Both;
        impl<'de> Visitor<'de> for Both {
            type Value = Either;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a row as an object or an array")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Either, A::Error> {
                let object = Object::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Either::Object(Box::new(object)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Either, A::Error> {
                while elements.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Either::Values)
            }
        }
        deserializer.deserialize_any(Both)
    }
}

/// A row as an object: the values of the columns that there may be, and the names of others.
struct Object {
    values: [String; NAMES.len()],
    unknown: Vec<String>,
    fault: Option<String>,
}

impl Object {
    fn add_to(self, reading: &mut Reading) -> Result<(), Vec<String>> {
        for name in self.unknown {
            if reading.list.unused.len() < MAX_UNUSED && !reading.list.unused.contains(&name) {
                reading.list.unused.push(name);
            }
        }
        match self.fault {
            None => reading.add(&self.values.each_ref().map(String::as_str)),
            Some(fault) => reading.refuse(&[fault]),
        }
    }
}

/// What an object has for a column.
struct Entry {
    key: String,
    /// How many names of it are preferred.
    rank: usize,
    value: Result<String, String>,
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
                let mut entries: [Option<Entry>; NAMES.len()] = Default::default();
                let mut unknown = Vec::new();
                let mut ignore = |key: &str| {
                    if unknown.len() < MAX_UNUSED {
                        unknown.push(excerpt(key));
                    }
                };
                let (mut twice, mut of_files) = (None, false);
                while let Some(key) = map.next_key::<String>()? {
                    of_files |= is_of_files(&key);
                    let Some((at, rank)) = meaning(&key) else {
                        map.next_value::<IgnoredAny>()?;
                        ignore(&key);
                        continue;
                    };
                    let Value(value, _) = map.next_value()?;
                    // Only what was certainly meant as a name has to be one.
                    if at == OBJID && rank > 0 && value.is_err() {
                        ignore(&key);
                        continue;
                    }
                    let entry = Entry { key, rank, value };
                    match &mut entries[at] {
                        Some(other) if other.rank == rank => twice = Some(format!("has {} twice", NAMES[at])),
                        Some(other) if other.rank < rank => ignore(&entry.key),
                        place => {
                            if let Some(other) = place.replace(entry) {
                                ignore(&other.key);
                            }
                        }
                    }
                }
                if let Some(entry) = entries[SIZE].take_if(|_| of_files) {
                    ignore(&entry.key);
                }
                let mut object = Object {
                    values: Default::default(),
                    unknown,
                    fault: twice,
                };
                for (at, entry) in entries.into_iter().enumerate() {
                    match entry.map(|entry| entry.value) {
                        None => {}
                        Some(Ok(text)) => object.values[at] = text,
                        Some(Err(fault)) => object.fault = Some(format!("{} {fault}", NAMES[at])),
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
    fn usual_names_mean_the_same_and_the_best_of_them_counts() {
        let text = r#"{"job": "x", "counts": {"ok": 1}, "rows": [
            {"RAJ2000": "16:42:00", "_RAJ2000": 250.5, "_DEJ2000": -36.5, "DEJ2000": "-36:30:00", "name": "a", "id": 7},
            {"ra": 250.5, "dec": -36.5, "id": "7", "name": [{}], "xsize": 2, "ysize": 3, "size": 14400, "sha256": "ab"}
        ], "provenance": {}}"#;
        let list = read(text).unwrap();
        assert_eq!(list.unused, ["RAJ2000", "DEJ2000", "name", "sha256", "size"]);
        for row in &list.rows {
            assert_eq!(
                (row.shape.to_string().as_str(), row.id.as_deref()),
                ("250.5 -36.5", Some("7"))
            );
        }
        assert_eq!((list.rows[0].size, list.rows[1].size), (None, "2,3".parse().ok()));
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
            (r#"{"rows": [{"ra": 1}]}"#, "row 1: DEC"),
            (r#"{"rows": [{"ra": 1, "dec": 2}, 3]}"#, "an object or an array"),
            (r#"{"rows": []}"#, "is empty"),
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
