//! Codec delay that a file does not declare, or declares and does not count: found from pictures
//! that begin just as much later than the sound as the codec is late.

use super::{Clock, Codec, Contents, Detail, Track, TrackKind};

/// Samples that encoders are late by: their format's own overlap, and what they add.
fn delays(codec: &Codec) -> &'static [i64] {
    match codec {
        Codec::Aac | Codec::AacAdts => &[1024, 2048, 2112],
        Codec::Mp3 => &[1105],
        Codec::Mp2 => &[481],
        Codec::Ac3 | Codec::Eac3 => &[256],
        _ => &[],
    }
}

/// Containers round times to milliseconds, of two tracks each.
const SLACK: i64 = 1_500_000;

/// Gives sound tracks their delay where the pictures show it.
pub(super) fn complete(contents: &mut Contents) {
    let pictures = contents
        .tracks
        .iter()
        .filter(|track| track.kind == TrackKind::Video && track.edits.is_none())
        .filter_map(first_time)
        .min();
    let Some(pictures) = pictures else { return };
    for track in &mut contents.tracks {
        if track.kind == TrackKind::Audio && track.edits.is_none() {
            sound(track, pictures);
        }
    }
}

/// When the first packet is shown, in nanoseconds.
fn first_time(track: &Track) -> Option<i64> {
    let first = track.packets.iter().map(|packet| packet.pts).min()?;
    Some(track.clock.nanos(first))
}

fn sound(track: &mut Track, pictures: i64) {
    let Some(first) = first_time(track) else {
        return;
    };
    let Some(description) = track.descriptions.first() else {
        return;
    };
    let rate = match &description.detail {
        Detail::Audio(format) if format.sample_rate > 0 => format.sample_rate,
        _ => return,
    };
    let length = |samples: i64| Clock::hertz(rate).nanos(samples);
    // Times of damaged files may lie as far apart as numbers go.
    let later = pictures.saturating_sub(first);
    let is_later_by = |time: i64| later.saturating_sub(time).saturating_abs() <= SLACK;
    if track.lead > 0 {
        // Both began together before their times were rounded; or the delay was taken off the
        // sound's times, and the pictures were moved by it as well: the writer meant times that
        // still hold it.
        let lead = length(i64::try_from(track.lead).unwrap_or(0));
        if lead > SLACK && (is_later_by(lead) || is_later_by(lead.saturating_mul(2))) {
            shift(track, later.saturating_sub(lead));
        }
        return;
    }
    let delay = delays(&description.codec)
        .iter()
        .copied()
        .find(|&samples| is_later_by(length(samples)));
    if let Some(samples) = delay {
        track.lead = samples.unsigned_abs();
        // Both began together before their times were rounded.
        shift(track, later.saturating_sub(length(samples)));
    }
}

fn shift(track: &mut Track, nanos: i64) {
    let ticks = track.clock.ticks_in(nanos);
    for packet in &mut track.packets {
        packet.pts = packet.pts.saturating_add(ticks);
        packet.dts = packet.dts.saturating_add(ticks);
    }
}
