//! Accepting connections: how many at once, in all and of one address, and how long one may be silent or take to ask.

use std::{
    collections::HashMap,
    io,
    net::IpAddr,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use poem::{
    http::uri::Scheme,
    listener::Acceptor,
    web::{LocalAddr, RemoteAddr},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep, sleep_until},
};

use crate::auth::network;

/// Connections that are served at once; more wait in the kernel's queue.
const CONNECTIONS: usize = 20_000;
/// Longest time without a byte in either direction: more than WAIT blocks.
const IDLE: Duration = Duration::from_mins(2);
/// Longest time without a byte of ours, however many the client sends: more than a body may take.
const UNANSWERED: Duration = Duration::from_mins(16);
/// Longest time from the first byte of a request to the end of its head (HTTP/1), and to the first request.
const HEAD: Duration = Duration::from_secs(30);
/// Pause after a connection could not be accepted, as when there are no more file descriptors.
const BREATH: Duration = Duration::from_millis(50);

/// Accepts connections within bounds.
pub struct Gate {
    listener: TcpListener,
    address: LocalAddr,
    room: Arc<Semaphore>,
    neighbours: Option<Arc<Neighbours>>,
    idle: Duration,
    head: Duration,
}

impl Gate {
    /// Over a listener that is bound, with at most so many connections of one address.
    pub fn new(listener: TcpListener, of_address: Option<usize>) -> io::Result<Self> {
        let address = LocalAddr(listener.local_addr()?.into());
        Ok(Gate {
            listener,
            address,
            room: Arc::new(Semaphore::new(CONNECTIONS)),
            neighbours: of_address.map(|most| {
                Arc::new(Neighbours {
                    most,
                    open: Mutex::default(),
                })
            }),
            idle: IDLE,
            head: HEAD,
        })
    }
}

impl Acceptor for Gate {
    type Io = Connection;

    fn local_addr(&self) -> Vec<LocalAddr> {
        vec![self.address.clone()]
    }

    async fn accept(&mut self) -> io::Result<(Connection, LocalAddr, RemoteAddr, Scheme)> {
        let room = self
            .room
            .clone()
            .acquire_owned()
            .await
            .map_err(io::Error::other)?;
        loop {
            match self.listener.accept().await {
                Ok((stream, remote)) => {
                    let seat = match &self.neighbours {
                        Some(neighbours) => match neighbours.enter(remote.ip()) {
                            Some(seat) => Some(seat),
                            // Closed at once, unread.
                            None => continue,
                        },
                        None => None,
                    };
                    // Answers are small and whole: they should not wait for more.
                    stream.set_nodelay(true)?;
                    let connection = Connection::new(stream, self.idle, self.head, (room, seat));
                    return Ok((
                        connection,
                        self.address.clone(),
                        RemoteAddr(remote.into()),
                        Scheme::HTTP,
                    ));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(BREATH).await;
                    return Err(error);
                }
            }
        }
    }
}

/// The open connections of each address.
struct Neighbours {
    most: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// An address's connection; dropping it makes room for another.
struct Seat {
    neighbours: Arc<Neighbours>,
    address: IpAddr,
}

impl Neighbours {
    /// One more connection of this address, if it may have one.
    fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Seat> {
        let address = network(address);
        let mut open = self.open();
        let own = open.entry(address).or_default();
        if *own >= self.most {
            tracing::debug!(%address, "has as many connections as it may have");
            return None;
        }
        *own += 1;
        Some(Seat {
            neighbours: Arc::clone(self),
            address,
        })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.neighbours.open();
        if let Some(own) = open.get_mut(&self.address) {
            *own -= 1;
            if *own == 0 {
                open.remove(&self.address);
            }
        }
    }
}

/// Where the client is in what it asks, as far as deadlines need to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Before a request, with nothing of it there.
    Before,
    /// In the head of a request.
    Head(Head),
    /// Behind the head: the body, or the answer.
    Behind,
    /// HTTP/2, which has heads of many requests at once.
    Frames,
    /// No longer HTTP: the client may go on for as long as it likes.
    Tunnel,
}

/// What has been read of a head.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Head {
    /// How far it reads as HTTP/2's preface; none once it does not.
    preface: Option<usize>,
    /// Whether there has been anything but ends of lines.
    some: bool,
    /// Whether the line is empty so far.
    bare: bool,
}

/// Beginning of an HTTP/2 connection (RFC 9113 section 3.4): as much as no method of HTTP/1 begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2";
/// Beginning of an answer after which the request goes on.
const CONTINUE: &[u8] = b"HTTP/1.1 100";
/// Beginning of an answer after which the connection is no longer HTTP.
const SWITCHED: &[u8] = b"HTTP/1.1 101";

