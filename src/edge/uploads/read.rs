//! `GET`, `DELETE` and `POST …/complete` of an upload.

use axum::Json;
use axum::extract::State;
use cluster::command::{Command, Outcome, Rejection};
use cluster::model::{Arrival, Asset, AssetStatus};

use super::arrival::{notice_arrival, part_length, parts_there};
use super::body::UploadBody;
use crate::edge::assets::{UploadId, status_name};
use crate::edge::context::Edge;
use crate::edge::error::{ApiError, Code, ErrorBody};
use crate::edge::extract::Workspace;
use crate::edge::params::Params;
use crate::store::keys;

/// Read an upload. While it is pending, its links are fresh, and its parts show which of them
/// are stored, so that an interrupted upload can go on.
#[utoipa::path(
    get,
    path = "/v1/uploads/{id}",
    tag = "media",
    params(("id" = String, Path, description = "The upload's id")),
    responses(
        (status = 200, body = UploadBody, description = "The upload"),
        (status = 400, body = ErrorBody, description = "`invalid_parameter`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
        (status = 503, body = ErrorBody, description = "`storage_full`", headers(("Retry-After" = u64))),
    )
)]
pub(crate) async fn read(
    State(edge): State<Edge>,
    Workspace(workspace): Workspace,
    UploadId(id): UploadId,
    params: Params,
) -> Result<Json<UploadBody>, ApiError> {
    params.only(&[])?;
    let mut asset = edge.asset(&workspace, id)?;
    let (store, coordinator) = (&edge.parts.store, &edge.parts.coordinator);
    match notice_arrival(store.as_ref(), coordinator.as_ref(), &asset).await {
        Ok(true) => asset = edge.asset_caught_up(id, |asset| !is_pending(asset)).await?,
        Ok(false) => {}
        // It is asked again on the next look; the upload is as it was.
        Err(error) => tracing::warn!(%id, %error, "an upload was not looked for"),
    }
    Ok(Json(edge.describe_upload(&asset).await?))
}

/// Say that every part was sent. May be repeated.
#[utoipa::path(
    post,
    path = "/v1/uploads/{id}/complete",
    tag = "media",
    params(("id" = String, Path, description = "The upload's id")),
    responses(
        (status = 200, body = UploadBody, description = "The upload, now (or already) taken in"),
        (status = 400, body = ErrorBody, description = "`invalid_parameter`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
        (status = 409, body = ErrorBody, description = "`invalid_state`: parts are missing (they are in the details), or it failed"),
        (status = 503, body = ErrorBody, description = "`no_leader`, `commit_unknown`, `draining`, `storage_full`",
            headers(("Retry-After" = u64))),
    )
)]
pub(crate) async fn complete(
    State(edge): State<Edge>,
    Workspace(workspace): Workspace,
    UploadId(id): UploadId,
    params: Params,
) -> Result<Json<UploadBody>, ApiError> {
    params.only(&[])?;
    let asset = edge.asset(&workspace, id)?;
    match asset.status {
        AssetStatus::Pending => {}
        AssetStatus::Processing | AssetStatus::Ready => {
            return Ok(Json(edge.describe_upload(&asset).await?));
        }
        AssetStatus::Failed => return Err(settled(&asset, "completed")),
    }
    let arrival = whole_of_parts(&edge, &asset).await?;
    let command = Command::AssetArrived { asset: id, arrival };
    match edge.propose(command).await? {
        // Another request was first: the result is in the state.
        Outcome::Accepted | Outcome::Rejected(Rejection::AssetNotPending) => {
            let asset = edge.asset_caught_up(id, |asset| !is_pending(asset)).await?;
            if asset.status == AssetStatus::Failed && asset.arrival.is_none() {
                return Err(settled(&asset, "completed"));
            }
            Ok(Json(edge.describe_upload(&asset).await?))
        }
        Outcome::Rejected(Rejection::UnknownAsset) => Err(ApiError::not_found("upload")),
        other => Err(unexpected(id, &other)),
    }
}

/// Every part with the length it must have, or which are not there.
async fn whole_of_parts(edge: &Edge, asset: &Asset) -> Result<Arrival, ApiError> {
    let (Some(layout), Some(size)) = (asset.new.parts, asset.new.size) else {
        return Err(ApiError::new(
            Code::InvalidState,
            "The upload does not come in parts; it has not arrived yet.",
        ));
    };
    let there = parts_there(edge.parts.store.as_ref(), asset).await?;
    let missing: Vec<u32> = (1..=layout.count)
        .filter(|number| there.get(number).copied() != part_length(asset, *number))
        .collect();
    if missing.is_empty() {
        return Ok(Arrival::Parts { size });
    }
    let message = match missing.as_slice() {
        [number] => format!("Part {number} is missing or has a wrong length."),
        numbers => format!(
            "{} parts are missing or have a wrong length.",
            numbers.len()
        ),
    };
    Err(missing.into_iter().fold(
        ApiError::new(Code::InvalidState, message),
        |error, number| {
            let message = format!("part {number} is not there");
            error.with_detail(&format!("parts[{number}]"), "required", message)
        },
    ))
}

/// Abandon an upload that is not ready. Renders that wait for it fail.
#[utoipa::path(
    delete,
    path = "/v1/uploads/{id}",
    tag = "media",
    params(("id" = String, Path, description = "The upload's id")),
    responses(
        (status = 200, body = UploadBody, description = "The upload, now failed"),
        (status = 400, body = ErrorBody, description = "`invalid_parameter`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
        (status = 409, body = ErrorBody, description = "`invalid_state`: ready or failed already"),
        (status = 503, body = ErrorBody, description = "`no_leader`, `commit_unknown`, `draining`, `storage_full`",
            headers(("Retry-After" = u64))),
    )
)]
pub(crate) async fn remove(
    State(edge): State<Edge>,
    Workspace(workspace): Workspace,
    UploadId(id): UploadId,
    params: Params,
) -> Result<Json<UploadBody>, ApiError> {
    params.only(&[])?;
    let asset = edge.abandon(&workspace, id).await?;
    // What is left, and what a link that still works may yet bring, goes with the clean-up.
    if let Err(error) = edge
        .parts
        .store
        .delete_prefix(&keys::upload_prefix(id))
        .await
    {
        tracing::warn!(%id, %error, "bytes of an abandoned upload were not removed");
    }
    Ok(Json(edge.describe_upload(&asset).await?))
}

pub(super) fn is_pending(asset: &Asset) -> bool {
    asset.status == AssetStatus::Pending
}

/// The upload's state does not allow it any more.
pub(super) fn settled(asset: &Asset, verb: &str) -> ApiError {
    ApiError::new(
        Code::InvalidState,
        format!(
            "The upload is {} and cannot be {verb}.",
            status_name(asset.status)
        ),
    )
}

pub(super) fn unexpected(id: cluster::model::AssetId, outcome: &Outcome) -> ApiError {
    tracing::error!(%id, ?outcome, "a change of an upload had an outcome it cannot have");
    ApiError::internal()
}
