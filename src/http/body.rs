//! Bounds of a request's body: its length, the time that it may take, and what all requests together may hold.
//!
//! Counted while it is read, whoever reads it; a `Content-Length` is believed only when it is too large.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream, stream::BoxStream};
use poem::{
    Body, Request,
    http::{Method, StatusCode, header::CONTENT_LENGTH},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use super::problem::Problem;

/// Longest pause of a client that sends a body.
const PAUSE: Duration = Duration::from_secs(30);
/// Longest time that a body may take.
const WHOLE: Duration = Duration::from_mins(15);
/// For how long the rest of a body that is refused is read and thrown away: most clients look for the answer only when
/// they have sent all of it.
const DRAIN: Duration = Duration::from_secs(30);
/// Bytes in one unit of the budget.
const UNIT: u64 = 1_024;

type Source = BoxStream<'static, io::Result<Bytes>>;

/// What bodies may cost, shared by all requests.
#[derive(Clone)]
pub struct Bounds {
    largest: u64,
    budget: Arc<Semaphore>,
    /// Longest pause of a client that sends a body.
    pause: Duration,
}

/// What befell a body, kept for as long as its bytes are.
#[derive(Clone, Default)]
pub struct Watch(Arc<Mutex<Watched>>);

#[derive(Default)]
struct Watched {
    fault: Option<Fault>,
    held: Option<OwnedSemaphorePermit>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    TooLarge(u64),
    TooSlow,
    NoRoom,
}

impl Bounds {
    /// At most `largest` bytes in a body, and eight such bodies at once.
    pub fn new(largest: u64) -> Self {
        let units = (largest / UNIT + 1).saturating_mul(8);
        let units = usize::try_from(units)
            .unwrap_or(usize::MAX)
            .min(Semaphore::MAX_PERMITS);
        Bounds {
            largest,
            budget: Arc::new(Semaphore::new(units)),
            pause: PAUSE,
        }
    }

    /// Puts the bounds around the body of `request`. The watch must live as long as what is made of the body.
    pub fn put(&self, request: &mut Request) -> Watch {
        let watch = Watch::default();
        if matches!(*request.method(), Method::GET | Method::HEAD) {
            return watch;
        }
        let announced = request
            .headers()
            .get(CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if announced == Some(0) {
            return watch;
        }
        if announced.is_some_and(|length| length > self.largest) {
            watch.fail(Fault::TooLarge(self.largest));
            drain(request.take_body().into_bytes_stream().boxed());
            return watch;
        }
        let body = request.take_body().into_bytes_stream().boxed();
        request.set_body(Body::from_bytes_stream(self.bounded(body, watch.clone())));
        watch
    }

    fn bounded(&self, body: Source, watch: Watch) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let bounds = self.clone();
        let end = Instant::now() + WHOLE;
        stream::try_unfold((body, 0_u64), move |(mut body, mut read)| {
            let (bounds, watch) = (bounds.clone(), watch.clone());
            async move {
                let pause = (Instant::now() + bounds.pause).min(end);
                let Ok(chunk) = tokio::time::timeout_at(pause, body.next()).await else {
                    return Err(watch.fail(Fault::TooSlow));
                };
                let Some(chunk) = chunk.transpose()? else {
                    return Ok(None);
                };
                let before = read;
                read += chunk.len() as u64;
                if read > bounds.largest {
                    drain(body);
                    return Err(watch.fail(Fault::TooLarge(bounds.largest)));
                }
                let units = read.div_ceil(UNIT) - before.div_ceil(UNIT);
                let room = u32::try_from(units)
                    .ok()
                    .and_then(|units| bounds.budget.clone().try_acquire_many_owned(units).ok());
                let Some(room) = room else {
                    drain(body);
                    return Err(watch.fail(Fault::NoRoom));
                };
                watch.hold(room);
                Ok(Some((chunk, (body, read))))
            }
        })
    }
}

fn drain(mut body: Source) {
    tokio::spawn(tokio::time::timeout(DRAIN, async move {
        while let Some(Ok(_)) = body.next().await {}
    }));
}

impl Watch {
    /// Why the body could not be read, if it could not; it then matters more than what followed from it.
    pub fn problem(&self) -> Option<Problem> {
        let fault = self.0.lock().unwrap_or_else(PoisonError::into_inner).fault?;
        Some(match fault {
            Fault::TooLarge(largest) => Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the request's body is larger than {largest} bytes, the most that is taken"),
            ),
            Fault::TooSlow => Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "the request's body took too long to arrive",
            ),
            Fault::NoRoom => Problem::busy("too many uploads at once; try again", Duration::from_secs(5)),
        })
    }

    fn fail(&self, fault: Fault) -> io::Error {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fault = Some(fault);
        io::Error::other("the body is out of bounds")
    }

    fn hold(&self, room: OwnedSemaphorePermit) {
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut watched.held {
            Some(held) => held.merge(room),
            None => watched.held = Some(room),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(watch: &Watch) -> Option<StatusCode> {
        watch.problem().map(|problem| problem.status())
    }

    #[tokio::test]
    async fn a_body_is_counted_while_it_is_read() {
        let bounds = Bounds::new(10);
        for (body, fits) in [("0123456789", true), ("0123456789a", false)] {
            let mut request = Request::builder().method(Method::POST).body(body);
            let watch = bounds.put(&mut request);
            assert_eq!(request.take_body().into_vec().await.is_ok(), fits);
            assert_eq!(status(&watch), (!fits).then_some(StatusCode::PAYLOAD_TOO_LARGE));
        }
    }

    #[tokio::test]
    async fn a_length_that_is_too_large_is_refused_unread() {
        let mut request = Request::builder()
            .method(Method::POST)
            .header(CONTENT_LENGTH, "11")
            .body("");
        assert_eq!(
            status(&Bounds::new(10).put(&mut request)),
            Some(StatusCode::PAYLOAD_TOO_LARGE)
        );
    }

    #[tokio::test]
    async fn the_budget_is_given_back_with_the_watch() {
        let bounds = Bounds {
            largest: 4 * UNIT,
            budget: Arc::new(Semaphore::new(4)),
            pause: PAUSE,
        };
        let post = || {
            let mut request = Request::builder()
                .method(Method::POST)
                .body(vec![0; 3 * UNIT as usize]);
            let watch = bounds.put(&mut request);
            (watch, request.take_body().into_vec())
        };
        let (first, body) = post();
        body.await.unwrap();
        let (second, body) = post();
        assert!(body.await.is_err());
        assert_eq!(status(&second), Some(StatusCode::SERVICE_UNAVAILABLE));
        drop((first, second));
        let (third, body) = post();
        body.await.unwrap();
        assert_eq!(status(&third), None);
    }

    #[tokio::test]
    async fn a_client_that_stops_sending_is_given_up() {
        let mut request = Request::builder()
            .method(Method::POST)
            .body(Body::from_bytes_stream(stream::pending::<io::Result<Bytes>>()));
        let bounds = Bounds {
            pause: Duration::from_millis(1),
            ..Bounds::new(10)
        };
        let watch = bounds.put(&mut request);
        assert!(request.take_body().into_vec().await.is_err());
        assert_eq!(status(&watch), Some(StatusCode::REQUEST_TIMEOUT));
    }

    #[tokio::test]
    async fn the_rest_of_a_refused_body_is_taken_all_the_same() {
        use futures::{SinkExt, channel::mpsc};

        for announced in [None, Some("30")] {
            let (mut client, body) = mpsc::channel::<io::Result<Bytes>>(0);
            let mut request = Request::builder().method(Method::POST);
            if let Some(length) = announced {
                request = request.header(CONTENT_LENGTH, length);
            }
            let mut request = request.body(Body::from_bytes_stream(body));
            let watch = Bounds::new(10).put(&mut request);
            let reader = tokio::spawn(request.take_body().into_vec());
            for _ in 0..3 {
                client.send(Ok(Bytes::from_static(b"0123456789"))).await.unwrap();
            }
            client.close_channel();
            let _ = reader.await.unwrap();
            assert_eq!(status(&watch), Some(StatusCode::PAYLOAD_TOO_LARGE));
        }
    }
}
