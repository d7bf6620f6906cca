//! What can go wrong with the coordinator as its callers see it.

use std::path::PathBuf;

/// Why a coordinator could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has the data directory.
    #[error("data directory `{}` is in use by another process", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The identity file is of another node or cluster, or unreadable.
    #[error("identity file `{}` {reason}", path.display())]
    Identity {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file or directory could not be read or written.
    #[error("failed to access `{}`", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The log or a snapshot is damaged or cannot be opened.
    #[error("failed to open the log: {reason}")]
    Storage {
        /// The storage's error.
        reason: String,
    },
    /// The raft core did not start.
    #[error("failed to start raft: {reason}")]
    Raft {
        /// Raft's error.
        reason: String,
    },
}

/// Why a proposal has no outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// Nothing was proposed: no leader is known.
    #[error("no leader is known")]
    NoLeader,
    /// Nothing was proposed: the disk that holds the log is full, and this neither ends work nor
    /// deletes.
    #[error("the disk that holds the log is full")]
    DiskFull,
    /// It may or may not be committed.
    #[error("the outcome of the proposal is unknown")]
    Unknown,
    /// The coordinator has stopped.
    #[error("the coordinator has stopped")]
    Stopped,
}

/// Why a linearizable read was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// No leader is known, or this process does not lead.
    #[error("no leader is known")]
    NoLeader,
    /// Leadership was not confirmed in time.
    #[error("leadership was not confirmed in time")]
    Timeout,
    /// The coordinator has stopped.
    #[error("the coordinator has stopped")]
    Stopped,
}
