//! Codecs whose pictures stand alone, and the small rest: ProRes, DNxHD, JPEG, PNG, FFV1,
//! Theora, `QuickTime` Animation, H.263.

use super::{Coded, Entry};
use crate::media::container::Codec;

pub(super) fn coded(_codec: &Codec, _config: &[u8], _packet: &[u8]) -> Option<Coded> {
    None
}

pub(super) fn entry(_codec: &Codec, _packet: &[u8]) -> Entry {
    Entry::None
}
