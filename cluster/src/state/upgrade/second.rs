//! The shape of level 0, as builds without levels read and write it.

use std::sync::Arc;

use imbl::OrdMap;
use serde::{Deserialize, Serialize};

use crate::model::{
    ApiKey, Artifact, Asset, AssetId, AssetUse, Attempt, AttemptOutcome, Day, DayUsage, Delivery,
    DeliveryId, DestinationStatus, Digest, Endpoint, EndpointId, Epoch, Fingerprint, Generation,
    Incarnation, JobError, JobId, JobKind, JobStatus, KeyId, Level, LogIndex, LogTime, NodeId,
    NodeInfo, ObjectRef, RanTime, RunNumber, Secret, Seq, TaskKind,
};
use crate::state::{Job, PlanState, Queues, State, Task, TaskPhase};

/// The state of level 0.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Second {
    pub(super) applied: LogIndex,
    pub(super) now: LogTime,
    pub(super) next_epoch: Epoch,
    pub(super) jobs: OrdMap<JobId, SecondJob>,
    pub(super) active: OrdMap<JobId, ()>,
    pub(super) idempotency: OrdMap<(String, String, String), (JobId, Digest, LogTime)>,
    pub(super) nodes: OrdMap<NodeId, NodeInfo>,
    pub(super) assets: OrdMap<AssetId, Arc<Asset>>,
    pub(super) open_assets: OrdMap<AssetId, ()>,
    pub(super) asset_keys: OrdMap<(String, String, String), (AssetId, Digest, LogTime)>,
    pub(super) keys: OrdMap<KeyId, ApiKey>,
    pub(super) key_digests: OrdMap<Digest, KeyId>,
    pub(super) endpoints: OrdMap<EndpointId, Endpoint>,
    pub(super) secrets: OrdMap<String, Secret>,
    pub(super) deliveries: OrdMap<DeliveryId, Arc<Delivery>>,
    pub(super) due: OrdMap<(RanTime, DeliveryId), ()>,
    pub(super) next_ulid: u64,
    pub(super) usage: OrdMap<(String, Day), DayUsage>,
}

/// A job of level 0.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SecondJob {
    pub(super) id: JobId,
    pub(super) kind: JobKind,
    pub(super) workspace: String,
    pub(super) priority: i8,
    pub(super) status: JobStatus,
    pub(super) sequence: Seq,
    pub(super) changed_at: LogIndex,
    pub(super) request: ObjectRef,
    pub(super) idempotency_key: Option<String>,
    pub(super) submitted_at: LogTime,
    pub(super) started_at: Option<LogTime>,
    pub(super) rendered_at: Option<LogTime>,
    pub(super) finished_at: Option<LogTime>,
    pub(super) generation: Generation,
    pub(super) plan: Option<PlanState>,
    pub(super) fingerprint: Option<Fingerprint>,
    pub(super) tasks: OrdMap<TaskKind, SecondTask>,
    pub(super) error: Option<JobError>,
    pub(super) artifact: Option<Artifact>,
    pub(super) segment_count: u32,
    pub(super) segments_from_cache: u32,
    pub(super) frames: Option<u64>,
    pub(super) frames_done: u64,
    pub(super) assets: Vec<AssetUse>,
    pub(super) waits_on: Vec<AssetUse>,
    pub(super) webhook_url: Option<String>,
    pub(super) destination: Option<DestinationStatus>,
    pub(super) reached: Vec<(LogIndex, JobStatus)>,
    pub(super) accepted: OrdMap<u32, LogIndex>,
}

/// A task of level 0.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SecondTask {
    phase: TaskPhase,
    live: Vec<SecondAttempt>,
    lingering: Option<SecondAttempt>,
    attempts: u32,
    failures: u32,
    losses: u32,
    not_before: LogTime,
    history: Vec<(SecondAttempt, LogTime, AttemptOutcome)>,
    no_cache: bool,
}

/// An attempt of level 0: a run of its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct SecondAttempt {
    epoch: Epoch,
    number: u32,
    node: NodeId,
    incarnation: Incarnation,
    generation: Generation,
    granted_at: LogTime,
}

impl From<Second> for State {
    fn from(second: Second) -> Self {
        Self {
            level: Level(0),
            applied: second.applied,
            now: second.now,
            ran: RanTime(second.now.0),
            next_epoch: second.next_epoch,
            jobs: second
                .jobs
                .into_iter()
                .map(|(id, job)| (id, Arc::new(Job::from(job))))
                .collect(),
            active: second.active,
            idempotency: second.idempotency,
            nodes: second.nodes,
            boots: OrdMap::new(),
            assets: second.assets,
            open_assets: second.open_assets,
            asset_keys: second.asset_keys,
            keys: second.keys,
            key_digests: second.key_digests,
            endpoints: second.endpoints,
            secrets: second.secrets,
            deliveries: second.deliveries,
            due: second.due,
            next_ulid: second.next_ulid,
            usage: second.usage,
            side_effects: Vec::new(),
            queues: Queues::default(),
            touched: Vec::new(),
        }
    }
}

