//! XML documents as trees and as text that a test can compare with what it expects.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use quick_xml::NsReader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;

use crate::harness::Reply;

/// The prefixes that the outlines write, whatever a document has.
const PREFIXES: &[(&str, &str)] = &[
    ("http://www.ivoa.net/xml/UWS/v1.0", "uws"),
    ("urn:sidereal", "sidereal"),
    ("http://www.ivoa.net/xml/VOSICapabilities/v1.0", "vosi"),
    ("http://www.ivoa.net/xml/VOSIAvailability/v1.0", "vosi"),
    ("http://www.ivoa.net/xml/VOTable/v1.3", "votable"),
    ("http://www.w3.org/1999/xhtml", "xhtml"),
];

/// An element; its name has one of `PREFIXES`, or none if it is in no namespace.
#[derive(Debug, Default)]
pub struct Element {
    pub name: String,
    pub attributes: BTreeMap<String, String>,
    pub text: String,
    pub children: Vec<Element>,
}

impl Element {
    /// The root of an answer, whose media type must be one of XML's.
    #[track_caller]
    pub fn of(reply: &Reply) -> Element {
        let media_type = reply.header("content-type").unwrap_or_default();
        assert!(
            media_type.starts_with("application/xml")
                || media_type.starts_with("text/xml")
                || media_type.starts_with("application/x-votable+xml"),
            "{}: {media_type}",
            reply.origin
        );
        Element::parse(&reply.text())
    }

    #[track_caller]
    pub fn parse(text: &str) -> Element {
        let mut reader = NsReader::from_str(text);
        let mut open = vec![Element::default()];
        loop {
            let (namespace, event) = reader
                .read_resolved_event()
                .unwrap_or_else(|e| panic!("{e} in {text}"));
            match event {
                Event::Start(start) => open.push(element(&namespace, &start)),
                Event::Empty(start) => {
                    let element = element(&namespace, &start);
                    open.last_mut().unwrap().children.push(element);
                }
                Event::End(_) => {
                    let element = open.pop().unwrap();
                    open.last_mut().unwrap().children.push(element);
                }
                Event::Text(piece) => open.last_mut().unwrap().text.push_str(&piece.xml10_content()),
                Event::CData(piece) => open.last_mut().unwrap().text.push_str(&piece.xml10_content()),
                Event::GeneralRef(reference) => {
                    let resolved = match &*reference.xml10_content() {
                        "amp" => '&',
                        "lt" => '<',
                        "gt" => '>',
                        "apos" => '\'',
                        "quot" => '"',
                        _ => reference.resolve_char_ref().unwrap().expect("a known reference"),
                    };
                    open.last_mut().unwrap().text.push(resolved);
                }
                Event::Eof => return open.pop().unwrap().children.pop().expect("a root"),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            }
        }
    }

    /// The first child of this name.
    #[track_caller]
    pub fn child(&self, name: &str) -> &Element {
        self.find(name)
            .unwrap_or_else(|| panic!("no {name} in {}", self.outline()))
    }

    pub fn find(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    #[track_caller]
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes
            .get(name)
            .unwrap_or_else(|| panic!("no {name} in {}", self.outline()))
    }

    pub fn is_nil(&self) -> bool {
        self.attributes.get("xsi:nil").is_some_and(|nil| nil == "true")
    }

    /// A line an element, indented: name, attributes, text. A time in the form that UWS asks for is `TIME`.
    pub fn outline(&self) -> String {
        let mut lines = String::new();
        self.write(0, &mut lines);
        lines
    }

    fn write(&self, depth: usize, lines: &mut String) {
        let _ = write!(lines, "{:1$}{2}", "", depth * 2, self.name);
        for (name, value) in &self.attributes {
            let _ = write!(lines, " {name}={value}");
        }
        let text = self.text.trim();
        if !text.is_empty() {
            let _ = write!(lines, ": {}", if is_time(text) { "TIME" } else { text });
        }
        lines.push('\n');
        for child in &self.children {
            child.write(depth + 1, lines);
        }
    }
}

/// Whether it is a time as UWS 1.1 has it: UTC, milliseconds, `Z`.
pub fn is_time(text: &str) -> bool {
    let shape: String = text
        .chars()
        .map(|c| if c.is_ascii_digit() { '9' } else { c })
        .collect();
    shape == "9999-99-99T99:99:99.999Z"
}

fn element(namespace: &ResolveResult, start: &BytesStart) -> Element {
    let local = start.local_name();
    let local: &str = local.as_ref();
    let name = match namespace {
        ResolveResult::Bound(namespace) => {
            let namespace: &str = namespace.as_ref();
            let prefix = PREFIXES.iter().find(|(known, _)| *known == namespace);
            format!("{}:{local}", prefix.map_or(namespace, |(_, prefix)| *prefix))
        }
        _ => local.to_owned(),
    };
    let attributes = start.attributes().map(|attribute| {
        let attribute = attribute.expect("an attribute");
        let value = attribute
            .normalized_value(XmlVersion::Explicit1_0)
            .expect("a value")
            .into_owned();
        let name: &str = attribute.key.as_ref();
        (name.to_owned(), value)
    });
    Element {
        name,
        attributes: attributes
            .filter(|(name, _)| !name.starts_with("xmlns"))
            .collect(),
        ..Element::default()
    }
}
