//! Where a sound track is heard on its file's timeline: pieces of media one behind another, and
//! the packets that each needs. The one place where codec delay and padding are cut off. Pure.

use std::time::Duration;

use super::super::container::{Clock, Codec, Detail, Edit, Packet, Track};
use super::super::presentation::Moment;

/// Samples a second of every position.
const RATE: i128 = 48_000;
const NANOS: i128 = 1_000_000_000;
/// 1.0 as 16.16 fixed point.
const NORMAL_RATE: i32 = 0x1_0000;

/// Tracks that change their format more often are not read.
pub const MOST_CHANGES: usize = 1_000;
/// More pieces than this are damage.
const MOST_PIECES: usize = 1_000_000;

/// A stretch of media, as long on the timeline as in the media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// First sample on the timeline at 48 kHz; negative: what lies before 0 is not heard.
    pub start: i64,
    /// Behind the last one.
    pub end: i64,
    /// Where it begins in the media, in nanoseconds.
    pub media: i64,
}

/// The pieces of a track in order, each of one format; `origin` is the file's time 0.
#[must_use]
pub fn pieces(track: &Track, origin: Moment) -> Vec<Piece> {
    let changes: Vec<i64> = track
        .changes()
        .take(MOST_CHANGES)
        .filter_map(|index| track.packets.get(index))
        .map(|packet| narrow(nanos_of(i128::from(packet.pts), track.clock)))
        .collect();
    let whole = played(track, origin);
    if changes.is_empty() {
        return whole;
    }
    let cut = |piece: Piece| {
        let length = i128::from(piece.end) - i128::from(piece.start);
        let mut rest = piece;
        let mut parts = Vec::new();
        for &change in &changes {
            let offset = samples(i128::from(change) - i128::from(piece.media));
            let at = piece.start.saturating_add(offset);
            if offset > 0 && i128::from(offset) < length && at > rest.start {
                parts.push(Piece { end: at, ..rest });
                rest = Piece {
                    start: at,
                    media: change,
                    ..rest
                };
            }
        }
        parts.push(rest);
        parts
    };
    whole.into_iter().flat_map(cut).take(MOST_PIECES).collect()
}

/// What is heard by the edits or, without them, by the track's times.
fn played(track: &Track, origin: Moment) -> Vec<Piece> {
    let Some(bounds) = media_bounds(track) else {
        return Vec::new();
    };
    let origin = i128::from(origin.nanos());
    let Some(edits) = &track.edits else {
        let (from, to) = bounds;
        return vec![Piece {
            start: samples(from - origin),
            end: samples(to - origin),
            media: narrow(from),
        }];
    };
    let mut found = Vec::new();
    let mut at = -origin;
    for edit in edits {
        let length = edit
            .duration
            .map(|ticks| nanos_of(i128::from(ticks), edit.clock));
        let begin = edit
            .media_time
            .map(|ticks| nanos_of(i128::from(ticks), track.clock));
        let played = begin.filter(|_| edit.rate == NORMAL_RATE);
        let Some(begin) = played else {
            // Empty and dwelling edits are silent.
            at += length.unwrap_or(0);
            continue;
        };
        let length = length.unwrap_or((bounds.1 - begin).max(0));
        // Before the media's first sample and behind its last one there is silence.
        let (from, to) = (begin.max(bounds.0), (begin + length).min(bounds.1));
        if from < to {
            let to = grown(to, begin + length, bounds.1, edit);
            found.push(Piece {
                start: samples(at + from - begin),
                end: samples(at + to - begin),
                media: narrow(from),
            });
        }
        at += length;
    }
    found
}

/// The movie's clock may round an edit's end down by less than a tick; where the media ends
/// within that, it ends with the media.
fn grown(to: i128, edit_end: i128, media_end: i128, edit: &Edit) -> i128 {
    let tick = nanos_of(1, edit.clock);
    if media_end > edit_end && media_end - edit_end < tick {
        media_end
    } else {
        to
    }
}

/// First and last audible nanosecond of the media, delay and padding cut off.
fn media_bounds(track: &Track) -> Option<(i128, i128)> {
    let first = track.first_sounding()?;
    let last = track.packets.iter().max_by_key(|packet| packet.pts)?;
    let rate = i128::from(coded_rate(track));
    let duration = if last.duration > 0 {
        nanos_of(i128::from(last.duration), track.clock)
    } else {
        i128::from(packet_samples(track)) * NANOS / rate
    };
    let start = nanos_of(i128::from(first.pts), track.clock);
    let end = nanos_of(i128::from(last.pts), track.clock) + duration;
    let start = start + i128::from(track.lead) * NANOS / rate;
    let end = end - i128::from(track.tail) * NANOS / rate;
    (start < end).then_some((start, end))
}

