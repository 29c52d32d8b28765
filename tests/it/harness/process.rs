//! Programs as child processes: what one says that ends; and a server's address, its log, and the ways in which it can go.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{ExitStatus, Output, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::sync::{oneshot, watch};

/// Our program.
pub const SIDEREAL: &str = env!("CARGO_BIN_EXE_sidereal");
/// The line, `listening on http://127.0.0.1:PORT`, by which a server says that it can be asked.
const READY: &str = "listening on ";
/// Only to end a test that would hang.
const PATIENCE: Duration = Duration::from_mins(2);

/// A program with nothing of this process's environment or input, in this folder, which is its person's home.
pub fn program(program: impl AsRef<OsStr>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("HOME", folder)
        .current_dir(folder)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// A program of the machine, or ours, by name.
pub fn named(name: impl AsRef<OsStr>, folder: &Path) -> Command {
    let ours = Path::new(SIDEREAL).parent().expect("the folder of the program");
    let mut command = program(name, folder);
    command.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", ours.display()));
    command
}

/// An address of loopback that nobody listens at now.
pub fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").to_string()
}

/// Standard output of a program that ended well.
#[track_caller]
pub fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

/// The exit code, and standard error.
pub fn fault(output: &Output) -> (Option<i32>, String) {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), text)
}

pub struct Process {
    child: Child,
    /// `http://127.0.0.1:PORT`
    pub address: String,
    log: watch::Sender<String>,
    reader: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts the command and waits until it says its address.
    pub async fn start(mut command: Command) -> Self {
        let (output, input) = std::io::pipe().expect("a pipe");
        command
            .stdout(input.try_clone().expect("a pipe"))
            .stderr(input)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let child = command
            .spawn()
            .unwrap_or_else(|e| panic!("{command:?} cannot be started: {e}"));
        // It holds the writing end of the pipe.
        drop(command);

        let log = watch::Sender::new(String::new());
        let (ready, address) = oneshot::channel();
        let reader = std::thread::spawn({
            let log = log.clone();
            move || read(BufReader::new(output), &log, ready)
        });
        let mut process = Self {
            child,
            address: String::new(),
            log,
            reader: Some(reader),
        };
        let address = tokio::time::timeout(PATIENCE, address)
            .await
            .unwrap_or_else(|_| panic!("the server has not said `{READY}…` for {PATIENCE:?}"));
        process.address = address.unwrap_or_else(|_| panic!("the server ended without a line `{READY}…`"));
        process
    }

    /// What it has written so far, both streams.
    pub fn log(&self) -> String {
        self.log.borrow().clone()
    }

    /// Ends it as a power cut would (SIGKILL).
    pub async fn crash(&mut self) {
        self.child.kill().await.expect("the server was running");
    }

    /// Asks it to end (SIGTERM), and waits until it has.
    pub async fn stop(&mut self) -> ExitStatus {
        self.terminate().await;
        self.ended().await
    }

    /// Waits until it has ended.
    pub async fn ended(&mut self) -> ExitStatus {
        tokio::time::timeout(PATIENCE, self.child.wait())
            .await
            .expect("the server ends when asked to")
            .expect("a child's end")
    }

    /// Asks it to end, and does not wait.
    pub async fn terminate(&self) {
        self.signal("TERM").await;
    }

    /// Reads what it writes until it is as wanted.
    pub async fn until_log(&self, wanted: impl Fn(&str) -> bool) {
        let mut log = self.log.subscribe();
        let said = log.wait_for(|log| wanted(log));
        let said = tokio::time::timeout(PATIENCE, said).await.is_ok();
        assert!(said, "not said: {}", self.log());
    }

    /// Takes the processor away from it (SIGSTOP), as a stalled machine would.
    pub async fn freeze(&self) {
        self.signal("STOP").await;
    }

    /// Gives the processor back (SIGCONT).
    pub async fn thaw(&self) {
        self.signal("CONT").await;
    }

    async fn signal(&self, name: &str) {
        let id = self.child.id().expect("the server is running");
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -{name} {id}")])
            .status()
            .await;
        assert!(sent.expect("sh").success(), "the server is running");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.start_kill();
        if std::thread::panicking() {
            // Its last words: the reader ends with the process.
            if let Some(reader) = self.reader.take() {
                let _ = reader.join();
            }
            eprintln!("---- log of the server at {}\n{}----", self.address, self.log());
        }
    }
}

fn read(output: impl BufRead, log: &watch::Sender<String>, ready: oneshot::Sender<String>) {
    let mut ready = Some(ready);
    for line in output.split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).into_owned();
        if let Some(address) = line.strip_prefix(READY)
            && let Some(ready) = ready.take()
        {
            // Nobody waits any more if the test has ended.
            let _ = ready.send(address.trim_end_matches('/').to_owned());
        }
        log.send_modify(|log| {
            log.push_str(&line);
            log.push('\n');
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that lives until its end is asked for, then says so.
    async fn stand_in() -> Process {
        let program = "import signal, sys\n\
            def bye(*_):\n    sys.exit('bye')\n\
            signal.signal(signal.SIGTERM, bye)\n\
            print('first\\nlistening on http://127.0.0.1:1/', flush=True)\n\
            while True:\n    signal.pause()";
        let mut command = Command::new("python3");
        command.args(["-c", program]);
        Process::start(command).await
    }

    #[tokio::test]
    async fn a_server_says_its_address_and_ends_when_asked_to() {
        let mut server = stand_in().await;
        assert_eq!(server.address, "http://127.0.0.1:1");
        server.freeze().await;
        server.thaw().await;
        assert_eq!(server.stop().await.code(), Some(1));
        server
            .reader
            .take()
            .expect("a reader")
            .join()
            .expect("the reader ends with the server");
        assert!(
            server.log().starts_with("first\n") && server.log().ends_with("bye\n"),
            "{}",
            server.log()
        );
    }

    #[tokio::test]
    async fn a_crash_leaves_no_time_for_words() {
        let mut server = stand_in().await;
        server.crash().await;
        assert!(!server.log().contains("bye"));
    }

    #[tokio::test]
    #[should_panic(expected = "ended without a line")]
    async fn a_server_that_ends_at_once_is_told_of() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo no database"]);
        Process::start(command).await;
    }
}
