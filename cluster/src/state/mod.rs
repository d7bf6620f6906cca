//! The replicated state: who owns which job, task, lease, key and node.
//!
//! [`State::apply`] is the only way it changes, and only dispatches: each command family has
//! a file. Everything in it is a persistent map, so that a clone (a snapshot, a reader's
//! view) is cheap and never stops `apply`.

mod assets;
mod cancel;
mod complete;
mod deliveries;
mod endpoints;
mod fail;
mod grant;
pub mod invariants;
mod job;
mod job_editor;
mod keys;
mod level;
mod node;
mod plan;
mod priority;
mod queues;
mod release;
mod reopen;
mod replan;
mod report;
mod retention;
mod round;
mod side_effects;
mod stored_bytes;
mod submit;
mod transfer_jobs;
mod trim;
mod upgrade;
mod usage;
mod view;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use imbl::OrdMap;
use serde::{Deserialize, Serialize};

pub use job::{HISTORY_LEN, Job, PlanState, Task, TaskPhase, Tasks};
pub use queues::Queues;
pub use stored_bytes::ARRIVED_KEPT_MILLIS;
pub use submit::IDEMPOTENCY_WINDOW_MILLIS;
pub use upgrade::{decode, encode};
pub(crate) use upgrade::{decode_from, encode_into};

use queues::Place;
use side_effects::SideEffect;

use crate::command::{Command, Outcome, Rejection, Stamped};
use crate::model::{
    Admission, ApiKey, Asset, AssetId, Boot, Day, DayUsage, Delivery, DeliveryId, Digest, Endpoint,
    EndpointId, Epoch, JobId, KeyId, Level, LogIndex, LogTime, NodeId, NodeInfo, RanTime, Secret,
};

/// Applied state. Fields are readable so that the scheduler's pure core and the edge can
/// look; only `apply` writes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// What `apply` does; never goes back.
    pub level: Level,
    /// Index of the last applied entry.
    pub applied: LogIndex,
    /// Log time: wall time, for people and retention. Never goes back.
    pub now: LogTime,
    /// Running time, for deadlines, retries and leases. Never goes back. At level 0 it is
    /// log time; from level 1 on it goes on from there by the leaders' boot clocks.
    pub ran: RanTime,
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
    /// Which start of each node is its current incarnation.
    pub boots: OrdMap<NodeId, Boot>,
    /// Uploads and imports.
    pub assets: OrdMap<AssetId, Arc<Asset>>,
    /// Assets that are not settled: pending or processing.
    pub open_assets: OrdMap<AssetId, ()>,
    /// (workspace, scope, key) → the asset it made, the body's digest, when.
    pub asset_keys: OrdMap<(String, String, String), (AssetId, Digest, LogTime)>,
    /// API keys.
    pub keys: OrdMap<KeyId, ApiKey>,
    /// Which key has which digest.
    pub key_digests: OrdMap<Digest, KeyId>,
    /// Webhook endpoints.
    pub endpoints: OrdMap<EndpointId, Endpoint>,
    /// The secret of each workspace that signs per-request webhooks.
    pub secrets: OrdMap<String, Secret>,
    /// Events on their way to receivers, and those that arrived lately. A row is written by
    /// the command that changes the state, so that no change is ever silent.
    pub deliveries: OrdMap<DeliveryId, Arc<Delivery>>,
    /// Deliveries that are not settled, by when they are due.
    pub due: OrdMap<(RanTime, DeliveryId), ()>,
    /// How many ids `apply` has drawn.
    pub next_ulid: u64,
    /// What each workspace had rendered, by day.
    pub usage: OrdMap<(String, Day), DayUsage>,
    /// What the command being applied has set off; empty between commands.
    #[serde(skip)]
    pub(crate) side_effects: Vec<SideEffect>,
    /// Jobs by what is to be done about them.
    #[serde(skip)]
    pub queues: Queues,
    /// Jobs that the command being applied has changed, and where they were filed; empty
    /// between commands.
    #[serde(skip)]
    pub(crate) touched: Vec<(JobId, Place)>,
}

