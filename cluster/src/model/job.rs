//! Jobs as the log describes them.

use serde::{Deserialize, Serialize};

use super::{AssetId, AssetUse, Digest, FrameRate, JobId, LogTime, ObjectRef, Seq};

/// Where a job is in its life. The last three never change again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum JobStatus {
    /// Accepted; no lease was ever granted.
    Queued,
    /// A lease was granted; a job never goes back to `Queued`.
    Processing,
    /// The artifact is committed.
    Completed,
    /// It cannot be rendered.
    Failed,
    /// A client ended it before its artifact was committed.
    Cancelled,
}

impl JobStatus {
    /// Whether the status can never change again.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// A new job, as the edge proposes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// Chosen by the edge.
    pub job: JobId,
    /// The workspace of the request.
    pub workspace: String,
    /// −10…10; higher goes first.
    pub priority: i8,
    /// The request as accepted: composition, warnings, links. Durable already.
    pub request: ObjectRef,
    /// The idempotency row to write with the job, if the client sent a key.
    pub idempotency: Option<IdempotencyRow>,
}

/// What a job is for. All kinds are leased, retried and watched by the same machinery; only
/// renders are shown to clients as jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobKind {
    /// A client's render.
    Render,
    /// Takes in an asset: fetch or copy its bytes, and look at them. Gone when it has ended.
    Ingest(AssetId),
    /// Copies a completed render's file to its client's destination. Removed when it has ended.
    Deliver(JobId),
}

/// A new job with everything that a request can set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admission {
    /// The job.
    pub submission: Submission,
    /// The uploads and imports it uses: it waits for those that are not ready.
    pub assets: Vec<AssetUse>,
    /// Receives this job's events instead of the workspace's endpoints.
    pub webhook_url: Option<String>,
    /// The request names a place its file is to be copied to.
    pub has_destination: bool,
}

/// A new render, as the edge proposes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewRender {
    /// The job.
    pub admission: Admission,
    /// It has remote sources: they are fetched before it is prepared, by a task that takes no
    /// slot.
    pub has_remote_sources: bool,
}

/// State of the copy to a render's own destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DestinationStatus {
    /// It is asked for; nothing can be copied before the render is completed.
    Pending,
    /// It is there.
    Delivered {
        /// Since when.
        at: LogTime,
    },
    /// It cannot be copied there.
    Failed(JobError),
}

/// What makes a repeated request the same request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdempotencyRow {
    /// The client's key, as sent (1–255 printable ASCII).
    pub key: String,
    /// Method and path the key was sent to, such as `POST /v1/renders`.
    pub scope: String,
    /// Digest of the canonical body.
    pub body: Digest,
}

/// The published file and its description for clients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// The file.
    pub object: ObjectRef,
    /// File name offered on download, with extension.
    pub filename: String,
    /// Media type, such as `video/mp4`.
    pub content_type: String,
    /// Width of the file in pixels.
    pub width: u32,
    /// Height of the file in pixels.
    pub height: u32,
    /// Frames in the file.
    pub frames: u64,
    /// Its rate.
    pub rate: FrameRate,
    /// A small JPEG of an early frame, if one was made.
    pub thumbnail: Option<ObjectRef>,
    /// Duration of the join in milliseconds.
    pub join_millis: u64,
}

/// Why a job failed, as reported to its client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobError {
    /// A render failure code of API.md §4.
    pub code: String,
    /// A sentence.
    pub message: String,
    /// The element at fault as a path, such as `elements[1].source_url`.
    pub path: Option<String>,
}

/// An event as the first release kept it; read from its snapshots and dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxRow {
    /// The job it is about.
    pub job: JobId,
    /// The status it reached.
    pub status: JobStatus,
    /// The job's sequence number at that change.
    pub sequence: Seq,
    /// When it happened.
    pub at: LogTime,
}
