//! Matroska and `WebM` (RFC 9559): the segment's elements are walked in order, and of clusters only
//! the blocks' headers are read, so that a long film costs no more than its number of blocks.

mod blocks;
mod chapters;
mod codec;
mod ebml;
mod entry;
mod lengths;

use blocks::Blocks;
use ebml::{child, children, header, text, unsigned};
use entry::Entry;

use super::{Clock, Container, Contents, Finding, Input, MAX_TRACKS};
use crate::media::MediaError;

const EBML: u32 = 0x1a45_dfa3;
const SEGMENT: u32 = 0x1853_8067;
const INFO: u32 = 0x1549_a966;
const TRACKS: u32 = 0x1654_ae6b;
const CLUSTER: u32 = 0x1f43_b675;
const SEEK_HEAD: u32 = 0x114d_9b74;
const CHAPTERS: u32 = 0x1043_a770;
/// Elements that lie in a segment beside those above: cues, tags, attachments.
const OTHERS: [u32; 3] = [0x1c53_bb6b, 0x1254_c367, 0x1941_a469];
/// Headers that are held as a whole may be this large.
const MAX_HEADER: u64 = 64 * 1024 * 1024;
/// The search for a cluster behind damage looks at this many bytes at a time.
const SEARCH: u64 = 64 * 1024;

pub(super) fn is_segment_child(id: u32) -> bool {
    [INFO, TRACKS, CLUSTER, SEEK_HEAD, CHAPTERS].contains(&id) || OTHERS.contains(&id)
}

/// Takes the file apart.
pub(super) fn read(input: &mut Input) -> Result<Contents, MediaError> {
    let invalid = |what: &str| MediaError::Invalid(what.to_owned());
    let head = header(input, 0)?
        .filter(|one| one.id == EBML)
        .ok_or_else(|| invalid("it has no EBML header"))?;
    let size = head.size.filter(|&size| size <= MAX_HEADER).unwrap_or(0);
    let kind = input.available(head.body, size)?.to_vec();
    if let Some(kind) = child(&kind, 0x4282).and_then(text)
        && !matches!(kind, "matroska" | "webm")
    {
        return Err(MediaError::Unsupported(format!(
            "EBML of the kind `{kind}`"
        )));
    }
    let mut at = head.body + size;
    let length = input.length();
    let segment = loop {
        let one = header(input, at)?.ok_or_else(|| invalid("it has no segment"))?;
        if one.id == SEGMENT {
            break one;
        }
        let end = one.end(length);
        if end <= at {
            return Err(invalid("it has no segment"));
        }
        at = end;
    };
    let end = segment.end(length);
    let mut reading = Reading {
        blocks: Blocks::default(),
        clock: Clock::hertz(1000),
        keeps_delay: false,
        has_tracks: false,
        ordered: None,
        findings: Vec::new(),
    };
    // Tracks that lie behind the clusters are found by the seek head.
    reading.look_ahead(input, segment.body, end)?;
    reading.walk(input, segment.body, end)?;
    if !reading.has_tracks {
        return Err(invalid("it has no tracks"));
    }
    if end < length && header(input, end)?.is_some_and(|one| one.id == EBML) {
        reading.another_file();
    }
    let is_cut = segment
        .size
        .is_some_and(|size| segment.body.saturating_add(size) > length);
    if is_cut && !reading.findings.contains(&Finding::Truncated) {
        reading.findings.push(Finding::Truncated);
    }
    let mut tracks = reading.blocks.finish();
    if let Some(ordered) = &reading.ordered {
        chapters::apply(ordered, &mut tracks);
    }
    Ok(Contents {
        container: Container::Matroska,
        tracks,
        findings: reading.findings,
    })
}

struct Reading {
    blocks: Blocks,
    clock: Clock,
    /// Times of blocks do not hold the codec's delay, although RFC 9559 §5.1.4.1.25 has them.
    keeps_delay: bool,
    has_tracks: bool,
    /// The chapters that play one behind another, instead of the whole.
    ordered: Option<Vec<chapters::Chapter>>,
    findings: Vec<Finding>,
}

