//! Every XML document that a test receives, held against the IVOA's schemas when the test ends.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use bytes::Bytes;
use quick_xml::NsReader;
use quick_xml::events::Event;
use quick_xml::name::ResolveResult;

/// Schemas by the namespace of the document's root.
const SCHEMAS: &[(&str, &str)] = &[
    ("http://www.ivoa.net/xml/UWS/v1.0", "UWS.xsd"),
    ("http://www.ivoa.net/xml/VOSICapabilities/v1.0", "all-vosi.xsd"),
    (
        "http://www.ivoa.net/xml/VOSIAvailability/v1.0",
        "VOSIAvailability.xsd",
    ),
    ("http://www.ivoa.net/xml/VOTable/v1.3", "VOTable.xsd"),
];
/// DALI's examples: XHTML, for which there is no schema.
const XHTML: &str = "http://www.w3.org/1999/xhtml";

/// Panics when dropped if one of the documents is not valid.
#[derive(Default)]
pub struct Documents(Mutex<HashSet<Document>>);

#[derive(PartialEq, Eq, Hash)]
struct Document {
    origin: String,
    body: Bytes,
}

impl Documents {
    /// Keeps an answer's body, if its media type says that it is XML. `origin` is for the message.
    pub fn keep(&self, origin: &str, media_type: &str, body: &Bytes) {
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        if matches!(
            essence,
            "application/xml" | "text/xml" | "application/x-votable+xml"
        ) {
            let document = Document {
                origin: origin.to_owned(),
                body: body.clone(),
            };
            self.0.lock().expect("the documents").insert(document);
        }
    }

    /// What is wrong with the documents kept so far; empty if nothing is.
    fn faults(&self) -> String {
        let mut faults = String::new();
        let mut by_schema: BTreeMap<&str, Vec<(PathBuf, Document)>> = BTreeMap::new();
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (number, document) in self.0.lock().expect("the documents").drain().enumerate() {
            match schema(&document.body) {
                Ok(None) => {}
                Ok(Some(schema)) => {
                    let path = folder.path().join(format!("{number}.xml"));
                    std::fs::write(&path, &document.body).expect("a temporary file");
                    by_schema.entry(schema).or_default().push((path, document));
                }
                Err(fault) => {
                    let _ = writeln!(faults, "{}: {fault}\n{}", document.origin, text(&document.body));
                }
            }
        }
        for (schema, documents) in by_schema {
            let errors = xmllint(schema, documents.iter().map(|(path, _)| path.as_path()));
            for (path, document) in documents {
                let path = path.display().to_string();
                let own: Vec<_> = errors
                    .lines()
                    .filter(|line| line.starts_with(&format!("{path}:")))
                    .collect();
                if !own.is_empty() {
                    let own = own.join("\n").replace(&path, schema);
                    let _ = writeln!(faults, "{}\n{own}\n{}", document.origin, text(&document.body));
                }
            }
        }
        faults
    }
}

impl Drop for Documents {
    fn drop(&mut self) {
        // A test that has failed already has its own message.
        if !std::thread::panicking() {
            let faults = self.faults();
            assert!(faults.is_empty(), "documents that are not valid:\n{faults}");
        }
    }
}

fn text(body: &Bytes) -> String {
    String::from_utf8_lossy(body).into_owned()
}

/// The schema for a document, from its root; nothing for XHTML.
fn schema(document: &[u8]) -> Result<Option<&'static str>, String> {
    let mut reader = NsReader::from_reader(document);
    loop {
        match reader
            .read_resolved_event()
            .map_err(|e| format!("not XML: {e}"))?
        {
            (ResolveResult::Bound(namespace), Event::Start(_) | Event::Empty(_)) => {
                let namespace: &str = namespace.as_ref();
                let known = SCHEMAS.iter().find(|(name, _)| *name == namespace);
                return match known {
                    Some((_, schema)) => Ok(Some(schema)),
                    None if namespace == XHTML => Ok(None),
                    None => Err(format!("no schema is known for the namespace {namespace}")),
                };
            }
            (_, Event::Start(_) | Event::Empty(_)) => return Err("its root is in no namespace".to_owned()),
            (_, Event::Eof) => return Err("it has no root".to_owned()),
            _ => {}
        }
    }
}

