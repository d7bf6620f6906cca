//! Writing what clients send and what sources bring: as much as networks and disks can carry,
//! beside renders and the log that others wait for. It runs on a few threads of a low priority,
//! so that it takes what processor time others leave (and a little where they leave none), and
//! is synced as it grows, so that it never holds up the sync of something small for long.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::path::Path;
use std::sync::LazyLock;

use cluster::model::Digest;
use sha2::{Digest as _, Sha256};
use tokio::runtime::{Builder, Runtime};

/// How much less processor time a thread gets than others, as `nice` has it: a tenth.
const NICENESS: i32 = 10;

/// Bytes after which what was written of a file is synced. A file system that is asked to sync
/// a small file first writes what else it has taken: beside uploads that are synced at their end
/// the log waited eight times as long for a commit, at the same rate of uploads.
const SYNCED_BYTES: u64 = 1 << 20;

/// Bytes gathered before they are written. Small enough for dozens of downloads at once.
const GATHERED: usize = 256 << 10;

/// As many threads as half of the cores; `Err` where the system gives none.
static THREADS: LazyLock<io::Result<Runtime>> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Builder::new_multi_thread()
        .worker_threads((cores / 2).max(1))
        .thread_name("bulk")
        .on_thread_start(|| {
            // On Linux it is the thread's own. Where it is refused, the thread is as others.
            let _ = rustix::process::nice(NICENESS);
        })
        .build()
});

/// Does `work` on one of the threads, after what was given to them before.
///
/// # Errors
/// Those of `work`; or when it panicked, or there are no threads.
pub(super) async fn run<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<io::Error> + Send + 'static,
{
    let threads = THREADS
        .as_ref()
        .map_err(|error| io::Error::new(error.kind(), error.to_string()))?;
    let done = threads.spawn(async move { work() });
    done.await
        .unwrap_or_else(|error| Err(io::Error::other(error).into()))
}

/// What was written of a file so far, and the hash of it.
#[derive(Debug, Default)]
pub(super) struct Written {
    hasher: Sha256,
    size: u64,
    unsynced: u64,
}

impl Written {
    /// Writes the next bytes, and syncs the file once there are enough.
    pub(super) fn append(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)?;
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        self.unsynced += bytes.len() as u64;
        if self.unsynced >= SYNCED_BYTES {
            file.sync_data()?;
            self.unsynced = 0;
        }
        Ok(())
    }

    /// SHA-256 and length of what was written.
    pub(super) fn digest(&self) -> (Digest, u64) {
        (Digest(self.hasher.clone().finalize().into()), self.size)
    }
}

/// A file that is written from async code.
#[derive(Debug)]
pub struct BulkFile {
    /// `None` while it is being written, and after a failure.
    file: Option<(File, Written)>,
    gathered: Vec<u8>,
    /// Bytes taken, written or not.
    length: u64,
}

impl BulkFile {
    /// An empty file at `path`; what was there is gone.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: Some((File::create(path)?, Written::default())),
            gathered: Vec::new(),
            length: 0,
        })
    }

    /// Bytes taken so far.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Takes the next bytes. When this future is dropped, the file can be written no more.
    ///
    /// # Errors
    /// When bytes taken now or before cannot be written.
    pub async fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.length += bytes.len() as u64;
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= GATHERED {
            self.flush().await?;
        }
        Ok(())
    }

    /// Writes all that was taken, and gives its SHA-256 and length.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn finish(&mut self) -> io::Result<(Digest, u64)> {
        self.flush().await?;
        let written = self.file.as_ref().map(|(_, written)| written.digest());
        written.ok_or_else(broken)
    }

    /// Forgets all that was taken.
    ///
    /// # Errors
    /// When the file cannot be emptied.
    pub async fn restart(&mut self) -> io::Result<()> {
        self.gathered.clear();
        self.length = 0;
        let (mut file, _) = self.file.take().ok_or_else(broken)?;
        let emptied = run(move || {
            file.rewind()?;
            file.set_len(0)?;
            Ok::<_, io::Error>((file, Written::default()))
        });
        self.file = Some(emptied.await?);
        Ok(())
    }

    async fn flush(&mut self) -> io::Result<()> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.gathered);
        let (mut file, mut written) = self.file.take().ok_or_else(broken)?;
        let flushed = run(move || {
            written.append(&mut file, &bytes)?;
            Ok::<_, io::Error>((file, written))
        });
        self.file = Some(flushed.await?);
        Ok(())
    }
}

fn broken() -> io::Error {
    io::Error::other("an earlier write did not end well")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::digest;

    #[tokio::test]
    async fn a_file_has_all_that_was_taken_in_its_order_and_its_hash() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let mut file = BulkFile::create(&path).unwrap();
        file.append(b"forgotten").await.unwrap();
        file.restart().await.unwrap();
        let bytes: Vec<u8> = (0..3_000_017_u32).map(|n| (n % 251) as u8).collect();
        for piece in bytes.chunks(10_007) {
            file.append(piece).await.unwrap();
        }
        assert_eq!(file.length(), bytes.len() as u64);
        let (sha256, size) = file.finish().await.unwrap();
        assert_eq!((sha256, size), (digest(&bytes), bytes.len() as u64));
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
        // Written to again once it is empty.
        file.restart().await.unwrap();
        assert_eq!(file.finish().await.unwrap(), (digest(b""), 0));
        assert_eq!(std::fs::read(&path).unwrap(), b"");
    }

    #[tokio::test]
    async fn a_failure_is_an_answer_and_what_panics_ends_nothing_else() {
        let failed = run(|| Err::<(), _>(io::Error::from(io::ErrorKind::StorageFull))).await;
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
        let panicked = run(|| -> io::Result<()> { panic!("on purpose") }).await;
        assert!(panicked.is_err());
        assert_eq!(run(|| Ok::<_, io::Error>(7)).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn the_threads_leave_processor_time_to_others() {
        let bulk = run(|| rustix::process::nice(0).map_err(io::Error::from)).await;
        let own = rustix::process::nice(0).unwrap();
        assert_eq!(bulk.unwrap(), (own + NICENESS).min(19));
    }
}
