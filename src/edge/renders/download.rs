//! `GET /v1/renders/{id}/download`: a fresh link to the finished file.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cluster::model::JobStatus;

use crate::edge::body::DownloadBody;
use crate::edge::context::Edge;
use crate::edge::error::{ApiError, Code, ErrorBody};
use crate::edge::extract::{RenderId, Workspace};
use crate::edge::params::Params;
use crate::edge::signing::FilePart;
use crate::edge::status;
use crate::edge::timestamp::rfc3339;

/// Get the finished file.
///
/// Redirects to a signed link that ends after an hour or what the server is set to; with
/// `redirect=false` the link is in the body.
#[utoipa::path(
    get,
    path = "/v1/renders/{id}/download",
    tag = "renders",
    params(
        ("id" = String, Path, description = "The render's id"),
        ("redirect" = Option<bool>, Query, description = "`false`: answer 200 with the link"),
    ),
    responses(
        (status = 302, description = "To the file", headers(("Location" = String))),
        (status = 200, body = DownloadBody, description = "The link, with `redirect=false`"),
        (status = 400, body = ErrorBody, description = "`invalid_parameter`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
        (status = 409, body = ErrorBody, description = "`invalid_state`: not completed"),
        (status = 410, body = ErrorBody, description = "`artifact_expired`"),
        (status = 503, body = ErrorBody, description = "`storage_full`", headers(("Retry-After" = u64))),
    )
)]
pub(crate) async fn download(
    State(edge): State<Edge>,
    Workspace(workspace): Workspace,
    RenderId(id): RenderId,
    params: Params,
) -> Result<Response, ApiError> {
    let params = params.only(&["redirect"])?;
    let redirects = params
        .choice("redirect", &[("true", true), ("false", false)])?
        .unwrap_or(true);
    let job = edge.job(&workspace, id)?;
    let Some(artifact) = job
        .artifact
        .as_ref()
        .filter(|_| job.status == JobStatus::Completed)
    else {
        let status = status::name(job.status);
        return Err(ApiError::new(
            Code::InvalidState,
            format!("The render is {status}; only a completed one has a file."),
        ));
    };
    let is_kept = edge.keeps_files_of(&job);
    if !is_kept || edge.parts.store.head(&artifact.object.key).await?.is_none() {
        return Err(expired());
    }
    let details = edge.details(&job).await;
    let link = edge
        .link(&job, artifact, FilePart::Output, &details)
        .await?;
    let no_store = (
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-store"),
    );
    if redirects {
        let location = HeaderValue::from_str(&link.url).map_err(|_| ApiError::internal())?;
        Ok((StatusCode::FOUND, [no_store, (header::LOCATION, location)]).into_response())
    } else {
        let body = DownloadBody {
            url: link.url,
            expires_at: rfc3339(link.expires_at),
        };
        Ok(([no_store], Json(body)).into_response())
    }
}

/// The file's retention has ended.
pub(crate) fn expired() -> ApiError {
    ApiError::new(
        Code::ArtifactExpired,
        "The file is no longer kept; render the composition again.",
    )
}
