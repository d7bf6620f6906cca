//! Where a picture track of a constant rate begins, more exactly than its container's ticks say.
//!
//! Matroska rounds times to milliseconds, each by up to half a tick. All are counted from the
//! file's start, which is one of them: its rounding moves every frame by as much, and a frame that
//! should begin together with a frame of the output may come out behind it. A straight line through
//! all times knows the start better than the start itself.

use super::Moment;
use crate::media::container::Clock;

/// Clocks of at least so many ticks a second round too little to matter.
const FINE: u64 = 10_000;
/// Fewer times make no line.
const LEAST: usize = 8;
/// More times make it no better.
const MOST: usize = 10_000;
/// The start is given in this part of a tick.
const PART: i128 = 16;

/// The start of a track whose pictures begin at `times`, in ticks of `clock` and in any order; the
/// earliest time itself unless all lie within a tick of one constant rate.
pub(super) fn start(times: impl Iterator<Item = i64>, clock: Clock) -> Option<Moment> {
    let seconds = clock.seconds.max(1);
    if clock.ticks / seconds >= FINE {
        return times.min().map(|time| Moment::of(time, clock));
    }
    let mut times: Vec<i64> = times.collect();
    times.sort_unstable();
    let first = *times.first()?;
    times.truncate(MOST);
    let exact = fitted(&times, first).unwrap_or(0);
    Some(Moment {
        numerator: (i128::from(first) * PART + exact).saturating_mul(i128::from(seconds)),
        denominator: i128::from(clock.ticks.max(1)) * PART,
    })
}

/// How far behind `first` the line of least squares through rising times begins, in sixteenths of a
/// tick; at most half a tick.
fn fitted(times: &[i64], first: i64) -> Option<i128> {
    if times.len() < LEAST {
        return None;
    }
    let (mut n, mut t, mut nn, mut nt) = (0_i128, 0_i128, 0_i128, 0_i128);
    for (index, &time) in (0_i128..).zip(times) {
        let time = i128::from(time.checked_sub(first)?);
        n += index;
        t += time;
        nn += index * index;
        nt += index.checked_mul(time)?;
    }
    let count = i128::try_from(times.len()).ok()?;
    let determinant = count * nn - n * n;
    let at_start = t.checked_mul(nn)?.checked_sub(n.checked_mul(nt)?)?;
    let slope = count.checked_mul(nt)?.checked_sub(n.checked_mul(t)?)?;
    for (index, &time) in (0_i128..).zip(times) {
        let line = at_start.checked_add(slope.checked_mul(index)?)?;
        let off = line.checked_sub(i128::from(time - first).checked_mul(determinant)?)?;
        if off.abs() > determinant {
            return None;
        }
    }
    let exact = (at_start.checked_mul(PART)? + determinant / 2).div_euclid(determinant);
    Some(exact.clamp(-PART / 2, PART / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECONDS: Clock = Clock::hertz(1000);

    /// Sixteenths of a millisecond.
    fn start_of(times: &[i64]) -> i128 {
        let found = start(times.iter().copied(), MILLISECONDS).expect("a start");
        found.numerator * 16_000 / found.denominator
    }

    #[test]
    fn the_start_of_a_constant_rate_is_found_within_a_tick() {
        // 30 frames a second from 1/30 s on: 33.33 ms, said as 33.
        let times: Vec<i64> = (1..300).map(|n| (n * 1000 + 15) / 30).collect();
        assert_eq!(start_of(&times), 33 * 16 + 5);
        // In the order of decoding, all the same.
        let mut shuffled = times.clone();
        shuffled.swap(0, 3);
        assert_eq!(start_of(&shuffled), 33 * 16 + 5);
    }

    #[test]
    fn other_times_begin_with_the_earliest() {
        let uneven = [7, 40, 73, 200, 233, 266, 300, 333, 366];
        assert_eq!(start_of(&uneven), 7 * 16);
        assert_eq!(start_of(&[33, 67, 100]), 33 * 16, "too few");
        assert_eq!(start([].into_iter(), MILLISECONDS), None);
        let extreme = [i64::MIN, 0, 1, 2, 3, 4, 5, 6, i64::MAX];
        assert!(start(extreme.into_iter(), MILLISECONDS).is_some());
    }

    #[test]
    fn every_frame_from_a_rounded_start_is_found() {
        for first in 1..30_i64 {
            let absolute: Vec<i64> = (first..first + 300).map(|n| (n * 1000 + 15) / 30).collect();
            let origin = start(absolute.iter().copied(), MILLISECONDS).expect("a start");
            let origin = origin.numerator * 16_000 / origin.denominator;
            let times: Vec<i64> = absolute
                .iter()
                .map(|time| time * 16 - i64::try_from(origin).unwrap())
                .collect();
            let end = times[299] + 33 * 16;
            let table = crate::timeline::FrameTable::rounded(16_000, 1, &times, end, (1000, 1));
            for (n, frame) in (0..300).zip(0_u64..) {
                let nanos = n * 1_000_000_000 / 30;
                let time = crate::composition::time::MediaTime::from_nanos(nanos);
                assert_eq!(table.at(time, (time, time)), Some(frame), "from {first}");
            }
        }
    }
}
