//! The log of an endpoint's deliveries, and trying one again.

use std::ops::Bound;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use cluster::command::{Command, Outcome, Rejection};
use cluster::model::{Delivery, DeliveryId, DeliveryStatus, JobId};

use super::body::{DeliveryBody, DeliveryListBody, STATUSES, goes_to};
use super::{DeliveryOf, WebhookId, endpoint};
use crate::edge::context::Edge;
use crate::edge::cursor::Cursor;
use crate::edge::error::{ApiError, Code, ErrorBody};
use crate::edge::extract::Workspace;
use crate::edge::params::Params;

const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 100;

/// List what was sent to an endpoint, newest first.
#[utoipa::path(
    get,
    path = "/v1/webhooks/{id}/deliveries",
    tag = "webhooks",
    params(
        ("id" = String, Path, description = "The endpoint's id"),
        ("limit" = Option<usize>, Query, minimum = 1, maximum = 100,
            description = "Deliveries on a page; 20 if it is not given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("status" = Option<String>, Query, description = "Only deliveries with this status"),
    ),
    responses(
        (status = 200, body = DeliveryListBody, description = "A page of deliveries"),
        (status = 400, body = ErrorBody, description = "`invalid_parameter`, `invalid_cursor`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
    )
)]
pub(crate) async fn deliveries(
    State(edge): State<Edge>,
    Workspace(workspace): Workspace,
    WebhookId(id): WebhookId,
    params: Params,
) -> Result<Json<DeliveryListBody>, ApiError> {
    let params = params.only(&["limit", "cursor", "status"])?;
    let limit = params
        .integer("limit", 1..=MAX_LIMIT)?
        .unwrap_or(DEFAULT_LIMIT);
    let status = params.choice("status", &STATUSES)?;
    let end = match params.text("cursor").map(Cursor::decode).transpose()? {
        Some(cursor) => Bound::Excluded(DeliveryId(cursor.after.0)),
        None => Bound::Unbounded,
    };
    let state = edge.state();
    let endpoint = endpoint(&state, &workspace, id)?;
    // One more than the page tells whether another follows.
    let mut found: Vec<Arc<Delivery>> = state
        .deliveries
        .range((Bound::Unbounded, end))
        .rev()
        .map(|(_, delivery)| delivery)
        .filter(|delivery| goes_to(delivery, &endpoint))
        .filter(|delivery| status.is_none_or(|status| delivery.status == status))
        .take(limit + 1)
        .cloned()
        .collect();
    let has_more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| has_more);
    let next_cursor = last.map(|delivery| {
        let after = JobId(delivery.id.0);
        Cursor { after }.encode()
    });
    Ok(Json(DeliveryListBody {
        data: found
            .iter()
            .map(|delivery| DeliveryBody::of(delivery))
            .collect(),
        next_cursor,
        has_more,
    }))
}

/// Try a settled delivery again, now.
///
/// The body and the `webhook-id` are those of the first try, and the schedule begins anew.
#[utoipa::path(
    post,
    path = "/v1/webhooks/{id}/deliveries/{delivery_id}/retry",
    tag = "webhooks",
    params(
        ("id" = String, Path, description = "The endpoint's id"),
        ("delivery_id" = String, Path, description = "The delivery's id"),
    ),
    responses(
        (status = 202, body = DeliveryBody, description = "The delivery, pending again"),
        (status = 400, body = ErrorBody, description = "`invalid_parameter`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
        (status = 409, body = ErrorBody, description = "`invalid_state`: it is pending, or its endpoint is disabled"),
        (status = 503, body = ErrorBody, description = "`no_leader`, `commit_unknown`, `storage_full`",
            headers(("Retry-After" = u64))),
    )
)]
pub(crate) async fn retry(
    State(edge): State<Edge>,
    Workspace(workspace): Workspace,
    WebhookId(id): WebhookId,
    DeliveryOf(delivery): DeliveryOf,
    params: Params,
) -> Result<(StatusCode, Json<DeliveryBody>), ApiError> {
    params.only(&[])?;
    let state = edge.state();
    let endpoint = endpoint(&state, &workspace, id)?;
    let known = state.deliveries.get(&delivery);
    let Some(before) = known.filter(|known| goes_to(known, &endpoint)) else {
        return Err(ApiError::not_found("delivery"));
    };
    let command = Command::RetryDelivery {
        delivery,
        workspace,
    };
    match edge.propose(command).await? {
        Outcome::Accepted => {}
        Outcome::Rejected(Rejection::DeliveryPending) => {
            return Err(ApiError::new(
                Code::InvalidState,
                "The delivery is still being tried.",
            ));
        }
        Outcome::Rejected(Rejection::UnknownEndpoint) => {
            return Err(ApiError::new(
                Code::InvalidState,
                "The endpoint is disabled and is told nothing more.",
            ));
        }
        Outcome::Rejected(Rejection::UnknownDelivery) => {
            return Err(ApiError::not_found("delivery"));
        }
        other => {
            tracing::error!(outcome = ?other, "a retry had an outcome it cannot have");
            return Err(ApiError::internal());
        }
    }
    // What it is once the retry is seen here; a fast sender may have ended it by then.
    let tried = before.attempts.last().cloned();
    let after = edge
        .once(|state| {
            let delivery = state.deliveries.get(&delivery)?;
            let moved = delivery.status == DeliveryStatus::Pending
                || delivery.attempts.last() != tried.as_ref();
            moved.then(|| Arc::clone(delivery))
        })
        .await?;
    Ok((StatusCode::ACCEPTED, Json(DeliveryBody::of(&after))))
}
