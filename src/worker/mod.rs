//! Carrying tasks out: a node's side, which moves files between the store and scratch, and
//! the worker process's side, which turns files into pictures, sound and videos.
//!
//! # Layout
//! - [`host`]: the node's side; implements `actors::ports::TaskHost`.
//! - [`order`]: what the two say to each other.
//! - [`child`]: the process: its pipe, its threads, its end.
//! - `tools`, `prepare`, `segment`, `finish`: what it does, one file or directory a task kind.
//! - [`fingerprint`]: what the output of a node depends on.

pub mod child;
mod failure;
pub mod fingerprint;
mod finish;
pub mod host;
pub mod order;
mod prepare;
pub mod scratch;
mod segment;
pub mod settings;
#[cfg(test)]
mod tests;
mod tools;

pub use host::{Host, HostSettings};
pub use settings::WorkerSettings;
