//! Disk space that only the Raft log can use, so that a full disk never ends the process.
//!
//! redb gives its database up for good after one failed write, and openraft stops when the log
//! does. So a full disk must not reach either of them. Three things see to that:
//!
//! 1. **Blocks beyond the end of the log file.** `fallocate` with `KEEP_SIZE` gives the log file
//!    blocks that it does not use yet. No other writer on the file system can take them, which
//!    could happen to a reserve that is released by deleting a file. As long as they last, the
//!    log grows on a full disk.
//! 2. **A spare file**, allocated in the same way. A snapshot is written into it when no other
//!    space is left; the log takes it when its own blocks are used up, and on file systems that
//!    allocate nothing beyond the end of a file.
//! 3. **Waiting.** A write that still finds no space is repeated below redb ([`super::log_file::LogFile`]) until
//!    there is some. Nothing is committed meanwhile, and nothing fails for good.
//!
//! The log is *full* ([`Reserve::is_full`]) while the file system has almost no space or the
//! reserve is not whole. The coordinator then refuses what would add to the log, except what
//! ends work or deletes. Free space makes the reserve whole again and ends that.
//!
//! Space is checked when a caller asks, at most ten times a second. On file systems that copy
//! on write an allocated block may still need another one; there (3) is what holds.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{FallocateFlags, fallocate};

use crate::disk_space::DiskSpace;

/// Name of the spare file, beside the log.
pub(super) const SPARE: &str = "spare";

/// The reserve takes at most this part of the file system.
const LARGEST_SHARE: u64 = 16;

/// The disk counts as full with less free space than this part of the reserve.
const MARGIN: u64 = 8;

/// Between two looks at the file system.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Between two tries of a write that found no space.
const RETRY_EVERY: Duration = Duration::from_millis(100);

type Look = Box<dyn Fn() -> io::Result<DiskSpace> + Send + Sync>;

/// The reserve of one log. Shared by the log file, which uses it, and the coordinator, which asks
/// whether the log is full.
pub(crate) struct Reserve {
    spare: PathBuf,
    /// Bytes allocated beyond the end of the log, and bytes of the spare file.
    each: u64,
    look: Look,
    log: Mutex<Log>,
    seen: Mutex<Seen>,
    /// A write may wait for space. Not before the log is open: a start must end with an answer.
    is_patient: Mutex<bool>,
    /// Notified when `is_patient` changes.
    patience: Condvar,
}

/// The log file, as far as space is concerned.
#[derive(Default)]
struct Log {
    file: Option<File>,
    /// The file has blocks for this many bytes.
    allocated: u64,
    length: u64,
}

/// Result of the last look.
struct Seen {
    at: Option<Instant>,
    is_full: bool,
}

impl std::fmt::Debug for Reserve {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reserve")
            .field("spare", &self.spare)
            .field("each", &self.each)
            .finish_non_exhaustive()
    }
}

impl Reserve {
    /// A reserve of `bytes` for the log in `directory`, or a sixteenth of a small file system.
    /// Nothing is allocated yet.
    pub(crate) fn new(directory: &Path, bytes: u64) -> Self {
        let place = directory.to_owned();
        Self::looking(directory, bytes, Box::new(move || DiskSpace::of(&place)))
    }

    pub(super) fn looking(directory: &Path, bytes: u64, look: Look) -> Self {
        let share = look().map_or(u64::MAX, |space| space.total / LARGEST_SHARE);
        Self {
            spare: directory.join(SPARE),
            each: bytes.min(share) / 2,
            look,
            log: Mutex::default(),
            seen: Mutex::new(Seen {
                at: None,
                is_full: false,
            }),
            is_patient: Mutex::new(false),
            patience: Condvar::new(),
        }
    }

