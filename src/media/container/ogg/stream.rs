//! One logical stream of an Ogg file: its packets, and where they lie in time.

use super::super::{
    Description, Extent, Input, MAX_PACKETS, Orientation, Packet, PacketFlags, Payload, Track,
    TrackKind,
};
use super::Page;
use super::codec::Mapping;
use crate::media::MediaError;

/// Header packets larger than this are damage.
const MAX_HEADER: usize = 16 * 1024 * 1024;
/// Bytes of a packet that its codec looks at.
const LOOK: u64 = 64;

/// A stream while its pages are read.
#[derive(Debug, Default)]
pub(super) struct Stream {
    mapping: Option<Mapping>,
    /// Why the stream is not read, by name.
    headers: Vec<Vec<u8>>,
    extents: Vec<Extent>,
    packets: Vec<Packet>,
    /// The packet that is not whole yet: its first extent and its bytes.
    open: Option<(usize, u64)>,
    /// Number of the last page.
    number: Option<u32>,
    /// Samples, or pictures, so far.
    time: i64,
    /// Whether a page has given the place of the first packets.
    is_placed: bool,
    lead: u64,
    tail: u64,
}

impl Stream {
    pub(super) fn has_packets(&self) -> bool {
        !self.packets.is_empty()
    }

    /// Where the stream is, in nanoseconds.
    pub(super) fn nanos(&self) -> i64 {
        self.mapping
            .as_ref()
            .map_or(0, |mapping| mapping.clock().nanos(self.time))
    }

    /// Whether a page is the next one of the stream: none between is lost.
    pub(super) fn follows(&self, page: &Page) -> bool {
        self.number
            .is_none_or(|number| page.number == number.wrapping_add(1))
    }

    /// Takes in one page.
    pub(super) fn page(&mut self, input: &mut Input, page: &Page) -> Result<(), MediaError> {
        self.number = Some(page.number);
        let first_new = self.packets.len();
        let begun = self.time;
        let mut at = page.body;
        if page.flags & Page::CONTINUED == 0 {
            // The rest of what was open is lost.
            if let Some((extent, _)) = self.open.take() {
                self.extents.truncate(extent);
            }
        }
        let mut is_lost = page.flags & Page::CONTINUED != 0 && self.open.is_none();
        let mut run = 0_u64;
        for &size in &page.segments {
            run += u64::from(size);
            if size == 255 {
                continue;
            }
            if is_lost {
                is_lost = false;
            } else {
                self.extend(at, run);
                self.close(input)?;
            }
            at += run;
            run = 0;
        }
        if run > 0 && !is_lost {
            self.extend(at, run);
        }
        self.placed(page.granule, first_new, begun);
        Ok(())
    }

    fn extend(&mut self, offset: u64, size: u64) {
        let index = self.extents.len();
        let (first, bytes) = self.open.unwrap_or((index, 0));
        self.extents.push(Extent {
            offset,
            size: u32::try_from(size).unwrap_or(0),
        });
        self.open = Some((first, bytes + size));
    }

