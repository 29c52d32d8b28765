//! Bounds of a request's body: its length, the time that it may take, and what the requests of a caller, and all
//! requests together, may hold.
//!
//! Counted while it is read, whoever reads it; a `Content-Length` is believed only when it is too large.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
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
/// Bodies of the largest size that may be held at once.
pub const UPLOADS: u64 = 8;
/// Callers after whose number those that hold nothing are forgotten.
const MANY: usize = 1_000;
/// Bytes in one unit of the budget.
const UNIT: u64 = 1_024;

type Source = BoxStream<'static, io::Result<Bytes>>;

/// What bodies may cost, shared by all requests.
#[derive(Clone)]
pub struct Bounds {
    largest: u64,
    budget: Arc<Semaphore>,
    callers: Arc<Callers>,
    /// Longest pause of a client that sends a body.
    pause: Duration,
}

/// What befell a body, kept for as long as its bytes are.
#[derive(Clone)]
pub struct Watch {
    watched: Arc<Mutex<Watched>>,
    callers: Arc<Callers>,
}

#[derive(Default)]
struct Watched {
    fault: Option<Fault>,
    held: Option<OwnedSemaphorePermit>,
    /// The budget of the caller, once that is known, and what is taken of it.
    own: Option<Arc<Semaphore>>,
    held_of_own: Option<OwnedSemaphorePermit>,
}

/// What each caller may hold.
struct Callers {
    units: usize,
    budgets: Mutex<HashMap<String, Weak<Semaphore>>>,
}

impl Callers {
    fn budget(&self, name: &str) -> Arc<Semaphore> {
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(budget) = budgets.get(name).and_then(Weak::upgrade) {
            return budget;
        }
        if budgets.len() >= MANY {
            budgets.retain(|_, budget| budget.strong_count() > 0);
        }
        let budget = Arc::new(Semaphore::new(self.units));
        budgets.insert(name.to_owned(), Arc::downgrade(&budget));
        budget
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    TooLarge(u64),
    TooSlow,
    NoRoom,
    TooMany,
}

impl Bounds {
    /// At most `largest` bytes in a body, and [`UPLOADS`] such bodies at once, so many of them a caller's.
    pub fn new(largest: u64, of_caller: u64) -> Self {
        let units = |bodies| {
            usize::try_from((largest / UNIT + 1).saturating_mul(bodies))
                .unwrap_or(usize::MAX)
                .min(Semaphore::MAX_PERMITS)
        };
        Bounds {
            largest,
            budget: Arc::new(Semaphore::new(units(UPLOADS))),
            callers: Arc::new(Callers {
                units: units(of_caller),
                budgets: Mutex::default(),
            }),
            pause: PAUSE,
        }
    }

    /// Puts the bounds around the body of `request`. The watch must live as long as what is made of the body.
    pub fn put(&self, request: &mut Request) -> Watch {
        let watch = Watch {
            watched: Arc::default(),
            callers: Arc::clone(&self.callers),
        };
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
        request.set_data(watch.clone());
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
                if let Err(fault) = watch.hold(&bounds.budget, units) {
                    drain(body);
                    return Err(watch.fail(fault));
                }
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
    /// Whose body it is: it counts for this caller from here on.
    pub fn belongs_to(&self, caller: &str) {
        let budget = self.callers.budget(caller);
        self.watched().own = Some(budget);
    }

    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the body could not be read, if it could not; it then matters more than what followed from it.
    pub fn problem(&self) -> Option<Problem> {
        let fault = self.watched().fault?;
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
            Fault::TooMany => {
                let message = "you have too many uploads under way at once; try again when one has ended";
                Problem::too_many(message, Duration::from_secs(5))
            }
        })
    }

    fn fail(&self, fault: Fault) -> io::Error {
        self.watched().fault = Some(fault);
        io::Error::other("the body is out of bounds")
    }

    /// Takes so many units of the budget, and of the caller's if it is known.
    fn hold(&self, budget: &Arc<Semaphore>, units: u64) -> Result<(), Fault> {
        let take = |budget: &Arc<Semaphore>| {
            let units = u32::try_from(units).ok()?;
            Arc::clone(budget).try_acquire_many_owned(units).ok()
        };
        let mut watched = self.watched();
        if let Some(own) = &watched.own {
            let taken = take(own).ok_or(Fault::TooMany)?;
            add(&mut watched.held_of_own, taken);
        }
        let taken = take(budget).ok_or(Fault::NoRoom)?;
        add(&mut watched.held, taken);
        Ok(())
    }
}

fn add(held: &mut Option<OwnedSemaphorePermit>, taken: OwnedSemaphorePermit) {
    match held {
        Some(held) => held.merge(taken),
        None => *held = Some(taken),
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
        let bounds = Bounds::new(10, UPLOADS);
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
            status(&Bounds::new(10, UPLOADS).put(&mut request)),
            Some(StatusCode::PAYLOAD_TOO_LARGE)
        );
    }

    #[tokio::test]
    async fn the_budget_is_given_back_with_the_watch() {
        let bounds = Bounds {
            budget: Arc::new(Semaphore::new(4)),
            ..Bounds::new(4 * UNIT, UPLOADS)
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
    async fn a_caller_holds_no_more_than_a_share() {
        let bounds = Bounds::new(4 * UNIT, 1);
        let post = |caller: &str| {
            let body = vec![0; 3 * UNIT as usize];
            let mut request = Request::builder().method(Method::POST).body(body);
            let watch = bounds.put(&mut request);
            request.data::<Watch>().unwrap().belongs_to(caller);
            (watch, request.take_body().into_vec())
        };
        let (first, body) = post("a");
        body.await.unwrap();
        let (second, body) = post("a");
        assert!(body.await.is_err());
        assert_eq!(status(&second), Some(StatusCode::TOO_MANY_REQUESTS));
        let (_other, body) = post("b");
        body.await.unwrap();
        drop((first, second));
        let (_third, body) = post("a");
        body.await.unwrap();
    }

    #[tokio::test]
    async fn a_client_that_stops_sending_is_given_up() {
        let mut request = Request::builder()
            .method(Method::POST)
            .body(Body::from_bytes_stream(stream::pending::<io::Result<Bytes>>()));
        let bounds = Bounds {
            pause: Duration::from_millis(1),
            ..Bounds::new(10, UPLOADS)
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
            let watch = Bounds::new(10, UPLOADS).put(&mut request);
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
