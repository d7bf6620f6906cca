//! A render as it was at a status that it has left since.

use cluster::model::JobStatus;

use crate::edge::body::RenderBody;
use crate::edge::status;

/// Takes back what came after `status`, one that is not final.
pub(in crate::edge) fn as_of(body: &mut RenderBody, status: JobStatus) {
    body.status = status::name(status);
    body.finished_at = None;
    body.progress = 0.0;
    body.eta_seconds = None;
    body.frames.done = 0;
    body.output = None;
    body.error = None;
    body.timing.render_ms = None;
    body.timing.join_ms = None;
    if status == JobStatus::Queued {
        body.started_at = None;
        body.timing.queued_ms = None;
    }
}
