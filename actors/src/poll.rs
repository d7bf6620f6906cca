//! Messages between a node and the leader. They cross machines.

use cluster::command::{Rejection, Report};
use cluster::model::{Epoch, Incarnation, NodeId, RunNumber, TaskRef};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

/// What a node sends to the leader every second, and at once when a slot frees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poll {
    /// Who.
    pub node: NodeId,
    /// Which start of it.
    pub incarnation: Incarnation,
    /// Every lease it holds; only these are renewed.
    pub held: Vec<Held>,
    /// Ended attempts, repeated until the reply lists them.
    pub reports: Vec<Report>,
    /// Leases handed back without blame (drain).
    pub handed_back: Vec<(TaskRef, Epoch)>,
    /// Slots that could begin something now.
    pub free_slots: u32,
    /// How many of them have outputs that are still being stored: what follows from these is
    /// not open yet.
    pub settling_slots: u32,
    /// Transfers that could begin now; they take no slot.
    pub free_transfers: u32,
    /// Takes nothing new.
    pub draining: bool,
}

/// A lease a node works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The task.
    pub task: TaskRef,
    /// The attempt.
    pub epoch: Epoch,
    /// Units done so far (frames, samples, bytes).
    pub units: u64,
}

/// The leader's answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollReply {
    /// Runs to begin, each for one slot: one task, or consecutive segments of one job.
    pub assign: Vec<Vec<WireAssignment>>,
    /// Attempts to stop and forget.
    pub revoke: Vec<(TaskRef, Epoch)>,
    /// Reports that were dealt with, and whether each was accepted.
    pub reported: Vec<(TaskRef, Epoch, Result<(), Rejection>)>,
    /// Runs whose segments that have not begun are to be handed back: another workspace
    /// waits for the slot.
    pub hand_back: Vec<RunNumber>,
    /// Leases renewed.
    pub renewed: u32,
}

/// An assignment as it travels.
pub type WireAssignment = crate::ports::Assignment;

impl PollReply {
    /// Whether it carries nothing that a node must act on.
    pub fn is_empty(&self) -> bool {
        self.assign.is_empty()
            && self.revoke.is_empty()
            && self.reported.is_empty()
            && self.hand_back.is_empty()
    }
}

/// Why a poll has no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum PollError {
    /// No leader is known, or it stopped leading meanwhile: poll again.
    #[error("no leader is known")]
    NoLeader,
    /// The cluster does not know the node: it must register (again).
    #[error("node is not registered")]
    Unregistered,
    /// A later start of the node has registered: this one must stop working.
    #[error("another incarnation of the node has registered")]
    Superseded,
}

/// The way to the leader's scheduler: a mailbox in one process, a connection between two.
pub trait Leader: Send + Sync + 'static {
    /// Sends a poll. The answer may take a poll interval; a later poll of the same node
    /// makes the earlier one be answered at once.
    fn poll(&self, poll: Poll) -> BoxFuture<'static, Result<PollReply, PollError>>;
}
