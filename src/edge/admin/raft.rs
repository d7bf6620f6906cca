//! `GET /admin/v1/raft`: the raft group as this process sees it.

use axum::Json;
use axum::extract::State;

use crate::edge::context::Edge;
use crate::edge::error::{ApiError, ErrorBody};
use crate::edge::params::Params;
use crate::edge::ports::RaftBody;

/// Read the state of the raft group.
#[utoipa::path(get, path = "/admin/v1/raft", tag = "admin",
    responses(
        (status = 200, body = RaftBody, description = "The group as this node sees it"),
        (status = 400, body = ErrorBody, description = "`invalid_parameter`"),
    ))]
pub(crate) async fn raft(
    State(edge): State<Edge>,
    params: Params,
) -> Result<Json<RaftBody>, ApiError> {
    params.only(&[])?;
    Ok(Json(edge.parts.observer.raft()))
}
