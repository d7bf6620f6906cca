//! Whether the data directory takes writes: one that became read-only, or went away, lets
//! nothing be committed, and a server on it is not ready. A full one is another matter: what
//! needs room is refused with `storage_full`, and the rest goes on.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

/// How long what was found counts.
pub(super) const GOOD_FOR: Duration = Duration::from_secs(3);

/// How long a write may take.
const DEADLINE: Duration = Duration::from_secs(2);

const FILE: &str = ".write-probe";

/// Tries to write, when it is asked and not more often than every few seconds.
#[derive(Debug)]
pub(super) struct WriteProbe {
    /// None: this process has no data directory.
    directory: Option<PathBuf>,
    found: Mutex<Option<(Instant, bool)>>,
    /// A try that has not come back: file systems on a network can hang.
    is_trying: Arc<AtomicBool>,
}

impl WriteProbe {
    pub(super) fn new(directory: Option<PathBuf>) -> Self {
        Self {
            directory,
            found: Mutex::default(),
            is_trying: Arc::default(),
        }
    }

    /// Whether the directory takes writes, as of the last few seconds.
    pub(super) async fn succeeds(&self) -> bool {
        let Some(directory) = &self.directory else {
            return true;
        };
        let mut found = self.found.lock().await;
        if let Some((at, succeeded)) = *found
            && at.elapsed() < GOOD_FOR
        {
            return succeeded;
        }
        let succeeds = self.attempt(directory.clone()).await;
        *found = Some((Instant::now(), succeeds));
        succeeds
    }

    async fn attempt(&self, directory: PathBuf) -> bool {
        if self.is_trying.swap(true, Ordering::AcqRel) {
            return false;
        }
        let is_trying = Arc::clone(&self.is_trying);
        let attempt = tokio::task::spawn_blocking(move || {
            let outcome = write(&directory);
            is_trying.store(false, Ordering::Release);
            outcome
        });
        match tokio::time::timeout(DEADLINE, attempt).await {
            Ok(Ok(Ok(()))) => true,
            Ok(Ok(Err(error))) => {
                tracing::error!(%error, "the data directory cannot be written");
                false
            }
            Ok(Err(_)) | Err(_) => {
                tracing::error!("the data directory does not answer a write");
                false
            }
        }
    }
}

fn write(directory: &Path) -> std::io::Result<()> {
    let path = directory.join(FILE);
    let written = std::fs::File::create(&path).and_then(|mut file| file.write_all(b"ready\n"));
    match written {
        Ok(()) => std::fs::remove_file(&path),
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded
            ) =>
        {
            Ok(())
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_directory_that_takes_no_files_fails_and_leaves_none_behind() {
        let directory = tempfile::tempdir().expect("a directory");
        let probe = |path: &Path| WriteProbe::new(Some(path.to_owned()));
        assert!(probe(directory.path()).succeeds().await);
        let left = std::fs::read_dir(directory.path()).expect("a directory");
        assert_eq!(left.count(), 0);
        // Read-only even for root.
        assert!(!probe(Path::new("/proc")).succeeds().await);
        let gone = directory.path().to_owned();
        drop(directory);
        assert!(!probe(&gone).succeeds().await);
        assert!(WriteProbe::new(None).succeeds().await);
    }

    #[tokio::test]
    async fn a_try_that_hangs_is_not_repeated() {
        let directory = tempfile::tempdir().expect("a directory");
        let probe = WriteProbe::new(Some(directory.path().to_owned()));
        probe.is_trying.store(true, Ordering::SeqCst);
        assert!(!probe.succeeds().await);
        assert!(probe.is_trying.load(Ordering::SeqCst));
    }
}
