//! `/v1/renders`: submit, read, follow, list, cancel, download. One operation a file.

mod as_of;
mod cancel;
mod download;
mod events;
mod list;
mod log;
mod read;
mod submit;

pub(super) use as_of::as_of;
pub(super) use cancel::{__path_cancel, cancel, end};
pub(super) use download::{__path_download, download, expired};
pub(super) use events::{__path_events, events};
pub(super) use list::{__path_list, list};
pub(super) use read::{__path_read, read};
pub(super) use submit::{__path_submit, submit};
