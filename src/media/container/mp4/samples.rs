//! Sample tables (ISO 14496-12 §8.6 and §8.7) to packets. Tables that disagree give as many samples
//! as all of them describe.

use super::fields::{Fields, find};
use crate::media::MediaError;
use crate::media::container::{MAX_PACKETS, Packet, PacketFlags};

/// Frames of uncompressed sound that make one packet.
const FRAMES_A_PACKET: u32 = 4096;

/// How uncompressed sound is cut into packets: its samples are single frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frames {
    /// Bytes of one unit.
    pub(super) bytes: u32,
    /// Samples of one unit, in ticks.
    pub(super) ticks: u32,
}

/// Numbers that hold for runs of samples.
struct Runs<'a> {
    fields: Fields<'a>,
    left: u32,
    value: u32,
}

impl<'a> Runs<'a> {
    fn new(body: Option<&'a [u8]>) -> Self {
        let mut fields = Fields::new(body.unwrap_or_default());
        // Version, flags, count: the table ends with its bytes.
        let _ = fields.skip(8);
        Self {
            fields,
            left: 0,
            value: 0,
        }
    }

    fn next(&mut self) -> Option<u32> {
        while self.left == 0 {
            self.left = self.fields.u32()?;
            self.value = self.fields.u32()?;
        }
        self.left -= 1;
        Some(self.value)
    }
}

/// Sizes of samples.
enum Sizes<'a> {
    Same {
        size: u32,
        left: u32,
    },
    Each(Fields<'a>),
    Compact {
        bytes: &'a [u8],
        bits: u8,
        at: usize,
    },
}

impl<'a> Sizes<'a> {
    fn new(stbl: &'a [u8]) -> Option<Self> {
        if let Some(body) = find(stbl, b"stsz") {
            let mut fields = Fields::new(body);
            fields.full()?;
            let size = fields.u32()?;
            let count = fields.u32()?;
            return Some(if size > 0 {
                Self::Same { size, left: count }
            } else {
                let bytes = usize::try_from(count)
                    .unwrap_or(usize::MAX)
                    .saturating_mul(4);
                let rest = fields.rest();
                Self::Each(Fields::new(&rest[..bytes.min(rest.len())]))
            });
        }
        let mut fields = Fields::new(find(stbl, b"stz2")?);
        fields.full()?;
        let bits = fields.u32()?.to_be_bytes()[3];
        fields.u32()?;
        matches!(bits, 4 | 8 | 16).then(|| Self::Compact {
            bytes: fields.rest(),
            bits,
            at: 0,
        })
    }

    fn next(&mut self) -> Option<u32> {
        match self {
            Self::Same { size, left } => {
                *left = left.checked_sub(1)?;
                Some(*size)
            }
            Self::Each(fields) => fields.u32(),
            Self::Compact { bytes, bits, at } => {
                let index = *at;
                *at += 1;
                match bits {
                    4 => {
                        let byte = *bytes.get(index / 2)?;
                        Some(u32::from(if index % 2 == 0 {
                            byte >> 4
                        } else {
                            byte & 15
                        }))
                    }
                    8 => bytes.get(index).map(|&byte| u32::from(byte)),
                    _ => {
                        let pair = bytes.get(index * 2..index * 2 + 2)?;
                        Some(u32::from(u16::from_be_bytes(pair.try_into().ok()?)))
                    }
                }
            }
        }
    }
}

/// Chunks of samples: where each begins, how many samples it has, which description.
struct Chunks<'a> {
    offsets: Fields<'a>,
    is_wide: bool,
    runs: Fields<'a>,
    /// First chunk, samples a chunk, description of the run that comes next.
    next_run: Option<(u32, u32, u32)>,
    number: u32,
    samples: u32,
    description: u32,
}

impl<'a> Chunks<'a> {
    fn new(stbl: &'a [u8]) -> Option<Self> {
        let (body, is_wide) = match find(stbl, b"stco") {
            Some(body) => (body, false),
            None => (find(stbl, b"co64")?, true),
        };
        let mut offsets = Fields::new(body);
        offsets.skip(8)?;
        let mut runs = Fields::new(find(stbl, b"stsc")?);
        runs.skip(8)?;
        let mut chunks = Self {
            offsets,
            is_wide,
            runs,
            next_run: None,
            number: 0,
            samples: 1,
            description: 1,
        };
        chunks.next_run = chunks.run();
        Some(chunks)
    }

    fn run(&mut self) -> Option<(u32, u32, u32)> {
        Some((self.runs.u32()?, self.runs.u32()?, self.runs.u32()?))
    }

    /// Offset, samples and description (from 0) of the next chunk.
    fn next(&mut self) -> Option<(u64, u32, u16)> {
        let offset = if self.is_wide {
            self.offsets.u64()?
        } else {
            u64::from(self.offsets.u32()?)
        };
        self.number += 1;
        while let Some((first, samples, description)) = self.next_run {
            if first > self.number {
                break;
            }
            (self.samples, self.description) = (samples, description);
            self.next_run = self.run();
        }
        let description = u16::try_from(self.description.saturating_sub(1)).unwrap_or(0);
        Some((offset, self.samples, description))
    }
}

