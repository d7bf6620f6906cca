//! AAC in ADTS frames (ISO 14496-3 §1.A.3.2). Packets leave the frames' headers out, so that they
//! are read as those of any other container.

use super::wav::track;
use super::{
    AudioFormat, Codec, Container, Contents, Finding, Input, MAX_PACKETS, Packet, PacketFlags,
};
use crate::media::MediaError;

/// Samples of one raw block.
const BLOCK: u32 = 1024;
const RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];
/// Bytes that are looked at together while a frame is searched.
const WINDOW: u64 = 64 * 1024;

/// One frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    object: u8,
    rate_index: u8,
    channel_config: u8,
    /// Bytes of the header itself.
    pub(super) header: u32,
    /// Bytes of the whole frame.
    pub(super) size: u32,
    /// Raw blocks in it.
    pub(super) blocks: u32,
}

impl Header {
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let &[0xff, second, third, fourth, fifth, sixth, seventh, ..] = bytes else {
            return None;
        };
        if second & 0xf6 != 0xf0 {
            return None;
        }
        let size = u32::from(fourth & 3) << 11 | u32::from(fifth) << 3 | u32::from(sixth >> 5);
        let header = if second & 1 == 1 { 7 } else { 9 };
        let found = Self {
            object: (third >> 6) + 1,
            rate_index: (third >> 2) & 15,
            channel_config: (third & 1) << 2 | fourth >> 6,
            header,
            size,
            blocks: u32::from(seventh & 3) + 1,
        };
        (size > header && usize::from(found.rate_index) < RATES.len()).then_some(found)
    }

    pub(super) fn rate(&self) -> u32 {
        RATES
            .get(usize::from(self.rate_index))
            .copied()
            .unwrap_or(44_100)
    }

    pub(super) fn channels(&self) -> u16 {
        match self.channel_config {
            7 => 8,
            config => u16::from(config),
        }
    }

    /// The `AudioSpecificConfig` that the header stands for.
    pub(super) fn config(&self) -> Vec<u8> {
        let word = u16::from(self.object) << 11
            | u16::from(self.rate_index) << 7
            | u16::from(self.channel_config) << 3;
        word.to_be_bytes().to_vec()
    }

    fn is_like(&self, other: &Self) -> bool {
        (self.object, self.rate_index, self.channel_config)
            == (other.object, other.rate_index, other.channel_config)
    }
}

/// Takes the file apart; its first frame is at byte `start` or after.
pub(super) fn read(input: &mut Input, start: u64) -> Result<Contents, MediaError> {
    let end = input.length();
    let none = || MediaError::Invalid("no frame of AAC is to be found".into());
    let (mut at, first) = next(input, start, end, None)?.ok_or_else(none)?;
    let mut packets: Vec<Packet> = Vec::new();
    let mut findings = Vec::new();
    let mut time = 0_i64;
    let mut is_whole = false;
    while at < end {
        let header = Header::read(input.available(at, 9)?).filter(|one| one.is_like(&first));
        let Some(header) = header else {
            match next(input, at + 1, end, Some(&first))? {
                Some((place, _)) => {
                    if findings.len() < 100 {
                        findings.push(Finding::Damaged {
                            at: super::Clock::hertz(first.rate()).nanos(time),
                            what: format!("{} bytes that are no sound", place - at),
                        });
                    }
                    at = place;
                    continue;
                }
                None => break,
            }
        };
        if at + u64::from(header.size) > end {
            findings.push(Finding::Truncated);
            break;
        }
        if packets.len() >= MAX_PACKETS {
            return Err(MediaError::Limit(format!(
                "more than {MAX_PACKETS} packets"
            )));
        }
        // Only the decoder can separate several raw blocks, and it needs the header for that.
        is_whole |= header.blocks > 1;
        packets.push(Packet {
            offset: at,
            size: header.size,
            description: 0,
            flags: PacketFlags {
                is_sync: true,
                ..PacketFlags::default()
            },
            dts: time,
            pts: time,
            duration: header.blocks * BLOCK,
        });
        time += i64::from(header.blocks * BLOCK);
        at += u64::from(header.size);
    }
    if packets.is_empty() {
        return Err(none());
    }
    if !is_whole {
        for packet in &mut packets {
            packet.offset += u64::from(first.header);
            packet.size -= first.header;
        }
    }
    let format = AudioFormat {
        sample_rate: first.rate(),
        channels: first.channels(),
        ..AudioFormat::default()
    };
    let (codec, config) = if is_whole {
        (Codec::AacAdts, Vec::new())
    } else {
        (Codec::Aac, first.config())
    };
    Ok(Contents {
        container: Container::Adts,
        tracks: vec![track(codec, config, format, packets, 0)],
        findings,
    })
}

/// The next place where a frame begins that another follows.
fn next(
    input: &mut Input,
    from: u64,
    end: u64,
    like: Option<&Header>,
) -> Result<Option<(u64, Header)>, MediaError> {
    let mut at = from;
    while at < end {
        let bytes = input.available(at, WINDOW.min(end - at))?.to_vec();
        if bytes.len() < 7 {
            return Ok(None);
        }
        for index in 0..=bytes.len() - 7 {
            if bytes[index] != 0xff {
                continue;
            }
            let Some(header) = Header::read(&bytes[index..]) else {
                continue;
            };
            if like.is_some_and(|like| !header.is_like(like)) {
                continue;
            }
            let place = at + index as u64;
            let behind = input.available(place + u64::from(header.size), 9)?;
            if behind.is_empty() || Header::read(behind).is_some_and(|one| one.is_like(&header)) {
                return Ok(Some((place, header)));
            }
        }
        at += (bytes.len() - 6) as u64;
    }
    Ok(None)
}
