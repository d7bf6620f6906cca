//! `POST /v1/imports`: a file that is to be fetched.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use cluster::model::{AssetKind, NewAsset};

use super::body::ImportBody;
use crate::composition::{Json, validate_import};
use crate::edge::assets::Created;
use crate::edge::context::Edge;
use crate::edge::creation::{Creation, Prologue};
use crate::edge::error::{ApiError, ErrorBody};
use crate::edge::extract::{JsonBody, Workspace};
use crate::edge::params::Params;

const SCOPE: &str = "POST /v1/imports";

/// Import a file by its URL.
///
/// Direct URLs, share links of Google Drive and Dropbox and, where the server has a program
/// for them, video pages. `source_url` is there once the import is ready.
#[utoipa::path(
    post,
    path = "/v1/imports",
    tag = "media",
    params(
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255,
            description = "1 to 255 printable ASCII characters; good for 24 hours"),
    ),
    request_body(content = crate::edge::openapi::ImportRequest, content_type = "application/json"),
    responses(
        (status = 202, body = ImportBody, description = "A new import, processing"),
        (status = 200, body = ImportBody, description = "The import this key made before",
            headers(("Idempotent-Replayed" = String, description = "`true`"))),
        (status = 400, body = ErrorBody, description = "`invalid_json`, `invalid_parameter`, `invalid_idempotency_key`"),
        (status = 402, body = ErrorBody, description = "`quota_exceeded`"),
        (status = 408, body = ErrorBody, description = "`request_timeout`"),
        (status = 409, body = ErrorBody, description = "`idempotency_conflict`"),
        (status = 413, body = ErrorBody, description = "`body_too_large`"),
        (status = 415, body = ErrorBody, description = "`unsupported_media_type`"),
        (status = 422, body = ErrorBody, description = "`validation_failed`, with every violation"),
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
    let creation = Creation {
        workspace: &workspace,
        scope: SCOPE,
        headers: &headers,
        body,
    };
    let check = |json: &Json| validate_import(json).map_err(ApiError::validation);
    let (request, row) = match creation.begin(&edge, check).await? {
        Prologue::New(request, row) => (request, row),
        Prologue::Made(id) => {
            let made = Created::Replayed(edge.asset(&workspace, id)?);
            return Ok(answer(&edge, &made));
        }
    };
    let new = NewAsset {
        asset: edge.fresh_asset_id(AssetKind::Import),
        workspace,
        content_type: None,
        filename: request.filename,
        size: None,
        parts: None,
        url: Some(request.url),
        base: edge.lasting_url(&headers, &uri),
        valid_for_millis: 0,
        idempotency: row,
    };
    Ok(answer(&edge, &edge.create_asset(new).await?))
}

fn answer(edge: &Edge, created: &Created) -> Response {
    let body = edge.describe_import(created.asset());
    created.respond(StatusCode::ACCEPTED, body)
}
