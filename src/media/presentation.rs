//! From packets and edits to what is shown: which packet each frame of a source is, when it is
//! shown, and what of the file is not shown as it stands. Pure.
//!
//! Time 0 of a file is the earliest start of all its tracks, whichever are used; a track with an
//! edit list starts at 0, because its list begins there (ISO 14496-12 §8.6.6).

mod irregular;

use super::MediaError;
use super::container::{Clock, Contents, Edit, Packet, Track, TrackKind};
use crate::timeline::{FrameTable, Notice};

/// Pictures of a track that are decoded and shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Presentation {
    /// When each frame is shown.
    pub table: FrameTable,
    /// The packet that each frame shows, by index in the track. An edit list may show a packet
    /// more than once, and out of order.
    pub packets: Vec<u32>,
    /// How decoded pictures are identified.
    pub order: Order,
    /// What clients should know of it.
    pub notices: Vec<Notice>,
}

/// How decoded pictures are identified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Each packet carries its place in presentation order, by which its picture is known.
    Ranked(Vec<u32>),
    /// The container has no presentation times: pictures are counted as the decoder gives them.
    Counted,
}

/// A moment as a fraction of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    numerator: i128,
    denominator: i128,
}

impl Moment {
    /// The beginning.
    pub const ZERO: Self = Self {
        numerator: 0,
        denominator: 1,
    };

    /// `ticks` of `clock`.
    #[must_use]
    pub fn of(ticks: i64, clock: Clock) -> Self {
        Self {
            numerator: i128::from(ticks) * i128::from(clock.seconds),
            denominator: i128::from(clock.ticks.max(1)),
        }
    }

    fn is_before(self, other: Self) -> bool {
        // 63 bits of ticks by 64 bits of rate fit.
        self.numerator.saturating_mul(other.denominator)
            < other.numerator.saturating_mul(self.denominator)
    }

    /// Nanoseconds, rounded down.
    #[must_use]
    pub fn nanos(self) -> i64 {
        let nanos = self
            .numerator
            .saturating_mul(1_000_000_000)
            .div_euclid(self.denominator);
        i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
    }
}

/// Time 0 of a file, on the clock of its packets.
#[must_use]
pub fn origin(contents: &Contents) -> Moment {
    contents
        .tracks
        .iter()
        .filter(|track| track.kind != TrackKind::Other)
        .filter_map(start)
        .reduce(|earliest, start| {
            if start.is_before(earliest) {
                start
            } else {
                earliest
            }
        })
        .unwrap_or(Moment::ZERO)
}

/// Where a track begins to be shown or heard.
fn start(track: &Track) -> Option<Moment> {
    if track.edits.is_some() {
        return Some(Moment::ZERO);
    }
    let first = match track.kind {
        TrackKind::Audio => Moment::of(time(track.first_sounding()?), track.clock),
        TrackKind::Video | TrackKind::Other => {
            let shown = track.packets.iter().filter(|one| !one.flags.is_hidden);
            Moment::of(shown.map(time).min()?, track.clock)
        }
    };
    let rate = sample_rate(track).filter(|_| track.lead > 0);
    Some(match rate {
        // The lead is not heard.
        Some(rate) => Moment {
            numerator: first
                .numerator
                .saturating_mul(i128::from(rate))
                .saturating_add(i128::from(track.lead).saturating_mul(first.denominator)),
            denominator: first.denominator.saturating_mul(i128::from(rate)),
        },
        None => first,
    })
}

fn sample_rate(track: &Track) -> Option<u32> {
    match &track.descriptions.first()?.detail {
        super::container::Detail::Audio(audio) if audio.sample_rate > 0 => Some(audio.sample_rate),
        _ => None,
    }
}

/// Whether an edit plays any of what lies between the first picture and the first that can be
/// decoded; without an edit list all is played.
fn is_asked_for(track: &Track, start: Option<i64>, first_shown: i64) -> bool {
    let Some(edits) = &track.edits else {
        return true;
    };
    edits.iter().any(|edit| {
        let Some(from) = edit.media_time.filter(|&from| from < first_shown) else {
            return false;
        };
        let to = edit.duration.map(|ticks| {
            let nanos = edit.clock.nanos(i64::try_from(ticks).unwrap_or(i64::MAX));
            from.saturating_add(track.clock.ticks_in(nanos))
        });
        to.is_none_or(|to| start.is_some_and(|start| start < to))
    })
}

