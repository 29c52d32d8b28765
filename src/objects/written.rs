//! What a thread writes, as a stream.

use std::io::{self, BufWriter, Write};

use bytes::Bytes;
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use tokio::sync::mpsc;

/// Bytes of a piece.
const PIECE: usize = 256 << 10;
/// Pieces that wait at most.
const WAITING: usize = 2;

/// What `write` writes, on a thread on which it may take its time; it waits while nobody takes the pieces, and its
/// writing fails once nobody will. If it fails or panics the stream ends with an error.
pub(super) fn written<F>(write: F) -> BoxStream<'static, io::Result<Bytes>>
where
    F: FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(WAITING);
    let writing = tokio::task::spawn_blocking(move || {
        let mut out = BufWriter::with_capacity(PIECE, Pieces(sender));
        write(&mut out)?;
        out.flush()
    });
    stream::unfold((receiver, Some(writing)), |(mut receiver, writing)| async move {
        if let Some(piece) = receiver.recv().await {
            return Some((Ok(piece), (receiver, writing)));
        }
        let ended = writing?.await.map_err(io::Error::other).flatten();
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
