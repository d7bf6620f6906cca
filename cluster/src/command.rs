//! Everything the log can hold, and what applying it can answer.
//!
//! These are persisted and cross the wire: variants are only ever added, at the end, and
//! `cluster/tests/fixtures` proves that old bytes still decode. Whoever proposes puts the
//! time and every random number in the command; `apply` reads neither.

use serde::{Deserialize, Serialize};

use crate::model::{
    Admission, ApiKey, Arrival, AssetId, Day, DeliveryAttempt, DeliveryId, DeliveryLease, Endpoint,
    EndpointId, Epoch, Failure, Fingerprint, FrameRange, Generation, Incarnation, JobError, JobId,
    KeyId, LogTime, NewAsset, NodeId, NodeInfo, NodeState, Sealed, Seq, Submission, TaskKind,
    TaskOutput, TaskRef,
};

/// One entry of the log: what to do, stamped with the leader's time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamped {
    /// Log time; `apply` uses the larger of this and the last one.
    pub at: LogTime,
    /// What to do.
    pub command: Command,
}

/// A change of the replicated state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Admits a job, or finds the one its idempotency key already admitted. Logs of the first
    /// release hold it; [`Command::Admit`] says more.
    SubmitJob(Submission),
    /// Ends a job that has no artifact yet.
    CancelJob {
        /// The job.
        job: JobId,
        /// Who asks; another workspace's job is unknown to them.
        workspace: String,
    },
    /// Ends a job that cannot be rendered.
    FailJob {
        /// The job.
        job: JobId,
        /// Why.
        error: JobError,
    },
    /// Reports, releases and grants of one scheduling round, applied in that order.
    Batch(Batch),
    /// A node starts or changes what it offers. A new incarnation releases the old one's leases.
    RegisterNode(NodeInfo),
    /// An operator or the leader changes whether a node may be given work.
    SetNodeState {
        /// The node.
        node: NodeId,
        /// What it becomes.
        state: NodeState,
    },
    /// Committed inputs turned out missing or damaged: their tasks are open again, and no
    /// failure is counted.
    ReopenTasks {
        /// The job.
        job: JobId,
        /// The plan they belong to.
        generation: Generation,
        /// The tasks.
        tasks: Vec<TaskKind>,
    },
    /// No node of the job's fingerprint is left: everything is rendered again under another.
    Replan {
        /// The job.
        job: JobId,
        /// The generation that is to end.
        generation: Generation,
    },
    /// Changes a job's place in the queue.
    SetPriority {
        /// The job.
        job: JobId,
        /// −10…10.
        priority: i8,
    },
    /// Drops events of the first release's outbox. Does nothing any more.
    SettleOutbox {
        /// Rows by job and sequence.
        rows: Vec<(JobId, Seq)>,
    },
    /// Drops what retention no longer keeps: idempotency rows, jobs.
    Sweep {
        /// Idempotency rows committed before this go.
        idempotency_before: LogTime,
        /// Terminal jobs finished before this go.
        jobs_before: LogTime,
    },
    /// Admits a job, or finds the one its idempotency key already admitted.
    Admit(Admission),
    /// Makes an upload or import, or finds the one its idempotency key already made.
    CreateAsset(NewAsset),
    /// The bytes of a pending upload are durable: they are to be taken in.
    AssetArrived {
        /// The upload.
        asset: AssetId,
        /// What arrived.
        arrival: Arrival,
    },
    /// Ends an upload or import that its client does not want any more.
    AbandonAsset {
        /// The asset.
        asset: AssetId,
        /// Who asks; another workspace's asset is unknown to them.
        workspace: String,
    },
    /// Ends the pending uploads whose time is over, by log time.
    ExpireUploads,
    /// Makes an API key.
    CreateKey(ApiKey),
    /// Ends an API key.
    RevokeKey {
        /// The key's id.
        key: KeyId,
    },
    /// Registers a webhook endpoint.
    CreateEndpoint(Endpoint),
    /// Removes a webhook endpoint; what is on its way to it is dropped.
    DeleteEndpoint {
        /// The endpoint.
        endpoint: EndpointId,
        /// Who asks.
        workspace: String,
    },
    /// Gives an endpoint a new secret; the old one signs too for a while.
    RotateSecret {
        /// The endpoint.
        endpoint: EndpointId,
        /// Who asks.
        workspace: String,
        /// The new secret.
        secret: Sealed,
        /// How long the old one goes on, from the commit.
        overlap_millis: u64,
    },
    /// Gives a workspace the secret that signs per-request webhooks, unless it has one.
    KeepSecret {
        /// The workspace.
        workspace: String,
        /// The secret.
        secret: Sealed,
    },
    /// Leases and results of webhook deliveries.
    Courier(Courier),
    /// A client wants a settled delivery tried again, now.
    RetryDelivery {
        /// The delivery.
        delivery: DeliveryId,
        /// Who asks.
        workspace: String,
    },
    /// Drops what retention no longer keeps beside jobs.
    Trim(Trim),
}

