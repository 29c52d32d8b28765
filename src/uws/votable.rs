//! VOTable 1.4: tables in TABLEDATA, written row by row, and what DALI and DataLink put around them.
//!
//! Characters that XML 1.0 cannot hold are written as U+FFFD; nothing that is given here can leave its place.

use std::{borrow::Cow, io};

use quick_xml::{
    Writer,
    events::{BytesStart, Event},
};

use super::{
    label::Label,
    xml::{declare, element, end, in_memory, legal, write_text},
};

/// Media type of a VOTable (DALI 1.1 section 3.3.3).
pub const MEDIA_TYPE: &str = "application/x-votable+xml";

/// Type of a value (section 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Datatype {
    /// True or false.
    Boolean,
    /// 32 bits, signed.
    Int,
    /// 64 bits, signed.
    Long,
    /// IEEE 754, 64 bits.
    Double,
    /// Text, with an arraysize.
    Char,
}

impl Datatype {
    const fn as_str(self) -> &'static str {
        match self {
            Datatype::Boolean => "boolean",
            Datatype::Int => "int",
            Datatype::Long => "long",
            Datatype::Double => "double",
            Datatype::Char => "char",
        }
    }
}

/// What a column, or a parameter, is (section 4.1). Built from [`Field::text`], [`Field::double`] and their like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Name.
    pub name: &'static str,
    /// Type of its values.
    pub datatype: Datatype,
    /// How many of them are one value: none is one, `*` any number.
    pub arraysize: Option<&'static str>,
    /// XML identifier, for references.
    pub id: Option<&'static str>,
    /// Unit.
    pub unit: Option<&'static str>,
    /// Unified content descriptor.
    pub ucd: Option<&'static str>,
    /// Place in a data model.
    pub utype: Option<&'static str>,
    /// Extended type (DALI 1.1 section 3.3).
    pub xtype: Option<&'static str>,
    /// Meaning, for people.
    pub description: Option<&'static str>,
}

impl Field {
    /// One value of a type.
    pub const fn new(name: &'static str, datatype: Datatype) -> Self {
        Field {
            name,
            datatype,
            arraysize: None,
            id: None,
            unit: None,
            ucd: None,
            utype: None,
            xtype: None,
            description: None,
        }
    }

    /// Text of any length.
    pub const fn text(name: &'static str) -> Self {
        Field::new(name, Datatype::Char).array("*")
    }

    /// A number.
    pub const fn double(name: &'static str) -> Self {
        Field::new(name, Datatype::Double)
    }

    /// A whole number.
    pub const fn long(name: &'static str) -> Self {
        Field::new(name, Datatype::Long)
    }

    /// With so many elements.
    #[must_use]
    pub const fn array(mut self, arraysize: &'static str) -> Self {
        self.arraysize = Some(arraysize);
        self
    }

    /// With an XML identifier, unique in its document.
    #[must_use]
    pub const fn id(mut self, id: &'static str) -> Self {
        self.id = Some(id);
        self
    }

    /// In a unit.
    #[must_use]
    pub const fn unit(mut self, unit: &'static str) -> Self {
        self.unit = Some(unit);
        self
    }

    /// With a content descriptor.
    #[must_use]
    pub const fn ucd(mut self, ucd: &'static str) -> Self {
        self.ucd = Some(ucd);
        self
    }

    /// With a place in a data model.
    #[must_use]
    pub const fn utype(mut self, utype: &'static str) -> Self {
        self.utype = Some(utype);
        self
    }

    /// Of an extended type.
    #[must_use]
    pub const fn xtype(mut self, xtype: &'static str) -> Self {
        self.xtype = Some(xtype);
        self
    }

    /// With a meaning.
    #[must_use]
    pub const fn meaning(mut self, description: &'static str) -> Self {
        self.description = Some(description);
        self
    }

