//! Runs commands and waits for them; a signal to us ends the one that runs, in its own way.

use std::{
    io,
    path::{Path, PathBuf},
    process::Stdio,
};

use futures::FutureExt;
use secrecy::ExposeSecret;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{Child, Command as Process},
    signal::unix::{Signal, SignalKind, signal},
};

use super::{
    command::{Command, Known},
    failure::{Class, Failure},
};

/// What a command said.
#[derive(Debug)]
pub struct Answer {
    /// Its exit code; 128 and its number for a signal.
    pub code: i32,
    /// Standard output, if it was not passed on; as it is in `bytes`.
    pub out: String,
    /// The same, where a text would lose what is no UTF-8.
    pub bytes: Vec<u8>,
    /// Standard error, if it was not passed on.
    pub err: String,
}

impl Answer {
    pub fn is_good(&self) -> bool {
        self.code == 0
    }

    /// The last lines that it said about a fault.
    pub fn complaint(&self) -> String {
        let text = if self.err.trim().is_empty() {
            &self.out
        } else {
            &self.err
        };
        let lines: Vec<&str> = text.trim().lines().collect();
        lines[lines.len().saturating_sub(5)..].join("; ")
    }
}

/// Where the output of a command goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Into the answer.
    Kept,
    /// Standard output into the answer, standard error to ours.
    KeptAndHeard,
    /// To ours.
    Passed,
    /// Both to our standard error: our standard output has a format of its own.
    ToError,
}

/// Runs commands in a folder.
pub struct Runner {
    /// The folder that they are run in.
    pub root: PathBuf,
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    quit: Signal,
    hidden: Vec<&'static str>,
}

impl Runner {
    /// From here on signals end commands, and what waits for them; `hidden` are variables that are not handed on.
    pub fn new(root: &Path, hidden: &[&'static str]) -> io::Result<Runner> {
        Ok(Runner {
            root: root.to_owned(),
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            quit: signal(SignalKind::quit())?,
            hidden: hidden.to_vec(),
        })
    }

    /// Runs a command that says nothing to us but its answer.
    pub async fn ask(&mut self, command: &Command) -> Result<Answer, Failure> {
        self.run(command, &Known::default(), Output::Kept).await
    }

    /// Runs a command to its end. A tool that is not there, and a signal, are failures; an exit code is the caller's.
    pub async fn run(&mut self, command: &Command, known: &Known, output: Output) -> Result<Answer, Failure> {
        if let Some(signal) = self.signalled().now_or_never() {
            return Err(Failure::Interrupted { signal });
        }
        // The files are gone when it has ended.
        let (arguments, _files) = command.arguments(known)?;
        let mut process = Process::new(command.program);
        process.args(arguments).current_dir(&self.root).kill_on_drop(true);
        for name in &self.hidden {
            process.env_remove(name);
        }
        process.stdin(if command.input.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        });
        match output {
            Output::Kept => process.stdout(Stdio::piped()).stderr(Stdio::piped()),
            Output::KeptAndHeard => process.stdout(Stdio::piped()),
            Output::Passed => &mut process,
            Output::ToError => process.stdout(io::stderr()),
        };
        let child = process.spawn().map_err(|error| {
            let program = command.program;
            let message = match error.kind() {
                io::ErrorKind::NotFound => format!("`{program}` is not on PATH: install it"),
                _ => format!("`{program}` cannot be started: {error}"),
            };
            Failure::new(Class::Setup, message)
        })?;
        let input = command.input.as_ref().map(ExposeSecret::expose_secret);
        self.wait(child, input).await
    }

    async fn wait(&mut self, mut child: Child, input: Option<&str>) -> Result<Answer, Failure> {
        let id = child.id();
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let write = async {
            if let (Some(mut stdin), Some(input)) = (stdin, input) {
                // One that does not read its input says so by its exit code.
                let _ = stdin.write_all(input.as_bytes()).await;
            }
        };
        let exchange = async { tokio::join!(write, read(stdout), read(stderr)) };
        tokio::pin!(exchange);
        let (mut caught, mut status, mut said) = (None, None, None);
        // One that was asked to end may leave children that hold its output; they are not waited for.
        while status.is_none() || (said.is_none() && caught.is_none()) {
            tokio::select! {
                ended = child.wait(), if status.is_none() => status = Some(ended?),
                ((), out, err) = &mut exchange, if said.is_none() => said = Some((out?, err?)),
                signal = self.signalled() => {
                    // Helm ends what it does in order, and rolls back; who cannot wait asks twice.
                    let how = if caught.is_some() { "KILL" } else { "TERM" };
                    caught.get_or_insert(signal);
                    if let Some(id) = id.filter(|_| status.is_none()) {
                        let kill = Process::new("kill").args([format!("-{how}"), id.to_string()]).status();
                        // If it has ended by now there is nothing to end.
                        let _ = kill.await;
                    }
                }
            }
        }
        if let Some(signal) = caught {
            return Err(Failure::Interrupted { signal });
        }
        let by_signal = status.and_then(|status| std::os::unix::process::ExitStatusExt::signal(&status));
        let code = status.and_then(|status| status.code());
        let (out, err) = said.unwrap_or_default();
        Ok(Answer {
            code: code.or(by_signal.map(|number| 128 + number)).unwrap_or(1),
            out: text(&out),
            bytes: out,
            err: text(&err),
        })
    }

    async fn signalled(&mut self) -> u8 {
        tokio::select! {
            _ = self.hang_up.recv() => 1,
            _ = self.interrupt.recv() => 2,
            _ = self.quit.recv() => 3,
            _ = self.terminate.recv() => 15,
        }
    }
}

async fn read(stream: Option<impl AsyncReadExt + Unpin>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        stream.read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
