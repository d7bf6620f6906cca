//! `POST /v1/renders`: admits a composition for rendering.

use std::sync::Arc;

use actors::ports::ProposeError;
use axum::Json as JsonResponse;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use cluster::command::{Command, Outcome, Rejection};
use cluster::model::{
    Admission, AssetUse, IdempotencyRow, JobId, JobStatus, Level, NewRender, Submission,
};

use crate::composition::{Json, Limits, ValidComposition, Warning, canonical_bytes, validate};
use crate::edge::accepted::AcceptedRequest;
use crate::edge::access::{Wanted, reserve};
use crate::edge::body::RenderBody;
use crate::edge::context::Edge;
use crate::edge::creation::{Creation, Prologue, conflict, replayed};
use crate::edge::error::{ApiError, Code, ErrorBody};
use crate::edge::extract::{JsonBody, Workspace};
use crate::edge::params::Params;
use crate::edge::renders::as_of;
use crate::edge::uploads::notice_arrival;
use crate::plan::RequestObject;
use crate::plan::{assets_used, has_remote_sources};
use crate::store::keys;
use crate::telemetry::metrics::{self, Submission as Submitted};

/// What a key's scope is called: it counts for this method and path only.
const SCOPE: &str = "POST /v1/renders";

/// Submit a composition for rendering.
///
/// Answers 202 once the render is committed, not merely received. A repeated
/// `Idempotency-Key` with the same body is answered with the render it first made.
#[utoipa::path(
    post,
    path = "/v1/renders",
    tag = "renders",
    params(
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255,
            description = "1 to 255 printable ASCII characters; good for 24 hours"),
    ),
    request_body(content = crate::edge::openapi::Composition, content_type = "application/json"),
    responses(
        (status = 202, body = RenderBody, description = "A new render, queued"),
        (status = 200, body = RenderBody, description = "The render this key made before",
            headers(("Idempotent-Replayed" = String, description = "`true`"))),
        (status = 400, body = ErrorBody, description = "`invalid_json`, `invalid_parameter`, `invalid_idempotency_key`"),
        (status = 402, body = ErrorBody, description = "`quota_exceeded`"),
        (status = 408, body = ErrorBody, description = "`request_timeout`"),
        (status = 409, body = ErrorBody, description = "`idempotency_conflict`"),
        (status = 413, body = ErrorBody, description = "`body_too_large`"),
        (status = 415, body = ErrorBody, description = "`unsupported_media_type`"),
        (status = 422, body = ErrorBody, description = "`validation_failed`, with every violation"),
        (status = 429, body = ErrorBody, description = "`queue_full`",
            headers(("Retry-After" = u64), ("RateLimit" = String), ("RateLimit-Policy" = String))),
        (status = 503, body = ErrorBody, description = "`no_leader`, `commit_unknown`, `draining`, `storage_full`",
            headers(("Retry-After" = u64))),
    )
)]
pub(crate) async fn submit(
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
    let (shared, base) = (edge.clone(), edge.lasting_url(&headers, &uri));
    let check = move |json: &Json| checked(json, base, &shared.config().limits.composition);
    let begun = creation.begin(&edge, check).await;
    match begun.inspect_err(count_refusal)? {
        Prologue::New(request, row) => admit(&edge, workspace, request, row).await,
        Prologue::Made(job) => answer_replay(&edge, &workspace, job).await,
    }
}

/// A request that passed validation.
#[derive(Debug)]
struct Checked {
    composition: ValidComposition,
    /// The request object to store.
    bytes: Bytes,
    /// What answers show of it.
    accepted: AcceptedRequest,
}

fn checked(json: &Json, base: String, limits: &Limits) -> Result<Checked, ApiError> {
    let (composition, warnings) = validate(json, limits).map_err(ApiError::validation)?;
    let request = request_object(json, warnings, base)?;
    Ok(Checked {
        composition,
        bytes: request.to_bytes(),
        accepted: AcceptedRequest::of(request),
    })
}

fn count_refusal(error: &ApiError) {
    match error.code() {
        Code::ValidationFailed => metrics::submission(Submitted::Invalid),
        Code::IdempotencyConflict => metrics::submission(Submitted::Conflict),
        Code::QuotaExceeded => metrics::submission(Submitted::OverQuota),
        Code::QueueFull => metrics::submission(Submitted::QueueFull),
        _ => {}
    }
}

