//! mpeg4.

use super::{Coded, Entry};

pub(super) fn coded(_config: &[u8], _packet: &[u8]) -> Option<Coded> {
    None
}

pub(super) fn entry(_packet: &[u8]) -> Entry {
    Entry::None
}
