//! `GET /v1/imports`: the workspace's imports, newest first.

use std::ops::Bound;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use cluster::model::{AssetId, AssetKind, AssetStatus};

use super::body::ImportListBody;
use crate::edge::context::Edge;
use crate::edge::error::{ApiError, ErrorBody};
use crate::edge::extract::Caller;
use crate::edge::pages::PageRequest;
use crate::edge::params::Params;

const STATUSES: [(&str, AssetStatus); 3] = [
    ("processing", AssetStatus::Processing),
    ("ready", AssetStatus::Ready),
    ("failed", AssetStatus::Failed),
];

/// List imports, newest first. A cursor stays good while new imports arrive.
#[utoipa::path(
    get,
    path = "/v1/imports",
    tag = "media",
    params(
        ("limit" = Option<u64>, Query, minimum = 1, maximum = 100, description = "Imports a page, 20 unless given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("status" = Option<String>, Query, description = "Only imports with this status"),
    ),
    responses(
        (status = 200, body = ImportListBody, description = "A page of imports"),
        (status = 400, body = ErrorBody, description = "`invalid_parameter`, `invalid_cursor`"),
    )
)]
pub(crate) async fn list(
    State(edge): State<Edge>,
    Caller(client): Caller,
    params: Params,
) -> Result<Response, ApiError> {
    let params = params.only(&["limit", "cursor", "status"])?;
    let (standing, workspace) = (client.standing(), client.workspace);
    let page = PageRequest::read("imports", &workspace, &params, &["status"])?;
    let status = params.choice("status", &STATUSES)?;
    let id = |ulid| AssetId {
        kind: AssetKind::Import,
        ulid,
    };
    let end = match page.after {
        Some(after) => Bound::Excluded(id(after)),
        None => Bound::Included(id(u128::MAX)),
    };
    let state = edge.state();
    let imports = state.assets.range((Bound::Included(id(0)), end)).rev();
    let shown = imports
        .map(|(_, asset)| asset)
        .filter(|asset| asset.new.workspace == workspace)
        .filter(|asset| status.is_none_or(|status| asset.status == status))
        .map(Arc::clone);
    let page = page.of(shown, |asset| asset.id().ulid);
    let admitted = {
        let edge = edge.clone();
        move || standing.holds(&edge)
    };
    page.respond(admitted, move |asset| {
        let body = edge.describe_import(&asset);
        async move { Ok(Some(body)) }
    })
    .await
}