impl Head {
    /// Of a connection's first request.
    fn first() -> Self {
        Head {
            preface: Some(0),
            ..Head::default()
        }
    }

    /// Where the client is after these bytes.
    fn read(mut self, bytes: &[u8]) -> Stage {
        for byte in bytes {
            self.preface = match self.preface {
                Some(at) if PREFACE[at] == *byte => Some(at + 1),
                _ => None,
            };
            if self.preface == Some(PREFACE.len()) {
                return Stage::Frames;
            }
            match byte {
                b'\n' if self.bare && self.some => return Stage::Behind,
                b'\n' => self.bare = true,
                b'\r' => {}
                _ => (self.some, self.bare) = (true, false),
            }
        }
        Stage::Head(self)
    }
}

/// A connection that ends when it is silent for too long.
pub struct Connection {
    stream: TcpStream,
    idle: Duration,
    last: Instant,
    last_written: Instant,
    stage: Stage,
    /// How long a head may take, and when the one that is being read, if one is, must have ended.
    head: Duration,
    head_end: Option<Instant>,
    alarm: Pin<Box<Sleep>>,
    _place: (OwnedSemaphorePermit, Option<Seat>),
}

impl Connection {
    fn new(
        stream: TcpStream,
        idle: Duration,
        head: Duration,
        place: (OwnedSemaphorePermit, Option<Seat>),
    ) -> Self {
        let now = Instant::now();
        let head_end = now + head;
        Connection {
            stream,
            idle,
            last: now,
            last_written: now,
            stage: Stage::Head(Head::first()),
            head,
            head_end: Some(head_end),
            alarm: Box::pin(sleep_until(head_end.min(now + idle))),
            _place: place,
        }
    }

