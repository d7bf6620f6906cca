//! H.264.

use super::nal::Form;
use super::{Coded, Entry};

pub(super) fn coded(_form: Form, _config: &[u8], _packet: &[u8]) -> Option<Coded> {
    None
}

pub(super) fn entry(_form: Form, _config: &[u8], _packet: &[u8]) -> Entry {
    Entry::None
}
