//! Program association and program map tables.

use super::super::Codec;
use super::super::pes::PRIVATE;

/// A table while its pieces come.
#[derive(Debug, Default)]
pub(super) struct Section {
    bytes: Vec<u8>,
    is_open: bool,
}

impl Section {
    /// Takes in a payload; the table, once it is whole.
    pub(super) fn add(&mut self, begins: bool, payload: &[u8]) -> Option<Vec<u8>> {
        let part = if begins {
            let pointer = usize::from(*payload.first()?);
            self.bytes.clear();
            self.is_open = true;
            payload.get(1 + pointer..)?
        } else {
            payload
        };
        if !self.is_open {
            return None;
        }
        self.bytes.extend_from_slice(part);
        let &[_, high, low, ..] = self.bytes.as_slice() else {
            return None;
        };
        let length = 3 + usize::from(u16::from_be_bytes([high & 0x0f, low]));
        if self.bytes.len() < length {
            return None;
        }
        self.is_open = false;
        self.bytes.truncate(length);
        Some(std::mem::take(&mut self.bytes))
    }
}

/// A table's body: behind its header, without its checksum.
fn body(table: &[u8], id: u8, header: usize) -> Option<&[u8]> {
    if table.first() != Some(&id) {
        return None;
    }
    table.get(header..table.len().checked_sub(4)?)
}

/// PIDs of the program maps that an association table lists.
pub(super) fn programs(table: &[u8]) -> Vec<u16> {
    body(table, 0, 8)
        .unwrap_or_default()
        .chunks_exact(4)
        .filter(|entry| entry[0] != 0 || entry[1] != 0)
        .map(|entry| u16::from_be_bytes([entry[2] & 0x1f, entry[3]]))
        .collect()
}

/// One stream of a program.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) pid: u16,
    pub(super) codec: Codec,
    pub(super) language: Option<String>,
}

/// The streams that a program map lists.
pub(super) fn program_map(table: &[u8]) -> Vec<Entry> {
    let mut entries = Vec::new();
    let Some(mut rest) = body(table, 2, 12).and_then(|body| {
        let size = u16::from_be_bytes([*table.get(10)? & 0x0f, *table.get(11)?]);
        body.get(usize::from(size)..)
    }) else {
        return entries;
    };
    while let &[kind, p1, p2, s1, s2, ref tail @ ..] = rest {
        let size = usize::from(u16::from_be_bytes([s1 & 0x0f, s2])).min(tail.len());
        let (descriptors, next) = tail.split_at(size);
        rest = next;
        let (mut language, mut registration, mut tags) = (None, None, Vec::new());
        let mut left = descriptors;
        while let &[tag, length, ref tail @ ..] = left {
            let (content, next) = tail.split_at(usize::from(length).min(tail.len()));
            left = next;
            tags.push(tag);
            match tag {
                0x05 => registration = content.first_chunk::<4>().copied(),
                0x0a => {
                    language = content
                        .get(..3)
                        .and_then(|code| std::str::from_utf8(code).ok())
                        .filter(|code| !code.trim_end_matches('\0').is_empty() && *code != "und")
                        .map(str::to_owned);
                }
                _ => {}
            }
        }
        entries.push(Entry {
            pid: u16::from_be_bytes([p1 & 0x1f, p2]),
            codec: codec(kind, registration, &tags),
            language,
        });
    }
    entries
}

fn codec(kind: u8, registration: Option<[u8; 4]>, tags: &[u8]) -> Codec {
    let other = |name: &str| Codec::Other(name.to_owned());
    match kind {
        0x01 | 0x02 => Codec::Mpeg2Video,
        0x10 => Codec::Mpeg4,
        0x1b => Codec::H264ByteStream,
        0x24 => Codec::H265ByteStream,
        // The layer is in the frames.
        0x03 | 0x04 => Codec::Mp2,
        0x0f => Codec::Aac,
        0x11 => other("AAC in LATM"),
        0x81 | 0xc1 => Codec::Ac3,
        0x84 | 0x87 | 0xc2 => Codec::Eac3,
        0x80 => other("HDMV LPCM"),
        0x82 | 0x85 | 0x86 | 0x8a => other("DTS"),
        0x83 => other("TrueHD"),
        0xea => other("video VC-1"),
        0xd1 => other("video Dirac"),
        0x06 => match (registration, tags) {
            (Some([b'A', b'C', b'-', b'3']), _) => Codec::Ac3,
            (Some([b'E', b'A', b'C', b'3']), _) => Codec::Eac3,
            (Some([b'O', b'p', b'u', b's']), _) => other("Opus in a transport stream"),
            (Some([b'H', b'E', b'V', b'C']), _) => Codec::H265ByteStream,
            (Some([b'A', b'V', b'0', b'1']), _) => other("video AV1 in a transport stream"),
            (_, tags) if tags.contains(&0x6a) => Codec::Ac3,
            (_, tags) if tags.contains(&0x7a) => Codec::Eac3,
            (_, tags) if tags.contains(&0x7b) => other("DTS"),
            _ => other(PRIVATE),
        },
        kind => Codec::Other(format!("data of the stream type {kind:#04x}")),
    }
}