/// Debug builds check every invariant after every command while there are at most this many
/// jobs; beyond that the check would cost more than it can find.
const CHECKED_JOBS: usize = 32;

impl State {
    /// Applies one committed command and returns its outcome.
    ///
    /// Total and deterministic: the same state, index and command give the same state and
    /// outcome on every node. It never fails, never waits, and reads no clock and no random
    /// numbers; the proposer puts these in the command.
    pub fn apply(&mut self, index: LogIndex, stamped: Stamped) -> Outcome {
        self.advance(index);
        self.now = self.now.max(stamped.at);
        self.ran = match (self.level, stamped.ran) {
            (Level(0), _) => RanTime(self.now.0),
            (_, Some(ran)) => self.ran.max(ran),
            (_, None) => self.ran,
        };
        if !stamped.command.levels().contains(&self.level) {
            return Outcome::Rejected(Rejection::WrongLevel);
        }
        let outcome = match stamped.command {
            Command::SubmitJob(submission) => {
                let admission = Admission {
                    submission,
                    assets: Vec::new(),
                    webhook_url: None,
                    has_destination: false,
                };
                self.submit(admission, false)
            }
            Command::CancelJob { job, workspace } => self.cancel(job, &workspace),
            Command::FailJob { job, error } => self.fail(job, error),
            Command::Batch(batch) => self.batch(batch),
            Command::RegisterNode(info) => self.register_node(info, Boot(0)),
            Command::SetNodeState { node, state } => self.set_node_state(node, state),
            Command::ReopenTasks {
                job,
                generation,
                tasks,
            } => self.reopen(job, generation, &tasks),
            Command::Replan { job, generation } => self.replan(job, generation),
            Command::SetPriority { job, priority } => self.set_priority(job, priority),
            Command::SettleOutbox { rows: _ } => Outcome::Accepted,
            Command::Sweep {
                idempotency_before,
                jobs_before,
            } => self.sweep(idempotency_before, jobs_before),
            Command::Admit(admission) => self.submit(admission, false),
            Command::CreateAsset(new) => self.create_asset(new),
            Command::AssetArrived { asset, arrival } => self.asset_arrived(asset, arrival),
            Command::AbandonAsset { asset, workspace } => self.abandon_asset(asset, &workspace),
            Command::ExpireUploads => self.expire_uploads(),
            Command::CreateKey(key) => self.create_key(key),
            Command::RevokeKey { key } => self.revoke_key(key),
            Command::CreateEndpoint(endpoint) => self.create_endpoint(endpoint),
            Command::DeleteEndpoint {
                endpoint,
                workspace,
            } => self.delete_endpoint(endpoint, &workspace),
            Command::RotateSecret {
                endpoint,
                workspace,
                secret,
                overlap_millis,
            } => self.rotate_secret(endpoint, &workspace, secret, overlap_millis),
            Command::KeepSecret { workspace, secret } => self.keep_secret(workspace, secret),
            Command::DeliveryRound(delivery_round) => self.delivery_round(delivery_round),
            Command::RetryDelivery {
                delivery,
                workspace,
            } => self.retry_delivery(delivery, &workspace),
            Command::Trim(trim) => self.trim(trim),
            Command::RaiseLevel(level) => self.raise_level(level),
            Command::Round(round) => self.round(round),
            Command::Register(registration) => {
                self.register_node(registration.info, registration.boot)
            }
            Command::Retain(retention) => self.retain(retention),
            Command::ForgetDeliveries(deliveries) => self.forget_deliveries(&deliveries),
            Command::AdmitRender(new) => self.submit(new.admission, new.has_remote_sources),
        };
        self.carry_out_side_effects();
        self.file_jobs();
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