    /// Whether the log takes only what ends work or deletes.
    pub(crate) fn is_full(&self) -> bool {
        let mut seen = lock(&self.seen);
        if seen.at.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return seen.is_full;
        }
        // More free space ends it than began it, so that it does not flicker.
        let margin = self.each * 2 / MARGIN * if seen.is_full { 2 } else { 1 };
        let has_space = (self.look)().is_ok_and(|space| space.available >= margin);
        let is_full = !has_space || !self.make_whole();
        if is_full != seen.is_full {
            match is_full {
                true => tracing::error!(
                    "the disk is full: only what ends work or deletes is committed until space is freed"
                ),
                false => tracing::info!("the disk has space again"),
            }
        }
        seen.at = Some(now());
        seen.is_full = is_full;
        is_full
    }

    /// Deletes the spare file, for a start on a full disk that would fail without its space.
    pub(crate) fn release_spare(&self) -> bool {
        match fs::remove_file(&self.spare) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => {
                tracing::warn!(%error, "failed to remove the spare file");
                false
            }
        }
    }

    /// Lets writes wait for space, or no longer.
    pub(super) fn set_patient(&self, is_patient: bool) {
        *lock(&self.is_patient) = is_patient;
        self.patience.notify_all();
    }

    /// The log is kept in `file` from now on.
    pub(super) fn attach(&self, file: File) -> io::Result<()> {
        let length = file.metadata()?.len();
        *lock(&self.log) = Log {
            file: Some(file),
            allocated: 0,
            length,
        };
        self.make_whole();
        Ok(())
    }

    /// The log file has another length.
    pub(super) fn resized(&self, length: u64) {
        let mut log = lock(&self.log);
        if length < log.length {
            // Cutting a file frees the blocks beyond its end too.
            log.allocated = length;
        }
        log.length = length;
        drop(log);
        self.make_whole();
    }

    /// A write of the log found no space. Whether it is to be done again; waits if that is all
    /// that is left to do.
    pub(super) fn found_no_space(&self) -> bool {
        if self.release_spare() {
            tracing::error!("the disk is full: the log takes its spare file");
            return true;
        }
        let is_patient = lock(&self.is_patient);
        let waited = self
            .patience
            .wait_timeout_while(is_patient, RETRY_EVERY, |is_patient| *is_patient);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Allocates what is missing of the reserve. Whether it is whole.
    fn make_whole(&self) -> bool {
        let mut log = lock(&self.log);
        let wanted = log.length.saturating_add(self.each);
        if let Some(file) = &log.file
            && log.allocated < wanted
        {
            match fallocate(file, FallocateFlags::KEEP_SIZE, 0, wanted) {
                Ok(()) => log.allocated = wanted,
                Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
                    tracing::warn!(
                        "this file system allocates nothing ahead: the log's reserve is its spare file alone"
                    );
                    log.allocated = u64::MAX;
                }
                Err(_) => return false,
            }
        }
        self.has_spare() || self.make_spare().is_ok()
    }

    fn has_spare(&self) -> bool {
        fs::metadata(&self.spare).is_ok_and(|about| about.len() == self.each)
    }

    fn make_spare(&self) -> io::Result<()> {
        let file = File::create(&self.spare)?;
        let made = match fallocate(&file, FallocateFlags::empty(), 0, self.each.max(1)) {
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
                write_zeros(&file, self.each)
            }
            allocated => allocated.map_err(io::Error::from),
        };
        let made = made.and_then(|()| file.set_len(self.each));
        if made.is_err() {
            // Half of one is none.
            self.release_spare();
        }
        made
    }
}

fn write_zeros(mut file: &File, bytes: u64) -> io::Result<()> {
    io::copy(&mut io::Read::take(io::repeat(0), bytes), &mut file).map(drop)
}

#[expect(
    clippy::disallowed_methods,
    reason = "no part of applied state: the disk is looked at now and then"
)]
fn now() -> Instant {
    Instant::now()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing below panics between two changes that belong together.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether an error means that the disk, or the user's share of it, is full.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// A disk of 1 GiB with as much free space as the test sets.
    fn disk(directory: &Path, bytes: u64) -> (Reserve, Arc<AtomicU64>) {
        let free = Arc::new(AtomicU64::new(1 << 30));
        let available = Arc::clone(&free);
        let look = move || {
            Ok(DiskSpace {
                available: available.load(Ordering::Relaxed),
                total: 1 << 30,
            })
        };
        (Reserve::looking(directory, bytes, Box::new(look)), free)
    }

    fn look_again(reserve: &Reserve) -> bool {
        lock(&reserve.seen).at = None;
        reserve.is_full()
    }

    #[test]
    fn the_log_is_full_from_little_space_until_there_is_more_again() {
        let directory = tempfile::tempdir().unwrap();
        let (reserve, free) = disk(directory.path(), 1 << 20);
        assert!(!reserve.is_full());
        free.store((1 << 17) - 1, Ordering::Relaxed);
        assert!(look_again(&reserve));
        free.store(1 << 17, Ordering::Relaxed);
        assert!(look_again(&reserve), "it does not flicker");
        free.store(1 << 18, Ordering::Relaxed);
        assert!(!look_again(&reserve));
    }

    #[test]
    fn a_small_disk_has_a_small_reserve() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(disk(directory.path(), 32 << 20).0.each, 16 << 20);
        assert_eq!(disk(directory.path(), 1 << 30).0.each, 32 << 20);
    }

    #[test]
    fn the_log_owns_blocks_beyond_its_end_and_keeps_them_when_it_is_cut() {
        let directory = tempfile::tempdir().unwrap();
        let (reserve, _free) = disk(directory.path(), 2 << 20);
        let path = directory.path().join("log");
        let file = File::create(&path).unwrap();
        reserve.attach(file.try_clone().unwrap()).unwrap();
        let blocks = || fs::metadata(&path).unwrap().blocks() * 512;
        assert_eq!(fs::metadata(&path).unwrap().len(), 0);
        assert!(blocks() >= 1 << 20, "{}", blocks());
        for length in [3 << 20, 1 << 20] {
            file.set_len(length).unwrap();
            reserve.resized(length);
            assert!(blocks() >= length + (1 << 20), "{length}: {}", blocks());
        }
    }

    #[test]
    fn the_spare_file_goes_once_and_comes_back_with_space() {
        let directory = tempfile::tempdir().unwrap();
        let (reserve, _free) = disk(directory.path(), 1 << 20);
        assert!(!reserve.is_full());
        let spare = directory.path().join(SPARE);
        assert_eq!(fs::metadata(&spare).unwrap().len(), 1 << 19);
        assert!(reserve.found_no_space(), "the write is done again");
        assert!(!spare.try_exists().unwrap());
        assert!(!reserve.found_no_space(), "a start does not wait");
        reserve.set_patient(true);
        assert!(reserve.found_no_space(), "a log that is open does");
        assert!(!look_again(&reserve));
        assert!(spare.try_exists().unwrap());
    }
}
