//! RIFF WAVE files, RF64 and BW64 too.

use super::riff::{WaveFormat, u32_at};
use super::{
    AudioFormat, Clock, Codec, Container, Contents, Description, Detail, Finding, Input,
    MAX_PACKETS, Orientation, Packet, PacketFlags, Payload, Track, TrackKind,
};
use crate::media::MediaError;

/// Frames of uncompressed sound in one packet.
const FRAMES: u64 = 4096;
/// Chunks that are looked at.
const MAX_CHUNKS: usize = 100_000;

/// Takes the file apart.
pub(super) fn read(input: &mut Input) -> Result<Contents, MediaError> {
    let length = input.length();
    let mut at = 12;
    let (mut format, mut data, mut declared, mut wide) = (None, None, None, None);
    for _ in 0..MAX_CHUNKS {
        let head = input.available(at, 8)?;
        let Some(size) = u32_at(head, 4) else { break };
        let kind: [u8; 4] = head[..4].try_into().unwrap_or_default();
        let size = u64::from(size);
        let body = at + 8;
        match &kind {
            b"ds64" => {
                let bytes = input.available(body, 24)?;
                wide = bytes
                    .get(8..16)
                    .and_then(|size| size.try_into().ok())
                    .map(u64::from_le_bytes);
            }
            b"fmt " => format = WaveFormat::read(input.available(body, size.min(4096))?),
            b"fact" => declared = u32_at(input.available(body, 4)?, 0),
            b"data" => {
                // Streamed files don't know their length: to the end of the file.
                let size = match size {
                    0xffff_ffff => wide.unwrap_or(length),
                    0 => length,
                    size => size,
                };
                data = Some((body, size));
                break;
            }
            _ => {}
        }
        at = body.saturating_add(size).saturating_add(size % 2);
    }
    let format = format.ok_or_else(|| MediaError::Invalid("it has no format chunk".into()))?;
    let (start, size) = data.ok_or_else(|| MediaError::Invalid("it has no data chunk".into()))?;
    let end = start.saturating_add(size).min(length);
    let is_cut = start.saturating_add(size) > length && size < 0xffff_ff00 && size != length;
    let (codec, config) = match format.codec() {
        // Packets of those are of no fixed size, and the file does not state where each begins.
        (codec @ (Codec::Aac | Codec::AacAdts | Codec::Ac3 | Codec::Flac), _) => {
            let name = format!("{} in a WAVE file", codec.name());
            (Codec::Other(name), Vec::new())
        }
        read => read,
    };
    let mut described = AudioFormat::default();
    format.describe(&mut described);
    if described.channels == 0 || described.sample_rate == 0 {
        return Err(MediaError::Invalid(
            "its format chunk names no sound".into(),
        ));
    }
    if codec == Codec::Mp3 || codec == Codec::Mp2 {
        let mut contents = super::mp3::read_range(input, start, end)?;
        contents.container = Container::Wav;
        return Ok(contents);
    }
    let per_block = u64::from(described.block_samples);
    let block = u64::from(described.block_align);
    let packets = blocks(start, end, block, per_block)?;
    let tail = match declared {
        Some(declared) if per_block > 1 => {
            let all = packets
                .iter()
                .map(|packet| u64::from(packet.duration))
                .sum::<u64>();
            all.saturating_sub(u64::from(declared))
        }
        _ => 0,
    };
    Ok(Contents {
        container: Container::Wav,
        tracks: vec![track(codec, config, described, packets, tail)],
        findings: if is_cut {
            vec![Finding::Truncated]
        } else {
            Vec::new()
        },
    })
}

/// Packets of blocks of a constant size: several frames of uncompressed sound, or one block of
/// ADPCM, in each. Where a block's size is not known the codec is not read: one packet, which shows
/// that there is sound.
pub(super) fn blocks(
    start: u64,
    end: u64,
    block: u64,
    samples: u64,
) -> Result<Vec<Packet>, MediaError> {
    let packet = |offset: u64, size: u64, time: i64, duration: u32| Packet {
        offset,
        size: u32::try_from(size).unwrap_or(u32::MAX),
        description: 0,
        flags: PacketFlags {
            is_sync: true,
            ..PacketFlags::default()
        },
        dts: time,
        pts: time,
        duration,
    };
    if block == 0 || samples == 0 {
        return Ok(vec![packet(start, end.saturating_sub(start), 0, 0)]);
    }
    let count = if samples == 1 { FRAMES } else { 1 };
    let mut packets = Vec::new();
    let (mut at, mut time) = (start, 0_i64);
    // A last block that is cut short is no block.
    while at + block <= end {
        if packets.len() >= MAX_PACKETS {
            return Err(MediaError::Limit(format!(
                "more than {MAX_PACKETS} packets"
            )));
        }
        let blocks = ((end - at) / block).min(count);
        let size = blocks * block;
        let duration = u32::try_from(blocks * samples).unwrap_or(0);
        packets.push(packet(at, size, time, duration));
        at += size;
        time += i64::from(duration);
    }
    Ok(packets)
}

/// A sound track that counts in its samples.
pub(super) fn track(
    codec: Codec,
    config: Vec<u8>,
    format: AudioFormat,
    packets: Vec<Packet>,
    tail: u64,
) -> Track {
    Track {
        id: 1,
        kind: TrackKind::Audio,
        is_enabled: true,
        is_default: true,
        language: None,
        clock: Clock::hertz(format.sample_rate),
        descriptions: vec![Description {
            codec,
            config,
            encryption: None,
            detail: Detail::Audio(format),
        }],
        packets,
        payload: Payload::Plain,
        edits: None,
        lead: 0,
        tail,
        orientation: Orientation::default(),
        alpha: Vec::new(),
        declared_rate: None,
    }
}
