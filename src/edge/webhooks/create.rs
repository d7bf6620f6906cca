//! `POST /v1/webhooks`: registers an endpoint.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use cluster::command::{Command, Outcome, Rejection};
use cluster::model::{Endpoint, EndpointId, EventKind, LogTime, Secret};

use super::body::WebhookBody;
use crate::composition::validate_webhook;
use crate::edge::context::Edge;
use crate::edge::error::{ApiError, Code, ErrorBody};
use crate::edge::extract::{JsonBody, Workspace};
use crate::edge::notify::{fresh_secret, text_of};
use crate::edge::params::Params;

/// Register a webhook endpoint.
///
/// From then on the workspace's events are sent to it, signed with the secret that this answer
/// has and no later one.
#[utoipa::path(
    post,
    path = "/v1/webhooks",
    tag = "webhooks",
    request_body(content = crate::edge::openapi::WebhookRequestBody, content_type = "application/json"),
    responses(
        (status = 201, body = WebhookBody, description = "The endpoint, with its secret"),
        (status = 400, body = ErrorBody, description = "`invalid_json`, `invalid_parameter`"),
        (status = 408, body = ErrorBody, description = "`request_timeout`"),
        (status = 409, body = ErrorBody, description = "`invalid_state`: the workspace has 50 endpoints"),
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
    body: JsonBody,
) -> Result<(StatusCode, Json<WebhookBody>), ApiError> {
    params.only(&[])?;
    let judged = body.judge(&edge, &workspace, |json| {
        validate_webhook(&json).map_err(ApiError::validation)
    });
    let wanted = judged.await?;
    edge.refuse_if_draining()?;
    let events = match wanted.events {
        Some(names) => EventKind::ALL
            .into_iter()
            .filter(|kind| names.contains(&kind.name()))
            .collect(),
        None => EventKind::ALL
            .into_iter()
            .filter(|kind| *kind != EventKind::RenderProgress)
            .collect(),
    };
    let secret = fresh_secret();
    let id = EndpointId(edge.fresh_ulid().0);
    let endpoint = Endpoint {
        id,
        workspace: workspace.clone(),
        url: wanted.url,
        events,
        secret: Secret {
            current: edge.parts.sealer.seal(&secret),
            previous: None,
        },
        disabled: None,
        // Stamped by the log.
        created_at: LogTime(0),
    };
    match edge.propose(Command::CreateEndpoint(endpoint)).await? {
        Outcome::Accepted => {}
        Outcome::Rejected(Rejection::EnoughEndpoints) => {
            return Err(ApiError::new(
                Code::InvalidState,
                "The workspace has as many webhook endpoints as it may: remove one first.",
            ));
        }
        other => {
            tracing::error!(outcome = ?other, "a webhook had an outcome it cannot have");
            return Err(ApiError::internal());
        }
    }
    let made = edge
        .once(|state| state.endpoint_of(id, &workspace).cloned())
        .await?;
    let body = WebhookBody::of(&made).with_secret(text_of(&secret));
    Ok((StatusCode::CREATED, Json(body)))
}