/// The packets of a sample table. `frames` gives for each description whether its samples are
/// single frames of uncompressed sound, which are cut into larger packets. Of a chunk only what
/// lies within `file_length` is listed, so that a small file cannot claim many samples.
///
/// # Errors
/// [`MediaError::Limit`] for more packets than are read.
pub(super) fn packets(
    stbl: &[u8],
    frames: &[Option<Frames>],
    file_length: u64,
) -> Result<Vec<Packet>, MediaError> {
    let (Some(mut sizes), Some(mut chunks)) = (Sizes::new(stbl), Chunks::new(stbl)) else {
        return Ok(Vec::new());
    };
    let mut durations = Runs::new(find(stbl, b"stts"));
    let offsets_body = find(stbl, b"ctts");
    let mut offsets = offsets_body.map(|body| Runs::new(Some(body)));
    let mut sync = SyncTable::new(stbl);
    let mut packets = Vec::new();
    let (mut dts, mut number) = (0_i64, 0_u32);
    let mut duration = 0;
    'chunks: while let Some((start, samples, description)) = chunks.next() {
        let mut offset = start;
        if let Some(Some(unit)) = frames.get(usize::from(description)) {
            let mut left = samples;
            while left > 0 && offset < file_length {
                let count = left.min(FRAMES_A_PACKET / unit.ticks.max(1));
                let count = count.max(1);
                let size = count.saturating_mul(unit.bytes);
                let ticks = count.saturating_mul(unit.ticks);
                push(
                    &mut packets,
                    Packet {
                        offset,
                        size,
                        description,
                        flags: PacketFlags {
                            is_sync: true,
                            ..PacketFlags::default()
                        },
                        dts,
                        pts: dts,
                        duration: ticks,
                    },
                )?;
                offset = offset.saturating_add(u64::from(size));
                dts = dts.saturating_add(i64::from(ticks));
                left -= count;
            }
            continue;
        }
        for _ in 0..samples {
            let Some(size) = sizes.next() else {
                break 'chunks;
            };
            if offset > file_length {
                break 'chunks;
            }
            number = number.saturating_add(1);
            // Samples beyond the table of durations are as long as the last one in it.
            duration = durations.next().unwrap_or(duration);
            // Version 0 is unsigned by the letter, and signed in what writers make of it.
            let shift = match &mut offsets {
                Some(offsets) => offsets.next().unwrap_or(0).cast_signed(),
                None => 0,
            };
            push(
                &mut packets,
                Packet {
                    offset,
                    size,
                    description,
                    flags: PacketFlags {
                        is_sync: sync.is_sync(number),
                        is_repeat: size == 0,
                        ..PacketFlags::default()
                    },
                    dts,
                    pts: dts.saturating_add(i64::from(shift)),
                    duration,
                },
            )?;
            offset = offset.saturating_add(u64::from(size));
            dts = dts.saturating_add(i64::from(duration));
        }
    }
    Ok(packets)
}

/// Appends a packet unless there are too many.
pub(super) fn push(packets: &mut Vec<Packet>, packet: Packet) -> Result<(), MediaError> {
    if packets.len() >= MAX_PACKETS {
        return Err(MediaError::Limit(format!(
            "a track of more than {MAX_PACKETS} packets"
        )));
    }
    packets.push(packet);
    Ok(())
}

/// Which samples decoding can begin at; all, without a table.
struct SyncTable<'a> {
    full: Option<Numbers<'a>>,
    partial: Option<Numbers<'a>>,
}

struct Numbers<'a> {
    fields: Fields<'a>,
    next: Option<u32>,
}

impl<'a> Numbers<'a> {
    fn new(body: &'a [u8]) -> Self {
        let mut fields = Fields::new(body);
        let _ = fields.skip(8);
        let next = fields.u32();
        Self { fields, next }
    }

    fn has(&mut self, number: u32) -> bool {
        while self.next.is_some_and(|next| next < number) {
            self.next = self.fields.u32();
        }
        self.next == Some(number)
    }
}

impl<'a> SyncTable<'a> {
    fn new(stbl: &'a [u8]) -> Self {
        Self {
            full: find(stbl, b"stss").map(Numbers::new),
            // QuickTime: pictures that open a group others lean across.
            partial: find(stbl, b"stps").map(Numbers::new),
        }
    }

    fn is_sync(&mut self, number: u32) -> bool {
        let Some(full) = &mut self.full else {
            return true;
        };
        let is_full = full.has(number);
        let is_partial = self
            .partial
            .as_mut()
            .is_some_and(|partial| partial.has(number));
        is_full || is_partial
    }
}
