//! VP8 and VP9.

use super::{Coded, Entry};

pub(super) fn coded_vp8(_packet: &[u8]) -> Option<Coded> {
    None
}

pub(super) fn coded_vp9(_config: &[u8], _packet: &[u8]) -> Option<Coded> {
    None
}

pub(super) fn entry_vp8(_packet: &[u8]) -> Entry {
    Entry::None
}

pub(super) fn entry_vp9(_packet: &[u8]) -> Entry {
    Entry::None
}

pub(super) fn is_hidden_vp8(packet: &[u8]) -> bool {
    packet.first().is_some_and(|first| first & 0x10 == 0)
}

pub(super) fn is_hidden_vp9(_packet: &[u8]) -> bool {
    false
}
