//! Supervision and scheduling: who works on what, and what happens when that fails.
//!
//! ```text
//! RootSupervisor                   follows leadership; restarts, drains, stops
//! ├── SchedulerActor      leader   polls + applied state -> one Batch in flight
//! ├── JobSupervisor       leader   one actor per active job, restart intensity
//! │   └── JobActor        each     limits in time, progress
//! ├── WebhookQueueActor   leader   webhooks, from applied state
//! └── NodeActor           render   polls, stages, publishes, reports
//!     └── slot (actix)    each     one thread, one `framelane worker` child
//! ```
//! Everything that decides is pure and takes time as an argument: [`backoff`], the
//! scheduler's core, the job driver, the node's book. The actors carry out their decisions.
//! Truth is the coordinator's applied state; whatever an actor holds beyond it is rebuilt
//! from the next poll, so any actor may be restarted at any line.
//!
//! # Layout
//! - [`ports`]: what the actors ask of the rest of the product.
//! - [`poll`]: messages between nodes and leader; crosses machines.
//! - [`protocol`]: messages between a slot and its child.
//! - `scheduler`, `jobs`, `job`, `webhook_queue`: the leader's side.
//! - `node`, `slot`: the render side.
//! - `root`, `handle`: the tree and how the process holds it.
#![forbid(unsafe_code)]

mod adapter;
pub mod backoff;
mod config;
mod handle;
mod intensity;
mod job;
mod jobs;
mod leader;
mod live;
mod node;
pub mod poll;
pub mod ports;
mod progress;
pub mod protocol;
mod root;
mod scheduler;
mod slot;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;
mod tree;
mod webhook_queue;

pub use config::{Config, Timings, WorkerCommand};
pub use handle::{Observer, Ports, RootHandle, StartError, start};
pub use live::{Health, NodeView};
pub use progress::{JobProgress, ProgressBoard};
pub use tree::ActorNode;
pub use webhook_queue::{Schedule, Shares};
