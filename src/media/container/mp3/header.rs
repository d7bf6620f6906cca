//! The header of one frame of MPEG audio.

/// One frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::media::container) struct Header {
    pub(in crate::media::container) layer: u8,
    /// 1, 2, or 3 for 2.5.
    version: u8,
    pub(in crate::media::container) rate: u32,
    pub(in crate::media::container) channels: u16,
    /// Bytes, with the header.
    pub(in crate::media::container) size: u32,
    /// Samples a channel.
    pub(in crate::media::container) samples: u32,
}

/// Kilobits a second by index 1 to 14: version 1 layers 1, 2, 3; versions 2 and 2.5 layer 1, then
/// layers 2 and 3.
const BITRATES: [[u32; 14]; 5] = [
    [
        32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448,
    ],
    [
        32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384,
    ],
    [
        32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320,
    ],
    [
        32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256,
    ],
    [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];

impl Header {
    /// Reads a header; `None` where there is none, and for free bit rates, whose frames don't
    /// state their length.
    pub(in crate::media::container) fn read(bytes: [u8; 4]) -> Option<Self> {
        let [first, second, third, fourth] = bytes;
        if first != 0xff || second & 0xe0 != 0xe0 {
            return None;
        }
        let version = match (second >> 3) & 3 {
            3 => 1,
            2 => 2,
            0 => 3,
            _ => return None,
        };
        let layer = match (second >> 1) & 3 {
            3 => 1,
            2 => 2,
            1 => 3,
            _ => return None,
        };
        let row = match (version, layer) {
            (1, 1) => 0,
            (1, 2) => 1,
            (1, _) => 2,
            (_, 1) => 3,
            _ => 4,
        };
        let index = usize::from(third >> 4).checked_sub(1)?;
        let bitrate = *BITRATES.get(row)?.get(index)? * 1000;
        let rate = *[44_100, 48_000, 32_000].get(usize::from((third >> 2) & 3))? >> (version - 1);
        let padding = u32::from((third >> 1) & 1);
        let (samples, size) = match (layer, version) {
            (1, _) => (384, (12 * bitrate / rate + padding) * 4),
            (3, 2 | 3) => (576, 72 * bitrate / rate + padding),
            _ => (1152, 144 * bitrate / rate + padding),
        };
        Some(Self {
            layer,
            version,
            rate,
            channels: if fourth >> 6 == 3 { 1 } else { 2 },
            size,
            samples,
        })
    }

    /// Whether a frame may follow in the same stream.
    pub(in crate::media::container) fn is_like(&self, other: &Self) -> bool {
        self.layer == other.layer && self.version == other.version && self.rate == other.rate
    }

    /// Bytes of side information behind a layer 3 header.
    pub(super) fn side(&self) -> usize {
        match (self.version, self.channels) {
            (1, 2) => 32,
            (1, _) | (_, 2) => 17,
            _ => 9,
        }
    }
}
