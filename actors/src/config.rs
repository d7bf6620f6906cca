//! What the actors are started with. Every duration is one an operator or a test turns.

use std::path::PathBuf;
use std::time::Duration;

use cluster::model::{Boot, NodeInfo};

use crate::webhook_queue::Schedule;

/// Everything `start` needs to know beside the ports.
#[derive(Debug, Clone)]
pub struct Config {
    /// This process as it registers; `slots` workers are run if it has the render role.
    pub node: NodeInfo,
    /// Which start of this process on its data directory it is.
    pub boot: Boot,
    /// How a worker child is started.
    pub worker: WorkerCommand,
    /// Workers beside those of `slots` that look at uploads and imports.
    pub probe_slots: u32,
    /// Transfers (fetches, ingests, deliveries) of this node at once; they take no slot.
    pub transfers: u32,
    /// Renders of one workspace that go on at once; 0: as many as there are slots for.
    pub concurrent_per_workspace: u32,
    /// Durations of leases, polls and limits.
    pub timings: Timings,
    /// When webhooks are tried again.
    pub webhooks: Schedule,
}

/// The command line of a worker child.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkerCommand {
    /// The executable.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its whole environment, but for the number of its slot: nothing is inherited.
    pub envs: Vec<(String, String)>,
}

/// Durations. The defaults are the product's; tests shrink them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timings {
    /// Interval of a node's polls, and how long the leader parks one that has no answer yet.
    pub poll: Duration,
    /// A node silent for this long gets no new work.
    pub suspect: Duration,
    /// A lease not listed for this long has expired.
    pub lease: Duration,
    /// Longest time between two scheduling rounds while something waits.
    pub round: Duration,
    /// A child must be ready this long after its start.
    pub ready: Duration,
    /// A counter that stands still this long means a stall.
    pub stall: Duration,
    /// Longest time one output may take.
    pub hard_limit: Duration,
    /// Added to `hard_limit` for every frame of a segment.
    pub hard_limit_per_frame: Duration,
    /// Longest time making one output durable may take.
    pub publish_limit: Duration,
    /// Age at which a job fails with `render_timeout`.
    pub job_deadline: Duration,
    /// A job that no node could work on for this long fails.
    pub no_node: Duration,
    /// A job whose fingerprint has no live node for this long is planned again.
    pub fingerprint_gone: Duration,
    /// First retry delay.
    pub retry_base: Duration,
    /// Longest retry delay.
    pub retry_cap: Duration,
    /// Interval at which jobs are looked at and their progress published.
    pub look: Duration,
    /// Longest wait for the answer to a proposal.
    pub propose: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(1),
            suspect: Duration::from_secs(9),
            lease: Duration::from_secs(20),
            round: Duration::from_millis(50),
            ready: Duration::from_secs(30),
            stall: Duration::from_secs(60),
            hard_limit: Duration::from_secs(600),
            hard_limit_per_frame: Duration::from_secs(5),
            publish_limit: Duration::from_secs(600),
            job_deadline: Duration::from_secs(24 * 3600),
            no_node: Duration::from_secs(600),
            fingerprint_gone: Duration::from_secs(60),
            retry_base: Duration::from_secs(1),
            retry_cap: Duration::from_secs(60),
            look: Duration::from_millis(250),
            propose: Duration::from_secs(10),
        }
    }
}
