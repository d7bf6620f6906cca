//! `POST /v1/probe`: what is in a file, and what a render would make of it, without a render.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use cluster::command::{Command, Outcome};
use cluster::model::{Arrival, Asset, AssetKind, AssetStatus, NewAsset};
use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::assets::{AssetErrorBody, ProbeId, status_name};
use super::context::{Edge, Shared};
use super::error::{ApiError, Code, ErrorBody};
use super::extract::{Caller, JsonBody, Workspace};
use super::params::Params;
use super::timestamp::rfc3339;
use crate::composition::validate_probe;
use crate::media::Report;
use crate::plan::asset_of;

/// Longest that a request waits for its answer, in seconds; it does unless it asks for less.
const WAIT: u64 = 30;
/// Time between two looks whether it is there.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long a probe of an upload may take to begin.
const VALID_MILLIS: u64 = 600_000;

/// A probe of a file.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FileProbe)]
pub(crate) struct FileProbeBody {
    /// Its id, `probe_` and a ULID.
    #[schema(example = "probe_01JABCDEFGHJKMNPQRSTVWXYZ0")]
    id: String,
    /// Always `probe`.
    object: &'static str,
    /// `processing`, `ready` or `failed`; the last two are final.
    status: &'static str,
    /// When it was asked for.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was ready or failed.
    #[schema(format = DateTime)]
    finished_at: Option<String>,
    /// What is in the file, once ready.
    report: Option<Report>,
    /// Why it failed.
    error: Option<AssetErrorBody>,
}

/// Look into a file.
///
/// The file is fetched under the rules of a render's source. Answered when it is known what is in it,
/// within `wait` seconds; after that with the id to ask for.
#[utoipa::path(
    post,
    path = "/v1/probe",
    tag = "media",
    params(
        ("wait" = Option<u64>, Query, minimum = 0, maximum = 30,
            description = "Seconds to wait for the answer; 30 by default"),
    ),
    request_body(content = crate::edge::openapi::ProbeRequest, content_type = "application/json"),
    responses(
        (status = 200, body = FileProbeBody, description = "The probe, ready or failed"),
        (status = 202, body = FileProbeBody, description = "The probe, still processing"),
        (status = 400, body = ErrorBody, description = "`invalid_json`, `invalid_parameter`"),
        (status = 404, body = ErrorBody, description = "`not_found`: the upload or import that `source_url` names"),
        (status = 408, body = ErrorBody, description = "`request_timeout`"),
        (status = 409, body = ErrorBody, description = "`invalid_state`: the upload or import is not ready"),
        (status = 413, body = ErrorBody, description = "`body_too_large`"),
        (status = 415, body = ErrorBody, description = "`unsupported_media_type`"),
        (status = 422, body = ErrorBody, description = "`validation_failed`, with every violation"),
        (status = 503, body = ErrorBody, description = "`no_leader`, `commit_unknown`, `draining`, `storage_full`",
            headers(("Retry-After" = u64))),
    )
)]
pub(crate) async fn create(
    State(edge): State<Edge>,
    Caller(client): Caller,
    params: Params,
    uri: Uri,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let params = params.only(&["wait"])?;
    let wait = params.integer("wait", 0..=WAIT)?.unwrap_or(WAIT);
    let standing = client.standing();
    let workspace = client.workspace;
    let judged = body.judge(&edge, &workspace, |json| {
        validate_probe(&json).map_err(ApiError::validation)
    });
    let url = judged.await?;
    let arrival = arrived(&edge, &workspace, &url)?;
    let new = NewAsset {
        asset: edge.fresh_asset_id(AssetKind::Probe),
        workspace: workspace.clone(),
        content_type: None,
        filename: None,
        size: None,
        parts: None,
        url: arrival.is_none().then_some(url),
        base: edge.lasting_url(&headers, &uri),
        valid_for_millis: VALID_MILLIS,
        idempotency: None,
    };
    let id = new.asset;
    edge.create_asset(new).await?;
    if let Some(arrival) = arrival {
        let begun = edge
            .propose(Command::AssetArrived { asset: id, arrival })
            .await?;
        if begun != Outcome::Accepted {
            tracing::error!(%id, outcome = ?begun, "a probe had an outcome it cannot have");
            return Err(ApiError::internal());
        }
    }
    let deadline = Instant::now() + Duration::from_secs(wait);
    loop {
        let asset = edge.asset(&workspace, id)?;
        let is_settled = asset.status.is_settled();
        if is_settled || Instant::now() >= deadline {
            let status = if is_settled {
                StatusCode::OK
            } else {
                StatusCode::ACCEPTED
            };
            return Ok((status, Json(describe(&asset))).into_response());
        }
        tokio::select! {
            () = edge.parts.draining.cancelled() => return Err(draining()),
            () = standing.ended(edge.clone()) => return Err(ApiError::revoked()),
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Read a probe.
#[utoipa::path(
    get,
    path = "/v1/probe/{id}",
    tag = "media",
    params(("id" = String, Path, description = "The probe's id")),
    responses(
        (status = 200, body = FileProbeBody, description = "The probe"),
        (status = 400, body = ErrorBody, description = "`invalid_parameter`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
    )
)]
pub(crate) async fn read(
    State(edge): State<Edge>,
    Workspace(workspace): Workspace,
    ProbeId(id): ProbeId,
    params: Params,
) -> Result<Json<FileProbeBody>, ApiError> {
    params.only(&[])?;
    let asset = edge.asset(&workspace, id)?;
    Ok(Json(describe(&asset)))
}

/// The bytes of the upload or import that `url` names, which need not be fetched; `None` where it
/// names none.
fn arrived(edge: &Shared, workspace: &str, url: &str) -> Result<Option<Arrival>, ApiError> {
    let Some(named) = asset_of(url) else {
        return Ok(None);
    };
    let asset: Arc<Asset> = edge.asset(workspace, named)?;
    match (&asset.ingested, asset.status) {
        (Some(taken), AssetStatus::Ready) => Ok(Some(Arrival::Whole {
            key: taken.object.key.clone(),
            size: taken.object.size,
        })),
        (_, status) => Err(ApiError::new(
            Code::InvalidState,
            format!(
                "{named} is {}; only a ready one can be probed.",
                status_name(status)
            ),
        )),
    }
}

fn describe(asset: &Asset) -> FileProbeBody {
    let report = asset.ingested.as_ref().and_then(|taken| {
        let read = serde_json::from_str(&taken.probe);
        read.inspect_err(|error| tracing::warn!(id = %asset.id(), %error, "a probe is unreadable"))
            .ok()
    });
    FileProbeBody {
        id: asset.id().to_string(),
        object: "probe",
        status: match asset.status {
            AssetStatus::Pending => status_name(AssetStatus::Processing),
            status => status_name(status),
        },
        created_at: rfc3339(asset.created_at),
        finished_at: asset.settled_at.map(rfc3339),
        report,
        error: AssetErrorBody::of(asset),
    }
}

fn draining() -> ApiError {
    ApiError::new(
        Code::Draining,
        "This server is stopping; ask for the probe again.",
    )
}
