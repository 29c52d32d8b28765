//! `sidereal job submit`.

use std::{path::PathBuf, str::FromStr};

use anyhow::Result;
use clap::Args;

use super::{Output, Server, wait};
use crate::{
    cli::say,
    client::{Submission, Value},
};

/// Make a job and run it; the first line is its URL
#[derive(Debug, Args)]
pub struct Submit {
    /// Job type, such as cutout
    service: String,
    /// NAME=VALUE, or NAME=@FILE to upload a file; repeat a name for several values
    #[arg(value_name = "NAME=VALUE")]
    parameters: Vec<Parameter>,
    /// A label of your own (runId)
    #[arg(long, value_name = "TEXT")]
    run_id: Option<String>,
    /// Leave it PENDING
    #[arg(long)]
    hold: bool,
    /// Wait until it has ended
    #[arg(long, conflicts_with = "hold")]
    wait: bool,
}

#[derive(Debug, Clone)]
struct Parameter {
    name: String,
    value: Value,
}

impl FromStr for Parameter {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text
            .split_once('=')
            .filter(|(name, _)| !name.is_empty())
            .ok_or("expected NAME=VALUE or NAME=@FILE")?;
        let value = match value.strip_prefix('@') {
            Some("") => return Err("expected the name of a file behind the @"),
            Some(file) => Value::File(PathBuf::from(file)),
            None => Value::Text(value.to_owned()),
        };
        Ok(Parameter {
            name: name.to_owned(),
            value,
        })
    }
}

impl Submit {
    pub async fn run(self, server: &Server, output: Output) -> Result<()> {
        let client = server.client()?;
        let submission = Submission {
            parameters: self
                .parameters
                .into_iter()
                .map(|parameter| (parameter.name, parameter.value))
                .collect(),
            run_id: self.run_id,
            run: !self.hold,
        };
        let created = client.create(&self.service, &submission).await?;
        say(&created.url)?;
        if self.wait {
            wait::until_ended(&client, &created.address, output, None).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_texts_and_files() {
        let text: Parameter = "SIZE=1=2".parse().unwrap();
        assert!(text.name == "SIZE" && matches!(&text.value, Value::Text(value) if value == "1=2"));
        let file: Parameter = "POSITIONS=@a b.csv".parse().unwrap();
        assert!(matches!(&file.value, Value::File(path) if path.to_str() == Some("a b.csv")));
        let empty: Parameter = "BAND=".parse().unwrap();
        assert!(matches!(&empty.value, Value::Text(value) if value.is_empty()));
        for text in ["", "SIZE", "=1", "A=@"] {
            assert!(text.parse::<Parameter>().is_err(), "{text}");
        }
    }
}
