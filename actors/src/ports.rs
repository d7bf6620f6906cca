//! What the actors ask of the rest of the product. Fakes of all of it are in `testkit`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use cluster::State;
use cluster::command::{Command, Granted, Outcome};
use cluster::model::{
    Artifact, Asset, AssetId, Delivery, Endpoint, Epoch, Failure, JobId, LogIndex, LogTime,
    ObjectRef, RanTime, TaskOutput,
};
use cluster::state::Job;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// The replicated coordinator, as the actors see it.
pub trait Coordinator: Send + Sync + 'static {
    /// Proposes and waits for the outcome of applying it.
    fn propose(&self, command: Command) -> BoxFuture<'static, Result<Outcome, ProposeError>>;
    /// This process's applied state: a cheap, immutable clone.
    fn state(&self) -> Arc<State>;
    /// Receives the last applied index whenever it changes.
    fn applied(&self) -> watch::Receiver<LogIndex>;
    /// Receives whether this process leads, with the term, whenever that changes.
    fn leadership(&self) -> watch::Receiver<Leadership>;
}

pub use cluster::coordinator::{Leadership, ProposeError};

/// Time, for those who must be testable.
pub trait Clock: Send + Sync + 'static {
    /// For intervals.
    fn now(&self) -> Instant;
    /// Log time: for people and retention.
    fn log_time(&self) -> LogTime;
    /// Running time: for deadlines, retries and leases.
    fn ran(&self) -> RanTime;
    /// Both clocks of the cluster.
    fn times(&self) -> Times {
        Times {
            now: self.log_time(),
            ran: self.ran(),
        }
    }
}

/// What the cluster's two clocks showed at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// For people and retention.
    pub now: LogTime,
    /// For deadlines, retries and leases.
    pub ran: RanTime,
}

/// A granted attempt with what its node must fetch to carry it out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The grant.
    pub granted: Granted,
    /// The client's request.
    pub request: ObjectRef,
    /// The plan; `None` for prepare.
    pub plan: Option<ObjectRef>,
    /// What the API reports of the plan; `None` for prepare, and for a plan of level 0.
    pub findings: Option<ObjectRef>,
    /// For a join: the committed segment files in order, then the sound if there is any.
    pub inputs: Vec<ObjectRef>,
    /// Whether the last input is sound.
    pub has_audio: bool,
    /// The output must not come from the cache.
    pub no_cache: bool,
    /// For a prepare: the bytes of the uploads and imports that the composition uses.
    pub assets: Vec<(AssetId, ObjectRef)>,
    /// For a prepare whose remote sources a fetch has brought to this node: its attempt.
    pub fetched: Option<Epoch>,
    /// For an ingest: what is to be taken in.
    pub ingest: Option<Asset>,
    /// For a delivery: the render whose artifact is to be copied, and the artifact.
    pub deliver: Option<(JobId, Artifact)>,
}

/// Most inputs that one failure blames: the next join blames the rest.
const MOST_BLAMED: usize = 1000;

/// The path of a join's failure that blames these of its inputs (segments in order, then the
/// sound), such as `inputs[1,4,7]`: their tasks are then done again.
pub fn damaged_inputs_path(inputs: &[usize]) -> String {
    let blamed = &inputs[..inputs.len().min(MOST_BLAMED)];
    let numbers: Vec<String> = blamed.iter().map(ToString::to_string).collect();
    format!("inputs[{}]", numbers.join(","))
}

/// The inputs that a join's failure blames, if it blames any.
pub fn damaged_inputs(path: &str) -> Option<Vec<u32>> {
    let numbers = path.strip_prefix("inputs[")?.strip_suffix(']')?;
    let blamed = numbers.split(',').map(|number| number.parse().ok());
    blamed.take(MOST_BLAMED).collect()
}

/// The path of a prepare's failure that finds fetched sources gone: they are then fetched
/// again.
pub const LOST_SOURCES: &str = "sources";

/// The answer of a webhook receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// Its HTTP status, if it answered at all.
    pub status: Option<u16>,
    /// Why there is no 2xx answer. The text discloses nothing about the internal network.
    pub error: Option<String>,
}

/// Sends webhooks. Implemented by the binary.
pub trait WebhookSender: Send + Sync + 'static {
    /// Sends an event to its receiver, once. The body is the same at every try.
    fn send(&self, delivery: Delivery) -> BoxFuture<'static, Answered>;

    /// Sends an endpoint the progress of a render, once: a failed try is not repeated.
    fn progress(&self, endpoint: Endpoint, job: Arc<Job>) -> BoxFuture<'static, Answered>;
}

/// Work staged for a child: what to send it, and where it writes.
#[derive(Debug, Clone)]
pub struct Staged {
    /// The order, opaque to the actors, sent to the child as it is.
    pub order: Vec<u8>,
    /// Where the child writes; what is there goes when the run ends.
    pub scratch: PathBuf,
}

/// Result of the part of a transfer task that needs no child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transferred {
    /// The task is done.
    Done(Box<TaskOutput>),
    /// The bytes are in the store, and a child is to look at them. What [`TaskHost::stage`]
    /// is to know of them, opaque to the actors.
    ToProbe(Vec<u8>),
}

/// Everything round a child's work: inputs in, outputs out. Implemented by the binary.
pub trait TaskHost: Send + Sync + 'static {
    /// Moves the bytes of a fetch, ingest or delivery, without a slot. `progress` counts
    /// bytes moved. Dropping the future must remove what it had left in scratch so far.
    fn transfer(
        &self,
        assignment: Assignment,
        progress: Arc<AtomicU64>,
    ) -> BoxFuture<'static, Result<Transferred, Failure>>;

    /// Brings the inputs of a run of attempts (one task, or consecutive segments of one job)
    /// to where the child of slot number `slot` finds them, and writes its order. `progress`
    /// counts bytes fetched. `to_probe` is what [`Transferred::ToProbe`] carried, if the run is
    /// an ingest. Dropping the future must remove what it had brought so far.
    fn stage(
        &self,
        slot: usize,
        run: Vec<Assignment>,
        to_probe: Option<Vec<u8>>,
        progress: Arc<AtomicU64>,
    ) -> BoxFuture<'static, Result<Staged, Failure>>;

    /// Makes one output of the child durable under a fresh key and describes it.
    /// `body` is the child's own description, opaque to the actors and not to be believed;
    /// `scratch` is where its run was to write.
    fn publish(
        &self,
        assignment: Assignment,
        scratch: PathBuf,
        body: Vec<u8>,
    ) -> BoxFuture<'static, Result<TaskOutput, Failure>>;

    /// Removes what an ended run left in scratch.
    fn clean(&self, scratch: PathBuf) -> BoxFuture<'static, ()>;
}
