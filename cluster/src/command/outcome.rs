//! What applying a command can come to.

use serde::{Deserialize, Serialize};

use crate::model::{AssetId, Epoch, FrameRange, Generation, JobId, RunNumber, TaskRef};

/// Outcome of applying a command. A rejection is an answer, not an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Done, or already so.
    Accepted,
    /// The job is new.
    Submitted(JobId),
    /// The idempotency key already admitted this job, with the same body.
    Replayed(JobId),
    /// A batch, part by part.
    Batch(BatchOutcome),
    /// Not done, and nothing changed.
    Rejected(Rejection),
    /// The asset is new.
    AssetCreated(AssetId),
    /// The idempotency key already made this asset, with the same body.
    AssetReplayed(AssetId),
    /// Which of a [`DeliveryRound`](super::DeliveryRound)'s leases were given, in its order.
    Leased(Vec<bool>),
    /// A round, part by part.
    Round(RoundOutcome),
}

/// What came of each part of a [`Batch`](super::Batch), in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchOutcome {
    /// Whether each report was accepted.
    pub reports: Vec<Result<(), Rejection>>,
    /// The attempt each grant made.
    pub grants: Vec<Result<Granted, Rejection>>,
}

/// What came of each part of a [`Round`](super::Round), in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundOutcome {
    /// Whether each report was accepted.
    pub reports: Vec<Result<(), Rejection>>,
    /// The attempts each grant made, one for each of its tasks.
    pub grants: Vec<Vec<Result<Granted, Rejection>>>,
}

/// A granted attempt: what the node that runs it must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// The task.
    pub task: TaskRef,
    /// Its fencing number.
    pub epoch: Epoch,
    /// The run it is part of.
    pub run: RunNumber,
    /// Counts from 1 within the task.
    pub attempt: u32,
    /// The plan to work from.
    pub generation: Generation,
    /// The frames of a segment; `None` for other kinds.
    pub frames: Option<FrameRange>,
}

/// Why a command changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Rejection {
    /// No such job (for this workspace).
    #[error("job is not known")]
    UnknownJob,
    /// The job has ended.
    #[error("job has ended")]
    JobEnded,
    /// The key admitted a job with another body.
    #[error("idempotency key was used with another body")]
    IdempotencyConflict,
    /// The epoch is not live.
    #[error("epoch is not live")]
    StaleEpoch,
    /// The plan's generation is not the current one.
    #[error("generation is not current")]
    StaleGeneration,
    /// The node is unknown or has another incarnation.
    #[error("node incarnation is not current")]
    StaleIncarnation,
    /// The task is not there (no plan yet) or not open.
    #[error("task is not open")]
    TaskNotOpen,
    /// The task has as many live attempts as it may.
    #[error("task has enough live attempts")]
    EnoughAttempts,
    /// The job renders under another fingerprint.
    #[error("fingerprint is not the job's")]
    WrongFingerprint,
    /// The node takes no work.
    #[error("node takes no work")]
    NodeNotReady,
    /// The report does not fit its task.
    #[error("report does not fit its task")]
    MisfitReport,
    /// The node is not known.
    #[error("node is not known")]
    UnknownNode,
    /// No such upload or import (for this workspace).
    #[error("asset is not known")]
    UnknownAsset,
    /// The upload is not one that can still arrive.
    #[error("asset is not pending")]
    AssetNotPending,
    /// No such API key.
    #[error("key is not known")]
    UnknownKey,
    /// No such endpoint (for this workspace).
    #[error("endpoint is not known")]
    UnknownEndpoint,
    /// The workspace has as many endpoints as it may.
    #[error("workspace has enough endpoints")]
    EnoughEndpoints,
    /// No such delivery (for this workspace).
    #[error("delivery is not known")]
    UnknownDelivery,
    /// The delivery is still being tried.
    #[error("delivery is pending")]
    DeliveryPending,
    /// The state's level does not have the command, or not any more.
    #[error("command is not of the state's level")]
    WrongLevel,
}
