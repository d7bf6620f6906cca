//! Access units of elementary streams.

use super::Entry;
use crate::media::container::Codec;

/// One access unit: a whole frame, both fields of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit {
    /// Position of its first byte in the stream.
    pub start: u64,
    /// What decoding from it gives.
    pub entry: Entry,
}

/// Finds where access units begin in a stream that comes in pieces.
#[derive(Debug)]
pub struct Splitter {
    _codec: Codec,
}

impl Splitter {
    /// For a byte-stream codec (H.264, H.265, MPEG-2 video, MPEG-4 part 2).
    #[must_use]
    pub fn new(codec: &Codec) -> Self {
        Self {
            _codec: codec.clone(),
        }
    }
}
