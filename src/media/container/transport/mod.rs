//! MPEG transport streams (ISO 13818-1): 188-byte packets, with a time stamp in front (M2TS) or
//! error correction behind them (204).

mod tables;

use std::collections::{BTreeMap, BTreeSet};

use tables::{Section, program_map, programs};

use super::pes::{PRIVATE, ProgramClock, Stream, header};
use super::sniff::transport_stride;
use super::{Codec, Container, Contents, Finding, Input, MAX_TRACKS, Track, TrackKind};
use crate::media::MediaError;

/// Packets that are read together.
const PACKETS: u64 = 1000;
const SYNC: u8 = 0x47;
const SIZE: usize = 188;

/// Takes the file apart.
pub(super) fn read(input: &mut Input) -> Result<Contents, MediaError> {
    let length = input.length();
    let head = input.available(0, 4096)?;
    let (stride, first) = transport_stride(head)
        .ok_or_else(|| MediaError::Invalid("it has no transport packets".into()))?;
    let mut reading = Reading::default();
    let mut at = first as u64;
    while at + SIZE as u64 <= length {
        let bytes = input.available(at, PACKETS * stride as u64)?.to_vec();
        let mut used = 0;
        while let Some(packet) = bytes.get(used..used + SIZE) {
            if packet[0] != SYNC {
                break;
            }
            reading.packet(packet, at + used as u64)?;
            used += stride;
        }
        if used > 0 {
            at += used as u64;
            continue;
        }
        // Out of step: on to the next place where two packets follow one another.
        let Some(next) = resync(&bytes[1..], stride) else {
            at += (bytes.len() - stride.min(bytes.len() - 1)) as u64;
            continue;
        };
        reading.damaged();
        at += 1 + next as u64;
    }
    reading.finish()
}

fn resync(bytes: &[u8], stride: usize) -> Option<usize> {
    (0..bytes.len().saturating_sub(stride))
        .find(|&at| bytes[at] == SYNC && bytes[at + stride] == SYNC)
}

#[derive(Default)]
struct Reading {
    /// Tables while they are put together.
    sections: BTreeMap<u16, Section>,
    /// PIDs of program maps.
    maps: Vec<u16>,
    /// The program that is read.
    chosen: Option<u16>,
    streams: BTreeMap<u16, Stream>,
    /// PIDs under which streams go on that had another when their program map was another.
    renamed: BTreeMap<u16, u16>,
    /// Maps of programs that are not read.
    others: BTreeSet<u16>,
    counters: BTreeMap<u16, u8>,
    clock: ProgramClock,
    findings: Vec<Finding>,
}

impl Reading {
    fn packet(&mut self, packet: &[u8], offset: u64) -> Result<(), MediaError> {
        let begins = packet[1] & 0x40 != 0;
        let pid = u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
        let (scrambling, control) = (packet[3] >> 6, packet[3] >> 4 & 3);
        if packet[1] & 0x80 != 0 || pid == 0x1fff {
            return Ok(());
        }
        let mut start = 4;
        let mut is_announced = false;
        if control & 2 != 0 {
            let size = usize::from(packet[4]);
            is_announced = size > 0 && packet[5] & 0x80 != 0;
            start += 1 + size;
        }
        let Some(payload) = packet
            .get(start..)
            .filter(|payload| control & 1 != 0 && !payload.is_empty())
        else {
            return Ok(());
        };
        let offset = offset + start as u64;
        if pid == 0 || self.maps.contains(&pid) {
            return self.table(pid, begins, payload);
        }
        let known = self.renamed.get(&pid).unwrap_or(&pid);
        let Some(stream) = self.streams.get_mut(known) else {
            return Ok(());
        };
        let counter = packet[3] & 15;
        if let Some(last) = self.counters.insert(pid, counter) {
            if last == counter && !is_announced {
                // A packet may be sent twice.
                return Ok(());
            }
            if (last + 1) & 15 != counter && !is_announced {
                stream.lost(&mut self.findings);
            }
        }
        if scrambling != 0 {
            stream
                .encryption
                .get_or_insert_with(|| "transport scrambling".to_owned());
        }
        if begins && scrambling == 0 {
            let Some((_, times, size, _)) = header(payload) else {
                return Ok(());
            };
            stream.begin(times, &mut self.clock)?;
            if let Some(rest) = payload.get(size..) {
                stream.recognise(rest);
                stream.add(offset + size as u64, rest);
            }
        } else if begins {
            // Enough for the track to exist, and be refused by name.
            stream.begin(super::pes::Times::default(), &mut self.clock)?;
        } else {
            stream.add(offset, payload);
        }
        Ok(())
    }

