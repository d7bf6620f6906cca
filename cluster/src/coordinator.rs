//! The handle through which the rest of the product proposes commands and reads applied
//! state. It decides nothing about jobs (that is `state`) and names no raft type.

mod error;
mod identity;
mod status;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

pub use error::{Error, ProposeError, ReadError};
pub use identity::Identity;
pub use status::{Leadership, Member, RaftRole, RaftStatus};

use crate::State;
use crate::command::{Command, Outcome};
use crate::model::{LogIndex, NodeId};

/// How to open a coordinator.
#[derive(Debug, Clone)]
pub struct Options {
    /// Holds the log, snapshots and the identity file; made if it is not there.
    pub data_dir: PathBuf,
    /// Where other members reach this one.
    pub advertise: String,
    /// The id this node must have; none: the one in the data directory, or a fresh one.
    pub node_id: Option<NodeId>,
}

/// A member of the raft group: cheap to clone, one group member behind all clones.
#[derive(Debug, Clone)]
pub struct Coordinator {
    state: watch::Receiver<Arc<State>>,
    applied: watch::Receiver<LogIndex>,
    leadership: watch::Receiver<Leadership>,
    identity: Identity,
}

impl Coordinator {
    /// Opens the member kept in `options.data_dir`, founding a cluster of one if it is new.
    pub async fn open(options: Options) -> Result<Self, Error> {
        Err(Error::Storage {
            reason: format!("cannot open `{}` yet", options.data_dir.display()),
        })
    }

    /// Commits `command` and gives what applying it came to.
    pub async fn propose(&self, command: Command) -> Result<Outcome, ProposeError> {
        drop(command);
        Err(ProposeError::NoLeader)
    }

    /// The applied state of this process: immutable, at most a moment old.
    pub fn state(&self) -> Arc<State> {
        self.state.borrow().clone()
    }

    /// Applied state that holds everything committed before the call.
    pub async fn read(&self) -> Result<Arc<State>, ReadError> {
        Err(ReadError::NoLeader)
    }

    /// Told the last applied index whenever it moves.
    pub fn applied(&self) -> watch::Receiver<LogIndex> {
        self.applied.clone()
    }

    /// Told whether this process leads.
    pub fn leadership(&self) -> watch::Receiver<Leadership> {
        self.leadership.clone()
    }

    /// The group as this node sees it.
    pub fn raft_status(&self) -> RaftStatus {
        RaftStatus {
            node_id: self.identity.node_id,
            cluster_id: self.identity.cluster_id.clone(),
            state: RaftRole::Shutdown,
            leader_id: None,
            term: 0,
            last_log_index: LogIndex(0),
            applied_index: LogIndex(0),
            voters: Vec::new(),
            learners: Vec::new(),
        }
    }

    /// Who this node is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Waits until the member has failed for good and says why; never returns after an
    /// orderly shutdown. The process must then exit.
    pub async fn failed(&self) -> String {
        std::future::pending().await
    }

    /// Stops the member and waits for its last write.
    pub async fn shutdown(&self) {}
}
