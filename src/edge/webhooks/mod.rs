//! `/v1/webhooks`: endpoints, their secrets, what was sent to them. One operation a file.

mod body;
mod create;
mod deliveries;
mod endpoints;
mod secret;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use cluster::model::{DeliveryId, EndpointId};
use cluster::state::State;

use super::context::Edge;
use super::error::ApiError;

pub(super) use create::{__path_create, create};
pub(super) use deliveries::{
    __path_all_deliveries, __path_deliveries, __path_retry, __path_retry_any, all_deliveries,
    deliveries, retry, retry_any,
};
pub(super) use endpoints::{
    __path_delete, __path_list, __path_read, __path_test, delete, list, read, test,
};
pub(super) use secret::{__path_rotate, __path_secret, rotate, secret};

/// The endpoint id of a path. Text that is not an id is a 404.
#[derive(Debug, Clone, Copy)]
pub(super) struct WebhookId(pub(super) EndpointId);

/// The delivery id of a path.
#[derive(Debug, Clone, Copy)]
pub(super) struct DeliveryOf(pub(super) DeliveryId);

impl FromRequestParts<Edge> for WebhookId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, edge: &Edge) -> Result<Self, ApiError> {
        named(parts, edge, "id")
            .await
            .map(Self)
            .ok_or_else(|| ApiError::not_found("webhook"))
    }
}

impl FromRequestParts<Edge> for DeliveryOf {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, edge: &Edge) -> Result<Self, ApiError> {
        named(parts, edge, "delivery_id")
            .await
            .map(Self)
            .ok_or_else(|| ApiError::not_found("delivery"))
    }
}

async fn named<T: std::str::FromStr>(parts: &mut Parts, edge: &Edge, name: &str) -> Option<T> {
    let params = RawPathParams::from_request_parts(parts, edge).await.ok()?;
    let (_, text) = params.iter().find(|(found, _)| *found == name)?;
    text.parse().ok()
}

/// The workspace's endpoint, or a 404.
fn endpoint(
    state: &State,
    workspace: &str,
    id: EndpointId,
) -> Result<cluster::model::Endpoint, ApiError> {
    state
        .endpoint_of(id, workspace)
        .cloned()
        .ok_or_else(|| ApiError::not_found("webhook"))
}
