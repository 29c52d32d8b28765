//! Server-sent events: what happens to the caller's jobs, as it happens.

use std::time::Duration;

use futures::{Stream, StreamExt, stream::BoxStream};
use poem::{
    IntoResponse, Response,
    web::sse::{Event, SSE},
};
use serde::Serialize;

use super::crowd::Ticket;
use crate::{
    jobs::{EventKind, JobEvent},
    store::JobSummary,
    uws::{JobId, Phase, Timestamp},
};

/// Pause after which a comment shows that the stream lives; below what proxies cut off.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A stream ends after this: the client opens another, and must show anew who it is.
const LONGEST: Duration = Duration::from_mins(10);

/// A job in a list or an event.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary<'a> {
    id: JobId,
    service: &'a str,
    href: String,
    phase: Phase,
    run_id: Option<&'a str>,
    owner_id: Option<&'a str>,
    creation_time: Timestamp,
    start_time: Option<Timestamp>,
    end_time: Option<Timestamp>,
    destruction: Option<Timestamp>,
    progress_done: Option<u64>,
    progress_total: Option<u64>,
    progress_failed: Option<u64>,
    progress_note: Option<&'a str>,
    results: u64,
    error: Option<&'a str>,
    version: i64,
}

/// A job as lists and events give it; `base` is the public URL.
pub fn summary<'a>(summary: &'a JobSummary, base: &str) -> Summary<'a> {
    let job = &summary.job;
    Summary {
        id: job.id,
        service: &job.service,
        href: format!("{base}/api/{}/async/{}", job.service, job.id),
        phase: job.phase,
        run_id: job.run_id.as_deref(),
        owner_id: job.owner.as_deref(),
        creation_time: job.creation_time,
        start_time: summary.start_time,
        end_time: summary.end_time,
        destruction: summary.destruction,
        progress_done: summary.progress_done,
        progress_total: summary.progress_total,
        progress_failed: summary.progress_failed,
        progress_note: summary.progress_note.as_deref(),
        results: summary.results,
        error: summary.error.as_deref(),
        version: summary.version,
    }
}

/// The stream; the ticket is held for as long as it is open.
pub fn stream(events: BoxStream<'static, JobEvent>, base: String, ticket: Ticket) -> Response {
    let events = ending_after(LONGEST, events);
    let events = events.map(move |event| {
        let _open = &ticket;
        rendered(&event, &base)
    });
    // A first line at once, so that the client knows that it is connected.
    let events = futures::stream::iter([Event::retry(2_000)]).chain(events);
    SSE::new(events).keep_alive(KEEP_ALIVE).into_response()
}

/// Those of the events that come in this time.
fn ending_after<E>(time: Duration, events: impl Stream<Item = E>) -> impl Stream<Item = E> {
    events.take_until(tokio::time::sleep(time))
}

fn rendered(event: &JobEvent, base: &str) -> Event {
    #[derive(Serialize)]
    struct Destroyed<'a> {
        id: JobId,
        service: &'a str,
        #[serde(rename = "destroyed")]
        at: Timestamp,
    }
    let (kind, data) = match &event.kind {
        EventKind::Job(job) => ("job", serde_json::to_string(&summary(job, base))),
        EventKind::Progress(job) => ("progress", serde_json::to_string(&summary(job, base))),
        EventKind::Destroyed(tombstone) => {
            let destroyed = Destroyed {
                id: tombstone.id,
                service: &tombstone.service,
                at: tombstone.at,
            };
            ("job", serde_json::to_string(&destroyed))
        }
        EventKind::Resync => ("resync", Ok("{}".to_owned())),
    };
    let message = Event::message(data.unwrap_or_default()).event_type(kind);
    // Without a number of its own an event must not change the last one that the client has seen.
    if event.sequence == 0 {
        message
    } else {
        message.id(event.sequence.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use poem_openapi::types::{ParseFromJSON, ToJSON};

    use super::*;
    use crate::{http::schema, uws::JobRef};

    fn example() -> JobSummary {
        JobSummary {
            job: JobRef {
                id: JobId::new(),
                service: "echo".into(),
                phase: Phase::Executing,
                run_id: Some("a\nb".into()),
                owner: Some("local".into()),
                creation_time: "2026".parse().unwrap(),
            },
            start_time: Some("2026".parse().unwrap()),
            end_time: None,
            destruction: None,
            progress_done: Some(1),
            progress_total: Some(2),
            progress_failed: Some(1),
            progress_note: None,
            results: 0,
            error: None,
            version: 3,
        }
    }

    #[test]
    fn a_summary_has_the_shape_of_its_schema() {
        let value = serde_json::to_value(summary(&example(), "http://x")).unwrap();
        let read = schema::JobSummary::parse_from_json(Some(value.clone()))
            .ok()
            .unwrap();
        assert_eq!(read.to_json(), Some(value));
    }

    #[tokio::test]
    async fn who_listens_is_asked_again() {
        let silence = ending_after(Duration::ZERO, futures::stream::pending::<()>());
        assert_eq!(silence.collect::<Vec<_>>().await, []);
    }

    #[test]
    fn events_are_named_and_numbered_and_on_one_line() {
        let event = |sequence, kind| rendered(&JobEvent { sequence, kind }, "http://x").to_string();
        let text = event(7, EventKind::Progress(Arc::new(example())));
        assert!(text.starts_with("id: 7\nevent: progress\ndata: {"), "{text}");
        assert_eq!(text.lines().count(), 4);
        assert_eq!(event(0, EventKind::Resync), "event: resync\ndata: {}\n\n");
    }
}
