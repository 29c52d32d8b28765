//! What makes two requests for a job the same, as far as an idempotency key goes.

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{JobsError, Submission};
use crate::uws::{ParameterValue, Timestamp};

/// What is told apart. PHASE=RUN is not: a request that was cut off before it ran its job is made good by a second one.
#[derive(Serialize)]
struct Request<'a> {
    service: &'a str,
    run_id: Option<&'a str>,
    execution_duration: Option<u32>,
    destruction: Option<Timestamp>,
    /// By name; values of one name in their order.
    parameters: Vec<(String, Given<'a>)>,
}

#[derive(Serialize)]
enum Given<'a> {
    Value(&'a ParameterValue),
    File { media_type: &'a str, sha256: String },
}

/// Digest of a request for a job, hexadecimal.
pub(super) fn fingerprint(service: &str, submission: &Submission) -> Result<String, JobsError> {
    let values = submission
        .parameters
        .iter()
        .map(|parameter| (parameter.name.clone(), Given::Value(&parameter.value)));
    let files = submission.uploads.iter().map(|upload| {
        let file = Given::File {
            media_type: &upload.media_type,
            sha256: hex::encode(Sha256::digest(&upload.bytes)),
        };
        (upload.name.to_ascii_uppercase(), file)
    });
    let mut parameters: Vec<_> = values.chain(files).collect();
    parameters.sort_by(|(one, _), (other, _)| one.cmp(other));
    let request = Request {
        service,
        run_id: submission.run_id.as_deref(),
        execution_duration: submission.execution_duration,
        destruction: submission.destruction,
        parameters,
    };
    let request = serde_json::to_vec(&request).map_err(|error| JobsError::Internal(error.into()))?;
    Ok(hex::encode(Sha256::digest(request)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{jobs::Upload, uws::Parameters};

    fn submission(pairs: &[(&str, &str)], files: &[(&str, &'static str)]) -> Submission {
        let mut parameters = Parameters::default();
        for (name, value) in pairs {
            parameters
                .push(name, ParameterValue::Inline((*value).into()))
                .unwrap();
        }
        let upload = |(name, text): &(&str, &'static str)| Upload {
            name: (*name).into(),
            media_type: "text/csv".into(),
            bytes: text.as_bytes().into(),
        };
        Submission {
            parameters,
            uploads: files.iter().map(upload).collect(),
            ..Submission::default()
        }
    }

    fn of(submission: &Submission) -> String {
        fingerprint("echo", submission).unwrap()
    }

    #[test]
    fn the_same_is_the_same_in_any_order_of_names() {
        let one = submission(&[("A", "1"), ("B", "2"), ("a", "3")], &[("X", "x"), ("F", "f")]);
        let other = submission(&[("b", "2"), ("a", "1"), ("A", "3")], &[("f", "f"), ("x", "x")]);
        assert_eq!(of(&one), of(&other));
        let run = Submission { run: true, ..other };
        assert_eq!(of(&one), of(&run));
    }

    #[test]
    fn what_differs_is_told_apart() {
        let with_file = |text| submission(&[], &[("A", text)]);
        let requests = [
            Submission::default(),
            submission(&[("A", "1")], &[]),
            submission(&[("A", "2")], &[]),
            submission(&[("B", "1")], &[]),
            submission(&[("A", "1"), ("A", "2")], &[]),
            submission(&[("A", "2"), ("A", "1")], &[]),
            with_file("1"),
            with_file("2"),
            Submission {
                run_id: Some("1".into()),
                ..Submission::default()
            },
            Submission {
                execution_duration: Some(1),
                ..Submission::default()
            },
            Submission {
                destruction: Some("2999".parse().unwrap()),
                ..Submission::default()
            },
        ];
        let mut known: Vec<String> = requests.iter().map(of).collect();
        known.push(fingerprint("cutout", &Submission::default()).unwrap());
        let distinct: std::collections::HashSet<&String> = known.iter().collect();
        assert_eq!(distinct.len(), known.len());
    }
}