/// When a packet is shown, or, where the container does not state it, decoded.
fn time(packet: &Packet) -> i64 {
    if packet.pts == Packet::UNTIMED {
        packet.dts
    } else {
        packet.pts
    }
}

/// What of a picture track is shown. `origin` is the file's time 0; `first_entry` returns whether
/// the pictures that follow the first sync packet and are shown before it can be decoded.
///
/// # Errors
/// [`MediaError::Invalid`] when nothing can be shown, [`MediaError::Unsupported`] for an edit
/// that plays at another rate than 0 or 1.
pub fn present(
    track: &Track,
    origin: Moment,
    first_entry_is_open: bool,
) -> Result<Presentation, MediaError> {
    let mut notices = Vec::new();
    let is_counted = track
        .packets
        .iter()
        .any(|packet| packet.pts == Packet::UNTIMED);
    let order = if is_counted {
        Order::Counted
    } else {
        Order::Ranked(ranks(track))
    };
    let shown = decodable(track, first_entry_is_open, is_counted);
    let Some(&(first_shown, _)) = shown.first() else {
        return Err(MediaError::Invalid(
            "its picture track has no picture that decoding can begin at".into(),
        ));
    };
    let start = track.packets.iter().filter(|p| is_shown(p)).map(time).min();
    let begins_between = shown.len() < track.packets.iter().filter(|p| is_shown(p)).count()
        && is_asked_for(track, start, first_shown);
    let scale = Scale::new(track, origin);
    let end = media_end(track, &shown);
    let placed = match &track.edits {
        Some(edits) => by_edits(edits, track.clock, &shown, end, &scale)?,
        None => Placed {
            frames: shown
                .iter()
                .map(|&(time, packet)| (scale.media(time), Some(packet)))
                .collect(),
            end: scale.media(end),
        },
    };
    if placed.frames.is_empty() {
        return Err(MediaError::Invalid(
            "its edit list shows no picture of the picture track".into(),
        ));
    }
    if begins_between {
        let from = scale.nanos(scale.media(start.unwrap_or(first_shown)));
        let to = scale.nanos(scale.media(first_shown));
        notices.push(Notice {
            code: "source_starts_between_keyframes".into(),
            message: "the pictures before its first keyframe cannot be decoded".into(),
            span: Some((from.max(0), to.max(0))),
        });
    }
    notices.extend(irregular::skipped(&placed.frames, &scale));
    let gaps = irregular::gaps(track, &shown, usual_step(track, &shown));
    notices.extend(irregular::held(&gaps, &placed.frames, &scale));
    let times: Vec<i64> = placed.frames.iter().map(|&(time, _)| time).collect();
    let blanks: Vec<u64> = (0_u64..)
        .zip(&placed.frames)
        .filter(|(_, (_, packet))| packet.is_none())
        .map(|(index, _)| index)
        .collect();
    Ok(Presentation {
        table: FrameTable::rounded(
            scale.ticks,
            scale.seconds,
            &times,
            placed.end,
            (track.clock.ticks, track.clock.seconds),
        )
        .with_blanks(blanks),
        packets: placed
            .frames
            .iter()
            .map(|&(_, packet)| packet.unwrap_or(0))
            .collect(),
        order,
        notices,
    })
}

/// Each packet's place in presentation order; of equal times the one decoded first.
fn ranks(track: &Track) -> Vec<u32> {
    let mut indices: Vec<u32> = (0_u32..)
        .zip(&track.packets)
        .map(|(index, _)| index)
        .collect();
    indices.sort_by_key(|&index| track.packets.get(index as usize).map(time));
    let mut ranks = vec![0_u32; indices.len()];
    for (rank, &index) in (0_u32..).zip(&indices) {
        if let Some(slot) = ranks.get_mut(index as usize) {
            *slot = rank;
        }
    }
    ranks
}

fn is_shown(packet: &Packet) -> bool {
    !packet.flags.is_hidden && !packet.flags.is_repeat
}

/// Times and packets of the pictures that can be decoded, in presentation order.
fn decodable(track: &Track, first_entry_is_open: bool, is_counted: bool) -> Vec<(i64, u32)> {
    let first_sync = track.packets.iter().position(|packet| packet.flags.is_sync);
    let Some(first_sync) = first_sync else {
        return Vec::new();
    };
    let entered_at = track.packets.get(first_sync).map(time);
    let mut shown: Vec<(i64, u32)> = (0_u32..)
        .zip(&track.packets)
        .skip(first_sync)
        .filter(|(_, packet)| is_shown(packet))
        .filter(|(_, packet)| !first_entry_is_open || Some(time(packet)) >= entered_at)
        .map(|(index, packet)| (time(packet), index))
        .collect();
    if !is_counted {
        shown.sort_by_key(|&(time, _)| time);
    }
    shown
}

