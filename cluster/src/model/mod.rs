//! The values of the replicated state: plain, serialisable, totally ordered where
//! they are keys. Nothing here waits, reads a clock or draws a random number.

mod access;
mod asset;
mod frames;
mod ids;
mod job;
mod node;
mod object;
mod task;
mod ulids;
mod webhook;

pub use access::{ApiKey, Day, DayUsage};
pub use asset::{
    Arrival, Asset, AssetId, AssetKind, AssetStatus, AssetUse, Ingested, NewAsset, PartLayout,
};
pub use frames::{FrameIndex, FrameRange, FrameRate};
pub use ids::{
    Boot, Epoch, Generation, Incarnation, JobId, Level, LogIndex, LogTime, NodeId, NotAnId,
    RanTime, RunNumber, Seq,
};
pub use job::{
    Admission, Artifact, DestinationStatus, IdempotencyRow, JobError, JobKind, JobStatus,
    NewRender, OutboxRow, Submission,
};
pub use node::{Fingerprint, NodeInfo, NodeState, Registration, Roles};
pub use object::{Digest, ObjectKey, ObjectRef};
pub use task::{
    Attempt, AttemptOutcome, Failure, PlanFacts, SegmentMark, TaskKind, TaskOutput, TaskRef,
};
pub use ulids::{DeliveryId, EndpointId, EventId, KeyId};
pub use webhook::{
    Delivery, DeliveryAttempt, DeliveryLease, DeliveryStatus, Disabled, Endpoint, Event, EventKind,
    Sealed, Secret, Subject, Target,
};
