//! framelane: a self-hosted video render cluster. This library is the map; the binary is
//! [`cli::run`].
//!
//! # Layout
//! Each module may use those above it, never those below.
//! - [`composition`]: what clients send: parsing, validation, identity.
//! - [`timeline`], [`plan`]: which pictures and sounds each frame needs, and the cuts. Pure.
//! - [`media`], [`render`], [`store`]: GStreamer, the compositors and the object store, each
//!   behind a trait; they don't know one another.
//! - [`worker`]: the tasks: the child process that does them, and the node's side of it.
//! - [`edge`]: the HTTP API. [`telemetry`]: logs and metrics. [`settings`]: what is set.
//! - [`app`]: the only place that wires these together. [`cli`]: the commands.

pub mod app;
pub mod cli;
pub mod composition;
pub mod edge;
pub mod media;
pub mod plan;
pub mod render;
pub mod settings;
pub mod store;
pub mod telemetry;
pub mod timeline;
pub mod worker;