/// Where the last picture ends in the media.
fn media_end(track: &Track, shown: &[(i64, u32)]) -> i64 {
    let Some(&(last, packet)) = shown.last() else {
        return 0;
    };
    let declared = track
        .packets
        .get(packet as usize)
        .map_or(0, |packet| i64::from(packet.duration));
    let length = if declared > 0 {
        declared
    } else {
        usual_step(track, shown)
    };
    // Packets that show nothing of their own prolong the last picture.
    let repeats = track.packets.iter().filter(|packet| packet.flags.is_repeat);
    let held = repeats
        .map(|packet| time(packet).saturating_add(length))
        .max();
    let end = last.saturating_add(length);
    held.map_or(end, |held| held.max(end))
}

/// The length of a picture that has none: the median distance, else what the container declares,
/// else 40 ms.
fn usual_step(track: &Track, shown: &[(i64, u32)]) -> i64 {
    let mut steps: Vec<i64> = shown
        .windows(2)
        .map(|pair| pair[1].0.saturating_sub(pair[0].0))
        .filter(|&step| step > 0)
        .collect();
    steps.sort_unstable();
    if let Some(&middle) = steps.get(steps.len() / 2) {
        return middle;
    }
    let (numerator, denominator) = track
        .declared_rate
        .filter(|&(numerator, denominator)| numerator > 0 && denominator > 0)
        .unwrap_or((25, 1));
    let ticks = i128::from(track.clock.ticks) * i128::from(denominator)
        / (i128::from(track.clock.seconds.max(1)) * i128::from(numerator));
    i64::try_from(ticks).unwrap_or(1).max(1)
}

/// Frames on the file's timeline: time and packet; no packet where nothing is shown.
struct Placed {
    frames: Vec<(i64, Option<u32>)>,
    end: i64,
}

/// Plays the edits one after the other.
fn by_edits(
    edits: &[Edit],
    clock: Clock,
    shown: &[(i64, u32)],
    media_end: i64,
    scale: &Scale,
) -> Result<Placed, MediaError> {
    let mut frames: Vec<(i64, Option<u32>)> = Vec::new();
    // On the file's timeline, in ticks of the scale.
    let mut at: i64 = scale.edits_begin();
    let mut end = at;
    for edit in edits {
        let length = edit
            .duration
            .map(|ticks| scale.length(i64::try_from(ticks).unwrap_or(i64::MAX), edit.clock));
        let Some(media_time) = edit.media_time else {
            let length = length.unwrap_or(0);
            if !frames.is_empty() && scale.nanos(length) > LONGEST_HELD {
                frames.push((at, None));
            }
            at = at.saturating_add(length);
            continue;
        };
        let first = shown
            .partition_point(|&(time, _)| time <= media_time)
            .saturating_sub(1);
        match edit.rate {
            0 => {
                let length = length.unwrap_or(0);
                if length > 0
                    && let Some(&(_, packet)) = shown.get(first)
                {
                    frames.push((at, Some(packet)));
                    end = at.saturating_add(length);
                }
                at = at.saturating_add(length);
            }
            NORMAL_RATE => {
                let whole = scale.length(media_end.saturating_sub(media_time).max(0), clock);
                let length = length.unwrap_or(whole);
                // What the coarser of the two clocks could not express is no picture's time.
                let slack = scale.rounding(edit.clock).max(scale.rounding(clock));
                for &(time, packet) in shown.get(first..).unwrap_or_default() {
                    let offset = scale.length(time.saturating_sub(media_time), clock).max(0);
                    let is_first = frames.last().is_none_or(|&(last, _)| last < at) && offset == 0;
                    if offset >= length || (!is_first && offset.saturating_add(slack) >= length) {
                        break;
                    }
                    frames.push((at.saturating_add(offset), Some(packet)));
                }
                end = at.saturating_add(length.min(whole));
                at = at.saturating_add(length);
            }
            rate => {
                return Err(MediaError::Unsupported(format!(
                    "an edit list that plays at {:.3} times normal speed",
                    f64::from(rate) / f64::from(NORMAL_RATE)
                )));
            }
        }
    }
    // Rounding may leave a piece's first picture before the piece ahead of it ends.
    let mut latest = i64::MIN;
    for (time, _) in &mut frames {
        latest = latest.max(*time);
        *time = latest;
    }
    Ok(Placed { frames, end })
}

