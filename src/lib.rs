//! framelane: a self-hosted video render cluster.

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
