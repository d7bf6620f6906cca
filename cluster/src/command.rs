//! Everything the log can hold, and what applying it can answer.
//!
//! These are persisted and cross the wire: variants are only ever added, at the end, and
//! `cluster/tests/fixtures` proves that old bytes still decode. Whoever proposes puts the
//! time and every random number in the command; `apply` reads neither.

use serde::{Deserialize, Serialize};

use crate::model::{
    Epoch, Failure, Fingerprint, FrameRange, Generation, Incarnation, JobError, JobId, LogTime,
    NodeId, NodeInfo, NodeState, Seq, Submission, TaskKind, TaskOutput, TaskRef,
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
    /// Admits a job, or finds the one its idempotency key already admitted.
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
    /// Drops outbox rows that were delivered or that nobody subscribes to.
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
}
