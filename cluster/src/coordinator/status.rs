//! How the raft group looks from this node, for the scheduler and for operators.

use crate::model::{LogIndex, NodeId};

/// Whether this process leads the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leadership {
    /// It leads in this term, and everything committed before it led is applied.
    Leader {
        /// The term.
        term: u64,
    },
    /// Another process leads, or none does.
    Other,
}

/// What this member is to the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RaftRole {
    /// Orders the log.
    Leader,
    /// Follows a leader.
    Follower,
    /// Asks for votes.
    Candidate,
    /// Receives the log without a vote.
    Learner,
    /// Has stopped.
    Shutdown,
}

impl RaftRole {
    /// Its name for operators.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Leader => "leader",
            Self::Follower => "follower",
            Self::Candidate => "candidate",
            Self::Learner => "learner",
            Self::Shutdown => "shutdown",
        }
    }
}

/// Another look at the group, as this node knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RaftStatus {
    /// This node.
    pub node_id: NodeId,
    /// The cluster's id.
    pub cluster_id: String,
    /// What this node is to the group.
    pub state: RaftRole,
    /// Who leads, if that is known.
    pub leader_id: Option<NodeId>,
    /// The current term.
    pub term: u64,
    /// Index of the last entry in this node's log.
    pub last_log_index: LogIndex,
    /// Index of the last entry this node applied.
    pub applied_index: LogIndex,
    /// Members with a vote.
    pub voters: Vec<Member>,
    /// Members without one.
    pub learners: Vec<Member>,
}

/// A member of the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub id: NodeId,
    /// Where it is reached.
    pub address: String,
    /// Whether it answers, as far as this node knows: the leader knows it of all members,
    /// others of themselves and of the leader.
    pub reachable: bool,
}
