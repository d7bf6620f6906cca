//! RIFF AVI, `OpenDML`'s too. Chunks of the movie are walked one by one; indices are not needed.

mod sound;
mod stream;

use stream::Stream;

use super::riff::u32_at;
use super::{Container, Contents, Finding, Input, MAX_TRACKS};
use crate::media::MediaError;

/// Chunks that are looked at.
const MAX_CHUNKS: usize = 16_000_000;
/// Headers larger than this are damage.
const MAX_HEADER: u64 = 16 * 1024 * 1024;

/// Takes the file apart.
pub(super) fn read(input: &mut Input) -> Result<Contents, MediaError> {
    let length = input.length();
    let mut streams: Vec<Stream> = Vec::new();
    let mut findings = Vec::new();
    let mut at = 0;
    for _ in 0..MAX_CHUNKS {
        let head = input.available(at, 12)?;
        let Some(size) = u32_at(head, 4).map(u64::from) else {
            break;
        };
        let kind: [u8; 4] = head[..4].try_into().unwrap_or_default();
        let list: [u8; 4] = head
            .get(8..12)
            .and_then(|kind| kind.try_into().ok())
            .unwrap_or_default();
        let body = at + 8;
        match (&kind, &list) {
            // Their chunks are walked; a list that is cut short or has no size too.
            (b"RIFF", _) | (b"LIST", b"hdrl" | b"movi" | b"rec ") => {
                at = body + 4;
                continue;
            }
            (b"LIST", b"strl") => {
                if streams.len() >= MAX_TRACKS {
                    return Err(MediaError::Limit(format!("more than {MAX_TRACKS} tracks")));
                }
                let bytes = input.available(body + 4, size.saturating_sub(4).min(MAX_HEADER))?;
                streams.extend(Stream::read(bytes));
            }
            _ => {
                if let Some((number, name)) = numbered(kind)
                    && let Some(stream) = streams.get_mut(number)
                {
                    if body + size > length {
                        findings.push(Finding::Truncated);
                        break;
                    }
                    stream.chunk(name, body, size)?;
                } else if !is_text(kind) {
                    // Out of step: on to the next chunk of a stream.
                    let Some(next) = next_chunk(input, at + 1, streams.len())? else {
                        break;
                    };
                    if findings.len() < 100 {
                        findings.push(Finding::Damaged {
                            at: 0,
                            what: format!("{} bytes that are no chunk", next - at),
                        });
                    }
                    at = next;
                    continue;
                }
            }
        }
        at = body.saturating_add(size).saturating_add(size % 2);
        if at >= length {
            break;
        }
    }
    let mut tracks = Vec::new();
    for (stream, id) in streams.into_iter().zip(0..) {
        tracks.extend(stream.finish(input, id)?);
    }
    if tracks.is_empty() {
        return Err(MediaError::Invalid("it has no streams".into()));
    }
    Ok(Contents {
        container: Container::Avi,
        tracks,
        findings,
    })
}

/// The stream and kind of a movie chunk: two digits and two letters.
fn numbered(kind: [u8; 4]) -> Option<(usize, [u8; 2])> {
    let [tens, ones, a, b] = kind;
    let digit = |byte: u8| byte.is_ascii_digit().then(|| usize::from(byte - b'0'));
    Some((digit(tens)? * 10 + digit(ones)?, [a, b]))
}

fn is_text(kind: [u8; 4]) -> bool {
    kind.iter().all(|byte| (0x20..0x7f).contains(byte))
}

fn next_chunk(input: &mut Input, from: u64, streams: usize) -> Result<Option<u64>, MediaError> {
    const WINDOW: u64 = 64 * 1024;
    let mut at = from;
    loop {
        let bytes = input.available(at, WINDOW)?;
        if bytes.len() < 4 {
            return Ok(None);
        }
        let found = bytes.windows(4).position(|window| {
            let kind: [u8; 4] = window.try_into().unwrap_or_default();
            numbered(kind).is_some_and(|(number, name)| {
                number < streams && matches!(&name, b"dc" | b"db" | b"wb")
            })
        });
        if let Some(found) = found {
            return Ok(Some(at + found as u64));
        }
        at += (bytes.len() - 3) as u64;
    }
}
