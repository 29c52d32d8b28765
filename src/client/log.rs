//! The log of a job, line by line.

use std::ops::ControlFlow;

use futures::StreamExt;
use reqwest::{Method, header::ACCEPT};

use super::{Client, ClientError, JobAddress, PAUSE, RETRIES};

/// How far a log has been read.
#[derive(Debug, Default)]
struct Reader {
    /// Whole lines that were seen.
    lines: u64,
    /// The beginning of a line whose end is still to come.
    rest: Vec<u8>,
}

impl Reader {
    fn take(&mut self, bytes: &[u8], see: &mut impl FnMut(&str) -> ControlFlow<()>) -> ControlFlow<()> {
        self.rest.extend_from_slice(bytes);
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            self.lines += 1;
            see(&String::from_utf8_lossy(&line[..end]))?;
        }
        ControlFlow::Continue(())
    }
}

impl Client {
    /// Shows the lines of a job's log, with `follow` until the job has ended, or until `see` breaks off. A connection
    /// that breaks while it is followed is made anew, and goes on behind the last whole line.
    pub async fn log(
        &self,
        at: &JobAddress,
        follow: bool,
        mut see: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<(), ClientError> {
        let mut reader = Reader::default();
        let mut failures = 0;
        loop {
            let before = reader.lines;
            match self.read_log(at, follow, &mut reader, &mut see).await {
                Err(error) if follow && error.is_passing() && failures < RETRIES => {
                    failures = if reader.lines > before { 0 } else { failures + 1 };
                    reader.rest.clear();
                    tokio::time::sleep(PAUSE * failures).await;
                }
                done => return done,
            }
        }
    }

    async fn read_log(
        &self,
        at: &JobAddress,
        follow: bool,
        reader: &mut Reader,
        see: &mut impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<(), ClientError> {
        let request = self
            .request(Method::GET, &["api", "v1", "jobs", &at.id.to_string(), "log"])
            .header(ACCEPT, "text/plain")
            .query(&[
                ("after", reader.lines.to_string()),
                ("follow", follow.to_string()),
            ]);
        let mut body = self.send(request).await?.bytes_stream();
        while let Some(bytes) = body.next().await {
            if reader
                .take(&bytes.map_err(ClientError::unreachable)?, see)
                .is_break()
            {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_shown_whole_however_they_come() {
        let mut reader = Reader::default();
        let mut seen = Vec::new();
        let mut see = |line: &str| {
            seen.push(line.to_owned());
            ControlFlow::Continue(())
        };
        for bytes in ["one\ntw", "o\n", "", "\nthr"] {
            assert!(reader.take(bytes.as_bytes(), &mut see).is_continue());
        }
        assert_eq!(seen, ["one", "two", ""]);
        assert_eq!((reader.lines, reader.rest.as_slice()), (3, b"thr".as_slice()));
    }

    #[test]
    fn nothing_is_shown_after_the_end_was_asked_for() {
        let mut reader = Reader::default();
        let mut seen = 0;
        let mut see = |_: &str| {
            seen += 1;
            ControlFlow::Break(())
        };
        assert!(reader.take(b"one\ntwo\n", &mut see).is_break());
        assert_eq!(seen, 1);
    }
}
