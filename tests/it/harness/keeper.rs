//! A stand-in for LTD Keeper, and for Fastly: no documentation is built there. It gives recorded answers of the real
//! Keeper 1.23.0 and 2.x, or whatever a test tells it to, and counts what it is asked.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use poem::http::StatusCode;
use poem::listener::TcpAcceptor;
use poem::{Request, Response, Route, endpoint::make};
use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};

/// Only to end a test that would hang.
const PATIENCE: Duration = Duration::from_mins(1);

/// Stops when it is dropped.
pub struct Keeper {
    desk: Arc<Desk>,
    url: String,
    server: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

#[derive(Default)]
struct Desk {
    answers: Mutex<HashMap<String, Answer>>,
    /// What is answered before those, each once.
    once: Mutex<HashMap<String, VecDeque<Answer>>>,
    /// `METHOD /path`, in the order in which they came.
    asked: watch::Sender<Vec<String>>,
    held: watch::Sender<Held>,
}

/// What is not answered for now.
#[derive(Clone, Default, PartialEq)]
enum Held {
    #[default]
    Nothing,
    All,
    /// This: `METHOD /path`.
    One(String),
}

/// What a path answers.
#[derive(Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
}

impl Answer {
    pub fn json(body: impl Into<Bytes>) -> Self {
        Self {
            status: 200,
            headers: vec![("content-type", "application/json".to_owned())],
            body: body.into(),
        }
    }

    pub fn status(status: u16) -> Self {
        Self {
            status,
            headers: vec![("content-type", "text/html".to_owned())],
            body: Bytes::from_static(b"<!doctype html><title>Error</title>"),
        }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl Keeper {
    /// On a free port of loopback; every path is 404 until it is told otherwise.
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let desk = Arc::new(Desk::default());
        let (stop, stopped) = oneshot::channel();
        // A thread and a runtime of its own, so that it answers while a test's thread waits for something else.
        let thread = std::thread::spawn({
            let desk = Arc::clone(&desk);
            move || serve(listener, &desk, stopped)
        });
        Self {
            desk,
            url,
            server: Some((stop, thread)),
        }
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Answers so from now on; a path begins with its method where that is not GET (`POST /service/…`).
    pub fn answer(&self, path: &str, answer: Answer) {
        self.answers().insert(path.to_owned(), answer);
    }

    /// Answers so the next time only.
    pub fn answer_once(&self, path: &str, answer: Answer) {
        let mut once = self.desk.once.lock().expect("the answers");
        once.entry(path.to_owned()).or_default().push_back(answer);
    }

    /// Answers 404 from now on.
    pub fn forget(&self, path: &str) {
        self.answers().remove(path);
    }

    /// Has this product, as the bulk call gives it; its own URLs are this server's.
    pub fn publish(&self, bulk: &Value) {
        let slug = bulk["product"]["slug"].as_str().expect("a slug").to_owned();
        let body = bulk.to_string().replace("http://127.0.0.1:15000", &self.url);
        self.answer(&format!("/products/{slug}/dashboard"), Answer::json(body));
        let mut answers = self.answers();
        let path = "/products/".to_owned();
        let mut products: Value = answers.get(&path).map_or_else(
            || json!({ "products": [] }),
            |answer| serde_json::from_slice(&answer.body).expect("JSON"),
        );
        let url = json!(format!("{}/products/{slug}", self.url));
        let list = products["products"].as_array_mut().expect("a list");
        if !list.contains(&url) {
            list.push(url);
        }
        answers.insert(path, Answer::json(products.to_string()));
    }

    /// While it is held it takes requests and answers none.
    pub fn hold(&self, held: bool) {
        self.desk
            .held
            .send_replace(if held { Held::All } else { Held::Nothing });
    }

    /// Until `hold(false)` it does not answer this.
    pub fn hold_only(&self, asked: &str) {
        self.desk.held.send_replace(Held::One(asked.to_owned()));
    }

    /// How often it was asked for this.
    pub fn count(&self, asked: &str) -> usize {
        self.desk
            .asked
            .borrow()
            .iter()
            .filter(|one| *one == asked)
            .count()
    }

    /// All that it was asked.
    pub fn asked(&self) -> Vec<String> {
        self.desk.asked.borrow().clone()
    }

    /// Waits until it was asked for this so often.
    pub async fn until_asked(&self, asked: &str, times: usize) {
        let mut watch = self.desk.asked.subscribe();
        let enough = watch.wait_for(|all| all.iter().filter(|one| *one == asked).count() >= times);
        let waited = tokio::time::timeout(PATIENCE, enough).await;
        assert!(waited.is_ok(), "asked only {:?}", self.asked());
    }

    fn answers(&self) -> MutexGuard<'_, HashMap<String, Answer>> {
        self.desk.answers.lock().expect("the answers")
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.hold(false);
        if let Some((stop, thread)) = self.server.take() {
            let _ = stop.send(());
            let _ = thread.join();
        }
    }
}

fn serve(listener: std::net::TcpListener, desk: &Arc<Desk>, stopped: oneshot::Receiver<()>) {
    let desk = Arc::clone(desk);
    let any = make(move |request: Request| {
        let desk = Arc::clone(&desk);
        async move { Ok::<_, poem::Error>(desk.answer(&request).await) }
    });
    let routes = Route::new().at("/*path", any);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let acceptor = TcpAcceptor::from_std(listener).expect("a socket");
        tokio::select! {
            served = poem::Server::new_with_acceptor(acceptor).run(routes) => served.expect("a server"),
            _ = stopped => {}
        }
    });
}

impl Desk {
    async fn answer(&self, request: &Request) -> Response {
        let path = request.uri().path().to_owned();
        let asked = format!("{} {path}", request.method());
        self.asked.send_modify(|all| all.push(asked.clone()));
        let mut held = self.held.subscribe();
        // It outlives its requests.
        let is_free = |held: &Held| match held {
            Held::Nothing => true,
            Held::All => false,
            Held::One(one) => *one != asked,
        };
        let _ = held.wait_for(is_free).await;
        let once = {
            let mut once = self.once.lock().expect("the answers");
            once.get_mut(&asked).and_then(VecDeque::pop_front)
        };
        let answer = {
            let answers = self.answers.lock().expect("the answers");
            let found = answers.get(&asked).or_else(|| answers.get(&path));
            once.or_else(|| found.cloned())
                .unwrap_or_else(|| Answer::status(404))
        };
        let status = StatusCode::from_u16(answer.status).expect("a status");
        let mut response = Response::builder().status(status);
        for (name, value) in answer.headers {
            response = response.header(name, value);
        }
        response.body(answer.body)
    }
}
