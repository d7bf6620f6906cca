//! Clusters and the blocks in them as packets (RFC 9559 §10).

use super::super::{
    Addition, Clock, Codec, Detail, Input, MAX_PACKETS, Packet, PacketFlags, Payload, Track,
    TrackKind,
};
use super::ebml::{Element, header, number, signed, unsigned};
use super::entry::{Entry, extent};
use super::is_segment_child;
use super::lengths::{self, Laced, Lengths};
use crate::media::MediaError;

/// Bytes of a block that its header and lacing may take.
const HEAD: u64 = 4096;
/// Bytes of a packet that determine how long it lasts.
const LOOK: usize = 32;
/// Frames of one laced block.
const MAX_LACES: usize = 256;
/// Elements of one block group that are looked at.
const MAX_PARTS: usize = 64;

/// The tracks while their blocks are gathered.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    entries: Vec<Entry>,
    /// Of each entry.
    sounds: Vec<Option<Sound>>,
    clock: Option<Clock>,
    keeps_delay: bool,
    newest: i64,
    total: usize,
}

/// What is counted of a sound track while its blocks are gathered.
#[derive(Debug)]
struct Sound {
    lengths: Lengths,
    laced: Laced,
}

/// Result of walking one cluster.
pub(super) struct Walked {
    pub(super) end: u64,
    pub(super) damage: Option<&'static str>,
}

/// A block's place, and its properties from its group.
#[derive(Debug, Clone, Copy, Default)]
struct Block {
    body: u64,
    size: u64,
    is_simple: bool,
    /// Its group names a block that it leans on.
    leans: bool,
    duration: Option<u64>,
    /// Nanoseconds.
    discard: i64,
    alpha: Option<(u64, u64)>,
}

