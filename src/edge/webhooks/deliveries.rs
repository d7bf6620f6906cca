//! The log of deliveries, of one endpoint and of the workspace, and trying one again.

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
use crate::edge::access::Standing;
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
    let (standing, workspace) = (client.standing(), client.workspace);
    let endpoint = endpoint(&edge.state(), &workspace, id)?;
    let list = format!("deliveries of {id}");
    let is_meant = move |delivery: &Delivery| goes_to(delivery, &endpoint);
    page(edge, standing, &workspace, (&list, params), is_meant).await
}

/// List what was sent for the workspace, newest first.
///
/// What went to its endpoints, also to those that are removed since, and what went to the
/// `webhook_url` of a request.
#[utoipa::path(
    get,
    path = "/v1/webhooks/deliveries",
    tag = "webhooks",
    params(
        ("limit" = Option<usize>, Query, minimum = 1, maximum = 100,
            description = "Deliveries on a page; 20 if it is not given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("status" = Option<String>, Query, description = "Only deliveries with this status"),
    ),
    responses(
        (status = 200, body = DeliveryListBody, description = "A page of deliveries"),
        (status = 400, body = ErrorBody, description = "`invalid_parameter`, `invalid_cursor`"),
    )
)]
pub(crate) async fn all_deliveries(
    State(edge): State<Edge>,
    Caller(client): Caller,
    params: Params,
) -> Result<Response, ApiError> {
    let (standing, workspace) = (client.standing(), client.workspace);
    let owner = workspace.clone();
    let is_meant = move |delivery: &Delivery| delivery.workspace == owner;
    page(edge, standing, &workspace, ("deliveries", params), is_meant).await
}

/// The page of those deliveries that `is_meant` names.
async fn page(
    edge: Edge,
    standing: Standing,
    workspace: &str,
    (list, params): (&str, Params),
    is_meant: impl Fn(&Delivery) -> bool,
) -> Result<Response, ApiError> {
    let params = params.only(&["limit", "cursor", "status"])?;
    let page = PageRequest::read(list, workspace, &params, &["status"])?;
    let status = params.choice("status", &STATUSES)?;
    let end = page
        .after
        .map_or(Bound::Unbounded, |after| Bound::Excluded(DeliveryId(after)));
    let state = edge.state();
    let shown = state
        .deliveries
        .range((Bound::Unbounded, end))
        .rev()
        .map(|(_, delivery)| delivery)
        .filter(|delivery| is_meant(delivery))
        .filter(|delivery| status.is_none_or(|status| delivery.status == status))
        .map(Arc::clone);
    let page = page.of(shown, |delivery: &Arc<Delivery>| delivery.id.0);
    let admitted = {
        let edge = edge.clone();
        move || standing.holds(&edge)
    };
    page.respond(admitted, move |delivery| {
        let state = edge.state();
        async move { Ok(Some(DeliveryBody::of(&delivery, &state))) }
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
    try_again(&edge, workspace, before).await
}

/// Try a settled delivery of the workspace again, now.
///
/// As for an endpoint's delivery; what went to the `webhook_url` of a request goes there again.
#[utoipa::path(
    post,
    path = "/v1/webhooks/deliveries/{delivery_id}/retry",
    tag = "webhooks",
    params(
        ("delivery_id" = String, Path, description = "The delivery's id"),
    ),
    responses(
        (status = 202, body = DeliveryBody, description = "The delivery, pending again"),
        (status = 400, body = ErrorBody, description = "`invalid_parameter`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
        (status = 409, body = ErrorBody, description = "`invalid_state`: it is pending, or its endpoint is disabled or removed"),
        (status = 503, body = ErrorBody, description = "`no_leader`, `commit_unknown`",
            headers(("Retry-After" = u64))),
    )
)]
pub(crate) async fn retry_any(
    State(edge): State<Edge>,
    Workspace(workspace): Workspace,
    DeliveryOf(delivery): DeliveryOf,
    params: Params,
) -> Result<(StatusCode, Json<DeliveryBody>), ApiError> {
    params.only(&[])?;
    let state = edge.state();
    let known = state.deliveries.get(&delivery);
    let Some(before) = known.filter(|known| known.workspace == workspace) else {
        return Err(ApiError::not_found("delivery"));
    };
    try_again(&edge, workspace, before).await
}

async fn try_again(
    edge: &Edge,
    workspace: String,
    before: &Delivery,
) -> Result<(StatusCode, Json<DeliveryBody>), ApiError> {
    let delivery = before.id;
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
                "The endpoint is disabled or removed and is sent nothing more.",
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
    let body = DeliveryBody::of(&after, &edge.state());
    Ok((StatusCode::ACCEPTED, Json(body)))
}
