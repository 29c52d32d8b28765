//! What every service's parameters are held to, from its description alone.

use crate::{
    engine::{Description, ParameterInfo, ParameterKind, Stage, UsageError},
    jobs::JobsError,
    uws::{ParameterValue, Parameters, Timestamp, parameters::ParameterError},
};

/// Parameters that every service knows (DALI 1.1 section 3.4); UPLOAD is resolved where the request is read.
const KNOWN_EVERYWHERE: [&str; 4] = ["RESPONSEFORMAT", "MAXREC", "RUNID", "UPLOAD"];

/// Names, multiplicity, types and ranges; with `Stage::Run` also that nothing is missing. Tells all faults at once.
pub(super) fn against(
    description: &Description,
    parameters: &Parameters,
    stage: Stage,
) -> Result<(), JobsError> {
    let mut faults = Vec::new();
    for name in names(parameters) {
        match description.parameters.iter().find(|info| info.name == name) {
            Some(info) => check_values(description, info, parameters, &mut faults),
            None if KNOWN_EVERYWHERE.contains(&name) => {
                check_known(description, name, parameters, &mut faults);
            }
            None if description.any_parameter => {}
            None => faults.push(UsageError::new(name, unknown(description))),
        }
    }
    if stage == Stage::Run {
        for info in description.parameters.iter().filter(|info| info.required) {
            if parameters.all(info.name).next().is_none() {
                faults.push(UsageError::new(info.name, "is required"));
            }
        }
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(JobsError::Usage(faults))
    }
}

/// The run's length that is granted: what was asked for within the service's limit; 0 (unlimited) means the limit.
pub(super) fn duration(description: &Description, asked: Option<u32>) -> u32 {
    let limit = u32::try_from(description.max_execution_duration.as_secs()).unwrap_or(i32::MAX as u32);
    match asked {
        None => u32::try_from(description.execution_duration.as_secs()).unwrap_or(limit),
        Some(0) => limit,
        Some(seconds) => seconds.min(limit),
    }
}

/// When the job will be destroyed: what was asked for within the service's limit, which counts from `now`. What has
/// passed is a fault. This host's clock will do for `now`: the database's own decides when the time comes.
pub(super) fn destruction(
    description: &Description,
    asked: Timestamp,
    now: Timestamp,
) -> Result<Timestamp, JobsError> {
    if asked <= now {
        return Err(UsageError::new("DESTRUCTION", format!("{asked} is in the past")).into());
    }
    let most = i64::try_from(description.max_retention.as_millis()).unwrap_or(i64::MAX);
    let latest = Timestamp::from_millis(now.millis().saturating_add(most));
    Ok(latest.map_or(asked, |latest| asked.min(latest)))
}

/// Whether the uploads of a job are no larger than `most` bytes together.
pub(super) fn uploads(parameters: &Parameters, most: u64) -> Result<(), JobsError> {
    let mut total = 0_u64;
    for parameter in parameters.iter() {
        if let ParameterValue::Upload { size, .. } = &parameter.value {
            total = total.saturating_add(*size);
            if total > most {
                let message = format!("the files of a job are at most {} MiB together", most >> 20);
                return Err(UsageError::new(&parameter.name, message).into());
            }
        }
    }
    Ok(())
}

/// A fault of the parameters themselves, as one of the request.
pub(super) fn usage(error: ParameterError) -> JobsError {
    UsageError::from(error).into()
}

impl From<ParameterError> for UsageError {
    fn from(error: ParameterError) -> Self {
        let (parameter, multiple) = match &error {
            ParameterError::BadName(name) | ParameterError::Uploaded(name) => (name.clone(), false),
            ParameterError::TooMany => (String::from("parameters"), false),
            ParameterError::Repeated(name, _) => (name.clone(), true),
        };
        let message = match error {
            ParameterError::BadName(_) => {
                "a parameter's name is 1 to 64 letters, digits, '_', '-' or '.'".into()
            }
            ParameterError::TooMany => {
                format!("at most {} are taken", crate::uws::parameters::MAX_PARAMETERS)
            }
            ParameterError::Repeated(_, times) => format!("given {times} times, expected once"),
            ParameterError::Uploaded(_) => "expected a value, found an uploaded file".into(),
        };
        UsageError {
            multiple,
            ..UsageError::new(parameter, message)
        }
    }
}

fn names(parameters: &Parameters) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for parameter in parameters.iter() {
        if !names.contains(&parameter.name.as_str()) {
            names.push(&parameter.name);
        }
    }
    names
}

fn unknown(description: &Description) -> String {
    let known: Vec<&str> = description.parameters.iter().map(|info| info.name).collect();
    format!(
        "is not a parameter of {} (it has {})",
        description.name,
        known.join(", ")
    )
}

/// Whether FORMAT is given as RESPONSEFORMAT may be: by its media type, for one. The service knows what it makes.
fn is_format(description: &Description, name: &str, text: &str) -> bool {
    let is = |known: &&str| known.eq_ignore_ascii_case(text.trim());
    name == "FORMAT" && description.formats.iter().any(is)
}

fn check_values(
    description: &Description,
    info: &ParameterInfo,
    parameters: &Parameters,
    faults: &mut Vec<UsageError>,
) {
    if !info.repeatable
        && let Err(error) = parameters.one(info.name)
    {
        faults.push(error.into());
        return;
    }
    for value in parameters.all(info.name) {
        match value {
            ParameterValue::Inline(text) => {
                if !is_format(description, info.name, text)
                    && let Some(fault) = fault_of(&info.kind, text)
                {
                    faults.push(UsageError::new(info.name, fault));
                }
            }
            ParameterValue::Upload { .. } if info.kind == ParameterKind::File => {}
            ParameterValue::Upload { .. } => {
                faults.push(ParameterError::Uploaded(info.name.into()).into());
            }
        }
    }
}

