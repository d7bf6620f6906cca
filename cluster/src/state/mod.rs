//! The replicated state: who owns which job, task, lease, key and node.
//!
//! [`State::apply`] is the only way it changes. Everything in it is a persistent map, so
//! that a clone (a snapshot, a reader's view) is cheap and never stops `apply`.

mod job;

use std::sync::Arc;

use imbl::OrdMap;
use serde::{Deserialize, Serialize};

pub use job::{Job, PlanState, Task, TaskPhase};

use crate::model::{Digest, Epoch, JobId, LogIndex, LogTime, NodeId, NodeInfo, OutboxRow, Seq};

/// Applied state. Fields are readable so that the scheduler's pure core and the edge can
/// look; only `apply` writes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Index of the last applied entry.
    pub applied: LogIndex,
    /// Log time: never goes back.
    pub now: LogTime,
    /// The next epoch to hand out.
    pub next_epoch: Epoch,
    /// Every job that retention still keeps, in order of id (so of age).
    pub jobs: OrdMap<JobId, Arc<Job>>,
    /// Jobs that are queued or processing.
    pub active: OrdMap<JobId, ()>,
    /// (workspace, scope, key) → the job it admitted, the body's digest, when.
    pub idempotency: OrdMap<(String, String, String), (JobId, Digest, LogTime)>,
    /// Registered nodes.
    pub nodes: OrdMap<NodeId, NodeInfo>,
    /// Events not yet settled.
    pub outbox: OrdMap<(JobId, Seq), OutboxRow>,
}
