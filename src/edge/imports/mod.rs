//! `/v1/imports`: files that are fetched for clients. Nodes fetch; the edge admits and reports.

mod body;
mod create;
mod list;
mod read;

pub(super) use create::{__path_create, create};
pub(super) use list::{__path_list, list};
pub(super) use read::{__path_read, __path_remove, read, remove};
