//! AV1.

use super::{Coded, Entry};

pub(super) fn coded(_config: &[u8], _packet: &[u8]) -> Option<Coded> {
    None
}

pub(super) fn entry(_packet: &[u8]) -> Entry {
    Entry::None
}

pub(super) fn is_hidden(_packet: &[u8]) -> bool {
    false
}
