//! `sidereal openapi`: the description of the API, written and checked.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use clap::Args;

use super::say;
use crate::{http, services};

/// Write the OpenAPI document
#[derive(Debug, Args)]
pub struct OpenApi {
    /// Write nothing; exit 1 if the file differs
    #[arg(long)]
    check: bool,
    /// The file
    #[arg(default_value = "openapi/sidereal.json")]
    path: PathBuf,
}

impl OpenApi {
    pub fn run(self) -> Result<()> {
        let document = http::openapi::<services::Api>();
        let name = self.path.display();
        if self.check {
            let written = fs::read(&self.path).with_context(|| format!("{name} cannot be read"))?;
            anyhow::ensure!(
                written == document.as_bytes(),
                "{name} is not what this version says; write it by `sidereal openapi`"
            );
            return Ok(());
        }
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        }
        fs::write(&self.path, document).with_context(|| format!("{name} cannot be written"))?;
        Ok(say(format_args!("{name} is written"))?)
    }
}
