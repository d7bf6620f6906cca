//! `GET /v1/renders`: the workspace's renders, newest first, page by page.

use axum::extract::State;
use axum::response::Response;

use crate::edge::body::RenderListBody;
use crate::edge::context::Edge;
use crate::edge::error::{ApiError, ErrorBody};
use crate::edge::extract::Caller;
use crate::edge::pages::PageRequest;
use crate::edge::params::Params;
use crate::edge::status;

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
    Caller(client): Caller,
    params: Params,
) -> Result<Response, ApiError> {
    let params = params.only(&["limit", "cursor", "status"])?;
    let (standing, workspace) = (client.standing(), client.workspace);
    let page = PageRequest::read("renders", &workspace, &params, &["status"])?;
    let status = params.choice("status", &status::NAMES)?;
    let page = page.jobs(&edge.state(), |job| {
        job.workspace == workspace
            && job.is_render()
            && status.is_none_or(|status| job.status == status)
    });
    let admitted = {
        let edge = edge.clone();
        move || standing.holds(&edge)
    };
    page.respond(admitted, move |id| {
        let edge = edge.clone();
        async move {
            let job = edge.state().jobs.get(&id).cloned();
            // Retention may have removed it, and its status may be another by now.
            match job.filter(|job| status.is_none_or(|status| job.status == status)) {
                Some(job) => edge.describe(&job).await.map(Some),
                None => Ok(None),
            }
        }
    })
    .await
}
