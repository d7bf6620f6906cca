//! `POST /v1/renders`: admits a composition for rendering.

use std::sync::Arc;

use axum::Json as JsonResponse;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use cluster::command::{Command, Outcome, Rejection};
use cluster::model::{
    Admission, AssetUse, Digest, IdempotencyRow, JobId, JobStatus, Level, NewRender, Submission,
};

use crate::composition::{Json, ValidComposition, Warning, body_digest, canonical_bytes, validate};
use crate::edge::access::within_quota;
use crate::edge::body::RenderBody;
use crate::edge::context::Edge;
use crate::edge::error::{ApiError, Code, ErrorBody};
use crate::edge::extract::{JsonBody, Workspace, idempotency_key};
use crate::edge::params::Params;
use crate::edge::renders::as_of;
use crate::edge::uploads::notice_arrival;
use crate::plan::RequestObject;
use crate::plan::{assets_used, has_remote_sources};
use crate::store::keys;
use crate::telemetry::metrics::{self, Submission as Submitted};

/// What a key's scope is called: it counts for this method and path only.
const SCOPE: &str = "POST /v1/renders";

const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

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
    JsonBody(json): JsonBody,
) -> Result<Response, ApiError> {
    params.only(&[])?;
    let key = idempotency_key(&headers)?;
    let digest = body_digest(&json);
    if let Some(key) = &key
        && let Some(job) = known(&edge, &workspace, key, digest)?
    {
        return replayed(&edge, &workspace, job).await;
    }
    let (composition, warnings) =
        validate(&json, &edge.config().limits.composition).map_err(|violations| {
            metrics::submission(Submitted::Invalid);
            ApiError::validation(violations)
        })?;
    admits(&edge, &workspace)?;
    let request = request_object(&json, warnings, edge.lasting_url(&headers, &uri))?;
    let row = key.map(|key| IdempotencyRow {
        key,
        scope: SCOPE.to_owned(),
        body: digest,
    });
    admit(&edge, workspace, &composition, request, row).await
}

/// The job the key already admitted with this body.
fn known(
    edge: &Edge,
    workspace: &str,
    key: &str,
    digest: Digest,
) -> Result<Option<JobId>, ApiError> {
    let state = edge.state();
    let place = (workspace.to_owned(), SCOPE.to_owned(), key.to_owned());
    match state.idempotency.get(&place) {
        Some((_, _, at)) if !state.is_replayable(*at) => Ok(None),
        Some((job, body, _)) if *body == digest => Ok(Some(*job)),
        Some(_) => Err(conflict()),
        None => Ok(None),
    }
}

/// Whether this process and the workspace's queue take another render.
fn admits(edge: &Edge, workspace: &str) -> Result<(), ApiError> {
    if edge.parts.draining.is_cancelled() {
        return Err(ApiError::new(
            Code::Draining,
            "This server is stopping and takes no new renders.",
        ));
    }
    within_quota(edge, workspace).inspect_err(|_| metrics::submission(Submitted::OverQuota))?;
    let limit = edge.config().limits.queued_per_workspace;
    let state = edge.state();
    let queued = state
        .active
        .keys()
        .filter_map(|id| state.jobs.get(id))
        .filter(|job| {
            job.is_render() && job.status == JobStatus::Queued && job.workspace == workspace
        })
        .count();
    if queued < limit {
        return Ok(());
    }
    metrics::submission(Submitted::QueueFull);
    let error = ApiError::new(
        Code::QueueFull,
        format!("The workspace already has {queued} queued renders; {limit} are allowed."),
    );
    let policy = HeaderValue::from_str(&format!("\"queued\";q={limit}"));
    let policy = policy.map_err(|_| ApiError::internal())?;
    Err(error
        .with_header(HeaderName::from_static("ratelimit-policy"), policy)
        .with_header(
            HeaderName::from_static("ratelimit"),
            HeaderValue::from_static("\"queued\";r=0;t=5"),
        ))
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

/// Makes the request durable, then proposes the job. What the log does not come to name is
/// removed again; after an unknown outcome it stays, for it may be named.
async fn admit(
    edge: &Edge,
    workspace: String,
    composition: &ValidComposition,
    request: RequestObject,
    idempotency: Option<IdempotencyRow>,
) -> Result<Response, ApiError> {
    let id = edge.fresh_job_id();
    let object = edge
        .parts
        .store
        .put(keys::composition(id), request.to_bytes())
        .await?;
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
        assets: assets_of(edge, composition).await,
        webhook_url: composition.webhook_url.clone(),
        has_destination: composition.destination.is_some(),
    };
    // A cluster that is not upgraded as a whole fetches sources when it prepares.
    let command = if has_remote_sources(composition) && edge.state().level >= Level(1) {
        Command::AdmitRender(NewRender {
            admission,
            has_remote_sources: true,
        })
    } else {
        Command::Admit(admission)
    };
    let outcome = edge.propose(command).await;
    if !matches!(
        outcome,
        Ok(Outcome::Submitted(_)) | Err(actors::ports::ProposeError::Unknown)
    ) && let Err(error) = edge.parts.store.delete(&key).await
    {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(job = %id, error, "an unused request object was not removed");
    }
    match outcome? {
        Outcome::Submitted(_) => {
            metrics::submission(Submitted::Accepted);
            edge.details.remember(id, Arc::new(request));
            let job = edge.caught_up(id, |_| true).await?;
            let mut body = edge.describe(&job).await?;
            // A fast cluster may be at work already; the answer to a submission is always
            // the render as it was admitted.
            if job.status != JobStatus::Queued {
                as_of(&mut body, JobStatus::Queued);
            }
            Ok((StatusCode::ACCEPTED, JsonResponse(body)).into_response())
        }
        Outcome::Replayed(job) => replayed(edge, &workspace, job).await,
        Outcome::Rejected(Rejection::IdempotencyConflict) => Err(conflict()),
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

async fn replayed(edge: &Edge, workspace: &str, id: JobId) -> Result<Response, ApiError> {
    metrics::submission(Submitted::Replayed);
    let job = edge.caught_up(id, |job| job.workspace == workspace).await?;
    let body = edge.describe(&job).await?;
    let header = [(REPLAYED, HeaderValue::from_static("true"))];
    Ok((StatusCode::OK, header, JsonResponse(body)).into_response())
}

fn conflict() -> ApiError {
    metrics::submission(Submitted::Conflict);
    ApiError::new(
        Code::IdempotencyConflict,
        "This Idempotency-Key was used with another body.",
    )
}
