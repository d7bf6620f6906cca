//! Bare FLAC (RFC 9639): every frame is found by its header, so that seeking is choosing frames.

mod frame;

pub(super) use frame::{Frame, StreamInfo};

use super::riff::layout;
use super::wav::track;
use super::{
    AudioFormat, ChannelLayout, Codec, Container, Contents, Finding, Input, MAX_PACKETS, Packet,
    PacketFlags,
};
use crate::media::MediaError;

/// Metadata blocks that are looked at.
const MAX_BLOCKS: usize = 10_000;
/// Bytes that are searched together.
const WINDOW: u64 = 256 * 1024;
/// Packets are at most this long.
const MAX_FRAME: u64 = 16 * 1024 * 1024;

/// Takes the file apart; `start` is where its marker stands.
pub(super) fn read(input: &mut Input, start: u64) -> Result<Contents, MediaError> {
    let length = input.length();
    let mut at = start + 4;
    let (mut config, mut roles) = (Vec::new(), None);
    for _ in 0..MAX_BLOCKS {
        let [head, a, b, c] = input.array::<4>(at)?;
        let size = u64::from(u32::from_be_bytes([0, a, b, c]));
        match head & 0x7f {
            0 => config = input.available(at + 4, 34)?.to_vec(),
            4 => roles = channel_mask(input.available(at + 4, size.min(1 << 20))?),
            _ => {}
        }
        at += 4 + size;
        if head & 0x80 != 0 {
            break;
        }
    }
    let info = StreamInfo::read(&config)
        .ok_or_else(|| MediaError::Invalid("it has no stream information".into()))?;
    let mut findings = Vec::new();
    let packets = frames(input, at, length, &info, &mut findings)?;
    if packets.is_empty() {
        return Err(MediaError::Invalid("it has no frame of sound".into()));
    }
    let decoded = packets
        .last()
        .map_or(0, |last| last.pts + i64::from(last.duration));
    let declared = i64::try_from(info.samples).unwrap_or(0);
    if declared > 0 && decoded < declared {
        findings.push(Finding::Truncated);
    }
    let tail = u64::try_from(decoded - declared).unwrap_or(0);
    let format = AudioFormat {
        sample_rate: info.rate,
        channels: info.channels,
        layout: roles.and_then(|mask| layout(mask, info.channels)),
        ..AudioFormat::default()
    };
    let tail = if declared > 0 { tail } else { 0 };
    Ok(Contents {
        container: Container::Flac,
        tracks: vec![track(Codec::Flac, config, format, packets, tail)],
        findings,
    })
}

/// Every frame between `start` and `end`.
fn frames(
    input: &mut Input,
    start: u64,
    end: u64,
    info: &StreamInfo,
    findings: &mut Vec<Finding>,
) -> Result<Vec<Packet>, MediaError> {
    let mut packets: Vec<Packet> = Vec::new();
    let mut expected = 0_u64;
    let mut at = start;
    let mut last: Option<(u64, Frame)> = None;
    while at < end {
        let bytes = input.available(at, WINDOW.min(end - at))?;
        let since = last.as_ref().map_or(at - start, |(place, _)| at - place);
        let found = search(bytes, info, |frame, index| {
            let since = since + index as u64;
            let beyond = frame.first.saturating_sub(expected);
            frame.first == expected
                || (last.is_some()
                    && since > info.longest_frame()
                    && (1..=info.most_samples(since)).contains(&beyond))
                || (last.is_none() && since < WINDOW)
        });
        let Some((index, frame)) = found else {
            // The next window overlaps by a header.
            at += (bytes.len() as u64).saturating_sub(32).max(1);
            continue;
        };
        let place = at + index as u64;
        if let Some((begun, before)) = last.take() {
            push(&mut packets, begun, place, &before)?;
            if frame.first != expected && findings.len() < 100 {
                findings.push(Finding::Damaged {
                    at: super::Clock::hertz(info.rate).nanos(i64::try_from(expected).unwrap_or(0)),
                    what: "frames of sound are missing".into(),
                });
            }
        }
        expected = frame.first.saturating_add(u64::from(frame.samples));
        last = Some((place, frame));
        at = place + u64::from(info.least_frame.max(6));
    }
    if let Some((begun, frame)) = last {
        push(&mut packets, begun, end, &frame)?;
    }
    Ok(packets)
}

fn push(packets: &mut Vec<Packet>, from: u64, to: u64, frame: &Frame) -> Result<(), MediaError> {
    if packets.len() >= MAX_PACKETS {
        return Err(MediaError::Limit(format!(
            "more than {MAX_PACKETS} packets"
        )));
    }
    let time = i64::try_from(frame.first).unwrap_or(i64::MAX);
    packets.push(Packet {
        offset: from,
        size: u32::try_from((to - from).min(MAX_FRAME)).unwrap_or(0),
        description: 0,
        flags: PacketFlags {
            is_sync: true,
            ..PacketFlags::default()
        },
        dts: time,
        pts: time,
        duration: frame.samples,
    });
    Ok(())
}

/// The first frame in `bytes` that is wanted.
fn search(
    bytes: &[u8],
    info: &StreamInfo,
    is_wanted: impl Fn(&Frame, usize) -> bool,
) -> Option<(usize, Frame)> {
    let mut from = 0;
    while let Some(found) = bytes.get(from..)?.iter().position(|&byte| byte == 0xff) {
        let at = from + found;
        if bytes.get(at + 1).is_some_and(|next| next & 0xfe == 0xf8)
            && let Some(frame) = Frame::read(&bytes[at..], info)
            && is_wanted(&frame, at)
        {
            return Some((at, frame));
        }
        from = at + 1;
    }
    None
}

/// `WAVEFORMATEXTENSIBLE_CHANNEL_MASK` of a comment block.
fn channel_mask(comments: &[u8]) -> Option<ChannelMask> {
    const KEY: &[u8] = b"WAVEFORMATEXTENSIBLE_CHANNEL_MASK=0x";
    let at = comments
        .windows(KEY.len())
        .position(|window| window.eq_ignore_ascii_case(KEY))?;
    let digits: String = comments[at + KEY.len()..]
        .iter()
        .map(|&byte| char::from(byte))
        .take_while(char::is_ascii_hexdigit)
        .collect();
    u32::from_str_radix(&digits, 16).ok()
}

type ChannelMask = u32;

/// The usual roles of a number of channels (RFC 9639 §9.1.3).
pub(super) fn usual_layout(channels: u16) -> Option<ChannelLayout> {
    let mask = match channels {
        3 => 0x7,
        4 => 0x33,
        5 => 0x37,
        6 => 0x3f,
        7 => 0x70f,
        8 => 0x63f,
        _ => return None,
    };
    layout(mask, channels)
}
