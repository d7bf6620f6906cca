//! `GET /admin/v1/nodes`: the registered nodes, and how their polls make them look.

use axum::Json;
use axum::extract::State;
use cluster::model::{NodeInfo, NodeState};
use serde::Serialize;
use utoipa::ToSchema;

use crate::edge::context::Edge;
use crate::edge::error::{ApiError, ErrorBody};
use crate::edge::params::Params;
use crate::edge::ports::{NodeHealth, NodeSight};

/// The nodes of the cluster.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NodeList)]
pub(crate) struct NodeListBody {
    data: Vec<NodeBody>,
}

/// A node.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Node)]
struct NodeBody {
    /// Its id.
    id: u64,
    /// `edge`, `coordinator` and `render`, those that it runs.
    roles: Vec<&'static str>,
    /// Where other nodes reach it.
    address: String,
    /// Build version.
    version: String,
    /// `ready`, `suspect`, `draining`, `quarantined` or `dead`.
    state: &'static str,
    /// Rendering slots.
    slots: SlotsBody,
    /// Description of its graphics adapter.
    gpu: String,
    /// What its output depends on.
    render_fingerprints: Vec<String>,
    /// Time until its leases run out if it stays silent.
    lease_expires_in_ms: Option<u64>,
    /// Bytes in its caches.
    cache_bytes: u64,
}

/// Rendering slots of a node.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Slots)]
struct SlotsBody {
    /// All of them.
    total: u32,
    /// Those at work.
    busy: u32,
}

/// List the nodes of the cluster.
#[utoipa::path(get, path = "/admin/v1/nodes", tag = "admin",
    responses(
        (status = 200, body = NodeListBody, description = "Every registered node"),
        (status = 400, body = ErrorBody, description = "`invalid_parameter`"),
    ))]
pub(crate) async fn nodes(
    State(edge): State<Edge>,
    params: Params,
) -> Result<Json<NodeListBody>, ApiError> {
    params.only(&[])?;
    let sights = edge.parts.observer.nodes();
    let state = edge.state();
    let data = state
        .nodes
        .values()
        .map(|node| describe(node, sights.get(&node.id).copied()))
        .collect();
    Ok(Json(NodeListBody { data }))
}

fn describe(node: &NodeInfo, sight: Option<NodeSight>) -> NodeBody {
    let roles = [
        ("edge", node.roles.edge),
        ("coordinator", node.roles.coordinator),
        ("render", node.roles.render),
    ];
    NodeBody {
        id: node.id.0,
        roles: roles
            .into_iter()
            .filter_map(|(role, is_run)| is_run.then_some(role))
            .collect(),
        address: node.address.clone(),
        version: node.version.clone(),
        state: state_name(node.state, sight.map(|sight| sight.health)),
        slots: SlotsBody {
            total: node.slots,
            busy: sight.map_or(0, |sight| sight.busy_slots),
        },
        gpu: node.gpu.clone(),
        render_fingerprints: vec![node.fingerprint.0.to_string()],
        lease_expires_in_ms: sight.map(|sight| sight.lease_expires_in_ms),
        cache_bytes: sight.map_or(0, |sight| sight.cache_bytes),
    }
}

/// A node that does not poll is `dead`, whatever its state in the log.
fn state_name(state: NodeState, health: Option<NodeHealth>) -> &'static str {
    match (health, state) {
        (Some(NodeHealth::Dead) | None, _) => "dead",
        (Some(_), NodeState::Quarantined) => "quarantined",
        (Some(_), NodeState::Draining) => "draining",
        (Some(NodeHealth::Suspect), NodeState::Ready) => "suspect",
        (Some(NodeHealth::Live), NodeState::Ready) => "ready",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_has_one_state_name_from_its_log_state_and_its_health() {
        use NodeHealth::{Dead, Live, Suspect};
        for (state, health, name) in [
            (NodeState::Ready, Some(Live), "ready"),
            (NodeState::Ready, Some(Suspect), "suspect"),
            (NodeState::Draining, Some(Suspect), "draining"),
            (NodeState::Quarantined, Some(Live), "quarantined"),
            (NodeState::Quarantined, Some(Dead), "dead"),
            (NodeState::Ready, None, "dead"),
        ] {
            assert_eq!(state_name(state, health), name);
        }
    }
}
