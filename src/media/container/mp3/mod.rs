//! MPEG audio, layers 1 to 3 (ISO 11172-3, 13818-3), in bare files: every frame's header is read,
//! so that seeking is choosing frames.

mod header;
mod info;

pub(super) use header::Header;

use super::wav::track;
use super::{
    AudioFormat, Codec, Container, Contents, Finding, Input, MAX_PACKETS, Packet, PacketFlags,
};
use crate::media::MediaError;

/// Samples that every decoder is late by, over what the encoder declares.
const DECODER_DELAY: u64 = 529;
/// The first frame must begin within so many bytes.
const SEARCH: u64 = 1024 * 1024;
/// Bytes that are looked at together while a frame is searched.
const WINDOW: u64 = 64 * 1024;

/// Takes the file apart; its first frame is at byte `start` or after.
pub(super) fn read(input: &mut Input, start: u64) -> Result<Contents, MediaError> {
    let end = without_tags(input)?;
    read_range(input, start, end)
}

/// The frames between `start` and `end`.
pub(super) fn read_range(input: &mut Input, start: u64, end: u64) -> Result<Contents, MediaError> {
    let none = || MediaError::Invalid("no frame of MPEG audio is to be found".into());
    let Some((mut at, first)) = next_frame(input, start, end.min(start + SEARCH), None)? else {
        return Err(none());
    };
    let mut findings = Vec::new();
    let head = input.available(at, 4096)?;
    let declared = info::read(&first, head);
    if declared.is_some() {
        at += u64::from(first.size);
    }
    let mut packets: Vec<Packet> = Vec::new();
    let mut time = 0_i64;
    while at < end {
        let bytes: [u8; 4] = match input.available(at, 4)?.try_into() {
            Ok(bytes) => bytes,
            Err(_) => break,
        };
        let header = Header::read(bytes).filter(|header| header.is_like(&first));
        let Some(header) = header else {
            match next_frame(input, at + 1, end, Some(&first))? {
                Some((next, _)) => {
                    if findings.len() < 100 {
                        findings.push(Finding::Damaged {
                            at: super::Clock::hertz(first.rate).nanos(time),
                            what: format!("{} bytes that are no sound", next - at),
                        });
                    }
                    at = next;
                    continue;
                }
                None => break,
            }
        };
        let whole = at + u64::from(header.size) <= end;
        if !whole {
            findings.push(Finding::Truncated);
            break;
        }
        if packets.len() >= MAX_PACKETS {
            return Err(MediaError::Limit(format!(
                "more than {MAX_PACKETS} packets"
            )));
        }
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
            duration: header.samples,
        });
        time += i64::from(header.samples);
        at += u64::from(header.size);
    }
    if packets.is_empty() {
        return Err(none());
    }
    let codec = if first.layer == 3 {
        Codec::Mp3
    } else {
        Codec::Mp2
    };
    let format = AudioFormat {
        sample_rate: first.rate,
        channels: first.channels,
        ..AudioFormat::default()
    };
    let mut track = track(codec, Vec::new(), format, packets, 0);
    if let Some((delay, padding)) = declared.flatten() {
        let lead = delay + DECODER_DELAY;
        track.lead = lead;
        track.tail = padding.saturating_sub(DECODER_DELAY);
        let shift = i64::try_from(lead).unwrap_or(0);
        for packet in &mut track.packets {
            packet.pts -= shift;
            packet.dts -= shift;
        }
    }
    Ok(Contents {
        container: Container::Mp3,
        tracks: vec![track],
        findings,
    })
}

/// The next place where a frame begins that another follows.
fn next_frame(
    input: &mut Input,
    from: u64,
    end: u64,
    like: Option<&Header>,
) -> Result<Option<(u64, Header)>, MediaError> {
    let mut at = from;
    while at < end {
        let bytes = input.available(at, WINDOW.min(end - at))?.to_vec();
        if bytes.len() < 4 {
            return Ok(None);
        }
        for (index, window) in bytes.windows(4).enumerate() {
            if window[0] != 0xff {
                continue;
            }
            let Some(header) = window.try_into().ok().and_then(Header::read) else {
                continue;
            };
            if like.is_some_and(|like| !header.is_like(like)) {
                continue;
            }
            let place = at + index as u64;
            let next = place + u64::from(header.size);
            let follows = input.available(next, 4)?;
            // The last frame of a file is followed by nothing.
            let is_frame = match follows.try_into() {
                Ok(bytes) => Header::read(bytes).is_some_and(|next| next.is_like(&header)),
                Err(_) => true,
            };
            if is_frame || next >= end {
                return Ok(Some((place, header)));
            }
        }
        at += (bytes.len() - 3) as u64;
    }
    Ok(None)
}

/// Where the sound ends: before `ID3v1`, APE and Lyrics tags.
fn without_tags(input: &mut Input) -> Result<u64, MediaError> {
    let mut end = input.length();
    for _ in 0..4 {
        if end >= 128 && input.available(end - 128, 3)? == b"TAG" {
            end -= 128;
        } else if end >= 32 && input.available(end - 32, 8)? == b"APETAGEX" {
            let footer = input.available(end - 32, 32)?;
            let size = super::riff::u32_at(footer, 12).map_or(0, u64::from);
            let has_header = footer.get(23).is_some_and(|flags| flags & 0x80 != 0);
            let size = size + if has_header { 32 } else { 0 };
            if size < 32 || size > end {
                break;
            }
            end -= size;
        } else {
            break;
        }
    }
    Ok(end)
}
