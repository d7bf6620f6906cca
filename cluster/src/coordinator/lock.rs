//! One process for one data directory.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use super::Error;

/// A process that is being replaced gets this long to let go.
const PATIENCE: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(20);

/// Held while the directory is in use; the system lets go of it when the process ends,
/// however it ends.
#[derive(Debug)]
pub(super) struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Whether a process has the directory now.
    pub(super) fn is_taken(directory: &Path) -> Result<bool, Error> {
        let path = directory.join("lock");
        let io = |source| Error::Io {
            path: path.clone(),
            source,
        };
        let file = match File::options().write(true).open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            opened => opened.map_err(io)?,
        };
        match file.try_lock() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(source)) => Err(io(source)),
        }
    }

    pub(super) async fn take(directory: &Path) -> Result<Self, Error> {
        let path = directory.join("lock");
        let io = |source| Error::Io {
            path: path.clone(),
            source,
        };
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(io)?;
        let acquire = async {
            let mut poll = tokio::time::interval(POLL);
            loop {
                poll.tick().await;
                match file.try_lock() {
                    Err(TryLockError::WouldBlock) => {}
                    other => return other,
                }
            }
        };
        match tokio::time::timeout(PATIENCE, acquire).await {
            Ok(Ok(())) => Ok(Self { _file: file }),
            Ok(Err(TryLockError::Error(source))) => Err(io(source)),
            Ok(Err(TryLockError::WouldBlock)) | Err(_) => Err(Error::InUse {
                path: directory.to_path_buf(),
            }),
        }
    }
}
