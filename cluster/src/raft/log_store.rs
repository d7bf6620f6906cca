//! openraft's log on redb: reads here, writes through the [`Writer`].

use std::fmt::Debug;
use std::ops::{Bound, RangeBounds};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use openraft::storage::{LogFlushed, RaftLogStorage};
use openraft::{Entry, LogState, OptionalSend, RaftLogReader};
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable};
use serde::de::DeserializeOwned;

use super::reserve::Reserve;
use super::writer::{COMMITTED, LOG, META, PURGED, VOTE, Write, Writer};
use super::{RaftIoError, RaftLogId, RaftStorageError, RaftVote, StoreError, TypeConfig, entry};
use crate::codec;

/// Entries handed out by one read for replication, in bytes; at least one entry always is.
const READ_BYTES: usize = 4 * 1024 * 1024;

/// How often a log that is being closed is looked at.
const CLOSE_POLL: Duration = Duration::from_millis(5);

/// The log, the vote and what is known of commits. Clones share one database.
#[derive(Debug, Clone)]
pub(super) struct LogStore {
    database: Arc<Database>,
    writer: Arc<Writer>,
    committed: Option<RaftLogId>,
    volume: LogVolume,
}

/// Bytes appended since the last snapshot: what its taking is decided by.
#[derive(Debug, Clone, Default)]
pub(super) struct LogVolume(Arc<AtomicU64>);

impl LogVolume {
    pub(super) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl LogStore {
    /// Opens the log at `path`, making it if it is not there. It grows on `reserve` when the
    /// disk is full.
    pub(super) fn open(path: &Path, reserve: &Arc<Reserve>) -> Result<Self, StoreError> {
        let database = super::log_file::open(path, reserve).map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => StoreError::InUse,
            other => StoreError::Database(other.to_string()),
        })?;
        let mut store = Self::prepare(database, reserve)
            .map_err(|error| StoreError::Database(error.to_string()))?;
        store.committed = store.get(COMMITTED)?;
        Ok(store)
    }

    fn prepare(
        database: Database,
        reserve: &Arc<Reserve>,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        // Readers need the tables to be there.
        let transaction = database.begin_write()?;
        transaction.open_table(LOG)?;
        transaction.open_table(META)?;
        transaction.commit()?;
        let database = Arc::new(database);
        let writer = Arc::new(Writer::start(Arc::clone(&database), Arc::clone(reserve))?);
        Ok(Self {
            database,
            writer,
            committed: None,
            volume: LogVolume::default(),
        })
    }

    /// Lets go of the log and waits until every other clone has.
    pub(super) async fn close(self) {
        let database = Arc::downgrade(&self.database);
        // The last writer joins its thread, which may be in the middle of a transaction.
        drop(tokio::task::spawn_blocking(move || drop(self)).await);
        let mut tick = tokio::time::interval(CLOSE_POLL);
        while database.strong_count() > 0 {
            tick.tick().await;
        }
    }

    pub(super) fn writer(&self) -> &Arc<Writer> {
        &self.writer
    }

    pub(super) fn volume(&self) -> &LogVolume {
        &self.volume
    }

    /// Lets the next write fail as on a broken disk.
    #[cfg(test)]
    pub(super) fn break_disk(&self) {
        self.writer.send(Write::BreakDisk).expect("the writer runs");
    }

    /// A single value by name.
    pub(super) fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StoreError> {
        let bytes = self
            .read_meta(name)
            .map_err(|error| StoreError::Database(error.to_string()))?;
        Ok(bytes.map(|bytes| codec::decode(&bytes)).transpose()?)
    }

    fn read_meta(&self, name: &str) -> Result<Option<Vec<u8>>, redb::Error> {
        let meta = self.database.begin_read()?.open_table(META)?;
        Ok(meta.get(name)?.map(|value| value.value().to_vec()))
    }

    fn read_log(
        &self,
        range: impl RangeBounds<u64>,
        limit: usize,
    ) -> Result<Vec<Vec<u8>>, redb::Error> {
        let bounds = (range.start_bound().cloned(), range.end_bound().cloned());
        if is_empty(bounds) {
            return Ok(Vec::new());
        }
        let log = self.database.begin_read()?.open_table(LOG)?;
        let mut entries = Vec::new();
        let mut size = 0;
        for row in log.range::<u64>(bounds)? {
            let (_, value) = row?;
            size += value.value().len();
            entries.push(value.value().to_vec());
            if size >= limit {
                break;
            }
        }
        Ok(entries)
    }

    fn last_entry(&self) -> Result<Option<Vec<u8>>, redb::Error> {
        let log = self.database.begin_read()?.open_table(LOG)?;
        Ok(log.last()?.map(|(_, value)| value.value().to_vec()))
    }

    fn entries(
        &self,
        range: impl RangeBounds<u64>,
        limit: usize,
    ) -> Result<Vec<Entry<TypeConfig>>, RaftStorageError> {
        let rows = self
            .read_log(range, limit)
            .map_err(|error| RaftIoError::read_logs(&error))?;
        rows.iter()
            .map(|bytes| entry::decode(bytes))
            .collect::<Result<_, _>>()
            .map_err(|error| RaftIoError::read_logs(&error).into())
    }
}

