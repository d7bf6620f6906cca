//! `DELETE /v1/renders/{id}`: ends a render that has no file yet.

use axum::Json;
use axum::extract::State;
use cluster::command::{Command, Outcome, Rejection};
use cluster::model::JobId;

use crate::edge::body::RenderBody;
use crate::edge::context::Edge;
use crate::edge::error::{ApiError, Code, ErrorBody};
use crate::edge::extract::{RenderId, Workspace};
use crate::edge::params::Params;
use crate::edge::status;

/// Cancel a render.
///
/// A cancel committed before the finished file wins; after it, the answer is 409.
#[utoipa::path(
    delete,
    path = "/v1/renders/{id}",
    tag = "renders",
    params(("id" = String, Path, description = "The render's id")),
    responses(
        (status = 200, body = RenderBody, description = "The render, now (or already) cancelled"),
        (status = 400, body = ErrorBody, description = "`invalid_parameter`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
        (status = 409, body = ErrorBody, description = "`invalid_state`: completed or failed"),
        (status = 503, body = ErrorBody, description = "`no_leader`, `commit_unknown`, `draining`",
            headers(("Retry-After" = u64))),
    )
)]
pub(crate) async fn cancel(
    State(edge): State<Edge>,
    Workspace(workspace): Workspace,
    RenderId(id): RenderId,
    params: Params,
) -> Result<Json<RenderBody>, ApiError> {
    params.only(&[])?;
    edge.job(&workspace, id)?;
    end(&edge, workspace, id).await?;
    let job = edge.caught_up(id, |job| job.status.is_terminal()).await?;
    Ok(Json(edge.describe(&job).await?))
}

/// Commits the cancel.
///
/// # Errors
/// 409 when the job has ended otherwise, 404 when the workspace has no such job.
pub(crate) async fn end(edge: &Edge, workspace: String, id: JobId) -> Result<(), ApiError> {
    let command = Command::CancelJob { job: id, workspace };
    match edge.propose(command).await? {
        Outcome::Accepted => Ok(()),
        Outcome::Rejected(Rejection::UnknownJob) => Err(ApiError::not_found("render")),
        Outcome::Rejected(Rejection::JobEnded) => {
            let job = edge.caught_up(id, |job| job.status.is_terminal()).await?;
            let status = status::name(job.status);
            Err(ApiError::new(
                Code::InvalidState,
                format!("The render is {status} and cannot be cancelled."),
            ))
        }
        other => {
            tracing::error!(job = %id, outcome = ?other, "a cancel had an outcome it cannot have");
            Err(ApiError::internal())
        }
    }
}