    /// Ready once the connection has been silent for too long. The alarm is set anew only when it goes off.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            ready!(self.alarm.as_mut().poll(cx));
            let mut end = self.last + self.idle;
            if self.stage != Stage::Tunnel {
                end = end.min(self.last_written + UNANSWERED);
            }
            let end = self.head_end.map_or(end, |head_end| head_end.min(end));
            if end <= Instant::now() {
                return Poll::Ready(io::ErrorKind::TimedOut.into());
            }
            self.alarm.as_mut().reset(end);
        }
    }

    fn read(&mut self, bytes: &[u8]) {
        self.last = Instant::now();
        let stage = match self.stage {
            Stage::Before => Head::default().read(bytes),
            Stage::Head(head) => head.read(bytes),
            other => other,
        };
        self.head_end = match (self.stage, stage) {
            (Stage::Before, Stage::Head(_)) => {
                let end = self.last + self.head;
                if end < self.alarm.deadline() {
                    self.alarm.as_mut().reset(end);
                }
                Some(end)
            }
            (_, Stage::Head(_)) => self.head_end,
            _ => None,
        };
        self.stage = stage;
    }

    fn written(&mut self, bytes: &[u8]) {
        self.last = Instant::now();
        self.last_written = self.last;
        if self.stage == Stage::Behind && !bytes.starts_with(CONTINUE) {
            self.stage = if bytes.starts_with(SWITCHED) {
                Stage::Tunnel
            } else {
                Stage::Before
            };
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        match pin!(&mut this.stream).poll_read(cx, buffer) {
            Poll::Ready(done) => {
                this.read(buffer.filled().get(before..).unwrap_or_default());
                Poll::Ready(done)
            }
            Poll::Pending => this.poll_silence(cx).map(Err),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        match pin!(&mut this.stream).poll_write(cx, bytes) {
            Poll::Ready(done) => {
                this.written(bytes);
                Poll::Ready(done)
            }
            Poll::Pending => this.poll_silence(cx).map(Err),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        match pin!(&mut this.stream).poll_write_vectored(cx, bytes) {
            Poll::Ready(done) => {
                this.written(bytes.first().map_or(&[][..], |first| &first[..]));
                Poll::Ready(done)
            }
            Poll::Pending => this.poll_silence(cx).map(Err),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        pin!(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        pin!(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_silent_connection_is_given_up() {
        let mut gate = Gate::new(TcpListener::bind("127.0.0.1:0").await.unwrap(), None).unwrap();
        gate.idle = Duration::from_millis(300);
        let address = gate.listener.local_addr().unwrap();
        let mut client = TcpStream::connect(address).await.unwrap();
        let (mut connection, ..) = gate.accept().await.unwrap();
        client.write_all(b"x").await.unwrap();
        assert_eq!(connection.read_u8().await.unwrap(), b'x');
        let error = connection.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_connection_that_ends_makes_room() {
        let mut gate = Gate::new(TcpListener::bind("127.0.0.1:0").await.unwrap(), None).unwrap();
        gate.room = Arc::new(Semaphore::new(1));
        let address = gate.listener.local_addr().unwrap();
        let _clients = (
            TcpStream::connect(address).await.unwrap(),
            TcpStream::connect(address).await.unwrap(),
        );
        let (first, ..) = gate.accept().await.unwrap();
        assert!(futures::FutureExt::now_or_never(gate.accept()).is_none());
        drop(first);
        gate.accept().await.unwrap();
    }

    #[tokio::test]
    async fn an_address_has_so_many_connections() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut gate = Gate::new(listener, Some(2)).unwrap();
        let address = gate.listener.local_addr().unwrap();
        let connect = || TcpStream::connect(address);
        let clients = (connect().await.unwrap(), connect().await.unwrap());
        let (first, ..) = gate.accept().await.unwrap();
        let _second = gate.accept().await.unwrap();
        // The third is closed, the fourth comes when there is room.
        let mut third = connect().await.unwrap();
        let refused = async {
            let read = third.read_u8().await;
            drop(first);
            (read.is_err(), connect().await.unwrap())
        };
        let (accepted, (refused, _fourth)) = tokio::join!(gate.accept(), refused);
        accepted.unwrap();
        assert!(refused);
        drop(clients);
    }

    #[tokio::test]
    async fn a_head_that_comes_in_drops_is_given_up() {
        let mut gate = Gate::new(TcpListener::bind("127.0.0.1:0").await.unwrap(), None).unwrap();
        gate.head = Duration::from_millis(300);
        let address = gate.listener.local_addr().unwrap();
        let mut client = TcpStream::connect(address).await.unwrap();
        let (mut connection, ..) = gate.accept().await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        connection.read_exact(&mut [0; 18]).await.unwrap();
        connection.write_all(b"HTTP/1.1 204\r\n\r\n").await.unwrap();
        // The end of the next one never comes.
        client.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        let error = connection.read_exact(&mut [0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_head_ends_with_an_empty_line() {
        for whole in [
            "GET / HTTP/1.1\r\nA: b\r\n\r\n",
            "GET /\n\n",
            "\r\n\r\nGET / HTTP/1.1\r\n\r\nbody",
        ] {
            assert_eq!(Head::first().read(whole.as_bytes()), Stage::Behind, "{whole:?}");
            // However it is cut.
            let mut stage = Stage::Head(Head::default());
            for byte in whole.bytes() {
                if let Stage::Head(head) = stage {
                    stage = head.read(&[byte]);
                }
            }
            assert_eq!(stage, Stage::Behind, "{whole:?}");
        }
        for part in [
            "",
            "\r\n\r\n\r\n",
            "GET / HTTP/1.1\r\nA: b\r\n",
            "PRI * HTTP/1.1\r\n",
        ] {
            let stage = Head::first().read(part.as_bytes());
            assert!(matches!(stage, Stage::Head(_)), "{part:?}");
        }
        assert_eq!(Head::first().read(b"PRI * HTTP/2.0\r\n\r\n"), Stage::Frames);
    }

    #[tokio::test]
    async fn what_is_no_longer_http_has_no_heads() {
        let mut gate = Gate::new(TcpListener::bind("127.0.0.1:0").await.unwrap(), None).unwrap();
        let address = gate.listener.local_addr().unwrap();
        let mut client = TcpStream::connect(address).await.unwrap();
        let (mut connection, ..) = gate.accept().await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        connection.read_exact(&mut [0; 18]).await.unwrap();
        connection.write_all(b"HTTP/1.1 101\r\n\r\n").await.unwrap();
        client.write_all(b"frame").await.unwrap();
        connection.read_exact(&mut [0; 5]).await.unwrap();
        connection.write_all(b"frame").await.unwrap();
        assert!(connection.head_end.is_none() && connection.stage == Stage::Tunnel);
    }

    #[tokio::test]
    async fn a_body_is_no_head() {
        let mut gate = Gate::new(TcpListener::bind("127.0.0.1:0").await.unwrap(), None).unwrap();
        let address = gate.listener.local_addr().unwrap();
        let _client = TcpStream::connect(address).await.unwrap();
        let (mut connection, ..) = gate.accept().await.unwrap();
        assert!(connection.head_end.is_some());
        connection.read(b"POST / HTTP/1.1\r\n\r\n");
        connection.written(b"HTTP/1.1 100 Continue\r\n\r\n");
        connection.read(b"body");
        assert_eq!(connection.head_end, None);
        connection.written(b"HTTP/1.1 200 OK\r\n\r\n");
        connection.written(b"more");
        assert_eq!(connection.head_end, None);
        connection.read(b"G");
        assert!(connection.head_end.is_some());
    }
}
