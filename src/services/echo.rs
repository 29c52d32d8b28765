//! The job type `echo`: gives its parameters back, after a while or with an error if asked to. Validators, benchmarks
//! and first steps have a job in it that is quick, slow or failing.

use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use serde_json::{Map, Value};
use tokio::time::{Instant, sleep_until};

use crate::{
    auth::Caller,
    engine::{
        Accepted, CheckError, Context, Description, Draft, Failure, ParameterInfo, ParameterKind, Service,
        Stage, UsageError,
    },
    uws::{ErrorKind, Parameters},
};

/// Longest SLEEP, which is the longest run that can be asked for.
const LONGEST: Duration = Duration::from_hours(24);
/// Between two reports of progress.
const TICK: Duration = Duration::from_millis(200);

/// The service.
pub struct Echo {
    description: Description,
}

impl Default for Echo {
    fn default() -> Self {
        Echo {
            description: Description {
                name: "echo",
                title: "Echo",
                summary: "Gives the parameters of the job back as JSON. Takes parameters of any name.",
                parameters: vec![
                    ParameterInfo {
                        name: "SLEEP",
                        ucd: Some("time.duration"),
                        unit: Some("s"),
                        kind: ParameterKind::Real {
                            min: 0.0,
                            max: LONGEST.as_secs_f64(),
                        },
                        required: false,
                        repeatable: false,
                        default: Some("0".into()),
                        meaning: "How long the job runs.",
                    },
                    ParameterInfo {
                        name: "FAIL",
                        ucd: None,
                        unit: None,
                        kind: ParameterKind::Choice {
                            options: &["fatal", "transient"],
                        },
                        required: false,
                        repeatable: false,
                        default: None,
                        meaning: "The error that the job ends with, after SLEEP.",
                    },
                ],
                any_parameter: true,
                formats: &[],
                retryable: true,
                execution_duration: Duration::from_hours(1),
                max_execution_duration: LONGEST,
                retention: Duration::from_hours(30 * 24),
                max_retention: Duration::from_hours(10 * 365 * 24),
            },
        }
    }
}

impl Service for Echo {
    fn describe(&self) -> &Description {
        &self.description
    }

    fn check<'a>(
        &'a self,
        draft: &'a Draft<'a>,
        _stage: Stage,
        _caller: &'a Caller,
    ) -> BoxFuture<'a, Result<Accepted, CheckError>> {
        Box::pin(async move {
            Order::read(draft.parameters)?;
            Ok(Accepted::default())
        })
    }

    fn execute<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let order =
                Order::read(context.parameters()).map_err(|error| Failure::fatal(error.to_string()))?;
            sleep(context, order.sleep).await?;
            if let Some(kind) = order.fail {
                return Err(Failure::Error {
                    kind,
                    message: format!("The job asked for a {} error.", kind.as_str()),
                    detail: Some(String::from("FAIL was among its parameters.")),
                    retry: false,
                });
            }
            let body = serde_json::to_vec(&echo(context).await?)
                .map_err(|error| Failure::fatal(error.to_string()))?;
            context
                .put_principal("result", "application/json", body.into())
                .await?;
            Ok(())
        })
    }
}

/// What a job asks for.
struct Order {
    sleep: Duration,
    fail: Option<ErrorKind>,
}

impl Order {
    fn read(parameters: &Parameters) -> Result<Order, UsageError> {
        let sleep = match parameters.text("SLEEP").map_err(UsageError::from)?.map(str::trim) {
            None | Some("") => Duration::ZERO,
            Some(text) => text
                .parse::<f64>()
                .ok()
                .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
                .filter(|sleep| *sleep <= LONGEST)
                .ok_or_else(|| {
                    let text: String = text.chars().take(40).collect();
                    UsageError::new(
                        "SLEEP",
                        format!(
                            "{text:?} is not a number of seconds from 0 to {}",
                            LONGEST.as_secs()
                        ),
                    )
                })?,
        };
        let fail = match parameters.text("FAIL").map_err(UsageError::from)?.map(str::trim) {
            None | Some("") => None,
            Some(text) if text.eq_ignore_ascii_case("fatal") => Some(ErrorKind::Fatal),
            Some(text) if text.eq_ignore_ascii_case("transient") => Some(ErrorKind::Transient),
            Some(_) => return Err(UsageError::new("FAIL", "is neither fatal nor transient")),
        };
        Ok(Order { sleep, fail })
    }
}

/// Progress is in milliseconds.
async fn sleep(context: &Context, sleep: Duration) -> Result<(), Failure> {
    let start = Instant::now();
    let total = sleep.as_millis() as u64;
    if total > 0 {
        context.log(format!("sleeping for {} s", sleep.as_secs_f64()));
    }
    while start.elapsed() < sleep {
        context.progress(start.elapsed().as_millis() as u64, total, 0, "sleeping");
        tokio::select! {
            () = sleep_until(start + sleep.min(start.elapsed() + TICK)) => {}
            () = context.cancelled() => return Err(Failure::Cancelled),
        }
    }
    if total > 0 {
        context.progress(total, total, 0, "awake");
        context.log("awake");
    }
    context.checkpoint()
}

/// `{"NAME": ["value", …]}`; an uploaded value is its text.
async fn echo(context: &Context) -> Result<Value, Failure> {
    let mut names = Map::new();
    for parameter in context.parameters().iter() {
        let bytes: Bytes = context.value(&parameter.value).await?;
        let text = Value::String(String::from_utf8_lossy(&bytes).into_owned());
        let values = names
            .entry(parameter.name.as_str())
            .or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(values) = values {
            values.push(text);
        }
    }
    Ok(Value::Object(names))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uws::ParameterValue;

    fn order(pairs: &[(&str, &str)]) -> Result<Order, UsageError> {
        let mut parameters = Parameters::default();
        for (name, value) in pairs {
            parameters
                .push(name, ParameterValue::Inline((*value).into()))
                .unwrap();
        }
        Order::read(&parameters)
    }

    #[test]
    fn orders_are_read_and_bad_ones_name_their_parameter() {
        assert_eq!(
            order(&[]).map(|order| (order.sleep, order.fail)),
            Ok((Duration::ZERO, None))
        );
        let both = order(&[("sleep", " 0.25 "), ("Fail", "TRANSIENT"), ("anything", "x")]);
        assert_eq!(
            both.map(|order| (order.sleep, order.fail)),
            Ok((Duration::from_millis(250), Some(ErrorKind::Transient)))
        );
        for bad in ["-1", "NaN", "inf", "1e300", "soon", "86401"] {
            assert_eq!(
                order(&[("SLEEP", bad)])
                    .err()
                    .map(|error| error.parameter)
                    .as_deref(),
                Some("SLEEP"),
                "{bad}"
            );
        }
        assert_eq!(
            order(&[("FAIL", "maybe")])
                .err()
                .map(|error| error.parameter)
                .as_deref(),
            Some("FAIL")
        );
    }
}