fn request_object(
    json: &Json,
    warnings: Vec<Warning>,
    public_url: String,
) -> Result<RequestObject, ApiError> {
    let composition = serde_json::from_slice(&canonical_bytes(json)).map_err(|error| {
        let error = &error as &dyn std::error::Error;
        tracing::error!(error, "a canonical body is not JSON");
        ApiError::internal()
    })?;
    Ok(RequestObject {
        version: RequestObject::VERSION,
        composition,
        warnings,
        public_url,
    })
}

/// Makes the request durable, then proposes the job. What an applied command does not name is
/// removed again. Without an outcome it stays, for it may be named: an entry that this process
/// gave up, or that a former leader appended, can still be committed. What is reserved of the
/// workspace's quotas meanwhile is given back with every outcome but the render.
async fn admit(
    edge: &Edge,
    workspace: String,
    request: Checked,
    idempotency: Option<IdempotencyRow>,
) -> Result<Response, ApiError> {
    let Checked {
        composition,
        bytes,
        accepted,
    } = request;
    let id = edge.fresh_job_id();
    let wanted = Wanted {
        job: id,
        workspace: workspace.clone(),
        millis: accepted.planned_millis,
        key: idempotency.clone(),
    };
    let reserved = reserve(edge, wanted).await.inspect_err(count_refusal)?;
    let object = edge.parts.store.put(keys::composition(id), bytes).await?;
    let key = object.key.clone();
    let submission = Submission {
        job: id,
        workspace: workspace.clone(),
        priority: composition.priority,
        request: object,
        idempotency,
    };
    let admission = Admission {
        submission,
        assets: assets_of(edge, &composition).await,
        webhook_url: composition.webhook_url.clone(),
        has_destination: composition.destination.is_some(),
    };
    // A cluster that is not upgraded as a whole fetches sources when it prepares.
    let command = if has_remote_sources(&composition) && edge.state().level >= Level(1) {
        Command::AdmitRender(NewRender {
            admission,
            has_remote_sources: true,
        })
    } else {
        Command::Admit(admission)
    };
    let outcome = edge.propose(command).await;
    let is_unused = match &outcome {
        Ok(outcome) => !matches!(outcome, Outcome::Submitted(_)),
        // It was refused before it was proposed.
        Err(error) => matches!(error, ProposeError::DiskFull),
    };
    if is_unused && let Err(error) = edge.parts.store.delete(&key).await {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(job = %id, error, "an unused request object was not removed");
    }
    match outcome? {
        Outcome::Submitted(_) => {
            metrics::submission(Submitted::Accepted);
            edge.details.remember(id, Arc::new(accepted));
            let job = edge.caught_up(id, |_| true).await?;
            // From here on applied state counts it.
            drop(reserved);
            let mut body = edge.describe(&job).await?;
            // A fast cluster may be at work already; the answer to a submission is always
            // the render as it was admitted.
            if job.status != JobStatus::Queued {
                as_of(&mut body, JobStatus::Queued);
            }
            Ok((StatusCode::ACCEPTED, JsonResponse(body)).into_response())
        }
        Outcome::Replayed(job) => answer_replay(edge, &workspace, job).await,
        Outcome::Rejected(Rejection::IdempotencyConflict) => {
            Err(conflict()).inspect_err(count_refusal)
        }
        other => {
            tracing::error!(job = %id, outcome = ?other, "a submission had an outcome it cannot have");
            Err(ApiError::internal())
        }
    }
}

/// The uploads and imports that the composition uses. Whose they are, and whether they are
/// there, the log decides; those that went straight to the store are looked for first.
async fn assets_of(edge: &Edge, composition: &ValidComposition) -> Vec<AssetUse> {
    let used = assets_used(composition);
    let state = edge.state();
    for asset in used.iter().filter_map(|(id, _)| state.assets.get(id)) {
        let (store, coordinator) = (&edge.parts.store, &edge.parts.coordinator);
        // The render waits for what is not seen now, and it is looked for again.
        if let Err(error) = notice_arrival(store.as_ref(), coordinator.as_ref(), asset).await {
            tracing::warn!(id = %asset.id(), %error, "an upload was not looked for");
        }
    }
    used.into_iter()
        .map(|(asset, path)| AssetUse { asset, path })
        .collect()
}

async fn answer_replay(edge: &Edge, workspace: &str, id: JobId) -> Result<Response, ApiError> {
    metrics::submission(Submitted::Replayed);
    let job = edge.caught_up(id, |job| job.workspace == workspace).await?;
    let body = edge.describe(&job).await?;
    Ok((StatusCode::OK, replayed(), JsonResponse(body)).into_response())
}