/// 1.0 as 16.16 fixed point.
const NORMAL_RATE: i32 = 0x1_0000;
/// An empty edit between others up to this long holds the picture before, in nanoseconds.
const LONGEST_HELD: i64 = 100_000_000;

/// The clock that times on the file's timeline are counted in: fine enough for the track's, the
/// edits' and the origin's, in nanoseconds where that is too fine.
#[derive(Debug)]
struct Scale {
    ticks: u64,
    seconds: u64,
    clock: Clock,
    /// The origin in ticks of this scale.
    origin: i64,
}

/// Scales finer than this many ticks a second are not used.
const FINEST: u128 = 1 << 40;

impl Scale {
    fn new(track: &Track, origin: Moment) -> Self {
        let mut ticks = reduced(
            u128::from(track.clock.ticks),
            u128::from(track.clock.seconds),
        );
        let edits = track.edits.iter().flatten();
        let origin_fraction = u128::try_from(origin.denominator).unwrap_or(1);
        let others = edits
            .map(|edit| (u128::from(edit.clock.ticks), u128::from(edit.clock.seconds)))
            .chain(
                [(origin_fraction, 1)]
                    .into_iter()
                    .filter(|_| origin.numerator != 0),
            );
        for (other, seconds) in others {
            let (other, other_seconds) = reduced(other, seconds);
            // Common multiple of a/b and c/d ticks a second, in lowest terms: lcm(a,c)/gcd(b,d).
            ticks = reduced(lcm(ticks.0, other), gcd(ticks.1, other_seconds).max(1));
            if ticks.0 / ticks.1.max(1) > FINEST {
                break;
            }
        }
        let (ticks, seconds) = match (u64::try_from(ticks.0), u64::try_from(ticks.1)) {
            (Ok(ticks), Ok(seconds))
                if u128::from(ticks) / u128::from(seconds.max(1)) <= FINEST && ticks > 0 =>
            {
                (ticks, seconds.max(1))
            }
            _ => (1_000_000_000, 1),
        };
        let mut scale = Self {
            ticks,
            seconds,
            clock: track.clock,
            origin: 0,
        };
        scale.origin = scale.ticks_in(origin.numerator, origin.denominator);
        scale
    }

    /// `numerator / denominator` seconds in ticks, rounded down.
    fn ticks_in(&self, numerator: i128, denominator: i128) -> i64 {
        let divisor = denominator.saturating_mul(i128::from(self.seconds)).max(1);
        let ticks = numerator
            .saturating_mul(i128::from(self.ticks))
            .div_euclid(divisor);
        i64::try_from(ticks).unwrap_or(if ticks < 0 { i64::MIN } else { i64::MAX })
    }

    /// A length of `ticks` of `clock`.
    fn length(&self, ticks: i64, clock: Clock) -> i64 {
        let moment = Moment::of(ticks, clock);
        self.ticks_in(moment.numerator, moment.denominator)
    }

    /// A media time on the file's timeline.
    fn media(&self, ticks: i64) -> i64 {
        self.length(ticks, self.clock).saturating_sub(self.origin)
    }

    /// Where the track's edit list begins on the file's timeline.
    fn edits_begin(&self) -> i64 {
        self.origin.saturating_neg()
    }

    /// Half a tick of `clock`.
    fn rounding(&self, clock: Clock) -> i64 {
        let half = Moment {
            numerator: i128::from(clock.seconds),
            denominator: i128::from(clock.ticks.max(1)) * 2,
        };
        self.ticks_in(half.numerator, half.denominator)
    }

    fn nanos(&self, ticks: i64) -> i64 {
        Clock {
            ticks: self.ticks,
            seconds: self.seconds,
        }
        .nanos(ticks)
    }
}

fn gcd(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn lcm(a: u128, b: u128) -> u128 {
    let common = gcd(a, b).max(1);
    (a / common).saturating_mul(b)
}

fn reduced(numerator: u128, denominator: u128) -> (u128, u128) {
    let common = gcd(numerator, denominator).max(1);
    (numerator / common, denominator / common)
}

#[cfg(test)]
mod tests;
