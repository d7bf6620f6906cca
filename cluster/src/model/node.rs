//! Nodes as the cluster sees them.

use serde::{Deserialize, Serialize};

use super::{Boot, Digest, Incarnation, LogTime, NodeId};

/// Digest of everything about a node that can change pixels or bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Fingerprint(pub Digest);

/// Which roles a process runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roles {
    /// Serves /v1.
    pub edge: bool,
    /// Holds a vote and the log.
    pub coordinator: bool,
    /// Renders.
    pub render: bool,
}

/// Whether a node may be given work, as committed. `suspect` and `dead` are judged by the
/// leader from polls and are not in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NodeState {
    /// Takes work.
    Ready,
    /// Finishes what it holds, takes nothing new.
    Draining,
    /// Failed too many different jobs; takes nothing until readmitted.
    Quarantined,
}

/// A registered node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeInfo {
    /// Its id.
    pub id: NodeId,
    /// Its current incarnation; another one's leases are released.
    pub incarnation: Incarnation,
    /// Where other nodes reach it.
    pub address: String,
    /// Build version.
    pub version: String,
    /// What it runs.
    pub roles: Roles,
    /// Rendering slots.
    pub slots: u32,
    /// Description of the graphics adapter, for operators.
    pub gpu: String,
    /// What its output depends on.
    pub fingerprint: Fingerprint,
    /// Whether it may be given work.
    pub state: NodeState,
    /// When this incarnation registered.
    pub registered_at: LogTime,
}

/// A node as it registers: each start of its process counts one boot more, so that a
/// registration that comes late is known from the one of the start that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// What it is and offers.
    pub info: NodeInfo,
    /// Which start of it.
    pub boot: Boot,
}
