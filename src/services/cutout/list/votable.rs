//! Lists as `VOTables` (`VOTable` 1.4): the first table of the document, as TABLEDATA, BINARY or BINARY2.

use quick_xml::{
    Reader, XmlVersion,
    events::{BytesStart, Event},
};

use super::{
    MAX_COLUMNS, Reading,
    binary::{self, Layout},
    columns::{Heading, Reference},
    excerpt,
};
use crate::sky::System;

/// Coordinate systems that a document may have, and columns in groups.
const MAX_SYSTEMS: usize = 1_000;

/// A column.
#[derive(Debug, Default)]
struct Field {
    heading: Heading,
    id: String,
    /// ID of its coordinate system, or of something else.
    system: String,
    datatype: String,
    arraysize: String,
}

impl Field {
    /// Whether its values are numbers of which NaN stands for none.
    fn is_real(&self) -> bool {
        matches!(self.datatype.as_str(), "float" | "double")
    }
}

/// A coordinate system (COOSYS, `VOTable` 1.4 section 3.1).
#[derive(Debug)]
struct Coosys {
    id: String,
    reference: Reference,
}

/// Rows in one piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    Binary,
    Binary2,
}

/// A document while it is read.
#[derive(Default)]
struct Document {
    systems: Vec<Coosys>,
    fields: Vec<Field>,
    /// What the groups that are open refer to.
    groups: Vec<String>,
    /// IDs of columns in groups, and what these refer to.
    grouped: Vec<(String, String)>,
    /// How rows are written that are no TABLEDATA.
    stream: Option<Stream>,
    /// Their text.
    text: String,
    in_stream: bool,
    reading: Option<Reading>,
    /// The values of the row that is being read.
    row: Option<Vec<String>>,
    /// Values beyond the columns that there are.
    surplus: usize,
    /// Whether a value is being read.
    in_value: bool,
    in_table: bool,
}

/// Reads it. Entities but those of XML itself are refused, and so is a document type: both can make a small document a
/// large one.
pub fn read(text: &str, most: usize) -> Result<Reading, Vec<String>> {
    let mut reader = Reader::from_str(text);
    let mut document = Document::default();
    loop {
        let event = reader.read_event();
        let at = reader.buffer_position();
        let fault = |what: String| vec![format!("cannot be read as a VOTable: {what} (at byte {at})")];
        match event.map_err(|error| fault(error.to_string()))? {
            Event::Start(element) => document.start(&element).map_err(fault)?,
            Event::Empty(element) => {
                document.start(&element).map_err(fault)?;
                if document.end(element.local_name().as_ref(), most)? {
                    break;
                }
            }
            Event::End(element) if document.end(element.local_name().as_ref(), most)? => break,
            Event::Text(text) => document.text(&text),
            Event::CData(text) => document.text(&text),
            Event::GeneralRef(name) => {
                let character = name
                    .resolve_char_ref()
                    .map_err(|error| fault(error.to_string()))?;
                let resolved = character
                    .map(String::from)
                    .or_else(|| quick_xml::escape::resolve_predefined_entity(&name).map(str::to_owned));
                let resolved = resolved.ok_or_else(|| {
                    fault(format!("the entity {:?} is not one of XML's own", excerpt(&name)))
                })?;
                document.text(&resolved);
            }
            Event::DocType(_) => return Err(fault("a document type is not taken".into())),
            Event::Eof if document.fields.is_empty() => {
                return Err(fault("expected a VOTABLE with a TABLE, found none".into()));
            }
            Event::Eof => return Err(fault("it ends within the table".into())),
            _ => {}
        }
    }
    document
        .reading
        .ok_or_else(|| vec!["is empty: the VOTable's first table has no rows".into()])
}

