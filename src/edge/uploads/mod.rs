//! `/v1/uploads`: files that clients send. This server takes their bytes where the store
//! cannot; it never looks at them.

mod arrival;
mod body;
mod content;
mod create;
mod links;
mod read;
mod receive;

pub use arrival::{ArrivalError, notice_arrival};
pub(super) use content::{__path_content, __path_part, content, part};
pub(super) use create::{__path_create, create};
pub(super) use read::{__path_complete, __path_read, __path_remove, complete, read, remove};