    fn start(&self, element: &'static str) -> BytesStart<'static> {
        let mut start = BytesStart::new(element);
        let attributes = [
            ("ID", self.id),
            ("name", Some(self.name)),
            ("datatype", Some(self.datatype.as_str())),
            ("arraysize", self.arraysize),
            ("unit", self.unit),
            ("ucd", self.ucd),
            ("utype", self.utype),
            ("xtype", self.xtype),
        ];
        start.extend_attributes(
            attributes
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        start
    }
}

/// A value of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell<'a> {
    /// None.
    Null,
    /// Text.
    Text(Cow<'a, str>),
    /// A whole number.
    Integer(i64),
    /// A number; one that is not finite is written as VOTable has it.
    Real(f64),
    /// Several numbers.
    Reals(Vec<f64>),
    /// True or false.
    Logical(bool),
}

impl Cell<'_> {
    /// As it stands in a table: without escapes, empty if it is none.
    pub fn written(&self) -> Cow<'_, str> {
        match self {
            Cell::Null => Cow::Borrowed(""),
            Cell::Text(text) => Cow::Borrowed(text),
            Cell::Integer(number) => Cow::Owned(number.to_string()),
            Cell::Real(number) => Cow::Owned(real(*number)),
            Cell::Reals(numbers) => {
                let numbers: Vec<String> = numbers.iter().copied().map(real).collect();
                Cow::Owned(numbers.join(" "))
            }
            Cell::Logical(value) => Cow::Borrowed(if *value { "T" } else { "F" }),
        }
    }
}

/// A number as VOTable writes it: the shortest digits that read back as the same.
pub fn real(number: f64) -> String {
    if number.is_nan() {
        "NaN".into()
    } else if number.is_infinite() {
        String::from(if number > 0.0 { "+Inf" } else { "-Inf" })
    } else if number != 0.0 && !(1e-5..1e17).contains(&number.abs()) {
        format!("{number:e}")
    } else {
        number.to_string()
    }
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(text: &'a str) -> Self {
        Cell::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Cell<'_> {
    fn from(text: String) -> Self {
        Cell::Text(Cow::Owned(text))
    }
}

impl From<f64> for Cell<'_> {
    fn from(number: f64) -> Self {
        Cell::Real(number)
    }
}

impl From<i64> for Cell<'_> {
    fn from(number: i64) -> Self {
        Cell::Integer(number)
    }
}

impl From<u64> for Cell<'_> {
    fn from(number: u64) -> Self {
        Cell::Integer(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<bool> for Cell<'_> {
    fn from(value: bool) -> Self {
        Cell::Logical(value)
    }
}

impl<'a, T: Into<Cell<'a>>> From<Option<T>> for Cell<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Cell::Null, Into::into)
    }
}

/// A parameter: a field with one value (section 4.1), and which values it may have.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter<'a> {
    /// What it is.
    pub field: Field,
    /// Its value; empty where the client is to give one.
    pub value: Cow<'a, str>,
    /// Identifier of the field whose values it takes.
    pub reference: Option<&'static str>,
    /// Which values it may have.
    pub values: Values,
}

impl<'a> Parameter<'a> {
    /// A value.
    pub fn of(field: Field, value: impl Into<Cow<'a, str>>) -> Self {
        Parameter {
            field,
            value: value.into(),
            reference: None,
            values: Values::default(),
        }
    }

    /// To be given by the client.
    pub fn asked(field: Field, values: Values) -> Self {
        Parameter {
            values,
            ..Parameter::of(field, "")
        }
    }

    /// The value of a column, row by row.
    pub fn from_column(field: Field, reference: &'static str) -> Self {
        Parameter {
            reference: Some(reference),
            ..Parameter::of(field, "")
        }
    }
}

/// Which values there may be (section 4.5).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values {
    /// The least.
    pub min: Option<String>,
    /// The largest; for a shape the largest shape that makes sense.
    pub max: Option<String>,
    /// All of them.
    pub options: Vec<String>,
}

/// What a resource is for (section 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The answer.
    Results,
    /// What describes the answer or what can be done with it; with a utype.
    Meta(&'static str),
}

/// A VOTable that is written piece by piece.
///
/// Each call adds to the element that was opened last, in the order of the schema: in a resource its description, its
/// INFOs, its parameters and groups, then tables. [`VoTable::take`] gives what there is so far.
pub struct VoTable {
    xml: Writer<Vec<u8>>,
    open: Vec<&'static str>,
}

