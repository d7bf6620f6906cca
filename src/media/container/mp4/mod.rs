//! ISO base media and `QuickTime` files (ISO 14496-12, `QuickTime` File Format): boxes are walked
//! one by one, and one that is odd or missing costs only its own contents.

mod esds;
mod fields;
mod fragments;
mod gapless;
pub(super) mod layout;
mod movie;
mod pictures;
mod protection;
mod samples;
mod sounds;

use fields::{Fields, boxes, find};
use movie::Traced;

use super::ogg::opus_samples;
use super::{Clock, Container, Contents, Finding, Input, MAX_TRACKS, Track, TrackKind};
use crate::media::MediaError;

/// A `QuickTime` sample description outside of its container (Matroska's `V_QUICKTIME`): codec,
/// configuration, depth and whether it has alpha.
pub(super) fn picture_entry(
    kind: [u8; 4],
    body: &[u8],
) -> Option<(super::Codec, Vec<u8>, u16, bool)> {
    let one = pictures::description(kind, body)?;
    let super::Detail::Video(format) = one.detail else {
        return None;
    };
    Some((one.codec, one.config, format.depth, format.has_alpha))
}

/// Top-level boxes that are looked at; more is damage or malice.
const MAX_BOXES: usize = 4_000_000;
/// Movie boxes larger than this are refused.
const MAX_MOOV: u64 = 256 * 1024 * 1024;

/// Takes the file apart.
pub(super) fn read(input: &mut Input) -> Result<Contents, MediaError> {
    let file_length = input.length();
    let mut walk = Walk::default();
    walk.run(input)?;
    let Some(moov) = walk.moov else {
        return Err(MediaError::Invalid(if walk.is_cut {
            "the file ends before its index (`moov`), so nothing of it can be read".into()
        } else {
            "it has no index (`moov`)".into()
        }));
    };
    let moov = input.exact(moov.0, moov.1)?.to_vec();
    if find(&moov, b"cmov").is_some() {
        return Err(MediaError::Unsupported(
            "its index (`moov`) is compressed".into(),
        ));
    }
    let movie = movie_clock(&moov);
    let mut traced: Vec<Traced> = Vec::new();
    for trak in boxes(&moov).filter(|one| one.kind == *b"trak") {
        if traced.len() >= MAX_TRACKS {
            return Err(MediaError::Limit(format!("more than {MAX_TRACKS} tracks")));
        }
        traced.extend(movie::read(trak.body, movie, file_length)?);
    }
    let is_fragmented = traced.iter().all(|one| one.track.packets.is_empty());
    add_fragments(input, &moov, &walk.fragments, &mut traced)?;
    if is_fragmented {
        begin_at_zero(&mut traced);
    }
    chapters_are_not_shown(&mut traced);
    one_default_a_group(&mut traced);
    apply_gapless(&moov, &mut traced);
    apply_preskip(input, &mut traced)?;
    let mut findings = Vec::new();
    let mut lost = 0;
    for one in &mut traced {
        let before = one.track.packets.len();
        one.track
            .packets
            .retain(|packet| packet.offset.saturating_add(u64::from(packet.size)) <= file_length);
        lost += before - one.track.packets.len();
    }
    if lost > 0 || walk.is_cut {
        findings.push(Finding::Truncated);
    }
    Ok(Contents {
        container: Container::Mp4,
        tracks: traced.into_iter().map(|one| one.track).collect(),
        findings,
    })
}

/// What the top level of a file holds.
#[derive(Default)]
struct Walk {
    /// Where the movie's body begins, and its length.
    moov: Option<(u64, u64)>,
    /// The same of each fragment, with where its box begins.
    fragments: Vec<(u64, u64, u64)>,
    /// A box reaches beyond the file.
    is_cut: bool,
}

impl Walk {
    fn run(&mut self, input: &mut Input) -> Result<(), MediaError> {
        let length = input.length();
        let mut at = 0;
        for _ in 0..MAX_BOXES {
            let head = input.available(at, 16)?;
            let mut fields = Fields::new(head);
            let (Some(size), Some(kind)) = (fields.u32(), fields.bytes(4)) else {
                return Ok(());
            };
            let kind: [u8; 4] = kind.try_into().unwrap_or_default();
            let (header, size) = match size {
                0 => (8, length - at),
                1 => (16, fields.u64().unwrap_or(0)),
                size => (8, u64::from(size)),
            };
            if size < header {
                // Zeros and rubbish behind the last box are common; before the movie they end it.
                return Ok(());
            }
            let end = at.saturating_add(size);
            let whole = end <= length;
            let body = (at + header, size - header);
            match &kind {
                b"moov" if self.moov.is_none() => {
                    if !whole {
                        self.is_cut = true;
                        return Ok(());
                    }
                    if size > MAX_MOOV {
                        return Err(MediaError::Limit(format!("an index of {size} bytes")));
                    }
                    self.moov = Some(body);
                }
                b"moof" if whole && size <= MAX_MOOV => {
                    self.fragments.push((at, body.0, body.1));
                }
                _ => {}
            }
            if !whole {
                self.is_cut = true;
                return Ok(());
            }
            at = end;
        }
        Ok(())
    }
}

