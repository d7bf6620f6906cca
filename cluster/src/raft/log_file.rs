//! The file under redb: a write that finds no space is done again on the reserve, so that redb
//! never sees a full disk.

use std::fs::File;
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use redb::backends::FileBackend;
use redb::{BackendError, Database, DatabaseError, StorageBackend};

use super::reserve::{self, Reserve};

/// A database file with a reserve.
#[derive(Debug)]
pub(super) struct LogFile<B> {
    inner: B,
    reserve: Arc<Reserve>,
}

/// Opens the database at `path`, making it if it is not there.
pub(super) fn open(path: &Path, reserve: &Arc<Reserve>) -> Result<Database, DatabaseError> {
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    let second = file.try_clone()?;
    let log = LogFile {
        inner: FileBackend::new(file)?,
        reserve: Arc::clone(reserve),
    };
    let database = Database::builder().create_with_backend(log)?;
    // Only now is it known that the file is a framelane log.
    reserve.attach(second)?;
    Ok(database)
}

impl<B> LogFile<B> {
    /// Does `write` until it does not fail for want of space. Each write has an offset, so one that
    /// was done in part can be repeated.
    fn with_space(&self, write: impl Fn(&B) -> io::Result<()>) -> io::Result<()> {
        loop {
            match write(&self.inner) {
                Err(error) if reserve::is_full(&error) && self.reserve.found_no_space() => {}
                done => return done,
            }
        }
    }
}

impl<B: StorageBackend> StorageBackend for LogFile<B> {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.inner.read(offset, out)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.with_space(|inner| inner.set_len(length))?;
        self.reserve.resized(length);
        Ok(())
    }

    /// Not done again after a failure: what the system could not write it may have dropped.
    fn sync_data(&self) -> io::Result<()> {
        self.inner.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.with_space(|inner| inner.write(offset, data))
    }

    fn close(&self) -> io::Result<()> {
        self.inner.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.inner.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use redb::backends::InMemoryBackend;
    use redb::{ReadableDatabase, TableDefinition};

    use super::*;
    use crate::disk_space::DiskSpace;

    const TABLE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("table");

    /// A file on a disk that may be full.
    #[derive(Debug, Default)]
    struct Crowded {
        file: InMemoryBackend,
        is_full: Arc<AtomicBool>,
    }

    impl StorageBackend for Crowded {
        fn len(&self) -> io::Result<u64> {
            self.file.len()
        }

        fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
            self.file.read(offset, out)
        }

        fn set_len(&self, length: u64) -> io::Result<()> {
            self.file.set_len(length)
        }

        fn sync_data(&self) -> io::Result<()> {
            self.file.sync_data()
        }

        fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
            if self.is_full.load(Ordering::Acquire) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.file.write(offset, data)
        }
    }

    fn database(directory: &Path) -> (Database, Arc<Reserve>, Arc<AtomicBool>) {
        let plenty = || {
            Ok(DiskSpace {
                available: 1 << 30,
                total: 1 << 30,
            })
        };
        let reserve = Arc::new(Reserve::looking(directory, 1 << 20, Box::new(plenty)));
        let inner = Crowded::default();
        let is_full = Arc::clone(&inner.is_full);
        let log = LogFile {
            inner,
            reserve: Arc::clone(&reserve),
        };
        let database = Database::builder().create_with_backend(log).unwrap();
        (database, reserve, is_full)
    }

    fn put(database: &Database, key: u64) -> Result<(), redb::Error> {
        let transaction = database.begin_write()?;
        transaction
            .open_table(TABLE)?
            .insert(key, [7; 4096].as_slice())?;
        transaction.commit()?;
        Ok(())
    }

    #[test]
    fn a_write_waits_for_space_and_the_database_goes_on() {
        let directory = tempfile::tempdir().unwrap();
        let (database, reserve, is_full) = database(directory.path());
        put(&database, 1).unwrap();
        reserve.set_patient(true);
        is_full.store(true, Ordering::Release);
        let freed = Arc::clone(&is_full);
        let freeing = std::thread::spawn(move || {
            // Long enough that the write has met a full disk.
            std::thread::park_timeout(Duration::from_millis(200));
            freed.store(false, Ordering::Release);
        });
        put(&database, 2).unwrap();
        freeing.join().unwrap();
        put(&database, 3).unwrap();
        let table = database.begin_read().unwrap().open_table(TABLE).unwrap();
        for key in 1..=3 {
            assert!(table.get(key).unwrap().is_some(), "{key}");
        }
    }

    #[test]
    fn a_log_that_is_closed_on_a_full_disk_does_not_wait() {
        let directory = tempfile::tempdir().unwrap();
        let (database, _reserve, is_full) = database(directory.path());
        put(&database, 1).unwrap();
        is_full.store(true, Ordering::Release);
        assert!(put(&database, 2).is_err());
    }
}