impl Blocks {
    /// `keeps_delay`: the writer did not add the codec's delay to the times of blocks.
    pub(super) fn new(entries: Vec<Entry>, clock: Clock, keeps_delay: bool) -> Self {
        let entries: Vec<Entry> = entries
            .into_iter()
            .map(|mut entry| {
                if is_fine(&entry) {
                    // Nanoseconds, so that the codec's delay is not rounded to the file's ticks.
                    entry.track.clock = Clock::hertz(1_000_000_000);
                }
                entry
            })
            .collect();
        let sounds = entries
            .iter()
            .map(|entry| {
                let lengths = Lengths::of(entry.track.descriptions.first()?)?;
                let laced = Laced::default();
                Some(Sound { lengths, laced })
            })
            .collect();
        Self {
            entries,
            sounds,
            clock: Some(clock),
            keeps_delay,
            newest: 0,
            total: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// Time of the newest block, in nanoseconds.
    pub(super) fn newest(&self) -> i64 {
        self.clock.map_or(0, |clock| clock.nanos(self.newest))
    }

    pub(super) fn finish(self) -> Vec<Track> {
        let tick = self.clock.map_or(0, |clock| clock.nanos(1));
        self.entries
            .into_iter()
            .zip(self.sounds)
            .map(|(mut entry, sound)| {
                if entry.track.kind == TrackKind::Audio {
                    entry.track.lead = samples(&entry.track, entry.codec_delay);
                }
                if let Some(sound) = sound {
                    lengths::count(&mut entry.track, &sound.laced, tick);
                }
                entry.track
            })
            .collect()
    }

    /// Walks a cluster, which ends at the latest at `limit`.
    pub(super) fn cluster(
        &mut self,
        input: &mut Input,
        cluster: &Element,
        limit: u64,
    ) -> Result<Walked, MediaError> {
        let end = cluster.end(limit);
        let mut time = 0_i64;
        let mut at = cluster.body;
        while at < end {
            let Some(one) = header(input, at)? else {
                return Ok(Walked {
                    end,
                    damage: (end - at > 4).then_some("bytes in a cluster that are no element"),
                });
            };
            // A cluster of unknown size ends where something begins that cannot lie in one.
            if cluster.size.is_none() && is_segment_child(one.id) {
                return Ok(Walked {
                    end: at,
                    damage: None,
                });
            }
            let (Some(size), next) = (one.size, one.end(end)) else {
                return Ok(Walked {
                    end,
                    damage: Some("an element in a cluster without a size"),
                });
            };
            match one.id {
                0xe7 => {
                    let body = input.available(one.body, size.min(8))?;
                    time = unsigned(body)
                        .and_then(|time| i64::try_from(time).ok())
                        .unwrap_or(time);
                }
                0xa3 => {
                    let block = Block {
                        body: one.body,
                        size,
                        is_simple: true,
                        ..Block::default()
                    };
                    self.block(input, time, &block, end)?;
                }
                0xa0 => {
                    let block = group(input, &one, next)?;
                    self.block(input, time, &block, end)?;
                }
                // Encrypted blocks and others are passed over with what else lies here.
                _ if !is_cluster_child(one.id) => {
                    return Ok(Walked {
                        end: at + 1,
                        damage: Some("bytes in a cluster that are no element"),
                    });
                }
                _ => {}
            }
            if next <= at {
                break;
            }
            at = next;
        }
        Ok(Walked { end, damage: None })
    }

    fn block(
        &mut self,
        input: &mut Input,
        cluster_time: i64,
        block: &Block,
        end: u64,
    ) -> Result<(), MediaError> {
        if block.body.saturating_add(block.size) > end {
            return Ok(());
        }
        let head = input.available(block.body, block.size.min(HEAD))?.to_vec();
        let Some((track, taken, _)) = number(&head, false) else {
            return Ok(());
        };
        let Some(&[high, low, flags]) = head.get(taken..taken + 3) else {
            return Ok(());
        };
        let time = cluster_time.saturating_add(i64::from(i16::from_be_bytes([high, low])));
        self.newest = time;
        let Some(file_clock) = self.clock else {
            return Ok(());
        };
        let Some(place) = self.entries.iter().position(|entry| entry.number == track) else {
            return Ok(());
        };
        let (Some(entry), Some(sound)) = (self.entries.get_mut(place), self.sounds.get_mut(place))
        else {
            return Ok(());
        };
        if entry.track.kind == TrackKind::Other {
            return Ok(());
        }
        let laces = (flags >> 1) & 3;
        let Some(frames) = frames(&head, taken + 3, laces, block) else {
            return Ok(());
        };
        let is_fine = is_fine(entry);
        let pts = if is_fine {
            let delay = match self.keeps_delay {
                true => 0,
                false => i64::try_from(entry.codec_delay).unwrap_or(0),
            };
            file_clock.nanos(time).saturating_sub(delay)
        } else {
            time
        };
        let flags = PacketFlags {
            is_sync: if block.is_simple {
                flags & 0x80 != 0
            } else {
                !block.leans
            },
            is_hidden: flags & 0x08 != 0,
            ..PacketFlags::default()
        };
        let count = frames.len() as u64;
        let whole = block.duration.map(|ticks| {
            let ticks = i64::try_from(ticks).unwrap_or(0);
            if is_fine {
                file_clock.nanos(ticks)
            } else {
                ticks
            }
        });
        let one = entry.default_duration.map(|nanos| {
            let nanos = i64::try_from(nanos).unwrap_or(0);
            if is_fine {
                nanos
            } else {
                file_clock.ticks_in(nanos)
            }
        });
        let step = whole
            .map(|whole| whole / i64::try_from(count).unwrap_or(1).max(1))
            .or(one)
            .unwrap_or(0);
        for (index, (offset, size)) in (0_i64..).zip(frames) {
            if self.total >= MAX_PACKETS {
                return Err(MediaError::Limit(format!(
                    "more than {MAX_PACKETS} packets"
                )));
            }
            self.total += 1;
            let Ok(size) = u32::try_from(size) else {
                continue;
            };
            let own = sound.as_mut().and_then(|sound| {
                if index > 0 {
                    sound.laced.push(entry.track.packets.len());
                }
                let begin = usize::try_from(offset.checked_sub(block.body)?).ok()?;
                let begun = head.get(begin..).unwrap_or_default();
                match &entry.track.payload {
                    Payload::Prefixed(prefix) => {
                        let begun = [prefix, &begun[..begun.len().min(LOOK)]].concat();
                        sound.lengths.nanos(&begun, u64::from(size))
                    }
                    _ => sound.lengths.nanos(begun, u64::from(size)),
                }
            });
            let pts = pts.saturating_add(index.saturating_mul(step));
            if let (Some((start, length)), Ok(packet)) =
                (block.alpha, u32::try_from(entry.track.packets.len()))
                && let Some(extent) = extent(start, length)
            {
                entry.track.alpha.push(Addition { packet, extent });
            }
            entry.track.packets.push(Packet {
                offset,
                size,
                description: 0,
                flags,
                dts: pts,
                pts,
                duration: own.unwrap_or(u32::try_from(step).unwrap_or(0)),
            });
        }
        // Padding is that of the last block; an earlier one's is followed by more sound.
        entry.track.tail = match u64::try_from(block.discard) {
            Ok(nanos) => samples(&entry.track, nanos),
            Err(_) => 0,
        };
        Ok(())
    }
}

fn is_cluster_child(id: u32) -> bool {
    // Timestamp, position, previous size, silent tracks, encrypted block, void, CRC-32.
    matches!(
        id,
        0xe7 | 0xa7 | 0xab | 0x5854 | 0xaf | 0xec | 0xbf | 0xa0 | 0xa3
    )
}

/// Whether a track's times are counted in nanoseconds rather than the file's ticks.
fn is_fine(entry: &Entry) -> bool {
    entry.track.kind == TrackKind::Audio
}

/// Nanoseconds in samples of a track's sound, rounded.
fn samples(track: &Track, nanos: u64) -> u64 {
    let Some(Detail::Audio(format)) = track.descriptions.first().map(|one| &one.detail) else {
        return 0;
    };
    let is_opus = track
        .descriptions
        .first()
        .is_some_and(|one| one.codec == Codec::Opus);
    // Opus always counts at 48 kHz, whatever rate its input had.
    let rate = if is_opus { 48_000 } else { format.sample_rate };
    let scaled = (u128::from(nanos) * u128::from(rate) + 500_000_000) / 1_000_000_000;
    u64::try_from(scaled).unwrap_or(0)
}

/// Reads a block group.
fn group(input: &mut Input, group: &Element, end: u64) -> Result<Block, MediaError> {
    let mut block = Block::default();
    let mut at = group.body;
    for _ in 0..MAX_PARTS {
        if at >= end {
            break;
        }
        let Some(one) = header(input, at)? else { break };
        let Some(size) = one.size else { break };
        match one.id {
            0xa1 => (block.body, block.size) = (one.body, size),
            0xfb => block.leans = true,
            0x9b => block.duration = unsigned(input.available(one.body, size.min(8))?),
            0x75a2 => {
                block.discard = signed(input.available(one.body, size.min(8))?).unwrap_or(0);
            }
            0x75a1 => block.alpha = alpha(input, &one, end)?,
            _ => {}
        }
        at = one.end(end).max(at + 1);
    }
    Ok(block)
}

/// The addition with id 1 of `BlockAdditions`: alpha, of VP8 and VP9.
fn alpha(
    input: &mut Input,
    additions: &Element,
    end: u64,
) -> Result<Option<(u64, u64)>, MediaError> {
    let mut at = additions.body;
    let end = additions.end(end);
    for _ in 0..MAX_PARTS {
        if at >= end {
            break;
        }
        let Some(more) = header(input, at)? else {
            break;
        };
        let more_end = more.end(end);
        if more.id == 0xa6 {
            let (mut id, mut place, mut inner) = (1, None, more.body);
            for _ in 0..MAX_PARTS {
                if inner >= more_end {
                    break;
                }
                let Some(one) = header(input, inner)? else {
                    break;
                };
                let Some(size) = one.size else { break };
                match one.id {
                    0xee => id = unsigned(input.available(one.body, size.min(8))?).unwrap_or(1),
                    0xa5 => place = Some((one.body, size)),
                    _ => {}
                }
                inner = one.end(more_end).max(inner + 1);
            }
            if id == 1 && place.is_some() {
                return Ok(place);
            }
        }
        at = more_end.max(at + 1);
    }
    Ok(None)
}

/// Offset and size of each frame of a block; `None` where its lacing is invalid.
fn frames(head: &[u8], at: usize, laces: u8, block: &Block) -> Option<Vec<(u64, u64)>> {
    let start = |taken: usize| block.body + taken as u64;
    if laces == 0 {
        return Some(vec![(start(at), block.size.checked_sub(at as u64)?)]);
    }
    let count = usize::from(*head.get(at)?) + 1;
    let mut at = at + 1;
    let mut sizes: Vec<u64> = Vec::with_capacity(count.min(MAX_LACES));
    match laces {
        // Xiph: bytes of 255 go on.
        1 => {
            for _ in 1..count {
                let mut size = 0;
                loop {
                    let byte = *head.get(at)?;
                    at += 1;
                    size += u64::from(byte);
                    if byte < 255 {
                        break;
                    }
                }
                sizes.push(size);
            }
        }
        // EBML: the first size, then differences, biased to be positive.
        3 => {
            let mut last = 0_i64;
            for index in 1..count {
                let (value, taken, _) = number(head.get(at..)?, false)?;
                let value = i64::try_from(value).ok()?;
                last = if index == 1 {
                    value
                } else {
                    let bias = (1_i64 << (7 * taken - 1)) - 1;
                    last.checked_add(value - bias)?
                };
                at += taken;
                sizes.push(u64::try_from(last).ok()?);
            }
        }
        // Fixed: all the same.
        _ => {
            let each = block.size.checked_sub(at as u64)? / count as u64;
            sizes = vec![each; count - 1];
        }
    }
    let known: u64 = sizes
        .iter()
        .try_fold(0_u64, |sum, &size| sum.checked_add(size))?;
    sizes.push(block.size.checked_sub(at as u64)?.checked_sub(known)?);
    let mut offset = start(at);
    Some(
        sizes
            .into_iter()
            .map(|size| {
                let frame = (offset, size);
                offset += size;
                frame
            })
            .collect(),
    )
}
