//! `GET /v1/imports`: the workspace's imports, newest first.

use std::ops::Bound;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use cluster::model::{Asset, AssetId, AssetKind, AssetStatus, JobId};

use super::body::ImportListBody;
use crate::edge::context::Edge;
use crate::edge::cursor::Cursor;
use crate::edge::error::{ApiError, ErrorBody};
use crate::edge::extract::Workspace;
use crate::edge::params::Params;

const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 100;

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
    Workspace(workspace): Workspace,
    params: Params,
) -> Result<Json<ImportListBody>, ApiError> {
    let params = params.only(&["limit", "cursor", "status"])?;
    let limit = params
        .integer("limit", 1..=MAX_LIMIT)?
        .unwrap_or(DEFAULT_LIMIT);
    let status = params.choice("status", &STATUSES)?;
    let id = |ulid| AssetId {
        kind: AssetKind::Import,
        ulid,
    };
    let end = match params.text("cursor").map(Cursor::decode).transpose()? {
        Some(cursor) => Bound::Excluded(id(cursor.after.0)),
        None => Bound::Included(id(u128::MAX)),
    };
    let state = edge.state();
    // One more than the page tells whether another follows.
    let mut found: Vec<Arc<Asset>> = state
        .assets
        .range((Bound::Included(id(0)), end))
        .rev()
        .map(|(_, asset)| asset)
        .filter(|asset| asset.new.workspace == workspace)
        .filter(|asset| status.is_none_or(|status| asset.status == status))
        .take(limit + 1)
        .cloned()
        .collect();
    let has_more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| has_more);
    let next_cursor = last.map(|asset| {
        let after = JobId(asset.id().ulid);
        Cursor { after }.encode()
    });
    Ok(Json(ImportListBody {
        data: found
            .iter()
            .map(|asset| edge.describe_import(asset))
            .collect(),
        next_cursor,
        has_more,
    }))
}
