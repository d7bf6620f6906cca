//! Carrying tasks out: a node's side, which moves files between the store and scratch, and
//! the worker process's side, which turns files into pictures, sound and videos.
//!
//! # Layout
//! - [`host`]: the node's side; implements `actors::ports::TaskHost`.
//! - [`order`]: messages between the two.
//! - [`child`]: the process: its pipe, its threads, its end.
//! - `tools`, `prepare`, `segment`, `finish`, `ingest`: what it does, one file or directory a task kind.
//! - [`sandbox`]: what that process takes away from itself first.
//! - [`program`]: which file worker processes are started from.
//! - [`fingerprint`]: what the output of a node depends on; `golden`: the render that shows it.

pub mod child;
mod damage;
mod failure;
pub mod fingerprint;
mod finish;
mod golden;
pub mod host;
mod ingest;
pub mod order;
mod prepare;
pub mod program;
pub mod sandbox;
pub mod scratch;
mod segment;
pub mod settings;
#[cfg(test)]
mod tests;
mod tools;

pub use host::{Bucket, Host, HostSettings, Transfers};
pub use settings::WorkerSettings;

/// Prints what the kernel takes away from this process, as JSON: `framelane worker
/// --probe-sandbox`.
///
/// # Errors
/// When the settings make no sense, or require what is not to be had.
pub fn probe_sandbox() -> anyhow::Result<()> {
    let settings = WorkerSettings::from_environment()?;
    sandbox::print_report(&settings.policy(child::slot()))
}