impl From<&State> for Second {
    /// Only for a state of level 0, of which nothing is lost.
    fn from(state: &State) -> Self {
        Self {
            applied: state.applied,
            now: state.now,
            next_epoch: state.next_epoch,
            jobs: state
                .jobs
                .iter()
                .map(|(id, job)| (*id, SecondJob::from(Job::clone(job))))
                .collect(),
            active: state.active.clone(),
            idempotency: state.idempotency.clone(),
            nodes: state.nodes.clone(),
            assets: state.assets.clone(),
            open_assets: state.open_assets.clone(),
            asset_keys: state.asset_keys.clone(),
            keys: state.keys.clone(),
            key_digests: state.key_digests.clone(),
            endpoints: state.endpoints.clone(),
            secrets: state.secrets.clone(),
            deliveries: state.deliveries.clone(),
            due: state.due.clone(),
            next_ulid: state.next_ulid,
            usage: state.usage.clone(),
        }
    }
}

/// Both ways between the jobs of level 0 and of now: the same fields but for tasks, running
/// time, which at level 0 is log time, and findings, which it does not have.
macro_rules! convert_job {
    ($from:ident, $to:expr $(, $field:ident: $value:expr)*) => {
        Self {
            id: $from.id,
            kind: $from.kind,
            workspace: $from.workspace,
            priority: $from.priority,
            status: $from.status,
            sequence: $from.sequence,
            changed_at: $from.changed_at,
            request: $from.request,
            idempotency_key: $from.idempotency_key,
            submitted_at: $from.submitted_at,
            $($field: $value,)*
            started_at: $from.started_at,
            rendered_at: $from.rendered_at,
            finished_at: $from.finished_at,
            generation: $from.generation,
            plan: $from.plan,
            fingerprint: $from.fingerprint,
            tasks: $from
                .tasks
                .into_iter()
                .map(|(kind, task)| (kind, $to(task)))
                .collect(),
            error: $from.error,
            artifact: $from.artifact,
            segment_count: $from.segment_count,
            segments_from_cache: $from.segments_from_cache,
            frames: $from.frames,
            frames_done: $from.frames_done,
            assets: $from.assets,
            waits_on: $from.waits_on,
            webhook_url: $from.webhook_url,
            destination: $from.destination,
            reached: $from.reached,
            accepted: $from.accepted,
        }
    };
}

impl From<SecondJob> for Job {
    fn from(old: SecondJob) -> Self {
        convert_job!(old, |task| Arc::new(Task::from(task)), submitted_ran: RanTime(old.submitted_at.0), findings: None)
    }
}

impl From<Job> for SecondJob {
    fn from(job: Job) -> Self {
        convert_job!(job, |task| SecondTask::from(Arc::unwrap_or_clone(task)))
    }
}

impl From<SecondTask> for Task {
    fn from(old: SecondTask) -> Self {
        Self {
            phase: old.phase,
            live: old.live.into_iter().map(Attempt::from).collect(),
            lingering: old.lingering.map(Attempt::from),
            attempts: old.attempts,
            failures: old.failures,
            losses: old.losses,
            reopens: 0,
            not_before: RanTime(old.not_before.0),
            history: old
                .history
                .into_iter()
                .map(|(attempt, at, outcome)| (attempt.into(), at, outcome))
                .collect(),
            no_cache: old.no_cache,
        }
    }
}

impl From<Task> for SecondTask {
    fn from(task: Task) -> Self {
        Self {
            phase: task.phase,
            live: task.live.into_iter().map(SecondAttempt::from).collect(),
            lingering: task.lingering.map(SecondAttempt::from),
            attempts: task.attempts,
            failures: task.failures,
            losses: task.losses,
            not_before: LogTime(task.not_before.0),
            history: task
                .history
                .into_iter()
                .map(|(attempt, at, outcome)| (attempt.into(), at, outcome))
                .collect(),
            no_cache: task.no_cache,
        }
    }
}

impl From<SecondAttempt> for Attempt {
    fn from(old: SecondAttempt) -> Self {
        Self {
            epoch: old.epoch,
            number: old.number,
            node: old.node,
            incarnation: old.incarnation,
            generation: old.generation,
            granted_at: old.granted_at,
            run: RunNumber(old.epoch.0),
        }
    }
}

impl From<Attempt> for SecondAttempt {
    fn from(attempt: Attempt) -> Self {
        Self {
            epoch: attempt.epoch,
            number: attempt.number,
            node: attempt.node,
            incarnation: attempt.incarnation,
            generation: attempt.generation,
            granted_at: attempt.granted_at,
        }
    }
}
