//! Movie fragments (ISO 14496-12 §8.8): samples that lie behind the movie's own.

use std::collections::BTreeMap;

use super::fields::{Fields, boxes, find};
use super::movie::Traced;
use super::samples::{Frames, push};
use crate::media::MediaError;
use crate::media::container::{MAX_PACKETS, Packet, PacketFlags};

/// Defaults of a track's fragments (`trex`).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Defaults {
    description: u32,
    duration: u32,
    size: u32,
    flags: u32,
}

/// Set in a sample's flags when decoding cannot begin at it (`sample_is_non_sync_sample`).
const NON_SYNC: u32 = 0x0001_0000;

/// Defaults by track.
pub(super) fn defaults(moov: &[u8]) -> BTreeMap<u32, Defaults> {
    let mut by_track = BTreeMap::new();
    let Some(mvex) = find(moov, b"mvex") else {
        return by_track;
    };
    for trex in boxes(mvex).filter(|one| one.kind == *b"trex") {
        let mut fields = Fields::new(trex.body);
        let mut read = || {
            fields.full()?;
            let track = fields.u32()?;
            let defaults = Defaults {
                description: fields.u32()?,
                duration: fields.u32()?,
                size: fields.u32()?,
                flags: fields.u32()?,
            };
            Some((track, defaults))
        };
        if let Some((track, defaults)) = read() {
            by_track.insert(track, defaults);
        }
    }
    by_track
}

/// Adds the samples of one `moof`, which begins at `start` in the file, to its tracks.
///
/// # Errors
/// [`MediaError::Limit`] for more packets than are read.
pub(super) fn add(
    moof: &[u8],
    start: u64,
    defaults: &BTreeMap<u32, Defaults>,
    file_length: u64,
    tracks: &mut [Traced],
) -> Result<(), MediaError> {
    // Where the next run begins if the file does not state it: behind the one before.
    let mut behind = start;
    for traf in boxes(moof).filter(|one| one.kind == *b"traf") {
        let header = find(traf.body, b"tfhd").and_then(|body| head(body, start, behind, defaults));
        let Some(header) = header else { continue };
        let decode_time = find(traf.body, b"tfdt").and_then(|body| {
            let mut fields = Fields::new(body);
            let (version, _) = fields.full()?;
            i64::try_from(fields.sized(version)?).ok()
        });
        let Some(traced) = tracks.iter_mut().find(|one| one.id == header.track) else {
            continue;
        };
        let packets = &mut traced.track.packets;
        let last = packets.last();
        let mut dts = decode_time.unwrap_or_else(|| {
            last.map_or(0, |last| last.dts.saturating_add(i64::from(last.duration)))
        });
        let mut offset = header.base;
        for trun in boxes(traf.body).filter(|one| one.kind == *b"trun") {
            let added = run(
                trun.body,
                &header,
                &traced.frames,
                &mut offset,
                &mut dts,
                file_length,
            );
            for packet in added.unwrap_or_default() {
                push(packets, packet)?;
            }
        }
        behind = offset;
    }
    Ok(())
}

struct Head {
    track: u32,
    base: u64,
    defaults: Defaults,
}

fn head(body: &[u8], start: u64, behind: u64, defaults: &BTreeMap<u32, Defaults>) -> Option<Head> {
    let mut fields = Fields::new(body);
    let (_, flags) = fields.full()?;
    let track = fields.u32()?;
    let has = |bit: u32| flags & bit != 0;
    let mut own = defaults.get(&track).copied().unwrap_or_default();
    let mut base = if has(0x02_0000) { start } else { behind };
    if has(0x01) {
        base = fields.u64()?;
    }
    if has(0x02) {
        own.description = fields.u32()?;
    }
    if has(0x08) {
        own.duration = fields.u32()?;
    }
    if has(0x10) {
        own.size = fields.u32()?;
    }
    if has(0x20) {
        own.flags = fields.u32()?;
    }
    Some(Head {
        track,
        base,
        defaults: own,
    })
}

fn run(
    body: &[u8],
    head: &Head,
    frames: &[Option<Frames>],
    offset: &mut u64,
    dts: &mut i64,
    file_length: u64,
) -> Option<Vec<Packet>> {
    let mut fields = Fields::new(body);
    let (_, flags) = fields.full()?;
    let count = fields.u32()?;
    let has = |bit: u32| flags & bit != 0;
    if has(0x01) {
        *offset = head.base.checked_add_signed(i64::from(fields.i32()?))?;
    }
    let first_flags = if has(0x04) { Some(fields.u32()?) } else { None };
    let each = [0x100, 0x200, 0x400, 0x800].map(|bit| usize::from(has(bit)) * 4);
    let bytes: usize = each.iter().sum();
    let described = fields.rest().len().checked_div(bytes).unwrap_or(usize::MAX);
    // Without a field for each sample only the file's length bounds them; their bytes do below.
    let count = usize::try_from(count).unwrap_or(usize::MAX).min(described);
    let description = u16::try_from(head.defaults.description.saturating_sub(1)).unwrap_or(0);
    let unit = frames.get(usize::from(description)).copied().flatten();
    let mut packets: Vec<Packet> = Vec::new();
    for index in 0..count {
        let duration = if has(0x100) {
            fields.u32()?
        } else {
            head.defaults.duration
        };
        let size = if has(0x200) {
            fields.u32()?
        } else {
            head.defaults.size
        };
        let own_flags = if has(0x400) {
            fields.u32()?
        } else {
            head.defaults.flags
        };
        let shift = if has(0x800) { fields.i32()? } else { 0 };
        let sample_flags = match first_flags {
            Some(flags) if index == 0 => flags,
            _ => own_flags,
        };
        if packets.len() >= MAX_PACKETS {
            break;
        }
        // Beyond the file there is nothing, and a claim of empty samples has no end.
        if *offset > file_length || (bytes == 0 && size == 0 && index > 0) {
            break;
        }
        let packet = Packet {
            offset: *offset,
            size,
            description,
            flags: PacketFlags {
                is_sync: sample_flags & NON_SYNC == 0,
                is_repeat: size == 0,
                ..PacketFlags::default()
            },
            dts: *dts,
            pts: dts.saturating_add(i64::from(shift)),
            duration,
        };
        match (unit, packets.last_mut()) {
            // Single frames of uncompressed sound join the packet before.
            (Some(unit), Some(last))
                if last.size < 4096 * unit.bytes
                    && last.offset + u64::from(last.size) == packet.offset =>
            {
                let last: &mut Packet = last;
                last.size += packet.size;
                last.duration = last.duration.saturating_add(packet.duration);
            }
            _ => packets.push(packet),
        }
        *offset = offset.saturating_add(u64::from(size));
        *dts = dts.saturating_add(i64::from(duration));
    }
    Some(packets)
}
