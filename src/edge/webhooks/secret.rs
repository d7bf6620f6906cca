//! Secrets: a new one for an endpoint, and the workspace's own for per-request URLs.

use axum::Json;
use axum::extract::State;
use cluster::command::{Command, Outcome, Rejection};
use cluster::model::Secret;

use super::WebhookId;
use super::body::{SecretBody, WebhookBody};
use crate::edge::context::{Edge, Shared};
use crate::edge::error::{ApiError, ErrorBody};
use crate::edge::extract::Workspace;
use crate::edge::notify::{fresh_secret, text_of};
use crate::edge::params::Params;

/// How long the former secret signs beside the new one (API.md §7).
const OVERLAP_MILLIS: u64 = 24 * 3600 * 1000;

/// Give an endpoint a new secret. For 24 hours the former one signs too.
#[utoipa::path(
    post,
    path = "/v1/webhooks/{id}/rotate-secret",
    tag = "webhooks",
    params(("id" = String, Path, description = "The endpoint's id")),
    responses(
        (status = 200, body = WebhookBody, description = "The endpoint, with its new secret"),
        (status = 400, body = ErrorBody, description = "`invalid_parameter`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
        (status = 503, body = ErrorBody, description = "`no_leader`, `commit_unknown`, `storage_full`",
            headers(("Retry-After" = u64))),
    )
)]
pub(crate) async fn rotate(
    State(edge): State<Edge>,
    Workspace(workspace): Workspace,
    WebhookId(id): WebhookId,
    params: Params,
) -> Result<Json<WebhookBody>, ApiError> {
    params.only(&[])?;
    let secret = fresh_secret();
    let sealed = edge.parts.sealer.seal(&secret);
    let command = Command::RotateSecret {
        endpoint: id,
        workspace: workspace.clone(),
        secret: sealed.clone(),
        overlap_millis: OVERLAP_MILLIS,
    };
    match edge.propose(command).await? {
        Outcome::Accepted => {}
        Outcome::Rejected(Rejection::UnknownEndpoint) => {
            return Err(ApiError::not_found("webhook"));
        }
        other => {
            tracing::error!(outcome = ?other, "a rotation had an outcome it cannot have");
            return Err(ApiError::internal());
        }
    }
    let endpoint = edge
        .once(|state| {
            let endpoint = state.endpoint_of(id, &workspace)?;
            (endpoint.secret.current == sealed).then(|| endpoint.clone())
        })
        .await?;
    let body = WebhookBody::of(&endpoint).with_secret(text_of(&secret));
    Ok(Json(body))
}

/// The secret that signs what is sent to a request's own `webhook_url`.
///
/// The same for the whole workspace; drawn when it is first needed.
#[utoipa::path(
    get,
    path = "/v1/webhooks/secret",
    tag = "webhooks",
    responses(
        (status = 200, body = SecretBody, description = "The secret"),
        (status = 400, body = ErrorBody, description = "`invalid_parameter`"),
        (status = 500, body = ErrorBody, description = "`internal`: it was sealed with another cluster secret"),
        (status = 503, body = ErrorBody, description = "`no_leader`, `commit_unknown`, `storage_full`",
            headers(("Retry-After" = u64))),
    )
)]
pub(crate) async fn secret(
    State(edge): State<Edge>,
    Workspace(workspace): Workspace,
    params: Params,
) -> Result<Json<SecretBody>, ApiError> {
    params.only(&[])?;
    let secret = edge.workspace_secret(&workspace).await?;
    let opened = edge.parts.sealer.open(&secret.current).map_err(|error| {
        tracing::error!(%error, "the secret of a workspace cannot be read");
        ApiError::internal()
    })?;
    Ok(Json(SecretBody {
        secret: text_of(&opened),
    }))
}

impl Shared {
    /// The workspace's secret, drawn if it has none.
    pub(in crate::edge) async fn workspace_secret(
        &self,
        workspace: &str,
    ) -> Result<Secret, ApiError> {
        if let Some(secret) = self.state().secrets.get(workspace) {
            return Ok(secret.clone());
        }
        let command = Command::KeepSecret {
            workspace: workspace.to_owned(),
            secret: self.parts.sealer.seal(&fresh_secret()),
        };
        self.propose(command).await?;
        // Of two that race the first is kept, and both are answered with it.
        self.once(|state| state.secrets.get(workspace).cloned())
            .await
    }
}
