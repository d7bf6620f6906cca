//! When each frame of a source is shown, as run lengths in container ticks: three hours at 60
//! frames a second are a few bytes where the rate is constant, and a few megabytes where no two
//! steps are alike.

use serde::{Deserialize, Serialize};

use crate::composition::time::MediaTime;

/// A pts may lie at least this much after a wanted time and still count as not after it.
const LEAST_TOLERANCE: i64 = 500_000;
/// A source may fall short of what is asked by this much, or by two frames, and its edge
/// frame is held.
pub(super) const HOLD_NANOS: i64 = 100_000_000;
const NANOS: i128 = 1_000_000_000;

/// When each frame of a source is shown. Frame *n* of the source is the *n*-th here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Packed", into = "Packed")]
pub struct FrameTable {
    packed: Packed,
    /// Frame and time at which each run begins.
    starts: Vec<(u64, i64)>,
    count: u64,
}

/// What is kept of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Packed {
    /// Ticks …
    ticks: u64,
    /// … in so many seconds.
    seconds: u64,
    /// Nanoseconds.
    tolerance: i64,
    /// Time of the first frame.
    first: i64,
    /// So many steps of so many ticks, from each frame to the next.
    runs: Vec<(u64, u64)>,
    /// Where the last frame ends.
    end: i64,
    is_empty: bool,
    /// Frames at whose time nothing is shown (an empty edit amid others), rising.
    blanks: Vec<u64>,
}

impl From<FrameTable> for Packed {
    fn from(table: FrameTable) -> Self {
        table.packed
    }
}

impl From<Packed> for FrameTable {
    fn from(mut packed: Packed) -> Self {
        packed.ticks = packed.ticks.max(1);
        packed.seconds = packed.seconds.max(1);
        let mut starts = Vec::with_capacity(packed.runs.len());
        let (mut frame, mut time) = (0_u64, packed.first);
        for &(count, step) in &packed.runs {
            starts.push((frame, time));
            frame = frame.saturating_add(count);
            let length = i128::from(count).saturating_mul(i128::from(step));
            let end = length.saturating_add(i128::from(time));
            time = i64::try_from(end).unwrap_or(i64::MAX);
        }
        let count = if packed.is_empty {
            0
        } else {
            frame.saturating_add(1)
        };
        Self {
            packed,
            starts,
            count,
        }
    }
}

impl FrameTable {
    /// A table of frames at `times`, which don't fall, in ticks of `seconds / ticks` s; the last
    /// one ends at `end`.
    pub fn new(ticks: u64, seconds: u64, times: &[i64], end: i64) -> Self {
        Self::rounded(ticks, seconds, times, end, (ticks, seconds))
    }

    /// As [`Self::new`], of times that a container rounded to ticks of a coarser `clock`: so many in
    /// so many seconds.
    pub fn rounded(ticks: u64, seconds: u64, times: &[i64], end: i64, clock: (u64, u64)) -> Self {
        let (ticks, seconds) = (ticks.max(1), seconds.max(1));
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for pair in times.windows(2) {
            let step = u64::try_from(pair[1].saturating_sub(pair[0])).unwrap_or(0);
            match runs.last_mut() {
                Some((count, same)) if *same == step => *count += 1,
                _ => runs.push((1, step)),
            }
        }
        let first = times.first().copied().unwrap_or(0);
        let last = times.last().copied().unwrap_or(0);
        let end = end.max(last);
        let tick = NANOS * i128::from(clock.1) / i128::from(clock.0.max(1));
        let tick = i64::try_from(tick).unwrap_or(i64::MAX);
        let count = i128::try_from(times.len()).unwrap_or(1).max(1);
        let length = (i128::from(end) - i128::from(first)) * NANOS * i128::from(seconds)
            / i128::from(ticks)
            / count;
        // Equal steps of a few ticks are exact, not rounded; of many, they may be either.
        let frame = i64::try_from(length).unwrap_or(i64::MAX);
        let is_exact = runs.len() <= 1 && tick > frame / 8;
        let rounding = if is_exact { 0 } else { tick.min(frame / 4) };
        let tolerance = rounding.max(LEAST_TOLERANCE);
        let common = runs
            .iter()
            .map(|&(_, step)| step)
            .chain([first, end].map(i64::unsigned_abs))
            .fold(0, gcd)
            .max(1);
        // Larger ticks where all times are multiples of them, which makes small numbers.
        let wider = seconds.checked_mul(common).zip(i64::try_from(common).ok());
        let (seconds, divisor) = wider.unwrap_or((seconds, 1));
        let both = gcd(ticks, seconds).max(1);
        let (ticks, seconds) = (ticks / both, seconds / both);
        Packed {
            ticks,
            seconds,
            tolerance,
            first: first / divisor,
            runs: runs
                .into_iter()
                .map(|(count, step)| (count, step / divisor.unsigned_abs()))
                .collect(),
            end: end / divisor,
            is_empty: times.is_empty(),
            blanks: Vec::new(),
        }
        .into()
    }

    /// A table of frames at whole nanoseconds.
    pub fn from_nanos(times: &[i64], end: i64) -> Self {
        Self::new(1_000_000_000, 1, times, end)
    }

    /// `count` frames at `numerator / denominator` a second, the first at 0.
    pub fn constant(numerator: u64, denominator: u64, count: u64) -> Self {
        let times: Vec<i64> = (0..count).map_while(|n| i64::try_from(n).ok()).collect();
        let end = i64::try_from(count).unwrap_or(i64::MAX);
        Self::new(numerator, denominator, &times, end)
    }