/// Samples a second that delay and padding are counted in.
fn coded_rate(track: &Track) -> u32 {
    match track
        .descriptions
        .first()
        .map(|one| (&one.codec, &one.detail))
    {
        Some((Codec::Opus, _)) => 48_000,
        Some((_, Detail::Audio(format))) if format.sample_rate > 0 => format.sample_rate,
        _ => 48_000,
    }
}

/// Samples of a packet whose container does not state them.
fn packet_samples(track: &Track) -> u32 {
    match track.descriptions.first().map(|one| &one.codec) {
        Some(Codec::Mp3 | Codec::Mp2) => 1152,
        Some(Codec::Ac3 | Codec::Eac3) => 1536,
        Some(Codec::Opus) => 960,
        Some(Codec::Flac | Codec::Alac) => 4096,
        _ => 1024,
    }
}

/// Ticks that a packet lasts: what its container states, but no more than its codec allows.
/// Fragments state a pause as the length of the packet before it.
#[must_use]
pub fn packet_ticks(track: &Track, packet: &Packet) -> i64 {
    let stated = i64::from(packet.duration);
    let description = track.descriptions.get(usize::from(packet.description));
    let most = match description.map(|one| &one.codec) {
        // With SBR each is of twice as many samples.
        Some(Codec::Aac | Codec::AacAdts) => 2048,
        Some(Codec::Mp3 | Codec::Mp2) => 1152,
        Some(Codec::Ac3 | Codec::Eac3) => 1536,
        Some(Codec::Opus) => 5760,
        Some(Codec::Vorbis) => 8192,
        _ => return stated,
    };
    let seconds = i128::from(coded_rate(track)) * i128::from(track.clock.seconds.max(1));
    let most = most * i128::from(track.clock.ticks) / seconds.max(1);
    stated.min(i64::try_from(most + 1).unwrap_or(i64::MAX))
}

/// An edit that plays sound at another speed than 0 and 1, which is not read.
#[must_use]
pub fn unread_speed(track: &Track) -> Option<f64> {
    let edits = track.edits.iter().flatten();
    let mut speeds = edits
        .filter(|edit| edit.media_time.is_some())
        .map(|edit| edit.rate);
    let odd = speeds.find(|&rate| rate != 0 && rate != NORMAL_RATE)?;
    Some(f64::from(odd) / f64::from(NORMAL_RATE))
}

/// Where a track is heard first and last, in nanoseconds of the file's timeline.
#[must_use]
pub fn audible(track: &Track, origin: Moment) -> (i64, i64) {
    let pieces = pieces(track, origin);
    let nanos = |sample: i64| narrow(i128::from(sample.max(0)) * NANOS / RATE);
    match (pieces.first(), pieces.last()) {
        (Some(first), Some(last)) => (nanos(first.start), nanos(last.end)),
        _ => (0, 0),
    }
}

/// The packet that decoding begins at for media time `media` to be right, of the same description as
/// the packet that covers it.
#[must_use]
pub fn entry(track: &Track, media: i64) -> usize {
    let packets = &track.packets;
    let covering = packets
        .partition_point(|packet| {
            nanos_of(i128::from(packet.pts), track.clock) <= i128::from(media)
        })
        .saturating_sub(1);
    let codec = track.description(covering).map(|one| &one.codec);
    let time = |packet: &Packet| nanos_of(i128::from(packet.pts), track.clock);
    let first = match preroll(codec) {
        Preroll::Packets(count) => covering.saturating_sub(count),
        Preroll::Time(length) => {
            let wanted = packets.get(covering).map_or(0, time)
                - i128::try_from(length.as_nanos()).unwrap_or(0);
            packets
                .partition_point(|packet| time(packet) <= wanted)
                .saturating_sub(1)
        }
    };
    let differs = |index: &usize| track.description(*index) != track.description(covering);
    let other = (first..covering).rev().find(differs);
    other.map_or(first, |other| other + 1)
}

/// What a decoder must be given before what it gives is right.
enum Preroll {
    Packets(usize),
    Time(Duration),
}

fn preroll(codec: Option<&Codec>) -> Preroll {
    match codec {
        // Overlap, and with SBR and PS what they remember.
        Some(Codec::Aac | Codec::AacAdts) => Preroll::Packets(12),
        // Overlap, and a bit reservoir of up to 511 bytes, which small packets take many to fill.
        Some(Codec::Mp3) => Preroll::Packets(30),
        // RFC 7845 §4.6, and as much again.
        Some(Codec::Opus) => Preroll::Time(Duration::from_millis(160)),
        Some(Codec::Vorbis | Codec::Ac3 | Codec::Eac3 | Codec::Mp2) => Preroll::Packets(3),
        // The resampler's own memory.
        _ => Preroll::Packets(1),
    }
}

