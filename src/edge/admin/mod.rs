//! `/admin/v1`: what operators see and change. [`guard()`] lets in admin keys and,
//! while no key exists, peers on loopback that no proxy speaks for.

mod actors;
mod guard;
mod jobs;
mod keys;
mod memory;
mod nodes;
mod raft;
mod tasks;
mod waiting;

pub(super) use actors::{__path_actors, actors};
pub(super) use guard::guard;
pub(super) use jobs::{
    __path_cancel_job, __path_change_job, __path_job, __path_jobs, cancel_job, change_job, job,
    jobs,
};
pub use keys::key_description;
pub(super) use keys::{
    __path_create_key, __path_keys, __path_revoke_key, create_key, keys, revoke_key,
};
pub use memory::remember_jobs;
pub(super) use memory::{JobMemory, empty as empty_memory};
pub(super) use nodes::{__path_nodes, nodes};
pub(super) use raft::{__path_raft, raft};
