//! What a service says of itself (VOSI 1.1): capabilities and availability.

use std::io;

use quick_xml::{
    Writer,
    events::{BytesStart, Event},
};

use super::{
    Timestamp,
    xml::{document, element, end, legal, write_text},
};

/// `standardID` of the capabilities document.
pub const CAPABILITIES: &str = "ivo://ivoa.net/std/VOSI#capabilities";
/// `standardID` of the availability document.
pub const AVAILABILITY: &str = "ivo://ivoa.net/std/VOSI#availability";
/// `standardID` of a UWS 1.1 job list.
pub const UWS: &str = "ivo://ivoa.net/std/UWS#rest-1.1";
/// `standardID` of DALI examples.
pub const EXAMPLES: &str = "ivo://ivoa.net/std/DALI#examples";

/// `standardID` of a SIA 2.0 query.
pub const SIA: &str = "ivo://ivoa.net/std/SIA#query-2.0";
/// `standardID` of DataLink 1.1.
pub const DATALINK: &str = "ivo://ivoa.net/std/DataLink#links-1.1";
/// `standardID` of SODA 1.0 at once.
pub const SODA_SYNC: &str = "ivo://ivoa.net/std/SODA#sync-1.0";
/// `standardID` of SODA 1.0 as jobs.
pub const SODA_ASYNC: &str = "ivo://ivoa.net/std/SODA#async-1.0";

/// The parameters of SODA 1.0 (section 3.2 and 3.3).
const SODA_PARAMETERS: [&str; 7] = ["ID", "POS", "CIRCLE", "POLYGON", "BAND", "TIME", "POL"];

/// Whether a standard has a parameter of this name.
pub fn has_parameter(standard_id: &str, name: &str) -> bool {
    [SODA_SYNC, SODA_ASYNC].contains(&standard_id) && SODA_PARAMETERS.contains(&name)
}

/// Something that a service can do, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capability<'a> {
    /// Which standard it follows.
    pub standard_id: &'a str,
    /// URL of it, absolute.
    pub access_url: &'a str,
    /// Methods that it is asked by; none for a plain document.
    pub methods: &'a [&'a str],
    /// What it is asked with.
    pub parameters: Vec<InputParameter<'a>>,
}

/// A parameter of a capability (`vs:InputParam`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputParameter<'a> {
    /// Name, in capitals.
    pub name: &'a str,
    /// Meaning, for people.
    pub description: &'a str,
    /// Unit of its value.
    pub unit: Option<&'a str>,
    /// IVOA unified content descriptor.
    pub ucd: Option<&'a str>,
    /// Whether it must be given.
    pub required: bool,
    /// Whether the capability's standard has it, and it means what it does there.
    pub standard: bool,
}

/// The `vosi:capabilities` document.
pub fn capabilities(capabilities: &[Capability<'_>]) -> Vec<u8> {
    document(4_096, |xml| {
        let root = BytesStart::new("vosi:capabilities").with_attributes([
            ("xmlns:vosi", "http://www.ivoa.net/xml/VOSICapabilities/v1.0"),
            ("xmlns:vs", "http://www.ivoa.net/xml/VODataService/v1.1"),
            ("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance"),
        ]);
        xml.write_event(Event::Start(root))?;
        for capability in capabilities {
            write_capability(xml, capability)?;
        }
        end(xml, "vosi:capabilities")
    })
}

fn write_capability(xml: &mut Writer<Vec<u8>>, capability: &Capability<'_>) -> io::Result<()> {
    // `standardID`, not `standardid` as in SODA's own example, which its schema refuses.
    let start = BytesStart::new("capability").with_attributes([("standardID", capability.standard_id)]);
    xml.write_event(Event::Start(start))?;
    let interface = BytesStart::new("interface").with_attributes([("xsi:type", "vs:ParamHTTP")]);
    let (interface, url_use) = if capability.methods.is_empty() {
        (interface, "full")
    } else {
        (interface.with_attributes([("role", "std")]), "base")
    };
    xml.write_event(Event::Start(interface))?;
    xml.write_event(Event::Start(
        BytesStart::new("accessURL").with_attributes([("use", url_use)]),
    ))?;
    write_text(xml, capability.access_url)?;
    end(xml, "accessURL")?;
    for method in capability.methods {
        element(xml, "queryType", method)?;
    }
    for parameter in &capability.parameters {
        write_parameter(xml, parameter)?;
    }
    end(xml, "interface")?;
    end(xml, "capability")
}

fn write_parameter(xml: &mut Writer<Vec<u8>>, parameter: &InputParameter<'_>) -> io::Result<()> {
    let required = if parameter.required {
        "required"
    } else {
        "optional"
    };
    let standard = if parameter.standard { "true" } else { "false" };
    let start = BytesStart::new("param").with_attributes([("use", required), ("std", standard)]);
    xml.write_event(Event::Start(start))?;
    element(xml, "name", parameter.name)?;
    element(xml, "description", &legal(parameter.description))?;
    if let Some(unit) = parameter.unit {
        element(xml, "unit", unit)?;
    }
    if let Some(ucd) = parameter.ucd {
        element(xml, "ucd", ucd)?;
    }
    end(xml, "param")
}

/// The `vosi:availability` document.
pub fn availability(available: bool, up_since: Timestamp, note: Option<&str>) -> Vec<u8> {
    document(512, |xml| {
        let root = BytesStart::new("vosi:availability")
            .with_attributes([("xmlns:vosi", "http://www.ivoa.net/xml/VOSIAvailability/v1.0")]);
        xml.write_event(Event::Start(root))?;
        element(xml, "vosi:available", if available { "true" } else { "false" })?;
        element(xml, "vosi:upSince", &up_since.to_string())?;
        if let Some(note) = note {
            element(xml, "vosi:note", note)?;
        }
        end(xml, "vosi:availability")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_name_their_standards_and_parameters() {
        let parameters = [InputParameter {
            name: "SIZE",
            description: "Width & height",
            unit: Some("arcmin"),
            ucd: Some("phys.angSize"),
            required: true,
            standard: false,
        }];
        let document = capabilities(&[
            Capability {
                standard_id: CAPABILITIES,
                access_url: "https://example.org/api/echo/capabilities",
                methods: &[],
                parameters: Vec::new(),
            },
            Capability {
                standard_id: UWS,
                access_url: "https://example.org/api/echo/async",
                methods: &["POST"],
                parameters: parameters.into(),
            },
        ]);
        let document = String::from_utf8(document).unwrap();
        assert!(document.contains(
            r#"<capability standardID="ivo://ivoa.net/std/VOSI#capabilities"><interface xsi:type="vs:ParamHTTP"><accessURL use="full">https://example.org/api/echo/capabilities</accessURL></interface></capability>"#
        ));
        assert!(document.contains(
            r#"<param use="required" std="false"><name>SIZE</name><description>Width &amp; height</description><unit>arcmin</unit><ucd>phys.angSize</ucd></param>"#
        ));
        assert!(document.contains("<vosi:capabilities "));
    }

    #[test]
    fn availability_tells_since_when() {
        let document = availability(true, "2026-11-21".parse().unwrap(), None);
        assert!(String::from_utf8(document).unwrap().ends_with(
            "<vosi:available>true</vosi:available><vosi:upSince>2026-11-21T00:00:00.000Z</vosi:upSince></vosi:availability>"
        ));
        let document = availability(
            false,
            "2026-11-21".parse().unwrap(),
            Some("the database does not answer"),
        );
        assert!(
            String::from_utf8(document)
                .unwrap()
                .contains("<vosi:note>the database does not answer</vosi:note>")
        );
    }
}
