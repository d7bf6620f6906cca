//! Jobs as the log describes them.

use serde::{Deserialize, Serialize};

use super::{Digest, FrameRate, JobId, LogTime, ObjectRef, Seq};

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
    /// Who asks.
    pub workspace: String,
    /// −10…10; higher goes first.
    pub priority: i8,
    /// The request as accepted: composition, warnings, links. Durable already.
    pub request: ObjectRef,
    /// The idempotency row to write with the job, if the client sent a key.
    pub idempotency: Option<IdempotencyRow>,
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

/// The published file and what a client is told of it.
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

/// Why a job failed, as its client is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobError {
    /// A render failure code of API.md §4.
    pub code: String,
    /// A sentence.
    pub message: String,
    /// The element at fault as a path, such as `elements[1].source_url`.
    pub path: Option<String>,
}

/// An event that some webhook endpoint may have to be told of. Written by the command that
/// changes the state, so that no change is ever silent.
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
