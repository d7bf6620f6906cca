//! The raft member: the only directory that names openraft types. Everything above it sees
//! [`Member`], commands and applied state.

mod covered_log;
mod disk;
mod durable_file;
mod entry;
mod leadership;
mod log_file;
mod log_store;
mod member;
mod network;
mod reserve;
mod snapshot;
mod snapshot_file;
mod state_machine;
mod writer;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

pub(crate) use durable_file::write_durably;
pub(crate) use member::{Member, MemberOptions};
use network::Peers;
pub(crate) use network::Router;
pub(crate) use reserve::Reserve;
pub(crate) use snapshot_file::SnapshotFile;

use openraft::{
    BasicNode, Entry, LogId, SnapshotMeta, StorageError, StorageIOError, StoredMembership,
};
use serde::{Deserialize, Serialize};

use crate::command::{Outcome, Stamped};

openraft::declare_raft_types!(
    /// The types that openraft works with.
    pub(crate) TypeConfig:
        D = Stamped,
        R = Reply,
        NodeId = u64,
        Node = BasicNode,
        Entry = Entry<TypeConfig>,
        SnapshotData = SnapshotFile,
);

/// Outcome of applying an entry; `None` for raft's own entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reply(pub(crate) Option<Outcome>);

type RaftLogId = LogId<u64>;
type RaftVote = openraft::Vote<u64>;
type RaftMembership = StoredMembership<u64, BasicNode>;
type RaftSnapshotMeta = SnapshotMeta<u64, BasicNode>;
type RaftStorageError = StorageError<u64>;
type RaftIoError = StorageIOError<u64>;
type Raft = openraft::Raft<TypeConfig>;
type RaftMetrics = openraft::RaftMetrics<u64, BasicNode>;

/// Why stored bytes cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// Another process has the log.
    #[error("the log is in use by another process")]
    InUse,
    /// The database returned an error.
    #[error("failed to use the log: {0}")]
    Database(String),
    /// The writer gave up after an earlier error, or was closed.
    #[error("the log takes no more writes: {0}")]
    Closed(String),
    /// A file could not be read or written.
    #[error("failed to access `{path}`: {source}")]
    Io {
        /// Where.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A snapshot is not what was recorded of it.
    #[error("snapshot `{path}` is damaged: {reason}")]
    DamagedSnapshot {
        /// Where.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// Stored bytes are not a value.
    #[error("a stored value is damaged: {0}")]
    Codec(#[from] crate::codec::CodecError),
}

impl StoreError {
    /// Whether the disk, or the user's share of it, is full.
    fn is_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if reserve::is_full(source))
    }

    fn io(path: &std::path::Path, source: std::io::Error) -> Self {
        Self::Io {
            path: path.display().to_string(),
            source,
        }
    }
}
