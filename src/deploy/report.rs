//! What is said of each step: a line for people, or one event of JSON.

use std::{
    io::{self, Write},
    time::Duration,
};

use serde::Serialize;

use super::command::line;

/// One line of JSON.
#[derive(Debug, Default, Serialize)]
struct Event<'a> {
    step: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    argv: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    rc: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

/// Writes to standard output what was done, and to standard error what is wrong.
#[derive(Debug, Clone, Copy)]
pub struct Report {
    /// Events of JSON instead of lines.
    pub json: bool,
}

impl Report {
    /// A command that would be run.
    pub fn planned(self, step: &str, argv: &[String]) -> io::Result<()> {
        if self.json {
            return event(&Event {
                step,
                argv,
                ..Event::default()
            });
        }
        say(&line(argv))
    }

    /// A command that is run now.
    pub fn begun(self, argv: &[String]) -> io::Result<()> {
        if self.json {
            return Ok(());
        }
        say(&format!("$ {}", line(argv)))
    }

    /// A command that has been run.
    pub fn ended(self, step: &str, argv: &[String], rc: i32, took: Duration) -> io::Result<()> {
        if self.json {
            return event(&Event {
                step,
                argv,
                rc: Some(rc),
                seconds: Some((took.as_secs_f64() * 1000.0).round() / 1000.0),
                message: None,
            });
        }
        Ok(())
    }

    /// What there is to know between commands.
    pub fn note(self, step: &str, message: &str) -> io::Result<()> {
        if self.json {
            return event(&Event {
                step,
                message: Some(message),
                ..Event::default()
            });
        }
        say(&format!("# {message}"))
    }

    /// A text as it is; beside events it goes to standard error.
    pub fn text(self, text: &str) -> io::Result<()> {
        if self.json {
            warn(text);
            return Ok(());
        }
        say(text.trim_end())
    }
}

fn event(event: &Event) -> io::Result<()> {
    say(&serde_json::to_string(event)?)
}

fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// A line on standard error.
pub fn warn(text: &str) {
    // If standard error is closed there is nobody to tell.
    let _ = writeln!(io::stderr(), "{}", text.trim_end());
}