impl Reading {
    /// Reads `Info` and `Tracks` wherever they lie, before any cluster.
    fn look_ahead(&mut self, input: &mut Input, start: u64, end: u64) -> Result<(), MediaError> {
        let mut at = start;
        let mut later = Vec::new();
        while at < end
            && let Some(one) = header(input, at)?
        {
            match one.id {
                SEEK_HEAD => later.extend(sought(&held(input, &one)?, start)),
                INFO => self.info(&held(input, &one)?),
                TRACKS => self.tracks(&held(input, &one)?)?,
                CLUSTER => break,
                _ => {}
            }
            let next = one.end(end);
            if next <= at || one.size.is_none() {
                break;
            }
            at = next;
        }
        for at in later {
            let Some(one) = header(input, at)? else {
                continue;
            };
            match one.id {
                INFO => self.info(&held(input, &one)?),
                TRACKS if !self.has_tracks => self.tracks(&held(input, &one)?)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn info(&mut self, body: &[u8]) {
        if let Some(scale) = child(body, 0x002a_d7b1).and_then(unsigned)
            && scale > 0
        {
            self.clock = Clock {
                ticks: 1_000_000_000,
                seconds: scale,
            };
        }
        self.keeps_delay = child(body, 0x4d80).and_then(text).is_some_and(keeps_delay);
    }

    fn tracks(&mut self, body: &[u8]) -> Result<(), MediaError> {
        if self.has_tracks {
            return Ok(());
        }
        let entries: Vec<Entry> = children(body)
            .filter(|(id, _)| *id == 0xae)
            .take(MAX_TRACKS)
            .filter_map(|(_, entry)| entry::read(entry, self.clock))
            .collect();
        self.has_tracks = !entries.is_empty();
        self.blocks = Blocks::new(entries, self.clock, self.keeps_delay);
        Ok(())
    }

    fn walk(&mut self, input: &mut Input, start: u64, end: u64) -> Result<(), MediaError> {
        let mut at = start;
        while at < end {
            let one = header(input, at)?;
            if one.as_ref().is_some_and(|one| one.id == EBML) {
                self.another_file();
                return Ok(());
            }
            let one = one.filter(|one| is_segment_child(one.id) || matches!(one.id, 0xec | 0xbf));
            let Some(one) = one else {
                match next_cluster(input, at + 1, end)? {
                    Some(next) => {
                        self.damaged("bytes that are no element");
                        at = next;
                        continue;
                    }
                    None if at + 4 < end && self.blocks.is_empty() => {
                        return Err(MediaError::Invalid(
                            "its clusters are not to be found".into(),
                        ));
                    }
                    None => {
                        // Rubbish behind the last cluster costs nothing.
                        return Ok(());
                    }
                }
            };
            at = match one.id {
                TRACKS if !self.has_tracks => {
                    self.tracks(&held(input, &one)?)?;
                    one.end(end)
                }
                CHAPTERS => {
                    if self.ordered.is_none() {
                        self.ordered = chapters::ordered(&held(input, &one)?)?;
                    }
                    one.end(end).max(at + 1)
                }
                CLUSTER => {
                    let is_cut = one
                        .size
                        .is_some_and(|size| one.body + size > input.length());
                    let cluster = self.blocks.cluster(input, &one, end)?;
                    if is_cut {
                        self.findings.push(Finding::Truncated);
                        return Ok(());
                    }
                    if let Some(what) = cluster.damage {
                        self.damaged(what);
                    }
                    cluster.end.max(at + 1)
                }
                _ if one.size.is_none() => next_cluster(input, one.body, end)?.unwrap_or(end),
                _ => one.end(end).max(at + 1),
            };
        }
        Ok(())
    }

    fn another_file(&mut self) {
        self.damaged("another file is joined behind it, and left out");
    }

    fn damaged(&mut self, what: &str) {
        // A file of rubbish must not become a list of it.
        if self.findings.len() < 100 {
            self.findings.push(Finding::Damaged {
                at: self.blocks.newest(),
                what: what.to_owned(),
            });
        }
    }
}

/// Whether a muxer is known to leave the codec's delay out of the times of blocks: libavformat, seen
/// up to version 59.
fn keeps_delay(muxer: &str) -> bool {
    muxer
        .strip_prefix("Lavf")
        .and_then(|version| version.split('.').next())
        .and_then(|major| major.parse().ok())
        .is_some_and(|major: u32| major <= 59)
}

/// Body of an element that is held as a whole; cut off where it is unreasonable or the file ends.
fn held(input: &mut Input, one: &ebml::Element) -> Result<Vec<u8>, MediaError> {
    let size = one.size.unwrap_or(0).min(MAX_HEADER);
    Ok(input.available(one.body, size)?.to_vec())
}

/// Where information and tracks lie according to a seek head.
fn sought(body: &[u8], start: u64) -> Vec<u64> {
    children(body)
        .filter(|(id, _)| *id == 0x4dbb)
        .filter_map(|(_, seek)| {
            let id = child(seek, 0x53ab).and_then(unsigned)?;
            let wanted = [u64::from(INFO), u64::from(TRACKS)].contains(&id);
            let position = child(seek, 0x53ac).and_then(unsigned)?;
            wanted.then(|| start.saturating_add(position))
        })
        .take(8)
        .collect()
}

/// The next place where a cluster's id stands.
fn next_cluster(input: &mut Input, from: u64, end: u64) -> Result<Option<u64>, MediaError> {
    let id = CLUSTER.to_be_bytes();
    let mut at = from;
    while at < end {
        let bytes = input.available(at, SEARCH.min(end - at))?;
        if bytes.len() < id.len() {
            return Ok(None);
        }
        if let Some(found) = bytes.windows(id.len()).position(|window| window == id) {
            return Ok(Some(at + found as u64));
        }
        at += (bytes.len() - (id.len() - 1)) as u64;
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
