//! Files that nobody else may read, and that are gone when they are dropped.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use uuid::Uuid;

/// A file of mode 0600 in the folder for temporary ones, which lives as long as this.
#[derive(Debug)]
pub struct PrivateFile(PathBuf);

impl PrivateFile {
    /// With this text; `ending` is the end of its name.
    pub fn new(text: &str, ending: &str) -> io::Result<PrivateFile> {
        let name = format!("sidereal-{}{ending}", Uuid::now_v7().simple());
        // Who is told of it may be in another folder.
        let path = std::path::absolute(std::env::temp_dir().join(name))?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        let private = PrivateFile(path);
        file.write_all(text.as_bytes())?;
        Ok(private)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for PrivateFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            let _ = writeln!(io::stderr(), "sidereal: {}: {error}: remove it", self.0.display());
        }
    }
}
