//! A log that is never purged of what no durable snapshot covers.
//!
//! When raft installs a snapshot, openraft purges the log that it covers at once, beside the
//! state machine's writing of it. A crash between the two would leave neither, and the member
//! could not start again. Here such a purge waits for the snapshot, and whatever would change
//! the log after it waits as well, so that no entry is taken while what comes before it is
//! not durable. Votes and heartbeats do not wait.

use std::fmt::Debug;
use std::ops::RangeBounds;
use std::time::Duration;

use openraft::storage::{LogFlushed, RaftLogStorage};
use openraft::{Entry, LogState, OptionalSend, RaftLogReader};
use tokio::sync::watch;
use tokio::time::timeout;

use super::{RaftIoError, RaftLogId, RaftStorageError, RaftVote, StoreError, TypeConfig};

/// A snapshot that is to be installed is durable within this.
const INSTALLED_WITHIN: Duration = Duration::from_secs(60);

/// A log and how much of it the snapshot that counts covers.
#[derive(Debug)]
pub(super) struct CoveredLog<L> {
    log: L,
    covered: watch::Receiver<Option<RaftLogId>>,
    /// A purge that waits for its snapshot.
    purge: Option<RaftLogId>,
}

impl<L: RaftLogStorage<TypeConfig>> CoveredLog<L> {
    pub(super) fn new(log: L, covered: watch::Receiver<Option<RaftLogId>>) -> Self {
        Self {
            log,
            covered,
            purge: None,
        }
    }

    /// Carries out the purge that waits, if there is one, once it may be.
    async fn settle(&mut self) -> Result<(), RaftStorageError> {
        let Some(upto) = self.purge else {
            return Ok(());
        };
        let covers = self.covered.wait_for(|covered| *covered >= Some(upto));
        let failure = match timeout(INSTALLED_WITHIN, covers).await {
            Ok(Ok(_)) => None,
            Ok(Err(_)) => Some("the snapshots are closed"),
            Err(_) => Some("a snapshot was not installed in time"),
        };
        if let Some(reason) = failure {
            let error = StoreError::Closed(reason.to_owned());
            return Err(RaftIoError::write_logs(&error).into());
        }
        self.purge = None;
        self.log.purge(upto).await
    }
}

impl<L: RaftLogStorage<TypeConfig>> RaftLogReader<TypeConfig> for CoveredLog<L> {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry<TypeConfig>>, RaftStorageError> {
        self.log.try_get_log_entries(range).await
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<Entry<TypeConfig>>, RaftStorageError> {
        self.log.limited_get_log_entries(start, end).await
    }
}

impl<L: RaftLogStorage<TypeConfig>> RaftLogStorage<TypeConfig> for CoveredLog<L> {
    type LogReader = GaplessReader<L::LogReader>;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, RaftStorageError> {
        self.log.get_log_state().await
    }

    async fn get_log_reader(&mut self) -> Self::LogReader {
        GaplessReader(self.log.get_log_reader().await)
    }

    async fn save_vote(&mut self, vote: &RaftVote) -> Result<(), RaftStorageError> {
        self.log.save_vote(vote).await
    }

    async fn read_vote(&mut self) -> Result<Option<RaftVote>, RaftStorageError> {
        self.log.read_vote().await
    }

    async fn save_committed(
        &mut self,
        committed: Option<RaftLogId>,
    ) -> Result<(), RaftStorageError> {
        self.log.save_committed(committed).await
    }

    async fn read_committed(&mut self) -> Result<Option<RaftLogId>, RaftStorageError> {
        self.log.read_committed().await
    }

    async fn append<I>(
        &mut self,
        entries: I,
        callback: LogFlushed<TypeConfig>,
    ) -> Result<(), RaftStorageError>
    where
        I: IntoIterator<Item = Entry<TypeConfig>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        self.settle().await?;
        self.log.append(entries, callback).await
    }

    async fn truncate(&mut self, log_id: RaftLogId) -> Result<(), RaftStorageError> {
        self.settle().await?;
        self.log.truncate(log_id).await
    }

    async fn purge(&mut self, log_id: RaftLogId) -> Result<(), RaftStorageError> {
        if *self.covered.borrow() >= Some(log_id) {
            // It covers one that waits as well: what is purged only grows.
            self.purge = None;
            return self.log.purge(log_id).await;
        }
        self.purge = self.purge.max(Some(log_id));
        Ok(())
    }
}

/// Reads for replication. openraft hands what it gets to a follower as what comes after the
/// entry before `start`, checked in debug builds only: entries after a gap would be written
/// there, and be lost to it for good. A replication whose leader has stepped down still reads
/// while the follower that it has become purges. Nothing read is a heartbeat.
#[derive(Debug)]
pub(super) struct GaplessReader<R>(R);

impl<R: RaftLogReader<TypeConfig>> RaftLogReader<TypeConfig> for GaplessReader<R> {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry<TypeConfig>>, RaftStorageError> {
        self.0.try_get_log_entries(range).await
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<Entry<TypeConfig>>, RaftStorageError> {
        let mut entries = self.0.limited_get_log_entries(start, end).await?;
        if entries
            .first()
            .is_some_and(|entry| entry.log_id.index != start)
        {
            entries.clear();
        }
        Ok(entries)
    }
}
