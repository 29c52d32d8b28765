//! Server-sent events: what happens to the caller's jobs, as it happens.

use futures::StreamExt;
use futures::stream::BoxStream;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::harness::{Backend, Site, on_both_back_ends};
use crate::uws::{RUN, create, id};

on_both_back_ends!(
    a_job_is_told_of_from_its_making_to_its_end,
    a_listener_that_comes_back_misses_nothing,
    what_is_not_remembered_is_a_resync,
    what_no_hint_has_told_of_is_told_by_a_poll,
);

/// An open stream of events.
pub struct Events {
    lines: BoxStream<'static, String>,
}

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub id: Option<u64>,
    pub kind: String,
    pub data: Value,
}

impl Events {
    /// Opens the stream, and reads the line that says that it is open.
    pub async fn open(site: &Site, last: Option<&str>) -> Events {
        let request = site.request(Method::GET, "/api/v1/events");
        let request = match last {
            Some(last) => request.header("Last-Event-ID", last),
            None => request,
        };
        Self::of(request).await
    }

    /// Opens the stream by this request.
    pub async fn of(request: RequestBuilder) -> Events {
        let answer = request.send().await.expect("a stream");
        assert_eq!(answer.status(), 200);
        assert!(
            answer.headers()["content-type"]
                .to_str()
                .unwrap()
                .starts_with("text/event-stream")
        );
        let pieces = answer
            .bytes_stream()
            .map(|piece| piece.map(|piece| piece.to_vec()));
        let pieces = pieces.take_while(|piece| std::future::ready(piece.is_ok()));
        let state = (pieces.boxed(), Vec::<u8>::new());
        let lines = futures::stream::unfold(state, |(mut pieces, mut rest)| async move {
            loop {
                if let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                    let line = rest.drain(..=end).collect::<Vec<_>>();
                    let line = String::from_utf8(line).expect("UTF-8");
                    return Some((line.trim_end().to_owned(), (pieces, rest)));
                }
                rest.extend(pieces.next().await?.expect("a piece"));
            }
        });
        let mut events = Events { lines: lines.boxed() };
        let first = events.lines.next().await.expect("a first line");
        assert!(first.starts_with("retry:"), "{first}");
        events
    }

    /// The next event; nothing once the server has ended the stream.
    pub async fn next(&mut self) -> Option<Event> {
        let mut event = Event {
            id: None,
            kind: String::new(),
            data: Value::Null,
        };
        loop {
            let line = self.lines.next().await?;
            match line.split_once(": ") {
                Some(("id", id)) => event.id = Some(id.parse().expect("a number")),
                Some(("event", kind)) => kind.clone_into(&mut event.kind),
                Some(("data", data)) => event.data = serde_json::from_str(data).expect("JSON"),
                _ if line.is_empty() && !event.kind.is_empty() => return Some(event),
                // The blank line after `retry`, and comments that keep the connection alive.
                _ => assert!(line.is_empty() || line.starts_with(':'), "{line}"),
            }
        }
    }

    /// Reads on to the first event that is as wanted, and gives those before it too.
    pub async fn until(&mut self, wanted: impl Fn(&Event) -> bool) -> Vec<Event> {
        let mut read = Vec::new();
        loop {
            let event = self
                .next()
                .await
                .unwrap_or_else(|| panic!("the stream has ended after {read:?}"));
            let found = wanted(&event);
            read.push(event);
            if found {
                return read;
            }
        }
    }
}

