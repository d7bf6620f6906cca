//! `GET /v1/renders/{id}`: the render, at once or when it has ended.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use cluster::model::JobId;
use cluster::state::Job;

use crate::edge::access::Client;
use crate::edge::body::RenderBody;
use crate::edge::context::Edge;
use crate::edge::error::{ApiError, ErrorBody};
use crate::edge::extract::{Caller, RenderId};
use crate::edge::params::Params;
use crate::telemetry::metrics::Waiting;

/// Longest wait a request may ask for, in seconds.
const MAX_WAIT: u64 = 60;

/// Read a render, optionally waiting for its end.
///
/// With `wait`, answers when the render has ended or the time is over, whichever is first.
#[utoipa::path(
    get,
    path = "/v1/renders/{id}",
    tag = "renders",
    params(
        ("id" = String, Path, description = "The render's id"),
        ("wait" = Option<u64>, Query, minimum = 0, maximum = 60,
            description = "Seconds to wait for the render's end"),
    ),
    responses(
        (status = 200, body = RenderBody, description = "The render"),
        (status = 400, body = ErrorBody, description = "`invalid_parameter`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
    )
)]
pub(crate) async fn read(
    State(edge): State<Edge>,
    Caller(client): Caller,
    RenderId(id): RenderId,
    params: Params,
) -> Result<Json<RenderBody>, ApiError> {
    let params = params.only(&["wait"])?;
    let wait = params.integer("wait", 0..=MAX_WAIT)?.unwrap_or(0);
    let mut job = edge.job(&client.workspace, id)?;
    if wait > 0 && !job.status.is_terminal() {
        job = ended(&edge, &client, id, Duration::from_secs(wait)).await?;
    }
    Ok(Json(edge.describe(&job).await?))
}

/// The job once it has ended, the time is over or this process drains.
///
/// # Errors
/// 401 once the client's key is revoked.
async fn ended(
    edge: &Edge,
    client: &Client,
    id: JobId,
    wait: Duration,
) -> Result<Arc<Job>, ApiError> {
    let _waiting = Waiting::on_long_poll();
    let mut watch = edge.watch(id);
    let has_ended = watch.job.wait_for(|job| {
        // One that retention removed has no end to wait for.
        job.as_ref().is_none_or(|job| job.status.is_terminal())
    });
    tokio::select! {
        _ = has_ended => {}
        () = tokio::time::sleep(wait) => {}
        () = edge.parts.draining.cancelled() => {}
        () = client.standing().ended(edge.clone()) => return Err(ApiError::revoked()),
    }
    edge.job(&client.workspace, id)
}
