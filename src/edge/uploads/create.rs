//! `POST /v1/uploads`: a place for a file that a client is about to send.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use cluster::model::{AssetKind, NewAsset, PartLayout};

use super::body::UploadBody;
use crate::composition::{Json, UploadRequest, Violation, ViolationCode, validate_upload};
use crate::edge::assets::Created;
use crate::edge::context::Edge;
use crate::edge::creation::{Creation, Prologue};
use crate::edge::error::{ApiError, ErrorBody};
use crate::edge::extract::{JsonBody, Workspace};
use crate::edge::params::Params;

const SCOPE: &str = "POST /v1/uploads";

/// How long the links of an upload work (API.md §2).
const VALID_MILLIS: u64 = 3_600_000;

/// No file is larger, whatever the settings say (API.md §2).
const MOST_BYTES: u64 = 5 << 30;

/// Longer files are offered in parts unless the client asks otherwise.
const WHOLE_UP_TO: u64 = 100 << 20;

const LEAST_PART: u64 = 16 << 20;
const MOST_PARTS: u64 = 1000;

/// Announce a file.
///
/// `source_url` works in compositions at once: a render that uses it waits until the bytes
/// are there. Files above 100 MiB, and others on request, may be sent in parts.
#[utoipa::path(
    post,
    path = "/v1/uploads",
    tag = "media",
    params(
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255,
            description = "1 to 255 printable ASCII characters; good for 24 hours"),
    ),
    request_body(content = crate::edge::openapi::UploadRequest, content_type = "application/json"),
    responses(
        (status = 201, body = UploadBody, description = "A new upload, pending"),
        (status = 200, body = UploadBody, description = "The upload this key made before",
            headers(("Idempotent-Replayed" = String, description = "`true`"))),
        (status = 400, body = ErrorBody, description = "`invalid_json`, `invalid_parameter`, `invalid_idempotency_key`"),
        (status = 402, body = ErrorBody, description = "`quota_exceeded`"),
        (status = 408, body = ErrorBody, description = "`request_timeout`"),
        (status = 409, body = ErrorBody, description = "`idempotency_conflict`"),
        (status = 413, body = ErrorBody, description = "`body_too_large`"),
        (status = 415, body = ErrorBody, description = "`unsupported_media_type`"),
        (status = 422, body = ErrorBody, description = "`unsupported_content_type`; `validation_failed`, with every violation"),
        (status = 503, body = ErrorBody, description = "`no_leader`, `commit_unknown`, `draining`, `storage_full`",
            headers(("Retry-After" = u64))),
    )
)]
pub(crate) async fn create(
    State(edge): State<Edge>,
    Workspace(workspace): Workspace,
    params: Params,
    uri: Uri,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, ApiError> {
    params.only(&[])?;
    let most = edge.config().limits.source_bytes.min(MOST_BYTES);
    let creation = Creation {
        workspace: &workspace,
        scope: SCOPE,
        headers: &headers,
        body,
    };
    let check = move |json: &Json| validate_upload(json, most).map_err(refused);
    let (request, row) = match creation.begin(&edge, check).await? {
        Prologue::New(request, row) => (request, row),
        Prologue::Made(id) => {
            let made = Created::Replayed(edge.asset(&workspace, id)?);
            return answer(&edge, made).await;
        }
    };
    let new = NewAsset {
        asset: edge.fresh_asset_id(AssetKind::Upload),
        workspace,
        parts: layout(&request),
        content_type: Some(request.content_type.to_owned()),
        filename: Some(request.filename),
        size: request.size,
        url: None,
        base: edge.lasting_url(&headers, &uri),
        valid_for_millis: VALID_MILLIS,
        idempotency: row,
    };
    let created = edge.create_asset(new).await?;
    answer(&edge, created).await
}

async fn answer(edge: &Edge, created: Created) -> Result<Response, ApiError> {
    let body = edge.describe_upload(created.asset()).await?;
    Ok(created.respond(StatusCode::CREATED, body).into_response())
}

/// How the file is cut, if it may come in parts.
fn layout(request: &UploadRequest) -> Option<PartLayout> {
    let size = request.size?;
    if !request.multipart.unwrap_or(size > WHOLE_UP_TO) {
        return None;
    }
    let part_size = size.div_ceil(MOST_PARTS).max(LEAST_PART);
    let count = u32::try_from(size.div_ceil(part_size)).ok()?;
    Some(PartLayout { part_size, count })
}

/// A type that uploads cannot have has a code of its own, if it is all that is wrong.
fn refused(violations: Vec<Violation>) -> ApiError {
    let is_type = |violation: &Violation| {
        violation.path == "content_type" && violation.code == ViolationCode::Enum
    };
    let is_all = violations.iter().all(is_type);
    let error = ApiError::validation(violations);
    if is_all {
        error.of_unsupported_type("Uploads cannot have this content type.")
    } else {
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_at_least_16_mib_and_at_most_a_thousand() {
        let request = |size, multipart| UploadRequest {
            content_type: "video/mp4",
            filename: "a.mp4".to_owned(),
            size,
            multipart,
        };
        let of = |size, multipart| {
            let layout = layout(&request(size, multipart))?;
            Some((layout.part_size, layout.count))
        };
        assert_eq!(of(None, None), None);
        assert_eq!(of(Some(WHOLE_UP_TO), None), None);
        assert_eq!(of(Some(WHOLE_UP_TO + 1), None), Some((LEAST_PART, 7)));
        assert_eq!(of(Some(WHOLE_UP_TO + 1), Some(false)), None);
        assert_eq!(of(Some(1), Some(true)), Some((LEAST_PART, 1)));
        assert_eq!(of(Some(5 << 30), None), Some((LEAST_PART, 320)));
        assert_eq!(of(Some(40_000_000_000), None), Some((40_000_000, 1000)));
    }
}