impl Document {
    fn start(&mut self, element: &BytesStart<'_>) -> Result<(), String> {
        match element.local_name().as_ref() {
            "TABLE" => self.in_table = true,
            "FIELD" if self.in_table => {
                if self.fields.len() >= MAX_COLUMNS {
                    return Err(format!("it has more than {MAX_COLUMNS} fields"));
                }
                self.fields.push(field(element)?);
            }
            "COOSYS" if self.systems.len() < MAX_SYSTEMS => self.systems.push(coosys(element)?),
            "GROUP" if self.in_table => self.groups.push(attribute(element, "ref")?),
            "FIELDref" if self.grouped.len() < MAX_SYSTEMS => {
                if let Some(system) = self.groups.last().filter(|system| !system.is_empty()) {
                    self.grouped.push((attribute(element, "ref")?, system.clone()));
                }
            }
            "BINARY" => self.stream = Some(Stream::Binary),
            "BINARY2" => self.stream = Some(Stream::Binary2),
            name @ ("FITS" | "PARQUET") => {
                return Err(format!(
                    "its data are {name}, expected TABLEDATA, BINARY or BINARY2"
                ));
            }
            "STREAM" if self.stream.is_some() => {
                let encoding = attribute(element, "encoding")?;
                if !attribute(element, "href")?.is_empty() || encoding != "base64" {
                    return Err(
                        "its STREAM is elsewhere or no base64: expected the rows in the document".into(),
                    );
                }
                self.in_stream = true;
            }
            "TR" => {
                self.row = Some(Vec::with_capacity(self.fields.len()));
                self.surplus = 0;
            }
            "TD" => {
                if let Some(row) = &mut self.row {
                    if row.len() < self.fields.len() {
                        row.push(String::new());
                        self.in_value = true;
                    } else {
                        self.surplus += 1;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn text(&mut self, text: &str) {
        if self.in_stream {
            self.text.push_str(text);
        } else if self.in_value
            && let Some(value) = self.row.as_mut().and_then(|row| row.last_mut())
        {
            value.push_str(text);
        }
    }

    /// Whether that was the end of the table.
    fn end(&mut self, name: &str, most: usize) -> Result<bool, Vec<String>> {
        match name {
            "TD" => self.in_value = false,
            "TR" => self.add(most)?,
            "GROUP" => drop(self.groups.pop()),
            "STREAM" => self.in_stream = false,
            "BINARY" | "BINARY2" => {
                self.add_stream(most)?;
                return Ok(true);
            }
            "TABLEDATA" => {
                self.reading(most)?;
                return Ok(true);
            }
            "TABLE" => return Ok(self.in_table),
            _ => {}
        }
        Ok(false)
    }

    fn add(&mut self, most: usize) -> Result<(), Vec<String>> {
        let Some(row) = self.row.take() else { return Ok(()) };
        let expected = self.fields.len();
        let given = row.len() + self.surplus;
        let absent =
            |(value, field): (&String, &Field)| field.is_real() && value.trim().eq_ignore_ascii_case("nan");
        let mut values: Vec<&str> = row.iter().map(String::as_str).collect();
        for (value, pair) in values.iter_mut().zip(row.iter().zip(&self.fields)) {
            if absent(pair) {
                *value = "";
            }
        }
        let reading = self.reading(most)?;
        if given == expected {
            reading.add(&values)
        } else {
            reading.refuse(&[format!("has {given} values, expected {expected}")])
        }
    }

    /// Takes rows that came in one piece.
    fn add_stream(&mut self, most: usize) -> Result<(), Vec<String>> {
        let flagged = self.stream == Some(Stream::Binary2);
        let layouts = self.fields.iter().map(|field| {
            Layout::of(&field.datatype, &field.arraysize).ok_or_else(|| {
                let [name, datatype, arraysize] =
                    [&field.heading.name, &field.datatype, &field.arraysize].map(|text| excerpt(text));
                vec![format!(
                    "has a binary column {name:?} of datatype {datatype:?} and arraysize {arraysize:?}, which is not \
                     read: expected TABLEDATA"
                )]
            })
        });
        let layouts = layouts.collect::<Result<Vec<Layout>, _>>()?;
        let real: Vec<bool> = self.fields.iter().map(Field::is_real).collect();
        let text = std::mem::take(&mut self.text);
        let reading = self.reading(most)?;
        let used = reading.columns.used();
        binary::rows(&text, &layouts, &used, flagged, |values| {
            let absent = |(value, is_real): (&&str, &bool)| *is_real && *value == "NaN";
            let values: Vec<&str> = values
                .iter()
                .zip(&real)
                .map(|pair| if absent(pair) { "" } else { *pair.0 })
                .collect();
            reading.add(&values)
        })
    }

    fn reading(&mut self, most: usize) -> Result<&mut Reading, Vec<String>> {
        if self.reading.is_none() {
            let headings: Vec<Heading> = self.fields.iter().map(|field| self.heading(field)).collect();
            self.reading = Some(Reading::new(&headings, most).map_err(|fault| vec![fault])?);
        }
        self.reading.as_mut().ok_or_else(Vec::new)
    }

    /// A column with what it refers to: by itself, or by a group that it is in; else to the one system that there is.
    fn heading(&self, field: &Field) -> Heading {
        let groups = self
            .grouped
            .iter()
            .filter(|(id, _)| !id.is_empty() && *id == field.id);
        let mut named = [&field.system]
            .into_iter()
            .chain(groups.map(|(_, system)| system));
        let own = named.find_map(|id| {
            self.systems
                .iter()
                .find(|system| !id.is_empty() && system.id == *id)
        });
        let any = || {
            let (first, others) = self.systems.split_first()?;
            if others.iter().all(|other| other.reference == first.reference) {
                return Some(first.reference.clone());
            }
            Some(Reference::Unknown("one of several, and no ref says which".into()))
        };
        // What is called so says itself what it refers to.
        let name = field.heading.name.to_ascii_lowercase();
        let says_so = name.contains("2000") || name.contains("icrs");
        Heading {
            reference: match own {
                Some(own) => own.reference.clone(),
                None if says_so => Reference::Icrs,
                None => any().unwrap_or_default(),
            },
            ..field.heading.clone()
        }
    }
}

/// The value of an attribute, empty if there is none.
fn attribute(element: &BytesStart<'_>, name: &str) -> Result<String, String> {
    let attribute = element
        .try_get_attribute(name)
        .map_err(|error| error.to_string())?;
    let Some(attribute) = attribute else {
        return Ok(String::new());
    };
    let value = attribute.normalized_value(XmlVersion::Implicit1_0);
    Ok(value.map_err(|error| error.to_string())?.trim().to_owned())
}

fn coosys(element: &BytesStart<'_>) -> Result<Coosys, String> {
    Ok(Coosys {
        id: attribute(element, "ID")?,
        reference: reference(&attribute(element, "system")?, &attribute(element, "equinox")?),
    })
}

/// A system by the words of `VOTable` 1.1 to 1.5. FK5 of J2000 is ICRS to some 20 mas, as which many catalogues give it.
fn reference(system: &str, equinox: &str) -> Reference {
    let unknown = || Reference::Unknown(format!("{system} {equinox}").trim().to_owned());
    let era = equinox.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let is_of = |letter: &str| {
        let given = &equinox[..equinox.len() - era.len()];
        given.is_empty() || given.eq_ignore_ascii_case(letter)
    };
    let year = |usual: f64| match equinox {
        "" => Some(usual),
        _ => era.parse().ok().filter(|year| (1_500.0..=2_500.0).contains(year)),
    };
    let found = match system.to_ascii_lowercase().as_str() {
        "icrs" => return Reference::Icrs,
        // Absent it is FK5.
        "fk5" | "eq_fk5" | "" if is_of("J") => year(2_000.0).map(|equinox| System::Fk5 { equinox }),
        "fk4" | "eq_fk4" if is_of("B") => year(1_950.0).map(|equinox| System::Fk4 { equinox }),
        "ecliptic" | "ecl_fk5" if is_of("J") => year(2_000.0).map(|equinox| System::Ecliptic { equinox }),
        "galactic" => Some(System::Galactic),
        _ => None,
    };
    match found {
        Some(System::Fk5 { equinox: 2_000.0 }) => Reference::Icrs,
        Some(system) => Reference::Of(system),
        None => unknown(),
    }
}

fn field(element: &BytesStart<'_>) -> Result<Field, String> {
    let own = |name| attribute(element, name);
    let mut field = Field {
        heading: Heading {
            name: own("name")?,
            ucd: own("ucd")?.to_ascii_lowercase(),
            ..Heading::default()
        },
        id: own("ID")?,
        system: own("ref")?,
        datatype: own("datatype")?,
        arraysize: own("arraysize")?,
    };
    field.heading.set_unit(&own("unit")?);
    if field.heading.name.is_empty() {
        field.heading.name.clone_from(&field.id);
    }
    Ok(field)
}

#[cfg(test)]
mod tests {
    use super::super::List;
    use crate::sky::{Shape, Size};

    fn table(fields: &str, rows: &str) -> String {
        format!(
            "<?xml version='1.0'?><!-- a list --><VOTABLE xmlns='http://www.ivoa.net/xml/VOTable/v1.3'>\
             <RESOURCE type='results'><INFO name='QUERY_STATUS' value='OK'/><TABLE name='t'>{fields}\
             <DATA><TABLEDATA>{rows}</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"
        )
    }

    fn read(text: &str) -> Result<List, Vec<String>> {
        let read = List::read(text.as_bytes(), "application/x-votable+xml", 10);
        read.map_err(|faults| faults.into_iter().map(|fault| fault.message).collect())
    }

    #[test]
    fn columns_are_found_by_name_or_by_ucd() {
        let text = table(
            "<FIELD name='recno' datatype='int'/>\
             <FIELD name='RAJ2000' ucd='POS.EQ.RA;META.MAIN' unit='deg' datatype='double'/>\
             <FIELD name='DEJ2000' ucd='pos.eq.dec;meta.main' unit='deg' datatype='double'><DESCRIPTION>x</DESCRIPTION></FIELD>\
             <FIELD name='RAerr' ucd='stat.error;pos.eq.ra' datatype='float'/>\
             <FIELD name='Name' ucd='meta.id;meta.main' datatype='char' arraysize='*'/>\
             <FIELD name='size' unit='arcsec' datatype='float'/>",
            "<TR><TD>1</TD><TD> 250.5 </TD><TD>-36.5</TD><TD/><TD>A &amp; &#66;<![CDATA[ <c>]]></TD><TD>90</TD></TR>\
             <TR><TD>2</TD><TD>0</TD><TD>90</TD><TD>0.1</TD><TD></TD><TD>NaN</TD></TR>",
        );
        let list = read(&text).unwrap();
        assert_eq!(list.unused, ["recno", "RAerr"]);
        assert_eq!(list.rows.len(), 2);
        assert_eq!(list.rows[0].shape.to_string(), "250.5 -36.5");
        assert_eq!(list.rows[0].id.as_deref(), Some("A & B <c>"));
        assert_eq!(list.rows[0].size, Size::arcmin(1.5, 1.5).ok());
        assert_eq!((list.rows[1].id.as_deref(), list.rows[1].size), (None, None));
        assert!(matches!(list.rows[1].shape, Shape::Point(_)));
    }

    fn binary(fields: &str, form: &str, bytes: &[u8]) -> String {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        let stream = STANDARD.encode(bytes);
        table(fields, "").replace(
            "<TABLEDATA></TABLEDATA>",
            &format!("<{form}><STREAM encoding='base64'>\n{stream}\n</STREAM></{form}>"),
        )
    }

    fn reals(datatype: &str, attributes: &str) -> String {
        ["ra", "dec"]
            .map(|name| format!("<FIELD ID='{name}' name='{name}' datatype='{datatype}' {attributes}/>"))
            .concat()
    }

    /// The middle of M13 as FK4 has it, at B1950.
    fn in_system(systems: &str, attributes: &str) -> String {
        let rows = "<TR><TD>249.9757152</TD><TD>36.5544791</TD></TR>";
        table(&reals("double", attributes), rows).replacen("<TABLE ", &format!("{systems}<TABLE "), 1)
    }

    #[test]
    fn positions_are_turned_from_their_system_to_icrs() {
        const FK4: &str = "<COOSYS ID='s' system='eq_FK4' equinox='B1950'/>";
        let group = "<GROUP ref='s'><FIELDref ref='ra'/><FIELDref ref='dec'/></GROUP><DATA>";
        let given = "249.9757152 36.5544791";
        // By astropy 8.0.2 (`SkyCoord`).
        for (text, expected) in [
            (in_system("<COOSYS ID='s' system='ICRS'/>", "ref='s'"), given),
            (
                in_system("<COOSYS ID='s' system='eq_FK5' equinox='J2000'/>", "ref='s'"),
                given,
            ),
            (in_system(FK4, "ref='s'"), "250.4226 36.4602"),
            // One alone is that of all columns.
            (in_system(FK4, ""), "250.4226 36.4602"),
            (
                in_system(&format!("{FK4}<COOSYS ID='t' system='ICRS'/>"), "").replace("<DATA>", group),
                "250.4226 36.4602",
            ),
            (
                in_system(&format!("{FK4}<COOSYS ID='t' system='ICRS'/>"), "ref='t'"),
                given,
            ),
            (
                in_system("<COOSYS ID='s' system='FK5' equinox='J1975'/>", "ref='s'")
                    .replace("249.9757152", "250.1992526")
                    .replace("36.5544791", "36.5070971"),
                "250.4226 36.4602",
            ),
            (
                in_system("<COOSYS ID='s' system='galactic'/>", "ref='s'")
                    .replace("249.9757152", "59.0078999")
                    .replace("36.5544791", "40.9123379"),
                "250.4226 36.4602",
            ),
            (
                in_system("<COOSYS ID='s' system='ecl_FK5'/>", "ref='s'")
                    .replace("249.9757152", "239.5737242")
                    .replace("36.5544791", "57.8493935"),
                "250.4226 36.4602",
            ),
            // What is called so needs no ref.
            (
                in_system(&format!("{FK4}<COOSYS ID='t' system='ICRS'/>"), "")
                    .replace("name='ra'", "name='_RAJ2000'")
                    .replace("name='dec'", "name='_DEJ2000'"),
                given,
            ),
        ] {
            let list = read(&text).unwrap_or_else(|faults| panic!("{text}: {faults:?}"));
            let Shape::Point(at) = list.rows[0].shape else {
                panic!("no point")
            };
            let expected: Vec<f64> = expected.split(' ').map(|word| word.parse().unwrap()).collect();
            let expected = crate::sky::Position {
                ra: expected[0],
                dec: expected[1],
            };
            assert!(at.separation(expected) * 3600.0 < 0.05, "{text}: {at:?}");
        }
    }

    #[test]
    fn binary_rows_are_read() {
        let fields = "<FIELD name='flag' datatype='bit' arraysize='9'/><FIELD name='note' datatype='unicodeChar' arraysize='*'/>\
             <FIELD name='ra' datatype='double'/><FIELD name='dec' datatype='float'/>\
             <FIELD name='objid' datatype='char' arraysize='4'/><FIELD name='bands' datatype='unicodeChar' arraysize='10*'/>\
             <FIELD name='size' unit='arcsec' datatype='short'/><FIELD name='z' datatype='doubleComplex' arraysize='2x2'/>";
        let row = |ra: f64, bands: &str| {
            let mut row = vec![1, 128, 0, 0, 0, 1, 0, 65];
            row.extend(ra.to_be_bytes());
            row.extend((-0.1_f32).to_be_bytes());
            row.extend(b"M13\0");
            row.extend(u32::try_from(bands.len()).unwrap().to_be_bytes());
            row.extend(bands.encode_utf16().flat_map(u16::to_be_bytes));
            row.extend(90_i16.to_be_bytes());
            row.extend([0; 64]);
            row
        };
        let rows = [row(250.5, "g r"), row(0.25, "")];
        let binary2 = [&[0][..], &rows[0], &[0b0000_1010], &rows[1]].concat();
        for (form, bytes) in [("BINARY", rows.concat()), ("BINARY2", binary2)] {
            let list =
                read(&binary(fields, form, &bytes)).unwrap_or_else(|faults| panic!("{form}: {faults:?}"));
            assert_eq!(list.unused, ["flag", "note", "z"]);
            assert_eq!(list.rows[0].shape.to_string(), "250.5 -0.1");
            assert_eq!(
                (list.rows[0].id.as_deref(), list.rows[0].bands.len()),
                (Some("M13"), 2)
            );
            assert_eq!(list.rows[0].size, "90arcsec".parse().ok());
            let null = form == "BINARY2";
            assert_eq!(
                (list.rows[1].id.is_none(), list.rows[1].size.is_none()),
                (null, null),
                "{form}"
            );
        }
    }

    #[test]
    fn a_size_that_is_no_angle_is_unused() {
        let fields = "<FIELD name='ra'/><FIELD name='dec'/><FIELD name='xsize' unit='arcmin'/><FIELD name='size' unit='byte'/>";
        let list = read(&table(
            fields,
            "<TR><TD>1</TD><TD>2</TD><TD>3</TD><TD>14400</TD></TR>",
        ))
        .unwrap();
        assert_eq!(
            (list.rows[0].size, list.unused),
            ("3".parse().ok(), vec!["size".to_owned()])
        );
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let fields = "<FIELD name='ra'/><FIELD name='dec'/>";
        for (text, expected) in [
            (String::from("<VOTABLE/>"), "found none"),
            (String::from("<VOTABLE><RESOURCE>"), "found none"),
            (String::from("hello"), "found none"),
            (table(fields, ""), "no row"),
            (
                table("<FIELD name='ra'/>", "<TR><TD>1</TD></TR>"),
                "no column DEC",
            ),
            (
                table(fields, "<TR><TD>1</TD></TR>"),
                "row 1: has 1 values, expected 2",
            ),
            (
                table(fields, "<TR><TD>1</TD><TD>2</TD><TD>3</TD></TR>"),
                "row 1: has 3 values",
            ),
            (
                table(fields, "<TR><TD>1</TD><TD>99</TD></TR>"),
                "row 1: DEC \"99\"",
            ),
            (table(fields, "<TR><TD>1</TD><TD>&x;</TD></TR>"), "entity \"x\""),
            (table(fields, "<TR><TD>1</TD>"), "VOTable"),
            (
                table(fields, &"<TR><TD>1</TD><TD>2</TD></TR>".repeat(11)),
                "more than 10 rows",
            ),
            (
                table("<FIELD name='ra' unit='rad'/><FIELD name='dec'/>", ""),
                "expected deg",
            ),
            (
                table(fields, "").replace("<TABLEDATA></TABLEDATA>", "<BINARY2><STREAM/></BINARY2>"),
                "no base64",
            ),
            (
                table(fields, "").replace("<TABLEDATA></TABLEDATA>", "<FITS><STREAM/></FITS>"),
                "FITS, expected TABLEDATA",
            ),
            (binary(fields, "BINARY2", &[0]), "datatype \"\" and arraysize"),
            (
                binary(&reals("double", ""), "BINARY2", &[0, 1]),
                "ends within row 1",
            ),
            (
                binary(
                    "<FIELD name='ra' datatype='int' arraysize='*'/><FIELD name='dec' datatype='int'/>",
                    "BINARY",
                    &[255; 4],
                ),
                "ends within row 1",
            ),
            (
                binary(
                    "<FIELD name='ra' datatype='int' arraysize='0'/><FIELD name='dec' datatype='int' arraysize='0'/>",
                    "BINARY2",
                    &[0; 5],
                ),
                "row 1: RA",
            ),
            (
                binary(
                    "<FIELD name='ra' datatype='double' arraysize='2x*'/><FIELD name='dec'/>",
                    "BINARY2",
                    &[0],
                ),
                "arraysize \"2x*\"",
            ),
            (
                in_system("<COOSYS ID='s' system='supergalactic'/>", "ref='s'"),
                "(supergalactic)",
            ),
            (
                in_system("<COOSYS ID='s' system='eq_FK4' equinox='J1950'/>", "ref='s'"),
                "(eq_FK4 J1950)",
            ),
            (
                in_system("<COOSYS ID='s' equinox='B1950'/>", "ref='s'"),
                "(B1950)",
            ),
            (
                in_system(
                    "<COOSYS ID='s' system='eq_FK4'/><COOSYS ID='t' system='ICRS'/>",
                    "",
                ),
                "no ref says which",
            ),
            (
                format!("<!DOCTYPE x [<!ENTITY a 'b'>]>{}", table(fields, "")),
                "document type",
            ),
            (
                table(&"<FIELD name='x'/>".repeat(1_001), ""),
                "more than 1000 fields",
            ),
        ] {
            let faults = read(&text).expect_err(&text);
            assert!(faults[0].contains(expected), "{faults:?} has no {expected:?}");
        }
    }
}
