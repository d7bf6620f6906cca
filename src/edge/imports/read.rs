//! `GET` and `DELETE /v1/imports/{id}`.

use axum::Json;
use axum::extract::State;

use super::body::ImportBody;
use crate::edge::assets::ImportId;
use crate::edge::context::Edge;
use crate::edge::error::{ApiError, ErrorBody};
use crate::edge::extract::Workspace;
use crate::edge::params::Params;

/// Read an import.
#[utoipa::path(
    get,
    path = "/v1/imports/{id}",
    tag = "media",
    params(("id" = String, Path, description = "The import's id")),
    responses(
        (status = 200, body = ImportBody, description = "The import"),
        (status = 400, body = ErrorBody, description = "`invalid_parameter`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
    )
)]
pub(crate) async fn read(
    State(edge): State<Edge>,
    Workspace(workspace): Workspace,
    ImportId(id): ImportId,
    params: Params,
) -> Result<Json<ImportBody>, ApiError> {
    params.only(&[])?;
    let asset = edge.asset(&workspace, id)?;
    Ok(Json(edge.describe_import(&asset)))
}

/// Abandon an import that is not ready. Renders that wait for it fail.
#[utoipa::path(
    delete,
    path = "/v1/imports/{id}",
    tag = "media",
    params(("id" = String, Path, description = "The import's id")),
    responses(
        (status = 200, body = ImportBody, description = "The import, now failed"),
        (status = 400, body = ErrorBody, description = "`invalid_parameter`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
        (status = 409, body = ErrorBody, description = "`invalid_state`: ready or failed already"),
        (status = 503, body = ErrorBody, description = "`no_leader`, `commit_unknown`, `draining`",
            headers(("Retry-After" = u64))),
    )
)]
pub(crate) async fn remove(
    State(edge): State<Edge>,
    Workspace(workspace): Workspace,
    ImportId(id): ImportId,
    params: Params,
) -> Result<Json<ImportBody>, ApiError> {
    params.only(&[])?;
    let asset = edge.abandon(&workspace, id).await?;
    Ok(Json(edge.describe_import(&asset)))
}