    fn table(&mut self, pid: u16, begins: bool, payload: &[u8]) -> Result<(), MediaError> {
        let section = self.sections.entry(pid).or_default();
        let Some(table) = section.add(begins, payload) else {
            return Ok(());
        };
        if pid == 0 {
            for map in programs(&table) {
                if self.maps.len() < MAX_TRACKS && !self.maps.contains(&map) {
                    self.maps.push(map);
                }
            }
            return Ok(());
        }
        let entries = program_map(&table);
        let is_useful = entries.iter().any(|entry| match &entry.codec {
            Codec::Other(name) => name == PRIVATE,
            _ => true,
        });
        // The first program that something of can be decoded.
        if self.chosen.is_none() && is_useful {
            self.chosen = Some(pid);
        }
        if self.chosen != Some(pid) {
            if is_useful {
                self.others.insert(pid);
            }
            return Ok(());
        }
        let listed: BTreeSet<u16> = entries.iter().map(|entry| entry.pid).collect();
        for entry in entries {
            if self.streams.len() >= MAX_TRACKS {
                return Err(MediaError::Limit(format!("more than {MAX_TRACKS} tracks")));
            }
            if self.streams.contains_key(&entry.pid) || self.renamed.contains_key(&entry.pid) {
                continue;
            }
            // A stream that is listed no longer goes on as a new one of its kind.
            let is_taken = |old: &u16| {
                let mut renamed = self.renamed.iter();
                listed.contains(old)
                    || renamed.any(|(new, taken)| taken == old && listed.contains(new))
            };
            let gone = self
                .streams
                .iter()
                .find(|&(old, stream)| stream.is_of(&entry.codec) && !is_taken(old));
            if let Some((&old, _)) = gone {
                self.renamed.insert(entry.pid, old);
                continue;
            }
            self.streams.entry(entry.pid).or_insert_with(|| {
                let mut stream = Stream::new(u64::from(entry.pid), entry.codec);
                stream.language = entry.language;
                stream
            });
        }
        Ok(())
    }

    fn damaged(&mut self) {
        if self.findings.len() < 100 {
            self.findings.push(Finding::Damaged {
                at: 0,
                what: "bytes between transport packets".into(),
            });
        }
    }

    fn finish(mut self) -> Result<Contents, MediaError> {
        let mut tracks: Vec<Track> = Vec::new();
        for (_, mut stream) in std::mem::take(&mut self.streams) {
            stream.finish(&mut self.clock)?;
            tracks.push(stream.into_track());
        }
        // Pictures first, as programs list them.
        tracks.sort_by_key(|track| match track.kind {
            TrackKind::Video => 0,
            TrackKind::Audio => 1,
            TrackKind::Other => 2,
        });
        if !self.others.is_empty() {
            let count = self.others.len();
            self.findings.push(Finding::Ignored(format!(
                "of its programs one plays, {count} more are not shown"
            )));
        }
        if self.maps.is_empty() {
            return Err(MediaError::Invalid("it has no program map".into()));
        }
        Ok(Contents {
            container: Container::MpegTs,
            tracks,
            findings: self.findings,
        })
    }
}
