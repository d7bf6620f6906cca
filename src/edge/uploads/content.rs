//! `PUT /v1/uploads/{id}/content` and `…/parts/{number}`: the bytes of an upload, where the
//! store cannot be reached by clients itself. The signed link is the only authority.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use cluster::command::{Command, Outcome, Rejection};
use cluster::model::{Arrival, Asset, AssetId, AssetKind, ObjectKey};

use super::arrival::part_length;
use super::body::UploadBody;
use super::links::Piece;
use super::read::{is_pending, settled, unexpected};
use super::receive::{Expected, announced, receive};
use crate::edge::access::expect_bytes;
use crate::edge::context::Edge;
use crate::edge::error::{ApiError, Code, ErrorBody};
use crate::edge::params::Params;
use crate::edge::signing::Claim;
use crate::store::keys;

/// Send the whole file of an upload.
///
/// The link comes from the upload's `upload_url`; it needs no key. What arrives must have the
/// declared `Content-Type` and length; of other requests no byte is kept.
#[utoipa::path(
    put,
    path = "/v1/uploads/{id}/content",
    security(()),
    tag = "media",
    params(
        ("id" = String, Path, description = "The upload's id"),
        ("expires" = u64, Query, description = "When the link ends, in Unix seconds"),
        ("key" = String, Query, description = "Which key signed it"),
        ("signature" = String, Query, description = "HMAC-SHA256 in hexadecimal"),
    ),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 200, body = UploadBody, description = "The upload, now processing"),
        (status = 400, body = ErrorBody, description = "`invalid_parameter`: also a body that ends before its end"),
        (status = 402, body = ErrorBody, description = "`quota_exceeded`: of an upload whose length was not declared"),
        (status = 403, body = ErrorBody, description = "`forbidden`: expired or not genuine"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
        (status = 408, body = ErrorBody, description = "`request_timeout`: nothing came for 30 seconds"),
        (status = 409, body = ErrorBody, description = "`invalid_state`: it has arrived already, or failed"),
        (status = 413, body = ErrorBody, description = "`body_too_large`: longer than declared or allowed"),
        (status = 415, body = ErrorBody, description = "`unsupported_media_type`: not the declared Content-Type"),
        (status = 422, body = ErrorBody, description = "`validation_failed`: shorter than declared, or empty"),
        (status = 503, body = ErrorBody, description = "`no_leader`, `commit_unknown`, `draining`, `storage_full`",
            headers(("Retry-After" = u64))),
    )
)]
pub(crate) async fn content(
    State(edge): State<Edge>,
    Path(id): Path<String>,
    params: Params,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<UploadBody>, ApiError> {
    let (id, asset) = admitted(&edge, &id, Piece::Whole, params)?;
    let declared = asset.new.content_type.as_deref().unwrap_or_default();
    let given = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if !given.trim().eq_ignore_ascii_case(declared) {
        return Err(ApiError::new(
            Code::UnsupportedMediaType,
            format!("The file was declared as `Content-Type: {declared}` and must be sent so."),
        ));
    }
    // One of declared length was counted when it was made.
    let announced = announced(&headers);
    let counted = match asset.new.size {
        Some(_) => None,
        None => expect_bytes(&edge, &asset.new.workspace, announced)?,
    };
    let limit = edge.config().limits.source_bytes;
    let expected = Expected {
        exactly: asset.new.size,
        at_most: counted.as_ref().map_or(limit, |(_, most)| limit.min(*most)),
    };
    let key = keys::upload_whole(id);
    let size = receive(&edge, key.clone(), expected, &headers, body).await?;
    let arrival = Arrival::Whole {
        key: key.clone(),
        size,
    };
    let command = Command::AssetArrived { asset: id, arrival };
    let outcome = edge.propose(command).await;
    // From here on applied state counts it.
    drop(counted);
    match outcome {
        Ok(Outcome::Accepted) => {
            let asset = edge.asset_caught_up(id, |asset| !is_pending(asset)).await?;
            Ok(Json(edge.describe_upload(&asset).await?))
        }
        Ok(Outcome::Rejected(Rejection::AssetNotPending)) => {
            discard(&edge, &key).await;
            let asset = edge.asset_caught_up(id, |asset| !is_pending(asset)).await?;
            Err(settled(&asset, "sent again"))
        }
        Ok(Outcome::Rejected(Rejection::UnknownAsset)) => {
            discard(&edge, &key).await;
            Err(ApiError::not_found("upload"))
        }
        Ok(other) => Err(unexpected(id, &other)),
        // It may be committed yet, whatever the error: then these bytes are the upload's.
        Err(error) => Err(error.into()),
    }
}

/// Send one part of an upload, again if need be, until the upload is complete.
#[utoipa::path(
    put,
    path = "/v1/uploads/{id}/parts/{number}",
    security(()),
    tag = "media",
    params(
        ("id" = String, Path, description = "The upload's id"),
        ("number" = u32, Path, description = "The part, from 1"),
        ("expires" = u64, Query, description = "When the link ends, in Unix seconds"),
        ("key" = String, Query, description = "Which key signed it"),
        ("signature" = String, Query, description = "HMAC-SHA256 in hexadecimal"),
    ),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 204, description = "The part is there"),
        (status = 400, body = ErrorBody, description = "`invalid_parameter`: also a body that ends before its end"),
        (status = 403, body = ErrorBody, description = "`forbidden`: expired or not genuine"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
        (status = 408, body = ErrorBody, description = "`request_timeout`: nothing came for 30 seconds"),
        (status = 409, body = ErrorBody, description = "`invalid_state`: the upload is complete or failed"),
        (status = 413, body = ErrorBody, description = "`body_too_large`: longer than the part"),
        (status = 422, body = ErrorBody, description = "`validation_failed`: shorter than the part"),
        (status = 503, body = ErrorBody, description = "`draining`, `storage_full`",
            headers(("Retry-After" = u64))),
    )
)]
pub(crate) async fn part(
    State(edge): State<Edge>,
    Path((id, number)): Path<(String, String)>,
    params: Params,
    headers: HeaderMap,
    body: Body,
) -> Result<axum::http::StatusCode, ApiError> {
    let number: u32 = number.parse().map_err(|_| ApiError::not_found("part"))?;
    let (id, asset) = admitted(&edge, &id, Piece::Part(number), params)?;
    let size = part_length(&asset, number).ok_or_else(|| ApiError::not_found("part"))?;
    let expected = Expected {
        exactly: Some(size),
        at_most: size,
    };
    receive(
        &edge,
        keys::upload_part(id, number),
        expected,
        &headers,
        body,
    )
    .await?;
    Ok(axum::http::StatusCode::NO_CONTENT)
}