fn check_known(description: &Description, name: &str, parameters: &Parameters, faults: &mut Vec<UsageError>) {
    if name == "UPLOAD" {
        return;
    }
    match parameters.text(name) {
        Err(error) => faults.push(error.into()),
        Ok(Some(value)) if name == "MAXREC" && value.trim().parse::<u64>().is_err() => {
            faults.push(UsageError::new(
                name,
                format!("{:?} is not a whole number from 0", excerpt(value)),
            ));
        }
        Ok(Some(value)) if name == "RESPONSEFORMAT" && !description.formats.is_empty() => {
            let known = ParameterKind::Choice {
                options: description.formats,
            };
            if let Some(fault) = fault_of(&known, value) {
                faults.push(UsageError::new(name, fault));
            }
        }
        Ok(_) => {}
    }
}

fn fault_of(kind: &ParameterKind, text: &str) -> Option<String> {
    // Forms send fields that were left empty.
    if text.trim().is_empty() {
        return None;
    }
    match kind {
        ParameterKind::Text | ParameterKind::File => None,
        ParameterKind::Real { min, max } => match text.trim().parse::<f64>() {
            Ok(number) if (*min..=*max).contains(&number) => None,
            _ => Some(format!("{:?} is not a number from {min} to {max}", excerpt(text))),
        },
        ParameterKind::Choice { options } => {
            let known = options
                .iter()
                .any(|option| option.eq_ignore_ascii_case(text.trim()));
            (!known).then(|| format!("{:?} is not one of {}", excerpt(text), options.join(", ")))
        }
    }
}

fn excerpt(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn description() -> Description {
        let info = |name, kind, required, repeatable| ParameterInfo {
            name,
            ucd: None,
            unit: None,
            kind,
            required,
            repeatable,
            default: None,
            meaning: "",
        };
        Description {
            name: "test",
            title: "",
            summary: "",
            parameters: vec![
                info("SIZE", ParameterKind::Real { min: 0.0, max: 10.0 }, false, false),
                info(
                    "EDGE",
                    ParameterKind::Choice {
                        options: &["trim", "pad"],
                    },
                    false,
                    false,
                ),
                info("BANDS", ParameterKind::Text, false, true),
                info("LIST", ParameterKind::File, true, false),
            ],
            any_parameter: false,
            formats: &["fits", "application/fits"],
            retryable: true,
            execution_duration: Duration::from_mins(1),
            max_execution_duration: Duration::from_mins(10),
            retention: Duration::from_secs(1),
            max_retention: Duration::from_secs(2),
        }
    }

    fn faults(given: &[(&str, &str)], stage: Stage) -> Vec<(String, bool)> {
        let mut parameters = Parameters::default();
        for (name, value) in given {
            parameters
                .push(name, ParameterValue::Inline((*value).into()))
                .unwrap();
        }
        match against(&description(), &parameters, stage) {
            Ok(()) => Vec::new(),
            Err(JobsError::Usage(faults)) => faults.into_iter().map(|f| (f.parameter, f.multiple)).collect(),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(faults(&[("size", "11")], Stage::Draft), [("SIZE".into(), false)]);
        assert_eq!(faults(&[("size", "NaN")], Stage::Draft), [("SIZE".into(), false)]);
        assert_eq!(
            faults(&[("edge", "none")], Stage::Draft),
            [("EDGE".into(), false)]
        );
        assert_eq!(faults(&[("nope", "1")], Stage::Draft), [("NOPE".into(), false)]);
        assert_eq!(
            faults(&[("responseformat", "text/html")], Stage::Draft),
            [("RESPONSEFORMAT".into(), false)]
        );
        assert_eq!(
            faults(&[("maxrec", "-1")], Stage::Draft),
            [("MAXREC".into(), false)]
        );
        assert_eq!(
            faults(&[("size", "1"), ("Size", "2")], Stage::Draft),
            [("SIZE".into(), true)]
        );
    }

    #[test]
    fn what_is_right_is_taken() {
        let given = [
            ("SIZE", "10"),
            ("EDGE", "PAD"),
            ("BANDS", "a"),
            ("BANDS", "b"),
            ("RUNID", "x"),
        ];
        assert!(faults(&given, Stage::Draft).is_empty());
    }

    #[test]
    fn what_is_missing_is_a_fault_only_at_run() {
        assert!(faults(&[], Stage::Draft).is_empty());
        assert_eq!(faults(&[], Stage::Run), [("LIST".into(), false)]);
    }

    #[test]
    fn durations_are_capped() {
        assert_eq!(duration(&description(), None), 60);
        assert_eq!(duration(&description(), Some(0)), 600);
        assert_eq!(duration(&description(), Some(u32::MAX)), 600);
        assert_eq!(duration(&description(), Some(5)), 5);
    }

    #[test]
    fn destructions_are_capped_and_lie_ahead() {
        let at = |millis| Timestamp::from_millis(millis).unwrap();
        let granted = |asked, description: &Description| destruction(description, asked, at(1_000)).ok();
        let two_seconds = description();
        assert_eq!(granted(at(1_001), &two_seconds), Some(at(1_001)));
        assert_eq!(granted(at(3_000), &two_seconds), Some(at(3_000)));
        assert_eq!(granted(at(3_001), &two_seconds), Some(at(3_000)));
        assert_eq!(granted(at(1_000), &two_seconds), None);
        let unlimited = Description {
            max_retention: Duration::MAX,
            ..description()
        };
        let last = "9999".parse().unwrap();
        assert_eq!(granted(last, &unlimited), Some(last));
    }
}