fn nanos_of(ticks: i128, clock: Clock) -> i128 {
    (ticks * i128::from(clock.seconds) * NANOS).div_euclid(i128::from(clock.ticks.max(1)))
}

/// Nanoseconds as samples of 48 kHz, rounded to nearest.
fn samples(nanos: i128) -> i64 {
    narrow((nanos * RATE + NANOS / 2).div_euclid(NANOS))
}

fn narrow(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::container::{
        AudioFormat, Description, Orientation, PacketFlags, Payload, TrackKind,
    };

    const MOVIE: Clock = Clock::hertz(1000);

    /// AAC at 48 kHz: `count` packets from `first` on.
    fn track(first: i64, count: i64, edits: Option<Vec<Edit>>) -> Track {
        let packet = |n: i64| Packet {
            offset: 0,
            size: 1,
            description: 0,
            flags: PacketFlags::default(),
            dts: first + n * 1024,
            pts: first + n * 1024,
            duration: 1024,
        };
        Track {
            id: 1,
            kind: TrackKind::Audio,
            is_enabled: true,
            is_default: true,
            language: None,
            clock: Clock::hertz(48_000),
            descriptions: vec![Description {
                codec: Codec::Aac,
                config: Vec::new(),
                encryption: None,
                detail: Detail::Audio(AudioFormat {
                    sample_rate: 48_000,
                    channels: 2,
                    ..AudioFormat::default()
                }),
            }],
            packets: (0..count).map(packet).collect(),
            payload: Payload::Plain,
            edits,
            lead: 0,
            tail: 0,
            orientation: Orientation::default(),
            alpha: Vec::new(),
            declared_rate: None,
        }
    }

    fn edit(media_time: Option<i64>, duration: Option<u64>) -> Edit {
        Edit {
            media_time,
            duration,
            clock: MOVIE,
            rate: NORMAL_RATE,
        }
    }

    fn spans(track: &Track) -> Vec<(i64, i64, i64)> {
        pieces(track, Moment::ZERO)
            .iter()
            .map(|piece| (piece.start, piece.end, piece.media))
            .collect()
    }

    #[test]
    fn an_edit_list_cuts_the_delay_off_and_says_where_it_ends() {
        let track = track(0, 50, Some(vec![edit(Some(1024), Some(1000))]));
        assert_eq!(spans(&track), [(0, 48_000, 21_333_333)]);
    }

    #[test]
    fn pieces_follow_one_another_and_empty_edits_are_silent() {
        let list = vec![
            edit(None, Some(500)),
            edit(Some(24_000), Some(100)),
            edit(Some(0), Some(100)),
        ];
        assert_eq!(
            spans(&track(0, 50, Some(list))),
            [(24_000, 28_800, 500_000_000), (28_800, 33_600, 0)]
        );
    }

    #[test]
    fn without_edits_delay_and_padding_are_the_tracks_own() {
        let mut own = track(-1105, 50, None);
        (own.lead, own.tail) = (1105, 495);
        let [piece] = pieces(&own, Moment::ZERO)[..] else {
            panic!("one piece");
        };
        assert_eq!((piece.start, piece.end), (0, 50 * 1024 - 1105 - 495));
    }

    #[test]
    fn pieces_and_decoding_end_where_the_format_changes() {
        let mut track = track(0, 50, Some(vec![edit(Some(4800), Some(900))]));
        let mut other = track.descriptions[0].clone();
        track.descriptions.push(other.clone());
        for packet in &mut track.packets[20..] {
            packet.description = 1;
        }
        // The same once more is no change.
        assert_eq!(spans(&track), [(0, 43_200, 100_000_000)]);
        assert_eq!(entry(&track, 500_000_000), 11);
        other.codec = Codec::Mp3;
        track.descriptions[1] = other;
        // Packet 20 begins at sample 20,480, of which 4,800 are cut off.
        assert_eq!(
            spans(&track),
            [(0, 15_680, 100_000_000), (15_680, 43_200, 426_666_666)]
        );
        assert_eq!(entry(&track, 500_000_000), 20);
        assert_eq!(entry(&track, 426_666_666), 20);
        assert_eq!(entry(&track, 420_000_000), 7);
    }

    #[test]
    fn decoding_begins_before_what_is_wanted() {
        let track = track(0, 50, None);
        assert_eq!(entry(&track, 0), 0);
        // 500 ms lie in packet 23.
        assert_eq!(entry(&track, 500_000_000), 11);
    }
}