/// What the sender of webhooks changes in one go: results first, then leases.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Courier {
    /// What came of tries.
    pub results: Vec<DeliveryResult>,
    /// Deliveries that are to be tried now.
    pub leases: Vec<(DeliveryId, DeliveryLease)>,
}

/// What came of one try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryResult {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The try.
    pub attempt: DeliveryAttempt,
    /// What follows from it.
    pub verdict: DeliveryVerdict,
}

/// What follows from a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeliveryVerdict {
    /// The receiver took it.
    Delivered,
    /// It is tried again then.
    Retry(LogTime),
    /// It is not tried again.
    GiveUp,
    /// The receiver wants nothing more, ever: its endpoint is disabled.
    Gone,
}

/// What retention drops beside jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trim {
    /// Settled deliveries older than this go.
    pub deliveries_before: LogTime,
    /// Settled assets older than this go, unless an active job uses them.
    pub assets_before: LogTime,
    /// Failed and abandoned assets older than this go.
    pub failed_assets_before: LogTime,
    /// Usage of earlier days goes.
    pub usage_before: Day,
}

/// What one scheduling round changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// What attempts say of themselves.
    pub reports: Vec<Report>,
    /// Attempts that end without a report.
    pub releases: Vec<Release>,
    /// New attempts.
    pub grants: Vec<Grant>,
}

/// What an attempt says of itself. Accepted iff its epoch is live, the task is open, the
/// generation is current and the job is not terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The task.
    pub task: TaskRef,
    /// The attempt.
    pub epoch: Epoch,
    /// The plan it worked from.
    pub generation: Generation,
    /// What came of it.
    pub result: Result<TaskOutput, Failure>,
    /// After a failure: the task is not granted again before this.
    pub retry_at: LogTime,
}

/// The end of an attempt that did not report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The task.
    pub task: TaskRef,
    /// The attempt.
    pub epoch: Epoch,
    /// Its lease ran out (its epoch stays acceptable until a new grant); otherwise it was
    /// handed back and is dead at once.
    pub lost: bool,
}

/// A new attempt. The epoch is allocated by `apply` and returned in the outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The task.
    pub task: TaskRef,
    /// Who gets it.
    pub node: NodeId,
    /// Refused if the node has another incarnation by now.
    pub incarnation: Incarnation,
    /// Refused unless it is the job's; the first segment grant sets it.
    pub fingerprint: Fingerprint,
    /// A second live attempt beside one that straggles.
    pub extra: bool,
}

/// What applying a command came to. A rejection is an answer, not an error.
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
    /// Which of a [`Courier`]'s leases were given, in its order.
    Leased(Vec<bool>),
}

/// What came of each part of a [`Batch`], in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchOutcome {
    /// Whether each report was accepted.
    pub reports: Vec<Result<(), Rejection>>,
    /// The attempt each grant made.
    pub grants: Vec<Result<Granted, Rejection>>,
}

/// A granted attempt: what the node that runs it must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// The task.
    pub task: TaskRef,
    /// Its fencing number.
    pub epoch: Epoch,
    /// Counts from 1 within the task.
    pub attempt: u32,
    /// The plan to work from.
    pub generation: Generation,
    /// The frames of a segment; none for other kinds.
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
}
