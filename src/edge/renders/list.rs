//! `GET /v1/renders`: the workspace's renders, newest first, page by page.

use std::ops::Bound;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use cluster::model::{JobId, JobStatus};
use cluster::state::Job;
use futures::{StreamExt, TryStreamExt};

use crate::edge::body::{RenderBody, RenderListBody};
use crate::edge::context::Edge;
use crate::edge::cursor::Cursor;
use crate::edge::error::{ApiError, ErrorBody};
use crate::edge::extract::Workspace;
use crate::edge::params::Params;
use crate::edge::status;

const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 100;

/// Renders whose objects are read from the store at one time.
const READS: usize = 16;

/// List renders, newest first.
///
/// A cursor stays valid while new renders arrive: they come before the first page.
#[utoipa::path(
    get,
    path = "/v1/renders",
    tag = "renders",
    params(
        ("limit" = Option<usize>, Query, minimum = 1, maximum = 100,
            description = "Renders on a page; 20 if it is not given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("status" = Option<String>, Query, description = "Only renders with this status"),
    ),
    responses(
        (status = 200, body = RenderListBody, description = "A page of renders"),
        (status = 400, body = ErrorBody, description = "`invalid_parameter`, `invalid_cursor`"),
    )
)]
pub(crate) async fn list(
    State(edge): State<Edge>,
    Workspace(workspace): Workspace,
    params: Params,
) -> Result<Json<RenderListBody>, ApiError> {
    let params = params.only(&["limit", "cursor", "status"])?;
    let page = PageRequest::read(&params, "status")?;
    let page = page.of(&edge, |job| job.workspace == workspace && job.is_render());
    let data = futures::stream::iter(page.jobs)
        .map(|job| {
            let edge = edge.clone();
            async move { edge.describe(&job).await }
        })
        .buffered(READS)
        .try_collect::<Vec<RenderBody>>()
        .await?;
    Ok(Json(RenderListBody {
        data,
        has_more: page.next_cursor.is_some(),
        next_cursor: page.next_cursor,
    }))
}

/// Which page of the jobs is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageRequest {
    limit: usize,
    after: Option<JobId>,
    status: Option<JobStatus>,
}

/// A page of jobs, newest first.
#[derive(Debug)]
pub(crate) struct Page {
    /// The jobs.
    pub(crate) jobs: Vec<Arc<Job>>,
    /// Where the next page begins, if there is one.
    pub(crate) next_cursor: Option<String>,
}

impl PageRequest {
    /// Reads `limit`, `cursor` and the status filter called `filter`.
    pub(crate) fn read(params: &Params, filter: &str) -> Result<Self, ApiError> {
        let cursor = params.text("cursor").map(Cursor::decode).transpose()?;
        Ok(Self {
            limit: params
                .integer("limit", 1..=MAX_LIMIT)?
                .unwrap_or(DEFAULT_LIMIT),
            after: cursor.map(|cursor| cursor.after),
            status: params.choice(filter, &status::WORDS)?,
        })
    }

    /// The page, of the jobs that `is_shown`.
    pub(crate) fn of(self, edge: &Edge, is_shown: impl Fn(&Job) -> bool) -> Page {
        let state = edge.state();
        let end = self.after.map_or(Bound::Unbounded, Bound::Excluded);
        // One more than the page tells whether another follows.
        let mut jobs: Vec<Arc<Job>> = state
            .jobs
            .range((Bound::Unbounded, end))
            .rev()
            .map(|(_, job)| job)
            .filter(|job| is_shown(job) && self.status.is_none_or(|status| job.status == status))
            .take(self.limit + 1)
            .cloned()
            .collect();
        let has_more = jobs.len() > self.limit;
        jobs.truncate(self.limit);
        let next_cursor = jobs
            .last()
            .filter(|_| has_more)
            .map(|job| Cursor { after: job.id }.encode());
        Page { jobs, next_cursor }
    }
}
