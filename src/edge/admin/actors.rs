//! `GET /admin/v1/actors`: the supervision tree.

use axum::Json;
use axum::extract::State;

use crate::edge::context::Edge;
use crate::edge::error::{ApiError, ErrorBody};
use crate::edge::params::Params;
use crate::edge::ports::ActorBody;

/// Read the supervision tree.
#[utoipa::path(get, path = "/admin/v1/actors", tag = "admin",
    params(("node" = Option<u64>, Query, description = "Of this node only")),
    responses(
        (status = 200, body = ActorBody, description = "The root and everything under it"),
        (status = 400, body = ErrorBody, description = "`invalid_parameter`"),
        (status = 404, body = ErrorBody, description = "`not_found`: no such node"),
    ))]
pub(crate) async fn actors(
    State(edge): State<Edge>,
    params: Params,
) -> Result<Json<ActorBody>, ApiError> {
    let params = params.only(&["node"])?;
    // One process is the whole cluster so far.
    let own = edge.parts.observer.raft().node_id;
    if params
        .integer("node", 0..=u64::MAX)?
        .is_some_and(|node| node != own)
    {
        return Err(ApiError::not_found("node"));
    }
    Ok(Json(edge.parts.observer.actors().await))
}
