//! Who this node is.

use crate::model::{Incarnation, NodeId};

/// Who this node is: the first two are kept with its data directory, the last is drawn at
/// every start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Allocated once for the data directory.
    pub node_id: NodeId,
    /// Id of the cluster the directory belongs to.
    pub cluster_id: String,
    /// This start of the process.
    pub incarnation: Incarnation,
}
