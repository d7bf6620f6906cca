//! What one scheduling round changes: reports of attempts, leases that end, new runs.

use serde::{Deserialize, Serialize};

use crate::model::{
    Epoch, Failure, Fingerprint, Generation, Incarnation, JobId, NodeId, TaskKind, TaskOutput,
    TaskRef,
};

/// What one scheduling round changes; applied in the order of its fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// What attempts report.
    pub reports: Vec<Report>,
    /// Attempts that end without a report.
    pub releases: Vec<Release>,
    /// New runs.
    pub grants: Vec<Grant>,
}

/// What an attempt reports. Accepted iff its epoch is live, the task is open, the generation
/// is current and the job is not terminal.
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
    /// After a failure: the task is not granted again before this much of the cluster's
    /// running time has passed. Set by the leader.
    pub retry_after_millis: u64,
}

/// The end of an attempt that did not report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The task.
    pub task: TaskRef,
    /// The attempt.
    pub epoch: Epoch,
    /// Why it ends.
    pub cause: ReleaseCause,
}

/// Why an attempt ends without a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReleaseCause {
    /// Its node gave it back, or another node is to have it. Its epoch is dead at once.
    HandedBack,
    /// Its lease ran out. Its epoch stays acceptable until a new grant.
    Expired {
        /// Whether it counts against the task: it had begun, and nothing else ran on the
        /// node that was lost.
        is_charged: bool,
    },
}

/// A new run: attempts at one task, or at consecutive segments of one job, for one slot.
/// Epochs are allocated by `apply` and returned in the outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The job.
    pub job: JobId,
    /// Its tasks, in the order in which they are to be worked on.
    pub tasks: Vec<TaskKind>,
    /// The node that gets them.
    pub node: NodeId,
    /// Refused if the node has another incarnation by now.
    pub incarnation: Incarnation,
    /// Refused unless it is the job's; the first segment grant sets it.
    pub fingerprint: Fingerprint,
    /// A second live attempt beside one that straggles.
    pub extra: bool,
}
