//! Scheduling rounds as logs of level 0 hold them. [`super::Round`] replaced them: their
//! leases carry no run, and an expired lease always counts against its task.

use serde::{Deserialize, Serialize};

use crate::model::{
    Epoch, Failure, Fingerprint, Generation, Incarnation, LogTime, NodeId, TaskOutput, TaskRef,
};

/// What one scheduling round of level 0 changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// Results of attempts.
    pub reports: Vec<BatchReport>,
    /// Attempts that end without a report.
    pub releases: Vec<BatchRelease>,
    /// New attempts.
    pub grants: Vec<BatchGrant>,
}

/// The result of an attempt. Accepted iff its epoch is live, the task is open, the
/// generation is current and the job is not terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchReport {
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
pub struct BatchRelease {
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
pub struct BatchGrant {
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