impl Default for VoTable {
    fn default() -> Self {
        VoTable::new()
    }
}

impl VoTable {
    /// An empty one.
    pub fn new() -> Self {
        let mut table = VoTable {
            xml: Writer::new(Vec::with_capacity(4_096)),
            open: Vec::new(),
        };
        in_memory(declare(&mut table.xml));
        table.start(root());
        table
    }

    fn start(&mut self, start: BytesStart<'static>) {
        let name = match start.name().as_ref() {
            "RESOURCE" => "RESOURCE",
            "GROUP" => "GROUP",
            "TABLE" => "TABLE",
            _ => "VOTABLE",
        };
        in_memory(self.xml.write_event(Event::Start(start)));
        self.open.push(name);
    }

    /// Opens a resource. `name` is what descriptors are told apart by.
    pub fn resource(&mut self, purpose: Purpose, name: Option<&str>) -> &mut Self {
        let mut start = BytesStart::new("RESOURCE");
        match purpose {
            Purpose::Results => start.push_attribute(("type", "results")),
            Purpose::Meta(utype) => {
                start.push_attribute(("type", "meta"));
                start.push_attribute(("utype", utype));
            }
        }
        if let Some(name) = name {
            start.push_attribute(("ID", &*legal(name)));
            start.push_attribute(("name", &*legal(name)));
        }
        self.start(start.into_owned());
        self
    }

    /// Says what it is, for people.
    pub fn description(&mut self, text: &str) -> &mut Self {
        in_memory(element(&mut self.xml, "DESCRIPTION", text));
        self
    }

    /// An INFO: name, value, and maybe a text.
    pub fn info(&mut self, name: &str, value: &str, text: &str) -> &mut Self {
        in_memory(write_info(&mut self.xml, name, value, text));
        self
    }

    /// `QUERY_STATUS` (DALI 1.1 section 4.4).
    pub fn status(&mut self, status: Status<'_>) -> &mut Self {
        let (value, text) = match status {
            Status::Ok => ("OK", ""),
            Status::Overflow => ("OVERFLOW", ""),
            Status::Error(text) => ("ERROR", text),
        };
        self.info("QUERY_STATUS", value, text)
    }

    /// A celestial frame that fields may refer to (section 3.1).
    pub fn icrs(&mut self, id: &'static str) -> &mut Self {
        let start = BytesStart::new("COOSYS").with_attributes([("ID", id), ("system", "ICRS")]);
        in_memory(self.xml.write_event(Event::Empty(start)));
        self
    }

    /// Opens a group.
    pub fn group(&mut self, name: &'static str) -> &mut Self {
        self.start(BytesStart::new("GROUP").with_attributes([("name", name)]));
        self
    }

    /// A parameter.
    pub fn parameter(&mut self, parameter: &Parameter<'_>) -> &mut Self {
        in_memory(write_parameter(&mut self.xml, parameter));
        self
    }

    /// A link for people or programs; before the table it belongs to.
    pub fn link(&mut self, role: &'static str, url: &str) -> &mut Self {
        let start = BytesStart::new("LINK").with_attributes([("content-role", role), ("href", &*legal(url))]);
        in_memory(self.xml.write_event(Event::Empty(start)));
        self
    }

    /// Opens a table with these columns; its rows come next.
    pub fn table(&mut self, name: &str, fields: &[Field]) -> &mut Self {
        let start = BytesStart::new("TABLE").with_attributes([("name", &*legal(name))]);
        self.start(start.into_owned());
        for field in fields {
            in_memory(write_described(
                &mut self.xml,
                "FIELD",
                field,
                field.start("FIELD"),
                None,
            ));
        }
        for part in ["DATA", "TABLEDATA"] {
            in_memory(self.xml.write_event(Event::Start(BytesStart::new(part))));
        }
        self
    }