    /// A packet is whole.
    fn close(&mut self, input: &mut Input) -> Result<(), MediaError> {
        let Some((first, bytes)) = self.open.take() else {
            return Ok(());
        };
        let needs_headers = match &self.mapping {
            None => true,
            Some(mapping) => self.headers.len() < mapping.header_packets(),
        };
        if needs_headers {
            let mut header = Vec::new();
            for extent in self.extents.drain(first..) {
                if header.len() < MAX_HEADER {
                    input.append(extent.offset, u64::from(extent.size), &mut header)?;
                }
            }
            if self.mapping.is_none() {
                self.mapping = Some(Mapping::of(&header));
            }
            self.headers.push(header);
            if let Some(mapping) = &mut self.mapping
                && self.headers.len() == mapping.header_packets()
            {
                mapping.configure(&self.headers);
            }
            return Ok(());
        }
        // Of pictures or sound that are not read, the first packet shows that there are any.
        let is_listed = |mapping: &&mut Mapping| {
            mapping.is_read() || mapping.kind() != TrackKind::Other && self.packets.is_empty()
        };
        let Some(mapping) = self.mapping.as_mut().filter(is_listed) else {
            self.extents.truncate(first);
            return Ok(());
        };
        if self.packets.len() >= MAX_PACKETS {
            return Err(MediaError::Limit(format!(
                "more than {MAX_PACKETS} packets"
            )));
        }
        let start = self.extents.get(first).map_or(0, |extent| extent.offset);
        let size = self
            .extents
            .get(first)
            .map_or(0, |extent| u64::from(extent.size));
        let head = input.available(start, size.min(LOOK))?;
        let about = mapping.packet(head);
        self.packets.push(Packet {
            offset: first as u64,
            size: u32::try_from(bytes).unwrap_or(0),
            description: 0,
            flags: PacketFlags {
                is_sync: about.is_sync,
                is_repeat: bytes == 0,
                ..PacketFlags::default()
            },
            dts: self.time,
            pts: self.time,
            duration: about.duration,
        });
        self.time += i64::from(about.duration);
        Ok(())
    }

    /// A page's granule position gives where its last whole packet ends.
    fn placed(&mut self, granule: i64, first_new: usize, begun: i64) {
        let Some(mapping) = &self.mapping else { return };
        if granule < 0 || self.packets.len() == first_new || !mapping.is_sound() {
            return;
        }
        self.tail = 0;
        if !self.is_placed {
            self.is_placed = true;
            // A stream that begins later than its first packets last was cut out of another;
            // one that begins earlier has them trimmed.
            let offset = granule - self.time;
            if offset > 0 {
                self.shift(first_new, offset);
            } else if offset < 0 && begun == 0 {
                self.trim_first(first_new, offset.unsigned_abs());
            }
            return;
        }
        let offset = granule - self.time;
        if offset > 0 {
            self.shift(first_new, offset);
        } else {
            // At the end, what is beyond is padding; anywhere else it is made good by the next.
            self.tail = offset.unsigned_abs();
        }
    }

    fn shift(&mut self, from: usize, offset: i64) {
        for packet in self.packets.iter_mut().skip(from) {
            packet.pts += offset;
            packet.dts += offset;
        }
        self.time += offset;
    }

    /// Samples of the first page that are not heard: the lead, or the tail of a stream of one page.
    fn trim_first(&mut self, first_new: usize, samples: u64) {
        let is_opus = matches!(self.mapping, Some(Mapping::Opus { .. }));
        if is_opus {
            // Opus declares its lead; a short first page is the whole stream.
            self.tail = samples;
            return;
        }
        self.lead = samples;
        let offset = i64::try_from(samples).unwrap_or(0);
        self.shift(first_new, -offset);
    }

    /// The track, unless the kind of the stream is unknown.
    pub(super) fn finish(self, id: u64) -> Option<Track> {
        let mapping = self.mapping?;
        let described = mapping.describe(&self.headers)?;
        let preskip = mapping.preskip();
        let mut packets = self.packets;
        let shift = i64::try_from(preskip).unwrap_or(0);
        for packet in &mut packets {
            packet.pts -= shift;
            packet.dts -= shift;
        }
        Some(Track {
            id,
            kind: described.kind,
            is_enabled: true,
            is_default: true,
            language: None,
            clock: mapping.clock(),
            descriptions: vec![Description {
                codec: described.codec,
                config: described.config,
                encryption: None,
                detail: described.detail,
            }],
            packets: if described.kind == TrackKind::Other {
                Vec::new()
            } else {
                packets
            },
            payload: Payload::Scattered(self.extents),
            edits: None,
            lead: self.lead + preskip,
            tail: self.tail,
            orientation: Orientation::default(),
            alpha: Vec::new(),
            declared_rate: None,
        })
    }
}
