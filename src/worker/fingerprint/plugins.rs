//! The media library's list of its plugins, which must be finished before libraries are listed.
//!
//! A process that finds no list, or an old one, makes it by opening every plugin there is; in itself
//! where the library's helper program is not installed. Its libraries are then those of the whole
//! installation, and those of the next process are not. So it starts over once the list is there.

use std::env;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use crate::worker::program::{NAME, OWN};
use crate::worker::settings::{WorkerSettings, usual_registry};

/// Counts how often this process has started over.
const ROUND: &str = "FRAMELANE_FINGERPRINT_ROUND";

/// Most often that it does: plugins that could not be opened are tried once more by the library.
const MOST_ROUNDS: u32 = 4;

/// The list as it was at one moment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PluginList {
    file: Option<PathBuf>,
    /// Inode, size in bytes and time of change in seconds and nanoseconds; none where there is no file.
    state: Option<(u64, u64, i64, i64)>,
}

impl PluginList {
    /// The list that this process reads, as it is now.
    pub(super) fn now(settings: &WorkerSettings) -> Self {
        let named = env::var_os("GST_REGISTRY").map(PathBuf::from);
        let usual = || Some(usual_registry()?.join(format!("registry.{}.bin", env::consts::ARCH)));
        Self::of(named.or_else(|| settings.registry.clone()).or_else(usual))
    }

    fn of(file: Option<PathBuf>) -> Self {
        let metadata = file.as_ref().and_then(|file| fs::metadata(file).ok());
        let state = metadata.map(|metadata| {
            (
                metadata.ino(),
                metadata.len(),
                metadata.mtime(),
                metadata.mtime_nsec(),
            )
        });
        Self { file, state }
    }

    /// Whether the list was written since.
    pub(super) fn has_changed(&self) -> bool {
        Self::of(self.file.clone()) != *self
    }
}

/// Starts this process's program over in its place, with `output` as its stdout. Returns where that
/// fails, and where it was done often enough: a list that changes every time is as good as none.
///
/// # Errors
/// When it cannot be executed.
pub(super) fn start_over(output: &File) -> io::Result<()> {
    let round = env::var(ROUND).ok().and_then(|round| round.parse().ok());
    let round: u32 = round.unwrap_or(0);
    if round >= MOST_ROUNDS {
        return Ok(());
    }
    let output = output.try_clone()?;
    Err(Command::new(OWN)
        .arg0(NAME)
        .args(env::args_os().skip(1))
        .env(ROUND, (round + 1).to_string())
        .stdout(output)
        .exec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_is_written_has_changed() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("registry");
        let missing = PluginList::of(Some(file.clone()));
        assert!(!missing.has_changed());
        fs::write(&file, "plugins").unwrap();
        assert!(missing.has_changed());
        let written = PluginList::of(Some(file.clone()));
        assert!(!written.has_changed());
        fs::write(directory.path().join("other"), "plugins").unwrap();
        fs::rename(directory.path().join("other"), &file).unwrap();
        assert!(written.has_changed());
    }
}