    /// A row: a cell for each column.
    pub fn row(&mut self, cells: &[Cell<'_>]) -> &mut Self {
        in_memory(write_row(&mut self.xml, cells));
        self
    }

    /// Closes what was opened last.
    pub fn close(&mut self) -> &mut Self {
        if let Some(name) = self.open.pop() {
            if name == "TABLE" {
                in_memory(end(&mut self.xml, "TABLEDATA"));
                in_memory(end(&mut self.xml, "DATA"));
            }
            in_memory(end(&mut self.xml, name));
        }
        self
    }

    /// What has been written since the last call.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.xml.get_mut())
    }

    /// Closes all that is open; what has not been taken yet.
    pub fn finish(mut self) -> Vec<u8> {
        while !self.open.is_empty() {
            self.close();
        }
        self.xml.into_inner()
    }
}

/// How a query ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status<'a> {
    /// Well.
    Ok,
    /// There is more than was given.
    Overflow,
    /// Not: a label and a message.
    Error(&'a str),
}

/// The error document; its text begins with the label.
pub fn error(label: Label, message: &str) -> Vec<u8> {
    let mut table = VoTable::new();
    table
        .resource(Purpose::Results, None)
        .status(Status::Error(&super::label::text(label, message)));
    table.finish()
}

fn root() -> BytesStart<'static> {
    // The namespace stays v1.3 for 1.4.
    BytesStart::new("VOTABLE").with_attributes([
        ("xmlns", "http://www.ivoa.net/xml/VOTable/v1.3"),
        ("version", "1.4"),
    ])
}

fn write_info(xml: &mut Writer<Vec<u8>>, name: &str, value: &str, text: &str) -> io::Result<()> {
    let start = BytesStart::new("INFO").with_attributes([("name", &*legal(name)), ("value", &*legal(value))]);
    if text.is_empty() {
        return xml.write_event(Event::Empty(start));
    }
    xml.write_event(Event::Start(start))?;
    write_text(xml, text)?;
    end(xml, "INFO")
}

fn write_parameter(xml: &mut Writer<Vec<u8>>, parameter: &Parameter<'_>) -> io::Result<()> {
    let mut start = parameter.field.start("PARAM");
    if let Some(reference) = parameter.reference {
        start.push_attribute(("ref", reference));
    }
    start.push_attribute(("value", &*legal(&parameter.value)));
    write_described(xml, "PARAM", &parameter.field, start, Some(&parameter.values))
}

/// A FIELD or PARAM with what is inside it.
fn write_described(
    xml: &mut Writer<Vec<u8>>,
    name: &str,
    field: &Field,
    start: BytesStart<'_>,
    values: Option<&Values>,
) -> io::Result<()> {
    let values = values.filter(|values| **values != Values::default());
    if field.description.is_none() && values.is_none() {
        return xml.write_event(Event::Empty(start));
    }
    xml.write_event(Event::Start(start))?;
    if let Some(description) = field.description {
        element(xml, "DESCRIPTION", description)?;
    }
    if let Some(values) = values {
        xml.write_event(Event::Start(BytesStart::new("VALUES")))?;
        for (name, bound) in [("MIN", &values.min), ("MAX", &values.max)] {
            if let Some(bound) = bound {
                let start = BytesStart::new(name).with_attributes([("value", &*legal(bound))]);
                xml.write_event(Event::Empty(start))?;
            }
        }
        for option in &values.options {
            let start = BytesStart::new("OPTION").with_attributes([("value", &*legal(option))]);
            xml.write_event(Event::Empty(start))?;
        }
        end(xml, "VALUES")?;
    }
    end(xml, name)
}

