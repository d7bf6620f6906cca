//! Who may ask, how often, and for how much: keys, open mode, rate limits, quotas. Keys live
//! in applied state, so a key made or revoked anywhere counts here with its commit; rate
//! buckets live in this process and are lost with it.

mod arriving;
mod bucket;
mod caller;
mod meter;
mod open;
mod quota;
mod reserve;
mod standing;
mod token;
mod usage;

pub(super) use arriving::Arriving;
pub(super) use bucket::Buckets;
pub(super) use caller::{Client, client, operator};
pub(super) use meter::{charge, meter};
pub use quota::{Quota, WorkspaceQuota};
pub(super) use quota::{expect_bytes, within_bytes};
pub(super) use reserve::{Reservations, Wanted, reserve};
pub(super) use standing::Standing;
pub use token::{DrawnKey, draw_key};
pub(super) use usage::{__path_usage, usage};
