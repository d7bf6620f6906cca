//! `GET /v1/sources/{id}`: what a composition names an upload or import by leads, for those
//! whose it is, to its bytes.

use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cluster::model::{AssetId, AssetKind, AssetStatus};

use super::assets::status_name;
use super::context::Edge;
use super::error::{ApiError, Code, ErrorBody};
use super::extract::Workspace;
use super::params::Params;
use crate::store::Presign;

/// Get the bytes of an upload or import.
#[utoipa::path(
    get,
    path = "/v1/sources/{id}",
    tag = "media",
    params(("id" = String, Path, description = "The upload's or import's id")),
    responses(
        (status = 302, description = "To the file", headers(("Location" = String))),
        (status = 400, body = ErrorBody, description = "`invalid_parameter`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
        (status = 409, body = ErrorBody, description = "`invalid_state`: not ready"),
        (status = 503, body = ErrorBody, description = "`storage_full`", headers(("Retry-After" = u64))),
    )
)]
pub(crate) async fn source(
    State(edge): State<Edge>,
    Workspace(workspace): Workspace,
    Path(id): Path<String>,
    params: Params,
) -> Result<Response, ApiError> {
    params.only(&[])?;
    let id: AssetId = id.parse().map_err(|_| ApiError::not_found("source"))?;
    if id.kind == AssetKind::Probe {
        return Err(ApiError::not_found("source"));
    }
    let asset = edge.asset(&workspace, id)?;
    let Some(taken) = asset
        .ingested
        .as_ref()
        .filter(|_| asset.status == AssetStatus::Ready)
    else {
        let status = status_name(asset.status);
        return Err(ApiError::new(
            Code::InvalidState,
            format!("The source is {status}; only a ready one has bytes."),
        ));
    };
    let presigned = edge.parts.store.presign(&Presign::Get {
        key: taken.object.key.clone(),
        ttl: edge.config().url_ttl,
    });
    let url = match presigned {
        Some(link) => link.await?,
        None => edge.source_link(&asset)?,
    };
    let location = HeaderValue::from_str(&url).map_err(|_| ApiError::internal())?;
    let no_store = HeaderValue::from_static("private, no-store");
    Ok((
        StatusCode::FOUND,
        [
            (header::CACHE_CONTROL, no_store),
            (header::LOCATION, location),
        ],
    )
        .into_response())
}
