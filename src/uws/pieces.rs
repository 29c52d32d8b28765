//! Documents of very many results, piece by piece: the document without any is parted where they belong.

use super::{ResultRef, json, xml};

/// Results of a piece.
const PIECE: usize = 1_000;

/// The pieces of a document, which follow one another.
pub struct Pieces {
    results: std::vec::IntoIter<ResultRef>,
    job_url: String,
    form: Form,
    /// What is to come before the next results.
    before: Option<Vec<u8>>,
    after: Option<Vec<u8>>,
}

#[derive(Clone, Copy)]
enum Form {
    Xml,
    Json,
}

/// Whether a document of so many results is better sent piece by piece.
pub fn is_long(results: usize) -> bool {
    results > PIECE
}

impl Pieces {
    /// The XML `document` of the job at `job_url`, or of its results, with these instead of none; `None` if it has no place
    /// for them.
    pub fn xml(mut document: Vec<u8>, results: Vec<ResultRef>, job_url: &str) -> Option<Pieces> {
        // Text and attributes have no bare angle bracket.
        let element = find(&document, b"<uws:results")?;
        let end = element + find(&document[element..], b"/>")?;
        let mut after = b"</uws:results>".to_vec();
        after.extend_from_slice(&document[end + 2..]);
        document.truncate(end);
        document.push(b'>');
        Some(Pieces::new(Form::Xml, document, results, job_url, after))
    }

    /// The same of JSON.
    pub fn json(mut document: Vec<u8>, results: Vec<ResultRef>, job_url: &str) -> Option<Pieces> {
        // Within text a quotation mark has a backslash before it.
        let list = br#""results":["#;
        let end = find(&document, br#""results":[]"#)? + list.len();
        let after = document.split_off(end);
        Some(Pieces::new(Form::Json, document, results, job_url, after))
    }

    fn new(form: Form, before: Vec<u8>, results: Vec<ResultRef>, job_url: &str, after: Vec<u8>) -> Pieces {
        Pieces {
            results: results.into_iter(),
            job_url: job_url.to_owned(),
            form,
            before: Some(before),
            after: Some(after),
        }
    }
}

impl Iterator for Pieces {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        if self.results.len() == 0 {
            let mut last = self.before.take().unwrap_or_default();
            last.extend(self.after.take()?);
            return Some(last);
        }
        let mut first = self.before.is_some();
        let mut piece = self.before.take().unwrap_or_default();
        for result in self.results.by_ref().take(PIECE) {
            match self.form {
                Form::Xml => xml::append_result(&mut piece, &result, &self.job_url),
                Form::Json => {
                    if !first {
                        piece.push(b',');
                    }
                    json::append_result(&mut piece, &result, &self.job_url);
                }
            }
            first = false;
        }
        Some(piece)
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::{super::Job, *};

    const LIST: &str = "https://example.org/api/echo/async";

    /// A job whose texts look like the places that are looked for.
    fn job(results: usize) -> Job {
        let mut job = xml::tests::full();
        job.run_id = Some(r#"<uws:results/> "results":[]"#.into());
        let result = |at: usize| ResultRef {
            id: format!("a&b \"{at}\".fits"),
            size: at as u64,
            mime_type: "application/fits".into(),
        };
        job.results = (0..results).map(result).collect();
        job
    }

    #[test]
    fn pieces_make_up_the_whole_document() {
        for results in [0, 1, PIECE, PIECE + 1, 3 * PIECE] {
            let whole = job(results);
            let mut bare = whole.clone();
            let listed = std::mem::take(&mut bare.results);
            let url = format!("{LIST}/{}", bare.id);
            let pieces = |pieces: Option<Pieces>| {
                let pieces: Vec<Vec<u8>> = pieces.expect("there is a place").collect();
                assert!(pieces.len() > results / PIECE, "{results}");
                pieces.concat()
            };
            let text = |written: serde_json::Result<Vec<u8>>| written.unwrap();
            assert_eq!(
                pieces(Pieces::json(
                    text(serde_json::to_vec(&json::job(&bare, LIST))),
                    listed.clone(),
                    &url
                )),
                text(serde_json::to_vec(&json::job(&whole, LIST)))
            );
            assert_eq!(
                pieces(Pieces::json(
                    text(serde_json::to_vec(&json::results(&[], &url))),
                    listed.clone(),
                    &url
                )),
                text(serde_json::to_vec(&json::results(&listed, &url)))
            );
            if results == 0 {
                continue;
            }
            assert_eq!(
                pieces(Pieces::xml(xml::job(&bare, LIST), listed.clone(), &url)),
                xml::job(&whole, LIST)
            );
            assert_eq!(
                pieces(Pieces::xml(xml::results(&[], &url), listed.clone(), &url)),
                xml::results(&listed, &url)
            );
        }
    }
}