pub(super) use pictures::name;

fn movie_clock(moov: &[u8]) -> Clock {
    let scale = find(moov, b"mvhd").and_then(|body| {
        let mut fields = Fields::new(body);
        let (version, _) = fields.full()?;
        fields.sized(version)?;
        fields.sized(version)?;
        fields.u32()
    });
    Clock::hertz(scale.filter(|&scale| scale > 0).unwrap_or(1000))
}

fn add_fragments(
    input: &mut Input,
    moov: &[u8],
    places: &[(u64, u64, u64)],
    traced: &mut [Traced],
) -> Result<(), MediaError> {
    if places.is_empty() {
        return Ok(());
    }
    let defaults = fragments::defaults(moov);
    let file_length = input.length();
    for &(start, body, length) in places {
        let moof = input.exact(body, length)?.to_vec();
        fragments::add(&moof, start, &defaults, file_length, traced)?;
    }
    Ok(())
}

/// Fragments cut out of a longer stream keep their times; edit lists, which take the reordering of
/// pictures back, would begin long before them.
fn begin_at_zero(traced: &mut [Traced]) {
    let shown = |one: &&Traced| one.track.kind != TrackKind::Other;
    let starts = traced.iter().filter(shown).filter_map(|one| {
        let first = one.track.packets.first()?;
        Some(one.track.clock.nanos(first.dts))
    });
    let Some(start) = starts.min().filter(|&start| start > 0) else {
        return;
    };
    for Traced { track, .. } in traced {
        let shift = track.clock.ticks_in(start);
        for packet in &mut track.packets {
            packet.dts = packet.dts.saturating_sub(shift);
            packet.pts = packet.pts.saturating_sub(shift);
        }
    }
}

/// Pictures that another track uses as its chapters' are not part of the film.
fn chapters_are_not_shown(traced: &mut [Traced]) {
    let chapters: Vec<u32> = traced
        .iter()
        .flat_map(|one| one.chapters.iter().copied())
        .collect();
    for one in traced.iter_mut().filter(|one| chapters.contains(&one.id)) {
        one.track.kind = TrackKind::Other;
    }
}

/// Of the enabled tracks of one kind the first is the default; a group's others are alternatives.
fn one_default_a_group(traced: &mut [Traced]) {
    for kind in [TrackKind::Video, TrackKind::Audio] {
        let mut groups: Vec<u16> = Vec::new();
        for one in traced.iter_mut().filter(|one| one.track.kind == kind) {
            if !one.track.is_enabled {
                continue;
            }
            one.track.is_default = one.group == 0 || !groups.contains(&one.group);
            groups.push(one.group);
        }
    }
}

/// Delay and padding from the metadata, where no edit list gives them.
fn apply_gapless(moov: &[u8], traced: &mut [Traced]) {
    let Some(gapless) = gapless::find_in(moov) else {
        return;
    };
    let mut sounds = traced
        .iter_mut()
        .filter(|one| one.track.kind == TrackKind::Audio);
    let (Some(only), None) = (sounds.next(), sounds.next()) else {
        return;
    };
    let track: &mut Track = &mut only.track;
    if track.edits.is_some() {
        return;
    }
    let rate = match track.descriptions.first().map(|one| &one.detail) {
        Some(super::Detail::Audio(format)) if format.sample_rate > 0 => format.sample_rate,
        _ => return,
    };
    track.tail = gapless.tail;
    delayed(track, gapless.lead, rate);
}

/// Opus' pre-skip, where no edit list cuts it off. GStreamer's muxer takes it off the duration of the
/// first packet instead, and lets the edit list begin there.
fn apply_preskip(input: &mut Input, traced: &mut [Traced]) -> Result<(), MediaError> {
    for one in traced {
        let track = &mut one.track;
        let Some(description) = track.descriptions.first() else {
            continue;
        };
        let preskip = match (&description.codec, description.config.get(10..12)) {
            (super::Codec::Opus, Some(&[low, high])) => u16::from_le_bytes([low, high]),
            _ => continue,
        };
        if track.edits.is_none() && track.lead == 0 {
            delayed(track, u64::from(preskip), 48_000);
            continue;
        }
        let Some(first) = track.packets.first_mut() else {
            continue;
        };
        let samples = opus_samples(input.available(first.offset, 2)?);
        let whole = first.duration.checked_add(u32::from(preskip));
        if track.clock == Clock::hertz(48_000) && whole == Some(samples) {
            first.pts = first.pts.saturating_sub(preskip.into());
            first.dts = first.dts.saturating_sub(preskip.into());
            first.duration = samples;
        }
    }
    Ok(())
}

/// Declares `samples` at `rate` of a track's beginning to be delay, and moves its times so that they
/// count from behind it.
fn delayed(track: &mut Track, samples: u64, rate: u32) {
    track.lead = samples;
    let scaled = u128::from(samples) * u128::from(track.clock.ticks) / u128::from(rate);
    let shift = i64::try_from(scaled).unwrap_or(0);
    for packet in &mut track.packets {
        packet.pts = packet.pts.saturating_sub(shift);
        packet.dts = packet.dts.saturating_sub(shift);
    }
}
