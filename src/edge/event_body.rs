//! What the events of a render's stream carry, as JSON in their `data`.

use cluster::model::JobStatus;
use cluster::state::Job;
use serde::Serialize;
use utoipa::ToSchema;

use super::body::{FramesBody, OutputBody, RenderBody, RenderErrorBody, status_schema};
use super::high_water::Reached;
use super::ports::ObservedProgress;
use super::status;
use super::timestamp::rfc3339;

/// The `data` of an event, by its name. Stands for the three in the `OpenAPI` document.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RenderEvent)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
#[expect(
    clippy::large_enum_variant,
    reason = "a description that is never made"
)]
pub(crate) enum RenderEventBody {
    /// Of a `status` event.
    Status(StatusEventBody),
    /// Of a `segment` event.
    Segment(SegmentEventBody),
    /// Of a `progress` event.
    Progress(ProgressEventBody),
}

/// The render reached a status. The other fields hold at the time the event is sent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StatusEvent)]
pub(crate) struct StatusEventBody {
    /// The render's id.
    pub(crate) id: String,
    /// The status it reached.
    #[schema(schema_with = status_schema)]
    pub(crate) status: &'static str,
    /// When it reached it.
    #[schema(format = DateTime)]
    pub(crate) at: Option<String>,
    /// Rises with every change of the render.
    pub(crate) sequence: u64,
    /// From 0 to 1.
    #[schema(minimum = 0, maximum = 1)]
    pub(crate) progress: f64,
    /// Its frames.
    pub(crate) frames: FramesBody,
    /// The finished file, with `completed`.
    pub(crate) output: Option<OutputBody>,
    /// Why it failed, with `failed`.
    pub(crate) error: Option<RenderErrorBody>,
}

/// Pieces of the render are done. One that turns out damaged is rendered, and reported, again.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SegmentEvent)]
pub(crate) struct SegmentEventBody {
    /// The render's id.
    pub(crate) id: String,
    /// The pieces that this event is about.
    pub(crate) segments: Vec<SegmentBody>,
    /// Pieces done in all.
    pub(crate) done: usize,
    /// Pieces there are.
    pub(crate) total: u32,
}

/// One piece of a render.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Segment)]
pub(crate) struct SegmentBody {
    /// Which, from 0.
    pub(crate) index: u32,
    /// Its first frame, and the one after its last.
    pub(crate) frames: Option<[u64; 2]>,
}

/// Progress of the render; never less than an earlier event reported.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProgressEvent)]
pub(crate) struct ProgressEventBody {
    /// The render's id.
    pub(crate) id: String,
    /// From 0 to 1.
    #[schema(minimum = 0, maximum = 1)]
    pub(crate) progress: f64,
    /// Its frames.
    pub(crate) frames: FramesBody,
    /// Frames a second over the last seconds, once there is an estimate.
    pub(crate) fps: Option<f64>,
    /// Seconds until it is expected to be completed, while there is an estimate.
    pub(crate) eta_seconds: Option<f64>,
}

impl StatusEventBody {
    /// `job`, described as `render`, reached `status`.
    pub(crate) fn new(job: &Job, status: JobStatus, render: RenderBody) -> Self {
        let at = match status {
            JobStatus::Queued => Some(job.submitted_at),
            JobStatus::Processing => job.started_at,
            JobStatus::Completed | JobStatus::Failed | JobStatus::Cancelled => job.finished_at,
        };
        let is_current = status == job.status;
        Self {
            id: render.id,
            status: status::name(status),
            at: at.map(rfc3339),
            sequence: render.sequence,
            progress: render.progress,
            frames: render.frames,
            output: render.output.filter(|_| is_current),
            error: render.error.filter(|_| is_current),
        }
    }
}

impl SegmentEventBody {
    /// These segments of `job` are done.
    pub(crate) fn new(job: &Job, segments: &[u32]) -> Self {
        let segment = |index: &u32| SegmentBody {
            index: *index,
            frames: job
                .segment_frames(*index)
                .map(|range| [range.start, range.end]),
        };
        Self {
            id: job.id.to_string(),
            segments: segments.iter().map(segment).collect(),
            done: job.accepted.len(),
            total: job.segment_count,
        }
    }
}

impl ProgressEventBody {
    /// `job` has got as far as `reached`, at the pace that was `observed`.
    pub(crate) fn new(job: &Job, reached: Reached, observed: &ObservedProgress) -> Self {
        Self {
            id: job.id.to_string(),
            progress: reached.fraction,
            frames: FramesBody {
                total: job.frames,
                done: reached.frames,
            },
            fps: observed.fps,
            eta_seconds: observed.eta_seconds,
        }
    }
}