/// What xmllint says of these files: for each faulty one, at least one line that begins with its path and a colon.
fn xmllint<'a>(schema: &str, files: impl Iterator<Item = &'a Path>) -> String {
    let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/data/schemas");
    let output = Command::new("xmllint")
        .args(["--nonet", "--noout", "--schema"])
        .arg(schemas.join(schema))
        .args(files)
        .env("XML_CATALOG_FILES", schemas.join("catalog.xml"))
        .output()
        .expect("xmllint; `make test` installs it");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    // 3 and 4: a document is not valid. Others, and 1 for a document that is not XML, name a file or are ours to mend.
    match output.status.code() {
        Some(0) => String::new(),
        Some(1 | 3 | 4) => errors,
        _ => panic!("xmllint {schema}: {}: {errors}", output.status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: &str = r#"<uws:job xmlns:uws="http://www.ivoa.net/xml/UWS/v1.0"
        xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xlink="http://www.w3.org/1999/xlink" version="1.1">
        <uws:jobId>7</uws:jobId><uws:ownerId xsi:nil="true"/><uws:phase>PENDING</uws:phase><uws:quote xsi:nil="true"/>
        <uws:creationTime>2026-11-20T10:00:00Z</uws:creationTime><uws:startTime xsi:nil="true"/>
        <uws:endTime xsi:nil="true"/><uws:executionDuration>3600</uws:executionDuration>
        <uws:destruction xsi:nil="true"/><uws:parameters><uws:parameter id="RA">1</uws:parameter></uws:parameters>
        <uws:results><uws:result id="result" xlink:href="http://127.0.0.1/r"/></uws:results></uws:job>"#;

    fn faults(documents: &[&str]) -> String {
        let kept = Documents::default();
        for (number, document) in documents.iter().enumerate() {
            kept.keep(
                &format!("GET /{number}"),
                "text/xml; charset=utf-8",
                &Bytes::from((*document).to_owned()),
            );
        }
        kept.faults()
    }

    #[test]
    fn valid_documents_pass() {
        assert_eq!(
            faults(&[
                JOB,
                r#"<jobs xmlns="http://www.ivoa.net/xml/UWS/v1.0" version="1.1"/>"#,
                r#"<v:availability xmlns:v="http://www.ivoa.net/xml/VOSIAvailability/v1.0"><v:available>true</v:available></v:availability>"#,
                r#"<v:capabilities xmlns:v="http://www.ivoa.net/xml/VOSICapabilities/v1.0"
                xmlns:vs="http://www.ivoa.net/xml/VODataService/v1.1" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
                <capability standardID="ivo://ivoa.net/std/VOSI#capabilities"><interface xsi:type="vs:ParamHTTP">
                <accessURL use="full">http://127.0.0.1/c</accessURL></interface></capability></v:capabilities>"#,
                r#"<VOTABLE xmlns="http://www.ivoa.net/xml/VOTable/v1.3" version="1.4"><RESOURCE type="results">
                <INFO name="QUERY_STATUS" value="ERROR">no</INFO></RESOURCE></VOTABLE>"#,
                r#"<html xmlns="http://www.w3.org/1999/xhtml"/>"#,
            ]),
            ""
        );
    }

    #[test]
    fn one_faulty_document_among_others_is_named() {
        let dreaming = JOB.replace("PENDING", "DREAMING");
        let faults = faults(&[JOB, &dreaming]);
        assert!(faults.starts_with("GET /1\nUWS.xsd:"), "{faults}");
        assert!(
            faults.contains("'DREAMING' is not an element of the set"),
            "{faults}"
        );
        assert!(!faults.contains("GET /0"), "{faults}");
    }

    #[test]
    fn a_document_that_no_schema_is_for_is_a_fault() {
        assert!(faults(&["<job/>"]).contains("in no namespace"));
        assert!(faults(&[r#"<job xmlns="urn:x"/>"#]).contains("no schema is known for the namespace urn:x"));
        assert!(faults(&[""]).contains("no root"));
        assert!(faults(&[&JOB[..JOB.len() - 10]]).contains("GET /0"));
    }

    #[test]
    #[should_panic(expected = "documents that are not valid")]
    fn a_faulty_document_fails_the_test_that_received_it() {
        let kept = Documents::default();
        kept.keep("GET /", "application/xml", &Bytes::from_static(b"<job/>"));
    }
}
