//! MPEG program streams (ISO 11172-1, 13818-1), DVD's among them.

use std::collections::BTreeMap;

use super::pes::{ProgramClock, Stream, header};
use super::{Codec, Container, Contents, Finding, Input, MAX_TRACKS, Track, TrackKind};
use crate::media::MediaError;

/// Bytes that are searched for a start code together.
const WINDOW: u64 = 64 * 1024;
/// Private stream 1, whose sub-streams are numbered by their first byte.
const PRIVATE: u8 = 0xbd;

/// Takes the file apart.
pub(super) fn read(input: &mut Input) -> Result<Contents, MediaError> {
    let length = input.length();
    let mut streams: BTreeMap<u16, Stream> = BTreeMap::new();
    let mut clock = ProgramClock::default();
    let mut findings = Vec::new();
    let mut at = 0;
    while at + 6 <= length {
        let head = input.available(at, 64)?;
        let &[0, 0, 1, id, ..] = head else {
            let Some(next) = next_code(input, at + 1)? else {
                break;
            };
            if findings.len() < 100 && next > at + 64 {
                findings.push(Finding::Damaged {
                    at: 0,
                    what: format!("{} bytes that are no packet", next - at),
                });
            }
            at = next;
            continue;
        };
        match id {
            0xb9 => {
                at += 4;
                continue;
            }
            0xba => {
                at += pack_header(head);
                continue;
            }
            _ => {}
        }
        if id < 0xbb {
            at += 4;
            continue;
        }
        let Some((id, times, size, left)) = header(head) else {
            break;
        };
        let Some(left) = left else {
            // Only transport streams may leave a length out.
            at += 4;
            continue;
        };
        let body = at + size as u64;
        let end = body + left as u64;
        if end > length {
            findings.push(Finding::Truncated);
            break;
        }
        let is_media = matches!(id, 0xc0..=0xef | PRIVATE);
        if is_media && left > 0 {
            let bytes = input.available(body, left as u64)?.to_vec();
            let (key, skip) = sub_stream(id, &bytes);
            if let Some(key) = key {
                if streams.len() >= MAX_TRACKS {
                    return Err(MediaError::Limit(format!("more than {MAX_TRACKS} tracks")));
                }
                let stream = streams
                    .entry(key)
                    .or_insert_with(|| Stream::new(u64::from(key), codec(key, &bytes)));
                if times.pts.is_some() {
                    stream.begin(times, &mut clock)?;
                }
                if let Some(rest) = bytes.get(skip..) {
                    stream.add(body + skip as u64, rest);
                }
            }
        }
        at = end;
    }
    let mut tracks: Vec<Track> = Vec::new();
    for (_, mut stream) in streams {
        stream.finish(&mut clock)?;
        tracks.push(stream.into_track());
    }
    tracks.sort_by_key(|track| track.kind != TrackKind::Video);
    Ok(Contents {
        container: Container::MpegPs,
        tracks,
        findings,
    })
}

/// Bytes of a pack header.
fn pack_header(head: &[u8]) -> u64 {
    match head.get(4) {
        Some(byte) if byte & 0xc0 == 0x40 => {
            14 + head.get(13).map_or(0, |stuffing| u64::from(stuffing & 7))
        }
        _ => 12,
    }
}

fn next_code(input: &mut Input, from: u64) -> Result<Option<u64>, MediaError> {
    let mut at = from;
    loop {
        let bytes = input.available(at, WINDOW)?;
        if bytes.len() < 4 {
            return Ok(None);
        }
        let found = bytes
            .windows(4)
            .position(|window| window.starts_with(&[0, 0, 1]) && window[3] >= 0xb9);
        if let Some(found) = found {
            return Ok(Some(at + found as u64));
        }
        at += (bytes.len() - 3) as u64;
    }
}

/// Which stream a packet's bytes belong to, and how many of them are its private header.
fn sub_stream(id: u8, bytes: &[u8]) -> (Option<u16>, usize) {
    if id != PRIVATE {
        return (Some(u16::from(id)), 0);
    }
    match bytes.first() {
        // Number of frames and where the first one begins.
        Some(&sub @ (0x80..=0x8f | 0xc0..=0xcf)) => (Some(u16::from_be_bytes([id, sub])), 4),
        Some(&sub @ 0xa0..=0xa7) => (Some(u16::from_be_bytes([id, sub])), 7),
        // AC-3 without a private header.
        Some(0x0b) => (Some(u16::from_be_bytes([id, 0x80])), 0),
        _ => (None, 0),
    }
}

fn codec(key: u16, bytes: &[u8]) -> Codec {
    let [high, low] = key.to_be_bytes();
    match (high, low) {
        (PRIVATE, 0x80..=0x87 | 0xc0..=0xcf) => Codec::Ac3,
        (PRIVATE, 0x88..=0x8f) => Codec::Other("DTS".into()),
        (PRIVATE, _) => Codec::Other("LPCM of a DVD".into()),
        (_, 0xc0..=0xdf) => Codec::Mp2,
        _ => picture_codec(bytes),
    }
}

/// Program streams seldom state what their pictures are; their first start codes do.
fn picture_codec(bytes: &[u8]) -> Codec {
    let codes: Vec<u8> = bytes
        .windows(4)
        .filter(|window| window.starts_with(&[0, 0, 1]))
        .map(|window| window[3])
        .take(4)
        .collect();
    match codes.first() {
        Some(0xb0 | 0xb5 | 0x20..=0x2f | 0xb6) => Codec::Mpeg4,
        Some(0x09 | 0x67 | 0x47 | 0x06) => Codec::H264ByteStream,
        Some(0x40 | 0x42 | 0x44 | 0x46) => Codec::H265ByteStream,
        _ => Codec::Mpeg2Video,
    }
}
