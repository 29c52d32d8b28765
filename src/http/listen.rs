//! Accepting connections: how many at once, and how long one may be silent.

use std::{
    io,
    pin::{Pin, pin},
    sync::Arc,
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

/// Connections that are served at once; more wait in the kernel's queue.
const CONNECTIONS: usize = 20_000;
/// Longest time without a byte in either direction: more than WAIT blocks.
const IDLE: Duration = Duration::from_mins(2);
/// Longest time without a byte of ours, however many the client sends: more than a body may take.
const UNANSWERED: Duration = Duration::from_mins(16);
/// Pause after a connection could not be accepted, as when there are no more file descriptors.
const BREATH: Duration = Duration::from_millis(50);

/// Accepts connections within bounds.
pub struct Gate {
    listener: TcpListener,
    address: LocalAddr,
    room: Arc<Semaphore>,
    idle: Duration,
}

impl Gate {
    /// Over a listener that is bound.
    pub fn new(listener: TcpListener) -> io::Result<Self> {
        let address = LocalAddr(listener.local_addr()?.into());
        Ok(Gate {
            listener,
            address,
            room: Arc::new(Semaphore::new(CONNECTIONS)),
            idle: IDLE,
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
        match self.listener.accept().await {
            Ok((stream, remote)) => {
                // Answers are small and whole: they should not wait for more.
                stream.set_nodelay(true)?;
                let connection = Connection::new(stream, self.idle, room);
                Ok((
                    connection,
                    self.address.clone(),
                    RemoteAddr(remote.into()),
                    Scheme::HTTP,
                ))
            }
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(BREATH).await;
                Err(error)
            }
        }
    }
}

/// A connection that ends when it is silent for too long.
pub struct Connection {
    stream: TcpStream,
    idle: Duration,
    last: Instant,
    last_written: Instant,
    alarm: Pin<Box<Sleep>>,
    _room: OwnedSemaphorePermit,
}

impl Connection {
    fn new(stream: TcpStream, idle: Duration, room: OwnedSemaphorePermit) -> Self {
        let now = Instant::now();
        Connection {
            stream,
            idle,
            last: now,
            last_written: now,
            alarm: Box::pin(sleep_until(now + idle)),
            _room: room,
        }
    }

    /// Ready once the connection has been silent for too long. The alarm is set anew only when it goes off.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            ready!(self.alarm.as_mut().poll(cx));
            let end = (self.last + self.idle).min(self.last_written + UNANSWERED);
            if end <= Instant::now() {
                return Poll::Ready(io::ErrorKind::TimedOut.into());
            }
            self.alarm.as_mut().reset(end);
        }
    }

    fn written(&mut self) {
        self.last = Instant::now();
        self.last_written = self.last;
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        match pin!(&mut this.stream).poll_read(cx, buffer) {
            Poll::Ready(done) => {
                this.last = Instant::now();
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
                this.written();
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
                this.written();
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
        let mut gate = Gate::new(TcpListener::bind("127.0.0.1:0").await.unwrap()).unwrap();
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
        let mut gate = Gate::new(TcpListener::bind("127.0.0.1:0").await.unwrap()).unwrap();
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
}
