//! FLAC's stream information and frame headers.

/// `STREAMINFO`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::media::container) struct StreamInfo {
    /// Block size of all frames but the last, where it is fixed.
    block: u32,
    /// The largest block.
    largest: u32,
    pub(super) least_frame: u32,
    /// 0: not known.
    greatest_frame: u32,
    bits: u32,
    pub(in crate::media::container) rate: u32,
    pub(in crate::media::container) channels: u16,
    /// All samples a channel; 0: not known.
    pub(in crate::media::container) samples: u64,
}

impl StreamInfo {
    pub(in crate::media::container) fn read(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; 34] = bytes.get(..34)?.try_into().ok()?;
        let packed = u64::from_be_bytes(bytes[10..18].try_into().ok()?);
        let rate = u32::try_from(packed >> 44).ok()?;
        (rate > 0).then_some(Self {
            block: u32::from(u16::from_be_bytes([bytes[2], bytes[3]])),
            least_frame: u32::from_be_bytes([0, bytes[4], bytes[5], bytes[6]]),
            largest: u32::from(u16::from_be_bytes([bytes[2], bytes[3]])),
            greatest_frame: u32::from_be_bytes([0, bytes[7], bytes[8], bytes[9]]),
            bits: u32::try_from((packed >> 36 & 31) + 1).ok()?,
            rate,
            channels: u16::try_from((packed >> 41 & 7) + 1).ok()?,
            samples: packed & 0xf_ffff_ffff,
        })
    }
}

impl StreamInfo {
    /// Bytes that no frame is longer than.
    pub(super) fn longest_frame(&self) -> u64 {
        let raw = u64::from(self.largest) * u64::from(self.channels) * u64::from(self.bits) / 8;
        // Frames are hardly ever larger than what they hold.
        let bound = raw + raw / 8 + 1024;
        u64::from(self.greatest_frame).max(bound)
    }

    /// Samples that so many bytes hold at the most.
    pub(super) fn most_samples(&self, bytes: u64) -> u64 {
        let frames = bytes / u64::from(self.least_frame.max(10)) + 1;
        frames.saturating_mul(u64::from(self.largest.max(1)))
    }
}

/// One frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::media::container) struct Frame {
    /// Its first sample.
    pub(super) first: u64,
    /// Samples a channel.
    pub(in crate::media::container) samples: u32,
}

impl Frame {
    /// Reads a frame's header; `None` unless its checksum is right.
    pub(in crate::media::container) fn read(bytes: &[u8], info: &StreamInfo) -> Option<Self> {
        let &[0xff, second, third, fourth, ..] = bytes else {
            return None;
        };
        if second & 0xfe != 0xf8 || fourth & 1 != 0 || third & 15 == 15 || fourth >> 4 > 10 {
            return None;
        }
        let is_variable = second & 1 == 1;
        let (number, mut at) = coded_number(bytes.get(4..)?)?;
        at += 4;
        let samples = match third >> 4 {
            0 => return None,
            1 => 192,
            code @ 2..=5 => 576 << (code - 2),
            6 => {
                at += 1;
                u32::from(*bytes.get(at - 1)?) + 1
            }
            7 => {
                at += 2;
                u32::from(u16::from_be_bytes([
                    *bytes.get(at - 2)?,
                    *bytes.get(at - 1)?,
                ])) + 1
            }
            code => 256 << (code - 8),
        };
        at += match third & 15 {
            12 => 1,
            13 | 14 => 2,
            _ => 0,
        };
        let sum = *bytes.get(at)?;
        if crc8(bytes.get(..at)?) != sum {
            return None;
        }
        let first = if is_variable {
            number
        } else {
            // The last frame is shorter; the stream's block size counts.
            number.checked_mul(u64::from(info.block.max(1)))?
        };
        Some(Self { first, samples })
    }
}

/// A number coded as UTF-8 codes code points, of up to 36 bits; and its bytes.
fn coded_number(bytes: &[u8]) -> Option<(u64, usize)> {
    let &first = bytes.first()?;
    let extra = match first.leading_ones() {
        0 => return Some((u64::from(first), 1)),
        ones @ 2..=7 => ones as usize - 1,
        _ => return None,
    };
    let mut number = u64::from(first) & ((1 << (6 - extra.min(6))) - 1);
    for &byte in bytes.get(1..=extra)? {
        if byte & 0xc0 != 0x80 {
            return None;
        }
        number = number << 6 | u64::from(byte & 0x3f);
    }
    Some((number, extra + 1))
}

/// Polynomial x⁸ + x² + x + 1.
fn crc8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| {
        (0..8).fold(sum ^ byte, |sum: u8, _| {
            if sum & 0x80 != 0 {
                sum << 1 ^ 0x07
            } else {
                sum << 1
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: StreamInfo = StreamInfo {
        largest: 4096,
        greatest_frame: 0,
        bits: 16,
        block: 4096,
        least_frame: 14,
        rate: 48_000,
        channels: 2,
        samples: 0,
    };

    fn header(mut bytes: Vec<u8>) -> Vec<u8> {
        bytes.push(crc8(&bytes));
        bytes
    }

    #[test]
    fn frames_are_numbered_by_blocks_or_by_samples() {
        // 4096 samples, 48 kHz, stereo, 16 bits, frame 3.
        let fixed = header(vec![0xff, 0xf8, 0xca, 0x18, 3]);
        let frame = Frame::read(&fixed, &INFO).expect("a frame");
        assert_eq!((frame.first, frame.samples), (3 * 4096, 4096));
        // Sample 0x1234 in two bytes of continuation; block size 256 in a byte.
        let variable = header(vec![0xff, 0xf9, 0x6a, 0x18, 0xe1, 0x88, 0xb4, 255]);
        let frame = Frame::read(&variable, &INFO).expect("a frame");
        assert_eq!((frame.first, frame.samples), (0x1234, 256));
    }

    #[test]
    fn a_wrong_checksum_is_no_frame() {
        let mut bytes = header(vec![0xff, 0xf8, 0xca, 0x18, 3]);
        bytes[5] ^= 1;
        assert_eq!(Frame::read(&bytes, &INFO), None);
        assert_eq!(Frame::read(&[0xff, 0xf8], &INFO), None);
    }
}
