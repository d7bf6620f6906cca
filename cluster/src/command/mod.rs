//! Everything the log can hold, and what applying it can answer.
//!
//! These are persisted and cross the wire: variants are only ever added, at the end, and
//! `cluster/tests/fixtures` proves that old bytes still decode. The proposer puts the
//! time and every random number in the command; `apply` reads neither. Which commands a
//! state takes depends on its level: [`Command::levels`].

mod batch;
mod outcome;
mod retention;
mod round;
mod stamped;
mod webhooks;

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

pub use batch::{Batch, BatchGrant, BatchRelease, BatchReport};
pub use outcome::{BatchOutcome, Granted, Outcome, Rejection, RoundOutcome};
pub use retention::{Retention, Trim};
pub use round::{Grant, Release, ReleaseCause, Report, Round};
pub use stamped::Stamped;
pub(crate) use stamped::WithoutRan;
pub use webhooks::{DeliveryResult, DeliveryRound, DeliveryVerdict};

use crate::model::{
    Admission, ApiKey, Arrival, AssetId, DeliveryId, Endpoint, EndpointId, Generation, JobError,
    JobId, KeyId, Level, LogTime, NewAsset, NewRender, NodeId, NodeInfo, NodeState, Registration,
    Sealed, Seq, Submission, TaskKind,
};

/// A change of the replicated state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Admits a job, or finds the one its idempotency key already admitted. Only in logs of
    /// the first release; [`Command::Admit`] replaced it.
    SubmitJob(Submission),
    /// Ends a job that has no artifact yet.
    CancelJob {
        /// The job.
        job: JobId,
        /// The workspace of the request; a job of another workspace is rejected as unknown.
        workspace: String,
    },
    /// Ends a job that cannot be rendered.
    FailJob {
        /// The job.
        job: JobId,
        /// Why.
        error: JobError,
    },
    /// Reports, releases and grants of one scheduling round of level 0, applied in that order.
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
        /// The workspace of the request; an asset of another workspace is rejected as unknown.
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
        /// The workspace of the request.
        workspace: String,
    },
    /// Gives an endpoint a new secret; the old one signs too for a while.
    RotateSecret {
        /// The endpoint.
        endpoint: EndpointId,
        /// The workspace of the request.
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
    DeliveryRound(DeliveryRound),
    /// Tries a settled delivery again, now, at a client's request.
    RetryDelivery {
        /// The delivery.
        delivery: DeliveryId,
        /// The workspace of the request.
        workspace: String,
    },
    /// Drops what retention no longer keeps beside jobs.
    Trim(Trim),
    /// Raises the level of the state: every voter, and every other process that applies the log,
    /// knows it.
    RaiseLevel(Level),
    /// Reports, releases and grants of one scheduling round, applied in that order.
    Round(Round),
    /// A node starts or changes what it offers. A later start releases the former one's
    /// leases; an earlier start that comes late is refused.
    Register(Registration),
    /// Drops what is older than retention keeps.
    Retain(Retention),
    /// Admits a render, or finds the one its idempotency key already admitted.
    AdmitRender(NewRender),
    /// Drops settled deliveries beyond what the log of a workspace keeps.
    ForgetDeliveries(Vec<DeliveryId>),
}

impl Command {
    /// The levels at which `apply` takes this command; at others it is rejected.
    pub fn levels(&self) -> RangeInclusive<Level> {
        match self {
            // An expired lease in it counts against its task, whatever the cause.
            Self::Batch(_) => Level(0)..=Level(0),
            Self::Round(_) | Self::Register(_) | Self::Retain(_) | Self::AdmitRender(_) => {
                Level(1)..=Level::NEWEST
            }
            Self::ForgetDeliveries(_) => Level(2)..=Level::NEWEST,
            _ => Level(0)..=Level::NEWEST,
        }
    }
}