/// The upload that a genuine link names, while it can still be sent.
fn admitted(
    edge: &Edge,
    id: &str,
    piece: Piece,
    params: Params,
) -> Result<(AssetId, Arc<Asset>), ApiError> {
    let params = params.only(&["expires", "key", "signature"])?;
    let id: AssetId = id
        .parse()
        .ok()
        .filter(|id: &AssetId| id.kind == AssetKind::Upload)
        .ok_or_else(|| ApiError::not_found("upload"))?;
    let claim = Claim {
        expires: params.integer("expires", 0..=u64::MAX)?.unwrap_or(0),
        key: params.text("key").unwrap_or_default(),
        signature: params.text("signature").unwrap_or_default(),
    };
    edge.check_put(id, piece, claim)?;
    edge.refuse_if_draining()?;
    let asset = edge.state().assets.get(&id).cloned();
    let asset = asset.ok_or_else(|| ApiError::not_found("upload"))?;
    if !is_pending(&asset) {
        return Err(settled(&asset, "sent again"));
    }
    Ok((id, asset))
}

/// Removes what the log did not come to name.
async fn discard(edge: &Edge, key: &ObjectKey) {
    if let Err(error) = edge.parts.store.delete(key).await {
        tracing::warn!(%key, %error, "unreferenced bytes were not removed");
    }
}
