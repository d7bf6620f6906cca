//! AIFF and AIFF-C files.

use super::wav::{blocks, track};
use super::{AudioFormat, Codec, Container, Contents, Finding, Input, PcmFormat};
use crate::media::MediaError;

/// Chunks that are looked at.
const MAX_CHUNKS: usize = 100_000;

/// Takes the file apart.
pub(super) fn read(input: &mut Input) -> Result<Contents, MediaError> {
    let length = input.length();
    let mut at = 12;
    let (mut common, mut sound) = (None, None);
    for _ in 0..MAX_CHUNKS {
        let &[a, b, c, d, s1, s2, s3, s4, ..] = input.available(at, 8)? else {
            break;
        };
        let size = u64::from(u32::from_be_bytes([s1, s2, s3, s4]));
        let body = at + 8;
        match &[a, b, c, d] {
            b"COMM" => common = Common::read(input.available(body, size.min(4096))?),
            b"SSND" => {
                let offset = input
                    .available(body, 4)?
                    .try_into()
                    .map_or(0, u32::from_be_bytes);
                let start = body + 8 + u64::from(offset);
                sound = Some((start, body.saturating_add(size)));
            }
            _ => {}
        }
        at = body.saturating_add(size).saturating_add(size % 2);
    }
    let common = common.ok_or_else(|| MediaError::Invalid("it has no common chunk".into()))?;
    let (start, end) =
        sound.ok_or_else(|| MediaError::Invalid("it has no sound data chunk".into()))?;
    let codec = common.codec();
    let (block, samples) = match &codec {
        Codec::Pcm(pcm) => (u64::from(pcm.bits / 8) * u64::from(common.channels), 1),
        Codec::ALaw | Codec::MuLaw => (u64::from(common.channels), 1),
        Codec::AdpcmImaQt => (34 * u64::from(common.channels), 64),
        _ => (0, 0),
    };
    let packets = blocks(start, end.min(length), block, samples)?;
    let format = AudioFormat {
        sample_rate: common.rate,
        channels: common.channels,
        layout: None,
        block_align: u32::try_from(block).unwrap_or(0),
        block_samples: u32::try_from(samples).unwrap_or(0),
    };
    Ok(Contents {
        container: Container::Aiff,
        tracks: vec![track(codec, Vec::new(), format, packets, 0)],
        findings: if end > length {
            vec![Finding::Truncated]
        } else {
            Vec::new()
        },
    })
}

struct Common {
    channels: u16,
    bits: u16,
    rate: u32,
    kind: [u8; 4],
}

impl Common {
    fn read(bytes: &[u8]) -> Option<Self> {
        let short = |at: usize| Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
        let common = Self {
            channels: short(0)?,
            bits: short(6)?,
            rate: extended(bytes.get(8..18)?)?,
            kind: bytes
                .get(18..22)
                .and_then(|kind| kind.try_into().ok())
                .unwrap_or(*b"NONE"),
        };
        (common.channels > 0).then_some(common)
    }

    fn codec(&self) -> Codec {
        let pcm = |bits: u16, is_float: bool, is_signed: bool, is_big_endian: bool| {
            let Some(bits) = PcmFormat::stored_bits(bits) else {
                return Codec::Other(format!("PCM of {bits} bits"));
            };
            Codec::Pcm(PcmFormat {
                bits,
                is_float,
                is_signed,
                is_big_endian,
            })
        };
        match &self.kind {
            b"NONE" | b"twos" => pcm(self.bits, false, true, true),
            b"sowt" => pcm(self.bits, false, true, false),
            b"raw " => pcm(8, false, false, true),
            b"in24" => pcm(24, false, true, true),
            b"in32" => pcm(32, false, true, true),
            b"42ni" => pcm(24, false, true, false),
            b"23ni" => pcm(32, false, true, false),
            b"fl32" | b"FL32" => pcm(32, true, true, true),
            b"fl64" | b"FL64" => pcm(64, true, true, true),
            b"alaw" | b"ALAW" => Codec::ALaw,
            b"ulaw" | b"ULAW" => Codec::MuLaw,
            b"ima4" => Codec::AdpcmImaQt,
            other => Codec::Other(super::mp4::name(*other)),
        }
    }
}

/// A whole number as an 80-bit float: sign and exponent, then a mantissa with its one written.
fn extended(bytes: &[u8]) -> Option<u32> {
    let exponent = u16::from_be_bytes(bytes.get(..2)?.try_into().ok()?);
    let mantissa = u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?);
    let shift = (16_383_u32 + 63).checked_sub(u32::from(exponent & 0x7fff))?;
    if exponent & 0x8000 != 0 || !(32..64).contains(&shift) {
        return None;
    }
    let rounded = (mantissa >> (shift - 1)).div_ceil(2);
    u32::try_from(rounded).ok().filter(|&rate| rate > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_floats_of_80_bits() {
        assert_eq!(
            extended(&[0x40, 0x0e, 0xac, 0x44, 0, 0, 0, 0, 0, 0]),
            Some(44_100)
        );
        assert_eq!(
            extended(&[0x40, 0x0e, 0xbb, 0x80, 0, 0, 0, 0, 0, 0]),
            Some(48_000)
        );
        assert_eq!(
            extended(&[0x40, 0x0b, 0xfa, 0, 0, 0, 0, 0, 0, 0]),
            Some(8_000)
        );
        assert_eq!(extended(&[0xff; 10]), None);
        assert_eq!(extended(&[0; 10]), None);
    }
}
