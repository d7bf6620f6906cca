//! Where the output is cut into segments.
//!
//! A function of the composition and the configuration alone: never of nodes, slots or load,
//! so that the same request makes the same files wherever it runs.

use cluster::model::{FrameRange, FrameRate};

/// Outputs up to this long are cut into equal parts.
const EQUAL_PARTS_SECONDS: u128 = 20;
/// Equal parts have at least this many frames.
const MIN_FRAMES: u64 = 60;
/// Longer outputs are cut on a grid of this many seconds.
const GRID_SECONDS: u128 = 4;
/// The grid is widened until there are no more segments than this.
const MAX_SEGMENTS: u64 = 200;

/// Cuts `frames` output frames into segments, in order and without gaps.
///
/// Up to 20 s: the largest power of two of equal segments with at least 60 frames each. Longer:
/// a grid of round(4 s × `rate`) frames, doubled until there are at most 200 segments; a
/// remainder under half a step joins its neighbour. With a `keyframe_interval` every cut lies
/// on a multiple of it. `segment_frames` other than 0 is the grid's step instead of all that.
pub fn cut(
    frames: u64,
    rate: FrameRate,
    keyframe_interval: Option<u32>,
    segment_frames: u32,
) -> Vec<FrameRange> {
    let interval = u64::from(keyframe_interval.unwrap_or(1)).max(1);
    if segment_frames > 0 {
        return grid(frames, whole_intervals(u64::from(segment_frames), interval));
    }
    let (numerator, denominator) = (u128::from(rate.numerator()), u128::from(rate.denominator()));
    if u128::from(frames) * denominator <= EQUAL_PARTS_SECONDS * numerator {
        let most = (frames / MIN_FRAMES).max(1);
        let parts = 1_u64 << most.ilog2();
        if interval == 1 {
            return equal(frames, parts);
        }
        return grid(frames, whole_intervals(frames.div_ceil(parts), interval));
    }
    let rounded = (2 * GRID_SECONDS * numerator + denominator) / (2 * denominator);
    let mut step = whole_intervals(u64::try_from(rounded).unwrap_or(u64::MAX), interval);
    while grid_count(frames, step) > MAX_SEGMENTS {
        step = step.saturating_mul(2);
    }
    grid(frames, step)
}

/// The least multiple of `interval` that is not under `step`.
fn whole_intervals(step: u64, interval: u64) -> u64 {
    step.div_ceil(interval).max(1).saturating_mul(interval)
}

/// `parts` ranges whose lengths differ by one frame at most.
fn equal(frames: u64, parts: u64) -> Vec<FrameRange> {
    (0..parts)
        .filter_map(|part| FrameRange::new(part * frames / parts, (part + 1) * frames / parts))
        .collect()
}

/// How many segments [`grid`] makes.
fn grid_count(frames: u64, step: u64) -> u64 {
    let (whole, rest) = (frames / step, frames % step);
    if rest == 0 || (whole > 0 && rest < step - rest) {
        whole
    } else {
        whole + 1
    }
}

/// Cuts at the multiples of `step`.
fn grid(frames: u64, step: u64) -> Vec<FrameRange> {
    let count = grid_count(frames, step);
    (0..count)
        .filter_map(|part| {
            let end = if part + 1 == count {
                frames
            } else {
                (part + 1) * step
            };
            FrameRange::new(part * step, end)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(numerator: u32, denominator: u32) -> FrameRate {
        FrameRate::new(numerator, denominator).expect("a test's rate")
    }

    fn lengths(ranges: &[FrameRange]) -> Vec<u64> {
        ranges.iter().map(|range| range.count()).collect()
    }

    #[test]
    fn short_outputs_are_halved_while_sixty_frames_remain() {
        let cases: [(u64, &[u64]); 7] = [
            (1, &[1]),
            (119, &[119]),
            (120, &[60, 60]),
            (239, &[119, 120]),
            (240, &[60, 60, 60, 60]),
            (300, &[75, 75, 75, 75]),
            (600, &[75; 8]),
        ];
        for (frames, expected) in cases {
            assert_eq!(
                lengths(&cut(frames, rate(30, 1), None, 0)),
                expected,
                "{frames}"
            );
        }
    }

    #[test]
    fn long_outputs_are_cut_on_a_grid_of_four_seconds() {
        let made = cut(601, rate(30, 1), None, 0);
        assert_eq!(lengths(&made), [120, 120, 120, 120, 121]);
        let made = cut(660, rate(30, 1), None, 0);
        assert_eq!(lengths(&made), [120, 120, 120, 120, 120, 60]);
        // 4 s at 29.97 are 119.88 frames, rounded up.
        let made = cut(1200, rate(30_000, 1001), None, 0);
        assert_eq!(lengths(&made), [120; 10]);
    }

    #[test]
    fn the_grid_doubles_until_two_hundred_segments_suffice() {
        let hour = cut(3600 * 30, rate(30, 1), None, 0);
        assert_eq!(hour.len(), 113);
        assert_eq!(hour[0].count(), 960);
        assert_eq!(cut(200 * 120, rate(30, 1), None, 0).len(), 200);
        assert_eq!(cut(200 * 120 + 60, rate(30, 1), None, 0).len(), 100);
    }

    #[test]
    fn a_keyframe_interval_moves_every_cut_onto_its_multiples() {
        let made = cut(300, rate(30, 1), Some(48), 0);
        assert_eq!(lengths(&made), [96, 96, 108]);
        let made = cut(900, rate(30, 1), Some(50), 0);
        assert_eq!(lengths(&made), [150; 6]);
    }

    #[test]
    fn the_operator_can_set_the_step() {
        assert_eq!(lengths(&cut(100, rate(30, 1), None, 30)), [30, 30, 40]);
        assert_eq!(lengths(&cut(100, rate(30, 1), None, 1000)), [100]);
        assert_eq!(cut(10, rate(30, 1), None, 1).len(), 10);
    }

    proptest! {
        #[test]
        fn cuts_cover_every_frame_once(
            frames in 1_u64..3_000_000,
            numerator in 1_u32..=240,
            ntsc in any::<bool>(),
            interval in proptest::option::of(1_u32..2000),
            // An override is the operator's to answer for; the automatic cut has a bound.
            step in prop_oneof![Just(0_u32), 500_u32..5000],
        ) {
            let rate = if ntsc { rate(numerator * 1000, 1001) } else { rate(numerator, 1) };
            let made = cut(frames, rate, interval, step);
            prop_assert_eq!(made[0].start, 0);
            prop_assert_eq!(made[made.len() - 1].end, frames);
            for pair in made.windows(2) {
                prop_assert_eq!(pair[0].end, pair[1].start);
            }
            for range in &made {
                prop_assert!(range.start < range.end);
                prop_assert_eq!(range.start % u64::from(interval.unwrap_or(1)), 0);
            }
            prop_assert!(step > 0 || made.len() <= 200);
        }
    }
}
