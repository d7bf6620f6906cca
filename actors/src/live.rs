//! The leader's records of nodes and running attempts, from their polls alone. Published
//! by the scheduler, read by the job actors and by operators; never in the log.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cluster::State;
use cluster::model::{Epoch, Fingerprint, Incarnation, NodeId, NodeState, TaskRef};
use serde::Serialize;

/// The polls' view of the cluster at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct LiveFacts {
    /// Nodes that polled this leader.
    pub(crate) nodes: BTreeMap<NodeId, LiveNode>,
    /// Units done of every attempt that a node listed.
    pub(crate) units: BTreeMap<(TaskRef, Epoch), u64>,
}

/// A node as its last poll showed it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LiveNode {
    pub(crate) incarnation: Incarnation,
    pub(crate) last_poll: Instant,
    pub(crate) free_slots: u32,
    pub(crate) held: u32,
    pub(crate) is_draining: bool,
    /// When the first of its leases expires unless it polls.
    pub(crate) first_expiry: Option<Instant>,
}

impl LiveFacts {
    /// The nodes that poll and take rendering work, with their fingerprints.
    pub(crate) fn takers(
        &self,
        applied: &State,
        now: Instant,
        suspect: Duration,
    ) -> Vec<(NodeId, Fingerprint)> {
        self.nodes
            .iter()
            .filter(|(_, node)| now.saturating_duration_since(node.last_poll) <= suspect)
            .filter_map(|(id, _)| applied.nodes.get(id))
            .filter(|info| info.roles.render && info.state == NodeState::Ready)
            .map(|info| (info.id, info.fingerprint))
            .collect()
    }
}

/// How the leader judges a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// It polls.
    Live,
    /// It has not polled lately: no new work.
    Suspect,
    /// Its leases have expired, or it never polled this leader.
    Dead,
}

/// A registered node, for operators.
#[derive(Debug, Clone, Serialize)]
pub struct NodeView {
    /// Its id.
    pub id: NodeId,
    /// Where other nodes reach it.
    pub address: String,
    /// Description of its graphics adapter.
    pub gpu: String,
    /// Build version.
    pub version: String,
    /// Slots it has.
    pub slots: u32,
    /// Slots that could begin something.
    pub slots_free: u32,
    /// Attempts it works on.
    pub attempts: u32,
    /// Its committed state: `ready`, `draining`, `quarantined`.
    pub state: String,
    /// How the leader judges it.
    pub health: Health,
    /// Milliseconds since its last poll.
    pub last_poll_age_millis: Option<u64>,
    /// Milliseconds until the first of its leases expires unless it polls.
    pub lease_expires_in_millis: Option<u64>,
}