/// redb takes a range that ends before it begins for an error; raft asks for such ones.
fn is_empty(bounds: (Bound<u64>, Bound<u64>)) -> bool {
    let start = match bounds.0 {
        Bound::Included(start) => start,
        Bound::Excluded(start) => start.saturating_add(1),
        Bound::Unbounded => 0,
    };
    match bounds.1 {
        Bound::Included(end) => start > end,
        Bound::Excluded(end) => start >= end,
        Bound::Unbounded => false,
    }
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry<TypeConfig>>, RaftStorageError> {
        self.entries(range, usize::MAX)
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<Entry<TypeConfig>>, RaftStorageError> {
        self.entries(start..end, READ_BYTES)
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, RaftStorageError> {
        let read = |error: &(dyn std::error::Error + 'static)| {
            RaftStorageError::from(RaftIoError::read_logs(openraft::AnyError::from_dyn(
                error, None,
            )))
        };
        let last_purged_log_id = self.get(PURGED).map_err(|error| read(&error))?;
        let last = self.last_entry().map_err(|error| read(&error))?;
        let last_log_id = match last {
            None => last_purged_log_id,
            Some(bytes) => {
                let entry = entry::decode(&bytes).map_err(|error| read(&error))?;
                Some(entry.log_id)
            }
        };
        Ok(LogState {
            last_purged_log_id,
            last_log_id,
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &RaftVote) -> Result<(), RaftStorageError> {
        let value = codec::encode(vote).map_err(|error| RaftIoError::write_vote(&error))?;
        self.writer
            .write(|done| Write::Put {
                name: VOTE,
                value,
                done,
            })
            .await
            .map_err(|error| RaftIoError::write_vote(&error).into())
    }

    async fn read_vote(&mut self) -> Result<Option<RaftVote>, RaftStorageError> {
        self.get(VOTE)
            .map_err(|error| RaftIoError::read_vote(&error).into())
    }

    async fn save_committed(
        &mut self,
        committed: Option<RaftLogId>,
    ) -> Result<(), RaftStorageError> {
        self.committed = committed;
        let Some(log_id) = committed else {
            return Ok(());
        };
        let value = codec::encode(&log_id).map_err(|error| RaftIoError::write(&error))?;
        self.writer
            .send(Write::Committed(value))
            .map_err(|error| RaftIoError::write(&error).into())
    }

    async fn read_committed(&mut self) -> Result<Option<RaftLogId>, RaftStorageError> {
        Ok(self.committed)
    }

    /// Returns once the entries are durable, and so readable: openraft waits for the flush
    /// before it does anything else anyway.
    async fn append<I>(
        &mut self,
        entries: I,
        callback: LogFlushed<TypeConfig>,
    ) -> Result<(), RaftStorageError>
    where
        I: IntoIterator<Item = Entry<TypeConfig>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut encoded = Vec::new();
        for entry in entries {
            let bytes = entry::encode(&entry)
                .map_err(|error| RaftIoError::write_log_entry(entry.log_id, &error))?;
            self.volume.add(bytes.len());
            encoded.push((entry.log_id.index, bytes));
        }
        self.writer
            .write(|done| Write::Append {
                entries: encoded,
                flushed: callback,
                done,
            })
            .await
            .map_err(|error| RaftIoError::write_logs(&error).into())
    }

    async fn truncate(&mut self, log_id: RaftLogId) -> Result<(), RaftStorageError> {
        self.writer
            .write(|done| Write::Truncate {
                from: log_id.index,
                done,
            })
            .await
            .map_err(|error| RaftIoError::write_logs(&error).into())
    }

    async fn purge(&mut self, log_id: RaftLogId) -> Result<(), RaftStorageError> {
        let value = codec::encode(&log_id).map_err(|error| RaftIoError::write_logs(&error))?;
        self.writer
            .write(|done| Write::Purge {
                upto: log_id.index,
                log_id: value,
                done,
            })
            .await
            .map_err(|error| RaftIoError::write_logs(&error).into())
    }
}
