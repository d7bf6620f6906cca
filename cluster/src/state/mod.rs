//! The replicated state: who owns which job, task, lease, key and node.
//!
//! [`State::apply`] is the only way it changes, and only dispatches: each command family has
//! a file. Everything in it is a persistent map, so that a clone (a snapshot, a reader's
//! view) is cheap and never stops `apply`.

mod batch;
mod cancel;
mod complete;
mod fail;
mod grant;
pub mod invariants;
mod job;
mod ledger;
mod node;
mod outbox;
mod plan;
mod priority;
mod release;
mod reopen;
mod replan;
mod report;
mod submit;
mod sweep;
mod view;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use imbl::OrdMap;
use serde::{Deserialize, Serialize};

pub use job::{HISTORY_LEN, Job, PlanState, Task, TaskPhase};
pub use submit::IDEMPOTENCY_WINDOW_MILLIS;

use crate::command::{Command, Outcome, Stamped};
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

/// Debug builds check every invariant after every command while there are at most this many
/// jobs; beyond that the check would cost more than it can find.
const CHECKED_JOBS: usize = 32;

impl State {
    /// Applies one committed command and says what came of it.
    ///
    /// Total and deterministic: the same state, index and command give the same state and
    /// outcome on every node. It never fails, never waits, and reads no clock and no random
    /// numbers; whoever proposes puts these in the command.
    pub fn apply(&mut self, index: LogIndex, stamped: Stamped) -> Outcome {
        self.advance(index);
        self.now = self.now.max(stamped.at);
        let outcome = match stamped.command {
            Command::SubmitJob(submission) => self.submit(submission),
            Command::CancelJob { job, workspace } => self.cancel(job, &workspace),
            Command::FailJob { job, error } => self.fail(job, error),
            Command::Batch(batch) => self.batch(batch),
            Command::RegisterNode(info) => self.register_node(info),
            Command::SetNodeState { node, state } => self.set_node_state(node, state),
            Command::ReopenTasks {
                job,
                generation,
                tasks,
            } => self.reopen(job, generation, &tasks),
            Command::Replan { job, generation } => self.replan(job, generation),
            Command::SetPriority { job, priority } => self.set_priority(job, priority),
            Command::SettleOutbox { rows } => self.settle_outbox(&rows),
            Command::Sweep {
                idempotency_before,
                jobs_before,
            } => self.sweep(idempotency_before, jobs_before),
        };
        if cfg!(debug_assertions) && self.jobs.len() <= CHECKED_JOBS {
            debug_assert_eq!(invariants::check(self), Ok(()));
        }
        outcome
    }

    /// Notes a log entry that changes nothing here (a new leader's first, a membership).
    pub fn advance(&mut self, index: LogIndex) {
        self.applied = self.applied.max(index);
    }
}
