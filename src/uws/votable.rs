//! Errors as a VOTable (DALI 1.1 section 4.4): an INFO named `QUERY_STATUS` with the value `ERROR`.

use quick_xml::events::{BytesStart, Event};

use super::{
    label::Label,
    xml::{document, end, write_text},
};

/// Media type of a VOTable (DALI 1.1 section 3.3.3).
pub const MEDIA_TYPE: &str = "application/x-votable+xml";

/// The error document; its text begins with the label.
pub fn error(label: Label, message: &str) -> Vec<u8> {
    document(512 + message.len(), |xml| {
        let table = BytesStart::new("VOTABLE").with_attributes([
            ("xmlns", "http://www.ivoa.net/xml/VOTable/v1.3"),
            ("version", "1.4"),
        ]);
        xml.write_event(Event::Start(table))?;
        let resource = BytesStart::new("RESOURCE").with_attributes([("type", "results")]);
        xml.write_event(Event::Start(resource))?;
        let info = BytesStart::new("INFO").with_attributes([("name", "QUERY_STATUS"), ("value", "ERROR")]);
        xml.write_event(Event::Start(info))?;
        write_text(xml, &super::label::text(label, message))?;
        end(xml, "INFO")?;
        end(xml, "RESOURCE")?;
        end(xml, "VOTABLE")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_is_escaped() {
        let document = String::from_utf8(error(Label::UsageError, "SIZE: <x> & \u{1}")).unwrap();
        assert!(document.contains(
            r#"<INFO name="QUERY_STATUS" value="ERROR">UsageError: SIZE: &lt;x&gt; &amp; �</INFO>"#
        ));
    }
}
