//! What the edge asks of the process it runs in, beside the coordinator and the store. The
//! binary adapts the actors to this; tests fake it. Everything answers at once, from memory.

use std::collections::BTreeMap;

use cluster::model::{JobId, NodeId};
use futures::future::BoxFuture;
use serde::Serialize;
use tokio::sync::broadcast;
use utoipa::ToSchema;

/// A view of the work going on, as fresh as the last polls.
pub trait Observer: Send + Sync + 'static {
    /// How far an active job has got; `None` if that is not known here.
    fn progress(&self, job: JobId) -> Option<ObservedProgress>;

    /// Receives the id of each job whose progress changes. A receiver that lags asks for all
    /// again.
    fn progress_changes(&self) -> broadcast::Receiver<JobId>;

    /// The nodes that have polled, by id.
    fn nodes(&self) -> BTreeMap<NodeId, NodeSight>;

    /// The supervision tree of this process.
    fn actors(&self) -> BoxFuture<'static, ActorBody>;

    /// The raft group as this process sees it.
    fn raft(&self) -> RaftBody;

    /// What is wrong with this machine's wall clock, if it was not believed at the start.
    fn clock_note(&self) -> Option<String>;
}

/// How far an active job has got.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ObservedProgress {
    /// Frames rendered, committed or not.
    pub frames_done: u64,
    /// From 0 to just below 1.
    pub fraction: f64,
    /// Frames a second over the last seconds, if there is an estimate.
    pub fps: Option<f64>,
    /// Seconds until the end, if there is an estimate.
    pub eta_seconds: Option<f64>,
}

/// A node, as the leader judges it from its polls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeSight {
    /// Whether it polls.
    pub health: NodeHealth,
    /// Slots at work.
    pub busy_slots: u32,
    /// Time until its leases run out if it stays silent.
    pub lease_expires_in_ms: u64,
    /// Bytes in its caches.
    pub cache_bytes: u64,
}

/// Whether a node polls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeHealth {
    /// It polls.
    Live,
    /// It missed polls: no new work.
    Suspect,
    /// Its leases have run out.
    Dead,
}

/// An actor and what it supervises.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Actor, no_recursion)]
pub struct ActorBody {
    /// Its name, unique among its siblings.
    pub name: String,
    /// What it is, such as `scheduler`.
    pub kind: String,
    /// Its observable state.
    #[schema(value_type = Object)]
    pub state: serde_json::Value,
    /// How often it was restarted.
    pub restarts: u64,
    /// Messages waiting; `None` where that is not known.
    pub mailbox: Option<u64>,
    /// The actors it supervises.
    pub children: Vec<Self>,
}

/// The raft group as one node sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Raft)]
pub struct RaftBody {
    /// This node.
    pub node_id: u64,
    /// The cluster's id.
    pub cluster_id: String,
    /// `leader`, `follower`, `candidate`, `learner` or `shutdown`.
    pub state: &'static str,
    /// Who leads, if that is known.
    pub leader_id: Option<u64>,
    /// The current term.
    pub term: u64,
    /// The last entry in this node's log.
    pub last_log_index: u64,
    /// The last entry this node applied.
    pub applied_index: u64,
    /// Members with a vote.
    pub voters: Vec<MemberBody>,
    /// Members without one.
    pub learners: Vec<MemberBody>,
}

/// A member of the raft group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RaftMember)]
pub struct MemberBody {
    /// Its id.
    pub id: u64,
    /// Where it is reached.
    pub address: String,
    /// Whether it answers, as far as this node knows.
    pub reachable: bool,
}
