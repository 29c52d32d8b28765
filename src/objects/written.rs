//! What a thread writes, as a stream.

use std::{
    future::ready,
    io::{self, BufWriter, Write},
    thread,
};

use bytes::Bytes;
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use tokio::sync::{mpsc, oneshot};

/// Bytes of a piece.
const PIECE: usize = 256 << 10;
/// Pieces that wait at most.
const WAITING: usize = 2;

/// What `write` writes, on a thread of its own: while it waits for those who store it, they need one of the runtime's. It
/// waits while nobody takes the pieces, and its writing fails once nobody will. If it fails or panics the stream ends with
/// an error.
pub(super) fn written<F>(write: F) -> BoxStream<'static, io::Result<Bytes>>
where
    F: FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(WAITING);
    let (done, ended) = oneshot::channel();
    let writing = thread::Builder::new().name("written".into()).spawn(move || {
        let mut out = BufWriter::with_capacity(PIECE, Pieces(sender));
        let written = write(&mut out).and_then(|()| out.flush());
        // Nobody may listen any more.
        let _ = done.send(written);
    });
    if let Err(error) = writing {
        return stream::once(ready(Err(error))).boxed();
    }
    stream::unfold((receiver, Some(ended)), |(mut receiver, ended)| async move {
        if let Some(piece) = receiver.recv().await {
            return Some((Ok(piece), (receiver, ended)));
        }
        let ended = ended?.await.map_err(io::Error::other).flatten();
        Some((Err(ended.err()?), (receiver, None)))
    })
    .boxed()
}

struct Pieces(mpsc::Sender<Bytes>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = Bytes::copy_from_slice(bytes);
        let taken = self.0.blocking_send(piece);
        taken.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt;

    use super::*;

    async fn gathered<F>(write: F) -> io::Result<Vec<u8>>
    where
        F: FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static,
    {
        let pieces: Vec<Bytes> = written(write).try_collect().await?;
        Ok(pieces.concat())
    }

    #[tokio::test]
    async fn all_that_is_written_arrives_in_order() {
        let lines = || (0..200_000).map(|line| format!("{line}\n"));
        let write = move |out: &mut dyn Write| lines().try_for_each(|line| out.write_all(line.as_bytes()));
        assert_eq!(
            gathered(write).await.unwrap(),
            lines().collect::<String>().as_bytes()
        );
        assert_eq!(gathered(|_| Ok(())).await.unwrap(), b"");
    }

    #[tokio::test]
    async fn who_fails_or_panics_ends_the_stream_with_an_error() {
        let failing = |out: &mut dyn Write| {
            out.write_all(b"begun")?;
            Err(io::Error::other("no more"))
        };
        assert_eq!(gathered(failing).await.unwrap_err().to_string(), "no more");
        let panicking = |out: &mut dyn Write| {
            out.write_all(b"begun")?;
            panic!("over")
        };
        assert!(gathered(panicking).await.is_err());
    }

    #[tokio::test]
    async fn writing_fails_once_nobody_takes_it() {
        let (told, failed) = tokio::sync::oneshot::channel();
        let endless = move |out: &mut dyn Write| {
            let error = loop {
                if let Err(error) = out.write_all(&vec![0; PIECE]) {
                    break error;
                }
            };
            let _ = told.send(error.kind());
            Err(error)
        };
        let mut pieces = written(endless);
        pieces.try_next().await.unwrap();
        drop(pieces);
        assert_eq!(failed.await.unwrap(), io::ErrorKind::BrokenPipe);
    }
}