async fn a_job_is_told_of_from_its_making_to_its_end(backend: Backend) {
    let site = Site::start(backend).await;
    let mut events = Events::open(&site, None).await;
    let job = create(&site, &[("RUNID", "a"), ("SLEEP", "0.8")]).await;
    let made = events.next().await.unwrap();
    assert_eq!(
        (made.kind.as_str(), &made.data["phase"], &made.data["runId"]),
        ("job", &json!("PENDING"), &json!("a"))
    );
    assert_eq!(
        (&made.data["id"], &made.data["href"]),
        (&json!(id(&job)), &json!(job))
    );

    site.post(&format!("{job}/phase"), &[RUN]).await.expect(303);
    let seen = events.until(|event| event.data["phase"] == "COMPLETED").await;
    assert!(
        seen.iter()
            .any(|event| event.kind == "job" && event.data["phase"] == "EXECUTING"),
        "{seen:?}"
    );
    assert!(
        seen.iter()
            .any(|event| event.kind == "progress" && event.data["progressTotal"] == 800),
        "{seen:?}"
    );
    assert_eq!(
        (&seen.last().unwrap().kind, &seen.last().unwrap().data["results"]),
        (&"job".to_owned(), &json!(1))
    );
    let numbers: Vec<_> = seen.iter().map(|event| event.id.expect("a number")).collect();
    assert!(
        numbers.is_sorted_by(|a, b| a < b) && numbers[0] > made.id.unwrap(),
        "{numbers:?}"
    );

    let label = json!({"runId": "b"});
    site.send(
        site.request(Method::PATCH, &format!("/api/v1/jobs/{}", id(&job)))
            .json(&label),
    )
    .await
    .expect(200);
    events
        .until(|event| event.kind == "job" && event.data["runId"] == "b")
        .await;
    site.delete(&job).await.expect(303);
    let gone = events
        .until(|event| event.data["destroyed"].is_string())
        .await
        .pop()
        .unwrap();
    assert_eq!(
        (gone.kind.as_str(), &gone.data["id"], &gone.data["service"]),
        ("job", &json!(id(&job)), &json!("echo"))
    );
}

async fn a_listener_that_comes_back_misses_nothing(backend: Backend) {
    let site = Site::start(backend).await;
    // One that stays, so that events are read all the time.
    let mut stays = Events::open(&site, None).await;
    let mut leaves = Events::open(&site, None).await;
    let first = create(&site, &[]).await;
    let of = |job: &str| {
        let job = id(job).to_owned();
        move |event: &Event| event.data["id"] == job.as_str()
    };
    let last = leaves.until(of(&first)).await.pop().unwrap().id.unwrap();
    stays.until(|event| event.id == Some(last)).await;
    drop(leaves);

    let second = create(&site, &[]).await;
    let mut missed = stays.until(of(&second)).await;
    site.delete(&first).await.expect(303);
    missed.extend(stays.until(|event| event.data["destroyed"].is_string()).await);
    let mut back = Events::open(&site, Some(&last.to_string())).await;
    let mut told = back.until(|event| event.data["destroyed"].is_string()).await;
    assert_eq!(told, missed);
    assert!(told.iter().any(of(&second)), "{told:?}");
    // And goes on.
    create(&site, &[]).await;
    (missed, told) = (
        vec![stays.next().await.unwrap()],
        vec![back.next().await.unwrap()],
    );
    assert_eq!(told, missed);
}

async fn what_is_not_remembered_is_a_resync(backend: Backend) {
    let site = Site::start(backend).await;
    for last in ["999999", "nonsense", "-1"] {
        let mut events = Events::open(&site, Some(last)).await;
        let event = events.next().await.unwrap();
        assert_eq!(
            (event.kind.as_str(), &event.data),
            ("resync", &json!({})),
            "{last}"
        );
        // Then as for everyone.
        let job = create(&site, &[]).await;
        events
            .until(|event| event.kind == "job" && event.data["id"] == id(&job))
            .await;
    }
}

/// A NOTIFY is lost with its connection; only the database knows.
async fn what_no_hint_has_told_of_is_told_by_a_poll(backend: Backend) {
    let site = Site::start(backend).await;
    let mut events = Events::open(&site, None).await;
    let jobs = [create(&site, &[]).await, create(&site, &[]).await];
    for job in &jobs {
        events
            .until(|event| event.kind == "job" && event.data["id"] == id(job))
            .await;
    }
    let store = site.store().await;
    let [aborted, destroyed] = jobs.map(|job| id(&job).parse().expect("an id"));
    assert!(store.abort(aborted).await.expect("the database").is_some());
    events
        .until(|event| event.data["id"] == aborted.to_string() && event.data["phase"] == "ABORTED")
        .await;
    assert!(store.destroy(destroyed).await.expect("the database").is_some());
    let told = events
        .until(|event| event.data["id"] == destroyed.to_string())
        .await;
    let last = told.last().expect("an event");
    assert!(last.data["destroyed"].is_string(), "{told:?}");
}

#[tokio::test]
async fn events_of_one_replica_are_told_by_the_other() {
    let site = Site::start(Backend::Cluster).await;
    let other = site.replica().await;
    let mut events = Events::open(&other, None).await;
    let job = create(&site, &[("SLEEP", "0.3"), RUN]).await;
    events
        .until(|event| event.data["id"] == id(&job) && event.data["phase"] == "COMPLETED")
        .await;
}
