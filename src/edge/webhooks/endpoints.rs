//! Reading, listing, removing and trying endpoints.

use std::time::Instant;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use cluster::command::{Command, Outcome, Rejection};

use super::body::{TestBody, WebhookBody, WebhookListBody};
use super::{WebhookId, endpoint};
use crate::edge::context::Edge;
use crate::edge::error::{ApiError, ErrorBody};
use crate::edge::extract::Workspace;
use crate::edge::notify::WebhookRequest;
use crate::edge::params::Params;

/// List the workspace's webhook endpoints.
#[utoipa::path(
    get,
    path = "/v1/webhooks",
    tag = "webhooks",
    responses(
        (status = 200, body = WebhookListBody, description = "The endpoints"),
        (status = 400, body = ErrorBody, description = "`invalid_parameter`"),
    )
)]
pub(crate) async fn list(
    State(edge): State<Edge>,
    Workspace(workspace): Workspace,
    params: Params,
) -> Result<Json<WebhookListBody>, ApiError> {
    params.only(&[])?;
    let state = edge.state();
    let data = state
        .endpoints
        .values()
        .filter(|endpoint| endpoint.workspace == workspace)
        .map(WebhookBody::of)
        .collect();
    Ok(Json(WebhookListBody {
        data,
        has_more: false,
        next_cursor: None,
    }))
}

/// Read a webhook endpoint.
#[utoipa::path(
    get,
    path = "/v1/webhooks/{id}",
    tag = "webhooks",
    params(("id" = String, Path, description = "The endpoint's id")),
    responses(
        (status = 200, body = WebhookBody, description = "The endpoint"),
        (status = 400, body = ErrorBody, description = "`invalid_parameter`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
    )
)]
pub(crate) async fn read(
    State(edge): State<Edge>,
    Workspace(workspace): Workspace,
    WebhookId(id): WebhookId,
    params: Params,
) -> Result<Json<WebhookBody>, ApiError> {
    params.only(&[])?;
    let endpoint = endpoint(&edge.state(), &workspace, id)?;
    Ok(Json(WebhookBody::of(&endpoint)))
}

/// Remove a webhook endpoint. What is on its way to it is dropped.
#[utoipa::path(
    delete,
    path = "/v1/webhooks/{id}",
    tag = "webhooks",
    params(("id" = String, Path, description = "The endpoint's id")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 400, body = ErrorBody, description = "`invalid_parameter`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
        (status = 503, body = ErrorBody, description = "`no_leader`, `commit_unknown`",
            headers(("Retry-After" = u64))),
    )
)]
pub(crate) async fn delete(
    State(edge): State<Edge>,
    Workspace(workspace): Workspace,
    WebhookId(id): WebhookId,
    params: Params,
) -> Result<StatusCode, ApiError> {
    params.only(&[])?;
    let command = Command::DeleteEndpoint {
        endpoint: id,
        workspace,
    };
    match edge.propose(command).await? {
        Outcome::Accepted => {}
        Outcome::Rejected(Rejection::UnknownEndpoint) => {
            return Err(ApiError::not_found("webhook"));
        }
        other => {
            tracing::error!(outcome = ?other, "a removal had an outcome it cannot have");
            return Err(ApiError::internal());
        }
    }
    edge.once(|state| (!state.endpoints.contains_key(&id)).then_some(()))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Send a signed test call to an endpoint, now, and say what came of it.
///
/// Its `type` is `webhook.test`. It is no event: it is not retried, and is not in the log of
/// deliveries.
#[utoipa::path(
    post,
    path = "/v1/webhooks/{id}/test",
    tag = "webhooks",
    params(("id" = String, Path, description = "The endpoint's id")),
    responses(
        (status = 200, body = TestBody, description = "What came of it"),
        (status = 400, body = ErrorBody, description = "`invalid_parameter`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
        (status = 429, body = ErrorBody, description = "`rate_limited`: several are on their way",
            headers(("Retry-After" = u64))),
        (status = 503, body = ErrorBody, description = "`draining`", headers(("Retry-After" = u64))),
    )
)]
pub(crate) async fn test(
    State(edge): State<Edge>,
    Workspace(workspace): Workspace,
    WebhookId(id): WebhookId,
    params: Params,
) -> Result<Json<TestBody>, ApiError> {
    params.only(&[])?;
    let endpoint = endpoint(&edge.state(), &workspace, id)?;
    edge.refuse_if_draining()?;
    let _place = edge.testing.take(&workspace).ok_or_else(|| {
        let message = "Several test calls are on their way: try again when they have ended.";
        edge.testing.refusal("tests", message)
    })?;
    let begun = Instant::now();
    let outcome = WebhookRequest::test(&edge, &endpoint)?.post(&edge).await;
    let duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (status, error) = match outcome {
        Ok(status) => (Some(status), None),
        Err(reason) => (None, Some(reason)),
    };
    let delivered = status.is_some_and(|status| (200..300).contains(&status));
    let error = error.or_else(|| {
        let status = status.filter(|_| !delivered)?;
        Some(format!("the receiver answered {status}"))
    });
    Ok(Json(TestBody {
        delivered,
        status,
        error,
        duration_ms,
    }))
}
