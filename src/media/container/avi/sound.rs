//! Chunks of sound as packets of whole frames.

use super::super::riff::WaveFormat;
use super::super::{Codec, Extent, Input, MAX_PACKETS, Packet, PacketFlags, mp3};
use crate::media::MediaError;

/// Frames of uncompressed sound in one packet.
const FRAMES: u32 = 4096;

/// What a stream's chunks come to.
pub(super) struct Made {
    pub(super) packets: Vec<Packet>,
    /// Pieces of packets that lie over chunks.
    pub(super) extents: Option<Vec<Extent>>,
    /// Rate and channels from the frames themselves.
    pub(super) format: Option<(u32, u16)>,
}

/// Packets of chunks; times are in samples.
pub(super) fn packets(
    input: &mut Input,
    chunks: &[Extent],
    wave: &WaveFormat,
    codec: &Codec,
    _sample_size: u32,
) -> Result<Made, MediaError> {
    match codec {
        Codec::Mp3 | Codec::Mp2 => mpeg(input, chunks),
        Codec::Pcm(_) | Codec::ALaw | Codec::MuLaw | Codec::AdpcmMs | Codec::AdpcmImaWav => {
            Ok(blocks(chunks, wave))
        }
        // One frame a chunk.
        _ => Ok(whole(chunks, samples_a_frame(codec))),
    }
}

fn samples_a_frame(codec: &Codec) -> u32 {
    match codec {
        Codec::Aac | Codec::AacAdts => 1024,
        Codec::Ac3 | Codec::Eac3 => 1536,
        _ => 0,
    }
}

fn packet(offset: u64, size: u32, time: i64, duration: u32) -> Packet {
    Packet {
        offset,
        size,
        description: 0,
        flags: PacketFlags {
            is_sync: true,
            ..PacketFlags::default()
        },
        dts: time,
        pts: time,
        duration,
    }
}

fn whole(chunks: &[Extent], samples: u32) -> Made {
    let mut time = 0;
    let packets = chunks
        .iter()
        .filter(|chunk| chunk.size > 0)
        .map(|chunk| {
            let made = packet(chunk.offset, chunk.size, time, samples);
            time += i64::from(samples);
            made
        })
        .collect();
    Made {
        packets,
        extents: None,
        format: None,
    }
}

/// Blocks of a constant size, which never lie over chunks.
fn blocks(chunks: &[Extent], wave: &WaveFormat) -> Made {
    let samples = wave.block_samples().max(1);
    let block = u32::from(wave.block_align.max(1));
    let most = if samples == 1 { FRAMES } else { 1 };
    let mut time = 0_i64;
    let mut packets = Vec::new();
    for chunk in chunks {
        let mut at = 0;
        while at + block <= chunk.size && packets.len() < MAX_PACKETS {
            let count = ((chunk.size - at) / block).min(most);
            let duration = count * samples;
            let offset = chunk.offset + u64::from(at);
            packets.push(packet(offset, count * block, time, duration));
            at += count * block;
            time += i64::from(duration);
        }
    }
    Made {
        packets,
        extents: None,
        format: None,
    }
}

/// Frames of MPEG audio, cut by their headers: chunks may hold several, or parts.
fn mpeg(input: &mut Input, chunks: &[Extent]) -> Result<Made, MediaError> {
    let mut extents = Vec::new();
    let mut packets: Vec<Packet> = Vec::new();
    let (mut time, mut format) = (0_i64, None);
    // Bytes that the frame begun last still lacks.
    let mut missing = 0_u32;
    for chunk in chunks {
        let bytes = input.available(chunk.offset, u64::from(chunk.size))?;
        let mut at = 0_usize;
        let length = bytes.len();
        while at < length {
            if missing > 0 {
                let part = (length - at).min(missing as usize);
                let size = u32::try_from(part).unwrap_or(0);
                extents.push(Extent {
                    offset: chunk.offset + at as u64,
                    size,
                });
                missing -= size;
                at += part;
                continue;
            }
            let header = bytes
                .get(at..at + 4)
                .and_then(|bytes| bytes.try_into().ok())
                .and_then(mp3::Header::read);
            let Some(header) = header else {
                at += 1;
                continue;
            };
            if packets.len() >= MAX_PACKETS {
                return Err(MediaError::Limit(format!(
                    "more than {MAX_PACKETS} packets"
                )));
            }
            format.get_or_insert((header.rate, header.channels));
            packets.push(packet(
                extents.len() as u64,
                header.size,
                time,
                header.samples,
            ));
            time += i64::from(header.samples);
            missing = header.size;
        }
    }
    // A frame that the file cuts off has no end.
    if missing > 0 {
        packets.pop();
    }
    Ok(Made {
        packets,
        extents: Some(extents),
        format,
    })
}
