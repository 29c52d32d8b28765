//! Lists as `VOTables` (`VOTable` 1.4): the first table of the document, as TABLEDATA.

use quick_xml::{
    Reader, XmlVersion,
    events::{BytesStart, Event},
};

use super::{Heading, MAX_COLUMNS, Reading, excerpt};

/// A column, and whether its values are numbers, of which NaN stands for none.
#[derive(Debug, Default)]
struct Field {
    heading: Heading,
    is_number: bool,
}

/// A document while it is read.
#[derive(Default)]
struct Document {
    fields: Vec<Field>,
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
        .ok_or_else(|| vec!["is empty: the VOTable's first table has no TABLEDATA".into()])
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
            name @ ("BINARY" | "BINARY2" | "FITS" | "PARQUET") => {
                return Err(format!("its data are {name}, expected TABLEDATA"));
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
        if self.in_value
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
            |(value, field): (&String, &Field)| field.is_number && value.trim().eq_ignore_ascii_case("nan");
        let values: Vec<&str> = row
            .iter()
            .zip(&self.fields)
            .map(|pair| if absent(pair) { "" } else { pair.0.as_str() })
            .collect();
        let reading = Self::reading_of(&mut self.reading, &self.fields, most)?;
        if given == expected {
            reading.add(&values)
        } else {
            reading.refuse(&[format!("has {given} values, expected {expected}")])
        }
    }

    fn reading(&mut self, most: usize) -> Result<&mut Reading, Vec<String>> {
        Self::reading_of(&mut self.reading, &self.fields, most)
    }

    fn reading_of<'a>(
        reading: &'a mut Option<Reading>,
        fields: &[Field],
        most: usize,
    ) -> Result<&'a mut Reading, Vec<String>> {
        if reading.is_none() {
            let headings: Vec<Heading> = fields.iter().map(|field| field.heading.clone()).collect();
            *reading = Some(Reading::new(&headings, most).map_err(|fault| vec![fault])?);
        }
        reading.as_mut().ok_or_else(Vec::new)
    }
}

fn field(element: &BytesStart<'_>) -> Result<Field, String> {
    let mut field = Field::default();
    let mut id = String::new();
    for attribute in element.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|error| error.to_string())?;
        match attribute.key.as_ref() {
            "name" => value.trim().clone_into(&mut field.heading.name),
            "ID" => value.trim().clone_into(&mut id),
            "ucd" => field.heading.ucd = value.trim().to_ascii_lowercase(),
            "unit" => field.heading.unit = value.trim().to_ascii_lowercase(),
            "datatype" => field.is_number = matches!(&*value, "float" | "double"),
            _ => {}
        }
    }
    if field.heading.name.is_empty() {
        field.heading.name = id;
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
                "BINARY2, expected TABLEDATA",
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
