//! Where the state of a run is.

use std::path::{Path, PathBuf};

use nbhd_core::{Code, Error, Result};

/// The file of the store; a fresh folder is removed with this.
#[derive(Debug)]
pub struct Place {
    file: PathBuf,
    fresh: Option<PathBuf>,
}

impl Place {
    /// The named file, or one in a named folder; else a fresh folder of the system's own for such things.
    pub fn new(named: Option<&Path>) -> Result<Self> {
        let refuse = |path: &Path, error: &std::io::Error| {
            let message = format!("cannot use the store {}: {}", path.display(), error.kind());
            Error::new(Code::InvalidInput, message)
        };
        if let Some(path) = named {
            if path.is_dir() {
                let file = path.join("nbhd.db");
                return Ok(Self { file, fresh: None });
            }
            if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                std::fs::create_dir_all(folder).map_err(|error| refuse(path, &error))?;
            }
            return Ok(Self {
                file: path.to_owned(),
                fresh: None,
            });
        }
        let folder = std::env::temp_dir().join(format!("nbhd-demo-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).map_err(|error| refuse(&folder, &error))?;
        Ok(Self {
            file: folder.join("nbhd.db"),
            fresh: Some(folder),
        })
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Whether it is removed in the end.
    pub fn is_fresh(&self) -> bool {
        self.fresh.is_some()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(folder) = &self.fresh {
            // What is left over is in the system's own folder for such things.
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}
