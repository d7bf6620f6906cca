//! What the coordinator knows about: plain values, serialisable, totally ordered where
//! they are keys. Nothing here waits, reads a clock or draws a random number.

mod frames;
mod ids;
mod job;
mod node;
mod object;
mod task;

pub use frames::{FrameIndex, FrameRange, FrameRate};
pub use ids::{Epoch, Generation, Incarnation, JobId, LogIndex, LogTime, NodeId, Seq};
pub use job::{Artifact, IdempotencyRow, JobError, JobStatus, OutboxRow, Submission};
pub use node::{Fingerprint, NodeInfo, NodeState, Roles};
pub use object::{Digest, ObjectKey, ObjectRef};
pub use task::{
    Attempt, AttemptOutcome, Failure, PlanFacts, SegmentMark, TaskKind, TaskOutput, TaskRef,
};
