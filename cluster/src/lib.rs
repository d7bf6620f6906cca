//! The coordinator of a framelane cluster: the job model and the replicated
//! state machine that owns it.
//!
//! # Layout
//! - [`model`]: ids, frames, jobs, tasks, nodes: plain values, no behaviour that waits.
//! - [`command`]: everything the log can hold, and what applying it can answer.
//! - [`state`]: `State::apply`, total and deterministic, one command family a file.
//! - [`codec`]: how all of these become bytes.
//! - `raft`: the only directory that names openraft types.
//! - [`disk_space`]: how much room a file system has left.
//! - [`coordinator`]: the handle the rest of the product holds.
#![forbid(unsafe_code)]

// The simulation shares the histories of the tests outside the crate, which name it.
#[cfg(test)]
extern crate self as cluster;

pub mod codec;
pub mod command;
pub mod coordinator;
pub mod disk_space;
pub mod model;
mod raft;
pub mod state;

pub use coordinator::Coordinator;
pub use state::State;
