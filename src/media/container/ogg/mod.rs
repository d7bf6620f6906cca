//! Ogg (RFC 3533): pages are read one by one, their packets put together, and each codec gives how
//! long its packets last; granule positions give where they lie.

mod codec;
mod stream;

pub(super) use codec::{Mapping, opus_samples};

use std::collections::BTreeMap;

use stream::Stream;

use super::{Container, Contents, Finding, Input, MAX_TRACKS};
use crate::media::MediaError;

/// Bytes that are searched for a page together.
const WINDOW: u64 = 64 * 1024;

/// One page's header.
#[derive(Debug, Clone)]
struct Page {
    flags: u8,
    granule: i64,
    serial: u32,
    /// Its number among the pages of its stream.
    number: u32,
    /// First byte of its packets.
    body: u64,
    /// Lengths of its segments.
    segments: Vec<u8>,
}

impl Page {
    const CONTINUED: u8 = 1;
    const FIRST: u8 = 2;

    fn read(input: &mut Input, at: u64) -> Result<Option<Self>, MediaError> {
        let head = input.available(at, 27 + 255)?;
        let (Some(fixed), Some(b"OggS")) = (head.get(..27), head.get(..4)) else {
            return Ok(None);
        };
        let count = usize::from(fixed[26]);
        let Some(segments) = head.get(27..27 + count).filter(|_| fixed[4] == 0) else {
            return Ok(None);
        };
        let granule: [u8; 8] = fixed[6..14].try_into().unwrap_or_default();
        let serial: [u8; 4] = fixed[14..18].try_into().unwrap_or_default();
        let number: [u8; 4] = fixed[18..22].try_into().unwrap_or_default();
        Ok(Some(Self {
            flags: fixed[5],
            granule: i64::from_le_bytes(granule),
            serial: u32::from_le_bytes(serial),
            number: u32::from_le_bytes(number),
            body: at + 27 + count as u64,
            segments: segments.to_vec(),
        }))
    }

    fn end(&self) -> u64 {
        self.body
            + self
                .segments
                .iter()
                .map(|&size| u64::from(size))
                .sum::<u64>()
    }
}

/// Takes the file apart.
pub(super) fn read(input: &mut Input) -> Result<Contents, MediaError> {
    let length = input.length();
    let mut streams: BTreeMap<u32, Stream> = BTreeMap::new();
    let mut order: Vec<u32> = Vec::new();
    let mut findings = Vec::new();
    let (mut at, mut has_sound, mut is_chained) = (0, false, false);
    while at < length {
        let Some(page) = Page::read(input, at)? else {
            let Some(next) = next_page(input, at + 1)? else {
                break;
            };
            if findings.len() < 100 {
                findings.push(Finding::Damaged {
                    at: order
                        .first()
                        .and_then(|serial| streams.get(serial))
                        .map_or(0, Stream::nanos),
                    what: format!("{} bytes that are no page", next - at),
                });
            }
            at = next;
            continue;
        };
        // A page that no other follows, but that holds the beginning of one, lacks a part of itself.
        let end = page.end();
        let is_followed = end == length || input.available(end, 4)? == b"OggS";
        let within = if is_followed {
            None
        } else {
            next_page(input, at + 1)?.filter(|&next| next < end)
        };
        if let Some(next) = within {
            if findings.len() < 100 {
                findings.push(Finding::Damaged {
                    at: streams.get(&page.serial).map_or(0, Stream::nanos),
                    what: "a page lacks a part of itself".into(),
                });
            }
            at = next;
            continue;
        }
        if end > length {
            findings.push(Finding::Truncated);
            break;
        }
        at = end;
        if page.flags & Page::FIRST != 0 && !streams.contains_key(&page.serial) {
            if has_sound {
                // A second link of a chain.
                is_chained = true;
                continue;
            }
            if streams.len() >= MAX_TRACKS {
                return Err(MediaError::Limit(format!("more than {MAX_TRACKS} streams")));
            }
            streams.insert(page.serial, Stream::default());
            order.push(page.serial);
        }
        let Some(stream) = streams.get_mut(&page.serial) else {
            continue;
        };
        if !stream.follows(&page) && findings.len() < 100 {
            findings.push(Finding::Damaged {
                at: stream.nanos(),
                what: "pages are missing".into(),
            });
        }
        stream.page(input, &page)?;
        has_sound |= stream.has_packets();
    }
    if is_chained {
        findings.push(Finding::Damaged {
            at: order
                .first()
                .and_then(|serial| streams.get(serial))
                .map_or(0, Stream::nanos),
            what: "another stream is chained behind the first, and left out".into(),
        });
    }
    let tracks = order
        .iter()
        .filter_map(|serial| streams.remove(serial))
        .zip(1..)
        .filter_map(|(stream, id)| stream.finish(id))
        .collect();
    Ok(Contents {
        container: Container::Ogg,
        tracks,
        findings,
    })
}

fn next_page(input: &mut Input, from: u64) -> Result<Option<u64>, MediaError> {
    let mut at = from;
    loop {
        let bytes = input.available(at, WINDOW)?;
        if bytes.len() < 4 {
            return Ok(None);
        }
        if let Some(found) = bytes.windows(4).position(|window| window == b"OggS") {
            return Ok(Some(at + found as u64));
        }
        at += (bytes.len() - 3) as u64;
    }
}