fn write_row(xml: &mut Writer<Vec<u8>>, cells: &[Cell<'_>]) -> io::Result<()> {
    xml.write_event(Event::Start(BytesStart::new("TR")))?;
    for cell in cells {
        match cell {
            Cell::Null => xml.write_event(Event::Empty(BytesStart::new("TD")))?,
            cell => element(xml, "TD", &cell.written())?,
        }
    }
    end(xml, "TR")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn the_message_is_escaped() {
        let document = text(error(Label::UsageError, "SIZE: <x> & \u{1}"));
        assert!(document.contains(
            r#"<INFO name="QUERY_STATUS" value="ERROR">UsageError: SIZE: &lt;x&gt; &amp; �</INFO>"#
        ));
        assert!(document.ends_with("</RESOURCE></VOTABLE>"), "{document}");
    }

    #[test]
    fn a_table_is_written_in_pieces() {
        const FIELDS: [Field; 3] = [
            Field::text("id").id("ID").ucd("meta.id"),
            Field::double("s_ra").unit("deg").meaning("Right <ascension>"),
            Field::new("flag", Datatype::Boolean),
        ];
        let mut table = VoTable::new();
        table
            .resource(Purpose::Results, None)
            .status(Status::Ok)
            .table("a \"b\" <c>", &FIELDS);
        let mut whole = table.take();
        assert!(!whole.is_empty());
        table.row(&["<&>\"".into(), 10.5.into(), true.into()]);
        table.row(&[Cell::Null, None::<f64>.into(), Cell::Logical(false)]);
        whole.extend(table.take());
        table.close().status(Status::Overflow);
        whole.extend(table.finish());
        let whole = text(whole);
        assert!(
            whole.contains(r#"<TABLE name="a &quot;b&quot; &lt;c&gt;">"#),
            "{whole}"
        );
        assert!(
            whole.contains(concat!(
                r#"<FIELD name="s_ra" datatype="double" unit="deg"><DESCRIPTION>Right &lt;ascension&gt;</DESCRIPTION></FIELD>"#,
                r#"<FIELD name="flag" datatype="boolean"/><DATA><TABLEDATA>"#,
            )),
            "{whole}"
        );
        assert!(
            whole.ends_with(concat!(
                r#"<TR><TD>&lt;&amp;&gt;"</TD><TD>10.5</TD><TD>T</TD></TR><TR><TD/><TD/><TD>F</TD></TR>"#,
                r#"</TABLEDATA></DATA></TABLE><INFO name="QUERY_STATUS" value="OVERFLOW"/></RESOURCE></VOTABLE>"#,
            )),
            "{whole}"
        );
    }

    #[test]
    fn parameters_say_which_values_they_take() {
        let mut table = VoTable::new();
        table
            .resource(Purpose::Meta("adhoc:service"), Some("soda"))
            .group("inputParams");
        let values = Values {
            max: Some("1 2 3".into()),
            options: vec!["I".into(), "a&b".into()],
            ..Values::default()
        };
        table
            .parameter(&Parameter::asked(
                Field::double("CIRCLE").array("3").xtype("circle"),
                values,
            ))
            .parameter(&Parameter::from_column(Field::text("ID"), "did"))
            .parameter(&Parameter::of(Field::text("x"), "a\"<b>"));
        let whole = text(table.finish());
        assert!(
            whole.ends_with(concat!(
                r#"<RESOURCE type="meta" utype="adhoc:service" ID="soda" name="soda"><GROUP name="inputParams">"#,
                r#"<PARAM name="CIRCLE" datatype="double" arraysize="3" xtype="circle" value=""><VALUES>"#,
                r#"<MAX value="1 2 3"/><OPTION value="I"/><OPTION value="a&amp;b"/></VALUES></PARAM>"#,
                r#"<PARAM name="ID" datatype="char" arraysize="*" ref="did" value=""/>"#,
                r#"<PARAM name="x" datatype="char" arraysize="*" value="a&quot;&lt;b&gt;"/></GROUP></RESOURCE></VOTABLE>"#,
            )),
            "{whole}"
        );
    }

    #[test]
    fn numbers_read_back_as_the_same() {
        for number in [
            0.0,
            -0.5,
            1e-7,
            299_792_458.0,
            1.234_567_890_123_456_7e-30,
            f64::MAX,
            1e17,
        ] {
            assert_eq!(real(number).parse::<f64>().unwrap().to_bits(), number.to_bits());
        }
        assert_eq!(real(5.9e-7), "5.9e-7");
        assert_eq!(
            Cell::Reals(vec![1.0, f64::NAN, f64::INFINITY]).written(),
            "1 NaN +Inf"
        );
    }
}
