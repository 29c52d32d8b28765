//! A web server of images that goes wrong as a test tells it to: a stand-in for the stores that images lie in, no store
//! of anybody's. It knows ranges and If-Match (RFC 9110), and tells what it is asked for.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Only to end a test that would hang.
const PATIENCE: Duration = Duration::from_mins(1);

/// What becomes of an image.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// 404.
    Gone,
    /// 500.
    Failing,
    /// Each answer ends in its middle, with the connection.
    BreaksOff,
    /// It is another one from now on.
    Replaced(Vec<u8>),
    /// Answers wait until [`Images::release`].
    Held,
}

/// Stops with the test's runtime.
pub struct Images {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    files: Mutex<BTreeMap<String, Image>>,
    /// Names of images, in the order in which they were asked for.
    asked: watch::Sender<Vec<String>>,
    /// How often what was held was let go.
    released: watch::Sender<u32>,
}

#[derive(Clone)]
struct Image {
    bytes: Bytes,
    version: u32,
    /// After so many more answers.
    trouble: Option<(usize, Trouble)>,
}

impl Image {
    fn replace(&mut self, bytes: Vec<u8>) {
        (self.bytes, self.version, self.trouble) = (bytes.into(), self.version + 1, None);
    }
}

impl Images {
    /// Serves these, by their names, on a free port of the loopback interface.
    pub async fn serve(images: &[(&str, Vec<u8>)]) -> Self {
        let image = |bytes: &Vec<u8>| Image {
            bytes: bytes.clone().into(),
            version: 1,
            trouble: None,
        };
        let files = images
            .iter()
            .map(|(name, bytes)| ((*name).to_owned(), image(bytes)));
        let state = Arc::new(State {
            files: Mutex::new(files.collect()),
            asked: watch::Sender::new(Vec::new()),
            released: watch::Sender::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let serving = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let state = Arc::clone(&serving);
                let service = service_fn(move |request| answer(Arc::clone(&state), request));
                let connection = hyper::server::conn::http1::Builder::new();
                // A client that goes away, or is sent away, is no matter.
                tokio::spawn(connection.serve_connection(TokioIo::new(socket), service));
            }
        });
        Self { address, state }
    }

    pub fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }

    /// Makes trouble with an image, once it was answered so many times more.
    pub fn trouble(&self, name: &str, after: usize, trouble: Trouble) {
        self.state
            .change(name, |image| image.trouble = Some((after, trouble)));
    }

    /// Another image of this name, at once.
    pub fn replace(&self, name: &str, bytes: Vec<u8>) {
        self.state.change(name, |image| image.replace(bytes));
    }

    /// Lets go what is held, and holds no more.
    pub fn release(&self) {
        for image in self.state.files().values_mut() {
            image
                .trouble
                .take_if(|(_, trouble)| matches!(trouble, Trouble::Held));
        }
        self.state.released.send_modify(|times| *times += 1);
    }

    /// How often an image has been asked for.
    pub fn asked(&self, name: &str) -> usize {
        count(&self.state.asked.borrow(), name)
    }

    /// Waits until an image has been asked for so many times.
    pub async fn until_asked(&self, name: &str, times: usize) {
        let mut asked = self.state.asked.subscribe();
        let done = tokio::time::timeout(PATIENCE, asked.wait_for(|asked| count(asked, name) >= times));
        assert!(
            done.await.is_ok(),
            "{name} was asked for {} times",
            self.asked(name)
        );
    }
}

fn count(asked: &[String], name: &str) -> usize {
    asked.iter().filter(|asked| *asked == name).count()
}

impl State {
    fn files(&self) -> MutexGuard<'_, BTreeMap<String, Image>> {
        self.files.lock().expect("no test panics with it")
    }

    #[track_caller]
    fn change(&self, name: &str, change: impl FnOnce(&mut Image)) {
        change(self.files().get_mut(name).expect("an image that is served"));
    }

    /// The image as it is for the next answer, and what becomes of that.
    fn next(&self, name: &str) -> Option<(Image, Option<Trouble>)> {
        let mut files = self.files();
        let image = files.get_mut(name)?;
        let trouble = match &mut image.trouble {
            Some((0, trouble)) => Some(trouble.clone()),
            Some((left, _)) => {
                *left -= 1;
                None
            }
            None => None,
        };
        if let Some(Trouble::Replaced(bytes)) = &trouble {
            image.replace(bytes.clone());
        }
        Some((image.clone(), trouble))
    }
}

async fn answer(state: Arc<State>, request: Request<Incoming>) -> Result<Response<Part>, Infallible> {
    let name = request.uri().path().trim_start_matches('/').to_owned();
    let mut released = state.released.subscribe();
    let next = state.next(&name);
    state.asked.send_modify(|asked| asked.push(name.clone()));
    let status = |status: u16| {
        let response = Response::builder().status(status).header("content-length", 0);
        Ok(response.body(Part::default()).expect("a response"))
    };
    let Some((image, trouble)) = next else {
        return status(404);
    };
    match trouble {
        Some(Trouble::Gone) => return status(404),
        Some(Trouble::Failing) => return status(500),
        // The sender lives as long as the state.
        Some(Trouble::Held) => drop(released.changed().await),
        Some(Trouble::BreaksOff | Trouble::Replaced(_)) | None => {}
    }
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let tag = format!("\"version {}\"", image.version);
    if header("if-match").is_some_and(|wanted| wanted != tag) {
        return status(412);
    }
    let size = image.bytes.len();
    let range = header("range").and_then(|range| {
        let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
        Some((
            first.parse::<usize>().ok()?,
            last.parse::<usize>().ok()?.min(size - 1),
        ))
    });
    let response = Response::builder()
        .header("etag", tag)
        .header("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        .header("accept-ranges", "bytes");
    let (response, bytes) = match range {
        Some((first, last)) if first <= last => {
            let range = format!("bytes {first}-{last}/{size}");
            let response = response.status(206).header("content-range", range);
            (response, image.bytes.slice(first..=last))
        }
        Some(_) => return status(416),
        None => (response, image.bytes.clone()),
    };
    let response = response.header("content-length", bytes.len());
    let part = match trouble {
        _ if request.method() == Method::HEAD => Part::default(),
        Some(Trouble::BreaksOff) => Part {
            bytes: Some(bytes.slice(..bytes.len() / 2)),
            breaks_off: true,
        },
        _ => Part {
            bytes: Some(bytes),
            breaks_off: false,
        },
    };
    Ok(response.body(part).expect("a response"))
}

/// A body of one piece, after which the connection may break.
#[derive(Default)]
struct Part {
    bytes: Option<Bytes>,
    breaks_off: bool,
}

impl Body for Part {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let bytes = self.bytes.take().filter(|bytes| !bytes.is_empty());
        Poll::Ready(match bytes {
            Some(bytes) => Some(Ok(Frame::data(bytes))),
            None if self.breaks_off => Some(Err(std::io::ErrorKind::ConnectionReset.into())),
            None => None,
        })
    }
}
