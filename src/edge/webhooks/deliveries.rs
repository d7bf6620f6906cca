//! The log of an endpoint's deliveries, and trying one again.

use std::ops::Bound;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use cluster::command::{Command, Outcome, Rejection};
use cluster::model::{Delivery, DeliveryId, DeliveryStatus};

use super::body::{DeliveryBody, DeliveryListBody, STATUSES, goes_to};
use super::{DeliveryOf, WebhookId, endpoint};
use crate::edge::context::Edge;
use crate::edge::error::{ApiError, Code, ErrorBody};
use crate::edge::extract::{Caller, Workspace};
use crate::edge::pages::PageRequest;
use crate::edge::params::Params;

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
    Caller(client): Caller,
    WebhookId(id): WebhookId,
    params: Params,
) -> Result<Response, ApiError> {
    let params = params.only(&["limit", "cursor", "status"])?;
    let (standing, workspace) = (client.standing(), client.workspace);
    let list = format!("deliveries of {id}");
    let page = PageRequest::read(&list, &workspace, &params, &["status"])?;
    let status = params.choice("status", &STATUSES)?;
    let end = page
        .after
        .map_or(Bound::Unbounded, |after| Bound::Excluded(DeliveryId(after)));
    let state = edge.state();
    let endpoint = endpoint(&state, &workspace, id)?;
    let shown = state
        .deliveries
        .range((Bound::Unbounded, end))
        .rev()
        .map(|(_, delivery)| delivery)
        .filter(|delivery| goes_to(delivery, &endpoint))
        .filter(|delivery| status.is_none_or(|status| delivery.status == status))
        .map(Arc::clone);
    let page = page.of(shown, |delivery: &Arc<Delivery>| delivery.id.0);
    let admitted = move || standing.holds(&edge);
    page.respond(admitted, |delivery| async move {
        Ok(Some(DeliveryBody::of(&delivery)))
    })
    .await
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
        (status = 503, body = ErrorBody, description = "`no_leader`, `commit_unknown`",
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
