//! Pictures that a source's own times skip, or show for longer than they should.
//!
//! A file of a varying rate shows some pictures for longer than others because it means to. Where a
//! rate is constant and the container does not state that a picture lasts longer, a distance of two
//! pictures or more means that some were lost: packets of a broadcast, frames of a recorder.

use std::collections::BTreeMap;

use super::Scale;
use crate::media::container::{Packet, Track};
use crate::timeline::Notice;

/// A rate is constant when so many of a hundred distances are the usual one.
const CONSTANT: usize = 95;
/// Fewer distances do not determine the rate.
const LEAST: usize = 12;
/// So many gaps are reported one by one; all further ones together.
const MOST: usize = 16;

/// Pictures that are never seen because another has the same time.
pub(super) fn skipped(frames: &[(i64, Option<u32>)], scale: &Scale) -> Option<Notice> {
    let mut same = frames.windows(2).filter(|pair| pair[0].0 == pair[1].0);
    let first = same.next()?[0].0;
    let count = same.count() + 1;
    Some(Notice {
        code: "frames_skipped".into(),
        message: format!("{count} of its frames have the same time as the next one"),
        span: Some((scale.nanos(first), scale.nanos(first))),
    })
}

/// Gaps of a track: by the packet of the picture before each, the packet of the one behind it and
/// how many pictures of `step` ticks are missing between them.
pub(super) type Gaps = BTreeMap<u32, (u32, u64)>;

/// Where pictures are missing in `shown`, times and packets in presentation order.
pub(super) fn gaps(track: &Track, shown: &[(i64, u32)], step: i64) -> Gaps {
    let mut found = Gaps::new();
    // Ticks of a millisecond move each time by up to half of one.
    let slack = (step / 8).max(1);
    let distances = shown
        .windows(2)
        .map(|pair| pair[1].0.saturating_sub(pair[0].0));
    let usual = distances
        .filter(|one| one.saturating_sub(step).saturating_abs() <= slack)
        .count();
    let all = shown.len().saturating_sub(1);
    if all < LEAST || step <= slack || usual * 100 < all * CONSTANT {
        return found;
    }
    let unexplained = Unexplained::of(track, step);
    for pair in shown.windows(2) {
        let [(time, before), (next, behind)] = [pair[0], pair[1]];
        let distance = next.saturating_sub(time);
        if is_gap(distance, step) && unexplained.between(before, behind) {
            let missing = (distance.saturating_add(step / 2) / step).saturating_sub(1);
            found.insert(before, (behind, u64::try_from(missing).unwrap_or(1).max(1)));
        }
    }
    found
}

/// Whether a distance has room for another picture: at least 1¾ of the usual one.
fn is_gap(distance: i64, step: i64) -> bool {
    distance.saturating_mul(4) >= step.saturating_mul(7)
}

/// Where in decode order a distance differs from what the container states.
enum Unexplained {
    /// Behind these packets, ascending; all other distances are stated by durations.
    Behind(Vec<u32>),
    /// Everywhere but where these packets, ascending, repeat a picture on purpose.
    ButFor(Vec<u32>),
}

impl Unexplained {
    fn of(track: &Track, step: i64) -> Self {
        let packets = &track.packets;
        let has_durations = packets.iter().all(|one| one.duration > 0)
            && packets.windows(2).all(|pair| pair[0].dts < pair[1].dts);
        let numbered = (0_u32..).zip(packets);
        if !has_durations {
            let repeats = numbered.filter(|(_, one)| one.flags.is_repeat);
            return Self::ButFor(repeats.map(|(index, _)| index).collect());
        }
        let jumps = |pair: &[Packet]| {
            let end = pair[0].dts.saturating_add(i64::from(pair[0].duration));
            is_gap(pair[1].dts.saturating_sub(end).saturating_add(step), step)
        };
        let jumping = (0_u32..)
            .zip(packets.windows(2))
            .filter(|(_, pair)| jumps(pair));
        Self::Behind(jumping.map(|(index, _)| index).collect())
    }

    /// Whether the distance between the pictures of two packets is more than the file states.
    fn between(&self, one: u32, other: u32) -> bool {
        let (first, last) = (one.min(other), one.max(other));
        let any = |among: &[u32]| {
            let from = among.partition_point(|&index| index < first);
            among.get(from).is_some_and(|&index| index < last)
        };
        match self {
            Self::Behind(jumping) => any(jumping),
            Self::ButFor(repeats) => !any(repeats),
        }
    }
}

/// Pictures of `frames` that are shown longer because those behind them are missing.
pub(super) fn held(gaps: &Gaps, frames: &[(i64, Option<u32>)], scale: &Scale) -> Vec<Notice> {
    let mut found: Vec<(u64, i64, i64)> = Vec::new();
    if gaps.is_empty() {
        return Vec::new();
    }
    for pair in frames.windows(2) {
        let [(time, Some(before)), (next, Some(behind))] = [pair[0], pair[1]] else {
            continue;
        };
        let Some(&(_, missing)) = gaps.get(&before).filter(|(one, _)| *one == behind) else {
            continue;
        };
        match found.get_mut(MOST - 1) {
            Some(last) => *last = (last.0.saturating_add(missing), last.1, next),
            None => found.push((missing, time, next)),
        }
    }
    let notice = |(missing, from, to)| Notice {
        code: "frames_duplicated".into(),
        message: match missing {
            1 => "a picture is missing here; the one before is shown longer".into(),
            _ => format!("{missing} pictures are missing here; the one before is shown longer"),
        },
        span: Some((scale.nanos(from), scale.nanos(to))),
    };
    found.into_iter().map(notice).collect()
}