    /// The table with frames, rising, that show nothing.
    #[must_use]
    pub fn with_blanks(mut self, blanks: Vec<u64>) -> Self {
        self.packed.blanks = blanks;
        self
    }

    /// Number of frames.
    pub fn len(&self) -> u64 {
        self.count
    }

    /// Whether there is no frame.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// When frame `index` is shown, in nanoseconds of source time, rounded down.
    pub fn time(&self, index: u64) -> Option<i64> {
        if index >= self.count {
            return None;
        }
        let after = self.starts.partition_point(|&(frame, _)| frame <= index);
        let Some(at) = after.checked_sub(1) else {
            return Some(self.nanos(self.packed.first));
        };
        let (frame, time) = *self.starts.get(at)?;
        let step = self.packed.runs.get(at)?.1;
        let ticks = i128::from(time) + i128::from(index - frame) * i128::from(step);
        Some(self.nanos(i64::try_from(ticks).unwrap_or(i64::MAX)))
    }

    /// When each frame is shown, in nanoseconds of source time, rounded down.
    pub fn times(&self) -> impl Iterator<Item = i64> + '_ {
        (0..self.count).filter_map(|index| self.time(index))
    }

    /// When the first frame is shown, in nanoseconds.
    pub fn first(&self) -> Option<i64> {
        self.time(0)
    }

    /// Where the last frame ends, in nanoseconds, rounded down.
    pub fn end(&self) -> i64 {
        self.nanos(self.packed.end)
    }

    /// How far a pts may lie after a wanted time and still count as not after it, in
    /// nanoseconds: a container tick where times may be rounded, at most a quarter of a frame; at least
    /// 0.5 ms. Half a tick is what rounding moves the frame by, and half a tick what it moves the
    /// file's start by, from which the frame's time is counted.
    pub fn tolerance(&self) -> i64 {
        self.packed.tolerance
    }

    /// Whether the distance between frames is the same throughout, within `slack` nanoseconds.
    pub fn is_constant(&self, slack: i64) -> bool {
        let steps = || self.packed.runs.iter().map(|&(_, step)| step);
        let (Some(least), Some(most)) = (steps().min(), steps().max()) else {
            return true;
        };
        let spread = i64::try_from(most - least).unwrap_or(i64::MAX);
        self.nanos(spread) <= slack
    }

    /// The last frame with a time not after `time`, within the tolerance.
    pub(super) fn last_not_after(&self, nanos: i64) -> Option<u64> {
        // Both were rounded down to nanoseconds, which must not part what is equal.
        let latest = nanos
            .saturating_add(self.packed.tolerance)
            .saturating_add(1);
        let wanted = i128::from(latest) * i128::from(self.packed.ticks);
        let wanted = wanted.div_euclid(NANOS * i128::from(self.packed.seconds));
        let wanted = i64::try_from(wanted).unwrap_or(i64::MAX);
        if self.count == 0 || wanted < self.packed.first {
            return None;
        }
        let after = self.starts.partition_point(|&(_, time)| time <= wanted);
        let Some(at) = after.checked_sub(1) else {
            return Some(0);
        };
        let (frame, time) = *self.starts.get(at)?;
        let (count, step) = *self.packed.runs.get(at)?;
        let passed = u64::try_from(wanted - time).unwrap_or(0);
        let steps = passed.checked_div(step).unwrap_or(count).min(count);
        Some(frame + steps)
    }

    /// The frame shown at `time` of the source, of which `wanted` is the part that is asked for:
    /// the last frame with a time not after it, within the tolerance. Where the part begins before
    /// the first frame or ends after the last one by no more than the hold, that frame is held.
    pub fn at(&self, time: MediaTime, wanted: (MediaTime, MediaTime)) -> Option<u64> {
        let first = self.first()?;
        let time = i64::try_from(time.floor_nanos()).ok()?;
        let [wanted_begin, wanted_end] = [wanted.0, wanted.1].map(MediaTime::floor_nanos);
        let wanted_begin = i64::try_from(wanted_begin).ok()?;
        let wanted_end = i64::try_from(wanted_end).ok()?;
        if time >= self.end() && wanted_end.saturating_sub(self.end()) > self.hold() {
            return None;
        }
        let frame = match self.last_not_after(time) {
            Some(frame) => frame,
            None if first.saturating_sub(wanted_begin) <= self.hold() => 0,
            None => return None,
        };
        let is_blank = self.packed.blanks.binary_search(&frame).is_ok();
        (!is_blank).then_some(frame)
    }

    /// How much the source may fall short for its edge frame to be held: two frames of its
    /// mean length, at least 100 ms.
    pub(super) fn hold(&self) -> i64 {
        let first = self.first().unwrap_or(0);
        let count = i64::try_from(self.count).unwrap_or(i64::MAX).max(1);
        let two_frames = self.end().saturating_sub(first) / count * 2;
        two_frames.max(HOLD_NANOS)
    }

    /// Frames a second on the average, to a thousandth; `None` where they last no time.
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts and lengths are far below 2^52"
    )]
    pub fn average_rate(&self) -> Option<f64> {
        let span = self.end().checked_sub(self.first()?);
        let span = span.filter(|span| *span > 0)?;
        let rate = self.len() as f64 * 1e9 / span as f64;
        Some((rate * 1000.0).round() / 1000.0)
    }

    fn nanos(&self, ticks: i64) -> i64 {
        let scaled = i128::from(ticks) * i128::from(self.packed.seconds) * NANOS;
        let nanos = scaled.div_euclid(i128::from(self.packed.ticks));
        i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests;
